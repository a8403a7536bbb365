"""What a configuration says of training, and the lane it makes: rule, hypers, schedule, clipping, penalty."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slalom.core.errors import BadValueError, unknown_name
from slalom.core.penalty import Penalty
from slalom.core.rule import get_rule
from slalom.engines.lanes import Lane
from slalom.nets.initialisation.initialise import METHODS
from slalom.race.entrants import Entrant, entrant
from slalom.race.heat import own_schedule
from slalom.race.prepare import batch_rows
from slalom.schedules import resolve
from slalom.tune.space.space import Space

# Words that any configuration may hold, and what they are when it does not; hypers of the rules come beside them.
WORDS: dict[str, Any] = {
    "optimizer": "adam", "lr": None, "batch_size": 64, "epochs": None, "schedule": None, "warmup": 0, "clip": None, "l1": 0.0,
    "initialisation": "default", "augment": "none",
}  # fmt: skip
INITIALISATIONS = ("default", *(m for m in METHODS))


@functools.lru_cache(maxsize=256)
def _entrant(text: str) -> Entrant:
    return entrant(text)


def hypers_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The hypers that the configuration's optimizer gets: its own (`adam.b1`), and plain ones that it has (`weight_decay`)."""
    text = str(config.get("optimizer") or WORDS["optimizer"])
    one = _entrant(text)
    prefix = text.partition("(")[0].strip() + "."
    own = {k.removeprefix(prefix): v for k, v in config.items() if k.startswith(prefix)}
    known = set() if one.is_torch else {*get_rule(one.target).hypers, *get_rule(one.target).options}
    plain = {k: v for k, v in config.items() if k in known and k not in WORDS}  # `schedule` is a hyper of some rules
    if config.get("lr") is not None and "lr" not in own:
        own["lr"] = config["lr"]
    return {**plain, **own}


@dataclass(frozen=True)
class Training:
    """How one configuration trains on `n` rows: its batch size, steps an epoch, and epochs (at most those of the search)."""

    batch_size: int
    epochs: int
    per_epoch: int

    @classmethod
    def of(cls, config: Mapping[str, Any], n: int, most: int, defaults: Mapping[str, Any]) -> Training:
        """Read off the configuration, checked."""
        size = batch_rows(config.get("batch_size") or defaults.get("batch_size", WORDS["batch_size"]), n)
        epochs = config.get("epochs") or most
        if isinstance(epochs, bool) or not isinstance(epochs, int) or not 1 <= epochs <= most:
            raise BadValueError(f"epochs of a configuration must be a whole number in [1, {most}], got {epochs!r}")
        return cls(size, epochs, -(-n // size))


def lane_of(config: Mapping[str, Any], training: Training, seed: int) -> Lane:
    """The lane of a configuration; errors name what is wrong with it."""
    one = _entrant(str(config.get("optimizer") or WORDS["optimizer"]))
    optimizer = Entrant(one.target, {**one.hypers, **hypers_of(config)}).optimizer(None)
    spec = config.get("schedule") or None
    warmup = config.get("warmup") or 0
    if warmup:
        spec = f"warmup:{warmup}" + (f",{spec}" if spec else "")
    schedule = None if spec is None else resolve(spec, training.epochs * training.per_epoch, training.per_epoch)
    penalty = Penalty(l1=float(config["l1"])) if config.get("l1") else None
    return Lane(optimizer, seed, own_schedule(schedule, optimizer), config.get("clip"), penalty)


def check_names(space: Space, model_names: set[str]) -> None:
    """UnknownNameError for a parameter that nothing would read: neither training, nor the model, nor any rule of the space."""
    chooser = space.params.get("optimizer")
    fixed = space.fixed.get("optimizer", WORDS["optimizer"])
    texts = [str(c) for c in chooser.choices] if chooser is not None and hasattr(chooser, "choices") else [str(fixed)]
    rules = [_entrant(t) for t in texts]
    hypers = {k for r in rules if not r.is_torch for k in (*get_rule(r.target).hypers, *get_rule(r.target).options)}
    prefixes = {t.partition("(")[0].strip(): r for t, r in zip(texts, rules, strict=True)}
    for name in [*space.params, *space.fixed]:
        rule, dot, hyper = name.partition(".")
        if dot:
            if rule not in prefixes:
                raise unknown_name(f"optimizer of the space, for {name},", rule, prefixes)
            one = prefixes[rule]
            if not one.is_torch and hyper not in get_rule(one.target).hypers and hyper not in get_rule(one.target).options:
                raise unknown_name(f"hyper of {one.target}", hyper, [*get_rule(one.target).hypers, *get_rule(one.target).options])
        elif name not in WORDS and name not in model_names and name not in hypers:
            raise unknown_name("parameter that training or the model would read", name, {*WORDS, *model_names, *hypers})
    choices = (
        space.params["initialisation"].grid(99) if "initialisation" in space else [space.fixed.get("initialisation", "default")]
    )
    for choice in choices:
        if choice not in INITIALISATIONS:
            raise unknown_name("initialisation", str(choice), INITIALISATIONS)
