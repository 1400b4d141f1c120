"""What NumPy functions mean on arrays of expressions where NumPy's own code cannot work on objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .algebras import Exact, Unavailable
from .arrays import FUNCTION_MEANINGS, PRIMITIVE_MEANINGS, DuckArray, wrap

__all__ = ["algebra_of", "means"]


def means(*functions: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare what NumPy functions mean on duck arrays: the decorated function."""

    def register(meaning: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTION_MEANINGS.update(dict.fromkeys(functions, meaning))
        return meaning

    return register


def algebra_of(*values: Any) -> Any:
    """The algebra of the first duck array among values and lists of them."""
    for value in values:
        if isinstance(value, DuckArray):
            return value.algebra
        if isinstance(value, (list, tuple)):
            found = algebra_of(*value)
            if found is not None:
                return found
    return None


PRIMITIVE_MEANINGS["astype"] = lambda a, dtype, **options: a.astype(dtype)

# ---------------------------------------------------------------------- what an array is

means(np.shape)(lambda a: a.shape)
means(np.ndim)(lambda a: a.ndim)
means(np.size)(lambda a, axis=None: a.size if axis is None else a.shape[axis])
means(np.iscomplexobj)(lambda x: x.dtype.kind == "c")
means(np.isrealobj)(lambda x: x.dtype.kind != "c")
means(np.zeros_like, np.empty_like)(lambda a, dtype=None, order="K", subok=True, shape=None, device=None:
                                    np.zeros(a.shape if shape is None else shape, dtype or a.dtype))
means(np.ones_like)(lambda a, dtype=None, order="K", subok=True, shape=None, device=None:
                    np.ones(a.shape if shape is None else shape, dtype or a.dtype))
means(np.copy)(lambda a, order="K", subok=False: a)
means(np.nan_to_num)(lambda x, copy=True, nan=0.0, posinf=None, neginf=None: x)


@means(np.result_type)
def _result_type(*values: Any) -> Any:
    return np.result_type(*(value.dtype if isinstance(value, DuckArray) else value for value in values))


@means(np.full_like)
def _full_like(a: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None,
               device: Any = None) -> Any:
    return np.broadcast_to(wrap(algebra_of(a, fill_value), fill_value), a.shape if shape is None else shape)


# ---------------------------------------------------------------------- truth

def _truths(a: Any) -> tuple[Any, np.ndarray]:
    duck = wrap(algebra_of(a), a)
    return duck, np.array([duck.algebra.decide(element) for element in duck.elements.flat], object).reshape(duck.shape)


@means(np.any)
def _any(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = True) -> Any:
    """What is undecided may hold: rules then take their general way"""
    truths = _truths(a)[1]
    return np.any(np.not_equal(truths, False).astype(bool) & where, axis=axis, keepdims=keepdims)


@means(np.all)
def _all(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = True) -> Any:
    """What is undecided may fail to hold"""
    truths = _truths(a)[1]
    return np.all(np.equal(truths, True).astype(bool) | np.logical_not(where), axis=axis, keepdims=keepdims)


@means(np.where)
def _where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    algebra = algebra_of(condition, x, y)
    if x is None and y is None:
        return np.nonzero(_decided(condition))
    condition, x, y = wrap(algebra, condition), wrap(algebra, x), wrap(algebra, y)
    if condition.dtype != bool:
        condition = wrap(algebra, condition != 0)
    if x.dtype == y.dtype == bool:
        return (condition & x) | (~condition & y)
    dtype = np.result_type(x.dtype, y.dtype, float)
    x, y = x.astype(dtype), y.astype(dtype)
    results = np.frompyfunc(algebra.choose, 3, 1)(condition.elements, x.elements, y.elements)
    return DuckArray(algebra, results, dtype)


def _decided(condition: Any) -> Any:
    """A condition as a plain array; raises where it is open."""
    if not isinstance(condition, DuckArray):
        return condition
    truths = _truths(condition)[1]
    if any(truth is None for truth in truths.flat):
        raise Unavailable("a condition on symbols is undecided")
    return truths.astype(bool)


means(np.nonzero)(lambda a: np.nonzero(_decided(a)))
means(np.flatnonzero)(lambda a: np.flatnonzero(_decided(a)))
means(np.count_nonzero)(lambda a, axis=None, *, keepdims=False: np.count_nonzero(_decided(a), axis, keepdims=keepdims))


@means(np.clip)
def _clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, **bounds: Any) -> Any:
    low, high = bounds.get("min", a_min), bounds.get("max", a_max)
    if low is not None:
        a = np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


