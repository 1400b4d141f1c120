"""NumPy's functions that write into an argument, in terms of assignment: on a tensor that is followed by the tape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..registry import PRIMITIVES, implements, value_of
from .arguments import is_tensor


def _target(function: str, target: Any) -> Any:
    """The tensor to write into; a plain array cannot hold what is tracked."""
    if not is_tensor(target):
        raise TypeError(f"np.{function}: a tensor's values in a plain array of shape {np.shape(target)} would lose "
                        "their graph; write into a tensor, made for instance by tapead.tensor or np.zeros_like(x)")
    return target


@implements(np.copyto)
def _copyto_of(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    dst = _target("copyto", dst)
    given = np.asarray(value_of(src)).dtype
    if not np.can_cast(given, dst.dtype, casting):
        raise TypeError(f"np.copyto: cannot cast from {given} to {dst.dtype} with {casting!r}")
    if where is True:
        dst[...] = src
    else:
        dst[...] = np.where(np.broadcast_to(value_of(where), dst.shape), src, dst)


@implements(np.put)
def _put_of(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    a = _target("put", a)
    places = np.ravel(np.asarray(value_of(ind)))
    if mode == "wrap":
        places = places % a.size
    elif mode == "clip":
        places = np.clip(places, 0, a.size - 1)
    elif mode != "raise":
        raise ValueError(f"np.put: mode must be 'raise', 'wrap' or 'clip', not {mode!r}")
    _write_flat(a, places, np.resize(v, places.shape))


def _write_flat(a: Any, places: Any, values: Any) -> None:
    a[np.unravel_index(places, a.shape)] = values


@implements(np.place)
def _place_of(arr: Any, mask: Any, vals: Any) -> None:
    arr = _target("place", arr)
    mask = np.reshape(np.asarray(value_of(mask), bool), arr.shape)
    if np.any(mask):
        arr[mask] = np.resize(vals, int(np.sum(mask)))


@implements(np.putmask)
def _putmask_of(a: Any, mask: Any, values: Any) -> None:
    a = _target("putmask", a)
    mask = np.reshape(np.asarray(value_of(mask), bool), a.shape)
    a[mask] = np.resize(values, a.shape)[mask]


@implements(np.put_along_axis)
def _put_along_axis_of(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    arr, places = _target("put_along_axis", arr), np.asarray(value_of(indices))
    if axis is None:
        _write_flat(arr, places, values)
        return
    axis = normalize_axis_index(axis, arr.ndim)
    grid = [np.arange(length).reshape(-1, *(1,) * (arr.ndim - 1 - position))
            for position, length in enumerate(arr.shape)]
    grid[axis] = places
    arr[tuple(grid)] = values


@implements(np.fill_diagonal)
def _fill_diagonal_of(a: Any, val: Any, wrap: bool = False) -> None:
    a = _target("fill_diagonal", a)
    probe = np.zeros(a.shape, bool)
    np.fill_diagonal(probe, True, wrap=wrap)
    places = np.flatnonzero(probe)
    _write_flat(a, places, np.resize(val, places.shape) if np.ndim(value_of(val)) else val)


def write_at(ufunc: np.ufunc, target: Any, indices: Any, values: Any) -> None:
    """``np.add.at`` and ``np.subtract.at``: every mention of an element counts."""
    if ufunc not in (np.add, np.subtract):
        raise NotImplementedError(f"np.{ufunc.__name__}.at(x, indices, y): only add and subtract are covered; build "
                                  "the result with np.where or a loop of assignments")
    target = _target(f"{ufunc.__name__}.at", target)
    key = tuple(map(value_of, indices)) if isinstance(indices, tuple) else value_of(indices)
    key = np.asarray(key) if isinstance(key, list) else key
    shape = np.empty(target.shape, bool)[key].shape
    target[...] = ufunc(target, PRIMITIVES["scatter"](np.broadcast_to(values, shape).astype(target.dtype),
                                                      shape=target.shape, key=key))
