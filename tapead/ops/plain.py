"""NumPy functions whose result is no function of the values to differentiate: shapes, dtypes, indices, truth values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..decisions import Decision, noted
from ..registry import implements, value_of

#: Called with the values of tensors in the place of tensors; their results are plain.
PLAIN_FUNCTIONS: tuple[Callable[..., Any], ...] = (
    # shapes and types
    np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj, np.result_type, np.can_cast, np.min_scalar_type,
    np.common_type, np.may_share_memory, np.shares_memory, np.einsum_path,
    # truth values
    np.isreal, np.iscomplex, np.isposinf, np.isneginf, np.isclose, np.allclose, np.array_equal, np.array_equiv, np.all,
    np.any, np.isin,
    # counts and indices
    np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.argsort, np.lexsort, np.argpartition, np.searchsorted,
    np.digitize, np.nonzero, np.flatnonzero, np.argwhere, np.count_nonzero, np.histogram_bin_edges, np.ix_,
    np.diag_indices_from, np.tril_indices_from, np.triu_indices_from, np.unravel_index, np.ravel_multi_index,
    # bits
    np.packbits, np.unpackbits,
    # text and files
    np.array_repr, np.array_str, np.array2string, np.save, np.savez, np.savez_compressed, np.savetxt,
)


#: Those whose results hang on the values: they decide which formula a function has at a point.
_DECIDING = frozenset([
    np.isclose, np.allclose, np.array_equal, np.array_equiv, np.isin, np.argmax, np.argmin, np.nanargmax, np.nanargmin,
    np.argsort, np.lexsort, np.argpartition, np.searchsorted, np.digitize, np.nonzero, np.flatnonzero, np.argwhere,
    np.count_nonzero, np.histogram_bin_edges, np.all, np.any])


def _on_values(function: Callable[..., Any]) -> Callable[..., Any]:
    decides = function in _DECIDING

    def call(*args: Any, **kwargs: Any) -> Any:
        result = function(*map(_values, args), **{name: _values(value) for name, value in kwargs.items()})
        if decides and (decisions := noted.get()) is not None:
            decisions.append(Decision(function, args, result, kwargs))
        return result

    return call


def _values(argument: Any) -> Any:
    if isinstance(argument, (list, tuple)) and not hasattr(argument, "_fields"):
        return type(argument)(map(_values, argument))
    return value_of(argument)


for _function in PLAIN_FUNCTIONS:
    implements(_function)(_on_values(_function))
