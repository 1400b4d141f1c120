"""Assignment and views, as NumPy does them: ``y[i] = v``, ``y += v``, writing through a view, seen in the whole.

A write leaves behind a new entry on the tape, and the tensor's handle moves on to it; entries recorded before keep what
they saw. The memory is written in place where nobody else needs its old contents, and copied before where somebody
does. A tensor remembers its views: after a write they are derived anew from what was written.
"""

from __future__ import annotations

import itertools
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from .hooks import move_hooks, move_retaining
from .ops.assignment import SET_VIEW, SETITEM, winners
from .ops.indexing import settled_key
from .protocols import array
from .registry import FUNCTIONS, value_of
from .tape import Dropped, Entry, Leaf, Scope, record, recording_scope
from .tensor import Tensor, _contains_tensor, _leaf

__all__ = ["assign", "replace"]

_getrefcount = sys.getrefcount


def assign(target: Tensor, key: Any, value: Any) -> None:
    """``target[key] = value``, seen by every view of the same memory and by the tape.

    Raises
    ------
    RuntimeError
        If `target` is a leaf that requires a gradient, or a view of one, and recording is on.
    TypeError
        If the values would lose their history or their imaginary part in the target's dtype.
    ValueError
        If the value does not fit the key, or the target is read-only.
    """
    if isinstance(value, Tensor) and value._view is not None and value._view[0] is target and _same(value._view, key):
        return  # the second half of `y[key] += v`: the view has written into the target already
    key = tuple(map(settled_key, key)) if key.__class__ is tuple else settled_key(key)
    if _contains_tensor(value):
        value = array(value)
    if key is ... and target.ndim:
        surplus = np.ndim(value) - target.ndim
        if surplus > 0 and np.shape(value)[:surplus] == (1,) * surplus:  # NumPy leaves these out as well
            value = np.squeeze(value, axis=tuple(range(surplus)))
        replace(target, np.copy(np.broadcast_to(value, target.shape)), "x[...] = v")
        return
    _write(target, key, value, "x[...] = v")


def replace(target: Tensor, value: Any, what: str) -> None:
    """Put all of `value` in the place of what `target` holds: ``target op= ...``, ``out=target``.

    `what` names the operation in errors.
    """
    _check_number(target, what)
    if target.ndim == 0 or (target._view is None and not _live_views(target)):
        _check_leaf(target, recording_scope(), what)
        plain, entry = (value._value, value._entry) if isinstance(value, Tensor) else (value, None)
        if np.shape(plain) != target.shape:
            raise ValueError(f"{what}: the result has shape {np.shape(plain)}, the tensor {target.shape}; an operation "
                             "in place cannot change the shape")
        _check_dtype(target, plain, entry, what)
        if np.asarray(plain).dtype != target.dtype:
            value = value.astype(target.dtype)
            plain, entry = (value._value, value._entry) if isinstance(value, Tensor) else (value, None)
        if target.ndim > 1 and plain.strides != target._value.strides:  # what is a view afterwards depends on the order
            ordered = np.empty_like(target._value)
            ordered[...] = plain
            plain = ordered
        _move(target, plain, entry)
    else:
        _write(target, ..., value, what)


def _move(target: Tensor, value: Any, entry: Entry | None) -> None:
    """Let the handle stand for another value and place on the tape; a leaf stays one, with its gradient.

    What is written without recording leaves the place on the tape as it was: the sweep does not see it.
    """
    was_leaf = _is_leaf(target)
    target._value = value
    if recording_scope() is None:
        entry = target._entry
        if was_leaf:
            entry = _leaf(value)
            entry.tensor = weakref.ref(target)
            move_hooks(target._entry, entry)
    else:
        move_retaining(target, entry)
    target._entry = entry


