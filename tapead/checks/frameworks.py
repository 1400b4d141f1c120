"""Checking derivatives that PyTorch or JAX computes: of their functions as they stand, custom rules included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..containers import flatten
from .gradcheck import gradcheck
from .report import Report

__all__ = ["check_jax", "check_torch"]


def check_torch(fn: Callable[..., Any], inputs: Any, **options: Any) -> Report:
    """Check the gradients that PyTorch's autograd computes for a function, ``autograd.Function`` included.

    Parameters
    ----------
    fn : callable
        Takes tensors, returns a tensor or a nested container of tensors. It is called many times and must be
        deterministic.
    inputs : torch.Tensor or sequence of torch.Tensor
        The point: floating-point tensors, of double precision where digits matter. They are not changed.
    **options
        Of :func:`tapead.gradcheck`.

    Returns
    -------
    Report
        Truthy when the derivative is right.

    Raises
    ------
    GradcheckError
        If it is wrong, unless ``raise_exception=False``.
    ImportError
        If PyTorch is not installed: ``pip install "tapead[torch]"``.
    TypeError
        If an input is no floating-point tensor.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError('check_torch needs PyTorch, which is not installed: pip install "tapead[torch]"') from error
    tensors = [inputs] if isinstance(inputs, torch.Tensor) else list(inputs)
    for position, tensor in enumerate(tensors):
        if not isinstance(tensor, torch.Tensor) or not (tensor.is_floating_point() or tensor.is_complex()):
            raise TypeError(f"check_torch: input {position} must be a floating-point tensor, not "
                            f"{getattr(tensor, 'dtype', type(tensor).__name__)}; close over what is not differentiated")

    def of_arrays(arrays: Any, track: bool) -> list[Any]:
        return [torch.tensor(np.array(array), dtype=like.dtype, device=like.device, requires_grad=track)
                for array, like in zip(arrays, tensors, strict=True)]

    def to_array(value: Any) -> Any:
        return value.detach().cpu().numpy()[()] if isinstance(value, torch.Tensor) else value

    def function(*arrays: Any) -> Any:
        outputs, rebuild = flatten(fn(*of_arrays(arrays, True)))
        return rebuild([to_array(output) for output in outputs])

    def vjp(*arrays_and_cotangent: Any) -> Any:
        *arrays, cotangent = arrays_and_cotangent
        points = of_arrays(arrays, True)
        outputs, _ = flatten(fn(*points))
        pairs = [(output, torch.tensor(np.array(weight), dtype=output.dtype, device=output.device))
                 for output, weight in zip(outputs, flatten(cotangent)[0], strict=True) if output.requires_grad]
        if not pairs:
            return tuple(np.zeros_like(array) for array in arrays)
        found = torch.autograd.grad([output for output, _ in pairs], points, [weight for _, weight in pairs],
                                    allow_unused=True)
        return tuple(np.zeros_like(array) if gradient is None else to_array(gradient)
                     for gradient, array in zip(found, arrays, strict=True))

    return gradcheck(function, tuple(to_array(tensor) for tensor in tensors), vjp=vjp, **options)


def check_jax(fn: Callable[..., Any], *args: Any, **options: Any) -> Report:
    """Check the derivatives that JAX computes for a function, ``custom_vjp`` and ``custom_jvp`` included.

    Reverse mode is checked, and forward mode after it where the function has one.

    Parameters
    ----------
    fn : callable
        Takes arrays, returns an array or a nested container of arrays.
    *args : arrays or numbers
        The point, in floating point; double precision is switched on for the check.
    **options
        Of :func:`tapead.gradcheck`.

    Returns
    -------
    Report
        Truthy when the derivatives are right.

    Raises
    ------
    GradcheckError
        If one is wrong, unless ``raise_exception=False``.
    ImportError
        If JAX is not installed: ``pip install "tapead[jax]"``.
    """
    try:
        import jax
    except ImportError as error:
        raise ImportError('check_jax needs JAX, which is not installed: pip install "tapead[jax]"') from error
    points = tuple(np.asarray(arg)[()] for arg in args)

    def to_arrays(container: Any) -> Any:
        leaves, rebuild = flatten(container)
        return rebuild([np.asarray(leaf)[()] for leaf in leaves])

    def function(*arrays: Any) -> Any:
        return to_arrays(fn(*map(jax.numpy.asarray, arrays)))

    def vjp(*arrays_and_cotangent: Any) -> Any:
        *arrays, cotangent = arrays_and_cotangent
        _, pull = jax.vjp(fn, *map(jax.numpy.asarray, arrays))
        leaves, rebuild = flatten(cotangent)
        return tuple(to_arrays(pull(rebuild([jax.numpy.asarray(leaf) for leaf in leaves]))))

    def jvp(*arrays: Any) -> Any:
        given = tuple(map(jax.numpy.asarray, arrays))
        half = len(given) // 2
        return to_arrays(jax.jvp(fn, given[:half], given[half:])[1])

    with jax.enable_x64(True):
        report = gradcheck(function, points, vjp=vjp, **options)
        try:
            jvp(*points, *points)
        except TypeError:  # a custom_vjp has no forward mode
            return report
        forward = gradcheck(function, points, jvp=jvp, **options)
    return report if report.verdict != "pass" else forward
