"""Workloads, the verification of every contender against the hand-written derivative, and interleaved timing."""

from __future__ import annotations

import contextlib
import gc
import json
import math
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .contenders import HAND, TAPEAD, TORCH, Builder, Run, leaves

#: Largest difference from the hand-written derivative, relative to the largest element of the same array.
TOLERANCE = 1e-8

#: Shorter calls are repeated in an inner loop that takes about this long.
INNER_SECONDS = 2e-3

CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Workload:
    """One row of the benchmark: the same derivative by every contender.

    Attributes
    ----------
    name, size : str
        The workload and its size, as they are printed and chosen by ``--only``.
    contenders : mapping of str to callable
        Builders: each imports its package, makes its inputs and returns a function of no arguments to be timed, which
        returns nested tuples and lists of the contender's own arrays, with the same leaves in the same order for all.
    large : bool
        Whether its peak memory says something.
    quick : bool
        Whether ``--quick`` includes it.
    curve : int
        The number of elements, where the workload is a point of a plotted curve; else 0.
    only_curve : bool
        Whether it is run for the plot alone.
    """

    name: str
    size: str
    contenders: Mapping[str, Builder]
    large: bool = False
    quick: bool = False
    curve: int = 0
    only_curve: bool = False

    @property
    def title(self) -> str:
        """Name and size together."""
        return f"{self.name} {self.size}".rstrip()


@dataclass
class Row:
    """What came out for one contender of one workload; times in seconds, memory in bytes."""

    workload: str
    size: str
    contender: str
    status: str
    detail: str = ""
    relative_error: float | None = None
    median: float | None = None
    fastest: float | None = None
    rounds: int = 0
    calls_per_round: int = 0
    ratio_to_hand: float | None = None
    ratio_to_pytorch: float | None = None
    peak_memory: int | None = None
    elements: int = 0

    @property
    def is_bad(self) -> bool:
        """Whether this row is a reason to worry: a wrong derivative or an unexpected error."""
        return self.status in ("wrong", "failed")


# ---------------------------------------------------------------------- verification


def as_arrays(result: Any) -> list[Any]:
    """A contender's result as a flat list of NumPy arrays."""
    return [np.asarray(leaf.detach().numpy() if hasattr(leaf, "detach") else leaf, float) for leaf in leaves(result)]


def relative_error(found: list[Any], expected: list[Any]) -> float:
    """The largest difference in any array, relative to its largest expected element; infinite where shapes differ."""
    if [array.shape for array in found] != [array.shape for array in expected]:
        return math.inf
    worst = 0.0
    for array, reference in zip(found, expected, strict=True):
        difference = float(np.max(np.abs(array - reference), initial=0.0))
        scale = float(np.max(np.abs(reference), initial=0.0))
        error = difference / scale if scale else difference
        worst = max(worst, math.inf if math.isnan(error) else error)
    return worst


def verified(workload: Workload, names: Iterable[str]) -> tuple[dict[str, Run], list[Row]]:
    """The contenders whose first result is the hand-written one, ready to be timed, and a row for each contender."""
    runs: dict[str, Run] = {}
    rows = []
    expected = as_arrays(workload.contenders[HAND]()())
    for name in names:
        if name not in workload.contenders:
            continue
        row = Row(workload.name, workload.size, name, "ok", elements=workload.curve)
        rows.append(row)
        try:
            run = workload.contenders[name]()
            row.relative_error = relative_error(as_arrays(run()), expected)
        except NotImplementedError as error:
            row.status, row.detail = "not covered", str(error)
        except Exception as error:  # whatever a contender raises concerns its own row only
            row.status, row.detail = "failed", f"{type(error).__name__}: {error}"
        else:
            if row.relative_error <= TOLERANCE:
                runs[name] = run
            else:
                row.status = "wrong"
                row.detail = f"differs from the hand-written derivative by {row.relative_error:.1e}, relatively"
    return runs, rows


