"""Reshaping, transposing, broadcasting, copying, casting, turning: the same elements in other places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..registry import ONE, PRIMITIVES, Linear, Primitive, RegisterGradient, add_primitive, case, implements, value_of
from .arguments import as_operand

# ---------------------------------------------------------------------- reshape


def _reshape_kernel(a: Any, shape: Any, order: Any = "C", copy: bool | None = None) -> Any:
    if order == "C" and copy is None and a.__class__ is np.ndarray:
        return a.reshape(shape)[()]  # without NumPy's detours
    result = np.reshape(a, shape, order=order)
    if copy is not None and np.may_share_memory(result, a) != (not copy):
        if not copy:
            raise ValueError("reshape: copy=False, but this shape and order cannot be had without a copy")
        result = result.copy()
    return result[()]


add_primitive(Primitive("reshape", _reshape_kernel, cases=(
    case((2, 3), shape=(3, 2)), case((2, 3), shape=-1, order="F"), case((), shape=(1, 1)), case((0, 2), shape=(0,)),
    case((1,), shape=()), case((2, 3, 2), shape=(3, -1), copy=True))))


@RegisterGradient("reshape", reads="nothing")
def _reshape(op: Any) -> Any:
    """d reshape(x) = reshape(dx)"""
    (a,) = op.inputs
    shape, order, reshape = op.attrs["shape"], op.attrs.get("order", "C"), PRIMITIVES["reshape"]
    return Linear(lambda t: reshape(t, shape=shape, order=order), lambda g: reshape(g, shape=a.shape, order=order))


def reshape(a: Any, shape: Any, order: Any = "C", copy: bool | None = None) -> Any:
    """A reshape that is recorded with what its order means here, which depends on the memory of `a` alone."""
    attrs: dict[str, Any] = {"shape": shape}
    order = _settled_order(a, order)
    if order != "C":
        attrs["order"] = order
    if copy is not None:
        attrs["copy"] = copy
    return PRIMITIVES["reshape"](a, **attrs)


def _settled_order(a: Any, order: Any) -> str:
    order = "C" if order is None else str(order).upper()
    return order if order != "A" else "F" if value_of(a).flags.fnc else "C"


@implements(np.reshape)
def _reshape_of(a: Any, /, shape: Any, order: Any = "C", *, copy: bool | None = None) -> Any:
    return reshape(a, shape, order, copy)


@implements(np.ravel)
def _ravel_of(a: Any, order: Any = "C") -> Any:
    return _flat(a, order)


def flatten(a: Any, order: Any = "C") -> Any:
    """``a.flatten(order)``: a copy with one axis."""
    return _flat(a, order, copy=True)


def _flat(a: Any, order: Any, copy: bool | None = None) -> Any:
    if str(order).upper() == "K":
        order = "C"
        if not value_of(a).flags.c_contiguous:
            strides = value_of(a).strides
            a = np.transpose(a, sorted(range(a.ndim), key=lambda axis: -abs(strides[axis])))
    if copy is None and not np.reshape(value_of(a), -1, order=order).flags.contiguous:
        copy = True  # ravel makes it so, where reshape gives a view of what lies apart
    return reshape(a, -1, order, copy)


def _reshaped_as(function: Callable[..., Any], a: Any, *args: Any) -> Any:
    """`a` in the shape that `function` gives its value: the errors are then NumPy's own."""
    return PRIMITIVES["reshape"](a, shape=function(value_of(a), *args).shape)


@implements(np.expand_dims)
def _expand_dims_of(a: Any, axis: Any) -> Any:
    return _reshaped_as(np.expand_dims, a, axis)


@implements(np.squeeze)
def _squeeze_of(a: Any, axis: Any = None) -> Any:
    return _reshaped_as(np.squeeze, a, axis)


def _at_least(function: Callable[..., Any]) -> Callable[..., Any]:
    def at_least(*arrays: Any) -> Any:
        results = tuple([_reshaped_as(function, as_operand(array)) for array in arrays])
        return results[0] if len(results) == 1 else results

    return at_least


for _function in (np.atleast_1d, np.atleast_2d, np.atleast_3d):
    implements(_function)(_at_least(_function))

# ---------------------------------------------------------------------- transpose

