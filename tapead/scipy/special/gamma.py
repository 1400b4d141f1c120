"""The gamma function and its kin, and the densities of the gamma and beta distributions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial
from scipy import special

from ...registry import RegisterGradient, case, primitive
from .table import NAMES, POSITIVE, UNIT, declare, helper, piecewise_constant

# ---------------------------------------------------------------------- polygamma


@primitive("special_polygamma", sympy="polygamma(order, x)", domain=POSITIVE, elementwise=True,
           cases=[case((), order=1), case((2, 3), order=2)])
def polygamma_of(x: Any, order: int = 0) -> Any:
    """ψ⁽ⁿ⁾(x): a zeta series, and its reflection for negative x"""
    if order == 0:
        return special.psi(x)
    x = np.asarray(x)
    if x.dtype.kind == "c":
        raise NotImplementedError("special_polygamma: SciPy has no polygamma function of complex numbers")
    left = x < 0.5
    series = (-1) ** (order + 1) * special.gamma(order + 1.0) * special.zeta(order + 1, np.where(left, 1 - x, x))
    if not np.any(left):
        return series.astype(x.dtype)[()]
    with np.errstate(divide="ignore", invalid="ignore"):
        cot = 1 / np.tan(np.pi * (x - np.round(x)))
        reflected = (-1) ** order * (series - np.pi ** (order + 1) * _derivative_of_cot(order)(cot) * (-1) ** order)
    reflected = np.where(x == np.floor(x), np.nan if order % 2 == 0 else np.inf, reflected)
    return np.where(left, reflected, series).astype(x.dtype)[()]


def _derivative_of_cot(order: int) -> Polynomial:
    """The n-th derivative of cot as a polynomial in cot: cot' = -(1 + cot²)"""
    value = Polynomial([0.0, 1.0])
    for _ in range(order):
        value = value.deriv() * Polynomial([-1.0, 0.0, -1.0])
    return value


@RegisterGradient("special_polygamma", reads="inputs")
def _polygamma(op: Any) -> Any:
    """d ψ⁽ⁿ⁾(x) = ψ⁽ⁿ⁺¹⁾(x) dx"""
    return polygamma_of(op.inputs[0], order=op.attrs.get("order", 0) + 1)


NAMES["trigamma"] = lambda x: polygamma_of(x, order=1)

# 1/12 - 1/(120 x²) + ...: the coefficients B_2k / 2k of the asymptotic series of ψ.
_STIRLING = [1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12]
_SHIFT = 14


@primitive("special_psi_difference", sympy="digamma(x + y) - digamma(x)", domain=(POSITIVE, POSITIVE),
           elementwise=True, cases=[case((), ()), case((2, 1), (3,))])
def psi_difference(a: Any, b: Any) -> Any:
    """ψ(a + b) - ψ(a), without cancellation for positive a and a + b"""
    a, b = np.asarray(a), np.asarray(b)
    total = a + b
    positive = (a > 0) & (total > 0)
    low, step = np.where(positive, a, 1.0), np.where(positive, b, 0.0)
    result = np.zeros(np.broadcast_shapes(a.shape, b.shape))
    for j in range(_SHIFT):
        result = result + step / (low + j) / (low + j + step)
    low = low + _SHIFT
    rise = np.log1p(step / low)
    result = result + rise + step / (2 * low) / (low + step)
    for k, coefficient in enumerate(_STIRLING, 1):
        result = result - coefficient * np.expm1(-2 * k * rise) / low ** (2 * k)
    if not np.all(positive):
        result = np.where(positive, result, special.psi(total) - special.psi(a))
    return result.astype(np.result_type(a, b, np.float32))[()]


@RegisterGradient("special_psi_difference", reads="inputs")
def _psi_difference(op: Any) -> Any:
    """d (ψ(a + b) - ψ(a)) = (ψ'(a + b) - ψ'(a)) da + ψ'(a + b) db"""
    a, b = op.inputs
    return lambda: polygamma_of(a + b, order=1) - polygamma_of(a, order=1), lambda: polygamma_of(a + b, order=1)


NAMES["psi_difference"] = psi_difference

