"""Arrays made longer by their own elements: pad, tile, repeat, resize; and shorter: trim_zeros."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..registry import implements, value_of
from .arguments import as_operand, is_tensor
from .indexing import along

# ---------------------------------------------------------------------- pad

Pair = tuple[Any, Any]
#: Adds to one axis: ``extend(array, axis, widths before and after, the mode's option before and after)``.
Extend = Callable[[Any, int, tuple[int, int], Pair], Any]


@implements(np.pad)
def _pad_of(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    if callable(mode):
        return _padded_by(mode, array, pad_width, options)
    if mode == "empty":
        raise NotImplementedError("np.pad: mode='empty' leaves values undefined, and so their derivatives; use "
                                  "mode='constant'")
    if mode not in _MODES:
        raise ValueError(f"np.pad: mode {mode!r} is not supported; the modes are {', '.join(_MODES)}")
    extend, option, default = _MODES[mode]
    unknown = set(options) - {option}
    if unknown:
        raise ValueError(f"np.pad: unsupported keyword arguments for mode {mode!r}: {sorted(unknown)}")
    widths = _widths(pad_width, array.ndim)
    choices = _pairs(options.get(option, default), array.ndim)
    # Axis by axis, each over what those before it have added: so NumPy fills the corners.
    for axis, (width, choice) in enumerate(zip(widths, choices, strict=True)):
        if width != (0, 0):
            if array.shape[axis] == 0 and mode != "constant":
                raise ValueError(f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'")
            array = extend(array, axis, width, choice)
    return array if widths != [(0, 0)] * array.ndim else np.copy(array)


def _padded_by(function: Callable[..., Any], array: Any, pad_width: Any, options: dict[str, Any]) -> Any:
    """An array padded by a function that writes into vectors with zeros at their ends."""
    widths = _widths(pad_width, array.ndim)
    padded = np.pad(array, widths)
    for axis, width in enumerate(widths):
        rows = np.moveaxis(padded, axis, -1)
        for place in np.ndindex(rows.shape[:-1]):
            function(rows[place], width, axis, options)
    return padded


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    pad_width = value_of(pad_width)
    if isinstance(pad_width, dict):
        by_axis: list[Any] = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            by_axis[normalize_axis_index(axis, ndim)] = (width, width) if np.ndim(width) == 0 else width
        pad_width = by_axis
    widths = np.asarray(pad_width)
    if widths.dtype.kind not in "iu":
        raise TypeError("np.pad: pad_width must be of integral type")
    if widths.size and widths.min() < 0:
        raise ValueError("np.pad: pad_width can't contain negative values")
    return list(map(tuple, np.broadcast_to(widths, (ndim, 2)).tolist()))


def _pairs(values: Any, ndim: int) -> list[Pair]:
    """An option's values before and after each axis, from any of the forms that NumPy takes."""
    if values is None or isinstance(values, str):
        return [(values, values)] * ndim
    table = np.broadcast_to(_table(values), (ndim, 2))
    return [(table[axis, 0], table[axis, 1]) for axis in range(ndim)]


def _table(values: Any) -> Any:
    """Nested tuples of numbers and tensors as one array, tracked where they are."""
    if isinstance(values, (list, tuple)):
        parts = list(map(_table, values))
        if any(map(is_tensor, parts)):
            return np.stack(np.broadcast_arrays(*parts))
    return as_operand(values)


def _between(before: Any, array: Any, after: Any, axis: int, width: tuple[int, int]) -> Any:
    """`array` between two others, each left out where its width is zero."""
    parts = [before] * (width[0] > 0) + [array] + [after] * (width[1] > 0)
    return np.concatenate([part.astype(array.dtype) for part in parts] if len(parts) > 1 else parts, axis)


def _stretched(value: Any, array: Any, axis: int, width: int) -> Any:
    return np.broadcast_to(value, (*array.shape[:axis], width, *array.shape[axis + 1:]))


def _with_constants(array: Any, axis: int, width: tuple[int, int], values: Pair) -> Any:
    return _between(_stretched(values[0], array, axis, width[0]), array, _stretched(values[1], array, axis, width[1]),
                    axis, width)


def _with_ramps(array: Any, axis: int, width: tuple[int, int], ends: Pair) -> Any:
    column = (-1,) + (1,) * (array.ndim - 1 - axis)

    def ramp(edge: Any, end: Any, steps: int) -> Any:
        return np.arange(steps).reshape(column) * ((edge - end) / max(steps, 1)) + end

    first, last = array[along(axis, slice(0, 1))], array[along(axis, slice(-1, None))]
    return _between(ramp(first, ends[0], width[0]), array, np.flip(ramp(last, ends[1], width[1]), axis), axis, width)


def _with_statistic(function: Callable[..., Any]) -> Extend:
    def extend(array: Any, axis: int, width: tuple[int, int], lengths: Pair) -> Any:
        longest = array.shape[axis]
        counts = [longest if length is None else min(int(length), longest) for length in lengths]
        if min(counts) < 0:
            raise ValueError("np.pad: stat_length can't contain negative values")
        if min(counts) == 0 and function in (np.max, np.min):
            raise ValueError("np.pad: stat_length of 0 yields no value for padding")
        before = function(array[along(axis, slice(0, counts[0]))], axis=axis, keepdims=True)
        after = function(array[along(axis, slice(longest - counts[1], None))], axis=axis, keepdims=True)
        return _with_constants(array, axis, width, (before, after))

    return extend


