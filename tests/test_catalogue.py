"""Every primitive in the registry, by its own declaration: both modes, second order, float32, linearity, adjoints."""

from __future__ import annotations

import numpy as np
import pytest
from catalogue import call, cases, difference, directions, draw, numpy_primitives, rows

import tapead as ta
from tapead.registry import PRIMITIVES

ROWS = rows()


@pytest.fixture(params=ROWS, ids=[f"{name}-{number}" for name, number in ROWS])
def row(request):
    name, number = request.param
    operands, attrs = draw(PRIMITIVES[name], number)
    return call(PRIMITIVES[name], attrs), operands


def test_every_primitive_is_tested_or_declared_not_differentiable():
    primitives = numpy_primitives()
    untested = [name for name, primitive in primitives.items() if primitive.differentiable and not cases(primitive)]
    ruleless = [name for name, primitive in primitives.items() if primitive.differentiable and primitive.rule is None
                and name != "input"]
    assert untested == []
    assert ruleless == []


def test_every_rule_states_its_formula():
    assert [name for name, primitive in PRIMITIVES.items() if primitive.rule and not primitive.rule.__doc__] == []


def along(operands, seed=1):
    """One random direction per operand, complex where the operand is."""
    pairs = zip(operands, directions(operands, seed), directions(operands, seed + 100), strict=True)
    return tuple(first + 1j * second if np.iscomplexobj(x) else first for x, first, second in pairs)


def inner(first, second):
    """Re⟨first, second⟩, with respect to which adjoints are."""
    return np.sum(np.real(np.conj(first) * second))


def test_forward_agrees_with_differences(row):
    function, point = row
    direction = along(point)
    out, tangent = ta.jvp(function, point, direction)
    assert np.shape(tangent) == np.shape(out)
    np.testing.assert_array_equal(out, function(*point))
    np.testing.assert_allclose(tangent, difference(function, point, direction), rtol=1e-6, atol=1e-6)


def test_reverse_is_the_adjoint_of_forward(row):
    function, point = row
    direction = along(point)
    out, tangent = ta.jvp(function, point, direction)
    cotangent = along((out,), seed=2)[0]
    pulled = ta.vjp(function, *point)[1](cotangent)
    assert [np.shape(p) for p in pulled] == [np.shape(x) for x in point]
    left = inner(cotangent, tangent)
    right = sum(inner(p, v) for p, v in zip(pulled, direction, strict=True))
    np.testing.assert_allclose(left, right, rtol=1e-11, atol=1e-12)


def test_reverse_is_linear_in_the_cotangent(row):
    function, point = row
    out, pull = ta.vjp(function, *point)
    first, second = along((out,), seed=3)[0], along((out,), seed=4)[0]
    for both, one, other in zip(pull(2 * first - 3 * second), pull(first), pull(second), strict=True):
        np.testing.assert_allclose(both, 2 * one - 3 * other, rtol=1e-10, atol=1e-11)


def test_second_order_in_both_nestings(row):
    function, point = row
    direction = along(point)
    cotangent = along((function(*point),), seed=2)[0]

    def pulled(*inputs):
        parts = ta.vjp(function, *inputs)[1](cotangent)
        return sum(inner(part, weight) for part, weight in zip(parts, along(point, seed=5), strict=True))

    def pushed(*inputs):
        return inner(cotangent, ta.jvp(function, inputs, along(point, seed=5))[1])

    forward_over_reverse = ta.jvp(pulled, point, direction)[1]
    expected = difference(pulled, point, direction)
    np.testing.assert_allclose(forward_over_reverse, expected, rtol=1e-6, atol=1e-6)
    for scalar in (pulled, pushed):
        gradients = ta.grad(scalar, tuple(range(len(point))))(*point)
        reverse_over = sum(inner(g, v) for g, v in zip(gradients, direction, strict=True))
        np.testing.assert_allclose(reverse_over, expected, rtol=1e-6, atol=1e-6)


def test_float32_stays_float32(row):
    function, point = row
    small = tuple(np.asarray(x, np.complex64 if np.iscomplexobj(x) else np.float32)[()] for x in point)
    out, pull = ta.vjp(function, *small)
    _, tangent = ta.jvp(function, small, along(small))
    assert tangent.dtype == np.asarray(out).dtype
    assert [part.dtype for part in pull(along((out,))[0])] == [x.dtype for x in small]
