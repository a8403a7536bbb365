"""The board's figures against ones worked out by hand from the events."""

import math
from types import SimpleNamespace

import pytest

from slalom.race.events import LaneRetired, LanesAdded, Note, RaceDone
from slalom.terminal.race.board import Board

NAN = math.nan


@pytest.fixture
def board(made_up: SimpleNamespace) -> Board:
    """Two rules, two learning rates, two seeds, four epochs: lanes 0-3 are sgd's, 4-7 adam's."""
    made = Board()
    made.apply(made_up.started(["sgd", "adam"], 8, 4), 100.0)
    made.apply(LanesAdded("sgd", [0.1, 1.0], [0, 1, 2, 3]), 100.0)
    made.apply(LanesAdded("adam", [0.001, 0.01], [4, 5, 6, 7]), 100.0)
    return made


def test_before_the_first_epoch_nothing_is_best_and_everything_waits(board: Board) -> None:
    assert [(r.rule, r.best, r.waiting) for r in board.rows()] == [("sgd", None, 4), ("adam", None, 4)]
    assert (board.total, board.share, board.epoch) == (8, 0.0, 0)
    assert math.isnan(board.left(101.0))


def test_best_is_the_learning_rate_with_the_best_mean_over_seeds(board: Board, made_up: SimpleNamespace) -> None:
    assert [row.rule for row in board.rows()] == ["sgd", "adam"]
    board.apply(made_up.epoch(1, 4, list(range(8)), [0.5, 0.7, 0.9, 0.1, 0.8, 0.9, 0.2, 0.2]), 102.0)
    first, second = board.rows()
    assert (first.rule, first.best.lr) == ("adam", 0.001)
    assert first.best.mean == pytest.approx(0.85)
    assert first.best.sd == pytest.approx(math.sqrt(2) * 0.05)  # of two numbers: their distance over the root of 2
    assert (second.rule, second.best.lr) == ("sgd", 0.1)
    assert second.best.mean == pytest.approx(0.6)


def test_where_lower_is_better_the_lowest_mean_leads(made_up: SimpleNamespace) -> None:
    board = Board()
    board.apply(made_up.started(["sgd", "adam"], 2, 4, metric="rmse", higher_is_better=False), 0.0)
    board.apply(LanesAdded("sgd", [0.1], [0]), 0.0)
    board.apply(LanesAdded("adam", [0.1], [1]), 0.0)
    board.apply(made_up.epoch(1, 4, [0, 1], [3.0, 2.0]), 1.0)
    assert [r.rule for r in board.rows()] == ["adam", "sgd"]
    assert math.isnan(board.row("adam").best.sd)  # one seed has no spread


def test_equal_metrics_are_ordered_by_loss(board: Board, made_up: SimpleNamespace) -> None:
    event = made_up.epoch(1, 4, list(range(8)), [0.5] * 8)
    event.val_loss[:] = [0.4, 0.4, 0.3, 0.3, 0.2, 0.2, 0.9, 0.9]
    board.apply(event, 1.0)
    assert [(r.rule, r.best.lr) for r in board.rows()] == [("adam", 0.001), ("sgd", 1.0)]


def test_a_learning_rate_that_lost_a_seed_comes_after_one_that_did_not(board: Board, made_up: SimpleNamespace) -> None:
    board.apply(LaneRetired(3, "sgd", 1.0, 1, 9, 8, "loss is not finite"), 101.0)
    board.apply(made_up.epoch(1, 4, list(range(8)), [0.5, 0.5, 0.99, NAN, 0.1, 0.1, 0.1, 0.1]), 102.0)
    row = board.row("sgd")
    assert row.best.lr == 0.1
    assert [(c.mean, c.retired) for c in row.cells] == [(0.5, 0), (0.99, 1)]
    assert (row.running, row.retired, row.finished, row.waiting) == (3, 1, 0, 0)


def test_when_every_learning_rate_lost_seeds_the_one_that_lost_fewest_leads(board: Board, made_up: SimpleNamespace) -> None:
    for lane, lr in ((0, 0.1), (1, 0.1), (3, 1.0)):
        board.apply(LaneRetired(lane, "sgd", lr, lane % 2, 9, 8, ""), 101.0)
    board.apply(made_up.epoch(1, 4, list(range(8)), [NAN, NAN, 0.4, NAN, 0.1, 0.1, 0.1, 0.1]), 102.0)
    assert board.row("sgd").best.lr == 1.0


