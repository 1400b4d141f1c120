"""What a sweep does with one entry of a rule: multiply, apply, mask, un-broadcast, cast, accumulate.

Buffers that the sweep alone holds are written into instead of allocating new ones. Who else holds an array is told by
its reference count.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from .batch import Batch, one_by_one
from .buffers import POOLED, recycle
from .guards import guards
from .ops.rows import summed_over
from .registry import LINEAR, Linear, Primitive, Scaled
from .tape import LARGE, Dropped, Entry

_getrefcount = sys.getrefcount


def _references(array: Any) -> int:
    return _getrefcount(array)


def _count_references() -> tuple[int, int, int]:
    """What `getrefcount` says of an array that a local variable holds, that was then passed on, that a tuple holds too.

    Measured, because it differs between versions of CPython.
    """
    array = np.empty(1)
    sole, passed = _getrefcount(array), _references(array)
    partials = (array,)
    del array
    partial = partials[0]
    return sole, passed, _references(partial)


_PYTHON_NUMBERS = frozenset([complex, float, int])
SOLE, _PASSED, _FRESH = _count_references()


def is_writable(array: Any) -> bool:
    """Whether an array is plain memory of its own, so that its only holder may write into it."""
    return array.__class__ is np.ndarray and array.flags.owndata and array.flags.writeable


def pull(cotangent: Any, partial: Any, careful: bool) -> Any:
    """The cotangent of an input: what the adjoint of its local derivative makes of the output's cotangent."""
    kind = partial.__class__
    if kind is int:
        return cotangent if partial == 1 else -cotangent if partial == -1 else times(cotangent, partial)
    if kind in LINEAR:
        return _linear(partial.adjoint, cotangent)
    if partial is None:
        return None
    if kind is Scaled:
        if cotangent.__class__ is np.ndarray and not careful:
            return _times_scaled(cotangent, partial)
        partial = partial.whole()
    if kind is complex:
        partial = partial.conjugate()
    elif kind is not float:
        letter = _letter(partial)
        if letter == "c":
            partial = np.conj(partial)
        elif letter == "b":
            return masked(cotangent, partial)
        elif not careful and _is_ours(partial, cotangent):
            return _times_in_place(cotangent, partial)
    return times(cotangent, partial, careful)


def push(tangent: Any, partial: Any) -> Any:
    """The tangent of the output: what the local derivative makes of an input's tangent."""
    kind = partial.__class__
    if kind is int:
        return tangent if partial == 1 else -tangent if partial == -1 else times(tangent, partial)
    if kind in LINEAR:
        return _linear(partial.apply, tangent)
    if partial is None:
        return None
    if kind is Scaled:
        if tangent.__class__ is np.ndarray:
            return _times_scaled(tangent, partial)
        partial = partial.whole()
    if kind is not float and kind is not complex:
        if _letter(partial) == "b":
            return masked(tangent, partial)
        if _is_ours(partial, tangent):
            return _times_in_place(tangent, partial)
    return times(tangent, partial)


def _is_ours(partial: Any, factor: Any) -> bool:
    """Whether a rule has made this large partial for the sweep alone, so that a product can take its place."""
    return (partial.__class__ is np.ndarray and partial.nbytes >= LARGE and _getrefcount(partial) <= _FRESH + 1
            and partial.flags.owndata and factor.__class__ is np.ndarray and partial.shape == factor.shape
            and partial.dtype == factor.dtype)


def _letter(partial: Any) -> str:
    """What kind of numbers a partial holds."""
    if partial.__class__ is bool:
        return "b"
    try:
        return partial.dtype.kind  # type: ignore[no-any-return]  # of whatever array type it is
    except AttributeError:
        raise TypeError(f"a derivative rule returned {partial!r} for an input; an entry is a number, an array, "
                        "tapead.Linear, None, or a function without arguments that returns one of these") from None


def masked(value: Any, keep: Any) -> Any:
    """`value` where `keep` is true and exactly zero elsewhere; None for nothing at all."""
    if np.shape(keep) == ():
        return value if keep else None
    return np.where(keep, value, np.zeros((), value.dtype))


