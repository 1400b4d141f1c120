"""Switching recording off and on: context managers, decorators, at once, nested, with exceptions."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

import tapead as ta


@pytest.fixture
def x():
    return ta.tensor([1.0, 2.0], requires_grad=True)


def recorded(x):
    return (np.sin(x) * 2).requires_grad


def test_no_grad_records_nothing(x):
    with ta.no_grad():
        results = [np.sin(x), x * 2, 2 * x, x + x, x.sum(), np.maximum(x, 1.0), x[0], -x, x @ x, ta.array([x, x])]
        assert len(ta.tape()) == 0
    assert not any(result.requires_grad for result in results)
    assert all(result.is_leaf for result in results)
    assert recorded(x)


def test_leaves_made_inside_take_part_outside():
    with ta.no_grad():
        x = ta.tensor(2.0, requires_grad=True)
        assert x.requires_grad
    (x * x).backward()
    assert x.grad.item() == 4.0


def test_the_modes_nest(x):
    assert ta.is_grad_enabled()
    with ta.no_grad():
        assert not ta.is_grad_enabled()
        with ta.enable_grad():
            assert ta.is_grad_enabled() and recorded(x)
            with ta.no_grad():
                assert not recorded(x)
            assert recorded(x)
        with ta.set_grad_enabled(True):
            assert recorded(x)
        with ta.set_grad_enabled(False), ta.no_grad():
            assert not recorded(x)
        assert not recorded(x)
    assert recorded(x)


def test_exceptions_restore_the_mode(x):
    for manager in (ta.no_grad, ta.enable_grad, lambda: ta.set_grad_enabled(False), lambda: ta.set_grad_enabled(True)):
        with ta.enable_grad():
            with pytest.raises(KeyError), manager():
                raise KeyError
            assert recorded(x)
        with ta.no_grad():
            with pytest.raises(KeyError), manager():
                raise KeyError
            assert not recorded(x)
    assert recorded(x)


def test_decorators(x):
    @ta.no_grad()
    def quiet(x, *, scale=1):
        """documented"""
        return recorded(x), scale

    @ta.enable_grad()
    def loud(x):
        return recorded(x)

    @ta.set_grad_enabled(False)
    def also_quiet(x):
        return recorded(x)

    assert ta.is_grad_enabled()
    assert quiet(x, scale=3) == (False, 3)
    assert (quiet.__name__, quiet.__doc__) == ("quiet", "documented")
    assert not also_quiet(x)
    with ta.no_grad():
        assert loud(x)
    assert recorded(x)


def test_a_decorated_function_may_recurse_and_raise(x):
    @ta.no_grad()
    def down(depth):
        if depth == 0:
            raise ArithmeticError
        assert not recorded(x)
        return down(depth - 1)

    with pytest.raises(ArithmeticError):
        down(5)
    assert recorded(x)


def test_one_object_used_again_and_inside_itself(x):
    quiet = ta.no_grad()
    for _ in range(2):
        with quiet:
            with quiet:
                assert not recorded(x)
            assert not recorded(x)
        assert recorded(x)


def test_set_grad_enabled_acts_at_once():
    try:
        ta.set_grad_enabled(False)
        assert not ta.is_grad_enabled()
        ta.set_grad_enabled(True)
        assert ta.is_grad_enabled()
        ta.set_grad_enabled(False)
        with ta.set_grad_enabled(True):
            assert ta.is_grad_enabled()
        assert not ta.is_grad_enabled()
    finally:
        ta.set_grad_enabled(True)
    assert ta.is_grad_enabled()


def test_a_decorated_generator_keeps_its_mode_to_itself(x):
    seen = []

    @ta.no_grad()
    def steps():
        try:
            got = yield recorded(x)
            seen.append((got, recorded(x)))
            try:
                yield "second"
            except KeyError:
                seen.append(("caught", recorded(x)))
            yield "third"
        finally:
            seen.append(("closed", recorded(x)))

    running = steps()
    assert next(running) is False
    assert recorded(x)
    assert running.send("sent") == "second"
    assert recorded(x)
    assert running.throw(KeyError()) == "third"
    running.close()
    assert seen == [("sent", False), ("caught", False), ("closed", False)]
    assert recorded(x)

    @ta.no_grad()
    def short():
        yield 1
        return 2

    def outer():
        return (yield from short())

    values = outer()
    assert next(values) == 1
    with pytest.raises(StopIteration) as stop:
        next(values)
    assert stop.value.value == 2


def test_a_decorated_coroutine(x):
    @ta.no_grad()
    async def quiet():
        await asyncio.sleep(0)
        return recorded(x)

    async def main():
        return await asyncio.gather(quiet(), asyncio.sleep(0)), recorded(x)

    assert asyncio.run(main()) == ([False, None], True)


def test_backward_and_gradients_work_inside_no_grad(x):
    y = (x**3).sum()
    with ta.no_grad():
        assert ta.gradients(y, x, retain_graph=True)[0].tolist() == [3.0, 12.0]
        y.backward()
    assert x.grad.tolist() == [3.0, 12.0]


def test_transforms_work_inside_no_grad():
    with ta.no_grad():
        assert ta.grad(lambda x: x**3)(2.0) == 12.0
        assert ta.grad(ta.grad(lambda x: x**3))(2.0) == 12.0
        assert ta.hessian(lambda x: x**3)(2.0) == 12.0
        assert ta.jvp(np.sin, (0.0,), (2.0,)) == (0.0, 2.0)
        out, pull = ta.vjp(np.exp, 0.0)
        assert not ta.is_grad_enabled()
    assert (out, pull(3.0)) == (1.0, (3.0,))


def test_no_grad_inside_a_function_makes_a_constant():
    def f(x):
        with ta.no_grad():
            factor = x * 3
        return factor * x

    assert ta.grad(f)(2.0) == 6.0
    assert ta.jvp(f, (2.0,), (1.0,)) == (12.0, 6.0)
    assert ta.grad(ta.grad(f))(2.0) == 0.0


def test_a_transform_inside_no_grad_inside_a_function_is_a_constant():
    def f(x):
        with ta.no_grad():
            slope = ta.grad(lambda y: y**3 * x)(x)
        return slope * x

    assert ta.grad(f)(2.0) == 24.0
