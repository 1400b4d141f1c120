"""The complex step: a derivative without cancellation, where a function provably allows it.

``imag(f(x + ih)) / h`` is the derivative of an analytic f to full precision, and silently wrong for one that takes an
absolute value or a real part on the way. So the function is run on :class:`Analytic` arrays, which know only operations
that are analytic on the real line wherever their real result is finite, and raise for everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["Analytic", "complex_step"]

#: Analytic wherever they are finite on the real line.
UFUNCS = frozenset({
    np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.power, np.square, np.sqrt, np.reciprocal,
    np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p, np.sin, np.cos, np.tan, np.sinh, np.cosh, np.tanh,
    np.arcsin, np.arccos, np.arctan, np.arcsinh, np.arccosh, np.arctanh, np.matmul,
})
#: What decides a branch looks at the real part, which the step does not change.
DECIDING = frozenset({np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.isfinite,
                      np.isnan, np.isinf})
#: Linear, or sums and products of their elements.
FUNCTIONS: frozenset[Callable[..., Any]] = frozenset({
    np.sum, np.prod, np.mean, np.cumsum, np.cumprod, np.dot, np.tensordot, np.einsum, np.trace, np.diagonal, np.diag,
    np.outer, np.inner, np.kron, np.reshape, np.ravel, np.transpose, np.swapaxes, np.moveaxis, np.squeeze,
    np.expand_dims, np.broadcast_to, np.concatenate, np.stack, np.vstack, np.hstack, np.roll, np.flip, np.tile,
    np.repeat, np.where, np.diff, np.take, np.tril, np.triu, np.split, np.array_split, np.atleast_1d, np.atleast_2d,
})
#: The step; far above the smallest numbers, so far below the rounding of the real part that its square vanishes.
STEP = 1e-40


class Analytic(np.lib.mixins.NDArrayOperatorsMixin):
    """A complex array that refuses every operation that is not analytic."""

    def __init__(self, value: Any) -> None:
        self.value = np.asarray(value)

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.value.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.value.size

    @property
    def T(self) -> Analytic:  # noqa: N802 -- NumPy's name
        """The array with its axes reversed."""
        return Analytic(self.value.T)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise TypeError("an array that would not be watched any more")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs and ufunc in DECIDING:
            return ufunc(*(np.real(_inside(x)) for x in inputs))
        if kwargs.keys() - {"axis", "keepdims", "dtype"} or not (
                (ufunc in UFUNCS and method == "__call__" and not kwargs)
                or (ufunc in (np.add, np.multiply) and method in ("reduce", "accumulate"))):
            raise TypeError(f"{ufunc.__name__} is not known to be analytic")
        return Analytic(getattr(ufunc, method)(*map(_inside, inputs), **kwargs))

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        if function in (np.shape, np.ndim, np.size):
            return function(_inside(args[0]), *args[1:])
        if function not in FUNCTIONS or "out" in kwargs:
            raise TypeError(f"{function.__name__} is not known to be analytic")
        result = function(*map(_inside, args), **{name: _inside(value) for name, value in kwargs.items()})
        return [Analytic(part) for part in result] if isinstance(result, list) else Analytic(result)

    def __getitem__(self, key: Any) -> Analytic:
        return Analytic(self.value[key])

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Any:
        return (Analytic(part) for part in self.value)

    def __bool__(self) -> bool:
        raise TypeError("the truth value of an array being differentiated")

    def sum(self, axis: Any = None, keepdims: bool = False) -> Analytic:
        """``np.sum`` as a method."""
        return Analytic(self.value.sum(axis=axis, keepdims=keepdims))

    def mean(self, axis: Any = None, keepdims: bool = False) -> Analytic:
        """``np.mean`` as a method."""
        return Analytic(self.value.mean(axis=axis, keepdims=keepdims))

    def dot(self, other: Any) -> Analytic:
        """``np.dot`` as a method."""
        return Analytic(self.value.dot(_inside(other)))

    def reshape(self, *shape: Any) -> Analytic:
        """``np.reshape`` as a method."""
        return Analytic(self.value.reshape(*shape))


def _inside(value: Any) -> Any:
    if isinstance(value, Analytic):
        return value.value
    if isinstance(value, (list, tuple)):
        return type(value)(map(_inside, value))
    return value


def complex_step(function: Callable[[Any], Any], point: Any, direction: Any) -> tuple[Any, Any] | None:
    """The derivative of `function` at `point` along `direction` and its rounding error, or None where it is not proved.

    Parameters
    ----------
    function : callable
        Takes a flat array, here complex ones wrapped in :class:`Analytic`; returns a flat :class:`Analytic` array.
    point, direction : ndarray
        Flat float64 arrays.

    Returns
    -------
    tuple of ndarray, or None
        The derivative per output, and how far it moves when point and step are changed by rounding errors.
    """
    eps = np.finfo(float).eps
    moving = (direction != 0) & (point != 0)
    base = STEP * min(1.0, float(np.min(np.abs(point[moving]) / np.abs(direction[moving]), initial=1.0)))
    if base < 1e-290:
        return None
    # Other roundings of nearly the same numbers: what does not vary smoothly between the runs is error.
    turns = np.where(np.arange(len(point)) % 2, 0.83, -1.0) + 0.17 * np.sin(np.arange(len(point)))
    for spread in (1e-7, 1e-10, 2.0**-50):
        found = []
        for place in (*_PLACES, TWICE):  # at last the point itself again, with twice the step
            step = base * (1 + 0.03 * place)
            place = 0.0 if place == TWICE else place
            shifted = point * (1 + place * spread * turns)
            try:
                value = function(Analytic(shifted + 1j * (step * direction)))
            except Exception:  # whatever a function does with arrays it does not expect means: not provable
                return None
            if not isinstance(value, Analytic):
                return None
            found.append(value.value.imag / step)
        derivatives = np.array(found)
        if np.all(np.isfinite(derivatives)):
            # A smooth change is a cubic one over so short a way.
            middle = derivatives[len(_PLACES) // 2]
            rough = np.max(np.abs(_OFF_CUBIC @ derivatives[:-1]), axis=0)
            return middle, 6 * rough + 16 * eps * np.max(np.abs(derivatives), axis=0) + np.abs(derivatives[-1] - middle)
    return None


TWICE = 1 / 0.03
_PLACES = np.array([-4.0, -3.07, -1.93, -1.09, 0.0, 0.91, 2.13, 2.97, 4.0])
_CUBICS = np.vander(_PLACES, 4)
#: What is left of values at these places when the best cubic is taken away.
_OFF_CUBIC = np.eye(len(_PLACES)) - _CUBICS @ np.linalg.pinv(_CUBICS)
