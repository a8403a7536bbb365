"""The page as a file: complete, small, asking nobody for anything, and deaf to hostile names."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from slalom.core.errors import StoreError
from slalom.figures import RaceFigure, build_race
from slalom.report import render, write, write_report
from slalom.report.pack import unpack
from slalom.report.payload import to_json
from slalom.report.shell import ENGINE, asset

ASSETS = Path(__file__).parents[2] / "slalom" / "report" / "assets"
SCRIPTS = [ENGINE, *sorted(file.relative_to(ASSETS).as_posix() for file in ASSETS.rglob("*.js"))]


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, and the text of each script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": []}
        self.data = ""
        self._in: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in self.texts:
            self._in = "data" if dict(attrs).get("type") == "application/json" else tag
            if self._in != "data":
                self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.texts:
            self._in = None

    def handle_data(self, data: str) -> None:
        if self._in == "data":
            self.data += data
        elif self._in:
            self.texts[self._in][-1] += data


def test_it_is_small(page: str, fake: ModuleType) -> None:
    assert len(page.encode()) <= 400_000
    widened = render(build_race(fake.fake_race(lrs=14)))  # what the default race comes to with the rates that it adds
    assert len(widened.encode()) <= 400_000


def test_it_is_the_same_every_time(fake: ModuleType, page: str) -> None:
    assert render(build_race(fake.fake_race())) == page


def test_nothing_in_it_points_anywhere(page: str) -> None:
    parsed = Page(page)
    for tag, attributes in parsed.tags:
        assert not {"src", "srcset", "action", "background", "data", "poster"} & attributes.keys(), tag
        assert attributes.get("href") in (None, "data:,"), (tag, attributes)
    own = page.replace(asset("uplot/uPlot.iife.min.js"), "")
    assert set(re.findall(r"https?://[^\s\"'`)]*", own)) == {"http://www.w3.org/2000/svg"}  # a namespace, never fetched
    assert not re.search(r"@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket|EventSource|\bimport\(|sendBeacon", own)


def test_the_policy_names_exactly_what_is_inlined(page: str) -> None:
    parsed = Page(page)
    meta = next(a for tag, a in parsed.tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(part.strip().split(" ", 1) for part in str(meta["content"]).split(";"))
    assert rules["default-src"] == "'none'"
    for kind in ("script", "style"):
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in parsed.texts[kind]]
        assert rules[f"{kind}-src"].split() == [f"'sha256-{digest}'" for digest in digests]
    assert "unsafe" not in str(meta["content"])
    assert len(parsed.texts["script"]) > 20


def test_no_script_can_end_its_own_tag() -> None:
    for name in SCRIPTS:
        assert not re.search(r"</script|<!--|<script", asset(name), re.IGNORECASE), name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", asset(name)), name


def test_comments_and_indentation_are_all_that_is_left_out() -> None:
    for name in [name for name in SCRIPTS if name != ENGINE and not name.startswith("uplot/")]:
        source = (ASSETS / name).read_text()
        kept = [line.strip() for line in source.splitlines() if line.strip() and not line.strip().startswith("//")]
        assert asset(name).splitlines() == kept
        assert source.count("`") % 2 == 0
        assert all(line.count("`") % 2 == 0 for line in source.splitlines()), (
            f"{name}: a template over several lines would change"
        )


def test_hostile_names_add_no_tag_and_stay_data(fake: ModuleType, page: str, hostile_page: str) -> None:
    tags = [tag for tag, _ in Page(page).tags]
    parsed = Page(hostile_page)
    assert [tag for tag, _ in parsed.tags] == tags
    assert not [a for _, a in parsed.tags if any(key.startswith("on") for key in a)]
    data = json.loads(parsed.data)
    assert data["rules"][-3:] == list(fake.HOSTILE)
    assert data["model"] == fake.HOSTILE[1]
    assert data["notes"] == [fake.HOSTILE[2]]
    assert "\u2028" not in Page(hostile_page).data
    for name in fake.HOSTILE[:2]:
        assert name not in hostile_page
    assert html.escape(fake.HOSTILE[0]) in hostile_page  # in the title, as text


def test_json_survives_any_name_and_holds_nothing_that_html_reads() -> None:
    names = ["<!--<script>", "]]>", "a&amp;b", "\u2028\u2029", "\x00\x1f", "\ud800", "𝛼 λ", '"\\']
    text = to_json(names)
    assert json.loads(text) == names
    assert not set(text) & set("<>&")
    assert text.isascii()


def test_a_name_that_no_file_can_hold_is_still_written(fake: ModuleType, tmp_path: Path) -> None:
    race = fake.fake_race(("adam", "bad \ud800 name"), lrs=2, seeds=2, epochs=2)
    assert write_report(race, tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_page_holds_the_race(race: Any, figure: RaceFigure, page: str) -> None:
    data = json.loads(Page(page).data)
    assert data["verdict"] == figure.verdict
    assert len(data["rows"]) == 11
    assert data["rows"][0]["test_metric"] == pytest.approx(race.rows[0].test_metric, rel=1e-5)
    assert len(data["retired"]) == sum(lane.status == "retired" for lane in race.lanes) > 0
    curves = unpack(data["curves"]["train_loss"])
    exact = race.arrays.train_loss
    kept = [step - 1 for step in data["curves"]["train_steps"]]
    assert exact.shape == (297, 340)
    exact = exact[:, kept]
    assert curves.shape == exact.shape
    assert len(kept) >= 150
    assert np.array_equal(np.isnan(curves), np.isnan(exact))
    assert np.nanmax(np.abs(curves / exact - 1)) <= data["curves"]["error"] * 1.05 < 0.011
    assert {lr for r in data["responses"] for lr in r["lrs"]} == set(
        data["lanes"]["lr"]["values"]
    )  # the page matches them by value
    assert {row["lr"] for row in data["rows"]} <= set(data["lanes"]["lr"]["values"])


def test_numbers_that_json_lacks_are_null(fake: ModuleType) -> None:
    data = json.loads(Page(render(build_race(fake.fake_race(("adam", "sgd"), lrs=2, seeds=1, epochs=2)))).data)
    assert data["rows"][0]["test_metric_sd"] is None


def test_write_makes_folders_and_replaces_a_page_whole(figure: RaceFigure, page: str, tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "report.html"
    assert write(figure, target) == target
    target.write_text("old")
    write(figure, str(target))
    assert target.read_bytes().decode() == page
    assert os.listdir(target.parent) == ["report.html"]


def test_write_says_what_is_wrong_and_leaves_nothing_behind(figure: RaceFigure, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for target, words in ((tmp_path, "it is a folder"), (tmp_path / "file" / "report.html", r"file/report\.html")):
        with pytest.raises(StoreError, match=words):
            write(figure, target)
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "kept"


def test_a_failed_write_keeps_the_old_page(figure: RaceFigure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        write(figure, target)
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.html"]


def test_a_device_or_pipe_is_never_replaced(figure: RaceFigure, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match=r"pipe': it is no ordinary file; name one"):
        write(figure, tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()
    assert len(list(tmp_path.iterdir())) == 1
