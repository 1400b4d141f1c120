"""The benchmark suite: tapead agrees with every hand-written derivative, and nothing wrong is timed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1]))  # the suite is run from the checkout and is not installed

from benchmarks import growth, report
from benchmarks.__main__ import main
from benchmarks.contenders import HAND, TAPEAD, TAPEAD_OWN
from benchmarks.harness import Workload, measured, relative_error, verified
from benchmarks.workloads import WORKLOADS

SMALLEST = {workload.name: workload for workload in reversed(WORKLOADS)}  # those of a name are in order of size


def pairs():
    for name, workload in sorted(SMALLEST.items()):
        for contender in (TAPEAD, TAPEAD_OWN):
            if contender in workload.contenders:
                yield name, contender


@pytest.mark.parametrize(("name", "contender"), list(pairs()))
def test_tapead_agrees_with_the_hand_written_derivative(name, contender):
    runs, (row,) = verified(SMALLEST[name], [contender])
    assert (row.status, row.detail) == ("ok", "")
    assert list(runs) == [contender]


def uncovered():
    raise NotImplementedError("no such function")


TOY = Workload("toy", "n=2", {
    HAND: lambda: lambda: (1.0, [np.array([2.0, 0.5])]),
    TAPEAD: lambda: lambda: (1.0, (np.array([2.0, 0.5 + 1e-7]),)),
    "autograd": lambda: lambda: (1.0, np.array([2.0, 0.5 + 1e-10])),
    "PyTorch": lambda: uncovered,
    "JAX jit": lambda: lambda: 1 / 0,
})


def test_only_right_derivatives_are_timed():
    rows = {row.contender: row for row in measured(TOY, TOY.contenders, budget=0.0, most_rounds=3)}
    assert {name: row.status for name, row in rows.items()} == {
        HAND: "ok", TAPEAD: "wrong", "autograd": "ok", "PyTorch": "not covered", "JAX jit": "failed"}
    assert {name for name, row in rows.items() if row.median is not None} == {HAND, "autograd"}
    assert [rows[name].is_bad for name in (TAPEAD, "PyTorch", "JAX jit")] == [True, False, True]
    assert "ZeroDivisionError" in rows["JAX jit"].detail


def test_other_shapes_and_nan_are_infinitely_wrong():
    assert relative_error([np.zeros(2)], [np.zeros(3)]) == np.inf
    assert relative_error([np.array([np.nan, 1.0])], [np.ones(2)]) == np.inf
    assert relative_error([np.zeros(2)], [np.zeros(2)]) == 0


def test_the_command_writes_both_reports(tmp_path, capsys):
    written, read = tmp_path / "b.json", tmp_path / "b.md"
    assert main(["--only", "polynomial", "--contenders", HAND, TAPEAD, "--seconds", "0",
                 "--json", str(written), "--markdown", str(read)]) == 0
    rows = json.loads(written.read_text())["rows"]
    assert [(row["contender"], row["status"]) for row in rows] == [(HAND, "ok"), (TAPEAD, "ok")]
    assert "| polynomial, one number | tapead |" in read.read_text()
    assert "polynomial, one number" in capsys.readouterr().out


def test_an_unknown_name_lists_the_known_ones(capsys):
    assert main(["--only", "nonesuch"]) == 2
    assert "rosenbrock HVP n=100" in capsys.readouterr().err


def test_durations_have_three_digits():
    assert [report.duration(seconds) for seconds in (1.5e-8, 1.234e-4, 0.0205, 12.345)] == [
        "15.0 ns", "123 µs", "20.5 ms", "12.3 s"]


def test_curves_of_growth(monkeypatch, tmp_path, capsys):
    def few(quick):
        yield growth.per_operation([60])
        yield growth.with_graphs_alive([1])
        yield growth.gradient_in_functions("rosenbrock", growth.rosenbrock.rosenbrock,
                                           lambda n: growth.rosenbrock.point(n, 1),
                                           growth.rosenbrock.gradient_by_hand, 0, [10])

    monkeypatch.setattr(growth, "curves", few)
    monkeypatch.setattr(growth, "is_installed", lambda name: name == TAPEAD)
    monkeypatch.setattr(growth, "fastest", lambda *runs, **how: [run() and 0.5 for run in runs])
    written = tmp_path / "growth.json"
    assert growth.main(["--json", str(written), "--markdown", str(tmp_path / "growth.md")]) == 0
    curves = json.loads(written.read_text())["curves"]
    assert [list(curve["points"]) for curve in curves] == [[TAPEAD], [TAPEAD], [HAND, TAPEAD]]
    assert curves[2]["points"][TAPEAD] == [[10, 1.0]]
    assert "| gradient ÷ function, rosenbrock (×), by elements | 10 |" in (tmp_path / "growth.md").read_text()
    assert "tapead" in capsys.readouterr().out
