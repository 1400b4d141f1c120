"""Complex numbers, by the registry: every primitive that takes them, alone and beside real operands, in both modes and
at second order; what does not take them says so."""

from __future__ import annotations

import itertools
import re

import mpmath
import numpy as np
import pytest
import sympy
from agreement import check
from agreement import draw as numbers
from catalogue import call, draw, rows

import tapead as ta
from tapead.registry import PRIMITIVES

#: Results that are determined up to a phase or an order: functions that depend on neither.
INVARIANT = {
    "eigh": np.abs, "eig": lambda both: np.concatenate([both[..., :1, :], np.abs(both[..., 1:, :])], axis=-2),
    "svd": np.abs, "complement": lambda q: q @ np.conj(q.mT), "roots": lambda roots: np.sum(roots**3, axis=-1),
}
#: Of real numbers only, as in NumPy.
REAL_ONLY = {"arctan2", "cbrt", "copysign", "deg2rad", "degrees", "fabs", "fmod", "fraction", "heaviside", "hypot",
             "ldexp", "logaddexp", "logaddexp2", "modified_bessel", "nextafter", "rad2deg", "radians", "remainder",
             "rfft", "unwrap"}


def turned(x, seed):
    """The same operand, off the real line."""
    x = np.asarray(x)[()]
    if x.dtype.kind != "f":
        return x
    generator = np.random.default_rng(seed)
    distance = generator.uniform(0.2, 0.9, np.shape(x)) * generator.choice([-1, 1], np.shape(x))
    return (x + 1j * np.round(distance, 3))[()]


def points():
    """(name, case, which operands are complex) for every primitive of real arrays; a few cases of mixed operands."""
    for name, number in rows():
        if PRIMITIVES[name].elementwise and number > 1:  # shapes of all kinds are drawn in property_tests
            continue
        operands, _ = draw(PRIMITIVES[name], number)
        real = [np.asarray(x).dtype.kind == "f" for x in operands]
        for kinds in itertools.product((False, True), repeat=len(operands)):
            some = any(kinds) and all(is_real or not kind for is_real, kind in zip(real, kinds, strict=True))
            if some and (sum(kinds) == sum(real) or (number < 2 and len(operands) < 4)):
                yield name, number, kinds


def at(name, number, kinds):
    operands, attrs = draw(PRIMITIVES[name], number)
    point = [turned(x, seed) if kind else x for seed, (x, kind) in enumerate(zip(operands, kinds, strict=True))]
    return call(PRIMITIVES[name], attrs), point, attrs


TAKING = [point for point in points() if point[0] not in REAL_ONLY]


def label(point):
    return f"{point[0]}-{point[1]}-" + "".join("c" if kind else "r" for kind in point[2])


@pytest.mark.parametrize("point", TAKING, ids=label)
def test_primitives_of_complex_numbers(point):
    name, number, kinds = point
    function, operands, attrs = at(name, number, kinds)
    if _loses_the_imaginary_part(name, operands, attrs):
        with pytest.raises(np.exceptions.ComplexWarning):
            ta.vjp(function, *operands)
    elif name in INVARIANT:
        check(lambda *inputs: INVARIANT[name](function(*inputs)), *operands)
    else:
        check(function, *operands)


def _loses_the_imaginary_part(name, operands, attrs):
    """Whether complex numbers are written into a real array; NumPy warns of it, which is an error in these tests."""
    if name == "astype":
        return np.dtype(attrs["dtype"]).kind != "c"
    return name in ("setitem", "set_view") and np.iscomplexobj(operands[0]) and not np.iscomplexobj(operands[1])


@pytest.mark.parametrize("name", sorted(REAL_ONLY))
def test_primitives_of_real_numbers_say_so_as_numpy_does(name):
    point = next(point for point in points() if point[0] == name and all(point[2]))
    function, operands, attrs = at(*point)
    with pytest.raises(TypeError) as theirs:
        PRIMITIVES[name].kernel(*operands, **attrs)
    with pytest.raises(TypeError) as ours:
        ta.vjp(function, *operands)
    assert str(ours.value) == str(theirs.value)


HOLOMORPHIC = [name for name, number in rows() if number == 0 and PRIMITIVES[name].elementwise
               and name not in REAL_ONLY and isinstance(PRIMITIVES[name].sympy, str)
               and not re.search("Abs|sign|Max|Min|conjugate|re|im|floor|sinc", PRIMITIVES[name].sympy)]


@pytest.mark.parametrize("name", HOLOMORPHIC)
def test_holomorphic_rules_agree_with_thirty_digits_in_the_complex_plane(name):
    primitive = PRIMITIVES[name]
    symbols = sympy.symbols("x y")[:primitive.arity]
    exact = sympy.lambdify(symbols, sympy.sympify(primitive.sympy), "mpmath")
    for point in ((0.7 + 0.4j, 1.3 - 0.6j), (0.45 - 1.1j, -0.8 + 0.3j), (-0.35 + 0.8j, 0.6 + 0.9j)):
        point = point[:primitive.arity]
        pulled = ta.vjp(primitive, *point)[1](1.0)
        with mpmath.workdps(30):
            for position, found in enumerate(pulled):
                order = tuple(int(place == position) for place in range(primitive.arity))
                expected = complex(mpmath.diff(exact, tuple(map(mpmath.mpmathify, point)), order))
                np.testing.assert_allclose(np.conj(found), expected, rtol=1e-13, atol=1e-15)