def times(factor: Any, partial: Any, careful: bool = False) -> Any:
    """``factor * partial`` where nothing times an infinite derivative is nothing."""
    if partial.__class__ is int and partial == 0:
        return None
    if not careful:
        try:
            return factor * partial
        except FloatingPointError:
            pass
    with np.errstate(invalid="ignore"):
        product = without_tangent(factor * partial)
        first, second = plain(factor), plain(partial)
        # Both ways round: what is 0 · inf to one sweep is inf · 0 to the other.
        nothing = ((first == 0) & ~np.isfinite(second)) | ((second == 0) & np.isinf(first))
        if not (nothing.values if nothing.__class__ is Batch else nothing).any():
            return product
        zero = np.zeros((), product.dtype)
        if plain(product) is not product:
            # Masking the product would leave 0 · inf in its own derivative: mask the factors.
            return np.where(nothing, zero, factor) * np.where(nothing, zero, partial)
        return np.where(nothing, zero, product)[()]


def _times_in_place(cotangent: Any, partial: Any) -> Any:
    """``cotangent * partial`` in the memory of `partial`, which nobody else can see."""
    try:
        return np.multiply(cotangent, partial, out=partial)
    except FloatingPointError:  # raised when all is computed: only 0 · inf and inf · 0 need mending
        partial[((cotangent == 0) | np.isinf(cotangent)) & np.isnan(partial)] = 0
        return partial


#: Rows of fewer elements than this are multiplied one loop each, which costs more than to write their factor out.
_SHORT = 64


def _times_scaled(factor: Any, partial: Scaled) -> Any:
    """``factor * partial``, where what a factor is stretched from is scaled instead of the array."""
    shape = factor.shape
    strides = factor.strides
    if 0 in strides and shape == partial.array.shape:
        core = factor[tuple([slice(None) if stride else slice(1) for stride in strides])]
        scaled = times(core, partial.number)
        if scaled.size > 1 and not strides[-1] and shape[-1] < _SHORT and 0 not in strides[:-1]:
            scaled = np.repeat(scaled, shape[-1]).reshape(shape)
            return _times_in_place(partial.array, scaled)
        return times(scaled, partial.array)
    whole = partial.whole()
    return (_times_in_place if shape == whole.shape and factor.dtype == whole.dtype else times)(factor, whole)


def _linear(function: Any, value: Any) -> Any:
    if value.__class__ is Batch:
        return _linear_in_batch(function, value)
    try:
        result = function(value)
    except FloatingPointError:
        with np.errstate(invalid="ignore"):
            result = _carefully(function, value)
    # A Python number has no dtype; 1j * np.float64(2) is one.
    return np.asarray(result)[()] if result.__class__ in _PYTHON_NUMBERS else result


#: So many numbers may be computed to tell what each infinite element contributes to the result of a linear map.
_AFFORDABLE = 1 << 22


def _carefully(function: Any, value: Any) -> Any:
    """A linear map of an array in which elements are infinite, where nothing times infinity is nothing."""
    result = without_tangent(function(value))
    numbers = plain(value)
    if not np.any(numbers):
        return np.zeros_like(result)[()]
    infinite = np.isinf(numbers)
    if numbers.dtype.kind == "c" or not np.any(infinite):
        return result
    zero = np.zeros((), numbers.dtype)
    rest = function(np.where(infinite, zero, value)[()])
    # Different weights: coefficients that cancel each other are not taken for none.
    weights = np.where(infinite, np.linspace(1, 2, numbers.size, dtype=numbers.dtype).reshape(numbers.shape), zero)[()]
    reached = plain(function(weights)) != 0
    if not np.any(reached & np.isnan(plain(result))):
        return np.where(reached, result, rest)[()]
    places = np.flatnonzero(infinite)
    if len(places) * (numbers.size + np.size(reached)) > _AFFORDABLE:
        return np.where(reached, result, rest)[()]
    for place in places:
        unit = np.zeros(numbers.size, numbers.dtype)
        unit[place] = 1
        coefficient = function(unit.reshape(numbers.shape)[()])
        with np.errstate(invalid="raise"):
            rest = summed(rest, times(np.ravel(numbers)[place], coefficient))
    return rest


