"""Functions of the user's that a sweep calls on its way, and the handles that remove them again.

They are kept on the entries they wait for. Sweeps ask only once whether there are any.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, WeakSet, ref

if TYPE_CHECKING:
    from .tape import Entry
    from .tensor import Tensor

__all__ = ["Handle", "Hooks", "add_hook", "hooked", "move_hooks", "move_retaining", "retaining"]

#: Entries with hooks that a sweep has to call.
hooked: WeakSet[Entry] = WeakSet()
#: Entries whose gradient ``backward`` is to keep although they are no leaves.
retaining: WeakSet[Entry] = WeakSet()

_next_key = itertools.count().__next__
#: The kinds of hooks that are called within a sweep; the others wait for its end.
_DURING = ("gradient", "before", "after")


class Hooks:
    """What waits for an entry: functions by kind and number, and the tensor that retains the gradient.

    The kinds are "gradient" (of the value), "before" and "after" the rule, and "accumulated" (added to ``.grad``).
    """

    __slots__ = ("by_kind", "tensor", "entry")

    def __init__(self, entry: Entry) -> None:
        self.by_kind: dict[str, dict[int, Callable[..., Any]]] = {}
        self.tensor: ReferenceType[Tensor] | None = None
        self.entry = ref(entry)

    def of(self, kind: str) -> list[Callable[..., Any]]:
        """The functions of one kind, in the order of their registration."""
        return list(self.by_kind.get(kind, {}).values())

    def enlist(self) -> None:
        """Have sweeps look for these hooks, or no longer if there are none for them."""
        entry = self.entry()
        if entry is not None:
            (hooked.add if any(map(self.by_kind.get, _DURING)) else hooked.discard)(entry)


class Handle:
    """Removes a hook: call ``remove()``, or use it in ``with`` to have the hook for the length of the block."""

    __slots__ = ("_hooks", "_kind", "_key")

    def __init__(self, hooks: Hooks, kind: str, key: int) -> None:
        self._hooks = hooks
        self._kind = kind
        self._key = key

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        self._hooks.by_kind.get(self._kind, {}).pop(self._key, None)
        self._hooks.enlist()

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def hooks_of(entry: Entry) -> Hooks:
    """The hooks of an entry, made where there are none."""
    found: Hooks | None = getattr(entry, "hooks", None)
    if found is None:
        found = entry.hooks = Hooks(entry)
    return found


def add_hook(entry: Entry, kind: str, function: Callable[..., Any]) -> Handle:
    """Have `function` called where `entry` is swept, at the moment that `kind` says."""
    if not callable(function):
        raise TypeError(f"a hook must be a function, not {function!r}")
    hooks = hooks_of(entry)
    key = _next_key()
    hooks.by_kind.setdefault(kind, {})[key] = function
    hooks.enlist()
    return Handle(hooks, kind, key)


def move_retaining(tensor: Tensor, new: Entry | None) -> None:
    """Let a tensor that asked for its gradient have that of the value just written, which `new` stands for."""
    hooks: Hooks | None = getattr(tensor._entry, "hooks", None)
    if new is not None and hooks is not None and hooks.tensor is not None and hooks.tensor() is tensor:
        retaining.discard(tensor._entry)  # type: ignore[arg-type]  # what has hooks is an entry
        hooks_of(new).tensor, hooks.tensor = hooks.tensor, None
        retaining.add(new)


def move_hooks(old: Entry | None, new: Entry) -> None:
    """Let a leaf that took a new value keep its hooks."""
    hooks: Hooks | None = getattr(old, "hooks", None)
    if hooks is not None:
        new.hooks = hooks
        hooks.entry = ref(new)
        hooks.enlist()
