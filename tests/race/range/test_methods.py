"""The methods against plain torch loops and against problems whose answer is known."""

from __future__ import annotations

import copy
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

import slalom
from slalom.race.range.allocation import every, staged
from slalom.race.range.heats import Run
from slalom.race.range.subject import subject
from slalom.race.range.sweep import rates, sweep
from tests.race.range.problems import SHARP, Bowl, X, Y, bowl_loader, loader, net

ARRAYS = {"data": {"train": (X, Y), "val": (X, Y), "test": (X, Y)}, "scale": False, "batch_size": 16}
OPTIONS = {"step": None, "loss": None, "batch_size": None, "clip": None, "data_options": {}}


def plain_loop(model, optimizer, batches, lr_at):
    losses = []
    for t, (x, y) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = lr_at(t)
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def mlp():
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def test_a_known_cliff_is_found():
    result = slalom.range_test(Bowl(), bowl_loader(), optimizer="sgd")
    cliff = 2 / SHARP  # gradient descent with sharpness 4 diverges from 0.5 on
    assert result.phases.diverging_from == pytest.approx(cliff, rel=1.0)
    assert cliff / 10 < result.suggestion < cliff
    assert result.interval[0] < 1 / SHARP < result.interval[1]  # the best rate of all
    assert result.cost <= 800
    assert "diverges" in result.advice


def test_every_rate_of_a_grid_is_trained_as_torch_trains_it():
    torch.manual_seed(3)
    model = mlp()
    batches = list(loader(shuffle=False))  # 6 a pass
    made, _ = subject(model, loader(shuffle=False), "adam", **OPTIONS)
    seen = every(made, [0], [1e-3, 1e-2, 1e-1], 12, widen=False)
    for rung, lr in enumerate([1e-3, 1e-2, 1e-1]):
        own = copy.deepcopy(model)
        expected = plain_loop(own, torch.optim.Adam(own.parameters()), batches * 2, lambda t, lr=lr: lr)
        np.testing.assert_allclose(seen.board.looks[rung].losses[:, 0], expected, rtol=2e-4)


def test_a_rate_that_was_set_aside_goes_on_as_if_it_had_not():
    made, _ = subject(mlp(), loader(False), "sgd", **OPTIONS)
    spent = staged(made, [0], 1e-4, 10.0, 400, widen=True)
    longest = max(len(look.losses) for look in spent.board.looks.values())
    for rung in spent.last:
        look = spent.board.looks[rung]
        alone = every(made, [0], [look.lr, look.lr * 2, look.lr * 4], longest, widen=False).board.looks[0]
        np.testing.assert_array_equal(look.losses, alone.losses[: len(look.losses)])


@pytest.mark.parametrize("growth", ["exponential", "linear"])
@pytest.mark.parametrize("kind", ["rule", "object"])
def test_a_sweep_is_one_run_whose_rate_grows(growth, kind):
    torch.manual_seed(3)
    model = mlp()
    along = rates(1e-3, 1.0, 12, growth)
    optimizer = "momentum" if kind == "rule" else torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    made, _ = subject(model, loader(shuffle=False), optimizer, **OPTIONS)
    own = copy.deepcopy(model)
    batches = list(loader(shuffle=False)) * 2
    expected = plain_loop(own, torch.optim.SGD(own.parameters(), lr=1, momentum=0.9), batches, lambda t: along[t])
    np.testing.assert_allclose(sweep(made, along, [0]).losses[:, 0], expected, rtol=2e-4)
    ratio = along[1:] / along[:-1] if growth == "exponential" else np.diff(along)
    np.testing.assert_allclose(ratio, ratio[0])


