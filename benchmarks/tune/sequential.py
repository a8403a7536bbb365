"""Optuna as its documentation has it: TPE with its defaults, one trial after another, torch's modules and fused optimizers."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks.tune.space import EPOCHS, SPACE
from slalom.data.record import Data
from slalom.nets import activation
from slalom.tune.samplers.study import distribution, inward


def train(data: Data, config: dict[str, Any], seed: int) -> float:
    """Validation loss after all epochs; infinite where it is no number."""
    torch.manual_seed(seed)
    sizes = [64, *[config["units"]] * config["layers"]]
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), activation(config["activation"]), nn.Dropout(config["dropout"])]
    net = nn.Sequential(*layers, nn.Linear(sizes[-1], 10))
    own = {"lr": config["lr"], "weight_decay": config["weight_decay"], "fused": True}
    adam = config["optimizer"] == "adam"
    made = torch.optim.Adam(net.parameters(), **own) if adam else torch.optim.SGD(net.parameters(), momentum=0.9, **own)
    n, size = len(data.train), config["batch_size"]
    total, t = EPOCHS * math.ceil(n / size), 0
    x, y = data.train.x, data.train.y
    for _ in range(EPOCHS):
        order = torch.randperm(n)
        for start in range(0, n, size):
            index = order[start : start + size]
            if config["schedule"] == "cosine":
                made.param_groups[0]["lr"] = config["lr"] * 0.5 * (1 + math.cos(math.pi * t / total))
            made.zero_grad()
            nn.functional.cross_entropy(net(x[index]), y[index]).backward()
            made.step()
            t += 1
    net.eval()
    with torch.no_grad():
        loss = float(nn.functional.cross_entropy(net(data.val.x), data.val.y))
    return loss if math.isfinite(loss) else math.inf


def search(data: Data, seed: int, target: float, trials: int, clock: Callable[[], float]) -> tuple[float, float, int, float]:
    """Seconds by the clock and on the wall until the target (infinite: not in so many trials), trials, the best value."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    begin, wall, best = clock(), time.perf_counter(), math.inf
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    for k in range(trials):
        trial = study.ask({name: distribution(p) for name, p in SPACE.params.items()})
        config = {name: inward(p, trial.params[name]) for name, p in SPACE.params.items()}
        value = train(data, config, seed * 1000 + k)
        best = min(best, value)
        study.tell(trial, min(value, 2 * math.log(10)))
        if best <= target:
            return clock() - begin, time.perf_counter() - wall, k + 1, best
    return math.inf, math.inf, trials, best
