"""Derivatives by differences, each with an error bar that can be trusted.

Nothing here knows of rules, tapes or tensors: functions are called on plain arrays and numbers. How the bars come about
is told in :mod:`tapead.numeric.differences`; functions that are provably analytic get the complex step as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..containers import flatten
from .realview import RealView, described, to_real

__all__ = ["Estimate", "derivative", "gradient", "jacobian", "jvp"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Estimate:
    """A derivative with its error bar.

    Attributes
    ----------
    value : array or number
        The derivative; at a kink the mean of the one-sided slopes, NaN where there is none.
    error : array or number
        A bound on the absolute error of each entry; infinite where nothing is known.
    kink : array or bool
        Where the slopes on either side differ by more than their error bars.
    left, right : arrays or numbers
        The one-sided slopes; NaN on a side where the function is not defined.
    method : str
        ``"differences"`` or ``"complex step"``.

    Examples
    --------
    >>> import numpy as np
    >>> from tapead import numeric
    >>> estimate = numeric.derivative(np.sin, 0.0)
    >>> bool(abs(estimate.value - 1) <= estimate.error < 1e-10)
    True
    """

    value: Any
    error: Any
    kink: Any
    left: Any
    right: Any
    method: str = "differences"

    def __str__(self) -> str:
        return f"{self.value} ± {self.error:.1e}" if np.ndim(self.error) == 0 else f"{self.value} ± {self.error}"


def _estimate(view: RealView, directions: Sequence[int | Array], complex_step: bool) -> Estimate:
    """Slopes along directions as an Estimate of arrays (directions, outputs)."""
    found = view.columns(directions)
    value, error, method = found.value.copy(), found.error.copy(), "differences"
    if complex_step:
        improved = False
        for row, direction in enumerate(directions):
            analytic = view.complex_step(direction)
            if analytic is None:
                break
            better = (analytic[1] < error[row]) & (np.abs(analytic[0] - value[row]) <= 3 * error[row])
            value[row] = np.where(better, analytic[0], value[row])
            error[row] = np.where(better, analytic[1], error[row])
            improved = improved or bool(np.any(better))
        method = "complex step" if improved else method
    left, right = (np.where(np.isfinite(bar), side, np.nan)
                   for side, bar in ((found.left, found.left_error), (found.right, found.right_error)))
    return Estimate(value, error, found.kink, left, right, method)


def _view(f: Callable[..., Any], args: Sequence[Any], name: str) -> RealView:
    for position, leaf in enumerate(flatten(tuple(args))[0]):
        if np.asarray(leaf).dtype.kind not in "fc" and not isinstance(leaf, (int, float)):
            raise TypeError(f"{name}: argument {position} is {described(np.asarray(leaf))}; expected floating-point "
                            "numbers")
    view = RealView(f, [float(x) if isinstance(x, int) else x for x in args])
    if not np.all(np.isfinite(view.here)):
        raise ValueError(f"{name}: the function is not finite at the point itself")
    return view


def _shaped(estimate: Estimate, shape: tuple[int, ...], transpose: bool = True) -> Estimate:
    def arranged(array: Any) -> Any:
        return np.reshape(array.T if transpose else array, shape)[()]

    return Estimate(arranged(estimate.value), arranged(estimate.error), arranged(estimate.kink),
                    arranged(estimate.left), arranged(estimate.right), estimate.method)


def derivative(f: Callable[..., Any], x: Any, direction: Any = None, *, complex_step: bool = True) -> Estimate:
    """The derivative of `f` at `x`, along `direction` where `x` is an array.

    Parameters
    ----------
    f : callable
        Takes a number or array; returns a number or array.
    x : number or array
        The point.
    direction : array, optional
        Of the shape of `x`; may be left out for a number.
    complex_step : bool
        Whether to sharpen the result by the complex step where `f` is provably analytic.

    Returns
    -------
    Estimate
        Of the shape of the function's result.

    Examples
    --------
    >>> import numpy as np
    >>> from tapead import numeric
    >>> wide = numeric.derivative(lambda x: float(1e10 + np.sin(x)), 1.0)
    >>> bool(abs(wide.value - np.cos(1.0)) <= wide.error), bool(wide.error > 1e-9)
    (True, True)
    """
    if direction is None:
        if np.ndim(x) != 0:
            raise ValueError("derivative: x is an array, along which direction? Pass direction=, or use gradient or "
                             "jacobian")
        view = _view(f, (x,), "derivative")
        return _shaped(_estimate(view, [0], complex_step), np.shape(view.outputs[0]))
    return jvp(f, (x,), (direction,), complex_step=complex_step)


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *,
        complex_step: bool = True) -> Estimate:
    """The derivative of ``f(*primals)`` along `tangents`.

    Parameters
    ----------
    f : callable
        Returns a number or a real array.
    primals, tangents : sequences of arrays or numbers
        The point and the direction, of the same shapes.
    complex_step : bool
        As for :func:`derivative`.

    Returns
    -------
    Estimate
        Of the shape of the function's result.

    Examples
    --------
    >>> import numpy as np
    >>> from tapead import numeric
    >>> estimate = numeric.jvp(np.dot, ([1.0, 2.0], [3.0, 4.0]), ([1.0, 0.0], [0.0, 1.0]))
    >>> round(float(estimate.value), 9)
    5.0
    """
    points = [np.asarray(x, dtype=None if np.asarray(x).dtype.kind in "fc" else float)[()] for x in primals]
    if [np.shape(x) for x in points] != [np.shape(t) for t in tangents]:
        raise ValueError(f"jvp: tangents of shapes {[np.shape(t) for t in tangents]} for primals of shapes "
                         f"{[np.shape(x) for x in points]}")
    view = _view(f, points, "jvp")
    return _shaped(_estimate(view, [to_real(tangents)], complex_step), np.shape(view.outputs[0]))


def jacobian(f: Callable[..., Any], x: Any, *, complex_step: bool = True) -> Estimate:
    """The Jacobian of `f` at `x`, with an error bar per entry.

    Parameters
    ----------
    f : callable
        Takes an array or number; returns an array or number.
    x : array or number
        The point.
    complex_step : bool
        As for :func:`derivative`.

    Returns
    -------
    Estimate
        Of shape ``f(x).shape + x.shape``.

    Examples
    --------
    >>> import numpy as np
    >>> from tapead import numeric
    >>> numeric.jacobian(lambda x: x[0] * x, np.array([2.0, 3.0])).value.round(6)
    array([[4., 0.],
           [3., 2.]])
    """
    point = np.asarray(x, dtype=None if np.asarray(x).dtype.kind in "fc" else float)
    view = _view(f, (point,), "jacobian")
    shape = np.shape(view.outputs[0]) + point.shape
    return _shaped(_estimate(view, range(point.size), complex_step), shape)


def gradient(f: Callable[..., Any], x: Any, *, complex_step: bool = True) -> Estimate:
    """The gradient of a function of one array that returns one number; see :func:`jacobian`.

    Examples
    --------
    >>> import numpy as np
    >>> from tapead import numeric
    >>> numeric.gradient(lambda x: np.sum(x**2), np.array([1.0, 2.0])).value.round(9)
    array([2., 4.])
    """
    found = jacobian(f, x, complex_step=complex_step)
    if np.shape(found.value) != np.shape(x):
        raise ValueError("gradient: the function must return one number; use jacobian")
    return found
