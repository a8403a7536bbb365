"""Which device lanes run on, data that are put there once, classes looked at before, how many lanes fit."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import nn

from slalom.core.errors import BadValueError
from slalom.engines.lanes import Lanes, lanes_of
from slalom.engines.lanes.cuda import place
from slalom.engines.lanes.cuda.place import Classes, Data, device_of
from slalom.engines.lanes.cuda.room import Room
from tests.engines.lanes.cuda.played import PlayedStage
from tests.engines.lanes.models import mlp
from tests.engines.lanes.test_lanes import X, Y, make, mixed_lanes, some_batches

CPU, META = torch.device("cpu"), torch.device("meta")


def test_the_device_is_asked_for_or_where_model_and_data_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_of(None, [nn.Linear(2, 2)], [torch.zeros(2)]) == CPU
    assert device_of("cpu", [nn.Linear(2, 2, device="meta")], []) == CPU
    with pytest.raises(BadValueError, match=r"not on meta; say device='cpu' or 'cuda'"):
        device_of(None, [nn.Linear(2, 2)], [torch.zeros(2, device="meta")])
    with pytest.raises(BadValueError, match=r"device must be 'cpu', 'cuda' or 'cuda:0', got 'gpu'"):
        device_of("gpu", [], [])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    assert [device_of(d, [], []) for d in ("cuda", "cuda:0")] == [torch.device("cuda", 1), torch.device("cuda", 0)]
    with pytest.raises(BadValueError, match=r"cannot run on cuda:2: torch finds 2 CUDA devices"):
        device_of("cuda:2", [], [])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_is_said() -> None:
    with pytest.raises(BadValueError, match=r"cannot run on cuda: torch finds no CUDA device .* say device='cpu'"):
        make(mlp, mixed_lanes(), device="cuda")


def test_model_and_data_on_two_devices_are_refused() -> None:
    class Elsewhere(torch.Tensor):
        @property
        def device(self) -> torch.device:  # type: ignore[override]
            return torch.device("cuda", 1)

    with pytest.raises(BadValueError, match=r"on several devices \(cuda:1, meta\)"):
        device_of(None, [nn.Linear(2, 2, device="meta")], [torch.zeros(2).as_subclass(Elsewhere)])


def test_data_are_put_on_the_device_once_and_graphs_find_them_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "GPUS", ["meta"])
    data, x = Data(META, torch.float64), torch.randn(5, 2)
    first = data.on(x)
    assert (first.device, first.dtype, data.on(x) is first) == (META, torch.float64, True)
    x.add_(1)
    assert data.on(x) is first
    other = data.on(torch.randn(6, 2))
    assert other is not first
    again = torch.randn(6, 2)
    gc.collect()
    assert data.on(again) is other  # its owner is gone
    assert data.on(torch.zeros(6, 2, dtype=torch.int64)).dtype == torch.int64
    there = torch.empty(3, dtype=torch.float64, device="meta")
    assert data.on(there) is there
    for _ in range(20):
        data.on(torch.randn(int(torch.randint(10, 99, ())), 3))
    assert len(data.kept) <= place.MOST_KEPT


def test_what_is_written_into_data_is_seen(played: PlayedStage) -> None:
    x, batches = X.double(), some_batches(5)  # of another dtype than the lanes': a copy is kept
    lanes, fresh = (make(mlp, mixed_lanes(), torch.float32) for _ in range(2))
    lanes.epoch(x, Y, batches)
    fresh.epoch(X, Y, batches)
    assert len(lanes._data.kept) == 1
    x.mul_(2.0)
    assert (lanes.epoch(x, Y, batches)[0] == fresh.epoch(X * 2.0, Y, batches)[0]).all()


def test_a_class_that_is_not_there_is_said_once_looked_at(played: PlayedStage) -> None:
    y = Y.clone()
    y[3] = 7
    lanes = make(mlp, mixed_lanes())
    with pytest.raises(BadValueError, match=r"targets must be classes 0\.\.4, got 7"):
        lanes.epoch(X, y, some_batches(2))
    y[3] = 4
    assert lanes.t == 0
    lanes.epoch(X, y, some_batches(2))
    with pytest.raises(BadValueError, match=r"targets must be classes 0\.\.4, got 9"):
        Lanes(mlp, lanes_of("sgd", lr=0.1), loss="cross_entropy", example=(X[:5], torch.tensor([0, 1, 9, 2, 3])))
    Classes(None).check(torch.tensor([99]))


def test_lanes_at_a_time_are_what_memory_holds() -> None:
    room = Room([100] * 10, 50, 10_000, "cuda:0")
    assert (room.most, room.chunk()) == (8000 // 200, 10)
    assert Room([100] * 10, 50, 1_600, "cuda:0").chunk() == 2  # 1280 - 1000, a hundred a lane at work
    with pytest.raises(BadValueError, match=r"10 lanes hold 1 KB and a step takes 50 bytes a lane; cuda:0 has 1.3 KB free"):
        Room([100] * 10, 50, 1_300, "cuda:0").chunk()
    assert "at most 40 lanes at a time" in room.told()
