"""numpy.fft on tensors: every transform, every length, normalisation and choice of axes, in both modes and twice."""

from __future__ import annotations

import numpy as np
import pytest
from agreement import check, draw

import tapead as ta

NORMS = [None, "backward", "ortho", "forward"]
ONE_AXIS = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
SEVERAL = ["fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn"]
TAKE_REAL = {"rfft", "ihfft", "rfft2", "rfftn"}
GIVE_REAL = ["irfft", "hfft", "irfft2", "irfftn"]


def numbers(shape, complex_=False, seed=0):
    values = draw(*shape, seed=seed)
    return values + 1j * draw(*shape, seed=seed + 50) if complex_ else values


def kinds(name):
    return [False] if name in TAKE_REAL else [False, True]


@pytest.mark.parametrize("name", ONE_AXIS)
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 7])
def test_every_length(name, length):
    transform = getattr(np.fft, name)
    for complex_ in kinds(name):
        x = numbers((length,), complex_)
        if name not in ("irfft", "hfft") or length > 1:
            check(transform, x)
        for n in (1, 4, 5, 9):
            check(lambda x, n=n: transform(x, n), x, second=False)


@pytest.mark.parametrize("name", ONE_AXIS)
@pytest.mark.parametrize("norm", NORMS)
def test_every_normalisation_along_every_axis(name, norm):
    transform = getattr(np.fft, name)
    for complex_ in kinds(name):
        for axis in (0, 1, -1):
            check(lambda x, axis=axis: transform(x, axis=axis, norm=norm), numbers((3, 4, 2), complex_), second=False)
        check(lambda x: transform(x, 5, 1, norm), numbers((2, 4), complex_))


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("norm", NORMS)
def test_several_axes(name, norm):
    transform = getattr(np.fft, name)
    for complex_ in kinds(name):
        x = numbers((3, 2, 4), complex_)
        check(lambda x: transform(x, norm=norm), x, second=False)
        check(lambda x: transform(x, s=(5, 3), axes=(0, 2), norm=norm), x, second=False)
        check(lambda x: transform(x, axes=(2, 0), norm=norm), x)


def test_lengths_of_minus_one_and_axes_that_repeat():
    x = numbers((3, 4), True)
    check(lambda x: np.fft.fftn(x, s=(-1, 6), axes=(0, 1)), x)
    check(lambda x: np.fft.fftn(x, axes=(0, 0)), x)
    check(lambda x: np.fft.fftn(x, axes=()), x)


@pytest.mark.parametrize("name", GIVE_REAL)
def test_what_a_real_result_ignores_has_no_derivative(name):
    x = numbers((3, 3), True)
    pulled = ta.vjp(getattr(np.fft, name), x)[1](np.ones(np.shape(getattr(np.fft, name)(x))))[0]
    if name in ("irfft", "hfft"):
        np.testing.assert_array_equal(pulled[:, 0].imag, 0)
        np.testing.assert_array_equal(pulled[:, 2].imag, 0)
    # A change of what is ignored changes nothing.
    assert not np.any(getattr(np.fft, name)(np.full((1, 3), 1j) * [[1, 0, 1]]))


def test_a_real_input_has_a_real_gradient():
    gradient = ta.grad(lambda x: np.sum(np.abs(np.fft.fft(x)) ** 2))(np.array([1.0, 2.0, -3.0]))
    assert gradient.dtype == np.float64
    np.testing.assert_allclose(gradient, 2 * 3 * np.array([1.0, 2.0, -3.0]), rtol=1e-14)


def test_float32_stays_float32():
    for name in ONE_AXIS:
        x = np.array([1.0, 2.0, -3.0], np.float32)
        out, pull = ta.vjp(getattr(np.fft, name), x)
        assert out.dtype == getattr(np.fft, name)(x).dtype
        assert pull(np.ones_like(out))[0].dtype == np.float32


def test_convolution_through_the_frequencies():
    def convolve(x, y):
        return np.fft.irfft(np.fft.rfft(x, 8) * np.fft.rfft(y, 8), 8)

    check(convolve, numbers((5,)), numbers((4,), seed=1))


@pytest.mark.parametrize("axes", [None, 0, 1, (0, 1), (-1,)], ids=str)
@pytest.mark.parametrize("function", [np.fft.fftshift, np.fft.ifftshift], ids=lambda f: f.__name__)
def test_shifts(function, axes):
    check(lambda x: function(x, axes), numbers((3, 4)))
    check(lambda x: function(x, axes), numbers((4, 5), True))


def test_the_frequencies_are_plain_and_scale_with_a_tracked_spacing():
    np.testing.assert_array_equal(np.fft.fftfreq(4, 0.5), [0.0, 0.5, -1.0, -0.5])
    check(lambda d: np.fft.fftfreq(5, d), 0.5)
    check(lambda d: np.fft.rfftfreq(4, d), 0.5)


def test_every_public_function_is_covered():
    plain = {"fftfreq", "rfftfreq"}
    assert {name for name in np.fft.__all__ if getattr(np.fft, name) not in ta.registry.FUNCTIONS} == plain


def test_what_is_not_supported_raises():
    x = ta.tensor(np.ones(4), requires_grad=True)
    for name in ONE_AXIS + SEVERAL:
        with pytest.raises(NotImplementedError, match=rf"np\.fft\.{name}: out="):
            getattr(np.fft, name)(x, out=np.zeros(4, complex))
    for name in ONE_AXIS:
        with pytest.raises(ValueError, match="norm"):
            getattr(np.fft, name)(x, norm="other")
        with pytest.raises(ValueError, match="data points"):
            getattr(np.fft, name)(x, 0)
    with pytest.raises(ValueError, match="different length"):
        np.fft.fftn(x, s=(2, 2), axes=(0,))


@pytest.mark.parametrize("name", ONE_AXIS + SEVERAL)
def test_any_combination_of_arguments(name):
    generator = np.random.default_rng(len(name) + 17 * (ONE_AXIS + SEVERAL).index(name))
    transform = getattr(np.fft, name)
    for _ in range(6):
        ndim = int(generator.integers(2, 4))
        x = numbers(tuple(generator.integers(2, 5, ndim)), name not in TAKE_REAL and generator.random() < 0.5)
        options = {"norm": generator.choice(NORMS)}
        if name in ONE_AXIS:
            options |= {"n": int(generator.integers(1, 8)), "axis": int(generator.integers(-ndim, ndim))}
        else:
            count = int(generator.integers(1, 4))
            options["axes"] = tuple(map(int, generator.integers(-ndim, ndim, count)))  # repeated ones too
            if generator.random() < 0.6:
                options["s"] = tuple(map(int, generator.choice([-1, 1, 2, 3, 5], count)))
        check(lambda x, options=options: transform(x, **options), x, second=False)
        small = x.astype(np.complex64 if x.dtype.kind == "c" else np.float32)
        out, tangent = ta.jvp(lambda x, options=options: transform(x, **options), (small,), (small,))
        assert tangent.dtype == out.dtype == transform(small, **options).dtype


@pytest.mark.parametrize("name", ONE_AXIS + SEVERAL)
def test_out_may_be_a_tensor(name):
    transform, point = getattr(np.fft, name), numbers((3, 4))

    def filled(x):
        target = ta.tensor(np.zeros_like(transform(point)))
        assert transform(x, out=target) is target
        return target

    expected = ta.jvp(transform, (point,), (point,))
    for found, part in zip(ta.jvp(filled, (point,), (point,)), expected, strict=True):
        np.testing.assert_array_equal(found, part)
