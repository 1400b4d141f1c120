"""Sparse Jacobians and Hessians from a sweep for each group of columns or rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import issparse

from ..recordings import Function, Recording, called, plain_value
from ..transforms import Positions, _is_one, _positions, _Transformed, grad
from .colouring import column_colours, star_colours
from .patterns import pattern_of

__all__ = ["Sparsity", "given_structure", "hessian_of", "jacobian_of", "sparsity"]

#: Longer vectors are swept one by one: memory for several at once costs more than their sweeps have in common.
_LONG = 1 << 11

Sweep = Callable[[list[Any]], list[Any]]

#: So many structures are remembered by a transform, one for each set of shapes that it has met.
_REMEMBERED = 8


class Sparsity:
    """Where a Jacobian may be other than zero, and groups of its columns and rows, found when first asked for.

    Parameters
    ----------
    pattern : scipy.sparse array or matrix, or array_like
        Whose nonzero elements say where.

    Attributes
    ----------
    pattern : scipy.sparse.csr_array of bool
        A row for each element of the results, in C order, a column for each element of the inputs.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> structure = ta.sparsity(lambda x: x[1:] * x[:-1])(np.ones(5))
    >>> structure
    <Sparsity: 4 x 5, 8 of 20 elements>
    >>> structure.columns  # two forward sweeps will do
    array([1, 0, 1, 0, 1])
    """

    def __init__(self, pattern: Any) -> None:
        found = sparse.csr_array(pattern).astype(bool)
        found.sum_duplicates()
        found.eliminate_zeros()
        self.pattern = found

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns."""
        return self.pattern.shape  # type: ignore[no-any-return]  # SciPy says nothing of its types

    @property
    def nnz(self) -> int:
        """How many elements may be other than zero."""
        return int(self.pattern.nnz)

    @cached_property
    def columns(self) -> Any:
        """The group of each column; those of one group have no row in common."""
        return column_colours(self.pattern)

    @cached_property
    def rows(self) -> Any:
        """The group of each row; those of one group have no column in common."""
        return column_colours(self.pattern.T)

    @cached_property
    def symmetric(self) -> Sparsity:
        """The same with an element wherever its mirror image is one."""
        mirrored = self.pattern.T
        return self if (self.pattern != mirrored).nnz == 0 else Sparsity(self.pattern + mirrored)

    @cached_property
    def star(self) -> Any:
        """The group of each column of a symmetric matrix; see :func:`tapead.sparse.colouring.star_colours`."""
        return star_colours(self.pattern)

    @cached_property
    def shown_by_columns(self) -> Any:
        """Where each element stands in the products with the groups of columns, one after another."""
        return self.columns[self.pattern.indices] * self.shape[0] + self._row_numbers

    @cached_property
    def shown_by_rows(self) -> Any:
        """Where each element stands in the products of the groups of rows."""
        return self.rows[self._row_numbers] * self.shape[1] + self.pattern.indices

    @cached_property
    def shown_by_star(self) -> Any:
        """Where each element stands in the products with the groups of columns of a symmetric matrix.

        Of each pair of mirror images the one in the row of the larger colour stands alone.
        """
        rows, columns, colours = self._row_numbers, self.pattern.indices, self.star
        turned = colours[rows] < colours[columns]
        return np.where(turned, colours[rows] * self.shape[0] + columns, colours[columns] * self.shape[0] + rows)

    @property
    def _row_numbers(self) -> Any:
        return np.repeat(np.arange(self.shape[0]), np.diff(self.pattern.indptr))

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"<Sparsity: {rows} x {columns}, {self.nnz} of {rows * columns} elements>"


def _count(colours: Any) -> int:
    return int(colours.max(initial=-1)) + 1


def given_structure(sparse: Any) -> Any:
    """What was said by ``sparse=``: True, or a structure."""
    if not (sparse is True or isinstance(sparse, (Sparsity, np.ndarray)) or issparse(sparse)):
        raise TypeError("sparse= must be True, a structure from tapead.sparsity, or a matrix that is nonzero where the "
                        f"derivative may be, not {sparse!r}")
    return sparse if sparse is True or isinstance(sparse, Sparsity) else Sparsity(sparse)


def sparsity(f: Function, argnums: Positions = 0) -> Function:
    """A function that returns the structure of the Jacobian of `f`; of the Hessian, where given ``grad(f)``.

    Parameters
    ----------
    f : callable
        Returns real arrays or nested containers of them.
    argnums : int or sequence of int
        Which positional arguments to differentiate in.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns a :class:`Sparsity`, to be given to ``jacobian(f, sparse=...)`` or
        ``hessian(f, sparse=...)``, or to be looked at.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> print(ta.sparsity(lambda x: x[1:] * x[0])(np.ones(4)).pattern.toarray().astype(int))
    [[1 1 0 0]
     [1 0 1 0]
     [1 0 0 1]]
    """
    return _Transformed(_sparsity_of, f, argnums)