# ---------------------------------------------------------------------- timing


def seconds(run: Run, calls: int) -> float:
    """How long one call takes, over an inner loop of `calls`."""
    repetitions = range(calls)
    start = time.perf_counter()
    for _ in repetitions:
        run()
    return (time.perf_counter() - start) / calls


def interleaved(runs: Mapping[str, Run], budget: float,
                most_rounds: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Times of every contender from rounds in which all of them take turns, and the calls in each turn.

    The order is drawn anew in every round (seeded), so that none always follows the same other one. The garbage
    collector stays on, as it is for users: what a long tape costs there belongs to its price.
    """
    calls = {}
    for name, run in runs.items():
        run()
        estimate = seconds(run, 1)
        if estimate < INNER_SECONDS:
            estimate = seconds(run, max(1, int(INNER_SECONDS / 10 / estimate)))
        calls[name] = max(1, math.ceil(INNER_SECONDS / estimate))
    gc.collect()
    order = list(runs)
    shuffle = random.Random(0).shuffle
    times: dict[str, list[float]] = {name: [] for name in runs}
    start = time.perf_counter()
    for finished in range(1, most_rounds + 1):
        shuffle(order)
        for name in order:
            times[name].append(seconds(runs[name], calls[name]))
        elapsed = time.perf_counter() - start
        if finished >= 3 and elapsed + elapsed / finished > budget:
            break
    return times, calls


def measured(workload: Workload, names: Iterable[str], budget: float, most_rounds: int) -> list[Row]:
    """Verify the contenders of a workload and time those that are right."""
    runs, rows = verified(workload, names)
    times, calls = interleaved(runs, budget, most_rounds)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for row in rows:
        if row.contender in medians:
            row.median = medians[row.contender]
            row.fastest = min(times[row.contender])
            row.rounds = len(times[row.contender])
            row.calls_per_round = calls[row.contender]
            row.ratio_to_hand = row.median / medians[HAND] if HAND in medians else None
            row.ratio_to_pytorch = row.median / medians[TORCH] if TORCH in medians else None
    return rows


# ---------------------------------------------------------------------- memory


def status_bytes(key: str) -> int | None:
    """A figure from Linux's account of this process, in bytes."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:")), None)


def peak_resident() -> int:
    """The most memory that this process has had resident, in bytes.

    ``ru_maxrss`` of a child includes what its parent had resident when it was started (Linux hands it on), which with
    PyTorch and JAX loaded would hide everything; ``VmHWM`` starts anew.
    """
    peak = status_bytes("VmHWM")
    if peak is not None:
        return peak
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


def working_memory(workload: Workload, contender: str) -> int:
    """By how much the first call raises the memory of this process at its peak; run in a process of its own."""
    run = workload.contenders[contender]()
    gc.collect()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far, of importing and compiling, is forgotten
    before = status_bytes("VmRSS") or peak_resident()
    result = run()
    peak = peak_resident()
    del result
    return max(0, peak - before)


def add_memory(workload: Workload, rows: Iterable[Row]) -> None:
    """Measure each contender's working memory in a process of its own."""
    for row in rows:
        if row.status == "ok":
            child = subprocess.run([sys.executable, "-m", "benchmarks", "--memory-of", workload.title, row.contender],
                                   cwd=CHECKOUT, capture_output=True, text=True, check=False)
            if child.returncode == 0:
                row.peak_memory = json.loads(child.stdout.splitlines()[-1])
            else:
                row.detail = f"memory not measured: {(child.stderr.splitlines() or ['no output'])[-1]}"


def best_peer_ratio(rows: Iterable[Row]) -> float | None:
    """tapead's time over that of the fastest other contender that is not hand-written."""
    medians = {row.contender: row.median for row in rows if row.median is not None}
    peers = [median for name, median in medians.items() if name != HAND and not name.startswith(TAPEAD)]
    return medians[TAPEAD] / min(peers) if TAPEAD in medians and peers else None
