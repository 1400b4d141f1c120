"""Shaping, joining, padding, diagonals: values equal to NumPy's, derivatives in both modes, clear errors."""

from __future__ import annotations

import numpy as np
import pytest
from same_as_numpy import check, check_values, numbers

import tapead as ta

x23 = numbers(2, 3)
x234 = numbers(2, 3, 4)
x5 = numbers(5)
strided = np.asarray(numbers(4, 6, 3))[::-2, 1::2].swapaxes(0, 2)
empty = np.zeros((0, 3))

RESHAPING = {
    "reshape": (lambda x: np.reshape(x, (3, 2)), x23),
    "reshape F": (lambda x: np.reshape(x, (3, -1), order="F"), x23),
    "reshape A of C": (lambda x: np.reshape(x, 6, order="A"), x23),
    "reshape copy": (lambda x: np.reshape(x, (3, 2), copy=True), x23),
    "reshape no copy": (lambda x: np.reshape(x, (3, 2), copy=False), x23),
    "reshape strided": (lambda x: np.reshape(x, (6, -1)), strided),
    "reshape scalar": (lambda x: np.reshape(x, (1, 1)), np.float64(2.5)),
    "reshape to scalar": (lambda x: np.reshape(x, ()), np.array([2.5])),
    "reshape empty": (lambda x: np.reshape(x, (3, 0, 2)), empty),
    "ravel": (np.ravel, x234),
    "ravel scalar": (np.ravel, np.float64(2.0)),
    "ravel F": (lambda x: np.ravel(x, "F"), x234),
    "ravel K of C": (lambda x: np.ravel(x, order="K"), x23),
    "transpose": (np.transpose, x234),
    "transpose axes": (lambda x: np.transpose(x, (1, -1, 0)), x234),
    "transpose axes as list": (lambda x: np.transpose(x, [1, 0]), x23),
    "permute_dims": (lambda x: np.permute_dims(x, (2, 0, 1)), x234),
    "T": (lambda x: x.T, x234),
    "matrix_transpose": (np.matrix_transpose, x234),
    "swapaxes": (lambda x: np.swapaxes(x, 0, -1), x234),
    "moveaxis": (lambda x: np.moveaxis(x, 0, -1), x234),
    "moveaxis tuple": (lambda x: np.moveaxis(x, (0, 1), (-1, 0)), x234),
    "rollaxis": (lambda x: np.rollaxis(x, 2), x234),
    "rollaxis start": (lambda x: np.rollaxis(x, 0, 3), x234),
    "squeeze": (np.squeeze, numbers(1, 3, 1)),
    "squeeze axis": (lambda x: np.squeeze(x, -1), numbers(1, 3, 1)),
    "squeeze tuple": (lambda x: np.squeeze(x, (0, 2)), numbers(1, 3, 1)),
    "squeeze to scalar": (np.squeeze, numbers(1, 1)),
    "expand_dims": (lambda x: np.expand_dims(x, 1), x23),
    "expand_dims tuple": (lambda x: np.expand_dims(x, (0, -1)), x23),
    "expand_dims scalar": (lambda x: np.expand_dims(x, 0), np.float64(2.0)),
    "broadcast_to": (lambda x: np.broadcast_to(x, (4, 2, 3)), numbers(2, 1)),
    "broadcast_to int": (lambda x: np.broadcast_to(x, 3), np.float64(2.0)),
    "broadcast_to nothing": (lambda x: np.broadcast_to(x, (0, 3)), numbers(3)),
    "atleast_1d": (np.atleast_1d, np.float64(2.0)),
    "atleast_2d": (np.atleast_2d, x5),
    "atleast_3d": (np.atleast_3d, x23),
    "flip": (np.flip, x234),
    "flip axis": (lambda x: np.flip(x, -1), x234),
    "flip tuple": (lambda x: np.flip(x, (0, 2)), x234),
    "flip scalar": (np.flip, np.float64(2.0)),
    "fliplr": (np.fliplr, x234),
    "flipud": (np.flipud, x5),
    **{f"rot90 {k}": (lambda x, k=k: np.rot90(x, k), x23) for k in (-1, 0, 1, 2, 3, 5)},
    "rot90 axes": (lambda x: np.rot90(x, axes=(2, 1)), x234),
    "roll": (lambda x: np.roll(x, 2), x23),
    "roll axis": (lambda x: np.roll(x, -1, axis=-1), x23),
    "roll axes": (lambda x: np.roll(x, (1, 2), axis=(0, 1)), x23),
    "roll one shift, two axes": (lambda x: np.roll(x, 1, axis=(0, 1)), x23),
    "roll array of shifts": (lambda x: np.roll(x, np.array([1, -2]), axis=(0, 1)), x23),
    "copy": (np.copy, x23),
    "copy order": (lambda x: np.copy(x, order="F"), x23),
    "astype same": (lambda x: x.astype(float), x23),
    "astype not copied": (lambda x: x.astype(float, copy=False) * 2, x23),
}


