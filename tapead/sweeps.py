"""The two sweeps over the tape. Both read the same rules; everything that rules would repeat is done here, once.

The reverse sweep carries cotangents from outputs to inputs, the forward sweep tangents from inputs to outputs. They
multiply by partials, apply linear maps, un-broadcast, broadcast, conjugate, cast and accumulate. Cotangents and
tangents live in a dictionary per sweep, keyed by entry: sweeps of different transforms can never meet.

A sweep that is recorded (for higher derivatives) hands the rules tensors in place of arrays and is otherwise the same.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from operator import attrgetter
from typing import Any

import numpy as np

from .blocks import BLOCKED, Stretch
from .registry import Linear, Primitive, current_overrides
from .tape import LARGE, Entry, Leaf
from .tensor import Tensor, _wrap

__all__ = ["cone", "forward", "reverse"]

_by_index = attrgetter("index")
_getrefcount = sys.getrefcount
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
    seen = stops.union(order)
    seen.add(None)  # type: ignore[arg-type]  # constants have no entry: this spares the loop a test
    add, append = seen.add, order.append
    for entry in order:
        for parent in entry.parents:
            if parent not in seen:
                add(parent)
                append(parent)  # type: ignore[arg-type]  # None is in `seen`
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
            asked: Collection[Entry] = (), only: Collection[Entry] | None = None,
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
            _accumulate(cotangents, root, seed)
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
                raise _was_freed(entry)
            number = cotangent.__class__ is _float64 and not careful
            if not (number or record or special or careful) and only is None and cotangent.nbytes >= BLOCKED:
                stretch = Stretch(entry, waiting)
                if stretch.worthwhile:
                    cotangents[entry] = cotangent
                    waiting = [pair for pair in waiting if pair[1] not in stretch.entries]
                    heapify(waiting)
                    for parent, product in stretch.sweep(cotangents, reverse).items():
                        if parent not in cotangents and parent.__class__ is not Leaf:
                            heappush(waiting, (-parent.index, parent))
                        _accumulate(cotangents, parent, product)
                    if freed is not None:
                        for entry in stretch.entries:
                            entry.inputs = entry.output = None  # type: ignore[assignment]  # as below
                            entry.attrs = freed
                    continue
            try:
                partials = rule(Op(entry) if record else entry)  # type: ignore[misc]  # only leaves have none
            except FloatingPointError:
                with np.errstate(invalid="ignore"):
                    partials = rule(Op(entry) if record else entry)  # type: ignore[misc]  # as above
            parents = entry.parents
            if partials.__class__ is not tuple:
                partials = tuple(partials) if isinstance(partials, list) else (partials,)
            if len(partials) != len(parents):
                raise _wrong_arity(primitive, partials, parents)
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
                        product = _times(cotangent, partial)
                elif kind is int and partial:
                    product = cotangent if partial == 1 else cotangent * partial
                else:
                    if kind is not Linear and callable(partial):
                        # Held twice, as a partial is that the rule's tuple holds: `_pull` counts the references.
                        called = partial = _call(partial)  # noqa: F841 -- the second reference
                    if not careful and primitive.masks and _meets_nan(entry, position):
                        careful = True
                    product = _pull(cotangent, partial, careful)
                    if product is None:
                        if partial is None:
                            raise _not_differentiable(primitive, entry, position)
                        product = np.zeros_like(_plain(cotangent))[()]  # it takes part all the same: zero, not nothing
                value = parent.output
                if product.__class__ is not _float64 or value.__class__ is not _float64:
                    if value is None:
                        raise _was_freed(parent)
                    if product.shape != value.shape or product.dtype != value.dtype:
                        product = _fit(product, value, primitive)
                if parent is following:
                    arriving = _sum(arriving, product)
                elif parent in cotangents:
                    if number:
                        cotangents[parent] = _sum(cotangents[parent], product)
                    else:
                        _accumulate(cotangents, parent, product)
                elif following is None and parent.__class__ is not Leaf:
                    following = parent
                    arriving = product
                else:
                    cotangents[parent] = product
                    if parent.__class__ is not Leaf:  # a leaf needs no turn: its cotangent is a result
                        heappush(waiting, (-parent.index, parent))
            if freed is not None:
                entry.inputs = entry.output = None  # type: ignore[assignment]  # marks a freed entry
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
                raise _was_freed(entry)
            op = Op(entry) if record else entry
            try:
                partials = rule(op)
            except FloatingPointError:
                with np.errstate(invalid="ignore"):
                    partials = rule(op)
            if partials.__class__ is not tuple:
                partials = tuple(partials) if isinstance(partials, list) else (partials,)
            if len(partials) != len(parents):
                raise _wrong_arity(primitive, partials, parents)
            total = None
            for position, (parent, partial) in enumerate(zip(parents, partials, strict=True)):
                tangent = None if parent is None else tangents.get(parent)
                if tangent is None:
                    continue
                if callable(partial):
                    partial = _call(partial)
                product = _push(tangent, partial)
                if product is None:
                    if partial is None:
                        raise _not_differentiable(primitive, entry, position)
                    continue
                total = product if total is None else _sum(total, product)
            if total is not None:
                tangents[entry] = _spread(total, entry.output, primitive)
    return tangents


# ---------------------------------------------------------------------- one entry of a rule


def _pull(cotangent: Any, partial: Any, careful: bool) -> Any:
    """The cotangent of an input: what the adjoint of its local derivative makes of the output's cotangent."""
    kind = partial.__class__
    if kind is int:
        return cotangent if partial == 1 else -cotangent if partial == -1 else _times(cotangent, partial)
    if kind is Linear:
        return _linear(partial.adjoint, cotangent)
    if partial is None:
        return None
    if kind is complex:
        partial = partial.conjugate()
    elif kind is not float:
        letter = _letter(partial)
        if letter == "c":
            partial = np.conj(partial)
        elif letter == "b":
            return _mask(cotangent, partial)
        elif (kind is np.ndarray and not careful and partial.nbytes >= LARGE and _getrefcount(partial) <= _FRESH
              and partial.flags.owndata and partial.shape == cotangent.shape and partial.dtype == cotangent.dtype
              and cotangent.__class__ is np.ndarray):
            return _times_in_place(cotangent, partial)
    return _times(cotangent, partial, careful)


