"""Products that sum: matmul and its kin, einsum, tensordot, kron, cross, and polyval by Horner's scheme."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..registry import (
    PRIMITIVES,
    UFUNCS,
    Linear,
    Primitive,
    RegisterGradient,
    add_primitive,
    case,
    implements,
    value_of,
)
from .arguments import as_operand, no_out
from .arithmetic import is_complex
from .axes import aloud


def _conjugate(x: Any) -> Any:
    """conj(x), without a copy of what is real"""
    return np.conj(x) if is_complex(x) else x


def _adjoint(a: Any) -> Any:
    """The conjugate transpose of a stack of matrices, a view where they are real"""
    return _conjugate(a.T if a.ndim == 2 else a.mT)


def _times_columns(a: Any, x: Any) -> Any:
    """A x for a stack of matrices and a stack of vectors"""
    return a @ x if x.ndim == 1 else (a @ x[..., None])[..., 0]


def _column_by_row(x: Any, y: Any) -> Any:
    """x yᵀ for stacks of vectors"""
    return x[..., :, None] * y[..., None, :]


# ---------------------------------------------------------------------- matmul

UFUNCS[np.matmul] = add_primitive(Primitive("matmul", np.matmul, cases=(
    case((2, 3), (3, 4)), case((3,), (3,)), case((3,), (3, 2)), case((2, 3), (3,)), case((4, 2, 3), (3, 2)),
    case((4, 2, 3), (3,)), case((3,), (2, 3, 4)), case((2, 1, 2, 3), (4, 3, 2)), case((2, 3), (4, 3, 2)),
    case((1, 2, 3), (4, 3, 1)), case((0, 3), (3, 2)), case((2, 0), (0, 3)))))


@RegisterGradient("matmul", reads="factors")
def _matmul(op: Any) -> Any:
    """d (A B) = dA B + A dB, with the adjoints G Bᴴ and Aᴴ G"""
    a, b = op.inputs
    return Linear(lambda t: t @ b, _into_left(a, b)), Linear(lambda t: a @ t, _into_right(a, b))


def _into_left(a: Any, b: Any) -> Callable[[Any], Any]:
    """G ↦ G Bᴴ, of the shape of `a` but for axes that were broadcast"""
    if b.ndim > 1:
        return lambda g: g @ _adjoint(b) if a.ndim > 1 else _times_columns(_conjugate(b), g)
    if a.ndim > 1:
        return lambda g: g[..., None] * _conjugate(b)
    return lambda g: g * _conjugate(b)


def _into_right(a: Any, b: Any) -> Callable[[Any], Any]:
    """G ↦ Aᴴ G, of the shape of `b` but for axes that were broadcast"""
    if a.ndim == 1:
        return lambda g: g * _conjugate(a) if b.ndim == 1 else _column_by_row(_conjugate(a), g)
    if a.ndim == 2:
        return lambda g: _adjoint(a) @ g
    if b.ndim > 2:
        return lambda g: _adjoint(a) @ g
    # One matrix or vector met a whole stack: a single product sums over the stack as well.
    rows = math.prod(a.shape[:-1])
    return lambda g: (_adjoint(np.reshape(a, (rows, a.shape[-1])))
                      @ np.reshape(g, (rows, b.shape[1]) if b.ndim == 2 else (rows,)))


# ---------------------------------------------------------------------- vecdot, matvec, vecmat

UFUNCS[np.vecdot] = add_primitive(Primitive("vecdot", np.vecdot, cases=(
    case((3,), (3,)), case((2, 3), (3,)), case((2, 1, 3), (4, 3)))))


@RegisterGradient("vecdot", reads="factors")
def _vecdot(op: Any) -> Any:
    """d (xᴴ y) = dxᴴ y + xᴴ dy, with the adjoints conj(g) y and g x"""
    x, y = op.inputs
    return (Linear(lambda t: np.vecdot(t, y), lambda g: _conjugate(g)[..., None] * y),
            Linear(lambda t: np.vecdot(x, t), lambda g: g[..., None] * x))


if hasattr(np, "matvec"):  # from NumPy 2.2 on
    UFUNCS[np.matvec] = add_primitive(Primitive("matvec", np.matvec, cases=(
        case((2, 3), (3,)), case((4, 2, 3), (3,)), case((2, 3), (4, 3)), case((4, 1, 2, 3), (5, 3)))))
    UFUNCS[np.vecmat] = add_primitive(Primitive("vecmat", np.vecmat, cases=(
        case((3,), (3, 2)), case((3,), (4, 3, 2)), case((4, 3), (3, 2)), case((5, 3), (4, 1, 3, 2)))))

    @RegisterGradient("matvec", reads="factors")
    def _matvec(op: Any) -> Any:
        """d (A x) = dA x + A dx, with the adjoints g xᴴ and Aᴴ g"""
        a, x = op.inputs
        return (Linear(lambda t: np.matvec(t, x), lambda g: _column_by_row(g, _conjugate(x))),
                Linear(lambda t: np.matvec(a, t), lambda g: np.matvec(_adjoint(a), g)))

    @RegisterGradient("vecmat", reads="factors")
    def _vecmat(op: Any) -> Any:
        """d (xᴴ A) = dxᴴ A + xᴴ dA, with the adjoints A conj(g) and x gᵀ"""
        x, a = op.inputs
        return (Linear(lambda t: np.vecmat(t, a), lambda g: np.matvec(a, _conjugate(g))),
                Linear(lambda t: np.vecmat(x, t), lambda g: _column_by_row(x, g)))


# ---------------------------------------------------------------------- dot and its kin, by composition


@implements(np.dot)
def _dot_of(a: Any, b: Any, out: Any = None) -> Any:
    no_out("np.dot", out)
    left, right = np.ndim(a), np.ndim(b)
    if left == 0 or right == 0:
        return np.multiply(a, b)
    if right <= 2 or left == 1:
        return np.matmul(a, b)
    return np.tensordot(a, b, axes=(-1, -2))


@implements(np.vdot)
def _vdot_of(a: Any, b: Any, /) -> Any:
    return np.matmul(_conjugate(_flat(a)), _flat(b))


@implements(np.inner)
def _inner_of(a: Any, b: Any, /) -> Any:
    left, right = np.ndim(a), np.ndim(b)
    if left == 0 or right == 0:
        return np.multiply(a, b)
    if left == 1 or right == 1:
        return np.matmul(a, b) if right == 1 else np.matmul(b, a)
    return np.tensordot(a, b, axes=(-1, -1))


@implements(np.outer)
def _outer_of(a: Any, b: Any, out: Any = None) -> Any:
    no_out("np.outer", out)
    return _flat(a)[:, None] * _flat(b)


def _flat(x: Any) -> Any:
    x = as_operand(x)
    return x if x.ndim == 1 else np.reshape(x, -1)


@implements(np.tensordot)
def _tensordot_of(a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = as_operand(a), as_operand(b)
    summed_a, summed_b = _summed_axes(axes, a.ndim, b.ndim)
    lengths_a, lengths_b = [a.shape[axis] for axis in summed_a], [b.shape[axis] for axis in summed_b]
    if lengths_a != lengths_b:
        raise ValueError(f"np.tensordot: axes {summed_a} of the first operand (shape {a.shape}) and {summed_b} of the "
                         f"second (shape {b.shape}) differ in length")
    kept_a = [axis for axis in range(a.ndim) if axis not in summed_a]
    kept_b = [axis for axis in range(b.ndim) if axis not in summed_b]
    kept = tuple([a.shape[axis] for axis in kept_a]), tuple([b.shape[axis] for axis in kept_b])
    inner = math.prod(lengths_a)
    left = _moved(a, [*kept_a, *summed_a], (math.prod(kept[0]), inner))
    right = _moved(b, [*summed_b, *kept_b], (inner, math.prod(kept[1])))
    return _moved(np.matmul(left, right), [0, 1], kept[0] + kept[1])


def _summed_axes(axes: Any, left: int, right: int) -> tuple[list[int], list[int]]:
    """The axes that tensordot sums over, none of them negative"""
    if not np.iterable(axes):
        return list(range(left - axes, left)), list(range(axes))
    first, second = ([axis] if np.ndim(axis) == 0 else list(axis) for axis in axes)
    if len(first) != len(second):
        raise ValueError(f"np.tensordot: axes={axes!r} names {len(first)} axes of the first operand and {len(second)} "
                         "of the second")
    if len({axis % left for axis in first}) != len(first) or len({axis % right for axis in second}) != len(second):
        raise ValueError(f"np.tensordot: axes={axes!r} names an axis twice")
    return [axis % left for axis in first], [axis % right for axis in second]


def _moved(x: Any, order: list[int], shape: tuple[int, ...]) -> Any:
    """`x` with its axes in this order and then this shape; nothing is recorded where nothing changes"""
    if order != list(range(x.ndim)):
        x = np.transpose(x, order)
    return x if x.shape == shape else np.reshape(x, shape)


@implements(np.kron)
def _kron_of(a: Any, b: Any) -> Any:
    a, b = as_operand(a), as_operand(b)
    ndim = max(a.ndim, b.ndim)
    rows, columns = (1,) * (ndim - a.ndim) + a.shape, (1,) * (ndim - b.ndim) + b.shape
    left = np.reshape(a, tuple([length for one in rows for length in (one, 1)]))
    right = np.reshape(b, tuple([length for one in columns for length in (1, one)]))
    return np.reshape(left * right, tuple([one * other for one, other in zip(rows, columns, strict=True)]))


@implements(np.trace)
def _trace_of(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    no_out("np.trace", out)
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


@implements(np.cross)
def _cross_of(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(as_operand(a), axisa, -1), np.moveaxis(as_operand(b), axisb, -1)
    if not {a.shape[-1], b.shape[-1]} <= {2, 3}:
        raise ValueError(f"np.cross: vectors of length {a.shape[-1]} and {b.shape[-1]}; they must have 3 (or 2)")
    a1, a2, a3 = _components(a)
    b1, b2, b3 = _components(b)
    last = a1 * b2 - a2 * b1
    if a3 is None and b3 is None:
        return last
    first = a2 * b3 if a3 is None else -(a3 * b2) if b3 is None else a2 * b3 - a3 * b2
    second = -(a1 * b3) if a3 is None else a3 * b1 if b3 is None else a3 * b1 - a1 * b3
    return np.moveaxis(np.stack([first, second, last], axis=-1), -1, axisc)


def _components(x: Any) -> tuple[Any, Any, Any]:
    """The two or three components of vectors along the last axis; a missing one is None"""
    return x[..., 0], x[..., 1], x[..., 2] if x.shape[-1] == 3 else None


@implements(np.polyval)
def _polyval_of(p: Any, x: Any) -> Any:
    if isinstance(x, np.poly1d):
        raise NotImplementedError("np.polyval(p, x): composing with a poly1d is not covered; give numbers for x")
    total = np.zeros_like(value_of(x))
    for coefficient in p:
        total = total * x + coefficient
    return total


# ---------------------------------------------------------------------- einsum


def _contract(*operands: Any, subscripts: str, **options: Any) -> Any:
    return np.einsum(subscripts, *operands, **options)[()]


add_primitive(Primitive("einsum", _contract, cases=(
    case((2, 3), (3, 4), subscripts="ij,jk->ik"), case((3, 3), subscripts="ii->"), case((2, 3), subscripts="ij->"),
    case((3, 3, 2), subscripts="iij->ij"), case((2, 3), (3, 4), (4, 2), subscripts="ij,jk,kl->il", optimize=True),
    case((2, 3), (4,), subscripts="ij,k->ik"), case((1, 3), (2, 3), subscripts="ij,ij->i"),
    case((), (3,), subscripts=",i->i"), case((3, 1), (4,), subscripts="ij,j->i"),
    case((4,), (3, 1), subscripts="j,ij->i"))))

#: From this many elements on, einsum's search for BLAS calls pays for itself in an adjoint.
_LARGE = 4096


@RegisterGradient("einsum", reads="factors")
def _einsum(op: Any) -> Any:
    """d einsum(x, y, …) = einsum(dx, y, …) + einsum(x, dy, …) + …; each adjoint is an einsum too"""
    subscripts, optimize = op.attrs["subscripts"], op.attrs.get("optimize", False)
    terms, result = subscripts.split("->")
    terms = terms.split(",")
    large = op.output.size + sum(np.size(x) for x in op.inputs) >= _LARGE
    options = {"optimize": large or optimize is not False}

    def entry(position: int) -> Linear:
        def apply(t: Any) -> Any:
            operands = (*op.inputs[:position], t, *op.inputs[position + 1:])
            return PRIMITIVES["einsum"](*operands, subscripts=subscripts, optimize=optimize)

        def adjoint(g: Any) -> Any:
            others = [_conjugate(x) for x in (*op.inputs[:position], *op.inputs[position + 1:])]
            labels = [result, *terms[:position], *terms[position + 1:]]
            return _einsum_adjoint(g, others, labels, terms[position], op.inputs[position].shape, options)

        return Linear(lambda t: aloud(apply(t)), lambda g: aloud(adjoint(g)))

    return tuple([entry(position) for position in range(len(op.inputs))])


def _einsum_adjoint(g: Any, others: list[Any], labels: list[str], term: str, shape: tuple[int, ...],
                    options: dict[str, Any]) -> Any:
    """What an operand labelled `term` receives from the output's cotangent `g` and the other operands"""
    operands, labels = [g, *others], list(labels)
    used = set("".join([*labels, term]))
    fresh = iter([letter for letter in _LETTERS if letter not in used])
    target = ""
    for letter, length in zip(term, shape, strict=True):
        if letter in target:
            # A repeated letter reads a diagonal; the identity matrix puts it back there.
            other = next(fresh)
            operands.append(np.eye(length, dtype=g.dtype))
            labels.append(letter + other)
            letter = other
        target += letter
    # A letter that nothing else has was summed over: all of its elements receive the same.
    known = "".join(letter for letter in target if any(letter in label for label in labels))
    part = PRIMITIVES["einsum"](*operands, subscripts=f"{','.join(labels)}->{known}", **options)
    if known != target:
        lengths = iter(part.shape)
        part = np.reshape(part, tuple([next(lengths) if letter in known else 1 for letter in target]))
    full = np.broadcast_shapes(part.shape, shape)
    return part if part.shape == full else np.broadcast_to(part, full)


