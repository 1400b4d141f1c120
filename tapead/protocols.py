"""What NumPy's functions do with tensors: both of NumPy's protocols, and the recording of a primitive."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from weakref import ref as _reference

import numpy as np

from . import ops as _ops
from .containers import LEAVES
from .decisions import Decision, noted
from .foreign import is_sparse_product, why_no_array
from .guards import guards, protect
from .registry import FUNCTIONS, PRIMITIVES, UFUNCS, Primitive
from .tape import (
    Dropped,
    Entry,
    Scope,
    attribute,
    current_scope,
    is_ours,
    next_index,
    record,
    recording_scope,
)
from .tensor import NO_ATTRS, Tensor, _contains_tensor, _leaf, _untracked, _wrap, tensor

__all__ = ["apply", "array", "watch"]

_getframe = sys._getframe
_float64 = np.float64
_ndarray = np.ndarray
#: The ufuncs of one argument on a tensor, in one function call each; filled by `operators`.
UNARY: dict[np.ufunc, Callable[..., Any]] = {}
_SCALARS = (bool, int, float, complex, np.generic)


def operand(value: Any, primitive: Primitive) -> Any:
    """What a primitive computes with, for one of its arguments: an array or a number.

    Raises
    ------
    TypeError
        If `value` is no number, no array and no nested list of numbers.
    """
    if isinstance(value, Tensor):
        return value._value
    if isinstance(value, np.ndarray) and value.dtype.kind in "fciub":
        return value
    if isinstance(value, _SCALARS):
        return np.bool_(value) if value.__class__ is bool else value
    if _contains_tensor(value):
        raise TypeError(f"{primitive.name}: a list with tensors in it is not an array; use tapead.array([...])")
    array = np.asarray(value)
    if array.dtype.kind not in "fciub":
        raise TypeError(f"{primitive.name}: expected numbers or an array of numbers, got {type(value).__name__} of "
                        f"dtype {array.dtype}")
    return array


def apply(primitive: Primitive, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
    """Evaluate a primitive on tensors, arrays and numbers, and record it if an input is tracked."""
    values: Any = []
    parents: Any = []
    tracked = False
    for given in inputs:
        if given.__class__ is Tensor:
            values.append(given._value)
            parent = given._entry
            parents.append(parent)
            if parent is not None:
                tracked = True
        else:
            values.append(given if given.__class__ is float else operand(given, primitive))
            parents.append(None)
    output = primitive.kernel(*values, **attrs) if attrs else primitive.kernel(*values)
    kind = output.__class__
    if kind is not _ndarray and kind is not _float64 and not isinstance(output, np.generic):
        output = np.asarray(output)[()]
        kind = output.__class__
    if kind is not _float64 and output.dtype.kind not in "fc":  # truth values and integers are plain
        if tracked and (decisions := noted.get()) is not None:
            decisions.append(Decision(primitive, inputs, output))
        return output
    result = Tensor()
    result._value = output
    result._entry = None
    if tracked and primitive.differentiable:
        scope: Scope | None = current_scope()
        if not scope.enabled:  # type: ignore[union-attr]  # the line above has set it
            scope = recording_scope()
        if scope is not None:
            if primitive.rule is None:
                raise NotImplementedError(f"primitive {primitive.name!r} has no derivative rule; register one with "
                                          f"@tapead.RegisterGradient({primitive.name!r})")
            values = tuple(values)
            marks = None
            if scope.lasting and None in parents and primitive.reads != "nothing" and primitive.reads != "output":
                values, marks = protect(values, inputs, output)
            result._entry = record(primitive, values, tuple(parents), output, attrs, scope, depth=3)
            if marks is not None:
                guards[result._entry] = marks
    elif tracked and (decisions := noted.get()) is not None:
        decisions.append(Decision(primitive, inputs, output))
    if kind is _ndarray and output.base is not None:
        _link_view(result, inputs, primitive, attrs)
    return result


def recorded(primitive: Primitive, value: Any, parent: Entry | None, output: Any, attrs: dict[str, Any]) -> Any:
    """The result of a primitive of one tensor: what `apply` makes of it, when its output has been computed."""
    if parent is None or output.dtype.kind not in "fc":
        return _untracked(output)
    result = Tensor()
    result._value = output
    scope: Scope | None = current_scope()
    if not scope.enabled:  # type: ignore[union-attr]  # the line above has set it
        scope = recording_scope()
    result._entry = None if scope is None else record(primitive, (value,), (parent,), output, attrs, scope, depth=3)
    return result


def call_attributed(handler: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call what a NumPy function means on tensors, and give the user's line to all that it records."""
    start = next_index()
    result = handler(*args, **kwargs)
    if result.__class__ is Tensor:
        entry = result._entry
        # A function that is one primitive has recorded one entry, which has the user's line.
        if entry is not None and (entry.index != start + 1 or is_ours(entry.code)):
            attribute(entry, start)
    return result


def _link_view(result: Tensor, inputs: tuple[Any, ...], primitive: Primitive, attrs: dict[str, Any]) -> None:
    """Remember of which input a result is a view, if it is one."""
    owner = result._value.base
    for source in inputs:
        if source.__class__ is Tensor and (source._value is owner or getattr(source._value, "base", None) is owner):
            _link(result, source, primitive, attrs)
            return


