"""From derivatives and error bars to a verdict: entry by entry for small problems, by projections for large ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..numeric.realview import RealView

__all__ = ["Reference", "agreed_digits", "bisect", "odd_one_out", "steep"]

Array = np.ndarray[Any, Any]

#: The tolerance is this many error bars: no false alarm is known at ten, and what matters is seen.
BARS = 10
#: Rounding errors allowed to the derivative under test itself, in units of its last digit.
ULPS = 64
#: The same, as a part of it, where values are too noisy to show a derivative.
NOISY = 2e-10
#: Below this every digit counts as rounding.
UNDERFLOW = 1e-318
#: A derivative this small beside what the function moves by at all is none that any difference could show.
INVISIBLE = 1e-50


class Reference:
    """The best known Jacobian, its error bars, and what other legs say of single columns.

    Attributes
    ----------
    value, error : ndarray of shape (outputs, inputs)
    kink : ndarray of bool
    sharpened : ndarray of bool
        Entries whose numeric bar was too wide and that another leg has decided.
    """

    def __init__(self, view: RealView, columns: Sequence[int], numeric: bool = True) -> None:
        if numeric:
            found = view.columns(columns)
            self.value, self.error, self.kink = found.value.T.copy(), found.error.T.copy(), found.kink.T.copy()
            change = found.change.T
        else:
            shape = view.here.size, len(columns)
            self.value, self.error = np.full(shape, np.nan), np.full(shape, np.inf)
            self.kink, change = np.zeros(shape, bool), np.zeros(shape)
        self.sharpened = np.zeros(self.value.shape, bool)
        self.size = np.where(view.point == 0, 1.0, np.abs(view.point))
        sizes = np.maximum(np.maximum(np.abs(view.here)[:, None], change), 1e-290)
        # An output that happens to vanish is computed from numbers like those of the others.
        self.outputs = np.maximum(sizes, 1e-3 * np.max(sizes, initial=0.0))
        self.change, self.point = change, view.point
        self.unit = view.resolution

    def take(self, claimed: Array) -> None:
        """Make one of the derivatives under test the reference, for want of any other."""
        self.value, self.error = claimed.copy(), 4 * self.unit * np.abs(np.nan_to_num(claimed))

    def sharpen(self, column: int, value: Array, error: Array) -> None:
        """Replace a column's entries by better ones."""
        better = (error < self.error[:, column]) & ~self.kink[:, column]
        self.sharpened[:, column] |= better & (BARS * self.error[:, column] > 1e-6 * np.abs(value))
        self.value[better, column], self.error[better, column] = value[better], error[better]

    def tolerance(self, claimed: Array, rtol: float | None, atol: float | None) -> Array:
        """How far each entry of a derivative may be off."""
        if rtol is not None or atol is not None:
            allowed: Array = self.error + (atol or 0.0) + (rtol or 0.0) * np.abs(self.value)
            return allowed
        # Where values are too noisy to show a derivative, the derivative is noisy as well: that is enough there.
        floor = np.where(self.sharpened, NOISY, ULPS * self.unit)
        with np.errstate(invalid="ignore", over="ignore"):
            least = UNDERFLOW + INVISIBLE * self.outputs / self.size
            return BARS * self.error + least + floor * np.where(np.isfinite(claimed), np.abs(claimed), 0.0)  # type: ignore[no-any-return]  # the same

    def row_sizes(self) -> Array:
        """The largest entry of each row."""
        usable = np.isfinite(self.error)
        return np.max(np.where(usable, np.abs(self.value), 0.0), axis=1, keepdims=True, initial=0.0)  # type: ignore[no-any-return]  # the same

    def wide(self, claimed: Array) -> Array:
        """Entries whose bars would let errors of a millionth pass."""
        size = np.maximum(np.abs(np.nan_to_num(claimed)), np.abs(np.nan_to_num(self.value)))
        return ~self.kink & (BARS * self.error > 1e-6 * size)  # type: ignore[no-any-return]  # the same

    def negligible(self, claimed: Array) -> Array:
        """Entries whose bars are narrow beside their row, or zero as far as the function's values can show anything."""
        slack = BARS * self.error
        zero = (claimed == 0) & (self.value == 0) & (slack * self.size <= 1e-9 * self.outputs)
        return (slack <= 1e-8 * self.row_sizes()) | zero  # type: ignore[no-any-return]  # the same

    def bad(self, claimed: Array, tolerance: Array) -> Array:
        """Entries that are off by more than they may be."""
        with np.errstate(invalid="ignore"):
            off = ~(np.abs(claimed - self.value) <= tolerance)
        return off & ~self.kink & np.isfinite(self.error)  # type: ignore[no-any-return]  # the same

    def frozen(self, claimed: Array) -> Array:
        """Entries of a function that is constant only because neighbouring inputs are more than 1 apart."""
        far = np.abs(self.point) * self.unit >= 1
        frozen: Array = far & (self.change == 0) & (self.value == 0) & (claimed != 0)
        return frozen

    def undecided(self, claimed: Array, tolerance: Array) -> Array:
        """Entries for which the bars say nothing, though the function's values could show them."""
        size = np.maximum(np.abs(np.nan_to_num(claimed)), np.abs(np.nan_to_num(self.value)))
        blind = (tolerance > 0.05 * size) & (tolerance > 1e-4 * self.row_sizes())
        # The derivative there is below what the last digits of the values show, as at a stationary point.
        invisible = tolerance * self.size <= 1e-9 * self.outputs
        return ~self.kink & (blind & ~invisible | ~np.isfinite(self.error))  # type: ignore[no-any-return]  # the same


