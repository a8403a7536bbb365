"""A schedule on an optimizer behaves as torch's schedulers do, and goes on from its step where theirs do not."""

from __future__ import annotations

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as lr

import slalom.optim
from slalom.core.errors import BadValueError
from slalom.schedules import Constant, Cosine, CosineRestarts, OneCycle, Plateau, StepDecay, Triangular, Warmup

ALL = [Cosine(20, 0.1), StepDecay(0.5, 4), Warmup(5, CosineRestarts(7, 2)), OneCycle(30), Triangular(up=4, momenta=(0.8, 0.9))]


def adam(*rates, cls=torch.optim.Adam):
    return cls([{"params": [torch.zeros(2, requires_grad=True)], "lr": rate} for rate in rates])


def run(optimizer, scheduler, steps):
    rows = []
    for _ in range(steps):
        rows.append([(group["lr"], group["betas"][0]) for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return np.array(rows)


@pytest.mark.parametrize("schedule", ALL, ids=str)
@pytest.mark.parametrize("cls", [torch.optim.Adam, slalom.optim.Adam])
def test_every_group_has_its_own_base(schedule, cls):
    optimizer = adam(0.1, 0.02, cls=cls)
    scheduler = schedule.attach(optimizer)
    assert isinstance(scheduler, lr.LRScheduler)
    found = run(optimizer, scheduler, 40)
    np.testing.assert_allclose(found[:, :, 0], schedule(np.arange(40))[:, None] * [0.1, 0.02], rtol=1e-14)
    momentum = schedule.momentum(np.arange(40))
    np.testing.assert_array_equal(found[:, 0, 1], np.full(40, 0.9) if momentum is None else momentum)
    assert scheduler.last_epoch == 40
    assert scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups]


@pytest.mark.parametrize("schedule", ALL, ids=str)
def test_goes_on_from_a_step_or_a_state_whatever_the_optimizer_remembers(schedule):
    whole = adam(0.1, 0.02)
    expected = run(whole, schedule.attach(whole), 40)
    first = adam(0.1, 0.02)
    scheduler = schedule.attach(first)
    run(first, scheduler, 13)
    stored = io.BytesIO()
    torch.save({"optimizer": first.state_dict(), "scheduler": scheduler.state_dict()}, stored)
    stored.seek(0)
    saved = torch.load(stored, weights_only=True)

    def goes_on(optimizer, attached):
        np.testing.assert_array_equal(run(optimizer, attached, 27), expected[13:])

    fresh = adam(0.1, 0.02)  # nothing but the number
    goes_on(fresh, schedule.attach(fresh, step=13))
    fresh = adam(0.1, 0.02)  # optimizer first, then the number
    fresh.load_state_dict(copy.deepcopy(saved["optimizer"]))
    goes_on(fresh, schedule.attach(fresh, step=13))
    fresh = adam(0.7, 0.7)  # the scheduler's state alone
    attached = schedule.attach(fresh)
    attached.load_state_dict(saved["scheduler"])
    assert [group["lr"] for group in fresh.param_groups] == attached.get_last_lr()
    goes_on(fresh, attached)
    fresh = adam(0.7, 0.7)  # both, the optimizer after the scheduler
    attached = schedule.attach(fresh)
    attached.load_state_dict(saved["scheduler"])
    fresh.load_state_dict(copy.deepcopy(saved["optimizer"]))
    goes_on(fresh, attached)


def test_torchs_step_and_sequential_resume_wrong_from_a_number_and_ours_right():
    theirs = {
        "step": lambda o, last=-1: lr.StepLR(o, 4, 0.5, last),
        "sequential": lambda o, last=-1: lr.SequentialLR(
            o, [lr.LinearLR(o, 0.1, total_iters=5), lr.StepLR(o, 4, 0.5)], [5], last_epoch=last
        ),
    }
    ours = {"step": StepDecay(0.5, 4), "sequential": Warmup(5, StepDecay(0.5, 4), start=0.1)}
    for name, make in theirs.items():
        one = adam(1.0)
        expected = run(one, make(one), 40)
        np.testing.assert_allclose(ours[name](np.arange(40)), expected[:, 0, 0], rtol=1e-12)
        stopped = adam(1.0)
        run(stopped, make(stopped), 12)
        fresh = adam(1.0)
        fresh.load_state_dict(stopped.state_dict())
        wrong = run(fresh, make(fresh, 11), 28)
        assert np.abs(wrong[:, 0, 0] - expected[12:, 0, 0]).max() > 0.01, f"torch has mended {name}: say so in the docstrings"
        fresh = adam(1.0)
        fresh.load_state_dict(stopped.state_dict())
        right = run(fresh, ours[name].attach(fresh, step=12), 28)
        np.testing.assert_allclose(right[:, 0, 0], expected[12:, 0, 0], rtol=1e-12)


def test_torchs_cosine_climbs_after_its_end_and_ours_stays():
    optimizer = adam(1.0)
    assert run(optimizer, lr.CosineAnnealingLR(optimizer, 10), 21)[20, 0, 0] == pytest.approx(1.0)
    optimizer = adam(1.0)
    assert run(optimizer, Cosine(10).attach(optimizer), 40)[10:, 0, 0].max() == 0.0


def test_a_state_of_torchs_scheduler_is_taken():
    optimizer = adam(0.3)
    scheduler = lr.StepLR(optimizer, 4, 0.5)
    run(optimizer, scheduler, 6)
    fresh = adam(0.9)
    attached = StepDecay(0.5, 4).attach(fresh)
    attached.load_state_dict(scheduler.state_dict())
    assert attached.get_last_lr() == [0.15]
    run(fresh, attached, 2)
    assert fresh.param_groups[0]["lr"] == 0.075


def test_one_value_a_group():
    optimizer = adam(0.1, 0.1)
    found = run(optimizer, Cosine([10, 20], [0.5, 0]).attach(optimizer), 25)
    np.testing.assert_allclose(found[:, 1, 0], 0.1 * Cosine(20)(np.arange(25)), rtol=1e-14)
    np.testing.assert_allclose(found[:, 0, 0], 0.1 * Cosine(10, 0.5)(np.arange(25)), rtol=1e-14)
    with pytest.raises(BadValueError, match="one value for each of 3 lanes and the optimizer 2 parameter groups"):
        Cosine([10, 20, 30]).attach(adam(0.1, 0.1))


def test_a_tensor_rate_is_filled_in_place():
    rate = torch.tensor(0.1)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)
    held = optimizer.param_groups[0]["lr"]
    scheduler = Cosine(10).attach(optimizer)
    for _ in range(5):
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[0]["lr"] is held
    assert float(held) == pytest.approx(0.05)
    fresh = Cosine(10).attach(torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=torch.tensor(0.3)))
    fresh.load_state_dict(scheduler.state_dict())
    assert float(fresh.optimizer.param_groups[0]["lr"]) == pytest.approx(0.05)


