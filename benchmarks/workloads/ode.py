"""1,000 Runge-Kutta steps of the Lotka-Volterra equations in scalar code: about 50,000 operations."""

from __future__ import annotations

from typing import Any

from ..contenders import gradients, import_jax
from ..harness import Workload

STEPS = 1_000
STEP = 0.01

Pair = tuple[Any, Any]


def slope(x: Any, y: Any, a: Any, b: Any, c: Any, d: Any) -> Pair:
    """x' = a x - b x y, y' = c x y - d y"""
    return x * (a - b * y), y * (c * x - d)


def step(x: Any, y: Any, *rates: Any) -> Pair:
    """One classical Runge-Kutta step."""
    x1, y1 = slope(x, y, *rates)
    x2, y2 = slope(x + 0.5 * STEP * x1, y + 0.5 * STEP * y1, *rates)
    x3, y3 = slope(x + 0.5 * STEP * x2, y + 0.5 * STEP * y2, *rates)
    x4, y4 = slope(x + STEP * x3, y + STEP * y3, *rates)
    return x + STEP / 6 * (x1 + 2 * (x2 + x3) + x4), y + STEP / 6 * (y1 + 2 * (y2 + y3) + y4)


def animals(np: Any, a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> Any:
    """How many animals there are in the end, prey and predators together."""
    for _ in range(STEPS):
        x, y = step(x, y, a, b, c, d)
    return x + y


def animals_in_jax(np: Any, a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> Any:
    """The loop as JAX wants it."""
    (x, y), _ = import_jax().lax.scan(lambda state, _: (step(*state, a, b, c, d), None), (x, y), length=STEPS)
    return x + y


def animals_by_hand(a: float, b: float, c: float, d: float, x: float, y: float) -> Any:
    """Forwards, remembering the four points of every step; backwards through their slopes."""
    points = []
    half, sixth = 0.5 * STEP, STEP / 6
    for _ in range(STEPS):
        u1, v1 = x * (a - b * y), y * (c * x - d)
        x2, y2 = x + half * u1, y + half * v1
        u2, v2 = x2 * (a - b * y2), y2 * (c * x2 - d)
        x3, y3 = x + half * u2, y + half * v2
        u3, v3 = x3 * (a - b * y3), y3 * (c * x3 - d)
        x4, y4 = x + STEP * u3, y + STEP * v3
        u4, v4 = x4 * (a - b * y4), y4 * (c * x4 - d)
        points.append(((x4, y4, sixth, STEP), (x3, y3, 2 * sixth, half), (x2, y2, 2 * sixth, half), (x, y, sixth, 0.0)))
        x, y = x + sixth * (u1 + 2 * (u2 + u3) + u4), y + sixth * (v1 + 2 * (v2 + v3) + v4)
    by_a = by_b = by_c = by_d = 0.0
    by_x = by_y = 1.0
    for stages in reversed(points):
        sum_x, sum_y = by_x, by_y
        on_x = on_y = reach = 0.0
        for px, py, weight, reach_of_next in stages:
            by_u = weight * by_x + reach * on_x
            by_v = weight * by_y + reach * on_y
            grown, eaten = by_u * px, by_v * py
            by_a += grown
            by_b -= grown * py
            by_c += eaten * px
            by_d -= eaten
            on_x = by_u * (a - b * py) + eaten * c
            on_y = by_v * (c * px - d) - grown * b
            sum_x += on_x
            sum_y += on_y
            reach = reach_of_next
        by_x, by_y = sum_x, sum_y
    return x + y, (by_a, by_b, by_c, by_d, by_x, by_y)


def start() -> tuple[float, ...]:
    """Rates of growth, predation, reproduction and death, and the animals at the start."""
    return 1.1, 0.4, 0.1, 0.4, 10.0, 5.0


WORKLOADS = [Workload("lotka-volterra", f"{STEPS:,} steps",
                      gradients(animals, start, animals_by_hand, tuple(range(6)), jax_function=animals_in_jax))]
