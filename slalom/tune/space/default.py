"""The space of a search when nobody names one: what usually matters, within what usually works."""

from __future__ import annotations

import math
from typing import Any

from slalom.core.rule import get_rule
from slalom.data.record import Data
from slalom.race.entrants import entrant
from slalom.tune.space.params import Categorical, Float, Int, Param
from slalom.tune.space.rules import hyper_param, lr_param, rule_name

OPTIMIZERS = ("momentum", "nag", "adam", "adamw", "rmsprop")
FIRST = {"momentum": "momentum", "nag": "momentum", "adam": "b1", "adamw": "b1"}  # the hyper of each that is worth a look
ACTIVATIONS = ("relu", "tanh", "elu", "silu")
SCHEDULES = ("constant", "cosine")
SMALLEST_BATCH, LARGEST_BATCH = 16, 256


def training_space(data: Data, optimizers: tuple[str, ...] = OPTIMIZERS) -> dict[str, Param]:
    """Optimizer, learning rate, weight decay, batch size, schedule, and beside each optimizer its momentum."""
    rates = [lr_param(entrant(name)) for name in optimizers]
    made: dict[str, Param] = {
        "optimizer": Categorical(list(optimizers)),
        "lr": Float(min(r.low for r in rates), max(r.high for r in rates), log=True),
        "weight_decay": hyper_param(get_rule("sgd").hypers["weight_decay"], "weight_decay"),
        "batch_size": batch_param(len(data.train)),
        "schedule": Categorical(list(SCHEDULES)),
    }
    for name in optimizers:
        if name in FIRST:
            hyper = FIRST[name]
            made[f"{rule_name(name)}.{hyper}"] = hyper_param(get_rule(name).hypers[hyper], hyper)
    return made


def batch_param(rows: int) -> Param:
    """Powers of two from 16 to 256, at most an eighth of the training rows."""
    high = 2 ** int(math.log2(max(min(LARGEST_BATCH, rows / 8), 2)))
    low = min(SMALLEST_BATCH, high // 2)
    return Int(low, high, powers=True)


def mlp_space(data: Data) -> dict[str, Param]:
    """Depth, width, activation and dropout of an MLP for these data."""
    inputs = math.prod(data.input_shape)
    widest = max(64, min(256, 2 ** math.ceil(math.log2(max(4 * inputs, 2)))))
    return {
        "layers": Int(1, 3),
        "units": Int(8, widest, log=True),
        "activation": Categorical(list(ACTIVATIONS)),
        "dropout": Float(0.0, 0.5),
    }


def default_space(data: Data, declared: dict[str, Param] | None, *, mlp: bool, fixed_shape: bool) -> dict[str, Any]:
    """Training beside the model's own parameters: an MLP's unless its shape was given, a factory's as it declares them."""
    shape = mlp_space(data) if mlp and not fixed_shape else {}
    return {**training_space(data), **shape, **(declared or {})}
