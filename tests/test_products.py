"""Products that sum, real and complex: values, both modes, second order, every form of their arguments."""

from __future__ import annotations

import numpy as np
import pytest
from catalogue import difference

import tapead as ta


def numbers(seed, shape, complex_=False):
    """Short decimals; nothing in here depends on more than their shape."""
    generator = np.random.default_rng(seed)
    values = np.round(generator.uniform(-2, 2, shape), 2)
    return values + 1j * np.round(generator.uniform(-2, 2, shape), 2) if complex_ else values


def inner(a, b):
    """Re⟨a, b⟩, with respect to which adjoints are."""
    return np.sum(np.real(np.conj(a) * b))


def check(function, *operands):
    """Value against NumPy's, tangent against differences, adjoint against the tangent, and the same of the adjoint."""
    directions = tuple(numbers(10 + i, np.shape(x), np.iscomplexobj(x)) for i, x in enumerate(operands))
    expected = function(*operands)
    out, tangent = ta.jvp(function, operands, directions)
    np.testing.assert_allclose(out, expected, rtol=1e-14, atol=1e-14)
    assert np.shape(out) == np.shape(expected)
    assert out.dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(tangent, difference(function, operands, directions), rtol=1e-8, atol=1e-8)
    weights = numbers(20, np.shape(out), np.iscomplexobj(out))
    pulled = ta.vjp(function, *operands)[1](weights)
    assert [p.shape for p in pulled] == [np.shape(x) for x in operands]
    assert [p.dtype for p in pulled] == [np.asarray(x).dtype for x in operands]
    total = sum(inner(v, p) for v, p in zip(directions, pulled, strict=True))
    np.testing.assert_allclose(inner(weights, tangent), total, rtol=1e-12, atol=1e-12)

    def weighted(*inputs):
        parts = ta.vjp(function, *inputs)[1](weights)
        return sum(inner(part, v) for part, v in zip(parts, directions, strict=True))

    second = ta.jvp(weighted, operands, directions)[1]
    np.testing.assert_allclose(second, difference(weighted, operands, directions), rtol=1e-7, atol=1e-7)
    over = sum(inner(g, v) for g, v in zip(ta.grad(weighted, tuple(range(len(operands))))(*operands), directions,
                                           strict=True))
    np.testing.assert_allclose(over, second, rtol=1e-10, atol=1e-10)


KINDS = [(False, False), (True, True), (True, False), (False, True)]
kinds = pytest.mark.parametrize("kind", KINDS, ids=["real", "complex", "complex-real", "real-complex"])
SHAPES = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)),
          ((5, 2, 3), (5, 3, 4)), ((5, 1, 2, 3), (4, 3, 2)), ((1, 2, 3), (5, 3, 2)), ((5, 2, 3), (3,)),
          ((3,), (5, 3, 4)), ((1, 1), (1, 1)), ((0, 3), (3, 2)), ((2, 0), (0, 2))]
shapes = pytest.mark.parametrize("shapes", SHAPES, ids=str)


@kinds
@shapes
def test_matmul(shapes, kind):
    check(np.matmul, numbers(1, shapes[0], kind[0]), numbers(2, shapes[1], kind[1]))


@kinds
@pytest.mark.parametrize("shapes", [*SHAPES[:5], SHAPES[9], SHAPES[10], ((2, 3), (5, 3, 4)), ((2, 4, 3), (5, 3, 2)),
                                    ((), ()), ((), (2, 3)), ((2, 3), ())], ids=str)
def test_dot(shapes, kind):
    check(np.dot, numbers(1, shapes[0], kind[0]), numbers(2, shapes[1], kind[1]))


@kinds
@pytest.mark.parametrize("shapes", [((3,), (3,)), ((2, 3), (6,)), ((2, 3), (3, 2)), ((), ())], ids=str)
def test_vdot_conjugates_its_first_argument(shapes, kind):
    check(np.vdot, numbers(1, shapes[0], kind[0]), numbers(2, shapes[1], kind[1]))


@kinds
@pytest.mark.parametrize("shapes", [((3,), (3,)), ((2, 3), (4, 3)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 4, 3), (5, 3)),
                                    ((), (3,)), ((3,), ())], ids=str)
