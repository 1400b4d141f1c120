"""The garbage collector is called less often while something is recorded, and as often as before afterwards."""

from __future__ import annotations

import gc
from threading import Thread

import numpy as np
import pytest

import tapead as ta


@pytest.fixture(autouse=True)
def usual():
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def test_it_is_patient_while_a_function_is_recorded():
    seen = []
    inner = ta.grad(lambda x: seen.append(gc.get_threshold()) or x * x)
    ta.grad(lambda x: seen.append(gc.get_threshold()) or inner(x) * x)(1.0)
    assert {threshold[0] for threshold in seen} == {50_000}
    assert gc.get_threshold() == (700, 10, 10)


def test_an_error_leaves_it_as_it_was():
    with pytest.raises(ZeroDivisionError):
        ta.grad(lambda x: x * (1 // 0))(1.0)
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("own", [(0, 10, 10), (100_000, 5, 5)])
def test_a_threshold_of_the_users_stays(own):
    gc.set_threshold(*own)
    seen = []
    ta.grad(lambda x: seen.append(gc.get_threshold()) or x * x)(1.0)
    assert [*seen, gc.get_threshold()] == [own, own]

    def f(x):
        gc.set_threshold(300, 3, 3)
        return x * x

    ta.grad(f)(1.0)
    assert gc.get_threshold() == (300, 3, 3)


def test_threads_that_record_at_the_same_time():
    def work():
        for _ in range(200):
            ta.grad(lambda x: np.sin(x) * x)(0.5)

    workers = [Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert gc.get_threshold() == (700, 10, 10)
