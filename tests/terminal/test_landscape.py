"""`slalom landscape`: what is drawn, listed and written, and what is refused."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import slalom
from slalom import cli
from slalom.landscape.surfaces import names
from slalom.terminal.landscape.drawing import cells, drawn


def run(*arguments):
    return CliRunner().invoke(cli.app, ["landscape", *map(str, arguments)])


def test_the_table_tells_every_rate_and_arrival():
    done = run("saddle", "--rules", "sgd,adagrad", "--rotate", "45", "--steps", "30")
    assert done.exit_code == 0, done.output
    assert "Saddle, turned 45°" in done.output
    row = next(line for line in done.output.splitlines() if " sgd " in line)
    assert "0.01" in row
    assert "never" in row
    assert "picked by hand" in done.output


def test_json_is_the_record():
    done = run("booth", "--rules", "sgd", "--lr", ".05,.1", "--steps", "25", "--start", "0,-1", "--json")
    told = json.loads(done.output)
    assert [p["lr"] for p in told["paths"]] == [0.05, 0.1]
    assert told["fairness"] == "band"
    assert told["start"] == [0.0, -1.0]
    assert len(told["paths"][0]["points"]) == 26


def test_tuned_says_its_budget():
    done = run("booth", "--rules", "sgd", "--tuned", "--steps", "20")
    assert "29 learning rates, 1e-05 to 100, 20 steps each" in " ".join(done.output.split())


def test_list_names_every_surface():
    done = run("--list")
    assert done.exit_code == 0
    for name in names():
        assert f"\n{name} " in done.output


def test_save_writes_a_picture(tmp_path):
    where = tmp_path / "x.webp"
    done = run("saddle", "--rules", "sgd", "--steps", "10", "--save", where, "--frames", "2")
    assert done.exit_code == 0, done.output
    assert where.read_bytes()[8:12] == b"WEBP"


def test_your_own_function(tmp_path, monkeypatch):
    (tmp_path / "hills.py").write_text("def bowl(x, y):\n    return x**2 + 2 * y**2\n")
    monkeypatch.syspath_prepend(tmp_path)
    done = run("hills:bowl", "--rules", "sgd", "--lr", ".1", "--steps", "30")
    assert "x² + 2 y²" in done.output
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["beal"], 1, "did you mean 'beale'"),
        (["beale", "--lr", ".1", "--tuned"], 2, "exclude each other"),
        (["beale", "--start", "1"], 2, "a point is two numbers"),
        (["beale", "--frames", "3"], 2, "of the picture that --save writes"),
        (["beale", "--save", "x.bmp"], 1, "the ending must be one of"),
        (["beale", "--save", "x.png", "--theme", "pink"], 1, "theme must be 'dark' or 'light'"),
        (["beale", "--lr", "sgd=.1", "--rules", "sgd,adam"], 1, "no learning rate for adam"),
    ],
)
def test_refusals(arguments, code, said):
    done = run(*arguments)
    assert done.exit_code == code
    assert said in " ".join((done.output + done.stderr).replace("│", " ").split())


def test_paths_lie_where_they_are_drawn():
    made = slalom.landscape(lambda x, y: x**2 + 0 * y, ["sgd"], lr=0.05, start=(1.9, 1.9), steps=100)  # along the upper edge
    content = cells(made, 20)
    lit = np.argwhere(content.bits > 0)
    assert set(lit[:, 0]) == {0}  # y = 1.9 of a box to 2: the first row of 20
    assert lit[:, 1].min() == 20  # from x = 1.9 to x = 0, the middle of 40 columns
    assert lit[:, 1].max() == 39
    assert content.letters == {(0, 20): ("A", 0)}
    assert content.level[0, 20] == 0
    assert content.level[0, 0] == 11
    plain = drawn(made, 20, coloured=False)
    assert plain[0].plain.count("a") == 19
    assert "A" in plain[0].plain
    bright = drawn(made, 20, coloured=True)
    assert len(bright) == 20
    assert {len(line.plain) for line in bright} == {40}
    assert any(0x2800 < ord(c) < 0x2900 for c in bright[0].plain)
