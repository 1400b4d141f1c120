"""Automatic differentiation written as simply as it can be: every value carries its full Jacobian in every leaf."""

from __future__ import annotations

from typing import Any

import numpy as np


class Leaf:
    """An input, with the gradient that should have accumulated in it."""

    def __init__(self, value: Any) -> None:
        self.node = Node(value, {self: np.eye(np.size(value)).reshape(np.shape(value) * 2)}, ())
        self.gradient: Any = None


class Node:
    """A value, its Jacobian in each leaf (shape: value's + leaf's), and the nodes it was computed from."""

    def __init__(self, value: Any, jacobians: dict[Leaf, Any], parents: tuple[Node, ...]) -> None:
        self.value = np.asarray(value)
        self.jacobians = jacobians
        self.parents = parents
        self.freed = False

    def operations(self) -> set[Node]:
        """This node and what it was computed from, as far as it was recorded."""
        own = {self} if self.parents else set()
        return own.union(*(parent.operations() for parent in self.parents))


def linear(node: Node, value: Any, function: Any) -> Node:
    """A node whose value depends on another's by `function`, which is linear and acts on leading axes."""
    if not node.jacobians:
        return Node(value, {}, ())
    jacobians = {}
    for leaf, jacobian in node.jacobians.items():
        shape = leaf.node.value.shape
        columns = [function(jacobian[(..., *place)]) for place in np.ndindex(shape)]
        jacobians[leaf] = np.stack(columns, axis=-1).reshape(np.shape(value) + shape)
    return Node(value, jacobians, (node,))


def unary(node: Node, value: Any, derivative: Any) -> Node:
    return linear(node, value, lambda tangent: derivative * tangent)


def binary(first: Node, second: Node, value: Any, by_first: Any, by_second: Any) -> Node:
    """A node of two parents; the partials are arrays that broadcast with the value."""
    parts = [linear(node, value, lambda t, partial=partial: np.broadcast_to(partial * t, np.shape(value)))
             for node, partial in [(first, by_first), (second, by_second)]]
    jacobians = dict(parts[0].jacobians)
    for leaf, jacobian in parts[1].jacobians.items():
        jacobians[leaf] = jacobians[leaf] + jacobian if leaf in jacobians else jacobian
    return Node(value, jacobians, tuple(node for node in (first, second) if node.jacobians))


def backward(node: Node, cotangent: Any) -> None:
    """Add what the leaves receive."""
    for leaf, jacobian in node.jacobians.items():
        received = np.tensordot(cotangent, jacobian, np.ndim(cotangent))
        leaf.gradient = received if leaf.gradient is None else leaf.gradient + received
