"""Choosing between arrays and parts of numbers: where, clip, select, piecewise, nan_to_num, real, imag, angle."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..registry import (
    ONE,
    PRIMITIVES,
    Linear,
    NotDifferentiable,
    Primitive,
    RegisterGradient,
    add_primitive,
    case,
    implements,
    value_of,
)
from .arguments import as_operand, no_out

# ---------------------------------------------------------------------- where

add_primitive(Primitive("where", lambda x, y, condition: _choice(condition, x, y), masks=True, cases=(
    case((2, 3), (3,), condition=np.array([[True], [False]])), case((), (3,), condition=np.array([True, False, True])),
    case((), (), condition=np.array([[True, False]])), case((2,), (2,), condition=np.True_),
    case((), (), condition=np.False_), case((0,), (), condition=np.array([True])))))


def _choice(condition: Any, x: Any, y: Any) -> Any:
    """np.where of three arguments, a number where all three are"""
    chosen: Any = np.where(condition, x, y)
    return chosen[()]


@RegisterGradient("where")
def _where(op: Any) -> Any:
    """d where(c, x, y) = dx where c, dy elsewhere"""
    condition = op.attrs["condition"]
    return condition, lambda: ~condition


@implements(np.where)
def _where_of(condition: Any, /, *choices: Any) -> Any:
    condition = value_of(condition)
    if not choices:
        return np.nonzero(condition)
    if len(choices) == 1:
        raise ValueError("np.where: either both or neither of x and y should be given")
    x, y = choices
    # A copy, because the caller may change the condition before the sweep.
    return PRIMITIVES["where"](x, y, condition=np.array(condition, bool)[()])


# ---------------------------------------------------------------------- clip

add_primitive(Primitive("clip", lambda x, low, high: np.minimum(np.maximum(x, low), high), elementwise=True,
                        sympy="Min(Max(x, y), z)", kinks="(x - y)*(x - z)*(y - z)",
                        domain=((-3.0, 3.0), (-2.0, 0.0), (0.0, 2.0)), cases=(
    case((), (), ()), case((4,), (), ()), case((2, 3), (3,), (2, 1)), case((), (3,), ()),
    case((5,), -np.inf, ()), case((5,), (), np.inf), case((0,), (), ()))))


@RegisterGradient("clip")
def _clip(op: Any) -> Any:
    """d clip(x, l, h) = dx for l ≤ x ≤ h, dl below, dh above (and where l ≥ h: it is h whatever x is)"""
    x, low, high = map(value_of, op.inputs)
    above = (x > high) | (low >= high)
    below = (x < low) & ~above
    return ~(above | below), below, above


_MISSING: Any = object()


@implements(np.clip)
def _clip_of(a: Any, a_min: Any = _MISSING, a_max: Any = _MISSING, out: Any = None, *, min: Any = _MISSING,
             max: Any = _MISSING, **ufunc_options: Any) -> Any:
    no_out("np.clip", out)
    if (a_min is _MISSING) != (a_max is _MISSING):
        raise TypeError("np.clip: of a_min and a_max, both or neither must be given; min= and max= may be given alone")
    if a_min is not _MISSING and not (min is max is _MISSING):
        raise ValueError("np.clip: a_min and a_max, or min= and max=, but not both")
    low, high = (min, max) if a_min is _MISSING else (a_min, a_max)
    low, high = (None if bound is _MISSING else bound for bound in (low, high))
    if low is high is None:
        return np.copy(a)
    if (low is None or high is None) and np.result_type(*(value_of(one) for one in (a, low, high)
                                                          if one is not None)).kind in "iub":
        return np.clip(*map(value_of, (a, low, high)))  # infinite bounds would make them floating-point numbers
    operands = [a, -np.inf if low is None else low, np.inf if high is None else high]
    if ufunc_options:
        operands = _as_clipped(operands, **ufunc_options)
    return PRIMITIVES["clip"](*operands)


def _as_clipped(operands: list[Any], dtype: Any = None, casting: Any = "same_kind", where: Any = True, order: Any = "K",
                subok: bool = True) -> list[Any]:
    """The operands in the type to clip in, as a ufunc's keywords choose it."""
    if where is not True:
        raise NotImplementedError("np.clip: where= leaves the result undefined where it is false; use "
                                  "np.where(mask, np.clip(x, low, high), x)")
    dtype = np.result_type(*map(value_of, operands)) if dtype is None else np.dtype(dtype)
    if not np.can_cast(np.result_type(value_of(operands[0])), dtype, casting):
        raise TypeError(f"np.clip: cannot cast from {np.result_type(value_of(operands[0]))} to {dtype} by {casting!r}")
    return [operand if isinstance(operand, float) else as_operand(operand).astype(dtype) for operand in operands]


# ---------------------------------------------------------------------- choices by several conditions

#: Python's numbers take the type of what they meet.
_WEAK = (int, float, complex)


