"""Loggers: what stand-ins of the three packages are told, held against the history; and what is said without them."""

from __future__ import annotations

import math
import sys
import types

import pytest

import slalom
from slalom.core.errors import MissingExtraError, SlalomError
from slalom.tune import Categorical, Float
from slalom.tune.loggers import TrialLogger

pytestmark = pytest.mark.usefixtures("one_thread")
SPACE = {"lr": Float(1e-3, 1, log=True), "optimizer": Categorical(["momentum", "adam"])}
GIVEN = {"data": "iris", "space": SPACE, "budget": 6, "lanes": 6, "epochs": 3, "method": "random", "seeds": 2, "finalists": 1}


@pytest.fixture
def installed(monkeypatch):
    """Stand-ins of the packages; every call of theirs is kept by name."""
    calls: list[tuple] = []

    class Told:
        def __init__(self, what, **held):
            self.what = what
            self.__dict__.update(held)

        def __getattr__(self, name):
            return lambda *a, **k: calls.append((f"{self.what}.{name}", a, k))

    class Client(Told):
        def __init__(self, tracking_uri):
            super().__init__("mlflow", uri=tracking_uri)
            self.count = 0

        def get_experiment_by_name(self, name):
            return None

        def create_experiment(self, name):
            calls.append(("experiment", name))
            return "7"

        def create_run(self, experiment, tags):
            self.count += 1
            calls.append(("run", experiment, tags))
            return types.SimpleNamespace(info=types.SimpleNamespace(run_id=f"r{self.count}"))

    def begin(**given):
        calls.append(("wandb.init", given))
        return Told("wandb", summary=Told("summary"))

    modules = {
        "tensorboard": {}, "torch.utils.tensorboard": {"SummaryWriter": lambda folder: Told("tb", folder=folder)},
        "mlflow": {"MlflowClient": Client}, "wandb": {"init": begin},
    }  # fmt: skip
    for name, held in modules.items():
        module = types.ModuleType(name)
        module.__dict__.update(held)
        monkeypatch.setitem(sys.modules, name, module)
    return calls


def rungs(found):
    return {(t.number, e, loss) for t in found.trials for e, loss, _ in t.rungs if math.isfinite(loss)}


def test_all_three_are_told_every_rung_of_every_trial_and_the_test(tmp_path, installed):
    found = slalom.tune(**GIVEN, directory=tmp_path / "run", log=["tensorboard", "mlflow", "wandb"])
    calls = installed
    scalars = [a for name, a, _ in (c for c in calls if c[0] == "tb.add_scalar")]
    assert {(int(n[6:10]), e, v) for n, v, e in scalars if n.startswith("trial-") and n.endswith("val_loss")} == rungs(found)
    assert [v for n, v, _ in scalars if n == "test/loss"] == [pytest.approx(found.test.mean_loss)]
    hypers = [a[0] for name, a, _ in (c for c in calls if c[0] == "tb.add_hparams")]
    order = [t.number for _, s in sorted((t.epoch, t.number) for t in found.trials) for t in [found.trials[s]]]
    assert [{k: v for k, v in h.items() if k != "state"} for h in hypers] == [found.trials[n].config for n in order]

    runs = [c[2]["mlflow.runName"] for c in calls if c[0] == "run"]
    assert runs == [f"trial {n}" for n in order]
    metrics = [(a, k) for name, a, k in (c for c in calls if c[0] == "mlflow.log_metric")]
    assert {(order[int(a[0][1:]) - 1], k["step"], a[2]) for a, k in metrics if a[1] == "val_loss"} == rungs(found)
    assert [a[0] for a, _ in metrics if a[1] == "test_accuracy"] == [f"r{order.index(found.best.number) + 1}"]
    ended = [a for name, a, _ in (c for c in calls if c[0] == "mlflow.set_terminated")]
    states = {"finished": "FINISHED", "diverged": "FAILED"}
    assert ended == [(f"r{i + 1}", states.get(found.trials[n].state, "KILLED")) for i, n in enumerate(order)]
    assert ("experiment", "MLP on iris") in calls

    begun = [c[1] for c in calls if c[0] == "wandb.init"]
    assert {b["mode"] for b in begun} == {"offline"}
    assert [b["config"] for b in begun[:-1]] == [found.trials[n].config for n in order]
    assert begun[-1]["name"] == f"winner, trial {found.best.number}"
    assert sum(c[0] == "wandb.finish" for c in calls) == len(begun)
    assert len([c for c in calls if c[0] == "wandb.log"]) == sum(len(t.rungs) for t in found.trials)


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_without_the_package_its_name_is_said_before_anything_is_written(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=f"pip install {name}"):
        slalom.tune(**GIVEN, directory=tmp_path / "run", log=name)
    assert not (tmp_path / "run").exists()


def test_unknown_loggers_are_refused():
    with pytest.raises(SlalomError, match="did you mean 'mlflow'"):
        slalom.tune(**GIVEN, log="mlfow")


def test_a_logger_of_ones_own_that_fails_is_left_out_and_the_search_goes_on(tmp_path):
    class Mine(TrialLogger):
        seen = 0

        def trial(self, trial):
            self.seen += 1
            if self.seen == 3:
                raise RuntimeError("no room")

    mine = Mine(tmp_path)
    with pytest.warns(UserWarning, match="Mine failed and is told no more: RuntimeError: no room"):
        found = slalom.tune(**GIVEN, log=mine)
    assert mine.seen == 3
    assert found.best.state == "finished"


def test_tensorboards_own_writer_takes_it(tmp_path):
    pytest.importorskip("tensorboard")
    found = slalom.tune(**GIVEN, directory=tmp_path / "run", log="tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(found.directory / "tensorboard"))
    read.Reload()
    assert len([t for t in read.Tags()["scalars"] if t.startswith("trial-")]) >= len(found.trials)
