"""``@gradchecked(...)``: a function whose derivative is checked where it is defined, or a test of one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from ..checks.gradcheck import gradcheck
from ..checks.report import GradcheckError, Report
from .search import find_counterexample

__all__ = ["gradchecked"]


def gradchecked(*inputs: Any, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a function so that its derivative is checked.

    A function whose name begins with ``test`` becomes a test without arguments: the check takes place when pytest calls
    it. Any other is checked when it is defined, and is then as it was.

    Parameters
    ----------
    *inputs
        The point; or a strategy for each argument (see :func:`tapead.testing.arrays`), to search for a point at which
        the derivative is wrong.
    **options
        Of :func:`tapead.gradcheck`, or of :func:`tapead.testing.find_counterexample` where there are strategies.

    Returns
    -------
    callable
        The decorator. What it makes of a function that is no test has the report as ``.gradcheck_report`` (None after
        a search).

    Raises
    ------
    GradcheckError
        If the derivative is wrong; after a search with the lines that reproduce it.

    Examples
    --------
    >>> import numpy as np
    >>> from tapead import testing
    >>> @testing.gradchecked(0.5)
    ... def f(x):
    ...     return np.sin(x) * x
    >>> f.gradcheck_report.verdict
    'pass'

    >>> @testing.gradchecked(testing.numbers(-2.0, 2.0), max_examples=20)
    ... def test_softplus(x):
    ...     return np.logaddexp(0.0, x)
    >>> test_softplus()
    """

    def check(function: Callable[..., Any]) -> Report | None:
        if not any(isinstance(value, st.SearchStrategy) for value in inputs):
            return gradcheck(function, inputs, **options)
        where = [value if isinstance(value, st.SearchStrategy) else st.just(value) for value in inputs]
        found = find_counterexample(function, where, **options)
        if found is not None:
            raise GradcheckError(found.report, found.reproduction)
        return None

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if function.__name__.startswith("test"):
            def test() -> None:
                check(function)

            # Without functools.wraps: pytest would look for fixtures with the names of the arguments.
            test.__name__, test.__qualname__ = function.__name__, function.__qualname__
            test.__module__, test.__doc__ = function.__module__, function.__doc__
            return test

        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        checked.gradcheck_report = check(function)  # type: ignore[attr-defined]  # functions take attributes
        return checked

    return decorate
