"""logsumexp, softmax, log_softmax, polygamma and multigammaln of tensors or arrays, with SciPy's signatures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...ops.arguments import as_operand, constant
from ...registry import value_of
from .gamma import polygamma_of
from .table import NAMES

__all__ = ["log_softmax", "logsumexp", "multigammaln", "polygamma", "softmax"]

Axis = int | tuple[int, ...] | None


def _centred(x: Any, axis: Axis) -> tuple[Any, Any]:
    """The largest elements, as constants, and the elements less these"""
    top = np.max(np.real(value_of(x)), axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0.0).astype(np.real(value_of(x)).dtype)
    return top, x - top


def logsumexp(a: Any, axis: Axis = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """log(Σ b exp(a)), without overflow.

    Parameters
    ----------
    a : array_like or Tensor
        The exponents.
    axis : int or tuple of int, optional
        To sum over; all by default.
    b : array_like or Tensor, optional
        Weights, which may be negative.
    keepdims : bool
        Whether to keep the summed axes, with length 1.
    return_sign : bool
        Whether to return the sign of the sum too; the logarithm is then of its absolute value.

    Returns
    -------
    Tensor, array or number, or a pair of such
        NaN where the sum is negative, unless its sign is returned.

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> from tapead.scipy.special import logsumexp
    >>> ta.grad(logsumexp)(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    a = _floating(a)
    if b is not None:
        b = as_operand(b)
        # Where the weight is 0 the exponent may be anything.
        a = np.where(value_of(b) == 0, -np.inf, a) if np.any(value_of(b) == 0) else a
    top, rest = _centred(a, axis)
    terms = np.exp(rest) if b is None else b * np.exp(rest)
    total = np.sum(terms, axis=axis, keepdims=True)
    sign = np.sign(value_of(total))
    size = np.abs(total) if return_sign else total
    with np.errstate(divide="ignore", invalid="ignore"):
        result = np.log(size) + top
    if not keepdims:
        result, sign = np.squeeze(result, axis=axis), np.squeeze(sign, axis=axis)
    return (result, sign[()]) if return_sign else result


def softmax(x: Any, axis: Axis = None) -> Any:
    """exp(x) / Σ exp(x), without overflow.

    Parameters
    ----------
    x : array_like or Tensor
        The exponents.
    axis : int or tuple of int, optional
        To sum over; all by default.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> from tapead.scipy.special import softmax
    >>> softmax([1000.0, 1000.0])
    array([0.5, 0.5])
    """
    terms = np.exp(_centred(_floating(x), axis)[1])
    return terms / np.sum(terms, axis=axis, keepdims=True)


def log_softmax(x: Any, axis: Axis = None) -> Any:
    """log(softmax(x)), exact where softmax underflows.

    Parameters
    ----------
    x : array_like or Tensor
        The exponents.
    axis : int or tuple of int, optional
        To sum over; all by default.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> from tapead.scipy.special import log_softmax
    >>> log_softmax([0.0, 1000.0])
    array([-1000.,     0.])
    """
    rest = _centred(_floating(x), axis)[1]
    return rest - np.log(np.sum(np.exp(rest), axis=axis, keepdims=True))


def polygamma(n: Any, x: Any) -> Any:
    """The n-th derivative of the digamma function.

    Parameters
    ----------
    n : int
        The order, at least 0.
    x : array_like or Tensor
        Where; negative numbers too.

    Returns
    -------
    Tensor, array or number

    Examples
    --------
    >>> import tapead as ta
    >>> from tapead.scipy.special import polygamma
    >>> print(f"{ta.grad(polygamma, 1)(0, 1.0):.6f}")
    1.644934
    """
    n = np.asarray(constant("polygamma", "n", n))
    if np.any(n < 0) or np.any(n != np.floor(n)):
        raise ValueError(f"polygamma: the order must be a whole number of at least 0, not {n}")
    x = _floating(x)
    if n.ndim == 0:
        return NAMES["psi"](x) if n == 0 else polygamma_of(x, order=int(n))
    orders = np.unique(n)
    result = polygamma(int(orders[0]), x)
    for one in orders[1:]:
        result = np.where(n == one, polygamma(int(one), x), result)
    return result + np.zeros(n.shape)


def multigammaln(a: Any, d: int) -> Any:
    """The logarithm of the multivariate gamma function.

    Parameters
    ----------
    a : array_like or Tensor
        Greater than (d - 1)/2.
    d : int
        The dimension.

    Returns
    -------
    Tensor, array or number

    Examples
    --------
    >>> from tapead.scipy.special import multigammaln
    >>> print(f"{multigammaln(3.0, 2):.6f}")
    1.550195
    """
    if d != math.floor(d) or d < 1:
        raise ValueError(f"multigammaln: d must be a positive whole number, not {d}")
    a = _floating(a)
    if np.any(value_of(a) <= 0.5 * (d - 1)):
        raise ValueError(f"multigammaln: a must be greater than {0.5 * (d - 1)}")
    result = NAMES["gammaln"](a) + d * (d - 1) / 4 * math.log(math.pi)
    for j in range(1, int(d)):
        result = result + NAMES["gammaln"](a - j / 2)
    return result


def _floating(x: Any) -> Any:
    x = as_operand(x)
    return x if x.dtype.kind in "fc" else np.asarray(value_of(x), float)
