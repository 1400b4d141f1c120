"""Checkpointing: bit for bit the plain gradients, everywhere, and no more recomputation than is needed."""

from __future__ import annotations

import gc
import math
import threading
import tracemalloc

import numpy as np
import pytest
from agreement import check

import tapead as ta
from tapead.checkpoint import _split, without_checkpoints


def rng():
    return np.random.default_rng(5)


def layer(x, w):
    return np.tanh(x @ w) * x + np.exp(-x * x)


def network(wrap):
    """Three layers that share their weights with each other and with what stands around them."""

    def loss(x, w):
        h = np.sin(x)
        for _ in range(3):
            h = wrap(layer)(h, w)
        return np.sum(h * x) + np.sum(w * w)

    return loss


def plain(f):
    return f


def point():
    return rng().standard_normal((4, 3)), rng().standard_normal((3, 3))


def identical(first, second):
    np.testing.assert_array_equal(first, second, strict=True)


def test_gradients_are_the_plain_ones_to_the_last_bit():
    for ours, theirs in zip(ta.grad(network(ta.checkpoint), (0, 1))(*point()),
                            ta.grad(network(plain), (0, 1))(*point()), strict=True):
        identical(ours, theirs)


def test_both_modes_and_second_order_agree():
    x, w = point()
    check(lambda x, w: ta.checkpoint(layer)(ta.checkpoint(layer)(x, w), w), x, w)


@pytest.mark.parametrize("transform", [
    lambda f: ta.jvp(f, point(), point())[1],
    lambda f: ta.hvp(f, point(), point())[0],
    lambda f: ta.linearize(f, *point())[1](*point()),
    lambda f: ta.vjp(f, *point())[1](2.0)[1],
], ids=["jvp", "hvp", "linearize", "vjp"])
def test_every_transform_gives_the_same_bits(transform):
    identical(transform(network(ta.checkpoint)), transform(network(plain)))


@pytest.mark.parametrize("seed", range(5))
def test_a_gradient_within_a_gradient(seed):
    # Stretches are recorded again in another order than they were computed in, and so are the sums of cotangents.
    x, w = np.random.default_rng(seed).standard_normal((4, 3)), np.random.default_rng(seed).standard_normal((3, 3))

    def outer(f):
        return ta.grad(lambda s: f(s * x, ta.grad(f, 1)(x, s * w)))(0.5)

    np.testing.assert_allclose(outer(network(ta.checkpoint)), outer(network(plain)), rtol=1e-13)


def test_a_sweep_over_a_recorded_sweep_adds_the_same_in_another_order():
    x, w = point()

    def second(wrap):
        return ta.jacobian(ta.grad(lambda x: network(wrap)(x, w)), mode="rev")(x)

    np.testing.assert_allclose(second(ta.checkpoint), second(plain), rtol=1e-12, atol=1e-12)


def test_transforms_within_a_checkpoint():
    def f(x):
        return np.sum(ta.grad(lambda y: np.sum(np.sin(y * x)))(x * 2.0) * ta.hvp(lambda y: np.sum(y**3), x, x))

    x = np.array([0.3, -0.7])
    identical(ta.grad(ta.checkpoint(f))(x), ta.grad(f)(x))


def leaves():
    return [ta.tensor(value, requires_grad=True) for value in point()]


def test_backward_adds_the_same_gradients():
    found = []
    for wrap in (plain, ta.checkpoint):
        x, w = leaves()
        network(wrap)(x, w).backward()
        found.append((x.grad.data, w.grad.data))
    for ours, theirs in zip(*found, strict=True):
        identical(ours, theirs)


def test_a_graph_can_be_kept_and_is_freed_otherwise():
    x, w = leaves()
    y = np.sum(ta.checkpoint(layer)(x, w))
    y.backward(retain_graph=True)
    first = x.grad.data
    y.backward()
    identical(x.grad.data, 2 * first)
    with pytest.raises(RuntimeError, match="freed by backward"):
        y.backward()


def test_gradients_with_create_graph():
    found = []
    for wrap in (plain, ta.checkpoint):
        x, w = leaves()
        inner, = ta.gradients(network(wrap)(x, w), x, create_graph=True)
        np.sum(inner**2).backward()
        found.append(w.grad.data)
    np.testing.assert_allclose(*found, rtol=1e-12, atol=1e-12)


