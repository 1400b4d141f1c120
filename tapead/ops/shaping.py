"""Reshaping, transposing, broadcasting, joining: the same elements in other places."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..registry import PRIMITIVES, Linear, Primitive, RegisterGradient, add_primitive, case, implements

# ---------------------------------------------------------------------- reshape

add_primitive(Primitive("reshape", lambda a, shape, order="C": np.reshape(a, shape, order=order), cases=(
    case((2, 3), shape=(3, 2)), case((2, 3), shape=-1, order="F"), case((), shape=(1, 1)), case((0, 2), shape=(0,)))))


@RegisterGradient("reshape")
def _reshape(op: Any) -> Any:
    """d reshape(x) = reshape(dx)"""
    (a,) = op.inputs
    shape, order = op.attrs["shape"], op.attrs.get("order", "C")
    return Linear(lambda t: np.reshape(t, shape, order=order), lambda g: np.reshape(g, a.shape, order=order))


@implements(np.reshape)
def _reshape_of(a: Any, /, shape: Any, order: Any = "C", *, copy: bool | None = None) -> Any:
    return PRIMITIVES["reshape"](a, shape=shape, order=order)


@implements(np.expand_dims)
def _expand_dims_of(a: Any, axis: Any) -> Any:
    return PRIMITIVES["reshape"](a, shape=np.expand_dims(np.empty(a.shape, bool), axis).shape)


# ---------------------------------------------------------------------- broadcast_to

add_primitive(Primitive("broadcast_to", lambda a, shape: np.broadcast_to(a, shape), cases=(
    case((3,), shape=(2, 3)), case((2, 1), shape=(4, 2, 3)), case((), shape=(2,)))))


@RegisterGradient("broadcast_to")
def _broadcast_to(op: Any) -> Any:
    """d broadcast(x) = broadcast(dx); the adjoint sums what was repeated, which the sweep does"""
    shape = op.attrs["shape"]
    return Linear(lambda t: np.broadcast_to(t, shape), lambda g: g)


@implements(np.broadcast_to)
def _broadcast_to_of(array: Any, shape: Any, subok: bool = False) -> Any:
    return PRIMITIVES["broadcast_to"](array, shape=shape)


# ---------------------------------------------------------------------- transpose

add_primitive(Primitive("transpose", lambda a, axes=None: np.transpose(a, axes), cases=(
    case((2, 3)), case((2, 3, 4), axes=(1, 2, 0)), case((3,)))))


@RegisterGradient("transpose")
def _transpose(op: Any) -> Any:
    """d xᵀ = dxᵀ"""
    axes = op.attrs.get("axes")
    back = None if axes is None else tuple(int(axis) for axis in np.argsort([axis % len(axes) for axis in axes]))
    return Linear(lambda t: np.transpose(t, axes), lambda g: np.transpose(g, back))


@implements(np.transpose)
def _transpose_of(a: Any, axes: Any = None) -> Any:
    return PRIMITIVES["transpose"](a, axes=axes)


# ---------------------------------------------------------------------- astype

add_primitive(Primitive("astype", lambda a, dtype: np.asarray(a).astype(dtype)[()], cases=(
    case((2, 3), dtype=np.dtype(float)), case((), dtype=np.dtype(float)))))


@RegisterGradient("astype")
def _astype(op: Any) -> Any:
    """d x = dx, in the other dtype; the adjoint casts back, which the sweep does"""
    dtype = op.attrs["dtype"]
    return Linear(lambda t: t.astype(dtype), lambda g: g)


# ---------------------------------------------------------------------- stack

add_primitive(Primitive("stack", lambda *arrays, axis=0: np.stack(arrays, axis=axis), cases=(
    case((2,), (2,)), case((2, 3), (2, 3), (2, 3), axis=-1))))


@RegisterGradient("stack")
def _stack(op: Any) -> Any:
    """d stack(x₁, …, xₙ) puts each dxᵢ in its slice"""
    axis = op.attrs.get("axis", 0)
    key = (slice(None),) * (axis % op.output.ndim)

    def part(position: int) -> Linear:
        def apply(t: Any) -> Any:
            parts = [np.zeros_like(t)] * len(op.inputs)
            parts[position] = t
            return np.stack(parts, axis=axis)

        return Linear(apply, lambda g: g[(*key, position)])

    return tuple([part(position) for position in range(len(op.inputs))])


@implements(np.stack)
def _stack_of(arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    return PRIMITIVES["stack"](*arrays, axis=axis)
