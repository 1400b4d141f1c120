"""A report as a picture: the error against the step size, and a map of where the Jacobian disagrees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..numeric.differences import Ladder, Samples, ladder
from .text import entry_name, place

if TYPE_CHECKING:
    from .report import InputSummary, Leg, Report

__all__ = ["plot"]

Array = np.ndarray[Any, Any]

#: At most so many inputs get a map each: those that are confirmed to the fewest digits.
MAPS = 3
#: Legs that follow no rule of whoever wrote the derivative; the others are what is checked.
INDEPENDENT = ("numeric", "complex step", "mpmath", "symbolic")
#: What cannot be shown on a logarithmic axis is shown here.
FLOOR = 1e-18
_COLOURS = {"pass": "#1a7f37", "fail": "#b42318", "kink": "#946200", "inconclusive": "#946200"}
_TEXT = {"quotients": "central difference quotients", "best": "extrapolated to step zero", "bar": "its error bar"}


def plot(report: Report) -> Any:
    """The figure for a report; see :meth:`tapead.checks.report.Report.plot`."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('plot needs matplotlib, which is not installed: pip install "tapead[plot]"') from error
    worst = next((s for s in sorted(report.inputs, key=lambda s: s.digits) if s.flat is not None), None)
    seen = None if worst is None or report.view is None else _ladder_of(report, worst)
    maps = _maps(report)
    if seen is None and not maps:
        raise ValueError("plot: this report has no entries to draw (it was compared along random directions, was "
                         "interrupted early, or comes from a pickle)")
    panels = (seen is not None) + len(maps)
    figure, grid = plt.subplots(1, panels, squeeze=False, layout="constrained", figsize=(
        6.4 * (seen is not None) + 3.8 * len(maps) + 0.6, 4.6),
        width_ratios=[1.6] * (seen is not None) + [1.0] * len(maps))
    axes = list(grid[0])
    if seen is not None:
        assert worst is not None
        _draw_ladder(axes.pop(0), seen, worst)
    image = None
    for axis, (summary, digits) in zip(axes, maps, strict=True):
        image = _draw_map(axis, summary, digits, summary is worst and report.verdict == "fail")
    if image is not None:
        unknown = any(np.any(np.isnan(digits)) for _, digits in maps)
        figure.colorbar(image, ax=axes, label="agreed digits" + " (grey: not known)" * unknown, shrink=0.85)
    title = "gradcheck" if report.order == 1 else "second derivatives"
    figure.suptitle(f"{title}: {report.verdict.upper()}", color=_COLOURS[report.verdict], fontweight="bold")
    return figure


# ---------------------------------------------------------------------- the error against the step size


def _ladder_of(report: Report, summary: InputSummary) -> Ladder:
    """The difference quotients of the worst entry, taken again."""
    assert report.view is not None and summary.flat is not None
    row, column = summary.flat
    with np.errstate(all="ignore"):
        samples = report.view.sample([column])
    one = slice(row, row + 1)
    return ladder(Samples(samples.steps[:, one], samples.ahead[:, one], samples.behind[:, one], samples.here[one],
                          samples.resolution))


def _draw_ladder(axis: Any, seen: Ladder, summary: InputSummary) -> None:
    size = max(abs(summary.expected), abs(summary.found) if np.isfinite(summary.found) else 0.0) or 1.0

    def relative(values: Any) -> Array:
        with np.errstate(all="ignore"):
            shown: Array = np.clip(np.abs(values) / size, FLOOR, 1e3)
        # An error of zero is no point of a logarithmic axis: what was chosen often is the value expected itself.
        return np.where(np.isfinite(values) & (values != 0), shown, np.nan)

    usable = np.isfinite(seen.errors)
    axis.plot(seen.steps, relative(seen.quotients - summary.expected), "o", color="#8a8f98", markersize=4,
              label=_TEXT["quotients"])
    axis.plot(seen.steps[usable], relative(seen.best - summary.expected)[usable], ".-", color="#1f5fbf", linewidth=1.4,
              label=_TEXT["best"])
    axis.plot(seen.steps[usable], relative(seen.errors)[usable], color="#1f5fbf", linewidth=1, linestyle=":",
              label=_TEXT["bar"])
    if np.any(usable):
        low, high = _plateau(seen)
        axis.axvspan(low, high, color="#1f5fbf", alpha=0.12, linewidth=0, label="chosen plateau")
        axis.plot(seen.steps[seen.chosen], relative(seen.errors)[seen.chosen], "*", color="#1f5fbf", markersize=12)
    off = abs(summary.found - summary.expected)
    if np.isfinite(off) and off > 0:
        axis.axhline(relative(off), color=_COLOURS["fail"] if off > 10 * summary.bar else _COLOURS["pass"],
                     linewidth=1.2, label=f"derivative under test: off by {off / size:.1g}")
    else:
        axis.plot([], [], " ", label="derivative under test: equal" if off == 0 else f"derivative: {summary.found}")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_ylim(max(FLOOR / 3, axis.get_ylim()[0]), min(1e4, axis.get_ylim()[1]))
    axis.set_xlabel("step size")
    axis.set_ylabel("relative error")
    axis.set_title(f"{entry_name(summary)}: {summary.found:.10g}\nexpected {summary.expected:.10g} ± {summary.bar:.1e}",
                   fontsize=10)
    axis.grid(True, which="major", alpha=0.25)
    axis.legend(fontsize=8, loc="best", framealpha=0.9)


