"""First derivatives of scipy.special at a few seeded points against mpmath, within a bound for each function."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy.special")

from scipy import special

import tapead as ta
from benchmarks.special_accuracy import measure, table
from tapead.registry import PRIMITIVES
from tapead.symbolic import prove

#: Where more is lost than a few roundings; as in docs/special_functions.md, which has far more points.
BOUNDS = {"kei": 1e-11, "hyperu": 1e-12, "voigt_profile": 1e-12, "airye_bip": 1e-12, "bdtrik": 1e-9}
NAMES = [
    "agm", "airy_aip", "airye_bip", "bdtr", "bei", "besselpoly", "betaincinv", "boxcox", "chdtr", "dawsn",
    "ellipe", "ellipj_sn", "ellipk", "ellipkinc", "elliprg", "entr", "erfcinv", "erfcx", "exp1", "exprel",
    "fdtr", "gamma", "gammainc", "gammaincinv", "gdtrib", "hyp1f1", "hyperu", "i0e", "it2struve0", "itstruve0",
    "jv", "k1e", "kei", "kelvin_ke", "kolmogorov", "ndtri", "pbdv_d", "poch",
    "psi", "rgamma", "shichi_shi", "sici_si", "smirnov", "spence", "stdtr", "struve", "voigt_profile",
    "wright_bessel", "xlogy", "yv", "zeta", "zetac", "betainc"]


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_have_the_digits_that_the_function_has(name):
    results = measure(name, count=2, seconds=30.0)
    assert all(one.points for one in results)
    bound = BOUNDS.get(name, 2e-13)
    assert max(one.worst for one in results) < bound, table(results)


# Limits at ends of domains and at poles, where formulas would give NaN.
@pytest.mark.parametrize("function, point, place, expected", [
    (special.gammainc, (0.0, 1.3), 0, -special.exp1(1.3)), (special.gammainc, (1.3, np.inf), 1, 0.0),
    (special.gammainc, (np.inf, 1.3), 0, 0.0), (special.gammaincinv, (1.3, 0.0), 0, 0.0),
    (special.gammaincinv, (1.3, 0.0), 1, np.inf), (special.gammaincinv, (1.3, 1.0), 1, np.inf),
    (special.betaincinv, (1.3, 1.3, 0.0), 0, 0.0), (special.betaincinv, (1.3, 1.3, 0.0), 2, np.inf),
    (special.betainc, (1.3, np.inf, 0.4), 0, 0.0), (special.chndtr, (1.3, 2.0, np.inf), 2, 0.0),
    (special.fdtr, (1.3, 1.3, 0.0), 0, 0.0), (special.fdtr, (1.3, 1.3, np.inf), 2, 0.0),
    (special.dawsn, (np.inf,), 0, 0.0), (special.dawsn, (-np.inf,), 0, 0.0), (special.erfcx, (np.inf,), 0, 0.0),
    (special.expi, (np.inf,), 0, np.inf), (special.exprel, (np.inf,), 0, np.inf), (special.exprel, (-np.inf,), 0, 0.0),
    (special.agm, (0.0, 1.3), 0, np.inf), (special.elliprf, (np.inf, 1.0, 2.0), 1, 0.0),
    (special.zetac, (np.inf,), 0, 0.0), (special.stdtrit, (3.0, 0.5), 0, 0.0), (special.erfinv, (1.0,), 0, np.inf),
    (special.ellipk, (1.0,), 0, np.inf), (special.ellipe, (1.0,), 0, -np.inf), (special.log1p, (-1.0,), 0, np.inf),
])
def test_limits_at_the_ends(function, point, place, expected):
    assert ta.grad(function, place)(*point) == pytest.approx(expected, rel=1e-14)


def test_principal_values_of_elliptic_integrals():
    # By differences of mpmath's quadrature around the pole.
    np.testing.assert_allclose(ta.grad(special.elliprj, 3)(1.0, 2.0, 3.0, -0.7), 0.6282415737493037, rtol=1e-13)
    np.testing.assert_allclose(ta.grad(special.elliprc, 1)(2.0, -1.5), 0.2100277179797124, rtol=1e-13)
    np.testing.assert_allclose(ta.grad(special.elliprc, 0)(2.0, -1.5), 0.02567454241580342, rtol=1e-13)


@pytest.mark.parametrize("function, point, order", [
    (special.gammainc, (2.5, 1.0), (0, 0)), (special.gammainc, (2.5, 6.0), (0, 1)),
    (special.betainc, (2.5, 1.5, 0.9), (0, 1)), (special.betainc, (5.0, 0.1, 0.001), (1, 1))])
def test_second_order_in_shape_parameters(function, point, order):
    import mpmath

    definition = {"gammainc": lambda a, x: mpmath.gammainc(a, 0, x, regularized=True),
                  "betainc": lambda a, b, x: mpmath.betainc(a, b, 0, x, regularized=True)}[function.__name__]
    counts = tuple(order.count(place) for place in range(len(point)))
    with mpmath.workdps(40):
        expected = float(mpmath.diff(definition, point, counts))
    found = ta.grad(lambda *x: ta.grad(function, order[0])(*x), order[1])(*point)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_whole_numbers_and_broadcasting():
    x = np.array([[0.5], [2.0]])
    orders = np.arange(3)
    slopes = ta.grad(lambda z: special.jv(orders, z).sum())(x)
    expected = sum(special.jvp(n, x) for n in orders)
    np.testing.assert_allclose(slopes, expected, rtol=1e-14)
    assert ta.grad(special.gamma)(3) == special.gamma(3) * special.psi(3)
    np.testing.assert_allclose(ta.grad(lambda a: special.gammainc(a, orders + 1.0).sum())(2.0),
                               sum(ta.grad(special.gammainc)(2.0, n + 1.0) for n in orders), rtol=1e-14)


def test_complex_arguments_are_right_or_refused():
    """Every ufunc that takes complex numbers: a difference along both axes, or an error that says what is known."""
    point, refused = 0.3 + 0.4j, []
    for name in (
            "airy", "dawsn", "erf", "erfc", "erfcx", "erfi", "exp1", "expi", "expm1", "fresnel", "gamma",
            "hankel1", "hyp0f1", "hyp1f1", "hyp2f1", "iv", "ive", "jv", "jve", "kv", "kve", "log1p", "loggamma",
            "psi", "rgamma", "shichi", "sici", "spence", "wofz", "wrightomega", "xlog1py", "xlogy", "yv", "yve",
            "elliprc", "elliprf", "airye", "exprel", "hankel1e"):
        ufunc = getattr(special, name)
        if not any("D" in one.split("->")[0] for one in ufunc.types):
            continue
        constants = (0.7, 0.4, 1.5)[:ufunc.nin - 1]

        def function(z, ufunc=ufunc, constants=constants):
            result = ufunc(*constants, z)
            return result[0] if isinstance(result, tuple) else result

        try:
            tangents = [ta.jvp(function, (point,), (way,))[1] for way in (1.0 + 0j, 1j)]
        except (NotImplementedError, TypeError) as error:
            assert "real arguments" in str(error) or "complex" in str(error), name
            refused.append(name)
            continue
        expected = [(function(point + 1e-5 * way) - function(point - 1e-5 * way)) / 2e-5 for way in (1.0, 1j)]
        np.testing.assert_allclose(tangents, expected, rtol=1e-7, err_msg=name)
    assert set(refused) <= {"airye", "ive", "jve", "yve", "kve", "rgamma", "psi", "elliprc", "elliprf", "hankel1e"}


@pytest.mark.parametrize("name", ["sici_si", "shichi_shi", "radian", "hyp1f1", "hyp2f1", "jve", "sinc_ratio"])
def test_rules_with_a_formula_are_proved(name):
    proof = prove(f"special_{name}")
    assert proof.status == "PROVED", proof


@pytest.mark.parametrize("name", ["bdtr", "airye_bip", "elliprc", "ellipk", "hankel1", "kve",
                                  "besselpoly", "wright_bessel"])
def test_other_rules_agree_with_their_definition_to_fifty_digits(name):
    proof = prove(f"special_{name}")
    assert proof.status == "UNDECIDED" and proof.points >= 20, proof
    with ta.override_gradient({proof.name: lambda op, rule=PRIMITIVES[proof.name].rule: tuple(
            [lambda part=part: part() * (1 + 1e-12) for part in rule(op)])}):
        assert prove(proof.name).status == "REFUTED"
