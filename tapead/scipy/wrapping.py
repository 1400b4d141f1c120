"""What functions of ``scipy.linalg`` on tensors share: when they are SciPy's own, what they refuse, and stacks."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops.arguments import as_operand, is_tensor

__all__ = ["each", "no_options", "only", "square", "wraps"]


def wraps(function: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """SciPy's own function where no argument holds a tensor, the decorated one otherwise."""

    def decorate(meaning: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(meaning)
        def call(*args: Any, **kwargs: Any) -> Any:
            if any(map(holds_tensor, args)) or any(map(holds_tensor, kwargs.values())):
                return meaning(*args, **kwargs)
            return function(*args, **kwargs)

        call.__doc__ = f"``scipy.linalg.{function.__name__}``, on tensors too. {meaning.__doc__ or ''}".rstrip()
        return call

    return decorate


def holds_tensor(value: Any) -> bool:
    """Whether an argument is a tensor, or a tuple or list with one in it."""
    return is_tensor(value) or (isinstance(value, (tuple, list)) and any(map(holds_tensor, value)))


def only(function: str, **options: Any) -> None:
    """Refuse options that tensors have no meaning for; each is (value, what it has to be)."""
    for name, (value, allowed) in options.items():
        if value not in allowed:
            raise NotImplementedError(f"scipy.linalg.{function}: {name}={value!r} is not covered on tensors; leave it "
                                      f"at {allowed[0]!r}")


def no_options(function: str, options: dict[str, Any]) -> None:
    """Refuse any options."""
    if options:
        raise NotImplementedError(f"scipy.linalg.{function}: {', '.join(options)} is not covered on tensors; leave it "
                                  "out")


def each(function: Callable[..., Any], *stacks: Any) -> Any:
    """A function of matrices, on each of broadcast stacks of them."""
    if all(stack.ndim == 2 for stack in stacks):
        return np.asarray(function(*stacks))
    lead = np.broadcast_shapes(*[stack.shape[:-2] for stack in stacks])
    stacks = tuple([np.broadcast_to(stack, lead + stack.shape[-2:]) for stack in stacks])
    if math.prod(lead) == 0:  # SciPy tells shape and type of a result, from any matrices
        one = np.asarray(function(*[np.eye(*stack.shape[-2:], dtype=stack.dtype) for stack in stacks]))
        return np.zeros(lead + one.shape, one.dtype)
    results = [np.asarray(function(*[stack[place] for stack in stacks])) for place in np.ndindex(lead)]
    return np.reshape(np.stack(results), lead + results[0].shape)


def square(function: str, a: Any) -> Any:
    """One square matrix or a stack of them."""
    a = as_operand(a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f"scipy.linalg.{function}: expected square matrices, got an array of shape {a.shape}")
    return a
