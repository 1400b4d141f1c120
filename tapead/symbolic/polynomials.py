"""What the roots of a polynomial mean on arrays of mpmath numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .algebras import Precise, Unavailable
from .arrays import DuckArray
from .functions import means


@means(np.roots)
def _roots(p: Any) -> Any:
    """By mpmath's iteration, in NumPy's order"""
    algebra = p.algebra
    if not isinstance(algebra, Precise):
        raise Unavailable("np.roots in closed form")
    context, row = algebra.context, list(p.elements.flat)
    model = np.roots(np.array([complex(element) for element in row]) if p.dtype.kind == "c"
                     else np.array([float(element) for element in row]))
    found = context.polyroots(row, maxsteps=500, extraprec=4 * context.prec)
    ordered = np.empty(len(model), object)
    for place, value in enumerate(model):
        ordered[place] = min(found, key=lambda root: abs(root - complex(value)))
    if model.dtype.kind != "c":
        ordered = np.array([context.re(root) for root in ordered], object)
    return DuckArray(algebra, ordered, model.dtype)
