"""Large stretches are swept in blocks, by a program that the first block wrote down; no element may notice."""

from __future__ import annotations

import numpy as np
import pytest
from catalogue import numpy_primitives

import tapead as ta
from tapead import blocks, programs
from tapead.curvature import Curvature
from tapead.recordings import Recording

SIZE = 3 * (1 << 16) + 77  # a dozen blocks and a rest
PIECE = 1 << 14

ELEMENTWISE = {name: primitive for name, primitive in numpy_primitives().items()
               if primitive.elementwise and primitive.differentiable and primitive.rule is not None
               and 0 < len(primitive.domain) == primitive.arity and not primitive.cases}


def in_pieces(gradient, *arrays):
    """A gradient of a sum over elements, from pieces that are too small for blocks."""
    parts = [gradient(*[x[start:start + PIECE] for x in arrays]) for start in range(0, SIZE, PIECE)]
    return [np.concatenate(rows) for rows in zip(*parts, strict=True)]


def drawn(primitive, seed):
    generator = np.random.default_rng(seed)
    arrays = []
    for low, high in primitive.domain:
        low, high = max(low, -3.0), min(high, 3.0)
        arrays.append(generator.uniform(low + 0.01 * (high - low), high - 0.01 * (high - low), SIZE))
    return arrays


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_elementwise_primitive(name):
    primitive = ELEMENTWISE[name]
    arrays = drawn(primitive, 1)

    def f(*x):
        return np.sum(primitive(*[1.0 * one for one in x]) * 0.5 * x[0])

    gradient = ta.grad(f, tuple(range(len(arrays))))
    for one, other in zip(gradient(*arrays), in_pieces(gradient, *arrays), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("name", ["power", "sqrt", "log", "divide", "maximum", "absolute", "hypot", "arctan2", "cbrt"])
def test_values_that_rules_look_at_come_up_in_a_later_block(name):
    primitive = ELEMENTWISE[name]
    arrays = drawn(primitive, 2)
    for x in arrays:
        x[-1000:-900] = 0.0
        x[-900:-800] = np.inf
    arrays[-1][-700:-600] = arrays[0][-700:-600]

    def f(*x):
        y = primitive(*[x[0] * 0.5, *x[1:]])
        return np.sum(np.where(x[0] > 0.1, y * y, x[0] * 2.0))

    gradient = ta.grad(f, tuple(range(len(arrays))))
    with np.errstate(all="ignore"):
        for one, other in zip(gradient(*arrays), in_pieces(gradient, *arrays), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-300)


def test_parts_of_an_array_add_up():
    def f(x):
        here, there, far = x[:-1], x[1:], x[5:]
        return np.sum((there - here * here) ** 2 * 3.0 + here * 2.0) + np.sum(np.exp(far * 0.5) * far)

    x = np.random.default_rng(3).uniform(-1, 1, SIZE)
    expected = np.zeros(SIZE)
    here, there, far = x[:-1], x[1:], x[5:]
    rise = 6.0 * (there - here * here)
    expected[:-1] -= 2.0 * rise * here
    expected[:-1] += 2.0
    expected[1:] += rise
    expected[5:] += np.exp(far * 0.5) * (1.0 + 0.5 * far)
    np.testing.assert_allclose(ta.grad(f)(x), expected, rtol=1e-12, atol=1e-12)


def test_what_is_broadcast_over_the_blocks():
    table = np.random.default_rng(4).uniform(0.5, 1.0, (SIZE // 3, 3))
    row, column, number = np.array([1.0, 2.0, 3.0]), table[:, :1].copy(), 1.5

    def f(table, row, column, number):
        return np.sum(np.sin(table * row) * column / number + number * table)

    gradients = ta.grad(f, (0, 1, 2, 3))(table, row, column, number)
    cosine, sine = np.cos(table * row), np.sin(table * row)
    np.testing.assert_allclose(gradients[0], cosine * row * column / number + number, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(gradients[1], np.sum(cosine * table * column, axis=0) / number, rtol=1e-10)
    np.testing.assert_allclose(gradients[2], np.sum(sine, axis=1, keepdims=True) / number, rtol=1e-10)
    np.testing.assert_allclose(gradients[3], np.sum(table) - np.sum(sine * column) / number**2, rtol=1e-10)


def test_a_program_is_run_for_the_other_blocks(monkeypatch):
    places = []
    run = programs.Program.run
    monkeypatch.setattr(programs.Program, "run", lambda self, place: places.append(place) or run(self, place))
    x = np.linspace(0.0, 1.0, SIZE)
    gradient = ta.grad(lambda x: np.sum(np.exp(-x * x) * np.sin(x) + x))(x)
    assert len(places) == SIZE * 8 // blocks._BLOCK
    expected = np.exp(-x * x) * (np.cos(x) - 2.0 * x * np.sin(x)) + 1.0
    np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-14)


def products_both_ways(f, arrays, seed=5):
    """Products with the Hessian by values that carry tangents, in blocks, and by a record of the gradient."""
    generator = np.random.default_rng(seed)
    direction = [generator.uniform(-1, 1, np.shape(x))[()] for x in arrays]
    positions = tuple(range(len(arrays)))
    carried = Recording("hvp", f, arrays, {}, positions).carry_along(direction)
    return carried, ta.jvp(ta.grad(f, positions), arrays, direction)[1]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_products_with_hessians_of_every_elementwise_primitive(name):
    primitive = ELEMENTWISE[name]
    for one, other in zip(*products_both_ways(lambda *x: np.sum(primitive(*[1.0 * one for one in x]) * 0.5 * x[0]),
                                              drawn(primitive, 6)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


CURVED = [
    lambda x: np.log(np.sum(np.exp(np.logaddexp(0, x) / 10))),
    lambda x: np.sum(np.exp(-np.cumsum(np.sin(x)) ** 2 / SIZE) * x),
    lambda x: np.sum(np.sqrt((x[1:] - x[:-1]) ** 2 + 1e-3) * np.cos(x[1:])),
    lambda x: np.sum(((x - np.mean(x)) / np.sqrt(np.mean((x - np.mean(x)) ** 2))) ** 3),
    lambda x: np.sum(np.maximum(x, 0.0) ** 2 * np.sin(x)) * x[3],
]


@pytest.mark.parametrize("number", range(len(CURVED)))
def test_products_with_hessians_of_programs(number, monkeypatch):
    swept = []
    sweep = Curvature.sweep
    monkeypatch.setattr(Curvature, "sweep", lambda self, *args: swept.append(1) or sweep(self, *args))
    x = np.random.default_rng(7).normal(size=SIZE)
    (carried,), (recorded,) = products_both_ways(CURVED[number], [x])
    assert swept
    np.testing.assert_allclose(carried, recorded, rtol=1e-9, atol=1e-12 * np.max(np.abs(recorded)))


def test_products_with_hessians_of_few_parameters_and_many_rows():
    rows, weights = np.random.default_rng(8).normal(size=(SIZE, 3)), np.array([0.5, -1.0, 2.0])
    (carried,), (recorded,) = products_both_ways(lambda w: np.sum(np.logaddexp(0, np.tanh(rows @ w) * 3.0)), [weights])
    np.testing.assert_allclose(carried, recorded, rtol=1e-10)


def test_what_cannot_be_carried_is_recorded_and_called_once():
    calls = []

    def f(x):
        calls.append(1)
        return np.sum(np.where(x > 0, np.sin(x) * x, np.exp(x) * x)) + np.max(x) ** 3

    x = np.random.default_rng(9).normal(size=SIZE)
    product = ta.hvp(f, x, np.ones(SIZE))
    assert len(calls) == 1
    expected = np.where(x > 0, 2.0 * np.cos(x) - x * np.sin(x), (2.0 + x) * np.exp(x))
    expected[np.argmax(x)] += 6.0 * np.max(x)
    np.testing.assert_allclose(product, expected, rtol=1e-12, atol=1e-12)


def test_a_rarity_in_a_later_block_is_found():
    x = np.random.default_rng(10).uniform(0.5, 1.0, SIZE)
    x[-10:] = 0.0
    gradient = ta.grad(lambda x: np.sum(np.maximum(x, 0.0) * 3.0 * x + np.maximum(x * 2.0, 0.0)))(x)
    np.testing.assert_allclose(gradient, np.where(x > 0, 6.0 * x + 2.0, 1.0), rtol=1e-13)


def test_a_sum_of_equal_elements_is_as_long_as_the_block():
    program = programs.Program((8,))
    total = np.sum(program.number(np.float64(0.5)))
    program.finish([total])
    assert program.run(slice(0, 8)) == [4.0]


def test_rules_of_users_get_arrays_and_may_look_at_them():
    x = np.linspace(-1.0, 1.0, SIZE)
    SEEN.clear()
    gradient = ta.grad(lambda x: np.sum(bend(x * 2.0) * 3.0))(x)
    np.testing.assert_allclose(gradient, np.where(x > 0, 24.0 * x, 6.0), rtol=1e-12)
    assert set(SEEN) == {np.ndarray}


SEEN = []


@ta.primitive("bend", elementwise=True)
def bend(x):
    return np.where(x > 0, x * x, x)


@ta.RegisterGradient("bend")
def _bend(op):
    """d bend(x) = 2x dx where x > 0, dx elsewhere"""
    (x,) = op.inputs
    SEEN.append(type(x))
    if np.all(x > 0):
        return 2.0 * x
    return np.where(x > 0, 2.0 * x, 1.0)
