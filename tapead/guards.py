"""Arrays of the user's that the tape remembers: nobody may change them unnoticed between recording and sweep.

A small one is copied. Of a larger one a fingerprint is taken, and compared when a sweep comes to use the array: of
every word up to a quarter of a megabyte, and of that much in blocks throughout an array that is larger still. To read
all of a matrix twice more would nearly double the time of a matrix-vector product. A function that is recorded and
swept within one call needs neither.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from .tape import Entry, user_frame

__all__ = ["guards", "protect", "verify"]

#: The fingerprints of an entry's inputs, by position.
guards: WeakKeyDictionary[Entry, dict[int, bytes]] = WeakKeyDictionary()

#: Up to this many bytes a copy is cheaper than a fingerprint.
_SMALL = 1 << 12
#: A prime: moving whole rows or blocks about changes these sums too.
_COLUMNS = 1021
#: So many blocks of that length are read at most.
_BLOCKS = 32


def protect(values: tuple[Any, ...], given: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[int, bytes] | None]:
    """Inputs as they can be remembered, and the fingerprints of those that stay the user's.

    Parameters
    ----------
    values, given : tuple
        What a primitive computed with, and what it was called with; an array that is in both is the user's.
    """
    found: dict[int, bytes] | None = None
    settled = None
    for position, value in enumerate(values):
        if value is not given[position] or not isinstance(value, np.ndarray):
            continue
        if value.nbytes <= _SMALL or not (value.flags.c_contiguous or value.flags.f_contiguous):
            settled = list(values) if settled is None else settled
            settled[position] = value.copy("K")
        else:
            found = {} if found is None else found
            found[position] = fingerprint(value)
    return values if settled is None else tuple(settled), found


def fingerprint(array: np.ndarray[Any, Any]) -> bytes:
    """Column sums of the words of a contiguous array: any change in what is read shows, and nearly any permutation."""
    octets = array.ravel(order="K").view(np.uint8)
    words = octets[:octets.size // 8 * 8].view(np.uint64)
    length = max(words.size // _BLOCKS, _COLUMNS)
    count = words.size // length
    sums = np.add.reduce(words[:count * length].reshape(count, length)[:, :_COLUMNS], axis=0)
    return bytes(sums) + bytes(octets[-8 * _COLUMNS:])


def verify(entry: Entry) -> None:
    """Raise if an array that `entry` remembers has changed since it was recorded."""
    for position, expected in guards.get(entry, {}).items():
        array = entry.inputs[position]
        if fingerprint(array) != expected:
            frame = user_frame()
            raise RuntimeError(
                f"an array of shape {array.shape} was changed after {entry.primitive.name} had used it at "
                f"{'{}:{}'.format(*entry.source)}, and the sweep at {frame.f_code.co_filename}:{frame.f_lineno} needs "
                "what was in it; change a copy, or sweep first")
