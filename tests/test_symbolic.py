"""Tapes as formulas and as numbers of 50 digits, against SymPy and mpmath themselves."""

from __future__ import annotations

import gc
import subprocess
import sys

import mpmath
import numpy as np
import pytest
import sympy
from catalogue import draw, rows

import tapead as ta
from tapead.symbolic import Unavailable, gradient, latex, precise_function, symbolic_gradient, to_sympy
from tapead.symbolic.algebras import Precise
from tapead.symbolic.arrays import interpret, wrap
from tapead.symbolic.constants import recognise
from tapead.symbolic.timebox import within

x, y = sympy.symbols("x y")


def same(first, second):
    return sympy.simplify(first - second) == 0


# ---------------------------------------------------------------------- formulas


@pytest.mark.parametrize(("function", "expected"), [
    (lambda x, y: x**2 * np.sin(0.5 * y), x**2 * sympy.sin(y / 2)),
    (lambda x, y: np.sqrt(x) / (1 + y * y), sympy.sqrt(x) / (1 + y**2)),
    (lambda x, y: np.maximum(x, y) + abs(x), sympy.Max(x, y) + sympy.Abs(x)),
    (lambda x, y: np.logaddexp(x, y), sympy.log(sympy.exp(x) + sympy.exp(y))),
    (lambda x, y: x * 1.1 + np.pi, x * sympy.Rational(11, 10) + sympy.pi),
    (lambda x, y: np.arctan2(y, x), sympy.atan2(y, x)),
])
def test_a_function_becomes_its_formula(function, expected):
    assert same(to_sympy(function, 1.5, 0.3), expected)


def test_elements_are_named_by_their_place():
    expression = to_sympy(lambda A, b: A @ b, np.ones((2, 2)), np.ones(2))
    assert str(expression) == "[A_0_0*b_0 + A_0_1*b_1, A_1_0*b_0 + A_1_1*b_1]"


def test_results_keep_their_structure():
    result = to_sympy(lambda x: {"square": x * x, "both": (x, -x)}, 2.0)
    assert result == {"square": x**2, "both": (x, -x)}


def test_arguments_may_be_symbols_names_or_arrays_of_symbols():
    t = sympy.Symbol("t", positive=True)
    a, b = sympy.symbols("a b")
    assert to_sympy(lambda u: u**2, t) == t**2
    assert to_sympy(np.sin, "angle") == sympy.sin(sympy.Symbol("angle"))
    assert to_sympy(np.sum, np.array([a, b])) == a + b


def test_names_may_be_given_and_containers_are_named_by_the_way_to_their_leaves():
    assert to_sympy(lambda v: v + 1, 1.0, names=["speed"]) == sympy.Symbol("speed") + 1
    expression = to_sympy(lambda p: p["w"][0] * p["b"], {"w": np.ones(2), "b": 2.0})
    assert str(expression) == "p_b*p_w_0"
    with pytest.raises(TypeError, match="2 names for 1 arguments"):
        to_sympy(np.sin, 1.0, names=["a", "b"])


def test_the_point_decides_branches():
    def branching(x):
        return np.where(x > 0, np.log(x), x**2) if x < 10 else x

    with np.errstate(invalid="ignore"):
        assert to_sympy(branching, -1.0) == x**2
    assert to_sympy(branching, 1.0) == sympy.log(x)
    assert to_sympy(branching, 20.0) == x


def test_loops_sorting_and_reductions():
    point = np.array([3.0, 1.0, 2.0])
    assert str(to_sympy(np.sort, point, names="x")) == "[x_1, x_2, x_0]"
    assert str(to_sympy(lambda x: np.prod(x) + np.mean(x), point)) == "x_0*x_1*x_2 + x_0/3 + x_1/3 + x_2/3"
    assert str(to_sympy(np.cumsum, point, names="x")) == "[x_0, x_0 + x_1, x_0 + x_1 + x_2]"


