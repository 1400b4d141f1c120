"""A recorded function in mpmath: the numbers that floating point rounds, to 50 digits and more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from ..containers import flatten
from ..tape import Entry, Leaf
from . import matrices, polynomials, scipy_functions  # noqa: F401 -- fill in what NumPy functions mean
from .algebras import Precise, Unavailable
from .arrays import DuckArray, wrap
from .replay import record, replay_recording, replay_values, sweeps_on

__all__ = ["PreciseFunction", "Unavailable", "precise_function"]


Sweep = Callable[[Sequence[Any]], list[Any]]


class PreciseFunction:
    """A recorded function that computes in mpmath, as :func:`precise_function` returns it.

    Attributes
    ----------
    context : mpmath.MPContext
        The private mpmath context that the results belong to, of the digits asked for and some to guard them. Make
        numbers for steps with ``F.context.mpf``: arithmetic between them keeps the full precision whatever
        ``mpmath.mp.dps`` is.
    """

    def __init__(self, f: Callable[..., Any], args: Sequence[Any], digits: int) -> None:
        self._algebra = Precise(digits)
        self.context = self._algebra.context
        self._args = tuple(args)
        self._recording, self._positions = record("precise_function", f, args)
        self._extra = self._digits_before_the_point()
        self(*args)

    def _digits_before_the_point(self) -> int:
        """How many digits more it takes because there are large numbers on the tape."""
        largest = 1.0
        given = [getattr(stand_in, "data", stand_in) for stand_in in self._recording.inputs]
        for value in (*given, *(entry.output for entry in self._recording.order)):
            if value is not None and np.asarray(value).dtype.kind in "fc":
                sizes = np.abs(np.asarray(value, complex))
                largest = max(largest, float(np.max(sizes[np.isfinite(sizes)], initial=1.0)))
        return int(np.log10(largest))

    def __call__(self, *args: Any) -> Any:
        """The function's result at `args`.

        Parameters
        ----------
        *args
            As many as the function takes; numbers, arrays or object arrays of floats or mpmath numbers. Those that are
            not floating-point are constants of the recording and are not looked at.

        Returns
        -------
        mpf, object array, or the structure of these that the function returns
            mpf (or mpc) for a number, an object array of them for an array.
        """
        if len(args) != len(self._args):
            raise TypeError(f"expected {len(self._args)} arguments, got {len(args)}")
        leaves, _ = flatten(tuple([args[position] for position in self._positions]))
        if len(leaves) != len(self._recording.inputs):
            raise TypeError("the arguments are not nested as those of the recording")
        with self.context.workdps(self.context.dps + self._extra):
            outputs = replay_recording(self._recording, self._algebra, self._ducks(leaves))
        return self._recording.rebuild_outputs([output.elements[()] for output in outputs])

    def derivative(self, args: Sequence[Any], directions: Sequence[Any], *, finer: int = 0) -> Any:
        """The directional derivative, by central differences at high precision: no rule takes part.

        Good to about the number of digits that the function was made for, if it is smooth over steps that are as small
        beside its arguments as half of those digits say.

        Parameters
        ----------
        args, directions : sequence
            The point and the direction, one per argument, of the same shapes.
        finer : int
            By how many powers of ten the step is to be smaller than usual.

        Returns
        -------
        mpf, object array, or a list of these
            One per output of the function (a bare one for a single output).
        """
        results = [(ahead - behind) / (2 * step)
                   for ahead, _, behind, step in self._differences(args, directions, finer)]
        return results[0] if len(results) == 1 else results

    def is_smooth(self, args: Sequence[Any], directions: Sequence[Any], *, finer: int = 0) -> list[Any]:
        """Per output, in which elements the slopes to both sides agree to nine digits."""
        return [np.abs(ahead + behind - 2 * here) <= self.context.mpf(10) ** -9 * np.abs(ahead - behind)
                for ahead, here, behind, _ in self._differences(args, directions, finer)]

    def _differences(self, args: Sequence[Any], directions: Sequence[Any], finer: int) -> list[tuple[Any, ...]]:
        """Per output its values ahead, here and behind, and the step."""
        context = self.context
        point = [self._numbers(arg) if k in self._positions else arg for k, arg in enumerate(args)]
        ways = [self._numbers(way) if k in self._positions else way for k, way in enumerate(directions)]
        moved = [(abs(x), abs(v)) for k in self._positions
                 for x, v in zip(point[k].flat, np.broadcast_to(ways[k], point[k].shape).flat, strict=True) if v != 0]
        scale = min([x / v for x, v in moved if x != 0], default=context.one)
        scale = min(scale, 1 / max([v for _, v in moved], default=context.one))
        largest = max([context.one] + [x for x, _ in moved])
        extra = max(int(context.ceil(context.log10(largest / scale))), self._extra)
        with context.workdps(context.dps + max(0, 2 * extra) + finer):
            step = scale * context.mpf(10) ** (-(self._algebra.digits // 2 + 1 + finer))
            ends = []
            for sign in (1, 0, -1):
                shifted = [x + sign * step * v if k in self._positions else x
                           for k, (x, v) in enumerate(zip(point, ways, strict=True))]
                ends.append(flatten(self(*shifted))[0])
            return [(*values, step) for values in zip(*ends, strict=True)]

    def values(self) -> list[tuple[Entry, Any]]:
        """Every operation of the recording with its result at the point recorded, in order."""
        leaves = flatten(tuple([self._args[k] for k in self._positions]))[0]
        with self.context.workdps(self.context.dps + self._extra):
            found = replay_values(self._recording, self._ducks(leaves))
        return [(entry, found[entry]) for entry in self._recording.order if not isinstance(entry, Leaf)]

    def outputs_among(self, entries: Collection[Entry]) -> list[Entry]:
        """Those of the entries whose results the function returns."""
        found = [getattr(output, "_entry", None) for output in self._recording.outputs]
        return [entry for entry in found if entry is not None and entry in entries]

    def sweeps(self) -> tuple[Sweep, Sweep]:
        """The registered rules, forward and reverse, at the point recorded and at high precision.

        What is left between their results and those of the same rules in floating point is rounding. Both take and
        return lists of arrays, one per input and output.
        """
        inputs = self._ducks(flatten(tuple([self._args[k] for k in self._positions]))[0])
        with self.context.workdps(self.context.dps + self._extra):
            push, pull = sweeps_on(self._recording, self._algebra, inputs)
        outputs = [np.shape(getattr(output, "data", output)) for output in self._recording.outputs]

        def precisely(sweep: Sweep, shapes: Sequence[tuple[int, ...]]) -> Sweep:
            def swept(vectors: Sequence[Any]) -> list[Any]:
                with self.context.workdps(self.context.dps + self._extra):
                    found = sweep([wrap(self._algebra, vector) for vector in vectors])
                return [np.zeros(shape) if part is None else np.broadcast_to(wrap(self._algebra, part).elements, shape)
                        for part, shape in zip(found, shapes, strict=True)]
            return swept

        return precisely(push, outputs), precisely(pull, [duck.shape for duck in inputs])

    def _ducks(self, leaves: Sequence[Any]) -> list[DuckArray]:
        ducks = []
        for leaf, stand_in in zip(leaves, self._recording.inputs, strict=True):
            duck = wrap(self._algebra, getattr(leaf, "data", leaf) if hasattr(leaf, "requires_grad") else leaf)
            if duck.shape != stand_in.shape:
                raise ValueError(f"expected an argument of shape {stand_in.shape}, got {duck.shape}")
            ducks.append(DuckArray(self._algebra, duck.elements, complex if stand_in.dtype.kind == "c" else float))
        return ducks

    def _numbers(self, value: Any) -> np.ndarray:
        return wrap(self._algebra, value).elements


def precise_function(f: Callable[..., Any], args: Sequence[Any], digits: int = 50) -> PreciseFunction:
    """`f`, recorded at `args`, as a function that computes to `digits` digits in mpmath.

    The branches are those taken at `args` where `f` chose them in Python or by ``np.where``; maxima, sorting and
    comparisons inside NumPy functions are decided anew.

    Parameters
    ----------
    f : callable
        Called once, with tensors in place of its floating-point arguments.
    args : sequence
        The point. Arguments that are not floating-point (arrays of integers, flags) are constants.
    digits : int
        How many digits of a result are to be right; 30 more are carried along.

    Returns
    -------
    PreciseFunction
        ``F(*args)`` for mpmath numbers in arrays, ``F.context`` to make them, ``F.derivative(args, directions)``.

    Raises
    ------
    Unavailable
        If a recorded primitive has no meaning in mpmath; the message names it and its line.

    Examples
    --------
    >>> import numpy as np
    >>> from tapead.symbolic import precise_function
    >>> F = precise_function(lambda x: np.exp(x), (1.0,), digits=30)
    >>> print(F.context.nstr(F(1.0), 30))
    2.71828182845904523536028747135
    >>> print(F.context.nstr(F.derivative((1.0,), (1.0,)), 30))
    2.71828182845904523536028747135
    """
    return PreciseFunction(f, args, digits)
