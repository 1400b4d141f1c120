"""Error functions, and what else is made of the Faddeeva function."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from ...registry import RegisterGradient, case, primitive
from .table import NAMES, POSITIVE, UNIT, declare, declare_results

_ROOT_PI = float(np.sqrt(np.pi))


def faddeeva_kernel(z: Any, order: int) -> Any:
    """w⁽ⁿ⁾(z) for Im z ≥ 0: its recurrence near the origin, its asymptotic series where that would lose all digits"""
    z = np.asarray(z, complex)
    far = np.abs(z) > 7 + order / 2
    near = np.where(far, 0.0, z)
    before, value = special.wofz(near), 2j / _ROOT_PI - 2 * near * special.wofz(near)
    if order == 0:
        return special.wofz(z)
    for n in range(1, order):
        before, value = value, -2 * near * value - 2 * n * before
    endless = np.isinf(z)
    return np.where(far, np.where(endless, 0.0, _asymptote(np.where(far & ~endless, z, 100.0), order)), value)


def _asymptote(z: Any, order: int) -> Any:
    """i/√π Σ (1/2)_k (-1)^n (2k + 1)_n / z^(2k + 1 + n)"""
    term = 1j / _ROOT_PI * (-1) ** order * special.gamma(order + 1.0) / z ** (order + 1)
    total, live = term, np.ones(z.shape, bool)
    for k in range(60):
        following = term * ((k + 0.5) * (2 * k + 1 + order) * (2 * k + 2 + order) / ((2 * k + 1) * (2 * k + 2))) / z**2
        live = live & (np.abs(following) < np.abs(term))
        term = np.where(live, following, 0.0)
        total = total + term
    return total


@primitive("special_faddeeva", elementwise=True, cases=[case(np.array([0.3 + 0.2j, 2.0 + 1.0j]), order=1)])
def faddeeva(z: Any, order: int = 0) -> Any:
    """The derivative of `order` of w(z) = exp(-z²) erfc(-iz)"""
    z = np.asarray(z)
    lower = z.imag < 0
    value = faddeeva_kernel(np.where(lower, np.conj(z), z), order)
    if np.any(lower):
        # w(z) = 2 exp(-z²) - conj(w(conj(z))), and derivatives of exp(-z²) are Hermite polynomials times it
        gauss = (-1) ** order * special.eval_hermite(order, 0.0 * z.real) if order == 0 else _gauss(z, order)
        value = np.where(lower, 2 * gauss * np.exp(-np.where(lower, z, 0.0) ** 2) - np.conj(value), value)
    return value.astype(np.result_type(z, np.complex64))[()]


def _gauss(z: Any, order: int) -> Any:
    before, value = 1.0, -2 * z
    for n in range(1, order):
        before, value = value, -2 * z * value - 2 * n * before
    return value


@RegisterGradient("special_faddeeva", reads="inputs")
def _faddeeva(op: Any) -> Any:
    """d w⁽ⁿ⁾(z) = w⁽ⁿ⁺¹⁾(z) dz"""
    return faddeeva(op.inputs[0], order=op.attrs.get("order", 0) + 1)


def _scaled_kernel(x: Any, order: int) -> Any:
    """The derivative of `order` of erfcx(x) = w(ix)"""
    x = np.asarray(x)
    if order == 0:
        return special.erfcx(x)
    if x.dtype.kind == "c":
        return (1j**order * faddeeva(1j * x, order=order)).astype(x.dtype)
    right = np.maximum(x, 0.0)
    value = np.real(1j**order * faddeeva_kernel(1j * right, order))
    if np.any(x < 0):
        left = np.minimum(x, 0.0)
        # All terms of erfcx' = 2x erfcx - 2/√π have one sign there, and those of higher orders as well.
        before, derivative = special.erfcx(left), 2 * left * special.erfcx(left) - 2 / _ROOT_PI
        for n in range(1, order):
            before, derivative = derivative, 2 * left * derivative + 2 * n * before
        value = np.where(x < 0, derivative, value)
    return value.astype(np.result_type(x, np.float32))[()]


@primitive("special_erfcx_derivative", elementwise=True, sympy="diff(exp(x**2)*erfc(x), x, order)",
           cases=[case((3,), order=1), case((2, 3), order=2)])
def erfcx_derivative(x: Any, order: int = 0) -> Any:
    """The derivative of `order` of erfcx(x)"""
    return _scaled_kernel(x, order)


@RegisterGradient("special_erfcx_derivative", reads="inputs")
def _erfcx_derivative(op: Any) -> Any:
    """d erfcx⁽ⁿ⁾(x) = erfcx⁽ⁿ⁺¹⁾(x) dx"""
    return erfcx_derivative(op.inputs[0], order=op.attrs["order"] + 1)


@primitive("special_dawsn_derivative", elementwise=True,
           sympy="diff(sqrt(pi)/2*exp(-x**2)*erfi(x), x, order)", cases=[case((3,), order=1), case((2, 3), order=2)])
def dawsn_derivative(x: Any, order: int = 0) -> Any:
    """The derivative of `order` of Dawson's integral √π/2 Im w(x)"""
    x = np.asarray(x)
    if x.dtype.kind == "c":
        # √π/2 i (exp(-z²) - w(z))
        return (_ROOT_PI / 2 * 1j * (_gauss(x, order) * np.exp(-x * x) - faddeeva(x, order=order)))[()]
    return (_ROOT_PI / 2 * np.imag(faddeeva_kernel(x, order))).astype(np.result_type(x, np.float32))[()]


