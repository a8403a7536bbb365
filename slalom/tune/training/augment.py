"""A configuration's augmentation: a spec such as `noise=.1` or `shift=1+noise=.1`, drawn by (seed, step)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from slalom.core.errors import BadValueError
from slalom.data.record import Data
from slalom.engines.lanes.losses import Loss
from slalom.nets.augment_spec import parse_augment
from slalom.nets.augmentation import Augment
from slalom.race.variants.augment import augment_for, augment_text, softens
from slalom.race.variants.made import SoftCrossEntropy, like


def augment_of(config: Mapping[str, Any], data: Data) -> tuple[Augment | None, str]:
    """What the configuration's batches are changed by, and a note where the data's shape was guessed."""
    given = config.get("augment")
    if given is not None and not isinstance(given, str):
        raise BadValueError(f"augment must be none or a spec such as 'shift=1+noise=.1', got {given!r}")
    text = augment_text(given)
    if not text:
        return None, ""
    parse_augment(text)
    return augment_for(text, data)


def loss_of(augment: Augment | None, loss: str | Loss) -> str | Loss:
    """What is trained by: the search's loss, or one that takes shares of classes where samples are mixed."""
    if augment is None or not softens(augment):
        return loss
    if loss != "cross_entropy":
        raise BadValueError("augment: mixup goes with the loss cross_entropy alone; leave it out, or put it into your loss")
    return SoftCrossEntropy()


def batches_of(config: Mapping[str, Any], data: Data) -> Hashable:
    """What lanes of one program must have alike in their batches: shapes and kinds, as they come out."""
    augment, _ = augment_of(config, data)
    return None if augment is None else (like(augment, data), softens(augment))