def _linear_in_batch(function: Any, batch: Batch) -> Any:
    """A linear map of many arrays: at once if it consists of what a batch goes through, else of one after the other."""
    try:
        result = function(batch)
    except Exception:  # whatever a batch is no good for, or nothing times infinity; the map's own errors come up below
        result = None
    return result if result.__class__ is Batch else one_by_one(lambda value: _linear(function, value), batch)


def added(total: Any, partial: Linear, cotangent: Any, value: Any) -> Any:
    """`total`, or None for nothing yet, plus what the adjoint makes of `cotangent`; in place where that is safe."""
    if total is None:
        total = np.zeros(value.shape, value.dtype)
    elif _getrefcount(total) > _PASSED or not is_writable(total):
        total = np.array(total)
    with suppress(FloatingPointError):  # raised when all is added: inf - inf is the NaN it ought to be
        partial.add(total, cotangent)  # type: ignore[misc]  # the sweep has asked whether there is one
    return total


def free(entry: Entry, attrs: dict[str, Any]) -> None:
    """Let go of an entry's values, whose memory other operations may then use; `attrs` say who did it."""
    inputs, output = entry.inputs, entry.output
    entry.inputs = entry.output = None
    entry.attrs = attrs
    if guards.data:  # a dictionary is asked in C
        guards.pop(entry, None)
    if output.nbytes >= POOLED:
        held = [output, *inputs]
        del inputs, output
        for position in range(len(held)):  # a loop variable would be one more reference
            recycle(held[position])


def call_lazy(partial: Any) -> Any:
    """What an entry that is a function returns."""
    try:
        return partial()
    except FloatingPointError:
        with np.errstate(invalid="ignore"):
            return without_tangent(partial())


def meets_nan(entry: Entry, position: int) -> bool:
    """Whether what a selection reads from holds NaNs, so that partials further back may be NaN times zero.

    NaNs are quiet: no flag tells of them. So the rest of the sweep is careful then.
    """
    parent, value = entry.parents[position], entry.inputs[position]
    if parent is None or parent.primitive.rule is None:
        return False
    if value.__class__ is Dropped:
        value = parent.output
        if value.__class__ is Dropped:
            return False
    try:
        total = np.add.reduce(value, axis=None)  # NaN if anything is, and several times faster than asking all
    except FloatingPointError:  # inf - inf
        total = np.nan
    return bool(total != total) and bool(np.any(np.isnan(value)))


class CannotCarry(Exception):  # noqa: N818 -- no error: there is another way
    """Raised where values that carry tangents along are not to be trusted with the derivative."""


def without_tangent(value: Any) -> Any:
    """What had to be computed again because something was invalid: nobody has watched over a tangent of it.

    Raises
    ------
    CannotCarry
        If it carries one.
    """
    if hasattr(value, "tangent"):
        raise CannotCarry
    return value


def plain(value: Any) -> Any:
    """The value of a tensor, or of what carries a tangent along; anything else as it is."""
    return getattr(value, "_value", value)


# ---------------------------------------------------------------------- shapes, dtypes, sums


def fit(cotangent: Any, value: Any, primitive: Primitive) -> Any:
    """A cotangent summed, cast and made real until it has the shape and dtype of `value`."""
    shape = value.shape
    if cotangent.shape != shape:
        axes = _axes_to_sum(cotangent.shape, shape, primitive)
        if cotangent.__class__ is np.ndarray:
            try:
                cotangent = summed_over(cotangent, axes, shape)
            except FloatingPointError:
                with np.errstate(invalid="ignore"):
                    cotangent = summed_over(cotangent, axes, shape)
            if shape == ():
                cotangent = cotangent[()]
        else:
            cotangent = _linear(lambda c: np.sum(c, axis=axes, keepdims=True), cotangent)
            if cotangent.shape != shape:
                cotangent = np.reshape(cotangent, shape)
    return _cast(cotangent, value.dtype)


