"""Nested containers: taken apart, put together, matched by structure."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, namedtuple

import numpy as np
import pytest

import tapead as ta
from tapead.containers import flatten, flatten_like, map_structure

Point = namedtuple("Point", "x y")


class Layer(dict):
    pass


@pytest.mark.parametrize("container, leaves", [
    (1.0, [1.0]), (None, [None]), ("text", ["text"]), ((), []), ([], []), ({}, []),
    ((1, [2, (3,)], {"b": 4, "a": [5]}), [1, 2, 3, 4, 5]), (Point(1, (2, 3)), [1, 2, 3]),
    (OrderedDict(b=1, a=2), [1, 2]), (defaultdict(list, b=1, a=2), [1, 2]), (Layer(w=1), [1])])
def test_flatten_and_back(container, leaves):
    found, rebuild = flatten(container)
    assert found == leaves
    again = rebuild([10] * len(leaves))
    assert flatten(again)[0] == [10] * len(leaves)
    same = rebuild(iter(found))
    assert same == container
    assert type(same) is type(container)
    if isinstance(container, (list, dict)):
        assert same is not container


def test_what_a_subclass_of_dict_knows_is_kept():
    again = map_structure(lambda x: x + 1, defaultdict(lambda: 7, a=1))
    assert again == {"a": 2}
    assert again["missing"] == 7


def test_an_array_is_a_leaf():
    array = np.ones((2, 2))
    assert flatten([array])[0][0] is array


def test_flatten_like_matches_dicts_by_key():
    assert flatten_like({"b": 2, "a": (1, [3])}, {"a": (0, [0]), "b": 0}) == [1, 3, 2]
    assert flatten_like([1, (2, 3)], (0, 0)) == [1, (2, 3)]


@pytest.mark.parametrize("container, pattern, message", [
    ({"a": 1}, {"b": 1}, r"expected a dict with the keys \['b'\], got a dict with the keys \['a'\]"),
    ({"a": 1, "b": 2}, {"b": 1}, "got a dict with the keys"),
    (1.0, (1.0,), "expected a tuple of 1, got a single float"),
    ((1.0, 2.0), [1.0], "expected a list of 1, got a tuple of 2"),
    ([1.0], {"a": 1.0}, "got a list of 1")])
def test_flatten_like_refuses_another_structure(container, pattern, message):
    with pytest.raises(ValueError, match=message):
        flatten_like(container, pattern)


# ---------------------------------------------------------------------- in transforms


def loss(parameters, x):
    return np.sum((parameters["w"] * x + parameters["b"][0]) ** 2) * parameters["b"][1].x


PARAMETERS = {"w": np.array([1.0, 2.0]), "b": [0.5, Point(2.0, 9.0)]}
X = np.array([1.0, -1.0])


def test_gradients_have_the_structure_of_their_argument():
    gradient = ta.grad(loss)(PARAMETERS, X)
    assert list(gradient) == ["w", "b"]
    np.testing.assert_allclose(gradient["w"], 4 * np.array([1.5, -1.5]) * X)
    assert gradient["b"] == [0.0, Point(4.5, 0.0)]
    assert type(gradient["b"][1]) is Point
    both = ta.grad(loss, (0, 1))(PARAMETERS, X)
    assert isinstance(both, tuple) and list(both[0]) == ["w", "b"] and both[1].shape == (2,)


def test_tangents_and_cotangents_are_matched_by_key():
    def f(d):
        return {"first": d["a"] * 10, "second": d["b"] + d["a"]}

    _, tangent = ta.jvp(f, ({"a": 1.0, "b": 2.0},), ({"b": 1.0, "a": 0.0},))
    assert tangent == {"first": 0.0, "second": 1.0}
    _, pull = ta.vjp(f, {"a": 1.0, "b": 2.0})
    assert pull({"second": 1.0, "first": 0.0}) == ({"a": 1.0, "b": 1.0},)


@pytest.mark.parametrize("wrong", [{"a": 1.0}, {"a": 1.0, "c": 1.0}, 1.0, (1.0, 1.0), [1.0, 1.0]])
def test_another_structure_raises(wrong):
    def f(d):
        return {"a": d["a"] * d["b"], "b": d["b"]}

    point = {"a": 1.0, "b": 2.0}
    with pytest.raises(ValueError, match="jvp: the tangents have another structure than the primals: expected a dict"):
        ta.jvp(f, (point,), (wrong,))
    with pytest.raises(ValueError, match="linearize: the tangents"):
        ta.linearize(f, point)[1](wrong)
    with pytest.raises(ValueError, match="vjp: the cotangents have another structure than the outputs"):
        ta.vjp(f, point)[1](wrong)


def test_jacobians_and_hessians_nest_structure_in_structure():
    def f(d):
        return [d["a"] * d["b"], d["b"]]

    d = {"a": np.array([1.0, 2.0]), "b": 3.0}
    for mode in ("fwd", "rev", "auto"):
        jacobian = ta.jacobian(f, mode=mode)(d)
        assert isinstance(jacobian, list) and list(jacobian[0]) == ["a", "b"]
        assert jacobian[0]["a"].tolist() == [[3.0, 0.0], [0.0, 3.0]]
        assert jacobian[0]["b"].tolist() == [1.0, 2.0]
        assert jacobian[1]["a"].tolist() == [0.0, 0.0]
        assert jacobian[1]["b"] == 1.0
    hessian = ta.hessian(lambda d: np.sum(d["a"] ** 2) * d["b"])(d)
    assert hessian["a"]["a"].tolist() == [[6.0, 0.0], [0.0, 6.0]]
    assert hessian["a"]["b"].tolist() == [2.0, 4.0]
    assert hessian["b"]["a"].tolist() == [2.0, 4.0]
    assert hessian["b"]["b"] == 0.0


def test_empty_containers():
    assert ta.grad(lambda p, x: x * 2.0, (0, 1))({}, 1.0) == ({}, 2.0)
    assert ta.grad(lambda p: 1.0)(()) == ()
    assert ta.vjp(lambda x: (), 1.0)[1](()) == (0.0,)
    assert ta.jvp(lambda: 3.0, (), ()) == (3.0, 0.0)


@pytest.mark.parametrize("leaf, name", [(None, "NoneType"), ("a", "str"), (True, "bool"), (object(), "object")])
def test_a_leaf_that_is_no_number_raises(leaf, name):
    with pytest.raises(TypeError, match=f"grad: .* argument of type {name}"):
        ta.grad(lambda p: p["a"])({"a": 1.0, "b": leaf})
