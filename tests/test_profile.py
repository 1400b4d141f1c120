"""The profiler: what is counted, to whom time is charged, and that nothing stays behind."""

from __future__ import annotations

import operator
import threading
import time
from collections import Counter

import numpy as np
import pytest

import tapead as ta
from tapead import functions, operators, profiling, sweeps
from tapead.graph import cone
from tapead.protocols import UNARY
from tapead.registry import PRIMITIVES, meaning_of
from tapead.tensor import Tensor

BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.mod, operator.matmul]


def everything(x):
    """All operators in both orders, all functions of one argument in both ways, methods, indices, writing."""
    parts = [operate(x, other) for operate in BINARY for other in (x, np.ones(3))]
    parts += [operate(np.full(3, 0.5), x) for operate in BINARY]
    parts += [operate(x, 2.0) for operate in BINARY[:-1]] + [operate(2.0, x) for operate in BINARY[:-1]]
    parts += [getattr(functions, name)(x) for name in functions.__all__ if name != "arccosh"]
    parts += [getattr(np, name)(x) for name in functions.__all__ if name != "arccosh"]
    parts += [-x, +x, abs(x), x.sum(), x.mean(), x.reshape(3, 1), x.max(), x.T, x.copy()]
    parts += [x[0], x[1:], x[np.array([0, 0])]]
    parts += [np.sum(x), np.where(x > 0.5, x, 0.0), np.concatenate([x, x]), np.linalg.norm(x), np.mean(x), np.dot(x, x)]
    written = x * 1.0
    written[0] = x[1]
    written += x
    written *= 2.0
    written[1:] -= x[0]
    parts.append(written)
    total = 0.0
    for part in parts:
        total = total + np.sum(part)
    return total


def test_every_way_to_record_is_counted():
    x = ta.tensor([0.2, 0.5, 0.8], requires_grad=True)
    with ta.profile() as p:
        y = everything(x)
    recorded = Counter(entry.primitive.name for entry in cone([y._entry], {x._entry}))
    evaluated = recorded - Counter(set_view=1)  # what tells an array of the writing into its view computes nothing
    assert {name: row.calls for name, row in p.rows.items()} == evaluated
    assert sum(row.sweep_calls for row in p.rows.values()) == 0
    with ta.profile() as p:
        y.backward()
    assert {name: row.sweep_calls for name, row in p.rows.items()} == recorded
    assert sum(row.calls for row in p.rows.values()) == 0
    np.testing.assert_array_equal(x.grad.data, ta.grad(everything)(x.detach().numpy()))


def test_bytes_are_those_of_results_and_of_cotangents():
    with ta.profile() as p:
        ta.grad(lambda x: np.sum(np.sin(x)))(np.ones(1000))
    assert p.to_dict().keys() == {"sin", "sum"}
    sine, total = p.rows["sin"], p.rows["sum"]
    assert (sine.calls, sine.bytes, sine.sweep_calls, sine.sweep_bytes) == (1, 8000, 1, 8000)
    assert (total.calls, total.bytes, total.sweep_calls, total.sweep_bytes) == (1, 8, 1, 8)


def test_forward_sweeps_count_too():
    with ta.profile() as p:
        ta.jvp(lambda x: np.exp(np.sin(x)), (np.ones(10),), (np.ones(10),))
    assert {name: (row.calls, row.sweep_calls, row.sweep_bytes) for name, row in p.rows.items()} == {
        "sin": (1, 1, 80), "exp": (1, 1, 80)}


@pytest.fixture
def slow():
    """A primitive whose evaluation and whose derivative take their time."""
    @ta.primitive
    def slow_of_profile_test(x):
        time.sleep(0.01)
        return 2.0 * x

    def rule(op):
        time.sleep(0.02)
        return 2.0

    ta.RegisterGradient("slow_of_profile_test")(rule)
    yield slow_of_profile_test
    del PRIMITIVES["slow_of_profile_test"]


def test_time_is_charged_to_whom_it_was_spent_by(slow):
    with ta.profile() as p:
        ta.grad(lambda x: np.sin(slow(np.sin(x))))(1.0)
    row = p.rows["slow_of_profile_test"]
    assert row.seconds >= 0.01  # a sleep never ends early
    assert row.sweep_seconds >= 0.02
    everybody = [one.seconds + one.sweep_seconds for one in p.rows.values()]
    assert sum(everybody) <= p.seconds
    assert str(p).splitlines()[2].startswith("slow_of_profile_test")


def test_time_within_an_operation_is_not_counted_twice(slow):
    @ta.primitive
    def outer_of_profile_test(x):
        return ta.grad(slow)(x) * x

    try:
        ta.RegisterGradient("outer_of_profile_test")(lambda op: 2.0)
        with ta.profile() as p:
            ta.grad(outer_of_profile_test)(1.0)
        assert p.rows["slow_of_profile_test"].sweep_seconds >= 0.02
        assert sum(one.seconds + one.sweep_seconds for one in p.rows.values()) <= p.seconds
    finally:
        del PRIMITIVES["outer_of_profile_test"]


