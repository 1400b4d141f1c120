"""Hooks: on tensors, on entries, after accumulation; retained gradients and the warning that speaks of them."""

from __future__ import annotations

import gc
import warnings

import numpy as np
import pytest

import tapead as ta
from tapead.hooks import hooked, retaining


@pytest.fixture
def x():
    return ta.tensor([1.0, 2.0, 3.0], requires_grad=True)


def test_a_hook_sees_the_complete_gradient_of_a_result(x):
    seen = []
    y = x * 2.0
    y.register_hook(seen.append)
    (y**2 + 3.0 * y).sum().backward()
    assert [gradient.tolist() for gradient in seen] == [[7.0, 11.0, 15.0]]
    assert x.grad.tolist() == [14.0, 22.0, 30.0]


def test_a_hook_may_replace_the_gradient(x):
    y = np.sin(x)
    y.register_hook(lambda gradient: gradient * 10.0)
    y.register_hook(lambda gradient: np.asarray(gradient) + 1.0)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.data, 11.0 * np.cos([1.0, 2.0, 3.0]))


def test_a_hook_on_a_leaf_sees_the_sum_of_all_paths(x):
    handle = x.register_hook(lambda gradient: gradient * 2.0)
    (x * x + x).sum().backward()
    assert x.grad.tolist() == [6.0, 10.0, 14.0]
    assert len(hooked) == 1
    handle.remove()
    assert len(hooked) == 0  # sweeps no longer ask
    x.grad = None
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0, 6.0]


def test_handles_remove_and_work_as_a_block(x):
    calls = []
    handle = x.register_hook(lambda gradient: calls.append("first"))
    with x.register_hook(lambda gradient: calls.append("second")):
        x.sum().backward()
    x.sum().backward()
    handle.remove()
    handle.remove()
    x.sum().backward()
    assert calls == ["first", "second", "first"]


def test_a_hook_survives_a_step_and_a_new_value(x):
    calls = []
    x.register_hook(lambda gradient: calls.append("gradient"))
    x.register_post_accumulate_grad_hook(lambda leaf: calls.append("accumulated"))
    for step in (lambda: None, lambda: x.__isub__(0.1), lambda: setattr(x, "data", x.data * 2.0)):
        with ta.no_grad():
            step()
        x.sum().backward()
    assert calls == ["gradient", "accumulated"] * 3


def test_hooks_are_called_in_functional_transforms_too():
    def f(x):
        y = x * x
        y.register_hook(lambda gradient: gradient * 3.0)
        return y * y

    assert ta.grad(f)(2.0) == 3 * 32.0
    # 6y · 2x, and the outer sweep passes the hook on its way through y again.
    assert ta.grad(ta.grad(f))(2.0) == 12 * 4.0 + 3 * (12 * 2.0) * 4.0


def test_a_recorded_hook_is_differentiated():
    x = ta.tensor(2.0, requires_grad=True)
    y = x * x
    y.register_hook(lambda gradient: gradient * x)
    (dy,) = ta.gradients(y, x, create_graph=True)
    assert dy.item() == 8.0
    assert ta.gradients(dy, x)[0].item() == 8.0  # d 2x² / dx


@pytest.mark.parametrize("answer, error, message", [
    (lambda g: np.ones(2), RuntimeError, r"returned a gradient of shape \(2,\) in the place of one of shape \(3,\)"),
    (lambda g: 1.0, RuntimeError, r"shape \(\) in the place of"),
    (lambda g: g.data * 1j, TypeError, "dtype complex128"),
    (lambda g: "nonsense", RuntimeError, "returned a gradient"),
])
def test_what_does_not_fit_raises(x, answer, error, message):
    y = np.sin(x)
    for tensor in (x, y):
        with tensor.register_hook(answer), pytest.raises(error, match=message):
            y.sum().backward(retain_graph=True)
    with y.grad_fn.register_hook(lambda gradients, _: (answer(gradients[0]),)), pytest.raises(error, match=message):
        y.sum().backward(retain_graph=True)


def test_a_hook_keeps_the_dtype():
    x = ta.tensor(np.ones(2, np.float32), requires_grad=True)
    x.register_hook(lambda gradient: gradient.data.astype(float) * 2.0)
    x.sum().backward()
    assert (x.grad.dtype, x.grad.tolist()) == (np.float32, [2.0, 2.0])


def test_hooks_need_something_to_wait_for():
    constant = ta.tensor(1.0)
    for method in (constant.register_hook, constant.register_post_accumulate_grad_hook):
        with pytest.raises(RuntimeError, match="does not require a gradient"):
            method(print)
    with pytest.raises(RuntimeError, match="does not require a gradient"):
        constant.retain_grad()
    x = ta.tensor(1.0, requires_grad=True)
    with pytest.raises(RuntimeError, match="is no leaf"):
        (x * x).register_post_accumulate_grad_hook(print)
    with pytest.raises(TypeError, match="must be a function"):
        x.register_hook(3)


# ---------------------------------------------------------------------- entries


def test_a_hook_after_the_rule_gets_both_sides(x):
    seen = []
    y = x * np.array([2.0, 0.0, 1.0])
    y.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs, outputs)))
    y.sum().backward()
    ((inputs, outputs),) = seen
    assert inputs[0].tolist() == [2.0, 0.0, 1.0] and inputs[1] is None
    assert [gradient.tolist() for gradient in outputs] == [[1.0, 1.0, 1.0]]
    assert x.grad.tolist() == [2.0, 0.0, 1.0]


