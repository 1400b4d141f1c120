"""Hypergeometric and Wright functions in their argument."""

from __future__ import annotations

from .table import UNIT, declare

declare("hyp0f1", "v z", z="hyp0f1(v + 1, z) / v", at={"v": 1.5}, sympy="hyper([], [nsimplify(v)], x)")
declare("hyp1f1", "a b x", x="a / b * hyp1f1(a + 1, b + 1, x)", at={"a": 0.75, "b": 1.5},
        sympy="hyper([nsimplify(a)], [nsimplify(b)], x)")
declare("hyp2f1", "a b c z", z="a * b / c * hyp2f1(a + 1, b + 1, c + 1, z)", at={"a": 0.75, "b": 0.5, "c": 1.5},
        sympy="hyper([nsimplify(a), nsimplify(b)], [nsimplify(c)], x)", domain=(-1.0, 1.0))
declare("hyperu", "a b x", x="-a * hyperu(a + 1, b + 1, x)", at={"a": 0.7, "b": 1.5}, domain=(0.0, 9.0))
declare("wright_bessel", "a b x", x="wright_bessel(a, a + b, x)", at={"a": 1.0, "b": 1.5}, domain=UNIT)
declare("log_wright_bessel", "a b x", x="exp(log_wright_bessel(a, a + b, x) - f)", at={"a": 1.0, "b": 1.5},
        domain=UNIT)
