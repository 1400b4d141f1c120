"""Calls of every covered function of NumPy: each argument of each function is used in one of them.

A call takes the function and a matrix of three rows and columns, with elements between 0 and 1, no two alike. Ufuncs of
one or two operands need no call of their own; those in `UFUNC_CALLS` have other domains, results or operands.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any

import numpy as np

Call = Callable[[Any, Any], Any]

def each(names: list[str], value: Any) -> dict[str, Any]:
    """The same for several names."""
    return {name: value for name in names}


POINT = np.array([[0.31, 0.84, 0.12], [0.57, 0.23, 0.68], [0.45, 0.91, 0.76]])
OTHER = np.array([[0.62, 0.27, 0.95], [0.18, 0.73, 0.36], [0.88, 0.51, 0.14]])
MASK = np.array([[True, False, True], [True, True, False], [False, True, True]])
WEIGHTS = np.array([1.0, 2.5, 0.7])
KNOTS = np.array([0.05, 0.4, 0.6, 0.97])


def _positive(x: Any) -> Any:
    """A positive definite matrix."""
    return x @ x.T + np.eye(3)


def _with_nan(x: Any) -> Any:
    return np.where(np.array([[True, True, False], [True, True, True], [False, True, True]]), x, np.nan)


def _turned(x: Any) -> Any:
    """A complex matrix."""
    return x + 1j * x.T * np.array([[0.3, -0.8, 0.5]])


def _changed(write: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What a function leaves behind that writes into a copy."""
    def result(x: Any) -> Any:
        y = np.copy(x)
        write(y)
        return y

    return result


def writes(call: Callable[[Any, Any, Any], Any]) -> Call:
    """A call of a function that writes into its first argument, a copy ``y`` of the matrix ``x``."""
    return lambda f, x: _changed(lambda y: call(f, y, x))(x)


UFUNC_CALLS: dict[str, list[Call]] = {
    **each(["acosh", "arccosh"], [lambda f, x: f(1.5 + x)]),
    **each(["divmod", "fmod", "mod", "remainder"], [
        lambda f, x: f(4.0 + 0.1 * x, 1.7), lambda f, x: f(-4.0, 1.6 + 0.1 * x)]),
    "frexp": [lambda f, x: f(0.6 + 0.3 * x)],
    "ldexp": [lambda f, x: f(x, np.array([2, -1, 0]))],
    "matmul": [lambda f, x: f(x, OTHER), lambda f, x: f(x[0], x),
               lambda f, x: f(x, OTHER, axes=[(0, 1), (1, 0), (0, 1)])],
    "vecdot": [lambda f, x: f(x, OTHER), lambda f, x: f(x[0], x), lambda f, x: f(x, OTHER, axis=0, keepdims=True),
               lambda f, x: f(_turned(x), x)],
    "matvec": [lambda f, x: f(x, x[0]), lambda f, x: f(np.stack([x, x.T]), OTHER[:2])],
    "vecmat": [lambda f, x: f(x[0], x), lambda f, x: f(OTHER[:2], np.stack([x, x.T]))],
}

_REDUCE: list[Call] = [
    lambda f, x: f(x), lambda f, x: f(x, axis=0), lambda f, x: f(x, (0, -1), keepdims=True),
    lambda f, x: f(x, -1, initial=0.5, where=MASK)]
_DTYPE: list[Call] = [lambda f, x: f(x, axis=1, dtype=np.float64)]
_ALONG: list[Call] = [lambda f, x: f(x), lambda f, x: f(x, axis=0), lambda f, x: f(x, -1, np.float64)]
_SPREAD: list[Call] = [
    lambda f, x: f(x), lambda f, x: f(x, 0, ddof=1), lambda f, x: f(x, (0, 1), np.float64, keepdims=True),
    lambda f, x: f(x, 1, where=MASK), lambda f, x: f(x, 1, mean=np.mean(x, 1, keepdims=True)),
    lambda f, x: f(x, 1, correction=1)]
_MIDDLE: list[Call] = [lambda f, x: f(x), lambda f, x: f(x[:2], axis=0), lambda f, x: f(x, (0, 1), keepdims=True),
                       lambda f, x: f(np.copy(x), 1, overwrite_input=True)]
