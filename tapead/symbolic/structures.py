"""Proofs for primitives that are not elementwise: their cases, on small arrays of symbols."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import sympy

from ..registry import Case, Linear, Primitive
from .algebras import Exact, Precise, Unavailable
from .arrays import DuckArray, interpret, wrap
from .constants import recognise
from .proofs import PROVED, REFUTED, UNDECIDED, Proof, rule_of, run_rule
from .vanishing import DIGITS, numbers_of, separate, vanishes

__all__ = ["check_numerically", "prove_structure"]

_MOST_ELEMENTS = 48
_NEARBY = 3
_CASE_SECONDS = 15.0
_POINTS = 20

_Call = tuple[tuple[Any, ...], Mapping[str, Any]]


def prove_structure(primitive: Primitive, deadline: float) -> Proof:
    """A proof for the cases that a primitive declares, or for small arrays where it declares none."""
    cases = primitive.cases or tuple(Case((shape,) * primitive.arity, {}) for shape in ((), (3,)) if primitive.arity)
    tried: list[str] = []
    large: list[str] = []
    open_calls: list[_Call] = []
    reasons: list[str] = []
    agreed = 0
    for number, case in enumerate(cases):
        label, values = _label(case), _values(primitive, case, number)
        if sum(np.size(value) for value in values) > _MOST_ELEMENTS:
            large.append(label)
            open_calls.append((values, case.attrs))
            continue
        try:
            status, points, detail = _case(primitive, case, values, min(deadline, time.monotonic() + _CASE_SECONDS))
            odd = _odd_buffers(primitive, values, case.attrs) if status != REFUTED else None
            if odd is not None:
                status, detail = REFUTED, ({}, odd)
        except Exception as error:  # whatever a rule or kernel does on symbols, that is a reason not to decide
            status, points, detail = UNDECIDED, 0, str(error) or type(error).__name__
        if status == REFUTED:
            point, text = detail
            return Proof(primitive.name, REFUTED, f"for {label}, {text}", point, shapes=(*tried, label))
        agreed += points
        if status == PROVED:
            tried.append(label)
        else:
            open_calls.append((values, case.attrs))
            reasons.append(f"{label}: {detail}")
    if not cases:
        reasons.append("it declares no cases to try")
    if reasons or not tried:
        reason = (reasons or ["its cases are too large for symbols"])[0]
        others = f" (and {len(reasons) - 1} more cases)" if len(reasons) > 1 else ""
        return check_numerically(primitive, open_calls, reason + others, "", tuple(tried), agreed)
    evidence = f"rule = derivative and adjoint for the {len(tried)} shapes tried: {'; '.join(tried)}"
    if large:
        checked = check_numerically(primitive, open_calls, "too large for symbols", "", tuple(large))
        if checked.status == REFUTED:
            return checked
        evidence += f"; {checked.points} points agree to {DIGITS} digits for {'; '.join(large)}"
        agreed += checked.points
    return Proof(primitive.name, PROVED, evidence, points=agreed, domain="around one point of each shape",
                 shapes=tuple(tried))


def _label(case: Case) -> str:
    operands = [str(operand) if isinstance(operand, tuple) else f"array{list(np.shape(operand))}"
                for operand in case.operands]
    return ", ".join([*operands, *(f"{name}={_brief(value)}" for name, value in case.attrs.items())])


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
    """Symbols for an array: for its values, or for a tangent or cotangent. Complex ones have two for each element.

    Given `values`, they are known to have the signs that these have.
    """

    def __init__(self, algebra: Exact, name: str, shape: tuple[int, ...], is_complex: bool, values: Any = None) -> None:
        self.real = np.empty(shape, object)
        self.imaginary = np.empty(shape, object) if is_complex else None
        for place in np.ndindex(shape):
            label = "_".join([name, *map(str, place)])
            value: Any = 0.0 if values is None else np.asarray(values)[place]
            self.real[place] = _symbol(label, value.real)
            if self.imaginary is not None:
                self.imaginary[place] = _symbol(f"{label}_i", value.imag)
        elements = self.real if self.imaginary is None else self.real + self.imaginary * sympy.I
        self.array = DuckArray(algebra, elements, complex if is_complex else float)

    def symbols(self) -> list[Any]:
        return [*self.real.flat, *([] if self.imaginary is None else self.imaginary.flat)]

    def at(self, values: Any) -> dict[Any, Any]:
        """The numbers of the symbols at an array of values."""
        parts = [np.ravel(np.real(values)), *([] if self.imaginary is None else [np.ravel(np.imag(values))])]
        return {symbol: recognise(float(value))
                for symbol, value in zip(self.symbols(), np.concatenate(parts), strict=True)}


def _symbol(name: str, value: float) -> Any:
    assumptions = {"positive": True} if value > 0 else {"negative": True} if value < 0 else {"real": True}
    return sympy.Symbol(name, **assumptions)


def _case(primitive: Primitive, case: Case, values: tuple[Any, ...], deadline: float) -> tuple[str, int, Any]:
    """The verdict on one case, the points compared, and what to say of it."""
    point: dict[Any, Any] = {}
    algebra = Exact(point)
    operands: list[Any] = []
    unknowns: list[_Unknowns | None] = []
    for name, value in zip(_operand_names(len(values)), values, strict=True):
        unknown = None
        if _is_variable(value):
            unknown = _Unknowns(algebra, name, np.shape(value), np.iscomplexobj(value), value)
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


def _is_variable(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "fc" and bool(np.all(np.isfinite(value)))


def _odd_buffers(primitive: Primitive, values: tuple[Any, ...], attrs: Mapping[str, Any]) -> str | None:
    """A sentence on an adjoint that does not write what it returns, in floating point; None where all do."""
    output = np.asarray(primitive.kernel(*values, **attrs))[()]
    partials = rule_of(primitive)(SimpleNamespace(inputs=values, output=output, attrs=attrs))
    cotangent = np.asarray(_direction(wrap(Precise(), output), 99))
    for position, partial in enumerate(partials if isinstance(partials, (tuple, list)) else [partials]):
        entry = partial() if callable(partial) else partial
        if not isinstance(entry, Linear):
            continue
        expected = entry.adjoint(cotangent[()])
        if entry.add is not None:
            total = np.zeros(np.shape(values[position]), cotangent.dtype)
            entry.add(total, cotangent[()])
            if not np.allclose(total, expected, rtol=1e-12, atol=1e-12):
                return f"reverse in input {position}: add(total, g) does not add what adjoint(g) returns"
        if entry.reuse is not None:
            written = cotangent.copy()
            entry.reuse(written)
            if not np.allclose(written, expected, rtol=1e-12, atol=1e-12):
                return f"reverse in input {position}: reuse(g) does not make of g what adjoint(g) returns"
    return None


def _operand_names(count: int) -> list[str]:
    return list("xyz")[:count] if count <= 3 else [f"x{k}" for k in range(count)]


def _check_interpretation(primitive: Primitive, values: tuple[Any, ...], attrs: Mapping[str, Any], output: DuckArray,
                          point: Mapping[Any, Any]) -> None:
    """Raise unless the expressions, at the point, are what the kernel computes there."""
    computed = np.asarray(primitive.kernel(*values, **attrs))
    evaluate = numbers_of(list(output.elements.flat), list(point))
    model = np.array(evaluate([float(value) for value in point.values()]), complex).reshape(output.shape)
    if model.shape != computed.shape or not np.allclose(model, computed, rtol=1e-8, atol=1e-10):
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
    jacobian = [[_partial(result, symbol) for symbol in unknown.symbols()] for result in output.elements.flat]
    steps = tangent.symbols()
    claims = []
    for place, got, row in zip(np.ndindex(output.shape), pushed.elements.flat, jacobian, strict=True):
        claims.append((f"forward in {name}, element {place}", got, _dot(row, steps)))
    weights = [sympy.conjugate(g) for g in cotangent.array.elements.flat]
    sums = [_dot(weights, [row[column] for row in jacobian]) for column in range(len(unknown.symbols()))]
    if cotangent.imaginary is not None:
        sums = [sympy.re(sympy.expand(total)) for total in sums]
    size = unknown.real.size
    if unknown.imaginary is not None:
        sums = [a + sympy.I * b for a, b in zip(sums[:size], sums[size:], strict=True)]
    for place, got, want in zip(np.ndindex(unknown.real.shape), pulled.elements.flat, sums, strict=True):
        claims.append((f"reverse in {name}, element {place}", got, want))
    return claims


def _dot(first: Sequence[Any], second: Sequence[Any]) -> Any:
    return sympy.Add(*[a * b for a, b in zip(first, second, strict=True)])


def _partial(result: Any, symbol: Any) -> Any:
    result = sympy.sympify(result)
    return sympy.diff(result, symbol) if symbol in result.free_symbols else sympy.Integer(0)


# ---------------------------------------------------------------------- without symbols


def check_numerically(primitive: Primitive, calls: Sequence[_Call], reason: str,
                      domain: str, shapes: tuple[str, ...], agreed: int = 0) -> Proof:
    """REFUTED or UNDECIDED, by differences of the kernel in mpmath at 50 digits."""
    for values, attrs in calls:
        for attempt in range(max(1, _POINTS // len(calls))):
            moved = tuple(_moved(value, attempt) for value in values)
            try:
                odd = _differs(primitive, moved, attrs)
            except Exception as error:  # no meaning in mpmath either
                return Proof(primitive.name, UNDECIDED, f"{reason}; {agreed} points agree to {DIGITS} digits "
                             f"(in mpmath: {error})", points=agreed, domain=domain, shapes=shapes)
            if odd is not None:
                point = {"_".join([name, *(map(str, place) if np.size(value) > 1 else ())]): float(np.real(element))
                         for name, value in zip(_operand_names(len(values)), moved, strict=True)
                         for place, element in np.ndenumerate(value)}
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
    output = interpret(primitive, tuple(inputs), attrs)
    cotangent = wrap(algebra, _direction(output, 99))
    step = context.mpf(10) ** -(DIGITS // 2 + 1)
    for position, value in enumerate(values):
        if not _is_variable(value):
            continue
        tangent = wrap(algebra, _direction(inputs[position], position))
        found = run_rule(primitive, inputs, output, attrs, position, tangent, cotangent)
        if found is None:
            continue
        ends = [interpret(primitive, (*inputs[:position], inputs[position] + sign * step * tangent,
                                      *inputs[position + 1:]), attrs) for sign in (1, -1)]
        difference = ((ends[0] - ends[1]) / (2 * step)).elements
        pushed, pulled = (side.elements for side in found)
        scale = max([context.one, *(abs(element) for element in difference.flat)])
        error = max([abs(a - b) for a, b in zip(pushed.flat, difference.flat, strict=True)], default=0)
        if error > scale * context.mpf(10) ** -(DIGITS - 15):
            return f"forward in input {position}: the rule is off by {context.nstr(error, 5)}"
        left, right = ([context.re(context.conj(a) * b) for a, b in zip(one.flat, other.flat, strict=True)]
                       for one, other in ((cotangent.elements, difference), (pulled, tangent.elements)))
        gap = abs(context.fsum(left) - context.fsum(right))
        if gap > max([context.one, *map(abs, left)]) * context.mpf(10) ** -(DIGITS - 15):
            return f"reverse in input {position}: the rule is off by {context.nstr(gap, 5)}"
    return None
