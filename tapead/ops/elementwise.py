"""Exponentials, logarithms, trigonometric and hyperbolic ufuncs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..registry import Primitive, RegisterGradient, add_primitive, ufunc_primitive
from .arithmetic import holds_anywhere, is_complex, nonzero

_POSITIVE = ((0.0, np.inf),)
_UNIT = ((-1.0, 1.0),)
_LOG_2 = float(np.log(2))
_LOG_10 = float(np.log(10))

# ---------------------------------------------------------------------- exponentials and logarithms

ufunc_primitive(np.exp, sympy="exp(x)")
ufunc_primitive(np.exp2, sympy="2**x")
ufunc_primitive(np.expm1, sympy="exp(x) - 1")
ufunc_primitive(np.log, sympy="log(x)", domain=_POSITIVE)
ufunc_primitive(np.log2, sympy="log(x)/log(2)", domain=_POSITIVE)
ufunc_primitive(np.log10, sympy="log(x)/log(10)", domain=_POSITIVE)
ufunc_primitive(np.log1p, sympy="log(1 + x)", domain=((-1.0, np.inf),))
ufunc_primitive(np.logaddexp, sympy="log(exp(x) + exp(y))")
ufunc_primitive(np.logaddexp2, sympy="log(2**x + 2**y)/log(2)")


@RegisterGradient("exp", reads="output")
def _exp(op: Any) -> Any:
    """d exp(x) = exp(x) dx"""
    return op.output


@RegisterGradient("exp2", reads="output")
def _exp2(op: Any) -> Any:
    """d 2^x = 2^x log(2) dx"""
    return op.output * _LOG_2


@RegisterGradient("expm1", reads="inputs")
def _expm1(op: Any) -> Any:
    """d (exp(x) - 1) = exp(x) dx"""
    return np.exp(op.inputs[0])


@RegisterGradient("log", reads="inputs")
def _log(op: Any) -> Any:
    """d log(x) = 1/x dx"""
    return 1 / op.inputs[0]


@RegisterGradient("log2", reads="inputs")
def _log2(op: Any) -> Any:
    """d log2(x) = 1 / (x log 2) dx"""
    return 1 / _LOG_2 / op.inputs[0]


@RegisterGradient("log10", reads="inputs")
def _log10(op: Any) -> Any:
    """d log10(x) = 1 / (x log 10) dx"""
    return 1 / _LOG_10 / op.inputs[0]


@RegisterGradient("log1p", reads="inputs")
def _log1p(op: Any) -> Any:
    """d log(1 + x) = 1 / (1 + x) dx"""
    return 1 / (1 + op.inputs[0])


def _logistic_kernel(x: Any) -> Any:
    s = 1 / (1 + np.exp(-x))
    overflown = s == 0
    return np.where(overflown, np.exp(x), s)[()] if holds_anywhere(overflown) else s


# Its derivative written out multiplies 0 and inf where exp overflows: hence a primitive.
_logistic = add_primitive(Primitive("logistic", _logistic_kernel, elementwise=True, sympy="1/(1 + exp(-x))",
                                    domain=((-np.inf, np.inf),)))


@RegisterGradient("logistic")
def _logistic_rule(op: Any) -> Any:
    """d logistic(x) = logistic(x) logistic(-x) dx"""
    return op.output * _logistic(-op.inputs[0])


@RegisterGradient("logaddexp", reads="inputs")
def _logaddexp(op: Any) -> Any:
    """d log(e^x + e^y) = dx / (1 + e^(y-x)) + dy / (1 + e^(x-y)), without overflow"""
    x, y = op.inputs
    return lambda: _logistic(_above(x, y)), lambda: _logistic(_above(y, x))


@RegisterGradient("logaddexp2", reads="inputs")
def _logaddexp2(op: Any) -> Any:
    """d log2(2^x + 2^y) = dx / (1 + 2^(y-x)) + dy / (1 + 2^(x-y)), without overflow"""
    x, y = op.inputs
    return lambda: _logistic(_LOG_2 * _above(x, y)), lambda: _logistic(_LOG_2 * _above(y, x))


def _above(x: Any, y: Any) -> Any:
    """x - y, and 0 where both are the same infinity"""
    same = x == y
    if holds_anywhere(same):
        same = same & np.isinf(x)
        if holds_anywhere(same):
            return np.where(same, 0.0, x) - np.where(same, 0.0, y)
    return x - y


# ---------------------------------------------------------------------- trigonometric functions

ufunc_primitive(np.sin, sympy="sin(x)")
ufunc_primitive(np.cos, sympy="cos(x)")
ufunc_primitive(np.tan, sympy="tan(x)", kinks="cos(x)")
ufunc_primitive(np.arcsin, sympy="asin(x)", domain=_UNIT)
ufunc_primitive(np.arccos, sympy="acos(x)", domain=_UNIT)
ufunc_primitive(np.arctan, sympy="atan(x)")
ufunc_primitive(np.arctan2, sympy="atan2(x, y)", kinks="x**2 + y**2 + y*Abs(y) + x**2*Abs(y)")
ufunc_primitive(np.hypot, sympy="sqrt(x**2 + y**2)", kinks="x**2 + y**2")
ufunc_primitive(np.degrees, sympy="180*x/pi")
ufunc_primitive(np.radians, sympy="pi*x/180")
ufunc_primitive(np.rad2deg, sympy="180*x/pi")
ufunc_primitive(np.deg2rad, sympy="pi*x/180")


@RegisterGradient("sin", reads="inputs")
def _sin(op: Any) -> Any:
    """d sin(x) = cos(x) dx"""
    return np.cos(op.inputs[0])


@RegisterGradient("cos", reads="inputs")
def _cos(op: Any) -> Any:
    """d cos(x) = -sin(x) dx"""
    return -np.sin(op.inputs[0])


@RegisterGradient("tan")
def _tan(op: Any) -> Any:
    """d tan(x) = (1 + tan(x)²) dx = sech(ix)² dx"""
    (x,) = op.inputs
    if not is_complex(x):
        return 1 + op.output * op.output
    s = _sech(1j * x)
    return s * s


# Its derivative written out has no digits left near 0: hence a primitive.
_one_minus_square = add_primitive(Primitive("one_minus_square", lambda x: (1 - x) * (1 + x), elementwise=True,
                                            sympy="1 - x**2", domain=((-np.inf, np.inf),)))


@RegisterGradient("one_minus_square", reads="inputs")
def _one_minus_square_rule(op: Any) -> Any:
    """d (1 - x²) = -2x dx"""
    return -2 * op.inputs[0]


def _root_of_one_minus_square(x: Any) -> Any:
    """√(1 - x²); for complex x on the branch cut the root on its upper side, where NumPy's arcsin is too"""
    return np.sqrt(-(x - 1)) * np.sqrt(x + 1) if is_complex(x) else np.sqrt(_one_minus_square(x))


