"""Variances, averages, covariances."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..registry import Linear, Primitive, RegisterGradient, add_primitive, case, implements, value_of
from .arguments import as_operand, constant, no_out
from .axes import Axis, conjugate, expand, slice_size, times, to_rows
from .reductions import divide_by_count

# ---------------------------------------------------------------------- var, std

_VAR = add_primitive(Primitive("var", np.var, cases=(
    case((3,)), case((2, 3), axis=1, ddof=1), case((2, 3), axis=-2, keepdims=True), case((2, 3, 2), axis=(0, 2)),
    case(()), case((2, 3), axis=1, where=np.array([[True, True, False], [True, True, True]])))))
_STD = add_primitive(Primitive("std", np.std, cases=(
    case((3,)), case((2, 3), axis=1, ddof=1), case((2, 3), axis=-2, keepdims=True), case((2, 3, 2), axis=(0, 2)),
    case(()), case((2, 3), axis=1, where=np.array([[True, True, False], [True, True, True]])))))


def _deviations(x: Any, axis: Axis, where: Any) -> Any:
    """x minus the mean of its slice, 0 where left out"""
    if where is True:
        return x - np.sum(x, axis=axis, keepdims=True) / max(slice_size(x.shape, axis), 1)
    size = np.sum(where, axis=axis, keepdims=True).astype(x.real.dtype)
    mean = np.sum(np.where(where, x, 0), axis=axis, keepdims=True) / np.maximum(size, 1)
    return np.where(where, x - mean, 0)


def _inner(direction: Any, factor: int, op: Any) -> Linear:
    """The map dx -> factor / (n - ddof) Re Σ conj(direction) dx; not a number where n - ddof leaves nothing"""
    axis, keepdims, where = _arguments(op)
    size = slice_size(direction.shape, axis) if where is True else np.sum(where, axis=axis, keepdims=keepdims)
    freedom = size - op.attrs.get("ddof", 0)
    freedom = np.where(freedom > 0, freedom, np.nan) if np.any(freedom <= 0) else freedom

    def apply(t: Any) -> Any:
        total = np.sum(times(conjugate(direction), t), axis=axis, keepdims=keepdims)
        return factor * (np.real(total) if total.dtype.kind == "c" else total) / freedom

    return Linear(apply, lambda g: times(direction, expand(factor * g / freedom, axis, keepdims, direction.ndim)))


def _arguments(op: Any) -> tuple[Axis, bool, Any]:
    axis, where = op.attrs.get("axis"), op.attrs.get("where", True)
    return axis, op.attrs.get("keepdims", False), where if where is True else np.broadcast_to(where, op.inputs[0].shape)


@RegisterGradient("var")
def _var(op: Any) -> Any:
    """d var(x) = 2 / (n - ddof) Σ (x - mean(x)) dx"""
    axis, _, where = _arguments(op)
    return _inner(_deviations(op.inputs[0], axis, where), 2, op)


@RegisterGradient("std")
def _std(op: Any) -> Any:
    """d std(x) = Σ (x - mean(x)) dx / ((n - ddof) std(x)), and 0 in a slice that is constant"""
    (x,) = op.inputs
    axis, keepdims, where = _arguments(op)
    deviation = _deviations(x, axis, where)
    spread = expand(op.output, axis, keepdims, x.ndim)
    constant = _is_constant(value_of(x), axis, where) | (value_of(spread) == 0)
    if not np.any(constant):
        return _inner(deviation / spread, 1, op)
    # Rounding leaves the mean of equal numbers beside them: what is then divided by a tiny spread is noise.
    return _inner(np.where(constant, 0, deviation / np.where(constant, 1, spread)), 1, op)


def _is_constant(x: Any, axis: Axis, where: Any) -> Any:
    """Whether all elements of a slice are the same."""
    rows = to_rows(x, axis)
    if rows.shape[-1] == 0:
        return np.zeros((), bool)
    if where is True:
        same = rows == rows[..., :1]
    else:
        kept = to_rows(where, axis)
        same = (rows == np.take_along_axis(rows, np.argmax(kept, axis=-1)[..., None], -1)) | ~kept
    return expand(np.all(same, axis=-1), axis, False, x.ndim)


@implements(np.var)
def _var_of(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: bool = False, *,
            where: Any = True, mean: Any = None, correction: Any = None) -> Any:
    if mean is not None:
        return _var_about(np.var, a, axis, dtype, out, ddof, keepdims, where, mean, correction)
    return _spread_of(_VAR, a, axis, dtype, out, ddof, keepdims, where, correction)


@implements(np.std)
def _std_of(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: bool = False, *,
            where: Any = True, mean: Any = None, correction: Any = None) -> Any:
    if mean is not None:
        variance = _var_about(np.std, a, axis, dtype, out, ddof, keepdims, where, mean, correction)
        zero = value_of(variance) == 0
        return np.where(zero, 0, np.sqrt(np.where(zero, 1, variance))) if np.any(zero) else np.sqrt(variance)
    return _spread_of(_STD, a, axis, dtype, out, ddof, keepdims, where, correction)


def _spread_of(primitive: Primitive, a: Any, axis: Axis, dtype: Any, out: Any, ddof: Any, keepdims: bool, where: Any,
               correction: Any) -> Any:
    """Variance or standard deviation about the mean."""
    no_out(f"np.{primitive.name}", out)
    ddof = degrees(primitive.name, ddof, correction)
    a = _cast(primitive.name, a, dtype)
    if where is True:
        return primitive(a, axis=axis, ddof=ddof, keepdims=keepdims)
    where = np.broadcast_to(value_of(where), a.shape)
    return primitive(np.where(where, a, 0), axis=axis, ddof=ddof, keepdims=keepdims, where=where)


def _cast(function: str, a: Any, dtype: Any) -> Any:
    """The samples in the type that ``dtype=`` asks to compute in."""
    a = as_operand(a)
    if dtype is None or a.dtype == dtype:
        return a
    if a.dtype.kind == "c" and np.dtype(dtype).kind != "c":
        raise TypeError(f"np.{function}: dtype={np.dtype(dtype)} would drop the imaginary parts; use np.real(x)")
    return a.astype(dtype)


def degrees(function: str, ddof: Any, correction: Any) -> Any:
    """``ddof``, which may also be called ``correction``."""
    ddof, correction = constant(f"np.{function}", "ddof", ddof), constant(f"np.{function}", "correction", correction)
    if correction is None:
        return ddof
    if ddof != 0:
        raise ValueError("ddof and correction can't be provided simultaneously.")
    return correction


def _var_about(function: Any, a: Any, axis: Axis, dtype: Any, out: Any, ddof: Any, keepdims: bool, where: Any,
               mean: Any, correction: Any) -> Any:
    """Variance about a mean that was computed before, differentiable in it too."""
    name = function.__name__
    no_out(f"np.{name}", out)
    ddof = degrees(name, ddof, correction)
    a = _cast(name, a, dtype)
    keep = np.broadcast_to(value_of(where), a.shape)
    freedom = np.maximum(np.sum(keep, axis=axis, keepdims=keepdims) - ddof, 0)
    if np.any(freedom == 0):
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=5)
    deviation = (a if where is True else np.where(keep, a, 0)) - mean
    if where is not True:
        deviation = np.where(keep, deviation, 0)
    square = np.real(deviation * np.conj(deviation)) if deviation.dtype.kind == "c" else deviation * deviation
    return divide_by_count(np.sum(square, axis=axis, keepdims=keepdims), freedom)


# ---------------------------------------------------------------------- average

@implements(np.average)
def _average_of(a: Any, axis: Axis = None, weights: Any = None, returned: bool = False, *,
                keepdims: bool = False) -> Any:
    a = as_operand(a)
    if weights is None:
        average = np.mean(a, axis=axis, keepdims=keepdims)
        total = average.dtype.type(slice_size(a.shape, axis))
    else:
        weights = weights_like(a, axis, as_operand(weights), "average")
        kinds = (np.float64,) if a.dtype.kind in "iub" else ()
        dtype = np.result_type(a.dtype, weights.dtype, *kinds)
        total = np.sum(weights, axis=axis, keepdims=keepdims, dtype=dtype)
        if np.any(value_of(total) == 0):
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        average = np.sum(a * weights, axis=axis, keepdims=keepdims, dtype=dtype) / total
    if not returned:
        return average
    return average, total if total.shape == average.shape else np.broadcast_to(total, average.shape)


def weights_like(a: Any, axis: Axis, weights: Any, function: str) -> Any:
    """Weights of the array's own shape, or of the shape of its reduced axes, made to broadcast with the array."""
    if weights.shape == a.shape:
        return weights
    if axis is None:
        raise TypeError(f"np.{function}: axis must be given when the shapes of a {a.shape} and weights {weights.shape} "
                        "differ")
    axes = normalize_axis_tuple(axis, a.ndim)
    if weights.shape != tuple([a.shape[one] for one in axes]):
        raise ValueError(f"np.{function}: weights of shape {weights.shape} fit neither a, of shape {a.shape}, nor its "
                         f"axes {axes}")
    order = tuple([int(one) for one in np.argsort(axes)])
    return np.reshape(weights if len(axes) == 1 else np.transpose(weights, order),
                      tuple([length if one in axes else 1 for one, length in enumerate(a.shape)]))


