"""Memory of large arrays that sweeps have freed, kept for the operations to come.

A fresh array of eight megabytes costs as much in page faults as the arithmetic that fills it. So where a sweep frees an
entry whose arrays nobody else holds, their memory goes here, and the next large operations write into it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

__all__ = ["POOLED", "compute_into_buffer", "recycle", "take_buffer"]

#: Arrays of at least this many bytes are worth keeping.
POOLED = 1 << 20
#: No more than this is ever kept.
_LIMIT = 1 << 27

_free: dict[tuple[int, ...], list[Any]] = {}
_kept = 0
_getrefcount = sys.getrefcount
_float64 = np.dtype(np.float64)
_NUMBERS = frozenset([float, int])


def _keep_freed_memory() -> None:
    """Have glibc keep up to 64 MB of freed memory for the next arrays, instead of giving it back at once.

    At first it asks the kernel for every array of 128 kB anew, and gives back what comes to 128 kB at the end of its
    heap: an array's first use then costs more in page faults than what is computed. Once a program has freed a large
    array, these bounds are the size of that array, up to 32 MB, and twice as much (``man mallopt``,
    M_MMAP_THRESHOLD). So one is made and freed, without ever being touched. Other allocators take no notice, nor does
    glibc where the user has set its bounds by ``MALLOC_MMAP_THRESHOLD_`` or the like.
    """
    with suppress(MemoryError):
        np.empty((1 << 25) - (1 << 13), np.uint8)


_keep_freed_memory()


def _references(array: Any) -> int:
    return _getrefcount(array)


def _count_passed() -> int:
    holder = (np.empty(1),)
    return _references(holder[0])


#: References to an array that one container holds and that was passed to a function. Differs between CPythons.
_HELD_ONCE = _count_passed()


def recycle(array: Any) -> None:
    """Keep the memory of an array that only the caller's container holds; anything else is left alone."""
    global _kept
    if (array.__class__ is np.ndarray and array.nbytes >= POOLED and _getrefcount(array) <= _HELD_ONCE
            and array.dtype is _float64 and array.flags.owndata and array.flags.writeable
            and array.flags.c_contiguous and _kept + array.nbytes <= _LIMIT):
        _free.setdefault(array.shape, []).append(array)
        _kept += array.nbytes


def take_buffer(shape: tuple[int, ...]) -> Any:
    """Uninitialised memory for a large array of doubles, kept here or new."""
    global _kept
    kept = _free.get(shape)
    if kept:
        try:
            buffer = kept.pop()
        except IndexError:  # another thread was faster
            return np.empty(shape)
        _kept -= buffer.nbytes
        return buffer
    return np.empty(shape)


def compute_into_buffer(ufunc: Callable[..., Any], first: Any, second: Any = None) -> Any:
    """``ufunc(first, second)`` for large arrays, into memory that is kept here where there is some."""
    array, other = (second, first) if first.__class__ in _NUMBERS else (first, second)
    if array.__class__ is np.ndarray and array.nbytes >= POOLED and array.dtype is _float64 and (
            other is None or other.__class__ in _NUMBERS
            or (other.__class__ is np.ndarray and other.dtype is _float64 and other.shape == array.shape)
            ) and _free.get(array.shape):
        buffer = take_buffer(array.shape)
        return ufunc(first, out=buffer) if second is None else ufunc(first, second, out=buffer)
    return ufunc(first) if second is None else ufunc(first, second)
