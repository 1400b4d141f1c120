"""Every public callable of np, np.linalg, np.fft and np.emath, as found at run time: what becomes of it on tensors.

What is said to be covered is called with each of its arguments and compared with differences; what is said to be
constant is called and gives plain results; what is left out gives plain results or raises.
"""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import numpy as np
import pytest
from catalogue import difference, directions
from namespace_calls import CALLS, CONSTANT_CALLS, LEFT_OUT_CALLS, OTHER, POINT

import tapead as ta
from tapead.coverage import AREAS, CONSTANT, COVERED, LEFT_OUT, UNKNOWN, census

STANDINGS = [standing for area, namespace in AREAS.items() for standing in census(area, namespace)]
COVERED_NAMES = [(one.area, one.name) for one in STANDINGS if one.state == COVERED]


def function_of(area, name):
    return getattr(AREAS[area], name)


def calls_of(area, name):
    """The calls to try a covered function with; a ufunc of one or two operands has standard ones."""
    function = function_of(area, name)
    if name in CALLS[area]:
        return CALLS[area][name]
    if isinstance(function, np.ufunc) and function.signature is None:
        unary = function.nin == 1
        return [lambda f, x: f(x) if unary else f(x, OTHER), lambda f, x: f(x[0]) if unary else f(OTHER, x[0])]
    return []


# ---------------------------------------------------------------------- the census


def test_no_public_callable_is_unknown():
    assert "\n".join(one.reason for one in STANDINGS if one.state == UNKNOWN) == ""


def test_a_function_that_numpy_adds_is_reported_with_what_to_do():
    def novelty(x):
        return x

    (found,) = census("numpy", SimpleNamespace(novelty=novelty, _private=novelty, constant=3.0))
    assert found.state == UNKNOWN
    assert "numpy.novelty is new" in found.reason
    assert "@implements" in found.reason and "PLAIN_FUNCTIONS" in found.reason and "coverage.py" in found.reason


def test_every_name_in_the_tables_exists_and_every_covered_function_has_a_call():
    known = {(one.area, one.name) for one in STANDINGS}
    later = {"cumulative_sum", "cumulative_prod", "unstack", "matvec", "vecmat", "astype"}  # than NumPy 2.0
    assert {name for area, table in CALLS.items() for name in table if (area, name) not in known} <= later
    assert [pair for pair in COVERED_NAMES if not calls_of(*pair)] == []


#: Arguments that choose a class or an order in memory or nothing at all; `out` has tests of its own.
UNTRIED = {"subok", "device", "like", "out", "kwargs", "order", "ndmax"}


@pytest.mark.parametrize("area", list(AREAS))
def test_every_argument_of_every_covered_function_is_used_in_a_call(area):
    missing = []
    for name, calls in CALLS[area].items():
        function = function_of(area, name)
        signature = signature_of(function)
        if signature is None:
            continue
        used = set(UNTRIED)

        def recorder(*args, **kwargs):
            given = {name: value for name, value in kwargs.items() if name != "like"}
            used.update(signature.bind(*args, **given).arguments)  # noqa: B023 -- called in this turn of the loop
            return function(*args, **kwargs)  # noqa: B023 -- as above

        for call in calls:
            call(recorder, POINT)
        missing += [f"{name}({parameter}=)" for parameter in signature.parameters if parameter not in used]
    assert missing == []


def signature_of(function):
    """The signature; None for ufuncs, whose keywords have tests of their own, and where C code does not say."""
    try:
        return None if isinstance(function, np.ufunc) else inspect.signature(function)
    except ValueError:
        return None


# ---------------------------------------------------------------------- what is covered


def flat(results):
    """One row of all the floating-point results, real and imaginary parts in turn, to compare all at once."""
    if isinstance(results, (tuple, list)):
        return np.concatenate([flat(result) for result in results] or [np.zeros(0)])
    if not hasattr(results, "dtype") or results.dtype.kind not in "fc":
        return np.zeros(0)
    parts = [np.real(results), np.imag(results)] if results.dtype.kind == "c" else [results]
    return np.concatenate([np.ravel(part) for part in parts])


@pytest.mark.parametrize(("area", "name"), COVERED_NAMES)
def test_covered(area, name):
    function = function_of(area, name)
    for call in calls_of(area, name):
        check(lambda x, call=call: flat(call(function, x)), POINT)