def _axes_to_sum(given: tuple[int, ...], shape: tuple[int, ...], primitive: Primitive) -> tuple[int, ...]:
    """The axes over which an array of the shape `given` is summed to have `shape`, or that with ones before it."""
    extra = len(given) - len(shape)
    axes = list(range(extra))
    if extra >= 0:
        for axis, length in enumerate(shape, extra):
            if given[axis] != length:
                if length != 1:
                    break
                axes.append(axis)
        else:
            return tuple(axes)
    raise ValueError(f"the rule of {primitive.name!r} made a cotangent of shape {given} for an input of shape {shape}")


def spread(tangent: Any, value: Any, primitive: Primitive) -> Any:
    """A tangent broadcast and cast to the shape and dtype of `value`."""
    if tangent.shape != value.shape:
        try:
            tangent = np.broadcast_to(tangent, value.shape)
        except ValueError:
            raise ValueError(f"the rule of {primitive.name!r} made a tangent of shape {tangent.shape} for an output of "
                             f"shape {value.shape}") from None
    return _cast(tangent, value.dtype)


def _cast(value: Any, dtype: np.dtype[Any]) -> Any:
    if value.dtype == dtype:
        return value
    if value.dtype.kind == "c" and dtype.kind != "c":
        value = np.real(value)
    return value.astype(dtype)


def summed(first: Any, second: Any) -> Any:
    """``first + second``, quietly NaN where they are opposite infinities."""
    try:
        return first + second
    except FloatingPointError:
        with np.errstate(invalid="ignore"):
            return first + second


def summed_in_place(total: Any, more: Any) -> Any:
    """``total + more``, in the memory of `total` where the sweep alone holds it."""
    if (total.__class__ is np.ndarray and more.__class__ is np.ndarray and total.nbytes >= LARGE
            and _getrefcount(total) <= _PASSED and is_writable(total) and total.shape == more.shape
            and total.dtype == more.dtype):
        with suppress(FloatingPointError):  # raised when all is added: inf - inf is the NaN it ought to be
            total += more
        return total
    return summed(total, more)


def accumulate(cotangents: dict[Entry, Any], entry: Entry, contribution: Any) -> None:
    """Add to an entry's cotangent, in place where the sweep alone holds its buffer."""
    previous = cotangents.pop(entry, None)
    if previous is None:
        cotangents[entry] = contribution
    elif (previous.__class__ is np.ndarray and contribution.__class__ is np.ndarray and previous.nbytes >= LARGE
          and _getrefcount(previous) <= SOLE and is_writable(previous)):
        with suppress(FloatingPointError):  # raised when all is added: inf - inf is the NaN it ought to be
            previous += contribution
        cotangents[entry] = previous
    else:
        cotangents[entry] = summed(previous, contribution)


# ---------------------------------------------------------------------- errors


def was_freed(entry: Entry) -> RuntimeError:
    """The error of sweeping over an entry twice."""
    return RuntimeError(f"this graph was freed by {entry.attrs['freed by']}; pass retain_graph=True there to sweep it "
                        f"again ({entry!r} recorded at {entry.where})")


def wrong_arity(primitive: Primitive, partials: Sequence[Any], parents: Sequence[Any]) -> TypeError:
    """The error of a rule that does not return one entry per input."""
    return TypeError(f"the rule of {primitive.name!r} returned {len(partials)} entries for {len(parents)} inputs")


def not_differentiable(primitive: Primitive, entry: Entry, position: int) -> NotImplementedError:
    """The error of a tracked input for which the rule returned None."""
    names = primitive.argument_names
    which = f"{names[position]!r}" if position < len(names) else f"number {position}"
    return NotImplementedError(f"{primitive.name}: no derivative with respect to argument {which} "
                               f"(shape {np.shape(entry.inputs[position])}), recorded at {entry.where}; use x.detach() "
                               "there to treat it as a constant")
