"""One network of two layers, built twice: as in PyTorch, and as in TensorFlow with an operation of one's own.

Both learn the parity of two signs (XOR) from the same start and take the same steps.

Run: python examples/two_styles.py
"""

from __future__ import annotations

import numpy as np

import tapead as ta

STEPS = 400
RATE = 0.1
POINTS = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
PARITY = np.array([0.0, 1.0, 1.0, 0.0])


def start():
    """The weights and biases of both layers."""
    generator = np.random.default_rng(3)
    return {"w1": generator.normal(size=(2, 8)), "b1": np.zeros(8), "w2": generator.normal(size=8), "b2": np.zeros(())}


# ---------------------------------------------------------------------- as in PyTorch: modules that hold parameters


class Linear:
    def __init__(self, weight, bias):
        self.weight = ta.tensor(weight, requires_grad=True)
        self.bias = ta.tensor(bias, requires_grad=True)

    def __call__(self, x):
        return x @ self.weight + self.bias


class Network:
    def __init__(self, values):
        self.hidden = Linear(values["w1"], values["b1"])
        self.output = Linear(values["w2"], values["b2"])

    def parameters(self):
        return [self.hidden.weight, self.hidden.bias, self.output.weight, self.output.bias]

    def __call__(self, x):
        return self.output(np.logaddexp(0.0, self.hidden(x)))


def with_modules():
    """The losses of all steps, with tensors that remember and an optimiser."""
    network = Network(start())
    optimizer = ta.optim.SGD(network.parameters(), lr=RATE)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = np.mean((network(POINTS) - PARITY) ** 2)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# ---------------------------------------------------------------------- as in TensorFlow: an operation and its gradient


@ta.primitive("smooth_relu", sympy="log(1 + exp(x))")
def smooth_relu(x):
    return np.logaddexp(0.0, x)


@ta.RegisterGradient("smooth_relu")
def _smooth_relu(op):
    """d log(1 + eˣ) = dx / (1 + e⁻ˣ)"""
    x, = op.inputs
    return 1 / (1 + np.exp(-x))


def loss_of(weights):
    hidden = smooth_relu(POINTS @ weights["w1"] + weights["b1"])
    return np.mean((hidden @ weights["w2"] + weights["b2"] - PARITY) ** 2)


def with_functions():
    """The losses of all steps, with a function of plain arrays and its gradient."""
    weights = start()
    losses = []
    for _ in range(STEPS):
        loss, gradient = ta.value_and_grad(loss_of)(weights)
        weights = {name: value - RATE * gradient[name] for name, value in weights.items()}
        losses.append(float(loss))
    return losses


def main():
    ours = {"PyTorch's way": with_modules(), "TensorFlow's way": with_functions()}
    for name, losses in ours.items():
        print(f"{name:16}: loss {losses[0]:.4f} -> {losses[-1]:.2e}")
    first, second = map(np.array, ours.values())
    print(f"largest difference between the two: {np.max(np.abs(first - second)):.0e}")
    print(f"rule of smooth_relu: {ta.symbolic.prove('smooth_relu').status}")


if __name__ == "__main__":
    main()
