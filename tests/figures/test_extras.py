"""What a race's page shows beside the race: heat maps, findings, the clock, the schedule, a range test, activations."""

from __future__ import annotations

import math
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import slalom
from slalom.core.errors import BadValueError
from slalom.figures import build_race
from slalom.figures.activations import build_activations, grid
from slalom.figures.extras import build_range_test, build_schedule
from slalom.figures.heat_map import build_heat_maps
from slalom.figures.playground import build_playground


def lane(rule: str, lr: float, seed: int, metric: float, status: str = "finished", **hypers: Any) -> SimpleNamespace:
    return SimpleNamespace(rule=rule, lr=lr, seed=seed, val_metric=metric, status=status, hypers=hypers)


def test_a_heat_map_holds_the_mean_over_seeds_and_the_default_where_nothing_is_given() -> None:
    rules = ["adamw", "adamw(weight_decay=0.1)", "sgd", "adamw(b2=0.9)"]
    lanes = [
        lane("adamw", 0.1, 0, 0.5), lane("adamw", 0.1, 1, 0.7), lane("adamw", 0.2, 0, math.nan, "retired"),
        lane(rules[1], 0.1, 0, 0.9, weight_decay=0.1), lane("sgd", 0.1, 0, 1.0), lane(rules[3], 0.1, 0, 0.3, b2=0.9),
    ]  # fmt: skip
    decay, b2 = build_heat_maps(rules, lanes)
    assert (decay.name, decay.hyper, decay.values, decay.lrs) == ("adamw", "weight_decay", (0.01, 0.1), (0.1, 0.2))
    cells = {(c.value, c.lr): c for c in decay.cells}
    assert cells[0.01, 0.1].mean == pytest.approx(0.6)
    assert cells[0.01, 0.1].sd == pytest.approx(np.std([0.5, 0.7], ddof=1))
    assert (cells[0.01, 0.1].finished, cells[0.01, 0.1].rule) == (2, 0)
    assert (cells[0.1, 0.1].mean, cells[0.1, 0.1].rule) == (0.9, 1)
    assert math.isnan(cells[0.01, 0.2].mean)
    assert cells[0.01, 0.2].retired == 1
    assert (b2.hyper, b2.values) == ("b2", (0.9, 0.999))


def test_a_rule_with_one_value_of_everything_has_no_map() -> None:
    assert build_heat_maps(["adam", "sgd"], [lane("adam", 0.1, 0, 0.5), lane("sgd", 0.1, 0, 0.5)]) == ()


def test_the_races_own_findings_are_grouped_by_rule_label_and_whether_the_rate_is_the_best(fake: ModuleType) -> None:
    race = fake.fake_race(("adam", "sgd"), lrs=3, seeds=2, epochs=4)
    best = next(row.lr for row in race.rows if row.rule == "adam")
    at_best = [lane.lane for lane in race.lanes if (lane.rule, lane.lr) == ("adam", best)]
    elsewhere = [lane.lane for lane in race.lanes if lane.rule == "adam" and lane.lr != best]
    rates = sorted({race.lanes[k].lr for k in elsewhere})
    said = SimpleNamespace(label="dead_relu", symptom="s", cause="c", remedy="r", evidence=("e 1",))
    other = SimpleNamespace(label="other", symptom="s", cause="c", remedy="r", evidence=())
    race.findings = {**{k: [said] for k in elsewhere}, at_best[1]: [said, other]}
    made = build_race(race).findings
    assert [(f.rule, f.best, f.lanes, f.name, f.seeds, f.lr, f.lr_high) for f in made] == [
        (0, True, (at_best[1],), "dead relu", 2, best, best), (0, True, (at_best[1],), "other", 2, best, best),
        (0, False, tuple(elsewhere), "dead relu", 4, rates[0], rates[-1]),
    ]  # fmt: skip
    assert made[0].evidence == ("e 1",)
    race.findings = {}
    assert build_race(race).findings == ()


