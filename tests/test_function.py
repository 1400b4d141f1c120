"""Operations with a derivative of the user's own: Function, once_differentiable, custom_gradient, stop_gradient."""

from __future__ import annotations

import numpy as np
import pytest
from agreement import check

import tapead as ta

A = np.array([0.3, 1.2])
B = np.array([0.7, 0.5])


class Exp(ta.Function):
    @staticmethod
    def forward(ctx, x):
        y = np.exp(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, gradient):
        (y,) = ctx.saved_tensors
        return gradient * y


class ReLU(ta.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return np.maximum(x, 0.0)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * (x > 0)


class ProductAndSum(ta.Function):
    """Two results, an argument that is no tensor, a keyword."""

    @staticmethod
    def forward(ctx, x, y, power, *, scale=1.0):
        ctx.save_for_backward(x, y)
        ctx.power, ctx.scale = power, scale
        return x**power * y * scale, x + y

    @staticmethod
    def backward(ctx, of_product, of_sum):
        x, y = ctx.saved_tensors
        n, s = ctx.power, ctx.scale
        return of_product * n * x ** (n - 1) * y * s + of_sum, of_product * x**n * s + of_sum, None


def product_and_sum(x, y):
    """The same in plain NumPy, made one number"""
    return np.sum(np.sin(x**2 * y * 3.0) * (x + y))


def with_class(x, y):
    product, total = ProductAndSum.apply(x, y, 2, scale=3.0)
    return np.sum(np.sin(product) * total)


# ---------------------------------------------------------------------- both modes, any order


@pytest.mark.parametrize("function, point", [
    (Exp.apply, (A,)), (Exp.apply, (0.4,)), (lambda x: Exp.apply(x) * x, (A,)),
    (ReLU.apply, (np.array([-1.0, 2.0]),)),
    (lambda x, y: ProductAndSum.apply(x, y, 3)[0], (A, B)),
    (lambda x, y: ProductAndSum.apply(x, y, 3)[1] * y, (A, B)),
    (lambda x, y: ProductAndSum.apply(x, y, 2, scale=2.0)[0], (0.5, 1.5)),
    (with_class, (A, B)),
])
def test_all_modes_agree_with_differences(function, point):
    check(function, *point)


def test_third_derivatives():
    third = ta.grad(ta.grad(ta.grad(lambda x: Exp.apply(2.0 * x))))
    assert third(0.1) == pytest.approx(8 * np.exp(0.2), rel=1e-14)
    mixed, expected = (ta.hessian(f, (0, 1))(A, B)[0][1] for f in (with_class, product_and_sum))
    np.testing.assert_allclose(mixed, expected)


def test_gradcheck_passes_and_finds_a_wrong_one():
    assert ta.gradcheck(with_class, (A, B), order=2)

    class Wrong(Exp):
        @staticmethod
        def backward(ctx, gradient):
            return gradient * ctx.saved_tensors[0] * 1.0001

    with pytest.raises(ta.GradcheckError, match="FAIL"):
        ta.gradcheck(lambda x: np.sum(Wrong.apply(x)), (A,))


def test_forward_mode_is_never_told_apart_from_reverse_by_a_jvp_of_its_own():
    class Sine(ta.Function):
        calls = ()

        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x)
            return np.sin(x) * y.numpy(), np.cos(x), 7

        @staticmethod
        def backward(ctx, of_sine, of_cosine, _):
            raise AssertionError("not needed")

        @staticmethod
        def jvp(ctx, x_tangent, y_tangent):
            (x,) = ctx.saved_tensors
            assert y_tangent.tolist() == [0.0, 0.0]
            return x_tangent * np.cos(x) * B, -x_tangent * np.sin(x), None

    values, tangents = ta.jvp(lambda x: Sine.apply(x, ta.tensor(B)), (A,), (np.ones(2),))
    np.testing.assert_allclose(values[0], np.sin(A) * B)
    assert values[2] == 7
    np.testing.assert_allclose(tangents[0], np.cos(A) * B)
    np.testing.assert_allclose(tangents[1], -np.sin(A))

    def slope(x):
        return ta.jvp(lambda z: Sine.apply(z, ta.tensor(B))[0], (x,), (np.ones(2),))[1]

    np.testing.assert_allclose(ta.jvp(slope, (A,), (np.ones(2),))[1], -np.sin(A) * B)


