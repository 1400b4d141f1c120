"""Derivatives of scipy.special's functions: importing this registers their rules.

There is seldom a need to import it: the first function of ``scipy.special`` that is called with a tensor does. Each
ufunc is a primitive ``special_<name>``; several functions that are no ufuncs are offered here, for tensors and arrays.
"""

from . import (  # noqa: F401, I001 -- later tables use earlier ones
    table,
    elementary,
    errors,
    gamma,
    incomplete,
    zeta,
    bessel,
    integrals,
    hypergeometric,
    polynomials,
    elliptic,
    levels,
    waves,
    distributions,
    noncentral,
)
from .counting import (
    comb,
    diric,
    factorial,
    legendre_p,
    perm,
    sph_harm_y,
    sph_legendre_p,
    spherical_in,
    spherical_jn,
    spherical_kn,
    spherical_yn,
)
from .reductions import log_softmax, logsumexp, multigammaln, polygamma, softmax

__all__ = ["comb", "diric", "factorial", "legendre_p", "log_softmax", "logsumexp", "multigammaln", "perm", "polygamma",
           "softmax", "sph_harm_y", "sph_legendre_p", "spherical_in", "spherical_jn", "spherical_kn", "spherical_yn"]
