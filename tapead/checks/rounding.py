"""Is it the rule that is wrong, or is it rounding? The same derivative in longer arithmetic decides."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..checkpoint import without_checkpoints
from ..containers import flatten, map_structure
from ..numeric.roughness import trends
from ..recordings import Recording
from .accuracy import losses, relative_errors
from .evidence import Evidence
from .judging import BARS, ULPS, UNDERFLOW, Reference
from .legs import promoted, to_leaves
from .report import Report

__all__ = ["Rounding"]

Array = np.ndarray[Any, Any]

#: Up to how many elements on the tape each operation is held against itself in mpmath.
WARNED_OPERATIONS = 2000


class Rounding(Evidence):
    """One derivative at a point, and which of its errors are those of rounding."""

    def _excused(self, name: str, reference: Reference, claimed: Array, bad: Array, tolerance: Array) -> Array:
        """The bad entries less those that are only rounding: the same derivative in longer arithmetic decides."""
        if not np.any(bad) or self.settings.rtol is not None or self.settings.atol is not None:
            return bad
        # Where the derivative vanishes, rounding of what cancels is left: as small as that of the values.
        residue = ULPS * reference.unit * reference.outputs / reference.size
        # So is it beside the derivatives of the other outputs, as in the imaginary parts of a Fourier transform.
        beside = np.max(np.abs(np.where(np.isfinite(reference.error), reference.value, 0.0)), axis=0, initial=0.0)
        residue = np.maximum(residue, 8 * reference.unit * beside)
        bad = bad & ~((np.abs(reference.value) <= 1e-3 * np.abs(claimed)) & (np.abs(claimed) <= residue))
        if not np.any(bad):
            return bad
        excused = np.zeros_like(bad)
        if self.own:
            excused = self._by_same_rules(name, reference, claimed, bad, tolerance)
        else:
            bad = self._finished(reference, claimed, bad)
        remaining = bad & ~excused
        if np.any(remaining):
            spread = self._sensitivity(name, claimed)
            with np.errstate(invalid="ignore"):
                off = np.abs(claimed - reference.value)
                excused |= remaining & (off <= tolerance + 8 * spread) & (off <= 1e-3 * np.maximum(
                    np.abs(claimed), 1e-3 * reference.row_sizes()))
        excused &= np.isfinite(claimed)  # what is infinite has no digits to lose
        if np.any(excused):
            self.report.notes.append(f"{name} loses digits to rounding in {int(np.sum(excused))} entries; its formula "
                                     "is right")
        left: Array = bad & ~excused
        return left

    def _finished(self, reference: Reference, claimed: Array, bad: Array) -> Array:
        """The bad entries less those that follow the trend of a function whose values are approximations."""
        bad = bad.copy()
        off = np.abs(claimed - reference.value)
        close = off <= 1e-3 * np.maximum(np.abs(claimed), np.abs(reference.value))
        for column in map(int, np.flatnonzero(np.any(bad & close, axis=0))):
            within = np.zeros(self.outputs, bool)
            for slope, bar, bias in trends(self.view, column):
                follows = (np.abs(claimed[:, column] - slope) <= bar) & (bar < off[:, column] / 3)
                within |= bad[:, column] & close[:, column] & (follows | (off[:, column] <= bias))
            if np.any(within):
                bad[within, column] = False
                reference.error[within, column] = np.maximum(reference.error[within, column], off[within, column])
                note = "the function's values are approximations, as of an iteration; its slopes have fewer digits"
                if note not in self.report.notes:
                    self.report.notes.append(note)
        return bad

    def _by_same_rules(self, name: str, reference: Reference, claimed: Array, bad: Array, tolerance: Array) -> Array:
        """Entries that the same rules get right at higher precision, if it is rounding that separates the two."""
        with np.errstate(invalid="ignore", over="ignore"):
            off = np.abs(claimed - reference.value)
            longer = self._in_long_doubles(claimed, np.flatnonzero(np.any(bad, axis=0)))
            shrinks = np.abs(longer - reference.value) <= np.maximum(tolerance, 0.01 * off)
            precise = self._in_mpmath(name, claimed, bad)
            if precise is None:  # then a loss of a few digits is all that is believed
                lost = np.abs(claimed - longer)
                return bad & (np.abs(longer - reference.value) <= tolerance) & (lost > 0.1 * off) & (  # type: ignore[no-any-return]  # an array of bool
                    lost <= 1e-3 * np.maximum(np.abs(longer), 1e-3 * reference.row_sizes()))
            # The digits of 50-digit numbers are lost in their turn where what they say is nothing beside the claim.
            room = 1e-10 * np.abs(precise) + UNDERFLOW + 1e-30 * np.abs(claimed)
            right = np.abs(precise - reference.value) <= BARS * reference.error + room
            for column in map(int, np.flatnonzero(np.any(bad & ~right, axis=0))):
                answer = self._replay(column)  # differences may be those of a function that is flat by rounding alone
                if answer is not None:
                    right[:, column] |= self._is_whole(column) & (
                        np.abs(precise[:, column] - answer[0]) <= room[:, column])
            lossy = off <= 100 * self._lost_on_the_way() * np.maximum(np.abs(claimed), np.abs(precise))
            if np.any(bad & right & ~shrinks & ~lossy):
                lossy |= off <= tolerance + 8 * self._sensitivity(name, claimed)
            return bad & right & (shrinks | lossy)  # type: ignore[no-any-return]  # the same

    def _in_long_doubles(self, claimed: Array, columns: Array) -> Array:
        """The derivative by the same rules in longer floating-point numbers; NaN where there are none."""
        exact = np.full(claimed.shape, np.nan)
        longer = promoted(self.args, longer=True)
        try:
            if longer is not None:
                subject = self.make(longer)
                for column in columns:
                    exact[:, column] = subject.push(np.eye(1, self.inputs, column)[0])
        except Exception:  # not everything knows long doubles
            pass
        return exact

    def _in_mpmath(self, name: str, claimed: Array, wanted: Array) -> Array | None:
        """The derivative by the same rules at 50 digits, in the entries wanted; None where that cannot be had."""
        if any(array.dtype.kind == "c" for array in (*self.view.leaves, *self.view.outputs)):
            return None
        exact = claimed.copy()
        try:
            push, pull = self._precisely().sweeps()
            if name == self.subject.forward_name:
                for column in map(int, np.flatnonzero(np.any(wanted, axis=0))):
                    unit = np.eye(1, self.inputs, column)[0]
                    exact[:, column] = _floats(push(to_leaves(unit, self.view.leaves)))
            else:
                for row in map(int, np.flatnonzero(np.any(wanted, axis=1))):
                    unit = np.eye(1, self.outputs, row)[0]
                    exact[row] = _floats(pull(to_leaves(unit, self.view.outputs)))
        except Exception:  # not every rule runs on these numbers
            return None
        return exact

    def _warn(self, reference: Reference, claims: dict[str, Array]) -> None:
        """Warn of digits that the function itself loses to cancellation."""
        if self.report.order == 2 or self.coarse or not claims or not self.settings.wants("mpmath"):
            return
        if self._operations() > WARNED_OPERATIONS or time.monotonic() > self.deadline:
            return
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(reference.value), 1e-3 * reference.row_sizes())
            known = ~reference.kink & np.isfinite(reference.value) & (reference.error <= 1e-12 * size) & (size > 0)
            worst = max(float(np.max((np.abs(claimed - reference.value) / size)[known & np.isfinite(claimed)],
                                     initial=0.0)) for claimed in claims.values())
            magnified = np.nansum(np.abs(reference.value * self.view.point), axis=1) / np.abs(self.view.here)
        try:
            self.report.warnings += losses(self._precisely(), float(np.max(np.nan_to_num(magnified, posinf=0.0),
                                                                           initial=0.0)), self.view.resolution, worst)
        except Exception:  # not everything can be replayed in mpmath; then there is nothing to tell
            return

    def _operations(self) -> float:
        """How many elements all results on the tape have together; infinite where there is no tape."""
        try:
            with without_checkpoints():
                order = Recording("gradcheck", self.function, self.args, {}, range(len(self.args))).order
        except Exception:  # a black box
            return np.inf
        return sum(1 if entry.output is None else np.size(entry.output) for entry in order)

    def _lost_on_the_way(self) -> float:
        """The largest relative error of any value on the tape."""
        return max((error for _, error in relative_errors(self._precisely())), default=0.0)

    def _sensitivity(self, name: str, claimed: Array) -> Array:
        """How far the derivative under test moves when the inputs change in their last digits."""
        spread = np.zeros_like(claimed)
        for _ in range(3):
            nudged = map_structure(lambda x: np.asarray(
                x * (1 + 2 * np.finfo(np.asarray(x).dtype).eps * self.generator.choice([-1, 1], np.shape(x)))
            ).astype(np.asarray(x).dtype)[()], self.args)
            check = type(self)(self.view, self.make(nudged), nudged, self.settings, Report(), self.make, self.function)
            check.subject.forward_name, check.subject.reverse_name = (self.subject.forward_name,
                                                                      self.subject.reverse_name)
            with np.errstate(invalid="ignore"):
                spread = np.fmax(spread, np.abs(check._claims()[name] - claimed))
        return spread if self.own else np.fmax(spread, self._roughness(name, claimed))

    def _roughness(self, name: str, claimed: Array) -> Array:
        """The height of the noise on somebody's derivative: second differences that do not grow with the step.

        Last digits of an input that is small beside 1 may not move the derivative at all, as in (exp(x) - 1) / x.
        """
        signs = map_structure(lambda x: self.generator.choice([-1.0, 1.0], np.shape(x)), self.args)
        leaves, rebuild = flatten(self.args)

        def moved(step: float) -> Array:
            points = rebuild([(x * (1 + step * sign)).astype(np.asarray(x).dtype)[()]
                              for x, sign in zip(leaves, flatten(signs)[0], strict=True)])
            check = type(self)(self.view, self.make(points), points, self.settings, Report(), self.make, self.function)
            return check._claims()[name]

        with np.errstate(all="ignore"):
            bends = [np.abs(moved(step) + moved(-step) - 2 * claimed) for step in (1e-12, 1e-10, 1e-8, 1e-6)]
            flat = [np.where((bend > 0) & (wider < 100 * bend), bend, 0.0)
                    for bend, wider in pairwise(bends)]
        rough: Array = np.max(np.nan_to_num(flat, nan=0.0, posinf=0.0), axis=0)
        return rough


def _floats(parts: Sequence[Any]) -> Array:
    return np.concatenate([np.ravel(np.vectorize(float, otypes=[float])(np.asarray(part, object))) for part in parts])
