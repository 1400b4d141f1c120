"""What other legs say of single columns of a Jacobian: SymPy, the complex step, and the tape replayed in mpmath."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..containers import flatten
from ..numeric.realview import RealView, to_real
from ..recordings import Recording
from ..tape import Leaf
from .arguments import LEGS
from .judging import BARS, UNDERFLOW, Reference
from .legs import Own, batched, to_leaves
from .progress import advance, doing
from .report import Report

__all__ = ["Evidence", "Settings"]

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]

#: Every row by a reverse sweep up to this many outputs.
MANY_OUTPUTS = 200
#: For how many columns the tape is replayed in mpmath at most, and for how many seconds.
REPLAYS, REPLAY_SECONDS = 60, 10.0
#: How large a problem may be for SymPy to be asked without being told to.
SYMBOLIC_INPUTS, SYMBOLIC_OPERATIONS, SYMBOLIC_SECONDS = 16, 64, 2.0
#: By how many powers of ten steps at high precision are made smaller until two agree.
FINER = (8, 80, 320)
_UNTRACED = "the function cannot be traced"


@dataclass
class Settings:
    """What the caller asked for, and the one source of random numbers."""

    rtol: float | None
    atol: float | None
    symbolic: bool | None
    labels: list[str]
    generator: np.random.Generator
    legs: frozenset[str]

    def wants(self, leg: str) -> bool:
        """Whether a leg was asked for; those that cannot be named always are."""
        return leg in self.legs or leg not in LEGS


class Evidence:
    """One derivative at a point, and what is known of it besides differences."""

    def __init__(self, view: RealView, subject: Any, args: tuple[Any, ...], settings: Settings, report: Report,
                 make: Callable[[tuple[Any, ...]], Any], function: Function, coarse: float = 0.0) -> None:
        self.view, self.subject, self.args, self.settings, self.report = view, subject, args, settings, report
        self.make, self.function = make, function
        self.generator = settings.generator
        self.own = isinstance(subject, Own)
        self.has_push: bool = subject.has_push and settings.wants(subject.forward_name)
        self.has_pull: bool = subject.has_pull and settings.wants(subject.reverse_name)
        self.coarse = coarse if coarse > 1e-10 else 0.0
        self.inputs, self.outputs = view.point.size, view.here.size
        self.columns: dict[str, dict[int, tuple[Array, Array]]] = {}
        self.unavailable: dict[str, str] = dict(subject.unavailable)
        self.precise: Any = None
        self.symbolic: Any = None
        self.claims: dict[str, Array] = {}
        self.numeric: tuple[Array, Array] | None = None
        self.deadline = time.monotonic() + REPLAY_SECONDS

    def _claims(self) -> dict[str, Array]:
        """The derivative under test as matrices, one per way to it."""
        claims = {}
        eye = np.eye(self.inputs)
        doing("automatic derivatives" if self.own else "the derivative given")
        if self.has_push:
            pushed = [self.subject.push(row) for row in eye]
            claims[self.subject.forward_name] = np.array(pushed).reshape(self.inputs, self.outputs).T
        if self.has_pull and self.outputs <= MANY_OUTPUTS and self.subject.reverse_name not in claims:
            pulled = [self.subject.pull(row) for row in np.eye(self.outputs)]
            claims[self.subject.reverse_name] = np.array(pulled).reshape(self.outputs, self.inputs)
        if self.own and "batched" in self.settings.legs and self.report.order == 1:
            for mode in ("fwd", "rev"):
                try:
                    claims[f"batched, {mode}"] = batched(self.function, self.args, mode)
                except (NotImplementedError, TypeError, ValueError) as error:
                    self.unavailable[f"batched, {mode}"] = first_line(error)
        return claims

    def _sharpen(self, reference: Reference, claimed: Array) -> None:
        """Where the bars are too wide to decide (or decide against the derivative), ask legs that see further."""
        def certain_errors() -> Array:
            return reference.bad(claimed, reference.tolerance(claimed, self.settings.rtol, self.settings.atol))

        def doubtful() -> Array:
            return np.asarray(reference.wide(claimed) | certain_errors())

        negligible = reference.negligible(claimed)
        columns = np.flatnonzero(np.any(doubtful(), axis=0))[:REPLAYS]
        if len(columns):
            doing("a closer look at inputs in doubt", len(columns))
        for column in map(int, columns):
            for name, ask in (("symbolic", self._formula), ("complex step", self._complex_step),
                              ("mpmath", self._replay)):
                if column in self.columns.get(name, ()) or name in self.unavailable or not self.settings.wants(name):
                    continue
                if name == "mpmath" and np.all(negligible[:, column] & ~certain_errors()[:, column]):
                    continue  # it is dear
                answer = ask(column)
                if answer is None:
                    continue
                # What fifty digits are too few for, the function's own sixteen do not show either.
                reference.error[np.isinf(answer[1]), column] = np.inf
                if name != "complex step":  # both are of the tape, which may not be the whole function
                    answer = self._if_whole(reference, column, *answer)
                self.columns.setdefault(name, {})[column] = answer
                reference.sharpen(column, *answer)
                if not np.any(doubtful()[:, column]):
                    break
            advance()

    def _if_whole(self, reference: Reference, column: int, value: Array, error: Array) -> tuple[Array, Array]:
        """What is said of the tape, with infinite bars where the function contradicts and is not all on the tape."""
        with np.errstate(invalid="ignore"):
            off = np.abs(value - reference.value[:, column]) > BARS * reference.error[:, column] + 1e-9 * np.abs(value)
        if not np.any(off & ~reference.kink[:, column]):
            return value, error
        try:
            whole = self._is_whole(column)
        except Exception:  # without mpmath nothing is known
            return value, error
        if np.any(off & ~whole) and not any("on the tape" in note for note in self.report.notes):
            self.report.notes.append("the function does not move as its tape does: something that depends on the "
                                     "inputs is not on the tape")
        return value, np.where(off & ~whole, np.nan, error)  # NaN is never better

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
            direction = self._unit(column)
            size = abs(float(self.view.point[column])) or 1.0
            slopes = np.nan_to_num(np.abs(self.view(self.view.moved(column, 0.1 * size)) - self.view.here)) / size
            slopes = np.maximum(slopes, 1e-30 * np.max(slopes, initial=0.0))  # of what does not move, rounding is left
            if np.all(self._cancelled()):
                return np.zeros(self.outputs), np.full(self.outputs, np.inf)
            before = self._rounded(self._precisely().derivative(self.args, direction))
            for finer in FINER:
                value = self._rounded(self.precise.derivative(self.args, direction, finer=finer))
                nothing = np.maximum(np.abs(value), np.abs(before)) <= 1e-40 * slopes
                if np.all((value == before) | (np.abs(value - before) <= 1e-12 * np.abs(value) + UNDERFLOW) | nothing):
                    break
                before = value
            else:
                self.unavailable["mpmath"] = "the function is not smooth over the smallest steps"
                return None
        except Exception as error:  # a leg that cannot be had says why, whatever the reason
            self.unavailable["mpmath"] = first_line(error) if self.own else _UNTRACED
            return None
        # Differences at 50 digits: what is left of a derivative that vanishes is noise of theirs.
        noise = 1e-38 * np.abs(self.view.here) / size + 1e-40 * slopes
        return value, np.where(self._cancelled(), np.inf, 4 * np.finfo(float).eps * np.abs(value) + noise)

    def _cancelled(self) -> Array:
        """Outputs that vanish in mpmath alone: fifty digits are too few for them, as after 1e300 periods.

        Those that are no more than rounding beside the others do vanish.
        """
        there = self._rounded(self.precise_values(self.view.point))
        here = np.abs(self.view.here)
        cancelled: Array = (there == 0) & (here > 64 * self.view.resolution * np.max(here, initial=0.0))
        return cancelled

    def _hear_out(self, reference: Reference, claims: dict[str, Array]) -> None:
        """Correct differences that floating point has misled, where the tape in mpmath can be shown to know better.

        The derivative of the tape at high precision uses no rule. Where it converges, from both sides to the same, and
        agrees with what the sweeps say, differences of floating-point numbers are what is wrong, provided that the tape
        is the whole function: at other points it has to give what the function gives.
        """
        if not self.own or not self.settings.wants("mpmath") or not claims:
            return
        said = np.array(list(claims.values()))
        with np.errstate(invalid="ignore", over="ignore"):
            together = np.isfinite(said).all(axis=0) & (np.ptp(said, axis=0) <= 1e-9 * np.abs(said).max(axis=0))
        doubtful = reference.kink | np.any([reference.bad(claimed, reference.tolerance(claimed, None, None))
                                            for claimed in claims.values()], axis=0)
        for column in map(int, np.flatnonzero(np.any(doubtful & together, axis=0))[:REPLAYS]):
            answer = self._replay(column)
            if answer is None:
                return
            value = answer[0]
            off = np.abs(value - said[0][:, column])
            # It has to be the differences that are off.
            agrees = doubtful[:, column] & together[:, column] & (off <= 1e-10 * np.abs(value) + UNDERFLOW) & ~(
                off > 0.01 * np.abs(value - reference.value[:, column]) + UNDERFLOW)
            if np.any(agrees) and np.any(agrees := agrees & self._is_smooth(column) & self._is_whole(column)):
                reference.value[agrees, column], reference.error[agrees, column] = value[agrees], answer[1][agrees]
                reference.kink[agrees, column], reference.sharpened[agrees, column] = False, True
                self.columns.setdefault("mpmath", {})[column] = answer

    def _overflows(self, row: int, column: int, claimed: float) -> bool:
        """Whether an infinite derivative is one that is too large for floating point."""
        answer = self._replay(column) if self.own else None
        return answer is not None and bool(answer[0][row] == claimed)

    def _is_smooth(self, column: int) -> Array:
        """The outputs whose slopes to either side of the point are the same, at high precision."""
        smooth = self.precise.is_smooth(self.args, self._unit(column), finer=FINER[0])
        return np.concatenate([np.repeat(np.ravel(part).astype(bool), 2 if output.dtype.kind == "c" else 1)
                               for part, output in zip(smooth, self.view.outputs, strict=True)])

    def _is_whole(self, column: int) -> Array:
        """The outputs that move in mpmath as the function does along an input: nothing is missing from the tape.

        An output whose value has no right digit in floating point, though it is the tape's, shows nothing: it counts.
        """
        size = abs(float(self.view.point[column])) or 1.0
        here = self._rounded(self.precise_values(self.view.point))
        lost = np.abs(here - self.view.here)
        whole, still = np.ones(self.outputs, bool), np.ones(self.outputs, bool)
        largest, jitter = np.max(np.abs(here), initial=0.0), list[Array]()
        for step in (0.07, -1e-3, 1e-5, -1e-7):
            flat = self.view.moved(column, step * size)
            there = self.view(flat)
            if not np.all(np.isfinite(there)):
                continue
            try:
                moved = self._rounded(self.precise_values(flat)) - here
            except Exception:  # a replay may leave the domain where the function does not
                return np.zeros_like(whole)
            seen = there - self.view.here
            # What floating point loses of the values themselves does not count.
            whole &= np.abs(moved - seen) <= 0.05 * np.abs(seen) + 4 * lost + 64 * self.view.resolution * np.maximum(
                np.abs(there), np.abs(self.view.here))
            still &= (np.abs(moved) <= 1e-30 * largest) & (np.abs(seen) <= 16 * self.view.resolution * largest)
            jitter.append(np.abs(seen))
        if len(jitter) > 1:  # rounding of the larger outputs is no motion: it does not grow with the step
            whole |= still & (jitter[0] <= 20 * np.max(jitter[1:], axis=0))
        whole |= lost > 0.5 * np.abs(here)
        return whole

    def precise_values(self, flat: Array) -> Any:
        """The outputs in mpmath at a flat vector."""
        result = self._precisely()(*self.view.inputs_at(flat))
        return flatten(result)[0]

    def _unit(self, column: int) -> Any:
        """A unit vector along a flat input, as the arguments are nested."""
        unit = np.zeros(self.inputs)
        unit[column] = 1.0
        leaves, rebuild = flatten(self.args)
        return rebuild(to_leaves(unit, [np.asarray(leaf) for leaf in leaves]))

    def _rounded(self, result: Any) -> Array:
        """Numbers of mpmath as a flat real vector."""
        kinds = [complex if output.dtype.kind == "c" else float for output in self.view.outputs]
        parts = result if isinstance(result, list) else [result]
        return to_real([np.vectorize(kind, otypes=[kind])(np.asarray(part, object))
                        for part, kind in zip(parts, kinds, strict=True)])

    def _precisely(self) -> Any:
        """The function in mpmath."""
        if self.precise is None:
            from ..symbolic import precise_function

            self.precise = precise_function(self.function, self.args)
        return self.precise

    def _ask_sympy(self, reference: Reference) -> Any:
        """SymPy's gradient for a function of one output, or None with the reason noted."""
        wanted = self.settings.symbolic
        if wanted is False or self.report.order == 2 or not self.settings.wants("symbolic"):
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

            doing("symbolic")
            found = symbolic_gradient(self.function, self.args, names=self._symbols(),
                                      seconds=5.0 if wanted else SYMBOLIC_SECONDS)
        except Exception as error:  # as in _replay
            self.unavailable["symbolic"] = first_line(error) if self.own else _UNTRACED
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


def first_line(error: Exception) -> str:
    """An exception as one line of text."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
