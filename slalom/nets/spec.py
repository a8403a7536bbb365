"""The language of model specs: `mlp:64,64:relu:dropout=.2:batchnorm`, parts in any order after the kind."""

from __future__ import annotations

import re
from dataclasses import dataclass

from slalom.core.errors import BadValueError, UnknownNameError, unknown_name
from slalom.nets.activations import NAMES

KINDS = {
    "mlp": "fully connected layers: mlp:64,64:relu, with dropout=.2, batchnorm",
    "linear": "one linear layer, without activation",
    "cnn": "3x3 convolutions, each halving the image, then a linear layer: cnn:8,16:relu, with dropout=.2, batchnorm",
}


@dataclass(frozen=True)
class Spec:
    """A model spec taken apart; `widths` is None where it is left to the data."""

    kind: str
    widths: tuple[int, ...] | None = None
    activation: str = "relu"
    dropout: float = 0.0
    batchnorm: bool = False

    @property
    def extras(self) -> str:
        """Dropout and batch normalisation as they are written in a spec."""
        return f":dropout={self.dropout!r}" * bool(self.dropout) + ":batchnorm" * self.batchnorm

    def __str__(self) -> str:
        if self.kind == "linear" or self.widths is None:
            return self.kind
        return f"{self.kind}:{','.join(map(str, self.widths))}:{self.activation}{self.extras}"


def parse(text: str) -> Spec:
    """The parts of a spec.

    >>> parse("mlp:64,32:tanh:dropout=.2")
    Spec(kind='mlp', widths=(64, 32), activation='tanh', dropout=0.2, batchnorm=False)
    """
    kind, *parts = (part.strip() for part in text.split(":"))
    if kind not in KINDS:
        raise UnknownNameError(
            f"{unknown_name('model', kind, KINDS)}; a function of your own is given as package.module:function"
        )
    if kind == "linear" and parts:
        raise BadValueError(
            f"model {text!r}: linear takes no further parts; write just 'linear', or mlp:64:identity for a hidden layer"
        )
    found: dict[str, object] = {}
    for part in parts:
        key, value = _part(part, text)
        if key in found:
            raise BadValueError(f"model {text!r}: {key} is given twice")
        found[key] = value
    return Spec(kind, **found)  # type: ignore[arg-type]


def _part(part: str, text: str) -> tuple[str, object]:
    if re.fullmatch(r"[-+\d\s,.]+", part):
        return "widths", _widths(part, text)
    if part == "batchnorm":
        return "batchnorm", True
    key, equals, value = (word.strip() for word in part.partition("="))
    if equals and key == "dropout":
        return "dropout", _dropout(value, text)
    if not equals and part in NAMES:
        return "activation", part
    kind = "part of a model" if equals or not part else "activation or part of a model"
    raise unknown_name(kind, part, [*NAMES, "batchnorm", "dropout=.2", "64,64"])


def _widths(part: str, text: str) -> tuple[int, ...]:
    words = [word.strip() for word in part.split(",")]
    if not all(word.isdecimal() and int(word) >= 1 for word in words):
        raise BadValueError(
            f"model {text!r}: sizes must be whole numbers >= 1 with commas between them, such as 64,64; got {part!r}"
        )
    return tuple(int(word) for word in words)


def _dropout(value: str, text: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise BadValueError(f"model {text!r}: dropout must be a share in [0, 1), got {value!r}")
    return share
