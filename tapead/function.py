"""Operations with a derivative of the user's own: ``Function``, as in PyTorch; and ``stop_gradient``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from .containers import map_structure
from .guards import Guard, changed, keep
from .inplace import replace
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
        What ``save_for_backward`` was given; in ``jvp`` what ``save_for_forward`` was given, where it was called.
    """

    needs_input_grad: tuple[bool, ...] = ()
    saved_tensors: tuple[Any, ...] = ()
    _saved_forward: tuple[Any, ...] | None = None
    _constants: tuple[Any, ...] = ()
    _dirty: tuple[Any, ...] = ()
    _zeros = True

    def save_for_backward(self, *values: Any) -> None:
        """Keep inputs and outputs of ``forward`` for ``backward``."""
        self.saved_tensors = values

    def save_for_forward(self, *values: Any) -> None:
        """Keep inputs and outputs of ``forward`` for ``jvp``, if these are not the same as for ``backward``."""
        self._saved_forward = values

    def mark_non_differentiable(self, *outputs: Any) -> None:
        """Declare results of ``forward`` to be constants to every sweep."""
        self._constants = outputs

    def mark_dirty(self, *inputs: Any) -> None:
        """Declare arguments that ``forward`` has written into and returns: the call then works in place."""
        self._dirty = inputs

    def set_materialize_grads(self, value: bool) -> None:
        """Whether ``backward`` gets zeros, as it does unless told otherwise, or None for results that nothing uses."""
        self._zeros = bool(value)


class Function:
    """An operation with a derivative of its own, as a class with static methods ``forward`` and ``backward``.

    ``forward(ctx, *args, **kwargs)`` computes the result, or a tuple of results; it gets tensors off the tape, so
    that plain NumPy and SciPy may be used. ``backward(ctx, *gradients)`` gets the gradient of each result and returns
    one for each positional argument (None for those that are no tensors). Forward mode uses ``jvp(ctx, *tangents)``
    if there is one, and otherwise ``backward``, which has to be made of operations on tensors then; the same goes for
    higher derivatives. Call the operation as ``apply``.

    What is saved may also be left to ``setup_context(ctx, inputs, output)``; ``forward`` then takes no `ctx`.

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
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Save what ``backward`` needs; a subclass that defines it has a ``forward`` that takes no `ctx`."""

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
        for place, value in (*enumerate(args), *kwargs.items()):
            if isinstance(value, (list, tuple, dict)) and recording_scope() is not None and _holds_tracked(value):
                raise TypeError(f"{cls.__name__}: argument {place!r} is a {type(value).__name__} with a tracked tensor "
                                "in it, which would lose its graph; give each by position, apply(*tensors)")
        on_arrays = not any(isinstance(value, Tensor) for value in (*args, *kwargs.values()))
        handles = [_handle(value, on_arrays) for value in args]
        call = _FunctionCall(cls, args, handles, kwargs)
        outputs = call.forward(handles)
        several = isinstance(outputs, (tuple, list))
        outputs = list(outputs) if several else [outputs]
        call.check_dirty(handles, outputs)
        values = list(map(value_of_result, outputs))
        for place, output in enumerate(outputs):
            if output.__class__ is np.ndarray and (output.base is not None or getrefcount(output) > _SOLE):
                values[place] = np.array(output)[()]  # a buffer that the next call may use again
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
                call.protect()
        for dirty in call.context._dirty:
            place, position = ([value is dirty for value in found].index(True) for found in (outputs, handles))
            results[place] = _written(args[position], results[place], cls.__name__)
        call.context._dirty = ()
        return tuple(results) if several else results[0]


def _holds_tracked(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_tracked, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_holds_tracked, value))
    return isinstance(value, Tensor) and value.requires_grad


def _count_references() -> int:
    outputs = [np.empty(1)]
    for _, output in enumerate(outputs):
        return getrefcount(output)
    raise AssertionError("unreachable")


#: References to an array that a list and a loop variable hold.
_SOLE = _count_references()


