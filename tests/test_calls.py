"""Ufuncs with keywords, by their methods, with two results; and that every ufunc of NumPy is accounted for."""

from __future__ import annotations

import numpy as np
import pytest
from catalogue import difference

import tapead as ta
from tapead.ops.calls import COMPOSED, ON_VALUES
from tapead.registry import UFUNCS

X = np.array([[1.5, -2.25, 3.0], [0.5, 4.0, -0.75]])


def check(function, x):
    """Value against NumPy's, both modes against differences, and second order."""
    v = np.round(np.sin(np.arange(x.size) + 1.0), 2).reshape(x.shape)
    out, tangent = ta.jvp(function, (x,), (v,))
    np.testing.assert_allclose(out, function(x), rtol=1e-14)
    assert np.shape(out) == np.shape(function(x))
    np.testing.assert_allclose(tangent, difference(function, (x,), (v,)), rtol=1e-8, atol=1e-9)
    weights = np.round(np.cos(np.arange(np.size(out)) + 2.0), 2).reshape(np.shape(out))[()]

    def pulled(x):
        return np.sum(ta.vjp(function, x)[1](weights)[0] * v)

    np.testing.assert_allclose(pulled(x), np.sum(tangent * weights), rtol=1e-12)
    np.testing.assert_allclose(ta.jvp(pulled, (x,), (v,))[1], difference(pulled, (x,), (v,)), rtol=1e-7, atol=1e-8)


# ---------------------------------------------------------------------- the census


def test_every_ufunc_of_numpy_is_accounted_for():
    ufuncs = {value for value in vars(np).values() if isinstance(value, np.ufunc)}
    assert {ufunc.__name__ for ufunc in ufuncs - UFUNCS.keys() - COMPOSED.keys() - ON_VALUES} == set()
    assert UFUNCS.keys() & COMPOSED.keys() == UFUNCS.keys() & ON_VALUES == set()


def test_ufuncs_left_to_their_values_have_no_loop_for_floating_point_numbers():
    takes_floats = {ufunc.__name__ for ufunc in ON_VALUES if any(kind in "efdgFDG" for types in ufunc.types
                                                                for kind in types.split("->")[0])}
    assert takes_floats == set()


def test_ufuncs_without_derivative_give_steps_or_truth_values():
    at, near = np.array([0.4, -1.7, 2.3]), np.array([0.4, -1.7, 2.3]) + 1e-7
    for ufunc, primitive in UFUNCS.items():
        if not primitive.differentiable and ufunc is not np.spacing:
            operands = (at,) if ufunc.nin == 1 else (at, np.array([0.15, 0.35, -0.45]))
            np.testing.assert_array_equal(ufunc(*operands), ufunc(near, *operands[1:]))


def test_an_unknown_ufunc_raises_with_its_name_and_the_way_round():
    x = ta.tensor(X, requires_grad=True)
    halve = np.frompyfunc(lambda x: x / 2, 1, 1)
    for call in (lambda: halve(x), lambda: halve(x, dtype=object)):
        with pytest.raises(NotImplementedError, match=r"vectorized.*tapead\.primitive.*x\.detach\(\)"):
            call()


# ---------------------------------------------------------------------- keywords


def test_dtype_casts_the_operands():
    out, pull = ta.vjp(lambda x: np.multiply(x, x, dtype=np.float32), X)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, np.multiply(X, X, dtype=np.float32))
    gradient = pull(np.ones_like(out))[0]
    assert gradient.dtype == np.float64
    np.testing.assert_array_equal(gradient, 2 * X)


def test_dtype_raises_the_precision_of_the_derivative_too():
    x = np.float32(0.1)
    _, tangent = ta.jvp(lambda x: np.exp(x, dtype=np.float64), (x,), (np.float32(1),))
    assert tangent == np.exp(np.float64(x))


@pytest.mark.parametrize("keywords", [{"signature": "dd->d"}, {"sig": "dd->d"}, {"casting": "safe"}, {"order": "F"},
                                      {"subok": False},
                                      {"signature": (None, None, np.dtype("f8"))}, {"where": True},
                                      {"out": None}, {"out": (None,)}], ids=str)
def test_keywords_that_change_no_value(keywords):
    check(lambda x: np.multiply(x, x, **keywords), X)


def test_casting_that_numpy_refuses_is_refused():
    x = ta.tensor(X, requires_grad=True)
    with pytest.raises(TypeError, match="Cannot cast"):
        np.add(x, 1.0, dtype=int)
    with pytest.raises(TypeError):
        np.add(x, np.ones(3, np.float32), casting="no")


def test_integers_asked_for_are_plain():
    result = np.add(ta.tensor(X, requires_grad=True), 1, dtype=int, casting="unsafe")
    assert isinstance(result, np.ndarray)
    np.testing.assert_array_equal(result, np.add(X, 1, dtype=int, casting="unsafe"))


