"""What the elements of a duck array are: SymPy expressions (:class:`Exact`) or mpmath numbers (:class:`Precise`)."""

from __future__ import annotations

import inspect
import itertools
import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
import sympy
from mpmath.ctx_mp import MPContext
from sympy.printing.pycode import MpmathPrinter
from sympy.utilities.lambdify import MPMATH_TRANSLATIONS

from ..registry import Primitive
from .constants import recognise

__all__ = ["Algebra", "Exact", "Precise", "Unavailable", "compile_in_mpmath", "counterpart",
           "has_counterpart"]

_PLACES = sympy.symbols("x y z")
#: Counterparts of ufuncs that have no derivative, and so none in the registry.
_UNREGISTERED = {
    "floor": "floor(x)", "ceil": "ceiling(x)", "trunc": "sign(x)*floor(Abs(x))", "rint": "floor(x + 1/2)",
    "floor_divide": "floor(x/y)", "sign": "sign(x)", "spacing": "0", "ldexp": "x*2**y",
}
_COMPARISONS = {"equal": "Eq", "not_equal": "Ne", "less": "Lt", "less_equal": "Le", "greater": "Gt",
                "greater_equal": "Ge"}
_EXTREMES = {"maximum": sympy.Gt, "fmax": sympy.Gt, "minimum": sympy.Lt, "fmin": sympy.Lt}
_LOGIC = {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor", "logical_not": "Not", "bitwise_and": "And",
          "bitwise_or": "Or", "bitwise_xor": "Xor", "invert": "Not"}


class Unavailable(Exception):  # noqa: N818 -- it tells of a gap, not of an error
    """Raised where a function has no meaning in SymPy or mpmath; the message names it."""


class Algebra(ABC):
    """What elements can do."""

    @abstractmethod
    def number(self, value: Any) -> Any:
        """A Python or NumPy number as an element; an element as it is."""

    @abstractmethod
    def owns(self, value: Any) -> bool:
        """Whether `value` is an element."""

    @abstractmethod
    def function(self, primitive: Primitive, attrs: Mapping[str, Any], *, is_complex: bool) -> Callable[..., Any]:
        """An elementwise primitive as a function of elements."""

    @abstractmethod
    def decide(self, condition: Any) -> bool | None:
        """The truth of a condition, None where it is open."""

    @abstractmethod
    def choose(self, condition: Any, first: Any, second: Any) -> Any:
        """`first` where the condition holds, else `second`."""

    @abstractmethod
    def keys(self, elements: np.ndarray) -> np.ndarray:
        """Values that compare as the elements do."""

    def truth(self, value: Any) -> Any:
        """A plain truth value as a condition."""
        return bool(value)

    def real(self, element: Any) -> Any:
        """The real part of an element."""
        return self.call("re(x)", element)

    def imaginary(self, element: Any) -> Any:
        """The imaginary part of an element."""
        return self.call("im(x)", element)

    @abstractmethod
    def call(self, formula: str, *elements: Any) -> Any:
        """A formula in x, y, z applied to elements."""


@lru_cache(maxsize=1000)
def _parsed(formula: str, *attrs: tuple[str, Any]) -> sympy.Expr:
    return sympy.sympify(formula, locals=dict(zip("xyz", _PLACES, strict=True)) | dict(attrs))


def _attributes(primitive: Primitive, attrs: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a call with the kernel's defaults for those not given."""
    if isinstance(primitive.kernel, np.ufunc):
        return dict(attrs)
    parameters = inspect.signature(primitive.kernel).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty} | dict(attrs)


def has_counterpart(primitive: Primitive, attrs: Mapping[str, Any]) -> bool:
    """Whether the registry has a formula for an elementwise primitive called with these keywords.

    A formula may name keywords: ``besseli(order, x)``. One that does not stands for the defaults alone.
    """
    if not primitive.elementwise or primitive.sympy is None:
        return False
    if callable(primitive.sympy) or not attrs:
        return True
    defaults = _attributes(primitive, {})
    return all(re.search(rf"\b{name}\b", primitive.sympy) or (name in defaults and _same(value, defaults[name]))
               for name, value in attrs.items())


