"""A race that is under way, read from its directory: what `load` says of it, without its checkpoints."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import slalom
from slalom.core.errors import StoreError
from slalom.race.events import EpochDone
from slalom.race.running import RunningRace, running

RULES, EPOCHS = ["sgd", "adam"], 3


def start(directory: Path, **more: Any) -> Any:
    return slalom.race("mlp:4:relu", "iris", rules=RULES, lrs=[0.01, 1e30], seeds=2, epochs=EPOCHS, directory=directory, **more)


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Path]:
    """The directory as it was when each epoch had ended (its line of the journal yet to come), and at the end."""
    folder = tmp_path_factory.mktemp("running")
    seen: list[Path] = []

    def keep(event: Any) -> None:
        if isinstance(event, EpochDone):
            seen.append(folder / f"at-{event.epoch}")
            shutil.copytree(folder / "run", seen[-1])

    start(folder / "run", on_event=keep)
    return seen, folder / "run"


def test_before_the_first_line_of_an_epoch_there_are_no_lanes(moments: tuple[list[Path], Path]) -> None:
    race = running(moments[0][0])
    assert race is not None
    assert race.lanes == []
    assert len(race.leaderboard()) == 0
    assert (race.progress.epoch, race.progress.lanes, race.progress.done) == (0, 8, 0)


@pytest.mark.parametrize("k", [1, 2])
def test_lanes_and_curves_are_those_that_the_checkpoint_holds(moments: tuple[list[Path], Path], k: int) -> None:
    race, slow = running(moments[0][k]), slalom.load(moments[0][k])
    assert race is not None
    for name in ("train_loss", "val_loss", "val_metric"):
        whole = getattr(slow.curves(), name)
        mine = getattr(race.curves(), name)
        assert np.array_equal(mine, whole[:, : mine.shape[1]], equal_nan=True)
        assert np.isnan(whole[:, mine.shape[1] :]).all()
    assert race.curves().val_loss.shape[1] == k + 1  # the curves are an epoch ahead of the journal
    for a, b in zip(race.lanes, slow.lanes, strict=True):
        assert (a.lane, a.rule, a.lr, a.seed, a.val_metric, a.hypers) == (
            b.lane,
            b.rule,
            b.lr,
            b.seed,
            b.val_metric,
            b.hypers,
        ) or (a.lr == 1e30)
    assert {lane.status for lane in race.lanes if lane.lr == 0.01} == {"unfinished"}
    assert race.progress.epoch == k


def test_a_lane_that_retired_says_so_and_the_ranking_is_by_validation(moments: tuple[list[Path], Path]) -> None:
    race = running(moments[0][2])
    assert race is not None
    gone = [lane for lane in race.lanes if lane.status == "retired"]
    assert gone
    assert all(lane.lr == 1e30 and lane.retired_step and lane.reason for lane in gone)
    assert race.progress.retired == len(gone)
    board = race.leaderboard()
    means = [np.mean([x.val_metric for x in race.lanes if x.rule == row.rule and x.lr == row.lr]) for row in board]
    assert [row.val_metric for row in board] == pytest.approx(means)
    assert means == sorted(means, reverse=True)
    assert all(np.isnan(row.test_metric) and np.isnan(row.test_loss_sd) for row in board)
    assert race.seconds().shape == (8, 3)


def test_a_race_that_has_ended_is_left_to_load_and_no_directory_is_an_error(
    moments: tuple[list[Path], Path], tmp_path: Path
) -> None:
    assert running(moments[1]) is None
    with pytest.raises(StoreError, match="is not a run directory"):
        running(tmp_path)
    assert isinstance(running(moments[0][1]), RunningRace)