def test_where_raises_because_the_rest_would_be_undefined():
    x = ta.tensor(X, requires_grad=True)
    with pytest.raises(NotImplementedError, match=r"np\.log\(\.\.\., where=mask\).*np\.where\(mask, np\.log"):
        np.log(x, where=X > 0)
    with pytest.raises(NotImplementedError, match="where=mask"):
        np.greater(x, 0, where=X > 0)


def test_an_unknown_keyword_raises():
    with pytest.raises(TypeError):
        np.exp(ta.tensor(X, requires_grad=True), axis=0)


@pytest.mark.parametrize("write", [
    lambda x: np.add(x, 1, out=np.zeros((2, 3))), lambda x: np.add(x, 1, np.zeros((2, 3))),
    lambda x: np.add.reduce(x, out=np.zeros(3)), lambda x: np.zeros((2, 3)).__iadd__(x),
    lambda x: np.modf(x, out=(np.zeros((2, 3)), None))])
def test_writing_into_an_array_raises_and_writes_nothing(write):
    with pytest.raises(NotImplementedError, match=r"np\.\w+.*out=.*leave out= away"):
        write(ta.tensor(X, requires_grad=True))


def test_writing_truth_values_into_an_array_is_what_numpy_does():
    found = np.zeros((2, 3), bool)
    np.greater(ta.tensor(X, requires_grad=True), 0, out=found)
    np.testing.assert_array_equal(found, X > 0)


def test_at_raises_with_the_way_round():
    target = np.zeros(3)
    with pytest.raises(TypeError, match=r"np\.add\.at.*plain array"):
        np.add.at(target, [0], ta.tensor(1.0, requires_grad=True))
    np.testing.assert_array_equal(target, 0)


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.divide, np.power, np.logaddexp, np.sin],
                         ids=lambda ufunc: ufunc.__name__)
def test_at_changes_again_what_is_named_again(ufunc):
    def changed(x):
        y = 2.0 + np.sin(x[0])
        ufunc.at(y, [0, 2, 0, 0], *([0.5 + x[1, [0, 1, 2, 0]] ** 2] if ufunc.nin == 2 else []))
        ufunc.at(y, (slice(1, None),), *([x[0, 2]] if ufunc.nin == 2 else []))
        return y

    check(changed, X / 4)


def test_at_into_a_plain_array_with_values_that_are_not_tracked():
    target = np.ones(3)
    np.add.at(target, [0, 0], ta.tensor(1.5))
    np.testing.assert_array_equal(target, [4.0, 1.0, 1.0])


def test_axes_of_generalised_ufuncs():
    a, b = np.arange(24.0).reshape(2, 3, 4) / 7, np.cos(np.arange(24.0)).reshape(4, 3, 2)
    check(lambda x: np.matmul(x, b, axes=[(0, 1), (1, 2), (0, 2)]), a)
    check(lambda x: np.vecdot(x, a, axis=1), a)
    check(lambda x: np.vecdot(x, a, axis=0, keepdims=True), a)
    check(lambda x: np.vecdot(x, b, axes=[1, 1, ()]), b)
    check(lambda x: np.vecdot(x, a, keepdims=True), a)


# ---------------------------------------------------------------------- methods

REDUCED = [np.add, np.multiply, np.maximum, np.minimum, np.logaddexp, np.logaddexp2, np.hypot, np.fmax, np.fmin]


@pytest.mark.parametrize("ufunc", REDUCED, ids=lambda ufunc: ufunc.__name__)
@pytest.mark.parametrize("keywords", [{}, {"axis": 1}, {"axis": None}, {"axis": (0, 1)},
                                      {"axis": -1, "keepdims": True}], ids=str)
def test_reduce(ufunc, keywords):
    check(lambda x: ufunc.reduce(x, **keywords), X)


@pytest.mark.parametrize("ufunc", [np.subtract, np.divide, np.copysign, np.remainder],
                         ids=lambda ufunc: ufunc.__name__)
def test_reduce_from_left_to_right(ufunc):
    check(lambda x: ufunc.reduce(x, axis=1), X)
    check(lambda x: ufunc.accumulate(x, axis=1), X)
    with pytest.raises(ValueError, match="reorderable"):
        ufunc.reduce(ta.tensor(X, requires_grad=True), axis=None)


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.logaddexp, np.subtract],
                         ids=lambda ufunc: ufunc.__name__)
def test_reduce_from_an_initial_value(ufunc):
    check(lambda x: ufunc.reduce(x, axis=1, initial=2.0), X)


def test_reduce_from_an_initial_value_that_is_tracked():
    x, start = ta.tensor(X[0], requires_grad=True), ta.tensor(2.0, requires_grad=True)
    gradients = ta.gradients(np.subtract.reduce(x, initial=start), (x, start))
    assert [gradient.tolist() for gradient in gradients] == [[-1, -1, -1], 1]


def test_reduce_where():
    mask = X > 0
    check(lambda x: np.add.reduce(x, where=mask), X)
    check(lambda x: np.logaddexp.reduce(x, axis=1, where=mask), X)
    with pytest.raises(ValueError, match=r"fmax\.reduce\(\.\.\., where=mask\)"):
        np.fmax.reduce(ta.tensor(X, requires_grad=True), where=mask)