@pytest.mark.parametrize("name", RESHAPING)
def test_reshaping(name):
    check(*RESHAPING[name])


def test_order_of_any_layout_in_memory():
    base = numbers(3, 4, 2, 5)
    for axes in [(0, 1, 2, 3), (2, 0, 3, 1), (3, 2, 1, 0), (1, 3, 0, 2)]:
        for key in [(), (slice(None, None, -1), slice(1, 3)), (slice(None), 1), (Ellipsis, slice(0, 1))]:
            x = ta.tensor(base).transpose(axes)[key].requires_grad_()
            for order in "CFAK":
                np.testing.assert_array_equal(np.ravel(x, order).data, np.ravel(x.data, order))
                np.testing.assert_array_equal(x.flatten(order).data, x.data.flatten(order))
            np.testing.assert_array_equal(np.reshape(x, (2, -1), "A").data, np.reshape(x.data, (2, -1), "A"))


@pytest.mark.parametrize("order", "CFAK")
def test_derivatives_follow_the_order_that_the_values_took(order):
    x, weights = np.asfortranarray(numbers(2, 3)), np.arange(6.0)
    expected = np.zeros((2, 3))
    for place, weight in zip(np.ravel(np.asfortranarray(np.arange(6).reshape(2, 3)), order), weights, strict=True):
        expected.flat[place] = weight
    np.testing.assert_array_equal(ta.grad(lambda x: np.sum(np.ravel(x, order) * weights))(x), expected)
    direction = numbers(2, 3, seed=1)  # laid out in the other order
    assert ta.jvp(lambda x: np.sum(np.ravel(x, order) * weights), (x,), (direction,))[1] == pytest.approx(
        np.sum(direction * expected))


