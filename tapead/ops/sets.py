"""Arrays as sets: the elements of a result are elements of the arguments, each with the derivative of where it is from.

Of equal elements within an array the first counts. An element of an intersection belongs to both arrays, half to each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..registry import implements, value_of
from .arguments import as_operand
from .indexing import along


@implements(np.unique)
def _unique_of(ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
               axis: int | None = None, *, equal_nan: bool = True, sorted: bool = True) -> Any:
    unique: Any = np.unique  # NumPy's stubs know its flags as literals only
    order: dict[str, Any] = {} if sorted else {"sorted": False}  # the keyword is new in NumPy 2.3
    if not sorted and axis is None and not (return_index or return_inverse or return_counts):
        return np.ravel(ar)[_first_places(value_of(ar), unique(value_of(ar), equal_nan=equal_nan, **order), equal_nan)]
    found = unique(value_of(ar), True, return_inverse, return_counts, axis, equal_nan=equal_nan, **order)
    place = found[1]
    values = np.ravel(ar)[place] if axis is None else ar[along(normalize_axis_index(axis, ar.ndim), place)]
    others = found[1:] if return_index else found[2:]
    return (values, *others) if others else values


def _first_places(values: Any, found: Any, equal_nan: bool) -> Any:
    """Where in an array the unique elements are that NumPy found, in the order in which it found them."""
    places = np.empty(found.size, np.intp)
    places[np.argsort(found, kind="stable")] = np.unique(values, return_index=True, equal_nan=equal_nan)[1]
    return places


def _with_fields(function: Callable[..., Any]) -> Callable[..., Any]:
    def unique(x: Any) -> Any:
        found = function(value_of(x))
        places = _first_places(value_of(x), found.values, equal_nan=False)
        return found._replace(values=np.ravel(x)[places])

    return unique


for _function in (np.unique_all, np.unique_counts, np.unique_inverse):
    implements(_function)(_with_fields(_function))


@implements(np.unique_values)
def _unique_values_of(x: Any) -> Any:
    return np.ravel(x)[_first_places(value_of(x), np.unique_values(value_of(x)), equal_nan=False)]


@implements(np.union1d)
def _union1d_of(ar1: Any, ar2: Any) -> Any:
    return np.unique(np.concatenate([as_operand(ar1), as_operand(ar2)], axis=None))


@implements(np.intersect1d)
def _intersect1d_of(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    ar1, ar2 = as_operand(ar1), as_operand(ar2)
    _, first, second = np.intersect1d(value_of(ar1), value_of(ar2), assume_unique, return_indices=True)
    common = 0.5 * np.ravel(ar1)[first] + 0.5 * np.ravel(ar2)[second]
    common = common.astype(np.result_type(ar1.dtype, ar2.dtype))
    return (common, first, second) if return_indices else common


@implements(np.setdiff1d)
def _setdiff1d_of(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    ar1 = np.ravel(as_operand(ar1)) if assume_unique else np.unique(as_operand(ar1))
    return ar1[np.isin(value_of(ar1), value_of(ar2), invert=True)]


@implements(np.setxor1d)
def _setxor1d_of(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    ar1, ar2 = as_operand(ar1), as_operand(ar2)
    if not assume_unique:
        ar1, ar2 = np.unique(ar1), np.unique(ar2)
    both = np.sort(np.concatenate([ar1, ar2], axis=None))
    if both.size == 0:
        return both
    changes = np.concatenate([[True], value_of(both[1:]) != value_of(both[:-1]), [True]])
    return both[changes[1:] & changes[:-1]]
