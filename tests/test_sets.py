"""Arrays as sets: whose derivative an element has that is there twice."""

from __future__ import annotations

import numpy as np
import pytest
from agreement import check, draw

import tapead as ta

X = np.array([[3.0, 1.0], [3.0, 2.0]])


def gradient(function, *arrays):
    return [part.tolist() for part in ta.grad(function, tuple(range(len(arrays))))(*arrays)]


def test_of_equal_elements_the_first_counts():
    for function in (np.unique, np.unique_values, lambda x: np.unique_all(x).values,
                     lambda x: np.unique(x, sorted=False), lambda x: np.union1d(x, x[:0])):
        assert gradient(lambda x, f=function: np.sum(f(x) ** 2), X) == [[[6, 2], [0, 4]]]


def test_an_element_of_an_intersection_belongs_half_to_each():
    assert gradient(lambda x, y: np.sum(np.intersect1d(x, y) ** 2), X, np.array([2.0, 5.0, 3.0])) == [
        [[3, 0], [0, 2]], [2, 0, 3]]


def test_differences_of_sets():
    assert gradient(lambda x, y: np.sum(np.setdiff1d(x, y) ** 2), X, np.array([2.0])) == [[[6, 2], [0, 0]], [0]]
    assert gradient(lambda x, y: np.sum(np.setxor1d(x, y) ** 2), X, np.array([2.0, 7.0])) == [[[6, 2], [0, 0]], [0, 14]]


def test_what_is_not_a_value_is_plain():
    x = ta.tensor(X, requires_grad=True)
    found = np.unique_all(x)
    assert type(found).__name__ == type(np.unique_all(X)).__name__ == "UniqueAllResult"
    for part, expected in zip(found[1:], np.unique_all(X)[1:], strict=True):
        assert type(part) is np.ndarray
        np.testing.assert_array_equal(part, expected)
    common, first, second = np.intersect1d(x, [2.0, 9.0], return_indices=True)
    assert (common.data.tolist(), first.tolist(), second.tolist()) == ([2.0], [3], [0])


@pytest.mark.parametrize("function", [np.union1d, np.intersect1d, np.setdiff1d, np.setxor1d],
                         ids=lambda function: function.__name__)
def test_empty_sets(function):
    nothing, x = ta.tensor(np.zeros(0), requires_grad=True), ta.tensor(X, requires_grad=True)
    for first, second in ((nothing, nothing), (nothing, x), (x, nothing)):
        expected = function(first.data, second.data)
        np.testing.assert_array_equal(function(first, second).data, expected)


def test_sets_of_numbers_that_are_not_numbers():
    x = np.array([np.nan, 1.0, np.nan, 0.5])
    for function in (np.unique, np.unique_values, lambda x: np.unique(x, equal_nan=False)):
        np.testing.assert_array_equal(function(ta.tensor(x, requires_grad=True)).data, function(x))


def test_complex_elements():
    check(np.unique, draw(4) + 1j * draw(4, seed=2))
