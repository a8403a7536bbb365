"""Every optimizer against its twin in torch.optim: float64, 100 steps, a real net with groups and schedulers."""

import inspect
from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR, StepLR

import slalom.optim as ours

TWINS = [n for n in ours.__all__ if getattr(getattr(ours, n), "rule", None) and getattr(ours, n).rule.torch_name]
DECAY = {"weight_decay": 0.1}
OPTIONS = {
    "SGD": [
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.3},
        {"momentum": 0.9, "nesterov": True},
        DECAY | {"momentum": 0.5},
    ],
    "Adagrad": [{"lr_decay": 0.1}, {"initial_accumulator_value": 0.1}, {"eps": 1e-3}, DECAY],
    "Adadelta": [{"rho": 0.5, "lr": 0.5}, {"eps": 1e-3}, DECAY],
    "RMSprop": [
        {"alpha": 0.9},
        {"momentum": 0.9},
        {"centered": True},
        {"centered": True, "momentum": 0.5},
        DECAY,
        {"eps": 1e-3},
    ],
    "Adam": [
        {"betas": (0.5, 0.9)},
        {"amsgrad": True},
        {"eps": 1e-3},
        DECAY,
        DECAY | {"amsgrad": True},
        {"decoupled_weight_decay": True, "weight_decay": 0.1},
    ],
    "AdamW": [{"betas": (0.5, 0.9)}, {"amsgrad": True}, DECAY, {"weight_decay": 0.0}],
    "Adamax": [{"betas": (0.5, 0.9)}, {"eps": 1e-2}, DECAY],
    "NAdam": [{"momentum_decay": 0.1}, DECAY, DECAY | {"decoupled_weight_decay": True}, {"betas": (0.5, 0.9)}],
    "RAdam": [{"betas": (0.5, 0.9)}, DECAY, DECAY | {"decoupled_weight_decay": True}, {"eps": 1e-3}],
}
CASES = [(n, o) for n in TWINS for o in [{}, {"maximize": True, "lr": 1e-3}, *OPTIONS[n]]]


@pytest.fixture(autouse=True)
def _float64():
    # torch keeps NAdam's mu_product in the default dtype, so that is what limits the twin.
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def small_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def train(net, optimizer, steps, scheduler=None, start=0):
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(steps + start, 16, 6, generator=generator), torch.randn(steps + start, 16, 3, generator=generator)
    for i in range(start, start + steps):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x[i]), y[i])
        loss.backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def groups(net, **second):
    return [{"params": net[0].parameters()}, {"params": net[2].parameters(), **second}]


def distance(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


@pytest.mark.parametrize(("name", "options"), CASES, ids=lambda x: str(x).replace(" ", ""))
def test_defaults_and_each_option_over_100_steps_and_two_groups(name, options):
    results = []
    for module in (ours, torch.optim):
        net = small_net()
        optimizer = getattr(module, name)(groups(net, lr=3e-3, weight_decay=0.02), **options)
        results.append(train(net, optimizer, 100, StepLR(optimizer, 30, 0.5)))
    start = torch.cat([p.detach().flatten() for p in small_net().parameters()])
    assert distance(results[0], results[1]) <= 1e-12
    assert distance(results[1], start) > 1e-6, "the twin has not moved, so this shows nothing"


@pytest.mark.parametrize("name", TWINS)
def test_one_cycle_moves_the_rate_and_where_there_is_one_the_momentum(name):
    results = []
    for module in (ours, torch.optim):
        net = small_net()
        options = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
        optimizer = getattr(module, name)(groups(net), lr=1e-3, **options)
        cycles = {"momentum", "betas"} & set(optimizer.defaults)
        scheduler = OneCycleLR(optimizer, max_lr=0.01, total_steps=100, cycle_momentum=bool(cycles))
        results.append(train(net, optimizer, 99, scheduler))
    assert distance(results[0], results[1]) <= 1e-12


@pytest.mark.parametrize("name", TWINS)
def test_signature_is_torchs_in_names_order_and_defaults(name):
    mine = list(inspect.signature(getattr(ours, name)).parameters.values())
    torchs = list(inspect.signature(getattr(torch.optim, name)).parameters.values())
    extra = {p.name for p in mine} - {p.name for p in torchs}
    assert [(p.name, p.kind) for p in mine if p.name not in extra] == [(p.name, p.kind) for p in torchs]
    assert {p.name: p.default for p in mine if p.name not in extra} == {p.name: p.default for p in torchs}
    assert all(p.kind is p.KEYWORD_ONLY for p in mine if p.name in extra)


@pytest.mark.parametrize("name", TWINS)
def test_groups_have_the_keys_of_torch(name):
    keys = [set(getattr(module, name)(small_net().parameters()).param_groups[0]) for module in (ours, torch.optim)]
    assert keys[1] <= keys[0]


@pytest.mark.parametrize("to_torch", [False, True], ids=["from torch", "to torch"])
@pytest.mark.parametrize(("name", "options"), CASES, ids=lambda x: str(x).replace(" ", ""))
def test_state_dicts_continue_on_the_other_side(name, options, to_torch):
    first, second = (ours, torch.optim) if to_torch else (torch.optim, ours)
    net = small_net()
    optimizer = getattr(first, name)(groups(net, lr=3e-3), **options)
    train(net, optimizer, 20)
    saved, weights = deepcopy(optimizer.state_dict()), deepcopy(net.state_dict())
    stayed = optimizer
    if to_torch:  # torch's own run of the 40 steps is the judge
        net = small_net()
        stayed = getattr(torch.optim, name)(groups(net, lr=3e-3), **options)
        train(net, stayed, 20)
    expected = train(net, stayed, 20, start=20)

    other = small_net()
    other.load_state_dict(weights)
    moved = getattr(second, name)(groups(other))
    moved.load_state_dict(saved)
    assert distance(train(other, moved, 20, start=20), expected) <= 1e-12


@pytest.mark.parametrize("name", TWINS)
def test_complex_parameters_are_pairs_of_real_ones(name):
    results = []
    for module in (ours, torch.optim):
        torch.manual_seed(0)
        p = nn.Parameter(torch.randn(5, dtype=torch.complex128))
        options = {"SGD": {"momentum": 0.9}, "Adagrad": {"initial_accumulator_value": 0.1}}.get(name, {})
        optimizer = getattr(module, name)([p], **options)
        for _ in range(20):
            p.grad = p.detach() ** 2 - 1j
            optimizer.step()
        results.append(torch.view_as_real(p.detach()))
        assert {v.dtype for k, v in optimizer.state[p].items() if k not in ("step", "mu_product")} == {torch.complex128}
    assert distance(results[0], results[1]) <= 1e-12


# torch 2.13 changes what autograd has kept in its own differentiable Adamax, and raises.
@pytest.mark.parametrize("name", [n for n in TWINS if n != "Adamax"])
def test_differentiable_steps_give_torchs_gradients(name):
    results = []
    for module in (ours, torch.optim):
        start = torch.tensor([0.3, -1.2, 2.0], requires_grad=True)
        p = start.clone()
        optimizer = getattr(module, name)([p], lr=0.1, weight_decay=0.1, differentiable=True)
        for i in range(4):
            p.grad = start * (i + 1) + 0.1
            optimizer.step()
        p.square().sum().backward()
        results.append(start.grad)
    assert distance(results[0], results[1]) <= 1e-10
