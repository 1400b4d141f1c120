"""Where the time goes: what each primitive costs while it is recorded, and while sweeps pass it.

Nobody pays for this but those who profile. A block puts itself between callers and the operators and protocols of
tensors, and gives sweeps an observer; the last block to end puts everything back. Other threads go the same longer way
meanwhile, and are not counted.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from . import operators, registry, sweeps
from .observing import Observer
from .partials import plain
from .protocols import UNARY
from .registry import UFUNCS
from .tape import Entry, Leaf, is_ours, user_frame
from .tensor import Tensor

__all__ = ["Profile", "profile"]

_now = time.perf_counter
#: The profiles that are being taken in this thread or asynchronous task, the outermost first.
_taking: ContextVar[tuple[Profile, ...]] = ContextVar("tapead profiles", default=())


@dataclass
class Row:
    """What one primitive has cost.

    Attributes
    ----------
    calls, seconds, bytes : int, float, int
        Of its evaluation on tensors: how often, how long with its recording, how large the results.
    sweep_calls, sweep_seconds, sweep_bytes : int, float, int
        Of sweeps that passed what it recorded: how often, how long, how large the cotangents or tangents.
    """

    calls: int = 0
    seconds: float = 0.0
    bytes: int = 0
    sweep_calls: int = 0
    sweep_seconds: float = 0.0
    sweep_bytes: int = 0


class Profile:
    """What :func:`profile` has measured: print it, or take the numbers from `rows`, a dict of :class:`Row` by name."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.seconds = 0.0
        self._calls = 0
        self._charged = 0.0  # to all rows together: what is spent within another operation is not counted twice

    def __str__(self) -> str:
        """A table, the most expensive primitive first."""
        rows = sorted(self.rows.items(), key=lambda item: -item[1].seconds - item[1].sweep_seconds)
        total = Row(*(sum(column) for column in zip(*(asdict(row).values() for _, row in rows), strict=True)))
        cells = [["", "forward", "", "", "sweep", "", ""],
                 ["primitive", *["calls", "time", "bytes"] * 2],
                 *([name, *_cells(row)] for name, row in [*rows, ("total", total)])]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join([f"{name:<{widths[0]}}", *(f"{cell:>{width}}" for cell, width in
                                                     zip(rest, widths[1:], strict=True))]).rstrip()
                 for name, *rest in cells]
        return "\n".join([*lines, f"{_duration(self.seconds)} in the block"])

    def __repr__(self) -> str:
        return f"<Profile of {len(self.rows)} primitives, {_duration(self.seconds)}>"

    def to_dict(self) -> dict[str, dict[str, float]]:
        """The rows as plain numbers, by primitive; times in seconds."""
        return {name: asdict(row) for name, row in self.rows.items()}

    def _row(self, name: str) -> Row:
        return self.rows.setdefault(name, Row())

    def _charge(self, start: float, charged: float, end: float) -> float:
        """The time from `start` on, without what has been charged to others since."""
        alone = max(0.0, end - start - (self._charged - charged))
        self._charged += alone
        return alone


def _cells(row: Row) -> list[str]:
    return [f"{row.calls:,}", _duration(row.seconds), _size(row.bytes),
            f"{row.sweep_calls:,}", _duration(row.sweep_seconds), _size(row.sweep_bytes)]


def _duration(seconds: float) -> str:
    return f"{1e3 * seconds:,.3f} ms"


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


