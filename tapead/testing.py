"""For test suites: strategies of arrays with hard values, a search for points where a derivative fails, a decorator.

Needs Hypothesis: ``pip install "tapead[test]"``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

try:
    import hypothesis
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError('tapead.testing needs Hypothesis, which is not installed: pip install "tapead[test]"') from error

from .checks.gradcheck import gradcheck
from .checks.report import Report

__all__ = ["Counterexample", "arrays", "find_counterexample", "gradchecked", "numbers", "shapes"]

#: Magnitudes at which derivatives go wrong: zeros of both signs, subnormal, tiny, huge, and plain ones.
_SPECIAL = (0.0, -0.0, 5e-324, 1e-300, 1e-150, 1e-8, 0.5, 1.0, -1.0, 2.0, -3.0, 1e8, 1e150)


def numbers(low: float = -np.inf, high: float = np.inf) -> st.SearchStrategy[float]:
    """Numbers in the open interval (`low`, `high`): simple ones, hard ones, and ones close to its ends.

    Examples
    --------
    >>> from tapead import testing
    >>> strategy = testing.numbers(0.0, 1.0)
    """
    edges = [low + size for size in (1e-12, 1e-6)] * bool(np.isfinite(low))
    edges += [high - size for size in (1e-12, 1e-6)] * bool(np.isfinite(high))
    special = [value for value in (*_SPECIAL, *edges) if low < value < high]
    drawn = st.floats(low if np.isfinite(low) else -1e6, high if np.isfinite(high) else 1e6, allow_nan=False,
                      exclude_min=bool(np.isfinite(low)), exclude_max=bool(np.isfinite(high)))
    return st.one_of(drawn, st.sampled_from(special)) if special else drawn


def shapes(max_axes: int = 3, max_length: int = 3) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes of arrays: 0-d, empty, with axes of length 1.

    Examples
    --------
    >>> from tapead import testing
    >>> strategy = testing.shapes(max_axes=2)
    """
    return st.lists(st.integers(0, max_length), max_size=max_axes).map(tuple)


@st.composite
def arrays(draw: Callable[..., Any], shape: Any = (), dtype: Any = float, low: float = -np.inf,
           high: float = np.inf) -> Any:
    """Arrays with hard values, ties, and now and then without contiguous memory.

    Parameters
    ----------
    shape : tuple of int, or strategy of such
        See :func:`shapes`.
    dtype : dtype
        Of the elements.
    low, high : float
        The open interval of the values.

    Examples
    --------
    >>> from tapead import testing
    >>> strategy = testing.arrays((2, 3), low=0.0)
    """
    lengths = draw(shape) if isinstance(shape, st.SearchStrategy) else tuple(shape)
    size = int(np.prod(lengths))
    values = draw(st.lists(numbers(low, high), min_size=size, max_size=size))
    array = np.array(values, dtype).reshape(lengths)
    if array.ndim and draw(st.booleans()):
        array = np.repeat(array, 2, axis=-1)[..., ::2]
    return array[()]


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
        Lines to paste.
    """

    inputs: tuple[Any, ...]
    report: Report
    reproduction: str

    def __str__(self) -> str:
        return f"{self.reproduction}\n\n{self.report}"


def find_counterexample(f: Callable[..., Any], where: Any, *, max_examples: int = 200,
                        **options: Any) -> Counterexample | None:
    """Search for a point where the derivative of `f` fails, and shrink it.

    Parameters
    ----------
    f : callable
        As for :func:`tapead.gradcheck`.
    where : strategy, (low, high), or sequence of (low, high)
        A Hypothesis strategy of inputs (tuples for several), or the open interval of each number that `f` takes.
    max_examples : int
        How many points to try at most.
    **options
        Of :func:`tapead.gradcheck`, such as ``jac=``.

    Returns
    -------
    Counterexample or None
        None if no point was found. Points where `f` itself fails or is not finite do not count.

    Examples
    --------
    >>> import numpy as np
    >>> from tapead import testing
    >>> wrong = lambda x: np.where(x < 0, 1.001, 1.0) * np.cos(x)
    >>> found = testing.find_counterexample(np.sin, (-2.0, 2.0), jac=wrong)
    >>> found.inputs[0] < 0
    True
    """
    strategy = where if isinstance(where, st.SearchStrategy) else _of_intervals(where)
    settings = {"raise_exception": False, "symbolic": False, **options}

    def fails(point: Any) -> bool:
        try:
            with np.errstate(all="ignore"):
                return gradcheck(f, _as_tuple(point), **settings).verdict == "fail"
        except (ValueError, ArithmeticError):
            return False

    try:
        point = hypothesis.find(strategy, fails, settings=hypothesis.settings(
            max_examples=max_examples, derandomize=True, database=None, deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck)))
    except hypothesis.errors.NoSuchExample:
        return None
    inputs = _as_tuple(point)
    name = getattr(f, "__name__", "f")
    text = ", ".join(repr(value.tolist() if isinstance(value, np.ndarray) else value) for value in inputs)
    arrays_in = ", ".join(f"np.array({value.tolist()!r})" if isinstance(value, np.ndarray) else repr(value)
                          for value in inputs)
    shown = ", ".join(f"{key}={getattr(value, '__name__', value)}" for key, value in options.items())
    reproduction = (f"# {name} at {text}\nimport numpy as np\nimport tapead as ta\n"
                    f"ta.gradcheck({name}, ({arrays_in},){', ' + shown if shown else ''})")
    return Counterexample(inputs, gradcheck(f, inputs, **settings), reproduction)


def _as_tuple(point: Any) -> tuple[Any, ...]:
    return point if isinstance(point, tuple) else (point,)


def _of_intervals(where: Any) -> st.SearchStrategy[Any]:
    intervals: Sequence[Any] = [where] if np.ndim(where) == 1 else where
    return st.tuples(*[numbers(float(low), float(high)) for low, high in intervals])


def gradchecked(*inputs: Any, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a function so that its derivative is checked at a point when it is defined.

    Parameters
    ----------
    *inputs
        The point.
    **options
        Of :func:`tapead.gradcheck`.

    Returns
    -------
    callable
        The decorator; what it returns is the function, with the report as ``.gradcheck_report``.

    Raises
    ------
    GradcheckError
        If the derivative is wrong at the point.

    Examples
    --------
    >>> import numpy as np
    >>> from tapead import testing
    >>> @testing.gradchecked(0.5)
    ... def f(x):
    ...     return np.sin(x) * x
    >>> f.gradcheck_report.verdict
    'pass'
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        report = gradcheck(function, inputs, **options)

        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        checked.gradcheck_report = report  # type: ignore[attr-defined]  # functions take attributes
        return checked

    return decorate