Z, W = numbers(2, 3) + 1j * numbers(2, 3, seed=50), numbers(2, 3, seed=1) - 1j * numbers(2, 3, seed=51)
SQUARE = Z @ np.conj(W.T) + 2 * np.eye(2)
COMPOSED = {
    "angle": lambda z: np.angle(z), "angle in degrees": lambda z: np.angle(z, deg=True), "abs2": lambda z: abs(z) ** 2,
    "z conj z": lambda z: (z * np.conj(z)).real, "real and imag": lambda z: z.real * z.imag,
    "std": np.std, "var": np.var, "max": lambda z: np.maximum.reduce(z, axis=1),
    "mean": lambda z: np.mean(z, axis=0), "average": lambda z: np.average(z, weights=np.array([1.0, 2.0, 3.0]), axis=1),
    "nansum": np.nansum, "nanmean": np.nanmean, "median": lambda z: np.median(z, axis=1), "diff": np.diff,
    "gradient": lambda z: np.gradient(z, axis=1), "trapezoid": np.trapezoid, "ptp": np.ptp, "cumsum": np.cumsum,
    "cumprod": np.cumprod, "prod": np.prod, "norm": np.linalg.norm, "cov": np.cov, "corrcoef": np.corrcoef,
    "sinc": np.sinc, "where": lambda z: np.where(z.real > 0, z, np.conj(z)), "nan_to_num": np.nan_to_num,
    "norm 1": lambda z: np.linalg.norm(z, 1), "nuclear": lambda z: np.linalg.norm(z, "nuc"), "tril": np.tril,
    "sort": lambda z: np.sort(z, axis=1), "fft2": np.fft.fft2, "ifftn": np.fft.ifftn, "irfft": np.fft.irfft,
    "irfftn": np.fft.irfftn, "hfft": np.fft.hfft, "ortho": lambda z: np.fft.fft(z, 4, norm="ortho"),
    "fftshift": np.fft.fftshift, "unwrapped phase": lambda z: np.unwrap(np.angle(z)), "power": lambda z: z**2.5,
    "reals to powers": lambda z: 2.0**z, "polyval": lambda z: np.polyval([1.0, 2.0 - 1j, 0.5], z),
    "interp": lambda z: np.interp(np.array([0.3, 1.7]), np.arange(3.0), z[0]), "outer": lambda z: np.outer(z, z),
    "iscomplex": lambda z: z * np.iscomplex(z), "tan": np.tan, "arctanh": np.arctanh, "log2": np.log2,
}
PAIRS = {
    "vdot": np.vdot, "inner": np.inner, "outer": np.outer, "kron": np.kron, "quotient": np.divide, "cross": np.cross,
    "convolve": lambda z, w: np.convolve(z[0], w[0]),
    "correlate": lambda z, w: np.correlate(z[0], w[0], "full"), "tensordot": lambda z, w: np.tensordot(z, w, 2),
    "einsum": lambda z, w: np.einsum("ij,kj->ik", z, w), "polar": lambda z, w: abs(z) * np.exp(1j * w.real),
    "Hermitian product": lambda z, w: np.real(np.sum(np.conj(z) * w)), "power": lambda z, w: z**w,
    "solve": lambda z, w: np.linalg.solve(z @ z.T + 2 * np.eye(2), w),
    "complex from parts": lambda z, w: z.real + 1j * w.real, "multi_dot": lambda z, w: np.linalg.multi_dot([z, w.T, z]),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_functions_of_complex_numbers(name):
    check(COMPOSED[name], Z)


@pytest.mark.parametrize("name", PAIRS)
def test_functions_of_complex_and_real_numbers(name):
    for z, w in ((Z, W), (Z, W.real), (Z.real, W)):
        check(PAIRS[name], z, w)


def test_a_real_input_of_a_complex_computation_has_a_real_gradient():
    x = np.array([0.3, -1.2])
    gradient = ta.grad(lambda x: np.sum(np.abs(np.fft.fft(x * np.exp(1j * x))) ** 2))(x)
    assert gradient.dtype == np.float64
    hessian = ta.hessian(lambda x: np.sum(np.abs(np.exp(1j * x) + x) ** 2))(x)
    assert hessian.dtype == np.float64 and np.array_equal(hessian, hessian.T)


def test_the_gradient_is_the_direction_of_steepest_ascent():
    def loss(z):
        return np.sum(np.abs(z - (1 + 2j)) ** 2)

    z = Z
    for _ in range(3):
        z = z - 0.5 * ta.grad(loss)(z)
    np.testing.assert_allclose(z, np.full(z.shape, 1 + 2j), rtol=1e-14)


@pytest.mark.parametrize("function", [np.floor, np.arctan2, np.hypot, np.cbrt], ids=lambda f: f.__name__)
def test_a_function_that_numpy_has_for_real_numbers_only_raises_numpys_error(function):
    with pytest.raises(TypeError, match=f"ufunc '{function.__name__}' not supported"):
        function(*[ta.tensor(Z, requires_grad=True)] * function.nin)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_single_precision_stays_single(dtype):
    z = Z.astype(dtype)
    for function in (np.exp, np.abs, np.angle, np.fft.fft, np.linalg.norm, np.linalg.svdvals, np.prod, np.real, np.conj,
                     lambda z: z @ z.T, lambda z: np.linalg.inv(z[:, :2]), lambda z: np.linalg.det(z[:, :2])):
        out, pull = ta.vjp(function, z)
        assert out.dtype == function(z).dtype and np.finfo(out.dtype).dtype == np.finfo(dtype).dtype
        assert pull(np.ones_like(out))[0].dtype == dtype
        assert ta.jvp(function, (z,), (z,))[1].dtype == out.dtype
