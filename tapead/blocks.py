"""Sweeping large elementwise stretches of the tape a block at a time, so that the working set stays in the cache.

A reverse sweep over arrays of a million elements is bound by memory: each product reads and writes eight megabytes. But
elementwise rules do not care how many elements they are given. So a stretch of elementwise entries of one shape is
swept for a few thousand rows at a time, by the same sweep, on entries that hold slices of the original arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from typing import Any, cast

import numpy as np

from .buffers import take_buffer
from .programs import NotWrittenDown, Program
from .tape import Dropped, Entry, Leaf

__all__ = ["BLOCKED", "Stretch", "Total"]

#: Arrays of at least this many bytes are swept in blocks.
BLOCKED = 1 << 20
#: So many bytes of each array make a block: a dozen of them fit into the cache of a core.
_BLOCK = 1 << 17

Sweep = Callable[..., dict[Entry, Any]]


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
        while heap:
            if not self._fits(heap[0][1]):
                if any(parent is not None and parent.__class__ is not Leaf for parent in heap[0][1].parents):
                    break
                heappop(heap)  # nothing that comes below it is swept here, so that it can have its turn later
                continue
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
        totals: dict[Entry, Total] = {}
        copies, outside = self.copies()
        for places in self.places():
            program, results = self._write_down(copies, outside, seeds, places, reverse)
            changing = None  # blocks of one shape: all but the arrays is put in place once
            for place in places:
                if program is not None:
                    try:
                        for entry, cotangent in zip(results, program.run(place), strict=True):
                            self.put(totals, entry, cotangent, place)
                        continue
                    except (FloatingPointError, NotWrittenDown):  # nothing times infinity, or a rarity
                        pass
                if changing is None:
                    changing = self._fill(copies, places[0])
                for copy, output, inputs, positions in changing:
                    if output is not None:
                        copy.output = output[place]
                    if positions:
                        for position in positions:
                            inputs[position][1] = inputs[position][0][place]
                        copy.inputs = tuple([value for _, value in inputs])
                found = reverse([(copies[entry], self._slice(cotangent, place)) for entry, cotangent in seeds])
                for leaf, cotangent in found.items():
                    self.put(totals, outside[leaf], cotangent, place)
        return {entry: total.finished() for entry, total in totals.items()}

    def places(self) -> list[list[slice]]:
        """The rows of the blocks: those of whole ones, and those of the rest if there is any."""
        length, rows = self.shape[0], self._rows(self.entries[0])
        whole = [slice(start, start + rows) for start in range(0, length - rows + 1, rows)]
        return [whole, [slice(length - length % rows, length)]] if length % rows else [whole]

    def _write_down(self, copies: dict[Entry, Entry], outside: dict[Entry, Entry], seeds: list[tuple[Entry, Any]],
                    places: Sequence[slice], reverse: Sweep) -> tuple[Program | None, list[Entry]]:
        """The sweep of one block as a program, and the entries that get its results; None if it cannot be one."""
        # The rule of a user may do otherwise when it is called again.
        if len(places) == 1 or any(entry.primitive.foreign for entry in self.entries):
            return None, []
        place = places[0]
        program = Program((place.stop - place.start, *self.shape[1:]))
        try:
            self.trace(program, copies, place)
            found = reverse([(copies[entry], self.traced(program, cotangent, place)) for entry, cotangent in seeds],
                            batched=True)
            program.finish(list(found.values()))
        except Exception:  # the errors of rules come up when the blocks are swept
            return None, []
        finally:
            program.forget()
        return program, [outside[leaf] for leaf in found]

    def trace(self, program: Program, copies: dict[Entry, Entry], place: slice) -> None:
        """Give copies the values of the block at `place`, noting what is computed from them."""
        for original, copy in copies.items():
            copy.output = self.traced(program, original.output, place)
            if copy.__class__ is not Leaf:
                copy.inputs = tuple([self.traced(program, value, place) for value in original.inputs])

    def traced(self, program: Program, whole: Any, place: slice) -> Any:
        """The block of a value at `place`, noting what is computed from it."""
        block = self._slice(whole, place)
        return program.reading(whole, block) if block is not whole and block.__class__ is np.ndarray else block

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

    def copies(self) -> tuple[dict[Entry, Entry], dict[Entry, Entry]]:
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

    def put(self, totals: dict[Entry, Total], entry: Entry, cotangent: Any, place: slice) -> None:
        """Add what the block at `place` sends to an entry to its total."""
        start = 0
        if self._is_cut(entry.output):
            rows = _rows_read(entry)
            if rows is not None:  # what is sent to a part goes straight to the whole
                start, entry = rows.start, cast(Entry, entry.parents[0])
            if entry not in totals:
                totals[entry] = Gathered(entry.output)
        elif entry not in totals:
            totals[entry] = Total(entry.output)
        totals[entry].add(cotangent, start + place.start, start + place.stop)


def _rows_read(entry: Entry) -> range | None:
    """The rows of a leaf that an entry consists of, where they are next to each other; None for anything else."""
    leaf = entry.parents[0] if entry.primitive.name == "getitem" else None
    if leaf.__class__ is Leaf and entry.attrs["key"].__class__ is slice:
        rows = range(*entry.attrs["key"].indices(leaf.output.shape[0]))
        return rows if rows.step == 1 else None
    return None


class Total:
    """The sum of what all blocks send to a value that has no rows of its own."""

    def __init__(self, value: Any) -> None:
        self.sum: Any = None

    def add(self, cotangent: Any, start: int, stop: int) -> None:
        """Add what a block sends."""
        self.sum = cotangent if self.sum is None else self.sum + cotangent

    def finished(self) -> Any:
        """The sum, a number where it has no axes."""
        return self.sum[()]


class Gathered(Total):
    """What blocks send to the rows of an array, in one array that is filled from the front."""

    def __init__(self, value: Any) -> None:
        shape, dtype = value.shape, value.dtype
        self.sum = take_buffer(shape) if dtype == np.float64 else np.empty(shape, dtype)
        self.filled = 0

    def add(self, cotangent: Any, start: int, stop: int) -> None:
        """Add to rows that have been sent something, put into those that have not."""
        filled = self.filled
        if start >= filled:
            if start > filled:
                self.sum[filled:start] = 0
            self.sum[start:stop] = cotangent
        elif stop > filled:
            self.sum[start:filled] += cotangent[:filled - start]
            self.sum[filled:stop] = cotangent[filled - start:]
        else:
            self.sum[start:stop] += cotangent
        self.filled = max(stop, filled)

    def finished(self) -> Any:
        """The array, zero in the rows that nothing was sent to."""
        if self.filled < len(self.sum):
            self.sum[self.filled:] = 0
        return self.sum