def _written(argument: Any, result: Any, name: str) -> Any:
    """An argument after it was given a new value, as ``mark_dirty`` declares."""
    if isinstance(argument, Tensor):
        replace(argument, result, name)
    else:
        argument[...] = result
    return argument


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
        self.forward_origins: list[int | None] = []
        self.differentiable: list[int] = []
        #: The shapes of the results; None for those that are no arrays.
        self.results: list[tuple[int, ...] | None] = []
        #: Arrays of the user's that the context holds, and what watches over them.
        self.marks: list[tuple[Any, Guard]] = []

    def forward(self, handles: Sequence[Any]) -> Any:
        """Call the user's forward off the tape."""
        with no_grad():
            if self.cls.setup_context is Function.setup_context:
                return self.cls.forward(self.context, *handles, **self.kwargs)
            outputs = self.cls.forward(*handles, **self.kwargs)
            self.cls.setup_context(self.context, tuple(handles), outputs)
            return outputs

    def check_dirty(self, handles: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Raise if what ``forward`` has declared to be written into is no argument that it returns."""
        for value in self.context._dirty:
            if not any(value is handle for handle in handles) or not any(value is output for output in outputs):
                raise RuntimeError(f"{self.name}: mark_dirty takes arguments of forward that are written into and "
                                   "returned")

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
        self.results = [value.shape if hasattr(value, "shape") else None for value in map(value_of_result, outputs)]
        self.differentiable = differentiable
        known = {id(outputs[place]): -1 - number for number, place in enumerate(differentiable)}
        known.update({id(handle): number for number, handle in enumerate(handles) if handle is not None})
        context = self.context
        self.saved_origins = [known.get(id(value)) for value in context.saved_tensors]
        self.forward_origins = [known.get(id(value)) for value in context._saved_forward or ()]
        self.origins = {name: known[id(value)] for name, value in vars(context).items() if id(value) in known}
        context._constants = ()

    def protect(self) -> None:
        """Copy the arrays that the context holds, or have them watched, where the sweep comes later."""
        scope = recording_scope()
        if scope is not None and scope.lasting:
            context = self.context
            for name, value in vars(context).items():
                setattr(context, name, self._kept(value))
            context.saved_tensors = tuple(map(self._kept, context.saved_tensors))
            if context._saved_forward is not None:
                context._saved_forward = tuple(map(self._kept, context._saved_forward))

    def _kept(self, value: Any) -> Any:
        if value.__class__ is not np.ndarray:
            return value
        kept, guard = keep(value, value)
        if guard is not None:
            self.marks.append((value, guard))
        return kept

    def view(self, entry: Entry, recorded: bool, forward: bool = False) -> Context:
        """The context for one sweep: with tensors on the tape if it is recorded."""
        for array, guard in self.marks:
            if not guard.intact(array):
                raise changed(array, entry)
        context = Context()
        for name, value in vars(self.context).items():
            setattr(context, name, self._linked(value, self.origins.get(name), entry, recorded))
        saved, origins = self.context.saved_tensors, self.saved_origins
        if forward and self.context._saved_forward is not None:
            saved, origins = self.context._saved_forward, self.forward_origins
        context.saved_tensors = tuple([self._linked(value, origin, entry, recorded)
                                       for value, origin in zip(saved, origins, strict=True)])
        return context

    def _linked(self, value: Any, origin: int | None, entry: Entry, recorded: bool) -> Any:
        if not isinstance(value, (Tensor, np.ndarray, np.floating, np.complexfloating)) or value.dtype.kind not in "fc":
            return value
        if not recorded:
            # What forward has recorded on its own, inside enable_grad(), is there for backward to sweep.
            return _wrap(value._value, None) if isinstance(value, Tensor) and value._entry is None else value
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
        given: list[Any] = [None] * len(self.results)
        if self.context._zeros:
            given = [None if shape is None else _wrap(np.zeros(shape)[()], None) for shape in self.results]
        for place, cotangent in zip(self.differentiable, cotangents, strict=True):
            if self.context._zeros or cotangent.requires_grad or np.any(cotangent._value):
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
        returned = self.cls.jvp(self.view(entry, recorded, forward=True), *given)
        answers = list(returned) if isinstance(returned, (tuple, list)) else [returned]
        if len(answers) != len(self.results):
            raise RuntimeError(f"{self.name}: jvp returned {len(answers)} tangents for {len(self.results)} results of "
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
