"""The three problems of ADBench (Šrajer, Kukelova and Fitzgibbon, 2018): mixture, bundle adjustment, LSTM."""

from __future__ import annotations

import functools
import importlib
import math
from typing import Any

import numpy

from ..contenders import (
    AUTOGRAD,
    HAND,
    JAX,
    TAPEAD,
    TORCH,
    Builder,
    Run,
    by_hand_contender,
    compiled,
    gradients,
    import_jax,
    import_torch,
    torch_arguments,
)
from ..harness import Workload

# ---------------------------------------------------------------------- Gaussian mixture

#: The Wishart prior's inverse scale and extra degrees of freedom, as ADBench's data files have them.
GAMMA, EXTRA = 1.0, 0


def log_sum_exp(np: Any, x: Any, axis: int) -> Any:
    """log Σ exp(x) along an axis."""
    if hasattr(np, "logsumexp"):  # PyTorch has its own
        return np.logsumexp(x, axis)
    top = np.max(x, axis=axis, keepdims=True)
    return np.log(np.sum(np.exp(x - top), axis=axis)) + np.squeeze(top, axis)


def mixture(np: Any, alphas: Any, means: Any, factors: Any, points: Any, placed: Any, constant: float) -> Any:
    """The log-posterior of a Gaussian mixture.

    `factors` holds the logarithm of the diagonal and then the rest of the triangular root of each precision; the
    constant matrix `placed` puts the entries in their places.
    """
    components, dimension = means.shape
    logs, rest = factors[:, :dimension], factors[:, dimension:]
    diagonals = np.exp(logs)
    roots = np.reshape(diagonals @ placed[:dimension] + rest @ placed[dimension:], (components, dimension, dimension))
    white = (points - means[:, None, :]) @ np.swapaxes(roots, 1, 2)
    log_determinants = np.sum(logs, axis=1)
    inner = (alphas + log_determinants)[:, None] - 0.5 * np.sum(white**2, axis=2)
    likelihood = np.sum(log_sum_exp(np, inner, 0)) - points.shape[0] * log_sum_exp(np, alphas, 0)
    prior = EXTRA * np.sum(log_determinants) - 0.5 * GAMMA**2 * (np.sum(diagonals**2) + np.sum(rest**2))
    return likelihood + prior + constant


def mixture_by_hand(alphas: Any, means: Any, factors: Any, points: Any, placed: Any, constant: float) -> Any:
    """The gradient by responsibilities."""
    np = numpy
    components, dimension = means.shape
    columns, rows = np.triu_indices(dimension, 1)
    diagonal = np.arange(dimension)
    logs, rest = factors[:, :dimension], factors[:, dimension:]
    diagonals = np.exp(logs)
    roots = np.zeros((components, dimension, dimension))
    roots[:, diagonal, diagonal] = diagonals
    roots[:, rows, columns] = rest
    centred = points - means[:, None, :]
    white = centred @ roots.swapaxes(1, 2)
    log_determinants = np.sum(logs, axis=1)
    inner = (alphas + log_determinants)[:, None] - 0.5 * np.einsum("kni,kni->kn", white, white)
    top = np.max(inner, axis=0)
    responsibilities = np.exp(inner - top)
    totals = np.sum(responsibilities, axis=0)
    responsibilities /= totals
    weights = np.exp(alphas - np.max(alphas))
    total = np.sum(weights)
    count = points.shape[0]
    likelihood = np.sum(np.log(totals) + top) - count * (np.log(total) + np.max(alphas))
    prior = EXTRA * np.sum(log_determinants) - 0.5 * GAMMA**2 * (np.sum(diagonals * diagonals) + np.sum(rest * rest))

    owned = np.sum(responsibilities, axis=1)
    by_means = (responsibilities[:, None, :] @ white @ roots)[:, 0, :]
    white *= responsibilities[:, :, None]  # minus the derivative in what it was
    by_roots = -(white.swapaxes(1, 2) @ centred)
    by_factors = np.empty_like(factors)
    by_factors[:, :dimension] = (by_roots[:, diagonal, diagonal] - GAMMA**2 * diagonals) * diagonals
    by_factors[:, :dimension] += (owned + EXTRA)[:, None]
    by_factors[:, dimension:] = by_roots[:, rows, columns] - GAMMA**2 * rest
    return likelihood + prior + constant, (owned - weights * (count / total), by_means, by_factors)


