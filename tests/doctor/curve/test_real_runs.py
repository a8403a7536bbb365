"""Real runs, trained as lanes: rates far too low, right and far too high."""

import pytest
import torch

import slalom
from slalom.doctor import Divergence, Probe, read_curve


@pytest.fixture(scope="module")
def runs():
    data = slalom.data.load("moons")
    x, y = data.train.x, data.train.y
    rates = [3e-4, 0.03, 3.0]
    lanes = slalom.Lanes(
        slalom.nets.build("mlp:16:tanh", data), slalom.lanes_of("adam", lr=rates, seed=3), loss="cross_entropy", example=(x, y)
    )
    g = torch.Generator().manual_seed(0)
    losses = lanes.epoch(x, y, [torch.randint(len(x), (32,), generator=g) for _ in range(150)])[0]
    return data, lanes, rates, losses


def test_rates_are_told_apart(runs):
    data, lanes, rates, losses = runs

    def read(lane):
        net = lanes.module(lane)
        return read_curve(
            losses[:, lane],
            rates[lane],
            probe=Probe(net, (data.train.x, data.train.y), torch.optim.Adam(net.parameters(), rates[lane])),
        )

    low, right, high = map(read, range(3))
    assert low.cause == "lr_too_low"
    assert right.cause == "healthy"
    assert high.cause in ("lr_too_high", "divergence", "lr_too_high_late")


def test_detectors_agree_on_line(runs):
    _, _, _, losses = runs
    assert [Divergence().scan(losses[:, lane]) is not None for lane in range(3)] == [False, False, True]
