"""Functions of scipy.special on tensors: every rule by the catalogue's laws, known values, edges, and errors."""

from __future__ import annotations

import numpy as np
import pytest

special = pytest.importorskip("scipy.special")

from catalogue import call, cases, difference, directions, draw  # noqa: E402 -- only with SciPy

import tapead as ta  # noqa: E402 -- the same
import tapead.scipy.special as tapead_special  # noqa: E402 -- the same
from tapead.registry import PRIMITIVES  # noqa: E402 -- the same

#: SciPy's own values are wrong in the fifth digit, or never come.
ROUGH = ("special_obl_ang", "special_obl_rad", "special_pro_rad2")
#: Their values come from searches that end at about ten digits.
COARSE = {"special_btdtria", "special_btdtrib", "special_fdtri", "special_fdtridfd", "special_bdtrik",
          "special_nbdtrik", "special_bdtrin", "special_nbdtrin", "special_nctdtridf", "special_nctdtrinc",
          "special_ncfdtridfn"}
#: Or at five, so that differences of them say little; their rules are those of the functions they are inverse to.
SEARCHED = {"special_ncfdtridfd", "special_ncfdtrinc"}
#: With float32 SciPy does not return from some of them.
SPHEROIDAL = ("special_pro_", "special_obl_")
#: With float32 SciPy takes their count for a float, and warns.
COUNTS = {"special_bdtr", "special_bdtrc", "special_bdtri"}

NAMES = [name for name, primitive in sorted(PRIMITIVES.items()) if name.startswith("special_")
         and primitive.differentiable and not name.startswith(ROUGH) and name not in SEARCHED | {"special_faddeeva"}]


def drawn(name, number):
    operands, attrs = draw(PRIMITIVES[name], number)
    return call(PRIMITIVES[name], attrs), operands


@pytest.mark.parametrize("name", NAMES)
def test_forward_and_reverse_agree_with_differences(name):
    tolerance = 1e-5 if name in COARSE else 1e-6
    for number in range(len(cases(PRIMITIVES[name]))):
        function, point = drawn(name, number)
        direction = directions(point)
        out, tangent = ta.jvp(function, point, direction)
        assert np.shape(tangent) == np.shape(out)
        np.testing.assert_array_equal(out, function(*point))
        np.testing.assert_allclose(tangent, difference(function, point, direction), rtol=tolerance, atol=tolerance)
        cotangent = directions((out,), seed=2)[0]
        pulled = ta.vjp(function, *point)[1](cotangent)
        right = sum(np.sum(part * v) for part, v in zip(pulled, direction, strict=True))
        np.testing.assert_allclose(np.real(np.sum(np.conj(tangent) * cotangent)), right, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_second_order(name):
    function, point = drawn(name, 0)
    direction = directions(point)

    def pulled(*inputs):
        out, pull = ta.vjp(function, *inputs)
        parts = pull(np.ones(np.shape(out))[()])
        return sum(np.sum(np.real(part)) for part in parts)

    tangent = ta.jvp(pulled, point, direction)[1]
    expected = difference(pulled, point, direction)
    np.testing.assert_allclose(tangent, expected, rtol=1e-5, atol=1e-5)
    gradients = ta.grad(pulled, tuple(range(len(point))))(*point)
    total = sum(np.sum(g * v) for g, v in zip(gradients, direction, strict=True))
    np.testing.assert_allclose(total, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in COUNTS and not name.startswith(SPHEROIDAL)])
def test_float32_stays_float32(name):
    function, point = drawn(name, 1)
    small = tuple(np.asarray(x, np.float32)[()] for x in point)
    out, pull = ta.vjp(function, *small)
    assert ta.jvp(function, small, directions(small))[1].dtype == out.dtype
    assert all(part.dtype == np.float32 for part in pull(directions((out,))[0]))


def test_all_ufuncs_are_covered_and_every_rule_states_its_formula():
    from tapead.ops.calls import COMPOSED
    from tapead.registry import UFUNCS

    ufuncs = {one for one in vars(special).values() if isinstance(one, np.ufunc)}
    assert [one for one in ufuncs if one not in UFUNCS and one not in COMPOSED] == []
    assert all(PRIMITIVES[name].rule.__doc__ for name in NAMES)


def test_a_ufunc_of_scipy_works_on_tensors_as_it_is():
    x = ta.tensor([0.5, 2.0], requires_grad=True)
    special.gammaln(x).sum().backward()
    np.testing.assert_allclose(x.grad.data, special.psi([0.5, 2.0]), rtol=1e-15)
    assert ta.grad(lambda z: special.jv(0, z))(1.0) == -special.j1(1.0)


def test_an_argument_without_a_derivative_is_named():
    with pytest.raises(NotImplementedError, match=r"scipy\.special\.jv: no derivative with respect to the order v"):
        ta.grad(lambda v: special.jv(v, 1.0))(0.5)
    with pytest.raises(NotImplementedError, match=r"scipy\.special\.pbdv: no derivative with respect to the order v"):
        ta.grad(lambda v: special.pbdv(v, 1.0)[0])(0.5)


