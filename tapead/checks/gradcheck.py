"""Is this derivative right? Numeric, symbolic and automatic derivatives compared, and the odd one named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..containers import flatten, map_structure
from ..numeric.realview import RealView, to_real
from ..transforms import grad
from .accuracy import lossy
from .arguments import as_one_array, callables, chosen_legs, labels_of, normalised, takes, tolerance
from .comparison import Comparison, Settings
from .contract import Finding, contract
from .culprit import first_wrong
from .elsewhere import wrong_elsewhere
from .judging import BARS
from .legs import Given, Own, SweepError, gradient_map, on_values, promoted, reverse_over_forward, to_leaves, view_of
from .progress import doing, watched
from .report import GradcheckError, GradcheckInterrupted, Leg, Report
from .seeds import generator as seeded

__all__ = ["GradcheckError", "GradcheckInterrupted", "gradcheck"]

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]


def gradcheck(f: Any, inputs: Any, *, jac: Any = None, vjp: Function | None = None, jvp: Function | None = None,
              hess: Function | None = None, hessp: Function | None = None, order: int = 1,
              raise_exception: bool = True, rtol: float | None = None, atol: float | None = None,
              symbolic: bool | None = None, names: Sequence[str] | None = None, seed: int | None = None,
              legs: Iterable[str] | None = None, elsewhere: bool = True) -> Report:
    """Check a derivative of `f` at a point.

    Without `jac`, `vjp` and `jvp`: the derivative that tapead takes of `f` itself. With one of them: that derivative,
    whoever wrote it; `f` is then a function of plain arrays and may be a black box.

    Parameters
    ----------
    f : callable, (fun, jac) or (fun, jac, hess)
        Takes ``*inputs``; returns arrays, numbers or nested containers of them. A tuple is taken apart as that of
        ``scipy.optimize``.
    inputs : tuple, or one array or number
        The point. The elements of the tuple are numbers, arrays, or nested containers of them.
    jac : callable, optional
        ``jac(*inputs)`` returns the Jacobian, of shape ``output.shape + input.shape`` (one per input). True if `f`
        returns ``(value, gradient)``.
    vjp : callable, optional
        ``vjp(*inputs, cotangent)`` returns one array per input, or a bare one.
    jvp : callable, optional
        ``jvp(*inputs, *tangents)`` returns one array per output, or a bare one.
    hess, hessp : callable, optional
        ``hess(x)`` returns the Hessian, ``hessp(x, p)`` its product with a vector, of a function of one array that
        returns one number. They are held against the gradient: `jac`, or tapead's own.
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
    seed : int, optional
        Of the random vectors; the same ones every time by default.
    legs : sequence of str, optional
        What to compare: any of ``"contract"``, ``"numeric"``, ``"complex step"``, ``"mpmath"``, ``"symbolic"``,
        ``"forward AD"``, ``"reverse AD"`` and ``"batched"`` (all columns from one recording, in both modes); all but
        the last by default. Somebody else's derivative is always compared.
    elsewhere : bool
        Whether to try a few other points as well, with other signs and sizes. An error that is certain there fails the
        check, and ``report.elsewhere`` tells about it. A Jacobian computed beforehand, the same at every point, is
        judged at the point given alone.

    Returns
    -------
    Report
        True if the derivative is right, or one of the valid ones at a kink; ``print`` it.

    Raises
    ------
    GradcheckError
        If the derivative is wrong; it carries the report. An inconclusive check does not raise: test the report.
    GradcheckInterrupted
        On Ctrl-C (it is a KeyboardInterrupt), with an inconclusive report of what is known by then.
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
    f, given = callables(f, jac=jac, vjp=vjp, jvp=jvp, hess=hess, hessp=hessp)
    args = normalised(inputs)
    if order not in (1, 2):
        raise ValueError(f"gradcheck: order must be 1 or 2, not {order!r}")
    if order == 2 and given:
        raise ValueError("gradcheck: order=2 checks tapead's own derivatives; leave out jac=, vjp= and jvp= (hess= "
                         "checks a Hessian)")
    tolerance("rtol", rtol)
    tolerance("atol", atol)
    takes("f", f, len(args), len(args))
    for name, derivative in given.items():
        takes(name, derivative, len(args) * (2 if name in ("jvp", "hessp") else 1) + (name == "vjp"), len(args))
    if "jac" in given and not {"vjp", "jvp"} & given.keys():
        f = as_one_array(f)
    settings = Settings(rtol, atol, symbolic, labels_of(args, names), seeded(seed), chosen_legs(legs))
    second: dict[str, Function] = {name: given.pop(name) for name in ("hess", "hessp") if name in given}
    report = Report()
    with np.errstate(all="ignore"), watched("gradcheck") as progress:
        try:
            _fill(report, f, args, given, settings, elsewhere)
            if order == 2 and report.verdict == "pass":
                _add_second(report, f, args, settings)
            elif order == 2:
                report.notes.append("second derivatives were not checked: the first ones have to be right first")
            if second and report:
                _add_hessian(report, f, args, given, second, settings, elsewhere)
        except KeyboardInterrupt:
            raise GradcheckInterrupted(report, progress) from None
    if raise_exception and report.verdict == "fail":
        raise GradcheckError(report)
    return report