def check(function, x):
    """NumPy's values, forward and reverse against differences, and forward over reverse."""
    expected = function(x)
    (v,) = directions((x,))
    tracked = ta.tensor(x, requires_grad=True)
    result = function(tracked)
    assert isinstance(result, ta.Tensor) and result.requires_grad
    out, tangent = ta.jvp(function, (x,), (v,))
    np.testing.assert_allclose(out, expected, rtol=1e-13, atol=1e-14)
    keep = np.isfinite(expected)
    np.testing.assert_allclose(tangent[keep], difference(function, (x,), (v,))[keep], rtol=1e-7, atol=1e-7)
    (w,) = directions((expected,), seed=2)
    w = np.where(keep, w, 0.0)

    def pulled(x):
        return np.sum(ta.vjp(function, x)[1](w)[0] * v)

    np.testing.assert_allclose(pulled(x), np.sum((tangent * w)[keep]), rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(ta.jvp(pulled, (x,), (v,))[1], difference(pulled, (x,), (v,)), rtol=2e-6, atol=1e-6)


# ---------------------------------------------------------------------- out=

WITH_OUT = [(area, name) for area, name in COVERED_NAMES if isinstance(function_of(area, name), np.ufunc) or (
    signature_of(function_of(area, name)) and "out" in signature_of(function_of(area, name)).parameters)]


@pytest.mark.parametrize("area", list(AREAS))
def test_out(area):
    """A tensor given as out= receives the result and its derivative; a plain array is refused, by position too."""
    for _, name in [pair for pair in WITH_OUT if pair[0] == area]:
        function, call = function_of(area, name), calls_of(area, name)[0]
        results = call(function, POINT)
        x = ta.tensor(POINT, requires_grad=True)
        if isinstance(results, tuple):
            with pytest.raises(NotImplementedError, match="out="):
                call(lambda *a, f=function, r=results, **k: f(*a, **k, out=tuple(map(np.copy, r))), x)
            targets = tuple([ta.tensor(np.zeros_like(result, float)) for result in results])
            assert call(lambda *a, f=function, t=targets, **k: f(*a, **k, out=t), x) is targets
            np.testing.assert_allclose(flat(targets).data, np.ravel(results), rtol=1e-14)
            continue
        with pytest.raises((NotImplementedError, TypeError), match="out=") as failure:
            call(lambda *a, f=function, r=results, **k: f(*a, **k, out=np.zeros_like(r)), x)
        assert "assign" in str(failure.value) or "use" in str(failure.value)

        def filled(x, function=function, call=call, results=results):
            target = ta.tensor(np.zeros_like(results))
            returned = call(lambda *a, **k: function(*a, **k, out=target), x)
            assert returned is target
            return flat(target)

        np.testing.assert_allclose(filled(x).data, flat(results), rtol=1e-14)
        plain = ta.jvp(lambda x, f=function, c=call: flat(c(f, x)), (POINT,), (OTHER,))[1]
        np.testing.assert_array_equal(ta.jvp(filled, (POINT,), (OTHER,))[1], plain)


# ---------------------------------------------------------------------- what is constant, and what is left out


def leaves(result):
    return [leaf for part in result for leaf in leaves(part)] if isinstance(result, (tuple, list)) else [result]


@pytest.mark.parametrize(("area", "name"), [(one.area, one.name) for one in STANDINGS if one.state == CONSTANT])
def test_constant_results_are_plain(area, name):
    function, x = function_of(area, name), ta.tensor(POINT, requires_grad=True)
    arity = getattr(function, "nin", 1)
    call = CONSTANT_CALLS.get(name, lambda f, x: f(x) if arity == 1 else f(x, OTHER))
    for result, expected in zip(leaves(call(function, x)), leaves(call(function, POINT)), strict=True):
        assert not getattr(result, "requires_grad", False)
        assert getattr(result, "dtype", None) != np.dtype(object)
        np.testing.assert_array_equal(getattr(result, "data", result) if isinstance(result, ta.Tensor) else result,
                                      expected)


#: Would wait for input, print pages, or change settings.
NOT_CALLED = {"test", "info", "show_config", "show_runtime", "load", "fromregex", "set_printoptions", "setbufsize",
              "seterr", "seterrcall", "printoptions", "errstate", "row_stack"}


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize(("area", "name"), [(one.area, one.name) for one in STANDINGS
                                            if one.state == LEFT_OUT and one.name not in NOT_CALLED])
def test_what_is_left_out_gives_plain_results_or_raises(area, name):
    """Neither an array of objects, nor numbers that have lost their graph."""
    function = function_of(area, name)
    for x in (ta.tensor(POINT, requires_grad=True), ta.tensor(0.5, requires_grad=True)):
        try:
            result = LEFT_OUT_CALLS.get(name, lambda f, x: f(x))(function, x)
        except Exception as failure:  # that it says no is all that matters for most; the others are named below
            assert name not in SAYS_WHY or "x.detach()" in str(failure) or "x.item()" in str(failure)
            continue
        if result is x:
            continue
        for leaf in leaves(result):
            assert getattr(leaf, "dtype", None) != np.dtype(object)
            assert not (isinstance(leaf, (np.ndarray, np.floating, float)) and np.asarray(leaf).dtype.kind in "fc")


SAYS_WHY = {"asarray_chkfinite", "asmatrix", "frompyfunc", "vectorize", "broadcast", "ndenumerate", "matrix",
            "float64", "complex128"}


def test_what_is_no_callable_says_why_too():
    x = ta.tensor(POINT, requires_grad=True)
    for call, way_round in [(lambda: np.r_[x, x], r"tapead\.r_"), (lambda: np.c_[x, x], r"tapead\.c_"),
                            (lambda: np.vectorize(np.sin)(x), r"np\.vectorize.*tapead\.vectorize"),
                            (lambda: np.kaiser(5, x[0, 0]), r"np\.kaiser.*np\.i0"),
                            (lambda: np.polynomial.polynomial.polyval(2.0, x[0]),
                             r"np\.polynomial\.polynomial\.polyval"),
                            (lambda: np.linalg.norm([x, x]), r"np\.linalg\.norm.*np\.stack"),
                            (lambda: np.array([x, x]), r"tapead\.array")]:
        with pytest.raises(TypeError, match=way_round):
            call()
