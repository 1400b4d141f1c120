"""Everything public in scipy.special, as it is found at run time: covered, offered, or listed with a reason."""

from __future__ import annotations

import numpy as np
import pytest

special = pytest.importorskip("scipy.special")

from catalogue import difference, draw  # noqa: E402 -- only with SciPy

import tapead as ta  # noqa: E402 -- the same
import tapead.scipy.special as tapead_special  # noqa: E402 -- the same
from tapead.registry import PRIMITIVES  # noqa: E402 -- the same
from tapead.scipy.special.table import ARGUMENTS  # noqa: E402 -- the same

PUBLIC = {name: getattr(special, name) for name in dir(special)
          if not name.startswith("_") and callable(getattr(special, name))}
UFUNCS = {name: value for name, value in PUBLIC.items() if isinstance(value, np.ufunc)}

#: Functions made of ufuncs: they take tensors as they are.
COMPOSED = {
    "assoc_laguerre": lambda x: special.assoc_laguerre(x, 2, 1.5), "h1vp": lambda x: special.h1vp(1, x).real,
    "h2vp": lambda x: special.h2vp(1, x).imag, "ivp": lambda x: special.ivp(1, x), "jvp": lambda x: special.jvp(1, x),
    "kvp": lambda x: special.kvp(1, x), "yvp": lambda x: special.yvp(1, x),
    "lambertw": lambda x: special.lambertw(x).real, "sinc": lambda x: special.sinc(x),
    "softplus": lambda x: special.softplus(x), "zeta": lambda x: special.zeta(1 + x, 2.0),
    **{name: lambda x, name=name: getattr(special, name)(3)(x) for name in (
        "chebyc", "chebys", "chebyt", "chebyu", "hermite", "hermitenorm", "laguerre", "legendre", "sh_chebyt",
        "sh_chebyu", "sh_legendre")},
    "gegenbauer": lambda x: special.gegenbauer(3, 0.7)(x), "genlaguerre": lambda x: special.genlaguerre(3, 0.7)(x),
    "jacobi": lambda x: special.jacobi(3, 0.7, 0.2)(x), "sh_jacobi": lambda x: special.sh_jacobi(3, 0.7, 0.2)(x),
}

#: Functions of whole numbers: nothing to differentiate in.
COUNTS = {"bernoulli", "euler", "stirling2", "factorial2", "factorialk", *(
    name for name in PUBLIC if name.endswith(("_zeros", "_roots")) or name.startswith("roots_"))}
#: What is no function of numbers.
SETTINGS = {"SpecialFunctionError", "SpecialFunctionWarning", "errstate", "geterr", "seterr", "test"}
#: Without a derivative: how they are called, and why they have none. They must not take a tensor silently.
WITHOUT = {
    "ellip_harm": (lambda x: special.ellip_harm(5, 8, 1, 1, x), "ellipsoidal: no closed form known to us"),
    "ellip_harm_2": (lambda x: special.ellip_harm_2(5, 8, 2, 1, x), "ellipsoidal: no closed form known to us"),
    "ellip_normal": (lambda x: special.ellip_normal(x, 8, 3, 7), "ellipsoidal: no closed form known to us"),
    "lmbda": (lambda x: special.lmbda(2, x), "a table of values and derivatives: of numbers only, use jv"),
    "lqmn": (lambda x: special.lqmn(1, 2, x), "a table of values and derivatives: of numbers only"),
    "lqn": (lambda x: special.lqn(2, x), "a table of values and derivatives: of numbers only"),
    "mathieu_even_coef": (lambda x: special.mathieu_even_coef(2, x), "coefficients of an eigenvector; numbers only"),
    "mathieu_odd_coef": (lambda x: special.mathieu_odd_coef(2, x), "coefficients of an eigenvector; numbers only"),
    "pbdn_seq": (lambda x: special.pbdn_seq(2, x), "a table of values and derivatives: of numbers only, use pbdv"),
    "pbdv_seq": (lambda x: special.pbdv_seq(2, x), "a table of values and derivatives: of numbers only, use pbdv"),
    "pbvv_seq": (lambda x: special.pbvv_seq(2, x), "a table of values and derivatives: of numbers only, use pbvv"),
    "pro_cv_seq": (lambda x: special.pro_cv_seq(1, 2, x), "a table: of numbers only, use pro_cv"),
    "obl_cv_seq": (lambda x: special.obl_cv_seq(1, 2, x), "a table: of numbers only, use obl_cv"),
    "riccati_jn": (lambda x: special.riccati_jn(2, x), "a table of values and derivatives: use spherical_jn"),
    "riccati_yn": (lambda x: special.riccati_yn(2, x), "a table of values and derivatives: use spherical_yn"),
    "assoc_legendre_p": (lambda x: special.assoc_legendre_p(2, 1, x), "it has diff_n=; lpmv has a rule"),
    "assoc_legendre_p_all": (lambda x: special.assoc_legendre_p_all(2, 1, x), "it has diff_n=; lpmv has a rule"),
    "legendre_p_all": (lambda x: special.legendre_p_all(3, x), "it has diff_n=; use legendre_p"),
    "sph_legendre_p_all": (lambda x: special.sph_legendre_p_all(2, 1, x), "it has diff_n=; use sph_legendre_p"),
    "sph_harm_y_all": (lambda x: special.sph_harm_y_all(2, 1, x, 0.3), "it has diff_n=; use sph_harm_y"),
}
#: SciPy's own functions of those offered in tapead.scipy.special, which make arrays of their arguments.
OFFERED = {
    "comb": lambda f, x: f(x + 3, 2), "diric": lambda f, x: f(x, 3), "factorial": lambda f, x: f(x + np.zeros(2)),
    "legendre_p": lambda f, x: f(3, x), "log_softmax": lambda f, x: f(x * np.ones(2)), "perm": lambda f, x: f(x + 3, 2),
    "logsumexp": lambda f, x: f(x * np.ones(2)), "multigammaln": lambda f, x: f(x + 2, 3),
    "polygamma": lambda f, x: f(1, x), "softmax": lambda f, x: f(x * np.ones(2)),
    "sph_harm_y": lambda f, x: f(2, 1, x, 0.3), "sph_legendre_p": lambda f, x: f(2, 1, x),
    "spherical_in": lambda f, x: f(2, x), "spherical_jn": lambda f, x: f(2, x), "spherical_kn": lambda f, x: f(2, x),
    "spherical_yn": lambda f, x: f(2, x)}


