"""The examples run and show what they say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from tapead.registry import PRIMITIVES

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e[+-]?\d+)?", text)]


def test_every_example_is_tested():
    tested = Path(__file__).read_text()
    assert all(f'load("{path.stem}")' in tested for path in EXAMPLES.glob("*.py"))


def test_gradients_that_are_not_zeroed_gather_speed(capsys):
    example = load("logistic_regression")
    example.main()
    zeroed, kept = capsys.readouterr().out.splitlines()
    assert "rose in  0 of 60 steps" in zeroed
    assert numbers(kept)[1] > 1.5 * numbers(zeroed)[1]
    assert numbers(kept)[2] > 10
    (losses, accuracy), (others, _) = example.train(True), example.train(False)
    assert losses[:2] == others[:2] and losses[2] != others[2]
    assert accuracy > 0.8


def test_both_styles_take_the_same_steps(capsys):
    example = load("two_styles")
    try:
        example.main()
        first, second, difference, rule = capsys.readouterr().out.splitlines()
        assert numbers(first) == numbers(second)
        assert numbers(first)[0] > 1 and numbers(first)[1] < 1e-10
        assert numbers(difference)[0] < 1e-12
        assert rule.endswith("PROVED")
    finally:
        PRIMITIVES.pop("smooth_relu")  # the catalogue is of tapead's own


def test_the_residual_network_learns(capsys):
    load("residual_network").main()
    without, residual = map(numbers, capsys.readouterr().out.splitlines())
    assert without[0] == residual[0] == 152
    assert without[1] < 1e-20 < 1e-3 < residual[1]
    assert without[3] > 0.9 * without[2]
    assert residual[3] < 0.5 * min(without[3], residual[2])


def test_modes_are_not_recording(capsys):
    load("train_and_evaluate").main()
    evaluation, training, recorded = capsys.readouterr().out.splitlines()
    first, again, exact = numbers(evaluation)
    assert first == again and abs(first - exact) < 0.2
    mean, spread = numbers(training)
    assert abs(mean - 1) < 0.4 and 0.01 < spread < 0.5
    np.testing.assert_allclose(numbers(recorded)[:4], numbers(recorded)[4:], atol=0.4)


def test_scipy_finds_the_parameters(capsys):
    pytest.importorskip("scipy")
    load("fit_with_scipy").main()
    lines = capsys.readouterr().out.splitlines()
    with_gradient, without = map(numbers, lines[:2])
    np.testing.assert_allclose(with_gradient[:4], without[:4], atol=2e-3)
    assert 3 * with_gradient[4] < without[4]
    for line in lines[2:]:
        value, error, true = numbers(line)
        assert abs(value - true) < 3 * error


@pytest.mark.parametrize("example", ["logistic_regression", "residual_network", "fit_with_scipy"])
def test_plots_are_saved(example, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    pytest.importorskip("scipy")
    load(example).main(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000