def agreed_digits(claimed: Array, value: Array, error: Array, usable: Array) -> Array:
    """Decimal digits to which each entry is confirmed: by its deviation or its error bar, whichever shows fewer."""
    size = np.maximum(np.abs(claimed), np.abs(value))
    row = np.max(np.where(usable, size, 0.0), axis=1, keepdims=True, initial=0.0)
    with np.errstate(all="ignore"):
        off = np.maximum(np.abs(claimed - value), error)
        digits = -np.log10(off / size)
    digits = np.where(off == 0, 16.0, np.clip(np.nan_to_num(digits, nan=0.0), 0.0, 16.0)) + 0.0
    # Entries that vanish beside the others of their row would always show few.
    return np.where(usable & (size > 1e-6 * row), digits, np.inf)


def steep(view: RealView, column: int, sign: float) -> bool:
    """Whether the difference quotient along a coordinate grows without bound as the step shrinks, with that sign."""
    size = abs(float(view.point[column])) or 1.0
    for side in (1.0, -1.0):
        quotients = [(view(view.moved(column, side * step * size)) - view.here) / (side * step * size)
                     for step in (1e-2, 1e-6, 1e-10)]
        growth = [float(np.nanmax(sign * q, initial=-np.inf)) for q in quotients]
        if growth[-1] == np.inf or 0 < 9 * growth[0] < 3 * growth[1] < growth[2]:
            return True
    return False


def odd_one_out(said: Mapping[str, tuple[float, float]], shared: Sequence[str]) -> str | None:
    """The legs that the majority contradicts, from each leg's value and error; None if all agree.

    Legs in `shared` follow the same rules and have one vote together where they agree.
    """
    names = [name for name, (value, error) in said.items() if np.isfinite(value) and np.isfinite(error)]
    groups: list[list[str]] = []
    for name in names:
        value, error = said[name]
        for group in groups:
            other, other_error = said[group[0]]
            if abs(value - other) <= BARS * (error + other_error) + 1e-12 * max(abs(value), abs(other)):
                group.append(name)
                break
        else:
            groups.append([name])
    odd = [name for name in said if name not in names and np.isnan(said[name][0])]
    if len(groups) > 1:
        def votes(group: list[str]) -> tuple[int, bool]:
            together = sum(name in shared for name in group)
            # With equal votes those are believed that follow no rule.
            return len(group) - max(together - 1, 0), not together

        majority = max(groups, key=votes)
        odd += [name for name in names if name not in majority]
    return " and ".join(odd) or None


def bisect(view: RealView, apply: Callable[[Array], Array], direction: Array, output: int
           ) -> tuple[int, float, float, float]:
    """The input whose entry is wrong, where the derivative along `direction` is.

    The step at which differences come closest to the best slope is kept; of two halves the one goes on in which the
    derivative is off by more. Returns the flat index, what the derivative says, what differences say, and their error
    bar.
    """
    found = float(view.columns([direction]).value[0, output])
    reach = float(np.min(np.maximum(np.abs(view.point), 1.0) / np.maximum(np.abs(direction), 1e-300)))

    def slope(vector: Array, step: float) -> float:
        return float((view(view.point + step * vector)[output] - view(view.point - step * vector)[output]) / (2 * step))

    coarse = (3e-2, 3e-3) if view.resolution > 1e-10 else (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
    step = min((reach * size for size in coarse), key=lambda size: np.nan_to_num(
        abs(slope(direction, size) - found), nan=np.inf))
    places = np.flatnonzero(direction)
    total = float(apply(direction)[output]) - slope(direction, step)
    while len(places) > 1:
        first, second = np.array_split(places, 2)
        part = np.zeros_like(direction)
        part[first] = direction[first]
        here = float(apply(part)[output]) - slope(part, step)
        # The derivative is linear, and so are differences over a small step: what is left is in the other half.
        places, total = (first, here) if not abs(here) < abs(total - here) else (second, total - here)
    index = int(places[0])
    unit = np.zeros_like(direction)
    unit[index] = 1.0
    last = view.columns([index])
    return index, float(apply(unit)[output]), float(last.value[0, output]), float(last.error[0, output])
