"""Which elements of which inputs every element on the tape depends on.

A pattern is a boolean sparse matrix, a row for each element of a result (in C order) and a column for each element of
the inputs. It is carried forward over the tape, entry by entry, as tangents are; what an operation does to patterns is
its structure (see ``structures``). Patterns say where derivatives may be other than zero, whatever the values: both
branches of ``where`` count, and all elements among which a maximum is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from scipy import sparse

from ..expansion import Expansion
from ..graph import cone
from ..registry import Linear, current_overrides
from ..tape import Entry
from .structures import STRUCTURES, Pattern, elementwise, everything

__all__ = ["pattern_of"]


def pattern_of(inputs: Sequence[Entry], outputs: Sequence[Entry | None], sizes: Sequence[int],
               order: Sequence[Entry]) -> Pattern:
    """The pattern of the Jacobian of `outputs` in `inputs`, one below and beside the other.

    Parameters
    ----------
    inputs : sequence of Entry
        What to differentiate in.
    outputs : sequence of (Entry or None)
        The results; None for one that depends on nothing.
    sizes : sequence of int
        The number of elements of each output.
    order : sequence of Entry
        What lies between, in recording order, as ``graph.cone`` returns it.
    """
    ends = np.cumsum([0, *(np.size(entry.output) for entry in inputs)])
    columns = int(ends[-1])
    known = {entry: _diagonal(int(start), int(end), columns)
             for entry, start, end in zip(inputs, ends[:-1], ends[1:], strict=True)}
    _carry(order, known, set(outputs) | set(inputs))
    blocks = [known[entry] if entry in known else sparse.csr_array((size, columns), dtype=bool)
              for entry, size in zip(outputs, sizes, strict=True)]
    return sparse.vstack(blocks, format="csr") if blocks else sparse.csr_array((0, columns), dtype=bool)


def _diagonal(start: int, end: int, columns: int) -> Pattern:
    places = np.arange(start, end)
    return sparse.csr_array((np.ones(end - start, bool), places, np.arange(end - start + 1)), (end - start, columns))


def _carry(order: Sequence[Entry], known: dict[Any, Pattern], kept: set[Any]) -> None:
    """Add to `known` the patterns of the entries of `order`; those not `kept` are dropped after their last use."""
    last = {parent: entry for entry in order for parent in entry.parents}
    for entry in order:
        patterns = [known.get(parent) for parent in entry.parents]
        if entry not in known and any(pattern is not None for pattern in patterns):
            found = _after(entry, patterns, known)
            if found is not None:
                known[entry] = found
        for parent in entry.parents:
            if last[parent] is entry and parent not in kept:
                known.pop(parent, None)


def _after(entry: Entry, patterns: list[Pattern], known: dict[Any, Pattern]) -> Pattern:
    """The pattern of an entry's output from those of its inputs; None where it depends on nothing."""
    name, rule, acts_elementwise = entry.primitive.name, entry.primitive.rule, entry.primitive.elementwise
    overrides = current_overrides()
    if name in overrides:  # which may do anything
        rule, acts_elementwise = overrides[name], False
    elif name in STRUCTURES and not acts_elementwise:
        return STRUCTURES[name](entry, patterns)
    try:
        with np.errstate(all="ignore"):
            partials = rule(entry)  # type: ignore[misc]  # only leaves have none
    except Expansion as expansion:
        return _within(entry, expansion, known)
    parts = []
    for position, partial in enumerate(partials if isinstance(partials, (tuple, list)) else (partials,)):
        pattern = patterns[position]
        if pattern is not None and not (partial.__class__ is int and partial == 0):
            kind = elementwise if acts_elementwise or _is_factor(partial) else everything
            parts.append(kind(entry, [pattern if place == position else None for place in range(len(patterns))]))
    return reduce(add, parts) if parts else None


def _is_factor(partial: Any) -> bool:
    """Whether a rule has returned a factor, as of what is elementwise; a linear map may do anything."""
    with np.errstate(all="ignore"):
        while callable(partial) and not isinstance(partial, Linear):
            partial = partial()
    return partial is not None and not isinstance(partial, Linear)


def _within(entry: Entry, expansion: Expansion, known: dict[Any, Pattern]) -> Pattern:
    """The pattern of an entry that stands for a stretch of the tape."""
    ends = {parent for old, _ in expansion.pairs for parent in old.parents if parent is not None}
    inner = {end: known[end] for end in ends if end in known}
    results = {new for _, new in expansion.pairs}
    _carry(cone(results, ends), inner, ends | results)
    known.update({old: inner[new] for old, new in expansion.pairs if new in inner})
    return known.get(entry)
