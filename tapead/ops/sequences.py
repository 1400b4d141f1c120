"""Functions of samples in a row: differences, integrals, interpolation, convolution, phases."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..registry import ONE, Linear, Primitive, RegisterGradient, add_primitive, case, implements, value_of
from .arguments import as_operand, constant
from .axes import BACKWARDS, aloud, conjugate
from .indexing import along

# ---------------------------------------------------------------------- differences


@implements(np.diff)
def _diff_of(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    if n == 0:
        return a
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    a = as_operand(a)
    if a.ndim == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    axis = normalize_axis_index(axis, a.ndim)
    ends = [_beside(a, axis, end) for end in (prepend, append)]
    parts = [part for part in (ends[0], a, ends[1]) if part is not None]
    result = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=axis)
    for _ in range(n):
        result = result[along(axis, slice(1, None))] - result[along(axis, slice(None, -1))]
    return result


def _beside(a: Any, axis: int, end: Any) -> Any:
    """What is to stand before or after `a` along an axis; a number stands for one slice of it."""
    if end is None or end is np._NoValue:
        return None
    end = as_operand(end)
    shape = list(a.shape)
    shape[axis] = 1
    return np.broadcast_to(end, tuple(shape)) if end.ndim == 0 else end


@implements(np.ediff1d)
def _ediff1d_of(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    flat = np.ravel(as_operand(ary))
    parts = [flat[1:] - flat[:-1]]
    for name, end in (("to_begin", to_begin), ("to_end", to_end)):
        if end is not None:
            end = np.ravel(as_operand(end))
            if not np.can_cast(end.dtype, flat.dtype, "same_kind"):
                raise TypeError(f"dtype of `{name}` must be compatible with input `ary` under the `same_kind` rule.")
            parts.insert(0 if name == "to_begin" else len(parts), end.astype(flat.dtype))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


@implements(np.gradient)
def _gradient_of(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = as_operand(f)
    axes = tuple(range(f.ndim)) if axis is None else normalize_axis_tuple(axis, f.ndim)
    if edge_order not in (1, 2):
        raise ValueError("'edge_order' greater than 2 not supported")
    if f.dtype.kind not in "fc":
        f = f.astype(float)
    gaps = _gaps(f, varargs, axes)
    results = [_slope(f, axis, gap, edge_order).astype(f.dtype, copy=False)
               for axis, gap in zip(axes, gaps, strict=True)]
    return results[0] if len(axes) == 1 else tuple(results)


def _gaps(f: Any, varargs: tuple[Any, ...], axes: tuple[int, ...]) -> list[Any]:
    """The distances between samples, for each axis one number or an array of them."""
    if not varargs:
        return [1.0] * len(axes)
    if len(varargs) == 1 and np.ndim(varargs[0]) == 0:
        return [varargs[0]] * len(axes)
    if len(varargs) != len(axes):
        raise TypeError(f"np.gradient: {len(varargs)} spacings for {len(axes)} axes")
    gaps = []
    for axis, places in zip(axes, varargs, strict=True):
        if np.ndim(places) == 0:
            gaps.append(places)
            continue
        places = as_operand(places)
        if places.ndim != 1:
            raise ValueError("distances must be either scalars or 1d")
        if len(places) != f.shape[axis]:
            raise ValueError("when 1d, distances must match the length of the corresponding dimension")
        gaps.append(np.diff(places.astype(float) if places.dtype.kind in "iub" else places))
    return gaps


def _slope(f: Any, axis: int, gap: Any, edge_order: int) -> Any:
    """Slopes along one axis: central differences inside, one-sided ones at the ends."""
    size = f.shape[axis]
    if size < edge_order + 1:
        raise ValueError("Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) "
                         "elements are required.")

    def at(start: int | None, stop: int | None) -> Any:
        return f[along(axis, slice(start, stop))]

    known = value_of(gap)
    if np.ndim(gap) and not getattr(gap, "requires_grad", False) and np.all(known == known[0]):
        gap = known[0]  # NumPy's shortcut: the formula for equal gaps rounds otherwise
    first = last = gap
    if np.ndim(gap) == 0:
        inside = (at(2, None) - at(None, -2)) / (2.0 * gap)
        second = before = gap
    else:
        def column(values: Any) -> Any:
            return np.reshape(values, tuple([-1 if one == axis else 1 for one in range(f.ndim)]))

        left, right = gap[:-1], gap[1:]
        inside = (column(-right / (left * (left + right))) * at(None, -2)
                  + column((right - left) / (left * right)) * at(1, -1)
                  + column(left / (right * (left + right))) * at(2, None))
        first, last = gap[0], gap[-1]
        second, before = (gap[1], gap[-2]) if size > 2 else (None, None)
    if edge_order == 1:
        start, end = (at(1, 2) - at(0, 1)) / first, (at(-1, None) - at(-2, -1)) / last
    else:
        start = (-(2.0 * first + second) / (first * (first + second)) * at(0, 1)
                 + (first + second) / (first * second) * at(1, 2) - first / (second * (first + second)) * at(2, 3))
        end = (last / (before * (before + last)) * at(-3, -2) - (last + before) / (before * last) * at(-2, -1)
               + (2.0 * last + before) / (last * (before + last)) * at(-1, None))
    return np.concatenate([start, inside, end], axis=axis)


@implements(np.trapezoid)
def _trapezoid_of(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = as_operand(y)
    place, axis = axis, normalize_axis_index(axis, y.ndim)
    if x is None:
        widths = dx
    else:
        x = as_operand(x)
        widths = np.diff(x, axis=place if x.ndim > 1 else 0)
        if x.ndim == 1:
            widths = np.reshape(widths, (-1, *(1,) * (y.ndim - axis - 1)))
    return np.sum(widths * (y[along(axis, slice(1, None))] + y[along(axis, slice(None, -1))]) / 2.0, axis=place)


# ---------------------------------------------------------------------- interpolation


@implements(np.interp)
def _interp_of(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    x, xp, fp = [_as_float(value) for value in (x, xp, fp)]
    if x.dtype.kind == "c" or xp.dtype.kind == "c":
        raise TypeError("np.interp: x and xp must be real; fp may be complex")
    if xp.ndim != 1 or fp.ndim != 1:
        raise ValueError("Data points must be 1-D sequences")
    if xp.shape[0] != fp.shape[0]:
        raise ValueError("fp and xp are not of the same length.")
    if xp.shape[0] == 0:
        raise ValueError("array of sample points is empty")
    if period is not None:
        if np.all(value_of(period) == 0):
            raise ValueError("period must be a non-zero value")
        x, xp, fp = _over_periods(x, xp, fp, np.abs(period))
        left = right = None
    places, known = value_of(xp), value_of(x)
    last = places.size - 1
    at = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, last)
    start = np.minimum(at, max(last - 1, 0))
    width = xp[np.minimum(start + 1, last)] - xp[start]
    rise = fp[np.minimum(start + 1, last)] - fp[start]
    flat = value_of(width) == 0
    slope = np.where(flat, 0, rise / np.where(flat, 1, width)) if np.any(flat) else rise / width
    result = slope * (x - xp[at]) + fp[at]
    below, above = known < places[0], known > places[-1]
    if np.any(below):
        result = np.where(below, fp[0] if left is None else left, result)
    if np.any(above):
        result = np.where(above, fp[-1] if right is None else right, result)
    return result


def _as_float(value: Any) -> Any:
    value = as_operand(value)
    dtype = np.dtype(complex if value.dtype.kind == "c" else float)
    return value if value.dtype == dtype else value.astype(dtype)


def _over_periods(x: Any, xp: Any, fp: Any, period: Any) -> tuple[Any, Any, Any]:
    """Everything folded into one period, the samples sorted and continued by one on either side."""
    x, xp = x % period, xp % period
    order = np.argsort(value_of(xp))
    xp, fp = xp[order], fp[order]
    return (x, np.concatenate([xp[-1:] - period, xp, xp[:1] + period]), np.concatenate([fp[-1:], fp, fp[:1]]))


# ---------------------------------------------------------------------- convolution

_CONVOLVE = add_primitive(Primitive("convolve", lambda a, v: np.convolve(a, v), cases=(
    case((4,), (3,)), case((2,), (5,)), case((1,), (1,)))))


@RegisterGradient("convolve")
def _convolve(op: Any) -> Any:
    """d (a ∗ v) = da ∗ v + a ∗ dv; the adjoint correlates with the other operand"""
    a, v = op.inputs
    return (Linear(lambda t: aloud(np.convolve(t, v)), lambda g: aloud(_correlated(g, v))),
            Linear(lambda t: aloud(np.convolve(a, t)), lambda g: aloud(_correlated(g, a))))


def _correlated(g: Any, v: Any) -> Any:
    """Σₙ g[k + n] conj(v[n]) for those k where all of v meets g"""
    return np.convolve(g, conjugate(v)[BACKWARDS])[v.shape[0] - 1:g.shape[0]]


def _window(full: Any, long: int, short: int, mode: str, function: str) -> Any:
    """The part of a full convolution that a mode asks for; `short` is the length of the shorter operand."""
    if mode == "full":
        return full
    if mode == "valid":
        return full[short - 1:long]
    if mode == "same":
        start = short - 1 - short // 2
        return full[start:start + long]
    raise ValueError(f"np.{function}: mode must be one of 'valid', 'same', or 'full' (got {mode!r})")


@implements(np.convolve)
def _convolve_of(a: Any, v: Any, mode: str = "full") -> Any:
    a, v = _one_axis(a, v, "convolve")
    if v.shape[0] > a.shape[0]:
        a, v = v, a
    return _window(_CONVOLVE(a, v), a.shape[0], v.shape[0], mode, "convolve")


@implements(np.correlate)
def _correlate_of(a: Any, v: Any, mode: str = "valid") -> Any:
    a, v = _one_axis(a, v, "correlate")
    full = _CONVOLVE(a, conjugate(v)[BACKWARDS])
    if v.shape[0] > a.shape[0]:  # NumPy swaps the operands, so that its window is counted from the other end
        return _window(full[BACKWARDS], v.shape[0], a.shape[0], mode, "correlate")[BACKWARDS]
    return _window(full, a.shape[0], v.shape[0], mode, "correlate")


def _one_axis(a: Any, v: Any, function: str) -> list[Any]:
    operands = []
    for name, operand in (("a", a), ("v", v)):
        operand = as_operand(operand)
        operand = np.reshape(operand, (1,)) if operand.ndim == 0 else operand
        if operand.ndim > 1:
            raise ValueError(f"np.{function}: object too deep for desired array, {name} has shape {operand.shape}")
        if operand.shape[0] == 0:
            raise ValueError(f"np.{function}: {name} cannot be empty")
        operands.append(operand)
    return operands


# ---------------------------------------------------------------------- phases

_UNWRAP = add_primitive(Primitive("unwrap", np.unwrap, cases=(
    case((5,)), case((3, 2), axis=0, period=1.3), case((4,), discont=4.0))))


@RegisterGradient("unwrap")
def _unwrap(op: Any) -> Any:
    """d unwrap(p) = dp: whole periods are added"""
    return ONE


@implements(np.unwrap)
def _unwrap_of(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * np.pi) -> Any:
    discont, turn = constant("np.unwrap", "discont", discont), value_of(period)
    result = _UNWRAP(p, discont=discont, axis=axis, period=turn)
    if turn is period:
        return result
    turns = np.rint((value_of(result) - value_of(p)) / turn)
    return result + turns * (period - turn)
