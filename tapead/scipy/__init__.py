"""Derivatives of SciPy's functions. Needs SciPy: ``pip install "tapead[scipy]"``."""
