"""NumPy's polynomials as rows of coefficients, the highest power first: arithmetic, calculus, roots, fits."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..registry import Linear, Primitive, RegisterGradient, add_primitive, case, implements, value_of
from .arguments import as_operand, constant
from .axes import conjugate

# ---------------------------------------------------------------------- arithmetic


def _row(p: Any) -> Any:
    """The coefficients of a polynomial in any of the forms that NumPy takes."""
    row = np.atleast_1d(p.coeffs if isinstance(p, np.poly1d) else as_operand(p))
    if row.ndim != 1:
        raise ValueError("Polynomial must be 1d only.")
    return row


def _like(result: Any, *polynomials: Any) -> Any:
    """`result` as a poly1d where one of the operands was one."""
    return np.poly1d(result) if any(isinstance(p, np.poly1d) for p in polynomials) else result


def _of_length(row: Any, length: int) -> Any:
    missing = length - row.shape[0]
    return np.concatenate([np.zeros(missing, row.dtype), row]) if missing else row


@implements(np.polyadd)
def _polyadd_of(a1: Any, a2: Any) -> Any:
    first, second = _row(a1), _row(a2)
    length = max(first.shape[0], second.shape[0])
    return _like(_of_length(first, length) + _of_length(second, length), a1, a2)


@implements(np.polysub)
def _polysub_of(a1: Any, a2: Any) -> Any:
    first, second = _row(a1), _row(a2)
    length = max(first.shape[0], second.shape[0])
    return _like(_of_length(first, length) - _of_length(second, length), a1, a2)


@implements(np.polymul)
def _polymul_of(a1: Any, a2: Any) -> Any:
    return _like(np.convolve(_without_leading_zeros(_row(a1)), _without_leading_zeros(_row(a2))), a1, a2)


def _without_leading_zeros(row: Any) -> Any:
    """A row without the zeros in front, as NumPy trims them; the single element 0 where there is nothing else."""
    places = np.flatnonzero(value_of(row))
    return row[places[0]:] if places.size else np.zeros(1, row.dtype)


@implements(np.polydiv)
def _polydiv_of(u: Any, v: Any) -> Any:
    rest, divisor = _row(u) + 0.0, _row(v) + 0.0
    dtype = np.result_type(rest.dtype, divisor.dtype)
    rest, length = rest.astype(dtype), divisor.shape[0]
    scale = 1.0 / divisor[0]
    steps = rest.shape[0] - length + 1
    quotient = []
    for step in range(steps):
        factor = scale * rest[step]
        quotient.append(factor)
        rest = np.concatenate([rest[:step], rest[step:step + length] - factor * divisor, rest[step + length:]])
    quotients = np.stack(quotient) if quotient else np.zeros(1, dtype)
    while rest.shape[0] > 1 and np.allclose(rest[0], 0, rtol=1e-14):
        rest = rest[1:]
    return _like(quotients, u, v), _like(rest, u, v)


# ---------------------------------------------------------------------- calculus


@implements(np.polyder)
def _polyder_of(p: Any, m: int = 1) -> Any:
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    row = _row(p)
    for _ in range(int(m)):
        row = row[:-1] * np.arange(row.shape[0] - 1, 0, -1)
    return row


@implements(np.polyint)
def _polyint_of(p: Any, m: int = 1, k: Any = None) -> Any:
    m = int(m)
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    constants = np.zeros(m) if k is None else np.atleast_1d(as_operand(k))
    if constants.shape[0] == 1 and m > 1:
        constants = constants[0] * np.ones(m)
    if constants.shape[0] < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    row = _row(p)
    for step in range(m):
        row = np.concatenate([row / np.arange(row.shape[0], 0, -1), constants[step:step + 1]])
    return row


# ---------------------------------------------------------------------- roots

_ROOTS = add_primitive(Primitive("roots", lambda p: np.roots(p), cases=(
    case(np.array([1.0, -6.0, 11.0, -6.0])), case(np.array([2.0, 1.0, 3.5])), case(np.array([1.5, -1.0, 0.0])),
    case(np.array([1.0 + 1j, 0.5, -2.0 + 0.3j])))))


@RegisterGradient("roots")
def _roots(op: Any) -> Any:
    """dr = -dp(r) / p'(r) at each root r"""
    (p,), roots = op.inputs, op.output
    slopes = np.polyval(np.polyder(p), roots)
    powers = np.vander(roots, p.shape[0])
    return Linear(lambda t: -(powers @ t) / slopes, lambda g: -(conjugate(powers).T @ (g / conjugate(slopes))))


