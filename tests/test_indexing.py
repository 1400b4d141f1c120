"""Reading by index in every form, and the functions that are reading in other words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from same_as_numpy import check, numbers

import tapead as ta

x5 = numbers(5)
x23 = numbers(2, 3)
x234 = numbers(2, 3, 4)
scalar = np.float64(1.5)
MASK = np.array([[True, False, True], [False, False, True]])

READING = {
    "int": (lambda x: x[1], x5),
    "negative int": (lambda x: x[-2], x5),
    "row": (lambda x: x[1], x23),
    "element": (lambda x: x[1, -1], x23),
    "element by two keys": (lambda x: x[1][2], x23),
    "numpy int": (lambda x: x[np.int32(1)], x5),
    "0-d array": (lambda x: x[np.array(1)], x5),
    "0-d array, twice": (lambda x: x[np.array(1), np.array(0)], x23),
    "slice": (lambda x: x[1:4], x5),
    "slice with step": (lambda x: x[::2], x5),
    "slice backwards": (lambda x: x[4:0:-2], x5),
    "empty slice": (lambda x: x[3:1], x5),
    "slice beyond the end": (lambda x: x[2:99], x5),
    "slices": (lambda x: x[:, 1:, ::-2], x234),
    "everything": (lambda x: x[:], x23),
    "ellipsis": (lambda x: x[...], x23),
    "ellipsis and int": (lambda x: x[..., 0], x234),
    "ellipsis to a scalar": (lambda x: x[1, ..., 2], x23),
    "None": (lambda x: x[:, None], x5),
    "None and others": (lambda x: x[None, 1, ..., None, 1:], x234),
    "nothing": (lambda x: x[()], x23),
    "scalar by nothing": (lambda x: x[()], scalar),
    "scalar by ellipsis": (lambda x: x[...], scalar),
    "scalar by None": (lambda x: x[None, None], scalar),
    "scalar by truth": (lambda x: x[np.True_], scalar),
    "mask": (lambda x: x[MASK], x23),
    "mask of nothing": (lambda x: x[np.zeros(5, bool)], x5),
    "mask as list": (lambda x: x[[True, False, True, False, False]], x5),
    "mask of rows": (lambda x: x[np.array([False, True])], x234),
    "mask of columns": (lambda x: x[:, np.array([False, True, True])], x234),
    "mask of two axes": (lambda x: x[MASK], x234),
    "mask and int": (lambda x: x[MASK, 1], x234),
    "mask with one place, and repeated ints": (lambda x: x[np.array([False, True]), [0, 0, 2]], x23),
    "two masks": (lambda x: x[np.array([True, False]), np.array([True, True, False])], x23),
    "True": (lambda x: x[True], x23),
    "False": (lambda x: x[False], x23),
    "integers": (lambda x: x[np.array([3, 1])], x5),
    "repeated integers": (lambda x: x[np.array([0, 0, 3, 0])], x5),
    "negative integers": (lambda x: x[np.array([-1, 4, -5])], x5),
    "integers of two axes": (lambda x: x[np.array([[0, 1], [1, 4]])], x5),
    "list": (lambda x: x[[0, 2, 2]], x5),
    "nested list": (lambda x: x[[[0, 1], [1, 0]]], x23),
    "empty list": (lambda x: x[[]], x23),
    "unsigned integers": (lambda x: x[np.array([0, 1], np.uint8)], x5),
    "pairs": (lambda x: x[[0, 1, 1], [2, 2, 2]], x23),
    "broadcast pairs": (lambda x: x[np.array([[0], [1]]), np.array([2, 0])], x23),
    "integers and int": (lambda x: x[[0, 1, 1], 2], x23),
    "integers, slice": (lambda x: x[[0, 1, 0], 1:], x23),
    "slice, integers": (lambda x: x[:, [2, 0, 2, 2]], x23),
    "integers around a slice": (lambda x: x[[0, 1], :, [3, 3]], x234),
    "int around a slice": (lambda x: x[1, :, [3, 3, 0]], x234),
    "integers side by side": (lambda x: x[:, [0, 2], [3, 3]], x234),
    "integers after None": (lambda x: x[None, [1, 1]], x23),
    "integers after ellipsis": (lambda x: x[..., [1, 1]], x234),
    "ix_": (lambda x: x[np.ix_([1, 0, 1], [2, 0])], x23),
    "ix_ with a mask": (lambda x: x[np.ix_([True, False], [2, 0])], x23),
    "read of a read": (lambda x: x[1:][[0, 0]][..., ::-1], x234),
    "many of few": (lambda x: x[np.zeros(50, int)], x5),
    "few of many rows": (lambda x: x[[7, 7]], numbers(20, 3)),
    "rows of an empty": (lambda x: x[[]], np.zeros((0, 3))),
}


@pytest.mark.parametrize("name", READING)
def test_reading(name):
    check(*READING[name])


FUNCTIONS = {
    "take": (lambda x: np.take(x, [1, -1, 1]), x5),
    "take one": (lambda x: np.take(x, 3), x23),
    "take flat": (lambda x: np.take(x, [[0, 5], [5, 2]]), x23),
    "take axis": (lambda x: np.take(x, [2, 0, 2], axis=1), x234),
    "take negative axis": (lambda x: np.take(x, np.array([[2, 0]]), axis=-1), x234),
    "take one of an axis": (lambda x: np.take(x, 1, axis=0), x23),
    "take wrap": (lambda x: np.take(x, [7, -9, 3], mode="wrap"), x5),
    "take clip": (lambda x: np.take(x, [7, -9, 3], axis=0, mode="clip"), x5),
    "take of a scalar": (lambda x: np.take(x, [0, 0], axis=0), scalar),
    "take nothing": (lambda x: np.take(x, np.array([], int)), x5),
    "take by truth": (lambda x: np.take(x, np.array([True, False])), x5),
    "take_along_axis": (lambda x: np.take_along_axis(x, np.array([[0, 0, 2], [1, -1, 1]]), 1), x23),
    "take_along_axis first": (lambda x: np.take_along_axis(x, np.array([[0, 1, 1]]), axis=0), x23),
    "take_along_axis broadcast": (lambda x: np.take_along_axis(x, np.array([[[0], [2]]]), axis=1), x234),
    "take_along_axis None": (lambda x: np.take_along_axis(x, np.array([5, 0, 5]), axis=None), x23),
    "compress": (lambda x: np.compress([False, True, True], x, axis=1), x23),
    "compress short": (lambda x: np.compress([False, True], x, axis=-1), x234),
    "compress flat": (lambda x: np.compress([True, False, True, False, True], x), x23),
    "extract": (lambda x: np.extract(MASK, x), x23),
    "extract short": (lambda x: np.extract([1, 0, 2], x), x23),
    "choose": (lambda x: np.choose([0, 1, 0], [x, 2 * x]), numbers(3)),
    "choose broadcast": (lambda x: np.choose([[0], [1]], [x, 7.0]), numbers(3)),
    "choose rows": (lambda x: np.choose([1, 0, 1], x), x23),
    "choose wrap": (lambda x: np.choose([-1, 5, 0], [x, 2 * x, 3 * x], mode="wrap"), numbers(3)),
    "choose clip": (lambda x: np.choose([-1, 5, 0], [x, 2 * x, 3 * x], mode="clip"), numbers(3)),
    "choose one": (lambda x: np.choose([[0], [0]], [x]), numbers(3)),
    "windows": (lambda x: np.lib.stride_tricks.sliding_window_view(x, 3), x5),
    "windows of an axis": (lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, axis=-1), x23),
    "windows of all axes": (lambda x: np.lib.stride_tricks.sliding_window_view(x, (2, 2)), x23),
    "windows of an axis, twice": (lambda x: np.lib.stride_tricks.sliding_window_view(x, (2, 3), axis=(0, 0)), x5),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_that_read(name):
    check(*FUNCTIONS[name])


@given(st.data())
def test_reading_by_any_key(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
    kind = data.draw(st.sampled_from(["basic", "advanced", "mixed"]))
    if kind == "basic":
        key = data.draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    elif kind == "advanced":
        key = data.draw(hnp.integer_array_indices(shape))
    else:
        key = tuple([data.draw(st.one_of(st.slices(length), st.integers(-length, length - 1),
                                         st.lists(st.integers(-length, length - 1), min_size=2, max_size=2)))
                     for length in shape])
    x = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    weights = np.arange(1.0, 1 + np.size(x[key])).reshape(np.shape(x[key]))
    gradient = ta.grad(lambda x: np.sum(x[key] * weights))(x)
    expected = np.zeros(shape)
    np.add.at(expected, key, weights)
    np.testing.assert_array_equal(gradient, expected)
    value, tangent = ta.jvp(lambda x: x[key], (x,), (x * x,))
    np.testing.assert_array_equal(value, x[key])
    np.testing.assert_array_equal(tangent, (x * x)[key])


# ---------------------------------------------------------------------- keys


def test_elements_are_numpy_scalars():
    x = ta.tensor([1.0, 2.0], dtype=np.float32, requires_grad=True)
    for element in (x[0], x[..., 0], x[np.array(0)], x[()][0], np.take(x, 0), x[[0, 1]][1]):
        assert type(element.data) is np.float32


def test_tensors_serve_as_index():
    x = ta.tensor(x5, requires_grad=True)
    order = np.argsort(x)
    assert np.all(np.diff(x[order].data) > 0)
    places = ta.tensor([0, 0, 3])
    assert x[places].data.tolist() == x5[[0, 0, 3]].tolist()
    assert x[ta.tensor(2)].data == x5[2]
    assert x[ta.tensor(1):ta.tensor(3)].data.tolist() == x5[1:3].tolist()
    assert x[[ta.tensor(1), 2]].data.tolist() == x5[1:3].tolist()
    assert x[x > 0].data.tolist() == x5[x5 > 0].tolist()
    assert ta.tensor(x23, requires_grad=True)[ta.tensor([0, 1]), ta.tensor([2, 2])].data.tolist() == x23[:, 2].tolist()


def test_a_key_that_is_changed_afterwards_changes_no_gradient():
    for key in (np.array([0, 2]), np.array([True, False, True]), [0, 2], (np.array([0, 2]),)):
        def read(x, key=key):
            result = np.sum(x[key])
            changed = key[0] if isinstance(key, tuple) else key
            changed[:] = [1, 1, 1][:len(changed)]
            return result

        assert ta.grad(read)(np.ones(3)).tolist() == [1.0, 0.0, 1.0]


def test_nan_that_is_not_read_harms_nothing():
    gradient = ta.grad(lambda x: np.sum(np.sqrt(x)[np.array([0, 0, 2])]))(np.array([4.0, np.nan, 1.0]))
    assert gradient.tolist() == [0.5, 0.0, 0.5]
    assert ta.grad(lambda x: np.sqrt(x)[0])(np.array([4.0, 0.0])).tolist() == [0.25, 0.0]


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128, np.longdouble])
def test_the_adjoint_of_reading_keeps_the_dtype(dtype):
    x = np.arange(6.0).reshape(2, 3).astype(dtype)
    for key in (1, np.array([0, 0, 1, 1]), (slice(None), [2, 2, 0])):
        out, pull = ta.vjp(lambda x, key=key: x[key], x)
        (gradient,) = pull(np.ones_like(out))
        expected = np.zeros((2, 3), dtype)
        np.add.at(expected, key, 1)
        assert gradient.dtype == dtype
        np.testing.assert_array_equal(gradient, expected)


def test_complex_elements():
    z = numbers(3) + 1j * numbers(3, seed=1)
    gradient = ta.grad(lambda z: np.real(z[1] * z[[1, 0]].sum()))(z)
    np.testing.assert_allclose(gradient, np.conj([z[1], 2 * z[1] + z[0], 0]))


def test_iteration_unpacks_and_has_an_end():
    def spread(x):
        first, second, third = x
        return first * second - third

    assert ta.grad(spread)(np.array([2.0, 3.0, 4.0])).tolist() == [3.0, 2.0, -1.0]


# ---------------------------------------------------------------------- errors

X = ta.tensor(x23, requires_grad=True)
V = ta.tensor(x5, requires_grad=True)
ERRORS = {
    "bounds": (lambda: V[5], IndexError, "out of bounds"),
    "bounds of array": (lambda: V[[0, 5]], IndexError, "out of bounds"),
    "too many": (lambda: V[0, 0], IndexError, "too many indices"),
    "float": (lambda: V[1.0], IndexError, "integers"),
    "float array": (lambda: V[np.array([1.0])], IndexError, "integer"),
    "float tensor": (lambda: V[V], IndexError, "integer"),
    "string": (lambda: V["a"], IndexError, "no index"),
    "mask length": (lambda: V[np.array([True, False])], IndexError, "boolean index"),
    "take": (lambda: np.take(V, 9), IndexError, "out of bounds"),
    "take of nothing": (lambda: np.take(V[:0], 0, mode="wrap"), IndexError, "non-empty take"),
    "take mode": (lambda: np.take(V, 0, mode="loop"), ValueError, "mode"),
    "take float": (lambda: np.take(V, 1.5), TypeError, "cast"),
    "take axis": (lambda: np.take(V, 0, axis=1), np.exceptions.AxisError, "axis"),
    "take out": (lambda: np.take(V, 0, out=np.zeros(())), NotImplementedError, "out="),
    "take_along_axis": (lambda: np.take_along_axis(X, np.array([0]), 1), ValueError, "same number of dimensions"),
    "take_along_axis float": (lambda: np.take_along_axis(V, np.array([0.5]), 0), IndexError, "integer"),
    "take_along_axis None": (lambda: np.take_along_axis(X, np.array([[0]]), None), ValueError, "single dimension"),
    "compress": (lambda: np.compress(np.ones((2, 2)), X), ValueError, "1-d"),
    "compress bounds": (lambda: np.compress([0, 0, 1], X, axis=0), IndexError, "out of bounds"),
    "compress out": (lambda: np.compress([True], V, out=np.zeros(1)), NotImplementedError, "out="),
    "choose": (lambda: np.choose([2], [V, V]), ValueError, "invalid entry"),
    "choose mode": (lambda: np.choose([0], [V, V], mode="loop"), ValueError, "mode"),
    "choose float": (lambda: np.choose(V, [V, V]), TypeError, "integer"),
    "choose out": (lambda: np.choose([0], [V], out=np.zeros(5)), NotImplementedError, "out="),
    "windows": (lambda: np.lib.stride_tricks.sliding_window_view(V, 6), ValueError, "does not fit"),
    "windows of no axis": (lambda: np.lib.stride_tricks.sliding_window_view(X, 2), ValueError, "for each of 2 axes"),
    "windows written": (lambda: np.lib.stride_tricks.sliding_window_view(V, 2, writeable=True), NotImplementedError,
                        "copies"),
    "copyto array": (lambda: np.copyto(np.ones(5), V), TypeError, "lose their graph"),
    "put mode": (lambda: np.put(V * 1.0, 0, 1.0, mode="loop"), ValueError, "mode"),
    "put leaf": (lambda: np.put(V, 0, 1.0), RuntimeError, "leaf"),
    "place leaf": (lambda: np.place(V, V.data == V.data, [1.0]), RuntimeError, "leaf"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_what_is_wrong(name):
    call, kind, message = ERRORS[name]
    with pytest.raises(kind, match=message):
        call()
