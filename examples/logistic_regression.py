"""Logistic regression by plain gradient descent, and what happens when gradients are not set to zero between steps.

``backward`` adds to ``.grad``. Without ``zero_grad`` every step follows the sum of all gradients so far: it gathers
speed like a ball without friction, shoots past the minimum and swings around it.

Run: python examples/logistic_regression.py [losses.png]
"""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np

import tapead as ta

STEPS = 60


def data():
    """Two clouds of points and their labels, 0 and 1."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0.0, 1.0], 100)
    points = generator.normal(size=(200, 2)) + np.outer(labels, [2.0, 1.0])
    return points, labels


def loss(weights, bias, points, labels):
    """Mean cross entropy; log(1 + exp(z)) is logaddexp(0, z), which cannot overflow."""
    scores = points @ weights + bias
    return np.mean(np.logaddexp(0.0, scores) - labels * scores)


def train(zeroing):
    """The losses of all steps, and the share of points that end up on the right side."""
    points, labels = data()
    weights, bias = ta.tensor([0.0, 0.0], requires_grad=True), ta.tensor(0.0, requires_grad=True)
    optimizer = ta.optim.SGD([weights, bias], lr=0.5)
    losses = []
    for _ in range(STEPS):
        if zeroing:
            optimizer.zero_grad()
        value = loss(weights, bias, points, labels)
        value.backward()
        optimizer.step()
        losses.append(value.item())
    right = (points @ weights.data + bias.data > 0) == (labels == 1)
    return losses, np.mean(right)


def main(plot=None):
    curves = {}
    for zeroing in (True, False):
        losses, accuracy = train(zeroing)
        ups = sum(after > before for before, after in pairwise(losses))
        name = "zeroed" if zeroing else "not zeroed"
        print(f"gradients {name:10}: loss {losses[0]:.3f} -> {losses[-1]:.3f}, it rose in {ups:2} of {STEPS} steps, "
              f"{accuracy:.0%} right")
        curves[name] = losses
    if plot is not None:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        for name, losses in curves.items():
            pyplot.plot(losses, label=f"gradients {name}")
        pyplot.xlabel("step")
        pyplot.ylabel("loss")
        pyplot.legend()
        pyplot.savefig(plot)


if __name__ == "__main__":
    main(*sys.argv[1:2])