@contextlib.contextmanager
def profile() -> Iterator[Profile]:
    """Count and time the operations on tensors, and the sweeps over them, in a ``with`` block.

    Yields
    ------
    Profile
        ``print`` it, or ask it for ``to_dict()``. For each primitive: how often it was evaluated, the time of that and
        of recording it, the bytes of the results; and how often sweeps passed it, the time and the bytes of the
        cotangents or tangents. Time spent in operations within an operation is theirs alone. Blocks may be nested, and
        each counts what this thread or asynchronous task does in it.

    Notes
    -----
    Operations take no fast paths while a profile is taken, and sweeps go entry by entry: tapes of scalars become
    slower by a few microseconds an operation, and sweeps over arrays of megabytes by what working in blocks saves.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> with ta.profile() as p:
    ...     gradient = ta.grad(lambda x: np.sum(np.sin(x) * x))(np.ones(1000))
    >>> print(p)  # doctest: +SKIP
                forward                     sweep
    primitive     calls      time    bytes  calls      time    bytes
    sin               1  0.021 ms   8.0 kB      1  0.018 ms   8.0 kB
    multiply          1  0.013 ms   8.0 kB      1  0.015 ms   8.0 kB
    sum               1  0.014 ms      8 B      1  0.012 ms      8 B
    total             3  0.048 ms  16.0 kB      3  0.045 ms  16.0 kB
    0.242 ms in the block
    >>> p.rows["sin"].calls, p.rows["sin"].sweep_calls, p.rows["sin"].bytes
    (1, 1, 8000)
    """
    mine = Profile()
    _begin()
    token = _taking.set((*_taking.get(), mine))
    start = _now()
    try:
        yield mine
    finally:
        mine.seconds = _now() - start
        _taking.reset(token)
        _end()


# ---------------------------------------------------------------------- getting between

_OPERATORS = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "pow": np.power,
              "mod": np.remainder, "matmul": np.matmul}
_lock = threading.Lock()
_blocks = 0
_undo = contextlib.ExitStack()


def _begin() -> None:
    """Get between callers and tensors, for the first block there is."""
    global _blocks
    with _lock:
        _blocks += 1
        if _blocks > 1:
            return
        for name, ufunc in _OPERATORS.items():
            for method in (f"__{name}__", f"__r{name}__"):
                _replace(Tensor, method, _timed(getattr(Tensor, method), UFUNCS[ufunc].name))
        _replace(Tensor, "__getitem__", _timed(Tensor.__getitem__, "getitem"))
        _replace(Tensor, "__setitem__", _timed(Tensor.__setitem__, "setitem"))
        _replace(Tensor, "__array_ufunc__", _timed_ufunc(Tensor.__array_ufunc__))
        meaning = Tensor.__tapead_primitive__
        _replace(Tensor, "__tapead_primitive__", staticmethod(_timed_primitive(meaning)))
        for name in ("observe", "observe_forward"):
            _replace(sweeps, name, _observed(vars(sweeps)[name]))
        # The functions of one argument leave their fast path for NumPy's protocol, which must not lead back to it.
        _undo.callback(UNARY.update, dict(UNARY))
        UNARY.clear()
        _replace(operators, "fast_class", None)
        # Primitives remember what tensors make of them.
        registry._meanings[Tensor] = Tensor.__tapead_primitive__
        _undo.callback(registry._meanings.__setitem__, Tensor, meaning)


def _end() -> None:
    """Put everything back, after the last block there was."""
    global _blocks
    with _lock:
        _blocks -= 1
        if _blocks == 0:
            _undo.close()


def _replace(holder: Any, name: str, new: Any) -> None:
    _undo.callback(setattr, holder, name, vars(holder)[name])
    setattr(holder, name, new)


