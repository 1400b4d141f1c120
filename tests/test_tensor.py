"""Tensors: making them, what they are, leaving the tape, operators, and what cannot be traced."""

from __future__ import annotations

import copy
import math
import operator
import pickle

import numpy as np
import pytest
from numpy.testing.overrides import get_overridable_numpy_array_functions

import tapead as ta
from tapead.registry import FUNCTIONS

# ---------------------------------------------------------------------- making them


def test_a_tensor_copies_its_data():
    source = np.array([1.0, 2.0])
    x = ta.tensor(source, requires_grad=True)
    source[0] = 9.0
    assert x.data.tolist() == [1.0, 2.0]
    y = ta.tensor(x)
    x.data[0] = 5.0
    assert y.data.tolist() == [1.0, 2.0]
    assert not y.requires_grad


@pytest.mark.parametrize("data, dtype", [
    (1.0, "float64"), (1, "int64"), (True, "bool"), (1j, "complex128"), ([1, 2.5], "float64"), ([[1, 2]], "int64"),
    (np.float32(1), "float32"), (np.ones(2, np.float16), "float16"), ((1.0, 2.0), "float64"), ([], "float64")])
def test_the_dtype_is_numpys_choice(data, dtype):
    x = ta.tensor(data)
    assert x.dtype == dtype
    assert x.shape == np.shape(data)
    assert ta.tensor(data, dtype=np.complex64).dtype == np.complex64


@pytest.mark.parametrize("data", ["text", None, {"a": 1}, object(), np.array(["a"]), np.array([None]),
                                  np.array(["2020-01-01"], "datetime64[D]")])
def test_what_is_no_number_raises(data):
    with pytest.raises(TypeError, match=r"tapead\.tensor: expected numbers"):
        ta.tensor(data)


def test_ragged_lists_raise():
    with pytest.raises(ValueError, match="inhomogeneous"):
        ta.tensor([[1.0], [1.0, 2.0]])


@pytest.mark.parametrize("data", [1, True, np.arange(3), np.array([True])])
def test_integers_and_truth_values_cannot_require_gradients(data):
    with pytest.raises(TypeError, match=r"only floating-point and complex .* dtype=float"):
        ta.tensor(data, requires_grad=True)
    assert ta.tensor(data, dtype=float, requires_grad=True).requires_grad


def test_a_list_of_tensors_goes_to_array():
    x = ta.tensor(2.0, requires_grad=True)
    with pytest.raises(TypeError, match=r"tapead\.array"):
        ta.tensor([x, 1.0])
    y = ta.array([[x, 0.0], [1.0, x * x]])
    assert y.shape == (2, 2)
    (gradient,) = ta.gradients(y, x, grad_outputs=np.array([[1.0, 9.0], [9.0, 10.0]]))
    assert gradient.item() == 41.0
    assert ta.array([1.0, 2.0]).requires_grad is False
    assert ta.array([x, 1.0], dtype=np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="different shapes"):
        ta.array([x, [1.0, 2.0]])


# ---------------------------------------------------------------------- what it is


def test_attributes():
    x = ta.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    assert (x.shape, x.dtype, x.ndim, x.size, x.itemsize, x.nbytes, len(x)) == ((2, 3), np.float64, 2, 6, 8, 48, 2)
    assert x.is_leaf and x.requires_grad and x.grad is None and x.grad_fn is None
    assert x.T.shape == (3, 2) and x.mT.data.tolist() == x.data.T.tolist()
    assert ta.tensor(np.zeros((4, 2, 3))).mT.shape == (4, 3, 2)
    with pytest.raises(ValueError, match="at least two axes"):
        _ = ta.tensor([1.0]).mT
    y = x * 2
    assert not y.is_leaf and y.requires_grad and y.grad_fn is not None


@pytest.mark.parametrize("x, text", [
    (ta.tensor(3.0), "tensor(3.)"),
    (ta.tensor(51 + 2 / 3), "tensor(51.6667)"),
    (ta.tensor([1.0, 2.0], requires_grad=True), "tensor([1., 2.], requires_grad=True)"),
    (ta.tensor([6 + 2 / 3, 9 + 1 / 3, 12.0]), "tensor([ 6.6667,  9.3333, 12.    ])"),
    (ta.tensor(np.float32(1.5)), "tensor(1.5, dtype=float32)"),
    (ta.tensor([[1.0, 2.0], [3.0, 4.0]]), "tensor([[1., 2.],\n        [3., 4.]])"),
    (ta.tensor(np.zeros((0, 2))), "tensor([], shape=(0, 2))"),
    (ta.tensor([]), "tensor([])"),
    (ta.tensor([1, 2]), "tensor([1, 2])"),
    (ta.tensor([True]), "tensor([ True])"),
    (ta.tensor(1 + 2j), "tensor(1.+2.j)"),
    (ta.tensor(float("nan")), "tensor(nan)"),
])
def test_repr(x, text):
    assert repr(x) == str(x) == text


