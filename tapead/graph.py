"""The tape as a graph: what an entry depends on, and what depends on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter

from .tape import Entry

__all__ = ["cone", "downstream"]

_by_index = attrgetter("index")


def cone(roots: Iterable[Entry], stops: set[Entry]) -> list[Entry]:
    """The entries that `roots` depend on, themselves included, in recording order; not `stops`, nor past them."""
    order = [root for root in dict.fromkeys(roots) if root not in stops]
    seen: set[Entry | None] = {*stops, *order, None}  # constants have no entry: None spares the loop a test
    add, append = seen.add, order.append
    for entry in order:
        for parent in entry.parents:
            if parent not in seen:
                add(parent)
                append(parent)  # type: ignore[arg-type]  # not None, which is in `seen`
    order.sort(key=_by_index)
    return order


def downstream(order: Sequence[Entry], sources: set[Entry]) -> set[Entry]:
    """Those entries of a cone that depend on one of `sources`, and `sources` themselves."""
    reached = set(sources)
    for entry in order:
        if not reached.isdisjoint(entry.parents):
            reached.add(entry)
    return reached
