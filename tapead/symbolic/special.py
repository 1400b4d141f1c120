"""What SciPy's special functions are to any number of digits: definitions in mpmath, independent of every rule.

A definition takes an mpmath context and the function's arguments in SciPy's order. They are what rules without a
closed form for SymPy are checked against at 50 digits, and what SciPy's own values are compared with.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .algebras import Precise, Unavailable
from .arrays import PRIMITIVE_MEANINGS, DuckArray, wrap

__all__ = ["DEFINITIONS", "defines"]

Definition = Callable[..., Any]

#: By the primitive's name without ``special_``; the first parameter is the context.
DEFINITIONS: dict[str, Definition] = {}
#: Those whose values are complex for real arguments.
_COMPLEX = ("hankel", "wofz", "faddeeva", "modfresnel", "lambertw", "kelvin")


def defines(*names: str) -> Callable[[Definition], Definition]:
    """Declare that the decorated function is what a primitive ``special_<name>`` computes."""

    def register(definition: Definition) -> Definition:
        for name in names:
            DEFINITIONS[name] = definition
            PRIMITIVE_MEANINGS[f"special_{name}"] = _meaning(name, definition)
        return definition

    return register


def _meaning(name: str, definition: Definition) -> Callable[..., Any]:
    """The definition on duck arrays: those of its parameters that are no attributes are inputs, in order"""
    parameters = list(inspect.signature(definition).parameters.values())[1:]
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    required = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    complex_values = name.startswith(_COMPLEX)

    def meaning(*inputs: Any, **attrs: Any) -> Any:
        algebra = next(x.algebra for x in inputs if isinstance(x, DuckArray))
        if not isinstance(algebra, Precise):
            raise Unavailable(f"special_{name} has no SymPy counterpart")
        context = algebra.context
        ducks = [wrap(algebra, x) for x in inputs]
        is_complex = complex_values or any(duck.dtype.kind == "c" for duck in ducks)
        # The first parameter, the context, is called c in most definitions.
        given = {"c_" if key == "c" else key: value for key, value in attrs.items()}
        arrays = {key: value for key, value in given.items() if isinstance(value, np.ndarray) and value.ndim}
        rest = {key: _number(context, value) for key, value in given.items() if key not in arrays}
        taken = [*([] if variadic else [name for name in required if name not in given]), *arrays]

        def one(*elements: Any) -> Any:
            free = len(elements) - len(taken)
            named = dict(zip(taken, elements[free:], strict=True))
            value = context.convert(definition(context, *elements[:free], **named, **rest))
            return value if is_complex else context.re(value)

        results = np.frompyfunc(one, len(ducks) + len(arrays), 1)(*(d.elements for d in ducks), *(
            wrap(algebra, value).elements for value in arrays.values()))
        return DuckArray(algebra, results, complex if is_complex else float)

    return meaning


def _number(context: Any, value: Any) -> Any:
    value = value.item() if isinstance(value, (np.generic, np.ndarray)) else value
    return context.convert(value) if isinstance(value, float) else value


def _plain(table: dict[str, Definition]) -> None:
    for name, definition in table.items():
        defines(name)(definition)


def _derivative(c: Any, function: Definition, x: Any, order: int) -> Any:
    """A derivative by differences; mpmath carries the digits that these lose."""
    with c.workdps(c.dps + 10):
        return c.diff(function, x, order)


# ---------------------------------------------------------------------- gamma, beta and distributions


def _lower(c: Any, a: Any, x: Any) -> Any:
    return c.gammainc(a, 0, x, regularized=True)


def _upper(c: Any, a: Any, x: Any) -> Any:
    return c.gammainc(a, x, c.inf, regularized=True)


def _beta(c: Any, a: Any, b: Any, x: Any) -> Any:
    return c.betainc(a, b, 0, x, regularized=True)


def _rest(c: Any, a: Any, b: Any, x: Any) -> Any:
    return c.betainc(b, a, 0, 1 - x, regularized=True)


def _student(c: Any, df: Any, t: Any) -> Any:
    tail = _beta(c, df / 2, c.mpf(1) / 2, df / (df + t * t)) / 2
    return 1 - tail if t > 0 else tail


def _f(c: Any, dfn: Any, dfd: Any, x: Any) -> Any:
    return _beta(c, dfn / 2, dfd / 2, dfn * x / (dfn * x + dfd))


def _f_rest(c: Any, dfn: Any, dfd: Any, x: Any) -> Any:
    return _beta(c, dfd / 2, dfn / 2, dfd / (dfn * x + dfd))


def _poisson(c: Any, rate: Any, term: Callable[[int], Any]) -> Any:
    """Σ e^-λ λ^k/k! term(k)"""
    total, weight, k = c.zero, c.exp(-rate), 0
    while k < rate + 5 or abs(weight) > c.eps * 1e-5:
        total += weight * term(k)
        k += 1
        weight *= rate / k
    return total


def _noncentral_f(c: Any, dfn: Any, dfd: Any, nc: Any, x: Any) -> Any:
    y = dfn * x / (dfn * x + dfd)
    return _poisson(c, nc / 2, lambda k: _beta(c, dfn / 2 + k, dfd / 2, y))


def _noncentral_t(c: Any, df: Any, nc: Any, t: Any) -> Any:
    """Φ(-μ) + Σ (p_k I(k + 1/2) + q_k I(k + 1))/2, for t > 0"""
    if t < 0:
        return 1 - _noncentral_t(c, df, -nc, -t)
    y, half = t * t / (t * t + df), nc * nc / 2
    total, k, even, odd = c.ncdf(-nc), 0, c.exp(-half) / 2, nc / c.sqrt(2) * c.exp(-half) / c.gamma(1.5) / 2
    while k < half + 5 or abs(even) + abs(odd) > c.eps * 1e-5:
        total += even * _beta(c, k + c.mpf(1) / 2, df / 2, y) + odd * _beta(c, k + c.one, df / 2, y)
        k += 1
        even *= half / k
        odd *= half / (k + c.mpf(1) / 2)
    return total


def _kolmogorov(c: Any, y: Any) -> Any:
    total, k = c.zero, 1
    while k < 3 or 2 * k * k * y * y < 2.4 * c.dps + 10:
        total += 2 * (-1) ** (k - 1) * c.exp(-2 * k * k * y * y)
        k += 1
    return total


def _smirnov(c: Any, n: Any, d: Any) -> Any:
    return c.fsum(c.binomial(n, j) * d * (d + c.mpf(j) / n) ** (j - 1) * (1 - d - c.mpf(j) / n) ** (n - j)
                  for j in range(int(c.floor(n * (1 - d))) + 1))


_plain({
    "gammainc": _lower, "gammaincc": _upper, "betainc": _beta, "betaincc": _rest, "stdtr": _student, "fdtr": _f,
    "fdtrc": _f_rest, "ncfdtr": _noncentral_f, "nctdtr": _noncentral_t, "kolmogorov": _kolmogorov, "smirnov": _smirnov,
    "chdtr": lambda c, v, x: _lower(c, v / 2, x / 2), "chdtrc": lambda c, v, x: _upper(c, v / 2, x / 2),
    "gdtr": lambda c, a, b, x: _lower(c, b, a * x), "gdtrc": lambda c, a, b, x: _upper(c, b, a * x),
    "pdtr": lambda c, k, m: _upper(c, c.floor(k) + 1, m), "pdtrc": lambda c, k, m: _lower(c, c.floor(k) + 1, m),
    "bdtr": lambda c, k, n, p: _beta(c, n - c.floor(k), c.floor(k) + 1, 1 - p),
    "bdtrc": lambda c, k, n, p: _beta(c, c.floor(k) + 1, n - c.floor(k), p),
    "nbdtr": lambda c, k, n, p: _beta(c, n, c.floor(k) + 1, p),
    "nbdtrc": lambda c, k, n, p: _rest(c, n, c.floor(k) + 1, p),
    "chndtr": lambda c, x, df, nc: _poisson(c, nc / 2, lambda k: _lower(c, df / 2 + k, x / 2)),
    "gammainc_slope": lambda c, a, x, order=1: _derivative(c, lambda u: _lower(c, u, x), a, order),
    "smirnov_slope": lambda c, d, n, order=1: _derivative(c, lambda u: _smirnov(c, n, u), d, order),
    "kolmogorov_slope": lambda c, y, order=1: _derivative(c, lambda u: _kolmogorov(c, u), y, order),
    "zeta": lambda c, s, q: c.zeta(s, q), "zetac": lambda c, x: c.zeta(x) - 1, "riemann_zeta": lambda c, x: c.zeta(x),
    "zeta_slope": lambda c, s, q, order=1: _derivative(c, lambda u: c.zeta(u, q), s, order),
    "riemann_slope": lambda c, x, order=1: _derivative(c, c.zeta, x, order),
})


@defines("betainc_slope")
def _beta_slope(c: Any, a: Any, b: Any, x: Any, order: Any = (1, 0)) -> Any:
    with c.workdps(c.dps + 10):
        return c.diff(lambda u, v: _beta(c, u, v, x), (a, b), tuple(order))


@defines("chi_integral")
def _chi_integral(c: Any, t: Any, df: Any, nc: Any, order: Any) -> Any:
    raise Unavailable("an integral over the chi distribution takes too long")


@defines("level")
def _level(c: Any, s: Any, kind: str, m: int, n: int, order: int) -> Any:
    raise Unavailable("eigenvalues of tridiagonal matrices are in double precision")


@defines("mixed_gamma")
def _mixed_gamma(c: Any, rate: Any, a: Any, x: Any, order: int = 0, density: bool = False) -> Any:
    if order:
        raise Unavailable("derivatives of mixtures in their shape take too long")
    term = (lambda k: x ** (a + k - 1) * c.exp(-x) / c.gamma(a + k)) if density else (lambda k: _lower(c, a + k, x))
    return _poisson(c, rate, term)


@defines("mixed_beta")
def _mixed_beta(c: Any, rate: Any, a: Any, b: Any, y: Any, order: Any = (0, 0), kind: str = "value") -> Any:
    if tuple(order) != (0, 0):
        raise Unavailable("derivatives of mixtures in their shape take too long")
    terms = {"value": lambda k: _beta(c, a + k, b, y),
             "density": lambda k: y ** (a + k - 1) * (1 - y) ** (b - 1) / c.beta(a + k, b),
             "step": lambda k: y ** (a + k) * (1 - y) ** b / ((a + k) * c.beta(a + k, b))}
    return _poisson(c, rate, terms[kind])


# ---------------------------------------------------------------------- inverses


def _inverse(name: str, direct: Definition, place: int) -> None:
    """The number that takes the `place` in which `name` has the probability, so that `direct` gives the latter"""
    titles = list(inspect.signature(direct).parameters)[1:]
    solved, given = titles[place], [("p" if k == place else title) for k, title in enumerate(titles)]

    def definition(c: Any, **values: Any) -> Any:
        from scipy import special

        numbers = [values[title] for title in _TITLES.get(name, given)]
        start = float(getattr(special, name)(*map(float, numbers)))
        fixed = {title: value for k, (title, value) in enumerate(zip(titles, numbers, strict=True)) if k != place}
        goal = numbers[place]

        def gap(unknown: Any) -> Any:
            return direct(c, **fixed, **{solved: unknown}) - goal

        near = start * (1 + 1e-9) if start else 1e-9
        found = c.findroot(gap, (c.mpf(start), c.mpf(near)), tol=c.eps**1.5, verify=False)
        if not abs(gap(found)) < abs(goal) * c.eps ** (c.mpf(3) / 4):
            raise Unavailable(f"{name}: mpmath finds no root near {start}")
        return found

    shown = _TITLES.get(name, given)
    definition.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # inspect.signature looks for it
        [inspect.Parameter(one, inspect.Parameter.POSITIONAL_OR_KEYWORD) for one in ("c", *shown)])
    defines(name)(definition)


#: What the rules call the arguments of an inverse function, where it is not the direct one's names and p.
_TITLES = {"gammaincinv": ["a", "y"], "gammainccinv": ["a", "y"], "betaincinv": ["a", "b", "y"],
           "betainccinv": ["a", "b", "y"], "pdtrik": ["p", "m"], "bdtrik": ["y", "n", "p"], "bdtrin": ["k", "y", "p"],
           "nbdtrik": ["y", "n", "p"], "nbdtrin": ["k", "y", "p"],
           "pdtri": ["k", "y"], "bdtri": ["k", "n", "y"], "nbdtri": ["k", "n", "y"]}

for _name, _forward, _place in (
        ("gammaincinv", "gammainc", 1), ("gammainccinv", "gammaincc", 1), ("betaincinv", "betainc", 2),
        ("betainccinv", "betaincc", 2), ("chdtri", "chdtrc", 1), ("chdtriv", "chdtr", 0), ("gdtria", "gdtr", 0),
        ("gdtrib", "gdtr", 1), ("gdtrix", "gdtr", 2), ("pdtri", "pdtr", 1), ("bdtri", "bdtr", 2),
        ("nbdtri", "nbdtr", 2), ("btdtria", "betainc", 0), ("btdtrib", "betainc", 1), ("fdtri", "fdtr", 2),
        ("fdtridfd", "fdtr", 1), ("stdtrit", "stdtr", 1), ("stdtridf", "stdtr", 0), ("chndtrix", "chndtr", 0),
        ("chndtridf", "chndtr", 1), ("chndtrinc", "chndtr", 2), ("ncfdtri", "ncfdtr", 3), ("ncfdtridfd", "ncfdtr", 1),
        ("ncfdtridfn", "ncfdtr", 0), ("ncfdtrinc", "ncfdtr", 2), ("nctdtrit", "nctdtr", 2), ("nctdtridf", "nctdtr", 0),
        ("nctdtrinc", "nctdtr", 1), ("kolmogi", "kolmogorov", 0), ("smirnovi", "smirnov", 1)):
    _inverse(_name, DEFINITIONS[_forward], _place)

# With counts that need not be whole.
_inverse("pdtrik", lambda c, k, m: _upper(c, k + 1, m), 0)
_inverse("bdtrik", lambda c, k, n, p: _beta(c, n - k, k + 1, 1 - p), 0)
_inverse("bdtrin", lambda c, k, n, p: _beta(c, n - k, k + 1, 1 - p), 1)
_inverse("nbdtrik", lambda c, k, n, p: _beta(c, n, k + 1, p), 0)
_inverse("nbdtrin", lambda c, k, n, p: _beta(c, n, k + 1, p), 1)
