"""Derivatives by differences: the bar covers the truth, and is narrow where it can be."""

from __future__ import annotations

import zlib

import mpmath
import numpy as np
import pytest

from tapead import numeric
from tapead.numeric.complexstep import Analytic
from tapead.numeric.realview import RealView
from tapead.numeric.roughness import trends

GENERATOR = np.random.default_rng(20240607)
mp = mpmath.MPContext()
mp.dps = 60


def uniform(low, high):
    return lambda: float(GENERATOR.uniform(low, high))


def powers(low, high):
    return lambda: float(10 ** GENERATOR.uniform(low, high))


def near(edge, low, high):
    return lambda: float(edge - 10 ** GENERATOR.uniform(low, high))


# The function in floating point, the same in mpmath, and where to draw points.
HARD = {
    "sin": (np.sin, mp.sin, uniform(-10, 10)),
    "sin at large x": (np.sin, mp.sin, powers(3, 8)),
    "exp": (np.exp, mp.exp, uniform(-20, 20)),
    "log": (np.log, mp.log, powers(-12, 12)),
    "sqrt": (np.sqrt, mp.sqrt, powers(-12, 12)),
    "square": (lambda x: x * x, lambda x: x * x, powers(-8, 8)),
    "reciprocal": (lambda x: 1 / x, lambda x: 1 / x, powers(-10, 10)),
    "arccos near 1": (np.arccos, mp.acos, near(1.0, -12, -1)),
    "arctanh near 1": (np.arctanh, mp.atanh, near(1.0, -12, -1)),
    "tan": (np.tan, mp.tan, uniform(-1.57, 1.57)),
    "saturated tanh": (np.tanh, mp.tanh, uniform(-25, 25)),
    "steep logistic": (lambda x: 1 / (1 + np.exp(-50 * x)), lambda x: 1 / (1 + mp.exp(-50 * x)), uniform(-1, 1)),
    "large offset": (lambda x: 1e10 + np.sin(x), mp.sin, uniform(-3, 3)),
    "cancelled offset": (lambda x: (1e6 + np.sin(x)) - 1e6, mp.sin, uniform(-3, 3)),
    "1 - cos": (lambda x: 1 - np.cos(x), lambda x: 1 - mp.cos(x), powers(-7, 0)),
    "(1 - cos) / x²": (lambda x: (1 - np.cos(x)) / x**2, lambda x: (1 - mp.cos(x)) / x**2, powers(-3, 0)),
    "√(x² + 1) - x": (lambda x: np.sqrt(x * x + 1) - x, lambda x: mp.sqrt(x * x + 1) - x, powers(0, 6)),
    "expm1(x) / x": (lambda x: np.expm1(x) / x, lambda x: mp.expm1(x) / x, powers(-8, 1)),
    "fast": (lambda x: np.sin(1e5 * x), lambda x: mp.sin(mp.mpf(1e5) * x), uniform(-3, 3)),
    "faster": (lambda x: np.sin(1e7 * x), lambda x: mp.sin(mp.mpf(1e7) * x), uniform(-3, 3)),
    "ever faster": (lambda x: np.sin(1 / x), lambda x: mp.sin(1 / x), powers(-3, 0)),
    "small fast wiggle": (lambda x: np.sin(x) + 1e-9 * np.sin(1e9 * x),
                          lambda x: mp.sin(x) + mp.mpf(1e-9) * mp.sin(mp.mpf(1e9) * x), uniform(-1, 1)),
    "narrow bump": (lambda x: np.exp(-(x * 1e4) ** 2), lambda x: mp.exp(-(x * mp.mpf(1e4)) ** 2), uniform(-2e-4, 2e-4)),
    "Runge": (lambda x: 1 / (1 + 1e4 * x * x), lambda x: 1 / (1 + mp.mpf(1e4) * x * x), uniform(-1, 1)),
    "narrow arctan": (lambda x: np.arctan(1e6 * x), lambda x: mp.atan(mp.mpf(1e6) * x), uniform(-1e-5, 1e-5)),
    "tiny": (lambda x: 1e-12 * np.sin(x), lambda x: mp.mpf(1e-12) * mp.sin(x), uniform(-3, 3)),
    "huge": (lambda x: 1e200 * np.exp(x), lambda x: mp.mpf(1e200) * mp.exp(x), uniform(-3, 3)),
    "jump nearby": (lambda x: np.where(x > 0.5, np.sin(x) + 1e-3, np.sin(x)), mp.sin, near(0.5, -9, -1)),
    "kink nearby": (lambda x: np.abs(x - 0.5), lambda x: abs(x - mp.mpf(0.5)), near(0.5, -9, -1)),
    "cube root": (np.cbrt, mp.cbrt, powers(-9, 3)),
    "x^1.5 at tiny x": (lambda x: x**1.5, lambda x: x ** mp.mpf(1.5), powers(-300, -8)),
    "x^x": (lambda x: x**x, lambda x: x**x, uniform(0.01, 10)),
    "polynomial": (lambda x: x**4 - 10 * x**3 + 35 * x**2 - 50 * x + 24,
                   lambda x: x**4 - 10 * x**3 + 35 * x**2 - 50 * x + 24, uniform(0, 5)),
    "single inside": (lambda x: np.sin(np.float32(x)).item(), mp.sin, uniform(-3, 3)),
    "single": (np.exp, mp.exp, lambda: np.float32(GENERATOR.uniform(-3, 3))),
}


