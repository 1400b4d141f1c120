"""The rule contract: registration and its errors, every kind of entry, overrides."""

from __future__ import annotations

import copy
import functools
import re

import numpy as np
import pytest

import tapead as ta
from tapead.registry import PRIMITIVES, implements


@pytest.fixture(autouse=True)
def registry_as_before():
    """Primitives that a test registers are gone after it."""
    before = dict(PRIMITIVES)
    yield
    for name in PRIMITIVES.keys() - before.keys():
        del PRIMITIVES[name]


def primitive_with(entry, kernel=lambda x: 3.0 * x, name="mine"):
    """A primitive whose rule returns `entry`, or what it returns when called with op."""
    mine = ta.primitive(name)(kernel)

    @ta.RegisterGradient(name)
    def _mine(op):
        """whatever was asked for"""
        return entry(op) if getattr(entry, "__name__", "") == "rule" else entry

    return mine


# ---------------------------------------------------------------------- registration


def test_a_bare_decorator_takes_the_name_of_the_function():
    @ta.primitive
    def cube(x):
        return x**3

    assert PRIMITIVES["cube"] is cube
    assert repr(cube) == "<Primitive cube>"
    assert cube(2.0) == 8.0
    assert cube.argument_names == ("x",)


def test_everything_declared_is_kept():
    @ta.primitive("cubed", sympy="x**3", domain=(0.0, 2.0), kinks="x")
    def cube(x):
        return x**3

    assert (cube.name, cube.sympy, cube.domain, cube.kinks) == ("cubed", "x**3", ((0.0, 2.0),), "x")
    assert cube.elementwise

    @ta.primitive("two", domain=((0.0, 1.0), (-1.0, 1.0)))
    def two(x, y, scale=1.0):
        return x * y * scale

    assert two.arity == 2
    assert two.domain == ((0.0, 1.0), (-1.0, 1.0))
    assert not two.elementwise


def test_one_rule_gives_every_mode_and_order():
    @ta.primitive("cube", sympy="x**3")
    def cube(x):
        return x**3

    @ta.RegisterGradient("cube")
    def _cube(op):
        """d x³ = 3x² dx"""
        (x,) = op.inputs
        return 3 * x**2

    assert ta.grad(cube)(2.0) == 12.0
    assert ta.jvp(cube, (2.0,), (10.0,)) == (8.0, 120.0)
    assert ta.grad(ta.grad(cube))(2.0) == 12.0
    assert ta.grad(ta.grad(ta.grad(cube)))(2.0) == 6.0
    assert ta.grad(ta.grad(ta.grad(ta.grad(cube))))(2.0) == 0.0
    x = ta.tensor(2.0, requires_grad=True)
    y = cube(x)
    assert repr(y) == "tensor(8., grad_fn=<CubeBackward>)"


def test_a_misspelt_name_raises_with_the_near_matches():
    for use in (ta.RegisterGradient, ta.NotDifferentiable, lambda name: ta.override_gradient({name: len}).__enter__()):
        with pytest.raises(LookupError, match="no primitive is called 'multipyl'; did you mean 'multiply'"):
            use("multipyl")
    with pytest.raises(LookupError) as caught:
        ta.RegisterGradient("qqqqqq")
    assert "did you mean" not in str(caught.value)


HERE = r"[^ ]*test_registry\.py:\d+"


def test_a_second_rule_raises_with_both_places():
    primitive_with(3.0)
    with pytest.raises(ValueError, match=rf"'mine' has a rule already: {HERE}; the second is at {HERE}") as caught:
        ta.RegisterGradient("mine")(lambda op: 4.0)
    assert len(set(re.findall(r"py:(\d+)", str(caught.value)))) == 2
    with pytest.raises(ValueError, match=r"'sin' has a rule already: .*elementwise\.py:\d+"):
        ta.RegisterGradient("sin")(lambda op: 4.0)


def test_a_second_primitive_raises_with_both_places():
    @ta.primitive("mine")
    def first(x):
        return x

    with pytest.raises(ValueError, match=rf"'mine' at {HERE} already exists: it was registered at {HERE}"):
        ta.primitive("mine")(lambda x: x)
    assert PRIMITIVES["mine"] is first
    with pytest.raises(ValueError, match="'sin'"):
        ta.primitive("sin")(lambda x: x)


@pytest.mark.parametrize("rule", [
    lambda: 1.0, lambda x, y: (1.0, 1.0), lambda op, *, scale: scale, lambda op, cotangent, /: cotangent])
