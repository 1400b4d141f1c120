"""Seconds per check: ordinary functions of ten numbers that return one, without SymPy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import tapead as ta

_RANDOM = np.random.default_rng(11)
TEN = _RANDOM.normal(size=10)
MATRIX = _RANDOM.normal(size=(10, 10))
DATA, TARGETS = _RANDOM.normal(size=(20, 10)), _RANDOM.normal(size=20)

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sum of sines": lambda x: np.sum(np.sin(x) * x),
    "Rosenbrock": lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2),
    "quadratic form": lambda x: x @ MATRIX @ x,
    "log-sum-exp": lambda x: np.log(np.sum(np.exp(x))),
    "least squares": lambda x: np.mean((DATA @ x - TARGETS) ** 2),
    "logistic regression": lambda x: np.sum(np.logaddexp(0.0, -(DATA @ x) * np.sign(TARGETS))),
    "hidden layer": lambda x: np.sum(np.tanh(MATRIX @ np.tanh(MATRIX @ x))),
    "norm": lambda x: np.linalg.norm(x) + np.linalg.norm(x[:5] - x[5:]),
    "standard deviation": lambda x: np.std(x) / (1 + np.mean(x) ** 2),
    "determinant": lambda x: np.linalg.det(np.eye(10) + 0.1 * x[:, None] * x[None, :] + 0.1 * MATRIX),
    "recurrence": lambda x: np.prod(1 + 0.1 * np.cumsum(x)),
}


def seconds_per_check(rounds: int = 5) -> dict[str, float]:
    """The median processor time of `gradcheck` for each function: other programs do not count."""
    found = {}
    for name, function in FUNCTIONS.items():
        times = []
        for _ in range(rounds):
            start = time.process_time()
            report = ta.gradcheck(function, TEN, symbolic=False)
            times.append(time.process_time() - start)
            assert report.verdict == "pass", str(report)
        found[name] = statistics.median(times)
    return found