def truth(function, x):
    point = mp.mpf(float(x))
    step = mp.mpf(10) ** -25 * (abs(point) if point else 1)
    return (function(point + step) - function(point - step)) / (2 * step)


@pytest.mark.parametrize("complex_step", [False, True])
def test_the_bar_covers_the_truth(complex_step):
    missed = []
    count = 0
    for name, (function, precise, draw) in HARD.items():
        for _ in range(25):
            x = draw()
            estimate = numeric.derivative(function, x, complex_step=complex_step)
            count += 1
            off = abs(mp.mpf(float(estimate.value)) - truth(precise, x)) if np.isfinite(estimate.error) else 0
            if not off <= estimate.error:
                missed.append((name, x, estimate))
    assert count > 800
    assert len(missed) <= 0.005 * count, missed


@pytest.mark.parametrize(("name", "x", "relative"), [
    ("sin", 0.7, 1e-11), ("exp", 3.0, 1e-11), ("log", 1e-8, 1e-10), ("sqrt", 1e-9, 1e-10), ("square", 1e8, 1e-12),
    ("reciprocal", 1e-8, 1e-11), ("tiny", 1.0, 1e-11), ("huge", 1.0, 1e-11), ("fast", 1.0, 1e-7),
    ("kink nearby", 0.499, 1e-12), ("jump nearby", 0.499, 1e-9), ("single", np.float32(1.0), 1e-3),
])
def test_the_bar_is_narrow(name, x, relative):
    estimate = numeric.derivative(HARD[name][0], x, complex_step=False)
    assert estimate.error <= relative * abs(estimate.value)


def test_a_large_offset_widens_the_bar_honestly():
    estimate = numeric.derivative(lambda x: float(1e10 + np.sin(x)), 1.0)
    assert abs(estimate.value - np.cos(1.0)) <= estimate.error
    assert 1e-8 < estimate.error < 0.1


def test_hidden_rounding_widens_the_bar_honestly():
    estimate = numeric.derivative(lambda x: float((1e8 + np.sin(x)) - 1e8), 1.0)
    assert abs(estimate.value - np.cos(1.0)) <= estimate.error


def test_a_noisy_function_has_a_wide_bar():
    def noisy(x):
        return np.sin(x) + 1e-6 * zlib.crc32(np.float64(x).tobytes()) / 2**32

    estimate = numeric.derivative(noisy, 1.0, complex_step=False)
    assert abs(estimate.value - np.cos(1.0)) <= estimate.error
    assert estimate.error > 1e-7


def test_the_trend_of_a_saw_is_seen_beside_the_slope_of_its_teeth():
    def saw(x):
        tooth = 1e-6
        return np.sin(x) + 3e-4 * (x / tooth - np.rint(x / tooth)) * tooth

    view = RealView(saw, (1.0000002,))
    tooth = view.columns([0]).value[0, 0]
    assert abs(tooth - np.cos(1.0)) > 1e-4
    slope, bar, bias = next(trends(view, 0))
    assert abs(slope[0] - np.cos(1.0000002)) <= bar[0] < 1e-5
    assert bias[0] > 0
    slope, bar, bias = next(trends(RealView(np.sin, (1.0,)), 0))
    assert abs(slope[0] - np.cos(1.0)) <= bar[0] < 1e-9
    assert bias[0] == 0
    assert np.isinf(next(trends(RealView(np.abs, (0.1,)), 0))[1][0])


def test_zero_is_a_point_like_any_other():
    estimate = numeric.derivative(np.sin, 0.0)
    assert abs(estimate.value - 1) <= estimate.error < 1e-10
    flat = numeric.derivative(np.cos, 0.0)
    assert abs(flat.value) <= flat.error < 1e-10


def test_one_side_will_do_at_the_edge_of_a_domain():
    estimate = numeric.derivative(lambda x: x**1.5, 0.0, complex_step=False)
    assert abs(estimate.value) <= estimate.error < 1e-6
    assert np.isnan(estimate.left)
    exact_edge = numeric.derivative(lambda x: np.log(x) if x >= 1 else np.nan, 1.0, complex_step=False)
    assert abs(exact_edge.value - 1) <= exact_edge.error < 1e-8


