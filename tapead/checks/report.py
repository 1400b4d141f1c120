"""What a check found, as an object, as text and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .contract import Finding
from .culprit import Culprit

__all__ = ["GradcheckError", "InputSummary", "Leg", "Report"]

_MEANING = {
    "pass": "the derivative is right at this point",
    "fail": "the derivative is wrong",
    "kink": "the function has a kink here; the derivative is a valid subgradient",
    "inconclusive": "the error bars are too wide to decide",
}


@dataclass
class Leg:
    """One way to the derivative.

    Attributes
    ----------
    name : str
        ``"numeric"``, ``"symbolic"``, ``"forward AD"``, ...
    values : list of arrays, or None
        Per input an array of shape ``(outputs, input size)``; None where only projections were taken or it is
        unavailable.
    errors : list of arrays, or None
        The error bars, where the leg has them.
    unavailable : str
        Why there is none; empty if there is.
    formulas : list, or None
        Per input the symbolic expressions of its elements.
    """

    name: str
    values: list[Any] | None = None
    errors: list[Any] | None = None
    unavailable: str = ""
    formulas: list[Any] | None = None


@dataclass
class InputSummary:
    """How well the derivative in one input is confirmed, and its worst entry.

    Attributes
    ----------
    name : str
        What the report calls the input.
    shape : tuple of int
    dtype : str
    digits : float
        Decimal digits to which all legs agree in the worst entry that is not negligible.
    worst : tuple or None
        ``(output index, input index)`` of the entry that deviates most, measured by its tolerance.
    found, expected, bar : float
        That entry of the derivative checked, of the reference, and the error bar of the latter.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    digits: float = 0.0
    worst: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    found: float = 0.0
    expected: float = 0.0
    bar: float = 0.0


@dataclass
class Report:
    """The outcome of :func:`tapead.gradcheck`: true when the derivative is right (or a valid subgradient).

    Attributes
    ----------
    verdict : str
        ``"pass"``, ``"fail"``, ``"kink"`` or ``"inconclusive"``.
    order : int
        Of the derivative: 1, or 2 for the part about second derivatives.
    legs : list of Leg
        The ways that were compared.
    inputs : list of InputSummary
        Agreement per input.
    contract : list of Finding
        Exact properties, each with whether it holds.
    odd_one_out : str or None
        The leg (or legs) that the others outvote.
    culprit : Culprit or None
        On failure of tapead's own derivative: the first primitive whose rule is wrong.
    detection : str or None
        For large problems: how likely a wrong entry is to be seen.
    notes : list of str
        What else is to be known.
    second : Report or None
        The check of second derivatives, with ``order=2``.
    """

    verdict: str = "pass"
    order: int = 1
    legs: list[Leg] = field(default_factory=list)
    inputs: list[InputSummary] = field(default_factory=list)
    contract: list[Finding] = field(default_factory=list)
    odd_one_out: str | None = None
    culprit: Culprit | None = None
    detection: str | None = None
    notes: list[str] = field(default_factory=list)
    second: Report | None = None

    def __bool__(self) -> bool:
        return self.verdict in ("pass", "kink")

    @property
    def digits(self) -> float:
        """The fewest digits to which any input is confirmed."""
        return min((summary.digits for summary in self.inputs), default=0.0)

    @property
    def worst(self) -> InputSummary | None:
        """The input with the fewest digits."""
        return min(self.inputs, key=lambda summary: summary.digits, default=None)

    def leg(self, name: str) -> Leg | None:
        """The leg of that name, or None."""
        return next((leg for leg in self.legs if leg.name == name), None)

    def __str__(self) -> str:
        """The report as aligned text."""
        return "\n".join(_lines(self))

    def to_dict(self) -> dict[str, Any]:
        """The report as dicts, lists, numbers and text, ready for ``json.dumps``."""
        return {
            "verdict": self.verdict, "order": self.order, "digits": _number(self.digits),
            "inputs": [{"name": s.name, "shape": list(s.shape), "dtype": s.dtype, "digits": _number(s.digits),
                        "worst": None if s.worst is None else {"output": list(s.worst[0]), "input": list(s.worst[1]),
                                                               "found": _number(s.found),
                                                               "expected": _number(s.expected), "bar": _number(s.bar)}}
                       for s in self.inputs],
            "legs": [{"name": leg.name, "unavailable": leg.unavailable or None,
                      "values": _nested(leg.values), "errors": _nested(leg.errors),
                      "formulas": leg.formulas and [[str(formula) for formula in part] for part in leg.formulas]}
                     for leg in self.legs],
            "contract": [{"name": f.name, "holds": f.holds, "detail": f.detail} for f in self.contract],
            "odd_one_out": self.odd_one_out, "detection": self.detection, "notes": self.notes,
            "culprit": None if self.culprit is None else vars(self.culprit),
            "second": None if self.second is None else self.second.to_dict(),
        }


class GradcheckError(AssertionError):
    """A derivative is wrong; :attr:`report` says how."""

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report


def place(index: Sequence[int]) -> str:
    """An index as text, ``[0, 2]``; nothing for a number."""
    return f"[{', '.join(map(str, index))}]" if len(index) else ""


def entry_name(summary: InputSummary) -> str:
    """The worst entry of an input, as in ``∂output[1]/∂x[0, 2]``."""
    assert summary.worst is not None
    return f"∂output{place(summary.worst[0])}/∂{summary.name}{place(summary.worst[1])}"


def _lines(report: Report) -> list[str]:
    title = "gradcheck" if report.order == 1 else "second derivatives"
    lines = [f"{title}: {report.verdict.upper()}: {_MEANING[report.verdict]}"]
    width = max((len(f"{s.name} {place(s.shape)}") for s in report.inputs), default=0)
    for summary in report.inputs:
        label = f"{summary.name} {place(summary.shape)}".strip()
        line = f"  {label:<{width}}  agrees to {summary.digits:4.1f} digits"
        if summary.worst is None and report.verdict == "kink":
            line = f"  {label:<{width}}  at a kink"
        if summary.worst is not None:
            line += (f"; worst {entry_name(summary)}: {summary.found:.12g}, expected {summary.expected:.12g} "
                     f"± {summary.bar:.1e}")
        lines.append(line)
    used = [leg.name for leg in report.legs if not leg.unavailable]
    if used:
        lines.append("  compared: " + ", ".join(used))
    lines += [f"  {leg.name} unavailable: {leg.unavailable}" for leg in report.legs if leg.unavailable]
    broken = [finding for finding in report.contract if not finding.holds]
    lines += [f"  broken: {finding.name}" + (f": {finding.detail}" if finding.detail else "") for finding in broken]
    if report.contract and not broken:
        lines.append(f"  contract: all {len(report.contract)} properties hold (linear, adjoint, shapes, dtypes, ...)")
    if report.odd_one_out:
        lines.append(f"  odd one out: {report.odd_one_out}")
    if report.culprit is not None:
        lines.append(f"  first wrong rule: {report.culprit}")
    if report.detection:
        lines.append(f"  {report.detection}")
    lines += [f"  note: {note}" for note in report.notes]
    if report.second is not None:
        lines += _lines(report.second)
    return lines


def _number(value: float) -> float | str:
    """JSON knows no infinities."""
    return float(value) if np.isfinite(value) else str(float(value))


def _nested(arrays: list[Any] | None) -> Any:
    if arrays is None:
        return None
    return [np.vectorize(_number, otypes=[object])(np.asarray(a, float)).tolist() if np.size(a) else [] for a in arrays]
