"""Arithmetic ufuncs: sums, products, quotients, powers, remainders, extremes, signs."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..registry import (
    MINUS_ONE,
    ONE,
    Linear,
    NotDifferentiable,
    RegisterGradient,
    Scaled,
    ufunc_primitive,
    value_of,
)

_POSITIVE = (0.0, np.inf)
_REAL = (-np.inf, np.inf)


def is_complex(x: Any) -> bool:
    """Whether an array, number or tensor is complex."""
    dtype = getattr(x, "dtype", None)
    return isinstance(x, complex) if dtype is None else dtype.kind == "c"


def holds_anywhere(condition: Any) -> bool:
    """Whether a comparison's result is true for any element; for one number this costs next to nothing."""
    if condition.__class__ in _TRUTH:
        return bool(condition)
    plain = condition.__class__ is np.ndarray and condition.dtype == bool
    return bool(np.count_nonzero(condition) if plain else np.any(condition))  # counting is several times faster


_TRUTH = frozenset([bool, np.bool])
_DOUBLE = np.dtype(np.float64)


# ---------------------------------------------------------------------- sums and products

ufunc_primitive(np.add, sympy="x + y")
ufunc_primitive(np.subtract, sympy="x - y")
ufunc_primitive(np.multiply, sympy="x*y")
ufunc_primitive(np.divide, sympy="x/y", kinks="y")
ufunc_primitive(np.negative, sympy="-x")
ufunc_primitive(np.positive, sympy="x")
ufunc_primitive(np.reciprocal, sympy="1/x", kinks="x")
ufunc_primitive(np.square, sympy="x**2")


@RegisterGradient("add", reads="nothing")
def _add(op: Any) -> Any:
    """d (x + y) = dx + dy"""
    return ONE, ONE


@RegisterGradient("subtract", reads="nothing")
def _subtract(op: Any) -> Any:
    """d (x - y) = dx - dy"""
    return ONE, MINUS_ONE


@RegisterGradient("multiply", reads="factors")
def _multiply(op: Any) -> Any:
    """d (x y) = y dx + x dy"""
    x, y = op.inputs
    return y, x


@RegisterGradient("divide", reads=lambda entry: "factors" if entry.parents[1] is None else "all")
def _divide(op: Any) -> Any:
    """d (x / y) = dx / y - (x / y) / y dy"""
    y = op.inputs[1]
    return lambda: _inverse(y), lambda: -op.output / y


def _inverse(y: Any) -> Any:
    """1 / y, infinite where y is a Python zero too"""
    try:
        return 1 / y
    except ZeroDivisionError:
        return np.divide(1.0, y)


@RegisterGradient("negative", reads="nothing")
def _negative(op: Any) -> Any:
    """d (-x) = -dx"""
    return MINUS_ONE


@RegisterGradient("positive", reads="nothing")
def _positive(op: Any) -> Any:
    """d (+x) = dx"""
    return ONE


@RegisterGradient("reciprocal", reads="output")
def _reciprocal(op: Any) -> Any:
    """d (1 / x) = -1 / x² dx"""
    return -op.output * op.output


@RegisterGradient("square", reads="inputs")
def _square(op: Any) -> Any:
    """d x² = 2x dx"""
    return _twice(op.inputs[0])


#: From this many bytes on, a partial that is twice an array is not worth multiplying out.
_LARGE = 1 << 15


def _twice(x: Any) -> Any:
    """2 x, to be multiplied out by a sweep where x is large"""
    return Scaled(2.0, x) if x.__class__ is np.ndarray and x.dtype is _DOUBLE and x.nbytes >= _LARGE else 2 * x


# ---------------------------------------------------------------------- powers

ufunc_primitive(np.power, sympy="x**y", domain=(_POSITIVE, _REAL))
ufunc_primitive(np.float_power, sympy="x**y", domain=(_POSITIVE, _REAL))
ufunc_primitive(np.sqrt, sympy="sqrt(x)", domain=(_POSITIVE,))
ufunc_primitive(np.cbrt, sympy="sign(x)*Abs(x)**Rational(1, 3)", kinks="x")


@RegisterGradient("power", reads=lambda entry: "inputs" if entry.parents[1] is None else "all")
def _power(op: Any) -> Any:
    """d x^y = y x^(y-1) dx + x^y log(x) dy"""
    x, y = op.inputs
    return lambda: _power_in_base(operator.pow, x, y), lambda: _power_in_exponent(x, y, op.output)


