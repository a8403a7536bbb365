"""A race's figure: its numbers are the race's, counted and averaged again here."""

from __future__ import annotations

import dataclasses
import math
import statistics
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from slalom.core.errors import BadDataError
from slalom.figures import RaceFigure, build_race, verdict
from slalom.figures.race import keep, points_for
from slalom.figures.words import list_names


@pytest.fixture(scope="module")
def race(fake: ModuleType) -> Any:
    return fake.fake_race()


@pytest.fixture(scope="module")
def figure(race: Any) -> RaceFigure:
    return build_race(race)


def test_rows_and_lanes_are_the_races_own(race: Any, figure: RaceFigure) -> None:
    assert [dataclasses.asdict(row) for row in figure.leaderboard] == [dataclasses.asdict(row) for row in race.rows]
    assert len(figure.lanes) == 297
    assert figure.rules == tuple(dict.fromkeys(lane.rule for lane in race.lanes))
    for k in (0, 100, 296):
        assert figure.rules[figure.lanes.rule[k]] == race.lanes[k].rule
        assert figure.lanes.lr[k] == race.lanes[k].lr
    best = {row.rule: row.lr for row in race.rows}
    assert figure.lanes.best == tuple(best[lane.rule] == lane.lr for lane in race.lanes)
    assert sum(figure.lanes.best) == 33


def test_responses_average_the_seeds_that_finished(race: Any, figure: RaceFigure) -> None:
    assert [r.rule for r in figure.responses] == list(figure.rules)
    partly = 0
    for response in figure.responses:
        assert list(response.lrs) == sorted({lane.lr for lane in race.lanes if lane.rule == response.rule})
        for i, lr in enumerate(response.lrs):
            mine = [lane for lane in race.lanes if lane.rule == response.rule and lane.lr == lr]
            done = [lane.val_metric for lane in mine if lane.status == "finished"]
            assert (response.finished[i], response.retired[i]) == (len(done), 3 - len(done))
            partly += 0 < len(done) < 3
            if done:
                assert response.mean[i] == pytest.approx(statistics.fmean(done))
            else:
                assert math.isnan(response.mean[i])
            if len(done) > 1:
                assert response.sd[i] == pytest.approx(statistics.stdev(done))
            else:
                assert math.isnan(response.sd[i])
        row = next(row for row in race.rows if row.rule == response.rule)
        assert (response.lr, response.lr_low, response.lr_high) == (row.lr, row.lr_low, row.lr_high)
    assert partly > 0


def test_retired_lanes_say_where_they_stopped(race: Any, figure: RaceFigure) -> None:
    gone = [lane for lane in race.lanes if lane.status == "retired"]
    assert [(r.lane, r.rule, r.step, r.reason) for r in figure.retired] == [
        (g.lane, g.rule, g.retired_step, g.reason) for g in gone
    ]


def test_curves_of_a_small_race_are_whole(fake: ModuleType) -> None:
    race = fake.fake_race(lrs=4)
    figure = build_race(race)
    assert figure.curves.train_stride == figure.curves.val_stride == 1
    assert np.array_equal(figure.curves.train_loss, race.arrays.train_loss, equal_nan=True)
    assert figure.curves.train_steps == tuple(range(1, 341))
    assert figure.curves.val_epochs == tuple(range(1, 21))


def test_long_races_are_thinned_to_their_own_values_and_keep_the_last(fake: ModuleType) -> None:
    race = fake.fake_race(lrs=5, seeds=7, epochs=241, per_epoch=5)  # 385 lanes, 1205 steps
    curves = build_race(race).curves
    assert len(curves.train_steps) <= points_for(len(race.lanes), len(curves.val_epochs))
    assert curves.train_steps[0] == 1
    assert curves.train_steps[-1] == 1205
    assert curves.val_epochs[-1] == 241
    kept = np.array(curves.train_steps) - 1
    assert np.array_equal(curves.train_loss, race.arrays.train_loss[:, kept], equal_nan=True)
    assert np.ptp(np.diff(kept)) <= 1  # spread evenly
    assert abs(np.diff(kept).mean() - curves.train_stride) < 1


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 199, 200, 201, 399, 400, 1000, 1001])
@pytest.mark.parametrize("points", [1, 2, 200])
def test_keep_never_keeps_too_many_and_always_the_last(count: int, points: int) -> None:
    kept, stride = keep(count, points)
    assert stride >= 1
    assert len(kept) <= max(points, 2)
    assert kept.tolist() == sorted(set(kept.tolist()))
    if count:
        assert (kept[0], kept[-1]) == (0, count - 1)
    else:
        assert len(kept) == 0


