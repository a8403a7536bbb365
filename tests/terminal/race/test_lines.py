"""Plain lines and JSON lines: how many, what is in them, and nothing that JSON lacks."""

import json
import math
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest
import torch

from slalom.race.events import LanesAdded, RaceDone
from slalom.terminal.race import lines

RULES = {"sgd": 0.1, "adam": 0.003}


def told(events: list[object]) -> list[str]:
    """The plain lines of a stream, a second an event."""
    written: list[str] = []
    now = iter(range(10_000))
    view = lines.PlainView(written.append, clock=lambda: float(next(now)))
    for event in events:
        view(event)
    return written


def test_a_line_an_epoch_with_the_best_so_far(made_up: SimpleNamespace) -> None:
    written = told(list(made_up.race(RULES)))
    assert written[0] == "mlp:64,64:relu on digits: 54 lanes, 2 rules, 20 epochs"
    assert written[1] == "directory: runs/x"
    progress = [line for line in written if line[3] == "%"]
    assert len(progress) <= 20
    assert progress[-1].startswith("100%")
    assert "best: sgd lr 0.1 val accuracy 0.9621 ± 0.0029" in progress[-1]
    assert progress[-1].endswith("(6 retired)")


def test_lanes_one_at_a_time_do_not_write_a_line_for_each_of_their_epochs(made_up: SimpleNamespace) -> None:
    events = [made_up.started(["sgd"], 50, 10), LanesAdded("sgd", [0.1], list(range(50)))]
    events += [made_up.epoch(e, 10, [lane], [0.5], heat=lane) for lane in range(50) for e in range(1, 11)]
    assert len([line for line in told(events) if "%" in line]) == 10


def test_a_widened_race_tells_of_its_new_lanes(made_up: SimpleNamespace) -> None:
    events = [made_up.started(["sgd"], 2, 4), LanesAdded("sgd", [0.1], [0, 1])]
    events += [made_up.epoch(e, 4, [0, 1], [0.5, 0.5]) for e in range(1, 5)]
    events += [LanesAdded("sgd", [1.0], [2, 3], widened=True)]
    events += [made_up.epoch(e, 4, [2, 3], [0.5, 0.5], heat=1) for e in range(1, 5)]
    written = told([*events, RaceDone(1.0, 4, 0)])
    assert "sgd: best learning rate at the edge, adding 1" in written
    shares = [line.split("%")[0].strip() for line in written if "%" in line]
    assert shares == ["25", "50", "75", "100", "75", "100"]


def test_json_lines_hold_every_event_and_every_field(made_up: SimpleNamespace) -> None:
    written: list[str] = []
    view = lines.JsonView(written.append)
    events = list(made_up.race(RULES))
    for event in events:
        view(event)
    read = [json.loads(line, parse_constant=pytest.fail) for line in written]
    assert [r.pop("event") for r in read][:4] == ["race_started", "note", "lanes_added", "lanes_added"]
    assert [list(r) for r in read] == [list(vars(event)) for event in events]
    last = read[-2]
    assert last["val_metric"][0] == events[-2].val_metric[0]
    assert last["val_metric"][-1] is None  # a retired lane's NaN
    assert all("\n" not in line for line in written)


def test_anything_becomes_plain_json() -> None:
    odd = {
        "settings": MappingProxyType({"lr": np.float32(0.5), 3: {1}}),
        "array": np.array([1.0, np.inf]),
        "tensor": torch.tensor([[1, 2]]),
        "kind": float,
        "none": None,
        "yes": np.bool_(True),
        "nan": np.float64("nan"),
        "event": RaceDone(math.nan, 1, 0),
    }
    assert lines.plain(odd) == {
        "settings": {"lr": 0.5, "3": [1]},
        "array": [1.0, None],
        "tensor": [[1, 2]],
        "kind": "<class 'float'>",
        "none": None,
        "yes": True,
        "nan": None,
        "event": {"seconds": None, "lanes": 1, "retired": 0},
    }
