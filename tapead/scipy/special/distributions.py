"""Statistical distribution functions (``*dtr``) and their inverses."""

from __future__ import annotations

from typing import Any

import numpy as np

from .table import NAMES, POSITIVE, REAL, UNIT, declare, helper

_OVER = (POSITIVE, POSITIVE)


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
        p="beta_density(n - f, f + 1, 1 - p) / -betainc_slopes(n - f, f + 1, 1 - p)", domain=(UNIT, UNIT),
        at={"n": 20.0})
declare("nbdtrik", "y n p", y="-1 / betainc_slope(f + 1, n, 1 - p)", domain=(UNIT, UNIT), at={"n": 20.0},
        p="beta_density(n, f + 1, p) / betainc_slope(f + 1, n, 1 - p)")
declare("pdtr", "k m", m="-gamma_density(floor(k) + 1, m)", domain=POSITIVE, at={"k": 2.0})
declare("pdtrc", "k m", m="gamma_density(floor(k) + 1, m)", domain=POSITIVE, at={"k": 2.0})
declare("pdtri", "k y", y="-1 / gamma_density(floor(k) + 1, f)", domain=UNIT, at={"k": 2})
declare("pdtrik", "p m", p="-1 / gammainc_slope(f + 1, m)", m="-gamma_density(f + 1, m) / gammainc_slope(f + 1, m)",
        domain=(UNIT, (9.0, 20.0)))


@helper
def betainc_slopes(a: Any, b: Any, x: Any) -> Any:
    """∂I(a, b, x)/∂a - ∂I(a, b, x)/∂b"""
    return NAMES["betainc_slope"](a, b, x) + NAMES["betainc_slope"](b, a, 1 - x)


# ---------------------------------------------------------------------- chi square and gamma

declare("chdtr", "v x", v="gammainc_slope(v / 2, x / 2) / 2", x="gamma_density(v / 2, x / 2) / 2", domain=_OVER)
declare("chdtrc", "v x", v="-gammainc_slope(v / 2, x / 2) / 2", x="-gamma_density(v / 2, x / 2) / 2", domain=_OVER)
declare("chdtri", "v p", v="-gammainc_slope(v / 2, f / 2) / gamma_density(v / 2, f / 2)",
        p="-2 / gamma_density(v / 2, f / 2)", domain=(POSITIVE, UNIT))
declare("chdtriv", "p x", p="2 / gammainc_slope(f / 2, x / 2)",
        x="-gamma_density(f / 2, x / 2) / gammainc_slope(f / 2, x / 2)", domain=(UNIT, POSITIVE))
_GAMMA = (POSITIVE,) * 3
declare("gdtr", "a b x", a="x * gamma_density(b, a * x)", b="gammainc_slope(b, a * x)", x="a * gamma_density(b, a * x)",
        domain=_GAMMA)
declare("gdtrc", "a b x", a="-x * gamma_density(b, a * x)", b="-gammainc_slope(b, a * x)",
        x="-a * gamma_density(b, a * x)", domain=_GAMMA)
declare("gdtria", "p b x", p="1 / (x * gamma_density(b, f * x))",
        b="-gammainc_slope(b, f * x) / (x * gamma_density(b, f * x))", x="-f / x", domain=(UNIT, POSITIVE, POSITIVE))
declare("gdtrix", "a b p", a="-f / a", b="-gammainc_slope(b, a * f) / (a * gamma_density(b, a * f))",
        p="1 / (a * gamma_density(b, a * f))", domain=(POSITIVE, POSITIVE, UNIT))
declare("gdtrib", "a p x", a="-x * gamma_density(f, a * x) / gammainc_slope(f, a * x)",
        p="1 / gammainc_slope(f, a * x)",
        x="-a * gamma_density(f, a * x) / gammainc_slope(f, a * x)", domain=(POSITIVE, UNIT, POSITIVE))

# ---------------------------------------------------------------------- beta, F and Student's t

declare("btdtria", "p b x", p="1 / betainc_slope(f, b, x)", b="betainc_slope(b, f, 1 - x) / betainc_slope(f, b, x)",
        x="-beta_density(f, b, x) / betainc_slope(f, b, x)", domain=(UNIT, POSITIVE, UNIT))
declare("btdtrib", "a p x", a="betainc_slope(a, f, x) / betainc_slope(f, a, 1 - x)",
        p="-1 / betainc_slope(f, a, 1 - x)",
        x="beta_density(a, f, x) / betainc_slope(f, a, 1 - x)", domain=(POSITIVE, UNIT, UNIT))


@helper
def f_density(dfn: Any, dfd: Any, x: Any) -> Any:
    """The F density: that of the beta distribution at y = dfn x / (dfn x + dfd), times dy/dx"""
    total = dfn * x + dfd
    return NAMES["beta_density"](dfn / 2, dfd / 2, dfn * x / total) * (dfn / total) * (dfd / total)


