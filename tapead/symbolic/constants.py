"""Which constant a floating-point number was meant to be."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any

import sympy

__all__ = ["recognise"]

_LARGEST = 360  # of the numerators and denominators tried: degrees need it
_ULPS = 2

_KNOWN = {float(constant): constant for constant in (
    sympy.pi, 1 / sympy.pi, sympy.sqrt(sympy.pi), 1 / sympy.sqrt(sympy.pi), sympy.sqrt(2), sympy.sqrt(3),
    sympy.sqrt(2 * sympy.pi), 1 / sympy.sqrt(2 * sympy.pi), sympy.log(2), 1 / sympy.log(2), sympy.log(10),
    1 / sympy.log(10), sympy.log(2 * sympy.pi), sympy.log(sympy.pi), sympy.E, sympy.EulerGamma, sympy.pi**2)}


@lru_cache(maxsize=100_000)
def recognise(value: float) -> Any:
    """The exact constant that a float stands for.

    A short binary fraction is itself. A float that a small fraction rounds to is that fraction; one within 2 units in
    the last place (it may have been computed) of a small fraction of a well-known constant is that; any other is the
    shortest decimal that rounds to it.

    Examples
    --------
    >>> recognise(0.25), recognise(1 / 3), recognise(1.1), recognise(0.6931471805599453)
    (1/4, 1/3, 11/10, log(2))
    """
    if not math.isfinite(value):
        return sympy.nan if math.isnan(value) else sympy.oo if value > 0 else -sympy.oo
    exact = Fraction(value)
    if exact.denominator <= 1 << 12 and abs(value) < 1 << 53:
        return sympy.Rational(exact.numerator, exact.denominator)
    short = exact.limit_denominator(_LARGEST)
    if float(short) == value:
        return sympy.Rational(short.numerator, short.denominator)
    if len(repr(value)) < 16:
        return sympy.Rational(repr(value))
    for size, constant in _KNOWN.items():
        ratio = Fraction(value / size).limit_denominator(_LARGEST)
        if 0 < abs(ratio.numerator) <= _LARGEST and abs(float(ratio) * size - value) <= _ULPS * math.ulp(value):
            return sympy.Rational(ratio.numerator, ratio.denominator) * constant
    return sympy.Rational(repr(value))
