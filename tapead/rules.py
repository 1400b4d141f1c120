"""The table of all rules: what each primitive is differentiable in, whether that is proved, how many digits it gives.

What takes minutes, proofs and digits, is kept in ``rules.csv`` beside this module; `measure` makes it anew.
"""

from __future__ import annotations

import csv
import importlib
import importlib.util
import inspect
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from .coverage import AREAS, CONSTANT, COVERED, LEFT_OUT, census
from .ops.calls import COMPOSED
from .registry import PRIMITIVES, UFUNCS, Case, Primitive
from .transforms import jvp

__all__ = ["Measured", "Row", "digits_text", "inputs_text", "markdown", "measure", "measured", "rows", "save",
           "versions"]

_FILE = Path(__file__).with_name("rules.csv")
#: What is said where no digit was lost.
_ALL = 16.0
#: How long a proof may take, and a derivative in mpmath.
_SECONDS = 60.0
#: Below this a derivative is zero: what differences in mpmath leave of it.
_NOTHING = 1e-30


class Measured(NamedTuple):
    """What is known of a rule beyond what the registry says.

    Attributes
    ----------
    status : str
        "PROVED", "UNDECIDED" or "REFUTED"; empty where nothing has been tried.
    points : int
        At how many points rule and derivative agree to 50 digits, where there is no proof.
    digits : float or None
        How many digits of the derivative are right in double precision, at the worst of the catalogue's cases.
    against : str
        What the digits are judged by: "50 digits" (mpmath, without any rule) or "differences".
    """

    status: str = ""
    points: int = 0
    digits: float | None = None
    against: str = ""


class Row(NamedTuple):
    """One primitive in the table."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    differentiable: tuple[str, ...]
    formula: str
    measured: Measured


def rows() -> list[Row]:
    """All primitives in alphabetical order; those of SciPy's functions where SciPy is installed."""
    load_all()
    known = measured()
    return [_row(primitive, known.get(name, Measured())) for name, primitive in sorted(PRIMITIVES.items())]


def load_all() -> None:
    """Fill the registry with what is otherwise loaded when it is first used."""
    if importlib.util.find_spec("scipy") is not None:
        for name in ("linalg", "signal", "sparse", "special", "stats"):
            importlib.import_module(f"tapead.scipy.{name}")


def is_ours(primitive: Primitive) -> bool:
    """Whether a primitive is one of this package's, not of its user's or of an example's."""
    code = getattr(inspect.unwrap(primitive.rule or primitive.kernel), "__code__", None)
    return code is None or Path(code.co_filename).is_relative_to(Path(__file__).parent)


def _row(primitive: Primitive, found: Measured) -> Row:
    names = primitive.argument_names
    if not primitive.differentiable or primitive.rule is None:
        return Row(primitive.name, _kind(primitive), names, (), "", Measured())
    formula = ((primitive.rule.__doc__ or "").strip().splitlines() or [""])[0]
    try:
        entries = _entries(primitive)
    except Exception:
        if is_ours(primitive):
            raise
        # A user's, of which the catalogue has no call, or whose surroundings are gone.
        return Row(primitive.name, _kind(primitive), names or ("all",), names or ("all",), formula, found)
    inputs = names[:len(entries)] if names else ("all",)
    differentiable = tuple([name for name, entry in zip(inputs, entries, strict=False) if entry is not None])
    return Row(primitive.name, _kind(primitive), inputs + _static_names(primitive), differentiable, formula, found)


def _static_names(primitive: Primitive) -> tuple[str, ...]:
    """The arguments of an elementwise function that are given by keyword, because no derivative is known in them."""
    if not primitive.elementwise or isinstance(primitive.kernel, np.ufunc):
        return ()
    return tuple([parameter.name for parameter in inspect.signature(primitive.kernel).parameters.values()
                  if parameter.kind is parameter.KEYWORD_ONLY])


def _kind(primitive: Primitive) -> str:
    return "elementwise" if primitive.elementwise else "structural"


def _entries(primitive: Primitive) -> tuple[Any, ...]:
    """What the rule gives for each input of the catalogue's first call."""
    operands, attrs = next(_calls(primitive))
    inputs = tuple([np.asarray(operand, None if np.iscomplexobj(operand) else float)[()] for operand in operands])
    with np.errstate(all="ignore"):
        output = np.asarray(primitive.kernel(*inputs, **attrs))[()]
        op = SimpleNamespace(inputs=inputs, output=output, attrs=attrs)
        entries = primitive.rule(op)  # type: ignore[misc]  # it has one
    return tuple(entries) if isinstance(entries, (tuple, list)) else (entries,)


# ---------------------------------------------------------------------- calls


