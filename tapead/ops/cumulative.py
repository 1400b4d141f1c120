"""Cumulative sums and products along one axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..registry import Linear, Primitive, RegisterGradient, add_primitive, case, implements, value_of
from .arguments import as_operand, no_out
from .axes import BACKWARDS, conjugate, times
from .indexing import along

_CASES = (case((3,), axis=0), case((2, 3), axis=1), case((3, 2), axis=-2), case((0, 2), axis=0))
_ZEROS = np.array([[2.0, 0.0, -1.5], [0.0, 3.0, 0.0], [1.0, -2.0, 0.5]])

# ---------------------------------------------------------------------- cumsum

_CUMSUM = add_primitive(Primitive("cumsum", lambda a, axis=0: np.add.accumulate(a, axis), cases=_CASES))


@RegisterGradient("cumsum", reads="nothing")
def _cumsum(op: Any) -> Any:
    """d cumsum(x) = cumsum(dx); the adjoint sums from the other end"""
    axis = op.attrs["axis"]
    back = along(axis % op.output.ndim, BACKWARDS)
    return Linear(lambda t: np.cumsum(t, axis=axis), lambda g: np.cumsum(g[back], axis=axis)[back])


# ---------------------------------------------------------------------- cumprod

_CUMPROD = add_primitive(Primitive("cumprod", lambda a, axis=0: np.multiply.accumulate(a, axis), cases=(
    *_CASES, case(_ZEROS, axis=0), case(_ZEROS, axis=1))))


@RegisterGradient("cumprod")
def _cumprod(op: Any) -> Any:
    """d yₖ = xₖ dyₖ₋₁ + yₖ₋₁ dxₖ for yₖ = xₖ yₖ₋₁: no division, so zeros do no harm"""
    (x,) = op.inputs
    axis = op.attrs["axis"] % x.ndim
    if x.shape[axis] == 0:
        return Linear(lambda t: t, lambda g: g)
    before = _shifted(op.output, axis, 1, np.ones_like)
    return Linear(lambda t: _RECURRENCE(x, times(before, t), axis=axis),
                  lambda g: times(conjugate(before), _RECURRENCE(_shifted(conjugate(x), axis, -1, np.zeros_like), g,
                                                                 axis=axis, reverse=True)))


def _shifted(x: Any, axis: int, step: int, fill: Any) -> Any:
    """x moved along by one place forwards (`step` 1) or backwards (-1), the gap filled."""
    gap = fill(value_of(x[along(axis, slice(1))]))
    rest = x[along(axis, slice(-1) if step == 1 else slice(1, None))]
    return np.concatenate([gap, rest] if step == 1 else [rest, gap], axis=axis)


# ---------------------------------------------------------------------- recurrence


def _recurrence_kernel(a: Any, b: Any, axis: int = 0, reverse: bool = False) -> Any:
    """sₖ = aₖ sₖ₋₁ + bₖ along an axis, from s₋₁ = 0; from the far end where `reverse`"""
    place = along(axis, BACKWARDS if reverse else slice(None))
    factors = np.moveaxis(np.asarray(a)[place], axis, 0)
    result = np.array(np.moveaxis(np.asarray(b)[place], axis, 0), dtype=np.result_type(a, b))
    if len(result) > _LONG:
        try:
            doubled = _by_doubling(factors, result)
        except FloatingPointError:
            doubled = None
        if doubled is not None:
            return np.moveaxis(doubled, 0, axis)[place]
    for step in range(1, len(result)):
        result[step] += factors[step] * result[step - 1]
    return np.moveaxis(result, 0, axis)[place]


#: From this length on a loop over the elements costs more than log2(n) passes over all of them.
_LONG = 32


def _by_doubling(factors: Any, terms: Any) -> Any:
    """The recurrence in log2(n) passes; raises where a product of neighbours leaves the range."""
    result, products = terms.copy(), np.array(factors, dtype=terms.dtype)
    with np.errstate(over="raise", under="raise", invalid="raise"):
        step = 1
        while step < len(result):
            result[step:] += products[step:] * result[:-step]
            products[step:] = products[step:] * products[:-step]
            step *= 2
    return result


_RECURRENCE = add_primitive(Primitive("recurrence", _recurrence_kernel, cases=(
    case((4,), (4,), axis=0), case((2, 3), (2, 3), axis=1), case((3, 2), (3, 2), axis=0, reverse=True),
    case((40,), (40,), axis=0))))


@RegisterGradient("recurrence")
def _recurrence(op: Any) -> Any:
    """d sₖ = aₖ dsₖ₋₁ + sₖ₋₁ daₖ + dbₖ; the adjoint is the same recurrence from the other end"""
    a, axis, reverse = op.inputs[0], op.attrs["axis"], op.attrs.get("reverse", False)
    step = -1 if reverse else 1

    def back(g: Any) -> Any:
        return _RECURRENCE(_shifted(conjugate(a), axis, -step, np.zeros_like), g, axis=axis, reverse=not reverse)

    def in_factors() -> Linear:
        before = _shifted(op.output, axis, step, np.zeros_like)
        return Linear(lambda t: _RECURRENCE(a, times(before, t), axis=axis, reverse=reverse),
                      lambda g: times(conjugate(before), back(g)))

    return in_factors, lambda: Linear(lambda t: _RECURRENCE(a, t, axis=axis, reverse=reverse), back)


# ---------------------------------------------------------------------- NumPy's functions


def _accumulate(primitive: Primitive, function: Any, a: Any, axis: int | None, dtype: Any, out: Any) -> Any:
    no_out(f"np.{primitive.name}", out)
    a = as_operand(a)
    if axis is None or a.ndim == 0:
        a, axis = np.reshape(a, (-1,)), 0 if axis is None else axis
    if dtype is not None and np.dtype(dtype).kind not in "fc":
        return function(value_of(a), axis=axis, dtype=dtype)
    if dtype is not None and a.dtype != dtype:
        a = a.astype(dtype)
    return primitive(a, axis=axis)


@implements(np.cumsum)
def _cumsum_of(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    return _accumulate(_CUMSUM, np.cumsum, a, axis, dtype, out)


@implements(np.cumprod)
def _cumprod_of(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    return _accumulate(_CUMPROD, np.cumprod, a, axis, dtype, out)


def _cumulative(function: Any, neutral: Any, name: str, x: Any, axis: int | None, dtype: Any, out: Any,
                include_initial: bool) -> Any:
    no_out(f"np.{name}", out)
    x = as_operand(x)
    if x.ndim == 0:
        x = np.reshape(x, (1,))
    if axis is None:
        if x.ndim > 1:
            raise ValueError(f"np.{name}: an array of more than one dimension, here of shape {x.shape}, needs axis=")
        axis = 0
    result = function(x, axis=axis, dtype=dtype)
    if not include_initial:
        return result
    start = list(result.shape)
    start[axis] = 1
    return np.concatenate([neutral(value_of(result), shape=tuple(start)), result], axis=axis)


if hasattr(np, "cumulative_sum"):  # since NumPy 2.1
    @implements(np.cumulative_sum)
    def _cumulative_sum_of(x: Any, /, *, axis: int | None = None, dtype: Any = None, out: Any = None,
                           include_initial: bool = False) -> Any:
        return _cumulative(np.cumsum, np.zeros_like, "cumulative_sum", x, axis, dtype, out, include_initial)

    @implements(np.cumulative_prod)
    def _cumulative_prod_of(x: Any, /, *, axis: int | None = None, dtype: Any = None, out: Any = None,
                            include_initial: bool = False) -> Any:
        return _cumulative(np.cumprod, np.ones_like, "cumulative_prod", x, axis, dtype, out, include_initial)