def mixture_data(dimension: int, components: int, count: int) -> tuple[Any, ...]:
    """Logarithms of weights, means, factors; points, placement of the factors, and the constant of the posterior."""
    generator = numpy.random.default_rng(9)
    columns, rows = numpy.triu_indices(dimension, 1)
    placed = numpy.zeros((dimension + rows.size, dimension, dimension))
    placed[numpy.arange(dimension), numpy.arange(dimension), numpy.arange(dimension)] = 1.0
    placed[dimension + numpy.arange(rows.size), rows, columns] = 1.0
    freedom = dimension + EXTRA + 1
    log_gamma = 0.25 * dimension * (dimension - 1) * math.log(math.pi) + sum(
        math.lgamma(0.5 * (freedom - position)) for position in range(dimension))
    constant = -0.5 * count * dimension * math.log(2 * math.pi) + components * (
        freedom * dimension * math.log(GAMMA / math.sqrt(2)) - log_gamma)
    return (generator.normal(size=components), generator.normal(size=(components, dimension)),
            0.5 * generator.normal(size=(components, dimension + rows.size)),
            generator.normal(size=(count, dimension)), placed.reshape(len(placed), -1), constant)


def mixture_workload(dimension: int, components: int, count: int, **how: Any) -> Workload:
    """The workload for a mixture."""
    data = functools.partial(mixture_data, dimension, components, count)
    return Workload("adbench GMM", f"d={dimension}, k={components}, n={count:,}",
                    gradients(mixture, data, mixture_by_hand, (0, 1, 2)), **how)


# ---------------------------------------------------------------------- bundle adjustment


def cross(a: Any, b: Any) -> tuple[Any, Any, Any]:
    """The vector product, by components."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def dot(a: Any, b: Any) -> Any:
    """The scalar product, by components."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def rotated(axis: Any, cosine: Any, sine: Any, vector: Any) -> tuple[Any, ...]:
    """Rodrigues' formula."""
    along = dot(axis, vector) * (1.0 - cosine)
    across = cross(axis, vector)
    return tuple(vector[i] * cosine + across[i] * sine + axis[i] * along for i in range(3))


def reprojection(np: Any, camera: Any, point: Any, weight: Any, seen: Any) -> Any:
    """Weighted differences between where points are seen and where cameras project them.

    One column per observation. A camera is a rotation vector (3), a centre (3), a focal length, a principal point (2)
    and two coefficients of radial distortion.
    """
    rotation = camera[0], camera[1], camera[2]
    angle = np.sqrt(dot(rotation, rotation))
    axis = tuple(part / angle for part in rotation)
    moved = tuple(point[i] - camera[3 + i] for i in range(3))
    x, y, z = rotated(axis, np.cos(angle), np.sin(angle), moved)
    x, y = x / z, y / z
    square = x * x + y * y
    scale = camera[6] * (1.0 + camera[9] * square + camera[10] * square * square)
    return np.stack([weight * (x * scale + camera[7] - seen[0]), weight * (y * scale + camera[8] - seen[1])])


def reprojection_by_hand(camera: Any, point: Any, weight: Any, seen: Any) -> Any:
    """Errors, and for each of the two coordinates its derivatives in camera, point and weight.

    The rotation's derivative is ∂(R v)/∂r = -R [v]ₓ (r rᵀ + (Rᵀ - 1) [r]ₓ) / |r|² (Gallego and Yezzi, 2015).
    """
    np = numpy
    rotation = camera[:3]
    angle_squared = dot(rotation, rotation)
    angle = np.sqrt(angle_squared)
    axis = rotation / angle
    cosine, sine = np.cos(angle), np.sin(angle)
    moved = point - camera[3:6]
    x, y, z = rotated(axis, cosine, sine, moved)
    x, y = x / z, y / z
    square = x * x + y * y
    focal, first, second = camera[6], camera[9], camera[10]
    distortion = 1.0 + square * (first + second * square)
    slope = 2.0 * (first + 2.0 * second * square)
    across, down = x * distortion, y * distortion
    unweighted = np.stack([across * focal + camera[7] - seen[0], down * focal + camera[8] - seen[1]])
    scale = weight * focal
    scale_by_depth = scale / z
    mixed = x * y * slope
    blocks = []
    for row, (by_x, by_y, distorted, place) in enumerate([(distortion + x * x * slope, mixed, across, x),
                                                          (mixed, distortion + y * y * slope, down, y)]):
        on_rotated = by_x * scale_by_depth, by_y * scale_by_depth, -(by_x * x + by_y * y) * scale_by_depth
        on_point = rotated(axis, cosine, -sine, on_rotated)
        turned = cross(moved, on_point)
        back = rotated(axis, cosine, sine, turned)
        by_rotation = cross([back[i] - turned[i] for i in range(3)], rotation)
        along = dot(turned, rotation)
        on_camera = np.zeros_like(camera)
        for i in range(3):
            on_camera[i] = (along * rotation[i] + by_rotation[i]) / angle_squared
            on_camera[3 + i] = -on_point[i]
        on_camera[6] = weight * distorted
        on_camera[7 + row] = weight
        on_camera[9] = scale * place * square
        on_camera[10] = on_camera[9] * square
        blocks.append((on_camera, np.stack(on_point), unweighted[row]))
    return weight * unweighted, blocks


