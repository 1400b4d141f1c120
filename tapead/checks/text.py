"""A report as text: aligned, and in colour where a terminal shows it."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .report import InputSummary, Report

__all__ = ["entry_name", "in_colour", "paint", "place", "render"]

_MEANING = {
    "pass": "the derivative is right at this point",
    "fail": "the derivative is wrong",
    "kink": "the function has a kink here; the derivative is a valid subgradient",
    "inconclusive": "the error bars are too wide to decide",
}
_CODES = {"pass": "1;32", "fail": "1;31", "kink": "1;33", "inconclusive": "1;33", "warning": "33", "label": "2"}


def in_colour(stream: Any) -> bool:
    """Whether to write in colour: on terminals, unless NO_COLOR is set (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # no stream, or a closed one
        return False


def place(index: Sequence[int]) -> str:
    """An index as text, ``[0, 2]``; nothing for a number."""
    return f"[{', '.join(map(str, index))}]" if len(index) else ""


def entry_name(summary: InputSummary) -> str:
    """The worst entry of an input, as in ``∂output[1]/∂x[0, 2]``."""
    assert summary.worst is not None
    return f"∂output{place(summary.worst[0])}/∂{summary.name}{place(summary.worst[1])}"


def render(report: Report, colour: bool = False, width: int | None = None) -> str:
    """A report as lines, none longer than `width` where words can be wrapped."""
    return "\n".join(_lines(report, colour, width))


def paint(text: str, kind: str, colour: bool = True) -> str:
    """Text in the colour of a verdict, or of a "warning" or "label"; as it is without `colour`."""
    return f"\x1b[{_CODES[kind]}m{text}\x1b[0m" if colour and text else text


def _lines(report: Report, colour: bool, width: int | None) -> list[str]:
    title = "gradcheck" if report.order == 1 else "second derivatives"
    meaning = _MEANING[report.verdict]
    if report.interrupted:
        meaning = f"interrupted at: {report.interrupted}"
    elif report.elsewhere is not None:
        meaning = "the derivative is right at the point given and wrong at another"
    lines = [f"{title}: {paint(report.verdict.upper(), report.verdict, colour)}: {meaning}", *_table(report, colour)]
    rows = _rows(report)
    indent = max((len(label) for label, _, _ in rows), default=0) + 2
    for label, text, kind in rows:
        parts = textwrap.wrap(text, max(width - indent - 2, 30), break_long_words=False,
                              break_on_hyphens=False) if width else [text]
        head = paint(f"{label}:", "label", colour) + " " * (indent - len(label) - 1)
        lines += [f"  {head if number == 0 else ' ' * indent}{paint(part, kind, colour) if kind else part}"
                  for number, part in enumerate(parts)]
    if report.elsewhere is not None:
        lines += ["at another point:", *("  " + line for line in _lines(report.elsewhere, colour, width))]
    if report.second is not None:
        lines += _lines(report.second, colour, width)
    return lines


def _table(report: Report, colour: bool) -> list[str]:
    """One line an input: to how many digits it is confirmed, and its worst entry."""
    rows = []
    for summary in report.inputs:
        kink = summary.worst is None and report.verdict == "kink"
        worst, found, expected = "", "", ""
        if summary.worst is not None:
            worst, found = f"; worst {entry_name(summary)}:", f"{summary.found:.12g},"
            expected = f"expected {summary.expected:.12g} ± {summary.bar:.1e}"
        rows.append((f"{summary.name} {place(summary.shape)}".strip(),
                     "at a kink" if kink else f"agrees to {summary.digits:4.1f} digits" + worst, found, expected,
                     report.verdict if summary.digits < 1 and report.verdict == "fail" else ""))
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = []
    for name, digits, found, expected, kind in rows:
        line = f"  {name:<{widths[0]}}  {digits:<{widths[1]}} {found:<{widths[2]}} {expected}".rstrip()
        lines.append(paint(line, kind, colour) if kind else line)
    return lines


def _rows(report: Report) -> list[tuple[str, str, str]]:
    """(label, text, kind of colour)"""
    rows = []
    used = [leg.name for leg in report.legs if not leg.unavailable]
    if used:
        rows.append(("compared", ", ".join(used), ""))
    rows += [("unavailable", f"{leg.name}: {leg.unavailable}", "") for leg in report.legs if leg.unavailable]
    broken = [finding for finding in report.contract if not finding.holds]
    rows += [("broken", finding.name + (f": {finding.detail}" if finding.detail else ""), "fail")
             for finding in broken]
    if report.contract and not broken:
        rows.append(("contract", f"all {len(report.contract)} properties hold (linear, adjoint, shapes, dtypes, ...)",
                     ""))
    if report.odd_one_out:
        rows.append(("odd one out", report.odd_one_out, "fail"))
    if report.culprit is not None:
        rows.append(("first wrong rule", str(report.culprit), "fail"))
    if report.detection:
        rows.append(("detection", report.detection, ""))
    rows += [("warning", warning, "warning") for warning in report.warnings]
    rows += [("note", note, "") for note in report.notes]
    return rows
