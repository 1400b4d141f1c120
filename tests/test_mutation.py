"""The mutation study, a slice of it: wrong rules are told from right ones, and the study counts what it says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1]))  # the study is run from the checkout and is not installed

import tapead as ta
from benchmarks.mutation import study, tables
from benchmarks.mutation.__main__ import main
from benchmarks.mutation.checkers import asked, black_box, own
from benchmarks.mutation.composites import INGREDIENTS, around
from benchmarks.mutation.mutants import Mutant, mutants
from benchmarks.mutation.points import PLACES, easy_points, of_numpy, primitives
from benchmarks.mutation.truth import changes
from tapead.registry import PRIMITIVES, Linear


def some_point(name):
    return study.chosen(easy_points(PRIMITIVES[name]), every=False)[0]


# ---------------------------------------------------------------------- what counts as a mutant


@pytest.mark.parametrize(("rule", "expected"), [
    (lambda op: np.cos(op.inputs[0]), False),
    (lambda op: np.sin(op.inputs[0] + np.pi / 2), False),
    (lambda op: np.cos(op.inputs[0]) * (1 + 1e-13), False),
    (lambda op: np.cos(op.inputs[0]) * (1 + 1e-9), True),
    (lambda op: -np.cos(op.inputs[0]), True),
    (lambda op: Linear(lambda t: t * np.cos(op.inputs[0]), lambda g: np.abs(g) * np.cos(op.inputs[0])), True),
    (lambda op: np.ones(7), True),
    (lambda op: 1 / 0, True),
], ids=["the same", "another formula", "rounding", "ninth digit", "sign", "not linear", "shape", "raises"])
def test_mutants_are_told_from_other_ways_to_say_the_same(rule, expected):
    assert changes(some_point("sin"), Mutant("any", "any", rule), {}) is expected


def test_a_severed_rule_changes_the_second_derivative_only():
    point = some_point("sin")
    severed = next(one for one in mutants(point.primitive, point) if one.kind == "severed inside the rule")
    assert changes(point, severed, {})
    assert not changes(point, Mutant("any", "any", severed.rule, order=1), {})
    linear = some_point("negative")
    severed = next(one for one in mutants(linear.primitive, linear) if one.kind == "severed inside the rule")
    assert not changes(linear, severed, {})


def test_the_source_of_rules_is_mutated():
    kinds = {one.label.split(":")[0]: one.kind for one in mutants(PRIMITIVES["arctan2"], some_point("arctan2"))
             if one.label.startswith("_")}
    assert kinds
    labels = [one.label for one in mutants(PRIMITIVES["matmul"], some_point("matmul"))]
    assert any(label.startswith("_matmul: line") and "t @ b → b @ t" in label for label in labels)
    assert any(label.startswith("_adjoint: line") and "a.T → a" in label for label in labels)


# ---------------------------------------------------------------------- the checker


@pytest.mark.parametrize("name", ["sin", "sum", "sort"])
def test_every_mutant_of_a_rule_is_caught(name):
    journal = study.Journal()
    study.study_rules(journal, "tapead", [PRIMITIVES[name]])
    some, every = tables.caught(journal.lines)
    assert tables.slipped(journal.lines) == []
    assert some == every > 25
    assert [line["verdict"] for line in journal.lines if line["kind"] == "registered"].count("pass") >= 1


def test_every_mutant_of_a_black_box_is_caught():
    journal = study.Journal()
    study.study_rules(journal, "tapead, black box", [PRIMITIVES["transpose"]])
    some, every = tables.caught(journal.lines)
    assert tables.slipped(journal.lines) == []
    assert some == every > 15


def test_the_culprit_in_a_program_is_named_with_its_line():
    journal = study.Journal()
    study.study_culprits(journal, [PRIMITIVES["negative"]])
    assert tables.culprit_lines(journal.lines)[0].endswith("(100.00 %)")
    assert len(journal.lines) > 25


def test_the_program_around_a_primitive_has_its_value():
    point = some_point("exp")
    assert point.name not in INGREDIENTS
    size = np.max(np.exp(point.inputs[0]))
    expected = np.sum(np.sin(np.exp(point.inputs[0]) / size) * np.linspace(-1.0, 0.7, 3))
    np.testing.assert_allclose(around(point)(*point.inputs), expected, rtol=1e-15)


def test_registered_rules_are_not_accused_at_easy_places():
    points = [study.chosen(easy_points(primitive), every=False)[:1] for primitive in primitives()[::9]
              if of_numpy(primitive)]
    accused = [(point.name, answer.detail) for found in points for point in found
               if (answer := asked(own, point, None)).caught]
    assert accused == []


def test_registered_rules_are_not_accused_at_drawn_places():
    journal = study.Journal()
    names = ("exp", "multiply", "cumsum", "maximum")
    study.study_alarms(journal, "tapead", [PRIMITIVES[name] for name in names], 4 * len(PLACES))
    assert {line["kind"] for line in journal.lines} == set(PLACES)
    assert [line for line in journal.lines if line["verdict"] in ("fail", "raised", "no answer")] == []


def test_an_answer_tells_what_a_wrong_rule_raised():
    point = some_point("sin")
    answer = asked(black_box, point, Mutant("any", "any", lambda op: 1 / 0))
    assert answer.caught
    assert answer.verdict == "raised"
    assert answer.detail.startswith("ZeroDivisionError")


# ---------------------------------------------------------------------- the command


def test_the_command_keeps_journals_and_goes_on(tmp_path, capsys):
    arguments = ["--only", "negative", "--checkers", "tapead", "--stages", "rules", "alarms", "--examples", "5",
                 "--directory", str(tmp_path)]
    assert main(arguments) == 0
    first = capsys.readouterr().out
    assert "| sign | " in first and "**share caught** | 100.00 % |" in first
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert sorted(before) == ["alarms-numpy-tapead.jsonl", "rules-numpy-tapead.jsonl", "truth-numpy.jsonl"]
    assert main(arguments) == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before
    assert capsys.readouterr().out == first


def test_the_command_fails_where_a_mutant_slipped_through(tmp_path, capsys):
    line = {"id": "sin 0 7 sign: both modes", "kind": "sign", "verdict": "pass", "detail": ""}
    (tmp_path / "rules-numpy-tapead.jsonl").write_text(json.dumps(line) + "\n")
    assert main(["--table", "--directory", str(tmp_path)]) == 1
    assert "slipped through tapead's check: sin 0 7 sign: both modes: pass" in capsys.readouterr().out


def test_other_checkers_are_asked_about_the_same_mutants():
    pytest.importorskip("autograd")
    lines = {}
    for checker in ("tapead, black box", "HIPS autograd"):
        journal = study.Journal()
        study.study_rules(journal, checker, [PRIMITIVES["sin"]])
        lines[checker] = journal.lines
    assert tables.caught(lines["HIPS autograd"], "sign") == tables.caught(lines["tapead, black box"], "sign")
    assert tables.caught(lines["HIPS autograd"], "factor 1 + 1e-9")[0] == 0


def test_the_registered_rules_are_in_force_again():
    with ta.override_gradient({"sin": lambda op: 7.0}):
        pass
    assert ta.grad(np.sin)(0.0) == 1.0


def test_an_infinite_derivative_is_not_excused_as_rounding():
    with ta.override_gradient({"fmod": lambda op: (1, np.array([1.0, -1.0, np.inf]))}):
        report = ta.gradcheck(np.fmod, (np.array([1.875, 2.625, -0.75]), np.array([-1.4999, 2.2501, -1.1249])),
                              raise_exception=False)
    assert report.verdict == "fail"


def test_nine_digits_are_not_taken_for_all():
    with ta.override_gradient({"log10": lambda op: (1 + 1e-9) / (op.inputs[0] * np.log(10))}):
        report = ta.gradcheck(np.log10, np.array([5.25, 1.5, 2.625]), symbolic=False, raise_exception=False)
    assert report.verdict == "fail"


@pytest.mark.parametrize(("name", "operands"), [
    ("sin", (5e-316,)),
    ("sin", (1.4e132,)),
    ("log", (1.1e-109,)),
    ("reciprocal", (-4.3e-145,)),
    ("power", (np.array([0.0, 2.0]), 5.98)),
    ("hypot", (-1.3922e-318, 1.73e-322)),
    ("remainder", (1.993576018050656, 1.209519932061744e-307)),
    ("sort", (np.array([0.0, -0.0, 0.0]),)),
    ("sqrt", (-0.0,)),
    ("clip", (0.0, 0.0, 0.0)),
], ids=str)
def test_places_that_were_once_accused(name, operands):
    report = ta.gradcheck(PRIMITIVES[name], operands, symbolic=False, raise_exception=False)
    assert report.verdict != "fail", str(report)
