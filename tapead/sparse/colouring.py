"""Groups of columns, of rows, or of the columns of a symmetric matrix, such that one product finds a whole group.

The columns of a group have no row in common (Curtis, Powell and Reid, 1974), so that the product of the matrix with
their sum shows all of their elements. For a symmetric matrix less is enough: colour the graph of its elements such that
neighbours differ and no path over four vertices has only two colours, a star colouring (Coleman and Moré, 1984).

Both are greedy: vertices are taken by falling degree and get the smallest colour that is free. Sets of colours are the
bits of integers, so that the work is proportional to the number of elements.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["column_colours", "star_colours"]


def column_colours(pattern: Any) -> Any:
    """A colour for each column of a sparse matrix; columns of one colour have no row in common.

    Examples
    --------
    >>> from scipy import sparse
    >>> column_colours(sparse.diags_array([1.0, 1.0, 1.0], offsets=[-1, 0, 1], shape=(6, 6)))
    array([2, 0, 1, 2, 0, 1])
    """
    columns = pattern.tocsc()
    starts, rows = columns.indptr.tolist(), columns.indices.tolist()
    taken = [0] * columns.shape[0]  # in each row, the colours of its columns
    bits = [0] * columns.shape[1]
    for column in _by_degree(columns.indptr):
        mine = rows[starts[column]:starts[column + 1]]
        forbidden = 0
        for row in mine:
            forbidden |= taken[row]
        bits[column] = free = ~forbidden & (forbidden + 1)
        for row in mine:
            taken[row] |= free
    return _numbered(bits)


def star_colours(pattern: Any) -> Any:
    """A colour for each column of a symmetric sparse matrix, fewer than :func:`column_colours` needs.

    Where two vertices of one colour share a neighbour, the neighbour's colour is smaller. So of two neighbours the one
    of the larger colour has no other neighbour of the smaller: element (i, j) with ``colours[i] > colours[j]`` stands
    alone in row i of the product with the columns coloured like j, and so does a diagonal element in its own row. That
    also rules out paths of two colours over four vertices: one of the two inner ones has the larger colour.

    Examples
    --------
    An arrow, whose columns all share a row:

    >>> import numpy as np
    >>> from scipy import sparse
    >>> arrow = np.eye(5)
    >>> arrow[0] = arrow[:, 0] = 1
    >>> star_colours(sparse.csr_array(arrow))
    array([0, 1, 1, 1, 1])
    """
    graph = pattern.tocsr()
    starts, neighbours = graph.indptr.tolist(), graph.indices.tolist()
    bits = [0] * graph.shape[0]  # the colour of each vertex, 0 for none yet
    around = [0] * graph.shape[0]  # the colours of its neighbours
    for vertex in _by_degree(graph.indptr):
        mine = neighbours[starts[vertex]:starts[vertex + 1]]
        forbidden = 0
        for other in mine:
            bit = bits[other]
            # Of the vertices beyond, those of a smaller colour than the one between; all while that has none.
            forbidden |= bit | (around[other] & (bit - 1) if bit else around[other])
        bits[vertex] = free = ~forbidden & (forbidden + 1)
        for other in mine:
            around[other] |= free
    return _numbered(bits)


def _numbered(bits: list[int]) -> Any:
    return np.array([bit.bit_length() - 1 for bit in bits], int)


def _by_degree(starts: Any) -> list[int]:
    """The vertices from the one with most elements on, those of equal number in their order."""
    return np.argsort(-np.diff(starts), kind="stable").tolist()  # type: ignore[no-any-return]  # of a 1-d array
