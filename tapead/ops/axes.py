"""What the reductions share: axes, slices as rows, products inside a linear map."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..registry import value_of

Axis = int | tuple[int, ...] | None


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes that a reduction runs over, none of them negative."""
    if axis is None:
        return tuple(range(ndim))
    if ndim == 0 and axis in (0, -1):  # NumPy's reductions let this pass
        return ()
    return normalize_axis_tuple(axis, ndim)


def expand(reduced: Any, axis: Axis, keepdims: bool, ndim: int) -> Any:
    """A reduced array with its lost axes back, of length 1: it then broadcasts with what was reduced."""
    if keepdims or ndim == 0 or axis is None:
        return reduced
    return np.expand_dims(reduced, axes_of(axis, ndim))


def spread_back(g: Any, axis: Axis, keepdims: bool, shape: tuple[int, ...]) -> Any:
    """What was reduced over axes, in the shape that it had before: a view with a stride of zero along these axes."""
    kind = g.__class__
    if kind is np.float64:
        g = np.array(g)
    elif kind is not np.ndarray or not g.flags.c_contiguous:
        return np.broadcast_to(expand(g, axis, keepdims, len(shape)), shape)
    if axis is None:
        strides = (0,) * len(shape)
    else:
        strides = g.strides
        for one in (axis,) if axis.__class__ is int else sorted(axes_of(axis, len(shape))):
            one = one % len(shape) if shape else 0
            strides = (*strides[:one], 0, *strides[one + keepdims:])
        strides = strides[:len(shape)]
    return np.ndarray(shape, g.dtype, g, 0, strides)  # np.broadcast_to takes ten times as long


def slice_size(shape: tuple[int, ...], axis: Axis) -> int:
    """How many elements are reduced to one."""
    return math.prod([shape[one] for one in axes_of(axis, len(shape))])


def to_rows(x: Any, axis: Axis) -> Any:
    """The slices along `axis` as rows: the axes that stay come first, the reduced ones are one last axis."""
    axes = axes_of(axis, x.ndim)
    kept = [one for one in range(x.ndim) if one not in axes]
    order = [*kept, *axes]
    moved = x if order == sorted(order) else np.transpose(x, order)
    return np.reshape(moved, (*[x.shape[one] for one in kept], slice_size(x.shape, axis)))


def from_rows(rows: Any, axis: Axis, shape: tuple[int, ...]) -> Any:
    """What :func:`to_rows` made of an array of `shape`, in its old places."""
    axes = axes_of(axis, len(shape))
    order = [*[one for one in range(len(shape)) if one not in axes], *axes]
    moved = np.reshape(rows, tuple([shape[one] for one in order]))
    return moved if order == sorted(order) else np.transpose(moved, [order.index(one) for one in range(len(shape))])


_OBJECT = np.dtype(object)
BACKWARDS = slice(None, None, -1)


def conjugate(x: Any) -> Any:
    """conj(x), without a copy where x is real."""
    return np.conj(x) if x.dtype.kind == "c" else x


def times(partial: Any, factor: Any) -> Any:
    """``partial * factor`` inside a linear map, where nothing times infinity is nothing, both ways round."""
    try:
        return partial * factor
    except FloatingPointError:
        with np.errstate(invalid="ignore"):
            first, second = value_of(partial), value_of(factor)
            still = (second == 0) & ~np.isfinite(first)
            flat = (first == 0) & np.isinf(second)
            return np.where(still, 0, partial) * np.where(flat, 0, factor)


def aloud(result: Any) -> Any:
    """`result`, and where it holds NaN the error that asks a sweep for care, for functions that set no flag."""
    value = value_of(result)
    numbers = getattr(value, "values", value)  # of many at once
    if getattr(numbers, "dtype", _OBJECT).kind in "fc" and np.geterr()["invalid"] == "raise":
        total = np.add.reduce(numbers, axis=None)
        if total != total:
            raise FloatingPointError("invalid value encountered")
    return result
