"""The command: ``python -m benchmarks`` from the checkout (``python benchmarks`` does the same)."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # started as a directory: what has to be importable is the checkout around it
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report
from benchmarks.contenders import CONTENDERS, PACKAGES, is_installed
from benchmarks.harness import Row, Workload, add_memory, measured, working_memory
from benchmarks.workloads import WORKLOADS


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    result = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Derivatives by tapead, by hand in NumPy, by HIPS autograd, PyTorch and JAX, side by side in one "
                    "run. Each is verified against the hand-written one before it is timed.")
    add = result.add_argument
    add("--only", nargs="+", metavar="NAME", help="workloads whose name or size contains NAME")
    add("--contenders", nargs="+", metavar="NAME", choices=CONTENDERS, default=CONTENDERS,
        help=f"run these only: {', '.join(map(repr, CONTENDERS))}")
    add("--quick", action="store_true", help="some of the workloads and few rounds: within a minute")
    add("--seconds", type=float, metavar="S", help="time to spend on each workload (default 4, or 0.3 with --quick)")
    add("--memory", action="store_true", help="also measure peak memory of the large workloads")
    add("--json", type=Path, metavar="FILE", help="write every number to FILE")
    add("--markdown", type=Path, metavar="FILE", help="write tables to FILE")
    add("--plot", type=Path, metavar="FILE", help="draw time against size (needs matplotlib)")
    add("--list", action="store_true", help="list the workloads and stop")
    add("--memory-of", nargs=2, metavar=("WORKLOAD", "CONTENDER"), help=argparse.SUPPRESS)  # the child of --memory
    return result


def chosen(names: Sequence[str] | None, quick: bool, for_plot: bool) -> list[Workload]:
    """The workloads to run; raises LookupError for a name that fits none."""
    candidates = [workload for workload in WORKLOADS if for_plot or not workload.only_curve]
    if not names:
        return [workload for workload in candidates if not quick or workload.quick or (for_plot and workload.curve)]
    for name in names:
        if not any(is_named(workload, name) for workload in candidates):
            raise LookupError(f"no workload is called {name!r}; there are:\n{report.listing(WORKLOADS)}")
    return [workload for workload in candidates if any(is_named(workload, name) for name in names)]


def is_named(workload: Workload, name: str) -> bool:
    """Whether a workload is meant by a part of its name or size."""
    return name.casefold() in workload.title.casefold()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 if a derivative was wrong or a contender failed."""
    options = parser().parse_args(arguments)
    if options.list:
        print(report.listing(WORKLOADS))
        return 0
    if options.memory_of:
        title, contender = options.memory_of
        print(working_memory(next(workload for workload in WORKLOADS if workload.title == title), contender))
        return 0
    if options.plot and importlib.util.find_spec("matplotlib") is None:
        print("--plot needs matplotlib", file=sys.stderr)
        return 2
    try:
        workloads = chosen(options.only, options.quick, bool(options.plot))
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        return 2

    about = report.header()
    print(report.header_line(about))
    if about["load"] > 0.5:
        print("The machine is busy. Threads that wait for each other then take milliseconds for microseconds of work, "
              "in PyTorch above all. Use an idle machine, or one thread for all: taskset -c 0 python -m benchmarks")
    skipped = sorted({PACKAGES[name] for name in options.contenders if not is_installed(name)})
    if skipped:
        print(f"not installed, skipped: {', '.join(skipped)}")
    names = [name for name in options.contenders if is_installed(name)]
    budget = options.seconds if options.seconds is not None else 0.3 if options.quick else 4.0
    rows: list[Row] = []
    for workload in workloads:
        found = measured(workload, names, budget, most_rounds=7 if options.quick else 51)
        if options.memory and workload.large:
            add_memory(workload, found)
        rows += found
        if found:
            print("", *report.lines(found), sep="\n", flush=True)
    if options.json:
        options.json.write_text(json.dumps(report.as_json(about, skipped, rows), indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(report.as_markdown(about, skipped, rows))
    if options.plot:
        report.plot(rows, options.plot)
    return int(any(row.is_bad for row in rows))


if __name__ == "__main__":
    sys.exit(main())
