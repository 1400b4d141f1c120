"""Checking what PyTorch and JAX compute; each runs where that package is installed."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import tapead as ta


def test_torch_gradients_are_judged():
    torch = pytest.importorskip("torch")

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * x.cos() * (1 + 1e-6)

    x = torch.tensor([0.3, 1.2, -0.7], dtype=torch.float64)
    assert ta.check_torch(lambda a, b: (a * b.exp()).sum(), (x, x + 1))
    assert ta.check_torch(lambda a: (a.sin(), {"twice": a * 2}), x)
    report = ta.check_torch(Wrong.apply, x, raise_exception=False)
    assert report.verdict == "fail"
    with pytest.raises(ta.GradcheckError):
        ta.check_torch(Wrong.apply, x)
    with pytest.raises(TypeError, match="floating-point"):
        ta.check_torch(lambda a: a, torch.tensor([1, 2]))


def test_jax_derivatives_are_judged():
    jax = pytest.importorskip("jax")

    @jax.custom_vjp
    def wrong(x):
        return jax.numpy.sin(x)

    wrong.defvjp(lambda x: (wrong(x), x), lambda x, g: (g * jax.numpy.cos(x) * (1 + 1e-6),))

    @jax.custom_jvp
    def wrong_forward(x):
        return jax.numpy.sin(x)

    wrong_forward.defjvp(lambda primals, tangents: (wrong_forward(*primals), -tangents[0]))
    x = np.array([0.3, 1.2, -0.7])
    assert ta.check_jax(lambda a, b: jax.numpy.sum(a * jax.numpy.exp(b)), x, x + 1)
    assert ta.check_jax(wrong, x, raise_exception=False).verdict == "fail"
    assert ta.check_jax(wrong_forward, x, raise_exception=False).verdict == "fail"


@pytest.mark.parametrize(("package", "check"), [("torch", "check_torch"), ("jax", "check_jax")])
def test_a_missing_package_is_named(package, check, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"tapead\[{package}\]"):
        getattr(ta, check)(lambda x: x, np.ones(2))


def test_torch_inputs_of_two_precisions_and_of_none_that_numpy_has():
    torch = pytest.importorskip("torch")
    x = torch.tensor([0.3, -0.7, 1.2], dtype=torch.float64)
    assert ta.check_torch(lambda a, b: a * b.double(), (x, x.float()))
    with pytest.raises(TypeError, match="bfloat16"):
        ta.check_torch(torch.sin, x.bfloat16())


def test_jax_containers_complex_numbers_loops_and_single_precision():
    jax = pytest.importorskip("jax")
    jnp = jax.numpy

    @jax.custom_vjp
    def wrong(x):
        return jnp.sin(x)

    wrong.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (1.001 * jnp.cos(x) * g,))
    assert ta.check_jax(lambda p: jnp.sum(p["w"] * p["b"]), {"w": np.ones(3), "b": np.float64(2.0)})
    assert ta.check_jax(jnp.exp, np.array([1 + 2j]))
    assert ta.check_jax(lambda z: jnp.sum(jnp.abs(z) ** 2), np.array([1 + 2j]))
    assert ta.check_jax(lambda a: jax.lax.fori_loop(0, 5, lambda i, c: jnp.sin(c) * a, a), 0.7)
    assert not ta.check_jax(wrong, np.array([0.3, 0.7], np.float32), raise_exception=False)
