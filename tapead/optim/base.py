"""What all optimisers share: groups of parameters and their options, the state of each, saving and loading."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from ..modes import enable_grad
from ..tensor import Tensor

__all__ = ["IMPLEMENTATIONS", "Array", "Closure", "Group", "Optimizer", "Parameters", "real_parts", "replace"]

Parameters = Iterable[Tensor] | Iterable[Mapping[str, Any]]
#: Options of PyTorch's that choose among its implementations of one step; here there is one.
IMPLEMENTATIONS = frozenset(["foreach", "fused", "capturable"])
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

    All optimisers take PyTorch's ``foreach``, ``fused`` and ``capturable``, which choose among its implementations of
    the same step, for which there is one here. ``differentiable=True``, a step that is itself on the tape, raises.

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

    def __init__(self, params: Parameters, defaults: Group, differentiable: bool = False) -> None:
        self.defaults = {name: value.item() if isinstance(value, Tensor) else value for name, value in defaults.items()}
        self.state: dict[Tensor, Group] = {}
        self.param_groups: list[Group] = []
        if isinstance(params, (Tensor, Mapping)):
            raise TypeError(f"{self._name}: params must be a list of tensors or of dicts, not a single "
                            f"{type(params).__name__}")
        given = list(params)
        if not given:
            raise ValueError(f"{self._name}: there are no parameters")
        for group in given if isinstance(given[0], Mapping) else [{"params": given}]:
            if differentiable:
                group = {**group, "differentiable": True}  # type: ignore[dict-item]  # the first one says what all are
            self.add_param_group(group)  # type: ignore[arg-type]  # the first one says what all are

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
        param_group = {name: value.item() if isinstance(value, Tensor) and name != "params" else value
                       for name, value in param_group.items() if name not in IMPLEMENTATIONS}
        if param_group.pop("differentiable", False):
            raise NotImplementedError(f"{self._name}: differentiable=True, a step that is on the tape, is not covered; "
                                      "write the step with tensors: new = x - lr * gradient, gradient from "
                                      "tapead.gradients(..., create_graph=True)")
        unknown = sorted(param_group.keys() - self.defaults.keys() - {"params"})
        if unknown:
            raise ValueError(f"{self._name}: a group has the unknown options {unknown}; there are "
                             f"{sorted(self.defaults)}")
        params = param_group["params"]
        group = {**self.defaults, **param_group, "params": [params] if isinstance(params, Tensor) else list(params)}
        taken = {param for other in self.param_groups for param in other["params"]}
        for position, param in enumerate(group["params"]):
            if not isinstance(param, Tensor):
                raise TypeError(f"{self._name}: parameter {position} is {type(param).__name__}, not a tensor; make it "
                                "with tapead.tensor(..., requires_grad=True)")
            if not param.is_leaf or not param.requires_grad:
                raise ValueError(f"{self._name}: parameter {position} (shape {param.shape}) is not a leaf that "
                                 "requires a gradient, so it would never change; make it with "
                                 "tapead.tensor(..., requires_grad=True)")
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
                    param.grad.zero_()

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
                    gradient = real_parts(param.grad._value)
                    value = real_parts(param._value)
                    if group.get("maximize"):
                        gradient = -gradient
                    replace(param, self._updated(value, gradient, state, group))
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
                if name != "step" and np.shape(value) != real_parts(param._value).shape:
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


def real_parts(value: Array) -> Array:
    """Complex numbers as pairs of real ones along a last axis; real numbers as they are."""
    return np.stack([value.real, value.imag], axis=-1) if value.dtype.kind == "c" else value


def replace(param: Tensor, value: Array) -> None:
    """Give a parameter a new value, as `real_parts` has it; the array that it had is left alone."""
    param.data = value[..., 0] + 1j * value[..., 1] if param.dtype.kind == "c" else value
