"""What ``tapead check`` prints: every leg's value for every number to differentiate in, and the verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .report import InputSummary, Report
from .text import entry_name, paint, place, render

__all__ = ["brief", "described"]

#: Up to this many elements each has its own lines.
MANY = 12
#: Longer lines are wrapped where words allow it.
WIDTH = 100


def described(report: Report, title: str, function: Callable[..., Any], args: tuple[Any, ...],
              colour: bool) -> list[str]:
    """The lines for a report about ``f = title`` at `args`."""
    value = function(*[np.array(x)[()] for x in args])
    names = [summary.name for summary in report.inputs]
    point = ", ".join(f"{name} = {brief(x)}" for name, x in zip(names, args, strict=False))
    lines = [f"f = {title}" + (f"   at {point}" if point else ""), f"  = {brief(np.asarray(value))}", ""]
    scalar = np.size(value) == 1
    for position, summary in enumerate(sorted(report.inputs, key=lambda s: names.index(s.name))):
        size = int(np.prod(summary.shape))
        if scalar and size <= MANY:
            for element in range(size):
                lines += _entry(report, summary, position, element)
        else:
            lines += _worst(summary)
    lines.append(render(report, colour, WIDTH) if report.verdict != "pass" else _verdict(report, colour))
    return lines


def _entry(report: Report, summary: InputSummary, position: int, element: int) -> list[str]:
    """The lines for one derivative: every leg's value, the error bar, the formula."""
    index = tuple(int(part) for part in np.unravel_index(element, summary.shape)) if summary.shape else ()
    lines = [f"∂f/∂{summary.name}{place(index)}"]
    infinite = False
    for leg in report.legs:
        if leg.unavailable:
            if leg.name == "symbolic":
                lines.append(f"  {leg.name:<12} unavailable: {leg.unavailable}")
            continue
        if leg.values is None:
            continue
        value = float(np.ravel(leg.values[position])[element])
        if np.isnan(value):
            continue
        infinite = infinite or bool(np.isinf(value))
        line = f"  {leg.name:<12} {value:<+24.16g}"
        if leg.errors is not None:
            line += f" ± {float(np.ravel(leg.errors[position])[element]):.1e}"
        if leg.formulas is not None:
            formula = str(leg.formulas[position][element])
            line += f" {formula}" if len(formula) <= 60 else f"\n  {'':<12} {formula}"
        lines.append(line.rstrip())
    digits = _digits(report, position, element)
    at_kink = report.verdict == "kink" and digits < 1
    if at_kink:
        return [*lines, "  at a kink", ""]
    if infinite:
        return [*lines, "  infinite: the difference quotients grow without bound", ""]
    return [*lines, f"  {'agree to':<12} {digits:.1f} digits", ""]


def _digits(report: Report, position: int, element: int) -> float:
    """The digits to which all legs agree on one entry, their error bars counted."""
    values, errors = [], [0.0]
    for leg in report.legs:
        if leg.values is None:
            continue
        value = float(np.ravel(leg.values[position])[element])
        if np.isfinite(value):
            values.append(value)
        if leg.errors is not None and leg.name == "numeric":
            errors.append(float(np.ravel(leg.errors[position])[element]))
    off, size = max(max(values) - min(values), *errors), max(map(abs, values))
    return 16.0 if off == 0 else float(np.clip(-np.log10(off / size), 0, 16)) if size > 0 else 0.0


def _worst(summary: InputSummary) -> list[str]:
    lines = [f"∂f/∂{summary.name}   shape {place(summary.shape) or 'number'}, agrees to {summary.digits:.1f} digits"]
    if summary.worst is not None:
        lines += [f"  worst entry  {entry_name(summary)}", f"  found        {summary.found:<+24.16g}",
                  f"  expected     {summary.expected:<+24.16g} ± {summary.bar:.1e}"]
    return [*lines, ""]


def _verdict(report: Report, colour: bool) -> str:
    lines = [f"verdict: {paint('PASS', 'pass', colour)}: all legs agree, to at least {report.digits:.1f} digits"]
    lines += [f"warning: {warning}" for warning in report.warnings]
    if report.detection:
        lines.append(report.detection)
    if report.second is not None:
        lines.append(f"second derivatives: {report.second.verdict.upper()}, "
                     f"to at least {report.second.digits:.1f} digits")
    return "\n".join(lines)


def brief(value: Any) -> str:
    """A number, or a short array, on one line; of others the shape."""
    array = np.asarray(value)
    if array.shape == ():
        return f"{array.item():.10g}"
    text = np.array2string(array, precision=5, separator=", ", threshold=8, edgeitems=2).replace("\n", " ")
    return " ".join(text.split()) if len(text) <= 60 else f"array{list(array.shape)}"
