"""The optimisers: PyTorch's steps to the last digits, groups, saving, and what must not be done."""

from __future__ import annotations

import builtins
import copy
import inspect
import pickle

import numpy as np
import pytest

import tapead as ta

# The steps of PyTorch 2.13 from [1.5, -0.5] on the loss below: a loop over
#     optimizer = getattr(torch.optim, name)([x], **options); optimizer.zero_grad(); loss(x).backward()
#     optimizer.step(); print(x.tolist())
# with x = torch.tensor([1.5, -0.5], dtype=torch.float64, requires_grad=True).
PYTORCH = [
    ("SGD", {"lr": 0.1}, [
        [1.4615976331360947, -0.446],
        [1.4218788110296752, -0.3939434907676769],
        [1.3807345108338083, -0.3449021821433017],
        [1.3380440456208482, -0.2998088877123487],
    ]),
    ("SGD", {"lr": 0.1, "momentum": 0.9}, [
        [1.4615976331360947, -0.446],
        [1.3873166808521604, -0.3453434907676769],
        [1.2780254910984206, -0.20961886712956543],
        [1.1328036504201602, -0.05899785347622163],
    ]),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.2}, [
        [1.4315976331360947, -0.436],
        [1.3214405311219826, -0.33619865325822235],
        [1.172268283948222, -0.21067704413885885],
        [0.985486577589465, -0.07471702983467417],
    ]),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}, [
        [1.42703550295858, -0.3974],
        [1.3181140938518547, -0.26003124641860237],
        [1.1711023675628212, -0.11305787797544835],
        [0.9813243663608523, 0.010037954972542906],
    ]),
    ("SGD", {"lr": 0.1, "momentum": 0.5, "maximize": True, "weight_decay": 0.2}, [
        [1.5084023668639053, -0.544],
        [1.5205578099093857, -0.6099031090410195],
        [1.5339465364962375, -0.6854594565171864],
        [1.5472501879683627, -0.7629830215599313],
    ]),
    ("Adam", {"lr": 0.1}, [
        [1.400000002604006, -0.40000000185185186],
        [1.2998673162993313, -0.30032536884430416],
        [1.1995130906665954, -0.20197044125115968],
        [1.098849520544214, -0.10734837222669975],
    ]),
    ("Adam", {"lr": 0.1, "betas": (0.5, 0.6), "eps": 0.001, "weight_decay": 0.2}, [
        [1.4001459803574359, -0.4001560062402496],
        [1.300202656582252, -0.30091417021743255],
        [1.2001029355674704, -0.20368990344504873],
        [1.0997936189632218, -0.11197579801504554],
    ]),
    ("Adam", {"lr": 0.3, "betas": (0.5, 0.6), "amsgrad": True, "maximize": True}, [
        [1.7999999921879817, -0.7999999944444445],
        [2.094647833946039, -1.098626287048535],
        [2.373153254647402, -1.37032347537078],
        [2.6262029788547903, -1.588034162213203],
    ]),
    ("AdamW", {"lr": 0.1}, [
        [1.398500002604006, -0.39950000185185186],
        [1.2969683105329697, -0.2994291017803804],
        [1.1953158966563524, -0.20079416702538128],
        [1.0934549361328423, -0.10603928760581902],
    ]),
    ("AdamW", {"lr": 0.3, "betas": (0.5, 0.6), "weight_decay": 0.2, "amsgrad": True}, [
        [1.1100000078120182, -0.17000000555555544],
        [0.7431157714897482, 0.07030522800949984],
        [0.3967711036125544, 0.06891067094041425],
        [0.07012603140816254, -0.037213136865410404],
    ]),
    ("RMSprop", {"lr": 0.1}, [
        [0.5000002604005489, 0.4999998148148487],
        [-0.38854040771990916, -0.30919812558989257],
        [0.11782940650701068, 0.10592152632432006],
        [-0.2077585464340762, -0.18901764341764998],
    ]),
    ("RMSprop", {"lr": 0.1, "alpha": 0.6, "eps": 0.001, "weight_decay": 0.2, "centered": True}, [
        [1.296483183113445, -0.2965248265782347],
        [1.0849660173678317, -0.12193857755502904],
        [0.8332204474880149, -0.049372788085615946],
        [0.5217499602213214, -0.04557130964926468],
    ]),
    ("RMSprop", {"lr": 0.1, "alpha": 0.6, "momentum": 0.7, "maximize": True}, [
        [1.6581138764984038, -0.6581138783787894],
        [1.8871646974159058, -0.8938689589638462],
        [2.146997037810874, -1.1615899364564781],
        [2.418023724670629, -1.429826709890252],
    ]),
    ("RMSprop", {"lr": 0.1, "centered": True, "momentum": 0.7}, [
        [0.49496244777164505, 0.5050376282035037],
        [-1.1049148369389221, 0.3986912201218649],
        [-1.8357165801187172, -0.2834647749834048],
        [-2.2442470620399058, -0.4399799078000663],
    ]),
]
IDS = [f"{name}-{'-'.join(options)}" for name, options, _ in PYTORCH]


