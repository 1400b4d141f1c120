"""Sparse Jacobians and Hessians: the structure that the tape shows, the groups, the elements."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest

sparse = pytest.importorskip("scipy.sparse")

from agreement import draw as point  # noqa: E402 -- after the question whether there is SciPy
from catalogue import call, draw, rows  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import tapead as ta  # noqa: E402
import tapead.scipy.linalg  # noqa: E402
import tapead.scipy.signal  # noqa: E402
import tapead.scipy.sparse  # noqa: E402
from tapead.registry import PRIMITIVES  # noqa: E402
from tapead.sparse.colouring import column_colours, star_colours  # noqa: E402
from tapead.sparse.structures import STRUCTURES  # noqa: E402


def real(out):
    """The parts of a complex result."""
    return np.stack([np.real(out), np.imag(out)]) if np.iscomplexobj(out) else out


def dense(function, *operands):
    """The Jacobian as one matrix over all operands."""
    size = np.size(function(*operands))
    blocks = ta.jacobian(function, tuple(range(len(operands))))(*operands)
    return np.concatenate([np.reshape(block, (size, np.size(one)))
                           for block, one in zip(blocks, operands, strict=True)], axis=1)


def whole(blocks):
    return sparse.hstack(list(blocks), format="csr").toarray()


# ---------------------------------------------------------------------- the structure of every primitive

#: Where the structure is no more than the elements that can be other than zero.
EXACT = {"reshape", "transpose", "broadcast_to", "roll", "getitem", "concatenate", "stack", "setitem", "set_view",
         "scatter", "sum", "mean", "matmul", "vecdot", "matvec", "vecmat", "einsum", "convolve", "cumsum",
         "sparse_matmul", "astype", "ldexp", "add", "exp"}


def structural_rows():
    """A row for each way in which a primitive mixes elements; elementwise ones are all alike."""
    alike = ("exp", "add", "sign", "hypot")
    scipys = ("solve_triangular", "solve_sylvester", "solve_banded", "expm", "sparse_matmul", "sparse_solve",
              "signal_convolve")
    found = [row for row in rows() if not PRIMITIVES[row[0]].elementwise or row[0] in alike]
    return found + [(name, number) for name in scipys for number in range(len(PRIMITIVES[name].cases))]


@pytest.mark.parametrize(("name", "number"), structural_rows())
def test_the_structure_of_a_primitive_has_every_element(name, number):
    operands, attrs = draw(PRIMITIVES[name], number)
    if any(map(np.iscomplexobj, operands)) or sum(map(np.size, operands)) > 60:
        return
    operands = [np.where(one == 0.0, 0.5, one)[()] for one in operands]  # no factor hides what depends on what
    bare = call(PRIMITIVES[name], attrs)

    def function(*inputs):
        return real(bare(*inputs))

    expected = dense(function, *operands)
    everything = tuple(range(len(operands)))
    pattern = ta.sparsity(function, everything)(*operands).pattern.toarray()
    assert pattern.shape == expected.shape
    np.testing.assert_array_less(abs(expected[~pattern]), 1e-14)
    if name in EXACT:
        np.testing.assert_array_equal(pattern, abs(expected) > 1e-14)
    if np.all(np.isfinite(expected)):
        for mode in ("fwd", "rev"):
            found = ta.jacobian(function, everything, mode=mode, sparse=True)(*operands)
            np.testing.assert_allclose(whole(found), expected, rtol=1e-9, atol=1e-12)


def test_structures_are_those_of_primitives_that_there_are():
    assert set(STRUCTURES) <= set(PRIMITIVES)


# ---------------------------------------------------------------------- programs


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def diffusion(u):
    """Five points of a grid in each equation."""
    padded = np.pad(u, 1)
    return padded[2:, 1:-1] + padded[:-2, 1:-1] + padded[1:-1, 2:] + padded[1:-1, :-2] - 4.0 * u + np.exp(u)


def in_a_loop(x):
    total = 0.0
    for i in range(len(x) - 1):
        total = total + np.sin(x[i]) * x[i + 1] ** 2
    return total


def written(x):
    y = np.zeros_like(x)
    y[::2] = x[::2] * x[1::2]
    y[1] = np.sum(x[:3])
    return y


def groups(x):
    return np.linalg.solve(np.reshape(x, (-1, 2, 2)) + 4.0 * np.eye(2), np.ones((len(x) // 4, 2, 1)))


@pytest.mark.parametrize(("function", "shape", "count"), [
    (diffusion, (5, 4), 82), (written, (6,), 9), (groups, (12,), 24), (np.cumsum, (5,), 15),
    (lambda x: x[np.array([0, 0, 3])] * x[1], (4,), 6), (lambda x: np.max(np.reshape(x, (3, 2)), axis=1), (6,), 6),
    (lambda x: np.array([3.0, 4.0]), (3,), 0), (lambda x: x, (3,), 3), (np.sum, (4,), 4), (lambda x: x[0], (4,), 1),
    (ta.checkpoint(lambda x: np.sin(x[1:]) * x[:-1]), (5,), 8)])
@pytest.mark.parametrize("mode", ["auto", "fwd", "rev"])
def test_jacobians(function, shape, count, mode):
    x = point(*shape)
    derivative = ta.jacobian(function, mode=mode, sparse=True)
    for at in (x, x + 0.5, x + 1.0):  # from the tape, and by what is remembered
        found = derivative(at)
        assert isinstance(found, sparse.csr_array)
        assert found.nnz == count
        np.testing.assert_allclose(found.toarray(), dense(function, at), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("function", "count"), [
    (rosenbrock, 19), (in_a_loop, 19), (lambda x: np.sum(np.sin(x)), 7), (lambda x: x[0] * np.sum(x), 13),
    (lambda x: np.sum(x) ** 2, 49), (lambda x: np.sum(np.abs(x)), 0), (np.sum, 0),
    (lambda x: np.sum(np.where(x > 0, x**2, x[::-1] ** 3)), 7)])
def test_hessians(function, count):
    x = point(7)
    derivative = ta.hessian(function, sparse=True)
    for at in (x, x[::-1].copy()):
        found = derivative(at)
        assert found.nnz == count
        np.testing.assert_allclose(found.toarray(), ta.hessian(function)(at), rtol=1e-12, atol=1e-14)
        assert (found != found.T).nnz == 0


def test_hessians_that_are_not_symmetric():
    @ta.custom_gradient
    def function(x):
        return np.sum(x**2), lambda g: g * np.cumsum(x**2)

    x = point(4)
    derivative = ta.hessian(function, sparse=True)
    for at in (x, x + 1.0):
        expected = ta.hessian(function)(at)
        assert np.any(expected != expected.T)
        np.testing.assert_allclose(derivative(at).toarray(), expected)


def test_a_primitive_of_the_users_by_what_its_rule_returns():
    @ta.primitive
    def twice_of_sparse_test(x):
        return 2.0 * x

    @ta.primitive
    def turned_of_sparse_test(x):
        return x[::-1]

    try:
        ta.RegisterGradient("twice_of_sparse_test")(lambda op: 2.0)
        ta.RegisterGradient("turned_of_sparse_test")(lambda op: ta.Linear(lambda t: t[::-1], lambda g: g[::-1]))
        x = point(4)
        assert ta.sparsity(twice_of_sparse_test)(x).nnz == 4
        assert ta.sparsity(turned_of_sparse_test)(x).nnz == 16  # a linear map may do anything
        np.testing.assert_array_equal(ta.jacobian(turned_of_sparse_test, sparse=True)(x).toarray(), np.eye(4)[::-1])
    finally:
        del PRIMITIVES["twice_of_sparse_test"], PRIMITIVES["turned_of_sparse_test"]


def test_rules_that_are_overridden():
    x = point(3)
    with ta.override_gradient({"sin": lambda op: ta.Linear(lambda t: t[::-1], lambda g: g[::-1])}):
        found = ta.jacobian(np.sin, sparse=True)(x)
    np.testing.assert_array_equal(found.toarray(), np.eye(3)[::-1])


class Backward(ta.Function):
    """The square, in reverse mode alone."""

    @staticmethod
    def forward(ctx, x):
        """x²"""
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, g):
        """2 x g"""
        (x,) = ctx.saved_tensors
        return 2.0 * x * g


def test_functions_that_know_the_reverse_mode_only():
    x = point(3)
    derivative = ta.jacobian(lambda x: Backward.apply(x) + np.roll(x, 1), mode="rev", sparse=True)
    for _ in range(2):
        np.testing.assert_allclose(derivative(x).toarray(), np.diag(2.0 * x) + np.roll(np.eye(3), 1, axis=0))


STEPS = {
    "shift": lambda x: x[1:] - x[:-1],
    "pick": lambda x: x[np.arange(2 * len(x)) // 3 % len(x)],
    "turn": lambda x: np.roll(np.flip(x), 1),
    "square": lambda x: x * x,
    "sine": np.sin,
    "neighbours": lambda x: x * np.roll(x, 1),
    "groups": lambda x: np.sum(np.reshape(x[:len(x) // 2 * 2], (-1, 2)), axis=1),
    "join": lambda x: np.concatenate([x[:2] * x[-1], x]),
    "largest": lambda x: np.maximum(x, np.roll(x, 2)),
    "matrix": lambda x: np.array([[1.0, 0.5], [-0.5, 2.0]]) @ x[:2],
    "outer": lambda x: np.reshape(np.outer(x[:2], x[-3:]), -1),
    "write": lambda x: np.where(np.arange(len(x)) % 2 == 0, x, 1.0),
}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=5), st.sampled_from(["fwd", "rev"]))
def test_random_programs(names, mode):
    def function(x):
        for name in names:
            x = np.tanh(STEPS[name](x))  # or else it would grow without bounds
            if len(x) < 4:
                x = np.concatenate([x, x, np.cos(x), 0.5 * x])
        return x

    x = point(6)
    found = ta.jacobian(function, mode=mode, sparse=True)(x)
    np.testing.assert_allclose(found.toarray(), dense(function, x), rtol=1e-9, atol=1e-12)

    def scalar(x):
        return np.sum(np.sin(function(x)))

    np.testing.assert_allclose(ta.hessian(scalar, sparse=True)(x).toarray(), ta.hessian(scalar)(x), rtol=1e-8,
                               atol=1e-10)


# ---------------------------------------------------------------------- groups


@st.composite
def patterns(draw, symmetric=False):
    height = draw(st.integers(1, 9))
    width = height if symmetric else draw(st.integers(1, 9))
    bits = draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    pattern = np.reshape(bits, (height, width))
    return pattern | pattern.T if symmetric else pattern


@settings(max_examples=50, deadline=None)
@given(patterns())
def test_columns_of_a_group_share_no_row(pattern):
    colours = column_colours(sparse.csr_array(pattern))
    for colour in range(colours.max() + 1):
        assert pattern[:, colours == colour].sum(axis=1).max() <= 1
    assert set(colours) == set(range(colours.max() + 1))


@settings(max_examples=50, deadline=None)
@given(patterns(symmetric=True))
def test_star_groups_show_every_element(pattern):
    colours = star_colours(sparse.csr_array(pattern))
    for row, column in np.argwhere(pattern):
        if colours[row] >= colours[column]:
            assert pattern[row, colours == colours[column]].sum() == 1


def test_few_groups_are_enough():
    def count(function, n):
        return len(set(ta.sparsity(function)(point(n)).columns))

    assert [count(lambda x: x[1:] - x[:-1], n) for n in (5, 50, 500)] == [2, 2, 2]
    structure = ta.sparsity(ta.grad(rosenbrock))(point(100))
    assert len(set(structure.star)) == 3
    arrow = ta.sparsity(ta.grad(lambda x: x[0] * np.sum(x**2)))(point(100))
    assert (len(set(arrow.star)), len(set(arrow.columns))) == (2, 100)


# ---------------------------------------------------------------------- structures from call to call


def test_a_structure_is_found_once_for_each_set_of_shapes(monkeypatch):
    from tapead.sparse import compression

    asked = []
    monkeypatch.setattr(compression, "pattern_of", lambda *args, find=compression.pattern_of: asked.append(1) or
                        find(*args))
    derivative = ta.jacobian(lambda x: x[1:] * x[:-1], sparse=True)
    for n in (5, 5, 6, 5, 6):
        assert derivative(point(n)).shape == (n - 1, n)
    assert len(asked) == 2


def test_a_structure_that_fits_no_longer_is_found_anew():
    def function(x):
        return x * x[0] if x[0] > 0 else x * x[-1]

    derivative = ta.jacobian(function, sparse=True)
    x = point(5)
    for at in (abs(x), -abs(x), abs(x)):
        np.testing.assert_allclose(derivative(at).toarray(), ta.jacobian(function)(at), rtol=1e-14)


def test_what_the_caller_does_to_a_result_does_not_reach_the_next():
    derivative = ta.jacobian(lambda x: x * x[0], sparse=True)
    first = derivative(np.zeros(4))
    first.eliminate_zeros()
    assert first.nnz == 0
    x = point(4)
    np.testing.assert_allclose(derivative(x).toarray(), ta.jacobian(lambda x: x * x[0])(x))


def test_a_structure_can_be_given():
    x = point(6)
    structure = ta.sparsity(ta.grad(rosenbrock))(x)
    np.testing.assert_allclose(ta.hessian(rosenbrock, sparse=structure)(x).toarray(), ta.hessian(rosenbrock)(x))
    band = sparse.diags_array([1.0, 1.0, 1.0], offsets=[-1, 0, 1], shape=(6, 6))
    found = ta.jacobian(ta.grad(rosenbrock), sparse=band)(x)
    assert found.nnz == 16
    np.testing.assert_allclose(found.toarray(), ta.hessian(rosenbrock)(x))


def test_a_given_structure_that_does_not_fit_raises():
    x = point(4)
    with pytest.raises(ValueError, match=r"does not fit: it lacks 3 elements .*\(1, 0\) among them"):
        ta.jacobian(lambda x: x * x[0], sparse=np.eye(4))(x)
    with pytest.raises(ValueError, match=r"has shape \(3, 3\), the derivative \(4, 4\)"):
        ta.jacobian(np.sin, sparse=np.eye(3))(x)


def test_rounding_does_not_condemn_a_given_structure():
    x = point(4)
    found = ta.jacobian(lambda x: 1e9 * x + x[::-1] - 1e9 * x - x[::-1], sparse=np.fliplr(np.eye(4)) + np.eye(4))(x)
    np.testing.assert_allclose(found.toarray(), 0.0, atol=1e-6)


# ---------------------------------------------------------------------- arguments, containers, dtypes


def test_blocks_stand_in_the_structure_of_the_dense_jacobian():
    def function(weights, x):
        return {"a": weights["w"] * x, "b": (np.sum(weights["w"]), weights["c"])}

    weights = {"w": point(3), "c": np.float64(2.0)}
    found = ta.jacobian(function, (0, 1), sparse=True)(weights, point(3, seed=1))
    expected = ta.jacobian(function, (0, 1))(weights, point(3, seed=1))
    for pick, shape in [(lambda j: j["a"][0]["w"], (3, 3)), (lambda j: j["a"][1], (3, 3)),
                        (lambda j: j["b"][0][0]["w"], (1, 3)), (lambda j: j["b"][1][0]["c"], (1, 1))]:
        np.testing.assert_allclose(pick(found).toarray(), np.reshape(pick(expected), shape))
    hessians = ta.hessian(lambda x, y: np.sum(x * y[:3] ** 2), (0, 1), sparse=True)(point(3), point(4))
    dense_hessians = ta.hessian(lambda x, y: np.sum(x * y[:3] ** 2), (0, 1))(point(3), point(4))
    for i in range(2):
        for j in range(2):
            np.testing.assert_allclose(hessians[i][j].toarray(), dense_hessians[i][j])


def test_single_precision_stays_single():
    assert ta.jacobian(np.sin, sparse=True)(np.ones(3, np.float32)).dtype == np.float32
    assert ta.hessian(rosenbrock, sparse=True)(np.ones(3, np.float32)).dtype == np.float32


def test_keywords_and_pickles():
    derivative = pickle.loads(pickle.dumps(ta.jacobian(np.multiply, 1, sparse=True)))
    assert derivative(2.0, np.ones(3)).toarray().tolist() == (2 * np.eye(3)).tolist()
    assert ta.jacobian(lambda x, *, k: k * x, sparse=True)(np.ones(2), k=3.0).toarray().tolist() == [[3, 0], [0, 3]]
    assert "jacobian of" in repr(derivative)


def test_empty():
    assert ta.jacobian(np.sin, sparse=True)(np.zeros(0)).shape == (0, 0)
    assert ta.jacobian(lambda x: x[:0], sparse=True)(np.zeros(3)).shape == (0, 3)


def test_what_sparse_matrices_cannot_hold_raises():
    with pytest.raises(TypeError, match="jacobian: sparse derivatives are of real functions of real numbers"):
        ta.jacobian(np.sin, sparse=True)(np.ones(2) * 1j)
    with pytest.raises(TypeError, match="complex arguments or results"):
        ta.jacobian(np.fft.fft, sparse=True)(np.ones(2))
    with pytest.raises(NotImplementedError, match="hessian: a sparse derivative cannot be differentiated itself"):
        ta.grad(lambda x: ta.hessian(rosenbrock, sparse=True)(x).sum())(np.ones(3))


def test_infinite_elements_stay_where_they_are():
    def function(x):
        return np.sqrt(x) + np.concatenate([x[1:], x[:1]])

    derivative = ta.jacobian(function, sparse=True)
    x = np.array([0.0, 1.0, 4.0])
    for _ in range(2):
        with np.errstate(divide="ignore"):
            assert derivative(x).toarray().tolist() == [[np.inf, 1, 0], [0, 0.5, 1], [1, 0, 0.25]]


def test_without_scipy(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("tapead.sparse")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    with pytest.raises(ImportError, match=r"pip install \"tapead\[scipy\]\""):
        ta.jacobian(np.sin, sparse=True)


@pytest.mark.parametrize("transform", [ta.jacobian, ta.hessian])
def test_what_is_no_structure_is_refused_at_once(transform):
    with pytest.raises(TypeError, match=r"must be True, a structure from tapead\.sparsity, or a matrix.*not 'yes'"):
        transform(np.sum, sparse="yes")
