"""Nested tuples, lists and dicts of arrays: taken apart into a flat list of leaves, and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

import numpy as np

__all__ = ["LEAVES", "flatten", "flatten_like", "map_structure"]

Rebuild = Callable[[Iterable[Any]], Any]

#: Types that are leaves for certain, so that the commonest containers are seen through at a glance.
LEAVES: set[type] = {np.ndarray, np.float64, np.float32, float, int, complex, type(None)}


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
    if container.__class__ in LEAVES:
        return [container], _only
    if container.__class__ is tuple and LEAVES.issuperset(map(type, container)):
        return list(container), tuple
    leaves: list[Any] = []
    shape = _take_apart(container, leaves)
    return leaves, lambda new: _put_together(shape, iter(new))


def _only(leaves: Iterable[Any]) -> Any:
    (leaf,) = leaves
    return leaf


def flatten_like(container: Any, pattern: Any) -> list[Any]:
    """The leaves of `container` in the order of the leaves of `pattern`, whose structure it has to have.

    Dicts are matched by key. Whatever stands in the place of a leaf of `pattern` is a leaf.

    Raises
    ------
    ValueError
        If the structures differ.

    Examples
    --------
    >>> flatten_like({"b": 2.0, "a": 1.0}, {"a": 0, "b": 0})
    [1.0, 2.0]
    """
    if isinstance(pattern, dict):
        if not isinstance(container, dict) or container.keys() != pattern.keys():
            raise ValueError(f"expected a dict with the keys {list(pattern)}, got {_described(container)}")
        pairs = [(container[key], part) for key, part in pattern.items()]
    elif isinstance(pattern, (tuple, list)):
        if not isinstance(container, (tuple, list)) or len(container) != len(pattern):
            raise ValueError(f"expected a {type(pattern).__name__} of {len(pattern)}, got {_described(container)}")
        pairs = list(zip(container, pattern, strict=True))
    else:
        return [container]
    return [leaf for value, part in pairs for leaf in flatten_like(value, part)]


def _described(container: Any) -> str:
    if isinstance(container, dict):
        return f"a dict with the keys {list(container)}"
    if isinstance(container, (tuple, list)):
        return f"a {type(container).__name__} of {len(container)}"
    return f"a single {type(container).__name__}"


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
        # A copy keeps what a subclass of dict knows besides its items, such as a default.
        return shapes, lambda parts: _refilled(copy(container), parts)
    if isinstance(container, (tuple, list)):
        shapes = [_take_apart(value, leaves) for value in container]
        if hasattr(container, "_fields"):
            return shapes, lambda parts: type(container)(*parts)
        return shapes, type(container)
    leaves.append(container)
    return None


def _refilled(container: Any, parts: Iterable[Any]) -> Any:
    for key, part in zip(list(container), parts, strict=True):
        container[key] = part
    return container


def _put_together(shape: Any, leaves: Any) -> Any:
    if shape is None:
        return next(leaves)
    shapes, make = shape
    return make([_put_together(part, leaves) for part in shapes])