def _calls(primitive: Primitive) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """The catalogue's calls, on short decimals from the primitive's domain that are the same each time."""
    cases = primitive.cases or (Case(((3,),) * primitive.arity, {}),)
    for number, case in enumerate(cases):
        generator = np.random.default_rng(zlib.crc32(f"{primitive.name} {number}".encode()))
        for _ in range(200):
            operands = tuple([_values(generator, operand, primitive, position) if isinstance(operand, tuple) else
                              operand for position, operand in enumerate(case.operands)])
            if _is_clear_of_kinks(primitive, operands):
                break
        yield operands, case.attrs


def _values(generator: np.random.Generator, shape: tuple[int, ...], primitive: Primitive, position: int) -> Any:
    low, high = primitive.domain[position] if position < len(primitive.domain) else (-np.inf, np.inf)
    low = max(low, -3.0 if np.isinf(high) else high - 6.0)
    high = min(high, low + 6.0)
    size = int(np.prod(shape))
    steps = generator.permutation(4 * size + 3)[:size] + 1.37
    return (np.round(low + (high - low) * steps / (4 * size + 5), 3) + 0.0001 * position).reshape(shape)[()]


def _is_clear_of_kinks(primitive: Primitive, operands: tuple[Any, ...]) -> bool:
    if primitive.kinks is None:
        return True
    names = {"Abs": np.abs, "floor": np.floor, "sin": np.sin, "cos": np.cos, "pi": np.pi, "sqrt": np.sqrt}
    residual = eval(primitive.kinks, names, dict(zip("xyz", operands, strict=False)))  # the registry's own text
    return bool(np.min(np.abs(residual), initial=np.inf) > 0.05)


# ---------------------------------------------------------------------- measuring


def measure(name: str) -> Measured:
    """Prove a rule and count the digits that it gives.

    Parameters
    ----------
    name : str
        Of a primitive with a rule.

    Returns
    -------
    Measured
    """
    from .symbolic import prove
    from .symbolic.timebox import within

    try:
        proof = within(_SECONDS, lambda: prove(name))
        status, points = proof.status, proof.points
    except TimeoutError:
        status, points = "UNDECIDED", 0
    judged = [_digits(PRIMITIVES[name], operands, attrs) for operands, attrs in _calls(PRIMITIVES[name])]
    digits = [found for found, _ in judged if found is not None]
    if not digits:
        return Measured(status, points)
    by_differences = any(against == "differences" for _, against in judged)
    return Measured(status, points, round(min(digits), 1), "differences" if by_differences else "50 digits")


