"""The command ``python -m benchmarks.special_accuracy``: first derivatives of scipy.special against mpmath.

Each function is differentiated at seeded random points over its domain, many of them near its ends, and compared with
differences of its definition in mpmath at 70 digits. ``--write`` makes docs/special_functions.md of it.
"""

from __future__ import annotations

import argparse
import contextlib
import time
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tapead as ta
import tapead.scipy.special  # registers the rules
from tapead.registry import PRIMITIVES, Primitive
from tapead.symbolic.algebras import Precise
from tapead.symbolic.arrays import interpret, wrap
from tapead.symbolic.timebox import within

#: Values of arguments that are not differentiated in, tried in turn; by function, or for all.
CONSTANTS: dict[str, dict[str, list[Any]]] = {
    "": {"v": [0.0, 0.5, 1.0, 2.3, 10.0]},
    "yn": {"n": [0, 1, 2, 7]}, "kn": {"n": [0, 1, 2, 7]}, "expn": {"n": [0, 1, 2, 5]},
    "hyperu": {"a": [0.7, 2.0], "b": [1.5, 0.3]}, "hyp1f1": {"a": [0.7, -1.5], "b": [1.5, 3.0]},
    "hyp0f1": {"v": [1.5, 0.3]}, "pbdv_d": {"v": [1.5, 0.0, 3.0]}, "pbvv_v": {"v": [1.5, 0.5]},
}
#: Where a function is of use, if narrower than where its rule holds.
RANGES: dict[str, list[tuple[float, float]]] = {
    "yn": [(0.05, 60.0)], "y0": [(1e-3, 60.0)], "y1": [(1e-3, 60.0)],
    "ber": [(-15.0, 15.0)], "bei": [(-15.0, 15.0)], "berp": [(-15.0, 15.0)], "beip": [(-15.0, 15.0)],
    "ker": [(1e-3, 15.0)], "kei": [(1e-3, 15.0)], "kerp": [(1e-3, 15.0)], "keip": [(1e-3, 15.0)],
    "kelvin_be": [(1e-3, 15.0)], "kelvin_ke": [(1e-3, 15.0)], "kelvin_bep": [(1e-3, 15.0)],
    "kelvin_kep": [(1e-3, 15.0)], "pbdv_d": [(0.01, 12.0)], "pbdv_dp": [(0.01, 12.0)], "pbvv_v": [(0.01, 12.0)],
    "pbvv_vp": [(0.01, 12.0)], "airy_ai": [(-15.0, 15.0)], "airy_aip": [(-15.0, 15.0)], "airy_bi": [(-15.0, 15.0)],
    "airy_bip": [(-15.0, 15.0)], "airye_ai": [(0.01, 50.0)], "airye_aip": [(0.01, 50.0)], "airye_bi": [(0.01, 50.0)],
    "airye_bip": [(0.01, 50.0)], "hyperu": [(0.01, 30.0)], "struve": [(0.01, 40.0)], "modstruve": [(0.01, 40.0)],
    "gammainc": [(0.05, 200.0), (0.05, 200.0)], "gammaincc": [(0.05, 200.0), (0.05, 200.0)],
    "betainc": [(0.05, 50.0), (0.05, 50.0), (0.0, 1.0)], "betaincc": [(0.05, 50.0), (0.05, 50.0), (0.0, 1.0)],
    "gammaincinv": [(0.2, 50.0), (0.01, 0.99)], "gammainccinv": [(0.2, 50.0), (0.01, 0.99)],
    "betaincinv": [(0.5, 20.0), (0.5, 20.0), (0.01, 0.99)], "betainccinv": [(0.5, 20.0), (0.5, 20.0), (0.01, 0.99)],
    "chdtr": [(0.1, 100.0), (0.1, 100.0)], "chdtrc": [(0.1, 100.0), (0.1, 100.0)],
    "chdtri": [(1.0, 50.0), (0.01, 0.99)], "chdtriv": [(0.01, 0.99), (1.0, 50.0)],
    "gdtr": [(0.2, 5.0), (0.2, 30.0), (0.2, 10.0)],
    "gdtrc": [(0.2, 5.0), (0.2, 30.0), (0.2, 10.0)], "gdtria": [(0.01, 0.99), (0.5, 20.0), (0.5, 10.0)],
    "gdtrib": [(0.5, 10.0), (0.01, 0.99), (0.5, 10.0)], "gdtrix": [(0.5, 10.0), (0.5, 20.0), (0.01, 0.99)],
    "btdtria": [(0.05, 0.95), (0.5, 10.0), (0.05, 0.95)], "btdtrib": [(0.5, 10.0), (0.05, 0.95), (0.05, 0.95)],
    "fdtr": [(0.5, 30.0), (0.5, 30.0), (0.05, 10.0)], "fdtrc": [(0.5, 30.0), (0.5, 30.0), (0.05, 10.0)],
    "fdtri": [(1.0, 20.0), (1.0, 20.0), (0.05, 0.95)], "stdtr": [(0.5, 50.0), (-20.0, 20.0)],
    "stdtrit": [(1.0, 50.0), (0.01, 0.99)], "chndtr": [(0.1, 60.0), (0.5, 30.0), (0.1, 40.0)],
    "chndtrix": [(0.05, 0.95), (0.5, 30.0), (0.1, 40.0)],
    "ncfdtr": [(0.5, 30.0), (0.5, 30.0), (0.1, 20.0), (0.1, 10.0)],
    "nctdtr": [(0.5, 50.0), (-3.0, 3.0), (-10.0, 10.0)], "nctdtrit": [(2.0, 50.0), (-2.0, 2.0), (0.05, 0.95)],
    "voigt_profile": [(-20.0, 20.0), (0.05, 10.0), (0.01, 10.0)], "owens_t": [(-6.0, 6.0), (-6.0, 6.0)],
    "poch": [(0.01, 60.0), (0.01, 60.0)], "beta": [(0.01, 60.0), (0.01, 60.0)], "gamma": [(0.01, 150.0)],
    "rgamma": [(-20.0, 150.0)], "psi": [(1e-3, 1e4)], "ellipk": [(-50.0, 1.0)], "ellipe": [(-50.0, 1.0)],
    "kolmogorov": [(0.05, 4.0)], "itairy_bi": [(0.0, 8.0)], "itairy_ai": [(0.0, 20.0)],
    "dawsn": [(-50.0, 50.0)], "erfcx": [(-10.0, 1e4)], "exprel": [(-50.0, 200.0)], "log_ndtr": [(-100.0, 8.0)],
    "lambertw": [(1e-6, 1e6)], "wrightomega": [(-50.0, 100.0)], "zeta": [(1.01, 30.0), (1e-3, 1e3)],
    "ellipj_sn": [(-3.0, 3.0), (0.01, 0.99)], "ellipj_cn": [(-3.0, 3.0), (0.01, 0.99)],
    "ellipj_dn": [(-3.0, 3.0), (0.01, 0.99)], "ellipj_ph": [(-3.0, 3.0), (0.01, 0.99)],
    "iti0k0_i0": [(0.01, 50.0)], "itj0y0_j0": [(0.01, 60.0)], "itj0y0_y0": [(0.01, 60.0)], "iti0k0_k0": [(0.01, 30.0)],
    "it2i0k0_i0": [(0.01, 50.0)], "it2j0y0_j0": [(0.01, 60.0)], "it2i0k0_k0": [(0.01, 20.0)],
    "itstruve0": [(0.01, 60.0)], "itmodstruve0": [(0.01, 40.0)], "it2struve0": [(0.01, 60.0)],
    "shichi_shi": [(0.01, 100.0)], "shichi_chi": [(0.01, 100.0)], "boxcox": [(1e-3, 1e3), (-3.0, 3.0)],
    "boxcox1p": [(-0.9, 1e3), (-3.0, 3.0)], "powm1": [(1e-3, 1e3), (-9.0, 9.0)],
    "smirnov": [(0.01, 0.99)], "smirnovi": [(0.01, 0.99)], "pro_cv": [(0.0, 20.0)], "obl_cv": [(0.0, 20.0)],
    "bdtrik": [(0.05, 0.95), (18.0, 30.0), (0.1, 0.9)], "nbdtrik": [(0.05, 0.95), (18.0, 30.0), (0.2, 0.8)],
    "pdtrik": [(0.05, 0.95), (3.0, 20.0)],
}