def loss(x):
    return (x * x / (1 + x * x) + 0.1 * x).sum()


def tracked(*values, dtype=None):
    return ta.tensor(values, dtype=dtype, requires_grad=True)


def steps(optimizer, x, count):
    for _ in range(count):
        optimizer.zero_grad()
        loss(x).backward()
        optimizer.step()
        yield x.data


@pytest.mark.parametrize(("name", "options", "expected"), PYTORCH, ids=IDS)
def test_the_first_steps_are_pytorchs(name, options, expected):
    x = tracked(1.5, -0.5)
    optimizer = getattr(ta.optim, name)([x], **options)
    np.testing.assert_allclose(list(steps(optimizer, x, 4)), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("name", "options", "expected"), PYTORCH, ids=IDS)
def test_a_hundred_steps_are_pytorchs(name, options, expected):
    torch = pytest.importorskip("torch")
    rows = [[1.5, -0.5, 0.1], [0.3, 1.2, -1.1]]
    ours, theirs = ta.tensor(rows, requires_grad=True), torch.tensor(rows, dtype=torch.float64, requires_grad=True)
    optimizer, reference = getattr(ta.optim, name)([ours], **options), getattr(torch.optim, name)([theirs], **options)
    for _ in range(100):
        # From the same place by the same gradient: near a minimum some of these are chaotic and amplify rounding.
        ours.data = theirs.detach().numpy().copy()
        reference.zero_grad()
        loss(theirs).backward()
        ours.grad = theirs.grad.numpy()
        reference.step()
        optimizer.step()
        np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_dtypes_and_shapes_stay(name, dtype):
    params = [ta.tensor(value, dtype, requires_grad=True) for value in (1.5, [0.5, 1.0], [[2.0]])]
    momentum = {} if name.startswith("Adam") else {"momentum": 0.9}
    optimizer = getattr(ta.optim, name)(params, lr=0.01, **momentum)
    before = [param.data for param in params]
    for _ in range(3):
        optimizer.zero_grad()
        sum((param * param.conj()).real.sum() for param in params).backward()
        optimizer.step()
    for param, old in zip(params, before, strict=True):
        assert param.dtype == dtype and param.shape == old.shape
        assert param.is_leaf and param.requires_grad
        assert np.all(np.abs(param.data) < np.abs(old))


