"""The definitions of ``special``, continued: error, Bessel, elliptic and other functions of analysis."""

from __future__ import annotations

from typing import Any

from .special import Definition, _derivative, _plain, defines

# ---------------------------------------------------------------------- error functions


def _faddeeva(c: Any, z: Any) -> Any:
    return c.exp(-z * z) * c.erfc(-1j * z)


def _voigt(c: Any, x: Any, sigma: Any, gamma: Any) -> Any:
    return c.re(_faddeeva(c, (x + 1j * gamma) / (sigma * c.sqrt(2)))) / (sigma * c.sqrt(2 * c.pi))


def _owen(c: Any, h: Any, a: Any) -> Any:
    return c.quad(lambda x: c.exp(-h * h * (1 + x * x) / 2) / (1 + x * x), c.linspace(0, a, 5)) / (2 * c.pi)


def _ndtri(c: Any, y: Any) -> Any:
    return -c.sqrt(2) * c.erfinv(1 - 2 * y)


def _fresnel_integral(c: Any, x: Any, sign: int) -> Any:
    """∫ exp(±it²) dt over [x, ∞)"""
    turn = c.expjpi(sign * c.mpf(1) / 4)
    return turn * c.sqrt(c.pi) / 2 * c.erfc(x / turn)


def _fresnel_scaled(c: Any, x: Any, sign: int) -> Any:
    """K±(x) = exp(∓i(x² + π/4)) F±(x)/√π"""
    return c.exp(-1j * sign * (x * x + c.pi / 4)) * _fresnel_integral(c, x, sign) / c.sqrt(c.pi)


_plain({
    "faddeeva": lambda c, z, order=0: _derivative(c, lambda u: _faddeeva(c, u), z, order),
    "wofz": _faddeeva, "voigt_profile": _voigt, "owens_t": _owen,
    "erfcx_derivative": lambda c, x, order=0: _derivative(c, lambda u: c.exp(u * u) * c.erfc(u), x, order),
    "dawsn_derivative": lambda c, x, order=0: _derivative(
        c, lambda u: c.sqrt(c.pi) / 2 * c.exp(-u * u) * c.erfi(u), x, order),
    "ndtri_exp": lambda c, y: _ndtri(c, c.exp(y)),
    "nrdtrimn": lambda c, p, std, x: x - std * _ndtri(c, p),
    "nrdtrisd": lambda c, mn, p, x: (x - mn) / _ndtri(c, p),
    "modfresnelp_f": lambda c, x: _fresnel_integral(c, x, 1), "modfresnelm_f": lambda c, x: _fresnel_integral(c, x, -1),
    "modfresnelp_k": lambda c, x: _fresnel_scaled(c, x, 1), "modfresnelm_k": lambda c, x: _fresnel_scaled(c, x, -1),
})

# ---------------------------------------------------------------------- Bessel, Struve, Airy, Kelvin


def _scaled(name: str, c: Any, v: Any, z: Any) -> Any:
    if name == "ive":
        return c.besseli(v, z) * c.exp(-abs(c.re(z)))
    if name == "kve":
        return c.besselk(v, z) * c.exp(z)
    if name == "hankel1e":
        return c.hankel1(v, z) * c.exp(-1j * z)
    return c.hankel2(v, z) * c.exp(1j * z)


def _scaled_definitions(name: str) -> dict[str, Definition]:
    return {name: lambda c, v, z: _scaled(name, c, v, z),
            f"{name}_derivative": lambda c, z, v, order=0: _derivative(c, lambda u: _scaled(name, c, v, u), z, order)}


for _name in ("ive", "kve", "hankel1e", "hankel2e"):
    _plain(_scaled_definitions(_name))


def _hankel_parts(c: Any, x: Any, name: str) -> Any:
    """∫ C₀ over [0, x] = x C₀ + πx/2 (H₀ C₁ - H₁ C₀), and the like for K₀ with modified Struve functions"""
    if name == "y":
        other = c.struveh(0, x) * c.bessely(1, x) - c.struveh(1, x) * c.bessely(0, x)
        return x * c.bessely(0, x) + c.pi * x / 2 * other
    other = c.struvel(0, x) * c.besselk(1, x) + c.struvel(1, x) * c.besselk(0, x)
    return x * c.besselk(0, x) + c.pi * x / 2 * other


def _airy_scale(c: Any, z: Any) -> Any:
    return c.exp(c.mpf(2) / 3 * z * c.sqrt(z))


_J, _K = 0.75, 0.25


def _kelvin_b(c: Any, x: Any, order: int = 0) -> Any:
    turn = c.expjpi(_J)
    return c.besselj(0, turn * x) if order == 0 else -turn * c.besselj(1, turn * x)


def _kelvin_k(c: Any, x: Any, order: int = 0) -> Any:
    turn = c.expjpi(_K)
    return c.besselk(0, turn * x) if order == 0 else -turn * c.besselk(1, turn * x)


