"""A watched run is the plain loop's to the bit, and notes what happened."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from slalom.doctor.run import ForwardError, train
from slalom.doctor.setup import setup_of


def made(lr=0.1, epochs=3, **more):
    torch.manual_seed(0)
    x = torch.randn(20, 3)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.2), nn.Linear(4, 2))
    given = {"train": (x, (x[:, 0] > 0).long()), "val": (x[:6], (x[:6, 0] > 0).long()), "batch_size": 8, "epochs": epochs} | more
    return setup_of(model, F.cross_entropy, lambda m: torch.optim.SGD(m.parameters(), lr=lr), **given)


def test_it_is_the_plain_loop():
    setup = made()
    model = setup.fresh().train()
    torch.manual_seed(setup.seed)
    optimizer = setup.optimizer(model)
    losses = []
    for epoch in range(3):
        for x, y in setup.batches(epoch):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    run = train(setup, watch=True)
    assert run.losses == losses
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), run.model.parameters(), strict=True))
    assert len(run.norms) == len(run.layers) == 9
    assert run.looks[0].step == 0
    assert run.end.step == 9
    assert run.norms[0] == pytest.approx(math.sqrt(sum(v * v for v in run.layers[0])), rel=1e-5)


def test_a_run_that_breaks_says_where():
    run = train(made(lr=1e38, epochs=5))
    assert run.broke is not None
    assert len(run.losses) == run.broke + 1
    assert not math.isfinite(run.losses[-1])


def test_updates_relative_to_weights():
    run = train(made(lr=0.0), watch=True)
    assert all(v == 0 for row in run.ratios.values() for v in row)
    assert len(run.untouched) == 4


def test_schedules_step_once_an_epoch():
    run = train(made(schedule=lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.5)))
    assert run.rates == pytest.approx([0.1, 0.05, 0.025])


def test_the_stage_that_raised_is_named():
    setup = made()
    narrow = setup.changed(train=(setup.train[0][:, :2], setup.train[1]), val=None)
    with pytest.raises(ForwardError, match="raised RuntimeError at step 0"):
        train(narrow)
