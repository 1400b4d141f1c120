"""What tapead offers to other people's test suites."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import tapead as ta
from tapead import testing
from tapead.registry import PRIMITIVES
from tapead.testing.reproduction import reproduce

# ---------------------------------------------------------------------- strategies


@settings(max_examples=60)
@given(testing.arrays(testing.shapes(), low=0.0, high=2.0))
def test_values_lie_in_the_open_interval(array):
    assert np.all((np.asarray(array) > 0) & (np.asarray(array) < 2))


@settings(max_examples=60)
@given(testing.numbers(-1.0, 3.0, np.float32))
def test_numbers_of_single_precision_are_representable_and_inside(value):
    assert np.float32(value) == value and -1 < value < 3


@pytest.mark.parametrize(("low", "high", "wanted"), [
    (-np.inf, np.inf, lambda x: x == 0 and np.signbit(x)), (-np.inf, np.inf, lambda x: 0 < abs(x) < 2.3e-308),
    (-np.inf, np.inf, lambda x: x == 1e150), (0.0, np.inf, lambda x: x == 1e-150), (0.0, np.inf, lambda x: x > 1e6),
    (-1.0, 1.0, lambda x: 0 < 1 - x < 1e-11), (100.0, 101.0, lambda x: 0 < x - 100 < 1e-9),
    (-np.inf, 2.0, lambda x: 0 < 2 - x < 1e-11), (1e7, np.inf, lambda x: x > 2e7),
])
def test_hard_numbers_are_drawn(low, high, wanted):
    assert wanted(find(testing.numbers(low, high), wanted))


@pytest.mark.parametrize("wanted", [
    lambda x: x.ndim == 0, lambda x: x.size == 0, lambda x: not x.flags.c_contiguous and not x.flags.f_contiguous,
    lambda x: x.flags.f_contiguous and not x.flags.c_contiguous, lambda x: x.ndim and x.strides[-1] < 0,
    lambda x: x.size > 2 and np.ptp(x) == 0 != x.flat[0], lambda x: x.dtype == np.float32,
])
def test_arrays_of_every_kind_are_drawn(wanted):
    strategy = testing.arrays(testing.shapes(), testing.dtypes())
    assert wanted(np.asarray(find(strategy, lambda x: wanted(np.asarray(x)))))


@settings(max_examples=60)
@given(st.data())
def test_complex_arrays_and_broadcastable_shapes(data):
    first, second = data.draw(testing.broadcastable_shapes(2))
    dtype = data.draw(testing.dtypes(imaginary=True))
    array = data.draw(testing.arrays(first, dtype))
    assert np.asarray(array).dtype == dtype and np.shape(array) == first
    np.broadcast_shapes(first, second)


@pytest.mark.parametrize("name", ["log", "arctanh", "arctan2", "sum", "matmul", "sort"])
def test_calls_stay_within_what_the_catalogue_declares(name):
    primitive = PRIMITIVES[name]

    @settings(max_examples=25)
    @given(testing.calls(name, testing.dtypes()))
    def check(call):
        inputs, keywords = call
        for value, (low, high) in zip(inputs, primitive.domain, strict=False):
            assert np.all((value > low) & (value < high))
        with np.errstate(all="ignore"):
            primitive.kernel(*inputs, **keywords)

    check()


def test_mistakes_in_strategies_are_explained():
    with pytest.raises(ValueError, match="no interval"):
        testing.numbers(2.0, 1.0)
    with pytest.raises(LookupError, match="did you mean"):
        find(testing.calls("sinn"), bool)
    with pytest.raises(TypeError, match="expected a Hypothesis strategy, an interval"):
        testing.find_counterexample(np.sin, ["a", "b"])


# ---------------------------------------------------------------------- the search


def test_a_derivative_wrong_on_one_side_only_is_found_and_shrunk():
    def wrong(x):
        return np.where(x < -1, 1.001, 1.0) * np.cos(x)

    found = testing.find_counterexample(np.sin, (-4.0, 4.0), jac=wrong)
    assert found.inputs[0] < -1
    assert found.report.verdict == "fail"
    assert "ta.gradcheck(np.sin, (-" in found.reproduction and "jac=wrong" in str(found)


def test_a_right_derivative_has_no_counterexample():
    assert testing.find_counterexample(lambda x, y: x * np.sin(y), [(-2.0, 2.0), (-2.0, 2.0)], max_examples=40) is None
    assert testing.find_counterexample(np.log, (0.0, 10.0), max_examples=60) is None


def test_a_strategy_of_arrays_can_be_searched():
    found = testing.find_counterexample(lambda x: np.sum(x**2), testing.arrays((2,), low=-5.0, high=5.0),
                                        jac=lambda x: 2 * np.abs(x))
    assert np.any(found.inputs[0] < 0)


def test_a_seed_chooses_the_points():
    def wrong(x):
        return np.cos(x) * (1 + 1e-3 * (x > 0.777))

    points = [testing.find_counterexample(np.sin, (-4.0, 4.0), jac=wrong, seed=3).inputs for _ in range(2)]
    assert points[0] == points[1] and points[0][0] > 0.777


# ---------------------------------------------------------------------- lines to paste

FACTOR = 3.0


def helper(x):
    return np.sin(FACTOR * x)


def runs(text):
    """Whether lines to paste raise the error they are for, on their own."""
    with np.errstate(all="ignore"), pytest.raises(ta.GradcheckError):
        exec(text, {"__name__": "elsewhere"})
    return True


def test_lines_to_paste_define_what_they_need():
    weights = np.array([1.0, 2.0])
    offset = {"by": 0.5}

    def inner(x):
        return np.sum(weights * np.abs(x)) + offset["by"]

    found = testing.find_counterexample(inner, testing.arrays((2,)), jac=lambda x: weights)
    assert found.complete and runs(found.reproduction)
    assert "weights = np.array([1.0, 2.0])" in found.reproduction and "offset = {'by': 0.5}" in found.reproduction
    assert "jac = lambda x: weights" in found.reproduction


def test_lines_to_paste_take_functions_from_their_modules_and_lambdas_from_their_lines():
    found = testing.find_counterexample(lambda x: helper(x) * 2, (-1.0, 1.0),
                                        jac=lambda x: 2 * FACTOR * np.cos(FACTOR * x) * (1 + (x > 0.5)))
    assert "import helper" in found.reproduction
    assert "f = lambda x: helper(x) * 2\n" in found.reproduction
    assert runs(found.reproduction.replace(f"from {__name__} import helper", "helper = lambda x: np.sin(3 * x)"))


def test_a_derivative_of_ones_own_fails_with_its_rule_and_is_said_to_be_incomplete():
    with ta.override_gradient({"sin": lambda op: np.where(op.inputs[0] > 0, 1.01, 1.0) * np.cos(op.inputs[0])}):
        found = testing.find_counterexample(lambda x: np.sin(x), testing.arrays((), np.float32))
        assert found.complete and runs(found.reproduction)
        assert "np.float32(" in found.reproduction
    partial = functools.partial(np.multiply, 2.0)
    found = testing.find_counterexample(partial, (-1.0, 1.0), jac=lambda x: 2.0 + (x > 0))
    assert not found.complete and "is to be defined here: a partial" in found.reproduction


def test_what_does_not_fail_again_is_said_so():
    calls = []

    def moody(x):
        calls.append(None)
        return 2.0 * (1 + (len(calls) < 3))

    with pytest.raises(ValueError, match="not the same every time"):
        testing.find_counterexample(lambda x: 2.0 * x, st.just(1.0), jac=moody)
    text, complete = reproduce(np.sin, (1.0,), {"symbolic": False})
    assert not complete
    assert text.splitlines()[-2:] == ["# run on their own, these lines did not fail again",
                                      "ta.gradcheck(np.sin, (1.0,), symbolic=False)"]


# ---------------------------------------------------------------------- the decorator


def test_a_function_is_checked_when_it_is_defined():
    with pytest.raises(ta.GradcheckError):
        testing.gradchecked(0.5, jac=lambda x: 2 * np.cos(x))(np.sin)

    @testing.gradchecked(0.5)
    def f(x):
        """What it was."""
        return np.exp(x)

    assert f(0.0) == 1.0 and f.__doc__ == "What it was." and f.gradcheck_report


def test_strategies_make_the_decorator_search():
    with pytest.raises(ta.GradcheckError, match=r"ta\.gradcheck\(") as caught:
        @testing.gradchecked(testing.numbers(-2.0, 2.0), 1.0, jac=lambda x, y: (2 * np.abs(x) * y, x * x))
        def f(x, y):
            return x * x * y
    assert caught.value.report.verdict == "fail"


def test_a_function_called_test_becomes_a_test():
    @testing.gradchecked(1.0, jac=lambda x: -2.0)
    def test_square(x):
        """Its purpose."""
        return x * x

    assert test_square.__doc__ == "Its purpose."
    with pytest.raises(ta.GradcheckError):
        test_square()


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert testing.find_counterexample(lambda x: np.log(x) / x, testing.arrays((2,)), max_examples=30) is None
