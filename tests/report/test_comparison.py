"""The part of the page that answers a comparison: a row a method, and nothing of it on other pages."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from slalom.figures import build_race
from slalom.race.compare.reading import ComparedRow
from slalom.report import render

ROWS = (
    ComparedRow("l2", "adam", 0.01, 3, 0.9, 0.91, 0.01, 0.05, 0.01, "helps", 3),
    ComparedRow("none", "sgd", 0.1, 3, 0.8, 0.86, 0.01, 0.0, 0.0, "baseline", 1),
    ComparedRow("dropout", "adam", 0.01, 3, 0.8, 0.85, 0.02, -0.01, 0.02, "tie", 2),
    ComparedRow("batch_norm", "adam", 0.01, 0, math.nan, math.nan, math.nan, math.nan, math.nan, "no lane finished", 1),
)


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (400, True)])
def test_a_comparison_has_its_table(opened: Callable[..., Any], fake: ModuleType, width: int, dark: bool) -> None:
    figure = dataclasses.replace(build_race(fake.fake_race(("sgd", "adam"))), comparison=ROWS)
    made = opened(render(figure), width=width, dark=dark)
    cells = made.locator("#comparison tbody tr").all_inner_texts()
    assert [row.split("\t")[:2] for row in cells] == [
        ["l2", "helps"], ["none", "baseline"], ["dropout", "tie"], ["batch_norm", "no lane finished"],
    ]  # fmt: skip
    assert "0.050 ± 0.010" in cells[0]
    assert "of 3 strengths" in cells[0]
    assert made.locator("#comparison circle").count() == 2
    assert made.evaluate("document.documentElement.scrollWidth") <= width
    assert not made.console
    made.locator("#comparison tbody tr").first.hover()
    assert made.locator("#leaderboard tr.lit").count() == 1


def test_other_pages_have_none(opened: Callable[..., Any], page: str) -> None:
    assert opened(page).locator("#comparison").count() == 0
