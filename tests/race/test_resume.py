"""A race that is killed at any moment ends, resumed, as one that was not: to the bit."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import slalom
from slalom.core.errors import BadDataError, BadValueError, StoreError
from slalom.race.api import resume
from slalom.race.events import EpochDone, LaneRetired, Recorder
from slalom.race.store import Store

ARGUMENTS = {
    "model": "mlp:24:relu:dropout=.2",
    "data": "wine",
    "rules": ["sgd", "adam", "nadam", "torch.Adam"],
    "lrs": [0.003, 0.03, 1e38],
    "seeds": 2,
    "epochs": 60,
    "batch_size": 8,
    "schedule": "cosine",
    "widen": False,
}
CHILD = """
import json, sys
import slalom
from slalom.race.api import resume
def say(event):  # a line at the start and one for each epoch that is run, not replayed
    if getattr(event, "seconds", 0.0) > 0 or type(event).__name__ == "RaceStarted":
        print(type(event).__name__, flush=True)
arguments = json.loads(sys.argv[2])
slalom.race(**arguments, directory=sys.argv[1], on_event=say) if arguments else resume(sys.argv[1], on_event=say)
"""


def same(a, b) -> None:
    """Results, curves and weights of two races are bit for bit equal."""
    assert a.to_frame().equals(b.to_frame())
    for name in ("train_loss", "grad_norm", "val_loss", "val_metric"):
        assert np.array_equal(getattr(a.curves(), name), getattr(b.curves(), name), equal_nan=True), name
    for lane in a.lanes:
        ours, theirs = a.weights(lane.lane), b.weights(lane.lane)
        assert all(torch.equal(ours[k], theirs[k]) for k in theirs)
    assert str(a.leaderboard()) == str(b.leaderboard())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return slalom.race(**ARGUMENTS, directory=tmp_path_factory.mktemp("whole") / "run")


def epochs_told(path: Path) -> list[tuple[int, int]]:
    return [(line["heat"], line["epoch"]) for line in Store(path).journal() if line["event"] == "epoch_done"]


def test_ten_kills_at_random_moments(whole, tmp_path: Path) -> None:
    run, moments, kills, known = tmp_path / "run", random.Random(6), 0, 0
    arguments = ARGUMENTS
    for _ in range(10):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(run), json.dumps(arguments)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "RaceStarted"
        arguments = None  # from here on it resumes
        for _ in range(moments.randrange(7)):
            assert child.stdout.readline().strip() == "EpochDone"
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=moments.uniform(0, 0.03))  # somewhere inside an epoch, a checkpoint, a journal line
        child.kill()
        child.stdout.close()
        assert child.wait() == -signal.SIGKILL, "it had ended before it was killed"
        kills += 1
        told = epochs_told(run)
        assert len(told) >= known, "an epoch that was told is lost"
        assert told == sorted(set(told)), "an epoch is told twice"
        known = len(told)
        left = slalom.load(run)
        assert all(np.isfinite(x.val_loss) or x.lr == 1e38 for x in left.lanes)
    assert kills == 10
    assert 0 < known < ARGUMENTS["epochs"], "the kills should have struck while it ran"
    same(resume(run), whole)
    assert epochs_told(run) == epochs_told(whole.directory)
    assert not list((run / "checkpoints").iterdir())
    assert not list(run.rglob(".*.pt.*"))


def stopped(path: Path, after: int) -> None:
    """A race that Ctrl-C stops after some epochs."""

    def stop(event: object) -> None:
        if isinstance(event, EpochDone) and event.epoch == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        slalom.race(**ARGUMENTS, directory=path, on_event=stop)


def test_a_torn_journal_and_a_missing_line_are_mended(whole, tmp_path: Path) -> None:
    run = tmp_path / "run"
    stopped(run, 7)
    journal = run / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    seen = Recorder()
    same(resume(run, on_event=seen), whole)
    assert epochs_told(run) == epochs_told(whole.directory)
    retired = [e.lane for e in seen.events if isinstance(e, LaneRetired)]
    assert len(retired) == len(set(retired)) == 8


def test_an_unfinished_race_loads(tmp_path: Path) -> None:
    run = tmp_path / "run"
    stopped(run, 5)
    left = slalom.load(run)
    assert {x.status for x in left.lanes} == {"unfinished"}
    assert np.isfinite(left.curves().val_loss[0, :4]).all()
    assert np.isnan(left.curves().val_loss[0, 5:]).all()


def test_a_finished_race_resumes_to_itself(whole, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole.directory, run)
    same(resume(run), whole)


def test_other_data_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,b,y\n" + "".join(f"{i},{i % 7},{'uv'[i % 2]}\n" for i in range(60)))

    def stop(event: object) -> None:
        if isinstance(event, EpochDone):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        slalom.race("linear", str(table), target="y", rules="adam", epochs=2, directory=tmp_path / "run", on_event=stop)
    table.write_text(table.read_text().replace("5,5,v", "5,5,u"))
    with pytest.raises(BadDataError, match="are not those that the race was started on"):
        resume(tmp_path / "run")


def test_own_data_are_split_again_as_before(tmp_path: Path) -> None:
    g = torch.Generator().manual_seed(0)
    own = (torch.randn(90, 3, generator=g), torch.randint(0, 2, (90,), generator=g))
    given = {"rules": "adam", "lrs": [0.1], "epochs": 6, "split": (0.5, 0.25, 0.25), "split_seed": 4, "scale": False}
    expected = slalom.race("mlp:5:relu", own, **given)

    def stop(event: object) -> None:
        if isinstance(event, EpochDone) and event.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        slalom.race("mlp:5:relu", own, **given, directory=tmp_path / "run", on_event=stop)
    with pytest.raises(BadValueError, match="its own data; resume it with"):
        resume(tmp_path / "run")
    same(resume(tmp_path / "run", data=own), expected)


def test_a_directory_has_one_writer_and_must_be_new(whole, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="exists and is not an empty directory"):
        slalom.race(**ARGUMENTS, directory=whole.directory)
    run = tmp_path / "run"
    stopped(run, 2)
    holder = Store(run)
    holder.lock()
    with pytest.raises(StoreError, match="another process is running"):
        resume(run)
    holder.close()
    with pytest.raises(StoreError, match="is not a run directory: it has no"):
        slalom.load(tmp_path)


def test_a_broken_checkpoint_is_named(tmp_path: Path) -> None:
    run = tmp_path / "run"
    stopped(run, 2)
    (run / "checkpoints" / "000.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(StoreError, match=r"000\.pt is damaged; delete it to run heat 0 again"):
        resume(run)


def test_a_full_disk_keeps_what_was_written(whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, saved = tmp_path / "run", torch.save
    calls = 0

    def full(state: object, file: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise OSError(28, "No space left on device")
        saved(state, file)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(
        StoreError, match=r"cannot write checkpoints/000\.pt.*No space left on device; what was finished before is kept"
    ):
        slalom.race(**ARGUMENTS, directory=run)
    monkeypatch.undo()
    assert not [p for p in (run / "checkpoints").iterdir() if p.name != "000.pt"]
    same(resume(run), whole)


def test_what_the_plan_fixes_cannot_be_changed_on_the_way(tmp_path: Path) -> None:
    run = tmp_path / "run"
    stopped(run, 2)
    with pytest.raises(BadValueError, match="the plan of this race has its own loss; leave out loss="):
        resume(run, loss="mse")
    assert resume(run, loss="cross_entropy").lanes
