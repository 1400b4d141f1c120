"""The command line: output that can be read, exit codes that can be used, one line for every mistake."""

from __future__ import annotations

import io
import json
import os
import pathlib
import shlex
import subprocess
import sys

import numpy as np
import pytest

import tapead as ta
from tapead.cli import main


@pytest.fixture
def run(capsys):
    def call(*arguments):
        code = main(list(arguments))
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "model_for_cli.py").write_text(
        "import numpy as np\n"
        "def loss(x):\n    return np.sum(x**2)\n"
        "def pair(x, y):\n    return x * np.sin(y)\n"
        "def right(x):\n    return 2 * x\n"
        "def wrong(x):\n    return 2.001 * x\n"
        "def one_sided(x):\n    return 2 * np.abs(x)\n"
        "def broken(x):\n    raise ValueError('by the user')\n"
        "number = 3\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    yield "model_for_cli"
    sys.modules.pop("model_for_cli", None)


def test_check_shows_every_leg_for_every_input(run):
    code, out, err = run("check", "x**2 * sin(y) + log(x*y)", "x=1.5", "y=0.3")
    assert (code, err) == (0, "")
    blocks = out.split("\n\n")
    assert blocks[0].startswith("f = x**2 * sin(y) + log(x*y)   at x = 1.5, y = 0.3")
    for block, name, value, formula in ((blocks[1], "x", "+1.5532272866", "2*x*sin(y) + 1/x"),
                                        (blocks[2], "y", "+5.4828404338", "x**2*cos(y) + 1/y")):
        lines = block.splitlines()
        assert lines[0] == f"∂f/∂{name}"
        assert [line.split("  ")[1] for line in lines[1:]] == [
            "numeric", "symbolic", "forward AD", "reverse AD", "agree to"]
        assert all(value in line for line in lines[1:5])
        assert "±" in lines[1]
        assert formula in lines[2]
    assert "verdict: PASS" in blocks[3]
    assert max(map(len, out.splitlines())) <= 100


def test_check_of_a_list_shows_each_element(run):
    code, out, _ = run("check", "sum(x**2) / n", "x=[1, 2]", "n=2", "--no-symbolic")
    assert code == 0
    assert all(f"∂f/∂{name}" in out for name in ("x[0]", "x[1]", "n"))


def test_check_of_many_elements_shows_the_worst(run):
    code, out, _ = run("check", "sum(x**2)", f"x={list(range(1, 30))}", "--no-symbolic")
    assert code == 0
    assert "shape [29]" in out
    assert "worst entry" in out


def test_a_vector_valued_formula(run):
    code, out, _ = run("check", "sin(x) * x[0]", "x=[1, 2]", "--no-symbolic")
    assert code == 0
    assert "verdict: PASS" in out


def test_a_wrong_rule_is_reported_with_exit_code_one(run):
    with ta.override_gradient({"sin": lambda op: 1.001 * np.cos(op.inputs[0])}):
        code, out, _ = run("check", "sin(x)", "x=1", "--no-symbolic")
    assert code == 1
    assert "FAIL" in out
    assert "primitive 'sin'" in out


def test_a_kink_is_no_failure(run):
    code, out, _ = run("check", "abs(x)", "x=0", "--no-symbolic")
    assert code == 0
    assert "KINK" in out
    assert "at a kink" in out


def test_second_order(run):
    code, out, _ = run("check", "x**3 * y", "x=2", "y=3", "--order", "2", "--no-symbolic")
    assert code == 0
    assert "second derivatives: PASS" in out


def test_json(run):
    code, out, _ = run("check", "x**2", "x=3", "--json", "--no-symbolic")
    data = json.loads(out)
    assert code == 0
    assert data["verdict"] == "pass"
    assert data["inputs"][0]["name"] == "x"


def test_functions_of_a_module(run, module):
    code, out, _ = run("check", f"{module}:loss", "--at", "[[1.0, 2.0]]", "--no-symbolic")
    assert code == 0
    assert "verdict: PASS" in out
    code, out, _ = run("check", f"{module}:pair", "--at", "[1, 2]", "--order", "2", "--no-symbolic")
    assert code == 0
    assert run("check", f"{module}:loss", "--at", "[[1.0, 2.0]]", "--jac", f"{module}:right", "--no-symbolic")[0] == 0
    code, out, _ = run("check", f"{module}:loss", "--at", "[[1.0, 2.0]]", "--jac", f"{module}:wrong", "--no-symbolic")
    assert code == 1
    assert "odd one out: jac" in out


def test_search_finds_what_the_point_does_not_show(run, module):
    arguments = ("check", f"{module}:loss", "--at", "[[1.0, 2.0]]", "--jac", f"{module}:one_sided", "--no-symbolic")
    code, out, _ = run(*arguments)  # a few other points are tried in any case
    assert code == 1 and "right at the point given and wrong at another" in out
    code, out, err = run(*arguments, "--search", "--within", "-3", "3")
    assert (code, err) == (1, "")
    assert "verdict: PASS" in out and "WRONG at another point" in out and "gradcheck: FAIL" in out
    again = out.splitlines()[-1].strip()
    words = shlex.split(again)
    assert words[:2] == ["tapead", "check"]
    assert run(*words[1:], "--no-symbolic")[0] == 1
    code, out, _ = run("check", f"{module}:loss", "--at", "[[1.0, 2.0]]", "--no-symbolic", "--search", "--within", "-1",
                       "1")
    assert code == 0
    assert "no other point was found" in out


def test_search_in_a_formula(run):
    wrong = {"exp": lambda op: op.output * np.where(op.inputs[0] < 0, 1.1, 1.0)}
    with ta.override_gradient(wrong):
        code, out, _ = run("check", "x * exp(y)", "x=1", "y=0.5", "--no-symbolic", "--search", "--within", "-2", "2",
                           "--json")
        data = json.loads(out)
        assert code == 1 and data["verdict"] == "pass"
        out = run("check", "x * exp(y)", "x=1", "y=0.5", "--no-symbolic", "--search", "--within", "-2", "2")[1]
        assert run(*shlex.split(out.splitlines()[-1])[1:], "--no-symbolic")[0] == 1
    assert data["counterexample"]["inputs"][1] < 0
    assert data["counterexample"]["report"]["verdict"] == "fail"


def test_a_picture(run, tmp_path):
    pytest.importorskip("matplotlib")
    file = tmp_path / "check.png"
    assert run("check", "x**2", "x=3", "--no-symbolic", "--plot", str(file))[0] == 0
    assert file.read_bytes().startswith(b"\x89PNG")
    code, _, err = run("check", "x**2", "x=3", "--no-symbolic", "--plot", str(tmp_path / "none" / "check.png"))
    assert code == 2 and err.startswith("tapead: --plot: ")


def test_missing_packages_are_named_with_their_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, _, err = run("check", "x**2", "x=3", "--no-symbolic", "--plot", "check.png")
    assert code == 2 and "tapead[plot]" in err
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    for name in [name for name in sys.modules if name.startswith("tapead.testing")]:
        monkeypatch.delitem(sys.modules, name)
    code, _, err = run("check", "x**2", "x=3", "--no-symbolic", "--search")
    assert code == 2 and "tapead[test]" in err


def test_an_interruption_shows_what_is_known(run, monkeypatch, module):
    source = "import signal\ncalls = []\ndef slow(x):\n    calls.append(0)\n"
    pathlib.Path("slow_for_cli.py").write_text(
        source + "    if len(calls) == 40: signal.raise_signal(signal.SIGINT)\n    return x * x\n")
    code, out, err = run("check", "slow_for_cli:slow", "--at", "[1.5]", "--no-symbolic")
    assert (code, out) == (130, "")
    assert "INCONCLUSIVE: interrupted at: numeric" in err
    monkeypatch.delitem(sys.modules, "slow_for_cli")


def test_colours_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["check", "x**2", "x=1", "--no-symbolic"]) == 0
    assert "verdict: \x1b[1;32mPASS\x1b[0m" in terminal.getvalue()