@RegisterGradient("arcsin", reads="inputs")
def _arcsin(op: Any) -> Any:
    """d arcsin(x) = 1 / √(1 - x²) dx"""
    return 1 / _root_of_one_minus_square(op.inputs[0])


@RegisterGradient("arccos", reads="inputs")
def _arccos(op: Any) -> Any:
    """d arccos(x) = -1 / √(1 - x²) dx"""
    return -1 / _root_of_one_minus_square(op.inputs[0])


def _cos_arctan_kernel(x: Any) -> Any:
    c = 1 / np.sqrt(1 + x * x)
    overflown = c == 0
    return np.where(overflown, 1 / np.abs(x), c)[()] if holds_anywhere(overflown) else c


# Its derivative written out divides by x⁴, which overflows long before the quotient is nothing: hence a primitive.
_cos_arctan = add_primitive(Primitive("cos_arctan", _cos_arctan_kernel, elementwise=True, sympy="1/sqrt(1 + x**2)",
                                      domain=((-np.inf, np.inf),)))


@RegisterGradient("cos_arctan")
def _cos_arctan_rule(op: Any) -> Any:
    """d (1 / √(1 + x²)) = -x / √(1 + x²)³ dx"""
    c = op.output
    return -(op.inputs[0] * c) * c * c


@RegisterGradient("arctan", reads="inputs")
def _arctan(op: Any) -> Any:
    """d arctan(x) = 1 / (1 + x²) dx, without overflow"""
    (x,) = op.inputs
    if is_complex(x):
        return 1 / (1 + 1j * x) / (1 - 1j * x)
    c = _cos_arctan(x)
    return c * c


@RegisterGradient("arctan2", reads="inputs")
def _arctan2(op: Any) -> Any:
    """d arctan2(y, x) = (x/r)/r dy - (y/r)/r dx, with r = hypot(x, y), and 0 at the origin"""
    y, x = op.inputs
    r = nonzero(np.hypot(x, y))
    return lambda: x / r / r, lambda: -y / r / r


