"""For which inputs a formula holds: the branches that its function took, as relations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import sympy

from ..decisions import Decision
from ..registry import Primitive
from ..tape import Entry
from ..tensor import Tensor
from .algebras import Exact
from .arrays import DuckArray, wrap
from .constants import recognise

__all__ = ["conditions_of", "tracked_entries"]

_RELATIONS = {"equal": sympy.Eq, "not_equal": sympy.Ne, "less": sympy.Lt, "less_equal": sympy.Le,
              "greater": sympy.Gt, "greater_equal": sympy.Ge}
_STEPS = {"floor": sympy.floor, "ceil": sympy.ceiling, "floor_divide": lambda x, y: sympy.floor(x / y)}
#: They hold for every real number.
_ALWAYS = frozenset(["isfinite", "isinf", "isnan", "spacing", "logical_and", "logical_or", "logical_xor",
                     "logical_not"])


def tracked_entries(decisions: Iterable[Decision]) -> list[Entry]:
    """The entries of the tensors that decisions were made on."""
    return [entry for decision in decisions for entry in _entries(decision.operands)]


def _entries(operand: Any) -> Iterator[Entry]:
    if isinstance(operand, (list, tuple)):
        for part in operand:
            yield from _entries(part)
    elif isinstance(operand, Tensor) and operand._entry is not None:
        yield operand._entry


def conditions_of(decisions: Sequence[Decision], values: Mapping[Entry, Any], algebra: Exact) -> list[Any]:
    """The relations between expressions that make the decisions come out as they did.

    Parameters
    ----------
    decisions : sequence of Decision
        What the function decided by, in its order.
    values : mapping of Entry to DuckArray
        What the entries of its tensors are as expressions.
    algebra : Exact
        Of these expressions.
    """
    found: list[Any] = []
    for decision in decisions:
        if not any(True for _ in _entries(decision.operands)):
            continue
        operands = [_expressions(operand, values, algebra) for operand in decision.operands]
        name = decision.what.name if isinstance(decision.what, Primitive) else decision.what.__name__
        for relation in _relations(name, operands, decision.result, decision.keywords):
            if relation not in (sympy.true, *found):
                found.append(relation)
    return found


def _expressions(operand: Any, values: Mapping[Entry, Any], algebra: Exact) -> np.ndarray:
    """An operand as an array of expressions."""
    if isinstance(operand, (list, tuple)):
        parts = [_expressions(part, values, algebra) for part in operand]
        return np.array([part if part.ndim else part[()] for part in parts], object)
    if isinstance(operand, Tensor):
        known = None if operand._entry is None else values.get(operand._entry)
        operand = operand._value if known is None else known
    duck = operand if isinstance(operand, DuckArray) else wrap(algebra, operand)
    return duck.elements


def _relations(name: str, operands: Sequence[np.ndarray], result: Any, keywords: Mapping[str, Any]) -> Iterator[Any]:
    if name in _ALWAYS:
        return
    if name in _RELATIONS:
        for *sides, holds in _together(*operands, result):
            relation = _RELATIONS[name](*sides)
            yield relation if holds else sympy.Not(relation)
    elif name in _STEPS:
        for *inputs, value in _together(*operands, result):
            yield sympy.Eq(_STEPS[name](*inputs), _whole(value))
    elif name == "signbit":
        for element, negative in _together(operands[0], result):
            yield sympy.Lt(element, 0) if negative else sympy.Ge(element, 0)
    elif name in ("argmax", "argmin") and np.ndim(result) == 0:
        first = operands[0].ravel()[int(result)]
        relation = sympy.Ge if name == "argmax" else sympy.Le
        for element in operands[0].flat:
            if element is not first:
                yield relation(first, element)
    elif name == "argsort" and operands[0].ndim > 0 and len(operands) == 1 and keywords.get("axis", -1) == -1:
        ordered = np.take_along_axis(operands[0], result, -1)
        for below, above in zip(ordered[..., :-1].flat, ordered[..., 1:].flat, strict=True):
            yield sympy.Le(below, above)
    elif name == "searchsorted" and len(operands) == 2 and "sorter" not in keywords:
        yield from _between(operands[0], operands[1], result, keywords.get("side", "left") == "left")
    elif name in ("isclose", "allclose", "array_equal") and len(operands) == 2:
        near = [_near(first, second, name, keywords) for first, second in _together(*operands)]
        if name == "isclose":
            yield from (relation if holds else sympy.Not(relation) for relation, holds in _together(near, result))
        else:
            yield sympy.And(*near) if result else sympy.Not(sympy.And(*near))
    else:  # no relation says it shorter than the function itself
        elements = [element for operand in operands for element in np.ravel(operand)]
        if all(isinstance(element, sympy.Basic) for element in elements):
            values = np.ravel(np.asarray(result, object) if not isinstance(result, tuple) else np.concatenate(result))
            shown = [_whole(value) for value in values]
            yield sympy.Eq(sympy.Function(name)(*elements), shown[0] if np.ndim(result) == 0 else sympy.Tuple(*shown),
                           evaluate=False)


def _near(x: Any, y: Any, name: str, keywords: Mapping[str, Any]) -> Any:
    if name == "array_equal":
        return sympy.Eq(x, y)
    rtol, atol = (recognise(float(keywords.get(key, default))) for key, default in (("rtol", 1e-5), ("atol", 1e-8)))
    return sympy.Le(sympy.Abs(x - y), atol + rtol * sympy.Abs(y))


def _between(edges: np.ndarray, elements: np.ndarray, places: Any, left: bool) -> Iterator[Any]:
    for element, above in _together(elements, places):
        if above > 0:
            yield (sympy.Lt if left else sympy.Le)(edges[above - 1], element)
        if above < len(edges):
            yield (sympy.Le if left else sympy.Lt)(element, edges[above])


def _together(*arrays: Any) -> Iterator[tuple[Any, ...]]:
    """The elements of arrays that broadcast together."""
    boxed = [np.asarray(array, object) for array in arrays]
    return zip(*(array.flat for array in np.broadcast_arrays(*boxed)), strict=True)


def _whole(value: Any) -> Any:
    return sympy.Integer(int(value)) if float(value) == int(value) else sympy.Float(float(value))