def _write(target: Tensor, key: Any, value: Any, what: str) -> None:
    scope = recording_scope()
    root = _root(target)
    _check_number(target, what)
    _check_leaf(root, scope, what)
    if scope is not None and root._entry is not None and target._entry is None:
        raise RuntimeError(f"{what}: this view of a tensor that requires a gradient was made inside tapead.no_grad(), "
                           "so the tape cannot follow a write through it; make the view again outside")
    plain, entry = (value._value, value._entry) if isinstance(value, Tensor) else (np.asarray(value)[()], None)
    _check_dtype(target, plain, entry, what)
    history = scope is not None and (entry is not None or target._entry is not None)
    # Replaying a tape needs what was there before the first tracked write: later ones find it on the tape.
    before = np.array(root._value) if history and root._entry is None else None
    if target.ndim == 0:
        changed = np.array(target._value)
        changed[key] = plain
        target._value = changed[()]
    else:
        _make_exclusive(root)
        target._value[key] = plain
    if history:
        assert scope is not None  # `history` says so
        _record_write(scope, target, key, plain, entry, before)
    elif scope is None and _is_leaf(root):
        _move(root, root._value, None)


def _record_write(scope: Scope, target: Tensor, key: Any, value: Any, entry: Entry | None, before: Any) -> None:
    """Record that `value` was written, from the target up to the whole array, and derive the views of that anew."""
    root = _root(target)
    chain = [target]
    while chain[-1] is not root:
        chain.append(chain[-1]._view[0])  # type: ignore[index]  # only the root has none
    olds = _old_values(chain, before)
    attrs = {"key": key}
    last = winners(key, target.shape) if target.ndim else None
    if last is not None:
        attrs["last"] = last
    new: Entry = record(SETITEM, (value, olds[0]), (entry, target._entry), Dropped(target._value), attrs, scope)
    for (part, whole), old in zip(itertools.pairwise(chain), olds[1:], strict=True):
        _, view, options = part._view  # type: ignore[misc]  # as above
        new = record(SET_VIEW, (Dropped(part._value), old), (new, whole._entry), Dropped(whole._value),
                     {"view": view, "options": options}, scope)
    move_retaining(root, new)
    root._entry = new
    for view_tensor in _live_views(root):
        source, view, options = view_tensor._view
        new = record(view, (Dropped(source._value),), (source._entry,), Dropped(view_tensor._value), options, scope)
        move_retaining(view_tensor, new)
        view_tensor._entry = new


def _old_values(chain: list[Tensor], before: Any) -> list[Any]:
    """What each tensor from a view up to the whole held before the write: values only where the tape has none."""
    if before is None:
        return [Dropped(tensor._value) for tensor in chain]
    values = [before]
    for part in chain[-2::-1]:
        _, view, options = part._view  # type: ignore[misc]  # all but the last are views
        values.append(view.kernel(values[-1], **options))
    return values[::-1]


# ---------------------------------------------------------------------- memory


def _root(tensor: Tensor) -> Tensor:
    while tensor._view is not None:
        tensor = tensor._view[0]
    return tensor


def _live_views(root: Tensor) -> list[Any]:
    """The views of a tensor that still exist, in the order of their making."""
    return [view for view in (reference() for reference in root._views or ()) if view is not None]


def _make_exclusive(root: Tensor) -> None:
    """Give a tensor and its views memory that nothing else refers to: entries and plain arrays keep the old."""
    views = _live_views(root)
    owner = root._value
    if not owner.flags.writeable:
        raise ValueError(f"x[...] = v: the tensor of shape {root.shape} repeats elements, so it is read-only as in "
                         "NumPy; copy it first")
    sharing = sum(view._value.base is owner for view in views)
    if (owner.base is None and _getrefcount(owner) <= _SOLE + sharing
            and all([_getrefcount(view._value) <= _SOLE_VIEW for view in views])):
        return
    del owner
    root._value = np.array(root._value, order="K")
    for view in views:
        source, primitive, options = view._view
        view._value = primitive.kernel(source._value, **options)


def _count_sole() -> tuple[int, int]:
    holder = Tensor()
    holder._value = np.empty(1)
    unnamed = _getrefcount(holder._value)
    owner = holder._value
    return _getrefcount(owner), unnamed


#: References to an array that one tensor and one local variable hold, and to one that a tensor holds.
_SOLE, _SOLE_VIEW = _count_sole()


def _same(view: tuple[Tensor, Any, dict[str, Any]], key: Any) -> bool:
    return view[1].name == "getitem" and view[2]["key"] is key


# ---------------------------------------------------------------------- what must not be


