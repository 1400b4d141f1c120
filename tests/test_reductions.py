"""Reductions and cumulative functions: every argument against NumPy and differences, and the conventions."""

from __future__ import annotations

import numpy as np
import pytest
from agreement import check, draw

import tapead as ta

X = draw(2, 3, 4)
MASK = np.arange(24).reshape(2, 3, 4) % 5 != 1
NAN = np.where(np.arange(24).reshape(2, 3, 4) % 5 == 2, np.nan, X)
AXES = [None, 0, -1, 2, (0, 2), (-1, 1), (0, 1, 2), ()]
WITH_INITIAL = [np.sum, np.prod, np.max, np.min]
REDUCTIONS = [np.sum, np.mean, np.prod, np.var, np.std, np.max, np.min, np.amax, np.amin, np.ptp]
NAN_REDUCTIONS = [np.nansum, np.nanmean, np.nanprod, np.nanvar, np.nanstd, np.nanmax, np.nanmin]
CUMULATIVE = [np.cumsum, np.cumprod, np.nancumsum, np.nancumprod, np.cumulative_sum, np.cumulative_prod]


def by_name(function):
    return function.__name__


def at_nans(function):
    """The function of the elements that are no NaN; differences cannot be taken at a NaN."""
    return lambda x: function(np.where(np.isnan(NAN), np.nan, x))


# ---------------------------------------------------------------------- arguments


@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("function", REDUCTIONS, ids=by_name)
def test_axis(function, axis):
    if axis == () and function in (np.std, np.ptp):
        return  # a single number has neither: the conventions are tested below
    check(lambda x: function(x, axis=axis), X)


@pytest.mark.parametrize("axis", [None, 1, (0, 2)], ids=str)
@pytest.mark.parametrize("function", REDUCTIONS + NAN_REDUCTIONS, ids=by_name)
def test_keepdims(function, axis):
    check(lambda x: function(x, axis=axis, keepdims=True), X, second=False)


@pytest.mark.parametrize("function", [np.sum, np.mean, np.prod, np.var, np.std, np.nansum, np.nanmean, np.nanprod,
                                      np.nanvar, np.nanstd], ids=by_name)
def test_where(function):
    for axis in (None, 1, (0, 2)):
        check(lambda x, axis=axis: function(x, axis=axis, where=MASK), X)
    check(lambda x: function(x, axis=1, where=np.array([True, False, True])[:, None]), X)


@pytest.mark.parametrize("function", [np.max, np.min, np.nanmax, np.nanmin], ids=by_name)
def test_where_with_initial(function):
    check(lambda x: function(x, axis=1, where=MASK, initial=0.2), X)
    with pytest.raises(ValueError, match="initial"):
        function(ta.tensor(X, requires_grad=True), where=MASK)


@pytest.mark.parametrize("function", [*WITH_INITIAL, np.nansum, np.nanprod, np.nanmax, np.nanmin], ids=by_name)
def test_initial(function):
    check(lambda x: function(x, initial=0.3), X)
    check(lambda x: function(x, axis=(0, 2), keepdims=True, initial=0.3), X)


@pytest.mark.parametrize("function", WITH_INITIAL, ids=by_name)
def test_initial_is_differentiated_too(function):
    def total(x, initial):
        return function(x, axis=1, initial=initial if isinstance(initial, ta.Tensor) else float(initial))

    check(total, X, 0.31)


@pytest.mark.parametrize("function", [np.var, np.std, np.nanvar, np.nanstd], ids=by_name)
def test_degrees_of_freedom(function):
    check(lambda x: function(x, axis=1, ddof=1), X)
    check(lambda x: function(x, correction=1.5), X)
    check(lambda x: function(x, axis=2, ddof=1, where=MASK), X)
    with pytest.raises(ValueError, match="simultaneously"):
        function(ta.tensor(X, requires_grad=True), ddof=1, correction=1)


@pytest.mark.parametrize("function", [np.var, np.std], ids=by_name)
def test_a_mean_computed_before(function):
    check(lambda x: function(x, axis=1, mean=np.mean(x, axis=1, keepdims=True)), X)
    check(lambda x, mean: function(x, axis=1, mean=mean), X, draw(2, 1, 4, seed=3))
    check(lambda x, mean: function(x, axis=1, mean=mean, where=MASK, ddof=0.5), X, draw(2, 1, 4, seed=3))


