"""The tape as mathematics: formulas by SymPy, numbers to 50 digits by mpmath, and proofs of derivative rules.

Importing :mod:`tapead` does not import this package; it is what brings in SymPy and mpmath.
"""

from .compiled import from_sympy
from .formulas import SymbolicGradient, gradient, latex, symbolic_gradient, to_sympy
from .precise import PreciseFunction, Unavailable, precise_function
from .proofs import Proof, prove, prove_all

__all__ = ["PreciseFunction", "Proof", "SymbolicGradient", "Unavailable", "from_sympy", "gradient", "latex",
           "precise_function", "prove", "prove_all", "symbolic_gradient", "to_sympy"]
