"""Optimisers with PyTorch's constructors: they change tensors by the gradients that ``backward`` has left in ``.grad``.

A step gives a parameter a new value and leaves the old array alone: what was recorded from the old value can still be
swept, and its gradients are those at the old value. Complex parameters are optimised in their real and imaginary parts.
PyTorch's options that only choose between implementations (``foreach``, ``fused``, ``capturable``) do not exist here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from .modes import enable_grad
from .tensor import Tensor

__all__ = ["LBFGS", "SGD", "Adam", "AdamW", "Optimizer", "RMSprop"]

Parameters = Iterable[Tensor] | Iterable[Mapping[str, Any]]
Closure = Callable[[], Any]
Group = dict[str, Any]
Array = Any


class Optimizer:
    """What all optimisers share: groups of parameters, their state, saving and loading.

    A subclass says in `_updated` what one step makes of one parameter.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        The parameters: leaves that require a gradient. A dict is a group, ``{"params": [...], "lr": 0.1}``, whose
        options stand before the constructor's.
    defaults : dict
        The options of groups that do not say otherwise.

    Attributes
    ----------
    param_groups : list of dict
        Every group's parameters and options; changing an option there changes the steps that follow.
    state : dict
        What is remembered from step to step, by parameter.

    Raises
    ------
    TypeError
        If something that is not a tensor is among the parameters.
    ValueError
        If there are no parameters, one is given twice, is the result of an operation or does not require a gradient,
        or an option is out of its range.
    """

    def __init__(self, params: Parameters, defaults: Group) -> None:
        self.defaults = defaults
        self.state: dict[Tensor, Group] = {}
        self.param_groups: list[Group] = []
        if isinstance(params, (Tensor, Mapping)):
            raise TypeError(f"{self._name}: params must be a list of tensors or of dicts, not a single "
                            f"{type(params).__name__}")
        given = list(params)
        if not given:
            raise ValueError(f"{self._name}: there are no parameters")
        for group in given if isinstance(given[0], Mapping) else [{"params": given}]:
            self.add_param_group(group)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Take on more parameters.

        Parameters
        ----------
        param_group : mapping
            ``params``, one tensor or an iterable of them, and any of the constructor's options.
        """
        if not isinstance(param_group, Mapping) or "params" not in param_group:
            raise TypeError(f"{self._name}: a group is a dict with the key 'params', not {param_group!r}")
        unknown = sorted(param_group.keys() - self.defaults.keys() - {"params"})
        if unknown:
            raise ValueError(f"{self._name}: a group has the unknown options {unknown}; there are {sorted(self.defaults)}")
        params = param_group["params"]
        group = {**self.defaults, **param_group, "params": [params] if isinstance(params, Tensor) else list(params)}
        taken = {param for other in self.param_groups for param in other["params"]}
        for position, param in enumerate(group["params"]):
            if not isinstance(param, Tensor):
                raise TypeError(f"{self._name}: parameter {position} is {type(param).__name__}, not a tensor; make it with "
                                "tapead.tensor(..., requires_grad=True)")
            if not param.is_leaf or not param.requires_grad:
                raise ValueError(f"{self._name}: parameter {position} (shape {param.shape}) is not a leaf that requires a "
                                 "gradient, so it would never change; make it with tapead.tensor(..., requires_grad=True)")
            if param in taken:
                raise ValueError(f"{self._name}: parameter {position} (shape {param.shape}) is given twice")
            taken.add(param)
        self._check(group)
        self.param_groups.append(group)

    def _check(self, group: Group) -> None:
        """Raise ValueError for options out of their range."""
        for name in ("lr", "momentum", "weight_decay", "eps", "alpha"):
            if not group.get(name, 0.0) >= 0.0:
                raise ValueError(f"{self._name}: {name} must not be negative, it is {group[name]}")
        for beta in group.get("betas", ()):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"{self._name}: betas must lie in [0, 1), they are {group['betas']}")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, as ``backward`` adds to them.

        Parameters
        ----------
        set_to_none : bool
            Set ``.grad`` to None; otherwise fill it with zeros.
        """
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param.grad = None
                elif param.grad is not None:
                    param.grad = param.grad.detach().zero_()

    def step(self, closure: Closure | None = None) -> Any:
        """Change every parameter that has a gradient.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss and its gradients anew, and returns the loss.

        Returns
        -------
        as `closure`
            None without one.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    state = self.state.setdefault(param, {})
                    gradient = _real_parts(param.grad.data)
                    value = _real_parts(param.data)
                    if group.get("maximize"):
                        gradient = -gradient
                    _replace(param, self._updated(value, gradient, state, group))
        return loss

    def _updated(self, value: Array, gradient: Array, state: Group, group: Group) -> Array:
        """The next value of a parameter."""
        raise NotImplementedError(f"{self._name} does not define its step")

    def state_dict(self) -> dict[str, Any]:
        """The state and the options, with numbers in the place of parameters: what saving and loading needs.

        Returns
        -------
        dict
            ``state`` by number of the parameter, and ``param_groups``. It shares no memory with the optimiser.
        """
        numbers = {param: number for number, param in enumerate(self._params)}
        return {
            "state": {numbers[param]: deepcopy(state) for param, state in self.state.items()},
            "param_groups": [{**_options(group), "params": [numbers[param] for param in group["params"]]}
                             for group in self.param_groups],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from where another optimiser of the same kind of parameters was.

        Parameters
        ----------
        state_dict : dict
            From :meth:`state_dict`.

        Raises
        ------
        ValueError
            If the groups are of other sizes, or a remembered array does not have the shape of its parameter.
        """
        saved = state_dict["param_groups"]
        sizes = [len(group["params"]) for group in self.param_groups]
        if [len(group["params"]) for group in saved] != sizes:
            raise ValueError(f"{self._name}: the state is of groups of {[len(group['params']) for group in saved]} "
                             f"parameters, this optimiser has groups of {sizes}")
        by_number = dict(zip([number for group in saved for number in group["params"]], self._params, strict=True))
        state = {by_number[number]: deepcopy(dict(one)) for number, one in state_dict["state"].items()}
        for param, one in state.items():
            for name, value in one.items():
                if name != "step" and np.shape(value) != _real_parts(param.data).shape:
                    raise ValueError(f"{self._name}: the saved {name} has shape {np.shape(value)}, its parameter "
                                     f"{param.shape}")
        self.state = state
        for group, other in zip(self.param_groups, saved, strict=True):
            group.update(_options(other))

    @property
    def _params(self) -> list[Tensor]:
        return [param for group in self.param_groups for param in group["params"]]

    def __repr__(self) -> str:
        groups = [", ".join(f"{name}={value!r}" for name, value in _options(group).items())
                  for group in self.param_groups]
        return f"{self._name}({'; '.join(groups)})"


def _options(group: Mapping[str, Any]) -> Group:
    return {name: deepcopy(value) for name, value in group.items() if name != "params"}


def _real_parts(value: Array) -> Array:
    """Complex numbers as pairs of real ones along a last axis; real numbers as they are."""
    return np.stack([value.real, value.imag], axis=-1) if value.dtype.kind == "c" else value


def _replace(param: Tensor, value: Array) -> None:
    """Give a parameter a new value, as `_real_parts` has it; the array that it had is left alone."""
    param.data = value[..., 0] + 1j * value[..., 1] if param.dtype.kind == "c" else value


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
                 weight_decay: float = 0.0, nesterov: bool = False, *, maximize: bool = False) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
                                  "nesterov": nesterov, "maximize": maximize})

    def _check(self, group: Group) -> None:
        super()._check(group)
        if group["nesterov"] and (group["momentum"] <= 0.0 or group["dampening"] != 0.0):
            raise ValueError("SGD: nesterov=True needs a momentum and no dampening")

    def _updated(self, value: Array, gradient: Array, state: Group, group: Group) -> Array:
        momentum = group["momentum"]
        gradient = _decayed(value, gradient, group)
        if momentum:
            velocity = state.get("momentum_buffer")
            velocity = gradient if velocity is None else momentum * velocity + (1 - group["dampening"]) * gradient
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

    #: Whether weights decay on their own, or by an addition to the gradient.
    _decoupled = False

    def __init__(self, params: Parameters, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False, *, maximize: bool = False) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "amsgrad": amsgrad, "maximize": maximize})

    def _updated(self, value: Array, gradient: Array, state: Group, group: Group) -> Array:
        if self._decoupled:
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

    _decoupled = True

    def __init__(self, params: Parameters, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)


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
                 weight_decay: float = 0.0, momentum: float = 0.0, centered: bool = False, *,
                 maximize: bool = False) -> None:
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay,
                                  "momentum": momentum, "centered": centered, "maximize": maximize})

    def _updated(self, value: Array, gradient: Array, state: Group, group: Group) -> Array:
        alpha, momentum = group["alpha"], group["momentum"]
        gradient = _decayed(value, gradient, group)
        spread = state["square_avg"] = _averaged(state.get("square_avg"), gradient * gradient, alpha)
        if group["centered"]:
            mean = state["grad_avg"] = _averaged(state.get("grad_avg"), gradient, alpha)
            spread = spread - mean * mean
        change = gradient / (np.sqrt(spread) + group["eps"])
        if momentum:
            change = state["momentum_buffer"] = momentum * state.get("momentum_buffer", 0.0) + change
        return value - group["lr"] * change


class LBFGS(Optimizer):
    """Limited-memory BFGS, by SciPy's L-BFGS-B: a line search that satisfies the strong Wolfe conditions.

    One step is up to `max_iter` iterations, each of which calls the closure at least once. In contrast to PyTorch's,
    every step builds its memory of curvature anew: give one step many iterations rather than the reverse.

    Parameters
    ----------
    params : iterable of Tensor
        See :class:`Optimizer`; one group only. Real, and computed with in float64.
    lr : float
        Must be 1: the line search chooses the steps.
    max_iter : int
        Iterations in one step.
    max_eval : int, optional
        Calls of the closure in one step; ``5 * max_iter // 4`` by default.
    tolerance_grad : float
        A step ends when no element of the gradient is larger.
    tolerance_change : float
        A step ends when the loss decreases by less, relative to the larger of the loss and 1.
    history_size : int
        How many changes are remembered.
    line_search_fn : str
        There is only ``"strong_wolfe"``.

    Raises
    ------
    ImportError
        If SciPy is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> x = ta.tensor([-1.2, 1.0], requires_grad=True)
    >>> optimizer = ta.optim.LBFGS([x], max_iter=100)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> start = optimizer.step(closure)
    >>> np.round(x.data, 4)
    array([1., 1.])
    """

    def __init__(self, params: Parameters, lr: float = 1.0, max_iter: int = 20, max_eval: int | None = None,
                 tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
                 line_search_fn: str = "strong_wolfe") -> None:
        _minimize()
        super().__init__(params, {"lr": lr, "max_iter": max_iter,
                                  "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                                  "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
                                  "history_size": history_size, "line_search_fn": line_search_fn})

    def _check(self, group: Group) -> None:
        super()._check(group)
        if self.param_groups:
            raise ValueError("LBFGS: there can be one group of parameters only")
        if group["lr"] != 1:
            raise ValueError(f"LBFGS: lr must be 1, the line search chooses the steps; it is {group['lr']}")
        if group["line_search_fn"] != "strong_wolfe":
            raise ValueError(f"LBFGS: line_search_fn must be 'strong_wolfe', not {group['line_search_fn']!r}")
        if any(param.dtype.kind != "f" for param in group["params"]):
            raise ValueError("LBFGS: the parameters must be real; optimise real and imaginary parts as two tensors")

    def step(self, closure: Closure | None = None) -> Any:
        """Minimise from where the parameters are.

        Parameters
        ----------
        closure : callable
            Forgets the gradients, computes the loss and its gradients, and returns the loss.

        Returns
        -------
        as `closure`
            What it returned first.
        """
        if closure is None:
            raise TypeError("LBFGS: step needs a closure that computes the loss and its gradients")
        group, = self.param_groups
        first = []

        def evaluate(point: Array) -> tuple[float, Array]:
            self._set(point)
            with enable_grad():
                loss = closure()
            first[1:] = []
            first.append(loss)
            return float(loss.item() if isinstance(loss, Tensor) else loss), self._gradient()

        start = np.concatenate([np.ravel(param.data) for param in self._params]).astype(float)
        found = _minimize()(evaluate, start, jac=True, method="L-BFGS-B", options={
            "maxiter": group["max_iter"], "maxfun": group["max_eval"], "gtol": group["tolerance_grad"],
            "ftol": group["tolerance_change"], "maxcor": group["history_size"]})
        self._set(found.x)
        return first[0]

    def _set(self, point: Array) -> None:
        start = 0
        for param in self._params:
            _replace(param, point[start:start + param.size].reshape(param.shape).astype(param.dtype))
            start += param.size

    def _gradient(self) -> Array:
        return np.concatenate([np.zeros(param.size) if param.grad is None else np.ravel(param.grad.data)
                               for param in self._params]).astype(float)


def _minimize() -> Callable[..., Any]:
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise ImportError('tapead.optim.LBFGS uses SciPy, which is not installed: pip install "tapead[scipy]"') from None
    return minimize  # type: ignore[no-any-return]  # SciPy has no types
