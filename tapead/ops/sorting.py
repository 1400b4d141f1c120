"""Sorting, and what is read off sorted values: medians and quantiles.

Where elements tie, each result belongs to the element that NumPy's order puts there.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..registry import Linear, Primitive, RegisterGradient, add_primitive, case, implements, value_of
from .arguments import as_operand, constant, no_out
from .axes import Axis, axes_of, to_rows
from .statistics import weights_like

# ---------------------------------------------------------------------- sort, partition

_SORT = add_primitive(Primitive("sort", lambda a, axis=-1, kind=None: np.sort(a, axis, kind), cases=(
    case((4,)), case((3, 2), axis=0), case((2, 3), kind="stable"), case((0, 2)))))
_PARTITION = add_primitive(Primitive("partition", lambda a, kth, axis=-1: np.partition(a, kth, axis), cases=(
    case((5,), kth=2), case((4, 2), kth=(1, -1), axis=0))))


@RegisterGradient("sort")
def _sort(op: Any) -> Any:
    """d sort(x) = dx in the order of x"""
    (x,) = op.inputs
    axis = op.attrs.get("axis", -1)
    return _reordering(np.argsort(value_of(x), axis=axis, kind=op.attrs.get("kind")), axis)


@RegisterGradient("partition")
def _partition(op: Any) -> Any:
    """d partition(x) = dx in the order of the result"""
    (x,) = op.inputs
    axis = op.attrs.get("axis", -1)
    # argpartition may order the rest otherwise than partition did: equal ranks tell which element went where.
    source = np.argsort(value_of(x), axis=axis, kind="stable")
    target = np.argsort(value_of(op.output), axis=axis, kind="stable")
    return _reordering(np.take_along_axis(source, np.argsort(target, axis=axis), axis), axis)


def _reordering(order: Any, axis: int) -> Linear:
    """The map that reads the elements of every slice in an order; its adjoint reads them in the inverse order"""
    def back(g: Any) -> Any:
        inverse = np.empty_like(order)
        np.put_along_axis(inverse, order, np.indices(order.shape, sparse=True)[axis], axis)
        return np.take_along_axis(g, inverse, axis)

    return Linear(lambda t: np.take_along_axis(t, order, axis), back)


@implements(np.sort)
def _sort_of(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: bool | None = None) -> Any:
    _refuse_fields("np.sort", order)
    if stable is not None:
        if kind is not None:
            raise ValueError("`kind` and `stable` parameters can't be provided at the same time. Use only one of them.")
        kind = "stable" if stable else None
    return _SORT(np.ravel(a), kind=kind) if axis is None else _SORT(a, axis=axis, kind=kind)


@implements(np.partition)
def _partition_of(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Any:
    _refuse_fields("np.partition", order)
    if kind != "introselect":
        raise ValueError(f"select kind must be 'introselect' (got {kind!r})")
    kth = value_of(kth)
    return _PARTITION(np.ravel(a), kth=kth) if axis is None else _PARTITION(a, kth=kth, axis=axis)


def _refuse_fields(function: str, order: Any) -> None:
    if order is not None:
        raise ValueError(f"{function}: order= names fields of a structured array, and a tensor has no fields")


@implements(np.sort_complex)
def _sort_complex_of(a: Any) -> Any:
    result = np.sort(a)
    if result.dtype.kind == "c":
        return result
    return result.astype(np.complex64 if result.dtype.char in "bhBH" else np.result_type(result.dtype, np.complex128))


# ---------------------------------------------------------------------- median
#
# ``overwrite_input=True`` allows a function to spoil its input; the ones below have no use for the permission.


@implements(np.median)
def _median_of(a: Any, axis: Axis = None, out: Any = None, overwrite_input: bool = False,
               keepdims: bool = False) -> Any:
    no_out("np.median", out)
    a = _inexact(a)
    rows = to_rows(a, axis)
    size = rows.shape[-1]
    if size == 0:
        return np.mean(a, axis=axis, keepdims=keepdims)
    order = _order(rows)
    result = _at(rows, order, size // 2)
    if size % 2 == 0:
        result = np.mean(np.stack([_at(rows, order, size // 2 - 1), result]), axis=0)
    return _in_shape(_with_nans(result, rows, order), a, axis, keepdims)


def _inexact(a: Any) -> Any:
    """An array of floating-point or complex numbers."""
    a = as_operand(a)
    return a if a.dtype.kind in "fc" else a.astype(float)


def _order(rows: Any) -> Any:
    """The places of the elements of every row in rising order, NaNs last."""
    return np.argsort(rows, axis=-1, kind="stable")


def _at(rows: Any, order: Any, rank: Any) -> Any:
    """The element of a rank in every row; `rank` may have axes in front of those of the rows."""
    grid = np.indices(rows.shape[:-1], sparse=True)
    return rows[(*grid, order[(*grid, rank)])]


def _with_nans(result: Any, rows: Any, order: Any) -> Any:
    """The result, and in the place of rows with NaNs one of these."""
    last = _at(rows, order, -1)
    nans = np.isnan(value_of(last))
    return np.where(nans, last, result) if np.any(nans) else result


def _in_shape(result: Any, a: Any, axis: Axis, keepdims: bool, leading: int = 0) -> Any:
    """A result of one element a row, after `leading` axes of its own, with the reduced axes where they are wanted."""
    if not keepdims:
        return result
    reduced = axes_of(axis, a.ndim)
    kept = tuple([1 if one in reduced else length for one, length in enumerate(a.shape)])
    return np.reshape(result, result.shape[:leading] + kept)


@implements(np.nanmedian)
def _nanmedian_of(a: Any, axis: Axis = None, out: Any = None, overwrite_input: bool = False,
                  keepdims: bool = False) -> Any:
    no_out("np.nanmedian", out)
    a = _inexact(a)
    rows = to_rows(a, axis)
    if rows.shape[-1] == 0:
        mean = np.sum if 0 in rows.shape[:-1] else np.nanmean  # which warns
        return mean(a, axis=axis, keepdims=keepdims)
    order, count = _order(rows), np.sum(~np.isnan(value_of(rows)), axis=-1)
    low, high = _at(rows, order, np.maximum(count - 1, 0) // 2), _at(rows, order, count // 2)
    return _in_shape(_where_any(0.5 * low + 0.5 * high, count), a, axis, keepdims)


def _where_any(result: Any, count: Any) -> Any:
    """The result, and NaN (with NumPy's warning) for rows of NaNs alone."""
    if not np.any(count == 0):
        return result
    warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=5)
    return np.where(count == 0, np.nan, result)


