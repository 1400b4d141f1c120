"""What np.linalg and np.fft mean on arrays of expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy

from .algebras import Exact, Precise, Unavailable
from .arrays import PRIMITIVE_MEANINGS, DuckArray, wrap
from .functions import algebra_of, means

# ---------------------------------------------------------------------- matrices, one by one


def _stacked(a: DuckArray, function: Callable[[DuckArray], Any]) -> Any:
    """`function` on each matrix of a stack; a tuple of results becomes a tuple of stacks."""
    if a.ndim < 2:
        raise Unavailable("a matrix function of less than two axes")
    lead = a.shape[:-2]
    results = [function(a[place]) for place in np.ndindex(lead)]
    if not results:
        raise Unavailable("an empty stack of matrices")
    if isinstance(results[0], tuple):
        return tuple(_join(part, lead) for part in zip(*results, strict=True))
    return _join(results, lead)


def _join(parts: Any, lead: tuple[int, ...]) -> Any:
    parts = list(parts)
    return np.stack(parts).reshape((*lead, *parts[0].shape)) if lead else parts[0]


def _entries(matrix: Any, algebra: Any, shape: tuple[int, int], dtype: Any) -> DuckArray:
    elements = np.empty(shape, object)
    for place in np.ndindex(shape):
        elements[place] = algebra.number(matrix[place])
    return DuckArray(algebra, elements, dtype)


@means(np.linalg.det)
def _det(a: Any) -> Any:
    def one(matrix: DuckArray) -> Any:
        algebra = matrix.algebra
        if isinstance(algebra, Exact):
            return DuckArray(algebra, sympy.Matrix(matrix.elements).det(method="berkowitz"), matrix.dtype)
        if not matrix.size:
            return wrap(algebra, 1.0)
        context, exact, _ = _numeric(matrix, "det")
        return DuckArray(algebra, context.det(exact), matrix.dtype)

    return _stacked(a, one)


@means(np.linalg.inv)
def _inv(a: Any) -> Any:
    def one(matrix: DuckArray) -> Any:
        algebra = matrix.algebra
        if isinstance(algebra, Exact):
            exact = sympy.Matrix(matrix.elements)
            inverse = exact.adjugate(method="berkowitz") / exact.det(method="berkowitz")
        else:
            context, numbers, _ = _numeric(matrix, "inv")
            inverse = context.inverse(numbers)
        return _entries(inverse, algebra, matrix.shape, matrix.dtype)  # type: ignore[arg-type]  # two axes

    return _stacked(a, one)


@means(np.linalg.solve)
def _solve(a: Any, b: Any) -> Any:
    algebra = algebra_of(a, b)
    a, b = wrap(algebra, a), wrap(algebra, b)
    return np.matmul(np.linalg.inv(a), b)


def _cofactor(a: Any) -> Any:
    """The transposed adjugate"""

    def one(matrix: DuckArray) -> Any:
        algebra = matrix.algebra
        if isinstance(algebra, Exact):
            cofactors = sympy.Matrix(matrix.elements).adjugate(method="berkowitz").T
        else:
            context, exact, _ = _numeric(matrix, "det")
            cofactors = context.inverse(exact).T * context.det(exact)
        return _entries(cofactors, algebra, matrix.shape, matrix.dtype)  # type: ignore[arg-type]  # two axes

    return _stacked(a, one)


def _lu(a: Any) -> Any:
    """Both triangles in one matrix, by elimination without exchanges"""

    def one(matrix: DuckArray) -> Any:
        n = len(matrix)
        rows: list[list[Any]] = [[matrix[i, j] for j in range(n)] for i in range(n)]
        for k in range(n):
            for i in range(k + 1, n):
                rows[i][k] = rows[i][k] / rows[k][k]
                for j in range(k + 1, n):
                    rows[i][j] = rows[i][j] - rows[i][k] * rows[k][j]
        return np.stack([np.stack(row) for row in rows])

    return _stacked(a, one)


PRIMITIVE_MEANINGS["lu"] = _lu
PRIMITIVE_MEANINGS["cofactor"] = _cofactor
PRIMITIVE_MEANINGS["inv_lower"] = lambda a: np.linalg.inv(np.tril(a))


@means(np.linalg.slogdet)
def _slogdet(a: Any) -> Any:
    determinant = np.linalg.det(a)
    size = np.abs(determinant)
    if a.dtype.kind == "c":
        return determinant / size, np.log(size)
    sign = _plain_sign(determinant)
    return sign, np.log(determinant * sign)


def _plain_sign(x: Any) -> Any:
    """The signs at the point where there is one: unlike a formula's they have no derivative at zero."""
    try:
        return wrap(x.algebra, np.sign(x.algebra.keys(x.elements).astype(float)))
    except Unavailable:
        return np.sign(x)