#: In the order in which einsum sorts an implicit result, which is also the order of a sublist's numbers.
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@implements(np.einsum)
def _einsum_of(*operands: Any, out: Any = None, optimize: Any = False, **options: Any) -> Any:
    no_out("np.einsum", out)
    if unknown := options.keys() - {"dtype", "order", "casting"}:
        raise TypeError(f"np.einsum: unexpected keywords {sorted(unknown)}")
    if isinstance(operands[0], str):
        subscripts, arrays = operands[0].replace(" ", ""), operands[1:]
    else:
        subscripts, arrays = _from_sublists(operands)
    arrays = tuple([as_operand(x) for x in arrays])
    subscripts = _explicit(subscripts, [x.ndim for x in arrays])
    if optimize is not False:
        options["optimize"] = optimize
    return PRIMITIVES["einsum"](*arrays, subscripts=subscripts, **options)


def _from_sublists(operands: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    """The subscripts and the arrays of a call such as ``einsum(a, [0, 1], b, [1, 2], [0, 2])``"""

    def text(sublist: Any) -> str:
        return "".join("..." if label is Ellipsis else _LETTERS[label] for label in sublist)

    pairs = len(operands) // 2
    subscripts = ",".join(text(operands[2 * pair + 1]) for pair in range(pairs))
    if len(operands) % 2:
        subscripts += "->" + text(operands[-1])
    return subscripts, tuple(operands[:2 * pairs:2])


def _explicit(subscripts: str, ndims: list[int]) -> str:
    """Subscripts with letters in the place of each ellipsis, and with the result's letters"""
    inputs, arrow, result = subscripts.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"np.einsum: {subscripts!r} names {len(terms)} operands, {len(ndims)} were given")
    used = set(subscripts)
    free = [letter for letter in _LETTERS if letter not in used]
    missing = [ndim - len(term.replace("...", "")) if "..." in term else 0
               for term, ndim in zip(terms, ndims, strict=True)]
    broadcast = "".join(free[:max(missing, default=0)])
    terms = [term.replace("...", broadcast[len(broadcast) - count:] if count > 0 else "")
             for term, count in zip(terms, missing, strict=True)]
    if arrow:
        if broadcast and "..." not in result:
            raise ValueError(f"np.einsum: the result of {subscripts!r} needs an ellipsis, as its operands have one")
        result = result.replace("...", broadcast)
    else:
        letters = "".join(terms)
        result = broadcast + "".join(sorted(letter for letter in set(letters)
                                            if letters.count(letter) == 1 and letter not in broadcast))
    return f"{','.join(terms)}->{result}"
