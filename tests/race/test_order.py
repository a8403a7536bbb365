"""The streams that a lane's numbers are drawn from must not know of each other; leaderboards with figures that are no numbers."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest
import torch

import slalom
from slalom.data import load
from slalom.engines.lanes.counter import lane_key, uniform
from slalom.engines.lanes.solo import NOISE
from slalom.race.grid import beyond
from slalom.race.leaderboard import Leaderboard, best_lr
from slalom.race.metrics import resolve_metric
from slalom.race.order import batches, permutation
from tests.race.test_leaderboard import lane


def test_streams_of_one_seed_are_apart() -> None:
    """Initialisation, data order, a model's own noise and dropout all start from the lane's seed."""
    for seed in (0, 1, 7, 2**32 - 1):
        plain = [torch.randperm(200, generator=torch.Generator().manual_seed(s)) for s in (seed, lane_key(seed, 0))]
        plain += [torch.randperm(200, generator=torch.Generator().manual_seed(lane_key(seed, t) ^ NOISE)) for t in range(3)]
        plain += [torch.randperm(200, generator=torch.Generator().manual_seed(lane_key(seed, t))) for t in range(1, 4)]
        for epoch in range(3):
            assert not any(torch.equal(permutation(seed, epoch, 200), p) for p in plain)
    masks = torch.stack(
        [uniform(torch.tensor(lane_key(s, t)), site, (4000,)) for s in range(3) for t in (1, 2) for site in (1, 2)]
    )
    orders = torch.stack([permutation(s, e, 4000).float() for s in range(3) for e in range(2)])
    correlation = np.corrcoef(torch.cat([masks, orders]).numpy()) - np.eye(len(masks) + len(orders))
    assert np.abs(correlation).max() < 5 / math.sqrt(4000)


def test_an_epoch_holds_each_sample_once_in_an_order_of_its_own() -> None:
    for seeds in ([5], [5, 5], [5, 6, 0]):
        parts = [batches(seeds, e, 23, 5) for e in range(2)]
        assert [p.shape[-1] for p in parts[0]] == [5, 5, 5, 5, 3]
        first, second = (torch.cat(p, dim=-1) for p in parts)
        assert (first.sort(-1).values == torch.arange(23)).all()
        assert not torch.equal(first, second)
        if first.dim() == 2:
            assert not torch.equal(first[0], first[1])
            assert torch.equal(first[0], permutation(5, 0, 23))
            assert torch.equal(first[2], permutation(0, 0, 23))


@pytest.mark.parametrize(("order", "alike"), [("seed", [(0, 2), (1, 3)]), ("shared", [(0, 1), (0, 2), (0, 3)]), ("own", [])])
def test_which_lanes_see_the_same_order(order: str, alike: list) -> None:
    """A lr of 0 leaves the weights alone, so that the loss of the first step tells the batch."""
    model = torch.nn.Linear(4, 3)  # copied: one initialisation for all seeds
    result = slalom.race(model, "iris", rules=["sgd", "momentum"], lrs=[0.0], seeds=2, epochs=1, batch_size=9, order=order)
    first = result.curves().train_loss
    same = [(i, j) for i in range(4) for j in range(i + 1, 4) if np.array_equal(first[i], first[j])]
    assert set(alike) <= set(same)
    assert order == "shared" or same == alike


def test_epoch_loss_is_weighted_by_batch_size_and_validation_is_in_evaluation_mode() -> None:
    given = {"rules": ["sgd"], "lrs": [0.0], "seeds": 1, "epochs": 1}
    whole = slalom.race("mlp:8:relu", "iris", **given, batch_size="full").lanes[0]
    parts = slalom.race("mlp:8:relu", "iris", **given, batch_size=80).lanes[0]  # 80 and 10 samples
    assert parts.train_loss == pytest.approx(whole.train_loss, rel=1e-5)
    dropped = slalom.race("mlp:8:relu:dropout=.9", "iris", **given).lanes[0]
    assert (dropped.val_loss, dropped.test_loss) == (whole.val_loss, whole.test_loss)
    assert dropped.val_loss != dropped.test_loss


def test_metrics_may_be_tensors_or_numpy_and_keep_a_state() -> None:
    inside = threading.Lock()

    def shared(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        assert inside.acquire(blocking=False), "two threads at once"
        made = (outputs.argmax(1) == targets).float().mean()
        threading.Event().wait(0.002)
        inside.release()
        return made

    given = {"rules": ["sgd"], "lrs": [0.1, 0.2, 0.3, 0.4], "seeds": 2, "epochs": 1}
    ours = slalom.race("linear", "iris", metric=shared, **given)
    theirs = slalom.race("linear", "iris", metric=lambda o, t: np.float32((o.argmax(1) == t).float().mean()), **given)
    named = slalom.race("linear", "iris", **given)
    assert [x.val_metric for x in ours.lanes] == [x.val_metric for x in theirs.lanes]
    assert [x.test_metric for x in ours.lanes] == pytest.approx([x.test_metric for x in named.lanes])
    assert resolve_metric(None, load("iris")).name == "accuracy"


def test_a_metric_that_is_no_number_does_not_win() -> None:
    nan = math.nan
    lanes = [lane("a", 0.1, s, 0.8, 0.8) for s in range(3)] + [lane("a", 0.2, s, nan, nan) for s in range(3)]
    lanes += [lane("a", 0.3, s, 0.9 if s else nan, 0.9) for s in range(3)]
    assert best_lr(lanes, True) == best_lr(lanes, False) == 0.1
    only = [lane("b", lr, s, nan, nan, loss=lr) for lr in (0.1, 0.05) for s in range(2)]
    assert best_lr(only, True) == 0.05  # the loss decides
    board = Leaderboard(lanes + only, "m", True)
    assert [row.rule for row in board] == ["a", "b"]
    assert "m is not a number" in str(board)


def test_widening_goes_on_where_it_can() -> None:
    assert beyond([0.1, 1.0], 0.1) == pytest.approx([0.01, 0.1 * 10**-0.75, 0.1 * 10**-0.5, 0.1 * 10**-0.25])
    assert beyond([0.1, 1.0], 1.0) == pytest.approx([10**0.25, 10**0.5, 10**0.75, 10])
    assert beyond([0.1, 0.5, 1.0], 0.5) == beyond([0.0, 1.0], 0.0) == []
    assert beyond([1.0, 1e308], 1e308) == pytest.approx([1e308 * 10**0.25])
