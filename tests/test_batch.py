"""Many sweeps at once: the same as one after the other, for every primitive; and really at once where it matters."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from catalogue import call, draw, rows

import tapead as ta
from tapead.batch import Batch
from tapead.recordings import Recording
from tapead.registry import PRIMITIVES

ROWS = [(name, number) for name, number in rows()
        if not any(np.iscomplexobj(operand) for operand in draw(PRIMITIVES[name], number)[0])]
COUNT = 3


def random_like(values, seed):
    """`COUNT` random arrays for each value, a zero among them."""
    generator = np.random.default_rng(seed)
    results = [generator.uniform(-1, 1, (COUNT, *np.shape(value))) for value in values]
    for result in results:
        result[1].flat[:1] = 0.0
    return results


@pytest.mark.parametrize(("name", "number"), ROWS, ids=[f"{name}-{number}" for name, number in ROWS])
def test_every_primitive_sweeps_a_batch_as_it_sweeps_one(name, number):
    operands, attrs = draw(PRIMITIVES[name], number)
    recording = Recording("vjp", call(PRIMITIVES[name], attrs), operands, {}, range(len(operands)), lasting=True)
    if any(output.dtype.kind == "c" for output in recording.outputs):
        return
    tangents = random_like([stand_in.data for stand_in in recording.inputs], 1)
    one_by_one = [recording.push([part[row][()] for part in tangents]) for row in range(COUNT)]
    for position, many in enumerate(recording.push_many(tangents)):
        np.testing.assert_allclose(many, np.stack([found[position] for found in one_by_one]), rtol=1e-12, atol=1e-14)
    cotangents = random_like([output.data for output in recording.outputs], 2)
    one_by_one = [recording.pull([part[row][()] for part in cotangents], keep=True) for row in range(COUNT)]
    for position, many in enumerate(recording.pull_many(cotangents)):
        np.testing.assert_allclose(many, np.stack([found[position] for found in one_by_one]), rtol=1e-12, atol=1e-14)


def test_a_matrix_is_factored_once_for_many(monkeypatch):
    solved = []
    solve = np.linalg.solve
    matrix, x = np.eye(40) + np.tri(40) / 40, np.linspace(1.0, 2.0, 40)
    monkeypatch.setattr(np.linalg, "solve", lambda a, b: solved.append(b) or solve(a, b))
    for mode in ("fwd", "rev"):
        solved.clear()
        jacobian = ta.jacobian(lambda x: np.linalg.solve(matrix + np.diag(x), x), mode=mode)(x)
        assert len(solved) < 20
        inverse = np.linalg.inv(matrix + np.diag(x))
        np.testing.assert_allclose(jacobian, inverse @ (np.eye(40) - np.diag(inverse @ x)), rtol=1e-12, atol=1e-15)


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def network(x):
    hidden = np.tanh(np.ones((4, 6)) @ x + np.arange(4.0))
    return np.concatenate([np.maximum(hidden, 0.1), hidden[1:3].reshape(2)]) @ np.ones((6, 3))


def statistics(x):
    table = np.reshape(x, (3, 2))
    centred = table - np.mean(table, axis=0)
    return np.stack([np.sum(centred * centred, axis=1), np.exp(table[:, 1]), np.where(table[:, 0] > 2, 0.0, x[::2])])


def embedding(x):
    return x[np.array([0, 2, 2, 5])] * np.arange(4.0)


@pytest.fixture
def fallbacks(monkeypatch):
    """The functions that went through a batch array by array."""
    found = []
    batch = importlib.import_module("tapead.batch")
    partials = importlib.import_module("tapead.partials")
    original, one_by_one = batch._primitive_one_by_one, batch.one_by_one

    def counted(primitive, inputs, attrs):
        found.append(primitive.name)
        return original(primitive, inputs, attrs)

    def counted_map(function, values):
        found.append(function)
        return one_by_one(function, values)

    monkeypatch.setattr(batch, "_primitive_one_by_one", counted)
    monkeypatch.setattr(partials, "one_by_one", counted_map)
    return found


@pytest.mark.parametrize("function", [rosenbrock, network, statistics, embedding])
@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_common_programs_go_through_at_once(function, mode, fallbacks):
    ta.jacobian(function, mode=mode)(np.linspace(-1.0, 2.0, 6))
    ta.jacobian(ta.grad(lambda x: np.sum(function(x))), mode=mode)(np.linspace(-1.0, 2.0, 6))
    assert fallbacks == []


def test_what_cannot_go_at_once_goes_one_by_one(fallbacks):
    def inverse(x):
        return np.linalg.inv(np.reshape(x, (2, 2)))

    def by_hand(x):
        return ta.array([[x[3], -x[1]], [-x[2], x[0]]]) / (x[0] * x[3] - x[1] * x[2])

    x = np.array([2.0, 1.0, 0.0, 4.0])
    np.testing.assert_allclose(ta.jacobian(inverse)(x), ta.jacobian(by_hand)(x), rtol=1e-12)


def test_a_rule_of_the_users_that_knows_only_arrays(fallbacks):
    spread = ta.primitive("test_batch_spread")(lambda x: np.repeat(x, 2))

    @ta.RegisterGradient("test_batch_spread")
    def _spread(op):
        """d repeat(x) = repeat(dx)"""
        def adjoint(g):
            total = np.zeros(g.size // 2)
            for place, value in enumerate(g):
                total[place // 2] += float(value)
            return total

        return ta.Linear(lambda t: np.repeat(np.asarray(t), 2), adjoint)

    try:
        for mode in ("fwd", "rev"):
            np.testing.assert_array_equal(ta.jacobian(spread, mode=mode)(np.ones(2)),
                                          [[1, 0], [1, 0], [0, 1], [0, 1]])
        assert fallbacks
    finally:
        del PRIMITIVES["test_batch_spread"]


def test_nothing_times_infinity_is_nothing_in_a_batch_too():
    x = np.array([0.0, 4.0])
    for mode in ("fwd", "rev"):
        np.testing.assert_array_equal(ta.jacobian(lambda x: np.where(x > 0, np.sqrt(x), 0.0), mode=mode)(x),
                                      [[0, 0], [0, 0.25]])
        np.testing.assert_array_equal(ta.jacobian(np.sqrt, mode=mode)(x), [[np.inf, 0], [0, 0.25]])


def test_large_jacobians_are_made_in_several_batches(monkeypatch):
    transforms = importlib.import_module("tapead.recordings")
    whole = ta.jacobian(statistics)(np.linspace(-1.0, 2.0, 6))
    monkeypatch.setattr(transforms, "_AT_ONCE", 12)
    for mode in ("fwd", "rev"):
        np.testing.assert_allclose(ta.jacobian(statistics, mode=mode)(np.linspace(-1.0, 2.0, 6)), whole, rtol=1e-14)


def test_a_jacobian_within_a_gradient():
    def f(x):
        return np.sum(ta.jacobian(np.sin)(x) ** 2)

    x = np.array([0.3, 0.7])
    np.testing.assert_allclose(ta.grad(f)(x), -np.sin(2 * x), rtol=1e-13)


def test_hooks_see_one_gradient_after_the_other():
    seen = []
    w = ta.tensor([1.0, 2.0], requires_grad=True)
    handle = w.register_hook(lambda gradient: seen.append(gradient.shape))
    ta.jacobian(lambda x: x * np.array([1.0, 2.0]), mode="rev")(w)
    handle.remove()
    assert all(shape == (2,) for shape in seen)


def test_a_batch_is_not_an_array():
    batch = Batch(np.ones((3, 2)))
    assert (batch.shape, batch.ndim, batch.size, len(batch)) == ((2,), 1, 2, 2)
    for convert in (np.asarray, float, bool):
        with pytest.raises(TypeError):
            convert(batch)


def test_a_batch_of_large_inputs_is_small():
    recording = Recording("jacobian", np.sum, (np.ones(20_000),), {}, [0])
    assert recording.at_once == 1  # a batch of unit vectors as large as that of sums would fill the memory
    recording = Recording("jacobian", np.sum, (np.ones(20),), {}, [0])
    assert recording.at_once > 1000


@pytest.mark.parametrize("function", [
    lambda x: np.abs(np.fft.fft(x)), lambda x: ta.checkpoint(lambda y: np.sin(y) * y[0])(x),
    ta.custom_gradient(lambda x: (np.sin(x), lambda g: g * np.cos(x))),
    lambda x: np.stack([np.sum(x), np.prod(x), np.linalg.norm(x)]), lambda x: np.sort(x)[::-1] * np.float32(2)])
def test_programs_of_other_kinds_agree_with_single_sweeps(function):
    x = np.array([0.3, -1.2, 0.8, 2.0])
    _, push = ta.linearize(function, x)
    expected = np.stack([push(unit) for unit in np.eye(4)], axis=-1)
    for mode in ("fwd", "rev"):
        np.testing.assert_allclose(ta.jacobian(function, mode=mode)(x), expected, rtol=1e-12, atol=1e-14)
