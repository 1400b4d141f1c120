"""Values that carry their tangents along: swept in reverse, they give the derivative of the gradient in a direction.

Where a product with a Hessian is all that is wanted, the reverse sweep need not be recorded. The function is recorded,
a forward sweep gives every entry its tangent, and in the reverse sweep the rules get numbers that carry those along.
What a primitive makes of a :class:`Dual` is what the same rule says that the forward sweep goes by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, NoReturn

import numpy as np

from .ops import GETITEM, METHODS
from .partials import CannotCarry, call_lazy, masked, push, spread, summed
from .registry import FUNCTIONS, UFUNCS, Primitive
from .tape import Dropped, Entry

__all__ = ["Dual", "carries_along", "seen_along"]

_NO_ATTRS: dict[str, Any] = {}
_float64 = np.float64
_ndarray = np.ndarray


class Dual:
    """A value and its tangent, an array or a :class:`tapead.batch.Batch` of such."""

    __slots__ = ("_value", "tangent")

    __array_priority__ = 1500.0
    # What refuses tensors that are differentiated in refuses these.
    requires_grad = True

    def __init__(self, value: Any, tangent: Any) -> None:
        self._value = value
        self.tangent = tangent

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self._value.shape  # type: ignore[no-any-return]  # of an array or number

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._value.ndim  # type: ignore[no-any-return]  # as above

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._value.size  # type: ignore[no-any-return]  # as above

    @property
    def nbytes(self) -> int:
        """Bytes of the value."""
        return self._value.nbytes  # type: ignore[no-any-return]  # as above

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self._value.dtype  # type: ignore[no-any-return]  # as above

    @property
    def T(self) -> Any:  # noqa: N802 -- NumPy's name
        """The array with its axes reversed."""
        return np.transpose(self)

    @property
    def mT(self) -> Any:  # noqa: N802 -- NumPy's name
        """The array with its last two axes swapped."""
        return np.swapaxes(self, -1, -2)

    @property
    def real(self) -> Any:
        """The real part."""
        return np.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return np.imag(self)

    def __len__(self) -> int:
        return len(self._value)

    def __iter__(self) -> Iterator[Any]:
        return (self[position] for position in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        return GETITEM(self, key=key)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs or ufunc not in UFUNCS:
            return NotImplemented
        return _carry(UFUNCS[ufunc], inputs, _NO_ATTRS)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: tuple[Any, ...],
                           kwargs: dict[str, Any]) -> Any:
        if function is np.where and _is_mask(*args):
            keep, x, zero = args
            return Dual(np.where(keep, x._value, zero), masked(x.tangent, keep))
        handler = FUNCTIONS.get(function)
        return NotImplemented if handler is None else handler(*args, **kwargs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise TypeError("an array would lose the tangent")

    def __bool__(self) -> NoReturn:
        raise TypeError("a number would lose the tangent")

    __float__ = __int__ = __complex__ = __index__ = __bool__


def _is_mask(keep: Any, x: Any = None, otherwise: Any = None) -> bool:
    """Whether `np.where` is asked for what sweeps do with a partial of truth values."""
    return (x.__class__ is Dual and keep.__class__ is not Dual and getattr(keep, "shape", ()) == x.shape != ()
            and otherwise.__class__ is _ndarray and otherwise.shape == ())


def _carry(primitive: Primitive, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
    """What a primitive makes of values with tangents; a plain value where nothing comes of those."""
    values: Any = []
    kernel: Any = primitive.kernel
    for x in inputs:
        if x.__class__ is Dual:
            x = x._value
            if x.__class__ is not _ndarray and x.__class__ is not _float64:  # it may have its own way of doing it
                kernel = primitive
        values.append(x)
    output = kernel(*values, **attrs) if attrs else kernel(*values)
    if kernel is primitive.kernel and output.__class__ is not _ndarray and output.__class__ is not _float64:
        output = np.asarray(output)[()]
    if not primitive.differentiable or output.dtype.kind not in "fc":
        return output
    op = Op(tuple(values), output, attrs)
    rule: Any = primitive.rule  # nobody overrides it: the sweep has asked
    try:
        partials = rule(op)
    except FloatingPointError:
        with np.errstate(invalid="ignore"):
            partials = rule(op)
    if partials.__class__ is not tuple:
        partials = tuple(partials) if partials.__class__ is list else (partials,)
    total = None
    for x, partial in zip(inputs, partials, strict=True):
        if x.__class__ is Dual:
            if partial.__class__ is FunctionType:
                partial = call_lazy(partial)
            product = push(x.tangent, partial)
            if product is None:
                if partial is None:
                    raise CannotCarry
                continue
            total = product if total is None else summed(total, product)
    return output if total is None else Dual(output, spread(total, output, primitive))


class Op:
    """What a rule receives: plain values, or such with tangents."""

    __slots__ = ("inputs", "output", "attrs")

    def __init__(self, inputs: tuple[Any, ...], output: Any, attrs: dict[str, Any]) -> None:
        self.inputs = inputs
        self.output = output
        self.attrs = attrs


def carries_along(entry: Entry) -> bool:
    """Whether the rule of an entry is one of ours, which see nothing but what they are given."""
    rule = entry.primitive.rule
    return rule is None or rule.__module__.startswith(_OURS)


_OURS = (f"{__package__}.ops.", f"{__package__}.scipy.")


def seen_along(tangent_of: Callable[[Entry], Any]) -> Callable[[Entry], Op | Entry]:
    """How rules get to see entries: the values with the tangents that a forward sweep has found."""

    def see(entry: Entry) -> Op | Entry:
        if entry.primitive.reads == "nothing":
            return entry
        inputs = list(entry.inputs)
        position = 0
        for parent in entry.parents:
            if parent is not None and inputs[position].__class__ is not Dropped:
                tangent = tangent_of(parent)
                if tangent is not None:
                    inputs[position] = Dual(inputs[position], tangent)
            position += 1  # noqa: SIM113 -- enumerate costs more
        output = entry.output
        if output.__class__ is not Dropped:
            tangent = tangent_of(entry)
            if tangent is not None:
                output = Dual(output, tangent)
        return Op(tuple(inputs), output, entry.attrs)

    return see


def _operator(ufunc: np.ufunc) -> tuple[Any, Any]:
    primitive = UFUNCS[ufunc]

    def method(self: Dual, other: Any) -> Any:
        return _carry(primitive, (self, other), _NO_ATTRS)

    def reflected(self: Dual, other: Any) -> Any:
        return _carry(primitive, (other, self), _NO_ATTRS)

    return method, reflected


def _install() -> None:
    """Give Dual NumPy's operators and array methods, and primitives their meaning for it."""
    for name, ufunc in [("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("truediv", np.divide),
                        ("pow", np.power), ("mod", np.remainder), ("matmul", np.matmul)]:
        method, reflected = _operator(ufunc)
        setattr(Dual, f"__{name}__", method)
        setattr(Dual, f"__r{name}__", reflected)
    for name, ufunc in [("eq", np.equal), ("ne", np.not_equal), ("lt", np.less), ("le", np.less_equal),
                        ("gt", np.greater), ("ge", np.greater_equal), ("neg", np.negative), ("pos", np.positive),
                        ("abs", np.absolute)]:
        setattr(Dual, f"__{name}__", lambda *operands, ufunc=ufunc: _carry(UFUNCS[ufunc], operands, _NO_ATTRS))
    for name, function in METHODS.items():
        setattr(Dual, name, lambda self, *args, function=function, **kwargs: function(self, *args, **kwargs))
    Dual.__tapead_primitive__ = staticmethod(_carry)  # type: ignore[attr-defined]  # what primitives look for


_install()