@means(np.linalg.cholesky)
def _cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """Row by row, from the lower triangle (the upper one with `upper`)"""

    def one(matrix: DuckArray) -> Any:
        zero = wrap(matrix.algebra, 0.0)
        rows: list[list[Any]] = []
        for i in range(len(matrix)):
            row: list[Any] = []
            for j in range(i + 1):
                entry = np.conj(matrix[j, i]) if upper else matrix[i, j]
                rest = entry - sum((row[k] * np.conj(rows[j][k] if j < i else row[k]) for k in range(j)), zero)
                row.append(np.sqrt(np.real(rest)) if i == j else rest / rows[j][j])
            rows.append(row)
        full = np.stack([np.stack([*row, *[zero] * (len(matrix) - len(row))]) for row in rows])
        return np.conj(full.mT) if upper else full

    return _stacked(a, one)


def _numeric(matrix: DuckArray, function: str) -> tuple[Any, Any, np.ndarray]:
    """The mpmath context, the matrix in it and in floating point: for what has no closed form."""
    algebra = matrix.algebra
    if not isinstance(algebra, Precise):
        raise Unavailable(f"np.linalg.{function} has no closed form")
    return (algebra.context, algebra.context.matrix(matrix.elements.tolist()),
            matrix.elements.astype(complex if matrix.dtype.kind == "c" else float))


@means(np.linalg.eigh)
def _eigh(a: Any, UPLO: Any = "L") -> Any:  # noqa: N803 -- NumPy's name
    def one(matrix: DuckArray) -> Any:
        lower = np.tril(matrix) if UPLO.upper() == "L" else np.conj(np.triu(matrix)).mT
        below = np.tril(lower, -1)
        context, exact, plain = _numeric(lower + np.conj(below.mT), "eigh")
        values, vectors = (context.eighe if matrix.dtype.kind == "c" else context.eigsy)(exact)
        n = len(matrix)
        result = _entries(vectors, matrix.algebra, (n, n), matrix.dtype)
        return _column(values, matrix, n), _aligned(result, np.linalg.eigh(plain, UPLO)[1])

    return _stacked(a, one)


def _column(values: Any, matrix: DuckArray, length: int) -> DuckArray:
    elements = np.empty(length, object)
    for place in range(length):
        elements[place] = matrix.algebra.call("re(x)", values[place])
    return DuckArray(matrix.algebra, elements, float)


def _aligned(columns: Any, model: np.ndarray, partners: Any = None) -> Any:
    """Columns in the phases that NumPy chose; `partners` (columns too) turn along."""
    products = np.sum(np.conj(columns) * model, axis=0)
    phases = products / np.abs(products) if columns.dtype.kind == "c" else _plain_sign(products)
    return columns * phases if partners is None else (columns * phases, partners * phases)


@means(np.linalg.eig)
def _eig(a: Any) -> Any:
    """In NumPy's order, with columns of length one that have NumPy's signs; of a real matrix with real eigenvalues"""
    if a.dtype.kind == "c":
        raise Unavailable("np.linalg.eig of a complex matrix")

    def one(matrix: DuckArray) -> Any:
        context, exact, plain = _numeric(matrix, "eig")
        values, vectors = context.eig(exact)
        model, columns = np.linalg.eig(plain)
        if model.dtype.kind == "c":
            raise Unavailable("np.linalg.eig of a matrix with complex eigenvalues")
        n = len(matrix)
        order = [min(range(n), key=lambda place: abs(values[place] - value)) for value in model]
        found = _entries(vectors[:, :], matrix.algebra, (n, n), complex).astype(float)[:, order]
        found = found / np.sqrt(np.sum(np.square(found), axis=0))
        return _column([values[place] for place in order], matrix, n), _aligned(found, columns)

    return _stacked(a, one)


