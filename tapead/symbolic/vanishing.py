"""Whether two expressions are the same function: by algebra, and by their values to 50 digits."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sympy
from sympy.core.relational import Relational

from .algebras import Precise, compile_in_mpmath
from .timebox import within

__all__ = ["DIGITS", "Region", "numbers_of", "regions", "sample", "separate", "settled", "splits_of",
           "vanishes"]

#: To how many digits values are compared.
DIGITS = 50
_STEP_SECONDS = 8.0
_MOST_CONDITIONS = 4
_MOST_NESTED = 4  # extremes within extremes
_LARGE = 2000  # operations: beyond, only expanding is tried

_PIECEWISE = (sympy.Abs, sympy.sign, sympy.Heaviside, sympy.Max, sympy.Min, sympy.floor, sympy.ceiling, sympy.Piecewise)

Region = dict[Any, Any]

# ---------------------------------------------------------------------- by algebra

#: From cheap to dear; each may show that an expression is zero.
_STEPS: tuple[Callable[[Any], Any], ...] = (
    lambda e: e,
    sympy.expand,
    lambda e: sympy.expand(sympy.together(e).as_numer_denom()[0]),
    lambda e: sympy.expand(e, complex=True),
    sympy.cancel,
    lambda e: sympy.expand(sympy.expand(sympy.powdenest(e, force=False), power_base=True), power_exp=True),
    lambda e: sympy.simplify(sympy.expand(sympy.expand_log(e).rewrite(sympy.exp))),
    sympy.simplify,
    lambda e: sympy.radsimp(sympy.simplify(e)),
    lambda e: sympy.simplify(sympy.expand(e.rewrite(sympy.exp), complex=True)),
    lambda e: sympy.simplify(sympy.factor(e)),
    sympy.trigsimp,
    lambda e: sympy.simplify(e.rewrite(sympy.gamma)),
)


def vanishes(expression: Any, deadline: float) -> bool:
    """Whether SymPy shows, before `deadline`, that an expression is zero wherever its conditions allow."""
    expression = _generic(sympy.sympify(expression))
    if expression == 0:
        return True
    conditions = list(expression.atoms(Relational))
    if conditions:
        if len(conditions) > _MOST_CONDITIONS:
            return False
        # Conditions that nothing decides: every combination of them is to be zero.
        return all(vanishes(expression.xreplace(dict(zip(conditions, truths, strict=True))), deadline)
                   for truths in itertools.product((sympy.true, sympy.false), repeat=len(conditions)))
    steps = _STEPS if expression.count_ops() < _LARGE else _STEPS[:5]
    return any(_becomes_zero(expression, step, deadline) for step in steps)


def _becomes_zero(expression: Any, step: Callable[[Any], Any], deadline: float) -> bool:
    left = min(deadline - time.monotonic(), _STEP_SECONDS)
    if left <= 0:
        return False
    try:
        return bool(within(left, lambda: step(expression)) == 0)
    except Exception:  # a step that fails or takes too long has shown nothing
        return False


def _generic(expression: Any) -> Any:
    """The expression off the set where conditions of equality hold, which is a null set unless they always do."""
    equalities = {}
    for relation in expression.atoms(sympy.Eq, sympy.Ne):
        if not relation.has(*_PIECEWISE):  # these may be equal over whole intervals
            always = sympy.expand(relation.lhs - relation.rhs) == 0
            equalities[relation] = sympy.true if always == isinstance(relation, sympy.Eq) else sympy.false
    return expression.xreplace(equalities) if equalities else expression


# ---------------------------------------------------------------------- by value


def separate(pairs: Sequence[tuple[Any, Any]], symbols: Sequence[Any], points: Sequence[Mapping[Any, Any]]
             ) -> tuple[int, tuple[int, Mapping[Any, Any], Any, Any] | None]:
    """Compare pairs of expressions at points, to 50 digits.

    Returns
    -------
    int
        At how many points all pairs could be compared and agreed.
    tuple or None
        The first difference: number of the pair, point, and both values.
    """
    context = Precise(DIGITS).context
    flat = [side for pair in pairs for side in pair]
    compiled = compile_in_mpmath(context, list(symbols), flat)
    agreed = 0
    for point in points:
        arguments = [context.mpf(value.p) / value.q for value in (sympy.Rational(point[symbol]) for symbol in symbols)]
        try:
            values = [context.convert(value) for value in compiled(*arguments)]
        except (ZeroDivisionError, ValueError, OverflowError):
            continue
        whole = True
        for number, (first, second) in enumerate(zip(values[::2], values[1::2], strict=True)):
            if not (context.isfinite(first) and context.isfinite(second)):
                whole = False
            elif abs(first - second) > context.mpf(10) ** -DIGITS * (abs(first) + abs(second)) + context.mpf(10) ** -70:
                return agreed, (number, point, first, second)
        agreed += whole
    return agreed, None


def numbers_of(expressions: Sequence[Any], symbols: Sequence[Any]) -> Callable[[Sequence[float]], list[complex]]:
    """The values of expressions for values of their symbols, computed to many digits; NaN where they have none."""
    context = Precise(DIGITS).context
    compiled = compile_in_mpmath(context, list(symbols), list(expressions))

    def evaluate(numbers: Sequence[float]) -> list[complex]:
        try:
            return [complex(context.convert(value)) for value in compiled(*map(context.mpf, numbers))]
        except (ZeroDivisionError, ValueError, OverflowError):
            return [complex("nan")] * len(expressions)

    return evaluate


# ---------------------------------------------------------------------- where


def splits_of(expressions: Sequence[Any]) -> list[Any]:
    """What changes sign where an expression goes over from one formula to another."""
    found: dict[Any, None] = {}
    for expression in expressions:
        for atom in sympy.sympify(expression).atoms(sympy.Abs, sympy.sign, sympy.Heaviside, sympy.DiracDelta):
            found[atom.args[0]] = None
        for relation in expression.atoms(Relational):
            found[relation.lhs - relation.rhs] = None
        for extreme in expression.atoms(sympy.Max, sympy.Min):
            for first, second in itertools.combinations(extreme.args, 2):
                found[first - second] = None
    return list(found)


def regions(symbols: Sequence[Any], domain: Sequence[tuple[float, float]], splits: Sequence[Any]) -> Iterator[Region]:
    """The parts into which the zeros of `splits` cut a domain, each as a substitution by positive parameters.

    Zeros are looked for where a variable has a certain value and where two variables are equal.
    """
    crossings = [crossing for split in splits for crossing in _numerators(split)]
    ordered = any(_vanishes_at(crossing, {first: second}) for crossing in crossings
                  for first, second in itertools.combinations(symbols, 2))
    intervals = []
    edges: set[Any] = set()
    for symbol, (low, high) in zip(symbols, domain, strict=True):
        edges |= {root for crossing in crossings for root in _roots(crossing, symbol)}
        edges |= {sympy.nsimplify(edge) for edge in (low, high) if ordered and abs(edge) != float("inf")}
    for low, high in domain:
        inner = sorted(edge for edge in edges if low < edge < high)
        ends = [_limit(low), *inner, _limit(high)]
        intervals.append(list(itertools.pairwise(ends)))
    for chosen in itertools.product(*intervals):
        groups: dict[Any, list[Any]] = {}
        for symbol, interval in zip(symbols, chosen, strict=True):
            groups.setdefault(interval, []).append(symbol)
        orders = [itertools.permutations(group) if ordered else [tuple(group)] for group in groups.values()]
        for choice in itertools.product(*orders):
            region: Region = {}
            for interval, group in zip(groups, choice, strict=True):
                if ordered:
                    region.update(_ascending(group, *interval))
                else:
                    for symbol in group:
                        region.update(_ascending([symbol], *interval))
            yield region


def _limit(edge: float) -> Any:
    return sympy.oo if edge == float("inf") else -sympy.oo if edge == -float("inf") else sympy.nsimplify(edge)


def _numerators(split: Any) -> tuple[Any, ...]:
    return tuple(part for part in sympy.together(split).as_numer_denom() if part.free_symbols)


def _vanishes_at(crossing: Any, place: Mapping[Any, Any]) -> bool:
    try:
        return bool(sympy.expand(crossing.subs(place)) == 0)
    except (TypeError, ValueError):
        return False


def _roots(crossing: Any, symbol: Any) -> list[Any]:
    """Values of a variable at which the expression is zero whatever the others are."""
    if symbol not in crossing.free_symbols:
        return []
    if crossing.free_symbols == {symbol}:
        try:
            found = within(2.0, lambda: sympy.solveset(crossing, symbol, sympy.S.Reals))
        except Exception:  # no closed form, or none in time: it may still vanish at 0
            found = sympy.EmptySet
        if isinstance(found, sympy.FiniteSet):
            return [root for root in found if root.is_number]
    return [sympy.Integer(0)] if _vanishes_at(crossing, {symbol: 0}) else []


def _ascending(symbols: Sequence[Any], low: Any, high: Any) -> Region:
    """Variables in an interval, in rising order, by positive parameters."""
    region: Region = {}
    parameters = [sympy.Dummy(f"p{k}", positive=True) for k in range(len(symbols))]
    if high is sympy.oo:
        place = low
        for symbol, parameter in zip(symbols, parameters, strict=True):
            place = sympy.Dummy("r", real=True) if place is -sympy.oo else place + parameter
            region[symbol] = place
    elif low is -sympy.oo:
        place = high
        for symbol, parameter in zip(reversed(symbols), parameters, strict=True):
            place = place - parameter
            region[symbol] = place
    else:
        place = low
        for symbol, parameter in zip(symbols, parameters, strict=True):
            place = (place + high * parameter) / (1 + parameter)
            region[symbol] = place
    return region


def settled(expression: Any) -> Any:
    """An expression in positive parameters with what their signs decide decided: relations, |u|, extremes and steps."""
    expression = sympy.sympify(expression)
    for _ in range(_MOST_NESTED):
        decided: dict[Any, Any] = {}
        for extreme in expression.atoms(sympy.Max, sympy.Min):
            way = 1 if isinstance(extreme, sympy.Max) else -1
            for first in extreme.args:
                if all(first == other or _sign(first - other) == way for other in extreme.args):
                    decided[extreme] = first
        for atom in expression.atoms(sympy.Abs, sympy.sign, sympy.Heaviside):
            sign = _sign(atom.args[0])
            if sign:
                decided[atom] = (sign * atom.args[0] if isinstance(atom, sympy.Abs) else sympy.Integer(sign)
                                 if isinstance(atom, sympy.sign) else sympy.Integer((1 + sign) // 2))
        for relation in expression.atoms(Relational):
            sign = _sign(relation.lhs - relation.rhs)
            if sign:
                decided[relation] = relation.func(sympy.Integer(sign), 0)
        if not decided:
            break
        expression = expression.xreplace(decided)
    return expression


def _sign(expression: Any) -> int:
    """1 or -1 where all terms of the numerator show it, parameters being positive; else 0."""
    if expression.is_positive or expression.is_negative:
        return 1 if expression.is_positive else -1
    numerator, denominator = sympy.together(expression).as_numer_denom()
    result = 1
    for part in (numerator, denominator):
        terms = sympy.Add.make_args(sympy.expand(part))
        if all(term.is_positive for term in terms):
            continue
        if not all(term.is_negative for term in terms):
            return 0
        result = -result
    return result


def sample(symbols: Sequence[Any], domain: Sequence[tuple[float, float]], count: int, seed: int = 0
           ) -> list[dict[Any, Any]]:
    """Points of a domain: short decimals of several magnitudes and either sign."""
    generator = random.Random(seed)
    points = []
    for _ in range(count):
        point = {}
        for symbol, (low, high) in zip(symbols, domain, strict=True):
            if low > -float("inf") and high < float("inf"):
                value = low + (high - low) * generator.randint(1, 999) / 1000
            else:
                size = generator.randint(1, 999) / 100 * 10.0 ** generator.choice((-2, -1, 0, 0, 0, 1))
                value = low + size if low > -float("inf") else high - size if high < float("inf") else (
                    size * generator.choice((-1, 1)))
            point[symbol] = sympy.Rational(f"{value:.6g}")
        points.append(point)
    return points
