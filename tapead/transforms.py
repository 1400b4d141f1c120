"""JAX's and HIPS autograd's way to ask for derivatives: functions of functions.

Each transform lets fresh tensors stand in for its arguments, records the function once and sweeps. They nest in any
order, to any depth: a tensor that an outer transform tracks is linked to its stand-in by the identity, and where a
result still depends on anything tracked outside, the sweep itself is recorded.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Sequence
from typing import Any

import numpy as np

from .collector import be_patient, be_usual
from .containers import Rebuild, flatten, flatten_like
from .recordings import Function, Recording, called, plain_value
from .tensor import Tensor

__all__ = ["grad", "jvp", "linearize", "value_and_grad", "vjp"]

Positions = int | Sequence[int]


class _Transformed:
    """A function made from another one; it can be pickled where that one can, and is a method in a class body."""

    def __init__(self, derive: Function, f: Function, *options: Any) -> None:
        functools.update_wrapper(self, f)
        self._derive = derive
        self._function = f
        self._options = options

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        be_patient()  # until what was recorded has been swept, and freed
        try:
            return self._derive(self._function, args, kwargs, *self._options)
        finally:
            be_usual()

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> Any:
        found: Any = sys.modules.get(self.__module__)
        name: str = getattr(self, "__qualname__", "")
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is self:  # used as a decorator, it has taken the name of its function
            return name
        return _Transformed, (self._derive, self._function, *self._options)

    def __repr__(self) -> str:
        return f"<{self._derive.__name__.strip('_').replace('_', ' ')} {called(self._function)}>"


def _is_one(argnums: Positions) -> bool:
    return isinstance(argnums, (int, np.integer))


def _positions(argnums: Positions, args: Sequence[Any], name: str, function: Function) -> list[int]:
    if argnums == 0 and argnums.__class__ is int and args:
        return [0]
    wanted: list[Any] = [argnums] if isinstance(argnums, (int, np.integer)) else list(argnums)
    if len({position % len(args) for position in wanted if args}) < len(wanted) <= len(args):
        raise TypeError(f"{name}: argnums={argnums!r} names an argument twice")
    for position in wanted:
        if not -len(args) <= position < len(args):
            raise TypeError(f"{name}: argnums={argnums!r}, but {called(function)} was called with {len(args)} "
                            "positional arguments")
    return [position % len(args) for position in wanted]


def _scalar_output(recording: Recording, function: Function) -> Any:
    """The one number that a gradient is of."""
    if len(recording.outputs) != 1:
        raise TypeError(f"{recording.name}: {called(function)} must return one number, it returned "
                        f"{len(recording.outputs)} values; use jacobian or vjp (or has_aux=True for extra results)")
    output = recording.outputs[0]
    value = plain_value(output)
    if value.__class__ is np.float64:
        return output
    if np.size(value) != 1:
        raise TypeError(f"{recording.name}: {called(function)} must return one number, it returned shape "
                        f"{np.shape(value)}; use jacobian or vjp, or reduce it, for instance by .sum()")
    if np.asarray(value).dtype.kind == "b":
        raise TypeError(f"{recording.name}: {called(function)} must return one number, it returned a truth value")
    if np.iscomplexobj(value):
        raise TypeError(f"{recording.name}: {called(function)} must return a real number, it returned a complex one; "
                        "differentiate its real or imaginary part, or use vjp")
    return output


def value_and_grad(f: Function, argnums: Positions = 0, has_aux: bool = False) -> Function:
    """A function that returns the value of `f` and its gradient.

    Parameters
    ----------
    f : callable
        Returns one real number (or with `has_aux` a pair of that and anything).
    argnums : int or sequence of int
        Which positional arguments to differentiate in. Each may be a number, an array, or nested tuples, lists and
        dicts.
    has_aux : bool
        Whether `f` returns ``(value, auxiliary)``.

    Returns
    -------
    callable
        ``(value, gradient)``, or ``((value, auxiliary), gradient)``; the gradient has the structure, shapes and dtypes
        of the argument, as a tuple of such where `argnums` is a sequence.

    Raises
    ------
    TypeError
        If `f` does not return one real number, or an argument is not floating-point or complex.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> ta.value_and_grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))
    """
    return _Transformed(_value_and_gradient_of, f, argnums, has_aux)


def _value_and_gradient_of(f: Function, args: tuple[Any, ...], kwargs: dict[str, Any], argnums: Positions,
                        has_aux: bool) -> Any:
    recording = Recording("value_and_grad", f, args, kwargs, _positions(argnums, args, "value_and_grad", f), has_aux)
    output = _scalar_output(recording, f)
    gradient = _gradient(recording, output, argnums)
    value = recording.out
    if has_aux:
        leaves, rebuild = flatten(recording.auxiliary)
        return (value, rebuild(recording.hand_out(leaves))), gradient
    return value, gradient


def grad(f: Function, argnums: Positions = 0) -> Function:
    """A function that returns the gradient of `f`.

    Parameters
    ----------
    f : callable
        Returns one real number.
    argnums : int or sequence of int
        Which positional arguments to differentiate in.

    Returns
    -------
    callable
        Takes the arguments of `f`; see :func:`value_and_grad`.

    Raises
    ------
    TypeError
        If `f` does not return one real number, or an argument is not floating-point or complex.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> ta.grad(np.sin)(0.0)
    np.float64(1.0)
    >>> ta.grad(ta.grad(lambda x, y: x**3 * y))(2.0, 1.0)
    np.float64(12.0)
    """
    return _Transformed(_gradient_of, f, argnums)


def _gradient_of(f: Function, args: tuple[Any, ...], kwargs: dict[str, Any], argnums: Positions) -> Any:
    recording = Recording("grad", f, args, kwargs, _positions(argnums, args, "grad", f))
    return _gradient(recording, _scalar_output(recording, f), argnums)


def _gradient(recording: Recording, output: Any, argnums: Positions) -> Any:
    value = plain_value(output)
    seed = _ONE if value.__class__ is np.float64 else np.ones_like(value)[()]
    results = recording.rebuild_inputs(recording.pull([seed], keep=False))
    return results[0] if _is_one(argnums) else results


_ONE = np.float64(1.0)


def vjp(f: Function, *primals: Any) -> tuple[Any, Function]:
    """The value of `f` and its vector-Jacobian product (reverse mode).

    Parameters
    ----------
    f : callable
        Takes `primals`; returns arrays or nested containers of them.
    *primals : arrays, numbers or containers of them
        The point.

    Returns
    -------
    out : as `f` returns it
    vjp_fn : callable
        ``vjp_fn(cotangent)`` takes what has the structure and shapes of `out` and returns a tuple with the cotangent of
        each primal. It may be called any number of times.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> out, vjp_fn = ta.vjp(lambda x: x**2, np.array([1.0, 2.0]))
    >>> vjp_fn(np.array([1.0, 10.0]))
    (array([ 2., 40.]),)
    """
    recording = Recording("vjp", f, primals, {}, range(len(primals)), lasting=True)

    def vjp_fn(cotangent: Any) -> tuple[Any, ...]:
        seeds = _matching(cotangent, recording.rebuild_outputs, recording.outputs, "vjp", "cotangent", "output")
        return recording.rebuild_inputs(recording.pull(seeds, keep=True))  # type: ignore[no-any-return]  # of a tuple

    return recording.lasting_out, vjp_fn


def jvp(f: Function, primals: Any, tangents: Any) -> tuple[Any, Any]:
    """The value of `f` and its Jacobian-vector product (forward mode).

    Parameters
    ----------
    f : callable
        Takes ``*primals``; returns arrays or nested containers of them.
    primals, tangents : tuple or list
        The point and the direction: the same structure and shapes. A bare array stands for a tuple of one.

    Returns
    -------
    out, tangent_out : as `f` returns it

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> ta.jvp(np.sin, (0.0,), (2.0,))
    (np.float64(0.0), np.float64(2.0))
    """
    point = _as_tuple(primals)
    recording = Recording("jvp", f, point, {}, range(len(point)))
    return recording.out, _pushed(recording, _as_tuple(tangents))


def linearize(f: Function, *primals: Any) -> tuple[Any, Function]:
    """The value of `f` and its derivative at a point as a linear function (forward mode, recorded once).

    Parameters
    ----------
    f : callable
        Takes `primals`; returns arrays or nested containers of them.
    *primals : arrays, numbers or containers of them
        The point.

    Returns
    -------
    out : as `f` returns it
    jvp_fn : callable
        ``jvp_fn(*tangents)``, the tangents having the structure and shapes of `primals`.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> out, jvp_fn = ta.linearize(lambda x: x**2, np.array([1.0, 2.0]))
    >>> jvp_fn(np.array([1.0, 0.5]))
    array([2., 2.])
    """
    recording = Recording("linearize", f, primals, {}, range(len(primals)), lasting=True)
    return recording.lasting_out, lambda *tangents: _pushed(recording, tangents)


def _pushed(recording: Recording, tangents: tuple[Any, ...]) -> Any:
    given = _matching(tangents, recording.rebuild_inputs, recording.inputs, recording.name, "tangent", "primal")
    return recording.rebuild_outputs(recording.push(given))


def _as_tuple(values: Any) -> tuple[Any, ...]:
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)


def _matching(container: Any, rebuild: Rebuild, expected: Sequence[Any], name: str, what: str, of: str) -> list[Any]:
    """Cotangents or tangents, flattened, checked against what they belong to and cast to its dtype."""
    try:
        given = flatten_like(container, rebuild(expected))
    except ValueError as error:
        raise ValueError(f"{name}: the {what}s have another structure than the {of}s: {error}") from None
    results = []
    for position, (value, like) in enumerate(zip(given, expected, strict=True)):
        if not isinstance(value, Tensor):
            value = np.asarray(value)
        dtype = np.asarray(plain_value(like)).dtype
        if value.shape != np.shape(plain_value(like)):
            raise ValueError(f"{name}: {what} {position} has shape {value.shape}, its {of} has shape "
                             f"{np.shape(plain_value(like))}")
        if (value.dtype.kind == "c" and dtype.kind == "f") or value.dtype.kind not in "fciub":
            raise TypeError(f"{name}: {what} {position} has dtype {value.dtype}, its {of} has dtype {dtype}")
        if value.dtype != dtype and dtype.kind in "fc":
            value = value.astype(dtype)
        results.append(value if isinstance(value, Tensor) else value[()])
    return results