# ---------------------------------------------------------------------- covariance


@implements(np.cov)
def _cov_of(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
            fweights: Any = None, aweights: Any = None, *, dtype: Any = None) -> Any:
    if ddof is not None and ddof != int(ddof):
        raise ValueError("ddof must be integer")
    m = as_operand(m)
    samples = [m] if y is None else [m, as_operand(y)]
    if any(sample.ndim > 2 for sample in samples):
        raise ValueError(f"np.cov: {'m' if m.ndim > 2 else 'y'} has more than 2 dimensions")
    dtype = np.result_type(*[sample.dtype for sample in samples], np.float64) if dtype is None else dtype
    x = _variables(m.astype(dtype), transpose=not rowvar and m.ndim != 1)
    if x.shape[0] == 0:
        return np.zeros((0, 0), dtype)
    if y is not None:
        second = _variables(samples[1].astype(dtype), transpose=False)
        x = np.concatenate([x, second.T if not rowvar and second.shape[0] != 1 else second], axis=0)
    ddof = (0 if bias else 1) if ddof is None else ddof
    weights = _observation_weights(constant("np.cov", "fweights", fweights), aweights, x.shape[1])
    average, total = np.average(x, axis=1, weights=weights, returned=True)
    if weights is None:
        freedom: Any = x.shape[1] - ddof
    elif ddof == 0:
        freedom = total[0]
    elif aweights is None:
        freedom = total[0] - ddof
    else:
        freedom = total[0] - ddof * np.sum(weights * as_operand(aweights)) / total[0]
    if value_of(freedom) <= 0:
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=4)
        freedom = np.float64(0.0)
    deviation = x - average[:, None]
    weighted = deviation if weights is None else deviation * weights
    covariance = np.matmul(deviation, conjugate(weighted).T) * np.true_divide(1, freedom)
    return np.reshape(covariance, tuple([length for length in covariance.shape if length != 1]))


