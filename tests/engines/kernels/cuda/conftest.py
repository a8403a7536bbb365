"""The device that the processor plays, and a switch that lets optimizers take `cpu` parameters to be on it."""

from __future__ import annotations

import pytest

from slalom.engines import device, fused_cuda
from tests.engines.kernels.cuda.emulation import Emulated


@pytest.fixture
def played(emulated: Emulated, monkeypatch: pytest.MonkeyPatch) -> Emulated:
    """Every `cpu` tensor counts as on the device; its step is what a GPU would be given."""
    monkeypatch.setattr(device, "on_cuda", lambda x: True)
    monkeypatch.setattr(fused_cuda, "gpu", lambda where: emulated)
    return emulated
