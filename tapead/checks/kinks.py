"""Whether a derivative given at a kink is one of those that are right there.

At a kink the slopes to either side differ and a subgradient may lie anywhere between them; in several dimensions it has
to along every direction jointly. The range along a direction is that of the slopes at nearby points on all sides
(Clarke's generalised derivative, sampled).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations, product
from typing import Any

import numpy as np

from ..numeric.realview import RealView

__all__ = ["offsets_of_ties", "subgradient_fault"]

Array = np.ndarray[Any, Any]

#: How far, relative to the inputs' sizes, the nearby points lie.
DISTANCE = 1e-5
#: The slope at a nearby point is taken over this part of its distance.
INNER = 1e-2
#: How many inputs are moved apart in pairs at most.
MANY_PAIRS = 9


def subgradient_fault(view: RealView, apply: Callable[[Array], Array], coordinates: Sequence[int],
                      generator: np.random.Generator) -> str | None:
    """What is wrong with a derivative as a subgradient; None if nothing is.

    Parameters
    ----------
    view : RealView
        The function at its kink.
    apply : callable
        The derivative to judge, on flat tangents.
    coordinates : sequence of int
        The flat inputs along which there is a kink.
    generator : numpy.random.Generator
        For the directions.
    """
    scale = np.where(view.point == 0, 1.0, np.abs(view.point))
    single = view.resolution > 1e-10
    distance, inner = (1e-2, 0.1) if single else (DISTANCE, INNER)
    for direction, offsets in _directions(view, list(coordinates)[:24], scale, distance, generator):
        claimed, slopes = apply(direction), list[Array]()
        # What lies outside of a first look may lie within a closer one.
        for more in (offsets, _pairs_apart(view, list(coordinates)[:MANY_PAIRS])):
            slopes += [_slope(view, view.point + distance * scale * offset, direction, inner * distance)
                       for offset in more]
            with np.errstate(invalid="ignore"):
                low, high = np.nanmin(slopes, axis=0, initial=np.inf), np.nanmax(slopes, axis=0, initial=-np.inf)
            size = np.maximum(np.abs(low), np.abs(high))
            room = 1e-3 * size + 100 * distance * size.max(initial=0.0) + 4 * view.resolution * np.abs(view.here) / (
                inner * distance)
            outside = np.isfinite(low) & np.isfinite(high) & ((claimed < low - room) | (claimed > high + room))
            if not np.any(outside):
                break
        else:
            place = int(np.flatnonzero(outside)[0])
            moving = np.flatnonzero(direction)
            way = f"input {moving[0]}" if len(moving) == 1 else f"inputs {', '.join(map(str, moving[:6]))} together"
            return (f"moving {way}, the slope is between {low[place]:.6g} and {high[place]:.6g} on the sides of the "
                    f"kink; the derivative says {claimed[place]:.6g}")
    return None


def _pairs_apart(view: RealView, coordinates: Sequence[int]) -> list[Array]:
    """Offsets that move two inputs apart and leave the others: as eigenvalues that are equal want to be taken apart."""
    offsets = []
    for first, second in permutations(coordinates, 2):
        offset = np.zeros_like(view.point)
        offset[first], offset[second] = 1.0, -1.0
        offsets.append(offset)
    return offsets


def offsets_of_ties(count: int, generator: np.random.Generator) -> list[Array]:
    """Ways to take `count` tied numbers apart: in their order, with each at every place, and at random."""
    if count < 2:
        return []
    if count <= 5:
        return [(2 * np.array(order) + 1) / count - 1 for order in permutations(range(count))]
    places = np.arange(count)
    turned = [(2 * ((places + turn) % count) + 1) / count - 1 for turn in range(count)]
    drawn = [generator.uniform(0.2, 1.8, count) * generator.choice([-1.0, 1.0], count) for _ in range(24)]
    return [*turned, *(-offset for offset in turned[:2]), *drawn]


def _slope(view: RealView, point: Array, direction: Array, step: float) -> Array:
    return (view(point + step * direction) - view(point - step * direction)) / (2 * step)


def _directions(view: RealView, coordinates: list[int], scale: Array, distance: float, generator: np.random.Generator
                ) -> Iterator[tuple[Array, list[Array]]]:
    """Directions to judge along, each with the offsets of the nearby points to look at."""
    def along(places: Sequence[int], signs: Sequence[float]) -> Array:
        vector = np.zeros_like(view.point)
        vector[list(places)] = np.asarray(signs) * scale[list(places)]
        return vector

    def sides(places: Sequence[int], patterns: Sequence[Sequence[float]]) -> list[Array]:
        offsets = []
        for pattern in patterns:
            offset = np.zeros_like(view.point)
            offset[list(places)] = pattern
            offsets.append(offset)
        return offsets

    # Where several inputs are tied, the slopes nearby depend on the order that the others take.
    orders = [list(offset) for offset in offsets_of_ties(len(coordinates), generator)]
    for place in coordinates:
        yield along([place], [1.0]), sides([place], [[1.0], [-1.0]]) + sides(coordinates, orders)
    groups = [coordinates[:2], coordinates[-2:], coordinates[:3]]
    groups += [list(generator.choice(coordinates, size=min(3, len(coordinates)), replace=False)) for _ in range(4)]
    for group in groups:
        if len(group) > 1:
            patterns = [list(pattern) for pattern in product((1.0, -1.0), repeat=len(group))]
            # Of several moving at different speeds, whichever is first decides: look at unequal distances as well.
            uneven = [[sign * (1 + 0.37 * k) for k, sign in enumerate(pattern)] for pattern in patterns]
            for signs in patterns[: len(patterns) // 2]:
                yield along(group, signs), sides(group, patterns + uneven) + sides(coordinates, orders)
    if len(coordinates) > 3:
        ends = {place: [_slope(view, view.point + side * distance * scale * _unit(view, place),
                               along([place], [1.0]), distance * INNER) for side in (1.0, -1.0)]
                  for place in coordinates}
        count = len(coordinates)
        for turns in (np.ones(count), *(generator.choice([-1.0, 1.0], count) for _ in range(3))):
            # For a sum of separate kinks these two reach the ends of the range.
            steeper = [float(np.sign(np.nansum((ends[place][0] - ends[place][1]) * sign))) or 1.0
                       for place, sign in zip(coordinates, turns, strict=True)]
            spread = generator.uniform(0.5, 1.5, count)
            extremes = [turns, -turns, np.array(steeper) * spread, -np.array(steeper) * spread]
            extremes += [generator.choice([-1.0, 1.0], count) * spread for _ in range(6)]
            yield along(coordinates, list(turns)), sides(coordinates, [list(offset) for offset in extremes] + orders)


def _unit(view: RealView, place: int) -> Array:
    unit = np.zeros_like(view.point)
    unit[place] = 1.0
    return unit
