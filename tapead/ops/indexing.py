"""Reading by index: every form that NumPy knows, its adjoint, and the functions that are indexing in other words."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..registry import Linear, Primitive, RegisterGradient, add_primitive, case, implements, value_of
from .arguments import as_operand, no_out

_ROWS = np.array([0, 1, 1])
_MASK = np.array([[True, False, True], [False, True, True]])

GETITEM = add_primitive(Primitive("getitem", lambda a, key: a[key][()], masks=True, cases=(
    case((4,), key=2), case((4,), key=slice(1, None, 2)), case((3, 2), key=(slice(None), None, 1)),
    case((4,), key=np.array([0, 0, 3])), case((2, 3), key=_MASK), case((2, 3), key=(_ROWS, np.array([2, 0, 0]))),
    case((2, 3), key=...), case((4,), key=slice(None, None, -1)), case((), key=()),
    case((2, 3), key=(..., np.array([[-1], [2]]))), case((2, 2, 3), key=(1, slice(None), _ROWS)),
    case((2, 2, 3), key=(_ROWS, slice(None), 1)), case((2, 3), key=(_MASK[:, 0], slice(1, None))),
    case((0, 2), key=slice(None)), case((3,), key=np.array([], int)), case((2,), key=(np.array(1), ...)))))

# The adjoint of reading, as a primitive of its own so that it can be differentiated again.
_SCATTER = add_primitive(Primitive("scatter", lambda g, shape, key: _scatter(g, shape, key), cases=(
    case((2,), shape=(4,), key=slice(1, None, 2)), case((3,), shape=(4,), key=np.array([0, 0, 3])),
    case((), shape=(4,), key=2), case((), shape=(), key=()), case((3, 2), shape=(2, 2), key=_ROWS),
    case((2, 3), shape=(2, 3), key=(slice(None), np.array([2, 0, 2]))))))

#: Types of the parts of a key that name no element twice and that nobody can change afterwards.
FIXED = frozenset([int, slice, type(None), type(...)])


def _scatter(g: Any, shape: tuple[int, ...], key: Any) -> Any:
    """Zeros of `shape` with `g` added at `key`, as often as an element is named there."""
    result = np.zeros(shape, g.dtype)
    add_at(result, key, g)
    return result[()]


def add_at(total: Any, key: Any, g: Any) -> None:
    """Add `g` to an array at `key`, as often as an element is named there."""
    if key.__class__ is slice:
        part = total[key]
        part += g
    elif names_each_once(key):
        total[key] += g
    elif total.ndim == 1 or 8 * g.size < total.size or not total.flags.c_contiguous:
        np.add.at(total, key, g)
    else:  # adding at flat places is several times faster, once all places have been numbered
        places = np.arange(total.size).reshape(total.shape)[key]
        np.add.at(total.reshape(-1), places.reshape(-1), np.broadcast_to(g, places.shape).reshape(-1))


def names_each_once(key: Any) -> bool:
    """Whether a key names no element twice, so that assigning will do for adding."""
    if key.__class__ in FIXED:
        return True
    parts = key if key.__class__ is tuple else (key,)
    return all(part.__class__ in FIXED or part.dtype == bool or part.ndim == 0 for part in parts)


class _Reading(Linear):
    """x ↦ x[key]. Long loops read by index: this is made in a third of the time of a `Linear` of functions."""

    __slots__ = ("key", "shape")

    reuse = None

    def __init__(self, key: Any, shape: tuple[int, ...]) -> None:
        self.key = key
        self.shape = shape

    def apply(self, t: Any) -> Any:
        return GETITEM(t, key=self.key)

    def adjoint(self, g: Any) -> Any:
        return _SCATTER(g, shape=self.shape, key=self.key)

    def add(self, total: Any, g: Any) -> None:
        add_at(total, self.key, g)


class _Placing(Linear):
    """x ↦ zeros of a shape with x at a key."""

    __slots__ = ("key", "shape")

    add = reuse = None

    def __init__(self, key: Any, shape: tuple[int, ...]) -> None:
        self.key = key
        self.shape = shape

    def apply(self, t: Any) -> Any:
        return _SCATTER(t, shape=self.shape, key=self.key)

    def adjoint(self, g: Any) -> Any:
        return GETITEM(g, key=self.key)


@RegisterGradient("getitem", reads="nothing")
def _getitem(op: Any) -> Any:
    """d x[k] = dx[k]; the adjoint adds into zeros"""
    return _Reading(op.attrs["key"], op.inputs[0].shape)


@RegisterGradient("scatter", reads="nothing")
def _scatter_rule(op: Any) -> Any:
    """The adjoint of reading is linear, and its adjoint is reading"""
    return placed(op.attrs["key"], op.attrs["shape"])


def placed(key: Any, shape: tuple[int, ...]) -> Linear:
    """The derivative of a result of `shape` in the input that it holds at `key`."""
    return _Placing(key, shape)


def settled(key: Any) -> Any:
    """A key as it can be remembered; tensors of integers or truth values inside it are used for their values."""
    if key.__class__ is tuple:
        for part in key:
            if part.__class__ not in FIXED:
                return tuple(map(settled_key, key))
        return key
    return settled_key(key)


def settled_key(part: Any) -> Any:
    """A part of a key as a number, a slice, or an array of our own: the caller may change theirs before the sweep."""
    if part.__class__ in FIXED:
        return part
    if isinstance(part, str | bytes) or (isinstance(part, np.ndarray) and part.dtype.names is not None):
        raise IndexError(f"{part!r} is no index: only integers, slices, ..., None, and arrays of integers or truth "
                         "values are")
    if isinstance(part, (list, tuple)):
        part = _values(part)
        return np.array(part, dtype=np.intp if not np.size(part) else None)
    return np.array(value_of(part))[()]


def _values(nested: Any) -> Any:
    return list(map(_values, nested)) if isinstance(nested, (list, tuple)) else value_of(nested)


# ---------------------------------------------------------------------- functions that read


def along(axis: int, part: Any) -> Any:
    """The key that reads `part` of one axis, counted from the front, and all of the others."""
    return part if axis == 0 else (*(slice(None),) * axis, part)


@implements(np.take)
def _take_of(a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Any:
    no_out("np.take", out)
    a = as_operand(a)
    if axis is None:
        a, axis = np.ravel(a), 0
    elif a.ndim == 0:
        a = np.ravel(a)
    axis = normalize_axis_index(axis, a.ndim)
    length = a.shape[axis]
    places = np.asarray(_values(indices)).astype(np.intp, casting="same_kind")
    if length == 0 and places.size:
        raise IndexError("np.take: cannot do a non-empty take from an empty axis")
    if mode == "wrap":
        places = places % max(length, 1)
    elif mode == "clip":
        places = np.clip(places, 0, max(length - 1, 0))
    elif mode != "raise":
        raise ValueError(f"np.take: mode must be 'raise', 'wrap' or 'clip', not {mode!r}")
    return a[along(axis, places)]


@implements(np.take_along_axis)
def _take_along_axis_of(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    arr, places = as_operand(arr), np.asarray(value_of(indices))
    if axis is None:
        if places.ndim != 1:
            raise ValueError("np.take_along_axis: when axis=None, indices must have a single dimension")
        return np.ravel(arr)[places]
    axis = normalize_axis_index(axis, arr.ndim)
    if places.dtype.kind not in "iu":
        raise IndexError("np.take_along_axis: indices must be an integer array")
    if places.ndim != arr.ndim:
        raise ValueError("np.take_along_axis: indices and arr must have the same number of dimensions")
    grid = [np.arange(length).reshape(-1, *(1,) * (arr.ndim - 1 - position))
            for position, length in enumerate(arr.shape)]
    grid[axis] = places
    return arr[tuple(grid)]


@implements(np.compress)
def _compress_of(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Any:
    no_out("np.compress", out)
    keep = np.asarray(_values(condition), bool)
    if keep.ndim != 1:
        raise ValueError("np.compress: condition must be a 1-d array")
    a = as_operand(a)
    if axis is None or a.ndim == 0:
        a, axis = np.ravel(a), 0 if axis is None else axis
    axis = normalize_axis_index(axis, a.ndim)
    kept = np.zeros(a.shape[axis], bool)
    kept[np.flatnonzero(keep)] = True
    return a[along(axis, kept)]


@implements(np.extract)
def _extract_of(condition: Any, arr: Any) -> Any:
    return np.compress(np.ravel(value_of(condition)), arr)


@implements(np.choose)
def _choose_of(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    no_out("np.choose", out)
    number = np.asarray(value_of(a))
    if number.dtype.kind not in "iub":
        raise TypeError(f"np.choose: the first argument chooses and must be integer, not {number.dtype}")
    choices = [as_operand(choice) for choice in choices]
    if mode == "wrap":
        number = number % len(choices)
    elif mode == "clip":
        number = np.clip(number, 0, len(choices) - 1)
    elif mode != "raise":
        raise ValueError(f"np.choose: mode must be 'raise', 'wrap' or 'clip', not {mode!r}")
    elif np.any((number < 0) | (number >= len(choices))):
        raise ValueError("np.choose: invalid entry in choice array")
    result = choices[0]
    for position, choice in enumerate(choices[1:], 1):
        result = np.where(number == position, choice, result)
    return np.broadcast_to(result, np.broadcast_shapes(number.shape, result.shape))


@implements(np.lib.stride_tricks.sliding_window_view)
def _sliding_window_view_of(x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False,
                            writeable: bool = False) -> Any:
    if writeable:
        raise NotImplementedError("sliding_window_view: on a tensor the windows are copies; leave writeable=False")
    windows = tuple(window_shape) if np.iterable(window_shape) else (window_shape,)
    if axis is None and len(windows) != x.ndim:
        raise ValueError(f"sliding_window_view: without axis= there must be a window length for each of {x.ndim} axes, "
                         f"not {windows}")
    axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim, allow_duplicate=True)
    for window, position in zip(windows, axes, strict=True):
        starts = x.shape[position] - window + 1
        if window < 0 or starts < 1:
            raise ValueError(f"sliding_window_view: a window of length {window} does not fit into an axis of length "
                             f"{x.shape[position]}")
        read = x[along(position, np.arange(starts)[:, None] + np.arange(window))]
        x = np.moveaxis(read, position + 1, -1)
    return x
