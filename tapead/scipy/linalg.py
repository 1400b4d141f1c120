"""``scipy.linalg`` on tensors: the same names and arguments, differentiable in both modes and again.

Called without tensors these functions are SciPy's own. Options that only save work or memory (``overwrite_a``,
``check_finite``) are accepted and change nothing on tensors: the tape needs its arrays, and checks them anyway.

Examples
--------
>>> import numpy as np
>>> import tapead as ta
>>> from tapead.scipy.linalg import expm
>>> ta.grad(lambda a: np.sum(expm(a)))(np.zeros((2, 2)))
array([[1., 1.],
       [1., 1.]])
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..ops.arguments import as_operand, constant
from ..ops.matrices import adjoint, hermitian_part, one_triangle
from ..registry import PRIMITIVES, Linear, Primitive, RegisterGradient, add_primitive, case, value_of

try:
    import scipy.linalg as _scipy  # type: ignore[import-untyped, unused-ignore]  # SciPy ships no types
except ImportError as error:
    raise ImportError('tapead.scipy needs SciPy; install it with pip install "tapead[scipy]"') from error

from .matrix_functions import expm, logm, sqrtm
from .wrapping import each, only, square, wraps

__all__ = ["block_diag", "cho_factor", "cho_solve", "cholesky", "det", "expm", "inv", "logm", "lu_factor", "lu_solve",
           "solve", "solve_banded", "solve_sylvester", "solve_triangular", "sqrtm", "toeplitz"]

_SQUARE = np.array([[1.1, 0.3], [-0.4, 0.8]])
_OTHER = np.array([[0.7, -0.2], [0.5, 1.9]])


# ---------------------------------------------------------------------- triangular systems

_TRANSPOSED = {0: 0, 1: 1, 2: 2, "N": 0, "T": 1, "C": 2}


def _triangular_kernel(a: Any, b: Any, trans: int = 0, lower: bool = False, unit_diagonal: bool = False) -> Any:
    return each(functools.partial(_scipy.solve_triangular, trans=trans, lower=lower, unit_diagonal=unit_diagonal), a,
                 b)


add_primitive(Primitive("solve_triangular", _triangular_kernel, cases=(
    case(_SQUARE, (2, 2)), case(_SQUARE, (2, 1), lower=True), case(_SQUARE[None], (2, 1), trans=1),
    case(_SQUARE, (2, 1), trans=1, lower=True, unit_diagonal=True))))


@RegisterGradient("solve_triangular")
def _solve_triangular(op: Any) -> Any:
    """d X = A⁻¹ (dB - dA X), with the adjoints W = A⁻ᴴ G and -W Xᴴ, in the triangle that is read"""
    a, x = op.inputs[0], op.output
    trans, lower, unit = (op.attrs.get(name, default) for name, default in
                          (("trans", 0), ("lower", False), ("unit_diagonal", False)))
    own = PRIMITIVES["solve_triangular"]
    n = a.shape[-1]
    mask = np.tri(n, k=-1 if unit else 0) if lower else np.tri(n, k=-1 if unit else 0).T
    turned = {0: lambda t: t, 1: lambda t: t.mT, 2: adjoint}[trans]
    back_trans = {0: 2, 1: 0, 2: 0}[trans]

    def solved(b: Any) -> Any:
        return own(a, b, trans=trans, lower=lower, unit_diagonal=unit)

    def back(g: Any) -> Any:
        """A⁻ᴴ G"""
        if trans == 1 and a.dtype.kind == "c":
            return own(np.conj(a), g, trans=back_trans, lower=lower, unit_diagonal=unit)
        return own(a, g, trans=back_trans, lower=lower, unit_diagonal=unit)

    return (Linear(lambda t: -solved(turned(mask * t) @ x), lambda g: -(mask * turned(back(g) @ adjoint(x)))),
            Linear(solved, back))


@wraps(_scipy.solve_triangular)
def solve_triangular(a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False,
                     overwrite_b: bool = False, check_finite: bool = True) -> Any:
    """Only the triangle that is read has a derivative."""
    a, b = square("solve_triangular", a), as_operand(b)
    columns = b[:, None] if b.ndim == 1 else b
    x = PRIMITIVES["solve_triangular"](a, columns, trans=_TRANSPOSED[trans], lower=bool(lower),
                                       unit_diagonal=bool(unit_diagonal))
    return x[..., 0] if b.ndim == 1 else x


@wraps(_scipy.cholesky)
def cholesky(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """One triangle is read, and the derivative lies there."""
    return np.linalg.cholesky(a, upper=not lower)


@wraps(_scipy.cho_factor)
def cho_factor(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The triangle that SciPy leaves as it finds it is zero here."""
    return np.linalg.cholesky(a, upper=not lower), bool(lower)


