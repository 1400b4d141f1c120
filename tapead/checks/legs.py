"""What is being checked: derivatives as linear maps on flat real vectors, tapead's own or somebody else's.

A complex element counts as two real coordinates (its real and its imaginary part), so that one comparison serves all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..containers import flatten, flatten_like, map_structure
from ..jacobians import jacobian
from ..modes import no_grad
from ..numeric.realview import RealView, to_real
from ..registry import value_of
from ..tensor import Tensor, tensor
from ..transforms import grad, jvp, linearize, vjp
from .progress import counted

__all__ = ["Given", "Own", "SweepError", "batched", "gradient_map", "on_values", "promoted"]

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]

_WIDER = {np.dtype(np.float16): np.float64, np.dtype(np.float32): np.float64, np.dtype(np.complex64): np.complex128}
if np.finfo(np.longdouble).eps < np.finfo(np.float64).eps:
    _LONGER = {np.dtype(np.float64): np.longdouble, np.dtype(np.complex128): np.clongdouble}
else:
    _LONGER = {}


def on_values(function: Function) -> Function:
    """A function of tensors as one of plain arrays; it gets tensors that do not require gradients."""

    def call(*inputs: Any) -> Any:
        with no_grad():
            tensors = map_structure(lambda x: tensor(x) if isinstance(x, (np.ndarray, np.generic)) else x, inputs)
            result = function(*tensors)
        return map_structure(value_of, result)

    return call


def promoted(args: tuple[Any, ...], longer: bool = False) -> tuple[Any, ...] | None:
    """The arguments with single (or, `longer`, double) precision raised to the next; None where none is higher."""
    table = _LONGER if longer else _WIDER
    leaves = flatten(args)[0]
    if not any(np.asarray(leaf).dtype in table for leaf in leaves):
        return None
    return map_structure(lambda x: np.asarray(x).astype(table.get(np.asarray(x).dtype, np.asarray(x).dtype))[()], args)  # type: ignore[no-any-return]  # of a tuple


def to_leaves(flat: Array, like: Sequence[Array]) -> list[Any]:
    """A flat real vector as arrays of the shapes and dtypes of `like`: the inverse of :func:`to_real`."""
    parts, start = [], 0
    for array in like:
        width = 2 if array.dtype.kind == "c" else 1
        part = flat[start:start + width * array.size]
        start += width * array.size
        part = part[0::2] + 1j * part[1::2] if width == 2 else part
        dtype = array.dtype if array.dtype.kind in "fc" else np.dtype(float)
        parts.append(part.reshape(array.shape).astype(dtype)[()])
    return parts


class SweepError(Exception):
    """A sweep that raises: which way it went ("push" or "pull"), and what was raised, as text."""

    def __init__(self, way: str, error: Exception) -> None:
        self.way, self.fault = way, f"{type(error).__name__}: {error}"
        super().__init__(self.fault)


class Own:
    """tapead's derivative of a function at a point: both sweeps over one recording each.

    Parameters
    ----------
    function : callable
        The function.
    args : tuple
        The point.
    known : dict, optional
        The ways to the derivative that are known to raise (for some vectors), and what: they are left out.

    Attributes
    ----------
    push, pull : callable
        The derivative applied to a flat tangent, its adjoint applied to a flat cotangent.
    has_push, has_pull : bool
        Whether there is that way to the derivative.
    unavailable, broken : dict
        By the name of a way: why there is none, what was raised where there should be one.
    raw_push, raw_pull : callable
        The same on lists of arrays, as the transforms return them.
    """

    forward_name, reverse_name = "forward AD", "reverse AD"

    def __init__(self, function: Function, args: tuple[Any, ...], known: Mapping[str, str] | None = None) -> None:
        self.out, self._pull = vjp(function, *args)
        again, self._push = linearize(function, *args)
        self.inputs = [np.asarray(leaf) for leaf in flatten(args)[0]]
        self.outputs = [np.asarray(float(leaf) if leaf.__class__ is int else value_of(leaf))
                        for leaf in flatten(self.out)[0]]
        self.rebuild_inputs, self.rebuild_outputs = flatten(args)[1], flatten(self.out)[1]
        self.unavailable: dict[str, str] = {}
        self.broken: dict[str, str] = {}
        known = known or {}
        self.has_push = self._runs(self.forward_name, self.push, self.inputs, known.get("push"))
        self.has_pull = self._runs(self.reverse_name, self.pull, self.outputs, known.get("pull"))
        self.repeats = all(np.array_equal(first, np.asarray(value_of(second)), equal_nan=first.dtype.kind in "fc")
                           for first, second in zip(self.outputs, flatten(again)[0], strict=True))

    def _runs(self, name: str, sweep: Callable[[Array], Array], models: Sequence[Array], fault: str | None) -> bool:
        """Whether a sweep comes through; the reason is kept where it does not."""
        try:
            sweep(np.ones(to_real(models).size))
        except NotImplementedError as error:
            self.unavailable[name] = str(error)
            return False
        except SweepError as error:  # a rule that raises is wrong, and the report says so
            fault = error.fault
        if fault is not None:
            where = self.unavailable if "once_differentiable" in fault else self.broken  # the former says so on purpose
            where[name] = fault
        return fault is None

    @property
    def available(self) -> set[str]:
        """The names of the ways there are."""
        return ({self.forward_name} if self.has_push else set()) | ({self.reverse_name} if self.has_pull else set())

    def raw_push(self, tangents: Sequence[Any]) -> list[Any]:
        """Tangents of the outputs from tangents of the inputs."""
        return self._swept("push", self._push, *self.rebuild_inputs(tangents))

    def raw_pull(self, cotangents: Sequence[Any]) -> list[Any]:
        """Cotangents of the inputs from cotangents of the outputs."""
        return self._swept("pull", self._pull, self.rebuild_outputs(cotangents))

    @staticmethod
    def _swept(way: str, sweep: Function, *vectors: Any) -> list[Any]:
        try:
            return flatten(sweep(*vectors))[0]
        except NotImplementedError:
            raise
        except Exception as error:
            raise SweepError(way, error) from error

    def push(self, direction: Array) -> Array:
        """The derivative applied to a flat tangent."""
        return to_real(self.raw_push(to_leaves(direction, self.inputs)))

    def pull(self, weights: Array) -> Array:
        """The adjoint of the derivative applied to a flat cotangent."""
        return to_real(self.raw_pull(to_leaves(weights, self.outputs)))


class Given:
    """Somebody else's derivative: any of ``jac``, ``vjp`` and ``jvp``, as the same maps.

    What the callables return is checked for number, shape and dtype; a wrong one raises with what was expected.
    """

    def __init__(self, args: tuple[Any, ...], outputs: Sequence[Array], rebuild_outputs: Function, *,
                 jac: Function | None = None, vjp: Function | None = None, jvp: Function | None = None,
                 jac_name: str = "jac", jvp_name: str = "jvp") -> None:
        self.args = args
        self.unavailable: dict[str, str] = {}
        self.broken: dict[str, str] = {}
        self.jac_name, self.jvp_name = jac_name, jvp_name
        self.touched: list[str] = []
        self.inputs = [np.asarray(leaf) for leaf in flatten(args)[0]]
        self.outputs = list(outputs)
        self.rebuild_inputs, self.rebuild_outputs = flatten(args)[1], rebuild_outputs
        self._vjp, self._jvp, self._jac = vjp, jvp, jac
        self.matrix = None if jac is None else self._assemble(jac)
        self.forward_name = jac_name if jac is not None and jvp is None else jvp_name
        self.reverse_name = jac_name if jac is not None and vjp is None else "vjp"
        self.has_push = jac is not None or jvp is not None
        self.has_pull = jac is not None or vjp is not None

    def _called(self, name: str, function: Function, inputs: tuple[Any, ...], vectors: tuple[Any, ...]) -> Any:
        """What somebody's derivative returns, with a note where it raises; whether it writes into arguments is seen."""
        before = [np.array(leaf) for leaf in flatten((inputs, vectors))[0]]
        try:
            result = function(*inputs, *vectors)
        except Exception as error:
            error.add_note(f"raised when gradcheck called {name}")
            raise
        for place, (old, new) in enumerate(zip(before, flatten((inputs, vectors))[0], strict=True)):
            if not np.array_equal(old, new, equal_nan=True):
                what = f"input {place}" if place < len(self.inputs) else "the vector"
                if f"{name} writes into {what}" not in self.touched:
                    self.touched.append(f"{name} writes into {what}")
        return result

    def is_matrix(self, name: str) -> bool:
        """Whether that way to the derivative is multiplication by the matrix that was returned."""
        return self.matrix is not None and name == self.jac_name

    def repeats(self) -> bool:
        """Whether the Jacobian is the same when it is asked for again."""
        return self._jac is None or np.array_equal(self.matrix, self._assemble(self._jac), equal_nan=True)  # type: ignore[arg-type]  # there is one

    def _copies(self) -> tuple[Any, ...]:
        return map_structure(lambda x: np.array(x)[()], self.args)  # type: ignore[no-any-return]  # of a tuple

    def raw_pull(self, cotangents: Sequence[Any]) -> list[Any]:
        """``vjp(*inputs, cotangent)`` as a list of checked arrays."""
        assert self._vjp is not None
        result = self._called("vjp", self._vjp, self._copies(),
                              (self.rebuild_outputs([np.array(w)[()] for w in cotangents]),))
        result = _in_order(result, self.args)
        return self._numbers("vjp", _checked("vjp", result, [x.shape for x in self.inputs], "input"))

    def raw_push(self, tangents: Sequence[Any]) -> list[Any]:
        """``jvp(*inputs, *tangents)`` as a list of checked arrays."""
        assert self._jvp is not None
        result = self._called(self.jvp_name, self._jvp, self._copies(),
                              self.rebuild_inputs([np.array(v)[()] for v in tangents]))
        result = _in_order(result, self.rebuild_outputs(self.outputs))
        return self._numbers(self.jvp_name, _checked(self.jvp_name, result, [y.shape for y in self.outputs], "output"))

    def push(self, direction: Array) -> Array:
        """The derivative applied to a flat tangent."""
        if self._jvp is None:
            assert self.matrix is not None
            return self.matrix @ direction
        return self._flat(self.raw_push(to_leaves(direction, self.inputs)), self.outputs)

    def pull(self, weights: Array) -> Array:
        """The adjoint of the derivative applied to a flat cotangent."""
        if self._vjp is None:
            assert self.matrix is not None
            return weights @ self.matrix
        return self._flat(self.raw_pull(to_leaves(weights, self.outputs)), self.inputs)

    @staticmethod
    def _flat(parts: Sequence[Array], like: Sequence[Array]) -> Array:
        return to_real([part.astype(complex) if model.dtype.kind == "c" else part.real
                        for part, model in zip(parts, like, strict=True)])

    def _numbers(self, name: str, arrays: list[Array]) -> list[Array]:
        """The arrays, which have to be real where all inputs and outputs are."""
        real = not any(array.dtype.kind == "c" for array in (*self.inputs, *self.outputs))
        if real and any(array.dtype.kind == "c" and np.any(array.imag) for array in arrays):
            raise TypeError(f"gradcheck: {name} returned complex numbers for a real function")
        return arrays

    def _assemble(self, jac: Function) -> Array:
        """The Jacobian as one real matrix."""
        if len(self.outputs) != 1:
            raise ValueError(f"gradcheck: jac= needs a function of one output, this one has {len(self.outputs)}; use "
                             "vjp= or jvp=, or return one array")
        output = self.outputs[0]
        name = self.jac_name
        blocks = self._numbers(name, _arrays(name, self._called(name, jac, self._copies(), ()), len(self.inputs)))
        if len(blocks) != len(self.inputs):
            raise ValueError(f"gradcheck: {name} returned {len(blocks)} arrays for {len(self.inputs)} inputs")
        parts = []
        for position, (block, x) in enumerate(zip(blocks, self.inputs, strict=True)):
            allowed = [output.shape + x.shape, (output.size, x.size)] + ([x.shape] if output.size == 1 else [])
            if block.shape not in allowed:
                hint = "; that looks transposed" if block.shape == x.shape + output.shape else ""
                raise ValueError(f"gradcheck: {name} returned shape {block.shape} for input {position}, expected "
                                 f"{allowed[0]} (output shape {output.shape}, input shape {x.shape}){hint}")
            parts.append(_real_matrix(block.reshape(output.size, x.size), output, x))
        return np.concatenate(parts, axis=1)