# ---------------------------------------------------------------------- PyTorch's way


def test_apply_records_one_entry_that_prints_the_name():
    x = ta.tensor(A, requires_grad=True)
    y = Exp.apply(x)
    assert repr(y.grad_fn) == "<ExpBackward>"
    assert y.grad_fn.where.startswith("test_function.py:")
    assert y.grad_fn.next_functions == ((x._entry, 0),)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, np.exp(A))
    with pytest.raises(RuntimeError, match="freed"):
        y.sum().backward()


def test_plain_arrays_give_plain_results():
    assert type(Exp.apply(A)) is np.ndarray
    assert type(Exp.apply(np.float64(0.0))) is np.float64
    assert not Exp.apply(ta.tensor(A)).requires_grad
    x = ta.tensor(A, requires_grad=True)
    with ta.no_grad():
        assert not Exp.apply(x).requires_grad


def test_the_context_knows_which_inputs_need_a_gradient():
    seen = []

    class Sum(ta.Function):
        @staticmethod
        def forward(ctx, x, y, z, name=None):
            seen.append(ctx.needs_input_grad)
            return x + y.numpy()

        @staticmethod
        def backward(ctx, gradient):
            seen.append(ctx.needs_input_grad)
            return gradient, None, None

    x = ta.tensor(A, requires_grad=True)
    Sum.apply(x, ta.tensor(B), "text", name="keyword").sum().backward()
    assert seen == [(True, False, False)] * 2
    assert x.grad.tolist() == [1.0, 1.0]