def test_a_rule_of_wrong_arity_raises_at_registration(rule):
    mine = ta.primitive("mine")(lambda x: x)
    with pytest.raises(TypeError, match=rf"'mine' at {HERE} takes .*exactly\s+one argument"):
        ta.RegisterGradient("mine")(rule)
    assert mine.rule is None
    with pytest.raises(TypeError, match="one argument"), ta.override_gradient({"sin": rule}):
        pass


def test_a_rule_must_be_callable():
    ta.primitive("mine")(lambda x: x)
    with pytest.raises(TypeError, match="must be a function"):
        ta.RegisterGradient("mine")(3.0)


def test_a_rule_may_have_optional_arguments_and_comes_back_unchanged():
    def rule(op, scale=2.0):
        """d = 2 dx"""
        return scale

    mine = ta.primitive("mine")(lambda x: 2 * x)
    assert ta.RegisterGradient("mine")(rule) is rule
    assert ta.grad(mine)(1.0) == 2.0


@pytest.mark.parametrize("entries", [(1.0,), (1.0, 2.0, 3.0), ()])
def test_a_wrong_number_of_entries_raises_at_first_use(entries):
    mine = primitive_with(entries, kernel=lambda x, y: x + y)
    for use in (lambda: ta.grad(mine)(1.0, 2.0), lambda: ta.jvp(mine, (1.0, 2.0), (1.0, 1.0))):
        with pytest.raises(TypeError, match=f"the rule of 'mine' returned {len(entries)} entries for 2 inputs"):
            use()


def test_a_missing_rule_raises_when_it_is_recorded_not_when_it_is_swept():
    mine = ta.primitive("mine")(lambda x: 3.0 * x)
    assert mine(2.0) == 6.0
    assert mine(ta.tensor(2.0)).item() == 6.0
    x = ta.tensor(2.0, requires_grad=True)
    with pytest.raises(NotImplementedError, match=r"'mine' has no derivative rule.*RegisterGradient\('mine'\)"):
        mine(x)
    with ta.no_grad():
        assert mine(x).item() == 6.0


# ---------------------------------------------------------------------- not differentiable


def test_not_differentiable_results_are_constants():
    stairs = ta.primitive("stairs")(lambda x: np.floor(x) * 2.0)
    ta.NotDifferentiable("stairs")
    x = ta.tensor(2.5, requires_grad=True)
    assert not stairs(x).requires_grad
    assert ta.grad(lambda x: x * stairs(x))(2.5) == 4.0
    assert ta.jvp(stairs, (2.5,), (1.0,)) == (4.0, 0.0)
    assert len(ta.tape()) == 0


def test_a_rule_and_not_differentiable_exclude_each_other():
    primitive_with(3.0)
    with pytest.raises(ValueError, match=rf"'mine' has a rule, at {HERE}"):
        ta.NotDifferentiable("mine")
    with pytest.raises(ValueError, match=rf"declared not differentiable; the rule at {HERE}"):
        ta.RegisterGradient("floor")(lambda op: 1.0)


@pytest.mark.parametrize("function", [np.floor, np.ceil, np.rint, np.trunc, np.sign])
def test_steps_of_numpy_are_constants(function):
    assert ta.grad(lambda x: x * function(x))(2.25) == function(2.25)


