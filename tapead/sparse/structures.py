"""What each operation does to patterns: elements moved, united by position, gathered in groups.

Kernels that only move elements are run on the numbers of the elements. Everything else is a statement about groups:
an element of the result depends on all elements of its group.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from scipy import sparse

from ..ops.axes import axes_of
from ..tape import Entry

__all__ = ["STRUCTURES", "Pattern", "elementwise", "everything"]

Pattern = Any  #: A boolean ``scipy.sparse.csr_array``; SciPy has no types.
Structure = Callable[[Entry, list[Pattern]], Pattern]

#: What primitives that are not elementwise do to patterns, by name. One that is missing takes everything from
#: everywhere, unless its rule returns a factor.
STRUCTURES: dict[str, Structure] = {}


def structure(*names: str) -> Callable[[Structure], Structure]:
    """Register the structure of the primitives of these names."""
    def register(function: Structure) -> Structure:
        STRUCTURES.update(dict.fromkeys(names, function))
        return function

    return register


def each(function: Callable[[Entry, int, Pattern], Pattern]) -> Structure:
    """The structure that unites what `function` makes of the pattern of each input."""
    def united(entry: Entry, patterns: list[Pattern]) -> Pattern:
        return _union([function(entry, position, pattern) for position, pattern in enumerate(patterns)
                       if pattern is not None])

    return united


def _union(patterns: list[Pattern]) -> Pattern:
    distinct = list({id(pattern): pattern for pattern in patterns}.values())
    return reduce(add, distinct)


def _numbers(shape: tuple[int, ...], start: int = 0) -> Any:
    return np.arange(start, start + math.prod(shape)).reshape(shape)


def _shape(entry: Entry, position: int) -> tuple[int, ...]:
    return np.shape(entry.inputs[position])


def _chosen(pattern: Pattern, places: Any) -> Pattern:
    """The rows of a pattern at `places`."""
    return pattern[np.ravel(places)]


def _gathered(pattern: Pattern, groups: Any, count: int) -> Pattern:
    """A row for each of `count` groups, the union of the rows of its elements; group -1 is left out."""
    groups = np.ravel(groups)
    places = np.arange(groups.size)
    if groups.size and groups.min() < 0:
        places = places[groups >= 0]
        groups = groups[places]
    return _product(sparse.csr_array((np.ones(groups.size, bool), (groups, places)), (count, pattern.shape[0])),
                    pattern)


def _ones(length: int) -> Any:
    return sparse.eye_array(length, dtype=bool)


def _product(links: Any, pattern: Pattern) -> Pattern:
    result = sparse.csr_array(links) @ pattern
    result.sort_indices()  # the unions to come are faster
    return result


def _dense_in_groups(pattern: Pattern, shape: tuple[int, ...], merged: tuple[int, ...], output_shape: tuple[int, ...],
                     seen_as: tuple[int, ...] | None = None) -> Pattern:
    """What depends on all elements along the axes `merged` of an input of this shape.

    The groups, of the input's shape with length 1 along those axes, are broadcast to the output's shape, after they
    have been reshaped to `seen_as` where that is given.
    """
    kept = tuple([1 if axis in merged else length for axis, length in enumerate(shape)])
    groups = _numbers(kept)
    united = _gathered(pattern, np.broadcast_to(groups, shape), groups.size) if merged else pattern
    return _chosen(united, np.broadcast_to(groups if seen_as is None else groups.reshape(seen_as), output_shape))


# ---------------------------------------------------------------------- element by element, and everything


def _broadcast(entry: Entry, position: int, pattern: Pattern) -> Pattern:
    shape, output_shape = _shape(entry, position), np.shape(entry.output)
    if shape == output_shape:
        return pattern
    return _chosen(pattern, np.broadcast_to(_numbers(shape), output_shape))


elementwise = structure("astype", "where", "unwrap", "ldexp")(each(_broadcast))


@each
def everything(entry: Entry, position: int, pattern: Pattern) -> Pattern:
    """Every element of the result depends on every element of the inputs."""
    return _chosen(_gathered(pattern, np.zeros(pattern.shape[0], int), 1), np.zeros(np.size(entry.output), int))


# ---------------------------------------------------------------------- moving


@structure("reshape", "transpose", "broadcast_to", "roll", "getitem", "concatenate", "stack", "setitem", "set_view")
def moved(entry: Entry, patterns: list[Pattern]) -> Pattern:
    """Each element of the result is one of the inputs'."""
    present = [pattern for pattern in patterns if pattern is not None]
    nothing = sum(pattern.shape[0] for pattern in present)
    numbered, start = [], 0
    for position, pattern in enumerate(patterns):
        shape = _shape(entry, position)
        numbered.append(np.full(shape, nothing) if pattern is None else _numbers(shape, start))
        start += 0 if pattern is None else pattern.shape[0]
    if len(present) < len(patterns) or len(present) > 1:
        present = [sparse.vstack([*present, sparse.csr_array((1, present[0].shape[1]), dtype=bool)], format="csr")]
    return _chosen(present[0], entry.primitive.kernel(*numbered, **entry.attrs))


