"""Proofs of the registered rules, and wrong rules that are to be refuted."""

from __future__ import annotations

import numpy as np
import pytest
from catalogue import numpy_primitives

import tapead as ta
from tapead.registry import PRIMITIVES, Linear, case
from tapead.symbolic import Proof, prove, prove_all

RULES = {name: primitive for name, primitive in numpy_primitives().items()
         if primitive.differentiable and primitive.rule is not None}


@pytest.fixture
def registry():
    """The registry, as it was when the test is over."""
    before = dict(PRIMITIVES)
    yield PRIMITIVES
    PRIMITIVES.clear()
    PRIMITIVES.update(before)


@pytest.fixture(scope="module")
def proofs():
    """One proof of every rule."""
    return {proof.name: proof for proof in prove_all(names=RULES)}


def test_all_are_proved_at_once_in_alphabetical_order(proofs):
    assert list(proofs) == sorted(RULES)
    assert not any(proof.status == "REFUTED" for proof in proofs.values())


@pytest.mark.parametrize("name", [name for name, primitive in RULES.items() if primitive.elementwise])
def test_every_elementwise_rule_is_proved(proofs, name):
    proof = proofs[name]
    assert proof.status == "PROVED", proof


@pytest.mark.parametrize("name", [name for name, primitive in RULES.items() if not primitive.elementwise])
def test_every_other_rule_is_proved_or_agrees_to_fifty_digits(proofs, name):
    proof = proofs[name]
    assert proof.status == "PROVED" or (proof.status == "UNDECIDED" and proof.points > 0), proof


@pytest.mark.parametrize("name", ["sum", "mean", "reshape", "transpose", "getitem", "scatter", "matmul", "where",
                                  "stack", "broadcast_to", "astype", "max", "var", "std", "cumprod", "sort"])
def test_the_common_structural_rules_are_proved(proofs, name):
    proof = proofs[name]
    assert proof.status == "PROVED", proof
    assert len(proof.shapes) == len(PRIMITIVES[name].cases)


# ---------------------------------------------------------------------- wrong rules


def _only_below_zero(op):
    (value,) = op.inputs
    return np.where(value < 0, 1.0001, 1.0) * np.exp(value)


def _only_in_a_gap(op):
    (value,) = op.inputs
    return np.where((value > 2) & (value < 2.001), 0.0, np.cos(value))


WRONG_PARTIALS = {
    "factor 1 + 1e-9": ("sin", lambda op: np.cos(op.inputs[0]) * (1 + 1e-9)),
    "sign": ("cos", lambda op: np.sin(op.inputs[0])),
    "arguments swapped": ("arctan2", lambda op: (op.inputs[0] / (op.inputs[0] ** 2 + op.inputs[1] ** 2),
                                                 -op.inputs[1] / (op.inputs[0] ** 2 + op.inputs[1] ** 2))),
    "partials swapped": ("multiply", lambda op: op.inputs),
    "below zero": ("exp", _only_below_zero),
    "in a gap between all points": ("sin", _only_in_a_gap),
    "one of two inputs": ("power", lambda op: (op.inputs[1] * op.inputs[0] ** (op.inputs[1] - 1), op.output)),
    "a factor missing": ("log10", lambda op: 1 / op.inputs[0]),
    "a constant of three digits": ("degrees", lambda op: 57.3),
    "off by a step": ("remainder", lambda op: (1, lambda: -np.ceil(op.inputs[0] / op.inputs[1]))),
    "ties go to the wrong side": ("maximum", lambda op: (op.inputs[0] < op.inputs[1], op.inputs[0] > op.inputs[1])),
    "zero": ("absolute", lambda op: 0),
}


@pytest.mark.parametrize("bug", WRONG_PARTIALS)
def test_wrong_partials_are_refuted_with_a_point(bug):
    name, rule = WRONG_PARTIALS[bug]
    with ta.override_gradient({name: rule}):
        proof = prove(name)
    assert proof.status == "REFUTED" and not proof
    assert set(proof.point) == set("xy"[:PRIMITIVES[name].arity])
    # At that point the rule is another number than the right rule's.
    point = tuple(np.float64(value) for value in proof.point.values())
    right = ta.grad(PRIMITIVES[name], tuple(range(len(point))))(*point)
    with ta.override_gradient({name: rule}):
        wrong = ta.grad(PRIMITIVES[name], tuple(range(len(point))))(*point)
    assert right != wrong


def test_the_point_lies_where_the_rule_is_wrong():
    with ta.override_gradient({"exp": _only_below_zero}):
        assert prove("exp").point["x"] < 0
    with ta.override_gradient({"sin": _only_in_a_gap}):
        assert 2 < prove("sin").point["x"] < 2.001


def _matmul_with(adjoint):
    def rule(op):
        a, b = op.inputs
        return Linear(lambda t: t @ b, adjoint(b)), Linear(lambda t: a @ t, lambda g: a.mT @ g)

    return rule


