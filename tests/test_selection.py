"""Choosing: where, clip, select, piecewise, nan_to_num, real, imag, angle; np.sinc and np.i0; rounding."""

from __future__ import annotations

import math

import numpy as np
import pytest
from same_as_numpy import check, numbers

import tapead as ta

x3 = numbers(3)
y3 = numbers(3, seed=1)
x23 = numbers(2, 3)

CHOOSING = {
    "where": (lambda x, y: np.where(x23 > 0, x, y), x23, numbers(2, 3, seed=1)),
    "where broadcast": (lambda x, y: np.where([[True], [False]], x, y), x3, np.float64(0.5)),
    "where scalar": (lambda x, y: np.where(True, x, y), np.float64(1.5), np.float64(0.5)),
    "where number": (lambda x: np.where(np.arange(3) > 1, x, 0), x3),
    "where numbers": (lambda x: np.where([0.0, 2.0, -1.0], 1, x), x3),
    "where on itself": (lambda x: np.where(x > 0, x * x, -x), x3),
    "where nothing": (lambda x: np.where(np.zeros(0, bool), x, 1.0), np.float64(1.5)),
    "where one argument": (lambda x: x[np.where(x > 0)], x23),
    "clip": (lambda x: np.clip(x, -0.5, 0.5), x23),
    "clip below": (lambda x: np.clip(x, 0.1, None), x23),
    "clip above": (lambda x: np.clip(x, None, 0.1), x23),
    "clip neither": (lambda x: np.clip(x, None, None), x23),
    "clip keywords": (lambda x: np.clip(x, min=-0.5, max=0.6), x23),
    "clip one keyword": (lambda x: np.clip(x, max=0.6), x23),
    "clip no keyword": (lambda x: np.clip(x), x23),
    "clip arrays": (lambda x, low, high: np.clip(x, low, high), x23, np.array([-0.5, -0.4, 0.2]),
                    np.array([[0.45], [0.6]])),
    "clip with bounds crossed": (lambda x, low, high: np.clip(x, low, high), x3, np.float64(0.55), np.float64(0.35)),
    "clip an array": (lambda low: np.clip(np.array([1.0, -1.0]), low, 5.0) * low, np.float64(0.25)),
    "select": (lambda x, y: np.select([x3 > 0.4, x3 > 0], [x, y], 7.0), x3, y3),
    "select default": (lambda x, y: np.select([x3 > 0.4, x3 > 0], [x, 2], y), x3, y3),
    "select broadcast": (lambda x, y: np.select([np.array([[True], [False]])], [x], y), x3, np.float64(0.5)),
    "piecewise": (lambda x: np.piecewise(x, [x < 0, x >= 0], [lambda v: v * v, lambda v: -v]), x3),
    "piecewise default": (lambda x: np.piecewise(x, [x < 0], [5.0, np.sin]), x23),
    "piecewise one condition": (lambda x: np.piecewise(x, x < 0, [np.sin, 2]), x3),
    "piecewise overlapping": (lambda x: np.piecewise(x, [x < 1, x < 0], [np.sin, np.cos]), x3),
    "piecewise over many": (lambda x: np.piecewise(x, [x < 0], [lambda v: v - np.mean(v), 0.0]), x23),
    "piecewise arguments": (lambda x: np.piecewise(x, [x < 0], [lambda v, a, b: a * v**b, 1], 3.0, b=2), x3),
    "piecewise scalar": (lambda x: np.piecewise(x, [x < 0, x >= 0], [np.sin, np.cos]) * x, np.float64(0.4)),
    "piecewise to a number": (lambda x: np.piecewise(x, [x < 0], [lambda v: np.sum(v * v), 0.0]), x23),
    "nan_to_num": (lambda x: np.nan_to_num(x * np.array([1.0, np.nan, 2.0])), x3),
    "real of real": (lambda x: np.real(x) * 2, x3),
    "angle of real": (lambda x: np.angle(x) + x, x3),
    "angle of scalar in degrees": (lambda x: np.angle(x, deg=True) + x, np.float64(-2.0)),
    "real_if_close": (lambda x: np.real_if_close(x), x3),
    "around": (lambda x: np.around(x, 1) * x, x3),
    "round": (lambda x: np.round(x) * x, x3),
    "round decimals": (lambda x: np.round(x, decimals=-1) * x, 20 * x3),
    "fix": (lambda x: np.fix(x) * x, 3 * x3),
    "rint": (lambda x: np.rint(x) * x, 3 * x3),
    "sinc": (np.sinc, numbers(2, 3)),
    "sinc near zero": (np.sinc, np.array([1e-9, -1e-5, 1e-3, 0.05])),
    "sinc scalar": (np.sinc, np.float64(0.3)),
    "i0": (np.i0, 7 * numbers(2, 3)),
}


