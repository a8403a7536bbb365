"""A race's lanes get the findings that their curves, made in closed form, must give."""

from types import SimpleNamespace

import numpy as np

import slalom
from slalom.doctor.lanes import lane_findings

T = np.arange(300)


def lane(number, status="finished", **more):
    return SimpleNamespace(lane=number, status=status, reason=more.get("reason", ""), retired_step=more.get("step"))


def result(curves, lanes, val=None):
    train = np.array(curves, dtype=np.float32)
    val = np.full((len(train), 10), np.nan) if val is None else np.array(val)
    told = SimpleNamespace(train_loss=train, val_loss=val, steps_per_epoch=30)
    return SimpleNamespace(curves=lambda: told, lanes=lanes)


def test_each_lane_by_its_curve():
    noise = np.random.default_rng(0).normal(0, 0.02, 300)
    fine = 0.2 + 2 * np.exp(-T / 100) + noise
    slow = 2.3 - 0.001 * T + noise
    wild = 1 + 0.03 * T + noise
    gone = np.where(T < 5, 2.0, np.nan)
    lanes = [lane(0), lane(1), lane(2), lane(3, "retired", step=6, reason="loss is inf"), lane(4, "unfinished")]
    found = lane_findings(result([fine, slow, wild, gone, wild], lanes))
    assert {k: [f.label for f in v] for k, v in found.items()} == {1: ["lr_too_low"], 2: ["lr_too_high"], 3: ["divergence"]}
    assert found[3][0].step == 5
    assert found[3][0].symptom == "loss is inf"


def test_overfitting_by_the_validation_losses():
    falls = 2 * np.exp(-T / 60)
    up = [1.0, 0.7, 0.5, 0.45, 0.5, 0.6, 0.75, 0.9, 1.1, 1.3]
    found = lane_findings(result([falls, falls], [lane(0), lane(1)], [up, [1.0, 0.7, 0.5, 0.45, *[0.44] * 6]]))
    assert [f.label for f in found[0]] == ["overfitting"]
    assert 1 not in found


def test_a_real_race_tells_its_leaderboard(capsys):
    from slalom.terminal import session
    from slalom.terminal.output import console

    race = slalom.race("mlp:8:relu", "iris", rules=["sgd"], lrs=[1e-7], seeds=2, epochs=8)
    assert [f.label for f in race.findings[0]] == ["lr_too_low"]
    session.show(race, console())
    assert "sgd at 1e-7: lr too low in 2 of 2 seeds" in " ".join(capsys.readouterr().out.split())
