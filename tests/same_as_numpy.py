"""One question for the tests of wrappers: does a function of tensors equal NumPy's, in value and both derivatives?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from catalogue import difference, directions

import tapead as ta


def numbers(*shape: int, seed: int = 0) -> Any:
    """Distinct short decimals in no order, away from zero and from each other."""
    size = int(np.prod(shape))
    ranks = np.random.default_rng(seed).permutation(size)
    values = np.where(ranks % 2 == 0, 1, -1) * (0.3 + 0.17 * ranks) + 0.001 * seed
    return values.reshape(shape)[()]


def flat(results: Any) -> Any:
    """One array of all the results, so that functions of many results can be tested as those of one."""
    if isinstance(results, (list, tuple)):
        return np.concatenate([np.ravel(result) for result in results])
    return results


def check(function: Callable[..., Any], *point: Any, ulps: int = 0) -> None:
    """NumPy's values to the bit (or so many ulps), both modes against differences, second order both ways round."""
    check_values(function, *point, ulps=ulps)

    def of_arrays(*inputs: Any) -> Any:
        return flat(function(*inputs))

    direction = directions(point)
    expected = np.asarray(of_arrays(*point))
    out, tangent = ta.jvp(of_arrays, point, direction)
    assert type(tangent) is type(out)
    slope = difference(of_arrays, point, direction)
    np.testing.assert_allclose(tangent, slope, rtol=1e-7, atol=1e-8)
    cotangent = directions((expected,), seed=2)[0]
    pulled = ta.vjp(of_arrays, *point)[1](cotangent)
    for part, value in zip(pulled, point, strict=True):
        assert np.shape(part) == np.shape(value)
        assert part.dtype == np.asarray(value).dtype
    left, right = np.sum(tangent * cotangent), sum(np.sum(p * v) for p, v in zip(pulled, direction, strict=True))
    np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-12)
    if expected.size:
        check_second_order(of_arrays, point, direction, cotangent)


def check_second_order(function: Callable[..., Any], point: Any, direction: Any, weights: Any) -> None:
    """Forward over reverse and reverse over forward, of a cubic of the results."""
    def scalar(*inputs: Any) -> Any:
        result = function(*inputs)
        return np.sum(weights * result * result * result)

    everything = tuple(range(len(point)))
    expected = difference(lambda *inputs: flat(ta.grad(scalar, everything)(*inputs)), point, direction)
    np.testing.assert_allclose(flat(ta.hvp(scalar, tuple(point), direction)), expected, rtol=1e-6, atol=1e-6)
    pushed = ta.grad(lambda *inputs: ta.jvp(scalar, inputs, direction)[1], everything)(*point)
    np.testing.assert_allclose(flat(pushed), expected, rtol=1e-6, atol=1e-6)


def check_values(function: Callable[..., Any], *point: Any, ulps: int = 0) -> None:
    """The results on tracked tensors are tracked tensors of NumPy's values, shapes, types and containers."""
    expected, results = function(*point), function(*(ta.tensor(value, requires_grad=True) for value in point))
    if not isinstance(expected, (list, tuple)):
        expected, results = [expected], [results]
    else:
        assert type(results) is type(expected)
    assert len(results) == len(expected)
    for result, wanted in zip(results, expected, strict=True):
        assert isinstance(result, ta.Tensor) and result.requires_grad
        assert isinstance(result.data, np.generic if np.ndim(wanted) == 0 else np.ndarray)
        assert result.dtype == wanted.dtype
        np.testing.assert_allclose(result.data, wanted, rtol=ulps * 2.3e-16, atol=0)
