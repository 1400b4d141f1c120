"""The global Wengert tape: what was computed, from what, in which order.

An :class:`Entry` is one line of the list. It holds its parents, so a tensor keeps alive exactly the entries it depends
on and nothing else does. The order is a counter shared by all threads; the list itself is not stored anywhere, which
makes recording cheap and safe between threads: a :class:`Tape` is a view that finds its living entries when asked.
"""

from __future__ import annotations

import gc
import itertools
import math
import operator
import os
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .hooks import Handle, Hooks, add_hook
from .registry import Primitive, current_overrides

if TYPE_CHECKING:
    import weakref

    from .tensor import Tensor

__all__ = ["Entry", "Leaf", "Tape", "tape"]

next_index = itertools.count().__next__
_by_index = operator.attrgetter("index")
_getframe = sys._getframe
_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class _Ours(dict[str, bool]):
    """Whether a source file belongs to this package; asked for every entry, so remembered by name."""

    def __missing__(self, name: str) -> bool:
        found = self[name] = name.startswith(_PACKAGE)
        return found


_ours = _Ours()


def is_ours(code: CodeType) -> bool:
    """Whether code belongs to this package."""
    return _ours[code.co_filename]


def user_frame(depth: int = 1) -> FrameType:
    """The innermost frame, `depth` calls up or further, that is not of this package: the line a user wrote."""
    frame = _getframe(depth)
    while _ours[frame.f_code.co_filename] and frame.f_back is not None:
        frame = frame.f_back
    return frame


def attribute(entry: Entry, start: int) -> None:
    """Give the user's line to what a composed function has recorded since `start` by operators within this package."""
    pending = [entry]
    seen = set(pending)
    for one in pending:
        if one.index > start:
            if is_ours(one.code):
                frame = user_frame()
                one.code = frame.f_code
                one.instruction = frame.f_lasti
            new = [parent for parent in one.parents if parent is not None and parent not in seen]
            pending += new
            seen.update(new)


#: Whether ``detect_anomaly`` is in force: sweeps then look at every value, so that none is let go of.
looking_for_anomalies: ContextVar[bool] = ContextVar("tapead looks for anomalies", default=False)

#: From this many bytes on, an array is worth the trouble of not keeping it or of using its buffer again.
LARGE = 1 << 15


class Entry:
    """One line of the Wengert list, ``output = primitive(*inputs, **attrs)``.

    It is what a derivative rule receives as ``op`` in a first-order sweep, and what a tensor's ``grad_fn`` is.

    Attributes
    ----------
    primitive : Primitive
        What was applied.
    inputs : tuple
        The values it was applied to (arrays and numbers), or None once a sweep has freed the entry.
    parents : tuple of (Entry or None)
        Where each input came from; None for a constant.
    output : array or number
        The value of the result.
    attrs : dict
        The keyword arguments (``axis=...``) of the call.
    index : int
        The place in the order of recording; a parent's index is smaller than its children's.
    """

    __slots__ = ("primitive", "inputs", "parents", "output", "attrs", "index", "scope", "code", "instruction", "hooks",
                 "__weakref__")

    # No __init__: it would be a third of the cost of recording. `record` and the two fast paths of Tensor set these.
    primitive: Primitive
    inputs: Any  # a tuple; None once a sweep has freed the entry
    parents: tuple[Entry | None, ...]
    output: Any
    attrs: dict[str, Any]
    index: int
    scope: Scope
    # A code object and an instruction number keep no local variable of the user's alive, as the frame would.
    code: CodeType
    instruction: int
    # Set only where there are any.
    hooks: Hooks

    @property
    def name(self) -> str:
        """PyTorch's name for the node: ``SinBackward``, ``ReduceMaxBackward``."""
        return "".join(part[:1].upper() + part[1:] for part in self.primitive.name.split("_")) + "Backward"

    @property
    def next_functions(self) -> tuple[tuple[Entry | None, int], ...]:
        """The nodes this one sends cotangents to, each with the number of that node's output (always 0)."""
        return tuple((parent, 0) for parent in self.parents)

    @property
    def source(self) -> tuple[str, int]:
        """File name and line number of the user's call that recorded this entry."""
        for start, end, line in self.code.co_lines():
            if start <= self.instruction < end and line is not None:
                return self.code.co_filename, line
        return self.code.co_filename, self.code.co_firstlineno

    @property
    def where(self) -> str:
        """The source as people read it, ``model.py:12``."""
        file, line = self.source
        return f"{os.path.basename(file)}:{line}"

    def register_hook(self, hook: Callable[[tuple[Any, ...], tuple[Any, ...]], Any]) -> Handle:
        """Call ``hook(grad_inputs, grad_outputs)`` whenever a reverse sweep has passed this entry.

        It gets a tuple with the gradient sent to each input (None for a constant) and one with the gradient of the
        output; what it returns, unless None, takes the place of the former.

        Examples
        --------
        >>> import numpy as np
        >>> import tapead as ta
        >>> x = ta.tensor(0.0, requires_grad=True)
        >>> y = np.exp(x)
        >>> handle = y.grad_fn.register_hook(lambda grad_inputs, grad_outputs: (grad_inputs[0] * 10.0,))
        >>> y.backward()
        >>> x.grad
        tensor(10.)
        """
        return add_hook(self, "after", hook)

    def register_prehook(self, hook: Callable[[tuple[Any, ...]], Any]) -> Handle:
        """Call ``hook(grad_outputs)`` before a reverse sweep passes this entry; it may return another tuple."""
        return add_hook(self, "before", hook)

    def __repr__(self) -> str:
        return f"<{self.name}>"