# Derivatives to 16 digits, by differences of mpmath at 50.
@pytest.mark.parametrize("function, point, expected", [
    (special.erfcx, 1e8, -5.641895835477562e-17), (special.dawsn, 1e8, -5e-17),
    (special.i0e, 1e8, -1.9947114094873306e-13), (special.ellipk, 0.0, np.pi / 8),
    (special.spence, 1.0, -1.0), (special.exprel, 0.0, 0.5), (special.rgamma, 0.0, 1.0), (special.rgamma, -2.0, 2.0),
    (special.log_ndtr, -1e4, 10000.000099999998), (special.entr, -1.0, 0.0), (special.i0e, 0.0, 0.0),
], ids=lambda value: getattr(value, "__name__", str(value)))
def test_edges(function, point, expected):
    np.testing.assert_allclose(ta.grad(function)(point), expected, rtol=3e-15, atol=1e-300)


def test_second_derivatives_where_formulas_would_be_zero_by_zero():
    twice = {special.ellipk: (0.0, 9 * np.pi / 64), special.exprel: (0.0, 1 / 3), special.spence: (1.0, 0.5),
             special.rgamma: (0.0, 2 * np.euler_gamma)}
    for function, (point, expected) in twice.items():
        np.testing.assert_allclose(ta.grad(ta.grad(function))(point), expected, rtol=1e-14)


def test_several_results():
    for function, point in ((special.sici, 0.7), (special.airy, 0.7), (special.fresnel, 0.7)):
        for place in range(len(function(point))):
            slope = ta.grad(lambda x, f=function, k=place: f(x)[k])(point)
            np.testing.assert_allclose(slope, difference(lambda x, f=function, k=place: f(x)[k], (point,), (1.0,)),
                                       rtol=1e-9)


def test_constants_to_every_sweep():
    assert ta.grad(lambda x: special.round(x) + x)(0.7) == 1
    assert ta.grad(lambda x: special.gammasgn(x) * x)(-0.7) == special.gammasgn(-0.7)


def test_complex_arguments():
    point = 0.3 + 0.7j
    for function in (special.erf, special.gamma, special.wofz, special.exp1, lambda z: special.jv(1.5, z)):
        tangent = ta.jvp(function, (point,), (1.0 + 0j,))[1]
        np.testing.assert_allclose(tangent, (function(point + 1e-6) - function(point - 1e-6)) / 2e-6, rtol=1e-8)
    with pytest.raises(NotImplementedError, match="real arguments only"):
        ta.jvp(lambda z: special.jve(1.5, z), (point,), (1.0 + 0j,))


# ---------------------------------------------------------------------- functions that are no ufuncs


@pytest.mark.parametrize("options", [{}, {"axis": 1}, {"axis": (0, 1), "keepdims": True}, {"axis": 0}])
def test_logsumexp_and_softmax(options):
    a = np.array([[0.5, -1.0, 2.0], [1000.0, 999.0, -np.inf]])
    weights = np.array([[1.0, 2.0, 0.5], [1.0, 0.0, 3.0]])
    for given in (None, weights):
        np.testing.assert_allclose(tapead_special.logsumexp(a, b=given, **options),
                                   special.logsumexp(a, b=given, **options), rtol=1e-14)
    slope = ta.grad(lambda x: np.sum(tapead_special.logsumexp(x, **options)))(a)
    np.testing.assert_allclose(slope, special.softmax(a, axis=options.get("axis")), rtol=1e-14)
    axis = options.get("axis")
    np.testing.assert_allclose(tapead_special.softmax(a, axis), special.softmax(a, axis), rtol=1e-14)
    finite = np.clip(a, 0, 1000)
    np.testing.assert_allclose(tapead_special.log_softmax(finite, axis), special.log_softmax(finite, axis), rtol=1e-14)


def test_logsumexp_with_the_sign_of_a_negative_sum():
    a, b = np.array([0.1, 0.7]), np.array([1.0, -2.0])
    value, sign = tapead_special.logsumexp(a, b=b, return_sign=True)
    assert sign == -1
    slope = ta.grad(lambda x: tapead_special.logsumexp(x, b=b, return_sign=True)[0])(a)
    np.testing.assert_allclose(slope, b * np.exp(a) * sign / np.exp(value), rtol=1e-14)


def test_polygamma_and_multigammaln():
    x = np.array([0.3, 2.5, 30.0])
    for n in (0, 1, 3):
        np.testing.assert_allclose(tapead_special.polygamma(n, x), special.polygamma(n, x), rtol=1e-14)
        slope = ta.grad(lambda y, n=n: tapead_special.polygamma(n, y).sum())(x)
        np.testing.assert_allclose(slope, special.polygamma(n + 1, x), rtol=1e-13)
    np.testing.assert_allclose(tapead_special.polygamma(1, -0.5), 8.934802200544679, rtol=1e-14)
    np.testing.assert_allclose(tapead_special.multigammaln(3.5, 3), special.multigammaln(3.5, 3), rtol=1e-14)
    slope = ta.grad(lambda a: tapead_special.multigammaln(a, 3))(3.5)
    np.testing.assert_allclose(slope, special.psi([3.5, 3.0, 2.5]).sum(), rtol=1e-14)
