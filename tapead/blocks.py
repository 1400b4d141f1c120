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

from .buffers import take_buffer
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
        length, rows = self.shape[0], self._rows(self.entries[0])
        copies, outside = self._copies()
        # Whole blocks all have the same shape: all but the arrays is put in place once, and once more for the rest.
        for places in ([slice(start, start + rows) for start in range(0, length - rows + 1, rows)],
                       [slice(length - length % rows, length)] if length % rows else []):
            changing = self._fill(copies, places[0]) if places else []
            for place in places:
                for copy, output, inputs, positions in changing:
                    if output is not None:
                        copy.output = output[place]
                    if positions:
                        for position in positions:
                            inputs[position][1] = inputs[position][0][place]
                        copy.inputs = tuple([value for _, value in inputs])
                found = reverse([(copies[entry], self._slice(cotangent, place)) for entry, cotangent in seeds])
                reached = {outside[leaf]: cotangent for leaf, cotangent in found.items()}
                for entry, cotangent in reached.items():
                    self._put(totals, entry, cotangent, place)
                for entry in totals.keys() - reached.keys():
                    if self._is_cut(entry.output):
                        totals[entry][place] = 0.0
        return totals

    def _fill(self, copies: dict[Entry, Entry], place: slice) -> list[tuple[Entry, Any, list[list[Any]], list[int]]]:
        """Put into the copies what is the same in all blocks of one length; what changes is returned.

        That is, for each copy that holds arrays: its output if it is one, its inputs as pairs of the whole and the
        block, and the places of those inputs that are arrays.
        """
        changing = []
        for original, copy in copies.items():
            copy.output = self._slice(original.output, place)
            output = original.output if copy.output is not original.output else None
            if output.__class__ is not np.ndarray:
                output = None
            inputs, positions = [], []
            if copy.__class__ is not Leaf:
                inputs = [[value, self._slice(value, place)] for value in original.inputs]
                positions = [position for position, (whole, block) in enumerate(inputs)
                             if block is not whole and block.__class__ is np.ndarray]
                copy.inputs = tuple([block for _, block in inputs])
            if output is not None or positions:
                changing.append((copy, output, inputs, positions))
        return changing

    def _copies(self) -> tuple[dict[Entry, Entry], dict[Entry, Entry]]:
        """Copies of the entries, for the values of one block, and the originals of the leaves that they end in."""
        copies: dict[Entry, Entry] = {}
        outside: dict[Entry, Entry] = {}
        for original in reversed(self.entries):
            copy = copies[original] = Entry()
            copy.primitive, copy.attrs, copy.index = original.primitive, original.attrs, original.index
            copy.code, copy.instruction = original.code, original.instruction
            parents: list[Entry | None] = []
            for parent in original.parents:
                if parent is not None and parent not in copies:
                    leaf = copies[parent] = Leaf()
                    leaf.primitive = parent.primitive
                    outside[leaf] = parent
                parents.append(None if parent is None else copies[parent])
            copy.parents = tuple(parents)
        return copies, outside

    def _is_cut(self, value: Any) -> bool:
        """Whether a value has rows of its own; what is broadcast over the rows has not."""
        shape: tuple[int, ...] = getattr(value, "shape", ())
        return len(shape) == len(self.shape) and shape[0] == self.shape[0]

    def _slice(self, value: Any, place: slice) -> Any:
        if value.__class__ is float or not self._is_cut(value):
            return value
        return value.rows(place) if value.__class__ is Dropped else value[place]

    def _put(self, totals: dict[Entry, Any], entry: Entry, cotangent: Any, place: slice) -> None:
        value = entry.output
        if self._is_cut(value):
            if entry not in totals:
                fresh = place.start == 0 and value.dtype == np.float64  # then every block is written to
                totals[entry] = take_buffer(value.shape) if fresh else np.zeros(value.shape, value.dtype)
            totals[entry][place] = cotangent
        else:
            totals[entry] = totals[entry] + cotangent if entry in totals else cotangent
