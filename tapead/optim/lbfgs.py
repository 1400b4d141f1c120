"""Limited-memory BFGS, by SciPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..modes import enable_grad
from ..tensor import Tensor
from .base import Array, Closure, Group, Optimizer, Parameters, replace

__all__ = ["LBFGS"]


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
                 line_search_fn: str | None = "strong_wolfe") -> None:
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
        losses: list[Any] = []

        def evaluate(point: Array) -> tuple[float, Array]:
            self._set(point)
            with enable_grad():
                loss = closure()
            losses.append(loss)
            del losses[1:]
            return float(loss.item() if isinstance(loss, Tensor) else loss), self._gradient()

        start = np.concatenate([np.ravel(param._value) for param in self._params]).astype(float)
        found = _minimize()(evaluate, start, jac=True, method="L-BFGS-B", options={
            "maxiter": group["max_iter"], "maxfun": group["max_eval"], "gtol": group["tolerance_grad"],
            "ftol": group["tolerance_change"], "maxcor": group["history_size"]})
        self._set(found.x)
        return losses[0]

    def _set(self, point: Array) -> None:
        start = 0
        for param in self._params:
            replace(param, point[start:start + param.size].reshape(param.shape).astype(param.dtype))
            start += param.size

    def _gradient(self) -> Array:
        return np.concatenate([np.zeros(param.size) if param.grad is None else np.ravel(param.grad._value)
                               for param in self._params]).astype(float)


def _minimize() -> Callable[..., Any]:
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise ImportError('tapead.optim.LBFGS uses SciPy, which is not installed: pip install "tapead[scipy]"'
                          ) from None
    return minimize  # type: ignore[no-any-return]  # as above