@dataclass
class Result:
    """What was found of one function in one argument.

    Attributes
    ----------
    name, argument : str
        Of the function.
    worst : float
        The largest error of the derivative, relative to |f'| + |x f''|: what a rounded argument costs is left out.
    place : str
        Where that was.
    value : float
        The largest error of SciPy's own value, relative to |f| + |x f'|.
    points : int
        How many points were compared.
    """

    name: str
    argument: str
    worst: float
    place: str
    value: float
    points: int


def functions() -> list[str]:
    """The names of the primitives that stand for functions of SciPy, without their prefix."""
    from tapead.symbolic.special import DEFINITIONS

    inner = ("_slope", "_derivative", "_density", "_difference", "carlson", "mixed_", "chi_integral", "faddeeva",
             "polygamma", "_ratio", "level")
    found = []
    for name, primitive in sorted(PRIMITIVES.items()):
        short = name.removeprefix("special_")
        if name != short and primitive.differentiable and not any(part in short for part in inner) \
                and (primitive.sympy is not None or short in DEFINITIONS):
            found.append(short)
    return found


def draw(primitive: Primitive, short: str, count: int) -> Iterator[tuple[tuple[float, ...], dict[str, Any]]]:
    """Points and constants."""
    generator = np.random.default_rng(zlib.crc32(short.encode()))
    attrs = dict(primitive.cases[0].attrs) if primitive.cases else {}
    choices = {key: CONSTANTS.get(short, {}).get(key, CONSTANTS[""].get(key) if isinstance(value, float) else None)
               or [value] for key, value in attrs.items()}
    ranges = RANGES.get(short, list(primitive.domain))
    for number in range(count):
        point = tuple(_one(generator, low, high) for low, high in ranges)
        yield point, {key: values[number % len(values)] for key, values in choices.items()}


