"""What the journals say, as tables."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .points import PLACES

Lines = Sequence[Mapping[str, Any]]

#: The rows, in order of their meaning.
KINDS = ("sign", "dropped term", "dropped factor", "dropped input", "swapped arguments",
         "missing transpose or conjugate", "wrong axis", "wrong function", "wrong constant", "wrong branch",
         "dead element", "factor 1 + 1e-3", "factor 1 + 1e-6", "factor 1 + 1e-9", "g²", "|g|",
         "severed (derivative zero)", "severed inside the rule", "mutated input", "wrong dtype", "wrong shape",
         "nondeterminism")


def verdicts(lines: Lines) -> Counter[str]:
    """How often each verdict was given to a mutant that changes the derivative."""
    return Counter(line["verdict"] for line in lines if line["kind"] in KINDS and line["verdict"] != "equivalent")


def caught(lines: Lines, kind: str | None = None) -> tuple[int, int]:
    """How many mutants that change the derivative were caught, and how many were tried."""
    found = [line["verdict"] in ("fail", "raised") for line in lines
             if line["verdict"] != "equivalent" and (line["kind"] in KINDS if kind is None else line["kind"] == kind)]
    return sum(found), len(found)


def in_common(journals: Mapping[str, Lines]) -> dict[str, Lines]:
    """The lines about those primitives that every checker is through with."""
    through = [{line["id"].split()[0] for line in lines if line["kind"] == "done"} for lines in journals.values()]
    shared = set.intersection(*through)
    return {checker: [line for line in lines if line["id"].split()[0] in shared] for checker, lines in journals.items()}


def mutation_table(journals: Mapping[str, Lines]) -> list[str]:
    """Kinds by checkers: caught / tried."""
    rows = [["mutation", *journals], ["---"] + ["---:"] * len(journals)]
    for kind in KINDS:
        row = [share(caught(lines, kind)) for lines in journals.values()]
        if any(cell != "–" for cell in row):
            rows.append([kind.replace("|", "\\|"), *row])
    totals = [caught(lines) for lines in journals.values()]
    rows.append(["**all**", *map(share, totals)])
    rows.append(["**share caught**", *(f"{100 * some / every:.2f} %" if every else "–" for some, every in totals)])
    alarms = [[line["verdict"] in ("fail", "raised") for line in lines if line["kind"] == "registered"]
              for lines in journals.values()]
    rows.append(["right rules accused at the same points", *(share((sum(one), len(one))) for one in alarms)])
    return _markdown(rows)


def share(pair: tuple[int, int]) -> str:
    return f"{pair[0]} / {pair[1]}" if pair[1] else "–"


def alarm_table(journals: Mapping[str, Lines]) -> list[str]:
    """Places by checkers: false alarms / examples."""
    rows = [["place", *journals], ["---"] + ["---:"] * len(journals)]
    for place in (*PLACES, None):
        row = []
        for lines in journals.values():
            tried = [line for line in lines if line["verdict"] != "no point" and place in (None, line["kind"])]
            row.append(share((sum(line["verdict"] in ("fail", "raised") for line in tried), len(tried))))
        rows.append([place or "**all**", *row])
    undecided = [sum(line["verdict"] in ("inconclusive", "no answer") for line in lines) for lines in journals.values()]
    rows.append(["undecided", *map(str, undecided)])
    return _markdown(rows)


def culprit_lines(lines: Lines) -> list[str]:
    """How often the culprit was named."""
    failures = [line for line in lines if line["verdict"] in ("fail", "raised")]
    if not failures:
        return []
    named = sum(bool(line["named"]) for line in failures)
    tried = sum(line["verdict"] != "equivalent" for line in lines)
    return [f"composites: {len(failures)} of {tried} mutants caught; the primitive and its line named in {named} of "
            f"{len(failures)} failures ({100 * named / len(failures):.2f} %)"]


def timing_table(seconds: Mapping[str, float]) -> list[str]:
    """Seconds per check."""
    rows = [["function of ten numbers", "ms of processor time per check"], ["---", "---:"]]
    rows += [[name, f"{1e3 * value:.0f}"] for name, value in seconds.items()]
    rows.append(["**median**", f"{1e3 * statistics.median(seconds.values()):.0f}"])
    return _markdown(rows)


def slipped(lines: Lines) -> list[str]:
    """What was not caught."""
    return [f"{line['id']}: {line['verdict']}" for line in lines
            if line["kind"] in KINDS and line["verdict"] not in ("fail", "raised", "equivalent")]


def _markdown(rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in rows]
