"""The garbage collector while a function is recorded: it is called less often, because there is little to collect.

A tape is made of objects that live until the sweep. A collector that looks at all of them again whenever seven hundred
more have been made takes a third of the time of a long recording.
"""

from __future__ import annotations

import gc
from threading import Lock

__all__ = ["be_patient", "be_usual"]

#: So many more objects than were freed call the collector while something is recorded.
_PATIENCE = 50_000

_lock = Lock()
_recordings = 0
_usual = (0, 0, 0)


def be_patient() -> None:
    """Another function is about to be recorded; with as many calls of :func:`be_usual` all is as it was."""
    global _recordings, _usual
    with _lock:
        _recordings += 1
        if _recordings == 1:
            _usual = gc.get_threshold()
            if 0 < _usual[0] < _PATIENCE:  # 0 switches it off
                gc.set_threshold(_PATIENCE, *_usual[1:])


def be_usual() -> None:
    """A function has been recorded. A threshold that the function has set itself stays."""
    global _recordings
    with _lock:
        _recordings -= 1
        if _recordings == 0 and gc.get_threshold()[0] == _PATIENCE:
            gc.set_threshold(*_usual)
