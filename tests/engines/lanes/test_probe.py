"""Whether lanes run together or one at a time is measured, told, and kept when a run goes on."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from slalom.engines.lanes import lanes_of, probe
from tests.engines.lanes.models import mlp, normed
from tests.engines.lanes.test_lanes import X, Y, make, some_batches

MANY = lanes_of("adam", lr=[1e-3, 2e-3, 3e-3])


def told_times(monkeypatch, *seconds: float) -> None:
    """What is measured, call after call; the work is done all the same."""
    left = list(seconds)

    def least(call) -> float:
        call()
        return left.pop(0)

    monkeypatch.setattr(probe, "_least", least)


def test_small_work_is_not_timed_further(monkeypatch, caplog) -> None:
    told_times(monkeypatch, 4e-4)
    with caplog.at_level(logging.INFO, "slalom.lanes"):
        lanes = make(mlp, MANY)
    assert lanes.choice.name == "native"
    assert "400 us alone, under 2 ms" in lanes.explain()
    assert "whole steps in C" in lanes.explain()
    assert lanes.explain() in caplog.text


def test_the_faster_way_is_taken_and_its_arithmetic_told(monkeypatch) -> None:
    told_times(monkeypatch, 5e-3, 4e-3)
    lanes = make(mlp, MANY)  # 2 lanes in 4 ms
    assert lanes.choice.name == "native"
    assert "5 ms alone, 2 ms native (in 2 lanes): 2.5 x as fast, so native; the probe took " in lanes.explain()
    told_times(monkeypatch, 5e-3, 20e-3, 6e-3, 15e-3)
    lanes = make(mlp, MANY, threads=1)  # 10 ms a lane in C, but 5 stacked, against 6
    assert lanes.choice.name == "stacked"
    assert "not run in C: slower than one lane at a time" in lanes.explain()
    assert "5 ms alone, 10 ms native (in 2 lanes): 0.5 x as fast, so one at a time" in lanes.explain()
    assert not lanes.notes


def test_one_at_a_time_where_nothing_is_faster_and_near_equals_stay_together(monkeypatch) -> None:
    told_times(monkeypatch, *[5e-3, 100e-3] * 4)
    lanes = make(mlp, MANY)
    assert lanes.choice.name == "solo"
    assert not lanes.notes  # no fault of the model's
    told_times(monkeypatch, 5e-3, 2 * 5.4e-3)
    assert make(mlp, MANY).choice.name == "native"


def test_alone_is_timed_as_it_is() -> None:
    lanes = make(normed, MANY, mechanism="auto")
    (sentence,) = lanes.choice.timings
    assert sentence.startswith("forward and backward of a lane take ")
    assert make(normed, MANY, mechanism="native").choice.timings == ()


@pytest.mark.parametrize("then", ["native", "solo"])
def test_a_run_goes_on_by_the_way_it_began(then: str, monkeypatch) -> None:
    batches = some_batches(6, lanes=3)
    told_times(monkeypatch, *([5e-3, 1e-3] if then == "native" else [5e-3, 100e-3] * 4))
    first = make(normed, MANY, torch.float32)
    assert first.choice.name == then
    first.epoch(X, Y, batches[:3])
    told_times(monkeypatch, *([5e-3, 1e-3] if then == "solo" else [5e-3, 100e-3] * 4))
    again = make(normed, MANY, torch.float32)
    assert again.choice.name != then
    again.load_state_dict(first.state_dict())
    assert again.choice.name == then
    assert np.array_equal(again.epoch(X, Y, batches[3:])[0], first.epoch(X, Y, batches[3:])[0])