def _timed(method: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A method of tensors that applies one primitive, in a way of its own or in one that is timed itself."""
    def timed(self: Tensor, *args: Any) -> Any:
        taking = _taking.get()
        if not taking:
            return method(self, *args)
        calls = taking[-1]._calls
        watch = Watch(taking)
        result = method(self, *args)
        if result is not NotImplemented:
            watch.note(name, result, counts=taking[-1]._calls == calls)
        return result

    return timed


def _timed_ufunc(method: Callable[..., Any]) -> Callable[..., Any]:
    def timed(self: Tensor, ufunc: np.ufunc, how: str, *inputs: Any, **kwargs: Any) -> Any:
        taking = _taking.get()
        if not taking or how != "__call__" or kwargs or ufunc not in UFUNCS:
            return method(self, ufunc, how, *inputs, **kwargs)
        watch = Watch(taking)
        result = method(self, ufunc, how, *inputs)
        watch.note(UFUNCS[ufunc].name, result)
        return result

    return timed


def _timed_primitive(meaning: Callable[..., Any]) -> Callable[..., Any]:
    def timed(primitive: registry.Primitive, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        taking = _taking.get()
        if not taking:
            return meaning(primitive, inputs, attrs)
        watch = Watch(taking)
        result = meaning(primitive, inputs, attrs)
        watch.note(primitive.name, result)
        return result

    return timed


class Watch:
    """A clock for one operation, or for a sweep from one entry to the next."""

    __slots__ = ("taking", "charged", "start")

    def __init__(self, taking: tuple[Profile, ...]) -> None:
        self.taking = taking
        self.restart()

    def restart(self) -> None:
        """Start from now on."""
        self.charged = [one._charged for one in self.taking]
        self.start = _now()

    def note(self, name: str, result: Any, counts: bool = True) -> None:
        """Charge the time since the start to the evaluation of a primitive."""
        end = _now()
        entry = getattr(result, "_entry", None)
        if entry is not None and is_ours(entry.code):  # a fast path has taken this module for the user's
            frame = user_frame()
            entry.code, entry.instruction = frame.f_code, frame.f_lasti
        for one, charged in zip(self.taking, self.charged, strict=True):
            row = one._row(name)
            row.seconds += one._charge(self.start, charged, end)
            if counts:
                one._calls += 1
                row.calls += 1
                row.bytes += getattr(plain(result), "nbytes", 0)

    def note_sweep(self, name: str, size: int) -> None:
        """Charge the time since the start to a sweep that was at an entry of a primitive, and start again."""
        end = _now()
        for one, charged in zip(self.taking, self.charged, strict=True):
            row = one._row(name)
            row.sweep_calls += 1
            row.sweep_seconds += one._charge(self.start, charged, end)
            row.sweep_bytes += size
        self.restart()


def _observed(observe: Callable[..., Observer | None]) -> Callable[..., Observer | None]:
    """What gives a sweep its observer: one that measures, if it is to be measured."""
    def observed(entries: Sequence[Entry]) -> Observer | None:
        inner = observe(entries)
        taking = _taking.get()
        return Stopwatch(taking, inner or Observer(None)) if taking else inner

    return observed


class Stopwatch(Observer):
    """An observer that measures how long a sweep stays at each entry, and hands on to another one."""

    def __init__(self, taking: tuple[Profile, ...], inner: Observer) -> None:
        super().__init__(inner.anomalies, inner.ends)
        self.inner = inner
        self.at: tuple[str, int] | None = None
        self.watch = Watch(taking)

    def _move(self, entry: Entry | None, size: int = 0) -> None:
        if self.at is None:
            self.watch.restart()
        else:
            self.watch.note_sweep(*self.at)
        self.at = None if entry is None or isinstance(entry, Leaf) else (entry.primitive.name, size)

    def arrive(self, entry: Entry, cotangent: Any) -> Any:
        """Here ends the stay at the entry before."""
        self._move(entry, plain(cotangent).nbytes)
        return self.inner.arrive(entry, cotangent)

    def forward_rule(self, entry: Entry, rule: registry.Rule) -> registry.Rule:
        """Here ends the stay at the entry before."""
        self._move(entry, entry.output.nbytes)
        return self.inner.forward_rule(entry, rule)

    def finish(self, results: dict[Entry, Any]) -> None:
        """Here ends the stay at the last entry."""
        self._move(None)
        self.inner.finish(results)

    def finish_forward(self, tangents: dict[Entry, Any]) -> None:
        """Here ends the stay at the last entry."""
        self._move(None)
        self.inner.finish_forward(tangents)
