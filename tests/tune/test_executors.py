"""Other processes and a Ray cluster train the same trials, and lose nothing when a worker is killed in the middle of a rung."""

from __future__ import annotations

import os
import signal

import pytest
import torch

import slalom
from slalom.core.errors import BadValueError, SlalomError
from slalom.tune import Categorical, Float, Int
from slalom.tune.events import Note, RungDone
from slalom.tune.executors import executor_of
from slalom.tune.executors.processes import Processes

pytestmark = pytest.mark.usefixtures("one_thread")
SPACE = {
    "lr": Float(1e-3, 1, log=True), "optimizer": Categorical(["momentum", "adam"]), "batch_size": Int(16, 32, powers=True),
    "layers": Int(1, 2), "units": Int(4, 40, log=True),
}  # fmt: skip
GIVEN = {"data": "iris", "space": SPACE, "budget": 12, "lanes": 6, "epochs": 9, "method": "random", "seeds": 1, "finalists": 1}


def facts(result):
    return [(t.number, t.config, t.state, t.epoch, t.rungs) for t in result.trials]


@pytest.fixture(scope="module")
def local():
    return facts(slalom.tune(**GIVEN))


def test_processes_train_the_same_trials_though_one_is_killed(tmp_path, local, monkeypatch):
    """Each job's worker is at work when the first of them is killed."""
    killed = []
    submit = Processes.submit

    def and_kill(self, job):
        submit(self, job)
        busy = [h for h in self.hands if h.job is not None]
        if job.start == 1 and busy and not killed:
            killed.append(busy[0].process.pid)
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(Processes, "submit", and_kill)
    events = []
    found = slalom.tune(**GIVEN, executor="processes", workers=2, directory=tmp_path / "run", on_event=events.append)
    assert killed
    assert any("a worker died" in e.text for e in events if isinstance(e, Note))
    assert facts(found) == local
    told = [(e.batch, e.rung) for e in events if isinstance(e, RungDone)]
    assert len(told) == len(set(told)) == 8  # of 6, 3 and 3 trials: three rungs, two, three
    for pid in killed:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_what_cannot_travel_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(BadValueError, match=r"package\.module:function"):
        slalom.tune(lambda: None, "iris", executor="processes", directory=tmp_path / "run") if False else Processes(lambda: None)
    with pytest.raises(BadValueError, match="one worker"):
        slalom.tune(**GIVEN, workers=3)
    with pytest.raises(BadValueError, match="workers must be"):
        slalom.tune(**GIVEN, executor="processes", workers=0.5)
    with pytest.raises(BadValueError, match="workers must be a whole number >= 1, got 0"):
        Processes(None, workers=0)
    with pytest.raises(BadValueError, match="goes with an executor by its name"):
        executor_of(object(), None, 2)


def test_a_fault_in_a_worker_is_told_after_a_few_tries(monkeypatch):
    class Broken:
        """An executor whose every job fails."""

        def __init__(self):
            self.jobs = []

        def submit(self, job):
            self.jobs.append(job)

        def wait(self):
            from slalom.tune.executors import Finished

            return [Finished(self.jobs.pop(0), error="out of memory")]

        def cancel(self):
            self.jobs.clear()

        def resources(self):
            from slalom.tune.executors import Resources

            return Resources(1, False, "nowhere")

    with pytest.raises(SlalomError, match="failed 4 times: out of memory"):
        slalom.tune(**GIVEN, executor=Broken())


def share_right(outputs, targets):
    return (outputs.argmax(1) == targets).double().mean()


def test_a_metric_of_ones_own_travels_where_it_is_a_function_of_a_module():
    import pickle

    from slalom.tune.executors.processes import packed
    from slalom.tune.prepare import prepare

    options = {"target": None, "task": None, "split": (0.6, 0.2, 0.2), "seed": 0, "scale": True}
    problem = prepare(
        None, "iris", space=None, budget=4, method="random", lanes=None, epochs=1, halving=None, batch_size=64, loss=None,
        metric=share_right, data_options=options, points=None, seed=0, seeds=1, finalists=1, objective="loss", dtype="float32",
        storage=None,
    ).problem  # fmt: skip
    there = pickle.loads(packed(problem))
    y = problem.data.val.y
    assert float(there.metric.measure(torch.eye(3)[y], y)) == 1.0
