"""Ufuncs called in other ways than ``f(x, y)``: with keywords, or by their methods."""

from __future__ import annotations

from typing import Any

import numpy as np


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A ufunc on tensors, whatever the way it was called."""
    raise NotImplementedError(f"np.{ufunc.__name__} called by {method} with {sorted(kwargs)}")