def test_exceptions_away_from_the_point_are_an_edge():
    def strict(x):
        if x < 2:
            raise ValueError("too small")
        return x**2

    estimate = numeric.derivative(strict, 2.0, complex_step=False)
    assert abs(estimate.value - 4) <= estimate.error < 1e-6


def test_a_kink_is_seen_with_both_slopes():
    estimate = numeric.derivative(lambda x: np.maximum(x, 3 * x), 0.0)
    assert estimate.kink
    assert abs(estimate.left - 1) < 1e-9
    assert abs(estimate.right - 3) < 1e-9
    assert estimate.error >= 2
    assert not numeric.derivative(lambda x: np.maximum(x, 3 * x), 1e-6).kink


def test_a_function_with_period_two_to_the_minus_twenty_is_not_taken_for_a_constant():
    estimate = numeric.derivative(lambda x: np.sin(2 * np.pi * 2**20 * x), 0.0, complex_step=False)
    assert abs(estimate.value - 2 * np.pi * 2**20) <= estimate.error < 1.0


def test_floor_is_flat():
    estimate = numeric.derivative(np.floor, 1.3)
    assert abs(estimate.value) <= estimate.error < 1e-10


def test_complex_step_where_it_is_proved():
    estimate = numeric.derivative(lambda x: 1e10 + np.exp(x) * np.sin(x), 1.0)
    assert estimate.method == "complex step"
    assert abs(estimate.value - np.exp(1.0) * (np.sin(1.0) + np.cos(1.0))) <= estimate.error < 1e-12


@pytest.mark.parametrize("function", [
    lambda x: np.abs(x) * x, lambda x: np.real(x) ** 2, lambda x: np.conj(x) * x, lambda x: np.asarray(x) ** 2,
    lambda x: np.maximum(x, 0.0) ** 2, lambda x: float(x) ** 2,
])
def test_complex_step_is_refused_where_it_is_not(function):
    assert numeric.derivative(function, 0.7).method == "differences"


def test_analytic_arrays_compare_by_their_real_part():
    x = Analytic(np.array([1 + 1j, -1 + 5j]))
    assert (x > 0).tolist() == [True, False]
    with pytest.raises(TypeError, match="absolute is not known"):
        np.abs(x)
    with pytest.raises(TypeError, match="watched"):
        np.asarray(x)


def test_gradient_and_jacobian_have_a_bar_for_each_entry():
    x = GENERATOR.normal(size=(2, 3))
    gradient = numeric.gradient(lambda x: np.sum(np.sin(x) * x), x)
    assert gradient.value.shape == gradient.error.shape == (2, 3)
    assert np.all(np.abs(gradient.value - (np.cos(x) * x + np.sin(x))) <= gradient.error)
    jacobian = numeric.jacobian(lambda x: np.outer(x[0], x[1]), x, complex_step=False)
    assert jacobian.value.shape == (3, 3, 2, 3)
    for i in range(3):
        for j in range(3):
            row = np.zeros((2, 3))
            row[0, i], row[1, j] = x[1, j], x[0, i]
            assert np.all(np.abs(jacobian.value[i, j] - row) <= jacobian.error[i, j])


def test_jvp_with_inputs_of_very_different_size():
    x, y = np.array([1e8, 1e-8]), np.array([3.0])
    estimate = numeric.jvp(lambda x, y: np.sum(np.sqrt(x)) * y[0], (x, y), (np.array([1.0, 1e-9]), np.array([0.5])))
    exact = (0.5 / np.sqrt(1e8) + 0.5 * 1e-9 / np.sqrt(1e-8)) * 3 + 0.5 * np.sum(np.sqrt(x))
    assert abs(estimate.value - exact) <= estimate.error < 1e-6 * abs(exact)


def test_derivative_along_a_direction():
    estimate = numeric.derivative(lambda x: x**2, np.array([1.0, 2.0]), np.array([1.0, -1.0]))
    assert np.all(np.abs(estimate.value - [2.0, -4.0]) <= estimate.error)


def test_python_integers_are_numbers_to_differentiate_in():
    assert abs(numeric.derivative(lambda x: x**3, 2).value - 12) < 1e-9


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: numeric.derivative(np.sin, np.zeros(3)), ValueError, "along which direction"),
    (lambda: numeric.derivative(np.log, -1.0), ValueError, "not finite at the point"),
    (lambda: numeric.gradient(np.sin, np.zeros(3)), ValueError, "must return one number"),
    (lambda: numeric.jvp(np.sin, (np.zeros(3),), (np.zeros(2),)), ValueError, "tangents of shapes"),
    (lambda: numeric.derivative(lambda x: "text", 1.0), TypeError, "expected numbers"),
    (lambda: numeric.derivative(lambda x: None, 1.0), TypeError, "returned None"),
])
def test_bad_input_is_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_an_estimate_prints_with_its_bar():
    assert "±" in str(numeric.derivative(np.sin, 1.0))
    assert "±" in str(numeric.gradient(lambda x: np.sum(x**2), np.ones(2)))
