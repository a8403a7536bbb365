"""Lanes on a played CUDA device: against plain torch loops and the processor's lanes, replayed, compacted, refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import slalom.rules
from slalom.engines.lanes import Lanes, lanes_of
from slalom.engines.lanes.cuda import place
from slalom.engines.lanes.cuda.graph import WARM
from slalom.optim import L1, ElasticNet
from slalom.schedules import Cosine
from tests.engines.lanes.cuda.played import PlayedStage
from tests.engines.lanes.models import MODELS, Conv, Residual, dropping, normed
from tests.engines.lanes.stack.zoo import LAYERS, WITH_DROPOUT
from tests.engines.lanes.test_lanes import TWINS, X, Y, make, mixed_lanes, solo_torch, some_batches

HOW = {"mlp": "stacked", "normed": "stacked", "conv": "traced", "gru": "traced"}


@pytest.mark.parametrize(("name", "own"), [("mlp", True), ("normed", False), ("conv", True), ("gru", False)])
def test_each_lane_is_the_torch_run_alone(name: str, own: bool, played: PlayedStage) -> None:
    model, _ = MODELS[name]
    specs, batches = mixed_lanes(), some_batches(30, lanes=5 if own else 0)
    lanes = make(model, specs)
    assert lanes.choice.name == HOW[name]
    losses, _ = lanes.epoch(X, Y, batches)
    assert (played.eager, played.captures, played.replays) == (WARM, 1, len(batches) - WARM)
    for k, twin in enumerate(TWINS):
        module, alone = solo_torch(model, twin, specs[k].seed, [b[k] for b in batches] if own else batches, torch.float64)
        np.testing.assert_allclose(losses[:, k], alone, rtol=1e-10, atol=1e-10)
        for key, value in module.state_dict().items():
            scale = float(value.abs().max()) if value.numel() else 0.0
            torch.testing.assert_close(lanes.weights(k)[key].to(value.dtype), value, rtol=1e-10, atol=1e-10 * scale)
        module.eval()
        with torch.no_grad():
            torch.testing.assert_close(lanes.predict(X)[k], module(X.double()), rtol=1e-9, atol=1e-9)


def on_processor(monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]) -> Any:
    """What lanes give that the processor does not play a device for."""
    with monkeypatch.context() as patch:
        patch.setattr(place, "GPUS", ["cuda"])
        return call()


def run(model: Any, specs: Any, parts: list[list[torch.Tensor]], stop: tuple[int, ...] = (), **more: Any) -> tuple[Lanes, Any]:
    lanes = make(model, specs, **more)
    done = []
    for k, batches in enumerate(parts):
        done.append(lanes.epoch(X, Y, batches))
        if k == 0:
            lanes.stop(stop)
    return lanes, np.concatenate([np.concatenate(d, 1) for d in done])


def assert_same(ours: tuple[Lanes, Any], theirs: tuple[Lanes, Any]) -> None:
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-10, atol=1e-12)
    assert ours[0].retired == theirs[0].retired
    for k in range(len(ours[0])):
        for key, value in theirs[0].weights(k).items():
            if k in ours[0].retired:  # its last finite numbers are so large that nothing of them is sure
                assert torch.isfinite(ours[0].weights(k)[key]).all()
            else:
                # Not closer: a bias of attention's keys has no true gradient, and Adam makes steps of rounding.
                torch.testing.assert_close(ours[0].weights(k)[key], value, rtol=1e-9, atol=1e-8)
    measures = [nn.functional.cross_entropy]
    np.testing.assert_allclose(ours[0].evaluate(X, Y, measures), theirs[0].evaluate(X, Y, measures), rtol=1e-9)
    assert ours[0].t == theirs[0].t


def everything() -> list[Any]:
    return [
        *lanes_of("nadam", lr=[1e-2, 1e-3], seed=[0, 1], schedule=Cosine(total=40)),
        *lanes_of("sgd", lr=[1e308, 0.05, 1e308], momentum=0.9, seed=[2, 3, 4], clip=0.3),
        *lanes_of("adam", lr=[1e-2, 1e-2, 1e-2], seed=[5, 6, 7], penalty=[L1(0.01), ElasticNet(0.01, 0.1), None]),
        *lanes_of("rmsprop", lr=[1e-3], seed=8, penalty=L1(0.02, method="subgradient")),
        *lanes_of("sgd", lr=0.1, seed=9),
    ]


@pytest.mark.parametrize("model", [normed, dropping, Residual, Conv, WITH_DROPOUT["encoder"], LAYERS["embedding"]])
def test_lanes_of_all_sorts_are_the_processors(model: Any, played: PlayedStage, monkeypatch: pytest.MonkeyPatch) -> None:
    # Some diverge, some are stopped, batches are shared or a lane's own, the last of an epoch is shorter.
    specs = everything()
    own = some_batches(12, lanes=len(specs))
    parts = [[*own, own[0][:, :7]], [*some_batches(6), own[1][0, :7]], own]
    ours = run(model, specs, parts, stop=(1, 3, 5, 6, 7, 8))
    theirs = on_processor(monkeypatch, lambda: run(model, specs, parts, stop=(1, 3, 5, 6, 7, 8)))
    assert len(theirs[0].retired) == 2
    assert_same(ours, theirs)
    assert played.captures >= 3


def test_blocks_follow_one_another_and_graphs_outlive_epochs(played: PlayedStage, monkeypatch: pytest.MonkeyPatch) -> None:
    model, specs, parts = MODELS["mlp"][0], mixed_lanes()[:3], [some_batches(70), some_batches(70), some_batches(3)]
    ours = run(model, specs, parts)
    assert (played.eager, played.captures) == (WARM, 1)
    assert_same(ours, on_processor(monkeypatch, lambda: run(model, specs, parts)))


def test_a_step_that_cannot_be_captured_goes_on_as_it_is_and_says_so(
    played: PlayedStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, specs, batches = MODELS["mlp"][0], mixed_lanes()[:3], some_batches(9)
    played.fault = "operation would make the legacy stream depend on a capturing blocking stream"
    lanes = make(model, specs)
    with pytest.warns(RuntimeWarning, match="run without a graph, several times slower: operation would make") as said:
        losses = [lanes.epoch(X, Y, batches) for _ in range(2)]
    assert len(said) == 1
    assert (played.eager, played.captures) == (18, 0)
    assert sum("legacy stream" in note for note in lanes.notes) == 1
    assert "not replayed as a graph: operation would make" in lanes.explain()
    again = on_processor(monkeypatch, lambda: make(model, specs))
    np.testing.assert_allclose(
        losses, on_processor(monkeypatch, lambda: [again.epoch(X, Y, batches) for _ in range(2)]), rtol=1e-10
    )


class Peeks(nn.Module):
    """Looks at a number of its own while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x) if float(x.detach().sum()) < 1e9 else x


