"""One derivative against differences, and whatever else can tell: entry by entry, or by projections."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..containers import flatten, map_structure
from ..numeric.realview import RealView, to_real
from ..tape import Leaf
from ..transforms import Recording
from .judging import BARS, ULPS, Reference, agreed_digits, odd_one_out, steep
from .kinks import subgradient_fault
from .legs import Own, promoted, to_leaves
from .projections import check_by_projections
from .report import InputSummary, Leg, Report

__all__ = ["Comparison", "Settings"]

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]

#: Up to this many inputs every entry is compared, and up to this many entries; beyond, projections are.
MANY_INPUTS, MANY_ENTRIES = 200, 40_000
#: Every row by a reverse sweep up to this many outputs.
MANY_OUTPUTS = 200
#: For how many columns the tape is replayed in mpmath at most, and for how many seconds.
REPLAYS, REPLAY_SECONDS = 60, 10.0
#: How large a problem may be for SymPy to be asked without being told to.
SYMBOLIC_INPUTS, SYMBOLIC_OPERATIONS, SYMBOLIC_SECONDS = 16, 64, 2.0
_UNTRACED = "the function cannot be traced"


@dataclass
class Settings:
    """What the caller asked for, and the one source of random numbers."""

    rtol: float | None
    atol: float | None
    symbolic: bool | None
    labels: list[str]
    generator: np.random.Generator


class Comparison:
    """One derivative against differences, and whatever else can tell."""

    def __init__(self, view: RealView, subject: Any, args: tuple[Any, ...], settings: Settings, report: Report,
                 make: Callable[[tuple[Any, ...]], Any], function: Function, coarse: float = 0.0) -> None:
        self.view, self.subject, self.args, self.settings, self.report = view, subject, args, settings, report
        self.make, self.function = make, function
        self.generator = settings.generator
        self.own = isinstance(subject, Own)
        self.has_push: bool = self.own or subject.has_push
        self.has_pull: bool = self.own or subject.has_pull
        self.coarse = coarse if coarse > 1e-10 else 0.0
        self.inputs, self.outputs = view.point.size, view.here.size
        self.columns: dict[str, dict[int, tuple[Array, Array]]] = {}
        self.unavailable: dict[str, str] = {}
        self.precise: Any = None
        self.symbolic: Any = None
        self.deadline = time.monotonic() + REPLAY_SECONDS

    def room(self, slope: Array, error: Array, rounding: Array) -> Array:
        """How far a directional derivative may be off."""
        if self.settings.rtol is not None or self.settings.atol is not None:
            allowed: Array = error + (self.settings.atol or 0.0) + (self.settings.rtol or 0.0) * np.abs(slope)
            return allowed
        return BARS * error + rounding

    def run(self) -> None:
        """Fill in the report."""
        if self.inputs > MANY_INPUTS or self.inputs * self.outputs > MANY_ENTRIES:
            check_by_projections(self)
        else:
            self._entry_by_entry()

    # ------------------------------------------------------------------ small problems

    def _entry_by_entry(self) -> None:
        claims = self._claims()
        reference = Reference(self.view, range(self.inputs))
        numeric = reference.value.copy(), reference.error.copy()
        if self.coarse and np.any(reference.error):
            # Somebody's derivative in single precision is as good as that precision in the largest entry.
            reference.error += 32 * self.coarse / BARS * reference.row_sizes()
        formulas = self.symbolic = self._ask_sympy(reference)
        for claimed in claims.values():
            self._sharpen(reference, claimed)
        verdict = "pass"
        worst: tuple[float, str, tuple[int, int]] = (-1.0, "", (0, 0))
        states = {}
        for name, claimed in claims.items():
            tolerance = reference.tolerance(claimed, self.settings.rtol, self.settings.atol)
            bad: Array = self._excused(name, reference, claimed, reference.bad(claimed, tolerance), tolerance)
            undecided = np.asarray(reference.undecided(claimed, tolerance) & ~bad)
            for row, column in zip(*np.nonzero(~np.isfinite(claimed) | ~np.isfinite(reference.error)), strict=True):
                entry = claimed[row, column]
                if np.isinf(entry) and steep(self.view, int(column), float(np.sign(entry))):
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
        self._legs(claims, numeric, formulas)
        self._summaries(claims, reference, states)
        if verdict == "fail" and worst[1] and claims:
            self._vote(claims, numeric, formulas, worst[2])

    def _claims(self) -> dict[str, Array]:
        """The derivative under test as matrices, one per way to it."""
        claims = {}
        eye = np.eye(self.inputs)
        if self.has_push:
            pushed = [self.subject.push(row) for row in eye]
            claims[self.subject.forward_name] = np.array(pushed).reshape(self.inputs, self.outputs).T
        if self.has_pull and self.outputs <= MANY_OUTPUTS and self.subject.reverse_name not in claims:
            pulled = [self.subject.pull(row) for row in np.eye(self.outputs)]
            claims[self.subject.reverse_name] = np.array(pulled).reshape(self.outputs, self.inputs)
        return claims

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

    def _sharpen(self, reference: Reference, claimed: Array) -> None:
        """Where the bars are too wide to decide (or decide against the derivative), ask legs that see further."""
        def certain_errors() -> Array:
            return reference.bad(claimed, reference.tolerance(claimed, self.settings.rtol, self.settings.atol))

        def doubtful() -> Array:
            return np.asarray(reference.wide(claimed) | certain_errors())

        negligible = reference.negligible(claimed)
        for column in map(int, np.flatnonzero(np.any(doubtful(), axis=0))[:REPLAYS]):
            for name, ask in (("symbolic", self._formula), ("complex step", self._complex_step),
                              ("mpmath", self._replay)):
                if column in self.columns.get(name, ()) or name in self.unavailable:
                    continue
                if name == "mpmath" and np.all(negligible[:, column] & ~certain_errors()[:, column]):
                    continue  # it is dear
                answer = ask(column)
                if answer is None:
                    continue
                self.columns.setdefault(name, {})[column] = answer
                reference.sharpen(column, *answer)
                if not np.any(doubtful()[:, column]):
                    break

    def _formula(self, column: int) -> tuple[Array, Array] | None:
        if self.symbolic is None:
            return None
        value = self.symbolic[1][column:column + 1]
        return value, 4 * np.finfo(float).eps * np.abs(value)

    def _complex_step(self, column: int) -> tuple[Array, Array] | None:
        answer = self.view.complex_step(column)
        if answer is None:
            self.unavailable["complex step"] = "the function is not known to be analytic"
        return answer

    def _replay(self, column: int) -> tuple[Array, Array] | None:
        """A column by differences of the tape replayed in mpmath: no rule takes part."""
        if time.monotonic() > self.deadline:
            return None
        try:
            if self.precise is None:
                from ..symbolic import precise_function

                self.precise = precise_function(self.function, self.args)
            unit = np.zeros(self.inputs)
            unit[column] = 1.0
            models = [np.asarray(leaf) for leaf in flatten(self.args)[0]]
            direction = flatten(self.args)[1](to_leaves(unit, models))
            result = self.precise.derivative(self.args, direction)
            parts = result if isinstance(result, list) else [result]
            value = to_real([np.vectorize(complex if like.dtype.kind == "c" else float, otypes=[
                complex if like.dtype.kind == "c" else float])(np.asarray(part, object))
                for part, like in zip(parts, self.view.outputs, strict=True)])
        except Exception as error:  # a leg that cannot be had says why, whatever the reason
            self.unavailable["mpmath"] = _first_line(error) if self.own else _UNTRACED
            return None
        # Differences at 50 digits: what is left of a derivative that vanishes is noise of theirs.
        noise = 1e-38 * np.abs(self.view.here) / (abs(float(self.view.point[column])) or 1.0)
        return value, 4 * np.finfo(float).eps * np.abs(value) + noise

    def _ask_sympy(self, reference: Reference) -> Any:
        """SymPy's gradient for a function of one output, or None with the reason noted."""
        wanted = self.settings.symbolic
        if wanted is False or self.report.order == 2:
            return None
        if len(self.view.outputs) != 1 or self.outputs != 1 or any(x.dtype.kind == "c" for x in self.view.leaves):
            self.unavailable["symbolic"] = "only for real functions that return one number"
            return None
        try:
            if wanted is None:
                if self.inputs > SYMBOLIC_INPUTS:
                    self.unavailable["symbolic"] = f"more than {SYMBOLIC_INPUTS} inputs (symbolic=True asks anyway)"
                    return None
                operations = sum(not isinstance(entry, Leaf) for entry in
                                 Recording("gradcheck", self.function, self.args, {}, range(len(self.args))).order)
                if operations > SYMBOLIC_OPERATIONS:
                    self.unavailable["symbolic"] = (f"more than {SYMBOLIC_OPERATIONS} operations (symbolic=True asks "
                                                    "anyway)")
                    return None
            from ..symbolic import symbolic_gradient

            found = symbolic_gradient(self.function, self.args, names=self._symbols(),
                                      seconds=5.0 if wanted else SYMBOLIC_SECONDS)
        except Exception as error:  # as in _replay
            self.unavailable["symbolic"] = _first_line(error) if self.own else _UNTRACED
            return None
        if not found.available:
            self.unavailable["symbolic"] = found.reason or "SymPy gave up"
            return None
        values = to_real(flatten(tuple(found.values))[0])
        if values.size != self.inputs or not np.all(np.isfinite(values)):
            self.unavailable["symbolic"] = "SymPy's gradient is not finite here"
            return None
        return found, values

    def _symbols(self) -> list[str] | None:
        """What SymPy calls the arguments: the labels, where these are identifiers and one for each."""
        labels = self.settings.labels
        return labels if len(labels) == len(self.args) and all(map(str.isidentifier, labels)) else None

    def _excused(self, name: str, reference: Reference, claimed: Array, bad: Array, tolerance: Array) -> Array:
        """The bad entries less those that are only rounding: the same derivative in longer arithmetic decides."""
        if not np.any(bad) or self.settings.rtol is not None or self.settings.atol is not None:
            return bad
        # Where the derivative vanishes, rounding of what cancels is left: as small as that of the values.
        residue = ULPS * reference.unit * reference.outputs / reference.size
        bad = bad & ~((np.abs(reference.value) <= 1e-3 * np.abs(claimed)) & (np.abs(claimed) <= residue))
        if not np.any(bad):
            return bad
        columns = np.flatnonzero(np.any(bad, axis=0))
        rows = reference.row_sizes()
        if self.own:
            longer = promoted(self.args, longer=True)
            try:
                assert longer is not None
                subject = self.make(longer)
                exact = claimed.copy()
                for column in columns:
                    unit = np.zeros(self.inputs)
                    unit[column] = 1.0
                    exact[:, column] = subject.push(unit)
            except Exception:  # not everything knows long doubles; then nothing is excused here
                exact = np.full(claimed.shape, np.nan)
            with np.errstate(invalid="ignore"):
                lost = np.abs(claimed - exact)
                excused = bad & (np.abs(exact - reference.value) <= tolerance) & (
                    lost <= 1e-3 * np.maximum(np.abs(exact), 1e-3 * rows)) & (lost > 0.1 * np.abs(
                        claimed - reference.value))
        else:
            excused = np.zeros_like(bad)
        remaining = bad & ~excused
        if np.any(remaining):
            spread = self._sensitivity(name, claimed)
            with np.errstate(invalid="ignore"):
                off = np.abs(claimed - reference.value)
                excused |= remaining & (off <= tolerance + 8 * spread) & (off <= 1e-3 * np.maximum(
                    np.abs(claimed), 1e-3 * rows))
        if np.any(excused):
            self.report.notes.append(f"{name} loses digits to rounding in {int(np.sum(excused))} entries; its formula "
                                     "is right")
        left: Array = bad & ~excused
        return left

    def _sensitivity(self, name: str, claimed: Array) -> Array:
        """How far the derivative under test moves when the inputs change in their last digits."""
        spread = np.zeros_like(claimed)
        for _ in range(3):
            nudged = map_structure(lambda x: np.asarray(
                x * (1 + 2 * np.finfo(np.asarray(x).dtype).eps * self.generator.choice([-1, 1], np.shape(x)))
            ).astype(np.asarray(x).dtype)[()], self.args)
            check = Comparison(self.view, self.make(nudged), nudged, self.settings, Report(), self.make, self.function)
            check.subject.forward_name, check.subject.reverse_name = (self.subject.forward_name,
                                                                      self.subject.reverse_name)
            with np.errstate(invalid="ignore"):
                spread = np.fmax(spread, np.abs(check._claims()[name] - claimed))
        return spread

    def _judge_kink(self, reference: Reference, claims: dict[str, Array], verdict: str) -> str:
        columns = [int(column) for column in np.flatnonzero(np.any(reference.kink, axis=0))]
        for name, claimed in claims.items():
            fault = subgradient_fault(self.view, lambda v, matrix=claimed: matrix @ v, columns, self.generator)  # type: ignore[misc]  # the default binds
            if fault is not None:
                self.report.notes.append(f"{name} is no subgradient: {fault}")
                return "fail"
        where = ", ".join(map(str, columns[:6])) + (", ..." if len(columns) > 6 else "")
        self.report.notes.append(f"there is a kink along flat input{'s' if len(columns) > 1 else ''} {where}")
        return "kink" if verdict == "pass" else verdict

    # ------------------------------------------------------------------ what is reported

    def _legs(self, claims: dict[str, Array], numeric: tuple[Array, Array], formulas: Any) -> None:
        legs = [Leg("numeric", self._split(numeric[0]), self._split(numeric[1]))]
        for name in ("complex step", "mpmath"):
            if name in self.columns:
                value, error = np.full_like(numeric[0], np.nan), np.full_like(numeric[0], np.inf)
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
        said = {"numeric": (float(numeric[0][entry]), float(numeric[1][entry]))}
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


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
