"""The pytest plugin: a fixture ``gradcheck`` and an option ``--tapead-seed``. pytest finds it by its entry point."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .checks.report import Report

__all__ = ["Checker", "gradcheck"]

_SEED = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--tapead-seed``."""
    parser.getgroup("tapead").addoption(
        "--tapead-seed", metavar="SEED", default=None, type=_seed,
        help='seed of the random vectors (and points) of gradient checks: a number, or "random"; the same every time '
             "by default")


def _seed(text: str) -> int:
    return random.SystemRandom().randrange(2**32) if text == "random" else int(text)


def pytest_configure(config: pytest.Config) -> None:
    """Seed the checks of the whole run."""
    seed = config.getoption("--tapead-seed")
    if seed is not None:
        from .checks.seeds import set_default_seed

        config.stash[_SEED] = set_default_seed(seed)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave things as they were, for whoever runs pytest within a process."""
    if _SEED in config.stash:
        from .checks.seeds import set_default_seed

        set_default_seed(config.stash[_SEED])


def pytest_report_header(config: pytest.Config) -> str | None:
    """Tell the seed, without which a failure could not be had again."""
    seed = config.getoption("--tapead-seed")
    return None if seed is None else f"tapead: --tapead-seed={seed}"


class Checker:
    """What the fixture ``gradcheck`` is: :func:`tapead.gradcheck` for tests.

    An inconclusive check fails a test too, unless ``raise_exception=False``.

    Attributes
    ----------
    seed : int or None
        That of ``--tapead-seed``; None where it was not given.
    """

    def __init__(self, seed: int | None) -> None:
        self.seed = seed

    def __call__(self, f: Any, inputs: Any, **options: Any) -> Report:
        """Check a derivative at a point; the arguments are those of :func:`tapead.gradcheck`."""
        from .checks.gradcheck import GradcheckError
        from .checks.gradcheck import gradcheck as check

        report = check(f, inputs, **options)
        if report.verdict == "inconclusive" and options.get("raise_exception", True):
            raise GradcheckError(report)
        return report

    def search(self, f: Any, where: Any, **options: Any) -> None:
        """Fail, with lines to paste, if a point is found at which the derivative is wrong.

        The arguments are those of :func:`tapead.testing.find_counterexample`.
        """
        from .checks.gradcheck import GradcheckError
        from .testing import find_counterexample

        found = find_counterexample(f, where, **{"seed": self.seed, **options})
        if found is not None:
            raise GradcheckError(found.report, found.reproduction)


@pytest.fixture
def gradcheck(pytestconfig: pytest.Config) -> Checker:
    """Check derivatives: ``gradcheck(f, inputs)``, and ``gradcheck.search(f, where)`` for a search."""
    return Checker(pytestconfig.getoption("--tapead-seed"))
