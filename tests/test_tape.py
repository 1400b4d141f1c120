"""The tape: what it records and shows, how long entries live, threads, and that size is no obstacle."""

from __future__ import annotations

import asyncio
import gc
import threading
import tracemalloc
import weakref

import numpy as np
import pytest
from hygiene import new_entries

import tapead as ta

DEEP = 1_000_000

pytestmark = pytest.mark.usefixtures("nothing_on_the_tape")


def names() -> list[str]:
    return [entry.primitive.name for entry in ta.tape()]


# ---------------------------------------------------------------------- what is recorded


def test_operations_are_listed_in_the_order_of_their_recording():
    x = ta.tensor(0.5, requires_grad=True)
    y = np.sin(x) * 2.0
    z = np.exp(x) + y
    assert names() == ["sin", "multiply", "exp", "add"]
    assert len(ta.tape()) == 4
    assert [entry.index for entry in ta.tape()] == sorted(entry.index for entry in ta.tape())
    del y, z


def test_only_operations_on_tracked_tensors_are_recorded():
    plain = ta.tensor([1.0, 2.0])
    kept = [plain * 2, np.sin(plain), plain.sum(), np.floor(ta.tensor(1.5, requires_grad=True))]
    assert len(ta.tape()) == 0
    assert not any(result.requires_grad for result in kept)


def test_leaves_are_no_operations():
    x = ta.tensor(1.0, requires_grad=True)
    assert len(ta.tape()) == 0
    assert list(ta.tape()) == []
    assert "input" in str(ta.tape())
    assert x.grad_fn is None


def test_grad_fn_leads_back_to_the_leaves():
    x = ta.tensor(1.0, requires_grad=True)
    y = np.sin(x) * x
    assert repr(y.grad_fn) == "<MultiplyBackward>"
    (inner, place), (leaf, _) = y.grad_fn.next_functions
    assert (repr(inner), place, repr(leaf)) == ("<SinBackward>", 0, "<AccumulateGrad>")
    constant = (x * 2.0).grad_fn.next_functions[1][0]
    assert constant is None


# ---------------------------------------------------------------------- how it is shown


def test_the_printed_list_names_inputs_constants_shapes_and_the_users_lines():
    x = ta.tensor(np.ones((2, 3)), requires_grad=True)
    y = np.sin(x)
    z = (y * 2.5).sum(axis=0)
    line = test_the_printed_list_names_inputs_constants_shapes_and_the_users_lines.__code__.co_firstlineno
    rows = [row.split() for row in str(ta.tape()).splitlines()]
    assert [row[0] for row in rows] == ["v0", "v1", "v2", "v3"]
    assert rows[0][2:] == ["input", "2x3", f"test_tape.py:{line + 1}"]
    assert rows[1][2:] == ["sin(v0)", "2x3", f"test_tape.py:{line + 2}"]
    assert rows[2][2:] == ["multiply(v1,", "2.5)", "2x3", f"test_tape.py:{line + 3}"]
    assert rows[3][2:] == ["sum(v2,", "axis=0)", "3", f"test_tape.py:{line + 3}"]
    del z


def test_composed_functions_are_attributed_to_the_users_line():
    x = ta.tensor([1.0, 4.0, 9.0], requires_grad=True)
    y = np.kron(x, x).mean() + np.average(x, weights=x) + np.sinc(x).sum()
    assert {entry.where.split(":")[0] for entry in ta.tape()} == {"test_tape.py"}
    del y


def test_a_freed_entry_is_shown_as_freed():
    x = ta.tensor(1.0, requires_grad=True)
    y = np.sin(x)
    y.backward()
    assert "sin(...)   freed" in str(ta.tape())


def test_to_dot_is_a_graph_of_every_entry():
    x = ta.tensor(1.0, requires_grad=True)
    y = np.sin(x) * x
    text = ta.tape().to_dot()
    assert text.startswith("digraph tape {") and text.endswith("}")
    assert text.count("[shape=box") == 1
    assert text.count("[shape=ellipse") == 2
    assert {"  v0 -> v1;", "  v1 -> v2;", "  v0 -> v2;"} <= set(text.splitlines())
    del y


def test_the_repr_counts():
    x = ta.tensor(1.0, requires_grad=True)
    y = -x
    assert repr(ta.tape()) == "<Tape of 1 entries>"
    del y


# ---------------------------------------------------------------------- how long entries live


def test_entries_die_with_the_last_tensor_that_depends_on_them():
    x = ta.tensor(2.0, requires_grad=True)
    y = np.sin(x)
    z = np.exp(y)
    entry = weakref.ref(y.grad_fn)
    del y
    assert entry() is not None
    assert names() == ["sin", "exp"]
    del z
    assert entry() is None
    assert len(ta.tape()) == 0


def test_entries_are_freed_without_the_garbage_collector():
    gc.disable()
    try:
        x = ta.tensor(np.ones(3), requires_grad=True)
        y = (np.exp(x) * x).sum()
        entries = [weakref.ref(entry) for entry in ta.tape()]
        y.backward()
        value = ta.grad(lambda a: (a * ta.grad(lambda b: b * b)(2.0)).sum())(np.ones(2))
        assert value.tolist() == [4.0, 4.0]
        del y
        assert [entry() for entry in entries] == [None] * 3
        assert len(ta.tape()) == 0
    finally:
        gc.enable()


def test_locals_of_the_user_are_not_kept_alive():
    class Big:
        pass

    def step(x):
        big = Big()
        return weakref.ref(big), x * 2.0

    seen, y = step(ta.tensor(1.0, requires_grad=True))
    assert seen() is None
    assert y.requires_grad


