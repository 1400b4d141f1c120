"""A limit on the time that a computation may take, for algebra that may never end."""

from __future__ import annotations

import contextvars
import ctypes
import gc
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["within"]

Result = TypeVar("Result")
_PATIENCE = 20  # tenths of a second that a computation gets to notice that it is to stop


def within(seconds: float, function: Callable[[], Result]) -> Result:
    """What `function` returns, if it does so in time.

    It runs in a thread of its own, which is told to end when the time is over. SymPy is Python throughout, so it
    notices at once; a thread that does not is left behind.

    Raises
    ------
    TimeoutError
        "gave up after 5 s".
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(function())
        except SystemExit:
            pass
        except BaseException as error:  # handed on to the caller's thread
            errors.append(error)

    worker = threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True)
    worker.start()
    try:
        worker.join(seconds)
    finally:  # Ctrl-C ends it too
        _end(worker)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"gave up after {seconds:.3g} s")
    return results[0]


def _end(worker: threading.Thread) -> None:
    """Have a thread end, if it has not ended yet."""
    if not worker.is_alive():
        return
    collecting = gc.isenabled()
    # What strikes within a callback of the garbage collector is printed, and lost: none is to begin, and one that the
    # thread is in the midst of is to end.
    gc.disable()
    try:
        worker.join(0.05)
        for _ in range(_PATIENCE):
            if not worker.is_alive():
                break
            # The one exception that ends a thread without a word, wherever it strikes.
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker.ident or 0), ctypes.py_object(SystemExit))
            worker.join(0.1)
    finally:
        if collecting:
            gc.enable()
