"""Recomputing instead of storing: ``checkpoint`` for a part of a computation, ``checkpoint_scan`` for a long loop.

A checkpointed part leaves one entry per result on the tape. When a sweep comes to it, the part is run and recorded
again and the sweep goes through that record, in the order in which it would have gone through the first one. So
gradients are the same to the last bit, whatever the part reads from around it, and derivatives of any order and mode
come out of it.
"""

from __future__ import annotations

import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import comb
from typing import Any, NoReturn

import numpy as np

from .containers import flatten
from .expansion import Expansion
from .graph import cone
from .hooks import Handle
from .protocols import watch
from .registry import Primitive
from .tape import (
    Entry,
    Leaf,
    Scope,
    looking_for_anomalies,
    next_index,
    record,
    recording_scope,
    reset_current_scope,
    set_current_scope,
)
from .tensor import Tensor, _wrap
from .transforms import _Transformed

__all__ = ["checkpoint", "checkpoint_scan", "without_checkpoints"]

Function = Callable[..., Any]


def checkpoint(f: Function) -> Function:
    """A function that computes what `f` does, and whose derivatives run `f` again instead of storing its steps.

    What stays in memory between the call and the sweep are the arguments and the results. The price is one more
    evaluation of `f` per sweep (per level, where checkpoints are nested). Gradients and Jacobian-vector products are
    bit for bit those without it, with two exceptions in which sums are taken in another order: where arrays have more
    than a megabyte, and in a reverse sweep over a recorded reverse sweep.

    `f` may read tensors from around it, which are differentiated in as usual, and take and return nested containers.
    It must do the same when it is run again. Whatever else it does (printing, drawing random numbers, appending to a
    list) it does twice, so draw random numbers outside and pass them in; if its results come out different, the sweep
    raises. Arrays are not copied: those that it reads must not be written to before the sweep, which also raises.

    Parameters
    ----------
    f : callable

    Returns
    -------
    callable
        Takes the arguments of `f`. It may be called inside transforms, inside other checkpointed functions, and with
        tensors for ``backward``.

    Raises
    ------
    RuntimeError
        In the sweep, if `f` run again gives another result, or reads other tracked tensors.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> layer = ta.checkpoint(lambda x: np.sin(np.exp(x)))
    >>> ta.grad(lambda x: layer(layer(x)))(0.5) == ta.grad(lambda x: np.sin(np.exp(np.sin(np.exp(x)))))(0.5)
    np.True_
    """
    return _Transformed(_checkpoint_of, f)


