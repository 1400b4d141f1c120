"""NumPy's operators and array methods on tensors, and the two fast paths of recording.

A fast path does in one function call what `tensor.apply` does, for the commonest cases: a ufunc of one tensor, and an
operator between a tensor and a tensor or Python number. Long tapes of scalars are made by nothing else.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import ops as _ops
from .buffers import POOLED, compute_into_buffer
from .decisions import Decision, noted
from .foreign import is_sparse, with_sparse
from .protocols import UNARY, apply, call_attributed
from .registry import FUNCTIONS, UFUNCS
from .tape import LARGE, Entry, current_scope, let_go, next_index, start_scope
from .tensor import NO_ATTRS, Tensor

if TYPE_CHECKING:
    from .hints import Operand

__all__ = ["unary"]

_getframe = sys._getframe
_float64 = np.float64
_ndarray = np.ndarray
#: Operand types that go to an operator as they are.
_NUMBERS = frozenset([float, int, np.float64, np.float32])


#: What takes the fast path of `unary`; None while a profile is taken, so that all calls go through NumPy's protocol.
fast_class: Any = Tensor


def unary(ufunc: np.ufunc) -> Callable[..., Any]:
    """`ufunc` of a tensor without the detour through NumPy; of anything else it is `ufunc` itself."""
    primitive = UFUNCS[ufunc]

    def function(x: Any, /, depth: int = 1) -> Any:
        if x.__class__ is not fast_class:
            return ufunc(x)
        value = x._value
        parent = x._entry
        result = Tensor()
        result._value = output = ufunc(value) if value.__class__ is _float64 else compute_into_buffer(ufunc, value)
        if parent is None:
            result._entry = None
            return result
        scope = current_scope()
        if not scope.enabled:
            scope = start_scope()
            if not scope.enabled:
                result._entry = None
                return result
        result._entry = entry = Entry()
        entry.primitive = primitive
        entry.inputs = (value,)
        entry.parents = (parent,)
        entry.output = output
        entry.attrs = NO_ATTRS
        entry.index = next_index()
        entry.scope = scope
        frame = _getframe(depth)
        entry.code = frame.f_code
        entry.instruction = frame.f_lasti
        if parent.scope is not scope:
            scope.take_in(parent)
        if output.__class__ is not _float64 and output.nbytes >= LARGE:
            let_go(entry)
        return result

    function.__name__ = function.__qualname__ = ufunc.__name__
    function.__module__ = __package__  # where it is pickled from
    return function


UNARY.update({ufunc: unary(ufunc) for ufunc, primitive in UFUNCS.items()
              if ufunc.nin == 1 and primitive.differentiable})



def _binary(ufunc: np.ufunc, compute: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    """The two methods, ``x ∘ y`` and ``y ∘ x``, of an operator that records `ufunc`'s primitive."""
    primitive = UFUNCS[ufunc]
    if not primitive.differentiable:
        return lambda self, other: _general(ufunc, self, other), lambda self, other: _general(ufunc, other, self)

    def method(self: Tensor, other: Operand) -> Tensor:
        value = self._value
        parent = self._entry
        kind = other.__class__
        if kind is Tensor:
            other_value = other._value  # type: ignore[union-attr]  # the line above has just asked
            other_parent = other._entry  # type: ignore[union-attr]  # the same
        elif kind is float or kind in _NUMBERS:
            other_value = other
            other_parent = None
        elif kind is _ndarray:
            return apply(primitive, (self, other), NO_ATTRS)  # type: ignore[no-any-return]  # a tensor
        else:
            return _general(ufunc, self, other)  # type: ignore[no-any-return]  # or NotImplemented
        result = Tensor()
        if value.__class__ is _float64 or value.nbytes < POOLED:
            output = compute(value, other_value)
        else:
            output = compute_into_buffer(ufunc, value, other_value)
        result._value = output
        if parent is None and other_parent is None:
            result._entry = None
            return result
        scope = current_scope()
        if not scope.enabled:
            scope = start_scope()
            if not scope.enabled:
                result._entry = None
                return result
        result._entry = entry = Entry()
        entry.primitive = primitive
        entry.inputs = (value, other_value)
        entry.parents = (parent, other_parent)
        entry.output = output
        entry.attrs = NO_ATTRS
        entry.index = next_index()
        entry.scope = scope
        frame = _getframe(1)
        entry.code = frame.f_code
        entry.instruction = frame.f_lasti
        if parent is not None and parent.scope is not scope:
            scope.take_in(parent)
        if other_parent is not None and other_parent.scope is not scope:
            scope.take_in(other_parent)
        if output.__class__ is not _float64 and output.nbytes >= LARGE:
            let_go(entry)
        return result

    def reflected(self: Tensor, other: Operand) -> Tensor:
        if other.__class__ not in _NUMBERS:
            return _general(ufunc, other, self)  # type: ignore[no-any-return]  # or NotImplemented
        value = self._value
        parent = self._entry
        result = Tensor()
        if value.__class__ is _float64 or value.nbytes < POOLED:
            output = compute(other, value)
        else:
            output = compute_into_buffer(ufunc, other, value)
        result._value = output
        if parent is None:
            result._entry = None
            return result
        scope = current_scope()
        if not scope.enabled:
            scope = start_scope()
            if not scope.enabled:
                result._entry = None
                return result
        result._entry = entry = Entry()
        entry.primitive = primitive
        entry.inputs = (other, value)
        entry.parents = (None, parent)
        entry.output = output
        entry.attrs = NO_ATTRS
        entry.index = next_index()
        entry.scope = scope
        frame = _getframe(1)
        entry.code = frame.f_code
        entry.instruction = frame.f_lasti
        if parent.scope is not scope:
            scope.take_in(parent)
        if output.__class__ is not _float64 and output.nbytes >= LARGE:
            let_go(entry)
        return result

    return method, reflected


