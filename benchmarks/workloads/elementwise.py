"""Black-Scholes call prices with their derivatives in spot, volatility and time: twenty elementwise operations."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy

from ..contenders import gradients
from ..harness import Workload

RATE = 0.02

# The normal distribution function by tanh, good to 2e-4: NumPy has no erf. (Page, 1977)
SLOPE = math.sqrt(2 / math.pi)
CUBIC = 0.044715 * SLOPE


def distribution(np: Any, x: Any) -> Any:
    """The probability that a standard normal variable is below x, approximately."""
    return 0.5 * (1 + np.tanh(x * (SLOPE + CUBIC * x * x)))


def price(np: Any, spot: Any, volatility: Any, time: Any, strike: Any) -> Any:
    """The sum of the prices of European call options."""
    spread = volatility * np.sqrt(time)
    upper = (np.log(spot / strike) + (RATE + 0.5 * volatility * volatility) * time) / spread
    lower = upper - spread
    return np.sum(spot * distribution(np, upper) - strike * np.exp(-RATE * time) * distribution(np, lower))


def price_by_hand(spot: Any, volatility: Any, time: Any, strike: Any) -> Any:
    """Forwards to the prices, backwards to the three derivatives, sharing what both need."""
    np = numpy
    root = np.sqrt(time)
    spread = volatility * root
    drift = RATE + 0.5 * volatility * volatility
    upper = (np.log(spot / strike) + drift * time) / spread
    lower = upper - spread
    discounted = strike * np.exp(-RATE * time)
    upper_squared, lower_squared = upper * upper, lower * lower
    upper_tanh = np.tanh(upper * (SLOPE + CUBIC * upper_squared))
    lower_tanh = np.tanh(lower * (SLOPE + CUBIC * lower_squared))
    upper_probability, lower_probability = 0.5 + 0.5 * upper_tanh, 0.5 + 0.5 * lower_tanh
    owed = discounted * lower_probability
    value = np.sum(spot * upper_probability - owed)

    by_upper = spot * (0.5 - 0.5 * upper_tanh * upper_tanh) * (SLOPE + 3 * CUBIC * upper_squared)
    by_lower = discounted * (0.5 - 0.5 * lower_tanh * lower_tanh) * (SLOPE + 3 * CUBIC * lower_squared)
    difference = by_upper - by_lower
    by_spot = upper_probability + difference / (spot * spread)
    by_volatility = difference * (root - upper / volatility) + by_lower * root
    by_time = difference * (drift / spread - 0.5 * upper / time) + 0.5 * by_lower * spread / time + RATE * owed
    return value, (by_spot, by_volatility, by_time)


def options(n: int) -> tuple[Any, ...]:
    """Spot, volatility, time and strike of n options."""
    generator = numpy.random.default_rng(1)
    return tuple(generator.uniform(low, high, n) for low, high in [(80, 120), (0.1, 0.5), (0.2, 2.0), (80, 120)])


def black_scholes(n: int, **how: Any) -> Workload:
    """The workload for n options."""
    contenders = gradients(price, functools.partial(options, n), price_by_hand, (0, 1, 2))
    return Workload("black-scholes", f"n={n:,}", contenders, curve=n, **how)


WORKLOADS = [
    black_scholes(100, quick=True), black_scholes(10_000, quick=True), black_scholes(1_000_000, large=True),
    *(black_scholes(n, only_curve=True) for n in (10, 1_000, 100_000)),
]
