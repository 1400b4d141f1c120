"""The garbage collector while a function is recorded: it is called less often, because there is little to collect.

A tape is made of objects that live until the sweep. A collector that looks at all of them again whenever seven hundred
more have been made takes a third of the time of a long recording. A short one it never comes to.
"""

from __future__ import annotations

import gc
from threading import Lock
from typing import Any

__all__ = ["be_patient", "be_usual"]

#: So many more objects than were freed call the collector while something is recorded.
_PATIENCE = 50_000

_lock = Lock()
#: One for each function that is being recorded, in whatever thread: appending takes no lock.
_recordings: list[None] = []
#: The thresholds that were raised; empty otherwise.
_usual: list[tuple[int, int, int]] = []


def be_patient() -> None:
    """Another function is about to be recorded; with as many calls of :func:`be_usual` all is as it was."""
    _recordings.append(None)


def be_usual() -> None:
    """A function has been recorded. A threshold that the function has set itself stays."""
    _recordings.pop()
    if _usual and not _recordings:
        with _lock:
            if _usual and not _recordings:
                usual = _usual.pop()
                if gc.get_threshold()[0] == _PATIENCE:
                    gc.set_threshold(*usual)


def _notice(phase: str, details: dict[str, Any]) -> None:
    """Called by the collector itself: it is to come less often if a function is being recorded."""
    if _recordings and phase == "start" and not _usual:
        threshold = gc.get_threshold()
        if threshold[0] < _PATIENCE:
            _usual.append(threshold)
            gc.set_threshold(_PATIENCE, *threshold[1:])


gc.callbacks.append(_notice)