# ---------------------------------------------------------------------- quantiles

#: α and β of the methods that interpolate: the quantile q is at n q + α + q (1 - α - β) - 1 among the sorted values
#: (Hyndman and Fan 1996). All other methods jump from one value to the next.
_PLOTTING_POSITIONS = {
    "interpolated_inverted_cdf": (0.0, 1.0), "hazen": (0.5, 0.5), "weibull": (0.0, 0.0), "linear": (1.0, 1.0),
    "median_unbiased": (1 / 3.0, 1 / 3.0), "normal_unbiased": (3 / 8.0, 3 / 8.0),
}
#: Those that jump between values and means of two.
_MEANS = frozenset(["midpoint", "averaged_inverted_cdf"])


@implements(np.quantile)
def _quantile_of(a: Any, q: Any, axis: Axis = None, out: Any = None, overwrite_input: bool = False,
                 method: str = "linear", keepdims: bool = False, *, weights: Any = None) -> Any:
    return _quantile("np.quantile", a, q, axis, out, overwrite_input, method, keepdims, weights, 1)


@implements(np.percentile)
def _percentile_of(a: Any, q: Any, axis: Axis = None, out: Any = None, overwrite_input: bool = False,
                   method: str = "linear", keepdims: bool = False, *, weights: Any = None) -> Any:
    return _quantile("np.percentile", a, q, axis, out, overwrite_input, method, keepdims, weights, 100)


@implements(np.nanquantile)
def _nanquantile_of(a: Any, q: Any, axis: Axis = None, out: Any = None, overwrite_input: bool = False,
                    method: str = "linear", keepdims: bool = False, *, weights: Any = None) -> Any:
    return _quantile("np.nanquantile", a, q, axis, out, overwrite_input, method, keepdims, weights, 1)


@implements(np.nanpercentile)
def _nanpercentile_of(a: Any, q: Any, axis: Axis = None, out: Any = None, overwrite_input: bool = False,
                      method: str = "linear", keepdims: bool = False, *, weights: Any = None) -> Any:
    return _quantile("np.nanpercentile", a, q, axis, out, overwrite_input, method, keepdims, weights, 100)