def _fill(report: Report, f: Function, args: tuple[Any, ...], given: dict[str, Function], settings: Settings,
          elsewhere: bool, **called: str) -> None:
    """The first derivatives at the point, and a look at others."""
    def judge(target: Report, point: Any, chosen: Settings) -> tuple[RealView, Function]:
        if given:
            return _given(target, f, point, given, chosen, called)
        return _without_what_raises(target, lambda known: _own(target, f, point, chosen, known))  # type: ignore[no-any-return]  # the pair of _own

    def again(point: Any) -> Report:
        other = Report()
        judge(other, point, replace(settings, symbolic=False, legs=settings.legs - {"contract"}))
        return other

    view, make = judge(report, args, settings)
    if not elsewhere or report.verdict == "fail":
        return
    doing("other points")
    found = wrong_elsewhere(view, make, again, settings.generator)
    if isinstance(found, str):
        report.notes.append(found)
    else:
        point, other = found
        shown = ", ".join(f"{label} = {np.array2string(np.asarray(leaf), precision=6, threshold=12)}"
                          for label, leaf in zip(settings.labels, flatten(point)[0], strict=True))
        report.notes.append(f"right at the point given ({report.verdict}), wrong at another: {shown}")
        report.verdict, report.elsewhere = "fail", other
        report.culprit, report.odd_one_out = other.culprit, other.odd_one_out


# ---------------------------------------------------------------------- tapead's own derivative


def _without_what_raises(report: Report, check: Callable[[Mapping[str, str]], Any]) -> Any:
    """Run a check; where a sweep turns out to raise for some vector, again without that sweep."""
    known: dict[str, str] = {}
    for _ in range(2):
        try:
            return check(known)
        except SweepError as error:
            known[error.way] = error.fault
            vars(report).update(vars(Report(order=report.order)))
    return check(known)


def _own(report: Report, f: Function, args: tuple[Any, ...], settings: Settings, known: Mapping[str, str]
         ) -> tuple[RealView, Function]:
    doing("contract")
    view = view_of(on_values(f), args)
    _check_outputs(view)
    subject = Own(f, args, known)
    if len(subject.unavailable) == 2:
        raise NotImplementedError(f"gradcheck: {subject.unavailable[subject.reverse_name]}")
    if settings.wants("contract") or subject.broken:
        report.contract = contract(subject, args, settings.generator, view.resolution)
    checked, point = subject, args
    higher = promoted(args)
    if higher is not None:
        # Single precision: the same rules are checked in double precision, where differences can see something.
        try:
            raised, raised_view = Own(f, higher, known), view_of(on_values(f), higher)
        except Exception:  # a function may insist on its dtype; then differences in single precision have to do
            higher = None
        else:
            if raised_view.resolution < 1e-10:
                checked, view, point = raised, raised_view, higher
    check = Comparison(view, checked, point, settings, report, lambda where: Own(f, where, known), f)
    check.run()
    if checked is not subject and not subject.broken:
        _compare_single(f, args, subject, checked, view_of(on_values(f), args), report, settings)
    _conclude(report)
    if report.verdict == "fail":
        doing("looking for the wrong rule")
        report.culprit = first_wrong(f, point, 1, settings.generator)
        if report.culprit is None:
            report.notes.append("every rule on the tape is right where it was used: digits are lost to rounding in the "
                                "function itself, or the fault lies between the rules")
    return view, lambda where: Own(f, where, known)


