"""The two comparisons as they come: which regularisation helps on noisy digits (claims R5-R11), which activation on two tasks."""

from __future__ import annotations

import os
import time

import torch

import slalom
from slalom.race.compare.kits import KITS


def main() -> None:
    """Prints a table and a sentence a task."""
    for kit in KITS.values():
        for task in kit.tasks:
            begin, load = time.perf_counter(), os.getloadavg()[0]
            result = slalom.race(compare=kit.name, data=task)
            seconds = time.perf_counter() - begin
            told = f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, torch {torch.__version__}, load {load:.1f}"
            plan = result.plan
            print(f"{told}\n{kit.name} on {task}: {plan['model_name']}, {kit.seeds} seeds, {plan['epochs']} epochs of batches of "
                  f"{plan['batch_size']}, {len(result.lanes)} lanes, {seconds:.0f} s")  # fmt: skip
            print(result.comparison(), flush=True)
            print()
