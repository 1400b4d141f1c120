"""A function recorded at a point, and the sweeps over that record: what every transform starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .batch import Batch
from .blocks import BLOCKED
from .collector import be_patient, be_usual
from .containers import flatten, map_structure
from .curvature import Curvature, goes_in_blocks
from .dual import carries_along, seen_along
from .graph import cone, downstream
from .hooks import hooked
from .partials import CannotCarry, summed
from .protocols import watch
from .registry import current_overrides
from .sweeps import forward, reverse
from .tape import (
    Entry,
    Scope,
    looking_for_anomalies,
    new_leaf,
    reset_current_scope,
    set_current_scope,
    start_scope,
    user_frame,
)
from .tensor import Tensor, _wrap

__all__ = ["Function", "Recording"]

Function = Callable[..., Any]

_float64 = np.float64
_ndarray = np.ndarray
_DOUBLE = np.dtype(float)


class Recording:
    """A function recorded at a point.

    Attributes
    ----------
    entries : list of Entry
        Where the differentiable arguments, flattened, enter the tape.
    values : list of array or number
        Their values.
    outputs : list
        The function's results, flattened; those that depend on no input may be plain.
    foreign : bool
        Whether something tracked outside took part.
    nested : bool
        Whether it did and recording was on there: then derivatives have to be differentiable themselves.
    """

    __slots__ = ("name", "entries", "values", "rebuild_inputs", "outputs", "rebuild_outputs", "auxiliary", "foreign",
                 "nested", "enabled", "from_tensor", "_order", "_scope")

    def __init__(self, name: str, function: Function, args: Sequence[Any], kwargs: dict[str, Any],
                 positions: Sequence[int], has_aux: bool = False, lasting: bool = False) -> None:
        self.name = name
        around = start_scope()
        self.enabled = around.enabled
        given, self.rebuild_inputs = flatten(tuple(map(args.__getitem__, positions)))
        frame = user_frame(2)
        self.from_tensor: list[bool] = []
        self.entries: list[Entry] = []
        self.values: list[Any] = []
        handles = []  # of their own: the function may write into what it is given
        scope = Scope(around.tape, around, lasting=lasting)
        token = set_current_scope(scope)
        be_patient()
        try:
            for value in given:
                kind = value.__class__
                if kind is not _float64 and not (kind is _ndarray and value.dtype is _DOUBLE):
                    value = _differentiable(value, name, function)
                self.from_tensor.append(kind is Tensor)
                if lasting and isinstance(value, np.ndarray):  # sweeps come later, when it may have been changed
                    value = value.copy("K")
                if kind is not Tensor:
                    entry: Any = new_leaf(value, scope, frame)
                elif value._entry is None or not around.enabled:
                    value = value._value
                    entry = new_leaf(value, scope, frame)
                else:
                    scope.lasting = True
                    stand_in = watch(value)
                    value, entry = stand_in._value, stand_in._entry
                self.entries.append(entry)
                self.values.append(value)
                handles.append(_wrap(value, entry))
            arguments = list(args)
            for position, handle in zip(positions, self.rebuild_inputs(handles), strict=True):
                arguments[position] = handle
            result = function(*arguments, **kwargs)
        finally:
            be_usual()
            reset_current_scope(token)
        self.auxiliary = None
        if has_aux:
            if not (isinstance(result, tuple) and len(result) == 2):
                raise TypeError(f"{name}: with has_aux=True {called(function)} must return (value, auxiliary), not "
                                f"{type(result).__name__}")
            result, self.auxiliary = result
        self._order: list[Entry] | None = None
        self.outputs, self.rebuild_outputs = flatten(result)
        self._take_in(self.outputs, scope, function)
        if has_aux:
            self._take_in(flatten(self.auxiliary)[0], scope, None)
        self.foreign = scope.foreign
        self.nested = scope.foreign and around.enabled
        self._scope = scope

    def _take_in(self, results: list[Any], scope: Scope, function: Function | None) -> None:
        """Note what is handed on from outside without any operation, and check what is not auxiliary."""
        for result in results:
            if result.__class__ is Tensor:
                entry = result._entry
                if entry is not None and entry.scope is not scope:
                    scope.take_in(entry)
            elif function is not None:
                _check_output(result, self.name, function)

    @property
    def inputs(self) -> list[Tensor]:
        """The stand-ins for the differentiable arguments."""
        return list(map(_wrap, self.values, self.entries))

    def hand_out(self, results: Iterable[Any]) -> list[Any]:
        """Results as the caller gets them: plain, unless tensors came in or something outside is differentiated too."""
        if self.nested:
            return list(results)
        as_tensor = True in self.from_tensor
        held = set(map(id, self.values))
        return [own(value._value, value, held, as_tensor) if isinstance(value, Tensor) else value for value in results]

    @property
    def stops(self) -> set[Entry]:
        """The entries of the inputs."""
        return set(self.entries)

    @property
    def ends(self) -> set[Entry]:
        """The entries of the outputs."""
        return {output._entry for output in self.outputs if output.__class__ is Tensor and output._entry is not None}

    @property
    def order(self) -> list[Entry]:
        """The cone of the outputs down to the inputs."""
        if self._order is None:
            self._order = cone([entry for entry in map(entry_of, self.outputs) if entry is not None], self.stops)
        return self._order

    @property
    def out(self) -> Any:
        """The function's result."""
        return self.rebuild_outputs(self.hand_out(self.outputs))

    @property
    def lasting_out(self) -> Any:
        """The function's result, sharing no memory with the tape."""
        return map_structure(lambda value: value.copy() if isinstance(value, np.ndarray) else value, self.out)

    def pull(self, cotangents: Sequence[Any], *, keep: bool) -> list[Any]:
        """The cotangents of the inputs, flattened, from those of the outputs; zeros for an unused input."""
        seeds = []
        held = set()
        for output, cotangent in zip(self.outputs, cotangents, strict=True):
            if output.__class__ is Tensor and output._entry is not None:
                seeds.append((output._entry, cotangent))
                held.add(id(cotangent))
        # A tracked cotangent records what is done to it; that alone does not make the rules differentiate the inputs.
        if self.foreign:
            # What lies outside is another transform's to sweep, and not ours to free.
            found = reverse(seeds, record=self.nested, stops=self.stops, only=downstream(self.order, self.stops))
        else:
            found = reverse(seeds, freed_by=None if keep else self.name)
        results = []
        for entry, value, from_tensor in zip(self.entries, self.values, self.from_tensor, strict=True):
            results.append(own(found.get(entry), value, held, from_tensor))
        return results

    def push(self, tangents: Sequence[Any]) -> list[Any]:
        """The tangents of the outputs, flattened, from those of the inputs; zeros for a constant output."""
        known: dict[Entry, Any] = dict(zip(self.entries, tangents, strict=True))
        forward(self.order, known, record=self.nested, wanted=self.ends)
        held = set(map(id, tangents))
        keep = any(self.from_tensor)
        return [own(known.get(entry_of(output)), output, held, keep) for output in self.outputs]  # type: ignore[arg-type]  # None is never a key

    def pull_along(self, tangents: Sequence[Any]) -> list[Any]:
        """The derivative of the gradient of the one output along tangents of the inputs, flattened.

        Raises
        ------
        CannotCarry
            If something outside is tracked: then it has to be differentiable itself.
        """
        try:
            return self.carry_along(tangents)
        except CannotCarry:
            products = self._pull_recorded_along(tangents)
        held = set(map(id, tangents))
        return [own(product, value, held, False) for product, value in zip(products, self.values, strict=True)]

    def carry_along(self, tangents: Sequence[Any]) -> list[Any]:
        """`pull_along` by a sweep in which values carry tangents along.

        Raises
        ------
        CannotCarry
            If they cannot, because something outside is tracked, somebody is watching, or a rule is not ours, so that
            it may look at more than it is given.
        """
        held = set(map(id, tangents))
        return [own(product, value, held, False)
                for product, value in zip(self._carry_along(tangents), self.values, strict=True)]

    def carry_along_many(self, tangents: Sequence[Any]) -> list[Any]:
        """`carry_along` of many tangents: all arrays have one more axis in front."""
        count = len(tangents[0])
        return [_rows(product, value, count, False)
                for product, value in zip(self._carry_along(list(map(Batch, tangents))), self.values, strict=True)]

    def _pull_recorded_along(self, tangents: Sequence[Any]) -> list[Any]:
        if self.foreign:
            raise CannotCarry
        token = set_current_scope(self._scope)
        try:
            found = reverse([(entry, np.ones_like(entry.output)[()]) for entry in self.ends], record=True)
        finally:
            reset_current_scope(token)
        gradients = [entry_of(found.get(entry)) for entry in self.entries]
        ends = {entry for entry in gradients if entry is not None}
        known: dict[Entry, Any] = dict(zip(self.entries, tangents, strict=True))
        forward(cone(ends, self.stops), known, wanted=ends)
        return [None if entry is None else known.get(entry) for entry in gradients]

    def _carry_along(self, tangents: Sequence[Any]) -> list[Any]:
        if self.foreign or hooked or looking_for_anomalies.get() or current_overrides() or not all(
                map(carries_along, self.order)) or not all(value.dtype.kind == "f" for value in self.values):
            raise CannotCarry
        known: dict[Entry, Any] = dict(zip(self.entries, tangents, strict=True))
        seeds = [(entry, np.ones_like(entry.output)[()]) for entry in self.ends]
        in_blocks = goes_in_blocks(self.order) and not any([tangent.__class__ is Batch for tangent in tangents])
        if not in_blocks and any([value.nbytes >= BLOCKED for value in self.values]):
            raise CannotCarry  # memory that a recorded sweep frees or writes into is what counts there
        try:
            if in_blocks:
                curvature = Curvature(self.order, known, forward)
                found = reverse(seeds, seen=curvature)
                rest = reverse(curvature.sent.items())
            else:
                forward(self.order, known)
                found, rest = reverse(seeds, seen=seen_along(known.get)), {}
        except Exception as error:  # whatever a dual number is no good for; rules' own errors come up in a record, too
            raise CannotCarry from error
        products = []
        for entry in self.entries:
            product, more = getattr(found.get(entry), "tangent", None), rest.get(entry)
            products.append(more if product is None else product if more is None else summed(product, more))
        return products

    @property
    def at_once(self) -> int:
        """How many sweeps are best made at once; 1 where they have to be made one by one."""
        if self.nested or hooked or looking_for_anomalies.get() or not all(
                value.dtype.kind == "f" for value in self.values):
            return 1
        sizes = [entry.output.size for entry in self.order]
        largest: int = max([1, *sizes, *[value.size for value in self.values]])
        # A large array that gives a small one, as a matrix in a product, is read (or factored) once for as many as go
        # at once: that is worth more than the cache.
        reads_much = any([getattr(value, "size", 1) >= _AT_ONCE and value.size > size
                          for entry, size in zip(self.order, sizes, strict=True) for value in entry.inputs or ()])
        return max(1, (_AT_ONCE_READING_MUCH if reads_much else _AT_ONCE) // largest)

    def pull_many(self, cotangents: Sequence[Any]) -> list[Any]:
        """`pull` of many cotangents: all arrays have one more axis in front."""
        seeds = [(output._entry, Batch(cotangent)) for output, cotangent in zip(self.outputs, cotangents, strict=True)
                 if entry_of(output) is not None]
        if self.foreign:
            found = reverse(seeds, stops=self.stops, only=downstream(self.order, self.stops), batched=True)
        else:
            found = reverse(seeds, batched=True)
        count = len(cotangents[0])
        return [_rows(found.get(entry), value, count, from_tensor)
                for entry, value, from_tensor in zip(self.entries, self.values, self.from_tensor, strict=True)]

    def push_many(self, tangents: Sequence[Any]) -> list[Any]:
        """`push` of many tangents: all arrays have one more axis in front."""
        known: dict[Entry, Any] = dict(zip(self.entries, map(Batch, tangents), strict=True))
        forward(self.order, known, wanted=self.ends)
        count = len(tangents[0])
        as_tensor = True in self.from_tensor
        return [_rows(known.get(entry_of(output)), output, count, as_tensor)  # type: ignore[arg-type]  # as above
                for output in self.outputs]


#: So many elements of the largest array go into one batch: more would leave the cache.
_AT_ONCE = 1 << 15
_AT_ONCE_READING_MUCH = 1 << 22


def _rows(batch: Any, like: Any, count: int, as_tensor: bool) -> Any:
    """The values of a batch, zeros where there is none."""
    if batch is None:
        dtype = np.asarray(plain_value(like)).dtype
        values = np.zeros((count, *np.shape(plain_value(like))), dtype if dtype.kind in "fc" else float)
    else:
        values = batch.values
    return _wrap(values, None) if as_tensor else values


def entry_of(value: Any) -> Entry | None:
    """Where a tensor is on the tape; None for anything else."""
    return value._entry if value.__class__ is Tensor else None


def plain_value(value: Any) -> Any:
    """The value of a tensor; anything else as it is."""
    return value._value if value.__class__ is Tensor else value


def called(function: Function) -> str:
    """What a function is called in messages."""
    return getattr(function, "__name__", repr(function))


def _differentiable(value: Any, name: str, function: Function) -> Any:
    """An argument as something to differentiate in: a floating-point array or number, or a tensor of such."""
    kind = value.__class__
    if kind is float or kind is int:
        return np.float64(value)
    if kind is complex:
        return np.complex128(value)
    dtype = getattr(value, "dtype", None)
    if not isinstance(value, (Tensor, np.ndarray, np.generic)) or dtype is None:
        raise TypeError(f"{name}: {called(function)} cannot be differentiated in an argument of type "
                        f"{type(value).__name__}; expected numbers, arrays, or tuples, lists and dicts of them")
    if dtype.kind not in "fc":
        raise TypeError(f"{name}: {called(function)} cannot be differentiated in an array of dtype {dtype} (shape "
                        f"{value.shape}); cast it, x.astype(float)")
    return value


def _check_output(output: Any, name: str, function: Function) -> None:
    if isinstance(output, (Tensor, np.ndarray, np.generic)):
        if output.dtype.kind in "fciub":
            return
    elif isinstance(output, (bool, int, float, complex)):
        return
    raise TypeError(f"{name}: {called(function)} returned {type(output).__name__}; expected numbers, arrays, or "
                    "tuples, lists and dicts of them")


def own(result: Any, like: Any, held: set[int], as_tensor: bool) -> Any:
    """A derivative as the caller's own: zeros where there is none, never memory that something else can see."""
    if result.__class__ is _float64 and not as_tensor:
        return result
    if isinstance(result, Tensor):
        if result._entry is not None:
            return result
        result = result._value
    if result is None:
        value = np.asarray(plain_value(like))
        dtype = value.dtype if value.dtype.kind in "fc" else np.float64
        result = np.zeros(value.shape, dtype)[()]
    elif result.__class__ is np.ndarray:
        if result.ndim == 0:
            result = result[()]
        elif id(result) in held or result.base is not None or not result.flags.writeable:
            result = result.copy()
        held.add(id(result))
    if as_tensor:
        return _wrap(result, None)
    return result