def _sparsity_of(f: Function, args: tuple[Any, ...], kwargs: dict[str, Any], argnums: Positions) -> Sparsity:
    return _structure(_recorded("sparsity", f, f, args, kwargs, argnums))


def jacobian_of(f: Function, args: tuple[Any, ...], kwargs: dict[str, Any], argnums: Positions, mode: str,
                given: Any, remembered: dict[Any, Sparsity]) -> Any:
    """The sparse Jacobian of `f`: what ``jacobian(f, argnums, mode, sparse=given)`` calls."""
    recording = _recorded("jacobian", f, f, args, kwargs, argnums)

    def fill(structure: Sparsity) -> tuple[Any, bool]:
        forwards = mode == "fwd" or (mode == "auto" and _count(structure.columns) <= _count(structure.rows))
        return (_by_columns if forwards else _by_rows)(recording, structure), forwards

    return _blocks(recording, _filled(recording, given, remembered, lambda found: found, fill), argnums)


def hessian_of(f: Function, args: tuple[Any, ...], kwargs: dict[str, Any], argnums: Positions, given: Any,
               remembered: dict[Any, Sparsity]) -> Any:
    """The sparse Hessian of `f`: what ``hessian(f, argnums, sparse=given)`` calls."""
    recording = _recorded("hessian", grad(f, argnums), f, args, kwargs, argnums)
    matrix = _filled(recording, given, remembered, lambda found: found.symmetric,
                     lambda structure: (_by_star(recording, structure), True),
                     lambda structure: _by_columns(recording, structure))
    return _blocks(recording, matrix, argnums)


def _recorded(name: str, function: Function, f: Function, args: Sequence[Any], kwargs: dict[str, Any],
              argnums: Positions) -> Recording:
    recording = Recording(name, function, args, kwargs, _positions(argnums, args, name, f))
    if recording.nested:
        raise NotImplementedError(f"{name}: a sparse derivative cannot be differentiated itself, and that of "
                                  f"{called(f)} depends on tracked tensors: detach them, or leave out sparse=")
    for value in (*recording.inputs, *map(plain_value, recording.outputs)):
        if np.iscomplexobj(plain_value(value)):
            raise TypeError(f"{name}: sparse derivatives are of real functions of real numbers; {called(f)} has "
                            "complex arguments or results: give it their real and imaginary parts")
    return recording


def _structure(recording: Recording) -> Sparsity:
    """The structure that the tape shows."""
    outputs = [getattr(output, "_entry", None) for output in recording.outputs]
    sizes = [np.size(plain_value(output)) for output in recording.outputs]
    return Sparsity(pattern_of([stand_in._entry for stand_in in recording.inputs],  # type: ignore[misc]  # tracked
                               outputs, sizes, recording.order))


# ---------------------------------------------------------------------- which structure, and whether it fits


def _filled(recording: Recording, given: Any, remembered: dict[Any, Sparsity], prepare: Callable[[Sparsity], Sparsity],
            fill: Callable[[Sparsity], tuple[Any, bool]],
            fill_any: Callable[[Sparsity], Any] | None = None) -> Any:
    """The matrix, by the structure that was given or remembered, if that fits, or else by that of the tape.

    `fill` also says whether it has swept forwards. What takes symmetry for granted is given `fill_any` too: gradients
    that the user has made up need not have symmetric derivatives.
    """
    shapes = tuple([stand_in.shape for stand_in in recording.inputs]), tuple(map(np.shape, recording.outputs))
    old: Sparsity | None = remembered.get(shapes) if given is True else given
    if old is not None:
        size = (sum(np.size(plain_value(output)) for output in recording.outputs),
                sum(value.size for value in recording.values))
        if old.shape != size:
            raise ValueError(f"{recording.name}: the structure given by sparse= has shape {old.shape}, the derivative "
                             f"{size}")
        matrix, forwards = fill(prepare(old))
        if _fits(recording, matrix, forwards):
            return matrix
    new = _structure(recording)
    if old is not None and given is not True:
        missing = sparse.coo_array(new.pattern > prepare(old).pattern)
        if missing.nnz == 0:  # the probe was misled by rounding
            return matrix
        raise ValueError(f"{recording.name}: the structure given by sparse= does not fit: it lacks {missing.nnz} "
                         f"elements that may be other than zero, ({missing.row[0]}, {missing.col[0]}) among them; find "
                         "it anew with tapead.sparsity")
    while len(remembered) >= _REMEMBERED:
        remembered.pop(next(iter(remembered)), None)
    new = remembered[shapes] = prepare(new)
    matrix, forwards = fill(new)
    return matrix if fill_any is None or _fits(recording, matrix, forwards) else fill_any(new)


