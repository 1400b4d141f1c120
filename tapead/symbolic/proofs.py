"""Proofs of derivative rules: the registered rule itself, run by the sweeps on symbols, against SymPy's derivative.

PROVED means that SymPy showed both to be the same; for elementwise primitives on the stated domain (off its kinks), for
others for the shapes tried. REFUTED comes with a point. UNDECIDED says how many points agreed to 50 digits, and never
counts as proved. A floating-point constant in a rule stands for the constant that it was rounded from.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import sympy

from ..registry import PRIMITIVES, Primitive, lookup, override_gradient
from ..sweeps import forward, reverse
from ..tape import Leaf, Scope
from ..tape import record as record_entry
from . import matrices, polynomials, scipy_functions  # noqa: F401 -- fill in what NumPy functions mean
from .algebras import Exact, Unavailable
from .arrays import DuckArray, interpret, wrap
from .formulas import differentiate
from .replay import rule_of, without_buffers
from .vanishing import DIGITS, numbers_of, regions, sample, separate, settled, splits_of, vanishes

__all__ = ["Proof", "prove", "prove_all", "rule_of", "run_rule"]

PROVED, REFUTED, UNDECIDED = "PROVED", "REFUTED", "UNDECIDED"
_POINTS = 24
_POINTS_PER_REGION = 4
_REAL = (-float("inf"), float("inf"))


@dataclass(frozen=True)
class Proof:
    """What is known of one derivative rule. Truthy when it is proved.

    Attributes
    ----------
    name : str
        The primitive.
    status : str
        "PROVED", "REFUTED" or "UNDECIDED".
    evidence : str
        What the verdict rests on, in a sentence: where the rule is right, or at which point it is wrong and how, or why
        there is no decision.
    point : dict
        Where the rule was refuted: numbers by the names of the inputs (``x_0_1`` for elements); empty otherwise.
    points : int
        At how many points rule and derivative were found to agree to 50 digits.
    domain : str
        For which inputs the verdict holds.
    shapes : tuple of str
        The calls that were tried, for primitives that are not elementwise.
    """

    name: str
    status: str
    evidence: str
    point: Mapping[str, float] = field(default_factory=dict)
    points: int = 0
    domain: str = ""
    shapes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.status == PROVED

    def __repr__(self) -> str:
        return f"<{self.status} {self.name}: {self.evidence}>"


def prove(name: str | Primitive, seconds: float = 30.0) -> Proof:
    """Prove the derivative rule of a primitive, your own as well, or refute it.

    Both sweeps are run with the rule (one in force by ``override_gradient`` too) on arrays of symbols, so that what is
    proved is what they compute: forward and reverse, linear in tangent and cotangent.

    Parameters
    ----------
    name : str or Primitive
        Of a primitive with a rule.
    seconds : float
        How long SymPy may take.

    Returns
    -------
    Proof

    Raises
    ------
    LookupError
        If there is no such primitive.
    ValueError
        If it has no rule.

    Examples
    --------
    >>> from tapead.symbolic import prove
    >>> prove("tanh")
    <PROVED tanh: rule = derivative for all x ∈ ℝ, in both modes>

    One of your own needs no formula where its kernel can be run on symbols:

    >>> import tapead as ta
    >>> @ta.primitive("proved cube")
    ... def cube(x):
    ...     return x**3
    >>> @ta.RegisterGradient("proved cube")
    ... def _cube(op):
    ...     '''d x³ = 3x² dx'''
    ...     return 3 * op.inputs[0] ** 2
    >>> prove(cube)
    <PROVED proved cube: rule = derivative and adjoint for the 2 shapes tried: (); (3,)>
    >>> with ta.override_gradient({"proved cube": lambda op: 3.001 * op.inputs[0] ** 2}):
    ...     prove(cube).status
    'REFUTED'
    """
    primitive = name if isinstance(name, Primitive) else lookup(name)
    if not primitive.differentiable:
        raise ValueError(f"{primitive.name!r} was declared not differentiable: there is nothing to prove")
    if primitive.rule is None:
        raise ValueError(f"{primitive.name!r} has no derivative rule: register one with @tapead.RegisterGradient")
    from .structures import prove_structure

    try:
        return (_for_all_keywords if primitive.elementwise else prove_structure)(primitive, time.monotonic() + seconds)
    except Exception as error:  # what SymPy cannot cope with is no decision, and must not stop the proofs of others
        return Proof(primitive.name, UNDECIDED, f"the proof broke off: {type(error).__name__}: {error}")


def prove_all(seconds: float = 30.0, names: Iterable[str] | None = None) -> list[Proof]:
    """A proof of every rule in the registry.

    Parameters
    ----------
    seconds : float
        How long SymPy may take for each.
    names : iterable of str, optional
        Of the primitives to prove; by default all that have a rule. SciPy's are among them once they are imported.

    Returns
    -------
    list of Proof
        In alphabetical order; those that are not PROVED are in it too.

    Examples
    --------
    >>> from tapead.symbolic import prove_all
    >>> [proof for proof in prove_all() if proof.status == "REFUTED"]  # doctest: +SKIP
    []
    """
    if names is None:
        names = [name for name, primitive in PRIMITIVES.items() if primitive.differentiable and primitive.rule]
    return [prove(name, seconds) for name in sorted(names)]


# ---------------------------------------------------------------------- running a rule


def run_rule(primitive: Primitive, inputs: Sequence[DuckArray], output: DuckArray, attrs: Mapping[str, Any],
             position: int, tangent: DuckArray, cotangent: DuckArray) -> tuple[DuckArray, DuckArray] | None:
    """What the sweeps make of one call: the output's tangent and the cotangent of the input at `position`.

    None where the rule says that the primitive is not differentiable in this input.
    """
    scope = Scope(None)
    leaf = record_entry(_INPUT, (), (), inputs[position], {}, scope, kind=Leaf)
    parents = tuple([leaf if place == position else None for place in range(len(inputs))])
    entry = record_entry(primitive, tuple(inputs), parents, output, dict(attrs), scope)
    algebra = output.algebra
    with override_gradient({primitive.name: without_buffers(rule_of(primitive))}):
        try:
            pushed = forward([entry], {leaf: tangent}).get(entry)
        except NotImplementedError:
            return None
        pulled = reverse([(entry, cotangent)]).get(leaf)
    return (wrap(algebra, np.zeros(output.shape) if pushed is None else pushed),
            wrap(algebra, np.zeros(inputs[position].shape) if pulled is None else pulled))


_INPUT = PRIMITIVES.get("input") or Primitive("input", lambda x: x)


# ---------------------------------------------------------------------- elementwise primitives


def _for_all_keywords(primitive: Primitive, deadline: float) -> Proof:
    """One proof for each set of keywords among the cases, and what they say together."""
    calls = [dict(case.attrs) for case in primitive.cases] or [{}]
    different = [attrs for place, attrs in enumerate(calls) if repr(attrs) not in map(repr, calls[:place])]
    proofs = [_elementwise(primitive, attrs, deadline) for attrs in different]
    for status in (REFUTED, UNDECIDED):
        for attrs, proof in zip(different, proofs, strict=True):
            if proof.status == status:
                return replace(proof, evidence=f"with {_keywords(attrs)}: {proof.evidence}") if attrs else proof
    shapes = tuple(_keywords(attrs) for attrs in different if attrs)
    points = sum(proof.points for proof in proofs)
    return replace(proofs[0], points=points, shapes=shapes,
                   evidence=proofs[0].evidence + (f"; so too with {'; '.join(shapes)}" if shapes else ""))


def _keywords(attrs: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in attrs.items())


def _elementwise(primitive: Primitive, attrs: Mapping[str, Any], deadline: float) -> Proof:
    arity = primitive.arity
    domain = [*primitive.domain, *[_REAL] * arity][:arity]
    symbols = [sympy.Symbol(name, positive=True) if low >= 0 else sympy.Symbol(name, real=True)
               for name, (low, _) in zip(_names(primitive), domain, strict=True)]
    where = _described(symbols, domain, primitive.kinks)
    points = _points(primitive, symbols, domain)
    algebra = Exact()
    try:
        inputs = [DuckArray(algebra, np.array([symbol], object)) for symbol in symbols]
        output = interpret(primitive, tuple(inputs), attrs)
        claims = _claims(primitive, attrs, symbols, inputs, output)
    except Exception as error:  # whatever a rule does on symbols, that is a reason not to decide
        return _without_symbols(primitive, attrs, domain, where, error)
    odd = _differs_from_kernel(primitive, attrs, symbols, output.elements[0], points)
    if odd is not None:
        return Proof(primitive.name, REFUTED, f"the SymPy counterpart is not the kernel: at {_shown(odd[0])} it gives "
                     f"{odd[2]} where the kernel gives {odd[1]}", _plain_point(odd[0]), domain=where)
    claims = [claim for claim in claims if claim[1] != claim[2]]
    every = [*symbols, *_PARAMETERS]
    directions = sample(_PARAMETERS, [_REAL] * 2, len(points), 1)
    full = [{**point, **values} for point, values in zip(points, directions, strict=True)]
    agreed, odd = _compare(claims, every, full)
    if odd is not None:
        return _refuted(primitive.name, odd, where)
    open_claims = [claim for claim in claims if not vanishes(claim[1] - claim[2], min(deadline, time.monotonic() + 2))]
    if open_claims:
        splits = splits_of([side for _, *sides in open_claims for side in sides])
        if primitive.kinks is not None:
            splits.append(sympy.sympify(primitive.kinks, locals={str(symbol): symbol for symbol in symbols}
                                        | dict(zip("xyz", symbols, strict=False))))
        for region in regions(symbols, domain, splits):
            more, odd = _compare_in(region, open_claims, every)
            agreed += more
            if odd is not None:
                return _refuted(primitive.name, odd, where)
            local = [settled((got - expected).xreplace(region)) for _, got, expected in open_claims]
            if not all(vanishes(difference, deadline) for difference in local):
                return Proof(primitive.name, UNDECIDED, "SymPy does not simplify the difference to zero; "
                             f"{agreed} points agree to {DIGITS} digits", points=agreed, domain=where)
    return Proof(primitive.name, PROVED, f"rule = derivative for all {where}, in both modes", points=agreed,
                 domain=where)


_TANGENT, _COTANGENT = _PARAMETERS = (sympy.Dummy("t", real=True), sympy.Dummy("g", real=True))
Claim = tuple[str, Any, Any]


def _names(primitive: Primitive) -> list[str]:
    return list("xyz")[:primitive.arity] if primitive.arity <= 3 else [f"x{k}" for k in range(primitive.arity)]


def _claims(primitive: Primitive, attrs: Mapping[str, Any], symbols: Sequence[Any], inputs: Sequence[DuckArray],
            output: DuckArray) -> list[Claim]:
    """(what, as the rule has it, as SymPy has it) for each input and mode"""
    claims: list[Claim] = []
    algebra = output.algebra
    for position, symbol in enumerate(symbols):
        found = run_rule(primitive, inputs, output, attrs, position, DuckArray(algebra, np.array([_TANGENT], object)),
                         DuckArray(algebra, np.array([_COTANGENT], object)))
        if found is None:
            continue
        partial = differentiate(output.elements[0], symbol)
        pushed, pulled = (side.elements.item() for side in found)
        claims.append((f"forward in {symbol}", pushed, partial * _TANGENT))
        if pulled.xreplace({_COTANGENT: _TANGENT}) != pushed:
            claims.append((f"reverse in {symbol}", pulled, partial * _COTANGENT))
    return [_without_factor(claim) for claim in claims]


def _without_factor(claim: Claim) -> Claim:
    """The claim divided by tangent or cotangent where both sides have it as a factor."""
    what, got, expected = claim
    for factor in _PARAMETERS:
        if got.has(factor) or expected.has(factor):
            one = got.xreplace({factor: sympy.Integer(1)})
            if got == one * factor or sympy.expand(got - one * factor) == 0:
                return what, one, expected.xreplace({factor: sympy.Integer(1)})
    return claim


def _compare(claims: Sequence[Claim], symbols: Sequence[Any], points: Sequence[Mapping[Any, Any]]) -> Any:
    agreed, odd = separate([(got, expected) for _, got, expected in claims], symbols, points)
    if odd is None:
        return agreed, None
    number, point, got, expected = odd
    return agreed, (claims[number][0], point, got, expected)


def _compare_in(region: Mapping[Any, Any], claims: Sequence[Claim], symbols: Sequence[Any]) -> Any:
    """`_compare` at points of a region."""
    parameters = sorted({symbol for place in region.values() for symbol in place.free_symbols}, key=str)
    ranges = [(0.0, float("inf")) if parameter.is_positive else _REAL for parameter in parameters]
    found = sample(parameters, ranges, _POINTS_PER_REGION, 2)
    extra = sample(_PARAMETERS, [_REAL] * 2, len(found), 3)
    points = [{**{symbol: sympy.Rational(place.xreplace(values)) for symbol, place in region.items()}, **more}
              for values, more in zip(found, extra, strict=True)]
    return _compare(claims, symbols, points)


def _refuted(name: str, odd: Any, where: str) -> Proof:
    what, point, got, expected = odd
    return Proof(name, REFUTED, f"{what}, at {_shown(point)} the rule gives {_digits(got)}, the derivative is "
                 f"{_digits(expected)}", _plain_point(point), domain=where)


def _digits(value: Any) -> str:
    return str(value.context.nstr(value, 17))


def _plain_point(point: Mapping[Any, Any]) -> dict[str, float]:
    return {str(symbol): float(value) for symbol, value in point.items() if not isinstance(symbol, sympy.Dummy)}


def _shown(point: Mapping[Any, Any]) -> str:
    return ", ".join(f"{name} = {value:.12g}" for name, value in _plain_point(point).items())


def _described(symbols: Sequence[Any], domain: Sequence[tuple[float, float]], kinks: str | None) -> str:
    parts = [f"{symbol} ∈ ℝ" if (low, high) == _REAL else f"{symbol} > {low:g}" if high == float("inf")
             else f"{symbol} < {high:g}" if low == -float("inf") else f"{low:g} < {symbol} < {high:g}"
             for symbol, (low, high) in zip(symbols, domain, strict=True)]
    return ", ".join(parts) + (f" off {kinks} = 0" if kinks else "")


def _points(primitive: Primitive, symbols: Sequence[Any], domain: Sequence[tuple[float, float]]) -> list[Any]:
    """Points of the domain off the kinks."""
    return [point for point in sample(symbols, domain, 3 * _POINTS) if _off_kinks(primitive, symbols, point)][:_POINTS]


def _off_kinks(primitive: Primitive, symbols: Sequence[Any], point: Mapping[Any, Any]) -> bool:
    if primitive.kinks is None:
        return True
    kink = sympy.sympify(primitive.kinks, locals=dict(zip("xyz", symbols, strict=False)))
    value = kink.xreplace(dict(point)).evalf(20)
    return bool(value.is_finite and abs(value) > 1e-9)


def _differs_from_kernel(primitive: Primitive, attrs: Mapping[str, Any], symbols: Sequence[Any], counterpart: Any,
                         points: Sequence[Mapping[Any, Any]]) -> Any:
    """The first point at which the counterpart is another function than the kernel, with both values."""
    model = numbers_of([counterpart], symbols)
    for point in points:
        numbers = [float(point[symbol]) for symbol in symbols]
        with np.errstate(all="ignore"):
            value = float(np.asarray(primitive.kernel(*map(np.float64, numbers), **attrs)))
        expected = model(numbers)[0].real
        if np.isfinite(value) and np.isfinite(expected) and abs(expected - value) > 1e-9 * (1e-3 + abs(value)):
            return point, value, expected
    return None


def _without_symbols(primitive: Primitive, attrs: Mapping[str, Any], domain: Sequence[tuple[float, float]], where: str,
                     error: Exception) -> Proof:
    """The verdict where the rule does not run on symbols: high-precision differences, or nothing."""
    from .structures import check_numerically

    reason = str(error) or type(error).__name__
    if isinstance(error, (TypeError, ValueError, ArithmeticError)) and not isinstance(error, Unavailable):
        reason = f"{type(error).__name__}: {reason}"
    symbols = [sympy.Symbol(name) for name in _names(primitive)]
    points = _points(primitive, symbols, domain)
    calls = [(tuple(np.array([float(value)]) for value in point.values()), attrs) for point in points]
    return check_numerically(primitive, calls, reason, where, ())
