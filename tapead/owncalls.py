"""Calls of operations whose derivative is the user's own: what ``Function`` and ``custom_gradient`` have in common.

Each call is one entry of the tape, whose rule asks the call for the product with a cotangent or tangent. The user's
functions get tensors: off the tape in a first-order sweep, and linked to it in a recorded one, so that a gradient
made of operations on tensors is differentiable again. One that was made in another way is sealed: differentiating it
raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NoReturn

import numpy as np

from .modes import no_grad
from .partials import plain
from .protocols import watch
from .registry import Linear, Primitive
from .tape import Entry, attribute, next_index, record, recording_scope
from .tensor import Tensor, _wrap, leaving
from .transforms import vjp

__all__ = ["Call", "primitive_of", "sealed", "value_of_result"]


# ---------------------------------------------------------------------- what has no derivative again


def _sealed_rule(op: Any) -> tuple[Any, ...]:
    """d value = dvalue, and an error for what it depends on in a way that nobody knows"""
    def fail() -> NoReturn:
        raise RuntimeError(op.attrs["why"])

    return 1, *[fail] * (len(op.inputs) - 1)


_SEALED = Primitive("sealed", lambda value, *hidden, why: value, rule=_sealed_rule, reads="nothing")


def sealed(value: Any, hidden: Sequence[Entry], why: str) -> Any:
    """`value` as a tensor that raises where a sweep would go on to one of `hidden`."""
    scope = recording_scope()
    if scope is None or not hidden:
        return value
    tensor = value if isinstance(value, Tensor) else _wrap(np.asarray(value)[()], None)
    parents = (tensor._entry, *hidden)
    values = (tensor._value, *[entry.output for entry in hidden])
    return _wrap(tensor._value, record(_SEALED, values, parents, tensor._value, {"why": why}, scope))


# ---------------------------------------------------------------------- one call


class Layout:
    """How the differentiable results of a call make up the output of its entry: alone, or one after the other."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.shapes = [value.shape for value in values]
        self.dtypes = [value.dtype for value in values]

    def examples(self) -> list[Any]:
        """Zeros of the results' shapes and dtypes, which take no memory."""
        return [np.broadcast_to(np.zeros((), dtype), shape)
                for shape, dtype in zip(self.shapes, self.dtypes, strict=True)]

    def join(self, values: Sequence[Any]) -> Any:
        """One array of all results."""
        return values[0] if len(values) == 1 else np.concatenate([np.ravel(value) for value in values])

    def split(self, joined: Any) -> list[Any]:
        """The results, of their own shapes and dtypes."""
        if len(self.shapes) == 1:
            return [joined]
        parts, start = [], 0
        for shape, dtype in zip(self.shapes, self.dtypes, strict=True):
            stop = start + int(np.prod(shape))
            part = joined[start] if shape == () else np.reshape(joined[start:stop], shape)
            if part.dtype.kind == "c" and dtype.kind != "c":
                part = np.real(part)
            parts.append(part if part.dtype == dtype else part.astype(dtype))
            start = stop
        return parts


