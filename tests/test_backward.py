"""PyTorch's spelling: backward with accumulation, gradients, retained and freed graphs, recorded sweeps."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest

import tapead as ta


@pytest.fixture
def x():
    return ta.tensor([1.0, 2.0, 3.0], requires_grad=True)


# ---------------------------------------------------------------------- the examples


def test_gradients_do_not_pile_up_when_they_are_zeroed():
    x = ta.tensor(3., requires_grad=True)
    seen = []
    for _ in range(3):
        y = 3*x**2 + 4*x + 2
        y.backward()
        seen.append(x.grad.item())
        x.grad.zero_()
    assert seen == [22.0, 22.0, 22.0]
    assert x.grad.item() == 0.0


def test_gradients_pile_up_when_they_are_not_zeroed():
    x = ta.tensor(3., requires_grad=True)
    seen = []
    for _ in range(3):
        y = 3*x**2 + 4*x + 2
        y.backward()
        seen.append(repr(x.grad))
    assert seen == ["tensor(22.)", "tensor(44.)", "tensor(66.)"]
    x.grad = None
    (x * 5).backward()
    assert x.grad.item() == 5.0


def test_a_vector_example_as_it_prints():
    x = ta.tensor([1., 2., 3.], requires_grad=True)
    y = x*2 + 3
    z = y**2
    out = z.mean()
    out.backward()
    assert repr(out) == "tensor(51.6667, grad_fn=<MeanBackward>)"
    assert repr(x.grad) == "tensor([ 6.6667,  9.3333, 12.    ])"
    x.requires_grad_(False)
    w = ta.tensor(1.0, requires_grad=True)
    again = (x * w).sum()
    again.backward()
    assert not x.requires_grad
    assert repr(x.grad) == "tensor([ 6.6667,  9.3333, 12.    ])"
    assert w.grad.item() == 6.0


# ---------------------------------------------------------------------- backward


def test_the_gradient_object_stays_the_same(x):
    x.sum().backward()
    held = x.grad
    (x * 2).sum().backward()
    assert x.grad is held and held.tolist() == [3.0, 3.0, 3.0]


def test_a_result_of_several_elements_needs_a_cotangent(x):
    y = x * x
    with pytest.raises(RuntimeError, match=r"backward: this tensor has shape \(3,\).*gradient=.*\.sum\(\)"):
        y.backward()
    y.backward(gradient=[1.0, 0.0, 10.0])
    assert x.grad.tolist() == [2.0, 0.0, 60.0]
    (x[:1] * 2).backward()  # one element is enough, whatever the number of axes
    assert x.grad.tolist() == [4.0, 0.0, 60.0]


@pytest.mark.parametrize("gradient", [
    [1, 0, 10], (1.0, 0.0, 10.0), np.array([1, 0, 10]), np.array([1, 0, 10], np.float32), ta.tensor([1.0, 0.0, 10.0]),
    ta.tensor([1, 0, 10])])
def test_cotangents_of_many_types(x, gradient):
    (x * x).backward(gradient)
    assert x.grad.tolist() == [2.0, 0.0, 60.0] and x.grad.dtype == np.float64


@pytest.mark.parametrize("gradient, error", [
    ([1.0, 2.0], RuntimeError), (1.0, RuntimeError), (np.ones((3, 1)), RuntimeError), (np.ones((1, 3)), RuntimeError),
    ([1j, 0, 0], TypeError), ("text", TypeError)])
def test_a_wrong_cotangent_raises_and_harms_nothing(x, gradient, error):
    y = x * x
    with pytest.raises(error):
        y.backward(gradient)
    assert x.grad is None
    y.backward([1.0, 1.0, 1.0])
    assert x.grad.tolist() == [2.0, 4.0, 6.0]


def test_the_cotangent_is_cast_to_the_result():
    x = ta.tensor(np.ones(2, np.float32), requires_grad=True)
    (x * 2).backward(np.full(2, 1.0, np.float64))
    assert x.grad.dtype == np.float32
    z = ta.tensor([1 + 1j], requires_grad=True)
    (z * z).backward([1.0])
    assert z.grad.dtype == np.complex128


def test_backward_of_a_leaf_and_of_a_constant():
    x = ta.tensor(2.0, requires_grad=True)
    x.backward()
    x.backward()
    assert x.grad.item() == 2.0
    for constant in (ta.tensor(2.0), ta.tensor(2.0) * 3, x.detach(), np.floor(x)):
        with pytest.raises((RuntimeError, AttributeError), match=r"does not require a gradient|backward"):
            constant.backward()


def test_all_leaves_receive_theirs_and_constants_nothing(x):
    w, c = ta.tensor(2.0, requires_grad=True), ta.tensor(5.0)
    (x * w * c).sum().backward()
    assert (x.grad.tolist(), w.grad.item(), c.grad) == ([10.0, 10.0, 10.0], 30.0, None)


def test_results_in_between_keep_no_gradient(x):
    y = x * 2
    (y * y).sum().backward()
    with pytest.warns(UserWarning, match=r"keeps gradients of leaves only.*retain_grad"):
        assert y.grad is None
    assert x.grad.tolist() == [8.0, 16.0, 24.0]


def test_a_leaf_that_loses_a_selection_gets_zeros_not_nothing():
    x, y = ta.tensor(2.0, requires_grad=True), ta.tensor(3.0, requires_grad=True)
    np.maximum(x, y).backward()
    assert (x.grad.item(), y.grad.item()) == (0.0, 1.0)
    assert [g.item() for g in ta.gradients(np.where(True, x * x, y * y), (x, y))] == [4.0, 0.0]
    assert ta.gradients(np.copysign(x, y), y)[0].item() == 0.0


def test_gradients_share_no_memory(x):
    y = ta.tensor([1.0, 1.0, 1.0], requires_grad=True)
    cotangent = np.ones(3)
    (x + y).backward(cotangent)
    x.grad.data[0] = 99.0
    assert y.grad.tolist() == [1.0, 1.0, 1.0] and cotangent.tolist() == [1.0, 1.0, 1.0]
    given = ta.tensor([1.0, 1.0, 1.0])
    (x + y).backward(given, create_graph=True)
    x.grad.zero_()
    assert y.grad.tolist() == [2.0, 2.0, 2.0] and given.tolist() == [1.0, 1.0, 1.0]


def test_gradients_of_recorded_sweeps_share_no_object(x):
    y = ta.tensor([1.0, 1.0, 1.0], requires_grad=True)
    given = ta.tensor([1.0, 1.0, 1.0], requires_grad=True)
    (x + y).backward(given, create_graph=True)
    assert x.grad is not y.grad and x.grad is not given
    x.grad.zero_()
    assert y.grad.tolist() == given.tolist() == [1.0, 1.0, 1.0]
    assert ta.gradients((y.grad * 2).sum(), given)[0].tolist() == [2.0, 2.0, 2.0]


def test_a_dropped_leaf_is_no_obstacle(x):
    def scaled():
        return x * ta.tensor(2.0, requires_grad=True)

    y = scaled()
    gc.collect()
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_assigning_a_gradient(x):
    x.grad = [1, 2, 3]
    assert x.grad.dtype == np.float64
    x.sum().backward()
    assert x.grad.tolist() == [2.0, 3.0, 4.0]
    with pytest.raises(ValueError, match=r"shape \(2,\), the tensor \(3,\)"):
        x.grad = [1.0, 2.0]


# ---------------------------------------------------------------------- freed and retained graphs


def test_a_second_sweep_over_a_freed_graph_names_the_first(x):
    y = (x * x).sum()
    y.backward()
    line = test_a_second_sweep_over_a_freed_graph_names_the_first.__code__.co_firstlineno + 2
    message = rf"freed by backward\(\) at .*test_backward\.py:{line}; pass retain_graph=True"
    for use in (y.backward, lambda: ta.gradients(y, x), lambda: (y * 2).backward()):
        with pytest.raises(RuntimeError, match=message):
            use()
    assert x.grad.tolist() == [2.0, 4.0, 6.0]
    z = (x * x).sum()
    ta.gradients(z, x)
    with pytest.raises(RuntimeError, match=r"freed by gradients\(\) at .*test_backward\.py:\d+"):
        z.backward()


def test_a_freed_value_can_still_be_read_and_built_upon_as_a_constant(x):
    y = (x * x).sum()
    y.backward()
    assert y.item() == 14.0 and y.requires_grad
    assert (y.detach() * 2).item() == 28.0


def test_a_graph_shared_with_a_freed_one_cannot_be_swept(x):
    shared = np.exp(x)
    first, second = shared.sum(), (shared * 2).sum()
    first.backward()
    with pytest.raises(RuntimeError, match="freed by backward"):
        second.backward()
    np.testing.assert_allclose(x.grad.data, np.exp([1.0, 2.0, 3.0]))


def test_retain_graph(x):
    y = (x * x).sum()
    for count in (1, 2, 3):
        y.backward(retain_graph=True)
        assert x.grad.tolist() == [2.0 * count, 4.0 * count, 6.0 * count]
    y.backward()
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()


def test_create_graph_retains_unless_told_otherwise(x):
    y = (x**3).sum()
    y.backward(create_graph=True)
    y.backward()
    y = (x**3).sum()
    y.backward(create_graph=True, retain_graph=False)
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()


def test_gradients_frees_no_more_than_it_swept():
    x = ta.tensor(2.0, requires_grad=True)
    h = x * 3
    y = h * h
    assert ta.gradients(y, h)[0].item() == 12.0
    h.backward()
    assert x.grad.item() == 3.0
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()


# ---------------------------------------------------------------------- gradients


def test_gradients_returns_one_per_input_and_accumulates_nothing(x):
    w = ta.tensor(2.0, requires_grad=True)
    result = ta.gradients((x * w).sum(), (x, w))
    assert isinstance(result, tuple) and all(isinstance(part, ta.Tensor) for part in result)
    assert (result[0].tolist(), result[1].item()) == ([2.0, 2.0, 2.0], 6.0)
    assert x.grad is None and w.grad is None
    assert ta.gradients(x.sum(), [x])[0].tolist() == [1.0, 1.0, 1.0]


def test_gradients_of_several_outputs_are_summed(x):
    y, z = x * x, np.exp(x[0])
    (plain,) = ta.gradients([y, z], x, grad_outputs=[np.ones(3), 10.0])
    np.testing.assert_allclose(plain.data, [2 + 10 * np.e, 4.0, 6.0])
    (again,) = ta.gradients([x.sum(), x.sum(), np.exp(x[0])], [x])
    np.testing.assert_allclose(again.data, [2 + np.e, 2.0, 2.0])
    y = (x * x).sum()
    assert ta.gradients([y, y], x)[0].tolist() == [4.0, 8.0, 12.0]


def test_gradients_in_results_in_between():
    x = ta.tensor(2.0, requires_grad=True)
    h = x * x
    y = h * x
    gradient_h, gradient_x, gradient_y = ta.gradients(y, (h, x, y))
    assert (gradient_h.item(), gradient_x.item(), gradient_y.item()) == (2.0, 12.0, 1.0)


def test_an_input_may_be_asked_for_twice():
    x = ta.tensor([2.0], requires_grad=True)
    first, second = ta.gradients(x * x, (x, x))
    first.data[0] = 9.0
    assert second.tolist() == [4.0]


def test_unused_inputs(x):
    w = ta.tensor(2.0, requires_grad=True)
    y = x.sum()
    with pytest.raises(RuntimeError, match=r"gradients: input 1 \(shape \(\)\) is not used.*allow_unused=True"):
        ta.gradients(y, (x, w), retain_graph=True)
    used, unused = ta.gradients(y, (x, w), allow_unused=True)
    assert used.tolist() == [1.0, 1.0, 1.0] and unused is None


def test_wrong_arguments_raise(x):
    y = x.sum()
    with pytest.raises(RuntimeError, match="gradients: input 1 does not require a gradient"):
        ta.gradients(y, (x, ta.tensor(1.0)))
    with pytest.raises(RuntimeError, match="gradients: output 0 does not require a gradient"):
        ta.gradients(ta.tensor(1.0), x)
    with pytest.raises(RuntimeError, match=r"gradients: output 0 has shape \(3,\)"):
        ta.gradients(x * 2, x)
    with pytest.raises(ValueError, match="2 grad_outputs for 1 outputs"):
        ta.gradients(y, x, grad_outputs=[1.0, 2.0])
    with pytest.raises(RuntimeError, match="does not require a gradient"):
        ta.gradients(y, [np.ones(3)])


def test_an_unneeded_input_that_is_not_differentiable_does_no_harm():
    mine = ta.primitive("first_of_two")(lambda a, b: a * 1.0)
    try:
        ta.RegisterGradient("first_of_two")(lambda op: (1.0, None))
        a, b = ta.tensor(2.0, requires_grad=True), ta.tensor(3.0, requires_grad=True)
        y = mine(a, b)
        assert ta.gradients(y, a, retain_graph=True)[0].item() == 1.0
        with pytest.raises(NotImplementedError, match="'b'"):
            y.backward()
    finally:
        del ta.registry.PRIMITIVES["first_of_two"]


def test_a_sweep_that_raises_changes_no_gradient(x):
    w = ta.tensor(1.0, requires_grad=True)
    y = (x * w).sum()

    def fails(op):
        raise ArithmeticError

    with ta.override_gradient({"multiply": fails}), pytest.raises(ArithmeticError):
        y.backward(retain_graph=True)
    assert x.grad is None and w.grad is None
    y.backward()
    assert w.grad.item() == 6.0


# ---------------------------------------------------------------------- recorded sweeps


def test_create_graph_gives_derivatives_of_any_order():
    x = ta.tensor(0.7, requires_grad=True)
    value = np.sin(x)
    for expected in (np.cos(0.7), -np.sin(0.7), -np.cos(0.7), np.sin(0.7), np.cos(0.7)):
        (value,) = ta.gradients(value, x, create_graph=True)
        assert value.requires_grad
        assert value.item() == pytest.approx(expected, rel=1e-14)


def test_backward_with_create_graph(x):
    (x**3).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    penalty = (x.grad**2).sum()
    x.grad = None
    penalty.backward()
    np.testing.assert_allclose(x.grad.data, 36 * np.array([1.0, 2.0, 3.0]) ** 3)
    assert not x.grad.requires_grad


def test_accumulation_with_create_graph_is_differentiable(x):
    (x**3).sum().backward(create_graph=True)
    (x**2).sum().backward(create_graph=True)
    assert x.grad.tolist() == [5.0, 16.0, 33.0]
    total = x.grad.sum()
    x.grad = None
    total.backward()
    assert x.grad.tolist() == [8.0, 14.0, 20.0]


def test_a_gradient_with_history_can_be_zeroed(x):
    (x**3).sum().backward(create_graph=True)
    x.grad.zero_()
    assert x.grad.tolist() == [0.0, 0.0, 0.0] and not x.grad.requires_grad
    x.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


def test_the_cotangent_may_be_differentiated_in():
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    v = ta.tensor([3.0, 4.0], requires_grad=True)
    (product,) = ta.gradients(x**2, x, grad_outputs=v, create_graph=True)
    (by_v,) = ta.gradients(product, v, grad_outputs=np.ones(2), retain_graph=True)
    (by_x,) = ta.gradients(product, x, grad_outputs=np.ones(2))
    assert (by_v.tolist(), by_x.tolist()) == ([2.0, 4.0], [6.0, 8.0])


def test_without_create_graph_the_results_are_constants(x):
    (gradient,) = ta.gradients((x**3).sum(), x)
    assert not gradient.requires_grad and gradient.is_leaf


def test_a_training_loop_ends_where_it_should_and_leaves_nothing():
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(50, 3))
    targets = inputs @ np.array([1.0, -2.0, 0.5]) + 0.25
    weights, offset = ta.tensor(np.zeros(3), requires_grad=True), ta.tensor(0.0, requires_grad=True)
    for _ in range(300):
        loss = ((inputs @ weights + offset - targets) ** 2).mean()
        loss.backward()
        for parameter in (weights, offset):
            with ta.no_grad():
                parameter.data = parameter.data - 0.1 * parameter.grad.data
            parameter.grad.zero_()
    np.testing.assert_allclose(weights.data, [1.0, -2.0, 0.5], atol=1e-6)
    np.testing.assert_allclose(offset.item(), 0.25, atol=1e-6)


def test_a_deep_network_keeps_no_more_than_pytorch():
    """Of each layer the values that its two rules read, and the gradients of its weights."""
    depth, batch, width = 40, 64, 128
    generator = np.random.default_rng(0)
    layers = [ta.tensor(0.1 * generator.normal(size=(width, width)), requires_grad=True) for _ in range(depth)]
    inputs = generator.normal(size=(batch, width))

    def loss(activation, depth):
        hidden = inputs
        for weights in layers[:depth]:
            hidden = hidden + activation(hidden @ weights)
        return np.mean(hidden**2)

    for activation in (np.tanh, lambda x: np.maximum(x, 0.0)):
        loss(activation, 2).backward()
        for weights in layers:
            weights.grad = None
        tracemalloc.start()
        try:
            loss(activation, depth).backward()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 1.1 * 8 * depth * (2 * batch * width + width * width)


# ---------------------------------------------------------------------- of what, and with respect to what


def test_backward_may_be_told_whose_gradients_to_add(x):
    w = ta.tensor([4.0, 5.0, 6.0], requires_grad=True)
    y = x * w
    (y * y).sum().backward(inputs=[x, y])
    assert w.grad is None
    assert y.grad.tolist() == [8.0, 20.0, 36.0]
    assert x.grad.tolist() == (y.grad * w).tolist()
    (x * w).sum().backward(inputs=w)
    assert w.grad.tolist() == [1.0, 2.0, 3.0]
    (x * x).sum().backward(inputs=[w])
    assert w.grad.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(RuntimeError, match="inputs= is empty"):
        (x * w).sum().backward(inputs=[])
    with pytest.raises(RuntimeError, match="backward: input 1 does not require a gradient"):
        (x * w).sum().backward(inputs=[x, ta.tensor(1.0)])


def test_a_complex_output_needs_its_cotangent():
    z = ta.tensor(1.0 + 2.0j, requires_grad=True)
    for sweep in (lambda: (z * z).backward(), lambda: ta.gradients(z * z, z)):
        with pytest.raises(RuntimeError, match="is complex; give its cotangent"):
            sweep()
    (z * z).backward(1.0)
    assert z.grad.item() == 2.0 - 4.0j


def test_a_leaf_of_the_graph_knows_its_tensor(x):
    assert (x * 2.0).grad_fn.next_functions[0][0].variable is x
    leaf = (ta.tensor(1.0, requires_grad=True) * 2.0).grad_fn.next_functions[0][0]
    gc.collect()
    assert leaf.variable is None
