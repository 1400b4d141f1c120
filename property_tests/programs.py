"""Random programs: directed acyclic graphs of registered primitives on arrays of all shapes and layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from unittest import mock

import numpy as np
from catalogue import cases, kink_distance, numpy_primitives
from catalogue import draw as draw_row
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tapead.registry import PRIMITIVES, Primitive

MOST_ELEMENTS = 48


@dataclass
class Step:
    """One operation: a function of the values so far."""

    text: str
    operands: tuple[int, ...]
    function: Callable[..., Any]

    def __call__(self, values: list[Any]) -> Any:
        return self.function(*(values[position] for position in self.operands))


@dataclass
class Program:
    """Inputs and steps; called with other inputs of the same shapes it returns every value that no step uses."""

    inputs: tuple[Any, ...]
    steps: list[Step]

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        values = list(inputs)
        for step in self.steps:
            values.append(step(values))
        used = {position for step in self.steps for position in step.operands}
        return tuple(value for position, value in enumerate(values) if position not in used)

    def __repr__(self) -> str:
        lines = [f"v{position} = {np.array2string(np.asarray(x), separator=', ')}  {np.shape(x)}"
                 for position, x in enumerate(self.inputs)]
        lines += [f"v{position} = {step.text.format(*(f'v{operand}' for operand in step.operands))}"
                  for position, step in enumerate(self.steps, len(self.inputs))]
        return "\n".join(["", *lines])


# ---------------------------------------------------------------------- operations


def operations() -> list[tuple[str, int]]:
    """(name, case number) of everything a program can be made of; elementwise primitives have the one case -1."""
    table = []
    for name, primitive in numpy_primitives().items():
        if primitive.differentiable and primitive.rule is not None:
            rows = [-1] if primitive.elementwise and not primitive.cases else range(len(cases(primitive)))
            table += [(name, number) for number in rows]
    return table


def into(value: Any, low: float, high: float) -> Any:
    """`value` moved smoothly into an open interval, clear of its ends."""
    if np.isinf(low) and np.isinf(high):
        return 2 * np.tanh(value / 2)
    if np.isinf(high):
        return low + 1.8 + 1.5 * np.tanh(value)
    if np.isinf(low):
        return high - 1.8 - 1.5 * np.tanh(value)
    return (low + high) / 2 + 0.4 * (high - low) * np.tanh(value)


def real_valued(result: Any) -> Any:
    """A complex result as a real one that depends on both its parts."""
    return np.real(result) - 0.5 * np.imag(result) if result.dtype.kind == "c" else result


def elementwise_step(primitive: Primitive, operands: tuple[int, ...], values: list[Any]) -> Step | None:
    """An elementwise primitive on values moved into its domain; None where it would meet a kink."""
    arguments = [values[position] for position in operands]
    intervals = [*primitive.domain, *[(-np.inf, np.inf)] * len(operands)][:len(operands)]
    tame = [np.isinf(low) and np.isinf(high) and np.max(np.abs(x), initial=0) < 3
            for x, (low, high) in zip(arguments, intervals, strict=True)]

    def moved(*inputs: Any) -> list[Any]:
        return [x if as_it_is else into(x, *interval)
                for x, as_it_is, interval in zip(inputs, tame, intervals, strict=True)]

    if kink_distance(primitive, tuple(moved(*arguments))) < 0.15:
        return None
    places = ["{}" if as_it_is else f"into({{}}, {low}, {high})"
              for as_it_is, (low, high) in zip(tame, intervals, strict=True)]
    return Step(f"{primitive.name}({', '.join(places)})", operands,
                lambda *inputs: real_valued(primitive(*moved(*inputs))))


def case_step(primitive: Primitive, number: int, operands: tuple[int, ...], values: list[Any]) -> Step | None:
    """A declared case of a primitive, its operands moved a little by earlier values; None where these are empty."""
    bases, attrs = draw_row(primitive, number)
    operands = operands[:len(bases)]
    if any(values[position].size == 0 for position in operands) and any(np.size(base) for base in bases):
        return None

    def near(base: Any, value: Any) -> Any:
        places = np.arange(np.size(base)) % max(value.size, 1)
        return base + 0.02 * np.sin(np.reshape(np.reshape(value, -1)[places], np.shape(base)))

    def call(*inputs: Any) -> Any:
        moved = [near(base, inputs[position % len(inputs)]) for position, base in enumerate(bases)]
        return real_valued(primitive(*moved, **attrs))

    return Step(f"{primitive.name}[case {number}](near {', '.join(['{}'] * len(operands))})", operands, call)


STRUCTURAL = ("sum", "mean", "getitem", "take", "mask", "reshape", "transpose", "broadcast", "flip", "where")


def structural_step(draw: Any, operand: int, x: Any) -> Step | None:
    """A reduction, a rearrangement or a selection with arguments that fit `x`; None where none do."""
    kind = draw(st.sampled_from(STRUCTURAL))
    if kind == "sum":
        axis, keepdims = draw(axes(x)), draw(st.booleans())
        return Step(f"sum({{}}, {axis}, keepdims={keepdims})", (operand,),
                    lambda v: np.sum(v, axis=axis, keepdims=keepdims))
    if kind == "mean" and x.size:
        axis = draw(axes(x))
        return Step(f"mean({{}}, {axis})", (operand,), lambda v: np.mean(v, axis=axis))
    if kind in ("getitem", "take", "mask") and x.ndim and x.size:
        key = draw({"getitem": hnp.basic_indices(x.shape, allow_newaxis=True, allow_ellipsis=True, max_dims=3),
                    "take": hnp.arrays(int, st.integers(0, 4), elements=st.integers(-len(x), len(x) - 1)),
                    "mask": hnp.arrays(bool, x.shape)}[kind])
        return Step(f"{{}}[{getattr(key, 'tolist', lambda: key)()}]", (operand,), lambda v: v[key])
    if kind == "reshape":
        return Step("reshape({}, -1)", (operand,), lambda v: np.reshape(v, -1))
    if kind == "transpose":
        order = tuple(draw(st.permutations(range(x.ndim))))
        return Step(f"transpose({{}}, {order})", (operand,), lambda v: np.transpose(v, order))
    if kind == "broadcast":
        shape = (draw(st.integers(0, 3)), *x.shape)
        return Step(f"broadcast_to({{}}, {shape})", (operand,), lambda v: np.broadcast_to(v, shape))
    if kind == "flip" and x.ndim:
        return Step("{}[::-1]", (operand,), lambda v: v[::-1])
    if kind == "where":
        keep = draw(hnp.arrays(bool, x.shape))
        return Step(f"where({keep.tolist()}, {{}}, 2)", (operand,), lambda v: np.where(keep, v, 2.0))
    return None


def axes(x: Any) -> st.SearchStrategy[Any]:
    """What ``axis=`` may be for `x`."""
    if x.ndim == 0:
        return st.none()
    return st.none() | st.integers(-x.ndim, x.ndim - 1) | hnp.valid_tuple_axes(x.ndim)


# ---------------------------------------------------------------------- strategies


@st.composite
def inputs(draw: Any, shape: tuple[int, ...]) -> Any:
    """An array of short decimals without ties, in one of several memory layouts."""
    layout = draw(st.sampled_from(["C", "F", "reversed", "strided", "offset"]))
    tenths = draw(hnp.arrays(np.int64, shape, elements=st.integers(-15, 15)))
    values = tenths / 10 + 0.0137 * (1 + np.arange(tenths.size).reshape(shape)) / max(tenths.size, 1)
    if values.ndim == 0 or layout == "C":
        return values[()]
    if layout == "F":
        return np.asfortranarray(values)
    if layout == "reversed":
        return np.ascontiguousarray(values[::-1])[::-1]
    if layout == "strided":
        return np.repeat(values, 2, axis=-1)[..., ::2]
    return np.concatenate([values.ravel()[:1], values.ravel()])[min(values.size, 1):].reshape(shape)


@st.composite
def programs(draw: Any, most_steps: int = 6, max_side: int = 3) -> Program:
    """A program of a few steps, at a point clear of kinks."""
    count = draw(st.integers(1, 3))
    broadcastable = hnp.mutually_broadcastable_shapes(num_shapes=count, max_dims=3, max_side=max_side, min_side=0)
    shapes = draw(broadcastable).input_shapes
    start = tuple(draw(inputs(shape)) for shape in shapes)
    values, steps = list(start), []
    for _ in range(draw(st.integers(1, most_steps))):
        step = draw_step(draw, values)
        if step is None:
            continue
        result = step(values)
        if np.size(result) <= MOST_ELEMENTS and np.all(np.isfinite(result)):
            values.append(result)
            steps.append(step)
    return Program(start, steps)


def draw_step(draw: Any, values: list[Any]) -> Step | None:
    """Some operation on some values, or None where the choice does not fit."""
    def some() -> int:
        return draw(st.integers(0, len(values) - 1))

    if draw(st.integers(0, 2)) == 0:
        operand = some()
        return structural_step(draw, operand, values[operand])
    name, number = draw(st.sampled_from(operations()))
    primitive = PRIMITIVES[name]
    if number >= 0:
        return case_step(primitive, number, tuple(some() for _ in range(draw(st.integers(1, 2)))), values)
    operands = tuple(some() for _ in range(primitive.arity))
    try:
        np.broadcast_shapes(*(values[operand].shape for operand in operands))
    except ValueError:
        operands = operands[:1] * primitive.arity
    return elementwise_step(primitive, operands, values)


# ---------------------------------------------------------------------- the numeric reference


def slope(function: Callable[[float], float], widest: float = 0.02) -> tuple[float, float]:
    """The derivative of a function of one number at 0 with an error bar: Ridders' extrapolated central differences."""
    previous: list[float] = []
    best, bar = np.nan, np.inf
    for level in range(7):
        step = widest / 2**level
        ahead, behind = function(step), function(-step)
        row = [(ahead - behind) / (2 * step)]
        noise = 4e-16 * (abs(ahead) + abs(behind)) / step
        for order, coarse in enumerate(previous, 1):
            row.append((4**order * row[-1] - coarse) / (4**order - 1))
            error = max(abs(row[-1] - row[-2]), abs(row[-1] - coarse)) + noise
            if error < bar:
                best, bar = row[-1], error
        previous = row
    return best, bar


# ---------------------------------------------------------------------- paths for large arrays


@contextmanager
def everything_is_large() -> Iterator[None]:
    """Let what is done for large arrays alone (forgotten values, buffers used again, blocks) be done for all."""
    thresholds = [("tape", "LARGE", 1), ("operators", "LARGE", 1), ("partials", "LARGE", 1), ("sweeps", "BLOCKED", 32),
                  ("blocks", "_BLOCK", 8), ("buffers", "POOLED", 1), ("partials", "POOLED", 1),
                  ("operators", "POOLED", 1)]
    with ExitStack() as stack:
        for module, name, value in thresholds:
            stack.enter_context(mock.patch.object(import_module(f"tapead.{module}"), name, value))
        yield
