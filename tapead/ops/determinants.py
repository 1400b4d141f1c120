"""Determinants, their logarithms, cofactors, and Cholesky's factor."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..registry import PRIMITIVES, Linear, Primitive, RegisterGradient, add_primitive, case, implements, value_of
from .matrices import adjoint, diagonal, put_on_diagonal

_SQUARE = np.array([[2.0, 0.3], [0.7, 1.6]])
_STACK = np.array([[[1.2, -0.6], [0.4, 1.9]]])
_COMPLEX = np.array([[1.5 + 0.5j, 0.3 - 0.2j], [-0.4 + 0.7j, 1.2 - 0.9j]])
_POSITIVE = np.array([[2.0, 0.3], [0.3, 1.5]])


def _conj(x: Any) -> Any:
    return np.conj(x) if x.dtype.kind == "c" else x


# ---------------------------------------------------------------------- det

add_primitive(Primitive("det", lambda a: np.linalg.det(a), cases=(case(_SQUARE), case(_STACK), case(_COMPLEX))))


@RegisterGradient("det", reads="inputs")
def _det(op: Any) -> Any:
    """d det A = Σ Cᵢⱼ dAᵢⱼ with the cofactors C, which exist for singular matrices too"""
    (a,) = op.inputs
    cofactor = PRIMITIVES["cofactor"](a)
    return Linear(lambda t: np.sum(cofactor * t, axis=(-2, -1)), lambda g: g[..., None, None] * _conj(cofactor))


@implements(np.linalg.det)
def _det_of(a: Any) -> Any:
    return PRIMITIVES["det"](a)


#: A matrix is as good as singular for det · A⁻¹ from this condition number on.
_SINGULAR = 1e5
#: Up to this size the characteristic polynomial can be computed without losing many digits.
_FEW = 10


def _cofactor_kernel(a: Any) -> Any:
    """The transposed adjugate: det(A) A⁻ᵀ, by singular values where that would lose digits."""
    if not a.size:
        return a
    try:
        inverse = np.linalg.inv(a)
        size = np.max(np.abs(a), (-2, -1)) * np.max(np.abs(inverse), (-2, -1))
        if np.all(size * a.shape[-1] < _SINGULAR):
            return np.linalg.det(a)[..., None, None] * np.swapaxes(inverse, -1, -2)
    except np.linalg.LinAlgError:
        pass
    u, s, vh = np.linalg.svd(a)
    phase = np.linalg.det(u) * np.linalg.det(vh)
    others = np.prod(np.where(np.eye(s.shape[-1], dtype=bool), 1.0, s[..., None, :]), axis=-1, dtype=s.dtype)
    return phase[..., None, None] * ((np.conj(u) * others[..., None, :]) @ np.conj(vh))


add_primitive(Primitive("cofactor", _cofactor_kernel, cases=(
    case(_SQUARE), case(_STACK), case(np.array([[1.3]])))))


@RegisterGradient("cofactor")
def _cofactor(op: Any) -> Any:
    """d C = (C ⟨C, dA⟩ - C dAᵀ C) / det A; of a singular A by its singular values, in which C is a polynomial"""
    (a,), c = op.inputs, op.output
    if not a.size:
        return 0
    det = np.linalg.det(a)
    size = np.max(np.abs(value_of(a)), axis=(-2, -1)) * np.max(np.abs(value_of(c)), axis=(-2, -1)) * a.shape[-1]
    if np.any(np.abs(value_of(det)) * _SINGULAR <= size):
        return _singular_cofactor(a) if value_of(a) is a else _polynomial_cofactor(a)
    scale = (1.0 / det)[..., None, None]

    def change(c: Any, t: Any, scale: Any) -> Any:
        return scale * (np.sum(c * t, axis=(-2, -1), keepdims=True) * c - c @ t.mT @ c)

    return Linear(lambda t: change(c, t, scale), lambda g: change(_conj(c), g, _conj(scale)))


def _singular_cofactor(a: Any) -> Linear:
    u, s, vh = np.linalg.svd(a)
    n = s.shape[-1]
    phase = (np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
    same = np.eye(n, dtype=bool)
    others = np.prod(np.where(same[:, None, :] | same[None, :, :], 1.0, s[..., None, None, :]), axis=-1) * ~same

    def change(t: Any) -> Any:
        straight = np.sum(others * diagonal(t)[..., None, :], axis=-1)
        return put_on_diagonal(straight) - others * t.mT

    left, right = np.conj(u), np.conj(vh)
    return Linear(lambda t: phase * (left @ change(adjoint(u) @ t @ adjoint(vh)) @ right),
                  lambda g: u @ change(_conj(phase) * (adjoint(left) @ g @ adjoint(right))) @ vh)


def _polynomial_cofactor(a: Any) -> Linear:
    """The same where it is to be differentiated again, by Faddeev and LeVerrier's recurrence, a polynomial in A."""
    n = a.shape[-1]
    if n > _FEW:
        raise NotImplementedError(f"np.linalg.det: the third derivative at a singular matrix is covered up to {_FEW} x "
                                  f"{_FEW}, this one is {n} x {n}")
    eye = np.eye(n)

    def trace(x: Any) -> Any:
        return np.sum(diagonal(x), axis=-1)[..., None, None]

    def change(a: Any, t: Any) -> Any:
        """M₁ = I, c = -tr(A Mₖ) / k, Mₖ₊₁ = A Mₖ + c I; the adjugate is ±Mₙ, and this is its differential."""
        matrix, moved = eye, np.zeros_like(eye)
        for k in range(1, n):
            product, moving = a @ matrix, t @ matrix + a @ moved
            matrix, moved = product - trace(product) / k * eye, moving - trace(moving) / k * eye
        return (-1) ** (n - 1) * moved.mT

    return Linear(lambda t: change(a, t), lambda g: change(_conj(a), g))


