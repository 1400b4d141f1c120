"""Characteristic values: eigenvalues of tridiagonal matrices D + sE, differentiated by perturbation theory.

The matrices are those of the differential equations in the basis of cosines or sines (Mathieu) and of associated
Legendre functions (spheroidal); see Abramowitz and Stegun, chapters 20 and 21.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...registry import RegisterGradient, case, primitive
from .table import NAMES, declare

Matrices = tuple[np.ndarray, np.ndarray, int]


def _symmetric(diagonal: Any, beside: Any) -> np.ndarray:
    return np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)


def _mathieu(kind: str, m: int, q: float) -> Matrices:
    """a or b as an eigenvalue of D + qE, and which"""
    size = 20 + m // 2 + int(2 * np.sqrt(abs(q)))
    first = m % 2 if kind == "a" or m % 2 else 2
    frequencies = first + 2.0 * np.arange(size)
    corner = np.zeros(size)
    beside = np.ones(size - 1)
    if first == 1:
        corner[0] = 1.0 if kind == "a" else -1.0
    elif first == 0:
        beside[0] = np.sqrt(2.0)
    return np.diag(frequencies**2), _symmetric(corner, beside), (m - first) // 2


def _spheroidal(m: int, n: int, c2: float) -> Matrices:
    """λ_mn as an eigenvalue of D + c²E, and which"""
    size = 20 + (n - m) // 2 + int(2 * np.sqrt(abs(c2)))
    first = (n - m) % 2
    r = first + 2.0 * np.arange(size)
    level = (m + r) * (m + r + 1)
    diagonal = (2 * level - 2 * m * m - 1) / ((2 * m + 2 * r - 1) * (2 * m + 2 * r + 3))
    up = (2 * m + r + 2) * (2 * m + r + 1) / ((2 * m + 2 * r + 3) * (2 * m + 2 * r + 5))
    down = r * (r - 1) / ((2 * m + 2 * r - 3) * (2 * m + 2 * r - 1))
    return np.diag(level), _symmetric(diagonal, np.sqrt(up[:-1] * down[1:])), (n - m) // 2


def _perturbed(matrices: Matrices, s: float, order: int) -> float:
    """The derivative of `order` in s of an eigenvalue of D + sE, by Rayleigh and Schrödinger's series"""
    fixed, moved, place = matrices
    levels, vectors = np.linalg.eigh(fixed + s * moved)
    coupling = vectors.T @ moved @ vectors
    gaps = levels[place] - levels
    gaps[place] = np.inf
    corrections, states = [0.0], [np.eye(len(levels))[place]]
    for n in range(1, order + 1):
        pushed = coupling @ states[n - 1]
        corrections.append(float(pushed[place]))
        rest = pushed - sum(corrections[k] * states[n - k] for k in range(1, n + 1) if n - k > 0)
        states.append(rest / gaps)
    factorial = float(np.prod(np.arange(1, order + 1)))
    return corrections[order] * factorial


def _one(kind: str, m: float, n: float, s: float, order: int) -> float:
    if not np.isfinite(s) or m != np.floor(m) or n != np.floor(n) or m < (kind == "b") or (kind == "c" and n < m):
        return float("nan")
    matrices = _spheroidal(int(m), int(n), s) if kind == "c" else _mathieu(kind, int(m), s)
    return _perturbed(matrices, s, order)


@primitive("special_level", elementwise=True, domain=((-3.0, 3.0),), cases=[
    case((), kind="a", m=2, n=0, order=1), case((3,), kind="b", m=3, n=0, order=2),
    case((3,), kind="c", m=1, n=2, order=1)])
def level(s: Any, kind: str = "a", m: Any = 0, n: Any = 0, order: int = 1) -> Any:
    """The derivative of `order` in s = q, or ±c² for kind "c", of a characteristic value"""
    dtype = np.result_type(np.asarray(s), np.float32)
    each = np.vectorize(lambda m, n, s: _one(kind, m, n, s, order), otypes=[float])
    return each(np.asarray(m, float), np.asarray(n, float), np.asarray(s, float)).astype(dtype)[()]


@RegisterGradient("special_level", reads="inputs")
def _level(op: Any) -> Any:
    """The derivative of the next order"""
    return level(op.inputs[0], **{**op.attrs, "order": op.attrs.get("order", 1) + 1})


NAMES["level"] = lambda kind, m, n, s: level(s, kind=kind, m=m, n=n, order=1)
for _kind in "ab":
    declare(f"mathieu_{_kind}", "m q", q=f"level('{_kind}', m, 0, q)", at={"m": 2})
declare("pro_cv", "m n c", c="2 * c * level('c', m, n, c * c)", at={"m": 1, "n": 2}, domain=(0.0, 9.0))
declare("obl_cv", "m n c", c="-2 * c * level('c', m, n, -c * c)", at={"m": 1, "n": 2}, domain=(0.0, 9.0))