def test_reduce_of_nothing_and_in_another_dtype():
    assert np.add.reduce(ta.tensor([], requires_grad=True)).item() == 0
    assert np.logaddexp.reduce(ta.tensor([], requires_grad=True)) == -np.inf
    assert np.add.reduce(ta.tensor(X, requires_grad=True), dtype=np.float32).dtype == np.float32


def test_reductions_begin_with_the_identity():
    check(np.hypot.reduce, -np.abs(X[:1]))
    check(lambda x: np.hypot.reduce(x, axis=()), X)
    check(np.subtract.reduce, np.array(-2.0))


def test_logaddexp_reduces_without_overflow():
    x = np.array([1000.0, 1000.0, -np.inf, 999.0, -1e300])
    gradient = ta.grad(np.logaddexp.reduce)(x)
    shares = np.exp(x - 1000)
    np.testing.assert_allclose(gradient, shares / shares.sum(), rtol=1e-13)


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.minimum, np.logaddexp], ids=lambda u: u.__name__)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_accumulate(ufunc, axis):
    check(lambda x: ufunc.accumulate(x, axis=axis), X)


def test_accumulate_of_extremes_with_ties_and_nans():
    x = np.array([1.0, 3.0, 3.0, 2.0, np.nan, 5.0])
    out, pull = ta.vjp(np.maximum.accumulate, x)
    np.testing.assert_array_equal(out, np.maximum.accumulate(x))
    np.testing.assert_array_equal(pull(np.ones(6))[0], [1, 3, 0, 0, 2, 0])


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum], ids=lambda u: u.__name__)
@pytest.mark.parametrize("indices", [[0, 2], [1], [0, 2, 1, 1], [2, 0]], ids=str)
def test_reduceat(ufunc, indices):
    check(lambda x: ufunc.reduceat(x, indices, axis=1), X)


def test_reduceat_refuses_what_numpy_refuses():
    for indices in ([3], [-1]):
        with pytest.raises(IndexError):
            np.add.reduceat(X[0], indices)
        with pytest.raises(IndexError):
            np.add.reduceat(ta.tensor(X[0], requires_grad=True), indices)


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.divide, np.maximum, np.arctan2], ids=lambda u: u.__name__)
def test_outer(ufunc):
    check(lambda x: ufunc.outer(x, np.array([0.7, -1.3])), X)
    check(lambda x: ufunc.outer(2.0, x), X)
    check(lambda x: ufunc.outer(x[0], x), X)


def test_methods_of_truth_valued_ufuncs_are_plain():
    x = ta.tensor(X, requires_grad=True)
    for result, expected in [(np.logical_and.reduce(x, axis=1), np.logical_and.reduce(X, axis=1)),
                             (np.less.outer(x, x), np.less.outer(X, X)),
                             (np.logical_or.accumulate(x), np.logical_or.accumulate(X))]:
        assert isinstance(result, np.ndarray)
        np.testing.assert_array_equal(result, expected)


# ---------------------------------------------------------------------- several results


def test_modf():
    check(lambda x: np.modf(x)[0], X + 0.1)
    fraction, whole = np.modf(ta.tensor([-2.0, np.inf, 1.25], requires_grad=True))
    np.testing.assert_array_equal(fraction.data, np.modf([-2.0, np.inf, 1.25])[0])
    np.testing.assert_array_equal(whole.data, [-2, np.inf, 1])
    assert fraction.requires_grad and not whole.requires_grad


def test_frexp_and_ldexp():
    check(lambda x: np.frexp(x)[0], X + 0.1)
    check(lambda x: np.ldexp(x, np.array([1, 2, -3])), X)
    for x in (5e-324, 1.7e308, np.inf, -0.0):
        mantissa, exponent = np.frexp(ta.tensor(x, requires_grad=True))
        assert (mantissa.item(), exponent) == tuple(np.frexp(x))
    assert ta.grad(lambda x: np.ldexp(x, 1100))(1e-310) == np.inf
    assert ta.grad(lambda x: np.ldexp(x, 1000) * 1e-300)(1.0) == np.ldexp(1e-300, 1000)


def test_divmod():
    check(lambda x: np.divmod(x, 0.7)[1], X)
    quotient, remainder = divmod(ta.tensor(X, requires_grad=True), 0.7)
    np.testing.assert_array_equal(quotient.data, X // 0.7)
    assert remainder.requires_grad and not quotient.requires_grad


# ---------------------------------------------------------------------- integers


def test_integer_ufuncs_are_plain_on_integers_and_refuse_floats():
    result = np.gcd(ta.tensor([4, 6]), 2)
    assert isinstance(result, np.ndarray)
    np.testing.assert_array_equal(result, [2, 2])
    with pytest.raises(TypeError, match="gcd"):
        np.gcd(ta.tensor(X, requires_grad=True), 2)
