"""Checking derivatives that PyTorch or JAX computes: of their functions as they stand, custom rules included."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ..containers import flatten, flatten_like, map_structure
from .gradcheck import gradcheck
from .report import Report

__all__ = ["check_jax", "check_torch"]

#: From how many seconds per evaluation on a function of JAX is compiled.
SLOW = 0.01


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
        if tensor.dtype == torch.bfloat16:
            raise TypeError(f"check_torch: input {position} is of dtype bfloat16, which NumPy does not have; use "
                            "x.float() or x.double()")

    def of_arrays(arrays: Any, track: bool) -> list[Any]:
        # Of the array's own dtype: where it was single, gradcheck looks at the values in double precision.
        return [torch.tensor(np.array(array), device=like.device, requires_grad=track)
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
    points = map_structure(lambda leaf: np.asarray(leaf)[()], args)

    def double_precision(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arrays: Any) -> Any:
            with jax.enable_x64(True):
                return call(*arrays)
        return called

    def to_arrays(container: Any) -> Any:
        return map_structure(lambda leaf: np.asarray(leaf)[()], container)

    def from_arrays(container: Any, like: Any = None) -> Any:
        leaves, rebuild = flatten(container)
        models = leaves if like is None else flatten_like(like, container)  # JAX sorts the keys of dicts
        return rebuild([jax.numpy.asarray(leaf, dtype=model.dtype) for leaf, model in zip(leaves, models, strict=True)])

    def pulled(arrays: Any, cotangent: Any) -> Any:
        output, pull = jax.vjp(fn, *arrays)
        # JAX pairs complex numbers without conjugation.
        return map_structure(jax.numpy.conj, pull(map_structure(jax.numpy.conj, from_arrays(cotangent, output))))

    def pushed(arrays: Any, tangents: Any) -> Any:
        return jax.jvp(fn, arrays, from_arrays(tangents, arrays))[1]

    @double_precision  # which is each thread's own affair, and some calls are timed in a thread of theirs
    def function(*arrays: Any) -> Any:
        return to_arrays(evaluate(*from_arrays(arrays)))

    @double_precision
    def vjp(*arrays_and_cotangent: Any) -> Any:
        *arrays, cotangent = arrays_and_cotangent
        return to_arrays(pulled(from_arrays(tuple(arrays)), cotangent))

    @double_precision
    def jvp(*arrays: Any) -> Any:
        half = len(arrays) // 2
        return to_arrays(pushed(from_arrays(arrays[:half]), arrays[half:]))

    evaluate = fn
    with jax.enable_x64(True):
        if _is_slow(lambda: function(*points)):  # loops are compiled anew at every call
            compiled = jax.jit(fn)
            try:
                compiled(*from_arrays(points))
            except Exception:  # branches on values cannot be compiled
                pass
            else:
                evaluate, pulled, pushed = compiled, jax.jit(pulled), jax.jit(pushed)
        report = gradcheck(function, points, vjp=vjp, **options)
        try:
            jvp(*points, *points)
        except TypeError:  # a custom_vjp has no forward mode
            return report
        forward = gradcheck(function, points, jvp=jvp, **options)
    return report if report.verdict != "pass" else forward


def _is_slow(call: Callable[[], Any]) -> bool:
    """Whether a call takes long the second time as well."""
    call()
    began = time.perf_counter()
    call()
    return time.perf_counter() - began > SLOW
