"""The pytest plugin as other people's test suites meet it: pytest run on them."""

from __future__ import annotations

import pytest

import tapead as ta
import tapead.checks.gradcheck
import tapead.testing  # what pytest run within this process is the first to import, it takes away again
from tapead.checks.seeds import generator, set_default_seed
from tapead.pytest_plugin import Checker

pytest_plugins = ["pytester"]

SUITE = '''
import numpy as np
import tapead as ta
from tapead import testing

def test_right(gradcheck):
    assert gradcheck(lambda x: np.sum(x * np.sin(x)), np.array([0.5, 2.0]), symbolic=False).verdict == "pass"

def test_wrong(gradcheck):
    gradcheck(np.sin, 1.0, jac=lambda x: 1.001 * np.cos(x))

def test_search(gradcheck):
    gradcheck.search(np.sin, (-2.0, 2.0), jac=lambda x: np.where(x > 1, 1.01, 1.0) * np.cos(x))

def test_seed(gradcheck):
    print("the seed is", gradcheck.seed, ta.checks.seeds.generator(None).integers(2**60))

@testing.gradchecked(testing.numbers(-2.0, 2.0), max_examples=15)
def test_softplus(x):
    return np.logaddexp(0.0, x)

@testing.gradchecked(1.0, jac=lambda x: -2.0)
def test_square(x):
    return x * x
'''


def test_other_peoples_tests_use_the_fixture_the_option_and_the_decorator(pytester):
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess("-rP", "--tapead-seed=12", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=3, failed=3)
    expected = generator(12).integers(2**60)
    result.stdout.fnmatch_lines(["tapead: --tapead-seed=12"])
    result.stdout.fnmatch_lines([f"the seed is 12 {expected}"])
    # A failed search shows the lines to paste and the report.
    result.stdout.fnmatch_lines(["*import tapead as ta", "*ta.gradcheck(np.sin, (*", "*gradcheck: FAIL*"])
    result.stdout.no_fnmatch_line("*fixture 'x' not found*")


def test_without_the_option_nothing_is_said_and_checks_are_the_same_every_time(pytester):
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_inprocess("-rP", "-k", "seed", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, deselected=5)
    result.stdout.no_fnmatch_line("*tapead-seed*")
    result.stdout.fnmatch_lines([f"the seed is None {generator(0).integers(2**60)}"])


def test_a_random_seed_is_told_so_that_it_can_be_had_again(pytester):
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_inprocess("-rP", "-k", "seed", "--tapead-seed=random", "-p", "no:cacheprovider")
    said = next(line for line in result.outlines if line.startswith("tapead: --tapead-seed="))
    seed = int(said.rpartition("=")[2])
    result.stdout.fnmatch_lines([f"the seed is {seed} {generator(seed).integers(2**60)}"])


def test_a_seed_that_is_no_number_is_refused(pytester):
    result = pytester.runpytest_inprocess("--tapead-seed=often")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--tapead-seed: invalid*'often'*"])


def test_an_inconclusive_check_fails_a_test(monkeypatch):
    report = ta.gradcheck(lambda x: x, 1.0, symbolic=False)
    report.verdict = "inconclusive"
    monkeypatch.setattr("tapead.checks.gradcheck.gradcheck", lambda f, inputs, **options: report)
    with pytest.raises(ta.GradcheckError, match="INCONCLUSIVE"):
        Checker(None)(lambda x: x, 1.0)
    assert Checker(None)(lambda x: x, 1.0, raise_exception=False) is report


def test_the_default_seed_holds_for_checks_that_are_given_none():
    before = set_default_seed(5)
    try:
        assert generator(None).integers(1000) == generator(5).integers(1000) != generator(0).integers(1000)
    finally:
        set_default_seed(before)
