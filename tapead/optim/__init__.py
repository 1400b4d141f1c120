"""Optimisers with PyTorch's constructors: they change tensors by the gradients that ``backward`` has left in ``.grad``.

A step gives a parameter a new value and leaves the old array alone: what was recorded from the old value can still be
swept, and its gradients are those at the old value. Complex parameters are optimised in their real and imaginary parts.
PyTorch's options that only choose between implementations (``foreach``, ``fused``, ``capturable``) do not exist here.
"""

from .base import Optimizer
from .descent import SGD, Adam, AdamW, RMSprop
from .lbfgs import LBFGS

__all__ = ["LBFGS", "SGD", "Adam", "AdamW", "Optimizer", "RMSprop"]
