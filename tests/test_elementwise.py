"""Elementwise rules over the whole floating-point range, against mpmath; conventions; nothing times infinity."""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpc, mpf

import tapead as ta
from tapead.ops import elementwise

INF = np.inf
TINY = np.finfo(float).tiny


@pytest.fixture(autouse=True)
def precise():
    """Many digits for mpmath, and quiet for kernels called at the edge of their domain on purpose."""
    with mp.workdps(50), np.errstate(all="ignore"):
        yield


def both(function, *point):
    """The partial derivatives, from the reverse sweep; the forward sweep must give the same."""
    reverse = ta.vjp(function, *point)[1](np.ones_like(function(*point)))
    for position, partial in enumerate(reverse):
        direction = [np.zeros_like(x) for x in point]
        direction[position] = np.ones_like(point[position])
        forward = ta.jvp(function, tuple(point), tuple(direction))[1]
        np.testing.assert_allclose(np.sum(forward), np.sum(partial), rtol=1e-13 if partial.dtype == float else 1e-6)
    return reverse


def rounded(value):
    """An mpmath number as a double, infinite where it overflows."""
    try:
        return float(value)
    except OverflowError:
        return INF if value > 0 else -INF


def assert_close(got, expected, digits, what):
    """So many digits agree; subnormal numbers have fewer, infinities must be infinities."""
    expected = rounded(expected)
    close = got == expected or abs(got - expected) <= 10.0**-digits * abs(expected) or (
        abs(expected) < TINY and abs(got - expected) <= max(0.01 * abs(expected), 1e-323))
    assert close, f"{what}: got {got}, expected {expected}"


# ---------------------------------------------------------------------- functions of one real number

ONE_REAL = {  # the first and the second derivative
    "exp": (mpmath.exp, mpmath.exp),
    "exp2": (lambda x: mp.ln2 * 2**x, lambda x: mp.ln2**2 * 2**x),
    "expm1": (mpmath.exp, mpmath.exp),
    "log": (lambda x: 1 / x, lambda x: -1 / x**2),
    "log2": (lambda x: 1 / x / mp.ln2, lambda x: -1 / x**2 / mp.ln2),
    "log10": (lambda x: 1 / x / mp.ln10, lambda x: -1 / x**2 / mp.ln10),
    "log1p": (lambda x: 1 / (1 + x), lambda x: -1 / (1 + x)**2),
    "sin": (mpmath.cos, lambda x: -mpmath.sin(x)),
    "cos": (lambda x: -mpmath.sin(x), lambda x: -mpmath.cos(x)),
    "tan": (lambda x: mpmath.sec(x)**2, lambda x: 2 * mpmath.sec(x)**2 * mpmath.tan(x)),
    "arcsin": (lambda x: (1 - x * x)**mpf(-0.5), lambda x: x * (1 - x * x)**mpf(-1.5)),
    "arccos": (lambda x: -(1 - x * x)**mpf(-0.5), lambda x: -x * (1 - x * x)**mpf(-1.5)),
    "arctan": (lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x)**2),
    "sinh": (mpmath.cosh, mpmath.sinh),
    "cosh": (mpmath.sinh, mpmath.cosh),
    "tanh": (lambda x: mpmath.sech(x)**2, lambda x: -2 * mpmath.sech(x)**2 * mpmath.tanh(x)),
    "arcsinh": (lambda x: (1 + x * x)**mpf(-0.5), lambda x: -x * (1 + x * x)**mpf(-1.5)),
    "arccosh": (lambda x: (x * x - 1)**mpf(-0.5), lambda x: -x * (x * x - 1)**mpf(-1.5)),
    "arctanh": (lambda x: 1 / (1 - x * x), lambda x: 2 * x / (1 - x * x)**2),
    "sqrt": (lambda x: x**mpf(-0.5) / 2, lambda x: -x**mpf(-1.5) / 4),
    "cbrt": (lambda x: 1 / mpmath.cbrt(abs(x))**2 / 3, lambda x: -2 * mp.sign(x) / mpmath.cbrt(abs(x))**5 / 9),
    "square": (lambda x: 2 * x, lambda x: mpf(2)),
    "reciprocal": (lambda x: -1 / x**2, lambda x: 2 / x**3),
    "degrees": (lambda x: 180 / mp.pi, lambda x: mpf(0)),
    "radians": (lambda x: mp.pi / 180, lambda x: mpf(0)),
}
EDGES = [0.3, 1.5, 2.25, 20.0, 40.0, 300.0, 355.0, 700.0, 1e5, 1e15, 1e-8, 1e-160, 1e-200, 1e-300, 1e155, 1e160, 1e200,
         0.999999999, 1 - 2.0**-53, 1 + 2.0**-52, 1.0000000001]
