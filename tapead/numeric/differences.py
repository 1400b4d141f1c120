"""Derivatives along lines from values alone, each with an error bar that means it.

A function is sampled on a ladder of steps from large to tiny, on both sides. Neville's scheme extrapolates every window
of the ladder to step zero; the spread inside a window bounds its truncation error (Ridders, Adv. Eng. Software 4, 1982)
and the noise, measured where the steps are so small that the function is straight, bounds its rounding error. A window
must also agree with everything that smaller steps say: that is what keeps jumps, kinks and fast oscillations, invisible
to one window, from passing for a slope.

All entries (inputs times outputs) are treated at once as columns of arrays whose rows are the steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Ladder", "Samples", "Slopes", "break_width", "coordinate_steps", "direction_steps", "ladder", "slopes"]

Array = np.ndarray[Any, Any]

#: Ratio of successive steps. Not a power of two: a function with a period that is one would look constant.
RATIO = 3.02
#: The largest step, relative to the larger of |x| and 1. The odd digits are for the same reason.
LARGEST = 0.2931
#: The smallest step, in rounding units of x.
SMALLEST = 8
#: Between scales that are very far apart: the ratio of steps, and the smallest step that still is a normal number.
WIDE_RATIO, TINIEST = 31.3, 1e-306
#: Noise that is this part of all that a function does hides what it does; unless it is as small as the last digits.
HIDING, LAST_DIGITS = 0.05, 1e-6
#: How many steps make a factor of a million.
MILLION = 13
#: How many inputs are very many.
MANY = 50_000
#: The deepest extrapolation.
DEPTH = 6
#: A noise sample times this bounds the noise.
NOISE_BOUND = 2.5
#: An extrapolation's spread times this bounds its error.
SPREAD_BOUND = 2.0


@dataclass
class Samples:
    """Values on a ladder: ``ahead[k] = g(steps[k])``, ``behind[k] = g(-steps[k])``, ``here = g(0)``; NaN for none.

    Rows are steps, from large to small; columns are entries. `resolution` is the rounding unit of the arithmetic that
    made the values (that of float32 is coarser), `known_noise` what is known of their noise besides, per column.
    """

    steps: Array
    ahead: Array
    behind: Array
    here: Array
    resolution: float
    known_noise: Array | float = 0.0


@dataclass
class Slopes:
    """The derivative of each column with its error bar, that of either side, and how much moderate steps change."""

    value: Array
    error: Array
    left: Array
    left_error: Array
    right: Array
    right_error: Array
    kink: Array
    change: Array


@dataclass
class Ladder:
    """How the derivative of one column came about, step by step, for those who want to see it.

    `quotients` are the central difference quotients, `best` what extrapolation from each step on upwards gives,
    `errors` its error bars, and `chosen` the row that was taken.
    """

    steps: Array
    quotients: Array
    best: Array
    errors: Array
    chosen: int


def coordinate_steps(x: float, resolution: float, tiniest: float = 1.0) -> Array:
    """Steps for one coordinate at `x`, such that ``x + step`` and ``x - step`` are exact where that is possible.

    `tiniest` is the smallest size among all the coordinates that are not zero: the function may have that scale.
    """
    magnitude = abs(x)
    smallest = SMALLEST * resolution
    if magnitude == 0:
        steps = _ladder(LARGEST, 1e-20 if resolution < 1e-10 else 1e-12)
        if 0 < tiniest < 1e-15:
            further = _ladder(steps[-1] / WIDE_RATIO, max(smallest * tiniest, TINIEST), WIDE_RATIO)
            steps = np.concatenate([steps, further])
    elif magnitude < 1e-20:
        steps = np.concatenate([
            _ladder(LARGEST, smallest),
            _ladder(smallest / WIDE_RATIO, max(WIDE_RATIO * magnitude, TINIEST), WIDE_RATIO),
            _ladder(max(LARGEST * magnitude, 2 * TINIEST), max(smallest * magnitude, TINIEST))])
    else:
        steps = _ladder(LARGEST * max(magnitude, 1.0), smallest * magnitude)
    kind = np.dtype(np.float32 if resolution > 1e-10 else np.float64)
    near = steps < magnitude
    center = np.asarray(x, kind)
    exact: Array = (center + steps.astype(kind) - center).astype(float)
    return np.where(near & (exact > 0), exact, steps)


def direction_steps(point: Array, direction: Array, resolution: float) -> Array:
    """Steps along a direction: the large ones move every input far, the small ones none by more than little.

    With very many inputs every evaluation is dear and the steps are few.
    """
    moving = direction != 0
    if not np.any(moving):
        return _ladder(LARGEST, 1e-12)
    size, speed = np.abs(point[moving]), np.abs(direction[moving])
    largest = LARGEST * float(np.min(np.maximum(size, 1.0) / speed))
    sizes = np.where(size == 0, 1.0, size)
    smallest = SMALLEST * resolution * float(np.min(np.maximum(sizes, 1e-20) / speed))
    if len(point) > MANY:
        return _ladder(largest / 10, largest * (1e-8 if resolution < 1e-10 else 1e-5), RATIO**2)
    return _ladder(largest, min(smallest, 1e-6 * largest))


def _ladder(largest: float, smallest: float, ratio: float = RATIO) -> Array:
    largest, smallest = min(largest, 1e305), max(smallest, TINIEST)
    count = max(int(np.ceil((np.log(largest) - np.log(smallest)) / np.log(ratio))) + 1, 4)
    return largest * ratio ** -np.arange(count, dtype=float)


def slopes(samples: Samples) -> Slopes:
    """Derivatives with error bars for every column; an infinite bar where there is none."""
    with np.errstate(all="ignore"):
        steps, here = samples.steps, samples.here
        bound = _rounding(samples)
        unit = samples.resolution
        central, ahead, behind = ((samples.ahead - samples.behind) / (2 * steps), (samples.ahead - here) / steps,
                                  (here - samples.behind) / steps)
        value, error, wide = _extrapolate(central, steps, bound, 2, unit)
        right, right_error, wide_right = _extrapolate(ahead, steps, 2 * bound, 1, unit)
        left, left_error, wide_left = _extrapolate(behind, steps, 2 * bound, 1, unit)
        differ = np.abs(right - left) > 3 * (wide_right + wide_left)
        # Where an implementation passes from one formula to another, its slope changes in the last digits.
        kink = differ & (np.abs(right - left) > 1e-8 * np.maximum(np.abs(right), np.abs(left)))
        # Near the edge of a domain one side alone can take larger steps, or steps at all.
        for side, side_error, wide_side in ((right, right_error, wide_right), (left, left_error, wide_left)):
            better = ~kink & (side_error < error / 10) & ~(np.abs(side - value) > 3 * (side_error + error))
            value, error, wide = (np.where(better, new, old) for new, old in
                                  ((side, value), (side_error, error), (wide_side, wide)))
        error = wide
        error = np.where(differ, np.maximum(error, np.abs(right - left)), error)
        value = np.where(kink, (left + right) / 2, value)
        hidden = _hidden(samples)
        error = np.where(hidden | np.isnan(error), np.inf, error)
        kink &= ~hidden
        value = np.where(np.isfinite(error), value, np.nan)
        return Slopes(value, error, left, wide_left, right, wide_right, kink, _change(samples))


def _hidden(samples: Samples) -> Array:
    """Columns whose smallest steps change the function as much as any do: nothing is known of their slopes."""
    rows = np.concatenate([samples.ahead, samples.behind, samples.here[None]])
    top, bottom = np.fmax.reduce(rows), np.fmin.reduce(rows)
    noise = _noise(samples)
    hidden: Array = (noise > HIDING * (top - bottom)) & (noise > LAST_DIGITS * np.fmax(np.abs(top), np.abs(bottom)))
    # Or as much as steps that are a million times larger, and as much as the value itself.
    moves = np.fmax(np.abs(samples.ahead - samples.here), np.abs(samples.behind - samples.here))[-MILLION:]
    same = np.fmax.reduce(moves) < 100 * np.fmin.reduce(np.where(moves > 0, moves, np.nan)) if len(moves) else hidden
    hidden |= same & (noise > HIDING * np.abs(samples.here)) & (np.count_nonzero(moves > 0, axis=0) == MILLION)
    return hidden


def ladder(samples: Samples) -> Ladder:
    """The central difference quotients of the first column, and what is made of them."""
    with np.errstate(all="ignore"):
        central = (samples.ahead - samples.behind) / (2 * samples.steps)
        best, errors = _best_of_rows(central, samples.steps, _rounding(samples), 2, samples.resolution)
        row = _agreed(best, errors)[2]
    return Ladder(samples.steps[:, 0], central[:, 0], best[:, 0], errors[:, 0], int(row[0]))


def _rounding(samples: Samples) -> Array:
    """A bound on the rounding error of each value."""
    largest_value = np.fmax(np.fmax(np.abs(samples.ahead), np.abs(samples.behind)), np.abs(samples.here))
    bound = np.fmax(np.fmax(samples.resolution * largest_value, NOISE_BOUND * _noise(samples)), samples.known_noise)
    underflow = 1.4e-45 if samples.resolution > 1e-10 else 5e-324
    result: Array = bound + underflow
    return result


def _change(samples: Samples) -> Array:
    """By how much the function changes over the largest of the moderate steps at which it is defined."""
    change = np.fmax(np.abs(samples.ahead - samples.here), np.abs(samples.behind - samples.here))[2:]
    first = np.argmax(np.isfinite(change), axis=0)
    moderate: Array = np.nan_to_num(change[first, np.arange(change.shape[1])])
    return moderate


def _noise(samples: Samples) -> Array:
    """The noise of each column: what is left of even and odd differences where steps are too small for curvature."""
    curvature = (samples.ahead + samples.behind - 2 * samples.here) / 2.45
    odd = samples.ahead - samples.behind
    ratio = samples.steps[1:] / samples.steps[:-1]
    bend = (odd[1:] - ratio * odd[:-1]) / 1.5
    return np.maximum(_floor_of(curvature), _floor_of(bend))


def _floor_of(remainders: Array) -> Array:
    """The largest of the last four finite rows; the last alone where they fall as fast as curvature does."""
    finite = np.isfinite(remainders)
    rank = np.cumsum(finite[::-1], axis=0)[::-1]
    last, second, third, fourth = (
        np.max(np.where(finite & (rank == place), np.abs(remainders), 0.0), axis=0, initial=0.0)
        for place in range(1, 5))
    curved = (last < second / 4) & (second < third / 4)
    floor: Array = np.where(curved, last, np.maximum(np.maximum(last, second), np.maximum(third, fourth)))
    return floor


def _extrapolate(quotients: Array, steps: Array, noise: Array, order: int, resolution: float
                 ) -> tuple[Array, Array, Array]:
    """The limit of difference quotients at step zero and its error, per column, without and with doubts about the bar.

    `order` is the power of the step in which the error expands: 2 for central quotients, 1 for one-sided ones.
    """
    best, errors = _best_of_rows(quotients, steps, noise, order, resolution)
    value, error, row = _agreed(best, errors)
    return value, error, _widened(value, error, row, quotients, noise / steps)


def _best_of_rows(quotients: Array, steps: Array, noise: Array, order: int, resolution: float) -> tuple[Array, Array]:
    """Per row the extrapolation that ends there and has the smallest error, with that error."""
    best = quotients
    rounding = noise / steps
    best_error = np.full(quotients.shape, np.inf)
    best_error[1:] = SPREAD_BOUND * np.abs(quotients[1:] - quotients[:-1]) + rounding[1:]
    best_error = np.where(np.isfinite(best_error), best_error, np.inf)
    table, amplification = quotients, np.ones_like(rounding)
    for depth in range(1, min(DEPTH, len(steps) - 1) + 1):
        weight = 1 / ((steps[:-depth] / steps[depth:]) ** order - 1)
        finer, coarser = table[1:], table[:-1]
        table = finer + weight * (finer - coarser)
        amplification = amplification[1:] * (1 + 2 * weight)
        spread = np.maximum(np.abs(table - finer), np.abs(table - coarser))
        error = SPREAD_BOUND * spread + amplification * rounding[depth:]
        better = error < best_error[depth:]
        best = best.copy() if depth == 1 else best
        best[depth:] = np.where(better, table, best[depth:])
        best_error[depth:] = np.where(better, error, best_error[depth:])
    best_error = np.maximum(best_error, _growth(quotients, rounding)) + 4 * resolution * np.abs(best)
    return best, np.where(np.isfinite(best_error), best_error, np.inf)


def _widened(value: Array, error: Array, row: Array, quotients: Array, rounding: Array) -> Array:
    """The error bar, where it is as wide as the value made to reach every clear quotient of smaller steps."""
    distance = np.abs(quotients - value)
    smaller = np.arange(len(quotients))[:, None] >= row
    outside = np.isfinite(distance) & (distance > 3 * rounding) & smaller
    farthest = np.max(np.where(outside, distance, 0.0), axis=0, initial=0.0)
    return np.where(error > 0.1 * np.abs(value), np.maximum(error, 2 * farthest), error)


def _growth(quotients: Array, rounding: Array) -> Array:
    """Per row, by how much quotients of smaller steps differ more than those of its own do: 0 where they converge."""
    spread = np.full(quotients.shape, np.inf)
    spread[1:] = np.abs(quotients[1:] - quotients[:-1])
    spread = np.where(np.isfinite(spread), spread, np.inf)
    own = np.maximum(spread, np.concatenate([spread[:1], spread[:-1]]))
    excess = np.where(np.isfinite(spread), spread - 3 * rounding, 0.0)
    later = np.zeros(quotients.shape)
    later[:-1] = np.maximum.accumulate(excess[::-1], axis=0)[::-1][1:]
    return np.where(later > 3 * own, later, 0.0)


def _agreed(values: Array, errors: Array) -> tuple[Array, Array, Array]:
    """Of the rows, the one with the smallest error after each has been held against all rows of smaller steps."""
    usable = np.isfinite(errors)
    low = np.where(usable, values - 2 * errors, -np.inf)
    high = np.where(usable, values + 2 * errors, np.inf)
    floor = np.full(values.shape, -np.inf)
    ceiling = np.full(values.shape, np.inf)
    floor[:-1] = np.maximum.accumulate(low[::-1], axis=0)[::-1][1:]
    ceiling[:-1] = np.minimum.accumulate(high[::-1], axis=0)[::-1][1:]
    contradiction = np.maximum(floor - values, values - ceiling)
    errors = np.where(usable, np.maximum(errors, contradiction), np.inf)
    row = np.argmin(errors, axis=0)
    columns = np.arange(values.shape[1])
    return values[row, columns], errors[row, columns], row


def break_width(samples: Samples) -> tuple[Array, Array]:
    """Per column the widest step below which the function is much smoother than above (0 for none), and if flat there.

    Both sides of a jump look like this, and so does rounding inside the function that is coarser than that of its
    values: the function is then a staircase or a saw.
    """
    with np.errstate(all="ignore"):
        rough = np.abs(samples.ahead + samples.behind - 2 * samples.here)
        odd = samples.ahead - samples.behind
        bend = np.abs(odd[1:] - samples.steps[1:] / samples.steps[:-1] * odd[:-1])
        rough[1:] = np.fmax(rough[1:], bend)
        floor = 4 * samples.resolution * np.abs(samples.here) + 5e-324
        below = np.maximum.accumulate(np.nan_to_num(rough)[::-1], axis=0)[::-1]
        # Smooth functions grow with the square (even part) or cube (odd part) of the step; noise varies.
        breaks = np.zeros(rough.shape, bool)
        growth = 2.2 * (samples.steps[:-3] / samples.steps[1:-2]) ** 3
        breaks[:-3] = rough[:-3] > growth * np.maximum(below[1:-2], floor)
        columns = np.arange(breaks.shape[1])
        below_break = np.minimum(len(breaks) - np.argmax(breaks[::-1], axis=0), len(breaks) - 1)
        widths = np.where(np.any(breaks, axis=0), samples.steps[below_break, columns], 0.0)
        flat = (samples.ahead[below_break, columns] == samples.here) & (
            samples.behind[below_break, columns] == samples.here)
    return np.nan_to_num(widths), flat
