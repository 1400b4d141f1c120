"""Products and solutions with sparse matrices, of tensors or arrays.

The matrix is a ``scipy.sparse`` array or matrix, a constant; to differentiate in its nonzero elements too, give them as
``data``, in the order of ``A.tocoo()``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.arguments import as_operand
from ..registry import Linear, Primitive, RegisterGradient, add_primitive, case

try:
    from scipy import sparse as _sparse
    from scipy.sparse import linalg as _linalg
except ImportError:
    raise ImportError('tapead.scipy needs SciPy: pip install "tapead[scipy]"') from None

__all__ = ["matmul", "spsolve"]


def _columns(x: Any) -> Any:
    return np.reshape(x, (*x.shape, 1)) if x.ndim == 1 else x


def _product(data: Any, x: Any, rows: Any = None, columns: Any = None, shape: Any = None) -> Any:
    return _sparse.csr_array((data, (rows, columns)), shape=shape) @ x


def _solution(data: Any, b: Any, rows: Any = None, columns: Any = None, shape: Any = None) -> Any:
    result = _linalg.spsolve(_sparse.csc_array((data, (rows, columns)), shape=shape), b)
    return np.reshape(result, b.shape)


_PATTERN: dict[str, Any] = {"rows": np.array([0, 1, 1, 2]), "columns": np.array([0, 1, 2, 2]), "shape": (3, 3)}
_DATA = np.array([2.0, 3.0, -1.0, 1.5])
_CASES = (case(_DATA, (3,), **_PATTERN), case(_DATA, (3, 2), **_PATTERN))
_PRODUCT = add_primitive(Primitive("sparse_matmul", _product, cases=_CASES))
_SOLVE = add_primitive(Primitive("sparse_solve", _solution, cases=_CASES))


def _turned(attrs: dict[str, Any]) -> dict[str, Any]:
    return {"rows": attrs["columns"], "columns": attrs["rows"], "shape": attrs["shape"][::-1]}


def _outer(left: Any, right: Any, attrs: dict[str, Any]) -> Any:
    """The elements of left rightᴴ that the pattern has"""
    return np.sum(_columns(left)[attrs["rows"]] * np.conj(_columns(right)[attrs["columns"]]), axis=-1)


@RegisterGradient("sparse_matmul")
def _matmul_rule(op: Any) -> Any:
    """d (A x) = dA x + A dx"""
    data, x = op.inputs
    attrs = op.attrs
    return (Linear(lambda t: _PRODUCT(t, x, **attrs), lambda g: _outer(g, x, attrs)),
            Linear(lambda t: _PRODUCT(data, t, **attrs), lambda g: _PRODUCT(np.conj(data), g, **_turned(attrs))))


@RegisterGradient("sparse_solve")
def _solve_rule(op: Any) -> Any:
    """d (A⁻¹ b) = A⁻¹ (db - dA x), with x the result"""
    data = op.inputs[0]
    x, attrs = op.output, op.attrs

    def back(g: Any) -> Any:
        return _SOLVE(np.conj(data), g, **_turned(attrs))

    return (Linear(lambda t: -_SOLVE(data, _PRODUCT(t, x, **attrs), **attrs), lambda g: -_outer(back(g), x, attrs)),
            Linear(lambda t: _SOLVE(data, t, **attrs), back))


def _read(a: Any, data: Any) -> tuple[Any, dict[str, Any]]:
    if not _sparse.issparse(a):
        raise TypeError(f"expected a scipy.sparse matrix or array, got {type(a).__name__}; for dense ones use "
                        "np.matmul and np.linalg.solve")
    coo = a.tocoo()
    elements = coo.data if data is None else data
    if np.shape(elements) != coo.data.shape:
        raise ValueError(f"data has shape {np.shape(elements)}, the matrix {coo.data.size} stored elements")
    return elements, {"rows": coo.row, "columns": coo.col, "shape": coo.shape}


def matmul(A: Any, x: Any, data: Any = None) -> Any:  # noqa: N803 -- what a matrix is called
    """The product of a sparse matrix and a vector or matrix, in either order: what ``A @ x`` and ``x @ A`` are.

    Parameters
    ----------
    A : sparse matrix or array
        The pattern, and the elements unless `data` is given.
    x : array_like or Tensor
        A vector, or a matrix. In the place of `A` if that is in the place of `x`.
    data : array_like or Tensor, optional
        The elements, in the order of ``A.tocoo()``.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse
    >>> import tapead as ta
    >>> from tapead.scipy.sparse import matmul
    >>> A = scipy.sparse.csr_array([[2.0, 0.0], [1.0, 3.0]])
    >>> ta.grad(lambda x: matmul(A, x).sum())(np.ones(2))
    array([3., 3.])
    """
    if _sparse.issparse(x):
        elements, pattern = _read(x, data)
        left = as_operand(A)
        return _PRODUCT(elements, left.T, **_turned(pattern)).T
    elements, pattern = _read(A, data)
    return _PRODUCT(elements, as_operand(x), **pattern)


def spsolve(A: Any, b: Any, data: Any = None) -> Any:  # noqa: N803 -- what a matrix is called
    """The solution x of A x = b with a sparse matrix A.

    Parameters
    ----------
    A : sparse matrix or array
        Square: the pattern, and the elements unless `data` is given.
    b : array_like or Tensor
        A vector, or a matrix.
    data : array_like or Tensor, optional
        The elements, in the order of ``A.tocoo()``.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse
    >>> import tapead as ta
    >>> from tapead.scipy.sparse import spsolve
    >>> A = scipy.sparse.csr_array([[2.0, 0.0], [1.0, 4.0]])
    >>> ta.grad(lambda b: spsolve(A, b).sum())(np.ones(2))
    array([0.375, 0.25 ])
    """
    elements, pattern = _read(A, data)
    return _SOLVE(elements, as_operand(b), **pattern)
