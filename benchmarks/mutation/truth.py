"""Whether a mutant changes a derivative at a point: decided by comparing it with the registered rule, entry by entry.

No checker takes part. Both rules are applied to the same tangents and cotangents (every unit vector, the same times -2,
and the first one once more); a mutant is equivalent where nothing that can be observed of it differs by more than
rounding. Those are not counted.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

import tapead as ta

from .mutants import Mutant
from .points import Point

#: What is smaller than this beside the right entry, or beside the largest one of its vector, is rounding.
RELATIVE, OF_THE_LARGEST = 1e-10, 1e-13


def observed(point: Point, rule: Any, order: int) -> list[np.ndarray] | str:
    """All that can be seen of a derivative, or the error that it raised."""
    overrides = {} if rule is None else {point.name: rule}
    inputs = tuple(np.array(x)[()] for x in point.inputs)
    with warnings.catch_warnings(), np.errstate(all="ignore"), ta.override_gradient(overrides):
        warnings.simplefilter("ignore")
        try:
            return list(_first(point, inputs) if order == 1 else _second(point, inputs))
        except Exception as error:  # whatever a wrong rule may raise
            return f"{type(error).__name__}: {error}"


def _first(point: Point, inputs: tuple[Any, ...]) -> Iterator[np.ndarray]:
    out, pull = ta.vjp(point.function, *inputs)
    _, push = ta.linearize(point.function, *inputs)
    cotangents = [(one,) for one in units((np.asarray(out),))]
    for apply, vectors in ((pull, [one[0] for one in cotangents]), (push, units(inputs))):
        for vector in (*vectors, vectors[0]):
            given = vector if isinstance(vector, tuple) else (vector,)
            image = apply(*given)
            yield from (np.asarray(part) for part in (image if isinstance(image, tuple) else (image,)))
            yield from (np.asarray(part) for part in given)
    yield from (np.asarray(x) for x in inputs)


def _second(point: Point, inputs: tuple[Any, ...]) -> Iterator[np.ndarray]:
    out = np.asarray(point.value(*inputs))
    weights = np.linspace(0.5, 1.5, out.size).reshape(out.shape).astype(out.dtype)[()]

    def gradient(*where: Any) -> Any:
        return ta.vjp(point.function, *where)[1](weights)

    out, push = ta.linearize(gradient, *inputs)
    size = max(float(np.max(np.abs(part), initial=0.0)) for part in out)
    for image in _images(push, units(inputs)):
        yield np.where(np.abs(image) <= 1e-12 * size, 0.0, image)  # cancelled: rounding of the first derivative


def _images(apply: Any, vectors: list[Any]) -> Iterator[np.ndarray]:
    for vector in vectors:
        image = apply(*vector)
        yield from (np.asarray(part) for part in (image if isinstance(image, tuple) else (image,)))


def units(like: tuple[Any, ...]) -> list[Any]:
    """Every unit vector of a tuple of arrays, and each of them times -2 (and times the imaginary unit)."""
    vectors = []
    for number, array in enumerate(map(np.asarray, like)):
        for flat in range(array.size):
            for size in (1.0, -2.0) + ((1j,) if array.dtype.kind == "c" else ()):
                vector = [np.zeros_like(np.asarray(one)) for one in like]
                vector[number].flat[flat] = size
                vectors.append(tuple(one[()] for one in vector))
    return vectors


def differs(right: list[np.ndarray] | str, wrong: list[np.ndarray] | str) -> bool:
    """Whether what is observed of two derivatives differs by more than rounding."""
    if isinstance(right, str) or isinstance(wrong, str):
        return not isinstance(right, str)
    if len(right) != len(wrong):
        return True
    return any(_apart(first, second) for first, second in zip(right, wrong, strict=True))


def _apart(first: np.ndarray, second: np.ndarray) -> bool:
    if first.shape != second.shape or first.dtype != second.dtype:
        return True
    with np.errstate(all="ignore"):
        largest = np.max(np.abs(first), initial=0.0, where=np.isfinite(first))
        off = np.abs(second - first) > RELATIVE * np.abs(first) + OF_THE_LARGEST * largest
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    return bool(np.any((off | ~np.isfinite(first) | ~np.isfinite(second)) & ~same))


def changes(point: Point, mutant: Mutant, known: dict[int, Any]) -> bool:
    """Whether a mutant changes the derivative at a point; `known` keeps what the registered rule gives."""
    if mutant.order not in known:
        known[mutant.order] = observed(point, None, mutant.order)
    return differs(known[mutant.order], observed(point, mutant.rule, mutant.order))