def test_functions_without_a_meaning_are_named():
    @ta.primitive("hidden from SymPy")
    def hidden(x):
        return np.float64(float(x) * 2)

    try:
        ta.RegisterGradient("hidden from SymPy")(lambda op: 2.0)
        with pytest.raises(Unavailable, match=r"hidden from SymPy.*test_symbolic\.py"):
            to_sympy(lambda x: hidden(x) + 1, 1.0)
        assert "hidden from SymPy" in symbolic_gradient(lambda x: hidden(x) + 1, (1.0,)).reason
        with pytest.raises(Unavailable, match="hidden from SymPy"):
            precise_function(lambda x: hidden(x) + 1, (1.0,))
    finally:
        del ta.registry.PRIMITIVES["hidden from SymPy"]


def test_gradient_by_sympy():
    assert gradient(lambda x: x**3, 2.0) == 3 * x**2
    in_x, in_y = gradient(lambda x, y: x**2 * np.sin(y), 1.5, 0.3)
    assert same(in_x, 2 * x * sympy.sin(y)) and same(in_y, x**2 * sympy.cos(y))
    assert str(gradient(lambda x: np.sum(x**3), np.ones(2))) == "[3*x_0**2, 3*x_1**2]"
    assert gradient(lambda x: np.abs(x), -1.0) == sympy.sign(x)
    assert gradient(lambda x: np.floor(x) * x, 2.5) == 2  # a constant of the recording
    assert gradient(lambda x: x % 2.0, 2.5) == 1
    with pytest.raises(TypeError, match="one number"):
        gradient(lambda x: x, np.ones(2))


def test_latex():
    assert latex(lambda x: np.sqrt(x) / 2, 4.0) == r"\frac{\sqrt{x}}{2}"
    assert "matrix" in latex(lambda x: x * 2, np.ones(2))


@pytest.mark.parametrize(("value", "constant"), [
    (0.5, sympy.Rational(1, 2)), (3.0, 3), (1.1, sympy.Rational(11, 10)), (1 / 3, sympy.Rational(1, 3)),
    (np.log(2.0), sympy.log(2)), (180 / np.pi, 180 / sympy.pi), (2 / np.sqrt(np.pi), 2 / sympy.sqrt(sympy.pi)),
    (1.000000001, sympy.Rational("1.000000001")), (np.nextafter(1.0, 2.0), sympy.Rational(repr(1 + 2.0**-52))),
    (np.inf, sympy.oo), (-1e-30, sympy.Rational("-1e-30")),
])
def test_floats_stand_for_the_constants_they_were_rounded_from(value, constant):
    assert recognise(float(value)) == constant


# ---------------------------------------------------------------------- gradients with values


def test_symbolic_gradient_has_formulas_and_correctly_rounded_values():
    found = symbolic_gradient(lambda w, b: np.sum(np.tanh(w * b)), (np.array([0.3, -2.0]), 0.7))
    assert found and found.available and found.reason == ""
    assert found.names == [["w_0", "w_1"], ["b"]]
    assert [len(row) for row in found.formulas] == [2, 1]
    assert [value.shape for value in found.values] == [(2,), ()]
    context = found.precise[0][0].context
    expected = context.mpf(0.7) / context.cosh(context.mpf(0.3) * context.mpf(0.7)) ** 2
    assert abs(found.precise[0][0] - expected) < context.mpf(10) ** -50
    assert found.values[0][0] == float(expected)


def test_values_use_the_floats_themselves_where_formulas_show_what_they_stand_for():
    found = symbolic_gradient(lambda x: np.sin(np.pi * x), (1.0,))
    assert same(found.formulas[0][0], sympy.pi * sympy.cos(sympy.pi * x))
    with mpmath.workdps(60):
        assert found.values[0] == float(mpmath.mpf(np.pi) * mpmath.cos(mpmath.mpf(np.pi)))
    shifted = symbolic_gradient(lambda x: (x - 0.1) ** 2, (0.1,))
    assert shifted.values[0] == 0.0


def test_what_cancels_is_computed_with_more_digits():
    found = symbolic_gradient(lambda x: (1 - np.cos(x)) / x**2, (1e-30,))
    assert found.values[0] == pytest.approx(-1e-30 / 12, rel=1e-15)


