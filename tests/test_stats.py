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


EDGES = np.array([-np.inf, -1e300, -40.0, -1.0, -1e-300, 0.0, 1e-300, 0.5, 1.0, 1.0 + 1e-15, 2.0, 40.0, 1e10])
SHAPES = {"gamma": [(1.0,), (0.5,), (2.0,)], "beta": [(1.0, 1.0), (0.5, 0.5), (1.0, 2.0)], "chi2": [(2.0,), (1.0,)],
          "t": [(3.5,), (1e6,)], "lognorm": [(2.0,)]}


@pytest.mark.parametrize("method", FUNCTIONS)
@pytest.mark.parametrize("name", CONTINUOUS)
def test_scipys_values_and_no_nan_at_the_edges_and_beyond(name, method):
    ours, theirs = getattr(getattr(stats, name), method), getattr(getattr(scipy_stats, name), method)
    for shapes in SHAPES.get(name, [CONTINUOUS[name]]):
        for loc, scale in ((0.0, 1.0), (0.1, 1.7)):
            with np.errstate(all="ignore"):
                expected = theirs(EDGES, *shapes, loc, scale)
            # The logarithm of what SciPy's underflows to is finite here.
            known = np.isfinite(expected) | (name != "laplace")
            np.testing.assert_allclose(ours(EDGES, *shapes, loc, scale)[known], expected[known], rtol=1e-9, atol=1e-290)
            argnums = tuple(range(3 + len(shapes)))
            for x in EDGES:
                gradients = ta.grad(ours, argnums)(x, *shapes, loc, scale)
                assert not np.any(np.isnan(gradients)), (x, shapes, gradients)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_parameters_that_are_not_allowed_give_nan_as_in_scipy(name):
    ours, theirs, shapes = getattr(stats, name), getattr(scipy_stats, name), CONTINUOUS[name]
    scales = np.array([-1.0, 0.0, 2.0])
    for method in FUNCTIONS:
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(getattr(ours, method)(0.5, *shapes, scale=scales),
                                       getattr(theirs, method)(0.5, *shapes, scale=scales), rtol=1e-12)
        gradient = ta.grad(lambda s, m=method: np.sum(getattr(ours, m)(0.5, *shapes, scale=s)[2:]))(scales)
        assert np.all(np.isfinite(gradient)) and not np.any(gradient[:2])
        if shapes:
            wrong = (-1.0, *shapes[1:])
            assert np.isnan(getattr(ours, method)(0.5, *wrong)) and np.isnan(getattr(theirs, method)(0.5, *wrong))


def test_parameters_broadcast():
    x, a, loc, scale = draw(4, 1) + 3, draw(3, seed=1) + 2.5, draw(4, 1, seed=2) / 9, draw(3, seed=3) + 2.5
    np.testing.assert_allclose(stats.gamma.logpdf(x, a, loc, scale), scipy_stats.gamma.logpdf(x, a, loc, scale),
                               rtol=1e-12)
    check(stats.gamma.logpdf, x, a, loc, scale)
    out, pull = ta.vjp(stats.norm.logpdf, x.astype(np.float32), loc.astype(np.float32), scale.astype(np.float32))
    assert out.dtype == np.float32 and [part.dtype for part in pull(np.ones_like(out))] == [np.float32] * 3


def test_frozen_distributions():
    check(lambda x, loc, scale: stats.norm(loc, scale=scale).logpdf(x), draw(3), 0.2, 1.3)
    cov = np.array([[2.0, 0.3], [0.3, 1.0]])
    np.testing.assert_allclose(stats.multivariate_normal([0.1, 0.2], cov).pdf(draw(2)),
                               scipy_stats.multivariate_normal([0.1, 0.2], cov).pdf(draw(2)), rtol=1e-13)
    assert stats.poisson(2.5).pmf(2) == stats.poisson.pmf(2, 2.5)


@pytest.mark.parametrize("method", ["pmf", "logpmf", "cdf", "sf", "logcdf", "logsf"])
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
    for edge in (0.0, 1.0 if name == "binom" else 1e-300):
        with np.errstate(divide="ignore"):
            np.testing.assert_allclose(ours(counts, *fixed, edge), theirs(counts, *fixed, edge), rtol=1e-12, atol=1e-15)
        for count in counts:
            assert not np.isnan(ta.grad(lambda p, k=count: ours(k, *fixed, p))(edge))
    assert np.isnan(ours(2, *fixed, -0.5)) and np.isnan(theirs(2, *fixed, -0.5))