def _check_outputs(view: RealView) -> None:
    if not view.outputs:
        raise TypeError("gradcheck: the function returned nothing to differentiate")
    if all(output.dtype.kind in "iub" for output in view.outputs):
        raise TypeError(f"gradcheck: the function returned {view.outputs[0].dtype} values, which have no derivative")


def _compare_single(f: Function, args: tuple[Any, ...], subject: Own, double: Own, view: RealView, report: Report,
                    settings: Settings) -> None:
    """Single precision against double: the same rules, so all that may differ is rounding."""
    generator = settings.generator
    for name, apply, other, size in (("forward AD", subject.push, double.push, view.point.size),
                                     ("reverse AD", subject.pull, double.pull, view.here.size)):
        vector = generator.choice([-1.0, 1.0], size)
        if name not in subject.available or name not in double.available:
            continue
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
        if np.any(~(np.abs(claimed - slope) <= BARS * error)) and not lossy(
                f, args, off / max(scale, float(np.max(np.abs(rough[np.isfinite(rough)]), initial=1e-300)))):
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

    def compare(known: Mapping[str, str]) -> tuple[RealView, Own]:
        gradient_view, subject = view_of(on_values(gradient), args), Own(gradient, args, known)
        if len(subject.unavailable) == 2:
            raise NotImplementedError(subject.unavailable[subject.reverse_name])
        subject.forward_name, subject.reverse_name = "forward over reverse", "reverse over reverse"
        if settings.wants("contract") or subject.broken:
            second.contract = contract(subject, args, generator, gradient_view.resolution)
        quiet = replace(settings, symbolic=False)
        Comparison(gradient_view, subject, args, quiet, second, lambda where: Own(gradient, where, known),
                   gradient).run()
        return gradient_view, subject

    try:
        gradient_view, subject = _without_what_raises(second, compare)
    except ValueError as error:
        report.notes.append(f"second derivatives were not checked: {error}")
        return
    except NotImplementedError as error:
        _cannot(report, second, str(error))
        return
    unavailable = ""
    for _ in range(2):
        direction = generator.choice([-1.0, 1.0], view.point.shape) * generator.uniform(0.5, 1.5, view.point.shape)
        direction *= np.where(view.point == 0, 1.0, np.abs(view.point))
        try:
            mixed = reverse_over_forward(f, args, to_leaves(direction, subject.inputs), weights)
        except NotImplementedError as error:
            unavailable = str(error)
            break
        found = gradient_view.columns([direction])
        room = BARS * found.error[0] + 1e-9 * np.abs(mixed)
        wrong = ~(np.abs(mixed - found.value[0]) <= room) & np.isfinite(found.error[0]) & ~found.kink[0]
        if np.any(wrong):
            second.verdict = "fail"
            place = int(np.flatnonzero(wrong)[0])
            second.notes.append(f"reverse over forward gives {mixed[place]:.10g} for flat entry {place} along a "
                                f"direction, differences of the gradient give {found.value[0, place]:.10g}")
    second.legs.append(Leg("reverse over forward", unavailable=unavailable))
    _conclude(second)
    report.second = second
    if second.verdict == "fail":
        report.verdict = "fail"
        report.culprit = second.culprit = first_wrong(f, args, 2, generator)
    elif second.verdict == "inconclusive":
        report.verdict = "inconclusive"


