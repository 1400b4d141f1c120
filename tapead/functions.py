"""The ufuncs of one argument as ``tapead.sin`` and so on: ``np.sin`` without the detour through NumPy's protocol.

On a tensor they save a third of a microsecond a call, which long tapes of scalars notice; on anything else they are
NumPy's.
"""

from __future__ import annotations

import numpy as np

from .operators import unary

__all__ = ["arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "cos", "cosh", "exp", "exp2", "expm1",
           "log", "log1p", "log2", "log10", "sin", "sinh", "sqrt", "square", "tan", "tanh"]

arccos = unary(np.arccos)
arccosh = unary(np.arccosh)
arcsin = unary(np.arcsin)
arcsinh = unary(np.arcsinh)
arctan = unary(np.arctan)
arctanh = unary(np.arctanh)
cbrt = unary(np.cbrt)
cos = unary(np.cos)
cosh = unary(np.cosh)
exp = unary(np.exp)
exp2 = unary(np.exp2)
expm1 = unary(np.expm1)
log = unary(np.log)
log10 = unary(np.log10)
log1p = unary(np.log1p)
log2 = unary(np.log2)
sin = unary(np.sin)
sinh = unary(np.sinh)
sqrt = unary(np.sqrt)
square = unary(np.square)
tan = unary(np.tan)
tanh = unary(np.tanh)
