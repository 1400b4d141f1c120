"""Every array method of NumPy on tensors: the same result, the same derivative as the function, or a clear error."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from same_as_numpy import check, numbers

import tapead as ta

x23 = numbers(2, 3)
x4 = numbers(4)

TRACKED = {
    "sum": lambda x: x.sum(), "sum axis": lambda x: x.sum(0), "sum keepdims": lambda x: x.sum(axis=1, keepdims=True),
    "prod": lambda x: x.prod(axis=-1), "mean": lambda x: x.mean((0, 1)), "var": lambda x: x.var(axis=0, ddof=1),
    "std": lambda x: x.std(), "max": lambda x: x.max(axis=1), "min": lambda x: x.min(),
    "cumsum": lambda x: x.cumsum(axis=1), "cumprod": lambda x: x.cumprod(1), "trace": lambda x: x.trace(1),
    "dot": lambda x: x.dot(np.arange(3.0)), "reshape": lambda x: x.reshape(3, 2),
    "reshape tuple": lambda x: x.reshape((3, -1), order="F"), "reshape flat": lambda x: x.reshape(-1),
    "ravel": lambda x: x.ravel(), "ravel F": lambda x: x.ravel("F"), "flatten": lambda x: x.flatten(),
    "flatten F": lambda x: x.flatten(order="F"), "transpose": lambda x: x.transpose(),
    "transpose axes": lambda x: x.transpose(1, 0), "transpose tuple": lambda x: x.transpose((1, 0)),
    "transpose None": lambda x: x.transpose(None), "T": lambda x: x.T, "mT": lambda x: x.mT,
    "swapaxes": lambda x: x.swapaxes(0, -1), "squeeze": lambda x: x[:1].squeeze(axis=0),
    "repeat": lambda x: x.repeat([1, 2, 0], axis=1), "diagonal": lambda x: x.diagonal(1),
    "take": lambda x: x.take([0, 5, 0]), "take axis": lambda x: x.take([4], 1, mode="wrap"),
    "compress": lambda x: x.compress([True, False, True], axis=1), "clip": lambda x: x.clip(-0.5, 0.6),
    "clip max": lambda x: x.clip(max=0.6), "clip keywords": lambda x: x.clip(min=-0.5, max=0.6),
    "conj": lambda x: x.conj(), "conjugate": lambda x: x.conjugate(), "astype": lambda x: x.astype("float64"),
    "copy": lambda x: x.copy(), "copy order": lambda x: x.copy("F"), "copy.copy": copy.copy,
    "real": lambda x: x.real, "getitem": lambda x: x[0], "round": lambda x: x.round() * x,
}


@pytest.mark.parametrize("name", TRACKED)
def test_methods_with_a_derivative(name):
    check(TRACKED[name], x23)


def test_choose_chooses_by_an_integer_tensor():
    number = ta.tensor([0, 1, 0])
    result = number.choose([ta.tensor(np.ones(3), requires_grad=True), 5.0])
    assert result.data.tolist() == [1, 5, 1]
    assert result.requires_grad


PLAIN = {
    "all": lambda x: x.all(), "any axis": lambda x: x.any(axis=0), "argmax": lambda x: x.argmax(),
    "argmin": lambda x: x.argmin(1), "argsort": lambda x: x.argsort(), "argpartition": lambda x: x.argpartition(1),
    "nonzero": lambda x: x.nonzero(), "searchsorted": lambda x: np.sort(x.ravel()).searchsorted([0.0, 0.5], "right"),
    "item": lambda x: x.item(1, 2), "tolist": lambda x: x.tolist(), "tobytes": lambda x: x.tobytes("F"),
    "nbytes": lambda x: (x.nbytes, x.itemsize, x.size, x.ndim, x.shape, x.dtype), "astype": lambda x: x.astype(int),
}


@pytest.mark.parametrize("name", PLAIN)
def test_methods_without_a_derivative_give_plain_results(name):
    result, expected = PLAIN[name](ta.tensor(x23, requires_grad=True)), PLAIN[name](x23)
    assert type(result) is type(expected)
    np.testing.assert_equal(result, expected)


def test_tofile_writes_the_values(tmp_path):
    ta.tensor(x23, requires_grad=True).tofile(tmp_path / "values")
    assert (tmp_path / "values").read_bytes() == x23.tobytes()


EXTRAS = {
    "abs": (lambda x: x.abs(), np.abs), "exp": (lambda x: x.exp(), np.exp), "log": (lambda x: x.abs().log(), None),
    "sqrt": (lambda x: x.abs().sqrt(), None), "square": (lambda x: x.square(), np.square),
    "sin": (lambda x: x.sin(), np.sin), "cos": (lambda x: x.cos(), np.cos), "tan": (lambda x: x.tan(), np.tan),
    "tanh": (lambda x: x.tanh(), np.tanh), "pow": (lambda x: x.pow(2), np.square),
    "matmul": (lambda x: x.matmul(x), lambda x: np.matmul(x, x)),
}


@pytest.mark.parametrize("name", EXTRAS)
def test_methods_that_pytorch_has_too(name):
    method, function = EXTRAS[name]
    if function is None:
        function = getattr(np, name)
        x = np.abs(x4)
    else:
        x = x4
    np.testing.assert_array_equal(method(ta.tensor(x)).data, function(x))
    np.testing.assert_allclose(ta.grad(lambda x: np.sum(method(x)))(x), ta.grad(lambda x: np.sum(function(x)))(x))


REFUSED = {
    "resize": (lambda x: x.resize((3, 2)), r"np\.resize"), "view": (lambda x: x.view(int), r"astype"),
    "byteswap": (lambda x: x.byteswap(), "detach"), "getfield": (lambda x: x.getfield(int), r"x\.real"),
    "setfield": (lambda x: x.setfield(1, int), r"np\.where"), "setflags": (lambda x: x.setflags(write=False), "detach"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_methods_that_would_write_are_refused_and_name_the_way_round(name):
    method, message = REFUSED[name]
    x = ta.tensor(x23, requires_grad=True)
    with pytest.raises(NotImplementedError, match=f"{name}.*{message}"):
        method(x)
    np.testing.assert_array_equal(x.data, x23)


def test_no_method_of_arrays_is_missing_without_reason():
    about_memory = {"base", "ctypes", "data", "device", "dump", "dumps", "flags", "flat", "strides", "to_device"}
    missing = {name for name in dir(np.ndarray) if not name.startswith("_") and not hasattr(ta.Tensor, name)}
    assert missing <= about_memory


# ---------------------------------------------------------------------- functions with plain results


def test_arrays_of_the_same_shape_can_be_filled_with_tensors():
    x = ta.tensor(x23, dtype=np.float32, requires_grad=True)
    for function in (np.zeros_like, np.ones_like, np.empty_like):
        result = function(x)
        assert isinstance(result, ta.Tensor) and not result.requires_grad
        assert (result.shape, result.dtype) == ((2, 3), np.float32)
        result[0] = x[1]
        assert result.requires_grad and result[0].tolist() == x[1].tolist()
    assert np.full_like(x, 7.0).tolist() == [[7, 7, 7], [7, 7, 7]]
    assert np.full_like(x, 7, dtype=int, shape=2).tolist() == [7, 7]


def test_full_like_a_tensor_of_a_tensor_is_tracked():
    x = ta.tensor(x23)
    assert ta.grad(lambda c: np.sum(np.full_like(x, c) * x23))(2.0) == pytest.approx(x23.sum())
    assert np.full_like(x, ta.tensor(2.0, requires_grad=True)).requires_grad


def test_indices_and_truth_values_of_tensors():
    x = ta.tensor(x23, requires_grad=True)
    assert np.shape(x) == (2, 3)
    assert np.argmax(x) == x23.argmax()
    assert np.array_equal(x, x23)
    assert np.iscomplexobj(x) is False
    assert [rows.tolist() for rows in np.diag_indices_from(x[:, :2])] == [[0, 1], [0, 1]]
    assert np.isin(x, x23[0]).tolist() == [[True] * 3, [False] * 3]
    assert np.unravel_index(ta.tensor(4), (2, 3)) == (1, 1)


def test_what_an_array_is_asked():
    x = ta.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    assert (x.strides, x.device, x.flags.c_contiguous) == ((24, 8), "cpu", True)
    assert not np.isfortran(x)
    assert x.__array_namespace__() is np


def test_flat():
    def cubed(x):
        y = 1.0 * x
        y.flat[1] = x[1, 0] ** 3
        return sum(element**2 for element in y.flat)

    np.testing.assert_array_equal(ta.grad(cubed)(np.array([[1.0, 5.0], [2.0, 3.0]])), [[2, 0], [4 + 6 * 2**5, 6]])
    turned = (ta.tensor(np.ones((2, 3)), requires_grad=True) * 2).T
    with pytest.raises(ValueError, match="read-only"):
        turned.flat[0] = 1.0


def test_a_keyword_that_numpy_does_not_know_is_refused_in_its_name():
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"np\.sum\(\) got an unexpected keyword argument 'dim'"):
        x.sum(dim=0)