def test_inner(shapes, kind):
    check(np.inner, numbers(1, shapes[0], kind[0]), numbers(2, shapes[1], kind[1]))


@kinds
@pytest.mark.parametrize("shapes", [((3,), (2,)), ((2, 2), (3,)), ((), (3,))], ids=str)
def test_outer(shapes, kind):
    check(np.outer, numbers(1, shapes[0], kind[0]), numbers(2, shapes[1], kind[1]))


@kinds
@pytest.mark.parametrize("axes", [0, 1, 2, ([1], [0]), (1, 0), ([0, 1], [1, 0]), (-1, -2), ([2, 0], [0, 2]), ([], [])],
                         ids=str)
def test_tensordot(axes, kind):
    check(lambda a, b: np.tensordot(a, b, axes), numbers(1, (3, 3, 3), kind[0]), numbers(2, (3, 3, 3), kind[1]))


def test_tensordot_of_axes_of_every_length():
    check(lambda a, b: np.tensordot(a, b, axes=([0, 2], [2, 1])), numbers(1, (2, 3, 4)), numbers(2, (5, 4, 2)))


@pytest.mark.parametrize("axes", [([0], [0]), ([0, 1], [0]), ([0, 0], [0, 0])], ids=str)
def test_tensordot_of_axes_that_do_not_match_raises(axes):
    with pytest.raises(ValueError, match=r"np\.tensordot"):
        ta.vjp(lambda a: np.tensordot(a, np.ones((3, 2)), axes), np.ones((2, 3)))


@kinds
@pytest.mark.parametrize("shapes", [((2,), (3,)), ((2, 3), (3, 2)), ((2,), (3, 2)), ((2, 1, 2), (3,)), ((), (2,))],
                         ids=str)
def test_kron(shapes, kind):
    check(np.kron, numbers(1, shapes[0], kind[0]), numbers(2, shapes[1], kind[1]))


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("arguments", [{}, {"offset": 1}, {"offset": -1, "axis1": 1, "axis2": 0},
                                       {"axis1": 0, "axis2": 2}], ids=str)
def test_trace(arguments, complex_):
    check(lambda a: np.trace(a, **arguments), numbers(1, (3, 4, 2), complex_))


def test_trace_in_another_dtype():
    out, pull = ta.vjp(lambda a: np.trace(a, dtype=np.float32), np.eye(2))
    assert out.dtype == np.float32
    np.testing.assert_array_equal(pull(np.float32(2))[0], 2 * np.eye(2))


@kinds
@pytest.mark.parametrize("shapes", [((3,), (3,)), ((2, 3), (3,)), ((2, 1, 3), (4, 3))], ids=str)
def test_cross(shapes, kind):
    check(np.cross, numbers(1, shapes[0], kind[0]), numbers(2, shapes[1], kind[1]))


def test_cross_along_other_axes():
    check(lambda a, b: np.cross(a, b, axisa=0, axisb=1, axisc=0), numbers(1, (3, 4)), numbers(2, (4, 3)))
    check(lambda a, b: np.cross(a, b, axis=0), numbers(1, (3, 4)), numbers(2, (3, 4)))


@kinds
@pytest.mark.parametrize("shapes", [((3,), (3,)), ((2, 3), (3,)), ((2, 1, 3), (4, 3))], ids=str)
def test_vecdot_conjugates_its_first_argument(shapes, kind):
    check(np.vecdot, numbers(1, shapes[0], kind[0]), numbers(2, shapes[1], kind[1]))


@pytest.mark.skipif(not hasattr(np, "matvec"), reason="NumPy has matvec and vecmat from 2.2 on")
@kinds
def test_matvec_and_vecmat(kind):
    for matrix, vector in [((2, 3), (3,)), ((4, 2, 3), (3,)), ((2, 3), (4, 3)), ((4, 1, 2, 3), (5, 3))]:
        check(np.matvec, numbers(1, matrix, kind[0]), numbers(2, vector, kind[1]))
    for vector, matrix in [((3,), (3, 2)), ((4, 3), (3, 2)), ((3,), (4, 3, 2)), ((5, 3), (4, 1, 3, 2))]:
        check(np.vecmat, numbers(1, vector, kind[0]), numbers(2, matrix, kind[1]))


EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ba,cb", (2, 3), (4, 2)), ("ii", (3, 3)),
    ("ii->i", (3, 3)), ("iij->j", (3, 3, 2)), ("iji->j", (3, 2, 3)), ("iii->i", (3, 3, 3)),
    ("iijj->ij", (3, 3, 2, 2)), ("ij->", (2, 3)), ("ij->ji", (2, 3)), ("ij->j", (2, 3)), ("i,j->ij", (2,), (3,)),
    ("i,i->i", (3,), (3,)), ("i,i", (3,), (3,)),
    ("ij,ij->", (2, 3), (2, 3)), ("ij,k->k", (2, 3), (4,)), ("bij,bjk->bik", (2, 2, 3), (2, 3, 2)),
    ("...ij,...jk->...ik", (2, 2, 3), (3, 2)), ("...ij,...jk", (4, 1, 2, 3), (5, 3, 2)), ("i...->...", (3, 2)),
    ("...", (2, 3)), ("...i->...", (2, 3)), ("...ii->...i", (2, 3, 3)), ("ij,...j->...i", (2, 3), (4, 3)),
    ("ij,jk,kl->il", (2, 3), (3, 2), (2, 4)), ("i,i,i->i", (3,), (3,), (3,)), ("ij,ij->i", (1, 3), (2, 3)),
    ("ij,j->i", (3, 1), (4,)), (",i->i", (), (3,)), ("ij , jk -> ik", (2, 3), (3, 4)), ("ii,ii->i", (3, 3), (3, 3)),
    ("iij,jk->ik", (3, 3, 2), (2, 4)), ("iA,Aj", (2, 3), (3, 2)), ("a...b,b...->a...", (2, 4, 3), (3, 4)),
]


@pytest.mark.parametrize("optimize", [False, True])
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("call", EINSUMS, ids=lambda call: call[0])
def test_einsum(call, complex_, optimize):
    subscripts, *shapes = call
    check(lambda *operands: np.einsum(subscripts, *operands, optimize=optimize),
          *(numbers(position, shape, complex_) for position, shape in enumerate(shapes)))


def test_einsum_by_sublists():
    a, b = numbers(1, (2, 3)), numbers(2, (3, 4))
    check(lambda a, b: np.einsum(a, [0, 1], b, [1, 2], [2, 0]), a, b)
    check(lambda a, b: np.einsum(a, [27, 1], b, [1, 2]), a, b)
    check(lambda a, b: np.einsum(a, [Ellipsis, 1], b, [1, Ellipsis], [Ellipsis]), a, numbers(2, (3, 2)))


