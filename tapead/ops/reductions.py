"""Sums, means, products and extremes over axes.

``dtype=`` casts before reducing, ``where=`` replaces what is left out by the neutral element (and so keeps NaNs in
there from doing harm), an ``initial=`` that is a tensor is one more operand at the end.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..registry import Linear, Primitive, RegisterGradient, add_primitive, case, implements, value_of
from .arguments import as_operand, is_tensor, no_out
from .arithmetic import holds_anywhere
from .axes import BACKWARDS, Axis, conjugate, expand, from_rows, slice_size, spread_back, times, to_rows
from .rows import reduce_axes

_DOUBLE = np.dtype(np.float64)
_CASES = (case((3,)), case((2, 3), axis=1), case((2, 3), axis=-2, keepdims=True), case((2, 3, 2), axis=(0, 2)),
          case(()))


def _reduction(name: str, ufunc: np.ufunc, *cases: Any) -> Primitive:
    """The primitive that reduces by a ufunc over the axes."""

    def kernel(a: Any, axis: Axis = None, keepdims: bool = False, **initial: Any) -> Any:
        if initial:
            return ufunc.reduce(a, axis=axis, keepdims=keepdims, **initial)
        return reduce_axes(ufunc, a, axis, keepdims)

    return add_primitive(Primitive(name, kernel, cases=_CASES + cases))


def _general(primitive: Primitive, function: Any, combine: Callable[[Any, Any], Any], neutral: Any, a: Any, axis: Axis,
             dtype: Any, out: Any, keepdims: bool, initial: Any, where: Any) -> Any:
    """A reduction with one of the arguments that are seldom used."""
    name = primitive.name
    no_out(f"np.{name}", out)
    if dtype is not None and np.dtype(dtype).kind not in "fc":
        given = {} if initial is None else {"initial": value_of(initial)}
        return function(value_of(a), axis=axis, dtype=dtype, keepdims=keepdims, where=value_of(where), **given)
    a = as_operand(a)
    if dtype is not None and a.dtype != dtype:
        a = a.astype(dtype)
    if neutral is None:
        neutral = _bound(combine, a.dtype)
        if where is not True and initial is None:
            raise ValueError(f"np.{name}: where= needs initial=, what an empty choice is to give")
    if where is not True:
        a = np.where(np.broadcast_to(value_of(where), a.shape), a, neutral)
    if initial is None:
        return primitive(a, axis=axis, keepdims=keepdims)
    if is_tensor(initial):
        return combine(primitive(a, axis=axis, keepdims=keepdims, initial=neutral), initial)
    return primitive(a, axis=axis, keepdims=keepdims, initial=initial)


def _bound(combine: Any, dtype: np.dtype[Any]) -> Any:
    """What loses against anything of a dtype."""
    lowest = combine is np.maximum
    if dtype.kind in "iu":
        return np.iinfo(dtype).min if lowest else np.iinfo(dtype).max
    return -np.inf if lowest else np.inf


# ---------------------------------------------------------------------- sum

_SUM = _reduction("sum", np.add, case((0, 2), axis=0), case((2, 3), axis=0, initial=1.5), case((2, 3), axis=()))


class _Summing(Linear):
    """x ↦ Σ x over axes. Sums are everywhere: this is made in a third of the time of a `Linear` of functions."""

    __slots__ = ("axis", "keepdims", "shape")

    add = reuse = None

    def __init__(self, axis: Axis, keepdims: bool, shape: tuple[int, ...]) -> None:
        self.axis = axis
        self.keepdims = keepdims
        self.shape = shape

    def apply(self, t: Any) -> Any:
        return np.sum(t, axis=self.axis, keepdims=self.keepdims)

    def adjoint(self, g: Any) -> Any:
        return spread_back(g, self.axis, self.keepdims, self.shape)


@RegisterGradient("sum", reads="nothing")
def _sum(op: Any) -> Any:
    """d Σ x = Σ dx"""
    return _Summing(op.attrs.get("axis"), op.attrs.get("keepdims", False), op.inputs[0].shape)


@implements(np.sum)
def _sum_of(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
            initial: Any = None, where: Any = True) -> Any:
    if dtype is None and out is None and initial is None and where is True:
        return _SUM(a, axis=axis, keepdims=keepdims)
    return _general(_SUM, np.sum, np.add, 0, a, axis, dtype, out, keepdims, initial, where)


# ---------------------------------------------------------------------- mean


def _mean_kernel(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    if a.__class__ is np.ndarray and a.dtype is _DOUBLE and a.size:
        total = reduce_axes(np.add, a, axis, keepdims)
        return total / (a.size // total.size)  # as NumPy does it, without its questions
    return np.mean(a, axis=axis, keepdims=keepdims)


_MEAN = add_primitive(Primitive("mean", _mean_kernel, cases=_CASES))


@RegisterGradient("mean", reads="nothing")
def _mean(op: Any) -> Any:
    """d mean(x) = mean(dx)"""
    (x,) = op.inputs
    axis, keepdims = op.attrs.get("axis"), op.attrs.get("keepdims", False)
    size = max(slice_size(x.shape, axis), 1)
    return Linear(lambda t: np.sum(t, axis=axis, keepdims=keepdims) / size,
                  lambda g: spread_back(g / size, axis, keepdims, x.shape))


@implements(np.mean)
def _mean_of(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: bool = False, *,
             where: Any = True) -> Any:
    if dtype is None and out is None and where is True:
        return _MEAN(a, axis=axis, keepdims=keepdims)
    no_out("np.mean", out)
    if dtype is not None and np.dtype(dtype).kind not in "fc":
        return np.mean(value_of(a), axis=axis, dtype=dtype, keepdims=keepdims, where=value_of(where))
    a = as_operand(a)
    if dtype is not None and a.dtype != dtype:
        a = a.astype(dtype)
    if where is True:
        return _MEAN(a, axis=axis, keepdims=keepdims)
    keep = np.broadcast_to(value_of(where), a.shape)
    count = np.sum(keep, axis=axis, keepdims=keepdims)
    if np.any(count == 0):
        warnings.warn("Mean of empty slice", RuntimeWarning, stacklevel=4)
    return divide_by_count(np.sum(np.where(keep, a, 0), axis=axis, keepdims=keepdims), count)


def divide_by_count(total: Any, count: Any) -> Any:
    """A total over how many it is of, in the dtype of the total, without a word about 0 / 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / np.asarray(count, value_of(total).real.dtype)[()]


