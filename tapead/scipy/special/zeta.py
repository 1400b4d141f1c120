"""The zeta functions of Riemann and Hurwitz, with derivatives of any order in s, by Euler and Maclaurin's formula.

A jet is the list of an analytic function's Taylor coefficients at a point: f, f', f''/2, ...
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from ...registry import RegisterGradient, case, primitive
from .table import NAMES, POSITIVE, declare

Jet = list[Any]

#: Terms that are summed as they are.
_TERMS = 20
#: B_2j / (2j)!
_BERNOULLI = [float(special.bernoulli(2 * j)[-1]) / math.factorial(2 * j) for j in range(1, 13)]


def _times(first: Jet, second: Jet) -> Jet:
    return [sum(first[j] * second[n - j] for j in range(n + 1)) for n in range(len(first))]


def _power(base: Any, s: Any, length: int) -> Jet:
    """base^-s in s"""
    log, value = np.log(base), base**-s
    return [(-log) ** n / math.factorial(n) * value for n in range(length)]


def _linear(value: Any, slope: float, length: int) -> Jet:
    return [value, slope, *[0.0] * length][:length]


def _hurwitz(s: Any, q: Any, length: int) -> Jet:
    """Σ (q + k)^-s, for positive q and any s > -20 but 1"""
    jets = [_power(q + k, s, length) for k in range(_TERMS)]
    base = q + _TERMS
    tail = _power(base, s, length)
    below = [(-1) ** n * base / (s - 1) ** (n + 1) for n in range(length)]
    jets += [_times(tail, below), [one / 2 for one in tail]]
    rising = _linear(s, 1.0, length)
    for j, coefficient in enumerate(_BERNOULLI):
        jets.append([coefficient * one / base ** (2 * j + 1) for one in _times(rising, tail)])
        rising = _times(_times(rising, _linear(s + 2 * j + 1, 1.0, length)), _linear(s + 2 * j + 2, 1.0, length))
    return [sum(jet[n] for jet in jets) for n in range(length)]


def _exponential(rates: Jet) -> Jet:
    """exp of a jet without its constant term: n e_n = Σ j r_j e_(n-j)"""
    result: Jet = [1.0]
    for n in range(1, len(rates)):
        result.append(sum(j * rates[j] * result[n - j] for j in range(1, n + 1)) / n)
    return result


def _reflected(s: Any, length: int) -> Jet:
    """2 (2π)^(s-1) sin(πs/2) Γ(1 - s) ζ(1 - s), for s < 0"""
    turn = s / 2 - 2 * np.round(s / 4)
    sines = [np.sin(np.pi * turn), np.cos(np.pi * turn)]
    sines += [-sines[0], -sines[1]]
    sine = [sines[n % 4] * (np.pi / 2) ** n / math.factorial(n) for n in range(length)]
    rates = [0.0, math.log(2 * math.pi) - special.psi(1 - s)]
    rates += [(-1) ** n * special.polygamma(n - 1, 1 - s) / math.factorial(n) for n in range(2, length)]
    size = 2 * np.exp((s - 1) * math.log(2 * math.pi) + special.gammaln(1 - s))
    mirrored = [(-1) ** n * one for n, one in enumerate(_hurwitz(1 - s, np.ones_like(s), length))]
    return [size * one for one in _times(_times(sine, _exponential(rates[:length])), mirrored)]


@primitive("special_zeta_slope", domain=((1.0, 9.0), POSITIVE), elementwise=True,
           cases=[case((), ()), case((2, 1), (3,)), case((), (), order=2)])
def zeta_slope(s: Any, q: Any, order: int = 1) -> Any:
    """∂ⁿζ(s, q)/∂sⁿ for s > 1"""
    s, q = np.asarray(s), np.asarray(q)
    dtype = np.result_type(s, q, np.float32)
    s, q = np.broadcast_arrays(s.astype(float), q.astype(float))
    valid = (s > 1) & (q > 0)
    with np.errstate(all="ignore"):
        value = math.factorial(order) * _hurwitz(np.where(valid, s, 2.0), np.where(valid, q, 1.0), order + 1)[order]
    edge = np.where((s == 1) & (q > 0), (-1.0) ** order * np.inf, np.nan)
    return np.where(valid, np.where(np.isinf(s), 0.0, value), edge).astype(dtype)[()]


@RegisterGradient("special_zeta_slope", reads="inputs")
def _zeta_slope(op: Any) -> Any:
    """∂/∂s raises the order; ∂/∂q ζ⁽ⁿ⁾ = -(s ζ⁽ⁿ⁾(s + 1, q) + n ζ⁽ⁿ⁻¹⁾(s + 1, q))"""
    s, q = op.inputs
    order = op.attrs.get("order", 1)
    lower: Any = (lambda: order * zeta_slope(s + 1, q, order=order - 1)) if order else (lambda: 0.0)
    return (lambda: zeta_slope(s, q, order=order + 1),
            lambda: -(s * zeta_slope(s + 1, q, order=order) + lower()))


@primitive("special_riemann_slope", domain=((1.0, 9.0),), elementwise=True,
           cases=[case((), order=1), case((3,), order=2)])
def riemann_slope(x: Any, order: int = 1) -> Any:
    """The derivative of `order` of ζ(x)"""
    x = np.asarray(x)
    if x.dtype.kind == "c":
        raise NotImplementedError("scipy.special.zeta: the derivative is known for real arguments only")
    dtype = np.result_type(x, np.float32)
    x = x.astype(float)
    left = x < 0
    with np.errstate(all="ignore"):
        right = np.where(left | np.isinf(x), 2.0, x)
        value = _hurwitz(right, np.ones_like(x), order + 1)[order]
        if np.any(left):
            value = np.where(left, _reflected(np.where(left, x, -1.0), order + 1)[order], value)
    value = np.where(np.isposinf(x), 0.0, np.where(np.isneginf(x), np.nan, value))
    return (math.factorial(order) * value).astype(dtype)[()]


@RegisterGradient("special_riemann_slope", reads="inputs")
def _riemann_slope(op: Any) -> Any:
    """d ζ⁽ⁿ⁾(x) = ζ⁽ⁿ⁺¹⁾(x) dx"""
    return riemann_slope(op.inputs[0], order=op.attrs.get("order", 1) + 1)


NAMES |= {"zeta_slope": zeta_slope, "riemann_slope": riemann_slope}
declare("zeta", "s q", s="zeta_slope(s, q)", q="-s * zeta(s + 1, q)", ufunc=special._ufuncs._zeta,
        domain=((1.0, 9.0), POSITIVE))
declare("zetac", "x", x="riemann_slope(x)", domain=(1.0, 9.0))
declare("riemann_zeta", "x", x="riemann_slope(x)", ufunc=special._ufuncs._riemann_zeta, domain=(1.0, 9.0))
