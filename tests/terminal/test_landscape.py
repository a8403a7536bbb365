"""`slalom landscape`: what is drawn, listed and written, and what is refused."""

import io
import json

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import slalom
from slalom import cli
from slalom.landscape.surfaces import names
from slalom.terminal.landscape.drawing import cells, drawn
from slalom.terminal.landscape.show import play


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
        (["beale", "--save", "/proc/x.html"], 1, "cannot write the page to '/proc/x.html'"),
        (["beale", "--seed", "3"], 1, "beale has none; leave it out, got 3"),
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


def test_teaching_pictures(tmp_path):
    where = tmp_path / "x.png"
    done = run("--teach", "bias-correction", "--save", where, "--theme", "light")
    assert done.exit_code == 0, done.output
    assert where.read_bytes()[:4] == b"\x89PNG"
    assert "adagrad-shrinks" in run("--list").output
    assert run("--teach", "bias-correction").exit_code == 2
    assert run("beale", "--teach", "bias-correction", "--save", where).exit_code == 2
    wrong = run("--teach", "bias", "--save", where)
    assert wrong.exit_code == 1
    assert "there is no teaching picture 'bias'" in wrong.stderr


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A small race on disk."""
    where = tmp_path_factory.mktemp("runs") / "one"
    slalom.race("mlp:6", "iris", rules=["adam", "sgd"], lrs=[0.02], seeds=2, epochs=4, widen=False, directory=where)
    return where


def test_the_loss_around_a_races_network(directory, tmp_path):
    done = run("--run", directory, "--points", "5", "--save", tmp_path / "x.png")
    assert done.exit_code == 0, done.output
    assert "Loss around lane" in done.output
    assert "largest Hessian eigenvalue" in done.output
    assert (tmp_path / "x.png").exists()
    told = json.loads(run("--run", directory, "--lane", "3", "--points", "3", "--json").output)
    result = slalom.load(directory)
    assert told["title"].startswith(f"Loss around lane 3: {result.lanes[3].rule}, lr 0.02, seed")
    # the middle of the slice is the network itself: its loss over the training rows, by hand
    made = slalom.landscape.networks.network_of(result, 3)
    loss = slalom.landscape.networks.ground.ground_of(made.model, made.data)[0]
    assert told["planes"][0]["losses"][1][1] == pytest.approx(loss.at(loss.row), rel=1e-5)


def test_the_line_between_two_lanes(directory):
    told = json.loads(run("--run", directory, "--lane", "0", "--to", "1", "--points", "5", "--json").output)
    lanes = slalom.load(directory).lanes
    assert told["names"] == [f"{lanes[k].rule}, lr 0.02, seed {lanes[k].seed}" for k in (0, 1)]
    # the race measured the same networks on the validation rows at its end
    assert told["val"][told["at"].index(0.0)] == pytest.approx(lanes[0].val_loss, rel=1e-4)
    assert told["val"][told["at"].index(1.0)] == pytest.approx(lanes[1].val_loss, rel=1e-4)


def test_runs_in_their_plane():
    done = run("--train", "iris", "--model", "mlp:4", "--rules", "sgd,adam", "--lr", ".05", "--epochs", "3", "--points", "5")
    assert done.exit_code == 0, done.output
    assert "of the variance kept" in done.output
    assert "adam 0.05: loss" in done.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--run", "x", "--list"], 2, "--list and --run exclude each other"),
        (["beale", "--run", "x"], 2, "a surface does not go with --run"),
        (["--run", "x", "--tuned"], 2, "--tuned or --lr does not go with --run"),
        (["beale", "--epochs", "3"], 2, "--epochs does not go with a surface"),
        (["--train", "iris", "--tuned"], 1, "--train takes one learning rate for all"),
        (["--run", "no-such-place"], 1, "no-such-place"),
    ],
)
def test_refusals_about_networks(arguments, code, said):
    done = run(*arguments)
    assert done.exit_code == code
    assert said in " ".join((done.output + done.stderr).replace("│", " ").split())


def test_seed_draws_the_batches():
    told = json.loads(run("noisy_moons", "--rules", "sgd", "--seed", "3", "--steps", "5", "--json").output)
    made = slalom.landscape("noisy_moons", ["sgd"], seed=3, steps=5)
    assert told["seed"] == 3
    assert told["paths"][0]["points"] == made["sgd"].points.tolist()


def test_a_terminal_plays_it_and_ends_on_the_still_picture():
    made = slalom.landscape("saddle", ["sgd", "adagrad"], steps=30)
    waits = []
    out = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=140, height=40)
    play(made, out, 10, tick=waits.append)
    said = out.file.getvalue()
    assert len(waits) == 30  # a picture a step, where steps are few
    assert "f at 0" in said
    assert "f at 15" in said
    assert said.rindex("last f") > said.rindex("f at 29")
    early, whole = cells(made, 10, until=3), cells(made, 10)
    assert 0 < (early.bits != 0).sum() < (whole.bits != 0).sum()
    assert (cells(made, 10, until=30).bits == whole.bits).all()

    def stop(_):
        raise KeyboardInterrupt

    out.file.truncate(0)
    play(made, out, 10, tick=stop)  # Ctrl-C: the end at once
    assert "last f" in out.file.getvalue()


def test_save_html_writes_a_page_that_plays(tmp_path):
    page = tmp_path / "page.html"
    done = run("booth", "--rules", "sgd", "--steps", "20", "--save", page)
    assert done.exit_code == 0, done.output
    assert 'data-tab="Landscape"' in page.read_text()
    refused = run("booth", "--save", page, "--frames", "9")
    assert refused.exit_code != 0
    assert "page.html is a page" in refused.output + str(refused.exception)