MANY_ARGUMENTS = {
    "broadcast_arrays": (lambda x, y: np.broadcast_arrays(x, y), numbers(2, 1), numbers(3, seed=1)),
    "atleast_1d of two": (lambda x, y: np.atleast_1d(x, y), np.float64(1.5), numbers(3, seed=1)),
    "meshgrid": (lambda x, y: np.meshgrid(x, y), numbers(3), numbers(2, seed=1)),
    "meshgrid ij": (lambda x, y: np.meshgrid(x, y, indexing="ij"), numbers(3), numbers(2, seed=1)),
    "meshgrid sparse": (lambda x, y: np.meshgrid(x, y, sparse=True), numbers(3), numbers(2, seed=1)),
    "meshgrid of three": (lambda x, y, z: np.meshgrid(x, y, z, copy=False), numbers(3), numbers(2, seed=1),
                          np.float64(0.7)),
    "meshgrid of one": (lambda x: np.meshgrid(x), numbers(3)),
    "concatenate": (lambda x, y: np.concatenate([x, y]), numbers(2, 3), numbers(1, 3, seed=1)),
    "concatenate axis": (lambda x, y: np.concatenate((x, y, x), axis=-1), numbers(2, 3), numbers(2, 1, seed=1)),
    "concatenate axis None": (lambda x, y: np.concatenate([x, y], axis=None), numbers(2, 3), np.float64(4.5)),
    "concatenate with a plain array": (lambda x: np.concatenate([np.ones(2), x]), x5),
    "concatenate with an empty list": (lambda x: np.concatenate([[], x]), x5),
    "concatenate rows": (lambda x: np.concatenate(x), x23),
    "concatenate dtype": (lambda x: np.concatenate([x, np.ones(1, np.float32)], dtype=np.float64), x5),
    "concat": (lambda x, y: np.concat([x, y], axis=1), numbers(2, 3), numbers(2, 2, seed=1)),
    "stack": (lambda x, y: np.stack([x, y]), numbers(2, 3), numbers(2, 3, seed=1)),
    "stack axis": (lambda x, y: np.stack([x, y, x], axis=-1), numbers(2, 3), numbers(2, 3, seed=1)),
    "stack scalars": (lambda x, y: np.stack([x, y, 1.5]), np.float64(0.5), np.float64(0.7)),
    "hstack": (lambda x, y: np.hstack([x, y]), numbers(2), numbers(3, seed=1)),
    "hstack matrices": (lambda x, y: np.hstack([x, y]), numbers(2, 2), numbers(2, 3, seed=1)),
    "hstack scalars": (lambda x, y: np.hstack([x, y]), np.float64(0.5), np.float64(0.7)),
    "vstack": (lambda x, y: np.vstack([x, y]), numbers(3), numbers(2, 3, seed=1)),
    "dstack": (lambda x, y: np.dstack([x, y]), numbers(3), numbers(3, seed=1)),
    "dstack matrices": (lambda x, y: np.dstack((x, y)), numbers(2, 3), numbers(2, 3, seed=1)),
    "column_stack": (lambda x, y: np.column_stack([x, y, x]), numbers(3), numbers(3, 2, seed=1)),
    "block": (lambda x, y: np.block([[x, np.zeros((2, 1))], [y, 1.0]]), numbers(2, 3), numbers(1, 3, seed=1)),
    "block of rows": (lambda x, y: np.block([x, y]), numbers(2), numbers(3, seed=1)),
    "block of one": (lambda x: np.block(x), numbers(2)),
    "block deep": (lambda x, y: np.block([[[x, y]], [[y, x]]]), numbers(2, 2, 2), numbers(2, 2, 2, seed=1)),
    "block scalars": (lambda x, y: np.block([[x, y], [y, x]]), np.float64(0.5), np.float64(0.7)),
    "append": (lambda x, y: np.append(x, y), numbers(2, 3), numbers(2, seed=1)),
    "append axis": (lambda x, y: np.append(x, y, axis=1), numbers(2, 3), numbers(2, 1, seed=1)),
    "append number": (lambda x: np.append(x, 3), numbers(3)),
    "append to a list": (lambda x: np.append([1.0, 2.0], x), numbers(3)),
    "insert": (lambda x, y: np.insert(x, 1, y), numbers(4), np.float64(9.5)),
    "insert many at one": (lambda x, y: np.insert(x, 1, y), numbers(4), numbers(2, seed=1)),
    "insert at many": (lambda x, y: np.insert(x, [3, 0, 3], y), numbers(4), numbers(3, seed=1)),
    "insert one at many": (lambda x, y: np.insert(x, [3, -1], y), numbers(4), np.float64(9.5)),
    "insert by slice": (lambda x, y: np.insert(x, slice(1, 3), y), numbers(4), numbers(2, seed=1)),
    "insert rows": (lambda x, y: np.insert(x, 1, y, axis=0), numbers(2, 3), numbers(3, seed=1)),
    "insert column": (lambda x, y: np.insert(x, 1, y, axis=-1), numbers(2, 3), numbers(2, seed=1)),
    "insert columns": (lambda x, y: np.insert(x, [1], y, axis=1), numbers(2, 3), numbers(2, 2, seed=1)),
    "insert column number": (lambda x: np.insert(x, [0, 2], 7.0, axis=1), numbers(2, 3)),
    "insert block": (lambda x, y: np.insert(x, [0, 2], y, axis=1), numbers(2, 3), numbers(2, 2, seed=1)),
    "insert flat": (lambda x, y: np.insert(x, 3, y), numbers(2, 3), np.float64(9.5)),
    "insert nothing": (lambda x: np.insert(x, [], 7.0), numbers(4)),
    "insert tensors only": (lambda y: np.insert(np.zeros(3), 1, y) + y, np.float64(9.5)),
    "delete": (lambda x: np.delete(x, 1), numbers(4)),
    "delete many": (lambda x: np.delete(x, [0, -1, 0]), numbers(4)),
    "delete slice": (lambda x: np.delete(x, slice(None, None, 2), axis=1), numbers(2, 3)),
    "delete mask": (lambda x: np.delete(x, np.array([True, False, True]), axis=-1), numbers(2, 3)),
    "delete flat": (lambda x: np.delete(x, 2), numbers(2, 3)),
    "delete nothing": (lambda x: np.delete(x, []), numbers(4)),
    "split": (lambda x: np.split(x, 2), numbers(4, 2)),
    "split at": (lambda x: np.split(x, [1, 3, 3], axis=-1), numbers(2, 4)),
    "split at array": (lambda x: np.split(x, np.array([-1])), numbers(4)),
    "array_split": (lambda x: np.array_split(x, 3), numbers(5)),
    "array_split into more": (lambda x: np.array_split(x, 3, axis=1), numbers(2, 4)),
    "hsplit": (lambda x: np.hsplit(x, 2), numbers(2, 4)),
    "hsplit vector": (lambda x: np.hsplit(x, [1]), numbers(4)),
    "vsplit": (lambda x: np.vsplit(x, 2), numbers(2, 4)),
    "dsplit": (lambda x: np.dsplit(x, 2), x234),
    "unstack": (lambda x: np.unstack(x, axis=-1), numbers(2, 3)),
    "unstack vector": (lambda x: np.unstack(x), numbers(3)),
}
SLICES_AND_SPACING = {
    "apply_along_axis": (lambda x: np.apply_along_axis(np.sum, 1, x), x234),
    "apply_along_axis to vectors": (lambda x: np.apply_along_axis(lambda v, k: v[:2] * v[0] * k, 1, x, 3.0), x234),
    "apply_along_axis to matrices": (lambda x: np.apply_along_axis(np.diag, -1, x), x23),
    "apply_along_axis of a vector": (lambda x: np.apply_along_axis(np.sum, 0, x), x5),
    "apply_over_axes": (lambda x: np.apply_over_axes(np.sum, x, [0, -1]), x234),
    "apply_over_axes of a number": (lambda x: np.apply_over_axes(np.sum, np.sum(x), [0]), x234),
    "apply_over_axes one": (lambda x: np.apply_over_axes(np.cumsum, x, 1), x23),
    "linspace": (lambda x, y: np.linspace(x, y, 5), np.float64(0.3), np.float64(1.7)),
    "linspace of arrays": (lambda x, y: np.linspace(x, y, 4, axis=-1), x23, x23[0]),
    "linspace without end": (lambda x: np.linspace(x, 1, 3, endpoint=False), np.float64(0.3)),
    "linspace of one": (lambda x: np.linspace(x, 1, 1), np.float64(0.3)),
    "linspace of none": (lambda x: np.linspace(0, x, 0), np.float64(0.3)),
    "linspace between equals": (lambda x: np.linspace(x, x, 3), np.float64(0.3)),
    "linspace step": (lambda x: list(np.linspace(0, x, 5, retstep=True)), np.float64(0.3)),
    "logspace": (lambda x, y: np.logspace(x, y, 4), np.float64(0.3), np.float64(1.7)),
    "logspace base": (lambda x, b: np.logspace(x, [1.0, 2.0], 4, base=b, axis=1), np.float64(0.3),
                      np.array([2.0, 3.0])),
    "geomspace": (lambda x, y: np.geomspace(x, y, 4), np.float64(0.3), np.float64(1.7)),
    "geomspace of negatives": (lambda x: np.geomspace(x, -7.0, 4, endpoint=False, axis=-1), -np.abs(numbers(3))),
}


