"""Rosenbrock's valley: gradient, Hessian-vector product and full Hessian of a sum over neighbours."""

from __future__ import annotations

import functools
from typing import Any

import numpy

from ..contenders import gradients, hessian_products, matrices
from ..harness import Workload


def rosenbrock(np: Any, x: Any) -> Any:
    """Σ 100 (x[i+1] - x[i]²)² + (1 - x[i])²"""
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def gradient_by_hand(x: Any) -> Any:
    """Value and gradient."""
    here = x[:-1]
    rise = x[1:] - here * here
    rest = 1.0 - here
    value = 100.0 * numpy.sum(rise * rise) + numpy.sum(rest * rest)
    rise *= 200.0
    gradient = numpy.empty_like(x)
    gradient[-1] = 0.0
    gradient[:-1] = -2.0 * (rise * here + rest)
    gradient[1:] += rise
    return value, gradient


def second_derivatives(x: Any) -> tuple[Any, Any]:
    """The diagonal of the Hessian and the one beside it."""
    here = x[:-1]
    diagonal = numpy.empty_like(x)
    diagonal[-1] = 0.0
    diagonal[:-1] = 1200.0 * here * here - 400.0 * x[1:] + 2.0
    diagonal[1:] += 200.0
    return diagonal, -400.0 * here


def product_by_hand(x: Any, vector: Any) -> Any:
    """H v for the tridiagonal H."""
    diagonal, beside = second_derivatives(x)
    diagonal *= vector
    diagonal[:-1] += beside * vector[1:]
    diagonal[1:] += beside * vector[:-1]
    return diagonal


def hessian_by_hand(x: Any) -> Any:
    """The tridiagonal matrix."""
    diagonal, beside = second_derivatives(x)
    n = x.size
    hessian = numpy.zeros((n, n))
    flat = hessian.reshape(-1)
    flat[::n + 1] = diagonal
    flat[1::n + 1] = beside
    flat[n::n + 1] = beside
    return hessian


def point(n: int, arrays: int) -> tuple[Any, ...]:
    """The point, and where two arrays are wanted a direction."""
    generator = numpy.random.default_rng(2)
    return tuple(generator.uniform(-1.5, 1.5, n) for _ in range(arrays))


def gradient(n: int, **how: Any) -> Workload:
    """The gradient in n variables."""
    contenders = gradients(rosenbrock, functools.partial(point, n, 1), gradient_by_hand)
    return Workload("rosenbrock gradient", f"n={n:,}", contenders, curve=n, **how)


def product(n: int, **how: Any) -> Workload:
    """A Hessian-vector product in n variables."""
    contenders = hessian_products(rosenbrock, functools.partial(point, n, 2), product_by_hand)
    return Workload("rosenbrock HVP", f"n={n:,}", contenders, **how)


WORKLOADS = [
    gradient(100, quick=True), gradient(1_000_000, large=True),
    *(gradient(n, only_curve=True) for n in (10, 1_000, 10_000, 100_000)),
    product(100, quick=True), product(1_000_000, large=True),
    Workload("rosenbrock Hessian", "n=100",
             matrices(rosenbrock, functools.partial(point, 100, 1), hessian_by_hand,
                      tapead="hessian", autograd="hessian", torch="hessian", jax="hessian")),
]
