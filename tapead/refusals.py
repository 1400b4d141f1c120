"""What to say where NumPy's own code in Python makes an array or a number of a tensor that requires a gradient."""

from __future__ import annotations

import dis
import itertools
import os
from types import FrameType

import numpy as np

__all__ = ["why_no_array_for_numpy", "why_no_number"]

_NUMPY = os.path.dirname(os.path.abspath(np.__file__)) + os.sep

#: Packages whose functions are offered by NumPy itself.
_NOT_SAID = frozenset(["lib", "core", "matrixlib"])
#: By the name of NumPy's code that was called: what the user wrote, and what to write instead.
_INSTEAD = {
    "vectorize.__call__": ("np.vectorize", "tapead.vectorize"),
    "AxisConcatenator.__getitem__": ("np.r_ or np.c_", "tapead.r_ or tapead.c_"),
    "ndenumerate.__new__": ("np.ndenumerate", "x[index] for index in np.ndindex(x.shape)"),
    "kaiser": ("np.kaiser", "np.i0(beta * np.sqrt(1 - t**2)) / np.i0(beta)"),
}


def _caller(frame: FrameType | None) -> tuple[str, str]:
    """The function of NumPy's, in Python, that a user called and that led to `frame`, and what to use instead."""
    name, module = "", ""
    while frame is not None and frame.f_code.co_filename.startswith(_NUMPY):
        name, module = frame.f_code.co_qualname, frame.f_globals.get("__name__", "numpy")
        frame = frame.f_back
    if not name:
        return "", "tapead.array([...]) for arrays of tensors"
    public = itertools.takewhile(lambda part: not part.startswith("_"), module.split(".")[1:])
    said = name.removesuffix(".__new__").removesuffix(".__init__").removesuffix(".__call__")
    plain = ".".join(["np", *(part for part in public if part not in _NOT_SAID), said])
    return _INSTEAD.get(name, (plain, "np.stack or tapead.array([...]) to build arrays of tensors"))


def _is_assignment(frame: FrameType | None) -> bool:
    """Whether what runs in `frame` is ``y[...] = x``."""
    return frame is not None and dis.opname[frame.f_code.co_code[frame.f_lasti]] == "STORE_SUBSCR"


_ASSIGNMENT = ("y[...] = x: a tensor that requires a gradient would lose its graph in the plain array y; make y a "
               "tensor before, by np.zeros_like(x) or tapead.tensor(y), or write x.detach() to leave the tape")


def why_no_array_for_numpy(frame: FrameType | None) -> str:
    """The message for code in `frame` that asks for a plain array."""
    name, instead = _caller(frame)
    if not name and _is_assignment(frame):
        return _ASSIGNMENT
    return ((f"{name}: " if name else "") + "a tensor that requires a gradient cannot become a NumPy array, which "
            f"would drop its graph; use {instead}, or x.detach() to leave the tape")


def why_no_number(function: str, frame: FrameType | None) -> str:
    """The message for code in `frame` that asks for a Python number by ``function(x)``."""
    name, instead = _caller(frame)
    if name:
        return (f"{name}: {function}(x) on a tensor that requires a gradient would drop its graph; use {instead}, or "
                "x.item() to leave the tape on purpose")
    if _is_assignment(frame):
        return _ASSIGNMENT
    return (f"{function}(x) on a tensor that requires a gradient would drop its graph (math.sin(x) does the same: use "
            "np.sin(x)); use x.item() to leave the tape on purpose")
