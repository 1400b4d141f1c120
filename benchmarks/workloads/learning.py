"""Learning: logistic regression, a wide and a deep network, and rows gathered from a table."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy

from ..contenders import gradients
from ..harness import Workload

# ---------------------------------------------------------------------- logistic regression


def logistic(np: Any, weights: Any, features: Any, signs: Any) -> Any:
    """The mean of log(1 + exp(-s wᵀx))"""
    return np.mean(np.logaddexp(0.0, -signs * (features @ weights)))


def logistic_in_torch(torch: Any, weights: Any, features: Any, signs: Any) -> Any:
    """With PyTorch's own function for it."""
    return -torch.mean(torch.nn.functional.logsigmoid(signs * (features @ weights)))


def logistic_by_hand(weights: Any, features: Any, signs: Any) -> Any:
    """One exponential for both, of a number that is never positive."""
    margins = signs * (features @ weights)
    small = numpy.exp(-numpy.abs(margins))
    value = numpy.mean(numpy.log1p(small) - numpy.minimum(margins, 0.0))
    wrong = numpy.where(margins > 0, small, 1.0) / (1.0 + small)
    return value, features.T @ (wrong * signs * (-1.0 / signs.size))


def examples(n: int, width: int) -> tuple[Any, ...]:
    """Weights, features and signs."""
    generator = numpy.random.default_rng(5)
    features = generator.normal(size=(n, width))
    signs = numpy.where(features @ generator.normal(size=width) + generator.normal(size=n) > 0, 1.0, -1.0)
    return 0.1 * generator.normal(size=width), features, signs


# ---------------------------------------------------------------------- a wide network


def perceptron(np: Any, layers: Any, images: Any, labels: Any) -> Any:
    """The mean cross-entropy of a network of rectified linear layers."""
    hidden = images
    for weights, bias in layers[:-1]:
        hidden = np.maximum(hidden @ weights + bias, 0.0)
    weights, bias = layers[-1]
    scores = hidden @ weights + bias
    scores = scores - np.max(scores, axis=1, keepdims=True)
    chosen = scores[np.arange(labels.shape[0]), labels]
    return np.mean(np.log(np.sum(np.exp(scores), axis=1)) - chosen)


def perceptron_in_torch(torch: Any, layers: Any, images: Any, labels: Any) -> Any:
    """With PyTorch's own functions."""
    hidden = images
    for weights, bias in layers[:-1]:
        hidden = torch.relu(torch.addmm(bias, hidden, weights))
    weights, bias = layers[-1]
    return torch.nn.functional.cross_entropy(torch.addmm(bias, hidden, weights), labels)


def perceptron_by_hand(layers: Any, images: Any, labels: Any) -> Any:
    """Back-propagation."""
    activations = [images]
    for weights, bias in layers[:-1]:
        activations.append(numpy.maximum(activations[-1] @ weights + bias, 0.0))
    weights, bias = layers[-1]
    scores = activations[-1] @ weights + bias
    scores -= numpy.max(scores, axis=1, keepdims=True)
    rows = numpy.arange(labels.size)
    chosen = scores[rows, labels]
    odds = numpy.exp(scores)
    totals = numpy.sum(odds, axis=1)
    value = numpy.mean(numpy.log(totals) - chosen)

    error = odds / totals[:, None]
    error[rows, labels] -= 1.0
    error /= labels.size
    gradient = []
    for number in reversed(range(len(layers))):
        gradient.append((activations[number].T @ error, numpy.sum(error, axis=0)))
        if number:
            error = (error @ layers[number][0].T) * (activations[number] > 0)
    return value, gradient[::-1]


def digits(widths: tuple[int, ...], batch: int) -> tuple[Any, ...]:
    """Weights and biases, images and labels."""
    generator = numpy.random.default_rng(6)
    layers = [(generator.normal(size=(before, after)) * (2 / before) ** 0.5, 0.01 * generator.normal(size=after))
              for before, after in itertools.pairwise(widths)]
    return layers, generator.uniform(size=(batch, widths[0])), generator.integers(0, widths[-1], batch)


# ---------------------------------------------------------------------- a deep network


def residual(np: Any, layers: Any, inputs: Any, targets: Any) -> Any:
    """The mean squared error of a network whose layers add to what they were given."""
    hidden = inputs
    for weights, bias in layers:
        hidden = hidden + np.tanh(hidden @ weights + bias)
    return np.mean((hidden - targets) ** 2)


def residual_by_hand(layers: Any, inputs: Any, targets: Any) -> Any:
    """Back-propagation."""
    hidden, kept = inputs, []
    for weights, bias in layers:
        added = numpy.tanh(hidden @ weights + bias)
        kept.append((hidden, added))
        hidden = hidden + added
    error = hidden - targets
    value = numpy.mean(error * error)

    error *= 2.0 / error.size
    gradient = []
    for (weights, _), (hidden, added) in zip(reversed(layers), reversed(kept), strict=True):
        inner = error * (1.0 - added * added)
        gradient.append((hidden.T @ inner, numpy.sum(inner, axis=0)))
        error = error + inner @ weights.T
    return value, gradient[::-1]


def signals(depth: int, width: int, batch: int) -> tuple[Any, ...]:
    """Weights and biases, inputs and targets."""
    generator = numpy.random.default_rng(7)
    layers = [(generator.normal(size=(width, width)) * 0.3 / width**0.5, 0.01 * generator.normal(size=width))
              for _ in range(depth)]
    return layers, generator.normal(size=(batch, width)), generator.normal(size=(batch, width))


# ---------------------------------------------------------------------- rows of a table


def gathered(np: Any, table: Any, rows: Any) -> Any:
    """The sum of squares of rows that may repeat."""
    return np.sum(table[rows] ** 2)


def gathered_by_hand(table: Any, rows: Any) -> Any:
    """Adding up where rows repeat is a weighted count of places.

    (Counting rows and scaling the table would do for this very function, but then nothing would be gathered.)
    """
    height, width = table.shape
    read = table[rows]
    places = (rows[:, None] * width + numpy.arange(width)).reshape(-1)
    added = numpy.bincount(places, weights=read.reshape(-1), minlength=height * width)
    return numpy.sum(read * read), 2.0 * added.reshape(height, width)


def embedding() -> tuple[Any, ...]:
    """The table, and which rows are read."""
    generator = numpy.random.default_rng(8)
    return generator.normal(size=(1_000, 64)), generator.integers(0, 1_000, 10_000)


WORKLOADS = [
    Workload("logistic regression", "10,000 × 100",
             gradients(logistic, functools.partial(examples, 10_000, 100), logistic_by_hand,
                       torch_function=logistic_in_torch), quick=True),
    Workload("perceptron", "784-512-512-10, batch 256",
             gradients(perceptron, functools.partial(digits, (784, 512, 512, 10), 256), perceptron_by_hand,
                       torch_function=perceptron_in_torch), large=True),
    Workload("residual network", "152 layers × 64, batch 32",
             gradients(residual, functools.partial(signals, 152, 64, 32), residual_by_hand), large=True),
    Workload("gather", "10,000 of 1,000 × 64", gradients(gathered, embedding, gathered_by_hand), quick=True),
]
