"""Solving linear systems, inverses, pseudo-inverses, and what composes them.

The formulas are in Giles (2008), "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation", unless a rule says otherwise; the adjoints are with respect to Re⟨·,·⟩ throughout.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..registry import PRIMITIVES, Linear, Primitive, RegisterGradient, add_primitive, case, implements, value_of
from .arguments import as_operand, constant, no_out
from .determinants import inverse_of_factor
from .matrices import adjoint, hermitian_part, one_triangle

_SQUARE = np.array([[2.0, 0.3], [0.7, 1.6]])
_STACK = np.array([[[1.2, -0.6], [0.4, 1.9]]])
_TALL = np.array([[1.2], [-0.7]])


def _remembered(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that computes nothing when it is called with the same array again."""
    last: list[Any] = [None, None]

    def call(x: Any) -> Any:
        if last[0] is not x:
            last[:] = x, function(x)
        return last[1]

    return call


# ---------------------------------------------------------------------- solve

add_primitive(Primitive("solve", lambda a, b: np.linalg.solve(a, b), cases=(
    case(_SQUARE, (2, 2)), case(_STACK, (2, 1)), case(_SQUARE, (2, 2, 1)))))


@RegisterGradient("solve")
def _solve(op: Any) -> Any:
    """d X = A⁻¹ (dB - dA X), with the adjoints W = A⁻ᴴ G and -W Xᴴ"""
    a, x = op.inputs[0], op.output
    factor, turned = _factor(op)

    def solved(g: Any) -> Any:
        if factor is None:
            return np.linalg.solve(adjoint(a), g)
        inverse = inverse_of_factor(factor)
        return (inverse if turned else inverse.T) @ g

    back = _remembered(solved)
    return (Linear(lambda t: -np.linalg.solve(a, t @ x), lambda g: (-back(g)) @ adjoint(x)),
            Linear(lambda t: np.linalg.solve(a, t), back))


def _factor(op: Any) -> tuple[Any, bool]:
    """The entry that made a matrix as Cholesky's factor, whose inverse its own rule needs too; whether it is turned."""
    entry, turned = op.parents[0] if hasattr(op, "parents") else None, False
    if entry is not None and entry.primitive.name == "transpose":
        entry, turned = entry.parents[0], True
    if entry is None or entry.primitive.name != "cholesky" or op.inputs[0].ndim != 2 or op.inputs[0].dtype.kind == "c":
        return None, False
    return entry, turned


@implements(np.linalg.solve)
def _solve_of(a: Any, b: Any) -> Any:
    a, b = as_operand(a), as_operand(b)
    if b.ndim == 1:
        return PRIMITIVES["solve"](a, b[:, None])[..., 0]
    return PRIMITIVES["solve"](a, b)


@implements(np.linalg.tensorsolve)
def _tensorsolve_of(a: Any, b: Any, axes: Any = None) -> Any:
    a, b = as_operand(a), as_operand(b)
    if axes is not None:
        kept = [axis for axis in range(a.ndim) if axis not in [one % a.ndim for one in axes]]
        a = np.transpose(a, [*kept, *[one % a.ndim for one in axes]])
    unknown = a.shape[b.ndim:]
    if math.prod(unknown) != b.size or a.size != b.size**2:
        raise np.linalg.LinAlgError(f"np.linalg.tensorsolve: a of shape {a.shape} is not square for b of shape "
                                    f"{b.shape}")
    return np.reshape(np.linalg.solve(np.reshape(a, (-1, b.size)), np.reshape(b, -1)), unknown)


# ---------------------------------------------------------------------- inv

add_primitive(Primitive("inv", lambda a: np.linalg.inv(a), cases=(case(_SQUARE), case(_STACK))))


@RegisterGradient("inv", reads="output")
def _inv(op: Any) -> Any:
    """d A⁻¹ = -A⁻¹ dA A⁻¹, with the adjoint -A⁻ᴴ G A⁻ᴴ"""
    inverse = op.output
    return Linear(lambda t: -(inverse @ t @ inverse), lambda g: -(adjoint(inverse) @ g @ adjoint(inverse)))


@implements(np.linalg.inv)
def _inv_of(a: Any) -> Any:
    return PRIMITIVES["inv"](a)


