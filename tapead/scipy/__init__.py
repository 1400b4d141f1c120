"""Derivatives for SciPy, in ``special`` and ``linalg``; they need SciPy: ``pip install "tapead[scipy]"``."""
