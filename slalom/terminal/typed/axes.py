"""What is typed for the axes of a race, as the values that `slalom.race` takes; needs nothing but Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slalom.terminal.typed.arguments import split

Parse = Callable[[str], Any]
NONE = ("none", "no", "off")


def numbers(option: str) -> Parse:
    """A parser of numbers with commas between them: one is a value, several are an axis.

    >>> numbers("--dropout")("0,.2,.5"), numbers("--l2")("none,.01")
    ([0.0, 0.2, 0.5], [0.0, 0.01])
    """

    def parse(text: str) -> list[float]:
        try:
            found = [0.0 if part in NONE else float(part) for part in split(text)]
        except ValueError:
            raise ValueError(f"{option} must be numbers with commas between them, such as 0,.01,.1, got {text!r}") from None
        if not found:
            raise ValueError(f"{option} names no value; write for example: {option} 0,.1")
        return found

    return parse


def strengths(text: str) -> list[Any]:
    """Numbers for `--l1`, or `subgradient(.01)`.

    >>> strengths("0,.01,subgradient(.01)")
    [0.0, 0.01, 'subgradient(.01)']
    """
    return [part if part.startswith("subgradient(") else numbers("--l1")(part)[0] for part in _parts(text, "--l1", "0,.01")]


def pairs(text: str) -> list[Any]:
    """Pairs l1/l2 for `--elastic-net`.

    >>> pairs("none,.001/.01")
    [None, (0.001, 0.01)]
    """
    found: list[Any] = []
    for part in _parts(text, "--elastic-net", "none,.001/.01"):
        ends = part.split("/")
        try:
            found.append(None if part in NONE else (float(ends[0]), float(ends[1])))
        except (ValueError, IndexError):
            raise ValueError(f"--elastic-net must be pairs l1/l2 such as .001/.01, got {part!r}") from None
        if len(ends) > 2:
            raise ValueError(f"--elastic-net must be pairs l1/l2 such as .001/.01, got {part!r}")
    return found


def switches(text: str) -> list[bool]:
    """`yes`, `no` or both for `--batch-norm`.

    >>> switches("no,yes")
    [False, True]
    """
    known = {"yes": True, "on": True, "no": False, "off": False, "none": False}
    found = _parts(text, "--batch-norm", "no,yes")
    for part in found:
        if part not in known:
            raise ValueError(f"--batch-norm must be yes, no, or no,yes, got {part!r}")
    return [known[part] for part in found]


def names(option: str) -> Parse:
    """A parser of names with commas between them; `none` is a value too."""
    return lambda text: [None if part in NONE else part for part in _parts(text, option, "none")]


def patience(text: str) -> list[int]:
    """Numbers of epochs for `--early-stopping`; 0 or `none` runs to the end.

    >>> patience("none,5")
    [0, 5]
    """
    found = numbers("--early-stopping")(text)
    for n in found:
        if n != int(n) or n < 0:
            raise ValueError(f"--early-stopping must be whole numbers of epochs, such as 5 or 0,5, got {text!r}")
    return [int(n) for n in found]


def _parts(text: str, option: str, example: str) -> list[str]:
    found = split(text)
    if not found:
        raise ValueError(f"{option} names no value; write for example: {option} {example}")
    return found


PARSERS: dict[str, Parse] = {
    "activation": names("--activation"), "width": numbers("--width"), "batch_norm": switches,
    "dropout": numbers("--dropout"), "l1": strengths,
    "l2": numbers("--l2"), "elastic_net": pairs, "weight_decay": numbers("--weight-decay"), "augment": names("--augment"),
    "label_smoothing": numbers("--label-smoothing"), "early_stopping": patience,
}  # fmt: skip