def test_tape(run):
    code, out, _ = run("tape", "x**2 * sin(y)", "x=1", "y=2")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["v0", "=", "x", "1"]
    assert lines[1] == ["v1", "=", "y", "2"]
    assert lines[2][:4] == ["v2", "=", "power(v0,", "2)"]
    assert lines[-1][2:4] == ["multiply(v2,", "v3)"]


def test_rules_lists_every_primitive(run):
    from tapead.registry import PRIMITIVES

    code, out, _ = run("rules")
    assert code == 0
    names = [line.split()[0] for line in out.splitlines()[1:]]
    assert names == sorted(PRIMITIVES)
    assert any(line.startswith("sin ") and "elementwise" in line and "cos(x) dx" in line for line in out.splitlines())


def test_prove(run):
    code, out, _ = run("prove", "sin", "exp")
    assert code == 0
    assert "2 of 2 proved, 0 refuted" in out
    with ta.override_gradient({"sin": lambda op: 1.001 * np.cos(op.inputs[0])}):
        code, out, _ = run("prove", "sin")
    assert code == 1
    assert "REFUTED" in out


def test_prove_a_primitive_of_ones_own(run, tmp_path, monkeypatch):
    (tmp_path / "own_for_cli.py").write_text(
        "import tapead as ta\n"
        "@ta.primitive('cube for the command line', sympy='x**3')\n"
        "def cube(x):\n    return x**3\n"
        "@ta.RegisterGradient('cube for the command line')\n"
        "def _(op):\n    return 3 * op.inputs[0]**2\n"
        "def plain(x):\n    return x\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    try:
        code, out, _ = run("prove", "own_for_cli:cube")
        assert code == 0 and "1 of 1 proved" in out
        code, _, err = run("prove", "own_for_cli:plain")
        assert code == 2 and "is no primitive" in err
    finally:
        sys.modules.pop("own_for_cli", None)
        ta.registry.PRIMITIVES.pop("cube for the command line", None)


@pytest.mark.parametrize(("arguments", "message"), [
    (["check", "x^2", "x=1"], "use ** (column 2 of 'x^2')"),
    (["check", "sn(x)", "x=1"], "did you mean sin"),
    (["check", "x + y", "x=1"], "no value for 'y': add y=... (column 5 of 'x + y')"),
    (["check", "x1", "x=1"], "no value for 'x1'; did you mean x?"),
    (["check", "x", "x=1", "y=2"], "y is not in the formula"),
    (["check", "x", "x=1", "x=2"], "given twice"),
    (["check", "x", "x"], "expected NAME=VALUE, got 'x'"),
    (["check", "x", "1=2"], "expected NAME=VALUE"),
    (["check", "x", "x=foo"], "the value of x must be a number"),
    (["check", "x", "x="], "empty"),
    (["check", "x", "x=[1,[2]]"], "different lengths"),
    (["check", "3", ], "no variables"),
    (["check", "log(x)", "x=-1"], "not finite at the point"),
    (["check", "x", "x=1", "--search", "--within", "2", "1"], "--within: 2 is not below 1"),
    (["check", "x", "x=1", "--at", "[1]"], "--at and --jac belong to"),
    (["check", "no_such_module:f", "--at", "[1]"], "cannot import no_such_module"),
    (["check", "numpy:no_such_function", "--at", "[1]"], "numpy has no 'no_such_function'"),
    (["check", "numpy:pi", "--at", "[1]"], "is not a function"),
    (["check", "numpy:sin"], "needs --at"),
    (["check", "numpy:sin", "--at", "[1"], "--at must be a list"),
    (["check", "numpy:sin", "--at", '["a"]'], "--at must be a list"),
    (["check", "numpy:sin", "--at", "[]"], "empty list"),
    (["check", "numpy:sin", "x=1"], "belongs to a formula"),
    (["check", "numpy:sin", "--at", "[1]", "--jac", "nonsense"], "expected package.module:function"),
    (["tape", "x +", "x=1"], "column 3"),
    (["prove", "sine"], "did you mean"),
])
def test_mistakes_are_explained_on_one_line_with_exit_code_two(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("tapead: ")
    assert err.count("\n") == 1
    assert message in err


def test_an_exception_of_the_users_function_is_shown_on_one_line(run, module):
    code, _, err = run("check", f"{module}:broken", "--at", "[1]")
    assert code == 2
    assert err == "tapead: by the user\n"


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["check"], ["check", "x", "x=1", "--order", "3"]])
def test_wrong_usage_is_exit_code_two(run, arguments):
    code, _, err = run(*arguments)
    assert code == 2
    assert "usage" in err