# ---------------------------------------------------------------------- gamma and beta


@helper
def rgamma_slope(x: Any) -> Any:
    """d (1/Γ): -ψ/Γ, and for x < 1/2 the derivative of Γ(1 - x) sin(πx)/π, which knows no poles there"""
    left = x < 0.5
    low, high = np.where(left, x, 0.0), np.where(left, 1.0, x)
    y = 1 - low
    nearest = np.round(low)
    turn = np.pi * (low - nearest)
    sign = 1 - 2 * np.mod(nearest, 2)
    gamma, psi, rgamma = NAMES["gamma"], NAMES["psi"], NAMES["rgamma"]
    reflected = sign * gamma(y) * (np.cos(turn) - psi(y) * np.sin(turn) / np.pi)
    return np.where(left, reflected, -rgamma(high) * psi(high))


declare("psi", "x", x="trigamma(x)", sympy="digamma(x)", domain=POSITIVE)
declare("gamma", "x", x="f * psi(x)", sympy="gamma(x)", domain=POSITIVE)
declare("gammaln", "x", x="psi(x)", sympy="loggamma(x)", domain=POSITIVE)
declare("loggamma", "z", z="psi(z)", sympy="loggamma(x)", domain=POSITIVE)
declare("rgamma", "z", z="rgamma_slope(z)", sympy="1/gamma(x)", real=True)
declare("poch", "a m", a="f * psi_difference(a, m)", m="f * psi(a + m)", sympy="gamma(x + y)/gamma(x)", domain=POSITIVE)
declare("beta", "a b", a="-f * psi_difference(a, b)", b="-f * psi_difference(b, a)",
        sympy="gamma(x)*gamma(y)/gamma(x + y)", domain=POSITIVE)
declare("betaln", "a b", a="-psi_difference(a, b)", b="-psi_difference(b, a)",
        sympy="loggamma(x) + loggamma(y) - loggamma(x + y)", domain=POSITIVE)
declare("binom", "x y", x="f * psi_difference(x - y + 1, y)", y="f * psi_difference(y + 1, x - 2 * y)",
        sympy="gamma(x + 1)/gamma(y + 1)/gamma(x - y + 1)", domain=((3.0, 9.0), (0.0, 3.0)))
piecewise_constant("gammasgn")

# ---------------------------------------------------------------------- densities


def _log1p_minus(u: Any) -> Any:
    """log(1 + u) - u, by a series in u/(2 + u) near 0"""
    near = np.abs(u) < 0.3
    small = np.where(near, u, 0.0)
    v = small / (2 + small)
    total = np.zeros_like(v)
    for k in range(13, 0, -1):
        total = (total + 2 / (2 * k + 1)) * v * v
    return np.where(near, v * total - small * v, np.log1p(np.where(near, 0.0, u)) - u)


_HALF_LOG_2PI = math.log(2 * math.pi) / 2


def _stirling_error(a: Any) -> Any:
    """log Γ(a + 1) - (a + 1/2) log(a) + a - log(2π)/2"""
    large = a > 9
    high, low = np.where(large, a, 10.0), np.where(large, 1.0, a)
    series = np.zeros_like(high)
    for k in range(len(_STIRLING), 0, -1):
        series = series / high**2 + _STIRLING[k - 1] / (2 * k - 1)
    direct = special.gammaln(low + 1) - special.xlogy(low + 0.5, low) + low - _HALF_LOG_2PI
    return np.where(large, series / high, direct)


@primitive("special_gamma_density", sympy="x**0*y**(x - 1)*exp(-y)/gamma(x)", domain=(POSITIVE, POSITIVE),
           elementwise=True, cases=[case((), ()), case((2, 1), (3,))])
