"""Digits that a function loses to rounding by itself, whatever its derivative is: where, and how many.

Every value on the tape is held against the same tape at 50 digits. An operation that subtracts nearly equal numbers
turns errors in the last digit of its operands into errors in the leading digits of its result, and no derivative rule
can bring them back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..tape import Entry

__all__ = ["losses", "lossy", "relative_errors"]

Array = np.ndarray[Any, Any]

#: A loss of fewer digits than this is nothing to speak of.
NOTEWORTHY = 4.0
#: By what factor an operation must magnify the errors of its operands to be the one that loses digits.
JUMP = 100.0


def relative_errors(precise: Any) -> Iterator[tuple[Entry, float]]:
    """Every operation of a function in mpmath, with the largest relative error of its result in floating point."""
    for entry, value in precise.values():
        if entry.output is None:  # large, and not kept
            continue
        rounded = np.ravel(np.asarray(entry.output))
        if rounded.dtype.kind not in "fc" or not np.all(np.isfinite(rounded)):
            continue
        worst = 0.0
        for number, exact in zip(rounded.tolist(), np.ravel(value.elements), strict=True):
            if number != exact:
                worst = max(worst, min(float(abs(number - exact) / abs(exact)), 1.0) if exact else 1.0)
        yield entry, worst


def lossy(function: Callable[..., Any], args: tuple[Any, ...], off: Any) -> bool:
    """Whether values on the tape are about as wrong as a derivative is, so that rounding explains the latter."""
    from ..symbolic import precise_function

    try:
        errors = relative_errors(precise_function(function, args))
        return bool(np.max(off, initial=0.0) <= 100 * max((error for _, error in errors), default=0.0))
    except Exception:  # where the tape cannot be replayed nothing is known
        return False


def losses(precise: Any, sensitivity: float, resolution: float, lost_by_derivative: float) -> list[str]:
    """Warnings about digits lost: one line each, empty where there is nothing to warn of.

    Parameters
    ----------
    precise : PreciseFunction
        The function at the point.
    sensitivity : float
        By how much a relative error in the inputs is magnified by the function itself.
    resolution : float
        The rounding unit.
    lost_by_derivative : float
        The relative error of the derivative by the sweeps.
    """
    errors = dict(relative_errors(precise))
    if not errors:
        return []
    final = precise.outputs_among(errors)
    of_value = max((errors[entry] for entry in final), default=0.0)
    warnings = []
    possible = -np.log10(resolution)

    def digits(error: float) -> float:
        return float(np.clip(np.log10(max(error, resolution) / resolution), 0.0, possible))

    at = _blame(errors, resolution)
    inherent = of_value <= 30 * resolution * (1 + sensitivity)
    cancels = " 'add'" in at or " 'subtract'" in at
    if digits(of_value) >= NOTEWORTHY and (not inherent or (cancels and digits(of_value) > NOTEWORTHY + 2)):
        lost = digits(of_value)
        warnings.append(f"the function's value has {possible - lost:.0f} right digits where {possible:.0f} are "
                        f"possible: {lost:.0f} digits are lost to cancellation{at}"
                        + (" (inputs rounded to the last digit cost as many)" if inherent else ""))
    if digits(lost_by_derivative) >= NOTEWORTHY and not (inherent and lost_by_derivative <= 100 * of_value):
        lost = digits(lost_by_derivative)
        warnings.append(f"the derivative has {possible - lost:.0f} right digits where {possible:.0f} are possible, "
                        f"though every rule is right: {lost:.0f} digits are lost to cancellation in the function{at}")
    return warnings


def _blame(errors: dict[Entry, float], resolution: float) -> str:
    """The operation that loses the digits and its line, and whose rounding it is that is magnified there."""
    loser = _first_to_lose(errors, resolution)
    if loser is None:
        return ""
    text = f"; lost by {loser.primitive.name!r}" + (f" at {loser.where}" if loser.where else "")
    before = [parent for parent in loser.parents if parent is not None and errors.get(parent, 0.0) > 0]
    if before:
        source = max(before, key=lambda parent: errors[parent])
        text += f", which magnifies the rounding of {source.primitive.name!r}"
    return text


def _first_to_lose(errors: dict[Entry, float], resolution: float) -> Entry | None:
    """The first operation whose result is much less accurate than its operands."""
    for entry, error in errors.items():
        before = max((errors.get(parent, 0.0) for parent in entry.parents if parent is not None), default=0.0)
        if error > JUMP * max(before, resolution):
            return entry
    return max(errors, key=lambda entry: errors[entry]) if max(errors.values()) > JUMP * resolution else None
