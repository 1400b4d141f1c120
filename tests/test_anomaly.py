"""detect_anomaly: names the first operation that made a NaN or an infinity, and ignores what reaches no result."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import tapead as ta


@pytest.fixture(autouse=True)
def quiet_numpy():
    with np.errstate(all="ignore"):
        yield


def test_a_value_is_found_at_the_operation_that_made_it():
    def f(x):
        shifted = x - 2.0
        logarithm = np.log(shifted)
        return np.sum(logarithm * 3.0)

    with pytest.raises(ta.AnomalyError) as caught, ta.detect_anomaly():
        ta.grad(f)(np.array([3.0, 2.0, 5.0]))
    message = str(caught.value)
    assert "log made -inf at index 1 from finite numbers, x = 0.0" in message
    assert __file__ in message
    assert "logarithm = np.log(shifted)" in message


def test_all_operands_are_named():
    x = ta.tensor([[1.0, 2.0], [0.0, 4.0]], requires_grad=True)
    message = r"divide made nan at index \(1, 0\) from finite numbers, x1 = 0\.0, x2 = 0\.0"
    with pytest.raises(ta.AnomalyError, match=message), ta.detect_anomaly():
        (x / np.array([[1.0], [0.0]])[:, :1])[:, 0].sum().backward()


def test_a_derivative_is_found_where_the_value_is_finite():
    message = r"the derivative of sqrt is infinite: the gradient inf of its input x = 0\.0 at index 2 came from finite"
    with pytest.raises(ta.AnomalyError, match=message), ta.detect_anomaly():
        ta.grad(lambda x: np.sum(np.sqrt(x) * 2.0))(np.array([1.0, 4.0, 0.0]))


def test_forward_mode_is_watched_too():
    message = r"the derivative of sqrt is infinite: the tangent inf from its input x = 0\.0"
    with pytest.raises(ta.AnomalyError, match=message), ta.detect_anomaly():
        ta.jvp(lambda x: np.sqrt(x) + 1.0, (0.0,), (1.0,))
    with pytest.raises(ta.AnomalyError, match="log made -inf from finite numbers"), ta.detect_anomaly():
        ta.jvp(np.log, (0.0,), (1.0,))


def test_backward_and_gradients():
    x = ta.tensor(-1.0, requires_grad=True)
    for sweep in (lambda y: y.backward(), lambda y: ta.gradients(y, x), lambda y: y.backward(create_graph=True)):
        with pytest.raises(ta.AnomalyError, match="log made nan"), ta.detect_anomaly():
            sweep(np.log(x) * 2.0)


def test_second_derivatives():
    with pytest.raises(ta.AnomalyError, match="infinite"), ta.detect_anomaly():
        ta.grad(ta.grad(lambda x: x**1.5))(0.0)


def test_what_is_masked_is_ignored():
    def f(x):
        return np.sum(np.where(x > 0, np.log(x) * np.sqrt(x), 0.0))

    x = np.array([-1.0, 0.0, 1.0])
    with ta.detect_anomaly():
        watched = ta.grad(f)(x)
        forward = ta.jvp(f, (x,), (np.ones(3),))
    assert watched.tolist() == [0.0, 0.0, 1.0]
    assert forward == (0.0, 1.0)


def test_what_is_left_at_the_end_of_the_block_is_looked_at():
    x = ta.tensor(0.0, requires_grad=True)
    with pytest.raises(ta.AnomalyError, match="log made -inf"), ta.detect_anomaly():
        y = np.log(x) * 3.0
    assert y.item() == -np.inf


def test_what_came_in_broken_is_not_blamed_on_anybody():
    x = ta.tensor([np.nan, 1.0], requires_grad=True)
    with ta.detect_anomaly():
        (np.sin(x) * 2.0).sum().backward()
        y = x * np.inf
    assert np.isnan(x.grad.data[0]) and y.shape == (2,)


def test_large_arrays_are_kept_for_the_search():
    values = np.linspace(-1.0, 1.0, 100_001)
    x = ta.tensor(values, requires_grad=True)
    message = r"sqrt made nan at index 0 from finite numbers, x = -1\.0"
    with pytest.raises(ta.AnomalyError, match=message), ta.detect_anomaly():
        ((np.sqrt(x) + 1.0) * 2.0).sum().backward()


def test_an_overflow_is_an_anomaly():
    with pytest.raises(ta.AnomalyError, match=r"exp made inf from finite numbers, x = 1000\.0"), ta.detect_anomaly():
        ta.grad(lambda x: 1.0 / (1.0 + np.exp(x)) + np.exp(x))(1000.0)


def test_nothing_changes_for_finite_numbers_or_outside():
    def f(x):
        return np.sum(np.tanh(x @ x) * np.sort(x, axis=0))

    x = np.arange(9.0).reshape(3, 3) / 10
    expected = ta.grad(f)(x)
    with ta.detect_anomaly():
        np.testing.assert_allclose(ta.grad(f)(x), expected, rtol=1e-13)
        np.testing.assert_allclose(ta.hessian(f)(x), ta.jacobian(ta.grad(f))(x), rtol=1e-10, atol=1e-14)
    assert ta.grad(np.sqrt)(0.0) == np.inf


def test_errors_inside_the_block_come_out_as_they_are():
    x = ta.tensor(0.0, requires_grad=True)
    with pytest.raises(KeyError), ta.detect_anomaly():
        y = np.log(x)
        raise KeyError
    assert y.item() == -np.inf
    assert ta.grad(np.sqrt)(0.0) == np.inf


def test_it_is_a_decorator_and_watches_its_own_thread_alone():
    @ta.detect_anomaly()
    def watched(x):
        return ta.grad(np.sqrt)(x)

    with pytest.raises(ta.AnomalyError):
        watched(0.0)
    found = []
    with ta.detect_anomaly():
        thread = threading.Thread(target=lambda: found.append(ta.grad(np.sqrt)(0.0)))
        thread.start()
        thread.join()
    assert found == [np.inf]


def test_a_value_that_was_written_is_followed_to_where_it_was_made():
    def f(x):
        y = x * 1.0
        part = y[1:]
        part[0] = np.log(y[0] * 0.0)
        return np.sum(y * 2.0)

    with np.errstate(all="ignore"), pytest.raises(ta.AnomalyError, match=r"log made -inf from finite numbers, x = 0"), \
            ta.detect_anomaly():
        ta.grad(f)(np.array([1.0, 2.0, 3.0]))


def test_a_function_of_numpys_that_no_line_calls_is_blamed_on_the_sweep():
    for transform in (lambda: ta.jvp(np.sqrt, (0.0,), (1.0,)), lambda: ta.grad(np.sqrt)(0.0)):
        with pytest.raises(ta.AnomalyError, match=r"test_anomaly.py:\d+"), ta.detect_anomaly():
            transform()
