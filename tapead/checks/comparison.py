"""One derivative against differences, and whatever else can tell: entry by entry, or by projections."""

from __future__ import annotations

from typing import Any

import numpy as np

from .evidence import MANY_OUTPUTS, Settings
from .judging import BARS, ULPS, Reference, agreed_digits, odd_one_out, steep
from .kinks import offsets_of_ties, subgradient_fault
from .progress import doing
from .projections import check_by_projections
from .report import InputSummary, Leg
from .rounding import Rounding

__all__ = ["Comparison", "Settings"]

Array = np.ndarray[Any, Any]

#: Up to this many inputs every entry is compared, and up to this many entries; beyond, projections are.
MANY_INPUTS, MANY_ENTRIES = 200, 40_000


class Comparison(Rounding):
    """One derivative against differences, and whatever else can tell."""

    def room(self, slope: Array, error: Array, rounding: Array) -> Array:
        """How far a directional derivative may be off."""
        if self.settings.rtol is not None or self.settings.atol is not None:
            allowed: Array = error + (self.settings.atol or 0.0) + (self.settings.rtol or 0.0) * np.abs(slope)
            return allowed
        return BARS * error + rounding

    def run(self) -> None:
        """Fill in the report."""
        self.report.view = self.view
        try:
            if self.inputs > MANY_INPUTS or self.inputs * self.outputs > MANY_ENTRIES:
                check_by_projections(self)
            else:
                self._entry_by_entry()
        except KeyboardInterrupt:
            self.report.legs = [Leg(name, self._split(claimed)) for name, claimed in self.claims.items()]
            if self.numeric is not None:
                self.report.legs.insert(0, Leg("numeric", self._split(self.numeric[0]), self._split(self.numeric[1])))
            raise

    # ------------------------------------------------------------------ small problems

    def _entry_by_entry(self) -> None:
        claims = self.claims = self._claims()
        doing("numeric")
        if not claims:
            self._nothing_to_compare(claims)
            return
        reference = Reference(self.view, range(self.inputs), self.settings.wants("numeric"))
        numeric = self.numeric = reference.value.copy(), reference.error.copy()
        if self.coarse and np.any(reference.error):
            # Somebody's derivative in single precision is as good as that precision in the largest entry.
            reference.error += 32 * self.coarse / BARS * reference.row_sizes()
        formulas = self.symbolic = self._ask_sympy(reference)
        for claimed in claims.values():
            self._sharpen(reference, claimed)
        if not self.settings.wants("numeric") and not np.any(np.isfinite(reference.error)):
            if len(claims) < 2:
                self._nothing_to_compare(claims)
                return
            reference.take(next(iter(claims.values())))
            self.report.notes.append(f"{' and '.join(claims)} were held against each other alone: they follow the same "
                                     "rules, and nothing was asked for that does not")
        self._hear_out(reference, claims)
        self._spread_kinks(reference, claims)
        self._note_jumps(reference, claims)
        verdict = "pass"
        worst: tuple[float, str, tuple[int, int]] = (-1.0, "", (0, 0))
        states = {}
        for name, claimed in claims.items():
            tolerance = reference.tolerance(claimed, self.settings.rtol, self.settings.atol)
            bad: Array = self._excused(name, reference, claimed, reference.bad(claimed, tolerance), tolerance)
            frozen = bad & reference.frozen(claimed)
            bad = bad & ~frozen
            undecided = np.asarray(reference.undecided(claimed, tolerance) & ~bad) | frozen
            for row, column in zip(*np.nonzero(~np.isfinite(claimed) | ~np.isfinite(reference.error)), strict=True):
                entry = claimed[row, column]
                if np.isinf(entry) and (steep(self.view, int(column), float(np.sign(entry)))
                                        or self._overflows(int(row), int(column), float(entry))):
                    bad[row, column] = undecided[row, column] = False
                elif np.isnan(entry) and not reference.kink[row, column]:
                    bad[row, column], undecided[row, column] = True, False
            verdict = "fail" if np.any(bad) else "inconclusive" if np.any(undecided) and verdict == "pass" else verdict
            with np.errstate(all="ignore"):
                ratio = np.abs(claimed - reference.value) / np.maximum(tolerance, 1e-300)
            ratio = np.where(bad, np.nan_to_num(ratio, nan=np.inf, posinf=1e300) + 1e3, np.nan_to_num(ratio))
            ratio = np.where(reference.kink, -1.0, ratio)
            place = np.unravel_index(int(np.argmax(ratio)), ratio.shape) if ratio.size else (0, 0)
            if ratio.size and ratio[place] > worst[0]:
                worst = (float(ratio[place]), name, (int(place[0]), int(place[1])))
            states[name] = ratio
        self._check_rows(reference)
        if self.report.verdict == "fail":
            verdict = "fail"
        if np.any(reference.kink):
            verdict = self._judge_kink(reference, claims, verdict)
        self.report.verdict = verdict
        if verdict in ("pass", "inconclusive"):
            self._warn(reference, claims)
        self._legs(claims, numeric if self.settings.wants("numeric") else None, formulas)
        self._summaries(claims, reference, states)
        if verdict == "fail" and worst[1] and claims:
            self._vote(claims, numeric, formulas, worst[2])

    def _nothing_to_compare(self, claims: dict[str, Array]) -> None:
        """Without a derivative, or without anything to hold it against, there is only the contract."""
        only_contract = self.settings.legs == {"contract"}
        self.report.verdict = "pass" if only_contract else "inconclusive"
        self.report.notes.append("nothing was asked for but exact properties" if only_contract else
                                 "nothing was asked for that the derivative could be held against" if claims else
                                 "no automatic derivative was asked for, or there is none")
        self._legs(claims, None, None)

    def _check_rows(self, reference: Reference) -> None:
        """With many outputs the reverse sweep is compared along random cotangents."""
        if not self.has_pull or self.outputs <= MANY_OUTPUTS or self.subject.reverse_name == "jac":
            return
        usable = np.asarray(np.isfinite(reference.error).all(axis=1) & ~reference.kink.any(axis=1))
        for _ in range(6):
            weights = self.generator.choice([-1.0, 1.0], self.outputs) * usable
            pulled = self.subject.pull(weights)
            safe = np.where(usable[:, None], reference.value, 0.0)
            bar = np.where(usable[:, None], reference.error, 0.0).sum(axis=0)
            room = BARS * bar + ULPS * reference.unit * (np.abs(safe).sum(axis=0) + np.abs(pulled))
            off = ~(np.abs(pulled - weights @ safe) <= room)
            if np.any(off):
                place = int(np.flatnonzero(off)[0])
                self.report.verdict = "fail"
                self.report.notes.append(f"{self.subject.reverse_name} is wrong along a random cotangent: flat input "
                                         f"{place} gets {pulled[place]:.10g}, expected {(weights @ safe)[place]:.10g}")
                return

    def _spread_kinks(self, reference: Reference, claims: dict[str, Array]) -> None:
        """Where inputs are tied, slopes nearby may be others than those to both sides: a kink as well."""
        columns = np.flatnonzero(np.any(reference.kink, axis=0))
        bad = np.any([reference.bad(claimed, reference.tolerance(claimed, None, None)) for claimed in claims.values()]
                     or [np.zeros_like(reference.kink)], axis=0)
        if len(columns) < 2 or not np.any(bad[:, columns]):
            return
        distance = 1e-2 if self.view.resolution > 1e-10 else 1e-5
        size = np.where(self.view.point == 0, 1.0, np.abs(self.view.point))
        slopes: dict[int, list[Array]] = {int(column): [] for column in columns if np.any(bad[:, column])}
        for offset in offsets_of_ties(len(columns), self.generator)[:24]:
            nearby = self.view.point.copy()
            nearby[columns] += distance * size[columns] * offset
            for column, found in slopes.items():
                step = np.eye(1, self.inputs, column)[0] * 1e-3 * distance * size[column]
                found.append((self.view(nearby + step) - self.view(nearby - step)) / (2 * step[column]))
        for column, found in slopes.items():
            low, high = np.min(found, axis=0), np.max(found, axis=0)
            differ = high - low > 1e-4 * np.maximum(np.abs(high), np.abs(low)) + 1e3 * distance * reference.unit
            reference.kink[:, column] |= bad[:, column] & differ

    def _note_jumps(self, reference: Reference, claims: dict[str, Array]) -> None:
        """Where the value at the point is that of no side, as of Q and R of the identity, differences say nothing."""
        bad = np.any([reference.bad(claimed, reference.tolerance(claimed, self.settings.rtol, self.settings.atol))
                      for claimed in claims.values()] or [np.zeros_like(reference.kink)], axis=0)
        jumps = []
        for column in map(int, np.flatnonzero(np.any(bad, axis=0))):
            size = abs(float(self.view.point[column])) or 1.0
            coarse, fine = (1e-3, 1e-4) if self.view.resolution > 1e-10 else (1e-9, 1e-12)
            far, near, behind = (np.abs(self.view(self.view.moved(column, step * size)) - self.view.here)
                                 for step in (coarse, fine, -fine))
            lasting = np.minimum(near, behind) > 0.5 * far
            if np.any(lasting & (near > 1e-3 * np.max(np.abs(self.view.here), initial=0.0))):
                reference.error[bad[:, column], column] = np.inf
                jumps.append(column)
        if jumps:
            self.report.notes.append(f"the function jumps: its value at the point is that of neither side along flat "
                                     f"input {', '.join(map(str, jumps[:6]))}")

    def _judge_kink(self, reference: Reference, claims: dict[str, Array], verdict: str) -> str:
        columns = [int(column) for column in np.flatnonzero(np.any(reference.kink, axis=0))]
        sizes = np.abs(self.view.point[columns])
        if np.any((sizes > 0) & (sizes < 1e-300)):
            self.report.notes.append("there is a kink where steps small enough to look around it are no numbers")
            return "fail" if verdict == "fail" else "inconclusive"
        for name, claimed in claims.items():
            fault = subgradient_fault(self.view, lambda v, matrix=claimed: matrix @ v, columns, self.generator)  # type: ignore[misc]  # the default binds
            if fault is not None:
                self.report.notes.append(f"{name} is no subgradient: {fault}")
                return "fail"
        where = ", ".join(map(str, columns[:6])) + (", ..." if len(columns) > 6 else "")
        self.report.notes.append(f"there is a kink along flat input{'s' if len(columns) > 1 else ''} {where}")
        return "kink" if verdict == "pass" else verdict

    # ------------------------------------------------------------------ what is reported

    def _legs(self, claims: dict[str, Array], numeric: tuple[Array, Array] | None, formulas: Any) -> None:
        legs = [] if numeric is None else [Leg("numeric", self._split(numeric[0]), self._split(numeric[1]))]
        shape = self.outputs, self.inputs
        for name in ("complex step", "mpmath"):
            if name in self.columns:
                value, error = np.full(shape, np.nan), np.full(shape, np.inf)
                for column, (found, bar) in self.columns[name].items():
                    value[:, column], error[:, column] = found, bar
                legs.append(Leg(name, self._split(value), self._split(error)))
            elif name in self.unavailable and name == "mpmath":
                legs.append(Leg(name, unavailable=self.unavailable[name]))
        if formulas is not None:
            legs.append(Leg("symbolic", self._split(formulas[1][None, :]), formulas=list(formulas[0].formulas)))
        elif "symbolic" in self.unavailable:
            legs.append(Leg("symbolic", unavailable=self.unavailable["symbolic"]))
        legs += [Leg(name, self._split(claimed)) for name, claimed in claims.items()]
        legs += [Leg(name, unavailable=reason) for name, reason in self.unavailable.items()
                 if name not in ("complex step", "mpmath", "symbolic")]
        self.report.legs = legs

    def _split(self, matrix: Array) -> list[Array]:
        """A matrix of all inputs as one array per input, ``output.shape + input.shape`` where all is real."""
        parts = []
        for k, leaf in enumerate(self.view.leaves):
            part = matrix[:, self.view.offsets[k]:self.view.offsets[k + 1]]
            plain = len(self.view.outputs) == 1 and leaf.dtype.kind != "c" and self.view.outputs[0].dtype.kind != "c"
            parts.append(part.reshape(self.view.outputs[0].shape + leaf.shape) if plain else part)
        return parts

    def _summaries(self, claims: dict[str, Array], reference: Reference, states: dict[str, Array]) -> None:
        if not claims:
            return
        digits = np.full(reference.value.shape, np.inf)
        usable = ~reference.kink
        for claimed in claims.values():
            digits = np.minimum(digits, agreed_digits(claimed, reference.value, reference.error, usable))
        for k, (label, leaf) in enumerate(zip(self.settings.labels, self.subject.inputs, strict=True)):
            summary = InputSummary(label, leaf.shape, str(leaf.dtype))
            start, stop = self.view.offsets[k], self.view.offsets[k + 1]
            part = digits[:, start:stop]
            if part.size:
                least = float(np.min(part))
                kinked = bool(np.any(reference.kink[:, start:stop]))
                summary.digits = least if np.isfinite(least) else (0.0 if kinked else 16.0)
                name = max(states, key=lambda leg: float(np.max(states[leg][:, start:stop])))
                ratio = states[name][:, start:stop]
                row, column = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
                flat = start + int(column)
                if ratio[row, column] >= 0:
                    summary.flat = int(row), flat
                    summary.worst = self.output_index(int(row)), self.input_index(flat)[1]
                    summary.found = float(claims[name][row, flat])
                    summary.expected, summary.bar = float(reference.value[row, flat]), float(reference.error[row, flat])
            self.report.inputs.append(summary)

    def input_index(self, flat: int) -> tuple[int, tuple[int, ...]]:
        """The number of the input and the index in it of a flat coordinate."""
        k = int(np.searchsorted(self.view.offsets, flat, side="right")) - 1
        return k, _index(self.view.leaves[k], flat - int(self.view.offsets[k]))

    def output_index(self, flat: int) -> tuple[int, ...]:
        """The index in the output of a flat coordinate, behind the number of the output where there are several."""
        for k, output in enumerate(self.view.outputs):
            size = output.size * (2 if output.dtype.kind == "c" else 1)
            if flat < size:
                index = _index(output, flat)
                return index if len(self.view.outputs) == 1 else (k, *index)
            flat -= size
        raise AssertionError("no such output")

    def _vote(self, claims: dict[str, Array], numeric: tuple[Array, Array], formulas: Any, entry: tuple[int, int]
              ) -> None:
        row, column = entry
        said = {}
        if self.settings.wants("numeric"):
            said["numeric"] = float(numeric[0][entry]), float(numeric[1][entry])
        for name, columns in self.columns.items():
            if column in columns:
                said[name] = float(columns[column][0][row]), float(columns[column][1][row])
        if formulas is not None:
            value = float(formulas[1][column])
            said["symbolic"] = value, 1e-15 * abs(value)
        for name, claimed in claims.items():
            value = float(claimed[entry])
            said[name] = value, ULPS / BARS * self.view.resolution * abs(value)
        self.report.odd_one_out = odd_one_out(said, list(claims))


def _index(array: Array, flat: int) -> tuple[int, ...]:
    flat //= 2 if array.dtype.kind == "c" else 1
    return tuple(int(part) for part in np.unravel_index(flat, array.shape)) if array.shape else ()
