"""Operations with a derivative of the user's own: ``Function``, as in PyTorch; and ``stop_gradient``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .containers import map_structure
from .modes import no_grad
from .owncalls import Call, primitive_of, sealed, value_of_result
from .registry import Primitive, value_of
from .tape import Entry, recording_scope
from .tensor import Tensor, _untracked, _wrap

__all__ = ["Context", "Function", "once_differentiable", "stop_gradient"]


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

    ``forward(ctx, *args, **kwargs)`` computes the result, or a tuple of results; it gets tensors off the tape, so
    that plain NumPy and SciPy may be used. ``backward(ctx, *gradients)`` gets the gradient of each result and returns
    one for each positional argument (None for those that are no tensors). Forward mode uses ``jvp(ctx, *tangents)``
    if there is one, and otherwise ``backward``, which has to be made of operations on tensors then; the same goes for
    higher derivatives. Call the operation as ``apply``.

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
        cls._primitive = primitive_of(cls.__name__)

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
        """Return the tangents of the results, given one for each positional argument; subclasses may define it."""
        raise NotImplementedError("define a static method jvp(ctx, *tangents)")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """The operation applied to arguments: tensors, or arrays (then the results are arrays), or anything else."""
        for name, value in kwargs.items():
            if isinstance(value, Tensor) and value.requires_grad:
                raise TypeError(f"{cls.__name__}: argument {name!r} is tracked but was given by keyword, which would "
                                "drop its graph; give it by position")
        on_arrays = not any(isinstance(value, Tensor) for value in (*args, *kwargs.values()))
        handles = [_handle(value, on_arrays) for value in args]
        call = _FunctionCall(cls, args, handles, kwargs)
        outputs = call.forward(handles)
        several = isinstance(outputs, (tuple, list))
        outputs = list(outputs) if several else [outputs]
        values = list(map(value_of_result, outputs))
        constants = set(map(id, call.context._constants))
        places = [place for place, (value, output) in enumerate(zip(values, outputs, strict=True))
                  if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fc"
                  and id(output) not in constants]
        if on_arrays:
            memory = {id(handle._value) for handle in handles if isinstance(handle, Tensor)}
            results = [value.copy() if id(value) in memory else value for value in values]
        else:
            results = [_untracked(value) if isinstance(value, (np.ndarray, np.generic)) else value for value in values]
            if places and any(call.context.needs_input_grad):
                unchanged = [handle if value_of(handle) is value_of(value) else None
                             for handle, value in zip(handles, args, strict=True)]
                call.remember(outputs, unchanged, places)
                tensors = [value for value in args if isinstance(value, Tensor)]
                recorded = call.record(cls._primitive, tensors, [values[place] for place in places])
                for place, result in zip(places, recorded, strict=True):
                    results[place] = result
        return tuple(results) if several else results[0]


def _handle(value: Any, wrap: bool) -> Any:
    """An argument as ``forward`` gets it: a tensor off the tape, if it is an array or tensor."""
    if isinstance(value, Tensor):
        return _wrap(value._value, None)
    if wrap and isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fc":
        return _wrap(value, None)
    return value


class _FunctionCall(Call):
    """One ``apply`` of a :class:`Function`."""

    def __init__(self, cls: type[Function], args: Sequence[Any], handles: Sequence[Any],
                 kwargs: dict[str, Any]) -> None:
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
        values = [value_of_result(output) for output in (outputs if isinstance(outputs, (tuple, list)) else [outputs])]
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
            return sealed(value, hidden, f"{self.name}: what forward saved is neither one of its arguments nor one of "
                           "its results, so its derivative is not known; save arguments and results, and compute the "
                           "rest in backward")
        if origin < 0:
            return self.layout.split(_wrap(entry.output, entry))[-1 - origin]
        if origin not in self.places:
            return value
        return _wrap(value_of_result(value), entry.parents[self.places.index(origin)])

    def gradients(self, entry: Entry, recorded: bool, cotangents: list[Tensor]) -> list[Any]:
        """What ``backward`` returns for the tensors among the arguments."""
        given: list[Any] = [None] * self.results
        for place, cotangent in zip(self.differentiable, cotangents, strict=True):
            given[place] = cotangent
        returned = self.cls.backward(self.view(entry, recorded), *given)
        answers = list(returned) if isinstance(returned, (tuple, list)) else [returned]
        count = len(self.rest)
        if len(answers) < count or any(answer is not None for answer in answers[count:]):
            raise RuntimeError(f"{self.name}: backward returned {len(answers)} gradients for {count} arguments of "
                               "forward; return one for each, None for those that have none")
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
            raise RuntimeError(f"{self.name}: jvp returned {len(answers)} tangents for {self.results} results of "
                               "forward")
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
