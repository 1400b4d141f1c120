"""``tapead`` on the command line: check a derivative, look at a tape, list and prove the rules."""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tapead

from .checks.report import InputSummary, Report, entry_name, place
from .expressions import Expression, ExpressionError, known_functions, parse, parse_value
from .registry import PRIMITIVES, Primitive
from .tape import Leaf, wengert_list
from .transforms import Recording

__all__ = ["main"]

_ASCII = str.maketrans({"∂": "d", "±": "+-", "⟨": "<", "⟩": ">", "ᵀ": "'", "²": "^2", "³": "^3", "·": "*", "√": "sqrt",
                        "∈": "in", "ℝ": "R", "−": "-", "½": "1/2", "Σ": "sum", "∏": "prod", "π": "pi"})
#: Up to this many elements each has its own lines.
MANY = 12


class BadInputError(Exception):
    """What the user typed cannot be used; one line says why."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    int
        0 where all agrees, 1 where not, 2 for bad input.
    """
    try:
        options = _parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return int(stop.code or 0)
    try:
        return int(options.run(options))
    except (BadInputError, ExpressionError) as error:
        _print("tapead: " + " ".join(str(error).split()), sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 -- stays open for what the interpreter flushes at its end
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tapead", description="Exact derivatives of NumPy programs, and proof that they are right.")
    parser.add_argument("--version", action="version", version=f"tapead {tapead.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check", help="compare numeric, symbolic and automatic derivatives at a point",
        description="Compare the derivatives of a formula, or of a Python function, at a point.")
    check.add_argument("what", metavar="FORMULA|MODULE:FUNCTION", help='"x**2 * sin(y)" or package.module:function')
    check.add_argument("values", nargs="*", metavar="NAME=VALUE", help="x=1.5 or x=[1.0,2.0], for a formula")
    check.add_argument("--at", metavar="LIST", help="for a function: its arguments as a list, '[[1.0, 2.0], 3.0]'")
    check.add_argument("--jac", metavar="MODULE:FUNCTION", help="check this Jacobian instead of tapead's own")
    check.add_argument("--order", type=int, choices=(1, 2), default=1, help="2 checks second derivatives as well")
    check.add_argument("--no-symbolic", action="store_true", help="do not ask SymPy")
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    check.set_defaults(run=_check)
    tape = commands.add_parser("tape", help="print the Wengert list of a formula")
    tape.add_argument("what", metavar="FORMULA")
    tape.add_argument("values", nargs="*", metavar="NAME=VALUE")
    tape.set_defaults(run=_tape)
    rules = commands.add_parser("rules", help="list the primitives and their rules")
    rules.add_argument("--prove", action="store_true", help="prove each rule (takes minutes)")
    rules.set_defaults(run=_rules)
    prove = commands.add_parser("prove", help="prove derivative rules with SymPy")
    prove.add_argument("names", nargs="*", metavar="NAME", help="of primitives; all by default")
    prove.set_defaults(run=_prove)
    return parser


# ---------------------------------------------------------------------- tapead check


def _check(options: argparse.Namespace) -> int:
    symbolic = not options.no_symbolic
    if _is_reference(options.what):
        function, args = _load(options.what), _arguments(options)
        names, title = None, options.what
    else:
        if options.at is not None or options.jac is not None:
            raise BadInputError("--at and --jac belong to package.module:function; a formula takes NAME=VALUE")
        formula, args = _formula(options)
        if not args:
            raise BadInputError(f"there is nothing to differentiate in: {formula.text!r} has no variables")
        function, names, title = formula, list(formula.names), formula.text
    jac = None if options.jac is None else _load(options.jac)
    try:
        report = tapead.gradcheck(function, args, jac=jac, order=options.order, raise_exception=False,
                                  symbolic=symbolic, names=names)
    except ExpressionError:
        raise
    except Exception as error:
        raise BadInputError(str(error).removeprefix("gradcheck: ") or type(error).__name__) from error
    if options.json:
        _print(json.dumps(report.to_dict(), indent=2))
    else:
        _print("\n".join(_described(report, title, function, args)))
    return 0 if report else 1


def _described(report: Report, title: str, function: Callable[..., Any], args: tuple[Any, ...]) -> list[str]:
    value = function(*[np.array(x)[()] for x in args])
    names = [summary.name for summary in report.inputs]
    point = ", ".join(f"{name} = {_brief(x)}" for name, x in zip(names, args, strict=False))
    lines = [f"f = {title}" + (f"   at {point}" if point else ""), f"  = {_brief(np.asarray(value))}", ""]
    scalar = np.size(value) == 1
    for position, summary in enumerate(sorted(report.inputs, key=lambda s: names.index(s.name))):
        size = int(np.prod(summary.shape))
        if scalar and size <= MANY:
            for element in range(size):
                lines += _entry(report, summary, position, element)
        else:
            lines += _worst(summary)
    lines.append(str(report) if report.verdict != "pass" else _verdict(report))
    return lines


def _entry(report: Report, summary: InputSummary, position: int, element: int) -> list[str]:
    """The lines for one derivative: every leg's value, the error bar, the formula."""
    index = tuple(int(part) for part in np.unravel_index(element, summary.shape)) if summary.shape else ()
    lines = [f"∂f/∂{summary.name}{place(index)}"]
    infinite = False
    for leg in report.legs:
        if leg.unavailable:
            if leg.name == "symbolic":
                lines.append(f"  {leg.name:<12} unavailable: {leg.unavailable}")
            continue
        if leg.values is None:
            continue
        value = float(np.ravel(leg.values[position])[element])
        if np.isnan(value):
            continue
        infinite = infinite or bool(np.isinf(value))
        line = f"  {leg.name:<12} {value:<+24.16g}"
        if leg.errors is not None:
            line += f" ± {float(np.ravel(leg.errors[position])[element]):.1e}"
        if leg.formulas is not None:
            formula = str(leg.formulas[position][element])
            line += f" {formula}" if len(formula) <= 60 else f"\n  {'':<12} {formula}"
        lines.append(line.rstrip())
    digits = _digits(report, position, element)
    at_kink = report.verdict == "kink" and digits < 1
    if at_kink:
        return [*lines, "  at a kink", ""]
    if infinite:
        return [*lines, "  infinite: the difference quotients grow without bound", ""]
    return [*lines, f"  {'agree to':<12} {digits:.1f} digits", ""]


def _digits(report: Report, position: int, element: int) -> float:
    """The digits to which all legs agree on one entry, their error bars counted."""
    values, errors = [], [0.0]
    for leg in report.legs:
        if leg.values is None:
            continue
        value = float(np.ravel(leg.values[position])[element])
        if np.isfinite(value):
            values.append(value)
        if leg.errors is not None and leg.name == "numeric":
            errors.append(float(np.ravel(leg.errors[position])[element]))
    off, size = max(max(values) - min(values), *errors), max(map(abs, values))
    return 16.0 if off == 0 else float(np.clip(-np.log10(off / size), 0, 16)) if size > 0 else 0.0


def _worst(summary: InputSummary) -> list[str]:
    lines = [f"∂f/∂{summary.name}   shape {place(summary.shape) or 'number'}, agrees to {summary.digits:.1f} digits"]
    if summary.worst is not None:
        lines += [f"  worst entry  {entry_name(summary)}", f"  found        {summary.found:<+24.16g}",
                  f"  expected     {summary.expected:<+24.16g} ± {summary.bar:.1e}"]
    return [*lines, ""]


def _verdict(report: Report) -> str:
    lines = [f"verdict: PASS: all legs agree, to at least {report.digits:.1f} digits"]
    if report.detection:
        lines.append(report.detection)
    if report.second is not None:
        lines.append(f"second derivatives: {report.second.verdict.upper()}, "
                     f"to at least {report.second.digits:.1f} digits")
    return "\n".join(lines)


# ---------------------------------------------------------------------- the other commands


def _tape(options: argparse.Namespace) -> int:
    formula, args = _formula(options)
    recording = Recording("tape", formula, args, {}, range(len(args)))
    leaves = [stand_in._entry for stand_in in recording.inputs]
    entries: list[Any] = [*leaves, *(entry for entry in recording.order if not isinstance(entry, Leaf))]
    names = dict(zip(leaves, formula.names, strict=True))
    rows = []
    for entry, line in zip(entries, wengert_list(entries).splitlines(), strict=True):
        text = " ".join(line.removesuffix(entry.where).split())
        rows.append((text.replace(" = input", f" = {names[entry]}") if entry in names else text, _brief(entry.output)))
    width = max((len(text) for text, _ in rows), default=0)
    _print("\n".join(f"{text:<{width}}   {value}" for text, value in rows))
    return 0


def _rules(options: argparse.Namespace) -> int:
    rows = [("NAME", "INPUTS", "KIND", "PROOF", "DERIVATIVE")]
    for name, primitive in sorted(PRIMITIVES.items()):
        status = _status(primitive) if options.prove else "-"
        kind = "elementwise" if primitive.elementwise else "structural"
        names = ", ".join(primitive.argument_names) or "any"
        rows.append((name, names if len(names) <= 20 else names[:17] + "...", kind, status, _formula_of(primitive)))
    _table(rows)
    return 0


def _status(primitive: Primitive) -> str:
    if not primitive.differentiable or primitive.rule is None:
        return "-"
    try:
        from .symbolic import prove

        return str(prove(primitive.name).status)
    except Exception as error:  # one rule that cannot be tried must not hide the others
        return type(error).__name__


def _formula_of(primitive: Primitive) -> str:
    if not primitive.differentiable:
        return "not differentiable"
    if primitive.rule is None:
        return "no rule"
    return ((primitive.rule.__doc__ or "").strip().splitlines() or [""])[0]


def _prove(options: argparse.Namespace) -> int:
    from .symbolic import prove, prove_all

    try:
        proofs = [prove(name) for name in options.names] if options.names else prove_all()
    except (LookupError, ValueError) as error:
        raise BadInputError(str(error.args[0] if error.args else error)) from None
    _table([("NAME", "STATUS", "EVIDENCE"), *((proof.name, proof.status, proof.evidence) for proof in proofs)])
    refuted = sum(proof.status == "REFUTED" for proof in proofs)
    proved = sum(proof.status == "PROVED" for proof in proofs)
    _print(f"\n{proved} of {len(proofs)} proved, {refuted} refuted")
    return 1 if refuted else 0


def _table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        _print("  ".join([*cells, row[-1]]).rstrip())


# ---------------------------------------------------------------------- reading what was typed


def _formula(options: argparse.Namespace) -> tuple[Expression, tuple[Any, ...]]:
    """The formula and the values of its variables, in their order."""
    formula = parse(options.what)
    values = {}
    for text in options.values:
        name, sign, value = text.partition("=")
        name = name.strip()
        if not sign or not name.isidentifier():
            raise BadInputError(f"expected NAME=VALUE, got {text!r}")
        if name in values:
            raise BadInputError(f"{name} was given twice")
        values[name] = parse_value(name, value)
    missing = [name for name in formula.names if name not in values]
    if missing:
        near = difflib.get_close_matches(missing[0], [*values, *known_functions()], n=2)
        hint = f"; did you mean {' or '.join(near)}?" if near else f": add {missing[0]}=..."
        raise ExpressionError(f"no value for {missing[0]!r}{hint}", formula.text, formula.column_of(missing[0]))
    unused = [name for name in values if name not in formula.names]
    if unused:
        raise BadInputError(f"{unused[0]} is not in the formula {formula.text!r}, whose variables are "
                       f"{', '.join(formula.names) or 'none'}")
    return formula, tuple(values[name] for name in formula.names)


def _is_reference(text: str) -> bool:
    module, colon, function = text.partition(":")
    return bool(colon) and function.replace(".", "a").isidentifier() and module.replace(".", "a").isidentifier()


def _load(reference: str) -> Callable[..., Any]:
    """The function that ``package.module:function`` names; modules in the current directory are found too."""
    if not _is_reference(reference):
        raise BadInputError(f"expected package.module:function, got {reference!r}")
    module_name, _, path = reference.partition(":")
    directory = os.getcwd()
    if directory not in sys.path:
        sys.path.insert(0, directory)
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:  # whatever the module does when imported is the user's to see
        raise BadInputError(f"cannot import {module_name}: {type(error).__name__}: {error}") from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise BadInputError(f"{module_name} has no {path!r}")
        found = getattr(found, part)
    if not callable(found):
        raise BadInputError(f"{reference} is not a function")
    return found  # type: ignore[no-any-return]  # it is callable, that is all that is known


def _arguments(options: argparse.Namespace) -> tuple[Any, ...]:
    """The point for a function: the elements of the list given by ``--at``."""
    if options.values:
        raise BadInputError(f"{options.values[0]!r}: NAME=VALUE belongs to a formula; a function's arguments are given "
                            "by --at")
    if options.at is None:
        raise BadInputError(f"{options.what} needs --at with its arguments as a list, as in --at '[[1.0, 2.0]]'")
    try:
        point = json.loads(options.at)
        args = tuple(np.asarray(x, dtype=float)[()] for x in (point if isinstance(point, list) else [point]))
    except (ValueError, TypeError) as error:
        raise BadInputError(f"--at must be a list of numbers and lists, as in '[[1.0, 2.0]]', not {options.at!r}: "
                            f"{error}") from None
    if not args:
        raise BadInputError("--at is an empty list: the function has nothing to be differentiated in")
    return args


def _brief(value: Any) -> str:
    array = np.asarray(value)
    if array.shape == ():
        return f"{array.item():.10g}"
    text = np.array2string(array, precision=5, separator=", ", threshold=8, edgeitems=2).replace("\n", " ")
    return " ".join(text.split()) if len(text) <= 60 else f"array{list(array.shape)}"


def _print(text: str, stream: Any = None) -> None:
    """Print; signs that the console's encoding lacks are spelt out."""
    stream = stream or sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(_ASCII).encode(encoding, "replace").decode(encoding)
    print(text, file=stream)


if __name__ == "__main__":
    sys.exit(main())
