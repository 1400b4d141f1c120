"""Memory that sweeps free is used again, and only what nobody else can see."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import numpy as np
import pytest

import tapead as ta
from tapead import buffers

N = 1 << 18
X = np.linspace(0.1, 1.0, N)


@pytest.fixture(autouse=True)
def empty_pool():
    buffers._free.clear()
    buffers._kept = 0
    yield
    buffers._free.clear()
    buffers._kept = 0


def f(x):
    return np.sum(np.exp(np.sin(x) * x) * np.sqrt(x))


def expected():
    inner = np.exp(np.sin(X) * X)
    return inner * (np.cos(X) * X + np.sin(X)) * np.sqrt(X) + inner * 0.5 / np.sqrt(X)


def test_memory_is_kept_and_used_again():
    np.testing.assert_allclose(ta.grad(f)(X), expected(), rtol=1e-12)
    kept = {id(array) for arrays in buffers._free.values() for array in arrays}
    assert kept
    x = ta.tensor(X, requires_grad=True)
    y = np.sin(x)
    assert id(y._value) in kept
    np.testing.assert_array_equal(y.data, np.sin(X))


@pytest.mark.parametrize("sweep", ["backward", "gradients"])
def test_what_the_user_holds_is_never_written_into(sweep):
    x = ta.tensor(X, requires_grad=True)
    s = np.sin(x)
    e = np.exp(s * x)
    values = e.data
    out = np.sum(e * np.sqrt(x))
    if sweep == "backward":
        out.backward()
        gradient = x.grad
    else:
        (gradient,) = ta.gradients(out, x)
    before = [np.array(array) for array in (x.data, s.data, values, gradient.data)]
    for _ in range(3):
        ta.grad(f)(X)
        ta.grad(f)(X + 0.5)
    for array, copy in zip((x.data, s.data, values, gradient.data), before, strict=True):
        np.testing.assert_array_equal(array, copy)
    np.testing.assert_allclose(gradient.data, expected(), rtol=1e-12)


def test_constants_and_inputs_of_the_users_are_never_written_into():
    c = np.linspace(1.0, 2.0, N)
    x = X.copy()
    for _ in range(3):
        gradient = ta.grad(lambda x: np.sum(np.sin(x * c) / c))(x)
        np.testing.assert_allclose(gradient, np.cos(X * c), rtol=1e-12)
    np.testing.assert_array_equal(c, np.linspace(1.0, 2.0, N))
    np.testing.assert_array_equal(x, X)


def test_a_retained_graph_keeps_its_memory():
    x = ta.tensor(X, requires_grad=True)
    out = f(x)
    out.backward(retain_graph=True)
    ta.grad(f)(X + 1.0)
    x.grad = None
    out.backward()
    np.testing.assert_allclose(x.grad.data, expected(), rtol=1e-12)


def test_no_more_than_the_limit_is_kept(monkeypatch):
    monkeypatch.setattr(buffers, "_LIMIT", 3 * X.nbytes)
    ta.grad(f)(X)
    assert buffers._kept == sum(array.nbytes for arrays in buffers._free.values() for array in arrays) <= 3 * X.nbytes


def test_shapes_and_dtypes_that_do_not_fit_get_memory_of_their_own():
    ta.grad(f)(X)
    x = ta.tensor(X.reshape(2, -1), requires_grad=True)
    assert (x * X.reshape(2, -1)).shape == (2, N // 2)
    assert (ta.tensor(X) * X[:1]).shape == (N,)
    assert (ta.tensor(X) * np.float32(2)).dtype == float
    assert (ta.tensor(X) * 2j).dtype == complex
    assert np.abs(ta.tensor(X * 1j)).dtype == float


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other bounds")
@pytest.mark.parametrize("nbytes", [1 << 17, 1 << 21, 1 << 24])
def test_arrays_do_not_fault_their_memory_in_again(nbytes):
    script = f"""
import resource
import numpy as np
import tapead

def fill():
    for _ in range(3):
        held = [np.empty({nbytes}, np.uint8) for _ in range(3)]
        for array in held:
            array.fill(1)
        del held, array

fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    free = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run([sys.executable, "-c", script], env=free, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 9 * nbytes // 4096 // 4
