"""A state machine that grows tapes at random, beside the naive automatic differentiation of naive.py."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

import tapead as ta

SHAPES = [(), (2,), (2, 1), (1, 2), (2, 2)]
UNARY = {
    "sin": (np.sin, np.cos), "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "negative": (np.negative, lambda x: -1.0 + 0 * x),
    "square": (lambda x: np.tanh(x) ** 2, lambda x: 2 * np.tanh(x) * (1 - np.tanh(x) ** 2)),
    "abs": (np.abs, np.sign), "halved": (lambda x: x / 2, lambda x: 0.5 + 0 * x),
    "where": (lambda x: np.where(np.arange(2) > 0, x, 1.0), lambda x: np.where(np.arange(2) > 0, 1.0, 0.0)),
}
#: How many entries of the tape each takes; the others take one.
LENGTHS = {"square": 2}
BINARY = {
    "add": (lambda x, y: x + y, lambda x, y: 1.0, lambda x, y: 1.0),
    "subtract": (lambda x, y: x - y, lambda x, y: 1.0, lambda x, y: -1.0),
    "multiply": (lambda x, y: x * y, lambda x, y: y, lambda x, y: x),
    "maximum": (np.maximum, lambda x, y: (x > y) + 0.5 * (x == y), lambda x, y: (y > x) + 0.5 * (x == y)),
}
VALUES = st.integers(-12, 12).map(lambda tenths: tenths / 8)


class Pair:
    """A tensor and the naive node that stands beside it."""

    def __init__(self, tensor, node, leaf=None):
        self.tensor = tensor
        self.node = node
        self.leaf = leaf


class Tapes(RuleBasedStateMachine):
    pairs = Bundle("pairs")

    def __init__(self):
        super().__init__()
        self.alive: list[Pair] = []
        self.recording = True
        ta.set_grad_enabled(True)
        # What an earlier run left, in the traceback of its failure, was recorded before this.
        self.start_of_run = (-ta.tensor(0.0, requires_grad=True)).grad_fn.index

    def teardown(self):
        ta.set_grad_enabled(True)
        self.check_the_tape()
        for pair in self.alive:
            pair.tensor = None

    def keep(self, pair):
        self.alive.append(pair)
        return pair

    def grown(self, tensor, node):
        """A result: recorded beside, or a constant while recording is off."""
        if not self.recording:
            node = naive.Node(node.value, {}, ())
        if not isinstance(tensor, ta.Tensor):
            tensor = ta.tensor(tensor)
        return self.keep(Pair(tensor, node))

    # ------------------------------------------------------------------ growing

    @initialize(target=pairs, shape=st.sampled_from(SHAPES))
    def start(self, shape):
        return self.add_leaf(shape, [0.5, -1.0, 0.25, 1.5])

    @rule(target=pairs, shape=st.sampled_from(SHAPES), values=st.lists(VALUES, min_size=4, max_size=4))
    def leaf(self, shape, values):
        return self.add_leaf(shape, values)

    def add_leaf(self, shape, values):
        value = np.resize(values, shape)
        leaf = naive.Leaf(value)
        return self.keep(Pair(ta.tensor(value, requires_grad=True), leaf.node, leaf))

    @rule(target=pairs, shape=st.sampled_from(SHAPES), value=VALUES)
    def constant(self, shape, value):
        return self.keep(Pair(ta.tensor(np.full(shape, value)), naive.Node(np.full(shape, value), {}, ())))

    @rule(target=pairs, x=pairs, name=st.sampled_from(sorted(UNARY)))
    def unary(self, x, name):
        function, derivative = UNARY[name]
        value = function(x.node.value)
        node = naive.unary(x.node, value, derivative(x.node.value))
        if LENGTHS.get(name, 1) == 2 and node.parents:
            node.parents = (naive.Node(value, node.jacobians, (x.node,)),)
        return self.grown(function(x.tensor), node)

    @rule(target=pairs, x=pairs, y=pairs, name=st.sampled_from(sorted(BINARY)))
    def binary(self, x, y, name):
        function, by_x, by_y = BINARY[name]
        a, b = x.node.value, y.node.value
        node = naive.binary(x.node, y.node, function(a, b), by_x(a, b), by_y(a, b))
        return self.grown(function(x.tensor, y.tensor), node)

    @rule(target=pairs, x=pairs, axis=st.sampled_from([None, 0, -1]))
    def sum(self, x, axis):
        axis = axis if x.node.value.ndim else None
        return self.grown(np.sum(x.tensor, axis=axis), naive.linear(
            x.node, np.sum(x.node.value, axis=axis), lambda t: np.sum(t, axis=axis)))

    @rule(target=pairs, x=pairs, key=st.sampled_from([0, -1, slice(None, None, -1), [0, 0], None]))
    def read(self, x, key):
        key = key if x.node.value.ndim else None
        return self.grown(x.tensor[key], naive.linear(x.node, x.node.value[key], lambda t: t[key]))

    @rule(target=pairs, x=pairs)
    def transpose(self, x):
        return self.grown(x.tensor.T, naive.linear(x.node, x.node.value.T, lambda t: t.T))

    @rule(target=pairs, x=pairs)
    def detach(self, x):
        return self.keep(Pair(x.tensor.detach(), naive.Node(x.node.value, {}, ())))

    @rule(target=pairs, x=pairs, y=pairs)
    def without_recording(self, x, y):
        with ta.no_grad():
            result = x.tensor * y.tensor
        return self.keep(Pair(result, naive.Node(x.node.value * y.node.value, {}, ())))

    @rule(flag=st.booleans())
    def switch(self, flag):
        ta.set_grad_enabled(flag)
        self.recording = flag

    # ------------------------------------------------------------------ sweeping

    @rule(x=pairs, retain=st.booleans(), weight=st.sampled_from([1.0, -2.0, 0.0]))
    def backward(self, x, retain, weight):
        cotangent = np.full(x.node.value.shape, weight)
        if not x.node.jacobians:
            with pytest.raises(RuntimeError, match="does not require a gradient"):
                x.tensor.backward(cotangent)
        elif any(node.freed for node in x.node.operations()):
            with pytest.raises(RuntimeError, match="freed by backward"):
                x.tensor.backward(cotangent, retain_graph=True)
        else:
            x.tensor.backward(cotangent, retain_graph=retain)
            naive.backward(x.node, cotangent)
            for node in x.node.operations():
                node.freed = not retain

    @rule(x=pairs, inputs=st.lists(pairs, min_size=1, max_size=3))
    def gradients(self, x, inputs):
        operations = x.node.operations()
        inputs = [pair for pair in inputs if pair.leaf is not None]
        if not inputs or not x.node.jacobians or any(node.freed for node in operations):
            return
        found = ta.gradients(x.tensor, [pair.tensor for pair in inputs], np.ones(x.node.value.shape), retain_graph=True,
                             allow_unused=True)
        for pair, gradient in zip(inputs, found, strict=True):
            jacobian = x.node.jacobians.get(pair.leaf)
            if jacobian is None:
                assert gradient is None
            else:
                expected = np.sum(jacobian, axis=tuple(range(x.node.value.ndim)))
                np.testing.assert_allclose(gradient.data, expected, rtol=1e-10,
                                           atol=1e-10 * np.max(np.abs(jacobian), initial=1))

    @rule(x=pairs, way=st.sampled_from(["zero", "none"]))
    def zero(self, x, way):
        if x.leaf is None or x.tensor.grad is None:
            return
        if way == "none":
            x.tensor.grad = None
            x.leaf.gradient = None
        else:
            x.tensor.grad.zero_()
            x.leaf.gradient = np.zeros(x.node.value.shape)

    # ------------------------------------------------------------------ forgetting

    @rule(x=consumes(pairs))
    def drop(self, x):
        self.alive.remove(x)
        x.tensor = None  # the strategies may hold on to the pair
        self.check_the_tape()

    def check_the_tape(self):
        """Exactly what is needed is on the tape; looked at now and then, since finding it searches all objects."""
        needed = set().union(*(pair.node.operations() for pair in self.alive)) if self.alive else set()
        assert sum(entry.index > self.start_of_run for entry in ta.tape()) == len(needed)

    # ------------------------------------------------------------------ what always holds

    @invariant()
    def values_and_flags_agree(self):
        for pair in self.alive:
            assert pair.tensor.shape == pair.node.value.shape
            np.testing.assert_array_equal(pair.tensor.data, pair.node.value)
            assert pair.tensor.requires_grad == bool(pair.node.jacobians)
            assert pair.tensor.is_leaf == (not pair.node.parents)

    @invariant()
    def accumulated_gradients_agree(self):
        for pair in self.alive:
            if pair.leaf is None:
                continue
            if pair.leaf.gradient is None:
                assert pair.tensor.grad is None
            else:
                expected = pair.leaf.gradient
                assert pair.tensor.grad.shape == expected.shape
                np.testing.assert_allclose(pair.tensor.grad.data, expected, rtol=1e-9,
                                           atol=1e-9 * (1 + np.max(np.abs(expected), initial=0)))


TestTapes = Tapes.TestCase
TestTapes.settings = settings(max_examples=settings.default.max_examples // 3, stateful_step_count=40)
