"""Fixtures and hooks of these tests, from hygiene.py."""

from hygiene import (  # noqa: F401 -- pytest finds them by name
    frozen_session,
    nothing_on_the_tape,
    nothing_stays_on_the_tape,
    pytest_runtest_makereport,
    pytest_terminal_summary,
)
