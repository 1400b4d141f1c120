"""tapead.scipy.linalg: SciPy's values and errors, both modes, second order, every argument."""

from __future__ import annotations

import numpy as np
import pytest
from agreement import check, draw

pytest.importorskip("scipy")

import scipy.linalg

import tapead as ta
from tapead.scipy import linalg

kinds = pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])


def numbers(shape, complex_=False, seed=0):
    values = draw(*shape, seed=seed)
    return values + 1j * draw(*shape, seed=seed + 50) if complex_ else values


def square(n, complex_=False, seed=0):
    return numbers((n, n), complex_, seed) + 4 * np.eye(n)


def positive(a):
    return a @ np.conj(a.T) + 0.5 * np.eye(a.shape[-1])


@kinds
@pytest.mark.parametrize("trans", [0, 1, 2, "C"])
@pytest.mark.parametrize("lower", [False, True])
def test_solve_triangular(trans, lower, complex_):
    a = square(3, complex_)
    check(lambda a, b: linalg.solve_triangular(a, b, trans=trans, lower=lower), a, numbers((3, 2), complex_, 1))
    check(lambda a, b: linalg.solve_triangular(a, b, trans, lower, True), a / 4, numbers((3,), complex_, 1))


@kinds
@pytest.mark.parametrize("lower", [False, True])
def test_cholesky_and_what_solves_with_it(lower, complex_):
    a, b = square(3, complex_), numbers((3,), complex_, 1)
    check(lambda a: linalg.cholesky(positive(a), lower), a)
    check(lambda a, b: linalg.cho_solve(linalg.cho_factor(positive(a), lower), b), a, b)
    factor, flag = linalg.cho_factor(ta.tensor(positive(a), requires_grad=True), lower)
    assert flag is lower
    np.testing.assert_allclose(factor.data, scipy.linalg.cholesky(positive(a), lower), rtol=1e-14, atol=1e-15)


@kinds
@pytest.mark.parametrize("trans", [0, 1, 2])
def test_lu_solve(trans, complex_):
    lu, pivots = scipy.linalg.lu_factor(numbers((3, 3), complex_) + np.eye(3))
    assert list(pivots) != [0, 1, 2]
    check(lambda lu, b: linalg.lu_solve((lu, pivots), b, trans), lu, numbers((3,), complex_, 1))
    check(lambda lu, b: linalg.lu_solve((lu, pivots), b, trans), lu, numbers((3, 2), complex_, 1))


@kinds
@pytest.mark.parametrize("transposed", [False, True])
def test_solve(transposed, complex_):
    a, b = square(3, complex_), numbers((3,), complex_, 1)
    for kind in () if complex_ and transposed else (None, "gen", "upper triangular", "lower triangular"):
        check(lambda a, b, k=kind: linalg.solve(a, b, assume_a=k, transposed=transposed), a, b)
    check(lambda a, b: linalg.solve(positive(a), b, assume_a="pos"), a, b)
    check(lambda a, b: linalg.solve(a + a.T, b, assume_a="sym"), a, b)
    with pytest.raises(NotImplementedError, match="banded"):
        linalg.solve(ta.tensor(a), b, assume_a="banded")


@kinds
def test_inv_and_det(complex_):
    check(linalg.inv, square(3, complex_))
    check(linalg.det, square(3, complex_))
    with pytest.raises(NotImplementedError, match="assume_a"):
        linalg.inv(ta.tensor(square(3), requires_grad=True), assume_a="pos")


@kinds
def test_solve_sylvester(complex_):
    check(linalg.solve_sylvester, square(3, complex_), square(2, complex_, 1), numbers((3, 2), complex_, 2))


@kinds
@pytest.mark.parametrize("widths", [(1, 1), (2, 0), (0, 1), (1, 2)], ids=str)
def test_solve_banded(widths, complex_):
    ab = numbers((sum(widths) + 1, 5), complex_)
    ab[widths[1]] += 5
    check(lambda ab, b: linalg.solve_banded(widths, ab, b), ab, numbers((5,), complex_, 1))
    check(lambda ab, b: linalg.solve_banded(widths, ab, b), ab, numbers((5, 2), complex_, 1))


@kinds
def test_functions_of_matrices(complex_):
    a = numbers((3, 3), complex_) / 2
    check(linalg.expm, a)
    check(linalg.logm, square(3, complex_))
    check(linalg.sqrtm, square(3, complex_))


def test_expm_of_stacks_and_of_equal_eigenvalues():
    check(linalg.expm, numbers((2, 2, 2)))
    direction = numbers((3, 3))
    np.testing.assert_allclose(ta.jvp(linalg.expm, (np.zeros((3, 3)),), (direction,))[1], direction, rtol=1e-14)
    np.testing.assert_allclose(ta.jvp(linalg.logm, (np.eye(3),), (direction,))[1], direction, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(ta.jvp(linalg.sqrtm, (np.eye(3),), (direction,))[1], direction / 2, rtol=1e-14)


def test_functions_of_matrices_undo_each_other():
    a = square(3) / 2
    for identity in (lambda a: linalg.expm(linalg.logm(a)), lambda a: linalg.sqrtm(a) @ linalg.sqrtm(a)):
        np.testing.assert_allclose(ta.jacobian(identity)(a).reshape(9, 9), np.eye(9), atol=1e-12)


@kinds
def test_matrices_from_parts(complex_):
    c, r = numbers((3,), complex_), numbers((4,), complex_, 1)
    check(linalg.toeplitz, c, r)
    check(linalg.toeplitz, c)
    check(linalg.block_diag, numbers((2, 3), complex_), numbers((1, 2), complex_, 1), numbers((3,), complex_, 2))


def test_without_tensors_they_are_scipys_own():
    a, b = square(3), numbers((3,))
    for name in linalg.__all__:
        assert callable(getattr(linalg, name)) and getattr(linalg, name).__doc__.startswith(f"``scipy.linalg.{name}``")
    assert type(linalg.solve(a, b)) is np.ndarray
    np.testing.assert_array_equal(linalg.expm(a), scipy.linalg.expm(a))
    np.testing.assert_array_equal(linalg.inv(a, assume_a="pos"), scipy.linalg.inv(a, assume_a="pos"))


def test_stacks_that_are_not_covered_raise():
    stack = ta.tensor(np.stack([np.eye(2), np.eye(2)]), requires_grad=True)
    for call in (linalg.logm, linalg.sqrtm, lambda a: linalg.solve_triangular(a, np.ones(2))):
        with pytest.raises(NotImplementedError, match=r"np\.stack"):
            call(stack)
