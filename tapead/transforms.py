"""JAX's and HIPS autograd's way to ask for derivatives: functions of functions.

Each transform lets fresh tensors stand in for its arguments, records the function once and sweeps. They nest in any
order, to any depth: a tensor that an outer transform tracks is linked to its stand-in by the identity, and where a
result still depends on anything tracked outside, the sweep itself is recorded.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .batch import Batch
from .collector import be_patient, be_usual
from .containers import Rebuild, flatten, flatten_like, map_structure
from .graph import cone, downstream
from .hooks import hooked
from .protocols import watch
from .sweeps import forward, reverse
from .tape import Entry, Scope, looking_for_anomalies, reset_current_scope, set_current_scope, start_scope
from .tensor import Tensor, _wrap

__all__ = ["grad", "jvp", "linearize", "value_and_grad", "vjp"]

Function = Callable[..., Any]
Positions = int | Sequence[int]


class Recording:
    """A function recorded at a point: what every transform starts from.

    Attributes
    ----------
    inputs : list of Tensor
        The stand-ins for the differentiable arguments, flattened.
    outputs : list
        The function's results, flattened; those that depend on no input may be plain.
    foreign : bool
        Whether something tracked outside took part.
    nested : bool
        Whether it did and recording was on there: then derivatives have to be differentiable themselves.
    """

    __slots__ = ("name", "inputs", "rebuild_inputs", "outputs", "rebuild_outputs", "auxiliary", "foreign",
                 "nested", "enabled", "from_tensor", "_order")

    def __init__(self, name: str, function: Function, args: Sequence[Any], kwargs: dict[str, Any],
                 positions: Sequence[int], has_aux: bool = False, lasting: bool = False) -> None:
        self.name = name
        around = start_scope()
        self.enabled = around.enabled
        values, rebuild = flatten(tuple([args[position] for position in positions]))
        values = [_differentiable(value, name, function) for value in values]
        self.rebuild_inputs: Rebuild = rebuild
        self.from_tensor = [value.__class__ is Tensor for value in values]
        tracked = True in self.from_tensor and any([value.__class__ is Tensor and value._entry is not None
                                                    for value in values])
        scope = Scope(around.tape, around, lasting=lasting or tracked)
        token = set_current_scope(scope)
        be_patient()
        try:
            if lasting:  # the sweeps come later, when the caller may have changed his arrays
                values = [value.copy("K") if isinstance(value, np.ndarray) else value for value in values]
            self.inputs = [watch(value if around.enabled else _plain(value)) for value in values]
            replaced = list(args)
            # Handles of their own: the function may write into what it is given.
            handles = rebuild([_wrap(stand_in._value, stand_in._entry) for stand_in in self.inputs])
            for position, handle in zip(positions, handles, strict=True):
                replaced[position] = handle
            result = function(*replaced, **kwargs)
        finally:
            be_usual()
            reset_current_scope(token)
        self.auxiliary = None
        if has_aux:
            if not (isinstance(result, tuple) and len(result) == 2):
                raise TypeError(f"{name}: with has_aux=True {_called(function)} must return (value, auxiliary), not "
                                f"{type(result).__name__}")
            result, self.auxiliary = result
        self._order: list[Entry] | None = None
        self.outputs, self.rebuild_outputs = flatten(result)
        others = flatten(self.auxiliary)[0] if has_aux else ()
        for output in self.outputs:
            if output.__class__ is not Tensor:
                _check_output(output, name, function)
        for output in (*self.outputs, *others):
            entry = _entry(output)
            if entry is not None and entry.scope is not scope:  # handed on from outside without any operation
                scope.take_in(entry)
        self.foreign = scope.foreign
        self.nested = scope.foreign and around.enabled

    def hand_out(self, results: Iterable[Any]) -> list[Any]:
        """Results as the caller gets them: plain, unless tensors came in or something outside is differentiated too."""
        if self.nested:
            return list(results)
        as_tensor = True in self.from_tensor
        held = {id(stand_in._value) for stand_in in self.inputs}
        return [_own(value._value, value, held, as_tensor) if isinstance(value, Tensor) else value for value in results]

    @property
    def stops(self) -> set[Entry]:
        """The entries of the inputs."""
        return {stand_in._entry for stand_in in self.inputs}  # type: ignore[misc]  # a stand-in is tracked

    @property
    def ends(self) -> set[Entry]:
        """The entries of the outputs."""
        return {output._entry for output in self.outputs if output.__class__ is Tensor and output._entry is not None}

    @property
    def order(self) -> list[Entry]:
        """The cone of the outputs down to the inputs."""
        if self._order is None:
            self._order = cone([entry for entry in map(_entry, self.outputs) if entry is not None], self.stops)
        return self._order

    @property
    def out(self) -> Any:
        """The function's result."""
        return self.rebuild_outputs(self.hand_out(self.outputs))

    @property
    def lasting_out(self) -> Any:
        """The function's result, sharing no memory with the tape."""
        return map_structure(lambda value: value.copy() if isinstance(value, np.ndarray) else value, self.out)

    def pull(self, cotangents: Sequence[Any], *, keep: bool) -> list[Any]:
        """The cotangents of the inputs, flattened, from those of the outputs; zeros for an unused input."""
        seeds = [(output._entry, cotangent) for output, cotangent in zip(self.outputs, cotangents, strict=True)
                 if output.__class__ is Tensor and output._entry is not None]
        # A tracked cotangent records what is done to it; that alone does not make the rules differentiate the inputs.
        if self.foreign:
            # What lies outside is another transform's to sweep, and not ours to free.
            found = reverse(seeds, record=self.nested, stops=self.stops, only=downstream(self.order, self.stops))
        else:
            found = reverse(seeds, freed_by=None if keep else self.name)
        results = []
        held = {id(cotangent) for _, cotangent in seeds}
        for stand_in, from_tensor in zip(self.inputs, self.from_tensor, strict=True):
            result = found.get(stand_in._entry)  # type: ignore[arg-type]  # a stand-in is tracked
            results.append(_own(result, stand_in, held, from_tensor))
        return results

    def push(self, tangents: Sequence[Any]) -> list[Any]:
        """The tangents of the outputs, flattened, from those of the inputs; zeros for a constant output."""
        entries: list[Any] = [stand_in._entry for stand_in in self.inputs]
        known: dict[Entry, Any] = dict(zip(entries, tangents, strict=True))
        forward(self.order, known, record=self.nested, wanted=self.ends)
        held = set(map(id, tangents))
        keep = any(self.from_tensor)
        return [_own(known.get(_entry(output)), output, held, keep) for output in self.outputs]  # type: ignore[arg-type]  # None is never a key


    @property
    def at_once(self) -> int:
        """How many sweeps are best made at once; 1 where they have to be made one by one."""
        if self.nested or hooked or looking_for_anomalies.get() or not all(
                stand_in.dtype.kind == "f" for stand_in in self.inputs):
            return 1
        sizes = [entry.output.size for entry in self.order]
        largest: int = max([1, *sizes, *[stand_in.size for stand_in in self.inputs]])
        # A large array that gives a small one, as a matrix in a product, is read (or factored) once for as many as go
        # at once: that is worth more than the cache.
        reads_much = any([getattr(value, "size", 1) >= _AT_ONCE and value.size > size
                          for entry, size in zip(self.order, sizes, strict=True) for value in entry.inputs or ()])
        return max(1, (_AT_ONCE_READING_MUCH if reads_much else _AT_ONCE) // largest)

    def pull_many(self, cotangents: Sequence[Any]) -> list[Any]:
        """`pull` of many cotangents: all arrays have one more axis in front."""
        seeds = [(output._entry, Batch(cotangent)) for output, cotangent in zip(self.outputs, cotangents, strict=True)
                 if _entry(output) is not None]
        if self.foreign:
            found = reverse(seeds, stops=self.stops, only=downstream(self.order, self.stops), batched=True)
        else:
            found = reverse(seeds, batched=True)
        count = len(cotangents[0])
        return [_rows(found.get(stand_in._entry), stand_in, count, from_tensor)  # type: ignore[arg-type]  # as above
                for stand_in, from_tensor in zip(self.inputs, self.from_tensor, strict=True)]

    def push_many(self, tangents: Sequence[Any]) -> list[Any]:
        """`push` of many tangents: all arrays have one more axis in front."""
        entries: list[Any] = [stand_in._entry for stand_in in self.inputs]
        known: dict[Entry, Any] = dict(zip(entries, map(Batch, tangents), strict=True))
        forward(self.order, known, wanted=self.ends)
        count = len(tangents[0])
        as_tensor = True in self.from_tensor
        return [_rows(known.get(_entry(output)), output, count, as_tensor)  # type: ignore[arg-type]  # as above
                for output in self.outputs]


#: So many elements of the largest array go into one batch: more would leave the cache.
_AT_ONCE = 1 << 15
_AT_ONCE_READING_MUCH = 1 << 22


def _rows(batch: Any, like: Any, count: int, as_tensor: bool) -> Any:
    """The values of a batch, zeros where there is none."""
    if batch is None:
        dtype = np.asarray(_plain(like)).dtype
        values = np.zeros((count, *np.shape(_plain(like))), dtype if dtype.kind in "fc" else float)
    else:
        values = batch.values
    return _wrap(values, None) if as_tensor else values


class _Transformed:
    """A function made from another one; it can be pickled where that one can, and is a method in a class body."""

    def __init__(self, derive: Function, f: Function, *options: Any) -> None:
        functools.update_wrapper(self, f)
        self._derive = derive
        self._function = f
        self._options = options

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._derive(self._function, args, kwargs, *self._options)

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
        return f"<{self._derive.__name__.strip('_').replace('_', ' ')} {_called(self._function)}>"


def _entry(value: Any) -> Entry | None:
    return value._entry if value.__class__ is Tensor else None


def _plain(value: Any) -> Any:
    return value._value if value.__class__ is Tensor else value


def _called(function: Function) -> str:
    return getattr(function, "__name__", repr(function))


def _differentiable(value: Any, name: str, function: Function) -> Any:
    """An argument as something to differentiate in: a floating-point array or number, or a tensor of such."""
    kind = value.__class__
    if kind is np.float64:
        return value
    if kind is float or kind is int:
        return np.float64(value)
    if kind is complex:
        return np.complex128(value)
    dtype = getattr(value, "dtype", None)
    if not isinstance(value, (Tensor, np.ndarray, np.generic)) or dtype is None:
        raise TypeError(f"{name}: {_called(function)} cannot be differentiated in an argument of type "
                        f"{type(value).__name__}; expected numbers, arrays, or tuples, lists and dicts of them")
    if dtype.kind not in "fc":
        raise TypeError(f"{name}: {_called(function)} cannot be differentiated in an array of dtype {dtype} (shape "
                        f"{value.shape}); cast it, x.astype(float)")
    return value


def _check_output(output: Any, name: str, function: Function) -> None:
    if isinstance(output, (Tensor, np.ndarray, np.generic)):
        if output.dtype.kind in "fciub":
            return
    elif isinstance(output, (bool, int, float, complex)):
        return
    raise TypeError(f"{name}: {_called(function)} returned {type(output).__name__}; expected numbers, arrays, or "
                    "tuples, lists and dicts of them")


def _own(result: Any, like: Any, held: set[int], as_tensor: bool) -> Any:
    """A derivative as the caller's own: zeros where there is none, never memory that something else can see."""
    if result.__class__ is np.float64 and not as_tensor:
        return result
    if isinstance(result, Tensor):
        if result._entry is not None:
            return result
        result = result._value
    if result is None:
        value = np.asarray(_plain(like))
        dtype = value.dtype if value.dtype.kind in "fc" else np.float64
        result = np.zeros(value.shape, dtype)[()]
    elif result.__class__ is np.ndarray:
        if result.ndim == 0:
            result = result[()]
        elif id(result) in held or result.base is not None or not result.flags.writeable:
            result = result.copy()
        held.add(id(result))
    if as_tensor:
        return _wrap(result, None)
    return result


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
            raise TypeError(f"{name}: argnums={argnums!r}, but {_called(function)} was called with {len(args)} "
                            "positional arguments")
    return [position % len(args) for position in wanted]


def _scalar_output(recording: Recording, function: Function) -> Any:
    """The one number that a gradient is of."""
    if len(recording.outputs) != 1:
        raise TypeError(f"{recording.name}: {_called(function)} must return one number, it returned "
                        f"{len(recording.outputs)} values; use jacobian or vjp (or has_aux=True for extra results)")
    output = recording.outputs[0]
    value = _plain(output)
    if value.__class__ is np.float64:
        return output
    if np.size(value) != 1:
        raise TypeError(f"{recording.name}: {_called(function)} must return one number, it returned shape "
                        f"{np.shape(value)}; use jacobian or vjp, or reduce it, for instance by .sum()")
    if np.asarray(value).dtype.kind == "b":
        raise TypeError(f"{recording.name}: {_called(function)} must return one number, it returned a truth value")
    if np.iscomplexobj(value):
        raise TypeError(f"{recording.name}: {_called(function)} must return a real number, it returned a complex one; "
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
    value = _plain(output)
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
        dtype = np.asarray(_plain(like)).dtype
        if value.shape != np.shape(_plain(like)):
            raise ValueError(f"{name}: {what} {position} has shape {value.shape}, its {of} has shape "
                             f"{np.shape(_plain(like))}")
        if (value.dtype.kind == "c" and dtype.kind == "f") or value.dtype.kind not in "fciub":
            raise TypeError(f"{name}: {what} {position} has dtype {value.dtype}, its {of} has dtype {dtype}")
        if value.dtype != dtype and dtype.kind in "fc":
            value = value.astype(dtype)
        results.append(value if isinstance(value, Tensor) else value[()])
    return results
