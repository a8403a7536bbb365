"""The page under the hand: what is pointed at lights up, the player plays, the playground moves, nothing is asked for."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from slalom.figures import build_race, format_lr
from slalom.landscape.surfaces import surface
from slalom.report import render, render_playground

Open = Callable[..., Any]
INK = """(selector) => { // how much is painted on a canvas
  const c = document.querySelector(selector);
  const copy = Object.assign(document.createElement("canvas"), { width: c.width, height: c.height });
  const ctx = copy.getContext("2d", { willReadFrequently: true });
  ctx.drawImage(c, 0, 0);
  const d = ctx.getImageData(0, 0, c.width, c.height).data;
  let sum = 0;
  for (let i = 3; i < d.length; i += 4) sum += d[i] > 0;
  return sum;
}"""
TOP = "#curves canvas.top"


@pytest.fixture(scope="module")
def decays(fake: ModuleType) -> Any:
    """A race of adamw at three weight decays, and sgd."""
    names = ("adamw", "adamw(weight_decay=0.1)", "adamw(weight_decay=0.5)", "sgd")
    race = fake.fake_race(names, lrs=5, seeds=2, epochs=4)
    for k, lane in enumerate(race.lanes):
        given = re.search(r"weight_decay=([\d.]+)", lane.rule)
        race.lanes[k] = type(lane)(**{**vars(lane), "hypers": {"weight_decay": float(given[1])} if given else {}})
    return race


def test_it_asks_for_nothing_and_says_when_it_was_ready(opened: Open, page: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = opened(page)
    load = made.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    for tab in ("playground", "activations", "race"):
        made.click(f"#to-{tab}")
    made.wait_for_timeout(50)
    assert made.requests == []
    assert made.console == []
    with capsys.disabled():
        print(f"\n[page of 297 lanes: {len(page) / 1000:.0f} KB, load event after {load:.0f} ms on this machine]")


def test_a_row_lights_its_curves_and_a_curve_its_row(opened: Open, page: str) -> None:
    made = opened(page)
    before = made.evaluate(INK, TOP)
    row = made.locator("#leaderboard tbody tr").nth(2)
    row.hover()
    rule = made.evaluate("slalom.highlight().rule")
    assert made.evaluate("slalom.data.rules")[rule] == row.locator(".name").inner_text()
    assert made.evaluate(INK, TOP) > before + 200
    assert made.locator("#legend .key.lit").count() == 1
    made.locator("#curves .u-over").hover(position={"x": 400, "y": 250})
    lane = made.evaluate("slalom.highlight().lane")
    told = made.locator("#curves .tip").inner_text()
    assert f"seed {made.evaluate('slalom.data.lanes.seed')[lane]}" in told
    lit = made.locator("#leaderboard tr.lit .name").inner_text()
    assert lit == made.evaluate(f"slalom.data.rules[slalom.data.lanes.rule[{lane}]]") == told.split("\n")[0]


def test_keys_do_what_the_pointer_does(opened: Open, page: str) -> None:
    made = opened(page)
    made.locator("#leaderboard tbody tr").first.focus()
    made.keyboard.press("ArrowDown")
    made.keyboard.press("Enter")
    assert made.locator('#leaderboard tr[aria-selected="true"]').count() == 1
    second = made.locator("#leaderboard tbody tr").nth(1)
    assert second.get_attribute("aria-selected") == "true"
    made.keyboard.press("Escape")
    assert made.evaluate("slalom.highlight()") is None
    made.locator("#to-race").focus()
    made.keyboard.press("ArrowRight")
    assert made.locator("#tab-playground").is_visible()
    assert not made.locator("#tab-race").is_visible()
    assert made.evaluate("location.hash") == "#playground"
    made.locator(".stage").focus()
    made.keyboard.press("ArrowLeft")
    assert made.evaluate("slalom.play.player.step()") == 139
    assert made.console == []


def test_sorting_and_the_axes_choices_redraw(opened: Open, page: str) -> None:
    made = opened(page)
    made.get_by_role("button", name="test accuracy").click()
    shown = [float(text.split(" ")[0]) for text in made.locator("#leaderboard td.test").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    made.get_by_role("button", name="linear").click()
    made.get_by_role("button", name="val accuracy").click()
    assert made.evaluate(INK, "#curves canvas.layer:not(.top)") > 1000
    assert made.console == []


def test_a_cell_of_the_heat_map_tells_its_numbers(opened: Open, decays: Any) -> None:
    made = opened(render(build_race(decays)))
    cells = made.locator("#heat td.cell:not(.none)")
    lrs = {(lane.rule, lane.lr) for lane in decays.lanes if lane.rule.startswith("adamw")}
    assert cells.count() == len(lrs)
    rule, lr = max(lrs, key=lambda pair: np.nan_to_num(np.mean([x.val_metric for x in decays.lanes if (x.rule, x.lr) == pair])))
    own = [lane.val_metric for lane in decays.lanes if (lane.rule, lane.lr) == (rule, lr)]
    best = made.locator("#heat td.best")
    best.hover()
    said = made.locator("#heat .told").inner_text()
    assert f"lr {format_lr(lr)}" in said
    assert f"{np.mean(own):.4g} ± {np.std(own, ddof=1):.2g}" in said
    assert "2 of 2 seeds finished" in said
    assert made.evaluate("slalom.data.rules[slalom.highlight().rule]") == rule
    assert made.evaluate(INK, TOP) > 200  # its curves are lit
    best.focus()
    made.keyboard.press("ArrowLeft")
    left = max(rate for label, rate in lrs if label == rule and rate < lr)
    assert f"lr {format_lr(left)}" in made.locator("#heat .told").inner_text()


def test_the_player_plays_is_scrubbed_and_turns(opened: Open) -> None:
    made = opened(render_playground())
    made.get_by_role("button", name="Play", exact=True).click()
    made.until("slalom.play.player.step() > 3 && slalom.play.player.step() < 140")
    made.get_by_role("button", name="Pause").click()
    halted = made.evaluate("slalom.play.player.step()")
    assert made.locator("output.step").inner_text() == f"step {halted} of 140"
    made.get_by_label("Step", exact=True).fill("40")
    assert made.evaluate("slalom.play.player.step()") == 40
    short = made.evaluate(INK, ".stage canvas.over")
    made.get_by_label("Step", exact=True).fill("140")
    assert made.evaluate(INK, ".stage canvas.over") > short
    flat = made.evaluate(INK, ".stage canvas")
    made.get_by_role("button", name="3-D").click()
    deep = made.evaluate("document.querySelector('.stage canvas').toDataURL()")
    assert made.evaluate(INK, ".stage canvas") < flat  # no longer the whole rectangle
    box = made.locator(".stage").bounding_box()
    made.mouse.move(box["x"] + 300, box["y"] + 200)
    made.mouse.down()
    made.mouse.move(box["x"] + 420, box["y"] + 220, steps=3)
    made.mouse.up()
    assert made.evaluate("document.querySelector('.stage canvas').toDataURL()") != deep
    assert made.console == []
    assert made.requests == []


def test_the_playground_moves_with_its_controls(opened: Open) -> None:
    made = opened(render_playground())
    find = "const p = slalom.play.scene().paths.find((p) => p.rule === rule);"
    end = f"(rule) => {{ {find} return [p.lr, p.x.at(-1), p.y.at(-1), p.arrived]; }}"
    first = made.evaluate(end, "momentum")
    assert first[0] == surface("saddle").lrs["momentum"]
    made.locator("#play-momentum").fill("0.5")
    slower = made.evaluate(end, "momentum")
    assert slower[0] == first[0]
    assert slower[1:] != first[1:]
    assert made.evaluate(end, "sgd")[1] == pytest.approx(-((1 - 0.02) ** 140), rel=1e-12)  # by hand: x (1 - 2 lr)^t
    made.locator("#play-lr").fill("0.5")
    assert made.evaluate(end, "sgd")[0] == pytest.approx(0.01 * 10**0.5)
    made.get_by_role("button", name="one for all").click()
    rates = made.evaluate("slalom.play.scene().paths.map((p) => p.lr)")
    assert rates == [0.01] * 7
    assert made.locator(".walkers td.num").first.inner_text() == "0.01"
    made.get_by_role("button", name="a band").click()
    band = made.evaluate("slalom.play.scene().paths.map((p) => p.lr)")
    assert np.allclose(np.diff(np.log10(band)), 0.25)
    made.get_by_role("button", name="each its own").click()
    made.locator('[data-rule="lion"]').check()
    assert "lion" in made.evaluate("slalom.play.scene().paths.map((p) => p.rule)")
    made.locator("#play-surface").select_option("beale")
    assert "(1.5 - x + x y)²" in made.locator(".about").inner_text()
    made.locator(".stage canvas.over").click(position={"x": 200, "y": 120})
    x, y = made.evaluate("slalom.play.scene().start")
    assert [x, y] != list(surface("beale").start)
    made.get_by_role("button", name="turned by 45°").click()
    assert made.evaluate("slalom.play.scene().start") == pytest.approx(surface("beale", 45).start)
    assert made.console == []


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_needs_no_sideways_scroll_in_either_theme(opened: Open, decays: Any, dark: bool) -> None:
    made = opened(render(build_race(decays)), width=400, dark=dark)
    assert made.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    colour = made.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", colour)[:3])) < 200) == dark
    for tab in ("race", "playground", "activations"):
        made.click(f"#to-{tab}")
        assert made.evaluate("document.documentElement.scrollWidth") <= 400, tab
    made.click("#theme")
    assert made.evaluate("document.documentElement.dataset.theme") == ("light" if dark else "dark")
    assert made.console == []


def test_hostile_names_stay_inert_wherever_they_are_shown(opened: Open, fake: ModuleType, hostile_page: str) -> None:
    made = opened(hostile_page)
    dialogs: list[str] = []
    made.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for k in range(made.locator("#leaderboard tbody tr").count()):
        made.locator("#leaderboard tbody tr").nth(k).hover()
    for x in range(100, 900, 100):
        made.locator("#curves .u-over").hover(position={"x": x, "y": 200})
    for summary in made.locator("details > summary").all():
        summary.click()
    assert made.locator("main img, main b > *, main script").count() == 0
    assert fake.HOSTILE[0] in made.locator("#leaderboard").inner_text()
    assert dialogs == made.console == made.requests == []


def test_the_data_is_saved_as_csv(opened: Open, race: Any, page: str) -> None:
    made = opened(page)
    with made.page.expect_download() as waiting:
        made.get_by_role("button", name="Lanes as CSV").click()
    with open(waiting.value.path(), newline="") as file:
        rows = list(csv.DictReader(io.StringIO(file.read())))
    assert waiting.value.suggested_filename == "lanes.csv"
    assert [row["rule"] for row in rows] == [lane.rule for lane in race.lanes]
    assert float(rows[0]["lr"]) == pytest.approx(race.lanes[0].lr, rel=1e-5)


def test_a_thousand_lanes_stay_quick(opened: Open, fake: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    text = render(build_race(fake.fake_race(lrs=31, epochs=8)))
    assert len(text.encode()) <= 2_000_000
    made = opened(text)
    times = made.evaluate("""() => {
      const over = document.querySelector("#curves .u-over"), box = over.getBoundingClientRect(), times = [];
      for (let k = 0; k < 40; k++) {
        const begin = performance.now(), at = { clientX: box.left + 20 * k + 30, clientY: box.top + 200 + 3 * k };
        over.dispatchEvent(new MouseEvent("mousemove", { ...at, bubbles: true }));
        times.push(performance.now() - begin);
      }
      return times;
    }""")
    assert made.evaluate("slalom.highlight().lane") is not None
    with capsys.disabled():
        middle, worst = float(np.median(times)), max(times)
        print(f"\n[1023 lanes: {len(text) / 1e6:.2f} MB, hover {middle:.1f} ms (median of 40), worst {worst:.1f} ms]")


def test_a_finding_lights_the_curves_that_show_it(opened: Open, fake: ModuleType) -> None:
    race = fake.fake_race(("adam", "sgd"), lrs=3, seeds=2, epochs=4)
    best = next(row.lr for row in race.rows if row.rule == "adam")
    shown = [lane.lane for lane in race.lanes if (lane.rule, lane.lr) == ("adam", best)]
    said = SimpleNamespace(label="dead_relu", symptom="<b>flat</b>", cause="c", remedy="lower it", evidence=("share 0.9",))
    race.findings = {k: [said] for k in shown}
    made = opened(render(build_race(race)))
    assert made.locator("#leaderboard .badge.found").inner_text() == "dead relu"
    assert made.locator("#findings .spark path").count() == 2
    before = made.evaluate(INK, TOP)
    made.locator("#findings .finding").hover()
    assert made.evaluate("slalom.lanesOf(slalom.highlight())") == shown
    assert made.evaluate(INK, TOP) > before + 100
    made.locator("#findings summary").click()
    assert made.locator("#findings dd").first.inner_text() == "<b>flat</b>"
    assert made.console == []