@means(np.linalg.eigvalsh)
def _eigvalsh(a: Any, UPLO: Any = "L") -> Any:  # noqa: N803 -- NumPy's name
    return np.linalg.eigh(a, UPLO)[0]


@means(np.linalg.svd)
def _svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    if compute_uv and full_matrices and a.shape[-1] != a.shape[-2]:
        raise Unavailable("the full np.linalg.svd of a matrix that is not square")

    def one(matrix: DuckArray) -> Any:
        context, exact, plain = _numeric(matrix, "svd")
        u, s, vh = (context.svd_c if matrix.dtype.kind == "c" else context.svd_r)(exact)
        rows, columns = matrix.shape
        rank = min(rows, columns)
        left = _entries(u, matrix.algebra, (rows, rank), matrix.dtype)
        right = np.conj(_entries(vh, matrix.algebra, (rank, columns), matrix.dtype).mT)
        left, right = _aligned(left, np.linalg.svd(plain, full_matrices=False)[0], right)
        return left, _column(s, matrix, rank), np.conj(right.mT)

    u, s, vh = _stacked(a, one)
    return (u, s, vh) if compute_uv else s


means(np.linalg.svdvals)(lambda x, /: np.linalg.svd(x, compute_uv=False))


@means(np.linalg.qr)
def _qr(a: Any, mode: str = "reduced") -> Any:
    """Gram and Schmidt's, with the signs that NumPy chose"""
    if mode not in ("reduced", "r") or a.shape[-2] < a.shape[-1]:
        raise Unavailable("np.linalg.qr of a wide matrix, or in this mode")

    def one(matrix: DuckArray) -> Any:
        columns: list[Any] = []
        for j in range(matrix.shape[1]):
            column = matrix[:, j]
            for other in columns:
                column = column - other * np.sum(np.conj(other) * column)
            columns.append(column / np.sqrt(np.sum(np.real(np.conj(column) * column))))
        plain = matrix.algebra.keys(matrix.elements).astype(complex if matrix.dtype.kind == "c" else float)
        q = _aligned(np.stack(columns, axis=1), np.linalg.qr(plain)[0])
        return q, np.triu(np.conj(q.mT) @ matrix)

    q, r = _stacked(a, one)
    return r if mode == "r" else (q, r)


@means(np.linalg.pinv)
def _pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """Of a matrix of full rank"""
    adjoint = np.conj(a.mT)
    if a.shape[-2] >= a.shape[-1]:
        return np.linalg.inv(adjoint @ a) @ adjoint
    return adjoint @ np.linalg.inv(a @ adjoint)


@means(np.linalg.lstsq)
def _lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """Of a matrix of full rank"""
    algebra = algebra_of(a, b)
    a, b = wrap(algebra, a), wrap(algebra, b)
    solution = np.matmul(np.linalg.pinv(a), b)
    residuals: Any = []
    if a.shape[0] > a.shape[1]:
        residuals = np.atleast_1d(np.sum(np.square(np.abs(b - np.matmul(a, solution))), axis=0))
    return solution, residuals, min(a.shape), None


