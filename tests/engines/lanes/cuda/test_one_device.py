"""No operation of a step mixes devices: steps on tensors without numbers (`meta`), each operation looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import slalom.rules  # noqa: F401
from slalom.engines.kernels.cuda.lane_kernel import lane_kernels
from slalom.engines.lanes import Lane, lanes_of
from slalom.engines.lanes.choose import Choice
from slalom.engines.lanes.chunk import Chunk
from slalom.engines.lanes.cuda import place
from slalom.engines.lanes.cuda.run import DeviceRun
from slalom.engines.lanes.cuda.step import Block, Step
from slalom.engines.lanes.layout import Layout
from slalom.engines.lanes.making import modules_of
from slalom.engines.lanes.stack import cells
from slalom.engines.lanes.stack.traced import Graphs
from slalom.engines.lanes.update import stepped_by
from slalom.optim import L1, ElasticNet
from tests.engines.lanes.cuda.played import PlayedStage, tensors
from tests.engines.lanes.models import Residual, dropping, normed
from tests.engines.lanes.stack.zoo import LAYERS, WITH_DROPOUT

META = torch.device("meta")


class OneDevice(TorchDispatchMode):
    """An error for every operation that reads or makes a tensor of the host, a single number apart, as CUDA has it."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for t in tensors([args, kwargs or {}, out]):
            if t.device != META and t.dim():
                raise AssertionError(f"{func} on a tensor {list(t.shape)} of {t.device}")
        return out


@pytest.fixture
def meta(played: PlayedStage, monkeypatch: pytest.MonkeyPatch) -> PlayedStage:
    """The played device without memory: launches are only counted."""
    monkeypatch.setattr(place, "GPUS", ["cuda", "meta"])
    monkeypatch.setattr(played, "device", META)
    monkeypatch.setattr(played.played, "device", META)
    played.launched = 0  # type: ignore[attr-defined]

    def launch(*_: Any) -> int:
        played.launched += 1  # type: ignore[attr-defined]
        return 0

    monkeypatch.setattr(played.driver, "launch", launch)
    return played


def lanes() -> list[Lane]:
    return [
        *lanes_of("adam", lr=[1e-2, 1e-3], seed=[0, 1], penalty=[L1(0.01), None]),
        *lanes_of("sgd", lr=[0.1, 0.01], seed=[2, 3], clip=0.5, penalty=[ElasticNet(0.1, 0.1, method="subgradient"), None]),
    ]


def chunk_of(model: Callable[[], nn.Module], mechanism: str, stage: PlayedStage) -> Chunk:
    many = lanes()
    modules = modules_of(model, many, torch.float64)
    template = place.moved(modules[0], META)
    graphs = Graphs(template) if mechanism == "traced" else None
    layout = Layout.of(template)
    made = Choice(mechanism, "asked for", graphs=graphs).make(template, layout, "cross_entropy")
    made.spare = 0
    programs = {s.program: s for s in stepped_by(many)}
    kernels: Any = dict(zip(programs, lane_kernels(list(programs.values()), torch.float64, stage.gpu), strict=True))
    return Chunk(range(4), many, modules, layout, made, kernels, torch.float64, stage)


def _inside(op: Any) -> None:
    """The loops of recurrent cells are one operation to torch: on these tensors they are run, and looked at, like the rest."""

    @op.register_fake
    def run(*args: Any) -> Any:
        with OneDevice():
            return op._init_fn(*args)


for _name in cells.REGISTERED:
    _inside(getattr(cells, _name))

CASES = [
    ("stacked", "normed", normed),
    ("stacked", "dropping", dropping),
    ("traced", "residual", Residual),
    ("vmap", "normed", normed),
]
KINDS = ("conv1d", "conv2d", "pools", "batchnorm2d", "groupnorm", "embedding", "maxout", "rnn", "gru, no bias, time first", "own")
CASES += [("traced", name, LAYERS[name]) for name in KINDS]
CASES += [("traced", f"{name}, dropout", model) for name, model in WITH_DROPOUT.items()]


@pytest.mark.parametrize(("mechanism", "name", "model"), CASES, ids=[f"{m}-{n}" for m, n, _ in CASES])
def test_a_step_stays_on_the_device(mechanism: str, name: str, model: Any, meta: PlayedStage) -> None:
    chunk = chunk_of(model, mechanism, meta)
    assert isinstance(chunk.blocks, DeviceRun)
    x, y = torch.empty(50, 16, dtype=torch.float64, device=META), torch.empty(50, dtype=torch.int64, device=META)
    for run, shape in (([0, 1, 2, 3], (6,)), ([1, 3], (2, 6))):
        chunk.run = np.array(run)
        step = Step(chunk, Block(chunk), x, y, shape)
        step()  # a forward is traced before any capture
        with OneDevice():
            step()
    assert meta.launched == 2 * (3 * 3 + 3 * 2)  # type: ignore[attr-defined]  # three programs, two where lanes 1 and 3 are run
    chunk.mechanism.predict(chunk.params, chunk.buffers, x)
    with OneDevice():
        assert chunk.mechanism.predict(chunk.params, chunk.buffers, x).shape == (4, 50, 5)


def twice(step: Step) -> None:
    step()
    with OneDevice():
        step()


class Forgets(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head, self.table = nn.Linear(16, 5), nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x) * torch.arange(5)


def test_a_model_that_forgets_the_device_is_found(meta: PlayedStage) -> None:
    chunk = chunk_of(Forgets, "traced", meta)
    x, y = torch.empty(50, 16, dtype=torch.float64, device=META), torch.empty(50, dtype=torch.int64, device=META)
    step = Step(chunk, Block(chunk), x, y, (6,))
    with pytest.raises((AssertionError, RuntimeError), match=r"of cpu|two devices|device cpu is not"):
        twice(step)
