"""Formulas as text, such as ``x**2 * sin(y)``, evaluated without ``eval``: the grammar is Python's, the names are ours.

A formula is parsed by :mod:`ast` and walked. Only numbers, the names given, a list of NumPy functions and the operators
of arithmetic are known; everything else is an error that says where it is and what to write in its place.
"""

from __future__ import annotations

import ast
import difflib
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .protocols import array
from .registry import FUNCTIONS, UFUNCS, value_of
from .tensor import Tensor

__all__ = ["Expression", "ExpressionError", "known_functions", "parse", "parse_value"]

#: Longer or deeper than any formula that a person writes.
LONGEST, DEEPEST = 10_000, 60
#: Above this many binary digits an integer power is computed in floating point.
MOST_BITS = 1024

CONSTANTS = {"pi": np.pi, "e": np.e, "inf": np.inf}
_OTHER_NAMES: dict[str, Callable[..., Any]] = {
    "abs": np.absolute, "max": np.max, "min": np.min, "ln": np.log, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "atan2": np.arctan2, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "pow": np.power, "norm": np.linalg.norm, "det": np.linalg.det, "inv": np.linalg.inv, "solve": np.linalg.solve,
}
_NUMPY_FUNCTIONS: tuple[Callable[..., Any], ...] = (
    np.sum, np.mean, np.prod, np.dot, np.where, np.max, np.min, np.var, np.std, np.median, np.cumsum, np.cumprod,
    np.sort, np.ptp, np.average, np.vdot, np.inner, np.outer, np.cross, np.kron, np.matmul, np.trace, np.transpose,
    np.reshape, np.ravel, np.squeeze, np.flip, np.roll, np.concatenate, np.stack, np.diag, np.diff, np.clip, np.sinc,
    np.i0, np.triu, np.tril, np.trapezoid, np.interp, np.tensordot, np.einsum, np.nansum, np.nanmean, np.linalg.norm,
    np.linalg.det, np.linalg.inv, np.linalg.solve, np.linalg.slogdet,
)
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.MatMult: operator.matmul,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_HINTS: dict[type[ast.AST], str] = {
    ast.BoolOp: "'and' and 'or' do not work on arrays: use & and |, with brackets",
    ast.IfExp: "'if' is not known: use where(condition, a, b)",
    ast.Lambda: "functions cannot be defined in a formula",
    ast.Not: "'not' does not work on arrays: use the opposite comparison",
    ast.Invert: "'~' is not known: use the opposite comparison",
    ast.BitXor: "'^' is not the power: use **",
    ast.LShift: "'<<' is not known", ast.RShift: "'>>' is not known",
    ast.In: "'in' is not known", ast.NotIn: "'not in' is not known",
    ast.Is: "'is' is not known: use ==", ast.IsNot: "'is not' is not known: use !=",
    ast.NamedExpr: "assignment is not known in a formula",
    ast.Dict: "braces are not known: use brackets", ast.Set: "braces are not known: use brackets",
    ast.ListComp: "comprehensions are not known", ast.GeneratorExp: "comprehensions are not known",
    ast.JoinedStr: "text is not known in a formula", ast.Starred: "'*' before an argument is not known",
}


class ExpressionError(ValueError):
    """A formula that cannot be understood or evaluated, with the place in its text.

    Attributes
    ----------
    text : str
        The formula.
    column : int
        Where in it, counted from 1; 0 where it is no particular place.
    """

    def __init__(self, message: str, text: str, column: int = 0) -> None:
        super().__init__(message)
        self.text = text
        self.column = column

    def __str__(self) -> str:
        """The message on one line, with the column."""
        message = " ".join(str(self.args[0]).split())
        return f"{message} (column {self.column} of {_shortened(self.text)!r})" if self.column else message