_METHODS = ["linear", "hazen", "weibull", "median_unbiased", "normal_unbiased", "interpolated_inverted_cdf",
            "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "lower", "higher", "midpoint", "nearest"]


def _quantiles(scale: float, weights: Any = WEIGHTS) -> list[Call]:
    return [
        lambda f, x: f(x, 0.3 * scale), lambda f, x: f(x, scale * np.array([0.1, 0.72]), axis=0),
        lambda f, x: f(x, 0.3 * scale, (0, 1), keepdims=True),
        lambda f, x: f(np.copy(x), scale * x[0, :2], -1, overwrite_input=True),
        lambda f, x: f(x, 0.6 * scale, axis=1, method="inverted_cdf", weights=weights),
        *[lambda f, x, method=method: f(x, scale * np.array([0.15, 0.6]), 0, method=method) for method in _METHODS]]


_NANS: list[Call] = [lambda f, x: f(_with_nan(x)), lambda f, x: f(_with_nan(x), axis=0)]


def _nan(calls: list[Call]) -> list[Call]:
    """The same calls of a matrix in which two elements are NaN."""
    return [lambda f, x, call=call: call(f, _with_nan(x)) for call in calls]


_SHAPED: list[Call] = [lambda f, x: f(x), lambda f, x: f(x[0])]
_JOINED: list[Call] = [lambda f, x: f([x, OTHER]), lambda f, x: f((x[0], x[1], WEIGHTS)),
                       lambda f, x: f([x, x], dtype=np.float64, casting="safe")]
_PLACED: list[Call] = [lambda f, x: f((x, OTHER, x.T)), lambda f, x: f([x, OTHER], axis=-1),
                       lambda f, x: f([x, x], 1, dtype=np.float64, casting="unsafe")]
_SECTIONS: list[Call] = [lambda f, x: f(np.stack([x, OTHER * x, x.T], 2), 3),
                         lambda f, x: f(np.stack([x, x.T, x], 2), [1])]
_SPLITS: list[Call] = [lambda f, x: f(x, 3), lambda f, x: f(x, [1, 2], axis=-1)]
_TRIANGLES: list[Call] = [lambda f, x: f(x), lambda f, x: f(x, k=-1), lambda f, x: f(x[0], 1)]
_CONVOLVED: list[Call] = [lambda f, x: f(x[0], x[1]), lambda f, x: f(x.ravel(), WEIGHTS, mode="same"),
                          lambda f, x: f(WEIGHTS, np.ravel(x), "valid"), lambda f, x: f(_turned(x)[0], x[:, 1], "full")]
_BINS = np.array([0.0, 0.3, 0.6, 1.0])
_UNIQUE: list[Call] = [lambda f, x: f(x), lambda f, x: f(x[[0, 1, 0]])]

NUMPY: dict[str, list[Call]] = {
    **each(["max", "min", "amax", "amin"], _REDUCE),
    **each(["sum", "prod"], [*_REDUCE, *_DTYPE]),
    "mean": [lambda f, x: f(x), lambda f, x: f(x, 0, np.float64), lambda f, x: f(x, (1,), keepdims=True, where=MASK)],
    **each(["nansum", "nanprod"], _nan([*_REDUCE, *_DTYPE])),
    **each(["nanmax", "nanmin"], _nan(_REDUCE)),
    "nanmean": _nan([lambda f, x: f(x), lambda f, x: f(x, 0, np.float64),
                     lambda f, x: f(x, 1, keepdims=True, where=MASK)]),
    **each(["var", "std"], _SPREAD),
    **each(["nanvar", "nanstd"], [
        lambda f, x: f(_with_nan(x)), lambda f, x: f(_with_nan(x), 0, np.float64, ddof=0.5, keepdims=True),
        lambda f, x: f(_with_nan(x), where=MASK | MASK.T), lambda f, x: f(_with_nan(x), correction=1),
        lambda f, x: f(_with_nan(x), 1, mean=np.nanmean(_with_nan(x), 1, keepdims=True))]),
    "ptp": [lambda f, x: f(x), lambda f, x: f(x, axis=0, keepdims=True)],
    **each(["cumsum", "cumprod"], _ALONG),
    **each(["nancumsum", "nancumprod"], _nan(_ALONG)),
    **each(["cumulative_sum", "cumulative_prod"], [
        lambda f, x: f(x[0]), lambda f, x: f(x, axis=-1, dtype=np.float64, include_initial=True)]),
    "average": [lambda f, x: f(x), lambda f, x: f(x, 0, x[0]), lambda f, x: f(x, 1, weights=x * OTHER, keepdims=True),
                lambda f, x: f(x, weights=x, returned=True)],
    "median": _MIDDLE,
    "nanmedian": _nan(_MIDDLE),
    "quantile": _quantiles(1), "percentile": _quantiles(100),
    "nanquantile": _nan(_quantiles(1, OTHER)), "nanpercentile": _nan(_quantiles(100, OTHER)),
    "cov": [lambda f, x: f(x), lambda f, x: f(x, OTHER, rowvar=False), lambda f, x: f(x[0], x[1], bias=True),
            lambda f, x: f(x, ddof=0, aweights=x[0]), lambda f, x: f(x, fweights=[1, 2, 3], aweights=WEIGHTS),
            lambda f, x: f(x, fweights=[1, 2, 3], dtype=np.float64), lambda f, x: f(_turned(x))],
    "corrcoef": [lambda f, x: f(x), lambda f, x: f(x[:2], OTHER[:1] * x[2], rowvar=True, dtype=np.float64)],
    "bincount": [lambda f, x: f(np.array([0, 2, 2]), x[0]), lambda f, x: f([1, 0, 1], weights=x[1], minlength=5)],
    "histogram": [lambda f, x: f(POINT, bins=_BINS, weights=x), lambda f, x: f(OTHER, 4, (0, 1), weights=x),
                  lambda f, x: f(POINT[0], 3, (0.0, 0.9), True, x[1])],
    "histogram2d": [lambda f, x: f(POINT[0], OTHER[0], [2, 3], weights=x[0]),
                    lambda f, x: f(POINT[0], OTHER[0], _BINS, None, True, x[1]),
                    lambda f, x: f(POINT[0], OTHER[1], 2, range=[[0, 1], [0, 1]], density=True, weights=x[2])],
    "histogramdd": [lambda f, x: f(POINT, 2, weights=x[0]), lambda f, x: f([*OTHER], [2, _BINS, 3], weights=x[1]),
                    lambda f, x: f(POINT, 3, [(0, 1), (0, 0.9), None], True, x[2])],
    # ------------------------------------------------------------------ joining and splitting
    **each(["concat", "concatenate"], [*_PLACED, lambda f, x: f([x, x[0]], None)]),
    "stack": _PLACED,
    **each(["hstack", "vstack"], _JOINED),
    **each(["dstack", "column_stack"], _JOINED[:2]),
    "block": [lambda f, x: f([[x, OTHER], [x.T, np.eye(3)]]), lambda f, x: f([x[0], 2.0 * x[1]])],
    "append": [lambda f, x: f(x, OTHER), lambda f, x: f(WEIGHTS[None], x, axis=0)],
    "insert": [lambda f, x: f(x, 1, x[0]), lambda f, x: f(x, [0, 2], OTHER[:, :2] * x[0, 0], axis=1),
               lambda f, x: f(OTHER, slice(0, 2), x[:2], 0)],
    "delete": [lambda f, x: f(x, 1), lambda f, x: f(x, [0, -1], axis=1), lambda f, x: f(x, slice(1, None), 0)],
    **each(["split", "array_split"], _SPLITS),
    **each(["hsplit", "vsplit", "dsplit"], _SECTIONS),
    "unstack": [lambda f, x: f(x), lambda f, x: f(x, axis=1)],
    # ------------------------------------------------------------------ shapes
    "reshape": [lambda f, x: f(x, (9,)), lambda f, x: f(x, shape=(1, -1), order="F", copy=True)],
    "ravel": [lambda f, x: f(x), lambda f, x: f(x, order="F")],
    **each(["atleast_1d", "atleast_2d", "atleast_3d"], [*_SHAPED, lambda f, x: f(x[0, 0], x, WEIGHTS)]),
    "expand_dims": [lambda f, x: f(x, axis=(0, -1))],
    "squeeze": [lambda f, x: f(x[:1]), lambda f, x: f(x[:1, :1], axis=0)],
    **each(["transpose", "permute_dims"], [lambda f, x: f(x), lambda f, x: f(x, axes=(1, 0))]),
    "matrix_transpose": [lambda f, x: f(x)],
    "swapaxes": [lambda f, x: f(x, 0, axis2=-1)],
    "moveaxis": [lambda f, x: f(x[None], 0, -1), lambda f, x: f(x[None], source=(0, 1), destination=(1, 2))],
    "rollaxis": [lambda f, x: f(x[None], 2), lambda f, x: f(x[None], axis=2, start=1)],
    "broadcast_to": [lambda f, x: f(x, (2, 3, 3)), lambda f, x: f(x[0], shape=(2, 3))],
    "broadcast_arrays": [lambda f, x: f(x, x[0], 2.0)],
    "meshgrid": [lambda f, x: f(x[0], x[1]), lambda f, x: f(x[0], WEIGHTS, x[1], indexing="ij", sparse=True),
                 lambda f, x: f(x[0], x[1], copy=False)],
    **each(["flipud", "fliplr"], [lambda f, x: f(x)]),
    "flip": [lambda f, x: f(x), lambda f, x: f(x, axis=(0, 1))],
    "roll": [lambda f, x: f(x, 2), lambda f, x: f(x, shift=(1, -1), axis=(0, 1))],
    "rot90": [lambda f, x: f(x), lambda f, x: f(x[None], k=3, axes=(2, 1))],
    "tile": [lambda f, x: f(x, 2), lambda f, x: f(x, reps=(2, 1, 3))],
    "repeat": [lambda f, x: f(x, 2), lambda f, x: f(x, repeats=[1, 0, 2], axis=1)],
    "resize": [lambda f, x: f(x, (2, 7)), lambda f, x: f(x, new_shape=4)],
    "pad": [lambda f, x: f(x, 1), lambda f, x: f(x, ((1, 0), (2, 1)), mode="reflect", reflect_type="odd"),
            lambda f, x: f(x, 2, "constant", constant_values=x[0, 1]), lambda f, x: f(x, 1, "mean", stat_length=2),
            lambda f, x: f(x, 2, "linear_ramp", end_values=(x[0, 0], 0.5)),
            *[lambda f, x, mode=mode: f(x, (1, 2), mode)
              for mode in ("edge", "wrap", "symmetric", "maximum", "minimum", "median")]],
    "trim_zeros": [lambda f, x: f(np.concatenate([[0.0], x[0], [0.0]])),
                   lambda f, x: f(np.pad(x, 1), trim="f", axis=0)],
    # ------------------------------------------------------------------ parts
    "take": [lambda f, x: f(x, [0, 5, 5]), lambda f, x: f(x, np.array([4, -2]), axis=1, mode="wrap")],
    "take_along_axis": [lambda f, x: f(x, np.argsort(POINT, 0), axis=0), lambda f, x: f(x, np.array([8, 0]), None)],
    "compress": [lambda f, x: f([True, False, True], x, axis=1), lambda f, x: f(np.array([1, 0, 1]), x)],
    "extract": [lambda f, x: f(MASK, x)],
    "choose": [lambda f, x: f([0, 2, 1], [x[0], x[1], WEIGHTS]), lambda f, x: f([3, -1, 1], choices=x, mode="wrap")],
    "select": [lambda f, x: f([POINT > 0.7, POINT > 0.4], [x, x * OTHER]),
               lambda f, x: f([POINT > 0.7], [x[0, 0]], default=x)],
    "where": [lambda f, x: f(MASK, x, OTHER), lambda f, x: f(MASK[0], 1.0, x[0, 0])],
    "piecewise": [lambda f, x: f(x, [POINT > 0.5, POINT < 0.2], [lambda y: y * y, 3.0, np.sin]),
                  lambda f, x: f(x, [POINT > 0.5], [lambda y, a, b=1.0: y * a + b, 0.0], 2.0, b=x[0, 0])],
    "clip": [lambda f, x: f(x, 0.3, 0.7), lambda f, x: f(x, a_min=x[0], a_max=None), lambda f, x: f(x, min=OTHER * x),
             lambda f, x: f(x, max=0.5)],
    "diagonal": [lambda f, x: f(x), lambda f, x: f(x[None], offset=1, axis1=2, axis2=1)],
    "diag": [lambda f, x: f(x), lambda f, x: f(x[0], k=-1)],
    "diagflat": [lambda f, x: f(x), lambda f, x: f(x[0], k=2)],
    **each(["tril", "triu"], _TRIANGLES),
    "trace": [lambda f, x: f(x), lambda f, x: f(np.stack([x, x * x]), offset=1, axis1=2, axis2=1, dtype=np.float64)],
    "sort": [lambda f, x: f(x), lambda f, x: f(x, axis=0, kind="stable"), lambda f, x: f(x, None, stable=True)],
    "partition": [lambda f, x: f(x, 1), lambda f, x: f(x, (0, 2), axis=0), lambda f, x: f(x, kth=4, axis=None,
                                                                                         kind="introselect")],
    "sort_complex": [lambda f, x: f(x), lambda f, x: f(_turned(x)[0])],
    "unique": [*_UNIQUE, lambda f, x: f(x[[0, 1, 0]], True, return_inverse=True, return_counts=True, axis=0),
               lambda f, x: f(_with_nan(x), equal_nan=False), lambda f, x: f(x, sorted=False)],
    **each(["unique_all", "unique_counts", "unique_inverse", "unique_values"], _UNIQUE),
    "union1d": [lambda f, x: f(x, OTHER)],
    "intersect1d": [lambda f, x: f(x, x[1:]), lambda f, x: f(x, x.T, assume_unique=True, return_indices=True)],
    "setdiff1d": [
        lambda f, x: f(np.append(x, [7.0, 7.0, 0.5]), [7.0, 8.0]),
        lambda f, x: f(np.append(x, 7.0), [7.0], assume_unique=True)],
    "setxor1d": [lambda f, x: f(x, x[1:] * np.array([1.0, 1.0, 0.5])), lambda f, x: f(x, OTHER, assume_unique=True)],
    # ------------------------------------------------------------------ products
    **each(["dot", "inner", "outer", "kron"], [lambda f, x: f(x, OTHER), lambda f, x: f(x[0], x[1])]),
    "vdot": [lambda f, x: f(x, OTHER), lambda f, x: f(_turned(x), x)],
    "tensordot": [lambda f, x: f(x, OTHER), lambda f, x: f(x, x, axes=([0], [1])), lambda f, x: f(x, x[0], axes=1)],
    "cross": [lambda f, x: f(x, OTHER), lambda f, x: f(x, OTHER, axisa=0, axisb=1, axisc=0),
              lambda f, x: f(x, x.T, axis=0)],
    "einsum": [lambda f, x: f("ij,jk", x, OTHER), lambda f, x: f("ii->", x), lambda f, x: f(x, [0, 1], x, [1, 0]),
               lambda f, x: f("...i,...j->...ij", x, x, optimize=True), lambda f, x: f(x, [..., 0], x[0], [0], [...]),
               lambda f, x: f("ij->ji", x, dtype=np.float64, casting="safe", order="C")],
    "polyval": [lambda f, x: f(x[0], x), lambda f, x: f(WEIGHTS, x=x)],
    **each(["polyadd", "polysub", "polymul"], [lambda f, x: f(x[0], x[1, :2]), lambda f, x: f(WEIGHTS, x[2])]),
    "polydiv": [lambda f, x: f(np.ravel(x), x[0]), lambda f, x: f(x[0], np.ravel(x)),
                lambda f, x: f(WEIGHTS, x[0, :2])],
    "polyder": [lambda f, x: f(x[0]), lambda f, x: f(np.ravel(x), m=2)],
    "polyint": [lambda f, x: f(x[0]), lambda f, x: f(x[1], m=2, k=x[0, :2]), lambda f, x: f(x[1], 3, 0.5)],
    "polyfit": [lambda f, x: f(x[0], x[1], 1), lambda f, x: f(KNOTS[:3], x, deg=1, w=x[0]),
                lambda f, x: f(x.ravel(), OTHER.ravel(), 2, rcond=1e-10, full=True),
                lambda f, x: f(np.arange(9.0), x.ravel(), 2, cov=True),
                lambda f, x: f(np.arange(9.0), x.ravel(), 1, cov="unscaled", w=x.ravel())],
    "roots": [lambda f, x: f(x[0]), lambda f, x: f(np.array([1.0, -2.0, -1.0, 0.5]) * x[[0]].ravel()[0] + x[0, 1]),
              lambda f, x: f(np.concatenate([x[0], [0.0]]) - np.array([0.0, 3.0, 0.0, 0.0]))],
    "poly": [lambda f, x: f(x[0]), lambda f, x: f(x + x.T), lambda f, x: f(_turned(x)[0])],
    "poly1d": [lambda f, x: f(x[0])(x[1]), lambda f, x: (f(x[0]) * f(x[1]) - f(WEIGHTS)).coeffs,
               lambda f, x: f(x[0], r=True).deriv().coeffs, lambda f, x: f(x[0]).integ(2, k=0.5)(x[1]),
               lambda f, x: f(x[1], variable="t").coeffs],
    "vander": [lambda f, x: f(x[0]), lambda f, x: f(x[0], N=4, increasing=True)],
    # ------------------------------------------------------------------ samples in a row
    "diff": [lambda f, x: f(x), lambda f, x: f(x, n=2, axis=0), lambda f, x: f(x, prepend=x[:, :1], append=0.5)],
    "ediff1d": [lambda f, x: f(x), lambda f, x: f(x, to_end=x[0], to_begin=0.5)],
    "gradient": [lambda f, x: f(x), lambda f, x: f(x, 0.5, axis=0, edge_order=2), lambda f, x: f(x, x[0, 0], WEIGHTS),
                 lambda f, x: f(x.ravel(), np.cumsum(x.ravel()), edge_order=2), lambda f, x: f(x, axis=(1, 0))],
    "trapezoid": [lambda f, x: f(x), lambda f, x: f(x, x=np.cumsum(x, 0), axis=0), lambda f, x: f(x, dx=x[0, 0]),
                  lambda f, x: f(x, x[0])],
    "interp": [lambda f, x: f(x, KNOTS, np.array([1.0, -0.5, 2.0, 0.3])), lambda f, x: f(0.5, np.cumsum(x[0]), x[1]),
               lambda f, x: f([-1.0, 0.5, 9.0], np.cumsum(x[0]), x[1], left=x[2, 0], right=x[2, 1]),
               lambda f, x: f(3 * x, KNOTS, KNOTS * x[0, 0], period=1.1),
               lambda f, x: f(x, KNOTS, _turned(x).ravel()[:4])],
    **each(["convolve", "correlate"], _CONVOLVED),
    "unwrap": [lambda f, x: f(8 * x), lambda f, x: f(8 * x, discont=4.0, axis=0), lambda f, x: f(x, period=0.8),
               lambda f, x: f(8 * x, period=6.0 + x[0, 0])],
    "linspace": [lambda f, x: f(x[0, 0], x[0, 1], 4), lambda f, x: f(x[0], 2.0, num=3, endpoint=False, axis=-1),
                 lambda f, x: f(x[0], x[1], 3, retstep=True, dtype=np.float64)],
    "logspace": [lambda f, x: f(x[0, 0], x[0, 1], 4), lambda f, x: f(x[0], 2.0, num=3, endpoint=False, axis=1),
                 lambda f, x: f(0.0, x[0, 1], 3, base=1 + x[1, 1], dtype=np.float64)],
    "geomspace": [lambda f, x: f(x[0, 0], x[0, 1], 4), lambda f, x: f(x[0], 2.0, num=3, endpoint=False, axis=1),
                  lambda f, x: f(-x[0], -x[1], 3, dtype=np.float64)],
    "apply_along_axis": [lambda f, x: f(np.sum, 0, x), lambda f, x: f(lambda row, a, b=1.0: np.cumsum(row) * a + b, 1,
                                                                       x, 2.0, b=x[0, 0])],
    "apply_over_axes": [lambda f, x: f(np.sum, x, [0, 1]), lambda f, x: f(np.max, x, 1)],
    # ------------------------------------------------------------------ parts of numbers
    **each(["real", "imag"], [lambda f, x: f(_turned(x)), lambda f, x: f(x) + 0 * x]),
    "angle": [lambda f, x: f(_turned(x)), lambda f, x: f(_turned(x), deg=True)],
    "real_if_close": [lambda f, x: f(x + 0j), lambda f, x: f(_turned(x), tol=1000)],
    **each(["sinc", "i0"], [lambda f, x: f(x)]),
    "nan_to_num": [lambda f, x: f(_with_nan(x)), lambda f, x: f(x * [1.0, np.inf, -np.inf], True, 1.0, 2.0, -3.0),
                   lambda f, x: f(_with_nan(x), nan=4.0, posinf=1.0, neginf=2.0)],
    "copy": [lambda f, x: f(x), lambda f, x: f(x.T, order="F")],
    "astype": [lambda f, x: f(x, complex), lambda f, x: f(x, np.float64, copy=False)],
    # ------------------------------------------------------------------ making and writing
    **each(["ascontiguousarray", "asfortranarray"], [
        lambda f, x: f(x * 2.0, like=x) * 1.0, lambda f, x: f([2.0, 3.0], dtype=complex, like=x) * x[0, 0]]),
    **each(["asarray", "asanyarray"], [lambda f, x: f(x, complex, copy=True, like=x), lambda f, x: f(x * 2, like=x)]),
    "array": [lambda f, x: f(x, copy=None, ndmin=3, like=x), lambda f, x: f([2.0, 3.0], complex, like=x) * x[0, 0]],
    "require": [lambda f, x: f(x * 2, like=x), lambda f, x: f(x, float, ["C", "W"], like=x)],
    "full": [lambda f, x: f((2, 2), x[0, 0], like=x), lambda f, x: f((2, 3), x[0], dtype=complex, like=x)],
    "full_like": [lambda f, x: f(x, x[0, 1]), lambda f, x: f(x, fill_value=x[0], dtype=np.float64, shape=(2, 3))],
    "copyto": [writes(lambda f, y, x: f(y, x * x)), writes(lambda f, y, x: f(y, x[0] * 2, "safe", where=MASK))],
    "put": [writes(lambda f, y, x: f(y, [0, 4], x[0] * x[1])),
            writes(lambda f, y, x: f(y, [10, -1], v=0.5, mode="wrap"))],
    "place": [writes(lambda f, y, x: f(y, MASK, x[0] * x[1]))],
    "putmask": [writes(lambda f, y, x: f(y, MASK, x * x))],
    "put_along_axis": [writes(lambda f, y, x: f(y, np.array([[2, 0, 1]]), x[:1] ** 2, axis=0)),
                       writes(lambda f, y, x: f(y, np.array([2, 0]), values=x[0, :2] ** 2, axis=None))],
    "fill_diagonal": [writes(lambda f, y, x: f(y, x[0] ** 2)), writes(lambda f, y, x: f(y[:, :2], 7.0, wrap=True))],
}

_NORMS: list[Call] = [lambda f, x: f(x),
                      *[lambda f, x, ord=ord: f(x, ord=ord) for ord in (1, -1, 2, -2, np.inf, "nuc")]]
_PRODUCTS: list[Call] = [lambda f, x: f(x, OTHER), lambda f, x: f(x[0], x)]

LINALG: dict[str, list[Call]] = {
    **each(["inv", "det", "slogdet", "eigvals", "eig", "svdvals"], [lambda f, x: f(x)]),
    "trace": [lambda f, x: f(x), lambda f, x: f(x, offset=1, dtype=np.float64)],
    "diagonal": [lambda f, x: f(x), lambda f, x: f(x, offset=-1)],
    "matrix_transpose": [lambda f, x: f(x)],
    "cholesky": [lambda f, x: f(_positive(x)), lambda f, x: f(_positive(x), upper=True)],
    **each(["eigh", "eigvalsh"], [lambda f, x: f(x + x.T), lambda f, x: f(x, UPLO="U")]),
    "svd": [lambda f, x: f(x), lambda f, x: f(x[:2], full_matrices=False), lambda f, x: f(x, compute_uv=False),
            lambda f, x: f(_positive(x), hermitian=True)],
    "qr": [lambda f, x: f(x), lambda f, x: f(x, mode="r")],
    "solve": [lambda f, x: f(x, OTHER), lambda f, x: f(OTHER, x[0])],
    "tensorsolve": [lambda f, x: f(x, x[0]), lambda f, x: f(np.reshape(x, (3, 1, 3)), WEIGHTS, axes=(1,))],
    "tensorinv": [lambda f, x: f(x, ind=1), lambda f, x: f(np.reshape(x, (3, 1, 3)), 1)],
    "matrix_power": [lambda f, x: f(x, 3), lambda f, x: f(x, -2)],
    "pinv": [lambda f, x: f(x[:2]), lambda f, x: f(_positive(x), rcond=1e-12, hermitian=True),
             lambda f, x: f(x, rtol=1e-10)],
    "lstsq": [lambda f, x: f(x[:, :2], OTHER), lambda f, x: f(x, x[0], rcond=1e-12)],
    "multi_dot": [lambda f, x: f([x, OTHER, x[0]])],
    "norm": [*_NORMS, lambda f, x: f(x, 3, axis=0, keepdims=True)],
    "matrix_norm": [*_NORMS, lambda f, x: f(x, keepdims=True)],
    "vector_norm": [lambda f, x: f(x), lambda f, x: f(x, axis=1, keepdims=True, ord=3)],
    "cond": [lambda f, x: f(x), lambda f, x: f(x, p="fro"), lambda f, x: f(x, 1)],
    "cross": [lambda f, x: f(x, OTHER), lambda f, x: f(x, x.T, axis=0)],
    "outer": [lambda f, x: f(x[0], x[1])],
    "matmul": _PRODUCTS,
    "vecdot": [*_PRODUCTS, lambda f, x: f(x, OTHER, axis=0)],
    "tensordot": [lambda f, x: f(x, OTHER), lambda f, x: f(x, x, axes=1)],
}

_ONE: list[Call] = [lambda f, x: f(x), lambda f, x: f(x, 4, axis=0, norm="ortho"),
                    lambda f, x: f(x, n=2, norm="forward")]
_MANY: list[Call] = [lambda f, x: f(x), lambda f, x: f(x, (2, 5), axes=(1, 0), norm="ortho"),
                     lambda f, x: f(x, s=(4,), axes=(0,), norm="backward")]
_TAKES_REAL = {"rfft", "rfft2", "rfftn", "ihfft"}


def _transforms(names: list[str], calls: list[Call]) -> dict[str, list[Call]]:
    on_complex: list[Call] = [lambda f, x, call=call: call(f, _turned(x)) for call in calls]
    return {name: calls if name in _TAKES_REAL else calls + on_complex for name in names}


FFT: dict[str, list[Call]] = {
    **_transforms(["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"], _ONE),
    **_transforms(["fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn"], _MANY),
    **each(["fftshift", "ifftshift"], [lambda f, x: f(x), lambda f, x: f(x, axes=1)]),
    **each(["fftfreq", "rfftfreq"], [lambda f, x: f(5, x[0, 0]), lambda f, x: f(4, d=x[1, 1])]),
}

EMATH: dict[str, list[Call]] = {
    **each(["sqrt", "log", "log2", "log10"], [lambda f, x: f(x), lambda f, x: f(x - 0.5)]),
    **each(["arccos", "arcsin", "arctanh"], [lambda f, x: f(x), lambda f, x: f(2 * x)]),
    "logn": [lambda f, x: f(2.0, x), lambda f, x: f(x, x - 0.5)],
    "power": [lambda f, x: f(x, 2.5), lambda f, x: f(x - 0.5, x), lambda f, x: f(x, np.array([-2, 1, 3]))],
}

CALLS: dict[str, dict[str, list[Call]]] = {
    "numpy": NUMPY | UFUNC_CALLS, "numpy.linalg": LINALG, "numpy.fft": FFT, "numpy.emath": EMATH}

# ---------------------------------------------------------------------- what is constant

_INTEGERS = np.array([[3, 1], [0, 2]])

#: Calls of constant functions; where there is none, ``f(x)`` for one argument and ``f(x, OTHER)`` for two.
CONSTANT_CALLS: dict[str, Call] = {
    **each(["allclose", "array_equal", "array_equiv", "isclose", "isin", "may_share_memory", "shares_memory"],
                    lambda f, x: f(x, OTHER)),
    **each(["common_type", "result_type"], lambda f, x: f(x, OTHER)),
    "can_cast": lambda f, x: f(x.dtype, complex),
    **each(["bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "bitwise_left_shift",
                     "bitwise_right_shift", "gcd", "lcm"], lambda f, x: f(_INTEGERS, _INTEGERS + 1)),
    **each(["bitwise_not", "bitwise_invert", "bitwise_count", "invert"], lambda f, x: f(_INTEGERS)),
    **each(["packbits", "unpackbits"], lambda f, x: f(_INTEGERS.astype(np.uint8))),
    "isnat": lambda f, x: f(np.array("2026-01-01", "M8[D]")),
    "argpartition": lambda f, x: f(x, 1), "lexsort": lambda f, x: f((x[0], x[1])),
    "searchsorted": lambda f, x: f(np.sort(x[0]), x), "digitize": lambda f, x: f(x, np.sort(x[0])),
    "histogram_bin_edges": lambda f, x: f(x, 3, (0, 1)), "ix_": lambda f, x: f(POINT[0] > 0.3, [1, 2]),
    "einsum_path": lambda f, x: f("ij,jk", x, OTHER),
    "ravel_multi_index": lambda f, x: f((1, 2), (3, 4)), "unravel_index": lambda f, x: f(5, x.shape),
    **each(["save", "savez", "savez_compressed", "savetxt"], lambda f, x: f(io.BytesIO(), x)),
    # ------------------------------------------------------------------ arrays like a tensor
    **each(["zeros", "ones", "identity", "tri", "eye", "arange"], lambda f, x: f(3, like=x)),
    "empty": lambda f, x: f(0, like=x), "empty_like": lambda f, x: f(x[:0]),
    "fromfunction": lambda f, x: f(lambda i, j: i + j, (2, 2), like=x),
    "frombuffer": lambda f, x: f(b"\0\0\0\0\0\0\0\0", like=x), "fromiter": lambda f, x: f([1.0, 2.0], float, like=x),
    "fromstring": lambda f, x: f("1 2", sep=" ", like=x),
    **each(["loadtxt", "genfromtxt"], lambda f, x: f(io.StringIO("1 2"), like=x)),
    "fromfile": lambda f, x: f(os.devnull, like=x),
}

#: Calls of what is left out; where there is none, ``f(x)``.
LEFT_OUT_CALLS: dict[str, Call] = {
    "kaiser": lambda f, x: f(5, x[0, 0]), "bmat": lambda f, x: f([[x, x]]),
    "frompyfunc": lambda f, x: f(np.sin, 1, 1)(x),
    "nested_iters": lambda f, x: f(x, [[1], [0]]), "vectorize": lambda f, x: f(np.sin)(x),
    "busdaycalendar": lambda f, x: f("1111100"), "broadcast": lambda f, x: f(x, OTHER),
}
