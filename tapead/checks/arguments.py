"""What gradcheck is given, made uniform; whatever cannot be meant is refused with what was expected."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..containers import flatten, map_structure
from ..registry import value_of

__all__ = ["LEGS", "as_one_array", "callables", "chosen_legs", "labels_of", "normalised", "takes", "tolerance"]

Function = Callable[..., Any]

#: The legs that can be asked for, by the names that the report gives them.
LEGS = ("contract", "numeric", "complex step", "mpmath", "symbolic", "forward AD", "reverse AD", "batched")
_SHORT = {"complex": "complex step", "sympy": "symbolic", "forward": "forward AD", "fwd": "forward AD",
          "reverse": "reverse AD", "rev": "reverse AD", "precise": "mpmath", "jacobian": "batched"}


def chosen_legs(legs: Iterable[str] | None) -> frozenset[str]:
    """The legs by their names in the report; all but the batched one where none are named."""
    if legs is None:
        return frozenset(LEGS) - {"batched"}
    names = [legs] if isinstance(legs, str) else list(legs)
    found = frozenset(_SHORT.get(name, name) for name in names)
    for name in found - set(LEGS):
        raise ValueError(f"gradcheck: there is no leg {name!r}; choose from {', '.join(map(repr, LEGS))}")
    if not found:
        raise ValueError("gradcheck: legs is empty: there is nothing to compare")
    return found


def callables(f: Any, **derivatives: Any) -> tuple[Function, dict[str, Function]]:
    """The function and the derivatives that were given, SciPy's ways (a tuple, ``jac=True``) among them."""
    given = {name: derivative for name, derivative in derivatives.items() if derivative is not None}
    if isinstance(f, (tuple, list)):
        parts = dict(zip(("jac", "hess"), f[1:], strict=False))
        if not 2 <= len(f) <= 3:
            raise TypeError(f"gradcheck: a tuple of {len(f)} in place of the function; expected (fun, jac) or "
                            "(fun, jac, hess)")
        for name in parts.keys() & given.keys():
            raise TypeError(f"gradcheck: {name} is given twice, in the tuple and as {name}=")
        f, given = f[0], {**parts, **given}
    if not callable(f):
        raise TypeError(f"gradcheck: the function must be callable, not {type(f).__name__}")
    if given.get("jac") is True:
        both = f
        f, given["jac"] = (lambda *inputs: _pair(both(*inputs))[0]), (lambda *inputs: _pair(both(*inputs))[1])
    for name, derivative in given.items():
        if not callable(derivative):
            hint = f"; for a Jacobian that is known, {name}=lambda *inputs: J" if np.ndim(derivative) else ""
            raise TypeError(f"gradcheck: {name} must be callable, not {type(derivative).__name__}{hint}")
    if {"hess", "hessp"} <= given.keys():
        raise TypeError("gradcheck: give hess= or hessp=, not both")
    return f, given


def _pair(result: Any) -> Any:
    if not (isinstance(result, tuple) and len(result) == 2):
        raise TypeError(f"gradcheck: with jac=True the function must return (value, gradient), not "
                        f"{type(result).__name__}")
    return result


def as_one_array(f: Function) -> Function:
    """A function that may return a list of numbers as one that returns them in an array, as SciPy takes it."""
    def function(*inputs: Any) -> Any:
        result = f(*inputs)
        if isinstance(result, list) and len(result) > 1 and all(
                isinstance(value, (int, float, np.number)) for value in result):
            return np.array(result)
        return result

    return function


def normalised(inputs: Any) -> tuple[Any, ...]:
    """The inputs as a tuple of floating-point arrays, numbers and containers."""
    if isinstance(inputs, list):
        inputs = tuple(inputs) if any(np.ndim(value_of(x)) > 0 and not isinstance(x, list) for x in inputs) else (
            np.asarray(inputs),)
    args = inputs if isinstance(inputs, tuple) else (inputs,)
    position = -1

    def leaf(value: Any) -> Any:
        nonlocal position
        position += 1
        value = value_of(value)
        if value.__class__ in (int, float, complex):
            value = np.complex128(value) if isinstance(value, complex) else np.float64(value)
        array = np.array(value)
        if array.dtype.kind not in "fc":
            if value is None:
                raise TypeError(f"gradcheck: input {position} is None; inputs must be floating-point numbers or arrays")
            cast = "; cast it, x.astype(float)" if array.dtype.kind in "iubO" else ""
            raise TypeError(f"gradcheck: inputs must be floating-point numbers or arrays, not "
                            f"{type(value).__name__} of dtype {array.dtype}{cast} (input {position})")
        if not np.all(np.isfinite(array)):
            place = np.argwhere(~np.isfinite(array))[0]
            where = f" at {tuple(map(int, place))}" if array.ndim else ""
            raise ValueError(f"gradcheck: the inputs contain NaN or infinity: input {position} is "
                             f"{array[tuple(place)]}{where}")
        return array[()]

    args = tuple([map_structure(leaf, arg) for arg in args])
    if not flatten(args)[0]:
        raise ValueError("gradcheck: there are no inputs: give a tuple of them, or one array or number")
    return args


def labels_of(args: tuple[Any, ...], names: Sequence[str] | None) -> list[str]:
    """What the report calls the inputs."""
    count = len(flatten(args)[0])
    if names is None:
        return ["x"] if count == 1 else [f"x{k}" for k in range(count)]
    names = [names] if isinstance(names, str) else list(names)
    if len(names) != count:
        raise ValueError(f"gradcheck: {len(names)} names for {count} inputs")
    return names


def takes(name: str, function: Function, count: int, inputs: int) -> None:
    """Refuse a function that cannot be called with `count` arguments."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # not everything has one
        return
    try:
        signature.bind(*[None] * count)
    except TypeError as error:
        what = {"f": "the function", "vjp": "vjp (the inputs, then the cotangent)",
                "jvp": "jvp (the inputs, then as many tangents)"}.get(name, name)
        raise TypeError(f"gradcheck: {what} cannot be called with {count} argument{'s' * (count != 1)}: {error}; "
                        f"{inputs} input{'s were' if inputs != 1 else ' was'} given (a tuple is one input for each "
                        "element, an array is one input)") from None


def tolerance(name: str, value: float | None) -> None:
    """Refuse a tolerance that is no number from 0 on."""
    if value is not None and not (isinstance(value, (int, float, np.floating)) and 0 <= value < np.inf):
        raise ValueError(f"gradcheck: {name} must be a number from 0 on, not {value!r}")
