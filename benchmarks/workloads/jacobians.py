"""Full Jacobians, tall and wide."""

from __future__ import annotations

import functools
from typing import Any

import numpy

from ..contenders import matrices
from ..harness import Workload


def layer(np: Any, x: Any, weights: Any) -> Any:
    """tanh(W x)"""
    return np.tanh(weights @ x)


def layer_by_hand(x: Any, weights: Any) -> Any:
    """diag(1 - tanh²(W x)) W"""
    y = numpy.tanh(weights @ x)
    return (1.0 - y * y)[:, None] * weights


def point(inputs: int, outputs: int) -> tuple[Any, ...]:
    """x and W."""
    generator = numpy.random.default_rng(3)
    return generator.normal(size=inputs), generator.normal(size=(outputs, inputs)) / inputs**0.5


def jacobian(inputs: int, outputs: int) -> Workload:
    """The Jacobian of R^inputs → R^outputs; PyTorch and JAX are told the cheap direction, autograd has only one."""
    direction = "jacfwd" if inputs <= outputs else "jacrev"
    contenders = matrices(layer, functools.partial(point, inputs, outputs), layer_by_hand,
                          tapead="jacobian", autograd="jacobian", torch=direction, jax=direction)
    return Workload("jacobian", f"{inputs:,} to {outputs:,}", contenders, quick=True)


WORKLOADS = [jacobian(10, 1_000), jacobian(1_000, 10)]
