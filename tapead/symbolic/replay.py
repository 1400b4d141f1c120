"""Walking a recorded tape again with other elements in the arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..checkpoint import without_checkpoints
from ..containers import flatten
from ..recordings import Recording
from ..registry import PRIMITIVES, Linear, Primitive, current_overrides, override_gradient
from ..sweeps import forward, reverse
from ..tape import Entry, Leaf, Scope
from ..tape import record as record_entry
from ..tensor import Tensor
from .algebras import Algebra, Unavailable
from .arrays import DuckArray, interpret, wrap

__all__ = ["is_differentiable", "record", "replay", "replay_recording", "replay_values", "sweeps_on"]

_INPUT = PRIMITIVES.get("input") or Primitive("input", lambda x: x)


def replay(order: Sequence[Entry], inputs: Mapping[Entry, DuckArray]) -> dict[Entry, Any]:
    """Evaluate recorded entries on duck arrays.

    Parameters
    ----------
    order : sequence of Entry
        In recording order, as :func:`tapead.graph.cone` returns it. Other leaves among them are constants.
    inputs : mapping of Entry to DuckArray
        What takes the place of the inputs.

    Returns
    -------
    dict
        The value of every entry.

    Raises
    ------
    Unavailable
        If a primitive has no meaning for these elements; the message names it and the line that recorded it.
    """
    values: dict[Entry, Any] = dict(inputs)
    for entry in order:
        if isinstance(entry, Leaf):
            values.setdefault(entry, entry.output)
            continue
        operands = tuple([value if parent is None or parent not in values else values[parent]
                          for value, parent in zip(entry.inputs, entry.parents, strict=True)])
        if not any(isinstance(operand, DuckArray) for operand in operands):
            values[entry] = entry.primitive.kernel(*operands, **entry.attrs)  # the tape may have dropped the output
            continue
        try:
            result = interpret(entry.primitive, operands, entry.attrs)
        except Unavailable as error:
            raise Unavailable(f"{error} ({entry.where})" if entry.where else str(error)) from error
        if result.shape != entry.output.shape:
            raise Unavailable(f"primitive {entry.primitive.name!r} gave shape {result.shape} in place of "
                              f"{entry.output.shape}")
        values[entry] = result.astype(complex) if entry.output.dtype.kind == "c" else result
    return values


def is_differentiable(arg: Any) -> bool:
    """Whether an argument (or everything in a container) is a number or array to differentiate in."""
    leaves, _ = flatten(arg)
    return bool(leaves) and all(
        leaf.__class__ in (float, int, complex) or getattr(getattr(leaf, "dtype", None), "kind", "") in ("f", "c")
        for leaf in leaves)


def record(name: str, f: Callable[..., Any], args: Sequence[Any]) -> tuple[Recording, list[int]]:
    """`f` recorded at `args`, and the positions of the arguments that are no constants."""
    positions = [position for position, arg in enumerate(args) if is_differentiable(arg)]
    with without_checkpoints():
        return Recording(name, f, args, {}, positions), positions


def replay_values(recording: Recording, inputs: Sequence[DuckArray]) -> dict[Entry, Any]:
    """The value of every entry of a recording for duck arrays in the place of its flattened inputs."""
    known = {stand_in._entry: value for stand_in, value in zip(recording.inputs, inputs, strict=True)}
    values = replay(recording.order, known)  # type: ignore[arg-type]  # a stand-in is tracked
    values.update(known)  # type: ignore[arg-type]  # the same
    return values


def sweeps_on(recording: Recording, algebra: Algebra, inputs: Sequence[DuckArray]
              ) -> tuple[Callable[[Sequence[Any]], list[Any]], Callable[[Sequence[Any]], list[Any]]]:
    """The forward and the reverse sweep, by the registered rules, over a recording replayed on duck arrays.

    The first takes tangents of the flattened inputs to those of the flattened outputs, the second cotangents back. None
    stands for zero in what they return.
    """
    values = replay_values(recording, inputs)
    scope = Scope(None)
    copies: dict[Entry, Entry] = {}
    for entry, value in values.items():
        if isinstance(entry, Leaf) or entry in recording.stops:
            copies[entry] = record_entry(_INPUT, (), (), value, {}, scope, kind=Leaf)
    order = []
    for entry in recording.order:
        if entry in copies:
            continue
        operands = tuple([value if parent is None else values[parent]
                          for value, parent in zip(entry.inputs, entry.parents, strict=True)])
        parents = tuple([None if parent is None else copies[parent] for parent in entry.parents])
        output = wrap(algebra, values[entry])
        copies[entry] = record_entry(entry.primitive, operands, parents, output, dict(entry.attrs), scope)
        order.append(copies[entry])
    ends = [copies.get(output._entry) if isinstance(output, Tensor) and output._entry is not None else None
            for output in recording.outputs]
    starts = [copies[stand_in._entry] for stand_in in recording.inputs]  # type: ignore[index]  # a stand-in is tracked
    rules = {entry.primitive.name: without_buffers(rule_of(entry.primitive)) for entry in order}

    def push(tangents: Sequence[Any]) -> list[Any]:
        known: dict[Entry, Any] = dict(zip(starts, tangents, strict=True))
        with override_gradient(rules):
            forward(order, known)
        return [None if end is None else known.get(end) for end in ends]

    def pull(cotangents: Sequence[Any]) -> list[Any]:
        seeds = [(end, cotangent) for end, cotangent in zip(ends, cotangents, strict=True) if end is not None]
        with override_gradient(rules):
            found = reverse(seeds)
        return [found.get(start) for start in starts]

    return push, pull


def rule_of(primitive: Primitive) -> Any:
    """The rule in force."""
    return current_overrides().get(primitive.name, primitive.rule)


def without_buffers(rule: Any) -> Any:
    """A rule whose linear maps write into no arrays, which cannot hold symbols or long numbers."""

    def pure(partial: Any) -> Any:
        if isinstance(partial, Linear):
            return Linear(partial.apply, partial.adjoint)
        return (lambda: pure(partial())) if callable(partial) else partial

    def plain(op: Any) -> Any:
        partials = rule(op)
        return tuple(map(pure, partials)) if isinstance(partials, (tuple, list)) else pure(partials)

    return plain


def replay_recording(recording: Recording, algebra: Algebra, inputs: Sequence[DuckArray]) -> list[Any]:
    """The outputs of a recording, flattened, for duck arrays in the place of its flattened inputs."""
    values = replay_values(recording, inputs)
    results = []
    for output in recording.outputs:
        plain = output.data if isinstance(output, Tensor) else output
        entry = output._entry if isinstance(output, Tensor) else None
        results.append(wrap(algebra, plain if entry is None else values.get(entry, plain)))
    return results