def _real_matrix(block: Array, output: Array, x: Array) -> Array:
    """A Jacobian's real form: complex inputs and outputs take two columns and rows each."""
    if x.dtype.kind == "c" and output.dtype.kind == "c":  # a complex derivative: multiplication by it
        rows = np.stack([np.stack([block.real, -block.imag], -1), np.stack([block.imag, block.real], -1)], 1)
        return rows.reshape(2 * output.size, 2 * x.size).astype(float)
    if x.dtype.kind == "c":  # the gradient of a real loss, ∂/∂Re + i ∂/∂Im
        return np.stack([block.real, block.imag], -1).reshape(output.size, -1).astype(float)
    if output.dtype.kind == "c":
        return np.stack([block.real, block.imag], 1).reshape(-1, x.size).astype(float)
    return block.real.astype(float)


def _arrays(name: str, result: Any, count: int) -> list[Array]:
    """What a derivative returned, as arrays: one per input or output, or a bare one."""
    if isinstance(result, dict):
        parts = flatten(result)[0]
    else:
        several = isinstance(result, tuple) or (isinstance(result, list) and count > 1)
        parts = list(result) if several else [result]
        # A nested input has its arrays nested in the same way.
        parts = [leaf for part in parts for leaf in (flatten(part)[0] if isinstance(part, (dict, tuple)) else [part])]
    arrays = []
    for part in parts:
        if part is None:
            raise TypeError(f"gradcheck: {name} returned None; expected an array of numbers")
        try:
            array = np.asarray(part.data if isinstance(part, Tensor) else part)
        except ValueError as error:
            raise ValueError(f"gradcheck: {name} returned what is no array: {error}") from None
        if array.dtype.kind not in "fciub":
            raise TypeError(f"gradcheck: {name} returned an array of dtype {array.dtype}; expected numbers")
        arrays.append(array)
    return arrays