def test_a_hook_after_the_rule_may_replace_what_is_sent(x):
    scalar = ta.tensor(2.0, requires_grad=True)
    y = x * scalar
    y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 2.0, None))
    y.sum().backward()
    assert x.grad.tolist() == [4.0, 4.0, 4.0]
    assert scalar.grad.item() == 6.0  # summed before the hook sees it
    with y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0],)):
        y = x * scalar
    y = x * scalar
    with y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0],)), \
            pytest.raises(RuntimeError, match="returned 1 gradients, expected 2"):
        y.sum().backward()


def test_a_prehook_replaces_what_arrives(x):
    order = []
    y = np.exp(x)
    y.grad_fn.register_prehook(lambda outputs: order.append("before") or (outputs[0] * 0.0,))
    y.grad_fn.register_hook(lambda inputs, outputs: order.append("after"))
    y.register_hook(lambda gradient: order.append("gradient"))
    y.sum().backward()
    assert order == ["gradient", "before", "after"]
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_entries_of_leaves_have_hooks_too(x):
    seen = []
    leaf = np.sin(x).grad_fn.next_functions[0][0]
    leaf.register_hook(lambda inputs, outputs: seen.append((inputs, outputs[0].tolist())))
    leaf.register_prehook(lambda outputs: (outputs[0] * 2.0,))
    x.sum().backward()
    assert seen == [((), [2.0, 2.0, 2.0])]


def test_a_hook_with_linear_maps_masks_and_several_entries(x):
    seen = []
    y = np.concatenate([x[1:], np.maximum(x, 2.0)])
    y.grad_fn.register_hook(lambda inputs, outputs: seen.append([part.tolist() for part in inputs]))
    np.where(np.arange(5) > 0, y, 0.0).sum().backward()
    assert seen == [[[0.0, 1.0], [1.0, 1.0, 1.0]]]
    assert x.grad.tolist() == [0.0, 0.5, 2.0]


def test_a_hook_beside_a_large_elementwise_stretch():
    x = ta.tensor(np.linspace(0.1, 1.0, 300_000), requires_grad=True)
    y = np.exp(x)
    seen = []
    y.register_hook(lambda gradient: seen.append(gradient.shape))
    (np.sin(y) * np.cos(y) * y).sum().backward()
    with_hook = x.grad.data
    x.grad = None
    y = np.exp(x)
    (np.sin(y) * np.cos(y) * y).sum().backward()
    np.testing.assert_allclose(with_hook, x.grad.data, rtol=1e-13)
    assert seen == [(300_000,)]


def test_post_accumulate_hooks_see_the_gradient_and_may_use_it_up(x):
    def step(leaf):
        with ta.no_grad():
            leaf -= 0.1 * leaf.grad
        leaf.grad = None

    handle = x.register_post_accumulate_grad_hook(step)
    (x * x).sum().backward()
    np.testing.assert_allclose(x.data, [0.8, 1.6, 2.4])
    assert x.grad is None
    handle.remove()
    (x * x).sum().backward()
    np.testing.assert_allclose(x.grad.data, [1.6, 3.2, 4.8])


def test_hooks_and_graphs_die_together():
    x = ta.tensor(1.0, requires_grad=True)

    def use():
        y = x * x
        y.register_hook(lambda gradient: gradient * y.detach())  # refers to what it hangs on
        y.backward()
        y.retain_grad()

    use()
    assert x.grad.item() == 2.0
    gc.collect()
    assert len(hooked) == len(retaining) == 0


# ---------------------------------------------------------------------- retained gradients


def test_retain_grad(x):
    y = x * 2.0
    y.retain_grad()
    for times in (1, 2):
        (y * y).sum().backward(retain_graph=True)
        assert y.grad.tolist() == [4.0 * times, 8.0 * times, 12.0 * times]
    assert x.grad.tolist() == [16.0, 32.0, 48.0]
    x.retain_grad()  # nothing to do for a leaf
    assert not np.shares_memory(y.grad.data, x.grad.data)
    ta.gradients((y * y).sum(), x)
    assert y.grad.tolist() == [8.0, 16.0, 24.0]


def test_a_retained_gradient_is_what_hooks_made_of_it(x):
    y = x * 2.0
    y.retain_grad()
    y.register_hook(lambda gradient: gradient * 5.0)
    y.grad_fn.register_prehook(lambda outputs: (outputs[0] * 3.0,))  # this is for the rule alone
    y.sum().backward()
    assert y.grad.tolist() == [5.0, 5.0, 5.0]
    assert x.grad.tolist() == [30.0, 30.0, 30.0]


@pytest.mark.parametrize("write", [
    lambda y: y.__imul__(5.0),
    lambda y: y.__setitem__(slice(0, 2), y[:2] * 5.0),
    lambda y: y[1:].__imul__(5.0),
    lambda y: np.multiply(y, 5.0, out=y),
])
def test_a_retained_gradient_is_that_of_the_last_value(x, write):
    """Hooks stay with the value that they were put on, as in PyTorch."""
    y = x * 1.0
    view = y[1:]
    seen = []
    y.register_hook(lambda gradient: seen.append(gradient.tolist()))
    y.retain_grad()
    view.retain_grad()
    write(y)
    (y.sum() + view.sum()).backward()
    assert y.grad.tolist() == [1.0, 2.0, 2.0]
    assert view.grad.tolist() == [1.0, 1.0]
    assert seen == [x.grad.tolist()]
    assert seen != [[1.0, 2.0, 2.0]]


def test_the_gradient_of_a_result_warns_once(x):
    y = np.sin(x)
    with pytest.warns(UserWarning, match=r"x\.retain_grad\(\)") as caught:
        assert y.grad is None
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert y.grad is None
        z = np.sin(x)
        z.retain_grad()
        assert z.grad is None
        assert x.grad is None
        assert y.detach().grad is None