def gamma_density(a: Any, x: Any) -> Any:
    """x^(a-1) e^-x / Γ(a), by the saddle point where the powers would lose digits"""
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        a, x = np.asarray(a), np.asarray(x)
        dtype = np.result_type(a, x, np.float32)
        a, x = np.broadcast_arrays(a.astype(float), x.astype(float))
        inside = (a > 0) & (x > 0) & np.isfinite(x) & np.isfinite(a)
        b, y = np.where(inside, a, 1.0), np.where(inside, x, 1.0)
        saddle = np.exp(b * _log1p_minus((y - b) / b) - _stirling_error(b)) * np.sqrt(b / (2 * np.pi)) / y
        plain = np.exp(special.xlogy(b - 1, y) - y) * special.rgamma(b)
        edge = np.where(a > 1, 0.0, np.where(a == 1, 1.0, np.where(a > 0, np.inf, 0.0)))
        outside = np.where(x == 0, edge, np.where(np.isnan(x) | np.isnan(a), np.nan, 0.0))
        return np.where(inside, np.where(b > 4, saddle, plain), outside).astype(dtype)[()]


@RegisterGradient("special_gamma_density")
def _gamma_density(op: Any) -> Any:
    """d p(a, x) = p (log(x) - ψ(a)) da + p ((a - 1)/x - 1) dx"""
    a, x = op.inputs
    inside = (x > 0) & (x < np.inf)
    y = np.where(inside, x, 1.0)
    return (lambda: np.where(inside, op.output * (np.log(y) - NAMES["psi"](a)), 0.0),
            lambda: np.where(inside, op.output * ((a - 1) / y - 1), 0.0))


@primitive("special_beta_density", sympy="z**(x - 1)*(1 - z)**(y - 1)*gamma(x + y)/gamma(x)/gamma(y)",
           domain=(POSITIVE, POSITIVE, UNIT), elementwise=True, cases=[case((), (), ()), case((2, 1), (2, 1), (3,))])
def beta_density(a: Any, b: Any, x: Any) -> Any:
    """x^(a-1) (1 - x)^(b-1) / B(a, b), by the saddle point where the powers would lose digits"""
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        dtype = np.result_type(np.asarray(a), np.asarray(b), np.asarray(x), np.float32)
        a, b, x = np.broadcast_arrays(*(np.asarray(one, float) for one in (a, b, x)))
        inside = (a > 0) & (b > 0) & (x > 0) & (x < 1) & np.isfinite(a + b)
        a0, b0, y = np.where(inside, a, 1.0), np.where(inside, b, 1.0), np.where(inside, x, 0.5)
        n = a0 + b0
        # y - a/n and its mirror image, as they are needed: divided by the means
        offset = (y * b0 - (1 - y) * a0)
        exponent = a0 * _log1p_minus(offset / a0) + b0 * _log1p_minus(-offset / b0)
        error = _stirling_error(n) - _stirling_error(a0) - _stirling_error(b0)
        saddle = np.exp(exponent + error) * np.sqrt(a0 / n * b0 / (2 * np.pi)) / (y * (1 - y))
        plain = np.exp(special.xlogy(a0 - 1, y) + special.xlog1py(b0 - 1, -y) - special.betaln(a0, b0))
        left = np.where(a > 1, 0.0, np.where(a == 1, b, np.where(a > 0, np.inf, 0.0)))
        right = np.where(b > 1, 0.0, np.where(b == 1, a, np.where(b > 0, np.inf, 0.0)))
        outside = np.where(x == 0, left, np.where(x == 1, right, np.where(np.isnan(a + b + x), np.nan, 0.0)))
        return np.where(inside, np.where(np.minimum(a0, b0) > 4, saddle, plain), outside).astype(dtype)[()]


@RegisterGradient("special_beta_density")
def _beta_density(op: Any) -> Any:
    """d log p = (log(x) - ψ(a) + ψ(a+b)) da + (log(1 - x) - ψ(b) + ψ(a+b)) db + ((a - 1)/x - (b - 1)/(1 - x)) dx"""
    a, b, x = op.inputs
    inside = (x > 0) & (x < 1)
    y = np.where(inside, x, 0.5)
    return (lambda: np.where(inside, op.output * (np.log(y) + psi_difference(a, b)), 0.0),
            lambda: np.where(inside, op.output * (np.log1p(-y) + psi_difference(b, a)), 0.0),
            lambda: np.where(inside, op.output * ((a - 1) / y - (b - 1) / (1 - y)), 0.0))


NAMES |= {"gamma_density": gamma_density, "beta_density": beta_density}
