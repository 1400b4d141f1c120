"""Full Jacobians and Hessians, and products with Hessians: what takes more than one sweep."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .containers import flatten
from .partials import CannotCarry
from .recordings import Function, Recording, called, plain_value
from .tensor import Tensor
from .transforms import (
    Positions,
    _as_tuple,
    _is_one,
    _matching,
    _positions,
    _scalar_output,
    _Transformed,
    grad,
    jvp,
)

__all__ = ["hessian", "hvp", "jacobian"]

Sweep = Callable[[list[Any]], list[Any]]


def jacobian(f: Function, argnums: Positions = 0, mode: str = "auto", sparse: Any = False) -> Function:
    """A function that returns the full Jacobian of `f`.

    Parameters
    ----------
    f : callable
        Returns arrays or nested containers of them.
    argnums : int or sequence of int
        Which positional arguments to differentiate in.
    mode : {"auto", "fwd", "rev"}
        One forward sweep per input element, one reverse sweep per output element, or whichever are fewer.
    sparse : bool or Sparsity or scipy.sparse array
        Whether to return ``scipy.sparse`` matrices, from one sweep per group of columns (or rows) that have no element
        in the same place. The structure comes from the tape, and is remembered from call to call; give what
        :func:`sparsity` returned, or your own matrix, to use that.

    Returns
    -------
    callable
        An array of shape ``output.shape + input.shape``; for containers, the structure of the output with the structure
        of the input in the place of each leaf. If `sparse`, a ``csr_array`` of shape ``(output.size, input.size)`` in
        the place of each array; it holds every element that may be other than zero.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> ta.jacobian(lambda x: x[0] * x)(np.array([2.0, 3.0]))
    array([[4., 0.],
           [3., 2.]])
    >>> ta.jacobian(lambda x: x**2, sparse=True)(np.ones(1000)).nnz
    1000
    """
    if mode not in ("auto", "fwd", "rev"):
        raise ValueError(f"jacobian: mode must be 'auto', 'fwd' or 'rev', not {mode!r}")
    if sparse is not False:
        from .sparse.compression import given_structure, jacobian_of

        return _Transformed(jacobian_of, f, argnums, mode, given_structure(sparse), {})
    return _Transformed(_jacobian_of, f, argnums, mode)


def _jacobian_of(f: Function, args: tuple[Any, ...], kwargs: dict[str, Any], argnums: Positions, mode: str) -> Any:
    recording = Recording("jacobian", f, args, kwargs, _positions(argnums, args, "jacobian", f))
    columns = sum(value.size for value in recording.values)
    rows = sum(np.size(plain_value(output)) for output in recording.outputs)
    if mode == "fwd" or (mode == "auto" and columns <= rows):
        pushed = _swept(recording.push, recording.push_many, recording.at_once, recording.values, called(f))
        blocks = _columns(pushed, recording.values, recording.outputs)
    else:
        blocks = _by_rows(recording, called(f))
    one = _is_one(argnums)
    return recording.rebuild_outputs(
        [recording.rebuild_inputs(row)[0] if one else recording.rebuild_inputs(row) for row in blocks])


def _swept(sweep: Sweep, sweep_many: Sweep, at_once: int, values: Sequence[Any], f: str) -> list[Any]:
    """What a sweep makes of the unit vectors of the space of `values`: per result, an array with a row for each.

    Where a unit vector is complex, of 1 and i together.
    """
    count = sum(map(np.size, values))
    if at_once > 1 and count > 1 and all(value.dtype.kind != "c" for value in values):
        parts = [sweep_many(_units(values, start, min(start + at_once, count))) for start in range(0, count, at_once)]
        return [np.concatenate(rows) if len(rows) > 1 else rows[0] for rows in zip(*parts, strict=True)]
    results = []
    for place in range(count):
        unit = [part[0] for part in _units(values, place, place + 1)]
        found = sweep(unit)
        if any(part.dtype.kind == "c" and np.any(part) for part in unit):
            turned = sweep([part * 1j if part.dtype.kind == "c" else part for part in unit])
            found = [_joined(*pair, f) for pair in zip(found, turned, strict=True)]
        results.append(found)
    if not results:
        return [np.stack([nothing])[:0] for nothing in sweep([np.zeros(np.shape(value)) for value in values])]
    return [np.stack(rows) for rows in zip(*results, strict=True)]


def _units(values: Sequence[Any], start: int, stop: int) -> list[Any]:
    """Unit vectors `start` to `stop` of the space of `values`: arrays of their shapes with an axis in front."""
    units, before = [], 0
    for value in values:
        size = np.size(value)
        dtype = value.dtype if value.dtype.kind in "fc" else float
        unit = np.zeros((stop - start, size), dtype)
        first, last = max(start, before), min(stop, before + size)
        places = np.arange(first, last)
        unit[places - start, places - before] = 1
        units.append(unit.reshape(stop - start, *np.shape(value)))
        before += size
    return units


def _joined(along_1: Any, along_i: Any, f: str) -> Any:
    if along_1.dtype.kind != "c":
        return along_1 + 1j * along_i
    rest = np.abs(plain_value(along_i) - 1j * plain_value(along_1))
    if np.any(rest > 1e-3 * np.abs(plain_value(along_1))):
        raise TypeError(f"jacobian: {f} is not holomorphic, so that no complex matrix is its derivative; use jvp or "
                        "vjp, or differentiate in the real and imaginary parts")
    return along_1


def _columns(pushed: list[Any], inputs: Sequence[Any], outputs: Sequence[Any]) -> list[list[Any]]:
    """The blocks of a Jacobian, from the tangents of each output along all unit vectors of the inputs."""
    blocks = []
    for output, columns in zip(outputs, pushed, strict=True):
        row, start = [], 0
        for value in inputs:
            block = np.moveaxis(columns[start:start + value.size], 0, -1)
            start += value.size
            row.append(np.reshape(block, np.shape(plain_value(output)) + value.shape)[()])
        blocks.append(row)
    return blocks


def _by_rows(recording: Recording, f: str) -> list[list[Any]]:
    outputs = [np.asarray(plain_value(output)) for output in recording.outputs]
    pull = functools.partial(recording.pull, keep=True)
    pulled = _swept(pull, recording.pull_many, recording.at_once, outputs, f)
    blocks, start = [], 0
    for output in outputs:
        row = []
        for position, value in enumerate(recording.values):
            rows = pulled[position][start:start + output.size]
            if output.dtype.kind == value.dtype.kind == "c":  # the adjoint of a number is its conjugate
                rows = np.conj(rows)
            row.append(np.reshape(rows, output.shape + value.shape)[()])
        blocks.append(row)
        start += output.size
    return blocks


def hessian(f: Function, argnums: Positions = 0, sparse: Any = False) -> Function:
    """A function that returns the Hessian of `f` (forward over reverse).

    Parameters
    ----------
    f : callable
        Returns one real number.
    argnums : int or sequence of int
        Which positional arguments to differentiate in.
    sparse : bool or Sparsity or scipy.sparse array
        As for :func:`jacobian`, by a colouring that makes use of the symmetry; a structure is that of the Jacobian of
        the gradient.

    Returns
    -------
    callable
        An array of shape ``x.shape + x.shape``; nested structures as for :func:`jacobian` of the gradient.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> ta.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    if sparse is not False:
        from .sparse.compression import given_structure, hessian_of

        return _Transformed(hessian_of, f, argnums, given_structure(sparse), {})
    return _Transformed(_hessian_of, f, argnums)


