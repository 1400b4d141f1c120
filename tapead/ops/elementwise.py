"""Exponentials, logarithms, trigonometric and hyperbolic ufuncs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..registry import RegisterGradient, ufunc_primitive

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


@RegisterGradient("exp")
def _exp(op: Any) -> Any:
    """d exp(x) = exp(x) dx"""
    return op.output


@RegisterGradient("exp2")
def _exp2(op: Any) -> Any:
    """d 2^x = 2^x log(2) dx"""
    return op.output * _LOG_2


@RegisterGradient("expm1")
def _expm1(op: Any) -> Any:
    """d (exp(x) - 1) = exp(x) dx"""
    return np.exp(op.inputs[0])


@RegisterGradient("log")
def _log(op: Any) -> Any:
    """d log(x) = 1/x dx"""
    return 1 / op.inputs[0]


@RegisterGradient("log2")
def _log2(op: Any) -> Any:
    """d log2(x) = 1 / (x log 2) dx"""
    return 1 / _LOG_2 / op.inputs[0]


@RegisterGradient("log10")
def _log10(op: Any) -> Any:
    """d log10(x) = 1 / (x log 10) dx"""
    return 1 / _LOG_10 / op.inputs[0]


@RegisterGradient("log1p")
def _log1p(op: Any) -> Any:
    """d log(1 + x) = 1 / (1 + x) dx"""
    return 1 / (1 + op.inputs[0])


@RegisterGradient("logaddexp")
def _logaddexp(op: Any) -> Any:
    """d log(e^x + e^y) = e^(x-z) dx + e^(y-z) dy, with z the result"""
    x, y = op.inputs
    return lambda: np.exp(_below(x, op.output)), lambda: np.exp(_below(y, op.output))


@RegisterGradient("logaddexp2")
def _logaddexp2(op: Any) -> Any:
    """d log2(2^x + 2^y) = 2^(x-z) dx + 2^(y-z) dy, with z the result"""
    x, y = op.inputs
    return lambda: np.exp2(_below(x, op.output)), lambda: np.exp2(_below(y, op.output))


def _below(x: Any, z: Any) -> Any:
    """x - z, and 0 where both are the same infinity"""
    same = np.isinf(z) & (x == z)
    return np.where(same, 0.0, x) - np.where(same, 0.0, z) if np.any(same) else x - z


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


@RegisterGradient("sin")
def _sin(op: Any) -> Any:
    """d sin(x) = cos(x) dx"""
    return np.cos(op.inputs[0])


@RegisterGradient("cos")
def _cos(op: Any) -> Any:
    """d cos(x) = -sin(x) dx"""
    return -np.sin(op.inputs[0])


@RegisterGradient("tan")
def _tan(op: Any) -> Any:
    """d tan(x) = (1 + tan(x)²) dx"""
    return 1 + op.output * op.output


@RegisterGradient("arcsin")
def _arcsin(op: Any) -> Any:
    """d arcsin(x) = 1 / √((1 - x)(1 + x)) dx"""
    (x,) = op.inputs
    return 1 / np.sqrt((1 - x) * (1 + x))


@RegisterGradient("arccos")
def _arccos(op: Any) -> Any:
    """d arccos(x) = -1 / √((1 - x)(1 + x)) dx"""
    (x,) = op.inputs
    return -1 / np.sqrt((1 - x) * (1 + x))


@RegisterGradient("arctan")
def _arctan(op: Any) -> Any:
    """d arctan(x) = 1 / (1 + x²) dx"""
    (x,) = op.inputs
    return 1 / (1 + x * x)


@RegisterGradient("arctan2")
def _arctan2(op: Any) -> Any:
    """d arctan2(y, x) = (x/r)/r dy - (y/r)/r dx, with r = hypot(x, y), and 0 at the origin"""
    y, x = op.inputs
    r = _nonzero(np.hypot(x, y))
    return lambda: x / r / r, lambda: -y / r / r


@RegisterGradient("hypot")
def _hypot(op: Any) -> Any:
    """d hypot(x, y) = x/r dx + y/r dy, with r the result, and 0 at the origin"""
    x, y = op.inputs
    r = _nonzero(op.output)
    return lambda: x / r, lambda: y / r


def _nonzero(r: Any) -> Any:
    """r, and 1 where it is 0: the numerators are 0 there"""
    zero = r == 0
    return np.where(zero, 1, r) if np.any(zero) else r


@RegisterGradient("degrees")
@RegisterGradient("rad2deg")
def _degrees(op: Any) -> Any:
    """d (180 x / π) = 180/π dx"""
    return 180 / np.pi


@RegisterGradient("radians")
@RegisterGradient("deg2rad")
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


@RegisterGradient("sinh")
def _sinh(op: Any) -> Any:
    """d sinh(x) = cosh(x) dx"""
    return np.cosh(op.inputs[0])


@RegisterGradient("cosh")
def _cosh(op: Any) -> Any:
    """d cosh(x) = sinh(x) dx"""
    return np.sinh(op.inputs[0])


@RegisterGradient("tanh")
def _tanh(op: Any) -> Any:
    """d tanh(x) = 1 / cosh(x)² dx, which keeps its digits where 1 - tanh(x)² has lost them"""
    s = 1 / np.cosh(op.inputs[0])
    return s * s


@RegisterGradient("arcsinh")
def _arcsinh(op: Any) -> Any:
    """d arcsinh(x) = 1 / √(1 + x²) dx, without overflow"""
    (x,) = op.inputs
    return 1 / (np.sqrt(1 + x * x) if np.iscomplexobj(x) else np.hypot(1, x))


@RegisterGradient("arccosh")
def _arccosh(op: Any) -> Any:
    """d arccosh(x) = 1 / (√(x - 1) √(x + 1)) dx, without overflow"""
    (x,) = op.inputs
    return 1 / (np.sqrt(x - 1) * np.sqrt(x + 1))


@RegisterGradient("arctanh")
def _arctanh(op: Any) -> Any:
    """d arctanh(x) = 1 / ((1 - x)(1 + x)) dx"""
    (x,) = op.inputs
    return 1 / ((1 - x) * (1 + x))