def test_arguments_that_are_not_floating_point_are_constants():
    found = symbolic_gradient(lambda x, places: np.sum(x[places] ** 2), (np.array([1.0, 2.0]), np.array([1, 1])))
    assert found.formulas == [[0, 4 * sympy.Symbol("x_1")], []]
    assert found.values[0].tolist() == [0.0, 8.0]
    assert found.values[1].shape == (0,)


def test_containers_give_one_entry_per_array():
    found = symbolic_gradient(lambda p: p["a"] * np.sum(p["b"]), ({"a": 2.0, "b": np.ones(2)},))
    assert found.names == [["p_a"], ["p_b_0", "p_b_1"]]
    assert [value.tolist() for value in found.values] == [2.0, [2.0, 2.0]]


def test_no_formula_is_a_reason_and_not_an_error():
    assert "one number" in symbolic_gradient(lambda x: x, (np.ones(2),)).reason
    with np.errstate(divide="ignore"):
        assert symbolic_gradient(lambda x: np.log(x), (0.0,)).reason == "the formula is undefined at the point"
    assert "complex" in symbolic_gradient(lambda z: np.abs(z), (1 + 2j,)).reason

    def growing(x):
        for _ in range(60):
            x = np.sin(x * x) / x
        return x

    found = symbolic_gradient(growing, (0.7,), seconds=0.3)
    assert not found and found.reason == "gave up after 0.3 s"


def test_the_time_box_ends_what_does_not_end_and_hands_on_errors():
    def forever():
        while True:
            pass

    with pytest.raises(TimeoutError, match=r"gave up after 0\.05 s"):
        within(0.05, forever)
    assert within(5.0, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(5.0, lambda: 1 / 0)


def test_what_is_ended_in_the_midst_of_a_garbage_collection_ends_without_a_word(monkeypatch):
    lost = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: lost.append(report.object))

    def callback(phase, info):
        pass

    def forever():
        while True:
            [[place] for place in range(2000)]

    gc.callbacks.append(callback)
    try:
        for _ in range(5):
            with pytest.raises(TimeoutError):
                within(0.01, forever)
    finally:
        gc.callbacks.remove(callback)
    assert lost == [] and gc.isenabled()


# ---------------------------------------------------------------------- fifty digits

_A = np.array([[4.0, 1.0, 0.3], [1.0, 3.0, -0.2], [0.3, -0.2, 2.0]])


def _exact(context, value):
    return np.vectorize(context.mpf, otypes=[object])(value)


@pytest.mark.parametrize(("function", "direct", "point"), [
    (np.exp, lambda c, v: c.exp(v), 0.3),
    (lambda x: np.tanh(x) / np.sqrt(1 + x * x), lambda c, v: c.tanh(v) / c.sqrt(1 + v * v), 1.7),
    (np.expm1, lambda c, v: c.expm1(v), 1e-20),
    (np.cbrt, lambda c, v: -c.cbrt(-v), -2.0),
    (lambda x: np.arctan2(x, -2.0), lambda c, v: c.atan2(v, -2), 0.4),
    (lambda x: np.logaddexp(x, 0.1), lambda c, v: c.log(c.exp(v) + c.exp(c.mpf(0.1))), 0.7),
    (lambda x: np.remainder(x, 0.3), lambda c, v: v - c.mpf(0.3) * c.floor(v / c.mpf(0.3)), -2.0),
    (lambda x: x**0.1, lambda c, v: v ** c.mpf(0.1), 3.0),
    (lambda x: np.where(x > 0, np.log(x), 0.0), lambda c, v: c.log(v), 2.0),
    (lambda x: np.sum(np.sin(x)), lambda c, v: c.fsum(map(c.sin, v)), np.array([0.1, 0.2, 0.3])),
    (lambda x: np.max(x) * np.median(x), lambda c, v: v[2] * v[1], np.array([0.1, 0.2, 0.3])),
    (lambda x: np.var(x), lambda c, v: c.fsum((e - c.fsum(v) / 3) ** 2 for e in v) / 3, np.array([0.1, 0.2, 0.4])),
    (lambda x: np.einsum("ij,j->i", _A, x)[1], lambda c, v: c.mpf(_A[1, 0]) * v[0] + 3 * v[1] + c.mpf(-0.2) * v[2],
     np.array([0.1, 0.2, 0.4])),
])
def test_the_replay_has_the_digits_of_mpmath(function, direct, point):
    replayed = precise_function(function, (point,), digits=50)
    context = replayed.context
    expected = direct(context, _exact(context, point)[()])
    assert abs(replayed(point) - expected) <= abs(expected) * context.mpf(10) ** -50


