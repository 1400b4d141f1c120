"""What a function of tensors has to agree with: NumPy's own value, differences, its adjoint, itself at second order."""

from __future__ import annotations

from typing import Any

import numpy as np
from catalogue import difference, directions

import tapead as ta


def draw(*shape: int, seed: int = 0) -> Any:
    """Short decimals of either sign, no two alike and none near zero."""
    size = int(np.prod(shape))
    steps = np.random.default_rng(seed).permutation(2 * size + 1)[:size]
    values = np.round(-1.9 + 3.8 * (steps + 0.3) / (2 * size + 1), 4)
    return np.where(np.abs(values) < 0.02, 2.1, values).reshape(shape)


def check(function: Any, *point: Any, second: bool = True) -> None:
    """`function` on tensors gives NumPy's value and dtype, and the right derivatives in every mode."""
    point = tuple(np.asarray(x)[()] for x in point)
    expected = function(*point)
    out, pull = ta.vjp(function, *point)
    assert type(out) is type(expected[()])
    assert out.dtype == expected.dtype
    np.testing.assert_allclose(out, expected, rtol=2e-15, atol=0)
    direction = _complex_directions(point, 1)
    tangent = ta.jvp(function, point, direction)[1]
    np.testing.assert_allclose(tangent, difference(function, point, direction), rtol=1e-7, atol=1e-7)
    cotangent = _complex_directions((out,), 2)[0]
    pulled = pull(cotangent)
    assert [part.dtype for part in pulled] == [x.dtype for x in point]
    np.testing.assert_allclose(_inner([cotangent], [tangent]), _inner(pulled, direction), rtol=1e-11, atol=1e-12)
    if second:
        _check_second_order(function, point, direction, cotangent)


def _check_second_order(function: Any, point: Any, direction: Any, cotangent: Any) -> None:
    other = _complex_directions(point, 5)

    def pulled(*inputs: Any) -> Any:
        return _inner(ta.vjp(function, *inputs)[1](cotangent), other)

    def pushed(*inputs: Any) -> Any:
        return _inner([cotangent], [ta.jvp(function, inputs, other)[1]])

    expected = difference(pulled, point, direction)
    np.testing.assert_allclose(ta.jvp(pulled, point, direction)[1], expected, rtol=1e-6, atol=1e-6)
    for scalar in (pulled, pushed):
        gradients = ta.grad(scalar, tuple(range(len(point))))(*point)
        np.testing.assert_allclose(_inner(gradients, direction), expected, rtol=1e-6, atol=1e-6)


def _inner(first: Any, second: Any) -> Any:
    return sum(np.sum(np.real(np.conj(a) * b)) for a, b in zip(first, second, strict=True))


def _complex_directions(point: Any, seed: int) -> Any:
    real = directions(point, seed)
    turned = directions(point, seed + 100)
    return tuple(a + 1j * b if np.iscomplexobj(x) else a for x, a, b in zip(point, real, turned, strict=True))
