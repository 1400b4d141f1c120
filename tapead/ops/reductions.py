"""Sums, means, products, variances and extremes over axes, and their cumulative forms."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..registry import PRIMITIVES, Linear, Primitive, RegisterGradient, add_primitive, case, implements

Axis = int | tuple[int, ...] | None


def expand(reduced: Any, axis: Axis, keepdims: bool, ndim: int) -> Any:
    """A reduced array with its lost axes back, of length 1: it then broadcasts with what was reduced."""
    if keepdims or ndim == 0:
        return reduced
    if axis is None:
        return np.reshape(reduced, (1,) * ndim)
    axes = axis if isinstance(axis, tuple) else (axis,)
    return np.expand_dims(reduced, tuple(sorted(one % ndim for one in axes)))


# ---------------------------------------------------------------------- sum

add_primitive(Primitive("sum", np.sum, cases=(
    case((3,)), case((2, 3), axis=1), case((2, 3), axis=-2, keepdims=True), case((2, 3, 2), axis=(0, 2)), case(()),
    case((0, 2), axis=0))))


@RegisterGradient("sum")
def _sum(op: Any) -> Any:
    """d Σ x = Σ dx"""
    (x,) = op.inputs
    axis, keepdims = op.attrs.get("axis"), op.attrs.get("keepdims", False)
    return Linear(lambda t: np.sum(t, axis=axis, keepdims=keepdims),
                  lambda g: np.broadcast_to(expand(g, axis, keepdims, x.ndim), x.shape))


@implements(np.sum)
def _sum_of(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
            initial: Any = 0, where: Any = True) -> Any:
    return PRIMITIVES["sum"](a, axis=axis, keepdims=keepdims)


# ---------------------------------------------------------------------- mean

add_primitive(Primitive("mean", np.mean, cases=(
    case((3,)), case((2, 3), axis=1), case((2, 3), axis=-2, keepdims=True), case((2, 3, 2), axis=(0, 2)), case(()))))


@RegisterGradient("mean")
def _mean(op: Any) -> Any:
    """d mean(x) = mean(dx)"""
    (x,) = op.inputs
    axis, keepdims = op.attrs.get("axis"), op.attrs.get("keepdims", False)
    share = op.output.size / x.size
    return Linear(lambda t: np.mean(t, axis=axis, keepdims=keepdims),
                  lambda g: np.broadcast_to(expand(g * share, axis, keepdims, x.ndim), x.shape))


@implements(np.mean)
def _mean_of(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
             where: Any = True) -> Any:
    return PRIMITIVES["mean"](a, axis=axis, keepdims=keepdims)
