"""`slalom examine`: a set-up by its place; what is printed, in which form; wrong places and wrong set-ups."""

import json

import pytest
from typer.testing import CliRunner

from slalom import cli
from slalom.core.errors import BadValueError
from slalom.terminal import examining

MODULE = """
import torch
from torch import nn

def slow(lr=1e-3):
    torch.manual_seed(0)
    x = torch.randn(200, 3)
    y = (x[:, 0] > 0).long()
    return {
        "model": nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2)), "loss_fn": nn.CrossEntropyLoss(),
        "optimizer": lambda m: torch.optim.SGD(m.parameters(), lr=lr), "train": (x[:150], y[:150]),
        "val": (x[150:], y[150:]), "epochs": 15,
    }

def fine():
    return slow(0.5)

def wrong():
    return {**slow(), "learning_rate": 1}

def short():
    return {"model": None}

def text():
    return "no"

def boom():
    raise KeyError("lost")
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_setups_of_a_test.py").write_text(MODULE)
    return "my_setups_of_a_test"


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def test_a_repair_is_printed_and_has_its_page(place, tmp_path):
    done = run("examine", f"{place}:slow", "--repair", "--report", tmp_path / "r.html")
    assert done.exit_code == 0, done.output
    said = done.stdout
    assert said.startswith("lr_too_low\n")
    for words in ("1. lr_too_low (confidence", "   remedy:", "repaired: loss", "lr=", "tried lr times", "page: "):
        assert words in said
    assert max(map(len, said.splitlines())) <= 130
    assert "Repaired" in (tmp_path / "r.html").read_text()


def test_json_is_one_object(place):
    done = run("examine", f"{place}:fine", "--json")
    told = json.loads(done.stdout)
    assert told["healthy"] is True
    assert told["labels"] == []


@pytest.mark.parametrize(
    ("name", "said"),
    [("wrong", "has learning_rate, which examine does not take"), ("short", "lacks loss_fn, optimizer, train"),
     ("text", "must return a dict with the arguments of slalom.examine, got str"), ("gone", "there is no function in"),
     ("boom", "calling it raised KeyError: 'lost'")],
)  # fmt: skip
def test_wrong_set_ups(place, name, said):
    done = run("examine", f"{place}:{name}")
    assert done.exit_code == 1
    assert said in done.stderr


def test_what_is_no_place():
    with pytest.raises(BadValueError, match=r"must be package.module:function"):
        examining.collected("mlp")
    with pytest.raises(BadValueError, match="set-up 'nowhere_to_be_found:f': there is no module"):
        examining.collected("nowhere_to_be_found:f")
