"""Functions of scipy.special that are no ufuncs, on tensors or arrays: counting, Legendre and spherical functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from ...registry import RegisterGradient, case, primitive, value_of
from .table import NAMES, POSITIVE, constant, declare

__all__ = ["comb", "diric", "factorial", "legendre_p", "perm", "sph_harm_y", "sph_legendre_p", "spherical_in",
           "spherical_jn", "spherical_kn", "spherical_yn"]


def _inside(result: Any, condition: Any) -> Any:
    """The result, and a constant 0 where the condition fails"""
    return result if np.all(condition) else np.where(condition, result, 0.0)


def comb(N: Any, k: Any, *, repetition: bool = False) -> Any:  # noqa: N803 -- SciPy's name
    """The number of ways to choose k things out of N, for real N and k by the gamma function.

    Parameters
    ----------
    N, k : array_like or Tensor
        The numbers of things.
    repetition : bool
        Whether a thing may be chosen more than once.

    Returns
    -------
    Tensor, array or number
        0 for k > N, N < 0 and k < 0.

    Examples
    --------
    >>> import tapead as ta
    >>> from tapead.scipy.special import comb
    >>> print(f"{ta.grad(comb)(5.0, 2):.6f}")
    4.500000
    """
    if repetition:
        return comb(N + k - 1, k)
    count, chosen = value_of(N), value_of(k)
    return _inside(NAMES["binom"](N, k), (chosen <= count) & (count >= 0) & (chosen >= 0))


def perm(N: Any, k: Any) -> Any:  # noqa: N803 -- SciPy's name
    """The number of ordered choices of k things out of N, for real N and k by the gamma function.

    Parameters
    ----------
    N, k : array_like or Tensor
        The numbers of things.

    Returns
    -------
    Tensor, array or number
        0 for k > N, N < 0 and k < 0.

    Examples
    --------
    >>> import tapead as ta
    >>> from tapead.scipy.special import perm
    >>> print(f"{ta.grad(perm)(5.0, 2):.6f}")
    9.000000
    """
    count, chosen = value_of(N), value_of(k)
    return _inside(NAMES["poch"](N - k + 1, k), (chosen <= count) & (count >= 0) & (chosen >= 0))


def factorial(n: Any) -> Any:
    """Γ(n + 1), and 0 for negative n.

    Parameters
    ----------
    n : array_like or Tensor
        Need not be whole.

    Returns
    -------
    Tensor, array or number

    Examples
    --------
    >>> import tapead as ta
    >>> from tapead.scipy.special import factorial
    >>> print(f"{ta.grad(factorial)(3.0):.6f}")
    7.536706
    """
    return _inside(NAMES["gamma"](np.maximum(n, 0) + 1.0), value_of(n) >= 0)


def diric(x: Any, n: int) -> Any:
    """The periodic sinc function sin(nx/2) / (n sin(x/2)).

    Parameters
    ----------
    x : array_like or Tensor
        The angle.
    n : int
        The number of terms whose mean it is.

    Returns
    -------
    Tensor, array or number

    Examples
    --------
    >>> from tapead.scipy.special import diric
    >>> print(f"{diric(1.0, 3):.6f}")
    0.693535
    """
    n = constant("diric", "n", n)
    if n != np.floor(n) or n < 1:
        raise ValueError(f"diric: n must be a positive whole number, not {n}")
    # The mean of exp(ijx) over j = -(n - 1)/2, ..., (n - 1)/2, which has no quotient in it.
    steps = np.arange(n) - (n - 1) / 2
    return np.mean(np.cos(np.expand_dims(x, -1) * steps), axis=-1)


# ---------------------------------------------------------------------- spherical Bessel functions

_SPHERICAL = {
    "jn": "(n * spherical_jn(n - 1, z) - (n + 1) * spherical_jn(n + 1, z)) / (2 * n + 1)",
    "yn": "(n * spherical_yn(n - 1, z) - (n + 1) * spherical_yn(n + 1, z)) / (2 * n + 1)",
    "in": "(n * spherical_in(n - 1, z) + (n + 1) * spherical_in(n + 1, z)) / (2 * n + 1)",
    "kn": "-(n * spherical_kn(n - 1, z) + (n + 1) * spherical_kn(n + 1, z)) / (2 * n + 1)"}


def _spherical(kind: str) -> Any:
    function = getattr(special, f"spherical_{kind}")

    def kernel(n: Any, z: Any) -> Any:
        # The rules ask for the order -1 and multiply it by 0.
        n = np.asarray(n)
        return np.where(n < 0, 0.0, function(np.maximum(n, 0), z))[()] if np.any(n < 0) else function(n, z)

    declare(f"spherical_{kind}", "n z", z=_SPHERICAL[kind], kernel=kernel, domain=POSITIVE, at={"n": 2})
    return NAMES[f"spherical_{kind}"]


_BESSEL = {kind: _spherical(kind) for kind in _SPHERICAL}


def _spherical_of(kind: str, n: Any, z: Any, derivative: bool) -> Any:
    """The function, or its derivative by the same recurrence"""
    n = constant(f"spherical_{kind}", "n", n)
    if not derivative:
        return _BESSEL[kind](n, z)
    function = _BESSEL[kind]
    below, above = n * function(n - 1, z), (n + 1) * function(n + 1, z)
    total = below - above if kind in ("jn", "yn") else below + above
    return (-total if kind == "kn" else total) / (2 * n + 1)


def spherical_jn(n: Any, z: Any, derivative: bool = False) -> Any:
    """The spherical Bessel function of the first kind.

    Parameters
    ----------
    n : int or array of int
        The order.
    z : array_like or Tensor
        Where.
    derivative : bool
        Whether to return its derivative.

    Returns
    -------
    Tensor, array or number

    Examples
    --------
    >>> from tapead.scipy.special import spherical_jn
    >>> print(f"{spherical_jn(1, 2.0):.6f}")
    0.435398
    """
    return _spherical_of("jn", n, z, derivative)


def spherical_yn(n: Any, z: Any, derivative: bool = False) -> Any:
    """The spherical Bessel function of the second kind; see :func:`spherical_jn`."""
    return _spherical_of("yn", n, z, derivative)


def spherical_in(n: Any, z: Any, derivative: bool = False) -> Any:
    """The modified spherical Bessel function of the first kind; see :func:`spherical_jn`."""
    return _spherical_of("in", n, z, derivative)


def spherical_kn(n: Any, z: Any, derivative: bool = False) -> Any:
    """The modified spherical Bessel function of the second kind; see :func:`spherical_jn`."""
    return _spherical_of("kn", n, z, derivative)


# ---------------------------------------------------------------------- Legendre functions and spherical harmonics


def _of_order(function: Any, order: int, *arguments: Any) -> Any:
    if order > 2:
        raise NotImplementedError(f"scipy.special.{_NAMES[function]}: SciPy has its first two derivatives only")
    return function(*arguments, diff_n=order)[order]


_NAMES = {special.legendre_p: "legendre_p", special.sph_legendre_p: "sph_legendre_p"}


@primitive("special_legendre_p", domain=(-1.0, 1.0), elementwise=True, sympy="diff(legendre(n, x), x, order)",
           cases=[case((), n=3, order=0), case((2, 3), n=4, order=1)])
def _legendre(z: Any, n: Any = 0, order: int = 0) -> Any:
    return _of_order(special.legendre_p, order, n, z)


@RegisterGradient("special_legendre_p", reads="inputs")
def _legendre_rule(op: Any) -> Any:
    """d P⁽ᵏ⁾(z) = P⁽ᵏ⁺¹⁾(z) dz"""
    return lambda: _legendre(op.inputs[0], n=op.attrs["n"], order=op.attrs["order"] + 1)


@primitive("special_sph_legendre_p", domain=(0.0, 3.0), elementwise=True,
           cases=[case((), n=3, m=1, order=0), case((2, 3), n=4, m=-2, order=1)])
def _spherical_legendre(theta: Any, n: Any = 0, m: Any = 0, order: int = 0) -> Any:
    return _of_order(special.sph_legendre_p, order, n, m, theta)


@RegisterGradient("special_sph_legendre_p", reads="inputs")
def _spherical_legendre_rule(op: Any) -> Any:
    """d P⁽ᵏ⁾(θ) = P⁽ᵏ⁺¹⁾(θ) dθ"""
    return lambda: _spherical_legendre(op.inputs[0], **{**op.attrs, "order": op.attrs["order"] + 1})


def legendre_p(n: Any, z: Any) -> Any:
    """The Legendre polynomial of degree n.

    Parameters
    ----------
    n : int or array of int
        The degree.
    z : array_like or Tensor
        Where. It may be differentiated in twice.

    Returns
    -------
    Tensor, array or number

    Examples
    --------
    >>> import tapead as ta
    >>> from tapead.scipy.special import legendre_p
    >>> print(f"{ta.grad(legendre_p, 1)(2, 0.5):.6f}")
    1.500000
    """
    return _legendre(z, n=constant("legendre_p", "n", n), order=0)


def sph_legendre_p(n: Any, m: Any, theta: Any) -> Any:
    """The spherical Legendre polynomial of degree n and order m.

    Parameters
    ----------
    n, m : int or array of int
        Degree and order.
    theta : array_like or Tensor
        The polar angle. It may be differentiated in twice.

    Returns
    -------
    Tensor, array or number

    Examples
    --------
    >>> from tapead.scipy.special import sph_legendre_p
    >>> print(f"{sph_legendre_p(1, 0, 0.5):.6f}")
    0.428789
    """
    return _spherical_legendre(theta, n=constant("sph_legendre_p", "n", n), m=constant("sph_legendre_p", "m", m),
                               order=0)


def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any) -> Any:
    """The spherical harmonic of degree n and order m.

    Parameters
    ----------
    n, m : int or array of int
        Degree and order.
    theta, phi : array_like or Tensor
        The polar and the azimuthal angle.

    Returns
    -------
    Tensor, array or number
        Complex.

    Examples
    --------
    >>> from tapead.scipy.special import sph_harm_y
    >>> print(f"{sph_harm_y(1, 1, 0.5, 0.3):.6f}")
    -0.158241-0.048950j
    """
    return sph_legendre_p(n, m, theta) * np.exp(1j * constant("sph_harm_y", "m", m) * phi)
