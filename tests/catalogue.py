"""The catalogue's rows as test cases: every registered primitive, applied to short decimals from its domain."""

from __future__ import annotations

import itertools
import zlib
from typing import Any

import numpy as np

import tapead as ta
from tapead.registry import PRIMITIVES, Case, Primitive

SHAPES_BY_ARITY: dict[int, list[tuple[Any, ...]]] = {
    1: [((),), ((3,),), ((2, 3),), ((0,),)],
    2: [((), ()), ((3,), (3,)), ((2, 1), (3,)), ((2, 3), ()), ((0,), (0,))],
}


def cases(primitive: Primitive) -> tuple[Case, ...]:
    """The calls to test a primitive with: those it declares, or the standard shapes of an elementwise one."""
    if primitive.cases or not primitive.elementwise:
        return primitive.cases
    return tuple(Case(shapes, {}) for shapes in SHAPES_BY_ARITY[primitive.arity])


def numpy_primitives() -> dict[str, Primitive]:
    """The primitives of NumPy's functions. SciPy's are registered when asked for and have tests of their own."""
    return {name: primitive for name, primitive in sorted(PRIMITIVES.items())
            if getattr(primitive.rule, "__module__", "tapead.ops").startswith("tapead.ops")}


def rows() -> list[tuple[str, int]]:
    """(name, case number) for every differentiable primitive."""
    return [(name, number) for name, primitive in numpy_primitives().items() if primitive.differentiable
            for number in range(len(cases(primitive)))]


def draw(primitive: Primitive, number: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Operands and keywords of a row. The same name and number always give the same short decimals, without ties."""
    row = cases(primitive)[number]
    generator = np.random.default_rng(zlib.crc32(f"{primitive.name} {number}".encode()))
    for _ in range(1000):
        operands = tuple(_values(generator, operand, primitive, position) if isinstance(operand, tuple) else operand
                         for position, operand in enumerate(row.operands))
        if kink_distance(primitive, operands) > 0.15:
            return operands, row.attrs
    raise AssertionError(f"no point of {primitive.name!r} is clear of its kinks ({primitive.kinks})")


def _values(generator: np.random.Generator, shape: tuple[int, ...], primitive: Primitive, position: int) -> Any:
    low, high = primitive.domain[position] if position < len(primitive.domain) else (-np.inf, np.inf)
    low = max(low, -3.0 if np.isinf(high) else high - 6.0)
    high = min(high, low + 6.0)
    size = int(np.prod(shape))
    steps = generator.permutation(max(size, 1) * 4 + 3)[:size] + 1
    values = low + (high - low) * steps / (max(size, 1) * 4 + 4)
    return (np.round(values, 3) + 0.0001 * position).reshape(shape)[()]


def kink_distance(primitive: Primitive, operands: tuple[Any, ...]) -> float:
    """How far from zero the expression stays that vanishes at the primitive's kinks."""
    if primitive.kinks is None:
        return np.inf
    names = {"Abs": np.abs, "floor": np.floor, "sin": np.sin, "cos": np.cos, "pi": np.pi, "sqrt": np.sqrt}
    residual = eval(primitive.kinks, names, dict(zip("xyz", operands, strict=False)))  # the registry's own text
    return float(np.min(np.abs(residual), initial=np.inf))


def directions(operands: tuple[Any, ...], seed: int = 1) -> tuple[Any, ...]:
    """One random direction per operand, of its shape."""
    generator = np.random.default_rng(seed)
    return tuple(np.round(generator.uniform(-1, 1, np.shape(operand)), 3)[()] for operand in operands)


def call(primitive: Primitive, attrs: dict[str, Any]) -> Any:
    """The primitive as a function of its inputs alone."""
    return lambda *inputs: primitive(*inputs, **attrs)


def difference(function: Any, point: tuple[Any, ...], direction: tuple[Any, ...]) -> Any:
    """A directional derivative by Richardson-extrapolated central differences, good to about ten digits."""
    table = []
    for step in (1e-2, 5e-3, 2.5e-3, 1.25e-3):
        ahead = function(*(x + step * v for x, v in zip(point, direction, strict=True)))
        behind = function(*(x - step * v for x, v in zip(point, direction, strict=True)))
        table.append((ahead - behind) / (2 * step))
    order = 4.0
    while len(table) > 1:
        table = [(order * fine - coarse) / (order - 1) for coarse, fine in itertools.pairwise(table)]
        order *= 4
    return table[0]


def tracked(operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """The operands as tensors that require gradients."""
    return tuple(ta.tensor(operand, requires_grad=True) for operand in operands)
