"""Laws of differentiation that hold for every function: checked with random programs in the place of the functions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from programs import inputs, programs

import tapead as ta

SMALL = st.integers(0, 2**32 - 1).map(np.random.default_rng)
BINARY = st.sampled_from([np.add, np.subtract, np.multiply, np.arctan2, np.hypot, np.logaddexp, np.maximum])
UNARY = st.sampled_from([np.sin, np.exp, np.tanh, np.arctan, np.square, np.negative, lambda x: 2.0 * x, lambda x: x])
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
PAIRS = hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=3)


def near(found, expected, scale=0.0):
    """Equal up to rounding, in shape and value; `scale` is the size of what cancelled on the way."""
    assert np.shape(found) == np.shape(expected)
    largest = np.max(np.abs(expected), initial=0.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * (1 + largest + scale))


def like(generator, value):
    return np.round(generator.uniform(-1, 1, np.shape(value)), 2)[()]


def total(container):
    """All elements of a container's arrays, weighted so that no two count the same."""
    return sum(np.sum(x * np.cos(1.0 + np.arange(np.size(x)).reshape(np.shape(x)) + position))
               for position, x in enumerate(container))


# ---------------------------------------------------------------------- rules for combined functions


@given(programs(most_steps=4), st.data())
def test_product_and_quotient_rules(program, data):
    g = data.draw(UNARY)
    point = program.inputs
    everything = tuple(range(len(point)))

    def f(*xs):
        return total(program(*xs))

    def h(*xs):
        return 2.5 + np.tanh(total(map(g, xs)))

    f_value, h_value = f(*point), h(*point)
    slopes = zip(ta.grad(f, everything)(*point), ta.grad(h, everything)(*point),
                 ta.grad(lambda *xs: f(*xs) * h(*xs), everything)(*point),
                 ta.grad(lambda *xs: f(*xs) / h(*xs), everything)(*point), strict=True)
    for f_slope, h_slope, product, quotient in slopes:
        scale = np.max(np.abs(f_slope), initial=0) * abs(h_value) + np.max(np.abs(h_slope), initial=0) * abs(f_value)
        near(product, f_slope * h_value + f_value * h_slope, scale)
        near(quotient, f_slope / h_value - f_value * h_slope / h_value**2, scale)


@given(programs(most_steps=4), UNARY, SMALL)
def test_chain_rule(program, outer, generator):
    point = program.inputs
    v = tuple(like(generator, x) for x in point)

    def composed(*xs):
        return [outer(part) for part in program(*xs)]

    middle, tangents = ta.jvp(program, point, v)
    _, expected = ta.jvp(lambda *parts: [outer(part) for part in parts], middle, tangents)
    out, found = ta.jvp(composed, point, v)
    for first, second in zip(found, expected, strict=True):
        near(first, second)

    w = [like(generator, part) for part in out]
    _, pull_inner = ta.vjp(program, *point)
    _, pull_outer = ta.vjp(lambda *parts: [outer(part) for part in parts], *middle)
    for first, second in zip(ta.vjp(composed, *point)[1](w), pull_inner(pull_outer(w)), strict=True):
        near(first, second)


@given(programs(most_steps=4), SMALL)
def test_derivatives_of_a_part_are_a_part_of_the_derivatives(program, generator):
    """The Jacobian by columns, by rows and by products is one matrix."""
    point = program.inputs
    everything = tuple(range(len(point)))
    forwards = ta.jacobian(program, everything, mode="fwd")(*point)
    backwards = ta.jacobian(program, everything, mode="rev")(*point)
    out = program(*point)
    v = tuple(like(generator, x) for x in point)
    _, tangents = ta.jvp(program, point, v)
    for result, row, other, tangent in zip(out, forwards, backwards, tangents, strict=True):
        product = np.zeros(np.shape(result))
        for block, same, x, direction in zip(row, other, point, v, strict=True):
            assert np.shape(block) == np.shape(result) + np.shape(x)
            near(block, same)
            product = product + np.tensordot(block, direction, np.ndim(x))
        near(tangent, product)


@given(programs(most_steps=4))
def test_an_unused_argument_changes_nothing(program):
    point = program.inputs
    alone = ta.grad(lambda *xs: total(program(*xs)))(*point)
    beside = ta.grad(lambda x, unused, *xs: total(program(x, *xs)), (0, 1))(point[0], np.ones(3), *point[1:])
    near(beside[0], alone)
    near(beside[1], np.zeros(3))


@given(programs(most_steps=4), SMALL)
def test_constants_and_detached_values_have_no_derivative(program, generator):
    point = program.inputs
    factor = float(np.round(generator.uniform(0.5, 2), 2))

    def with_detached(*xs):
        aside = total([part.detach() if isinstance(part, ta.Tensor) else part for part in program(*xs)])
        return total(program(*xs)) * factor + aside * 3.0

    plain = ta.grad(lambda *xs: total(program(*xs)))(*point)
    near(ta.grad(with_detached)(*point), factor * plain, np.max(np.abs(plain), initial=0))


# ---------------------------------------------------------------------- broadcasting