def _variables(sample: Any, transpose: bool) -> Any:
    """A sample with one row per variable."""
    rows = np.reshape(sample, (1, -1)) if sample.ndim < 2 else sample
    return rows.T if transpose else rows


def _observation_weights(fweights: Any, aweights: Any, count: int) -> Any:
    """The product of both kinds of weights, checked; None without either."""
    if fweights is not None:
        fweights = np.asarray(fweights, float)
        if not np.all(fweights == np.around(fweights)):
            raise TypeError("fweights must be integer")
    if aweights is not None:
        aweights = as_operand(aweights).astype(float)
    for name, weights in (("fweights", fweights), ("aweights", aweights)):
        if weights is None:
            continue
        if weights.ndim > 1:
            raise RuntimeError(f"cannot handle multidimensional {name}")
        if weights.shape[0] != count:
            raise RuntimeError(f"incompatible numbers of samples and {name}")
        if np.any(value_of(weights) < 0):
            raise ValueError(f"{name} cannot be negative")
    if fweights is None or aweights is None:
        return aweights if fweights is None else fweights
    return fweights * aweights


@implements(np.corrcoef)
def _corrcoef_of(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    covariance = np.cov(x, y, rowvar, dtype=dtype)
    if covariance.ndim == 0:
        return covariance / covariance
    places = np.arange(covariance.shape[0])
    variance = covariance[places, places]
    deviation = np.sqrt(np.real(variance) if variance.dtype.kind == "c" else variance)
    correlation = covariance / deviation[:, None] / deviation[None, :]
    if correlation.dtype.kind == "c":
        return np.clip(np.real(correlation), -1, 1) + 1j * np.clip(np.imag(correlation), -1, 1)
    return np.clip(correlation, -1, 1)