@implements(np.linalg.tensorinv)
def _tensorinv_of(a: Any, ind: int = 2) -> Any:
    if ind <= 0:
        raise ValueError(f"np.linalg.tensorinv: ind={ind} must be positive")
    rows, columns = a.shape[:ind], a.shape[ind:]
    return np.reshape(np.linalg.inv(np.reshape(a, (math.prod(rows), -1))), columns + rows)


@implements(np.linalg.matrix_power)
def _matrix_power_of(a: Any, n: int) -> Any:
    n = constant("np.linalg.matrix_power", "n", n)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2] or not hasattr(n, "__index__"):
        np.linalg.matrix_power(value_of(a), n)  # NumPy's own error
    if n == 0:
        return np.where(True, np.eye(a.shape[-1], dtype=a.dtype), a)
    if n < 0:
        a, n = np.linalg.inv(a), -n
    if n == 3:
        return a @ a @ a
    result, square = None, None
    while n > 0:
        square = a if square is None else square @ square
        n, odd = divmod(n, 2)
        if odd:
            result = square if result is None else result @ square
    return result


# ---------------------------------------------------------------------- pinv, lstsq


def _pinv_kernel(a: Any, **cutoff: Any) -> Any:
    return np.linalg.pinv(a, **cutoff)


add_primitive(Primitive("pinv", _pinv_kernel, cases=(
    case(_TALL), case(_TALL.T.copy()), case(_TALL[None] + 0.3))))


@RegisterGradient("pinv")
def _pinv(op: Any) -> Any:
    """d P = -P dA P + P Pᴴ dAᴴ (I - A P) + (I - P A) dAᴴ Pᴴ P, at constant rank (Golub and Pereyra 1973)"""
    (a,), p = op.inputs, op.output
    rows, columns = np.eye(a.shape[-2]) - a @ p, np.eye(a.shape[-1]) - p @ a
    left, right = p @ adjoint(p), adjoint(p) @ p

    def apply(t: Any) -> Any:
        turned = adjoint(t)
        return -(p @ t @ p) + left @ turned @ rows + columns @ turned @ right

    def back(g: Any) -> Any:
        return -(adjoint(p) @ g @ adjoint(p)) + rows @ adjoint(g) @ left + right @ adjoint(g) @ columns

    return Linear(apply, back)


