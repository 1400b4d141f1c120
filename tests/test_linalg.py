"""numpy.linalg on tensors: values and types, both modes, second order, stacks, complex numbers, degenerate matrices."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from agreement import check, draw

import tapead as ta
from tapead.ops import determinants
from tapead.ops.matrices import GaugeWarning

SHAPES = [(3, 3), (2, 3, 3)]
kinds = pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def numbers(shape, complex_=False, seed=0):
    values = draw(*shape, seed=seed)
    return values + 1j * draw(*shape, seed=seed + 50) if complex_ else values


def square(shape, complex_=False, seed=0):
    """Matrices far from singular."""
    return numbers(shape, complex_, seed) + 3 * np.eye(shape[-1])


def adjoint(a):
    return np.conj(np.swapaxes(a, -1, -2)) if a.dtype.kind == "c" else np.swapaxes(a, -1, -2)


def positive(a):
    """A positive definite matrix made of any."""
    return a @ adjoint(a) + 0.5 * np.eye(a.shape[-1])


def both(a):
    return a + adjoint(a)


def inner(a, b):
    return np.sum(np.real(np.conj(a) * b))


# ---------------------------------------------------------------------- systems and inverses


@kinds
@pytest.mark.parametrize("call", [((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (2, 3, 1)), ((3, 3), (2, 3, 2)),
                                  ((2, 3, 3), (3, 2)), ((2, 3, 3), (3,))], ids=str)
def test_solve(call, complex_):
    check(np.linalg.solve, square(call[0], complex_), numbers(call[1], not complex_, 1))


def test_solve_takes_lists_and_one_tracked_operand():
    a, b = square((3, 3)), numbers((3,))
    check(lambda a: np.linalg.solve(a, b.tolist()), a)
    check(lambda b: np.linalg.solve(a.tolist(), b), b)


def test_the_two_gradients_of_solve_come_from_one_system(monkeypatch):
    a, b = ta.tensor(square((3, 3)), requires_grad=True), ta.tensor(numbers((3,)), requires_grad=True)
    loss = np.sum(np.linalg.solve(a, b))
    solve, calls = np.linalg.solve, []
    monkeypatch.setattr(np.linalg, "solve", lambda *operands: calls.append(operands) or solve(*operands))
    a_gradient, b_gradient = ta.gradients(loss, (a, b))
    monkeypatch.undo()
    assert len(calls) == 1
    w = np.linalg.solve(a.data.T, np.ones(3))
    np.testing.assert_allclose(b_gradient.data, w, rtol=1e-14)
    np.testing.assert_allclose(a_gradient.data, -np.outer(w, np.linalg.solve(a.data, b.data)), rtol=1e-13)


@kinds
@shapes
@pytest.mark.parametrize("function", [np.linalg.inv, np.linalg.det, np.linalg.pinv], ids=lambda f: f.__name__)
def test_inverses_and_determinants(function, shape, complex_):
    check(function, square(shape, complex_))


@kinds
@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (2, 3, 2)], ids=str)
def test_pinv_of_any_shape(shape, complex_):
    check(np.linalg.pinv, numbers(shape, complex_))


def test_pinv_with_its_options():
    a = positive(square((3, 3)))
    check(lambda a: np.linalg.pinv(both(a), hermitian=True), a)
    check(lambda a: np.linalg.pinv(a, 1e-3), a)
    check(lambda a: np.linalg.pinv(a, rtol=1e-3), a)


def test_pinv_of_a_matrix_without_full_rank_moves_at_constant_rank():
    check(lambda x, y: np.linalg.pinv(np.outer(x, y)), numbers((3,)), numbers((4,), seed=1))


@kinds
@pytest.mark.parametrize("call", [((4, 2), (4,)), ((4, 2), (4, 3)), ((2, 4), (2,)), ((3, 3), (3, 2))], ids=str)
def test_lstsq(call, complex_):
    a, b = numbers(call[0], complex_), numbers(call[1], complex_, 1)
    check(lambda a, b: np.linalg.lstsq(a, b)[0], a, b)
    solution, residuals, rank, values = np.linalg.lstsq(ta.tensor(a, requires_grad=True), b)
    expected = np.linalg.lstsq(a, b)
    assert rank == expected[2] and solution.shape == expected[0].shape
    np.testing.assert_allclose(values.data, expected[3], rtol=1e-13)
    np.testing.assert_allclose(np.asarray(getattr(residuals, "data", residuals)), expected[1], rtol=1e-12)


def test_the_residuals_and_singular_values_of_lstsq():
    a, b = numbers((4, 2)), numbers((4, 3), seed=1)
    pull = ta.vjp(lambda a, b: np.linalg.lstsq(a, b)[1], a, b)[1](np.ones(3))
    rest = b - a @ np.linalg.lstsq(a, b)[0]
    np.testing.assert_allclose(pull[1], 2 * rest, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(pull[0], -2 * rest @ np.linalg.lstsq(a, b)[0].T, rtol=1e-11, atol=1e-12)
    check(lambda a: np.linalg.lstsq(a, b)[3], a)


@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 3, 5, 6])
def test_matrix_power(n):
    check(lambda a: np.linalg.matrix_power(a, n), square((3, 3)))


def test_the_power_zero_is_a_constant_whatever_the_matrix():
    a = np.array([[np.inf, 1.0], [np.nan, 2.0]])
    out, pull = ta.vjp(lambda a: np.linalg.matrix_power(a, 0), a)
    np.testing.assert_array_equal(out, np.eye(2))
    np.testing.assert_array_equal(pull(np.ones((2, 2)))[0], np.zeros((2, 2)))


def test_matrix_power_of_stacks_of_complex_matrices():
    check(lambda a: np.linalg.matrix_power(a, 4), square((2, 2, 2), True))
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.matrix_power(ta.tensor(np.ones((2, 3))), 2)


def test_tensorsolve_and_tensorinv():
    a = draw(6, 6).reshape(2, 3, 6) + 4 * np.eye(6).reshape(2, 3, 6)
    check(np.linalg.tensorsolve, a, numbers((2, 3), seed=1))
    check(lambda a, b: np.linalg.tensorsolve(a, b, axes=(0, 1)), np.moveaxis(a, 2, 0).reshape(2, 3, 6) + a,
          numbers((6,), seed=1))
    check(np.linalg.tensorinv, a)
    check(lambda a: np.linalg.tensorinv(a, ind=1), np.moveaxis(a, 2, 0))


@kinds
def test_multi_dot(complex_):
    a, b, c, d = (numbers(shape, complex_, seed) for seed, shape in enumerate([(2, 4), (4, 3), (3, 5), (5, 1)]))
    check(lambda *arrays: np.linalg.multi_dot(arrays), a, b, c, d)
    check(lambda *arrays: np.linalg.multi_dot(arrays), a[0], b, c[:, 0])
    check(lambda *arrays: np.linalg.multi_dot(arrays), a, b)
    check(lambda *arrays: np.linalg.multi_dot(arrays), a[0, 0], b)
    with pytest.raises(NotImplementedError, match="multi_dot"):
        np.linalg.multi_dot([ta.tensor(a, requires_grad=True), b], out=np.zeros((2, 3), a.dtype))


# ---------------------------------------------------------------------- determinants


@kinds
@shapes
def test_slogdet(shape, complex_):
    check(lambda a: np.linalg.slogdet(a)[1], square(shape, complex_))
    if complex_:
        check(lambda a: np.linalg.slogdet(a)[0], square(shape, complex_))
    else:
        assert not np.any(ta.jacobian(lambda a: np.linalg.slogdet(a)[0])(square(shape)))


SINGULAR = {
    "rank n - 1": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [5.0, 7.0, 9.0]]),
    "rank n - 2": np.outer([1.0, 2.0, -1.0], [3.0, 1.0, 2.0]),
    "zero": np.zeros((3, 3)),
    "nearly singular": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [5.0, 7.0, 9.0 + 1e-12]]),
}


def adjugate(a):
    n = len(a)
    return np.array([[np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) * (-1) ** (i + j) for i in range(n)]
                     for j in range(n)])


@pytest.mark.parametrize("name", SINGULAR)
def test_det_of_a_singular_matrix_has_the_adjugate_as_derivative(name):
    a = SINGULAR[name]
    np.testing.assert_allclose(ta.grad(np.linalg.det)(a), adjugate(a).T, rtol=1e-9, atol=1e-12)
    direction = draw(3, 3, seed=3)
    tangent = ta.jvp(np.linalg.det, (a,), (direction,))[1]
    np.testing.assert_allclose(tangent, np.sum(adjugate(a).T * direction), rtol=1e-9, atol=1e-12)
    # The second derivative is a polynomial too: exact differences of the adjugate.
    expected = (adjugate(a + direction).T - adjugate(a - direction).T) / 2
    np.testing.assert_allclose(ta.hvp(np.linalg.det, a, direction), expected, rtol=1e-8, atol=1e-11)
    forward = ta.jvp(ta.grad(np.linalg.det), (a,), (direction,))[1]
    np.testing.assert_allclose(forward, expected, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("name", SINGULAR)
def test_the_third_derivative_of_det_at_a_singular_matrix(name):
    a, direction = SINGULAR[name], draw(3, 3, seed=3)
    third = ta.grad(ta.grad(ta.grad(lambda t: np.linalg.det(a + t * direction))))(0.0)
    np.testing.assert_allclose(third, 6 * np.linalg.det(direction), rtol=1e-9)
    turned = np.exp(0.3j) * direction
    pulled = ta.grad(ta.grad(ta.grad(lambda t: np.real(np.linalg.det(a + t * turned)))))(0.0)
    np.testing.assert_allclose(pulled, np.real(6 * np.linalg.det(turned)), rtol=1e-9)
    with pytest.raises(NotImplementedError, match="third derivative"):
        ta.grad(ta.grad(ta.grad(lambda t: np.linalg.det(np.zeros((11, 11)) + t))))(0.0)


def test_det_of_a_singular_complex_matrix():
    a = np.outer([1.0, 2.0j, -1.0], [3.0, 1.0 - 1j, 2.0]) + np.outer([0.5, 1.0, 2j], [1.0, 1j, -1.0])
    direction = numbers((3, 3), True)
    tangent = ta.jvp(np.linalg.det, (a,), (direction,))[1]
    np.testing.assert_allclose(tangent, np.sum(adjugate(a).T * direction), rtol=1e-10)
    pulled = ta.vjp(np.linalg.det, a)[1](1.0 + 2j)[0]
    np.testing.assert_allclose(pulled, (1 + 2j) * np.conj(adjugate(a).T), rtol=1e-10, atol=1e-12)


def test_slogdet_of_a_singular_matrix_has_an_infinite_derivative():
    stack = np.stack([np.array([[1.0, 2.0], [2.0, 4.0]]), square((2, 2))])
    got = ta.vjp(lambda a: np.linalg.slogdet(a)[1], stack)[1](np.ones(2))[0]
    np.testing.assert_array_equal(got[0], [[np.inf, -np.inf], [-np.inf, np.inf]])
    np.testing.assert_allclose(got[1], np.linalg.inv(stack[1]).T, rtol=1e-14)


def test_det_of_stacks_with_a_singular_matrix_and_of_nothing():
    stack = np.stack([SINGULAR["rank n - 1"], square((3, 3))])
    got = ta.vjp(np.linalg.det, stack)[1](np.ones(2))[0]
    np.testing.assert_allclose(got, [adjugate(a).T for a in stack], rtol=1e-9, atol=1e-12)
    assert ta.grad(np.linalg.det)(np.zeros((0, 0))).shape == (0, 0)


# ---------------------------------------------------------------------- cholesky


@kinds
@shapes
def test_cholesky(shape, complex_):
    check(lambda a: np.linalg.cholesky(positive(a)), square(shape, complex_))
    check(lambda a: np.linalg.cholesky(positive(a), upper=True), square(shape, complex_))


def test_cholesky_of_a_larger_matrix_goes_by_halves():
    a = positive(numbers((40, 40)) / 10)
    direction = both(numbers((40, 40), seed=1))
    factor, tangent = ta.jvp(np.linalg.cholesky, (a,), (direction,))
    np.testing.assert_allclose(tangent @ factor.T + factor @ tangent.T, direction, rtol=1e-10, atol=1e-10)
    cotangent = numbers((40, 40), seed=2)
    pulled = ta.vjp(np.linalg.cholesky, a)[1](cotangent)[0]
    np.testing.assert_allclose(inner(pulled, direction), inner(cotangent, tangent), rtol=1e-11)


@pytest.mark.parametrize("n", [131, 260])
def test_cholesky_of_a_large_matrix_leaves_blocks_of_zeros_out(n):
    a = positive(numbers((n, n)) / n)
    direction, cotangent = both(numbers((n, n), seed=1)), numbers((n, n), seed=2)
    factor, tangent = ta.jvp(np.linalg.cholesky, (a,), (direction,))
    np.testing.assert_allclose(tangent @ factor.T + factor @ tangent.T, direction, rtol=1e-9, atol=1e-9)
    pulled = ta.vjp(np.linalg.cholesky, a)[1](cotangent)[0]
    np.testing.assert_allclose(inner(pulled, direction), inner(cotangent, tangent), rtol=1e-10)


@pytest.mark.parametrize("turned", [False, True])
def test_systems_of_a_cholesky_factor_share_its_inverse(turned):
    a, b = positive(square((4, 4))), numbers((4, 2))

    def f(a, b):
        factor = np.linalg.cholesky(a)
        return np.linalg.solve(factor.T if turned else factor, b)

    check(f, a, b)
    _, pull = ta.vjp(f, a, b)
    first, second = pull(np.ones((4, 2))), pull(np.ones((4, 2)))
    np.testing.assert_array_equal(first[0], second[0])
    assert not determinants._inverses


@pytest.mark.parametrize("above", [0.0, 0.1])
def test_numpy_reads_one_triangle_and_so_does_the_derivative(above):
    a = positive(square((3, 3))) + np.triu(np.full((3, 3), above), 1)
    for function in (np.linalg.cholesky, np.linalg.eigvalsh, lambda a: np.abs(np.linalg.eigh(a)[1])):
        check(function, a)
        assert ta.gradcheck(function, a).verdict == "pass"
    check(lambda a: np.linalg.cholesky(a, upper=True), a)
    check(lambda a: np.linalg.eigvalsh(a, "U"), a)


# ---------------------------------------------------------------------- eigenvalues


@kinds
@shapes
@pytest.mark.parametrize("uplo", ["L", "U"])
def test_eigh(shape, complex_, uplo):
    a = square(shape, complex_)
    check(lambda a: np.linalg.eigvalsh(both(a), uplo), a)
    check(lambda a: np.linalg.eigh(both(a), uplo)[0], a)
    check(lambda a: np.abs(np.linalg.eigh(both(a), uplo)[1]), a)


@kinds
def test_functions_of_both_eigenvalues_and_eigenvectors(complex_):
    def exponential(a):
        values, vectors = np.linalg.eigh(both(a) / 4)
        return (vectors * np.exp(values)[..., None, :]) @ adjoint(vectors)

    a = square((2, 3, 3), complex_)
    direction = numbers((2, 3, 3), complex_, 4)
    hand = [np.linalg.eigh(both(m) / 4) for m in a]
    tangents = []
    for (values, v), t in zip(hand, both(direction) / 4, strict=True):
        gaps = values[:, None] - values
        rises = np.exp(values)[:, None] - np.exp(values)
        f = np.where(gaps == 0, np.exp(values), rises / np.where(gaps == 0, 1, gaps))
        tangents.append(v @ (f * (adjoint(v) @ t @ v)) @ adjoint(v))
    np.testing.assert_allclose(ta.jvp(exponential, (a,), (direction,))[1], tangents, rtol=1e-10, atol=1e-12)
    cotangent = numbers((2, 3, 3), complex_, 5)
    pulled = ta.vjp(exponential, a)[1](cotangent)[0]
    np.testing.assert_allclose(inner(pulled, direction), inner(cotangent, tangents), rtol=1e-10)


def test_results_are_numpys_named_tuples_of_tensors():
    a = ta.tensor(positive(square((3, 3))), requires_grad=True)
    for function in (np.linalg.eigh, np.linalg.eig, np.linalg.svd, np.linalg.qr, np.linalg.slogdet):
        result, expected = function(a), function(a.data)
        assert type(result) is type(expected)
        for part, value in zip(result, expected, strict=True):
            assert isinstance(part, ta.Tensor)
            assert part.shape == value.shape and part.dtype == value.dtype
            np.testing.assert_allclose(part.data, value, rtol=1e-13, atol=1e-15)


REPEATED = np.diag([2.0, 2.0, 5.0])


def test_repeated_eigenvalues_and_singular_values_have_finite_derivatives():
    for function in (np.linalg.eigvalsh, np.linalg.svdvals, lambda a: np.linalg.eigh(a)[0],
                     lambda a: np.linalg.svd(a)[1]):
        for a in (np.eye(3), np.zeros((3, 3)), REPEATED):
            np.testing.assert_allclose(ta.grad(lambda a, f=function: np.sum(f(a) ** 2))(a), 2 * a, atol=1e-13)
            with warnings.catch_warnings():  # with vectors they warn that single values have no derivative there
                warnings.simplefilter("error" if function in (np.linalg.eigvalsh, np.linalg.svdvals) else "ignore",
                                      GaugeWarning)
                for mode in ("fwd", "rev"):
                    assert np.all(np.isfinite(ta.jacobian(function, mode=mode)(a)))


def test_eigenvalues_that_enter_alike_have_right_second_derivatives_where_they_repeat():
    direction = both(draw(3, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        product = ta.hvp(lambda a: np.sum(np.linalg.eigvalsh(a)), REPEATED, direction)
    np.testing.assert_allclose(product, np.zeros((3, 3)), atol=1e-12)


def total(values):
    return np.log(np.sum(np.exp(values / 4))) + np.sum(values**2)


ALIKE = {
    "eigenvalues": (lambda a: total(np.linalg.eigvalsh(both(a))), [REPEATED, np.eye(3), np.zeros((3, 3))]),
    "Hermitian": (lambda a: total(np.linalg.eigvalsh(both(a))), [np.eye(2) + 0j]),
    "stacks": (lambda a: total(np.linalg.eigvalsh(both(a))), [np.stack([REPEATED, np.diag([1.0, 3.0, 3.0])])]),
    "singular values": (lambda a: total(np.linalg.svdvals(a) ** 2), [
        REPEATED, np.zeros((3, 3)), np.diag([2.0, 0, 0]), np.eye(3)[:, :2], np.eye(3)[:2], np.zeros((3, 2)),
        np.outer([1.0, 2.0, 3.0], [1.0, -1.0]), np.stack([np.eye(2), np.diag([2.0, 0.0])])]),
    "complex": (lambda a: total(np.linalg.svdvals(a) ** 2), [
        np.eye(3, 2) * 1j, np.outer([1.0, 2.0j, 3.0], [1.0, -1.0]), np.zeros((2, 2)) + 0j]),
}


@pytest.mark.parametrize("name", ALIKE)
def test_second_derivatives_of_functions_that_treat_repeated_values_alike(name):
    loss, points = ALIKE[name]
    for a in points:
        direction, other = numbers(a.shape, np.iscomplexobj(a)), numbers(a.shape, np.iscomplexobj(a), 1)

        def along(t, s, loss=loss, a=a, direction=direction, other=other):
            return loss(a + t * direction + s * other)

        step = 1e-3
        expected = (along(step, step) - along(step, -step) - along(-step, step) + along(-step, -step)) / (4 * step**2)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            forward = inner(ta.hvp(loss, a, direction), other)
            reverse = inner(ta.grad(lambda a, d=direction: inner(ta.grad(loss)(a), d))(a), other)
        np.testing.assert_allclose([forward, reverse], expected, rtol=2e-3)
        np.testing.assert_allclose(forward, reverse, rtol=1e-12)


@pytest.mark.parametrize("loss", [
    lambda a: np.sum(np.linalg.eigvalsh(a) ** 2 * np.arange(3)), lambda a: np.linalg.eigvalsh(a)[0] ** 2,
    lambda a: np.sum(np.exp(np.linalg.svdvals(a - REPEATED)))], ids=["weighted", "one of them", "odd"])
def test_second_derivatives_that_do_not_exist_where_values_repeat_are_warned_of(loss):
    with pytest.warns(GaugeWarning, match="second or higher derivative"):
        assert np.all(np.isfinite(ta.hvp(loss, REPEATED, both(draw(3, 3)))))


def test_third_derivatives_where_values_repeat_are_warned_of():
    def along(t):
        return np.sum(np.exp(np.linalg.eigvalsh(REPEATED + t * both(draw(3, 3)))))

    with pytest.warns(GaugeWarning, match="higher derivative"):
        ta.grad(ta.grad(ta.grad(along)))(0.0)


SPECTRAL = {
    "eigh": (lambda a: np.linalg.eigh(a)[0], "eigenvalues split"),
    "eigvals": (lambda a: np.real(np.linalg.eigvals(a)), "eigenvalues split"),
    "svd": (lambda a: np.linalg.svd(a)[1], "singular values split"),
}


@pytest.mark.parametrize("values", [np.linalg.eigvalsh, np.linalg.svdvals], ids=lambda f: f.__name__)
def test_second_derivatives_of_a_forward_sweep_say_what_they_miss(values):
    direction = both(draw(3, 3))

    def pushed(a):
        return ta.jvp(lambda a: np.sum(np.exp(values(a))), (a,), (direction,))[1]

    for second in (lambda: ta.grad(pushed)(REPEATED), lambda: ta.jvp(pushed, (REPEATED,), (direction,))[1]):
        with pytest.warns(GaugeWarning, match="second or higher derivative"):
            assert np.all(np.isfinite(second()))


@pytest.mark.parametrize("name", SPECTRAL)
def test_second_derivatives_that_miss_how_equal_values_split_say_so(name):
    values, message = SPECTRAL[name]
    direction = both(draw(3, 3))

    def loss(a):
        return np.sum(np.exp(values(a)))

    def slope(a):
        return np.sum(ta.grad(loss)(a) * direction)

    def pushed(a):
        return ta.jvp(loss, (a,), (direction,))[1]

    for second in (lambda: ta.hvp(loss, REPEATED, direction), lambda: ta.grad(slope)(REPEATED),
                   lambda: ta.grad(pushed)(REPEATED), lambda: ta.jvp(pushed, (REPEATED,), (direction,))[1]):
        with pytest.warns(GaugeWarning, match=message):
            assert np.all(np.isfinite(second()))


@pytest.mark.parametrize("name", ["eigh", "svd"])
def test_a_forward_sweep_says_that_it_cannot_tell_how_equal_values_split(name):
    def exponential(a):
        if name == "eigh":
            values, vectors = np.linalg.eigh(a)
            return (vectors * np.exp(values)) @ vectors.T
        u, s, vh = np.linalg.svd(a)
        return (u * np.exp(s)) @ vh

    with pytest.warns(GaugeWarning, match="split along this tangent"):
        ta.jvp(exponential, (REPEATED,), (both(draw(3, 3)),))
    # A tangent along which equal values stay equal, or split without turning, needs no warning.
    along = np.diag([1.0, 3.0, 2.0])
    np.testing.assert_allclose(ta.jvp(exponential, (REPEATED,), (along,))[1], np.diag(np.exp([2, 2, 5]) * [1, 3, 2]),
                               rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_close_values_of_a_large_matrix_are_not_taken_for_equal_and_equal_ones_are(dtype):
    generator = np.random.default_rng(3)
    a = generator.normal(size=(80, 80)).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error", GaugeWarning)
        ta.grad(lambda a: np.sum(np.abs(np.linalg.eigh(a)[1])))(both(a))
    basis = np.linalg.qr(a)[0]
    repeated = (basis * np.repeat([dtype(1), dtype(2)], 40)) @ basis.T
    with pytest.warns(GaugeWarning, match="basis"):
        assert np.all(np.isfinite(ta.grad(lambda a: np.sum(np.abs(np.linalg.eigh(a)[1])))(both(repeated))))


def test_values_that_are_weighted_differently_where_they_repeat_are_warned_of():
    def logarithm(a):  # log 1 = 0: of the vectors' cotangent nothing is left
        values, vectors = np.linalg.eigh(a)
        return np.sum(((vectors * np.log(values)) @ vectors.T) * draw(3, 3))

    with pytest.warns(GaugeWarning, match="split"):
        ta.grad(logarithm)(np.eye(3))
    with pytest.warns(GaugeWarning, match="split"):
        ta.grad(lambda a: np.linalg.svd(a)[1][0])(np.eye(3))


def test_a_projection_on_all_vectors_of_a_repeated_eigenvalue_is_smooth():
    def projection(a):
        vectors = np.linalg.eigh(a)[1][:, :2]
        return vectors @ vectors.T

    direction, cotangent = both(draw(3, 3)), both(draw(3, 3, seed=1))
    exact = projection(REPEATED)

    def by_differences(step):
        return (projection(REPEATED + step * direction) - projection(REPEATED - step * direction)) / (2 * step)

    with pytest.warns(GaugeWarning, match="as a whole"):
        tangent = ta.jvp(projection, (REPEATED,), (direction,))[1]
    np.testing.assert_allclose(tangent, by_differences(1e-5), atol=1e-8)
    pulled = ta.vjp(projection, REPEATED)[1](cotangent)[0]
    np.testing.assert_allclose(inner(pulled, direction), inner(cotangent, tangent), rtol=1e-12)
    np.testing.assert_array_equal(exact, np.diag([1.0, 1.0, 0.0]))


@pytest.mark.parametrize("function", [lambda a: np.sum(np.linalg.eigh(a)[1] * np.arange(9.0).reshape(3, 3)),
                                      lambda a: np.linalg.svd(a)[0][0, 1], lambda a: np.linalg.eig(a)[1][0, 1]],
                         ids=["eigh", "svd", "eig"])
def test_what_depends_on_a_choice_within_equal_values_is_warned_of_and_finite(function):
    with pytest.warns(GaugeWarning, match="depends on the basis"):
        gradient = ta.grad(function)(REPEATED)
    assert np.all(np.isfinite(gradient))


def test_what_depends_on_a_phase_is_warned_of():
    a = both(square((3, 3), True))
    with pytest.warns(GaugeWarning, match="phase"):
        ta.grad(lambda a: np.sum(np.imag(np.linalg.eigh(a)[1]) ** 2))(a)
    with pytest.warns(GaugeWarning, match="phase"):
        ta.grad(lambda a: np.sum(np.real(np.linalg.svd(a + 1j * np.triu(a))[0])))(a)


def test_what_cotangents_cannot_tell_where_values_repeat_is_warned_of():
    def function(a):
        values, vectors = np.linalg.eigh(a)
        return inner((vectors * np.exp(values)) @ vectors.T, both(draw(3, 3)))

    with pytest.warns(GaugeWarning, match="split"):
        assert np.all(np.isfinite(ta.grad(function)(REPEATED)))


@kinds
@shapes
def test_eig(shape, complex_):
    a = square(shape, complex_)
    check(np.linalg.eigvals, a)
    check(lambda a: np.linalg.eig(a)[0], a)
    check(lambda a: np.abs(np.linalg.eig(a)[1]), a)


def test_eig_of_a_rotation_has_complex_results_and_a_real_gradient():
    a = np.array([[0.3, -1.2], [1.1, 0.4]])
    values, vectors = np.linalg.eig(ta.tensor(a, requires_grad=True))
    assert values.dtype == vectors.dtype == np.complex128
    check(lambda a: np.imag(np.linalg.eigvals(a)), a)
    np.testing.assert_allclose(ta.grad(lambda a: np.sum(np.real(np.linalg.eigvals(a))))(a), np.eye(2), atol=1e-14)


# ---------------------------------------------------------------------- singular values, QR


@kinds
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 2)], ids=str)
def test_svd(shape, complex_):
    a = numbers(shape, complex_)
    check(np.linalg.svdvals, a)
    check(lambda a: np.linalg.svd(a, compute_uv=False), a)
    for full in (False, True):
        check(lambda a, full=full: np.linalg.svd(a, full_matrices=full)[1], a)
        for part in (0, 2):
            check(lambda a, part=part: np.abs(np.linalg.svd(a, full_matrices=False)[part]), a)


@kinds
@pytest.mark.parametrize("shape", [(4, 2), (2, 4)], ids=str)
def test_projections_on_the_full_bases_of_an_svd(shape, complex_):
    def projection(a):
        u, _, vh = np.linalg.svd(a)
        u, v = u[:, 1:], adjoint(vh)[:, 1:]
        return np.concatenate([np.ravel(u @ adjoint(u)), np.ravel(v @ adjoint(v))])

    a, direction = numbers(shape, complex_), numbers(shape, complex_, 3)
    out, tangent = ta.jvp(projection, (a,), (direction,))
    step = 1e-5
    expected = (projection(a + step * direction) - projection(a - step * direction)) / (2 * step)
    np.testing.assert_allclose(tangent, expected, atol=1e-8)
    cotangent = numbers(out.shape, complex_, 4)
    np.testing.assert_allclose(inner(ta.vjp(projection, a)[1](cotangent)[0], direction), inner(cotangent, tangent),
                               rtol=1e-11)


@kinds
def test_the_polar_factor_is_smooth_where_singular_values_repeat(complex_):
    q = np.linalg.qr(square((3, 3), complex_))[0] * 2

    def polar(a):
        u, _, vh = np.linalg.svd(a, full_matrices=False)
        return u @ vh

    direction, cotangent, step = numbers((3, 3), complex_, 1), numbers((3, 3), complex_, 2), 1e-5
    with pytest.warns(GaugeWarning, match="as a whole"):
        tangent = ta.jvp(polar, (q,), (direction,))[1]
    expected = (polar(q + step * direction) - polar(q - step * direction)) / (2 * step)
    np.testing.assert_allclose(tangent, expected, atol=1e-8)
    pulled = ta.vjp(polar, q)[1](cotangent)[0]
    np.testing.assert_allclose(inner(pulled, direction), inner(cotangent, tangent), rtol=1e-12)


@kinds
def test_the_svd_of_a_hermitian_matrix(complex_):
    a = square((3, 3), complex_) - 3.5 * np.eye(3)
    check(lambda a: np.linalg.svd(both(a), hermitian=True, compute_uv=False), a)
    check(lambda a: np.linalg.svd(both(a), hermitian=True)[1], a)
    for part in (0, 2):
        check(lambda a, part=part: np.abs(np.linalg.svd(both(a), hermitian=True)[part]), a)


@kinds
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 2)], ids=str)
def test_qr(shape, complex_):
    a = numbers(shape, complex_)
    for call in (lambda a: np.linalg.qr(a)[0], lambda a: np.linalg.qr(a)[1], lambda a: np.linalg.qr(a, mode="r")):
        out, tangent = ta.jvp(call, (a,), (numbers(shape, complex_, 1),))
        np.testing.assert_allclose(out, call(a), rtol=1e-13, atol=1e-14)
        check(lambda a, call=call: call(a) * 1.0, a) if shape != (2, 4) else None
        cotangent = numbers(out.shape, complex_, 2)
        pulled = ta.vjp(call, a)[1](cotangent)[0]
        np.testing.assert_allclose(inner(pulled, numbers(shape, complex_, 1)), inner(cotangent, tangent), rtol=1e-10)


@kinds
@pytest.mark.parametrize("shape", [(4, 2), (2, 3, 1), (2, 4), (3, 3)], ids=str)
def test_the_complete_qr_moves_as_lapack_moves_it(shape, complex_):
    a = numbers(shape, complex_, 2)
    expected = np.linalg.qr(a, "complete")
    for got, value in zip(np.linalg.qr(ta.tensor(a, requires_grad=True), "complete"), expected, strict=True):
        np.testing.assert_allclose(got.data, value, rtol=1e-13, atol=1e-15)

    def rotated(a):
        return np.linalg.qr(a, "complete")[0]

    direction, step = numbers(shape, complex_, 3), 1e-4
    out, tangent = ta.jvp(rotated, (a,), (direction,))
    ahead, behind = (rotated(a + sign * step * direction) for sign in (1, -1))
    np.testing.assert_allclose(tangent, (ahead - behind) / (2 * step), atol=1e-6)
    check(lambda a: np.linalg.qr(a, "complete")[1] * 1.0, a)
    cotangent = numbers(out.shape, complex_, 4)
    pulled = ta.vjp(rotated, a)[1](cotangent)[0]
    np.testing.assert_allclose(inner(pulled, direction), inner(cotangent, tangent), rtol=1e-10)


def test_the_complete_qr_where_lapack_reflects_nothing():
    a = np.eye(4)[:, :2]
    q = np.linalg.qr(ta.tensor(a, requires_grad=True), "complete")[0]
    np.testing.assert_allclose(q.data, np.linalg.qr(a, "complete")[0], atol=1e-15)
    direction = numbers((4, 2), seed=3)

    def projection(a):
        rest = np.linalg.qr(a, "complete")[0][:, 2:]
        return rest @ rest.T

    tangent = ta.jvp(projection, (a,), (direction,))[1]
    expected = -np.block([[np.zeros((2, 2)), direction[2:].T], [direction[2:], np.zeros((2, 2))]])
    np.testing.assert_allclose(tangent, expected, atol=1e-14)


def test_other_modes_of_qr_raise():
    a = ta.tensor(numbers((4, 2)), requires_grad=True)
    with pytest.raises(NotImplementedError, match="raw"):
        np.linalg.qr(a, "raw")
    with pytest.raises(ValueError, match="some"):
        np.linalg.qr(a, "some")


@kinds
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3), (0, 2, 2), (0, 0)], ids=str)
def test_matrices_without_elements(shape, complex_):
    a = numbers(shape, complex_)
    for mode in ("reduced", "complete"):
        for part in (0, 1):
            check(lambda a, mode=mode, part=part: np.linalg.qr(a, mode)[part], a)
    check(lambda a: np.linalg.qr(a, "r"), a)
    for function in (np.linalg.svdvals, lambda a: np.linalg.svd(a)[1], np.linalg.pinv,
                     lambda a: np.linalg.norm(a, 2, (-2, -1)), lambda a: np.linalg.norm(a, "nuc", (-2, -1)),
                     lambda a: np.linalg.norm(a, axis=(-2, -1))):
        check(function, a)
    if shape[-1] == shape[-2]:
        for function in (np.linalg.inv, np.linalg.det, np.linalg.eigvalsh, np.linalg.eigvals,
                         lambda a: np.linalg.eigh(a)[1], lambda a: np.linalg.slogdet(a)[1],
                         lambda a: np.linalg.matrix_power(a, -2)):
            check(function, a)


# ---------------------------------------------------------------------- norms


VECTOR_ORDERS = [None, 2, 1, np.inf, -np.inf, 3, 2.5, -1, -2, 0.5]
MATRIX_ORDERS = [None, "fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf]


@kinds
@pytest.mark.parametrize("ord", VECTOR_ORDERS, ids=str)
def test_norms_of_vectors(ord, complex_):
    x = numbers((4,), complex_)
    check(lambda x: np.linalg.norm(x, ord), x)
    matrix = numbers((3, 4), complex_)
    check(lambda x: np.linalg.norm(x, ord, axis=0), matrix)
    check(lambda x: np.linalg.norm(x, ord, axis=-1, keepdims=True), matrix)
    if ord is not None:
        check(lambda x: np.linalg.vector_norm(x, axis=(0, 2), keepdims=True, ord=ord), numbers((2, 3, 2), complex_))
        check(lambda x: np.linalg.vector_norm(x, ord=ord), matrix)


@kinds
@pytest.mark.parametrize("ord", MATRIX_ORDERS, ids=str)
def test_norms_of_matrices(ord, complex_):
    check(lambda x: np.linalg.norm(x, ord), numbers((3, 4), complex_, 7))
    check(lambda x: np.linalg.norm(x, ord, axis=(2, 0), keepdims=True), numbers((3, 2, 4), complex_))
    if ord is not None:
        check(lambda x: np.linalg.matrix_norm(x, ord=ord), numbers((2, 3, 4), complex_, 8))


def test_the_norm_of_everything():
    check(np.linalg.norm, numbers((2, 3, 2)))
    check(lambda x: np.linalg.norm(x, keepdims=True), numbers((2, 3, 2), True))
    assert np.linalg.norm(ta.tensor([1.0, 0.0, 3.0], requires_grad=True), 0) == 2.0
    for arguments in ((3, None), ("nuc", 0), ("fro", (0, 1, 2)), (4, (0, 1))):
        x = numbers((2, 2, 2))
        for value in (x, ta.tensor(x, requires_grad=True)):
            with pytest.raises(ValueError):
                np.linalg.norm(value, *arguments)


@pytest.mark.parametrize("ord", [None, 1, 2, 3])
def test_norms_at_zero_have_derivative_zero(ord):
    np.testing.assert_array_equal(ta.grad(lambda x: np.linalg.norm(x, ord))(np.zeros(3)), np.zeros(3))
    assert ta.jvp(lambda x: np.linalg.norm(x, ord), (np.zeros(3),), (np.zeros(3),))[1] == 0
    np.testing.assert_array_equal(ta.grad(np.linalg.norm)(np.zeros((2, 2))), np.zeros((2, 2)))


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e300])
@pytest.mark.parametrize("ord", [None, 1, 2, 3, np.inf])
def test_norms_of_very_large_and_very_small_numbers(ord, scale):
    x = np.array([3.0, -4.0, 1.0])
    value, gradient = ta.value_and_grad(lambda x: np.linalg.norm(x, ord))(scale * x)
    expected, slope = ta.value_and_grad(lambda x: np.linalg.norm(x, ord))(x)
    np.testing.assert_allclose(value, scale * expected, rtol=1e-14)
    np.testing.assert_allclose(gradient, slope, rtol=1e-14)
    tangent = ta.jvp(lambda x: np.linalg.norm(x, ord), (scale * x,), (np.ones(3),))[1]
    np.testing.assert_allclose(tangent, np.sum(slope), rtol=1e-13)


def test_ties_of_the_largest_element_are_split_equally():
    gradient = ta.grad(lambda x: np.linalg.norm(x, np.inf))(np.array([2.0, -2.0, 1.0]))
    np.testing.assert_array_equal(gradient, [0.5, -0.5, 0])


@pytest.mark.parametrize("p", [None, 2, -2, 1, -1, np.inf, -np.inf, "fro"])
def test_cond(p):
    check(lambda a: np.linalg.cond(a, p), square((3, 3)))
    if p not in ("fro",):
        check(lambda a: np.linalg.cond(a, p), square((2, 3, 3), True))


def test_cond_of_a_singular_matrix_is_infinite():
    stack = np.stack([np.zeros((2, 2)), square((2, 2))])
    out, pull = ta.vjp(lambda a: np.linalg.cond(a, 1), stack)
    np.testing.assert_array_equal(out, np.linalg.cond(stack, 1))
    np.testing.assert_array_equal(pull(np.ones(2))[0][0], np.zeros((2, 2)))


def test_rank_is_a_plain_number():
    assert np.linalg.matrix_rank(ta.tensor(np.eye(3), requires_grad=True)) == 3


# ---------------------------------------------------------------------- the other names


@kinds
def test_the_array_api_names(complex_):
    x, y = numbers((3,), complex_), numbers((3,), complex_, 1)
    check(np.linalg.outer, x, y)
    check(np.linalg.cross, x, y)
    check(np.linalg.vecdot, x, y)
    a, b = numbers((2, 3, 2), complex_), numbers((2, 2, 3), complex_, 1)
    check(lambda a, b: np.linalg.vecdot(a, np.linalg.matrix_transpose(b), axis=1), a, b)
    check(np.linalg.matmul, a, b)
    check(lambda a, b: np.linalg.tensordot(a, b, axes=1), a, b)
    check(lambda a: np.linalg.trace(a, offset=1), a)
    check(lambda a: np.linalg.diagonal(a, offset=-1), a)
    with pytest.raises(ValueError):
        np.linalg.outer(ta.tensor(a), ta.tensor(b))
    with pytest.raises(ValueError):
        np.linalg.cross(ta.tensor(a), ta.tensor(b))


def test_every_public_function_is_covered():
    names = set(np.linalg.__all__) - {"LinAlgError"}
    assert {name for name in names if getattr(np.linalg, name) not in ta.registry.FUNCTIONS} == set()


def test_the_errors_are_numpys():
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.inv(ta.tensor(np.zeros((2, 2)), requires_grad=True))
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.cholesky(ta.tensor(-np.eye(2), requires_grad=True))
    row, vector = ta.tensor(np.ones((1, 2)), requires_grad=True), ta.tensor(np.ones(2), requires_grad=True)
    for function in (np.linalg.eigh, np.linalg.eigvalsh, np.linalg.cholesky, np.linalg.eig, np.linalg.det,
                     np.linalg.inv, lambda a: np.linalg.pinv(a, hermitian=True),
                     lambda a: np.linalg.svd(a, hermitian=True)):
        for operand in (row, vector):
            with pytest.raises(np.linalg.LinAlgError):
                function(operand)
    for function in (np.linalg.svd, np.linalg.qr, np.linalg.svdvals, np.linalg.pinv, np.linalg.cond):
        with pytest.raises(np.linalg.LinAlgError):
            function(vector)
    with pytest.raises(TypeError, match="exponent must be an integer"):
        np.linalg.matrix_power(ta.tensor(np.eye(2), requires_grad=True), 1.5)
    with pytest.raises(TypeError, match="'axis' must be"):
        np.linalg.norm(row, axis=[0, 1])
    with pytest.raises(ValueError, match="UPLO"):
        np.linalg.eigh(ta.tensor(np.eye(2), requires_grad=True), "X")


@pytest.mark.parametrize("name", ["inv", "det", "eigvalsh", "svdvals", "pinv", "norm", "cholesky", "cond", "eigvals"])
def test_float32_stays_float32(name):
    function = getattr(np.linalg, name)
    a = positive(square((3, 3))).astype(np.float32)
    out, pull = ta.vjp(function, a)
    assert out.dtype == np.float32
    assert pull(np.ones_like(out))[0].dtype == np.float32
    assert ta.jvp(function, (a,), (a,))[1].dtype == np.float32


@pytest.mark.parametrize("by", ["cholesky", "slogdet"])
def test_the_likelihood_of_a_gaussian_process(by):
    x = np.linspace(0, 1, 12)
    y = np.sin(5 * x)

    def likelihood(length, noise):
        k = np.exp(-0.5 * ((x[:, None] - x) / length) ** 2) + noise * np.eye(12)
        if by == "cholesky":
            factor = np.linalg.cholesky(k)
            z = np.linalg.solve(factor, y)
            return -0.5 * np.sum(z * z) - np.sum(np.log(np.diag(factor)))
        return -0.5 * y @ np.linalg.solve(k, y) - 0.5 * np.linalg.slogdet(k)[1]

    check(likelihood, 0.3, 0.1)


@pytest.mark.parametrize("order", [1, np.inf])
def test_norm_of_an_empty_matrix(order):
    value, gradient = ta.value_and_grad(lambda a: np.linalg.norm(a, order))(np.zeros((2, 0)))
    assert value == 0
    assert gradient.shape == (2, 0)


@pytest.mark.parametrize("kind", ["definite", "indefinite", "no diagonal", "one-sided"])
def test_slogdet_of_a_large_matrix(kind):
    root = np.random.default_rng(5).normal(size=(70, 70))
    matrix = {"definite": root @ root.T + np.eye(70), "indefinite": root + root.T + 3 * np.eye(70),
              "no diagonal": (root + root.T) * (1 - np.eye(70)), "one-sided": root}[kind]
    found = ta.grad(lambda a: np.linalg.slogdet(a)[1])(matrix)
    np.testing.assert_allclose(found @ matrix.T, np.eye(70), atol=1e-11)
