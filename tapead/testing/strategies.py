"""Hypothesis strategies of the inputs at which derivatives go wrong: shapes, dtypes, layouts and hard values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from ..registry import Primitive, lookup

__all__ = ["arrays", "broadcastable_shapes", "calls", "dtypes", "numbers", "shapes"]

#: Values at which derivatives go wrong, the simplest first: plain ones, zeros of both signs, tiny, huge, subnormal.
_SPECIAL = (1.0, 0.5, 2.0, -1.0, -3.0, 0.0, -0.0, 1e-8, 1e8, 1e-150, 1e150, 1e-300, 5e-324)
_SPECIAL_SINGLE = (1.0, 0.5, 2.0, -1.0, -3.0, 0.0, -0.0, 1e-4, 1e4, 1e-30, 1e30, 1e-45)
#: How close to the end of an interval the values next to it lie, relative to the larger of the end and 1.
_NEAR = (1e-3, 1e-6, 1e-12)
#: How far values go where an interval has no end.
_FAR = 1e6
_LAYOUTS = ("C", "Fortran", "every second", "reversed", "transposed")


def numbers(low: float = -np.inf, high: float = np.inf, dtype: Any = float) -> st.SearchStrategy[float]:
    """Numbers in the open interval (`low`, `high`): simple ones, hard ones, and ones close to its ends.

    Parameters
    ----------
    low, high : float
        The ends of the interval, which are left out themselves.
    dtype : dtype
        ``float`` or ``np.float32``: all numbers are representable in it.

    Examples
    --------
    >>> from hypothesis import find
    >>> from tapead import testing
    >>> find(testing.numbers(0.0, 1.0), lambda x: x < 1e-100) < 1e-100
    True
    """
    kind = np.dtype(dtype)
    if not low < high:
        raise ValueError(f"numbers: ({low}, {high}) is no interval")
    single = kind == np.float32
    edges = [low + size * max(abs(low), 1.0) for size in _NEAR] * bool(np.isfinite(low))
    edges += [high - size * max(abs(high), 1.0) for size in _NEAR] * bool(np.isfinite(high))
    with np.errstate(under="ignore"):
        special = [float(kind.type(value)) for value in (*(_SPECIAL_SINGLE if single else _SPECIAL), *edges)]
    special = [value for value in special if low < value < high]
    first = low if np.isfinite(low) else min(-_FAR, high - _FAR)
    last = high if np.isfinite(high) else max(_FAR, low + _FAR)
    with np.errstate(over="ignore"):
        first, last = (float(np.nextafter(kind.type(end), kind.type(way))) if np.isfinite(bound) else float(end)
                       for end, way, bound in ((first, np.inf, low), (last, -np.inf, high)))
    drawn = st.floats(first, last, width=32 if single else 64)
    return st.one_of(drawn, st.sampled_from(special)) if special else drawn


def dtypes(*, single: bool = True, imaginary: bool = False) -> st.SearchStrategy[np.dtype[Any]]:
    """Floating-point dtypes: double precision, `single` precision, and their complex kin if `imaginary`.

    Examples
    --------
    >>> from hypothesis import find
    >>> from tapead import testing
    >>> find(testing.dtypes(), lambda dtype: dtype.itemsize == 4)
    dtype('float32')
    """
    names = ["float64", *["float32"] * single, *["complex128"] * imaginary, *["complex64"] * (single and imaginary)]
    return st.sampled_from([np.dtype(name) for name in names])


def shapes(max_axes: int = 3, max_length: int = 3) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes of arrays: 0-d, empty, with axes of length 1.

    Examples
    --------
    >>> from hypothesis import find
    >>> from tapead import testing
    >>> find(testing.shapes(), lambda shape: 0 in shape)
    (0,)
    """
    return st.lists(st.integers(0, max_length), max_size=max_axes).map(tuple)


