"""Elliptic integrals and functions, by Carlson's symmetric integrals, in which no difference cancels."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from ...registry import Primitive, RegisterGradient, add_primitive, case, value_of
from .table import NAMES, POSITIVE, UNIT, declare, declare_results, helper

_STEP = 0.5


def _carlson_kernel(*variables: Any, halves: Sequence[int] = (), power: int = 0) -> Any:
    """∫ t^power Π (t + x_j)^(-halves_j/2) dt over [0, ∞)

    In u = log(t) the integrand is analytic for |Im u| < π: the trapezoidal rule errs by exp(-2π²/step), below 1e-17.
    """
    # As arrays: numbers alone would be taken for single precision.
    dtype = np.result_type(*map(np.asarray, variables), np.float32)
    values = np.broadcast_arrays(*(np.asarray(x, float) for x in variables))
    if tuple(halves) == (1, 1, 1) and power == 0:
        return (2 * special.elliprf(*values)).astype(dtype)[()]
    if sorted(halves) == [1, 1, 3] and power == 0:
        ordered = [x for _, x in sorted(zip(halves, values, strict=True), key=lambda pair: pair[0])]
        return (2 / 3 * special.elliprd(*ordered)).astype(dtype)[()]
    with np.errstate(all="ignore"):
        sizes = [np.where((x > 0) & np.isfinite(x), x, np.nan) for x in values]
        lowest = np.fmin.reduce(sizes)
        highest = np.fmax.reduce(sizes)
        # Where an x_j is 0 the integrand falls only like t^(1 - halves_j/2 + power) towards 0.
        start = np.nanmin(np.log(lowest), initial=0.0) - 80
        end = np.nanmax(np.log(highest), initial=0.0) + 80 / (sum(halves) / 2 - power - 1)
        total: Any = 0.0
        for node in range(int((end - start) / _STEP) + 1):
            t = np.exp(start + node * _STEP)
            product = t ** (power + 1)
            for x, half in zip(values, halves, strict=True):
                product = product * (t + x) ** (-half / 2)
            total = total + product
        total = total * _STEP
        # Divergent: the power at t = 0 is not integrable.
        at_zero = sum((x == 0) * half for x, half in zip(values, halves, strict=True))
        total = np.where(at_zero / 2 - power >= 1, np.inf, total)
        total = np.where(np.any([x < 0 for x in values], axis=0), np.nan, total)
    return total.astype(dtype)[()]


def _carlson_primitive(count: int) -> Primitive:
    """The integral of so many variables"""

    def kernel(*variables: Any, halves: Sequence[int] = (), power: int = 0) -> Any:
        return _carlson_kernel(*variables, halves=halves, power=power)

    # The registry reads the names and the number of the inputs off the signature.
    kernel.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # inspect.signature looks for it
        [inspect.Parameter(one, inspect.Parameter.POSITIONAL_OR_KEYWORD) for one in "xyzp"[:count]]
        + [inspect.Parameter("halves", inspect.Parameter.KEYWORD_ONLY, default=()),
           inspect.Parameter("power", inspect.Parameter.KEYWORD_ONLY, default=0)])
    cases: dict[int, list[tuple[int, ...]]] = {
        2: [(1, 2), (3, 2)], 3: [(1, 1, 1), (3, 1, 1)], 4: [(1, 1, 1, 2), (3, 1, 1, 2)]}
    new = add_primitive(Primitive(f"special_carlson_{count}", kernel, elementwise=True, domain=(POSITIVE,) * count,
                                  cases=tuple(case(*[(3,)] * count, halves=halves) for halves in cases[count])))
    RegisterGradient(new.name, reads="inputs")(_carlson_rule)
    return new


def _carlson_rule(op: Any) -> Any:
    """∂/∂x_j = -halves_j/2 times the integral with halves_j + 2"""
    halves, power = tuple(op.attrs["halves"]), op.attrs.get("power", 0)

    def partial(place: int) -> Any:
        raised = tuple(half + 2 * (j == place) for j, half in enumerate(halves))
        return -halves[place] / 2 * carlson(*op.inputs, halves=raised, power=power)

    return tuple([lambda place=place: partial(place) for place in range(len(halves))])


_CARLSON = {count: _carlson_primitive(count) for count in (2, 3, 4)}


@helper
def carlson(*variables: Any, halves: Sequence[int], power: int = 0) -> Any:
    """The integral, of two to four variables"""
    return _CARLSON[len(variables)](*variables, halves=tuple(halves), power=power)


@helper
def rd(x: Any, y: Any, z: Any) -> Any:
    """Carlson's R_D(x, y, z)"""
    return 1.5 * carlson(x, y, z, halves=(1, 1, 3))


