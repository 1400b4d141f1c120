"""Reading by index: every form that NumPy knows, and its adjoint."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..registry import PRIMITIVES, Linear, Primitive, RegisterGradient, add_primitive, case, value_of

add_primitive(Primitive("getitem", lambda a, key: a[key], masks=True, cases=(
    case((4,), key=2), case((4,), key=slice(1, None, 2)), case((3, 2), key=(slice(None), None, 1)),
    case((4,), key=np.array([0, 0, 3])), case((2, 3), key=np.array([[True, False, True], [False, True, True]])),
    case((2, 3), key=(np.array([0, 1, 1]), np.array([2, 0, 0]))), case((2, 3), key=...),
    case((4,), key=slice(None, None, -1)), case((), key=()))))

# The adjoint of reading, as a primitive of its own so that it can be differentiated again.
add_primitive(Primitive("scatter", lambda g, shape, key: _scatter(g, shape, key), cases=(
    case((2,), shape=(4,), key=slice(1, None, 2)), case((3,), shape=(4,), key=np.array([0, 0, 3])),
    case((), shape=(4,), key=2))))


def _scatter(g: Any, shape: tuple[int, ...], key: Any) -> Any:
    """Zeros of `shape` with `g` added at `key`, as often as an element is named there."""
    result = np.zeros(shape, g.dtype)
    if _is_basic(key):
        result[key] = g
    else:
        np.add.at(result, key, g)
    return result


def _is_basic(key: Any) -> bool:
    """Whether a key names each element at most once, so that assigning will do."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(isinstance(part, (int, np.integer, slice, type(None), type(...)))
               or getattr(part, "dtype", None) == bool for part in parts)


@RegisterGradient("getitem")
def _getitem(op: Any) -> Any:
    """d x[k] = dx[k]; the adjoint adds into zeros"""
    a, key = op.inputs[0], op.attrs["key"]
    shape = a.shape
    return Linear(lambda t: t[key], lambda g: PRIMITIVES["scatter"](g, shape=shape, key=key))


@RegisterGradient("scatter")
def _scatter_rule(op: Any) -> Any:
    """The adjoint of reading is linear, and its adjoint is reading"""
    shape, key = op.attrs["shape"], op.attrs["key"]
    return Linear(lambda t: PRIMITIVES["scatter"](t, shape=shape, key=key), lambda g: g[key])


def getitem(a: Any, key: Any) -> Any:
    """``a[key]`` for a tensor; tensors of integers or truth values inside the key are used for their values."""
    return PRIMITIVES["getitem"](a, key=tuple(map(value_of, key)) if isinstance(key, tuple) else value_of(key))
