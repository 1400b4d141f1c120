"""Functions of matrices: the exponential, the logarithm and the square root."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg as _scipy  # type: ignore[import-untyped, unused-ignore]  # SciPy ships no types

from ..ops.matrices import adjoint
from ..registry import PRIMITIVES, Linear, Primitive, RegisterGradient, add_primitive, case
from .wrapping import each, no_options, square, wraps

__all__ = ["expm", "logm", "sqrtm"]

_SQUARE = np.array([[1.1, 0.3], [-0.4, 0.8]])
_OTHER = np.array([[0.7, -0.2], [0.5, 1.9]])


def _conj(x: Any) -> Any:
    return np.conj(x) if x.dtype.kind == "c" else x


def _in_block(function: Any, a: Any, t: Any) -> Any:
    """The derivative of a function of matrices: the upper right block of f([[A, T], [0, A]])"""
    n = a.shape[-1]
    block = np.concatenate([np.concatenate([a, t.astype(np.result_type(a.dtype, t.dtype))], axis=-1),
                            np.concatenate([np.zeros(a.shape, a.dtype), a], axis=-1)], axis=-2)
    return function(block)[..., :n, n:]


def _function_of_matrices(name: str, function: Callable[[Any], Any], *cases: Any) -> None:
    own = add_primitive(Primitive(name, function, cases=cases))

    @RegisterGradient(name, reads="inputs")
    def _rule(op: Any) -> Any:
        """f([[A, dA], [0, A]]) = [[f(A), df], [0, f(A)]]; the adjoint is the same at Aᵀ, conjugated (Mathias 1996)"""
        (a,) = op.inputs
        # Not at Aᴴ: on a branch cut f(Aᴴ) is not f(A)ᴴ.
        return Linear(lambda t: _in_block(own, a, t), lambda g: _conj(_in_block(own, a.mT, _conj(g))))


def _logm(a: Any) -> Any:
    """In double precision, which SciPy's result has in any case; of single precision it warns that it is not double"""
    return _scipy.logm(a.astype(np.result_type(a.dtype, np.float64)))


_function_of_matrices("expm", lambda a: each(_scipy.expm, a), case(_SQUARE), case(np.stack([_SQUARE, _OTHER])))
_function_of_matrices("logm", lambda a: each(_logm, a), case(_SQUARE), case(np.stack([_SQUARE, _OTHER])))


@wraps(_scipy.expm)
def expm(A: Any) -> Any:  # noqa: N803 -- SciPy's name
    """Of one matrix, or of each in a stack."""
    return PRIMITIVES["expm"](square("expm", A))


@wraps(_scipy.logm)
def logm(A: Any, **options: Any) -> Any:  # noqa: N803 -- SciPy's name
    """The principal logarithm, of one matrix or of each in a stack."""
    no_options("logm", options)
    return PRIMITIVES["logm"](square("logm", A))


add_primitive(Primitive("sqrtm", lambda a: each(_scipy.sqrtm, a), cases=(
    case(_SQUARE), case(_OTHER), case(np.stack([_SQUARE, _OTHER])))))


@RegisterGradient("sqrtm", reads="output")
def _sqrtm(op: Any) -> Any:
    """X dX + dX X = dA"""
    x, sylvester = op.output, PRIMITIVES["solve_sylvester"]
    return Linear(lambda t: sylvester(x, x, t), lambda g: sylvester(adjoint(x), adjoint(x), g))


@wraps(_scipy.sqrtm)
def sqrtm(A: Any, **options: Any) -> Any:  # noqa: N803 -- SciPy's name
    """The principal square root, of one matrix or of each in a stack."""
    no_options("sqrtm", options)
    return PRIMITIVES["sqrtm"](square("sqrtm", A))
