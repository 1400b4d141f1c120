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


@kinds
def test_stacks(complex_):
    stack, other = numbers((2, 1, 3, 3), complex_) + 4 * np.eye(3), numbers((2, 3, 2), complex_, 1)
    for function in (linalg.expm, linalg.logm, linalg.sqrtm):
        check(function, stack / 4, second=function is linalg.sqrtm)
    check(linalg.solve_triangular, stack, other)
    check(lambda a, b: linalg.solve_triangular(a, b, trans=2, lower=True), stack, numbers((3,), complex_, 1))
    check(lambda a, b, q: linalg.solve_sylvester(a, b, q), stack, numbers((2, 2), complex_, 2) + 3 * np.eye(2), other)
    check(lambda a, b: linalg.cho_solve(linalg.cho_factor(a @ np.conj(a.mT)), b), stack, numbers((3,), complex_, 1),
          second=False)


def test_empty_stacks_and_single_numbers():
    for function in (linalg.expm, linalg.logm, linalg.sqrtm, lambda a: linalg.solve_triangular(a, np.ones((3, 2)))):
        out, pull = ta.vjp(function, np.ones((0, 3, 3)))
        assert out.shape[0] == 0 and pull(out)[0].shape == (0, 3, 3)
        check(lambda a, f=function: f(a), np.array([[2.0]])) if function in (linalg.expm, linalg.logm) else None


def test_what_is_not_covered_raises():
    stack = ta.tensor(np.stack([np.eye(3), np.eye(3)]), requires_grad=True)
    for call in (lambda a: linalg.solve_banded((1, 1), a, np.ones(3)), linalg.toeplitz, linalg.block_diag):
        with pytest.raises(NotImplementedError, match=r"np\.stack"):
            call(stack)
    for call in (linalg.expm, linalg.logm, linalg.sqrtm, linalg.lu_factor, lambda a: linalg.solve_triangular(a, a)):
        with pytest.raises(ValueError, match=r"scipy\.linalg\.\w+: expected square matrices"):
            call(stack[0, :2])
    for call, option in ((linalg.logm, "disp"), (linalg.sqrtm, "blocksize")):
        with pytest.raises(NotImplementedError, match=option):
            call(stack, **{option: 3})


@pytest.mark.parametrize("name", ["expm", "logm", "sqrtm", "solve_triangular", "cho_factor", "det", "inv", "lu_factor"])
def test_scipys_own_functions_name_ours(name):
    a = ta.tensor(np.eye(2), requires_grad=True)
    with pytest.raises(TypeError, match=rf"scipy\.linalg\.{name} makes .* use tapead\.scipy\.linalg\.{name}"):
        getattr(scipy.linalg, name)(*[a] * (2 if name == "solve_triangular" else 1))
    with pytest.raises(TypeError, match=r"scipy\.linalg\.polar makes .* has no derivative here"):
        scipy.linalg.polar(a)


@kinds
@pytest.mark.parametrize("lead", [(), (2,)], ids=str)
def test_lu_factor(lead, complex_):
    a, b = numbers((*lead, 3, 3), complex_, 3), numbers((3, 2), complex_, 1)
    factors, pivots = linalg.lu_factor(ta.tensor(a, requires_grad=True))
    expected = scipy.linalg.lu_factor(a)
    np.testing.assert_array_equal(pivots, expected[1])
    np.testing.assert_allclose(factors.data, expected[0], rtol=1e-13, atol=1e-15)
    for trans in (0, 1, 2):
        pull = ta.vjp(lambda a, b, t=trans: linalg.lu_solve(linalg.lu_factor(a), b, t), a, b)
        turned = {0: lambda a: a, 1: lambda a: a.mT, 2: lambda a: np.conj(a.mT)}[trans]
        dense = ta.vjp(lambda a, b, f=turned: np.linalg.solve(f(a), b), a, b)
        np.testing.assert_allclose(pull[0], dense[0], rtol=1e-10)
        cotangent = numbers(dense[0].shape, complex_, 2)
        for found, right in zip(pull[1](cotangent), dense[1](cotangent), strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-10)


def test_matrix_functions_on_a_branch_cut_have_adjoint_modes():
    """The logarithm of minus one is taken as +iπ, also where the matrix is turned."""
    a = np.array([[-1.0, 0.0], [0.3, 2.0]])
    direction, cotangent = numbers((2, 2)), numbers((2, 2), True, 1)
    tangent = ta.jvp(linalg.sqrtm, (a,), (direction,))[1]
    pulled = ta.vjp(linalg.sqrtm, a)[1](cotangent)[0]
    np.testing.assert_allclose(np.sum(pulled * direction), np.sum(np.real(np.conj(cotangent) * tangent)), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_single_precision(dtype):
    a = (np.eye(3) * 2 + 0.1).astype(dtype)
    for function in (linalg.expm, linalg.sqrtm, linalg.inv, linalg.cholesky, linalg.det, linalg.toeplitz,
                     lambda a: linalg.solve_triangular(a, a), lambda a: linalg.solve_sylvester(a, a, a)):
        point = a[0] if function is linalg.toeplitz else a
        out, pull = ta.vjp(function, point)
        assert out.dtype == function(point).dtype
        assert pull(np.ones_like(out))[0].dtype == dtype
        assert ta.jvp(function, (point,), (point,))[1].dtype == out.dtype