def test_counts_have_no_derivative():
    with pytest.raises(NotImplementedError, match="poisson: no derivative with respect to k"):
        ta.grad(lambda k: stats.poisson.logpmf(k, 2.0))(3.0)


@pytest.mark.parametrize("call", [
    ("stats.norm.logpdf", lambda x: scipy_stats.norm.logpdf(x)),
    ("stats.norm.logpdf", lambda x: scipy_stats.norm(0.0, 2.0).logpdf(x)),
    ("stats.gamma.cdf", lambda x: scipy_stats.gamma.cdf(0.5, 2.0, scale=x)),
    ("stats.multivariate_normal.logpdf", lambda x: scipy_stats.multivariate_normal.logpdf(x)),
    ("stats.dirichlet.pdf", lambda x: scipy_stats.dirichlet.pdf([0.5, 0.5], x)),
    ("stats.poisson.logpmf", lambda x: scipy_stats.poisson.logpmf(2, x))], ids=lambda call: call[0])
def test_scipys_own_functions_name_ours(call):
    name, function = call
    with pytest.raises(TypeError, match=rf"scipy\.{name} makes NumPy arrays .* use tapead\.scipy\.{name}"):
        function(ta.tensor([1.0, 2.0], requires_grad=True))


def test_dirichlet():
    x, alpha = np.array([0.2, 0.3, 0.5]), np.array([1.5, 2.0, 3.0])
    np.testing.assert_allclose(stats.dirichlet.logpdf(x, alpha), scipy_stats.dirichlet.logpdf(x, alpha), rtol=1e-13)
    np.testing.assert_allclose(stats.dirichlet.pdf(x[:2], alpha), scipy_stats.dirichlet.pdf(x[:2], alpha), rtol=1e-13)
    check(lambda a: stats.dirichlet.logpdf(x, a), alpha)
    check(lambda y: stats.dirichlet.logpdf(y, alpha), x)
    rows = np.array([[0.2, 0.1], [0.3, 0.5], [0.5, 0.4]])
    np.testing.assert_allclose(stats.dirichlet.logpdf(rows, alpha), scipy_stats.dirichlet.logpdf(rows, alpha),
                               rtol=1e-13)
    for wrong in ((-x, alpha), (x, -alpha), (x, alpha[:1])):
        with pytest.raises(ValueError, match="dirichlet"):
            stats.dirichlet.logpdf(*wrong)


def test_multivariate_normal():
    cov, mean = np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([0.1, 0.2])
    for x in (draw(2), draw(4, 2)):
        np.testing.assert_allclose(stats.multivariate_normal.logpdf(x, mean, cov),
                                   scipy_stats.multivariate_normal.logpdf(x, mean, cov), rtol=1e-13)
        check(lambda x, m, c: stats.multivariate_normal.logpdf(x, m, (c + c.T) / 2), x, mean, cov)
    np.testing.assert_allclose(stats.multivariate_normal.pdf(mean), scipy_stats.multivariate_normal.pdf(mean))
    for call in ((draw(3), np.zeros(3), np.array([0.5, 1.0, 2.0])), (0.3, 1.0), (draw(2, 4), np.ones(4), 2.0)):
        np.testing.assert_allclose(stats.multivariate_normal.logpdf(*call),
                                   scipy_stats.multivariate_normal.logpdf(*call), rtol=1e-13)
    with pytest.raises(np.linalg.LinAlgError):
        stats.multivariate_normal.logpdf(mean, cov=-cov)


@pytest.mark.parametrize("rank", [2, 4])
def test_a_singular_covariance_and_the_entropy(rank):
    mean, root = draw(4), draw(4, rank)
    cov, x = root @ root.T, mean + root @ draw(rank)
    normal = stats.multivariate_normal
    for point in (x, x + (1.0 if rank == 2 else 0.0)):
        np.testing.assert_allclose(normal.logpdf(point, mean, cov, allow_singular=True),
                                   scipy_stats.multivariate_normal.logpdf(point, mean, cov, allow_singular=True),
                                   rtol=1e-12)
    weight = draw(rank)

    def density(mean, root):
        return normal.logpdf(mean + root @ weight, mean, root @ root.T, allow_singular=True)

    assert ta.gradcheck(density, (mean, root))
    cov = cov + np.eye(4)
    expected = scipy_stats.multivariate_normal.entropy(mean, cov)
    np.testing.assert_allclose(normal.entropy(mean, cov), expected, rtol=1e-13)
    assert ta.gradcheck(lambda cov: normal.entropy(mean, cov), cov)


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
