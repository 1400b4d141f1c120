"""Tensors in the hands of other libraries: what SciPy's code asks for, and what to say where it cannot be given."""

from __future__ import annotations

import importlib
from types import FrameType
from typing import Any

import numpy as np

from .refusals import why_no_array_for_numpy

__all__ = ["is_sparse", "is_sparse_product", "why_no_array", "with_sparse"]

#: Where tapead has SciPy's functions under the same names.
_PACKAGES = ("linalg", "signal", "sparse", "special", "stats")


def why_no_array(frame: FrameType) -> str:
    """What to say to code in `frame` that makes a NumPy array of a tensor that requires a gradient."""
    caller = _scipy_caller(frame)
    if caller is None:
        return why_no_array_for_numpy(frame)
    path, function = caller
    package = path.partition(".")[0]
    begin = f"scipy.{path}.{function} makes NumPy arrays of its arguments, which would drop the graph of a tensor"
    end = "or use x.detach() to leave the tape"
    if package == "sparse" and function not in _offered(package):
        return (f"{begin}; use A @ x, tapead.scipy.sparse.matmul or tapead.scipy.sparse.spsolve, which take the "
                f"elements of a sparse matrix as data=, {end}")
    if function.partition(".")[0] in _offered(package):
        return f"{begin}; use tapead.scipy.{package}.{function}, {end}"
    if package == "fft" and hasattr(np.fft, function):
        return f"{begin}; use np.fft.{function}, {end}"
    return f"{begin}, and has no derivative here; make it a primitive with @tapead.primitive, {end}"


def _scipy_caller(frame: FrameType | None) -> tuple[str, str] | None:
    """The module and the name of the function of SciPy's that was called from outside of it, if one was."""
    outermost = None
    while frame is not None and frame.f_globals.get("__name__", "").startswith(("scipy.", "numpy.")):
        if frame.f_globals["__name__"].startswith("scipy."):
            outermost = frame
        frame = frame.f_back
    if outermost is None:
        return None
    module, function, known = outermost.f_globals["__name__"], outermost.f_code.co_name, outermost.f_locals
    for decorated in ("f", "method"):  # what SciPy's decorators call it
        if function in ("wrapper", "__ua_function__") and callable(known.get(decorated)):
            module, function = known[decorated].__module__, known[decorated].__name__
    path = ".".join(part for part in module.split(".")[1:3] if not part.startswith("_"))
    owner = known.get("self")
    if path == "stats" and owner is not None:
        owner = getattr(owner, "dist", getattr(owner, "_dist", owner))
        name = getattr(owner, "name", type(owner).__name__.removesuffix("_gen"))
        function = name if function.startswith("__") else f"{name}.{function}"
    elif owner is not None:
        function = type(owner).__name__
    return path, function


def _offered(package: str) -> tuple[str, ...]:
    if package not in _PACKAGES:
        return ()
    return tuple(importlib.import_module(f"tapead.scipy.{package}").__all__)


def is_sparse(value: Any) -> bool:
    """Whether a value is a matrix of scipy.sparse."""
    return type(value).__module__.startswith("scipy.sparse.")


def is_sparse_product(frame: FrameType) -> bool:
    """Whether an array is asked for by ``A @ x`` with a sparse matrix A, which then leaves it to x."""
    return (frame.f_code.co_name == "_matmul_dispatch"
            and frame.f_globals.get("__name__", "").startswith("scipy.sparse."))


def with_sparse(ufunc: np.ufunc, first: Any, second: Any) -> Any:
    """An operator between a tensor and a sparse matrix.

    Raises
    ------
    NotImplementedError
        If SciPy's result would be a sparse matrix, which has no place on the tape.
    """
    matrix = first if is_sparse(first) else second
    if ufunc is np.matmul or (ufunc is np.multiply and hasattr(matrix, "getH")):  # of matrices * is the product
        return importlib.import_module("tapead.scipy.sparse").matmul(first, second)
    if ufunc in (np.add, np.subtract):
        return ufunc(*(one.toarray() if one is matrix else one for one in (first, second)))
    raise NotImplementedError(f"np.{ufunc.__name__} of a tensor and a {type(matrix).__name__} would be a sparse matrix "
                              "that depends on a tensor; use A.toarray(), or give the elements as data= to "
                              "tapead.scipy.sparse.matmul")
