"""Operations with a derivative of the user's own, made where they are used: ``Function``, ``custom_gradient``, ``stop_gradient``.

Each call is one entry of the tape, whose rule asks the call for the product with a cotangent or tangent. What the user's
functions get are tensors: off the tape in a first-order sweep, and linked to it in a recorded one, so that a gradient made of
operations on tensors is differentiable again. One that was made in another way is sealed: differentiating it raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial, update_wrapper
from typing import Any, NoReturn

import numpy as np

from .containers import Rebuild, flatten, flatten_like, map_structure
from .modes import no_grad
from .partials import plain
from .registry import Linear, Primitive
from .tape import Entry, attribute, next_index, record, recording_scope
from .tensor import Tensor, _untracked, _wrap, leaving, watch
from .transforms import vjp

__all__ = ["Context", "Function", "custom_gradient", "once_differentiable", "stop_gradient"]


def stop_gradient(x: Any) -> Any:
    """The same values as a constant to every transform, however deeply nested.

    Parameters
    ----------
    x : tensor, array, number or container of them

    Returns
    -------
    as `x`
        With the tensors off the tape.

    Examples
    --------
    >>> import tapead as ta
    >>> ta.grad(lambda x: x * ta.stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return map_structure(lambda value: _wrap(value._value, None) if isinstance(value, Tensor) else value, x)


# ---------------------------------------------------------------------- what has no derivative again


def _sealed_rule(op: Any) -> tuple[Any, ...]:
    """d value = dvalue, and an error for what it depends on in a way that nobody knows"""
    def fail() -> NoReturn:
        raise RuntimeError(op.attrs["why"])

    return 1, *[fail] * (len(op.inputs) - 1)


_SEALED = Primitive("sealed", lambda value, *hidden, why: value, rule=_sealed_rule, reads="nothing")


def _sealed(value: Any, hidden: Sequence[Entry], why: str) -> Any:
    """`value` as a tensor that raises where a sweep would go on to one of `hidden`."""
    scope = recording_scope()
    if scope is None or not hidden:
        return value
    tensor = value if isinstance(value, Tensor) else _wrap(np.asarray(value)[()], None)
    parents = (tensor._entry, *hidden)
    values = (tensor._value, *[entry.output for entry in hidden])
    return _wrap(tensor._value, record(_SEALED, values, parents, tensor._value, {"why": why}, scope))


# ---------------------------------------------------------------------- one call


class _Layout:
    """How the differentiable results of a call make up the output of its entry: alone, or one after the other."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.shapes = [value.shape for value in values]
        self.dtypes = [value.dtype for value in values]

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


class _Call:
    """One call of an operation with a derivative of its own.

    Attributes
    ----------
    name : str
        For messages.
    layout : _Layout
        Of the differentiable results.
    """

    once = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.layout = _Layout([])

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
        self.layout = _Layout(outputs)
        joined = self.layout.join(outputs)
        entry = record(primitive, tuple([tensor._value for tensor in inputs]),
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
        results = self._watched(entry, recorded, tangent,
                                lambda *args: self.tangents(args[0], args[1], position, args[2][0]), split=False)
        if results is None:
            return self._transposed(entry, recorded, position, tangent)
        made = []
        for number, (result, shape, dtype) in enumerate(zip(results, self.layout.shapes, self.layout.dtypes, strict=True)):
            if result is None:
                made.append(np.zeros(shape, dtype)[()])
                continue
            result = self._checked(result, np.broadcast_to(np.zeros((), dtype), shape), f"jvp returned a tangent for output {number}")
            made.append(self._known(result, entry, tangent) if recorded else result)
        return self.layout.join(made)

    def _transposed(self, entry: Entry, recorded: bool, position: int, tangent: Any) -> Any:
        """The tangent from the gradient alone, which is linear in the cotangent w: the derivative of ⟨gradient(w), t⟩ in w."""
        def gradient(w: Tensor) -> Any:
            try:
                made = self._watched(entry, recorded, w, self.gradients)[position]
                if made is not None and not (isinstance(made, Tensor) and made.requires_grad):
                    raise TypeError("the result does not depend on the cotangent by operations on tensors")
            except (TypeError, RuntimeError) as error:
                raise NotImplementedError(f"{self.name}: forward mode needs a jvp of its own, because backward is not made of "
                                          "operations on tensors; define jvp(ctx, *tangents)") from error
            value = entry.inputs[position]
            return np.zeros(value.shape, value.dtype)[()] if made is None else \
                self._checked(made, value, f"backward returned a gradient for input {position}")

        if self.once:
            raise NotImplementedError(f"{self.name}: forward mode needs a jvp of its own, because backward is marked with "
                                      "once_differentiable; define jvp(ctx, *tangents)")
        mode: AbstractContextManager[Any] = nullcontext() if recorded else no_grad()
        with mode:
            output = entry.output
            (product,) = vjp(gradient, np.zeros(output.shape, output.dtype)[()])[1](tangent)
        return product

    def _watched(self, entry: Entry, recorded: bool, vector: Any, function: Callable[..., Any], split: bool = True) -> Any:
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
            results = [result if result is None else _sealed(result, list(left), self._why) for result in results]
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
        return _sealed(made, hidden, self._why)

    @property
    def _why(self) -> str:
        if self.once:
            return f"{self.name}: backward is marked with once_differentiable, it cannot be differentiated again"
        return (f"{self.name}: the derivative was computed off the tape (by .data, .detach(), .item() or plain NumPy), so it "
                "cannot be differentiated again; use operations on the saved tensors instead, or mark backward with "
                "once_differentiable")


def _rule(op: Any) -> tuple[Any, ...]:
    """The derivative that the user gave"""
    recorded = not isinstance(op, Entry)
    entry: Entry = op.output._entry if recorded else op
    call: _Call = op.attrs["call"]
    latest: list[Any] = [None, None]

    def adjoint(position: int, cotangent: Any) -> Any:
        if latest[0] is not cotangent:  # one call gives the cotangents of all inputs
            latest[:] = cotangent, call.pull(entry, recorded, cotangent)
        return latest[1][position]

    return tuple([Linear(partial(call.push, entry, recorded, position), partial(adjoint, position))
                  for position in range(len(entry.parents))])


def _primitive(name: str) -> Primitive:
    return Primitive(name, lambda *inputs, call: call.again(inputs), rule=_rule, reads="output")


# ---------------------------------------------------------------------- Function


class Context:
    """What ``forward`` leaves behind for ``backward``: the ``ctx`` of both. It takes any attributes.

    Attributes
    ----------
    needs_input_grad : tuple of bool
        For each positional argument, whether it is tracked.
    saved_tensors : tuple
        What ``save_for_backward`` was given.
    """

    needs_input_grad: tuple[bool, ...] = ()
    saved_tensors: tuple[Any, ...] = ()
    _constants: tuple[Any, ...] = ()

    def save_for_backward(self, *values: Any) -> None:
        """Keep inputs and outputs of ``forward`` for ``backward``."""
        self.saved_tensors = values

    def mark_non_differentiable(self, *outputs: Any) -> None:
        """Declare results of ``forward`` to be constants to every sweep."""
        self._constants = outputs


class Function:
    """An operation with a derivative of its own, as a class with static methods ``forward`` and ``backward``.

    ``forward(ctx, *args, **kwargs)`` computes the result, or a tuple of results; it gets tensors off the tape, so that
    plain NumPy and SciPy may be used. ``backward(ctx, *gradients)`` gets the gradient of each result and returns one for each
    positional argument (None for those that are no tensors). Forward mode uses ``jvp(ctx, *tangents)`` if there is one, and
    otherwise ``backward``, which has to be made of operations on tensors then; the same goes for higher derivatives. Call
    the operation as ``apply``.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> class Exp(ta.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         y = np.exp(x)
    ...         ctx.save_for_backward(y)
    ...         return y
    ...
    ...     @staticmethod
    ...     def backward(ctx, gradient):
    ...         y, = ctx.saved_tensors
    ...         return gradient * y
    >>> ta.grad(Exp.apply)(0.0)
    np.float64(1.0)
    >>> ta.jvp(ta.grad(Exp.apply), (0.0,), (2.0,))
    (np.float64(1.0), np.float64(2.0))
    """

    _primitive: Primitive

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._primitive = _primitive(cls.__name__)

    @staticmethod
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute the result; to be defined by the subclass."""
        raise NotImplementedError("define a static method forward(ctx, ...)")

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Return a gradient for each positional argument; to be defined by the subclass."""
        raise NotImplementedError("define a static method backward(ctx, *gradients)")

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """Return the tangents of the results, given one for each positional argument; may be defined by the subclass."""
        raise NotImplementedError("define a static method jvp(ctx, *tangents)")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """The operation applied to arguments: tensors, or arrays (then the results are arrays), or anything else."""
        for name, value in kwargs.items():
            if isinstance(value, Tensor) and value.requires_grad:
                raise TypeError(f"{cls.__name__}: argument {name!r} is tracked but was given by keyword, which would drop its "
                                "graph; give it by position")
        on_arrays = not any(isinstance(value, Tensor) for value in (*args, *kwargs.values()))
        handles = [_handle(value, on_arrays) for value in args]
        call = _FunctionCall(cls, args, handles, kwargs)
        outputs = call.forward(handles)
        several = isinstance(outputs, (tuple, list))
        values = [_value(output) for output in (outputs if several else [outputs])]
        constants = {id(output) for output in call.context._constants}
        places = [place for place, (value, output) in enumerate(zip(values, outputs if several else [outputs], strict=True))
                  if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fc"
                  and id(output) not in constants]
        if on_arrays:
            memory = {id(handle._value) for handle in handles if isinstance(handle, Tensor)}
            results = [value.copy() if id(value) in memory else value for value in values]
        else:
            results = [_untracked(value) if isinstance(value, (np.ndarray, np.generic)) else value for value in values]
            if places and any(call.context.needs_input_grad):
                call.remember(outputs if several else [outputs], handles, places)
                tensors = [value for value in args if isinstance(value, Tensor)]
                for place, result in zip(places, call.record(cls._primitive, tensors, [values[place] for place in places]),
                                         strict=True):
                    results[place] = result
        return tuple(results) if several else results[0]


def _handle(value: Any, wrap: bool) -> Any:
    """An argument as ``forward`` gets it: a tensor off the tape, if it is an array or tensor."""
    if isinstance(value, Tensor):
        return _wrap(value._value, None)
    if wrap and isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fc":
        return _wrap(value, None)
    return value


def _value(output: Any) -> Any:
    """A result of ``forward`` as an array or NumPy scalar; as it is if it is neither, nor a number."""
    if isinstance(output, Tensor):
        return output._value
    if isinstance(output, (float, complex)) and not isinstance(output, np.generic):
        return np.asarray(output)[()]
    return output[()] if isinstance(output, np.ndarray) else output


class _FunctionCall(_Call):
    """One ``apply`` of a :class:`Function`."""

    def __init__(self, cls: type[Function], args: Sequence[Any], handles: Sequence[Any], kwargs: dict[str, Any]) -> None:
        super().__init__(cls.__name__)
        self.cls = cls
        self.once = getattr(cls.backward, "once_differentiable", False)
        self.places = [place for place, handle in enumerate(args) if isinstance(handle, Tensor)]
        #: The arguments that are no tensors; tensors are not kept unless saved.
        self.rest = [None if isinstance(handle, Tensor) else handle for handle in handles]
        self.kwargs = kwargs
        self.context = Context()
        recording = recording_scope() is not None
        self.context.needs_input_grad = tuple([recording and isinstance(value, Tensor) and value.requires_grad
                                               for value in args])
        #: For what the context holds: which input (0, 1, ...) or result (-1, -2, ...) it is.
        self.origins: dict[str, int] = {}
        self.saved_origins: list[int | None] = []
        self.differentiable: list[int] = []
        self.results = 0

    def forward(self, handles: Sequence[Any]) -> Any:
        """Call the user's forward off the tape."""
        with no_grad():
            return self.cls.forward(self.context, *handles, **self.kwargs)

    def again(self, inputs: tuple[Any, ...]) -> Any:
        """The output of the entry for other inputs."""
        handles = list(self.rest)
        for place, value in zip(self.places, inputs, strict=True):
            handles[place] = _wrap(value, None)
        call = _FunctionCall(self.cls, handles, handles, self.kwargs)
        outputs = call.forward(handles)
        values = [_value(output) for output in (outputs if isinstance(outputs, (tuple, list)) else [outputs])]
        return self.layout.join([values[place] for place in self.differentiable])

    def remember(self, outputs: Sequence[Any], handles: Sequence[Any], differentiable: list[int]) -> None:
        """Note which inputs and results the context holds."""
        self.results = len(outputs)
        self.differentiable = differentiable
        known = {id(handle): number for number, handle in enumerate(handles) if handle is not None}
        known.update({id(outputs[place]): -1 - number for number, place in enumerate(differentiable)})
        self.saved_origins = [known.get(id(value)) for value in self.context.saved_tensors]
        self.origins = {name: known[id(value)] for name, value in vars(self.context).items() if id(value) in known}
        self.context._constants = ()

    def view(self, entry: Entry, recorded: bool) -> Context:
        """The context for one sweep: with tensors on the tape if it is recorded."""
        context = Context()
        for name, value in vars(self.context).items():
            setattr(context, name, self._linked(value, self.origins.get(name), entry, recorded))
        context.saved_tensors = tuple([
            self._linked(value, origin, entry, recorded)
            for value, origin in zip(self.context.saved_tensors, self.saved_origins, strict=True)])
        return context

    def _linked(self, value: Any, origin: int | None, entry: Entry, recorded: bool) -> Any:
        if not isinstance(value, (Tensor, np.ndarray, np.floating, np.complexfloating)) or value.dtype.kind not in "fc":
            return value
        if not recorded:
            return _wrap(value._value, None) if isinstance(value, Tensor) else value
        if origin is None:
            hidden = [parent for parent in entry.parents if parent is not None]
            return _sealed(value, hidden, f"{self.name}: what forward saved is neither one of its arguments nor one of its "
                           "results, so its derivative is not known; save arguments and results, and compute the rest in "
                           "backward")
        if origin < 0:
            return self.layout.split(_wrap(entry.output, entry))[-1 - origin]
        if origin not in self.places:
            return value
        return _wrap(_value(value), entry.parents[self.places.index(origin)])

    def gradients(self, entry: Entry, recorded: bool, cotangents: list[Tensor]) -> list[Any]:
        """What ``backward`` returns for the tensors among the arguments."""
        given: list[Any] = [None] * self.results
        for place, cotangent in zip(self.differentiable, cotangents, strict=True):
            given[place] = cotangent
        returned = self.cls.backward(self.view(entry, recorded), *given)
        answers = list(returned) if isinstance(returned, (tuple, list)) else [returned]
        count = len(self.rest)
        if len(answers) < count or any(answer is not None for answer in answers[count:]):
            raise RuntimeError(f"{self.name}: backward returned {len(answers)} gradients for {count} arguments of forward; "
                               "return one for each, None for those that have none")
        return [answers[place] for place in self.places]

    def tangents(self, entry: Entry, recorded: bool, position: int, tangent: Tensor) -> list[Any] | None:
        """What ``jvp`` returns for the differentiable results."""
        if self.cls.jvp is Function.jvp:
            return None
        given: list[Any] = [None] * len(self.rest)
        for number, place in enumerate(self.places):
            value = entry.inputs[number]
            given[place] = tangent if number == position else _wrap(np.zeros(value.shape, value.dtype)[()], None)
        returned = self.cls.jvp(self.view(entry, recorded), *given)
        answers = list(returned) if isinstance(returned, (tuple, list)) else [returned]
        if len(answers) != self.results:
            raise RuntimeError(f"{self.name}: jvp returned {len(answers)} tangents for {self.results} results of forward")
        return [answers[place] for place in self.differentiable]


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a ``backward`` that is right but not differentiable: differentiating it again raises.

    It then always gets tensors off the tape, so that it may use plain NumPy and SciPy.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> class Square(ta.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...
    ...     @staticmethod
    ...     @ta.once_differentiable
    ...     def backward(ctx, gradient):
    ...         x, = ctx.saved_tensors
    ...         return 2.0 * x.numpy() * gradient.numpy()
    >>> ta.grad(Square.apply)(3.0)
    np.float64(6.0)
    >>> ta.grad(ta.grad(Square.apply))(3.0)
    Traceback (most recent call last):
        ...
    RuntimeError: Square: backward is marked with once_differentiable, it cannot be differentiated again
    """
    backward.once_differentiable = True  # type: ignore[attr-defined]  # functions take attributes
    return backward


# ---------------------------------------------------------------------- custom_gradient


class _CustomGradient(_Call):
    """One call of a function with a gradient of its own."""

    def __init__(self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(name)
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.leaves, self.rebuild = flatten(args)
        self.places = [place for place, leaf in enumerate(self.leaves) if isinstance(leaf, Tensor)]
        self.gradient: Callable[..., Any]
        self.values: list[Any] = []
        self.rebuild_value: Rebuild
        self.differentiable: list[int] = []

    def run(self) -> Any:
        """Call the function, and record the call."""
        start = next_index()
        handles = [_wrap(leaf._value, leaf._entry) if isinstance(leaf, Tensor) else leaf for leaf in self.leaves]
        value, self.gradient = _pair(self.function(*self.rebuild(handles), **self.kwargs), self.name)
        outputs, self.rebuild_value = flatten(value)
        inputs = [self.leaves[place] for place in self.places]
        _check_closed(outputs, {tensor._entry for tensor in inputs}, start, self.name)
        self.values = [_value(output) for output in outputs]
        self.differentiable = [place for place, value in enumerate(self.values)
                               if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fc"]
        results = [_untracked(value) if isinstance(value, (np.ndarray, np.generic)) else value for value in self.values]
        if self.differentiable:
            recorded = self.record(_primitive(self.name), inputs, [self.values[place] for place in self.differentiable])
            for place, result in zip(self.differentiable, recorded, strict=True):
                results[place] = result
        return self.rebuild_value(results)

    def again(self, inputs: tuple[Any, ...]) -> Any:
        """The output of the entry for other inputs."""
        leaves = list(self.leaves)
        for place, value in zip(self.places, inputs, strict=True):
            leaves[place] = value
        value, _ = _pair(self.function(*self.rebuild(leaves), **self.kwargs), self.name)
        outputs = flatten(value)[0]
        return self.layout.join([_value(outputs[place]) for place in self.differentiable])

    def gradients(self, entry: Entry, recorded: bool, cotangents: list[Tensor]) -> list[Any]:
        """What the user's gradient returns for the tensors among the arguments."""
        given = [np.zeros(np.shape(value)) for value in self.values]
        for place, cotangent in zip(self.differentiable, cotangents, strict=True):
            given[place] = cotangent
        returned = self.gradient(self.rebuild_value(given))
        answers = self._matched(returned)
        return [answers[place] for place in self.places]

    def _matched(self, returned: Any) -> list[Any]:
        """The gradients in the order of the leaves of the arguments."""
        several = isinstance(returned, (tuple, list))
        if len(self.args) == 1 and not (several and len(returned) == 1 and len(self.leaves) == 1):
            returned = (returned,)
        elif not several or len(returned) != len(self.args):
            raise RuntimeError(f"{self.name}: the gradient function returned {len(returned) if several else 1} gradients for "
                               f"{len(self.args)} arguments")
        answers = []
        for answer, argument in zip(returned, self.args, strict=True):
            if answer is None:
                answers += [None] * len(flatten(argument)[0])
            else:
                try:
                    answers += flatten_like(answer, argument)
                except ValueError as error:
                    raise RuntimeError(f"{self.name}: the gradient has another structure than the argument: {error}") from None
        return answers


def _pair(result: Any, name: str) -> Any:
    if not (isinstance(result, tuple) and len(result) == 2 and callable(result[1])):
        raise TypeError(f"{name}: a function under custom_gradient must return (value, gradient function)")
    return result


def _check_closed(outputs: Sequence[Any], allowed: set[Entry | None], start: int, name: str) -> None:
    """Raise if a value depends on something tracked that is no argument, whose gradient would be lost."""
    pending = [output._entry for output in outputs if isinstance(output, Tensor)]
    seen = set(pending)
    for entry in pending:
        if entry is None or entry in allowed:
            continue
        if entry.index < start:
            raise TypeError(f"{name}: the function under custom_gradient uses a tracked tensor ({entry!r} recorded at "
                            f"{entry.where}) that is not among its arguments, so that its gradient would be lost; pass it as an "
                            "argument, or detach it")
        new = [parent for parent in entry.parents if parent not in seen]
        pending += new
        seen.update(new)


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function with a gradient of its own.

    Parameters
    ----------
    f : callable
        Returns ``(value, gradient function)``. The latter gets the cotangent, which has the structure of the value, and
        returns one gradient for each positional argument of `f`, of its structure; a bare one will do for a single argument.

    Returns
    -------
    callable
        Returns the value. Forward mode and higher derivatives work where the gradient function is made of operations on
        tensors.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> @ta.custom_gradient
    ... def log1pexp(x):
    ...     e = np.exp(x)
    ...     return np.log(1 + e), lambda gradient: gradient * (1 - 1 / (1 + e))
    >>> ta.grad(log1pexp)(100.0)
    np.float64(1.0)
    """
    name = getattr(f, "__name__", "custom_gradient")

    def call(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in flatten(kwargs)[0]):
            raise TypeError(f"{name}: a tracked tensor was given by keyword, which would drop its graph; give it by position")
        tracked = any(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in flatten(args)[0])
        if not tracked or recording_scope() is None:
            return _pair(f(*args, **kwargs), name)[0]
        return _CustomGradient(name, f, args, kwargs).run()

    return update_wrapper(call, f)