class Leaf(Entry):
    """Where differentiation starts: an input, with no parents and no rule."""

    __slots__ = ("tensor",)

    tensor: weakref.ref[Tensor]

    @property
    def name(self) -> str:
        """PyTorch's name for the node that adds to ``.grad``."""
        return "AccumulateGrad"

    @property
    def variable(self) -> Tensor | None:
        """The tensor whose ``.grad`` it is, as long as that exists."""
        return self.tensor() if hasattr(self, "tensor") else None


class Dropped(np.lib.mixins.NDArrayOperatorsMixin):
    """What is left of a large array that no rule will look at: its shape and dtype."""

    __slots__ = ("shape", "dtype")

    def __init__(self, value: Any) -> None:
        self.shape: tuple[int, ...] = value.shape
        self.dtype: np.dtype[Any] = value.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements that there were."""
        return self.size * self.dtype.itemsize

    def rows(self, place: slice) -> Dropped:
        """What indexing the first axis with `place` would leave."""
        cut = Dropped(self)
        cut.shape = (len(range(*place.indices(self.shape[0]))), *self.shape[1:])
        return cut

    def __array_ufunc__(self, *_: Any, **__: Any) -> NoReturn:
        raise RuntimeError(f"a derivative rule reads an array of shape {self.shape} that the tape has let go of: the "
                           "rule was registered with a reads= that does not name it, or is an override that was not in "
                           "force when the array was recorded")

    __array__ = __getitem__ = __array_ufunc__

    def __repr__(self) -> str:
        return f"<dropped array of shape {self.shape}>"


def reading(entry: Entry) -> str:
    """Which of the tracked values of an entry its rule looks at."""
    reads = entry.primitive.reads
    if callable(reads):  # that depends on which inputs are tracked
        reads = reads(entry)
    if reads == "factors" and len(entry.parents) - entry.parents.count(None) == 1:  # the others are constants
        return "nothing"
    return reads


def let_go(entry: Entry) -> None:
    """Drop the arrays of an entry that its rule does not look at: most of the memory of a long tape.

    Constants stay: they cannot be computed again by replaying the tape. So does what is selected from: sweeps ask it
    for NaNs.
    """
    if looking_for_anomalies.get():
        return
    primitive = entry.primitive
    reads = reading(entry)
    if reads == "all" or primitive.masks or primitive.name in current_overrides():  # others' rules may read more
        return
    if reads != "output" and entry.output.nbytes >= LARGE:
        entry.output = Dropped(entry.output)
    if reads not in ("inputs", "factors"):
        entry.inputs = tuple([value if parent is None or value.nbytes < LARGE else Dropped(value)
                              for value, parent in zip(entry.inputs, entry.parents, strict=True)])


class Scope:
    """Where entries are being recorded: a thread's tape, or within it the run of a function that is transformed.

    The scope notices when an operation takes in an entry from outside of it. That is how a transform knows, without
    walking the graph, that its result depends on something tracked outside and so must be differentiable itself.

    Attributes
    ----------
    enabled : bool
        Whether to record at all.
    tape : Tape or None
        The tape of the thread; None before its first use.
    outer : Scope or None
        The scope around this one.
    foreign : bool
        Whether an entry from outside was taken in.
    lasting : bool
        Whether sweeps come later than the call that records, when its caller may have changed his arrays.
    """

    __slots__ = ("enabled", "tape", "outer", "foreign", "lasting", "_twin")

    def __init__(self, tape: Tape | None, outer: Scope | None = None, enabled: bool = True,
                 lasting: bool = True) -> None:
        self.enabled = enabled
        self.tape = tape
        self.outer = outer
        self.lasting = lasting
        self.foreign = False
        self._twin: Scope | None = None

    @property
    def twin(self) -> Scope:
        """The same scope with recording switched off, or on again."""
        if self._twin is None:
            self._twin = Scope(self.tape, self.outer, not self.enabled, self.lasting)
            self._twin._twin = self
        return self._twin

    def take_in(self, parent: Entry) -> None:
        """Note that an operation in this scope has `parent`, of another scope, as an input."""
        owner: Scope | None = parent.scope
        around = set()
        while owner is not None:
            around.add(owner)
            owner = owner.outer
        scope: Scope | None = self
        while scope is not None and scope not in around:
            scope.foreign = True
            scope = scope.outer


def record(primitive: Primitive, inputs: tuple[Any, ...], parents: tuple[Entry | None, ...], output: Any,
           attrs: dict[str, Any], scope: Scope, depth: int = 1, kind: type[Entry] = Entry) -> Entry:
    """A new entry, attributed to the line of the user's that is being executed: `depth` calls up, or further."""
    entry = kind()
    entry.primitive = primitive
    entry.inputs = inputs
    entry.parents = parents
    entry.output = output
    entry.attrs = attrs
    entry.index = next_index()
    entry.scope = scope
    frame = _getframe(depth)  # every frame that is looked at costs, so that few are
    code = frame.f_code
    if _ours[code.co_filename]:
        frame = user_frame(depth + 1)
        code = frame.f_code
    entry.code = code
    entry.instruction = frame.f_lasti
    large = output.nbytes >= LARGE
    position = 0
    for parent in parents:
        if parent is not None:
            if parent.scope is not scope:
                scope.take_in(parent)
            if inputs[position].nbytes >= LARGE:
                large = True
        position += 1  # noqa: SIM113 -- enumerate costs more
    if large:
        let_go(entry)
    return entry


