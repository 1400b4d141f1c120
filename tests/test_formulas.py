"""SymPy expressions as functions, the conditions under which formulas hold, and what notebooks show of tensors."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import sympy

import tapead as ta
from tapead.symbolic import Unavailable, display, from_sympy, gradient, latex, to_sympy

x, y = sympy.symbols("x y")

# ---------------------------------------------------------------------- from SymPy


@pytest.mark.parametrize("expression", [
    sympy.sin(x) * y + sympy.exp(-x) / 3, x ** sympy.Rational(1, 3) * sympy.pi, sympy.sqrt(x) + sympy.log(y, 10),
    sympy.Piecewise((sympy.log(x), x > 2), (y * x**2, x > 1), (0, True)), sympy.Max(x, y, 1) * sympy.Min(x, y),
    sympy.Abs(y - x) + sympy.sign(x) * x, sympy.Heaviside(x) * x, sympy.floor(x) * x, sympy.Mod(x, 1) * y,
    sympy.atan2(y, x), sympy.sec(x) + sympy.coth(x) + sympy.acot(x) + sympy.csch(y), sympy.sinc(x),
    sympy.Derivative(sympy.sin(x * y), x), sympy.Sum(x * y**2, (y, 1, 3)), sympy.ceiling(x) + y,
], ids=str)
def test_an_expression_becomes_a_function_with_derivatives(expression):
    function = from_sympy(expression, (x, y))
    point = {x: sympy.Float(1.3, 30), y: sympy.Float(0.6, 30)}
    assert function(1.3, 0.6) == pytest.approx(float(sympy.N(expression.doit().subs(point))), rel=1e-12)
    assert ta.gradcheck(function, (1.3, 0.6), symbolic=False)
    # Several points at once, as tensors that are differentiated through.
    several = np.array([1.3, 0.7, 2.9])
    assert function(several, 0.6).shape == (3,)
    np.testing.assert_allclose(function(several, 0.6), [function(one, 0.6) for one in several], rtol=1e-14)


@pytest.mark.parametrize("expression", [
    sympy.erf(x), sympy.erfi(x), sympy.erfinv(x / 3), sympy.gamma(x), sympy.loggamma(x), sympy.digamma(x),
    sympy.polygamma(2, x), sympy.besselj(2, x), sympy.besselk(1, x), sympy.uppergamma(2, x), sympy.Ei(x),
    sympy.factorial(x), sympy.zeta(x + 2), sympy.elliptic_k(x / 3), sympy.expint(2, x), sympy.Si(x), sympy.airyai(x),
    sympy.LambertW(x), sympy.fresnels(x), sympy.beta(x, 2),
], ids=str)
def test_special_functions_are_scipys(expression):
    pytest.importorskip("scipy")
    function = from_sympy(expression, x)
    assert function(1.3) == pytest.approx(float(sympy.N(expression.subs(x, sympy.Float(1.3, 30)))), rel=1e-12)
    assert ta.gradcheck(function, 1.3, symbolic=False)


def test_common_parts_are_computed_once():
    inner = sympy.sin(x * y)
    function = from_sympy([inner**2, sympy.exp(inner) + inner], (x, y))
    assert function.source.count("sin(") == 1
    tracked = ta.tensor(0.5, requires_grad=True)
    result = function(tracked, 2.0)
    assert isinstance(result, list) and result[1].grad_fn is not None


def test_matrices_and_structures_become_arrays_and_structures():
    matrix = sympy.Matrix([[sympy.sin(x), 2], [x, y**2]])
    function = from_sympy({"m": matrix, "v": (sympy.Array([x, 1]), x * y)}, (x, y))
    result = function(0.5, 3.0)
    np.testing.assert_allclose(result["m"], [[np.sin(0.5), 2], [0.5, 9]])
    np.testing.assert_allclose(result["v"][0], [0.5, 1])
    assert result["v"][1] == 1.5
    assert from_sympy(matrix, (x, y))(np.ones(3), 2.0).shape == (2, 2, 3)
    np.testing.assert_allclose(ta.jacobian(from_sympy(matrix, (x, y)), 1)(0.5, 3.0), [[0, 0], [0, 6]])


def test_arguments_may_be_arrays_of_symbols():
    a = sympy.Matrix(2, 2, sympy.symbols("a_0_0 a_0_1 a_1_0 a_1_1"))
    function = from_sympy((a * a).trace() * y, [a, y])
    point = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert function(point, 2.0) == 2 * np.trace(point @ point)
    np.testing.assert_allclose(ta.grad(function)(point, 2.0), 4 * point.T)
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        function(np.ones(4), 2.0)
    with pytest.raises(TypeError, match="expected 2 arguments, got 1"):
        function(point)


def test_constants_have_the_shape_of_the_points():
    assert from_sympy(sympy.Integer(3), x)(np.ones(2)).tolist() == [3.0, 3.0]
    assert ta.grad(lambda t: from_sympy(sympy.pi + 0 * x, x)(t) + t)(1.0) == 1.0


def test_what_cannot_be_compiled_says_so(monkeypatch):
    with pytest.raises(Unavailable, match="neither NumPy nor SciPy has the function g"):
        from_sympy(sympy.Function("g")(x) + 1, x)
    with pytest.raises(ValueError, match="y in the expression"):
        from_sympy(x + y, x)
    with pytest.raises(TypeError, match="expected a symbol"):
        from_sympy(x, [x + 1])
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    with pytest.raises(ImportError, match=r"tapead\[scipy\]"):
        from_sympy(sympy.erf(x), x)


@pytest.mark.parametrize("expression", [sympy.sin(x) * y + sympy.Max(x, y) ** 2, sympy.exp(x) / (1 + y**2),
                                        sympy.sqrt(x) * sympy.Abs(y), sympy.Rational(1, 3) * x], ids=str)
def test_there_and_back_again(expression):
    assert sympy.simplify(to_sympy(from_sympy(expression, (x, y)), 0.3, 0.7) - expression) == 0


def test_back_and_there_again():
    def function(a, b):
        return np.sum(np.tanh(a) * b) + np.linalg.norm(a)

    point = np.array([[0.1, 0.2], [0.3, 0.4]])
    expression = to_sympy(function, point, 2.0)
    again = from_sympy(expression, [sympy.Matrix(2, 2, sympy.symbols("a_0_0 a_0_1 a_1_0 a_1_1")), sympy.Symbol("b")])
    np.testing.assert_allclose(again(point, 2.0), function(point, 2.0), rtol=1e-14)
    np.testing.assert_allclose(ta.grad(again)(point, 2.0), ta.grad(function)(point, 2.0), rtol=1e-13)


# ---------------------------------------------------------------------- conditions

x0, x1, x2 = sympy.symbols("x_0 x_1 x_2")


def branching(x):
    if np.sum(x**2) > 1 and x[0] < 3:
        return np.sum(np.where(x > 0, np.log(np.abs(x)), x**2))
    return x[0]


@pytest.mark.parametrize(("function", "point", "expected", "condition"), [
    (branching, [1.0, -2.0], sympy.log(sympy.Abs(x0)) + x1**2,
     (x0**2 + x1**2 > 1) & (x0 < 3) & (x0 > 0) & (x1 <= 0)),
    (branching, [0.1, 0.2], x0, x0**2 + x1**2 <= 1),
    (lambda x: np.sort(x)[0], [3.0, 1.0, 2.0], x1, (x1 <= x2) & (x2 <= x0)),
    (lambda x: np.median(x), [3.0, 1.0, 2.0], x2, (x1 <= x2) & (x2 <= x0)),
    (lambda x: x[np.argmax(x)], [3.0, 1.0, 2.0], x0, (x0 >= x1) & (x0 >= x2)),
    (lambda x: np.max(x), [3.0, 1.0], sympy.Max(x0, x1), sympy.true),
    (lambda x: np.floor(x) * x, 2.5, 2 * x, sympy.Eq(sympy.floor(x), 2)),
    (lambda x: np.select([x < 0, x < 2], [x, x * x], 0.0), 1.0, x**2, (x >= 0) & (x < 2)),
    (lambda x: np.interp(x, [0, 1, 2], [0, 1, 4.0]), 1.5, 3 * x - 2, (x >= 1) & (x < 2)),
    (lambda x: x if x else -x, 2.0, x, sympy.Ne(x, 0)),
    (lambda x: x if np.allclose(x, 1.0) else 2 * x, 4.0, 2 * x,
     sympy.Abs(x - 1) > sympy.Rational(1001, 10**8)),
    (lambda x: x if np.isfinite(x) else 0.0, 4.0, x, sympy.true),
    (lambda x: np.searchsorted(np.array([0.0, 1.0, 2.0]), x) * x, 1.5, 2 * x, (x > 1) & (x <= 2)),
    (lambda x: x if np.signbit(x) else 2 * x, 4.0, 2 * x, x >= 0),
    (lambda x: np.round(x) * x, 2.4, 2 * x, sympy.Eq(sympy.Function("round")(x), 2)),
])
def test_branches_are_told_as_conditions(function, point, expected, condition):
    point = np.array(point)[()]
    names = ["x"]
    expression, found = to_sympy(function, point, names=names, conditions=True)
    assert sympy.simplify(expression - expected) == 0
    assert {part.canonical for part in sympy.And.make_args(found)} == {
        part.canonical for part in sympy.And.make_args(condition)}
    symbols = dict(zip([x0, x1, x2], point, strict=False)) if point.ndim else {x: point}
    if not found.has(sympy.Function("round")):
        assert found.subs(symbols) == sympy.true
    assert to_sympy(function, point, names=names) == expression


def test_the_tape_of_a_tensor_is_a_formula_of_its_leaves():
    a = ta.tensor([1.0, 2.0], requires_grad=True)
    b = ta.tensor(3.0, requires_grad=True)
    out = np.sum(a * np.array([2.0, 1.0])) * b
    assert sympy.simplify(to_sympy(out) - sympy.sympify("(2*x0_0 + x0_1)*x1")) == 0
    assert str(to_sympy(out, names=["w", "b"])) == "b*(2*w_0 + w_1)"
    assert sympy.simplify(gradient(b**3) - 3 * x**2) == 0 and latex(np.sqrt(b)) == r"\sqrt{x}"
    with pytest.raises(TypeError, match="takes no arguments"):
        to_sympy(out, 1.0)
    with pytest.raises(TypeError, match="no history"):
        to_sympy(ta.tensor(1.0))
    out.backward()
    with pytest.raises(RuntimeError, match="freed by a sweep"):
        to_sympy(out)


# ---------------------------------------------------------------------- what notebooks show


def test_a_tensor_shows_its_formula_and_its_tape():
    v = ta.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = ((v * 2 + 3) ** 2).mean()
    assert out._repr_latex_() == r"$\operatorname{mean}{\left(\left(2 v_{0} + 3\right)^{2} \right)}$"
    text = out._repr_html_()
    assert r"\operatorname{mean}" in text
    for cell in ("v0 = input", "v1 = multiply(v0, 2)", "v4 = mean(v3)", "[1., 2., 3.]", "51.66667",
                 "test_formulas.py:", "&lt;MeanBackward&gt;"):
        assert f"<code>{cell}" in text or cell in text
    assert v._repr_latex_() is None and "v0 = input" in v._repr_html_()
    out.backward()
    assert out._repr_latex_() is None and "freed" in out._repr_html_()


def test_numbers_show_what_they_were_computed_by():
    u = ta.tensor(0.5, requires_grad=True)
    assert (np.sin(u) / 2 + np.pi)._repr_latex_() == r"$\frac{\sin{\left(v_{0} \right)}}{2} + \pi$"
    w = ta.tensor(np.ones((400, 400)), requires_grad=True)
    z = np.sum(w @ w, axis=0)
    assert z._repr_latex_().startswith(r"$\operatorname{sum}{\left(\operatorname{matmul}")
    text = z._repr_html_()
    assert "float64 array of shape (400, 400)" in text and len(text) < 10_000


def test_long_formulas_and_tapes_are_cut_short():
    z = ta.tensor(0.5, requires_grad=True)
    for _ in range(60):
        z = np.sin(z * z) / z
    assert len(z._repr_latex_()) < 2000 and "v_{17" in z._repr_latex_()
    assert "… 157 more …" in z._repr_html_()
    for _ in range(2000):
        z = z * 1.0
    assert z._repr_latex_() is None
    assert "more than 2,000 operations" in z._repr_html_()


def test_showing_a_tensor_never_fails(monkeypatch):
    plain = ta.tensor([1.0, 2.0])
    assert plain._repr_latex_() is None and plain._repr_html_() is None
    w = ta.tensor([1.0, np.nan], requires_grad=True)
    assert "nan" in (w * np.array([np.inf, 1.0]))._repr_html_()
    assert (w * np.inf)._repr_latex_()

    def broken(order):
        raise RuntimeError("by SymPy")

    monkeypatch.setattr(display, "_formula", broken)
    assert (w * 2)._repr_latex_() is None and "no formula" in (w * 2)._repr_html_()
    monkeypatch.setattr(display, "_order", broken)
    assert (w * 2)._repr_html_() is None


def test_looking_is_what_imports_sympy():
    code = ("import sys, tapead as ta; x = ta.tensor(1.0, requires_grad=True); y = x * 2; repr(y); "
            "ta.tensor(1.0)._repr_html_(); first = 'sympy' in sys.modules; y._repr_html_(); "
            "print(first, 'sympy' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False True"