def _push(tangent: Any, partial: Any) -> Any:
    """The tangent of the output: what the local derivative makes of an input's tangent."""
    kind = partial.__class__
    if kind is int:
        return tangent if partial == 1 else -tangent if partial == -1 else _times(tangent, partial)
    if kind is Linear:
        return _linear(partial.apply, tangent)
    if partial is None:
        return None
    if kind is not float and kind is not complex and _letter(partial) == "b":
        return _mask(tangent, partial)
    return _times(tangent, partial)


def _letter(partial: Any) -> str:
    """What kind of numbers a partial holds."""
    if partial.__class__ is bool:
        return "b"
    try:
        return partial.dtype.kind  # type: ignore[no-any-return]  # of whatever array type it is
    except AttributeError:
        raise TypeError(f"a derivative rule returned {partial!r} for an input; an entry is a number, an array, "
                        "tapead.Linear, None, or a function without arguments that returns one of these") from None


def _mask(value: Any, keep: Any) -> Any:
    """`value` where `keep` is true and exactly zero elsewhere; None for nothing at all."""
    if np.shape(keep) == ():
        return value if keep else None
    return np.where(keep, value, np.zeros((), value.dtype))


def _times(factor: Any, partial: Any, careful: bool = False) -> Any:
    """``factor * partial`` where nothing times an infinite derivative is nothing."""
    if partial.__class__ is int and partial == 0:
        return None
    if not careful:
        try:
            return factor * partial
        except FloatingPointError:
            pass
    with np.errstate(invalid="ignore"):
        product = factor * partial
        first, second = _plain(factor), _plain(partial)
        # Both ways round: what is 0 · inf to one sweep is inf · 0 to the other.
        nothing = ((first == 0) & ~np.isfinite(second)) | ((second == 0) & np.isinf(first))
        if not np.any(nothing):
            return product
        zero = np.zeros((), product.dtype)
        if isinstance(product, Tensor):
            # Masking the product would leave 0 · inf in its own derivative: mask the factors.
            return np.where(nothing, zero, factor) * np.where(nothing, zero, partial)
        return np.where(nothing, zero, product)[()]


def _times_in_place(cotangent: np.ndarray, partial: np.ndarray) -> np.ndarray:
    """``cotangent * partial`` in the memory of `partial`, which nobody else can see."""
    try:
        return np.multiply(cotangent, partial, out=partial)
    except FloatingPointError:  # raised when all is computed: only 0 · inf and inf · 0 need mending
        partial[((cotangent == 0) | np.isinf(cotangent)) & np.isnan(partial)] = 0
        return partial


def _linear(function: Any, value: Any) -> Any:
    try:
        return function(value)
    except FloatingPointError:
        with np.errstate(invalid="ignore"):
            return function(value)


def _call(partial: Any) -> Any:
    try:
        return partial()
    except FloatingPointError:
        with np.errstate(invalid="ignore"):
            return partial()