WRONG_MAPS = {
    "adjoint not transposed": ("square matmul", _matmul_with(lambda b: lambda g: g @ b)),
    "adjoint not linear": ("square matmul", _matmul_with(lambda b: lambda g: g * np.abs(g) @ b.mT)),
    "factor in the adjoint": ("square matmul", _matmul_with(lambda b: lambda g: (1 + 1e-9) * (g @ b.mT))),
    "forward along the wrong axis": ("square cumsum", lambda op: Linear(
        lambda t: np.cumsum(t, axis=0), lambda g: np.flip(np.cumsum(np.flip(g, 1), axis=1), 1))),
    "reverse along the wrong axis": ("square cumsum", lambda op: Linear(
        lambda t: np.cumsum(t, axis=1), lambda g: np.flip(np.cumsum(np.flip(g, 0), axis=0), 0))),
    "adjoint not flipped": ("square cumsum", lambda op: Linear(
        lambda t: np.cumsum(t, axis=1), lambda g: np.cumsum(g, axis=1))),
}


@pytest.mark.parametrize("bug", WRONG_MAPS)
def test_wrong_linear_maps_are_refuted(bug, registry):
    ta.primitive("square matmul", cases=[case((2, 2), (2, 2))], elementwise=False)(lambda a, b: a @ b)
    ta.primitive("square cumsum", cases=[case((2, 2))], elementwise=False)(lambda a: np.cumsum(a, axis=1))
    name, rule = WRONG_MAPS[bug]
    ta.RegisterGradient(name)(rule)
    proof = prove(name)
    assert proof.status == "REFUTED", proof
    assert "forward" in proof.evidence if "forward" in bug else "reverse" in proof.evidence
    assert proof.point and proof.shapes


def test_the_same_maps_are_proved_when_right(registry):
    ta.primitive("square matmul", cases=[case((2, 2), (2, 2))], elementwise=False)(lambda a, b: a @ b)
    ta.primitive("square cumsum", cases=[case((2, 2))], elementwise=False)(lambda a: np.cumsum(a, axis=1))
    ta.RegisterGradient("square matmul")(_matmul_with(lambda b: lambda g: g @ b.mT))
    ta.RegisterGradient("square cumsum")(lambda op: Linear(
        lambda t: np.cumsum(t, axis=1), lambda g: np.flip(np.cumsum(np.flip(g, 1), axis=1), 1)))
    assert prove("square matmul") and prove("square cumsum")


def test_what_a_linear_map_writes_is_checked_too(registry):
    def rule(**buffers):
        return lambda op: Linear(lambda t: t[::-1], lambda g: g[::-1], **buffers)

    def add(total, g):
        total += g[::-1]

    def reuse(g):
        g[:] = g[::-1].copy()

    ta.primitive("turn", cases=[case((3,))], elementwise=False)(lambda a: a[::-1])
    ta.RegisterGradient("turn")(rule(add=add, reuse=reuse))
    assert prove("turn")
    with ta.override_gradient({"turn": rule(add=lambda total, g: add(total, 2 * g))}):
        assert "add(total, g)" in prove("turn").evidence
    with ta.override_gradient({"turn": rule(reuse=lambda g: None)}):
        assert prove("turn").status == "REFUTED"


def test_a_rule_wrong_on_complex_numbers_is_refuted(registry):
    point = np.array([1.0 + 2j, -0.5 + 0.3j])
    ta.primitive("turned", cases=[case(point)], elementwise=False)(lambda z: z * (2 + 1j))
    ta.RegisterGradient("turned")(lambda op: Linear(lambda t: t * (2 + 1j), lambda g: g * (2 + 1j)))
    assert prove("turned").status == "REFUTED"  # the adjoint lacks the conjugate
    with ta.override_gradient({"turned": lambda op: Linear(lambda t: t * (2 + 1j), lambda g: g * (2 - 1j))}):
        assert prove("turned")
    with ta.override_gradient({"turned": lambda op: 2 + 1j}):
        assert prove("turned")


def test_real_linear_maps_of_complex_numbers(registry):
    ta.primitive("size", cases=[case(np.array([1.0 + 2j, -0.5 + 0.3j]))], elementwise=False)(lambda z: np.abs(z))
    ta.RegisterGradient("size")(PRIMITIVES["absolute"].rule)
    assert prove("size")
    with ta.override_gradient({"size": lambda op: np.real(op.inputs[0]) / op.output}):
        assert prove("size").status == "REFUTED"


# ---------------------------------------------------------------------- primitives of one's own


def test_a_primitive_of_ones_own_is_proved_by_the_same_call(registry):
    ta.primitive("my cube", sympy="x**3")(lambda x: x**3)
    ta.RegisterGradient("my cube")(lambda op: 3 * op.inputs[0] ** 2)
    proof = prove("my cube")
    assert isinstance(proof, Proof) and proof and proof.status == "PROVED"
    assert repr(proof) == "<PROVED my cube: rule = derivative for all x ∈ ℝ, in both modes>"
    with ta.override_gradient({"my cube": lambda op: 2 * op.inputs[0] ** 2}):
        refuted = prove("my cube")
    assert not refuted and refuted.status == "REFUTED"
    assert repr(refuted).startswith("<REFUTED my cube: forward in x, at x = ")