@pytest.mark.parametrize("name", CHOOSING)
def test_choosing(name):
    check(*CHOOSING[name])


# ---------------------------------------------------------------------- conventions


@pytest.mark.parametrize(("x", "expected"), [(-1.0, (0, 1, 0)), (0.0, (1, 0, 0)), (0.5, (1, 0, 0)), (1.0, (1, 0, 0)),
                                             (2.0, (0, 0, 1))])
def test_clip_at_a_bound_belongs_to_what_is_clipped(x, expected):
    assert ta.grad(np.clip, (0, 1, 2))(x, 0.0, 1.0) == expected
    for position, slope in enumerate(expected):
        direction = [0.0, 0.0, 0.0]
        direction[position] = 1.0
        assert ta.jvp(np.clip, (x, 0.0, 1.0), tuple(direction))[1] == slope


def test_clip_of_bounds_that_cross_is_the_upper_one():
    assert ta.grad(np.clip, (0, 1, 2))(0.5, 2.0, 1.0) == (0, 0, 1)


def test_where_hides_what_it_does_not_choose():
    x = np.array([0.0, -1.0, 4.0])
    gradient = ta.grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0)))
    with np.errstate(all="ignore"):
        assert gradient(x).tolist() == [0, 0, 0.25]
        assert ta.jvp(lambda x: np.where(x > 0, np.log(x), 0.0), (0.0,), (1.0,))[1] == 0


def test_where_of_one_argument_and_its_errors():
    x = ta.tensor([0.0, 2.0], requires_grad=True)
    (places,) = np.where(x)
    assert places.tolist() == [1]
    with pytest.raises(ValueError, match="either both or neither"):
        np.where(x > 0, x)


def test_a_condition_that_is_changed_afterwards_changes_no_gradient():
    condition = np.array([True, False])

    def chosen(x):
        result = np.sum(np.where(condition, x, 3 * x))
        condition[:] = True
        return result

    assert ta.grad(chosen)(np.ones(2)).tolist() == [1.0, 3.0]


def test_nan_to_num_replaces_and_drops_the_derivative_there():
    x = np.array([np.nan, np.inf, -np.inf, 2.0])
    value, pull = ta.vjp(lambda x: np.nan_to_num(x, nan=1.0, posinf=7.0), x)
    np.testing.assert_array_equal(value, np.nan_to_num(x, nan=1.0, posinf=7.0))
    assert pull(np.ones(4))[0].tolist() == [0, 0, 0, 1]
    z = np.array([complex(np.nan, 1.0), 2.0 - 3.0j])
    value, pull = ta.vjp(np.nan_to_num, z)
    np.testing.assert_array_equal(value, np.nan_to_num(z))
    assert pull(np.array([1 + 1j, 1 + 1j]))[0].tolist() == [1j, 1 + 1j]


def test_single_precision_stays_single():
    x = np.array([0.5, -0.5, 2.0], np.float32)
    for function in (lambda x: np.where(x > 0, x, 0.0), lambda x: np.clip(x, -0.25, 1.0), np.sinc, np.i0,
                     lambda x: np.select([x > 1, x > 0], [1.0, x], 0.0), np.nan_to_num,
                     lambda x: np.piecewise(x, [x > 0], [np.sin, 1.0])):
        value, pull = ta.vjp(function, x)
        assert value.dtype == function(x).dtype == np.float32
        assert pull(np.ones(3, np.float32))[0].dtype == np.float32


# ---------------------------------------------------------------------- complex numbers

z3 = numbers(3) + 1j * numbers(3, seed=2)
OF_COMPLEX = {
    "real": np.real,
    "imag": np.imag,
    "angle": np.angle,
    "angle in degrees": lambda z: np.angle(z, deg=True),
    "where": lambda z: np.abs(np.where(np.real(z) > 0, z * z, np.conj(z))),
    "attributes": lambda z: z.real * z.imag,
    "read": lambda z: np.imag(z[[0, 0, 2]] * z),
    "real_if_close": lambda z: np.real_if_close(z - 1j * np.imag(z)),
    "select": lambda z: np.real(np.select([np.array([True, False, True])], [z * z], 1j)),
}


@pytest.mark.parametrize("name", OF_COMPLEX)
def test_functions_of_complex_numbers_as_functions_of_pairs(name):
    function = OF_COMPLEX[name]
    check(lambda re, im: function(re + 1j * im), z3.real, z3.imag)
    out, pull = ta.vjp(function, z3)
    np.testing.assert_allclose(out, function(z3), rtol=1e-15)
    weights = numbers(3, seed=5)
    (gradient,) = pull(weights)
    re, im = ta.grad(lambda re, im: np.sum(weights * function(re + 1j * im)), (0, 1))(z3.real, z3.imag)
    np.testing.assert_allclose(gradient, re + 1j * im, rtol=1e-12)
    direction = numbers(3, seed=6) - 1j * numbers(3, seed=7)
    tangent = ta.jvp(function, (z3,), (direction,))[1]
    np.testing.assert_allclose(np.sum(tangent * weights), np.sum(np.real(np.conj(gradient) * direction)), rtol=1e-12)


