"""Ufuncs called in other ways than ``f(x, y)``: with keywords, by their methods, or with several results.

Everything is reduced to calls of primitives. What cannot be (writing into an array, an unknown ufunc) raises with the
way round; nothing is ignored but ``order=`` and ``subok=``, which choose a memory layout and a class and no value.
"""

from __future__ import annotations

import importlib
import operator
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..registry import PRIMITIVES, UFUNCS, Linear, Primitive, RegisterGradient, add_primitive, case, value_of
from .arguments import is_tensor
from .writing import write_at

Options = dict[str, Any]


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: Options) -> Any:
    """A ufunc on tensors, whatever the way it was called.

    Parameters
    ----------
    ufunc, method, inputs, kwargs
        As ``__array_ufunc__`` receives them.

    Returns
    -------
    Tensor, array or tuple of such
        What NumPy would return, tracked where it depends on something tracked.

    Raises
    ------
    NotImplementedError
        If the ufunc has no derivative, or the call would lose one; the message has the way round.
    """
    if ufunc not in UFUNCS and ufunc not in COMPOSED and ufunc not in ON_VALUES:
        _load_rules_of_scipy()
    if method == "at" or any(one is not None for one in kwargs.get("out", ())):
        return write_in_place(ufunc, method, inputs, kwargs)
    options = {name: value for name, value in kwargs.items() if name != "out"}
    primitive = UFUNCS.get(ufunc)
    if ufunc not in COMPOSED and (primitive is None or not primitive.differentiable):
        if primitive is None and ufunc not in ON_VALUES:
            raise _unknown(ufunc)
        if method != "__call__":
            return getattr(ufunc, method)(*map(value_of, inputs), **options)
    return _METHODS[method](ufunc, inputs, options)


def _load_rules_of_scipy() -> None:
    """Fill the registry with scipy.special's ufuncs, at the first ufunc that is not NumPy's."""
    if "scipy.special" in sys.modules and "tapead.scipy.special" not in sys.modules:
        importlib.import_module("tapead.scipy.special")


def write_in_place(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: Options) -> Any:
    """A ufunc that writes into one of its arguments: ``out=``, or the method ``at``."""
    name, targets, primitive = _name(ufunc), inputs[:1] if method == "at" else kwargs["out"], UFUNCS.get(ufunc)
    constant = ufunc in ON_VALUES or (primitive is not None and not primitive.differentiable)
    if constant and all(isinstance(target, np.ndarray) for target in targets):
        # Truth values, integers and steps have no derivative that could be lost.
        options = {key: value_of(value) for key, value in kwargs.items()}
        return getattr(ufunc, method)(*map(value_of, inputs), **options)
    if method == "at":
        return write_at(ufunc, *inputs)
    if not all(map(is_tensor, targets)):
        raise NotImplementedError(f"{name}(..., out=...) writes a tensor's values into an array, which has no place on "
                                  f"the tape; leave out= away and use the result, y = {name}(...); for a += b, use "
                                  "a = a + b")
    options = {key: value for key, value in kwargs.items() if key not in ("out", "where")}
    found = getattr(ufunc, method)(*inputs, **options)
    where = value_of(kwargs.get("where", True))
    casting = kwargs.get("casting", "same_kind")
    for target, result in zip(targets, found if len(targets) > 1 else (found,), strict=True):
        dtype = np.asarray(value_of(result)).dtype
        if not np.can_cast(dtype, target.dtype, casting):
            raise TypeError(f"{name}(..., out=...): cannot cast the result from {dtype} to {target.dtype} with casting "
                            f"rule {casting!r}")
        if np.ndim(result) > target.ndim:  # an assignment would leave axes of length 1 out, a ufunc does not
            raise ValueError(f"{name}(..., out=...): the result has shape {np.shape(result)}, the tensor to write into "
                             f"{target.shape}")
        target[...] = result if where is True else np.where(where, result, target)
    return targets if len(targets) > 1 else targets[0]


def _name(ufunc: np.ufunc) -> str:
    return f"np.{ufunc.__name__}" if getattr(np, ufunc.__name__, None) is ufunc else ufunc.__name__