@pytest.mark.parametrize("name", SLICES_AND_SPACING)
def test_slices_and_spacing(name):
    check(*SLICES_AND_SPACING[name])


@pytest.mark.parametrize("name", MANY_ARGUMENTS)
def test_joining_and_splitting(name):
    check(*MANY_ARGUMENTS[name])


PADDING = {
    "zeros": (lambda x: np.pad(x, 1), numbers(2, 3)),
    "constant": (lambda x: np.pad(x, ((1, 2), (0, 1)), constant_values=((1.5, 2.5), (3.5, 4.5))), numbers(2, 3)),
    "constant per axis": (lambda x: np.pad(x, (2, 1), "constant", constant_values=((1,), (2,))), numbers(2, 3)),
    "nothing": (lambda x: np.pad(x, 0), numbers(3)),
    "constant beside nothing": (lambda x: np.pad(x, ((0, 0), (1, 0))), numbers(0, 2)),
    "edge": (lambda x: np.pad(x, ((1, 2), (3, 0)), "edge"), numbers(2, 3)),
    "reflect": (lambda x: np.pad(x, ((1, 4), (7, 3)), "reflect"), numbers(2, 3)),
    "reflect odd": (lambda x: np.pad(x, ((1, 4), (7, 3)), "reflect", reflect_type="odd"), numbers(2, 3)),
    "reflect one": (lambda x: np.pad(x, 2, "reflect", reflect_type="odd"), numbers(1)),
    "symmetric": (lambda x: np.pad(x, ((1, 4), (8, 3)), "symmetric"), numbers(2, 3)),
    "symmetric odd": (lambda x: np.pad(x, (9, 5), mode="symmetric", reflect_type="odd"), numbers(4)),
    "wrap": (lambda x: np.pad(x, ((1, 4), (7, 3)), "wrap"), numbers(2, 3)),
    "linear_ramp": (lambda x: np.pad(x, ((1, 2), (0, 3)), "linear_ramp", end_values=((1, 2), (3, 4))), numbers(2, 3)),
    "linear_ramp default": (lambda x: np.pad(x, 3, "linear_ramp"), numbers(3)),
    "mean": (lambda x: np.pad(x, 1, "mean"), numbers(2, 3)),
    "mean of two": (lambda x: np.pad(x, 2, "mean", stat_length=((1, 2), (2, 9))), numbers(2, 3)),
    "maximum": (lambda x: np.pad(x, ((1, 0), (2, 1)), "maximum"), numbers(2, 3)),
    "minimum": (lambda x: np.pad(x, 1, "minimum", stat_length=2), numbers(2, 4)),
    "median": (lambda x: np.pad(x, 1, "median"), numbers(2, 3)),
    "by axis": (lambda x: np.pad(x, {-1: (1, 2)}, "edge"), numbers(2, 3)),
    "by axis, int": (lambda x: np.pad(x, {0: 2}), numbers(2, 3)),
}