add_primitive(Primitive("transpose", lambda a, axes=None: np.transpose(a, axes)[()], cases=(
    case((2, 3)), case((2, 3, 4), axes=(1, 2, 0)), case((2, 3, 4), axes=(-1, 0, -2)), case((3,)), case(()),
    case((0, 2)))))


@RegisterGradient("transpose", reads="nothing")
def _transpose(op: Any) -> Any:
    """d xᵀ = dxᵀ"""
    axes, transpose = op.attrs.get("axes"), PRIMITIVES["transpose"]
    back = None
    if axes is not None:
        count = len(axes)
        back = tuple(sorted(range(count), key=lambda place: axes[place] % count))
    return Linear(lambda t: transpose(t, axes=axes), lambda g: transpose(g, axes=back))


@implements(np.transpose)
def _transpose_of(a: Any, axes: Any = None) -> Any:
    return PRIMITIVES["transpose"](a) if axes is None else PRIMITIVES["transpose"](a, axes=tuple(axes))


def _transposed_as(function: Callable[..., Any], a: Any, *args: Any) -> Any:
    """`a` with its axes in the order that `function` gives them.

    An array of the shape (0, 1, 2, ...) has no elements, and comes back with the permutation for a shape.
    """
    return PRIMITIVES["transpose"](a, axes=function(np.empty(range(a.ndim), bool), *args).shape)


@implements(np.swapaxes)
def _swapaxes_of(a: Any, axis1: int, axis2: int) -> Any:
    return _transposed_as(np.swapaxes, a, axis1, axis2)


@implements(np.moveaxis)
def _moveaxis_of(a: Any, source: Any, destination: Any) -> Any:
    return _transposed_as(np.moveaxis, a, source, destination)


@implements(np.rollaxis)
def _rollaxis_of(a: Any, axis: int, start: int = 0) -> Any:
    return _transposed_as(np.rollaxis, a, axis, start)


@implements(np.matrix_transpose)
def _matrix_transpose_of(x: Any, /) -> Any:
    return _transposed_as(np.matrix_transpose, x)


# ---------------------------------------------------------------------- broadcasting

add_primitive(Primitive("broadcast_to", lambda a, shape: np.broadcast_to(a, shape)[()], cases=(
    case((3,), shape=(2, 3)), case((2, 1), shape=(4, 2, 3)), case((), shape=(2,)), case((1, 2), shape=(0, 2)),
    case((), shape=()))))


@RegisterGradient("broadcast_to", reads="nothing")
def _broadcast_to(op: Any) -> Any:
    """d broadcast(x) = broadcast(dx); the adjoint sums what was repeated, which the sweep does"""
    shape, broadcast_to = op.attrs["shape"], PRIMITIVES["broadcast_to"]
    return Linear(lambda t: broadcast_to(t, shape=shape), lambda g: g)


@implements(np.broadcast_to)
def _broadcast_to_of(array: Any, shape: Any, subok: bool = False) -> Any:
    return PRIMITIVES["broadcast_to"](array, shape=shape)


@implements(np.broadcast_arrays)
def _broadcast_arrays_of(*args: Any, subok: bool = False) -> Any:
    arrays = [as_operand(array) for array in args]
    shape = np.broadcast_shapes(*[array.shape for array in arrays])
    return tuple([array if array.shape == shape else np.broadcast_to(array, shape) for array in arrays])


