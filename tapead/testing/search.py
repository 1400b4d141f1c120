"""The search for a point at which a derivative is wrong, as simple as possible, with lines to paste."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import hypothesis
import numpy as np
from hypothesis import strategies as st

from ..checks.gradcheck import gradcheck
from ..checks.progress import advance, doing, watched
from ..checks.report import Report
from .reproduction import reproduce
from .strategies import numbers

__all__ = ["Counterexample", "find_counterexample"]


@dataclass(frozen=True)
class Counterexample:
    """A point where a derivative is wrong, as simple as the search could make it.

    Attributes
    ----------
    inputs : tuple
        The point.
    report : Report
        What `gradcheck` says there.
    reproduction : str
        Lines to paste, which raise the same error.
    complete : bool
        Whether they were seen to; if not, what could not be written down is named in a comment among them.
    """

    inputs: tuple[Any, ...]
    report: Report
    reproduction: str
    complete: bool

    def __str__(self) -> str:
        return f"{self.reproduction}\n\n{self.report}"


def find_counterexample(f: Callable[..., Any], where: Any, *, max_examples: int = 200, seed: int | None = None,
                        **options: Any) -> Counterexample | None:
    """Search for a point where the derivative of `f` fails, and shrink it.

    Parameters
    ----------
    f : callable
        As for :func:`tapead.gradcheck`.
    where : strategy, (low, high), or sequence with one of these for each argument
        A Hypothesis strategy of inputs (tuples for several), or the open interval of each number that `f` takes.
    max_examples : int
        How many points to try at most.
    seed : int, optional
        Of the points; the same ones are tried every time by default.
    **options
        Of :func:`tapead.gradcheck`, such as ``jac=``.

    Returns
    -------
    Counterexample or None
        None if no point was found. Points where `f` itself fails or is not finite do not count.

    Raises
    ------
    ValueError
        If a point at which the derivative was wrong is right when it is tried again.

    Examples
    --------
    >>> import numpy as np
    >>> from tapead import testing
    >>> wrong = lambda x: np.where(x < 0, 1.001, 1.0) * np.cos(x)
    >>> found = testing.find_counterexample(np.sin, (-2.0, 2.0), jac=wrong)
    >>> print(found.reproduction)
    import numpy as np
    import tapead as ta
    jac = lambda x: np.where(x < 0, 1.001, 1.0) * np.cos(x)
    ta.gradcheck(np.sin, (-1.0,), jac=jac)
    """
    strategy = strategy_of(where)
    settings = {"raise_exception": False, "symbolic": False, "elsewhere": False, **options}

    def fails(point: Any) -> bool:
        advance()
        try:
            with np.errstate(all="ignore"):
                return gradcheck(f, _as_tuple(point), **settings).verdict == "fail"
        except (ValueError, ArithmeticError):
            return False

    try:
        with watched("find_counterexample"):
            doing("points")
            point = hypothesis.find(
                strategy, fails, random=None if seed is None else random.Random(seed),
                settings=hypothesis.settings(max_examples=max_examples, derandomize=seed is None, database=None,
                                             deadline=None, suppress_health_check=list(hypothesis.HealthCheck)))
    except hypothesis.errors.NoSuchExample:
        return None
    except hypothesis.errors.Flaky:
        raise ValueError("find_counterexample: the function or its derivative is not the same every time it is called "
                         "with the same inputs") from None
    inputs = _as_tuple(point)
    reproduction, complete = reproduce(f, inputs, options)
    return Counterexample(inputs, gradcheck(f, inputs, **settings), reproduction, complete)


def strategy_of(where: Any) -> st.SearchStrategy[Any]:
    """What `where` stands for, as a strategy."""
    if isinstance(where, st.SearchStrategy):
        return where
    if _is_interval(where):
        return st.tuples(numbers(*map(float, where)))
    parts: Sequence[Any] = where
    if not all(isinstance(part, st.SearchStrategy) or _is_interval(part) for part in parts):
        raise TypeError("find_counterexample: expected a Hypothesis strategy, an interval (low, high), or a sequence "
                        f"with one of these for each argument, not {where!r}")
    return st.tuples(*[part if isinstance(part, st.SearchStrategy) else numbers(*map(float, part)) for part in parts])


def _is_interval(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2 and all(
        isinstance(end, (int, float, np.integer, np.floating)) for end in value)


def _as_tuple(point: Any) -> tuple[Any, ...]:
    return point if isinstance(point, tuple) else (point,)
