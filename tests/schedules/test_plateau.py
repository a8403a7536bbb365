"""Reduce on plateau: against torch's and optax's step by step, its state, and on optimizers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from slalom.core.errors import BadValueError
from slalom.schedules import Constant, Cosine, OneCycle, Plateau, Warmup


def metrics(seed, n=120):
    """Falls, stalls, jumps, and is now and then no number."""
    rng = np.random.default_rng(seed)
    made = np.exp(-np.minimum(np.arange(n), 60) / 25) + 0.02 * rng.standard_normal(n)
    made[rng.integers(0, n, 3)] = math.nan
    return made.tolist()


def optimizer(rate=0.1, cls=torch.optim.SGD):
    return cls([torch.zeros(1, requires_grad=True)], lr=rate)


@pytest.mark.parametrize(
    ("mode", "how", "patience", "cooldown"), list(itertools.product(["min", "max"], ["rel", "abs"], [0, 2, 7], [0, 3]))
)
def test_torch_twin(mode, how, patience, cooldown):
    run = metrics(patience) if mode == "min" else [-m for m in metrics(patience)]
    run = [m + 3 * (mode == "max") for m in run]
    ours, theirs = optimizer(), optimizer()
    arguments = {"patience": patience, "threshold": 1e-2, "threshold_mode": how, "cooldown": cooldown}
    attached = Plateau(0.7, mode=mode, floor=0.05, **arguments).attach(ours)
    twin = ReduceLROnPlateau(theirs, mode, 0.7, min_lr=0.005, eps=0, **arguments)
    rates = []
    for metric in run:
        attached.step(metric)
        twin.step(metric)
        rates.append((attached.get_last_lr()[0], theirs.param_groups[0]["lr"]))
    ours_, theirs_ = np.array(rates).T
    np.testing.assert_allclose(ours_, theirs_, rtol=1e-12)
    assert ours_[-1] < 0.1 or patience == 7
    assert isinstance(attached, ReduceLROnPlateau)  # by which trainers know that it wants the metric


def test_optax_twin():
    jax, contrib = pytest.importorskip("jax"), pytest.importorskip("optax.contrib")
    with jax.enable_x64(True):
        twin = contrib.reduce_on_plateau(factor=0.5, patience=4, rtol=1e-2, atol=0.0, cooldown=2, min_scale=0.01)
        state = twin.init(jax.numpy.zeros(1))
        update = jax.jit(twin.update)
        ours = Plateau(0.5, patience=3, threshold=1e-2, cooldown=2, floor=0.01).start()  # optax counts to patience, not beyond
        for metric in [m for m in metrics(3) if not math.isnan(m)]:
            ours.step(metric)
            _, state = update(jax.numpy.ones(1), state, value=metric)
            assert ours(0) == pytest.approx(float(state.scale), rel=1e-12)
        assert ours(0) < 0.2


def test_goes_on_from_its_state():
    run = metrics(1)
    whole = Plateau(0.5, 2, cooldown=1).attach(optimizer())
    expected = []
    for metric in run:
        whole.step(metric)
        expected.append(whole.get_last_lr())
    first = Plateau(0.5, 2, cooldown=1).attach(optimizer())
    for metric in run[:50]:
        first.step(metric)
    fresh = Plateau(0.5, 2, cooldown=1).attach(optimizer(9.0))
    fresh.load_state_dict(first.state_dict())
    assert fresh.get_last_lr() == expected[49]
    for metric, lr in zip(run[50:], expected[50:], strict=True):
        fresh.step(metric)
        assert fresh.get_last_lr() == lr
    with pytest.raises(BadValueError, match="has no 'plateau'"):
        fresh.load_state_dict(Cosine(5).attach(optimizer()).state_dict())
    with pytest.raises(BadValueError, match="a state has best, level, bad, cooling; this one has best"):
        Plateau().start().load_state_dict({"best": 1.0})


def test_around_a_schedule_that_is_counted_in_steps():
    adam = optimizer(cls=torch.optim.Adam)
    plateau = Plateau(0.5, 0, base=Warmup(4, OneCycle(20)))
    attached = plateau.attach(adam)
    for step in range(1, 30):
        adam.step()
        attached.step()
        if step % 5 == 0:
            attached.tell(1.0)  # the second of these, and each after it, is no better
        cuts = max(step // 5 - 1, 0)
        assert attached.get_last_lr()[0] == pytest.approx(0.1 * plateau.base(step) * 0.5**cuts, rel=1e-12)
        assert adam.param_groups[0]["betas"][0] == plateau.base.momentum(step)


def test_a_metric_of_any_kind_and_none():
    attached = Plateau(0.5, 0).attach(optimizer())
    attached.step(torch.tensor(1.0))
    attached.step(np.float32(1.0))
    assert attached.get_last_lr() == [0.05]
    with pytest.raises(BadValueError, match=r"step\(metric\) needs the metric that it watches"):
        attached.step()
    for wrong in ("loss", torch.ones(2), [1.0]):
        with pytest.raises(BadValueError, match="the metric must be one number"):
            attached.step(wrong)


def test_errors():
    with pytest.raises(BadValueError, match="depends on the metrics it is told"):
        Plateau()(3)
    with pytest.raises(BadValueError, match=r"each with a state: plateau.lane\(i\).start\(\)"):
        Plateau([0.1, 0.5]).start()
    assert Plateau([0.1, 0.5]).lane(1).start().plateau.factor == 0.5
    with pytest.raises(BadValueError, match="base must be a schedule, got 'cosine'"):
        Plateau(base="cosine")
    with pytest.raises(BadValueError, match="threshold must be < 1 as a share"):
        Plateau(threshold=1.0)
    with pytest.raises(BadValueError, match="base must be a function of the step alone"):
        Plateau(base=Plateau())
    assert Plateau(threshold=2.0, threshold_mode="abs", base=Constant(0.5)).start()(0) == 0.5
    assert str(Plateau(0.1, 10, base=Cosine(5))).startswith("((1 + cos(pi * min(t, 5) / 5)) / 2) * 0.1^k, where k")
    assert r"\left(" in Plateau(base=Cosine(5)).latex
    assert Plateau(floor=0.01).latex.startswith(r"\max(0.1^{k}, 0.01)")
