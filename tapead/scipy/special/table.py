"""The form in which rules are stated: a formula per argument, as text that is both what runs and what is documented.

``declare("jv", "v z", z="(jv(v - 1, z) - jv(v + 1, z)) / 2")`` makes a primitive of ``scipy.special.jv`` that is
differentiable in ``z``. The formula may use the arguments, the result ``f``, and everything in :data:`NAMES`: NumPy's
functions and those declared here, so that every derivative is differentiable again. An argument without a formula is
an attribute of the primitive; differentiating in it raises.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...ops.calls import COMPOSED
from ...registry import (
    FUNCTIONS,
    REAL,
    UFUNCS,
    Interval,
    NotDifferentiable,
    Primitive,
    RegisterGradient,
    add_primitive,
    case,
    value_of,
)

try:
    from scipy import special
except ImportError:
    raise ImportError('tapead.scipy needs SciPy: pip install "tapead[scipy]"') from None

__all__ = ["NAMES", "POSITIVE", "REAL", "UNIT", "constant", "declare", "declare_results", "helper",
           "piecewise_constant"]

POSITIVE: Interval = (0.0, np.inf)
UNIT: Interval = (0.0, 1.0)

#: Constants, as numbers and as SymPy's formulas for proofs and precise replays.
CONSTANTS: dict[str, tuple[complex, str]] = {
    "pi": (np.pi, "pi"), "root_pi": (float(np.sqrt(np.pi)), "sqrt(pi)"), "root_2": (float(np.sqrt(2)), "sqrt(2)"),
    "degree": (np.pi / 180, "pi/180"), "eighth_turn": (complex(np.exp(0.25j * np.pi)), "exp(I*pi/4)"),
    "three_eighths": (complex(np.exp(0.75j * np.pi)), "exp(3*I*pi/4)")}

#: What a formula may use.
NAMES: dict[str, Any] = {name: getattr(np, name) for name in (
    "abs", "arctan2", "clip", "conj", "cos", "cosh", "exp", "expm1", "floor", "hypot", "imag", "isinf", "log", "log1p",
    "maximum", "minimum", "real", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "where")}
NAMES |= {name: number for name, (number, _) in CONSTANTS.items()}


#: What the ufuncs with a derivative call their arguments, in order, after the primitive of their (first) result.
ARGUMENTS: dict[Any, tuple[Primitive, tuple[str, ...]]] = {}


def constant(function: str, argument: str, value: Any) -> Any:
    """The plain value of an argument in which there is no derivative.

    Raises
    ------
    NotImplementedError
        If it requires a gradient.
    """
    if getattr(value, "requires_grad", False) is True:
        kind = "degree" if function.startswith("eval_") and argument == "n" else _KINDS.get(argument, "parameter")
        raise NotImplementedError(f"scipy.special.{function}: no derivative with respect to the {kind} {argument} is "
                                  f"known in closed form; use {argument}.detach() there to treat it as a constant")
    return value_of(value)


_KINDS = {"v": "order", "n": "order", "m": "order", "nu": "order", "k": "number", "tol": "tolerance"}


def helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let formulas use a function, under its own name without leading underscores."""
    NAMES[function.__name__.lstrip("_")] = function
    return function


def declare(name: str, arguments: str, /, *, sympy: str | None = None, domain: Sequence[Interval] | Interval = REAL,
            kinks: str | None = None, at: Mapping[str, Any] | None = None, real: bool = False,
            ufunc: Any = None, kernel: Callable[..., Any] | None = None, title: str | None = None,
            **partials: str) -> Primitive:
    """Make a ufunc of ``scipy.special`` a primitive with a derivative in each argument that has a formula.

    Parameters
    ----------
    name : str
        The function's name.
    arguments : str
        What it calls its arguments, in order.
    sympy : str, optional
        The same function for SymPy: the arguments with a formula are x, y, z in order, the others have their own names.
    domain : (float, float) or sequence of such
        The open interval of each argument with a formula.
    kinks : str, optional
        An expression in x, y, z that vanishes where there is a kink or a pole.
    at : mapping, optional
        Values of the other arguments for the catalogue's tests.
    real : bool
        Whether the formulas hold for real arguments only, though the function takes complex ones too.
    ufunc : ufunc, optional
        If SciPy has it under another name.
    kernel : callable, optional
        If it is no ufunc but one of several results of one.
    title : str, optional
        What messages call the function, if not by `name`.
    **partials : str
        A formula for the derivative in an argument.

    Returns
    -------
    Primitive
    """
    order = arguments.split()
    inputs = [one for one in order if one in partials]
    static = [one for one in order if one not in partials]
    assert partials.keys() <= set(order), name
    if ufunc is None and kernel is None:
        ufunc = getattr(special, name)
    compute = ufunc if kernel is None else kernel

    def run(*values: Any, **attrs: Any) -> Any:
        given = dict(zip(inputs, values, strict=True), **attrs)
        return compute(*[given[one] for one in order])

    # The registry reads the names and the number of the inputs off the signature.
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # inspect.signature looks for it
        [inspect.Parameter(one, inspect.Parameter.POSITIONAL_OR_KEYWORD) for one in inputs]
        + [inspect.Parameter(one, inspect.Parameter.KEYWORD_ONLY, default=None) for one in static])
    intervals = (domain,) * len(inputs) if domain and not isinstance(domain[0], tuple) else tuple(domain)
    new = add_primitive(Primitive(f"special_{name}", run, elementwise=True, sympy=sympy, kinks=kinks,
                                  domain=intervals,  # type: ignore[arg-type]  # pairs, by the line above
                                  cases=_cases(len(inputs), at or {})))
    _register(new, order, partials, real)

    def call(*values: Any) -> Any:
        values += compute_defaults[len(values):]
        given = dict(zip(order, values, strict=True))
        return new(*[given[one] for one in inputs], **{one: constant(title or name, one, given[one]) for one in static})

    compute_defaults = (None,) * len(order)
    NAMES[name] = call if static else new
    if kernel is None:
        ARGUMENTS[ufunc] = new, tuple(order)
        _stand_for(ufunc, new, call, bool(static))
    return new


