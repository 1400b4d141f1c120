"""What can be wrong with a rule: mutations of what it returns, of what it is given, and of its source."""

from __future__ import annotations

import ast
import copy
import inspect
import itertools
import textwrap
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tapead.registry import Linear, Primitive, value_of

from .points import Point

Rule = Callable[[Any], Any]


@dataclass(frozen=True)
class Mutant:
    """A wrong rule for one primitive.

    Attributes
    ----------
    kind : str
        The row of the table it counts for.
    label : str
        Which of its kind it is: the input, or the place in the source.
    rule : callable
        What is registered in place of the right one.
    order : int
        The order of derivative at which it shows.
    spoils : str
        ``"input"`` or ``"cotangent"`` for a rule that is right but writes into what it was handed.
    """

    kind: str
    label: str
    rule: Rule
    order: int = 1
    spoils: str = ""


class Changed:
    """What a rule receives, with some of it replaced."""

    def __init__(self, op: Any, inputs: Any = None, attrs: Any = None) -> None:
        self.inputs = op.inputs if inputs is None else inputs
        self.output = op.output
        self.attrs = op.attrs if attrs is None else attrs


# ---------------------------------------------------------------------- mutations of an entry


def resolved(entry: Any) -> Any:
    """A lazy entry's value."""
    return entry() if callable(entry) and not isinstance(entry, Linear) else entry


def as_linear(entry: Any) -> Linear:
    """An entry as the pair of maps that the engine makes of it."""
    if isinstance(entry, Linear):
        return entry
    return Linear(lambda t: _times(t, entry), lambda g: _times(g, entry if isinstance(entry, int) else np.conj(entry)))


def _times(value: Any, entry: Any) -> Any:
    with np.errstate(invalid="ignore"):
        product = value * entry
    return product


def _factor(factor: float) -> Callable[[Any, Any, int], Any]:
    def change(entry: Any, op: Any, position: int) -> Any:
        if isinstance(entry, Linear):
            return Linear(lambda t: factor * entry.apply(t), lambda g: factor * entry.adjoint(g))
        return np.multiply(entry, factor)

    return change


def _reverse(make: Callable[[Any], Any]) -> Callable[[Any, Any, int], Any]:
    """A change of the cotangent before the adjoint sees it."""

    def change(entry: Any, op: Any, position: int) -> Any:
        right = as_linear(entry)
        return Linear(right.apply, lambda g: right.adjoint(make(g)))

    return change


def _forward(make: Callable[[Any], Any]) -> Callable[[Any, Any, int], Any]:
    def change(entry: Any, op: Any, position: int) -> Any:
        right = as_linear(entry)
        return Linear(lambda t: right.apply(make(t)), right.adjoint)

    return change


def _zero(entry: Any, op: Any, position: int) -> Any:
    return 0


def _constant(entry: Any, op: Any, position: int) -> Any:
    """The partial as a plain value: right, but no longer differentiable."""
    if not isinstance(entry, Linear):
        return value_of(entry)
    return Linear(lambda t: value_of(entry.apply(value_of(t))), lambda g: value_of(entry.adjoint(value_of(g))))


def _weighted(weight: Callable[[Any], Any]) -> Callable[[Any, Any, int], Any]:
    """The derivative in an input times a number that depends on the input's elements."""

    def change(entry: Any, op: Any, position: int) -> Any:
        factor = weight(np.asarray(value_of(op.inputs[position])))
        right = as_linear(entry)
        return Linear(lambda t: right.apply(factor * t), lambda g: _fitted(right.adjoint(g), factor) * factor)

    return change


def _fitted(cotangent: Any, like: Any) -> Any:
    """Summed over the axes that were broadcast, as the engine would do afterwards."""
    shape = np.shape(like)
    extra = np.ndim(cotangent) - len(shape)
    if np.shape(cotangent) == shape or extra < 0:
        return cotangent
    axes = tuple(range(extra)) + tuple(k + extra for k, n in enumerate(shape) if n == 1)
    return np.reshape(np.sum(cotangent, axis=axes, keepdims=True), shape)


def _negative_side(x: Any) -> Any:
    return np.where(x.real < 0, 1.01, 1.0)


def _lower_half(x: Any) -> Any:
    return np.where(x.real <= np.median(x.real), 1.01, 1.0) if x.size else np.ones(x.shape)


def _last_dead(x: Any) -> Any:
    alive = np.ones(x.size)
    alive[-1:] = 0.0
    return alive.reshape(x.shape)