def test_a_metric_that_is_not_a_number_never_leads(board: Board, made_up: SimpleNamespace) -> None:
    board.apply(made_up.epoch(1, 4, list(range(8)), [NAN, NAN, NAN, NAN, 0.1, 0.1, math.inf, 0.1]), 102.0)
    assert [(r.rule, r.best and r.best.lr) for r in board.rows()] == [("adam", 0.001), ("sgd", None)]


def test_share_counts_lane_epochs_and_a_retired_lane_has_nothing_left(board: Board, made_up: SimpleNamespace) -> None:
    board.apply(made_up.epoch(1, 4, list(range(8)), [0.5] * 8), 102.0)
    assert board.share == pytest.approx(8 / 32)
    board.apply(LaneRetired(0, "sgd", 0.1, 0, 20, 19, ""), 103.0)
    assert board.share == pytest.approx((8 + 3) / 32)


def test_time_left_follows_the_pace(board: Board, made_up: SimpleNamespace) -> None:
    board.apply(made_up.epoch(1, 4, list(range(8)), [0.5] * 8), 102.0)  # 8 lane-epochs in 2 s, 24 to go
    assert board.left(102.0) == pytest.approx(6.0)
    assert board.left(103.0) == pytest.approx(5.0)  # and it counts down between events
    assert board.left(200.0) == 0.0
    assert board.elapsed(103.0) == pytest.approx(3.0)


def test_widening_adds_lanes_and_work(board: Board, made_up: SimpleNamespace) -> None:
    for e in range(1, 5):
        board.apply(made_up.epoch(e, 4, list(range(8)), [0.5] * 8), 100.0 + e)
    assert board.share == 1.0
    board.apply(LanesAdded("adam", [0.1, 1.0], [8, 9, 10, 11], widened=True), 105.0)
    assert (board.total, board.share) == (12, pytest.approx(32 / 48))
    assert [c.lr for c in board.row("adam").cells] == [0.001, 0.01, 0.1, 1.0]
    assert (board.row("adam").finished, board.row("adam").waiting) == (4, 4)


def test_epochs_are_those_of_the_slowest_lane_under_way(board: Board, made_up: SimpleNamespace) -> None:
    board.apply(made_up.epoch(1, 4, [0, 1, 2, 3], [0.5] * 4), 101.0)
    assert board.epoch == 2
    for e in (2, 3, 4):
        board.apply(made_up.epoch(e, 4, [0, 1, 2, 3], [0.5] * 4), 102.0)
    assert board.epoch == 4
    board.apply(made_up.epoch(1, 4, [4, 5, 6, 7], [0.5] * 4, heat=1), 103.0)
    assert board.epoch == 2


def test_a_resumed_race_replays_its_past_without_counting_it_as_pace(board: Board, made_up: SimpleNamespace) -> None:
    for e in (1, 2):
        board.apply(made_up.epoch(e, 4, list(range(8)), [0.5] * 8, seconds=0.0), 105.0)
    assert board.share == pytest.approx(0.5)
    assert math.isnan(board.left(105.0))
    board.apply(made_up.epoch(3, 4, list(range(8)), [0.6] * 8), 108.0)  # an epoch of 3 s; one more to go
    assert board.left(108.0) == pytest.approx(3.0)
    assert board.row("sgd").best.epochs == [0.5, 0.5, pytest.approx(0.6)]


def test_notes_are_kept_once_and_the_end_is_the_end(board: Board) -> None:
    for text in ("a", "b", "a"):
        board.apply(Note(text), 101.0)
    assert board.notes == ["a", "b"]
    board.apply(RaceDone(9.0, 8, 0), 109.0)
    assert (board.share, board.left(109.0)) == (1.0, 0.0)


def test_an_epoch_of_lanes_nobody_announced_is_passed_over(board: Board, made_up: SimpleNamespace) -> None:
    board.apply(made_up.epoch(1, 4, [98, 99], [0.9, 0.9]), 101.0)
    assert board.share == 0.0


def test_a_whole_race_ends_with_every_lane_accounted_for(made_up: SimpleNamespace) -> None:
    board = Board()
    for now, event in enumerate(made_up.race({"sgd": 0.1, "adam": 0.003, "lion": 0.0003})):
        board.apply(event, float(now))
    rows = board.rows()
    assert [(r.rule, pytest.approx(r.best.lr), r.finished, r.retired) for r in rows] == [
        ("sgd", 0.1, 24, 3), ("adam", 0.003, 24, 3), ("lion", 0.0003, 24, 3),
    ]  # fmt: skip
    assert len(rows[0].best.epochs) == 20
    assert rows[0].best.epochs == sorted(rows[0].best.epochs)
