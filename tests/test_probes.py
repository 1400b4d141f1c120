"""The checker under attack: wrong derivatives that look right, right ones that look wrong, unruly functions.

Every probe is judged by default settings. A missed wrong derivative and a false alarm are equally bad.
"""

from __future__ import annotations

import itertools
import math
import zlib

import numpy as np
import pytest

import tapead as ta
from tapead.registry import Linear, value_of

GENERATOR = np.random.default_rng(11)
TEN = GENERATOR.normal(size=10)
POSITIVE = np.abs(TEN) + 0.1
SINGLE = TEN.astype(np.float32)
TEXTURE = GENERATOR.normal(size=200_000)


def judged(f, inputs, **options):
    return ta.gradcheck(f, inputs, **({"raise_exception": False, "symbolic": False} | options))


# ---------------------------------------------------------------------- wrong, and caught


def one_dead(x):
    gradient = np.cos(x)
    gradient[len(gradient) // 3] = 0.0
    return gradient


WRONG = {
    "zero gradient of something small": (lambda x: 1e-6 * np.sin(x), 1.0, {"jac": lambda x: 0 * x}),
    "zero gradient of something small, array": (lambda x: np.sum(1e-6 * np.sin(x)), TEN, {"jac": lambda x: 0 * x}),
    "5e-4": (np.sin, TEN, {"vjp": lambda x, g: g * np.cos(x) * (1 + 5e-4)}),
    "1e-7": (np.sin, TEN, {"vjp": lambda x, g: g * np.cos(x) * (1 + 1e-7)}),
    "1e-9": (np.sin, TEN, {"jvp": lambda x, t: t * np.cos(x) * (1 + 1e-9)}),
    "1e-9, black box": (lambda x: sum(math.exp(v) for v in x.tolist()), TEN, {"jac": lambda x: np.exp(x) * (1 + 1e-9)}),
    "|g|": (np.sin, TEN, {"vjp": lambda x, g: np.abs(g) * np.cos(x)}),
    "|g| of a number": (lambda x: np.sum(np.sin(x)), TEN, {"vjp": lambda x, g: np.abs(g) * np.cos(x)}),
    "g²": (np.sin, TEN, {"vjp": lambda x, g: g**2 * np.cos(x)}),
    "one dead element among 2,000": (lambda x: np.sum(np.sin(x)), TEXTURE[:2000], {"jac": one_dead}),
    "one dead element, vjp": (np.sin, TEXTURE[:2000], {"vjp": lambda x, g: g * one_dead(x)}),
    "wrong for x < 0": (np.exp, 1.0, {"jac": lambda x: np.exp(x) * np.where(x < 0, 2.0, 1.0)}),
    "wrong for x < 0, array": (lambda x: np.sum(np.exp(x)), POSITIVE,
                               {"jac": lambda x: np.exp(x) * np.where(x < 0, 2.0, 1.0)}),
    "wrong for x < 0, vjp": (np.exp, POSITIVE, {"vjp": lambda x, g: g * np.exp(x) * np.where(x < 0, 2.0, 1.0)}),
    "relu without its mask": (lambda x: np.maximum(x, 0), POSITIVE, {"vjp": lambda x, g: g}),
    "twice at 1e-12": (lambda x: 1e-12 * np.sin(x), 1.0, {"jac": lambda x: 2e-12 * np.cos(x)}),
    "twice at x = 1e-12": (lambda x: np.sin(1e12 * x), 1e-12, {"jac": lambda x: 2e12 * np.cos(1e12 * x)}),
    "twice at 1e-300": (lambda x: 1e-300 * np.sin(x), 1.0, {"jac": lambda x: 2e-300 * np.cos(x)}),
    "single, 1e-3": (lambda x: np.sum(np.sin(x)), SINGLE, {"jac": lambda x: np.cos(x) * np.float32(1.001)}),
    "swapped arguments": (lambda x, y: x @ y, (TEN, TEN[::-1].copy()), {"vjp": lambda x, y, g: (g * x, g * y)}),
    "transposed": (lambda x: np.array([[1.0, 2.0], [3.0, 4.0]]) @ x, np.ones(2),
                   {"jac": lambda x: np.array([[1.0, 3.0], [2.0, 4.0]])}),
    "sign": (np.cos, TEN, {"vjp": lambda x, g: g * np.sin(x)}),
    "no subgradient": (lambda x: np.abs(x), 0.0, {"jac": lambda x: 1.5}),
    "too steep at a tie": (np.max, np.ones(3), {"jac": lambda x: np.ones(3)}),
    "a Hessian": ((lambda x: np.sum(x**3), lambda x: 3 * x**2, lambda x: np.diag(6.001 * x)), TEN, {}),
    "a Hessian that is not symmetric": (lambda x: x[0] * x[1], np.array([1.0, 2.0]), {
        "jac": lambda x: x[::-1].copy(), "hess": lambda x: np.array([[0.0, 1.0], [0.9, 0.0]])}),
    "a product with the Hessian": (lambda x: np.sum(x**3), TEN, {
        "jac": lambda x: 3 * x**2, "hessp": lambda x, p: 6 * x * p[::-1]}),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_derivative_is_caught(name):
    f, inputs, options = WRONG[name]
    report = judged(f, inputs, **options)
    assert report.verdict == "fail", str(report)
    with pytest.raises(ta.GradcheckError):
        ta.gradcheck(f, inputs, symbolic=False, **options)


RULES = {
    "factor 1 + 1e-9": lambda op: np.cos(op.inputs[0]) * (1 + 1e-9),
    "factor 1 + 1e-9 for one element": lambda op: np.cos(op.inputs[0]) * (1 + 1e-9 * (np.arange(10) == 3)),
    "wrong for x < 0": lambda op: np.cos(op.inputs[0]) * np.where(op.inputs[0] < 0, 1.1, 1.0),
    "|g|": lambda op: Linear(lambda t: np.cos(op.inputs[0]) * t, lambda g: np.cos(op.inputs[0]) * np.abs(g)),
    "g²": lambda op: Linear(lambda t: np.cos(op.inputs[0]) * t, lambda g: np.cos(op.inputs[0]) * g**2),
    "single precision": lambda op: np.cos(op.inputs[0].astype(np.float32)).astype(float),
    "raises": lambda op: np.ones(3)[7],
    "not finite": lambda op: op.inputs[0] * np.nan,
    "reverse of another sign": lambda op: Linear(lambda t: np.cos(op.inputs[0]) * t,
                                                 lambda g: -np.cos(op.inputs[0]) * g),
}


@pytest.mark.parametrize("name", RULES)
def test_a_wrong_rule_is_caught_and_named_in_a_composite(name):
    with ta.override_gradient({"sin": RULES[name]}):
        report = judged(lambda x: np.sum(np.exp(x) * np.sin(x * 1.5) / (1 + x**2)), POSITIVE)
    assert report.verdict == "fail", str(report)
    assert (report.culprit.primitive, report.culprit.input) == ("sin", 0)
    assert report.culprit.where.startswith("test_probes.py:")


def test_one_wrong_entry_among_very_many_is_found_and_named():
    report = judged(lambda x: np.sum(np.sin(x)), TEXTURE, jac=one_dead)
    assert report.verdict == "fail"
    assert report.worst.worst == ((), (len(TEXTURE) // 3,))
    assert "random directions" in report.detection
    report = judged(np.sin, TEXTURE[:20_000], vjp=lambda x, g: g * one_dead(x))
    assert report.worst.worst == ((6666,), (6666,))
    assert report.worst.expected == pytest.approx(np.cos(TEXTURE[6666]), rel=1e-6)
    assert report.worst.found == 0


# ---------------------------------------------------------------------- right, and passed

RIGHT = {
    "log at 1e-8": (np.log, 1e-8),
    "sqrt at 1e-9": (np.sqrt, 1e-9),
    "arccos near 1": (np.arccos, 1 - 1e-9),
    "arccos, 4 last digits from 1": (np.arccos, 1 - 4 * 2.0**-53),
    "x² at 1e8": (lambda x: x**2, 1e8),
    "1e10 + sin": (lambda x: 1e10 + np.sin(x), 1.0),
    "1e15 + sin": (lambda x: 1e15 + np.sin(x), 1.0),
    "sin(1e5 x)": (lambda x: np.sin(1e5 * x), 1.0),
    "near ties in sort": (np.sort, np.array([1.0, 1.0 + 1e-12, 2.0])),
    "ties in sort": (np.sort, np.array([1.0, 1.0, 2.0])),
    "four ties in sort": (np.sort, np.full(4, 3.5)),
    "zeros of both signs in sort": (np.sort, np.array([0.0, -0.0, 0.0])),
    "relu at 0": (lambda x: np.maximum(x, 0), np.array([0.0, 1.0, -1.0])),
    "maximum at ties": (np.maximum, (np.array([1.0, 2.0]), np.array([1.0, 3.0]))),
    "single, exp": (np.exp, SINGLE),
    "single, cumprod": (np.cumprod, SINGLE),
    "single, softmax": (lambda x: np.exp(x) / np.sum(np.exp(x)), SINGLE),
    "half": (lambda x: x**2, np.array([1.0, 3.0], np.float16)),
    "abs at 1e-300": (np.abs, 1e-300),
    "x³ at 0": (lambda x: x**3, 0.0),
    "norm at 0": (np.linalg.norm, np.zeros(3)),
    "|x|^1.5 at 0": (lambda x: np.abs(x) ** 1.5, 0.0),
    "1e150": (lambda x: np.sin(x * 1e-150) * 1e150, 1e150),
    "1e-150": (lambda x: np.sin(x * 1e150) * 1e-150, 1e-150),
    "subnormal": (np.exp, 5e-316),
    "sin at 1e132": (np.sin, np.array([-1.4e132, 1.25e126])),
    "log at 1e-125": (np.log, np.array([1e-109, 1e-125])),
    "constant": (lambda x: 0 * x + 3.0, TEN),
    "no function of x": (lambda x: np.ones(3), TEN),
    "steps": (np.floor, np.array([0.3, 1.7])),
    "branches": (lambda x: np.where(x > 0, x**2, -x), TEN),
    "interpolation at knots": (lambda x: np.interp(x, [0.0, 1.0, 2.0], [0.0, 5.0, 3.0]), np.array([1.0, 0.5])),
    "cumprod with zeros": (np.cumprod, np.array([1.0, 0.0, 2.0, 0.0, 3.0])),
    "prod with a zero": (np.prod, np.array([1.0, 0.0, 2.0])),
    "empty": (np.sum, np.zeros(0)),
    "empty result": (lambda x: x * 2, np.zeros((0, 3))),
    "0-d": (lambda x: x**2, np.array(2.0)),
    "complex": (lambda z: z**2 * np.exp(z), np.array([1 + 2j, 3 - 1j])),
    "complex, not analytic": (lambda z: np.conj(z) * z, 1 + 2j),
    "(1 - cos x)/x² at 1e-5": (lambda x: (1 - np.cos(x)) / x**2, 1e-5),
    "log(1 + x) at 1e-12": (lambda x: np.log(1 + x), 1e-12),
    "x - sin x at 1e-5": (lambda x: x - np.sin(x), 1e-5),
    "single, (1 - cos x)/x²": (lambda x: (1 - np.cos(x)) / x**2, np.float32(1e-3)),
    "determinant of a singular matrix": (np.linalg.det, np.array([[1.0, 2.0], [2.0, 4.0]])),
    "saturated": (np.tanh, 40.0),
    "underflowing": (np.exp, -700.0),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_derivative_is_passed(name):
    report = judged(*RIGHT[name])
    assert report.verdict in ("pass", "kink"), str(report)
    assert report


def test_a_jacobian_computed_beforehand_is_judged_where_it_was_computed():
    at_point = np.cos(TEN)
    assert judged(lambda x: np.sum(np.sin(x)), TEN, jac=lambda x: at_point).verdict == "pass"
    assert judged(np.sin, TEN, vjp=lambda x, g: g * at_point).verdict == "pass"
    assert judged(lambda x: x**2, 3.0, jac=lambda x: 6.0).verdict == "pass"
    assert judged(lambda x: x**2, 3.0, jac=lambda x: 6.001).verdict == "fail"


def test_only_the_point_given_is_tried_if_so_asked():
    points = []

    def f(x):
        points.append(float(x))
        return math.exp(x)

    def wrong_elsewhere(x):
        return math.exp(x) * (1 if x > 0 else 2)

    assert judged(f, 3.0, jac=wrong_elsewhere, elsewhere=False).verdict == "pass"
    assert min(points) > 0
    report = judged(f, 3.0, jac=wrong_elsewhere)
    assert report.verdict == "fail"
    assert report.elsewhere.verdict == "fail"


def test_what_leaves_the_tape_is_missed_in_the_derivative():
    for f in (lambda x: np.sum(x * x.detach()), lambda x: np.sum(np.exp(x)) + float(x.detach().numpy()[0]) ** 2):
        report = judged(f, TEN, symbolic=None)
        assert report.verdict == "fail"
        assert any("is not on the tape" in note for note in report.notes)


def test_a_function_that_never_returns_elsewhere_is_left_alone():
    def newton(x):
        y = 1.0
        while abs(y * y - x) > 1e-12 * x:
            y = (y + x / y) / 2
        return y

    report = judged(newton, 2.0, jac=lambda x: 0.5 / math.sqrt(x))
    assert report.verdict == "pass"
    assert any("longer than" in note for note in report.notes)


# ---------------------------------------------------------------------- digits that the function loses by itself

LOSSY = {
    "(1 - cos x)/x²": (lambda x: (1 - np.cos(x)) / x**2, 1e-5, "subtract"),
    "log(1 + x)": (lambda x: np.log(1 + x), 1e-12, "add"),
    "x - sin x": (lambda x: x - np.sin(x), 1e-5, "subtract"),
    "√(x + 1) - √x": (lambda x: np.sqrt(x + 1) - np.sqrt(x), 1e12, "subtract"),
    "naive variance": (lambda x: np.mean(x**2) - np.mean(x) ** 2, 1e6 + TEN, "subtract"),
}


@pytest.mark.parametrize("name", LOSSY)
def test_cancellation_in_the_function_is_a_warning_with_its_digits_and_line(name):
    f, x, operation = LOSSY[name]
    report = judged(f, x)
    assert report.verdict == "pass"
    assert "digits are lost to cancellation" in report.warnings[0]
    assert repr(operation) in report.warnings[0]
    assert " at test_probes.py:" in report.warnings[0]
    assert f"warning:  {report.warnings[0]}" in str(report) or "warning: " in str(report)
    assert report.to_dict()["warnings"] == report.warnings


def test_a_function_that_loses_nothing_is_not_warned_of():
    for f in (lambda x: np.sum(np.sin(x) * x), lambda x: np.exp(x) / np.sum(np.exp(x)), np.linalg.norm, np.std):
        assert judged(f, TEN).warnings == []


# ---------------------------------------------------------------------- black boxes


def noisy(level):
    return lambda x: float(np.sum(np.sin(x)) + level * (zlib.crc32(np.asarray(x).tobytes()) / 2**32 - 0.5))


@pytest.mark.parametrize("level", [1e-10, 1e-8, 1e-6])
def test_a_noisy_function_shows_fewer_digits_and_no_false_alarm(level):
    assert judged(noisy(level), TEN, jac=np.cos).verdict in ("pass", "inconclusive")
    assert judged(noisy(level), TEN, jac=lambda x: 1.01 * np.cos(x)).verdict == "fail"


def test_values_rounded_to_six_decimals_give_no_false_alarm():
    assert judged(lambda x: round(math.sin(x), 6), 1.0, jac=math.cos).verdict in ("pass", "inconclusive")
    assert judged(lambda x: round(math.sin(x), 6), 1.0, jac=lambda x: 0.0).verdict in ("pass", "inconclusive")


def decay(x, tolerance=1e-7):
    """y(1) of y' = -x0 y + x1, y(0) = 1, by Heun's method with a step that adapts to a tolerance"""
    t, y, step = 0.0, 1.0, 0.1
    while t < 1.0:
        step = min(step, 1.0 - t)
        first = -x[0] * y + x[1]
        second = -x[0] * (y + step * first) + x[1]
        error = abs(second - first) * step / 2
        if error <= tolerance:
            t, y = t + step, y + step * (first + second) / 2
        step *= min(5.0, max(0.2, 0.9 * math.sqrt(tolerance / max(error, 1e-300))))
    return y


def gradient_of_decay(x):
    rate, source = x
    left = math.exp(-rate)
    return np.array([-left + source * (left * (rate + 1) - 1) / rate**2, (1 - left) / rate])


def test_a_solver_is_as_good_as_its_tolerance():
    point = np.array([1.3, 0.4])
    assert judged(decay, point, jac=gradient_of_decay).verdict in ("pass", "inconclusive")
    assert judged(decay, point, jac=lambda x: 1.01 * gradient_of_decay(x)).verdict == "fail"


def test_side_effects_and_pure_python_are_no_hindrance():
    seen = []

    def f(x):
        seen.append(x.copy())
        total = 0.0
        for value in x.tolist():
            total += math.sin(value) * value
        return total

    assert judged(f, TEN, jac=lambda x: np.cos(x) * x + np.sin(x)).verdict == "pass"
    assert len(seen) > 100


def test_functions_and_derivatives_as_scipy_takes_them():
    def f(x):
        return np.sum(x**4) + x[0] * x[1]

    def gradient(x):
        return 4 * x**3 + np.concatenate([x[1::-1], np.zeros(len(x) - 2)])

    def hessian(x):
        matrix = np.diag(12 * x**2)
        matrix[0, 1] += 1
        matrix[1, 0] += 1
        return matrix

    assert judged((f, gradient), TEN).verdict == "pass"
    report = judged((f, gradient, hessian), TEN)
    assert report.verdict == "pass"
    assert report.second.leg("hess") is not None
    assert judged(f, TEN, jac=gradient, hessp=lambda x, p: hessian(x) @ p).verdict == "pass"
    assert judged(f, TEN, hess=hessian).verdict == "pass"
    assert judged(lambda x: (f(x), gradient(x)), TEN, jac=True).verdict == "pass"
    assert judged(lambda x: (f(x), 1.01 * gradient(x)), TEN, jac=True).verdict == "fail"


# ---------------------------------------------------------------------- legs


class Once(ta.Function):
    """sin with a backward that leaves the tape, and no forward mode"""

    factor = 1.0

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return np.sin(x)

    @staticmethod
    @ta.once_differentiable
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * np.cos(x) * Once.factor


def test_a_mode_that_is_not_there_is_unavailable_and_no_error(monkeypatch):
    report = judged(lambda x: Once.apply(x) * x, TEN)
    assert report.verdict == "pass"
    assert "jvp" in report.leg("forward AD").unavailable
    assert judged(lambda x: Once.apply(x) * x, TEN, order=2).verdict == "inconclusive"
    monkeypatch.setattr(Once, "factor", 1.0001)
    report = judged(lambda x: Once.apply(x) * x, TEN)
    assert report.verdict == "fail"
    assert report.culprit.primitive == "Once"


REFERENCES, WAYS = ("numeric", "complex step", "mpmath", "symbolic"), ("forward AD", "reverse AD", "batched")


@pytest.mark.parametrize(("reference", "way"), list(itertools.product(REFERENCES, WAYS)))
def test_any_two_legs_can_be_asked_for(reference, way):
    def f(x):
        return np.sum(np.sin(x) * x)

    report = judged(f, TEN[:3], legs=[reference, way], symbolic=None)
    assert report.verdict == "pass"
    assert {leg.name.split(",")[0] for leg in report.legs} == {reference, way}
    with ta.override_gradient({"sin": lambda op: 1.01 * np.cos(op.inputs[0])}):
        assert judged(f, TEN[:3], legs=[reference, way], symbolic=None).verdict == "fail"


def test_legs_that_cannot_decide_say_so():
    assert judged(np.sin, TEN, legs="contract").verdict == "pass"
    assert judged(np.sin, TEN, legs="numeric").verdict == "inconclusive"
    assert judged(np.sin, TEN, legs=["forward"]).verdict == "inconclusive"
    report = judged(np.sin, TEN, legs=["forward", "reverse"])
    assert report.verdict == "pass"
    assert any("against each other alone" in note for note in report.notes)


# ---------------------------------------------------------------------- what cannot be meant


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: judged(None, 1.0), TypeError, "must be callable, not NoneType"),
    (lambda: judged((np.sin,), 1.0), TypeError, "tuple of 1 in place of the function"),
    (lambda: judged((np.sin, np.cos), 1.0, jac=np.cos), TypeError, "jac is given twice"),
    (lambda: judged(np.sin, TEN, jac=np.ones(10)), TypeError, r"jac must be callable, not ndarray; .*lambda \*inputs"),
    (lambda: judged(np.sin, 1.0, jac=True), TypeError, r"must return \(value, gradient\)"),
    (lambda: judged(np.sin, 1.0, hess=np.sin, hessp=np.sin), TypeError, "not both"),
    (lambda: judged(np.sin, TEN, hess=np.sin), ValueError, "one array that returns one number"),
    (lambda: judged(lambda x: x, (1.0, 2.0)), TypeError, "the function cannot be called with 2 arguments"),
    (lambda: judged(lambda x, y: x, 1.0), TypeError, "1 input was given"),
    (lambda: judged(lambda x: x, 1.0, vjp=lambda x: x), TypeError, "vjp .*cannot be called with 2 arguments"),
    (lambda: judged(lambda x: x, 1.0, jvp=lambda x: x), TypeError, "jvp .*cannot be called with 2 arguments"),
    (lambda: judged(np.sin, None), TypeError, "input 0 is None"),
    (lambda: judged(np.sin, np.array([1.0, None])), TypeError, "dtype object"),
    (lambda: judged(np.add, (1.0, np.array([2, 3]))), TypeError, r"int64.*\(input 1\)"),
    (lambda: judged(np.sin, np.array([[1.0, np.inf]])), ValueError, r"input 0 is inf at \(0, 1\)"),
    (lambda: judged(np.sin, 1.0, rtol=-1.0), ValueError, "rtol must be a number from 0 on"),
    (lambda: judged(np.sin, 1.0, atol="small"), ValueError, "atol must be a number from 0 on"),
    (lambda: judged(np.sin, 1.0, legs=["numerical"]), ValueError, "no leg 'numerical'; choose from 'contract'"),
    (lambda: judged(np.sin, 1.0, legs=[]), ValueError, "legs is empty"),
    (lambda: judged(lambda x: "text", 1.0), TypeError, "expected numbers"),
    (lambda: judged(lambda x: (x, None), 1.0), TypeError, "None"),
    (lambda: judged(lambda x: (x, x), 1.0, jac=np.cos), ValueError, "function of one output, this one has 2"),
    (lambda: judged(np.sin, TEN, jac=lambda x: [[1.0], [1.0, 2.0]]), ValueError, "jac returned what is no array"),
])
def test_bad_input_is_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_an_exception_of_a_derivative_says_who_called_it():
    def broken(x):
        raise ZeroDivisionError("in the derivative")

    with pytest.raises(ZeroDivisionError, match="in the derivative") as raised:
        judged(np.sin, 1.0, jac=broken)
    assert any("called jac" in note for note in raised.value.__notes__)


# ---------------------------------------------------------------------- found by strangers


def test_an_error_that_a_symmetric_point_hides_is_found_with_two_inputs():
    def rule(op):
        a, b = op.inputs
        return Linear(lambda t: t @ b, lambda g: g @ b), Linear(lambda t: a @ t, lambda g: a.mT @ g)

    symmetric = np.array([[0.5, 0.7], [0.7, 0.4]])
    with ta.override_gradient({"matmul": rule}):
        report = judged(lambda a, b: np.sum((a @ b) ** 2), (np.arange(4.0).reshape(2, 2) + 0.3, symmetric))
    assert report.verdict == "fail"
    assert report.elsewhere.culprit.primitive == "matmul"


@pytest.mark.parametrize("order", [1, 2])
def test_a_rule_that_raises_for_some_cotangents_alone_is_reported(order):
    def rule(op):
        (x,) = op.inputs

        def adjoint(g):
            if np.any(value_of(g) < 0):
                raise np.linalg.LinAlgError("no such cotangent")
            return np.cos(x) * g

        return Linear(lambda t: np.cos(x) * t, adjoint)

    with ta.override_gradient({"sin": rule}):
        report = judged(lambda x: np.sin(x), np.array([0.3, 0.7]), order=order)
    assert report.verdict == "fail"
    assert "reverse AD: comes through: LinAlgError: no such cotangent" in str(report)
    assert report.culprit.primitive == "sin"


def test_python_ints_are_numbers():
    assert judged(lambda x: 3, 1.0).verdict == "pass"
    assert judged(lambda x: 0 if x < 0 else x, 1.0).verdict == "pass"
    assert judged(lambda x: int(x) * 2, 1.5, jac=lambda x: 0.0).verdict == "pass"
    assert judged(lambda x: int(x) * 2, 1.5, jac=lambda x: 2.0).verdict == "fail"
    with pytest.raises(TypeError, match="int64 values"):
        judged(np.argsort, np.array([1.5, 0.2]))


def test_a_jacobian_that_changes_its_mind_is_caught():
    calls = itertools.count()
    report = judged(np.sin, 0.7, jac=lambda x: np.cos(x) * (1 + 1e-3 * (next(calls) % 2)))
    assert report.verdict == "fail"
    assert [finding.name for finding in report.contract if not finding.holds] == ["jac: the same result twice"]


def test_a_black_box_that_writes_or_changes_its_mind_is_warned_of():
    def writes(x):
        x += 1
        return np.sin(x)

    generator = np.random.default_rng(0)
    assert "writes into its arguments" in judged(writes, np.array([0.7]), jac=lambda x: np.cos(x + 1)[None]).warnings[0]
    noisy = judged(lambda x: np.sin(x) + 1e-6 * generator.normal(), 0.7, jac=np.cos)
    assert noisy.verdict in ("pass", "inconclusive")
    assert "other values when it is called again" in noisy.warnings[0]


def test_complex_derivatives_of_real_functions_are_refused():
    with pytest.raises(TypeError, match="jac returned complex numbers for a real function"):
        judged(np.sin, 1.0, jac=lambda x: np.cos(x) + 0.1j)
    assert judged(np.sin, 1.0, jac=lambda x: np.cos(x) + 0j)


def test_rounding_of_a_jacobian_is_seen_where_the_last_digits_of_the_input_are_not():
    def quotient(x):
        return (np.exp(x) - 1) / x

    assert judged(quotient, 1e-5, jac=lambda x: (np.exp(x) * (x - 1) + 1) / x**2).verdict == "pass"
    assert judged(quotient, 0.5, jac=lambda x: (np.exp(x) * (x - 1) + 1) / x**2 * (1 + 1e-7)).verdict == "fail"


def test_lists_of_numbers_have_jacobians_and_dicts_any_order():
    x = np.array([0.3, 0.7])
    assert judged(lambda x: [x[0] * x[1], x[0] ** 2], x, jac=lambda x: [[x[1], x[0]], [2 * x[0], 0]])
    assert not judged(lambda x: [x[0] * x[1], x[0] ** 2], x, jac=lambda x: [[x[1], x[0]], [2 * x[0], 1e-6]])
    nested = {"w": x, "b": x + 1}
    assert judged(lambda p: np.sum(p["w"] * p["b"] ** 2), nested,
                  vjp=lambda p, g: {"b": 2 * g * p["w"] * p["b"], "w": g * p["b"] ** 2})
    assert judged(lambda x: {"a": np.sin(x), "b": np.cos(x)}, x,
                  jvp=lambda x, t: {"b": -t * np.sin(x), "a": t * np.cos(x)})


@pytest.mark.parametrize(("f", "x", "verdict"), [
    (np.linalg.pinv, np.eye(3), "pass"),  # LAPACK's rounding is linear in steps below the last digit
    (lambda x: np.fft.fft(x, 12, norm="ortho"), np.random.default_rng(5).normal(size=8), "pass"),
    (lambda x: np.fft.fft(x, 10), np.random.default_rng(0).normal(size=8), "pass"),
    (np.linalg.eigvalsh, np.eye(3), "kink"),
    (lambda x: tuple(np.linalg.qr(x)), np.eye(3), "inconclusive"),  # Q and R jump there
], ids=["pinv of the identity", "fft that vanishes", "fft by rounding", "equal eigenvalues", "qr of the identity"])
def test_hard_places_of_linear_algebra_raise_no_alarm(f, x, verdict):
    assert judged(f, x).verdict == verdict


def test_functions_of_several_outputs_are_replayed_in_mpmath():
    report = judged(lambda x: (np.sin(1e5 * x), 1e10 + np.cos(x)), 0.7, legs=("mpmath", "reverse AD"))
    assert report.verdict == "pass"
    assert {leg.name for leg in report.legs if leg.values} >= {"mpmath", "reverse AD"}
