"""The stages of the study. Each writes a line per finished piece, and skips on the next run what is finished."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import tapead as ta
from tapead.registry import Primitive

from . import composites
from .checkers import CHECKERS, asked
from .mutants import Mutant, mutants
from .peers import expressible
from .points import PLACES, Point, calls, drawn_point, easy_points
from .truth import changes

#: How often a point is drawn anew where the function has no finite value.
ATTEMPTS = 20


class Journal:
    """A file of JSON lines, each with an ``id``, that is only ever appended to; without a path, in memory."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []
        if path is not None and path.exists():
            self.lines = [json.loads(line) for line in path.read_text().splitlines()]
        self.done = {line["id"]: line["verdict"] for line in self.lines}

    def write(self, **line: Any) -> None:
        self.lines.append(line)
        self.done[line["id"]] = line["verdict"]
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")


def chosen(points: Iterator[Point], every: bool) -> list[Point]:
    """All points of a primitive, or one with real numbers and one with complex ones, of more than one element."""
    if every:
        return list(points)
    by_kind: dict[bool, Point] = {}
    for point in points:
        if sum(np.size(x) for x in point.inputs) > 1:
            by_kind.setdefault("complex" in point.label, point)
    return list(by_kind.values())


def study_rules(journal: Journal, checker: str, rules: Iterable[Primitive], every: bool = False,
                truth: Journal | None = None) -> None:
    """Every mutant of every rule, and the registered rules themselves, put to one checker.

    `truth` remembers from one checker to the next which mutants change the derivative.
    """
    ask = CHECKERS[checker]
    for primitive in rules:
        if f"{primitive.name} done" in journal.done:
            continue
        for point in chosen(easy_points(primitive), every):
            where = f"{primitive.name} {point.label}"
            if f"{where} registered" not in journal.done:
                answer = asked(ask, point, None)
                journal.write(id=f"{where} registered", kind="registered", verdict=answer.verdict,
                              seconds=round(answer.seconds, 4), detail=answer.detail * (answer.verdict != "pass"))
            for name, mutant in _different(point, where, journal, truth):
                if not expressible(checker, mutant):
                    continue
                answer = asked(ask, point, mutant)
                journal.write(id=name, kind=mutant.kind, verdict=answer.verdict, seconds=round(answer.seconds, 4),
                              detail=answer.detail * (not answer.caught))
        journal.write(id=f"{primitive.name} done", kind="done", verdict="")


def _different(point: Point, where: str, journal: Journal, truth: Journal | None) -> Iterator[tuple[str, Mutant]]:
    """The mutants at a point that are not done yet and change the derivative, by name; the others are written down."""
    truth = Journal() if truth is None else truth
    known: dict[int, Any] = {}
    for number, mutant in enumerate(mutants(point.primitive, point)):
        name = f"{where} {number} {mutant.kind}: {mutant.label}"
        if name in journal.done:
            continue
        if name not in truth.done:
            change = changes(point, mutant, known)
            # A rule without a second derivative has no mutants of that.
            none = isinstance(known[mutant.order], str)
            truth.write(id=name, verdict="different" if change else "not there" if none else "equivalent")
        if truth.done[name] == "different":
            yield name, mutant
        elif truth.done[name] == "equivalent":
            journal.write(id=name, kind=mutant.kind, verdict="equivalent")


def study_culprits(journal: Journal, rules: Iterable[Primitive], truth: Journal | None = None) -> None:
    """Mutants inside a small program: is the primitive named, and the line that called it?"""
    for primitive in rules:
        for point in chosen(easy_points(primitive), every=False)[:1]:
            for name, mutant in _different(point, f"{primitive.name} {point.label}", journal, truth):
                if mutant.order > 1 or mutant.spoils or not composites.shows(point, mutant):
                    continue
                found: list[tuple[bool, str]] = []

                def ask(point: Point, mutant: Mutant | None, found: list[Any] = found) -> tuple[str, str]:
                    report = ta.gradcheck(composites.around(point), tuple(point.inputs), symbolic=False,
                                          raise_exception=False)
                    found.append(composites.named(point, report))
                    return report.verdict, str(report)

                answer = asked(ask, point, mutant)
                right, who = found[0] if found else (point.name in answer.detail, answer.detail)
                failed = answer.caught
                journal.write(id=name, kind=mutant.kind, verdict=answer.verdict, named=right and failed,
                              detail="" if right and failed else f"named: {who}\n{answer.detail}")


def study_alarms(journal: Journal, checker: str, rules: Iterable[Primitive], count: int, start: int = 0) -> None:
    """The registered rules at points drawn from easy and hard places."""
    ask = CHECKERS[checker]
    known = [primitive for primitive in rules if calls(primitive)]
    for seed in range(start, start + count):
        name = f"drawn {seed}"
        if name in journal.done:
            continue
        primitive = known[seed % len(known)]
        place = PLACES[(seed // len(known) + seed) % len(PLACES)]
        point = next((found for attempt in range(ATTEMPTS)
                      if (found := drawn_point(primitive, place, seed + 1_000_000 * attempt)) is not None), None)
        if point is None:
            journal.write(id=name, kind=place, verdict="no point", primitive=primitive.name)
            continue
        answer = asked(ask, point, None)
        journal.write(id=name, kind=place, primitive=primitive.name, label=point.label, verdict=answer.verdict,
                      seconds=round(answer.seconds, 4), detail=answer.detail * (answer.verdict != "pass"))
