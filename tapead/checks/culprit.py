"""Which primitive on the tape has the wrong rule: each one checked by itself, at the very inputs it was given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checkpoint import without_checkpoints
from ..containers import flatten
from ..numeric.differences import MANY
from ..numeric.realview import RealView
from ..recordings import Recording
from ..registry import Primitive
from ..tape import Entry, Leaf
from .legs import Own, SweepError, gradient_map, on_values, promoted

__all__ = ["Culprit", "first_wrong"]

Array = np.ndarray[Any, Any]
Apply = Callable[[Array], Array]

#: From this many outputs of an operation on, so many random sums of them are looked at.
MANY_OUTPUTS, FEW_SUMS = 10_000, 3


@dataclass(frozen=True)
class Culprit:
    """The first primitive of a tape whose rule is wrong where it was used.

    Attributes
    ----------
    primitive : str
        Its name.
    index : int
        Its place on the tape, counted from the first operation of the function.
    input : int
        The number of the input whose partial derivative is wrong.
    where : str
        The line that called it, ``model.py:12``.
    fault : str
        What is wrong with it.
    """

    primitive: str
    index: int
    input: int
    where: str
    fault: str

    def __str__(self) -> str:
        return (f"primitive {self.primitive!r}, operation {self.index} on the tape ({self.where}), input {self.input}: "
                f"{self.fault}")


def first_wrong(function: Callable[..., Any], args: tuple[Any, ...], order: int, generator: np.random.Generator
                ) -> Culprit | None:
    """Walk the tape of `function` at `args` and check every rule against differences of its kernel.

    Returns None if every rule is right where it was used: then the error is one of rounding.
    """
    with without_checkpoints():
        recording = Recording("gradcheck", function, args, {}, range(len(args)))
    values: dict[Entry, Any] = {entry: entry.output for entry in recording.stops}
    place = 0
    for entry in recording.order:
        if isinstance(entry, Leaf):
            values[entry] = entry.output
            continue
        # Large inputs that no rule reads are not on the tape any more: they are computed again.
        inputs = tuple([values.get(parent, value) if parent is not None else value
                        for parent, value in zip(entry.parents, entry.inputs, strict=True)])
        with np.errstate(all="ignore"):
            values[entry] = entry.primitive.kernel(*inputs, **entry.attrs)
        for position, parent in enumerate(entry.parents):
            if parent is None:
                continue
            fault = _fault(entry.primitive, inputs, entry.attrs, position, order, generator)
            if fault is not None:
                return Culprit(entry.primitive.name, place, position, entry.where, fault)
        place += 1
    return None


def _fault(primitive: Primitive, inputs: tuple[Any, ...], attrs: dict[str, Any], position: int, order: int,
           generator: np.random.Generator) -> str | None:
    """What is wrong with one partial derivative of a primitive at given inputs; None if nothing is."""
    inputs = promoted(inputs) or inputs
    others = list(inputs)

    def partial(x: Any) -> Any:
        others[position] = x
        return primitive(*others, **attrs)

    args = (np.array(inputs[position])[()],)
    if np.asarray(args[0]).dtype.kind not in "fc" or np.size(args[0]) == 0:
        return None
    try:
        fault = _local_fault(partial, args, generator)
        if fault is None and order == 2:
            weights = [_random(leaf, generator) for leaf in flatten(on_values(partial)(*args))[0]]
            fault = _local_fault(gradient_map(partial, weights, lambda leaves: leaves[0]), args, generator)
            fault = fault and "second derivative: " + fault
    except SweepError as error:  # a rule that raises is a wrong rule, and here is where
        return error.fault
    except Exception as error:  # so is one whose derivative does
        return f"{type(error).__name__}: {error}"
    return fault


def _random(like: Any, generator: np.random.Generator) -> Any:
    return generator.choice([-1.0, 0.5, 1.0], np.shape(like)).astype(np.asarray(like).dtype)[()]


def _local_fault(function: Callable[..., Any], args: tuple[Any, ...], generator: np.random.Generator) -> str | None:
    view = RealView(on_values(function), args)
    if not np.all(np.isfinite(view.here)):
        return None
    subject = Own(function, args)
    push: Apply = subject.push
    pull: Apply = subject.pull
    if view.here.size > MANY_OUTPUTS:  # a few sums of the outputs are looked at
        mixing = generator.uniform(0.5, 1.5, (FEW_SUMS, view.here.size)) * generator.choice(
            [-1.0, 1.0], (FEW_SUMS, view.here.size))
        whole, all_of_it, back = view, subject.push, subject.pull
        view = RealView(lambda flat: mixing @ whole(flat), [whole.point])
        push, pull = (lambda vector: mixing @ all_of_it(vector)), (lambda vector: back(vector @ mixing))

    scale = np.where(view.point == 0, 1.0, np.abs(view.point))
    for fault in subject.broken.values():
        return fault
    for _ in range(3 if view.point.size <= MANY else 1):
        # Of different sizes too: in a sum of two that are equal by symmetry, signs alone may cancel.
        direction = generator.choice([-1.0, 1.0], view.point.shape) * generator.uniform(0.5, 1.5, scale.shape) * scale
        weights = generator.choice([-1.0, 1.0], view.here.shape) * generator.uniform(0.5, 1.5, view.here.shape)
        found = view.columns([direction])
        slope, error = found.value[0], found.error[0]
        if np.any(found.kink) or not np.all(np.isfinite(error)):
            return None
        room = 10 * error + 1e-13 * np.abs(slope)
        if not subject.has_pull:
            return next(iter(subject.broken.values()), None)
        pulled = pull(weights)
        pushed = push(direction) if subject.has_push else slope
        if np.any(~(np.abs(pushed - slope) <= room)):
            place = int(np.argmax(np.nan_to_num(np.abs(pushed - slope) - room, nan=np.inf)))
            return f"forward gives {pushed[place]:.10g} along a direction, differences give {slope[place]:.10g}"
        left, right = float(weights @ slope), float(pulled @ direction)
        if not abs(left - right) <= float(room @ np.abs(weights)) + 1e-13 * float(np.abs(pulled) @ np.abs(direction)):
            return f"reverse gives {right:.10g} along a direction, differences give {left:.10g}"
        for factor in (-1.0, 2.0):
            if not np.allclose(pull(factor * weights), factor * pulled, rtol=1e-9, atol=0):
                return f"the adjoint is not linear in the cotangent (scaling by {factor:g})"
    return None