def _general(ufunc: np.ufunc, first: Any, second: Any) -> Any:
    """An operator on operands of any type: NotImplemented for those that NumPy would not take either."""
    other = second if isinstance(first, Tensor) else first
    if is_sparse(other):
        return with_sparse(ufunc, first, second)
    if other is None or isinstance(other, (str, bytes, dict, set)):
        return NotImplemented
    return ufunc(first, second)


def _comparison(ufunc: np.ufunc, compare: Callable[[Any, Any], Any]) -> Any:
    primitive = UFUNCS[ufunc]

    def method(self: Tensor, other: Any) -> Any:
        if other is None or isinstance(other, (str, bytes, dict, set)):
            return NotImplemented
        result = compare(self._value, other._value if isinstance(other, Tensor) else other)
        decisions = noted.get()
        if decisions is not None:
            decisions.append(Decision(primitive, (self, other), result))
        return result

    return method


def _method(function: Callable[..., Any], name: str) -> Any:
    handler = FUNCTIONS.get(function)
    if handler is not None:
        def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
            if "out" in kwargs:
                return function(self, *args, **kwargs)
            return call_attributed(handler, (self, *args), kwargs)
    else:
        def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
            return function(self, *args, **kwargs)

    method.__name__ = name
    method.__qualname__ = f"Tensor.{name}"
    method.__doc__ = f"``{getattr(function, '__name__', name)}`` of this tensor: NumPy's array method of this name."
    return method


def _install() -> None:
    """Give Tensor NumPy's operators and array methods."""
    for name, ufunc, compute in [
            ("add", np.add, operator.add), ("sub", np.subtract, operator.sub), ("mul", np.multiply, operator.mul),
            ("truediv", np.divide, operator.truediv), ("pow", np.power, operator.pow),
            ("mod", np.remainder, operator.mod), ("matmul", np.matmul, operator.matmul)]:
        method, reflected = _binary(ufunc, compute)
        setattr(Tensor, f"__{name}__", method)
        setattr(Tensor, f"__r{name}__", reflected)
    for name, ufunc, compare in [
            ("lt", np.less, operator.lt), ("le", np.less_equal, operator.le), ("gt", np.greater, operator.gt),
            ("ge", np.greater_equal, operator.ge), ("eq", np.equal, operator.eq), ("ne", np.not_equal, operator.ne)]:
        setattr(Tensor, f"__{name}__", _comparison(ufunc, compare))
    for name, ufunc in [("neg", np.negative), ("pos", np.positive), ("abs", np.absolute)]:
        setattr(Tensor, f"__{name}__", _method(ufunc, f"__{name}__"))
    for name, function in _ops.METHODS.items():
        setattr(Tensor, name, _method(function, name))
    for name, ufunc in [("floordiv", np.floor_divide), ("divmod", np.divmod)]:
        setattr(Tensor, f"__{name}__", lambda self, other, ufunc=ufunc: _general(ufunc, self, other))
        setattr(Tensor, f"__r{name}__", lambda self, other, ufunc=ufunc: _general(ufunc, other, self))


_install()
