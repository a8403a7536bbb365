"""Lanes on a CUDA device that the processor plays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slalom.engines.kernels.cuda import lane_kernel, prelude
from slalom.engines.lanes.cuda import place, stage
from tests.engines.kernels.cuda.emulation import Emulated
from tests.engines.lanes.cuda.played import PlayedStage


@pytest.fixture
def played(emulated: Emulated, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedStage]:
    """Every lane on the processor is on the device."""
    plain, made = emulated.driver, PlayedStage(emulated)
    monkeypatch.setattr(place, "GPUS", ["cuda", "cpu"])
    monkeypatch.setattr(stage, "stage", lambda device: made)
    monkeypatch.setattr(lane_kernel, "_made", {})
    for module in (prelude, lane_kernel):  # threads that wait for one another are slow to play
        monkeypatch.setattr(module, "BLOCK", 16)
    yield made
    emulated.driver = plain