def _hessian_of(f: Function, args: tuple[Any, ...], kwargs: dict[str, Any], argnums: Positions) -> Any:
    positions = _positions(argnums, args, "hessian", f)
    try:
        recording = _to_pull_along("hessian", f, args, kwargs, positions)
        pushed = _swept(recording.carry_along, recording.carry_along_many, recording.at_once, recording.values,
                        called(f))
    except CannotCarry:  # then the gradient is recorded
        return _jacobian_of(grad(f, argnums), args, kwargs, argnums, "fwd")
    one = _is_one(argnums)
    rebuild = recording.rebuild_inputs
    blocks = rebuild([rebuild(row)[0] if one else rebuild(row)
                      for row in _columns(pushed, recording.values, recording.values)])
    return blocks[0] if one else blocks


def hvp(f: Function, primals: Any, vectors: Any) -> Any:
    """The product of the Hessian of `f` with vectors (forward over reverse): about the cost of two gradients.

    Parameters
    ----------
    f : callable
        Takes ``*primals``; returns one real number.
    primals, vectors : tuple or list, or one array
        The point and the direction: the same structure and shapes.

    Returns
    -------
    tuple, or one array
        As `primals` was given.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> ta.hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    (array([ 6., 12.]),)
    """
    point, directions = _as_tuple(primals), _as_tuple(vectors)
    try:
        recording = _to_pull_along("hvp", f, point, {}, range(len(point)))
        given = _matching(directions, recording.rebuild_inputs, recording.values, "hvp", "vector", "primal")
        products = recording.rebuild_inputs(recording.pull_along(given))
    except CannotCarry:
        products = jvp(grad(f, tuple(range(len(point)))), point, directions)[1]
    return products if isinstance(primals, (tuple, list)) else products[0]


def _to_pull_along(name: str, f: Function, args: Sequence[Any], kwargs: dict[str, Any],
                   positions: Sequence[int]) -> Recording:
    """`f`, recorded for the derivative of its gradient.

    Raises
    ------
    CannotCarry
        If that takes a record of the gradient.
    """
    for leaf in flatten(tuple([args[position] for position in positions]))[0]:
        if isinstance(leaf, Tensor):
            raise CannotCarry
    recording = Recording(name, f, args, kwargs, positions)
    _scalar_output(recording, f)
    return recording
