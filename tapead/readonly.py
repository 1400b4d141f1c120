"""What ``x.data`` returns: a view that does not let anybody write into memory that the tape may need.

``x.data -= step`` and ``x.data[i] = v`` do what they look like all the same: they give the tensor new values and
leave the old ones to the tape.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .modes import no_grad

if TYPE_CHECKING:
    from .tensor import Tensor

__all__ = ["ReadOnly"]


class ReadOnly(np.ndarray[Any, Any]):
    """A read-only view of a tensor's value; what is computed from it is an ordinary array."""

    #: Whose value it is; None for a view of such a view.
    tensor: Tensor | None

    def __array_finalize__(self, source: Any) -> None:
        self.tensor = None
        if self.base is not None:  # a view; a copy is the caller's own
            self.flags.writeable = False

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return array[()] if return_scalar else array

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.tensor is None:
            if self.flags.writeable:
                return super().__setitem__(key, value)
            raise ValueError("a part of x.data is read-only, the tape may need it: write x.data[i] = v with the whole "
                             "index, or x[i] = v inside tapead.no_grad(); x.numpy() is a copy of your own")
        with no_grad():
            self.tensor[key] = value

    def __repr__(self) -> str:
        return repr(self.view(np.ndarray))

    def __reduce__(self) -> Any:
        return np.array(self).__reduce__()

    def copy(self, order: Any = "C") -> np.ndarray[Any, Any]:  # type: ignore[override]  # no longer read-only
        """An ordinary array with these values."""
        return np.array(self, order=order)


def _new(compute: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def method(self: ReadOnly, other: Any) -> Any:
        return compute(self.view(np.ndarray), other)

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"):
    # Not in place: Python assigns what they return, so `x.data -= step` gives x a new value.
    setattr(ReadOnly, f"__i{_name}__", _new(getattr(operator, f"__{_name}__")))
