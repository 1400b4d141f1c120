"""A function of arrays as a map between flat real vectors, sampled and differentiated by differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..containers import flatten
from .complexstep import Analytic, complex_step
from .differences import Samples, Slopes, break_width, coordinate_steps, direction_steps, slopes

__all__ = ["RealView", "described", "to_real"]

Array = np.ndarray[Any, Any]
#: A flat stretch wider than this (relative to the larger of |x| and 1) is the function's own, not rounding.
WIDE_FLAT = 1e-3
#: Wider than this, steps as high as the function itself are its own.
NARROW_FLAT = 1e-6


class RealView:
    """A function of arrays, seen as a map from one flat vector of real numbers to another.

    A complex element counts as two real coordinates, its real and its imaginary part. Exceptions, warnings and
    infinities away from the point of interest mean "not defined there" and give NaN; at the point itself they raise.

    Parameters
    ----------
    function : callable
        Takes ``*args``; returns arrays, numbers or nested containers of them.
    args : sequence
        The point: arrays, numbers or nested containers.

    Attributes
    ----------
    leaves, outputs : list of ndarray
        The inputs and outputs at the point, taken out of their containers.
    point, here : ndarray
        The same as flat vectors.
    offsets : ndarray of int
        Where in the flat vector each input begins, and the end of the last.
    resolution : float
        The rounding unit of the arithmetic: that of the coarsest input or output.
    """

    def __init__(self, function: Callable[..., Any], args: Sequence[Any]) -> None:
        leaves, self.rebuild = flatten(tuple(args))
        self.function = function
        self.leaves = [np.asarray(leaf) for leaf in leaves]
        self.point = to_real(self.leaves)
        sizes = [leaf.size * (2 if leaf.dtype.kind == "c" else 1) for leaf in self.leaves]
        self.offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
        with _quiet():
            self.outputs = self._evaluate(self.point)
        self.here = to_real(self.outputs)
        self._tiniest = float(np.min(np.abs(self.point[self.point != 0]), initial=1.0))
        kinds = {array.dtype for array in (*self.leaves, *self.outputs) if array.dtype.kind in "fc"}
        # Arithmetic is as coarse as its coarsest input or result.
        self.resolution = max([float(np.finfo(kind).eps) for kind in kinds] + [float(np.finfo(float).eps)])

    def inputs_at(self, flat: Any) -> Any:
        """The arguments for a flat vector, in the shapes and dtypes of the originals."""
        parts = []
        for position, leaf in enumerate(self.leaves):
            part = flat[self.offsets[position]:self.offsets[position + 1]]
            if isinstance(part, Analytic):
                parts.append(part.reshape(leaf.shape) if leaf.dtype.kind != "c" else None)
                continue
            if leaf.dtype.kind == "c":
                part = part[0::2] + 1j * part[1::2]
            parts.append(part.reshape(leaf.shape).astype(leaf.dtype)[()])
        return self.rebuild(parts)

    def _call(self, inputs: Any) -> list[Any]:
        return flatten(self.function(*inputs))[0]

    def _evaluate(self, flat: Array) -> list[Array]:
        # A Python int is weak, as a number that a branch returns: it means the float.
        results = [np.asarray(float(value) if value.__class__ is int else value)
                   for value in self._call(self.inputs_at(flat))]
        for value in results:
            if value.dtype.kind not in "fciub":
                raise TypeError(f"the function returned {described(value)}; expected numbers or arrays of them")
        return results

    def __call__(self, flat: Array) -> Array:
        """The outputs at a flat vector of inputs, as a flat vector; NaN where the function fails."""
        try:
            with np.errstate(all="ignore"):
                result = to_real(self._evaluate(flat))
        except Exception:  # outside its domain a function may do as it likes: there is no value, that is all
            return np.full(self.here.shape, np.nan)
        if result.shape != self.here.shape:
            return np.full(self.here.shape, np.nan)
        finite = np.isfinite(result)
        return result if finite.all() else np.where(finite, result, np.nan)

    def analytic(self, flat: Analytic) -> Any:
        """The outputs at complex inputs, for :func:`complex_step`."""
        if any(array.dtype.kind == "c" for array in (*self.leaves, *self.outputs)) or self.resolution > 1e-10:
            return None
        results = [value if isinstance(value, Analytic) else Analytic(value) for value in
                   self._call(self.inputs_at(flat))]
        return Analytic(np.concatenate([np.ravel(np.asarray(part.value, complex)) for part in results]))

    # ------------------------------------------------------------------ derivatives

    def columns(self, directions: Sequence[int | Array]) -> Slopes:
        """Slopes along coordinates (numbers) or directions (flat vectors), as arrays (directions, outputs)."""
        with _quiet():
            return self._columns(directions)

    def _columns(self, directions: Sequence[int | Array]) -> Slopes:
        if not len(directions) or not self.here.size:
            nothing = np.zeros((len(directions), self.here.size))
            return Slopes(nothing, nothing, nothing, nothing, nothing, nothing, nothing.astype(bool), nothing)
        samples = self.sample(directions)
        if self.resolution < 1e-10 and _is_single(samples):
            self.resolution = float(np.finfo(np.float32).eps)
            samples = self.sample(directions)
        found = slopes(samples)
        found = self._mend_staircases(samples, found, directions)
        shape = (len(directions), self.here.size)
        return Slopes(*(array.reshape(shape) for array in vars(found).values()))

    def sample(self, directions: Sequence[int | Array]) -> Samples:
        """Values on a ladder of steps along coordinates or directions; the columns are directions times outputs."""
        ladders = [self._steps(direction) for direction in directions]
        rows, outputs = max(map(len, ladders), default=0), self.here.size
        ahead = np.full((rows, len(directions), outputs), np.nan)
        behind = ahead.copy()
        steps = np.full((rows, len(directions), 1), np.nan)
        for column, (direction, ladder) in enumerate(zip(directions, ladders, strict=True)):
            steps[:len(ladder), column, 0] = ladder
            for row, step in enumerate(ladder):
                ahead[row, column] = self(self.moved(direction, step))
                behind[row, column] = self(self.moved(direction, -step))
        columns = len(directions) * outputs
        here = np.tile(self.here, len(directions))
        return Samples(np.broadcast_to(steps, ahead.shape).reshape(rows, columns), ahead.reshape(rows, columns),
                       behind.reshape(rows, columns), here, self.resolution)

    def _steps(self, direction: int | Array) -> Array:
        if isinstance(direction, (int, np.integer)):
            return coordinate_steps(float(self.point[direction]), self.resolution, self._tiniest)
        return direction_steps(self.point, direction, self.resolution)

    def moved(self, direction: int | Array, step: float) -> Array:
        """The point moved by a step along a coordinate or direction."""
        if isinstance(direction, (int, np.integer)):
            moved = self.point.copy()
            moved[direction] += step
            return moved
        return self.point + step * direction

    def _mend_staircases(self, samples: Samples, found: Slopes, directions: Sequence[int | Array]) -> Slopes:
        """Widen the bars where the function is a staircase whose treads hide its slope (or are its slope)."""
        raw, flat = break_width(samples)
        # Slopes that are seen this clearly at small steps are no rounding: what breaks there is a pole, a jump, a kink.
        raw = np.where(found.error < 1e-10 * np.abs(found.value), 0.0, raw)
        widths = raw.reshape(len(directions), -1)
        suspects = np.flatnonzero(np.any(widths > 0, axis=1))
        if not len(suspects):
            return found
        noise = np.zeros(widths.shape)
        for suspect in map(int, suspects):
            noise[suspect] = np.where(widths[suspect] > 0, self._treads(directions[suspect], widths[suspect]), 0.0)
        stairs = noise.ravel() > 0
        if not np.any(stairs):
            return found
        samples.known_noise = noise.ravel()
        again = slopes(samples)
        # Rounding off the true slope, or a function that is flat almost everywhere? Values cannot tell.
        again.error = np.where(stairs & flat, np.fmax(again.error, np.abs(again.value)), again.error)
        again.kink = again.kink & ~stairs
        return again

    def _treads(self, direction: int | Array, widths: Array) -> Array:
        """The height of the steps of a staircase, per output; 0 for what is no staircase at any scale looked at."""
        height = np.zeros(widths.shape)
        for spacing in 1.7 * float(np.min(widths[widths > 0])) * 3.0 ** np.arange(10):
            if spacing > WIDE_FLAT * self._reach(direction):
                break
            grid = np.array([self(self.moved(direction, spacing * place)) for place in range(-7, 8)])
            # A jump shows in three of the twelve third differences, a pole in four; stairs in more, and all of a size.
            ordered = np.sort(np.abs(np.diff(grid, 3, axis=0)), axis=0)
            rough, roughest = ordered[7], ordered[11]
            smooth = np.median(np.abs(np.diff(grid, 1, axis=0)), axis=0)
            stairs = (rough > 4 * self.resolution * np.abs(self.here)) & (rough > 0.1 * smooth) & (
                roughest < 12 * rough)
            if spacing > NARROW_FLAT * self._reach(direction):
                stairs &= rough < 0.05 * np.max(np.abs(grid), axis=0)
            height = np.where(stairs, np.maximum(height, rough), height)
            if np.all(height[widths > 0] > 0):
                break
        return height

    def _reach(self, direction: int | Array) -> float:
        if isinstance(direction, (int, np.integer)):
            return max(abs(float(self.point[direction])), 1.0)
        return float(np.min(np.maximum(np.abs(self.point), 1.0)) / np.max(np.abs(direction), initial=1e-300))

    def complex_step(self, direction: int | Array) -> tuple[Array, Array] | None:
        """The derivative along a coordinate or direction by complex step, with its error; None where not proved."""
        if isinstance(direction, (int, np.integer)):
            unit = np.zeros_like(self.point)
            unit[direction] = 1.0
            direction = unit
        with _quiet(), np.errstate(all="ignore"):
            return complex_step(self.analytic, self.point, direction)


def to_real(arrays: Sequence[Any]) -> Array:
    """Arrays laid out as one flat float64 vector; complex elements as pairs."""
    parts = []
    for array in arrays:
        flat = np.ravel(np.asarray(array))
        if flat.dtype.kind == "c":
            flat = np.stack([flat.real, flat.imag], axis=-1).ravel()
        parts.append(flat)
    if len(parts) == 1:
        return parts[0].astype(np.float64)  # a copy
    return np.concatenate(parts, dtype=np.float64, casting="unsafe") if parts else np.zeros(0)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def described(value: Any) -> str:
    """What is no number, for a message."""
    return "None" if value.shape == () and value[()] is None else f"an array of dtype {value.dtype}"


def _is_single(samples: Samples) -> bool:
    """Whether every value is a float32 number although most float64 numbers are not: the function computes in those."""
    values = np.concatenate([samples.ahead.ravel(), samples.behind.ravel()])
    values = values[np.isfinite(values)]
    values = np.unique(values)
    if len(values) < 12 or not np.all(values.astype(np.float32) == values):
        return False
    # Numbers in single precision need all their 24 bits; differences of nearly equal numbers may look like them.
    mantissas = np.frexp(values)[0] * 2.0**20
    return bool(np.mean(mantissas != np.rint(mantissas)) > 0.5)