def _checkpoint_of(f: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    scope = recording_scope()
    if scope is None or _recorded_in_full():
        return f(*args, **kwargs)
    leaves, rebuild = flatten((args, kwargs))

    def again(values: Sequence[Any]) -> Any:
        positional, named = rebuild(values)
        return f(*positional, **named)

    stretch = _Stretch(_called(f), again, leaves, scope)
    start = next_index()
    result = f(*args, **kwargs)
    results = flatten(result)[0]
    outside = _outside(results, start)
    stretch.constants = _constants(results, start, outside)
    stretch.stand_for(results, start, outside)
    return result


def checkpoint_scan(step: Function, state: Any, n: int, snapshots: int) -> Any:
    """Apply `step` `n` times, keeping at most `snapshots` states for the sweep.

    The reverse sweep recomputes the other states from those, on the binomial schedule of Griewank & Walther (2000,
    Algorithm 799), which is optimal: with s snapshots, of which the initial state is one, `step` is called

        r n - C(s + r, r - 1)  times more than n,

    where r is the least number of repetitions that suffices, C(s + r, s) ≥ n. A thousand steps with ten snapshots cost
    3636 calls more. Gradients are those of the plain loop as they are for :func:`checkpoint`, and all that is said of
    its function there holds for `step`, except that an array that was written to is noticed by the results alone.

    Where the graph is kept (``retain_graph``, :func:`vjp`) there are up to twice as many states in memory; a sweep that
    is itself recorded (``create_graph``) keeps everything.

    Parameters
    ----------
    step : callable
        ``step(state)`` returns the next state.
    state : array, number, tensor or container of them
        Where to start. A step that must know its number carries it in the state.
    n : int
        How many steps.
    snapshots : int
        How many states may be kept.

    Returns
    -------
    as `step` returns it

    Raises
    ------
    ValueError
        If `n` is negative or `snapshots` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> def logistic(x):
    ...     return ta.checkpoint_scan(lambda x: 3.7 * x * (1 - x), x, 100, snapshots=4)
    >>> def plain(x):
    ...     for _ in range(100):
    ...         x = 3.7 * x * (1 - x)
    ...     return x
    >>> ta.grad(logistic)(0.3) == ta.grad(plain)(0.3)
    np.True_
    """
    if n < 0 or snapshots < 1:
        raise ValueError(f"checkpoint_scan: n must not be negative and snapshots must be positive, they are {n} and "
                         f"{snapshots}")
    scope = recording_scope()
    if scope is None or _recorded_in_full():
        for _ in range(n):
            state = step(state)
        return state
    while n > 1:
        length = _split(n, snapshots)
        state = _many(step, state, length, snapshots, scope)
        n -= length
        snapshots -= 1
    return step(state) if n else state


@contextmanager
def without_checkpoints() -> Iterator[None]:
    """Record checkpointed functions in full: for those who replay the tape or judge the rules that stand on it."""
    token = _without_checkpoints.set(True)
    try:
        yield
    finally:
        _without_checkpoints.reset(token)


_without_checkpoints: ContextVar[bool] = ContextVar("tapead without checkpoints", default=False)


def _recorded_in_full() -> bool:
    """Whether checkpoints are switched off; so they are in the search for anomalies, which is to name the operation."""
    return _without_checkpoints.get() or looking_for_anomalies.get()


def _split(n: int, snapshots: int) -> int:
    """How many of `n` steps to go to the next snapshot, for the fewest recomputed steps."""
    repetitions = 1
    while comb(snapshots + repetitions, snapshots) < n:
        repetitions += 1
    return min(comb(snapshots + repetitions - 1, snapshots), n - comb(snapshots + repetitions - 2, snapshots - 1))


def _many(step: Function, state: Any, n: int, snapshots: int, scope: Scope) -> Any:
    """`n` steps of which only the first state stays; run again, they take their own snapshots."""
    leaves, rebuild = flatten(state)
    stretch = _Stretch(_called(step), lambda values: checkpoint_scan(step, rebuild(values), n, snapshots), leaves,
                       scope)
    begin = next_index()
    outside: set[Entry] = set()
    given: set[Entry | None] = set()
    for remaining in reversed(range(n)):
        start = next_index()
        state = step(state)
        results, put_back = flatten(state)
        for entry in _outside(results, start) - given:
            if entry.index > begin and not hasattr(entry, "tensor"):
                raise RuntimeError(f"checkpoint_scan: {_called(step)} reads a tensor that an earlier step made "
                                   "and that is not in the state; pass it on in the state")
            outside.add(entry)
        if remaining:
            # The record of this step is dropped; what depends on it is a leaf to the next.
            results = [value if _entry(value) is None else watch(value._value) for value in results]
            given = set(map(_entry, results))
            state = put_back(results)
    stretch.stand_for(results, start, outside)
    return state


class _StandIn(Entry):
    """The one entry of a result of a stretch."""

    __slots__ = ()

    def register_hook(self, hook: Callable[[tuple[Any, ...], tuple[Any, ...]], Any]) -> Handle:
        """Sweeps go through the stretch itself: there is no moment at which this entry has sent what it sends."""
        raise NotImplementedError(f"a hook after {self.attrs['of']}, which is checkpointed: no operation of its own "
                                  "sends gradients to its inputs; use x.register_hook on its arguments or results, "
                                  "or register_prehook")


class _Stretch:
    """A part of the computation that is not on the tape but can be run again.

    Parameters
    ----------
    name : str
        What messages call it.
    again : callable
        Runs it on the flattened arguments.
    leaves : sequence
        These arguments. Tensors are remembered by value and place on the tape, whatever is done to them later.
    scope : Scope
        Where it is recorded.
    """

    def __init__(self, name: str, again: Callable[[Sequence[Any]], Any], leaves: Iterable[Any], scope: Scope) -> None:
        self.name = name
        self.again = again
        self.leaves = [_wrap(leaf._value, leaf._entry) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        self.scope = scope
        self.parents: tuple[Entry, ...] = ()
        self.stand_ins: list[weakref.ref[Entry]] = []
        self.checksums: list[int] = []
        #: Of what the operations of a single run had for constants; None where there were several runs.
        self.constants: list[str] | None = None

    def __str__(self) -> str:
        return self.name

    def stand_for(self, results: Sequence[Any], start: int, outside: Iterable[Entry]) -> None:
        """Put one entry on the tape for each of the results recorded since `start`, in the place of their record."""
        self.parents = tuple(sorted(outside, key=lambda entry: entry.index))
        inputs = tuple([parent.output for parent in self.parents])
        made: dict[Entry, Entry] = {}
        for result, inner in _recorded(results, start):
            if inner not in made:
                made[inner] = record(_CHECKPOINT, inputs, self.parents, result._value, {"of": self}, self.scope,
                                     kind=_StandIn)
                self.stand_ins.append(weakref.ref(made[inner]))
                self.checksums.append(_checksum(result._value))
            if result._view is not None and _recorded_since(result, start):
                del result._links  # a view of what nobody can reach any more would keep its record alive
            result._entry = made[inner]

    def run(self) -> list[tuple[Entry, Entry]]:
        """Record it again: what stands for its results, and what has them."""
        token = set_current_scope(self.scope)
        start = next_index()
        try:
            with np.errstate(all="ignore"):  # the first run has warned already
                results = flatten(self.again(self.leaves))[0]
        finally:
            reset_current_scope(token)
        found = {inner: _checksum(result._value) for result, inner in _recorded(results, start)}
        # A constant may be another without any other result: at zeros, say.
        outside = _outside(results, start)
        same = self.constants is None or _constants(results, start, outside) == self.constants
        if not same or list(found.values()) != self.checksums:
            raise RuntimeError(f"checkpoint: {self.name} gave another result when it was run again for the sweep; it "
                               "draws random numbers, has a state of its own, or reads an array that has been "
                               "written to since")
        if not outside <= set(self.parents):
            raise RuntimeError(f"checkpoint: {self.name} reads other tracked tensors now that it is run again for the "
                               "sweep than when it was called; sweep before they are replaced (as optimizer.step "
                               "does), or pass them as arguments")
        pairs = [(reference(), inner) for reference, inner in zip(self.stand_ins, found, strict=True)]
        return [(old, new) for old, new in pairs if old is not None]


def _checksum(value: Any) -> int:
    return zlib.crc32(np.ascontiguousarray(value).view(np.uint8).data)


def _entry(value: Any) -> Entry | None:
    return value._entry if isinstance(value, Tensor) else None


def _recorded(results: Iterable[Any], start: int) -> list[tuple[Tensor, Entry]]:
    """Those results that were recorded since `start`, and their entries."""
    pairs = [(result, _entry(result)) for result in results]
    return [(result, entry) for result, entry in pairs
            if entry is not None and entry.index > start and not isinstance(entry, Leaf)]


def _outside(results: Iterable[Any], start: int) -> set[Entry]:
    """The entries recorded before `start`, and leaves still in use, on which results recorded since then depend."""
    pending = [entry for entry in map(_entry, results) if entry is not None and entry.index > start]
    seen: set[Entry | None] = {None, *pending}
    found: set[Entry] = set()
    for entry in pending:
        if isinstance(entry, Leaf) and getattr(entry, "tensor", _nothing)() is not None:
            found.add(entry)
        for parent in entry.parents:
            if parent not in seen:
                seen.add(parent)
                if parent.index > start:  # type: ignore[union-attr]  # None is in `seen`
                    pending.append(parent)  # type: ignore[arg-type]  # as above
                else:
                    found.add(parent)  # type: ignore[arg-type]  # as above
    return found


def _constants(results: Iterable[Any], start: int, outside: set[Entry]) -> list[str]:
    """What the entries recorded since `start`, not from `outside`, have for constants, in recording order."""
    within = cone([entry for entry in map(_entry, results) if entry is not None and entry.index > start], outside)
    return [_mark(value) for entry in within for value in (
        *(value for value, parent in zip(entry.inputs, entry.parents, strict=True) if parent is None),
        *entry.attrs.values())]


def _mark(value: Any) -> str:
    """Text that differs for what differs: arrays by their contents."""
    if isinstance(value, np.ndarray):
        return f"{value.shape} {value.dtype} {_checksum(value)}"
    if isinstance(value, (tuple, list)):
        return " ".join(map(_mark, value))
    return repr(value) if isinstance(value, (*_NUMBERS, str, slice, type(None), type(...))) else type(value).__name__


_NUMBERS = (bool, int, float, complex, np.generic)


def _nothing() -> None:
    return None


def _recorded_since(view: Tensor, start: int) -> bool:
    """Whether the whole array of which a tensor is a view was made since `start`."""
    whole = view
    while whole._view is not None:
        whole = whole._view[0]
    return whole._entry is not None and whole._entry.index > start


def _called(function: Function) -> str:
    return getattr(function, "__name__", repr(function))


def _run_again(op: Any) -> NoReturn:
    """The derivative of a stretch of the tape is in that stretch."""
    raise Expansion(op.attrs["of"].run())


def _no_kernel(*_: Any, of: _Stretch) -> NoReturn:
    raise NotImplementedError(f"checkpoint: {of.name} cannot be replayed with other values from its one entry on the "
                              "tape; record it without checkpoints")


_CHECKPOINT = Primitive("checkpoint", _no_kernel, _run_again, reads="inputs")
