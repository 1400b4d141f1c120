"""Points between two ends: linspace, logspace, geomspace."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..registry import implements, value_of
from .arguments import as_operand


@implements(np.linspace)
def _linspace_of(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None,
                 axis: int = 0, *, device: Any = None) -> Any:
    count = operator.index(num)
    if count < 0:
        raise ValueError(f"Number of samples, {count}, must be non-negative.")
    kind = np.result_type(value_of(start), value_of(stop), 1.0)
    start, stop = as_operand(start).astype(kind), as_operand(stop).astype(kind)
    intervals = count - 1 if endpoint else count
    difference = stop - start
    numbers = np.arange(count, dtype=kind).reshape(-1, *(1,) * difference.ndim)
    step = difference / intervals if intervals > 0 else np.nan
    if intervals > 0 and np.any(value_of(step) == 0):
        points = numbers / intervals * difference + start  # where the step underflows, the difference may not
    else:
        points = numbers * (step if intervals > 0 else difference) + start
    if endpoint and count > 1:
        points = _with_last(points, stop)
    if axis:
        points = np.moveaxis(points, 0, axis)
    if dtype is not None:
        points = (np.floor(points) if np.issubdtype(dtype, np.integer) else points).astype(dtype)
    return (points, step) if retstep else points


def _with_last(points: Any, last: Any) -> Any:
    last = np.broadcast_to(last, points.shape[1:])
    return np.concatenate([points[:-1], np.expand_dims(last, 0)])


@implements(np.logspace)
def _logspace_of(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None,
                 axis: int = 0) -> Any:
    if np.ndim(base):
        start, stop, base = np.broadcast_arrays(start, stop, base)
        base = np.expand_dims(base, axis)
    points = base ** np.linspace(start, stop, num, endpoint, axis=axis)
    return points if dtype is None else points.astype(dtype)


@implements(np.geomspace)
def _geomspace_of(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    if np.any(value_of(start) == 0) or np.any(value_of(stop) == 0):
        raise ValueError("Geometric sequence cannot include zero")
    kind = np.result_type(value_of(start), value_of(stop), np.zeros((), dtype))
    start, stop = as_operand(start).astype(kind), as_operand(stop).astype(kind)
    # Between complex ends it runs along a spiral, which turns with the first of them.
    sign = start / np.abs(start) if kind.kind == "c" else np.sign(value_of(start))
    start, stop = start / sign, stop / sign
    points = np.logspace(np.log10(start), np.log10(stop), num, endpoint)
    if len(points) > 1 and endpoint:
        points = _with_last(points, stop)
    if len(points):
        first = np.broadcast_to(start, points.shape[1:])
        points = np.concatenate([np.expand_dims(first, 0), points[1:]])
    points = points * sign
    if axis:
        points = np.moveaxis(points, 0, axis)
    return points if dtype is None else points.astype(dtype)