def test_a_group_that_joins_later():
    optimizer = adam(0.1)
    scheduler = StepDecay(0.5, 2).attach(optimizer)
    run(optimizer, scheduler, 2)
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.4})
    run(optimizer, scheduler, 2)
    assert scheduler.get_last_lr() == pytest.approx([0.025, 0.1])


def test_a_base_of_ones_own():
    optimizer = adam(0.1, 0.2)
    lr.OneCycleLR(optimizer, 0.5, 10)  # leaves initial_lr = 0.02 and max_lr
    assert Cosine(10).attach(optimizer, base_lr=[0.3, 0.4]).get_last_lr() == [0.3, 0.4]
    assert "max_lr" not in optimizer.param_groups[0]
    assert Cosine(10).attach(optimizer, base_lr=0.3, step=10).get_last_lr() == [0.0, 0.0]


def test_the_papers_decay_follows_the_factor():
    # AdamW (paper) shrinks by the schedule's factor times the decay, whatever lr is; no gradient, so that decay is all.
    weight = torch.ones(1, requires_grad=True)
    weight.grad = torch.zeros(1)
    optimizer = slalom.optim.AdamW([weight], lr=0.01, weight_decay=0.1, convention="paper")
    scheduler = Cosine(10).attach(optimizer)
    for _ in range(10):
        optimizer.step()
        scheduler.step()
    assert weight.item() == pytest.approx(np.prod(1 - 0.1 * Cosine(10)(np.arange(10))), rel=1e-6)


def test_copies_and_pickles():
    optimizer = adam(0.1)
    scheduler = OneCycle(20).attach(optimizer)
    run(optimizer, scheduler, 3)
    for again in (pickle.loads(pickle.dumps(OneCycle(20))), copy.deepcopy(OneCycle(20))):
        assert again == OneCycle(20)
    assert repr(scheduler) == f"Attached({OneCycle(20)!r}, step=3)"
    with pytest.warns(UserWarning, match="epoch parameter"):
        scheduler.step(7)  # as torch's: deprecated, and it jumps
    assert scheduler.get_last_lr()[0] == pytest.approx(0.1 * OneCycle(20)(7))


def test_errors():
    with pytest.raises(BadValueError, match=r"optimizer must be a torch.optim.Optimizer, got list"):
        Cosine(5).attach([0.1])
    for step in (-1, 1.5, True):
        with pytest.raises(BadValueError, match="step must be a whole number >= 0, got"):
            Cosine(5).attach(adam(0.1), step=step)
    with pytest.raises(BadValueError, match=r"sets the momentum, and SGD \(parameter group 0\) has none"):
        OneCycle(5).attach(torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1))
    with pytest.raises(BadValueError, match="Adagrad"):
        OneCycle(5).attach(torch.optim.Adagrad([torch.zeros(1, requires_grad=True)], lr=0.1))
    OneCycle(5, momenta=None).attach(torch.optim.Adagrad([torch.zeros(1, requires_grad=True)], lr=0.1))
    scheduler = Cosine(5).attach(adam(0.1))
    with pytest.raises(BadValueError, match="has no last_epoch and no base_lrs"):
        scheduler.load_state_dict({})
    with pytest.raises(BadValueError, match="of 2 parameter groups, the optimizer has 1"):
        scheduler.load_state_dict(Cosine(5).attach(adam(0.1, 0.2)).state_dict())
    with pytest.raises(BadValueError, match="base_lr has 2 values for 1 parameter groups"):
        Cosine(5).attach(adam(0.1), base_lr=[0.1, 0.2])
    for base in (-1, float("nan"), "x"):
        with pytest.raises(BadValueError, match="base_lr must be a number >= 0"):
            Cosine(5).attach(adam(0.1), base_lr=[base])
    with pytest.raises(BadValueError, match="says nothing of the metrics before it"):
        Plateau().attach(adam(0.1), step=5)
    assert Constant().attach(adam(0.1)).get_last_lr() == [0.1]