@pytest.mark.parametrize("function", [np.sum, np.mean, np.prod, np.var, np.std, np.nansum, np.nanprod, np.nanmean,
                                      np.nanvar, np.nanstd, *CUMULATIVE], ids=by_name)
def test_dtype(function):
    x = X[0, 0].astype(np.float32)
    result, pull = ta.vjp(lambda x: function(x, dtype=np.float64), x)
    assert result.dtype == np.float64
    digits = 1e-7 if function in (np.nanvar, np.nanstd) else 1e-15  # where NumPy subtracts the mean in float32
    np.testing.assert_allclose(result, function(x, dtype=np.float64), rtol=digits)
    assert pull(np.ones_like(result))[0].dtype == np.float32
    assert ta.vjp(function, x)[0].dtype == np.float32
    assert ta.jvp(function, (x,), (x,))[1].dtype == np.float32


@pytest.mark.parametrize("function", [np.sum, np.mean, np.prod, np.cumsum, np.cumprod], ids=by_name)
def test_an_integer_dtype_is_a_plain_result(function):
    result = function(ta.tensor(X, requires_grad=True), dtype=int)
    assert not isinstance(result, ta.Tensor)
    np.testing.assert_array_equal(result, function(X, dtype=int))


@pytest.mark.parametrize("function", REDUCTIONS + NAN_REDUCTIONS + CUMULATIVE, ids=by_name)
def test_out_is_refused(function):
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(NotImplementedError, match=rf"np\.{function.__name__.replace('am', 'm')}: out= "):
        function(x, out=np.zeros(()))


@pytest.mark.parametrize("function", REDUCTIONS + NAN_REDUCTIONS + CUMULATIVE, ids=by_name)
def test_an_axis_that_is_not_there(function):
    with pytest.raises(np.exceptions.AxisError):
        function(ta.tensor(X, requires_grad=True), axis=3)


# ---------------------------------------------------------------------- shapes and memory


@pytest.mark.parametrize("function", [f for f in REDUCTIONS if f not in (np.std, np.ptp)], ids=by_name)
def test_a_single_number(function):
    check(function, 1.5)
    check(lambda x: function(x, axis=(), keepdims=True), 1.5)
    if function not in (np.mean, np.var):  # NumPy takes the axis of a single number in the others alone
        check(lambda x: function(x, axis=0), 1.5)
        check(lambda x: function(x, axis=-1, keepdims=True), 1.5)


@pytest.mark.parametrize("function", REDUCTIONS + NAN_REDUCTIONS + CUMULATIVE[:4], ids=by_name)
def test_memory_in_any_order(function):
    for view in (X.T, X[::-1, :, ::2], np.asfortranarray(X), np.broadcast_to(draw(4), (3, 4))):
        if function in (np.max, np.min, np.amax, np.amin, np.ptp, np.nanmax, np.nanmin) and 0 in view.strides:
            continue  # repeated values tie
        check(lambda x: function(x, axis=-1), np.array(view), second=False)
        x = ta.tensor(1.0, requires_grad=True)
        np.testing.assert_array_equal(function(x * view, axis=0).data, function(1.0 * view, axis=0))


@pytest.mark.parametrize("function", [np.sum, np.prod, np.nansum, np.nanprod], ids=by_name)
def test_nothing_to_reduce(function):
    for shape, axis in [((0,), None), ((0, 3), 0), ((3, 0), 0), ((2, 0, 3), (0, 1))]:
        out, pull = ta.vjp(lambda x, axis=axis: function(x, axis=axis), np.zeros(shape))
        np.testing.assert_array_equal(out, function(np.zeros(shape), axis=axis))
        assert pull(np.ones_like(out))[0].shape == shape
        tangent = ta.jvp(lambda x, axis=axis: function(x, axis=axis), (np.zeros(shape),), (np.zeros(shape),))[1]
        np.testing.assert_array_equal(tangent, np.zeros_like(out))


