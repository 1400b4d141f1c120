"""The array methods of tensors, by name: each is a NumPy function of the tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..registry import PRIMITIVES


def _reshape(a: Any, *shape: Any, order: Any = "C", copy: bool | None = None) -> Any:
    return np.reshape(a, shape[0] if len(shape) == 1 else shape, order=order)


def _transpose(a: Any, *axes: Any) -> Any:
    return np.transpose(a, axes[0] if len(axes) == 1 else axes or None)


def _astype(a: Any, dtype: Any, order: Any = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True) -> Any:
    return PRIMITIVES["astype"](a, dtype=np.dtype(dtype))


METHODS: dict[str, Callable[..., Any]] = {
    "sum": np.sum, "mean": np.mean, "reshape": _reshape, "transpose": _transpose, "astype": _astype,
}