@helper
def ellipk_slope(one_less_m: Any) -> Any:
    """dK/dm = R_D(0, 1, 1 - m)/6"""
    return rd(0.0, 1.0, one_less_m) / 6


@helper
def ellipkinc_slope(phi: Any, m: Any, pi: Any) -> Any:
    """∂F/∂m = sin³/6 R_D(cos², 1, 1 - m sin²), and twice that of K for each half turn"""
    turns = np.round(phi / pi)
    rest = phi - pi * turns
    s, c = np.sin(rest), np.cos(rest)
    local = s**3 / 6 * rd(c * c, 1.0, 1 - m * s * s)
    return np.where(turns == 0, local, local + 2 * turns * ellipk_slope(np.where(turns == 0, 1.0, 1 - m)))


@helper
def ellipeinc_slope(phi: Any, m: Any, pi: Any) -> Any:
    """∂E/∂m = -sin³/6 R_D(cos², 1 - m sin², 1), and twice that of E for each half turn"""
    turns = np.round(phi / pi)
    rest = phi - pi * turns
    s, c = np.sin(rest), np.cos(rest)
    local = -(s**3) / 6 * rd(c * c, 1 - m * s * s, 1.0)
    return np.where(turns == 0, local, local - turns / 3 * rd(0.0, np.where(turns == 0, 1.0, 1 - m), 1.0))


@helper
def delta(phi: Any, m: Any) -> Any:
    """√(1 - m sin²(φ)), as √((1 - m) + m cos²(φ))"""
    s, c = np.sin(phi), np.cos(phi)
    return np.sqrt(np.where(np.abs(s) > 0.7, (1 - m) + m * c * c, 1 - m * s * s))


_BELOW_ONE = (-9.0, 1.0)
declare("ellipk", "m", m="ellipk_slope(1 - m)", sympy="elliptic_k(x)", domain=_BELOW_ONE)
declare("ellipkm1", "p", p="-ellipk_slope(p)", sympy="elliptic_k(1 - x)", domain=POSITIVE)
declare("ellipe", "m", m="-rd(0.0, 1 - m, 1.0) / 6", sympy="elliptic_e(x)", domain=_BELOW_ONE)
declare("ellipkinc", "phi m", phi="1 / delta(phi, m)", m="ellipkinc_slope(phi, m, pi)", sympy="elliptic_f(x, y)",
        domain=((-9.0, 9.0), UNIT))
declare("ellipeinc", "phi m", phi="delta(phi, m)", m="ellipeinc_slope(phi, m, pi)", sympy="elliptic_e(x, y)",
        domain=((-9.0, 9.0), UNIT))

NAMES["amplitude_slope"] = lambda u, m, pi: -NAMES["ellipj_dn"](u, m) * ellipkinc_slope(
    NAMES["ellipj_ph"](u, m), m, pi)
declare_results("ellipj", "u m", "sn cn dn ph", argument=["u", "m"], domain=((-9.0, 9.0), UNIT), formulas=[
    ["ellipj_cn(u, m) * ellipj_dn(u, m)", "ellipj_cn(u, m) * amplitude_slope(u, m, pi)"],
    ["-ellipj_sn(u, m) * ellipj_dn(u, m)", "-ellipj_sn(u, m) * amplitude_slope(u, m, pi)"],
    ["-m * ellipj_sn(u, m) * ellipj_cn(u, m)",
     "-ellipj_sn(u, m) * (ellipj_sn(u, m) / f + 2 * m * ellipj_cn(u, m) * amplitude_slope(u, m, pi) / f) / 2"],
    ["ellipj_dn(u, m)", "amplitude_slope(u, m, pi)"]])

