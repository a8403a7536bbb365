"""A race on a GPU: refused where there is none, and, on one that the processor plays, the same race."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import slalom
from slalom.core.errors import BadValueError
from slalom.engines.lanes.cuda import place
from tests.engines.lanes.cuda.conftest import played  # noqa: F401
from tests.engines.lanes.cuda.played import PlayedStage

SMALL = {"rules": ["sgd", "adam"], "lrs": [0.01, 0.1], "seeds": [0, 1], "epochs": 3, "batch_size": 8, "widen": False}
SMALL |= {"dtype": "float64"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(BadValueError, match="lanes cannot run on cuda: torch finds no CUDA device"):
        slalom.race("mlp:8:relu", "iris", **SMALL, device="cuda", directory=tmp_path / "run")
    with pytest.raises(BadValueError, match="device must be"):
        slalom.race("mlp:8:relu", "iris", **SMALL, device="gpu")
    assert not (tmp_path / "run").exists()


def test_a_race_on_a_gpu_is_the_processors(
    played: PlayedStage,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = slalom.race("mlp:8:tanh", "iris", **SMALL, early_stopping=[0, 1])
    assert played.replays > 0
    with monkeypatch.context() as patch:
        patch.setattr(place, "GPUS", ["cuda"])
        theirs = slalom.race("mlp:8:tanh", "iris", **SMALL, early_stopping=[0, 1])
    assert {lane.mechanism for lane in ours.lanes} == {"stacked"}
    for a, b in zip(ours.lanes, theirs.lanes, strict=True):
        assert (a.rule, a.lr, a.seed, a.status, a.kept_epoch) == (b.rule, b.lr, b.seed, b.status, b.kept_epoch)
        np.testing.assert_allclose([a.val_loss, a.test_loss, a.test_metric], [b.val_loss, b.test_loss, b.test_metric], rtol=1e-9)
