"""Random programs that write: into arrays, through views of views, onto what they read, in any order in memory.

The reference is NumPy itself. The same program runs on complex arrays x + i h v with a tiny h, whose imaginary part is
the derivative to the last digit, whatever is written where.
"""

from __future__ import annotations

import numpy as np
from hypothesis import event, given
from hypothesis import strategies as st

import tapead as ta

POINT = np.round(np.random.default_rng(7).random((4, 3)) * 0.8 + 0.3, 3)
DIRECTION = np.round(np.random.default_rng(8).standard_normal((4, 3)), 3)

# Each takes an array or view `y`, another one `z`, a number `c` that is differentiated in, and a generator.


def rows(y, generator, count=3):
    return generator.integers(0, y.shape[0], count)


def chosen(y, generator):
    return generator.random(y.shape) > 0.5


def matching(function):
    """Only where both arrays have one shape."""
    return lambda y, z, c, g: function(y, z) if y.shape == z.shape else None


def square(function):
    """Only where there are two axes."""
    return lambda y, z, c, g: function(y, c) if y.ndim == 2 else None


def multiply_rows(y, z, c, g):
    for row in y:
        if row.ndim:
            row *= 1.5


def in_place(name):
    return lambda y, z, c, g: getattr(y, f"__{name}__")(c)


WRITES = {
    "y[i, j] = c": lambda y, z, c, g: y.__setitem__(tuple(map(int, g.integers(0, y.shape))), np.sin(c)),
    "y[i] = c": lambda y, z, c, g: y.__setitem__(int(rows(y, g)[0]), c),
    "y[a:] *= c": lambda y, z, c, g: in_place("imul")(y[int(g.integers(-3, 3)):], z, c, g),
    "y[::-1] += c": lambda y, z, c, g: in_place("iadd")(y[::-1], z, c, g),
    "y[::2] -= c": lambda y, z, c, g: in_place("isub")(y[::2], z, c, g),
    "y[mask] = c": lambda y, z, c, g: y.__setitem__(chosen(y, g), c),
    "y[mask] = y[mask] * 2": lambda y, z, c, g: (lambda m: y.__setitem__(m, y[m] * 2.0))(chosen(y, g)),
    "y[rows] = c": lambda y, z, c, g: y.__setitem__(rows(y, g), c),
    "y[rows] = y[rows] + c": lambda y, z, c, g: (lambda i: y.__setitem__(i, y[i] + c))(rows(y, g)),
    "y[[0, -1]] = y[[-1, 0]]": lambda y, z, c, g: y.__setitem__([0, -1], y[[-1, 0]]),
    "y[..., k] -= cos(y[..., k]) c": lambda y, z, c, g: (lambda k: y.__setitem__(k, y[k] - np.cos(y[k]) * c))(
        (..., int(g.integers(y.shape[-1])))),
    "add.at": lambda y, z, c, g: np.add.at(y, rows(y, g, 4), c),
    "subtract.at": lambda y, z, c, g: np.subtract.at(y, rows(y, g, 4), c),
    "y += c": in_place("iadd"), "y *= c": in_place("imul"), "y -= c": in_place("isub"), "y /= c": in_place("itruediv"),
    "y *= y": lambda y, z, c, g: in_place("imul")(y, z, y, g), "y **= 2": lambda y, z, c, g: y.__ipow__(2),
    "sin(out=y)": lambda y, z, c, g: np.sin(y, out=y), "tanh(y, y)": lambda y, z, c, g: np.tanh(y, y),
    "multiply(y, c, out=y)": lambda y, z, c, g: np.multiply(y, c, out=y),
    "add(where=, out=y)": lambda y, z, c, g: np.add(y, c, out=y, where=chosen(y, g)),
    "cumsum(out=y)": lambda y, z, c, g: np.cumsum(y, axis=0, out=y),
    "copyto": lambda y, z, c, g: np.copyto(y, c),
    "copyto(where=)": lambda y, z, c, g: np.copyto(y, np.sin(y) * c, where=chosen(y, g)),
    "fill": lambda y, z, c, g: y.fill(c), "sort": lambda y, z, c, g: y.sort(axis=0),
    "put": lambda y, z, c, g: np.put(y, g.integers(0, y.size, 3), c),
    "place": lambda y, z, c, g: np.place(y, chosen(y, g), np.reshape(c, (1,))),
    "putmask": lambda y, z, c, g: np.putmask(y, chosen(y, g), np.reshape(c, (1,))),
    "put_along_axis": lambda y, z, c, g: np.put_along_axis(y, g.integers(0, y.shape[0], (1, *y.shape[1:])), c, 0),
    "fill_diagonal": square(lambda y, c: np.fill_diagonal(y, c)),
    "y[1:] += y[:-1]": lambda y, z, c, g: in_place("iadd")(y[1:], z, y[:-1], g),
    "y[1:] = y[:-1]": lambda y, z, c, g: y.__setitem__(slice(1, None), y[:-1]),
    "y[:] = y[::-1]": lambda y, z, c, g: y.__setitem__(slice(None), y[::-1]),
    "y[...] = z": matching(lambda y, z: y.__setitem__(..., z)), "y += z": matching(lambda y, z: y.__iadd__(z)),
    "add(y, z, out=z)": matching(lambda y, z: np.add(y, z, out=z)), "rows": multiply_rows,
}
READS = {
    "y[1:]": lambda y, c: y[1:] if y.shape[0] > 2 else y, "y.T": lambda y, c: y.T, "y[::-1]": lambda y, c: y[::-1],
    "y[:, k]": lambda y, c: y[:, 1] if y.ndim == 2 and min(y.shape) > 1 else y, "y[None, 0]": lambda y, c: y[None, 0],
    "ravel": lambda y, c: y.ravel(), "ravel(K)": lambda y, c: np.ravel(y, order="K"), "x.copy()": lambda y, c: y.copy(),
    "reshape": lambda y, c: y.reshape(-1), "swapaxes": lambda y, c: np.swapaxes(y, 0, -1),
    "split": lambda y, c: np.array_split(y, 2)[0], "squeeze": lambda y, c: np.squeeze(y[None, None])[None][0],
    "moveaxis": lambda y, c: np.moveaxis(y, 0, -1), "copy(F)": lambda y, c: np.copy(y, order="F"),
    "sin(y) c": lambda y, c: np.sin(y) * c, "atleast_3d": lambda y, c: np.atleast_3d(y)[..., 0],
    "astype": lambda y, c: y.astype(y.dtype, copy=False), "expand_dims": lambda y, c: np.expand_dims(y, 0)[0],
}
STEPS = st.lists(st.tuples(st.sampled_from([*WRITES, *READS, *READS]), st.integers(0, 2**16), st.booleans()),
                 min_size=2, max_size=12)