def _unknown(ufunc: np.ufunc) -> NotImplementedError:
    return NotImplementedError(f"{_name(ufunc)} has no derivative here; make it a primitive with @tapead.primitive "
                               "and @tapead.RegisterGradient, or use x.detach() to leave the tape on purpose")


# ---------------------------------------------------------------------- calls with keywords


def _call(ufunc: np.ufunc, inputs: tuple[Any, ...], options: Options) -> Any:
    """``ufunc(*inputs, **options)``"""
    options = {name: value for name, value in options.items() if name not in ("order", "subok")}
    if options.pop("where", True) is not True:
        raise NotImplementedError(f"{_name(ufunc)}(..., where=mask) leaves its result undefined where the mask is "
                                  f"false; use np.where(mask, {_name(ufunc)}(...), other)")
    axes = {name: options.pop(name) for name in ("axes", "axis", "keepdims") if name in options}
    inputs = _cast(ufunc, inputs, **options)
    return _apply_along(ufunc, inputs, **axes) if axes else _apply(ufunc, inputs)


def _apply(ufunc: np.ufunc, inputs: tuple[Any, ...]) -> Any:
    """``ufunc(*inputs)``"""
    if ufunc in COMPOSED:
        return COMPOSED[ufunc](*inputs)
    if ufunc in ON_VALUES:
        return ufunc(*map(value_of, inputs))
    return UFUNCS[ufunc](*inputs)


def _cast(ufunc: np.ufunc, inputs: tuple[Any, ...], dtype: Any = None, signature: Any = None, sig: Any = None,
          casting: Any = "same_kind") -> tuple[Any, ...]:
    """The operands as the loop takes them that ``dtype=`` or ``signature=`` chooses"""
    signature = sig if signature is None else signature
    if dtype is not None:
        signature = (None,) * ufunc.nin + (np.dtype(dtype),) * ufunc.nout
    elif isinstance(signature, str):
        signature = tuple(map(np.dtype, signature.replace("->", "")))
    if signature is None and casting == "same_kind":
        return inputs
    kinds = tuple([type(x) if x.__class__ in (int, float, complex) else np.result_type(x) for x in inputs])
    signature = (None,) * ufunc.nargs if signature is None else signature
    dtypes = ufunc.resolve_dtypes(kinds + (None,) * ufunc.nout, signature=signature, casting=casting)
    return tuple([_as_type(x, one) for x, one in zip(inputs, dtypes, strict=False)])


def _as_type(x: Any, dtype: np.dtype[Any]) -> Any:
    if dtype.kind not in "fc":
        return np.asarray(value_of(x), dtype)
    return x if getattr(x, "dtype", None) == dtype else PRIMITIVES["astype"](x, dtype=dtype)


def _apply_along(ufunc: np.ufunc, inputs: tuple[Any, ...], axes: Any = None, axis: int | None = None,
                 keepdims: bool = False) -> Any:
    """A generalised ufunc such as matmul or vecdot over other axes than the last"""
    if ufunc.signature is None:
        raise TypeError(f"{_name(ufunc)} works element by element: it takes no axes=, axis= or keepdims=")
    if axis is not None:
        axes = [axis] * ufunc.nin
    elif axes is None:
        axes = [-1] * ufunc.nin
    places = [(operator.index(place),) if np.ndim(place) == 0 else tuple(place) for place in axes]
    result = _apply(ufunc, tuple([np.moveaxis(x, place, range(-len(place), 0)) if place else x
                                  for x, place in zip(inputs, places, strict=False)]))
    if keepdims:
        return np.expand_dims(result, places[-1] if len(places) > ufunc.nin else places[0])
    if len(places) > ufunc.nin and places[-1]:
        return np.moveaxis(result, range(-len(places[-1]), 0), places[-1])
    return result


# ---------------------------------------------------------------------- methods

_REDUCTIONS: dict[np.ufunc, Callable[..., Any]] = {
    np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min}
_CUMULATIONS: dict[np.ufunc, Callable[..., Any]] = {np.add: np.cumsum, np.multiply: np.cumprod}
#: Associative and commutative: they may be reduced by halves.
_IN_ANY_ORDER = frozenset([np.logaddexp, np.logaddexp2, np.hypot, np.fmax, np.fmin, np.maximum, np.minimum])