def _digits(primitive: Primitive, operands: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[float | None, str]:
    """The right digits of a directional derivative, and what they were judged by; None where nothing can judge."""
    from . import numeric

    def function(*inputs: Any) -> Any:
        return primitive(*inputs, **attrs)

    point = tuple([np.asarray(operand, None if np.iscomplexobj(operand) else float)[()] for operand in operands])
    direction = _directions(point)
    with np.errstate(all="ignore"):
        tangent = np.asarray(jvp(function, point, direction)[1])
    if tangent.size == 0:
        return _ALL, "50 digits"
    expected, against = _exact(function, point, direction, tangent), "50 digits"
    if expected is None:
        try:
            expected, against = np.asarray(numeric.jvp(function, point, direction).value), "differences"
        except ValueError:  # not of real numbers, or not finite near the point
            return None, ""
    scale = np.max(np.abs(expected), initial=0.0)
    error = np.max(np.abs(tangent - expected), initial=0.0)
    if error <= np.finfo(float).eps * scale or max(error, scale) < _NOTHING:
        return _ALL, against
    return float(np.clip(-np.log10(error / scale), 0.0, _ALL)) if scale else 0.0, against


def _exact(function: Any, point: tuple[Any, ...], direction: tuple[Any, ...], tangent: Any) -> Any:
    """The derivative by mpmath, rounded; None where the function has no meaning there."""
    from .symbolic import precise_function
    from .symbolic.timebox import within

    try:
        exact = np.asarray(within(_SECONDS, lambda: precise_function(function, point).derivative(point, direction)),
                           object)
        rounded = exact.astype(tangent.dtype)
    except Exception:  # no meaning in mpmath, for whatever reason
        return None
    # What has been made floating-point numbers on the way does not move by steps of 1e-26.
    return None if np.any(tangent) and not np.any(rounded) else rounded


def _directions(point: tuple[Any, ...]) -> tuple[Any, ...]:
    generator = np.random.default_rng(1)
    parts = [np.round(generator.uniform(-1, 1, np.shape(x)), 3) for x in point]
    return tuple([(part + 0.5j * part[::-1] if np.iscomplexobj(x) and np.ndim(x) else part)[()]
                  for part, x in zip(parts, point, strict=True)])


def measured() -> dict[str, Measured]:
    """What was measured when the file was made, by name."""
    if not _FILE.exists():
        return {}
    with _FILE.open(encoding="utf-8", newline="") as file:
        return {line["name"]: Measured(line["status"], int(line["points"]),
                                       float(line["digits"]) if line["digits"] else None, line["against"])
                for line in csv.DictReader(file)}


def save(results: dict[str, Measured]) -> Path:
    """Keep measurements in the file, beside those of other rules."""
    known = measured() | results
    with _FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", *Measured._fields])
        writer.writerows([name, *known[name]] for name in sorted(known)
                         if name in PRIMITIVES and is_ours(PRIMITIVES[name]))
    return _FILE


# ---------------------------------------------------------------------- the page


def markdown() -> str:
    """The table and the counts by area as a page of Markdown."""
    table = [row for row in rows() if is_ours(PRIMITIVES[row.name])]
    lines = ["# Coverage", "", f"Made by `tapead rules --markdown` with {versions()}.", "", *_counts(), "",
             *_proofs(table), "", *_left_out(), "", "## Every rule", "",
             "Digits are those of the derivative in double precision at the worst of the rule's test cases, against "
             "mpmath at 50", "digits without any rule, or (≈) against differences, which see no more than about "
             "twelve.", "", "| primitive | differentiable in | proof | digits | derivative |", "|---|---|---|---|---|"]
    for row in table:
        if row.differentiable:
            cells = (f"`{row.name}`", inputs_text(row), _proof(row.measured), digits_text(row.measured), row.formula)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        else:
            lines.append(f"| `{row.name}` | none: constant | | | |")
    return "\n".join(lines) + "\n"


def versions() -> str:
    """What the page was made with: NumPy and SciPy, and which."""
    names = ["NumPy " + _short(np.__version__)]
    if importlib.util.find_spec("scipy") is not None:
        names.append("SciPy " + _short(importlib.import_module("scipy").__version__))
    return " and ".join(names)


def _short(version: str) -> str:
    return ".".join(version.split(".")[:2])


def inputs_text(row: Row) -> str:
    """The inputs that a rule has an entry for, and those that it has none for."""
    without = [name for name in row.inputs if name not in row.differentiable]
    text = ", ".join(row.differentiable) or "none"
    return text + (f", not {', '.join(without)}" if without and row.differentiable else "")


def _proof(found: Measured) -> str:
    if found.status == "UNDECIDED":
        return f"{found.points} points to 50 digits" if found.points else "by tests alone"
    return found.status.lower()


def digits_text(found: Measured) -> str:
    """The digits at the worst case, marked where they are judged by differences."""
    if found.digits is None:
        return ""
    return ("≈ " if found.against == "differences" else "") + f"{found.digits:.1f}"


def _counts() -> list[str]:
    lines = ["| area | covered | constant | left out |", "|---|---|---|---|"]
    for area, namespace in AREAS.items():
        states = Counter(standing.state for standing in census(area, namespace))
        lines.append(f"| `{area}` | {states[COVERED]} | {states[CONSTANT]} | {states[LEFT_OUT]} |")
    if importlib.util.find_spec("scipy") is not None:
        special = importlib.import_module("scipy.special")
        ufuncs = {thing for thing in vars(special).values() if isinstance(thing, np.ufunc)}
        constant = sum(ufunc in UFUNCS and not UFUNCS[ufunc].differentiable for ufunc in ufuncs)
        covered = sum(ufunc in UFUNCS or ufunc in COMPOSED for ufunc in ufuncs) - constant
        lines.append(f"| `scipy.special`, its ufuncs | {covered} | {constant} | {len(ufuncs) - covered - constant} |")
    return lines


def _proofs(table: list[Row]) -> list[str]:
    ruled = [row for row in table if row.differentiable]
    statuses = Counter(row.measured.status for row in ruled)
    worst = sorted((row for row in ruled if row.measured.against == "50 digits" and row.measured.digits is not None),
                   key=lambda row: row.measured.digits or 0.0)[:10]
    return [f"{len(table)} primitives, {len(ruled)} of them differentiable: {statuses['PROVED']} rules are proved, "
            f"{statuses['UNDECIDED']} undecided and", f"{statuses['REFUTED']} refuted. The fewest digits against "
            f"mpmath: {', '.join(f'`{row.name}` {row.measured.digits}' for row in worst)}."]


def _left_out() -> list[str]:
    reasons: dict[str, list[str]] = {}
    for area, namespace in AREAS.items():
        for standing in census(area, namespace):
            if standing.state == LEFT_OUT:
                prefix = area.replace("numpy", "np")
                reasons.setdefault(standing.reason, []).append(f"`{prefix}.{standing.name}`")
    return ["## Left out", "", *[f"- {', '.join(sorted(set(names)))}: {reason}" for reason, names in reasons.items()
                                 if reason != "a type of numbers"]]
