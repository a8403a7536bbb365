"""A race's network, built again with its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from slalom.core.errors import BadDataError, BadValueError
from slalom.data import Data, load
from slalom.nets import build
from slalom.race.outcome import RaceResult
from slalom.race.plan import Plan


@dataclass(frozen=True)
class RunNetwork:
    """A lane of a race: its trained `model`, the race's `data` and `loss`; `label`: its rule, learning rate and seed."""

    model: nn.Module
    data: Data
    loss: Any
    label: str
    lane: int


def network_of(result: RaceResult, lane: int | None = None, *, model: Any = None, data: Any = None) -> RunNetwork:
    """The network of a lane, by default of the leader's best seed on validation.

    `model`, `data`: those of the race, where they were handed to it as Python objects. Errors: BadValueError, BadDataError.

    >>> import slalom
    >>> result = slalom.race("mlp:8", "iris", rules="adam", lrs=[0.01], seeds=2, epochs=3)
    >>> made = network_of(result)
    >>> made.label.startswith("adam, lr 0.01, seed")
    True
    """
    plan = Plan(**result.plan)
    for name, given, stored in (("model", model, plan.model), ("data", data, plan.data_source)):
        if not stored and given is None:
            raise BadValueError(f"this race was started from Python with its own {name}; give {name}=... again")
    if "loss" in plan.callables:
        raise BadValueError("this race was run with a loss of its own; give model, data and loss to loss_slice yourself")
    record = load(**plan.data_source) if plan.data_source else data if isinstance(data, Data) else load(data, **plan.data_options)
    if record.fingerprint != plan.data["fingerprint"]:
        raise BadDataError(f"the data {plan.data['name']!r} are not those that the race was run on; bring the old data back")
    number = _best(result) if lane is None else lane
    weights = result.weights(number)
    made = build(plan.model if plan.model else model, record)()
    made.load_state_dict(weights)
    found = next(one for one in result.lanes if one.lane == number)
    return RunNetwork(made, record, plan.loss, f"{found.rule}, lr {found.lr:.3g}, seed {found.seed}", number)


def _best(result: RaceResult) -> int:
    row, sign = result.best, -1 if result.higher_is_better else 1
    mine = [one for one in result.lanes if one.rule == row.rule and one.lr == row.lr and one.status == "finished"]
    return min(mine, key=lambda one: sign * one.val_metric).lane
