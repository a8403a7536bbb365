"""Whole searches: halving, protocol, record, and going on after a kill between any two writes."""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import slalom
from slalom.core.errors import BadValueError, SlalomError, StoreError
from slalom.tune import Categorical, Float, Int
from slalom.tune.budget import budget_of
from slalom.tune.events import Recorder, RungDone
from slalom.tune.record import Record
from slalom.tune.rungs import kept, rung_epochs

pytestmark = pytest.mark.usefixtures("one_thread")
SPACE = {
    "lr": Float(1e-3, 1, log=True), "optimizer": Categorical(["momentum", "adam"]), "batch_size": Int(16, 32, powers=True),
    "layers": Int(1, 2), "units": Int(4, 40, log=True), "dropout": Float(0, 0.5),
}  # fmt: skip
GIVEN = {"data": "iris", "space": SPACE, "budget": 12, "lanes": 6, "epochs": 9, "method": "random", "seeds": 2, "finalists": 2}


class Killed(BaseException):
    """As after kill -9, nothing runs that would tidy up."""


def facts(result):
    """Everything of a search that does not depend on time."""
    trials = [(t.number, t.config, t.state, t.epoch, t.rungs, t.seed, t.reason) for t in result.trials]
    return repr(trials), result.best.number, repr(result.test), repr(result.validation)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return slalom.tune(**GIVEN, directory=tmp_path_factory.mktemp("tune") / "run")


def test_a_search_keeps_the_best_third_and_says_what_it_found(whole):
    assert whole._plan.rungs == [1, 3, 9] == rung_epochs(9, 3)
    assert [[r.lanes, r.rungs] for r in whole._plan.ladders] == [[6, [1, 3, 9]], [3, [3, 9]]]  # 2.3 and 5 epochs a trial
    assert len({t.order for t in whole.trials}) == 3  # a batch has one order of the data, and each its own
    for batch, rungs in enumerate([((6, 1), (2, 3), (1, 9)), ((3, 3), (1, 9)), ((3, 1), (1, 3), (1, 9))]):
        trials = [t for t in whole.trials if t.batch == batch]
        assert len({t.order for t in trials}) == 1
        assert {e for t in trials for e, _, _ in t.rungs} == {epoch for _, epoch in rungs}
        for n, epoch in rungs:
            there = [t for t in trials if t.epoch >= epoch]
            assert len(there) == n
            losses = {t.number: {e: x for e, x, _ in t.rungs}[epoch] for t in there}
            on = [t.number for t in trials if t.epoch > epoch]
            assert sorted(losses, key=losses.get)[: len(on)] == sorted(on, key=losses.get)
    assert {t.state for t in whole.trials} <= {"finished", "pruned", "diverged"}
    assert whole.best.state == "finished"
    assert len(whole.test.metric) == len(whole.validation.metric) == 2
    assert whole.optimism.total == pytest.approx(whole.best.metric - np.mean(whole.test.metric))
    assert whole.optimism.total == pytest.approx(whole.optimism.luck + whole.optimism.choice)
    assert len(whole.to_frame()) == 12
    for word in ("12 trials", "validation", "test", "optimism", "warning: 12 trials for 6 parameters are few"):
        assert word in str(whole)


def test_the_winners_model_is_the_one_that_was_measured(whole):
    data = slalom.data.load("iris")
    again = slalom.tune.load(whole.directory)
    for result in (whole, again):
        with torch.no_grad():
            accuracy = float((result.model(data.test.x).argmax(1) == data.test.y).double().mean())
        tested = result.history.tested
        assert accuracy == pytest.approx(tested["test_metric"][tested["seeds"].index(tested["model_seed"])])
    assert facts(again) == facts(whole)


