"""`slalom range`: options reach the test, the result is shown, endings have their exit codes."""

from __future__ import annotations

import inspect
import json

import pytest
import typer
from typer.testing import CliRunner

import slalom
from slalom import cli
from slalom.terminal import range_test as terminal

IN_PYTHON_ALONE = {"step", "split", "scale"}


def run(*arguments):
    return CliRunner().invoke(cli.app, ["range", *arguments])


def test_every_option_is_an_argument_of_the_function():
    made = typer.main.get_command(cli.app).commands["range"].params
    assert {p.name for p in made} - {"plot", "json", "report"} == set(
        inspect.signature(slalom.range_test).parameters
    ) - IN_PYTHON_ALONE


def test_options_reach_the_test(monkeypatch):
    seen = {}

    def caught(**given):
        seen.update(given)
        raise slalom.core.errors.BadValueError("caught")

    monkeypatch.setattr(terminal, "range_test", caught)
    result = run(
        "iris", "--model", "linear", "--lrs", ".1,1", "--seeds", "2", "--no-widen", "--batch-size", "full", "--rule", "nag"
    )
    assert result.exit_code == 1
    expected = {"data": "iris", "model": "linear", "lrs": [0.1, 1.0], "seeds": 2, "widen": False}
    assert seen == {**expected, "batch_size": "full", "optimizer": "nag"}


def test_a_result_is_shown_and_is_json():
    arguments = ["iris", "--model", "linear", "--optimizer", "sgd", "--method", "sweep", "--steps", "20"]
    shown = run(*arguments)
    assert shown.exit_code == 0
    assert "suggestion  lr = " in shown.stdout
    found = json.loads(run(*arguments, "--json").stdout)
    assert f"lr = {found['suggestion']:.3g}" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "code"), [(["iris", "--method", "lane"], 1), (["iris", "--lrs", "x"], 2), (["iris", "--seeds", "0"], 2)]
)
def test_wrong_options(arguments, code):
    assert run(*arguments).exit_code == code


@pytest.mark.parametrize(
    ("option", "name", "said"),
    [
        ("--plot", "curve.xyz", "the ending must be one of"),
        ("--plot", "no/curve.png", "there is no folder"),
        ("--report", ".", "it is a folder"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_work(option, name, said, tmp_path, monkeypatch):
    def never(**given):
        raise AssertionError("it ran")

    monkeypatch.setattr(terminal, "range_test", never)
    result = run("iris", option, str(tmp_path / name))
    assert result.exit_code == 1
    assert said in result.stderr
    assert not list(tmp_path.iterdir())
