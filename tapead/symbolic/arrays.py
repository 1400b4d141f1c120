"""Arrays whose elements are SymPy expressions or mpmath numbers, and on which plain NumPy code runs unchanged.

A :class:`DuckArray` pairs an object array with an algebra that says what its elements are (see ``algebras``). NumPy's
protocols and a primitive's ``__tapead_primitive__`` all end here, so that kernels and rules take on another meaning:
elementwise functions through the SymPy counterpart in the registry, structural ones by NumPy's own function on the
object array, and what NumPy cannot do with objects by composition (``functions``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..registry import FUNCTIONS, UFUNCS, Primitive
from .algebras import Algebra, Unavailable, has_counterpart

__all__ = ["FUNCTION_MEANINGS", "PRIMITIVE_MEANINGS", "DuckArray", "interpret", "wrap"]

_FLOAT, _COMPLEX, _BOOL = np.dtype(float), np.dtype(complex), np.dtype(bool)

#: What NumPy functions mean on duck arrays where their own code cannot work on objects.
FUNCTION_MEANINGS: dict[Callable[..., Any], Callable[..., Any]] = {}
#: The same for primitives whose kernels insist on real arrays, by name.
PRIMITIVE_MEANINGS: dict[str, Callable[..., Any]] = {}
#: Functions that a duck array has as methods too, with the same arguments.
_METHODS = frozenset(["all", "any", "argmax", "argmin", "argsort", "clip", "conj", "conjugate", "cumprod", "cumsum",
                      "diagonal", "dot", "max", "mean", "min", "prod", "ptp", "ravel", "repeat", "round", "squeeze",
                      "std", "sum", "swapaxes", "take", "trace", "var"])
_GENERALISED = frozenset(["matmul", "vecdot", "matvec", "vecmat"])
#: Functions being interpreted through their registered handler, which may come back to the function itself.
_handled: ContextVar[frozenset[Any]] = ContextVar("tapead handled functions", default=frozenset())


class DuckArray(NDArrayOperatorsMixin):
    """An array of expressions or numbers of some algebra.

    Attributes
    ----------
    algebra : Algebra
        What the elements are.
    elements : ndarray of object
        The elements; conditions where `dtype` is bool.
    dtype : dtype
        float64, complex128 or bool: what the elements stand for.
    """

    __slots__ = ("algebra", "dtype", "elements")
    __array_priority__ = 2000.0

    def __init__(self, algebra: Algebra, elements: Any, dtype: Any = float) -> None:
        self.algebra = algebra
        self.elements = _boxed(elements)
        self.dtype = np.dtype(dtype)

    # ------------------------------------------------------------------ what it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.elements.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.elements.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.elements.size

    @property
    def nbytes(self) -> int:
        """The bytes that the elements would take as floating-point numbers."""
        return int(self.elements.size * self.dtype.itemsize)

    @property
    def T(self) -> DuckArray:  # noqa: N802 -- NumPy's name
        """The array with its axes reversed."""
        return DuckArray(self.algebra, self.elements.T, self.dtype)

    @property
    def mT(self) -> DuckArray:  # noqa: N802 -- NumPy's name
        """The array with its last two axes swapped."""
        return DuckArray(self.algebra, np.swapaxes(self.elements, -1, -2), self.dtype)

    @property
    def real(self) -> Any:
        """The real part."""
        return np.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return np.imag(self)

    def __repr__(self) -> str:
        return f"DuckArray({self.elements!r}, dtype={self.dtype})"

    def __len__(self) -> int:
        return len(self.elements)

    def __iter__(self) -> Iterator[Any]:
        return (self[position] for position in range(len(self)))

    def __getitem__(self, key: Any) -> DuckArray:
        return DuckArray(self.algebra, self.elements[key], self.dtype)

    def __bool__(self) -> bool:
        truth = self.algebra.decide(self.elements.item())
        if truth is None:
            raise Unavailable(f"whether {self.elements.item()} holds is undecided")
        return truth

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise TypeError("an array of expressions is not to become a plain array: use NumPy's functions on it")

    # ------------------------------------------------------------------ methods

    def __getattr__(self, name: str) -> Any:
        if name not in _METHODS:
            raise AttributeError(name)
        return functools.partial(getattr(np, name), self)

    def reshape(self, *shape: Any, order: Any = "C") -> DuckArray:
        """The same elements in another shape."""
        return DuckArray(self.algebra, self.elements.reshape(*shape, order=order), self.dtype)

    def transpose(self, *axes: Any) -> DuckArray:
        """The axes in another order."""
        return DuckArray(self.algebra, self.elements.transpose(*axes), self.dtype)

    def copy(self) -> DuckArray:
        """The same elements in memory of their own."""
        return DuckArray(self.algebra, self.elements.copy(), self.dtype)

    def flatten(self, order: Any = "C") -> DuckArray:
        """All elements along one axis."""
        return self.reshape(-1, order=order)

    def astype(self, dtype: Any, **options: Any) -> DuckArray:
        """The same values under another dtype: the real part of complex numbers, 1 and 0 for truth values."""
        dtype = np.dtype(dtype)
        if dtype.kind not in "fc":
            raise Unavailable(f"expressions cannot become {dtype}")
        elements = self.elements
        if self.dtype == _BOOL:
            elements = _each(lambda c: self.algebra.choose(c, self.algebra.number(1), self.algebra.number(0)), elements)
        if self.dtype.kind == "c" and dtype.kind == "f":
            elements = _each(self.algebra.real, elements)
        return DuckArray(self.algebra, elements, _COMPLEX if dtype.kind == "c" else _FLOAT)

    # ------------------------------------------------------------------ the protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if kwargs.pop("out", None) is not None or (method == "__call__" and kwargs):
            raise Unavailable(f"np.{ufunc.__name__} with {', '.join(kwargs) or 'out'}")
        if method == "__call__":
            if ufunc.__name__ in _GENERALISED:
                return _on_objects(self.algebra, ufunc, inputs, {})
            name = ufunc.__name__
            if name == "modf":
                return inputs[0] - np.trunc(inputs[0]), np.trunc(inputs[0])
            if name == "divmod":
                return np.floor_divide(*inputs), np.remainder(*inputs)
            return elementwise(self.algebra, UFUNCS.get(ufunc) or Primitive(name, ufunc, elementwise=True), inputs, {})
        if method == "outer":
            first, second = (wrap(self.algebra, x) for x in inputs)
            return ufunc(first.reshape(first.shape + (1,) * second.ndim), second)
        if method in ("reduce", "accumulate"):
            return _fold(ufunc, wrap(self.algebra, inputs[0]), keep=method == "accumulate", **kwargs)
        raise Unavailable(f"np.{ufunc.__name__}.{method}")

    def __array_function__(self, function: Callable[..., Any], types: Any, args: tuple[Any, ...],
                           kwargs: dict[str, Any]) -> Any:
        meaning = FUNCTION_MEANINGS.get(function)
        if meaning is not None:
            return meaning(*args, **kwargs)
        try:
            return _on_objects(self.algebra, function, args, kwargs)
        except Exception as error:  # NumPy raises whatever it meets when it cannot work on objects
            handler, handled = FUNCTIONS.get(function), _handled.get()
            if handler is None or function in handled:
                name = f"{function.__module__}.{function.__name__}"
                raise Unavailable(f"{name} cannot be interpreted: {error}") from error
            token = _handled.set(handled | {function})
            try:
                return handler(*args, **kwargs)
            finally:
                _handled.reset(token)

    @staticmethod
    def __tapead_primitive__(primitive: Primitive, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        return interpret(primitive, inputs, attrs)


def interpret(primitive: Primitive, inputs: tuple[Any, ...], attrs: Mapping[str, Any]) -> Any:
    """A primitive applied to inputs at least one of which is a duck array.

    Raises
    ------
    Unavailable
        If neither a counterpart nor the kernel makes sense of these elements; the message names the primitive.
    """
    algebra = next(value.algebra for value in inputs if isinstance(value, DuckArray))
    if has_counterpart(primitive, attrs):
        return elementwise(algebra, primitive, inputs, attrs)
    kernel = PRIMITIVE_MEANINGS.get(primitive.name, primitive.kernel)
    try:
        return wrap(algebra, kernel(*inputs, **attrs))
    except Exception as error:  # a kernel written for arrays may fail in any way on these
        try:
            return wrap(algebra, _on_objects(algebra, kernel, inputs, attrs))
        except Exception as second:
            raise Unavailable(f"primitive {primitive.name!r} cannot be interpreted: {error}") from second


def elementwise(algebra: Algebra, primitive: Primitive, inputs: tuple[Any, ...], attrs: Mapping[str, Any]) -> Any:
    """An elementwise primitive on each group of elements; truth values that are all decided come back plain."""
    operands = [wrap(algebra, value) for value in inputs]
    dtype = _result_dtype(primitive, tuple(operand.dtype for operand in operands), attrs)
    if dtype != _BOOL or primitive.name in ("equal", "not_equal"):
        operands = [operand.astype(float) if operand.dtype == _BOOL else operand for operand in operands]
    if primitive.name == "absolute" and operands[0].dtype == _COMPLEX:  # a formula in real parts can be differentiated
        return np.sqrt(np.square(operands[0].real) + np.square(operands[0].imag))
    function = algebra.function(primitive, attrs, is_complex=dtype.kind == "c")
    with np.errstate(all="ignore"):  # special values are asked of NumPy on the way, and its flags would be seen here
        results = _boxed(np.frompyfunc(function, len(operands), 1)(*(operand.elements for operand in operands)))
    if dtype == _BOOL:
        return _conditions(algebra, results)
    return DuckArray(algebra, results, dtype)


@functools.lru_cache(maxsize=1000)
def _dtype_of_call(kernel: Callable[..., Any], dtypes: tuple[np.dtype[Any], ...]) -> np.dtype[Any]:
    kind = np.asarray(kernel(*(np.zeros(0, dtype) for dtype in dtypes))).dtype.kind
    return _COMPLEX if kind == "c" else _BOOL if kind == "b" else _FLOAT


def _result_dtype(primitive: Primitive, dtypes: tuple[np.dtype[Any], ...], attrs: Mapping[str, Any]) -> np.dtype[Any]:
    """What the kernel makes of empty arrays of these dtypes."""
    if not attrs:
        try:
            return _dtype_of_call(primitive.kernel, dtypes)
        except Exception:  # a kernel need not take empty arrays
            pass
    return _COMPLEX if _COMPLEX in dtypes else _FLOAT


def _conditions(algebra: Algebra, results: np.ndarray) -> Any:
    decided = _each(algebra.decide, results)
    if any(truth is None for truth in decided.flat):
        return DuckArray(algebra, results, bool)
    return decided.astype(bool)[()]


def _on_objects(algebra: Algebra, function: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]) -> Any:
    """A NumPy function (or a kernel in NumPy) on the object arrays themselves."""
    found: list[np.dtype[Any]] = []
    result = function(*(_raw(algebra, argument, found) for argument in args),
                      **{name: _raw(algebra, value, found) for name, value in kwargs.items()})
    return _wrapped(algebra, result, _COMPLEX if _COMPLEX in found else _FLOAT)


def _raw(algebra: Algebra, argument: Any, found: list[np.dtype[Any]]) -> Any:
    """The object arrays in an argument, floating-point arrays and numbers made such; the dtypes met are noted."""
    if isinstance(argument, DuckArray):
        if argument.dtype == _BOOL:
            argument = argument.astype(float)
        found.append(argument.dtype)
        return argument.elements
    if isinstance(argument, (list, tuple)):
        parts = [_raw(algebra, part, found) for part in argument]
        return parts if isinstance(argument, list) else tuple(parts)
    if isinstance(argument, (float, complex, np.ndarray, np.generic)) and np.asarray(argument).dtype.kind in "fc":
        lifted = wrap(algebra, argument)
        found.append(lifted.dtype)
        return lifted.elements if lifted.ndim else lifted.elements.item()
    return argument


def _wrapped(algebra: Algebra, result: Any, dtype: np.dtype[Any]) -> Any:
    """What came out of NumPy, as duck arrays; indices, shapes and truth values stay plain."""
    if isinstance(result, (list, tuple)):
        parts = [_wrapped(algebra, part, dtype) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    if isinstance(result, np.ndarray) and result.dtype == object:
        return DuckArray(algebra, _each(lambda element: algebra.number(_unboxed(element)), result), dtype)
    if algebra.owns(result) or type(result) is int:
        return DuckArray(algebra, algebra.number(result), dtype)
    if isinstance(result, (float, complex)) or getattr(result, "dtype", _BOOL).kind in "fc":
        raise TypeError("NumPy turned the elements into floating-point numbers")
    return result


def wrap(algebra: Algebra, value: Any) -> DuckArray:
    """`value` as a duck array: numbers and arrays become elements of the algebra."""
    if isinstance(value, DuckArray):
        return value
    if algebra.owns(value):
        return DuckArray(algebra, value)
    array = np.asarray(value)
    if array.dtype.kind not in "fciubO":
        raise Unavailable(f"an array of dtype {array.dtype}")
    if array.dtype == bool:
        return DuckArray(algebra, _each(algebra.truth, array.astype(object)), bool)
    dtype = _COMPLEX if array.dtype.kind == "c" else _FLOAT
    return DuckArray(algebra, _each(algebra.number, array.astype(object)), dtype)


def _fold(ufunc: np.ufunc, array: DuckArray, *, keep: bool, axis: Any = 0, dtype: Any = None, keepdims: bool = False,
          initial: Any = None, where: Any = True) -> Any:
    """``ufunc.reduce``, or with `keep` ``ufunc.accumulate``, by calling it pair by pair."""
    axes = tuple(range(array.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(one % array.ndim for one in axes)
    kept = tuple(one for one in range(array.ndim) if one not in axes)
    lengths = tuple(array.shape[one] for one in kept)

    def rows_of(values: Any) -> Any:
        return values.transpose((*axes, *kept)).reshape((int(np.prod([array.shape[one] for one in axes])), *lengths))

    rows = rows_of(array)
    if keep and not len(rows):
        return array
    masks = None if where is True else rows_of(np.broadcast_to(where, array.shape))
    start = ufunc.identity if initial is None and (masks is not None or not len(rows)) else initial
    results: list[Any] = [] if start is None else [wrap(array.algebra, start)]
    for place, row in enumerate(rows):
        joined = ufunc(results[-1], row) if results else row
        results.append(joined if masks is None else np.where(masks[place], joined, results[-1]))
    if keep:
        return np.moveaxis(np.stack(results), 0, axes[0])
    result = np.broadcast_to(results[-1], lengths)
    return np.expand_dims(result, axes) if keepdims else result


def _each(function: Callable[[Any], Any], elements: Any) -> np.ndarray:
    return _boxed(np.frompyfunc(function, 1, 1)(elements))


def _unboxed(element: Any) -> Any:
    """The content of a 0-d object array, which assigning one to an element leaves there."""
    return element.item() if isinstance(element, np.ndarray) else element


def _boxed(elements: Any) -> np.ndarray:
    """An object array of the given elements, 0-d for a single one."""
    if isinstance(elements, np.ndarray) and elements.dtype == object:
        return elements
    box = np.empty((), object)
    box[()] = elements
    return box
