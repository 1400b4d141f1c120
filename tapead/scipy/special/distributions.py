"""Statistical distribution functions (``*dtr``) and their inverses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial
from scipy import special

from ...registry import RegisterGradient, case, primitive
from .table import NAMES, POSITIVE, REAL, UNIT, declare, helper

_OVER = (POSITIVE, POSITIVE)
#: Stands for infinity where that would be divided by itself.
_ENDLESS = 1e300


@helper
def binomial_density(a: Any, b: Any, p: Any) -> Any:
    """The beta density, and 0 where the first shape is not positive"""
    positive = np.asarray(a) > 0
    return np.where(positive, NAMES["beta_density"](np.where(positive, a, 1.0), b, p), 0.0)


# ---------------------------------------------------------------------- binomial, negative binomial, Poisson

_COUNTS = {"k": 2.0, "n": 5}
declare("bdtr", "k n p", p="-binomial_density(n - floor(k), floor(k) + 1, 1 - p)", domain=UNIT, at=_COUNTS)
declare("bdtrc", "k n p", p="binomial_density(n - floor(k), floor(k) + 1, 1 - p)", domain=UNIT, at=_COUNTS)
declare("bdtri", "k n y", y="-1 / beta_density(n - floor(k), floor(k) + 1, 1 - f)", domain=UNIT, at=_COUNTS)
declare("nbdtr", "k n p", p="beta_density(n, floor(k) + 1, p)", domain=UNIT, at={"k": 2, "n": 5})
declare("nbdtrc", "k n p", p="-beta_density(n, floor(k) + 1, p)", domain=UNIT, at={"k": 2, "n": 5})
declare("nbdtri", "k n y", y="1 / beta_density(n, floor(k) + 1, f)", domain=UNIT, at={"k": 2, "n": 5})
declare("bdtrik", "y n p", y="1 / -betainc_slopes(n - f, f + 1, 1 - p)",
        n="betainc_slope(n - f, f + 1, 1 - p) / betainc_slopes(n - f, f + 1, 1 - p)",
        p="beta_density(n - f, f + 1, 1 - p) / -betainc_slopes(n - f, f + 1, 1 - p)", domain=(UNIT, (18.0, 30.0), UNIT))
declare("bdtrin", "k y p", k="betainc_slopes(f - k, k + 1, 1 - p) / betainc_slope(f - k, k + 1, 1 - p)",
        y="1 / betainc_slope(f - k, k + 1, 1 - p)",
        p="beta_density(f - k, k + 1, 1 - p) / betainc_slope(f - k, k + 1, 1 - p)",
        domain=((3.0, 6.0), (0.1, 0.9), (0.2, 0.6)))
declare("nbdtrik", "y n p", y="1 / betainc_slope_b(n, f + 1, p)", domain=(UNIT, (18.0, 30.0), (0.1, 0.5)),
        n="-betainc_slope(n, f + 1, p) / betainc_slope_b(n, f + 1, p)",
        p="-beta_density(n, f + 1, p) / betainc_slope_b(n, f + 1, p)")
declare("nbdtrin", "k y p", k="-betainc_slope_b(f, k + 1, p) / betainc_slope(f, k + 1, p)",
        y="1 / betainc_slope(f, k + 1, p)", p="-beta_density(f, k + 1, p) / betainc_slope(f, k + 1, p)",
        domain=((3.0, 6.0), (0.1, 0.9), (0.2, 0.6)))
declare("pdtr", "k m", m="-gamma_density(floor(k) + 1, m)", domain=POSITIVE, at={"k": 2.0})
declare("pdtrc", "k m", m="gamma_density(floor(k) + 1, m)", domain=POSITIVE, at={"k": 2.0})
declare("pdtri", "k y", y="-1 / gamma_density(floor(k) + 1, f)", domain=UNIT, at={"k": 2})
declare("pdtrik", "p m", p="-1 / gammainc_slope(f + 1, m)", m="-gamma_density(f + 1, m) / gammainc_slope(f + 1, m)",
        domain=(UNIT, (9.0, 20.0)))


@helper
def betainc_slopes(a: Any, b: Any, x: Any) -> Any:
    """∂I(a, b, x)/∂a - ∂I(a, b, x)/∂b"""
    return NAMES["betainc_slope"](a, b, x) - NAMES["betainc_slope_b"](a, b, x)


# ---------------------------------------------------------------------- chi square and gamma

declare("chdtr", "v x", v="gammainc_slope(v / 2, x / 2) / 2", x="gamma_density(v / 2, x / 2) / 2", domain=_OVER)
declare("chdtrc", "v x", v="-gammainc_slope(v / 2, x / 2) / 2", x="-gamma_density(v / 2, x / 2) / 2", domain=_OVER)
declare("chdtri", "v p", v="quotient(-gammainc_slope(v / 2, f / 2), gamma_density(v / 2, f / 2))",
        p="-2 / gamma_density(v / 2, f / 2)", domain=(POSITIVE, UNIT))
declare("chdtriv", "p x", p="2 / gammainc_slope(f / 2, x / 2)",
        x="-gamma_density(f / 2, x / 2) / gammainc_slope(f / 2, x / 2)", domain=(UNIT, POSITIVE))
_GAMMA = (POSITIVE,) * 3
declare("gdtr", "a b x", a="x * gamma_density(b, a * x)", b="gammainc_slope(b, a * x)", x="a * gamma_density(b, a * x)",
        domain=_GAMMA)
declare("gdtrc", "a b x", a="-x * gamma_density(b, a * x)", b="-gammainc_slope(b, a * x)",
        x="-a * gamma_density(b, a * x)", domain=_GAMMA)
declare("gdtria", "p b x", p="1 / (x * gamma_density(b, f * x))",
        b="quotient(-gammainc_slope(b, f * x), x * gamma_density(b, f * x))", x="-f / x",
        domain=(UNIT, POSITIVE, POSITIVE))
declare("gdtrix", "a b p", a="-f / a", b="quotient(-gammainc_slope(b, a * f), a * gamma_density(b, a * f))",
        p="1 / (a * gamma_density(b, a * f))", domain=(POSITIVE, POSITIVE, UNIT))
declare("gdtrib", "a p x", a="-x * gamma_density(f, a * x) / gammainc_slope(f, a * x)",
        p="1 / gammainc_slope(f, a * x)",
        x="-a * gamma_density(f, a * x) / gammainc_slope(f, a * x)", domain=(POSITIVE, UNIT, POSITIVE))

# ---------------------------------------------------------------------- beta, F and Student's t

declare("btdtria", "p b x", p="1 / betainc_slope(f, b, x)", b="-betainc_slope_b(f, b, x) / betainc_slope(f, b, x)",
        x="-beta_density(f, b, x) / betainc_slope(f, b, x)", domain=(UNIT, POSITIVE, UNIT))
declare("btdtrib", "a p x", a="-betainc_slope(a, f, x) / betainc_slope_b(a, f, x)",
        p="1 / betainc_slope_b(a, f, x)",
        x="-beta_density(a, f, x) / betainc_slope_b(a, f, x)", domain=(POSITIVE, UNIT, UNIT))


@helper
def f_density(dfn: Any, dfd: Any, x: Any) -> Any:
    """The F density: that of the beta distribution at y = dfn x / (dfn x + dfd), times dy/dx"""
    endless, x = x == np.inf, np.minimum(x, _ENDLESS)
    total = dfn * x + dfd
    return np.where(endless, 0.0, NAMES["beta_density"](dfn / 2, dfd / 2, dfn * x / total) * (dfn / total)
                    * (dfd / total))


@helper
def f_slopes(dfn: Any, dfd: Any, x: Any) -> tuple[Any, Any]:
    """The derivatives of the F distribution function in its degrees of freedom"""
    x = np.minimum(x, _ENDLESS)
    total = dfn * x + dfd
    y, rest = dfn * x / total, dfd / total
    density, slope = NAMES["beta_density"](dfn / 2, dfd / 2, y), NAMES["betainc_slope"]
    move = np.where(x == 0, 0.0, density * (x / total) * rest)
    return (slope(dfn / 2, dfd / 2, y) / 2 + move,
            -slope(dfd / 2, dfn / 2, rest) / 2 - move * dfn / dfd)


declare("fdtr", "dfn dfd x", dfn="f_slopes(dfn, dfd, x)[0]", dfd="f_slopes(dfn, dfd, x)[1]", x="f_density(dfn, dfd, x)",
        domain=_GAMMA)
declare("fdtrc", "dfn dfd x", dfn="-f_slopes(dfn, dfd, x)[0]", dfd="-f_slopes(dfn, dfd, x)[1]",
        x="-f_density(dfn, dfd, x)", domain=_GAMMA)
declare("fdtri", "dfn dfd p", dfn="quotient(-f_slopes(dfn, dfd, f)[0], f_density(dfn, dfd, f))",
        dfd="quotient(-f_slopes(dfn, dfd, f)[1], f_density(dfn, dfd, f))", p="1 / f_density(dfn, dfd, f)",
        domain=(POSITIVE, POSITIVE, UNIT))
declare("fdtridfd", "dfn p x", dfn="-f_slopes(dfn, f, x)[0] / f_slopes(dfn, f, x)[1]", p="1 / f_slopes(dfn, f, x)[1]",
        x="-f_density(dfn, f, x) / f_slopes(dfn, f, x)[1]", domain=((1.0, 3.0), (0.5, 0.6), (1.0, 3.0)))


@helper
def t_density(df: Any, t: Any) -> Any:
    """Student's density, by that of the beta distribution at df/(df + t²)"""
    return np.exp(-(df + 1) / 2 * np.log1p(t / df * t) - NAMES["betaln"](df / 2, 0.5)) / np.sqrt(df)