# ---------------------------------------------------------------------- prod

_ZEROS = np.array([[2.0, 0.0, -1.5], [0.0, 3.0, 0.0], [1.0, -2.0, 0.5]])
_PROD = _reduction("prod", np.multiply, case((3, 2), axis=0, initial=2.0), case(_ZEROS, axis=1), case(_ZEROS),
                   case((0, 2), axis=0))


@RegisterGradient("prod")
def _prod(op: Any) -> Any:
    """d Π x = Σᵢ (Π of the others) dxᵢ, the others multiplied up to i from both ends: zeros do no harm"""
    (x,) = op.inputs
    axis, keepdims = op.attrs.get("axis"), op.attrs.get("keepdims", False)
    rows = to_rows(x, axis)
    others = from_rows(products_before(rows) * products_before(rows[..., BACKWARDS])[..., BACKWARDS], axis, x.shape)
    if "initial" in op.attrs:
        others = others * op.attrs["initial"]
    return Linear(lambda t: np.sum(times(others, t), axis=axis, keepdims=keepdims),
                  lambda g: times(conjugate(others), expand(g, axis, keepdims, x.ndim)))


def products_before(rows: Any) -> Any:
    """For every element the product of those before it in its row."""
    if rows.shape[-1] == 0:
        return rows
    ones = np.ones_like(value_of(rows[..., :1]))
    return np.concatenate([ones, np.cumprod(rows[..., :-1], axis=-1)], axis=-1)


@implements(np.prod)
def _prod_of(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
             initial: Any = None, where: Any = True) -> Any:
    if dtype is None and out is None and initial is None and where is True:
        return _PROD(a, axis=axis, keepdims=keepdims)
    return _general(_PROD, np.prod, np.multiply, 1, a, axis, dtype, out, keepdims, initial, where)


# ---------------------------------------------------------------------- max, min

_TIES = np.array([[2.0, 2.0, -1.0], [0.5, -3.0, -3.0]])
_MAX = _reduction("max", np.maximum, case((2, 3), axis=0, initial=0.7))
_MIN = _reduction("min", np.minimum, case((2, 3), axis=0, initial=0.7))


@RegisterGradient("max")
@RegisterGradient("min")
def _max(op: Any) -> Any:
    """d max(x) = the mean of dx over the elements that attain it, in each slice"""
    (x,) = op.inputs
    axis, keepdims = op.attrs.get("axis"), op.attrs.get("keepdims", False)
    extreme = expand(value_of(op.output), axis, keepdims, x.ndim)
    attained = value_of(x) == extreme
    if holds_anywhere(extreme != extreme):
        attained = attained | (np.isnan(value_of(x)) & np.isnan(extreme))
    initial = op.attrs.get("initial")
    if initial is not None or np.count_nonzero(attained) != np.size(extreme):  # else there is one in each slice
        count = np.sum(attained, axis=axis, keepdims=keepdims)
        if initial is not None:
            count = np.maximum(count + (value_of(op.output) == initial), 1)
        count = count.astype(extreme.real.dtype)
        return Linear(lambda t: np.sum(np.where(attained, t, 0), axis=axis, keepdims=keepdims) / count,
                      lambda g: np.where(attained, expand(g / count, axis, keepdims, x.ndim), 0))
    return Linear(lambda t: np.sum(np.where(attained, t, 0), axis=axis, keepdims=keepdims),
                  lambda g: np.where(attained, expand(g, axis, keepdims, x.ndim), 0))


@implements(np.max, np.amax)
def _max_of(a: Any, axis: Axis = None, out: Any = None, keepdims: bool = False, initial: Any = None,
            where: Any = True) -> Any:
    if out is None and initial is None and where is True:
        return _MAX(a, axis=axis, keepdims=keepdims)
    return _general(_MAX, np.max, np.maximum, None, a, axis, None, out, keepdims, initial, where)


@implements(np.min, np.amin)
def _min_of(a: Any, axis: Axis = None, out: Any = None, keepdims: bool = False, initial: Any = None,
            where: Any = True) -> Any:
    if out is None and initial is None and where is True:
        return _MIN(a, axis=axis, keepdims=keepdims)
    return _general(_MIN, np.min, np.minimum, None, a, axis, None, out, keepdims, initial, where)


@implements(np.ptp)
def _ptp_of(a: Any, axis: Axis = None, out: Any = None, keepdims: bool = False) -> Any:
    no_out("np.ptp", out)
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)
