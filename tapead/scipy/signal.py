"""Convolutions of tensors or arrays of any number of axes, with SciPy's modes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..ops.arguments import as_operand
from ..registry import Linear, Primitive, RegisterGradient, add_primitive, case

try:
    from scipy import signal as _signal
except ImportError:
    raise ImportError('tapead.scipy needs SciPy: pip install "tapead[scipy]"') from None

__all__ = ["convolve", "fftconvolve"]


def _full(in1: Any, in2: Any, method: str = "direct") -> Any:
    return _signal.convolve(in1, in2, mode="full", method=method)[()]


_FULL = add_primitive(Primitive("signal_convolve", _full, cases=(
    case((4,), (3,)), case((3, 2), (2, 4)), case((3,), (3,), method="fft"))))


@RegisterGradient("signal_convolve", reads="factors")
def _convolve(op: Any) -> Any:
    """d (a * b) = da * b + a * db; the adjoint correlates with the other factor"""
    a, b = op.inputs
    method = op.attrs.get("method", "direct")

    def adjoint(other: Any, length: tuple[int, ...]) -> Any:
        # Of the full convolution with the factor reversed, the part that this factor's elements meet.
        window = tuple([slice(size - 1, size - 1 + kept) for size, kept in zip(other.shape, length, strict=True)])
        return lambda g: _FULL(g, np.conj(np.flip(other)), method=method)[window]

    return (lambda: Linear(lambda t: _FULL(t, b, method=method), adjoint(b, a.shape)),
            lambda: Linear(lambda t: _FULL(a, t, method=method), adjoint(a, b.shape)))


def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """The convolution of two arrays over all axes.

    Parameters
    ----------
    in1, in2 : array_like or Tensor
        Of the same number of axes.
    mode : {"full", "same", "valid"}
        Which part: all, of in1's shape in the middle, or what no zeros enter.
    method : {"auto", "direct", "fft"}
        How to compute it.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> from tapead.scipy.signal import convolve
    >>> ta.grad(lambda x: convolve(x, [1.0, 2.0], mode="same").sum())(np.ones(3))
    array([3., 3., 1.])
    """
    a, b = as_operand(in1), as_operand(in2)
    _check("convolve", a, b, mode)
    if method not in ("auto", "direct", "fft"):
        raise ValueError(f"convolve: method must be 'auto', 'direct' or 'fft', not {method!r}")
    if a.ndim == 0:
        return a * b
    if method == "auto":
        method = "fft" if min(a.size, b.size) > 500 else "direct"
    shape = [(m, n) for m, n in zip(a.shape, b.shape, strict=True)]
    if mode == "valid":
        if not (all(m >= n for m, n in shape) or all(m <= n for m, n in shape)):
            raise ValueError("convolve: for mode 'valid' one of the arrays must be at least as large along every axis")
        places = [(min(m, n) - 1, max(m, n) - min(m, n) + 1) for m, n in shape]
    elif mode == "same":
        places = [((n - 1) // 2, m) for m, n in shape]
    else:
        return _FULL(a, b, method=method)
    return _FULL(a, b, method=method)[tuple([slice(start, start + length) for start, length in places])]


def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: int | Sequence[int] | None = None) -> Any:
    """The convolution of two arrays by Fourier transforms.

    Parameters
    ----------
    in1, in2 : array_like or Tensor
        Of the same number of axes.
    mode : {"full", "same", "valid"}
        As for :func:`convolve`.
    axes : int or sequence of int, optional
        Convolve along these axes only, of all by default; the others are broadcast.

    Returns
    -------
    Tensor or array

    Examples
    --------
    >>> import numpy as np
    >>> import tapead as ta
    >>> from tapead.scipy.signal import fftconvolve
    >>> x = np.ones((2, 3))
    >>> np.round(ta.grad(lambda k: fftconvolve(x, k, mode="valid", axes=1).sum())(np.ones((1, 2))), 12)
    array([[4., 4.]])
    """
    if axes is None:
        return convolve(in1, in2, mode, "fft")
    a, b = as_operand(in1), as_operand(in2)
    _check("fftconvolve", a, b, mode)
    shapes = list(zip(a.shape, b.shape, strict=True))
    # To convolve with one number is to multiply by it.
    chosen = [axis for axis in normalize_axis_tuple(axes, a.ndim) if 1 not in shapes[axis]]
    if any(1 not in lengths and len(set(lengths)) > 1 for axis, lengths in enumerate(shapes) if axis not in chosen):
        raise ValueError(f"fftconvolve: shapes {a.shape} and {b.shape} cannot be broadcast along the axes that are not "
                         f"in {axes!r}")
    if mode == "valid" and any(m < n for axis, (m, n) in enumerate(shapes) if axis in chosen):
        if any(m > n for axis, (m, n) in enumerate(shapes) if axis in chosen):
            raise ValueError("fftconvolve: for mode 'valid' one of the arrays must be at least as large along every "
                             "axis")
        return fftconvolve(b, a, mode, axes)
    lengths = [a.shape[axis] + b.shape[axis] - 1 for axis in chosen]
    real = a.dtype.kind != "c" and b.dtype.kind != "c"
    there, back = (np.fft.rfftn, np.fft.irfftn) if real else (np.fft.fftn, np.fft.ifftn)
    result = (back(there(a, lengths, chosen) * there(b, lengths, chosen), lengths, chosen) if chosen else a * b)
    kept = result.shape if mode == "full" else a.shape if mode == "same" else [
        m - n + 1 if axis in chosen else result.shape[axis] for axis, (m, n) in enumerate(shapes)]
    starts = [(whole - part) // 2 for whole, part in zip(result.shape, kept, strict=True)]
    return result[tuple([slice(start, start + part) for start, part in zip(starts, kept, strict=True)])]


def _check(function: str, a: Any, b: Any, mode: str) -> None:
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"{function}: mode must be 'full', 'same' or 'valid', not {mode!r}")
    if a.ndim != b.ndim:
        raise ValueError(f"{function}: in1 has {a.ndim} axes, in2 {b.ndim}")
