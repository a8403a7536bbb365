"""The language of augmentation specs: `shift=1+noise=.1`, one way after another."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from slalom.core.errors import BadValueError, unknown_name
from slalom.nets.augmentation import Augment, Crop, Cutout, FeatureDrop, Mixup, Noise, Rotate, Shift

WAYS: dict[str, tuple[Any, str]] = {
    "noise": (Noise, "Gaussian noise of that standard deviation"),
    "feature_drop": (FeatureDrop, "each entry of a table is left out with that probability"),
    "shift": (Shift, "images move by up to so many pixels"),
    "rotate": (Rotate, "images turn by up to so many degrees"),
    "cutout": (Cutout, "a square of that side is left out of each image"),
    "mixup": (Mixup, "samples are mixed in pairs, labels too, in shares drawn from Beta(alpha, alpha)"),
    "crop": (Crop, "a window of so many steps of each sequence"),
}


def parse_augment(text: str) -> Augment:
    """The augmentation that a spec stands for; a way without a number has its default.

    >>> parse_augment("shift=1+noise=.1")
    Augment(Shift(pixels=1, fill=0.0), Noise(std=0.1))
    """
    made = []
    for part in text.split("+"):
        name, equals, value = (word.strip() for word in part.partition("="))
        if name not in WAYS:
            raise unknown_name("augmentation", name, WAYS)
        kind = WAYS[name][0]
        first = fields(kind)[0]
        if not equals:
            if name == "crop":
                raise BadValueError("augment: crop needs its length in steps: crop=20")
            made.append(kind())
            continue
        try:
            made.append(kind(int(value) if first.type == "int" else float(value)))
        except ValueError as error:
            if isinstance(error, BadValueError):
                raise
            needed = "a whole number" if first.type == "int" else "a number"
            raise BadValueError(f"augment: {name} must be {needed}, got {value!r}") from None
    return Augment(*made)


def augment_spec(augment: Augment) -> str | None:
    """The spec that gives this augmentation again; None where no spec does (ways of your own, other fillings)."""
    names = {kind: name for name, (kind, _) in WAYS.items()}
    if augment.image is not None or any(type(t) not in names for t in augment.transforms):
        return None
    text = "+".join(f"{names[type(t)]}={getattr(t, fields(t)[0].name):g}" for t in augment.transforms)  # type: ignore[arg-type]
    return text if repr(parse_augment(text)) == repr(augment) else None