@means(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    matrix = x.ndim == 2 if axis is None else isinstance(axis, tuple) and len(axis) == 2
    if ord is None or (matrix and ord == "fro") or (not matrix and ord == 2):
        squares = np.square(np.real(x)) + (np.square(np.imag(x)) if x.dtype.kind == "c" else 0)
        return np.sqrt(np.sum(squares, axis=axis, keepdims=keepdims))
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if matrix:
        rows, columns = (one % x.ndim for one in axes)
        if ord in (2, -2, "nuc"):
            values = np.linalg.svd(np.moveaxis(x, (rows, columns), (-2, -1)), compute_uv=False)
            result = (np.sum if ord == "nuc" else np.max if ord == 2 else np.min)(values, axis=-1)
        else:
            summed = rows if ord in (1, -1) else columns
            totals = np.sum(np.abs(x), axis=summed, keepdims=True)
            result = (np.max if ord > 0 else np.min)(totals, axis=(rows, columns))
        return np.expand_dims(result, (rows, columns)) if keepdims else result
    size = np.abs(x)
    if ord in (np.inf, -np.inf):
        return (np.max if ord > 0 else np.min)(size, axis=axis, keepdims=keepdims)
    if ord == 0:
        return np.sum(np.where(x != 0, 1.0, 0.0), axis=axis, keepdims=keepdims)
    if ord == 1:
        return np.sum(size, axis=axis, keepdims=keepdims)
    return np.sum(size**ord, axis=axis, keepdims=keepdims) ** (1 / wrap(x.algebra, ord))


# ---------------------------------------------------------------------- Fourier transforms


def _transform(a: Any, n: int | None, axis: int, sign: int, norm: str | None, *, inverse: bool) -> Any:
    """Σ a_j exp(± 2πi jk / n), the transform by its definition"""
    length = a.shape[axis] if n is None else n
    moved = np.moveaxis(a, axis, -1)[..., :length]
    if moved.shape[-1] < length:
        pad = np.zeros((*moved.shape[:-1], length - moved.shape[-1]))
        moved = np.concatenate([moved, pad], axis=-1)
    algebra = a.algebra
    roots = [algebra.call(f"exp({sign}*2*pi*I*x/y)", algebra.number(k), algebra.number(length)) for k in range(length)]
    table = np.array([[roots[j * k % length] for k in range(length)] for j in range(length)], object)
    result = np.matmul(moved.astype(complex), DuckArray(algebra, table, complex))
    if norm == "ortho":
        result = result / np.sqrt(wrap(algebra, length))
    elif (norm == "forward") != inverse:
        result = result / length
    return np.moveaxis(result, -1, axis)


@means(np.fft.fft)
def _fft(a: Any, n: int | None = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    return _transform(a, n, axis, -1, norm, inverse=False)


@means(np.fft.ifft)
def _ifft(a: Any, n: int | None = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    return _transform(a, n, axis, 1, norm, inverse=True)


@means(np.fft.rfft)
def _rfft(a: Any, n: int | None = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    full = np.moveaxis(_fft(a, n, axis, norm), axis, -1)
    return np.moveaxis(full[..., :full.shape[-1] // 2 + 1], -1, axis)


@means(np.fft.irfft)
def _irfft(a: Any, n: int | None = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    """The other half is the conjugate of the first, and what has to be real is taken as real"""
    length = 2 * (a.shape[axis] - 1) if n is None else n
    half = np.moveaxis(a, axis, -1).astype(complex)[..., :length // 2 + 1]
    if half.shape[-1] < length // 2 + 1:
        pad = np.zeros((*half.shape[:-1], length // 2 + 1 - half.shape[-1]), complex)
        half = np.concatenate([half, pad], axis=-1)
    ends = [np.real(half[..., :1]).astype(complex)]
    if length % 2 == 0 and length > 1:
        middle, last = half[..., 1:-1], [np.real(half[..., -1:]).astype(complex)]
    else:
        middle, last = half[..., 1:], []
    full = np.concatenate([*ends, middle, *last, np.conj(middle)[..., ::-1]], axis=-1)
    return np.moveaxis(np.real(_ifft(full, None, -1, norm)), -1, axis)


def _over_axes(one: Callable[..., Any]) -> Callable[..., Any]:
    def call(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
        axes = tuple(range(a.ndim)) if axes is None and s is None else axes
        axes = tuple(range(-len(s), 0)) if axes is None else axes
        for position, axis in enumerate(axes):
            a = one(a, None if s is None else s[position], axis, norm)
        return a

    return call


means(np.fft.fftn)(_over_axes(_fft))
means(np.fft.ifftn)(_over_axes(_ifft))
means(np.fft.fft2)(lambda a, s=None, axes=(-2, -1), norm=None, out=None: np.fft.fftn(a, s, axes, norm))
means(np.fft.ifft2)(lambda a, s=None, axes=(-2, -1), norm=None, out=None: np.fft.ifftn(a, s, axes, norm))
