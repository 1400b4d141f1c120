"""What tapead offers to other people's test suites."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import tapead as ta
from tapead import testing


def test_a_derivative_wrong_on_one_side_only_is_found_and_shrunk():
    def wrong(x):
        return np.where(x < -1, 1.001, 1.0) * np.cos(x)

    found = testing.find_counterexample(np.sin, (-4.0, 4.0), jac=wrong)
    assert found.inputs[0] < -1
    assert found.report.verdict == "fail"
    assert "ta.gradcheck(sin, (-" in found.reproduction and "jac=wrong" in str(found)


def test_a_right_derivative_has_no_counterexample():
    assert testing.find_counterexample(lambda x, y: x * np.sin(y), [(-2.0, 2.0), (-2.0, 2.0)], max_examples=40) is None
    assert testing.find_counterexample(np.log, (0.0, 10.0), max_examples=60) is None


def test_a_strategy_of_arrays_can_be_searched():
    found = testing.find_counterexample(lambda x: np.sum(x**2), testing.arrays((2,), low=-5.0, high=5.0),
                                        jac=lambda x: 2 * np.abs(x))
    assert np.any(found.inputs[0] < 0)


@given(testing.arrays(testing.shapes(), low=0.0, high=2.0))
def test_values_lie_in_the_open_interval(array):
    assert np.all((np.asarray(array) > 0) & (np.asarray(array) < 2))


def test_a_function_is_checked_when_it_is_defined():
    with pytest.raises(ta.GradcheckError):
        testing.gradchecked(0.5, jac=lambda x: 2 * np.cos(x))(np.sin)

    @testing.gradchecked(0.5)
    def f(x):
        """What it was."""
        return np.exp(x)

    assert f(0.0) == 1.0 and f.__doc__ == "What it was." and f.gradcheck_report
