"""What both test directories share: Hypothesis profiles, and the check that a test leaves nothing on the tape."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterable, Iterator

import hypothesis
import pytest

import tapead as ta
from tapead.tape import Entry

_CHECKS = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large,
           hypothesis.HealthCheck.filter_too_much]
hypothesis.settings.register_profile("ci", derandomize=True, max_examples=250, deadline=None, database=None,
                                     suppress_health_check=_CHECKS)
hypothesis.settings.register_profile("thorough", max_examples=3000, deadline=None, suppress_health_check=_CHECKS,
                                     print_blob=True)
#: Another one is chosen by this variable, or by ``--hypothesis-profile``, which comes later and wins.
hypothesis.settings.load_profile(os.environ.get("TAPEAD_HYPOTHESIS_PROFILE", "ci"))

_OUTCOME = pytest.StashKey[bool]()
_EXAMPLES = pytest.StashKey[int]()
#: Entries that are already known to live on: those in the tracebacks of failed tests.
_known: set[int] = set()


def new_entries(tape: Iterable[Entry], known: set[int]) -> list[str]:
    """Entries on a tape that are not known yet, as text; from then on they are known."""
    found = [entry for entry in tape if entry.index not in known]
    known.update(entry.index for entry in found)
    return [f"{entry!r} recorded at {entry.where}" for entry in found]


@pytest.fixture(scope="session", autouse=True)
def frozen_session() -> None:
    """Hide everything that exists before the first test from the search for living entries: it makes that quick."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def nothing_on_the_tape() -> None:
    """Hide the leaves that other tests keep: for tests of what the whole tape shows."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_stays_on_the_tape(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that passed but left entries of the tape alive."""
    yield
    if hasattr(request.node, "funcargs"):
        request.node.funcargs.clear()  # the values of its fixtures, which are finished by now
    if len(ta.tape()) == 0:
        return
    gc.collect()
    left = new_entries(ta.tape(), _known)
    if left and request.node.stash.get(_OUTCOME, False):
        pytest.fail(f"{len(left)} entries are still on the tape: " + "; ".join(left[:5]), pytrace=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Remember whether the test passed, and how many examples Hypothesis ran for it."""
    yield
    if call.when == "call":
        item.stash[_OUTCOME] = call.excinfo is None
        counts = re.findall(r"(\d+) passing", getattr(item, "hypothesis_statistics", ""))
        item.config.stash[_EXAMPLES] = item.config.stash.get(_EXAMPLES, 0) + sum(map(int, counts))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print how many examples were run."""
    if config.stash.get(_EXAMPLES, 0):
        terminalreporter.write_line(f"Hypothesis ran {config.stash[_EXAMPLES]} passing examples")
        config.stash[_EXAMPLES] = 0  # both directories' conftest come by here