@implements(np.select)
def _select_of(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    conditions, choices = list(map(value_of, condlist)), list(choicelist)
    if len(conditions) != len(choices):
        raise ValueError("list of cases must be same length as list of conditions")
    if not conditions:
        raise ValueError("select with an empty condition list is not possible")
    for position, condition in enumerate(conditions):
        if np.asarray(condition).dtype != bool:
            raise TypeError(f"invalid entry {position} in condlist: should be boolean ndarray")
    choices = [choice if isinstance(choice, _WEAK) else as_operand(choice) for choice in (*choices, default)]
    dtype = np.result_type(*map(value_of, choices))
    result = choices.pop()
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        result = np.where(condition, choice, result)
    return result if result.dtype == dtype else result.astype(dtype)


@implements(np.piecewise)
def _piecewise_of(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    x, condlist = as_operand(x), value_of(condlist)
    if np.isscalar(condlist) or (not isinstance(condlist[0], (list, np.ndarray)) and x.ndim != 0):
        condlist = [condlist]
    conditions = np.asarray([value_of(condition) for condition in condlist], bool)
    if len(conditions) == len(funclist) - 1:
        conditions = np.concatenate([conditions, ~np.any(conditions, axis=0, keepdims=True)])
    elif len(conditions) != len(funclist):
        raise ValueError(f"with {len(conditions)} condition(s), either {len(conditions)} or {len(conditions) + 1} "
                         "functions are expected")
    result = np.zeros(x.shape, x.dtype)[()]
    for condition, piece in zip(conditions, funclist, strict=True):
        chosen = piece
        if callable(piece):
            inputs = x[condition]
            if inputs.size == 0:
                continue
            chosen = piece(inputs, *args, **kw)
            if np.ndim(chosen):
                chosen = PRIMITIVES["scatter"](np.broadcast_to(chosen, inputs.shape), shape=x.shape, key=condition)
        result = np.where(condition, as_operand(chosen).astype(x.dtype), result)
    return result


@implements(np.nan_to_num)
def _nan_to_num_of(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    result = as_operand(x)
    if result.dtype.kind == "c":
        result = (_with_numbers(np.real(result), nan, posinf, neginf)
                  + 1j * _with_numbers(np.imag(result), nan, posinf, neginf))
    elif result.dtype.kind == "f":
        result = _with_numbers(result, nan, posinf, neginf)
    if copy:
        return np.copy(result) if result is x else result
    x[...] = result
    return x


def _with_numbers(x: Any, nan: Any, posinf: Any, neginf: Any) -> Any:
    """A real array with numbers in the place of what is none; the largest of its type for infinities by default."""
    limits, values = np.finfo(x.dtype), value_of(x)
    for missing, number in ((np.isnan(values), nan), (np.isposinf(values), limits.max if posinf is None else posinf),
                            (np.isneginf(values), limits.min if neginf is None else neginf)):
        if np.any(missing):
            x = np.where(missing, as_operand(number).astype(x.dtype), x)
    return x


# ---------------------------------------------------------------------- real and imaginary parts

add_primitive(Primitive("real", lambda x: np.real(x)[()], elementwise=True, sympy="re(x)"))
add_primitive(Primitive("imag", lambda x: np.imag(x)[()], elementwise=True, sympy="im(x)"))


@RegisterGradient("real", reads="nothing")
def _real(op: Any) -> Any:
    """d Re(x) = Re(dx)"""
    return Linear(np.real, lambda g: g + 0j) if np.iscomplexobj(op.inputs[0]) else ONE


@RegisterGradient("imag", reads="nothing")
def _imag(op: Any) -> Any:
    """d Im(x) = Im(dx), whose adjoint is multiplication by i"""
    return Linear(np.imag, lambda g: 1j * g) if np.iscomplexobj(op.inputs[0]) else 0


@implements(np.real)
def _real_of(val: Any) -> Any:
    return PRIMITIVES["real"](val)


@implements(np.imag)
def _imag_of(val: Any) -> Any:
    return PRIMITIVES["imag"](val)


@implements(np.angle)
def _angle_of(z: Any, deg: bool = False) -> Any:
    radians = np.arctan2(np.imag(z), np.real(z)) if np.iscomplexobj(z) else np.arctan2(0.0, z)
    return radians * (180 / np.pi) if deg else radians


@implements(np.real_if_close)
def _real_if_close_of(a: Any, tol: float = 100) -> Any:
    return np.real(a) if np.iscomplexobj(a) and not np.iscomplexobj(np.real_if_close(value_of(a), tol)) else a


# ---------------------------------------------------------------------- rounding: constant between the jumps

add_primitive(Primitive("round", lambda x, decimals=0: np.asarray(np.round(x, decimals))[()]))
NotDifferentiable("round")


@implements(np.round)
def _round_of(a: Any, decimals: int = 0, out: Any = None) -> Any:
    no_out("np.round", out)
    return PRIMITIVES["round"](a, decimals=value_of(decimals))


@implements(np.around)
def _around_of(a: Any, decimals: int = 0, out: Any = None) -> Any:
    return _round_of(a, decimals, out)


@implements(np.fix)
def _fix_of(x: Any, out: Any = None) -> Any:
    no_out("np.fix", out)
    return np.trunc(x)
