"""Derivatives for SciPy: ``tapead.scipy.special`` and ``tapead.scipy.linalg``; they need the extra ``tapead[scipy]``."""
