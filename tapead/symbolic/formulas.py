"""A recorded function as SymPy expressions, its gradient by SymPy's own differentiation, and both as LaTeX."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy

from ..containers import flatten
from ..decisions import noting
from ..graph import cone
from ..tape import Entry, Leaf
from ..tensor import Tensor
from . import matrices, scipy_functions  # noqa: F401 -- fill in what NumPy functions mean
from .algebras import Exact, Precise, Unavailable, compile_in_mpmath
from .arrays import DuckArray
from .conditions import conditions_of, tracked_entries
from .constants import recognise
from .replay import is_differentiable, record, replay, replay_recording
from .timebox import within

__all__ = ["SymbolicGradient", "differentiate", "gradient", "latex", "symbolic_gradient", "to_sympy"]

_STEPS = (sympy.floor, sympy.ceiling, sympy.sign, sympy.Heaviside)
_SHARE = 0.2  # of the time allowed: until then formulas may be simplified
_SIMPLE = 150  # operations: beyond, simplifying a formula takes long and shows little


@dataclass
class SymbolicGradient:
    """What SymPy made of a gradient: formulas and their values, or the reason why there are none.

    It is truthy when there are. Where an argument is a container its arrays count as arguments, from left to right.

    Attributes
    ----------
    available : bool
        Whether there are formulas and values.
    reason : str
        Why there are none: "gave up after 5 s", or what has no symbolic meaning; "" when available.
    names : list of list of str
        Per argument, the symbols of its elements in C order.
    formulas : list of list of sympy.Expr
        Per argument, the partial derivative in each of its elements. An argument that is not floating-point has none.
    values : list of ndarray
        Per argument, the gradient at the point, of its shape: float64, rounded once, from 50 digits.
    precise : list of ndarray
        The same as object arrays of mpmath numbers of 50 digits.
    """

    available: bool
    reason: str = ""
    names: list[list[str]] = field(default_factory=list)
    formulas: list[list[Any]] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)
    precise: list[np.ndarray] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.available


class Program:
    """A function recorded at a point, with a symbol for every element of its arguments.

    Attributes
    ----------
    leaves : list of ndarray of object
        The symbols used in the algebra, known to be real where the argument is; one array per differentiable array.
    public : dict
        What each of them is called in results.
    point : dict
        The numbers that they stand for.
    """

    def __init__(self, purpose: str, f: Callable[..., Any] | Tensor, args: Sequence[Any], names: Sequence[str] | None,
                 *, hold: bool = False) -> None:
        if isinstance(f, Tensor):
            f, args = _as_function(f, args, purpose)
        titles = _titles(f, len(args)) if names is None else list(names)
        if len(titles) != len(args):
            raise TypeError(f"{purpose}: {len(titles)} names for {len(args)} arguments")
        self.public: dict[Any, Any] = {}
        samples, given = [], []
        for arg in args:
            sample, symbols = _sampled(arg)
            samples.append(sample)
            given.append(symbols)
        with noting() as self.decisions:
            self.recording, self.positions = record(purpose, f, samples)
        labels = [label for position in self.positions for label in _labels(titles[position], samples[position])]
        supplied = [given[position] for position in self.positions for _ in flatten(samples[position])[0]]
        self.leaves = [self._symbols(label, stand_in, symbols) for label, stand_in, symbols
                       in zip(labels, self.recording.inputs, supplied, strict=True)]
        self.point = {symbol: value
                      for leaf, stand_in in zip(self.leaves, self.recording.inputs, strict=True)
                      for symbol, value in zip(leaf.flat, np.ravel(stand_in.data), strict=True)}
        nearby = {symbol: recognise(float(value)) for symbol, value in self.point.items() if symbol.is_real}
        self.algebra = Exact(nearby, formulas=True, hold=hold)

    def _symbols(self, label: str, stand_in: Any, given: Any) -> np.ndarray:
        symbols = np.empty(stand_in.shape, object)
        for place in np.ndindex(stand_in.shape):
            name = "_".join([label, *map(str, place)])
            public = sympy.Symbol(name) if given is None else given[place]
            internal = public if public.is_real else sympy.Dummy(name, real=stand_in.dtype.kind != "c" or None)
            self.public[internal] = public
            symbols[place] = internal
        return symbols

    def inputs(self) -> list[DuckArray]:
        """The symbols, as what takes the place of the arguments."""
        return [DuckArray(self.algebra, leaf, stand_in.dtype if stand_in.dtype.kind == "c" else float)
                for leaf, stand_in in zip(self.leaves, self.recording.inputs, strict=True)]

    def expressions(self) -> list[DuckArray]:
        """The outputs, flattened."""
        return replay_recording(self.recording, self.algebra, self.inputs())

    def condition(self) -> Any:
        """Where the expressions, which have been asked for before, are the function."""
        known = {stand_in._entry: value for stand_in, value in zip(self.recording.inputs, self.inputs(), strict=True)}
        order = cone(tracked_entries(self.decisions), self.recording.stops)
        values = replay(order, known) | known  # type: ignore[arg-type]  # a stand-in is tracked
        relations = conditions_of(self.decisions, values, self.algebra)  # type: ignore[arg-type]  # the same
        return sympy.And(*relations, *self.algebra.decided)

    def scalar(self, purpose: str) -> Any:
        """The only output's only element."""
        if len(self.recording.outputs) != 1 or np.size(self.recording.outputs[0]) != 1:
            raise TypeError(f"{purpose}: the function must return one number")
        return self.expressions()[0].elements.item()

    def shown(self, expression: Any) -> Any:
        """An expression in the names that the user knows, with the constants that held floats stand for."""
        held = {symbol: recognise(value) for symbol, value in self.algebra.held.items()}
        return expression.xreplace(held).xreplace(self.public)