@pytest.mark.parametrize("function", [np.max, np.min, np.ptp, np.nanmax], ids=by_name)
def test_no_extreme_of_nothing(function):
    with pytest.raises(ValueError, match="zero-size"):
        function(ta.tensor(np.zeros(0), requires_grad=True))
    assert ta.grad(lambda x: np.max(x, initial=1.0))(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("function", [np.mean, np.var, np.std, np.nanmean, np.nanvar], ids=by_name)
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_the_mean_of_nothing_is_nan_with_a_warning(function):
    with pytest.warns(RuntimeWarning, match=r"Mean of empty slice|Degrees of freedom"):
        out, pull = ta.vjp(function, np.zeros(0))
    assert np.isnan(out)
    assert pull(1.0)[0].shape == (0,)


@pytest.mark.parametrize("function", CUMULATIVE, ids=by_name)
def test_cumulative(function):
    for axis in (0, 1, -1):
        check(lambda x, axis=axis: function(x, axis=axis), X)
    check(lambda x: function(x), draw(40) + 2)
    check(lambda x: function(x), 1.5)
    assert ta.grad(lambda x: np.sum(function(x, axis=0)))(np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize("function", CUMULATIVE[:4], ids=by_name)
def test_cumulative_over_all_elements(function):
    check(function, X)
    assert function(ta.tensor(X, requires_grad=True)).shape == (24,)


@pytest.mark.parametrize("function", CUMULATIVE[4:], ids=by_name)
def test_cumulative_in_the_array_api(function):
    check(lambda x: function(x, axis=1, include_initial=True), X)
    check(lambda x: function(x, axis=-3, include_initial=True), X)
    with pytest.raises(ValueError, match="axis"):
        function(ta.tensor(X, requires_grad=True))


# ---------------------------------------------------------------------- conventions


@pytest.mark.parametrize("function", [np.max, np.min, np.amax, np.nanmax, np.nanmin], ids=by_name)
def test_ties_share_equally_in_each_slice(function):
    x = np.array([[1.0, 1.0, 1.0], [2.0, -1.0, 2.0]]) * (1 if function in (np.max, np.amax, np.nanmax) else -1)
    expected = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, 0, 0.5]])
    np.testing.assert_allclose(ta.grad(lambda x: np.sum(function(x, axis=1)))(x), expected)
    for row, shares in zip(x, expected, strict=True):
        for place in range(3):
            tangent = ta.jvp(function, (row,), (np.eye(3)[place],))[1]
            np.testing.assert_allclose(tangent, shares[place])


def test_an_initial_value_takes_its_share():
    x = np.array([2.0, 2.0, 1.0])
    np.testing.assert_allclose(ta.grad(lambda x: np.max(x, initial=2.0))(x), [1 / 3, 1 / 3, 0])
    np.testing.assert_allclose(ta.grad(lambda x: np.max(x, initial=3.0))(x), [0, 0, 0])


def test_the_extreme_of_nans_belongs_to_the_nans():
    x = np.array([1.0, np.nan, 3.0])
    np.testing.assert_array_equal(ta.grad(np.max)(x), [0, 1, 0])
    assert np.isnan(ta.jvp(np.min, (x,), (np.ones(3),))[0])


def test_an_infinite_slope_beside_the_extreme_does_no_harm():
    def highest(x):
        return np.max(np.sqrt(x))

    np.testing.assert_array_equal(ta.grad(highest)(np.array([0.0, 4.0])), [0, 0.25])
    assert ta.jvp(highest, (np.array([0.0, 4.0]),), (np.ones(2),))[1] == 0.25


@pytest.mark.parametrize("x", [np.full(3, 0.1), np.full(7, 1e8 / 3), np.zeros(4), np.array([2.5])], ids=str)
def test_the_spread_of_a_constant_has_slope_zero(x):
    for function in (np.std, np.nanstd, lambda x: np.std(x, where=np.ones_like(x, bool))):
        np.testing.assert_array_equal(ta.grad(function)(x), np.zeros_like(x))
        assert ta.jvp(function, (x,), (np.arange(1.0, 1 + x.size),))[1] == 0
        np.testing.assert_array_equal(ta.hessian(function)(x), np.zeros((x.size, x.size)))


def test_a_constant_slice_beside_another():
    x = np.array([[0.1, 0.1, 0.1], [1.0, 2.0, 4.0]])
    gradient = ta.grad(lambda x: np.sum(np.std(x, axis=1)))(x)
    np.testing.assert_array_equal(gradient[0], np.zeros(3))
    np.testing.assert_allclose(gradient[1], ta.grad(np.std)(x[1]), rtol=1e-14)