def test_imag_of_real_is_a_constant():
    assert ta.grad(lambda x: np.sum(np.imag(x) + x))(x3).tolist() == [1, 1, 1]


# ---------------------------------------------------------------------- sinc and i0


def derivatives(function, x, count):
    """f(x), f'(x), ... by nested reverse sweeps."""
    results = []
    for _ in range(count):
        results.append(float(function(x)))
        function = ta.grad(function)
    return results


def test_sinc_has_all_derivatives_at_zero():
    expected = [1, 0, -np.pi**2 / 3, 0, np.pi**4 / 5, 0, -np.pi**6 / 7]
    np.testing.assert_allclose(derivatives(np.sinc, 0.0, 7), expected, rtol=1e-14)
    np.testing.assert_allclose(ta.grad(np.sinc)(1e-200), -np.pi**2 / 3 * 1e-200, rtol=1e-14)


@pytest.mark.parametrize("x", [1e-8, 1e-3, 0.1, 0.47, 0.5, 1.0, 3.3, -20.7])
def test_derivatives_of_sinc_keep_their_digits(x):
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(60):
        exact = mpmath.taylor(lambda t: mpmath.sinc(mpmath.pi * t), mpmath.mpf(x), 4)
        expected = [float(term * mpmath.factorial(n)) for n, term in enumerate(exact)]
    np.testing.assert_allclose(derivatives(np.sinc, x, 5), expected, rtol=1e-13, atol=0 if x < 0.3 else 1e-14)


@pytest.mark.parametrize("x", [0.0, 1e-200, 1e-3, -2.5, 12.0, 29.9, 30.1, -45.0, 600.0])
def test_derivatives_of_i0_keep_their_digits(x):
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(60):
        bessel = [mpmath.besseli(n, mpmath.mpf(x)) for n in range(5)]
        expected = [bessel[0], bessel[1], (bessel[0] + bessel[2]) / 2, (3 * bessel[1] + bessel[3]) / 4,
                    (3 * bessel[0] + 4 * bessel[2] + bessel[4]) / 8]
    np.testing.assert_allclose(derivatives(np.i0, x, 5), list(map(float, expected)), rtol=2e-15)


# ---------------------------------------------------------------------- no derivative, and errors


def test_rounding_gives_constants():
    x = ta.tensor([1.26, -2.51], requires_grad=True)
    for result in (np.round(x, 1), np.around(x, 1), np.fix(x), np.rint(x), x.round(), round_to_int(x)):
        assert not getattr(result, "requires_grad", False)
    assert math.isclose(np.round(x, 1)[0].item(), 1.3)


def round_to_int(x):
    return np.round(x).astype(int)


def test_truth_values_are_plain():
    x = ta.tensor([1.0, np.nan], requires_grad=True)
    assert type(np.isclose(x, 1.0)) is np.ndarray
    assert np.allclose(x, x, equal_nan=True)
    assert np.isreal(x).tolist() == [True, True]


V = ta.tensor(x3, requires_grad=True)
ERRORS = {
    "clip twice": (lambda: np.clip(V, 0, 1, max=2), ValueError, "but not both"),
    "clip half": (lambda: np.clip(V, 0), TypeError, "a_min and a_max"),
    "clip out": (lambda: np.clip(V, 0, 1, out=np.zeros(3)), NotImplementedError, "out="),
    "clip where": (lambda: np.clip(V, 0, 1, where=[True, False, True]), NotImplementedError, r"where.*np\.where"),
    "select lengths": (lambda: np.select([x3 > 0], [V, V]), ValueError, "same length"),
    "select by numbers": (lambda: np.select([V > 0, 1], [V, V]), TypeError, "boolean"),
    "piecewise": (lambda: np.piecewise(V, [V > 0], [1, 2, 3]), ValueError, "functions are expected"),
    "nan_to_num in place": (lambda: np.nan_to_num(V, copy=False), RuntimeError, "a leaf that requires a gradient"),
    "round out": (lambda: np.round(V, out=np.zeros(3)), NotImplementedError, "out="),
    "fix out": (lambda: np.fix(V, out=np.zeros(3)), NotImplementedError, "out="),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_what_is_wrong(name):
    call, kind, message = ERRORS[name]
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.parametrize("x", [-1.0, 0.0, 2.0])
def test_clip_between_equal_bounds_is_constant(x):
    gradient = ta.grad(lambda x, low, high: np.clip(x, low, high), (0, 1, 2))
    assert gradient(x, 0.0, 0.0) == gradient(x, 1.0, 0.0) == (0.0, 0.0, 1.0)
