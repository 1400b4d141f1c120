"""What a sweep does to one block, written down as a list of ufunc calls, to be done to the other blocks.

Rules, and the sweep around them, are run once, on :class:`Traced` arrays: these compute as arrays do and note what
they were asked for. The other blocks are then a loop over ufuncs that write into a few buffers, which stay in the
cache of the core. A rule that does what is not noted here is not written down: the blocks are then swept one by one. So
are those in which a rule that looks for something (``if np.any(x == y)``) finds it, where the first block had nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from .registry import Primitive

__all__ = ["NotWrittenDown", "Program", "Traced"]

_DOUBLE = np.dtype(float)
#: Bytes that processors move at once. A store that straddles two such lines takes twice as long.
_LINE = 64
_NUMBERS = frozenset([float, int, np.float64])
#: What NumPy's arrays make of a power with one of these exponents.
_POWERS: dict[Any, np.ufunc] = {2: np.square, 1: np.positive, 0.5: np.sqrt, -1: np.reciprocal}
_FUNCTIONS = frozenset([np.where, np.sum, np.reshape, np.broadcast_to])


class NotWrittenDown(Exception):  # noqa: N818 -- no error, but the way out of a rule that costs other rules nothing
    """Raised where a rule does what no list of ufunc calls could repeat."""


class Traced(NDArrayOperatorsMixin):
    """An array of one block that notes what is computed from it.

    Attributes
    ----------
    value : ndarray
        What it is in the first block.
    number : numpy.float64 or None
        The value of all of its elements, in every block, where that is known.
    register : int
        Where the program holds it.
    """

    __slots__ = ("program", "value", "number", "register")

    def __init__(self, program: Program, value: Any, register: int, number: Any = None) -> None:
        self.program = program
        self.value = value
        self.number = number
        self.register = register

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the block."""
        return self.value.shape  # type: ignore[no-any-return]  # of an array

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.value.ndim  # type: ignore[no-any-return]  # of an array

    @property
    def size(self) -> int:
        """The number of elements of the block."""
        return self.value.size  # type: ignore[no-any-return]  # of an array

    @property
    def nbytes(self) -> int:
        """Bytes of the block."""
        return self.value.nbytes  # type: ignore[no-any-return]  # of an array

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.value.dtype  # type: ignore[no-any-return]  # of an array

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs or ufunc.nout != 1 or ufunc.signature is not None:
            raise NotWrittenDown
        if any(map(_has_tangent, inputs)):
            return NotImplemented
        return self.program.call(ufunc, inputs)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: tuple[Any, ...],
                           kwargs: dict[str, Any]) -> Any:
        if function is np.shape:
            return self.shape
        if function is np.any and len(args) == 1 and not kwargs:
            return self.program.expect_none(self)
        if function is np.zeros_like and len(args) == 1 and not kwargs:
            return self.program.number(np.float64(0))
        if any(map(_has_tangent, args)):
            return NotImplemented
        if function not in _FUNCTIONS or (function is np.reshape and self.program.shape[0] in args[1]):
            raise NotWrittenDown
        return self.program.call(function, args, kwargs)

    @staticmethod
    def __tapead_primitive__(primitive: Primitive, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        program = next(one.program for one in inputs if one.__class__ is Traced)
        if not primitive.elementwise and primitive.name != "sum" and (
                primitive.name != "reshape" or program.shape[0] in attrs["shape"]):
            raise NotWrittenDown
        return program.call(primitive.kernel, inputs, attrs)

    def __pow__(self, exponent: Any) -> Traced:
        special = _POWERS.get(exponent) if exponent.__class__ in _NUMBERS else None
        return self.program.call(special or np.power, (self,) if special else (self, exponent))

    def _look(self, *_: Any, **__: Any) -> NoReturn:
        raise NotWrittenDown

    def __getitem__(self, key: Any) -> Traced:
        if key != ():
            raise NotWrittenDown
        return self

    __bool__ = __array__ = __float__ = __iter__ = __len__ = _look

    def __getattr__(self, name: str) -> NoReturn:
        raise NotWrittenDown


class Program:
    """The calls that a sweep makes for one block.

    Parameters
    ----------
    shape : tuple of int
        Of a block.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        #: What each register holds: a number, an array, or None for what a call will put there.
        self.registers: list[Any] = []
        #: Function, keywords, registers of the operands, register of the result, whether it is written into a buffer.
        self.calls: list[tuple[Any, dict[str, Any], list[int], int, bool]] = []
        self.wholes: list[tuple[int, Any]] = []
        self._read: dict[int, Traced] = {}
        self._checks: list[int] = []

    def _new(self, content: Any = None) -> int:
        self.registers.append(content)
        return len(self.registers) - 1

    def reading(self, whole: Any, block: Any) -> Traced:
        """The blocks of an array, the first of which is `block`."""
        found = self._read.get(id(whole))
        if found is None:
            number = _number(whole)
            if number is not None:
                register = self._new(block)
            else:
                register = self._new()
                self.wholes.append((register, whole))
            found = self._read[id(whole)] = Traced(self, block, register, number)
        return found

    def number(self, number: Any) -> Traced:
        """A block of equal elements."""
        block = np.broadcast_to(number, self.shape)
        return Traced(self, block, self._new(block), number)

    def expect_none(self, condition: Traced) -> bool:
        """False, as it is where no element is true: running the program for a block where one is raises."""
        if np.count_nonzero(condition.value):
            raise NotWrittenDown
        register = self._new()
        self.calls.append((_none_of, {}, [condition.register], register, False))
        self._checks.append(register)
        return False

    def call(self, function: Callable[..., Any], inputs: tuple[Any, ...],
             kwargs: dict[str, Any] | None = None) -> Traced:
        """Call a function, and note it."""
        numbers = list(map(_number, inputs))
        if None not in numbers and not kwargs and function is not np.sum:
            number = function(*numbers)
            if number.__class__ is not np.float64:
                raise NotWrittenDown
            return self.number(number)
        if function is np.multiply:  # by one is what a sweep of one result begins with
            for number, other in zip(numbers, reversed(inputs), strict=True):
                if number == 1 and other.__class__ is Traced and other.dtype == _DOUBLE and other.shape == self.shape:
                    return other
        # A number will do in place of an array of equal elements, if another operand gives the result its shape.
        shaped = any(one.__class__ is Traced and one.number is None and one.shape == self.shape for one in inputs)
        values, operands = [], []
        for one, number in zip(inputs, numbers, strict=True):
            if one.__class__ is not Traced:
                if one.__class__ is np.ndarray and one.ndim == len(self.shape) and one.shape[0] == self.shape[0] != 1:
                    raise NotWrittenDown  # the rule has made it for this block
                values.append(one)
                operands.append(self._new(one))
            elif number is not None and shaped:
                values.append(number)
                operands.append(self._new(number))
            else:
                values.append(one.value)
                operands.append(one.register)
        value = function(*values, **kwargs) if kwargs else function(*values)
        if value.__class__ is np.float64:
            value = np.asarray(value)
        if value.__class__ is not np.ndarray:
            raise NotWrittenDown
        result = Traced(self, value, self._new())
        buffered = value.dtype == _DOUBLE and value.shape == self.shape and isinstance(function, np.ufunc)
        self.calls.append((function, kwargs or {}, operands, result.register, buffered))
        return result

    def finish(self, results: Sequence[Traced]) -> None:
        """Decide which buffers the calls write into, when it is known what is wanted."""
        needed = {*self._checks, *[result.register for result in results]}
        for position in range(len(self.calls) - 1, -1, -1):
            operands, register = self.calls[position][2:4]
            if register in needed:
                needed.update(operands)
            else:
                del self.calls[position]
        self.wholes = [(register, whole) for register, whole in self.wholes if register in needed]
        self._results = [result.register for result in results]
        self._allocate()

    def forget(self) -> None:
        """Let go of the traced arrays, which hold the program in turn."""
        self._read.clear()

    def _allocate(self) -> None:
        """Give buffers to what the calls write; one is free again when the last call that reads it is made."""
        last_uses = {register: position for position, call in enumerate(self.calls) for register in call[2]}
        free: list[Any] = []
        ours: set[int] = set()
        for position, (_, _, operands, register, buffered) in enumerate(self.calls):
            free += [self.registers[one] for one in set(operands) & ours
                     if last_uses[one] == position and one not in self._results]
            if buffered:  # the result may take the place of an operand
                self.registers[register] = free.pop() if free else _aligned(self.shape)
                ours.add(register)

    def run(self, place: slice) -> list[Any]:
        """Do it for another block; what is returned is overwritten by the next one.

        Raises
        ------
        FloatingPointError
            If a call makes NaNs from other numbers.
        NotWrittenDown
            If a rule that looks at values would see others than in the first block.
        """
        registers = self.registers
        for register, whole in self.wholes:
            registers[register] = whole[place]
        for function, kwargs, operands, register, buffered in self.calls:
            if buffered:
                if len(operands) == 2:
                    first, second = operands
                    function(registers[first], registers[second], registers[register])
                else:
                    function(*[registers[operand] for operand in operands], registers[register])
            else:
                registers[register] = function(*[registers[operand] for operand in operands], **kwargs)
        return [registers[register] for register in self._results]


def _has_tangent(operand: Any) -> bool:
    """Whether what is done with an operand is made of several calls, so that it is not to be noted as one."""
    return operand.__class__ is not Traced and hasattr(operand, "tangent")


def _number(operand: Any) -> Any:
    """What all elements of an operand are, in every block; None where that is not known."""
    if operand.__class__ is Traced:
        return operand.number
    if operand.__class__ is np.ndarray and not any(operand.strides) and operand.dtype == _DOUBLE and operand.size:
        return operand[(0,) * operand.ndim]  # one number, broadcast
    return operand if operand.__class__ in _NUMBERS else None


def _none_of(condition: Any) -> None:
    if np.count_nonzero(condition):
        raise NotWrittenDown


def _aligned(shape: tuple[int, ...]) -> Any:
    """Uninitialised memory that begins where a line of the cache does."""
    count = int(np.prod(shape))
    memory = np.empty(count + _LINE // 8)
    start = -memory.ctypes.data % _LINE // 8
    return memory[start:start + count].reshape(shape)
