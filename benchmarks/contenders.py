"""How each contender is asked for derivatives. A peer is imported only when its contender is built.

Functions to differentiate take the array module first (``function(np, x, ...)``): ``numpy`` for tapead,
``autograd.numpy`` for HIPS autograd, ``jax.numpy`` for JAX, and ``torch`` where the names agree; where a peer has an
idiom of its own (``lax.scan``, ``F.cross_entropy``), a workload gives it a function of its own. Inputs are made in
each contender's own form, and JAX compiles, before the clock starts.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy

Run = Callable[[], Any]
Builder = Callable[[], Run]
Data = Callable[[], tuple[Any, ...]]
Function = Callable[..., Any]

HAND, TAPEAD, TAPEAD_OWN, AUTOGRAD, TORCH, JAX = "by hand", "tapead", "tapead ta.*", "autograd", "PyTorch", "JAX jit"
CONTENDERS = (HAND, TAPEAD, TAPEAD_OWN, AUTOGRAD, TORCH, JAX)

#: The package that a contender needs.
PACKAGES = {TAPEAD: "tapead", TAPEAD_OWN: "tapead", AUTOGRAD: "autograd", TORCH: "torch", JAX: "jax"}


def available_cpus() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


#: PyTorch's threads. NumPy's BLAS and JAX take as many as there are processors to be used.
THREADS = min(2, available_cpus())


def is_installed(contender: str) -> bool:
    """Whether the package that a contender needs can be imported."""
    return contender not in PACKAGES or importlib.util.find_spec(PACKAGES[contender]) is not None


def import_torch() -> Any:
    """PyTorch, with as many threads as every run uses."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(THREADS)
    return torch


