"""Programs on one number, where what counts is the price of recording and sweeping an operation."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy

from ..contenders import TAPEAD_OWN, Run, gradients, tapead_gradient
from ..harness import Workload

STEPS = 200
START = 0.7


def chain(np: Any, x: Any) -> Any:
    """1,200 operations, one after another."""
    y = x
    for _ in range(STEPS):
        y = np.sin(y) * 0.9 + x
        y = np.tanh(y)
        y = np.exp(y * -0.5)
    return y


def chain_by_hand(x: float) -> tuple[float, float]:
    """Value and derivative together, forwards, in Python floats: nothing has to be remembered."""
    y, slope = x, 1.0
    for _ in range(STEPS):
        slope = 0.9 * math.cos(y) * slope + 1.0
        y = math.tanh(0.9 * math.sin(y) + x)
        slope *= 1.0 - y * y
        y = math.exp(-0.5 * y)
        slope *= -0.5 * y
    return y, slope


def build_chain_of_own_functions() -> Run:
    """The chain through tapead's own functions, where it has them."""
    import tapead

    names = ("sin", "tanh", "exp")
    own = SimpleNamespace(**{name: getattr(tapead, name, getattr(numpy, name)) for name in names})
    return tapead_gradient(chain, lambda: (START,), module=own)()


def polynomial(np: Any, x: Any) -> Any:
    """Five operations: the price of asking."""
    return 3 * x**2 + 4 * x + 2


def polynomial_by_hand(x: float) -> tuple[float, float]:
    """3x² + 4x + 2 and 6x + 4"""
    return (3 * x + 4) * x + 2, 6 * x + 4


WORKLOADS = [
    Workload("polynomial", "one number", gradients(polynomial, lambda: (START,), polynomial_by_hand), quick=True),
    Workload("chain", "1,200 operations", quick=True, contenders={
        **gradients(chain, lambda: (START,), chain_by_hand), TAPEAD_OWN: build_chain_of_own_functions}),
]