def _as_function(tensor: Tensor, args: Sequence[Any], purpose: str) -> tuple[Callable[..., Any], list[Any]]:
    """What the tape of a tensor computes, as a function of the leaves, and their values."""
    if args or tensor._entry is None:
        raise TypeError(f"{purpose}: " + ("a tensor is a formula of its own leaves and takes no arguments" if args else
                                          "the tensor has no history: no operation on one that requires a gradient "
                                          "made it"))
    order = cone([tensor._entry], set())
    if any(entry.inputs is None for entry in order):
        raise RuntimeError(f"{purpose}: the tape of the tensor has been freed by a sweep; use retain_graph=True")
    leaves = [entry for entry in order if isinstance(entry, Leaf)]

    def computed(*values: Any) -> Any:
        known: dict[Entry, Any] = dict(zip(leaves, values, strict=True))
        for entry in order:
            if entry not in known:
                operands = [value if parent is None else known[parent]
                            for value, parent in zip(entry.inputs, entry.parents, strict=True)]
                known[entry] = entry.primitive(*operands, **entry.attrs)
        return known[order[-1]]

    names = ["x"] if len(leaves) == 1 else [f"x{place}" for place in range(len(leaves))]
    computed.__signature__ = inspect.Signature([  # type: ignore[attr-defined]  # functions take attributes
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in names])
    return computed, [leaf.output for leaf in leaves]


def _titles(f: Callable[..., Any], count: int) -> list[str]:
    """The names of the parameters that `count` positional arguments are bound to."""
    fallback = ["x", "y", "z"][:count] if count <= 3 else [f"x{k}" for k in range(count)]
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        return fallback
    names: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}{k}" for k in range(count - len(names))]
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
    return names[:count] if len(names) >= count else fallback


def _labels(title: str, container: Any) -> list[str]:
    """A name for each leaf of an argument: that of the argument and the way to the leaf."""
    if isinstance(container, dict):
        return [label for key, value in container.items() for label in _labels(f"{title}_{key}", value)]
    if isinstance(container, (list, tuple)):
        return [label for key, value in enumerate(container) for label in _labels(f"{title}_{key}", value)]
    return [title]


def _sampled(arg: Any) -> tuple[Any, Any]:
    """Numbers to record with for an argument made of symbols or names, and the symbols; else the argument and None."""
    if isinstance(arg, str):
        arg = sympy.Symbol(arg)
    if isinstance(arg, (sympy.MatrixBase, sympy.NDimArray)):
        arg = np.array(arg.tolist(), object)
    if isinstance(arg, sympy.Symbol) or (isinstance(arg, np.ndarray) and arg.dtype == object):
        symbols = np.array(arg, object)
        if not all(isinstance(symbol, sympy.Symbol) for symbol in symbols.flat):
            raise TypeError("an argument is to be made of numbers, or of symbols alone")
        steps = np.arange(1, symbols.size + 1) * 0.6180339887498949
        return np.round(0.25 + 0.5 * (steps % 1), 4).reshape(symbols.shape)[()], symbols
    return arg, None


def _shaped(output: DuckArray, shown: Callable[[Any], Any]) -> Any:
    if output.ndim == 0:
        return shown(output.elements.item())
    return sympy.Array([shown(element) for element in output.elements.flat], output.shape)


