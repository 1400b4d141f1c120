"""Assignment, operators in place and views: the value NumPy gives, with the right derivative in both modes."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from agreement import check
from catalogue import difference, directions

import tapead as ta

X = np.array([0.5, -1.5, 2.0, 3.5])


def fill_by_element(x):
    y = np.zeros_like(x) * x
    for i in range(4):
        y[i] = x[i] ** 2 * (i + 1)
    return y


def recurrence(x):
    y = x * 1.0
    for i in range(1, 4):
        y[i] = y[i - 1] * x[i] + 0.5
    return y


def slices(x):
    y = x * 2.0
    y[1:3] = x[:2] * x[2:]
    return y * y


def broadcast_value(x):
    y = np.stack([x, x * 3.0])
    y[:, 1:3] = x[0] * x[1]
    y[1] = x**2
    return y


def mask(x):
    y = x * 1.0
    y[y > 0.6] += 10 * x[0] * y[1]
    return y * x


def repeated_indices_last_wins(x):
    y = x * 1.0
    y[[0, 0, 3]] = x[:3] * x[1:]
    return y**2


def operators(x):
    y = x * 1.0
    z = y
    y += x
    y *= x
    y -= 1.5
    y /= x + 10.0
    y **= 2
    return z + y


def through_a_view(x):
    y = x * 2.0
    v = y[:2]
    v *= 3.0
    v[0] = x[3] * v[1]
    return y * x


def view_sees_the_whole(x):
    y = x * 2.0
    v = y[1:]
    y[2] = x[0] ** 3
    return v * v


def views_of_views(x):
    y = x * 1.0
    square = y.reshape(2, 2)
    row = square.T[1]
    row += x[:2]
    square[0, 0] = row[1] * x[2]
    y[3] *= x[1]
    return y * x + np.sum(row**2)


def diagonal_and_ravel(x):
    y = np.outer(x, x)
    flat = y.ravel()
    np.fill_diagonal(y, x**3)
    flat[1] = 7.0 * x[0]
    return y


def add_at(x):
    y = x * 1.0
    np.add.at(y, [0, 0, 2], x[1:] ** 2)
    np.subtract.at(y, 3, x[0])
    return y * y


def out_argument(x):
    y = x * 1.0
    np.multiply(y, x, out=y)
    np.sum(np.stack([y, x]), axis=0, out=y)
    return y


def named_functions(x):
    y = x * 1.0
    np.copyto(y, x**2, where=X > 0)
    np.put(y, [1], x[0] * 5.0)
    np.putmask(y, X > 3, y * x)
    np.place(y, X < -1, x[2:3])
    np.put_along_axis(y, np.array([2]), x[:1] * 2.0, axis=0)
    return y


def fill_and_sort(x):
    y = x * x[0]
    z = x * 1.0
    z.fill(x[1])
    y.sort()
    return y * z


def swap(x):
    y = x * x
    y[0], y[1] = y[1], y[0]
    y[2:] = y[2:][::-1]
    return y * x


def a_view_that_was_read_is_written_through(x):
    y = x * 1.0
    v = y.reshape(2, 2).T
    y *= 3.0
    v *= x[0]  # the product remembers what the view held
    v *= v
    return y


def through_another_order_in_memory(x):
    y = np.copy(np.outer(x, x), order="F")
    flat = np.ravel(y, order="K")
    flat[1:6] *= x[2]
    y[1] *= flat[1]
    return y


def ravel_of_what_lies_apart_is_a_copy(x):
    y = np.outer(x, x)
    column = y[:, 1].ravel()
    column[0] = 7.0
    backwards = x[::-1].ravel()
    backwards *= x[3]
    return y * column * backwards


def order_in_memory_stays(x):
    y = np.outer(x, x).T * 1.0
    y *= np.ascontiguousarray(np.ones((4, 4)))
    np.matmul(y, np.diag(np.arange(4.0)), out=y)
    flat = np.ravel(y, order="C")
    flat[0] = 50.0  # of a copy
    return y * flat[0]


PROGRAMS = [a_view_that_was_read_is_written_through, through_another_order_in_memory, order_in_memory_stays,
            ravel_of_what_lies_apart_is_a_copy, fill_by_element, recurrence, slices, broadcast_value, mask,
            repeated_indices_last_wins, operators, through_a_view, view_sees_the_whole, views_of_views,
            diagonal_and_ravel, add_at, out_argument, named_functions, fill_and_sort, swap]


@pytest.fixture(params=PROGRAMS, ids=[program.__name__ for program in PROGRAMS])
def program(request):
    return request.param


def test_the_value_is_numpys(program):
    x = X.copy()
    np.testing.assert_allclose(ta.jvp(program, (x,), (x,))[0], program(X.copy()), rtol=1e-15)
    np.testing.assert_array_equal(x, X)


def test_both_modes_agree_with_differences(program):
    direction = directions((X,))
    out, tangent = ta.jvp(program, (X,), direction)
    np.testing.assert_allclose(tangent, difference(program, (X,), direction), rtol=1e-7, atol=1e-7)
    cotangent = directions((out,), seed=2)[0]
    (pulled,) = ta.vjp(program, X)[1](cotangent)
    np.testing.assert_allclose(np.sum(pulled * direction[0]), np.sum(tangent * cotangent), rtol=1e-12)


def test_second_order(program):
    def scalar(x):
        return np.sum(np.sin(0.1 * program(x)))

    direction = directions((X,))[0]
    expected = difference(lambda x: ta.grad(scalar)(x), (X,), (direction,))
    np.testing.assert_allclose(ta.hvp(scalar, X, direction), expected, rtol=1e-6, atol=1e-6)
    reverse_twice = ta.grad(lambda x: np.sum(ta.grad(scalar)(x) * direction))(X)
    np.testing.assert_allclose(reverse_twice, expected, rtol=1e-6, atol=1e-6)


def test_what_was_computed_before_a_write_keeps_what_it_saw():
    x = ta.tensor(X, requires_grad=True)
    y = x * 1.0
    z = y * y
    y[0] = 100.0
    z.sum().backward()
    np.testing.assert_array_equal(x.grad.data, 2 * X)


def test_a_leaf_cannot_be_written_into_while_recording():
    w = ta.tensor([1.0, 2.0], requires_grad=True)
    for write in (lambda: w.__setitem__(0, 3.0), lambda: w.__iadd__(1.0), lambda: w[:1].__imul__(2.0),
                  lambda: w.fill(0.0), lambda: np.multiply(w, 2.0, out=w)):
        with pytest.raises(RuntimeError, match="leaf that requires a gradient"):
            write()
    assert w.tolist() == [1.0, 2.0]
    with ta.no_grad():
        w -= 0.5
        w[1] = 9.0
    assert w.tolist() == [0.5, 9.0] and w.is_leaf and w.requires_grad
    (w * w).sum().backward()
    assert w.grad.tolist() == [1.0, 18.0]


def test_a_graph_recorded_before_an_update_is_not_changed_by_it():
    w = ta.tensor([1.0, 2.0], requires_grad=True)
    loss = (w**3).sum()
    with ta.no_grad():
        w *= 100.0
    loss.backward()
    assert w.grad.tolist() == [3.0, 12.0]


@pytest.mark.parametrize("write", [
    lambda y: y.__imul__(5.0),
    lambda y: y.__setitem__(slice(None), y.data * 5.0),
    lambda y: np.multiply(y, 5.0, out=y),
])
def test_a_result_that_is_changed_without_recording_stays_where_it_was_on_the_tape(write):
    """As in PyTorch: the sweep does not see the write, and goes on to what the result was made of."""
    def rounded(x):
        y = x * 2.0
        with ta.no_grad():
            write(y)
        return np.sum(y * y)

    x = ta.tensor(X, requires_grad=True)
    rounded(x).backward()
    np.testing.assert_array_equal(x.grad.data, 2 * (10 * X) * 2)
    np.testing.assert_array_equal(ta.grad(rounded)(X), 2 * (10 * X) * 2)
    np.testing.assert_array_equal(ta.jvp(rounded, (X,), (np.ones(4),))[1], np.sum(2 * (10 * X) * 2))


def test_an_array_of_the_users_is_not_written_into():
    x = X.copy()
    gradient = ta.grad(lambda y: np.sum(_written(y)))(x)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(gradient, [0.0, 1.0, 1.0, 1.0])


def _written(y):
    y[0] = 7.0
    return y


def test_a_computed_number_is_immutable_as_in_numpy():
    x = ta.tensor(X, requires_grad=True)
    total = x[0]
    before = total
    total += x[1]
    assert before.item() == X[0] and total.item() == X[0] + X[1]


@pytest.mark.parametrize("write", [
    lambda y, v: y.__setitem__(..., v),
    lambda y, v: y.__setitem__(slice(None), v),
    lambda y, v: y.__setitem__([0, 0, 3, 1], v),
    lambda y, v: y[::-1].__setitem__(..., v),
    lambda y, v: np.copyto(y, v),
])
def test_axes_of_length_one_in_front_are_left_out_as_in_numpy(write):
    def written(x, v):
        y = x * 1.0
        write(y, v)
        return y * y

    v = X[None, None] + 5.0
    check(written, X, v)
    assert ta.vjp(written, X, v)[1](np.ones(4))[1].shape == (1, 1, 4)


@pytest.mark.parametrize(("write", "error", "message"), [
    (lambda y: y.__setitem__(0, 1j), TypeError, "imaginary"),
    (lambda y: y.__setitem__(slice(2), [1.0, 2.0, 3.0]), ValueError, "broadcast"),
    (lambda y: y.__setitem__(9, 1.0), IndexError, "out of bounds"),
    (lambda y: y.__iadd__(np.ones((2, 4))), ValueError, "shape"),
    (lambda y: np.broadcast_to(y, (2, 4)).__setitem__((0, 0), 1.0), ValueError, "read-only"),
    (lambda y: y.__iadd__(1j), TypeError, "lose its imaginary part"),
    (lambda y: np.mean(y, out=y), ValueError, r"has shape \(\) and dtype float64, the tensor to write into \(4,\)"),
    (lambda y: np.cumsum(y * 1j, out=y), ValueError, "dtype complex128"),
    (lambda y: np.add(y, np.ones((1, 4)), out=y), ValueError, r"has shape \(1, 4\), the tensor to write into \(4,\)"),
    (lambda y: np.multiply(y, 1j, out=y), TypeError, "cannot cast the result from complex128 to float64"),
    (lambda y: np.add(ta.tensor(y.data), 0.5, out=ta.tensor([1, 2, 3, 4])), TypeError, "cannot cast the result"),
    (lambda y: ta.tensor([1, 2]).__iadd__(1.5), TypeError, "lose its fractional part"),
    (lambda y: np.add(y, 1.0, out=np.zeros(4)), NotImplementedError, "out="),
])
def test_an_impossible_write_raises_and_changes_nothing(write, error, message):
    x = ta.tensor(X, requires_grad=True)
    y = x * 1.0
    with pytest.raises(error, match=message):
        write(y)
    np.testing.assert_array_equal(y.data, X)
    (gradient,) = ta.gradients(y.sum(), x)
    np.testing.assert_array_equal(gradient.data, np.ones(4))


def test_a_view_made_without_recording_cannot_be_written_through_unseen():
    x = ta.tensor(X, requires_grad=True)
    y = x * 2.0
    with ta.no_grad():
        view = y[:2]
    with pytest.raises(RuntimeError, match="no_grad"):
        view[...] = 3.0
    with pytest.raises(RuntimeError, match="no_grad"):
        view *= 3.0
    np.testing.assert_array_equal(y.data, 2 * X)


def test_zeros_are_seen_through_views():
    x = ta.tensor(X, requires_grad=True)
    y = x * 2.0
    part = y[:2]
    part.zero_()
    assert y.tolist() == [0.0, 0.0, 4.0, 7.0]
    (y * y).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 16.0, 28.0]
    y.zero_()
    assert part.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("take", [lambda y: y[1, ...], lambda y: y[1], lambda y: y[:1].reshape(()),
                                  lambda y: np.squeeze(y[:1])])
def test_an_element_is_a_number_and_no_view(take):
    """What NumPy would write into the array, or refuse for a number."""
    y = ta.tensor(X, requires_grad=True) * 2.0
    for write in (lambda v: v.__setitem__(..., 9.0), lambda v: v.fill(9.0), lambda v: np.multiply(v, 2.0, out=v),
                  lambda v: np.copyto(v, 9.0), lambda v: v.zero_()):
        with pytest.raises(TypeError, match="is a number here, no view of it; write into the tensor"):
            write(take(y))
    y[1, ...] *= 2.0
    np.testing.assert_array_equal(y.data, 2 * X * [1, 2, 1, 1])


def test_tracked_values_do_not_vanish_in_integers_or_plain_arrays():
    x = ta.tensor(1.5, requires_grad=True)
    with pytest.raises(TypeError, match="lose it"):
        ta.tensor([1, 2])[0] = x
    with pytest.raises((TypeError, ValueError), match=r"sequence|graph"):  # NumPy's own words, ours are its cause
        np.zeros(2)[0] = x
    with pytest.raises(TypeError, match="graph"):
        np.copyto(np.zeros(2), np.stack([x, x]))


def test_filling_element_by_element_copies_nothing():
    x = ta.tensor(0.5, requires_grad=True)
    y = np.zeros(2000) * x
    y[0] = x
    memory = y.data.ctypes.data
    for i in range(1, 2000):
        y[i] = y[i - 1] * 0.999 + x
    assert y.data.ctypes.data == memory
    y[-1].backward()
    np.testing.assert_allclose(x.grad.item(), sum(0.999**k for k in range(2000)), rtol=1e-12)
    del y
    gc.collect()