def _one(generator: np.random.Generator, low: float, high: float) -> float:
    """Near the ends, or evenly, by turns"""
    way = generator.integers(3)
    if np.isinf(low) and np.isinf(high):
        return float(np.exp(generator.uniform(np.log(1e-3), np.log(30.0))) * generator.choice([-1, 1]))
    if np.isinf(high):
        return low + float(np.exp(generator.uniform(np.log(1e-5), np.log(100.0))))
    if np.isinf(low):
        return high - float(np.exp(generator.uniform(np.log(1e-5), np.log(100.0))))
    if way == 0:
        return low + (high - low) * float(np.exp(generator.uniform(np.log(1e-5), 0.0)))
    if way == 1:
        return high - (high - low) * float(np.exp(generator.uniform(np.log(1e-5), 0.0)))
    return float(generator.uniform(low, high))


def reference(primitive: Primitive, point: tuple[float, ...], attrs: dict[str, Any], place: int,
              digits: int = 40) -> tuple[Any, ...]:
    """f, f' and f'' in one argument, by differences in mpmath."""
    algebra = Precise(digits)
    c = algebra.context
    step = c.mpf(abs(point[place]) or 1.0) * c.mpf(10) ** -18

    def value(move: int) -> Any:
        ducks = [wrap(algebra, np.array(c.mpf(x) + (move * step if k == place else 0), object)[()])
                 for k, x in enumerate(point)]
        return interpret(primitive, tuple(ducks), attrs).elements.item()

    below, here, above = value(-1), value(0), value(1)
    slope = (above - below) / (2 * step)
    lost = int(c.log10(abs(here / (point[place] * slope)))) if here and slope and point[place] else 0
    if lost > 5 and digits == 40:  # in a tail, where the value is 1 but for a little
        return reference(primitive, point, attrs, place, 60 + lost)
    return here, slope, (above - 2 * here + below) / step**2


