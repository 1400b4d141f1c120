"""The two sweeps over the tape. Both read the same rules; everything that rules would repeat is done here, once.

The reverse sweep carries cotangents from outputs to inputs, the forward sweep tangents from inputs to outputs. They
multiply by partials, apply linear maps, un-broadcast, broadcast, conjugate, cast and accumulate. Cotangents and
tangents live in a dictionary per sweep, keyed by entry: sweeps of different transforms can never meet.

A sweep that is recorded (for higher derivatives) hands the rules tensors in place of arrays and is otherwise the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from heapq import heapify, heappop, heappush
from sys import getrefcount
from typing import Any

import numpy as np

from .blocks import BLOCKED, Stretch
from .buffers import POOLED, recycle
from .curvature import Curvature
from .expansion import Expansion, Pairs, expand, siblings
from .graph import cone
from .guards import guards, verify
from .observing import observe, observe_forward
from .partials import (
    SOLE,
    accumulate,
    added,
    call_lazy,
    fit,
    free,
    is_writable,
    meets_nan,
    not_differentiable,
    plain,
    pull,
    push,
    spread,
    summed_in_place,
    was_freed,
    without_tangent,
    wrong_arity,
)
from .registry import LINEAR, current_overrides
from .straight import sweep_straight
from .tape import Entry, Leaf
from .tensor import _wrap

__all__ = ["forward", "reverse"]


class Op:
    """What a rule receives in a recorded sweep: the entry with its tracked inputs and its output as tensors."""

    __slots__ = ("inputs", "output", "attrs")

    def __init__(self, entry: Entry) -> None:
        self.inputs = tuple([value if parent is None else _wrap(value, parent)
                             for value, parent in zip(entry.inputs, entry.parents, strict=True)])
        self.output = _wrap(entry.output, entry)
        self.attrs = entry.attrs

    def moved(self, value: Any, tangent: Any) -> Any:
        """The tangent of a tensor that was computed from the output, along a tangent of that; None if it was not."""
        source: Any = self.output._entry
        return forward(cone([value._entry], {source}), {source: tangent}, record=True).get(value._entry)


def reverse(seeds: Iterable[tuple[Entry, Any]], *, record: bool = False, stops: Collection[Entry] = (),
            asked: Collection[Entry] = (), only: AbstractSet[Entry] | None = None,
            freed_by: str | None = None, batched: bool = False,
            seen: Callable[[Entry], Any] | None = None) -> dict[Entry, Any]:
    """Carry cotangents from outputs back to the leaves.

    Entries are taken in falling order of their index, so that all contributions to one are in before its turn.

    Parameters
    ----------
    seeds : iterable of (Entry, cotangent)
        One per output.
    record : bool
        Hand the rules tensors, so that the result can be differentiated again.
    stops : collection of Entry
        Where to go no further.
    asked : collection of Entry
        Entries on the way whose cotangents are wanted too.
    only : collection of Entry, optional
        Entries outside this collection receive nothing.
    freed_by : str, optional
        Free each entry once it is passed, and remember this text as the reason.
    batched : bool
        The cotangents are a :class:`Batch` each.
    seen : callable, optional
        What rules get in place of an entry.

    Returns
    -------
    dict
        The cotangents of the leaves and stops that were reached, and of the entries `asked` for.

    Raises
    ------
    RuntimeError
        If an earlier sweep has freed an entry.
    """
    seeds = list(seeds)
    cotangents: dict[Entry, Any] = {}
    results: dict[Entry, Any] = {}
    waiting: list[tuple[int, Entry]] = []
    overrides = current_overrides()
    observer = observe([root for root, _ in seeds])
    seen = Op if record else seen
    straight = not (overrides or asked or stops or observer or only is not None)
    in_place = not (seen or batched)
    blocked = in_place or seen.__class__ is Curvature
    freed = None if freed_by is None else {"freed by": freed_by}
    remaining: set[Entry] | None = None  # of `only`, once a stretch has been recorded again
    careful = False
    clean: set[Entry] = set()  # entries without NaNs, of which parts are selected
    pairs: Pairs | None
    # Anything invalid (0 · inf, inf - inf) trips the hardware flag, and only that operation is then redone with care.
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="raise"):
        for root, seed in seeds:
            if root.output is None:
                raise was_freed(root)
            if root not in cotangents and root.__class__ is not Leaf:
                heappush(waiting, (-root.index, root))
            accumulate(cotangents, root, seed)
        while waiting:
            pairs = None
            if straight and not careful:
                pairs = sweep_straight(cotangents, waiting, freed, clean, seen, in_place)
                if not waiting:
                    break
            entry = heappop(waiting)[1]
            cotangent = cotangents.pop(entry)
            primitive = entry.primitive
            rule: Any = primitive.rule  # only leaves have none
            if guards.data and entry in guards:  # a dictionary is asked in C
                verify(entry)
            if not straight:
                if observer is not None:
                    cotangent = observer.arrive(entry, cotangent)
                if entry in asked or entry in stops:
                    results[entry] = cotangent
                    if entry in stops or (only is not None and only.isdisjoint(entry.parents)):
                        continue
                if remaining is not None:  # what a stretch records again is not to be kept by what guides the sweep
                    remaining.discard(entry)
                rule = overrides.get(primitive.name, rule)
                if observer is not None:
                    cotangent = observer.before(entry, cotangent)
                    rule = observer.rule(entry, rule, cotangent)
            if entry.inputs is None:
                raise was_freed(entry)
            if straight and blocked and not careful and cotangent.nbytes >= BLOCKED:
                stretch = Stretch(entry, waiting)
                if stretch.worthwhile:
                    cotangents[entry] = cotangent
                    _sweep_in_blocks(stretch, cotangents, waiting, freed, seen)
                    continue
            if pairs is None:
                try:
                    partials = rule(entry if seen is None else seen(entry))
                except FloatingPointError:
                    with np.errstate(invalid="ignore"):
                        partials = rule(entry if seen is None else seen(entry))
                    for partial in partials if partials.__class__ is tuple else (partials,):
                        without_tangent(partial)
                except Expansion as expansion:
                    pairs = expansion.pairs
            if pairs is not None:
                if only is not None and remaining is None:
                    only = remaining = set(only)
                for old in siblings(pairs, waiting):
                    if observer is not None:
                        cotangents[old] = observer.before(old, observer.arrive(old, cotangents[old]))
                    if old in asked:
                        results[old] = cotangents[old]
                cotangents[entry] = cotangent
                expand(pairs, cotangents, waiting, remaining, freed)
                continue
            parents = entry.parents
            if partials.__class__ is not tuple:
                partials = (partials,) if partials.__class__ is not list else tuple(partials)
            if len(partials) != len(parents):
                raise wrong_arity(primitive, partials, parents)
            position = -1
            for parent in parents:  # not zip, which would hold on to the partials
                position += 1
                if parent is None or (only is not None and parent not in only):
                    continue
                partial = partials[position]
                kind = partial.__class__
                if kind not in LINEAR and callable(partial):
                    # Held twice, as a partial is that the rule's tuple holds: `pull` counts the references.
                    called = partial = call_lazy(partial)  # noqa: F841 -- the second reference
                if not careful and primitive.masks and parent not in clean:
                    if meets_nan(entry, position):
                        careful = True
                    else:
                        clean.add(parent)
                if kind in LINEAR and partial.add is not None and in_place:
                    total = cotangents.pop(parent, None)
                    if total is None and parent.__class__ is not Leaf:
                        heappush(waiting, (-parent.index, parent))
                    cotangents[parent] = added(total, partial, cotangent, parent.output)
                    del total  # references are counted
                    continue
                if (kind in LINEAR and partial.reuse is not None and in_place and position == len(parents) - 1
                        and getrefcount(cotangent) <= SOLE and is_writable(cotangent)):
                    partial.reuse(cotangent)
                    product = cotangent
                else:
                    product = pull(cotangent, partial, careful)
                if product is None:
                    if partial is None:
                        raise not_differentiable(primitive, entry, position)
                    product = np.zeros_like(plain(cotangent))[()]  # it takes part all the same: zero, not nothing
                value = parent.output
                if value is None:
                    raise was_freed(parent)
                if product.shape != value.shape or product.dtype != value.dtype:
                    product = fit(product, value, primitive)
                if parent not in cotangents and parent.__class__ is not Leaf:  # a leaf needs no turn
                    heappush(waiting, (-parent.index, parent))
                accumulate(cotangents, parent, product)
                del product  # as above
            if freed is not None:
                free(entry, freed)
    results.update(cotangents)
    if observer is not None:
        observer.finish(results)
    return results


def _sweep_in_blocks(stretch: Stretch, cotangents: dict[Entry, Any], waiting: list[tuple[int, Entry]],
                     freed: dict[str, Any] | None, seen: Callable[[Entry], Any] | None) -> None:
    """Pass the entries of a stretch, and send to those below it what comes out."""
    if guards.data:
        for entry in stretch.entries:
            verify(entry)
    waiting[:] = [pair for pair in waiting if pair[1] not in stretch.entries]
    heapify(waiting)
    swept = seen.sweep(stretch, cotangents, reverse) if isinstance(seen, Curvature) else (
        stretch.sweep(cotangents, reverse))
    for below, product in swept.items():
        if below not in cotangents and below.__class__ is not Leaf:
            heappush(waiting, (-below.index, below))
        accumulate(cotangents, below, product)
    if freed is not None:
        for entry in stretch.entries:
            free(entry, freed)


def forward(order: Sequence[Entry], tangents: dict[Entry, Any], *, record: bool = False,
            wanted: Collection[Entry] | None = None) -> dict[Entry, Any]:
    """Carry tangents from inputs to every entry of `order` that depends on them.

    Parameters
    ----------
    order : sequence of Entry
        In recording order, as :func:`cone` returns it.
    tangents : dict
        The tangents of the inputs by entry; the others are added to it.
    record : bool
        Hand the rules tensors, so that the result can be differentiated again.
    wanted : collection of Entry, optional
        Tangents of other entries need not be kept; where they are large, other operations may use their memory.

    Returns
    -------
    dict
        `tangents`.
    """
    overrides = current_overrides()
    observer = observe_forward(order)
    last_uses: dict[Entry, int] | None = None
    place = -1
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="raise"):
        for entry in order:
            place += 1
            primitive = entry.primitive
            rule = primitive.rule
            parents = entry.parents
            if rule is None or tangents.keys().isdisjoint(parents) or entry in tangents:
                continue
            if overrides:
                rule = overrides.get(primitive.name, rule)
            if entry.inputs is None:
                raise was_freed(entry)
            if guards.data and entry in guards:
                verify(entry)
            if observer is not None:
                rule = observer.forward_rule(entry, rule)
            op = Op(entry) if record else entry
            try:
                partials = rule(op)
            except FloatingPointError:
                with np.errstate(invalid="ignore"):
                    partials = rule(op)
            except Expansion as expansion:
                _forward_expanded(expansion.pairs, tangents, record)
                continue
            if partials.__class__ is not tuple:
                partials = tuple(partials) if isinstance(partials, list) else (partials,)
            if len(partials) != len(parents):
                raise wrong_arity(primitive, partials, parents)
            total = None
            position = -1
            for parent in parents:  # not zip, which would hold on to the partials
                position += 1
                tangent = None if parent is None else tangents.get(parent)
                if tangent is None:
                    continue
                partial = partials[position]
                if partial.__class__ not in LINEAR and callable(partial):
                    called = partial = call_lazy(partial)  # held twice, as in `reverse`
                product = push(tangent, partial)
                if product is None:
                    if partial is None:
                        raise not_differentiable(primitive, entry, position)
                    continue
                total = product if total is None else summed_in_place(total, product)
            if total is None:
                continue
            tangents[entry] = spread(total, entry.output, primitive)
            if wanted is not None and total.nbytes >= POOLED:
                last_uses = _last_uses(order) if last_uses is None else last_uses
                del partials, partial, product, tangent, total  # references are counted
                called = None  # noqa: F841 -- as above
                _let_tangents_go([parent for parent in parents if parent is not None and parent not in wanted
                                  and last_uses[parent] == place], tangents)
    if observer is not None:
        observer.finish_forward(tangents)
    return tangents


def _last_uses(order: Sequence[Entry]) -> dict[Entry, int]:
    """The place in the order at which each entry is an input for the last time."""
    return {parent: place for place, entry in enumerate(order) for parent in entry.parents if parent is not None}


def _let_tangents_go(entries: Iterable[Entry], tangents: dict[Entry, Any]) -> None:
    for entry in entries:
        held = [tangents.pop(entry, None)]
        recycle(held[0])


def _forward_expanded(pairs: list[tuple[Entry, Entry]], tangents: dict[Entry, Any], record: bool) -> None:
    """Carry tangents through a stretch of the tape to the entries that stand for its results."""
    ends = {parent for old, _ in pairs for parent in old.parents if parent is not None}
    within = {end: tangents[end] for end in ends if end in tangents}
    forward(cone([new for _, new in pairs], ends), within, record=record)
    for old, new in pairs:
        if new in within:
            tangents[old] = within[new]
