"""One question put to every checker: is this derivative of this function right at this point?

tapead's own derivative is asked about with the wrong rule registered. Every other checker is given the function and its
derivative as a black box: NumPy forward, and backward whatever the wrong rule makes of a cotangent.
"""

from __future__ import annotations

import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

import tapead as ta

from .mutants import Mutant
from .points import Point

#: After so many seconds a checker has given no answer.
PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    """What a checker says: ``"fail"``, ``"pass"``, ``"kink"``, ``"inconclusive"``, ``"raised"`` or ``"no answer"``."""

    verdict: str
    seconds: float
    detail: str = ""

    @property
    def caught(self) -> bool:
        return self.verdict in ("fail", "raised")


class TooLong(BaseException):
    """Raised in a check that takes longer than anybody would wait."""


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def asked(checker: Callable[[Point, Mutant | None], tuple[str, str]], point: Point, mutant: Mutant | None) -> Answer:
    """A checker's answer, and how long it took."""
    rules = {} if mutant is None else {point.name: mutant.rule}
    start = time.perf_counter()
    try:
        with patience(PATIENCE), warnings.catch_warnings(), ta.override_gradient(rules), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            verdict, detail = checker(point, mutant)
    except TooLong:
        verdict, detail = "no answer", f"after {PATIENCE:g} s"
    except Exception as error:  # whatever a wrong derivative makes a checker raise
        verdict, detail = "raised", f"{type(error).__name__}: {error}"
    return Answer(verdict, time.perf_counter() - start, detail)


def fresh(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(np.array(x)[()] for x in inputs)


# ---------------------------------------------------------------------- tapead


def own(point: Point, mutant: Mutant | None) -> tuple[str, str]:
    """``gradcheck`` on tapead's own derivative."""
    order = 1 if mutant is None else mutant.order
    report = ta.gradcheck(point.function, fresh(point.inputs), order=order, symbolic=False, raise_exception=False)
    return report.verdict, str(report)


def black_box(point: Point, mutant: Mutant | None) -> tuple[str, str]:
    """``gradcheck`` on a black box with ``vjp=`` and ``jvp=``."""
    report = ta.gradcheck(point.value, fresh(point.inputs), vjp=pulled(point, mutant), jvp=pushed(point, mutant),
                          symbolic=False, raise_exception=False)
    return report.verdict, str(report)


def pulled(point: Point, mutant: Mutant | None) -> Callable[..., tuple[Any, ...]]:
    """``vjp(*inputs, cotangent)`` by the rule in force."""

    def vjp(*given: Any) -> tuple[Any, ...]:
        if mutant is None or not mutant.spoils:
            return ta.vjp(point.function, *given[:-1])[1](given[-1])  # type: ignore[no-any-return]  # a tuple
        with ta.override_gradient({point.name: point.primitive.rule}):
            result = ta.vjp(point.function, *given[:-1])[1](given[-1])
        spoil(given[:-1] if mutant.spoils == "input" else given[-1:])
        return result  # type: ignore[no-any-return]  # a tuple

    return vjp


def pushed(point: Point, mutant: Mutant | None) -> Callable[..., Any]:
    """``jvp(*inputs, *tangents)`` by the rule in force."""

    def jvp(*given: Any) -> Any:
        count = len(given) // 2
        if mutant is None or not mutant.spoils:
            return ta.jvp(point.function, given[:count], given[count:])[1]
        with ta.override_gradient({point.name: point.primitive.rule}):
            result = ta.jvp(point.function, given[:count], given[count:])[1]
        spoil(given[:count] if mutant.spoils == "input" else given[count:])
        return result

    return jvp


def spoil(arrays: tuple[Any, ...]) -> None:
    """Write into arrays that belong to somebody else. A copy that the sweep made would hide it from everybody."""
    for array in arrays:
        if isinstance(array, np.ndarray):
            array *= 1.5


Checker = Callable[[Point, Mutant | None], tuple[str, str]]
CHECKERS: dict[str, Checker] = {"tapead": own, "tapead, black box": black_box}