@helper
def t_slope(df: Any, t: Any) -> Any:
    """d F(t)/d df: for t > 0, F = 1 - I(df/2, 1/2, df/(df + t²))/2"""
    total = df + t * t
    y, rest = df / total, t * t / total
    move = np.where(t == 0, 0.0, NAMES["beta_density"](df / 2, 0.5, y) * rest / total)
    slope = NAMES["betainc_slope"](df / 2, 0.5, y) / 2 + move
    return -np.sign(t) * slope / 2


declare("stdtr", "df t", df="t_slope(df, t)", t="t_density(df, t)", domain=(POSITIVE, REAL))
declare("stdtrit", "df p", df="quotient(-t_slope(df, f), t_density(df, f))", p="1 / t_density(df, f)",
        domain=(POSITIVE, UNIT))
declare("stdtridf", "p t", p="1 / t_slope(f, t)", t="-t_density(f, t) / t_slope(f, t)",
        domain=((0.86, 0.9), (1.5, 1.7)))

# ---------------------------------------------------------------------- normal

declare("nrdtrimn", "p std x", p="-std * sqrt(2 * pi) * exp(ndtri(p)**2 / 2)", std="-ndtri(p)", x="1.0 + 0 * x",
        domain=(UNIT, POSITIVE, REAL))