def test_complex_parameters_step_like_their_parts():
    z, xy = ta.tensor([1.0 + 2.0j, -0.5j], requires_grad=True), tracked(1.0, 0.0, 2.0, -0.5)
    for param in (z, xy):
        optimizer = ta.optim.Adam([param], lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            x, y = (z.real, z.imag) if param is z else (xy[:2], xy[2:])
            (x**4 + 2 * y**2 + x * y).sum().backward()
            optimizer.step()
    np.testing.assert_allclose(z.data, xy.data[:2] + 1j * xy.data[2:], rtol=1e-15)


def test_a_graph_recorded_before_a_step_stays_right():
    x = tracked(1.0, 2.0)
    y = np.exp(x).sum()
    held = x.data
    optimizer = ta.optim.SGD([x], lr=1.0)
    y.backward(retain_graph=True)
    first = x.grad.data
    optimizer.step()
    assert x.data is not held and np.array_equal(held, [1.0, 2.0])
    optimizer.zero_grad()
    y.backward()
    np.testing.assert_array_equal(x.grad.data, first)


def test_nothing_is_recorded():
    x = tracked(1.0, 2.0)
    optimizer = ta.optim.SGD([x], lr=0.1, momentum=0.9)
    with ta.enable_grad():
        list(steps(optimizer, x, 3))
    assert len(ta.tape()) == 0


def test_groups_have_their_own_options():
    x, y, z = tracked(1.0), tracked(1.0), tracked(1.0)
    optimizer = ta.optim.SGD([{"params": [x]}, {"params": y, "lr": 0.01}], lr=0.1)
    optimizer.add_param_group({"params": [z], "weight_decay": 1.0})
    (x + y + z).sum().backward()
    optimizer.step()
    assert [param.item() for param in (x, y, z)] == [0.9, 0.99, 0.8]
    optimizer.param_groups[0]["lr"] = 0.0
    optimizer.step()
    assert x.item() == 0.9


def test_parameters_without_a_gradient_are_left_alone():
    x, y = tracked(1.0), tracked(1.0)
    optimizer = ta.optim.Adam([x, y], weight_decay=0.1)
    (x * 2).sum().backward()
    optimizer.step()
    assert y.item() == 1.0 and x.item() != 1.0
    assert list(optimizer.state) == [x]


def test_zero_grad():
    x = tracked(1.0, 2.0)
    optimizer = ta.optim.SGD([x])
    optimizer.zero_grad()
    (x * 2).sum().backward()
    held = x.grad
    optimizer.zero_grad(set_to_none=False)
    assert x.grad is held and held.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert x.grad is None


def test_a_closure_is_run_with_recording_on():
    x = tracked(2.0)
    optimizer = ta.optim.SGD([x], lr=0.1)

    def closure():
        optimizer.zero_grad()
        y = (x * x).sum()
        y.backward()
        return y

    with ta.no_grad():
        assert optimizer.step(closure).item() == 4.0
    assert x.item() == 2.0 - 0.1 * 4.0
    assert optimizer.step() is None


@pytest.mark.parametrize(("name", "options"), [("SGD", {"momentum": 0.9}), ("Adam", {"amsgrad": True}),
                                               ("RMSprop", {"centered": True, "momentum": 0.5})])
def test_saving_and_loading_goes_on_where_it_was(name, options):
    x = tracked(1.5, -0.5)
    optimizer = getattr(ta.optim, name)([x], lr=0.05, **options)
    list(steps(optimizer, x, 3))
    saved, value = pickle.loads(pickle.dumps(optimizer.state_dict())), x.data
    untouched = copy.deepcopy(saved)
    expected = list(steps(optimizer, x, 3))
    y = ta.tensor(value, requires_grad=True)
    other = getattr(ta.optim, name)([y], lr=7.0)
    other.load_state_dict(saved)
    np.testing.assert_array_equal(list(steps(other, y, 3)), expected)
    np.testing.assert_equal(saved, untouched)
    assert saved["param_groups"][0]["params"] == [0] and saved["param_groups"][0]["lr"] == 0.05


def test_a_state_of_other_parameters_is_refused():
    x, y = tracked(1.0, 2.0), tracked(1.0)
    optimizer = ta.optim.Adam([x])
    list(steps(optimizer, x, 1))
    with pytest.raises(ValueError, match=r"of groups of \[1\] parameters"):
        ta.optim.Adam([x, y]).load_state_dict(optimizer.state_dict())
    with pytest.raises(ValueError, match=r"exp_avg has shape \(2,\), its parameter \(1,\)"):
        ta.optim.Adam([y]).load_state_dict(optimizer.state_dict())


def test_what_cannot_be_optimised():
    x = tracked(1.0)
    for params, error, message in [
            ([], ValueError, "no parameters"),
            (x, TypeError, "must be a list"),
            ([1.0], TypeError, "is float"),
            ([x * 2], ValueError, "not a leaf"),
            ([ta.tensor(1.0)], ValueError, "requires a gradient"),
            ([x, x], ValueError, "given twice"),
            ([{"params": [x]}, {"params": [x]}], ValueError, "given twice"),
            ([{"params": [x], "rate": 1}], ValueError, r"unknown options \['rate'\]"),
            ([{"lr": 1}], TypeError, "the key 'params'")]:
        with pytest.raises(error, match=message):
            ta.optim.SGD(params, lr=0.1)


def test_options_out_of_range():
    x = tracked(1.0)
    for name, options in [("SGD", {"lr": -1}), ("SGD", {"nesterov": True}), ("Adam", {"betas": (1.0, 0.9)}),
                          ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}), ("RMSprop", {"alpha": -1}),
                          ("Adam", {"eps": float("nan")})]:
        with pytest.raises(ValueError, match=f"^{name}: "):
            getattr(ta.optim, name)([x], **options)


def test_repr_shows_the_options():
    assert repr(ta.optim.SGD([tracked(1.0)], lr=0.5)).startswith("SGD(lr=0.5, momentum=0.0, ")


# ---------------------------------------------------------------------- LBFGS