@RegisterGradient("hypot")
def _hypot(op: Any) -> Any:
    """d hypot(x, y) = x/r dx + y/r dy, with r the result, and 0 at the origin"""
    x, y = op.inputs
    r = nonzero(op.output)
    return lambda: x / r, lambda: y / r


@RegisterGradient("degrees", reads="nothing")
@RegisterGradient("rad2deg", reads="nothing")
def _degrees(op: Any) -> Any:
    """d (180 x / π) = 180/π dx"""
    return 180 / np.pi


@RegisterGradient("radians", reads="nothing")
@RegisterGradient("deg2rad", reads="nothing")
def _radians(op: Any) -> Any:
    """d (π x / 180) = π/180 dx"""
    return np.pi / 180


# ---------------------------------------------------------------------- hyperbolic functions

ufunc_primitive(np.sinh, sympy="sinh(x)")
ufunc_primitive(np.cosh, sympy="cosh(x)")
ufunc_primitive(np.tanh, sympy="tanh(x)")
ufunc_primitive(np.arcsinh, sympy="asinh(x)")
ufunc_primitive(np.arccosh, sympy="acosh(x)", domain=((1.0, np.inf),))
ufunc_primitive(np.arctanh, sympy="atanh(x)", domain=_UNIT)


@RegisterGradient("sinh", reads="inputs")
def _sinh(op: Any) -> Any:
    """d sinh(x) = cosh(x) dx"""
    return np.cosh(op.inputs[0])


@RegisterGradient("cosh", reads="inputs")
def _cosh(op: Any) -> Any:
    """d cosh(x) = sinh(x) dx"""
    return np.sinh(op.inputs[0])


def _cosh_is_quick() -> bool:
    """Whether NumPy has cosh for this machine's wide registers: else it takes thrice as long as exp"""
    try:
        from numpy.lib.introspect import opt_func_info
    except ImportError:  # NumPy 2.0 does not tell
        return False
    found = opt_func_info(func_name="^cosh$").get("cosh", {}).get("dd", {})
    return not found.get("current", "baseline").startswith("baseline")


#: From so many elements on, the time of a call does not count.
_LONG = math.inf if _cosh_is_quick() else 512


def _sech_kernel(x: Any) -> Any:
    """1 / cosh(x), for many elements where cosh is slow as 2 e / (1 + e²) with e = exp(-|x|)"""
    if x.__class__ is np.float64 or x.dtype.kind != "f" or x.ndim == 0 or x.size < _LONG:
        sech = 1 / np.cosh(x)
        if sech.__class__ is np.float64 or sech.dtype.kind != "c":
            return sech
        return np.where(np.isfinite(sech), sech, 0)[()]
    e = np.abs(x)
    np.negative(e, out=e)
    np.exp(e, out=e)
    below = e * e
    below += 1
    e += e
    e /= below
    return e


# Its derivative written out goes through inf/inf where cosh overflows: hence a primitive.
_sech = add_primitive(Primitive("sech", _sech_kernel, elementwise=True, sympy="1/cosh(x)", domain=((-np.inf, np.inf),)))


@RegisterGradient("sech")
def _sech_rule(op: Any) -> Any:
    """d sech(x) = -sech(x) tanh(x) dx"""
    return -op.output * np.tanh(op.inputs[0])


@RegisterGradient("tanh", reads="inputs")
def _tanh(op: Any) -> Any:
    """d tanh(x) = sech(x)² dx, which keeps its digits where 1 - tanh(x)² has lost them"""
    (x,) = op.inputs
    s = 1 / np.cosh(x) if x.__class__ is np.float64 else _sech(x)  # long tapes of numbers feel the detour
    return s * s


@RegisterGradient("arcsinh", reads="inputs")
def _arcsinh(op: Any) -> Any:
    """d arcsinh(x) = 1 / √(1 + x²) dx, without overflow"""
    (x,) = op.inputs
    return 1 / (np.sqrt(1 + 1j * x) * np.sqrt(1 - 1j * x)) if is_complex(x) else _cos_arctan(x)


@RegisterGradient("arccosh", reads="inputs")
def _arccosh(op: Any) -> Any:
    """d arccosh(x) = 1 / (√(x - 1) √(x + 1)) dx, without overflow"""
    (x,) = op.inputs
    return 1 / (np.sqrt(x - 1) * np.sqrt(x + 1))


@RegisterGradient("arctanh", reads="inputs")
def _arctanh(op: Any) -> Any:
    """d arctanh(x) = 1 / (1 - x²) dx"""
    (x,) = op.inputs
    return 1 / (1 - x) / (1 + x) if is_complex(x) else 1 / _one_minus_square(x)
