"""PyTorch's way to ask for gradients: ``backward``, which adds to ``.grad``, and ``gradients``, which returns them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .graph import cone, downstream
from .hooks import retaining
from .sweeps import reverse
from .tape import Entry, Leaf, user_frame
from .tensor import Tensor, _wrap, tensor

__all__ = ["backward", "gradients"]


def backward(output: Tensor, gradient: Any, retain_graph: bool | None, create_graph: bool,
             inputs: Tensor | Iterable[Tensor] | None = None) -> None:
    """Add the gradient of `output` to the leaves it depends on; see :meth:`Tensor.backward`."""
    root, seed = _seed(output, gradient, "backward", "this tensor", create_graph)
    holders = {} if inputs is None else _holders(inputs)
    only = None if inputs is None else downstream(cone([root], set()), set(holders))
    keep = create_graph if retain_graph is None else retain_graph
    asked = {*holders, *retaining} if holders else retaining
    found = reverse([(root, seed)], record=create_graph, only=only, asked=asked,
                    freed_by=None if keep else _caller("backward()"))
    for entry in list(found):
        cotangent = found.pop(entry)  # so that no gradient is held twice
        holder = holders[entry] if entry in holders else _holder(entry)
        if holder is None:
            continue
        before: Tensor | None = getattr(holder, "_grad", None)  # .grad would warn where a result has none
        if before is None:
            holder.grad = _handed_out(cotangent)
        elif create_graph:
            holder.grad = before + cotangent
        else:
            # The same tensor object, as in PyTorch: who holds x.grad sees it grow.
            before.data = before._value + cotangent
        if hasattr(entry, "hooks"):
            for hook in entry.hooks.of("accumulated"):
                hook(holder)


def _holders(inputs: Tensor | Iterable[Tensor]) -> dict[Entry, Tensor]:
    """The tensors whose ``.grad`` is asked for, by their entries."""
    wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if not wanted:
        raise RuntimeError("backward: inputs= is empty; leave it out for every leaf")
    return {_entry_of(value, position, "backward"): value for position, value in enumerate(wanted)}


def _entry_of(value: Any, position: int, function: str) -> Entry:
    if not isinstance(value, Tensor) or value._entry is None:
        raise RuntimeError(f"{function}: input {position} does not require a gradient; make it with "
                           "tapead.tensor(..., requires_grad=True)")
    return value._entry


def _holder(entry: Entry) -> Tensor | None:
    """The tensor whose ``.grad`` the cotangent of an entry is added to."""
    if isinstance(entry, Leaf):
        leaf = entry.tensor() if hasattr(entry, "tensor") else None
        return leaf if leaf is not None and leaf.requires_grad else None  # it may have been told otherwise since
    return None if entry.hooks.tensor is None else entry.hooks.tensor()


def gradients(outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None,
              create_graph: bool = False, allow_unused: bool = False) -> tuple[Tensor | None, ...]:
    """The gradients of the sum of `outputs` with respect to `inputs`; nothing is added to ``.grad``.

    Parameters
    ----------
    outputs : Tensor or sequence of Tensor
        What is differentiated.
    inputs : Tensor or sequence of Tensor
        With respect to what: leaves or results of operations.
    grad_outputs : array_like or sequence of such, optional
        One cotangent per output, of its shape; may be left out (or None) for outputs of one element.
    retain_graph : bool, optional
        Keep the graph for another sweep; by default the value of `create_graph`.
    create_graph : bool
        Record the sweep itself, so that the gradients can be differentiated again.
    allow_unused : bool
        Return None for inputs that no output depends on, instead of raising.

    Returns
    -------
    tuple of Tensor
        One per input, of its shape and dtype.

    Raises
    ------
    RuntimeError
        If an output or input has no history, an input is not used, or the graph has been freed.

    Examples
    --------
    >>> import tapead as ta
    >>> x = ta.tensor(3.0, requires_grad=True)
    >>> dy, = ta.gradients(x**3, x, create_graph=True)
    >>> ta.gradients(dy, x)
    (tensor(18.),)
    """
    results = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    given = _per_output(grad_outputs, len(results))
    seeds = [_seed(result, cotangent, "gradients", f"output {position}", create_graph)
             for position, (result, cotangent) in enumerate(zip(results, given, strict=True))]
    targets = [_entry_of(value, position, "gradients") for position, value in enumerate(wanted)]
    keep = create_graph if retain_graph is None else retain_graph
    asked = set(targets)
    # The cone goes on past the inputs: one input may be computed from another.
    useful = downstream(cone([root for root, _ in seeds], set()), asked)
    found = reverse(seeds, record=create_graph, only=useful, asked=asked,
                    freed_by=None if keep else _caller("gradients()"))
    values: list[Tensor | None] = []
    for position, entry in enumerate(targets):
        if entry not in found and not allow_unused:
            raise RuntimeError(f"gradients: input {position} (shape {wanted[position].shape}) is not used by the "
                               "outputs; pass allow_unused=True to get None for it")
        values.append(_handed_out(found[entry]) if entry in found else None)
    return tuple(values)


def _per_output(grad_outputs: Any, count: int) -> list[Any]:
    if grad_outputs is None:
        return [None] * count
    given = list(grad_outputs) if isinstance(grad_outputs, Sequence) else [grad_outputs]
    if len(given) != count:
        raise ValueError(f"gradients: {len(given)} grad_outputs for {count} outputs")
    return given


def _seed(output: Any, gradient: Any, function: str, which: str, record: bool) -> tuple[Entry, Any]:
    """The entry of an output and the cotangent to start from."""
    if not isinstance(output, Tensor) or output._entry is None:
        raise RuntimeError(f"{function}: {which} does not require a gradient: no operation on a tensor that does has "
                           "made it")
    value = output._value
    if gradient is None:
        if value.size != 1:
            raise RuntimeError(f"{function}: {which} has shape {value.shape}; give the cotangent of that shape, as "
                               "gradient= (or grad_outputs=), or reduce to one number, for instance by .sum()")
        if value.dtype.kind == "c":
            raise RuntimeError(f"{function}: {which} is complex; give its cotangent, as gradient= (or grad_outputs=), "
                               "or sweep from its real or imaginary part")
        return output._entry, np.ones_like(value)[()]
    cotangent = gradient if record and getattr(gradient, "requires_grad", False) else tensor(gradient)._value
    if cotangent.shape != value.shape:
        raise RuntimeError(f"{function}: the gradient given for {which} has shape {cotangent.shape}, the output "
                           f"{value.shape}")
    if cotangent.dtype.kind == "c" and value.dtype.kind != "c":
        raise TypeError(f"{function}: the gradient given for {which} is complex, the output {value.dtype}")
    return output._entry, cotangent.astype(value.dtype) if cotangent.dtype != value.dtype else cotangent


def _handed_out(cotangent: Any) -> Tensor:
    """A cotangent as a tensor of the user's own: it shares memory with nothing else, though it may share a history."""
    if isinstance(cotangent, Tensor):
        return +cotangent if cotangent.is_leaf else _wrap(np.array(cotangent._value)[()], cotangent._entry)
    return _wrap(np.array(cotangent)[()], None)


def _caller(function: str) -> str:
    frame = user_frame()
    return f"{function} at {frame.f_code.co_filename}:{frame.f_lineno}"
