"""Lanes that are left alone go on as if the others were still there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from slalom.core.errors import BadValueError
from slalom.engines.lanes import lanes_of
from tests.engines.lanes.models import MODELS
from tests.engines.lanes.test_lanes import X, Y, make, mixed_lanes, some_batches

MIXED = [
    *mixed_lanes(),
    *lanes_of(torch.optim.Adam, lr=[1e-3, 1e-2], seed=[4, 5]),
    *lanes_of("adam", lr=[0.3, 0.1], schedule=lambda t: 1 / (1 + t)),
]


@pytest.mark.parametrize("model", list(MODELS))
@pytest.mark.parametrize("chunk", [None, 2])
def test_the_rest_ends_and_these_go_on_to_the_bit(model, chunk):
    every = make(MODELS[model][0], MIXED, dtype=torch.float32, chunk=chunk)
    before, after = some_batches(5), some_batches(9)[5:]
    every.epoch(X, Y, before)
    kept = [7, 0, 5, 3]
    some = every.only(kept)
    assert some.t == 5
    np.testing.assert_array_equal(some.epoch(X, Y, after)[0], every.epoch(X, Y, after)[0][:, kept])
    for i, number in enumerate(kept):
        theirs = every.weights(number)
        for k, v in some.weights(i).items():
            assert torch.equal(v, theirs[k])


def test_a_lane_that_had_retired_stays_so():
    every = make(MODELS[next(iter(MODELS))][0], lanes_of("sgd", lr=[1e-2, 1e38, 1e-1]), dtype=torch.float32)
    every.epoch(X, Y, some_batches(6))
    assert list(every.retired) == [1]
    some = every.only([2, 1])
    assert list(some.retired) == [1]
    assert some.retired[1].step == every.retired[1].step
    loss, _ = some.step(X[:20], Y[:20])
    assert np.isfinite(loss[0])
    assert np.isnan(loss[1])


@pytest.mark.parametrize("wrong", [[], [0, 0], [9], [-1], [True]])
def test_what_is_no_choice_of_lanes(wrong):
    lanes = make(MODELS[next(iter(MODELS))][0], lanes_of("sgd", lr=[1e-2, 1e-1]))
    with pytest.raises(BadValueError, match="lanes must"):
        lanes.only(wrong)