def new_leaf(value: Any, scope: Scope, frame: FrameType) -> Leaf:
    """Where differentiation starts: an input that somebody made in `frame`."""
    leaf = Leaf()
    leaf.primitive = _INPUT
    leaf.inputs = leaf.parents = ()
    leaf.output = value
    leaf.attrs = _NO_ATTRS
    leaf.index = next_index()
    leaf.scope = scope
    leaf.code = frame.f_code
    leaf.instruction = frame.f_lasti
    return leaf


_INPUT = Primitive("input", lambda x: x)
_NO_ATTRS: dict[str, Any] = {}


class Tape:
    """The Wengert list of one thread: a view of its living entries, in the order of their recording.

    ``len(tape)`` counts the recorded operations and iteration yields them. An entry lives as long as some tensor that
    depends on it; finding the living ones scans the objects of the process, which takes milliseconds. Recording pays
    nothing for it.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> x = ta.tensor(0.5, requires_grad=True)
    >>> y = np.sin(x) * 2.0
    >>> [entry.primitive.name for entry in ta.tape()][-2:]
    ['sin', 'multiply']
    """

    def _living(self) -> list[Entry]:
        # Asking for the type, not for `__class__`, which other libraries' lazy objects answer with warnings.
        found = [thing for thing in gc.get_objects() if issubclass(type(thing), Entry) and hasattr(thing, "scope")]
        return sorted((entry for entry in found if entry.scope.tape is self), key=_by_index)

    def __iter__(self) -> Iterator[Entry]:
        return iter([entry for entry in self._living() if not isinstance(entry, Leaf)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __str__(self) -> str:
        """The list as text: one line an entry, ``v3 = sin(v1)``, with the user's line."""
        return wengert_list(self._living())

    def __repr__(self) -> str:
        return f"<Tape of {len(self)} entries>"

    def to_dot(self) -> str:
        """The tape as a graph in Graphviz's language.

        Examples
        --------
        >>> import tapead as ta
        >>> ta.tape().to_dot().splitlines()[0]
        'digraph tape {'
        """
        entries = self._living()
        names = {entry: f"v{position}" for position, entry in enumerate(entries)}
        lines = ["digraph tape {", "  rankdir=LR;"]
        for entry, name in names.items():
            shape = "box" if isinstance(entry, Leaf) else "ellipse"
            label = f"{name} = {entry.primitive.name}\\n{entry.where}"
            lines.append(f'  {name} [shape={shape}, label="{label}"];')
            lines += [f"  {names[parent]} -> {name};" for parent in entry.parents if parent in names]
        return "\n".join([*lines, "}"])


def wengert_list(entries: list[Entry]) -> str:
    """Entries as aligned text, numbered from v0 in the order given.

    Parameters
    ----------
    entries : list of Entry
        In recording order. A parent that is not among them is shown as the constant it then is.

    Returns
    -------
    str
        One line an entry: name, formula, shape, the user's file and line.
    """
    names = {entry: f"v{position}" for position, entry in enumerate(entries)}
    rows = []
    for entry, name in names.items():
        if isinstance(entry, Leaf):
            formula = "input"
        elif entry.inputs is None:
            formula = f"{entry.primitive.name}(...)   freed"
        else:
            arguments = [names[parent] if parent in names else _brief(value)
                         for parent, value in zip(entry.parents, entry.inputs, strict=True)]
            arguments += [f"{key}={_brief(value)}" for key, value in entry.attrs.items()
                          if value is not None and value is not False]
            formula = f"{entry.primitive.name}({', '.join(arguments)})"
        shape = getattr(entry.output, "shape", ())
        rows.append((f"{name} = {formula}", "" if shape == () else "x".join(map(str, shape)), entry.where))
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(2)]
    return "\n".join(f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c}".rstrip() for a, b, c in rows)


def _brief(value: Any) -> str:
    shape = getattr(value, "shape", ())
    if shape != ():
        return f"array{list(shape)}"
    text = str(value.item() if hasattr(value, "item") else value)
    return text if len(text) <= 24 else text[:21] + "..."


# What a context sees before it records for the first time: `enabled` is false, so that the fast path leaves it.
_unstarted = Scope(None, enabled=False)

_current: ContextVar[Scope] = ContextVar("tapead scope", default=_unstarted)
current_scope = _current.get
set_current_scope = _current.set
reset_current_scope = _current.reset


def start_scope() -> Scope:
    """The current scope; the first call in a thread makes that thread's tape."""
    scope = current_scope()
    if scope is _unstarted:
        scope = Scope(Tape())
        set_current_scope(scope)
    return scope


def recording_scope() -> Scope | None:
    """The scope to record in, or None while recording is switched off."""
    scope = current_scope()
    if not scope.enabled:
        scope = start_scope()
    return scope if scope.enabled else None


def tape() -> Tape:
    """The Wengert tape of this thread.

    Returns
    -------
    Tape
        Iterate it, take its length, ``print`` it, or draw it with ``to_dot()``.

    Examples
    --------
    >>> import tapead as ta
    >>> x = ta.tensor(3.0, requires_grad=True)
    >>> y = x * x
    >>> print(ta.tape())  # doctest: +ELLIPSIS
    v0 = input...
    v1 = multiply(v0, v0)...
    """
    found = start_scope().tape
    assert found is not None  # only the scope of a context that has not started has none
    return found
