"""The operators of tensors against NumPy's, with everything that may stand on the other side."""

from __future__ import annotations

import operator
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import tapead as ta

X = np.array([1.5, -2.25, 3.0])
BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.mod, operator.pow]
OTHERS = [2, 2.5, np.float64(2.5), np.float32(2.5), np.int64(2), np.int8(2), True, np.array(2.5),
          np.array([2.0, 3.0, 0.5]), np.array([2, 3, 1]), np.array([[2.0], [0.5]]), np.ones(3, np.float32),
          [2.0, 3.0, 0.5], (2, 3, 1)]
names = pytest.mark.parametrize("compute", BINARY, ids=lambda compute: compute.__name__)
others = pytest.mark.parametrize("other", OTHERS, ids=lambda other: f"{type(other).__name__}{np.shape(other)}")


def value(x):
    """The plain value, with lists as arrays: NumPy has no operators on lists."""
    x = x.data if isinstance(x, ta.Tensor) else x
    return np.array(x) if isinstance(x, (list, tuple)) else x


def slope(function, x):
    """Directional derivative in the direction of ones, by central differences."""
    return (function(x + 1e-6) - function(x - 1e-6)) / 2e-6


@names
@others
@pytest.mark.parametrize("reflected", [False, True])
@pytest.mark.parametrize("x", [X, np.float64(1.5), X.astype(np.float32)], ids=["array", "number", "float32"])
def test_binary_operators(compute, other, reflected, x):
    if compute is operator.pow:
        x = np.abs(x)  # fractional powers of negative numbers are NaN
    function = (lambda x: compute(other, x)) if reflected else (lambda x: compute(x, other))
    plain = (lambda x: compute(value(other), x)) if reflected else (lambda x: compute(x, value(other)))
    tracked = ta.tensor(x, requires_grad=True)
    result = function(tracked)
    assert isinstance(result, ta.Tensor) and result.requires_grad
    np.testing.assert_array_equal(result.data, plain(x))
    assert result.dtype == plain(x).dtype
    gradient, = ta.gradients(result, tracked, np.ones_like(result.data))
    assert gradient.dtype == x.dtype and gradient.shape == x.shape
    if compute is operator.mod:
        return  # its jumps are tested elsewhere
    wide = np.asarray(x, float)[()]
    np.testing.assert_allclose(np.sum(gradient.data), np.sum(slope(plain, wide)), rtol=1e-5)


@names
def test_operators_between_tensors(compute):
    x, y = np.array([1.5, 2.25]), np.array([[0.7], [2.0]])
    a, b = ta.tensor(x, requires_grad=True), ta.tensor(y, requires_grad=True)
    result = compute(a, b)
    np.testing.assert_array_equal(result.data, compute(x, y))
    ga, gb = ta.gradients(result, (a, b), np.ones((2, 2)))
    assert ga.shape == (2,) and gb.shape == (2, 1)
    np.testing.assert_allclose(np.sum(ga.data), np.sum(slope(lambda x: compute(x, y), x)), rtol=1e-7)
    np.testing.assert_allclose(np.sum(gb.data), np.sum(slope(lambda y: compute(x, y), y)), rtol=1e-7)


@pytest.mark.parametrize("x", [X, np.float64(-1.5)], ids=["array", "number"])
def test_unary_operators(x):
    tracked = ta.tensor(x, requires_grad=True)
    for compute, partial in [(operator.neg, -1.0), (operator.pos, 1.0), (abs, np.sign(x))]:
        result = compute(tracked)
        np.testing.assert_array_equal(result.data, compute(x))
        gradient, = ta.gradients(result, tracked, np.ones_like(x))
        np.testing.assert_array_equal(gradient.data, np.broadcast_to(partial, np.shape(x)))


