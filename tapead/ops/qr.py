"""The QR factorization, in all modes but the raw one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..registry import PRIMITIVES, Linear, Primitive, RegisterGradient, add_primitive, case, implements, value_of
from .matrices import adjoint

_SQUARE = np.array([[2.0, 0.3, -0.5], [0.7, 1.1, 0.2], [-0.4, 0.9, -1.8]])
_TALL = np.array([[1.2, 0.3], [-0.7, 1.9], [0.4, -0.6]])
#: More elements than a proof gives symbols to: those of Gram and Schmidt would keep SymPy busy for minutes.
_LARGE = np.round(np.sin(1.7 * np.arange(56.0)).reshape(8, 7), 3) + 3 * np.eye(8, 7)

_QRResult: Any = type(np.linalg.qr(np.eye(1)))


def _qr_kernel(a: Any) -> Any:
    q, r = np.linalg.qr(a)
    return np.concatenate([q, r], axis=-2)


add_primitive(Primitive("qr", _qr_kernel, cases=(
    case(_TALL[:, :1]), case(_TALL[None, :, 1:]), case(_LARGE))))


@RegisterGradient("qr", reads="output")
def _qr(op: Any) -> Any:
    """d Q = (dA - Q dR) R⁻¹, d R = (S - Ω) R, S = Qᴴ dA R⁻¹, Ω = tril(S) - tril(S)ᴴ (Walter and Lehmann 2010)"""
    n = op.output.shape[-1]
    q, r = op.output[..., :-n, :], op.output[..., -n:, :]
    below, eye = np.tri(n, k=-1), np.eye(n)

    def skew(s: Any) -> Any:
        """The anti-Hermitian matrix that has the lower triangle of `s`; R keeps a real diagonal"""
        lower = below * s
        turned = lower - adjoint(lower)
        return turned + 1j * eye * np.imag(s) if s.dtype.kind == "c" else turned

    def divided(x: Any) -> Any:
        """X R⁻¹"""
        return adjoint(np.linalg.solve(adjoint(r), adjoint(x)))

    def apply(t: Any) -> Any:
        x = divided(t)
        s = adjoint(q) @ x
        turned = skew(s)
        return np.concatenate([x - q @ (s - turned), (s - turned) @ r], axis=-2)

    def back(g: Any) -> Any:
        to_q, to_r = g[..., :-n, :], g[..., -n:, :]
        # The cotangents of S and of Ω; that of Ω goes to the lower triangle it was made from.
        of_s = to_r @ adjoint(r) - adjoint(q) @ to_q
        of_turned = -of_s
        lower = below * (of_turned - adjoint(of_turned))
        if of_s.dtype.kind == "c":
            lower = lower + 1j * eye * np.imag(of_turned)
        return adjoint(np.linalg.solve(r, adjoint(to_q + q @ (of_s + lower))))

    return Linear(apply, back)


# ---------------------------------------------------------------------- the other columns of Q


def _lu_kernel(a: Any) -> Any:
    """Both triangles in one matrix, without exchanging rows: Q less the identity needs no pivots."""
    lu = a + np.zeros_like(a)
    for k in range(a.shape[-1] - 1):
        lu[..., k + 1:, k] /= lu[..., k, k, None]
        lu[..., k + 1:, k + 1:] -= lu[..., k + 1:, k, None] * lu[..., k, None, k + 1:]
    return lu


add_primitive(Primitive("lu", _lu_kernel, cases=(case(_SQUARE[:2, :2].copy()), case(_SQUARE[None, :2, :2] + 0.5))))


@RegisterGradient("lu", reads="output")
def _lu(op: Any) -> Any:
    """d L = L tril(W), d U = triu(W) U, with W = L⁻¹ dA U⁻¹ and the diagonal in the latter"""
    n = op.output.shape[-1]
    lower, upper = np.tril(op.output, -1) + np.eye(n, dtype=op.output.dtype), np.triu(op.output)

    def apply(t: Any) -> Any:
        w = adjoint(np.linalg.solve(adjoint(upper), adjoint(np.linalg.solve(lower, t))))
        return lower @ np.tril(w, -1) + np.triu(w) @ upper

    def back(g: Any) -> Any:
        w = np.tril(adjoint(lower) @ np.tril(g, -1), -1) + np.triu(np.triu(g) @ adjoint(upper))
        return adjoint(np.linalg.solve(upper, adjoint(np.linalg.solve(adjoint(lower), w))))

    return Linear(apply, back)


def _completed(q: Any, a: Any) -> Any:
    """All columns of Q, from the first ones.

    LAPACK's Q is a product of reflections, I - V T Vᴴ. So the first columns less those of the identity are -V T V₁ᴴ,
    the product of a unit lower triangle and an upper one, which gives back V (Ballard et al. 2014).
    """
    rows, k = q.shape[-2:]
    eye, plain = np.eye(rows, dtype=q.dtype), value_of(a[..., :k])
    if np.any(np.linalg.qr(plain, "raw")[1] == 0):
        # LAPACK reflects nothing where a column has only zeros below, though it would for any other number there.
        others = PRIMITIVES["complement"](q, basis=np.linalg.qr(plain, "complete")[0][..., k:])
        return np.concatenate([q, others], axis=-1)
    factors = PRIMITIVES["lu"](q[..., :k, :] - eye[:k, :k])
    first = np.tril(factors, -1) + eye[:k, :k]
    below = np.linalg.solve(np.triu(factors).mT, q[..., k:, :].mT).mT
    others = (q - eye[:, :k]) @ np.linalg.solve(adjoint(first), adjoint(below)) + eye[:, k:]
    return np.concatenate([q, others], axis=-1)


@implements(np.linalg.qr)
def _qr_of(a: Any, mode: Any = "reduced") -> Any:
    if a.ndim < 2:
        np.linalg.qr(value_of(a))  # NumPy's own error
    rows, columns = a.shape[-2:]
    k = min(rows, columns)
    if mode not in ("reduced", "r", "complete"):
        np.linalg.qr(value_of(a), mode)  # NumPy's own error
        raise NotImplementedError(f"np.linalg.qr: mode={mode!r} has no derivative here; use 'reduced', 'complete' or "
                                  "'r'")
    if k == 0:
        return _of_nothing(a, mode)
    both = PRIMITIVES["qr"](a[..., :k] if columns > k else a)
    q, r = both[..., :rows, :], both[..., rows:, :]
    if columns > k:
        r = np.concatenate([r, adjoint(q) @ a[..., k:]], axis=-1)
    if mode == "r":
        return r
    if mode == "complete" and rows > k:
        q = _completed(q, a)
        r = np.concatenate([r, np.zeros((*r.shape[:-2], rows - k, columns), r.dtype)], axis=-2)
    return _QRResult(q, r)


def _of_nothing(a: Any, mode: Any) -> Any:
    """Of a matrix without rows or columns: constants, but tensors as all results are"""
    nothing = np.sum(np.reshape(a, (*a.shape[:-2], 0)), axis=-1)[..., None, None]
    results = np.linalg.qr(value_of(a), mode)
    return results + nothing if mode == "r" else _QRResult(*[result + nothing for result in results])
