"""The digits MLP with 9 hypers, the same for both sides, and the target."""

from __future__ import annotations

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
POOL, POOL_SEED, SHARE = 500, 90210, 0.02  # the target is what the best 2 % of so many random runs come to