def test_the_replay_keeps_structure_and_shapes():
    replayed = precise_function(lambda x, k: {"rows": x[k], "total": np.sum(x)}, (np.eye(2), np.int64(1)))
    result = replayed(np.array([[1.0, 2.0], [3.0, 4.0]]), 1)
    assert result["rows"].shape == (2,) and result["rows"].dtype == object
    assert result["rows"].tolist() == [3, 4] and result["total"] == 10
    with pytest.raises(ValueError, match="shape"):
        replayed(np.ones(3), 1)
    with pytest.raises(TypeError, match="2 arguments"):
        replayed(np.eye(2))


def test_the_replay_does_not_depend_on_the_global_precision():
    replayed = precise_function(lambda x: np.sin(x), (1.0,), digits=50)
    context = replayed.context
    step = context.mpf(10) ** -20
    with mpmath.workdps(5):
        slope = (replayed(1 + step) - replayed(1 - step)) / (2 * step)
    assert abs(slope - context.cos(1)) < context.mpf(10) ** -39


@pytest.mark.parametrize(("function", "derivative", "point"), [
    (lambda x: np.sin(x) * x, lambda c, v: c.cos(v) * v + c.sin(v), 0.3),
    (np.log, lambda c, v: 1 / v, 1e-300),
    (lambda x: x * x, lambda c, v: 2 * v, 1e150),
    (lambda x: np.exp(-x), lambda c, v: -c.exp(-v), 0.0),
])
def test_derivatives_by_differences_at_high_precision(function, derivative, point):
    replayed = precise_function(function, (point,))
    context = replayed.context
    expected = derivative(context, context.mpf(point))
    assert abs(replayed.derivative((point,), (1.0,)) - expected) <= abs(expected) * context.mpf(10) ** -45


def test_directional_derivatives_of_several_arguments_and_results():
    replayed = precise_function(lambda x, s: (x * s, np.sum(x)), (np.array([1.0, 2.0]), 3.0))
    product, total = replayed.derivative((np.array([1.0, 2.0]), 3.0), (np.array([1.0, -1.0]), 0.5))
    assert [float(value) for value in product] == [3.5, -2.0]
    assert float(total) == 0.0


def test_special_values_are_numpys():
    replayed = precise_function(lambda x: (1 / x, np.log(x), np.sqrt(x)), (1.0,))
    zero = replayed(0.0)
    assert [float(value) for value in zero] == [np.inf, -np.inf, 0.0]
    negative = replayed(-1.0)
    assert np.isnan(float(negative[1])) and np.isnan(float(negative[2]))


def test_importing_tapead_does_not_import_sympy():
    code = "import sys, tapead; print([name for name in ('sympy', 'mpmath') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("name", "number"), rows())
def test_every_primitive_has_a_meaning_in_mpmath(name, number):
    primitive = ta.registry.PRIMITIVES[name]
    operands, attrs = draw(primitive, number)
    algebra = Precise(50)
    result = interpret(primitive, tuple(wrap(algebra, operand) for operand in operands), attrs)
    expected = np.asarray(primitive.kernel(*operands, **attrs))
    assert result.shape == expected.shape
    np.testing.assert_allclose(result.elements.astype(expected.dtype), expected, rtol=1e-12, atol=1e-14)