RANDOM = [*np.random.default_rng(7).normal(size=12).tolist(),
          *(10 ** np.random.default_rng(8).uniform(-9, 9, 12)).tolist()]


@pytest.mark.parametrize("name", ONE_REAL)
def test_derivatives_hold_over_the_whole_range(name):
    function, (first, second) = getattr(np, name), ONE_REAL[name]
    tested = 0
    for x in [sign * x for x in EDGES + RANDOM for sign in (1, -1)]:
        if np.isnan(function(x)):
            continue
        tested += 1
        assert_close(both(function, x)[0], first(mpf(x)), 14.3, f"{name}'({x})")
        assert_close(both(function, np.array([x, x]))[0][1], first(mpf(x)), 14.3, f"{name}'([{x}])")
        for nested in (ta.grad(ta.grad(function))(x),
                       ta.jvp(lambda y: ta.jvp(function, (y,), (1.0,))[1], (x,), (1.0,))[1]):
            assert_close(nested, second(mpf(x)), 12.5, f"{name}''({x})")
    assert tested > 10


@pytest.mark.parametrize("name", ONE_REAL)
def test_single_precision(name):
    function, (first, _) = getattr(np, name), ONE_REAL[name]
    tested = 0
    for x in np.array([0.3, 0.9, -0.7, 1.5, 3.0, 9.0, 1e-6], np.float32):
        if np.isnan(function(x)):
            continue
        tested += 1
        derivative = both(function, x)[0]
        assert derivative.dtype == np.float32
        np.testing.assert_allclose(derivative, rounded(first(mpf(float(x)))), rtol=2e-6)
    assert tested > 2


# ---------------------------------------------------------------------- functions of two real numbers


def _softmax(base):
    return lambda x, y: (1 / (1 + base**(y - x)), 1 / (1 + base**(x - y)))


def _softmax_slope(base):
    def slope(x, y):
        s = mpmath.log(base) / (2 + base**(y - x) + base**(x - y))
        return s, -s, s
    return slope


TWO_REAL = {  # partials; second partials xx, xy, yy; points
    "divide": (lambda x, y: (1 / y, -x / y**2), lambda x, y: (mpf(0), -1 / y**2, 2 * x / y**3),
               [1e-200, 1e200, -1e-200, 3.0, -0.7, 1e-100, 1e100, 1e-300]),
    "hypot": (lambda x, y: (x / _norm(x, y), y / _norm(x, y)),
              lambda x, y: (y * y / _norm(x, y)**3, -x * y / _norm(x, y)**3, x * x / _norm(x, y)**3),
              [1e-200, -3e-200, 1e200, 3e200, 3.0, -0.7]),
    "arctan2": (lambda x, y: (y / (x * x + y * y), -x / (x * x + y * y)), None,
                [1e-200, -3e-200, 1e200, 3e200, 3.0, -0.7, 1e-100, 1e100, 2e-310]),
    "logaddexp": (_softmax(mpmath.exp(1)), None, []),
    "logaddexp2": (_softmax(mpf(2)), _softmax_slope(mpf(2)), [1e3, -1e3, 1000.5, 0.0, 3.0, -40.0, 1020.0, 1e4]),
    "power": (lambda x, y: (y * x**(y - 1), x**y * mpmath.log(x)), None,
              [0.5, 2.0, 3.0, 1.0, 1e-200, 1e-5, 10.0, 1e100]),
}


def _norm(x, y):
    return mpmath.sqrt(x * x + y * y)


@pytest.mark.parametrize("name", [name for name in TWO_REAL if name != "logaddexp"])
def test_partials_hold_over_the_whole_range(name):
    function, (first, second, points) = getattr(np, name), TWO_REAL[name]
    for x, y in itertools.product(points, points):
        if not np.isfinite(function(x, y)):
            continue
        for got, expected in zip(both(function, x, y), first(mpf(x), mpf(y)), strict=True):
            assert_close(got, expected, 12.5, f"{name}{x, y}")
        if second is not None:
            xx, xy = ta.grad(lambda x, y: ta.grad(function, 0)(x, y), (0, 1))(x, y)
            yx, yy = ta.grad(lambda x, y: ta.grad(function, 1)(x, y), (0, 1))(x, y)
            for got, expected in zip((xx, xy, yx, yy), np.array(second(mpf(x), mpf(y)))[[0, 1, 1, 2]], strict=True):
                assert_close(got, expected, 10, f"second {name}{x, y}")


