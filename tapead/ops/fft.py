"""NumPy's Fourier transforms. Those over several axes are transforms over one axis after another, in NumPy's order.

A transform is linear: it is its own derivative. Its adjoint with respect to Re⟨·,·⟩ is the opposite transform with the
opposite normalisation, cut or filled with zeros to the length of the input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..registry import PRIMITIVES, Linear, Primitive, RegisterGradient, add_primitive, case, implements
from .arguments import as_operand, constant, no_out

_OPPOSITE: dict[Any, Any] = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}
_COMPLEX = np.array([1.5 + 0.5j, 0.3 - 0.2j, -0.4 + 0.7j])


def _resized(x: Any, length: int, axis: int) -> Any:
    """`x` cut to `length` along `axis`, or filled up with zeros."""
    present = x.shape[axis]
    if present == length:
        return x
    axis %= x.ndim
    if present > length:
        return x[(slice(None),) * axis + (slice(length),)]
    zeros = np.zeros((*x.shape[:axis], length - present, *x.shape[axis + 1:]), x.dtype)
    return np.concatenate([x, zeros], axis=axis)


def _weights(x: Any, n: int, axis: int, interior: float) -> Any:
    """1 at frequency zero and at the highest of an even `n`, where a real transform is real; `interior` in between."""
    weights = np.full(n // 2 + 1, interior, np.finfo(x.dtype).dtype)
    weights[0] = 1
    if n % 2 == 0:
        weights[-1] = 1
    return np.reshape(weights, (-1,) + (1,) * (x.ndim - 1 - axis % x.ndim))


def _kernel(transform: Callable[..., Any]) -> Callable[..., Any]:
    def kernel(a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
        return transform(a, n, axis, norm)

    return kernel


for _name in ("fft", "ifft", "rfft"):
    _cases = (case((4,), n=4), case((2, 3), n=3, axis=0 - 1), case((3, 2), n=2, axis=0, norm="ortho"),
              case((3,), n=5, norm="forward"))
    add_primitive(Primitive(_name, _kernel(getattr(np.fft, _name)), cases=(
        _cases if _name == "rfft" else (*_cases, case(_COMPLEX, n=3), case(_COMPLEX, n=4), case(_COMPLEX, n=2)))))
add_primitive(Primitive("irfft", _kernel(np.fft.irfft), cases=(
    case((3,), n=4), case((3, 2), n=5, axis=0), case((2, 3), n=3, norm="ortho"), case((2,), n=6, norm="forward"))))


def _pair(op: Any, opposite: str) -> Linear:
    (a,), attrs, own = op.inputs, op.attrs, PRIMITIVES
    n, axis, norm = attrs["n"], attrs.get("axis", -1), attrs.get("norm")
    name = {"fft": "ifft", "ifft": "fft"}[opposite]
    return Linear(lambda t: own[name](t, n=n, axis=axis, norm=norm),
                  lambda g: _resized(own[opposite](g, n=n, axis=axis, norm=_OPPOSITE[norm]), a.shape[axis], axis))


@RegisterGradient("fft", reads="nothing")
def _fft(op: Any) -> Any:
    """d fft(x) = fft(dx), with the adjoint n · ifft(g)"""
    return _pair(op, "ifft")


@RegisterGradient("ifft", reads="nothing")
def _ifft(op: Any) -> Any:
    """d ifft(x) = ifft(dx), with the adjoint fft(g) / n"""
    return _pair(op, "fft")


@RegisterGradient("rfft", reads="nothing")
def _rfft(op: Any) -> Any:
    """d rfft(x) = rfft(dx), with the adjoint n · irfft(w g), w = ½ but for the frequencies that have no mirror image"""
    (a,), attrs, own = op.inputs, op.attrs, PRIMITIVES
    n, axis, norm = attrs["n"], attrs.get("axis", -1), attrs.get("norm")

    def back(g: Any) -> Any:
        return _resized(own["irfft"](g * _weights(g, n, axis, 0.5), n=n, axis=axis, norm=_OPPOSITE[norm]),
                        a.shape[axis], axis)

    return Linear(lambda t: own["rfft"](t, n=n, axis=axis, norm=norm), back)


@RegisterGradient("irfft", reads="nothing")
def _irfft(op: Any) -> Any:
    """d irfft(x) = irfft(dx), with the adjoint w · rfft(g) / n, w = 2 but for frequencies that have no mirror image"""
    (a,), attrs, own = op.inputs, op.attrs, PRIMITIVES
    n, axis, norm = attrs["n"], attrs.get("axis", -1), attrs.get("norm")

    def back(g: Any) -> Any:
        spectrum = own["rfft"](g, n=n, axis=axis, norm=_OPPOSITE[norm])
        return _resized(spectrum * _weights(g, n, axis, 2.0), a.shape[axis], axis)

    return Linear(lambda t: own["irfft"](t, n=n, axis=axis, norm=norm), back)


# ---------------------------------------------------------------------- over one axis


def _length(function: str, a: Any, n: Any, axis: int) -> int:
    """The length of a transform, the input's where it is not given."""
    length = int(a.shape[axis] if n is None else constant(f"np.fft.{function}", "n", n))
    if length < 1:
        raise ValueError(f"np.fft.{function}: invalid number of data points ({length}) specified.")
    return length


