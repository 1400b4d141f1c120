"""Orthogonal polynomials and Legendre functions in their argument: each derivative is one of the next family."""

from __future__ import annotations

from typing import Any

import numpy as np

from .table import NAMES, declare, helper

_INTERVAL = (-1.0, 1.0)
_SHIFTED = (0.0, 1.0)


@helper
def lowered(name: str, n: Any, *rest: Any) -> Any:
    """The polynomial of degree n - 1, and 0 where n is 0"""
    n = np.asarray(n)
    constant = n == 0
    if not np.any(constant):
        return NAMES[name]((n - 1)[()], *rest)
    return np.where(constant, 0.0, NAMES[name](np.where(constant, 0, n - 1)[()], *rest))


declare("eval_jacobi", "n alpha beta x", domain=_INTERVAL, at={"n": 3, "alpha": 0.5, "beta": 1.5},
        x="(n + alpha + beta + 1) / 2 * lowered('eval_jacobi', n, alpha + 1, beta + 1, x)",
        sympy="jacobi(n, alpha, beta, x)")
declare("eval_sh_jacobi", "n p q x", x="n * lowered('eval_sh_jacobi', n, p + 2, q + 1, x)", domain=_SHIFTED,
        at={"n": 3, "p": 2.5, "q": 1.5})
declare("eval_gegenbauer", "n alpha x", x="2 * alpha * lowered('eval_gegenbauer', n, alpha + 1, x)", domain=_INTERVAL,
        at={"n": 3, "alpha": 0.5}, sympy="gegenbauer(n, alpha, x)")
declare("eval_legendre", "n x", x="(n + 1) / 2 * lowered('eval_jacobi', n, 1, 1, x)", domain=_INTERVAL, at={"n": 3},
        sympy="legendre(n, x)")
declare("eval_sh_legendre", "n x", x="(n + 1) * lowered('eval_jacobi', n, 1, 1, 2 * x - 1)", domain=_SHIFTED,
        at={"n": 3}, sympy="legendre(n, 2*x - 1)")
declare("eval_chebyt", "n x", x="n * lowered('eval_chebyu', n, x)", domain=_INTERVAL, at={"n": 3},
        sympy="chebyshevt(n, x)")
declare("eval_chebyu", "n x", x="2 * lowered('eval_gegenbauer', n, 2, x)", domain=_INTERVAL, at={"n": 3},
        sympy="chebyshevu(n, x)")
declare("eval_chebyc", "n x", x="n * lowered('eval_chebys', n, x)", domain=(-2.0, 2.0), at={"n": 3},
        sympy="2*chebyshevt(n, x/2)")
declare("eval_chebys", "n x", x="lowered('eval_gegenbauer', n, 2, x / 2)", domain=(-2.0, 2.0), at={"n": 3},
        sympy="chebyshevu(n, x/2)")
declare("eval_sh_chebyt", "n x", x="2 * n * lowered('eval_sh_chebyu', n, x)", domain=_SHIFTED, at={"n": 3},
        sympy="chebyshevt(n, 2*x - 1)")
declare("eval_sh_chebyu", "n x", x="4 * lowered('eval_gegenbauer', n, 2, 2 * x - 1)", domain=_SHIFTED, at={"n": 3},
        sympy="chebyshevu(n, 2*x - 1)")
declare("eval_hermite", "n x", x="2 * n * lowered('eval_hermite', n, x)", at={"n": 3}, sympy="hermite(n, x)")
declare("eval_hermitenorm", "n x", x="n * lowered('eval_hermitenorm', n, x)", at={"n": 3},
        sympy="2**(-n/2)*hermite(n, x/sqrt(2))")
declare("eval_laguerre", "n x", x="-lowered('eval_genlaguerre', n, 1, x)", at={"n": 3}, sympy="laguerre(n, x)")
declare("eval_genlaguerre", "n alpha x", x="-lowered('eval_genlaguerre', n, alpha + 1, x)", at={"n": 3, "alpha": 0.5},
        sympy="assoc_laguerre(n, alpha, x)")
declare("lpmv", "m v x", x="((v + m) * (v - m + 1) * lpmv(m - 1, v, x) - lpmv(m + 1, v, x)) / (2 * sqrt(1 - x * x))",
        domain=_INTERVAL, at={"m": 1, "v": 2.5}, real=True)