def _same(first: Any, second: Any) -> bool:
    return first is second or bool(np.all(first == second))


def counterpart(primitive: Primitive, attrs: Mapping[str, Any]) -> Any:
    """The SymPy counterpart of an elementwise primitive as an expression in the symbols x, y, z.

    Raises
    ------
    Unavailable
        If the registry declares none.
    """
    declared = _UNREGISTERED.get(primitive.name) if primitive.sympy is None else primitive.sympy
    if declared is None:
        raise Unavailable(f"primitive {primitive.name!r} has no SymPy counterpart")
    if callable(declared):
        return declared(*_PLACES[:primitive.arity], **attrs)
    given = _attributes(primitive, attrs)
    return _parsed(declared, *((name, given[name]) for name in given if re.search(rf"\b{name}\b", declared)))


# ---------------------------------------------------------------------- SymPy


class Exact(Algebra):
    """SymPy expressions.

    Floats stand for the constants they were meant to be: 0.5 for 1/2, 1.1 for 11/10, 0.6931471805599453 for log(2).

    Parameters
    ----------
    point : mapping of Symbol to number, optional
        Decides the conditions that are open, and with it the branches taken.
    formulas : bool
        Whether maxima are written as ``Max(...)`` even where `point` would decide them.
    hold : bool
        Whether a float that is no short binary fraction is held by a symbol of its own (see `held`).
    """

    def __init__(self, point: Mapping[Any, Any] | None = None, *, formulas: bool = False, hold: bool = False) -> None:
        self.point = point
        self.formulas = formulas
        self.hold = hold
        #: The floats that symbols stand for.
        self.held: dict[Any, float] = {}
        #: What was decided at `point`, as relations that hold there.
        self.decided: list[Any] = []
        self._symbols: dict[float, Any] = {}

    def number(self, value: Any) -> Any:
        """A number as an exact constant."""
        if isinstance(value, sympy.Basic):
            return value
        if isinstance(value, (bool, int, np.bool_, np.integer)):
            return sympy.Integer(int(value))
        if isinstance(value, (complex, np.complexfloating)):
            return self.number(float(value.real)) + sympy.I * self.number(float(value.imag))
        value = float(value)
        found = recognise(value)
        if not self.hold or not found.is_finite or found == sympy.Rational(value):
            return found
        if value not in self._symbols:
            self._symbols[value] = symbol = sympy.Dummy("c", positive=value > 0, negative=value < 0)
            self.held[symbol] = value
        return self._symbols[value]

    def owns(self, value: Any) -> bool:
        """Whether it is an expression."""
        return isinstance(value, sympy.Basic)

    def truth(self, value: Any) -> Any:
        """A plain truth value as a condition."""
        return sympy.true if value else sympy.false

    def function(self, primitive: Primitive, attrs: Mapping[str, Any], *, is_complex: bool) -> Callable[..., Any]:
        """The counterpart; relations for comparisons."""
        name = primitive.name
        if name in _COMPARISONS:
            return getattr(sympy, _COMPARISONS[name])  # type: ignore[no-any-return]  # a class of SymPy
        if name in _LOGIC:
            return getattr(sympy, _LOGIC[name])  # type: ignore[no-any-return]  # a class of SymPy
        if name in ("isnan", "isinf", "isfinite"):
            return {"isnan": _is_nan, "isinf": _is_infinite, "isfinite": _is_finite}[name]
        if name == "signbit":
            return lambda x: sympy.Lt(x, 0)
        if name in _EXTREMES and self.point is not None and not self.formulas:
            return lambda x, y: self.choose(_EXTREMES[name](x, y), x, y)
        declared = primitive.sympy
        if callable(declared):
            return lambda *elements: declared(*elements, **attrs)
        return _compiled(counterpart(primitive, attrs), primitive.arity)

    def call(self, formula: str, *elements: Any) -> Any:
        """A formula in x, y, z applied to expressions."""
        return _compiled(_parsed(formula), len(elements))(*elements)

    def decide(self, condition: Any) -> bool | None:
        """By SymPy's assumptions, then at the point."""
        condition = sympy.sympify(condition)
        if condition in (sympy.true, sympy.false):
            return bool(condition)
        if isinstance(condition, sympy.Expr):
            return self.decide(sympy.Ne(condition, 0))
        if self.point is None:
            return None
        point = {**self.point, **self.held}
        relations = {relation: _at(relation, point) for relation in condition.atoms(sympy.core.relational.Relational)}
        decided = condition.xreplace(relations)
        if decided not in (sympy.true, sympy.false):
            return None
        self._note(condition if decided else sympy.Not(condition))
        return bool(decided)

    def _note(self, relation: Any) -> None:
        if relation not in (sympy.true, *self.decided):
            self.decided.append(relation)

    def choose(self, condition: Any, first: Any, second: Any) -> Any:
        """One of both where the condition is decided, else a Piecewise."""
        truth = self.decide(condition)
        if truth is None:
            return sympy.Piecewise((first, condition), (second, True))
        return first if truth else second

    def keys(self, elements: np.ndarray) -> np.ndarray:
        """The values at the point."""
        try:
            point = {**(self.point or {}), **self.held}
            values = [float(element if element.is_number else sympy.N(element, 30, subs=point))
                      for element in elements.flat]
        except TypeError:
            raise Unavailable("the order of expressions is undecided") from None
        ordered = elements.ravel()[np.argsort(values, kind="stable")]
        for below, above in itertools.pairwise(ordered):
            self._note(sympy.Le(below, above))
        return np.array(values, float).reshape(elements.shape)