def _meets_nan(entry: Entry, position: int) -> bool:
    """Whether what a selection reads from holds NaNs, so that partials further back may be NaN times zero.

    NaNs are quiet: no flag tells of them. So the rest of the sweep is careful then.
    """
    parent = entry.parents[position]
    return parent is not None and parent.primitive.rule is not None and bool(np.any(np.isnan(entry.inputs[position])))


def _plain(value: Any) -> Any:
    return value._value if value.__class__ is Tensor else value


# ---------------------------------------------------------------------- shapes, dtypes, sums


def _fit(cotangent: Any, value: Any, primitive: Primitive) -> Any:
    """A cotangent summed, cast and made real until it has the shape and dtype of `value`."""
    shape = value.shape
    if cotangent.shape != shape:
        extra = cotangent.ndim - len(shape)
        stretched = tuple([axis for axis, length in enumerate(shape, extra)
                           if length == 1 and extra >= 0 and cotangent.shape[axis] != 1])
        axes = tuple(range(extra)) + stretched
        if extra < 0 or cotangent.shape[extra:] != tuple(
                cotangent.shape[axis] if axis in stretched else length for axis, length in enumerate(shape, extra)):
            raise ValueError(f"the rule of {primitive.name!r} made a cotangent of shape {cotangent.shape} for an input of "
                             f"shape {shape}")
        cotangent = _linear(lambda c: np.sum(c, axis=axes, keepdims=True), cotangent)
        if cotangent.shape != shape:
            cotangent = np.reshape(cotangent, shape)
        if shape == () and cotangent.__class__ is np.ndarray:
            cotangent = cotangent[()]
    return _cast(cotangent, value.dtype)


def _spread(tangent: Any, value: Any, primitive: Primitive) -> Any:
    """A tangent broadcast and cast to the shape and dtype of `value`."""
    if tangent.shape != value.shape:
        try:
            tangent = np.broadcast_to(tangent, value.shape)
        except ValueError:
            raise ValueError(f"the rule of {primitive.name!r} made a tangent of shape {tangent.shape} for an output of "
                             f"shape {value.shape}") from None
    return _cast(tangent, value.dtype)


def _cast(value: Any, dtype: np.dtype[Any]) -> Any:
    if value.dtype == dtype:
        return value
    if value.dtype.kind == "c" and dtype.kind != "c":
        value = np.real(value)
    return value.astype(dtype)


def _sum(first: Any, second: Any) -> Any:
    try:
        return first + second
    except FloatingPointError:
        with np.errstate(invalid="ignore"):
            return first + second


def _accumulate(cotangents: dict[Entry, Any], entry: Entry, contribution: Any) -> None:
    """Add to an entry's cotangent, in place where the sweep alone holds its buffer."""
    previous = cotangents.pop(entry, None)
    if previous is None:
        cotangents[entry] = contribution
    elif (previous.__class__ is np.ndarray and contribution.__class__ is np.ndarray and previous.nbytes >= LARGE
          and _getrefcount(previous) <= 2 and previous.flags.owndata and previous.flags.writeable):
        try:
            previous += contribution
        except FloatingPointError:
            pass  # raised when all is added: inf - inf is the NaN it ought to be
        cotangents[entry] = previous
    else:
        cotangents[entry] = _sum(previous, contribution)


def _references(partial: Any) -> int:
    return _getrefcount(partial)


def _count_fresh() -> int:
    """How many references an array has inside `_pull` when only the rule's result tuple holds it."""
    partials = (np.empty(1),)
    partial = partials[0]  # as in `reverse`
    return _references(partial)


_FRESH = _count_fresh()


# ---------------------------------------------------------------------- errors


def _was_freed(entry: Entry) -> RuntimeError:
    return RuntimeError(f"this graph was freed by {entry.attrs['freed by']}; pass retain_graph=True there to sweep it again "
                        f"({entry!r} recorded at {entry.where})")


def _wrong_arity(primitive: Primitive, partials: Sequence[Any], parents: Sequence[Any]) -> TypeError:
    return TypeError(f"the rule of {primitive.name!r} returned {len(partials)} entries for {len(parents)} inputs")


def _not_differentiable(primitive: Primitive, entry: Entry, position: int) -> NotImplementedError:
    names = primitive.argument_names
    which = f"{names[position]!r}" if position < len(names) else f"number {position}"
    return NotImplementedError(f"{primitive.name}: no derivative with respect to argument {which} "
                               f"(shape {np.shape(entry.inputs[position])}), recorded at {entry.where}; use x.detach() there to "
                               "treat it as a constant")
