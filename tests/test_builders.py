"""r_, c_ and vectorize on tensors: NumPy's values, and derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from agreement import check, draw

import tapead as ta

X, Y = draw(3, 2), draw(3, seed=1)

ROWS = {
    "one": lambda build, x, y: build[x],
    "two": lambda build, x, y: build[x, x],
    "a constant between": lambda build, x, y: build[x, np.ones((3, 2)), x],
    "a number and a slice": lambda build, x, y: build[y, 0.5, 1:4],
    "points": lambda build, x, y: build[0:1:3j, y],
    "an axis": lambda build, x, y: build["1", x, x],
    "an axis, and at least two": lambda build, x, y: build["-1,2,0", y, y],
    "a row": lambda build, x, y: np.asarray(build["r", y]) if isinstance(y, np.ndarray) else build["r", y],
}


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("name", ROWS)
def test_r_(name):
    def built(x, y):
        return ROWS[name](np.r_ if isinstance(x, np.ndarray) else ta.r_, x, y) + 0 * np.sum(x) * np.sum(y)

    check(built, X, Y)


@pytest.mark.parametrize("columns", [lambda c, x, y: c[x, y], lambda c, x, y: c[y, x, y, np.ones(3)],
                                     lambda c, x, y: c[y]])
def test_c_(columns):
    check(lambda x, y: columns(np.c_ if isinstance(x, np.ndarray) else ta.c_, x, y) + 0 * np.sum(x), X, Y)


def test_without_tensors_they_are_numpys():
    np.testing.assert_array_equal(ta.r_[1:3, 0, [5, 6]], np.r_[1:3, 0, [5, 6]])
    np.testing.assert_array_equal(ta.c_[[1, 2], [3, 4]], np.c_[[1, 2], [3, 4]])
    np.testing.assert_array_equal(ta.vectorize(lambda x, y: x + y)([1, 2], 3), [4, 5])


def either(function, **options):
    """The same with NumPy's own on arrays, so that values are compared too."""
    numpys, ours = np.vectorize(function, **options), ta.vectorize(function, **options)
    return lambda *args, **kwargs: (ours if any(isinstance(arg, ta.Tensor) for arg in (*args, *kwargs.values()))
                                    else numpys)(*args, **kwargs)


def test_vectorize():
    check(either(lambda x: x * x if x > 0 else -x), X)
    check(either(lambda x, y: np.sin(x) * y), X, draw(2, seed=3))
    check(lambda x, y: either(lambda x, y: x * y**2)(x, y=y), X, draw(3, 1, seed=3))
    check(either(lambda x, p: np.polyval(p, x), excluded={1}), X, Y)
    check(lambda x, p: either(lambda x, p: np.polyval(p, x), excluded=["p"])(x, p=p), X, Y)
    check(either(lambda x, y: np.dot(x, y), signature="(n),(n)->()"), draw(2, 3), Y)
    check(either(lambda x: np.cumsum(x), signature="(n)->(m)", otypes=[float]), X)
    check(lambda x: sum(either(lambda x: (x, x * x))(x)), X)
    check(either(lambda x: np.round(x) + x, otypes="D"), X)


def test_vectorize_complains_as_numpy_does():
    x = ta.tensor(X, requires_grad=True)
    with pytest.raises(TypeError, match="wrong number of positional arguments"):
        ta.vectorize(np.dot, signature="(n),(n)->()")(x)
    with pytest.raises(ValueError, match="size 0"):
        ta.vectorize(np.sin)(ta.tensor(np.zeros((0, 2))))
    assert ta.vectorize(np.sin, doc="As it says.").__doc__ == "As it says."