@pytest.mark.parametrize("augment", ["none", "noise=0.3", "mixup=0.5"])
def test_a_trial_alone_with_torch_comes_to_the_same_loss(whole, augment):
    """Not our lanes, rules or masks: modules and optimizers of torch, from the trial's own seed and the search's order."""
    from slalom.nets.augmentation import Augment, Mixup, Noise
    from slalom.race.order import permutation

    data, trial = slalom.data.load("iris"), next(t for t in whole.trials if t.config["dropout"] > 0)
    config = {**trial.config, "dropout": 0.0}
    quiet = {
        **GIVEN,
        "space": {**SPACE, "dropout": 0.0, "augment": augment},
        "budget": 1,
        "lanes": 1,
        "halving": None,
        "epochs": 3,
        "seeds": 1,
    }
    found = slalom.tune(**quiet, enqueue=[{k: v for k, v in config.items() if k != "dropout"}], dtype="float64").trials[0]
    torch.manual_seed(found.seed)
    sizes = [4, *[config["units"]] * config["layers"]]
    layers = [m for a, b in itertools.pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU())]
    net = nn.Sequential(*layers, nn.Linear(sizes[-1], 3)).double()
    adam = config["optimizer"] == "adam"
    kind = torch.optim.Adam if adam else lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9)
    optimizer = kind(net.parameters(), lr=config["lr"])
    change = Augment(*{"none": [], "noise=0.3": [Noise(0.3)], "mixup=0.5": [Mixup(0.5, 3)]}[augment])
    index = [i for epoch in range(3) for i in torch.split(permutation(0, epoch, 90), config["batch_size"])]
    for step, i in enumerate(index):
        optimizer.zero_grad()
        x, y = change(data.train.x[i], data.train.y[i], seed=found.seed, step=step)
        nn.functional.cross_entropy(net(x.double()), y.double() if y.is_floating_point() else y).backward()
        optimizer.step()
    with torch.no_grad():
        loss = nn.functional.cross_entropy(net(data.val.x.double()), data.val.y)
    assert found.loss == pytest.approx(float(loss), rel=1e-9)


def test_without_a_compiler_padded_lanes_come_to_the_same(monkeypatch):
    from slalom.tune.training import family

    given = {**GIVEN, "dtype": "float64", "budget": 6, "seeds": 1, "finalists": 1}
    rows = slalom.tune(**given)
    monkeypatch.setattr(family, "rowed", lambda *_: None)
    padded = slalom.tune(**given)
    for a, b in zip(rows.trials, padded.trials, strict=True):
        assert a.state == b.state
        assert np.allclose(a.rungs, b.rungs, rtol=1e-9)


def test_a_kill_between_any_two_writes_loses_nothing_and_repeats_nothing(tmp_path, monkeypatch):
    """Each replace, unlink and append in turn is the last thing that the first process does; torn tails are added."""
    given = {**GIVEN, "epochs": 3, "lanes": 4, "budget": 8}
    whole = slalom.tune(**given, directory=tmp_path / "whole")
    replace, unlink, append = os.replace, Path.unlink, Record.append_lines
    count = 0

    def dying(real, limit):
        def run(*arguments, **options):
            nonlocal count
            count += 1
            if count == limit:
                raise Killed
            return real(*arguments, **options)

        return run

    limit = 0
    while True:
        limit, count = limit + 1, 0
        run = tmp_path / str(limit)
        told: list[RungDone] = []
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", dying(replace, limit))
            patch.setattr(os, "unlink", lambda path: None)
            patch.setattr(Path, "unlink", dying(unlink, limit))
            patch.setattr(Record, "append_lines", dying(append, limit))
            try:
                slalom.tune(**given, directory=run, on_event=lambda e, told=told: isinstance(e, RungDone) and told.append(e))
                break
            except Killed:
                pass
        if not (run / "plan.json").exists():
            ended = slalom.tune(**given, directory=run)
        else:
            with open(run / "journal.jsonl", "a") as file:
                file.write('{"event":"rung_done","bat' * (limit % 2))
            left = slalom.tune.load(run)
            str(left)
            for event in told:  # what was told is on record
                for number, state in event.states.items():
                    assert left.trials[int(number)].state == state
            again = Recorder()
            ended = slalom.tune.resume(run, on_event=again)
            seen = [(e.batch, e.rung) for e in [*told, *(e for e in again.events if isinstance(e, RungDone))]]
            assert len(seen) == len(set(seen))  # no rung runs twice once it is told
        assert facts(ended) == facts(whole)
        assert not [p for p in run.rglob(".*") if p.name != ".lock"]
        assert not list((run / "checkpoints").iterdir())
        shutil.rmtree(run)
    assert limit > 15


