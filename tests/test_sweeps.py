"""The two sweeps: nothing times infinity, cost in calls, buffers, dtypes, broadcasting."""

from __future__ import annotations

import itertools
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import tapead as ta
from tapead.graph import cone, downstream
from tapead.registry import PRIMITIVES

INF, NAN = np.inf, np.nan
#: More than the size from which the sweep writes into buffers of its own.
LARGE = 10_000


def both(f, *point):
    """The gradient of the sum by the reverse sweep, after comparing it with forward sweeps, in one variable."""
    point = tuple(np.asarray(x, float) for x in point)
    reverse = ta.grad(lambda *inputs: np.sum(f(*inputs)), tuple(range(len(point))))(*point)
    for position, x in enumerate(point):
        for place in np.ndindex(x.shape):
            units = [np.zeros(other.shape) for other in point]
            units[position][place] = 1.0
            tangent = ta.jvp(lambda *inputs: np.sum(f(*inputs)), point, tuple(units))[1]
            np.testing.assert_array_equal(reverse[position][place], tangent)
    return reverse[0].tolist() if len(reverse) == 1 else [part.tolist() for part in reverse]


# ---------------------------------------------------------------------- nothing times infinity is nothing


@pytest.mark.parametrize("size", [1, LARGE])
@pytest.mark.parametrize("f, x, expected", [
    (lambda x: np.where(x > 0, np.sqrt(x), 0.0), [0.0, 4.0], [0.0, 0.25]),
    (lambda x: np.where(x > 0, np.log(np.maximum(x, 0.0)), 0.0), [0.0, 4.0], [0.0, 0.25]),
    (lambda x: np.where(x > 0, x**0.5 * 3, x), [0.0, 4.0], [1.0, 0.75]),
    (lambda x: np.where(x > 0, 1 / x, -x), [0.0, 4.0], [-1.0, -0.0625]),
    (lambda x: np.where(x > 0, np.sin(np.sqrt(x)) / x, 7.0), [0.0], [0.0]),
    (lambda x: np.sqrt(x) * 0.0, [0.0, 4.0], [0.0, 0.0]),
    (lambda x: np.sqrt(x), [0.0, 4.0], [INF, 0.25]),
    (lambda x: np.sqrt(x) - np.sqrt(x), [4.0], [0.0]),
    (lambda x: np.sqrt(x * x), [0.0, 2.0], [0.0, 1.0]),
    (lambda x: np.sqrt(x) ** 2, [0.0, 4.0], [0.0, 1.0]),
])
def test_zero_times_infinity_is_zero_in_both_modes(f, x, expected, size):
    with np.errstate(all="ignore"):
        assert both(f, x) == expected
        repeated = ta.grad(lambda x: np.sum(f(x)))(np.tile(x, size))
    np.testing.assert_array_equal(repeated, np.tile(expected, size))


@pytest.mark.parametrize("size", [1, LARGE])
@pytest.mark.parametrize("f, x, expected", [
    (lambda x: np.where(x > 0, np.sqrt(x), 0.0), [-1.0, 4.0], [0.0, 0.25]),
    (lambda x: np.where(x > 0, np.log(x), x), [-1.0, 4.0], [1.0, 0.25]),
    (lambda x: np.where(x > 0, x**1.5 * np.exp(x), x), [-1.0], [1.0]),
    (lambda x: np.where(x > -2, x, np.sin(np.sqrt(x)) * 3), [-1.0, 4.0], [1.0, 1.0]),
    (lambda x: np.where(np.abs(x) < 1, np.arcsin(x), np.sign(x)), [2.0, 0.0], [0.0, 1.0]),
    (lambda x: np.fmax(np.sqrt(x), 0.0), [-1.0, 4.0], [0.0, 0.25]),
    (lambda x: np.sqrt(x)[x > 0], [-1.0, 4.0], [0.0, 0.25]),
])
def test_branches_that_are_nan_are_thrown_away_with_their_derivative(f, x, expected, size):
    with np.errstate(all="ignore"):
        assert both(f, x) == expected
        repeated = ta.grad(lambda x: np.sum(f(x)))(np.tile(x, size))
    np.testing.assert_array_equal(repeated, np.tile(expected, size))


def test_the_rule_holds_in_second_derivatives():
    def f(x):
        return np.sum(np.where(x > 0, x**1.5, 0.0) + np.where(x > 0, np.log(x), x * x))

    x = np.array([-1.0, 0.0, 4.0])
    with np.errstate(all="ignore"):
        for nested in (ta.grad(lambda x: np.sum(ta.grad(f)(x)))(x), ta.hvp(f, x, np.ones(3)),
                       ta.grad(lambda x: ta.jvp(f, (x,), (np.ones(3),))[1])(x), ta.hessian(f)(x).sum(axis=0)):
            np.testing.assert_allclose(nested, [2.0, 2.0, 0.75 / 2 - 1 / 16])


