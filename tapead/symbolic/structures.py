"""Proofs for primitives that are not elementwise: their cases, on small arrays of symbols."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sympy

from ..registry import Case, Primitive
from .algebras import Exact, Precise, Unavailable
from .arrays import DuckArray, interpret, wrap
from .constants import recognise
from .proofs import PROVED, REFUTED, UNDECIDED, Proof, run_rule
from .vanishing import DIGITS, numbers_of, separate, vanishes

__all__ = ["check_numerically", "prove_structure"]

_MOST_ELEMENTS = 100
_NEARBY = 3
_CASE_SECONDS = 15.0


def prove_structure(primitive: Primitive, deadline: float) -> Proof:
    """A proof for the cases that a primitive declares."""
    if not primitive.cases:
        return Proof(primitive.name, UNDECIDED, "it declares no cases to try")
    tried: list[str] = []
    open_cases: list[tuple[Any, str]] = []
    agreed = 0
    for number, case in enumerate(primitive.cases):
        label = _label(case)
        values = _values(primitive, case, number)
        try:
            status, points, detail = _case(primitive, case, values, min(deadline, time.monotonic() + _CASE_SECONDS))
        except Exception as error:  # whatever a rule or kernel does on symbols, that is a reason not to decide
            open_cases.append(((values, case.attrs), f"{label}: {str(error) or type(error).__name__}"))
            continue
        tried.append(label)
        agreed += points
        if status == REFUTED:
            point, text = detail
            return Proof(primitive.name, REFUTED, f"for {label}, {text}", point, shapes=tuple(tried))
        if status == UNDECIDED:
            open_cases.append(((values, case.attrs), f"{label}: {detail}"))
    if open_cases:
        reason = open_cases[0][1] + (f" (and {len(open_cases) - 1} more cases)" if len(open_cases) > 1 else "")
        return check_numerically(primitive, [call for call, _ in open_cases], reason, "", tuple(tried), agreed)
    return Proof(primitive.name, PROVED, f"rule = derivative and adjoint for the {len(tried)} shapes tried: "
                 + "; ".join(tried), points=agreed, domain="around one point of each shape", shapes=tuple(tried))


def _label(case: Case) -> str:
    operands = [str(operand) if isinstance(operand, tuple) else f"array{list(np.shape(operand))}" for operand in case.operands]
    return ", ".join(operands + [f"{name}={_brief(value)}" for name, value in case.attrs.items()])


def _brief(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 30 else text[:27] + "..."


def _values(primitive: Primitive, case: Case, number: int) -> tuple[Any, ...]:
    """Numbers for the operands of a case: short decimals of the domain, no two alike, the same at every call."""
    generator = np.random.default_rng(zlib.crc32(f"{primitive.name} {number}".encode()))
    values = []
    for position, operand in enumerate(case.operands):
        if not isinstance(operand, tuple):
            values.append(np.asarray(operand)[()])
            continue
        low, high = primitive.domain[position] if position < len(primitive.domain) else (-np.inf, np.inf)
        low = max(low, -3.0 if np.isinf(high) else high - 6.0)
        high = min(high, low + 6.0)
        size = int(np.prod(operand))
        steps = generator.permutation(4 * size + 3)[:size] + 1
        drawn = np.round(low + (high - low) * steps / (4 * size + 4), 3) + 0.001 * position
        values.append(drawn.reshape(operand)[()])
    return tuple(values)


# ---------------------------------------------------------------------- with symbols


class _Unknowns:
    """Symbols for an array: for its values, or for a tangent or cotangent. Complex ones have two for each element."""

    def __init__(self, algebra: Exact, name: str, shape: tuple[int, ...], is_complex: bool) -> None:
        self.real = np.empty(shape, object)
        self.imaginary = np.empty(shape, object) if is_complex else None
        for place in np.ndindex(shape):
            label = "_".join([name, *map(str, place)])
            self.real[place] = sympy.Symbol(label, real=True)
            if self.imaginary is not None:
                self.imaginary[place] = sympy.Symbol(f"{label}_i", real=True)
        elements = self.real if self.imaginary is None else self.real + self.imaginary * sympy.I
        self.array = DuckArray(algebra, elements, complex if is_complex else float)

    def symbols(self) -> list[Any]:
        return [*self.real.flat, *([] if self.imaginary is None else self.imaginary.flat)]

    def at(self, values: Any) -> dict[Any, Any]:
        """The numbers of the symbols at an array of values."""
        numbers = {symbol: recognise(float(value)) for symbol, value in zip(self.real.flat, np.ravel(np.real(values)), strict=True)}
        if self.imaginary is not None:
            numbers |= {symbol: recognise(float(value))
                        for symbol, value in zip(self.imaginary.flat, np.ravel(np.imag(values)), strict=True)}
        return numbers


def _case(primitive: Primitive, case: Case, values: tuple[Any, ...], deadline: float) -> tuple[str, int, Any]:
    """The verdict on one case, the points compared, and what to say of it."""
    if sum(np.size(value) for value in values) > _MOST_ELEMENTS:
        raise Unavailable("too many elements for symbols")
    point: dict[Any, Any] = {}
    algebra = Exact(point)
    operands: list[Any] = []
    unknowns: list[_Unknowns | None] = []
    for name, value in zip(_operand_names(len(values)), values, strict=True):
        kind = np.asarray(value).dtype.kind
        unknown = _Unknowns(algebra, name, np.shape(value), kind == "c") if kind in "fc" and np.all(np.isfinite(value)) else None
        if unknown is not None:
            point |= unknown.at(value)
        unknowns.append(unknown)
        operands.append(value if unknown is None else unknown.array)
    output = interpret(primitive, tuple(operands), case.attrs)
    _check_interpretation(primitive, values, case.attrs, output, point)
    operands = [wrap(algebra, operand) for operand in operands]
    cotangent = _Unknowns(algebra, "g", output.shape, output.dtype.kind == "c")
    claims: list[tuple[str, Any, Any]] = []
    directions: dict[Any, Any] = {}
    for position, unknown in enumerate(unknowns):
        if unknown is None:
            continue
        tangent = _Unknowns(algebra, f"t{position}", unknown.array.shape, unknown.imaginary is not None)
        found = run_rule(primitive, operands, output, case.attrs, position, tangent.array, cotangent.array)
        if found is None:
            continue
        directions |= tangent.at(_direction(tangent.array, position))
        claims += _claims(position, unknown, tangent, cotangent, output, *found)
    if not claims:
        return PROVED, 0, ""
    directions |= cotangent.at(_direction(cotangent.array, 99))
    claims = [claim for claim in claims if claim[1] != claim[2]]
    places = [{**directions, **near} for near in _nearby(point)]
    agreed, odd = separate([(got, expected) for _, got, expected in claims], [*point, *directions], places)
    if odd is not None:
        number, place, got, expected = odd
        text = (f"{claims[number][0]}: the rule gives {got.context.nstr(got, 17)}, the derivative is "
                f"{expected.context.nstr(expected, 17)}")
        return REFUTED, 0, ({str(symbol): float(place[symbol]) for symbol in point}, text)
    for what, got, expected in claims:
        if not vanishes(got - expected, deadline):
            return UNDECIDED, agreed, f"SymPy does not show it for {what}"
    return PROVED, agreed, ""


def _operand_names(count: int) -> list[str]:
    return list("xyz")[:count] if count <= 3 else [f"x{k}" for k in range(count)]


def _check_interpretation(primitive: Primitive, values: tuple[Any, ...], attrs: Mapping[str, Any], output: DuckArray,
                          point: Mapping[Any, Any]) -> None:
    """Raise unless the expressions, at the point, are what the kernel computes there."""
    computed = np.asarray(primitive.kernel(*values, **attrs))
    model = np.array(numbers_of(list(output.elements.flat), list(point))([float(value) for value in point.values()]), complex)
    if output.shape != computed.shape or not np.allclose(model.reshape(output.shape), computed, rtol=1e-8, atol=1e-10):
        raise Unavailable("the kernel could not be interpreted faithfully")


def _direction(array: DuckArray, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    drawn = np.round(generator.uniform(-1, 1, array.shape), 3)
    return drawn + 1j * np.round(generator.uniform(-1, 1, array.shape), 3) if array.dtype.kind == "c" else drawn


def _nearby(point: Mapping[Any, Any]) -> list[dict[Any, Any]]:
    """The point and some so near to it that elements keep their order."""
    generator = np.random.default_rng(7)
    return [dict(point)] + [{symbol: value * (1 + sympy.Rational(int(generator.integers(-99, 99)), 10**7))
                             for symbol, value in point.items()} for _ in range(_NEARBY)]


def _claims(position: int, unknown: _Unknowns, tangent: _Unknowns, cotangent: _Unknowns, output: DuckArray,
            pushed: DuckArray, pulled: DuckArray) -> list[tuple[str, Any, Any]]:
    """What the rule makes of tangent and cotangent, beside what SymPy's derivatives make of them."""
    name = _operand_names(3)[position] if position < 3 else f"input {position}"
    results = list(output.elements.flat)
    jacobian = [[_partial(result, symbol) for symbol in unknown.symbols()] for result in results]
    steps = tangent.symbols()
    claims = [(f"forward in {name}, element {place}", got, sum((d * t for d, t in zip(row, steps, strict=True)), sympy.Integer(0)))
              for place, got, row in zip(np.ndindex(output.shape), pushed.elements.flat, jacobian, strict=True)]
    weights = [sympy.conjugate(g) for g in cotangent.array.elements.flat]
    sums = [sympy.Add(*[_real_part(weight * row[column], cotangent) for weight, row in zip(weights, jacobian, strict=True)])
            for column in range(len(unknown.symbols()))]
    size = unknown.real.size
    expected = sums[:size] if unknown.imaginary is None else [a + sympy.I * b for a, b in zip(sums[:size], sums[size:], strict=True)]
    return claims + [(f"reverse in {name}, element {place}", got, want) for place, got, want
                     in zip(np.ndindex(unknown.real.shape), pulled.elements.flat, expected, strict=True)]


