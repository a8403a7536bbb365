"""The page of a search: what its record says, what the browser draws of it, and that names stay text."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import slalom
from slalom.figures.search import SearchFigure, build_search
from slalom.report.search import render_search
from slalom.tune import Categorical, Float, Int

SPACE = {
    "lr": Float(1e-3, 1, log=True), "optimizer": Categorical(["momentum", "adam"]), "units": Int(4, 40, log=True),
    "momentum.momentum": Float(0.5, 0.99, near_one=True),
}  # fmt: skip


@pytest.fixture(scope="module")
def result() -> Any:
    return slalom.tune(data="iris", space=SPACE, budget=24, lanes=12, epochs=3, method="random", seeds=2, finalists=2)


@pytest.fixture(scope="module")
def figure(result: Any) -> SearchFigure:
    return build_search(result)


def test_the_record_holds_every_trial_and_its_place(result: Any, figure: SearchFigure) -> None:
    assert [a.name for a in figure.axes] == list(SPACE)
    assert len(figure.points) == 24
    assert figure.best == result.best.number
    for point in figure.points:
        trial = result.trials[point.number]
        assert point.places[0] == pytest.approx(np.log10(trial.config["lr"]) / 3 + 1)
        assert (point.places[3] is None) == (trial.config["optimizer"] == "adam")
    assert figure.contour is not None
    assert np.array(figure.contour.loss).shape == (28, 28)
    assert sum(a.importance or 0 for a in figure.axes) == pytest.approx(1, abs=0.01)


def test_the_page_draws_it_and_asks_nobody(figure: SearchFigure, opened: Callable[..., Any]) -> None:
    text = render_search(figure)
    assert len(text) < 200_000
    assert text == render_search(figure)
    page = opened(text)
    assert page.console == []
    assert page.requests == []
    drawn = [p for p in figure.points if p.state != "diverged"]
    assert page.locator("#history circle").count() == len(drawn)
    assert page.locator("#importance rect").count() == 4
    assert page.locator("#contour rect").count() == 28 * 28
    winner = page.locator(f'#history circle[data-trial="{figure.best}"]')
    top = min(float(c.get_attribute("cy")) for c in page.locator("#history circle").all())
    finished = [p.loss for p in figure.points if p.state == "finished"]
    if min(finished) == min(p.loss for p in drawn):
        assert float(winner.get_attribute("cy")) >= top  # low losses are drawn low
    page.locator("#slices select").select_option(label="momentum.momentum")
    there = sum(p.places[3] is not None for p in drawn)
    assert page.locator("#slices circle").count() == there


def test_names_stay_text(figure: SearchFigure, opened: Callable[..., Any]) -> None:
    bad = "</script><img src=x onerror=alert(1)>"
    axes = [dataclasses.replace(figure.axes[0], name=bad), *figure.axes[1:]]
    text = render_search(dataclasses.replace(figure, axes=axes, title=bad, warnings=[bad], notes=[bad]))
    assert bad not in text
    page = opened(text)
    assert page.console == []
    assert page.locator("img").count() == 0
    assert bad in page.locator("#warnings").inner_text()


def test_a_result_writes_its_page(result: Any, tmp_path: Any) -> None:
    where = result.report(tmp_path / "deep" / "page.html")
    body = re.search(r'id="slalom-data">(.*?)</script>', where.read_text())
    assert body is not None
    assert json.loads(body[1])["search"]["best"] == result.best.number