# ---------------------------------------------------------------------- parts of complex numbers

@means(np.real)
def _real(val: Any) -> Any:
    return val.astype(float) if val.dtype.kind == "c" else val


@means(np.imag)
def _imag(val: Any) -> Any:
    algebra = val.algebra
    if val.dtype.kind != "c":
        return wrap(algebra, np.zeros(val.shape))
    return DuckArray(algebra, np.frompyfunc(algebra.imaginary, 1, 1)(val.elements), float)


@means(np.angle)
def _angle(z: Any, deg: bool = False) -> Any:
    angle = np.arctan2(np.imag(z), np.real(z))
    return angle * (180 / np.pi) if deg else angle


# ---------------------------------------------------------------------- reductions

def _plain_reduction(where: Any, initial: Any = np._NoValue) -> None:
    if (where is not True and where is not np._NoValue) or (initial is not None and initial is not np._NoValue):
        raise Unavailable("a reduction with where or initial")


@means(np.nansum)
def _nansum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
            **options: Any) -> Any:
    return np.sum(_without_nan(a), axis=axis, keepdims=keepdims, **options)


@means(np.nanmean)
def _nanmean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
             **options: Any) -> Any:
    return np.mean(_without_nan(a), axis=axis, keepdims=keepdims, **options)


@means(np.nanprod)
def _nanprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
             **options: Any) -> Any:
    return np.prod(_without_nan(a), axis=axis, keepdims=keepdims, **options)


def _without_nan(a: Any) -> Any:
    if np.any(np.isnan(a)):
        raise Unavailable("NaN among the values")
    return a


@means(np.var, np.nanvar)
def _var(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = False, *,
         where: Any = True, mean: Any = np._NoValue, correction: Any = np._NoValue) -> Any:
    a = _without_nan(a)
    ddof = ddof if correction is np._NoValue else correction
    count = np.sum(np.broadcast_to(where, a.shape), axis=axis, keepdims=True)
    centre = np.sum(np.where(where, a, 0.0), axis=axis, keepdims=True) / count
    total = np.sum(np.where(where, _squares(a - centre), 0.0), axis=axis, keepdims=True) / (count - ddof)
    return total if keepdims is True else np.reshape(total, np.sum(np.zeros(a.shape), axis=axis).shape)


def _squares(a: Any) -> Any:
    return np.square(a) if a.dtype.kind != "c" else np.square(np.real(a)) + np.square(np.imag(a))


@means(np.std, np.nanstd)
def _std(*args: Any, **kwargs: Any) -> Any:
    return np.sqrt(_var(*args, **kwargs))


def _rows(a: Any, axes: tuple[int, ...]) -> Any:
    """The axes that are reduced as one, the last."""
    kept = tuple(one for one in range(a.ndim) if one not in axes)
    return a.transpose((*kept, *axes)).reshape((*(a.shape[one] for one in kept), -1))


