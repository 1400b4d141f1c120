"""What SciPy's functions mean on arrays of expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .arrays import PRIMITIVE_MEANINGS, DuckArray, wrap
from .functions import algebra_of
from .matrices import _entries, _numeric, _stacked

# ---------------------------------------------------------------------- dense matrices


def _solve_triangular(a: Any, b: Any, trans: int = 0, lower: bool = False, unit_diagonal: bool = False) -> Any:
    read = np.tril(a) if lower else np.triu(a)
    if unit_diagonal:
        read = (np.tril(a, -1) if lower else np.triu(a, 1)) + np.eye(len(a))
    return np.linalg.solve(read if trans == 0 else read.mT if trans == 1 else np.conj(read.mT), b)


def _solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    if q.ndim > 2:  # all three of them stacks, as in the square root's rule
        return np.stack([_solve_sylvester(a[place], b[place], q[place]) for place in range(len(q))])
    rows, columns = q.shape
    matrix = np.kron(a, np.eye(columns)) + np.kron(np.eye(rows), b.mT)
    return np.linalg.solve(matrix, q.reshape(rows * columns, 1)).reshape(rows, columns)


def _solve_banded(ab: Any, b: Any, lower: int = 0, upper: int = 0) -> Any:
    n = len(b)
    algebra = algebra_of(ab, b)
    elements = wrap(algebra, np.zeros((n, n))).elements.copy()
    for i in range(n):
        for j in range(max(0, i - lower), min(n, i + upper + 1)):
            elements[i, j] = wrap(algebra, ab).elements[upper + i - j, j]
    return np.linalg.solve(DuckArray(algebra, elements), b)


PRIMITIVE_MEANINGS |= {"solve_triangular": _solve_triangular, "solve_sylvester": _solve_sylvester,
                       "solve_banded": _solve_banded}


def _by_mpmath(function: str) -> Callable[..., Any]:
    def one(matrix: DuckArray) -> Any:
        context, exact, _ = _numeric(matrix, function)
        result = getattr(context, function)(exact)
        return _entries(result, matrix.algebra, matrix.shape, matrix.dtype)  # type: ignore[arg-type]  # two axes

    return lambda a: _stacked(a, one)


PRIMITIVE_MEANINGS |= {function: _by_mpmath(function) for function in ("expm", "logm", "sqrtm")}

# ---------------------------------------------------------------------- sparse matrices, convolutions


def _dense(data: Any, like: Any, rows: Any, columns: Any, shape: tuple[int, int]) -> DuckArray:
    """The matrix with these elements in these places"""
    algebra = algebra_of(data, like)
    elements = wrap(algebra, np.zeros(shape)).elements.copy()
    for element, row, column in zip(wrap(algebra, data).elements, rows, columns, strict=True):
        elements[row, column] = elements[row, column] + element
    return DuckArray(algebra, elements)


def _sparse_matmul(data: Any, x: Any, rows: Any = None, columns: Any = None, shape: Any = None) -> Any:
    return np.matmul(_dense(data, x, rows, columns, shape), x)


def _sparse_solve(data: Any, b: Any, rows: Any = None, columns: Any = None, shape: Any = None) -> Any:
    matrix = _dense(data, b, rows, columns, shape)
    return np.matmul(np.linalg.inv(matrix), b)


def _convolve(in1: Any, in2: Any, method: str = "direct") -> Any:
    """Each element of the second array moves the first one along"""
    algebra = algebra_of(in1, in2)
    first, second = wrap(algebra, in1).elements, wrap(algebra, in2).elements
    shape = tuple([m + n - 1 for m, n in zip(first.shape, second.shape, strict=True)])
    elements = wrap(algebra, np.zeros(shape)).elements.copy()
    for place in np.ndindex(second.shape):
        window = tuple([slice(start, start + length) for start, length in zip(place, first.shape, strict=True)])
        elements[window] = elements[window] + first * second[place]
    return DuckArray(algebra, elements)


PRIMITIVE_MEANINGS |= {"sparse_matmul": _sparse_matmul, "sparse_solve": _sparse_solve, "signal_convolve": _convolve}
