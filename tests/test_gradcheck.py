"""The checker is checked: what is right passes, what is wrong is caught, and the culprit is named."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tapead as ta
from tapead.checks.report import GradcheckError
from tapead.registry import PRIMITIVES, Linear

GENERATOR = np.random.default_rng(7)
TEN = GENERATOR.normal(size=10)
MANY = GENERATOR.normal(size=2000)


def check(f, inputs, **options):
    options = {"symbolic": False, "raise_exception": False} | options
    return ta.gradcheck(f, inputs, **options)


# ---------------------------------------------------------------------- what is right passes

RIGHT = {
    "sum": (lambda x: np.sum(np.sin(x) * x), TEN),
    "vector": (lambda x: np.sin(x) * x[0], TEN),
    "matrix": (lambda a, b: a @ b, (TEN[:6].reshape(2, 3), TEN[:3])),
    "two numbers": (lambda x, y: x**2 * np.sin(y) + np.log(x * y), (1.5, 0.3)),
    "containers": (lambda p, x: np.sum(p["w"] * x) + p["b"], ({"w": TEN, "b": 1.0}, TEN)),
    "several outputs": (lambda x: (np.sin(x), np.sum(x)), TEN),
    "complex": (lambda z: z**2 * np.exp(z), np.array([1 + 2j, 0.5])),
    "real of complex": (lambda z: np.abs(z) ** 2, 1 + 2j),
    "log at 1e-8": (np.log, 1e-8),
    "sqrt at 1e-9": (np.sqrt, 1e-9),
    "sqrt at 0": (np.sqrt, 0.0),
    "arccos near 1": (np.arccos, 1 - 1e-12),
    "arccos very near 1": (np.arccos, 1 - 1e-15),
    "x² at 1e8": (lambda x: x**2, 1e8),
    "x² at 0": (lambda x: x * x, 0.0),
    "cos at 0": (np.cos, 0.0),
    "cos at π": (np.cos, np.pi),
    "1e10 + sin": (lambda x: 1e10 + np.sin(x), 1.0),
    "1e16 + sin": (lambda x: 1e16 + np.sin(x), 1.0),
    "cancelled": (lambda x: (1e6 + np.sin(x)) - 1e6, 1.0),
    "(1 - cos) / x²": (lambda x: (1 - np.cos(x)) / x**2, 1e-2),
    "fast": (lambda x: np.sin(1e5 * x), 1.0),
    "tanh at 20": (np.tanh, 20.0),
    "exp at -700": (np.exp, -700.0),
    "constant": (lambda x: x * 0 + 3.0, 1.0),
    "sort, nearly tied": (lambda x: np.sort(x) * np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0 + 1e-9, 0.5])),
    "single": (lambda x: np.sum(np.sin(x) * x), TEN.astype(np.float32)),
    "single, cancelling": (lambda x: -(x - np.log(np.sum(np.exp(x))))[0], np.array([14.0, 0.0, 1.0], np.float32)),
    "single, offset": (lambda x: np.float32(1e4) + np.sin(x), np.float32(1.0)),
    "many inputs": (lambda x: np.sum(np.sin(x) * x[::-1]), MANY),
    "many inputs and outputs": (lambda x: np.sin(x) * x[::-1], MANY),
    "many outputs": (lambda x: np.sin(np.linspace(0, 3, 300) * x), 1.3),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_derivative_passes(name):
    report = check(*RIGHT[name])
    assert report.verdict == "pass", str(report)
    assert report


@pytest.mark.parametrize("name", ["sum", "matrix", "two numbers", "containers", "fast", "complex", "constant"])
def test_right_second_derivatives_pass(name):
    report = check(*RIGHT[name], order=2)
    assert report.verdict == "pass", str(report)
    assert [leg.name for leg in report.second.legs][-3:] == [
        "forward over reverse", "reverse over reverse", "reverse over forward"]


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1.0, 1e12, 1e290])
def test_the_scale_does_not_matter(scale):
    assert check(lambda x: scale * np.sum(x**3), TEN).verdict == "pass"
    assert check(lambda x: scale * np.sum(x**3), TEN, jac=lambda x: scale * 3 * x**2).verdict == "pass"
    assert check(lambda x: scale * np.sum(x**3), TEN, jac=lambda x: scale * 6 * x**2).verdict == "fail"


def test_all_legs_of_a_small_function_are_reported():
    report = ta.gradcheck(lambda x, y: x**2 * np.sin(y), (1.5, 0.3), names=["x", "y"])
    assert [leg.name for leg in report.legs] == ["numeric", "symbolic", "forward AD", "reverse AD"]
    assert str(report.leg("symbolic").formulas[0][0]) == "2*x*sin(y)"
    assert report.digits > 11


# ---------------------------------------------------------------------- somebody else's derivative


@pytest.mark.parametrize("error", [5e-4, 1e-7, 1e-8, -1e-8])
def test_a_small_relative_error_in_a_jacobian_is_caught(error):
    assert check(np.sin, 1.0, jac=lambda x: np.cos(x) * (1 + error)).verdict == "fail"
    assert check(lambda x: np.sum(x**3), TEN, jac=lambda x: 3 * x**2 * (1 + error)).verdict == "fail"
    assert check(lambda x: x**3, TEN, vjp=lambda x, g: 3 * x**2 * g * (1 + error)).verdict == "fail"
    assert check(lambda x: x**3, TEN, jvp=lambda x, t: 3 * x**2 * t * (1 + error)).verdict == "fail"


def test_right_derivatives_of_others_pass():
    assert check(np.sin, 1.0, jac=np.cos).verdict == "pass"
    assert check(lambda x: x**3, TEN, jac=lambda x: np.diag(3 * x**2)).verdict == "pass"
    assert check(lambda x: x**3, TEN, vjp=lambda x, g: 3 * x**2 * g).verdict == "pass"
    assert check(lambda x: x**3, TEN, jvp=lambda x, t: (3 * x**2 * t,)).verdict == "pass"
    two = check(lambda x, y: x * y, (TEN, TEN[::-1]), vjp=lambda x, y, g: (y * g, x * g))
    assert two.verdict == "pass"
    assert check(lambda x, y: x @ y, (TEN, TEN), jac=lambda x, y: (y, x)).verdict == "pass"
    pair = check(lambda x: (x**2, np.sum(x)), TEN, vjp=lambda x, g: 2 * x * g[0] + g[1])
    assert pair.verdict == "pass"


def test_a_black_box_need_not_be_traceable():
    def black_box(x):
        return float(sum(float(value) ** 2 for value in np.asarray(x).tolist()))

    assert check(black_box, TEN, jac=lambda x: 2 * x).verdict == "pass"
    report = check(black_box, TEN, jac=lambda x: 2.0001 * x)
    assert report.verdict == "fail"
    assert report.odd_one_out == "jac"


@pytest.mark.parametrize("vjp", [
    lambda x, g: 2 * x * np.abs(g), lambda x, g: 2 * x * g**2, lambda x, g: 2 * x * np.clip(g, -1, 1),
    lambda x, g: 2 * x * g + 1e-9, lambda x, g: 2 * x * np.where(g > 0, g, 0.5 * g),
])
def test_an_adjoint_that_is_not_linear_is_caught(vjp):
    report = check(lambda x: x**2, TEN, vjp=vjp)
    assert report.verdict == "fail"
    assert not all(finding.holds for finding in report.contract)


def test_impure_derivatives_are_caught():
    def overwrites(x, g):
        x *= 2
        return x * g

    calls = []

    def drifts(x, g):
        calls.append(1)
        return 2 * x * g * (1 + 1e-3 * len(calls))

    def overwrites_cotangent(x, g):
        g *= 2
        return x * g

    for vjp, what in ((overwrites, "writes into input 0"), (overwrites_cotangent, "writes into the vector")):
        report = check(lambda x: x**2, TEN, vjp=vjp)
        assert report.verdict == "fail"
        assert [what in finding.detail for finding in report.contract if not finding.holds] == [True]
    assert check(lambda x: x**2, TEN, vjp=drifts).verdict == "fail"


def test_a_vanished_gradient_is_caught():
    assert check(lambda x: 1e-6 * np.sin(x), 1.0, jac=lambda x: 0.0).verdict == "fail"
    assert check(lambda x: 1e-12 * np.sin(x), 1.0, jac=lambda x: 2e-12 * np.cos(x)).verdict == "fail"
    assert check(lambda x: 1e8 * x[0] + 1e-10 * np.sin(x[1]), np.ones(2), jac=lambda x: np.array([1e8, 0.0])
                 ).verdict == "fail"


def test_one_dead_element_among_two_thousand_is_found():
    def dead(x):
        gradient = np.cos(x)
        gradient[1234] = 0
        return gradient

    report = check(lambda x: np.sum(np.sin(x)), MANY, jac=dead)
    assert report.verdict == "fail"
    assert report.worst.worst == ((), (1234,))
    assert report.worst.expected == pytest.approx(np.cos(MANY[1234]), rel=1e-9)
    assert "12 random directions" in report.detection
    assert check(lambda x: np.sum(np.sin(x)), MANY, jac=np.cos).verdict == "pass"


def test_one_wrong_element_of_a_large_own_derivative_is_found():
    def wrong(op):
        return np.where(np.arange(op.inputs[0].size) == 77, 1.001, 1.0) * np.cos(op.inputs[0])

    with ta.override_gradient({"sin": wrong}):
        report = check(lambda x: np.sum(np.sin(x)), MANY)
    assert report.verdict == "fail"
    assert report.worst.worst[1] == (77,)
    assert report.culprit.primitive == "sin"


def test_a_rule_that_is_right_here_and_wrong_for_other_signs_fails_and_the_report_says_where():
    report = check(np.exp, 1.0, jac=lambda x: np.exp(x) * (1 if x > 0 else 2))
    assert report.verdict == "fail"
    assert report.elsewhere.verdict == "fail"
    assert any("wrong at another: x = -" in note for note in report.notes)
    assert "at another point" in str(report)
    report = check(np.exp, 1.0, jac=lambda x: np.exp(x) * (1 if x > 0 else 2), elsewhere=False)
    assert report.verdict == "pass"
    assert check(np.exp, -1.0, jac=lambda x: np.exp(x) * (1 if x > 0 else 2)).verdict == "fail"


# ---------------------------------------------------------------------- kinks


@pytest.mark.parametrize(("f", "x"), [
    (lambda x: np.maximum(x, 0.0), 0.0),
    (lambda x: np.sum(np.where(x > 0, x, 0.0)), np.zeros(4)),
    (lambda x: np.sum(np.abs(x)), np.array([0.0, 1.0, 0.0, -2.0])),
    (lambda x: np.where(x[0] > 0, x[0], 0.0) - 2 * np.where(x[1] > 0, x[1], 0.0), np.zeros(2)),
    (lambda x: np.max(x), np.ones(5)),
    (lambda x: np.sum(np.sort(x) * np.array([1.0, 2.0, 3.0])), np.array([1.0, 1.0, 0.5])),
])
def test_a_subgradient_at_a_kink_is_a_kink(f, x):
    report = check(f, x)
    assert report.verdict == "kink", str(report)
    assert report


def test_any_subgradient_will_do_but_no_other():
    point = np.array([0.0, 1.0])
    for slope, verdict in ((-1.0, "kink"), (0.3, "kink"), (1.0, "kink"), (1.01, "fail"), (-2.0, "fail")):
        assert check(lambda x: np.sum(np.abs(x)), point, jac=lambda x, s=slope: np.array([s, 1.0])).verdict == verdict
    # Each by itself is between the slopes; together they are not.
    assert check(lambda x: np.max(x), np.ones(3), jac=lambda x: np.ones(3)).verdict == "fail"
    assert check(lambda x: np.max(x), np.ones(3), jac=lambda x: np.zeros(3)).verdict == "fail"
    assert check(lambda x: np.max(x), np.ones(3), jac=lambda x: np.array([0.2, 0.5, 0.3])).verdict == "kink"


def test_an_error_beside_a_kink_is_still_an_error():
    report = check(lambda x: np.sum(np.abs(x)), np.array([0.0, 1.0]), jac=lambda x: np.array([0.0, 1.001]))
    assert report.verdict == "fail"


# ---------------------------------------------------------------------- planted bugs in tapead's own rules


@pytest.mark.parametrize("factor", [1 + 5e-4, 1 + 1e-8])
def test_planted_factor(factor):
    with ta.override_gradient({"sin": lambda op: np.cos(op.inputs[0]) * factor}):
        report = check(lambda x: np.sum(np.exp(x) * np.sin(x)), TEN)
    assert report.verdict == "fail"
    assert report.odd_one_out == "forward AD and reverse AD"
    assert report.culprit.primitive == "sin"
    assert report.culprit.index == 1
    assert report.culprit.where.startswith("test_gradcheck.py:")
    wrong = {"sin": lambda op: np.cos(op.inputs[0]) * factor}
    with ta.override_gradient(wrong), pytest.raises(GradcheckError) as raised:
        ta.gradcheck(lambda x: np.sum(np.exp(x) * np.sin(x)), TEN, symbolic=False)
    assert raised.value.report.verdict == "fail"
    assert "'sin'" in str(raised.value)


def severed(op):
    """d sin(x) = cos(x) dx, by values that have left the tape"""
    x = op.inputs[0]
    return np.cos(getattr(x, "data", x) if isinstance(x, ta.Tensor) else x)


def test_planted_severed_graph():
    with ta.override_gradient({"sin": severed}):
        assert check(lambda x: np.sum(np.sin(x)), TEN).verdict == "pass"
        report = check(lambda x: np.sum(np.sin(x) * np.exp(x)), TEN, order=2)
    assert report.verdict == "fail"
    assert report.second.verdict == "fail"
    assert report.culprit.primitive == "sin"
    assert "second derivative" in report.culprit.fault


def test_planted_adjoint_that_is_not_linear():
    def rule(op):
        """The right map, and an adjoint with |g|"""
        return Linear(lambda t: np.cos(op.inputs[0]) * t, lambda g: np.cos(op.inputs[0]) * np.abs(g))

    with ta.override_gradient({"sin": rule}):
        report = check(lambda x: np.sum(np.sin(x)), TEN)
    assert report.verdict == "fail"
    assert any("scales" in finding.name for finding in report.contract if not finding.holds)
    assert report.culprit.primitive == "sin"


MATRIX = np.array([[1.0, 2.0], [3.0, 5.0]])


@pytest.fixture
def rotated():
    own = ta.primitive("rotated")(lambda a: MATRIX @ a)
    ta.RegisterGradient("rotated")(lambda op: Linear(lambda t: MATRIX @ t, lambda g: MATRIX.T @ g))
    yield own
    PRIMITIVES.pop("rotated")


def test_planted_transposed_adjoint(rotated):
    assert check(lambda x: rotated(np.sin(x)), np.array([0.3, 0.7])).verdict == "pass"
    wrong = {"rotated": lambda op: Linear(lambda t: MATRIX @ t, lambda g: MATRIX @ g)}
    with ta.override_gradient(wrong):
        report = check(lambda x: rotated(np.sin(x)), np.array([0.3, 0.7]))
    assert report.verdict == "fail"
    assert any("adjoint" in finding.name for finding in report.contract if not finding.holds)
    assert report.odd_one_out == "reverse AD"
    assert report.culprit.primitive == "rotated"
    assert report.culprit.fault.startswith("reverse")


def test_planted_forward_along_the_wrong_axis():
    wrong = {"cumsum": lambda op: Linear(lambda t: np.cumsum(t, axis=0),
                                         lambda g: np.flip(np.cumsum(np.flip(g, axis=1), axis=1), axis=1))}
    point = TEN[:9].reshape(3, 3)
    with ta.override_gradient(wrong):
        report = check(lambda x: np.cumsum(x, axis=1) * x, point)
    assert report.verdict == "fail"
    assert report.odd_one_out == "forward AD"
    assert report.culprit.primitive == "cumsum"
    assert report.culprit.fault.startswith("forward")


def test_the_first_wrong_rule_is_named_of_two():
    wrong = {"exp": lambda op: 2 * op.output, "sin": lambda op: 2 * np.cos(op.inputs[0])}
    with ta.override_gradient(wrong):
        assert check(lambda x: np.exp(np.sin(x)), 0.5).culprit.primitive == "sin"
        assert check(lambda x: np.sin(np.exp(x)), 0.5).culprit.primitive == "exp"


def test_the_wrong_input_of_a_primitive_is_named():
    with ta.override_gradient({"divide": lambda op: (1 / op.inputs[1], op.output / op.inputs[1])}):
        report = check(lambda x, y: x / y, (1.0, 2.0))
    assert (report.culprit.primitive, report.culprit.input) == ("divide", 1)


def test_a_rule_that_gives_nan_fails():
    with ta.override_gradient({"sin": lambda op: np.nan * op.inputs[0]}):
        assert check(lambda x: np.sum(np.sin(x)), TEN).verdict == "fail"


# ---------------------------------------------------------------------- tolerances, reports, bad input


def test_tolerances_are_honoured_where_given():
    assert check(np.sin, 1.0, jac=lambda x: np.cos(x) * 1.001, rtol=1e-2).verdict == "pass"
    assert check(np.sin, 1.0, jac=lambda x: np.cos(x) * 1.001, rtol=1e-4).verdict == "fail"
    assert check(np.sin, 1.0, jac=lambda x: np.cos(x) + 1e-3, atol=1e-2).verdict == "pass"


def test_what_cannot_be_decided_is_not_decided():
    def hidden(x):
        return float(np.asarray((1e12 + np.sin(np.asarray(x))) - 1e12))

    report = check(hidden, 1.0, jac=lambda x: np.cos(x))
    assert report.verdict == "inconclusive"
    assert not report
    assert ta.gradcheck(hidden, 1.0, jac=lambda x: np.cos(x), symbolic=False).verdict == "inconclusive"


def test_the_report_prints_and_serialises():
    report = check(lambda x, y: np.sin(x) * y, (TEN, 2.0), jac=lambda x, y: (np.diag(np.cos(x) * y), np.sin(x) * 1.01),
                   names=["angle", "size"])
    text = str(report)
    assert text.startswith("gradcheck: FAIL")
    assert "∂output[" in text
    assert "/∂size" in text
    assert "odd one out: jac" in text
    data = json.loads(json.dumps(report.to_dict()))
    assert data["verdict"] == "fail"
    assert [entry["name"] for entry in data["inputs"]] == ["angle", "size"]
    second = check(lambda x: np.sum(x**3), TEN, order=2)
    assert "second derivatives: PASS" in str(second)
    assert json.loads(json.dumps(second.to_dict()))["second"]["order"] == 2


def test_the_same_call_gives_the_same_report():
    first, second = (check(lambda x: np.sum(np.sin(x) * x), MANY) for _ in range(2))
    assert str(first) == str(second)


def test_inputs_are_left_alone():
    point = TEN.copy()
    check(lambda x: np.sum(np.sin(x)), point)
    np.testing.assert_array_equal(point, TEN)


def unstable():
    state = []

    def f(x):
        state.append(1)
        return x * len(state)

    return f


def test_a_function_that_changes_from_call_to_call_fails():
    report = check(unstable(), 1.0)
    assert report.verdict == "fail"
    assert any("twice" in finding.name for finding in report.contract if not finding.holds)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: check(np.sin, np.arange(3)), TypeError, r"dtype int64; cast it, x\.astype\(float\)"),
    (lambda: check(np.sin, "text"), TypeError, "floating-point numbers or arrays, not str"),
    (lambda: check(np.sin, np.array([1.0, np.nan])), ValueError, "NaN or infinity"),
    (lambda: check(np.sin, float("inf")), ValueError, "NaN or infinity"),
    (lambda: check(np.sin, ()), ValueError, "no inputs"),
    (lambda: check(lambda x: np.log(x), -1.0), ValueError, "not finite at the point"),
    (lambda: check(lambda x: None, 1.0), TypeError, "None"),
    (lambda: check(lambda x: None, 1.0, jac=lambda x: 1.0), TypeError, "None"),
    (lambda: check(lambda x: np.argmax(x), TEN, jac=lambda x: x), TypeError, "int64 values, which have no derivative"),
    (lambda: check(lambda x: x @ x, TEN, jac=lambda x: x[:3]), ValueError,
     r"jac returned shape \(3,\) .* expected \(10,\)"),
    (lambda: check(lambda x: x[:2], TEN, jac=lambda x: np.zeros((10, 2))), ValueError, "looks transposed"),
    (lambda: check(lambda x: x @ x, TEN, jac=lambda x: None), TypeError, "jac returned None"),
    (lambda: check(lambda x: x * 2, TEN, vjp=lambda x, g: g[:2]), ValueError, r"vjp returned shape \(2,\) for input 0"),
    (lambda: check(lambda x: x * 2, TEN, vjp=lambda x, g: (g, g)), ValueError, "2 arrays for 1 inputs"),
    (lambda: check(lambda x: x * 2, TEN, jvp=lambda x, t: "text"), TypeError, "jvp returned an array of dtype"),
    (lambda: check(lambda x: x * 2, TEN, vjp=lambda x, g: g, order=2), ValueError, "order=2"),
    (lambda: check(np.sin, 1.0, order=3), ValueError, "order must be 1 or 2"),
    (lambda: check(np.sin, 1.0, names=["x", "y"]), ValueError, "2 names for 1 inputs"),
])
def test_bad_input_is_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_an_exception_of_the_function_comes_through_with_a_note():
    def broken(x):
        raise ZeroDivisionError("in the function")

    with pytest.raises(ZeroDivisionError, match="in the function") as raised:
        check(broken, 1.0)
    assert any("gradcheck" in note for note in raised.value.__notes__)


def test_lists_of_numbers_and_tensors_are_inputs_too():
    assert check(lambda x: np.sum(x**2), [1.0, 2.0, 3.0]).verdict == "pass"
    assert check(lambda x: np.sum(x**2), ta.tensor([1.0, 2.0])).verdict == "pass"
    assert check(lambda x, y: x * y, [TEN, TEN]).verdict == "pass"
    assert check(lambda x: x**2, 3).verdict == "pass"