def test_a_search_that_has_ended_is_loaded_not_run(whole):
    before = (whole.directory / "journal.jsonl").read_bytes()
    assert facts(slalom.tune.resume(whole.directory)) == facts(whole)
    assert (whole.directory / "journal.jsonl").read_bytes() == before


def test_ctrl_c_returns_the_best_so_far(tmp_path):
    def stop(event):
        if isinstance(event, RungDone) and event.batch == 1:
            raise KeyboardInterrupt

    found = slalom.tune(**GIVEN, directory=tmp_path / "run", on_event=stop)
    assert found.interrupted
    assert found.best.state == "finished"
    assert "unopened" in str(found)
    assert not found.test.metric
    with pytest.raises(SlalomError, match="no trained model"):
        found.model  # noqa: B018


def test_diverged_trials_are_told_as_a_large_finite_loss_and_harm_nobody():
    space = {"lr": Float(1e-3, 1e12, log=True), "optimizer": "sgd"}
    found = slalom.tune(None, "iris", space=space, budget=12, lanes=12, epochs=3, method="random", seeds=1)
    bad = [t for t in found.trials if t.state == "diverged"]
    assert bad
    assert all(t.value == pytest.approx(2 * math.log(3)) for t in bad)
    assert found.best.state == "finished"
    assert any("diverged; the space reaches too far" in w for w in found.warnings)


def test_factories_of_ones_own_vary_by_their_arguments(tmp_path):
    def net(input_shape, output_size, width: int = Int(3, 5), bias: bool = True):
        return nn.Sequential(nn.Linear(input_shape[0], width), nn.Tanh(), nn.Linear(width, output_size, bias=bias))

    space = {"lr": Float(1e-2, 1e-1, log=True), "weight_decay": Float(1e-6, 1e-2, log=True)}
    given = {"data": "iris", "space": space, "budget": 6, "epochs": 3, "seeds": 2, "method": "random"}
    found = slalom.tune(net, **given, directory=tmp_path / "run")
    assert set(found.best.config) == {"lr", "weight_decay", "width"}
    assert found.model[0].out_features == found.config["width"]
    with pytest.raises(BadValueError, match="with its own model"):
        slalom.tune.resume(tmp_path / "run")
    assert facts(slalom.tune.resume(tmp_path / "run", model=net)) == facts(found)


def test_own_epochs_end_a_trial_and_manual_runs_what_is_enqueued():
    space = {"lr": Float(1e-3, 1, log=True), "epochs": Int(1, 4)}
    hunches = [{"lr": 0.01, "epochs": e} for e in (1, 2, 3, 4)]
    found = slalom.tune(None, "iris", space=space, budget=9, epochs=4, method="manual", enqueue=hunches, halving=None, seeds=1)
    assert [(t.epoch, t.state) for t in found.trials] == [(e, "finished") for e in (1, 2, 3, 4)]


def test_exports_to_optuna(tmp_path, whole):
    import optuna

    where = f"sqlite:///{tmp_path / 'study.db'}"
    whole.export(where)
    study = optuna.load_study(study_name="slalom", storage=where)
    assert len(study.trials) == 12
    finished = [t.number for t in whole.trials if t.state == "finished"]
    assert [t.number for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE] == finished
    assert study.best_value == pytest.approx(min(whole.trials[n].value for n in finished))
    with pytest.raises(BadValueError, match="has trials already"):
        whole.export(where)


def test_a_search_with_a_model_resumes_to_the_bit(tmp_path):
    space = {**SPACE, "augment": Categorical(["none", "noise=0.1"])}
    given = {**GIVEN, "space": space, "method": "bayesian", "budget": 18}
    first = slalom.tune(**given, directory=tmp_path / "a")

    def stop(event):
        if isinstance(event, RungDone) and event.batch == 1 and event.rung == 0:
            raise KeyboardInterrupt

    slalom.tune(**given, directory=tmp_path / "b", on_event=stop)
    assert facts(slalom.tune.resume(tmp_path / "b")) == facts(first)


