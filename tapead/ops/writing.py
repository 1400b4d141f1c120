"""NumPy's functions that write into an argument, in terms of assignment: on a tensor that is followed by the tape."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..registry import PRIMITIVES, implements, value_of
from .arguments import is_tensor
from .indexing import settled_key


def _writes(function: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare what a function means that writes into its first argument; into a plain array go plain values only."""
    def register(write: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(write)

        def handler(*args: Any, **kwargs: Any) -> None:
            target, *others = signature.bind(*args, **kwargs).arguments.values()
            if is_tensor(target):
                write(*args, **kwargs)
                return
            if any(getattr(other, "requires_grad", False) for other in others):
                raise _plain_target(function.__name__, target)
            function(*map(value_of, args), **{name: value_of(value) for name, value in kwargs.items()})

        implements(function)(handler)
        return write

    return register


def _plain_target(function: str, target: Any) -> TypeError:
    """The error for tracked values in a plain array, which cannot hold them."""
    return TypeError(f"np.{function}: a tensor's values in a plain array of shape {np.shape(target)} would lose their "
                     "graph; write into a tensor, made for instance by tapead.tensor or np.zeros_like(x)")


@_writes(np.copyto)
def _copyto_of(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    given = np.asarray(value_of(src)).dtype
    if not np.can_cast(given, dst.dtype, casting):
        raise TypeError(f"np.copyto: cannot cast from {given} to {dst.dtype} with {casting!r}")
    if where is True:
        dst[...] = src
    else:
        dst[...] = np.where(np.broadcast_to(value_of(where), dst.shape), src, dst)


@_writes(np.put)
def _put_of(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
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


@_writes(np.place)
def _place_of(arr: Any, mask: Any, vals: Any) -> None:
    mask = np.reshape(np.asarray(value_of(mask), bool), arr.shape)
    if np.any(mask):
        arr[mask] = np.resize(vals, int(np.sum(mask)))


@_writes(np.putmask)
def _putmask_of(a: Any, mask: Any, values: Any) -> None:
    mask = np.reshape(np.asarray(value_of(mask), bool), a.shape)
    a[mask] = np.resize(values, a.shape)[mask]


@_writes(np.put_along_axis)
def _put_along_axis_of(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    places = np.asarray(value_of(indices))
    if axis is None:
        _write_flat(arr, places, values)
        return
    axis = normalize_axis_index(axis, arr.ndim)
    grid = [np.arange(length).reshape(-1, *(1,) * (arr.ndim - 1 - position))
            for position, length in enumerate(arr.shape)]
    grid[axis] = places
    arr[tuple(grid)] = values


@_writes(np.fill_diagonal)
def _fill_diagonal_of(a: Any, val: Any, wrap: bool = False) -> None:
    probe = np.zeros(a.shape, bool)
    np.fill_diagonal(probe, True, wrap=wrap)
    places = np.flatnonzero(probe)
    _write_flat(a, places, np.resize(val, places.shape) if np.ndim(value_of(val)) else val)


def write_at(ufunc: np.ufunc, target: Any, indices: Any, *values: Any) -> None:
    """``ufunc.at(target, indices, values)``: what is named twice is changed twice, one time after the other."""
    if not is_tensor(target):
        if any(getattr(value, "requires_grad", False) for value in values):
            raise _plain_target(f"{ufunc.__name__}.at", target)
        ufunc.at(target, value_of(indices), *map(value_of, values))
        return
    key = tuple(map(settled_key, indices)) if isinstance(indices, tuple) else settled_key(indices)
    places = np.arange(target.size).reshape(target.shape)[key]
    operands = [np.broadcast_to(operand, places.shape) for operand in values]
    if ufunc in (np.add, np.subtract):
        target[...] = ufunc(target, PRIMITIVES["scatter"](operands[0].astype(target.dtype), shape=target.shape,
                                                          key=key))
        return
    flat, places = np.copy(np.ravel(target)), places.reshape(-1)
    operands = [np.reshape(operand, (-1,)) for operand in operands]
    turns = _turns(places)
    for turn in range(int(turns.max(initial=-1)) + 1):
        now = np.flatnonzero(turns == turn)
        flat[places[now]] = ufunc(flat[places[now]], *(operand[now] for operand in operands))
    target[...] = np.reshape(flat, target.shape)


def _turns(places: Any) -> Any:
    """For each place how often it was named before."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    first = np.searchsorted(ordered, ordered)
    turns = np.empty(places.size, int)
    turns[order] = np.arange(places.size) - first
    return turns
