"""The commonest reverse sweep: straight to the leaves, over values that fit into a cache, with nobody watching it.

A sweep over small values costs what the interpreter does between the products. So this one asks for nothing that only
other sweeps need, and leaves whatever else turns up to :func:`tapead.sweeps.reverse`, which knows everything.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush, heapreplace
from sys import getrefcount
from types import FunctionType
from typing import Any

import numpy as np

from .blocks import BLOCKED
from .expansion import Expansion, Pairs
from .guards import guards, verify
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
    summed,
    times,
    was_freed,
)
from .registry import LINEAR
from .tape import LARGE, Entry, Leaf

__all__ = ["sweep_straight"]

_float64 = np.float64
_ndarray = np.ndarray
_DOUBLE = np.dtype(float)


def sweep_straight(cotangents: dict[Entry, Any], waiting: list[tuple[int, Entry]], freed: dict[str, Any] | None,
                   clean: set[Entry], seen: Callable[[Entry], Any] | None, in_place: bool) -> Pairs | None:
    """Pass the entries that wait, in falling order of their index, until one is not of the commonest kind.

    That one waits on, and its cotangent with it. The next entry is usually the parent of the last, with its cotangent
    in hand; only what has to wait goes through the heap.

    Parameters
    ----------
    cotangents : dict
        By entry; those of the leaves are in it at the end.
    waiting : list of (int, Entry)
        A heap of the entries that have a cotangent, by falling index.
    freed : dict, optional
        What the attributes of an entry become that is freed once it is passed.
    clean : set of Entry
        Entries without NaNs, of which parts are selected.
    seen : callable, optional
        What rules get in place of an entry.
    in_place : bool
        Whether cotangents are plain arrays, which may be written into where the sweep alone holds them.

    Returns
    -------
    list of pairs of Entry, or None
        The :class:`Expansion` of the entry that now comes first, if it stands for a stretch of the tape.
    """
    pairs: Pairs | None = None
    watched = guards.data  # a dictionary is asked in C
    following: Entry | None = None
    arriving: Any = None
    while True:
        if following is None:
            if not waiting:
                return None
            entry = heappop(waiting)[1]
            cotangent = cotangents.pop(entry)
        elif waiting and waiting[0][0] < -following.index:
            cotangents[following] = arriving
            entry = heapreplace(waiting, (-following.index, following))[1]
            cotangent = cotangents.pop(entry)
        else:
            entry = following
            cotangent = arriving
        following = arriving = None
        primitive = entry.primitive
        rule: Any = primitive.rule  # only leaves have none
        if cotangent.__class__ is not _float64 and cotangent.nbytes >= BLOCKED:
            break
        if watched and entry in guards:
            verify(entry)
        if primitive.masks and _may_meet_nan(entry, clean):
            break
        try:
            partials: Any = rule(entry if seen is None else seen(entry))
        except FloatingPointError:
            break
        except Expansion as expansion:
            pairs = expansion.pairs
            break
        if partials.__class__ is not tuple:
            if partials.__class__ is list:
                break
            partials = (partials,)
        parents = entry.parents
        if len(partials) != len(parents):
            break
        position = -1
        for parent in parents:  # a counter costs half of what zip does
            position += 1
            if parent is None:
                continue
            partial = partials[position]
            kind = partial.__class__
            if kind is FunctionType:
                partial = call_lazy(partial)
                kind = partial.__class__
            value = parent.output
            if (kind is _ndarray and partial.dtype is _DOUBLE and partial.nbytes < LARGE) or (
                    kind is _float64 or kind is float):
                try:
                    product = cotangent * partial
                except FloatingPointError:
                    product = times(cotangent, partial)
            elif kind is int and partial:
                product = cotangent if partial == 1 else -cotangent if partial == -1 else times(cotangent, partial)
            elif kind in LINEAR and in_place and partial.add is not None and value is not None:
                if parent is following:
                    total, arriving = arriving, None
                    arriving = added(total, partial, cotangent, value)
                    del total  # references are counted
                    continue
                total = cotangents.pop(parent, None)
                if total is None and parent.__class__ is not Leaf:
                    if following is None:
                        following = parent
                        arriving = added(None, partial, cotangent, value)
                        continue
                    heappush(waiting, (-parent.index, parent))
                cotangents[parent] = added(total, partial, cotangent, value)
                del total  # as above
                continue
            elif (kind in LINEAR and in_place and partial.reuse is not None and position == len(parents) - 1
                    and getrefcount(cotangent) <= SOLE and is_writable(cotangent)):
                partial.reuse(cotangent)
                product = cotangent
            else:
                if kind not in LINEAR and callable(partial):  # other than a plain function
                    partial = call_lazy(partial)
                product = pull(cotangent, partial, False)
                if product is None:
                    if partial is None:
                        raise not_differentiable(primitive, entry, position)
                    product = np.zeros_like(plain(cotangent))[()]  # it takes part all the same: zero, not nothing
            if product.__class__ is not _float64 or value.__class__ is not _float64:
                if value is None:
                    raise was_freed(parent)
                if product.shape != value.shape or product.dtype is not value.dtype:
                    product = fit(product, value, primitive)
            if parent is following:
                arriving = summed(arriving, product)
            elif parent in cotangents:
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
            if watched:
                guards.pop(entry, None)
    cotangents[entry] = cotangent
    heappush(waiting, (-entry.index, entry))
    return pairs


def _may_meet_nan(entry: Entry, clean: set[Entry]) -> bool:
    """Whether anything that an entry selects from holds NaNs; what does not is remembered as clean."""
    for position, parent in enumerate(entry.parents):
        if parent is not None and parent not in clean:
            if meets_nan(entry, position):
                return True
            clean.add(parent)
    return False