@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
def test_second_derivatives_of_arctan2_at_any_scale(scale):
    y, x = 3.0 * scale, -0.7 * scale
    hessian = ta.hessian(lambda v: np.arctan2(v[0], v[1]))(np.array([y, x])) * scale * scale
    r4 = (3.0**2 + 0.7**2) ** 2
    expected = np.array([[2 * 3.0 * 0.7, 3.0**2 - 0.7**2], [3.0**2 - 0.7**2, -2 * 3.0 * 0.7]]) / r4
    np.testing.assert_allclose(hessian, expected, rtol=1e-13)


@pytest.mark.parametrize("x", [0.0, 3.0, -40.0, 700.0, 720.0, 1e-10, 1e3, -1e3, 1e15])
@pytest.mark.parametrize("y", [0.0, 1.5, 1000.5, -1e3, 1e15 + 1])
def test_logaddexp_holds_over_the_whole_range(x, y):
    if abs(x - y) > 1e4:
        assert both(np.logaddexp, x, y) == (float(x > y), float(y > x))
        return
    for got, expected in zip(both(np.logaddexp, x, y), _softmax(mp.e)(mpf(x), mpf(y)), strict=True):
        assert_close(got, expected, 12.5, f"logaddexp{x, y}")
    curvature = ta.grad(ta.grad(np.logaddexp))(x, y)
    assert_close(curvature, _softmax_slope(mp.e)(mpf(x), mpf(y))[0], 12, f"second logaddexp{x, y}")


@pytest.mark.parametrize("function", [np.logaddexp, np.logaddexp2])
def test_logaddexp_at_infinity(function):
    assert both(function, INF, 1.0) == (1, 0)
    assert both(function, 1.0, -INF) == (1, 0)
    assert both(function, -INF, INF) == (0, 1)
    assert both(function, -INF, -INF) == (0.5, 0.5)
    assert both(function, INF, INF) == (0.5, 0.5)
    np.testing.assert_array_equal(both(function, np.array([-INF, 2.0]), np.array([-INF, 2.0]))[0], [0.5, 0.5])
    assert np.all(np.isnan(both(function, np.nan, np.nan)))


def test_tanh_keeps_its_digits():
    for x in (20.0, -20.0, 300.0):
        assert_close(ta.grad(np.tanh)(x), mpmath.sech(mpf(x))**2, 12, f"tanh'({x})")


# ---------------------------------------------------------------------- remainders


@pytest.mark.parametrize("x", [7.3, -7.3])
@pytest.mark.parametrize("y", [2.1, -2.1])
def test_remainders(x, y):
    assert both(np.remainder, x, y) == (1, -np.floor(x / y))
    assert both(np.fmod, x, y) == (1, -np.trunc(x / y))


def test_fmod_where_the_quotient_rounds_up():
    assert 0.5 / 0.1 == 5 and np.fmod(0.5, 0.1) > 0.09  # the double nearest to 0.1 goes into 0.5 four times
    assert both(np.fmod, 0.5, 0.1) == both(np.remainder, 0.5, 0.1) == (1, -4)


# ---------------------------------------------------------------------- powers


def test_powers_of_zero_and_of_negative_numbers():
    assert both(np.power, 0.0, 2.0) == (0, 0)
    assert both(np.power, 0.0, 1.0) == (1, 0)
    assert both(np.power, 0.0, 0.5) == (INF, 0)
    assert both(np.power, 0.0, 0.0) == (0, -INF)
    assert both(np.power, 0.0, -1.0) == (-INF, -INF)
    assert both(lambda x: x**3, -2.0) == both(lambda x: x**3.0, -2.0) == (12,)
    assert both(lambda x: x ** np.float64(3), -2.0) == both(lambda x: x ** np.array(3), -2.0) == (12,)
    assert both(lambda x: x**-2, -2.0) == (0.25,)
    assert both(lambda x: x**1, 0.0) == both(lambda x: x ** np.float64(1), 0.0) == (1,)
    for zero in (0, 0.0, np.float64(0), np.array(0), np.array(0, np.uint8), np.float32(0)):
        for x in (0.0, 2.0, -2.0):
            assert both(lambda x, zero=zero: x**zero, x) == (0,)