def test_variance_far_from_zero_keeps_its_digits():
    x = 1e8 + np.array([0.25, 0.5, 0.75])
    np.testing.assert_allclose(ta.grad(np.var)(x), [-1 / 6, 0, 1 / 6], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
@pytest.mark.parametrize("function", [np.prod, np.cumprod, lambda x: np.prod(x, axis=0, initial=2.0)])
def test_products_with_zeros(function, zeros):
    x = draw(5)
    x[[1, 3, 4][:zeros]] = 0
    check(function, x)
    check(lambda x: function(np.reshape(x, (5, 1)) * np.ones((1, 2)), **{}), x)


def test_third_derivative_of_a_product_of_zeros():
    third = ta.jacobian(ta.hessian(np.prod))(np.zeros(3))
    np.testing.assert_array_equal(third[0, 1], [0, 0, 1])
    np.testing.assert_array_equal(third[0, 0], [0, 0, 0])


def test_long_products_with_zeros():
    x = draw(200, seed=1) / 2 + 1.5
    x[[50, 120]] = 0
    np.testing.assert_array_equal(ta.grad(np.prod)(x), np.zeros(200))
    gradient = ta.grad(lambda x: np.sum(np.cumprod(x) / np.cumprod(np.where(x == 0, 1, x.data))))(x)
    assert gradient[50] == pytest.approx(70)  # the 70 products that end between the zeros count each once


def test_products_of_neighbours_may_leave_the_range():
    x = np.tile([1e200, 1e-200, 1e-200, 1e200], 12)
    weights = np.arange(48.0)
    tangent = ta.jvp(lambda x: np.cumprod(x), (x,), (x * weights,))[1]
    np.testing.assert_allclose(tangent, np.cumprod(x) * np.cumsum(weights), rtol=1e-13)


def test_zero_change_of_an_overflowing_product_is_no_change():
    x = np.array([0.0, 1e200, 1e200])
    assert ta.jvp(np.prod, (x,), (np.array([0.0, 1.0, 1.0]),))[1] == 0


# ---------------------------------------------------------------------- NaN


@pytest.mark.parametrize("function", [np.nansum, np.nanmean, np.nanprod, np.nanvar, np.nanstd, np.nanmax, np.nanmin],
                         ids=by_name)
@pytest.mark.parametrize("axis", [None, 1, (0, 2)], ids=str)
def test_nans_are_passed_over(function, axis):
    for keepdims in (False, True):
        check(at_nans(lambda x, keepdims=keepdims: function(x, axis=axis, keepdims=keepdims)), X)
    gradient = ta.grad(lambda x: np.sum(function(x, axis=axis)))(NAN)
    np.testing.assert_array_equal(gradient[np.isnan(NAN)], np.zeros(np.isnan(NAN).sum()))
    assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("function", [np.nancumsum, np.nancumprod], ids=by_name)
def test_cumulative_functions_pass_over_nans(function):
    check(at_nans(lambda x: function(x, axis=1)), X)
    check(at_nans(function), X)


@pytest.mark.parametrize("function", NAN_REDUCTIONS, ids=by_name)
def test_nans_made_on_the_way_leave_nothing_behind(function):
    def roots(x):
        return function(np.sqrt(x))

    with np.errstate(invalid="ignore"):
        gradient = ta.grad(roots)(np.array([4.0, -1.0, 1.0]))
    assert np.all(np.isfinite(gradient))
    assert gradient[1] == 0


@pytest.mark.parametrize("function", [np.sum, np.mean, np.prod, np.var, np.std], ids=by_name)
def test_what_where_leaves_out_may_be_nan(function):
    keep = np.array([True, False, True])
    with np.errstate(invalid="ignore"):
        gradient = ta.grad(lambda x: function(np.sqrt(x), where=keep))(np.array([4.0, -1.0, 1.0]))
    np.testing.assert_allclose(gradient[keep], ta.grad(lambda x: function(np.sqrt(x)))(np.array([4.0, 1.0])))
    assert gradient[1] == 0


@pytest.mark.parametrize(("function", "message"), [
    (np.nanmean, "Mean of empty slice"), (np.nanvar, "Degrees of freedom"), (np.nanstd, "Degrees of freedom"),
    (np.nanmax, "All-NaN slice"), (np.nanmin, "All-NaN slice")])
def test_nothing_but_nans(function, message):
    x = np.array([[np.nan, np.nan], [1.0, 3.0]])
    with pytest.warns(RuntimeWarning, match=message):
        out, pull = ta.vjp(lambda x: function(x, axis=1), x)
    assert np.isnan(out[0])
    assert not np.isnan(out[1])
    np.testing.assert_array_equal(pull(np.array([1.0, 0.0]))[0], np.zeros((2, 2)))


# ---------------------------------------------------------------------- complex numbers, recording, order


@pytest.mark.parametrize("function", [np.sum, np.mean, np.prod, np.var, np.std, np.cumsum, np.cumprod, np.nansum],
                         ids=by_name)
def test_complex_numbers(function):
    z = X[0] + 1j * draw(3, 4, seed=7)
    check(function, z)
    check(lambda z: function(z, axis=1), z)


@pytest.mark.parametrize(("function", "name"), [
    (np.sum, "Sum"), (np.mean, "Mean"), (np.prod, "Prod"), (np.var, "Var"), (np.std, "Std"), (np.max, "Max"),
    (np.amin, "Min"), (np.cumsum, "Cumsum"), (np.cumprod, "Cumprod")])
def test_each_is_one_entry_of_its_own_name(function, name):
    x = ta.tensor(X, requires_grad=True)
    result = function(x)
    assert repr(result.grad_fn) == f"<{name}Backward>"
    assert function in (np.cumsum, np.cumprod) or result.grad_fn.next_functions[0][0] is x.sum().grad_fn.parents[0]


def test_methods_are_the_functions():
    x = ta.tensor(X, requires_grad=True)
    assert repr(x.mean(axis=0).grad_fn) == "<MeanBackward>"
    np.testing.assert_array_equal(x.std(axis=1, ddof=1).data, X.std(axis=1, ddof=1))
    np.testing.assert_array_equal(x.max(0).data, X.max(0))


# ---------------------------------------------------------------------- averages, covariances, counts


def test_average():
    weights = np.abs(draw(2, 3, 4, seed=4))
    check(np.average, X)
    check(lambda x, w: np.average(x, weights=w), X, weights)
    check(lambda x, w: np.average(x, axis=1, weights=w, keepdims=True), X, weights[0, :, 0])
    check(lambda x, w: np.average(x, axis=(2, 0), weights=w), X, weights[:, 0].T)
    check(lambda x, w: np.average(x, axis=(0, 1), weights=w, returned=True)[1], X, weights)
    check(lambda w: np.average([1, 2, 3], weights=w), weights[0, :, 0])
    average, total = np.average(ta.tensor(X, requires_grad=True), axis=1, returned=True)
    assert (average.shape, total.shape, total[0, 0]) == ((2, 4), (2, 4), 3.0)


def test_weights_that_do_not_fit():
    x = ta.tensor(X, requires_grad=True)
    with pytest.raises(ZeroDivisionError, match="sum to zero"):
        np.average(x, weights=np.zeros((2, 3, 4)))
    with pytest.raises(TypeError, match="axis must be given"):
        np.average(x, weights=np.ones(3))
    with pytest.raises(ValueError, match="fit neither"):
        np.average(x, axis=2, weights=np.ones(3))


def test_covariance():
    m, y, w = draw(3, 5), draw(2, 5, seed=2), np.abs(draw(5, seed=3))
    check(np.cov, m)
    check(lambda m, y: np.cov(m, y, ddof=0), m, y)
    check(lambda m: np.cov(m, rowvar=False, bias=True), m)
    check(lambda m, y: np.cov(m, y, rowvar=False), m.T, y.T)
    check(lambda m, w: np.cov(m, aweights=w), m, w)
    check(lambda m, w: np.cov(m, aweights=w, ddof=0, fweights=[1, 2, 1, 3, 1]), m, w)
    check(lambda m: np.cov(m, fweights=[1, 2, 1, 3, 1]), m)
    check(np.cov, m[0])
    check(lambda m: np.cov(m, dtype=np.complex128), m)
    check(np.cov, m + 1j * draw(3, 5, seed=8))


def test_covariance_refuses_what_numpy_refuses():
    m = ta.tensor(draw(3, 5), requires_grad=True)
    with pytest.raises(ValueError, match="2 dimensions"):
        np.cov(ta.tensor(X, requires_grad=True))
    with pytest.raises(TypeError, match="integer"):
        np.cov(m, fweights=[0.5] * 5)
    with pytest.raises(RuntimeError, match="incompatible"):
        np.cov(m, aweights=[1.0])
    with pytest.raises(ValueError, match="negative"):
        np.cov(m, aweights=-np.ones(5))
    with pytest.raises(NotImplementedError, match=r"np\.cov.*fweights"):
        np.cov(m, fweights=ta.tensor(np.ones(5), requires_grad=True))


def test_correlation():
    m, y = draw(3, 5), draw(2, 5, seed=2)
    check(np.corrcoef, m)
    check(lambda m, y: np.corrcoef(m, y), m, y)
    check(lambda m: np.corrcoef(m, rowvar=False)[0, 1], m)
    check(np.corrcoef, m + 1j * draw(3, 5, seed=8))
    assert ta.grad(np.corrcoef)(m[0]) is not None


def test_counts_by_weight():
    places, weights = np.array([0, 2, 2, 5]), draw(4)
    check(lambda w: np.bincount(places, w, minlength=8), weights)
    a = np.array([0.1, 0.5, 1.0, -3.0])
    for bins in (4, [0.0, 0.5, 0.7, 1.0]):
        for density in (False, True):
            check(lambda w, bins=bins, density=density: np.histogram(a, bins, (0, 1), density, w)[0], weights)
    counts, edges = np.histogram(ta.tensor(a, requires_grad=True), 4, (0, 1))
    assert not isinstance(counts, ta.Tensor)
    np.testing.assert_array_equal(counts, np.histogram(a, 4, (0, 1))[0])
    np.testing.assert_array_equal(edges, np.linspace(0, 1, 5))
    with pytest.raises(NotImplementedError, match=r"np\.histogram.*edges"):
        np.histogram(ta.tensor(a, requires_grad=True), 4)


# ---------------------------------------------------------------------- in the order that suits the processor


@pytest.mark.parametrize("length", [2, 3, 7, 8, 9, 15, 16])
@pytest.mark.parametrize("function", [np.sum, np.mean, np.max, np.min], ids=by_name)
def test_many_short_rows_give_the_numbers_of_numpy_to_the_last_bit(function, length):
    x = np.random.default_rng(length).normal(size=(50, 200, length)) * 10.0 ** np.arange(length)
    x[0, 0], x[0, 1], x[0, 2, 1] = -0.0, np.inf, np.nan
    for keepdims in (False, True):
        got = function(ta.tensor(x, requires_grad=True), axis=-1, keepdims=keepdims).data
        expected = function(x, axis=-1, keepdims=keepdims)
        np.testing.assert_array_equal(got, expected)
        np.testing.assert_array_equal(np.signbit(got[0, 0]), np.signbit(expected[0, 0]))


@pytest.mark.parametrize("shape", [(5,), (1, 5), (40, 5), (1, 40, 5), (30, 1, 5), (30, 40, 1), (1, 1, 5), ()])
def test_what_was_broadcast_receives_the_sum(shape):
    cotangent = np.random.default_rng(1).normal(size=(30, 40, 5))
    _, pull = ta.vjp(lambda x: x + np.zeros((30, 40, 5)), np.ones(shape))
    extra = 3 - len(shape)
    expected = cotangent.sum(tuple(range(extra)))
    expected = expected.sum(tuple(axis for axis, length in enumerate(shape) if length == 1), keepdims=True)
    np.testing.assert_allclose(pull(cotangent)[0], expected.reshape(shape), rtol=1e-12)


@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 2), (1, 2)])
@pytest.mark.parametrize("square", [np.square, lambda x: x**2], ids=["square", "power"])
def test_large_squares_under_a_sum(square, axis):
    x = np.random.default_rng(2).normal(size=(40, 30, 10))
    weights = np.random.default_rng(3).normal(size=np.sum(x, axis=axis, keepdims=True).shape)
    gradient = ta.grad(lambda x: np.sum(weights * np.sum(square(x), axis=axis, keepdims=True)))(x)
    np.testing.assert_allclose(gradient, 2 * weights * x, rtol=1e-13)
    tangent = np.broadcast_to(weights, x.shape)
    np.testing.assert_allclose(ta.jvp(square, (x,), (tangent,))[1], 2 * x * weights, rtol=1e-13)
    x[0, 0, 0], weights[...] = np.inf, 0.0
    assert not np.any(ta.vjp(lambda x: np.sum(square(x), axis=axis, keepdims=True), x)[1](weights)[0])


def test_a_rule_of_ones_own_may_use_that_of_a_large_square():
    known = ta.registry.PRIMITIVES["square"].rule
    x = np.linspace(0.0, 1.0, 5000)
    with ta.override_gradient({"square": lambda op: 10.0 * known(op)}):
        np.testing.assert_allclose(ta.grad(lambda x: np.sum(np.square(x)))(x), 20 * x)
