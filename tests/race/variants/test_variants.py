"""Variants in the plan, on the leaderboard, across a stop and a resume; and what cannot be a variant."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

import slalom
from slalom.core.errors import BadValueError, UnknownNameError
from slalom.nets import Augment, EarlyStopping, Noise
from slalom.optim import L1, ElasticNet
from slalom.race.api import resume
from slalom.race.events import EpochDone
from slalom.race.variants.axes import variant_text, variants

SMALL = {"model": "mlp:6", "data": "iris", "rules": ["adam", "sgd"], "lrs": 0.05, "seeds": 2, "epochs": 6, "batch_size": 16}


def race(**more):
    return slalom.race(**{**SMALL, **more})


def test_a_list_is_an_axis_and_variants_go_by_their_names(tmp_path) -> None:
    result = race(dropout=[0, 0.2], l1=[0, 0.01], directory=tmp_path / "run")
    names = ["adam", "adam l1=0.01", "adam dropout=0.2", "adam dropout=0.2, l1=0.01"]
    names += [n.replace("adam", "sgd") for n in names]
    assert [r["label"] for r in result.plan["rules"]] == names
    assert {row.rule for row in result.leaderboard()} == set(names)
    assert len(result.lanes) == 8 * 2
    frame = result.to_frame()
    assert set(frame["variant"]) == {"", "l1=0.01", "dropout=0.2", "dropout=0.2, l1=0.01"}
    assert [lane.lane for lane in result.lanes] == list(range(16))
    assert slalom.load(tmp_path / "run").to_frame().equals(frame)
    page = result.report(tmp_path / "page.html").read_text()
    assert all(name.replace("&", "\\u0026") in page for name in names)


def test_a_race_without_variants_has_the_plan_that_it_had(tmp_path) -> None:
    race(directory=tmp_path / "run")
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert not {"variant", "compare"} & (plan.keys() | {k for rule in plan["rules"] for k in rule})


def test_learning_rates_by_rule_and_by_variant() -> None:
    result = race(dropout=[0, 0.5], lrs={"adam": [0.1], "sgd": [0.2], "adam dropout=0.5": [0.3, 0.4]}, epochs=1)
    assert {r["label"]: r["lrs"] for r in result.plan["rules"]} == {
        "adam": [0.1], "adam dropout=0.5": [0.3, 0.4], "sgd": [0.2], "sgd dropout=0.5": [0.2],
    }  # fmt: skip


class Stop(Exception):
    pass


def twice(x, y, generator):
    return 2 * x, y


LONG = {
    "dropout": [0, 0.3], "l1": 0.002, "augment": [Augment(Noise(0.2)), Augment(twice)], "weight_decay": 0.1,
    "early_stopping": [0, EarlyStopping(1, min_delta=0.01)], "epochs": 8, "rules": "adam",
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return race(**LONG, directory=tmp_path_factory.mktemp("whole") / "run")


@pytest.mark.parametrize("after", [2, 9])
def test_a_stopped_race_goes_on_to_the_bit(whole, tmp_path, after) -> None:
    told = []

    def stop(event) -> None:
        told.append(event)
        if sum(isinstance(e, EpochDone) for e in told) == after:
            raise Stop

    with pytest.raises(Stop):
        race(**LONG, directory=tmp_path / "run", on_event=stop)
    with pytest.raises(BadValueError, match=r"started from Python with its own augment"):
        resume(tmp_path / "run")
    done = resume(tmp_path / "run", augment=Augment(twice))
    assert done.to_frame().equals(whole.to_frame())
    assert any(lane.stopped_epoch for lane in done.lanes)
    for name in ("train_loss", "val_loss"):
        assert np.array_equal(getattr(done.curves(), name), getattr(whole.curves(), name), equal_nan=True)
    for lane in whole.lanes:
        assert all(torch.equal(v, done.weights(lane.lane)[k]) for k, v in whole.weights(lane.lane).items())


def test_whoever_watches_sees_a_stopped_lane_keep_its_figure() -> None:
    events = []
    result = race(early_stopping=1, lrs=1.5, epochs=12, on_event=events.append)
    told = [e for e in events if isinstance(e, EpochDone)][-1]
    stopped = [lane for lane in result.lanes if lane.stopped_epoch]
    assert stopped
    assert all(np.isfinite(told.val_loss))
    for lane in stopped:
        curve = result.curves().val_loss[lane.lane]
        assert told.val_loss[lane.lane] == lane.val_loss == curve[lane.kept_epoch - 1] == np.nanmin(curve)
        assert lane.steps == lane.stopped_epoch * 6
        assert np.isnan(curve[lane.stopped_epoch :]).all()
        assert np.isfinite([lane.train_loss, lane.test_loss]).all()


def test_early_stopping_on_the_metric_and_without_restoring() -> None:
    watched = race(early_stopping=EarlyStopping(1, higher_is_better=True), epochs=12)
    for lane in watched.lanes:
        assert lane.val_metric == np.nanmax(watched.curves().val_metric[lane.lane])
    kept = race(early_stopping=EarlyStopping(1, restore=False), lrs=1.5, epochs=12)
    for lane in kept.lanes:
        curve = kept.curves().val_loss[lane.lane]
        assert lane.val_loss == curve[np.isfinite(curve)][-1]


def test_width_scales_hidden_layers() -> None:
    result = race(width=[1, 0.5], epochs=1, rules="adam")
    shapes = {lane.rule: result.weights(lane.lane)["0.weight"].shape for lane in result.lanes}
    assert shapes == {"adam": (6, 4), "adam width=0.5": (3, 4)}


def test_own_models_drop_where_they_have_dropout() -> None:
    def own():
        return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Dropout(0.9), nn.Linear(6, 3))

    spec = race(dropout=[0, 0.4], rules="adam", model="mlp:6")
    mine = race(dropout=[0, 0.4], rules="adam", model=own)
    for a, b in zip(spec.lanes, mine.lanes, strict=True):
        assert a.test_loss == pytest.approx(b.test_loss, rel=1e-5)
    with pytest.raises(BadValueError, match=r"has no nn\.Dropout"):
        race(dropout=0.1, model=lambda: nn.Linear(4, 3))
    for name, value in (("batch_norm", True), ("activation", "tanh"), ("width", 0.5)):
        with pytest.raises(BadValueError, match=f"{name}: it can be set in specs"):
            race(model=own, **{name: value})
        with pytest.raises(BadValueError, match="no hidden layer"):
            race(model="linear", **{name: value})


def test_what_is_given_and_what_it_is_called() -> None:
    def text(**given):
        return [variant_text(v) for v in variants(given)]

    assert text(l1=[0, 0.01, L1(0.01, "subgradient"), "subgradient(.02)"]) == [
        "", "l1=0.01", "l1=subgradient(0.01)", "l1=subgradient(0.02)",
    ]  # fmt: skip
    assert text(elastic_net=(0.1, 0.2)) == ["elastic_net=0.1/0.2"] == text(elastic_net=ElasticNet(0.1, 0.2))
    assert text(elastic_net=[None, (0.1, 0.2)]) == ["", "elastic_net=0.1/0.2"]
    assert text(augment=[None, "shift+noise=.5"]) == ["", "shift=1+noise=0.5"]
    assert text(early_stopping=EarlyStopping(3, min_delta=0.1)) == ["early_stopping=3 (min_delta=0.1)"]
    assert text(activation=["relu", "gelu"], batch_norm=[False, True]) == ["relu", "relu, batch_norm", "gelu", "gelu, batch_norm"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dropout": 1.0}, r"dropout must be a number in \[0, 1\), got 1.0"),
        ({"width": 0}, "width must be a factor on the model.s hidden layers in"),
        ({"dropout": [0.1, 0.1]}, "dropout names a value twice"),
        ({"l1": []}, "l1 is empty"),
        ({"l1": -1}, "l1 must be a number in"),
        ({"l1": "subgradient(x)"}, "such as subgradient"),
        ({"elastic_net": 0.1}, r"a pair \(l1, l2\)"),
        ({"elastic_net": (0.1, 0.1), "l2": 0.1}, "l2 is set twice"),
        ({"batch_norm": "yes"}, "must be True or False"),
        ({"augment": "crop"}, "crop needs its length"),
        ({"augment": "shift=.5"}, "shift must be a whole number"),
        ({"augment": "shift=1"}, "wants images"),
        ({"augment": "mixup", "loss": lambda a, b: nn.functional.cross_entropy(a, b)}, "cross_entropy alone"),
        ({"early_stopping": -1}, "patience must be a whole number"),
        ({"l1": 0.1, "clip": 1.0}, "cannot follow its clip"),
        ({"l1": 0.1, "rules": "lion"}, "no step in proportion"),
        ({"l1": 0.1, "rules": "torch.Adam"}, "needs a rule"),
        ({"weight_decay": 0.1, "rules": "adamw(weight_decay=0.2)"}, "has its own weight_decay"),
        ({"weight_decay": 0.1, "rules": "torch.SGD"}, "no decoupled weight decay"),
        ({"batch_norm": True, "batch_size": 89}, "the last of an epoch has 1"),
        ({"compare": "activations", "dropout": 0.1}, "brings its own variants"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(given, said, tmp_path) -> None:
    with pytest.raises(BadValueError, match=said):
        race(**given, directory=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_names_that_there_are_not() -> None:
    for given in ({"activation": "rleu"}, {"augment": "nose=1"}, {"compare": "optimisers"}):
        with pytest.raises(UnknownNameError):
            race(**given)