def test_powers_elementwise():
    x, y = np.array([0.0, 0.0, 0.0, -2.0, 2.0]), np.array([0.0, 1.0, 2.0, 3.0, 0.0])
    np.testing.assert_array_equal(both(lambda x: x**y, x)[0], [0, 1, 0, 12, 0])
    np.testing.assert_array_equal(ta.vjp(lambda y: x**y, y)[1](np.ones(5))[0][[0, 1, 2, 4]], [-INF, 0, 0, np.log(2)])


def test_mixed_second_derivative_of_a_power_with_exponent_zero():
    assert ta.grad(ta.grad(np.power, 0), 1)(2.0, 0.0) == 0.5
    assert ta.grad(ta.grad(np.power, 1), 0)(2.0, 0.0) == 0.5


def test_exponents_are_differentiated_with_any_base():
    for base in (2, 2.0, np.float64(2), np.array(2)):
        assert ta.grad(lambda y, base=base: base**y)(3.0) == 8 * np.log(2)


def test_float_power_works_in_double_precision():
    x = np.float32(0.1)
    _, tangent = ta.jvp(lambda x: np.float_power(x, 2.5), (x,), (np.float32(1),))
    np.testing.assert_allclose(tangent, 2.5 * float(x) ** 1.5, rtol=1e-14)


def test_division_by_a_python_zero_is_infinite_as_in_numpy():
    assert both(lambda x: x / 0, np.float64(1)) == (INF,)
    assert both(lambda x: x / -0.0, np.float64(1)) == (-INF,)


# ---------------------------------------------------------------------- conventions

HALF = 0.5
CONVENTIONS = [
    (np.abs, (0.0,), (0,)), (np.fabs, (0.0,), (0,)), (np.sign, (0.0,), (0,)), (np.abs, (-0.0,), (0,)),
    (np.maximum, (1.5, 1.5), (HALF, HALF)), (np.minimum, (1.5, 1.5), (HALF, HALF)),
    (np.fmax, (1.5, 1.5), (HALF, HALF)), (np.fmin, (1.5, 1.5), (HALF, HALF)),
    (np.maximum, (1.0, 2.0), (0, 1)), (np.minimum, (1.0, 2.0), (1, 0)),
    (np.fmax, (np.nan, 2.0), (0, 1)), (np.fmin, (1.0, np.nan), (1, 0)), (np.maximum, (INF, INF), (HALF, HALF)),
    (np.sqrt, (0.0,), (INF,)), (np.cbrt, (0.0,), (INF,)), (np.arctan2, (0.0, 0.0), (0, 0)),
    (np.hypot, (0.0, 0.0), (0, 0)), (np.power, (0.0, 2.0), (0, 0)), (np.power, (0.0, 0.0), (0, -INF)),
    (np.log, (0.0,), (INF,)), (np.arcsin, (1.0,), (INF,)), (np.arccos, (-1.0,), (-INF,)),
    (np.arccosh, (1.0,), (INF,)), (np.arctanh, (1.0,), (INF,)), (np.copysign, (0.0, -1.0), (0, 0)),
    (np.copysign, (2.0, -1.0), (-1, 0)), (np.copysign, (-2.0, -0.0), (1, 0)),
    (np.heaviside, (0.0, 0.5), (0, 1)), (np.heaviside, (1.0, 0.5), (0, 0)), (np.nextafter, (1.0, 2.0), (1, 0)),
    (np.floor, (1.5,), (0,)), (np.rint, (1.5,), (0,)), (np.reciprocal, (0.0,), (-INF,)),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("row", CONVENTIONS, ids=lambda row: f"{row[0].__name__}{row[1]}")
def test_conventions(row, dtype):
    function, point, expected = row
    point = [dtype(x) for x in point]
    assert both(function, *point) == expected
    arrays = both(function, *(np.array([x, x]) for x in point))
    for got, value in zip(arrays, expected, strict=True):
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, [value, value])


def test_constants_beside_a_tensor():
    assert ta.grad(lambda x: np.heaviside(0.0, x))(2.0) == 1
    assert ta.grad(lambda x: np.heaviside(1, x))(2.0) == 0
    assert ta.grad(lambda x: np.maximum(1, x))(2.0) == 1
    assert ta.grad(lambda x: np.hypot(3, x))(4.0) == 0.8
    assert ta.grad(lambda x: np.logaddexp(0, x))(0.0) == 0.5
    assert ta.grad(lambda x: x * True)(2.0) == 1


# ---------------------------------------------------------------------- nothing times infinity is nothing

