"""Lanes on a real CUDA device: what the played one cannot show. Skipped without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import slalom.rules  # noqa: F401
from benchmarks.lane_cases import CASES, Transformer
from slalom.core.errors import BadValueError
from slalom.engines.kernels.cuda.gpu import gpu
from slalom.engines.kernels.cuda.lane_kernel import lane_kernels
from slalom.engines.kernels.kernel import compile_program
from slalom.engines.lanes import Lanes, lanes_of
from slalom.engines.lanes.cuda.graph import WARM
from slalom.engines.lanes.cuda.run import DeviceRun
from tests.engines.kernels.cuda.test_lane_kernel import PROGRAMS
from tests.engines.kernels.lanes import Stacked, name
from tests.engines.lanes.models import RANDOM_MODELS, normed
from tests.engines.lanes.stack.zoo import LAYERS, WITH_DROPOUT
from tests.engines.lanes.test_lanes import TWINS, X, Y, mixed_lanes, some_batches

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


def make(model: Any, specs: Any, x: torch.Tensor = X, y: torch.Tensor = Y, device: str | None = "cuda", **more: Any) -> Lanes:
    return Lanes(model, specs, loss="cross_entropy", example=(x[:20], y[:20]), dtype=torch.float64, device=device, **more)


def runs(lanes: Lanes) -> list[DeviceRun]:
    return [chunk.blocks for chunk in lanes._chunks if isinstance(chunk.blocks, DeviceRun)]


def solo(model: Callable[[], nn.Module], twin: Any, seed: int, batches: Any, x: torch.Tensor, y: torch.Tensor) -> Any:
    """The loop that everybody writes, on the device; torch.optim alone."""
    torch.manual_seed(seed)
    module = model().to("cuda", torch.float64)
    optimizer, losses = twin(module.parameters()), []
    for index in batches:
        loss = nn.functional.cross_entropy(module(x[index].to("cuda", torch.float64)), y[index].cuda())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return module, losses


@pytest.mark.parametrize("settings", PROGRAMS, ids=name)
@pytest.mark.parametrize("width", [301, 9001])
def test_the_kernel_is_the_processors(settings: Any, width: int) -> None:
    ours, theirs = (Stacked(settings, 4, width, torch.float64) for _ in range(2))
    ours.P, ours.states = ours.P.cuda(), {k: v.cuda() for k, v in ours.states.items()}
    kernel = lane_kernels([settings], torch.float64, gpu(torch.device("cuda", 0)))[0]
    clip = np.array([0.5, 1.0, np.inf, 0.1])
    for t in range(1, 6):
        G, _ = ours.gradient(), theirs.gradient()
        G[1, -1] = float("nan")
        assert ours.step(kernel, G.cuda(), t, clip=clip).status.tolist() == [0, 2, 0, 0]
        theirs.step(compile_program(settings, torch.float64), G, t, clip=clip)
    for a, b in [(ours.P, theirs.P), *((ours.states[k], v) for k, v in theirs.states.items())]:
        torch.testing.assert_close(a.cpu(), b, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("case", CASES)
def test_each_case_is_the_torch_run_alone_and_replayed(case: str) -> None:
    chosen = CASES[case]
    x, y = chosen.data(256)
    g, specs = torch.Generator().manual_seed(3), mixed_lanes()
    batches = [torch.randint(0, len(x), (5, chosen.batch), generator=g) for _ in range(40)]
    lanes = make(chosen.model, specs, x, y)
    losses, _ = lanes.epoch(x, y, batches)
    assert lanes.notes == []
    assert [run.fault for run in runs(lanes)] == [None]
    assert "captured as CUDA graphs" in lanes.explain()
    for k, twin in enumerate(TWINS):
        module, alone = solo(chosen.model, twin, specs[k].seed, [b[k] for b in batches], x, y)
        np.testing.assert_allclose(losses[:, k], alone, rtol=1e-10, atol=1e-10)
        module.eval()
        with torch.no_grad():
            torch.testing.assert_close(lanes.predict(x)[k], module(x.to("cuda", torch.float64)), rtol=1e-8, atol=1e-8)


MODELS: dict[str, Any] = {**RANDOM_MODELS, **{k: (m, "") for k, m in LAYERS.items()}}
MODELS |= {f"{k}, dropout": (m, "") for k, m in WITH_DROPOUT.items()}
MODELS |= {"normed": (normed, ""), "transformer, dropout": (None, "")}


@pytest.mark.parametrize("model", MODELS)
def test_every_layer_and_dropout_are_the_processors(model: str) -> None:
    factory = MODELS[model][0]
    x, y = X, Y
    if factory is None:
        (x, y), factory = CASES["transformer"].data(200), lambda: Transformer(0.2)
    specs = [*lanes_of("sgd", lr=[0.05, 0.02], momentum=0.9, seed=[0, 1]), *lanes_of("nadam", lr=1e-3, seed=2, clip=0.5)]
    batches = some_batches(12)
    found = [make(factory, specs, x, y, device).epoch(x, y, batches) for device in ("cuda", "cpu")]
    np.testing.assert_allclose(*(f[0] for f in found), rtol=1e-9)
    np.testing.assert_allclose(*(f[1] for f in found), rtol=1e-7, atol=1e-10)


def test_replays_never_wait_for_the_device() -> None:
    lanes, batches = make(normed, mixed_lanes()), some_batches(20)
    lanes.epoch(X, Y, batches)
    ((step, replayed),) = runs(lanes)[0].steps
    torch.cuda.set_sync_debug_mode("error")
    try:
        for call in (replayed, replayed, step):
            call()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    runs(lanes)[0].block.place.zero_()


def test_lanes_that_stop_are_left_out_and_captured_anew() -> None:
    specs = [*lanes_of("sgd", lr=[1e308, 0.05, 1e308, 1e308], seed=[0, 1, 2, 3]), *lanes_of("adam", lr=[1e-2, 1e-3], seed=[4, 5])]
    batches = some_batches(30, lanes=6)
    found = []
    for device in ("cuda", "cpu"):
        lanes = make(normed, specs, device=device)
        parts = [lanes.epoch(X, Y, batches[:12]), lanes.epoch(X, Y, batches[12:])]
        found.append((lanes, np.concatenate([p[0] for p in parts])))
    assert found[0][0].retired == found[1][0].retired
    assert len(found[0][0].retired) == 3
    ((step, replayed),) = runs(found[0][0])[0].steps
    assert step.run.tolist() == [i for i, n in enumerate(found[0][0]._chunks[0].numbers) if n not in found[0][0].retired]
    assert replayed.replay is not None
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-9)


def test_data_and_model_on_the_device_need_no_word() -> None:
    batches, specs = some_batches(10), mixed_lanes()
    inferred = make(lambda: normed().cuda(), specs, device=None)
    assert inferred.device == torch.device("cuda", 0)
    there = [b.cuda() for b in batches]
    by_data = make(normed, specs, X.cuda(), Y.cuda(), device=None).epoch(X.cuda(), Y.cuda(), there)[0]
    np.testing.assert_allclose(by_data, make(normed, specs).epoch(X, Y, batches)[0], rtol=1e-12)


def test_what_was_saved_goes_on() -> None:
    specs, batches = mixed_lanes(), some_batches(20)
    whole = make(normed, specs).epoch(X, Y, batches)[0]
    first, second = make(normed, specs), make(normed, specs)
    first.epoch(X, Y, batches[:8])
    second.epoch(X, Y, batches[:6])
    second.load_state_dict(first.state_dict())
    np.testing.assert_allclose(second.epoch(X, Y, batches[8:])[0], whole[8:], rtol=1e-12)
    np.testing.assert_allclose(first.only([3, 1]).epoch(X, Y, batches[8:])[0], whole[8:, [3, 1]], rtol=1e-10)


def test_lanes_of_torchs_own_optimizers_and_models_run_alone() -> None:
    specs = [*lanes_of("adam", lr=1e-2, seed=0), *lanes_of(torch.optim.Adam, lr=1e-2, seed=0, clip=1e9)]
    lanes = make(normed, specs)
    losses, _ = lanes.epoch(X, Y, some_batches(WARM + 5))
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], rtol=1e-9)
    assert any("torch.Adam steps one lane at a time" in note for note in lanes.notes)
    alone, _ = make(normed, specs[:1], mechanism="solo").epoch(X, Y, some_batches(WARM + 5))
    np.testing.assert_allclose(alone[:, 0], losses[:, 0], rtol=1e-9)


def test_many_lanes_fit_and_their_memory_is_told() -> None:
    chosen = CASES["mlp 64"]
    x, y = chosen.data()
    many = lanes_of("adam", lr=1e-3, seed=[k % 4 for k in range(512)])
    lanes = Lanes(chosen.model, many, loss="cross_entropy", example=(x[:64], y[:64]), device="cuda")
    assert lanes.room is not None
    assert lanes.room.most > 512
    before = torch.cuda.memory_allocated()
    losses, _ = lanes.epoch(x, y, [torch.arange(64)] * 10)
    taken = torch.cuda.max_memory_allocated() - before
    assert np.isfinite(losses).all()
    np.testing.assert_allclose(losses[:, :4], losses[:, 508:], rtol=1e-4)
    assert taken < 512 * (sum(lanes.room.held) / 512 + 3 * lanes.room.work)


def test_a_class_that_is_not_there_is_said_before_the_device_sees_it() -> None:
    y = Y.clone()
    y[3] = 7
    lanes = make(normed, mixed_lanes())
    with pytest.raises(BadValueError, match=r"targets must be classes 0\.\.4, got 7"):
        lanes.epoch(X, y, some_batches(2))
    assert np.isfinite(lanes.epoch(X, Y, some_batches(2))[0]).all()