def _cannot(report: Report, second: Report, reason: str) -> None:
    """A derivative that cannot be differentiated is no wrong one; but nothing is known of it."""
    second.verdict = report.verdict = "inconclusive"
    second.legs = [Leg("forward over reverse", unavailable=reason), Leg("reverse over reverse", unavailable=reason)]
    report.second = second


# ---------------------------------------------------------------------- somebody else's derivative


def _given(report: Report, f: Function, args: tuple[Any, ...], given: dict[str, Function], settings: Settings,
           called: dict[str, str]) -> tuple[RealView, Function]:
    doing("contract")
    view = plain = view_of(f, map_structure(np.copy, args))
    _check_outputs(view)
    rebuild = _looked_after(f, args, view, report)

    def make(where: tuple[Any, ...]) -> Given:
        return Given(where, plain.outputs, rebuild, **given, **called)  # type: ignore[arg-type]  # names apart

    subject = make(args)
    unit = view.resolution
    if settings.wants("contract"):
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
    return plain, make


def _looked_after(f: Function, args: tuple[Any, ...], view: RealView, report: Report) -> Function:
    """Warn where a black box changes its arguments or its mind; returns what rebuilds the containers of its outputs."""
    copies = map_structure(lambda x: np.array(x)[()], args)
    leaves, rebuild = flatten(f(*copies))
    changed = [place for place, (old, new) in enumerate(zip(flatten(args)[0], flatten(copies)[0], strict=True))
               if not np.array_equal(old, new)]
    if changed:
        report.warnings.append(f"the function writes into its arguments: input {changed[0]} changed")
    same = all(np.array_equal(old, np.asarray(new), equal_nan=old.dtype.kind in "fc")
               for old, new in zip(view.outputs, leaves, strict=True))
    if not same:
        report.warnings.append("the function gives other values when it is called again with the same inputs: its "
                               "slopes are known no better than that")
    return rebuild


def _add_hessian(report: Report, f: Function, args: tuple[Any, ...], given: dict[str, Function],
                 second: dict[str, Function], settings: Settings, elsewhere: bool) -> None:
    """Hold a Hessian against the differences of the gradient."""
    name, derivative = next(iter(second.items()))
    leaves = flatten(args)[0]
    below = report.second = Report(order=2)
    if len(leaves) != 1 or np.size(to_real(flatten(f(*map_structure(np.copy, args)))[0])) != 1:
        raise ValueError(f"gradcheck: {name}= is for a function of one array that returns one number; hold other "
                         "second derivatives against the first by gradcheck(jac, inputs, jac=...)")
    shape = np.shape(leaves[0])
    if "jac" in given:
        def gradient(x: Any) -> Any:
            return np.reshape(np.asarray(given["jac"](x)), shape)
    elif "vjp" in given:
        def gradient(x: Any) -> Any:
            found = given["vjp"](x, np.ones(np.shape(f(np.copy(x))))[()])
            return np.reshape(np.asarray(found[0] if isinstance(found, tuple) else found), shape)
    elif given:
        raise ValueError(f"gradcheck: {name}= is held against the gradient: give jac= or vjp=")
    else:
        gradient = grad(lambda x: np.sum(f(x)))
    if name == "hess":
        def wanted(x: Any) -> Any:
            return np.asarray(derivative(x))

        _fill(below, gradient, args, {"jac": wanted}, settings, elsewhere, jac_name="hess")
        matrix = np.asarray(derivative(np.copy(leaves[0])[()]), float).reshape(np.size(leaves[0]), -1)
        off, size = np.max(np.abs(matrix - matrix.T), initial=0.0), np.max(np.abs(matrix), initial=0.0)
        below.contract.append(Finding("hess is symmetric", bool(off <= 1e-7 * size),
                                      "" if off <= 1e-7 * size else f"off by {off:.1e} of {size:.1e}"))
    else:
        _fill(below, gradient, args, {"jvp": derivative}, settings, elsewhere, jvp_name="hessp")
    _conclude(below)
    if below.verdict in ("fail", "inconclusive"):
        report.verdict = below.verdict


def _conclude(report: Report) -> None:
    if any(not finding.holds for finding in report.contract):
        report.verdict = "fail"
