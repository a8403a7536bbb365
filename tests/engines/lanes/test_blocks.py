"""Blocks of steps in C against the same steps one by one, and what a block does where a step cannot be taken."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import slalom.rules  # noqa: F401
from slalom import schedules
from slalom.core.errors import BadValueError
from slalom.engines.lanes import Lane, Lanes, lanes_of
from slalom.engines.lanes import blocks as module
from slalom.optim import L1, L2
from slalom.race.entrants import DEFAULT_RULES, entrant
from tests.engines.lanes.models import dropping, mlp, normed
from tests.engines.lanes.test_lanes import X, Y, make, some_batches

MIXED = [
    *(Lane(entrant(rule).optimizer(entrant(rule).default_lr), seed) for seed, rule in enumerate(DEFAULT_RULES)),
    *lanes_of("adam", lr=[0.01, 0.02], seed=[3, 4], clip=0.5, schedule=schedules.Cosine(total=7)),
    *lanes_of("sgd", lr=0.05, momentum=0.9, penalty=[L2(0.1), L1(0.01, method="subgradient"), L1(0.01)]),
    *lanes_of("nadam", lr=[0.01, 0.02], schedule=schedules.Cosine(total=7)),
]


def conv() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 5)
    )


MODELS = {"mlp": mlp, "normed": normed, "dropping": dropping, "conv": conv}


def stepwise(lanes: Lanes) -> Lanes:
    """The same lanes by torch's gather, the C for one batch, and the rules' own calls."""
    for chunk in lanes._chunks:
        assert chunk.blocks
        chunk.blocks = None
    return lanes


def same(a: Lanes, b: Lanes, tolerance: float = 0.0) -> None:
    for k in range(len(a)):
        for name, tensor in a.weights(k).items():
            torch.testing.assert_close(tensor, b.weights(k)[name], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_a_block_is_its_steps_one_by_one(name: str, shared: bool) -> None:
    batches = [*some_batches(5, 0 if shared else len(MIXED)), *some_batches(2, 0 if shared else len(MIXED), size=13)]
    whole, cut, plain = make(MODELS[name], MIXED), make(MODELS[name], MIXED, chunk=4), stepwise(make(MODELS[name], MIXED))
    losses, norms = whole.epoch(X, Y, batches)
    pieces = [cut.epoch(X, Y, part) for part in (batches[:1], batches[1:3], batches[3:])]
    assert np.array_equal(np.concatenate([p[0] for p in pieces]), losses)
    assert np.array_equal(np.concatenate([p[1] for p in pieces]), norms)
    same(whole, cut)
    expected, expected_norms = plain.epoch(X, Y, batches)
    np.testing.assert_allclose(losses, expected, rtol=1e-10)
    np.testing.assert_allclose(norms, expected_norms, rtol=1e-9)
    same(whole, plain, 1e-9)


def test_squared_error_and_long_rows_too() -> None:
    wide = lambda: nn.Sequential(nn.Linear(16, 260), nn.Tanh(), nn.Linear(260, 260), nn.ReLU(), nn.Linear(260, 3))  # noqa: E731
    target = torch.randn(200, 3, generator=torch.Generator().manual_seed(5))
    many = lanes_of("adam", lr=[1e-3, 2e-3, 3e-3])
    given = {"loss": "mse", "example": (X[:20], target[:20]), "dtype": torch.float64}
    runs = [Lanes(wide, many, **given), stepwise(Lanes(wide, many, **given))]
    ours, theirs = (run.epoch(X, target, some_batches(3, 3))[0] for run in runs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_a_step_that_is_not_taken_leaves_statistics_and_scalar_states() -> None:
    x = X.clone()
    x[0] = math.nan
    batches = [b.clamp(min=1) for b in some_batches(9, lanes=3)]
    batches[4][1, 0] = 0
    specs = [MIXED[0], Lane(entrant("nadam").optimizer(1e-2), seed=5), MIXED[1]]
    lanes = make(normed, specs)
    losses, norms = lanes.epoch(x, Y, batches)
    out = lanes.retired[1]
    assert (out.step, out.last_finite_step, out.reason) == (5, 4, "loss is nan")
    assert np.isnan(losses[4:, 1]).all()
    assert np.isnan(norms[4:, 1]).all()
    assert np.isfinite(np.delete(losses, 1, 1)).all()
    short = make(normed, specs)
    short.epoch(x, Y, batches[:4])
    for name, tensor in short.weights(1).items():
        assert torch.equal(tensor, lanes.weights(1)[name])
    held = [
        float(update.scalars["mu_product"][chunk.numbers.index(1) - rows.start])
        for run in (short, lanes)
        for chunk in run._chunks
        for rows, update in chunk.updates
        if 1 in chunk.numbers[rows] and update.scalars
    ]
    assert len(held) == 2
    assert held[0] == held[1] != 1
    healthy = make(normed, [specs[0], specs[2]])
    assert np.array_equal(healthy.epoch(x, Y, [b[[0, 2]] for b in batches])[0], losses[:, [0, 2]])


def test_indices_count_from_the_end_as_torchs_do_and_those_outside_are_refused() -> None:
    many = lanes_of("sgd", lr=[0.1, 0.2])
    a, b = make(mlp, many), make(mlp, many)
    assert np.array_equal(a.epoch(X, Y, [torch.arange(20) - 20])[0], b.epoch(X, Y, [torch.arange(180, 200)])[0])
    mask = torch.zeros(200, dtype=torch.bool)
    mask[:20] = True
    assert np.array_equal(a.epoch(X, Y, [mask])[0], b.epoch(X, Y, [torch.arange(20, dtype=torch.int32)])[0])
    for wrong in (200, -201):
        with pytest.raises(IndexError, match=f"index {wrong} is out of bounds for dimension 0 with size 200"):
            a.epoch(X, Y, [torch.full((3,), wrong)])


def test_a_target_that_is_no_class_is_met_at_its_step() -> None:
    lanes = make(mlp, lanes_of("sgd", lr=[0.1, 0.2]), threads=1)
    y = Y.clone()
    y[7], y[8] = 9, -100
    with pytest.raises(BadValueError, match=r"targets must be classes 0\.\.4, got 9"):
        lanes.epoch(X, y, [torch.arange(5), torch.arange(5, 10)])
    again = make(mlp, lanes_of("sgd", lr=[0.1, 0.2]))
    assert np.isfinite(again.epoch(X, y, [torch.arange(8, 20)])[0]).all()  # torch's ignore_index
    for wrong, about in ((y.double(), "class numbers"), (y.view(-1, 1), "do not fit")):
        with pytest.raises(BadValueError, match=about):
            again.epoch(X, wrong, [torch.arange(5)])


def test_blocks_are_cut_where_sizes_change_or_indices_are_many(monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_STEPS", 4)
    monkeypatch.setattr(module, "MOST_PLACES", 60)
    batches = [torch.arange(20)] * 7 + [torch.arange(5)] * 6
    assert [len(part) for part in module.alike(batches)] == [3, 3, 1, 4, 2]