@given(SHAPES.flatmap(inputs), st.data(), SMALL)
def test_the_gradient_of_a_broadcast_is_a_sum(x, data, generator):
    extra = data.draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))
    shape = extra + np.shape(x)
    w = like(generator, np.empty(shape))
    (found,) = ta.vjp(lambda x: np.broadcast_to(x, shape), x)[1](w)
    near(found, np.sum(w, axis=tuple(range(len(extra)))))
    (found,) = ta.vjp(lambda x: x + np.zeros(shape), x)[1](w)
    near(found, np.sum(w, axis=tuple(range(len(extra)))))


@given(PAIRS, BINARY, st.data(), SMALL)
def test_broadcasting_before_or_in_an_operation_is_the_same(pair, function, data, generator):
    x, y = (data.draw(inputs(shape)) + shift for shape, shift in zip(pair.input_shapes, (0.0, 4.0), strict=True))
    shape = pair.result_shape

    def beforehand(x, y):
        return function(np.broadcast_to(x, shape), np.broadcast_to(y, shape))

    w = like(generator, np.empty(shape))
    out, pull = ta.vjp(function, x, y)
    assert np.shape(out) == shape
    for first, second in zip(pull(w), ta.vjp(beforehand, x, y)[1](w), strict=True):
        near(first, second)
    v = like(generator, x), like(generator, y)
    near(ta.jvp(function, (x, y), v)[1], ta.jvp(beforehand, (x, y), v)[1])


@given(PAIRS, st.sampled_from([np.add, np.multiply, np.maximum, np.logaddexp, np.hypot]), st.data(), SMALL)
def test_commutative_operations_have_commuting_derivatives(pair, function, data, generator):
    x, y = (data.draw(inputs(shape)) + shift for shape, shift in zip(pair.input_shapes, (0.0, 4.0), strict=True))
    w = like(generator, np.empty(pair.result_shape))
    first = ta.vjp(function, x, y)[1](w)
    second = ta.vjp(function, y, x)[1](w)
    near(first[0], second[1])
    near(first[1], second[0])


@given(SHAPES.flatmap(inputs), UNARY, st.data())
def test_elementwise_derivatives_do_not_depend_on_shape_or_layout(x, function, data):
    slopes = [ta.grad(function)(float(value)) for value in np.ravel(x)]
    near(np.ravel(ta.grad(lambda x: np.sum(function(x)))(x)), np.array(slopes, float))
    order = data.draw(st.permutations(range(np.ndim(x))))
    turned = np.transpose(x, order)
    near(ta.grad(lambda x: np.sum(function(x)))(turned),
         np.transpose(ta.grad(lambda x: np.sum(function(x)))(x), order))


# ---------------------------------------------------------------------- reading and reducing


@given(SHAPES.filter(len).flatmap(inputs), st.data())
def test_the_gradient_of_reading_counts_how_often_each_element_is_read(x, data):
    key = data.draw(st.one_of(
        hnp.basic_indices(x.shape, allow_newaxis=True, allow_ellipsis=True), hnp.arrays(bool, x.shape),
        hnp.arrays(bool, x.shape[:1]),
        hnp.integer_array_indices(x.shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3))
        if x.size else st.just(...)))
    expected = np.zeros(x.shape)
    np.add.at(expected, key, 1.0)
    near(ta.grad(lambda x: np.sum(x[key]))(x), expected)
    near(ta.grad(lambda x: np.sum(x[key] ** 2))(x), 2 * x * expected)
    v = np.sin(np.arange(x.size)).reshape(x.shape)
    near(ta.jvp(lambda x: x[key], (x,), (v,))[1], v[key])


@given(SHAPES.filter(lambda shape: 0 not in shape).flatmap(inputs), st.data(), SMALL)
def test_sums_over_axes_one_by_one_or_at_once(x, data, generator):
    axes = data.draw(hnp.valid_tuple_axes(np.ndim(x)))
    keepdims = data.draw(st.booleans())
    out, pull = ta.vjp(lambda x: np.sum(x, axis=axes, keepdims=keepdims), x)
    w = like(generator, out)
    one_by_one = sorted((axis % np.ndim(x) for axis in axes), reverse=True)

    def stepwise(x):
        for axis in one_by_one:
            x = np.sum(x, axis=axis, keepdims=keepdims)
        return x

    near(pull(w)[0], ta.vjp(stepwise, x)[1](w)[0])
    count = np.size(x) / np.size(out)
    near(ta.vjp(lambda x: np.mean(x, axis=axes, keepdims=keepdims), x)[1](w)[0], pull(w)[0] / count)


@given(SHAPES.flatmap(inputs), SMALL)
def test_rearranging_there_and_back_is_the_identity(x, generator):
    w = like(generator, x)
    for there_and_back in [lambda x: np.reshape(np.reshape(x, -1), np.shape(x)),
                           lambda x: np.transpose(np.transpose(x)),
                           lambda x: -np.negative(x), lambda x: x[...][()], lambda x: np.where(True, x, 0.0),
                           lambda x: np.stack([x, 2 * x])[0], lambda x: x.astype(complex).real]:
        near(ta.vjp(there_and_back, x)[1](w)[0], w)
        near(ta.jvp(there_and_back, (x,), (w,))[1], w)