def test_nothing_public_is_left_out():
    known = {*COMPOSED, *COUNTS, *SETTINGS, *WITHOUT, *OFFERED, *UFUNCS}
    assert sorted(PUBLIC.keys() - known) == []
    assert set(OFFERED) == set(tapead_special.__all__)
    assert not [name for name, value in UFUNCS.items()
                if value not in ARGUMENTS and PRIMITIVES[f"special_{name}"].differentiable]


def drawn(name):
    """Arguments in the ufunc's own order, those it is differentiated in, and those it is not."""
    primitive, order = ARGUMENTS[UFUNCS[name]]
    operands, attrs = draw(primitive, 0)
    inputs = [one for one in order if one not in attrs]
    given = dict(zip(inputs, operands, strict=True)) | attrs
    return [given[one] for one in order], [order.index(one) for one in inputs], [order.index(one) for one in attrs]


def first(result):
    """One real number of what a ufunc returns."""
    return np.real(result[0] if isinstance(result, tuple) else result)


SPHEROIDAL = ("obl_", "pro_")  # SciPy's own values are too rough for differences


@pytest.mark.parametrize("name", [name for name, value in UFUNCS.items() if value in ARGUMENTS])
def test_each_ufunc_takes_tensors_in_both_modes(name):
    ufunc = UFUNCS[name]
    arguments, inputs, others = drawn(name)

    def function(*values):
        full = list(arguments)
        for place, value in zip(inputs, values, strict=True):
            full[place] = value
        return first(ufunc(*full))

    point = tuple(np.float64(arguments[place]) for place in inputs)
    tracked = [ta.tensor(x, requires_grad=True) for x in point]
    result = function(*tracked)
    assert result.requires_grad
    assert result.data == function(*point)
    result.backward()
    pushed = [ta.jvp(function, point, tuple(float(k == place) for k in range(len(point))))[1]
              for place in range(len(point))]
    np.testing.assert_allclose([x.grad.item() for x in tracked], pushed, rtol=1e-12)
    assert np.all(np.isfinite(pushed))
    for place in others:
        moved = list(arguments)
        moved[place] = ta.tensor(float(moved[place] or 0.0), requires_grad=True)
        argument = ARGUMENTS[ufunc][1][place]
        with pytest.raises(NotImplementedError, match=f"{ufunc.__name__.strip('_')}: no derivative with respect to the "
                                                      rf"\w+ {argument} is known"):
            ufunc(*moved)


@pytest.mark.parametrize("name", [name for name in COMPOSED if name in PUBLIC])
def test_functions_made_of_ufuncs_take_tensors(name):
    function = COMPOSED[name]
    assert ta.value_and_grad(function)(0.7)[0] == function(0.7)
    np.testing.assert_allclose(ta.grad(function)(0.7), difference(function, (0.7,), (1.0,)), rtol=1e-8)


@pytest.mark.parametrize("name", [name for name in WITHOUT if name in PUBLIC])
def test_what_has_no_derivative_does_not_take_a_tensor_silently(name):
    call, reason = WITHOUT[name]
    assert reason
    with pytest.raises((TypeError, ValueError, NotImplementedError)):
        call(ta.tensor(0.5, requires_grad=True))


@pytest.mark.parametrize("name", [name for name in OFFERED if name in PUBLIC])
def test_what_is_offered_equals_scipy_and_scipy_says_so(name):
    call = OFFERED[name]
    ours = getattr(tapead_special, name)
    np.testing.assert_allclose(call(ours, 0.7), call(PUBLIC[name], 0.7), rtol=1e-13)
    slope = ta.grad(lambda x: np.sum(np.real(call(ours, x) * np.arange(1, 3)[0] + 0.5 * call(ours, x) ** 2)))(0.7)
    expected = difference(lambda x: np.sum(np.real(call(ours, x) + 0.5 * call(ours, x) ** 2)), (0.7,), (1.0,))
    np.testing.assert_allclose(slope, expected, rtol=1e-8)
    with pytest.raises(TypeError, match="would drop"):
        call(PUBLIC[name], ta.tensor(0.7, requires_grad=True))
