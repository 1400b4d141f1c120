"""Bessel functions in their argument, and Struve, Airy and Kelvin functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ...registry import Primitive, RegisterGradient, add_primitive, case
from .table import NAMES, POSITIVE, declare, declare_results, helper

_MEAN = "({0}(v - 1, z) - {0}(v + 1, z)) / 2"

declare("jv", "v z", z=_MEAN.format("jv"), sympy="besselj(v, x)", domain=POSITIVE, at={"v": 0.5})
declare("yv", "v z", z=_MEAN.format("yv"), sympy="bessely(v, x)", domain=POSITIVE, at={"v": 0.5})
declare("yn", "n x", x="(yn(n - 1, x) - yn(n + 1, x)) / 2", sympy="bessely(n, x)", domain=POSITIVE, at={"n": 2})
declare("iv", "v z", z="(iv(v - 1, z) + iv(v + 1, z)) / 2", sympy="besseli(v, x)", domain=POSITIVE, at={"v": 0.5})
declare("kv", "v z", z="-(kv(v - 1, z) + kv(v + 1, z)) / 2", sympy="besselk(v, x)", domain=POSITIVE, at={"v": 0.5})
declare("kn", "n x", x="-(kn(abs(n - 1), x) + kn(n + 1, x)) / 2", sympy="besselk(n, x)", domain=POSITIVE, at={"n": 2})
declare("jve", "v z", z=_MEAN.format("jve"), real=True, sympy="besselj(v, x)", domain=POSITIVE, at={"v": 0.5})
declare("yve", "v z", z=_MEAN.format("yve"), real=True, sympy="bessely(v, x)", domain=POSITIVE, at={"v": 0.5})
declare("j0", "x", x="-j1(x)", sympy="besselj(0, x)")
declare("j1", "x", x="(j0(x) - jv(2, x)) / 2", sympy="besselj(1, x)")
declare("y0", "x", x="-y1(x)", sympy="bessely(0, x)", domain=POSITIVE)
declare("y1", "x", x="(y0(x) - yn(2, x)) / 2", sympy="bessely(1, x)", domain=POSITIVE)
declare("i0", "x", x="i1(x)", sympy="besseli(0, x)")
declare("i1", "x", x="(i0(x) + iv(2, x)) / 2", sympy="besseli(1, x)")
declare("k0", "x", x="-k1(x)", sympy="besselk(0, x)", domain=POSITIVE)
declare("k1", "x", x="-(k0(x) + kn(2, x)) / 2", sympy="besselk(1, x)", domain=POSITIVE)
for _kind in "12":
    declare(f"hankel{_kind}", "v z", z=_MEAN.format(f"hankel{_kind}"), domain=POSITIVE, at={"v": 0.5})

# ---------------------------------------------------------------------- exponentially scaled

# With the exponential factor divided out, the derivative is the difference of nearly equal functions of neighbouring
# orders: ive' = (ive(v - 1) - 2 ive(v) + ive(v + 1))/2 for x > 0, and so on. Far out the asymptotic series in 1/x is
# differentiated instead, term by term.


def _difference(function: Callable[..., Any], v: Any, x: Any, order: int, unit: complex) -> Any:
    """(-unit/2)^n Σ_j C(2n, j) (unit)^-j f(v - n + j): the n-th power of d/dx as a difference in the order"""
    total = 0.0
    for j in range(2 * order + 1):
        total = total + special.binom(2 * order, j) * unit ** (2 * order - j) * function(v - order + j, x)
    return total


def _asymptote(v: Any, x: Any, order: int, unit: complex) -> Any:
    """(d/dx)^n of Σ unit^k a_k(v) x^(-k - 1/2), with a_k = Π (4v² - (2j - 1)²) / (8j)"""
    term = (-1) ** order * special.poch(0.5, order) * x ** (-0.5 - order) * unit**0
    total, coefficient = term, 1.0
    live = True
    for k in range(1, 40):
        coefficient = coefficient * unit * (4 * v * v - (2 * k - 1) ** 2) / (8 * k)
        following = (-1) ** order * special.poch(k + 0.5, order) * coefficient * x ** (-k - 0.5 - order)
        live = live & ((np.abs(following) < np.abs(term)) | (np.abs(following) > np.abs(term) * 0) & (k < np.abs(v)))
        term = np.where(live, following, term)
        total = total + np.where(live, following, 0.0)
    return total


def _scaled(name: str, unit: complex, sign: complex, amplitude: Callable[[Any], Any]) -> Primitive:
    """The primitive ``name_derivative(z, v=, order=)``"""
    function = getattr(special, name)

    def kernel(z: Any, *, v: Any = None, order: int = 0) -> Any:
        z, v = np.asarray(z), np.asarray(v, float)
        if order == 0:
            return function(v, z)
        if z.dtype.kind == "c" and name in ("ive",):
            raise NotImplementedError(f"special_{name}: the derivative is known for real arguments only")
        complex_result = name.startswith("hankel") or z.dtype.kind == "c"
        size = np.abs(z) if name == "ive" else z
        far = np.abs(size) > 30 + order**2 + v * v
        with np.errstate(all="ignore"):
            near = sign**order / 2**order * _difference(function, v, np.where(far, 1.0, size), order, unit)
            asymptotic = amplitude(v) * _asymptote(v, np.where(far, size, 100.0 + v * v), order, _SERIES[name])
            result = np.where(far, asymptotic, near)
            if name == "ive" and np.any(z < 0):
                # ive(v, -x) = (-1)^v ive(v, x) for integer v, NaN otherwise
                parity = np.where(v == np.floor(v), (-1.0) ** (np.mod(v, 2) + order), np.nan)
                result = np.where(z < 0, parity * result, result)
            if name == "ive" and order == 1:
                # exp(-|x|) counts as flat at its kink
                result = np.where(z == 0, result + function(v, z), result)
        dtype = np.result_type(z, np.complex64 if complex_result else np.float32)
        return result.astype(dtype)[()]

    derivative = add_primitive(Primitive(f"special_{name}_derivative", kernel, elementwise=True, domain=(POSITIVE,),
                                         cases=(case((), v=0.5, order=1), case((2, 3), v=1.0, order=2))))

    def rule(op: Any) -> Any:
        """d f⁽ⁿ⁾(v, z) = f⁽ⁿ⁺¹⁾(v, z) dz"""
        return derivative(op.inputs[0], v=op.attrs["v"], order=op.attrs["order"] + 1)

    RegisterGradient(derivative.name, reads="inputs")(rule)
    return derivative


_SERIES = {"ive": -1.0, "kve": 1.0, "hankel1e": 1j, "hankel2e": -1j}
_ROOT = float(np.sqrt(2 / np.pi))


def _turned(unit: complex) -> Callable[[Any], Any]:
    return lambda v: _ROOT * np.exp(-unit * np.pi * (v / 2 + 0.25))


_SCALED = {
    "ive": _scaled("ive", -1.0, 1.0, lambda v: 1 / np.sqrt(2 * np.pi)),
    "kve": _scaled("kve", -1.0, -1.0, lambda v: np.sqrt(np.pi / 2)),
    "hankel1e": _scaled("hankel1e", 1j, -1.0, _turned(1j)),
    "hankel2e": _scaled("hankel2e", -1j, -1.0, _turned(-1j)),
}


for _name, _primitive in _SCALED.items():
    NAMES[f"{_name}_slope"] = lambda v, z, primitive=_primitive: primitive(z, v=v, order=1)
    declare(_name, "v z", z=f"{_name}_slope(v, z)", domain=POSITIVE, at={"v": 0.5}, real=_name == "ive")
for _n in "01":
    declare(f"i{_n}e", "x", x=f"ive_slope({_n}, x)", sympy=f"besseli({_n}, x)*exp(-Abs(x))", kinks="x")
    declare(f"k{_n}e", "x", x=f"kve_slope({_n}, x)", sympy=f"besselk({_n}, x)*exp(x)", domain=POSITIVE)

# ---------------------------------------------------------------------- Struve functions


@helper
def struve_slope(v: Any, x: Any, root_pi: Any, kind: str = "struve", sign: int = -1) -> Any:
    """(H_{v-1} - H_{v+1} + (x/2)^v / (√π Γ(v + 3/2)))/2, and H_{v-1} - v/x H_v where those terms cancel"""
    function = NAMES[kind]
    near = np.abs(x) <= 1
    low, high = np.where(near, x, 1.0), np.where(near, 1.0, x)
    power = np.where(v == 0, 1.0, (low / 2) ** np.where(v == 0, 1.0, v))
    inside = (function(v - 1, low) + sign * function(v + 1, low)
              + power * NAMES["rgamma"](np.asarray(v, float) + 1.5 + 0 * root_pi) / root_pi) / 2
    return np.where(near, inside, function(v - 1, high) - v / high * function(v, high))


NAMES["modstruve_slope"] = lambda v, x, root_pi: struve_slope(v, x, root_pi, "modstruve", 1)
declare("struve", "v x", x="struve_slope(v, x, root_pi)", domain=POSITIVE, at={"v": 1.0})
declare("modstruve", "v x", x="modstruve_slope(v, x, root_pi)", domain=POSITIVE, at={"v": 1.0})

# ---------------------------------------------------------------------- Airy functions

declare_results("airy", "z", "ai aip bi bip", argument="z", formulas=[
    "airy_aip(z)", "z * airy_ai(z)", "airy_bip(z)", "z * airy_bi(z)"],
    sympy=["airyai(x)", None, "airybi(x)", None])
# Scaled by exp(2/3 z√z) and exp(-2/3 |Re z√z|); Ai is left out where that factor is complex.
declare_results("airye", "z", "ai aip bi bip", argument="z", real=True, domain=POSITIVE, formulas=[
    "airye_aip(z) + sqrt(z) * airye_ai(z)", "z * airye_ai(z) + sqrt(z) * airye_aip(z)",
    "airye_bip(z) - sqrt(maximum(z, 0)) * airye_bi(z)", "z * airye_bi(z) - sqrt(maximum(z, 0)) * airye_bip(z)"])
declare_results("itairy", "x", "ai bi ain bin", argument="x", domain=(0.0, 3.0), formulas=[
    "airy_ai(x)", "airy_bi(x)", "airy_ai(-x)", "airy_bi(-x)"])

# ---------------------------------------------------------------------- Kelvin functions


@helper
def kelvin_b_first(x: Any, turn: Any) -> Any:
    """d (ber + i bei) = d J_0(x e^(3πi/4))"""
    return -turn * NAMES["jv"](1, x * turn)


@helper
def kelvin_b_second(x: Any, turn: Any) -> Any:
    """d² (ber + i bei) = d² J_0(x e^(3πi/4)) = -i (J_2 - J_0)/2"""
    jv = NAMES["jv"]
    return -1j * (jv(2, x * turn) - jv(0, x * turn)) / 2


@helper
def kelvin_k_first(x: Any, turn: Any) -> Any:
    """d (ker + i kei) = d K_0(x e^(πi/4))"""
    return -turn * NAMES["kv"](1, x * turn)


@helper
def kelvin_k_second(x: Any, turn: Any) -> Any:
    """d² (ker + i kei), from Bessel's equation: in K_2 + K_0 the larger part near 0 swallows the smaller"""
    return 1j * NAMES["kv"](0, x * turn) - kelvin_k_first(x, turn) / x