@wraps(_scipy.cho_solve)
def cho_solve(c_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    """By two triangular systems."""
    factor, lower = c_and_lower
    b = as_operand(b)
    first = solve_triangular(factor, b[:, None] if b.ndim == 1 else b, trans=0 if lower else 2, lower=lower)
    x = solve_triangular(factor, first, trans=2 if lower else 0, lower=lower)
    return x[..., 0] if b.ndim == 1 else x


@wraps(_scipy.lu_factor)
def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Of square matrices; the order of the rows is a constant."""
    a = square("lu_factor", a)
    pivots = np.asarray(_scipy.lu_factor(value_of(a))[1])
    rows = np.take_along_axis(a, _order(pivots)[..., None], axis=-2)
    return PRIMITIVES["lu"](rows), pivots


def _order(pivots: Any) -> Any:
    """The order of the rows after LAPACK's exchanges."""
    order = np.broadcast_to(np.arange(pivots.shape[-1]), pivots.shape).copy()
    for lead in np.ndindex(pivots.shape[:-1]):
        for place, other in enumerate(pivots[lead]):
            order[lead][[place, other]] = order[lead][[other, place]]
    return order


@wraps(_scipy.lu_solve)
def lu_solve(lu_and_piv: Any, b: Any, trans: int = 0, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    """Differentiable in the factors and in b; the permutation is an array of integers."""
    lu, pivots = lu_and_piv
    lu, b = as_operand(lu), as_operand(b)
    columns = b[:, None] if b.ndim == 1 else b
    columns = columns + np.zeros((*lu.shape[:-2], 1, 1), columns.dtype) if lu.ndim > 2 else columns
    order = _order(np.asarray(value_of(pivots)))
    if trans == 0:
        middle = solve_triangular(lu, _reordered(columns, order), lower=True, unit_diagonal=True)
        x = solve_triangular(lu, middle)
    else:
        middle = solve_triangular(lu, columns, trans=trans)
        x = _reordered(solve_triangular(lu, middle, trans=trans, lower=True, unit_diagonal=True), np.argsort(order))
    return x[..., 0] if b.ndim == 1 else x


def _reordered(rows: Any, order: Any) -> Any:
    return rows[..., order, :] if order.ndim == 1 else np.take_along_axis(rows, order[..., None], axis=-2)


# ---------------------------------------------------------------------- general systems


@wraps(_scipy.solve)
def solve(a: Any, b: Any, lower: bool = False, overwrite_a: bool = False, overwrite_b: bool = False,
          check_finite: bool = True, assume_a: str | None = None, transposed: bool = False) -> Any:
    """What `assume_a` says of symmetry and triangles is kept, the method is that of a general matrix."""
    a, b = as_operand(a), as_operand(b)
    kind = {None: "general", "gen": "general", "sym": "symmetric", "her": "hermitian", "pos": "hermitian",
            "positive definite": "hermitian"}.get(assume_a, assume_a)
    if kind in ("upper triangular", "lower triangular"):
        return solve_triangular(a, b, trans=1 if transposed else 0, lower=kind == "lower triangular")
    if kind not in ("general", "symmetric", "hermitian", "diagonal", "tridiagonal"):
        raise NotImplementedError(f"scipy.linalg.solve: assume_a={assume_a!r} is not covered on tensors; use 'general'")
    if kind == "diagonal":
        a = a * np.eye(a.shape[-1])
    elif kind == "tridiagonal":
        a = np.tril(np.triu(a, -1), 1)
    elif kind == "hermitian" or (kind == "symmetric" and a.dtype.kind != "c"):
        a = one_triangle(a, lower)
        a = hermitian_part(a)
    elif kind == "symmetric":
        half = np.tril(a) if lower else np.triu(a)
        a = half + (np.tril(a, -1) if lower else np.triu(a, 1)).mT
    return np.linalg.solve(a.mT if transposed else a, b)


@wraps(_scipy.inv)
def inv(a: Any, overwrite_a: bool = False, check_finite: bool = True, **options: Any) -> Any:
    """By the method for general matrices."""
    only("inv", **{name: (value, (None, "general") if name == "assume_a" else (False,))
                    for name, value in options.items()})
    return np.linalg.inv(a)


@wraps(_scipy.det)
def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """As ``np.linalg.det``, but always in double precision: the derivative at a singular matrix is its adjugate."""
    return np.linalg.det(a.astype(np.result_type(a.dtype, np.float64)))


add_primitive(Primitive("solve_sylvester", functools.partial(each, _scipy.solve_sylvester), cases=(
    case(_SQUARE, np.array([[1.3]]), (2, 1)), case(np.array([[1.3]]), _OTHER, (1, 2)))))


@RegisterGradient("solve_sylvester")
def _solve_sylvester(op: Any) -> Any:
    """A dX + dX B = dQ - dA X - X dB, with the adjoints W of Q, -W Xᴴ and -Xᴴ W, where Aᴴ W + W Bᴴ = G"""
    (a, b, _), x = op.inputs, op.output
    own = PRIMITIVES["solve_sylvester"]

    def back(g: Any) -> Any:
        return own(adjoint(a), adjoint(b), g)

    return (Linear(lambda t: -own(a, b, t @ x), lambda g: -(back(g) @ adjoint(x))),
            Linear(lambda t: -own(a, b, x @ t), lambda g: -(adjoint(x) @ back(g))),
            Linear(lambda t: own(a, b, t), back))


@wraps(_scipy.solve_sylvester)
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """Differentiable in all three."""
    return PRIMITIVES["solve_sylvester"](as_operand(a), as_operand(b), as_operand(q))


# ---------------------------------------------------------------------- banded systems


def _banded_kernel(ab: Any, b: Any, lower: int = 0, upper: int = 0) -> Any:
    return np.asarray(_scipy.solve_banded((lower, upper), ab, b))


add_primitive(Primitive("solve_banded", _banded_kernel, cases=(
    case(np.array([[9.0, 0.3, -0.4], [2.1, 1.8, -2.3], [0.5, 0.2, 9.0]]), (3, 2), lower=1, upper=1),
    case(np.array([[2.1, 1.8, -2.3], [0.5, 0.2, 9.0], [-0.3, 9.0, 9.0]]), (3, 1), lower=2, upper=0))))


@RegisterGradient("solve_banded")
def _solve_banded(op: Any) -> Any:
    """d X = A⁻¹ (dB - dA X), with the adjoints W = A⁻ᴴ G and -W Xᴴ, in the places of the band"""
    ab, x = op.inputs[0], op.output
    lower, upper = op.attrs["lower"], op.attrs["upper"]
    own, n = PRIMITIVES["solve_banded"], x.shape[0]
    offsets = list(range(upper, -lower - 1, -1))
    place = np.arange(n)
    # Row r of `ab` is a diagonal, in the columns in which it stands; the rest of the row is not part of the matrix.
    inside = np.array([(place >= offset) & (place - offset < n) for offset in offsets])

    def product(t: Any) -> Any:
        """T X for a matrix T in the same band"""
        kept = np.where(inside, t, 0.0)
        return sum(np.roll(row[:, None] * x, -offset, axis=0) for row, offset in zip(kept, offsets, strict=True))

    def back(g: Any) -> Any:
        rows = [np.roll(row, -offset) for row, offset in zip(ab, offsets, strict=True)]
        turned = np.stack(rows[::-1])
        return own(np.conj(turned) if turned.dtype.kind == "c" else turned, g, lower=upper, upper=lower)

    def into_band(g: Any) -> Any:
        w, turned = back(g), np.conj(x) if x.dtype.kind == "c" else x
        rows = [np.sum(np.roll(w, offset, axis=0) * turned, axis=1) for offset in offsets]
        return -np.where(inside, np.stack(rows), 0.0)

    return (Linear(lambda t: -own(ab, product(t), lower=lower, upper=upper), into_band),
            Linear(lambda t: own(ab, t, lower=lower, upper=upper), back))


@wraps(_scipy.solve_banded)
def solve_banded(l_and_u: Any, ab: Any, b: Any, overwrite_ab: bool = False, overwrite_b: bool = False,
                 check_finite: bool = True) -> Any:
    """Only the places of the band have a derivative."""
    lower, upper = (int(constant("scipy.linalg.solve_banded", "l_and_u", width)) for width in l_and_u)
    ab, b = as_operand(ab), as_operand(b)
    if ab.ndim != 2 or b.ndim > 2:
        raise NotImplementedError(f"scipy.linalg.solve_banded: stacks are not covered on tensors, ab has shape "
                                  f"{ab.shape} and b {b.shape}; call it for each and np.stack the results")
    columns = b[:, None] if b.ndim == 1 else b
    x = PRIMITIVES["solve_banded"](ab, columns, lower=lower, upper=upper)
    return x[:, 0] if b.ndim == 1 else x


# ---------------------------------------------------------------------- matrices from parts


@wraps(_scipy.toeplitz)
def toeplitz(c: Any, r: Any = None) -> Any:
    """Of one column and one row."""
    c = as_operand(c)
    r = np.conj(c) if r is None else as_operand(r)
    if c.ndim > 1 or r.ndim > 1:
        raise NotImplementedError(f"scipy.linalg.toeplitz: one column and one row are covered on tensors, not shapes "
                                  f"{c.shape} and {r.shape}; call it for each and np.stack the results")
    c, r = np.ravel(c), np.ravel(r)
    rows, columns = c.shape[0], r.shape[0]
    parts = np.concatenate([c[::-1], r[1:]])
    return parts[rows - 1 - np.arange(rows)[:, None] + np.arange(columns)]


@wraps(_scipy.block_diag)
def block_diag(*arrs: Any) -> Any:
    """Of matrices, rows and numbers."""
    blocks = [np.atleast_2d(as_operand(one)) for one in arrs]
    if any(block.ndim != 2 for block in blocks):
        raise NotImplementedError("scipy.linalg.block_diag: stacks of matrices are not covered on tensors; call it for "
                                  "each and np.stack the results")
    widths = [block.shape[1] for block in blocks]
    rows = []
    for place, block in enumerate(blocks):
        before, after = sum(widths[:place]), sum(widths[place + 1:])
        rows.append(np.concatenate([np.zeros((block.shape[0], before), block.dtype), block,
                                    np.zeros((block.shape[0], after), block.dtype)], axis=1))
    return np.concatenate(rows)
