"""Arrays of the user's that the tape remembers: nobody may change them unnoticed between recording and sweep.

What is best depends on the size. Up to a quarter of a megabyte a copy is cheaper than looking twice, and the gradient
is right whatever happens to the original. Of larger arrays every word goes into a fingerprint, which is compared when
a sweep comes to use the array. Where that would double the time of the operation, because it reads a very large array
only once (a matrix times a vector), the array is made read-only instead until the sweep has passed or the result is
gone. A function that is recorded and swept within one call needs none of this.
"""

from __future__ import annotations

import threading
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np

from .tape import Entry, user_frame

__all__ = ["Guard", "changed", "guards", "keep", "protect", "verify"]

#: Up to this many bytes, looking for an earlier copy of the same array costs more than another copy.
_TINY = 1 << 10
#: Up to this many bytes a copy is made.
_SMALL = 1 << 18
#: From this many bytes on, an array that is so many times the size of the result is locked.
_HUGE = 1 << 22
_TIMES = 16
#: A prime: moving whole rows or blocks about changes the sums of these columns too.
_COLUMNS = 1021
#: So many rows of them make up a sum. Few: two elements that change places within a column leave it as it is.
_ROWS = 64
#: So many words are remembered of an array that is locked: an older view of it may be written to.
_SAMPLES = 256


class Lock:
    """Makes an array, and views of the whole of it, read-only as long as anybody needs them."""

    def __init__(self) -> None:
        self.users = 0
        self.arrays: list[np.ndarray[Any, Any]] = []

    @classmethod
    def on(cls, array: np.ndarray[Any, Any]) -> Lock:
        """The lock of an array, closed once more."""
        with _one_at_a_time:
            lock = _locks.setdefault(_owner(array), cls())
            lock.users += 1
            for one in (array.base, array):  # a view of the whole is written to through that, too
                if one is not None and one.flags.writeable:
                    one.flags.writeable = False
                    lock.arrays.append(one)
        return lock

    def release(self) -> None:
        """Open it, once nobody needs it any more."""
        with _one_at_a_time:
            self.users -= 1
            if not self.users:
                del _locks[_owner(self.arrays[0])]
                for one in sorted(self.arrays, key=_is_view):  # a view may be writeable only where its base is
                    one.flags.writeable = True

    def broken(self) -> bool:
        """Whether somebody has made an array writeable meanwhile."""
        return any(one.flags.writeable for one in self.arrays)


def _owner(array: np.ndarray[Any, Any]) -> int:
    return id(array if array.base is None else array.base)


def _is_view(array: np.ndarray[Any, Any]) -> bool:
    return array.base is not None


class Guard:
    """How an array is recognised, and its lock if it has one."""

    __slots__ = ("mark", "lock")

    def __init__(self, array: np.ndarray[Any, Any], result: Any) -> None:
        self.lock: Lock | None = None
        if array.nbytes >= max(_HUGE, _TIMES * result.nbytes) and _lockable(array):
            self.lock = Lock.on(array)
            self.mark = sample(array)
        else:
            self.mark = fingerprint(array)

    def __del__(self) -> None:
        if self.lock is not None:
            self.lock.release()

    def intact(self, array: np.ndarray[Any, Any]) -> bool:
        """Whether the array is still what it was."""
        if self.lock is None:
            return fingerprint(array) == self.mark
        return not self.lock.broken() and sample(array) == self.mark


class _ByEntry(WeakKeyDictionary[Entry, dict[int, Guard]]):
    data: dict[Any, Any]  # to ask whether there is any is a matter of C here; typeshed does not know the attribute


#: What watches over an entry's inputs, by position.
guards = _ByEntry()
#: By identity of the array that owns the memory.
_locks: dict[int, Lock] = {}
_one_at_a_time = threading.RLock()
#: By identity of what they are copies of.
_copies: WeakValueDictionary[int, np.ndarray[Any, Any]] = WeakValueDictionary()


