"""Is this derivative right? Numeric, symbolic and automatic derivatives compared, and the odd one named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..containers import flatten, map_structure
from ..numeric.realview import RealView
from ..registry import value_of
from .comparison import Comparison, Settings
from .contract import contract
from .culprit import first_wrong
from .judging import BARS
from .legs import Given, Own, gradient_map, on_values, promoted, reverse_over_forward, to_leaves, view_of
from .report import GradcheckError, Leg, Report

__all__ = ["GradcheckError", "gradcheck"]

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]


def gradcheck(f: Function, inputs: Any, *, jac: Function | None = None, vjp: Function | None = None,
              jvp: Function | None = None, order: int = 1, raise_exception: bool = True, rtol: float | None = None,
              atol: float | None = None, symbolic: bool | None = None, names: Sequence[str] | None = None,
              seed: int = 0) -> Report:
    """Check a derivative of `f` at a point.

    Without `jac`, `vjp` and `jvp`: the derivative that tapead takes of `f` itself. With one of them: that derivative,
    whoever wrote it; `f` is then a function of plain arrays and may be a black box.

    Parameters
    ----------
    f : callable
        Takes ``*inputs``; returns arrays, numbers or nested containers of them.
    inputs : tuple, or one array or number
        The point. The elements of the tuple are numbers, arrays, or nested containers of them.
    jac : callable, optional
        ``jac(*inputs)`` returns the Jacobian, of shape ``output.shape + input.shape`` (one per input).
    vjp : callable, optional
        ``vjp(*inputs, cotangent)`` returns one array per input, or a bare one.
    jvp : callable, optional
        ``jvp(*inputs, *tangents)`` returns one array per output, or a bare one.
    order : {1, 2}
        2 checks the second derivatives (of tapead's own) too, in every nesting of the two modes.
    raise_exception : bool
        Raise where the derivative is wrong.
    rtol, atol : float, optional
        Tolerances to use instead of those that follow from the error bars.
    symbolic : bool, optional
        Whether to ask SymPy; by default for small functions that return one number.
    names : sequence of str, optional
        What the report calls the inputs.
    seed : int
        Of the random vectors.

    Returns
    -------
    Report
        True if the derivative is right, or one of the valid ones at a kink; ``print`` it.

    Raises
    ------
    GradcheckError
        If the derivative is wrong; it carries the report. An inconclusive check does not raise: test the report.
    TypeError, ValueError
        If `inputs`, or what the functions return, is not something to differentiate.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> bool(ta.gradcheck(lambda x: np.sum(np.sin(x) * x), np.array([0.5, 2.0]), symbolic=False))
    True
    >>> report = ta.gradcheck(np.sin, 1.0, jac=lambda x: 1.0005 * np.cos(x), raise_exception=False)
    >>> report.verdict
    'fail'
    """
    args = _normalised(inputs)
    own = jac is None and vjp is None and jvp is None
    if order not in (1, 2):
        raise ValueError(f"gradcheck: order must be 1 or 2, not {order!r}")
    if order == 2 and not own:
        raise ValueError("gradcheck: order=2 checks tapead's own derivatives; leave out jac=, vjp= and jvp=")
    labels = _labels(args, names)
    settings = Settings(rtol, atol, symbolic, labels, np.random.default_rng(seed))
    with np.errstate(all="ignore"):
        if own:
            report = _own(f, args, settings)
            if order == 2 and report.verdict == "pass":
                _add_second(report, f, args, settings)
            elif order == 2:
                report.notes.append("second derivatives were not checked: the first ones have to be right first")
        else:
            report = _given(f, args, jac, vjp, jvp, settings)
    if report.verdict in ("pass", "kink"):
        report.notes.append("this holds at the point given; other branches need other points "
                            "(tapead.testing looks for them)")
    if raise_exception and report.verdict == "fail":
        raise GradcheckError(report)
    return report


def _normalised(inputs: Any) -> tuple[Any, ...]:
    """The inputs as a tuple of floating-point arrays, numbers and containers."""
    if isinstance(inputs, list):
        inputs = tuple(inputs) if any(np.ndim(value_of(x)) > 0 and not isinstance(x, list) for x in inputs) else (
            np.asarray(inputs),)
    args = inputs if isinstance(inputs, tuple) else (inputs,)

    def leaf(value: Any) -> Any:
        value = value_of(value)
        if value.__class__ in (int, float, complex):
            value = np.complex128(value) if isinstance(value, complex) else np.float64(value)
        array = np.array(value)
        if array.dtype.kind not in "fc":
            cast = "; cast it, x.astype(float)" if array.dtype.kind in "iub" else ""
            raise TypeError(f"gradcheck: inputs must be floating-point numbers or arrays, not "
                            f"{type(value).__name__} of dtype {array.dtype}{cast}")
        if not np.all(np.isfinite(array)):
            raise ValueError("gradcheck: the inputs contain NaN or infinity")
        return array[()]

    args = tuple([map_structure(leaf, arg) for arg in args])
    if not flatten(args)[0]:
        raise ValueError("gradcheck: there are no inputs")
    return args


def _labels(args: tuple[Any, ...], names: Sequence[str] | None) -> list[str]:
    count = len(flatten(args)[0])
    if names is None:
        return ["x"] if count == 1 else [f"x{k}" for k in range(count)]
    if len(names) != count:
        raise ValueError(f"gradcheck: {len(names)} names for {count} inputs")
    return list(names)


# ---------------------------------------------------------------------- tapead's own derivative


def _own(f: Function, args: tuple[Any, ...], settings: Settings) -> Report:
    report = Report()
    view = view_of(on_values(f), args)
    _check_outputs(view)
    subject = Own(f, args)
    report.contract = contract(subject, args, settings.generator, view.resolution)
    checked, point = subject, args
    higher = promoted(args)
    if higher is not None:
        # Single precision: the same rules are checked in double precision, where differences can see something.
        try:
            raised, raised_view = Own(f, higher), view_of(on_values(f), higher)
        except Exception:  # a function may insist on its dtype; then differences in single precision have to do
            higher = None
        else:
            if raised_view.resolution < 1e-10:
                checked, view, point = raised, raised_view, higher
    check = Comparison(view, checked, point, settings, report, lambda where: Own(f, where), f)
    check.run()
    if checked is not subject:
        _compare_single(subject, checked, view_of(on_values(f), args), report, settings)
    _conclude(report)
    if report.verdict == "fail":
        report.culprit = first_wrong(f, point, 1, settings.generator)
        if report.culprit is None:
            report.notes.append("every rule on the tape is right where it was used: digits are lost to rounding in the "
                                "function itself, or the fault lies between the rules")
    return report


def _check_outputs(view: RealView) -> None:
    if not view.outputs:
        raise TypeError("gradcheck: the function returned nothing to differentiate")
    if all(output.dtype.kind in "iub" for output in view.outputs):
        raise TypeError(f"gradcheck: the function returned {view.outputs[0].dtype} values, which have no derivative")


def _compare_single(subject: Own, double: Own, view: RealView, report: Report, settings: Settings) -> None:
    """Single precision against double: the same rules, so all that may differ is rounding."""
    generator = settings.generator
    for name, apply, other, size in (("forward AD", subject.push, double.push, view.point.size),
                                     ("reverse AD", subject.pull, double.pull, view.here.size)):
        vector = generator.choice([-1.0, 1.0], size)
        rough, exact = apply(vector), other(vector)
        with np.errstate(invalid="ignore"):
            off = np.abs(rough - exact)
        scale = np.max(np.abs(exact[np.isfinite(exact)]), initial=0.0)
        if not np.any(off > 0.02 * scale + 1e-30) and not np.any(np.isnan(rough) & np.isfinite(exact)):
            continue
        # Values that are as rough as that in single precision excuse a derivative that is.
        direction = vector if name == "forward AD" else generator.choice([-1.0, 1.0], view.point.size)
        found = view.columns([direction])
        slope, error = found.value[0], found.error[0]
        claimed = subject.push(direction)
        if np.any(~(np.abs(claimed - slope) <= BARS * error)):
            report.verdict = "fail"
            report.notes.append(f"{name} in {subject.inputs[0].dtype} is far from the same rules in double precision, "
                                "and from the slope of the function")
        else:
            report.notes.append(f"{name} in {subject.inputs[0].dtype} has few right digits here, as has the function")


def _add_second(report: Report, f: Function, args: tuple[Any, ...], settings: Settings) -> None:
    """Check the derivative of the gradient, in every nesting of the modes."""
    args = promoted(args) or args
    view = view_of(on_values(f), args)
    generator = settings.generator
    outputs = view.outputs
    weights = [(np.ones(y.shape) if y.size == 1 else generator.choice([-1.0, 1.0], y.shape)).astype(y.dtype)[()]
               for y in outputs]
    if not all(y.dtype.kind in "fc" for y in outputs):
        report.notes.append("second derivatives were not checked: an output is an integer")
        return
    rebuild = flatten(on_values(f)(*args))[1]
    gradient = gradient_map(f, weights, rebuild)
    second = Report(order=2)
    try:
        gradient_view = view_of(on_values(gradient), args)
        subject = Own(gradient, args)
    except ValueError as error:
        report.notes.append(f"second derivatives were not checked: {error}")
        return
    subject.forward_name, subject.reverse_name = "forward over reverse", "reverse over reverse"
    second.contract = contract(subject, args, generator, gradient_view.resolution)
    quiet = Settings(settings.rtol, settings.atol, False, settings.labels, generator)
    check = Comparison(gradient_view, subject, args, quiet, second, lambda where: Own(gradient, where), gradient)
    check.run()
    for _ in range(2):
        direction = generator.choice([-1.0, 1.0], view.point.shape) * np.where(view.point == 0, 1.0, np.abs(view.point))
        mixed = reverse_over_forward(f, args, to_leaves(direction, subject.inputs), weights)
        found = gradient_view.columns([direction])
        room = BARS * found.error[0] + 1e-9 * np.abs(mixed)
        wrong = ~(np.abs(mixed - found.value[0]) <= room) & np.isfinite(found.error[0]) & ~found.kink[0]
        if np.any(wrong):
            second.verdict = "fail"
            place = int(np.flatnonzero(wrong)[0])
            second.notes.append(f"reverse over forward gives {mixed[place]:.10g} for flat entry {place} along a "
                                f"direction, differences of the gradient give {found.value[0, place]:.10g}")
    second.legs.append(Leg("reverse over forward"))
    _conclude(second)
    report.second = second
    if second.verdict == "fail":
        report.verdict = "fail"
        report.culprit = second.culprit = first_wrong(f, args, 2, generator)
    elif second.verdict == "inconclusive":
        report.verdict = "inconclusive"


# ---------------------------------------------------------------------- somebody else's derivative


def _given(f: Function, args: tuple[Any, ...], jac: Function | None, vjp: Function | None, jvp: Function | None,
           settings: Settings) -> Report:
    report = Report()
    view = view_of(f, map_structure(np.copy, args))
    _check_outputs(view)
    rebuild = flatten(f(*map_structure(lambda x: np.array(x)[()], args)))[1]

    def make(where: tuple[Any, ...]) -> Given:
        return Given(where, view.outputs, jac, vjp, jvp, rebuild)

    subject = make(args)
    unit = view.resolution
    report.contract = contract(subject, args, settings.generator, unit)
    higher = promoted(args)
    if higher is not None:
        try:
            raised = view_of(f, higher)
        except Exception:  # as in _own
            raised = view
        if raised.resolution < 1e-10 and np.allclose(raised.here, view.here, rtol=1e-2):
            view = raised
            view.resolution = float(np.finfo(float).eps)
    check = Comparison(view, subject, higher or args, settings, report, make, f, coarse=unit)
    check.run()
    _conclude(report)
    return report


def _conclude(report: Report) -> None:
    if any(not finding.holds for finding in report.contract):
        report.verdict = "fail"
