"""``np.emath``: functions whose result is complex where that of a real number is not real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..registry import implements, value_of
from .arguments import as_operand


def _below_zero(x: Any) -> Any:
    return x < 0


def _beyond_one(x: Any) -> Any:
    return np.abs(x) > 1


def _extended(x: Any, is_outside: Callable[[Any], Any]) -> Any:
    """`x`, complex where some of its elements are real and outside the domain of the real function."""
    x = as_operand(x)
    values = value_of(x)
    if values.dtype.kind == "c" or not np.any(is_outside(values)):
        return x
    return x.astype(np.result_type(values.dtype, np.complex64))


def _on_extended(function: Callable[..., Any], is_outside: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda x: function(_extended(x, is_outside))


for _name in ("sqrt", "log", "log2", "log10"):
    implements(getattr(np.emath, _name))(_on_extended(getattr(np, _name), _below_zero))
for _name in ("arccos", "arcsin", "arctanh"):
    implements(getattr(np.emath, _name))(_on_extended(getattr(np, _name), _beyond_one))


@implements(np.emath.logn)
def _logn_of(n: Any, x: Any) -> Any:
    return np.log(_extended(x, _below_zero)) / np.log(_extended(n, _below_zero))


@implements(np.emath.power)
def _power_of(x: Any, p: Any) -> Any:
    p = as_operand(p)
    if p.dtype.kind in "iu" and np.any(value_of(p) < 0):
        p = p * 1.0
    return np.power(_extended(x, _below_zero), p)