def _partial(result: Any, symbol: Any) -> Any:
    result = sympy.sympify(result)
    return sympy.diff(result, symbol) if symbol in result.free_symbols else sympy.Integer(0)


def _real_part(product: Any, cotangent: _Unknowns) -> Any:
    """Re(product), which a real output's needs no taking of"""
    return product if cotangent.imaginary is None else sympy.re(sympy.expand(product))


# ---------------------------------------------------------------------- without symbols


def check_numerically(primitive: Primitive, calls: Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]], reason: str,
                      domain: str, shapes: tuple[str, ...], agreed: int = 0) -> Proof:
    """REFUTED or UNDECIDED, by differences of the kernel in mpmath at 50 digits."""
    for values, attrs in calls:
        for attempt in range(max(1, 20 // len(calls))):
            moved = tuple(_moved(value, attempt) for value in values)
            try:
                odd = _differs(primitive, moved, attrs)
            except Exception as error:  # no meaning in mpmath either
                return Proof(primitive.name, UNDECIDED, f"{reason}; {agreed} points agree to {DIGITS} digits "
                             f"(in mpmath: {error})", points=agreed, domain=domain, shapes=shapes)
            if odd is not None:
                names = _operand_names(len(values))
                point = {"_".join([name, *map(str, place)]) if np.ndim(value) and np.size(value) > 1 else name: float(np.real(element))
                         for name, value in zip(names, moved, strict=True) for place, element in np.ndenumerate(value)}
                return Proof(primitive.name, REFUTED, f"{odd} at {point}", point, domain=domain, shapes=shapes)
            agreed += 1
    return Proof(primitive.name, UNDECIDED, f"{reason}; {agreed} points agree to {DIGITS} digits", points=agreed,
                 domain=domain, shapes=shapes)


def _moved(value: Any, attempt: int) -> Any:
    value = np.asarray(value)
    if attempt == 0 or value.dtype.kind not in "fc":
        return value
    return value * (1 + np.random.default_rng(attempt).integers(-99, 99, value.shape) / 1e4)


def _differs(primitive: Primitive, values: tuple[Any, ...], attrs: Mapping[str, Any]) -> str | None:
    """A sentence on where the rule differs from the kernel's differences, None where it does not."""
    algebra = Precise(DIGITS)
    context = algebra.context
    inputs = [wrap(algebra, value) for value in values]
    output = interpret(primitive, tuple(inputs), dict(attrs))
    cotangent = wrap(algebra, _direction(output, 99))
    step = context.mpf(10) ** -(DIGITS // 2 + 1)
    for position, value in enumerate(values):
        if np.asarray(value).dtype.kind not in "fc" or not np.all(np.isfinite(value)):
            continue
        tangent = wrap(algebra, _direction(inputs[position], position))
        found = run_rule(primitive, inputs, output, attrs, position, tangent, cotangent)
        if found is None:
            continue
        ends = [interpret(primitive, tuple(inputs[:position] + [inputs[position] + sign * step * tangent]
                                           + inputs[position + 1:]), dict(attrs)) for sign in (1, -1)]
        difference = ((ends[0] - ends[1]) / (2 * step)).elements
        pushed, pulled = (side.elements for side in found)
        scale = max([context.one, *(abs(element) for element in difference.flat)])
        error = max([abs(a - b) for a, b in zip(pushed.flat, difference.flat, strict=True)], default=0)
        if error > scale * context.mpf(10) ** -(DIGITS - 15):
            return f"forward in input {position}: the rule is off by {context.nstr(error, 5)}"
        left = sum((context.re(context.conj(g) * d) for g, d in zip(cotangent.elements.flat, difference.flat, strict=True)),
                   context.zero)
        right = sum((context.re(context.conj(p) * t) for p, t in zip(pulled.flat, tangent.elements.flat, strict=True)),
                    context.zero)
        if abs(left - right) > max(1, abs(left)) * context.mpf(10) ** -(DIGITS - 15):
            return f"reverse in input {position}: the rule is off by {context.nstr(abs(left - right), 5)}"
    return None
