"""Threads, asynchronous tasks and processes: each records for itself, and every gradient is right.

``python tests/test_threads.py 10000`` makes that many runs in eight threads.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tapead as ta

THREADS = 8


def f(x):
    y = np.sin(x) * x
    return np.sum(np.exp(-y) * y[::-1]) + np.sum(y @ y)


def one_run(number: int) -> None:
    """One of several ways to a gradient, some of them beside or inside ``no_grad``; raises if it is wrong."""
    start = np.random.default_rng(number).random(5)
    s, c = np.sin(start) * start, np.cos(start) * start + np.sin(start)
    expected = (2 * s - np.exp(-s) * s[::-1] + np.exp(-s)[::-1]) * c
    way = number % 6
    if way == 0:
        x = ta.tensor(start, requires_grad=True)
        f(x).backward()
        found = x.grad.numpy()
    elif way == 1:
        found = ta.grad(f)(start)
    elif way == 2:
        with ta.no_grad():
            x = ta.tensor(start, requires_grad=True)
            assert not f(x).requires_grad
            found = ta.grad(f)(start)
            with ta.enable_grad():
                y = f(x)
        found = (found + ta.gradients(y, x)[0].numpy()) / 2
    elif way == 3:
        found = ta.jacobian(f, mode="fwd")(start)
    elif way == 4:
        x = ta.tensor(start, requires_grad=True)
        x.register_hook(lambda gradient: gradient * 2.0)
        y = x * 1.0
        y.retain_grad()
        f(y).backward()
        found = (x.grad.numpy() / 2.0 + y.grad.numpy()) / 2.0
    else:
        with ta.override_gradient({"exp": lambda op: 2.0 * op.output}), ta.no_grad():
            wrong = ta.grad(f)(start)
        assert not np.allclose(wrong, expected)
        c_vector = np.linspace(0.0, 1.0, 5)
        found = ta.grad(f)(start)
        hessian_vector = ta.hvp(f, (start,), (c_vector,))[0]
        difference = (ta.grad(f)(start + 1e-5 * c_vector) - ta.grad(f)(start - 1e-5 * c_vector)) / 2e-5
        np.testing.assert_allclose(hessian_vector, difference, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert ta.is_grad_enabled()


def many_runs(total: int) -> int:
    """So many runs in eight threads at once; how many there were."""
    barrier = threading.Barrier(THREADS)

    def work(first: int) -> int:
        barrier.wait()
        numbers = range(first, total, THREADS)
        for number in numbers:
            one_run(number)
        return len(numbers)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # as many chances to go wrong as possible
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            return sum(pool.map(work, range(THREADS)))
    finally:
        sys.setswitchinterval(before)


def test_threads_do_not_disturb_each_other():
    assert many_runs(600) == 600


def in_a_thread(function: Callable[[], object]) -> object:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_each_thread_has_its_own_tape_and_mode():
    x = ta.tensor(2.0, requires_grad=True)
    before = len(ta.tape())
    with ta.no_grad():
        y = in_a_thread(lambda: x * x)
        assert y.requires_grad and not ta.is_grad_enabled()
    assert len(ta.tape()) == before
    assert in_a_thread(lambda: len(ta.tape())) == 0


def test_a_graph_made_in_one_thread_is_swept_and_continued_in_another():
    x = ta.tensor(2.0, requires_grad=True)
    y = in_a_thread(lambda: x**3)
    z = in_a_thread(lambda: y * x)
    in_a_thread(lambda: z.backward())
    assert x.grad.item() == 32.0


def test_many_threads_sweep_one_graph():
    x = ta.tensor(np.linspace(0.1, 1.0, 50), requires_grad=True)
    y = f(x)
    expected = ta.gradients(y, x, retain_graph=True)[0].data
    barrier = threading.Barrier(THREADS)

    def sweep(_: int) -> object:
        barrier.wait()
        return [ta.gradients(y, x, retain_graph=True)[0].data for _ in range(10)]

    with ThreadPoolExecutor(THREADS) as pool:
        for results in pool.map(sweep, range(THREADS)):
            for result in results:
                np.testing.assert_array_equal(result, expected)


def test_asynchronous_tasks_keep_their_modes():
    x = ta.tensor(2.0, requires_grad=True)

    async def task(quiet: bool) -> list[bool]:
        seen = []
        for _ in range(20):
            if quiet:
                with ta.no_grad():
                    await asyncio.sleep(0)
                    seen.append((x * x).requires_grad)
            await asyncio.sleep(0)
            seen.append(not (x * x).requires_grad if quiet else (x * x).requires_grad)
        return seen

    @ta.no_grad
    async def decorated() -> list[bool]:
        seen = []
        for _ in range(20):
            await asyncio.sleep(0)
            seen.append((x * x).requires_grad)
        return seen

    async def gradient(number: float) -> float:
        y = ta.tensor(number, requires_grad=True)
        z = y
        for _ in range(5):
            await asyncio.sleep(0)
            z = z * y
        z.backward()
        return y.grad.item()

    async def main() -> list[object]:
        return await asyncio.gather(task(True), task(False), decorated(), gradient(2.0), task(True), gradient(1.0))

    quiet, loud, wrapped, first, again, second = asyncio.run(main())
    assert not any(quiet) and not any(wrapped) and quiet == again
    assert all(loud)
    assert (first, second) == (6 * 32.0, 6.0)


def test_decorated_generators_interleave():
    x = ta.tensor(2.0, requires_grad=True)

    def steps():
        for _ in range(3):
            yield (x * x).requires_grad

    quiet, loud = ta.no_grad(steps), ta.enable_grad(steps)
    assert list(zip(quiet(), loud(), quiet(), strict=True)) == [(False, True, False)] * 3
    with ta.no_grad():
        assert list(zip(quiet(), loud(), steps(), strict=True)) == [(False, True, False)] * 3


def cube(x):
    return x**3


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_processes(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(ta.grad(cube), [1.0, 2.0, 3.0]) == [3.0, 12.0, 27.0]
        returned = pool.map(received, [x, x.detach()])
    assert returned == [([1.0, 2.0], True, [2.0, 4.0]), ([1.0, 2.0], False, None)]
    assert pickle.loads(pickle.dumps(x)).grad.tolist() == [2.0, 4.0]


def received(x):
    """What a tensor is on the other side, which can also be computed with there."""
    assert ta.grad(cube)(2.0) == 12.0
    return x.tolist(), x.requires_grad, None if x.grad is None else x.grad.tolist()


if __name__ == "__main__":
    print(many_runs(int(sys.argv[1])), "gradients, every one right")