@structure("scatter")
@each
def scattered(entry: Entry, position: int, pattern: Pattern) -> Pattern:
    """Elements added at the places that a key names."""
    shape = np.shape(entry.output)
    return _gathered(pattern, np.broadcast_to(_numbers(shape)[entry.attrs["key"]], _shape(entry, position)),
                     math.prod(shape))


# ---------------------------------------------------------------------- along axes


@structure("sum", "mean", "prod", "max", "min", "var", "std", "norm")
@each
def reduced(entry: Entry, position: int, pattern: Pattern) -> Pattern:
    """All elements along the axes become one."""
    shape, output_shape = _shape(entry, position), np.shape(entry.output)
    axes = axes_of(entry.attrs.get("axis"), len(shape))
    kept = tuple([length for axis, length in enumerate(shape) if axis not in axes])
    return _dense_in_groups(pattern, shape, axes, output_shape, None if len(output_shape) == len(shape) else kept)


@structure("sort", "partition", "fft", "ifft", "rfft", "irfft")
@each
def mixed(entry: Entry, position: int, pattern: Pattern) -> Pattern:
    """Everything along one axis depends on everything along it."""
    shape = _shape(entry, position)
    return _dense_in_groups(pattern, shape, axes_of(entry.attrs.get("axis", -1), len(shape)), np.shape(entry.output))


@structure("cumsum", "cumprod", "recurrence")
@each
def accumulated(entry: Entry, position: int, pattern: Pattern) -> Pattern:
    """Everything along one axis depends on what comes before it."""
    shape = _shape(entry, position)
    (axis,) = axes_of(entry.attrs.get("axis", 0), len(shape))
    before = np.tri(shape[axis], dtype=bool)
    if entry.attrs.get("reverse"):
        before = before.T
    links = sparse.kron(_ones(math.prod(shape[:axis])), sparse.kron(before, _ones(math.prod(shape[axis + 1:]))))
    return _product(links, pattern)


# ---------------------------------------------------------------------- products


@structure("matmul", "vecdot", "matvec", "vecmat")
@each
def multiplied(entry: Entry, position: int, pattern: Pattern) -> Pattern:
    """Rows by columns."""
    shape, output_shape = _shape(entry, position), np.shape(entry.output)
    name, other = entry.primitive.name, len(_shape(entry, 1 - position))
    last = len(shape) - 1
    if name == "vecdot":
        return _dense_in_groups(pattern, shape, (last,), output_shape, shape[:-1])
    if name == "matmul":
        matrix = len(shape) > 1
        other_is_matrix = other > 1
    else:
        matrix = (name == "matvec") == (position == 0)
        other_is_matrix = not matrix
    merged = last if position == 0 or not matrix else last - 1
    kept = tuple([1 if axis == merged else length for axis, length in enumerate(shape)])
    if matrix and not other_is_matrix:  # the axis of the vector is gone from the result
        kept = kept[:merged] + kept[merged + 1:]
    elif not matrix and position == 1 and other_is_matrix:  # a vector on the right leaves no axis
        kept = (*kept[:merged], 1)
    elif not matrix and not other_is_matrix:
        kept = kept[:-1]
    return _dense_in_groups(pattern, shape, (merged,), output_shape, kept)