def _single(entry: Any, op: Any, position: int) -> Any:
    def rounded(value: Any) -> Any:
        kind = "c" if np.asarray(value_of(value)).dtype.kind == "c" else "f"
        return value.astype(np.complex64 if kind == "c" else np.float32)

    if isinstance(entry, Linear):
        return Linear(lambda t: rounded(entry.apply(t)), lambda g: rounded(entry.adjoint(g)))
    return entry if isinstance(entry, int) else rounded(np.asarray(entry) * 1.0)


def _integer(entry: Any, op: Any, position: int) -> Any:
    def whole(value: Any) -> Any:
        return np.trunc(np.real(value)).astype(int)

    if isinstance(entry, Linear):
        return Linear(lambda t: whole(entry.apply(t)), lambda g: whole(entry.adjoint(g)))
    return entry if isinstance(entry, int) else whole(entry)


def _swapped_modes(entry: Any, op: Any, position: int) -> Any:
    """Without the transposition or the conjugation: each map in the other's place."""
    right = as_linear(entry)
    return Linear(right.adjoint, right.apply)


def _backwards(entry: Any, op: Any, position: int) -> Any:
    """The axes of the input reversed where they are of one length."""
    right = as_linear(entry)
    return Linear(lambda t: right.apply(_turned(t)), lambda g: _turned(_fitted(right.adjoint(g), op.inputs[position])))


def _turned(value: Any) -> Any:
    return np.transpose(value) if np.ndim(value) > 1 and len(set(np.shape(value))) == 1 else value


def _extra_axis(entry: Any, op: Any, position: int) -> Any:
    right = as_linear(entry)
    return Linear(lambda t: np.stack([right.apply(t)] * 2), lambda g: np.ravel(right.adjoint(g))[:-1])


def _noisy(size: float) -> Callable[[Any, Any, int], Any]:
    generator = np.random.default_rng(3)

    def change(entry: Any, op: Any, position: int) -> Any:
        right = as_linear(entry)
        return Linear(lambda t: right.apply(t) * (1 + size * generator.normal()),
                      lambda g: right.adjoint(g) * (1 + size * generator.normal()))

    return change


def _writes_cotangent(entry: Any, op: Any, position: int) -> Any:
    """Right, but the array it was handed is written to."""
    right = as_linear(entry)

    def spoil(value: Any) -> Any:
        before = np.array(value_of(value))[()]
        if isinstance(value, np.ndarray) and value.ndim:
            value.setflags(write=True)
            value *= 1.5
        return before

    return Linear(lambda t: right.apply(spoil(t)), lambda g: right.adjoint(spoil(g)))


def _writes_input(entry: Any, op: Any, position: int) -> Any:
    """Right the first time, but the input is written to."""
    value = value_of(op.inputs[position])
    kept = as_linear(resolved(entry))
    if isinstance(value, np.ndarray) and value.ndim:
        owner = value if value.base is None else value.base
        if isinstance(owner, np.ndarray):
            owner.setflags(write=True)
        value.setflags(write=True)
        value *= 1.5
    return kept


#: The rows of the table, each with the changes of an entry that count for it.
ENTRY_KINDS: dict[str, dict[str, Callable[[Any, Any, int], Any]]] = {
    "sign": {"both modes": _factor(-1.0), "reverse": _reverse(lambda g: -g), "forward": _forward(lambda t: -t)},
    "factor 1 + 1e-3": {"both modes": _factor(1 + 1e-3), "reverse": _reverse(lambda g: g * (1 + 1e-3))},
    "factor 1 + 1e-6": {"both modes": _factor(1 + 1e-6), "forward": _forward(lambda t: t * (1 + 1e-6))},
    "factor 1 + 1e-9": {"both modes": _factor(1 + 1e-9), "reverse": _reverse(lambda g: g * (1 + 1e-9))},
    "severed (derivative zero)": {"reverse": _reverse(lambda g: g * 0.0), "forward": _forward(lambda t: t * 0.0)},
    "dead element": {"last": _weighted(_last_dead)},
    "wrong branch": {"x < 0": _weighted(_negative_side), "x up to its median": _weighted(_lower_half)},
    "g²": {"reverse": _reverse(lambda g: g * g), "forward": _forward(lambda t: t * t)},
    "|g|": {"reverse": _reverse(np.abs), "forward": _forward(np.abs)},
    "missing transpose or conjugate": {"modes exchanged": _swapped_modes, "input transposed": _backwards},
    "wrong dtype": {"float32": _single, "int": _integer},
    "wrong shape": {"both modes": _extra_axis},
    "nondeterminism": {"1e-3": _noisy(1e-3), "1e-6": _noisy(1e-6)},
    "mutated input": {"of the function": _writes_input, "of the derivative": _writes_cotangent},
}


SPOILS = {_writes_input: "input", _writes_cotangent: "cotangent"}