declare("nrdtrisd", "mn p x", mn="-1 / ndtri(p)", p="-f * sqrt(2 * pi) * exp(ndtri(p)**2 / 2) / ndtri(p)",
        x="1 / ndtri(p)", domain=((-3.0, -1.0), (0.6, 0.9), (1.0, 3.0)))

# ---------------------------------------------------------------------- Tukey's lambda, Kolmogorov


@helper
def tukey_density(f: Any, lmbda: Any) -> Any:
    """1 / (F^(λ-1) + (1 - F)^(λ-1)), and 0 outside of the support"""
    inside = (f > 0) & (f < 1)
    f = np.where(inside, f, 0.5)
    return np.where(inside, 1 / (f ** (lmbda - 1) + (1 - f) ** (lmbda - 1)), 0.0)


NAMES["tukey_shape"] = lambda f, lmbda: (NAMES["boxcox_slope"](np.log(np.where((f > 0) & (f < 1), f, 0.5)), lmbda)
                                         - NAMES["boxcox_slope"](np.log1p(-np.where((f > 0) & (f < 1), f, 0.5)), lmbda))
declare("tklmbda", "x lmbda", x="tukey_density(f, lmbda)", lmbda="-tukey_density(f, lmbda) * tukey_shape(f, lmbda)",
        domain=((-1.0, 1.0), (0.1, 0.9)))


@primitive("special_kolmogorov_slope", domain=((0.1, 3.0),), elementwise=True, cases=[
    case((), order=1), case((2, 3), order=2)])