def rosenbrock(x, y):
    return ((1 - x) ** 2).sum() + (100 * (y - x * x) ** 2).sum()


def test_lbfgs_finds_the_minimum():
    pytest.importorskip("scipy")
    x, y = tracked(-1.2), ta.tensor(1.0, requires_grad=True)
    optimizer = ta.optim.LBFGS([x, y], max_iter=100, tolerance_change=0.0)
    calls = []

    def closure():
        calls.append(1)
        optimizer.zero_grad()
        value = rosenbrock(x, y)
        value.backward()
        return value

    with ta.no_grad():
        start = optimizer.step(closure)
    assert start.item() == rosenbrock(-1.2 * np.ones(1), 1.0)
    np.testing.assert_allclose([x.item(), y.item()], [1.0, 1.0], atol=1e-6)
    assert x.shape == (1,) and y.shape == () and x.requires_grad and x.is_leaf
    assert len(calls) < 60
    optimizer = ta.optim.LBFGS([x], max_iter=3, max_eval=2)
    del calls[:]
    x.data = [-1.2]
    optimizer.step(closure)
    assert 2 <= len(calls) <= 4


def test_lbfgs_keeps_float32_and_leaves_unused_parameters():
    pytest.importorskip("scipy")
    x, unused = tracked(3.0, -2.0, dtype=np.float32), tracked(7.0)
    optimizer = ta.optim.LBFGS([x, unused])

    def closure():
        optimizer.zero_grad()
        value = (x * x).sum()
        value.backward()
        return value

    optimizer.step(closure)
    assert x.dtype == np.float32 and unused.item() == 7.0
    np.testing.assert_allclose(x.data, 0.0, atol=1e-5)


def test_lbfgs_says_what_it_cannot_do():
    pytest.importorskip("scipy")
    x, z = tracked(1.0), ta.tensor(1j, requires_grad=True)
    for params, options, message in [([x], {"lr": 0.5}, "lr must be 1"), ([z], {}, "must be real"),
                                     ([x], {"line_search_fn": None}, "strong_wolfe"),
                                     ([{"params": [x]}, {"params": [z]}], {}, "one group")]:
        with pytest.raises(ValueError, match=message):
            ta.optim.LBFGS(params, **options)
    with pytest.raises(TypeError, match="needs a closure"):
        ta.optim.LBFGS([x]).step()


def test_without_scipy_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "tapead\[scipy\]"'):
        ta.optim.LBFGS([tracked(1.0)])


@pytest.mark.parametrize(("name", "arguments"), [
    ("SGD", "lr momentum dampening weight_decay nesterov maximize foreach differentiable fused"),
    ("Adam", "lr betas eps weight_decay amsgrad foreach maximize capturable differentiable fused "
             "decoupled_weight_decay"),
    ("AdamW", "lr betas eps weight_decay amsgrad maximize foreach capturable differentiable fused"),
    ("RMSprop", "lr alpha eps weight_decay momentum centered capturable foreach maximize differentiable"),
    ("LBFGS", "lr max_iter max_eval tolerance_grad tolerance_change history_size line_search_fn")])
def test_the_arguments_are_pytorchs(name, arguments):
    """In PyTorch 2.13's order."""
    assert list(inspect.signature(getattr(ta.optim, name)).parameters) == ["params", *arguments.split()]


def test_options_that_choose_an_implementation_change_nothing():
    plain, fast = tracked(1.5, -0.5), tracked(1.5, -0.5)
    optimizers = [ta.optim.Adam([plain], lr=0.1),
                  ta.optim.Adam([{"params": fast, "foreach": True}], lr=ta.tensor(0.1), fused=False, capturable=False)]
    for optimizer, x in zip(optimizers, (plain, fast), strict=True):
        list(steps(optimizer, x, 3))
    assert plain.tolist() == fast.tolist()
    assert repr(optimizers[0]) == repr(optimizers[1])
    for make in (lambda: ta.optim.SGD([plain], differentiable=True),
                 lambda: ta.optim.RMSprop([{"params": plain, "differentiable": True}])):
        with pytest.raises(NotImplementedError, match="differentiable=True, a step that is on the tape"):
            make()


def test_weights_that_decay_on_their_own():
    first, second = tracked(1.5, -0.5), tracked(1.5, -0.5)
    list(steps(ta.optim.AdamW([first], lr=0.1, weight_decay=0.2), first, 3))
    list(steps(ta.optim.Adam([second], lr=0.1, weight_decay=0.2, decoupled_weight_decay=True), second, 3))
    assert first.tolist() == second.tolist()
