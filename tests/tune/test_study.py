"""Guess and check: what is asked, told, refused, and found again after a kill."""

from __future__ import annotations

import math

import pytest

from slalom.core.errors import BadValueError
from slalom.tune import Categorical, Float, Study

SPACE = {"x": Float(-2, 2), "kind": Categorical(["a", "b"])}


def test_hunches_come_first_and_join_the_search():
    study = Study(SPACE, method="bayesian")
    study.enqueue(x=1.0, kind="b")
    study.enqueue(x=-1.0)
    first, second, third = study.ask(), study.ask(), study.ask()
    assert first.config == {"x": 1.0, "kind": "b"}
    assert second.config["x"] == -1.0
    assert [t.enqueued for t in (first, second, third)] == [True, True, False]
    study.tell(second.number, 4.0)
    study.tell(first.number, 0.5)
    study.tell(third.number, math.nan)
    assert study.best.number == first.number
    assert study.trials[2].value == 4.0  # the worst so far, finite
    assert study.trials[2].state == "diverged"
    for bad, said in ((0, "not waiting"), (9, "not waiting")):
        with pytest.raises(BadValueError, match=said):
            study.tell(bad, 1.0)
    with pytest.raises(BadValueError, match="must be in"):
        study.enqueue(x=3.0)
    with pytest.raises(BadValueError, match="no more points"):
        Study(SPACE, method="manual").ask()


@pytest.mark.parametrize("method", ["random", "bayesian", "annealing"])
def test_a_study_goes_on_as_if_it_had_not_stopped(tmp_path, method):
    def run(study, count):
        for _ in range(count):
            trial = study.ask()
            study.tell(trial.number, (trial.config["x"] - 1) ** 2 + (trial.config["kind"] == "a"))

    whole = Study(SPACE, method=method, seed=2)
    run(whole, 30)
    first = Study(SPACE, method=method, seed=2, directory=tmp_path / "s")
    run(first, 17)
    first.close()
    with open(tmp_path / "s" / "journal.jsonl", "a") as file:
        file.write('{"event":"batch_as')  # as a kill leaves it
    again = Study(SPACE, method=method, seed=2, directory=tmp_path / "s")
    run(again, 13)
    again.close()
    assert [(t.config, t.value) for t in again.trials] == [(t.config, t.value) for t in whole.trials]
    with pytest.raises(BadValueError, match="another space"):
        Study({"x": Float(0, 1)}, directory=tmp_path / "s", seed=2)
