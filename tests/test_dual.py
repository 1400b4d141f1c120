"""Products with Hessians by values that carry tangents: the same as by a record of the gradient, or not tried."""

from __future__ import annotations

import numpy as np
import pytest
from catalogue import call, draw, rows

import tapead as ta
from tapead.dual import Dual
from tapead.partials import CannotCarry
from tapead.recordings import Recording
from tapead.registry import PRIMITIVES

ROWS = rows()


def recorded_product(f, point, direction):
    return ta.jvp(ta.grad(f, tuple(range(len(point)))), point, direction)[1]


def carried_product(f, point, direction):
    return Recording("hvp", f, point, {}, range(len(point))).carry_along(direction)


def random_like(values, seed):
    generator = np.random.default_rng(seed)
    return [generator.uniform(-1, 1, np.shape(value))[()] for value in values]


@pytest.mark.parametrize(("name", "number"), ROWS, ids=[f"{name}-{number}" for name, number in ROWS])
def test_every_primitive_carries_tangents_as_a_record_does(name, number):
    operands, attrs = draw(PRIMITIVES[name], number)
    function = call(PRIMITIVES[name], attrs)
    (weights,) = random_like([function(*operands)], 1)
    if any(np.asarray(x).dtype.kind != "f" for x in (*operands, function(*operands))):
        return

    def f(*x):
        y = function(*x)
        return np.sum(weights * y * y)

    direction = random_like(operands, 2)
    try:
        carried = carried_product(f, operands, direction)
    except CannotCarry:
        assert name in {"eigh", "eigvalsh", "svd", "svdvals", "pinv"}  # what looks at its own derivative
        return
    for one, other in zip(carried, recorded_product(f, operands, direction), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def mixture(x):
    table = np.reshape(x[:6] * x[6], (3, 2))
    scores = table @ np.array([[1.0, 0.5], [-0.3, 2.0]]) + np.maximum(table, 0.1)
    largest = np.max(scores, axis=1, keepdims=True)
    return np.sum(np.log(np.sum(np.exp(scores - largest), axis=1)) + largest[:, 0]) / np.mean(x**2)


def test_products_and_hessians_of_programs():
    x, v = np.linspace(0.3, 1.7, 7), np.linspace(-1.0, 1.0, 7)
    (carried,) = carried_product(mixture, (x,), [v])
    np.testing.assert_allclose(ta.hvp(mixture, x, v), carried, rtol=0)
    np.testing.assert_allclose(carried, recorded_product(mixture, (x,), (v,))[0], rtol=1e-12)
    np.testing.assert_allclose(ta.hessian(mixture)(x), ta.jacobian(ta.grad(mixture))(x), rtol=1e-11, atol=1e-13)


def test_structures_are_those_of_the_arguments():
    def f(parameters, scale):
        return np.sum(parameters["w"] ** 2) * scale * parameters["b"]

    point = {"w": np.array([1.0, 2.0]), "b": 3.0}, 0.5
    vectors = {"w": np.array([1.0, 0.0]), "b": 0.0}, 1.0
    products = ta.hvp(f, point, vectors)
    assert products[0].keys() == point[0].keys()
    np.testing.assert_allclose(products[0]["w"], [9.0, 12.0])
    np.testing.assert_allclose([products[0]["b"], products[1]], [6.0, 6.0])
    hessian = ta.hessian(f, argnums=(0, 1))(*point)
    np.testing.assert_allclose(hessian[0]["w"][0]["b"], [1.0, 2.0])
    np.testing.assert_allclose(hessian[1][0]["w"], [6.0, 12.0])
    assert hessian[1][1] == 0.0


def test_what_no_input_reaches_is_zero():
    np.testing.assert_array_equal(ta.hvp(lambda x, y: np.sum(x), (np.ones(2), np.ones(3)), (np.ones(2), np.ones(3)))[1],
                                  np.zeros(3))
    np.testing.assert_array_equal(ta.hessian(lambda x: 3.0)(np.ones(2)), np.zeros((2, 2)))


def test_the_function_is_called_once():
    calls = []

    def f(x):
        calls.append(1)
        return np.sum(np.sin(x) * x)

    ta.hvp(f, np.ones(3), np.ones(3))
    ta.hessian(f)(np.ones(3))
    assert len(calls) == 2


@ta.primitive("square_of_a_stranger")
def square_of_a_stranger(x):
    return x * x


SEEN = []


@ta.RegisterGradient("square_of_a_stranger")
def _square_of_a_stranger(op):
    """d x² = 2x dx"""
    SEEN.append(type(op.inputs[0]))
    return 2.0 * op.inputs[0]


def test_rules_of_users_get_what_they_expect():
    SEEN.clear()
    assert ta.hvp(square_of_a_stranger, 3.0, 1.0) == 2.0
    assert Dual not in SEEN
    assert ta.Tensor in SEEN


class Cube(ta.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x * x


@pytest.mark.parametrize("f", [lambda x: np.sum(Cube.apply(x)), lambda x: np.sum(ta.checkpoint(lambda x: x**3)(x))])
def test_functions_and_checkpoints(f):
    x, v = np.array([1.0, 2.0]), np.array([1.0, -1.0])
    with pytest.raises(CannotCarry):
        carried_product(f, (x,), [v])
    np.testing.assert_allclose(ta.hvp(f, x, v), 6.0 * x * v)
    np.testing.assert_allclose(ta.hessian(f)(x), np.diag(6.0 * x))


def test_what_is_tracked_outside_is_differentiated_too():
    def outer(y):
        return np.sum(ta.hvp(lambda x: np.sum(x**3 * y), np.array([1.0, 2.0]), np.array([1.0, 1.0])))

    np.testing.assert_allclose(ta.grad(outer)(2.0), 18.0)
    ones = np.ones(2)
    np.testing.assert_allclose(ta.grad(lambda x: np.sum(ta.hvp(lambda x: np.sum(x**3), x, ones)))(ones), 6.0)
    np.testing.assert_allclose(ta.grad(lambda v: np.sum(ta.hvp(lambda x: np.sum(x**3), ones, v)))(ones), 6.0)


def test_infinite_slopes_that_are_masked():
    def f(x):
        return np.sum(np.where(x > 0, x**1.5, x * x))

    for x in (np.array([-1.0, 0.0, 4.0]), np.array([0.0, 0.0]), np.array([-1.0, np.inf])):
        with np.errstate(all="ignore"):
            expected = recorded_product(f, (x,), (np.ones_like(x),))[0]
            np.testing.assert_allclose(ta.hvp(f, x, np.ones_like(x)), expected)


def test_errors_name_the_function_asked_for():
    with pytest.raises(TypeError, match=r"hvp: .* must return one number"):
        ta.hvp(lambda x: x, np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match=r"hvp: vector 0 has shape \(3,\), its primal has shape \(2,\)"):
        ta.hvp(np.sum, np.ones(2), np.ones(3))


def test_large_values_of_few_parameters_in_a_batch(monkeypatch):
    generator = np.random.default_rng(3)
    rows, weights = generator.normal(size=(1 << 16, 4)), np.array([0.1, -0.2, 0.3, 0.4])

    def f(w):
        return np.sum(np.logaddexp(0, np.tanh(rows * w) @ np.ones(4) * 3.0))

    units = np.eye(4)
    monkeypatch.setattr("tapead.recordings.Curvature", None)  # one tangent at a time goes in blocks, a batch does not
    (carried,) = Recording("hessian", f, (weights,), {}, range(1)).carry_along_many([units])
    np.testing.assert_allclose(carried, ta.jacobian(ta.grad(f))(weights), rtol=1e-9)