def test_floor_division_is_a_step_however_it_is_written():
    x = ta.tensor(7.5, requires_grad=True)
    for result in (x // 2.0, 30.0 // x, np.floor_divide(x, 2.0), x // ta.tensor(2.0), x // np.array([2.0, 4.0])):
        assert not result.requires_grad
    assert ta.grad(lambda x: x * (x // 2.0) + 30.0 // x)(7.5) == 3.0


# ---------------------------------------------------------------------- entries


POINT = np.array([0.5, -1.5, 2.0])


def both_modes(function, *point):
    """The gradient of the sum by the reverse and by the forward sweep, checked to be the same."""
    reverse = ta.grad(lambda *inputs: np.sum(function(*inputs)), tuple(range(len(point))))(*point)
    for position, gradient in enumerate(reverse):
        for place in np.ndindex(np.shape(gradient)):
            units = [np.zeros(np.shape(x)) for x in point]
            units[position][place] = 1.0
            tangent = ta.jvp(lambda *inputs: np.sum(function(*inputs)), point, tuple(u[()] for u in units))[1]
            assert np.asarray(gradient)[place] == tangent
    return reverse[0] if len(reverse) == 1 else reverse


@pytest.mark.parametrize("entry, expected", [
    (2.5, [2.5, 2.5, 2.5]),
    (ta.registry.ONE, [1, 1, 1]),
    (-1, [-1, -1, -1]),
    (0, [0, 0, 0]),
    (7, [7, 7, 7]),
    (np.array([1.0, 2.0, 3.0]), [1, 2, 3]),
    (np.array([1, 2, 3]), [1, 2, 3]),
    (np.array(4.0), [4, 4, 4]),
    (np.float64(4.0), [4, 4, 4]),
    (np.array([True, False, True]), [1, 0, 1]),
    (np.True_, [1, 1, 1]),
    (np.False_, [0, 0, 0]),
    (True, [1, 1, 1]),
    (False, [0, 0, 0]),
    (lambda: np.array([1.0, 2.0, 3.0]), [1, 2, 3]),
    (lambda: -1, [-1, -1, -1]),
    (functools.partial(np.array, [1.0, 2.0, 3.0]), [1, 2, 3]),
    (lambda: ta.Linear(np.negative, np.negative), [-1, -1, -1]),
    (ta.Linear(lambda t: 2 * t, lambda g: 2 * g), [2, 2, 2]),
    ((2.5,), [2.5, 2.5, 2.5]),
    ([2.5], [2.5, 2.5, 2.5]),
])
def test_every_kind_of_entry(entry, expected):
    mine = primitive_with(entry)
    assert both_modes(mine, POINT).tolist() == expected


def test_an_entry_is_lazy():
    asked = []

    def first():
        asked.append("first")
        return 2.0

    def second():
        asked.append("second")
        return 3.0

    mine = primitive_with((first, second), kernel=lambda x, y: 2 * x + 3 * y)
    assert ta.grad(mine, 1)(1.0, 1.0) == 3.0
    assert ta.jvp(lambda y: mine(1.0, y), (1.0,), (1.0,))[1] == 3.0
    assert set(asked) == {"second"}


def test_none_raises_naming_the_argument_and_the_line():
    mine = primitive_with((1.0, None), kernel=lambda signal, order: signal * order)
    assert ta.grad(mine)(2.0, 3.0) == 1.0
    assert ta.jvp(lambda x: mine(x, 3.0), (2.0,), (1.0,))[1] == 1.0
    message = r"mine: no derivative with respect to argument 'order' .*test_registry\.py:\d+"
    with pytest.raises(NotImplementedError, match=message):
        ta.grad(mine, 1)(2.0, 3.0)
    with pytest.raises(NotImplementedError, match=message):
        ta.jvp(mine, (2.0, 3.0), (1.0, 1.0))
    x = ta.tensor(2.0, requires_grad=True)
    with pytest.raises(NotImplementedError, match="'order'"):
        mine(2.0, x).backward()
    with pytest.raises(NotImplementedError, match="'order'"):  # the same tensor in both places
        mine(x, x).backward()


@pytest.mark.parametrize("entry", ["sin", {"x": 1.0}, object()])
def test_what_is_no_entry_raises(entry):
    mine = primitive_with(entry)
    for use in (lambda: ta.grad(mine)(1.0), lambda: ta.jvp(mine, (1.0,), (1.0,))):
        with pytest.raises(TypeError, match="a derivative rule returned"):
            use()


def test_a_linear_entry_of_the_wrong_shape_raises():
    mine = primitive_with(ta.Linear(lambda t: t[:1], lambda g: g[:2]))
    with pytest.raises(ValueError, match=r"'mine' made a cotangent of shape \(2,\) for an input of shape \(3,\)"):
        ta.vjp(mine, POINT)[1](POINT)

    two = primitive_with(ta.Linear(lambda t: t[:2], lambda g: g), name="two")
    with pytest.raises(ValueError, match=r"'two' made a tangent of shape \(2,\) for an output of shape \(3,\)"):
        ta.jvp(two, (POINT,), (POINT,))


def test_attributes_reach_kernel_and_rule():
    def rule(op):
        return op.attrs["scale"]

    mine = primitive_with(rule, kernel=lambda x, scale=1.0: x * scale)
    assert ta.grad(lambda x: mine(x, scale=5.0))(2.0) == 5.0


def test_an_input_given_by_keyword_raises_instead_of_bypassing_the_rule():
    mine = primitive_with((3.0, 5.0), kernel=lambda x, y: 3 * x + 5 * y)
    assert mine(x=1.0, y=1.0) == 8.0
    for use in (lambda x: mine(x=x, y=1.0), lambda x: mine(1.0, y=x)):
        with pytest.raises(TypeError, match=r"mine: argument '[xy]' was given by keyword"):
            ta.grad(use)(1.0)


def test_op_offers_inputs_output_and_attrs():
    seen = []

    def rule(op):
        seen.append((op.inputs, op.output, op.attrs))
        return 1.0, 1.0

    mine = primitive_with(rule, kernel=lambda x, y, power=1: (x + y) ** power)
    x = ta.tensor(2.0, requires_grad=True)
    y = mine(x, 3.0, power=1)
    y.backward(retain_graph=True)
    ta.gradients(y, x, create_graph=True)
    assert seen[0] == ((2.0, 3.0), 5.0, {"power": 1})
    recorded, output, _ = seen[1]
    assert isinstance(recorded[0], ta.Tensor) and isinstance(output, ta.Tensor) and recorded[1] == 3.0
    seen.clear()


def test_a_rule_that_raises_shows_its_own_error():
    def rule(op):
        raise ZeroDivisionError("in the rule")

    mine = primitive_with(rule)
    with pytest.raises(ZeroDivisionError, match="in the rule"):
        ta.grad(mine)(1.0)


def test_python_numbers_lists_and_odd_kernels():
    mine = primitive_with((1.0, 1.0), kernel=lambda x, y: x + np.sum(y))
    assert ta.grad(mine)(1.0, [1, 2]) == 1.0
    as_float = primitive_with(2.0, kernel=lambda x: float(x) * 2.0, name="as_float")
    out, gradient = ta.value_and_grad(as_float)(1.5)
    assert (type(out), out, gradient) == (np.float64, 3.0, 2.0)
    as_int = primitive_with(2.0, kernel=lambda x: int(x), name="as_int")
    assert ta.grad(lambda x: x * as_int(x))(2.5) == 2.0
    with pytest.raises(TypeError, match=r"mine: a list with tensors.*tapead\.array"):
        ta.grad(lambda x: mine(x, [x, 1.0]))(1.0)
    with pytest.raises(TypeError, match="mine: expected numbers"):
        ta.grad(lambda x: mine(x, "text"))(1.0)


def test_a_kernel_that_takes_any_number_of_inputs():
    def rule(op):
        return tuple([float(position) for position in range(len(op.inputs))])

    mine = primitive_with(rule, kernel=lambda *xs: sum(position * x for position, x in enumerate(xs)))
    assert ta.grad(lambda *xs: mine(*xs), (0, 1, 2, 3))(1.0, 1.0, 1.0, 1.0) == (0.0, 1.0, 2.0, 3.0)


# ---------------------------------------------------------------------- overrides


def seven(op):
    return 7.0


def test_an_override_holds_inside_its_block_in_both_modes():
    with ta.override_gradient({"sin": seven}):
        assert ta.grad(np.sin)(0.0) == 7.0
        assert ta.jvp(np.sin, (0.0,), (1.0,))[1] == 7.0
        assert ta.grad(lambda x: ta.grad(np.sin)(x) * x)(0.0) == 7.0
        assert ta.grad(np.cos)(0.0) == 0.0
    assert ta.grad(np.sin)(0.0) == 1.0


def test_overrides_nest_and_end_with_an_exception():
    with ta.override_gradient({"sin": seven, "cos": seven}):
        with pytest.raises(KeyError), ta.override_gradient({"sin": lambda op: 8.0}):
            assert ta.grad(lambda x: np.sin(x) + np.cos(x))(0.0) == 15.0
            raise KeyError
        assert ta.grad(np.sin)(0.0) == 7.0
    assert ta.grad(lambda x: np.sin(x) + np.cos(x))(0.0) == 1.0


def test_what_counts_is_the_override_at_the_time_of_the_sweep():
    _, pull = ta.vjp(np.sin, 0.0)
    with ta.override_gradient({"sin": seven}):
        assert pull(1.0) == (7.0,)
        _, inside = ta.vjp(np.sin, 0.0)
    assert pull(1.0) == inside(1.0) == (1.0,)


def test_an_override_of_what_is_never_recorded_raises():
    ta.primitive("mine")(lambda x: x)
    for name in ("floor", "mine"):
        with pytest.raises(ValueError, match=f"'{name}' has no rule to override"), ta.override_gradient({name: seven}):
            pass


def test_an_override_with_one_bad_rule_changes_nothing():
    with pytest.raises(LookupError), ta.override_gradient({"sin": seven, "sinn": seven}):
        pass
    assert ta.grad(np.sin)(0.0) == 1.0


# ---------------------------------------------------------------------- NumPy functions


def test_a_second_meaning_of_a_numpy_function_raises_with_its_place():
    with pytest.raises(ValueError, match=r"sum is implemented already, at .*reductions\.py:\d+"):
        implements(np.sum)(lambda a: a)


def test_linear_is_a_pair():
    flip = ta.Linear(np.flip, np.negative)
    assert (flip.apply, flip.adjoint) == (np.flip, np.negative)


def test_a_primitive_outside_of_the_registry_is_copied():
    own = ta.Primitive("test_registry_unregistered", abs)
    assert copy.copy(own) is not own
    assert copy.copy(own).kernel is abs
    assert copy.copy(PRIMITIVES["sin"]) is PRIMITIVES["sin"]