def measure(short: str, count: int = 12, seconds: float = 10.0) -> list[Result]:
    """The worst errors of one function, in each of its arguments."""
    primitive = PRIMITIVES[f"special_{short}"]
    titles = primitive.argument_names[:primitive.arity]
    results = [Result(short, title, 0.0, "", 0.0, 0) for title in titles]
    deadline = time.monotonic() + seconds
    for point, attrs in draw(primitive, short, count):
        for place, result in enumerate(results):
            if time.monotonic() > deadline:
                break
            with contextlib.suppress(Exception):  # points at which mpmath has no value, or none in time
                exact = within(max(deadline - time.monotonic(), 0.1),
                               lambda point=point, attrs=attrs, place=place: reference(primitive, point, attrs, place))
                _compare(primitive, result, point, attrs, place, exact)
    return results


def derivative(primitive: Primitive, point: tuple[float, ...], attrs: dict[str, Any], place: int) -> tuple[Any, Any]:
    """The value and the derivative in one argument, as tapead computes them."""
    direction = tuple(float(k == place) for k in range(len(point)))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ta.jvp(lambda *x: primitive(*x, **attrs), point, direction)  # type: ignore[return-value]  # a pair


def _compare(primitive: Primitive, result: Result, point: tuple[float, ...], attrs: dict[str, Any], place: int,
             exact: tuple[Any, ...]) -> None:
    value, slope, curvature = (complex(one) for one in exact)
    out, got = derivative(primitive, point, attrs, place)
    if not np.isfinite(slope) or not np.isfinite(out) or not 1e-280 < abs(slope) < 1e280:
        return
    x = abs(point[place])
    error = abs(got - slope) / (abs(slope) + x * abs(curvature))
    result.points += 1
    moved = sum(abs(float(other)) for other in [x * abs(slope)])
    result.value = max(result.value, abs(out - value) / (abs(value) + moved))
    if not error <= result.worst:
        result.worst = float(error) if np.isfinite(error) else float("inf")
        shown = [*(f"{name}={one:.6g}" for name, one in zip(primitive.argument_names, point, strict=False)),
                 *(f"{name}={one:g}" for name, one in attrs.items() if isinstance(one, (int, float)))]
        result.place = ", ".join(shown)


HEAD = """# The functions of `scipy.special`, and how accurate their derivatives are

Generated by `python -m benchmarks.special_accuracy --write`: {count} functions of SciPy {version} at seeded random
points of their domains, against differences of their definitions in mpmath at 70 digits.

The error of a derivative is |computed - exact| / (|f'| + |x f''|): what rounding the argument costs, which no formula
can avoid, is left out. That of SciPy's own value, which bounds what a derivative made of it can be, is relative to
|f| + |x f'|. In arguments that are not listed there is no derivative; differentiating in one raises, naming it.

| function | in | worst error | at | SciPy's value |
|---|---|---|---|---|
"""


def table(results: list[Result]) -> str:
    """The rows of the document."""
    rows = []
    for one in results:
        if one.points:
            rows.append(f"| `{one.name}` | {one.argument} | {one.worst:.0e} | {one.place} | {one.value:.0e} |")
        else:
            rows.append(f"| `{one.name}` | {one.argument} | not compared | | |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Measure all functions, or those named, and print or write the table."""
    import scipy

    parser = argparse.ArgumentParser(prog="python -m benchmarks.special_accuracy", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="functions; all by default")
    parser.add_argument("--points", type=int, default=12, help="points for each")
    parser.add_argument("--seconds", type=float, default=6.0, help="at most, for each")
    parser.add_argument("--write", action="store_true", help="write docs/special_functions.md")
    options = parser.parse_args()
    results: list[Result] = []
    for name in options.names or functions():
        found = measure(name, options.points, options.seconds)
        print(table(found), end="", flush=True)
        results += found
    if options.write:
        target = Path(__file__).resolve().parents[1] / "docs" / "special_functions.md"
        head = HEAD.format(count=len({one.name for one in results}), version=scipy.__version__)
        target.write_text(head + table(sorted(results, key=lambda one: (one.name, one.argument))))


if __name__ == "__main__":
    main()
