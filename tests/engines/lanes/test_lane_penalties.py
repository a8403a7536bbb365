"""A penalty for each lane against the same penalty attached to an optimizer, and against none."""

import copy

import pytest
import torch
from torch import nn

import slalom
from slalom.core.errors import BadValueError
from slalom.engines.kernels import NoCompilerError
from slalom.engines.lanes import update
from slalom.optim import L1, L2, ElasticNet
from slalom.rules import adam


def factory():
    return nn.Sequential(nn.Linear(6, 8), nn.PReLU(), nn.Linear(8, 3))


torch.manual_seed(3)
X, Y = torch.randn(64, 6), torch.randint(0, 3, (64,))
PENALTIES = [L1(0.004), None, L1(0.02), L2(0.3), ElasticNet(0.02, 0.1), L1(0.05, params=["2.*"]), L1(0.05, method="subgradient")]
RULES = {
    "sgd": ("sgd", "SGD", {"lr": 0.1, "momentum": 0.9}),
    "sgd nesterov": ("sgd", "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "momentum paper": ("momentum", "Momentum", {"lr": 0.1, "convention": "paper"}),
    "nag": ("nag", "NAG", {"lr": 0.1}),
    "adagrad": ("adagrad", "Adagrad", {"lr": 0.05}),
    "adadelta": ("adadelta", "Adadelta", {"lr": 1.0}),
    "rmsprop": ("rmsprop", "RMSprop", {"lr": 0.01}),
    "rmsprop momentum": ("rmsprop", "RMSprop", {"lr": 0.01, "momentum": 0.9}),
    "rmsprop centered": ("rmsprop", "RMSprop", {"lr": 0.01, "centered": True}),
    "adam": ("adam", "Adam", {"lr": 0.02}),
    "adam amsgrad": ("adam", "Adam", {"lr": 0.02, "amsgrad": True, "weight_decay": 0.1}),
    "adamw": ("adamw", "AdamW", {"lr": 0.02, "weight_decay": 0.1}),
    "adamax": ("adamax", "Adamax", {"lr": 0.02}),
    "nadam": ("nadam", "NAdam", {"lr": 0.02}),
    "radam": ("radam", "RAdam", {"lr": 0.02}),
}  # fmt: skip


def lanes(rule, penalties=PENALTIES, **more):
    name, _, hypers = RULES[rule]
    many = slalom.lanes_of(name, penalty=penalties, seed=7, **hypers, **more)
    return slalom.Lanes(factory, many, loss="cross_entropy", example=(X, Y), dtype=torch.float64)


def flat(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()])


@pytest.mark.parametrize("rule", RULES)
def test_a_lane_is_the_same_run_alone(rule):
    together = lanes(rule)
    for _ in range(25):
        together.step(X, Y)
    _, kind, hypers = RULES[rule]
    for i, penalty in enumerate(PENALTIES):
        torch.manual_seed(7)
        net = factory().double()
        optimizer = getattr(slalom.optim, kind)(net.parameters(), **hypers)
        if penalty is not None:
            penalty.attach(optimizer, net)
        for _ in range(25):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(X.double()), Y).backward()
            optimizer.step()
        assert torch.allclose(flat(together.module(i)), flat(net), rtol=1e-9, atol=1e-11), (rule, penalty)
        assert torch.equal(flat(together.module(i)) == 0, flat(net) == 0)
    zeros = [int((flat(together.module(i)) == 0).sum()) for i in range(len(PENALTIES))]
    assert zeros[1] == zeros[3] == zeros[6] == 0 < zeros[0] < zeros[2]


def test_without_a_compiler_the_steps_are_the_same(monkeypatch):
    def none(*_):
        raise NoCompilerError("there is none")

    compiled = lanes("adam")
    monkeypatch.setattr(update, "compile_programs", none)
    plain = lanes("adam")
    assert "l1_strength" not in plain._chunks[0].updates[0][1].states
    for one in (compiled, plain):
        for _ in range(10):
            one.step(X, Y)
    for i in range(len(PENALTIES)):
        assert torch.allclose(flat(compiled.module(i)), flat(plain.module(i)), rtol=1e-10, atol=1e-12)
        assert torch.equal(flat(compiled.module(i)) == 0, flat(plain.module(i)) == 0)


def test_a_schedule_scales_the_threshold_too():
    def half(t):
        return 1.0 if t < 5 else 0.5

    together = lanes("adam", [L1(0.01)], schedule=half)
    torch.manual_seed(7)
    net = factory().double()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    L1(0.01).attach(optimizer, net)
    for t in range(10):
        optimizer.param_groups[0]["lr"] = 0.02 * half(t)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(X.double()), Y).backward()
        optimizer.step()
        together.step(X, Y)
    assert torch.allclose(flat(together.module(0)), flat(net), rtol=1e-10, atol=1e-12)


def test_a_checkpoint_and_fewer_lanes_go_on_to_the_bit():
    together, again = lanes("sgd"), lanes("sgd")
    for _ in range(5):
        together.step(X, Y)
    again.load_state_dict(copy.deepcopy(together.state_dict()))
    two = together.only([2, 0])
    for one in (together, again, two):
        for _ in range(5):
            one.step(X, Y)
    for i, k in enumerate([2, 0]):
        assert torch.equal(flat(again.module(k)), flat(together.module(k)))
        assert torch.equal(flat(two.module(i)), flat(together.module(k)))


def test_what_a_lane_cannot_follow_is_refused():
    with pytest.raises(BadValueError, match="cannot follow its clip"):
        lanes("sgd", clip=1.0)
    with pytest.raises(BadValueError, match=r"needs a rule, not torch\.SGD"):
        slalom.lanes_of(torch.optim.SGD, lr=0.1, penalty=L1(0.1))
    with pytest.raises(BadValueError, match="penalty has 2 values for 3 lanes"):
        slalom.lanes_of("sgd", lr=[0.1, 0.2, 0.3], penalty=[None, L1(1)])
    assert slalom.Lane(adam(), penalty=L2(1.0)).penalty == L2(1.0)
