"""Sweeping large elementwise stretches of the tape a block at a time, so that the working set stays in the cache.

A reverse sweep over arrays of a million elements is bound by memory: each product reads and writes eight megabytes. But
elementwise rules do not care how many elements they are given. So a stretch of elementwise entries of one shape is
swept for a few thousand rows at a time, by the same sweep, on entries that hold slices of the original arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np

from .tape import Dropped, Entry, Leaf

__all__ = ["BLOCKED", "Stretch"]

#: Arrays of at least this many bytes are swept in blocks.
BLOCKED = 1 << 20
#: So many bytes of each array make a block: a dozen of them fit into the cache of a core.
_BLOCK = 1 << 17

Sweep = Callable[[list[tuple[Entry, Any]]], dict[Entry, Any]]


class Stretch:
    """The next entries of a sweep, in order, as long as they are elementwise and of one shape.

    Parameters
    ----------
    entry : Entry
        Where the sweep stands.
    waiting : list of (int, Entry)
        The heap of entries that the sweep has still to come to.
    """

    __slots__ = ("entries", "shape")

    shape: tuple[int, ...]

    def __init__(self, entry: Entry, waiting: Sequence[tuple[int, Entry]]) -> None:
        self.shape = entry.output.shape
        self.entries: list[Entry] = []
        if self.shape[0] < 4 * self._rows(entry):
            return
        heap = [(-entry.index, entry), *waiting]
        heapify(heap)
        seen = {one for _, one in heap}
        while heap and self._fits(heap[0][1]):
            _, entry = heappop(heap)
            self.entries.append(entry)
            for parent in entry.parents:
                if parent is not None and parent not in seen and parent.__class__ is not Leaf:
                    seen.add(parent)
                    heappush(heap, (-parent.index, parent))

    def _fits(self, entry: Entry) -> bool:
        primitive = entry.primitive
        return (primitive.elementwise and not primitive.masks and entry.inputs is not None
                and entry.output.shape == self.shape and not any(map(np.ndim, entry.attrs.values())))

    @property
    def worthwhile(self) -> bool:
        """Whether there are several entries to sweep, and several blocks to sweep them in."""
        return len(self.entries) > 2

    def _rows(self, entry: Entry) -> int:
        row: int = entry.output.nbytes // self.shape[0]
        return max(1, _BLOCK // max(row, 1))

    def sweep(self, cotangents: dict[Entry, Any], reverse: Sweep) -> dict[Entry, Any]:
        """Sweep the stretch with `reverse`, taking its seeds out of `cotangents`; what it sends to entries outside."""
        seeds = [(entry, cotangents.pop(entry)) for entry in self.entries if entry in cotangents]
        totals: dict[Entry, Any] = {}
        rows = self._rows(self.entries[0])
        for start in range(0, self.shape[0], rows):
            place = slice(start, start + rows)
            copies, outside = self._cut(place)
            found = reverse([(copies[entry], self._slice(cotangent, place)) for entry, cotangent in seeds])
            for leaf, cotangent in found.items():
                self._put(totals, outside[leaf], cotangent, place)
        return totals

    def _cut(self, place: slice) -> tuple[dict[Entry, Entry], dict[Entry, Entry]]:
        """Copies of the entries that hold the rows at `place`, and the originals of the leaves they end in."""
        copies: dict[Entry, Entry] = {}
        outside: dict[Entry, Entry] = {}
        for original in reversed(self.entries):
            copy = copies[original] = Entry()
            copy.primitive, copy.attrs, copy.index = original.primitive, original.attrs, original.index
            copy.code, copy.instruction = original.code, original.instruction
            copy.output = self._slice(original.output, place)
            copy.inputs = tuple([self._slice(value, place) for value in original.inputs])
            parents: list[Entry | None] = []
            for parent in original.parents:
                if parent is not None and parent not in copies:
                    leaf = copies[parent] = Leaf()
                    leaf.primitive = parent.primitive
                    leaf.output = self._slice(parent.output, place)
                    outside[leaf] = parent
                parents.append(None if parent is None else copies[parent])
            copy.parents = tuple(parents)
        return copies, outside

    def _is_cut(self, value: Any) -> bool:
        """Whether a value has rows of its own; what is broadcast over the rows has not."""
        shape: tuple[int, ...] = getattr(value, "shape", ())
        return len(shape) == len(self.shape) and shape[0] == self.shape[0]

    def _slice(self, value: Any, place: slice) -> Any:
        if not self._is_cut(value):
            return value
        return value.rows(place) if isinstance(value, Dropped) else value[place]

    def _put(self, totals: dict[Entry, Any], entry: Entry, cotangent: Any, place: slice) -> None:
        value = entry.output
        if self._is_cut(value):
            if entry not in totals:
                totals[entry] = np.zeros(value.shape, value.dtype)
            totals[entry][place] = cotangent
        else:
            totals[entry] = totals[entry] + cotangent if entry in totals else cotangent
