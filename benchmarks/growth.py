"""How costs grow: per operation with the length of the tape and the graphs alive, and of gradients in functions.

``python -m benchmarks.growth`` from the checkout prints tables; ``--plot FILE`` draws them.
"""

from __future__ import annotations

import argparse
import functools
import gc
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy

from . import report
from .contenders import (
    AUTOGRAD,
    HAND,
    PACKAGES,
    TAPEAD,
    TORCH,
    Builder,
    Run,
    autograd_gradient,
    import_torch,
    is_installed,
    leaves,
    tapead_gradient,
    torch_arguments,
    torch_gradient,
)
from .harness import CHECKOUT, TOLERANCE, Workload, as_arrays, relative_error, working_memory
from .workloads import elementwise, rosenbrock

#: Operations in one link of the chain.
LINK = 6
#: Sizes at which a contender would take longer than this for one call are left out.
PATIENCE = 5.0


@dataclass
class Curve:
    """What was measured against a size, by contender.

    Attributes
    ----------
    name, size, unit : str
        What the values are, what the sizes count, and the unit of the values.
    points : dict
        (size, value) by contender.
    bar : float or None
        What values are not to exceed.
    """

    name: str
    size: str
    unit: str
    points: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    bar: float | None = None

    def add(self, contender: str, size: int, value: float) -> None:
        """One more point."""
        self.points.setdefault(contender, []).append((size, value))

    def table(self) -> list[list[str]]:
        """A row for each contender, a column for each size."""
        sizes = sorted({size for points in self.points.values() for size, _ in points})
        rows = [[name, *(f"{dict(points)[size]:.3g}" if size in dict(points) else "" for size in sizes)]
                for name, points in self.points.items()]
        return [[f"{self.name} ({self.unit}), by {self.size}", *(f"{size:,}" for size in sizes)], *rows]


# ---------------------------------------------------------------------- the programs


def chain(links: int, np: Any, x: Any) -> Any:
    """Scalar operations one after another, six to a link."""
    y = x
    for _ in range(links):
        y = np.sin(y) * 0.9 + x
        y = np.exp(np.tanh(y) * -0.5)
    return y


def chain_by_hand(links: int, x: float) -> tuple[float, float]:
    """Value and derivative together, forwards."""
    y, slope = x, 1.0
    for _ in range(links):
        inner = numpy.tanh(numpy.sin(y) * 0.9 + x)
        slope = (0.9 * numpy.cos(y) * slope + 1.0) * (1.0 - inner * inner)
        y = numpy.exp(inner * -0.5)
        slope *= -0.5 * y
    return float(y), float(slope)


def chain_gradients(links: int) -> dict[str, Builder]:
    """The gradient of the chain, by those that are there."""
    function, data = functools.partial(chain, links), lambda: (0.7,)
    found = {TAPEAD: tapead_gradient(function, data), AUTOGRAD: autograd_gradient(function, data),
             TORCH: torch_gradient(function, data)}
    return {name: builder for name, builder in found.items() if is_installed(name)}