def test_help_and_version_are_exit_code_zero(run):
    assert run("--help")[0] == 0
    code, out, _ = run("--version")
    assert (code, out) == (0, f"tapead {ta.__version__}\n")


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "latin-1", "utf-8"])
def test_any_console_will_do(monkeypatch, encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["check", "x**2", "x=1", "--no-symbolic"]) == 0
    assert main(["rules"]) == 0
    stream.flush()
    text = stream.buffer.getvalue().decode(encoding)
    assert ("±" if encoding in ("latin-1", "utf-8") else "+-") in text or encoding in ("cp437", "latin-1")


def test_it_runs_as_a_command_of_its_own(tmp_path):
    (tmp_path / "model.py").write_text("def f(x):\n    return x * abs(x)\ndef jac(x):\n    return 2 * x\n")
    result = subprocess.run([sys.executable, "-m", "tapead", "check", "model:f", "--at", "[2.0]", "--jac", "model:jac",
                             "--search", "--within", "-3", "3", "--no-symbolic"], cwd=tmp_path,
                            capture_output=True, text=True, encoding="utf-8",
                            env={**os.environ, "PYTHONIOENCODING": "utf-8"}, check=False)
    assert (result.returncode, result.stderr) == (1, "")
    assert "\x1b" not in result.stdout
    assert "gradcheck: FAIL" in result.stdout