def import_jax() -> Any:
    """JAX on the CPU in double precision."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    return jax


def converted(container: Any, convert: Callable[[Any], Any]) -> Any:
    """Nested tuples and lists with every leaf converted."""
    if isinstance(container, (tuple, list)):
        return type(container)(converted(part, convert) for part in container)
    return convert(container)


def leaves(container: Any) -> list[Any]:
    """The leaves of nested tuples and lists, from left to right."""
    if isinstance(container, (tuple, list)):
        return [leaf for part in container for leaf in leaves(part)]
    return [container]


def torch_arguments(args: Sequence[Any], argnums: Sequence[int]) -> tuple[list[Any], list[Any]]:
    """Arguments as PyTorch tensors, and the leaves among them to differentiate in."""
    torch = import_torch()

    def to_tensor(value: Any) -> Any:
        return torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None)

    tensors = [converted(arg, to_tensor) for arg in args]
    inputs = [leaf.requires_grad_() for position in argnums for leaf in leaves(tensors[position])]
    return tensors, inputs


def compiled(function: Function, *args: Any) -> Run:
    """A function of JAX arrays, compiled; its call waits until the result is there."""
    jax = import_jax()
    arrays = converted(args, jax.numpy.asarray)
    jitted = jax.jit(function)
    jitted.lower(*arrays).compile()
    return lambda: jax.block_until_ready(jitted(*arrays))


def by_hand_contender(by_hand: Function, data: Data) -> Builder:
    """The hand-written derivative."""
    def build() -> Run:
        args = data()
        return lambda: by_hand(*args)

    return build


# ---------------------------------------------------------------------- value and gradient


def tapead_gradient(function: Function, data: Data, argnums: int | tuple[int, ...] = 0, module: Any = numpy) -> Builder:
    """``tapead.value_and_grad``."""
    def build() -> Run:
        import tapead

        derivative = tapead.value_and_grad(functools.partial(function, module), argnums)
        args = data()
        return lambda: derivative(*args)

    return build


def autograd_gradient(function: Function, data: Data, argnums: int | tuple[int, ...] = 0) -> Builder:
    """``autograd.value_and_grad``."""
    def build() -> Run:
        autograd = importlib.import_module("autograd")
        module = importlib.import_module("autograd.numpy")
        derivative = autograd.value_and_grad(functools.partial(function, module), argnums)
        args = data()
        return lambda: derivative(*args)

    return build


def torch_gradient(function: Function, data: Data, argnums: int | tuple[int, ...] = 0) -> Builder:
    """``torch.autograd.grad`` of an eager evaluation."""
    def build() -> Run:
        torch = import_torch()
        args, inputs = torch_arguments(data(), [argnums] if isinstance(argnums, int) else argnums)

        def run() -> Any:
            value = function(torch, *args)
            return value, torch.autograd.grad(value, inputs)

        return run

    return build


def jax_gradient(function: Function, data: Data, argnums: int | tuple[int, ...] = 0) -> Builder:
    """``jax.jit(jax.value_and_grad(f))``."""
    def build() -> Run:
        jax = import_jax()
        return compiled(jax.value_and_grad(functools.partial(function, jax.numpy), argnums), *data())

    return build


def gradients(function: Function, data: Data, by_hand: Function, argnums: int | tuple[int, ...] = 0, *,
              torch_function: Function | None = None, jax_function: Function | None = None) -> dict[str, Builder]:
    """Every contender for the value and gradient of a function of one real result."""
    return {HAND: by_hand_contender(by_hand, data),
            TAPEAD: tapead_gradient(function, data, argnums),
            AUTOGRAD: autograd_gradient(function, data, argnums),
            TORCH: torch_gradient(torch_function or function, data, argnums),
            JAX: jax_gradient(jax_function or function, data, argnums)}


# ---------------------------------------------------------------------- second order and Jacobians


def hessian_products(function: Function, data: Data, by_hand: Function) -> dict[str, Builder]:
    """Every contender for H v of a function of one array; `data` returns the point and the vector."""
    def build_tapead() -> Run:
        import tapead

        shared = functools.partial(function, numpy)
        x, v = data()
        return lambda: tapead.hvp(shared, (x,), (v,))

    def build_autograd() -> Run:
        autograd = importlib.import_module("autograd")
        product = autograd.make_hvp(functools.partial(function, importlib.import_module("autograd.numpy")))
        x, v = data()
        return lambda: product(x)[0](v)

    def build_torch() -> Run:
        torch = import_torch()
        (x, v), _ = torch_arguments(data(), [0])

        def run() -> Any:
            gradient, = torch.autograd.grad(function(torch, x), x, create_graph=True)
            return torch.autograd.grad(gradient, x, v)

        return run

    def build_jax() -> Run:
        jax = import_jax()
        gradient = jax.grad(functools.partial(function, jax.numpy))
        return compiled(lambda x, v: jax.jvp(gradient, (x,), (v,))[1], *data())

    return {HAND: by_hand_contender(by_hand, data), TAPEAD: build_tapead, AUTOGRAD: build_autograd,
            TORCH: build_torch, JAX: build_jax}


def matrices(function: Function, data: Data, by_hand: Function, *, tapead: str, autograd: str, torch: str,
             jax: str) -> dict[str, Builder]:
    """Every contender for a full derivative matrix in the first argument, by the transform's name in each package."""
    def build_tapead() -> Run:
        package = importlib.import_module("tapead")
        derivative = getattr(package, tapead)(functools.partial(function, numpy))
        args = data()
        return lambda: derivative(*args)

    def build_autograd() -> Run:
        package = importlib.import_module("autograd")
        derivative = getattr(package, autograd)(functools.partial(function, importlib.import_module("autograd.numpy")))
        args = data()
        return lambda: derivative(*args)

    def build_torch() -> Run:
        package = import_torch()
        derivative = getattr(package.func, torch)(functools.partial(function, package))
        args, _ = torch_arguments(data(), [])
        return lambda: derivative(*args)

    def build_jax() -> Run:
        package = import_jax()
        return compiled(getattr(package, jax)(functools.partial(function, package.numpy)), *data())

    return {HAND: by_hand_contender(by_hand, data), TAPEAD: build_tapead, AUTOGRAD: build_autograd,
            TORCH: build_torch, JAX: build_jax}
