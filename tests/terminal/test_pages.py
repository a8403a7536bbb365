"""The commands that make pages."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import slalom
from slalom.cli import app
from slalom.race.events import RaceDone
from slalom.report import render_playground
from slalom.report.serve import Server
from slalom.terminal import pages
from slalom.terminal.race.lines import PlainView


def test_playground_writes_its_page_and_says_where(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["playground", "--output", str(tmp_path / "deep" / "play.html")])
    assert done.exit_code == 0, done.output
    assert done.output == f"{tmp_path / 'deep' / 'play.html'}\n"
    assert (tmp_path / "deep" / "play.html").read_text(encoding="utf-8") == render_playground()
    assert len(render_playground()) <= 200_000


def test_a_place_that_cannot_be_written_is_an_error_and_no_browser_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = CliRunner().invoke(app, ["playground", "-o", str(tmp_path)])
    assert done.exit_code == 1
    asked: list[Any] = []
    monkeypatch.setattr("webbrowser.open", lambda address: asked.append(address))
    done = CliRunner().invoke(app, ["playground", "-o", str(tmp_path / "p.html"), "--open"])
    assert done.exit_code == 1
    assert asked == [(tmp_path / "p.html").as_uri()]
    assert (tmp_path / "p.html").exists()


def test_race_watch_says_where_and_serves_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[str] = []
    say = PlainView.__call__

    def look(view: PlainView, event: Any) -> None:  # from within the race, at its last event
        if isinstance(event, RaceDone):
            with urllib.request.urlopen(servers[0].url, timeout=20) as answer:
                answers.append(answer.read().decode())
        say(view, event)

    servers: list[Server] = []
    enter = Server.__enter__
    monkeypatch.setattr(Server, "__enter__", lambda server: servers.append(server) or enter(server))
    monkeypatch.setattr(PlainView, "__call__", look)
    given = ["race", "iris", "--rules", "sgd", "--epochs", "2", "--seeds", "2", "--lrs", ".1", "--plain", "--watch"]
    done = CliRunner().invoke(app, [*given, "-o", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    assert f"slalom: watch it at {servers[0].url}\n" in done.output
    assert "<title>Slalom: " in answers[0]
    assert "EventSource" in answers[0]
    with pytest.raises(urllib.error.URLError):  # it went with the race
        urllib.request.urlopen(servers[0].url, timeout=5)


def test_watch_refuses_what_is_no_run_directory_or_no_port(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["watch", str(tmp_path)]).exit_code == 1
    assert CliRunner().invoke(app, ["watch", str(tmp_path), "--port", "70000"]).exit_code == 1


def test_watch_serves_until_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slalom.race("mlp:4:relu", "iris", rules=["sgd"], lrs=[0.1], seeds=1, epochs=1, directory=tmp_path / "run")

    class Interrupted:
        def wait(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(pages, "FOREVER", Interrupted())
    done = CliRunner().invoke(app, ["watch", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    assert re.match(r"http://127\.0\.0\.1:\d+/\?token=\S{30,}\n", done.output)


def test_a_range_test_is_shown_beside_the_race(tmp_path: Path) -> None:
    slalom.race("mlp:4:relu", "iris", rules=["sgd"], lrs=[0.1], seeds=1, epochs=1, directory=tmp_path / "run")
    tested = slalom.range_test("mlp:4:relu", "iris", lrs=[1e-3, 1e-1, 1.0], steps=8)
    file = tmp_path / "range.json"
    file.write_text(json.dumps(tested.to_dict()))
    done = CliRunner().invoke(app, ["report", str(tmp_path / "run"), "--range-test", str(file)])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert '"range_test":{"optimizer":"adam"' in page
    file.write_text("no json")
    done = CliRunner().invoke(app, ["report", str(tmp_path / "run"), "--range-test", str(file)])
    assert done.exit_code == 1
    assert "holds no JSON" in done.output