def test_the_best_curves_are_read_where_the_race_says_nothing(fake: ModuleType) -> None:
    race = fake.fake_race(("adam", "sgd"), lrs=1, seeds=3, epochs=10)
    race.arrays.train_loss[:3] = 2.3 - 5e-4 * np.arange(170)  # adam: a straight line that has hardly fallen
    (found,) = build_race(race).findings
    assert (found.rule, found.lanes, found.seeds, found.name) == (0, (0, 1, 2), 3, "slow throughout")
    assert "too low" in found.remedy
    assert found.evidence


def test_the_clock_is_the_journals(tmp_path: Any) -> None:
    import json

    result = slalom.race("mlp:4:relu", "iris", rules=["sgd"], lrs=[0.1], seeds=2, epochs=3, directory=tmp_path / "run")
    lines = map(json.loads, (tmp_path / "run" / "journal.jsonl").read_text().splitlines())
    took = np.cumsum([line["seconds"] for line in lines if line["event"] == "epoch_done"])
    assert result.seconds() == pytest.approx(np.stack([took, took]))
    clock = build_race(slalom.load(tmp_path / "run")).clock
    assert clock is not None
    assert clock.heats[0] == pytest.approx(took)
    assert clock.lanes == (0, 0)


def test_the_schedule_is_the_factor_at_its_steps() -> None:
    made = build_schedule({"schedule": "cosine"}, 100, 10)
    assert made is not None
    expected = [(1 + math.cos(math.pi * step / 100)) / 2 for step in made.steps]
    assert made.factor == pytest.approx(expected, abs=1e-12)
    assert (made.steps[0], made.steps[-1], made.momentum) == (0, 99, None)
    cycled = build_schedule({"schedule": "onecycle"}, 100, 10)
    assert cycled is not None
    assert cycled.momentum is not None
    for none in ({"schedule": None}, {"schedule": "mine", "callables": ["schedule"]}, {"schedule": "plateau"}):
        assert build_schedule(none, 100, 10) is None


def test_a_range_test_is_taken_over_from_the_result_or_its_json(fake: ModuleType) -> None:
    result = slalom.range_test("mlp:8:relu", "iris", lrs=[1e-3, 1e-1, 1e5], steps=8)
    figure = build_range_test(result)
    assert figure == build_range_test(result.to_dict())
    assert figure.lrs == (1e-3, 1e-1, 1e5)
    assert figure.loss == pytest.approx([p.loss for p in result.curve])
    assert figure.suggestion == result.suggestion
    for wrong in ({}, 3, {"curve": []}):
        with pytest.raises(BadValueError, match=r"range_test must be what slalom\.range_test returns"):
            build_race(fake.fake_race(("adam",), lrs=1, seeds=1, epochs=1), wrong)


def test_activations_are_their_closed_forms_in_value_slope_and_depth() -> None:
    made = {a.name: a for a in build_activations()}
    x = grid()
    assert made["tanh"].value == pytest.approx(np.tanh(x), abs=1e-12)
    assert made["tanh"].slope == pytest.approx(1 - np.tanh(x) ** 2, abs=1e-12)
    halves = 2.0 ** (-np.arange(31) / 2)  # ReLU halves the mean square of a signal and of its gradient
    assert made["relu"].signal == pytest.approx(halves, rel=1e-9)
    assert made["relu"].gradient == pytest.approx(halves, rel=1e-9)
    assert made["identity"].gradient == pytest.approx(np.ones(31))
    z = np.random.default_rng(0).standard_normal(400_000)
    assert made["gelu"].signal[1] == pytest.approx(
        np.sqrt(np.mean((z * 0.5 * (1 + np.vectorize(math.erf)(z / 2**0.5))) ** 2)), 0.01
    )


def test_the_playground_offers_every_rule_and_keeps_colours() -> None:
    made = build_playground(["adam", "mine", "sgd"])
    by_name = {r.name: r for r in made.rules}
    assert len(by_name) == 14
    assert (by_name["adam"].colour, by_name["sgd"].colour, by_name["adam"].momentum) == (0, 2, "b1")
    assert (by_name["momentum"].momentum, by_name["sgd"].momentum, by_name["adagrad"].momentum) == ("momentum", None, None)
    assert sorted({r.colour for r in made.rules} | {1}) == list(range(15))
    assert len(made.surfaces) == 10
