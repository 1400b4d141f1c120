"""What wrappers of NumPy functions share in reading their arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..registry import value_of


def is_tensor(value: Any) -> bool:
    """Whether a value has its own meaning for primitives, so that NumPy must not make an array of it."""
    return hasattr(type(value), "__tapead_primitive__")


def as_operand(value: Any) -> Any:
    """A tensor as it is, a nested list with tensors in it stacked, anything else as an array."""
    if is_tensor(value):
        return value
    return np.stack(list(map(as_operand, value))) if has_tensor(value) else np.asarray(value)


def has_tensor(nested: Any) -> bool:
    """Whether a nested list has a tensor in it."""
    return isinstance(nested, (list, tuple)) and any([is_tensor(part) or has_tensor(part) for part in nested])


def no_out(function: str, out: Any) -> None:
    """Refuse ``out=``.

    Raises
    ------
    NotImplementedError
        If `out` is not None.
    """
    if is_tensor(out):
        raise NotImplementedError(f"{function}: a tensor to write into is given by keyword, out=...")
    if out is not None:
        raise NotImplementedError(f"{function}: out= would write into an array that the tape knows nothing of; leave "
                                  f"it out and assign the result, x = {function}(...)")


def constant(function: str, argument: str, value: Any) -> Any:
    """The plain value of an argument that is not differentiated in.

    Raises
    ------
    NotImplementedError
        If `value` is a tensor that requires a gradient, which would silently get none.
    """
    if getattr(value, "requires_grad", False) is True:
        raise NotImplementedError(f"{function}: no derivative with respect to {argument}=; use {argument}="
                                  "value.detach() to treat it as a constant")
    return value_of(value)
