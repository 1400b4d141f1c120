"""The array methods of tensors, by name: each is a NumPy function of the tensor.

The names are NumPy's, and a few mathematical functions that PyTorch's tensors have for methods too (``x.exp()``).
Methods that would write into the tensor, or show its memory in another way, raise an error that names the way round.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..registry import value_of
from .shaping import astype, flatten, reshape


def _shape_of(lengths: tuple[Any, ...]) -> Any:
    return lengths[0] if len(lengths) == 1 else lengths


def _reshape(a: Any, /, *shape: Any, order: Any = "C", copy: bool | None = None) -> Any:
    return reshape(a, _shape_of(shape), order, copy)


def _transpose(a: Any, /, *axes: Any) -> Any:
    return np.transpose(a, _shape_of(axes) if axes else None)


def _copy(a: Any, order: Any = "C") -> Any:
    return np.copy(a, order)


def _compress(a: Any, condition: Any, axis: int | None = None, out: Any = None) -> Any:
    return np.compress(condition, a, axis, out)


def _choose(a: Any, choices: Any, out: Any = None, mode: Any = "raise") -> Any:
    return np.choose(a, choices, out, mode)


def _clip(a: Any, min: Any = None, max: Any = None, out: Any = None, **kwargs: Any) -> Any:
    return np.clip(a, min, max, out, **kwargs)


def _on_value(name: str) -> Callable[..., Any]:
    """A method that reads the value, off the tape."""
    def method(a: Any, /, *args: Any, **kwargs: Any) -> Any:
        return getattr(value_of(a), name)(*map(value_of, args), **kwargs)

    method.__name__ = name
    return method


def _refused(name: str, instead: str) -> Callable[..., Any]:
    def method(a: Any, /, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"x.{name}(...) on a tensor {instead}")

    method.__name__ = name
    return method


_WRITES = "would write into its memory, unseen by the tape; use "

METHODS: dict[str, Callable[..., Any]] = {
    # reductions
    "sum": np.sum, "prod": np.prod, "mean": np.mean, "var": np.var, "std": np.std, "max": np.max, "min": np.min,
    "cumsum": np.cumsum, "cumprod": np.cumprod, "trace": np.trace, "dot": np.dot,
    # truth values and indices
    "all": np.all, "any": np.any, "argmax": np.argmax, "argmin": np.argmin, "argsort": np.argsort,
    "argpartition": np.argpartition, "nonzero": np.nonzero, "searchsorted": np.searchsorted,
    # shapes
    "reshape": _reshape, "ravel": np.ravel, "flatten": flatten, "transpose": _transpose, "swapaxes": np.swapaxes,
    "squeeze": np.squeeze, "repeat": np.repeat, "diagonal": np.diagonal,
    # choices
    "take": np.take, "compress": _compress, "choose": _choose, "clip": _clip,
    # numbers
    "round": np.round, "conj": np.conjugate, "conjugate": np.conjugate, "astype": astype, "copy": _copy,
    "__copy__": _copy,
    # PyTorch's
    "abs": np.absolute, "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "square": np.square, "sin": np.sin,
    "cos": np.cos, "tan": np.tan, "tanh": np.tanh, "pow": operator.pow, "matmul": np.matmul,
    # leaving the tape
    "tobytes": _on_value("tobytes"), "tofile": _on_value("tofile"),
    # in place
    "resize": _refused("resize", _WRITES + "np.resize(x, shape)"),
    "setfield": _refused("setfield", _WRITES + "np.where(changed, values, x)"),
    "setflags": _refused("setflags", "has no effect on what the tape needs; use x.detach().numpy().setflags(...)"),
    # memory
    "view": _refused("view", "would read its memory as another type; use x.astype(dtype), x.reshape(shape), x.real or "
                     "x.imag"),
    "getfield": _refused("getfield", "would read its memory as another type; use x.real or x.imag"),
    "byteswap": _refused("byteswap", "would read its memory in another byte order; use x.detach().numpy().byteswap()"),
}