def _quantile(function: str, a: Any, q: Any, axis: Axis, out: Any, overwrite_input: bool, method: Any, keepdims: bool,
              weights: Any, scale: int) -> Any:
    """All four functions: sort, find the place of each quantile, interpolate between its neighbours."""
    no_out(function, out)
    a = as_operand(a)
    if a.dtype.kind == "c":
        raise TypeError("a must be an array of real numbers")
    # A Python number leaves float32 as it is, as in NumPy.
    weak = type(q) in (int, float)
    q = as_operand(q)
    if scale != 1:
        q = q / (a.dtype.type(scale) if a.dtype.kind == "f" else scale)
    if not np.all((value_of(q) >= 0) & (value_of(q) <= 1)):
        raise ValueError(f"{function}: q must be in the range [0, {scale}]")
    if q.ndim > 2:
        raise ValueError("q must be a scalar or 1d")
    if method in _PLOTTING_POSITIONS or method in _MEANS:
        a = _inexact(a)
    if method not in _PLOTTING_POSITIONS:
        q = constant(f"{function} with method={method!r}, which jumps", "q", q)
    skips_nans = function.startswith("np.nan")
    rows = to_rows(a, axis)
    if rows.shape[-1] == 0:
        return (np.nanquantile if skips_nans else np.quantile)(value_of(a), value_of(q), axis, keepdims=keepdims)
    count = np.full((1,) * (rows.ndim - 1), rows.shape[-1])
    if skips_nans:
        count = np.sum(~np.isnan(value_of(rows)), axis=-1)
    if weights is None:
        low, high, between = _places(q, np.maximum(count, 1), method)
    else:
        low = high = _weighted_places(function, a, axis, value_of(rows), q, method, weights)
        between = None
    order = _order(rows)
    if weak and between is not None:
        between = between.astype(rows.dtype)
    result = _at(rows, order, low)
    if between is not None:
        result = _interpolated(result, _at(rows, order, high), between)
    result = _where_any(result, count) if skips_nans else _with_nans(result, rows, order)
    return _in_shape(result, a, axis, keepdims, leading=q.ndim)


def _interpolated(low: Any, high: Any, between: Any) -> Any:
    """low + between (high - low), from whichever end is nearer"""
    gap = high - low
    return np.where(value_of(between) >= 0.5, high - gap * (1 - between), low + gap * between)


def _places(q: Any, count: Any, method: Any) -> tuple[Any, Any, Any]:
    """The neighbours of each quantile among `count` sorted values and how far it is from the lower to the upper one.

    Shaped like `q` and then like `count`; the distance is None where a method takes one value as it is.
    """
    q = np.reshape(q, q.shape + (1,) * count.ndim)
    if q.dtype.kind == "f":
        count = count.astype(q.dtype)
    if method in _PLOTTING_POSITIONS:
        alpha, beta = _PLOTTING_POSITIONS[method]
        place = (count - 1) * q if method == "linear" else count * q + (alpha + q * (1 - alpha - beta)) - 1
        known = value_of(place)
        # At the last value we look back, so that the slope there is that of the last gap.
        low = np.clip(np.floor(known), 0, np.where(known > count - 1, count - 1, np.maximum(count - 2, 0)))
        low = low.astype(np.intp)
        high = np.where((known <= 0) & (known != low) | (known > count - 1), low, np.minimum(low + 1, count - 1))
        return low, high.astype(np.intp), place - low.astype(place.dtype)
    known = np.empty(np.broadcast_shapes(q.shape, count.shape))
    for size in np.unique(count):
        # NumPy's quantiles of 0, 1, 2, ... are the places themselves.
        of_size = np.quantile(np.arange(float(size)), np.ravel(q), method=method)
        np.copyto(known, np.reshape(of_size, q.shape), where=count == size)
    low = np.floor(known).astype(np.intp)
    if method in _MEANS:
        return low, np.ceil(known).astype(np.intp), known - low
    return low, low, None


def _weighted_places(function: str, a: Any, axis: Axis, rows: Any, q: Any, method: Any, weights: Any) -> Any:
    """The places, in the sorted rows, of quantiles of elements that count with weights."""
    if method != "inverted_cdf":
        raise ValueError(f"Only method 'inverted_cdf' supports weights. Got: {method}.")
    weights = weights_like(a, axis, as_operand(constant(function, "weights", weights)), function.removeprefix("np."))
    if np.any(weights < 0):
        raise ValueError("Weights must be non-negative.")
    shares = to_rows(np.broadcast_to(weights, a.shape), axis)
    if function.startswith("np.nan"):
        nans = np.isnan(rows)
        shares = np.where(np.all(nans, axis=-1, keepdims=True), 1, np.where(nans, 0, shares))
    ranks = np.argsort(np.argsort(rows, axis=-1, kind="stable"), axis=-1).astype(float)
    return np.quantile(ranks, q, axis=-1, method=method, weights=shares).astype(np.intp)
