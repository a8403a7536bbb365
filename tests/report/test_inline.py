"""A race in a notebook and as a still picture."""

from __future__ import annotations

import base64
import html
import re
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import slalom
from slalom.core.errors import MissingExtraError
from slalom.figures.pictures.race import RaceScene
from slalom.race import hooks
from slalom.report.inline import inline


@pytest.fixture(scope="module")
def result() -> Any:
    return slalom.race("mlp:4:relu", "iris", rules=["sgd", "adam"], lrs=[0.01, 0.1, 1.0], seeds=2, epochs=2)


def cells(text: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)
    return [[html.unescape(v) for v in re.findall(r"<td[^>]*>(.*?)</td>", row)] for row in rows][1:]


def test_a_notebook_shows_verdict_leaderboard_and_picture(result: Any) -> None:
    text = result._repr_html_()
    board = result.leaderboard()
    assert [row[1] for row in cells(text)] == [row.rule for row in board]
    assert cells(text)[0][5] == f"{board[0].test_metric:.4f} ± {board[0].test_metric_sd:.4f}"
    assert cells(text)[0][6] == "leads"
    found = re.search(r'src="data:image/png;base64,([^"]+)"', text)
    assert found is not None
    assert base64.b64decode(found[1]).startswith(b"\x89PNG")


def test_without_matplotlib_the_table_stands_alone(result: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(record: Any) -> bytes:
        raise MissingExtraError("no matplotlib")

    monkeypatch.setattr(hooks, "png", none)
    assert "<img" not in inline(result)
    assert len(cells(inline(result))) == 2


def test_hostile_names_are_text(fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "png", None)
    text = inline(fake.fake_race(hostile=True, lrs=2, epochs=2))
    tags: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            tags.append(tag)
            assert not any(name.startswith("on") for name, _ in attrs)

    Tags().feed(text)
    assert set(tags) <= {"div", "p", "table", "thead", "tbody", "tr", "th", "td", "code"}
    assert fake.HOSTILE[0] in [row[1] for row in cells(text)]


def test_the_picture_holds_every_lane_and_every_rule(result: Any, tmp_path: Path) -> None:
    figure = result.plot(tmp_path / "race.png", theme="dark")
    assert (tmp_path / "race.png").read_bytes().startswith(b"\x89PNG")
    left, right = figure.axes
    drawn = [line.get_ydata() for line in left.lines if len(line.get_ydata()) > 1]
    assert len(drawn) == len(result.lanes) == 12
    losses = {tuple(np.round(np.asarray(y, dtype=np.float32), 5)) for y in drawn}
    assert losses == {tuple(np.round(row, 5)) for row in result.curves().train_loss}
    best = {row.rule: row.val_metric for row in result.leaderboard()}
    heights = {round(float(line.get_ydata()[0]), 6) for line in right.lines if line.get_markersize() == 8}
    assert heights == {round(v, 6) for v in best.values()}
    assert [text.get_text().split()[0] for text in figure.legends[0].texts] == [row.rule for row in result.leaderboard()]


def test_a_race_in_which_nothing_finished_can_still_be_drawn(fake: ModuleType) -> None:
    assert RaceScene(fake.all_retired()).still() is not None