def broadcastable_shapes(count: int, max_axes: int = 3, max_length: int = 3
                         ) -> st.SearchStrategy[tuple[tuple[int, ...], ...]]:
    """Tuples of `count` shapes that broadcast together.

    Examples
    --------
    >>> from hypothesis import find
    >>> from tapead import testing
    >>> find(testing.broadcastable_shapes(2), lambda pair: len(pair[0]) > len(pair[1]))
    ((0,), ())
    """
    return mutually_broadcastable_shapes(num_shapes=count, max_dims=max_axes, min_side=0, max_side=max_length).map(
        lambda found: found.input_shapes)


@st.composite
def arrays(draw: Callable[..., Any], shape: Any = (), dtype: Any = float, low: float = -np.inf,
           high: float = np.inf) -> Any:
    """Arrays with hard values and ties, contiguous or not.

    Parameters
    ----------
    shape : tuple of int, or strategy of such
        See :func:`shapes`. For ``()`` numbers are drawn, not 0-d arrays.
    dtype : dtype, or strategy of such
        See :func:`dtypes`.
    low, high : float
        The open interval of the values.

    Examples
    --------
    >>> from hypothesis import find
    >>> from tapead import testing
    >>> find(testing.arrays((2, 3)), lambda x: not x.flags.c_contiguous).flags.c_contiguous
    False
    """
    lengths = draw(shape) if isinstance(shape, st.SearchStrategy) else tuple(shape)
    kind = np.dtype(draw(dtype) if isinstance(dtype, st.SearchStrategy) else dtype)
    part = np.dtype(np.float32 if kind in (np.float32, np.complex64) else np.float64)
    values = _values(draw, int(np.prod(lengths)), numbers(low, high, part))
    if kind.kind == "c":
        array = np.empty(lengths, kind)
        array.real, array.imag = (np.reshape(parts, lengths) for parts in (values, _values(draw, len(values), numbers(
            low, high, part))))
    else:
        array = np.array(values, kind).reshape(lengths)
    return _laid_out(array, draw(st.sampled_from(_LAYOUTS)))[()] if array.ndim else array[()]


def _values(draw: Callable[..., Any], size: int, strategy: st.SearchStrategy[float]) -> list[float]:
    """As many numbers, and now and then few different ones: ties."""
    if size > 1 and draw(st.integers(0, 3)) == 3:
        strategy = st.sampled_from(draw(st.lists(strategy, min_size=1, max_size=max(1, size // 2))))
    return list(draw(st.lists(strategy, min_size=size, max_size=size)))


def _laid_out(array: Any, layout: str) -> Any:
    """The same array with its elements elsewhere in memory."""
    if layout == "Fortran":
        return np.asfortranarray(array)
    if layout == "every second":
        return np.repeat(array, 2, axis=-1)[..., ::2]
    if layout == "reversed":
        return np.ascontiguousarray(array[..., ::-1])[..., ::-1]
    return np.ascontiguousarray(array.T).T if layout == "transposed" else array


@st.composite
def calls(draw: Callable[..., Any], primitive: str | Primitive, dtype: Any = float) -> Any:
    """Calls of a primitive, ``(inputs, keywords)``: what the catalogue says of its domain and its arguments.

    Parameters
    ----------
    primitive : str or Primitive
        For an elementwise one broadcastable shapes are drawn; for others one of the calls it declares.
    dtype : dtype, or strategy of such
        Of the inputs.

    Examples
    --------
    >>> from hypothesis import find
    >>> from tapead import testing
    >>> inputs, keywords = find(testing.calls("log"), lambda call: call[0][0].size > 0)
    >>> bool(inputs[0] > 0), keywords
    (True, {})
    """
    found = primitive if isinstance(primitive, Primitive) else lookup(primitive)
    kind = draw(dtype) if isinstance(dtype, st.SearchStrategy) else dtype
    if found.cases:
        operands, keywords = draw(st.sampled_from(found.cases))
    elif found.elementwise:
        operands, keywords = draw(broadcastable_shapes(found.arity)), {}
    else:
        raise ValueError(f"calls: primitive {found.name!r} declares no cases=, from which calls are drawn")
    inputs = []
    for position, operand in enumerate(operands):
        low, high = found.domain[position] if position < len(found.domain) else (-np.inf, np.inf)
        inputs.append(draw(arrays(operand, kind, low, high)) if isinstance(operand, tuple) else operand)
    return tuple(inputs), dict(keywords)
