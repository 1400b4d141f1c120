"""A recorded function as SymPy expressions, its gradient by SymPy's own differentiation, and both as LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class SymbolicGradient:
    """What SymPy made of a gradient: formulas and their values, or the reason why there are none.

    Attributes
    ----------
    available : bool
        Whether there are formulas and values; the object is truthy when it is.
    reason : str
        Why there are none ("gave up after 5 s", or the function that has no symbolic meaning); "" when available.
    names : list of list of str
        Per argument, the symbols that its elements (flattened in C order) were given.
    formulas : list of list of sympy.Expr
        Per argument, the partial derivative in each of its elements.
    values : list of ndarray
        Per argument, the gradient at the point, of the argument's shape: float64, correctly rounded from 50 digits.
    precise : list of ndarray
        The same as object arrays of mpmath numbers, good to 50 digits.
    """

    available: bool
    reason: str = ""
    names: list[list[str]] = field(default_factory=list)
    formulas: list[list[Any]] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)
    precise: list[np.ndarray] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.available


def to_sympy(f: Callable[..., Any], *args: Any, names: Sequence[str] | None = None) -> Any:
    raise NotImplementedError


def gradient(f: Callable[..., Any], *args: Any, names: Sequence[str] | None = None) -> Any:
    raise NotImplementedError


def latex(f: Callable[..., Any], *args: Any, names: Sequence[str] | None = None) -> str:
    raise NotImplementedError


def symbolic_gradient(f: Callable[..., Any], args: Sequence[Any], names: Sequence[str] | None = None,
                      seconds: float = 5.0) -> SymbolicGradient:
    """The gradient of a real scalar-valued `f` at `args` by SymPy: formulas, and values to 50 digits.

    The program is recorded at `args` (which decides its branches), turned into an expression, differentiated by SymPy
    and evaluated with mpmath. No rule of this package takes part. Never raises for what it cannot do, never hangs.

    Parameters
    ----------
    f : callable
        Called with tensors in place of the floating-point arguments.
    args : sequence
        The point: numbers and arrays. Arguments that are not floating-point are constants; theirs are empty entries.
    names : sequence of str, optional
        What to call the arguments; the parameters of `f` by default.
    seconds : float
        After this time it gives up and says so.
    """
    raise NotImplementedError
