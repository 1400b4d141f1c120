"""Noncentral chi square, F and t distributions, in every argument.

The first two are Poisson mixtures of incomplete gamma and beta functions, the last is an integral over the chi
distribution. Sum and integral are differentiated under the sign; what comes out is a sum or integral of the same kind.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ...registry import Primitive, RegisterGradient, add_primitive, case, primitive
from .gamma import beta_density, gamma_density
from .incomplete import Orders, _bell, _beta_bell, _gamma_bell, betainc_slope, gammainc_slope
from .table import NAMES, POSITIVE, REAL, UNIT, declare, helper

_AT_ONCE = 100_000


def _mixture(rate: Any, term: Callable[[Any], Any]) -> Any:
    """Σ e^-λ λ^k/k! term(k), over the k that matter; `term` gets them along a first axis of their own"""
    given, rate = rate, np.where(np.isfinite(rate), rate, 0.0)
    spread = 9 * np.sqrt(rate) + 20
    first = int(max(np.min(rate - spread, initial=np.inf), 0.0)) if np.size(rate) else 0
    last = int(np.max(rate + spread, initial=0.0))
    total: Any = 0.0
    at_once = max(1, _AT_ONCE // max(np.size(rate), 1))
    for start in range(first, last + 1, at_once):
        k = np.arange(start, min(start + at_once, last + 1), dtype=float).reshape(-1, *(1,) * np.ndim(rate))
        weight = np.exp(special.xlogy(k, rate) - rate - special.gammaln(k + 1.0))
        total = total + np.sum(np.where(weight > 0, weight * term(k), 0.0), axis=0)
    return np.where(np.isfinite(given), total, np.where(np.isnan(given), np.nan, 0.0))


def _prepared(*values: Any) -> tuple[Any, list[Any]]:
    arrays = [np.asarray(one) for one in values]
    dtype = np.result_type(*arrays, np.float32)
    return dtype, list(np.broadcast_arrays(*(one.astype(float) for one in arrays)))


# ---------------------------------------------------------------------- mixtures of gamma distributions


@primitive("special_mixed_gamma", domain=(POSITIVE,) * 3, elementwise=True, cases=[
    case((), (), (), order=1), case((2, 1), (3,), (3,), density=True), case((), (), (), order=1, density=True)])
def mixed_gamma(rate: Any, a: Any, x: Any, order: int = 0, density: bool = False) -> Any:
    """Σ e^-λ λ^k/k! ∂ⁿP(a + k, x)/∂aⁿ, or of the gamma density"""
    dtype, (rate, a, x) = _prepared(rate, a, x)

    def term(k: Any) -> Any:
        if density:
            log_x = np.log(np.where(x > 0, x, 1.0))
            return gamma_density(a + k, x) * (_gamma_bell(a + k, log_x, order) if order else 1.0)
        return gammainc_slope(a + k, x, order=order) if order else special.gammainc(a + k, x)

    return np.asarray(_mixture(rate, term)).astype(dtype)[()]


@RegisterGradient("special_mixed_gamma", reads="inputs")
def _mixed_gamma(op: Any) -> Any:
    """∂/∂λ raises a by 1 in one of two terms, ∂/∂a raises n, ∂/∂x gives the density or its own derivative"""
    rate, a, x = op.inputs
    order, density = op.attrs.get("order", 0), op.attrs.get("density", False)

    def at(shape: Any, of_order: int, of_density: bool) -> Any:
        return mixed_gamma(rate, shape, x, order=of_order, density=of_density)

    def in_rate() -> Any:
        if order == 0 and not density:
            return -at(a + 1, 0, True)
        return at(a + 1, order, density) - at(a, order, density)

    def in_x() -> Any:
        if not density:
            return at(a, order, True)
        lower = order * at(a, order - 1, True) if order else 0.0
        return ((a - 1) * at(a, order, True) + rate * at(a + 1, order, True) + lower) / x - at(a, order, True)

    return in_rate, lambda: at(a, order + 1, density), in_x


# ---------------------------------------------------------------------- mixtures of beta distributions


@primitive("special_mixed_beta", domain=(POSITIVE, POSITIVE, POSITIVE, UNIT), elementwise=True, cases=[
    case((), (), (), (), order=(1, 0)), case((2, 1), (3,), (3,), (3,), kind="density"),
    case((), (), (), (), kind="step"), case((), (), (), (), kind="density", order=(0, 1))])
def mixed_beta(rate: Any, a: Any, b: Any, y: Any, order: Orders = (0, 0), kind: str = "value") -> Any:
    """Σ e^-λ λ^k/k! ∂ⁱ∂ʲI(a + k, b, y); or of the density; or of the step I(a + k, b, y) - I(a + k + 1, b, y)"""
    dtype, (rate, a, b, y) = _prepared(rate, a, b, y)
    inside = (y > 0) & (y < 1)
    z = np.where(inside, y, 0.5)

    def term(k: Any) -> Any:
        if kind == "step":
            return y * (1 - y) / (a + k) * beta_density(a + k, b, z)
        if kind == "density":
            return beta_density(a + k, b, y) * (_beta_bell(a + k, b, np.log(z), np.log1p(-z), order))
        return special.betainc(a + k, b, y) if order == (0, 0) else betainc_slope(a + k, b, y, order=order)

    return np.asarray(_mixture(rate, term)).astype(dtype)[()]


@RegisterGradient("special_mixed_beta", reads="inputs")
def _mixed_beta(op: Any) -> Any:
    """∂/∂λ raises a by 1 in one of two terms, ∂/∂a and ∂/∂b raise the order, ∂/∂y gives the density or its slope"""
    rate, a, b, y = op.inputs
    (i, j), kind = op.attrs.get("order", (0, 0)), op.attrs.get("kind", "value")

    def at(shape: Any, order: Orders, what: str) -> Any:
        return mixed_beta(rate, shape, b, y, order=order, kind=what)

    def in_rate() -> Any:
        if (i, j, kind) == (0, 0, "value"):
            return -at(a, (0, 0), "step")
        return at(a + 1, (i, j), kind) - at(a, (i, j), kind)

    def in_shape(order: Orders) -> Any:
        if kind == "step":
            return at(a, order, "value") - at(a + 1, order, "value")
        return at(a, (i + order[0], j + order[1]), kind)

    def in_y() -> Any:
        if kind == "step":
            return at(a, (0, 0), "density") - at(a + 1, (0, 0), "density")
        here = at(a, (i, j), "density")
        if kind == "value":
            return here
        left = (a - 1) * here + rate * at(a + 1, (i, j), "density") + (i * at(a, (i - 1, j), "density") if i else 0.0)
        right = (b - 1) * here + (j * at(a, (i, j - 1), "density") if j else 0.0)
        return left / y - right / (1 - y)

    return in_rate, lambda: in_shape((1, 0)), lambda: in_shape((0, 1)), in_y


# ---------------------------------------------------------------------- an integral over the chi distribution

_STEP = 0.04
_NODES = np.arange(-270, 271) * _STEP


def _chi_kernel(t: Any, df: Any, nc: Any, order: tuple[int, int, int] = (0, 0, 0)) -> Any:
    """∫ s^m F(ts - μ) ∂ˡg(s)/∂νˡ ds, F = He_n φ or for n = -1 Φ, g the density of √(χ²/ν)

    By the trapezoidal rule in τ, log(s) = log(s*) + w sinh(τ), from the integrand's peak.
    """
    dtype, (t, df, nc) = _prepared(t, df, nc)
    m, n, times = order
    with np.errstate(all="ignore"):
        peak = (t * nc + np.sqrt((t * nc) ** 2 + 4 * df * (df + t * t))) / (2 * (df + t * t))
        centre = np.where((n == -1) & (np.abs(t - nc) < 2), 1.0, peak)
        width = 1 / np.sqrt(2 * df + (t * centre) ** 2 + np.abs(t * nc * centre) / 4)
        constant = np.log(2.0) + df / 2 * np.log(df / 2) - special.gammaln(df / 2)
        slope = (np.log(df / 2) + 1 - special.psi(df / 2)) / 2

        def cumulant(log_s: Any, s: Any, k: int, _: int) -> Any:
            if k == 1:
                return slope + log_s - s * s / 2
            return (-1) ** k * special.gamma(k - 1.0) / (2 * df ** (k - 1)) - special.polygamma(k - 1, df / 2) / 2**k

        total: Any = 0.0
        at_once = max(1, _AT_ONCE // max(np.size(t), 1))
        for start in range(0, len(_NODES), at_once):
            tau = _NODES[start:start + at_once].reshape(-1, *(1,) * np.ndim(t))
            log_s = np.log(centre) + width * np.sinh(tau)
            s = np.exp(log_s)
            x = t * s - nc
            log_g = constant + (df + m) * log_s - df * s * s / 2
            if n == -1:
                # What is constant in s integrates to 0 with ∂g/∂ν: the smaller side is left.
                factor = np.where(t > nc, -special.ndtr(-x), special.ndtr(x)) * np.exp(log_g)
            else:
                factor = special.eval_hermitenorm(n, x) * np.exp(log_g - x * x / 2) / np.sqrt(2 * np.pi)
            if times:
                factor = factor * _bell((times, 0), functools.partial(cumulant, log_s, s))
            total = total + np.sum(np.where(np.isfinite(factor), factor * width * np.cosh(tau), 0.0), axis=0)
        total = np.where(np.isnan(t + df + nc) | (df <= 0), np.nan, total * _STEP)
    return total.astype(dtype)[()]


_CHI = add_primitive(Primitive(
    "special_chi_integral", _chi_kernel, elementwise=True, domain=(REAL, POSITIVE, REAL), cases=(
        case((), (), (), order=(0, 0, 0)), case((2, 1), (3,), (3,), order=(1, 0, 0)),
        case((), (), (), order=(0, -1, 1)))))


@RegisterGradient("special_chi_integral", reads="inputs")
def _chi_rule(op: Any) -> Any:
    """∂/∂ν raises l; ∂/∂t and ∂/∂μ raise n, with -s and 1 (s and -1 for n = -1)"""
    t, df, nc = op.inputs
    m, n, times = op.attrs["order"]
    sign = 1 if n == -1 else -1
    return (lambda: sign * _CHI(t, df, nc, order=(m + 1, n + 1, times)),
            lambda: _CHI(t, df, nc, order=(m, n, times + 1)),
            lambda: -sign * _CHI(t, df, nc, order=(m, n + 1, times)))


# ---------------------------------------------------------------------- the functions


@helper
def chi_integral(t: Any, df: Any, nc: Any, *order: int) -> Any:
    """The integral of the given order"""
    return _CHI(t, df, nc, order=order)


def _chi_square(x: Any, df: Any, nc: Any) -> Any:
    """The density"""
    return mixed_gamma(nc / 2, df / 2, x / 2, density=True) / 2


def _chi_square_shape(x: Any, df: Any, nc: Any) -> Any:
    """The derivative of the distribution function in df"""
    return mixed_gamma(nc / 2, df / 2, x / 2, order=1) / 2


NAMES |= {"chi2_density": _chi_square, "chi2_shape": _chi_square_shape}
_THREE = (POSITIVE,) * 3
declare("chndtr", "x df nc", x="chi2_density(x, df, nc)", df="chi2_shape(x, df, nc)", nc="-chi2_density(x, df + 2, nc)",
        domain=_THREE)
declare("chndtrix", "p df nc", p="1 / chi2_density(f, df, nc)", df="-chi2_shape(f, df, nc) / chi2_density(f, df, nc)",
        nc="chi2_density(f, df + 2, nc) / chi2_density(f, df, nc)", domain=(UNIT, POSITIVE, POSITIVE))
declare("chndtridf", "x p nc", x="-chi2_density(x, f, nc) / chi2_shape(x, f, nc)", p="1 / chi2_shape(x, f, nc)",
        nc="chi2_density(x, f + 2, nc) / chi2_shape(x, f, nc)", domain=((4.0, 8.0), (0.2, 0.6), (0.5, 2.0)))
declare("chndtrinc", "x df p", x="chi2_density(x, df, f) / chi2_density(x, df + 2, f)",
        df="chi2_shape(x, df, f) / chi2_density(x, df + 2, f)", p="-1 / chi2_density(x, df + 2, f)",
        domain=((4.0, 8.0), (2.0, 3.0), (0.1, 0.6)))


def _f_slopes(dfn: Any, dfd: Any, nc: Any, x: Any) -> dict[str, Callable[[], Any]]:
    """The derivative of the noncentral F distribution function in each argument"""
    total = dfn * x + dfd
    y = dfn * x / total

    def mixed(**attrs: Any) -> Any:
        return mixed_beta(nc / 2, dfn / 2, dfd / 2, y, **attrs)

    def density() -> Any:
        return mixed(kind="density") / total

    return {"dfn": lambda: mixed(order=(1, 0)) / 2 + density() * x * (dfd / total),
            "dfd": lambda: mixed(order=(0, 1)) / 2 - density() * x * (dfn / total),
            "nc": lambda: -mixed(kind="step") / 2, "x": lambda: density() * dfn * (dfd / total)}


def _t_slopes(df: Any, nc: Any, t: Any) -> dict[str, Callable[[], Any]]:
    """The derivative of the noncentral t distribution function in each argument"""
    return {"df": lambda: chi_integral(t, df, nc, 0, -1, 1), "nc": lambda: -chi_integral(t, df, nc, 0, 0, 0),
            "t": lambda: chi_integral(t, df, nc, 1, 0, 0)}


def _declare_inverses(slopes: Callable[..., Any], function: str, arguments: str, inverses: dict[str, str],
                      domain: dict[str, tuple[float, float]]) -> None:
    """A distribution function, and its inverses, which have p in the place of the argument that they solve for"""
    order = arguments.split()
    slope = f"{function}_slope"
    NAMES[slope] = lambda name, *values: slopes(*values)[name]()
    direct: dict[str, Any] = {one: f"{slope}('{one}', {', '.join(order)})" for one in order}
    declare(function, arguments, domain=[domain[one] for one in order], **direct)
    for name, solved in inverses.items():
        inside = ", ".join("f" if one == solved else one for one in order)
        taken = ["p" if one == solved else one for one in order]
        partials: dict[str, Any] = {one: f"-{slope}('{one}', {inside}) / {slope}('{solved}', {inside})" for one in order
                                    if one != solved} | {"p": f"1 / {slope}('{solved}', {inside})"}
        declare(name, " ".join(taken), domain=[domain.get(f"{name} {one}", domain[one]) for one in taken], **partials)


_declare_inverses(_f_slopes, "ncfdtr", "dfn dfd nc x", {
    "ncfdtri": "x", "ncfdtridfd": "dfd", "ncfdtridfn": "dfn", "ncfdtrinc": "nc"},
    {"dfn": (3.0, 4.0), "dfd": (5.0, 6.0), "nc": (0.2, 0.5), "x": (1.5, 2.0), "p": (0.66, 0.7),
     "ncfdtridfn x": (0.25, 0.3), "ncfdtridfn p": (0.1, 0.15)})
_declare_inverses(_t_slopes, "nctdtr", "df nc t", {"nctdtrit": "t", "nctdtridf": "df", "nctdtrinc": "nc"},
                  {"df": (4.0, 6.0), "nc": (0.5, 1.0), "t": (1.0, 1.4), "p": (0.55, 0.6)})