def test_what_is_truly_infinite_or_undefined_stays_so():
    with np.errstate(all="ignore"):
        assert both(lambda x: 3 * np.sqrt(x), [0.0]) == [INF]
        assert both(lambda x: -np.sqrt(x), [0.0]) == [-INF]
        assert np.isnan(both(lambda x: np.sqrt(x), [-1.0]))
        assert np.isnan(ta.grad(lambda x: np.sum(x * np.array([INF, -INF])))(1.0))
        assert np.isnan(ta.grad(lambda x: np.sum(x * np.tile([INF, -INF], LARGE)))(1.0))
        assert np.isnan(ta.jvp(lambda x: x[0] * INF + x[1] * -INF, (np.ones(2),), (np.ones(2),))[1])
        assert ta.grad(lambda x: x * x)(INF) == INF
        assert np.isnan(ta.grad(lambda x: x * x)(NAN))


ZEROS, WEIGHTS = np.zeros(3), np.array([0.0, 1.0, 1.0])
QUADRATIC = {
    "matmul": lambda x: x @ x, "dot": lambda x: np.dot(x, x), "inner": lambda x: np.inner(x, x), "var": np.var,
    "einsum": lambda x: np.einsum("i,i", x, x), "matrix": lambda x: x @ np.eye(3) @ x, "prod": np.prod, "cov": np.cov,
    "det": lambda x: np.linalg.det(np.diag(x)), "rows": lambda x: np.einsum("ij,ij->i", np.outer(x, x), np.outer(x, x)),
}
WEIGHTED = {
    "matmul": lambda r: WEIGHTS @ r, "dot": lambda r: np.dot(WEIGHTS, r), "sort": lambda r: WEIGHTS @ np.sort(r),
    "einsum": lambda r: np.einsum("i,i", WEIGHTS, r), "convolve": lambda r: np.convolve(r, WEIGHTS)[0],
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("inner", QUADRATIC.values(), ids=QUADRATIC)
def test_an_infinite_cotangent_of_a_linear_map_meets_zeros(inner):
    def f(x):
        return np.sum(np.sqrt(inner(x)))

    assert_array_equal(ta.grad(f)(ZEROS), ZEROS)
    assert_array_equal(ta.jacobian(f, mode="rev")(ZEROS), ZEROS)
    assert ta.jvp(f, (ZEROS,), (np.arange(3.0),))[1] == 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("outer", WEIGHTED.values(), ids=WEIGHTED)
def test_an_infinite_tangent_of_a_linear_map_meets_zeros(outer):
    def f(x):
        return outer(np.sqrt(x))

    x = np.array([0.0, 1.0, 4.0])
    expected = ta.grad(f)(x)
    assert not np.any(np.isnan(expected))
    assert_array_equal(ta.jacobian(f, mode="fwd")(x), expected)
    assert ta.jvp(f, (x,), (np.ones(3),))[1] == np.sum(expected)


def test_infinities_that_a_linear_map_adds():
    """Exactly: an infinite sum beside 0 · inf is infinite, opposite infinities are no number."""
    for weights, total in (([0.0, 2.0, 1.0], INF), ([0.0, 2.0, -1.0], NAN), ([0.0, 0.0, 1.0], -INF)):
        tangent = np.array([INF, INF, -INF if total == -INF else INF])
        with np.errstate(invalid="ignore"):
            assert_array_equal(ta.jvp(np.matmul, (np.array(weights), np.ones(3)), (ZEROS, tangent))[1], total)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_an_infinite_complex_cotangent_is_negated():
    gradients = ta.vjp(lambda z, w: np.sqrt(np.real(z - w)), np.full(2, 1j), np.full(2, 1j))[1](np.ones(2))
    assert_array_equal(np.real(gradients), [[INF, INF], [-INF, -INF]])


def test_nothing_through_an_infinite_matrix():
    a = np.array([INF, 1.0, 2.0])
    assert_array_equal(ta.grad(lambda x: np.where(False, x @ a, 1.0))(np.ones(3)), ZEROS)


def test_infinities_do_no_harm_to_their_neighbours():
    x = np.array([0.0, 1.0, 4.0, 0.0])
    weights = np.array([0.0, 1.0, 1.0, 2.0])
    with np.errstate(divide="ignore"):
        (gradient,) = ta.vjp(np.sqrt, x)[1](weights)
        tangent = ta.jvp(np.sqrt, (x,), (weights,))[1]
        (large,) = ta.vjp(np.sqrt, np.tile(x, LARGE))[1](np.tile(weights, LARGE))
    assert gradient.tolist() == tangent.tolist() == [0.0, 0.5, 0.25, INF]
    np.testing.assert_array_equal(large, np.tile(gradient, LARGE))


def test_sweeps_neither_warn_nor_change_the_error_state():
    before = np.geterr()
    with np.errstate(all="raise"):
        inside = np.geterr()
        assert ta.grad(np.sqrt)(4.0) == 0.25
        assert np.geterr() == inside
    with np.errstate(divide="ignore"):
        assert ta.grad(np.sqrt)(0.0) == INF
    assert np.geterr() == before


def test_the_error_state_of_the_caller_is_back_after_a_rule_that_raises():
    def fails(op):
        raise ArithmeticError

    before = np.geterr()
    with ta.override_gradient({"sin": fails}), pytest.raises(ArithmeticError):
        ta.grad(np.sin)(1.0)
    assert np.geterr() == before


# ---------------------------------------------------------------------- cost


@contextmanager
def counted():
    """Count the calls of kernels and of rules."""
    calls = {"kernels": 0, "rules": 0}
    before = {name: (primitive.kernel, primitive.rule) for name, primitive in PRIMITIVES.items()}

    def counting(function, kind):
        def call(*args, **kwargs):
            calls[kind] += 1
            return function(*args, **kwargs)

        return call

    for primitive in PRIMITIVES.values():
        if primitive.rule is not None:
            primitive.rule = counting(primitive.rule, "rules")
    try:
        yield calls
    finally:
        for name, (kernel, rule) in before.items():
            PRIMITIVES[name].kernel, PRIMITIVES[name].rule = kernel, rule


def chain(x, length=50):
    for _ in range(length):
        x = np.sin(x) * 1.01 + x
    return x


def test_each_rule_is_called_once_a_sweep():
    with counted() as calls:
        ta.grad(chain)(0.5)
        assert calls["rules"] == 150
        ta.jvp(chain, (0.5,), (1.0,))
        assert calls["rules"] == 300
        _, pull = ta.vjp(chain, 0.5)
        assert calls["rules"] == 300
        pull(1.0)
        assert calls["rules"] == 450


@pytest.mark.parametrize("use", [
    lambda f: ta.grad(f)(1.0), lambda f: ta.jvp(f, (1.0,), (1.0,))[1], lambda f: ta.jacobian(f)(1.0),
    lambda f: ta.vjp(f, 1.0)[1](1.0)[0]])
def test_a_graph_of_two_to_the_n_paths_costs_n(use):
    def doubled(x):
        for _ in range(60):
            x = x + x
        return x

    with counted() as calls:
        assert use(doubled) == 2.0**60
    assert calls["rules"] == 60


def test_shared_results_are_visited_once_at_second_order_too():
    def doubled(x):
        y = np.sin(x)
        for _ in range(30):
            y = y * y + y
        return y * 1e-3

    with counted() as calls:
        ta.hvp(doubled, (1e-3,), (1.0,))
    assert calls["rules"] < 30 * 25


def test_a_product_with_the_hessian_costs_a_few_gradients():
    with counted() as calls:
        ta.grad(chain)(0.5)
        gradient = calls["rules"]
        calls["rules"] = 0
        ta.hvp(chain, (0.5,), (1.0,))
    assert calls["rules"] <= 5 * gradient


def test_nested_gradients_cost_a_constant_factor_an_order():
    costs = []
    for order in (1, 2, 3):
        f = chain
        for _ in range(order):
            f = ta.grad(f)
        with counted() as calls:
            f(0.5)
        costs.append(calls["rules"])
    assert costs[1] <= 6 * costs[0]
    assert costs[2] <= 8 * costs[1]


def test_constants_cost_nothing():
    def f(x):
        constant = ta.tensor(2.0)
        for _ in range(50):
            constant = np.sin(constant) + 1.0
        return x * constant

    with counted() as calls:
        ta.grad(f)(1.0)
    assert calls["rules"] == 1


def test_only_what_leads_to_the_wanted_inputs_is_swept():
    x, y = ta.tensor(1.0, requires_grad=True), ta.tensor(1.0, requires_grad=True)
    z = chain(x, 10) * chain(y, 20)
    with counted() as calls:
        ta.gradients(z, x)
    assert calls["rules"] == 1 + 30


def test_what_the_output_does_not_need_is_not_swept():
    def f(x):
        chain(x)
        return np.sin(x)

    with counted() as calls:
        ta.grad(f)(1.0)
        ta.jvp(f, (1.0,), (1.0,))
    assert calls["rules"] == 2


def test_cone_and_downstream():
    x, y = ta.tensor(1.0, requires_grad=True), ta.tensor(1.0, requires_grad=True)
    a = np.sin(x)
    b = np.cos(y)
    c = a * b
    d = c + a
    order = cone([d._entry], set())
    assert order == sorted(order, key=lambda entry: entry.index)
    assert order == [t._entry for t in (x, y, a, b, c, d)]
    assert cone([d._entry, d._entry], {a._entry}) == [t._entry for t in (y, b, c, d)]
    assert cone([a._entry], {a._entry}) == []
    assert downstream(order, {x._entry}) == {t._entry for t in (x, a, c, d)}


# ---------------------------------------------------------------------- buffers


@pytest.fixture(params=[4, 5000, LARGE])
def size(request):
    """Below, above and far above the size from which buffers are used again."""
    return request.param


def remembering(name, make_partials, kernel):
    mine = ta.primitive(name)(kernel)
    ta.RegisterGradient(name)(make_partials)
    return mine


@pytest.fixture
def scratch():
    """Names of primitives that are removed after the test."""
    before = set(PRIMITIVES)
    yield
    for name in PRIMITIVES.keys() - before:
        del PRIMITIVES[name]


SHARED = {
    "the inputs": (lambda op: (op.inputs[1], op.inputs[0]), lambda x, y: (y, x)),
    "the inputs, lazily": (lambda op: (lambda: op.inputs[1], lambda: op.inputs[0]), lambda x, y: (y, x)),
    "the output": (lambda op: (op.output, op.output), lambda x, y: (x * y, x * y)),
    "the output, lazily": (lambda op: (lambda: op.output, lambda: op.output), lambda x, y: (x * y, x * y)),
    "one array for both": (lambda op: (lambda p: (p, p))(op.inputs[0] * 3), lambda x, y: (3 * x, 3 * x)),
    "one array for both, lazily": (
        lambda op: (lambda p: (lambda: p, lambda: p))(op.inputs[0] * 3), lambda x, y: (3 * x, 3 * x)),
    "an array and a view of it": (lambda op: (lambda p: (p, p[:]))(op.inputs[0] * 3), lambda x, y: (3 * x, 3 * x)),
    "a view and its array, lazily": (
        lambda op: (lambda p: (lambda: p[:], lambda: p))(op.inputs[0] * 3), lambda x, y: (3 * x, 3 * x)),
    "fresh arrays": (lambda op: (op.inputs[1] * 2, op.inputs[0] * 2), lambda x, y: (2 * y, 2 * x)),
    "fresh arrays, lazily": (
        lambda op: (lambda: op.inputs[1] * 2, lambda: op.inputs[0] * 2), lambda x, y: (2 * y, 2 * x)),
    "the cotangent itself": (
        lambda op: (ta.Linear(lambda t: t, lambda g: g),) * 2, lambda x, y: (np.ones_like(x), np.ones_like(x))),
    "ones": (lambda op: (1, 1), lambda x, y: (np.ones_like(x), np.ones_like(x))),
}


@pytest.mark.parametrize("kind", SHARED)
def test_partials_that_somebody_else_holds_are_not_written_to(kind, size, scratch):
    partials, expected = SHARED[kind]
    mine = remembering("mine", partials, lambda x, y: x * y)
    x = ta.tensor(np.linspace(1, 2, size), requires_grad=True)
    y = ta.tensor(np.linspace(3, 4, size), requires_grad=True)
    values = x.data.copy(), y.data.copy()
    cotangent = np.linspace(-1, 1, size)
    held = cotangent.copy()
    z = mine(x, y)
    product = z.data.copy()
    wanted = [np.asarray(part) * held for part in expected(*values)]
    for _ in range(3):
        for found, right in zip(ta.gradients(z, (x, y), cotangent, retain_graph=True), wanted, strict=True):
            np.testing.assert_array_equal(found.data, right)
    np.testing.assert_array_equal(x.data, values[0])
    np.testing.assert_array_equal(y.data, values[1])
    np.testing.assert_array_equal(z.data, product)
    np.testing.assert_array_equal(cotangent, held)


def test_constants_that_only_the_tape_holds_are_not_written_to(size, scratch):
    for name, partials in [("eager", lambda op: (op.inputs[1], None)),
                           ("lazy", lambda op: (lambda: op.inputs[1], None))]:
        mine = remembering(name, partials, lambda x, y: x * y)
        x = ta.tensor(np.ones(size), requires_grad=True)
        z = mine(x, np.full(size, 2.0))
        for _ in range(3):
            assert set(ta.gradients(z, x, np.full(size, 3.0), retain_graph=True)[0].tolist()) == {6.0}


def test_partials_kept_by_the_user_are_not_written_to(size, scratch):
    kept = []

    def remember(op):
        kept.append(op.inputs[0] * 2)
        return kept[-1]

    mine = remembering("mine", remember, np.square)
    x = np.linspace(1, 2, size)
    (gradient,) = ta.vjp(mine, x)[1](np.full(size, 5.0))
    np.testing.assert_array_equal(gradient, 10 * x)
    np.testing.assert_array_equal(kept[0], 2 * x)
    assert not np.shares_memory(gradient, kept[0])


@pytest.mark.parametrize("f, derivative", [
    (lambda x: x + x, lambda x: 2 + 0 * x),
    (lambda x: x + x + x * x, lambda x: 2 + 2 * x),
    (lambda x: (y := np.exp(x)) * y + y, lambda x: 2 * np.exp(2 * x) + np.exp(x)),
    (lambda x: (y := np.exp(x)) + y[::-1] + y, lambda x: 3 * np.exp(x)),
    (lambda x: (y := x * 2) + y.reshape(2, -1).T.reshape(-1) + y, lambda x: 6 + 0 * x),
    (lambda x: np.where(x > 1.5, x, 2 * x) + x, lambda x: np.where(x > 1.5, 2, 3)),
    (lambda x: (y := np.sin(x)) * y * y + (z := y + y) * z, lambda x: (3 * np.sin(x)**2 + 8 * np.sin(x)) * np.cos(x)),
    (lambda x: x - x * 1.0 - x, lambda x: -1 + 0 * x),
    (lambda x: np.broadcast_to(x, (3, x.size)) * 2.0, lambda x: 6 + 0 * x),
])
def test_accumulation_of_large_cotangents(f, derivative, size):
    x = np.linspace(1, 2, size)
    out, pull = ta.vjp(f, x)
    ones = np.ones(out.shape)
    for _ in range(2):
        np.testing.assert_allclose(pull(ones)[0], derivative(x), rtol=1e-14)
    assert set(ones.ravel()) == {1.0}
    for create_graph in (False, True):
        leaf = ta.tensor(x, requires_grad=True)
        f(leaf).backward(ones, create_graph=create_graph)
        np.testing.assert_allclose(leaf.grad.data, derivative(x), rtol=1e-14)


def test_one_result_under_several_outputs(size):
    def f(x):
        y = np.exp(x)
        return y, y, y + x, x

    x = np.linspace(0, 1, size)
    _, pull = ta.vjp(f, x)
    cotangents = [np.full(size, value) for value in (1.0, 10.0, 100.0, 1000.0)]
    shared = np.full(size, 1.0)
    for _ in range(2):
        np.testing.assert_allclose(pull(tuple(cotangents))[0], 111 * np.exp(x) + 1100, rtol=1e-14)
        np.testing.assert_allclose(pull((shared,) * 4)[0], 3 * np.exp(x) + 2, rtol=1e-14)
    assert [set(c) for c in cotangents] == [{1.0}, {10.0}, {100.0}, {1000.0}] and set(shared) == {1.0}


def test_a_cotangent_that_two_operands_share(size):
    def f(x, y):
        early = y * 2.0
        return (x + y) * 1.5 + early

    for found, slope in zip(ta.vjp(f, np.ones(size), np.ones(size))[1](np.ones(size)), (1.5, 3.5), strict=True):
        assert set(found.tolist()) == {slope}


def test_a_cotangent_nobody_else_holds(size):
    x = ta.tensor(np.ones(size), requires_grad=True)
    y = x * 2
    z = y + y
    (by_y,) = ta.gradients(z, y, np.ones(size), retain_graph=True)
    z.backward(np.ones(size))
    assert set(x.grad.tolist()) == {4.0} and set(by_y.tolist()) == {2.0}


# ---------------------------------------------------------------------- dtypes


def test_float32_is_never_widened_on_the_way():
    seen = set()
    rules = {name: primitive.rule for name, primitive in PRIMITIVES.items() if primitive.rule is not None}

    def watching(rule):
        def call(op):
            seen.add(op.output.dtype)
            return rule(op)

        return call

    def f(x):
        y = np.exp(x) * 2.5 + np.sqrt(x) / 3
        return (np.where(x > 1, y, np.maximum(y, 0.5)).reshape(2, -1).T ** 2).mean() + y[0] * np.tanh(y[1])

    x = np.linspace(0.5, 2, 6, dtype=np.float32)
    with ta.override_gradient({name: watching(rule) for name, rule in rules.items()}):
        results = [ta.grad(f)(x), ta.jvp(f, (x,), (x,))[1], ta.hessian(f)(x), ta.hvp(f, x, x)]
    assert {result.dtype for result in results} | seen == {np.dtype(np.float32)}


@pytest.mark.parametrize("first, second",
                         list(itertools.product([np.float16, np.float32, np.float64, np.complex64], repeat=2)))
def test_mixed_dtypes(first, second):
    x, y = np.full(3, 1.5, first), np.full((2, 1), 2.5, second)

    def f(x, y):
        return x * y + np.exp(x) - y / 2

    out, pull = ta.vjp(f, x, y)
    assert out.dtype == np.result_type(first, second)
    gradients = pull(np.ones(out.shape))
    assert [g.dtype for g in gradients] == [first, second]
    assert [g.shape for g in gradients] == [x.shape, y.shape]
    tangent = ta.jvp(f, (x, y), (x, y))[1]
    assert tangent.dtype == out.dtype and tangent.shape == out.shape
    np.testing.assert_allclose(np.real(gradients[0]), np.full(3, 5 + 2 * np.exp(1.5)), rtol=3e-3)


def test_casts_on_the_way():
    def f(x):
        return (np.exp(x).astype(np.float32) * 2).astype(np.float64)

    gradient = ta.grad(f)(1.0)
    assert gradient.dtype == np.float64 and gradient == pytest.approx(2 * np.e, rel=1e-7)
    assert ta.jvp(f, (1.0,), (1.0,))[1].dtype == np.float64
    assert ta.grad(lambda x: np.sum(x * x.astype(int)))(np.array([1.7, -2.2])).tolist() == [1.0, -2.0]
    assert not isinstance(ta.tensor([1.5], requires_grad=True).astype(int), ta.Tensor)
    assert ta.grad(lambda x: np.real(x.astype(complex) * 1j * (1 - 2j)))(1.0) == 2.0


# ---------------------------------------------------------------------- broadcasting


@pytest.mark.parametrize("first, second", [
    ((), ()), ((), (3,)), ((3,), ()), ((1,), (3,)), ((3,), (1,)), ((2, 1), (3,)), ((2, 3), (1, 3)), ((2, 3), (2, 1)),
    ((1, 1), (2, 3)), ((4, 1, 3), (2, 1)), ((0,), ()), ((0,), (1,)), ((2, 0), (1,)), ((1,), ()), ((1, 1, 1), (1,))])
@pytest.mark.parametrize("function", [np.add, np.multiply, np.divide, np.power, np.hypot, np.maximum, np.logaddexp])
def test_broadcasting_is_undone(first, second, function):
    generator = np.random.default_rng(1)
    x, y = generator.uniform(0.5, 1.5, first), generator.uniform(2, 3, second)
    out, pull = ta.vjp(function, x, y)
    cotangent = generator.normal(size=np.shape(out))
    gradients = pull(cotangent)
    shape = np.broadcast_shapes(first, second)
    assert np.shape(out) == shape
    _, pull_full = ta.vjp(function, np.broadcast_to(x, shape), np.broadcast_to(y, shape))
    for small, full, like in zip(gradients, pull_full(cotangent), (x, y), strict=True):
        assert np.shape(small) == np.shape(like)
        extra = full.ndim - np.ndim(like)
        summed = np.sum(full, axis=tuple(range(extra)))
        stretched = tuple(axis for axis, length in enumerate(np.shape(like)) if length == 1)
        expected = np.sum(summed, axis=stretched, keepdims=True).reshape(np.shape(like))
        np.testing.assert_allclose(small, expected, rtol=1e-12)
    tangents = generator.normal(size=first), generator.normal(size=second)
    tangent = ta.jvp(function, (x, y), tangents)[1]
    assert np.shape(tangent) == shape
    left = np.sum(tangent * cotangent)
    right = sum(np.sum(g * v) for g, v in zip(gradients, tangents, strict=True))
    assert left == pytest.approx(right, rel=1e-11, abs=1e-12)


def test_a_tangent_that_reaches_only_some_operands_is_spread():
    assert ta.jvp(lambda x: x + np.zeros((2, 3)), (1.0,), (5.0,))[1].tolist() == [[5.0] * 3] * 2
    assert ta.jvp(lambda x: np.broadcast_to(x, (2, 2)), (1.0,), (5.0,))[1].tolist() == [[5.0, 5.0]] * 2
    out = ta.jvp(lambda x, y: (x + y, x), (np.ones(2), np.ones((3, 1))), (np.ones(2), np.zeros((3, 1))))[1]
    assert out[0].shape == (3, 2) and set(out[0].ravel()) == {1.0}


# ---------------------------------------------------------------------- large arrays: forgotten values, blocks

#: More than a mebibyte, from which on a sweep works in blocks.
BLOCKS = 200_000


def test_a_large_array_is_swept_as_a_small_one():
    def f(x, y):
        z = np.exp(np.sin(x) * y) / (1 + x * x)
        return np.sum(z * z + np.where(x > 0.5, z, x) + np.maximum(z, y) + z * 2.0) + np.sum(z[::2])

    x, y = np.linspace(0, 1, 8), np.linspace(1.5, 2.5, 8)
    expected = ta.grad(f, (0, 1))(x, y)
    for found, right in zip(ta.grad(f, (0, 1))(np.tile(x, BLOCKS), np.tile(y, BLOCKS)), expected, strict=True):
        np.testing.assert_allclose(found, np.tile(right, BLOCKS), rtol=1e-13)


@pytest.mark.parametrize("shape, other", [
    ((BLOCKS,), ()), ((BLOCKS,), (1,)), ((BLOCKS, 2), (2,)), ((BLOCKS, 2), (BLOCKS, 1)), ((BLOCKS, 1), (1, 2)),
    ((BLOCKS, 2), (1, 1)), ((400, 400), (400,)), ((400, 400), (400, 1)), ((2, BLOCKS), (BLOCKS,)),
    ((1, BLOCKS), (3, 1))])
def test_blocks_and_broadcasting(shape, other):
    x, y = np.linspace(0, 1, int(np.prod(shape))).reshape(shape), np.linspace(1, 2, int(np.prod(other))).reshape(other)

    def f(x, y):
        return np.sum(np.sin(np.tanh(x * y) + y * 1.5) * np.cos(x))

    inner = np.tanh(x * y) + y * 1.5
    slope = np.cos(inner) * np.cos(x)
    by_x = slope * (1 - np.tanh(x * y) ** 2) * y - np.sin(inner) * np.sin(x)
    by_y = slope * ((1 - np.tanh(x * y) ** 2) * x + 1.5)
    for found, full, like in zip(ta.grad(f, (0, 1))(x, y), (by_x, by_y), (x, y), strict=True):
        lead = full.ndim - like.ndim
        expected = full.sum(axis=tuple(range(lead)))
        stretched = tuple(axis for axis, length in enumerate(like.shape) if length == 1)
        np.testing.assert_allclose(found, expected.sum(axis=stretched, keepdims=True).reshape(like.shape), rtol=1e-9)


def test_large_arrays_with_infinite_partials_and_chosen_branches():
    x = np.tile([-1.0, 0.0, 4.0], BLOCKS)
    with np.errstate(all="ignore"):
        gradient = ta.grad(lambda x: np.sum(np.where(x > 0, np.sin(np.sqrt(x) * 2.0) / x, np.exp(x) * 3.0)))(x)
    expected = [3 / np.e, 3.0, (np.cos(4.0) / 2) / 4 - np.sin(4.0) / 16]
    np.testing.assert_allclose(gradient, np.tile(expected, BLOCKS), rtol=1e-14)


def test_attributes_that_are_arrays_do_not_go_into_blocks(scratch):
    mine = ta.primitive("mine", elementwise=True)(lambda x, weights=1.0: x * weights)
    ta.RegisterGradient("mine")(lambda op: op.attrs["weights"])
    weights = np.linspace(1, 2, BLOCKS)
    gradient = ta.grad(lambda x: np.sum(np.sin(mine(np.sin(x * 2.0), weights=weights))))(np.zeros(BLOCKS))
    np.testing.assert_allclose(gradient, 2 * weights)


def test_errors_in_blocks_name_the_line(scratch):
    mine = ta.primitive("mine", elementwise=True)(lambda x, y: x * y)
    ta.RegisterGradient("mine")(lambda op: (op.inputs[1], None))
    with pytest.raises(NotImplementedError, match=r"mine: .*argument 'y'.*recorded at test_sweeps\.py:\d+"):
        ta.grad(lambda y: np.sum(np.sin(mine(1.0, np.sin(y)))))(np.zeros(BLOCKS))


@pytest.mark.parametrize("count", [3, LARGE, BLOCKS])
def test_overrides_may_read_what_the_rule_does_not(count):
    with ta.override_gradient({"sin": lambda op: np.sqrt(1 - op.output**2), "exp": lambda op: np.exp(op.inputs[0])}):
        x = np.full(count, 0.3)
        np.testing.assert_allclose(ta.grad(lambda x: np.sum(np.sin(x)))(x), np.cos(x))
        np.testing.assert_allclose(ta.grad(lambda x: np.sum(np.exp(np.sin(x) * 2.0)))(x),
                                   2 * np.cos(x) * np.exp(2 * np.sin(x)))


def test_reading_what_was_let_go_of_says_so(scratch):
    x = np.full(LARGE, 0.3)
    _, pull = ta.vjp(np.sin, x)
    for rule in (lambda op: op.output**2, lambda op: np.sqrt(op.output), lambda op: 1 - op.output,
                 lambda op: np.ones(LARGE) * op.output, lambda op: op.output[0], lambda op: np.asarray(op.output)):
        with ta.override_gradient({"sin": rule}), pytest.raises(RuntimeError, match=r"the tape has let go of.*reads="):
            pull(x)
    np.testing.assert_allclose(pull(x)[0], 0.3 * np.cos(0.3))
    mine = ta.primitive("mine")(lambda x: x**3)
    ta.RegisterGradient("mine", reads="output")(lambda op: 3 * op.inputs[0] ** 2)
    with pytest.raises(RuntimeError, match="reads="):
        ta.vjp(mine, x)[1](x)
    with pytest.raises(ValueError, match="reads must be one of 'all', 'inputs'"):
        ta.RegisterGradient("mine", reads="input")


@pytest.mark.parametrize("reads, rule", [
    ("all", lambda op: 3 * op.output / op.inputs[0]), ("inputs", lambda op: 3 * op.inputs[0] ** 2),
    ("output", lambda op: 3 * op.output ** (2 / 3)), ("nothing", lambda op: 3.0)])
def test_each_way_of_reading(reads, rule, scratch):
    mine = ta.primitive("mine")(lambda x: x**3)
    ta.RegisterGradient("mine", reads=reads)(rule)
    for count in (1, LARGE, BLOCKS):
        (gradient,) = ta.vjp(mine, np.ones(count))[1](np.ones(count))
        np.testing.assert_allclose(gradient, np.full(count, 3.0))


def test_long_chains_of_arrays_that_do_not_divide_into_blocks_cost_no_more(scratch):
    from tapead.blocks import Stretch
    fits = []
    original = Stretch._fits
    Stretch._fits = lambda self, entry: (fits.append(1), original(self, entry))[1]
    try:
        y = x = ta.tensor(np.ones((2, BLOCKS)), requires_grad=True)
        for _ in range(50):
            y = y * 1.5
        y.sum().backward()
    finally:
        Stretch._fits = original
    assert len(fits) <= 60
    assert x.grad.data[0, 0] == 1.5**50


def doubled_in_place(g):
    g *= 2


LINEARS = {
    "plain": lambda: ta.Linear(lambda t: 2 * t, lambda g: 2 * g),
    "reuse": lambda: ta.Linear(lambda t: 2 * t, lambda g: 2 * g, reuse=doubled_in_place),
    "add": lambda: ta.Linear(lambda t: 2 * t, lambda g: 2 * g, add=lambda total, g: np.add(total, 2 * g, out=total)),
}


@pytest.mark.parametrize("kind", LINEARS)
@pytest.mark.parametrize("f, slope", [
    (lambda m, x: m(x), 2), (lambda m, x: m(m(x)), 4), (lambda m, x: m(x) + x, 3), (lambda m, x: x + m(x), 3),
    (lambda m, x: m(x) + m(x), 4), (lambda m, x: (y := x * 1.0) + m(y) + m(y) * 3.0, 9),
    (lambda m, x: m((y := m(x)) + y) + y, 10), (lambda m, x: m(x[::-1])[::-1] + x, 3), (lambda m, x: m(-x) - x, -3),
    (lambda m, x: np.stack([m(x), x, m(m(x))]).sum(axis=0), 7), (lambda m, x: m(x) * 1.0 + m(x) * 1.0 + x * 1.0, 5),
    (lambda m, x: (m(x) + x) * 1.5, 4.5), (lambda m, x: (x + m(x)) * 1.5, 4.5), (lambda m, x: (m(x) - m(-x)) * 1.5, 6)])
def test_linear_maps_that_write_in_place_spoil_nothing(kind, f, slope, size, scratch):
    mine = remembering("mine", lambda op: LINEARS[kind](), lambda x: 2 * x)
    x, cotangent = np.linspace(1, 2, size), np.linspace(-1, 1, size)
    held = x.copy(), cotangent.copy()
    out, pull = ta.vjp(lambda x: f(mine, x), x)
    for _ in range(2):
        np.testing.assert_allclose(pull(cotangent)[0], slope * held[1], rtol=1e-13, atol=1e-14)
    leaf = ta.tensor(x, requires_grad=True)
    result = f(mine, leaf)
    result.backward(cotangent, retain_graph=True)
    (again,) = ta.gradients(result, leaf, cotangent, create_graph=True)
    for gradient in (leaf.grad, again):
        np.testing.assert_allclose(gradient.data, slope * held[1], rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(x, held[0])
    np.testing.assert_array_equal(cotangent, held[1])
    np.testing.assert_array_equal(out, f(lambda x: 2 * x, held[0]))


@pytest.mark.parametrize("kind", LINEARS)
def test_linear_maps_that_write_in_place_leave_the_other_operand_alone(kind, size, scratch):
    mine = remembering("mine", lambda op: LINEARS[kind](), lambda x: 2 * x)

    def f(x, y):
        early = mine(y)
        return (x + y) * 1.5 + early

    def g(x, y):
        return (mine(y) + x) * 1.5

    for function, slopes in [(f, (1.5, 3.5)), (g, (1.5, 3.0))]:
        gradients = ta.vjp(function, np.ones(size), np.ones(size))[1](np.ones(size))
        assert [set(gradient.tolist()) for gradient in gradients] == [{slope} for slope in slopes]


def test_two_reductions_of_one_array(size):
    def f(x):
        y = x * 1.0
        return np.sum(y) * 3.0 + np.sum(y) + np.mean(y) * size + y[0] * 0.0

    x = np.ones(size)
    for _ in range(2):
        np.testing.assert_allclose(ta.grad(f)(x), np.full(size, 5.0), rtol=1e-13)
    np.testing.assert_allclose(ta.grad(lambda x: np.sum(x) + np.sum(x) - np.sum(x))(x), 1.0)
    y = ta.tensor(x, requires_grad=True)
    total = np.sum(y) + np.sum(y)
    cotangent = np.ones(size)
    (found,) = ta.gradients([y, total], y, [cotangent, np.float64(1.0)])
    assert set(found.tolist()) == {3.0} and set(cotangent) == {1.0}


@pytest.mark.parametrize("made", [complex, lambda g: 1j * g, lambda g: 0.0, lambda g: 2])
def test_linear_maps_may_return_python_numbers(made, scratch):
    mine = remembering("mine", lambda op: ta.Linear(made, made), lambda x: x * 1j)
    for x in (1.5, 1.5 + 0j):
        (gradient,) = ta.vjp(mine, x)[1](2.0)
        assert (type(gradient), gradient) == (type(np.asarray(x)[()]), np.asarray(made(2.0)).astype(type(x))
                                              if isinstance(x, complex) else np.real(made(2.0)))
        assert ta.jvp(mine, (x,), (1.0,))[1] == made(1.0)
    assert ta.grad(lambda z: np.imag(z) ** 2)(1 + 2j) == 4j
    assert ta.grad(lambda z: np.imag(z) * np.real(z))(1 + 2j) == 2 + 1j


def test_opposite_infinities_are_added_once():
    with np.errstate(all="ignore"):
        assert np.isnan(ta.grad(lambda x: x * np.inf + x * -np.inf + x)(1.0))
        assert ta.grad(lambda x: x * np.inf + x * 2.0 + x)(1.0) == np.inf


def test_memory_that_a_sweep_has_freed_is_nobodys():
    """Arrays of the size that sweeps keep for later, held in every way in which somebody can hold one."""
    x = np.linspace(0.5, 1.5, BLOCKS)
    seen = []

    def f(x):
        y = np.exp(x * 1.5)
        z = y * 2.0
        seen.append((y.data, z.data[::2], memoryview(z.data)))
        return np.sum(np.sin(z) * y)

    first = ta.grad(f)(x)
    y, every_other, view = seen.pop()
    held = first.copy(), y.copy(), every_other.copy(), np.array(view)
    for _ in range(3):
        second, _ = ta.grad(f)(x), seen.clear()
        np.testing.assert_array_equal(second, held[0])
        for now, before in zip((first, y, every_other, np.array(view)), held, strict=True):
            np.testing.assert_array_equal(now, before)
        leaf = ta.tensor(x, requires_grad=True)
        a = np.exp(leaf * 1.5)
        b = a * 2.0
        np.sum(b * a).backward()
        np.testing.assert_array_equal(a.data, np.exp(x * 1.5))
        np.testing.assert_array_equal(b.data, np.exp(x * 1.5) * 2.0)
        np.testing.assert_allclose(leaf.grad.data, 6 * np.exp(3 * x), rtol=1e-14)
    np.testing.assert_array_equal(x, np.linspace(0.5, 1.5, BLOCKS))
