"""Polynomials by their coefficients: what samples of calls do not show (see namespace_calls for those)."""

from __future__ import annotations

import numpy as np
import pytest
from agreement import check, draw

import tapead as ta


@pytest.mark.parametrize("p", [[1.0, -6.0, 11.0, -6.0], [2.0, 1.0, 3.5], [1.5, -1.0, 0.0], [1.0, 2.0 + 1j, 0.5]],
                         ids=str)
def test_roots_move_with_every_coefficient(p):
    check(np.roots, np.array(p))


def test_roots_beside_a_vanishing_leading_coefficient():
    # The root that comes from infinity is not NumPy's; the other one moves all the same.
    p = np.array([0.0, 2.0, -3.0])
    moved = (np.roots([1e-7, 2.0, -3.0])[-1] - 1.5) / 1e-7
    np.testing.assert_allclose(ta.grad(lambda p: np.sum(np.roots(p)))(p), [-1.125, -0.75, -0.5])
    np.testing.assert_allclose(moved, -1.125, rtol=1e-5)


def test_roots_of_a_constant_and_of_zero():
    for p in ([3.0], [0.0, 0.0]):
        assert np.roots(ta.tensor(p, requires_grad=True)).shape == (0,)


def test_roots_and_poly_are_inverse():
    zeros = np.array([0.5, -1.25, 2.0])
    np.testing.assert_allclose(ta.jacobian(lambda z: np.sort(np.roots(np.poly(z))))(zeros), np.eye(3)[[1, 0, 2]],
                               atol=1e-13)
    assert np.poly(ta.tensor([])) == np.poly([])
    pair = np.array([1.0 + 2j, 1.0 - 2j])
    assert np.poly(ta.tensor(pair, requires_grad=True)).dtype == float


def test_fits_warn_and_refuse_as_numpy_does():
    x = ta.tensor([1.0, 1.0, 1.0], requires_grad=True)
    with pytest.warns(np.exceptions.RankWarning, match="poorly conditioned"):
        np.polyfit(x, [1.0, 2.0, 3.0], 2)
    for arguments, message in [((x, x, -1), "deg"), ((x[:2], x, 1), "same length"), ((x[None], x, 1), "1D vector"),
                               ((x[:0], x, 1), "non-empty"), ((x, x[0], 1), "1D or 2D")]:
        with pytest.raises((TypeError, ValueError), match=message):
            np.polyfit(*arguments)
    with pytest.raises(ValueError, match="exceed order"):
        np.polyfit(np.arange(2.0), x[:2], 1, cov=True)


def test_poly1d_with_tracked_coefficients():
    def value(c, x):
        p = np.poly1d(c)
        return (p * p - 2 * p.deriv() + p.integ())(x)

    check(value, draw(3), 0.7)
    assert isinstance(np.polymul(np.poly1d([1.0, 2.0]), ta.tensor([1.0, 3.0], requires_grad=True)), np.poly1d)


def test_a_polynomial_has_one_axis():
    matrix = ta.tensor(np.ones((2, 2)), requires_grad=True)
    for call in (lambda: np.polymul(matrix, matrix), lambda: np.polyder(matrix), lambda: np.roots(matrix),
                 lambda: np.poly(matrix[:1])):
        with pytest.raises(ValueError, match=r"1d|rank-1"):
            call()
    for call in (lambda: np.polyder(matrix[0], -1), lambda: np.polyint(matrix[0], -1),
                 lambda: np.polyint(matrix[0], 3, [1.0, 2.0])):
        with pytest.raises(ValueError, match=r"positive|k must be"):
            call()
