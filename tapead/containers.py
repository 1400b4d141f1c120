"""Nested tuples, lists and dicts of arrays: taken apart into a flat list of leaves, and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["flatten", "map_structure"]

Rebuild = Callable[[Iterable[Any]], Any]


def flatten(container: Any) -> tuple[list[Any], Rebuild]:
    """The leaves of a nested container from left to right, and a function that puts new leaves in their places.

    Tuples, named tuples, lists and dicts (in the order of their keys' insertion) are containers; anything else is a
    leaf, None included.

    Examples
    --------
    >>> leaves, rebuild = flatten({"w": [1.0, 2.0], "b": (3.0,)})
    >>> leaves
    [1.0, 2.0, 3.0]
    >>> rebuild([10.0, 20.0, 30.0])
    {'w': [10.0, 20.0], 'b': (30.0,)}
    """
    leaves: list[Any] = []
    shape = _take_apart(container, leaves)
    return leaves, lambda new: _put_together(shape, iter(new))


def map_structure(function: Callable[[Any], Any], container: Any) -> Any:
    """`container` with `function` applied to every leaf.

    Examples
    --------
    >>> map_structure(lambda x: 2 * x, [1, (2, 3)])
    [2, (4, 6)]
    """
    leaves, rebuild = flatten(container)
    return rebuild([function(leaf) for leaf in leaves])


def _take_apart(container: Any, leaves: list[Any]) -> Any:
    """Append the leaves; return what makes the container again from an iterator of leaves, or None for a leaf."""
    if isinstance(container, dict):
        shapes = [_take_apart(value, leaves) for value in container.values()]
        keys, kind = list(container), type(container)
        return shapes, lambda parts: kind(zip(keys, parts, strict=True))
    if isinstance(container, (tuple, list)):
        shapes = [_take_apart(value, leaves) for value in container]
        if hasattr(container, "_fields"):
            return shapes, lambda parts: type(container)(*parts)
        return shapes, type(container)
    leaves.append(container)
    return None


def _put_together(shape: Any, leaves: Any) -> Any:
    if shape is None:
        return next(leaves)
    shapes, make = shape
    return make([_put_together(part, leaves) for part in shapes])
