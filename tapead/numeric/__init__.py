"""Derivatives by differences, each with an error bar: for functions of arrays that know nothing of tapes."""

from .estimates import Estimate, derivative, gradient, jacobian, jvp

__all__ = ["Estimate", "derivative", "gradient", "jacobian", "jvp"]
