"""``tapead`` on the command line: check a derivative, look at a tape, list and prove the rules."""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tapead

from .checks.listing import brief, described
from .checks.report import Report
from .checks.text import in_colour
from .expressions import Expression, ExpressionError, known_functions, parse, parse_value
from .recordings import Recording
from .registry import PRIMITIVES, Primitive
from .tape import Leaf, wengert_list

__all__ = ["main"]

_ASCII = str.maketrans({"∂": "d", "±": "+-", "⟨": "<", "⟩": ">", "ᵀ": "'", "²": "^2", "³": "^3", "·": "*", "√": "sqrt",
                        "∈": "in", "ℝ": "R", "−": "-", "½": "1/2", "Σ": "sum", "∏": "prod", "π": "pi"})


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
        0 where all agrees, 1 where not (or where it is not known), 2 for bad input, 130 when interrupted.
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
    except KeyboardInterrupt as interrupt:
        report = getattr(interrupt, "report", None)
        _print("interrupted" if report is None else str(report), sys.stderr)
        return 130
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
    check.add_argument("--search", action="store_true",
                       help="search for other points at which the derivative is wrong, too")
    check.add_argument("--within", nargs=2, type=float, metavar=("LOW", "HIGH"),
                       help="where to search: every number between these; anywhere by default")
    check.add_argument("--order", type=int, choices=(1, 2), default=1, help="2 checks second derivatives as well")
    check.add_argument("--no-symbolic", action="store_true", help="do not ask SymPy")
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    check.add_argument("--plot", metavar="FILE", help="draw the report into a file (.png, .pdf, .svg)")
    check.set_defaults(run=_check)
    tape = commands.add_parser("tape", help="print the Wengert list of a formula")
    tape.add_argument("what", metavar="FORMULA")
    tape.add_argument("values", nargs="*", metavar="NAME=VALUE")
    tape.set_defaults(run=_tape)
    rules = commands.add_parser("rules", help="list the primitives, and what is known of their rules")
    rules.add_argument("names", nargs="*", metavar="NAME", help="of primitives; all by default")
    rules.add_argument("--prove", action="store_true", help="prove each rule and count its digits now (takes minutes)")
    rules.add_argument("--save", action="store_true", help="keep what --prove finds, for later tables")
    rules.add_argument("--markdown", action="store_true", help="the page docs/coverage.md: this table, and the counts "
                       "of NumPy's functions by area")
    rules.set_defaults(run=_rules)
    prove = commands.add_parser("prove", help="prove derivative rules with SymPy")
    prove.add_argument("names", nargs="*", metavar="NAME",
                       help="of primitives, or package.module:primitive for your own; all by default")
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
                                  symbolic=symbolic, names=names, elsewhere=not options.search)
    except ExpressionError:
        raise
    except Exception as error:
        raise BadInputError(str(error).removeprefix("gradcheck: ") or type(error).__name__) from error
    found = _search(options, function, args, jac, names) if options.search and report else None
    if options.plot is not None:
        _draw(report if found is None else found.report, options.plot)
    if options.json:
        data = report.to_dict()
        if options.search:
            data["counterexample"] = None if found is None else {
                "inputs": [np.asarray(value).tolist() for value in found.inputs], "report": found.report.to_dict()}
        _print(json.dumps(data, indent=2))
    else:
        _print("\n".join(described(report, title, function, args, in_colour(sys.stdout))))
        if options.search:
            _print(_searched(options, report, found, names))
    return 0 if report and found is None else 1


def _search(options: argparse.Namespace, function: Callable[..., Any], args: tuple[Any, ...], jac: Any,
            names: list[str] | None) -> Any:
    """A point at which the derivative is wrong, or None."""
    try:
        from .testing import arrays, find_counterexample
    except ImportError as error:
        raise BadInputError(f"--search: {error}") from error
    low, high = options.within or (-np.inf, np.inf)
    if not low < high:
        raise BadInputError(f"--within: {low:g} is not below {high:g}")
    where = [arrays(np.shape(value), low=low, high=high) for value in args]
    given = {} if jac is None else {"jac": jac}
    return find_counterexample(function, where, order=options.order, names=names, **given)


