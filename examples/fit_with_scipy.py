"""Fitting a decaying oscillation with SciPy, which gets the exact gradient along with the value.

Run: python examples/fit_with_scipy.py [fit.png]
"""

from __future__ import annotations

import sys

import numpy as np

import tapead as ta

TRUE = np.array([2.0, 0.3, 2.5, 0.4])
TIMES = np.linspace(0.0, 8.0, 120)


def model(parameters, times):
    amplitude, decay, frequency, phase = parameters
    return amplitude * np.exp(-decay * times) * np.cos(frequency * times + phase)


def data():
    return model(TRUE, TIMES) + 0.05 * np.random.default_rng(6).normal(size=TIMES.size)


def loss(parameters, values):
    return np.sum((model(parameters, TIMES) - values) ** 2)


def fit(with_gradient):
    from scipy.optimize import minimize

    function = ta.value_and_grad(loss) if with_gradient else loss
    return minimize(function, x0=np.array([1.0, 0.1, 2.2, 0.0]), args=(data(),), jac=with_gradient, method="BFGS")


def main(plot=None):
    for with_gradient in (True, False):
        found = fit(with_gradient)
        name = "exact gradient" if with_gradient else "differences"
        print(f"{name:14}: {np.round(found.x, 3)} after {found.nfev:3} evaluations, |gradient| "
              f"{np.max(np.abs(ta.grad(loss)(found.x, data()))):.0e}")
    best = fit(True).x
    # The curvature at the minimum tells how well the data determine the parameters.
    residual = loss(best, data()) / (TIMES.size - best.size)
    errors = np.sqrt(np.diag(np.linalg.inv(ta.hessian(loss)(best, data()) / 2)) * residual)
    for name, value, error, true in zip(["amplitude", "decay", "frequency", "phase"], best, errors, TRUE, strict=True):
        print(f"{name:10} {value:7.4f} ± {error:.4f}   (true {true})")
    if plot is not None:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        pyplot.plot(TIMES, data(), ".", label="data")
        pyplot.plot(TIMES, model(best, TIMES), label="fit")
        pyplot.legend()
        pyplot.xlabel("time")
        pyplot.ylabel("displacement")
        pyplot.savefig(plot)


if __name__ == "__main__":
    main(*sys.argv[1:2])
