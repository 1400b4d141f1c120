"""Counting into bins: differentiable in the weights. The counts themselves are constant between the edges."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..registry import PRIMITIVES, implements, value_of
from . import indexing as _indexing  # noqa: F401 -- has the adjoint of reading
from .arguments import as_operand, constant, is_tensor


@implements(np.bincount)
def _bincount_of(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    places = np.asarray(value_of(x))
    if not is_tensor(weights):
        return np.bincount(places, weights, minlength)
    places = places.copy()  # the caller may change his before the sweep
    size = len(np.bincount(places, value_of(weights), minlength))  # which also checks the arguments
    return PRIMITIVES["scatter"](weights.astype(float), shape=(size,), key=places)


def _values(function: str, a: Any, bins: Any, limits: Any) -> Any:
    """The plain values to count; where the edges are laid by the data, these must not be tracked."""
    if limits is None and np.ndim(value_of(bins)) == 0:
        a = constant(f"{function} without range=, where the edges of the bins follow the data", "a", a)
    return value_of(a)


@implements(np.histogram)
def _histogram_of(a: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None) -> Any:
    values = np.ravel(_values("np.histogram", a, bins, range))
    bins, range = _plain("np.histogram", bins, range)
    if not is_tensor(weights):
        return np.histogram(values, bins, range, density, weights)
    edges = np.histogram(values, bins, range, weights=np.ravel(value_of(weights)))[1]
    place = _bins(values, edges) - 1
    inside = np.flatnonzero((place >= 0) & (place < len(edges) - 1))
    counts = PRIMITIVES["scatter"](np.reshape(weights, (-1,))[inside], shape=(len(edges) - 1,), key=place[inside])
    if density:
        return counts / np.diff(edges) / np.sum(counts), edges
    return counts, edges


def _plain(function: str, bins: Any, limits: Any) -> tuple[Any, Any]:
    """The edges and their range, which are constants."""
    return _constants(function, "bins", bins), _constants(function, "range", limits)


def _constants(function: str, argument: str, value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_constants(function, argument, one) for one in value]
    return constant(function, argument, value)


def _bins(values: Any, edges: Any) -> Any:
    """The number of the bin of each value, counted from 1; the last edge belongs to the last bin."""
    place = np.searchsorted(edges, values, side="right")
    place[values == edges[-1]] -= 1
    return place


@implements(np.histogramdd)
def _histogramdd_of(sample: Any, bins: Any = 10, range: Any = None, density: bool | None = None,
                    weights: Any = None) -> Any:
    columns = _columns(sample)
    counted = np.stack([_values("np.histogramdd", column, one, limits) for column, one, limits in zip(
        columns, _per_axis(bins, len(columns)), _per_axis(range, len(columns)), strict=True)], axis=1)
    bins, range = _plain("np.histogramdd", bins, range)
    if not is_tensor(weights):
        return np.histogramdd(counted, bins, range, density, weights)
    edges = np.histogramdd(counted, bins, range, weights=value_of(weights))[1]
    places = [_bins(counted[:, axis], edge) - 1 for axis, edge in enumerate(edges)]
    shape = tuple([len(edge) - 1 for edge in edges])
    inside = np.flatnonzero(np.all([(place >= 0) & (place < size) for place, size in zip(places, shape, strict=True)],
                                   axis=0))
    counts = PRIMITIVES["scatter"](weights.astype(float)[inside], shape=shape,
                                   key=tuple([place[inside] for place in places]))
    if density:
        total = np.sum(counts)
        for axis, edge in enumerate(edges):
            counts = counts / np.reshape(np.diff(edge), (-1,) + (1,) * (len(edges) - 1 - axis))
        counts = counts / total
    return counts, edges


def _columns(sample: Any) -> list[Any]:
    """The coordinates of the points: a sample is an array of points, or a sequence of coordinates."""
    if is_tensor(sample) or isinstance(sample, np.ndarray):
        rows = np.reshape(sample, (-1, 1)) if sample.ndim == 1 else sample
        if rows.ndim != 2:
            raise ValueError(f"np.histogramdd: the sample must have one or two axes, not {rows.ndim}")
        return [rows[:, axis] for axis in np.arange(rows.shape[1]).tolist()]
    return [as_operand(column) for column in sample]


def _per_axis(option: Any, count: int) -> list[Any]:
    """What holds for each axis of an option that may be given once for all."""
    if isinstance(option, (list, tuple)) or (is_tensor(option) and np.ndim(option)) or isinstance(option, np.ndarray):
        if len(option) != count:
            raise ValueError(f"np.histogramdd: {len(option)} bins or ranges for {count} axes")
        return list(option)
    return [option] * count


@implements(np.histogram2d)
def _histogram2d_of(x: Any, y: Any, bins: Any = 10, range: Any = None, density: bool | None = None,
                    weights: Any = None) -> Any:
    x, y = as_operand(x), as_operand(y)
    if x.shape[0] != y.shape[0]:
        raise ValueError("x and y must have the same length.")
    if np.ndim(value_of(bins)) == 1 and len(bins) not in (1, 2):  # the edges of both
        bins = [bins, bins]
    counts, edges = np.histogramdd([x, y], bins, range, density, weights if weights is None else as_operand(weights))
    return counts, edges[0], edges[1]
