"""A small program around one call of a primitive, to see whether the culprit is found in it."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import tapead as ta

from .mutants import Mutant
from .points import Point
from .truth import differs

#: What the program itself is made of. A mutant of one of these may be found wherever it stands.
INGREDIENTS = {"multiply", "subtract", "divide", "sin", "sum", "real"}


def around(point: Point) -> Callable[..., Any]:
    """A real number computed from the primitive's result, its inputs being computed as well."""
    primitive, attrs, starts = point.primitive, point.attrs, point.inputs
    value = np.asarray(point.value(*starts))
    size = float(np.max(np.abs(value))) or 1.0
    weights = np.linspace(-1.0, 0.7, value.size).reshape(value.shape)[()]

    def program(*inputs: Any) -> Any:
        moved = tuple(2.0 * x - start for x, start in zip(inputs, starts, strict=True))  # the same numbers
        result = primitive(*point.filled(moved), **attrs)
        waves = np.sin(result / size)
        return np.sum(np.real(waves * weights))

    return program


def line_of_the_call() -> str:
    """Where the primitive under study is called, as reports have it."""
    source, start = inspect.getsourcelines(around)
    return f"composites.py:{start + next(k for k, line in enumerate(source) if 'result = primitive(' in line)}"


def shows(point: Point, mutant: Mutant) -> bool:
    """Whether a mutant changes the program's derivative (or makes it raise); decided as in :mod:`.truth`."""
    program = around(point)

    def observed(rules: dict[str, Any]) -> list[np.ndarray] | str:
        inputs = tuple(np.array(x)[()] for x in point.inputs)
        tangents = tuple(np.linspace(0.3, 1.1, np.size(x)).reshape(np.shape(x))[()] for x in inputs)
        with warnings.catch_warnings(), np.errstate(all="ignore"), ta.override_gradient(rules):
            warnings.simplefilter("ignore")
            try:
                reverse = ta.vjp(program, *inputs)[1](np.float64(1.0))
                return [np.asarray(part) for part in (*reverse, ta.jvp(program, inputs, tangents)[1])]
            except Exception as error:  # whatever a wrong rule may raise
                return f"{type(error).__name__}: {error}"

    return differs(observed({}), observed({point.name: mutant.rule}))


def named(point: Point, report: Any) -> tuple[bool, str]:
    """Whether a report names the primitive and the line it was called from, and what it names."""
    culprit = report.culprit
    if culprit is None:
        return False, "nobody"
    right = culprit.primitive == point.name
    if point.name not in INGREDIENTS:
        right = right and culprit.where.endswith(line_of_the_call())
    return right, f"{culprit.primitive} ({culprit.where})"
