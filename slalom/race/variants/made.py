"""What a rule of the plan is run with: its model, its training loss, its augmentation; and which rules share a heat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slalom.core.errors import BadValueError
from slalom.core.penalty import Penalty
from slalom.data.record import Data
from slalom.engines.lanes.losses import Loss
from slalom.nets.augmentation import Augment
from slalom.nets.factory import Factory
from slalom.race.variants.augment import augment_for, softens
from slalom.race.variants.models import Architecture, architecture, model_for

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    """`key`: lanes of one key are of one program. `loss`: what is trained by; measured is always the race's own."""

    factory: Callable[[], nn.Module]
    loss: str | Loss
    augment: Augment | None = None
    key: tuple[Any, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class SoftCrossEntropy:
    """Cross-entropy of one lane against class numbers or shares, with label smoothing: the sum of both libraries' words."""

    smoothing: float = 0.0

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(outputs, targets, label_smoothing=self.smoothing)


def make(variants: Sequence[Settings], factory: Factory, data: Data, loss: str | Loss) -> list[Made]:
    """Of each variant; models of one architecture are one factory."""
    factories: dict[Architecture, Factory] = {}
    augments: dict[str, tuple[Augment, str]] = {}
    made = []
    for settings in variants:
        wanted = architecture(settings)
        if wanted not in factories:
            factories[wanted] = model_for(factory, wanted, data)
        text = settings.get("augment", "")
        if text and text not in augments:
            augments[text] = augment_for(text, data)
        augment, note = augments.get(text, (None, ""))
        smoothing = settings.get("label_smoothing", 0.0)
        soft = augment is not None and softens(augment)
        for name, on in (("label_smoothing", bool(smoothing)), ("augment: mixup", soft)):
            if on and loss != "cross_entropy":
                raise BadValueError(f"{name} goes with the loss cross_entropy alone; leave it out, or put it into your loss")
        own: str | Loss = SoftCrossEntropy(smoothing) if smoothing or soft else loss
        kind = like(augment, data)
        # A model of one's own is one architecture, but lanes that bring their own dropout are another program.
        made.append(Made(factories[wanted], own, augment, (wanted, smoothing, kind), note))
    return made


def like(augment: Augment | None, data: Data) -> Any:
    """What lanes that share batches must have alike: the shapes and kinds that come out."""
    if augment is None:
        return None
    rows = slice(0, 2)
    x, y = example(augment, data.train.x[rows], data.train.y[rows])
    return tuple(x.shape[1:]), tuple(y.shape[1:]), str(y.dtype)


def example(augment: Augment | None, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """A batch as a lane will see it."""
    if augment is None:
        return x, y
    try:
        return augment(x, y, seed=0, step=0)
    except (RuntimeError, TypeError, IndexError) as error:
        raise BadValueError(f"augment: {augment!r} cannot change a batch {list(x.shape)}: {error}") from error


def penalty_of(settings: Settings) -> Penalty | None:
    """The penalty of a variant's lanes."""
    l1, l2 = settings.get("l1", 0.0), settings.get("l2", 0.0)
    return Penalty(l1, l2, settings.get("l1_method", "proximal")) if l1 or l2 else None


def decayed(settings: Settings, label: str, hypers: Mapping[str, Any], optimizer: Any) -> dict[str, Any]:
    """The rule's hypers with the variant's decoupled weight decay, which is the rule's own."""
    if "weight_decay" not in settings:
        return dict(hypers)
    twice = [k for k in ("weight_decay", "decoupled_weight_decay") if k in hypers]
    if twice:
        raise BadValueError(f"{label} has its own {twice[0]}; give weight_decay there or to the race, not both")
    cls = getattr(optimizer, "cls", None)
    known = set(optimizer.rule.hypers) | set(optimizer.rule.options) if cls is None else _arguments(cls)
    if "weight_decay" not in known or not ("decoupled_weight_decay" in known or (cls is torch.optim.AdamW)):
        raise BadValueError(f"weight_decay: {label} has no decoupled weight decay; use l2=, or a rule of Slalom")
    made = {**hypers, "weight_decay": settings["weight_decay"]}
    if settings["weight_decay"] and "decoupled_weight_decay" in known and cls is not torch.optim.AdamW:
        made["decoupled_weight_decay"] = True
    return made


def _arguments(cls: type[torch.optim.Optimizer]) -> set[str]:
    import inspect

    return set(inspect.signature(cls).parameters)
