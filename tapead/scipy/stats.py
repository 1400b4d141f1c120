"""Densities and distribution functions of common distributions, of tensors or arrays, with SciPy's parameter names.

Each distribution is a namespace of functions: ``stats.norm.logpdf(x, loc=0, scale=1)``; called with parameters,
``stats.norm(0, 1).logpdf(x)``, it keeps them. They are differentiable in everything but counts. Outside of the support
a density is 0, its logarithm -inf, and every derivative 0; so it is at infinity, and where a density is infinite
itself. Parameters that are not allowed (a scale or shape of zero or less) give NaN, as in SciPy.

Examples
--------
>>> import tapead as ta
>>> from tapead.scipy import stats
>>> ta.grad(lambda scale: stats.norm.logpdf(1.5, 0.5, scale))(2.0)
np.float64(-0.375)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops.arguments import as_operand, constant
from ..registry import value_of
from . import special as _rules  # noqa: F401 -- the rules of the functions below
from .special.table import NAMES

__all__ = ["beta", "binom", "chi2", "dirichlet", "expon", "gamma", "laplace", "lognorm", "multivariate_normal", "norm",
           "poisson", "t", "uniform"]

_HALF_LOG_2PI = float(np.log(2 * np.pi) / 2)
_gammaln, _xlogy, _xlog1py, _betaln = NAMES["gammaln"], NAMES["xlogy"], NAMES["xlog1py"], NAMES["betaln"]
_ndtr, _log_ndtr = NAMES["ndtr"], NAMES["log_ndtr"]

Function = Callable[..., Any]


def _masked(inside: Any, formula: Function, x: Any, safe: Any, outside: Any) -> Any:
    """`formula` of x inside and a constant outside, where the formula does not see x"""
    if np.all(inside):
        return formula(x)
    return np.where(inside, formula(np.where(inside, x, safe)), outside)


def _log_of_share(share: Any, rest: Any) -> Any:
    """log(share), by the rest where that is the smaller one"""
    small = value_of(share) < 0.5
    return np.where(small, np.log(np.where(small, share, 0.5)), np.log1p(-np.where(small, 0.5, rest)))


class _Distribution:
    """What a distribution is besides its functions."""

    def __call__(self, *args: Any, **options: Any) -> _Frozen:
        """The distribution of these parameters."""
        return _Frozen(self, args, options)


class _Frozen:
    """A distribution whose parameters are fixed: its functions take what is left."""

    def __init__(self, distribution: _Distribution, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.dist, self.args, self.kwds = distribution, args, options

    def __getattr__(self, name: str) -> Function:
        function = getattr(self.dist, name)
        return lambda x: function(x, *self.args, **self.kwds)


def _are_positive(parameters: Any) -> Any:
    """Where all of these parameters are allowed."""
    allowed: Any = True
    for parameter in parameters:
        allowed = allowed & (np.asarray(value_of(parameter)) > 0)
    return allowed


def _allowed(parameter: Any, allowed: Any) -> Any:
    """A parameter, with 1 in the place of what is not allowed."""
    return parameter if np.all(allowed) else np.where(allowed, parameter, 1.0)


class Continuous(_Distribution):
    """A distribution over numbers, from its standard form.

    Parameters
    ----------
    logpdf, cdf : callable
        Of ``(y, *shapes)``, inside of the support.
    shapes : str
        What the shape parameters are called.
    support : (float, float)
        Of the standard form.
    sf, logcdf, logsf : callable, optional
        Where 1 - cdf or the logarithm would lose digits.
    safe : float
        A number inside of the support.
    """

    def __init__(self, logpdf: Function, cdf: Function, *, shapes: str = "", support: tuple[float, float],
                 sf: Function | None = None, logcdf: Function | None = None, logsf: Function | None = None,
                 safe: float = 0.5) -> None:
        self._logpdf, self._cdf, self._shapes = logpdf, cdf, shapes.split()
        self._low, self._high = support
        self._sf: Function = sf or (lambda *args: 1 - cdf(*args))
        self._logcdf: Function = logcdf or (lambda *args: _log_of_share(cdf(*args), self._sf(*args)))
        self._logsf: Function = logsf or (lambda *args: _log_of_share(self._sf(*args), cdf(*args)))
        self._safe = safe

    def _read(self, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[tuple[Any, ...], Any, Any]:
        names = [*self._shapes, "loc", "scale"]
        given = {"loc": 0.0, "scale": 1.0, **dict(zip(names, args, strict=False)), **options}
        if len(args) > len(names) or given.keys() != set(names):
            raise TypeError(f"expected the parameters {', '.join(names)}; got {len(args)} by position and "
                            f"{', '.join(options) or 'none'} by name")
        return tuple([given[name] for name in self._shapes]), given["loc"], given["scale"]

    def _evaluate(self, formula: Function, x: Any, args: tuple[Any, ...], options: dict[str, Any], below: Any,
                  above: Any) -> Any:
        shapes, loc, scale = self._read(args, options)
        allowed = _are_positive((*shapes, scale))
        parameters = [_allowed(one, allowed) for one in (*shapes, scale)]
        y = (as_operand(x) - loc) / parameters[-1]
        values = value_of(y)
        inside = (values >= self._low) & (values <= self._high) & np.isfinite(values) & allowed
        is_below = (values < self._low) | (values == -np.inf)
        outside = np.where(np.isnan(values) | ~np.asarray(allowed), np.nan, np.where(is_below, below, above))
        ends = inside & ((values == self._low) | (values == self._high))
        with np.errstate(all="ignore"):
            if np.any(ends):
                there = np.asarray(formula(np.where(ends, values, self._safe), *map(value_of, parameters)))
                inside, outside = inside & ~(ends & (there == np.inf)), np.where(ends, there, outside)
            return _masked(inside, lambda z: formula(z, *parameters), y, self._safe, outside)

    def logpdf(self, x: Any, *args: Any, **options: Any) -> Any:
        """The logarithm of the density."""
        return self._evaluate(lambda y, *rest: self._logpdf(y, *rest[:-1]) - np.log(rest[-1]), x, args, options,
                              -np.inf, -np.inf)

    def pdf(self, x: Any, *args: Any, **options: Any) -> Any:
        """The density."""
        return self._evaluate(lambda y, *rest: np.exp(self._logpdf(y, *rest[:-1])) / rest[-1], x, args, options, 0.0,
                              0.0)

    def cdf(self, x: Any, *args: Any, **options: Any) -> Any:
        """The probability of at most x."""
        return self._evaluate(lambda y, *rest: self._cdf(y, *rest[:-1]), x, args, options, 0.0, 1.0)

    def sf(self, x: Any, *args: Any, **options: Any) -> Any:
        """The probability of more than x."""
        return self._evaluate(lambda y, *rest: self._sf(y, *rest[:-1]), x, args, options, 1.0, 0.0)

    def logcdf(self, x: Any, *args: Any, **options: Any) -> Any:
        """The logarithm of the probability of at most x."""
        return self._evaluate(lambda y, *rest: self._logcdf(y, *rest[:-1]), x, args, options, -np.inf, 0.0)

    def logsf(self, x: Any, *args: Any, **options: Any) -> Any:
        """The logarithm of the probability of more than x."""
        return self._evaluate(lambda y, *rest: self._logsf(y, *rest[:-1]), x, args, options, 0.0, -np.inf)


_REAL, _HALF, _ONE = (-np.inf, np.inf), (0.0, np.inf), (0.0, 1.0)


def _laplace_cdf(y: Any) -> Any:
    tail = np.exp(-np.abs(y)) / 2
    return np.where(y < 0, tail, 1 - tail)


def _laplace_logcdf(y: Any) -> Any:
    below = np.minimum(y, 0.0) - np.log(2)
    return np.where(y < 0, below, np.log1p(-np.exp(-np.abs(y)) / 2))


def _student_cdf(y: Any, df: Any) -> Any:
    """Constant in the degrees of freedom at the centre and where nothing is left of the tail"""
    size = np.abs(value_of(y))
    constant = (size < 1e-100) | (NAMES["stdtr"](value_of(df), -size) < 1e-300)
    if not np.any(constant):
        return NAMES["stdtr"](df, y)
    return np.where(constant, NAMES["stdtr"](value_of(df), y), NAMES["stdtr"](df, np.where(constant, 1.0, y)))


norm = Continuous(lambda y: -y * y / 2 - _HALF_LOG_2PI, _ndtr, support=_REAL, sf=lambda y: _ndtr(-y), logcdf=_log_ndtr,
                  logsf=lambda y: _log_ndtr(-y))
expon = Continuous(lambda y: -y, lambda y: -np.expm1(-y), support=_HALF, sf=lambda y: np.exp(-y),
                   logsf=lambda y: -y)
laplace = Continuous(lambda y: -np.abs(y) - np.log(2), _laplace_cdf, support=_REAL, sf=lambda y: _laplace_cdf(-y),
                     logcdf=_laplace_logcdf, logsf=lambda y: _laplace_logcdf(-y))
uniform = Continuous(lambda y: 0 * y, lambda y: y, support=_ONE, logsf=lambda y: np.log1p(-y))
gamma = Continuous(lambda y, a: _xlogy(a - 1, y) - y - _gammaln(a), lambda y, a: NAMES["gammainc"](a, y), shapes="a",
                   support=_HALF, sf=lambda y, a: NAMES["gammaincc"](a, y))
chi2 = Continuous(lambda y, df: _xlogy(df / 2 - 1, y) - y / 2 - _gammaln(df / 2) - df / 2 * np.log(2),
                  lambda y, df: NAMES["chdtr"](df, y), shapes="df", support=_HALF,
                  sf=lambda y, df: NAMES["chdtrc"](df, y))
beta = Continuous(lambda y, a, b: _xlogy(a - 1, y) + _xlog1py(b - 1, -y) - _betaln(a, b),
                  lambda y, a, b: NAMES["betainc"](a, b, y), shapes="a b", support=_ONE,
                  sf=lambda y, a, b: NAMES["betaincc"](a, b, y))
t = Continuous(lambda y, df: -(df + 1) / 2 * np.log1p(y * y / df) - _betaln(df / 2, 0.5) - np.log(df) / 2,
               _student_cdf, shapes="df", support=_REAL, sf=lambda y, df: _student_cdf(-y, df))
lognorm = Continuous(lambda y, s: -(np.log(y) / s) ** 2 / 2 - np.log(s * y) - _HALF_LOG_2PI,
                     lambda y, s: _ndtr(np.log(y) / s), shapes="s", support=(5e-324, np.inf),
                     sf=lambda y, s: _ndtr(-np.log(y) / s), logcdf=lambda y, s: _log_ndtr(np.log(y) / s),
                     logsf=lambda y, s: _log_ndtr(-np.log(y) / s))


class Discrete(_Distribution):
    """A distribution over whole numbers; not differentiable in them.

    Parameters
    ----------
    logpmf, cdf, sf : callable
        Of ``(k, *shapes)``, inside of the support.
    shapes : str
        What the shape parameters are called.
    highest, permitted : callable
        The end of the support, and where the shapes are allowed, of the shapes.
    """

    def __init__(self, name: str, logpmf: Function, cdf: Function, sf: Function, shapes: str, highest: Function,
                 permitted: Function) -> None:
        self._name, self._logpmf, self._cdf, self._sf, self._shapes = name, logpmf, cdf, sf, shapes.split()
        self._highest, self._permitted = highest, permitted

    def _evaluate(self, formula: Function, k: Any, args: tuple[Any, ...], options: dict[str, Any], below: Any,
                  above: Any, whole: bool) -> Any:
        names = [*self._shapes, "loc"]
        given = {"loc": 0, **dict(zip(names, args, strict=False)), **options}
        if len(args) > len(names) or given.keys() != set(names):
            raise TypeError(f"expected the parameters {', '.join(names)}; got {len(args)} by position and "
                            f"{', '.join(options) or 'none'} by name")
        shapes = tuple([given[name] for name in self._shapes])
        count = np.asarray(constant(self._name, "k", k)) - np.asarray(constant(self._name, "loc", given["loc"]))
        allowed = np.asarray(self._permitted(*map(value_of, shapes)))
        shapes = tuple([one if np.all(allowed) else np.where(allowed, one, 1) for one in shapes])
        high = self._highest(*map(value_of, shapes))
        inside = (count >= 0) & (count <= high) & ((count == np.floor(count)) | (not whole)) & allowed
        inside = inside & np.isfinite(count)
        outside = np.where(np.isnan(count) | ~allowed, np.nan,
                           np.where(count < 0, below, np.where(count >= high, above, below)))
        with np.errstate(all="ignore"):
            result = formula(np.where(inside, np.floor(count), 0.0), *shapes)
        return result if np.all(inside) else np.where(inside, result, outside)

    def logpmf(self, k: Any, *args: Any, **options: Any) -> Any:
        """The logarithm of the probability of k."""
        return self._evaluate(self._logpmf, k, args, options, -np.inf, -np.inf, True)

    def pmf(self, k: Any, *args: Any, **options: Any) -> Any:
        """The probability of k."""
        return self._evaluate(lambda *a: np.exp(self._logpmf(*a)), k, args, options, 0.0, 0.0, True)

    def cdf(self, k: Any, *args: Any, **options: Any) -> Any:
        """The probability of at most k."""
        return self._evaluate(self._cdf, k, args, options, 0.0, 1.0, False)

    def sf(self, k: Any, *args: Any, **options: Any) -> Any:
        """The probability of more than k."""
        return self._evaluate(self._sf, k, args, options, 1.0, 0.0, False)

    def logcdf(self, k: Any, *args: Any, **options: Any) -> Any:
        """The logarithm of the probability of at most k."""
        return self._evaluate(lambda *a: np.log(self._cdf(*a)), k, args, options, -np.inf, 0.0, False)

    def logsf(self, k: Any, *args: Any, **options: Any) -> Any:
        """The logarithm of the probability of more than k."""
        return self._evaluate(lambda *a: np.log(self._sf(*a)), k, args, options, 0.0, -np.inf, False)


def _binom_logpmf(k: Any, n: Any, p: Any) -> Any:
    return -_betaln(n - k + 1.0, k + 1.0) - np.log(n + 1.0) + _xlogy(k, p) + _xlog1py(n - k, -p)


def _inside_of_n(function: str, full: float) -> Function:
    """bdtr and bdtrc where k < n, which knows no beta function at k = n"""
    return lambda k, n, p: np.where(k < value_of(n), NAMES[function](np.minimum(k, value_of(n) - 1.0), n, p), full)


poisson = Discrete("poisson", lambda k, mu: _xlogy(k, mu) - mu - _gammaln(k + 1.0), NAMES["pdtr"], NAMES["pdtrc"], "mu",
                   lambda mu: np.inf, lambda mu: mu >= 0)
binom = Discrete("binom", _binom_logpmf, _inside_of_n("bdtr", 1.0), _inside_of_n("bdtrc", 0.0), "n p",
                 lambda n, p: n, lambda n, p: (n >= 0) & (n == np.floor(n)) & (p >= 0) & (p <= 1))


class Dirichlet(_Distribution):
    """The Dirichlet distribution over the simplex, its formula continued to where the components do not sum to 1."""

    def logpdf(self, x: Any, alpha: Any) -> Any:
        """The logarithm of the density; the components of x along its first axis, the last may be left out."""
        x, alpha = as_operand(x), as_operand(alpha)
        if x.shape[0] == alpha.shape[0] - 1:
            x = np.concatenate([x, np.reshape(1 - np.sum(x, axis=0), (1, *x.shape[1:]))])
        if x.shape[0] != alpha.shape[0]:
            raise ValueError(f"dirichlet: x has {x.shape[0]} components, alpha {alpha.shape[0]}")
        if np.any(value_of(x) < 0) or np.any(value_of(alpha) <= 0):
            raise ValueError("dirichlet: the components of x must not be negative, and those of alpha must be positive")
        exponents = np.reshape(alpha - 1, (-1,) + (1,) * (x.ndim - 1))
        constant = _gammaln(np.sum(alpha)) - np.sum(_gammaln(alpha))
        return constant + np.sum(_xlogy(exponents, x), axis=0)

    def pdf(self, x: Any, alpha: Any) -> Any:
        """The density."""
        return np.exp(self.logpdf(x, alpha))


def _covariance(mean: Any, cov: Any) -> Any:
    """The covariance as a matrix: a number or vector stands for what is on its diagonal."""
    cov = as_operand(cov)
    if cov.ndim >= 2:
        return cov
    return np.eye(cov.shape[0] if cov.ndim else np.shape(mean)[0] if np.ndim(mean) else 1) * cov


def _singular_logpdf(deviation: Any, cov: Any) -> Any:
    """The logarithm of the density on the space that a covariance of lower rank spans, -inf off it."""
    values = np.linalg.eigvalsh(cov)
    plain = value_of(values)
    zero = 1e6 * np.finfo(plain.dtype).eps  # what SciPy takes for it, relative to the largest
    spread = plain > zero * np.max(np.abs(plain))
    within = np.sum((deviation @ np.linalg.pinv(cov, rcond=zero, hermitian=True)) * deviation, axis=-1)
    outwards = np.linalg.eigh(value_of(cov))[1][:, ~spread]
    outside = np.linalg.norm(value_of(deviation) @ outwards, axis=-1) >= 1e3 * np.finfo(plain.dtype).eps
    density = -within / 2 - np.sum(np.log(values[spread])) / 2 - np.count_nonzero(spread) * _HALF_LOG_2PI
    return np.where(outside, -np.inf, density)


class MultivariateNormal(_Distribution):
    """The normal distribution over vectors, of a positive definite covariance or, if allowed, a singular one."""

    def logpdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
        """The logarithm of the density; the components of x along its last axis."""
        x = as_operand(x)
        if x.ndim == 0:
            x = np.reshape(x, (1,))
        cov = _covariance(mean, cov)
        size = cov.shape[0]
        if size == 1 and x.ndim == 1:
            x = np.reshape(x, (-1, 1))
        if x.shape[-1] != size:
            raise ValueError(f"multivariate_normal: x has {x.shape[-1]} components, the covariance is of {size}")
        deviation = x if mean is None else x - mean
        if allow_singular:
            return _singular_logpdf(deviation, cov)
        factor = np.linalg.cholesky(cov)
        scaled = np.linalg.solve(factor, np.reshape(deviation, (*deviation.shape, 1)))
        determinant = np.sum(np.log(np.diagonal(factor)))
        return -np.sum(scaled * scaled, axis=(-2, -1)) / 2 - determinant - size * _HALF_LOG_2PI

    def entropy(self, mean: Any = None, cov: Any = 1) -> Any:
        """The differential entropy, ½ log |2πe Σ|, which the mean has no part in."""
        cov = _covariance(mean, cov)
        return np.sum(np.log(np.diagonal(np.linalg.cholesky(cov)))) + cov.shape[0] * (_HALF_LOG_2PI + 0.5)

    def pdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
        """The density."""
        return np.exp(self.logpdf(x, mean, cov, allow_singular))


dirichlet = Dirichlet()
multivariate_normal = MultivariateNormal()
