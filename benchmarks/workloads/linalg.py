"""The log marginal likelihood of a Gaussian process, by a Cholesky factor and by a log-determinant."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy

from ..contenders import gradients, import_jax
from ..harness import Workload

LOG_TWO_PI = math.log(2 * math.pi)


def covariance(np: Any, logs: Any, squares: Any, eye: Any) -> Any:
    """s² exp(-r²/2l²) + e² I, from the logarithms of l, s and e and the squared distances."""
    return np.exp(squares * (-0.5 * np.exp(-2.0 * logs[0])) + 2.0 * logs[1]) + np.exp(2.0 * logs[2]) * eye


def with_solver(np: Any, solve: Any, logs: Any, squares: Any, eye: Any, y: Any) -> Any:
    """-½ |L⁻¹y|² - log |L| - ½ n log 2π"""
    factor = np.linalg.cholesky(covariance(np, logs, squares, eye))
    white = solve(factor, y)
    return -0.5 * np.sum(white * white) - np.sum(np.log(np.diag(factor))) - 0.5 * y.shape[0] * LOG_TWO_PI


def by_cholesky(np: Any, *args: Any) -> Any:
    """With NumPy's general solver: it has none for triangular systems."""
    return with_solver(np, np.linalg.solve, *args)


def by_cholesky_in_torch(torch: Any, *args: Any) -> Any:
    """With PyTorch's triangular solver."""
    def solve(factor: Any, y: Any) -> Any:
        return torch.linalg.solve_triangular(factor, y[:, None], upper=False)

    return with_solver(torch, solve, *args)


def by_cholesky_in_jax(np: Any, *args: Any) -> Any:
    """With JAX's triangular solver."""
    return with_solver(np, functools.partial(import_jax().scipy.linalg.solve_triangular, lower=True), *args)


def by_slogdet(np: Any, logs: Any, squares: Any, eye: Any, y: Any) -> Any:
    """-½ yᵀK⁻¹y - ½ log |K| - ½ n log 2π"""
    matrix = covariance(np, logs, squares, eye)
    _, log_determinant = np.linalg.slogdet(matrix)
    fit = np.sum(y * np.linalg.solve(matrix, y))
    return -0.5 * fit - 0.5 * log_determinant - 0.5 * y.shape[0] * LOG_TWO_PI


def by_hand(logs: Any, squares: Any, eye: Any, y: Any) -> Any:
    """With M = K⁻¹y yᵀK⁻¹ - K⁻¹, twice the derivative in K."""
    np = numpy
    precision, scale, noise = np.exp(-2.0 * logs[0]), np.exp(2.0 * logs[1]), np.exp(2.0 * logs[2])
    smooth = scale * np.exp(squares * (-0.5 * precision))
    matrix = smooth + noise * eye
    factor = np.linalg.cholesky(matrix)
    inverse = np.linalg.inv(matrix)
    weights = inverse @ y
    value = -0.5 * y @ weights - np.sum(np.log(np.diag(factor))) - 0.5 * y.size * LOG_TWO_PI
    twice = np.outer(weights, weights) - inverse
    by_smooth = twice * smooth
    gradient = np.array([0.5 * precision * np.sum(by_smooth * squares), np.sum(by_smooth), noise * np.trace(twice)])
    return value, gradient


def observations(n: int) -> tuple[Any, ...]:
    """Logarithms of the three parameters, squared distances, the identity, and noisy observations."""
    generator = numpy.random.default_rng(4)
    x = numpy.sort(generator.uniform(0, 10, n))
    y = numpy.sin(x) + 0.1 * generator.normal(size=n)
    return numpy.array([0.1, -0.2, -1.5]), (x[:, None] - x) ** 2, numpy.eye(n), y


WORKLOADS = [
    Workload("gaussian process (cholesky)", "n=200",
             gradients(by_cholesky, functools.partial(observations, 200), by_hand,
                       torch_function=by_cholesky_in_torch, jax_function=by_cholesky_in_jax), quick=True),
    Workload("gaussian process (slogdet)", "n=200",
             gradients(by_slogdet, functools.partial(observations, 200), by_hand)),
]
