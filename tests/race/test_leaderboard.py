"""The leaderboard: which rate is picked, what is a tie; checked against SciPy and against noise with no winner in it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from slalom.race.leaderboard import Leaderboard, best_lr, interval, paired
from slalom.race.leaderboard import by_lr as groups_of
from slalom.race.results import LaneResult


def lane(rule: str, lr: float, seed: int, val: float, test: float, status: str = "finished", loss: float = 0.5) -> LaneResult:
    nan = math.nan
    if status != "finished":
        val = test = loss = nan
    return LaneResult(0, rule, lr, seed, status, loss, loss, val, loss, test, 10)


def test_paired_difference_is_scipys() -> None:
    rng = np.random.default_rng(0)
    for n in (2, 3, 8):
        a, b = rng.normal(0.3, 1, n), rng.normal(0, 1, n)
        ours = paired(dict(enumerate(a)), dict(enumerate(b)))
        theirs = stats.ttest_rel(a, b)
        assert ours.mean == pytest.approx(float((a - b).mean()))
        assert ours.mean / ours.standard_error == pytest.approx(float(theirs.statistic))
        assert ours.tied() == bool(theirs.pvalue >= 0.05)
        assert ours.tied(10) == bool(theirs.pvalue >= 0.005)


def test_only_common_seeds_are_paired() -> None:
    assert paired({0: 1.0, 1: 2.0, 5: 9.0}, {0: 0.0, 1: 1.5}).seeds == 2
    assert paired({0: 1.0}, {1: 1.0}).seeds == 0


def test_seeds_that_agree_on_one_sample_do_not_make_a_winner() -> None:
    ours, theirs = dict.fromkeys(range(3), 350 / 359), dict.fromkeys(range(3), 349 / 359)
    assert not paired(ours, theirs).tied()  # the seeds alone know no doubt
    assert paired(ours, theirs, samples=359).tied()
    # McNemar: with d all on one side of n samples the statistic is at most sqrt(d n / (1 - d)).
    gap = paired(ours, theirs, samples=359)
    assert gap.mean / gap.standard_error == pytest.approx(math.sqrt(gap.mean * 359 / (1 - gap.mean)))


def test_false_winners_are_rare_among_equals() -> None:
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(200):
        board = Leaderboard(
            [lane(f"r{k}", 0.1, s, 0.9, float(rng.normal(0.9, 0.01))) for k in range(11) for s in range(3)], "accuracy", True
        )
        wrong += not all(row.tied for row in board)
    assert wrong <= 20  # 5 % a race are allowed; without the share among comparisons about half of all races had one


def test_a_clear_loser_is_not_called_tied() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 0.003, (2, 3))
    lanes = [lane("good", 0.1, s, 0.95, 0.95 + noise[0, s]) for s in range(3)]
    lanes += [lane("bad", 0.1, s, 0.7, 0.7 + noise[1, s]) for s in range(3)]
    first, second = Leaderboard(lanes, "accuracy", True, samples=(300, 300))
    assert (first.rule, second.rule, second.tied) == ("good", "bad", False)
    assert second.difference == pytest.approx(0.25, abs=0.01)
    assert first.difference == first.standard_error == 0


@pytest.mark.parametrize("higher", [True, False])
def test_direction_of_the_metric(higher: bool) -> None:
    lanes = [lane("a", lr, s, v, v) for lr, v in ((0.1, 1.0), (0.2, 2.0)) for s in range(2)]
    lanes += [lane("b", 0.1, s, 1.5, 1.5) for s in range(2)]
    assert best_lr(lanes[:4], higher) == (0.2 if higher else 0.1)
    board = Leaderboard(lanes, "m", higher)
    assert [row.rule for row in board] == ["a", "b"]
    assert board[1].difference == pytest.approx(0.5)


def test_a_rate_that_lost_a_seed_is_not_picked() -> None:
    lanes = [lane("a", 0.1, s, 0.8, 0.8) for s in range(3)]
    lanes += [lane("a", 1.0, 0, 0.99, 0.99), lane("a", 1.0, 1, 0, 0, "retired"), lane("a", 1.0, 2, 0.99, 0.99)]
    assert best_lr(lanes, True) == 0.1
    (row,) = Leaderboard(lanes, "accuracy", True)
    assert (row.retired, row.lanes, row.seeds, row.at_edge) == (1, 6, 3, True)


def test_all_lanes_lost_comes_last_and_is_said() -> None:
    lanes = [lane("dead", 0.1, s, 0, 0, "retired") for s in range(2)] + [lane("alive", 0.1, s, 0.1, 0.1) for s in range(2)]
    board = Leaderboard(lanes, "accuracy", True)
    assert [(row.rule, row.seeds, row.tied) for row in board] == [("alive", 2, True), ("dead", 0, False)]
    assert "no lane finished" in str(board)


def test_equal_metrics_go_by_validation_loss() -> None:
    lanes = [lane("a", lr, 0, 0.9, 0.9, loss=loss) for lr, loss in ((0.1, 0.4), (0.2, 0.3), (0.3, 0.5))]
    assert best_lr(lanes, True) == 0.2


def test_the_interval_holds_the_rates_that_cannot_be_told_apart() -> None:
    values = {0.01: 0.5, 0.1: 0.899, 1.0: 0.9, 10.0: 0.9, 100.0: 0.2}
    wiggle = {0: 0.004, 1: -0.003, 2: 0.001}
    lanes = [lane("a", lr, s, v + wiggle[s] * (1 + i), 0.9) for i, (lr, v) in enumerate(values.items()) for s in range(3)]
    assert interval(groups_of(lanes), 1.0) == (0.1, 10.0)
    assert interval(groups_of(lanes[:3]), 0.01) == (0.01, 0.01)
