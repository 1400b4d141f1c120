"""Exponential, sine, cosine and hyperbolic integrals, and integrals of Bessel and Struve functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .table import NAMES, POSITIVE, declare, declare_results, helper


def _even_series(u: Any, coefficients: list[float]) -> Any:
    """Σ c_k u^k by Horner's rule"""
    total = 0.0 * u + coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        total = total * u + coefficient
    return total


def _near_zero(x: Any, series: list[float], odd: bool, formula: Any) -> Any:
    """A formula that is 0/0 at 0, by its series for |x| < 1"""
    near = np.abs(x) < 1
    low, high = np.where(near, x, 0.0), np.where(near, 1.0, x)
    value = _even_series(low * low, series)
    return np.where(near, low * value if odd else value, formula(high))


_SINC = [(-1) ** k / math.factorial(2 * k + 1) for k in range(12)]
_SINHC = [1 / math.factorial(2 * k + 1) for k in range(12)]
#: (I_0(x) - 1)/x and (1 - J_0(x))/x, by powers of x².
_INTEGRAL_I0 = [1 / (4**k * math.factorial(k) ** 2) for k in range(1, 13)]
_INTEGRAL_J0 = [(-1) ** (k + 1) * c for k, c in enumerate(_INTEGRAL_I0, 1)]
#: H_0(x)/x, by powers of x²: Σ (-1)^k (x/2)^(2k+1) / Γ(k + 3/2)².
_STRUVE = [(-1) ** k / (2 ** (2 * k + 1) * math.gamma(k + 1.5) ** 2) for k in range(12)]

NAMES |= {
    "sinc": lambda x: _near_zero(x, _SINC, False, lambda y: np.sin(y) / y),
    "sinhc": lambda x: _near_zero(x, _SINHC, False, lambda y: np.sinh(y) / y),
    "i0_less_one": lambda x: _near_zero(x, _INTEGRAL_I0, True, lambda y: (NAMES["i0"](y) - 1) / y),
    "one_less_j0": lambda x: _near_zero(x, _INTEGRAL_J0, True, lambda y: (1 - NAMES["j0"](y)) / y),
    "struve_ratio": lambda x: _near_zero(x, _STRUVE, False, lambda y: NAMES["struve"](0, y) / y),
}

declare("exp1", "z", z="-exp(-z) / z", sympy="expint(1, x)", domain=POSITIVE)
declare("expi", "x", x="exp(x) / x", sympy="Ei(x)", kinks="x")


@helper
def expn_below(n: Any, x: Any) -> Any:
    """E_{n-1}(x), with E_{-1}(x) = e^-x (1/x + 1/x²)"""
    lowest = np.asarray(n) == 0
    regular = NAMES["expn"](np.where(lowest, 0, np.asarray(n) - 1)[()], x)
    return np.where(lowest, np.exp(-x) * (1 + 1 / x) / x, regular) if np.any(lowest) else regular


declare("expn", "n x", x="-expn_below(n, x)", sympy="expint(n, x)", domain=POSITIVE, at={"n": 2})
declare_results("sici", "x", "si ci", argument="x", formulas=["sinc(x)", "cos(x) / x"], sympy=["Si(x)", "Ci(x)"],
                domain=POSITIVE)
declare_results("shichi", "x", "shi chi", argument="x", formulas=["sinhc(x)", "cosh(x) / x"],
                sympy=["Shi(x)", "Chi(x)"], domain=POSITIVE)
declare_results("itj0y0", "x", "j0 y0", argument="x", formulas=["j0(x)", "y0(x)"], domain=POSITIVE)
declare_results("iti0k0", "x", "i0 k0", argument="x", formulas=["i0(x)", "k0(x)"], domain=POSITIVE)
declare_results("it2j0y0", "x", "j0 y0", argument="x", formulas=["one_less_j0(x)", "-y0(x) / x"], domain=POSITIVE)
declare_results("it2i0k0", "x", "i0 k0", argument="x", formulas=["i0_less_one(x)", "-k0(x) / x"], domain=POSITIVE)
declare("itstruve0", "x", x="sign(x) * struve(0, abs(x))", domain=POSITIVE)
declare("itmodstruve0", "x", x="sign(x) * modstruve(0, abs(x))", domain=POSITIVE)
declare("it2struve0", "x", x="-struve_ratio(x)", domain=POSITIVE)
declare("besselpoly", "a lmb nu", a="besselpoly(a, lmb + 1, nu - 1) - besselpoly(a, lmb + 1, nu + 1)",
        domain=POSITIVE, at={"lmb": 1.0, "nu": 1.5})
