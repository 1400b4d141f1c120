"""Norms of vectors and matrices, condition numbers and ranks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..registry import PRIMITIVES, Linear, Primitive, RegisterGradient, add_primitive, case, implements, value_of
from .arguments import as_operand, constant

# ---------------------------------------------------------------------- the square root of a sum of squares

#: Squares of numbers within these bounds neither overflow nor lose digits.
_SAFE = {np.dtype(np.float64): (1e-140, 1e150), np.dtype(np.float32): (1e-15, 1e18)}


def _euclidean_kernel(x: Any, axis: tuple[int, ...] = ()) -> Any:
    """NumPy's own value; scaled where the squares would overflow or vanish."""
    everything = len(axis) == x.ndim
    with np.errstate(over="ignore", under="ignore"):
        norm = np.linalg.norm(x) if everything else _root(x, axis)
    low, high = _SAFE.get(norm.dtype, (0.0, np.inf))
    if np.all((norm > low) & (norm < high)):
        return norm
    scale = np.max(np.abs(x), axis=axis, keepdims=True, initial=0.0)
    scale = np.where((scale > 0) & np.isfinite(scale), scale, np.ones((), scale.dtype))
    return np.where((norm > low) & (norm < high), norm, np.squeeze(scale, axis) * _root(x / scale, axis))[()]


def _root(x: Any, axis: tuple[int, ...]) -> Any:
    with np.errstate(over="ignore", under="ignore"):
        return np.sqrt(np.sum((np.conj(x) * x).real if x.dtype.kind == "c" else x * x, axis=axis))


add_primitive(Primitive("norm", _euclidean_kernel, cases=(
    case((3,), axis=(0,)), case((2, 3), axis=(0, 1)), case((2, 3, 2), axis=(1,)), case((2, 3, 2), axis=(0, 2)))))


@RegisterGradient("norm")
def _norm(op: Any) -> Any:
    """d ‖x‖ = Re⟨x, dx⟩ / ‖x‖, and 0 at 0"""
    (x,), axis = op.inputs, op.attrs["axis"]
    norm = np.expand_dims(op.output, axis)
    unit = np.where(norm == 0, 0.0, x / np.where(norm == 0, 1.0, norm)).astype(x.dtype)

    def apply(t: Any) -> Any:
        product = np.conj(unit) * t if unit.dtype.kind == "c" else unit * t
        return np.sum(np.real(product), axis=axis)

    return Linear(apply, lambda g: np.expand_dims(g, axis) * unit)


def _euclidean(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    norm = PRIMITIVES["norm"](x, axis=axis)
    return np.expand_dims(norm, axis) if keepdims and axis else norm


# ---------------------------------------------------------------------- norm


@implements(np.linalg.norm)
def _norm_of(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if value_of(x).dtype.kind not in "fc":
        x = x.astype(float)
    ord = constant("np.linalg.norm", "ord", ord)
    if ord is None and axis is None:
        return _euclidean(x, tuple(range(x.ndim)), keepdims)
    if not (axis is None or isinstance(axis, tuple) or hasattr(axis, "__index__")):
        raise TypeError("'axis' must be None, an integer or a tuple of integers")
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) != 2:
        raise ValueError("Improper number of dimensions to norm.")
    return _matrix_norm(x, ord, axes, keepdims)


def _vector_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order '{ord}' for vectors")
    if ord is None or ord == 2:
        return _euclidean(x, axes, keepdims)
    if ord == 0:
        return np.linalg.norm(value_of(x), 0, axes, keepdims)
    size = np.abs(x)
    if ord == np.inf:
        options: Any = {"initial": 0} if x.size == 0 else {}
        return np.max(size, axis=axes, keepdims=keepdims, **options)
    if ord == -np.inf:
        return np.min(size, axis=axes, keepdims=keepdims)
    if ord == 1:
        return np.sum(size, axis=axes, keepdims=keepdims)
    plain = value_of(size)
    scale: Any = None
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        total = np.sum(plain**ord, axis=axes)
    if np.any(~np.isfinite(total) | (total < np.finfo(plain.dtype).tiny)) and plain.size:
        # A norm grows with its argument: scaling by a constant changes neither it nor its derivative.
        scale = np.max(plain, axis=axes, keepdims=True)
        scale = np.where((scale > 0) & np.isfinite(scale), scale, np.ones((), scale.dtype))
        size = size / scale
    root = np.sum(size**ord, axis=axes, keepdims=keepdims) ** np.reciprocal(ord, dtype=plain.dtype)
    return root if scale is None else root * (scale if keepdims else np.squeeze(scale, axes))


def _matrix_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if ord is None or ord in ("fro", "f"):
        return _euclidean(x, axes, keepdims)
    rows, columns = axes
    if ord in (2, -2, "nuc"):
        values = np.linalg.svdvals(np.moveaxis(x, axes, (-2, -1)))
        least: Any = {} if values.shape[-1] else {"initial": 0}
        result = (np.sum(values, -1) if ord == "nuc" else np.max(values, -1, **least) if ord == 2
                  else np.min(values, -1))
    elif ord in (1, -1, np.inf, -np.inf):
        totals = np.sum(np.abs(x), axis=rows if abs(ord) == 1 else columns, keepdims=True)
        options: Any = {} if totals.size else {"initial": 0}
        result = np.max(totals, axis=axes, **options) if ord > 0 else np.min(totals, axis=axes)
    else:
        raise ValueError("Invalid norm order for matrices.")
    return np.expand_dims(result, axes) if keepdims else result


@implements(np.linalg.matrix_norm)
def _matrix_norm_of(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    return np.linalg.norm(x, ord, (-2, -1), keepdims)


@implements(np.linalg.vector_norm)
def _vector_norm_of(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    if len(axes) == 1:
        return np.linalg.norm(x, ord, axes, keepdims)
    kept = [one for one in range(x.ndim) if one not in axes]
    rows = np.reshape(np.transpose(x, [*axes, *kept]), (-1, *[x.shape[one] for one in kept]))
    norm = np.linalg.norm(rows, ord, 0)
    return np.expand_dims(norm, axes) if keepdims and axes else norm


# ---------------------------------------------------------------------- cond, matrix_rank


@implements(np.linalg.cond)
def _cond_of(x: Any, p: Any = None) -> Any:
    p = constant("np.linalg.cond", "p", p)
    plain = np.linalg.cond(value_of(x), p)
    if not np.all(np.isfinite(plain)):
        # Infinite or NaN, and without a derivative: only the others are computed from x.
        if np.ndim(plain) == 0:
            return plain
        keep = np.isfinite(plain)
        eye = np.eye(x.shape[-2], x.shape[-1], dtype=x.dtype)
        return np.where(keep, np.linalg.cond(np.where(keep[..., None, None], x, eye), p), plain)
    if p is None or p in (2, -2):
        values = np.linalg.svdvals(x)
        return values[..., -1] / values[..., 0] if p == -2 else values[..., 0] / values[..., -1]
    return np.linalg.norm(x, p, (-2, -1)) * np.linalg.norm(np.linalg.inv(x), p, (-2, -1))


@implements(np.linalg.matrix_rank)
def _matrix_rank_of(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:  # noqa: N803 -- NumPy's
    return np.linalg.matrix_rank(value_of(as_operand(A)), value_of(tol), hermitian, rtol=value_of(rtol))
