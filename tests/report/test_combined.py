"""One page of several results: a tab for each, drawn from their records, names as text; landscapes that play."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import slalom
from slalom.core.errors import BadValueError
from slalom.doctor.curve.record import Figure
from slalom.doctor.examination import Curves, Examination
from slalom.doctor.finding import finding
from slalom.figures.ground import build_ground
from slalom.landscape.networks import interpolation, loss_slice
from slalom.report import render_results
from slalom.report.ground import ground_payload
from slalom.report.pack import unpack

Open = Callable[..., Any]
BAD = "</script><img src=x onerror=alert(1)>"
LRS = (1e-4, 1e-3, 3e-3)


@pytest.fixture(scope="module")
def beale() -> Any:
    return slalom.landscape("beale", ["sgd", "momentum"], lr={"sgd": 0.001, "momentum": 0.001}, steps=60)


@pytest.fixture(scope="module")
def around() -> Any:
    torch.manual_seed(0)
    return loss_slice(torch.nn.Linear(4, 3), "iris", points=9)


@pytest.fixture(scope="module")
def tested() -> Any:
    return slalom.range_test(data="iris", model="mlp:4", steps=5, lrs=[1e-3, 1e-2, 1e-1, 1.0], seeds=1)


def test_the_record_is_what_was_walked(beale: Any) -> None:
    figure = build_ground(beale)
    (scene,) = ground_payload([figure])["landscapes"][0]["scenes"]
    x0, x1, y0, y1 = scene["box"]
    z = unpack(scene["z"]).reshape(scene["side"], scene["side"])
    assert z[3, 50] == pytest.approx(float(beale.surface(x0 + (x1 - x0) * 50 / 63, y0 + (y1 - y0) * 3 / 63)), rel=2e-3)
    for k, path in enumerate(beale.paths):
        assert unpack(scene["ways"]["x"])[k] == pytest.approx(path.points[:, 0], abs=2e-3)
        assert unpack(scene["ways"]["losses"])[k] == pytest.approx(path.losses, rel=2e-3)
    long = build_ground(slalom.landscape("booth", ["sgd"], steps=1300)).scenes[0]
    assert long.steps[0] == 0
    assert long.steps[-1] == 1300
    assert len(long.steps) == len(long.walks[0].x) <= 402


def test_every_result_has_its_tab(opened: Open, race: Any, beale: Any, around: Any, tested: Any) -> None:
    text = render_results(race, beale, around, tested, title="all")
    assert text == render_results(race, beale, around, tested, title="all")
    made = opened(text)
    assert made.locator("#tabs button").all_inner_texts() == ["Race", "Landscapes", "Playground", "Activations"]
    assert made.locator("#range canvas").count() == 3  # in the race's own tab
    for tab in ("landscape", "playground", "activations", "race"):
        made.click(f"#to-{tab}")
    assert made.locator("#landscapes .stage").count() == 3  # a surface and two planes
    assert made.evaluate("slalom.data.landscapes[0].scenes[0].walks.map((w) => w.colour)") == [0, 1]  # as in the race
    assert made.console == made.requests == []
    alone = opened(render_results(tested))
    assert alone.locator("#tabs").is_hidden()
    assert alone.locator("#range canvas").count() == 3
    assert alone.console == []


def test_a_landscape_plays_and_its_paths_are_chosen(opened: Open, beale: Any, around: Any) -> None:
    made = opened(render_results(beale), at="#landscape")
    player = "slalom.players[0]"
    made.until(f"{player}.step() === 60")
    ends = made.locator(".walkers tbody tr").all_inner_texts()
    assert ends[0].split()[0] == min(beale.paths, key=lambda p: p.losses[-1]).rule
    made.get_by_role("button", name="Play", exact=True).first.click()
    made.until(f"{player}.step() > 2 && {player}.step() < 60")
    made.get_by_role("button", name="Pause").click()
    made.get_by_label("Step", exact=True).first.fill("30")
    shown = float(made.locator(".walkers tbody tr").first.locator("td").nth(2).inner_text())
    assert shown == pytest.approx(float(beale[ends[0].split()[0]].losses[30]), rel=0.01)
    picture = "document.querySelector('#landscapes canvas.over').toDataURL()"
    both = made.evaluate(picture)
    made.locator(".walkers input").first.uncheck()
    assert made.evaluate(picture) != both
    with made.page.expect_download() as waiting:
        made.get_by_role("button", name="Paths as CSV").click()
    with open(waiting.value.path(), newline="") as file:
        rows = list(csv.DictReader(io.StringIO(file.read())))
    assert len(rows) == 2 * 61
    assert float(rows[0]["x"]) == pytest.approx(beale.surface.start[0], abs=2e-3)
    assert made.console == []
    planes = opened(render_results(around), width=400, at="#landscape")
    assert planes.get_by_role("button", name="Play", exact=True).locator("visible=true").count() == 0  # nothing moves
    box = planes.locator(".stage").first.bounding_box()
    planes.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    said = planes.locator(".stage .tip").first.inner_text()
    assert float(said.split()[1]) == pytest.approx(around.centre, rel=0.05)
    assert planes.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert planes.console == []


def test_the_line_between_two_networks(opened: Open) -> None:
    torch.manual_seed(1)
    a, b = torch.nn.Linear(4, 3), torch.nn.Linear(4, 3)
    line = interpolation(a, a, b, "iris", points=11, names=(BAD, "second"))
    made = opened(render_results(line), dark=True)
    assert made.locator(".between path.value").count() == 1
    assert BAD in made.locator(".between").text_content()
    assert made.locator("img").count() == 0
    assert made.console == []


def test_names_stay_text(opened: Open, beale: Any) -> None:
    bad = replace(beale, paths=tuple(replace(path, rule=BAD + path.rule) for path in beale.paths), notes=(BAD,))
    text = render_results(bad, title=BAD)
    assert BAD not in text
    made = opened(text, at="#landscape")
    assert made.locator("img").count() == 0
    assert BAD in made.locator(".walkers").inner_text()
    assert made.console == []


def test_an_examination_and_a_landscape(opened: Open, beale: Any) -> None:
    curves = Curves(tuple(np.linspace(2, 1, 30).tolist()), (10, 20, 30), (2.0, 1.5, 1.1), (2.1, 1.6, 1.2))
    found = finding("lr_too_low", [Figure("pace", 1.2, 0.5, BAD)], 0.7, 20)
    one = Examination((found,), 30, 2.0, (0.5, 0.4), curves)
    made = opened(render_results(one, beale), at="#examination1")
    assert made.locator("#tab-examination1 .found svg .mark").count() == 1  # the curve that shows it, its step marked
    assert BAD in made.locator("#tab-examination1 .found").inner_text()
    assert made.console == made.requests == []


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ((), "needs a result"),
        ((3,), "int has no page"),
        (({"a": 1},), "range_test must be"),
        (("runs/x",), "str has no page.*slalom.load"),
    ],
)
def test_what_has_no_page_says_so(results: tuple[Any, ...], said: str) -> None:
    with pytest.raises(BadValueError, match=said):
        render_results(*results)


def test_one_page_holds_one_race(race: Any) -> None:
    with pytest.raises(BadValueError, match="one page holds one race, got 2"):
        render_results(race, race)


def test_records_write_their_pages(beale: Any, tested: Any, tmp_path: Any) -> None:
    for record, name in ((beale, "landscapes"), (tested, "range_test")):
        where = record.report(tmp_path / name / "page.html")
        body = re.search(r'id="slalom-data">(.*?)</script>', where.read_text())
        assert body is not None
        assert name in json.loads(body[1])
    page = slalom.report(beale, tested, path=tmp_path / "both.html")
    assert page.stat().st_size < 300_000