def test_repr_of_results_names_the_operation():
    x = ta.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = ((x * 2 + 3) ** 2).mean()
    assert repr(out) == "tensor(51.6667, grad_fn=<MeanBackward>)"
    assert repr(x > 1.5) == "array([False,  True,  True])"
    assert f"{out:.1f} {out}" == "51.7 tensor(51.6667, grad_fn=<MeanBackward>)"


def test_results_without_an_axis_are_numpy_scalars_inside():
    x = ta.tensor([[1.0, 2.0]], requires_grad=True)
    for y in (x.sum(), x[0, 1], np.sin(x[0, 0]), x.sum() * 2, ta.tensor(1.0), x.mean(), x.reshape(2)[0]):
        assert type(y.data) is np.float64
        assert y.shape == ()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, np.complex64, np.complex128])
def test_python_numbers_do_not_change_the_dtype(dtype):
    x = ta.tensor(np.ones(2), dtype=dtype, requires_grad=True)
    for y in (x + 1, 2.5 * x, x / 3, x**2, 1 - x, -x, np.exp(x), 2.0**x, x.sum() * 0.5, x[0] * 3):
        assert y.dtype == dtype
        assert ta.gradients(y, x, np.ones(y.shape))[0].dtype == dtype


def test_promotion_is_numpys_and_gradients_keep_the_dtype_of_their_input():
    small = ta.tensor(np.ones(2, np.float32), requires_grad=True)
    large = ta.tensor(np.ones(2), requires_grad=True)
    for y in (small * large, small + np.float64(2), np.ones(2) * small, np.maximum(small, 2 * large)):
        assert y.dtype == np.float64
        y.sum().backward()
    assert small.grad.dtype == np.float32
    assert large.grad.dtype == np.float64
    assert (small * np.float32(2)).dtype == np.float32
    assert (small * np.arange(2)).dtype == np.float64


# ---------------------------------------------------------------------- requires_grad, data, detach


def test_requires_grad_false_ends_the_part_a_leaf_takes():
    x = ta.tensor(2.0, requires_grad=True)
    w = ta.tensor(3.0, requires_grad=True)
    earlier = x * w
    assert x.requires_grad_(False) is x
    assert not x.requires_grad and x.is_leaf
    (x * w).backward()
    earlier.backward()
    assert x.grad is None
    assert w.grad.item() == 4.0
    x.requires_grad = True
    (x * 5).backward()
    assert x.grad.item() == 5.0


def test_requires_grad_of_a_result_cannot_be_switched_off():
    y = ta.tensor(2.0, requires_grad=True) * 3
    with pytest.raises(RuntimeError, match=r"result of <MultiplyBackward>; use x\.detach\(\)"):
        y.requires_grad_(False)
    assert y.requires_grad_() is y


def test_detach_leaves_the_tape():
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    y = (x * 3).detach()
    assert not y.requires_grad and y.grad_fn is None and y.is_leaf
    assert ta.gradients((x * y).sum(), x)[0].tolist() == [3.0, 6.0]
    z = x.detach().requires_grad_()
    (z * z).sum().backward()
    assert x.grad is None and z.grad.tolist() == [2.0, 4.0]


def test_assigning_data_starts_a_new_history():
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    before = (x * x).sum()
    x.data = [3, 4]
    assert x.dtype == np.float64 and x.requires_grad and x.is_leaf
    (x * x).sum().backward()
    assert x.grad.tolist() == [6.0, 8.0]
    before.backward()
    assert x.grad.tolist() == [8.0, 12.0]
    with pytest.raises(ValueError, match=r"shape \(3,\), the tensor \(2,\)"):
        x.data = [1.0, 2.0, 3.0]
    y = ta.tensor(1.0)
    y.data = ta.tensor(2.0)
    assert y.item() == 2.0 and not y.requires_grad


