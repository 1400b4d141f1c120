"""Reductions that pass over NaNs: the NaNs are replaced by what changes nothing, so their derivative is 0."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..registry import implements, value_of
from .arguments import as_operand, no_out
from .axes import Axis
from .statistics import degrees


def _without_nans(a: Any, neutral: Any) -> Any:
    nans = np.isnan(value_of(a))
    return np.where(nans, neutral, a) if np.any(nans) else a


def _axis_of(a: Any, axis: Axis) -> Axis:
    """The axis; NumPy lets one of a number pass."""
    return None if a.ndim == 0 and axis in (0, -1) else axis


def _given(**arguments: Any) -> dict[str, Any]:
    """Those arguments that were given: the defaults stay with the function that they go to."""
    return {name: value for name, value in arguments.items() if value is not None and value is not True}


@implements(np.nansum)
def _nansum_of(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
               initial: Any = None, where: Any = True) -> Any:
    no_out("np.nansum", out)
    return np.sum(_without_nans(as_operand(a), 0), axis=axis, dtype=dtype, keepdims=keepdims,
                  **_given(initial=initial, where=where))


@implements(np.nanprod)
def _nanprod_of(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
                initial: Any = None, where: Any = True) -> Any:
    no_out("np.nanprod", out)
    return np.prod(_without_nans(as_operand(a), 1), axis=axis, dtype=dtype, keepdims=keepdims,
                   **_given(initial=initial, where=where))


@implements(np.nancumsum)
def _nancumsum_of(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    no_out("np.nancumsum", out)
    return np.cumsum(_without_nans(as_operand(a), 0), axis=axis, dtype=dtype)


@implements(np.nancumprod)
def _nancumprod_of(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    no_out("np.nancumprod", out)
    return np.cumprod(_without_nans(as_operand(a), 1), axis=axis, dtype=dtype)


@implements(np.nanmean)
def _nanmean_of(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: bool = False, *,
                where: Any = True) -> Any:
    no_out("np.nanmean", out)
    a = as_operand(a)
    axis = _axis_of(a, axis)
    keep = ~np.isnan(value_of(a)) & value_of(where)
    if a.size == 0 and np.sum(keep, axis=axis, keepdims=keepdims).size == 0:
        return np.sum(a, axis=axis, dtype=dtype, keepdims=keepdims)  # of nothing no mean is missing
    return np.mean(a, axis=axis, dtype=dtype, keepdims=keepdims, **({} if np.all(keep) else {"where": keep}))


@implements(np.nanvar)
def _nanvar_of(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
               keepdims: bool = False, *, where: Any = True, mean: Any = None, correction: Any = None) -> Any:
    return _nan_spread(np.var, a, axis, dtype, out, ddof, keepdims, where, mean, correction)


@implements(np.nanstd)
def _nanstd_of(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
               keepdims: bool = False, *, where: Any = True, mean: Any = None, correction: Any = None) -> Any:
    return _nan_spread(np.std, a, axis, dtype, out, ddof, keepdims, where, mean, correction)


def _nan_spread(function: Any, a: Any, axis: Axis, dtype: Any, out: Any, ddof: Any, keepdims: bool, where: Any,
                mean: Any, correction: Any) -> Any:
    name = "nan" + function.__name__
    no_out(f"np.{name}", out)
    ddof = degrees(name, ddof, correction)
    a = as_operand(a)
    axis = _axis_of(a, axis)
    keep = ~np.isnan(value_of(a)) & value_of(where)
    lacking = np.sum(keep, axis=axis, keepdims=keepdims) <= ddof
    chosen = {} if np.all(keep) else {"where": keep}
    with warnings.catch_warnings():
        if np.any(lacking) or not lacking.size:
            warnings.simplefilter("ignore", RuntimeWarning)  # said below, in NumPy's words for this function
        spread = function(a, axis=axis, dtype=dtype, ddof=ddof, keepdims=keepdims, **chosen, **_given(mean=mean))
    if np.any(lacking):
        warnings.warn("Degrees of freedom <= 0 for slice.", RuntimeWarning, stacklevel=5)
        return np.where(lacking, np.nan, spread)
    return spread


@implements(np.nanmax)
def _nanmax_of(a: Any, axis: Axis = None, out: Any = None, keepdims: bool = False, initial: Any = None,
               where: Any = True) -> Any:
    return _nan_extreme(np.max, -np.inf, a, axis, out, keepdims, initial, where)


@implements(np.nanmin)
def _nanmin_of(a: Any, axis: Axis = None, out: Any = None, keepdims: bool = False, initial: Any = None,
               where: Any = True) -> Any:
    return _nan_extreme(np.min, np.inf, a, axis, out, keepdims, initial, where)


def _nan_extreme(function: Any, neutral: float, a: Any, axis: Axis, out: Any, keepdims: bool, initial: Any,
                 where: Any) -> Any:
    no_out(f"np.nan{function.__name__}", out)
    a = as_operand(a)
    extreme = function(_without_nans(a, neutral), axis=axis, keepdims=keepdims, **_given(initial=initial, where=where))
    empty = np.all(np.isnan(value_of(a)), axis=axis, keepdims=keepdims)
    if initial is not None or not np.any(empty):
        return extreme
    warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=5)
    return np.where(empty, np.nan, extreme)
