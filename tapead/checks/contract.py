"""What every derivative must satisfy exactly, whatever its numbers are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..containers import flatten
from ..numeric.realview import to_real
from .judging import UNDERFLOW
from .legs import Own, to_leaves

__all__ = ["Finding", "contract"]

Array = np.ndarray[Any, Any]
Apply = Callable[[Array], Array]


@dataclass(frozen=True)
class Finding:
    """One property that was checked: its name, whether it holds, and what was seen where it does not."""

    name: str
    holds: bool
    detail: str = ""


def contract(subject: Any, args: tuple[Any, ...], generator: np.random.Generator, unit: float) -> list[Finding]:
    """Check shapes, dtypes, determinism, untouched arguments, linearity, zero to zero and adjointness.

    Parameters
    ----------
    subject : Own or Given
        The derivative.
    args : tuple
        The inputs it was made for, to see that nobody writes to them.
    generator : numpy.random.Generator
        For the vectors used.
    unit : float
        The rounding unit of the arithmetic.
    """
    findings = []
    before = [np.array(leaf) for leaf in flatten(args)[0]]
    own = isinstance(subject, Own)
    sizes = to_real(subject.inputs).size, to_real(subject.outputs).size
    tangent, cotangent = generator.normal(size=sizes[0]), generator.normal(size=sizes[1])
    push, pull = subject.has_push, subject.has_pull
    findings += [Finding(f"{name}: comes through", False, fault) for name, fault in subject.broken.items()]
    if own:
        findings.append(Finding("the function gives the same value twice", subject.repeats))
    for applies, name, raw, apply, vector, models, others in (
            (push, subject.forward_name, subject.raw_push, subject.push, tangent, subject.inputs, subject.outputs),
            (pull, subject.reverse_name, subject.raw_pull, subject.pull, cotangent, subject.outputs, subject.inputs)):
        if applies and (own or not subject.is_matrix(name)):  # a matrix is linear whatever it is
            findings += _as_a_map(name, raw, apply, vector, models, others, generator, unit, typed=own)
    if not own:
        if subject.matrix is not None:
            findings.append(Finding(f"{subject.jac_name}: the same result twice", subject.repeats()))
        findings.append(Finding("the arguments are left untouched", not subject.touched, "; ".join(subject.touched)))
    if push and pull and subject.forward_name != subject.reverse_name:
        findings.append(_adjointness(subject, tangent, cotangent, generator, unit))
    after = [np.asarray(leaf) for leaf in flatten(args)[0]]
    touched = [k for k, (old, new) in enumerate(zip(before, after, strict=True))
               if not np.array_equal(old, new, equal_nan=True)]
    findings.append(Finding("the inputs are left untouched", not touched,
                            f"input {touched[0]} changed" if touched else ""))
    return findings


def _as_a_map(name: str, raw: Callable[[Sequence[Any]], list[Any]], apply: Apply, vector: Array,
              models: Sequence[Array], others: Sequence[Array], generator: np.random.Generator, unit: float,
              typed: bool) -> list[Finding]:
    """The properties of one direction, forward or reverse."""
    given = to_leaves(vector, models)
    kept = [np.array(part) for part in given]
    results = [np.asarray(part) for part in raw(given)]
    findings = []
    if typed:
        wrong = [f"{part.dtype} {part.shape} for {other.dtype} {other.shape}"
                 for part, other in zip(results, others, strict=True)
                 if part.shape != other.shape or (other.dtype.kind in "fc" and part.dtype != other.dtype)]
        findings.append(Finding(f"{name}: shapes and dtypes", not wrong, "; ".join(wrong)))
    same = all(np.array_equal(old, new) for old, new in zip(kept, given, strict=True))
    findings.append(Finding(f"{name}: its argument is left untouched", same))
    # In single precision the vector is rounded once, so that scaling it is exact.
    vector = to_real(kept)
    image = apply(vector)
    findings.append(Finding(f"{name}: the same result twice", np.array_equal(image, apply(vector), equal_nan=True)))
    zero = apply(np.zeros_like(vector))
    findings.append(Finding(f"{name}: zero gives zero", not np.any(zero), _extreme(zero)))
    findings += _linearity(name, apply, vector, image, models, generator, unit)
    return findings


def _linearity(name: str, apply: Apply, vector: Array, image: Array, models: Sequence[Array],
               generator: np.random.Generator, unit: float) -> list[Finding]:
    usable = np.isfinite(image)
    findings = []
    size = float(np.max(np.abs(image[usable]), initial=0.0))
    underflow = 1e-300 if unit < 1e-10 else 1e-34
    # Scaling by powers of two commutes with rounding: nothing has to be allowed for.
    for factor in (-1.0, 2.0**-20, -(2.0**12)):
        scaled = apply(factor * vector) / factor
        fits = np.abs(image) < 1e300  # what does not may overflow on the way
        seen = usable & ~np.isinf(scaled) & (fits | ~np.isnan(scaled))
        worst = float(np.max(np.abs(scaled - image)[seen], initial=0.0))
        holds = worst <= 1e3 * unit * size + underflow
        findings.append(Finding(f"{name}: scales with its argument ({factor:g})", holds,
                                "" if holds else f"off by {worst:.1e} of {size:.1e}"))
    drawn = np.asarray(generator.normal(size=vector.shape))
    other = to_real([np.asarray(part) for part in to_leaves(drawn, models)])
    second = apply(other)
    both = usable & np.isfinite(second)
    noise = max(_rounding(apply, vector, image, generator, unit), _rounding(apply, other, second, generator, unit))
    size = max(size, float(np.max(np.abs(second[both]), initial=0.0)))
    total = to_real([np.asarray(part) for part in to_leaves(1.5 * vector - 3.0 * other, models)])
    with np.errstate(over="ignore", invalid="ignore"):
        off = np.abs(apply(total) - (1.5 * image - 3.0 * second))
    worst = float(np.max(off[both & np.isfinite(off)], initial=0.0))  # sums of what is nearly too large may overflow
    holds = worst <= 100 * noise + 1e3 * unit * size + underflow
    findings.append(Finding(f"{name}: additive", holds, "" if holds else f"off by {worst:.1e} of {size:.1e}"))
    return findings


def _rounding(apply: Apply, vector: Array, image: Array, generator: np.random.Generator, unit: float) -> float:
    """How far rounding moves the image of a vector: seen when all that is rounded is scaled to other digits."""
    worst = 0.0
    for factor in generator.uniform(0.75, 1.9, 8):
        off = np.abs(apply(factor * vector) / factor - image)
        worst = max(worst, float(np.max(off[np.isfinite(off)], initial=0.0)))
    return worst


def _adjointness(subject: Any, tangent: Array, cotangent: Array, generator: np.random.Generator, unit: float
                 ) -> Finding:
    """⟨Jv, w⟩ = ⟨v, Jᵀw⟩"""
    tangent, cotangent = (to_real([np.asarray(part) for part in to_leaves(vector, models)])
                          for vector, models in ((tangent, subject.inputs), (cotangent, subject.outputs)))
    ahead, back = subject.push(tangent), subject.pull(cotangent)
    name = f"{subject.forward_name} and {subject.reverse_name} are adjoint"
    if not (np.all(np.isfinite(ahead)) and np.all(np.isfinite(back))):
        return Finding(name, True, "not applicable: infinite derivatives")
    noise = _rounding(subject.push, tangent, ahead, generator, unit) * float(np.sum(np.abs(cotangent)))
    noise += _rounding(subject.pull, cotangent, back, generator, unit) * float(np.sum(np.abs(tangent)))
    left, right = float(ahead @ cotangent), float(tangent @ back)
    size = float(np.abs(ahead) @ np.abs(cotangent) + np.abs(tangent) @ np.abs(back))
    underflow = UNDERFLOW * float(np.sum(np.abs(cotangent)) + np.sum(np.abs(tangent)))
    holds = abs(left - right) <= 100 * noise + 64 * unit * size + underflow
    return Finding(name, bool(holds), "" if holds else f"⟨Jv, w⟩ = {left:.17g}, ⟨v, Jᵀw⟩ = {right:.17g}")


def _extreme(values: Array) -> str:
    return "" if not np.any(values) else f"gave {values[np.argmax(np.abs(values))]:.3g}"