def _stand_for(ufunc: Any, new: Primitive, call: Callable[..., Any], composed: bool) -> None:
    if not isinstance(ufunc, np.ufunc):
        FUNCTIONS[ufunc] = call
    elif composed:
        COMPOSED[ufunc] = call
    else:
        UFUNCS[ufunc] = new


def _cases(arity: int, attrs: Mapping[str, Any]) -> tuple[Any, ...]:
    shapes: list[tuple[Any, ...]] = [((),) * arity, ((2, 1),) * (arity - 1) + ((3,),)]
    return tuple(case(*one, **attrs) for one in shapes)


def _register(new: Primitive, order: Sequence[str], partials: Mapping[str, str], real: bool) -> None:
    """The rule that evaluates the formulas, documented by them."""
    inputs = [one for one in order if one in partials]
    compiled = [compile(partials[one], f"<d {new.name} / d {one}>", "eval") for one in inputs]
    reads = "all" if any("f" in code.co_names for code in compiled) else "inputs"

    def rule(op: Any) -> Any:
        if real and any(getattr(x, "dtype", None) is not None and x.dtype.kind == "c" for x in op.inputs):
            raise NotImplementedError(f"{new.name}: the derivative is known for real arguments only")
        given = dict(zip(inputs, op.inputs, strict=True), **op.attrs)
        if reads == "all":
            given["f"] = op.output
        return tuple([lambda code=code: _evaluate(code, given) for code in compiled])

    title = f"{new.name.removeprefix('special_')}({', '.join(order)})"
    rule.__doc__ = "; ".join(f"d {title} / d{one} = {formula}" for one, formula in
                             ((one, partials[one]) for one in inputs))
    RegisterGradient(new.name, reads=reads)(rule)


def _evaluate(code: Any, given: Mapping[str, Any]) -> Any:
    duck = next((value for value in given.values() if hasattr(value, "algebra")), None)
    exact = {} if duck is None else {name: _exact(duck, name) for name in CONSTANTS if name in code.co_names}
    # At poles and outside of the domain formulas are infinite or NaN on purpose.
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        return eval(code, {"__builtins__": {}, **NAMES}, {**exact, **given})  # our own text, compiled above


def _exact(duck: Any, name: str) -> Any:
    """A constant to as many digits as an array of expressions or of mpmath numbers takes"""
    import sympy

    number, formula = CONSTANTS[name]
    return type(duck)(duck.algebra, duck.algebra.number(sympy.sympify(formula)), type(number))


def declare_results(name: str, arguments: str, results: str, /, *, argument: str | Sequence[str],
                    formulas: Sequence[str] | Sequence[Sequence[str]], sympy: Sequence[str | None] = (),
                    **options: Any) -> None:
    """The same for a ufunc with several results: one primitive ``name_result`` for each.

    Parameters
    ----------
    name, arguments
        As for :func:`declare`.
    results : str
        What it calls its results.
    argument : str or sequence of str
        The argument, or arguments, to differentiate in.
    formulas : sequence
        For each result the formula, or one for each such argument.
    sympy : sequence of str, optional
        For each result.
    **options
        As for :func:`declare`.
    """
    ufunc = getattr(special, name)
    chosen = [argument] if isinstance(argument, str) else list(argument)
    calls, primitives = [], []
    for place, result in enumerate(results.split()):
        texts = formulas[place]
        partials: dict[str, Any] = dict(zip(chosen, [texts] if isinstance(texts, str) else texts, strict=True))
        primitives.append(declare(
            f"{name}_{result}", arguments, kernel=lambda *values, place=place: ufunc(*values)[place],
            sympy=sympy[place] if sympy else None, title=name, **options, **partials))
        calls.append(NAMES[f"{name}_{result}"])
    ARGUMENTS[ufunc] = primitives[0], tuple(arguments.split())
    COMPOSED[ufunc] = lambda *values: tuple([call(*values) for call in calls])


def piecewise_constant(name: str) -> None:
    """Declare that a ufunc's results are constants to every sweep."""
    ufunc = getattr(special, name)
    new = add_primitive(Primitive(f"special_{name}", ufunc, elementwise=True, domain=(REAL,) * ufunc.nin))
    NotDifferentiable(new.name)
    UFUNCS[ufunc] = new