@pytest.mark.parametrize("name", PADDING)
def test_padding(name):
    # NumPy reflects again what it has reflected; here multiples of the edges are added once, which rounds differently.
    check(*PADDING[name], ulps=8 if name.endswith("odd") else 0)


def test_pad_is_differentiable_in_its_constants():
    x = ta.tensor(numbers(2, 3))
    c = np.array([[1.5, -0.5], [2.5, 0.25]])
    gradient = ta.grad(lambda c: np.sum(np.pad(x, 1, constant_values=c) ** 2))(c)
    np.testing.assert_allclose(gradient, 2 * c * [[3, 3], [4, 4]])
    assert ta.grad(lambda c: np.sum(np.pad(x, 1, constant_values=(c, 0.0)) ** 2))(1.5) == 2 * 1.5 * 7
    gradient = ta.grad(lambda e: np.sum(np.pad(x[0], (4, 0), "linear_ramp", end_values=e)))(1.5)
    assert gradient == pytest.approx(1 + 0.75 + 0.5 + 0.25)


REPEATING = {
    "tile": (lambda x: np.tile(x, 2), numbers(2, 3)),
    "tile tuple": (lambda x: np.tile(x, (2, 1, 3)), numbers(2, 3)),
    "tile fewer": (lambda x: np.tile(x, (3,)), numbers(2, 3)),
    "tile once": (lambda x: np.tile(x, 1), numbers(3)),
    "tile none": (lambda x: np.tile(x, (0, 2)), numbers(3)),
    "tile scalar": (lambda x: np.tile(x, (2, 2)), np.float64(1.5)),
    "repeat": (lambda x: np.repeat(x, 2), numbers(2, 3)),
    "repeat axis": (lambda x: np.repeat(x, 3, axis=-2), numbers(2, 3)),
    "repeat array": (lambda x: np.repeat(x, [2, 0, 3], axis=1), numbers(2, 3)),
    "repeat array of one": (lambda x: np.repeat(x, [2], axis=1), numbers(2, 3)),
    "repeat none": (lambda x: np.repeat(x, 0), numbers(3)),
    "repeat scalar": (lambda x: np.repeat(x, 3), np.float64(1.5)),
    "resize larger": (lambda x: np.resize(x, (2, 4)), numbers(3)),
    "resize smaller": (lambda x: np.resize(x, 2), numbers(2, 3)),
    "trim_zeros": (lambda x: np.trim_zeros(x * np.array([0, 0, 1, 1, 0])), x5),
    "trim_zeros front": (lambda x: np.trim_zeros(x * np.array([0, 0, 1, 1, 0]), "f"), x5),
    "trim_zeros back": (lambda x: np.trim_zeros(x * np.array([0, 0, 1, 1, 0]), "B"), x5),
    "trim_zeros matrix": (lambda x: np.trim_zeros(x * np.array([0, 1, 0])), x23),
    "trim_zeros axis": (lambda x: np.trim_zeros(x * np.array([[0], [1]]), axis=-1), x23),
    "trim_zeros of zeros": (lambda x: np.trim_zeros(0 * x), x5),
}