def _fits(recording: Recording, matrix: Any, forwards: bool) -> bool:
    """Whether the matrix times a random vector is what a sweep says it is."""
    if not forwards:
        matrix = matrix.T
    vector = np.random.default_rng(matrix.shape[1]).uniform(0.5, 1.5, matrix.shape[1]).astype(matrix.dtype)
    expected = _joined(recording.push(_split(vector, recording.inputs)) if forwards else
                       recording.pull(_split(vector, list(map(plain_value, recording.outputs))), keep=True))
    with np.errstate(invalid="ignore", over="ignore"):
        found = matrix @ vector
        size = abs(matrix) @ vector + abs(expected)
        apart = abs(found - expected) > np.sqrt(np.finfo(matrix.dtype).eps) * size
    return not np.any(apart & np.isfinite(found) & np.isfinite(expected))


# ---------------------------------------------------------------------- sweeps, and what they show


def _by_columns(recording: Recording, structure: Sparsity) -> Any:
    return _with_elements(structure, _pushed_groups(recording, structure.columns), structure.shown_by_columns)


def _by_rows(recording: Recording, structure: Sparsity) -> Any:
    outputs = list(map(plain_value, recording.outputs))
    pull = partial(recording.pull, keep=True)
    pulled = _for_each(structure.rows, outputs, pull, recording.pull_many, recording.at_once)
    return _with_elements(structure, pulled, structure.shown_by_rows)


def _by_star(recording: Recording, structure: Sparsity) -> Any:
    return _with_elements(structure, _pushed_groups(recording, structure.star), structure.shown_by_star)


def _pushed_groups(recording: Recording, colours: Any) -> Any:
    return _for_each(colours, recording.inputs, recording.push, recording.push_many, recording.at_once)


def _for_each(colours: Any, like: Sequence[Any], sweep: Sweep, sweep_many: Sweep, at_once: int) -> Any:
    """What the sweeps make of the sum of the unit vectors of each colour, one row each."""
    count = max(_count(colours), 1)
    if at_once == 1 or colours.size > _LONG:
        return np.stack([_joined(sweep(_split(colours == colour, like))) for colour in range(count)])
    starts = range(0, count, at_once)
    seeds = [colours == np.arange(start, min(start + at_once, count))[:, None] for start in starts]
    return np.concatenate([_joined(sweep_many(_split(some, like)), len(some)) for some in seeds])


def _split(vectors: Any, like: Sequence[Any]) -> list[Any]:
    """One vector or several as arrays of the shapes and dtypes of `like`, with an axis in front for several."""
    parts = np.split(vectors, np.cumsum([np.size(one) for one in like])[:-1], axis=-1)
    return [part.astype(one.dtype if one.dtype.kind == "f" else float).reshape(part.shape[:-1] + one.shape)[()]
            for part, one in zip(parts, like, strict=True)]


def _joined(parts: Sequence[Any], *count: int) -> Any:
    """The arrays as one vector, or `count` of them as rows."""
    return np.concatenate([np.reshape(plain_value(part), (*count, -1 if np.size(part) else 0))
                           for part in parts], axis=-1)


def _with_elements(structure: Sparsity, swept: Any, places: Any) -> Any:
    pattern = structure.pattern
    # Copies: the caller's `eliminate_zeros` works in place.
    return sparse.csr_array((swept.reshape(-1).take(places), pattern.indices.copy(), pattern.indptr.copy()),
                            shape=pattern.shape)


def _blocks(recording: Recording, matrix: Any, argnums: Positions) -> Any:
    """The matrix in the structure of the function's results, with that of its arguments in the place of each leaf."""
    heights = np.cumsum([0, *(np.size(plain_value(output)) for output in recording.outputs)])
    widths = np.cumsum([0, *(stand_in.size for stand_in in recording.inputs)])
    one = _is_one(argnums)
    rows = []
    for top, bottom in pairwise(heights):
        band = matrix[top:bottom]
        row = recording.rebuild_inputs([band if len(widths) == 2 else band[:, left:right]
                                        for left, right in pairwise(widths)])
        rows.append(row[0] if one else row)
    return recording.rebuild_outputs(rows)
