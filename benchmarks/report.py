"""What a run says: the header, lines as they come, the tables, JSON and the plot."""

from __future__ import annotations

import datetime
import importlib
import importlib.metadata
import math
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy

from .contenders import CONTENDERS, HAND, PACKAGES, TAPEAD, THREADS, available_cpus, is_installed
from .harness import Row, Workload, best_peer_ratio


def header() -> dict[str, Any]:
    """The machine, what it is busy with, the versions and the day."""
    packages = {package: importlib.metadata.version(package) if is_installed(name) else None
                for name, package in PACKAGES.items()}
    return {"machine": processor(), "system": platform.platform(), "cpus": available_cpus(),
            "load": os.getloadavg()[0], "python": platform.python_version(), "numpy": numpy.__version__,
            "packages": packages, "pytorch_threads": THREADS,
            "date": datetime.datetime.now().astimezone().isoformat(timespec="minutes")}


def processor() -> str:
    """What the machine calls its processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return model or platform.processor() or platform.machine()


def header_line(about: dict[str, Any]) -> str:
    """The header in one line."""
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items() if version)
    return (f"{about['machine']}, {about['cpus']} CPUs, Python {about['python']}, NumPy {about['numpy']}, {packages}, "
            f"load {about['load']:.1f} at the start, {about['date']}")


def duration(seconds: float | None) -> str:
    """Seconds in a handy unit, to three digits."""
    if seconds is None:
        return ""
    for unit, size in [("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)]:
        if seconds >= size:
            return f"{three_digits(seconds / size)} {unit}"
    return f"{three_digits(seconds / 1e-9)} ns"


def three_digits(number: float) -> str:
    """A positive number to three digits, without an exponent."""
    return f"{number:.{max(0, 2 - math.floor(math.log10(number)))}f}" if 0 < number < 1e9 else f"{number:.3g}"


def ratio(number: float | None) -> str:
    """A ratio to three digits."""
    return "" if number is None else f"{three_digits(number)}×"


def memory(size: int | None) -> str:
    """Bytes in megabytes."""
    return "" if size is None else f"{size / 1e6:.1f} MB"


def cells(row: Row) -> list[str]:
    """Time, both ratios, memory, and what else there is to say."""
    if row.status != "ok":
        return ["", "", "", "", f"{row.status}: {first_line(row.detail)}"]
    return [duration(row.median), ratio(row.ratio_to_hand), ratio(row.ratio_to_pytorch), memory(row.peak_memory),
            first_line(row.detail)]


def first_line(text: str) -> str:
    """The first line of a message, shortened."""
    line = text.partition("\n")[0]
    return line if len(line) <= 160 else f"{line[:157]}..."


TITLES = ["time", "÷ by hand", "÷ PyTorch", "memory", ""]


def lines(rows: Sequence[Row]) -> list[str]:
    """The rows of one workload, to be printed."""
    head = f"{rows[0].workload}, {rows[0].size}"
    result = [f"{head:<44}" + "".join(f"{title:>12}" for title in TITLES[:4])]
    for row in rows:
        *numbers, remark = cells(row)
        result.append(f"    {row.contender:<40}" + "".join(f"{text:>12}" for text in numbers) + f"  {remark}".rstrip())
    return result


def by_workload(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows in groups of one workload each."""
    return [list(group) for _, group in groupby(rows, lambda row: (row.workload, row.size))]


def summary(rows: Iterable[Row]) -> list[list[str]]:
    """One line per workload: every contender's time, and tapead's ratios."""
    table = [["workload", *CONTENDERS, f"{TAPEAD} ÷ by hand", f"{TAPEAD} ÷ PyTorch", f"{TAPEAD} ÷ best peer"]]
    for group in by_workload(rows):
        found = {row.contender: row for row in group}
        own = found.get(TAPEAD)
        times = [(duration(found[name].median) or found[name].status) if name in found else "" for name in CONTENDERS]
        table.append([f"{group[0].workload}, {group[0].size}", *times, ratio(own.ratio_to_hand if own else None),
                      ratio(own.ratio_to_pytorch if own else None), ratio(best_peer_ratio(group))])
    return without_empty_columns(table)


def without_empty_columns(table: list[list[str]]) -> list[list[str]]:
    """A table with those columns only in which some row says something."""
    kept = [position for position, _ in enumerate(table[0]) if any(line[position] for line in table[1:])]
    return [[line[position] for position in kept] for line in table]


def markdown_table(table: Sequence[Sequence[str]], numbers_from: int) -> str:
    """A table in Markdown, its numbers to the right."""
    rule = ["---:" if position >= numbers_from and title != "remark" else "---"
            for position, title in enumerate(table[0])]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
                     for line in [table[0], rule, *table[1:]])


def as_markdown(about: dict[str, Any], skipped: Sequence[str], rows: Sequence[Row]) -> str:
    """The whole report: a summary, then every number."""
    full = without_empty_columns([["workload", "contender", *TITLES[:4], "remark"],
                                  *([f"{row.workload}, {row.size}", row.contender, *cells(row)] for row in rows)])
    notes = f"\nNot installed, skipped: {', '.join(skipped)}.\n" if skipped else ""
    return f"""# Benchmarks

{header_line(about)}.
{notes}
Medians of interleaved rounds; every result agreed with the hand-written one (to 1e-8, relatively) before it was timed.
Double precision throughout; inputs are in each contender's own form, and JAX has compiled, before the clock starts.
Memory is by how much a first call, in a process of its own, raises what is resident.

{markdown_table(summary(rows), 1)}

## Every number

{markdown_table(full, 2)}
"""


def as_json(about: dict[str, Any], skipped: Sequence[str], rows: Sequence[Row]) -> dict[str, Any]:
    """The whole report as JSON's types; times in seconds, memory in bytes."""
    return {**about, "skipped": list(skipped), "rows": [asdict(row) for row in rows]}


def curves(rows: Iterable[Row]) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """(size, seconds) by workload and contender, for the workloads that form a curve."""
    result: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for row in rows:
        if row.elements and row.median is not None:
            result.setdefault(row.workload, {}).setdefault(row.contender, []).append((row.elements, row.median))
    return {name: {contender: sorted(points) for contender, points in by_contender.items()}
            for name, by_contender in result.items()}


def plot(rows: Iterable[Row], path: Path) -> None:
    """Time against size, a panel per workload."""
    figures = importlib.import_module("matplotlib.figure")
    panels = curves(rows)
    figure = figures.Figure(figsize=(5.5 * len(panels), 4.5), layout="constrained")
    for axes, (name, by_contender) in zip(numpy.ravel(figure.subplots(1, len(panels))), panels.items(), strict=True):
        for contender, points in by_contender.items():
            axes.loglog(*zip(*points, strict=True), marker="o", label=contender,
                        **({"color": "black", "linestyle": "--"} if contender == HAND else {}))
        axes.set(title=name, xlabel="elements", ylabel="seconds")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path)


def listing(workloads: Iterable[Workload]) -> str:
    """The names to choose from."""
    return "\n".join(f"{workload.title:<50} {', '.join(workload.contenders)}"
                     + ("  (for --plot)" if workload.only_curve else "") for workload in workloads)