def test_tensors_that_are_read_from_around_are_differentiated_in():
    x, w = point()

    def loss(wrap):
        return lambda w: np.sum(wrap(lambda x: layer(x, w))(w @ w) * w)

    identical(ta.grad(loss(ta.checkpoint))(w), ta.grad(loss(plain))(w))
    identical(ta.hessian(loss(ta.checkpoint))(w), ta.hessian(loss(plain))(w))
    w = ta.tensor(w, requires_grad=True)
    y = ta.checkpoint(lambda x: layer(x, w))(x)  # nothing tracked is passed
    y.sum().backward()
    identical(w.grad.data, ta.grad(lambda w: np.sum(layer(x, w)))(w.data))


def test_checkpoints_nest():
    def chain(length, wrap):
        if length == 1:
            return lambda x: np.sin(x) * x
        half = wrap(chain(length // 2, wrap))
        return lambda x: half(half(x))

    x = np.array([0.3, 1.2])
    for transform in (ta.grad, ta.hessian):
        identical(transform(lambda x: np.sum(chain(16, ta.checkpoint)(x)))(x),
                  transform(lambda x: np.sum(chain(16, plain)(x)))(x))


def test_containers_keywords_and_several_results():
    def f(state, *, scale):
        a, b = state["a"], state["b"]
        c = np.exp(a * scale) + b
        return {"first": c, "rest": (np.sum(c * a), [b, 7, None, c]), "same": c}

    def loss(wrap):
        def run(a, b):
            out = wrap(f)({"a": a, "b": b}, scale=0.5)
            assert out["rest"][1][1:3] == [7, None]
            return np.sum(out["first"] * out["same"]) * out["rest"][0] + np.sum(out["rest"][1][3] * out["rest"][1][0])

        return run

    args = (np.array([0.1, 0.2, 0.3]), np.array([1.0, -1.0, 0.5]))
    for ours, theirs in zip(ta.grad(loss(ta.checkpoint), (0, 1))(*args), ta.grad(loss(plain), (0, 1))(*args),
                            strict=True):
        identical(ours, theirs)
    identical(ta.hvp(loss(ta.checkpoint), args, args)[1], ta.hvp(loss(plain), args, args)[1])


def test_float32_and_complex_results_together():
    def f(x, z):
        return np.float32(2) * x, np.conj(z) * np.sum(x)

    def loss(wrap):
        def run(x, z):
            a, b = wrap(f)(x, z)
            return np.sum(a * a) + np.sum(np.real(b * np.conj(b)))

        return run

    args = (np.array([1.0, 2.0], np.float32), np.array([1 + 2j, 0.5j]))
    for ours, theirs in zip(ta.grad(loss(ta.checkpoint), (0, 1))(*args), ta.grad(loss(plain), (0, 1))(*args),
                            strict=True):
        identical(ours, theirs)


def test_results_may_be_differentiated_in():
    x = ta.tensor([0.5, 1.0], requires_grad=True)
    a, b = ta.checkpoint(lambda x: (np.sin(x), np.cos(x)))(x)
    db, da = ta.gradients((a * b * b).sum(), [b, a])
    identical(da.data, (b * b).data)
    np.testing.assert_allclose(db.data, 2 * np.sin(x.data) * np.cos(x.data))
    y = ta.checkpoint(np.sin)(x)
    seen = []
    y.register_hook(lambda gradient: seen.append(gradient.data))
    (3.0 * y).sum().backward()
    identical(seen[0], np.array([3.0, 3.0]))


def test_hooks_of_all_results_are_called():
    x = ta.tensor(2.0, requires_grad=True)
    a, b = ta.checkpoint(lambda x: (x * x, x * x * x))(x)
    a.register_hook(lambda gradient: gradient * 10)
    b.register_hook(lambda gradient: gradient * 100)
    (a + b).backward()
    assert x.grad.item() == 10 * 4 + 100 * 12


def test_hooks_of_the_entry_that_stands_for_it():
    x = ta.tensor(2.0, requires_grad=True)
    a, b = ta.checkpoint(lambda x: (x * x, x * x * x))(x)
    a.grad_fn.register_prehook(lambda gradients: (gradients[0] * 10,))
    b.grad_fn.register_prehook(lambda gradients: (gradients[0] * 100,))
    with pytest.raises(NotImplementedError, match="a hook after <lambda>, which is checkpointed"):
        a.grad_fn.register_hook(print)
    (a + b).backward()
    assert x.grad.item() == 10 * 4 + 100 * 12


def test_views_and_writes():
    def f(x):
        y = np.sin(x)
        y[0] = y[1] * x[0]
        return y.T[::-1]

    def loss(wrap):
        def run(x):
            z = wrap(f)(x)
            z[0] = 2 * z[1]
            return np.sum(z * z * x[:2])

        return run

    x = rng().standard_normal((4, 2))

    def square(x):
        return np.sum(ta.checkpoint(lambda x: f(x) ** 2)(x))

    identical(ta.grad(square)(x), ta.grad(lambda x: np.sum(f(x) ** 2))(x))
    x = rng().standard_normal((2, 2))
    identical(ta.grad(loss(ta.checkpoint))(x), ta.grad(loss(plain))(x))


def test_a_function_that_writes_into_its_argument():
    def fill(y, x):
        y[0] = x * x
        return y * x

    def loss(wrap):
        def run(x):
            y = np.sin(x) * np.ones(3)
            z = wrap(fill)(y, x)
            return np.sum(z * y)

        return run

    identical(ta.grad(loss(ta.checkpoint))(0.5), ta.grad(loss(plain))(0.5))


def test_results_that_need_no_derivative_are_handed_through():
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    result = ta.checkpoint(lambda x: (x, 3, np.ones(2), np.argmax(x)))(x)
    assert result[0] is x
    assert result[1] == 3 and result[3] == 1
    with ta.no_grad():
        assert not ta.checkpoint(np.sin)(x).requires_grad
    assert ta.checkpoint(np.sin)(0.0) == 0.0


def test_sweeps_in_no_grad_record_again():
    x = ta.tensor(0.5, requires_grad=True)
    y = ta.checkpoint(lambda x: np.sin(np.exp(x)))(x)
    with ta.no_grad():
        y.backward()
    assert x.grad.item() == ta.grad(lambda x: np.sin(np.exp(x)))(0.5)


def test_the_steps_are_not_on_the_tape(nothing_on_the_tape):
    x = ta.tensor(np.ones(3), requires_grad=True)
    y = ta.checkpoint(lambda x: np.exp(np.sin(np.cos(x))).reshape(3, 1).T)(x)
    gc.collect()
    assert [entry.primitive.name for entry in ta.tape()] == ["checkpoint"]
    assert "checkpoint(v0, of=<lambda>)" in str(ta.tape())
    assert y.grad_fn.where.startswith("test_checkpoint.py:")


def test_a_function_runs_once_and_once_more_a_sweep():
    calls = []

    def f(x):
        calls.append(1)
        return np.sin(x), np.cos(x), x * x

    x = ta.tensor(0.5, requires_grad=True)
    a, b, c = ta.checkpoint(f)(x)
    assert len(calls) == 1
    (a * b * c).backward(retain_graph=True)
    assert len(calls) == 2
    ta.jvp(lambda x: sum(ta.checkpoint(f)(x)), (0.5,), (1.0,))
    assert len(calls) == 4


def peak(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_of_the_arguments_and_one_part():
    x = np.linspace(0.0, 1.0, 20_000)  # 160 kB

    def part(x):
        for _ in range(16):
            x = np.sin(x) * x
        return x

    def loss(wrap):
        def run(x):
            for _ in range(16):
                x = wrap(part)(x)
            return np.sum(x)

        return run

    plain_peak, checkpointed_peak = (peak(lambda wrap=wrap: ta.grad(loss(wrap))(x)) for wrap in (plain, ta.checkpoint))
    assert plain_peak > 2 * 16 * 16 * x.nbytes
    assert checkpointed_peak < (16 + 2 * 16 + 10) * x.nbytes
    scan_peak = peak(lambda: ta.grad(lambda x: np.sum(ta.checkpoint_scan(part, x, 64, snapshots=4)))(x))
    assert scan_peak < (4 + 2 * 16 + 12) * x.nbytes


# ---------------------------------------------------------------------- what cannot be run again is noticed


def test_random_numbers_are_noticed():
    generator = rng()
    with pytest.raises(RuntimeError, match="dropout gave another result when it was run again"):
        ta.grad(lambda x: np.sum(ta.checkpoint(dropout)(x, generator)))(np.ones(50))


def dropout(x, generator):
    return x * (generator.random(x.shape) < 0.5)


def test_an_array_written_to_is_noticed():
    scale = np.array([1.0, 2.0])
    x = ta.tensor([1.0, 1.0], requires_grad=True)
    y = ta.checkpoint(lambda x: x * scale)(x).sum()
    scale[0] = 5.0
    with pytest.raises(RuntimeError, match="written to since"):
        y.backward()


def test_a_constant_that_changes_no_result_is_noticed_too():
    for size in (3, 50_000):
        for factor in (np.full(size, 2.0), [2.0]):
            x = ta.tensor(np.zeros(size), requires_grad=True)
            y = ta.checkpoint(lambda x, factor=factor: x * factor[:] if len(factor) > 1 else x * factor[0])(x)
            factor[0] = 1.0
            with pytest.raises(RuntimeError, match="reads an array that has been written to"):
                y.sum().backward()
        places = np.arange(size)
        y = ta.checkpoint(lambda x, places: x[places] * 2.0)(x, places)
        places[0] = 1
        with pytest.raises(RuntimeError, match="reads an array that has been written to"):
            y.sum().backward()


def test_a_tensor_replaced_is_noticed():
    w = ta.tensor([1.0, 2.0], requires_grad=True)
    y = ta.checkpoint(lambda: np.sin(w))().sum()
    w.data = w.data  # the same value, but another leaf
    with pytest.raises(RuntimeError, match="reads other tracked tensors"):
        y.backward()


def test_a_tensor_passed_in_may_be_written_to():
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    y, constant = x * 1.0, ta.tensor([3.0, 4.0])
    z = ta.checkpoint(lambda y, c: y * y * c)(y, constant).sum()
    y[0] = 100.0
    constant[1] = 100.0
    z.backward()
    identical(x.grad.data, np.array([6.0, 16.0]))


def test_layers_that_make_their_weights_in_the_first_call():
    made = []

    def dense(x):
        if not made:
            made.append(ta.tensor(2.0, requires_grad=True))
        return np.sin(x * made[0])

    x = ta.tensor(0.5, requires_grad=True)
    ta.checkpoint(dense)(x).backward()
    assert made[0].grad.item() == 0.5 * np.cos(1.0)
    made.clear()


def test_gradcheck_sees_a_checkpointed_function():
    assert ta.gradcheck(ta.checkpoint(lambda x: np.sum(np.sin(x) * x)), np.array([0.3, 1.2]))


def test_the_tape_can_be_had_in_full():
    for f in (ta.checkpoint(lambda x: np.sin(x) * x), lambda x: ta.checkpoint_scan(lambda y: y * np.sin(x), x, 1, 1)):
        with without_checkpoints():
            assert str(ta.symbolic.to_sympy(f, 0.5)) == "x*sin(x)"


def test_the_search_for_anomalies_names_the_operation():
    with np.errstate(invalid="ignore"), ta.detect_anomaly(), pytest.raises(RuntimeError, match="sqrt made nan"):
        ta.grad(ta.checkpoint(lambda x: np.sqrt(x) * x))(-1.0)
    x = ta.tensor(0.0, requires_grad=True)
    y = ta.checkpoint(lambda x: np.sqrt(x) + 1.0)(x)
    with ta.detect_anomaly(), pytest.raises(RuntimeError, match="derivative of sqrt is infinite"):
        y.backward()


def test_gradients_of_results_can_be_retained():
    x = ta.tensor(0.5, requires_grad=True)
    a, b = ta.checkpoint(lambda x: (np.sin(x), np.cos(x)))(x)
    a.retain_grad()
    b.retain_grad()
    (a * b).backward()
    assert (a.grad.item(), b.grad.item()) == (b.item(), a.item())


def test_another_thread_may_sweep():
    x = ta.tensor(0.5, requires_grad=True)
    y = ta.checkpoint(lambda x: np.sin(x) * x)(x)
    thread = threading.Thread(target=y.backward)
    thread.start()
    thread.join()
    assert x.grad.item() == ta.grad(lambda x: np.sin(x) * x)(0.5)


# ---------------------------------------------------------------------- checkpoint_scan


def optimum(n, s):
    """Griewank & Walther's least number of recomputed steps."""
    r = next(r for r in range(n + 1) if math.comb(s + r, s) >= n)
    return r * n - (math.comb(s + r, r - 1) if r else 0)


class Counted:
    """A step that counts its calls, with a parameter from around it."""

    def __init__(self, w):
        self.calls = 0
        self.w = w

    def __call__(self, state):
        self.calls += 1
        x, v = state
        return x + 0.01 * v, v - 0.01 * np.sin(x) * self.w


def by_loop(step, state, n, snapshots=None):
    for _ in range(n):
        state = step(state)
    return state


def swung(scan, x, w, n, snapshots):
    step = Counted(w)
    x, v = scan(step, (x, 0.0), n, snapshots)
    return x * v + w, step


@pytest.mark.parametrize(("n", "snapshots"), [(1000, 10), (100, 1), (1, 1), (2, 1), (5, 100), (64, 3), (285, 2)])
def test_as_many_steps_are_recomputed_as_must_be(n, snapshots):
    x, w = (ta.tensor(value, requires_grad=True) for value in (0.7, 1.3))
    loss, step = swung(ta.checkpoint_scan, x, w, n, snapshots)
    assert step.calls == n
    loss.backward()
    assert step.calls - n == optimum(n, snapshots)
    expected = ta.grad(lambda x, w: swung(by_loop, x, w, n, None)[0], (0, 1))(0.7, 1.3)
    assert (x.grad.item(), w.grad.item()) == expected


def test_the_optimum_of_a_thousand_steps_with_ten_snapshots():
    assert optimum(1000, 10) == 3636


def test_the_schedule_is_optimal():
    def needed(n, s):
        if n == 1:
            return 0
        length = _split(n, s)
        return length + needed(n - length, s - 1) + needed(length, s)

    best = {(1, s): 0 for s in range(9)} | {(n, 0): math.inf for n in range(2, 41)}
    for n in range(2, 41):
        for s in range(1, 9):
            best[n, s] = min(m + best[n - m, s - 1] + best[m, s] for m in range(1, n))
            assert needed(n, s) == best[n, s] == optimum(n, s)


def test_the_scan_takes_part_in_every_transform():
    def f(scan):
        return lambda p: swung(scan, p[0], p[1], 17, 3)[0]

    p = np.array([0.7, 1.3])
    for transform in (ta.grad, ta.hessian, lambda f: ta.jvp(f, (p,), (p,))[1:], lambda f: ta.vjp(f, p)[1](1.0)):
        ours, theirs = transform(f(ta.checkpoint_scan)), transform(f(by_loop))
        if callable(ours):
            ours, theirs = ours(p), theirs(p)
        identical(ours, theirs)
    np.testing.assert_allclose(ta.grad(lambda p: np.sum(ta.grad(f(ta.checkpoint_scan))(p) ** 2))(p),
                               ta.grad(lambda p: np.sum(ta.grad(f(by_loop))(p) ** 2))(p), rtol=1e-13)


def test_no_more_states_are_alive_than_snapshots_and_one_step():
    peaks = []

    def measured(x):
        peaks.append(len({id(entry.attrs["of"].leaves[0]._value) for entry in ta.tape() if "of" in entry.attrs}))
        return np.sin(x) * 1.0

    ta.checkpoint_scan(measured, ta.tensor(0.5, requires_grad=True), 60, snapshots=4).backward()
    assert len(peaks) == 60 + optimum(60, 4)
    assert max(peaks) == 4


def test_a_state_that_carries_its_number():
    inputs = np.array([0.1, -0.2, 0.3, 0.4, -0.5])

    def step(state):
        x, i = state
        return np.tanh(x + inputs[i]), i + 1

    def last(scan):
        return lambda x: scan(step, (x, 0), 5, 2)[0]

    assert ta.grad(last(ta.checkpoint_scan))(0.2) == ta.grad(last(by_loop))(0.2)


def test_a_tensor_handed_on_past_the_state_is_noticed():
    kept = []

    def step(x):
        y = np.sin(x) * (kept[-1] if kept else 1.0)
        kept[:] = [y]
        return y

    with pytest.raises(RuntimeError, match="pass it on in the state"):
        ta.grad(lambda x: ta.checkpoint_scan(step, x, 9, snapshots=2))(0.5)
    kept.clear()


@pytest.mark.parametrize("wrap", [plain, ta.checkpoint])
def test_the_scan_nests_in_itself_and_in_checkpoints(wrap):
    def outer(scan):
        return wrap(lambda x: scan(lambda y: scan(lambda z: np.sin(z) + 0.1, y, 6, 2), x, 5, 2))

    assert ta.grad(outer(ta.checkpoint_scan))(0.3) == ta.grad(outer(by_loop))(0.3)


def test_without_steps_or_without_recording():
    x = ta.tensor(0.5, requires_grad=True)
    assert ta.checkpoint_scan(np.sin, x, 0, snapshots=1) is x
    with ta.no_grad():
        assert not ta.checkpoint_scan(np.sin, x, 3, snapshots=1).requires_grad
    assert ta.checkpoint_scan(np.sin, 0.5, 2, snapshots=1) == np.sin(np.sin(0.5))
    for n, snapshots in ((-1, 1), (3, 0)):
        with pytest.raises(ValueError, match="must be positive"):
            ta.checkpoint_scan(np.sin, x, n, snapshots)
