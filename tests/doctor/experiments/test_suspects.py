"""Suspects are tried in the order of their weight, and none after one that decides."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from slalom.doctor.experiments import suspects
from slalom.doctor.experiments.suspects import Suspect


class Case:
    """A run of some skill, and trials by name that reach theirs."""

    def __init__(self, reached: float, **reach: float) -> None:
        end = SimpleNamespace(step=100, train=1 - reached, train_right=math.nan, val_right=math.nan)
        self.run: Any = SimpleNamespace(broke=None, end=end, at=lambda step: end)
        self.setup, self.reached, self.reach, self.asked = SimpleNamespace(steps=100), (reached, math.nan), reach, []
        self.skills = (SimpleNamespace(of=lambda loss: 1 - loss), None)

    def suspect(self, label: str, weight: float, **more: Any) -> Suspect:
        def trials(case: Any) -> list[Any]:
            self.asked.append(label)
            level = self.reach[label]
            run = SimpleNamespace(looks=[], end=SimpleNamespace(train_right=math.nan, val_right=math.nan))
            return [SimpleNamespace(train=level, val=math.nan, run=run, name=label, change=None)]

        return Suspect(label, (), trials, weight, **more)

    def tested(self, *asked: Suspect) -> list[str]:
        given: Any = self
        return [t.suspect.label for t in suspects.tested(given, asked)]


def test_none_lighter_is_tried_after_one_that_decides() -> None:
    case = Case(0.1, a=0.95, b=0.99)
    assert case.tested(case.suspect("b", 1.0), case.suspect("a", 1.1)) == ["a"]
    assert case.asked == ["a"]


def test_a_small_win_decides_nothing() -> None:
    case = Case(0.1, a=0.4, b=0.9)
    assert case.tested(case.suspect("a", 1.1), case.suspect("b", 1.0)) == ["b", "a"]
    assert case.asked == ["a", "b"]


def test_a_light_cause_does_not_decide() -> None:
    case = Case(0.1, a=0.95, b=0.95)
    case.tested(case.suspect("a", 0.9), case.suspect("b", 0.8))
    assert case.asked == ["a", "b"]


def test_a_little_convicts_where_the_evidence_is_strong() -> None:
    case = Case(0.88, a=0.94)
    assert case.tested(case.suspect("a", 1.0)) == []
    assert case.asked == ["a"] * (1 - 0.88 >= 0.12)
    assert case.tested(case.suspect("a", 1.0, strong=True)) == ["a"]
    good = Case(0.99, a=1.0)
    assert good.tested(good.suspect("a", 1.0, strong=True)) == []
    assert good.asked == []  # nothing is lacking


@pytest.mark.parametrize(("reached", "asked"), [(0.5, ["a"]), (0.75, [])])
def test_a_run_that_is_too_good_to_convict_is_not_tried(reached: float, asked: list[str]) -> None:
    case = Case(reached, a=1.0)
    case.tested(case.suspect("a", 1.0, most=0.7))
    assert case.asked == asked
