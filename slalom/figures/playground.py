"""What the playground offers: every built-in rule with its hypers, every surface with its start, minima and rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import slalom.rules  # noqa: F401  (they register themselves)
from slalom.core.rule import REGISTRY, Settings
from slalom.engines.lanes.lane import momentum_hyper
from slalom.landscape.paths.make import RULES
from slalom.landscape.surfaces import surfaces
from slalom.race.entrants import entrants


@dataclass(frozen=True)
class PlayRule:
    """A rule as the classic animations have it, else at its defaults.

    `label` says what is not a default. `momentum`: the hyper that is one, None where there is none. `colour`: its place in the
    palette.
    """

    name: str
    label: str
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
    """The built-in rules: those that the surfaces name first, in their order; as in `slalom.landscape`'s classic seven."""
    named = [name for surface in surfaces() for name in surface.lrs]
    built_in = [name for name, rule in REGISTRY.items() if rule.update.__module__.startswith("slalom.rules.")]
    order = [name for name in dict.fromkeys([*named, *sorted(built_in)]) if name in built_in]
    return tuple(REGISTRY[name](**_classic().get(name, {})) for name in order)


def _classic() -> dict[str, dict[str, Any]]:
    return {one.target: dict(one.hypers) for one in entrants(RULES)}


def build_playground(coloured: Sequence[str] = ()) -> PlayFigure:
    """The playground's figure. `coloured`: names that have colours already, such as a race's rules; the others come after."""
    names = [settings.rule.name for settings in played_rules()]
    colours = {name: k for k, name in enumerate(dict.fromkeys([*coloured, *names]))}
    labels = {one.target: one.label for one in entrants(RULES)}
    rules = tuple(
        PlayRule(s.rule.name, labels.get(s.rule.name, s.rule.name), dict(s.values), momentum_hyper(s), colours[s.rule.name])
        for s in played_rules()
    )
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