def protect(values: tuple[Any, ...], given: tuple[Any, ...],
            result: Any) -> tuple[tuple[Any, ...], dict[int, Guard] | None]:
    """Inputs as they can be remembered, and what watches over those that stay the user's.

    Parameters
    ----------
    values, given : tuple
        What a primitive computed with, and what it was called with; an array that is in both is the user's.
    result : array or number
        What it computed.
    """
    found: dict[int, Guard] | None = None
    settled = None
    for position, value in enumerate(values):
        if value is not given[position] or not isinstance(value, np.ndarray):
            continue
        kept, guard = keep(value, result)
        if kept is not value:
            settled = list(values) if settled is None else settled
            settled[position] = kept
        if guard is not None:
            found = {} if found is None else found
            found[position] = guard
    return values if settled is None else tuple(settled), found


def keep(array: np.ndarray[Any, Any], result: Any) -> tuple[np.ndarray[Any, Any], Guard | None]:
    """An array of the user's as it can be remembered: a copy, or the array itself and what watches over it.

    Parameters
    ----------
    array : array
        Whatever its layout.
    result : array or number
        What was computed from it.
    """
    if array.nbytes <= _SMALL or not (array.flags.c_contiguous or array.flags.f_contiguous):
        return _copy(array), None
    return array, Guard(array, result)


def _copy(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A copy of an array, the same one while it stays the same: a loop may use it a million times."""
    if array.nbytes <= _TINY:
        return array.copy("K")
    if 0 in array.strides:  # elements that are there once are copied once
        once = array[tuple([slice(None) if stride else slice(1) for stride in array.strides])]
        return np.broadcast_to(once.copy("K"), array.shape)
    copy = _copies.get(id(array))
    if (copy is None or copy.shape != array.shape or copy.dtype != array.dtype or copy.strides != array.strides
            or copy.tobytes("A") != array.tobytes("A")):
        copy = _copies[id(array)] = array.copy("K")
        copy.flags.writeable = False  # nobody is to use its memory again
    return copy


def _lockable(array: np.ndarray[Any, Any]) -> bool:
    """Whether an array is all there is to its memory, and can be made read-only and writeable again."""
    owner = array if array.base is None else array.base
    return (isinstance(owner, np.ndarray) and owner.flags.owndata and owner.size == array.size
            and (owner.flags.writeable or id(owner) in _locks))


def _words(array: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """The memory of a contiguous array as words of eight bytes, and as bytes."""
    octets = array.ravel(order="K").view(np.uint8)
    return octets[:octets.size // 8 * 8].view(np.uint64), octets


def fingerprint(array: np.ndarray[Any, Any]) -> bytes:
    """Sums of the words of a contiguous array, by columns: any change of one element shows, and nearly any other."""
    words, octets = _words(array)
    rows = words.size // _COLUMNS
    blocks = rows // _ROWS
    whole = words[:blocks * _ROWS * _COLUMNS].reshape(blocks, _ROWS, _COLUMNS)
    rest = words[whole.size:rows * _COLUMNS].reshape(-1, _COLUMNS)
    end = octets[rows * _COLUMNS * 8:]
    return bytes(np.add.reduce(whole, axis=1)) + bytes(np.add.reduce(rest, axis=0)) + bytes(end)


def sample(array: np.ndarray[Any, Any]) -> bytes:
    """Words from throughout a contiguous array."""
    words, _ = _words(array)
    return bytes(words[::words.size // _SAMPLES | 1].tobytes())  # an odd step meets all columns of most matrices


def verify(entry: Entry) -> None:
    """Raise if an array that `entry` remembers has changed since it was recorded."""
    for position, guard in guards.get(entry, {}).items():
        array = entry.inputs[position]
        if not guard.intact(array):
            raise changed(array, entry)


def changed(array: np.ndarray[Any, Any], entry: Entry) -> RuntimeError:
    """The error that says so."""
    frame = user_frame()
    return RuntimeError(
        f"an array of shape {array.shape} was changed after {entry.primitive.name} had used it at "
        f"{'{}:{}'.format(*entry.source)}, and the sweep at {frame.f_code.co_filename}:{frame.f_lineno} needs "
        "what was in it; change a copy, or sweep first")
