"""Sparse Jacobians and Hessians: their structure from the tape, groups of columns or rows, a sweep for each group.

It needs SciPy: ``pip install "tapead[scipy]"``.
"""

try:
    import scipy.sparse as _sparse  # noqa: F401 -- asked for here, so that its absence is explained once
except ImportError:
    raise ImportError('sparse derivatives need SciPy: pip install "tapead[scipy]"') from None

from .compression import Sparsity, sparsity

__all__ = ["Sparsity", "sparsity"]