def kolmogorov_slope(y: Any, order: int = 1) -> Any:
    """The derivative of `order` of 2 Σ (-1)^(k-1) exp(-2k²y²), for small y of the same theta function turned around"""
    y = np.asarray(y)
    dtype = np.result_type(y, np.float32)
    y = y.astype(float)
    large = y > 0.8
    high, low = np.where(large, y, 1.0), np.where(large, 1.0, np.maximum(y, 1e-3))
    # dⁿ exp(-2k²y²) = (-2k)ⁿ Heₙ(2ky) exp(-2k²y²)
    above = sum(-2 * (-1) ** k * (-2 * k) ** order * special.eval_hermitenorm(order, 2 * k * high)
                * np.exp(-2 * k * k * high * high) for k in range(1, 10))
    below: Any = 0.0
    for k in (1, 3, 5, 7, 9):
        rate = k * k * np.pi**2 / 8
        # the derivative of y⁻¹ exp(-r y⁻²), by a polynomial in 1/y
        term = Polynomial([0.0, 1.0])
        for _ in range(order):
            term = term.deriv() * Polynomial([0.0, 0.0, -1.0]) + term * Polynomial([0.0, 0.0, 0.0, 2 * rate])
        below = below - np.sqrt(2 * np.pi) * term(1 / low) * np.exp(-rate / (low * low))
    return np.where(large, above, np.where(y > 0, below, 0.0)).astype(dtype)[()]


@RegisterGradient("special_kolmogorov_slope", reads="inputs")
def _kolmogorov_slope(op: Any) -> Any:
    """The derivative of the next order"""
    return kolmogorov_slope(op.inputs[0], order=op.attrs.get("order", 1) + 1)


NAMES["kolmogorov_slope"] = kolmogorov_slope
declare("kolmogorov", "y", y="kolmogorov_slope(y)", domain=(0.0, 3.0))
declare("kolmogi", "p", p="1 / kolmogorov_slope(f)", domain=UNIT)

# ---------------------------------------------------------------------- Smirnov


def _smirnov_terms(d: float, n: int, order: int) -> float:
    """Σ C(n, j) dᵏ(d (d + j/n)^(j - 1) (1 - d - j/n)^(n - j)), over j with d + j/n <= 1"""
    j = np.arange(int(np.floor(n * (1 - d))) + 1, dtype=float)
    j = j[1 - d - j / n > 0]
    u, v = d + j / n, 1 - d - j / n
    log_size = -np.log1p(n) - special.betaln(n - j + 1, j + 1) + special.xlogy(j - 1, u) + special.xlogy(n - j, v)

    def slopes(count: int) -> Any:
        # Leibniz's rule for the powers of u and v, with falling factorials
        total: Any = 0.0
        for i in range(count + 1):
            fall_u = np.prod([j - 1 - one for one in range(i)], axis=0) if i else 1.0
            fall_v = np.prod([n - j - one for one in range(count - i)], axis=0) if count > i else 1.0
            total = total + math.comb(count, i) * (-1) ** (count - i) * fall_u * fall_v / (u**i * v ** (count - i))
        return total

    return float(math.fsum(np.exp(log_size) * (d * slopes(order) + order * slopes(order - 1))))


@primitive("special_smirnov_slope", domain=((0.62, 0.69),), elementwise=True, cases=[
    case((), n=5, order=1), case((3,), n=7, order=2)])
def smirnov_slope(d: Any, n: Any = 1, order: int = 1) -> Any:
    """The derivative of `order` of Smirnov's distribution function of n samples"""
    dtype = np.result_type(np.asarray(d), np.float32)

    def one(n: float, d: float) -> float:
        if not (0 < d < 1) or n < 1:
            return float("nan") if np.isnan(d) or n < 1 else -1.0 if d == 0 and order == 1 else 0.0
        return float(special._ufuncs._smirnovp(n, d)) if order == 1 else _smirnov_terms(d, int(n), order)

    with np.errstate(all="ignore"):
        return np.vectorize(one, otypes=[float])(n, np.asarray(d, float)).astype(dtype)[()]


@RegisterGradient("special_smirnov_slope", reads="inputs")
def _smirnov_slope(op: Any) -> Any:
    """The derivative of the next order"""
    return smirnov_slope(op.inputs[0], n=op.attrs["n"], order=op.attrs.get("order", 1) + 1)


NAMES["smirnov_slope"] = lambda n, d: smirnov_slope(d, n=n, order=1)
declare("smirnov", "n d", d="smirnov_slope(n, d)", domain=(0.62, 0.69), at={"n": 5})
declare("smirnovi", "n p", p="1 / smirnov_slope(n, f)", domain=(0.1, 0.9), at={"n": 5})