def test_searches_share_a_database_and_a_resumed_one_adds_nothing_twice(tmp_path):
    import optuna

    where = f"sqlite:///{tmp_path / 'shared.db'}"
    given = {**GIVEN, "method": "bayesian", "storage": where, "lanes": 4, "budget": 8, "epochs": 3, "seeds": 1}

    def stop(event):
        if isinstance(event, RungDone) and event.batch == 1 and event.rung == 0:
            raise KeyboardInterrupt

    slalom.tune(**given, directory=tmp_path / "a", on_event=stop)
    slalom.tune.resume(tmp_path / "a")
    slalom.tune(**{**given, "seed": 1})
    (name,) = optuna.get_all_study_names(where)
    study = optuna.load_study(study_name=name, storage=where)
    states = [t.state.name for t in study.trials]
    assert len(states) == 16
    assert set(states) == {"COMPLETE", "PRUNED"}
    with pytest.raises(BadValueError, match="must be one of bayesian"):
        slalom.tune(**{**given, "method": "random"})


def test_budgets_and_rungs():
    assert [budget_of(b) for b in (5, "5", "5 trials")] == [budget_of(5)] * 3
    assert [budget_of(b).seconds for b in ("90s", "5m", "2 hours")] == [90, 300, 7200]
    for bad in (0, True, "soon", "-3m", "1.5 trials", "nan s", None):
        with pytest.raises(BadValueError, match="budget must be"):
            budget_of(bad)
    steps = slalom.tune(**{**GIVEN, "budget": "300 lane_steps"})
    assert 300 <= steps.history.lane_steps < 900
    assert kept([(math.inf, 0), (1.0, 1)], 1) == [1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "bayes"}, "bayesian"),
        ({"halving": 1}, "halving must be"),
        ({"lanes": 0}, "lanes must be"),
        ({"epochs": 0}, "epochs"),
        ({"objective": "accuracy"}, "objective"),
        ({"executor": "cloud"}, "executor 'cloud'"),
        ({"space": {"lr": Float(-1, 1)}}, r"lr must be in \[0, inf\)"),
        ({"space": {"units": Int(4, 8), "layers": Int(0, 1)}}, "hidden layers"),
        ({"space": {"activation": Categorical(["relu", "prelu"])}}, "prelu"),
        ({"enqueue": [{"lr": 7.0}]}, "lr must be in"),
        ({"space": {"lr": Float(0.1, 1), "augment": "noise=-1"}}, "std must be"),
        ({"space": {"augment": Categorical(["none", "shift=1"])}}, "wants images"),
        ({"model": "mlp:8:relu:batchnorm", "space": {"layers": Int(1, 2)}}, "layers"),
    ],
)
def test_what_cannot_be_searched_is_said_before_anything_is_written(tmp_path, given, said):
    run = tmp_path / "run"
    with pytest.raises(SlalomError, match=said):
        slalom.tune(**{**GIVEN, **given}, directory=run)
    assert not run.exists()


def test_other_directories_are_refused(tmp_path, whole):
    race = slalom.race("linear", "iris", rules=["sgd"], lrs=[0.1], seeds=1, epochs=1, directory=tmp_path / "race")
    with pytest.raises(StoreError, match="not the run of a search"):
        slalom.tune.load(race.directory)
    with pytest.raises(StoreError, match="not an empty directory"):
        slalom.tune(**GIVEN, directory=whole.directory)
    plan = tmp_path / "copy"
    shutil.copytree(whole.directory, plan)
    body = json.loads((plan / "plan.json").read_text())
    (plan / "plan.json").write_text(json.dumps({**body, "epochs": 0}))
    with pytest.raises(StoreError, match="damaged"):
        slalom.tune.load(plan)


def test_what_would_do_nothing_is_refused(tmp_path):
    with pytest.raises(BadValueError, match="points is of a grid, got 5 with method 'random'"):
        slalom.tune(**GIVEN, points=5, directory=tmp_path / "run")
    with pytest.raises(BadValueError, match="nothing else; name a configuration"):
        slalom.tune(**{**GIVEN, "method": "manual"}, directory=tmp_path / "run")
    assert not (tmp_path / "run").exists()
