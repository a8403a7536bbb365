"""The default race (11 rules x 9 rates x 3 seeds on digits, 20 epochs) against the same lanes one after another with torch.optim.

The sequential time is extrapolated from a sample: each rule is trained for a few epochs, alone, with `fused=True` where torch
has it, validation included, with one and with two threads; the faster is taken. Repeats are interleaved with the race's. It also
checks the race: 11 solo torch.optim runs at the winning settings against their lanes.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch
from torch import nn

import slalom
from slalom.data import load
from slalom.nets import build
from slalom.race.entrants import DEFAULT_RULES, entrant
from slalom.race.environment import environment
from slalom.race.grid import around
from slalom.race.order import batches
from slalom.race.outcome import RaceResult

TORCH = {
    "sgd": (torch.optim.SGD, {"fused": True}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9, "fused": True}),
    "nag": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "fused": True}),
    "adagrad": (torch.optim.Adagrad, {"fused": True}),
    "adadelta": (torch.optim.Adadelta, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "adam": (torch.optim.Adam, {"fused": True}),
    "adamax": (torch.optim.Adamax, {}),
    "adamw": (torch.optim.AdamW, {"fused": True}),
    "nadam": (torch.optim.NAdam, {}),
    "radam": (torch.optim.RAdam, {}),
}
EPOCHS, BATCH, SEEDS, REPEATS, SAMPLE_EPOCHS = 20, 64, 3, 3, 2


def solo(rule: str, lr: float, seed: int, epochs: int, dtype: torch.dtype = torch.float32) -> tuple[nn.Module, np.ndarray]:
    """One run by torch alone; the module and its training losses."""
    data = load("digits")
    factory = build(None, data)
    torch.manual_seed(seed)
    module = factory().to(dtype)
    cls, options = TORCH[rule]
    optimizer = cls(module.parameters(), lr=lr, **options)
    losses = []
    for epoch in range(epochs):
        for index in batches([seed], epoch, len(data.train), BATCH):
            loss = nn.functional.cross_entropy(module(data.train.x[index].to(dtype)), data.train.y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            outputs = module(data.val.x.to(dtype))
            nn.functional.cross_entropy(outputs, data.val.y).item()
            (outputs.argmax(1) == data.val.y).double().mean().item()
    return module, np.array(losses)


def sequential(threads: int) -> float:
    """Seconds that all lanes would take one after another, from SAMPLE_EPOCHS epochs of each rule."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    total = 0.0
    for rule in DEFAULT_RULES:
        begin = time.perf_counter()
        solo(rule, entrant(rule).default_lr, 0, SAMPLE_EPOCHS)
        total += (time.perf_counter() - begin) * len(around(1.0)) * SEEDS * EPOCHS / SAMPLE_EPOCHS
    torch.set_num_threads(before)
    return total


def race(widen: bool) -> tuple[float, RaceResult]:
    begin = time.perf_counter()
    result = slalom.race(None, "digits", epochs=EPOCHS, batch_size=BATCH, seeds=SEEDS, widen=widen)
    return time.perf_counter() - begin, result


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} s ({min(values):.1f} to {max(values):.1f}, {len(values)} runs)"


def check(result: RaceResult) -> None:
    """Solo torch.optim runs at the winning settings against their lanes: losses, and test accuracy."""
    best = {row.rule: [row.lr] for row in result.leaderboard()}
    double = slalom.race(None, "digits", lrs=best, seeds=1, epochs=EPOCHS, batch_size=BATCH, dtype="float64")
    data = load("digits")
    print("\nwinning settings against torch.optim alone, seed 0 (largest relative difference of the training loss over steps)")
    curves = result.curves().train_loss
    for row in result.leaderboard():
        lane = next(x for x in result.lanes if (x.rule, x.lr, x.seed) == (row.rule, row.lr, 0))
        module, losses = solo(row.rule, row.lr, 0, EPOCHS)
        _, exact = solo(row.rule, row.lr, 0, EPOCHS, torch.float64)
        ours_exact = double.curves().train_loss[[x.rule for x in double.lanes].index(row.rule)]
        ours = curves[result.lanes.index(lane)]
        first = np.abs(ours[:50] / losses[:50] - 1).max()
        with torch.no_grad():
            accuracy = float((module(data.test.x).argmax(1) == data.test.y).double().mean())
        print(
            f"  {row.rule:<10} lr {row.lr:<9.3g} first 50 steps {first:.1e}, all {np.abs(ours / losses - 1).max():.1e}, "
            f"all in float64 {np.abs(ours_exact / exact - 1).max():.1e}; "
            f"test accuracy lane {lane.test_metric:.4f}, torch {accuracy:.4f}"
        )


def main() -> None:
    facts = environment()
    print(f"{facts['date']}  torch {facts['torch']}, {facts['threads']} threads, {facts['processor']}, {facts['system']}")
    race(widen=False)  # kernels compiled, caches warm
    for rule in DEFAULT_RULES:  # torch imports its compiler at the first optimizer
        solo(rule, entrant(rule).default_lr, 0, 1)
    times: dict[str, list[float]] = {"race": [], "one thread": [], "all threads": []}
    for _ in range(REPEATS):
        times["race"].append(race(widen=False)[0])
        times["one thread"].append(sequential(1))
        times["all threads"].append(sequential(torch.get_num_threads()))
    lanes = len(DEFAULT_RULES) * len(around(1.0)) * SEEDS
    print(f"race, {lanes} lanes:  {spread(times['race'])}")
    for how in ("one thread", "all threads"):
        print(f"one after another with torch.optim, {how}:  {spread(times[how])}")
    best = min(("one thread", "all threads"), key=lambda k: statistics.median(times[k]))
    ratios = [a / b for a, b in zip(times[best], times["race"], strict=True)]
    print(f"ratio to the faster: {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})")
    seconds, result = race(widen=True)
    print(f"\nwith widened grids, {len(result.lanes)} lanes: {seconds:.1f} s\n{result.leaderboard()}")
    check(result)