@pytest.mark.parametrize("why", ["torch.Adam steps", "the model runs one lane"])
def test_what_needs_the_host_goes_step_by_step_and_says_so(
    why: str, played: PlayedStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Peeks if "model" in why else MODELS["mlp"][0]
    specs = [*lanes_of("adam", lr=[1e-2, 1e-3], seed=[0, 1], clip=0.5)]
    specs += [] if "model" in why else lanes_of(torch.optim.Adam, lr=1e-2, seed=2, clip=0.5)
    specs += lanes_of("sgd", lr=1e308, seed=3)
    batches = some_batches(8, lanes=len(specs))
    ours = run(model, specs, [batches])
    assert any(f"go step by step, each waiting for the GPU: {why}" in note for note in ours[0].notes)
    assert why in ours[0].explain()
    assert played.captures == (0 if "model" in why else 1)
    assert_same(ours, on_processor(monkeypatch, lambda: run(model, specs, [batches])))


def test_what_was_saved_goes_on_elsewhere(played: PlayedStage) -> None:
    specs, batches = everything()[:6], some_batches(24, lanes=6)
    whole = run(normed, specs, [batches])
    first = make(normed, specs)
    first.epoch(X, Y, batches[:10])
    second = make(normed, specs)
    second.epoch(X, Y, batches[:5])  # its graph is of the tensors that it has now
    second.load_state_dict(first.state_dict())
    rest = second.epoch(X, Y, batches[10:])
    np.testing.assert_allclose(np.concatenate(rest, 1), whole[1][10:], rtol=1e-10)
    few = make(normed, specs)
    few.epoch(X, Y, batches[:10])
    keep = [5, 0, 3]
    third = few.only(keep)
    part = third.epoch(X, Y, [b[keep] for b in batches[10:]])
    np.testing.assert_allclose(part[0], whole[1][10:, keep], rtol=1e-10)
    held = third.weights(1)
    third.epoch(X, Y, [b[keep] for b in batches[:4]])
    third.restore(1, held)
    assert all(torch.equal(v, held[k]) for k, v in third.weights(1).items())
    assert all(torch.equal(p, held[k]) for k, p in third.module(1).state_dict().items())


def test_few_lanes_at_a_time_where_memory_is_short(played: PlayedStage) -> None:
    specs, batches = mixed_lanes(), some_batches(6, lanes=5)
    whole = run(MODELS["mlp"][0], specs, [batches])
    held = sum(whole[0].room.held)  # type: ignore[union-attr]
    played.memory = int((held + 2 * 2 * 1000 + 500) / 0.8)
    short = run(MODELS["mlp"][0], specs, [batches])
    assert "chunks of up to 2" in short[0].explain()
    assert "takes 1 KB in a step" in short[0].explain()
    np.testing.assert_allclose(short[1], whole[1], rtol=1e-10)
    played.memory = held // 2
    with pytest.raises(slalom.core.errors.BadValueError, match=r"5 lanes hold .* train at most \d+ lanes at a time"):
        make(MODELS["mlp"][0], specs)
