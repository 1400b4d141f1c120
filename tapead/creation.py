"""NumPy's functions that make arrays, asked to make them like a tensor: by ``np.zeros_like(x)`` or ``like=x``.

They make tensors, so that what they make can be filled by assignment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .protocols import array
from .registry import implements, value_of
from .tensor import Tensor, _wrap


def _made_by(function: Callable[..., Any]) -> Callable[..., Any]:
    def make(*args: Any, **kwargs: Any) -> Any:
        made = function(*map(value_of, args), **{name: value_of(value) for name, value in kwargs.items()})
        return _wrap(made[()], None) if isinstance(made, np.ndarray) else made

    return make


#: What they make depends on no value.
MAKERS: tuple[Callable[..., Any], ...] = (
    np.zeros_like, np.ones_like, np.empty_like, np.zeros, np.ones, np.empty, np.eye, np.identity, np.tri, np.arange,
    np.fromfunction, np.frombuffer, np.fromfile, np.fromiter, np.fromstring, np.loadtxt, np.genfromtxt)

for _function in MAKERS:
    implements(_function)(_made_by(_function))


@implements(np.full_like)
def _full_like_of(a: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: bool = True, *,
                  shape: Any = None, device: Any = None) -> Any:
    result = _wrap(np.empty_like(value_of(a), dtype, order, shape=shape, device=device)[()], None)
    return _filled(result, fill_value)


@implements(np.full)
def _full_of(shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C", *, device: Any = None) -> Any:
    if dtype is None:
        dtype = np.asarray(value_of(fill_value)).dtype
    return _filled(_wrap(np.empty(shape, dtype, order, device=device)[()], None), fill_value)


def _filled(result: Tensor, fill_value: Any) -> Any:
    return np.copy(np.broadcast_to(fill_value, result.shape)).astype(result.dtype) if isinstance(fill_value, Tensor) \
        else _wrap(np.full(result.shape, fill_value, result.dtype)[()], None)


@implements(np.array)
def _array_of(object: Any, dtype: Any = None, *, copy: bool | None = True, order: Any = "K", subok: bool = False,
              ndmin: int = 0, ndmax: int = 0) -> Any:
    if ndmax:
        raise NotImplementedError("np.array: ndmax= makes arrays of objects, which tensors cannot hold")
    result = array(object, dtype=dtype)
    if result is object and copy:
        result = np.copy(result, order)
    return np.reshape(result, (1,) * (ndmin - result.ndim) + result.shape) if result.ndim < ndmin else result


@implements(np.asarray, np.asanyarray)
def _asarray_of(a: Any, dtype: Any = None, order: Any = None, *, device: Any = None, copy: bool | None = None) -> Any:
    return _array_of(a, dtype, copy=copy, order=order or "K")


@implements(np.ascontiguousarray, np.asfortranarray)
def _contiguous_of(a: Any, dtype: Any = None) -> Any:
    return _array_of(a, dtype, copy=None, ndmin=1)


@implements(np.require)
def _require_of(a: Any, dtype: Any = None, requirements: Any = None) -> Any:
    wanted = {requirements} if isinstance(requirements, str) else set(requirements or ())
    return _array_of(a, dtype, copy=bool(wanted))
