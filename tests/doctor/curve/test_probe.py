"""The probe: it goes on as the run itself would, leaves everything to the bit, and decides what losses cannot."""

import copy
import json
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from slalom.core.errors import BadDataError, BadValueError
from slalom.doctor import Probe, read_curve
from slalom.race.order import batches


def regression(seed=0, n=256):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 5, generator=g)
    return x, x @ torch.tensor([[1.0], [-2.0], [0.5], [0.0], [1.5]]) + 0.5 * torch.randn(n, 1, generator=g)


def trained(lr, steps=300, batch=8):
    torch.manual_seed(1)
    x, y = regression()
    net = nn.Linear(5, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    g = torch.Generator().manual_seed(2)
    for _ in range(steps):
        rows = torch.randint(len(x), (batch,), generator=g)
        loss = nn.functional.mse_loss(net(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses, Probe(net, (x, y), optimizer, batch_size=batch)


@pytest.mark.parametrize(("lr", "cause"), [(0.48, "lr_too_high_late"), (0.03, "healthy"), (1e-4, "lr_too_low")])
def test_it_decides_what_is_open(lr, cause):
    losses, probe = trained(lr)
    seen = read_curve(losses, lr, probe=probe)
    assert seen.cause == cause
    assert seen.probed
    assert any(f.name.startswith("probe") for f in seen.evidence)


def test_flat_for_two_reasons_is_open_without_it():
    assert {read_curve(trained(lr)[0], lr).cause for lr in (0.36, 0.03)} == {None}


def test_model_data_optimizer_as_they_are():
    losses, probe = trained(0.03)
    whole = (probe.model, regression(), probe.optimizer)
    assert read_curve(losses, 0.03, probe=whole).cause == "healthy"
    assert read_curve(losses, 0.03, probe=(*whole, nn.functional.mse_loss)).cause == "healthy"


@pytest.mark.parametrize("make", [lambda p: torch.optim.Adam(p, lr=0.05), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)])
def test_at_factor_one_it_is_the_run_going_on(make):
    x, y = regression()
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = make(net.parameters())

    def step(rows):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    for rows in torch.arange(256).split(32):
        step(rows)
    seen = Probe(net, (x, y), optimizer, batch_size=32, seed=7)(1.0, 16)
    own = []
    for k, rows in enumerate(r for epoch in (0, 1) for r in batches([7], epoch, 256, 32)):
        step(rows)
        if k + 1 in (9, 11, 12, 13, 15, 16):  # six looks in the second half of 16 steps, each at all rows
            net.eval()
            own.append(float(nn.functional.mse_loss(net(x), y).detach()))
            net.train()
    np.testing.assert_allclose(seen, own, rtol=1e-5)


def test_other_orders_are_other_batches_measured_on_the_same_rows():
    x, y = regression(n=2048)
    torch.manual_seed(0)
    net = nn.Linear(5, 1)

    def make(data):
        return Probe(net, data, torch.optim.SGD(net.parameters(), lr=0.1), batch_size=8, seed=7)

    probe = make((x, y))
    first = probe(1.0, 12)
    assert not np.array_equal(first, probe(1.0, 12, 1))
    assert not np.array_equal(probe(1.0, 12, 1), probe(1.0, 12, 2))
    assert np.array_equal(first, probe(1.0, 12))
    still = [probe(1e-12, 12, order) for order in range(3)]  # nothing moves: what is left is where it is measured
    np.testing.assert_allclose(still[1:], [still[0]] * 2, rtol=1e-6)
    pairs = [(x[k : k + 8], y[k : k + 8]) for k in range(0, 96, 8)]
    loader = make(pairs)
    np.testing.assert_allclose(loader(1.0, 12)[-1], loader(1.0, 12, 1)[-1], rtol=0.5)
    seen = [loader._fed(12, order) for order in (0, 1)]
    assert {id(b) for b in seen[0]} == {id(b) for b in seen[1]}  # the same batches
    assert [id(b) for b in seen[0]] != [id(b) for b in seen[1]]  # in another order
    whole = np.mean([float(nn.functional.mse_loss(net(a), b).detach()) for a, b in pairs])
    np.testing.assert_allclose(loader(1e-12, 12, 2), whole, rtol=1e-6)


class Ordered:
    """Going on stays at 1; a tenth of the rate is better by `gains[order]` of the fall, higher rates are worse."""

    def __init__(self, *gains):
        self.gains, self.orders, self.asked = gains, len(gains), []

    def __call__(self, factor, steps, order=0):
        self.asked.append((factor, order))
        return np.full(6, {1.0: 1.0, 0.1: 1.0 - 2.0 * self.gains[order]}.get(factor, 1.5))


def test_a_lower_rate_must_win_on_every_order():
    t = np.arange(300)
    losses = 1 + 2 * np.exp(-t / 15) + np.random.default_rng(0).normal(0, 0.05, 300)  # a fall of 2

    def read(*gains):
        return read_curve(losses, 0.1, probe=Ordered(*gains))

    assert [read(0.13).cause, read(0.13, 0.13, 0.13).cause] == ["lr_too_high_late"] * 2
    for gains in ((0.13, 0.02, 0.13), (0.13, 0.13, 0.02)):  # a swing of one order
        seen = read(*gains)
        assert seen.cause == "healthy"
        assert seen.evidence[-1].value == pytest.approx(0.02, rel=0.2)
    quiet = Ordered(0.02, 0.13, 0.13)
    assert read_curve(losses, 0.1, probe=quiet).cause == "healthy"
    assert max(order for _, order in quiet.asked) == 0  # no alarm on the first: the others are not paid for

    def blows_up(factor, steps, order=0):
        return np.full(6, np.nan) if (factor, order) == (1.0, 1) else Ordered(0.13, 0.13)(factor, steps, order)

    blows_up.orders = 2
    assert read_curve(losses, 0.1, probe=blows_up).cause == "lr_too_high_late"


def test_the_factor_is_on_every_group():
    x, y = regression()
    net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
    groups = [{"params": net[0].parameters(), "lr": 0.01}, {"params": net[2].parameters(), "lr": 0.2}]
    by_hand = copy.deepcopy(net)
    hand = torch.optim.SGD(
        [{"params": by_hand[0].parameters(), "lr": 0.03}, {"params": by_hand[2].parameters(), "lr": torch.tensor(0.6)}]
    )
    first = Probe(net, [(x, y)], torch.optim.SGD(groups))(3.0, 10)
    np.testing.assert_allclose(first, Probe(by_hand, [(x, y)], hand)(1.0, 10), rtol=1e-6)


def test_nothing_is_changed_to_the_bit():
    x, y = regression()
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1)).eval()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    net(x).sum().backward()
    optimizer.step()
    scheduler.step()
    generator = torch.Generator().manual_seed(3)
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True, generator=generator)

    def everything():
        state = optimizer.state_dict()
        return [
            *(t.clone() for t in net.state_dict().values()), *(p.grad.clone() for p in net.parameters()),
            *(v.clone() for s in state["state"].values() for v in s.values()), torch.tensor(state["param_groups"][0]["lr"]),
            torch.tensor(net.training), torch.get_rng_state(), generator.get_state(),
        ]  # fmt: skip

    before, python, numpy_state = everything(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    probe = Probe(net, loader, optimizer)
    first = probe(1.0, 20)
    assert np.array_equal(first, probe(1.0, 20))  # the same point, batches and dropout
    assert not np.array_equal(first, probe(0.1, 20))
    assert all(torch.equal(a, b) for a, b in zip(before, everything(), strict=True))
    assert random.getstate() == python
    torch.rand(5)
    assert np.array_equal(first, probe(1.0, 20))  # wherever the caller's own random numbers are by now
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


def test_what_diverges_is_nan_from_there():
    losses, probe = trained(0.03)
    assert np.isfinite(probe(1.0, 20)).all()
    assert np.isnan(probe(1e9, 20)[-1])
    seen = read_curve(losses, 0.03, probe=lambda f, n: probe(f, n) if f == 1 else np.full(6, np.nan))
    assert seen.cause == "healthy"
    assert [f["value"] for f in json.loads(json.dumps(seen.to_dict(), allow_nan=False))["evidence"][-3:]] == [None] * 3


def test_a_run_that_cannot_go_on_is_too_high():
    losses, _ = trained(0.03)
    assert read_curve(losses, 0.03, probe=lambda f, n: [np.nan] * n).cause == "lr_too_high_late"


def test_a_decayed_rate_is_probed_by_its_highest():
    losses, _ = trained(0.03)
    asked = []

    def probe(factor, steps):
        asked.append(factor)
        return np.full(steps, losses[-1])

    seen = read_curve(losses, np.geomspace(0.03, 0.0003, 300), probe=probe)
    assert asked == pytest.approx([1, 300, 1000])  # and no tenth of what is low already
    assert seen.cause == "healthy"
    zero = read_curve(losses, np.linspace(0.03, 0, 300), probe=probe)
    assert not zero.probed
    assert "fallen to 0" in zero.notes[-1]


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda net, o: Probe("mlp", regression(), o), BadValueError, "model must be an nn.Module, got str"),
        (lambda net, o: Probe(net, regression(), "sgd"), BadValueError, "optimizer must be a torch.optim.Optimizer, got str"),
        (lambda net, o: Probe(nn.Linear(5, 1), regression(), o), BadValueError, "must step this model's parameters"),
        (
            lambda net, o: Probe(net, regression(), torch.optim.SGD(net.parameters(), lr=0.0)),
            BadValueError,
            "rate of the optimizer is 0",
        ),
        (
            lambda net, o: Probe(net, regression(), o, batch_size=0),
            BadValueError,
            "batch_size must be a whole number >= 1, got 0",
        ),
        (lambda net, o: Probe(net, torch.ones(5), o)(1.0, 9), BadValueError, "data must be"),
        (lambda net, o: Probe(net, [], o)(1.0, 9), BadDataError, "gave no batch"),
        (lambda net, o: Probe(net, [torch.ones(3, 5)], o)(1.0, 9), BadDataError, "pairs of tensors"),
        (lambda net, o: Probe(net, (torch.ones(3, 5), torch.ones(2, 1)), o)(1.0, 9), BadDataError, "got 3 and 2"),
        (lambda net, o: Probe(net, regression(), o)(1.0, 9, 3), BadValueError, "order must be a whole number from 0 to 2, got 3"),
        (lambda net, o: read_curve(np.ones(20), probe=3), BadValueError, r"probe must be \(model, data, optimizer\)"),
        (
            lambda net, o: read_curve(np.ones(20), probe=lambda f, n: [1.0]),
            BadDataError,
            r"probe\(1, 60\) must return at least 3 losses",
        ),
        (lambda net, o: read_curve(np.ones(20), probe=lambda f, n: [1.0] * int(3 + f)), BadDataError, "must return 4, as"),
        (lambda net, o: Probe(net, regression(), o)(1.0, 0), BadValueError, "steps must be a whole number >= 2, got 0"),
        (lambda net, o: read_curve(np.ones(20), probe_steps=2), BadValueError, "probe_steps must be a whole number >= 8, got 2"),
    ],
)
def test_bad_arguments(make, error, said):
    net = nn.Linear(5, 1)
    with pytest.raises(error, match=said):
        make(net, torch.optim.SGD(net.parameters(), lr=0.1))
