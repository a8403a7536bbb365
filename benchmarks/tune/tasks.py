"""What is searched: an MLP with 9 hypers on three data sets, the same for every side, and the targets."""

from __future__ import annotations

import json
import math
from pathlib import Path

import slalom
from slalom.data.record import Data
from slalom.tune import Categorical, Float, Int, Space

EPOCHS = 27
SPACE = Space(
    {
        "optimizer": Categorical(["momentum", "adam"]), "lr": Float(1e-4, 1, log=True),
        "weight_decay": Float(1e-6, 1e-2, log=True),
        "batch_size": Int(16, 256, powers=True), "layers": Int(1, 3), "units": Int(16, 256, log=True),
        "activation": Categorical(["relu", "tanh", "silu"]), "dropout": Float(0.0, 0.5),
        "schedule": Categorical(["constant", "cosine"]),
    }
)  # fmt: skip
TASKS = ("digits", "spirals", "breast_cancer")
# The target is what the best 2 % of so many random runs come to. A search's trials see the data in one order, which moves them
# all together: of 500 runs in one order 2 % came to 0.0798 on digits, a loss that 3.4 % of 500 runs in five orders came to.
POOL, SHARE = 500, 0.02
POOL_SEEDS = tuple(range(70_000, 70_005))
TARGETS = Path(__file__).parent / "target.json"


def data_of(task: str) -> Data:
    """The data, split as `slalom.tune` splits them."""
    return slalom.data.load(task)


def target(task: str) -> float:
    """What the best 2 % of the random runs come to; worked out once, before anything is compared, and kept."""
    kept = json.loads(TARGETS.read_text())
    if task not in kept:
        values: list[float] = []
        for seed in POOL_SEEDS:
            found = slalom.tune(
                data=task, space=SPACE, budget=POOL // len(POOL_SEEDS), method="random", halving=None, epochs=EPOCHS, lanes=100,
                seed=seed, finalists=1, seeds=1,
            )  # fmt: skip
            values += [float(t.value) for t in found.trials if t.value is not None]
        values.sort()
        kept[task] = {
            "target": values[math.ceil(SHARE * POOL) - 1],
            "runs": POOL,
            "seeds": list(POOL_SEEDS),
            "values": values[:20],
        }
        TARGETS.write_text(json.dumps(kept, indent=1) + "\n")
    return float(kept[task]["target"])
