"""`slalom tune` at a terminal: what it prints, what it returns, how it goes on."""

from __future__ import annotations

import io
import json
import re

import pytest
from typer.testing import CliRunner

import slalom
from slalom.cli import app
from slalom.terminal import search
from slalom.tune.driver import Driver

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = ["tune", "iris", "--budget", "6", "--epochs", "3", "--seeds", "1", "--method", "random", "--finalists", "1"]


def run(*arguments):
    return CliRunner().invoke(app, [*SMALL, *arguments])


def test_plain_lines_end_with_the_winner(tmp_path):
    done = run("--plain", "-o", str(tmp_path / "run"), "--try", "lr=.01,optimizer=adam", "--try", "lr=.1,optimizer=momentum")
    assert done.exit_code == 0, done.output
    for word in ("13 parameters", "random: asked for", "% of 6 trials", "best so far trial", "test", "optimism", "directory"):
        assert word in done.output
    found = slalom.tune.load(tmp_path / "run")
    assert [t.config["lr"] for t in found.trials[:2]] == [0.01, 0.1]
    shown = CliRunner().invoke(app, ["show", str(tmp_path / "run")])
    assert f"trial {found.best.number}" in shown.output


def test_json_is_one_object_a_line_and_quiet_is_the_directory(tmp_path):
    done = run("--json", "-o", str(tmp_path / "a"))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert next(line["event"] for line in lines if line["event"] != "note") == "started"
    result = lines[-1]
    assert result["event"] == "result"
    assert result["best"]["config"] == slalom.tune.load(tmp_path / "a").config
    assert len(result["test"]["metric"]) == 1
    quiet = run("--quiet", "-o", str(tmp_path / "b"))
    assert quiet.stdout == f"{tmp_path / 'b'}\n"


def test_ctrl_c_prints_the_best_so_far_and_how_to_go_on(tmp_path, monkeypatch):
    took, count = Driver._take, 0

    def stop(self, over):
        nonlocal count
        took(self, over)
        count += 1
        if count == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Driver, "_take", stop)
        done = run("--plain", "-o", str(tmp_path / "run"), "--lanes", "3")
    assert done.exit_code == 130
    assert "so far" in done.output
    assert f"slalom tune --resume {tmp_path / 'run'}" in done.output
    again = CliRunner().invoke(app, ["tune", "--resume", str(tmp_path / "run"), "--plain"])
    assert again.exit_code == 0, again.output
    assert re.search(r"^test ", again.output, re.M)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--method", "bayes"], 1, "did you mean 'bayesian'"),
        (["--space", "nowhere.toml"], 1, "cannot read the space"),
        (["--try", "lr"], 2, "NAME=VALUE"),
        (["--json", "--plain"], 2, "exclude each other"),
        (["--resume", "x"], 2, "leave out what sets"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(arguments, code, said):
    done = run(*arguments)
    assert done.exit_code == code
    assert said in " ".join(done.output.split())


def test_nothing_finished_has_its_own_code(tmp_path):
    space = tmp_path / "space.toml"
    space.write_text('lr = {float = [1e25, 1e30], log = true}\noptimizer = "sgd"\n')
    done = run("--space", str(space), "-o", str(tmp_path / "run"), "--plain")
    assert done.exit_code == 3
    assert "every trial diverged" in done.output


def test_the_live_screen_shows_budget_speed_and_the_best():
    from rich.console import Console

    out = Console(width=100, color_system=None, record=True, file=io.StringIO())
    view = search.LiveSearch(out)
    found = slalom.tune(data="iris", budget=6, epochs=3, seeds=1, method="random", finalists=1, on_event=view)
    out.print(view.screen())
    text = out.export_text()
    assert "100% of 6 trials" in text
    assert f"{found.ranking()[0].loss:.4f}" in text