@implements(np.meshgrid)
def _meshgrid_of(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing must be 'xy' or 'ij', not {indexing!r}")
    places = list(range(len(xi)))
    if indexing == "xy" and len(xi) > 1:
        places[:2] = [1, 0]
    grids: Any = [np.reshape(as_operand(x), (1,) * place + (-1,) + (1,) * (len(xi) - 1 - place))
                  for x, place in zip(xi, places, strict=True)]
    if not sparse:
        grids = np.broadcast_arrays(*grids)
    return tuple(map(np.copy, grids)) if copy else tuple(grids)


# ---------------------------------------------------------------------- copies and casts

add_primitive(Primitive("copy", lambda x, order="K": np.array(x, order=order, copy=True)[()], elementwise=True,
                        sympy=lambda x, order="K": x))
add_primitive(Primitive("astype", lambda a, dtype, **layout: np.asarray(a).astype(dtype, **layout)[()], cases=(
    case((2, 3), dtype=np.dtype(float)), case((), dtype=np.dtype(float)), case((0,), dtype=np.dtype(float)),
    case((2, 3), dtype=np.dtype(float), order="F"))))


@RegisterGradient("copy", reads="nothing")
def _copy(op: Any) -> Any:
    """d x = dx"""
    return ONE


@RegisterGradient("astype", reads="nothing")
def _astype(op: Any) -> Any:
    """d x = dx, in the other dtype, its real part where that is real; the adjoint casts back, which the sweep does"""
    dtype = op.attrs["dtype"]
    loses_imaginary_part = op.inputs[0].dtype.kind == "c" and dtype.kind != "c"
    return Linear(lambda t: (np.real(t) if loses_imaginary_part else t).astype(dtype), lambda g: g)


@implements(np.copy)
def _copy_of(a: Any, order: Any = "K", subok: bool = False) -> Any:
    return PRIMITIVES["copy"](a) if order == "K" else PRIMITIVES["copy"](a, order=order)


def astype(a: Any, dtype: Any, order: Any = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True) -> Any:
    """``a.astype(dtype)``; truth values and integers have no derivative and are plain arrays.

    Raises
    ------
    TypeError
        If `dtype` is not a type of numbers: its elements could not hold a derivative.
    """
    dtype = np.dtype(dtype)
    if dtype.kind in "iub":
        return value_of(a).astype(dtype, order=order, casting=casting)
    if dtype.kind not in "fc":
        raise TypeError(f"astype: an array of dtype {dtype} cannot be differentiated; use x.detach().numpy() to leave "
                        "the tape first")
    if not copy and a.dtype == dtype and order in ("K", "A"):
        return a
    layout = {"order": order} if order != "K" else {}
    return PRIMITIVES["astype"](a, dtype=dtype, **layout, **({"casting": casting} if casting != "unsafe" else {}))


if hasattr(np, "astype"):  # since NumPy 2.1
    @implements(np.astype)
    def _astype_of(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
        if device not in (None, "cpu"):
            raise ValueError(f"np.astype: device must be 'cpu' or None, not {device!r}")
        return astype(x, dtype, copy=copy)


# ---------------------------------------------------------------------- turning

add_primitive(Primitive("roll", lambda a, shift, axis=None: np.roll(a, shift, axis)[()], cases=(
    case((4,), shift=1), case((2, 3), shift=-4), case((2, 3), shift=(1, 2), axis=(0, -1)),
    case((2, 3), shift=1, axis=1), case((0,), shift=2))))


@RegisterGradient("roll", reads="nothing")
def _roll(op: Any) -> Any:
    """d roll(x) = roll(dx)"""
    shift, axis, roll = op.attrs["shift"], op.attrs.get("axis"), PRIMITIVES["roll"]
    back = tuple([-one for one in shift]) if isinstance(shift, tuple) else -shift
    return Linear(lambda t: roll(t, shift=shift, axis=axis), lambda g: roll(g, shift=back, axis=axis))


@implements(np.roll)
def _roll_of(a: Any, shift: Any, axis: Any = None) -> Any:
    shift = np.asarray(value_of(shift)).tolist()  # a copy: the caller may change an array of shifts
    return PRIMITIVES["roll"](a, shift=tuple(shift) if isinstance(shift, list) else shift, axis=axis)


@implements(np.flip)
def _flip_of(m: Any, axis: Any = None) -> Any:
    axes = range(m.ndim) if axis is None else normalize_axis_tuple(axis, m.ndim)
    return m[tuple([slice(None, None, -1 if position in axes else None) for position in range(m.ndim)])]


@implements(np.flipud)
def _flipud_of(m: Any) -> Any:
    if m.ndim < 1:
        raise ValueError("flipud: the input must have at least one axis")
    return m[::-1, ...]


@implements(np.fliplr)
def _fliplr_of(m: Any) -> Any:
    if m.ndim < 2:
        raise ValueError("fliplr: the input must have at least two axes")
    return m[:, ::-1]


@implements(np.rot90)
def _rot90_of(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    if len(axes) != 2:
        raise ValueError(f"rot90: axes must be two, not {axes!r}")
    first, second = normalize_axis_tuple(axes, m.ndim)
    turns = k % 4
    if turns == 0:
        return m[...]
    if turns == 2:
        return np.flip(m, (first, second))
    if turns == 1:
        return np.flip(np.swapaxes(m, first, second), first)
    return np.swapaxes(np.flip(m, first), first, second)