def to_sympy(f: Callable[..., Any] | Tensor, *args: Any, names: Sequence[str] | None = None,
             conditions: bool = False) -> Any:
    """`f` as SymPy expressions in its arguments.

    Parameters
    ----------
    f : callable, or a tensor
        Plain NumPy; or a tensor for what its tape computes from its leaves, which are then its arguments, in the order
        of their recording. A function is recorded at `args`, which give shapes and decide the branches that Python or
        ``np.where`` choose between; ``abs``, ``maximum`` and their kin stay formulas.
    *args
        Numbers and arrays; or symbols, names, or arrays of symbols, for which positive numbers are made up.
    names : sequence of str, optional
        What to call the arguments; the parameters of `f` by default.
    conditions : bool
        Whether to tell where the expressions hold, too: the comparisons in ``if``, ``np.where`` and the like, the order
        of what was sorted and the whole numbers that were rounded to came out as they did at `args`.

    Returns
    -------
    sympy.Expr, sympy.Array, or the structure of these that `f` returns
        An expression for a number, a ``sympy.Array`` for an array. The elements of an array ``x`` are ``x_0, x_1, ...``
        or ``x_0_1``; floats are the constants they stand for (0.5 is 1/2, 1.1 is 11/10). With `conditions` a tuple of
        this and a SymPy Boolean.

    Raises
    ------
    Unavailable
        If a recorded primitive has no symbolic meaning; the message names it and its line.

    Examples
    --------
    >>> import numpy as np
    >>> from tapead.symbolic import to_sympy
    >>> to_sympy(lambda x, y: x**2 * np.sin(0.5 * y), 1.5, 0.3)
    x**2*sin(y/2)
    >>> to_sympy(np.cumsum, np.array([1.0, 2.0]), names=["v"])
    [v_0, v_0 + v_1]
    >>> to_sympy(lambda x: x**2 if x > 0 else -x, -1.5, conditions=True)
    (-x, x <= 0)
    """
    program = Program("to_sympy", f, args, names)
    results = program.recording.rebuild_outputs([_shaped(output, program.shown) for output in program.expressions()])
    return (results, program.shown(program.condition())) if conditions else results


def gradient(f: Callable[..., Any] | Tensor, *args: Any, names: Sequence[str] | None = None,
             seconds: float = 5.0) -> Any:
    """The gradient of a scalar-valued `f` as formulas, by SymPy's own differentiation.

    For its value at the point to 50 digits see :func:`symbolic_gradient`.

    Parameters
    ----------
    f, *args, names
        As for :func:`to_sympy`.
    seconds : float
        How long SymPy may try to simplify.

    Returns
    -------
    sympy.Expr, sympy.Array, or a tuple of these
        One per argument to differentiate in, of its shape; a bare one for a single argument.

    Raises
    ------
    Unavailable
        If a recorded primitive has no symbolic meaning.

    Examples
    --------
    >>> import numpy as np
    >>> from tapead.symbolic import gradient
    >>> gradient(lambda x, y: x**2 * np.sin(y), 1.5, 0.3)
    (2*x*sin(y), x**2*cos(y))
    """
    program = Program("gradient", f, args, names)
    expression = program.scalar("gradient")
    deadline = time.monotonic() + seconds
    results = []
    for leaf in program.leaves:
        partials = [program.shown(_tidy(differentiate(expression, symbol), deadline)) for symbol in leaf.flat]
        results.append(partials[0] if leaf.ndim == 0 else sympy.Array(partials, leaf.shape))
    return results[0] if len(results) == 1 else tuple(results)


def latex(f: Callable[..., Any] | Tensor, *args: Any, names: Sequence[str] | None = None) -> str:
    r"""`f` as a formula in LaTeX; the arguments are those of :func:`to_sympy`.

    Examples
    --------
    >>> import numpy as np
    >>> from tapead.symbolic import latex
    >>> print(latex(lambda x: np.sqrt(x) / 2, 4.0))
    \frac{\sqrt{x}}{2}
    """
    return sympy.latex(to_sympy(f, *args, names=names))  # type: ignore[no-any-return]  # SymPy has no types


def differentiate(expression: Any, symbol: Any) -> Any:
    """SymPy's derivative away from jumps: steps are constants, and what they jump by is left out."""
    steps = {step: sympy.Dummy("n", integer=True) for step in expression.atoms(*_STEPS)}
    derivative = sympy.diff(expression.xreplace(steps), symbol)
    return derivative.xreplace({constant: step for step, constant in steps.items()})


