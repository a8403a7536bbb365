"""A step captured into a graph and replayed: what changes between replays, what does not, what cannot be captured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import slalom.optim
from slalom.engines.kernels.cuda.kernel import CaptureError
from slalom.engines.optimizer import RuleOptimizer
from tests.engines.kernels.cuda.emulation import Emulated, Graph

SHAPES = [(5,), (3, 4), ()]


class Run:
    """Parameters whose gradients lie in fixed memory, as a captured backward pass leaves them."""

    def __init__(self, make: Callable[[list[torch.nn.Parameter]], RuleOptimizer]) -> None:
        generator = torch.Generator().manual_seed(0)
        self.params = [torch.nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64)) for s in SHAPES]
        self.optimizer = make(self.params)
        self.static = [torch.zeros_like(p) for p in self.params]
        self.eager = [torch.zeros_like(p) for p in self.params]

    def gradients(self, i: int, where: str) -> None:
        generator = torch.Generator().manual_seed(i + 1)
        for p, static, eager in zip(self.params, self.static, self.eager, strict=True):
            p.grad = static if where == "graph" else eager
            p.grad.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64))

    def step(self, i: int) -> None:
        self.gradients(i, "eager")
        self.optimizer.step()

    def capture(self, device: Emulated) -> Graph:
        self.gradients(0, "graph")
        with device.capture() as graph:
            self.optimizer.step()
        return graph

    def replay(self, graph: Graph, i: int) -> None:
        self.gradients(i, "graph")
        graph.replay()

    def all(self) -> list[torch.Tensor]:
        return [*(p.detach() for p in self.params), *(x for s in self.optimizer.state.values() for x in s.values())]


def adam(**given: Any) -> Callable[[list[torch.nn.Parameter]], RuleOptimizer]:
    return lambda params: slalom.optim.Adam(params, **{"lr": 0.1, **given})


def assert_same(a: Run, b: Run) -> None:
    for x, y in zip(a.all(), b.all(), strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ["Adam", "SGD", "NAdam", "RAdam", "RMSprop", "Adadelta"])
def test_replays_are_steps_also_between_eager_ones(name: str, played: Emulated) -> None:
    captured, plain = (Run(lambda p: getattr(slalom.optim, name)(p, lr=0.1)) for _ in range(2))
    captured.step(0)
    graph = captured.capture(played)  # records only
    for i, how in enumerate(["replay", "replay", "eager", "eager", "replay", "eager"], 1):
        captured.step(i) if how == "eager" else captured.replay(graph, i)
    for i in range(7):
        plain.step(i)
    assert_same(captured, plain)
    assert all(state["step"] == 7 for state in captured.optimizer.state.values())


def test_a_rate_on_the_device_changes_between_replays(played: Emulated) -> None:
    lr, b1 = torch.tensor(0.1, dtype=torch.float64), torch.tensor(0.9)
    captured, plain = Run(adam(lr=lr, betas=(b1, 0.99), weight_decay=0.01)), Run(adam(betas=(float(b1), 0.99), weight_decay=0.01))
    captured.step(0)
    graph = captured.capture(played)
    plain.step(0)
    for i, rate in enumerate([0.1, 0.05, 0.0, 0.2], 1):
        lr.fill_(rate)
        b1.fill_(0.9 - rate)
        captured.replay(graph, i)
        plain.optimizer.param_groups[0] |= {"lr": rate, "betas": (float(b1), 0.99)}
        plain.step(i)
    assert_same(captured, plain)


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_a_scheduler_of_torchs_drives_replays(name: str, played: Emulated) -> None:
    made = [(torch.tensor(0.1, dtype=torch.float64), Run), (0.1, Run)]
    runs = []
    for lr, cls in made:
        run = cls(lambda p, lr=lr: getattr(slalom.optim, name)(p, lr=lr, weight_decay=0.1))
        scheduler = torch.optim.lr_scheduler.ExponentialLR(run.optimizer, 0.5)
        run.step(0)
        graph = run.capture(played) if isinstance(lr, torch.Tensor) else None
        for i in range(1, 4):
            scheduler.step()
            run.step(i) if graph is None else run.replay(graph, i)
        runs.append(run)
    assert_same(*runs)


def test_a_rate_that_is_a_number_stays_as_it_was_captured(played: Emulated) -> None:
    captured, plain = Run(adam()), Run(adam())
    captured.step(0)
    graph = captured.capture(played)
    captured.optimizer.param_groups[0]["lr"] = 100.0
    captured.replay(graph, 1)
    plain.step(0)
    plain.step(1)
    assert_same(captured, plain)


def test_two_graphs_each_know_their_gradients(played: Emulated) -> None:
    captured, plain = Run(adam()), Run(adam())
    captured.step(0)
    captured.capture(played)  # never replayed
    graph = captured.capture(played)
    captured.replay(graph, 1)
    plain.step(0)
    plain.step(1)
    assert_same(captured, plain)


def test_clipping_and_scaling_are_replayed(played: Emulated) -> None:
    captured, plain = Run(adam(clip_grad_norm=0.3)), Run(adam(clip_grad_norm=0.3))
    scale, bad = torch.tensor(4.0), torch.tensor(0.0)
    for run in (captured, plain):
        run.optimizer.grad_scale, run.optimizer.found_inf = scale, bad  # type: ignore[attr-defined]
        run.step(0)
    graph = captured.capture(played)
    for i, (s, b) in enumerate([(4.0, 0.0), (2.0, 1.0), (0.5, 0.0)], 1):
        scale.fill_(s)
        bad.fill_(b)
        captured.replay(graph, i)
        plain.step(i)
    assert_same(captured, plain)
    assert all(state["step"] == 3 for state in captured.optimizer.state.values())


def test_a_first_step_cannot_be_captured(played: Emulated) -> None:
    run = Run(adam())
    with pytest.raises(CaptureError, match="take one"):
        run.capture(played)
    run.step(0)
    run.params[0].data = run.params[0].detach().clone()
    with pytest.raises(CaptureError, match=r"take one step .* before the capture"):
        run.capture(played)