@others
@pytest.mark.parametrize("reflected", [False, True])
def test_floor_division_is_untracked(other, reflected):
    tracked = ta.tensor(X, requires_grad=True)
    result = other // tracked if reflected else tracked // other
    expected = value(other) // X if reflected else X // value(other)
    assert not getattr(result, "requires_grad", False)
    np.testing.assert_array_equal(value(result), expected)
    assert not (tracked // tracked).requires_grad
    assert ta.grad(lambda x: x // 0.7 + x)(2.0) == 1


@others
@pytest.mark.parametrize("reflected", [False, True])
def test_divmod(other, reflected):
    tracked = ta.tensor(X, requires_grad=True)
    quotient, remainder = divmod(other, tracked) if reflected else divmod(tracked, other)
    expected = divmod(value(other), X) if reflected else divmod(X, value(other))
    np.testing.assert_array_equal(value(quotient), expected[0])
    np.testing.assert_array_equal(value(remainder), expected[1])
    assert remainder.requires_grad and not quotient.requires_grad


def test_matrix_products():
    a, b = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[0.5, -1.0], [2.0, 0.25]])
    for left in (a, ta.tensor(a, requires_grad=True), a.tolist(), a.astype(np.float32)):
        for right in (b, ta.tensor(b, requires_grad=True), b.tolist()):
            if isinstance(left, ta.Tensor) or isinstance(right, ta.Tensor):
                result = left @ right
                assert result.requires_grad
                np.testing.assert_array_equal(result.data, a @ b)
    with pytest.raises(ValueError):
        ta.tensor(a) @ np.ones(3)
    with pytest.raises(ValueError):
        ta.tensor(a) @ 2.0


@pytest.mark.parametrize("other", [None, "a", b"a", {}, {1}, object()], ids=lambda other: type(other).__name__)
@pytest.mark.parametrize("compute", [*BINARY, operator.floordiv, operator.matmul, divmod], ids=lambda f: f.__name__)
def test_what_is_no_number_raises_type_error(compute, other):
    tracked = ta.tensor(X, requires_grad=True)
    with pytest.raises(TypeError):
        compute(tracked, other)
    if not (compute is operator.mod and isinstance(other, (str, bytes))):  # "..." % x is string formatting
        with pytest.raises(TypeError):
            compute(other, tracked)


@pytest.mark.parametrize("other", [Decimal("1.5"), Fraction(1, 2), np.array([1, None, 2]), np.array(["a", "b"]),
                                   [1.0, "a", 2.0], [ta.tensor(1.0), 2.0, 3.0]],
                         ids=lambda other: type(other).__name__)
def test_arrays_of_objects_are_never_made(other):
    tracked = ta.tensor(X, requires_grad=True)
    for call in (lambda: tracked + other, lambda: other + tracked, lambda: np.multiply(tracked, other)):
        with pytest.raises(TypeError):
            call()


@others
@pytest.mark.parametrize("compute", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne],
                         ids=lambda compute: compute.__name__)
def test_comparisons_are_plain(compute, other):
    tracked = ta.tensor(X, requires_grad=True)
    for result, expected in [(compute(tracked, other), compute(X, value(other))),
                             (compute(tracked, ta.tensor(other)), compute(X, value(other)))]:
        assert isinstance(result, np.ndarray) and result.dtype == bool
        np.testing.assert_array_equal(result, expected)
    if not isinstance(other, (list, tuple)):
        np.testing.assert_array_equal(compute(other, tracked), compute(other, X))


def test_comparisons_of_numbers_decide():
    x = ta.tensor(1.5, requires_grad=True)
    assert x > 1 and x < 2 and x == 1.5 and x != 2 and not x < x
    assert (x == None) is False and (x != None) is True  # noqa: E711 -- what == does with None is the point
    with pytest.raises(TypeError):
        x < None  # noqa: B015 -- the comparison is the point


def test_augmented_assignment_is_seen_under_every_name_as_in_numpy():
    x = ta.tensor(X, requires_grad=True)
    y = x * 1.0
    before = y
    y += 1
    y *= x
    y -= 0.5
    y /= 2.0
    y **= 2
    assert before is y
    np.testing.assert_array_equal(x.data, X)
    np.testing.assert_allclose(y.data, (((X + 1) * X - 0.5) / 2) ** 2)
    gradient, = ta.gradients(y, x, np.ones(3))
    np.testing.assert_allclose(gradient.data, ((X + 1) * X - 0.5) / 2 * (2 * X + 1), rtol=1e-14)


def test_python_integers_of_any_size():
    x = ta.tensor(X, requires_grad=True)
    np.testing.assert_array_equal((x * 10**30).data, X * 1e30)
    assert ta.grad(lambda x: x * 10**30)(1.0) == 1e30
    assert ta.grad(lambda x: x ** (2**40))(1.0) == 2.0**40


@pytest.mark.parametrize("compute", [operator.add, operator.mul, operator.truediv, operator.pow],
                         ids=lambda compute: compute.__name__)
def test_operators_without_history_are_not_recorded(compute):
    x = ta.tensor(np.abs(X), requires_grad=True)
    with ta.no_grad():
        assert not compute(x, 2.0).requires_grad and not compute(2.0, x).requires_grad
    assert not compute(x.detach(), 2.0).requires_grad
