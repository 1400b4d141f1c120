"""Exponential, sine, cosine and hyperbolic integrals, and integrals of Bessel and Struve functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial

from ...registry import Primitive, RegisterGradient, add_primitive, case
from .table import NAMES, POSITIVE, declare, declare_results, helper

_TERMS = 24
_HALF = [1 / (4**k * math.factorial(k) ** 2) for k in range(_TERMS + 1)]


def _ratio(name: str, coefficients: Sequence[float], odd: bool, formula: Callable[[Any], Any],
           sympy: str | None = None) -> None:
    """Let formulas use a function that is 0/0 at 0: by its series in x² for |x| < 1, beyond by `formula`"""
    polynomial = Polynomial([c for pair in zip(coefficients, [0.0] * len(coefficients), strict=True) for c in pair])
    polynomial = polynomial * Polynomial([0.0, 1.0]) if odd else polynomial

    def kernel(x: Any, order: int = 0) -> Any:
        return polynomial.deriv(order)(np.asarray(x))[()] if order else polynomial(np.asarray(x))[()]

    new = add_primitive(Primitive(f"special_{name}", kernel, elementwise=True, domain=((-1.0, 1.0),), kinks="x",
                                  sympy=None if sympy is None else f"diff({sympy}, x, order)",
                                  cases=(case((), order=0), case((2, 3), order=1))))

    def rule(op: Any) -> Any:
        """d f⁽ⁿ⁾(x) = f⁽ⁿ⁺¹⁾(x) dx"""
        return new(op.inputs[0], order=op.attrs.get("order", 0) + 1)

    RegisterGradient(new.name, reads="inputs")(rule)

    def function(x: Any) -> Any:
        near = np.abs(x) < 1
        return np.where(near, new(np.where(near, x, 0.5), order=0), formula(np.where(near, 1.0, x)))

    NAMES[name] = function


_ratio("sinc_ratio", [(-1) ** k / math.factorial(2 * k + 1) for k in range(_TERMS)], False,
       lambda x: np.sin(x) / x, "sin(x)/x")
_ratio("sinhc_ratio", [1 / math.factorial(2 * k + 1) for k in range(_TERMS)], False,
       lambda x: np.sinh(x) / x, "sinh(x)/x")
#: (I_0(x) - 1)/x and (1 - J_0(x))/x.
_ratio("i0_ratio", _HALF[1:], True, lambda x: (NAMES["i0"](x) - 1) / x, "(besseli(0, x) - 1)/x")
_ratio("j0_ratio", [(-1) ** k * c for k, c in enumerate(_HALF[1:])], True, lambda x: (1 - NAMES["j0"](x)) / x,
       "(1 - besselj(0, x))/x")
#: H_0(x)/x: Σ (-1)^k (x/2)^(2k) / (2 Γ(k + 3/2)²).
_ratio("struve_ratio", [(-1) ** k / (2 ** (2 * k + 1) * math.gamma(k + 1.5) ** 2) for k in range(_TERMS)], False,
       lambda x: NAMES["struve"](0, x) / x)

declare("exp1", "z", z="-exp(-z) / z", sympy="expint(1, x)", domain=POSITIVE)


@helper
def exp_quotient(x: Any) -> Any:
    """e^x / x, infinite only where that is"""
    large = x > 700
    return np.where(large, np.exp(x - np.log(np.clip(x, 1.0, 1e300))), np.exp(np.where(large, 1.0, x)) / x)


declare("expi", "x", x="exp_quotient(x)", sympy="Ei(x)", kinks="x")


@helper
def expn_below(n: Any, x: Any) -> Any:
    """E_{n-1}(x), with E_{-1}(x) = e^-x (1/x + 1/x²)"""
    lowest = np.asarray(n) == 0
    regular = NAMES["expn"](np.where(lowest, 0, np.asarray(n) - 1)[()], x)
    return np.where(lowest, np.exp(-x) * (1 + 1 / x) / x, regular) if np.any(lowest) else regular


declare("expn", "n x", x="-expn_below(n, x)", sympy="expint(n, x)", domain=POSITIVE, at={"n": 2})
declare_results("sici", "x", "si ci", argument="x", formulas=["sinc_ratio(x)", "cos(x) / x"], sympy=["Si(x)", "Ci(x)"],
                domain=POSITIVE)
declare_results("shichi", "x", "shi chi", argument="x", formulas=["sinhc_ratio(x)", "cosh(x) / x"],
                sympy=["Shi(x)", "Chi(x)"], domain=POSITIVE)
declare_results("itj0y0", "x", "j0 y0", argument="x", formulas=["j0(x)", "y0(x)"], domain=POSITIVE)
declare_results("iti0k0", "x", "i0 k0", argument="x", formulas=["i0(x)", "k0(x)"], domain=POSITIVE)
declare_results("it2j0y0", "x", "j0 y0", argument="x", formulas=["j0_ratio(x)", "-y0(x) / x"], domain=POSITIVE)
declare_results("it2i0k0", "x", "i0 k0", argument="x", formulas=["i0_ratio(x)", "-k0(x) / x"], domain=POSITIVE)
declare("itstruve0", "x", x="sign(x) * struve(0, abs(x))", domain=POSITIVE)
declare("itmodstruve0", "x", x="sign(x) * modstruve(0, abs(x))", domain=POSITIVE)
declare("it2struve0", "x", x="-struve_ratio(x)", domain=POSITIVE)
declare("besselpoly", "a lmb nu", a="where(a > 1, (jv(nu, 2 * a) - (lmb + 1) * f) / where(a > 1, a, 1.0), "
        "besselpoly(where(a > 1, 1.0, a), lmb + 1, nu - 1) - besselpoly(where(a > 1, 1.0, a), lmb + 1, nu + 1))",
        domain=POSITIVE, at={"lmb": 1.0, "nu": 1.5})