def _is_leaf(tensor: Tensor) -> bool:
    """Whether a tensor is a leaf of the user's: what stands in for an argument of a function is not."""
    return isinstance(tensor._entry, Leaf) and hasattr(tensor._entry, "tensor")


def _check_number(tensor: Tensor, what: str) -> None:
    """Raise where NumPy would write through a view without axes, or could not write at all."""
    if tensor.ndim == 0 and tensor.grad_fn is not None and tensor.grad_fn.primitive.name in ("getitem", "reshape"):
        raise TypeError(f"{what}: an element taken from a tensor is a number here, no view of it; write into the "
                        "tensor that it was taken from, y[i] = v")


def _check_leaf(tensor: Tensor, scope: Scope | None, what: str) -> None:
    if scope is not None and _is_leaf(tensor):
        raise RuntimeError(f"{what}: a leaf that requires a gradient cannot be changed in place, its gradient would be "
                           "that of another value; change it inside tapead.no_grad(), or a copy of it")


def _check_dtype(target: Tensor, value: Any, entry: Entry | None, what: str) -> None:
    dtype = np.asarray(value).dtype
    if entry is not None and target.dtype.kind not in "fc":
        raise TypeError(f"{what}: values that require a gradient would lose it in a tensor of dtype {target.dtype}; "
                        "cast the tensor first, y.astype(float)")
    if dtype.kind == "c" and target.dtype.kind != "c":
        raise TypeError(f"{what}: complex values would lose their imaginary part in a tensor of dtype {target.dtype}")


# ---------------------------------------------------------------------- operators and methods


def _in_place(symbol: str, ufunc: Callable[[Any, Any], Any]) -> Any:
    def method(self: Tensor, other: Any) -> Any:
        # A number that was computed is immutable in NumPy: `s += 1` makes a new one and leaves other names alone.
        if self.ndim == 0 and not _is_leaf(self):
            return NotImplemented
        _check_leaf(self, recording_scope(), f"x {symbol}= y")
        result = ufunc(self, other)
        dtype = np.asarray(value_of(result)).dtype
        if not np.can_cast(dtype, self.dtype, "same_kind"):
            lost = "imaginary part" if self.dtype.kind != "c" and dtype.kind == "c" else "fractional part"
            raise TypeError(f"x {symbol}= y: the result is {dtype}, the tensor {self.dtype}: it would lose its {lost}; "
                            f"use x = x {symbol} y")
        replace(self, result, f"x {symbol}= y")
        return self

    return method


def _fill(self: Tensor, value: Any) -> None:
    """Set every element to one value, in place."""
    assign(self, ..., value)


def _sort(self: Tensor, axis: int = -1, kind: Any = None, order: Any = None, *, stable: bool | None = None) -> None:
    """Sort in place."""
    replace(self, np.sort(self, axis=axis, kind=kind, order=order, stable=stable), "x.sort()")


def _partition(self: Tensor, kth: Any, axis: int = -1, kind: Any = "introselect", order: Any = None) -> None:
    """Partition in place."""
    replace(self, np.partition(self, kth, axis=axis, kind=kind, order=order), "x.partition()")


def _put(self: Tensor, indices: Any, values: Any, mode: str = "raise") -> None:
    """``np.put`` of this tensor."""
    FUNCTIONS[np.put](self, indices, values, mode=mode)


def install() -> None:
    """Give Tensor the operators and methods that write."""
    for name, symbol, ufunc in [("iadd", "+", np.add), ("isub", "-", np.subtract), ("imul", "*", np.multiply),
                                ("itruediv", "/", np.divide), ("ipow", "**", np.power), ("imod", "%", np.remainder),
                                ("ifloordiv", "//", np.floor_divide), ("imatmul", "@", np.matmul)]:
        setattr(Tensor, f"__{name}__", _in_place(symbol, ufunc))
    Tensor.__setitem__ = assign  # type: ignore[method-assign]  # declared there for type checkers alone
    Tensor.fill = _fill  # type: ignore[attr-defined]  # as NumPy's
    Tensor.sort = _sort  # type: ignore[attr-defined]  # as NumPy's
    Tensor.partition = _partition  # type: ignore[attr-defined]  # as NumPy's
    Tensor.put = _put  # type: ignore[attr-defined]  # as NumPy's


install()
