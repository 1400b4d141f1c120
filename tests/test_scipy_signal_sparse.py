"""Convolutions, and products and solutions with sparse matrices."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

import scipy.signal
import scipy.sparse
import scipy.sparse.linalg
from agreement import check, draw

import tapead as ta
from tapead.scipy import signal, sparse
from tapead.symbolic import prove

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
    with pytest.raises(ValueError, match="method must be"):
        signal.convolve([1.0], [1.0], method="slow")
    with pytest.raises(ValueError, match="cannot be broadcast"):
        signal.fftconvolve(np.ones((2, 3)), np.ones((3, 3)), axes=1)
    with pytest.raises(ValueError, match="at least as large"):
        signal.fftconvolve(np.ones((4, 2)), np.ones((2, 3)), "valid", axes=(0, 1))


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("call", [((4, 3), (2, 3), 0), ((4, 3), (2, 1), [0]), ((1, 3), (2, 3), 0), ((1, 4), (2, 3), -1),
                                  ((2, 5), (4, 3), (0, 1)), ((2, 3, 4), (2, 2, 1), (1,))], ids=str)
@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
def test_fftconvolve_along_some_axes(call, mode, complex_):
    a, b = draw(*call[0]), draw(*call[1], seed=1)
    a = a + 1j * draw(*call[0], seed=2) if complex_ else a
    if mode == "valid" and call[0] == (2, 5):
        return
    np.testing.assert_allclose(signal.fftconvolve(a, b, mode, call[2]), scipy.signal.fftconvolve(a, b, mode, call[2]),
                               rtol=1e-12, atol=1e-13)
    check(lambda x, y: signal.fftconvolve(x, y, mode, call[2]), a, b)


@pytest.mark.parametrize("name", ["convolve", "fftconvolve"])
def test_scipys_own_convolutions_name_ours(name):
    with pytest.raises(TypeError, match=rf"use tapead\.scipy\.signal\.{name}"):
        getattr(scipy.signal, name)(ta.tensor([1.0], requires_grad=True), [1.0])


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


FORMATS = [kind(MATRIX.toarray()) for kind in (
    scipy.sparse.csr_array, scipy.sparse.csc_array, scipy.sparse.coo_array, scipy.sparse.dia_array,
    scipy.sparse.lil_array, scipy.sparse.dok_array, scipy.sparse.csr_matrix)]


@pytest.mark.parametrize("matrix", FORMATS, ids=lambda matrix: type(matrix).__name__)
def test_the_operators_of_sparse_matrices(matrix):
    x, rows = draw(3), draw(2, 3, seed=1)
    check(lambda x: matrix @ x, x)
    check(lambda x: matrix @ x.T, rows)
    check(lambda x: x @ matrix, x)
    check(lambda x: x @ matrix, rows)
    check(lambda x: matrix.T @ (1j * x), x)
    if not isinstance(matrix, scipy.sparse.spmatrix):  # whose sums are np.matrix
        check(lambda x: (matrix + x) * (x - matrix), draw(3, 3))


def test_products_in_either_order_in_the_elements_too():
    x, coo = draw(2, 2), WIDE
    check(lambda d, x: sparse.matmul(x, WIDE, d), coo.data, x)
    check(lambda d, x: sparse.matmul(x, WIDE, d), coo.data, x[0])
    check(lambda z: sparse.spsolve(scipy.sparse.csc_array(MATRIX * (1 + 1j)), z), draw(3) + 1j * draw(3, seed=1))
    check(lambda d: sparse.spsolve(MATRIX, draw(3), d), MATRIX.tocoo().data * (1 + 0.5j))


def test_the_star_of_a_sparse_matrix_is_the_product_and_of_an_array_an_error():
    matrix, x = scipy.sparse.csr_matrix(MATRIX), draw(3)
    check(lambda x: matrix * x, x)
    check(lambda x: x * matrix, x)
    tensor = ta.tensor(x, requires_grad=True)
    with pytest.raises(NotImplementedError, match=r"np\.multiply of a tensor and a csr_array .* use A\.toarray\(\)"):
        tensor * MATRIX
    with pytest.raises(TypeError, match=r"scipy\.sparse\.csr_array makes NumPy arrays"):
        MATRIX * tensor
    with pytest.raises(ValueError, match="mismatch"):
        MATRIX @ ta.tensor(np.ones(4), requires_grad=True)


def test_scipys_own_functions_name_ours():
    x = ta.tensor(draw(3), requires_grad=True)
    with pytest.raises(TypeError, match=r"scipy\.sparse\.linalg\.spsolve .* use tapead\.scipy\.sparse\.spsolve"):
        scipy.sparse.linalg.spsolve(MATRIX, x)
    with pytest.raises(TypeError, match=r"elements of a sparse matrix as data="):
        scipy.sparse.csr_array((x, ([0, 1, 2], [0, 1, 2])))


@pytest.mark.parametrize("name", ["sparse_matmul", "sparse_solve", "signal_convolve"])
def test_the_rules_are_proved(name):
    assert prove(name).status == "PROVED"


def test_gradients_have_the_dtype_of_what_they_belong_to():
    x = draw(3).astype(np.float32)
    for matrix in (MATRIX.astype(np.float32), scipy.sparse.csr_array(np.array([[2, 0, 1], [0, 3, 0], [0, 0, 1]]))):
        out, pull = ta.vjp(lambda x, m=matrix: m @ x, x)
        assert out.dtype == (matrix @ x).dtype and pull(out)[0].dtype == np.float32


def test_wrong_matrices_are_named():
    with pytest.raises(TypeError, match="got ndarray"):
        sparse.matmul(np.eye(3), np.ones(3))
    with pytest.raises(ValueError, match="5 stored elements"):
        sparse.spsolve(MATRIX, np.ones(3), np.ones(4))