_plain({
    "jve": lambda c, v, z: c.besselj(v, z) * c.exp(-abs(c.im(z))),
    "yve": lambda c, v, z: c.bessely(v, z) * c.exp(-abs(c.im(z))),
    "jv": lambda c, v, z: c.besselj(v, z), "yv": lambda c, v, z: c.bessely(v, z), "iv": lambda c, v, z: c.besseli(v, z),
    "kv": lambda c, v, z: c.besselk(v, z), "yn": lambda c, n, x: c.bessely(n, x), "kn": lambda c, n, x: c.besselk(n, x),
    "hankel1": lambda c, v, z: c.hankel1(v, z), "hankel2": lambda c, v, z: c.hankel2(v, z),
    "struve": lambda c, v, x: c.struveh(v, x), "modstruve": lambda c, v, x: c.struvel(v, x),
    "itj0y0_j0": lambda c, x: x * c.hyp1f2(0.5, 1, 1.5, -x * x / 4), "itj0y0_y0": lambda c, x: _hankel_parts(c, x, "y"),
    "iti0k0_i0": lambda c, x: x * c.hyp1f2(0.5, 1, 1.5, x * x / 4), "iti0k0_k0": lambda c, x: _hankel_parts(c, x, "k"),
    "it2j0y0_j0": lambda c, x: x * x / 8 * c.hyper([1, 1], [2, 2, 2], -x * x / 4),
    "it2i0k0_i0": lambda c, x: x * x / 8 * c.hyper([1, 1], [2, 2, 2], x * x / 4),
    "it2i0k0_k0": lambda c, x: c.quad(lambda t: c.besselk(0, t) / t, [x, x + 1, x + 5, x + 20, c.inf]),
    "itstruve0": lambda c, x: x * x / c.pi * c.hyper([1, 1], [2, 1.5, 1.5], -x * x / 4),
    "itmodstruve0": lambda c, x: x * x / c.pi * c.hyper([1, 1], [2, 1.5, 1.5], x * x / 4),
    "it2struve0": lambda c, x: c.pi / 2 - 2 * x / c.pi * c.hyper([0.5, 1], [1.5, 1.5, 1.5], -x * x / 4),
    "besselpoly": lambda c, a, lmb, nu: a**nu / (c.gamma(nu + 1) * (lmb + nu + 1)) * c.hyp1f2(
        (lmb + nu + 1) / 2, (lmb + nu + 3) / 2, nu + 1, -a * a),
    "airy_ai": lambda c, z: c.airyai(z), "airy_aip": lambda c, z: c.airyai(z, derivative=1),
    "airy_bi": lambda c, z: c.airybi(z), "airy_bip": lambda c, z: c.airybi(z, derivative=1),
    "airye_ai": lambda c, z: c.airyai(z) * _airy_scale(c, z),
    "airye_aip": lambda c, z: c.airyai(z, derivative=1) * _airy_scale(c, z),
    "airye_bi": lambda c, z: c.airybi(z) / _airy_scale(c, c.mpf(max(z, 0))),
    "airye_bip": lambda c, z: c.airybi(z, derivative=1) / _airy_scale(c, c.mpf(max(z, 0))),
    "itairy_ai": lambda c, x: c.airyai(x, derivative=-1), "itairy_bi": lambda c, x: c.airybi(x, derivative=-1),
    "itairy_ain": lambda c, x: -c.airyai(-x, derivative=-1), "itairy_bin": lambda c, x: -c.airybi(-x, derivative=-1),
    "ber": lambda c, x: c.re(_kelvin_b(c, x)), "bei": lambda c, x: c.im(_kelvin_b(c, x)),
    "ker": lambda c, x: c.re(_kelvin_k(c, x)), "kei": lambda c, x: c.im(_kelvin_k(c, x)),
    "berp": lambda c, x: c.re(_kelvin_b(c, x, 1)), "beip": lambda c, x: c.im(_kelvin_b(c, x, 1)),
    "kerp": lambda c, x: c.re(_kelvin_k(c, x, 1)), "keip": lambda c, x: c.im(_kelvin_k(c, x, 1)),
    "kelvin_be": _kelvin_b, "kelvin_ke": _kelvin_k, "kelvin_bep": lambda c, x: _kelvin_b(c, x, 1),
    "kelvin_kep": lambda c, x: _kelvin_k(c, x, 1),
})

# ---------------------------------------------------------------------- quotients with a removable singularity

_plain({
    "sinc_ratio": lambda c, x, order=0: _derivative(c, c.sinc, x, order),
    "sinhc_ratio": lambda c, x, order=0: _derivative(c, lambda u: c.sinc(1j * u), x, order),
    "i0_ratio": lambda c, x, order=0: _derivative(c, lambda u: u / 4 * c.hyper([1], [2, 2], u * u / 4), x, order),
    "j0_ratio": lambda c, x, order=0: _derivative(c, lambda u: u / 4 * c.hyper([1], [2, 2], -u * u / 4), x, order),
    "struve_ratio": lambda c, x, order=0: _derivative(
        c, lambda u: 2 / c.pi * c.hyper([1], [1.5, 1.5], -u * u / 4), x, order),
})

# ---------------------------------------------------------------------- hypergeometric, polynomials, waves

