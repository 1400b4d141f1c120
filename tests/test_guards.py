"""Nothing that the tape remembers changes unnoticed: the user's arrays, values handed out, gradients, copies."""

from __future__ import annotations

import copy
import itertools
import pickle

import numpy as np
import pytest

import tapead as ta
from tapead.guards import guards

SIZES = [10, 5_000, 40_000, 100_000]  # two that are copied, two that are watched


def numbers(size, seed=0):
    return np.random.default_rng(seed).random(size) + 0.5


OPERATIONS = {
    "x * c": lambda x, c: x * c, "c / x": lambda x, c: c / x, "x**c": lambda x, c: x**c, "c @ x": lambda x, c: c @ x,
    "maximum": np.maximum, "where": lambda x, c: np.where(c > 1.0, x, c) * x, "outer": lambda x, c: np.outer(x, c[:4]),
    "average": lambda x, c: np.average(x, weights=c), "index": lambda x, c: x[(c * 3).astype(int)], "hypot": np.hypot,
}
CHANGES = {
    "an element": lambda c: c.__setitem__(0, 3.0), "the last element": lambda c: c.__setitem__(-1, 3.0),
    "all": lambda c: c.__imul__(1.5), "the order": lambda c: c.__setitem__(slice(None), c[::-1].copy()),
    "rows": lambda c: c.__setitem__(slice(None), np.roll(c, len(c) // 3)),
    "shuffled": lambda c: np.random.default_rng(1).shuffle(c),
}


#: What else of the user's an operation takes: index arrays, masks, and arrays among attributes.
INDICES = {
    "x[i]": lambda x, i: x[i], "x[i, ]": lambda x, i: x[i,], "take": lambda x, i: np.take(x, i),
    "take_along_axis": lambda x, i: np.take_along_axis(x, i, 0), "add.at": lambda x, i: written(x, np.add.at, i, x),
    "subtract.at": lambda x, i: written(x, np.subtract.at, i, 1.0), "y[i] = v": lambda x, i: written(x, set_at, i, 2.0),
    "put": lambda x, i: written(x, np.put, i, x), "put_along_axis": lambda x, i: written(x, put_along, i, x[0]),
    "where": lambda x, i: np.where(i % 2 == 0, x, 0.0), "where=": lambda x, i: np.sum(x * x, where=i % 2 == 0),
    "compress": lambda x, i: np.compress(i % 2, x), "choose": lambda x, i: np.choose(i % 2, [x, x * x]),
    "repeat": lambda x, i: np.repeat(x, i % 3), "bincount": lambda x, i: np.bincount(i, weights=x),
    "delete": lambda x, i: np.delete(x, i), "reduceat": lambda x, i: np.add.reduceat(x, i),
    "ldexp": lambda x, i: np.ldexp(x, i), "an attribute": lambda x, i: rolled(x, by=i),
}


def written(x, write, *args):
    y = x * 1.0
    write(y, *args)
    return y


def set_at(y, key, value):
    y[key] = value


def put_along(y, indices, values):
    np.put_along_axis(y, indices, values, 0)


@ta.primitive("rolled_by")
def rolled(x, by=None):
    """x[i] for an index array that is an attribute"""
    return x[by]


@ta.RegisterGradient("rolled_by")
def _rolled(op):
    """d x[i] = dx[i]"""
    by, length = op.attrs["by"], op.inputs[0].size
    return ta.Linear(lambda t: t[by], lambda g: np.bincount(by, weights=g, minlength=length))


@pytest.mark.parametrize("operation", INDICES)
def test_index_arrays_are_copied(operation):
    for size in (12, 40_000):
        x = ta.tensor(numbers(size), requires_grad=True)
        for change in (lambda i: i.__ifloordiv__(2), lambda i: i.sort(), lambda i: i.fill(1)):
            i = np.random.default_rng(2).integers(0, 8, size)
            loss = [np.sum(np.sin(INDICES[operation](x, i))) for _ in range(2)]
            (expected,) = ta.gradients(loss[0], x)
            change(i)
            np.testing.assert_array_equal(ta.gradients(loss[1], x)[0].data, expected.data)


def right_or_refused(sweep, expected):
    """The sweep gives the gradient at the values that were recorded, or says that they were changed."""
    try:
        result = sweep()
    except RuntimeError as error:
        assert "was changed after" in str(error)
        return "refused"
    np.testing.assert_array_equal(result, expected)
    return "right"


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("size", SIZES)
def test_a_changed_array_is_never_used_silently(operation, size):
    f = OPERATIONS[operation]
    for change in CHANGES.values():
        c, start = numbers(size), numbers(size, 1)
        x = ta.tensor(start, requires_grad=True)
        (expected,) = ta.gradients(np.sum(f(x, c)), x)
        y = np.sum(f(x, c))
        _, pull = ta.vjp(lambda x, c=c: np.sum(f(x, c)), start)
        before = c.copy()
        change(c)
        assert not np.array_equal(c, before)
        outcomes = {right_or_refused(lambda y=y, x=x: ta.gradients(y, x)[0].data, expected.data),
                    right_or_refused(lambda pull=pull: pull(1.0)[0], expected.data)}
        assert outcomes == {"right"} or size > SIZES[1]


def test_which_arrays_are_copied_and_which_are_watched():
    for size, outcome in zip(SIZES, ["right", "right", "refused", "refused"], strict=True):
        c = numbers(size)
        x = ta.tensor(numbers(size), requires_grad=True)
        y = (x * c).sum()
        expected = c.copy()
        c[size // 3] += 1e-9
        assert right_or_refused(lambda y=y, x=x: ta.gradients(y, x)[0].data, expected) == outcome


@pytest.mark.parametrize("make", [
    lambda n: np.asfortranarray(numbers((n, 4))), lambda n: numbers((n, 8))[:, ::2], lambda n: numbers((n, 4))[::-1],
    lambda n: numbers((n, 4)).astype(np.float32), lambda n: numbers((n, 4)) > 1.0, lambda n: numbers((n, 4)) * 1j,
    lambda n: np.broadcast_to(numbers(n)[:, None], (n, 4)), lambda n: (numbers((n, 4)) * 9).astype(np.int8)])
def test_arrays_of_any_layout_and_dtype(make):
    for size in (3, 1_001):
        c = make(size)
        x = ta.tensor(numbers((size, 4)), requires_grad=True)
        y = np.sum(np.abs(x * c))
        (expected,) = ta.gradients(np.sum(np.abs(x * c)), x)
        owner = c if c.base is None or not c.flags.writeable else c.base
        if owner.flags.writeable:
            owner[0] = 1 - owner[0]
        else:
            c.base.__imul__(2.0)
        right_or_refused(lambda y=y, x=x: ta.gradients(y, x)[0].data, expected.data)


def test_the_error_names_the_operation_and_both_lines():
    c = numbers(40_000)
    x = ta.tensor(numbers(40_000), requires_grad=True)
    y = (x * c).sum()
    c += 1.0
    with pytest.raises(RuntimeError, match=r"shape \(40000,\) was changed after multiply .*test_guards.py:\d+, and the "
                                            "sweep at "
                                           r".*test_guards.py:\d+"):
        y.backward()


def test_forward_and_blockwise_sweeps_look_too():
    c = numbers(300_000)
    _, push = ta.linearize(lambda x: x * c, numbers(300_000))
    x = ta.tensor(numbers(300_000), requires_grad=True)
    y = (np.sin(x) * c * np.cos(x) * c).sum()
    c[:] = 2.0
    with pytest.raises(RuntimeError, match="was changed after multiply"):
        push(np.ones(300_000))
    with pytest.raises(RuntimeError, match="was changed after multiply"):
        y.backward()


def test_nothing_is_remembered_for_long():
    c = numbers(40_000)
    x = ta.tensor(numbers(40_000), requires_grad=True)
    y = (x * c).sum()
    y.backward()
    assert len(guards) == 0  # although y is still there
    c += 1.0
    (x + c).sum().backward()  # nobody needs c
    z = x + c
    c += 1.0
    z.sum().backward()
    y = x * c
    assert len(guards) == 1
    del y
    assert len(guards) == 0
    ta.grad(lambda x: np.sum(x * c))(numbers(40_000))
    ta.grad(lambda x: np.sum(x * c))(x)
    assert len(guards) == 0


def test_a_loop_over_a_constant_shares_its_copy():
    c = numbers(1_000)
    x = ta.tensor(numbers(1_000), requires_grad=True)
    copies = [(x * c).grad_fn for _ in range(3)]
    assert copies[0].inputs[1] is copies[1].inputs[1] is copies[2].inputs[1] is not c
    c[7] += 1.0
    later = (x * c).grad_fn
    assert later.inputs[1][7] == copies[0].inputs[1][7] + 1.0


def test_a_broadcast_array_is_copied_as_it_is():
    row = numbers(1_000)
    x = ta.tensor(np.ones((300, 1_000)), requires_grad=True)
    y = x * np.broadcast_to(row, (300, 1_000))
    assert y.grad_fn.inputs[1].strides == (0, 8)
    expected = row.copy()
    row[5] = 0.0
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, np.broadcast_to(expected, (300, 1_000)))


def test_two_elements_that_change_places_are_seen():
    c = numbers(200_000)
    x = ta.tensor(numbers(200_000), requires_grad=True)
    for first, second in np.random.default_rng(3).integers(0, 200_000, (20, 2)):
        y = (x * c).sum()
        c[first], c[second] = c[second], c[first]
        with pytest.raises(RuntimeError, match="was changed after"):
            y.backward()


# ---------------------------------------------------------------------- arrays that are locked meanwhile


def tall(rows=20_000):
    """A matrix so large that reading it twice more would double the time of a product with a vector."""
    return np.random.default_rng(0).random((rows, 30))


def test_the_matrix_of_a_product_is_read_only_until_the_sweep():
    matrix = tall()
    owner = matrix
    for matrix in (owner, owner.reshape(-1, 60), owner.T):
        x = ta.tensor(numbers(matrix.shape[1]), requires_grad=True)
        y = np.sum(matrix @ x)
        for array in (matrix, owner):
            with pytest.raises(ValueError, match="read-only"):
                array[0, 0] = 3.0
        y.backward()
        np.testing.assert_allclose(x.grad.data, matrix.sum(0))
        for array in (matrix, owner):
            array[0, 0] = 0.5
        z = matrix @ x
        assert not owner.flags.writeable
        del z
        assert owner.flags.writeable and matrix.flags.writeable


def test_a_lock_lasts_as_long_as_any_graph_needs_it():
    matrix = tall()
    flat = matrix.reshape(-1)
    x, z = ta.tensor(numbers(30), requires_grad=True), ta.tensor(numbers(flat.size), requires_grad=True)
    first, second, third = matrix @ x, matrix @ x, flat @ z
    first.sum().backward()
    assert not matrix.flags.writeable and not flat.flags.writeable
    second.sum().backward(retain_graph=True)
    del second
    assert not matrix.flags.writeable and not flat.flags.writeable
    del third
    assert matrix.flags.writeable and flat.flags.writeable
    _, pull = ta.vjp(lambda x: matrix @ x, numbers(30))
    assert not matrix.flags.writeable
    del pull
    assert matrix.flags.writeable


def test_a_part_of_an_array_and_memory_of_others_is_watched_not_locked():
    rows = tall(25_000)
    for matrix in (rows[:20_000], np.frombuffer(bytearray(rows.tobytes())).reshape(rows.shape)):
        x = ta.tensor(numbers(30), requires_grad=True)
        y = np.sum(matrix @ x)
        rows[-1] = 1.0
        y.backward()
        y = np.sum(matrix @ x)
        matrix[1234, 5] += 1.0
        with pytest.raises(RuntimeError, match="was changed after matmul"):
            y.backward()


def test_a_lock_that_was_broken_is_noticed():
    matrix = tall()
    older = matrix.reshape(-1)[:]
    x = ta.tensor(numbers(30), requires_grad=True)
    y = np.sum(matrix @ x)
    older *= 2.0  # NumPy lets a view made before write on
    with pytest.raises(RuntimeError, match="was changed after matmul"):
        y.backward()
    y = np.sum(matrix @ x)
    matrix.flags.writeable = True
    matrix[3, 4] = 0.0
    with pytest.raises(RuntimeError, match="was changed after matmul"):
        y.backward()
    fixed = tall()
    fixed.flags.writeable = False
    np.sum(fixed @ x).backward()
    assert not fixed.flags.writeable


def test_arguments_of_vjp_and_linearize_may_be_changed():
    for size in SIZES:
        start = numbers(size)
        expected = 3 * start**2
        _, pull = ta.vjp(lambda x: np.sum(x**3), start)
        _, push = ta.linearize(lambda x: x**3, start)
        start *= 2.0
        np.testing.assert_allclose(pull(1.0)[0], expected)
        np.testing.assert_allclose(push(np.ones(size)), expected)


# ---------------------------------------------------------------------- values handed out


def test_writing_into_data_changes_the_tensor_but_not_the_past():
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    y = np.exp(x) * x
    expected = ta.gradients(y.sum(), x, retain_graph=True)[0].data
    x.data[0] = 5.0
    y.data[1] = -1.0
    x.data -= 1.0
    assert x.tolist() == [4.0, 1.0] and y.tolist()[1] == -1.0
    assert x.requires_grad and x.is_leaf
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, expected)
    np.testing.assert_array_equal(ta.gradients((np.exp(x) * x).sum(), x)[0].data, np.exp([4.0, 1.0]) * [5.0, 2.0])
    assert expected.tolist() == (np.exp([1.0, 2.0]) * [2.0, 3.0]).tolist()


def test_the_value_of_a_result_cannot_be_corrupted():
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    for corrupt in (lambda y: y.data.__setitem__(0, 9.0), lambda y: y.detach().__imul__(2.0),
                    lambda y: y.detach().__setitem__(0, 9.0), lambda y: y.detach().numpy().fill(0.0),
                    lambda y: np.asarray(y.detach()).fill(0.0), lambda y: y.data.copy().fill(0.0),
                    lambda y: np.array(y.data).fill(0.0), lambda y: y.detach().fill(3.0)):
        y = np.exp(x)
        corrupt(y)
        assert ta.gradients(y.sum(), x)[0].tolist() == np.exp([1.0, 2.0]).tolist()
    y = np.exp(x)
    for refused in (lambda: y.data[:1].__setitem__(0, 9.0), lambda: y.data.fill(0.0), lambda: y.data.sort(),
                    lambda: np.add(1.0, 1.0, out=y.data), lambda: y.data.T.__setitem__(0, 1.0),
                    lambda: np.asarray(y.data).__setitem__(0, 9.0),
                    lambda: np.array(y.detach(), copy=False).__setitem__(0, 9.0)):
        with pytest.raises(ValueError, match="read-only"):
            refused()


def test_data_computes_like_an_ordinary_array():
    x = ta.tensor([[1.0, 2.0], [3.0, 4.0]])
    data = x.data
    assert isinstance(data, np.ndarray) and repr(data) == repr(np.array([[1.0, 2.0], [3.0, 4.0]]))
    for result in (data * 2, -data, data + data, np.sin(data), data.sum(0), data @ data, np.where(data > 1, data, 0),
                   data.copy(), pickle.loads(pickle.dumps(data))):
        assert type(result) is np.ndarray and result.flags.writeable
    assert type(data.sum()) is type(data[0, 0]) is np.float64
    assert np.shares_memory(data, x.data)
    assert type(ta.tensor(3.0).data) is np.float64


def test_gradients_share_memory_with_nothing():
    a, b = numbers(5), numbers(5, 1)

    def f(x, y, z):
        return np.sum(x + y + z.reshape(5) + np.concatenate([x, y])[2:7])

    arrays = [a, b, a]
    gradients = list(ta.grad(f, (0, 1, 2))(*arrays))
    _, pull = ta.vjp(lambda x, y: (x + y, x, x.reshape(1, 5)), a, b)
    cotangents = (numbers(5, 2), numbers(5, 3), numbers((1, 5), 4))
    pulled = [part for _ in range(2) for part in pull(cotangents)]
    leaves = [ta.tensor(array, requires_grad=True) for array in arrays]
    f(*leaves).backward()
    everything = [*arrays[:2], *gradients, *pulled, *cotangents, *(leaf.data for leaf in leaves),
                  *(leaf.grad.data for leaf in leaves)]
    for first, second in itertools.combinations(everything, 2):
        assert not np.shares_memory(first, second)
    assert all(array.flags.writeable for array in [*gradients, *pulled])


# ---------------------------------------------------------------------- copies


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_leaves_and_values_keep_everything(duplicate):
    for dtype, requires_grad in itertools.product([np.float32, np.float64, np.complex128], [True, False]):
        x = ta.tensor([1, 2], dtype=dtype, requires_grad=requires_grad)
        x.grad = ta.tensor([3, 4], dtype=dtype)
        y = duplicate(x)
        assert (y.dtype, y.requires_grad, y.is_leaf) == (dtype, requires_grad, True)
        assert (y.tolist(), y.grad.tolist()) == ([1, 2], [3, 4])
        assert not np.shares_memory(x.data, y.data)
    assert duplicate(ta.tensor(2.0)).item() == 2.0


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_history_is_left_behind_with_a_warning(duplicate):
    x = ta.tensor(2.0, requires_grad=True)
    with pytest.warns(UserWarning, match="leaves its history behind: this result of <MultiplyBackward>"):
        y = duplicate({"y": x * x})["y"]
    assert (y.item(), y.requires_grad, y.grad) == (4.0, False, None)


def cube(x):
    """x³"""
    return x**3


class Model:
    """Something with a method to differentiate."""

    def __init__(self, power):
        self.power = power

    def value(self, x):
        return x**self.power

    slope = ta.grad(value, 1)


def with_another_gradient(x):
    return x**3, lambda gradient: 7.0 * gradient


class Cubed(ta.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, gradient):
        return 3.0 * ctx.saved_tensors[0] ** 2 * gradient


@ta.custom_gradient
def decorated(x):
    return x**3, lambda gradient: 7.0 * gradient


@ta.checkpoint
def layer(x):
    return x**3


@ta.grad
def slope_of_a_cube(x):
    return x**3


@pytest.mark.parametrize(("function", "slope"), [
    (decorated, 7.0), (layer, 12.0), (slope_of_a_cube, 12.0),
    (ta.checkpoint(cube), 12.0), (ta.custom_gradient(with_another_gradient), 7.0), (Cubed.apply, 12.0),
    (ta.checkpoint(Cubed.apply), 12.0), (rolled, None), (ta.sin, None)])
def test_functions_with_a_derivative_of_their_own_are_pickled(function, slope):
    loaded = pickle.loads(pickle.dumps(function))
    if slope is None:
        assert loaded is function
    else:
        assert pickle.loads(pickle.dumps(ta.grad(function)))(2.0) == ta.grad(loaded)(2.0) == slope


def test_transformed_functions_are_pickled_with_what_they_transform():
    for transform in (ta.grad, ta.value_and_grad, ta.jacobian, ta.hessian, lambda f: ta.grad(ta.grad(f))):
        original = transform(cube)
        loaded = pickle.loads(pickle.dumps(original))
        assert loaded(2.0) == original(2.0)
        assert (loaded.__name__, loaded.__doc__) == ("cube", "x³")
    assert pickle.loads(pickle.dumps(ta.grad(Model(4).value)))(1.0) == 4.0
    assert Model(4).slope(2.0) == 32.0
    assert copy.deepcopy(ta.grad(cube))(2.0) == 12.0
    assert repr(ta.grad(cube)) == "<gradient of cube>"
