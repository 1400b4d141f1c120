"""What the branches of a function were decided by, noted while its formula is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

__all__ = ["Decision", "noting", "noted"]


class Decision(NamedTuple):
    """A primitive or function without derivative that was applied to tensors, and what came out."""

    what: Any
    operands: tuple[Any, ...]
    result: Any
    keywords: Mapping[str, Any] = {}


#: Where decisions are noted; None, almost always, where nobody asks for them.
noted: ContextVar[list[Decision] | None] = ContextVar("tapead decisions", default=None)


@contextmanager
def noting() -> Iterator[list[Decision]]:
    """Collect the decisions that are made inside of a ``with`` block."""
    found: list[Decision] = []
    token = noted.set(found)
    try:
        yield found
    finally:
        noted.reset(token)