_plain({
    "hyp0f1": lambda c, v, z: c.hyp0f1(v, z), "hyp1f1": lambda c, a, b, x: c.hyp1f1(a, b, x),
    "hyp2f1": lambda c, a, b, c_, z: c.hyp2f1(a, b, c_, z), "hyperu": lambda c, a, b, x: c.hyperu(a, b, x),
    "eval_sh_jacobi": lambda c, n, p, q, x: c.jacobi(n, p - q, q - 1, 2 * x - 1) / c.binomial(2 * n + p - 1, n),
    "pbdv_d": lambda c, v, x: c.pcfd(v, x), "pbdv_dp": lambda c, v, x: _derivative(c, lambda u: c.pcfd(v, u), x, 1),
    "pbvv_v": lambda c, v, x: c.pcfv(-v - 0.5, x),
    "pbvv_vp": lambda c, v, x: _derivative(c, lambda u: c.pcfv(-v - 0.5, u), x, 1),
    "pbwa_w": lambda c, a, x: c.pcfw(a, x), "pbwa_wp": lambda c, a, x: _derivative(c, lambda u: c.pcfw(a, u), x, 1),
    "lambertw": lambda c, z, k=0, tol=None: c.lambertw(z, k),
    "lpmv": lambda c, m, v, x: c.legenp(v, m, x, type=2),
    "wright_bessel": lambda c, a, b, x: _wright(c, a, b, x),
    "log_wright_bessel": lambda c, a, b, x: c.log(_wright(c, a, b, x)),
    "agm": lambda c, a, b: c.agm(a, b),
    "exprel": lambda c, x: c.expm1(x) / x if x else c.one,
})


def _wright(c: Any, a: Any, b: Any, x: Any) -> Any:
    total, k, power = c.zero, 0, c.one
    while k < 5 or abs(power) * abs(c.rgamma(a * k + b)) > c.eps * 1e-5:
        total += power * c.rgamma(a * k + b)
        k += 1
        power *= x / k
    return total


@defines("tklmbda")
def _tukey(c: Any, x: Any, lmbda: Any) -> Any:
    from scipy import special

    start = c.mpf(float(special.tklmbda(float(x), float(lmbda))))
    return c.findroot(lambda p: (p**lmbda - (1 - p) ** lmbda) / lmbda - x, (start, start * (1 + 1e-9)),
                      tol=c.eps**1.5, verify=False)


# ---------------------------------------------------------------------- elliptic


@defines("carlson_2", "carlson_3", "carlson_4")
def _carlson(c: Any, *variables: Any, halves: Any = (), power: int = 0) -> Any:
    halves = tuple(halves)
    if power:
        raised = next(k for k, half in enumerate(halves) if half > 1)
        lowered = tuple(half - 2 * (k == raised) for k, half in enumerate(halves))
        return _carlson(c, *variables, halves=lowered) - variables[raised] * _carlson(c, *variables, halves=halves)
    whole = [x for x, half in zip(variables, halves, strict=True) if half == 2]
    single = [x for x, half in zip(variables, halves, strict=True) if half == 1]
    if len(whole) + len(single) == len(halves):
        if len(single) == 1:
            return 2 * c.elliprc(*single, *whole)
        return 2 * c.elliprf(*single) if not whole else c.mpf(2) / 3 * c.elliprj(*single, *whole)
    if sorted(halves) == [1, 1, 3]:
        return c.mpf(2) / 3 * c.elliprd(*single, variables[halves.index(3)])
    place = halves.index(max(halves))
    lowered = tuple(half - 2 * (k == place) for k, half in enumerate(halves))

    def below(x: Any) -> Any:
        return _carlson(c, *variables[:place], x, *variables[place + 1:], halves=lowered)

    return -2 / c.mpf(halves[place] - 2) * _derivative(c, below, variables[place], 1)


def _amplitude(c: Any, u: Any, m: Any) -> Any:
    local = c.atan2(c.ellipfun("sn", u, m=m), c.ellipfun("cn", u, m=m))
    return local + 2 * c.pi * c.nint((u * c.pi / (2 * c.ellipk(m)) - local) / (2 * c.pi))


_plain({
    "elliprf": lambda c, x, y, z: c.elliprf(x, y, z), "elliprd": lambda c, x, y, z: c.elliprd(x, y, z),
    "elliprg": lambda c, x, y, z: c.elliprg(x, y, z), "elliprj": lambda c, x, y, z, p: c.elliprj(x, y, z, p),
    "elliprc": lambda c, x, y: c.elliprc(x, y),
    "ellipj_sn": lambda c, u, m: c.ellipfun("sn", u, m=m), "ellipj_cn": lambda c, u, m: c.ellipfun("cn", u, m=m),
    "ellipj_dn": lambda c, u, m: c.ellipfun("dn", u, m=m), "ellipj_ph": _amplitude,
    "ellipk": lambda c, m: c.ellipk(m), "ellipkm1": lambda c, p: c.ellipk(1 - p), "ellipe": lambda c, m: c.ellipe(m),
    "ellipkinc": lambda c, phi, m: c.ellipf(phi, m), "ellipeinc": lambda c, phi, m: c.ellipe(phi, m),
})
