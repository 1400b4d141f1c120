"""Sorting, quantiles and functions of samples in a row: every argument, both modes, ties, NaNs, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from agreement import check, draw

import tapead as ta

X = draw(2, 3, 4)
NAN = np.where(np.arange(24).reshape(2, 3, 4) % 5 == 2, np.nan, X)
MEDIANS = [np.median, np.nanmedian]
QUANTILES = [np.quantile, np.nanquantile]
PERCENTILES = [np.percentile, np.nanpercentile]
SMOOTH = ["interpolated_inverted_cdf", "hazen", "weibull", "linear", "median_unbiased", "normal_unbiased"]
JUMPING = ["inverted_cdf", "averaged_inverted_cdf", "closest_observation", "lower", "higher", "midpoint", "nearest"]
AXES = [None, 0, -1, (0, 2), (1, -1)]


def by_name(function):
    return function.__name__


def at_nans(function):
    """The function of the elements that are no NaN; differences cannot be taken at a NaN."""
    return lambda x: function(np.where(np.isnan(NAN), np.nan, x))


# ---------------------------------------------------------------------- sort, partition, unique


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_sort(axis):
    check(lambda x: np.sort(x, axis=axis), X)
    check(lambda x: np.sort(x, axis=axis, kind="heapsort"), X.T, second=False)
    check(lambda x: np.sort(x, axis=axis, stable=True), X[::-1, :, ::2], second=False)


@pytest.mark.parametrize("kind", [None, "stable", "mergesort"])
def test_sorting_ties_follows_numpys_order(kind):
    x = np.array([2.0, 1.0, 2.0, 1.0])
    order = np.argsort(x, kind=kind)
    np.testing.assert_array_equal(ta.jacobian(lambda x: np.sort(x, kind=kind))(x), np.eye(4)[order])
    np.testing.assert_array_equal(ta.jacobian(lambda x: np.sort(x, kind=kind), mode="fwd")(x), np.eye(4)[order])


def test_sort_refuses_what_numpy_refuses():
    x = ta.tensor(X, requires_grad=True)
    with pytest.raises(ValueError, match="fields"):
        np.sort(x, order="a")
    with pytest.raises(ValueError, match="same time"):
        np.sort(x, kind="stable", stable=True)
    with pytest.raises(np.exceptions.AxisError):
        np.sort(x, axis=3)
    with pytest.raises(np.exceptions.AxisError):
        np.sort(ta.tensor(1.0, requires_grad=True))


def test_partition_puts_each_derivative_where_its_element_went():
    check(lambda x: np.partition(x, 3), X)
    check(lambda x: np.partition(x, (1, -1), axis=0), draw(6, 2))
    check(lambda x: np.partition(x, 10, axis=None), X)
    long = np.random.default_rng(0).permutation(np.arange(400.0))
    np.testing.assert_array_equal(ta.jvp(lambda x: np.partition(x, 200), (long,), (2 * long,))[1],
                                  2 * np.partition(long, 200))
    with pytest.raises(ValueError, match="introselect"):
        np.partition(ta.tensor(X, requires_grad=True), 1, kind="other")


def test_sort_complex():
    check(np.sort_complex, X)
    check(np.sort_complex, X[0] + 1j * draw(3, 4, seed=2))
    small = np.float32([2, 1])
    assert np.sort_complex(ta.tensor(small, requires_grad=True)).dtype == np.sort_complex(small).dtype


def test_unique():
    check(np.unique, X)
    check(lambda x: np.unique(x, axis=-1), draw(2, 4))
    x = np.array([3.0, 1.0, 3.0, 2.0])
    values, index, inverse, counts = np.unique(ta.tensor(x, requires_grad=True), True, True, True)
    for found, expected in zip((values.data, index, inverse, counts), np.unique(x, True, True, True), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(ta.jacobian(np.unique)(x), np.eye(4)[[1, 3, 0]])


# ---------------------------------------------------------------------- medians and quantiles


@pytest.mark.parametrize("function", MEDIANS, ids=by_name)
def test_median(function):
    for axis in AXES:
        check(lambda x, axis=axis: function(x, axis=axis), X)
        check(lambda x, axis=axis: function(x, axis=axis, keepdims=True), X[..., :3], second=False)
    check(function, 1.5)
    check(lambda x: function(x, overwrite_input=True), X)


@pytest.mark.parametrize("function", MEDIANS, ids=by_name)
def test_the_median_of_ties_belongs_to_the_elements_in_the_middle(function):
    x = np.array([2.0, 2.0, 1.0, 2.0, 5.0, 0.0])
    middle = np.argsort(x, kind="stable")[2:4]
    np.testing.assert_array_equal(ta.grad(function)(x), np.isin(np.arange(6), middle) / 2)


@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("function", QUANTILES, ids=by_name)
def test_quantile_axis(function, axis):
    check(lambda x, q: function(x, q, axis=axis), X, np.array([0.155, 0.585]))
    check(lambda x: function(x, 0.37, axis=axis, keepdims=True), X)
    if function is np.quantile:  # NumPy's nanquantile orders the axes of such a q otherwise
        check(lambda x: function(x, [[0.1, 0.37]], axis=axis, keepdims=True), X, second=False)


@pytest.mark.parametrize("function", PERCENTILES, ids=by_name)
def test_percentile(function):
    check(lambda x, q: function(x, q, axis=1), X, np.array([13.0, 57.12]))
    check(lambda x: function(x, 40), X)


@pytest.mark.parametrize("method", SMOOTH + JUMPING)
@pytest.mark.parametrize("function", QUANTILES, ids=by_name)
def test_quantile_methods(function, method):
    for q in (0.0, 0.31, 0.5, 1.0, np.array([0.02, 0.75, 0.99])):
        check(lambda x, q=q: function(x, q, axis=(0, 2), method=method), X)
        check(lambda x, q=q: function(x, q, method=method), X[0, 0, :1], second=False)


@pytest.mark.parametrize("method", SMOOTH)
@pytest.mark.parametrize("function", QUANTILES, ids=by_name)
def test_quantiles_are_differentiated_in_q(function, method):
    check(lambda x, q: function(x, q, axis=-1, method=method), X, 0.57)
    check(lambda q: function(X[0, 0], q, method=method), np.array([0.3, 0.57]))


@pytest.mark.parametrize("method", JUMPING)
def test_quantiles_that_jump_have_no_derivative_in_q(method):
    q = ta.tensor(0.3, requires_grad=True)
    with pytest.raises(NotImplementedError, match=rf"np\.quantile.*{method}.*q="):
        np.quantile(X, q, method=method)


def test_the_slope_in_q_at_its_ends_is_that_of_the_last_gap():
    x = np.array([1.0, 4.0, 6.0])
    for q, slope in ((0.0, 6.0), (1.0, 4.0)):
        assert ta.grad(lambda q: np.quantile(x, q))(q) == slope
        assert ta.jvp(lambda q: np.quantile(x, q), (q,), (1.0,))[1] == slope


@pytest.mark.parametrize("function", QUANTILES, ids=by_name)
def test_weighted_quantiles(function):
    weights = np.abs(draw(2, 3, 4, seed=5))
    for q in (0.0, 0.4, 1.0, np.array([0.2, 0.9])):
        check(lambda x, q=q: function(x, q, axis=(0, 2), method="inverted_cdf", weights=weights), X)
        if function is np.quantile:  # NumPy's nanquantile fails on such weights
            check(lambda x, q=q: function(x, q, axis=1, method="inverted_cdf", weights=weights[0, :, 0]), X)
    x = ta.tensor(X, requires_grad=True)
    with pytest.raises(ValueError, match="supports weights"):
        function(x, 0.5, weights=weights)
    with pytest.raises(ValueError, match="non-negative"):
        function(x, 0.5, weights=-weights, method="inverted_cdf")
    with pytest.raises(NotImplementedError, match="weights="):
        function(x, 0.5, weights=ta.tensor(weights, requires_grad=True), method="inverted_cdf")


def test_quantiles_refuse_what_numpy_refuses():
    x = ta.tensor(X, requires_grad=True)
    for function in (*QUANTILES, *PERCENTILES):
        with pytest.raises(ValueError, match="range"):
            function(x, -0.1)
        with pytest.raises(NotImplementedError, match=rf"np\.{function.__name__}: out="):
            function(x, 0.1, out=np.zeros(()))
    for function in MEDIANS:
        with pytest.raises(NotImplementedError, match=rf"np\.{function.__name__}: out="):
            function(x, out=np.zeros(()))
    with pytest.raises(ValueError, match="not a valid method"):
        np.quantile(x, 0.1, method="best")
    with pytest.raises(TypeError, match="real"):
        np.quantile(ta.tensor(X + 0j, requires_grad=True), 0.1)


def test_float32_stays_float32_unless_q_is_wider():
    x = X[0, 0].astype(np.float32)
    for function in (*MEDIANS, lambda x: np.quantile(x, 0.3), lambda x: np.nanpercentile(x, 30)):
        result, pull = ta.vjp(function, x)
        assert result.dtype == np.float32
        assert pull(np.float32(1))[0].dtype == np.float32
    assert np.quantile(ta.tensor(x, requires_grad=True), np.array([0.3])).dtype == np.float64


@pytest.mark.parametrize("function", [np.nanmedian, lambda x, **k: np.nanquantile(x, [0.13, 0.77], **k),
                                      lambda x, **k: np.nanquantile(x, 0.4, method="midpoint", **k),
                                      lambda x, **k: np.nanpercentile(x, 35.0, method="hazen", **k)])
@pytest.mark.parametrize("axis", AXES, ids=str)
def test_nans_are_passed_over(function, axis):
    check(at_nans(lambda x: function(x, axis=axis)), X)
    check(at_nans(lambda x: function(x, axis=axis, keepdims=True)), X, second=False)
    gradient = ta.grad(lambda x: np.sum(function(x, axis=axis)))(NAN)
    assert np.all(gradient[np.isnan(NAN)] == 0)
    assert np.all(np.isfinite(gradient))


def test_weighted_quantiles_pass_over_nans():
    weights = np.abs(draw(2, 3, 4, seed=5))
    check(at_nans(lambda x: np.nanquantile(x, [0.2, 1.0], axis=2, method="inverted_cdf", weights=weights)), X)


@pytest.mark.parametrize("function", [np.nanmedian, lambda x, axis: np.nanquantile(x, 0.3, axis=axis)])
def test_nothing_but_nans(function):
    x = np.array([[np.nan, np.nan], [1.0, 3.0]])
    with pytest.warns(RuntimeWarning, match="All-NaN slice"):
        out, pull = ta.vjp(lambda x: function(x, axis=1), x)
    np.testing.assert_array_equal(np.isnan(out), [True, False])
    np.testing.assert_array_equal(pull(np.array([1.0, 0.0]))[0], np.zeros((2, 2)))


@pytest.mark.parametrize("function", [np.median, lambda x, axis: np.quantile(x, 0.3, axis=axis)])
def test_a_nan_is_the_result_of_its_slice(function):
    x = np.array([[5.0, np.nan, 0.0], [1.0, 3.0, 2.0]])
    out, pull = ta.vjp(lambda x: function(x, axis=1), x)
    np.testing.assert_array_equal(out, function(x, axis=1))
    np.testing.assert_array_equal(pull(np.array([1.0, 0.0]))[0], [[0, 1, 0], [0, 0, 0]])


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_medians_of_nothing():
    for function in MEDIANS:
        with pytest.warns(RuntimeWarning, match="Mean of empty slice"):
            assert np.isnan(function(ta.tensor(np.zeros(0), requires_grad=True)).data)


# ---------------------------------------------------------------------- differences and integrals


def test_diff():
    for n in (0, 1, 2, 3):
        check(lambda x, n=n: np.diff(x, n=n), X)
    check(lambda x: np.diff(x, axis=0), X)
    check(lambda x, start, end: np.diff(x, 2, 1, start, end), X, 0.3, draw(2, 2, 4, seed=1))
    check(lambda end: np.diff(X, append=end), 0.3)
    with pytest.raises(ValueError, match="non-negative"):
        np.diff(ta.tensor(X, requires_grad=True), n=-1)
    with pytest.raises(ValueError, match="one dimensional"):
        np.diff(ta.tensor(1.0, requires_grad=True))


def test_ediff1d():
    check(np.ediff1d, X)
    check(lambda x, end, start: np.ediff1d(x, to_end=end, to_begin=start), X[0], draw(2, 1, seed=1), 0.7)
    check(np.ediff1d, 1.5)


@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradient(edge_order):
    f, at = draw(5, 4), np.cumsum(np.abs(draw(5, seed=1)) + 0.3)
    check(lambda f, h: np.gradient(f, h, axis=0, edge_order=edge_order), f, 0.3)
    check(lambda f, at: np.gradient(f, at, axis=0, edge_order=edge_order), f, at)
    check(lambda f: np.gradient(f, np.arange(5) * 0.5, axis=0, edge_order=edge_order), f)
    for part in (0, 1):
        check(lambda f, part=part: np.gradient(f, edge_order=edge_order)[part], f)
        check(lambda f, at, h, part=part: np.gradient(f, at, h, edge_order=edge_order)[part], f, at, 0.7)
    if edge_order == 1:
        check(lambda f, at: np.gradient(f, at), f[:2, 0], at[:2])
    else:
        check(lambda f, at: np.gradient(f, at, edge_order=2), f[:3, 0], at[:3])


def test_gradient_refuses_what_numpy_refuses():
    f = ta.tensor(draw(4, 3), requires_grad=True)
    with pytest.raises(TypeError, match="3 spacings for 2 axes"):
        np.gradient(f, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="match the length"):
        np.gradient(f, np.arange(3.0), axis=0)
    with pytest.raises(ValueError, match="1d"):
        np.gradient(f, np.ones((2, 2)), 1.0)
    with pytest.raises(ValueError, match="too small"):
        np.gradient(f[:1], axis=0)
    with pytest.raises(ValueError, match="edge_order"):
        np.gradient(f, edge_order=3)


def test_trapezoid():
    check(np.trapezoid, X)
    check(lambda y, dx: np.trapezoid(y, dx=dx, axis=1), X, 0.3)
    check(lambda y, x: np.trapezoid(y, x, axis=1), X, draw(3, seed=1))
    check(lambda y, x: np.trapezoid(y, x, axis=0), X, draw(2, 3, 4, seed=1))
    check(np.trapezoid, X[0], draw(2, 3, 4, seed=1))
    check(np.trapezoid, draw(5), draw(3, 2, seed=1))


@pytest.mark.parametrize("function", [np.nanmedian, np.nanmean, np.nanstd, np.nanvar])
def test_no_slices_to_warn_of(function):
    assert ta.vjp(lambda x: function(x, axis=-1), np.zeros((0, 0)))[0].shape == (0,)


# ---------------------------------------------------------------------- interpolation


def test_interp():
    xp, fp, x = np.array([-1.0, -0.2, 0.5, 2.0]), draw(4), np.array([[-0.7, 0.1, 1.9], [0.3, -0.9, 0.55]])
    check(np.interp, x, xp, fp)
    check(lambda x, fp: np.interp(x, xp, fp), 0.3, fp + 1j * draw(4, seed=3))
    outside = np.array([-3.0, 0.1, 7.0])
    check(np.interp, outside, xp, fp)
    check(lambda x, xp, fp, low, high: np.interp(x, xp, fp, *(value if isinstance(value, ta.Tensor) else float(value)
                                                            for value in (low, high))), outside, xp, fp, -1.0, 2.0)
    check(lambda x, xp, fp: np.interp(x, xp, fp, period=2.3), outside, np.array([0.4, 2.9, 1.1, -0.3]), fp)
    check(lambda fp: np.interp([-1.0, -0.2, 2.0], xp, fp), fp)
    check(lambda x, fp: np.interp(x, [1.0], fp), outside, fp[:1])
    assert ta.vjp(np.interp, *(value.astype(np.float32) for value in (x, xp, fp)))[0].dtype == np.float64


def test_interpolation_takes_the_slope_on_the_right_of_a_sample_and_the_last_slope_at_the_end():
    slopes = ta.grad(lambda x: np.sum(np.interp(x, [0.0, 1.0, 3.0], [0.0, 5.0, 6.0])))(np.array([0.0, 1.0, 3.0]))
    np.testing.assert_array_equal(slopes, [5, 0.5, 0.5])


def test_interpolation_refuses_what_numpy_refuses():
    x = ta.tensor(1.0, requires_grad=True)
    with pytest.raises(ValueError, match="same length"):
        np.interp(x, [0.0, 1.0], [0.0])
    with pytest.raises(ValueError, match="1-D"):
        np.interp(x, [[0.0, 1.0]], [[0.0, 1.0]])
    with pytest.raises(ValueError, match="empty"):
        np.interp(x, [], [])
    with pytest.raises(ValueError, match="period"):
        np.interp(x, [0.0, 1.0], [0.0, 1.0], period=0)


# ---------------------------------------------------------------------- convolution, phases


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("function", [np.convolve, np.correlate], ids=by_name)
@pytest.mark.parametrize("sizes", [(5, 3), (5, 4), (3, 5), (2, 5), (4, 4), (1, 3), (1, 1)], ids=str)
def test_convolution(function, mode, sizes):
    a, v = draw(sizes[0]), draw(sizes[1], seed=1)
    check(lambda a, v: function(a, v, mode=mode), a, v)
    check(lambda a, v: function(a, v, mode=mode), a + 1j * draw(sizes[0], seed=2), v + 1j * draw(sizes[1], seed=3))
    check(lambda v: function([1.0, 2.0], v, mode=mode), v)


@pytest.mark.parametrize("function", [np.convolve, np.correlate], ids=by_name)
def test_convolution_refuses_what_numpy_refuses(function):
    a = ta.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match="empty"):
        function(a, [])
    with pytest.raises(ValueError, match="too deep"):
        function(a, np.ones((2, 2)))
    with pytest.raises(ValueError, match="mode"):
        function(a, a, mode="other")


def test_unwrap():
    phase = np.array([0.1, 3.0, -3.0, 2.9, -1.0])
    check(np.unwrap, phase)
    check(lambda p: np.unwrap(p, axis=0, period=1.3), draw(4, 2))
    check(lambda p, period: np.unwrap(p, period=period), phase, 2.0)
    with pytest.raises(NotImplementedError, match="discont="):
        np.unwrap(ta.tensor(phase, requires_grad=True), discont=ta.tensor(2.0, requires_grad=True))