def _at(relation: Any, point: Mapping[Any, Any]) -> Any:
    """A relation decided at a point; expressions that are equal there to 30 digits are equal."""
    difference = sympy.N(relation.lhs - relation.rhs, 30, subs=point, maxn=200)
    if not difference.is_number:
        return relation
    if abs(difference) < sympy.Float("1e-25"):
        difference = sympy.Integer(0)
    return relation.func(difference, 0)


def _is_nan(x: Any) -> Any:
    return sympy.true if x is sympy.nan else sympy.false


def _is_infinite(x: Any) -> Any:
    return sympy.true if x in (sympy.oo, -sympy.oo, sympy.zoo) else sympy.false


def _is_finite(x: Any) -> Any:
    return sympy.Not(sympy.Or(_is_nan(x), _is_infinite(x)))


@lru_cache(maxsize=1000)
def _compiled(formula: sympy.Expr, arity: int) -> Callable[..., Any]:
    places = _PLACES[:arity]
    if formula in places:
        return lambda *elements: elements[places.index(formula)]
    return lambda *elements: formula.xreplace(dict(zip(places, elements, strict=True)))


# ---------------------------------------------------------------------- mpmath


class Precise(Algebra):
    """mpmath numbers of a context of their own, of `digits` digits and some to guard them."""

    GUARD = 30

    def __init__(self, digits: int = 50) -> None:
        self.digits = digits
        self.context = MPContext()
        self.context.dps = digits + self.GUARD
        self._functions: dict[Any, Callable[..., Any]] = {}

    def number(self, value: Any) -> Any:
        """A number exactly; decimal text and numbers of other contexts too."""
        if isinstance(value, (np.bool_, np.integer)):
            value = int(value)
        if isinstance(value, sympy.Basic):
            return compile_in_mpmath(self.context, (), value)()
        return self.context.convert(value)

    def owns(self, value: Any) -> bool:
        """Whether it is a number of any mpmath context."""
        return hasattr(value, "_mpf_") or hasattr(value, "_mpc_")

    def function(self, primitive: Primitive, attrs: Mapping[str, Any], *, is_complex: bool) -> Callable[..., Any]:
        """The counterpart, printed for mpmath; Python's operators for comparisons."""
        name = primitive.name
        context = self.context
        native: dict[str, Callable[..., Any]] = {
            "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "expm1": context.expm1,
            "log1p": context.log1p, "rint": context.nint, "sqrt": context.sqrt,
            "isnan": context.isnan, "isinf": context.isinf, "isfinite": context.isfinite,
            "logical_and": lambda x, y: bool(x) and bool(y), "logical_or": lambda x, y: bool(x) or bool(y),
            "logical_xor": lambda x, y: bool(x) != bool(y), "logical_not": operator.not_, "bitwise_and": operator.and_,
            "bitwise_or": operator.or_, "bitwise_xor": operator.xor, "invert": operator.not_,
            "signbit": lambda x: x < 0, "copysign": lambda x, y: -abs(x) if y < 0 else abs(x),
            "equal": operator.eq, "not_equal": operator.ne, "less": operator.lt, "less_equal": operator.le,
            "greater": operator.gt, "greater_equal": operator.ge,
        }
        if name in _COMPARISONS or name in _LOGIC or name in ("isnan", "isinf", "isfinite", "signbit"):
            return native[name]
        function = native.get(name)
        if function is None:
            key = (primitive.name, primitive.sympy, tuple(sorted((k, repr(v)) for k, v in attrs.items())))
            function = self._functions.get(key)
            if function is None:
                function = compile_in_mpmath(context, _PLACES[:primitive.arity], counterpart(primitive, attrs))
                self._functions[key] = function
        return lambda *elements: self._careful(function, primitive.kernel, elements, is_complex)

    def _careful(self, function: Callable[..., Any], kernel: Callable[..., Any], elements: Any,
                 is_complex: bool) -> Any:
        """`function`, with NumPy's answer at poles and NaN for a real function outside its domain."""
        context = self.context
        try:
            result = context.convert(function(*elements))
        except ZeroDivisionError:
            rounded = [np.complex128(element) if is_complex else np.float64(element) for element in elements]
            with np.errstate(all="ignore"):
                return context.convert(np.asarray(kernel(*rounded)).item())
        except NameError as error:
            raise Unavailable(f"{error.name} has no meaning in mpmath") from error
        if not is_complex and isinstance(result, context.mpc):
            return result.real if result.imag == 0 else context.nan
        return result

    def call(self, formula: str, *elements: Any) -> Any:
        """A formula in x, y, z applied to numbers."""
        if formula not in self._functions:
            self._functions[formula] = compile_in_mpmath(self.context, _PLACES[:len(elements)], _parsed(formula))
        return self.context.convert(self._functions[formula](*elements))

    def decide(self, condition: Any) -> bool | None:
        """Always decided."""
        return bool(condition)

    def choose(self, condition: Any, first: Any, second: Any) -> Any:
        """One of both."""
        return first if condition else second

    def keys(self, elements: np.ndarray) -> np.ndarray:
        """The numbers themselves."""
        return elements


class _Printer(MpmathPrinter):  # type: ignore[misc]  # SymPy has no types
    """Writes expressions in the names of one mpmath context."""

    def __init__(self) -> None:
        super().__init__({"fully_qualified_modules": False, "inline": True, "allow_unknown_functions": True})


def compile_in_mpmath(context: Any, symbols: Any, expression: Any) -> Callable[..., Any]:
    """An expression, or a list of them, as a function of the symbols that computes in an mpmath context."""
    names = {name: getattr(context, name) for name in dir(context) if not name.startswith("_")}
    names |= {ours: names[theirs] for ours, theirs in MPMATH_TRANSLATIONS.items() if theirs in names}
    names["DiracDelta"] = lambda x, order=0: context.inf if x == 0 else context.zero
    names["max"], names["min"] = _largest, _smallest
    compiled: Callable[..., Any] = sympy.lambdify(symbols, expression, modules=[names], printer=_Printer, cse=True)
    return compiled


def _largest(*values: Any) -> Any:
    return next((value for value in values if mpmath.isnan(value)), None) or max(values)


def _smallest(*values: Any) -> Any:
    return next((value for value in values if mpmath.isnan(value)), None) or min(values)
