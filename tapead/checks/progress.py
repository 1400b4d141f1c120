"""What a check is doing, shown to those who have waited for a second; and what it knew when it was interrupted."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

__all__ = ["Progress", "advance", "counted", "doing", "watched"]

#: For how many seconds nothing is shown, and how often the display changes then.
PATIENCE, INTERVAL = 1.0, 0.1


class Progress:
    """What a check is doing and has done.

    Attributes
    ----------
    title : str
        What is running.
    what : str
        The stage it has reached; empty before the first.
    count, total : int
        How far the stage is; a `total` of 0 is unknown.
    finished : list of str
        The stages before.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.what = ""
        self.count = self.total = 0
        self.finished: list[str] = []

    def begin(self, what: str, total: int) -> None:
        """Enter a stage."""
        if self.what and self.what not in self.finished:
            self.finished.append(self.what)
        self.what, self.count, self.total = what, 0, total

    def __str__(self) -> str:
        """The stage and how far it is, ``along random directions, 3 of 12``."""
        if self.total:
            return f"{self.what}, {self.count:,} of {self.total:,}"
        return f"{self.what}, {self.count:,} evaluations" if self.count else self.what


_current: ContextVar[Progress | None] = ContextVar("tapead progress", default=None)


def doing(what: str, total: int = 0) -> None:
    """Tell whoever watches that a stage begins, of `total` steps where that is known."""
    progress = _current.get()
    if progress is not None:
        progress.begin(what, total)


def advance() -> None:
    """Tell whoever watches that a step is done."""
    progress = _current.get()
    if progress is not None:
        progress.count += 1


def counted(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose calls are steps of the stage where this has no others."""

    def call(*args: Any) -> Any:
        progress = _current.get()
        if progress is not None and not progress.total:
            progress.count += 1
        return function(*args)

    return call


@contextmanager
def watched(title: str) -> Iterator[Progress]:
    """Watch what is done inside of a ``with`` block, and show it on a terminal once it has taken a second.

    What is watched within something that is watched is not shown.
    """
    progress = Progress(title)
    shown = _current.get() is None and _is_terminal(sys.stderr)
    token = _current.set(progress)
    over = threading.Event()
    display = threading.Thread(target=_show, args=(progress, over), daemon=True) if shown else None
    if display is not None:
        display.start()
    try:
        yield progress
    finally:
        _current.reset(token)
        over.set()
        if display is not None:
            display.join()


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # no stream, or a closed one
        return False


# ---------------------------------------------------------------------- the display


class _Display(Protocol):
    def update(self, progress: Progress, seconds: float) -> None: ...
    def close(self) -> None: ...


def _show(progress: Progress, over: threading.Event) -> None:
    start = time.monotonic()
    if over.wait(PATIENCE):
        return
    display = _display(progress)
    try:
        while True:
            display.update(progress, time.monotonic() - start)
            if over.wait(INTERVAL):
                return
    finally:
        display.close()


def _display(progress: Progress) -> _Display:
    """The best display that is installed."""
    for kind in (_Rich, _Tqdm):
        try:
            return kind(progress)
        except ImportError:
            continue
    return _Line()


class _Rich:
    def __init__(self, progress: Progress) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20),
                          TimeElapsedColumn(), console=Console(stderr=True), transient=True)
        self._task = self._bars.add_task(progress.title, total=None)
        self._bars.start()

    def update(self, progress: Progress, seconds: float) -> None:
        self._bars.update(self._task, description=f"{progress.title}: {progress}", total=progress.total or None,
                          completed=progress.count if progress.total else 0)

    def close(self) -> None:
        self._bars.stop()


class _Tqdm:
    def __init__(self, progress: Progress) -> None:
        from tqdm import tqdm

        self._bar = tqdm(leave=False, file=sys.stderr, bar_format="{desc} [{elapsed}]")

    def update(self, progress: Progress, seconds: float) -> None:
        self._bar.set_description_str(f"{progress.title}: {progress}")

    def close(self) -> None:
        self._bar.close()


class _Line:
    """One line of plain text that is written again and again, and goes away at the end."""

    def __init__(self) -> None:
        self._width = 0

    def update(self, progress: Progress, seconds: float) -> None:
        text = f"{progress.title}: {progress} ({seconds:.0f} s)"
        self._write(text)

    def close(self) -> None:
        self._write("")
        sys.stderr.write("\r")
        sys.stderr.flush()

    def _write(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)