def _on_entry(rule: Rule, position: int, change: Callable[[Any, Any, int], Any]) -> Rule:
    def mutated(op: Any) -> Any:
        entries = rule(op)
        entries = list(entries) if isinstance(entries, (tuple, list)) else [entries]
        right = entries[position]
        if right is not None:
            entries[position] = lambda: change(resolved(right), op, position)
        return tuple(entries)

    return mutated


def entry_mutants(primitive: Primitive, point: Point) -> Iterator[Mutant]:
    """Mutations of what the rule returns, input by input."""
    rule = primitive.rule
    assert rule is not None
    for position in point.places:
        for kind, changes in ENTRY_KINDS.items():
            for which, change in changes.items():
                yield Mutant(kind, f"{which}, input {position}", _on_entry(rule, position, change),
                             spoils=SPOILS.get(change, ""))
        yield Mutant("severed inside the rule", f"input {position}", _on_entry(rule, position, _constant), order=2)
    yield Mutant("severed (derivative zero)", "both modes", lambda op: tuple([0] * len(op.inputs)))
    if len(point.places) > 1:
        for position in point.places:
            yield Mutant("dropped input", f"input {position}", _on_entry(rule, position, _zero))
        for first, second in itertools.combinations(point.places, 2):
            def exchanged(op: Any, first: int = first, second: int = second) -> Any:
                entries = list(rule(op))
                entries[first], entries[second] = entries[second], entries[first]
                return tuple(entries)

            yield Mutant("swapped arguments", f"entries {first} and {second}", exchanged)


# ---------------------------------------------------------------------- mutations of what it is given


def given_mutants(primitive: Primitive, point: Point) -> Iterator[Mutant]:
    """The right rule, with another axis or with its inputs in another order."""
    rule = primitive.rule
    assert rule is not None
    for key in ("axis", "axes", "axis1", "axis2"):
        if key in point.attrs:
            yield Mutant("wrong axis", f"attribute {key}", lambda op, key=key: rule(
                Changed(op, attrs={**op.attrs, key: _other_axis(op.attrs[key], np.ndim(value_of(op.inputs[0])))})))
    if len(point.places) > 1:
        first, second = point.places[:2]

        def turned(op: Any) -> Any:
            inputs = list(op.inputs)
            inputs[first], inputs[second] = inputs[second], inputs[first]
            return rule(Changed(op, inputs=tuple(inputs)))

        yield Mutant("swapped arguments", f"inputs {first} and {second}", turned)


def _other_axis(axis: Any, count: int) -> Any:
    if isinstance(axis, (tuple, list)):
        return tuple(axis[1:]) + tuple(axis[:1]) if len(axis) > 1 else tuple(_other_axis(one, count) for one in axis)
    if axis is None:
        return 0
    return (axis + 1) % max(count, 1) if axis >= 0 else -1 - (-axis % max(count, 1))


# ---------------------------------------------------------------------- mutations of its source

_CONJUGATIONS = {"conj", "conjugate", "_conjugate", "_adjoint", "adjoint_of"}
_TRANSPOSITIONS = {"swapaxes", "transpose", "matrix_transpose"}
_OTHER_FUNCTION = {"sin": "cos", "cos": "sin", "sinh": "cosh", "cosh": "sinh", "exp": "expm1", "log": "log1p",
                   "maximum": "minimum", "minimum": "maximum", "sum": "mean", "argmax": "argmin", "argmin": "argmax",
                   "tril": "triu", "triu": "tril", "floor": "ceil"}


def source_mutants(primitive: Primitive) -> Iterator[Mutant]:
    """One change to the source of the rule, or of a function of its module that it calls."""
    rule = primitive.rule
    assert rule is not None
    functions = _functions(rule)
    for name, function in functions.items():
        tree = _parsed(function)
        if tree is None:
            continue
        for kind, label, changed in _changes(tree):
            mutated = _compiled(rule, functions, name, changed)
            if mutated is not None:
                yield Mutant(kind, f"{name}: {label}", mutated)


def _functions(rule: Any) -> dict[str, Any]:
    """The rule, and the plain functions of its module that it calls, directly or not."""
    found = {rule.__name__: rule}
    waiting = [rule]
    while waiting:
        function = waiting.pop(0)
        for name in sorted(_names(function.__code__)):
            other = rule.__globals__.get(name)
            if (name not in found and inspect.isfunction(other) and other.__module__ == rule.__module__
                    and other.__name__ == name):
                found[name] = other
                waiting.append(other)
    return found


def _names(code: Any) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if inspect.iscode(constant):
            names |= _names(constant)
    return names


def _parsed(function: Any) -> ast.FunctionDef | None:
    if function.__closure__ or not hasattr(function, "__code__"):
        return None
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError):
        return None
    if not isinstance(tree, ast.FunctionDef):
        return None
    if any("cache" in ast.dump(decorator) for decorator in tree.decorator_list):
        return None
    tree.decorator_list = []
    return tree