# ---------------------------------------------------------------------- slogdet


def _slogdet_kernel(a: Any) -> Any:
    sign, logarithm = np.linalg.slogdet(a)
    return np.stack([sign, logarithm])


add_primitive(Primitive("slogdet", _slogdet_kernel, cases=(case(_SQUARE), case(_STACK))))


@RegisterGradient("slogdet")
def _slogdet(op: Any) -> Any:
    """d log|det A| = Re tr(A⁻¹ dA), d sign = i sign Im tr(A⁻¹ dA)"""
    (a,), sign = op.inputs, op.output[0]
    try:
        inverse = _inverse(a.mT)
    except np.linalg.LinAlgError:
        inverse = _infinite_inverse(a.mT, np.isneginf(value_of(np.real(op.output[1]))))
    if op.output.dtype.kind != "c":
        return Linear(lambda t: np.stack([sign * 0.0, np.sum(inverse * t, axis=(-2, -1))]),
                      lambda g: g[1][..., None, None] * inverse)

    def apply(t: Any) -> Any:
        trace = np.sum(inverse * t, axis=(-2, -1))
        return np.stack([1j * sign * np.imag(trace), np.real(trace)])

    def back(g: Any) -> Any:
        weight = np.real(g[1]) - 1j * np.imag(sign * np.conj(g[0]))
        return weight[..., None, None] * np.conj(inverse)

    return Linear(apply, back)


def _inverse(a: Any) -> Any:
    """A⁻¹; for a positive definite matrix L⁻ᵀ L⁻¹ with Cholesky's factor: in less time and to more digits"""
    if (a.__class__ is np.ndarray and a.ndim == 2 and len(a) >= _QUARTER and a.dtype.kind == "f"
            and np.all(a.diagonal() > 0) and np.array_equal(a, a.T)):
        try:
            inverse = _inv_lower_kernel(np.linalg.cholesky(a))
        except np.linalg.LinAlgError:  # not definite
            pass
        else:
            return inverse.T @ inverse
    return np.linalg.inv(a)


def _infinite_inverse(a: Any, singular: Any) -> Any:
    """The limit of the inverses of a stack: infinite where the cofactors of a singular matrix are not zero."""
    singular = np.asarray(singular)[..., None, None]
    c = PRIMITIVES["cofactor"](value_of(a)).mT
    infinite = np.zeros_like(c)
    infinite[c.real != 0] += np.copysign(np.inf, c.real[c.real != 0])
    if c.dtype.kind == "c":
        infinite.imag[c.imag != 0] = np.copysign(np.inf, c.imag[c.imag != 0])
    return np.where(singular, infinite, np.linalg.inv(np.where(singular, np.eye(a.shape[-1], dtype=a.dtype), a)))


_SlogdetResult: Any = type(np.linalg.slogdet(np.eye(1)))


@implements(np.linalg.slogdet)
def _slogdet_of(a: Any) -> Any:
    both = PRIMITIVES["slogdet"](a)
    return _SlogdetResult(both[0], np.real(both[1]))


# ---------------------------------------------------------------------- cholesky

add_primitive(Primitive("cholesky", lambda a: np.linalg.cholesky(a), cases=(
    case(_POSITIVE), case(_POSITIVE[None] + 0.5))))


@RegisterGradient("cholesky", reads="output")
def _cholesky(op: Any) -> Any:
    """d L = L Φ(L⁻¹ dA L⁻ᴴ), where Φ takes the lower triangle and half of the diagonal (Murray 2016)

    The matrix is read from one triangle, as Φ(A) + Φ(A)ᴴ.
    """
    factor = op.output
    n = factor.shape[-1]
    half = np.tri(n, dtype=np.finfo(factor.dtype).dtype)
    half.reshape(-1)[::n + 1] = 0.5
    known = _inverses.pop(op, None) if hasattr(op, "parents") else None
    inverse = PRIMITIVES["inv_lower"](factor) if known is None else known

    def apply(t: Any) -> Any:
        read = half * t
        return factor @ (half * (inverse @ (read + adjoint(read)) @ adjoint(inverse)))

    def back(g: Any) -> Any:
        middle = half * triangular_product(adjoint(factor), g, "UL", "L")
        pulled = triangular_product(adjoint(inverse), triangular_product(middle, inverse, "LL"), "UL")
        return half * (pulled + adjoint(pulled))

    return Linear(apply, back)


