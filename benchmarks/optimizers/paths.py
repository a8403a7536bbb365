"""The steps that are compared: ours, torch's paths for the same rule, torch's fused Adam, a copy; all on the same parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

import slalom.optim
from benchmarks.clock import in_a_graph

RULES = [n for n in slalom.optim.__all__ if isinstance(c := getattr(slalom.optim, n), type) and hasattr(c, "rule")]
TWIN_OF = {"Momentum": ("SGD", {"momentum": 0.9}), "NAG": ("SGD", {"momentum": 0.9, "nesterov": True})}
PATHS: dict[str, dict[str, Any]] = {"default": {}, "foreach": {"foreach": True}, "fused": {"fused": True}}  # default: loop
FUSED_ADAM = "fused Adam"
Steps = dict[str, Callable[[], Any]]


class Memory:
    """Parameters of these sizes with gradients, and a source and a target of as many elements: all memory touched."""

    def __init__(self, sizes: list[int], device: str) -> None:
        self.elements = sum(sizes)
        self.params = [torch.nn.Parameter(torch.rand(n, device=device)) for n in sizes]
        for p in self.params:
            p.grad = torch.rand_like(p)
        self.source = torch.rand(self.elements, device=device)
        self.target = torch.zeros(self.elements, device=device)


def states(name: str) -> int:
    """How many states as large as the parameter the rule keeps under its defaults."""
    settings = getattr(slalom.optim, name).rule()
    return sum(settings.options[s.window] if s.window else 1 for s in settings.states.values() if not s.scalar)


def steps(name: str, memory: Memory, graph: bool, fused_adam: bool) -> Steps:
    """By name: "ours", torch's paths (those that it has for the rule), on request torch's fused Adam, and "copy".

    torch's paths share their states, which saves memory; under CUDA graphs each has its own.
    """
    ours = getattr(slalom.optim, name)(memory.params).step
    made: Steps = {"ours": in_a_graph(ours) if graph else ours}
    twin, options = TWIN_OF.get(name, (name, {}))
    cls = getattr(torch.optim, twin, None)
    shared: Any = None
    for path, how in PATHS.items() if cls is not None else ():
        try:
            optimizer = cls(memory.params, **options, **how, **({"capturable": True} if graph else {}))
            if shared is not None and not graph:
                optimizer.state = shared
            optimizer.step()
            shared = optimizer.state
            made[path] = in_a_graph(optimizer.step) if graph else optimizer.step
        except (TypeError, RuntimeError):
            continue
    if fused_adam:
        made[FUSED_ADAM] = made["fused"] if name == "Adam" else torch.optim.Adam(memory.params, fused=True).step
    made["copy"] = lambda: memory.target.copy_(memory.source)
    return made