def test_without_a_counterpart_the_kernel_itself_is_run_on_symbols(registry):
    ta.primitive("plain cube")(lambda x: x**3 + np.sin(x))
    ta.RegisterGradient("plain cube")(lambda op: 3 * op.inputs[0] ** 2 + np.cos(op.inputs[0]))
    proof = prove("plain cube")
    assert proof and proof.shapes == ("()", "(3,)")


def test_a_counterpart_that_is_another_function_is_refuted(registry):
    ta.primitive("not a cube", sympy="x**2")(lambda x: x**3)
    ta.RegisterGradient("not a cube")(lambda op: 2 * op.inputs[0])
    proof = prove("not a cube")
    assert proof.status == "REFUTED" and "counterpart is not the kernel" in proof.evidence and "x" in proof.point


def test_a_counterpart_may_be_a_callable_or_name_keywords(registry):
    ta.primitive("called", sympy=lambda x: x**4)(lambda x: x**4)
    ta.RegisterGradient("called")(lambda op: 4 * op.inputs[0] ** 3)
    ta.primitive("scaled", sympy="x**degree", cases=[case((), degree=2), case((3,), degree=5)])(
        lambda x, degree=2: x**degree)
    ta.RegisterGradient("scaled")(lambda op: op.attrs["degree"] * op.inputs[0] ** (op.attrs["degree"] - 1))
    assert prove("called")
    proof = prove("scaled")
    assert proof and proof.shapes == ("degree=2", "degree=5")
    with ta.override_gradient({"scaled": lambda op: 2 * op.inputs[0]}):
        wrong = prove("scaled")
    assert wrong.status == "REFUTED" and "degree=5" in wrong.evidence


def test_domains_and_kinks_bound_the_claim(registry):
    ta.primitive("half line", sympy="sqrt(x**2)*x", domain=(0.0, np.inf))(lambda x: x * x)
    ta.RegisterGradient("half line")(lambda op: 2 * op.inputs[0])
    assert "x > 0" in prove("half line").evidence
    ta.primitive("bent", sympy="Abs(x - 1)*Abs(x + 2)", kinks="(x - 1)*(x + 2)")(lambda x: np.abs((x - 1) * (x + 2)))
    ta.RegisterGradient("bent")(lambda op: np.sign((op.inputs[0] - 1) * (op.inputs[0] + 2)) * (2 * op.inputs[0] + 1))
    proof = prove("bent")
    assert proof and "off (x - 1)*(x + 2) = 0" in proof.domain


def test_what_cannot_be_run_on_symbols_is_undecided_and_never_counts_as_proved(registry):
    ta.primitive("closed", sympy="x**2")(lambda x: x * x)
    ta.RegisterGradient("closed")(lambda op: np.array([2 * float(value) for value in op.inputs[0]]))
    proof = prove("closed")
    assert proof.status == "UNDECIDED" and not proof and proof.points == 0
    ta.primitive("joined")(lambda *parts: np.concatenate(parts))
    ta.RegisterGradient("joined")(lambda op: op.inputs)
    assert prove("joined").status == "UNDECIDED"


def test_undecided_rules_are_checked_to_fifty_digits(registry):
    def kernel(matrix):
        return np.linalg.eigvalsh(matrix + matrix.mT)

    def rule(op):
        (matrix,) = op.inputs
        vectors = np.linalg.eigh(matrix + matrix.mT)[1]
        return Linear(lambda t: np.einsum("ik,ij,jk->k", vectors, t + t.mT, vectors),
                      lambda g: 2 * (vectors * g) @ vectors.mT)

    ta.primitive("spectrum", cases=[case((3, 3))], elementwise=False)(kernel)
    ta.RegisterGradient("spectrum")(rule)
    proof = prove("spectrum")
    assert proof.status == "UNDECIDED" and proof.points >= 20
    with ta.override_gradient({"spectrum": lambda op: Linear(rule(op).apply, lambda g: rule(op).adjoint(g) / 2)}):
        assert prove("spectrum").status == "REFUTED"


def test_a_proof_that_breaks_off_is_undecided_and_stops_no_other(registry, monkeypatch):
    def broken(primitive, deadline):
        raise KeyError("ComplexInfinity")

    monkeypatch.setattr("tapead.symbolic.proofs._for_all_keywords", broken)
    first, second = prove_all(names=["sin", "sum"])
    assert first.status == "UNDECIDED" and "broke off: KeyError: 'ComplexInfinity'" in first.evidence
    assert second.status == "PROVED"


def test_there_is_nothing_to_prove_without_a_rule(registry):
    ta.primitive("ruleless", sympy="x")(lambda x: x)
    with pytest.raises(ValueError, match="no derivative rule"):
        prove("ruleless")
    with pytest.raises(ValueError, match="not differentiable"):
        prove("floor")
    with pytest.raises(LookupError, match="did you mean"):
        prove("sinn")
