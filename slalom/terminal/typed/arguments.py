"""What is typed on the command line, as the values that `slalom.race` takes; needs nothing but Python.

A wrong text raises ValueError with a sentence on what is allowed; the command line turns it into a usage error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

OPENING, CLOSING = "([{", ")]}"


def _top_level(text: str, mark: str) -> list[int]:
    """Where `mark` stands outside brackets and quotes."""
    places: list[int] = []
    depth, quote = 0, ""
    for i, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in OPENING:
            depth += 1
        elif letter in CLOSING:
            depth -= 1
            if depth < 0:
                raise ValueError(f"{text!r} closes a bracket that it never opened")
        elif letter == mark and not depth:
            places.append(i)
    if depth or quote:
        raise ValueError(f"{text!r} leaves a {'quote' if quote else 'bracket'} open")
    return places


def split(text: str) -> list[str]:
    """The parts between commas, leaving commas inside brackets and quotes alone.

    >>> split("sgd, adam(amsgrad=True, b2=0.99)")
    ['sgd', 'adam(amsgrad=True, b2=0.99)']
    """
    ends = [*_top_level(text, ","), len(text)]
    starts = [0, *(e + 1 for e in ends[:-1])]
    return [part for a, b in zip(starts, ends, strict=True) if (part := text[a:b].strip())]


def rules(text: str | None) -> list[str] | None:
    """The rules of `--rules`; None is the race's own default set."""
    if text is None:
        return None
    named = split(text)
    if not named:
        raise ValueError("--rules names no rule; write for example: sgd,adam,'adam(amsgrad=True)'")
    return named


def rates(text: str) -> list[float]:
    """Learning rates with commas between them.

    >>> rates(".1,1e-2")
    [0.1, 0.01]
    """
    found = []
    for part in split(text):
        try:
            rate = float(part)
        except ValueError:
            raise ValueError(f"{part!r} is not a learning rate; write for example: 0.1,0.01") from None
        if not (math.isfinite(rate) and rate >= 0):
            raise ValueError(f"a learning rate must be in [0, inf), got {part}")
        found.append(rate)
    if not found:
        raise ValueError(f"{text!r} holds no learning rate; write for example: 0.1,0.01 or adam=0.001,0.003")
    return found


def learning_rates(texts: Sequence[str]) -> list[float] | dict[str, list[float]] | None:
    """`[RULE=]LR,LR,...`, once or several times: for every rule, or for the one that is named.

    >>> learning_rates([".1,.01"])
    [0.1, 0.01]
    >>> learning_rates(["adam=.001,.01", "adam(b1=0.5)=.01"])
    {'adam': [0.001, 0.01], 'adam(b1=0.5)': [0.01]}
    """
    if not texts:
        return None
    named: dict[str, list[float]] = {}
    for text in texts:
        equals = _top_level(text, "=")
        if not equals:
            if len(texts) > 1:
                raise ValueError(
                    f"{text!r} is meant for every rule, but --lrs is given {len(texts)} times; "
                    "give it once, or name the rule each time: --lrs adam=0.001,0.01 --lrs sgd=0.1"
                )
            return rates(text)
        rule, values = text[: equals[0]].strip(), text[equals[0] + 1 :]
        if not rule:
            raise ValueError(f"{text!r} names no rule before '='; write for example: adam=0.001,0.01")
        if rule in named:
            raise ValueError(f"--lrs names {rule} twice")
        named[rule] = rates(values)
    return named


def rate_or_band(texts: Sequence[str]) -> float | list[float] | dict[str, list[float]] | None:
    """As `learning_rates`, a single rate for every rule as itself.

    >>> rate_or_band([".1"]), rate_or_band([".1,.01"])
    (0.1, [0.1, 0.01])
    """
    found = learning_rates(texts)
    return found[0] if isinstance(found, list) and len(found) == 1 else found


def point(text: str) -> tuple[float, float]:
    """Two numbers with a comma between them.

    >>> point("-1, 1e-3")
    (-1.0, 0.001)
    """
    try:
        x, y = map(float, split(text))
    except ValueError:
        raise ValueError(f"a point is two numbers, such as -1,0.5; got {text!r}") from None
    return x, y


def seeds(text: str) -> int | list[int]:
    """How many (`3`), or which (`0,1,2`; one alone is written `7,`).

    >>> seeds("3"), seeds("0,1,2"), seeds("7,")
    (3, [0, 1, 2], [7])
    """
    try:
        whole = [int(part) for part in split(text)]
    except ValueError:
        raise ValueError(f"--seeds must be how many (3) or which (0,1,2), got {text!r}") from None
    if not whole or min(whole) < 0 or (whole == [0] and "," not in text):
        raise ValueError(f"--seeds must be at least one, none below 0, got {text!r}")
    return whole if "," in text else whole[0]


def sizes(text: str) -> list[int]:
    """Whole numbers of rows with commas between them.

    >>> sizes("50,100")
    [50, 100]
    """
    try:
        return [int(part) for part in split(text)]
    except ValueError:
        raise ValueError(f"--sizes must be whole numbers of rows, such as 50,100,200; got {text!r}") from None


def batch_size(text: str) -> int | str:
    """A whole number from 1, or `full` for the whole training part.

    >>> batch_size("64"), batch_size("full")
    (64, 'full')
    """
    if text == "full":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"--batch-size must be a whole number from 1, or 'full', got {text!r}")
    return int(text)


def configurations(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Configurations, one a text: `lr=.01,optimizer=adam`; numbers, true and false are read as such.

    >>> configurations(["lr=.01,layers=2,optimizer=adam"])
    [{'lr': 0.01, 'layers': 2, 'optimizer': 'adam'}]
    """
    out = []
    for text in texts:
        one: dict[str, Any] = {}
        for part in split(text):
            name, equals, value = part.partition("=")
            if not equals or not name.strip() or not value.strip():
                raise ValueError(f"write NAME=VALUE with commas between, such as lr=.01,layers=2; got {text!r}")
            one[name.strip()] = _value(value.strip())
        out.append(one)
    return out


def _value(text: str) -> bool | int | float | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