def _along_one(function: str) -> Callable[..., Any]:
    def transform(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
        no_out(f"np.fft.{function}", out)
        a = as_operand(a)
        if n is None and function == "irfft":
            n = 2 * (a.shape[axis] - 1)
        return PRIMITIVES[function](a, n=_length(function, a, n, axis), axis=axis, norm=_checked(function, norm))

    return transform


def _checked(function: str, norm: Any) -> Any:
    if norm not in _OPPOSITE:
        raise ValueError(f"np.fft.{function}: invalid norm value {norm}; should be 'backward', 'ortho' or 'forward'.")
    return norm


for _name in ("fft", "ifft", "rfft", "irfft"):
    implements(getattr(np.fft, _name))(_along_one(_name))


@implements(np.fft.hfft)
def _hfft_of(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    no_out("np.fft.hfft", out)
    return np.fft.irfft(np.conj(a), n, axis, _OPPOSITE[_checked("hfft", norm)])


@implements(np.fft.ihfft)
def _ihfft_of(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    no_out("np.fft.ihfft", out)
    return np.conj(np.fft.rfft(a, n, axis, _OPPOSITE[_checked("ihfft", norm)]))


# ---------------------------------------------------------------------- over several axes


def _lengths_and_axes(function: str, a: Any, s: Any, axes: Any, real_result: bool) -> tuple[list[int], list[int]]:
    """The length of the transform along each axis, as NumPy fills them in."""
    given = s is not None
    if given:
        lengths = [int(length) for length in s]
        axes = list(range(-len(lengths), 0)) if axes is None else list(axes)
    else:
        axes = list(range(-a.ndim, 0)) if axes is None else list(axes)
        lengths = [a.shape[axis] for axis in axes]
    if len(lengths) != len(axes):
        raise ValueError(f"np.fft.{function}: s={s} and axes={axes} have different length.")
    if real_result and not given and axes:
        lengths[-1] = 2 * (a.shape[axes[-1]] - 1)
    return [a.shape[axis] if length == -1 else length for length, axis in zip(lengths, axes, strict=True)], axes


def _along_several(function: str, default: Any) -> Callable[..., Any]:
    """`function` is fftn or ifftn, or the one-axis transform that comes last (irfft) or first (rfft) in the order."""
    others, real = ("ifft" if function.startswith("i") else "fft"), function.removesuffix("n").removesuffix("2")

    def transform(a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: Any = None) -> Any:
        no_out(f"np.fft.{function}", out)
        a = as_operand(a)
        lengths, axes = _lengths_and_axes(function, a, s, axes, real == "irfft")
        pairs = list(zip(lengths, axes, strict=True))
        one = getattr(np.fft, others)
        if real == others:
            for length, axis in reversed(pairs):
                a = one(a, length, axis, norm)
            return a
        if not pairs:
            raise IndexError(f"np.fft.{function}: at least one axis is needed")
        last_length, last_axis = pairs.pop()
        if real == "rfft":
            a = np.fft.rfft(a, last_length, last_axis, norm)
        for length, axis in reversed(pairs) if real == "rfft" else pairs:
            a = one(a, length, axis, norm)
        return a if real == "rfft" else np.fft.irfft(a, last_length, last_axis, norm)

    return transform


for _name in ("fft", "ifft", "rfft", "irfft"):
    implements(getattr(np.fft, _name + "n"))(_along_several(_name + "n", None))
    implements(getattr(np.fft, _name + "2"))(_along_several(_name + "2", (-2, -1)))


# ---------------------------------------------------------------------- shifts


def _shift(a: Any, axes: Any, steps: Callable[[int], int]) -> Any:
    axes = tuple(range(a.ndim)) if axes is None else (axes,) if isinstance(axes, (int, np.integer)) else tuple(axes)
    return np.roll(a, [steps(a.shape[axis]) for axis in axes], axes)


implements(np.fft.fftshift)(lambda x, axes=None: _shift(x, axes, lambda length: length // 2))
implements(np.fft.ifftshift)(lambda x, axes=None: _shift(x, axes, lambda length: -(length // 2)))
