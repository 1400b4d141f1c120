"""Reports: as text, in colour, as plain data, as pictures, on the way, and when interrupted."""

from __future__ import annotations

import io
import json
import pickle
import signal
import sys
import threading

import numpy as np
import pytest

import tapead as ta
from tapead.checks import progress as progress_module
from tapead.checks.progress import Progress, advance, counted, doing, watched
from tapead.checks.text import in_colour, render


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(scope="module")
def wrong():
    """A report of one entry that is wrong by a millionth."""
    matrix = np.array([[1.0, 2.0, -1.0], [0.5, -2.0, 3.0]])

    def jac(x, scale):
        first, second = ta.jacobian(function, (0, 1))(x, scale)
        first[1, 2] *= 1 + 1e-6
        return first, second

    def function(x, scale):
        return np.sin(matrix @ x) * scale

    return ta.gradcheck(function, (np.array([0.3, -0.4, 1.1]), 2.0), jac=jac, raise_exception=False,
                        names=["x", "scale"])


def test_inputs_stand_one_below_the_other(wrong):
    lines = str(wrong).splitlines()
    assert lines[0] == "gradcheck: FAIL: the derivative is wrong"
    first, second = lines[1:3]
    assert first.startswith("  x [3]  agrees to  6.0 digits; worst ∂output[1]/∂x[2]:")
    assert second.startswith("  scale  agrees to ")
    assert first.index("expected") == second.index("expected") and first.index("worst") == second.index("worst")
    labels = [line for line in lines[3:] if not line.startswith("   ")]
    assert {line.split(":")[0].strip() for line in labels} >= {"compared", "contract", "odd one out"}
    assert len({len(line) - len(line.partition(":")[2].lstrip()) for line in labels}) == 1


