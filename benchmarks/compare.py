"""The comparisons as they come: which regularisation helps on noisy digits (claims R5-R11), which activation on two tasks.

Regularisation is judged on draws of the data that its kit was not made with (it was made with seeds 0 and 1), in two ways: at
the learning rate of the claims' reference, .003, where the plain network learns the wrong labels by heart; and with the rate
tuned for each variant on (noisy) validation labels, where a low rate and a short run regularise by themselves.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import torch

import slalom
from slalom.race.compare.kits import KITS

FRESH, REFERENCE_LR = (2, 3, 4), 0.003


def races() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Comparison, data, and what is set besides."""
    for lrs in ([REFERENCE_LR], None):
        for seed in FRESH:
            yield "regularisation", f"noisy_digits:seed={seed}", {} if lrs is None else {"lrs": lrs, "widen": False}
    for task in KITS["activations"].tasks:
        yield "activations", task, {}


def main() -> None:
    """Prints a table and a sentence a race."""
    for name, task, more in races():
        begin, load = time.perf_counter(), os.getloadavg()[0]
        result = slalom.race(compare=name, data=task, **more)
        seconds = time.perf_counter() - begin
        told = f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, torch {torch.__version__}, load {load:.1f}"
        plan = result.plan
        rates = "one lr for all" if "lrs" in more else "lr tuned on validation"
        print(f"{told}\n{name} on {task}, {rates}: {plan['model_name']}, {KITS[name].seeds} seeds, {plan['epochs']} epochs of "
              f"batches of {plan['batch_size']}, {len(result.lanes)} lanes, {seconds:.0f} s")  # fmt: skip
        print(result.comparison(), flush=True)
        print()
