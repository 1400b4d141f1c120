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
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops.arguments import as_operand, constant, is_tensor
from ..ops.matrices import adjoint, hermitian_part, one_triangle
from ..registry import PRIMITIVES, Linear, Primitive, RegisterGradient, add_primitive, case, value_of

try:
    import scipy.linalg as _scipy  # type: ignore[import-untyped, unused-ignore]  # SciPy ships no types
except ImportError as error:
    raise ImportError('tapead.scipy needs SciPy; install it with pip install "tapead[scipy]"') from error

__all__ = ["block_diag", "cho_factor", "cho_solve", "cholesky", "det", "expm", "inv", "logm", "lu_solve", "solve",
           "solve_banded", "solve_sylvester", "solve_triangular", "sqrtm", "toeplitz"]

_SQUARE = np.array([[1.1, 0.3], [-0.4, 0.8]])
_OTHER = np.array([[0.7, -0.2], [0.5, 1.9]])


def _wraps(function: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """SciPy's own function where no argument holds a tensor, the decorated one otherwise."""

    def decorate(meaning: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(meaning)
        def call(*args: Any, **kwargs: Any) -> Any:
            if any(map(_holds_tensor, args)) or any(map(_holds_tensor, kwargs.values())):
                return meaning(*args, **kwargs)
            return function(*args, **kwargs)

        call.__doc__ = f"``scipy.linalg.{function.__name__}``, on tensors too. {meaning.__doc__ or ''}".rstrip()
        return call

    return decorate


def _holds_tensor(value: Any) -> bool:
    return is_tensor(value) or (isinstance(value, (tuple, list)) and any(map(_holds_tensor, value)))


def _only(function: str, **options: Any) -> None:
    """Refuse options that tensors have no meaning for; each is (value, what it has to be)."""
    for name, (value, allowed) in options.items():
        if value not in allowed:
            raise NotImplementedError(f"scipy.linalg.{function}: {name}={value!r} is not covered on tensors; leave it "
                                      f"at {allowed[0]!r}")


def _no_options(function: str, options: dict[str, Any]) -> None:
    if options:
        raise NotImplementedError(f"scipy.linalg.{function}: {', '.join(options)} is not covered on tensors; leave it "
                                  "out")


# ---------------------------------------------------------------------- triangular systems

_TRANSPOSED = {0: 0, 1: 1, 2: 2, "N": 0, "T": 1, "C": 2}


def _triangular_kernel(a: Any, b: Any, trans: int = 0, lower: bool = False, unit_diagonal: bool = False) -> Any:
    return np.asarray(_scipy.solve_triangular(a, b, trans=trans, lower=lower, unit_diagonal=unit_diagonal))


add_primitive(Primitive("solve_triangular", _triangular_kernel, cases=(
    case(_SQUARE, (2, 2)), case(_SQUARE, (2, 1), lower=True), case(_SQUARE, (2, 1), trans=1),
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


@_wraps(_scipy.solve_triangular)
def solve_triangular(a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False,
                     overwrite_b: bool = False, check_finite: bool = True) -> Any:
    """Only the triangle that is read has a derivative."""
    a, b = as_operand(a), as_operand(b)
    _one_matrix("solve_triangular", a)
    columns = b[:, None] if b.ndim == 1 else b
    x = PRIMITIVES["solve_triangular"](a, columns, trans=_TRANSPOSED[trans], lower=bool(lower),
                                       unit_diagonal=bool(unit_diagonal))
    return x[:, 0] if b.ndim == 1 else x


def _one_matrix(function: str, a: Any) -> None:
    if a.ndim != 2:
        raise NotImplementedError(f"scipy.linalg.{function}: stacks of matrices are not covered on tensors, a has "
                                  f"shape {a.shape}; call it for each matrix and np.stack the results")


@_wraps(_scipy.cholesky)
def cholesky(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The derivative in a Hermitian matrix is Hermitian."""
    return np.linalg.cholesky(a, upper=not lower)


@_wraps(_scipy.cho_factor)
def cho_factor(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The triangle that SciPy leaves as it finds it is zero here."""
    return np.linalg.cholesky(a, upper=not lower), bool(lower)


@_wraps(_scipy.cho_solve)
def cho_solve(c_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    """By two triangular systems."""
    factor, lower = c_and_lower
    first = solve_triangular(factor, b, trans=0 if lower else 2, lower=lower)
    return solve_triangular(factor, first, trans=2 if lower else 0, lower=lower)


@_wraps(_scipy.lu_solve)
def lu_solve(lu_and_piv: Any, b: Any, trans: int = 0, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    """Differentiable in the factors and in b; the permutation is an array of integers."""
    lu, pivots = lu_and_piv
    lu, b = as_operand(lu), as_operand(b)
    order = np.arange(lu.shape[0])
    for place, other in enumerate(np.asarray(value_of(pivots))):
        order[[place, other]] = order[[other, place]]
    if trans == 0:
        middle = solve_triangular(lu, b[order], lower=True, unit_diagonal=True)
        return solve_triangular(lu, middle)
    middle = solve_triangular(lu, b, trans=trans)
    return solve_triangular(lu, middle, trans=trans, lower=True, unit_diagonal=True)[np.argsort(order)]


# ---------------------------------------------------------------------- general systems


@_wraps(_scipy.solve)
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


@_wraps(_scipy.inv)
def inv(a: Any, overwrite_a: bool = False, check_finite: bool = True, **options: Any) -> Any:
    """By the method for general matrices."""
    _only("inv", **{name: (value, (None, "general") if name == "assume_a" else (False,))
                    for name, value in options.items()})
    return np.linalg.inv(a)


@_wraps(_scipy.det)
def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """As ``np.linalg.det``: the derivative at a singular matrix is its adjugate."""
    return np.linalg.det(a)


add_primitive(Primitive("solve_sylvester", lambda a, b, q: np.asarray(_scipy.solve_sylvester(a, b, q)), cases=(
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


@_wraps(_scipy.solve_sylvester)
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


@_wraps(_scipy.solve_banded)
def solve_banded(l_and_u: Any, ab: Any, b: Any, overwrite_ab: bool = False, overwrite_b: bool = False,
                 check_finite: bool = True) -> Any:
    """Only the places of the band have a derivative."""
    lower, upper = (int(constant("scipy.linalg.solve_banded", "l_and_u", width)) for width in l_and_u)
    ab, b = as_operand(ab), as_operand(b)
    columns = b[:, None] if b.ndim == 1 else b
    x = PRIMITIVES["solve_banded"](ab, columns, lower=lower, upper=upper)
    return x[:, 0] if b.ndim == 1 else x


# ---------------------------------------------------------------------- functions of matrices


def _in_block(function: Any, a: Any, t: Any) -> Any:
    """The derivative of a function of matrices: the upper right block of f([[A, T], [0, A]])"""
    n = a.shape[-1]
    block = np.concatenate([np.concatenate([a, t.astype(np.result_type(a.dtype, t.dtype))], axis=-1),
                            np.concatenate([np.zeros((n, n), a.dtype), a], axis=-1)])
    return function(block)[:n, n:]


def _function_of_matrices(name: str, function: Callable[[Any], Any], *cases: Any) -> None:
    own = add_primitive(Primitive(name, function, cases=cases))

    @RegisterGradient(name, reads="inputs")
    def _rule(op: Any) -> Any:
        """f([[A, dA], [0, A]]) = [[f(A), df], [0, f(A)]], with the adjoint the same at Aᴴ (Mathias 1996)"""
        (a,) = op.inputs
        return Linear(lambda t: _in_block(own, a, t), lambda g: _in_block(own, adjoint(a), g))


_function_of_matrices("expm", lambda a: np.asarray(_scipy.expm(a)), case(_SQUARE))
_function_of_matrices("logm", lambda a: np.asarray(_scipy.logm(a)), case(_SQUARE))


@_wraps(_scipy.expm)
def expm(A: Any) -> Any:  # noqa: N803 -- SciPy's name
    """Of one matrix, or of each in a stack."""
    if A.ndim > 2:
        flat = np.reshape(A, (-1, *A.shape[-2:]))
        return np.reshape(np.stack([PRIMITIVES["expm"](one) for one in flat]), A.shape)
    return PRIMITIVES["expm"](A)


@_wraps(_scipy.logm)
def logm(A: Any, **options: Any) -> Any:  # noqa: N803 -- SciPy's name
    """The principal logarithm."""
    _no_options("logm", options)
    _one_matrix("logm", A)
    return PRIMITIVES["logm"](A)


add_primitive(Primitive("sqrtm", lambda a: np.asarray(_scipy.sqrtm(a)), cases=(case(_SQUARE), case(_OTHER))))


@RegisterGradient("sqrtm", reads="output")
def _sqrtm(op: Any) -> Any:
    """X dX + dX X = dA"""
    x, sylvester = op.output, PRIMITIVES["solve_sylvester"]
    return Linear(lambda t: sylvester(x, x, t), lambda g: sylvester(adjoint(x), adjoint(x), g))


@_wraps(_scipy.sqrtm)
def sqrtm(A: Any, **options: Any) -> Any:  # noqa: N803 -- SciPy's name
    """The principal square root."""
    _no_options("sqrtm", options)
    _one_matrix("sqrtm", A)
    return PRIMITIVES["sqrtm"](A)


# ---------------------------------------------------------------------- matrices from parts


@_wraps(_scipy.toeplitz)
def toeplitz(c: Any, r: Any = None) -> Any:
    """Of one column and one row."""
    c = np.ravel(as_operand(c))
    r = np.conj(c) if r is None else np.ravel(as_operand(r))
    rows, columns = c.shape[0], r.shape[0]
    parts = np.concatenate([c[::-1], r[1:]])
    return parts[rows - 1 - np.arange(rows)[:, None] + np.arange(columns)]


@_wraps(_scipy.block_diag)
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
