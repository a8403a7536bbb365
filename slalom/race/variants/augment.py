"""Augmentation in a race: from what is given to a text for the plan, and from there to what suits the data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from slalom.core.errors import BadValueError
from slalom.data.record import Data
from slalom.nets.augment_spec import augment_spec, parse_augment
from slalom.nets.augmentation import IMAGES, Augment, Mixup
from slalom.nets.cnn import image_shape

# Augmentations given as objects that no spec stands for, by their text; a race that holds one is handed it again to resume.
_handed_in: dict[str, Augment] = {}

SMALLEST_IMAGE = 16  # inputs in a flat row below which it is taken for a table


def augment_text(given: Any) -> str:
    """How an augmentation stands in the plan: a spec, or the text of an object; nothing for none."""
    if given is None or given in ("", "none"):
        return ""
    if isinstance(given, str):
        return augment_spec(parse_augment(given)) or given
    made = given if isinstance(given, Augment) else Augment(given) if callable(given) else None
    if made is None:
        raise BadValueError(f"augment must be a spec such as 'shift=1+noise=.1', or an Augment or one of its ways; got {given!r}")
    text = augment_spec(made)
    if text is None:
        text = ", ".join(map(_named, made.transforms))
        _handed_in[text] = made
    return text


def _named(transform: Any) -> str:
    return getattr(transform, "__name__", None) or repr(transform).split(" object at ")[0].strip("<")


def needs_object(text: str) -> bool:
    """Whether no spec stands for it, so that a resumed race has to be handed it again."""
    try:
        parse_augment(text)
    except LookupError:
        return True
    return False


def augment_for(text: str, data: Data) -> tuple[Augment, str]:
    """The augmentation as these data need it, and a note where their shape was guessed."""
    if needs_object(text):
        if text not in _handed_in:
            raise BadValueError(
                f"this race was started from Python with its own augmentation {text}; resume it with "
                "slalom.resume(directory, augment=...)"
            )
        made = _handed_in[text]
    else:
        made = parse_augment(text)
    classes = data.output_size if data.task == "classification" else None
    ways = [Mixup(t.alpha, classes) if isinstance(t, Mixup) and t.classes is None else t for t in made.transforms]
    image, note = made.image, ""
    if image is None and len(data.input_shape) != 3 and any(isinstance(t, IMAGES) for t in ways):
        try:
            if math.prod(data.input_shape) < SMALLEST_IMAGE:  # a table whose number of columns happens to be a square
                raise BadValueError(f"{list(data.input_shape)} is no image")
            image, _, guessed = image_shape(data.input_shape)
        except BadValueError:
            raise BadValueError(
                f"augment: {text} wants images, and the inputs of {data.name} are {list(data.input_shape)}; use noise or "
                "feature_drop"
            ) from None
        note = f"augment: {guessed or f'inputs {list(data.input_shape)} are read as images'}"
    return Augment(*ways, image=image), note


def softens(augment: Augment) -> bool:
    """Whether class numbers become shares of classes."""
    return any(isinstance(t, Mixup) and t.classes is not None for t in augment.transforms)


def hand_in(given: Any) -> Mapping[str, Augment]:
    """Takes up the augmentations of a race that is resumed."""
    for one in given if isinstance(given, list | tuple) else [given]:
        augment_text(one)
    return _handed_in
