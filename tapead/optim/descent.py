"""Optimisers that look at one gradient at a time."""

from __future__ import annotations

import numpy as np

from .base import Array, Group, Optimizer, Parameters

__all__ = ["SGD", "Adam", "AdamW", "RMSprop"]


class SGD(Optimizer):
    """Gradient descent, with momentum.

    With gradient g, to which ``weight_decay`` θ is added, and velocity v (v = g in the first step):

    * v ← momentum · v + (1 - dampening) · g
    * θ ← θ - lr · v, or with Nesterov's momentum θ ← θ - lr · (g + momentum · v)

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        See :class:`Optimizer`.
    lr, momentum, dampening, weight_decay : float
    nesterov : bool
        Needs a momentum and no dampening.
    maximize : bool
        Climb instead.

    Examples
    --------
    >>> import tapead as ta
    >>> x = ta.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = ta.optim.SGD([x], lr=0.25)
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     (x**2).sum().backward()
    ...     optimizer.step()
    >>> x
    tensor([ 0.125, -0.25 ], requires_grad=True)
    """

    def __init__(self, params: Parameters, lr: float = 1e-3, momentum: float = 0.0, dampening: float = 0.0,
                 weight_decay: float = 0.0, nesterov: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, differentiable: bool = False, fused: bool | None = None) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
                                  "nesterov": nesterov, "maximize": maximize}, differentiable)

    def _check(self, group: Group) -> None:
        super()._check(group)
        if group["nesterov"] and (group["momentum"] <= 0.0 or group["dampening"] != 0.0):
            raise ValueError("SGD: nesterov=True needs a momentum and no dampening")

    def _updated(self, value: Array, gradient: Array, state: Group, group: Group) -> Array:
        momentum = group["momentum"]
        gradient = _decayed(value, gradient, group)
        if momentum:
            if "momentum_buffer" in state:
                velocity = momentum * state["momentum_buffer"] + (1 - group["dampening"]) * gradient
            else:
                velocity = np.copy(gradient)[()]
            state["momentum_buffer"] = velocity
            gradient = gradient + momentum * velocity if group["nesterov"] else velocity
        return value - group["lr"] * gradient


def _decayed(value: Array, gradient: Array, group: Group) -> Array:
    """The gradient with that of ``weight_decay / 2 · |θ|²``."""
    return gradient + group["weight_decay"] * value if group["weight_decay"] else gradient


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015), steps in units of the gradient's own size.

    With gradient g, to which ``weight_decay`` θ is added, in step t:

    * m ← β₁ m + (1 - β₁) g and v ← β₂ v + (1 - β₂) g²
    * θ ← θ - lr · m̂ / (√v̂ + eps) with m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ)

    With `amsgrad` (Reddi, Kale & Kumar 2018) the largest v so far stands in the denominator.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        See :class:`Optimizer`.
    lr : float
    betas : (float, float)
    eps, weight_decay : float
    amsgrad, maximize : bool
    decoupled_weight_decay : bool
        Weights decay on their own, as in :class:`AdamW`.

    Examples
    --------
    >>> import tapead as ta
    >>> x = ta.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = ta.optim.Adam([x], lr=0.5)
    >>> (x**2).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([ 0.5, -1.5], requires_grad=True)
    """

    def __init__(self, params: Parameters, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False, *,
                 foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
                 differentiable: bool = False, fused: bool | None = None, decoupled_weight_decay: bool = False) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "amsgrad": amsgrad, "maximize": maximize,
                                  "decoupled_weight_decay": decoupled_weight_decay}, differentiable)

    def _updated(self, value: Array, gradient: Array, state: Group, group: Group) -> Array:
        if group["decoupled_weight_decay"]:
            value = value * (1 - group["lr"] * group["weight_decay"])
        else:
            gradient = _decayed(value, gradient, group)
        beta1, beta2 = group["betas"]
        step = state["step"] = state.get("step", 0) + 1
        mean = state["exp_avg"] = _averaged(state.get("exp_avg"), gradient, beta1)
        spread = state["exp_avg_sq"] = _averaged(state.get("exp_avg_sq"), gradient * gradient, beta2)
        if group["amsgrad"]:
            spread = state["max_exp_avg_sq"] = np.maximum(state.get("max_exp_avg_sq", 0.0 * spread), spread)
        scale = np.sqrt(spread) / (1 - beta2**step) ** 0.5 + group["eps"]
        return value - group["lr"] / (1 - beta1**step) * mean / scale


def _averaged(average: Array | None, value: Array, decay: float) -> Array:
    """An exponential average that starts from zero."""
    return (1 - decay) * value if average is None else decay * average + (1 - decay) * value


class AdamW(Adam):
    """Adam whose weights decay on their own (Loshchilov & Hutter 2019): θ ← (1 - lr · weight_decay) θ before each step.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        See :class:`Optimizer`.
    lr : float
    betas : (float, float)
    eps, weight_decay : float
    amsgrad, maximize : bool
        As for :class:`Adam`.
    """

    def __init__(self, params: Parameters, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, capturable: bool = False, differentiable: bool = False,
                 fused: bool | None = None) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize,
                         differentiable=differentiable, decoupled_weight_decay=True)


class RMSprop(Optimizer):
    """Gradient descent in units of the gradient's root mean square (Hinton 2012).

    With gradient g, to which ``weight_decay`` θ is added:

    * v ← alpha · v + (1 - alpha) g², and centred also m ← alpha · m + (1 - alpha) g
    * u = g / (√v + eps), or centred g / (√(v - m²) + eps) (Graves 2013)
    * θ ← θ - lr · u, or with momentum b ← momentum · b + u and θ ← θ - lr · b

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        See :class:`Optimizer`.
    lr, alpha, eps, weight_decay, momentum : float
    centered, maximize : bool
    """

    def __init__(self, params: Parameters, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
                 weight_decay: float = 0.0, momentum: float = 0.0, centered: bool = False,
                 capturable: bool = False, foreach: bool | None = None, maximize: bool = False,
                 differentiable: bool = False) -> None:
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay,
                                  "momentum": momentum, "centered": centered, "maximize": maximize}, differentiable)

    def _updated(self, value: Array, gradient: Array, state: Group, group: Group) -> Array:
        alpha, momentum = group["alpha"], group["momentum"]
        gradient = _decayed(value, gradient, group)
        spread = state["square_avg"] = _averaged(state.get("square_avg"), gradient * gradient, alpha)
        if group["centered"]:
            mean = state["grad_avg"] = _averaged(state.get("grad_avg"), gradient, alpha)
            spread = np.maximum(spread - mean * mean, 0.0)  # it may be rounded below zero
        change = gradient / (np.sqrt(spread) + group["eps"])
        if momentum:
            change = state["momentum_buffer"] = momentum * state.get("momentum_buffer", 0.0) + change
        return value - group["lr"] * change