def _tidy(expression: Any, deadline: float) -> Any:
    """The expression, simplified where that is quick and makes it shorter."""
    left = deadline - time.monotonic()
    size = expression.count_ops()
    if left <= 0 or size > _SIMPLE:
        return expression
    try:
        simple = within(min(left, 1.0), lambda: sympy.simplify(expression))
    except Exception:  # simplification is a courtesy: whatever stops it, the formula stands
        return expression
    return simple if simple.count_ops() < size else expression


def symbolic_gradient(f: Callable[..., Any], args: Sequence[Any], names: Sequence[str] | None = None,
                      seconds: float = 5.0) -> SymbolicGradient:
    """The gradient of a real scalar-valued `f` at `args` by SymPy: formulas, and values to 50 digits.

    `f` is recorded at `args` (which decides its branches), turned into an expression, differentiated by SymPy and
    evaluated in mpmath. No derivative rule takes part.

    Parameters
    ----------
    f : callable
        Called once, with tensors in place of its floating-point arguments; what it raises is raised.
    args : sequence
        The point: numbers, arrays, containers of these. What is not floating-point is a constant.
    names : sequence of str, optional
        What to call the arguments; the parameters of `f` by default.
    seconds : float
        When to give up.

    Returns
    -------
    SymbolicGradient
        With the reason where it is not available.

    Examples
    --------
    >>> import numpy as np
    >>> from tapead.symbolic import symbolic_gradient
    >>> found = symbolic_gradient(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),))
    >>> found.formulas, found.values
    ([[3*x_0**2, 3*x_1**2]], [array([ 3., 12.])])
    >>> symbolic_gradient(lambda x: np.sum(x**3), (np.ones(50),), seconds=0.0).reason
    'gave up after 0 s'
    """
    program = Program("symbolic_gradient", f, args, names, hold=True)
    deadline = time.monotonic() + _SHARE * seconds
    try:
        return within(seconds, lambda: _gradient_of(program, args, deadline))
    except Exception as error:  # the contract: a reason, whatever SymPy ran into
        return SymbolicGradient(False, str(error) or type(error).__name__)


def _gradient_of(program: Program, args: Sequence[Any], deadline: float) -> SymbolicGradient:
    if any(stand_in.dtype.kind == "c" for stand_in in program.recording.inputs):
        raise Unavailable("complex arguments")
    expression = program.scalar("symbolic_gradient")
    partials = [[differentiate(expression, symbol) for symbol in leaf.flat] for leaf in program.leaves]
    numbers = iter(_evaluated([partial for row in partials for partial in row], program))
    result = SymbolicGradient(True)
    leaf = iter(zip(program.leaves, partials, strict=True))
    for arg in args:
        tracked = is_differentiable(_sampled(arg)[0])
        for _ in flatten(arg)[0]:
            symbols, row = next(leaf) if tracked else (np.empty(0, object), [])
            result.names.append([str(program.public[symbol]) for symbol in symbols.flat])
            result.formulas.append([program.shown(_tidy(partial, deadline)) for partial in row])
            precise = np.empty(symbols.shape, object)
            for place in np.ndindex(symbols.shape):
                precise[place] = next(numbers)
            result.precise.append(precise)
            result.values.append(precise.astype(float))
    return result


def _evaluated(expressions: list[Any], program: Program) -> list[Any]:
    """The values at the point to 50 digits: more are carried until two precisions agree."""
    symbols = [*program.point, *program.algebra.held]
    point = [*program.point.values(), *program.algebra.held.values()]
    previous: list[Any] | None = None
    for digits in (60, 100, 200, 400, 800):
        context = Precise(digits).context
        compiled = compile_in_mpmath(context, symbols, expressions)
        try:
            values = [context.convert(value) for value in compiled(*(context.mpf(float(x)) for x in point))]
        except ZeroDivisionError:
            raise Unavailable("the formula is undefined at the point") from None
        if any(isinstance(value, context.mpc) and abs(value.imag) > abs(value.real) * 1e-40 for value in values):
            raise Unavailable("the formula is not real at the point")
        values = [context.re(value) for value in values]
        if previous is not None and all(map(_agree, previous, values)):
            return values
        previous = values
    raise Unavailable("the formula cancels beyond 800 digits")


def _agree(first: Any, second: Any) -> bool:
    if not second.context.isfinite(second):
        return bool(first == second) or bool(second.context.isnan(second))
    # What is below 1e-340 in both is zero to any float.
    small = second.context.mpf("1e-340")
    return bool(abs(first - second) <= max(abs(second) * second.context.mpf("1e-50"), small))