def test_leaving_the_tape_by_value():
    x = ta.tensor([[1.5, 2.0]], requires_grad=True)
    assert x[0, 0].item() == 1.5 and type(x[0, 0].item()) is float
    assert x.item(0, 1) == 2.0 and x.tolist() == [[1.5, 2.0]]
    with pytest.raises(RuntimeError, match=r"x\.detach\(\)\.numpy\(\)"):
        x.numpy()
    plain = x.detach().numpy()
    plain[0, 0] = 9.0
    assert x.data[0, 0] == 1.5
    assert isinstance(ta.tensor(1.0).numpy(), np.ndarray)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_deep_copies_of_leaves_are_leaves_of_their_own(duplicate):
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    y = duplicate(x)
    assert y.requires_grad and y.is_leaf
    (y * y).sum().backward()
    assert x.grad is None
    assert y.grad.tolist() == [2.0, 4.0]
    assert not duplicate(x.detach()).requires_grad
    assert duplicate(ta.tensor(np.float32(2))).dtype == np.float32
    with pytest.warns(UserWarning, match=r"leaves its history behind.*x\.detach\(\)"):
        result = duplicate(x * 2)
    assert result.tolist() == [2.0, 4.0] and not result.requires_grad


# ---------------------------------------------------------------------- what cannot be traced


X = ta.tensor(2.0, requires_grad=True)
V = ta.tensor([1.0, 2.0], requires_grad=True)


@pytest.mark.parametrize("use, names", [
    (lambda: float(X), ["float(x)", "x.item()"]),
    (lambda: int(X), ["int(x)", "x.item()"]),
    (lambda: complex(X), ["complex(x)", "x.item()"]),
    (lambda: round(X), ["round(x)", "x.item()"]),
    (lambda: math.sin(X), ["math.sin", "np.sin", "x.item()"]),
    (lambda: operator.index(X), ["index(x)", "x.item()"]),
    (lambda: [1, 2, 3][X], ["x.item()"]),
    (lambda: np.array([X, X]), ["tapead.array", "x.detach()"]),
    (lambda: np.array(X), ["tapead.array", "x.detach()"]),
    (lambda: np.array([V, V]), ["tapead.array", "x.detach()"]),
    (lambda: np.asarray(V), ["x.detach()"]),
    (lambda: np.asarray(V, dtype=float), ["x.detach()"]),
    (lambda: np.float64(X), ["x.detach()"]),
    (lambda: np.array([[X, 1.0], [2.0, 3.0]]), ["tapead.array"]),
    (lambda: V.numpy(), ["x.detach()"]),
])
def test_what_would_drop_the_graph_raises_and_says_what_to_do(use, names):
    with pytest.raises((TypeError, RuntimeError)) as caught:
        use()
    for name in names:
        assert name in str(caught.value)


@pytest.mark.parametrize(("key", "value"), [(0, X), (slice(2), V)])
def test_writing_into_a_plain_array_says_what_to_make_instead(key, value):
    plain = np.zeros(3)
    with pytest.raises((TypeError, ValueError)) as caught:
        plain[key] = value
    message = str(caught.value.__cause__ or caught.value)  # for a sequence, NumPy says something of its own before
    assert "y[...] = x" in message and "np.zeros_like(x)" in message
    assert not plain.any()


def test_untracked_tensors_become_numbers_and_arrays():
    x = ta.tensor(2.0)
    assert (float(x), int(x), complex(x), math.sqrt(x)) == (2.0, 2, 2 + 0j, math.sqrt(2))
    assert [0, 1, 5][ta.tensor(2)] == 5
    assert (round(x), type(round(x))) == (2, int)
    assert round(ta.tensor(2.345, requires_grad=True), 1).item() == 2.3
    assert np.array([x, x]).tolist() == [2.0, 2.0]
    assert np.asarray(ta.tensor([1.0]), dtype=np.float32).dtype == np.float32


def test_writing_a_tensor_into_an_array_raises():
    target = np.zeros(2)
    with pytest.raises((TypeError, ValueError)):
        target[0] = X
    with pytest.raises((TypeError, ValueError)):
        target[:] = V
    assert target.tolist() == [0.0, 0.0]


def test_every_numpy_function_without_a_derivative_names_itself():
    uncovered = sorted(get_overridable_numpy_array_functions() - FUNCTIONS.keys(), key=repr)
    for function in uncovered:
        with pytest.raises(NotImplementedError) as caught:
            V.__array_function__(function, (ta.Tensor,), (V,), {})
        assert f"{function.__module__}.{function.__name__}" in str(caught.value)
        assert "x.detach()" in str(caught.value)
    with pytest.raises(NotImplementedError, match=r"numpy\.busday_count.*x\.detach\(\)"):
        np.busday_count(V, V)


def test_an_unknown_ufunc_raises():
    halve = np.frompyfunc(lambda x: x / 2, 1, 1)
    with pytest.raises(NotImplementedError, match=r"no derivative here.*tapead\.primitive"):
        halve(V)