@pytest.mark.parametrize("name", REPEATING)
def test_repeating(name):
    check(*REPEATING[name])


DIAGONALS = {
    **{f"diag vector {k}": (lambda x, k=k: np.diag(x, k), numbers(3)) for k in (-2, 0, 1)},
    **{f"diag matrix {k}": (lambda x, k=k: np.diag(x, k), numbers(3, 4)) for k in (-5, -2, 0, 1, 3, 4, 7)},
    "diag empty": (np.diag, np.zeros(0)),
    "diagflat": (lambda x: np.diagflat(x, 1), numbers(2, 2)),
    "diagflat scalar": (np.diagflat, np.float64(2.0)),
    "diagonal": (np.diagonal, numbers(3, 4)),
    "diagonal of many": (lambda x: np.diagonal(x, 1, -1, 0), x234),
    "diagonal offset": (lambda x: np.diagonal(x, offset=-1, axis1=1, axis2=2), x234),
    "diagonal empty": (np.diagonal, empty),
    "tril": (np.tril, numbers(3, 4)),
    "tril k": (lambda x: np.tril(x, -1), x234),
    "tril vector": (np.tril, numbers(3)),
    "triu": (np.triu, numbers(3, 4)),
    "triu k": (lambda x: np.triu(x, k=2), x234),
    "vander": (np.vander, numbers(4)),
    "vander N": (lambda x: np.vander(x, 3, increasing=True), numbers(4)),
    "vander of none": (lambda x: np.vander(x, 0), numbers(4)),
}


@pytest.mark.parametrize("name", DIAGONALS)
def test_diagonals(name):
    function, x = DIAGONALS[name]
    if name.startswith("vander"):
        np.testing.assert_allclose(function(ta.tensor(x)).data, function(x), rtol=1e-14)
        x = np.round(x)  # NumPy multiplies one factor at a time: only products of integers are the same to the last bit
    check(function, x)


def test_triangles_keep_nan_outside_from_spreading():
    x = np.array([[1.0, np.nan], [2.0, 3.0]])
    assert ta.grad(lambda x: np.sum(np.tril(x) ** 2))(x).tolist() == [[2.0, 0.0], [4.0, 6.0]]


# ---------------------------------------------------------------------- types


def test_casts_between_precisions_keep_the_graph_and_cast_back():
    x = ta.tensor([1.5, 2.5], dtype=np.float32, requires_grad=True)
    y = x.astype(np.float64)
    assert y.dtype == np.float64
    (y * y).sum().backward()
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [3.0, 5.0]


def test_casts_to_complex_and_back_are_real_linear():
    x = np.array([0.5, -1.5])
    gradient = ta.grad(lambda x: np.sum(np.real(x.astype(complex) * (2 - 3j))))(x)
    np.testing.assert_allclose(gradient, [2.0, 2.0])
    z = np.array([0.5 + 2j, -1.5 + 1j])
    with pytest.warns(np.exceptions.ComplexWarning):
        gradient = ta.grad(lambda z: np.sum(z.astype(float) ** 2))(z)
    np.testing.assert_allclose(gradient, 2 * z.real)
    with pytest.warns(np.exceptions.ComplexWarning):
        _, tangent = ta.jvp(lambda z: z.astype(float), (z,), (np.array([1 + 5j, 2j]),))
    np.testing.assert_allclose(tangent, [1.0, 0.0])


def test_casts_to_integers_are_plain_and_to_objects_refused():
    x = ta.tensor([1.5, -2.5], requires_grad=True)
    assert type(x.astype(int)) is np.ndarray
    assert np.astype(x, np.int64).tolist() == [1, -2]
    with pytest.raises(TypeError, match=r"dtype object cannot be differentiated.*detach"):
        x.astype(object)
    with pytest.raises(TypeError, match="Cannot cast"):
        x.astype(np.float32, casting="safe")
    with pytest.raises(TypeError, match="cannot join arrays of dtype float64 as float32 by the rule 'safe'"):
        np.concatenate([x], dtype=np.float32, casting="safe")


