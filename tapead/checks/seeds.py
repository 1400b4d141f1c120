"""Where the checker's random vectors come from."""

from __future__ import annotations

import numpy as np

__all__ = ["generator", "set_default_seed"]

_default = [0]


def set_default_seed(seed: int) -> int:
    """Change the seed of checks that are given none; returns the one before."""
    before, _default[0] = _default[0], seed
    return before


def generator(seed: int | None) -> np.random.Generator:
    """A source of random numbers; that of the default seed for None."""
    return np.random.default_rng(_default[0] if seed is None else seed)
