"""Where a NaN or an infinity came from: the first operation that made one from finite numbers.

Values are looked at when a sweep starts from them, and when the block ends; derivatives while they are swept. So a
NaN that ``where`` masks out, or that reaches no result in another way, is nobody's concern.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .tape import Dropped, Entry, is_ours, looking_for_anomalies, next_index, tape, user_frame

__all__ = ["AnomalyError", "detect_anomaly"]


class AnomalyError(RuntimeError):
    """An operation made a NaN or an infinity from finite numbers."""


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Raise at the first operation that makes a NaN or an infinity from finite numbers, forward or backward.

    The error names the operation, its operands, the first offending element and the line of the user's. Values are
    looked at where a sweep starts from them and, for what is left, at the end of the block; those that never reach a
    result, because ``where`` masks them for instance, are ignored. Only this thread or asynchronous task is watched.

    Raises
    ------
    AnomalyError
        At the anomaly.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> with ta.detect_anomaly():  # doctest: +ELLIPSIS
    ...     ta.grad(np.sqrt)(0.0)
    Traceback (most recent call last):
        ...
    tapead.anomaly.AnomalyError: the derivative of sqrt is infinite: the gradient inf of its input x = 0.0 ...
    """
    start = next_index()
    token = looking_for_anomalies.set(True)
    try:
        yield
        living = [entry for entry in tape() if entry.index > start]
        used = {parent for entry in living for parent in entry.parents}
        look_at_values([entry for entry in living if entry not in used])
    finally:
        looking_for_anomalies.reset(token)


def look_at_values(roots: Iterable[Entry]) -> None:
    """Raise if one of `roots` is not finite, at the operation further back that began it."""
    for root in roots:
        if _finite(root.output):
            continue
        suspects = [root]
        seen = {root}
        made = []
        for entry in suspects:
            inputs = entry.parents if entry.inputs is None else entry.inputs
            if not _finite(entry.output) and entry.parents and all(map(_known_finite, inputs)):
                made.append(entry)
            for parent, value in zip(entry.parents, inputs, strict=True):
                # A value that the tape has let go of, as of what was written into, may be known where it is used.
                if parent is not None and parent not in seen and not (_known_finite(parent.output)
                                                                      and _known_finite(value)):
                    seen.add(parent)
                    suspects.append(parent)
        if not made:
            continue  # it was given, not made
        entry = min(made, key=lambda one: one.index)
        place = _first(entry.output)
        raise AnomalyError(f"{entry.primitive.name} made {_at(entry.output, place)}{_index(place)} from finite "
                           f"numbers, {_operands(entry, place)}{_source(entry)}")


class Anomalies:
    """The search for anomalies in one sweep.

    Parameters
    ----------
    roots : iterable of Entry
        What the sweep starts from, or leads to: looked at first.
    """

    def __init__(self, roots: Iterable[Entry]) -> None:
        look_at_values(roots)
        self.first: AnomalyError | None = None

    def pulled(self, entry: Entry, position: int, cotangent: Any, product: Any) -> None:
        """Look at the cotangent that an entry sends to one of its inputs."""
        self._see(entry, position, cotangent, product, "gradient", "of its input")

    def pushed(self, entry: Entry, position: int, tangent: Any, product: Any) -> None:
        """Look at the tangent that an entry makes of that of one of its inputs."""
        self._see(entry, position, tangent, product, "tangent", "from its input")

    def _see(self, entry: Entry, position: int, before: Any, after: Any, what: str, whose: str) -> None:
        if self.first is not None or _finite(after) or not _finite(before) or not all(map(_finite, entry.inputs)):
            return
        place = _first(after)
        value = _at(after, place)
        name = _name(entry, position)
        operand = _at(entry.inputs[position], place)
        others = [_operand(entry, other, place) for other in range(len(entry.inputs)) if other != position]
        self.first = AnomalyError(
            f"the derivative of {entry.primitive.name} is {'undefined' if np.isnan(value) else 'infinite'}: the {what} "
            f"{value} {whose} {name} = {operand}{_index(place)} "
            f"{'(' + ', '.join(others) + ') ' if others else ''}came from finite numbers{_source(entry)}")

    def finish(self, results: Iterable[Any]) -> None:
        """Raise if the first anomaly has reached one of the results."""
        if self.first is not None and not all(map(_finite, results)):
            raise self.first


def _finite(value: Any) -> bool:
    """Whether all elements are finite, as far as the value is known."""
    if value is None or isinstance(value, Dropped):
        return True
    value = np.asarray(value)
    return value.dtype.kind not in "fc" or bool(np.isfinite(value).all())


def _known_finite(value: Any) -> bool:
    """Whether a value is there and has finite elements only."""
    return not (value is None or isinstance(value, (Dropped, Entry))) and _finite(value)


def _first(value: Any) -> tuple[int, ...]:
    """The place of the first element that is not finite."""
    return tuple(int(part) for part in np.argwhere(~np.isfinite(np.atleast_1d(value)))[0])[:np.ndim(value)]


def _at(value: Any, place: tuple[int, ...]) -> Any:
    """The element of a value that broadcasting puts at `place`, or else the value's shape."""
    if value is None or isinstance(value, Dropped):
        return repr(value)
    value = np.asarray(value)
    if value.ndim > len(place):
        return f"array of shape {value.shape}"
    own = place[len(place) - value.ndim:]
    own = tuple([0 if length == 1 else part for part, length in zip(own, value.shape, strict=True)])
    if any(part >= length for part, length in zip(own, value.shape, strict=True)):
        return f"array of shape {value.shape}"
    return value[own].item()


def _index(place: tuple[int, ...]) -> str:
    return f" at index {place if len(place) > 1 else place[0]}" if place else ""


def _name(entry: Entry, position: int) -> str:
    names = entry.primitive.argument_names
    return names[position] if position < len(names) else f"x{position + 1}"


def _operand(entry: Entry, position: int, place: tuple[int, ...]) -> str:
    return f"{_name(entry, position)} = {_at(entry.inputs[position], place)}"


def _operands(entry: Entry, place: tuple[int, ...]) -> str:
    return ", ".join([_operand(entry, position, place) for position in range(len(entry.inputs))])


def _source(entry: Entry) -> str:
    """The user's line, as part of a message."""
    file, line = entry.source
    if is_ours(entry.code):  # what was given to a transform is a function of NumPy's: no line of the user's called it
        frame = user_frame()
        file, line = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(file, line).strip()
    return f"; {file}:{line}" + (f": {text}" if text else "")