@implements(np.roots)
def _roots_of(p: Any) -> Any:
    p = np.atleast_1d(p)
    if p.ndim != 1:
        raise ValueError("Input must be a rank-1 array.")
    return _ROOTS(p)


@implements(np.poly)
def _poly_of(seq_of_zeros: Any) -> Any:
    zeros = np.atleast_1d(as_operand(seq_of_zeros))
    if zeros.ndim == 2 and zeros.shape[0] == zeros.shape[1] != 0:
        zeros = np.linalg.eigvals(zeros)
    elif zeros.ndim != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    if zeros.shape[0] == 0:
        return 1.0
    if zeros.dtype.kind in "iub":
        zeros = zeros.astype(float)
    row = one = np.ones(1, zeros.dtype)
    for position in range(zeros.shape[0]):
        row = np.convolve(row, np.concatenate([one, -zeros[position:position + 1]]))
    values = value_of(zeros)
    if row.dtype.kind == "c" and np.all(np.sort(values) == np.sort(values.conj())):
        return np.real(row)
    return row


# ---------------------------------------------------------------------- fits


@implements(np.polyfit)
def _polyfit_of(x: Any, y: Any, deg: int, rcond: Any = None, full: bool = False, w: Any = None,
                cov: Any = False) -> Any:
    order = int(deg) + 1
    x, y = as_operand(x) + 0.0, as_operand(y) + 0.0
    if deg < 0:
        raise ValueError("expected deg >= 0")
    if x.ndim != 1:
        raise TypeError("expected 1D vector for x")
    if x.shape[0] == 0:
        raise TypeError("expected non-empty vector for x")
    if y.ndim not in (1, 2):
        raise TypeError("expected 1D or 2D array for y")
    if x.shape[0] != y.shape[0]:
        raise TypeError("expected x and y to have same length")
    rcond = constant("np.polyfit", "rcond", rcond)
    rcond = x.shape[0] * np.finfo(x.dtype).eps if rcond is None else rcond
    matrix, columns = np.vander(x, order), y
    if w is not None:
        w = as_operand(w) + 0.0
        if w.ndim != 1:
            raise TypeError("expected a 1-d array for weights")
        if w.shape[0] != y.shape[0]:
            raise TypeError("expected w and y to have the same length")
        matrix, columns = matrix * w[:, None], columns * (w if y.ndim == 1 else w[:, None])
    scale = np.sqrt(np.sum(matrix * matrix, axis=0))
    matrix = matrix / scale
    solution, residuals, rank, values = np.linalg.lstsq(matrix, columns, rcond)
    row = (solution.T / scale).T
    if full:
        return row, residuals, rank, values, rcond
    if rank != order:
        warnings.warn("Polyfit may be poorly conditioned", np.exceptions.RankWarning, stacklevel=4)
    if not cov:
        return row
    base = np.linalg.inv(matrix.T @ matrix) / np.outer(scale, scale)
    if cov == "unscaled":
        factor: Any = 1
    elif x.shape[0] <= order:
        raise ValueError("the number of data points must exceed order to scale the covariance matrix")
    else:
        factor = residuals / (x.shape[0] - order)
    return row, base * factor if y.ndim == 1 else base[:, :, None] * factor