class Call:
    """One call of an operation with a derivative of its own.

    Attributes
    ----------
    name : str
        For messages.
    layout : Layout
        Of the differentiable results.
    """

    once = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.layout = Layout([])

    def __repr__(self) -> str:
        return self.name

    def gradients(self, entry: Entry, recorded: bool, cotangents: list[Tensor]) -> list[Any]:
        """What the user's function returns for the inputs of the entry."""
        raise NotImplementedError

    def tangents(self, entry: Entry, recorded: bool, position: int, tangent: Tensor) -> list[Any] | None:
        """What the user's forward derivative returns for the differentiable results; None where there is none."""
        return None

    def again(self, inputs: tuple[Any, ...]) -> Any:
        """The output of the entry for other inputs."""
        raise NotImplementedError

    def record(self, primitive: Primitive, inputs: Sequence[Tensor], outputs: Sequence[Any]) -> list[Tensor]:
        """The differentiable results of the call as tensors on the tape."""
        scope = recording_scope()
        assert scope is not None  # the caller has asked
        start = next_index()
        self.layout = Layout(outputs)
        joined = self.layout.join(outputs)
        entry: Entry = record(primitive, tuple([tensor._value for tensor in inputs]),
                              tuple([tensor._entry for tensor in inputs]), joined, {"call": self}, scope)
        results = self.layout.split(_wrap(joined, entry))
        for result in results:
            attribute(result._entry, start)
        return results

    # ------------------------------------------------------------------ the two products

    def pull(self, entry: Entry, recorded: bool, cotangent: Any) -> list[Any]:
        """The cotangents of all inputs; zeros for constants."""
        tracked = [position for position, parent in enumerate(entry.parents) if parent is not None]
        if self.once:
            results = self._watched(entry, False, plain(cotangent), self.gradients)
        else:
            results = self._watched(entry, recorded, cotangent, self.gradients)
        products: list[Any] = []
        for position, value in enumerate(entry.inputs):
            made = results[position]
            if made is None or position not in tracked:
                made = np.zeros(value.shape, value.dtype)[()]
            else:
                made = self._checked(made, value, f"backward returned a gradient for input {position}")
                if recorded:
                    made = self._known(made, entry, cotangent)
            products.append(made)
        return products

    def push(self, entry: Entry, recorded: bool, position: int, tangent: Any) -> Any:
        """The tangent of the output that comes from the tangent of one input."""
        results = self._watched(entry, recorded, tangent, partial(self._pushed, position), split=False)
        if results is None:
            return self._transposed(entry, recorded, position, tangent)
        made = []
        for number, (result, like) in enumerate(zip(results, self.layout.examples(), strict=True)):
            if result is None:
                made.append(np.array(like)[()])
                continue
            result = self._checked(result, like, f"jvp returned a tangent for output {number}")
            made.append(self._known(result, entry, tangent) if recorded else result)
        return self.layout.join(made)

    def _pushed(self, position: int, entry: Entry, recorded: bool, tangents: list[Tensor]) -> list[Any] | None:
        return self.tangents(entry, recorded, position, tangents[0])

    def _transposed(self, entry: Entry, recorded: bool, position: int, tangent: Any) -> Any:
        """The tangent t pushed by the gradient alone, which is linear in the cotangent w: d ⟨gradient(w), t⟩ / dw."""
        def gradient(w: Tensor) -> Any:
            try:
                made = self._watched(entry, recorded, w, self.gradients)[position]
                if made is not None and not (isinstance(made, Tensor) and made.requires_grad):
                    raise TypeError("the result does not depend on the cotangent by operations on tensors")
            except (TypeError, RuntimeError) as error:
                raise NotImplementedError(f"{self.name}: forward mode needs a jvp of its own, because backward is not "
                                          "made of operations on tensors; define jvp(ctx, *tangents)") from error
            value = entry.inputs[position]
            return np.zeros(value.shape, value.dtype)[()] if made is None else \
                self._checked(made, value, f"backward returned a gradient for input {position}")

        if self.once:
            raise NotImplementedError(f"{self.name}: forward mode needs a jvp of its own, because backward is marked "
                                      "with once_differentiable; define jvp(ctx, *tangents)")
        mode: AbstractContextManager[Any] = nullcontext() if recorded else no_grad()
        with mode:
            output = entry.output
            (product,) = vjp(gradient, np.zeros(output.shape, output.dtype)[()])[1](tangent)
        return product

    def _watched(self, entry: Entry, recorded: bool, vector: Any, function: Callable[..., Any],
                 split: bool = True) -> Any:
        """Call a function of the user's with a cotangent or tangent; seal what left the tape on the way."""
        if not isinstance(vector, Tensor):
            vector = watch(vector) if recorded and recording_scope() is not None else _wrap(vector, None)
        mode: AbstractContextManager[Any] = nullcontext() if recorded or vector.requires_grad else no_grad()
        left: set[Entry] = set()
        token = leaving.set(left if recorded else None)
        try:
            with mode, np.errstate(invalid="ignore"):
                results = function(entry, recorded, self.layout.split(vector) if split else [vector])
        finally:
            leaving.reset(token)
        if left and results is not None:
            results = [result if result is None else sealed(result, list(left), self._why) for result in results]
        return results

    def _checked(self, made: Any, like: Any, what: str) -> Any:
        """A product of the user's as the sweep's own: of the right shape, sharing memory with nobody."""
        if not (isinstance(made, Tensor) and made.requires_grad):
            made = np.array(made._value if isinstance(made, Tensor) else made)[()]
            if made.dtype.kind not in "fciub":
                raise TypeError(f"{self.name}: {what} that is not made of numbers: {made!r}")
            if made.dtype.kind not in "fc":
                made = made.astype(float)
        if made.shape != like.shape:
            raise RuntimeError(f"{self.name}: {what} of shape {made.shape}, expected {like.shape}")
        return made

    def _known(self, made: Any, entry: Entry, vector: Any) -> Any:
        """A product in a recorded sweep: on the tape, or sealed."""
        if isinstance(made, Tensor) and made.requires_grad:
            return made
        hidden = [parent for parent in entry.parents if parent is not None]
        if isinstance(vector, Tensor) and vector._entry is not None:
            hidden.append(vector._entry)
        return sealed(made, hidden, self._why)

    @property
    def _why(self) -> str:
        if self.once:
            return f"{self.name}: backward is marked with once_differentiable, it cannot be differentiated again"
        return (f"{self.name}: the derivative was computed off the tape (by .data, .detach(), .item() or plain "
                "NumPy), so it cannot be differentiated again; use operations on the saved tensors instead, or mark "
                "backward with once_differentiable")


def _rule(op: Any) -> tuple[Any, ...]:
    """The derivative that the user gave"""
    recorded = not isinstance(op, Entry)
    entry: Entry = op.output._entry if recorded else op
    call: Call = op.attrs["call"]
    latest: list[Any] = [None, None]

    def adjoint(position: int, cotangent: Any) -> Any:
        if latest[0] is not cotangent:  # one call gives the cotangents of all inputs
            latest[:] = cotangent, call.pull(entry, recorded, cotangent)
        return latest[1][position]

    return tuple([Linear(partial(call.push, entry, recorded, position), partial(adjoint, position))
                  for position in range(len(entry.parents))])


def primitive_of(name: str) -> Primitive:
    """The primitive whose entries are calls of one operation of the user's."""
    return Primitive(name, lambda *inputs, call: call.again(inputs), rule=_rule, reads="output")


def value_of_result(output: Any) -> Any:
    """A result of ``forward`` as an array or NumPy scalar; as it is if it is neither, nor a number."""
    if isinstance(output, Tensor):
        return output._value
    if isinstance(output, (float, complex)) and not isinstance(output, np.generic):
        return np.asarray(output)[()]
    return output[()] if isinstance(output, np.ndarray) else output
