"""Many cotangents or tangents at once: an axis in front that the sweeps and the rules do not see.

A :class:`Batch` looks to a rule like one array. NumPy's protocols carry its axis along: through ufuncs, through the
primitives that linear maps are made of, and one by one through whatever is not known here. A Jacobian is then one
sweep over a few operations on matrices in place of a sweep per row.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .ops import FIXED, METHODS
from .ops.axes import axes_of
from .ops.indexing import names_each_once
from .registry import FUNCTIONS, UFUNCS, Primitive

__all__ = ["Batch", "one_by_one"]


class Batch:
    """Arrays of one shape, stacked along an axis that only this class knows of.

    Attributes
    ----------
    values : ndarray
        The arrays, one for each index of the first axis.
    """

    __slots__ = ("values",)

    __array_priority__ = 2000.0

    def __init__(self, values: Any) -> None:
        self.values = values

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of each array."""
        return self.values.shape[1:]  # type: ignore[no-any-return]  # of an array

    @property
    def ndim(self) -> int:
        """The number of axes of each array."""
        return self.values.ndim - 1  # type: ignore[no-any-return]  # of an array

    @property
    def size(self) -> int:
        """The number of elements of each array."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self.values.nbytes  # type: ignore[no-any-return]  # of an array

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.values.dtype  # type: ignore[no-any-return]  # of an array

    @property
    def T(self) -> Batch:  # noqa: N802 -- NumPy's name
        """Each array with its axes reversed."""
        return _transpose(self)  # type: ignore[no-any-return]  # of a batch

    @property
    def mT(self) -> Batch:  # noqa: N802 -- NumPy's name
        """Each array with its last two axes swapped."""
        if self.ndim < 2:
            raise ValueError("a matrix transpose needs at least two axes")
        return Batch(self.values.mT)

    @property
    def real(self) -> Batch:
        """The real parts."""
        return Batch(self.values.real)

    @property
    def imag(self) -> Batch:
        """The imaginary parts."""
        return Batch(self.values.imag)

    def astype(self, dtype: Any) -> Batch:
        """Each array in another type."""
        return Batch(self.values.astype(dtype))

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Batch]:
        return (self[position] for position in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        return _getitem(self, key=key)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs:
            return NotImplemented
        if ufunc.signature is None:
            return Batch(ufunc(*_aligned(inputs)))
        if ufunc is np.matmul:
            return _matmul(*inputs)
        return _primitive_one_by_one(UFUNCS[ufunc], inputs, {}) if ufunc in UFUNCS else NotImplemented

    def __array_function__(self, function: Callable[..., Any], types: Any, args: tuple[Any, ...],
                           kwargs: dict[str, Any]) -> Any:
        handler = _OWN.get(function) or FUNCTIONS.get(function)
        return NotImplemented if handler is None else handler(*args, **kwargs)

    @staticmethod
    def __tapead_primitive__(primitive: Primitive, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        if primitive.elementwise and not attrs:
            return Batch(primitive.kernel(*_aligned(inputs)))
        carried = _CARRIED.get(primitive.name)
        result = None if carried is None else carried(*inputs, **attrs)
        return _primitive_one_by_one(primitive, inputs, attrs) if result is None else result

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise TypeError("many arrays at once are not one array")

    def __bool__(self) -> NoReturn:
        raise TypeError("many arrays at once have no truth value")

    __float__ = __int__ = __complex__ = __index__ = __bool__


def _operator(ufunc: np.ufunc, compute: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    def method(self: Batch, other: Any) -> Any:
        values = self.values
        if other.__class__ is Batch:
            if other.values.ndim == values.ndim:
                return Batch(compute(values, other.values))
        elif other.__class__ in _NUMBERS or (other.__class__ is np.ndarray and other.ndim < values.ndim):
            return Batch(compute(values, other))
        return ufunc(self, other)

    return method, lambda self, other: ufunc(other, self)


_NUMBERS = frozenset([float, int, complex, np.float64, np.float32, np.complex128])


def _install() -> None:
    """Give Batch NumPy's operators, and the array methods that rules use."""
    arithmetic: list[tuple[str, np.ufunc, Callable[[Any, Any], Any]]] = [
        ("add", np.add, operator.add), ("sub", np.subtract, operator.sub), ("mul", np.multiply, operator.mul),
        ("truediv", np.divide, operator.truediv), ("pow", np.power, operator.pow)]
    for name, ufunc, compute in arithmetic:
        method, reflected = _operator(ufunc, compute)
        setattr(Batch, f"__{name}__", method)
        setattr(Batch, f"__r{name}__", reflected)
    others: list[tuple[str, np.ufunc]] = [
        ("matmul", np.matmul), ("eq", np.equal), ("ne", np.not_equal), ("lt", np.less), ("le", np.less_equal),
        ("gt", np.greater), ("ge", np.greater_equal), ("and", np.bitwise_and), ("or", np.bitwise_or),
        ("neg", np.negative), ("abs", np.absolute), ("invert", np.invert)]
    for name, ufunc in others:
        setattr(Batch, f"__{name}__", lambda *operands, ufunc=ufunc: ufunc(*operands))
    for name, ufunc in others[:1] + others[7:9]:
        setattr(Batch, f"__r{name}__", lambda self, other, ufunc=ufunc: ufunc(other, self))
    for name in ("sum", "mean", "reshape", "ravel", "transpose", "swapaxes", "squeeze", "conj", "conjugate", "dot"):
        setattr(Batch, name, lambda self, *args, function=METHODS[name], **kwargs: function(self, *args, **kwargs))


