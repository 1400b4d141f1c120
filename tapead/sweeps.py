"""The two sweeps over the tape. Both read the same rules; everything that rules would repeat is done here, once.

The reverse sweep carries cotangents from outputs to inputs, the forward sweep tangents from inputs to outputs. They
multiply by partials, apply linear maps, un-broadcast, broadcast, conjugate, cast and accumulate. Cotangents and
tangents live in a dictionary per sweep, keyed by entry: sweeps of different transforms can never meet.

A sweep that is recorded (for higher derivatives) hands the rules tensors in place of arrays and is otherwise the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from heapq import heapify, heappop, heappush, heapreplace
from operator import attrgetter
from sys import getrefcount
from typing import Any

import numpy as np

from .blocks import BLOCKED, Stretch
from .partials import (
    SOLE,
    accumulate,
    added,
    call_lazy,
    fit,
    is_writable,
    meets_nan,
    not_differentiable,
    plain,
    pull,
    push,
    spread,
    summed,
    times,
    was_freed,
    wrong_arity,
)
from .registry import Linear, current_overrides
from .tape import Entry, Leaf
from .tensor import _wrap

__all__ = ["cone", "forward", "reverse"]

_by_index = attrgetter("index")
_float64 = np.float64


class Op:
    """What a rule receives in a recorded sweep: the entry with its tracked inputs and its output as tensors."""

    __slots__ = ("inputs", "output", "attrs")

    def __init__(self, entry: Entry) -> None:
        self.inputs = tuple([value if parent is None else _wrap(value, parent)
                             for value, parent in zip(entry.inputs, entry.parents, strict=True)])
        self.output = _wrap(entry.output, entry)
        self.attrs = entry.attrs


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


def reverse(seeds: Iterable[tuple[Entry, Any]], *, record: bool = False, stops: Collection[Entry] = (),
            asked: Collection[Entry] = (), only: AbstractSet[Entry] | None = None,
            freed_by: str | None = None) -> dict[Entry, Any]:
    """Carry cotangents from outputs back to the leaves.

    Entries are taken in falling order of their index, so that all contributions to one are in before its turn. The next
    is usually the parent of the last, and only what has to wait goes through a heap.

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

    Returns
    -------
    dict
        The cotangents of the leaves and stops that were reached, and of the entries `asked` for.

    Raises
    ------
    RuntimeError
        If an earlier sweep has freed an entry.
    """
    cotangents: dict[Entry, Any] = {}
    results: dict[Entry, Any] = {}
    waiting: list[tuple[int, Entry]] = []
    overrides = current_overrides()
    special = bool(overrides or asked or stops)
    freed = None if freed_by is None else {"freed by": freed_by}
    careful = False
    # Anything invalid (0 · inf, inf - inf) trips the hardware flag, and only that operation is then redone with care.
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="raise"):
        for root, seed in seeds:
            if root not in cotangents and root.__class__ is not Leaf:
                heappush(waiting, (-root.index, root))
            accumulate(cotangents, root, seed)
        following: Entry | None = None
        arriving: Any = None
        while True:
            # Next is the parent just reached, its cotangent in hand, unless something recorded later is waiting.
            if following is None:
                if not waiting:
                    break
                entry = heappop(waiting)[1]
                cotangent = cotangents.pop(entry)
            elif waiting and waiting[0][0] < -following.index:
                cotangents[following] = arriving
                entry = heapreplace(waiting, (-following.index, following))[1]
                cotangent = cotangents.pop(entry)
            else:
                entry = following
                cotangent = arriving
            following = None
            primitive = entry.primitive
            rule = primitive.rule
            if special:
                if entry in asked or entry in stops:
                    results[entry] = cotangent
                    if entry in stops or (only is not None and only.isdisjoint(entry.parents)):
                        continue
                rule = overrides.get(primitive.name, rule)
            if entry.inputs is None:
                raise was_freed(entry)
            number = cotangent.__class__ is _float64 and not careful
            if not (number or record or special or careful) and only is None and cotangent.nbytes >= BLOCKED:
                stretch = Stretch(entry, waiting)
                if stretch.worthwhile:
                    cotangents[entry] = cotangent
                    waiting = [pair for pair in waiting if pair[1] not in stretch.entries]
                    heapify(waiting)
                    for below, product in stretch.sweep(cotangents, reverse).items():
                        if below not in cotangents and below.__class__ is not Leaf:
                            heappush(waiting, (-below.index, below))
                        accumulate(cotangents, below, product)
                    if freed is not None:
                        for entry in stretch.entries:
                            entry.inputs = entry.output = None
                            entry.attrs = freed
                    continue
            try:
                partials = rule(Op(entry) if record else entry)  # type: ignore[misc]  # only leaves have none
            except FloatingPointError:
                with np.errstate(invalid="ignore"):
                    partials = rule(Op(entry) if record else entry)  # type: ignore[misc]  # as above
            parents = entry.parents
            if partials.__class__ is not tuple:
                partials = (partials,) if partials.__class__ is not list else tuple(partials)
            if len(partials) != len(parents):
                raise wrong_arity(primitive, partials, parents)
            position = -1
            for parent in parents:  # a counter costs half of what zip does
                position += 1
                if parent is None or (only is not None and parent not in only):
                    continue
                partial = partials[position]
                kind = partial.__class__
                if number and (kind is _float64 or kind is float):
                    try:
                        product = cotangent * partial
                    except FloatingPointError:
                        product = times(cotangent, partial)
                elif kind is int and partial:
                    product = cotangent if partial == 1 else cotangent * partial
                else:
                    if kind is not Linear and callable(partial):
                        # Held twice, as a partial is that the rule's tuple holds: `pull` counts the references.
                        called = partial = call_lazy(partial)  # noqa: F841 -- the second reference
                    if not careful and primitive.masks and meets_nan(entry, position):
                        careful = True
                    if kind is Linear and partial.add is not None and not record:
                        if parent is following:
                            total, arriving = arriving, None
                            arriving = added(total, partial, cotangent, parent.output)
                            del total  # references are counted
                            continue
                        if parent in cotangents:
                            total = cotangents.pop(parent)
                            cotangents[parent] = added(total, partial, cotangent, parent.output)
                            del total  # as above
                            continue
                        product = added(None, partial, cotangent, parent.output)
                    elif (kind is Linear and partial.reuse is not None and not record and position == len(parents) - 1
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
                if product.__class__ is not _float64 or value.__class__ is not _float64:
                    if value is None:
                        raise was_freed(parent)
                    if product.shape != value.shape or product.dtype != value.dtype:
                        product = fit(product, value, primitive)
                if parent is following:
                    arriving = summed(arriving, product)
                elif parent in cotangents:
                    if number:
                        try:
                            cotangents[parent] += product
                        except FloatingPointError:
                            cotangents[parent] = summed(cotangents[parent], product)
                    else:
                        accumulate(cotangents, parent, product)
                elif following is None and parent.__class__ is not Leaf:
                    following = parent
                    arriving = product
                else:
                    cotangents[parent] = product
                    if parent.__class__ is not Leaf:  # a leaf needs no turn: its cotangent is a result
                        heappush(waiting, (-parent.index, parent))
            if freed is not None:
                entry.inputs = entry.output = None  # marks a freed entry
                entry.attrs = freed
    results.update(cotangents)
    return results


def forward(order: Sequence[Entry], tangents: dict[Entry, Any], *, record: bool = False) -> dict[Entry, Any]:
    """Carry tangents from inputs to every entry of `order` that depends on them.

    Parameters
    ----------
    order : sequence of Entry
        In recording order, as :func:`cone` returns it.
    tangents : dict
        The tangents of the inputs by entry; the others are added to it.
    record : bool
        Hand the rules tensors, so that the result can be differentiated again.

    Returns
    -------
    dict
        `tangents`.
    """
    overrides = current_overrides()
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="raise"):
        for entry in order:
            primitive = entry.primitive
            rule = primitive.rule
            parents = entry.parents
            if rule is None or tangents.keys().isdisjoint(parents):
                continue
            if overrides:
                rule = overrides.get(primitive.name, rule)
            if entry.inputs is None:
                raise was_freed(entry)
            op = Op(entry) if record else entry
            try:
                partials = rule(op)
            except FloatingPointError:
                with np.errstate(invalid="ignore"):
                    partials = rule(op)
            if partials.__class__ is not tuple:
                partials = tuple(partials) if isinstance(partials, list) else (partials,)
            if len(partials) != len(parents):
                raise wrong_arity(primitive, partials, parents)
            total = None
            for position, (parent, partial) in enumerate(zip(parents, partials, strict=True)):
                tangent = None if parent is None else tangents.get(parent)
                if tangent is None:
                    continue
                if callable(partial):
                    partial = call_lazy(partial)
                product = push(tangent, partial)
                if product is None:
                    if partial is None:
                        raise not_differentiable(primitive, entry, position)
                    continue
                total = product if total is None else summed(total, product)
            if total is not None:
                tangents[entry] = spread(total, entry.output, primitive)
    return tangents
