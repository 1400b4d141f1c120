"""Checking a derivative with very many entries: along random directions, then by bisection to the wrong entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..numeric.differences import MANY
from ..numeric.realview import RealView
from .judging import BARS, ULPS, bisect
from .progress import advance, doing
from .report import InputSummary, Leg

if TYPE_CHECKING:
    from .comparison import Comparison

__all__ = ["check_by_projections"]

Array = np.ndarray[Any, Any]

#: How many random directions, and how many where every evaluation is dear.
PROJECTIONS, FEW_PROJECTIONS = 12, 8
#: From this many outputs on, random sums of them are looked at.
MANY_OUTPUTS = 1000
SUMS, FEW_SUMS = 6, 3


def check_by_projections(check: Comparison) -> None:
    """Fill in the report of a comparison from directional derivatives along random ±1 directions.

    For an error vector d in the gradient, the sum of ±d_i is zero with probability at most 1/2, and above half the
    length of d with probability at least 3/16 (Paley-Zygmund, the fourth moment being at most three times the second
    squared); directions are independent.
    """
    view, generator, report = check.view, check.generator, check.report
    count = PROJECTIONS if check.inputs <= MANY else FEW_PROJECTIONS
    sums = SUMS if check.outputs <= MANY else FEW_SUMS
    mixing = generator.choice([-1.0, 1.0], (sums, check.outputs)) if check.outputs > MANY_OUTPUTS else None
    seen = view if mixing is None else _mixed(view, mixing)
    rows = seen.here.size
    push, pull = _maps(check, mixing)
    gradients = [pull(row) for row in np.eye(rows)[:SUMS]] if pull is not None else []
    scale = np.where(view.point == 0, 1.0, np.abs(view.point))
    kinked, undecided = 0, 0
    sizes, offs = np.zeros(rows), np.zeros(rows)
    doing("along random directions", count)
    for _ in range(count):
        # Signs alone would cancel in sums of two that are equal by symmetry.
        direction = generator.choice([-1.0, 1.0], check.inputs) * generator.uniform(0.5, 1.5, check.inputs) * scale
        found = seen.columns([direction])
        slope, error, kink = found.value[0], found.error[0], found.kink[0]
        claims: list[tuple[str, Array, Array, Callable[[Array], Array]]] = []
        if push is not None:
            pushed = push(direction)
            claims.append((check.subject.forward_name, pushed, ULPS * seen.resolution * np.abs(pushed), push))
        if gradients:
            along = np.full(rows, np.nan)
            rounding = np.zeros(rows)
            for row, gradient in enumerate(gradients):
                along[row] = gradient @ direction
                rounding[row] = ULPS * seen.resolution * np.sqrt(float(np.sum((gradient * direction) ** 2)))
            claims.append((check.subject.reverse_name, along, rounding, lambda v: np.array([g @ v for g in gradients])))
        for name, claimed, rounding, apply in claims:
            known = ~np.isnan(claimed) if name == check.subject.reverse_name else np.ones(rows, bool)
            room = check.room(slope, error, rounding + 32 * check.coarse * np.linalg.norm(np.nan_to_num(claimed)))
            if name == check.subject.reverse_name and any(not np.all(np.isfinite(g)) for g in gradients):
                known &= False
                report.notes.append(f"{name} has entries that are not finite")
                undecided += 1
            off = known & ~kink & np.isfinite(error) & ~(np.abs(claimed - slope) <= room)
            if np.any(off) and (sharper := seen.complex_step(direction)) is not None:
                slope, error = np.where(sharper[1] < error, sharper[0], slope), np.minimum(error, sharper[1])
                room = np.maximum(check.room(slope, error, rounding), 1e-9 * np.abs(slope))
                off = known & ~kink & ~(np.abs(claimed - slope) <= room)
            if np.any(off):
                _report_wrong(check, seen, name, apply, direction, int(np.flatnonzero(off)[0]), mixing is not None)
                return
            if np.any(kink & known):
                kinked += 1
                fault = _outside(seen, direction, claimed, found, known, generator)
                if fault is not None:
                    report.verdict = "fail"
                    report.notes.append(f"{name} is no subgradient: {fault}")
                    return
            size = np.maximum(np.abs(slope), np.abs(np.nan_to_num(claimed)))
            decided = known & ~kink
            sizes = np.where(decided, np.maximum(sizes, size), sizes)
            offs = np.where(decided, np.maximum(offs, np.maximum(np.abs(claimed - slope), error)), offs)
        advance()
    # A projection may be small by chance: bars are compared with the largest of each row.
    shown = (sizes > 1e-6 * np.max(sizes, initial=0.0)) & (offs > 0)
    undecided += int(np.any(BARS * offs[shown] > 0.05 * sizes[shown]))
    digits = float(np.clip(np.min(-np.log10(offs[shown] / sizes[shown]), initial=16.0), 0.0, 16.0))
    report.verdict = "inconclusive" if undecided else "kink" if kinked else "pass"
    _finish(check, digits, count)


def _finish(check: Comparison, digits: float, count: int) -> None:
    report = check.report
    miss = (13 / 16) ** count
    report.detection = (f"compared along {count} random directions: one wrong entry that exceeds the error bars is "
                        f"seen with certainty, several with probability at least {1 - 2.0**-count:.4f} "
                        f"({1 - miss:.2f} where together they are but twice the bar)")
    report.legs = [Leg("numeric (directional)")]
    names = [name for name, has in ((check.subject.forward_name, check.has_push),
                                    (check.subject.reverse_name, check.has_pull)) if has]
    report.legs += [Leg(name) for name in dict.fromkeys(names)]
    report.inputs = [InputSummary(label, leaf.shape, str(leaf.dtype), digits)
                     for label, leaf in zip(check.settings.labels, check.subject.inputs, strict=True)]


def _mixed(view: RealView, mixing: Array) -> RealView:
    """The view with random sums for outputs."""
    flat = [view.point]
    return RealView(lambda point: mixing @ view(point), flat)


def _maps(check: Comparison, mixing: Array | None) -> tuple[Callable[[Array], Array] | None,
                                                            Callable[[Array], Array] | None]:
    subject = check.subject
    push = subject.push if check.has_push else None
    pull = subject.pull if check.has_pull else None
    if mixing is None:
        return push, pull
    mixed_push = None if push is None else lambda v: mixing @ push(v)
    mixed_pull = None if pull is None else lambda w: pull(w @ mixing)
    return mixed_push, mixed_pull


def _report_wrong(check: Comparison, seen: RealView, name: str, apply: Callable[[Array], Array], direction: Array,
                  row: int, mixed: bool) -> None:
    """Find the wrong entry and put it into the report."""
    doing("looking for the wrong entry")
    index, claimed, expected, bar = bisect(seen, apply, direction, row)
    report = check.report
    report.verdict = "fail"
    _finish(check, 0.0, FEW_PROJECTIONS if check.inputs > MANY else PROJECTIONS)
    number, place = check.input_index(index)
    if mixed:
        row, claimed, expected, bar = _wrong_output(check, name, index)
    where = check.output_index(row)
    summary = report.inputs[number]
    summary.flat = None if mixed else (row, index)
    summary.worst, summary.found, summary.expected, summary.bar = (where, place), claimed, expected, bar
    report.inputs = [summary] + [other for other in report.inputs if other is not summary]
    report.odd_one_out = name
    if abs(claimed - expected) <= BARS * bar:
        report.notes.append("the wrong entries could not be told apart: each by itself is within its error bar")


def _wrong_output(check: Comparison, name: str, index: int) -> tuple[int, float, float, float]:
    """The output whose derivative in one input is wrong; what is said of it, what differences say, and their bar."""
    view = check.view
    step = (1e-2 if view.resolution > 1e-10 else 1e-4) * max(abs(float(view.point[index])), 1.0)
    slope = (view(view.moved(index, step)) - view(view.moved(index, -step))) / (2 * step)
    if name == check.subject.forward_name and check.has_push:
        row = int(np.nanargmax(np.abs(check.subject.push(np.eye(1, check.inputs, index)[0]) - slope)))
    else:
        rows = np.flatnonzero(np.isfinite(slope))
        weights = check.generator.uniform(0.5, 1.5, check.outputs)


        def off(part: Array) -> float:
            vector = np.zeros(check.outputs)
            vector[part] = weights[part]
            return float(check.subject.pull(vector)[index]) - float(weights[part] @ slope[part])

        total = off(rows)
        while len(rows) > 1:
            first, second = np.array_split(rows, 2)
            here = off(first)
            rows, total = (first, here) if abs(here) >= abs(total - here) else (second, total - here)
        row = int(rows[0])
    one = RealView(lambda point: view(point)[row], [view.point])
    last = one.columns([index])
    claimed = (check.subject.push(np.eye(1, check.inputs, index)[0])[row] if check.has_push
               else check.subject.pull(np.eye(1, check.outputs, row)[0])[index])
    return row, float(claimed), float(last.value[0, 0]), float(last.error[0, 0])


def _outside(view: RealView, direction: Array, claimed: Array, found: Any, known: Array, generator: np.random.Generator
             ) -> str | None:
    """What is wrong with a slope across a kink: it must lie among the slopes on all sides."""
    scale = np.where(view.point == 0, 1.0, np.abs(view.point))
    slopes = [found.left[0], found.right[0]]
    for _ in range(16):
        nearby = view.point + 1e-5 * scale * generator.choice([-1.0, 1.0], scale.shape)
        slopes.append((view(nearby + 1e-7 * direction) - view(nearby - 1e-7 * direction)) / 2e-7)
    low, high = np.nanmin(slopes, axis=0), np.nanmax(slopes, axis=0)
    room = 0.25 * (high - low) + 1e-3 * np.maximum(np.abs(low), np.abs(high))
    outside = known & found.kink[0] & ((claimed < low - room) | (claimed > high + room))
    if not np.any(outside):
        return None
    row = int(np.flatnonzero(outside)[0])
    return (f"along a random direction the slopes around the kink are between {low[row]:.6g} and {high[row]:.6g}; the "
            f"derivative says {claimed[row]:.6g}")