def _compiled(rule: Any, functions: dict[str, Any], name: str, changed: ast.FunctionDef) -> Rule | None:
    """The rule, with one of its functions replaced."""
    space = dict(rule.__globals__)
    for other, function in functions.items():
        tree = changed if other == name else _parsed(function)
        if tree is None:
            if other == rule.__name__:
                return None
            continue
        module = ast.Module([tree], [])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # it is wrong, that is the point
            exec(compile(ast.fix_missing_locations(module), f"<mutant of {name}>", "exec"), space)
    return space[rule.__name__]  # type: ignore[no-any-return]  # compiled just now


def _changes(tree: ast.FunctionDef) -> Iterator[tuple[str, str, ast.FunctionDef]]:
    """Every single change of a function, as its kind, its text and the changed function."""
    body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    nodes = [node for statement in body for node in ast.walk(statement)]
    for number, node in enumerate(nodes):
        for kind, replacement in _replacements(node):
            clone = copy.deepcopy(tree)
            inner = clone.body[1:] if ast.get_docstring(clone) is not None else clone.body
            target = [one for statement in inner for one in ast.walk(statement)][number]
            text = f"{ast.unparse(node)} → {ast.unparse(replacement)}"
            if isinstance(target, ast.expr):
                _Replace(target, replacement).visit(clone)
                yield kind, f"line {node.lineno}: {text}"[:160], clone  # type: ignore[attr-defined]  # an expression


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        if node is self.old:
            return self.new
        return self.generic_visit(node)


def _replacements(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.BinOp):
        left, right, op = node.left, node.right, node.op
        if isinstance(op, (ast.Add, ast.Sub)):
            yield "dropped term", left
            yield "dropped term", right if isinstance(op, ast.Add) else ast.UnaryOp(ast.USub(), right)
            yield "sign", ast.BinOp(left, ast.Sub() if isinstance(op, ast.Add) else ast.Add(), right)
        elif isinstance(op, ast.Mult):
            yield "dropped factor", left
            yield "dropped factor", right
        elif isinstance(op, ast.Div):
            yield "dropped factor", left
            yield "swapped arguments", ast.BinOp(right, op, left)
        elif isinstance(op, ast.MatMult):
            yield "swapped arguments", ast.BinOp(right, op, left)
        elif isinstance(op, ast.Pow):
            yield "dropped factor", left
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        if not isinstance(node.operand, ast.Constant):
            yield "sign", node.operand
    elif isinstance(node, ast.Constant):
        if type(node.value) in (int, float):
            yield "wrong constant", ast.Constant(node.value + 1)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        other = {ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq,
                 ast.NotEq: ast.Eq}.get(type(node.ops[0]))
        if other is not None:
            yield "wrong branch", ast.Compare(node.left, [other()], node.comparators)
    elif isinstance(node, ast.IfExp):
        yield "wrong branch", ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.Attribute):
        if node.attr in ("mT", "T", "real"):
            yield "missing transpose or conjugate", node.value
    elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) == 2:
        yield "swapped arguments", ast.Tuple(node.elts[::-1], node.ctx)
    elif isinstance(node, ast.Call):
        yield from _other_calls(node)


def _other_calls(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in _CONJUGATIONS | _TRANSPOSITIONS and node.args:
        yield "missing transpose or conjugate", node.args[0]
    if name == "where" and len(node.args) == 3:
        yield "wrong branch", ast.Call(node.func, [node.args[0], node.args[2], node.args[1]], node.keywords)
    elif name == "Linear" and len(node.args) == 2:
        yield "missing transpose or conjugate", ast.Call(node.func, node.args[::-1], node.keywords)
    elif len(node.args) == 2:
        yield "swapped arguments", ast.Call(node.func, node.args[::-1], node.keywords)
    if name in _OTHER_FUNCTION and isinstance(node.func, ast.Attribute):
        other = ast.Attribute(node.func.value, _OTHER_FUNCTION[name], ast.Load())
        yield "wrong function", ast.Call(other, node.args, node.keywords)
    for number, keyword in enumerate(node.keywords):
        if keyword.arg in ("axis", "axes"):
            rest = [word for k, word in enumerate(node.keywords) if k != number]
            yield "wrong axis", ast.Call(node.func, node.args, rest)


def mutants(primitive: Primitive, point: Point) -> Iterator[Mutant]:
    """Every mutant of a primitive's rule that can be tried at a point."""
    yield from entry_mutants(primitive, point)
    yield from given_mutants(primitive, point)
    yield from source_mutants(primitive)
