"""Entries that stand for a stretch of the tape, which a sweep has recorded again and goes through in their place."""

from __future__ import annotations

from heapq import heapify, heappush
from typing import Any

from .graph import cone, downstream
from .partials import free
from .tape import Entry

__all__ = ["Expansion", "Pairs", "expand", "siblings"]


#: Every entry that stands for a result of the stretch, and the entry that has that result in it.
Pairs = list[tuple[Entry, Entry]]


class Expansion(Exception):  # noqa: N818 -- no error, but the way out of a rule that costs other rules nothing
    """Raised by the rule of an entry that stands for a stretch of the tape: here is that stretch, recorded again.

    Parameters
    ----------
    pairs : list of (Entry, Entry)
        See `Pairs`.
    """

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs


def siblings(pairs: Pairs, waiting: list[tuple[int, Entry]]) -> list[Entry]:
    """Take the entries that stand for other results of the same stretch out of the heap, and return them."""
    standing = {old for old, _ in pairs}
    found = [one for _, one in waiting if one in standing]
    waiting[:] = [pair for pair in waiting if pair[1] not in standing]
    heapify(waiting)
    return found


def expand(pairs: Pairs, cotangents: dict[Entry, Any], waiting: list[tuple[int, Entry]],
            only: set[Entry] | None, freed: Any) -> None:
    """Go on in the stretch itself with the cotangents of what stands for it."""
    if only is not None:
        ends = {parent for old, _ in pairs for parent in old.parents if parent is not None}
        only.update(downstream(cone([new for _, new in pairs], ends), ends & only))
    for old, new in pairs:
        if old in cotangents:
            heappush(waiting, (-new.index, new))
            cotangents[new] = cotangents.pop(old)
        if freed is not None:
            free(old, freed)