def keep_graphs(contender: str, count: int) -> list[Any]:
    """So many graphs of 120 operations, for as long as they are held."""
    small = functools.partial(chain, 120 // LINK)
    if contender == TAPEAD:
        tapead = importlib.import_module("tapead")
        return [small(numpy, tapead.tensor(0.7, requires_grad=True)) for _ in range(count)]
    torch = import_torch()
    return [small(torch, torch.tensor(0.7, dtype=torch.float64, requires_grad=True)) for _ in range(count)]


# ---------------------------------------------------------------------- measuring


def fastest(*runs: Run, clock: Callable[[], float] = time.perf_counter, budget: float = 1.0,
            rounds: int = 15) -> list[float]:
    """The shortest time of each, taking turns."""
    def seconds(run: Run, calls: int = 1) -> float:
        start = clock()
        for _ in range(calls):
            run()
        return (clock() - start) / calls

    first = [seconds(run) for run in runs]
    calls = [max(1, int(2e-3 / max(one, 1e-9))) for one in first]
    best, start = first, time.perf_counter()
    for _ in range(rounds):
        best = [min(old, seconds(run, count)) for old, run, count in zip(best, runs, calls, strict=True)]
        if time.perf_counter() - start > budget:
            break
    return best


def patient(sizes: Sequence[int], measure: Callable[[int], tuple[float, float]]) -> Iterator[tuple[int, float]]:
    """(size, value) while calls are short; `measure` returns the value and the time of a call."""
    longest, previous = 0.0, 0
    for size in sizes:
        if previous and longest * size / previous > PATIENCE:
            return
        value, longest = measure(size)
        previous = size
        yield size, value


def verify(result: Any, expected: Any) -> None:
    """Raise unless a derivative is the hand-written one."""
    error = relative_error(as_arrays(result), as_arrays(expected))
    if error > TOLERANCE:
        raise AssertionError(f"differs from the hand-written derivative by {error:.1e}, relatively")


def per_operation(operations: Sequence[int]) -> Curve:
    """The time of an operation in gradients of longer and longer chains, of one processor."""
    curve = Curve("time per operation", "operations", "µs")
    for name in chain_gradients(1):
        def measure(count: int, name: str = name) -> tuple[float, float]:
            run = chain_gradients(count // LINK)[name]()
            if count <= 10_000:
                verify(run(), chain_by_hand(count // LINK, 0.7))
            (best,) = fastest(run, clock=time.process_time)
            return best / count * 1e6, best

        for size, value in patient(operations, measure):
            curve.add(name, size, value)
    return curve


def memory_per_operation(operations: Sequence[int]) -> Curve:
    """The memory of an operation in gradients of longer and longer chains, each in a process of its own."""
    curve = Curve("memory per operation", "operations", "bytes")
    for name in chain_gradients(1):
        for count in operations:
            if name != TAPEAD and count > 200_000:
                continue
            child = subprocess.run([sys.executable, "-m", "benchmarks.growth", "--memory-of", str(count), name],
                                   cwd=CHECKOUT, capture_output=True, text=True, check=True)
            curve.add(name, count, json.loads(child.stdout.splitlines()[-1]) / count)
    return curve


def with_graphs_alive(counts: Sequence[int]) -> Curve:
    """The time of an operation in the gradient of one chain of 1,200 while other graphs are kept alive."""
    curve = Curve("time per operation", "graphs of 120 operations alive", "µs")
    for name in (TAPEAD, TORCH):
        if is_installed(name):
            run = chain_gradients(1_200 // LINK)[name]()
            for count in counts:
                kept = keep_graphs(name, count)
                gc.collect()
                (best,) = fastest(run, clock=time.process_time)
                curve.add(name, count, best / 1_200 * 1e6)
                del kept
    return curve


def gradient_in_functions(workload: str, function: Any, data: Callable[[int], tuple[Any, ...]], by_hand: Any,
                          argnums: int | tuple[int, ...], sizes: Sequence[int]) -> Curve:
    """How many times the function alone value and gradient cost."""
    curve = Curve(f"gradient ÷ function, {workload}", "elements", "×", bar=4.0)
    for size in sizes:
        make = functools.partial(data, size)
        args = make()
        expected = by_hand(*args)
        plain, hand, own = fastest(lambda args=args: function(numpy, *args), lambda args=args: by_hand(*args),
                                   tapead_gradient(function, make, argnums)())
        verify(tapead_gradient(function, make, argnums)()(), expected)
        curve.add(HAND, size, hand / plain)
        curve.add(TAPEAD, size, own / plain)
        if is_installed(TORCH):
            torch = import_torch()
            tensors, inputs = torch_arguments(args, [argnums] if isinstance(argnums, int) else argnums)
            detached = [tensor.detach() for tensor in leaves(tensors)]
            assert inputs
            plain, own = fastest(lambda detached=detached, torch=torch: function(torch, *detached),
                                 torch_gradient(function, make, argnums)())
            curve.add(TORCH, size, own / plain)
    return curve


def curves(quick: bool) -> Iterator[Curve]:
    """All of them, as they are measured."""
    operations = (1_200, 12_000, 120_000) if quick else (1_200, 12_000, 120_000, 1_200_000)
    yield per_operation(operations)
    yield memory_per_operation(operations)
    yield with_graphs_alive((1, 10, 100, 1_000))
    elements = (100, 10_000, 1_000_000) if quick else (100, 1_000, 10_000, 100_000, 1_000_000, 4_000_000)
    yield gradient_in_functions("rosenbrock", rosenbrock.rosenbrock, lambda n: rosenbrock.point(n, 1),
                                rosenbrock.gradient_by_hand, 0, elements)
    yield gradient_in_functions("Black-Scholes", elementwise.price, elementwise.options, elementwise.price_by_hand,
                                (0, 1, 2), elements)


# ---------------------------------------------------------------------- the command


def plot(found: Sequence[Curve], path: Path) -> None:
    """A panel for each curve."""
    figures = importlib.import_module("matplotlib.figure")
    figure = figures.Figure(figsize=(5.0 * len(found), 4.2), layout="constrained")
    for axes, curve in zip(numpy.ravel(figure.subplots(1, len(found))), found, strict=True):
        for contender, points in curve.points.items():
            axes.semilogx(*zip(*points, strict=True), marker="o", label=contender,
                          **({"color": "black", "linestyle": "--"} if contender == HAND else {}))
        if curve.bar is not None:
            axes.axhline(curve.bar, color="grey", linestyle=":")
        axes.set(title=curve.name, xlabel=curve.size, ylabel=curve.unit)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer sizes: within a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write tables to FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves (needs matplotlib)")
    parser.add_argument("--memory-of", nargs=2, metavar=("OPERATIONS", "CONTENDER"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.memory_of:
        count, contender = int(options.memory_of[0]), options.memory_of[1]
        workload = Workload("chain", f"{count:,}", chain_gradients(count // LINK))
        chain_gradients(1)[contender]()()  # what the first gradient of all imports is not counted
        print(working_memory(workload, contender))
        return 0
    about = report.header()
    print(report.header_line(about))
    missing = sorted(PACKAGES[name] for name in (AUTOGRAD, TORCH) if not is_installed(name))
    if missing:
        print(f"not installed, skipped: {', '.join(missing)}")
    found = []
    for curve in curves(options.quick):
        found.append(curve)
        print("", report.markdown_table(curve.table(), 1), sep="\n", flush=True)
    if options.json:
        options.json.write_text(json.dumps({**about, "curves": [asdict(curve) for curve in found]}, indent=1) + "\n")
    if options.markdown:
        tables = "\n\n".join(report.markdown_table(curve.table(), 1) for curve in found)
        options.markdown.write_text(f"# Growth\n\n{report.header_line(about)}.\n\n{tables}\n")
    if options.plot:
        plot(found, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
