"""What the rules of linear algebra share: adjoints, triangles, Hermitian parts, of stacks of matrices."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..registry import value_of

__all__ = ["GaugeWarning", "adjoint", "coincident", "diagonal", "hermitian_part", "inverse_or_zero", "one_triangle",
           "put_on_diagonal", "warn_of_gauge"]


class GaugeWarning(UserWarning):
    """A derivative was asked for of what a decomposition leaves open.

    Eigenvectors and singular vectors are determined up to a phase, and those of equal values up to a rotation among
    them. A function that depends on such a choice has no derivative; the part of it that cannot be told is taken as
    zero, and this warning says so.
    """


def adjoint(a: Any) -> Any:
    """The conjugate transpose of each matrix; a view where they are real."""
    turned = a.T if a.ndim == 2 else a.mT
    return np.conj(turned) if a.dtype.kind == "c" else turned


def hermitian_part(a: Any) -> Any:
    """The Hermitian part, (A + Aᴴ) / 2."""
    return (a + adjoint(a)) * 0.5


def diagonal(a: Any) -> Any:
    """The diagonal of each matrix."""
    return np.diagonal(a, axis1=-2, axis2=-1)


def put_on_diagonal(d: Any) -> Any:
    """Diagonal matrices."""
    return d[..., None, :] * np.eye(d.shape[-1], dtype=d.dtype)


def one_triangle(a: Any, lower: bool) -> Any:
    """A Hermitian matrix as NumPy reads it, from one triangle: the derivative lies there, as differences find it."""
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError(f"expected a square matrix or a stack of such, got shape {a.shape}")
    half = np.tril(a, -1) if lower else np.triu(a, 1)
    return half + adjoint(half) + put_on_diagonal(np.real(diagonal(a)))


def coincident(values: Any) -> Any:
    """Which pairs of eigenvalues or singular values are the same number within rounding, itself included.

    LAPACK splits values that are equal by some √n ε of the largest; to take more for equal would be to meet values that
    are only close in any large matrix.
    """
    values = value_of(values)
    gaps = np.abs(values[..., None, :] - values[..., :, None])
    rounding = 12 * math.sqrt(values.shape[-1]) * float(np.finfo(values.dtype).eps)
    return gaps <= rounding * np.max(np.abs(values), axis=-1)[..., None, None] if values.size else gaps == 0


def inverse_or_zero(x: Any, zero: Any) -> Any:
    """1 / x, and 0 where `zero` is true."""
    return np.where(zero, 0.0, 1.0 / np.where(zero, 1.0, x))


def warn_of_gauge(function: str, parts: Callable[[], tuple[tuple[Any, Any, str], ...]], scale: Any) -> None:
    """Warn where a part of a cotangent that ought to vanish does not.

    `parts` returns (part, where it ought to vanish, what it depends on then); `scale` is an array whose largest element
    says what is rounding.
    """
    if not scale.size:
        return
    rounding = np.max(np.abs(value_of(scale))) * float(np.finfo(scale.dtype).eps) ** (2 / 3)
    for part, where, what in parts():
        if np.any(np.where(where, np.abs(value_of(part)), 0.0) > rounding):
            warnings.warn(f"np.linalg.{function}: the function that is differentiated depends on {what}; that part of "
                          "its derivative does not exist and is taken as zero", GaugeWarning, stacklevel=2)