def test_len_iteration_and_truth():
    assert len(V) == 2
    assert [x.item() for x in V] == [1.0, 2.0]
    first, second = V
    assert ta.gradients(first * second, V)[0].tolist() == [2.0, 1.0]
    assert bool(X) and not bool(X - 2.0)
    assert 2.0 in V and 3.0 not in V and X in V
    for use in (len, iter):
        with pytest.raises(TypeError, match="0-d tensor"):
            use(X)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(V)


# ---------------------------------------------------------------------- operators


ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.mod]
OTHERS = [2, 2.5, np.float64(2.5), np.float32(2.5), np.array(2.5), np.array([2.0, 3.0]), np.array([[2], [3]]),
          np.int64(2), True, ta.tensor(2.5), ta.tensor([2.0, 3.0], requires_grad=True)]


@pytest.mark.parametrize("operation", ARITHMETIC, ids=lambda operation: operation.__name__)
@pytest.mark.parametrize("other", OTHERS, ids=repr)
@pytest.mark.parametrize("value", [1.5, [1.5, 2.25]], ids=repr)
def test_operators_on_both_sides_are_numpys(operation, other, value):
    x = ta.tensor(value, requires_grad=True)
    plain = np.asarray(other.data if isinstance(other, ta.Tensor) else other)
    for tracked, expected in [(operation(x, other), operation(x.data, plain[()])),
                              (operation(other, x), operation(plain[()], x.data))]:
        assert isinstance(tracked, ta.Tensor) and tracked.requires_grad
        assert tracked.dtype == expected.dtype
        np.testing.assert_array_equal(tracked.data, expected)
        assert ta.gradients(tracked.sum(), x)[0].shape == x.shape


@pytest.mark.parametrize("operation", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne],
                         ids=lambda operation: operation.__name__)
def test_comparisons_are_plain(operation):
    for result in (operation(V, 1.5), operation(1.5, V), operation(V, V), operation(np.array([2.0, 1.0]), V)):
        assert type(result) is np.ndarray and result.dtype == bool
    assert type(operation(X, 1.5)) is np.bool_


@pytest.mark.parametrize("other", [None, "a", {}, set()])
def test_strangers_are_refused(other):
    assert (other == X) is False
    assert (other != X) is True
    for operation in (operator.add, operator.mul, operator.lt):
        with pytest.raises(TypeError):
            operation(X, other)
        with pytest.raises(TypeError):
            operation(other, X)


def test_unary_operators_and_in_place_ones():
    x = ta.tensor([-1.0, 2.0], requires_grad=True)
    assert [(-x).tolist(), (+x).tolist(), abs(x).tolist()] == [[1.0, -2.0], [-1.0, 2.0], [1.0, 2.0]]
    y = x * 1.0
    y += 1.0
    y *= x
    assert x.tolist() == [-1.0, 2.0]
    assert ta.gradients(y.sum(), x)[0].tolist() == [-1.0, 5.0]


def test_matmul_on_both_sides():
    matrix = np.array([[1.0, 2.0], [3.0, 4.0]])
    for y in (V @ matrix, matrix @ V, V @ V):
        assert y.requires_grad
    assert ta.gradients((matrix @ V).sum(), V)[0].tolist() == [4.0, 6.0]
    assert ta.gradients((V @ matrix).sum(), V)[0].tolist() == [3.0, 7.0]


def test_an_array_on_the_left_does_not_swallow_the_tensor():
    array = np.array([1.0, 2.0])
    for result in (array + V, array * X, np.float64(2) * X, array**V, np.float32(1) - V):
        assert isinstance(result, ta.Tensor) and result.dtype.kind == "f" and result.requires_grad


def test_tensors_are_hashable_by_identity():
    first, second = ta.tensor(1.0), ta.tensor(1.0)
    assert len({first, second, first}) == 2


# ---------------------------------------------------------------------- zero_


def test_zero_():
    x = ta.tensor([1.0, 2.0])
    assert x.zero_() is x
    assert x.tolist() == [0.0, 0.0]
    leaf = ta.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf that requires a gradient"):
        leaf.zero_()
    assert leaf.tolist() == [1.0, 2.0]
    with ta.no_grad():
        leaf.zero_()
    assert leaf.tolist() == [0.0, 0.0] and leaf.requires_grad
    result = leaf * 2 + 1
    result.zero_()
    assert result.tolist() == [0.0, 0.0] and not result.requires_grad


def test_zero_does_not_write_into_shared_memory():
    x = ta.tensor([1.0, 2.0])
    y = x.detach()
    x.zero_()
    assert y.tolist() == [1.0, 2.0]
