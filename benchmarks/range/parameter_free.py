"""Optimizers that want no learning rate, as baselines: COCOB (ours, from the paper) and Prodigy (its package)."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import torch

from benchmarks.range.problem import Problem, example
from benchmarks.range.truth import SEEDS, STEPS, TAIL
from slalom.engines.lanes import Lane, Lanes, TorchOptimizer
from slalom.race.order import batches


class Cocob(torch.optim.Optimizer):
    """COCOB-Backprop: Orabona and Tommasi 2017, arXiv:1705.07795, Algorithm 2. `lr` is not used."""

    def __init__(self, params: Any, alpha: float = 100.0, lr: float = 1.0) -> None:
        super().__init__(params, {"alpha": alpha, "lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:  # type: ignore[override]
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            for p in group["params"]:
                s, g = self.state[p], -p.grad
                if not s:
                    s["start"] = p.clone()
                    s.update({k: torch.zeros_like(p) for k in ("sum", "gain", "reward")}, largest=torch.full_like(p, 1e-8))
                s["largest"] = torch.maximum(s["largest"], g.abs())
                s["gain"] += g.abs()
                s["reward"] = torch.clamp(s["reward"] + (p - s["start"]) * g, min=0)
                s["sum"] += g
                scale = s["largest"] * torch.maximum(s["gain"] + s["largest"], group["alpha"] * s["largest"])
                p.copy_(s["start"] + s["sum"] / scale * (s["largest"] + s["reward"]))
        return loss


def methods() -> dict[str, TorchOptimizer]:
    made = {"COCOB": TorchOptimizer(Cocob)}
    if importlib.util.find_spec("prodigyopt") is not None:
        from prodigyopt import Prodigy

        made["Prodigy, lr 1"] = TorchOptimizer(Prodigy, {"lr": 1.0})
    else:
        print("Prodigy is left out: pip install prodigyopt")
    return made


def final_losses(problem: Problem, optimizer: TorchOptimizer) -> float:
    """Mean over the seeds of the mean loss of the last TAIL of STEPS steps; infinite where one diverged."""
    lanes = Lanes(problem.source, [Lane(optimizer, s) for s in SEEDS], loss=problem.loss, example=example(problem))
    parts, epoch = [], 0
    while lanes.t < STEPS:
        index = batches(SEEDS, epoch, len(problem.x), problem.batch)[: STEPS - lanes.t]
        parts.append(lanes.epoch(problem.x, problem.y, index)[0])
        epoch += 1
    last = np.concatenate(parts)[-TAIL:].mean()
    return float(last) if np.isfinite(last) else float("inf")
