"""np.sinc and np.i0, each with all its derivatives: entire functions whose formulas lose digits where series do not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..registry import PRIMITIVES, Primitive, RegisterGradient, add_primitive, case, implements

_SMALLEST_STEP = 2.0**-60

# ---------------------------------------------------------------------- sinc


def _sinc_kernel(x: Any, order: int = 0) -> Any:
    """The derivative of `order` of sin(πx)/(πx)."""
    if order == 0:
        return np.sinc(x)[()]
    x = np.asarray(x)
    u = np.pi * x.astype(np.result_type(x, float))
    # With s(u) = sin(u)/u, differentiating u s(u) = sin(u) gives u s⁽ⁿ⁾ = sin⁽ⁿ⁾(u) - n s⁽ⁿ⁻¹⁾, whose errors grow by
    # n!/uⁿ: harmless outside this radius, and inside it the series of s cancels little.
    near = np.abs(u) < 1.5 + order / 2
    far = np.where(near, 1.0, u)
    recurred = np.sin(far) / far
    for n in range(1, order + 1):
        recurred = (_derivative_of_sin(far, n) - n * recurred) / far
    derivative = np.where(near, _sinc_series(np.where(near, u, 0.0), order), recurred)
    return (np.pi**order * derivative).astype(np.result_type(x, np.float16))[()]


def _derivative_of_sin(u: Any, n: int) -> Any:
    return (np.sin(u), np.cos(u), -np.sin(u), -np.cos(u))[n % 4]


def _sinc_series(u: Any, order: int) -> Any:
    """Σ (-1)^k u^(2k - n) / ((2k + 1) (2k - n)!) over 2k ≥ n: the n-th derivative of sin(u)/u"""
    first = (order + 1) // 2
    power = u if order % 2 else np.ones_like(u)
    total = np.zeros_like(u)
    for k in range(first, first + 16 + order):
        total = total + (-1) ** k * power / (2 * k + 1)
        power = power * u * u / ((2 * k - order + 1) * (2 * k - order + 2))
    return total


add_primitive(Primitive("sinc", _sinc_kernel, elementwise=True, sympy="diff(sinc(pi*x), x, order)", cases=(
    case(()), case((2, 3)), case((3,), order=1), case((3,), order=2), case((3,), order=5), case((0,)))))


@RegisterGradient("sinc")
def _sinc(op: Any) -> Any:
    """d sinc⁽ⁿ⁾(x) = sinc⁽ⁿ⁺¹⁾(x) dx"""
    return PRIMITIVES["sinc"](op.inputs[0], order=op.attrs.get("order", 0) + 1)


@implements(np.sinc)
def _sinc_of(x: Any) -> Any:
    return PRIMITIVES["sinc"](x)


# ---------------------------------------------------------------------- i0


def _modified_bessel_kernel(x: Any, order: int = 0) -> Any:
    """I_n(x), the modified Bessel function of the first kind of integer order n >= 0."""
    if order == 0:
        return np.i0(x)[()]
    x = np.asarray(x)
    size = np.abs(x.astype(np.result_type(x, float)))
    near = size < 30 + order**2 / 2
    value = np.where(near, _bessel_series(np.where(near, size, 0.0), order),
                     _bessel_asymptote(np.where(near, 100.0 + 10 * order**2, size), order))
    return np.where((x < 0) & (order % 2 == 1), -value, value).astype(np.result_type(x, np.float16))[()]


def _bessel_series(x: Any, order: int) -> Any:
    """Σ (x/2)^(n + 2k) / (k! (n + k)!), all of one sign"""
    quarter = x * x / 4
    term = (x / 2) ** order / math.factorial(order)
    total = term
    k = 0
    while np.any(term > _SMALLEST_STEP * total):
        k += 1
        term = term * quarter / (k * (k + order))
        total = total + term
    return total


def _bessel_asymptote(x: Any, order: int) -> Any:
    """e^x / √(2πx) Σ Π (-(4n² - (2j - 1)²) / (8jx)) (Abramowitz and Stegun, 9.7.1)"""
    total = term = np.ones_like(x)
    for j in range(1, 31):
        term = term * ((2 * j - 1) ** 2 - 4 * order**2) / (8 * j * x)
        total = total + term
    half = np.exp(x / 2)  # in two halves: e^x overflows before the quotient does
    return half * (total / np.sqrt(2 * np.pi * x)) * half


add_primitive(Primitive("modified_bessel", _modified_bessel_kernel, elementwise=True, sympy="besseli(order, x)", cases=(
    case(()), case((2, 3)), case((3,), order=1), case((3,), order=2), case((0,), order=1))))


@RegisterGradient("modified_bessel")
def _modified_bessel(op: Any) -> Any:
    """d I_0(x) = I_1(x) dx and d I_n(x) = (I_{n-1}(x) + I_{n+1}(x)) / 2 dx"""
    (x,) = op.inputs
    order, bessel = op.attrs.get("order", 0), PRIMITIVES["modified_bessel"]
    return bessel(x, order=1) if order == 0 else (bessel(x, order=order - 1) + bessel(x, order=order + 1)) / 2


@implements(np.i0)
def _i0_of(x: Any) -> Any:
    return PRIMITIVES["modified_bessel"](x)
