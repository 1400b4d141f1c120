"""What a check found, as an object, as text and as plain data."""

from __future__ import annotations

import html
import shutil
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..numeric.realview import RealView
from .contract import Finding
from .culprit import Culprit
from .text import in_colour, render

__all__ = ["GradcheckError", "GradcheckInterrupted", "InputSummary", "Leg", "Report"]

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
    flat : tuple of int or None
        Its row and column in the Jacobian of all outputs in all inputs.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    digits: float = 0.0
    worst: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    found: float = 0.0
    expected: float = 0.0
    bar: float = 0.0
    flat: tuple[int, int] | None = None


@dataclass(repr=False)
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
    warnings : list of str
        Digits that the function loses to rounding, and the line that loses them.
    notes : list of str
        What else is to be known.
    elsewhere : Report or None
        Of another point, where the derivative is wrong; right as it is at the point given.
    second : Report or None
        The check of second derivatives, with ``order=2``.
    interrupted : str
        Where Ctrl-C stopped the check, and what was finished by then; empty if it was not.
    view : RealView or None
        The function, for :meth:`plot`; it is not copied or pickled.
    """

    verdict: str = "pass"
    order: int = 1
    legs: list[Leg] = field(default_factory=list)
    inputs: list[InputSummary] = field(default_factory=list)
    contract: list[Finding] = field(default_factory=list)
    odd_one_out: str | None = None
    culprit: Culprit | None = None
    detection: str | None = None
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    elsewhere: Report | None = None
    second: Report | None = None
    interrupted: str = ""
    view: RealView | None = field(default=None, compare=False)

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
        return render(self)

    def __repr__(self) -> str:
        return f"<Report: {self.verdict}, {self.digits:.1f} digits>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "view": None}

    def show(self, file: Any = None) -> None:
        """Print the report: in colour and wrapped to its width on a terminal, as plain text elsewhere.

        Parameters
        ----------
        file : text stream, optional
            Standard output by default. The variable NO_COLOR in the environment keeps colours away.

        Examples
        --------
        >>> import numpy as np
        >>> import tapead as ta
        >>> report = ta.gradcheck(np.sin, 1.0, jac=lambda x: 2 * np.cos(x), raise_exception=False)
        >>> report.show()  # doctest: +ELLIPSIS
        gradcheck: FAIL: the derivative is wrong
        ...
        """
        stream = sys.stdout if file is None else file
        colour = in_colour(stream)
        width = shutil.get_terminal_size().columns if colour else None
        print(render(self, colour, width), file=stream)

    def plot(self) -> Any:
        """Draw what was found: the error against the step size for the worst entry, and where the Jacobian disagrees.

        Returns
        -------
        matplotlib.figure.Figure
            Show it in a notebook, or ``savefig`` it.

        Raises
        ------
        ImportError
            If matplotlib is not installed: ``pip install "tapead[plot]"``.
        ValueError
            If there is nothing to draw.

        Examples
        --------
        >>> report.plot().savefig("check.png")  # doctest: +SKIP
        """
        from .plots import plot

        return plot(self)

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
            "odd_one_out": self.odd_one_out, "detection": self.detection,
            "warnings": self.warnings, "notes": self.notes,
            "interrupted": self.interrupted or None,
            "culprit": None if self.culprit is None else vars(self.culprit),
            "elsewhere": None if self.elsewhere is None else self.elsewhere.to_dict(),
            "second": None if self.second is None else self.second.to_dict(),
        }


class GradcheckError(AssertionError):
    """A derivative is wrong; :attr:`report` says how."""

    def __init__(self, report: Report, reproduction: str = "") -> None:
        super().__init__(f"{reproduction}\n\n{report}" if reproduction else str(report))
        self.report = report


class GradcheckInterrupted(KeyboardInterrupt):
    """A check was interrupted by Ctrl-C; :attr:`report` says what was known by then, and is never a pass."""

    def __init__(self, report: Report, progress: Any) -> None:
        if report.verdict != "fail":
            report.verdict = "inconclusive"
        done = [stage for stage in progress.finished if stage != progress.what]
        report.interrupted = f"{progress}; finished: {', '.join(done) or 'nothing'}"
        super().__init__(str(report))
        self.report = report


def _number(value: float) -> float | str:
    """JSON knows no infinities."""
    return float(value) if np.isfinite(value) else str(float(value))


def _nested(arrays: list[Any] | None) -> Any:
    if arrays is None:
        return None
    return [np.vectorize(_number, otypes=[object])(np.asarray(a, float)).tolist() if np.size(a) else [] for a in arrays]
