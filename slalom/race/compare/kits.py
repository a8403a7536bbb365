"""What each comparison races: variants at a few strengths, the task where none is named, how long and over how many seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slalom.core.errors import BadValueError, unknown_name
from slalom.data.record import Data
from slalom.nets.activations import NAMES

Settings = dict[str, Any]

SAME_MODULE = ("swish",)  # of the catalogue, what is another's module under a second name
DIGITS_NOTE = (
    "digits cannot rank activations: there a linear network gets .964 and one with ReLU .965 (claim A1); spirals and teacher can"
)


@dataclass(frozen=True)
class Kit:
    """`tasks`: data where none is named, the first in Python, all one after another on the command line.

    `settings(data)`: the variants. `baseline`: the method that the others are held against. `seeds`, `epochs`, `batch_size`,
    `model`: where not told.
    """

    name: str
    tasks: tuple[str, ...]
    baseline: str
    settings: Callable[[Data], list[Settings]]
    notes: Callable[[Data], list[str]]
    rules: tuple[str, ...] = ("adam",)
    seeds: int = 10
    epochs: int = 60
    batch_size: int = 64
    model: str | None = None


def _regularisation(data: Data) -> list[Settings]:
    image = len(data.input_shape) == 3 or any(name.startswith("pixel") for name in data.features[:1])
    classes = data.task == "classification"
    found: list[Settings] = [{}]
    found += [{"l1": s} for s in (0.001, 0.003, 0.01)]
    found += [{"l2": s} for s in (0.01, 0.03, 0.1)]
    found += [{"l1": s, "l2": 10 * s} for s in (0.001, 0.003)]
    found += [{"weight_decay": s} for s in (0.1, 1.0, 3.0)]
    found += [{"dropout": p} for p in (0.2, 0.5)]
    found += [{"batch_norm": True}, {"width": 0.25}]
    found += [{"early_stopping": {"patience": n}} for n in (3, 10)]
    found += [{"augment": text} for text in ("noise=0.1", "noise=0.3", *(["shift=1"] if image else ["feature_drop=0.1"]))]
    found += [{"augment": "mixup=0.2"}, {"label_smoothing": 0.1}] if classes else []
    return found


def _activations(data: Data) -> list[Settings]:
    return [{"activation": name} for name in NAMES if name not in SAME_MODULE]


def _activation_notes(data: Data) -> list[str]:
    return [DIGITS_NOTE] if data.name == "digits" else []


KITS = {
    kit.name: kit
    for kit in (
        Kit("regularisation", ("noisy_digits",), "none", _regularisation, lambda data: [], epochs=80, batch_size=32),
        Kit("activations", ("spirals", "teacher"), "relu", _activations, _activation_notes, model="mlp:32,32,32"),
    )
}


def kit_of(name: str) -> Kit:
    """The comparison of that name."""
    if name not in KITS:
        raise unknown_name("comparison", name, KITS)
    return KITS[name]


def filled_in(name: str, given: dict[str, Any], axes: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a race with what the comparison says where nothing was given.

    BadValueError where an axis is named too, since a comparison brings its own.
    """
    kit = kit_of(name)
    named = [k for k, v in axes.items() if v is not None]
    if named:
        raise BadValueError(f"compare={name!r} brings its own variants; leave out {', '.join(named)}, or race without compare")
    own = {"data": kit.tasks[0], "rules": list(kit.rules), "seeds": kit.seeds, "epochs": kit.epochs, "batch_size": kit.batch_size}
    own["model"] = kit.model
    return {k: own.get(k) if v is None else v for k, v in given.items()}
