"""The table of rules, the page made of it, and what is measured for both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tapead as ta
from tapead import rules
from tapead.registry import PRIMITIVES

PAGE = Path(__file__).parent.parent / "docs" / "coverage.md"


@pytest.fixture(scope="module")
def table():
    return {row.name: row for row in rules.rows()}


def test_every_primitive_has_a_row(table):
    assert set(table) <= set(PRIMITIVES)
    assert {name for name, primitive in PRIMITIVES.items() if rules.is_ours(primitive)} <= set(table)
    for name, row in table.items():
        if rules.is_ours(PRIMITIVES[name]):
            assert (row.differentiable != ()) == PRIMITIVES[name].differentiable, name
            assert bool(row.formula) == PRIMITIVES[name].differentiable, name


def test_a_primitive_of_ones_own_is_in_the_table_but_not_on_the_page(monkeypatch):
    monkeypatch.setattr(rules, "PRIMITIVES", {"own cube": ta.Primitive("own cube", lambda x: x**3)})
    assert [row.name for row in rules.rows()] == ["own cube"]
    assert "own cube" not in rules.markdown()


def test_inputs_without_a_derivative_are_told_apart(table):
    assert table["arctan2"].differentiable == ("x1", "x2")
    assert table["sort"].inputs == ("a",)
    assert rules.inputs_text(table["concatenate"]) == "all"
    assert rules.inputs_text(table["floor"]) == "none"
    pytest.importorskip("scipy")
    assert rules.inputs_text(table["special_jv"]) == "z, not v"


def test_a_rule_is_measured():
    assert rules.measure("tanh") == ("PROVED", 24, pytest.approx(15.7, abs=0.4), "50 digits")
    with ta.override_gradient({"tanh": lambda op: (1 + 1e-6) * (1 - op.output**2)}):
        found = rules.measure("tanh")
    assert found.status == "REFUTED"
    assert 5.9 < found.digits < 6.1
    assert rules.measure("clip").against == "differences"


def test_nothing_is_refuted_and_numpys_rules_are_measured():
    found = rules.measured()
    assert [name for name, one in found.items() if one.status == "REFUTED"] == []
    numpys = [name for name, primitive in PRIMITIVES.items() if primitive.rule is not None
              and primitive.rule.__module__.startswith("tapead.ops.")]
    for name in numpys:
        assert name in found, f"run: tapead rules --prove --save {name}"
        assert found[name].status == "PROVED" or found[name].points > 0, name
        assert found[name].digits > 10, name


def test_measurements_are_kept_beside_those_of_other_rules(monkeypatch, tmp_path):
    monkeypatch.setattr(rules, "_FILE", tmp_path / "rules.csv")
    assert rules.measured() == {}
    rules.save({"sin": rules.Measured("PROVED", 24, 16.0, "50 digits")})
    rules.save({"cos": rules.Measured("UNDECIDED", 3, None, "")})
    assert rules.measured() == {"sin": ("PROVED", 24, 16.0, "50 digits"), "cos": ("UNDECIDED", 3, None, "")}


def test_the_page_is_current(table):
    page = PAGE.read_text(encoding="utf-8")
    advice = "the page is old; make it anew: tapead rules --markdown > docs/coverage.md"
    if rules.versions() in page:
        assert page == rules.markdown(), advice
    for name, row in table.items():
        rule = PRIMITIVES[name].rule
        if rule is not None and rule.__module__.startswith("tapead.ops."):
            assert f"| `{name}` | {rules.inputs_text(row)} |" in page, advice


def test_digits_notice_a_wrong_rule_that_only_differences_can_judge():
    with ta.override_gradient({"clip": lambda op: (np.float64(1.001), 0, 0)}):
        assert rules._digits(PRIMITIVES["clip"], (np.array([0.2, 0.4]), -1.0, 1.0), {})[0] < 3.5


def test_a_users_primitive_without_cases_has_a_row():
    primitive = ta.primitive("test_rules_shifted")(lambda x, by=None: x + by)
    ta.RegisterGradient("test_rules_shifted")(lambda op: op.attrs["by"] * 0 + 1)
    try:
        row = next(row for row in rules.rows() if row.name == primitive.name)
        assert row.inputs == row.differentiable == ("x", "by")
    finally:
        del PRIMITIVES[primitive.name]
