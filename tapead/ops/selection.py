"""Choosing between arrays: where, clip, select."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..registry import PRIMITIVES, Primitive, RegisterGradient, add_primitive, case, implements, value_of

add_primitive(Primitive("where", lambda x, y, condition: np.where(condition, x, y)[()], masks=True, cases=(
    case((2, 3), (3,), condition=np.array([[True], [False]])), case((), (3,), condition=np.array([True, False, True])))))


@RegisterGradient("where")
def _where(op: Any) -> Any:
    """d where(c, x, y) = dx where c, dy elsewhere"""
    condition = np.asarray(op.attrs["condition"], bool)
    return condition, lambda: ~condition


@implements(np.where)
def _where_of(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    if x is None and y is None:
        return np.nonzero(value_of(condition))
    return PRIMITIVES["where"](x, y, condition=value_of(condition))


# ---------------------------------------------------------------------- real and imaginary parts

add_primitive(Primitive("real", lambda x: np.real(x)[()], elementwise=True, sympy="re(x)"))


@RegisterGradient("real")
def _real(op: Any) -> Any:
    """d Re(x) = Re(dx)"""
    from ..registry import ONE, Linear
    return ONE if op.inputs[0].dtype.kind != "c" else Linear(np.real, lambda g: g + 0j)


@implements(np.real)
def _real_of(val: Any) -> Any:
    return PRIMITIVES["real"](val)