declare("ber", "x", x="real(kelvin_b_first(x, three_eighths))", sympy="re(besselj(0, x*exp(3*I*pi/4)))")
declare("bei", "x", x="imag(kelvin_b_first(x, three_eighths))", sympy="im(besselj(0, x*exp(3*I*pi/4)))")
declare("ker", "x", x="real(kelvin_k_first(x, eighth_turn))", sympy="re(besselk(0, x*exp(I*pi/4)))", domain=POSITIVE)
declare("kei", "x", x="imag(kelvin_k_first(x, eighth_turn))", sympy="im(besselk(0, x*exp(I*pi/4)))", domain=POSITIVE)
declare("berp", "x", x="real(kelvin_b_second(x, three_eighths))")
declare("beip", "x", x="imag(kelvin_b_second(x, three_eighths))")
declare("kerp", "x", x="real(kelvin_k_second(x, eighth_turn))", domain=POSITIVE)
declare("keip", "x", x="imag(kelvin_k_second(x, eighth_turn))", domain=POSITIVE)
declare_results("kelvin", "x", "be ke bep kep", argument="x", domain=POSITIVE, formulas=[
    "kelvin_b_first(x, three_eighths)", "kelvin_k_first(x, eighth_turn)",
    "kelvin_b_second(x, three_eighths)", "kelvin_k_second(x, eighth_turn)"])