def test_colours_are_for_terminals(wrong, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    assert "\x1b" not in str(wrong)
    plain, terminal = io.StringIO(), Terminal()
    wrong.show(plain)
    wrong.show(terminal)
    assert plain.getvalue() == f"{wrong}\n"
    assert terminal.getvalue().startswith("gradcheck: \x1b[1;31mFAIL\x1b[0m: ")
    for name, value in (("TERM", "dumb"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
        assert not in_colour(Terminal())
        monkeypatch.setenv("TERM", "xterm")
    closed = Terminal()
    closed.close()
    assert not in_colour(closed) and not in_colour(None)


def test_lines_are_wrapped_to_a_width_and_hang(wrong):
    wrong.notes.append("a note " * 30)
    try:
        text = render(wrong, width=70)
    finally:
        wrong.notes.pop()
    rows = text.splitlines()
    start = next(place for place, row in enumerate(rows) if "a note a note" in row)
    assert len(rows[start:]) > 1 and all(len(row) <= 70 for row in rows[start:])
    text = rows[start + 1].lstrip()
    assert rows[start].index("a note") == len(rows[start + 1]) - len(text)


def test_the_short_form_and_the_form_for_notebooks(wrong):
    assert repr(wrong) == "<Report: fail, 6.0 digits>"
    assert wrong._repr_html_().startswith("<pre>gradcheck: FAIL")


def test_a_report_is_plain_data_for_machines(wrong):
    data = json.loads(json.dumps(wrong.to_dict()))
    assert data["verdict"] == "fail" and data["odd_one_out"] == "jac"
    worst = data["inputs"][0]["worst"]
    assert worst["output"] == [1] and worst["input"] == [2]
    assert worst["found"] == pytest.approx(worst["expected"] * (1 + 1e-6), rel=1e-9)
    values = next(leg["values"] for leg in data["legs"] if leg["name"] == "numeric")
    assert np.shape(values[0]) == (2, 3)
    second = ta.gradcheck(lambda x: np.sqrt(x), 0.0, order=2, raise_exception=False)
    assert json.loads(json.dumps(second.to_dict()))["verdict"] == second.verdict  # with infinities


def test_a_report_can_be_pickled_without_its_function(wrong):
    copy = pickle.loads(pickle.dumps(wrong))
    assert str(copy) == str(wrong) and copy.view is None and wrong.view is not None


# ---------------------------------------------------------------------- pictures


@pytest.fixture
def matplotlib(monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    yield matplotlib
    import matplotlib.pyplot as plt

    plt.close("all")


def test_the_picture_shows_the_error_against_the_step_and_where_the_jacobian_is_wrong(wrong, matplotlib):
    figure = wrong.plot()
    ladder, first, second, _ = figure.axes
    assert ladder.get_xscale() == ladder.get_yscale() == "log"
    assert ladder.get_title().startswith("∂output[1]/∂x[2]: ")
    labels = [text.get_text() for text in ladder.get_legend().get_texts()]
    assert "chosen plateau" in labels and "derivative under test: off by 1e-06" in labels
    digits = first.images[0].get_array()
    assert digits.shape == (2, 3) and np.argmin(digits) == 5 and digits[1, 2] == pytest.approx(6, abs=0.1)
    assert second.images[0].get_array().shape == (2, 1)
    marker = first.lines[0]
    assert (marker.get_xdata()[0], marker.get_ydata()[0]) == (2, 1)
    figure.savefig(io.BytesIO())


def test_pictures_of_other_shapes(matplotlib):
    gradient = ta.gradcheck(lambda x: np.sum(np.sin(x)), np.arange(6.0).reshape(2, 3), symbolic=False).plot()
    assert gradient.axes[1].images[0].get_array().shape == (2, 3)
    number = ta.gradcheck(np.sin, 1.0, symbolic=False).plot()
    assert len(number.axes) == 1
    imaginary = ta.gradcheck(lambda z: z * z, np.array([1 + 2j, 0.5 - 1j])).plot()
    assert imaginary.axes[1].images[0].get_array().shape == (4, 4)
    for symbolic in (False, True):
        kink = ta.gradcheck(lambda x: np.sum(np.abs(x)), np.array([0.0, 1.0]), symbolic=symbolic).plot()
        shown = kink.axes[-2].images[0].get_array().filled(np.nan)
        assert np.isnan(shown[0, 0]) and shown[0, 1] > 10
    many = ta.gradcheck(lambda x: np.sum(np.sin(x)), np.linspace(0.1, 1, 300))
    with pytest.raises(ValueError, match="no entries to draw"):
        many.plot()


def test_without_matplotlib_the_extra_is_named(wrong, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"tapead\[plot\]"):
        wrong.plot()


# ---------------------------------------------------------------------- progress


def test_stages_and_steps_are_noted_and_nested_checks_have_their_own():
    advance()  # nobody watches: nothing happens
    doing("nothing")
    with watched("outer") as outer:
        doing("first", 3)
        advance()
        with watched("inner") as inner:
            doing("other")
            counted(lambda: None)()
        doing("second")
        counted(lambda x: x)(1)
    assert str(outer) == "second, 1 evaluations" and outer.finished == ["first"]
    assert str(inner) == "other, 1 evaluations"


@pytest.mark.parametrize("installed", [True, False])
def test_progress_is_shown_on_a_terminal_after_a_while(monkeypatch, installed):
    if not installed:
        monkeypatch.setitem(sys.modules, "rich.console", None)
        monkeypatch.setitem(sys.modules, "tqdm", None)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress_module, "PATIENCE", 0.0)
    monkeypatch.setattr(progress_module, "INTERVAL", 0.001)
    shown = threading.Event()
    write = terminal.write
    monkeypatch.setattr(terminal, "write", lambda text: (write(text), "of 12" in text and shown.set())[0])
    with watched("gradcheck"):
        doing("along random directions", 12)
        assert shown.wait(20)
    assert "gradcheck: along random directions, 0 of 12" in terminal.getvalue()
    if not installed:
        assert terminal.getvalue().endswith("\r") and terminal.getvalue().rstrip("\r").endswith("  ")


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_nothing_is_shown_without_a_terminal_or_for_a_quick_check(monkeypatch, stream):
    error = stream()
    monkeypatch.setattr(sys, "stderr", error)
    monkeypatch.setattr(progress_module, "PATIENCE", 0.0 if stream is io.StringIO else 3600.0)
    with watched("gradcheck"):
        doing("something")
    assert error.getvalue() == ""


# ---------------------------------------------------------------------- Ctrl-C


def test_an_interrupted_check_tells_what_it_knew():
    calls = []

    def slow(x):
        calls.append(None)
        if len(calls) == 60:
            signal.raise_signal(signal.SIGINT)
        return np.sum(np.sin(x))

    with pytest.raises(ta.GradcheckInterrupted) as caught:
        ta.gradcheck(slow, np.arange(1.0, 5.0), raise_exception=False)
    report = caught.value.report
    assert isinstance(caught.value, KeyboardInterrupt)
    assert report.verdict == "inconclusive" and not report
    assert report.interrupted.startswith("numeric, ") and "automatic derivatives" in report.interrupted
    np.testing.assert_allclose(report.leg("reverse AD").values[0], np.cos(np.arange(1.0, 5.0)))
    assert "INCONCLUSIVE: interrupted at: numeric" in str(report)
    assert json.loads(json.dumps(report.to_dict()))["interrupted"] == report.interrupted


def test_an_interrupted_check_of_many_entries_tells_how_far_it_was():
    calls = []

    def slow(x):
        calls.append(None)
        if len(calls) == 150:
            signal.raise_signal(signal.SIGINT)
        return np.sum(x * x)

    with pytest.raises(ta.GradcheckInterrupted) as caught:
        ta.gradcheck(slow, np.arange(1.0, 1001.0))
    assert "along random directions" in caught.value.report.interrupted
    assert "of 12" in caught.value.report.interrupted


def test_what_was_found_wrong_before_stays_wrong():
    report = ta.gradcheck(np.sin, 1.0, jac=lambda x: -1.0, raise_exception=False)
    progress = Progress("gradcheck")
    progress.begin("looking for the wrong rule", 0)
    assert ta.GradcheckInterrupted(report, progress).report.verdict == "fail"
