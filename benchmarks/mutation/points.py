"""Where rules are tried: every call of the catalogue, with values at easy places or at hard ones."""

from __future__ import annotations

import importlib
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tapead.registry import PRIMITIVES, Case, Primitive

SHAPES: dict[int, list[tuple[Any, ...]]] = {
    1: [((3,),), ((),), ((2, 3),)],
    2: [((3,), (3,)), ((2, 1), (3,)), ((2, 3), ()), ((), ())],
}

#: Entire and meromorphic functions, which are tried with complex numbers as well.
COMPLEX = ("multiply", "divide", "sin", "cos", "exp", "square", "tanh", "reciprocal", "matmul", "sum", "einsum",
           "vecdot", "reshape", "transpose", "getitem", "conjugate", "real", "imag", "fft", "ifft", "solve", "inv",
           "det", "mean", "cumsum", "concatenate", "log", "sqrt", "power", "prod")
#: SciPy's values there are wrong in the fifth digit, come from searches that end at ten digits, or never come.
ROUGH = ("special_obl_", "special_pro_", "special_btdtri", "special_fdtri", "special_bdtr", "special_nbdtr",
         "special_faddeeva")


@dataclass(frozen=True)
class Point:
    """One call of a primitive: its operands, and which of them the derivative is taken in."""

    name: str
    label: str
    operands: tuple[Any, ...]
    attrs: dict[str, Any]

    @property
    def primitive(self) -> Primitive:
        return PRIMITIVES[self.name]

    @cached_property
    def places(self) -> tuple[int, ...]:
        """The positions of the operands that are differentiated in."""
        return tuple(k for k, x in enumerate(self.operands)
                     if np.asarray(x).dtype.kind in "fc" and np.all(np.isfinite(x)))

    @property
    def inputs(self) -> tuple[Any, ...]:
        return tuple(self.operands[k] for k in self.places)

    @property
    def function(self) -> Callable[..., Any]:
        """The primitive as a function of the inputs alone."""
        primitive, attrs = self.primitive, self.attrs

        def call(*inputs: Any) -> Any:
            return primitive(*self.filled(inputs), **attrs)

        return call

    def filled(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """All operands, with others in the places of the inputs."""
        operands = list(self.operands)
        for place, value in zip(self.places, inputs, strict=True):
            operands[place] = value
        return tuple(operands)

    def value(self, *inputs: Any) -> Any:
        """The kernel on plain arrays."""
        return self.primitive.kernel(*self.filled(inputs), **self.attrs)


def load_scipy() -> bool:
    """Register the rules of SciPy's functions; False where SciPy is not installed."""
    try:
        import scipy  # noqa: F401 -- only whether it is there
    except ImportError:
        return False
    for part in ("special", "linalg", "stats", "signal", "sparse"):
        importlib.import_module(f"tapead.scipy.{part}")
    return True


def of_numpy(primitive: Primitive) -> bool:
    """Whether a primitive is one of NumPy's, not of SciPy's."""
    return getattr(primitive.rule, "__module__", "").startswith("tapead.ops")


def primitives() -> list[Primitive]:
    """Every differentiable primitive that is registered: NumPy's, then SciPy's, by name."""
    known = [primitive for name, primitive in sorted(PRIMITIVES.items())
             if primitive.differentiable and primitive.rule is not None and not name.startswith(ROUGH)
             and primitive.rule.__module__.startswith(("tapead.ops", "tapead.scipy"))]
    return sorted(known, key=lambda primitive: not of_numpy(primitive))  # sorting is stable


def calls(primitive: Primitive) -> tuple[Case, ...]:
    """The calls to try: those it declares, or the usual shapes of an elementwise function."""
    if primitive.cases or not primitive.elementwise:
        return primitive.cases
    return tuple(Case(shapes, {}) for shapes in SHAPES[primitive.arity])


def generator_of(*words: Any) -> np.random.Generator:
    """Random numbers that depend on nothing but these words."""
    return np.random.default_rng(zlib.crc32(" ".join(map(str, words)).encode()))


def interval(primitive: Primitive, position: int) -> tuple[float, float]:
    domain = primitive.domain
    low, high = domain[min(position, len(domain) - 1)] if domain else (-np.inf, np.inf)
    return low, high


# ---------------------------------------------------------------------- easy places


def easy_points(primitive: Primitive) -> Iterator[Point]:
    """Its calls at short decimals of ordinary size, without ties and clear of its kinks."""
    for number, call in enumerate(calls(primitive)):
        for kind in ("real", "complex") if primitive.name in COMPLEX else ("real",):
            if kind == "complex" and number > 1:
                continue
            generator = generator_of(primitive.name, number, kind)
            for _ in range(200):
                operands = tuple(_easy(generator, operand, primitive, position, kind)
                                 if isinstance(operand, tuple) else operand
                                 for position, operand in enumerate(call.operands))
                point = Point(primitive.name, f"{number}{'' if kind == 'real' else ' complex'}", operands, call.attrs)
                if kind == "complex" or distance_to_kink(primitive, operands) > 0.15:
                    break
            else:
                continue
            if sum(np.size(x) for x in point.inputs) and is_finite(point):
                yield point


def _easy(generator: np.random.Generator, shape: tuple[int, ...], primitive: Primitive, position: int, kind: str
          ) -> Any:
    low, high = interval(primitive, position)
    low = max(low, -3.0 if np.isinf(high) else high - 6.0)
    high = min(high, low + 6.0)
    size = math.prod(shape)

    def draw() -> Any:
        steps = generator.permutation(max(size, 1) * 4 + 3)[:size] + 1
        return np.round(low + (high - low) * steps / (max(size, 1) * 4 + 4), 3) + 0.0001 * position

    values = draw() + 1j * draw() if kind == "complex" else draw()
    return values.reshape(shape)[()]


def is_finite(point: Point) -> bool:
    """Whether the function has a finite, floating-point value there."""
    with np.errstate(all="ignore"):
        try:
            value = np.asarray(point.value(*point.inputs))
        except (ArithmeticError, ValueError, np.linalg.LinAlgError, TypeError):
            return False
    return value.size > 0 and value.dtype.kind in "fc" and bool(np.all(np.isfinite(value)))


def distance_to_kink(primitive: Primitive, operands: tuple[Any, ...]) -> float:
    """How far from zero that expression is which vanishes at the primitive's kinks."""
    if primitive.kinks is None:
        return np.inf
    names = {"Abs": np.abs, "floor": np.floor, "sin": np.sin, "cos": np.cos, "pi": np.pi, "sqrt": np.sqrt}
    residual = eval(primitive.kinks, names, dict(zip("xyz", operands, strict=False)))  # the registry's own text
    return float(np.min(np.abs(residual), initial=np.inf))


# ---------------------------------------------------------------------- hard places

PLACES = ("easy", "edge", "huge", "tiny", "mixed scales", "ties", "zeros", "subnormal", "nearly tied", "single",
          "single edge", "integers")


def drawn_point(primitive: Primitive, place: str, seed: int) -> Point | None:
    """One call at a place of the given kind, or None where the function has no finite value there."""
    generator = generator_of(primitive.name, place, seed)
    available = calls(primitive)
    if not available:
        return None
    number = int(generator.integers(len(available)))
    call = available[number]
    operands = tuple(_hard(generator, operand, primitive, position, place) if isinstance(operand, tuple) else operand
                     for position, operand in enumerate(call.operands))
    point = Point(primitive.name, f"{number} {place} {seed}", operands, call.attrs)
    if not sum(np.size(x) for x in point.inputs) or not is_finite(point):
        return None
    return point


def _hard(generator: np.random.Generator, shape: tuple[int, ...], primitive: Primitive, position: int, place: str
          ) -> Any:
    low, high = interval(primitive, position)
    size = math.prod(shape)
    bottom = max(low, -4.0 if np.isinf(high) else high - 8.0)
    top = min(high, bottom + 8.0)
    values = generator.uniform(bottom, top, size)
    signs = generator.choice([-1.0, 1.0], size)
    if place in ("edge", "single edge"):
        ends = [(end, sign) for end, sign in ((low, 1.0), (high, -1.0)) if np.isfinite(end)]
        smallest = -5 if place == "single edge" else -14
        for k in range(size):
            end, sign = ends[int(generator.integers(len(ends)))] if ends else (np.round(values[k]), signs[k])
            if generator.random() < 0.7:
                values[k] = end + sign * max(abs(end), 1e-3 if place == "single edge" else 1e-300) * 10.0 ** (
                    generator.uniform(smallest, -1)) if end else sign * 10.0 ** generator.uniform(smallest, -1)
    elif place == "huge":
        values = signs * 10.0 ** generator.uniform(100, 150, size)
    elif place == "tiny":
        values = signs * 10.0 ** generator.uniform(-150, -100, size)
    elif place == "mixed scales":
        values = signs * 10.0 ** generator.uniform(-12, 12, size)
    elif place == "ties":
        values = generator.choice(values[:2] if size > 1 else values, size) if size else values
        values = np.round(values, 1)
    elif place == "nearly tied":
        values = np.round(generator.choice(values[:2] if size > 1 else values, size), 1) if size else values
        values = values * (1 + signs * 10.0 ** generator.uniform(-13, -6, size))
    elif place == "zeros":
        values = np.where(generator.random(size) < 0.5, 0.0 * signs, values)
    elif place == "subnormal":
        values = np.where(generator.random(size) < 0.7, signs * 10.0 ** generator.uniform(-323, -306, size), values)
    elif place == "integers":
        values = np.round(values)
    if place not in ("ties", "zeros", "integers"):  # those may sit on the edge itself
        values = np.where((values > low) & (values < high), values, np.clip(-values, bottom + 1e-3, top - 1e-3))
    else:
        values = np.clip(values, low, high)
    if place.startswith("single"):
        return values.astype(np.float32).reshape(shape)[()]
    return values.reshape(shape)[()]