def _reduce(ufunc: np.ufunc, inputs: tuple[Any, ...], options: Options) -> Any:
    """``ufunc.reduce(x, axis=0, dtype=None, keepdims=False, initial=..., where=True)``"""
    (x,) = inputs
    options = {"axis": 0, **options}
    where = value_of(options.pop("where", True))
    dtype = options.pop("dtype", None)
    x = x if dtype is None else _as_type(x, np.dtype(dtype))
    function = _REDUCTIONS.get(ufunc)
    if function is not None:
        return function(x, **options) if where is True else function(x, **options, where=where)
    if where is not True:
        if ufunc.identity is None:
            raise ValueError(f"{_name(ufunc)}.reduce(..., where=mask): this function has no identity to put where the "
                             f"mask is false; select before, {_name(ufunc)}.reduce(x[mask])")
        x = np.where(np.broadcast_to(where, x.shape), x, ufunc.identity)
    initial = options.pop("initial", None)
    # NumPy knows which axes may be reduced, and the shape of the result.
    given = {} if initial is None else {"initial": value_of(initial)}
    plain = ufunc.reduce(value_of(x), **options, **given)
    if x.size == 0:
        return plain
    axes = options["axis"] if x.ndim else ()
    axes = tuple(range(x.ndim)) if axes is None else (axes,) if np.ndim(axes) == 0 else axes
    rows = np.moveaxis(x, axes, tuple(range(len(axes))))
    rows = np.reshape(rows, (-1, *rows.shape[len(axes):]))
    if initial is None and len(rows) == 1:
        initial = ufunc.identity  # NumPy's hypot begins with it, and so has no sign
    if ufunc in _IN_ANY_ORDER:
        total = _halved(ufunc, rows)
        total = total if initial is None else _apply(ufunc, (initial, total))
    else:
        total = _folded(ufunc, rows, initial)[-1]
    return np.reshape(total, np.shape(plain)) if np.shape(total) != np.shape(plain) else total


def _halved(ufunc: np.ufunc, rows: Any) -> Any:
    """A reduction over the first axis, one half with the other, in a few operations whatever its length"""
    while len(rows) > 1:
        half = len(rows) // 2
        merged = _apply(ufunc, (rows[:half], rows[half:2 * half]))
        rows = np.concatenate([merged, rows[2 * half:]]) if len(rows) % 2 else merged
    return rows[0]


def _folded(ufunc: np.ufunc, rows: Any, initial: Any = None) -> list[Any]:
    """The partial results of a reduction over the first axis, from left to right"""
    results = [rows[0] if initial is None else _apply(ufunc, (initial, rows[0]))]
    for position in range(1, len(rows)):
        results.append(_apply(ufunc, (results[-1], rows[position])))
    return results


def _accumulate(ufunc: np.ufunc, inputs: tuple[Any, ...], options: Options) -> Any:
    """``ufunc.accumulate(x, axis=0, dtype=None)``"""
    (x,) = inputs
    axis, dtype = options.get("axis", 0), options.get("dtype")
    x = x if dtype is None else _as_type(x, np.dtype(dtype))
    plain = ufunc.accumulate(value_of(x), axis=axis)
    if ufunc in _CUMULATIONS:
        return _CUMULATIONS[ufunc](x, axis=axis)
    if plain.size == 0:
        return plain
    if ufunc in (np.maximum, np.minimum):
        return np.take_along_axis(x, _positions_of(plain, axis), axis)
    return np.stack(_folded(ufunc, np.moveaxis(x, axis, 0)), axis=axis)


def _positions_of(extremes: Any, axis: int) -> Any:
    """Where a running extreme was met first"""
    before = np.roll(extremes, 1, axis)
    new = ~((extremes == before) | (np.isnan(extremes) & np.isnan(before)))
    steps = np.moveaxis(np.where(np.moveaxis(new, axis, -1), np.arange(extremes.shape[axis]), 0), -1, axis)
    return np.maximum.accumulate(steps, axis=axis)


