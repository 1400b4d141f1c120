"""Convolutions, and products and solutions with sparse matrices."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

import scipy.signal
import scipy.sparse
from agreement import check, draw

import tapead as ta
from tapead.scipy import signal, sparse

MATRIX = scipy.sparse.csr_array(np.array([[2.0, 0, 1], [0, 3, 0.5], [0, 0, 1.5]]))
WIDE = scipy.sparse.coo_array(np.array([[2.0, 0, 1], [0, 3, 0.5]]))


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("shapes", [((5,), (3,)), ((3,), (5,)), ((4, 3), (2, 2))])
def test_convolve(shapes, mode):
    a, b = draw(*shapes[0]), draw(*shapes[1], seed=1)
    np.testing.assert_allclose(signal.convolve(a, b, mode), scipy.signal.convolve(a, b, mode), rtol=1e-12, atol=1e-14)
    check(lambda x, y: signal.convolve(x, y, mode, "direct"), a, b)
    check(lambda x, y: signal.fftconvolve(x, y, mode), a, b)


def test_convolve_of_complex_numbers():
    check(lambda x, y: signal.convolve(x, y), draw(4) + 1j * draw(4, seed=1), draw(3) - 1j * draw(3, seed=2))


def test_convolve_refuses_what_scipy_does():
    with pytest.raises(ValueError, match="mode must be"):
        signal.convolve([1.0], [1.0], "some")
    with pytest.raises(ValueError, match="in1 has 1 axes, in2 2"):
        signal.convolve([1.0], [[1.0]])
    with pytest.raises(ValueError, match="at least as large"):
        signal.convolve(np.ones((3, 1)), np.ones((1, 3)), "valid")
    with pytest.raises(NotImplementedError, match="axes="):
        signal.fftconvolve([1.0], [1.0], axes=0)


@pytest.mark.parametrize("shape", [(3,), (3, 2)])
def test_products_and_solutions(shape):
    data, b = MATRIX.tocoo().data, draw(*shape)
    check(lambda d, x: sparse.matmul(MATRIX, x, d), data, b)
    check(lambda x: sparse.matmul(WIDE, x), b)
    check(lambda d, x: sparse.spsolve(MATRIX, x, d), data, b)
    np.testing.assert_allclose(MATRIX @ sparse.spsolve(MATRIX, b), b, rtol=1e-14)


def test_the_gradient_in_the_elements_is_that_of_the_dense_matrix_on_the_pattern():
    b, coo = draw(3), MATRIX.tocoo()
    slopes = ta.grad(lambda d: np.sum(sparse.spsolve(MATRIX, b, d) ** 2))(coo.data)
    dense = ta.grad(lambda m: np.sum(np.linalg.solve(m, b) ** 2))(MATRIX.toarray())
    np.testing.assert_allclose(slopes, dense[coo.row, coo.col], rtol=1e-13)


def test_wrong_matrices_are_named():
    with pytest.raises(TypeError, match="got ndarray"):
        sparse.matmul(np.eye(3), np.ones(3))
    with pytest.raises(ValueError, match="5 stored elements"):
        sparse.spsolve(MATRIX, np.ones(3), np.ones(4))