def _searched(options: argparse.Namespace, report: Report, found: Any, names: list[str] | None) -> str:
    """What the search came to."""
    if not report:
        return "\nno search: the derivative is wrong at the point given"
    if found is None:
        return "\nsearch: no other point was found at which the derivative is wrong"
    lines = ["", "search: the derivative is WRONG at another point", str(found.report), "", "to see it again:"]
    if names is not None:
        values = " ".join(shlex.quote(f"{name}={_typed(value)}") for name, value in zip(names, found.inputs,
                                                                                        strict=True))
        return "\n".join([*lines, f"  tapead check {shlex.quote(options.what)} {values}"])
    point = shlex.quote(f"[{', '.join(map(_typed, found.inputs))}]")
    given = "" if options.jac is None else f" --jac {options.jac}"
    return "\n".join([*lines, f"  tapead check {options.what} --at {point}{given}"])


def _typed(value: Any) -> str:
    return repr(np.asarray(value).tolist())


def _draw(report: Report, file: str) -> None:
    try:
        import matplotlib

        matplotlib.use("Agg")  # nobody looks at a window here
        report.plot().savefig(file, dpi=150)
    except ImportError:
        raise BadInputError('--plot needs matplotlib, which is not installed: pip install "tapead[plot]"') from None
    except (ValueError, OSError) as error:
        raise BadInputError(f"--plot: {error}") from error


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
        rows.append((text.replace(" = input", f" = {names[entry]}") if entry in names else text, brief(entry.output)))
    width = max((len(text) for text, _ in rows), default=0)
    _print("\n".join(f"{text:<{width}}   {value}" for text, value in rows))
    return 0


def _rules(options: argparse.Namespace) -> int:
    from . import rules  # what it shows, it imports: SciPy too

    if options.save and not options.prove:
        raise BadInputError("--save keeps what --prove finds: give both")
    if options.markdown and options.names:
        raise BadInputError("--markdown makes the page of all primitives; it takes no names")
    table = rules.rows()
    unknown = [name for name in options.names if name not in PRIMITIVES]
    if unknown:
        near = difflib.get_close_matches(unknown[0], PRIMITIVES, n=3)
        raise BadInputError(f"no primitive is called {unknown[0]!r}" + (f"; did you mean {' or '.join(near)}?" if near
                                                                        else ""))
    if options.names:
        table = [row for row in table if row.name in options.names]
    if options.prove:
        found = {}
        for row in table:
            if row.differentiable:
                found[row.name] = _measured(row.name)
                if options.save:  # at once: whoever stops this has what was found so far
                    rules.save({row.name: found[row.name]})
        table = [row._replace(measured=found.get(row.name, row.measured)) for row in table]
    if options.markdown:
        _print(rules.markdown().rstrip("\n"))
        return 0
    lines = [("NAME", "DIFFERENTIABLE IN", "KIND", "PROOF", "DIGITS", "DERIVATIVE")]
    for row in table:
        inputs = rules.inputs_text(row)
        lines.append((row.name, inputs if len(inputs) <= 28 else inputs[:25] + "...", row.kind,
                      row.measured.status or "-", rules.digits_text(row.measured) or "-",
                      row.formula or ("not differentiable" if not row.differentiable else "")))
    _table(lines)
    return 0


def _measured(name: str) -> Any:
    from . import rules

    try:
        return rules.measure(name)
    except Exception as error:  # one rule that cannot be tried must not hide the others
        return rules.Measured(type(error).__name__)


def _prove(options: argparse.Namespace) -> int:
    from .symbolic import prove, prove_all

    try:
        proofs = [prove(_primitive(name)) for name in options.names] if options.names else prove_all()
    except (LookupError, ValueError) as error:
        raise BadInputError(str(error.args[0] if error.args else error)) from None
    _table([("NAME", "STATUS", "EVIDENCE"), *((proof.name, proof.status, proof.evidence) for proof in proofs)])
    refuted = sum(proof.status == "REFUTED" for proof in proofs)
    proved = sum(proof.status == "PROVED" for proof in proofs)
    _print(f"\n{proved} of {len(proofs)} proved, {refuted} refuted")
    return 1 if refuted else 0


def _primitive(name: str) -> Any:
    """The name of a primitive, or one of the user's own, which is a function of a module."""
    if not _is_reference(name):
        return name
    found = _load(name)
    if not isinstance(found, Primitive):
        raise BadInputError(f"{name} is no primitive: make it one with @tapead.primitive")
    return found


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