def test_results_may_be_declared_constant():
    class Sorted(ta.Function):
        @staticmethod
        def forward(ctx, x):
            order = np.argsort(x.numpy())
            ranks = order.astype(float)
            ctx.order = order
            ctx.mark_non_differentiable(ranks)
            return x.numpy()[order], ranks, order

        @staticmethod
        def backward(ctx, gradient, of_ranks, of_order):
            assert of_ranks.tolist() == of_order.tolist() == [0.0, 0.0, 0.0]
            return gradient[np.argsort(ctx.order)]

    x = ta.tensor([3.0, 1.0, 2.0], requires_grad=True)
    values, ranks, order = Sorted.apply(x)
    assert values.requires_grad and not ranks.requires_grad
    assert type(order) is np.ndarray
    (values * np.array([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [100.0, 1.0, 10.0]


class Power(ta.Function):
    """With the context set up apart, a constant, and a forward derivative that saves for itself."""

    @staticmethod
    def forward(x, n):
        return x**n, "of no account"

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.n = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x, output[0])

    @staticmethod
    def backward(ctx, gradient, nothing):
        assert nothing is None
        (x,) = ctx.saved_tensors
        return gradient * ctx.n * x ** (ctx.n - 1), None

    @staticmethod
    def jvp(ctx, tangent, _):
        x, y = ctx.saved_tensors
        return tangent * ctx.n * y / x, None


def test_the_context_may_be_set_up_apart():
    check(lambda x: Power.apply(x, 3)[0], np.array([0.5, 2.0]))
    assert bool(ta.gradcheck(lambda x: Power.apply(x, 3)[0], (np.array([0.5, 2.0]),), order=2))


def test_results_that_nothing_uses_get_zeros_or_none():
    seen = []

    class Two(ta.Function):
        @staticmethod
        def forward(ctx, x, zeros):
            ctx.set_materialize_grads(zeros)
            return x * 2.0, x * 3.0

        @staticmethod
        def backward(ctx, first, second):
            seen.append(first)
            return second * 3.0, None

    x = ta.tensor(A, requires_grad=True)
    for zeros in (True, False):
        assert ta.gradients(Two.apply(x, zeros)[1].sum(), x)[0].tolist() == [3.0, 3.0]
    assert seen[0].tolist() == [0.0, 0.0] and seen[1] is None


class Doubled(ta.Function):
    """In place."""

    @staticmethod
    def forward(ctx, x):
        x *= 2.0
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx, gradient):
        (doubled,) = ctx.saved_tensors
        return gradient * 2.0 + 0.0 * doubled


def test_an_operation_in_place():
    x = ta.tensor(A, requires_grad=True)
    y = x * 1.0
    whole, part, before = y, y[:1], np.exp(y)
    assert Doubled.apply(y) is y
    assert (whole * 1.0).tolist() == (2 * A).tolist() and part.tolist() == [0.6]
    (y.sum() + 10.0 * part.sum() + before.sum()).backward()
    np.testing.assert_allclose(x.grad.data, np.array([22.0, 2.0]) + np.exp(A))
    with pytest.raises(RuntimeError, match="Doubled: a leaf that requires a gradient cannot be changed in place"):
        Doubled.apply(x)
    assert x.tolist() == A.tolist()
    with ta.no_grad():
        Doubled.apply(x)
    assert x.tolist() == (2 * A).tolist() and x.is_leaf
    plain = A.copy()
    assert Doubled.apply(plain) is plain and plain.tolist() == (2 * A).tolist()


def test_what_is_written_into_must_be_an_argument_and_returned():
    class Lost(Doubled):
        @staticmethod
        def forward(ctx, x):
            x *= 2.0
            ctx.mark_dirty(x)
            return x + 1.0

    with pytest.raises(RuntimeError, match="Lost: mark_dirty takes arguments of forward that are written into and ret"):
        Lost.apply(ta.tensor(A, requires_grad=True) * 1.0)


class Scaled(ta.Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(scale)
        ctx.scale = scale
        return x * scale

    @staticmethod
    def backward(ctx, gradient):
        assert np.array_equal(ctx.scale, ctx.saved_tensors[0])
        return gradient * ctx.saved_tensors[0], None


def test_saved_arrays_cannot_be_changed_unnoticed():
    for size in (10, 40_000):
        scale = np.full(size, 3.0)
        x = ta.tensor(np.ones(size), requires_grad=True)
        y = Scaled.apply(x, scale).sum()
        scale[7] = 0.0
        if size == 10:
            assert ta.gradients(y, x)[0].tolist() == [3.0] * 10
        else:
            with pytest.raises(RuntimeError, match=r"was changed after Scaled had used it at .*test_function.py:\d+"):
                y.backward()


def test_a_buffer_that_forward_uses_again_is_nobody_elses():
    buffer = np.empty(2)

    class Buffered(ta.Function):
        @staticmethod
        def forward(ctx, x, part):
            np.exp(x.numpy(), out=buffer)
            ctx.save_for_backward(x)
            return buffer[:] if part else buffer

        @staticmethod
        def backward(ctx, gradient):
            return gradient * np.exp(ctx.saved_tensors[0]), None

    for part in (True, False):
        first = Buffered.apply(ta.tensor(A, requires_grad=True), part)
        plain = Buffered.apply(A, part)
        Buffered.apply(ta.tensor(B), part)
        assert first.tolist() == plain.tolist() == np.exp(A).tolist()


def test_results_of_several_dtypes_keep_theirs():
    class Parts(ta.Function):
        @staticmethod
        def forward(ctx, z):
            return np.real(z.numpy()).astype(np.float32), z.numpy() * 2j

        @staticmethod
        def backward(ctx, of_real, of_turned):
            assert (of_real.dtype, of_turned.dtype) == (np.float32, np.complex128)
            return of_real + of_turned * -2j

    z = ta.tensor([1.0 + 2.0j, 3.0j], requires_grad=True)
    real, turned = Parts.apply(z)
    assert (real.dtype, turned.dtype) == (np.float32, np.complex128)
    (real.sum() + np.imag(turned).sum()).backward()
    assert z.grad.tolist() == [1.0 + 2.0, 3.0]  # Im(2iz) = 2 Re z


def test_setting_the_gradient_of_one_result_leaves_zero_for_the_other():
    x = ta.tensor(A, requires_grad=True)
    product, _ = ProductAndSum.apply(x, ta.tensor(B), 2)
    product.sum().backward()
    np.testing.assert_allclose(x.grad.data, 2 * A * B)


def test_no_gradient_is_zero_gradient():
    class Nothing(ta.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2.0

        @staticmethod
        def backward(ctx, gradient):
            return None

    assert ta.grad(lambda x: np.sum(Nothing.apply(x)))(A).tolist() == [0.0, 0.0]
    assert ta.jvp(Nothing.apply, (A,), (A,))[1].tolist() == [0.0, 0.0]


def test_gradients_are_nobody_elses_memory():
    kept = np.ones(2)

    class Careless(ta.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, gradient):
            return kept, kept

    x, y = ta.grad(lambda x, y: np.sum(Careless.apply(x, y)), (0, 1))(A, B)
    x += 1.0
    assert y.tolist() == kept.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("answer, message", [
    (lambda g: (), "returned 0 gradients for 1 arguments"),
    (lambda g: (g, g), "returned 2 gradients for 1 arguments"),
    (lambda g: g.sum(), r"a gradient for input 0 of shape \(\), expected \(2,\)"),
    (lambda g: np.ones((2, 1)), r"of shape \(2, 1\), expected \(2,\)"),
])
def test_wrong_gradients_raise(answer, message):
    class Wrong(Exp):
        @staticmethod
        def backward(ctx, gradient):
            return answer(gradient)

    x = ta.tensor(A, requires_grad=True)
    with pytest.raises(RuntimeError, match=f"Wrong: backward returned.*{message}|Wrong: backward {message}"):
        Wrong.apply(x).sum().backward()


def test_surplus_nones_are_fine():
    class Surplus(Exp):
        @staticmethod
        def backward(ctx, gradient):
            return gradient, None

    assert ta.grad(Surplus.apply)(0.0) == 1.0


def test_forward_may_record_a_graph_of_its_own_for_backward():
    class Inner(ta.Function):
        @staticmethod
        def forward(ctx, x):
            with ta.enable_grad():
                ctx.x = x.detach().requires_grad_()
                ctx.y = np.sin(ctx.x) * ctx.x
            return ctx.y.detach()

        @staticmethod
        def backward(ctx, gradient):
            return ta.gradients(ctx.y, ctx.x, grad_outputs=gradient)[0]

    point = np.array([1.0, 2.0])
    expected = np.cos(point) * point + np.sin(point)
    np.testing.assert_array_equal(ta.grad(lambda x: np.sum(Inner.apply(x)))(point), expected)
    x = ta.tensor(point, requires_grad=True)
    Inner.apply(x).sum().backward()
    np.testing.assert_array_equal(x.grad.data, expected)
    with pytest.raises(RuntimeError, match="not used by the outputs"):  # what it leads to is not known
        ta.grad(lambda x: np.sum(ta.grad(lambda x: np.sum(Inner.apply(x)))(x)))(point)
    with pytest.raises(RuntimeError, match="forward mode needs a jvp of its own"):
        ta.jvp(Inner.apply, (point,), (point,))


@pytest.mark.parametrize("hold", [lambda x: [x], lambda x: (1.0, (x,)), lambda x: {"x": x}])
def test_tracked_tensors_in_containers_are_not_lost(hold):
    class First(ta.Function):
        @staticmethod
        def forward(ctx, held):
            return np.ones(2)

        @staticmethod
        def backward(ctx, gradient):
            return None

    x = ta.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"First: argument 0 is a \w+ with a tracked tensor .* apply\(\*tensors\)"):
        First.apply(hold(x))
    First.apply(hold(x.detach()))
    with ta.no_grad():
        First.apply(hold(x))


def test_what_is_missing_is_named():
    class Empty(ta.Function):
        pass

    class OnlyForward(ta.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1.0

    with pytest.raises(NotImplementedError, match="forward"):
        Empty.apply(1.0)
    with pytest.raises(NotImplementedError, match="backward"):
        ta.grad(OnlyForward.apply)(1.0)
    with pytest.raises(TypeError, match="'x' is tracked but was given by keyword"):
        Exp.apply(x=ta.tensor(1.0, requires_grad=True))


# ---------------------------------------------------------------------- what is not differentiable again


class OffTheTape(ta.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.x = x
        return np.exp(x.numpy())

    @staticmethod
    def backward(ctx, gradient):
        return gradient.data * np.exp(ctx.x.data)


class HalfOffTheTape(OffTheTape):
    @staticmethod
    def backward(ctx, gradient):
        return gradient * np.exp(ctx.x.detach())


class SavedInBetween(ta.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.cosine = np.cos(x.numpy())
        return np.sin(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.cosine


class SavedTensorInBetween(SavedInBetween):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(np.cos(x))
        return np.sin(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.saved_tensors[0]


class Once(ta.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    @ta.once_differentiable
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 2.0 * x.numpy() * gradient.numpy()


class SavedAndChanged(SavedTensorInBetween):
    @staticmethod
    def forward(ctx, x):
        y = np.sin(x)
        ctx.save_for_backward(x)
        x -= np.pi / 2  # its memory is copied before
        return y

    @staticmethod
    def backward(ctx, gradient):
        return gradient * -np.sin(ctx.saved_tensors[0])


@pytest.mark.parametrize("function, message", [
    (OffTheTape, "computed off the tape"), (HalfOffTheTape, "computed off the tape"),
    (SavedInBetween, "neither one of its arguments nor one of its results"),
    (SavedTensorInBetween, "neither one of its arguments nor one of its results"),
    (SavedAndChanged, "neither one of its arguments nor one of its results"),
    (Once, "once_differentiable")])
def test_second_derivatives_raise_where_they_would_be_wrong(function, message):
    def f(x):
        return np.sum(function.apply(x) ** 2)

    plain = {Once: np.square, OffTheTape: np.exp, HalfOffTheTape: np.exp}.get(function, np.sin)
    expected = ta.grad(lambda x: np.sum(plain(x) ** 2))(A)
    np.testing.assert_allclose(ta.grad(f)(A), expected)
    with pytest.raises(RuntimeError, match=message):
        ta.grad(lambda x: np.sum(ta.grad(f)(x)))(A)
    x = ta.tensor(A, requires_grad=True)
    (first,) = ta.gradients(f(x), x, create_graph=True)  # recorded, but differentiated only once
    np.testing.assert_allclose(first.data, expected)
    with pytest.raises(RuntimeError, match=message):
        first.sum().backward()


@pytest.mark.parametrize("function", [OffTheTape, Once])
def test_forward_mode_without_operations_on_tensors_says_what_to_define(function):
    with pytest.raises(NotImplementedError, match=r"define jvp\(ctx, \*tangents\)"):
        ta.jvp(function.apply, (A,), (A,))


def test_a_gradient_that_is_linear_in_half_of_the_saved_values_has_forward_mode():
    np.testing.assert_allclose(ta.jvp(HalfOffTheTape.apply, (A,), (B,))[1], np.exp(A) * B)


# ---------------------------------------------------------------------- an operation made with SciPy


def test_a_spline_resize_is_trained_through():
    ndimage = pytest.importorskip("scipy.ndimage")
    size, zoom = 5, 2

    def resize(image):
        return ndimage.zoom(image, zoom, order=3, mode="mirror")

    # Zooming is linear: its matrix, and with that its adjoint, is known from unit images.
    units = np.eye(size * size).reshape(-1, size, size)
    matrix = np.stack([resize(unit).ravel() for unit in units], axis=1)

    class Resize(ta.Function):
        @staticmethod
        def forward(ctx, image):
            return resize(image.numpy())

        @staticmethod
        def backward(ctx, gradient):
            return Shrink.apply(gradient)

    class Shrink(ta.Function):
        @staticmethod
        def forward(ctx, gradient):
            return (matrix.T @ np.ravel(gradient.numpy())).reshape(size, size)

        @staticmethod
        def backward(ctx, gradient):
            return Resize.apply(gradient)

    target = resize(np.random.default_rng(0).random((size, size)))

    def loss(image):
        return np.mean((Resize.apply(image) - target) ** 2)

    start = np.full((size, size), 0.5)
    assert ta.gradcheck(loss, (start,), order=2)
    image = ta.tensor(start, requires_grad=True)
    losses = []
    for _ in range(60):
        value = loss(image)
        value.backward()
        losses.append(value.item())
        with ta.no_grad():
            image -= 5.0 * image.grad
        image.grad = None
    assert losses[-1] < 0.05 * losses[0]


# ---------------------------------------------------------------------- custom_gradient


@ta.custom_gradient
def log1pexp(x):
    """log(1 + exp(x)), with a gradient that does not overflow"""
    e = np.exp(x)
    return np.log(1 + e), lambda gradient: gradient * (1 - 1 / (1 + e))


@ta.custom_gradient
def both(x, y):
    s = x * y
    t = np.exp(s)
    return {"s": s, "t": t}, lambda g: (g["s"] * y + g["t"] * y * t, g["s"] * x + g["t"] * x * t)


def use_both(x, y):
    parts = both(x, y)
    return parts["s"] * parts["t"]


def test_custom_gradient_in_both_modes_and_again():
    check(log1pexp, A)
    check(log1pexp, 0.3)
    check(use_both, A, B)
    assert ta.gradcheck(lambda x, y: np.sum(use_both(x, y)), (A, B), order=2)


def test_custom_gradient_is_used():
    assert ta.grad(log1pexp)(100.0) == 1.0
    assert log1pexp.__name__ == "log1pexp" and "overflow" in log1pexp.__doc__
    assert type(log1pexp(A)) is np.ndarray

    @ta.custom_gradient
    def clipped(x):
        return x, lambda gradient: np.clip(gradient, -1.0, 1.0)

    assert ta.grad(lambda x: clipped(x) * 100.0)(2.0) == 1.0
    x = ta.tensor(A, requires_grad=True)
    y = clipped(x)
    assert repr(y.grad_fn) == "<ClippedBackward>"
    (y * 100.0).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_custom_gradient_of_containers_and_constants():
    @ta.custom_gradient
    def dot(pair, scale):
        a, b = pair["a"], pair["b"]
        return scale * np.sum(a * b), lambda g: ({"b": g * scale * a, "a": g * scale * b}, None)

    gradient = ta.grad(lambda pair: dot(pair, 3))({"a": A, "b": B})
    np.testing.assert_allclose(gradient["a"], 3 * B)
    np.testing.assert_allclose(gradient["b"], 3 * A)


@pytest.mark.parametrize("function, error, message", [
    (lambda x, y: x, TypeError, r"must return \(value, gradient function\)"),
    (lambda x, y: (x, y), TypeError, r"must return \(value, gradient function\)"),
    (lambda x, y: (x * y, lambda g: g), RuntimeError, "1 gradients for 2 arguments"),
    (lambda x, y: (x * y, lambda g: (g, g, g)), RuntimeError, "3 gradients for 2 arguments"),
    (lambda x, y: (x * y, lambda g: (g[0], g)), RuntimeError, r"of shape \(\), expected \(2,\)"),
])
def test_wrong_custom_gradients_raise(function, error, message):
    with pytest.raises(error, match=message):
        ta.grad(lambda x, y: np.sum(ta.custom_gradient(function)(x, y)), (0, 1))(A, B)


def test_custom_gradient_loses_no_gradient_silently():
    outside = ta.tensor(2.0, requires_grad=True)
    x = ta.tensor(1.0, requires_grad=True)
    with pytest.raises(TypeError, match="not among its arguments"):
        ta.custom_gradient(lambda x: (x * outside, lambda g: g * outside))(x)
    with pytest.raises(TypeError, match="by keyword"):
        ta.custom_gradient(lambda x, y: (x * y, lambda g: (g * y, g * x)))(x, y=outside)

    @ta.custom_gradient
    def off_the_tape(x):
        return np.exp(x), lambda g: g * np.exp(x.data)

    assert ta.grad(off_the_tape)(0.0) == 1.0
    with pytest.raises(RuntimeError, match="computed off the tape"):
        ta.grad(ta.grad(off_the_tape))(0.0)


# ---------------------------------------------------------------------- stop_gradient


def test_stop_gradient_of_containers_and_at_any_depth():
    def f(x):
        constants = ta.stop_gradient({"x": x, "twice": [2.0 * x, 3]})
        return x * constants["x"] * constants["twice"][0] * constants["twice"][1]

    assert ta.grad(f)(2.0) == 24.0
    assert ta.grad(ta.grad(f))(2.0) == 0.0
    assert ta.jvp(f, (2.0,), (1.0,)) == (48.0, 24.0)