def test_groups_keep_their_ratios_and_the_optimizer_its_state():
    torch.manual_seed(3)
    model = mlp()
    groups = [{"params": model[0].parameters(), "lr": 0.01}, {"params": model[2].parameters(), "lr": 0.1}]
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    batches = list(loader(shuffle=False))
    for x, y in batches[:2]:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    seen = []

    def step(model, optimizer, batch):
        seen.append([group["lr"] for group in optimizer.param_groups])
        loss = nn.functional.cross_entropy(model(batch[0]), batch[1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    result = slalom.range_test(model, loader(), optimizer=optimizer, step=step, method="sweep", steps=10, high=1.0)
    np.testing.assert_allclose([a / b for a, b in seen], 0.1)
    assert seen[0][1] == pytest.approx(1e-5)
    assert any("ratios" in note for note in result.notes)
    # a first step from the optimizer's own momentum, not from none
    made, _ = subject(model, loader(shuffle=False), optimizer, **OPTIONS)
    heat = made.start([Run(0.1, 0)])
    heat.advance(1)
    x, y = batches[0]
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
    for ours, theirs in zip(heat.copies[0].model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_trained_module_is_tested_from_where_it_stands():
    torch.manual_seed(0)
    model = mlp()
    weights = copy.deepcopy(model.state_dict())
    result = slalom.range_test(model, optimizer="sgd", lrs=[1e-8, 1e-7, 1e-6], steps=6, widen=False, seeds=2, **ARRAYS)
    fresh = mlp()
    fresh.load_state_dict(weights)
    expected = nn.functional.cross_entropy(fresh(X), Y).item()
    assert result.initial_loss == pytest.approx(expected, rel=1e-3)  # 6 batches of 16: all 96 rows, hardly moved
    assert result.curve[0].seeds == 2


def test_losses_that_turn_nan_end_a_sweep_and_count_as_infinite():
    def step(model, optimizer, batch):
        lr = optimizer.param_groups[0]["lr"]
        return float("nan") if lr > 0.1 else 1.0 - lr

    result = slalom.range_test(
        net(), loader(), optimizer=torch.optim.SGD, step=step, method="sweep", steps=20, low=1e-4, high=10.0
    )  # fmt: skip
    assert all(math.isinf(p.loss) for p in result.curve if p.lr > 0.1)
    assert result.phases.diverging_from == pytest.approx(0.1, rel=0.5)
    assert any("diverged" in note for note in result.notes)


def test_an_edge_that_is_best_widens_the_grid():
    model, data = Bowl(), bowl_loader()
    given = {"optimizer": "sgd", "lrs": [1e-4, 2e-4, 4e-4], "steps": 10}
    result = slalom.range_test(model, data, **given)
    assert result.curve[-1].lr > 4e-4 * 15
    assert any("widened" in note for note in result.notes)
    kept = slalom.range_test(model, data, widen=False, **given)
    assert [p.lr for p in kept.curve] == given["lrs"]
    assert "try beyond it" in kept.advice


def test_nothing_learnt_means_no_suggestion():
    def step(model, optimizer, batch):
        return 1.0

    result = slalom.range_test(net(), loader(), optimizer=torch.optim.SGD, step=step, budget=300)
    assert result.suggestion is None
    assert result.interval is None
    assert "No learning rate lowered the loss" in str(result)


@pytest.mark.parametrize("by", ["loss", "accuracy"])
def test_epochs_is_an_epoch_at_each_rate(by):
    torch.manual_seed(3)
    model = mlp()
    result = slalom.range_test(model, loader(shuffle=False), optimizer="sgd", method="epochs", steps=4, low=0.01, high=1.0, by=by)
    own, lrs = copy.deepcopy(model), np.geomspace(0.01, 1.0, 4)
    optimizer = torch.optim.SGD(own.parameters(), lr=1)
    for k, lr in enumerate(lrs):
        losses = plain_loop(own, optimizer, loader(shuffle=False), lambda t, lr=lr: lr)
        wrong = (own(X).argmax(1) != Y).float().mean().item()
        assert result.curve[k].loss == pytest.approx(np.mean(losses) if by == "loss" else wrong, rel=1e-3)
    assert result.cost == 24


def test_the_result_is_data():
    result = slalom.range_test(mlp, method="sweep", steps=30, seeds=3, optimizer="sgd", **ARRAYS)
    made = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert made["suggestion"] == result.suggestion
    assert list(made["suggestions"]) == ["steepest", "minimum/10", "valley"]
    text = result.text(width=40, ascii_only=True)
    assert text.isascii()
    assert result.advice in text
    assert len({p.lr for p in result.curve}) == 30