def bundle(count: int) -> tuple[Any, ...]:
    """Cameras, points and weights, one column per observation, and where the points are seen."""
    generator = numpy.random.default_rng(10)
    cameras = numpy.concatenate([generator.uniform(-0.3, 0.3, (3, count)) + 0.1, generator.normal(size=(3, count)),
                                 generator.uniform(400, 600, (1, count)), generator.uniform(-5, 5, (2, count)),
                                 generator.uniform(-0.1, 0.1, (2, count))])
    points = generator.normal(size=(3, count)) + numpy.array([[0.0], [0.0], [10.0]])
    return cameras, points, generator.uniform(0.5, 1.5, count), generator.normal(size=(2, count)) * 100


def bundle_contenders(count: int) -> dict[str, Builder]:
    """Two reverse sweeps over all observations give the two rows of every block."""
    rows = [numpy.repeat([[1.0], [0.0]], count, axis=1), numpy.repeat([[0.0], [1.0]], count, axis=1)]

    def build_tapead() -> Run:
        import tapead

        *inputs, seen = bundle(count)

        def run() -> Any:
            errors, pull = tapead.vjp(functools.partial(reprojection, numpy, seen=seen), *inputs)
            return errors, [pull(row) for row in rows]

        return run

    def build_autograd() -> Run:
        autograd = importlib.import_module("autograd")
        module = importlib.import_module("autograd.numpy")
        pullback = autograd.make_vjp(functools.partial(reprojection, module), (0, 1, 2))
        args = bundle(count)

        def run() -> Any:
            pull, errors = pullback(*args)
            return errors, [pull(row) for row in rows]

        return run

    def build_torch() -> Run:
        torch = import_torch()
        args, inputs = torch_arguments(bundle(count), [0, 1, 2])
        first, second = map(torch.tensor, rows)

        def run() -> Any:
            errors = reprojection(torch, *args)
            return errors, [torch.autograd.grad(errors, inputs, first, retain_graph=True),
                            torch.autograd.grad(errors, inputs, second)]

        return run

    def build_jax() -> Run:
        jax = import_jax()

        def derivative(camera: Any, point: Any, weight: Any, seen: Any, *rows: Any) -> Any:
            errors, pull = jax.vjp(functools.partial(reprojection, jax.numpy, seen=seen), camera, point, weight)
            return errors, [pull(row) for row in rows]

        return compiled(derivative, *bundle(count), *rows)

    return {HAND: by_hand_contender(reprojection_by_hand, functools.partial(bundle, count)), TAPEAD: build_tapead,
            AUTOGRAD: build_autograd, TORCH: build_torch, JAX: build_jax}


# ---------------------------------------------------------------------- LSTM


def sigmoid(np: Any, x: Any) -> Any:
    """1 / (1 + exp(-x)), by PyTorch's own function where that is the module."""
    return np.sigmoid(x) if hasattr(np, "sigmoid") else 1.0 / (1.0 + np.exp(-x))


def cell_step(np: Any, weight: Any, bias: Any, hidden: Any, cell: Any, given: Any) -> tuple[Any, Any]:
    """ADBench's cell: every gate has weights of its own, but no matrix."""
    width = hidden.shape[0]
    gates = np.concatenate([given, hidden, given, hidden]) * weight + bias
    switches = sigmoid(np, gates[:3 * width])
    cell = switches[:width] * cell + switches[width:2 * width] * np.tanh(gates[3 * width:])
    return switches[2 * width:] * np.tanh(cell), cell


