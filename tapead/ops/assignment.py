"""Writing as functions: the array that an assignment leaves behind, from what was assigned and what was there."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..registry import PRIMITIVES, Linear, Primitive, RegisterGradient, add_primitive, case
from . import shaping as _shaping  # noqa: F401 -- views are transposed too
from .indexing import names_each_once

_ROWS = np.array([0, 1, 1])


def _set(value: Any, base: Any, key: Any, last: Any = None) -> Any:
    result = np.array(base)
    result[key] = value
    return result[()]


SETITEM = add_primitive(Primitive("setitem", _set, cases=(
    case((), (4,), key=2), case((2,), (4,), key=slice(1, 3)), case((), (2, 3), key=(slice(None), 1)),
    case((3,), (4,), key=np.array([0, 3, 1])), case((2,), (2, 3), key=np.array([[True, False, False],
                                                                                [False, False, True]])),
    case((1, 3), (2, 3), key=...), case((), (), key=()),
    case((1, 1, 2), (2, 3), key=(slice(None), 1)),
    case((3,), (4,), key=np.array([0, 3, 3]), last=np.array([True, False, True])))))


def winners(key: Any, shape: tuple[int, ...]) -> Any:
    """Which of the elements named by a key are not named again later; None if none is named twice."""
    if names_each_once(key):
        return None
    number = np.empty(shape, int)
    places = np.arange(number[key].size).reshape(number[key].shape)
    number[key] = places
    last = number[key] == places
    return None if last.all() else last


@RegisterGradient("setitem", reads="nothing")
def _setitem(op: Any) -> Any:
    """d (x with v at k) = dx with dv at k"""
    value, base = op.inputs
    key, last = op.attrs["key"], op.attrs.get("last")

    def read(g: Any) -> Any:
        # A copy, not a view: the sweep may go on to overwrite `g` itself.
        found = np.positive(g[key]) if last is None else np.where(last, g[key], 0.0)
        surplus = np.ndim(value) - np.ndim(found)  # axes of length 1 in front, which an assignment leaves out
        return np.expand_dims(found, tuple(range(surplus))) if surplus > 0 else found

    return (Linear(lambda t: SETITEM(t, np.zeros(base.shape, base.dtype), key=key, last=last), read),
            Linear(lambda t: SETITEM(0.0, t, key=key), lambda g: SETITEM(0.0, g, key=key),
                   reuse=lambda g: g.__setitem__(key, 0.0)))


def _set_view(value: Any, base: Any, view: Primitive, options: dict[str, Any]) -> Any:
    result = np.array(base, order="K")  # in the order that lets the view be one again
    part = view.kernel(result, **options)
    if np.may_share_memory(part, result):
        part[...] = value
        return result
    # In another order in memory, as a cotangent may be, it is no view: then by the places of its elements.
    places = view.kernel(np.arange(result.size).reshape(result.shape), **options)
    flat = result.reshape(-1)
    flat[places] = value
    return flat.reshape(result.shape)


SET_VIEW = add_primitive(Primitive("set_view", _set_view, cases=(
    case((2,), (4,), view=PRIMITIVES["getitem"], options={"key": slice(1, 3)}),
    case((3,), (3, 2), view=PRIMITIVES["getitem"], options={"key": (slice(None), 1)}),
    case((3, 2), (2, 3), view=PRIMITIVES["transpose"], options={}))))


@RegisterGradient("set_view", reads="nothing")
def _set_view_rule(op: Any) -> Any:
    """d (x with v for its view) = dx with dv for its view"""
    base = op.inputs[1]
    view, options = op.attrs["view"], op.attrs["options"]
    return (Linear(lambda t: SET_VIEW(t, np.zeros(base.shape, base.dtype), view=view, options=options),
                   lambda g: view(g, **options)),
            Linear(lambda t: SET_VIEW(0.0, t, view=view, options=options),
                   lambda g: SET_VIEW(0.0, g, view=view, options=options)))