@RegisterGradient("float_power")
def _float_power(op: Any) -> Any:
    """d x^y = y x^(y-1) dx + x^y log(x) dy, in double precision"""
    x, y = op.inputs
    return lambda: _power_in_base(np.float_power, x, y), lambda: _power_in_exponent(x, y, op.output)


def _power_in_base(power: Callable[..., Any], x: Any, y: Any) -> Any:
    """y x^(y-1), and 0 for y = 0 at x = 0"""
    if (y.__class__ is int or y.__class__ is float) and abs(y) >= 1:
        return _twice(x) if y == 2 else y * power(x, y - 1)
    exponent = _floating(y) - 1
    undefined = (y == 0) & (x == 0)
    if holds_anywhere(undefined):
        exponent = np.where(undefined, 0, exponent)
    try:
        with np.errstate(over="raise"):
            return y * power(x, exponent)
    except FloatingPointError:  # a small y may make up for it
        slope = power(x, exponent)
        overflown = np.isinf(value_of(slope)) & (value_of(x) != 0)
        return np.where(overflown, y / np.where(overflown, x, 1.0) * power(x, y), y * slope)


def _power_in_exponent(x: Any, y: Any, power: Any) -> Any:
    """x^y log(x); at x = 0 it is 0 for y > 0 and -inf for y <= 0"""
    x = _floating(x)
    if is_complex(power) and not is_complex(x):
        x = x + 0j  # the logarithm of a negative number, as the power takes it
    zero = x == 0
    if not holds_anywhere(zero):
        return power * np.log(x)
    return np.where(zero, np.where(y > 0, 0.0, -np.inf), power * np.log(np.where(zero, 1, x)))


def _floating(x: Any) -> Any:
    """x, in double precision where it holds integers: small ones have logarithms of few digits, unsigned ones no -1"""
    return x * 1.0 if getattr(getattr(x, "dtype", None), "kind", "f") in "iub" else x


@RegisterGradient("sqrt", reads="output")
def _sqrt(op: Any) -> Any:
    """d √x = 1 / (2 √x) dx"""
    return 0.5 / (op.output + 0.0)  # of -0.0 too it is +inf


@RegisterGradient("cbrt", reads="output")
def _cbrt(op: Any) -> Any:
    """d x^(1/3) = 1 / (3 x^(2/3)) dx"""
    return 1 / (3 * op.output * op.output)


# ---------------------------------------------------------------------- remainders

ufunc_primitive(np.remainder, sympy="x - y*floor(x/y)", kinks="sin(pi*x/y)*y")
ufunc_primitive(np.fmod, sympy="x - y*sign(x/y)*floor(Abs(x/y))", kinks="sin(pi*x/y)*y")
for _ufunc in (np.floor_divide, np.floor, np.ceil, np.trunc, np.rint, np.spacing, np.signbit):
    NotDifferentiable(ufunc_primitive(_ufunc).name)


@RegisterGradient("remainder", reads="inputs")
def _remainder(op: Any) -> Any:
    """d (x mod y) = dx - floor(x / y) dy"""
    x, y = op.inputs
    return ONE, lambda: -np.floor_divide(x, y)


@RegisterGradient("fmod")
def _fmod(op: Any) -> Any:
    """d fmod(x, y) = dx - trunc(x / y) dy"""
    x, y = op.inputs
    # Taken from the result: x / y may round up to the next integer.
    return ONE, lambda: -np.rint((x - op.output) / y)


# ---------------------------------------------------------------------- extremes and signs

ufunc_primitive(np.maximum, sympy="Max(x, y)", kinks="x - y")
ufunc_primitive(np.minimum, sympy="Min(x, y)", kinks="x - y")
ufunc_primitive(np.fmax, sympy="Max(x, y)", kinks="x - y").masks = True
ufunc_primitive(np.fmin, sympy="Min(x, y)", kinks="x - y").masks = True
ufunc_primitive(np.absolute, sympy="Abs(x)", kinks="x")
ufunc_primitive(np.fabs, sympy="Abs(x)", kinks="x")
ufunc_primitive(np.sign, sympy="sign(x)", kinks="x")
ufunc_primitive(np.copysign, sympy="Abs(x)*sign(y)", kinks="x*y")
ufunc_primitive(np.heaviside, sympy="Heaviside(x, y)", kinks="x")
ufunc_primitive(np.nextafter, sympy="x")
ufunc_primitive(np.conjugate, sympy="conjugate(x)")