def character_step(np: Any, main: Any, extra: Any, state: Any, character: Any, following: Any) -> tuple[Any, Any]:
    """The new state, and the log-likelihood of the character that follows."""
    given = character * extra[0]
    new = []
    for layer in range(len(state) // 2):
        weight, bias = main[2 * layer], main[2 * layer + 1]
        given, cell = cell_step(np, weight, bias, state[2 * layer], state[2 * layer + 1], given)
        new += [given, cell]
    guess = given * extra[1] + extra[2]
    return new, np.sum(following * (guess - np.log(2.0 + np.sum(np.exp(guess)))))


def lstm(np: Any, main: Any, extra: Any, start: Any, sequence: Any) -> Any:
    """Minus the mean log-likelihood of a sequence of characters."""
    state = [start[position] for position in range(start.shape[0])]
    total = 0.0
    steps = sequence.shape[0] - 1
    for step in range(steps):
        state, likelihood = character_step(np, main, extra, state, sequence[step], sequence[step + 1])
        total = total + likelihood
    return -total / (steps * sequence.shape[1])


def lstm_in_jax(np: Any, main: Any, extra: Any, start: Any, sequence: Any) -> Any:
    """The loop as JAX wants it."""
    def step(state: Any, characters: Any) -> Any:
        return character_step(np, main, extra, state, *characters)

    _, likelihoods = import_jax().lax.scan(step, list(start), (sequence[:-1], sequence[1:]))
    return -np.sum(likelihoods) / (sequence.size - sequence.shape[1])


def lstm_by_hand(main: Any, extra: Any, start: Any, sequence: Any) -> Any:
    """Back-propagation through time."""
    np = numpy
    width = sequence.shape[1]
    layers = len(start) // 2
    steps = len(sequence) - 1
    state = list(start)
    remembered = []
    total = 0.0
    for step in range(steps):
        given = sequence[step] * extra[0]
        kept = []
        for layer in range(layers):
            hidden, cell = state[2 * layer:2 * layer + 2]
            joined = np.concatenate([given, hidden, given, hidden])
            gates = joined * main[2 * layer] + main[2 * layer + 1]
            switches = 1.0 / (1.0 + np.exp(-gates[:3 * width]))
            change = np.tanh(gates[3 * width:])
            new_cell = switches[:width] * cell + switches[width:2 * width] * change
            shown = np.tanh(new_cell)
            given = switches[2 * width:] * shown
            state[2 * layer:2 * layer + 2] = given, new_cell
            kept.append((joined, cell, switches, change, shown))
        guess = given * extra[1] + extra[2]
        odds = np.exp(guess)
        sum_of_odds = 2.0 + np.sum(odds)
        following = sequence[step + 1]
        total += np.sum(following * (guess - np.log(sum_of_odds)))
        remembered.append((kept, given, odds * (np.sum(following) / sum_of_odds) - following))

    by_main, by_extra = np.zeros_like(main), np.zeros_like(extra)
    on_hidden, on_cell = [np.zeros(width)] * layers, [np.zeros(width)] * layers
    for step in reversed(range(steps)):
        kept, given, on_guess = remembered[step]
        by_extra[1] += on_guess * given
        by_extra[2] += on_guess
        on_given = on_guess * extra[1]
        for layer in reversed(range(layers)):
            joined, cell, switches, change, shown = kept[layer]
            forget, keep, show = switches[:width], switches[width:2 * width], switches[2 * width:]
            on_shown = on_given + on_hidden[layer]
            on_new_cell = on_cell[layer] + on_shown * show * (1.0 - shown * shown)
            on_cell[layer] = on_new_cell * forget
            on_gates = np.concatenate([on_new_cell * cell, on_new_cell * change, on_shown * shown,
                                       on_new_cell * keep * (1.0 - change * change)])
            on_gates[:3 * width] *= switches * (1.0 - switches)
            by_main[2 * layer] += on_gates * joined
            by_main[2 * layer + 1] += on_gates
            on_joined = on_gates * main[2 * layer]
            on_given = on_joined[:width] + on_joined[2 * width:3 * width]
            on_hidden[layer] = on_joined[width:2 * width] + on_joined[3 * width:]
        by_extra[0] += on_given * sequence[step]
    count = steps * width
    return -total / count, (by_main / count, by_extra / count)


def characters(layers: int, width: int, steps: int) -> tuple[Any, ...]:
    """Weights and biases of the layers, of input and output; the state at the start, and the sequence."""
    generator = numpy.random.default_rng(11)
    sequence = (generator.uniform(size=(steps + 1, width)) < 0.3).astype(float)
    return (generator.normal(size=(2 * layers, 4 * width)), generator.normal(size=(3, width)),
            generator.normal(size=(2 * layers, width)), sequence)


WORKLOADS = [
    mixture_workload(2, 5, 1_000, quick=True), mixture_workload(10, 25, 1_000, large=True),
    Workload("adbench BA", "2,500 observations", bundle_contenders(2_500), quick=True),
    Workload("adbench LSTM", "2 × 14, 100 steps",
             gradients(lstm, functools.partial(characters, 2, 14, 100), lstm_by_hand, (0, 1),
                       jax_function=lstm_in_jax)),
]
