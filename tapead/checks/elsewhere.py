"""Whether the derivative is right at other points as well: a rule may be wrong only where this point is not.

A derivative that is right for x > 0 and wrong for x < 0 passes every comparison at a positive x. So it is tried at a
few points with other signs and somewhat other sizes. Each is screened by a handful of evaluations along one direction;
only what is in doubt there is compared in full, and only an error that the full comparison is sure of counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..numeric.realview import RealView
from .legs import Own
from .report import Report

__all__ = ["wrong_elsewhere"]

Array = np.ndarray[Any, Any]

#: How many other points are tried.
POINTS = 5
#: Of more inputs than this some are of either sign anyway, and evaluations are dear: two points will do.
FEW = 200
#: A function that takes longer than this (in seconds) is not tried elsewhere.
DEAR = 0.05
#: How long it may take at the first evaluation at another point: a loop may never end outside its domain.
PATIENCE = 1.0
#: Relative differences below this are not looked into.
NEGLIGIBLE = 1e-5
HERE = "this holds at the point given"
#: The legs that are asked about what is in doubt, column by column.
PARTIAL = ("complex step", "mpmath", "symbolic")


def wrong_elsewhere(view: RealView, make: Callable[[Any], Any], judge: Callable[[Any], Report],
                    generator: np.random.Generator) -> tuple[Any, Report] | str:
    """A point nearby or mirrored where the derivative fails, with the report there.

    Parameters
    ----------
    view : RealView
        The function, at the point that was checked.
    make : callable
        The derivative (as ``Own`` or ``Given``) at a point.
    judge : callable
        The full check at a point.
    generator : numpy.random.Generator
        For the points and directions.

    Returns
    -------
    (inputs, Report) or str
        What was tried, where no other point fails.
    """
    began = time.perf_counter()
    view(view.point)
    if time.perf_counter() - began > DEAR:
        return f"{HERE}; the function takes too long to be tried at others"
    size = np.abs(next(_points(view, generator)))
    direction = generator.choice([-1.0, 1.0], view.point.shape) * generator.uniform(0.5, 1.5, size.shape) * size
    weights = generator.choice([-1.0, 1.0], view.here.shape) * generator.uniform(0.5, 1.5, view.here.shape)
    try:
        here = _claims(make(view.inputs_at(view.point)), direction, weights)
    except Exception:  # what the derivative does at the point itself has been reported already
        return HERE
    suspects = []
    moves, tried = False, 0
    for flat in _points(view, generator):
        try:
            found = _screen(view, make, flat, direction, weights)
        except TimeoutError:
            return f"{HERE}; at another the function took longer than {PATIENCE:g} s"
        if found is None:
            continue
        tried += 1
        claims, suspicious = found
        moves = moves or any(not np.array_equal(claim, old) for claim, old in zip(claims, here, strict=True))
        if suspicious:
            suspects.append(flat)
    if not moves and not _is_rule(view, make):
        return f"{HERE} alone: the derivative is the same wherever it is asked for"
    for flat in suspects:
        point = view.inputs_at(flat)
        try:
            report = judge(point)
        except (ValueError, TypeError, ArithmeticError):  # outside the domain of the function or of its derivative
            continue
        # Some legs are asked about a few columns alone, and say NaN of the others.
        values = [part for leg in report.legs if leg.name not in PARTIAL for part in leg.values or ()]
        # What is not finite there may be right to be so.
        if report.verdict == "fail" and all(np.all(np.isfinite(part)) for part in values):
            return point, report
    if not tried:
        return f"{HERE}; the function is not defined at others that were tried"
    return (f"{HERE}, and nothing speaks against it at {tried} others, of other signs and sizes (tapead.testing "
            "searches further)")


def _points(view: RealView, generator: np.random.Generator) -> Iterator[Array]:
    """Other signs (all, some, none of them turned), and sizes between a half and one and a half times those here."""
    single = view.resolution > 1e-10
    # Zero has no sign to turn, and what floating point cannot resolve at extreme sizes is no concern of the rules.
    plain = (np.abs(view.point) > 1e-30) & (np.abs(view.point) < 1e30)
    base = np.where(plain, view.point, np.where(view.point == 0, generator.choice([-1.0, 1.0], view.point.shape),
                                                np.sign(view.point)))
    for place in range(POINTS if base.size <= FEW else 2):
        signs = np.full(base.shape, -1.0 if place % 2 == 0 else 1.0)
        if place > 1 and base.size > 1:
            signs = generator.choice([-1.0, 1.0], base.shape)
        flat = base * signs * generator.uniform(0.5, 1.5, base.shape)
        yield flat.astype(np.float32).astype(float) if single else flat


def _claims(subject: Any, direction: Array, weights: Array) -> list[Array]:
    """What the derivative says along a direction, per way to it: the slopes, or the slope of the weighted sum."""
    claims = []
    if subject.has_push:
        claims.append(subject.push(direction))
    if subject.has_pull:
        claims.append(subject.pull(weights))
    return claims


def _screen(view: RealView, make: Callable[[Any], Any], flat: Array, direction: Array, weights: Array
            ) -> tuple[list[Array], bool] | None:
    """The claims at another point and whether they are in doubt; None where there is nothing to compare."""
    from ..symbolic.timebox import within

    here = within(PATIENCE, lambda: view(flat))
    if not np.all(np.isfinite(here)):
        return None
    try:
        subject = make(view.inputs_at(flat))
        claims = _claims(subject, direction, weights)
    except Exception:  # the derivative need not be defined wherever the function happens to be
        return None
    if not all(np.all(np.isfinite(claim)) for claim in claims):
        return None
    steps = (1e-2, 1e-3) if view.resolution > 1e-10 else (3e-3, 1e-4, 3e-6)
    quotients = [(view(flat + step * direction) - view(flat - step * direction)) / (2 * step) for step in steps]
    negligible = NEGLIGIBLE if view.resolution < 1e-10 else 1e-2
    for name, claim in zip(["push"] * subject.has_push + ["pull"], claims, strict=False):
        if name == "push":
            off = np.min([np.abs(claim - quotient) for quotient in quotients], axis=0)
            suspicious = ~(off <= negligible * np.maximum(np.abs(claim), np.abs(quotients[1])) + 1e-300)
        else:
            slope = claim @ direction
            sums = [float(weights @ quotient) for quotient in quotients]
            size = float(np.sum(np.abs(quotients[1])))
            suspicious = np.array(not min(abs(slope - total) for total in sums) <= negligible * size + 1e-300)
        if np.any(suspicious):
            return claims, True
    return claims, False


def _is_rule(view: RealView, make: Callable[[Any], Any]) -> bool:
    """Whether a derivative that is the same everywhere is meant so: tapead's own is, and a vjp or jvp of a few ones."""
    subject = make(view.inputs_at(view.point))
    if isinstance(subject, Own):
        return True
    if subject.matrix is not None:
        return False
    claim = subject.pull(np.ones(view.here.shape)) if subject.has_pull else subject.push(np.ones(view.point.shape))
    steps = np.where(view.point == 0, 1e-4, 1e-4 * np.abs(view.point))
    first, second = (view(point + steps) - view(point - steps) for point in (view.point, view.point * (1 + 1e-3)))
    straight = np.allclose(first, second, rtol=1e-6, atol=0.0)
    return bool(np.all(claim == np.rint(claim)) and straight)