# ---------------------------------------------------------------------- Carlson's integrals

def _texts(formulas: dict[str, str]) -> dict[str, Any]:
    return dict(formulas)


_THREE = (POSITIVE,) * 3
declare("elliprf", "x y z", real=True, domain=_THREE, **_texts({
    one: f"-carlson(x, y, z, halves=({a}, {b}, {c})) / 4"
    for one, a, b, c in (("x", 3, 1, 1), ("y", 1, 3, 1), ("z", 1, 1, 3))}))
declare("elliprd", "x y z", real=True, domain=_THREE, **_texts({
    one: f"-{w} * carlson(x, y, z, halves=({a}, {b}, {c}))"
    for one, w, a, b, c in (("x", 0.75, 3, 1, 3), ("y", 0.75, 1, 3, 3), ("z", 2.25, 1, 1, 5))}))
declare("elliprg", "x y z", real=True, domain=_THREE, **_texts({
    one: f"carlson(x, y, z, halves=({a}, {b}, {c}), power=1) / 8"
    for one, a, b, c in (("x", 3, 1, 1), ("y", 1, 3, 1), ("z", 1, 1, 3))}))


# With p < 0 the integral is Cauchy's principal value. Partial fractions of 1/((t + x)(t + p)) give its derivatives in
# x, y, z, and then homogeneity that in p; for p > 0 these would cancel near x = p.


@helper
def rj_slope(place: str, f: Any, x: Any, y: Any, z: Any, p: Any) -> Any:
    """The derivative of R_J in one of its arguments"""
    weight, halves = {"x": (0.75, (3, 1, 1, 2)), "y": (0.75, (1, 3, 1, 2)), "z": (0.75, (1, 1, 3, 2)),
                      "p": (1.5, (1, 1, 1, 4))}[place]
    principal = p < 0
    regular = -weight * carlson(x, y, z, np.where(principal, 1.0, p), halves=halves)
    if not np.any(value_of(principal)):
        return regular
    last = np.where(principal, p, -1.0)
    slopes = {one: (f - rd(*rest, own)) / (2 * (last - own))
              for one, own, rest in (("x", x, (y, z)), ("y", y, (x, z)), ("z", z, (x, y)))}
    slopes["p"] = (-1.5 * f - x * slopes["x"] - y * slopes["y"] - z * slopes["z"]) / last
    return np.where(principal, slopes[place], regular)


@helper
def rc_slope(place: str, f: Any, x: Any, y: Any) -> Any:
    """The derivative of R_C in one of its arguments"""
    weight, halves = {"x": (0.25, (3, 2)), "y": (0.5, (1, 4))}[place]
    principal = y < 0
    regular = -weight * carlson(x, np.where(principal, 1.0, y), halves=halves)
    if not np.any(value_of(principal)):
        return regular
    last = np.where(principal, y, -1.0)
    in_x = (f - 1 / np.sqrt(x)) / (2 * (last - x))
    return np.where(principal, in_x if place == "x" else (-0.5 * f - x * in_x) / last, regular)


declare("elliprj", "x y z p", real=True, domain=(POSITIVE,) * 4, **_texts({
    one: f"rj_slope('{one}', f, x, y, z, p)" for one in "xyzp"}))
declare("elliprc", "x y", real=True, domain=POSITIVE, **_texts({one: f"rc_slope('{one}', f, x, y)" for one in "xy"}))
NAMES["agm_slope"] = lambda mean, a, b: _agm_slope(mean, np.where(a == 0, 1.0, a), b) + np.where(
    (a == 0) & (b != 0), np.inf, 0.0)


def _agm_slope(mean: Any, a: Any, b: Any) -> Any:
    """(M/a)² sign(a) 2/3 R_D(0, (b/a)², 1), which is π dM/da"""
    return (mean / a) ** 2 * np.sign(a) * 2 / 3 * rd(0.0, (b / a) ** 2, 1.0)
declare("agm", "a b", a="agm_slope(f, a, b) / pi", b="agm_slope(f, b, a) / pi", domain=POSITIVE)