def _in_order(result: Any, pattern: Any) -> Any:
    """What a derivative returned for a nested container, in the order of its leaves: keys may come in any."""
    alone = isinstance(pattern, tuple) and len(pattern) == 1 and not (isinstance(result, tuple) and len(result) == 1)
    if any(isinstance(part, (dict, list, tuple)) for part in (
            pattern if isinstance(pattern, tuple) else (pattern,))):
        try:
            return tuple(flatten_like((result,) if alone else result, pattern))
        except ValueError:  # then its number and shapes say what is wrong
            pass
    return result


def _checked(name: str, result: Any, shapes: Sequence[tuple[int, ...]], what: str) -> list[Array]:
    arrays = _arrays(name, result, len(shapes))
    if len(arrays) != len(shapes):
        raise ValueError(f"gradcheck: {name} returned {len(arrays)} arrays for {len(shapes)} {what}s")
    for position, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
        if array.shape != shape:
            raise ValueError(f"gradcheck: {name} returned shape {array.shape} for {what} {position}, expected {shape}")
    return arrays


def gradient_map(function: Function, weights: Sequence[Any], rebuild: Function) -> Function:
    """The gradient of ``sum(weights * function)`` as a function of the same arguments, differentiable again."""

    def gradient(*args: Any) -> Any:
        _, pull = vjp(function, *args)
        return pull(rebuild(weights))

    return gradient