def _reduceat(ufunc: np.ufunc, inputs: tuple[Any, ...], options: Options) -> Any:
    """``ufunc.reduceat(x, indices, axis=0, dtype=None)``: a reduction of each segment"""
    x, indices = inputs[0], np.asarray(value_of(inputs[1]))
    axis, dtype = options.get("axis", 0), options.get("dtype")
    x = x if dtype is None else _as_type(x, np.dtype(dtype))
    length = x.shape[axis]
    if indices.ndim != 1 or np.any((indices < 0) | (indices >= length)):
        raise IndexError(f"{_name(ufunc)}.reduceat: the indices must be a list of numbers from 0 to {length - 1}")
    before = (slice(None),) * (axis % x.ndim)
    stops = np.append(indices[1:], length)
    if ufunc is not np.add:
        return np.stack([_reduce(ufunc, (x[(*before, slice(start, max(stop, start + 1)))],), {"axis": axis})
                         for start, stop in zip(indices.tolist(), stops.tolist(), strict=True)], axis=axis)
    lengths = np.maximum(stops - indices, 1)
    first = np.cumsum(lengths) - lengths
    members = np.arange(lengths.sum()) + np.repeat(indices - first, lengths)
    segments = np.repeat(np.arange(len(indices)), lengths)
    shape = tuple([len(indices) if place == len(before) else size for place, size in enumerate(x.shape)])
    return PRIMITIVES["scatter"](x[(*before, members)], shape=shape, key=(*before, segments))


def _outer(ufunc: np.ufunc, inputs: tuple[Any, ...], options: Options) -> Any:
    """``ufunc.outer(x, y)``: every element of x with every element of y"""
    x, y = inputs
    if np.ndim(y):
        x = np.reshape(x, np.shape(x) + (1,) * np.ndim(y))
    return _call(ufunc, (x, y), options)


_METHODS: dict[str, Callable[[np.ufunc, tuple[Any, ...], Options], Any]] = {
    "__call__": _call, "reduce": _reduce, "accumulate": _accumulate, "reduceat": _reduceat, "outer": _outer}


# ---------------------------------------------------------------------- ufuncs that are compositions

add_primitive(Primitive("fraction", lambda x: np.modf(x)[0], elementwise=True, domain=((-np.inf, np.inf),),
                        sympy="x - sign(x)*floor(Abs(x))", kinks="sin(pi*x)"))


@RegisterGradient("fraction", reads="nothing")
def _fraction(op: Any) -> Any:
    """d (x - trunc(x)) = dx"""
    return 1


add_primitive(Primitive("ldexp", lambda x, exponent: np.ldexp(x, exponent), cases=(
    case((3,), exponent=2), case((2, 1), exponent=np.array([-1, 3])), case((), exponent=-2))))


@RegisterGradient("ldexp", reads="nothing")
def _ldexp(op: Any) -> Any:
    """d (x 2^n) = 2^n dx"""
    exponent = op.attrs["exponent"]
    return Linear(lambda t: _ldexp_of(t, exponent), lambda g: _ldexp_of(g, exponent))


def _ldexp_of(x: Any, exponent: Any) -> Any:
    return PRIMITIVES["ldexp"](x, exponent=np.array(value_of(exponent))[()])


def _modf_of(x: Any) -> tuple[Any, Any]:
    x = x if x.dtype.kind == "f" else np.asarray(value_of(x), float)
    return PRIMITIVES["fraction"](x), np.trunc(x)


def _frexp_of(x: Any) -> tuple[Any, Any]:
    exponent = np.frexp(value_of(x))[1]
    return PRIMITIVES["ldexp"](x, exponent=-exponent), exponent


def _divmod_of(x: Any, y: Any) -> tuple[Any, Any]:
    return np.floor_divide(x, y), np.remainder(x, y)


#: Ufuncs that are made of primitives.
COMPOSED: dict[np.ufunc, Callable[..., Any]] = {
    np.modf: _modf_of, np.frexp: _frexp_of, np.divmod: _divmod_of, np.ldexp: _ldexp_of}

#: Ufuncs of integers, truth values and dates: there is nothing to differentiate.
ON_VALUES = frozenset([np.gcd, np.lcm, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift,
                       np.right_shift, np.bitwise_count, np.isnat])