MASKED = [
    ("log", lambda x: np.where(x > 0, np.log(x), 0.0)),
    ("sqrt", lambda x: np.where(x > 0, np.sqrt(x), 0.0)),
    ("x log x", lambda x: np.where(x > 0, x * np.log(x), 0.0)),
    ("1/x", lambda x: np.where(x != 0, 1 / x, 0.0)),
    ("sqrt of abs", lambda x: np.where(x == 0, 0.0, np.sqrt(np.abs(x)))),
    ("power", lambda x: np.where(x > 0, x**-0.5, 0.0)),
    ("nan", lambda x: np.where(x > 0, np.arccosh(x + 1) * np.log(x) / x, 0.0)),
    ("nan inside", lambda x: np.where(x > 0, np.exp(np.log(x - 0.5 * x) / x), 0.0)),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("masked", MASKED, ids=lambda row: row[0])
def test_masked_singularities_have_gradient_zero(masked, dtype):
    name, function = masked
    (alone,) = both(function, dtype(4.0))
    for x in (0.0,) if name in ("1/x", "sqrt of abs") else (0.0, -1.0):
        (single,) = both(function, dtype(x))
        assert single == 0 and single.dtype == dtype
        point = np.array([x, 4.0], dtype)
        np.testing.assert_allclose(both(function, point)[0], [0, alone], rtol=1e-6)
        np.testing.assert_allclose(ta.jvp(function, (point,), (np.ones(2, dtype),))[1], [0, alone], rtol=1e-6)


def test_masked_singularities_at_second_order():
    hessian = ta.hessian(lambda x: np.sum(np.where(x > 0, x * np.log(x), 0.0)))(np.array([0.0, 2.0]))
    np.testing.assert_array_equal(hessian, [[0, 0], [0, 0.5]])
    assert ta.grad(ta.grad(lambda x: np.where(x > 0, np.sqrt(x), 0.0)))(0.0) == 0


def test_something_times_infinity_stays_infinite():
    assert both(lambda x: 2 * np.sqrt(x), 0.0) == (INF,)
    np.testing.assert_array_equal(both(np.log, np.array([0.0, 1.0]))[0], [INF, 1])


# ---------------------------------------------------------------------- complex numbers

HOLOMORPHIC = ["exp", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan",
               "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "sqrt", "square", "reciprocal"]
PLANE = [0.3 + 0.4j, -1.5 + 0.2j, 2 - 3j, -0.5 - 0.7j, 0.5 + 0j, 1e-8 + 1e-9j, 1e150 + 1e150j, 1e200 - 1e200j, 20j,
         20 + 1j, 800 + 1j, -800 - 1j, 1 + 800j, 1 - 800j, 1 + 1e-12j, 1e-12 + 1j, 1e-200 + 1e-201j]


@pytest.mark.parametrize("name", HOLOMORPHIC)
def test_holomorphic_functions(name):
    function, (first, _) = getattr(np, name), ONE_REAL[name]
    if name == "arccosh":
        first = lambda z: 1 / (mpmath.sqrt(z - 1) * mpmath.sqrt(z + 1))  # noqa: E731 -- as in the table above
    tested = 0
    for z in PLANE:
        try:
            expected = complex(first(mpc(z)))
        except OverflowError:
            continue
        if not (np.isfinite(function(z)) and np.isfinite(expected)):
            continue
        tested += 1
        tangent = ta.jvp(function, (z,), (1 + 0j,))[1]
        (cotangent,) = ta.vjp(function, z)[1](1 + 0j)
        assert abs(tangent - expected) <= 3e-14 * abs(expected) + 1e-300, f"{name}'({z}): {tangent}, {expected}"
        assert abs(cotangent - np.conj(expected)) <= 3e-14 * abs(expected) + 1e-300
    assert tested > 5


@pytest.mark.parametrize("name", ["arcsin", "arccos", "arcsinh", "arccosh", "arctan", "arctanh", "sqrt", "log"])
@pytest.mark.parametrize("z", [2 + 0j, -2 + 0j, 2j])
def test_branch_cuts_are_approached_from_numpys_side(name, z):
    function = getattr(np, name)
    step = 1e-5 * z
    slope = (function(z + step) - function(z - step)) / (2 * step)
    np.testing.assert_allclose(ta.jvp(function, (z,), (1 + 0j,))[1], slope, rtol=1e-8)


@pytest.mark.parametrize("function", [np.multiply, np.divide, np.power, np.add, np.subtract], ids=lambda u: u.__name__)
def test_complex_arithmetic(function):
    for z, w in itertools.product([0.3 + 0.4j, -1.5 + 0.2j, 2 - 3j, -2 + 0j], [2 + 0j, 0.5 - 1j, 3j]):
        step = 1e-6
        slopes = ((function(z + step, w) - function(z - step, w)) / (2 * step),
                  (function(z, w + step) - function(z, w - step)) / (2 * step))
        cotangents = ta.vjp(function, z, w)[1](1 + 0j)
        tangents = [ta.jvp(function, (z, w), direction)[1] for direction in ((1 + 0j, 0j), (0j, 1 + 0j))]
        np.testing.assert_allclose(tangents, slopes, rtol=1e-8)
        np.testing.assert_allclose(np.conj(cotangents), slopes, rtol=1e-8)


@pytest.mark.parametrize("function", [lambda z: z * 2j, lambda z: 2j * z, lambda z: z + 1j, lambda z: z - 2j,
                                      lambda z: 2j**z, lambda z: z / 2j, lambda z: 2j / z, lambda z: z**2j])
@pytest.mark.parametrize("z", [0.3 + 0.7j, 0.3])
def test_python_complex_constants(function, z):
    slope = (function(z + 1e-6) - function(z - 1e-6)) / 2e-6
    one = 1.0 if isinstance(z, float) else 1 + 0j
    np.testing.assert_allclose(ta.jvp(function, (z,), (one,))[1], slope, rtol=1e-8)
    (cotangent,) = ta.vjp(function, z)[1](1 + 0j)
    expected = np.real(slope) if isinstance(z, float) else np.conj(slope)
    np.testing.assert_allclose(cotangent, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("function", [np.abs, np.sign, np.conj], ids=lambda u: u.__name__)
def test_functions_that_are_not_holomorphic(function):
    z = np.array([3 + 4j, -1 + 0.5j, 0j])
    weights = np.array([0.7, -1.1, 2.0]) if function is np.abs else np.array([0.7 - 1j, -1.1 + 0.3j, 2.0 + 1j])
    (cotangent,) = ta.vjp(function, z)[1](weights)
    for direction in (1 + 0j, 1j):
        tangent = ta.jvp(function, (z,), (np.full(3, direction),))[1]
        slope = (function(z + 1e-6 * direction) - function(z - 1e-6 * direction)) / 2e-6
        np.testing.assert_allclose(tangent[:2], slope[:2], rtol=1e-8, atol=1e-9)
        assert tangent[2] == (0 if function is not np.conj else np.conj(direction))
        pulled, pushed = np.real(np.conj(cotangent) * direction), np.real(np.conj(weights) * tangent)
        np.testing.assert_allclose(pulled, pushed, atol=1e-14)


def test_the_gradient_of_a_modulus_is_the_direction_of_steepest_ascent():
    np.testing.assert_allclose(ta.grad(lambda z: np.abs(z) ** 2)(3 + 4j), 6 + 8j, rtol=1e-15)
    assert ta.grad(np.abs)(0j) == 0


def test_the_square_root_at_zero_of_either_sign():
    for zero in (0.0, -0.0):
        assert ta.grad(np.sqrt)(zero) == ta.jvp(np.sqrt, (zero,), (1.0,))[1] == np.inf


@pytest.mark.parametrize("power", [np.power, np.float_power])
def test_powers_of_tiny_numbers_with_tiny_exponents(power):
    x, y = np.array([1e-310, 2.0, 1e-315]), np.array([1e-200, 3.0, 3e-308])
    with mp.workdps(30):
        expected = [float(mpf(b) * mpf(a) ** (mpf(b) - 1)) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(ta.grad(lambda x: np.sum(power(x, y)))(x), expected, rtol=1e-13)
    np.testing.assert_allclose(ta.grad(power)(x[0], y[0]), expected[0], rtol=1e-13)
    assert ta.grad(lambda x: x**0.5)(0.0) == np.inf


@pytest.mark.parametrize("longest", [0, np.inf])
def test_sech_by_either_formula(monkeypatch, longest):
    monkeypatch.setattr(elementwise, "_LONG", longest)
    x = np.array([0.0, 1e-9, -0.5, 3.0, -20.0, 300.0, 700.0, np.inf, -np.inf, np.nan])
    with np.errstate(over="ignore"):
        sech = elementwise._sech_kernel(x)
    np.testing.assert_allclose(sech[:-1], [float(mpmath.sech(mpf(number))) for number in x[:-1]], rtol=1e-15)
    assert np.isnan(sech[-1])
