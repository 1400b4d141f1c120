"""Products with Hessians of functions of large arrays: the sweep that carries tangents along, a block at a time.

Arrays of megabytes are moved more slowly than they are computed with. So the tangents within an elementwise stretch of
the tape are found, used and forgotten block by block, as :mod:`tapead.blocks` does it with cotangents; what is sent out
of the stretch is all that fills an array. Below the last rule that reads anything, only tangents are sent at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .blocks import BLOCKED, Stretch, Total
from .dual import Dual, Op, seen_along
from .graph import cone
from .partials import CannotCarry, summed
from .programs import NotWrittenDown, Program
from .tape import Entry, reading

__all__ = ["Curvature", "goes_in_blocks"]

Sweep = Callable[..., dict[Entry, Any]]
Totals = dict[Entry, Total]


class Curvature:
    """How rules see entries in a sweep over large arrays that carries tangents along.

    Parameters
    ----------
    order : sequence of Entry
        All entries of the sweep, in recording order.
    tangents : dict
        Those of the inputs, by entry.
    forward : callable
        The forward sweep.

    Attributes
    ----------
    sent : dict
        By entry, tangents of cotangents that go on through entries whose rules read nothing: they make no others there,
        so that the rest is what a sweep makes of plain cotangents.
    """

    def __init__(self, order: Sequence[Entry], tangents: dict[Entry, Any], forward: Sweep) -> None:
        self._tangents = tangents
        self._forward = forward
        self._see = seen_along(self.tangent_of)
        self.sent: dict[Entry, Any] = {}
        self._curved: set[Entry] = set()  # entries at or below which a rule reads what has a tangent
        for entry in order:
            if reading(entry) != "nothing" or not self._curved.isdisjoint(entry.parents):
                self._curved.add(entry)

    def __call__(self, entry: Entry) -> Op | Entry:
        """What the rule of an entry gets to see."""
        return self._see(entry)

    def tangent_of(self, entry: Entry) -> Any:
        """The tangent of an entry, found when it is asked for; None where nothing depends on the inputs."""
        tangents = self._tangents
        if entry not in tangents:
            self._forward(cone([entry], set(tangents)), tangents)
        return tangents.setdefault(entry, None)

    def sweep(self, stretch: Stretch, cotangents: dict[Entry, Any], reverse: Sweep) -> dict[Entry, Any]:
        """Sweep a stretch, taking its seeds out of `cotangents`; what it sends to entries outside, but for `sent`.

        Raises
        ------
        CannotCarry
            If its rules do what cannot be written down, or meet nothing times infinity.
        """
        seeds = [(entry, cotangents.pop(entry)) for entry in stretch.entries if entry in cotangents]
        copies, outside = stretch.copies()
        values: Totals = {}
        tangents: Totals = {}
        for places in stretch.places():
            program, results = self._write_down(stretch, copies, outside, seeds, places[0], reverse)
            for place in places:
                try:
                    found = program.run(place)
                except (FloatingPointError, NotWrittenDown) as error:
                    raise CannotCarry from error
                for (entry, is_tangent), cotangent in zip(results, found, strict=True):
                    stretch.put(tangents if is_tangent else values, entry, cotangent, place)
        together: dict[Entry, Any] = {entry: total.finished() for entry, total in values.items()}
        for entry, total in tangents.items():
            if entry in together:
                together[entry] = Dual(together[entry], total.finished())
            else:
                sent = self.sent.get(entry)
                self.sent[entry] = total.finished() if sent is None else summed(sent, total.finished())
        return together

    def _write_down(self, stretch: Stretch, copies: dict[Entry, Entry], outside: dict[Entry, Entry],
                    seeds: list[tuple[Entry, Any]], place: slice,
                    reverse: Sweep) -> tuple[Program, list[tuple[Entry, bool]]]:
        """The sweep of one block as a program; the entries that get its results, and whether those are tangents."""
        program = Program((place.stop - place.start, *stretch.shape[1:]))

        def traced(whole: Any) -> Any:
            if whole.__class__ is Dual:
                return Dual(traced(whole._value), traced(whole.tangent))
            return stretch.traced(program, whole, place)

        try:
            stretch.trace(program, copies, place)
            tangents = {}
            for leaf, original in outside.items():
                tangent = self.tangent_of(original)
                if tangent is not None:
                    tangents[leaf] = traced(tangent)
            self._forward([copies[entry] for entry in reversed(stretch.entries)], tangents)
            found = reverse([(copies[entry], traced(cotangent)) for entry, cotangent in seeds], batched=True,
                            seen=seen_along(tangents.get))
            wanted: list[tuple[Entry, bool, Any]] = []
            for leaf, cotangent in found.items():
                carries = cotangent.__class__ is Dual
                if outside[leaf] in self._curved:
                    wanted.append((outside[leaf], False, cotangent._value if carries else cotangent))
                if carries:
                    wanted.append((outside[leaf], True, cotangent.tangent))
            program.finish([result for _, _, result in wanted])
        finally:
            program.forget()
        return program, [(entry, is_tangent) for entry, is_tangent, _ in wanted]


def goes_in_blocks(order: Sequence[Entry]) -> bool:
    """Whether there are large arrays, and all are elementwise results or nothing that a rule reads."""
    return any([entry.output.nbytes >= BLOCKED for entry in order]) and all([
        entry.output.dtype.kind == "f" and (entry.primitive.elementwise or reading(entry) == "nothing")
        for entry in order
        if entry.output.nbytes >= BLOCKED or any([getattr(x, "nbytes", 0) >= BLOCKED for x in entry.inputs])])
