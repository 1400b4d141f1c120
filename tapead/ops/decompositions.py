"""Eigenvalues and singular values with their vectors; alone they are in ``spectra``.

A primitive has one result, so those with several return them stacked: first the values, then the vectors below them.
The wrappers take them apart again.

Where values coincide the vectors are open to a rotation. The terms 1 / (λⱼ - λᵢ) of the rules are zero there, which is
right for functions that do not depend on that rotation; others are warned of, see ``matrices.GaugeWarning``. What a
function owes to the splitting of equal values (of V f(Λ) Vᴴ the part f′(λ) P within them, off the diagonal) is in no
tangent or cotangent of values and vectors, and is warned of too: in reverse where cotangents show that there is such a
part, in forward mode where the values do split, as a tangent does not show what becomes of it.

A sign is a choice as well, but one that no derivative can see: a function that depends on it gets no warning. A matrix
without a full set of eigenvectors has no derivative of its eigenvalues; ``eig`` divides by rounding errors there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..registry import PRIMITIVES, Linear, Primitive, RegisterGradient, add_primitive, case, implements, value_of
from .matrices import (
    adjoint,
    coincident,
    diagonal,
    hermitian_part,
    inverse_or_zero,
    one_triangle,
    put_on_diagonal,
    warn_of_gauge,
)

_SYMMETRIC = np.array([[2.0, 0.3, -0.4], [0.3, -1.5, 0.7], [-0.4, 0.7, 0.6]])
_SYMMETRIC_STACK = np.stack([_SYMMETRIC, _SYMMETRIC @ _SYMMETRIC])
_SQUARE = np.array([[2.0, 0.3, -0.5], [0.7, 1.1, 0.2], [-0.4, 0.9, -1.8]])
_TALL = np.array([[1.2, 0.3], [-0.7, 1.9], [0.4, -0.6]])

_EighResult: Any = type(np.linalg.eigh(np.eye(1)))
_EigResult: Any = type(np.linalg.eig(np.eye(1)))
_SVDResult: Any = type(np.linalg.svd(np.eye(1)))

_BASIS = "the basis that was chosen for the {} of equal {}"
_PHASE = "the phase that was chosen for {}"
_SPLIT = "how equal {} split, together with their {}"
_SPLIT_ALONG = "how equal {} split along this tangent, unless they enter alike and their vectors as a whole"
SPLIT_AGAIN = "how equal {} split, in a second or higher derivative"


def _conj(x: Any) -> Any:
    return np.conj(x) if x.dtype.kind == "c" else x


def _anti(x: Any) -> Any:
    """The anti-Hermitian part."""
    return (x - adjoint(x)) * 0.5


def _off(n: int) -> Any:
    return ~np.eye(n, dtype=bool)


# ---------------------------------------------------------------------- eigh


def _eigh_kernel(a: Any, lower: bool = True, quiet: bool = False) -> Any:
    values, vectors = np.linalg.eigh(hermitian_part(a), "L" if lower else "U")
    return np.concatenate([values[..., None, :].astype(vectors.dtype), vectors], axis=-2)


add_primitive(Primitive("eigh", _eigh_kernel, cases=(case(_SYMMETRIC), case(_SYMMETRIC_STACK, lower=False))))


@RegisterGradient("eigh", reads="output")
def _eigh(op: Any) -> Any:
    """d Λ = diag(P), d V = V (F ∘ P) with P = Vᴴ dA V, Fᵢⱼ = 1 / (λⱼ - λᵢ) (Daleckii and Krein 1965)"""
    values, v = np.real(op.output[..., 0, :]), op.output[..., 1:, :]
    same = coincident(values)
    f = inverse_or_zero(values[..., None, :] - values[..., :, None], same)
    off = _off(v.shape[-1])
    warn = _quiet if op.attrs.get("quiet") else warn_of_gauge
    if warn is _quiet and is_tracked(op.output):
        warn_of_gauge("eigvalsh", lambda: ((np.inf, same & off, SPLIT_AGAIN.format("eigenvalues")),), values)

    def apply(t: Any) -> Any:
        p = adjoint(v) @ hermitian_part(t) @ v
        warn("eigh", lambda: ((p, same & off, _SPLIT_ALONG.format("eigenvalues")),), p)
        return np.concatenate([np.real(diagonal(p))[..., None, :].astype(v.dtype), v @ (f * p)], axis=-2)

    def back(g: Any) -> Any:
        weights, s = np.real(g[..., 0, :]), adjoint(v) @ g[..., 1:, :]
        turned = _anti(s)
        warn("eigh", lambda: (
            (turned, same & off, _BASIS.format("eigenvectors", "eigenvalues")),
            (turned, same & ~off, _PHASE.format("an eigenvector")),
            (hermitian_part(value_of(s)), same & off & _weighted(weights),
             _SPLIT.format("eigenvalues", "eigenvectors")),
            (_unequal(weights), same, _SPLIT.format("eigenvalues", "eigenvectors"))), g)
        return hermitian_part(v @ (put_on_diagonal(weights) + f * turned) @ adjoint(v))

    return Linear(apply, back)


def _quiet(*_: Any) -> None:
    """For the vectors that ``spectra`` takes, which sees for itself what they leave open"""


def _weighted(weights: Any) -> Any:
    """Pairs of values that have cotangents of their own."""
    some = value_of(weights) != 0
    return some[..., None, :] | some[..., :, None]


def _unequal(weights: Any) -> Any:
    """How far the cotangents of pairs of values are apart."""
    weights = value_of(weights)
    return weights[..., None, :] - weights[..., :, None]


def is_tracked(x: Any) -> bool:
    """Whether a sweep is recorded in which this may be differentiated again."""
    return getattr(x, "requires_grad", False) is True


@implements(np.linalg.eigh)
def _eigh_of(a: Any, UPLO: Any = "L") -> Any:  # noqa: N803 -- NumPy's name
    """One triangle is read, and the derivative lies there; see `one_triangle`"""
    lower = is_lower("eigh", UPLO)
    both = PRIMITIVES["eigh"](one_triangle(a, lower), lower=lower)
    return _EighResult(np.real(both[..., 0, :]), both[..., 1:, :])


def is_lower(function: str, uplo: Any) -> bool:
    """Whether UPLO asks for the lower triangle."""
    if str(uplo).upper() not in ("L", "U"):
        raise ValueError(f"np.linalg.{function}: UPLO must be 'L' or 'U', not {uplo!r}")
    return str(uplo).upper() == "L"


# ---------------------------------------------------------------------- eig


def _eig_kernel(a: Any) -> Any:
    values, vectors = np.linalg.eig(a)
    return np.concatenate([values[..., None, :], vectors], axis=-2)


add_primitive(Primitive("eig", _eig_kernel, cases=(case(_SQUARE), case(np.stack([_SQUARE, _SQUARE + np.eye(3)])))))


@RegisterGradient("eig", reads="output")
def _eig(op: Any) -> Any:
    """d Λ = diag(P), d V = V (F ∘ P) with P = V⁻¹ dA V, less what would lengthen the vectors (Boeddeker et al. 2017)"""
    values, v = op.output[..., 0, :], op.output[..., 1:, :]
    same = coincident(values)
    f = inverse_or_zero(values[..., None, :] - values[..., :, None], same)
    off = _off(v.shape[-1])

    def apply(t: Any) -> Any:
        p = np.linalg.solve(v, t @ v)
        warn_of_gauge("eig", lambda: ((p, same & off, _SPLIT_ALONG.format("eigenvalues")),), p)
        moved = v @ (f * p)
        longer = np.real(np.sum(_conj(v) * moved, axis=-2, keepdims=True))
        return np.concatenate([diagonal(p)[..., None, :], moved - v * longer], axis=-2)

    def back(g: Any) -> Any:
        vectors = g[..., 1:, :]
        along = adjoint(v) @ vectors
        warn_of_gauge("eig", lambda: (
            (along, same & off, _BASIS.format("eigenvectors", "eigenvalues")),
            (np.imag(value_of(along)), ~off, _PHASE.format("an eigenvector")),
            (_unequal(g[..., 0, :]), same, _SPLIT.format("eigenvalues", "eigenvectors")),
            (np.inf if is_tracked(g) else 0.0, same & off, SPLIT_AGAIN.format("eigenvalues"))), g)
        s = along - (adjoint(v) @ v) * np.real(diagonal(along))[..., None, :]
        return np.linalg.solve(adjoint(v), (put_on_diagonal(g[..., 0, :]) + _conj(f) * s) @ adjoint(v))

    return Linear(apply, back)


@implements(np.linalg.eig)
def _eig_of(a: Any) -> Any:
    both = PRIMITIVES["eig"](a)
    return _EigResult(both[..., 0, :], both[..., 1:, :])


@implements(np.linalg.eigvals)
def _eigvals_of(a: Any) -> Any:
    """With the vectors, which the derivative needs in the same order"""
    return PRIMITIVES["eig"](a)[..., 0, :]


# ---------------------------------------------------------------------- svd


def _svd_kernel(a: Any, full: bool = False, quiet: bool = False) -> Any:
    u, s, vh = np.linalg.svd(a, full_matrices=full)
    k = s.shape[-1]
    return np.concatenate([s[..., None, :].astype(u.dtype), u[..., :k], adjoint(vh[..., :k, :])], axis=-2)


add_primitive(Primitive("svd", _svd_kernel, cases=(
    case(_TALL), case(_TALL.T.copy()), case(_SQUARE), case(_SQUARE[None], full=True))))


@RegisterGradient("svd", reads="output")
def _svd(op: Any) -> Any:
    """d Σ = Re diag(P), d U = U Ω + (I - U Uᴴ) dA V Σ⁻¹, P = Uᴴ dA V, Ω = Pₛ / (σⱼ - σᵢ) + Pₐ / (σⱼ + σᵢ); V likewise

    The Hermitian part Pₛ turns U and V together and Pₐ against each other, so that only the former is open where
    singular values coincide (Seeger et al. 2017; Wan and Zhang 2019 for complex matrices).
    """
    rows = op.inputs[0].shape[-2]
    s, u, v = np.real(op.output[..., 0, :]), op.output[..., 1:1 + rows, :], op.output[..., 1 + rows:, :]
    k = s.shape[-1]
    same, off = coincident(s), _off(k)
    difference, total = s[..., None, :] - s[..., :, None], s[..., None, :] + s[..., :, None]
    vanishing = negligible(total)
    together, against = inverse_or_zero(difference, same), inverse_or_zero(total, vanishing)
    zero = diagonal(vanishing)
    inverse = inverse_or_zero(s, zero)[..., None, :]
    warn = _quiet if op.attrs.get("quiet") else warn_of_gauge
    if warn is _quiet and is_tracked(op.output):
        warn_of_gauge("svdvals", lambda: ((np.inf, same & off, SPLIT_AGAIN.format("singular values")),), s)

    def beyond(basis: Any, x: Any) -> Any:
        return x - basis @ (adjoint(basis) @ x)

    def apply(t: Any) -> Any:
        right, left = t @ v, adjoint(t) @ u
        p = adjoint(u) @ right
        warn("svd", lambda: ((hermitian_part(value_of(p)), same & off, _SPLIT_ALONG.format("singular values")),
                             (p, vanishing & off, _SPLIT_ALONG.format("singular values"))), p)
        both, apart = together * hermitian_part(p), against * _anti(p)
        moved_u, moved_v = u @ (both + apart), v @ (both - apart)
        if u.shape[-2] > k:
            moved_u = moved_u + beyond(u, right) * inverse
        if v.shape[-2] > k:
            moved_v = moved_v + beyond(v, left) * inverse
        return np.concatenate([np.real(diagonal(p))[..., None, :].astype(u.dtype), moved_u, moved_v], axis=-2)

    def back(g: Any) -> Any:
        weights, to_u, to_v = np.real(g[..., 0, :]), g[..., 1:1 + rows, :], g[..., 1 + rows:, :]
        of_u, of_v = adjoint(u) @ to_u, adjoint(v) @ to_v
        both, apart = of_u + of_v, of_u - of_v
        rest_u, rest_v = beyond(u, to_u), beyond(v, to_v)
        warn("svd", lambda: (
            (_anti(value_of(both)), same & off, _BASIS.format("singular vectors", "singular values")),
            (_anti(value_of(both)), same & ~off, _PHASE.format("a pair of singular vectors")),
            (_anti(value_of(apart)), vanishing, _BASIS.format("singular vectors", "singular values zero")),
            (hermitian_part(value_of(both)), same & off & _weighted(weights),
             _SPLIT.format("singular values", "singular vectors")),
            (_unequal(weights), same, _SPLIT.format("singular values", "singular vectors")),
            (rest_u, zero[..., None, :], _BASIS.format("singular vectors", "singular values zero")),
            (rest_v, zero[..., None, :], _BASIS.format("singular vectors", "singular values zero"))), g)
        inner = put_on_diagonal(weights) + together * _anti(both) + against * _anti(apart)
        result = u @ inner @ adjoint(v)
        if u.shape[-2] > k:
            result = result + (rest_u * inverse) @ adjoint(v)
        if v.shape[-2] > k:
            result = result + u @ adjoint(rest_v * inverse)
        return result

    return Linear(apply, back)


def negligible(total: Any) -> Any:
    """Where the sum of two singular values is zero within rounding."""
    total = value_of(total)
    n = total.shape[-1]
    largest = np.max(total, axis=(-2, -1), keepdims=True) if total.size else total
    return total <= 8 * n * float(np.finfo(total.dtype).eps) * largest


def _complement_kernel(u: Any, basis: Any = None) -> Any:
    """The orthonormal basis of what is orthogonal to the columns of `u` that is nearest to `basis`."""
    rest = basis - u @ (np.linalg.pinv(u) @ basis)
    left, _, right = np.linalg.svd(rest, full_matrices=False)
    return left @ right


add_primitive(Primitive("complement", _complement_kernel, cases=(
    case(_TALL, basis=np.array([[0.7], [0.2], [0.6]])),)))


@RegisterGradient("complement")
def _complement(op: Any) -> Any:
    """d Q = -U⁺ᴴ dUᴴ Q, since Uᴴ Q = 0 stays so"""
    (u,), q = op.inputs, op.output
    p = np.linalg.pinv(u)

    def back(g: Any) -> Any:
        warn_of_gauge("svd", lambda: (
            (_anti(value_of(adjoint(q) @ g)), True, _BASIS.format("singular vectors", "singular values zero")),), g)
        return -(q @ adjoint(p @ g))

    return Linear(lambda t: -(adjoint(p) @ (adjoint(t) @ q)), back)


@implements(np.linalg.svd)
def _svd_of(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    if hermitian:
        return _svd_of_hermitian(a, compute_uv)
    if not compute_uv:
        return np.linalg.svdvals(a)
    if a.ndim < 2:
        np.linalg.svd(value_of(a))  # NumPy's own error
    rows, columns = a.shape[-2:]
    k = min(rows, columns)
    all_of_it = PRIMITIVES["svd"](a, full=True) if full_matrices and rows != columns else PRIMITIVES["svd"](a)
    s, u, v = np.real(all_of_it[..., 0, :]), all_of_it[..., 1:1 + rows, :], all_of_it[..., 1 + rows:, :]
    if full_matrices and rows != columns:
        full_u, _, full_vh = np.linalg.svd(value_of(a))
        if rows > k:
            u = np.concatenate([u, PRIMITIVES["complement"](u, basis=full_u[..., k:])], axis=-1)
        else:
            v = np.concatenate([v, PRIMITIVES["complement"](v, basis=adjoint(full_vh[..., k:, :]))], axis=-1)
    return _SVDResult(u, s, adjoint(v))


def _svd_of_hermitian(a: Any, compute_uv: bool) -> Any:
    if not compute_uv:
        return np.sort(np.abs(np.linalg.eigvalsh(a)))[..., ::-1]
    values, vectors = np.linalg.eigh(a)
    order = np.argsort(np.abs(value_of(values)))[..., ::-1]
    signs = np.take_along_axis(np.copysign(1.0, value_of(values)).astype(values.dtype), order, -1)
    s = np.take_along_axis(np.abs(values), order, -1)
    u = np.take_along_axis(vectors, order[..., None, :], -1)
    return _SVDResult(u, s, adjoint(u * signs[..., None, :]))