def known_functions() -> dict[str, Callable[..., Any]]:
    """The functions a formula may call, by name."""
    known: dict[str, Callable[..., Any]] = {ufunc.__name__: ufunc for ufunc in UFUNCS
                                          if vars(np).get(ufunc.__name__) is ufunc}
    known |= {function.__name__: function for function in _NUMPY_FUNCTIONS if function in FUNCTIONS}
    known |= {name: function for name, function in _OTHER_NAMES.items() if function in FUNCTIONS or function in UFUNCS}
    return known


class Expression:
    """A parsed formula.

    Attributes
    ----------
    text : str
        As it was given.
    names : tuple of str
        Its variables, in the order of their first use.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._functions = known_functions()
        self._body = self._parsed()
        self.names = self._variables()

    def __call__(self, *values: Any) -> Any:
        """The value of the formula; `values` belong to :attr:`names` in order."""
        return self.evaluate(dict(zip(self.names, values, strict=True)))

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """The value of the formula for values by name; tensors are differentiated through."""
        result = self._value(self._body, values)
        try:
            return _as_array(result)
        except (ValueError, TypeError) as error:
            raise self._error(str(error)) from None

    # ------------------------------------------------------------------ understanding

    def _error(self, message: str, node: Any = None) -> ExpressionError:
        column = 0
        if node is not None and hasattr(node, "col_offset"):
            # Python counts bytes.
            line = self.text.splitlines()[node.lineno - 1] if self.text.splitlines() else ""
            column = len(line.encode()[:node.col_offset].decode(errors="ignore")) + 1
        return ExpressionError(message, self.text, column)

    def _parsed(self) -> ast.expr:
        text = self.text
        if not text.strip():
            raise self._error("the formula is empty")
        if len(text) > LONGEST:
            raise self._error(f"the formula is longer than {LONGEST} characters")
        if "\n" in text.strip() or "\0" in text:
            raise self._error("the formula must be one line")
        self.text = text = text.strip()
        try:
            body = ast.parse(text, mode="eval").body
        except SyntaxError as error:
            raise ExpressionError(_explained(error, text), text, error.offset or len(text)) from None
        except (RecursionError, MemoryError):
            raise self._error("the formula is nested too deeply") from None
        self._check(body, 0)
        return body

    def _check(self, node: ast.AST, depth: int) -> None:
        """Raise for the first thing, from left to right, that a formula may not contain."""
        if depth > DEEPEST:
            raise self._error("the formula is nested too deeply", node)
        if isinstance(node, ast.BinOp):
            self._check(node.left, depth + 1)
            if type(node.op) not in _BINARY and not isinstance(node.op, ast.Pow):
                sign = self.text.find("^", node.left.end_col_offset or 0)
                at = sign + 1 if isinstance(node.op, ast.BitXor) and sign >= 0 else 0
                error = self._error(_HINTS.get(type(node.op), "this operator is not known"), node.right)
                raise ExpressionError(str(error.args[0]), self.text, at or error.column)
            self._check(node.right, depth + 1)
        elif isinstance(node, ast.UnaryOp):
            if type(node.op) not in _UNARY:
                raise self._error(_HINTS.get(type(node.op), "this operator is not known"), node)
            self._check(node.operand, depth + 1)
        elif isinstance(node, ast.Compare):
            for op in node.ops:
                if type(op) not in _COMPARE:
                    raise self._error(_HINTS.get(type(op), "this comparison is not known"), node)
            for part in (node.left, *node.comparators):
                self._check(part, depth + 1)
        elif isinstance(node, ast.Call):
            self._function(node.func)
            for argument in node.args:
                self._check(argument, depth + 1)
            for keyword in node.keywords:
                if keyword.arg is None:
                    raise self._error("'**' before an argument is not known", node)
                self._check(keyword.value, depth + 1)
        elif isinstance(node, ast.Subscript):
            self._check(node.value, depth + 1)
            self._check(node.slice, depth + 1)
        elif isinstance(node, ast.Slice):
            for bound in (node.lower, node.upper, node.step):
                if bound is not None:
                    self._check(bound, depth + 1)
        elif isinstance(node, (ast.List, ast.Tuple)):
            for part in node.elts:
                self._check(part, depth + 1)
        elif isinstance(node, ast.Constant):
            if not isinstance(node.value, (int, float)) and node.value not in (None, ...):
                kind = "imaginary numbers are" if isinstance(node.value, complex) else "text is"
                raise self._error(f"{kind} not known in a formula", node)
        elif isinstance(node, ast.Name):
            if node.id in self._functions:
                raise self._error(f"{node.id!r} is a function: write {node.id}(...)", node)
        elif isinstance(node, ast.Attribute):
            raise self._error(f"'.{node.attr}' is not known: use functions, as in sum(x)", node)
        else:
            raise self._error(_HINTS.get(type(node), "this is not known in a formula"), node)

    def _function(self, node: ast.expr) -> Callable[..., Any]:
        name, place = None, node
        if isinstance(node, ast.Name):
            name = node.id
        elif isinstance(node, ast.Attribute) and _dotted(node) is not None:
            name = node.attr
        if name is None:
            raise self._error("only functions known by name can be called", place)
        if name not in self._functions:
            near = difflib.get_close_matches(name, self._functions, n=3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise self._error(f"unknown function {name!r}{hint}", place)
        return self._functions[name]

    def _variables(self) -> tuple[str, ...]:
        found: dict[str, int] = {}
        called = {id(node.func) for node in ast.walk(self._body) if isinstance(node, ast.Call)}
        inside = {id(part) for node in ast.walk(self._body) if isinstance(node, ast.Call)
                  for part in ast.walk(node.func)}
        for node in ast.walk(self._body):
            if isinstance(node, ast.Name) and id(node) not in called | inside and node.id not in CONSTANTS:
                found[node.id] = min(found.get(node.id, node.col_offset), node.col_offset)
        return tuple(sorted(found, key=found.__getitem__))

    def column_of(self, name: str) -> int:
        """Where a name is first used, counted from 1; 0 for nowhere."""
        columns = [node.col_offset for node in ast.walk(self._body) if isinstance(node, ast.Name) and node.id == name]
        return min(columns) + 1 if columns else 0

    # ------------------------------------------------------------------ evaluating

    def _value(self, node: ast.expr, values: Mapping[str, Any]) -> Any:
        try:
            return self._compute(node, values)
        except ExpressionError:
            raise
        except (ArithmeticError, ValueError, TypeError, IndexError, NotImplementedError, RuntimeError) as error:
            what = str(error.args[-1]).splitlines()[0] if error.args else "it failed"
            raise self._error(f"{type(error).__name__}: {what}", node) from error

    def _compute(self, node: ast.expr, values: Mapping[str, Any]) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            if node.id in values:
                return values[node.id]
            if node.id in CONSTANTS:
                return CONSTANTS[node.id]
            near = difflib.get_close_matches(node.id, [*values, *CONSTANTS], n=3, cutoff=0.5)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise self._error(f"no value for {node.id!r}{hint}", node)
        if isinstance(node, ast.BinOp):
            left, right = self._value(node.left, values), self._value(node.right, values)
            left, right = _as_array(left), _as_array(right)
            return _power(left, right) if isinstance(node.op, ast.Pow) else _BINARY[type(node.op)](left, right)
        if isinstance(node, ast.UnaryOp):
            return _UNARY[type(node.op)](_as_array(self._value(node.operand, values)))
        if isinstance(node, ast.Compare):
            parts = [_as_array(self._value(part, values)) for part in (node.left, *node.comparators)]
            results = [_COMPARE[type(op)](a, b) for op, a, b in zip(node.ops, parts, parts[1:], strict=False)]
            result = results[0]
            for other in results[1:]:
                result = np.logical_and(value_of(result), value_of(other))
            return result
        if isinstance(node, ast.Call):
            arguments = [self._argument(argument, values) for argument in node.args]
            keywords = {str(keyword.arg): self._argument(keyword.value, values) for keyword in node.keywords}
            return self._function(node.func)(*arguments, **keywords)
        if isinstance(node, ast.Subscript):
            return _as_array(self._value(node.value, values))[self._key(node.slice, values)]
        assert isinstance(node, (ast.List, ast.Tuple))
        parts = [self._value(part, values) for part in node.elts]
        return parts if isinstance(node, ast.List) else tuple(parts)

    def _argument(self, node: ast.expr, values: Mapping[str, Any]) -> Any:
        value = self._value(node, values)
        # A list of tensors is one argument for concatenate and stack; elsewhere it is an array.
        return _as_array(value) if isinstance(value, list) and not _holds_arrays(value) else value

    def _key(self, node: ast.expr, values: Mapping[str, Any]) -> Any:
        if isinstance(node, ast.Slice):
            return slice(*(None if part is None else operator.index(self._value(part, values))
                           for part in (node.lower, node.upper, node.step)))
        if isinstance(node, ast.Tuple):
            return tuple(self._key(part, values) for part in node.elts)
        key = self._value(node, values)
        return np.asarray(key) if isinstance(key, list) else key


def parse(text: str) -> Expression:
    """Parse a formula.

    Parameters
    ----------
    text : str
        Python's grammar of arithmetic; NumPy's names of functions, with or without ``np.``.

    Returns
    -------
    Expression

    Raises
    ------
    ExpressionError
        If it cannot be understood; the message is one line with the column.

    Examples
    --------
    >>> from tapead.expressions import parse
    >>> formula = parse("x**2 * sin(y)")
    >>> formula.names
    ('x', 'y')
    >>> float(formula(2.0, 0.0))
    0.0
    """
    return Expression(text)


def parse_value(name: str, text: str) -> Any:
    """The value of a variable, a number or nested lists of numbers, as a float or float64 array.

    Examples
    --------
    >>> from tapead.expressions import parse_value
    >>> parse_value("x", "[1, 2.5]")
    array([1. , 2.5])
    """
    formula = Expression(text)
    if formula.names:
        raise ExpressionError(f"the value of {name} must be a number or a list of numbers, not {formula.names[0]!r}",
                              formula.text, formula.column_of(formula.names[0]))
    value = formula.evaluate({})
    try:
        result = np.asarray(value_of(value), dtype=float)
    except (ValueError, TypeError):
        raise ExpressionError(f"the value of {name} must be a number or a list of numbers: {formula.text}",
                              formula.text) from None
    return float(result) if result.shape == () else result


def _power(base: Any, exponent: Any) -> Any:
    """``base ** exponent``, in floating point where Python's integers would fill the memory."""
    if isinstance(base, int) and isinstance(exponent, int) and (
            exponent < 0 or exponent * max(base.bit_length(), 1) > MOST_BITS):
        return float(base) ** exponent
    return base ** exponent


def _as_array(value: Any) -> Any:
    """Lists as arrays; everything else as it is."""
    if isinstance(value, (list, tuple)):
        try:
            result = array(value)
        except ValueError:
            raise ValueError("the lists are of different lengths") from None
        return result if isinstance(result, Tensor) and result.requires_grad else value_of(result)
    return value


def _holds_arrays(value: Any) -> bool:
    return any(np.ndim(value_of(part)) > 0 and not isinstance(part, list) for part in value)


def _dotted(node: ast.Attribute) -> str | None:
    """``np.sin`` and ``np.linalg.norm`` as text; None for what does not begin with NumPy."""
    inner = node.value
    if isinstance(inner, ast.Attribute) and inner.attr == "linalg":
        inner = inner.value
    return node.attr if isinstance(inner, ast.Name) and inner.id in ("np", "numpy") else None


def _explained(error: SyntaxError, text: str) -> str:
    message = (error.msg or "invalid syntax").split(". ")[0]
    breaks_off = (error.offset or len(text)) >= len(text) and text[-1:] in "+-*/%@=<>&|,."
    return "the formula breaks off here" if message == "invalid syntax" and breaks_off else message


def _shortened(text: str) -> str:
    return text if len(text) <= 72 else text[:69] + "..."