def _with_own_elements(mode: Any) -> Extend:
    def extend(array: Any, axis: int, width: tuple[int, int], reflect_type: Pair) -> Any:
        places = np.pad(np.arange(array.shape[axis]), width, mode=mode)
        extended = array[along(axis, places)]
        if reflect_type[0] == "odd" and array.shape[axis] > 1:
            return _reflected_oddly(extended, array, axis, width, mode, places)
        if reflect_type[0] not in ("even", "odd"):
            raise ValueError(f"np.pad: reflect_type must be 'even' or 'odd', not {reflect_type[0]!r}")
        return extended

    return extend


def _reflected_oddly(extended: Any, array: Any, axis: int, width: tuple[int, int], mode: Any, places: Any) -> Any:
    """Each element outside is plus or minus its mirror image plus multiples of the two at the edges.

    NumPy reflects unit vectors to tell which multiples; as constants are reflected to constants, all sum to 1.
    """
    last = array.shape[axis] - 1
    column = (-1,) + (1,) * (array.ndim - 1 - axis)
    of_first, of_last = (np.pad((np.arange(last + 1) == edge).astype(int), width, mode=mode, reflect_type="odd")
                         .reshape(column) for edge in (0, last))
    inner = ((places != 0) & (places != last)).reshape(column)
    mirrored = np.where(inner, (1 - of_first - of_last) * extended, 0)
    outside = (mirrored + of_first * array[along(axis, slice(0, 1))] + of_last * array[along(axis, slice(last, None))])
    before, after = slice(0, width[0]), slice(width[0] + last + 1, None)
    return _between(outside[along(axis, before)], array, outside[along(axis, after)], axis, width)


#: By mode: what extends an axis, and the name and default of the mode's option.
_MODES: dict[str, tuple[Extend, str, Any]] = {
    "constant": (_with_constants, "constant_values", 0),
    "edge": (_with_own_elements("edge"), "", "even"),
    "linear_ramp": (_with_ramps, "end_values", 0),
    "maximum": (_with_statistic(np.max), "stat_length", None),
    "mean": (_with_statistic(np.mean), "stat_length", None),
    "median": (_with_statistic(np.median), "stat_length", None),
    "minimum": (_with_statistic(np.min), "stat_length", None),
    "reflect": (_with_own_elements("reflect"), "reflect_type", "even"),
    "symmetric": (_with_own_elements("symmetric"), "reflect_type", "even"),
    "wrap": (_with_own_elements("wrap"), "", "even"),
}

# ---------------------------------------------------------------------- tile, repeat, resize, trim_zeros


@implements(np.tile)
def _tile_of(A: Any, reps: Any) -> Any:  # noqa: N803 -- NumPy's name
    A = as_operand(A)
    times = [operator.index(count) for count in np.ravel(value_of(reps)).tolist()]
    ndim = max(A.ndim, len(times))
    times = [1] * (ndim - len(times)) + times
    lengths = (1,) * (ndim - A.ndim) + A.shape
    if times == [1] * ndim:
        return np.copy(np.reshape(A, lengths))
    between = np.reshape(A, [size for length in lengths for size in (1, length)])
    repeated = np.broadcast_to(between, [size for pair in zip(times, lengths, strict=True) for size in pair])
    return np.reshape(repeated, [count * length for count, length in zip(times, lengths, strict=True)])


@implements(np.repeat)
def _repeat_of(a: Any, repeats: Any, axis: int | None = None) -> Any:
    if axis is None or a.ndim == 0:
        a, axis = np.ravel(a), 0 if axis is None else axis
    axis = normalize_axis_index(axis, a.ndim)
    counts = np.asarray(value_of(repeats))
    length = a.shape[axis]
    if counts.size != 1 or counts.dtype.kind not in "iu" or counts.min() < 0:
        return a[along(axis, np.repeat(np.arange(length), counts))]
    count = int(counts.reshape(())[()])
    before, after = a.shape[:axis], a.shape[axis + 1:]
    spread = np.broadcast_to(np.reshape(a, (*before, length, 1, *after)), (*before, length, count, *after))
    return np.reshape(spread, (*before, length * count, *after))


@implements(np.resize)
def _resize_of(a: Any, new_shape: Any) -> Any:
    places = np.resize(np.arange(a.size), value_of(new_shape))
    return np.ravel(a)[places] if a.size else np.zeros(places.shape, a.dtype)


@implements(np.trim_zeros)
def _trim_zeros_of(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    if trim.lower() not in ("fb", "bf", "f", "b"):
        raise ValueError(f"unexpected character(s) in `trim`: {trim!r}")
    axes = range(filt.ndim) if axis is None else normalize_axis_tuple(axis, filt.ndim, argname="axis")
    places = np.argwhere(value_of(filt))
    if not places.size:
        return filt[tuple([slice(0, 0) if position in axes else slice(None) for position in range(filt.ndim)])]
    starts = places.min(axis=0).tolist() if "f" in trim.lower() else [None] * filt.ndim
    stops = (places.max(axis=0) + 1).tolist() if "b" in trim.lower() else [None] * filt.ndim
    return filt[tuple([slice(starts[position], stops[position]) if position in axes else slice(None)
                       for position in range(filt.ndim)])]