@helper
def f_slopes(dfn: Any, dfd: Any, x: Any) -> tuple[Any, Any]:
    """The derivatives of the F distribution function in its degrees of freedom"""
    total = dfn * x + dfd
    y, rest = dfn * x / total, dfd / total
    density, slope = NAMES["beta_density"](dfn / 2, dfd / 2, y), NAMES["betainc_slope"]
    move = density * (x / total) * rest
    return (slope(dfn / 2, dfd / 2, y) / 2 + move,
            -slope(dfd / 2, dfn / 2, rest) / 2 - move * dfn / dfd)


declare("fdtr", "dfn dfd x", dfn="f_slopes(dfn, dfd, x)[0]", dfd="f_slopes(dfn, dfd, x)[1]", x="f_density(dfn, dfd, x)",
        domain=_GAMMA)
declare("fdtrc", "dfn dfd x", dfn="-f_slopes(dfn, dfd, x)[0]", dfd="-f_slopes(dfn, dfd, x)[1]",
        x="-f_density(dfn, dfd, x)", domain=_GAMMA)
declare("fdtri", "dfn dfd p", dfn="-f_slopes(dfn, dfd, f)[0] / f_density(dfn, dfd, f)",
        dfd="-f_slopes(dfn, dfd, f)[1] / f_density(dfn, dfd, f)", p="1 / f_density(dfn, dfd, f)",
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
    slope = NAMES["betainc_slope"](df / 2, 0.5, y) / 2 + NAMES["beta_density"](df / 2, 0.5, y) * rest / total
    return -np.sign(t) * slope / 2


declare("stdtr", "df t", df="t_slope(df, t)", t="t_density(df, t)", domain=(POSITIVE, REAL))
declare("stdtrit", "df p", df="-t_slope(df, f) / t_density(df, f)", p="1 / t_density(df, f)", domain=(POSITIVE, UNIT))
declare("stdtridf", "p t", p="1 / t_slope(f, t)", t="-t_density(f, t) / t_slope(f, t)",
        domain=((0.86, 0.9), (1.5, 1.7)))

# ---------------------------------------------------------------------- normal

declare("nrdtrimn", "p std x", p="-std * sqrt(2 * pi) * exp(ndtri(p)**2 / 2)", std="-ndtri(p)", x="1.0 + 0 * x",
        domain=(UNIT, POSITIVE, REAL))
declare("nrdtrisd", "mn p x", mn="-1 / ndtri(p)", p="-f * sqrt(2 * pi) * exp(ndtri(p)**2 / 2) / ndtri(p)",
        x="1 / ndtri(p)", domain=((-3.0, -1.0), (0.6, 0.9), (1.0, 3.0)))

# ---------------------------------------------------------------------- noncentral chi square


@helper
def noncentral_density(x: Any, df: Any, nc: Any) -> Any:
    """e^(-(x + nc)/2) (x/nc)^((df - 2)/4) I_(df/2 - 1)(√(x nc)) / 2, by the central density where x nc is small"""
    small = x * nc < 100
    near, far = np.where(small, x * nc, 0.0), np.where(small, 100.0, x * nc)
    central = (NAMES["gamma_density"](df / 2, x / 2) / 2 * np.exp(-nc / 2)
               * NAMES["hyp0f1"](df / 2, near / 4))
    gap = np.sqrt(x) - np.sqrt(nc)
    power = np.exp((df - 2) / 4 * np.where(small, 0.0, np.log(x / np.where(small, 1.0, nc))))
    scaled = np.exp(-gap * gap / 2) * power * NAMES["ive"](df / 2 - 1, np.sqrt(far)) / 2
    return np.where(small, central, scaled)


declare("chndtr", "x df nc", x="noncentral_density(x, df, nc)", nc="-noncentral_density(x, df + 2, nc)", domain=_OVER,
        at={"df": 3.0})
declare("chndtrix", "p df nc", p="1 / noncentral_density(f, df, nc)", domain=(UNIT, POSITIVE), at={"df": 3.0},
        nc="noncentral_density(f, df + 2, nc) / noncentral_density(f, df, nc)")
declare("chndtrinc", "x df p", x="noncentral_density(x, df, f) / noncentral_density(x, df + 2, f)",
        p="-1 / noncentral_density(x, df + 2, f)", domain=((4.0, 8.0), (0.1, 0.6)), at={"df": 3.0})

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


@helper
def kolmogorov_slope(y: Any) -> Any:
    """-8y Σ (-1)^(k-1) k² exp(-2k²y²), and for small y the derivative of the same theta function turned around"""
    large = y > 0.8
    high, low = np.where(large, y, 1.0), np.where(large, 1.0, np.maximum(y, 1e-3))
    above = sum(8 * (-1) ** k * k * k * high * np.exp(-2 * k * k * high * high) for k in range(1, 8))
    below: Any = 0.0
    for k in (1, 3, 5, 7, 9):
        rate = k * k * np.pi**2 / 8
        below = below + (1 - 2 * rate / (low * low)) * np.exp(-rate / (low * low))
    return np.where(large, above, np.where(y > 0, np.sqrt(2 * np.pi) / (low * low) * below, 0.0))


declare("kolmogorov", "y", y="kolmogorov_slope(y)", domain=(0.0, 3.0))
declare("kolmogi", "p", p="1 / kolmogorov_slope(f)", domain=UNIT)
