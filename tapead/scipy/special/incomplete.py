"""Incomplete gamma and beta functions and their inverses, with derivatives of any order in their parameters.

With L = log(density), ∂ⁿ density = density · Rₙ(∂L, ∂²L, ...), complete Bell polynomials; the derivative of the
distribution function is the integral of that over one side of x, the side on which less cancels. Good to about 13
digits of the larger of the result and the density's mass on that side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ...registry import RegisterGradient, case, primitive
from .gamma import beta_density, gamma_density, polygamma_of, psi_difference
from .quadrature import STEP, tail
from .table import NAMES, POSITIVE, UNIT, declare, helper

Orders = tuple[int, int]


def _bell(order: Orders, cumulant: Callable[[int, int], Any]) -> Any:
    """The derivative of `order` of exp(L), divided by exp(L); ``cumulant(k, l)`` is ∂ᵏ∂ˡL"""
    known: dict[Orders, Any] = {(0, 0): 1.0}
    for i in range(order[0] + 1):
        for j in range(order[1] + 1):
            if (i, j) == (0, 0):
                continue
            p, q = (i - 1, j) if i else (0, j - 1)
            known[i, j] = sum(math.comb(p, k) * math.comb(q, m) * known[p - k, q - m]
                              * cumulant(k + (i - p), m + (j - q)) for k in range(p + 1) for m in range(q + 1))
    return known[order]


# ---------------------------------------------------------------------- gamma


def _gamma_bell(a: Any, log_x: Any, order: int) -> Any:
    """∂ⁿp(a, x)/∂aⁿ divided by p(a, x), the gamma density"""
    return _bell((order, 0), lambda k, _: log_x - NAMES["psi"](a) if k == 1 else -polygamma_of(a, order=k - 1))


def _series(a: Any, x: Any) -> Any:
    """x^a e^-x Σ x^k (log(x) - ψ(a + k + 1)) / Γ(a + k + 1)"""
    term, psi, total, k = np.ones_like(a), special.psi(a + 1), np.zeros_like(a), 0
    log = np.log(x)
    # log(x) - ψ(a + 1) as it is: x < a, so that all terms have one sign
    while np.any(term * (psi - log) > 1e-18 * np.abs(total)) and k < 100_000:
        total = total + term * (log - psi)
        k += 1
        psi = psi + 1 / (a + k)
        term = term * x / (a + k)
    return gamma_density(a + 1, x) * total


def _gamma_left(a: Any, x: Any, order: int) -> Any:
    """∫ p(a, t) Rₙ dt over [0, x], in s = log(x/t)"""
    log_x, gammaln = np.log(x), special.gammaln(a)

    def integrand(s: Any) -> Any:
        log_t = log_x - s
        t = np.exp(log_t)
        mass = np.where(t > 1e-290, gamma_density(a, np.maximum(t, 1e-290)) * t, np.exp(a * log_t - gammaln))
        return mass * _gamma_bell(a, log_t, order)

    return tail(integrand, 1 / (1 + a), 750 / a)


def _gamma_right(a: Any, x: Any, order: int) -> Any:
    """∫ p(a, t) Rₙ dt over [x, ∞)"""
    scale = np.minimum(np.sqrt(x) + 1, np.maximum(x, 1e-290))
    return tail(lambda s: gamma_density(a, x + s) * _gamma_bell(a, np.log(x + s), order), scale, 750 + 40 * np.sqrt(x))


@primitive("special_gammainc_slope", domain=(POSITIVE, POSITIVE), elementwise=True,
           cases=[case((), ()), case((2, 1), (3,)), case((), (), order=2)])
def gammainc_slope(a: Any, x: Any, order: int = 1) -> Any:
    """∂ⁿP(a, x)/∂aⁿ; the first by a series of terms of one sign for x < a"""
    dtype = np.result_type(np.asarray(a), np.asarray(x), np.float32)
    a, x = np.broadcast_arrays(np.asarray(a, float), np.asarray(x, float))
    result = np.zeros(a.shape)
    inside = (a > 0) & (x > 0) & np.isfinite(x) & np.isfinite(a)
    safe_a, safe_x = np.where(inside, a, 1.0), np.where(inside, x, 1.0)
    below = inside & (x < a if order == 1 else special.gammainc(safe_a, safe_x) < 0.5)
    with np.errstate(all="ignore"):
        if np.any(below):
            left = _series(a[below], x[below]) if order == 1 else _gamma_left(a[below], x[below], order)
            result[below] = left
        above = inside & ~below
        if np.any(above):
            result[above] = -_gamma_right(a[above], x[above], order)
    result[np.isnan(a + x) | (a < 0) | (x < 0)] = np.nan
    # P(a, x) falls from 1 at a = 0.
    at_zero = (a == 0) & (x > 0) & np.isfinite(x)
    result[at_zero] = -special.exp1(x[at_zero]) if order == 1 else np.nan
    return result.astype(dtype)[()]


@RegisterGradient("special_gammainc_slope", reads="inputs")
def _gammainc_slope(op: Any) -> Any:
    """d ∂ⁿP/∂aⁿ = ∂ⁿ⁺¹P/∂aⁿ⁺¹ da + ∂ⁿp/∂aⁿ dx, with p the density"""
    a, x = op.inputs
    order = op.attrs.get("order", 1)
    return (lambda: gammainc_slope(a, x, order=order + 1),
            lambda: gamma_density(a, x) * _gamma_bell(a, np.log(np.where(x > 0, x, 1.0)), order))


# ---------------------------------------------------------------------- beta


def _beta_bell(a: Any, b: Any, log_x: Any, log_rest: Any, order: Orders) -> Any:
    """∂ⁱ∂ʲp(a, b, x)/∂aⁱ∂bʲ divided by p(a, b, x), the beta density"""

    def cumulant(k: int, m: int) -> Any:
        if (k, m) == (1, 0):
            return log_x + psi_difference(a, b)
        if (k, m) == (0, 1):
            return log_rest + psi_difference(b, a)
        both = polygamma_of(a + b, order=k + m - 1)
        if m == 0:
            return both - polygamma_of(a, order=k - 1)
        return both - polygamma_of(b, order=m - 1) if k == 0 else both

    return _bell(order, cumulant)


def _beta_integral(a: Any, b: Any, x: Any, order: Orders, sign: float) -> Any:
    """∫ p Rᵢⱼ in y = log(t/(1 - t)), from log(x/(1 - x)) on towards the left (sign -1) or the right"""
    start = special.logit(x)
    decay = a if sign < 0 else b
    scale = 1 / np.sqrt(1 + a * b / (a + b) + decay**2)
    betaln = special.betaln(a, b)

    def integrand(s: Any) -> Any:
        y = start + sign * s
        t = special.expit(y)
        log_t, log_rest = special.log_expit(y), special.log_expit(-y)
        # Near the ends t or 1 - t has lost its digits.
        inner = (t > 0.01) & (t < 0.99)
        density = np.where(inner, beta_density(a, b, np.where(inner, t, 0.5)) * t * special.expit(-y),
                           np.exp(a * log_t + b * log_rest - betaln))
        return density * _beta_bell(a, b, log_t, log_rest, order)

    # log(t) and log(1 - t) have singular points at y = ±πi: they are seen from the start at this angle.
    angle = np.arctan2(np.pi, np.max(-sign * start, initial=0.0))
    return tail(integrand, scale, 750 / decay, min(STEP, 2 * np.pi * angle / 70))


def _is_left(a: Any, b: Any, x: Any, order: Orders) -> Any:
    """Whether to integrate over [0, x]: where the integrand has one sign, or where less of the mass is"""
    if order == (1, 0):
        return np.log(x) + psi_difference(a, b) <= 0
    if order == (0, 1):
        return np.log1p(-x) + psi_difference(b, a) >= 0
    return special.betainc(a, b, x) < 0.5


@primitive("special_betainc_slope", domain=(POSITIVE, POSITIVE, UNIT), elementwise=True,
           cases=[case((), (), ()), case((2, 1), (2, 1), (3,)), case((), (), (), order=(1, 1))])
def betainc_slope(a: Any, b: Any, x: Any, order: Orders = (1, 0)) -> Any:
    """∂ⁱ∂ʲI(a, b, x)/∂aⁱ∂bʲ"""
    dtype = np.result_type(np.asarray(a), np.asarray(b), np.asarray(x), np.float32)
    a, b, x = np.broadcast_arrays(*(np.asarray(one, float) for one in (a, b, x)))
    result = np.zeros(a.shape)
    inside = (a > 0) & (b > 0) & (x > 0) & (x < 1) & np.isfinite(a + b)
    safe_a, safe_b, safe_x = (np.where(inside, one, 0.5) for one in (a, b, x))
    left = inside & _is_left(safe_a, safe_b, safe_x, order)
    with np.errstate(all="ignore"):
        for side, sign in ((left, -1.0), (inside & ~left, 1.0)):
            if np.any(side):
                result[side] = -sign * _beta_integral(a[side], b[side], x[side], order, sign)
    result[np.isnan(a + b + x) | (a < 0) | (b < 0) | (x < 0) | (x > 1)] = np.nan
    return result.astype(dtype)[()]


@RegisterGradient("special_betainc_slope", reads="inputs")
def _betainc_slope(op: Any) -> Any:
    """d ∂ⁱ∂ʲI = ∂ⁱ⁺¹∂ʲI da + ∂ⁱ∂ʲ⁺¹I db + ∂ⁱ∂ʲp dx, with p the density"""
    a, b, x = op.inputs
    i, j = op.attrs.get("order", (1, 0))

    def in_x() -> Any:
        inside = (x > 0) & (x < 1)
        y = np.where(inside, x, 0.5)
        return beta_density(a, b, x) * _beta_bell(a, b, np.log(y), np.log1p(-y), (i, j))

    return (lambda: betainc_slope(a, b, x, order=(i + 1, j)), lambda: betainc_slope(a, b, x, order=(i, j + 1)), in_x)


NAMES |= {"gammainc_slope": gammainc_slope, "betainc_slope": betainc_slope}


@helper
def betainc_slope_b(a: Any, b: Any, x: Any) -> Any:
    """∂I(a, b, x)/∂b"""
    return betainc_slope(a, b, x, order=(0, 1))


# ---------------------------------------------------------------------- the functions and their inverses

_SHAPES = (POSITIVE, POSITIVE)
declare("gammainc", "a x", a="gammainc_slope(a, x)", x="gamma_density(a, x)", domain=_SHAPES)
declare("gammaincc", "a x", a="-gammainc_slope(a, x)", x="-gamma_density(a, x)", domain=_SHAPES)
declare("gammaincinv", "a y", a="quotient(-gammainc_slope(a, f), gamma_density(a, f))", y="1 / gamma_density(a, f)",
        domain=(POSITIVE, UNIT))
declare("gammainccinv", "a y", a="quotient(-gammainc_slope(a, f), gamma_density(a, f))",
        y="-1 / gamma_density(a, f)",
        domain=(POSITIVE, UNIT))
_BETA = (POSITIVE, POSITIVE, UNIT)
declare("betainc", "a b x", a="betainc_slope(a, b, x)", b="betainc_slope_b(a, b, x)", x="beta_density(a, b, x)",
        domain=_BETA)
declare("betaincc", "a b x", a="-betainc_slope(a, b, x)", b="-betainc_slope_b(a, b, x)", x="-beta_density(a, b, x)",
        domain=_BETA)
declare("betaincinv", "a b y", a="quotient(-betainc_slope(a, b, f), beta_density(a, b, f))",
        b="quotient(-betainc_slope_b(a, b, f), beta_density(a, b, f))", y="1 / beta_density(a, b, f)", domain=_BETA)
declare("betainccinv", "a b y", a="quotient(-betainc_slope(a, b, f), beta_density(a, b, f))",
        b="quotient(-betainc_slope_b(a, b, f), beta_density(a, b, f))", y="-1 / beta_density(a, b, f)", domain=_BETA)
