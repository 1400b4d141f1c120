"""NumPy's builders that make plain arrays of what they are given, for tensors: ``r_``, ``c_`` and ``vectorize``."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from .registry import value_of
from .tensor import Tensor

__all__ = ["c_", "r_", "vectorize"]


class _Concatenation:
    """``np.r_`` or ``np.c_``: NumPy puts the numbers of the elements together, and tells where each comes from."""

    def __init__(self, numpys: Any) -> None:
        self._numpys = numpys

    def __getitem__(self, key: Any) -> Any:
        items = list(key) if isinstance(key, tuple) else [key]
        if not any(isinstance(item, Tensor) for item in items):
            return self._numpys[key]
        parts: list[Any] = []
        start = 0
        for position, item in enumerate(items):
            if isinstance(item, str):
                continue
            if isinstance(item, slice):
                item = np.r_[item]
            part = item if isinstance(item, Tensor) else np.asarray(item)
            items[position] = np.arange(start, start + part.size).reshape(part.shape)
            start += part.size
            parts.append(np.ravel(part))
        places = np.asarray(self._numpys[tuple(items)])
        return np.concatenate(parts)[places]


#: ``np.r_`` for tensors: ``tapead.r_[x, 0.0, 1:5]``.
r_ = _Concatenation(np.r_)
#: ``np.c_`` for tensors: the columns of a matrix, ``tapead.c_[x, y]``.
c_ = _Concatenation(np.c_)


class vectorize:  # noqa: N801 -- NumPy's name
    """A function of numbers as one of arrays and tensors, element by element: ``np.vectorize`` with derivatives.

    Parameters
    ----------
    pyfunc : callable
        Of numbers (or, with a signature, of arrays); written with NumPy's functions and operators.
    otypes : str or list of dtype, optional
        The dtype of each result.
    doc : str, optional
        What the docstring is to be, if not that of `pyfunc`.
    excluded : set of str or int, optional
        Arguments that are handed on whole.
    cache : bool
        As for NumPy, which calls the function once more to find out how many results it has; there is no need here.
    signature : str, optional
        Such as ``"(n),(n)->()"``, for a function of vectors or matrices.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> clipped = ta.vectorize(lambda x: x * x if x > 0 else 0.0 * x)
    >>> ta.grad(lambda x: np.sum(clipped(x)))(np.array([-1.0, 2.0, 3.0]))
    array([0., 4., 6.])
    """

    def __init__(self, pyfunc: Callable[..., Any], otypes: Any = None, doc: str | None = None,
                 excluded: Collection[str | int] | None = None, cache: bool = False,
                 signature: str | None = None) -> None:
        self._plain = np.vectorize(pyfunc, otypes, doc, set(excluded or ()), cache, signature)
        self._excluded = set(excluded or ())
        self._types = [np.dtype(one) for one in self._plain.otypes] if self._plain.otypes is not None else None
        self._core = [] if signature is None else [
            part.count(",") + 1 if part.strip("() ") else 0
            for part in signature.replace(" ", "").partition("->")[0].split("),(")]
        self.pyfunc = pyfunc
        self.__doc__ = self._plain.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function of each element, with the arguments broadcast against each other."""
        if not any(isinstance(value, Tensor) for value in (*args, *kwargs.values())):
            return self._plain(*args, **kwargs)
        named = [name for name in kwargs if name not in self._excluded]
        places = [position for position in range(len(args)) if position not in self._excluded]
        given = [args[position] for position in places] + [kwargs[name] for name in named]
        arrays = [value if isinstance(value, Tensor) else np.asarray(value) for value in given]
        core = self._core or [0] * len(arrays)
        if len(core) != len(arrays):
            raise TypeError(f"wrong number of positional arguments: expected {len(core)}, got {len(arrays)}")
        shapes = [array.shape[:array.ndim - ndim] for array, ndim in zip(arrays, core, strict=True)]
        outer = np.broadcast_shapes(*shapes)
        arrays = [np.broadcast_to(array, outer + array.shape[len(shape):])
                  for array, shape in zip(arrays, shapes, strict=True)]
        results = []
        for place in np.ndindex(outer):
            values = [array[place] for array in arrays]
            filled = list(args)
            for position, value in zip(places, values, strict=False):
                filled[position] = value
            results.append(self.pyfunc(*filled, **{**kwargs, **dict(zip(named, values[len(places):], strict=True))}))
        if not results:
            return self._plain(*map(value_of, args), **{name: value_of(value) for name, value in kwargs.items()})
        if isinstance(results[0], tuple):
            return tuple([self._stacked(number, parts, outer)
                          for number, parts in enumerate(zip(*results, strict=True))])
        return self._stacked(0, results, outer)

    def _stacked(self, number: int, results: Any, outer: tuple[int, ...]) -> Any:
        parts = [part if isinstance(part, Tensor) else np.asarray(part) for part in results]
        stacked = np.stack(parts)
        stacked = np.reshape(stacked, outer + stacked.shape[1:])
        return stacked if self._types is None else stacked.astype(self._types[number])
