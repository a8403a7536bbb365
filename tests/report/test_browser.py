"""The page in a real browser: it draws itself, complains of nothing, and runs no name as code."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from slalom.figures import build_race, format_lr
from slalom.report import render
from slalom.report.pack import pack, unpack
from slalom.report.shell import asset

Browse = Callable[[str], tuple[str, str]]


def body(document: str) -> str:
    """The document's own elements, without the scripts."""
    return re.sub(r"<script.*?</script>", "", document, flags=re.DOTALL)


def test_the_page_draws_itself_without_a_complaint(browse: Browse, page: str) -> None:
    document, console = browse(page)
    assert console == ""
    assert 'data-ready="yes"' in document
    shown = body(document)
    assert len(re.findall(r"<tr tabindex", shown)) == 11
    assert shown.count("<canvas") == 6  # two charts: axes, curves, what is pointed at
    assert "tied with the leader" in shown
    assert re.search(r"0\.97\d\d ± 0\.00\d\d", shown)


def test_a_broken_policy_would_be_noticed(browse: Browse, page: str) -> None:
    """The other tests here rest on this: what the policy forbids does not run, and the console tells."""
    document, console = browse(page.replace("sha256-", "sha256-AAAA", 3))
    assert "Content Security Policy" in console
    assert 'data-ready="yes"' not in document


def test_hostile_names_are_shown_as_text(browse: Browse, hostile_page: str) -> None:
    document, console = browse(hostile_page)
    assert console == ""
    shown = body(document)
    assert 'data-ready="yes"' in document
    assert not re.search(r"<(img|b|script)\b(?![^>]*data-)", shown.replace("<b>", "<strong>", shown.count('lr"><b>')))
    assert shown.count("&lt;img src=x onerror=alert(1)&gt;") >= 3  # header, leaderboard, legends
    assert "&lt;/script&gt;&lt;script&gt;alert(2)&lt;/script&gt;" in shown


@pytest.mark.parametrize(
    ("names", "lrs", "seeds", "epochs"),
    [(("adam",), 1, 1, 1), (("adam", "sgd"), 3, 1, 2), (tuple(f"rule {i}" for i in range(17)), 2, 2, 2)],
)
def test_small_and_wide_races_draw_too(
    browse: Browse, fake: ModuleType, names: tuple[str, ...], lrs: int, seeds: int, epochs: int
) -> None:
    document, console = browse(render(build_race(fake.fake_race(names, lrs=lrs, seeds=seeds, epochs=epochs))))
    assert console == ""
    assert 'data-ready="yes"' in document
    assert len(re.findall(r"<tr tabindex", body(document))) == len(names)


def test_a_race_in_which_every_lane_retired_draws_too(browse: Browse, fake: ModuleType) -> None:
    race = fake.all_retired()
    document, console = browse(render(build_race(race)))
    assert console == ""
    assert "No lane finished" in document
    assert "no lane finished" in body(document)


def test_the_script_reads_curves_and_rates_as_python_does(browse: Browse) -> None:
    rng = np.random.default_rng(3)
    curves = np.exp(rng.normal(size=(4, 9)))
    curves[0, 2], curves[1, :3], curves[2, 4], curves[3, 0] = np.nan, 0.0, np.inf, -1.0
    rates = [*(10.0 ** rng.uniform(-7, 4, size=50)), 0.00995, 0.0316, 1.0, 999.6, 1e-3, 0.0, 100.0]
    empty = {"train_steps": [], "val_epochs": []} | {
        name: pack(np.zeros((0, 0))) for name in ("train_loss", "val_loss", "val_metric")
    }
    text = (
        f'<!doctype html><p id="out"></p><script type="application/json" id="slalom-data">{to_text(empty)}</script>'
        f"<script>{asset('js/basis/base.js')}</script><script>{asset('js/basis/numbers.js')}</script>"
        f"<script>{asset('js/basis/bytes.js')}</script><script>{asset('js/basis/decode.js')}</script>"
        f"<script>const got = slalom.unpack({json.dumps(pack(curves))}).map((c) => [...c].map(String));"
        f"document.getElementById('out').textContent = JSON.stringify([got, {json.dumps(rates)}.map(slalom.lr)]);</script>"
    )
    document, console = browse(text)
    assert console == ""
    found = re.search(r'<p id="out">(.*?)</p>', document)
    assert found is not None
    decoded, written = json.loads(found[1])
    values = [[float(v.replace("Infinity", "inf")) for v in curve] for curve in decoded]
    assert np.asarray(values) == pytest.approx(unpack(pack(curves)), rel=1e-12, nan_ok=True)
    assert written == ["0" if rate == 0 else format_lr(rate) for rate in rates]


def test_downloads_are_csv_that_no_spreadsheet_runs(browse: Browse) -> None:
    curves = {name: pack(np.array([[0.5, np.nan]])) for name in ("train_loss", "val_loss", "val_metric")}
    data = {
        "curves": curves | {"train_steps": [1, 2], "val_epochs": [1, 2]},
        "rules": ['=HYPERLINK("x"),\n'],
        "lanes": {"lane": [7], "rule": [0], "lr": [1e-3], "seed": [4], "test_loss": [None]},
    }
    names = ("base", "numbers", "csv", "bytes", "decode", "download")
    paths = [f"js/{'race' if name == 'download' else 'basis'}/{name}.js" for name in names]
    scripts = "".join(f"<script>{asset(path)}</script>" for path in paths)
    document, console = browse(
        f'<!doctype html><p id="out"></p><script type="application/json" id="slalom-data">{json.dumps(data)}</script>{scripts}'
        "<script>const tables = [slalom.lanesTable(), slalom.curvesTable()];"
        "document.getElementById('out').textContent = JSON.stringify(tables.map(slalom.csv));</script>"
    )
    assert console == ""
    found = re.search(r'<p id="out">(.*?)</p>', document)
    assert found is not None
    lanes, points = (list(csv.reader(io.StringIO(text, newline=""))) for text in json.loads(found[1]))
    name = '\'=HYPERLINK("x"),\n'
    assert lanes == [["lane", "rule", "lr", "seed", "test_loss"], ["7", name, "0.001", "4", ""]]
    assert points[1] == ["7", name, "0.001", "4", "train_loss", "1", "0.5"]
    assert len(points) == 4  # a value that is missing has no row


def to_text(curves: dict[str, object]) -> str:
    return json.dumps({"curves": curves})
