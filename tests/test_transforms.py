"""Functions of functions: arguments, results, every nesting, closures, constants, memory."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import tapead as ta


def cube(x):
    return x**3


# ---------------------------------------------------------------------- arguments and results


@pytest.mark.parametrize("f", [lambda x: np.max(x, axis=0), lambda x: np.sum(np.ones(3) * np.sum(x)),
                               lambda x: np.nanmean(x, axis=-1)])
@pytest.mark.parametrize("x", [2.0, np.array(2.0), np.float32(2.0)])
def test_gradient_of_a_number_is_a_numpy_number(f, x):
    for gradient in (ta.grad(f)(x), ta.jacobian(f, mode="rev")(x), ta.vjp(f, x)[1](1.0)[0], ta.jvp(f, (x,), (1.0,))[1]):
        assert isinstance(gradient, np.floating)


@pytest.mark.parametrize("x, kind", [
    (3, np.float64), (3.0, np.float64), (np.float64(3), np.float64), (np.float32(3), np.float32),
    (np.float16(3), np.float16), (np.longdouble(3), np.longdouble)])
def test_numbers_in_numpy_scalars_out(x, kind):
    value, gradient = ta.value_and_grad(cube)(x)
    assert (type(value), type(gradient)) == (kind, kind)
    assert (value, gradient) == (27, 27)
    out, tangent = ta.jvp(cube, (x,), (2,))
    assert (type(out), type(tangent), tangent) == (kind, kind, 54)
    out, pull = ta.vjp(cube, x)
    assert type(pull(2)[0]) is kind and pull(2) == (54,)
    assert type(ta.jacobian(cube)(x)) is kind
    assert type(ta.hessian(cube)(x)) is kind and ta.hessian(cube)(x) == 18
    assert type(ta.hvp(cube, (x,), (1.0,))[0]) is kind
    assert type(ta.grad(lambda x: np.sum(x * np.ones(3, np.float16)))(x)) is kind


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (0,), (2, 0, 3), (1, 1)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_shape_and_dtype_are_kept_in_every_mode(shape, dtype):
    x = np.full(shape, 0.5, dtype)

    def f(x):
        return np.sum(np.sin(x) * x + 2)

    for result in (ta.grad(f)(x), ta.value_and_grad(f)(x)[1], ta.vjp(f, x)[1](1.0)[0], ta.hvp(f, (x,), (x,))[0],
                   ta.jvp(lambda x: np.sin(x) * 2, (x,), (x,))[1], ta.linearize(np.exp, x)[1](x),
                   ta.vjp(np.exp, x)[1](x)[0], ta.grad(lambda x: np.sum(ta.grad(f)(x)))(x)):
        assert np.shape(result) == shape
        assert result.dtype == dtype
    for mode in ("fwd", "rev", "auto"):
        jacobian = ta.jacobian(lambda x: np.exp(x) * 2, mode=mode)(x)
        assert jacobian.shape == shape + shape and jacobian.dtype == dtype
    hessian = ta.hessian(f)(x)
    assert hessian.shape == shape + shape and hessian.dtype == dtype


@pytest.mark.parametrize("x", [np.arange(3), np.int64(3), np.array([True]), np.array([1, 2], np.uint8)])
@pytest.mark.parametrize("use", [
    lambda x: ta.grad(np.sum)(x), lambda x: ta.value_and_grad(np.sum)(x), lambda x: ta.vjp(np.sin, x),
    lambda x: ta.jvp(np.sin, (x,), (x,)), lambda x: ta.linearize(np.sin, x), lambda x: ta.jacobian(np.sin)(x),
    lambda x: ta.hessian(np.sum)(x), lambda x: ta.hvp(np.sum, (x,), (x,)), lambda x: ta.grad(np.sum)(ta.tensor(x))])
def test_integer_arrays_raise_with_the_cast_to_use(x, use):
    with pytest.raises(TypeError, match=rf"differentiated in an array of dtype {x.dtype}.*x\.astype\(float\)"):
        use(x)


def test_integer_arrays_that_are_not_differentiated_are_fine():
    powers = np.arange(3)
    assert ta.grad(lambda x, n: np.sum(x**n))(np.full(3, 2.0), powers).tolist() == [0.0, 1.0, 4.0]
    assert ta.grad(lambda n, x: np.sum(x[n]), 1)(np.array([0, 0]), np.ones(3)).tolist() == [2.0, 0.0, 0.0]


def test_argnums():
    def f(x, y, z):
        return x * y**2 * z**3

    assert ta.grad(f)(2.0, 3.0, 1.0) == 9.0
    assert ta.grad(f, 2)(2.0, 3.0, 1.0) == 54.0
    assert ta.grad(f, -1)(2.0, 3.0, 1.0) == 54.0
    assert ta.grad(f, (0,))(2.0, 3.0, 1.0) == (9.0,)
    assert ta.grad(f, (2, 0))(2.0, 3.0, 1.0) == (54.0, 9.0)
    assert ta.grad(f, [0, -1])(2.0, 3.0, 1.0) == (9.0, 54.0)
    assert ta.grad(f, np.int64(1))(2.0, 3.0, 1.0) == 12.0
    assert ta.value_and_grad(f, (0, 1))(2.0, 3.0, 1.0) == (18.0, (9.0, 12.0))
    assert ta.hessian(f, (0, 1))(2.0, 3.0, 1.0) == ((0.0, 6.0), (6.0, 4.0))
    assert ta.jacobian(lambda x, y: x * y, (1, 0))(2.0, np.ones(2))[1].tolist() == [1.0, 1.0]
    for argnums in (3, -4, (0, 5)):
        with pytest.raises(TypeError, match=r"argnums=.*was called with 3 positional arguments"):
            ta.grad(f, argnums)(2.0, 3.0, 1.0)
    for argnums in ((0, 0), (0, -3)):
        with pytest.raises(TypeError, match="names an argument twice"):
            ta.grad(f, argnums)(2.0, 3.0, 1.0)


def test_keywords_pass_through_undifferentiated():
    def f(x, *, scale, offset=0.0):
        return scale * x + offset

    assert ta.grad(f)(1.0, scale=3.0) == 3.0
    assert ta.value_and_grad(f)(1.0, scale=3.0, offset=np.float64(1.0)) == (4.0, 3.0)
    assert ta.jacobian(f)(1.0, scale=3.0) == 3.0
    assert ta.hessian(f)(1.0, scale=3.0) == 0.0
    with pytest.raises(TypeError, match="0 positional arguments"):
        ta.grad(cube)(x=1.0)


def test_has_aux():
    def f(x):
        return np.sum(x**2), {"twice": 2 * x, "text": "kept", "none": None, "raw": 3}

    (value, aux), gradient = ta.value_and_grad(f, has_aux=True)(np.array([1.0, 2.0]))
    assert value == 5.0 and gradient.tolist() == [2.0, 4.0]
    assert type(aux["twice"]) is np.ndarray and aux["twice"].tolist() == [2.0, 4.0]
    assert (aux["text"], aux["none"], aux["raw"]) == ("kept", None, 3)
    for bad in (lambda x: x, lambda x: (x, x, x), lambda x: [x, x]):
        with pytest.raises(TypeError, match=r"has_aux=True .* must return"):
            ta.value_and_grad(bad, has_aux=True)(1.0)


def test_an_auxiliary_result_carries_derivatives_of_outer_transforms():
    def outer(x):
        (value, aux), slope = ta.value_and_grad(lambda y: (y * x, (x, 3 * x)), has_aux=True)(2.0)
        return value + slope + aux[0] + aux[1]

    assert ta.grad(outer)(1.0) == 7.0
    assert ta.jvp(outer, (1.0,), (1.0,)) == (7.0, 7.0)


@pytest.mark.parametrize("f", [
    lambda x: x, lambda x: x * 2, lambda x: (x[0], x[1]), lambda x: [x[0]], lambda x: {"a": x}])
def test_a_gradient_of_more_than_one_number_raises(f):
    for transform in (ta.grad, ta.value_and_grad, ta.hessian):
        if len(np.atleast_1d(flat := f(np.ones(2)))) == 1 and isinstance(flat, list):
            continue
        with pytest.raises(TypeError, match=r"must return one number.*jacobian or vjp"):
            transform(f)(np.ones(2))


def test_a_result_of_one_element_is_one_number():
    assert ta.grad(lambda x: x * 2)(np.array([3.0])).tolist() == [2.0]
    value, gradient = ta.value_and_grad(lambda x: x * 2)(np.array([[3.0]]))
    assert value.shape == gradient.shape == (1, 1)


def test_a_complex_result_has_no_gradient():
    for f in (lambda x: x * 1j, lambda x: x + 0j):
        for transform in (ta.grad, ta.value_and_grad, ta.hessian):
            with pytest.raises(TypeError, match=r"must return a real number.*use vjp"):
                transform(f)(2.0)
    for truth in (lambda x: x > 0.0, lambda x: bool(np.allclose(x, x)), lambda x: np.isfinite(x)):
        with pytest.raises(TypeError, match="must return one number, it returned a truth value"):
            ta.grad(truth)(1.0)
    with pytest.raises(TypeError, match="must return a real number"):
        ta.grad(lambda z: z * z)(1 + 2j)
    assert ta.grad(lambda z: np.real(z * z))(1 + 2j) == 2 - 4j


@pytest.mark.parametrize("result", [None, "text", {1, 2}, np.array(["a"]), object()])
def test_results_that_are_no_numbers_raise(result):
    for use in (lambda f: ta.grad(f)(1.0), lambda f: ta.vjp(f, 1.0), lambda f: ta.jvp(f, (1.0,), (1.0,)),
                lambda f: ta.jacobian(f)(1.0)):
        with pytest.raises(TypeError, match=r"returned .*; expected numbers"):
            use(lambda x: result)


def test_what_does_not_matter_has_derivative_zero():
    x = np.array([1.0, 2.0])
    assert ta.grad(lambda x: 3.0)(x).tolist() == [0.0, 0.0]
    assert ta.grad(lambda x, y: y * 2, (0, 1))(x, 3.0)[0].tolist() == [0.0, 0.0]
    assert ta.grad(lambda x: 3)(np.float32(1)).dtype == np.float32
    assert ta.jvp(lambda x: np.ones(3), (x,), (x,))[1].tolist() == [0.0, 0.0, 0.0]
    assert ta.jvp(lambda x: (x > 1, 7), (x,), (x,))[1][0].tolist() == [0.0, 0.0]
    assert ta.vjp(lambda x: np.ones(3), x)[1](np.ones(3))[0].tolist() == [0.0, 0.0]
    for mode in ("fwd", "rev"):
        assert ta.jacobian(lambda x: np.ones(3), mode=mode)(x).tolist() == [[0.0, 0.0]] * 3
    assert ta.hessian(lambda x: np.sum(x))(x).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_wrong_tangents_and_cotangents_raise():
    x = np.ones(3)
    _, pull = ta.vjp(np.sin, x)
    for bad in (np.ones(2), 1.0, np.ones((1, 3)), np.ones((3, 1))):
        with pytest.raises(ValueError, match=r"vjp: cotangent 0 has shape .*, its output has shape \(3,\)"):
            pull(bad)
        with pytest.raises(ValueError, match=r"jvp: tangent 0 has shape .*, its primal has shape \(3,\)"):
            ta.jvp(np.sin, (x,), (bad,))
    for bad in (1j * x, np.array(["a"] * 3)):
        with pytest.raises(TypeError, match="cotangent 0 has dtype"):
            pull(bad)
    with pytest.raises(ValueError, match="another structure"):
        ta.jvp(np.sin, (x,), (x, x))
    assert pull([1, 2, 3])[0].tolist() == pull(np.array([1.0, 2.0, 3.0]))[0].tolist()
    with pytest.raises(ValueError, match="mode must be"):
        ta.jacobian(np.sin, mode="forward")


def test_transforms_keep_name_and_documentation():
    def f(x):
        """the documentation"""
        return x

    for transform in (ta.grad, ta.value_and_grad, ta.jacobian):
        assert transform(f).__name__ == "f" and transform(f).__doc__ == "the documentation"


# ---------------------------------------------------------------------- jacobian, hessian, hvp, linearize


@pytest.mark.parametrize("shape, out", [((), ()), ((3,), ()), ((), (3,)), ((2, 3), (4,)), ((2,), (3, 2)), ((0,), (2,))])
def test_jacobian_modes_agree(shape, out):
    weights = np.random.default_rng(0).normal(size=out + shape)
    x = np.random.default_rng(1).normal(size=shape)[()]

    def f(x):
        return np.sum(weights * np.sin(x), axis=tuple(range(len(out), len(out) + len(shape))))

    expected = weights * np.cos(x)
    for mode in ("fwd", "rev", "auto"):
        jacobian = ta.jacobian(f, mode=mode)(x)
        assert np.shape(jacobian) == out + shape
        np.testing.assert_allclose(jacobian, expected, rtol=1e-13)


def test_jacobian_takes_the_cheaper_mode():
    def sweeps_with(f, x):
        counted = []
        rule = ta.registry.PRIMITIVES["sin"].rule
        with ta.override_gradient({"sin": lambda op: (counted.append(1), rule(op))[1]}):
            ta.jacobian(f)(x)
        return len(counted)

    assert sweeps_with(lambda x: np.sin(x) * np.ones(50), 1.0) == 1
    assert sweeps_with(lambda x: np.sum(np.sin(x)), np.ones(50)) == 1


def test_hessian_and_hvp():
    def f(x):
        return np.sum(x**3) + x[0] * x[1] * x[2]

    x, v = np.array([1.0, 2.0, 3.0]), np.array([1.0, -1.0, 0.5])
    expected = np.diag(6 * x) + np.array([[0, 3, 2], [3, 0, 1], [2, 1, 0]])
    np.testing.assert_allclose(ta.hessian(f)(x), expected)
    (product,) = ta.hvp(f, (x,), (v,))
    np.testing.assert_allclose(product, expected @ v)
    np.testing.assert_allclose(ta.hvp(f, x, v), expected @ v)
    np.testing.assert_allclose(ta.jacobian(ta.grad(f), mode="rev")(x), expected)
    first, second = ta.hvp(lambda x, y: x**2 * y, (2.0, 3.0), (1.0, 10.0))
    assert (first, second) == (6.0 + 40.0, 4.0)


def test_linearize_and_vjp_are_used_many_times():
    x = np.array([0.5, 1.0])
    calls = []

    def f(x):
        calls.append(1)
        return np.exp(x) * x[0]

    out, push = ta.linearize(f, x)
    out_again, pull = ta.vjp(f, x)
    np.testing.assert_array_equal(out, out_again)
    jacobian = ta.jacobian(f)(x)
    calls.clear()
    for _ in range(3):
        for vector in (np.array([1.0, 0.0]), np.array([0.5, -2.0]), np.zeros(2)):
            np.testing.assert_allclose(push(vector), jacobian @ vector, rtol=1e-15)
            np.testing.assert_allclose(pull(vector)[0], jacobian.T @ vector, rtol=1e-15)
    assert calls == []


def test_pull_and_push_may_be_differentiated_themselves():
    x = np.array([0.5, 1.0])
    _, pull = ta.vjp(np.sin, x)
    _, push = ta.linearize(np.sin, x)
    for function in (lambda c: pull(c)[0], push):
        np.testing.assert_allclose(ta.jvp(function, (x,), (np.ones(2),))[1], np.cos(x))
        np.testing.assert_allclose(ta.grad(lambda c, function: np.sum(function(c)))(x, function), np.cos(x))
        np.testing.assert_allclose(ta.jacobian(function)(x), np.diag(np.cos(x)))

    def through_the_point(x):
        _, pull = ta.vjp(np.sin, x)
        return np.sum(pull(np.ones(2))[0])

    np.testing.assert_allclose(ta.grad(through_the_point)(x), -np.sin(x))


# ---------------------------------------------------------------------- nesting


def forward(f):
    return lambda x: ta.jvp(f, (x,), (1.0,))[1]


def linearized(f):
    return lambda x: ta.linearize(f, x)[1](1.0)


def pulled(f):
    return lambda x: ta.vjp(f, x)[1](1.0)[0]


@pytest.mark.parametrize("nesting", list(itertools.product([ta.grad, forward], repeat=4)),
                         ids=lambda nesting: "".join("r" if one is ta.grad else "f" for one in nesting))
def test_every_nesting_of_a_fourth_derivative(nesting):
    def f(x):
        return np.sin(x) * np.exp(x / 2) / (1 + x * x) + x**4

    derivative = f
    for transform in nesting:
        derivative = transform(derivative)
    assert derivative(0.7) == pytest.approx(29.835917530314843, rel=1e-11)


@pytest.mark.parametrize("outer", [ta.grad, forward, pulled, linearized, ta.jacobian, ta.hessian])
@pytest.mark.parametrize("inner", [ta.grad, forward, pulled, linearized, ta.jacobian, ta.hessian])
def test_every_pair_of_transforms(outer, inner):
    order = 2 + (outer is ta.hessian) + (inner is ta.hessian)
    expected = {2: -np.sin(0.3), 3: -np.cos(0.3), 4: np.sin(0.3)}[order]
    assert outer(inner(np.sin))(0.3) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("inner", [ta.grad, forward, pulled, linearized, ta.jacobian])
@pytest.mark.parametrize("outer", [ta.grad, forward, pulled, linearized, ta.jacobian])
def test_perturbations_are_not_confused(outer, inner):
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0
    assert outer(lambda x: x * inner(lambda y: x * y)(2.0))(3.0) == 6.0
    assert outer(lambda x: inner(lambda y: x)(2.0) * x)(3.0) == 0.0
    assert outer(lambda x: x * inner(lambda y: y * x**2)(x))(3.0) == 27.0
    assert outer(lambda x: inner(lambda y: (x + y) ** 3)(x))(1.0) == 24.0
    assert outer(lambda x: inner(lambda y: x * inner(lambda z: x * y * z)(y))(x))(2.0) == 4.0


def test_amazing_bug():
    """Manzyuk et al.: differentiating a function-valued function, whose result is used under another derivative."""

    def shift(offset):
        return lambda f: lambda x: f(x + offset)

    def derivative_of_shift(f):
        return lambda x: ta.jvp(lambda offset: shift(offset)(f)(x), (0.0,), (1.0,))[1]

    assert derivative_of_shift(derivative_of_shift(np.exp))(1.0) == pytest.approx(np.e, rel=1e-15)
    hat = ta.grad
    assert hat(lambda x: hat(lambda y: np.exp(x * y))(1.0))(2.0) == pytest.approx(3 * np.exp(2))


@pytest.mark.parametrize("inner", [ta.grad, forward, pulled, linearized, ta.jacobian, ta.hessian])
def test_closures_over_outer_tensors_at_every_level(inner):
    def f(x):
        def g(y):
            def h(z):
                return z**2 * y * x + np.sin(x * z)

            return inner(h)(y) * x

        return inner(g)(x)

    step = 1e-4
    ladder = [(f(1.2 + s) - f(1.2 - s)) / (2 * s) for s in (2 * step, step)]
    assert ta.grad(f)(1.2) == pytest.approx((4 * ladder[1] - ladder[0]) / 3, rel=1e-8)
    assert forward(f)(1.2) == pytest.approx(ta.grad(f)(1.2), rel=1e-13)


def test_what_comes_from_outside_unchanged_keeps_its_derivative():
    def handed_through(x):
        h = x * x
        value, slope = ta.value_and_grad(lambda y: h)(1.0)
        out, tangent = ta.jvp(lambda y: (h, y), (1.0,), (1.0,))
        return value + slope + out[0] + ta.vjp(lambda y: [h], 1.0)[0][0] + tangent[0]

    assert ta.grad(handed_through)(3.0) == 18.0
    assert forward(handed_through)(3.0) == 18.0


def test_an_inner_sweep_frees_nothing_of_an_outer_graph():
    w = ta.tensor(3.0, requires_grad=True)
    z = w * w
    for f in (lambda y: z, lambda y: y * z, lambda y: np.sin(z) * y):
        ta.grad(f)(1.0)
        ta.hessian(f)(1.0)
        with ta.no_grad():
            ta.grad(f)(1.0)
            ta.jacobian(f, mode="rev")(1.0)
    z.backward()
    assert w.grad.item() == 6.0


def test_an_inner_sweep_does_not_visit_what_lies_outside():
    visits = []
    rule = ta.registry.PRIMITIVES["sin"].rule

    def outer(x):
        for _ in range(20):
            x = np.sin(x)
        return ta.grad(lambda y: y * x)(1.0)

    with ta.override_gradient({"sin": lambda op: (visits.append(1), rule(op))[1]}):
        ta.grad(outer)(0.5)
    assert len(visits) == 20


def test_control_flow_on_values():
    def f(x):
        total = 0.0
        while x > 0.5:
            total = total + x * (2 if x > 1 else 3)
            x = x / 2
        return total

    assert ta.grad(f)(3.0) == 2 + 1 + 0.75
    assert forward(f)(3.0) == 2 + 1 + 0.75
    assert ta.grad(ta.grad(lambda x: f(x) * x))(3.0) == 7.5


def test_gradient_of_a_fixed_point_found_by_newton():
    def root(a):
        x = 1.0
        for _ in range(30):
            x = x - (x * x - a) / ta.grad(lambda x: x * x - a)(x)
        return x

    assert ta.grad(root)(2.0) == pytest.approx(0.5 / math.sqrt(2), rel=1e-14)


def test_an_exception_inside_leaves_the_machinery_intact():
    def fails(x):
        ta.grad(lambda y: y * x)(1.0)
        raise KeyError

    for _ in range(3):
        with pytest.raises(KeyError):
            ta.grad(fails)(1.0)
        assert ta.is_grad_enabled()
    assert type(ta.grad(np.sin)(0.0)) is np.float64
    assert ta.grad(lambda x: x * ta.grad(lambda y: x + y)(1.0))(1.0) == 1.0


# ---------------------------------------------------------------------- tensors in transforms


def test_untracked_tensors_in_untracked_tensors_out():
    x = ta.tensor([1.0, 2.0])
    for result in (ta.grad(lambda x: (x * x).sum())(x), ta.vjp(np.square, x)[1](np.ones(2))[0],
                   ta.vjp(np.square, x)[0], *ta.jvp(np.square, (x,), (np.ones(2),)), ta.jacobian(np.square)(x),
                   *ta.value_and_grad(lambda x: (x * x).sum())(x), ta.hvp(lambda x: (x**2).sum(), (x,), (x,))[0]):
        assert isinstance(result, ta.Tensor)
        assert not result.requires_grad
    assert len(ta.tape()) == 0


def test_tracked_tensors_flow_through_transforms():
    x = ta.tensor(2.0, requires_grad=True)
    value, slope = ta.value_and_grad(cube)(x)
    assert (value.item(), slope.item()) == (8.0, 12.0)
    (value + slope).backward()
    assert x.grad.item() == 24.0
    x.grad = None
    out, tangent = ta.jvp(cube, (x,), (x,))
    (out + tangent).backward()
    assert x.grad.item() == 12.0 + 12.0 + 24.0
    w = ta.tensor([1.0, 2.0], requires_grad=True)
    ta.grad(lambda y: (y**2 * w).sum())(np.array([3.0, 4.0])).sum().backward()
    assert w.grad.tolist() == [6.0, 8.0]
    ta.hessian(lambda y: (y**2 * w).sum())(np.ones(2)).sum().backward()
    assert w.grad.tolist() == [8.0, 10.0]


def test_backward_inside_a_transformed_function():
    def f(x):
        w = ta.tensor(3.0, requires_grad=True)
        (w * w * 2).backward()
        return x * w.grad

    assert ta.grad(f)(2.0) == 12.0


def test_plain_arrays_in_plain_arrays_out():
    x = np.array([1.0, 2.0])
    for result in (ta.grad(lambda x: (x * x).sum())(x), ta.vjp(np.square, x)[1](x)[0], ta.vjp(np.square, x)[0],
                   *ta.jvp(np.square, (x,), (x,)), ta.jacobian(np.square)(x), ta.hessian(lambda x: (x**2).sum())(x),
                   ta.jvp(lambda c: ta.vjp(np.sin, c)[1](c)[0], (x,), (x,))[1]):
        assert type(result) is np.ndarray


# ---------------------------------------------------------------------- memory


def many_functions():
    return {
        "identity": lambda x: x, "exp": np.exp, "view": lambda x: x[::2], "reshape": lambda x: x.reshape(2, -1),
        "transpose": lambda x: x.reshape(2, -1).T, "sum twice": lambda x: x + x, "negative": lambda x: -x,
        "broadcast": lambda x: np.broadcast_to(x, (3, *x.shape)), "product": lambda x: x * x,
        "where": lambda x: np.where(x > 0, x, -x), "two": lambda x: (x, x), "same": lambda x: [y := x * 2, y]}


@pytest.mark.parametrize("size", [6, 10_000])
@pytest.mark.parametrize("name", many_functions())
def test_results_alias_nothing(name, size):
    f = many_functions()[name]
    x = np.linspace(0.5, 2.0, size)
    v = np.linspace(1.0, 3.0, size)

    def arrays(container):
        return ta.containers.flatten(container)[0]

    def everything():
        out, pull = ta.vjp(f, x)
        cotangent = ta.containers.map_structure(lambda y: np.linspace(1.0, 2.0, y.size).reshape(y.shape), out)
        same, push = ta.linearize(f, x)
        again, tangent = ta.jvp(f, (x,), (v,))
        return ([*arrays(out), *arrays(same), *arrays(again)], arrays(cotangent),
                [*arrays(tangent), *arrays(push(v)), *arrays(push(v)), *pull(cotangent), *pull(cotangent)])

    outs, cotangents, derivatives = everything()
    for first, second in itertools.combinations([x, v, *outs, *cotangents, *derivatives], 2):
        assert not np.shares_memory(first, second)
    assert all(result.flags.writeable for result in derivatives + outs)


@pytest.mark.parametrize("f", [np.exp, np.sin, lambda x: x * x, lambda x: x / (1 + x), np.sqrt, lambda x: x[::-1] * x])
@pytest.mark.parametrize("size", [4, 10_000])
def test_changing_what_was_given_or_received_changes_nothing(f, size):
    x = np.linspace(0.5, 2.0, size)
    ones = np.ones(size)
    expected = ta.vjp(f, x)[1](ones)[0]
    forwards = ta.jvp(f, (x,), (ones,))[1]
    mine = x.copy()
    out, pull = ta.vjp(f, mine)
    same, push = ta.linearize(f, mine)
    mine[:] = -5.0
    out[:] = -7.0
    same[:] = -7.0
    for _ in range(2):
        (first,) = pull(ones)
        np.testing.assert_array_equal(first, expected)
        first[:] = -9.0
        tangent = push(ones)
        np.testing.assert_array_equal(tangent, forwards)
        tangent[:] = -9.0
    assert ones.tolist() == [1.0] * size


def test_inputs_are_not_changed():
    x, v = np.linspace(0.5, 2.0, 5000), np.ones(5000)
    x.flags.writeable = v.flags.writeable = False

    def f(x):
        return np.sum(np.exp(np.sin(x) * x) + np.sqrt(x) ** 3)

    for _ in range(2):
        ta.grad(f)(x)
        ta.jvp(f, (x,), (v,))
        ta.hvp(f, (x,), (v,))
        ta.vjp(lambda x: np.exp(x) * x, x)[1](v)


@pytest.mark.parametrize("layout", [
    lambda a: a[::2], lambda a: a[::-1], lambda a: np.asfortranarray(a.reshape(2, -1)), lambda a: a.reshape(2, -1).T,
    lambda a: np.broadcast_to(a[:1], (4,)), lambda a: a.astype(">f8"),
    lambda a: np.lib.stride_tricks.as_strided(a, (3,), (8,))])
def test_memory_layout_does_not_matter(layout):
    x = layout(np.linspace(0.5, 2.0, 8))
    gradient = ta.grad(lambda x: np.sum(np.sin(x) * x))(x)
    np.testing.assert_allclose(gradient, np.cos(x) * x + np.sin(x), rtol=1e-14)
    np.testing.assert_allclose(ta.jvp(lambda x: np.sin(x) * x, (x,), (x,))[1], gradient * x, rtol=1e-14)


# ---------------------------------------------------------------------- complex


def test_the_gradient_of_a_real_loss_is_the_direction_of_steepest_ascent():
    z = np.array([1 + 2j, 0.5 - 1j])
    gradient = ta.grad(lambda z: np.sum(np.abs(z) ** 2))(z)
    np.testing.assert_allclose(gradient, 2 * z)
    np.testing.assert_allclose(ta.grad(lambda z: np.sum(np.real(np.exp(z))))(z), np.conj(np.exp(z)))


def test_products_with_complex_jacobians_are_adjoint():
    z, v, w = 0.5 + 1j, 2 - 1j, -1 + 3j

    def f(z):
        return z * z * np.conj(z) + np.abs(z)

    tangent = ta.jvp(f, (z,), (v,))[1]
    (cotangent,) = ta.vjp(f, z)[1](w)
    assert np.real(np.conj(tangent) * w) == pytest.approx(np.real(np.conj(v) * cotangent), rel=1e-14)


def test_real_inputs_keep_real_gradients():
    gradient = ta.grad(lambda x: np.abs(x * (1 + 2j)) ** 2)(3.0)
    assert type(gradient) is np.float64 and gradient == pytest.approx(30.0)
    with pytest.raises(TypeError, match="tangent 0 has dtype complex128"):
        ta.jvp(np.sin, (1.0,), (1j,))


@pytest.mark.parametrize("mode", ["fwd", "rev", "auto"])
def test_jacobians_of_holomorphic_functions(mode):
    z = np.array([1 + 2j, 0.5 - 1j])
    np.testing.assert_allclose(ta.jacobian(lambda z: z * z, mode=mode)(z), np.diag(2 * z))
    np.testing.assert_allclose(ta.jacobian(lambda x: x * (1 + 2j), mode=mode)(np.ones(2)), (1 + 2j) * np.eye(2))
    np.testing.assert_allclose(ta.jacobian(lambda z: np.real(z * z), mode=mode)(z), np.diag(np.conj(2 * z)))
    with pytest.raises(TypeError, match=r"jacobian: .*holomorphic"):
        ta.jacobian(np.conj, mode=mode)(z)
