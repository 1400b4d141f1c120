"""Random programs from the registry: both sweeps, all orders, against differences and each other."""

from __future__ import annotations

import numpy as np
import pytest
from catalogue import numpy_primitives
from hypothesis import event, given
from hypothesis import strategies as st
from programs import Program, case_step, elementwise_step, everything_is_large, operations, programs, slope

import tapead as ta
from tapead.registry import PRIMITIVES

SEEDS = st.integers(0, 2**32 - 1)


def directions(seed, arrays):
    """One random direction of a few digits for each array."""
    generator = np.random.default_rng(seed)
    return tuple(np.round(generator.uniform(-1, 1, np.shape(x)), 2)[()] for x in arrays)


def inner(first, second):
    """Σ aᵢ bᵢ over containers, and Σ |aᵢ bᵢ|, against which its rounding is to be judged."""
    products = [np.asarray(a) * np.asarray(b) for a, b in zip(first, second, strict=True)]
    return sum(float(np.sum(p)) for p in products), sum(float(np.sum(np.abs(p))) for p in products)


def weighted(program, weights):
    """A program as a function to one number."""
    return lambda *inputs: sum((np.sum(out * w) for out, w in zip(program(*inputs), weights, strict=True)), 0.0)


def check_first_order(program, seed):
    """Forward and reverse against each other and against differences; True if these could decide."""
    point = program.inputs
    copies = [np.array(x) for x in point]
    out, pull = ta.vjp(program, *point)
    plain = program(*point)
    v, w = directions(seed, point), directions(seed + 1, out)
    gradients = pull(w)
    same, tangents = ta.jvp(program, point, v)
    for first, second, third in zip(out, same, plain, strict=True):
        # A copy of a strided array is summed in another order.
        np.testing.assert_allclose(first, third, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(second, third, rtol=1e-13, atol=1e-13)
    assert [(np.shape(g), g.dtype) for g in gradients] == [(np.shape(x), x.dtype) for x in point]
    assert [(np.shape(t), t.dtype) for t in tangents] == [(np.shape(o), o.dtype) for o in out]
    for before, x in zip(copies, point, strict=True):
        np.testing.assert_array_equal(before, x)

    forward, size_forward = inner(tangents, w)
    reverse, size_reverse = inner(gradients, v)
    scale = size_forward + size_reverse
    assert abs(forward - reverse) <= 1e-10 * scale + 1e-13

    f = weighted(program, w)
    with np.errstate(all="ignore"):
        numeric, bar = slope(lambda t: float(f(*(x + t * d for x, d in zip(point, v, strict=True)))))
    assert abs(forward - numeric) <= 30 * bar + 1e-9 * scale
    return bar <= 1e-5 * scale + 1e-9


@given(programs(), SEEDS)
def test_both_sweeps_agree_with_differences(program: Program, seed: int):
    event(f"differences decide: {check_first_order(program, seed)}")


@given(programs(), SEEDS)
def test_sweeps_are_linear(program: Program, seed: int):
    point = program.inputs
    out, pull = ta.vjp(program, *point)
    _, push = ta.linearize(program, *point)
    for sweep, one, other in [(pull, directions(seed, out), directions(seed + 1, out)),
                              (lambda v: push(*v), directions(seed, point), directions(seed + 1, point))]:
        combined = sweep(tuple(2.0 * a - 3.0 * b for a, b in zip(one, other, strict=True)))
        for both, first, second in zip(combined, sweep(one), sweep(other), strict=True):
            bound = 1e-11 * (np.max(np.abs(first), initial=0) + np.max(np.abs(second), initial=0)) + 1e-13
            np.testing.assert_allclose(both, 2 * first - 3 * second, rtol=0, atol=bound * 10)
        for nothing in sweep(tuple(np.zeros_like(a) for a in one)):
            assert not np.any(nothing)


@given(programs(most_steps=4), SEEDS)
def test_second_derivatives_are_symmetric_and_the_same_in_every_nesting(program: Program, seed: int):
    point = program.inputs
    f = weighted(program, directions(seed, program(*point)))
    v, w = directions(seed + 1, point), directions(seed + 2, point)
    everything = tuple(range(len(point)))

    def along_v(*inputs):
        return ta.jvp(f, inputs, v)[1]

    def pulled_v(*inputs):
        return sum(np.sum(g * d) for g, d in zip(ta.grad(f, everything)(*inputs), v, strict=True))

    forward_over_reverse, size = inner(ta.hvp(f, point, v), w)
    swapped, other_size = inner(ta.hvp(f, point, w), v)
    reverse_over_forward, _ = inner(ta.grad(along_v, everything)(*point), w)
    reverse_over_reverse, _ = inner(ta.grad(pulled_v, everything)(*point), w)
    forward_over_forward = float(ta.jvp(along_v, point, w)[1])
    results = [swapped, reverse_over_forward, reverse_over_reverse, forward_over_forward]
    np.testing.assert_allclose(results, forward_over_reverse, rtol=0, atol=1e-8 * (size + other_size) + 1e-10)


@given(programs(most_steps=4), SEEDS)
def test_second_derivatives_agree_with_differences_of_first_ones(program: Program, seed: int):
    point = program.inputs
    f = weighted(program, directions(seed, program(*point)))
    v, w = directions(seed + 1, point), directions(seed + 2, point)
    exact, scale = inner(ta.hvp(f, point, v), w)
    gradient = ta.grad(f, tuple(range(len(point))))
    with np.errstate(all="ignore"):
        numeric, bar = slope(lambda t: inner(gradient(*(x + t * d for x, d in zip(point, v, strict=True))), w)[0])
    event(f"differences decide: {bar <= 1e-5 * scale + 1e-8}")
    assert abs(exact - numeric) <= 30 * bar + 1e-8 * scale + 1e-9


@given(programs(), SEEDS)
def test_float32_programs_stay_float32(program: Program, seed: int):
    point = tuple(np.asarray(x, np.float32)[()] for x in program.inputs)
    out, pull = ta.vjp(program, *point)
    _, tangents = ta.jvp(program, point, directions(seed, point))
    assert [t.dtype for t in tangents] == [o.dtype for o in out]
    assert all(g.dtype == np.float32 for g in pull(tuple(np.ones_like(o) for o in out)))


@given(programs(), SEEDS)
def test_the_torch_spelling_says_the_same(program: Program, seed: int):
    leaves = [ta.tensor(x, requires_grad=True) for x in program.inputs]
    w = directions(seed, program(*program.inputs))
    expected = ta.vjp(program, *program.inputs)[1](w)
    total = weighted(program, w)(*leaves)
    total.backward(retain_graph=True)
    found = ta.gradients(total, leaves, create_graph=True)
    for leaf, gradient, right in zip(leaves, found, expected, strict=True):
        bound = 1e-11 * np.max(np.abs(right), initial=0) + 1e-14
        np.testing.assert_allclose(leaf.grad.data, right, rtol=0, atol=bound)
        np.testing.assert_allclose(gradient.data, right, rtol=0, atol=bound)


@given(programs(most_steps=10, max_side=6), SEEDS)
def test_what_is_done_for_large_arrays_changes_nothing(program: Program, seed: int):
    point = program.inputs
    v, w = directions(seed, point), directions(seed + 1, program(*point))
    f = weighted(program, w)
    everything = tuple(range(len(point)))

    def all_results():
        out, pull = ta.vjp(program, *point)
        leaves = [ta.tensor(x, requires_grad=True) for x in point]
        total = f(*leaves)
        total.backward(retain_graph=True)
        (total * 2).backward()
        gradients = [leaf.grad.data for leaf in leaves]
        return [*out, *pull(w), *pull(w), *ta.grad(f, everything)(*point), *ta.jvp(program, point, v)[1],
                *ta.hvp(f, point, v), *gradients]

    expected = all_results()
    with everything_is_large():
        found = all_results()
    for first, second in zip(found, expected, strict=True):
        assert np.shape(first) == np.shape(second)
        np.testing.assert_allclose(first, second, rtol=0, atol=1e-11 * (1 + np.max(np.abs(second), initial=0)))


# ---------------------------------------------------------------------- nothing is left out


def test_every_primitive_takes_part():
    wanted = {name for name, primitive in numpy_primitives().items() if primitive.differentiable}
    assert {name for name, _ in operations()} == wanted


@pytest.mark.parametrize("name, number", operations(), ids=lambda part: str(part))
def test_every_operation_can_be_differentiated_in_a_program(name, number):
    primitive = PRIMITIVES[name]
    generator = np.random.default_rng(1)
    for _ in range(1000):
        x, y = np.round(generator.uniform(-1.5, 1.5, (2, 4)), 2)
        if number >= 0:
            step = case_step(primitive, number, (0, 1), [x, y])
        else:
            step = elementwise_step(primitive, ((0, 1) * primitive.arity)[:primitive.arity], [x, y])
        if step is not None:
            break
    assert step is not None
    assert check_first_order(Program((x, y), [step]), seed=1)
    with everything_is_large():
        assert check_first_order(Program((x, y), [step]), seed=1)


@pytest.mark.parametrize("factor", [1 + 1e-7, 1 - 5e-4])
@pytest.mark.parametrize("name", ["sin", "multiply", "tanh"])
def test_a_wrong_rule_is_noticed(name, factor):
    right = PRIMITIVES[name].rule

    def wrong(op):
        partials = right(op)
        return tuple(factor * part for part in partials) if isinstance(partials, tuple) else factor * partials

    x = np.array([0.35, -0.6])
    program = Program((x,), [elementwise_step(PRIMITIVES[name], (0,) * PRIMITIVES[name].arity, [x])])
    with ta.override_gradient({name: wrong}), pytest.raises(AssertionError):
        check_first_order(program, seed=1)


def test_the_numeric_reference_knows_its_error():
    for function, exact in [(np.sin, 1.0), (np.exp, 1.0), (lambda t: (1 + t) ** 7, 7.0), (lambda t: 3.0, 0.0),
                            (lambda t: 1 / (0.1 + t), -100.0), (lambda t: np.sin(40 * t), 40.0)]:
        value, bar = slope(function)
        assert abs(value - exact) <= 10 * bar
        assert bar <= 1e-6 * (abs(exact) + 1)
    _, bar = slope(lambda t: abs(t - 1e-5))
    assert bar > 1e-4
