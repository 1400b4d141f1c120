"""A network of 152 layers that learns because what every two of them compute is added to what came before.

Without this the same 152 layers pass nothing on: from the usual initial weights, hardly anything of the input arrives
at the end, no weight matters, and all gradients are smaller by dozens of orders of magnitude.

Run: python examples/residual_network.py [losses.png]
"""

from __future__ import annotations

import sys

import numpy as np

import tapead as ta

LAYERS = 152
WIDTH = 16
STEPS = 20


def data():
    """Points and a smooth function of them."""
    points = np.random.default_rng(1).normal(size=(64, WIDTH))
    return points, np.sin(points[:, 0] + points[:, 1])


def parameters():
    """Two weight matrices for each residual branch, and the weights of the output."""
    generator = np.random.default_rng(2)
    shape = (LAYERS // 2, WIDTH, WIDTH)
    first, second = generator.uniform(-1, 1, size=(2, *shape)) / np.sqrt(WIDTH)
    return [ta.tensor(value, requires_grad=True) for value in (*first, *second, generator.normal(size=WIDTH))]


def network(weights, x, residual):
    *layers, output = weights
    half = len(layers) // 2
    for first, second in zip(layers[:half], layers[half:], strict=True):
        branch = np.tanh(x @ first) @ second
        x = x + branch / np.sqrt(half) if residual else branch
    return x @ output


def loss(weights, residual=True):
    points, values = data()
    return np.mean((network(weights, points, residual) - values) ** 2)


def first_gradient(residual):
    """How large the gradient of the first layer is."""
    weights = parameters()
    loss(weights, residual).backward()
    return np.linalg.norm(weights[0].grad.data)


def train(residual):
    """The losses of all steps."""
    weights = parameters()
    optimizer = ta.optim.Adam(weights, lr=0.01)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        value = loss(weights, residual)
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return losses


def main(plot=None):
    curves = {}
    for residual in (False, True):
        name = f"{'with' if residual else 'without'} residual branches"
        losses = curves[name] = train(residual)
        print(f"{LAYERS} layers {name:25}: gradient of the first {first_gradient(residual):.0e}, "
              f"loss {losses[0]:.3f} -> {losses[-1]:.3f} in {STEPS} steps")
    if plot is not None:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        for name, losses in curves.items():
            pyplot.semilogy(range(1, STEPS + 1), losses, label=name)
        pyplot.legend()
        pyplot.xticks(range(1, STEPS + 1, 3))
        pyplot.xlabel("step")
        pyplot.ylabel("loss")
        pyplot.savefig(plot)


if __name__ == "__main__":
    main(*sys.argv[1:2])