@structure("einsum")
@each
def contracted(entry: Entry, position: int, pattern: Pattern) -> Pattern:
    """Einstein's convention."""
    subscripts = entry.attrs["subscripts"].replace(" ", "")
    terms, arrow, result = subscripts.partition("->")
    if not arrow or "." in subscripts:
        return everything(entry, [pattern if place == position else None for place in range(len(entry.inputs))])
    labels, shape = terms.split(",")[position], _shape(entry, position)
    lengths = dict(zip(labels, shape, strict=True))
    kept = [label for label in result if label in lengths]
    coordinates = np.indices(shape)
    by_label = {label: coordinates[labels.index(label)] for label in lengths}
    groups = np.zeros(shape, int)
    for label in kept:
        groups = groups * lengths[label] + by_label[label]
    for axis, label in enumerate(labels):  # of a repeated label only the diagonal counts
        groups = np.where(coordinates[axis] == by_label[label], groups, -1)
    count = math.prod(lengths[label] for label in kept)
    places = np.arange(count).reshape([lengths.get(label, 1) for label in result])
    return _chosen(_gathered(pattern, groups, count), np.broadcast_to(places, np.shape(entry.output)))


@structure("convolve", "signal_convolve")
@each
def convolved(entry: Entry, position: int, pattern: Pattern) -> Pattern:
    """Each element spreads over as many as the other operand has."""
    links = _ones(1)
    for length, other in zip(_shape(entry, position), _shape(entry, 1 - position), strict=True):
        band = sparse.diags_array(np.ones((other, length), bool), offsets=-np.arange(other),
                                  shape=(length + other - 1, length), dtype=bool)
        links = sparse.kron(links, band)
    return _product(links, pattern)


@structure("sparse_matmul")
@each
def multiplied_sparsely(entry: Entry, position: int, pattern: Pattern) -> Pattern:
    """The product of a sparse matrix, whose elements are the first input, and one or more columns."""
    rows, columns, shape = (entry.attrs[name] for name in ("rows", "columns", "shape"))
    width = math.prod(np.shape(entry.output)[1:])
    across = np.arange(width)
    into = np.add.outer(np.asarray(rows) * width, across)
    source = np.broadcast_to(np.arange(len(rows))[:, None], into.shape)
    if position == 1:
        source = np.add.outer(np.asarray(columns) * width, across)
    links = sparse.csr_array((np.ones(into.size, bool), (into.ravel(), source.ravel())),
                             (shape[0] * width, pattern.shape[0]))
    return _product(links, pattern)


# ---------------------------------------------------------------------- stacks of matrices


def _of_matrices(entry: Entry, position: int, pattern: Pattern) -> Pattern:
    shape, output_shape = _shape(entry, position), np.shape(entry.output)
    stack = shape[:-2]
    return _dense_in_groups(pattern, shape, tuple(range(len(stack), len(shape))), output_shape,
                            stack + (1,) * (len(output_shape) - len(stack)))


@structure("solve", "solve_triangular", "solve_banded", "lstsq", "sparse_solve")
@each
def solved(entry: Entry, position: int, pattern: Pattern) -> Pattern:
    """Everything of one system, for a stack of them; right-hand sides side by side do not meet."""
    shape = _shape(entry, position)
    if position == 0 or len(shape) == 1:
        return _of_matrices(entry, position, pattern)
    return _dense_in_groups(pattern, shape, (len(shape) - 2,), np.shape(entry.output))


structure("eigh", "eigvalsh", "eig", "svd", "svdvals", "complement", "qr", "lu", "det", "cofactor", "slogdet",
          "cholesky", "inv_lower", "inv", "pinv")(each(_of_matrices))