def _plateau(seen: Ladder) -> tuple[float, float]:
    """The steps around the chosen one for which the bar is nearly as small."""
    good = seen.errors <= 30 * seen.errors[seen.chosen]
    first = last = seen.chosen
    while first > 0 and good[first - 1]:
        first -= 1
    while last + 1 < len(good) and good[last + 1]:
        last += 1
    return float(seen.steps[last]) / 1.5, float(seen.steps[first]) * 1.5


# ---------------------------------------------------------------------- where the Jacobian disagrees


def _maps(report: Report) -> list[tuple[InputSummary, Array]]:
    """Per input (few: those with the fewest digits) the agreed digits of each entry, as a matrix."""
    reference = [leg for leg in report.legs if leg.values is not None and leg.name in INDEPENDENT]
    claims = [leg for leg in report.legs if leg.values is not None and leg.name not in INDEPENDENT]
    if not reference or not claims:
        return []
    maps = []
    for position, summary in enumerate(report.inputs):
        digits = _digits(reference, claims, position)
        numeric = reference[0]
        if report.verdict == "kink" and numeric.errors is not None and digits.size:
            # Bars as wide as the derivative is anywhere: the slopes to both sides differ.
            bars = np.reshape(np.asarray(numeric.errors[position], float), digits.shape)
            assert numeric.values is not None
            digits = np.where(bars > 1e-3 * np.nanmax(np.abs(numeric.values[position])), np.nan, digits)
        if digits.size > 1:
            maps.append((summary, _as_matrix(digits, summary)))
    chosen = sorted(maps, key=lambda one: one[0].digits)[:MAPS]
    return [one for one in maps if any(one[0] is other for other, _ in chosen)]


def _digits(reference: list[Leg], claims: list[Leg], position: int) -> Array:
    """Decimal digits to which what is checked agrees with the independent leg of the smallest error bar."""
    def values_of(leg: Leg) -> Array:
        assert leg.values is not None
        return np.asarray(leg.values[position], float)

    value, error = values_of(reference[0]), np.full(np.shape(values_of(reference[0])), np.inf)
    for leg in reference:
        found = values_of(leg)
        bar = np.asarray(leg.errors[position], float) if leg.errors is not None else 1e-15 * np.abs(found)
        found, bar = np.reshape(found, value.shape), np.reshape(bar, value.shape)
        better = np.isfinite(found) & (bar < error)
        value, error = np.where(better, found, value), np.where(better, bar, error)
    digits = np.full(value.shape, 16.0)
    finite = np.abs(value[np.isfinite(value)])
    for leg in claims:
        claimed = np.reshape(values_of(leg), value.shape)
        with np.errstate(all="ignore"):
            # Entries that vanish beside the others would always show few.
            size = np.maximum(np.maximum(np.abs(claimed), np.abs(value)), 1e-6 * np.max(finite, initial=0.0))
            off = np.abs(claimed - value)
            agreed = np.clip(np.nan_to_num(-np.log10(np.maximum(off, error) / size)), 0.0, 16.0)
        agreed = np.where((off == 0) & (error == 0), 16.0, agreed)
        # Bars as wide as the value, as at a kink, say nothing.
        digits = np.minimum(digits, np.where((error > 0.5 * size) & (off <= error), np.nan, agreed))
    return digits


def _as_matrix(digits: Array, summary: InputSummary) -> Array:
    """Outputs by inputs; for a single output the input itself, its last axis across."""
    rows = digits.reshape(-1, _width(summary))
    if len(rows) == 1 and len(summary.shape) > 1:
        return rows.reshape(-1, rows.shape[1] // int(np.prod(summary.shape[:-1])))
    return rows


def _width(summary: InputSummary) -> int:
    """How many real numbers the input holds."""
    return int(np.prod(summary.shape)) * (2 if summary.dtype.startswith("complex") else 1)


def _draw_map(axis: Any, summary: InputSummary, digits: Array, mark: bool) -> Any:
    narrow = max(digits.shape) > 3 * min(digits.shape)
    image = axis.imshow(digits, cmap="RdYlBu", vmin=0, vmax=16, aspect="auto" if narrow else "equal",
                        interpolation="nearest")
    axis.set_facecolor("#b9bdc4")
    single = digits.size == _width(summary)
    matrix = single and len(summary.shape) > 1
    axis.set_title(f"{'∂output' if single else '∂outputs'}/∂{summary.name} {place(summary.shape)}".strip(), fontsize=10)
    axis.set_xlabel("last axis of the input" if matrix else "element of the input")
    axis.set_ylabel("leading axes" if matrix else "" if single else "element of the output")
    for direction, length in ((axis.xaxis, digits.shape[1]), (axis.yaxis, digits.shape[0])):
        if length <= 8:
            direction.set_ticks(range(length) if length > 1 else [])
        else:
            direction.get_major_locator().set_params(integer=True)
    if mark and summary.worst is not None and summary.flat is not None:
        step = _width(summary) // max(int(np.prod(summary.shape)), 1)
        column = step * int(np.ravel_multi_index(summary.worst[1], summary.shape)) if summary.shape else 0
        row, column = divmod((0 if single else summary.flat[0]) * _width(summary) + column, digits.shape[1])
        axis.plot(column, row, "s", markersize=12, markerfacecolor="none", markeredgecolor="black", markeredgewidth=1.6)
    return image