def run(steps, x):
    """A number that depends on everything that a program leaves behind, and on what it looked at on the way."""
    arrays = [x * 1.0]
    total = np.sum(x * 0.1)
    for name, seed, looked_at in steps:
        generator = np.random.default_rng(seed)
        y, z = (arrays[place] for place in generator.integers(0, len(arrays), 2))
        c = x[int(generator.integers(4)), int(generator.integers(3))]
        if name in READS:
            arrays.append(READS[name](y, c))
        else:
            WRITES[name](y, z, c, generator)
        if looked_at:
            total = total + np.sum(np.sin(arrays[-1])) * 0.3
    weights = np.random.default_rng(0)
    return total + sum((np.sum(np.cos(y) * weights.random(y.shape)) for y in arrays), 0.0)


@given(STEPS)
def test_programs_that_write(steps):
    with np.errstate(all="ignore"):
        expected = run(steps, POINT)
        slope = run(steps, POINT + 1e-30j * DIRECTION).imag / 1e-30

    def f(x):
        return run(steps, x)

    event(f"{sum(name in WRITES for name, *_ in steps)} writes")
    if not np.isfinite(expected + slope) or max(abs(expected), abs(slope)) > 1e6:
        return
    value, gradient = ta.value_and_grad(f)(POINT)
    same, tangent = ta.jvp(f, (POINT,), (DIRECTION,))
    np.testing.assert_allclose([value, same], expected, rtol=1e-10)
    np.testing.assert_allclose([np.sum(gradient * DIRECTION), tangent], slope, rtol=1e-7, atol=1e-9)
    forward = ta.hvp(f, POINT, DIRECTION)
    reverse = ta.grad(lambda x: np.sum(ta.grad(f)(x) * DIRECTION))(POINT)
    np.testing.assert_allclose(forward, reverse, rtol=1e-7, atol=1e-7 * (1 + np.max(np.abs(forward))))