@implements(np.linalg.pinv)
def _pinv_of(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Any:
    cutoff: dict[str, Any] = {} if rcond is None else {"rcond": constant("np.linalg.pinv", "rcond", rcond)}
    if rtol is not np._NoValue:
        cutoff["rtol"] = constant("np.linalg.pinv", "rtol", rtol)
    if hermitian:
        a, cutoff["hermitian"] = hermitian_part(one_triangle(a, True)), True
    return PRIMITIVES["pinv"](a, **cutoff)


def _lstsq_kernel(a: Any, b: Any, rcond: Any = None) -> Any:
    return np.linalg.lstsq(a, b, rcond)[0]


add_primitive(Primitive("lstsq", _lstsq_kernel, cases=(
    case(_TALL, (2, 2)), case(_TALL.T.copy(), (1, 1)))))


@RegisterGradient("lstsq")
def _lstsq(op: Any) -> Any:
    """d X = P (dB - dA X) + P Pᴴ dAᴴ (B - A X) + (I - P A) dAᴴ Pᴴ X, with the pseudo-inverse P, at constant rank"""
    (a, b), x = op.inputs, op.output
    p = np.linalg.pinv(a, rtol=_cutoff(op.attrs.get("rcond"), a))
    rest, columns, solution = b - a @ x, np.eye(a.shape[-1]) - p @ a, adjoint(p) @ x

    def apply(t: Any) -> Any:
        turned = adjoint(t)
        return -(p @ (t @ x)) + p @ (adjoint(p) @ (turned @ rest)) + columns @ (turned @ solution)

    def back(g: Any) -> Any:
        pulled = adjoint(p) @ g
        return -(pulled @ adjoint(x)) + rest @ adjoint(p @ pulled) + solution @ adjoint(columns @ g)

    return Linear(apply, back), Linear(lambda t: p @ t, lambda g: adjoint(p) @ g)


def _cutoff(rcond: Any, a: Any) -> Any:
    """The smallest ratio of singular values that lstsq takes for one"""
    epsilon = float(np.finfo(a.dtype).eps)
    return max(a.shape) * epsilon if rcond is None else epsilon if rcond == -1 else rcond


@implements(np.linalg.lstsq)
def _lstsq_of(a: Any, b: Any, rcond: Any = None) -> Any:
    a, b = as_operand(a), as_operand(b)
    rcond = constant("np.linalg.lstsq", "rcond", rcond)
    _, squares, rank, values = np.linalg.lstsq(value_of(a), value_of(b), rcond)
    columns = b[:, None] if b.ndim == 1 else b
    x = PRIMITIVES["lstsq"](a, columns, rcond=rcond)
    residuals: Any = squares
    if squares.size:
        rest = columns - a @ x
        residuals = np.sum(np.real(rest * np.conj(rest)) if rest.dtype.kind == "c" else rest * rest, axis=0)
    return x[:, 0] if b.ndim == 1 else x, residuals, rank, np.linalg.svdvals(a) if values.size else values


# ---------------------------------------------------------------------- multi_dot, and other names


@implements(np.linalg.multi_dot)
def _multi_dot_of(arrays: Sequence[Any], *, out: Any = None) -> Any:
    no_out("np.linalg.multi_dot", out)
    arrays = [as_operand(array) for array in arrays]
    if len(arrays) < 2:
        raise ValueError("Expecting at least two arrays.")
    if len(arrays) == 2:
        return np.dot(*arrays)
    first, last = arrays[0].ndim, arrays[-1].ndim
    arrays[0] = arrays[0][None, :] if first == 1 else arrays[0]
    arrays[-1] = arrays[-1][:, None] if last == 1 else arrays[-1]
    if any(array.ndim != 2 for array in arrays):
        raise np.linalg.LinAlgError("np.linalg.multi_dot: all but the first and the last array must have two axes")
    splits = _best_splits([array.shape[0] for array in arrays] + [arrays[-1].shape[1]])
    result = _product(arrays, splits, 0, len(arrays) - 1)
    if first == 1:
        result = result[0]
    return result[..., 0] if last == 1 else result


def _best_splits(lengths: list[int]) -> dict[tuple[int, int], int]:
    """Where to split each run of matrices for the fewest multiplications"""
    count = len(lengths) - 1
    costs = {(place, place): 0 for place in range(count)}
    splits: dict[tuple[int, int], int] = {}
    for width in range(1, count):
        for start in range(count - width):
            end = start + width
            outer = lengths[start] * lengths[end + 1]
            options = [(costs[start, cut] + costs[cut + 1, end] + outer * lengths[cut + 1], cut)
                       for cut in range(start, end)]
            costs[start, end], splits[start, end] = min(options)
    return splits


def _product(arrays: list[Any], splits: dict[tuple[int, int], int], start: int, end: int) -> Any:
    if start == end:
        return arrays[start]
    cut = splits[start, end]
    return _product(arrays, splits, start, cut) @ _product(arrays, splits, cut + 1, end)


@implements(np.linalg.outer)
def _outer_of(x1: Any, x2: Any, /) -> Any:
    x1, x2 = as_operand(x1), as_operand(x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(f"np.linalg.outer: the arrays must have one axis, they have {x1.ndim} and {x2.ndim}")
    return np.outer(x1, x2)


@implements(np.linalg.cross)
def _cross_of(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    x1, x2 = as_operand(x1), as_operand(x2)
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ValueError(f"np.linalg.cross: vectors of length {x1.shape[axis]} and {x2.shape[axis]}; they must have 3")
    return np.cross(x1, x2, axis=axis)


@implements(np.linalg.vecdot)
def _vecdot_of(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return np.vecdot(np.moveaxis(as_operand(x1), axis, -1), np.moveaxis(as_operand(x2), axis, -1))


implements(np.linalg.trace)(lambda x, /, *, offset=0, dtype=None: np.trace(x, offset, -2, -1, dtype))
implements(np.linalg.diagonal)(lambda x, /, *, offset=0: np.diagonal(x, offset, -2, -1))
implements(np.linalg.matmul)(lambda x1, x2, /: np.matmul(x1, x2))
implements(np.linalg.tensordot)(lambda x1, x2, /, *, axes=2: np.tensordot(x1, x2, axes))
implements(np.linalg.matrix_transpose)(lambda x, /: np.matrix_transpose(x))
