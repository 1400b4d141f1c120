"""The command: ``python -m benchmarks.mutation`` from the checkout. It can be stopped, and goes on where it was."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tapead.registry import Primitive

from . import study, tables
from .peers import PACKAGES, is_installed
from .points import load_scipy, of_numpy, primitives
from .timing import seconds_per_check

CHECKER_NAMES = ("tapead", "tapead, black box", *PACKAGES)
STAGES = ("rules", "alarms", "culprits", "seconds")


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    result = argparse.ArgumentParser(
        prog="python -m benchmarks.mutation",
        description="Mutates every registered rule and asks gradient checkers whether the derivative is right. Mutants "
                    "that change nothing at the point tried, by direct comparison with the right rule, do not count.")
    add = result.add_argument
    add("--stages", nargs="+", choices=STAGES, default=STAGES, metavar="STAGE",
        help="rules (mutants against checkers), alarms (right rules at easy and hard places), culprits (mutants in "
             "small programs), seconds (per check)")
    add("--checkers", nargs="+", choices=CHECKER_NAMES, default=CHECKER_NAMES, metavar="CHECKER",
        help=f"of {', '.join(map(repr, CHECKER_NAMES))}; those not installed are skipped")
    add("--rules-of", choices=("numpy", "scipy"), default="numpy", help="whose primitives (default: NumPy's)")
    add("--only", nargs="+", metavar="NAME", help="these primitives only")
    add("--every-call", action="store_true", help="every call in the catalogue, not one or two of each primitive")
    add("--examples", type=int, default=10_000, metavar="N", help="points to draw for tapead's false alarms")
    add("--peer-examples", type=int, default=1_000, metavar="N", help="points to draw for the other checkers'")
    add("--start", type=int, default=0, metavar="SEED", help="the seed of the first point")
    add("--directory", type=Path, metavar="DIR", help="where journals are kept and found again")
    add("--table", action="store_true", help="only print what the journals in DIR say, of primitives that all checkers "
                                              "are through with")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 if a mutant slipped through tapead's checks or a right rule was accused."""
    options = parser().parse_args(arguments)
    directory = options.directory or Path(tempfile.mkdtemp(prefix="mutation-study-"))
    directory.mkdir(parents=True, exist_ok=True)
    if options.rules_of == "scipy" and not load_scipy():
        print("SciPy is not installed", file=sys.stderr)
        return 2
    rules = [primitive for primitive in primitives() if of_numpy(primitive) == (options.rules_of == "numpy")
             and (not options.only or primitive.name in options.only)]
    checkers = [name for name in options.checkers if options.table or is_installed(name)]
    if not options.table:
        _run(options, directory, rules, checkers)
    return _report(options, directory, checkers)


def _path(options: argparse.Namespace, directory: Path, stage: str, checker: str = "tapead") -> Path:
    return directory / f"{stage}-{options.rules_of}-{checker.replace(' ', '_').replace(',', '')}.jsonl"


def _run(options: argparse.Namespace, directory: Path, rules: list[Primitive], checkers: list[str]) -> None:
    truth = study.Journal(directory / f"truth-{options.rules_of}.jsonl")
    for checker in checkers:
        if "rules" in options.stages:
            journal = study.Journal(_path(options, directory, "rules", checker))
            study.study_rules(journal, checker, rules, options.every_call, truth)
        if "alarms" in options.stages:
            count = options.examples if checker == "tapead" else options.peer_examples
            journal = study.Journal(_path(options, directory, "alarms", checker))
            study.study_alarms(journal, checker, rules, count, options.start)
    if "culprits" in options.stages and "tapead" in checkers:
        study.study_culprits(study.Journal(_path(options, directory, "culprits")), rules, truth)
    if "seconds" in options.stages and "tapead" in checkers:
        (directory / "seconds.json").write_text(json.dumps(seconds_per_check()))


def _report(options: argparse.Namespace, directory: Path, checkers: list[str]) -> int:
    journals = {stage: {checker: study.Journal(path).lines for checker in checkers
                        if (path := _path(options, directory, stage, checker)).exists()} for stage in STAGES[:3]}
    text: list[str] = []
    if journals["rules"]:
        common = tables.in_common(journals["rules"])
        count = sum(line["kind"] == "done" for line in next(iter(common.values())))
        text += ["", f"{count} primitives", "", *tables.mutation_table(common)]
    if journals["alarms"]:
        text += ["", *tables.alarm_table(journals["alarms"])]
    culprits = journals["culprits"].get("tapead", [])
    text += ["", *tables.culprit_lines(culprits)]
    seconds = directory / "seconds.json"
    if "seconds" in options.stages and seconds.exists():
        text += ["", *tables.timing_table(json.loads(seconds.read_text()))]
    own = journals["rules"].get("tapead", [])
    missed = tables.slipped(own)
    accused = [line for line in (*own, *journals["alarms"].get("tapead", []))
               if line["kind"] in ("registered", *study.PLACES) and line["verdict"] in ("fail", "raised")]
    text += ["", *(f"slipped through tapead's check: {one}" for one in missed)]
    text += [f"accused by tapead's check: {line.get('primitive', '')} {line.get('label', line['id'])}"
             for line in accused]
    print("\n".join(text), f"journals: {directory}", sep="\n\n")
    return int(bool(missed or accused))


if __name__ == "__main__":
    sys.exit(main())