def _extreme(a: Any, axis: Any, keepdims: Any, pairwise: np.ufunc, choose: Callable[..., Any]) -> Any:
    """Max(...) as a formula where the algebra is asked for formulas, else the element that wins"""
    algebra = a.algebra
    keepdims = keepdims is True
    if isinstance(algebra, Exact) and (algebra.formulas or algebra.point is None):
        return pairwise.reduce(a, axis=axis, keepdims=keepdims)
    axes = tuple(range(a.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(one % a.ndim for one in axes)
    rows = _rows(a, axes)
    places = choose(algebra.keys(rows.elements), axis=-1)
    result = np.take_along_axis(rows, np.expand_dims(places, -1), -1)[..., 0]
    return np.expand_dims(result, axes) if keepdims else result


@means(np.max, np.amax, np.nanmax)
def _max(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = np._NoValue,
         where: Any = np._NoValue) -> Any:
    _plain_reduction(where, initial)
    return _extreme(a, axis, keepdims, np.maximum, np.argmax)


@means(np.min, np.amin, np.nanmin)
def _min(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = np._NoValue,
         where: Any = np._NoValue) -> Any:
    _plain_reduction(where, initial)
    return _extreme(a, axis, keepdims, np.minimum, np.argmin)


@means(np.ptp)
def _ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)


# ---------------------------------------------------------------------- order

def _on_keys(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*map(_keys, args), **{name: _keys(value) for name, value in kwargs.items()})

    return call


def _keys(value: Any) -> Any:
    if isinstance(value, DuckArray):
        return value.algebra.keys(value.elements)
    return tuple(map(_keys, value)) if isinstance(value, tuple) else value


for _function in (np.argmax, np.argmin, np.argsort, np.searchsorted, np.lexsort, np.digitize, np.array_equal,
                  np.isclose, np.allclose):
    means(_function)(_on_keys(_function))
means(np.nanargmax)(_on_keys(np.argmax))
means(np.nanargmin)(_on_keys(np.argmin))
means(np.argpartition)(lambda a, kth, axis=-1, kind="introselect", order=None: np.argsort(a, axis=axis, kind="stable"))


@means(np.sort)
def _sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    if axis is None:
        a, axis = a.reshape(-1), -1
    return np.take_along_axis(a, np.argsort(a, axis=axis, kind="stable"), axis)


@means(np.partition)
def _partition(a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None) -> Any:
    return _sort(a, axis)


@means(np.median, np.nanmedian)
def _median(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False) -> Any:
    return _quantile(a, 0.5, axis, keepdims=keepdims)


@means(np.quantile, np.nanquantile)
def _quantile(a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, method: Any = "linear",
              keepdims: Any = False, *, weights: Any = None, interpolation: Any = None) -> Any:
    """A combination of two elements of the sorted array, which NumPy's quantile of 0, 1, 2, ... names"""
    if weights is not None or isinstance(q, DuckArray):
        raise Unavailable("a quantile with weights, or of a tracked order")
    axes = tuple(range(a.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(one % a.ndim for one in axes)
    rows = _sort(_rows(a, axes))
    places = np.asarray(np.quantile(np.arange(float(rows.shape[-1])), q, method=method))
    below = np.floor(places).astype(int)
    above = np.minimum(below + 1, rows.shape[-1] - 1)
    share = places - below
    result = rows[..., below] * (1 - share) + rows[..., above] * share
    lead = tuple(range(rows.ndim - 1, result.ndim))
    result = np.moveaxis(result, lead, tuple(range(len(lead))))
    return np.expand_dims(result, tuple(one + places.ndim for one in axes)) if keepdims is True else result


@means(np.percentile, np.nanpercentile)
def _percentile(a: Any, q: Any, *args: Any, **kwargs: Any) -> Any:
    return _quantile(a, np.asarray(q) / 100, *args, **kwargs)


@means(np.unwrap)
def _unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * np.pi) -> Any:
    """The whole periods that NumPy adds to the values"""
    keys = _keys(p).astype(float)
    turns = np.rint((np.unwrap(keys, discont, axis, period=period) - keys) / period)
    return p + turns * period


@means(np.interp)
def _interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """Linear between the two knots that the values of x lie between"""
    if period is not None:
        raise Unavailable("np.interp with period")
    algebra = algebra_of(x, xp, fp)
    x, xp, fp = wrap(algebra, x), wrap(algebra, xp), wrap(algebra, fp)
    place = np.clip(np.searchsorted(_keys(xp), _keys(x), side="right") - 1, 0, len(xp) - 2)
    inside = fp[place] + (x - xp[place]) * (fp[place + 1] - fp[place]) / (xp[place + 1] - xp[place])
    inside = np.where(x < xp[0], fp[0] if left is None else left, inside)
    return np.where(x > xp[-1], fp[-1] if right is None else right, inside)


# ---------------------------------------------------------------------- products

@means(np.einsum)
def _einsum(*operands: Any, out: Any = None, optimize: Any = False, **options: Any) -> Any:
    algebra = algebra_of(*operands)
    ducks = [wrap(algebra, x) if isinstance(x, (DuckArray, np.ndarray)) else x for x in operands]
    dtype = np.result_type(*(x.dtype for x in ducks if isinstance(x, DuckArray)))
    raw = np.einsum(*(x.elements if isinstance(x, DuckArray) else x for x in ducks), optimize=False, **options)
    return DuckArray(algebra, np.frompyfunc(algebra.number, 1, 1)(raw), dtype)


@means(np.vdot)
def _vdot(a: Any, b: Any, /) -> Any:
    return np.sum(np.conj(np.ravel(a)) * np.ravel(b))


@means(np.around, np.round)
def _around(a: Any, decimals: int = 0, out: Any = None) -> Any:
    return np.rint(a * 10**decimals) / 10**decimals

from . import special_functions  # noqa: E402, F401 -- fills in what scipy.special's functions mean
