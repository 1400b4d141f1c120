"""The gradient checkers of other packages, each at its defaults, given NumPy forward and the rule in force backward.

They are asked about first derivatives only: what NumPy computed backward is no operation that they could differentiate.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from .checkers import CHECKERS, Checker, fresh, pulled, pushed
from .mutants import Mutant
from .points import Point

#: What has to be installed for each.
PACKAGES = {"PyTorch": "torch", "JAX": "jax", "HIPS autograd": "autograd"}


def expressible(checker: str, mutant: Mutant) -> bool:
    """Whether a mutant can be shown to a checker of black boxes at all."""
    if checker == "tapead":
        return True
    return mutant.order == 1 and not (checker == "JAX" and mutant.spoils)  # JAX's arrays cannot be written to


def is_installed(checker: str) -> bool:
    package = PACKAGES.get(checker)
    return package is None or importlib.util.find_spec(package) is not None


def pytorch(point: Point, mutant: Mutant | None) -> tuple[str, str]:
    """``torch.autograd.gradcheck`` of an ``autograd.Function``, with forward mode, which is off by default."""
    import torch
    from torch.autograd.gradcheck import GradcheckError, gradcheck

    inputs = fresh(point.inputs)
    backward, forward = pulled(point, mutant), pushed(point, mutant)

    class Subject(torch.autograd.Function):
        @staticmethod
        def forward(*xs: Any) -> Any:
            return torch.as_tensor(np.array(point.value(*_arrays(xs))))

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.xs = _arrays(inputs)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return tuple(torch.as_tensor(np.array(part)) for part in backward(*ctx.xs, _arrays((g,))[0]))

        @staticmethod
        def jvp(ctx: Any, *tangents: Any) -> Any:
            given = [np.zeros_like(x) if t is None else _arrays((t,))[0] for x, t in zip(ctx.xs, tangents, strict=True)]
            return torch.as_tensor(np.array(forward(*ctx.xs, *given)))

    given = tuple(torch.tensor(x, requires_grad=True) for x in inputs)
    try:
        gradcheck(Subject.apply, given, check_forward_ad=True)
    except GradcheckError as error:
        return "fail", str(error)
    return "pass", ""


def _arrays(tensors: Any) -> list[Any]:
    return [t.detach().resolve_conj().numpy()[()] for t in tensors]


def jax_check(point: Point, mutant: Mutant | None) -> tuple[str, str]:
    """``jax.test_util.check_grads`` at order 1: a ``custom_jvp`` function forward, a ``custom_vjp`` one backward."""
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    inputs = fresh(point.inputs)
    backward, forward = pulled(point, mutant), pushed(point, mutant)

    def arrays(*given: Any) -> list[Any]:
        return [np.array(x)[()] for x in given]

    def value(*xs: Any) -> Any:
        return jnp.asarray(point.value(*arrays(*xs)))

    reverse = jax.custom_vjp(value)
    # JAX's cotangents are the conjugates of tapead's.
    reverse.defvjp(lambda *xs: (value(*xs), xs), lambda xs, g: tuple(
        jnp.asarray(np.conj(part)) for part in backward(*arrays(*xs, np.conj(g)))))
    ahead = jax.custom_jvp(value)
    ahead.defjvp(lambda xs, ts: (value(*xs), jnp.asarray(forward(*arrays(*xs, *ts)))))
    given = tuple(jnp.asarray(x) for x in inputs)
    try:
        check_grads(reverse, given, order=1, modes=["rev"])
        check_grads(ahead, given, order=1, modes=["fwd"])
    except AssertionError as error:
        return "fail", str(error)[:500]
    return "pass", ""


def hips(point: Point, mutant: Mutant | None) -> tuple[str, str]:
    """``autograd.test_util.check_grads`` at order 1, both modes."""
    from autograd.extend import defjvp, defvjp
    from autograd.extend import primitive as own
    from autograd.test_util import check_grads

    inputs = fresh(point.inputs)
    backward, forward = pulled(point, mutant), pushed(point, mutant)

    @own
    def value(*xs: Any) -> Any:
        return np.asarray(point.value(*xs))[()]

    def pull(position: int) -> Callable[..., Any]:
        return lambda ans, *xs: lambda g: np.conj(backward(*xs, np.conj(g))[position])

    def push(position: int) -> Callable[..., Any]:
        def along(g: Any, ans: Any, *xs: Any) -> Any:
            tangents = [np.zeros_like(x)[()] for x in xs]
            tangents[position] = g
            return forward(*xs, *tangents)

        return along

    defvjp(value, *[pull(k) for k in range(len(inputs))])
    defjvp(value, *[push(k) for k in range(len(inputs))])
    np.random.seed(0)  # what autograd draws its directions from
    which = tuple(range(len(inputs))) if len(inputs) > 1 else 0
    try:
        check_grads(value, which, modes=["fwd", "rev"], order=1)(*inputs)
    except AssertionError as error:
        return "fail", str(error)[:500]
    return "pass", ""


PEERS: dict[str, Checker] = {"PyTorch": pytorch, "JAX": jax_check, "HIPS autograd": hips}
CHECKERS.update(PEERS)
