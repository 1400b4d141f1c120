"""The primitives, each with its derivative rule, SymPy counterpart, domain, kinks and test cases beside it.

Importing this package fills the registry. Nothing in here knows of tensors: rules and wrappers are plain NumPy, and
NumPy's protocols (and a primitive's own ``__tapead_primitive__``) choose the meaning.
"""

from . import (
    arithmetic,
    assignment,
    cumulative,
    decompositions,
    determinants,
    diagonals,
    elementwise,
    emath,
    fft,
    histograms,
    joining,
    linalg,
    nan,
    norms,
    padding,
    plain,
    polynomials,
    products,
    qr,
    reductions,
    selection,
    sequences,
    sets,
    shaping,
    sinc_and_i0,
    sorting,
    spacing,
    spectra,
    statistics,
    writing,
)
from .calls import call_ufunc
from .indexing import FIXED, GETITEM, settled
from .methods import METHODS

__all__ = [
    "FIXED", "GETITEM", "METHODS", "call_ufunc", "settled", "arithmetic", "assignment", "cumulative",
    "decompositions", "determinants", "diagonals", "elementwise", "emath", "fft", "histograms", "joining", "linalg",
    "nan", "norms", "padding", "plain", "polynomials", "products", "qr", "reductions", "selection", "sequences",
    "sets", "shaping", "sinc_and_i0", "sorting", "spacing", "spectra", "statistics", "writing",
]
