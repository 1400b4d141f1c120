"""Functions with a gradient of the user's own, in the form of JAX and TensorFlow: ``custom_gradient``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .containers import Rebuild, flatten, flatten_like
from .owncalls import Call, primitive_of, value_of_result
from .tape import Entry, next_index, recording_scope
from .tensor import Tensor, _untracked, _wrap
from .transforms import _Transformed

__all__ = ["custom_gradient"]


class _CustomGradient(Call):
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
        self.values = [value_of_result(output) for output in outputs]
        self.differentiable = [place for place, value in enumerate(self.values)
                               if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fc"]
        results = [_untracked(value) if isinstance(value, (np.ndarray, np.generic)) else value for value in self.values]
        if self.differentiable:
            outputs = [self.values[place] for place in self.differentiable]
            recorded = self.record(primitive_of(self.name), inputs, outputs)
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
        return self.layout.join([value_of_result(outputs[place]) for place in self.differentiable])

    def gradients(self, entry: Entry, recorded: bool, cotangents: list[Tensor]) -> list[Any]:
        """What the user's gradient returns for the tensors among the arguments."""
        given: list[Any] = [np.zeros(np.shape(value)) for value in self.values]
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
            raise RuntimeError(f"{self.name}: the gradient function returned {len(returned) if several else 1} "
                               f"gradients for {len(self.args)} arguments")
        answers = []
        for answer, argument in zip(returned, self.args, strict=True):
            if answer is None:
                answers += [None] * len(flatten(argument)[0])
            else:
                try:
                    answers += flatten_like(answer, argument)
                except ValueError as error:
                    raise RuntimeError(f"{self.name}: the gradient has another structure than the argument: "
                                       f"{error}") from None
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
                            f"{entry.where}) that is not among its arguments, so that its gradient would be lost; "
                            "pass it as an argument, or detach it")
        new = [parent for parent in entry.parents if parent not in seen]
        pending += new
        seen.update(new)


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function with a gradient of its own.

    Parameters
    ----------
    f : callable
        Returns ``(value, gradient function)``. The latter gets the cotangent, which has the structure of the value,
        and returns one gradient for each positional argument of `f`, of its structure; a bare one will do for a
        single argument.

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
    return _Transformed(_custom_gradient_of, f)


def _custom_gradient_of(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    name = getattr(f, "__name__", "custom_gradient")
    if any(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in flatten(kwargs)[0]):
        raise TypeError(f"{name}: a tracked tensor was given by keyword, which would drop its graph; give it by "
                        "position")
    tracked = any(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in flatten(args)[0])
    if not tracked or recording_scope() is None:
        return _pair(f(*args, **kwargs), name)[0]
    return _CustomGradient(name, f, args, kwargs).run()
