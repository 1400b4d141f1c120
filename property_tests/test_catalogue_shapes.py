"""Every elementwise primitive and every reduction on arrays of any shape, memory layout and dtype.

What they compute is proved elsewhere. Here: the value is NumPy's; results and gradients have the right shape and dtype;
the modes are adjoint to each other; and neither memory layout nor broadcasting changes a derivative.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from catalogue import numpy_primitives
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from programs import axes, inputs, into

import tapead as ta
from tapead.registry import PRIMITIVES, REAL

FEW = settings(max_examples=max(5, settings().max_examples // 40))
ELEMENTWISE = [name for name, primitive in numpy_primitives().items()
               if primitive.elementwise and primitive.differentiable]
#: NumPy's reductions and cumulations, with the keywords they take besides the axis.
REDUCTIONS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "sum": (np.sum, ("keepdims",)), "prod": (np.prod, ("keepdims",)), "max": (np.max, ("keepdims",)),
    "min": (np.min, ("keepdims",)), "mean": (np.mean, ("keepdims",)), "var": (np.var, ("keepdims", "ddof")),
    "std": (np.std, ("keepdims", "ddof")), "norm": (np.linalg.norm, ("keepdims",)), "cumsum": (np.cumsum, ()),
    "cumprod": (np.cumprod, ()),
}


def takes_complex(name: str) -> bool:
    primitive = PRIMITIVES[name]
    try:
        primitive.kernel(*[np.complex128(0.4 + 0.3j)] * primitive.arity)
    except TypeError:
        return False
    return True


COMPLEX = {name for name in ELEMENTWISE if takes_complex(name)}


@st.composite
def operands(draw: Any, name: str) -> tuple[Any, ...]:
    """Arrays that broadcast, within the primitive's domain, each with a dtype and a memory layout of its own."""
    primitive = PRIMITIVES[name]
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=primitive.arity, max_dims=3, min_side=0, max_side=3))
    intervals = (*primitive.domain, *[REAL] * primitive.arity)
    return tuple([draw(typed(into(draw(inputs(shape)), *interval), name in COMPLEX))
                  for shape, interval in zip(shapes.input_shapes, intervals, strict=False)])


@st.composite
def typed(draw: Any, values: Any, may_be_complex: bool) -> Any:
    """The same values, rounded to a dtype and put into memory in some way."""
    dtype = draw(st.sampled_from("fd" + ("FD" if may_be_complex else "")))
    values = np.asarray(values).astype(dtype)
    if values.dtype.kind == "c":
        values = values + np.asarray(0.25j * (1 + np.arange(values.size).reshape(values.shape) % 3), dtype)
    layout = draw(st.sampled_from(["C", "F", "reversed", "strided", "read only"]))
    if values.ndim == 0 or layout == "C":
        return values[()]
    if layout == "F":
        return np.asfortranarray(values)
    if layout == "reversed":
        flipped = (slice(None, None, -1),) * values.ndim
        return np.ascontiguousarray(values[flipped])[flipped]
    if layout == "strided":
        return np.repeat(values, 2, axis=-1)[..., ::2]
    return np.broadcast_to(values, values.shape)


def some(value: Any, seed: int) -> Any:
    """A tangent or cotangent of this shape and dtype."""
    generator = np.random.default_rng(seed)
    numbers = np.round(generator.uniform(-1, 1, np.shape(value)), 2)
    if np.iscomplexobj(value):
        numbers = numbers + 1j * np.round(generator.uniform(-1, 1, np.shape(value)), 2)
    return np.asarray(numbers).astype(value.dtype)[()]


def adjoint_and_alike(function: Any, point: tuple[Any, ...]) -> Any:
    """Check what does not depend on the function; return its tangent along one direction."""
    expected = function(*point)
    out, pull = ta.vjp(function, *point)
    assert type(out) is type(expected) and out.dtype == expected.dtype
    # Not to the bit: NumPy computes in another way where elements do not lie side by side.
    np.testing.assert_allclose(out, expected, rtol=4 * np.finfo(out.dtype).eps, atol=0)
    direction, cotangent = tuple(map(some, point, range(len(point)))), some(out, 9)
    tangent = ta.jvp(function, point, direction)[1]
    assert tangent.shape == out.shape and tangent.dtype == out.dtype
    pulled = pull(cotangent)
    assert [(part.shape, part.dtype) for part in pulled] == [(np.shape(x), x.dtype) for x in point]
    left = np.real(np.conj(cotangent) * tangent)
    rights = [np.real(np.conj(part) * v) for part, v in zip(pulled, direction, strict=True)]
    if np.all(np.isfinite(left)):
        scale = np.sum(np.abs(left)) + sum(np.sum(np.abs(right)) for right in rights)
        rounding = max(np.finfo(x.dtype).eps for x in (*point, out))
        assert abs(np.sum(left) - sum(map(np.sum, rights))) <= 100 * rounding * (1 + scale)
    return tangent


@pytest.mark.parametrize("name", ELEMENTWISE)
@FEW
@given(data=st.data())
def test_elementwise(name, data):
    point = data.draw(operands(name))
    function = PRIMITIVES[name]
    tangent = adjoint_and_alike(lambda *inputs: function(*inputs), point)
    shape = np.broadcast_shapes(*map(np.shape, point))
    whole = tuple(np.broadcast_to(x, shape).copy()[()] for x in point)
    along = tuple(np.broadcast_to(some(x, seed), shape).copy()[()] for seed, x in enumerate(point))
    again = ta.jvp(lambda *inputs: function(*inputs), whole, along)[1]
    np.testing.assert_allclose(again, tangent, rtol=100 * np.finfo(tangent.dtype).eps, atol=1e-6)


@pytest.mark.parametrize("name", REDUCTIONS)
@FEW
@given(data=st.data())
def test_reductions(name, data):
    function, keywords = REDUCTIONS[name]
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    x = data.draw(typed(data.draw(inputs(shape)), name not in ("max", "min")))
    options = {"axis": data.draw(axes(x))}
    if name == "norm" and np.size(options["axis"] or ()) > 2:
        options["axis"] = None
    if not keywords and np.ndim(options["axis"]):
        options["axis"] = None
    if "keepdims" in keywords:
        options["keepdims"] = data.draw(st.booleans())
    if "ddof" in keywords:
        options["ddof"] = data.draw(st.sampled_from([0, 1, 0.5]))

    def reduced(x: Any) -> Any:
        return function(x, **options)

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing
        try:
            reduced(x)
        except (ValueError, np.exceptions.AxisError) as error:
            with pytest.raises(type(error)):
                ta.vjp(reduced, x)
            return
        tangent = adjoint_and_alike(reduced, (x,))
        again = ta.jvp(reduced, (np.array(x)[()],), (some(x, 0),))[1]
    np.testing.assert_allclose(again, tangent, rtol=1e-4, atol=1e-4)


def test_every_reduction_takes_part():
    modules = ("tapead.ops.reductions", "tapead.ops.cumulative")
    primitives = {name for name, primitive in numpy_primitives().items()
                  if getattr(primitive.rule, "__module__", "") in modules}
    assert primitives - {"recurrence"} <= REDUCTIONS.keys()
