"""The commands that make pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from slalom.cli import app
from slalom.report import render_playground


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