def test_mixed_precisions_join_by_promotion_and_come_back_as_they_were():
    single, double = np.ones(2, np.float32), np.ones(3)
    check_values(lambda x, y: np.concatenate([x, y]), single, double)
    gradients = ta.grad(lambda x, y: np.sum(np.concatenate([x, y]) ** 2), (0, 1))(single, double)
    assert [g.dtype for g in gradients] == [np.float32, np.float64]


def test_complex_arrays_move_like_real_ones():
    z = numbers(2, 3) + 1j * numbers(2, 3, seed=1)
    weights = numbers(3, 4) - 2j * numbers(3, 4, seed=3)
    gradient = ta.grad(lambda z: np.sum(np.real(np.conj(weights) * np.pad(z, ((0, 1), (1, 0)), "reflect"))))(z)
    index = np.pad(np.arange(6).reshape(2, 3), ((0, 1), (1, 0)), "reflect").ravel()
    expected = np.array([weights.ravel()[index == place].sum() for place in range(6)]).reshape(2, 3)
    np.testing.assert_allclose(gradient, expected)


# ---------------------------------------------------------------------- results are NumPy's own in kind


def test_a_copy_shares_no_memory_and_flatten_copies():
    x = ta.tensor(x23, requires_grad=True)
    for result in (np.copy(x), x.copy(), x.flatten(), x.flatten("F"), np.reshape(x, (3, 2), copy=True)):
        assert not np.shares_memory(result.data, x.data)


def test_changing_an_array_of_shifts_or_counts_afterwards_changes_no_gradient():
    counts, shifts = np.array([1, 2]), np.array([1, 0])

    def scrambled(x):
        result = np.repeat(np.roll(x, shifts, axis=(0, 1)), counts, axis=0)
        counts[:] = 0
        shifts[:] = 0
        return np.sum(result * np.arange(6.0).reshape(3, 2))

    assert ta.grad(scrambled)(np.ones((2, 2))).tolist() == [[6.0, 8.0], [0.0, 1.0]]


# ---------------------------------------------------------------------- errors