@RegisterGradient("special_dawsn_derivative", reads="inputs")
def _dawsn_derivative(op: Any) -> Any:
    """d F⁽ⁿ⁾(x) = F⁽ⁿ⁺¹⁾(x) dx"""
    return dawsn_derivative(op.inputs[0], order=op.attrs["order"] + 1)


NAMES |= {"faddeeva": faddeeva, "erfcx_derivative": erfcx_derivative, "dawsn_derivative": dawsn_derivative}

declare("erf", "z", z="2 / root_pi * exp(-z * z)", sympy="erf(x)")
declare("erfc", "x", x="-2 / root_pi * exp(-x * x)", sympy="erfc(x)")
declare("erfcx", "x", x="erfcx_derivative(x, order=1)", sympy="exp(x**2)*erfc(x)")
declare("erfi", "z", z="2 / root_pi * exp(z * z)", sympy="erfi(x)")
declare("dawsn", "x", x="dawsn_derivative(x, order=1)", sympy="sqrt(pi)/2*exp(-x**2)*erfi(x)")
declare("wofz", "z", z="faddeeva(z, order=1)")
declare("erfinv", "y", y="root_pi / 2 * exp(f * f)", sympy="erfinv(x)", domain=(-1.0, 1.0))
declare("erfcinv", "y", y="-root_pi / 2 * exp(f * f)", sympy="erfinv(1 - x)", domain=(0.0, 2.0))
declare("ndtr", "x", x="exp(-x * x / 2) / sqrt(2 * pi)", sympy="erfc(-x/sqrt(2))/2")
declare("log_ndtr", "x", x="sqrt(2 / pi) / erfcx(-x / root_2)", sympy="log(erfc(-x/sqrt(2))/2)")
declare("ndtri", "y", y="sqrt(2 * pi) * exp(f * f / 2)", sympy="sqrt(2)*erfinv(2*x - 1)", domain=UNIT)
declare("ndtri_exp", "y", y="sqrt(pi / 2) * erfcx(-f / root_2)", sympy="sqrt(2)*erfinv(2*exp(x) - 1)",
        domain=(-np.inf, 0.0))
declare("owens_t", "h a", h="-exp(-h * h / 2) / sqrt(8 * pi) * erf(a * h / root_2)",
        a="exp(-h * h * (1 + a * a) / 2) / (2 * pi * (1 + a * a))", domain=(-9.0, 9.0))
declare("voigt_profile", "x sigma gamma",
        x="real(faddeeva((x + 1j * gamma) / (sigma * root_2), order=1)) / (2 * root_pi * sigma**2)",
        sigma="real(faddeeva((x + 1j * gamma) / (sigma * root_2), order=2)) / (2 * sqrt(2 * pi) * sigma**2)",
        gamma="-imag(faddeeva((x + 1j * gamma) / (sigma * root_2), order=1)) / (2 * root_pi * sigma**2)",
        domain=((-9.0, 9.0), POSITIVE, POSITIVE))

declare_results("fresnel", "z", "s c", argument="z", formulas=["sin(pi / 2 * z * z)", "cos(pi / 2 * z * z)"],
                sympy=["fresnels(x)", "fresnelc(x)"])
declare_results("modfresnelp", "x", "f k", argument="x", domain=POSITIVE, formulas=[
    "-exp(1j * x * x)", "eighth_turn / 2 * faddeeva(eighth_turn * x, order=1)"])
declare_results("modfresnelm", "x", "f k", argument="x", domain=POSITIVE, formulas=[
    "-exp(-1j * x * x)", "conj(eighth_turn / 2 * faddeeva(eighth_turn * x, order=1))"])