def _share(wins: Any, ties: Any) -> Any:
    """1 where an operand wins, a half where both tie, 0 where it loses"""
    return np.where(ties, 0.5, wins) if holds_anywhere(ties) else wins


@RegisterGradient("maximum", reads="inputs")
def _maximum(op: Any) -> Any:
    """d max(x, y) = dx where x > y, dy where y > x, half of each where they tie"""
    x, y = op.inputs
    ties = x == y
    return lambda: _share(x > y, ties), lambda: _share(y > x, ties)


@RegisterGradient("minimum", reads="inputs")
def _minimum(op: Any) -> Any:
    """d min(x, y) = dx where x < y, dy where y < x, half of each where they tie"""
    x, y = op.inputs
    ties = x == y
    return lambda: _share(x < y, ties), lambda: _share(y < x, ties)


@RegisterGradient("fmax", reads="inputs")
def _fmax(op: Any) -> Any:
    """d fmax(x, y): that of max(x, y), and the other operand's where one is NaN"""
    x, y = op.inputs
    ties = x == y
    return lambda: _share((x > y) | np.isnan(y), ties), lambda: _share((y > x) | np.isnan(x), ties)


@RegisterGradient("fmin", reads="inputs")
def _fmin(op: Any) -> Any:
    """d fmin(x, y): that of min(x, y), and the other operand's where one is NaN"""
    x, y = op.inputs
    ties = x == y
    return lambda: _share((x < y) | np.isnan(y), ties), lambda: _share((y < x) | np.isnan(x), ties)


@RegisterGradient("absolute")
def _absolute(op: Any) -> Any:
    """d |x| = sign(x) dx, for complex x Re(conj(x) dx) / |x|, and 0 at 0"""
    (x,) = op.inputs
    if not is_complex(x):
        return np.sign(x)
    direction = x / nonzero(op.output)
    return Linear(lambda t: np.real(np.conj(direction) * t), lambda g: g * direction)


def nonzero(r: Any) -> Any:
    """r, and 1 where it is 0: for quotients whose numerator is 0 there too"""
    zero = r == 0
    return np.where(zero, 1, r) if holds_anywhere(zero) else r


@RegisterGradient("sign")
def _sign(op: Any) -> Any:
    """d sign(x) = 0, for complex x what is at right angles to x in dx / |x|, and 0 at 0"""
    (x,) = op.inputs
    if not is_complex(x):
        return 0
    direction, size = op.output, nonzero(np.abs(x))

    def turn(t: Any) -> Any:
        return (t - direction * np.real(np.conj(direction) * t)) / size * (direction != 0)

    return Linear(turn, turn)


@RegisterGradient("fabs", reads="inputs")
def _fabs(op: Any) -> Any:
    """d |x| = sign(x) dx, and 0 at 0"""
    return np.sign(op.inputs[0])


@RegisterGradient("copysign", reads="inputs")
def _copysign(op: Any) -> Any:
    """d (|x| sign(y)) = sign(x) sign(y) dx, and 0 at x = 0"""
    x, y = op.inputs
    return lambda: np.sign(x) * np.copysign(1.0, y), 0


@RegisterGradient("heaviside", reads="inputs")
def _heaviside(op: Any) -> Any:
    """d heaviside(x, y) = dy where x = 0"""
    x = op.inputs[0]
    return 0, lambda: np.equal(x, 0)


@RegisterGradient("nextafter", reads="nothing")
def _nextafter(op: Any) -> Any:
    """d nextafter(x, y) = dx"""
    return ONE, 0


@RegisterGradient("conjugate", reads="nothing")
def _conjugate(op: Any) -> Any:
    """d conj(x) = conj(dx)"""
    return Linear(np.conj, np.conj) if is_complex(op.inputs[0]) else ONE


# ---------------------------------------------------------------------- truth values and integers

for _predicate in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal, np.isfinite, np.isinf,
               np.isnan, np.logical_and, np.logical_or, np.logical_xor, np.logical_not):
    NotDifferentiable(ufunc_primitive(_predicate).name)
