"""tapead.scipy.stats against scipy.stats, differences, and the edges of the supports."""

from __future__ import annotations

import numpy as np
import pytest

scipy_stats = pytest.importorskip("scipy.stats")

from agreement import check, draw  # noqa: E402 -- only with SciPy

import tapead as ta  # noqa: E402 -- the same
from tapead.scipy import stats  # noqa: E402 -- the same

CONTINUOUS = {"norm": (), "t": (3.5,), "gamma": (2.5,), "beta": (2.5, 1.5), "expon": (), "laplace": (), "uniform": (),
              "chi2": (3.5,), "lognorm": (0.7,)}
DISCRETE = {"poisson": (2.5,), "binom": (6, 0.3)}
FUNCTIONS = ("pdf", "logpdf", "cdf", "sf", "logcdf", "logsf")


@pytest.mark.parametrize("method", FUNCTIONS)
@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous(name, method):
    ours, theirs = getattr(getattr(stats, name), method), getattr(getattr(scipy_stats, name), method)
    shapes = CONTINUOUS[name]
    point = (np.array([0.45, 0.9, 1.3]), *shapes, 0.1, 1.7)
    np.testing.assert_allclose(ours(*point), theirs(*point), rtol=1e-12)
    far = np.array([-50.0, -0.3, 0.5, 5.0, 90.0, np.nan])
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(ours(far, *shapes), theirs(far, *shapes), rtol=1e-9, atol=1e-300)
    twice = method in ("pdf", "logpdf") or name in ("norm", "expon", "laplace", "uniform")
    check(lambda *args: ours(*args), *point, second=twice)


@pytest.mark.parametrize("method", ["pmf", "logpmf", "cdf", "sf", "logcdf"])
@pytest.mark.parametrize("name", DISCRETE)
def test_discrete(name, method):
    ours, theirs = getattr(getattr(stats, name), method), getattr(getattr(scipy_stats, name), method)
    *fixed, last = DISCRETE[name]
    counts = np.array([-1, 0, 2, 2.5, 6, 7])
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(ours(counts, *fixed, last), theirs(counts, *fixed, last), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(ours(counts, *fixed, last, loc=1), theirs(counts, *fixed, last, loc=1), rtol=1e-12,
                                   atol=1e-15)
    check(lambda p: ours(np.array([1, 2]), *fixed, p), last)


def test_dirichlet():
    x, alpha = np.array([0.2, 0.3, 0.5]), np.array([1.5, 2.0, 3.0])
    np.testing.assert_allclose(stats.dirichlet.logpdf(x, alpha), scipy_stats.dirichlet.logpdf(x, alpha), rtol=1e-13)
    np.testing.assert_allclose(stats.dirichlet.pdf(x[:2], alpha), scipy_stats.dirichlet.pdf(x[:2], alpha), rtol=1e-13)
    check(lambda a: stats.dirichlet.logpdf(x, a), alpha)
    check(lambda y: stats.dirichlet.logpdf(y, alpha), x)


def test_multivariate_normal():
    cov, mean = np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([0.1, 0.2])
    for x in (draw(2), draw(4, 2)):
        np.testing.assert_allclose(stats.multivariate_normal.logpdf(x, mean, cov),
                                   scipy_stats.multivariate_normal.logpdf(x, mean, cov), rtol=1e-13)
        check(lambda *args: stats.multivariate_normal.logpdf(*args), x, mean, cov)
    np.testing.assert_allclose(stats.multivariate_normal.pdf(mean), scipy_stats.multivariate_normal.pdf(mean))


@pytest.mark.parametrize("name", ["expon", "gamma", "beta", "uniform", "chi2", "lognorm"])
def test_nothing_flows_from_outside_of_the_support(name):
    distribution = getattr(stats, name)
    x = np.array([-1.0, 0.5])
    assert distribution.logpdf(x, *CONTINUOUS[name])[0] == -np.inf
    for method in FUNCTIONS:
        slopes = ta.grad(lambda y, method=method: np.sum(getattr(distribution, method)(y, *CONTINUOUS[name])[:1]))(x)
        assert slopes[0] == 0 and np.all(np.isfinite(slopes))


def test_parameters_are_named_as_in_scipy():
    assert stats.gamma.logpdf(1.0, a=2.0, scale=3.0) == stats.gamma.logpdf(1.0, 2.0, 0.0, 3.0)
    with pytest.raises(TypeError, match="expected the parameters a, loc, scale"):
        stats.gamma.pdf(1.0, shape=2.0)
    with pytest.raises(TypeError, match="expected the parameters mu, loc"):
        stats.poisson.pmf(1)
