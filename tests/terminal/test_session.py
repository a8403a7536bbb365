"""A race at the terminal: what a run that fails leaves behind."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from slalom.cli import app
from slalom.race.events import LanesAdded
from slalom.terminal import session


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_run_is_kept_from_its_first_epoch_on(
    epochs: int, made_up: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = tmp_path / "run"

    def start(view: Any) -> None:
        where.mkdir()
        (where / "plan.json").write_text("{}")
        view(made_up.started(["sgd"], 1, 3, directory=str(where)))
        view(LanesAdded("sgd", [0.1], [0], False))
        if epochs:
            view(made_up.epoch(1, 3, [0], [0.5]))
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        session.watch(start, "quiet")
    # Before its first epoch there is nothing to go on with: it would fail again.
    assert where.exists() == bool(epochs)
    assert ("--resume" in capsys.readouterr().err) == bool(epochs)


@pytest.mark.parametrize("command", ["race", "tune"])
def test_a_page_that_cannot_be_written_is_said_before_the_work(command: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, [command, "iris", "--report", "file/page.html"])
    assert result.exit_code == 1
    assert "cannot write the page to 'file/page.html'" in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("command", ["show", "report"])
def test_a_file_is_no_run_directory(command: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, [command, str(tmp_path / "file")])
    assert result.exit_code == 1
    assert "is not a run directory: it is a file" in result.stderr