_install()


def _aligned(inputs: Sequence[Any]) -> list[Any]:
    """Operands that broadcast as the arrays of a batch do with them: their axis in front of all others."""
    ndim = max([value.ndim if isinstance(value, Batch) else np.ndim(value) for value in inputs])
    return [_lifted(value, ndim) if value.__class__ is Batch else value for value in inputs]


def _lifted(batch: Batch, ndim: int) -> Any:
    """The values of a batch whose arrays have `ndim` axes, new ones in front."""
    values = batch.values
    missing = ndim - batch.ndim
    return values.reshape(len(values), *(1,) * missing, *values.shape[1:]) if missing else values


def one_by_one(function: Callable[[Any], Any], batch: Batch) -> Batch:
    """What a function makes of each array of a batch."""
    return Batch(np.stack([np.asarray(function(value)) for value in batch.values]))


def _primitive_one_by_one(primitive: Primitive, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Batch:
    count = next(len(value.values) for value in inputs if value.__class__ is Batch)
    rows = [[value.values[row] if value.__class__ is Batch else value for value in inputs] for row in range(count)]
    return Batch(np.stack([np.asarray(primitive.kernel(*row, **attrs)) for row in rows]))


# ---------------------------------------------------------------------- what carries the axis along


def _matmul(a: Any, b: Any) -> Any:
    """A product of stacks of matrices or vectors of which one or both are batches."""
    left, right = a.ndim, b.ndim
    if left == 0 or right == 0:
        raise ValueError("matmul: an operand has no axes")
    if a.__class__ is not Batch and left <= 2 and right == 1:
        return Batch(b.values @ (a if left == 1 else a.T))  # one product of matrices
    if b.__class__ is not Batch and right <= 2 and left <= 2:
        return Batch(a.values @ b)
    first = a[None, :] if left == 1 else a
    second = b[:, None] if right == 1 else b
    ndim = max(first.ndim, second.ndim)
    product = np.matmul(*[_lifted(value, ndim) if value.__class__ is Batch else value for value in (first, second)])
    if left == 1:
        product = product[..., 0, :]
    return Batch(product[..., 0] if right == 1 else product)


def _getitem(a: Any, key: Any) -> Any:
    parts = key if key.__class__ is tuple else (key,)
    if any([part.__class__ not in FIXED for part in parts]):
        places = [place for place, part in enumerate(parts) if part.__class__ is int or part.__class__ not in FIXED]
        if places[-1] - places[0] >= len(places):
            return None  # arrays with slices in between: their axes come first then, in front of a batch's own
    return Batch(a.values[(slice(None), *parts)])


def _scatter(g: Any, shape: tuple[int, ...], key: Any) -> Any:
    parts = key if key.__class__ is tuple else (key,)
    result = np.zeros((len(g.values), *shape), g.dtype)
    if names_each_once(key):
        if _getitem(Batch(result), key) is None:
            return None
        result[(slice(None), *parts)] = g.values
    else:
        size = math.prod(shape)
        places = np.arange(size).reshape(shape)[key].reshape(-1)
        rows = np.arange(len(result))[:, None] * size
        np.add.at(result.reshape(-1), (rows + places).reshape(-1), g.values.reshape(-1))
    return Batch(result)


def _sum(a: Any, axis: Any = None, keepdims: bool = False, **initial: Any) -> Any:
    return None if initial else Batch(np.sum(a.values, axis=_shifted(axis, a.ndim), keepdims=keepdims))


def _mean(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return Batch(np.mean(a.values, axis=_shifted(axis, a.ndim), keepdims=keepdims))


def _shifted(axis: Any, ndim: int) -> tuple[int, ...]:
    """Axes of each array as axes of the whole."""
    return tuple([one + 1 for one in axes_of(axis, ndim)])


def _reshape(a: Any, shape: Any, order: Any = "C", copy: bool | None = None) -> Any:
    if order != "C":
        return None
    lengths = [shape] if isinstance(shape, (int, np.integer)) else list(shape)
    if -1 in lengths:
        known = -math.prod(lengths)
        lengths[lengths.index(-1)] = a.size // known if known else 0
    return Batch(a.values.reshape(len(a.values), *lengths))


def _transpose(a: Any, axes: Any = None) -> Any:
    order = range(a.ndim - 1, -1, -1) if axes is None else normalize_axis_tuple(axes, a.ndim)
    return Batch(a.values.transpose(0, *[axis + 1 for axis in order]))


def _broadcast_to(a: Any, shape: Any) -> Any:
    lengths = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    return Batch(np.broadcast_to(_lifted(a, len(lengths)), (len(a.values), *lengths)))


def _joined(join: Callable[..., Any]) -> Callable[..., Any]:
    def carried(*arrays: Any, axis: int = 0) -> Any:
        count = next(len(array.values) for array in arrays if array.__class__ is Batch)
        wholes = [array.values if array.__class__ is Batch else np.broadcast_to(array, (count, *np.shape(array)))
                  for array in arrays]
        return Batch(join(wholes, axis=axis + 1 if axis >= 0 else axis))

    return carried


def _where(x: Any, y: Any, condition: Any) -> Any:
    condition, x, y = _aligned((condition, x, y))
    return Batch(np.where(condition, x, y))


def _expand_dims(a: Any, axis: Any) -> Any:
    count = a.ndim + np.size(axis)
    return Batch(np.expand_dims(a.values, tuple([one + 1 for one in normalize_axis_tuple(axis, count)])))


def _squeeze(a: Any, axis: Any = None) -> Any:
    axes = [one for one, length in enumerate(a.shape) if length == 1] if axis is None else axes_of(axis, a.ndim)
    return Batch(np.squeeze(a.values, tuple([one + 1 for one in axes])))


def _solve(a: Any, b: Any) -> Any:
    if a.__class__ is Batch:
        return None
    if a.ndim > 2 or b.ndim > 2:
        return Batch(np.linalg.solve(a, _lifted(b, max(a.ndim, b.ndim))))
    count, rows, columns = b.values.shape  # one matrix for all: its factors are computed once
    solved = np.linalg.solve(a, b.values.transpose(1, 0, 2).reshape(rows, count * columns))
    return Batch(solved.reshape(rows, count, columns).transpose(1, 0, 2))


#: Primitives that take the axis along; None from one of these means that this call does not.
_CARRIED: dict[str, Callable[..., Any]] = {
    "matmul": _matmul, "getitem": _getitem, "scatter": _scatter, "sum": _sum, "mean": _mean, "reshape": _reshape,
    "transpose": _transpose, "broadcast_to": _broadcast_to, "concatenate": _joined(np.concatenate),
    "stack": _joined(np.stack), "where": _where, "solve": _solve,
}
#: NumPy functions that ask for a value where a tensor's meaning is wanted, or compose it from one that does.
_OWN: dict[Any, Callable[..., Any]] = {
    np.shape: lambda a: a.shape, np.ndim: lambda a: a.ndim, np.size: lambda a, axis=None: a.size,
    np.iscomplexobj: lambda a: a.dtype.kind == "c", np.isrealobj: lambda a: a.dtype.kind != "c",
    np.zeros_like: lambda a, dtype=None: Batch(np.zeros_like(a.values, dtype)),
    np.ones_like: lambda a, dtype=None: Batch(np.ones_like(a.values, dtype)),
    np.where: lambda condition, x, y: _where(x, y, condition), np.expand_dims: _expand_dims, np.squeeze: _squeeze,
    np.real: lambda a: a.real, np.imag: lambda a: a.imag,
}