def batched(function: Function, args: tuple[Any, ...], mode: str) -> Array:
    """The whole Jacobian from one recording, as a real matrix; `mode` as for :func:`tapead.jacobian`."""
    leaves = [np.asarray(leaf) for leaf in flatten(args)[0]]
    blocks = flatten(jacobian(function, tuple(range(len(args))), mode=mode)(*args))[0]
    if any(np.asarray(block).dtype.kind == "c" for block in (*blocks, *leaves)):
        raise NotImplementedError("a complex Jacobian is not written as a real matrix")
    rows = [blocks[start:start + len(leaves)] for start in range(0, len(blocks), len(leaves))]
    return np.block([[np.reshape(np.asarray(block, float), (-1, leaf.size)) for block, leaf in
                      zip(row, leaves, strict=True)] for row in rows])


def reverse_over_forward(function: Function, args: tuple[Any, ...], direction: Sequence[Any], weights: Sequence[Any]
                         ) -> Array:
    """The second derivative along a direction, by a reverse sweep over a forward one."""
    rebuild = flatten(args)[1]

    def slope(*inputs: Any) -> Any:
        tangents = flatten(jvp(function, inputs, rebuild(direction))[1])[0]
        return sum(np.sum(np.real(np.conj(w) * t)) for w, t in zip(weights, tangents, strict=True))

    return to_real(flatten(grad(slope, tuple(range(len(args))))(*args))[0])


def view_of(function: Function, args: tuple[Any, ...]) -> RealView:
    """A function on plain values at a point that must be finite there."""
    try:
        view = RealView(counted(function), args)
    except Exception as error:
        error.add_note("raised when gradcheck evaluated the function at the inputs given")
        raise
    if not np.all(np.isfinite(view.here)):
        place = int(np.flatnonzero(~np.isfinite(view.here))[0])
        raise ValueError(f"gradcheck: the function is not finite at the point: flat output {place} is "
                         f"{view.here[place]}")
    return view