def test_einsum_with_a_path_and_with_large_operands():
    a, b, c = numbers(1, (20, 30)), numbers(2, (30, 20)), numbers(3, (20, 20))
    path = np.einsum_path("ij,jk,kl->il", a, b, c)[0]
    gradients = ta.vjp(lambda a, b, c: np.einsum("ij,jk,kl->il", a, b, c, optimize=path), a, b, c)[1](np.ones((20, 20)))
    ones = np.ones((20, 20))
    for got, expected in zip(gradients, (ones @ (b @ c).T, a.T @ ones @ c.T, (a @ b).T @ ones), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def test_einsum_in_another_dtype():
    out, pull = ta.vjp(lambda a: np.einsum("ij->i", a, dtype=np.float64), np.ones((2, 3), np.float32))
    assert out.dtype == np.float64
    assert pull(np.ones(2))[0].dtype == np.float32


@pytest.mark.parametrize("call", [("...i->i", (2, 3)), ("ij,jk", (2, 3)), ("i->ii", (3,)), ("ij->k", (2, 3)),
                                  ("i", (2, 3))], ids=str)
def test_einsum_refuses_what_numpy_refuses(call):
    subscripts, *shapes = call
    operands = [np.ones(shape) for shape in shapes]
    with pytest.raises(ValueError):
        np.einsum(subscripts, *operands)
    with pytest.raises(ValueError):
        np.einsum(subscripts, *(ta.tensor(operand, requires_grad=True) for operand in operands))


def test_polyval_in_the_point_and_in_the_coefficients():
    check(np.polyval, numbers(1, (4,)), numbers(2, (2, 3)))
    check(np.polyval, numbers(1, (4,), True), numbers(2, (), True))
    p = np.array([2.0, -1.0, 3.0])
    assert ta.grad(lambda x: np.polyval(p, x))(1.5) == 2 * 2.0 * 1.5 - 1.0


def test_polyval_of_a_polynomial_in_a_polynomial_raises():
    with pytest.raises(NotImplementedError, match="polyval"):
        np.polyval(ta.tensor([1.0, 2.0]), np.poly1d([1.0, 1.0]))


@pytest.mark.parametrize("function", [np.dot, np.outer])
def test_out_raises_with_the_way_round(function):
    with pytest.raises(NotImplementedError, match=rf"{function.__name__}.*out="):
        function(ta.tensor([1.0], requires_grad=True), np.ones(1), out=np.zeros(()))


def test_out_of_einsum_and_trace_raises():
    x = ta.tensor(np.eye(2), requires_grad=True)
    with pytest.raises(NotImplementedError, match="einsum"):
        np.einsum("ij->i", x, out=np.zeros(2))
    with pytest.raises(NotImplementedError, match="trace"):
        np.trace(x, out=np.zeros(()))


def test_plain_lists_beside_tensors():
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    for result in ([3.0, 4.0] @ x, np.dot([3.0, 4.0], x), np.inner(x, [3, 4]), np.vdot([3, 4], x), np.vecdot(x, [3, 4]),
                   np.einsum("i,i", x, [3, 4]), np.tensordot([3, 4], x, 1)):
        (gradient,) = ta.gradients(result, x, retain_graph=True)
        np.testing.assert_array_equal(gradient.data, [3.0, 4.0])


def test_a_matrix_product_records_one_entry_and_copies_no_operand():
    a, b = ta.tensor(numbers(1, (2, 3)), requires_grad=True), ta.tensor(numbers(2, (3, 2)), requires_grad=True)
    for product in (a @ b, np.dot(a, b)):
        assert product.grad_fn.primitive.name == "matmul"
        assert product.grad_fn.parents == (a._entry, b._entry)
        assert product.grad_fn.inputs[0] is a._value


def test_float32_stays_float32():
    a, b = numbers(1, (3, 3)).astype(np.float32), numbers(2, (3, 3)).astype(np.float32)
    for function in (np.matmul, np.dot, np.inner, np.kron, np.cross, lambda a, b: np.einsum("ij,jj->i", a, b)):
        out, pull = ta.vjp(function, a, b)
        _, tangent = ta.jvp(function, (a, b), (a, b))
        assert out.dtype == tangent.dtype == np.float32
        assert all(part.dtype == np.float32 for part in pull(np.ones_like(out)))


@pytest.mark.parametrize("call", [np.matmul, np.vecdot, np.inner, np.kron, lambda a, b: np.einsum("ij,kj->ik", a, b),
                                  lambda a, b: np.einsum("ij,ij->i", a, a) + np.einsum("ii->i", b)],
                         ids=["matmul", "vecdot", "inner", "kron", "einsum", "einsums"])
def test_operands_so_large_that_the_tape_drops_what_no_rule_reads(call):
    a, b = numbers(1, (72, 72)), numbers(2, (72, 72))
    if call is np.kron:
        b = b[:2, :2]
    for function, point in [(call, (a, b)), (lambda a: call(a, b), (a,)), (lambda b: call(a, b), (b,))]:
        directions = tuple(numbers(5, x.shape) for x in point)
        out, tangent = ta.jvp(function, point, directions)
        weights = numbers(6, out.shape)

        def loss(*inputs, function=function, weights=weights):
            return np.sum(function(*inputs) ** 2 * weights)

        gradients = ta.grad(loss, tuple(range(len(point))))(*point)
        total = sum(inner(g, v) for g, v in zip(gradients, directions, strict=True))
        np.testing.assert_allclose(total, inner(2 * out * weights, tangent), rtol=1e-9)
        products = ta.hvp(loss, point, directions)
        curvature = sum(inner(p, v) for p, v in zip(products, directions, strict=True))

        def along(t, point=point, directions=directions, loss=loss):
            return loss(*(x + t * v for x, v in zip(point, directions, strict=True)))

        np.testing.assert_allclose(curvature, ta.grad(ta.grad(along))(0.0), rtol=1e-9)
