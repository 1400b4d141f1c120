"""Eigenvalues and singular values alone: their second derivatives exist where they repeat, too.

The gradient of L(λ) is V diag(g) Vᴴ. Where λᵢ = λⱼ its derivative has the elements (gᵢ - gⱼ) / (λᵢ - λⱼ) Pᵢⱼ, 0 / 0 by
the numbers. Of a function that treats equal values alike the limit is the slope of g along a direction that splits
them, and a recorded sweep can push that direction from λ to g (Lewis and Sendov 2001). At singular values of zero,
where such a function is even, the slope along the values themselves is that of the whole null space.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..registry import PRIMITIVES, Linear, Primitive, RegisterGradient, add_primitive, case, implements, value_of
from .decompositions import SPLIT_AGAIN, is_lower, is_tracked, negligible
from .matrices import adjoint, coincident, diagonal, hermitian_part, one_triangle, warn_of_gauge

_SYMMETRIC = np.array([[2.0, 0.3, -0.4], [0.3, -1.5, 0.7], [-0.4, 0.7, 0.6]])
_SYMMETRIC_STACK = np.stack([_SYMMETRIC, _SYMMETRIC @ _SYMMETRIC])
_SQUARE = np.array([[2.0, 0.3, -0.5], [0.7, 1.1, 0.2], [-0.4, 0.9, -1.8]])
_TALL = np.array([[1.2, 0.3], [-0.7, 1.9], [0.4, -0.6]])


def _conj(x: Any) -> Any:
    return np.conj(x) if x.dtype.kind == "c" else x


def _slopes(function: str, values: str, op: Any, g: Any, same: Any, zero: Any) -> Any:
    """How the cotangents of equal values part when the values do, the same for all values of a group.

    Warns, and returns zeros, where the function that is differentiated does not treat the values of a group alike.
    """
    n = same.shape[-1]
    members = np.sum(same, axis=-1)
    direction = np.arange(n) - (same @ np.arange(n)) / members
    direction = np.where(zero, 1.0, direction).astype(g.dtype)
    moved = op.moved(g, direction)
    if moved is None:  # the cotangent does not depend on these values
        return np.zeros(direction.shape, g.dtype)
    slopes = np.sum(same * (direction * moved)[..., None, :], axis=-1) / np.maximum(
        np.sum(same * (direction * direction)[..., None, :], axis=-1), 1e-30)
    rest = value_of(moved - slopes * direction)
    what = SPLIT_AGAIN.format(values)
    within = same & ~np.eye(n, dtype=bool)
    uneven = np.where(zero[..., None], value_of(g)[..., :, None], value_of(g)[..., None, :] - value_of(g)[..., :, None])
    warn_of_gauge(function, lambda: (
        (uneven, within | (zero[..., None] & same), what),
        (rest[..., None, :] - rest[..., :, None], within, what)),
        np.abs(value_of(g)) + np.abs(value_of(moved)))
    return slopes


# ---------------------------------------------------------------------- eigenvalues


def _eigvalsh_kernel(a: Any, lower: bool = True) -> Any:
    return np.linalg.eigvalsh(hermitian_part(a), "L" if lower else "U")


add_primitive(Primitive("eigvalsh", _eigvalsh_kernel, cases=(
    case(_SYMMETRIC), case(_SYMMETRIC_STACK, lower=False))))


@RegisterGradient("eigvalsh", reads="inputs")
def _eigvalsh(op: Any) -> Any:
    """d λᵢ = vᵢᴴ dA vᵢ, with the adjoint V diag(g) Vᴴ"""
    (a,) = op.inputs
    both = PRIMITIVES["eigh"](a, quiet=True)
    v = both[..., 1:, :]

    def groups() -> Any:
        return coincident(np.real(value_of(both)[..., 0, :]))

    def apply(t: Any) -> Any:
        if is_tracked(a):
            pairs = groups() & ~np.eye(v.shape[-1], dtype=bool)
            warn_of_gauge("eigvalsh", lambda: (
                (adjoint(v) @ hermitian_part(t) @ v, pairs, SPLIT_AGAIN.format("eigenvalues")),), t)
        return np.real(np.sum(_conj(v) * (hermitian_part(t) @ v), axis=-2))

    def back(g: Any) -> Any:
        result = (v * g[..., None, :]) @ adjoint(v)
        same = groups() if is_tracked(g) else np.zeros((1, 1), bool)
        if np.any(np.sum(same, axis=-1) > 1):
            slopes = _slopes("eigvalsh", "eigenvalues", op, g, same, np.zeros(same.shape[:-1], bool))
            basis, rest = value_of(v), hermitian_part(a - value_of(a))  # zero, but it moves
            pairs = same & ~np.eye(same.shape[-1], dtype=bool)
            inner = pairs * slopes[..., None, :] * (adjoint(basis) @ rest @ basis)
            result = result + basis @ inner @ adjoint(basis)
        return result

    return Linear(apply, back)


@implements(np.linalg.eigvalsh)
def _eigvalsh_of(a: Any, UPLO: Any = "L") -> Any:  # noqa: N803 -- NumPy's name
    lower = is_lower("eigvalsh", UPLO)
    return PRIMITIVES["eigvalsh"](one_triangle(a, lower), lower=lower)


# ---------------------------------------------------------------------- singular values

add_primitive(Primitive("svdvals", lambda a: np.linalg.svd(a, compute_uv=False), cases=(
    case(_TALL), case(_TALL.T.copy()), case(np.stack([_SQUARE, _SQUARE.T - 1])))))


@RegisterGradient("svdvals", reads="inputs")
def _svdvals(op: Any) -> Any:
    """d σᵢ = Re uᵢᴴ dA vᵢ, with the adjoint U diag(g) Vᴴ"""
    (a,) = op.inputs
    rows, parts = a.shape[-2], PRIMITIVES["svd"](a, quiet=True)
    u, v = parts[..., 1:1 + rows, :], parts[..., 1 + rows:, :]

    def repeated(x: Any) -> Any:
        """What a change of A by x does within equal values, but for the diagonal, by its factor for each value"""
        left, right, values = value_of(u), value_of(v), np.real(value_of(parts)[..., 0, :])
        zero = diagonal(negligible(values[..., None, :] + values[..., :, None]))
        zero = zero | np.all(values == 0, axis=-1, keepdims=True)
        both_or_neither = zero[..., None, :] == zero[..., :, None]
        same = (coincident(values) | zero[..., None, :]) & both_or_neither
        pairs = same & ~np.eye(same.shape[-1], dtype=bool) & ~zero[..., None, :]
        p = adjoint(left) @ x @ right

        def part(factors: Any) -> Any:
            kept_u, kept_v = left * ~zero[..., None, :], right * ~zero[..., None, :]
            null = x - kept_u @ (adjoint(kept_u) @ x)
            null = null - (null @ kept_v) @ adjoint(kept_v)
            null = null - (left * (zero * np.real(diagonal(p)))[..., None, :]) @ adjoint(right)
            count = np.maximum(np.sum(zero, axis=-1), 1)
            of_zero = np.sum(zero * factors, axis=-1) / count
            inner = pairs * factors[..., None, :] * hermitian_part(p)
            return left @ inner @ adjoint(right) + of_zero[..., None, None] * null

        return same, zero, part

    def apply(t: Any) -> Any:
        if is_tracked(a):
            _, zero, part = repeated(value_of(t))
            warn_of_gauge("svdvals", lambda: (
                (part(np.ones(zero.shape)), True, SPLIT_AGAIN.format("singular values")),), t)
        return np.real(np.sum(_conj(u) * (t @ v), axis=-2))

    def back(g: Any) -> Any:
        result = (u * g[..., None, :]) @ adjoint(v)
        if is_tracked(g):
            same, zero, part = repeated(a - value_of(a))  # zero, but it moves
            if np.any(np.sum(same, axis=-1) > 1) or np.any(zero):
                result = result + part(_slopes("svdvals", "singular values", op, g, same, zero))
        return result

    return Linear(apply, back)


implements(np.linalg.svdvals)(lambda x, /: PRIMITIVES["svdvals"](x))