def _link(view: Tensor, source: Tensor, primitive: Primitive, attrs: dict[str, Any]) -> None:
    """Remember of which tensor another one is a view, so that writing into one is seen in the other."""
    view._links = (source, primitive, attrs)
    links = getattr(source, "_links", None)
    while links.__class__ is tuple:
        source = links[0]
        links = getattr(source, "_links", None)
    if links is None:
        source._links = [_reference(view)]
        return
    if len(links) % 64 == 63:
        links[:] = [reference for reference in links if reference() is not None]
    links.append(_reference(view))


def watch(value: Any) -> Tensor:
    """A tracked tensor that stands for `value` in a sweep of its own.

    A plain value becomes a leaf. A tracked tensor is linked to its history by the identity, so that sweeps further out
    go through it: that is all that nesting needs.
    """
    if isinstance(value, Tensor):
        if value._entry is not None:
            return apply(PRIMITIVES["positive"], (value,), NO_ATTRS)  # type: ignore[no-any-return]  # it is tracked
        value = value._value
    return _wrap(value, _leaf(value))


# ---------------------------------------------------------------------- the protocols


def _array_ufunc(self: Tensor, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    if method == "__call__" and not kwargs:
        fast = UNARY.get(ufunc)
        if fast is not None:
            return fast(self, 2)
        primitive = UFUNCS.get(ufunc)
        if primitive is not None:
            return apply(primitive, inputs, NO_ATTRS)
    return _ops.call_ufunc(ufunc, method, inputs, kwargs)


def _array_function(self: Tensor, function: Callable[..., Any], types: Any, args: tuple[Any, ...],
                       kwargs: dict[str, Any]) -> Any:
    handler = FUNCTIONS.get(function)
    if handler is None:
        name = f"{function.__module__}.{function.__name__}"
        raise NotImplementedError(f"{name} has no derivative here; use x.detach() to leave the tape on purpose, or "
                                  "make it a primitive with @tapead.primitive")
    out = kwargs.get("out") if kwargs else None
    if out.__class__ is Tensor:
        result = function(*args, **{**kwargs, "out": None})
        if np.shape(result) != out.shape or not np.can_cast(result.dtype, out.dtype, "same_kind"):
            raise ValueError(f"np.{function.__name__}(..., out=...): the result has shape {np.shape(result)} and "
                             f"dtype {result.dtype}, the tensor to write into {out.shape} and {out.dtype}")
        out[...] = result
        return out
    return call_attributed(handler, args, kwargs)


def _array_namespace(self: Tensor, *, api_version: str | None = None) -> Any:
    return np


def _array(self: Tensor, dtype: Any = None, copy: bool | None = None) -> Any:
    if self._entry is not None:
        frame = _getframe(1)
        if is_sparse_product(frame):
            return np.array(None, object)  # SciPy takes it for "no array", and leaves the product to this tensor
        raise TypeError(why_no_array(frame))
    if copy is False:
        return np.array(self.data.view(np.ndarray), dtype=dtype, copy=False)
    return np.array(self._value, dtype=dtype)


def _getitem(self: Tensor, key: Any) -> Any:
    if key.__class__ not in _ops.FIXED:
        key = _ops.settled(key)
    value = self._value
    part = value[key]
    if part.__class__ is not _ndarray or part.ndim == 0:
        part = part[()]
        # For one element the shape will do. Holding on to the array would make every later write copy it.
        return recorded(_ops.GETITEM, Dropped(value), self._entry, part, {"key": key})
    attrs = {"key": key}
    result = recorded(_ops.GETITEM, value, self._entry, part, attrs)
    owner = part.base  # reading by arrays of indices may leave a view, but of memory of its own
    if owner is not None and (owner is value or owner is value.base) and result.__class__ is Tensor:
        _link(result, self, _ops.GETITEM, attrs)
    return result


for _name, _method in [("__array_ufunc__", _array_ufunc), ("__array_function__", _array_function),
                       ("__array_namespace__", _array_namespace), ("__array__", _array), ("__getitem__", _getitem),
                       ("__tapead_primitive__", staticmethod(apply))]:
    setattr(Tensor, _name, _method)
LEAVES.add(Tensor)


# ---------------------------------------------------------------------- arrays of tensors


def array(values: Any, dtype: Any = None) -> Any:
    """Build one tensor from nested lists of tensors, arrays and numbers: ``np.array`` for tensors.

    Parameters
    ----------
    values : nested lists or tuples
        Of tensors, arrays and numbers; all at one level of the same shape.
    dtype : dtype, optional
        Of the result.

    Returns
    -------
    Tensor
        Tracked if an element is.

    Raises
    ------
    ValueError
        If the elements at one level differ in shape.

    Examples
    --------
    >>> import tapead as ta
    >>> x = ta.tensor(2.0, requires_grad=True)
    >>> ta.array([[x, 0.0], [1.0, x * x]])
    tensor([[2., 0.],
            [1., 4.]], grad_fn=<StackBackward>)
    """
    if not _contains_tensor(values):
        return tensor(values, dtype=dtype)
    if isinstance(values, Tensor):
        result: Any = values
    else:
        rows = [array(value) if _contains_tensor(value) else np.asarray(value) for value in values]
        shapes = {row.shape for row in rows}
        if len(shapes) > 1:
            raise ValueError(f"tapead.array: elements of different shapes, {sorted(shapes)}")
        result = np.stack(rows)
    return result if dtype is None else result.astype(dtype)
