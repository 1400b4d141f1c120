"""SymPy expressions as functions of arrays and tensors, compiled through NumPy's and SciPy's own functions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import sympy
from sympy.printing.codeprinter import PrintMethodNotImplementedError
from sympy.printing.numpy import SciPyPrinter

from ..protocols import array
from ..tensor import Tensor
from .algebras import Unavailable

__all__ = ["from_sympy"]


def from_sympy(expression: Any, symbols: Any = None) -> Callable[..., Any]:
    """A function of arrays, numbers and tensors that computes a SymPy expression.

    It is made of NumPy's functions (SciPy's where NumPy has none), so it can be differentiated to any order. What
    several parts of the expression have in common is computed once.

    Parameters
    ----------
    expression : sympy.Expr, sympy.Matrix, sympy.Array, or nested lists, tuples and dicts of these
        ``Piecewise``, ``Max``, ``Min``, ``Abs``, ``sign`` and special functions may occur. Matrices become arrays.
    symbols : Symbol, or sequence of Symbol, optional
        The arguments, in order; those of the expression in alphabetical order by default. A list, matrix or array of
        symbols in it stands for one argument that is an array of that shape, as in ``[[x_0, x_1], y]``.

    Returns
    -------
    callable
        Arrays in the place of numbers are computed element by element; the axes of a matrix then come first. Its
        attributes ``expression``, ``symbols`` and ``source`` (the code) tell what it is.

    Raises
    ------
    Unavailable
        If a function in the expression is neither NumPy's nor SciPy's; the message names it.
    ImportError
        If a function is SciPy's and SciPy is not installed: ``pip install "tapead[scipy]"``.
    ValueError
        If the expression has symbols that are not among the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import sympy
    >>> import tapead as ta
    >>> x, y = sympy.symbols("x y")
    >>> f = ta.symbolic.from_sympy(sympy.sin(x * y) + sympy.exp(sympy.sin(x * y)), (x, y))
    >>> print(f.source)
    def f(x, y):
        x0 = sin(x*y)
        return [x0 + exp(x0)]
    >>> ta.grad(f, (0, 1))(1.0, 0.0)
    (np.float64(0.0), np.float64(2.0))
    """
    elements, rebuild = _taken_apart(expression)
    elements = [_evaluated(element) for element in elements]
    arguments = _arguments(symbols, elements)
    places = {symbol for argument in arguments for symbol in np.ravel(np.array(argument, object))}
    unknown = sorted({str(s) for element in elements for s in element.free_symbols - places})
    if unknown:
        raise ValueError(f"from_sympy: {', '.join(unknown)} in the expression, but not among the symbols "
                         f"{[str(argument) for argument in arguments]}")
    compute, source = _compiled(elements, arguments)
    quiet = any(element.has(sympy.Piecewise) for element in elements)

    def function(*values: Any) -> Any:
        if len(values) != len(arguments):
            raise TypeError(f"{function.__name__}: expected {len(arguments)} arguments, got {len(values)}")
        points = [_value(value, argument) for value, argument in zip(values, arguments, strict=True)]
        # Branches that are not taken are computed as well.
        with np.errstate(all="ignore") if quiet else np.errstate():
            results = compute(*points)
        shape = np.broadcast_shapes(*(np.shape(point) for point, argument in zip(points, arguments, strict=True)
                                      if isinstance(argument, sympy.Symbol)))
        return rebuild([_of_shape(result, shape) for result in results])

    function.__name__ = function.__qualname__ = "f"
    function.__doc__ = str(expression)
    names = [str(argument) if isinstance(argument, sympy.Symbol) else f"x{place}"
             for place, argument in enumerate(arguments)]
    if all(map(str.isidentifier, names)) and len(set(names)) == len(names):
        function.__signature__ = inspect.Signature([  # type: ignore[attr-defined]  # functions take attributes
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in names])
    function.expression, function.symbols, function.source = expression, arguments, source  # type: ignore[attr-defined]
    return function


# ---------------------------------------------------------------------- arguments and results


def _arguments(symbols: Any, elements: Sequence[Any]) -> list[Any]:
    """One symbol, or nested list of symbols, for each argument."""
    if symbols is None:
        found = set().union(*(element.free_symbols for element in elements))
        return sorted(found, key=lambda symbol: (len(str(symbol)), str(symbol)) if str(symbol)[-1:].isdigit() else
                      (0, str(symbol)))
    if isinstance(symbols, sympy.Symbol):
        return [symbols]
    arguments = []
    for argument in symbols:
        if not isinstance(argument, sympy.Symbol):
            argument = _nested(argument)
            if not all(isinstance(symbol, sympy.Symbol) for symbol in np.ravel(np.array(argument, object))):
                raise TypeError(f"from_sympy: expected a symbol, or a list, matrix or array of symbols, not {argument}")
        arguments.append(argument)
    return arguments


def _nested(argument: Any) -> Any:
    if isinstance(argument, (sympy.MatrixBase, sympy.NDimArray, np.ndarray)):
        return argument.tolist()
    if isinstance(argument, (list, tuple)):
        return [_nested(part) for part in argument]
    return argument


def _value(value: Any, argument: Any) -> Any:
    """What is computed with for an argument; one that stands for several symbols must have their shape."""
    if isinstance(argument, sympy.Symbol):
        return value if isinstance(value, (Tensor, np.ndarray, np.generic)) else np.asarray(value)[()]
    value = value if isinstance(value, Tensor) else array(value).data if not _tracked(value) else array(value)
    expected = np.shape(np.array(argument, object))
    if value.shape != expected:
        raise ValueError(f"from_sympy: expected an array of shape {expected} for {argument}, got {value.shape}")
    return value


def _tracked(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and any(isinstance(part, Tensor) or _tracked(part) for part in value)


def _taken_apart(expression: Any) -> tuple[list[Any], Callable[[Sequence[Any]], Any]]:
    """The scalar expressions in a structure, and what puts their values together again."""
    if isinstance(expression, (list, tuple, dict, sympy.Tuple)):
        keys = list(expression) if isinstance(expression, dict) else range(len(expression))
        parts = [_taken_apart(expression[key]) for key in keys]
        ends = np.cumsum([0, *(len(elements) for elements, _ in parts)])

        def structure(values: Sequence[Any]) -> Any:
            built = [rebuild(values[start:end]) for (_, rebuild), start, end in zip(parts, ends[:-1], ends[1:],
                                                                                            strict=True)]
            if isinstance(expression, dict):
                return dict(zip(keys, built, strict=True))
            return built if isinstance(expression, list) else tuple(built)

        return [element for elements, _ in parts for element in elements], structure
    if isinstance(expression, sympy.MatrixExpr) and not isinstance(expression, sympy.MatrixBase):
        expression = expression.as_explicit()
    if isinstance(expression, (sympy.MatrixBase, sympy.NDimArray)):
        shape = expression.shape
        return list(expression.reshape(int(np.prod(shape)), 1) if isinstance(expression, sympy.MatrixBase)
                    else sympy.flatten(expression)), functools.partial(_stacked, shape=tuple(map(int, shape)))
    return [sympy.sympify(expression)], lambda values: values[0]


def _stacked(values: Sequence[Any], shape: tuple[int, ...]) -> Any:
    """Elements as an array; where they are arrays themselves its axes come first."""
    if not values:
        return np.zeros(shape)
    return np.reshape(np.stack(np.broadcast_arrays(*values)), shape + np.shape(values[0]))


def _of_shape(result: Any, shape: tuple[int, ...]) -> Any:
    """A result as floating-point numbers, constants too as many as there are points."""
    if not isinstance(result, Tensor):
        result = np.asarray(result)
        result = (result if result.dtype.kind in "fcb" else result.astype(float))[()]
    return result if np.shape(result) == shape else np.broadcast_to(result, shape)


# ---------------------------------------------------------------------- code


def _evaluated(element: Any) -> Any:
    """Derivatives, integrals and sums that were only written down are carried out."""
    return element.doit() if element.has(sympy.Derivative, sympy.Integral, sympy.Sum, sympy.Product) else element


def _compiled(elements: list[Any], arguments: list[Any]) -> tuple[Callable[..., Any], str]:
    printer = _Printer({"fully_qualified_modules": False, "inline": True, "allow_unknown_functions": False,
                        "strict": True})
    try:
        compute = sympy.lambdify(arguments, elements, modules=[{}], printer=printer, cse=True)
    except PrintMethodNotImplementedError as error:
        names = {type(part).__name__ if not isinstance(part, sympy.core.function.AppliedUndef) else str(part.func)
                 for element in elements for part in element.atoms(sympy.Function, sympy.Integral, sympy.Derivative)}
        name = next((name for name in sorted(names) if name in str(error)), str(error).splitlines()[0])
        raise Unavailable(f"from_sympy: neither NumPy nor SciPy has the function {name}") from None
    except NameError:  # SymPy goes on without the package from which it could not import
        raise ImportError("from_sympy: the expression has functions of SciPy, which is not installed: "
                          'pip install "tapead[scipy]"') from None
    # SciPy's ufuncs take tensors; its other functions have counterparts here.
    for name in printer.module_imports.get("scipy.special", ()):
        theirs = compute.__globals__[name]
        ours = getattr(import_module("tapead.scipy.special"), name, None)
        if callable(ours) and not isinstance(theirs, np.ufunc):
            compute.__globals__[name] = ours
    source = inspect.getsource(compute).replace("_lambdifygenerated", "f").rstrip()
    return compute, source


class _Printer(SciPyPrinter):  # type: ignore[misc]  # SymPy has no types
    """SymPy's printer, where it has forms that tensors do not know or that overflow, with others."""

    def _numpy(self, name: str) -> str:
        return str(self._module_format(f"numpy.{name}"))

    def _special(self, name: str) -> str:
        return str(self._module_format(f"scipy.special.{name}"))

    def _pairwise(self, name: str, parts: Sequence[Any]) -> str:
        texts = [self._print(part) for part in parts]
        text: str = functools.reduce(lambda first, second: f"{self._numpy(name)}({first}, {second})", texts)
        return text

    def _print_Max(self, expr: Any) -> str:  # noqa: N802 -- SymPy's names, here and below
        return self._pairwise("maximum", expr.args)

    def _print_Min(self, expr: Any) -> str:  # noqa: N802
        return self._pairwise("minimum", expr.args)

    def _print_And(self, expr: Any) -> str:  # noqa: N802
        return self._pairwise("logical_and", expr.args)

    def _print_Or(self, expr: Any) -> str:  # noqa: N802
        return self._pairwise("logical_or", expr.args)

    def _print_Not(self, expr: Any) -> str:  # noqa: N802
        return f"{self._numpy('logical_not')}({self._print(expr.args[0])})"

    def _print_Piecewise(self, expr: Any) -> str:  # noqa: N802
        text: str = self._print(sympy.nan)
        for value, condition in reversed(expr.args):
            chosen = self._print(value)
            text = chosen if condition == sympy.true else (
                f"{self._numpy('where')}({self._print(condition)}, {chosen}, {text})")
        return text

    def _print_ITE(self, expr: Any) -> str:  # noqa: N802
        return f"{self._numpy('where')}({', '.join(map(self._print, expr.args))})"

    def _print_Heaviside(self, expr: Any) -> str:  # noqa: N802
        return f"{self._numpy('heaviside')}({', '.join(map(self._print, expr.args))})"

    def _print_coth(self, expr: Any) -> str:
        return f"(1/{self._numpy('tanh')}({self._print(expr.args[0])}))"

    def _print_sech(self, expr: Any) -> str:
        return f"(1/{self._numpy('cosh')}({self._print(expr.args[0])}))"

    def _print_csch(self, expr: Any) -> str:
        return f"(1/{self._numpy('sinh')}({self._print(expr.args[0])}))"

    def _print_cot(self, expr: Any) -> str:
        return f"(1/{self._numpy('tan')}({self._print(expr.args[0])}))"

    def _print_polygamma(self, expr: Any) -> str:
        order, x = expr.args
        if order == 0:
            return f"{self._special('psi')}({self._print(x)})"
        return f"{self._special('polygamma')}({self._print(order)}, {self._print(x)})"

    def _print_factorial(self, expr: Any) -> str:
        return f"{self._special('gamma')}({self._print(expr.args[0])} + 1)"

    def _print_zeta(self, expr: Any) -> str:
        return f"{self._special('zeta')}({self._print(expr.args[0])}, {self._print((*expr.args, sympy.S.One)[1])})"

    def _print_LambertW(self, expr: Any) -> str:  # noqa: N802
        # SciPy's is complex whatever it is given.
        return f"{self._numpy('real')}({self._special('lambertw')}({', '.join(map(self._print, expr.args))}))"

    def _print_elliptic_e(self, expr: Any) -> str:
        name = "ellipe" if len(expr.args) == 1 else "ellipeinc"
        return f"{self._special(name)}({', '.join(map(self._print, expr.args))})"


#: What SymPy's printer does not know of SciPy, by SymPy's name.
_SPECIAL = {"elliptic_k": "ellipk", "elliptic_f": "ellipkinc", "expint": "expn", "erfi": "erfi", "erfinv": "erfinv",
            "erfcinv": "erfcinv"}


def _method(name: str) -> Callable[[_Printer, Any], str]:
    def called(printer: _Printer, expr: Any) -> str:
        return f"{printer._special(name)}({', '.join(map(printer._print, expr.args))})"

    return called


for _name, _known in _SPECIAL.items():
    setattr(_Printer, f"_print_{_name}", _method(_known))
