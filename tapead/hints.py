"""Types that signatures share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    import numpy as np

    from .tensor import Tensor

#: What an operator may meet on its other side.
Operand = Union["Tensor", "np.ndarray[Any, Any]", "np.generic", float, int, complex]
