"""The garbage collector is called less often while something is recorded, and as often as before afterwards."""

from __future__ import annotations

import gc
from threading import Thread

import pytest

import tapead as ta


@pytest.fixture(autouse=True)
def usual():
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def long(x):
    """Enough operations for the collector to be called."""
    for _ in range(5000):
        x = x * 1.0
    return x


def collections(function):
    """How often the collector is called while `function` runs."""
    count = []

    def notice(phase, details):
        if phase == "start":
            count.append(details["generation"])

    gc.callbacks.append(notice)
    try:
        function()
    finally:
        gc.callbacks.remove(notice)
    return len(count)


def test_it_is_patient_while_a_function_is_recorded():
    seen = []

    def inner(x):
        y = long(x)
        seen.append(gc.get_threshold()[0])
        return y

    def outer(x):
        y = ta.grad(inner)(x)
        seen.append(gc.get_threshold()[0])  # this one is still being recorded
        return y * x

    ta.grad(outer)(1.0)
    assert seen == [50_000, 50_000]
    assert gc.get_threshold() == (700, 10, 10)


def test_it_is_called_once_in_a_recording_instead_of_many_times():
    x = ta.tensor(1.0, requires_grad=True)
    assert collections(lambda: long(x)) > 2
    assert collections(lambda: ta.grad(long)(1.0)) <= 2


def test_an_error_leaves_it_as_it_was():
    with pytest.raises(ZeroDivisionError):
        ta.grad(lambda x: long(x) * (1 // 0))(1.0)
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("own", [(0, 10, 10), (100_000, 5, 5)])
def test_a_threshold_of_the_users_stays(own):
    gc.set_threshold(*own)
    seen = []

    def observed(x):
        y = long(x)
        seen.append(gc.get_threshold())
        return y

    ta.grad(observed)(1.0)
    assert [*seen, gc.get_threshold()] == [own, own]

    def f(x):
        y = long(x)
        gc.set_threshold(300, 3, 3)
        return y

    ta.grad(f)(1.0)
    assert gc.get_threshold() == (300, 3, 3)


def test_threads_that_record_at_the_same_time():
    def work():
        for _ in range(20):
            ta.grad(long)(0.5)

    workers = [Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert gc.get_threshold() == (700, 10, 10)
