"""Putting arrays together and taking them apart: concatenate, stack, insert, delete, split, apply."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..registry import PRIMITIVES, Primitive, RegisterGradient, add_primitive, case, implements, value_of
from .arguments import as_operand, no_out
from .indexing import along, placed

# ---------------------------------------------------------------------- concatenate and stack

add_primitive(Primitive("concatenate", lambda *arrays, axis=0: np.concatenate(arrays, axis), cases=(
    case((2,), (3,)), case((2, 3), (2, 1), (2, 0), axis=-1), case((1, 2), (2, 2)), case((2,)))))
add_primitive(Primitive("stack", lambda *arrays, axis=0: np.stack(arrays, axis), cases=(
    case((2,), (2,)), case((2, 3), (2, 3), (2, 3), axis=-1), case((), (), ()), case((2, 2), (2, 2), axis=1))))


@RegisterGradient("concatenate", reads="nothing")
def _concatenate(op: Any) -> Any:
    """d concatenate(x₁, …, xₙ) puts each dxᵢ in its place"""
    shape = op.output.shape
    axis = op.attrs.get("axis", 0) % len(shape)
    entries, start = [], 0
    for part in op.inputs:
        stop = start + part.shape[axis]
        entries.append(placed(along(axis, slice(start, stop)), shape))
        start = stop
    return tuple(entries)


@RegisterGradient("stack", reads="nothing")
def _stack(op: Any) -> Any:
    """d stack(x₁, …, xₙ) puts each dxᵢ in its slice"""
    shape = op.output.shape
    axis = op.attrs.get("axis", 0) % len(shape)
    return tuple([placed(along(axis, position), shape) for position in range(len(op.inputs))])


def _cast(arrays: Sequence[Any], dtype: Any, casting: Any) -> Sequence[Any]:
    """The arrays in the type to be joined in, as far as ``dtype=`` and ``casting=`` ask for anything."""
    if dtype is None and casting == "same_kind":
        return arrays
    values = [value_of(array) for array in arrays]
    dtype = np.dtype(dtype) if dtype is not None else np.result_type(*values)
    if not all(np.can_cast(np.asarray(value).dtype, dtype, casting) for value in values):
        raise TypeError(f"cannot join arrays of dtype {', '.join(str(np.asarray(value).dtype) for value in values)} as "
                        f"{dtype} by the rule {casting!r}")
    return [as_operand(array).astype(dtype) for array in arrays]


@implements(np.concatenate)
def _concatenate_of(arrays: Any, /, axis: int | None = 0, out: Any = None, *, dtype: Any = None,
                    casting: Any = "same_kind") -> Any:
    no_out("np.concatenate", out)
    arrays = _cast(tuple(arrays), dtype, casting)
    if axis is None:
        return np.concatenate([np.ravel(array) for array in arrays])
    return PRIMITIVES["concatenate"](*arrays, axis=axis)


@implements(np.stack)
def _stack_of(arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    no_out("np.stack", out)
    return PRIMITIVES["stack"](*_cast(tuple(arrays), dtype, casting), axis=axis)


@implements(np.hstack)
def _hstack_of(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    arrays = [np.atleast_1d(array) for array in tup]
    return np.concatenate(arrays, 0 if arrays and arrays[0].ndim == 1 else 1, dtype=dtype, casting=casting)


@implements(np.vstack)
def _vstack_of(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    return np.concatenate([np.atleast_2d(array) for array in tup], 0, dtype=dtype, casting=casting)


@implements(np.dstack)
def _dstack_of(tup: Any) -> Any:
    return np.concatenate([np.atleast_3d(array) for array in tup], 2)


@implements(np.column_stack)
def _column_stack_of(tup: Any) -> Any:
    columns = [as_operand(array) for array in tup]
    return np.concatenate([column if column.ndim > 1 else np.reshape(column, (-1, 1)) for column in columns], 1)


@implements(np.block)
def _block_of(arrays: Any) -> Any:
    depth = _depth(arrays)
    return _joined(arrays, depth, max(depth, _most_axes(arrays)))


def _depth(arrays: Any) -> int:
    if isinstance(arrays, tuple):
        raise TypeError("np.block: only lists may be nested, not tuples")
    if not isinstance(arrays, list):
        return 0
    if not arrays:
        raise ValueError("np.block: a list is empty")
    depths = set(map(_depth, arrays))
    if len(depths) > 1:
        raise ValueError(f"np.block: lists are nested to different depths, {sorted(depths)}")
    return 1 + depths.pop()


def _most_axes(arrays: Any) -> int:
    return max(map(_most_axes, arrays)) if isinstance(arrays, list) else np.ndim(arrays)


def _joined(arrays: Any, depth: int, ndim: int) -> Any:
    """Nested lists of `depth` levels, the innermost joined along the last axis, the next along the one before, ..."""
    if depth:
        return np.concatenate([_joined(part, depth - 1, ndim) for part in arrays], axis=-depth)
    array = as_operand(arrays)
    return array if array.ndim == ndim else np.reshape(array, (1,) * (ndim - array.ndim) + array.shape)


# ---------------------------------------------------------------------- append, insert, delete


@implements(np.append)
def _append_of(arr: Any, values: Any, axis: int | None = None) -> Any:
    return np.concatenate([as_operand(arr), as_operand(values)], axis)


def _flat_if_no_axis(arr: Any, axis: int | None) -> tuple[Any, int]:
    arr = as_operand(arr)
    return (np.ravel(arr), 0) if axis is None else (arr, normalize_axis_index(axis, arr.ndim))


@implements(np.insert)
def _insert_of(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    arr, axis = _flat_if_no_axis(arr, axis)
    length = arr.shape[axis]
    places = value_of(obj) if not isinstance(obj, slice) else np.arange(*obj.indices(length))
    places = places if isinstance(places, np.ndarray) else np.array(places, None if np.size(places) else np.intp)
    if places.dtype == bool:
        places = np.flatnonzero(places)
    added = as_operand(values).astype(arr.dtype)
    if added.ndim < arr.ndim:
        added = np.reshape(added, (1,) * (arr.ndim - added.ndim) + added.shape)
    if places.ndim == 0:
        added = np.moveaxis(added, 0, axis)
    count = added.shape[axis] if places.size == 1 else places.size
    added = np.broadcast_to(added, (*arr.shape[:axis], count, *arr.shape[axis + 1:]))
    # NumPy decides where everything goes: it inserts the numbers of the new places among those of the old.
    order = np.insert(np.arange(length), places, np.arange(length, length + count))
    return np.concatenate([arr, added], axis)[along(axis, order)]


@implements(np.delete)
def _delete_of(arr: Any, obj: Any, axis: int | None = None) -> Any:
    arr, axis = _flat_if_no_axis(arr, axis)
    kept = np.zeros(arr.shape[axis], bool)
    kept[np.delete(np.arange(arr.shape[axis]), value_of(obj))] = True
    return arr[along(axis, kept)]


# ---------------------------------------------------------------------- split


@implements(np.array_split)
def _array_split_of(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    ary = as_operand(ary)
    axis = normalize_axis_index(axis, ary.ndim)
    length = ary.shape[axis]
    cuts = value_of(indices_or_sections)
    if np.ndim(cuts) == 0:
        sections = int(cuts)
        if sections <= 0:
            raise ValueError("number sections must be larger than 0.")
        each, more = divmod(length, sections)
        cuts = [position * each + min(position, more) for position in range(1, sections)]
    cuts = [operator.index(cut) for cut in cuts]
    return [ary[along(axis, slice(start, stop))] for start, stop in zip([0, *cuts], [*cuts, length], strict=True)]


@implements(np.split)
def _split_of(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    sections = value_of(indices_or_sections)
    if np.ndim(sections) == 0 and int(sections) > 0 and ary.shape[axis] % int(sections):
        raise ValueError("array split does not result in an equal division")
    return np.array_split(ary, sections, axis)


def _splitter(function: Callable[..., Any], least: int, axis: int) -> Callable[..., list[Any]]:
    def split(ary: Any, indices_or_sections: Any) -> list[Any]:
        if ary.ndim < least:
            raise ValueError(f"{function.__name__} only works on arrays of {least} or more dimensions")
        return np.split(ary, indices_or_sections, min(axis, ary.ndim - 1))

    return split


for _function, _least, _axis in [(np.hsplit, 1, 1), (np.vsplit, 2, 0), (np.dsplit, 3, 2)]:
    implements(_function)(_splitter(_function, _least, _axis))

if hasattr(np, "unstack"):  # since NumPy 2.1
    @implements(np.unstack)
    def _unstack_of(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
        if x.ndim == 0:
            raise ValueError("Input array must be at least 1-d.")
        axis = normalize_axis_index(axis, x.ndim)
        return tuple([x[along(axis, position)] for position in range(x.shape[axis])])


# ---------------------------------------------------------------------- functions of slices, put together


@implements(np.apply_along_axis)
def _apply_along_axis_of(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    arr = as_operand(arr)
    axis = normalize_axis_index(axis, arr.ndim)
    rows = np.moveaxis(arr, axis, -1)
    outer = rows.shape[:-1]
    if 0 in outer:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    results = np.stack([as_operand(func1d(rows[place], *args, **kwargs)) for place in np.ndindex(outer)])
    inner = results.shape[1:]
    results = np.reshape(results, outer + inner)
    return np.moveaxis(results, range(len(outer), results.ndim), range(axis, axis + len(inner)))


@implements(np.apply_over_axes)
def _apply_over_axes_of(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    result = as_operand(a)
    ndim = result.ndim
    for axis in np.ravel(value_of(axes)).tolist():
        axis = axis + ndim if axis < 0 else axis
        reduced = func(result, axis)
        if reduced.ndim == ndim - 1:
            reduced = np.expand_dims(reduced, axis)
        if reduced.ndim != ndim:
            raise ValueError("function is not returning an array of the correct shape")
        result = reduced
    return result
