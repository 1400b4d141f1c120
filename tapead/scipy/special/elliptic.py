"""Elliptic integrals and functions, by Carlson's symmetric integrals, in which no difference cancels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from ...registry import Primitive, RegisterGradient, add_primitive, case
from .table import NAMES, POSITIVE, UNIT, declare, declare_results, helper

_STEP = 0.5


def _carlson_kernel(*variables: Any, halves: Sequence[int] = (), power: int = 0) -> Any:
    """∫ t^power Π (t + x_j)^(-halves_j/2) dt over [0, ∞)

    In u = log(t) the integrand is analytic for |Im u| < π: the trapezoidal rule errs by exp(-2π²/step), below 1e-17.
    """
    dtype = np.result_type(*variables, np.float32)
    values = np.broadcast_arrays(*(np.asarray(x, float) for x in variables))
    if tuple(halves) == (1, 1, 1) and power == 0:
        return (2 * special.elliprf(*values)).astype(dtype)[()]
    if sorted(halves) == [1, 1, 3] and power == 0:
        ordered = [x for _, x in sorted(zip(halves, values, strict=True), key=lambda pair: pair[0])]
        return (2 / 3 * special.elliprd(*ordered)).astype(dtype)[()]
    with np.errstate(all="ignore"):
        sizes = [np.where(x > 0, x, np.nan) for x in values]
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


_CARLSON = add_primitive(Primitive("special_carlson", _carlson_kernel, elementwise=True, domain=(POSITIVE,) * 3, cases=(
    case((), (), (), halves=(1, 1, 1)), case((3,), (3,), (3,), halves=(3, 1, 1)),
    case((2, 1), (3,), (3,), halves=(3, 1, 3)))))


@RegisterGradient("special_carlson", reads="inputs")
def _carlson_rule(op: Any) -> Any:
    """∂/∂x_j = -halves_j/2 times the integral with halves_j + 2"""
    halves, power = tuple(op.attrs["halves"]), op.attrs.get("power", 0)

    def partial(place: int) -> Any:
        raised = tuple(half + 2 * (j == place) for j, half in enumerate(halves))
        return -halves[place] / 2 * _CARLSON(*op.inputs, halves=raised, power=power)

    return tuple([lambda place=place: partial(place) for place in range(len(halves))])


@helper
def carlson(*variables: Any, halves: Sequence[int], power: int = 0) -> Any:
    """The integral, of any number of variables"""
    return _CARLSON(*variables, halves=tuple(halves), power=power)


@helper
def rd(x: Any, y: Any, z: Any) -> Any:
    """Carlson's R_D(x, y, z)"""
    return 1.5 * carlson(x, y, z, halves=(1, 1, 3))


@helper
def ellipk_slope(one_less_m: Any) -> Any:
    """dK/dm = R_D(0, 1, 1 - m)/6"""
    return rd(0.0, 1.0, one_less_m) / 6


@helper
def ellipkinc_slope(phi: Any, m: Any) -> Any:
    """∂F/∂m = sin³/6 R_D(cos², 1, 1 - m sin²), and twice that of K for each half turn"""
    turns = np.round(phi / np.pi)
    rest = phi - np.pi * turns
    s, c = np.sin(rest), np.cos(rest)
    local = s**3 / 6 * rd(c * c, 1.0, 1 - m * s * s)
    return np.where(turns == 0, local, local + 2 * turns * ellipk_slope(np.where(turns == 0, 1.0, 1 - m)))


@helper
def ellipeinc_slope(phi: Any, m: Any) -> Any:
    """∂E/∂m = -sin³/6 R_D(cos², 1 - m sin², 1), and twice that of E for each half turn"""
    turns = np.round(phi / np.pi)
    rest = phi - np.pi * turns
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
declare("ellipkinc", "phi m", phi="1 / delta(phi, m)", m="ellipkinc_slope(phi, m)", sympy="elliptic_f(x, y)",
        domain=((-9.0, 9.0), UNIT))
declare("ellipeinc", "phi m", phi="delta(phi, m)", m="ellipeinc_slope(phi, m)", sympy="elliptic_e(x, y)",
        domain=((-9.0, 9.0), UNIT))

NAMES["amplitude_slope"] = lambda u, m: -NAMES["ellipj_dn"](u, m) * ellipkinc_slope(NAMES["ellipj_ph"](u, m), m)
declare_results("ellipj", "u m", "sn cn dn ph", argument=["u", "m"], domain=((-9.0, 9.0), UNIT), formulas=[
    ["ellipj_cn(u, m) * ellipj_dn(u, m)", "ellipj_cn(u, m) * amplitude_slope(u, m)"],
    ["-ellipj_sn(u, m) * ellipj_dn(u, m)", "-ellipj_sn(u, m) * amplitude_slope(u, m)"],
    ["-m * ellipj_sn(u, m) * ellipj_cn(u, m)",
     "-ellipj_sn(u, m) * (ellipj_sn(u, m) / f + 2 * m * ellipj_cn(u, m) * amplitude_slope(u, m) / f) / 2"],
    ["ellipj_dn(u, m)", "amplitude_slope(u, m)"]])

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
declare("elliprj", "x y z p", real=True, domain=(POSITIVE,) * 4, **_texts({
    one: f"-{w} * carlson(x, y, z, p, halves=({a}, {b}, {c}, {d}))"
    for one, w, a, b, c, d in (("x", 0.75, 3, 1, 1, 2), ("y", 0.75, 1, 3, 1, 2), ("z", 0.75, 1, 1, 3, 2),
                               ("p", 1.5, 1, 1, 1, 4))}))
declare("elliprc", "x y", real=True, domain=POSITIVE, x="-carlson(x, y, halves=(3, 2)) / 4",
        y="-carlson(x, y, halves=(1, 4)) / 2")
NAMES["agm_slope"] = lambda mean, a, b: (mean / a) ** 2 * np.sign(a) * 2 / (3 * np.pi) * rd(0.0, (b / a) ** 2, 1.0)
declare("agm", "a b", a="agm_slope(f, a, b)", b="agm_slope(f, b, a)", domain=POSITIVE)
