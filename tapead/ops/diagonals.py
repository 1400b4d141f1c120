"""Diagonals and triangles of matrices, and Vandermonde's matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..registry import PRIMITIVES, implements, value_of


def _places(rows: int, columns: int, offset: int) -> slice:
    """Where the diagonal lies in a matrix that is read row by row."""
    start = offset if offset >= 0 else -offset * columns
    count = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    return slice(start, start + count * (columns + 1) - columns if count else start, columns + 1)


@implements(np.diagonal)
def _diagonal_of(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    if a.ndim < 2:
        raise ValueError("diagonal requires an array of at least two dimensions")
    axis1, axis2 = normalize_axis_index(axis1, a.ndim), normalize_axis_index(axis2, a.ndim)
    if axis1 == axis2:
        raise ValueError("axis1 and axis2 cannot be the same")
    if (axis1, axis2) != (a.ndim - 2, a.ndim - 1):
        a = np.moveaxis(a, (axis1, axis2), (-2, -1))
    rows, columns = a.shape[-2:]
    return np.reshape(a, (*a.shape[:-2], rows * columns))[..., _places(rows, columns, offset)]


@implements(np.diag)
def _diag_of(v: Any, k: int = 0) -> Any:
    if v.ndim == 2:
        return np.diagonal(v, k)
    if v.ndim != 1:
        raise ValueError("Input must be 1- or 2-d.")
    side = v.size + abs(k)
    flat = PRIMITIVES["scatter"](v, shape=(side * side,), key=_places(side, side, k))
    return np.reshape(flat, (side, side))


@implements(np.diagflat)
def _diagflat_of(v: Any, k: int = 0) -> Any:
    return np.diag(np.ravel(v), k)


def _below(m: Any, k: int) -> Any:
    """True on and below the k-th diagonal of the last two axes."""
    return np.tri(m.shape[-2] if m.ndim > 1 else m.shape[-1], m.shape[-1], k, dtype=bool)


@implements(np.tril)
def _tril_of(m: Any, k: int = 0) -> Any:
    return np.where(_below(m, k), m, np.zeros((), m.dtype))


@implements(np.triu)
def _triu_of(m: Any, k: int = 0) -> Any:
    return np.where(_below(m, k - 1), np.zeros((), m.dtype), m)


@implements(np.vander)
def _vander_of(x: Any, N: int | None = None, increasing: bool = False) -> Any:  # noqa: N803 -- NumPy's name
    if x.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    powers = np.arange(x.size if N is None else value_of(N))
    return np.reshape(x, (-1, 1)) ** (powers if increasing else powers[::-1])