def test_the_facts_are_taken_over(race: Any, figure: RaceFigure) -> None:
    assert (figure.model, figure.when, figure.epochs, figure.seeds) == ("mlp:64,64:relu", "2026-11-21 12:00 UTC", 20, 3)
    assert figure.data["train"] == 1078
    assert figure.plan["split"] == [0.6, 0.2, 0.2]
    assert figure.notes == tuple(race.notes)
    assert dataclasses.fields(figure)
    with pytest.raises(dataclasses.FrozenInstanceError):
        figure.title = "other"  # type: ignore[misc]


def test_curves_that_do_not_fit_the_lanes_are_refused(fake: ModuleType) -> None:
    race = fake.fake_race(("adam",), lrs=2, seeds=2, epochs=2)
    race.arrays.val_loss = race.arrays.val_loss[1:]
    with pytest.raises(BadDataError, match=r"val_loss must be \[lanes, points\] with 4 lanes, got shape \(3, 2\)"):
        build_race(race)


def test_a_race_without_a_finished_lane(fake: ModuleType) -> None:
    figure = build_race(fake.all_retired())
    assert figure.verdict == "No lane finished, so there is no leader."
    assert figure.responses[0].lr is None
    assert len(figure.retired) == 6


def _rows(figure: RaceFigure, tied: set[str], **changes: Any) -> list[Any]:
    first, *rest = figure.leaderboard
    return [dataclasses.replace(first, **changes), *(dataclasses.replace(row, tied=row.rule in tied) for row in rest)]


def test_the_verdict_never_names_a_false_winner(figure: RaceFigure) -> None:
    others = [row.rule for row in figure.leaderboard[1:]]
    lead = f"{figure.leaderboard[0].rule} at 3e-4"
    edge = {"at_edge": False}
    assert verdict(_rows(figure, set(), **edge), 11) == f"{lead} leads; no other rule is tied with it over 3 seeds."
    assert verdict(_rows(figure, {others[3]}, **edge), 11) == f"{lead} leads; {others[3]} is tied with it over 3 seeds."
    five = f"{others[0]}, {others[1]} and 3 others are tied with it over 3 seeds."
    assert verdict(_rows(figure, set(others[:5]), **edge), 11) == f"{lead} leads; {five}"
    assert "all 10 other rules are tied" in verdict(_rows(figure, set(others), **edge), 11)
    assert "both other rules are tied" in verdict(_rows(figure, set(others), **edge)[:3], 3)
    assert "cannot be told from luck" in verdict(_rows(figure, set(), seeds=1), 11)
    assert "last of its grid" in verdict(_rows(figure, set(), at_edge=True), 11)
    assert verdict(_rows(figure, set(), **edge)[:1], 1) == f"{lead} did best, over 3 seeds."
    assert "only rule with a finished lane" in verdict(_rows(figure, set(), **edge)[:1], 2)


def test_the_verdict_on_a_race_that_is_not_over_or_has_no_figures(figure: RaceFigure) -> None:
    first = figure.leaderboard[0]
    infinite = dataclasses.replace(first, test_metric=math.inf, val_metric=math.nan)
    assert verdict([infinite], 1) == "No lane that finished has a finite figure, so there is no leader."
    absent = dataclasses.replace(infinite, seeds=0, test_metric=math.nan)
    assert verdict([absent], 1, 8) == "The race has not ended: 8 lanes are unfinished, so there is no leader yet."
    partly = verdict([first], 1, 1)
    assert partly.startswith(f"The race has not ended: 1 lane is unfinished. So far, {first.rule} at ")


def test_names_as_a_phrase() -> None:
    assert [list_names(list("abcde")[:n]) for n in (1, 2, 3, 4)] == ["a", "a and b", "a, b and c", "a, b and 2 others"]


def test_a_lane_that_has_not_finished_counts_for_nothing(fake: ModuleType) -> None:
    race = fake.fake_race(("adam",), lrs=2, seeds=3, epochs=2)
    race.lanes[0] = dataclasses.replace(race.lanes[0], status="unfinished", val_metric=5.0)
    response = build_race(race).responses[0]
    assert (response.finished[0], response.retired[0]) == (2, 0)
    assert response.mean[0] == pytest.approx(statistics.fmean(lane.val_metric for lane in race.lanes[1:3]))