#: Inverses of Cholesky's factors, by the entries that made the factors: rules of several entries use one in a sweep.
_inverses: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def inverse_of_factor(entry: Any) -> Any:
    """L⁻¹ for the entry of a tape that computed L, kept until the rule of that entry is asked."""
    inverse = _inverses.get(entry)
    if inverse is None:
        inverse = _inverses[entry] = PRIMITIVES["inv_lower"](entry.output)
    return inverse


#: From twice this size on, a product of triangular matrices is made of those of their quarters; from this size on,
#: triangular factors pay.
_QUARTER = 64


def triangular_product(a: Any, b: Any, shapes: str, wanted: str = "F") -> Any:
    """A B for matrices of which "L" has a lower triangle, "U" an upper one and "F" is full.

    Where a recorded sweep has nothing to ask, products of blocks of zeros are left out, and those of blocks outside the
    triangle that is `wanted`; elsewhere this is A B, so that only that triangle may be used.
    """
    n = a.shape[-1]
    if n < 2 * _QUARTER or a.ndim != 2 or a.__class__ is not np.ndarray or b.__class__ is not np.ndarray:
        return a @ b
    result = np.zeros((n, n), np.result_type(a, b))
    _add_product(result, a, b, shapes, wanted)
    return result


def _add_product(result: Any, a: Any, b: Any, shapes: str, wanted: str) -> None:
    if len(result) < 2 * _QUARTER or shapes + wanted == "FFF":
        result += a @ b
        return
    left, right = shapes[0], shapes[1]
    rows, inner, columns = [(slice(n // 2), slice(n // 2, n)) for n in (*a.shape, b.shape[1])]
    for i in (0, 1):
        for j in (0, 1):
            for k in (0, 1):
                if not (_is_zero(wanted, i, j) or _is_zero(left, i, k) or _is_zero(right, k, j)):
                    _add_product(result[rows[i], columns[j]], a[rows[i], inner[k]], b[inner[k], columns[j]],
                                 (left if i == k else "F") + (right if k == j else "F"), wanted if i == j else "F")


def _is_zero(shape: str, row: int, column: int) -> bool:
    return row < column if shape == "L" else row > column if shape == "U" else False


#: Up to this size LAPACK inverts a triangular matrix faster as any other than by halves.
_SMALL = 32


def _inv_lower_kernel(a: Any) -> Any:
    """The inverse of the lower triangle, by halves: products of matrices do nearly all of the work."""
    n = a.shape[-1]
    if n <= _SMALL:
        return np.linalg.inv(np.tril(a))
    width, inverse = n, np.zeros_like(a)
    while width > _SMALL:
        width = (width + 1) // 2
    starts = range(0, n - width + 1, width)
    leaves = np.linalg.inv(np.tril(np.stack([a[..., start:start + width, start:start + width] for start in starts])))
    for start, leaf in zip(starts, leaves, strict=True):
        inverse[..., start:start + width, start:start + width] = leaf
    if n % width:
        start = n - n % width
        inverse[..., start:, start:] = np.linalg.inv(np.tril(a[..., start:, start:]))
    while width < n:
        for start in range(0, n - width, 2 * width):
            first, second = slice(start, start + width), slice(start + width, start + 2 * width)
            inverse[..., second, first] = -(inverse[..., second, second]
                                            @ (a[..., second, first] @ inverse[..., first, first]))
        width *= 2
    return inverse


add_primitive(Primitive("inv_lower", _inv_lower_kernel, cases=(case(_SQUARE), case(_STACK))))


@RegisterGradient("inv_lower", reads="output")
def _inv_lower(op: Any) -> Any:
    """d L⁻¹ = -L⁻¹ dL L⁻¹, with the adjoint -L⁻ᴴ G L⁻ᴴ, in the lower triangle"""
    inverse = op.output
    return Linear(lambda t: -(inverse @ np.tril(t) @ inverse),
                  lambda g: -np.tril(adjoint(inverse) @ g @ adjoint(inverse)))


@implements(np.linalg.cholesky)
def _cholesky_of(a: Any, /, *, upper: bool = False) -> Any:
    """One triangle is read, and the derivative lies there"""
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError(f"expected a square matrix or a stack of such, got shape {a.shape}")
    cholesky = PRIMITIVES["cholesky"]
    return adjoint(cholesky(adjoint(a))) if upper else cholesky(a)
