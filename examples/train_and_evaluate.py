"""Dropout and batch normalisation differ between training and evaluation. That has nothing to do with no_grad.

The mode of a network says what it computes: in training, dropout drops and normalisation uses the statistics of the
batch; in evaluation, nothing is dropped and the statistics gathered in training are used. ``no_grad`` says whether the
computation is recorded. All four combinations make sense: gradients of an evaluated network tell which inputs matter,
and a network in training mode without recording estimates its own uncertainty.

Run: python examples/train_and_evaluate.py
"""

from __future__ import annotations

import numpy as np

import tapead as ta


class Dropout:
    """Set a share of the values to zero, and enlarge the others so that the mean stays."""

    def __init__(self, share, generator):
        self.share, self.generator = share, generator

    def __call__(self, x, training):
        if not training:
            return x
        keep = self.generator.random(x.shape) >= self.share
        return x * keep / (1 - self.share)


class BatchNorm:
    """Subtract the mean and divide by the standard deviation: of the batch in training, else of past batches."""

    def __init__(self, width):
        self.scale = ta.tensor(np.ones(width), requires_grad=True)
        self.shift = ta.tensor(np.zeros(width), requires_grad=True)
        self.mean, self.variance = np.zeros(width), np.ones(width)

    def __call__(self, x, training):
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = x.mean(axis=0), x.var(axis=0)
            # Statistics are remembered as plain arrays: they must not drag the graphs of past batches along.
            self.mean = 0.9 * self.mean + 0.1 * mean.detach().numpy()
            self.variance = 0.9 * self.variance + 0.1 * variance.detach().numpy()
        return (x - mean) / np.sqrt(variance + 1e-5) * self.scale + self.shift


class Network:
    def __init__(self, generator):
        self.first = ta.tensor(generator.normal(size=(4, 32)) / 2, requires_grad=True)
        self.second = ta.tensor(generator.normal(size=32) / 6, requires_grad=True)
        self.norm, self.dropout = BatchNorm(32), Dropout(0.2, generator)
        self.training = True

    def parameters(self):
        return [self.first, self.second, self.norm.scale, self.norm.shift]

    def __call__(self, x):
        hidden = np.maximum(self.norm(x @ self.first, self.training), 0.0)
        return self.dropout(hidden, self.training) @ self.second


def trained():
    """A network that has learned the product of its first two inputs, out of four."""
    generator = np.random.default_rng(4)
    network = Network(generator)
    optimizer = ta.optim.AdamW(network.parameters(), lr=0.02)
    for _ in range(300):
        x = generator.normal(size=(64, 4))
        optimizer.zero_grad()
        np.mean((network(x) - x[:, 0] * x[:, 1]) ** 2).backward()
        optimizer.step()
    return network


def main():
    network = trained()
    x = np.array([[1.0, 1.0, 0.0, 0.0]])

    network.training = False
    with ta.no_grad():
        print(f"evaluation, not recorded: {network(x).item():.3f}, and again {network(x).item():.3f} (exact: 1)")

    batch = np.random.default_rng(5).normal(size=(64, 4))
    batch[0] = x[0]
    network.training = True
    with ta.no_grad():
        answers = [network(batch)[0].item() for _ in range(50)]
    print(f"training, not recorded:   {np.mean(answers):.3f} ± {np.std(answers):.3f}, the spread shows how sure it is")

    network.training = False
    inputs = ta.tensor(x, requires_grad=True)
    network(inputs).sum().backward()
    print(f"evaluation, recorded:     gradient in the inputs {np.round(inputs.grad.data[0], 1).tolist()} "
          "(exact: [1, 1, 0, 0])")


if __name__ == "__main__":
    main()
