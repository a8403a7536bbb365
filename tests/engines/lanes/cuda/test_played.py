"""Lanes on a played CUDA device against plain torch loops: every mechanism, replayed graphs, compaction, what cannot be captured."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import slalom.rules  # noqa: F401
from slalom.engines.lanes import lanes_of
from slalom.engines.lanes.cuda.graph import WARM
from slalom.engines.lanes.cuda.run import DeviceRun
from tests.engines.lanes.cuda.played import PlayedStage
from tests.engines.lanes.models import MODELS
from tests.engines.lanes.test_lanes import TWINS, X, Y, make, mixed_lanes, solo_torch, some_batches

HOW = {"mlp": "stacked", "normed": "stacked", "conv": "traced", "gru": "traced"}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("own", [False, True], ids=["shared batches", "batches of its own"])
def test_each_lane_is_the_torch_run_alone(name: str, own: bool, played: PlayedStage) -> None:
    model, _ = MODELS[name]
    specs, batches = mixed_lanes(), some_batches(40, lanes=5 if own else 0)
    lanes = make(model, specs)
    assert lanes.choice.name == HOW[name]
    losses, _ = lanes.epoch(X, Y, batches)
    assert played.eager == WARM
    assert played.captures == 1
    assert played.replays == len(batches) - WARM
    for k, twin in enumerate(TWINS):
        module, alone = solo_torch(model, twin, specs[k].seed, [b[k] for b in batches] if own else batches, torch.float64)
        np.testing.assert_allclose(losses[:, k], alone, rtol=1e-10, atol=1e-10)
        for key, value in module.state_dict().items():
            scale = float(value.abs().max()) if value.numel() else 0.0
            torch.testing.assert_close(lanes.weights(k)[key].to(value.dtype), value, rtol=1e-10, atol=1e-10 * scale)
        module.eval()
        with torch.no_grad():
            torch.testing.assert_close(lanes.predict(X)[k], module(X.double()), rtol=1e-9, atol=1e-9)