X = ta.tensor(numbers(2, 3), requires_grad=True)
V = ta.tensor(numbers(3), requires_grad=True)
S = ta.tensor(2.0, requires_grad=True)
ERRORS = {
    "reshape": (lambda: np.reshape(X, (4, 2)), ValueError, "cannot reshape"),
    "reshape order": (lambda: np.reshape(X, 6, order="Z"), ValueError, "order"),
    "reshape no copy": (lambda: np.reshape(X.T, 6, copy=False), ValueError, "without a copy"),
    "transpose": (lambda: np.transpose(X, (0, 0)), ValueError, "repeated axis"),
    "swapaxes": (lambda: np.swapaxes(X, 0, 2), np.exceptions.AxisError, "axis"),
    "moveaxis": (lambda: np.moveaxis(X, 0, 5), np.exceptions.AxisError, "destination"),
    "matrix_transpose": (lambda: np.matrix_transpose(V), ValueError, "at least 2"),
    "squeeze": (lambda: np.squeeze(X, 0), ValueError, "size not equal to one"),
    "expand_dims": (lambda: np.expand_dims(X, 4), np.exceptions.AxisError, "axis"),
    "broadcast_to": (lambda: np.broadcast_to(X, (2, 4)), ValueError, "broadcast"),
    "broadcast_arrays": (lambda: np.broadcast_arrays(X, np.ones(4)), ValueError, "mismatch"),
    "meshgrid": (lambda: np.meshgrid(V, V, indexing="xx"), ValueError, "indexing"),
    "flip": (lambda: np.flip(X, 2), np.exceptions.AxisError, "axis"),
    "fliplr": (lambda: np.fliplr(V), ValueError, "at least two axes"),
    "flipud": (lambda: np.flipud(S), ValueError, "at least one axis"),
    "rot90": (lambda: np.rot90(X, axes=(0, 0)), ValueError, "repeated axis"),
    "rot90 three axes": (lambda: np.rot90(X, axes=(0, 1, 2)), ValueError, "two"),
    "astype device": (lambda: np.astype(X, float, device="gpu"), ValueError, "device"),
    "concatenate": (lambda: np.concatenate([X, V]), ValueError, "dimensions"),
    "concatenate nothing": (lambda: np.concatenate([S, S]), ValueError, "zero-dimensional"),
    "concatenate out": (lambda: np.concatenate([V, V], out=np.zeros(6)), NotImplementedError, "out="),
    "concatenate lists": (lambda: np.concatenate([V, [S, 1.0]]), TypeError, r"tapead\.array"),
    "stack": (lambda: np.stack([X, V]), ValueError, "same shape"),
    "stack out": (lambda: np.stack([V, V], out=np.zeros((2, 3))), NotImplementedError, "assign the result"),
    "block": (lambda: np.block([[V], V]), ValueError, "different depths"),
    "block empty": (lambda: np.block([[V], []]), ValueError, "empty"),
    "block tuple": (lambda: np.block([(V, V)]), TypeError, "tuple"),
    "append": (lambda: np.append(X, V, axis=0), ValueError, "dimensions"),
    "insert": (lambda: np.insert(V, 9, 1.0), IndexError, "out of bounds"),
    "insert shape": (lambda: np.insert(V, [0, 1], [1.0, 2.0, 3.0]), ValueError, "broadcast"),
    "delete": (lambda: np.delete(V, 9), IndexError, "out of bounds"),
    "split": (lambda: np.split(V, 2), ValueError, "equal division"),
    "array_split": (lambda: np.array_split(V, 0), ValueError, "larger than 0"),
    "hsplit": (lambda: np.hsplit(S, 1), ValueError, "1 or more dimensions"),
    "vsplit": (lambda: np.vsplit(V, 1), ValueError, "2 or more dimensions"),
    "dsplit": (lambda: np.dsplit(X, 1), ValueError, "3 or more dimensions"),
    "unstack": (lambda: np.unstack(S), ValueError, "at least 1-d"),
    "apply_along_axis": (lambda: np.apply_along_axis(np.sum, 0, X[:, :0]), ValueError, "iteration dimensions"),
    "apply_over_axes": (lambda: np.apply_over_axes(lambda x, axis: x.sum(), X, 0), ValueError, "correct shape"),
    "linspace": (lambda: np.linspace(S, 1.0, -1), ValueError, "non-negative"),
    "geomspace": (lambda: np.geomspace(S * 0, 1.0), ValueError, "zero"),
    "pad empty": (lambda: np.pad(V, 1, "empty"), NotImplementedError, "undefined.*constant"),
    "pad mode": (lambda: np.pad(V, 1, "mirror"), ValueError, "not supported"),
    "pad keyword": (lambda: np.pad(V, 1, "edge", stat_length=1), ValueError, "stat_length"),
    "pad width": (lambda: np.pad(V, -1), ValueError, "negative"),
    "pad width type": (lambda: np.pad(V, 1.5), TypeError, "integral"),
    "pad width shape": (lambda: np.pad(V, (1, 2, 3)), ValueError, "broadcast"),
    "pad nothing": (lambda: np.pad(X[:0], 1, "edge"), ValueError, "empty axis 0"),
    "pad stat_length": (lambda: np.pad(V, 1, "maximum", stat_length=0), ValueError, "no value"),
    "pad negative stat_length": (lambda: np.pad(V, 1, "mean", stat_length=-1), ValueError, "negative"),
    "pad reflect_type": (lambda: np.pad(V, 1, "reflect", reflect_type="strange"), ValueError, "reflect_type"),
    "repeat": (lambda: np.repeat(V, [1, 2]), ValueError, "broadcast"),
    "repeat negative": (lambda: np.repeat(V, -1), ValueError, "negative"),
    "repeat float": (lambda: np.repeat(V, 1.5), TypeError, "cast"),
    "resize": (lambda: np.resize(V, (-1,)), ValueError, "negative"),
    "trim_zeros": (lambda: np.trim_zeros(V, "x"), ValueError, "trim"),
    "diag": (lambda: np.diag(ta.tensor(x234, requires_grad=True)), ValueError, "1- or 2-d"),
    "diagonal": (lambda: np.diagonal(V), ValueError, "two dimensions"),
    "diagonal axes": (lambda: np.diagonal(X, 0, 1, -1), ValueError, "same"),
    "vander": (lambda: np.vander(X), ValueError, "one-dimensional"),
    "fill_diagonal": (lambda: np.fill_diagonal(X, 0), RuntimeError, "leaf"),
    "ascontiguousarray": (lambda: np.ascontiguousarray(X), TypeError, "detach"),
    "asfortranarray": (lambda: np.asfortranarray(X), TypeError, "detach"),
    "require": (lambda: np.require(X, requirements="C"), TypeError, "detach"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_what_is_wrong(name):
    call, kind, message = ERRORS[name]
    with pytest.raises(kind, match=message):
        call()
