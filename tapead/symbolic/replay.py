"""Walking a recorded tape again with other elements in the arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..checkpoint import without_checkpoints
from ..containers import flatten
from ..tape import Entry, Leaf
from ..tensor import Tensor
from ..transforms import Recording
from .algebras import Algebra, Unavailable
from .arrays import DuckArray, interpret, wrap

__all__ = ["is_differentiable", "record", "replay", "replay_recording"]


def replay(order: Sequence[Entry], inputs: Mapping[Entry, DuckArray]) -> dict[Entry, Any]:
    """Evaluate recorded entries on duck arrays.

    Parameters
    ----------
    order : sequence of Entry
        In recording order, as :func:`tapead.sweeps.cone` returns it. Other leaves among them are constants.
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


def replay_recording(recording: Recording, algebra: Algebra, inputs: Sequence[DuckArray]) -> list[Any]:
    """The outputs of a recording, flattened, for duck arrays in the place of its flattened inputs."""
    known = {stand_in._entry: value for stand_in, value in zip(recording.inputs, inputs, strict=True)}
    values = replay(recording.order, known)  # type: ignore[arg-type]  # a stand-in is tracked
    values.update(known)  # type: ignore[arg-type]  # the same
    results = []
    for output in recording.outputs:
        plain = output.data if isinstance(output, Tensor) else output
        entry = output._entry if isinstance(output, Tensor) else None
        results.append(wrap(algebra, plain if entry is None else values.get(entry, plain)))
    return results