@pytest.mark.parametrize("transform", [
    ta.grad, ta.value_and_grad, ta.jacobian, ta.hessian, lambda f: lambda x: ta.hvp(f, (x,), (x,)),
    lambda f: lambda x: ta.jvp(f, (x,), (x,)), lambda f: lambda x: ta.vjp(f, x)[1](1.0),
    lambda f: lambda x: ta.linearize(f, x)[1](x), lambda f: ta.grad(lambda x: ta.grad(f)(x).sum())])
def test_transforms_leave_nothing(transform):
    transform(lambda x: (x**3).sum())(np.array([1.0, 2.0]))
    assert len(ta.tape()) == 0


def test_a_function_that_raises_leaves_nothing():
    def f(x):
        y = np.sin(x)
        raise ArithmeticError(y.shape)

    with pytest.raises(ArithmeticError):
        ta.grad(f)(1.0)
    gc.collect()
    assert len(ta.tape()) == 0


def test_the_leak_check_notices_a_leak_once():
    x = ta.tensor(1.0, requires_grad=True)
    y = x + 1.0
    known: set[int] = set()
    (text,) = new_entries(ta.tape(), known)
    assert "<AddBackward> recorded at test_tape.py" in text
    assert new_entries(ta.tape(), known) == []
    del y


# ---------------------------------------------------------------------- size


def test_memory_is_flat_over_a_million_evaluations_without_a_sweep():
    x = ta.tensor(0.5, requires_grad=True)
    for _ in range(1000):
        y = np.sin(x) * x
    entries = len(ta.tape())
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(1000):
            y = np.sin(x) * x
        tracemalloc.reset_peak()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    for _ in range(DEEP // 2):
        y = np.sin(x) * x
    assert len(ta.tape()) == entries == 2
    assert after - before < 20_000
    assert peak - before < 20_000
    y.backward()
    assert x.grad.item() == pytest.approx(np.sin(0.5) + 0.5 * np.cos(0.5), rel=1e-15)


def test_a_chain_a_million_deep_is_swept_both_ways_and_freed():
    x = ta.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(DEEP):
        y = y + 1e-6
    assert y.item() == pytest.approx(2.0)
    y.backward()
    assert x.grad.item() == 1.0
    last = weakref.ref(y.grad_fn)
    del y
    assert last() is None

    def chain(x):
        for _ in range(DEEP // 5):
            x = x * 1.00001
        return x

    _, tangent = ta.jvp(chain, (1.0,), (1.0,))
    assert tangent == pytest.approx(1.00001 ** (DEEP // 5), rel=1e-9)


def test_a_deep_chain_that_is_never_swept_is_freed():
    y = x = ta.tensor(np.ones(2), requires_grad=True)
    for _ in range(DEEP // 5):
        y = -y
    last = weakref.ref(y.grad_fn)
    del y
    assert last() is None
    assert x.grad is None


def test_a_recorded_sweep_over_a_deep_chain():
    x = ta.tensor(0.3, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = np.sin(y)
    (first,) = ta.gradients(y, x, create_graph=True)
    (second,) = ta.gradients(first, x)
    assert np.isfinite(second.item())
    assert second.item() < 0


# ---------------------------------------------------------------------- threads


def in_thread(function):
    """What `function` returns in a thread of its own."""
    results, errors = [], []

    def run():
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def test_each_thread_sees_its_own_tape():
    x = ta.tensor(1.0, requires_grad=True)
    y = np.sin(x)

    def elsewhere():
        z = np.exp(x) * 2.0
        return z, names()

    z, seen = in_thread(elsewhere)
    assert seen == ["exp", "multiply"]
    assert names() == ["sin"]
    assert in_thread(ta.tape) is not ta.tape()
    assert ta.tape() is ta.tape()
    del y, z


def test_a_graph_of_one_thread_is_swept_in_another():
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    y = in_thread(lambda: (x**2).sum())
    y.backward()
    assert x.grad.data.tolist() == [2.0, 4.0]
    z = np.exp(x).sum()
    in_thread(lambda: z.backward())
    np.testing.assert_allclose(x.grad.data, [2.0 + np.e, 4.0 + np.exp(2.0)])


def test_a_graph_across_threads_nests():
    def outer(x):
        y = np.sin(x)
        return in_thread(lambda: ta.grad(lambda z: z**3 * y)(2.0)) * x

    value = ta.grad(outer)(0.5)
    assert value == pytest.approx(12 * (np.sin(0.5) + 0.5 * np.cos(0.5)))


def test_no_grad_in_one_thread_does_not_reach_another():
    with ta.no_grad():
        assert in_thread(ta.is_grad_enabled) is True
        assert ta.is_grad_enabled() is False
    assert in_thread(lambda: ta.set_grad_enabled(False) and ta.is_grad_enabled()) is False
    assert ta.is_grad_enabled() is True


def test_threads_at_work_at_once_do_not_disturb_each_other():
    barrier = threading.Barrier(4)
    results: dict[int, list[float]] = {}

    def work(number):
        barrier.wait()
        grad = ta.grad(lambda x: (np.sin(x) * number).sum())
        results[number] = [grad(np.full(3, 0.1 * step))[0] for step in range(200)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        np.testing.assert_allclose(results[number], number * np.cos(0.1 * np.arange(200)), atol=1e-15)


def test_no_grad_in_an_asynchronous_task_stays_there():
    async def quiet(started):
        with ta.no_grad():
            started.set()
            await asyncio.sleep(0)
            return ta.is_grad_enabled()

    async def main():
        started = asyncio.Event()
        task = asyncio.create_task(quiet(started))
        await started.wait()
        return ta.is_grad_enabled(), await task

    assert asyncio.run(main()) == (True, False)
