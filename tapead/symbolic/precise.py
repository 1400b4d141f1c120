"""A recorded function in mpmath: the numbers that floating point rounds, to 50 digits and more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class Unavailable(Exception):
    """Raised where a function has no meaning in SymPy or mpmath; the message names it."""


class PreciseFunction:
    """A recorded function that computes in mpmath, as :func:`precise_function` returns it.

    Attributes
    ----------
    context : mpmath.MPContext
        The private mpmath context that the results belong to; its precision is the requested digits and a few more.
        Make numbers for steps with ``F.context.mpf``: arithmetic between them keeps the full precision whatever
        ``mpmath.mp.dps`` is.
    """

    context: Any

    def __call__(self, *args: Any) -> Any:
        """The outputs at `args` (arrays or numbers: floats, mpf, object arrays of them)."""
        raise NotImplementedError

    def derivative(self, args: Sequence[Any], directions: Sequence[Any]) -> Any:
        """The directional derivative by central differences in high precision, good to about half of the digits."""
        raise NotImplementedError


def precise_function(f: Callable[..., Any], args: Sequence[Any], digits: int = 50) -> PreciseFunction:
    """`f`, recorded at `args` (branches as taken there), as a function that computes to `digits` digits in mpmath.

    ``F(*new_args)`` takes one argument per argument of `f` (arguments that are not floating-point were constants in the
    recording and are ignored) and returns what `f` returns, with an object array of mpmath numbers for each array and one
    mpmath number for each scalar.

    Raises
    ------
    Unavailable
        If some recorded primitive has no meaning in high precision; the message names it.
    """
    raise NotImplementedError
