"""Exponentials, logarithms, losses, entropies and transformations: scipy.special's convenience functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from .table import NAMES, POSITIVE, UNIT, declare, helper, piecewise_constant


@helper
def log_ratio(x: Any, y: Any) -> Any:
    """log(x/y), with all digits where x is near y, and 0 where either is not positive"""
    inside = (x > 0) & (y > 0)
    x, y = np.where(inside, x, 1.0), np.where(inside, y, 1.0)
    near = np.abs(x - y) < 0.5 * y
    return np.where(near, np.log1p(np.where(near, x - y, 0.0) / y), np.log(x) - np.log(y))


@helper
def quotient(x: Any, y: Any) -> Any:
    """x/y, and 0 where x is 0"""
    zero = x == 0
    return np.where(zero, 0.0, x) / np.where(zero, 1.0, y)


@helper
def log1p_ratio(w: Any, order: int = 0) -> Any:
    """The derivative of `order` of log(1 + w)/w, which is (-1)^n n!/(n + 1) F(n + 1, n + 1; n + 2; -w)"""
    if order == 0:
        near = np.abs(w) < 0.5
        far = np.where(near, 1.0, w)
        series = NAMES["hyp2f1"](1.0, 1.0, 2.0, -np.where(near, w, 0.0))
        return np.where(near, series, np.log1p(far) / far)
    near = np.abs(w) < 0.5
    far = np.where(near, 1.0, w)
    series = -0.5 * NAMES["hyp2f1"](2.0, 2.0, 3.0, -np.where(near, w, 0.0))
    return np.where(near, series, (1 / (1 + far) - np.log1p(far) / far) / far)


@helper
def exprel_slope(x: Any) -> Any:
    """d ((e^x - 1)/x): F(2; 3; x)/2 near 0; far from it (e^x - f)/x, which is f (1 - 1/x) + 1/x, with that f"""
    near = np.abs(x) < 1
    far = np.where(near, 1.0, x)
    series = NAMES["hyp1f1"](2.0, 3.0, np.where(near, x, 0.0)) / 2
    value = NAMES["exprel"](far)
    return np.where(near, series, np.where(far > 0, value * (1 - 1 / far) + 1 / far, (np.exp(far) - value) / far))


@helper
def boxcox_slope(log: Any, lmbda: Any) -> Any:
    """d ((e^(λu) - 1)/λ)/dλ, with u = log(x)"""
    finite = np.where(np.isinf(log), -1e300, log)
    scaled = np.clip(lmbda * finite, -1e306, 1e306)
    near = np.abs(scaled) < 1
    below = np.where(near, 1.0, lmbda)
    power = np.exp(np.where(near, 1.0, scaled))
    series = np.where(near, finite, 1.0) ** 2 * exprel_slope(np.where(near, scaled, 0.5))
    return np.where(near, series, (power * finite - np.expm1(np.where(near, 1.0, scaled)) / below) / below)


declare("expm1", "x", x="exp(x)", sympy="exp(x) - 1")
declare("exp2", "x", x="f * log(2)", sympy="2**x")
declare("exp10", "x", x="f * log(10)", sympy="10**x")
declare("log1p", "x", x="1 / (1 + x)", sympy="log(1 + x)", domain=(-1.0, np.inf))
declare("cbrt", "x", x="1 / (3 * f**2)", sympy="sign(x)*Abs(x)**(S(1)/3)", kinks="x")
declare("cosm1", "x", x="-sin(x)", sympy="cos(x) - 1")
declare("exprel", "x", x="exprel_slope(x)", sympy="(exp(x) - 1)/x", kinks="x")
declare("powm1", "x y", x="y * x**(y - 1)", y="special_xlogy(x**y, x)", sympy="x**y - 1",
        domain=(POSITIVE, (-9.0, 9.0)))
declare("sindg", "x", x="degree * cosdg(x)", sympy="sin(pi*x/180)")
declare("cosdg", "x", x="-degree * sindg(x)", sympy="cos(pi*x/180)")
declare("tandg", "x", x="degree * (1 + f**2)", sympy="tan(pi*x/180)")
declare("cotdg", "x", x="-degree * (1 + f**2)", sympy="cot(pi*x/180)", domain=(0.0, 180.0))
declare("radian", "d m s", d="degree + 0 * d", m="(degree + 0 * m) / 60", s="(degree + 0 * s) / 3600",
        sympy="pi/180*(x + y/60 + z/3600)")
piecewise_constant("round")

declare("logit", "x", x="1 / (x * (1 - x))", sympy="log(x/(1 - x))", domain=UNIT)
declare("expit", "x", x="f * expit(-x)", sympy="1/(1 + exp(-x))")
declare("log_expit", "x", x="expit(-x)", sympy="-log(1 + exp(-x))")

declare("entr", "x", x="where(x < 0, 0.0, -log(maximum(x, 0)) - 1)", sympy="-x*log(x)", domain=POSITIVE)
declare("rel_entr", "x y", x="where((x < 0) | (y <= 0), 0.0, where(x > 0, 1 + log_ratio(x, y), log(maximum(x, 0))))",
        y="where((x < 0) | (y <= 0), 0.0, -x / where(y > 0, y, 1.0))", sympy="x*log(x/y)", domain=POSITIVE)
declare("kl_div", "x y", x="where((x < 0) | (y <= 0), 0.0, where(x > 0, log_ratio(x, y), log(maximum(x, 0))))",
        y="where((x < 0) | (y <= 0), 0.0, (y - x) / where(y > 0, y, 1.0))", sympy="x*log(x/y) - x + y",
        domain=POSITIVE)
declare("xlogy", "x y", x="log(y)", y="quotient(x, y)", sympy="x*log(y)", domain=((-9.0, 9.0), POSITIVE))
declare("xlog1py", "x y", x="log1p(y)", y="quotient(x, 1 + y)", sympy="x*log(1 + y)",
        domain=((-9.0, 9.0), (-1.0, np.inf)))

declare("boxcox", "x lmbda", x="x**(lmbda - 1)", lmbda="boxcox_slope(log(x), lmbda)",
        sympy="(x**y - 1)/y", domain=(POSITIVE, (-9.0, 9.0)), kinks="y")
declare("boxcox1p", "x lmbda", x="exp((lmbda - 1) * log1p(x))", lmbda="boxcox_slope(log1p(x), lmbda)",
        sympy="((1 + x)**y - 1)/y", domain=((-1.0, np.inf), (-9.0, 9.0)), kinks="y")
declare("inv_boxcox", "y lmbda", y="f / (1 + lmbda * y)", lmbda="f * y**2 * log1p_ratio(lmbda * y, order=1)",
        sympy="(1 + x*y)**(1/y)", domain=((0.0, 3.0), (0.0, 3.0)))
declare("inv_boxcox1p", "y lmbda", y="(1 + f) / (1 + lmbda * y)",
        lmbda="(1 + f) * y**2 * log1p_ratio(lmbda * y, order=1)", sympy="(1 + x*y)**(1/y) - 1",
        domain=((0.0, 3.0), (0.0, 3.0)))

declare("huber", "delta r", delta="where(delta < 0, 0.0, maximum(abs(r) - delta, 0.0))",
        r="where(delta < 0, 0.0, clip(r, -delta, delta))",
        sympy="Piecewise((y**2/2, Abs(y) < x), (x*(Abs(y) - x/2), True))", domain=(POSITIVE, (-9.0, 9.0)),
        kinks="Abs(y) - x")
declare("pseudo_huber", "delta r", delta="pseudo_huber_slope(delta, r)", r="delta * quotient(r, hypot(r, delta))",
        sympy="x**2*(sqrt(1 + (y/x)**2) - 1)", domain=(POSITIVE, (-9.0, 9.0)))


@helper
def pseudo_huber_slope(delta: Any, r: Any) -> Any:
    """d (δ² (s - 1))/dδ = (r/δ)³ r / (s (s + 1)²), with s = √(1 + (r/δ)²)"""
    ratio = quotient(r, delta)
    s = np.hypot(1.0, ratio)
    return r * (ratio / s) * (ratio / (s + 1)) * (ratio / (s + 1))


declare("spence", "z", z="where(abs(z - 1) < 0.5, -log1p_ratio(where(abs(z - 1) < 0.5, z - 1, 0.0)), "
        "log(z) / (1 - where(abs(z - 1) < 0.5, 0.0, z)))", sympy="polylog(2, 1 - x)", domain=POSITIVE)
declare("wrightomega", "z", z="f / (1 + f)", sympy="LambertW(exp(x))")
declare("lambertw", "z k tol", z="exp(-f) / (1 + f)", ufunc=special._ufuncs._lambertw, at={"k": 0, "tol": 1e-8},
        sympy="LambertW(x)", domain=(0.0, np.inf))
NAMES["special_xlogy"] = NAMES["xlogy"]
