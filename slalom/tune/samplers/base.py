"""What samplers share: the history they read and the points they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from slalom.tune.space.space import Config


@dataclass(frozen=True)
class Past:
    """A trial as a sampler sees it: its whole point, and how it did.

    `value`: what is minimised, finite; None while it is under way. `epoch`: what it was trained for. `finished`: it ran to the
    end; else it was pruned, or diverged. `attrs`: what the sampler noted when it gave the point. `curve`: epochs at which it was
    measured, and what would have been minimised there.
    """

    number: int
    point: Config
    value: float | None = None
    epoch: int = 0
    finished: bool = False
    attrs: dict[str, Any] = field(default_factory=dict)
    curve: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Asked:
    """A point to try, and what the sampler wants to be reminded of (plain data)."""

    point: Config
    attrs: dict[str, Any] = field(default_factory=dict)


class Sampler(Protocol):
    """`name`: for people. `ask` reads the whole history, so that a resumed search goes on as one that was not stopped."""

    name: str

    def ask(self, count: int, history: Sequence[Past]) -> list[Asked]:
        """The next points; fewer, or none, where the sampler has no more."""
        ...
