"""The book's commands."""

import json

import pytest
from typer.testing import CliRunner

from slalom.claims import KINDS, every
from slalom.cli import app


@pytest.fixture
def said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments, code=0):
        result = CliRunner().invoke(app, ["claims", *arguments], env={"COLUMNS": "200"})
        assert result.exit_code == code, result.output + result.stderr
        return result.output + result.stderr

    return call


def test_the_list_has_every_claim_with_its_last_verdict(said):
    rows = [json.loads(line) for line in said("--json").splitlines()]
    assert [r["id"] for r in rows] == list(every())
    assert {r["verdict"] for r in rows} <= set(KINDS)
    text = said()
    assert "Momentum speeds up steady directions" in text
    assert "verdicts of the run of" in text


def test_one_is_shown_in_both_languages(said):
    text = said("show", "o13")
    assert "depends: rotation of the axes" in text
    assert "> 0.5" in text
    assert "坐标轴的旋转" in said("show", "O13", "--zh")


def test_a_claim_is_run_here_kept_and_made_a_book(said, tmp_path):
    text = said("run", "C1", "A13", "--out", "mine")
    assert text.splitlines()[:2] == [f"C1   holds  ({_seconds(text, 0)})", f"A13  holds  ({_seconds(text, 1)})"] or "A13" in text
    assert "2 holds" in text
    assert (tmp_path / "mine" / "outcomes" / "C1.json").exists()
    assert "holds" in said("show", "C1", "--run", "mine")
    assert "no outcome of O1" in said("show", "O1", "--run", "mine", code=1)
    said("book", "pages", "--run", "mine", "--page")
    assert (tmp_path / "pages" / "claims.zh-CN.html").exists()
    assert "not an empty directory" in said("run", "C1", "--out", "mine", code=1)


def _seconds(text, k):
    return text.splitlines()[k].rpartition("(")[2].rstrip(")")


def test_wrong_calls_are_told(said):
    assert "no claim 'O99'" in said("run", "O99", code=1)
    assert "name claims" in said("run", code=2)
    assert "--quick has two seeds" in said("run", "O1", "--quick", "--seeds", "3", code=2)
    assert "--resume goes on" in said("run", "O1", "--resume", "x", code=2)
    assert "not a run directory" in said("run", "--resume", ".", code=1)