def test_recorded_sweeps_are_operations_again():
    with ta.profile() as p:
        ta.grad(ta.grad(np.sin))(1.0)
    assert p.rows["sin"].calls == 1
    assert p.rows["cos"].calls == 1  # recorded by the rule of sin
    assert p.rows["cos"].sweep_calls == 1


@pytest.mark.parametrize("derivative", [
    ta.jacobian(np.sin), ta.jacobian(lambda x: np.sum(x * x[::-1])), ta.hessian(lambda x: np.sum(np.sin(x) * x)),
    ta.grad(ta.checkpoint(lambda x: np.sum(np.exp(x) * x)))])
def test_derivatives_are_the_same(derivative):
    x = np.linspace(0.1, 1.0, 5)
    expected = derivative(x)
    with ta.profile() as p:
        found = derivative(x)
    np.testing.assert_array_equal(found, expected)
    assert sum(row.sweep_calls for row in p.rows.values()) > 0


def test_blocks_nest():
    with ta.profile() as outer:
        np.sin(ta.tensor(1.0))
        with ta.profile() as inner:
            np.cos(ta.tensor(1.0))
        np.sin(ta.tensor(1.0))
    assert {name: row.calls for name, row in inner.rows.items()} == {"cos": 1}
    assert {name: row.calls for name, row in outer.rows.items()} == {"sin": 2, "cos": 1}
    assert inner.seconds < outer.seconds


def test_other_threads_are_not_counted():
    def work():
        results.append(ta.grad(lambda x: np.sum(np.exp(x) * x[0]))(np.ones(3)))

    results = []
    thread = threading.Thread(target=work)
    with ta.profile() as p:
        thread.start()
        thread.join()
        np.sin(ta.tensor(1.0))
    assert p.rows.keys() == {"sin"}
    work()
    np.testing.assert_array_equal(*results)


def state():
    return ([vars(Tensor)[name] for name in ("__add__", "__radd__", "__matmul__", "__getitem__", "__setitem__",
                                             "__array_ufunc__", "__tapead_primitive__")],
            meaning_of(Tensor), sweeps.observe, sweeps.observe_forward, operators.fast_class, dict(UNARY))


def test_everything_is_put_back():
    before = state()
    with pytest.raises(ZeroDivisionError), ta.profile(), ta.profile():
        assert state() != before
        raise ZeroDivisionError
    assert state() == before
    assert profiling._blocks == 0


def test_a_sweep_that_fails_charges_nobody_for_what_comes_after():
    def fail(gradient):
        raise ZeroDivisionError

    x = ta.tensor(1.0, requires_grad=True)
    y = np.sin(x)
    y.register_hook(fail)
    with ta.profile() as p:
        with pytest.raises(ZeroDivisionError):
            np.exp(y).backward()
        time.sleep(0.02)
        np.cos(x)
    assert sum(row.seconds + row.sweep_seconds for row in p.rows.values()) < 0.02


def test_hooks_and_the_search_for_anomalies_go_on():
    x = ta.tensor(1.0, requires_grad=True)
    seen = []
    x.register_hook(seen.append)
    with ta.profile():
        np.sin(x).backward()
        with pytest.raises(ta.AnomalyError), ta.detect_anomaly():
            ta.grad(np.sqrt)(0.0)
    assert [float(gradient.data) for gradient in seen] == [np.cos(1.0)]


def test_lines_are_the_users():
    x = ta.tensor(np.ones(2), requires_grad=True)
    with ta.profile():
        results = [x * x, x + 1.0, 2.0 / x, x[0], np.sin(x), ta.sin(x), x.sum(), np.where(x > 0, x, 0.0)]
    assert {result.grad_fn.source[0] for result in results} == {__file__}


def test_the_table():
    with ta.profile() as p:
        ta.grad(lambda x: np.sum(x * x))(np.ones(1000))
    lines = str(p).splitlines()
    assert lines[0].split() == ["forward", "sweep"]
    assert lines[1].split() == ["primitive", "calls", "time", "bytes", "calls", "time", "bytes"]
    assert {line.split()[0] for line in lines[2:-2]} == {"multiply", "sum"}
    assert len({len(line) for line in lines[1:-1]}) == 1  # aligned
    total = lines[-2].split()
    assert (total[0], total[1], total[4:6], total[-2:]) == ("total", "2", ["8.0", "kB"], ["8.0", "kB"])
    assert lines[-1].endswith("in the block")
    assert repr(p).startswith("<Profile of 2 primitives")
    assert "0 B" in str(profiling.Profile())
