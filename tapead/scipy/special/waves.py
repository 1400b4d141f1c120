"""Mathieu, parabolic cylinder and spheroidal functions, whose second derivative their differential equation gives."""

from __future__ import annotations

from typing import Any

from scipy import special

from .table import NAMES, POSITIVE, declare_results

# Mathieu's equation y'' = (2q cos(2x) - a) y; the angle is in degrees, the result's derivative per radian.
for _kind, _level in (("cem", "mathieu_a"), ("sem", "mathieu_b")):
    declare_results(f"mathieu_{_kind}", "m q x", "y yp", argument="x", at={"m": 2, "q": 0.7}, formulas=[
        f"degree * mathieu_{_kind}_yp(m, q, x)",
        f"degree * (2 * q * cos(2 * degree * x) - {_level}(m, q)) * mathieu_{_kind}_y(m, q, x)"])
    for _number in "12":
        _name = f"mathieu_mod{_kind}{_number}"
        declare_results(_name, "m q x", "y yp", argument="x", domain=(0.0, 2.0), at={"m": 2, "q": 0.7}, formulas=[
            f"{_name}_yp(m, q, x)", f"({_level}(m, q) - 2 * q * cosh(2 * x)) * {_name}_y(m, q, x)"])

declare_results("pbdv", "v x", "d dp", argument="x", at={"v": 1.5}, domain=POSITIVE, formulas=[
    "pbdv_dp(v, x)", "(x * x / 4 - v - 0.5) * pbdv_d(v, x)"])
declare_results("pbvv", "v x", "v vp", argument="x", at={"v": 1.5}, domain=POSITIVE, formulas=[
    "pbvv_vp(v, x)", "(x * x / 4 - v - 0.5) * pbvv_v(v, x)"])
declare_results("pbwa", "a x", "w wp", argument="x", at={"a": 1.5}, domain=(-3.0, 3.0), formulas=[
    "pbwa_wp(a, x)", "(a - x * x / 4) * pbwa_w(a, x)"])


# ((1 - x²) s')' = -(cv - c² x² - m²/(1 - x²)) s; for oblate functions with -c², and the radial ones at ix.
def _angular(cv: Any, c2: Any, m: Any, x: Any, s: Any, slope: Any) -> Any:
    rest = 1 - x * x
    return (2 * x * slope - (cv - c2 * x * x - m * m / rest) * s) / rest


def _radial(cv: Any, c2: Any, m: Any, x: Any, s: Any, slope: Any) -> Any:
    rest = x * x + 1
    return (-2 * x * slope + (cv - c2 * x * x - m * m / rest) * s) / rest


NAMES |= {"angular": _angular, "radial": _radial}
_POINT: dict[str, Any] = {"m": 1, "n": 2, "c": 0.7}
for _shape, _sign in (("pro", "c * c"), ("obl", "-c * c")):
    for _kind in ("ang1", "rad1", "rad2"):
        _equation, _scale = ("radial", "c * c") if (_shape, _kind[:3]) == ("obl", "rad") else ("angular", _sign)
        _domain = {"ang1": (-1.0, 1.0), "rad1": (1.0, 4.0) if _shape == "pro" else (0.0, 4.0),
                   "rad2": (1.0, 4.0) if _shape == "pro" else (0.0, 4.0)}[_kind]
        for _suffix, _level, _arguments, _more in (("", f"{_shape}_cv(m, n, c)", "m, n, c", {}),
                                                   ("_cv", "cv", "m, n, c, cv", {"cv": None})):
            _name = f"{_shape}_{_kind}{_suffix}"
            _values = {"cv": float(getattr(special, f"{_shape}_cv")(1, 2, 0.7))} if _more else {}
            declare_results(
                _name, f"{_arguments.replace(',', '')} x", "s sp", argument="x", domain=_domain, at=_POINT | _values,
                formulas=[f"{_name}_sp({_arguments}, x)",
                          f"{_equation}({_level}, {_scale}, m, x, {_name}_s({_arguments}, x), f)"])

