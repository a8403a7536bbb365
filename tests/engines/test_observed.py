"""Hooks and the profiler's name around a step: as torch has them, though nothing wraps the step when no one looks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

import slalom.optim
from slalom.engines import observed


def made(cls: type[torch.optim.Optimizer]) -> tuple[torch.nn.Parameter, Any]:
    p = torch.nn.Parameter(torch.ones(3))
    p.grad = torch.ones(3)
    return p, cls([p], lr=0.5)  # type: ignore[call-arg]


class Own(slalom.optim.SGD):
    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


@pytest.fixture(params=[torch.optim.SGD, slalom.optim.SGD, Own], ids=["torch", "ours", "a subclass of ours"])
def optimizer(request: pytest.FixtureRequest) -> Any:
    """What torch's does, ours must do."""
    return made(request.param)[1]


def test_this_torch_is_known() -> None:
    assert observed.KNOWN
    assert slalom.optim.SGD.step is slalom.optim.Adam.step  # neither is wrapped


def test_hooks_are_called_once_each_in_torchs_order(optimizer: Any) -> None:
    seen: list[str] = []
    handles = [
        register_optimizer_step_pre_hook(lambda *a: seen.append("all, before")),
        register_optimizer_step_post_hook(lambda *a: seen.append("all, after")),
        optimizer.register_step_pre_hook(lambda o, a, k: seen.append(f"own, before {o is optimizer} {k}")),
        optimizer.register_step_post_hook(lambda *a: seen.append("own, after")),
    ]
    optimizer.step(lambda: seen.append("closure"))
    assert seen == ["all, before", "own, before True {}", "closure", "own, after", "all, after"]
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert len(seen) == 5


def test_a_hook_may_change_what_the_step_is_given(optimizer: Any) -> None:
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: "another"), kwargs))
    assert optimizer.step(lambda: "mine") == "another"


def test_the_profiler_sees_the_step_by_its_name(optimizer: Any) -> None:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as found:
        optimizer.step()
    name = f"Optimizer.step#{type(optimizer).__name__}.step"
    assert [e.name for e in found.events()].count(name) == 1
