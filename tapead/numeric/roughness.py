"""The slope of a function's trend, where the function is but an approximation, as of an iteration.

A solver that stops at a tolerance gives values that are exact to sixteen digits as those of a program, and right to
eight as an answer: a saw whose teeth follow the answer. Differences over small steps see the slope of a tooth, that of
the program; a polynomial over a wide window sees the slope of the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .realview import RealView

__all__ = ["trends"]

Array = np.ndarray[Any, Any]

#: Widths of the windows, relative to the larger of |x| and 1; samples in each, and the degrees of two polynomials.
WINDOWS, SAMPLES, DEGREES = (0.3, 0.1, 0.03), 32, (12, 16)
#: Coefficients beyond the last degree times this bound the error of the slope.
BOUND = 200.0
#: Coefficients that stop at so many rounding units are those of an approximation, whose bias is bounded by so many
#: times the coefficients.
FAR_ABOVE, BIAS = 200.0, 1000.0

_ANGLES = np.pi * (np.arange(SAMPLES) + 0.5) / SAMPLES
_TO_COEFFICIENTS = 2 / SAMPLES * np.cos(np.outer(np.arange(SAMPLES), _ANGLES))
#: The slopes of Chebyshev's polynomials at 0.
_SLOPES = np.arange(SAMPLES) * np.sin(np.arange(SAMPLES) * np.pi / 2)


def trends(view: RealView, column: int) -> Iterator[tuple[Array, Array, Array]]:
    """Slopes of Chebyshev polynomials through samples along a coordinate, with their error bars, window by window.

    Parameters
    ----------
    view : RealView
        The function at the point.
    column : int
        The flat input.

    Yields
    ------
    tuple of ndarray
        Slope and bar per output, the bar infinite where the window holds no polynomial; and by how much slopes may be
        off all the same, where coefficients stop falling far above rounding: what is unfinished has a bias too.
    """
    for window in WINDOWS:
        width = window * max(abs(float(view.point[column])), 1.0)
        values = np.array([view(view.moved(column, width * place)) for place in np.cos(_ANGLES)])
        coefficients = _TO_COEFFICIENTS @ values
        first, second = (_SLOPES[:degree + 1] @ coefficients[:degree + 1] / width for degree in DEGREES)
        rest = np.max(np.abs(coefficients[DEGREES[0]:]), axis=0)
        bar = BOUND * rest / width + np.abs(first - second)
        smooth = np.isfinite(bar) & (rest < 1e-5 * np.max(np.abs(coefficients[1:4]), axis=0))
        stops = np.max(np.abs(coefficients[8:12]), axis=0) < 100 * np.max(np.abs(coefficients[28:]), axis=0)
        unfinished = smooth & stops & (rest > FAR_ABOVE * view.resolution * np.max(np.abs(values), axis=0))
        yield (np.where(smooth, first, np.nan), np.where(smooth, bar, np.inf),
               np.where(unfinished, BIAS * rest / width, 0.0))
