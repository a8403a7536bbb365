"""The run directory in each state that a kill can leave it in: it loads, resumes to the bit, and nothing is left lying about."""

from __future__ import annotations

import json
import os
import shutil
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import nn

import slalom
from slalom.core.errors import BadValueError, StoreError
from slalom.race.api import resume
from slalom.race.events import Note, Recorder
from slalom.race.store import Store
from tests.race.test_resume import same

GIVEN = {"model": "mlp:6:relu", "data": "iris", "rules": ["sgd", "torch.SGD"], "seeds": 1, "epochs": 2, "batch_size": 40}


class Killed(BaseException):
    """As after kill -9, nothing runs that would tidy up."""


prepare, runner = import_module("slalom.race.prepare"), import_module("slalom.race.runner")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return slalom.race(**GIVEN, directory=tmp_path_factory.mktemp("whole") / "run")


def journal(path: Path) -> list[str]:
    return [json.dumps({k: v for k, v in line.items() if k != "seconds"}) for line in Store(path).journal()]


def test_a_kill_between_any_two_writes_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each replace, unlink and append in turn is the last thing that the first process does."""
    monkeypatch.setattr(runner, "MAX_WIDENINGS", 1)
    given = {**GIVEN, "rules": ["sgd"], "lrs": [0.001, 0.002], "widen": True}
    whole = slalom.race(**given, directory=tmp_path / "whole")
    assert len(whole._heats) == 2, "widened once"
    replace, unlink, append, count = os.replace, Path.unlink, Store.append, 0

    def dying(real, limit: int):
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
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", dying(replace, limit))
            patch.setattr(os, "unlink", lambda path: None)  # the temporary stays, as after kill -9
            patch.setattr(Path, "unlink", dying(unlink, limit))
            patch.setattr(Store, "append", dying(append, limit))
            try:
                slalom.race(**given, directory=run)
                break
            except Killed:
                pass
        if not (run / "plan.json").exists():
            with pytest.raises(StoreError, match=r"it has no plan\.json"):
                slalom.load(run)
            ended = slalom.race(**given, directory=run)  # nothing had begun, so the same start works
        else:
            left = slalom.load(run)
            assert left.curves().train_loss.shape == (len(left.lanes), 6)
            assert list(left.to_frame().columns) == list(whole.to_frame().columns)
            str(left.leaderboard())
            ended = resume(run)
        same(ended, whole)
        same(slalom.load(run), whole)
        assert ended.notes == whole.notes
        lines = [line for line in journal(run) if "race_started" not in line]
        assert sorted(lines) == sorted(line for line in journal(whole.directory) if "race_started" not in line)
        assert not [p for p in run.rglob(".*") if p.name != ".lock"]
        assert not list((run / "checkpoints").iterdir())
        shutil.rmtree(run)
    assert limit > 20


def test_resuming_a_finished_race_writes_nothing(whole, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole.directory, run)
    before = (run / "journal.jsonl").read_bytes()
    for _ in range(2):
        resume(run)
    assert (run / "journal.jsonl").read_bytes() == before


def test_a_checkpoint_is_written_before_its_epoch_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    for name in ("checkpoint", "append", "finish_heat"):
        real = getattr(Store, name)
        monkeypatch.setattr(Store, name, lambda *a, name=name, real=real: (order.append(name), real(*a))[1])
    slalom.race(**{**GIVEN, "lrs": [0.1]}, directory=tmp_path / "run")
    assert order == ["append", "checkpoint", "append", "checkpoint", "append", "finish_heat", "append"]


def test_heats_by_memory_and_other_threads_change_no_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {**GIVEN, "model": "mlp:6:gelu:dropout=.2", "lrs": [0.03, 0.1, 0.3], "seeds": 3, "order": "own"}
    one = slalom.race(**given)
    monkeypatch.setattr(prepare, "heat_limit", lambda *_: 4)

    def stop(event: object) -> None:
        if getattr(event, "heat", None) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        slalom.race(**given, directory=tmp_path / "run", on_event=stop)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 3)
    try:
        cut = resume(tmp_path / "run")
    finally:
        torch.set_num_threads(threads)
    assert len(cut._heats) == 5
    assert any("4 at a time" in note for note in cut.notes)
    for name in ("train_loss", "grad_norm", "val_loss", "val_metric"):
        assert getattr(one.curves(), name).tobytes() == getattr(cut.curves(), name).tobytes()
    assert one.to_frame().equals(cut.to_frame())
    assert all(torch.equal(v, cut.weights(8)[k]) for k, v in one.weights(8).items())
    assert all(torch.equal(v, cut.weights(5)[k]) for k, v in one.weights(5).items())


def test_notes_are_kept_when_nothing_else_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(runner.Runner, "run", die)
        with pytest.raises(Killed):
            slalom.race(**GIVEN, directory=tmp_path / "run")
    assert any("too few" in note for note in slalom.load(tmp_path / "run").notes)
    seen = Recorder()
    resume(tmp_path / "run", on_event=seen)
    assert any(isinstance(e, Note) and "too few" in e.text for e in seen.events)


def test_hypers_keep_their_name_over_a_resume(tmp_path: Path) -> None:
    """JSON has no tuples: a rule named by one must be the same rule afterwards, or its grid is no longer widened."""
    given = {**GIVEN, "rules": [(torch.optim.Adam, {"betas": (0.5, 0.9)})]}
    expected = slalom.race(**given)
    assert len(expected.lanes) > 9

    def stop(event: object) -> None:
        if getattr(event, "epoch", None) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        slalom.race(**given, directory=tmp_path / "run", on_event=stop)
    same(resume(tmp_path / "run"), expected)
    with pytest.raises(BadValueError, match="hypers must be numbers"):
        slalom.race(**{**GIVEN, "rules": [(torch.optim.Adam, {"betas": torch.ones(2)})]})


def test_what_the_plan_holds_is_not_given_again(whole, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole.directory, run)
    with pytest.raises(BadValueError, match="the plan of this race has its own metric; leave out metric="):
        resume(run, metric=lambda outputs, targets: 0.0)


def test_saving_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = slalom.race(**{**GIVEN, "lrs": [0.1]})

    def full(*_):
        raise StoreError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "finish_heat", full)
        with pytest.raises(StoreError):
            result.save(tmp_path / "run")
    assert not list(tmp_path.iterdir())
    same(slalom.load(result.save(tmp_path / "run")), result)
    assert slalom.load(tmp_path / "run").notes == result.notes


BAD = {
    "one sample": (
        {"model": "mlp:6:relu:batchnorm", "batch_size": 89},
        r"batch_size: with 90 training samples in batches of 89 the last of an epoch has 1; .*choose another batch size",
    ),
    "metric": ({"metric": lambda outputs, targets: outputs}, "must give one number for outputs and targets"),
    "optimizer": ({"rules": ["torch.SGD(nesterov=True)"]}, r"torch\.SGD\(nesterov=True\) cannot train this model: .*momentum"),
    "loss": (
        {"loss": lambda o, t: nn.functional.cross_entropy(o, t, reduction="none")},
        "the model cannot be trained on a batch",
    ),
    "dtype": ({"dtype": "nn"}, "dtype"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_run_is_told_before_anything_is_written(name: str, tmp_path: Path) -> None:
    arguments, message = BAD[name]
    with pytest.raises(BadValueError, match=message):
        slalom.race(**{**GIVEN, **arguments}, directory=tmp_path / "run")
    assert not (tmp_path / "run").exists()
