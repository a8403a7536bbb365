"""What the playground offers: every built-in rule with its hypers, every surface with its start, minima and rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import slalom.rules  # noqa: F401  (they register themselves)
from slalom.core.rule import REGISTRY, Settings
from slalom.engines.lanes.lane import momentum_hyper
from slalom.landscape.surfaces import surfaces


@dataclass(frozen=True)
class PlayRule:
    """A rule at its defaults. `momentum`: the hyper that is one, None where there is none. `colour`: its place in the palette."""

    name: str
    hypers: Mapping[str, float]
    momentum: str | None
    colour: int


@dataclass(frozen=True)
class PlaySurface:
    """A surface, unturned. `lrs`: by rule, picked by hand. `rows`, `batch`: of one whose steps see a part of the data."""

    name: str
    title: str
    text: str
    about: str
    goal: str
    box: tuple[float, float, float, float]
    start: tuple[float, float]
    steps: int
    lrs: Mapping[str, float]
    minima: Sequence[tuple[float, float]]
    saddles: Sequence[tuple[float, float]]
    log: bool
    rows: Sequence[Sequence[float]] | None
    batch: int | None


@dataclass(frozen=True)
class PlayFigure:
    """The playground's rules and surfaces."""

    rules: tuple[PlayRule, ...]
    surfaces: tuple[PlaySurface, ...]


@cache
def played_rules() -> tuple[Settings, ...]:
    """The built-in rules at their defaults: those that the surfaces name first, in their order."""
    named = [name for surface in surfaces() for name in surface.lrs]
    built_in = [name for name, rule in REGISTRY.items() if rule.update.__module__.startswith("slalom.rules.")]
    return tuple(REGISTRY[name]() for name in dict.fromkeys([*named, *sorted(built_in)]) if name in built_in)


def build_playground(coloured: Sequence[str] = ()) -> PlayFigure:
    """The playground's figure. `coloured`: names that have colours already, such as a race's rules; the others come after."""
    names = [settings.rule.name for settings in played_rules()]
    colours = {name: k for k, name in enumerate(dict.fromkeys([*coloured, *names]))}
    rules = tuple(PlayRule(s.rule.name, dict(s.values), momentum_hyper(s), colours[s.rule.name]) for s in played_rules())
    return PlayFigure(rules, _surfaces())


@cache
def _surfaces() -> tuple[PlaySurface, ...]:
    return tuple(
        PlaySurface(
            s.name, s.title, s.text, s.about, s.goal.words, s.box, s.start, s.steps, dict(s.lrs), s.minima, s.saddles, s.log,
            None if s.data is None else s.data.tolist(), s.batch,
        )
        for s in surfaces()
    )  # fmt: skip
