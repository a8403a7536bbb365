"""A race's lanes get the findings that their curves, made in closed form, must give."""

from types import SimpleNamespace

import numpy as np

import slalom
from slalom.doctor import read_curve
from slalom.doctor.labels import LABELS
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


def test_lanes_read_together_say_what_each_says_alone():
    """Against `read_curve` lane by lane: shapes of all kinds, some of them shorter, some with equal values."""
    rng = np.random.default_rng(3)
    kinds = [2.3 * np.exp(-T / s) + rng.normal(0, sd, 300) for s in (5, 30, 100, 1000) for sd in (0, 0.01, 0.1)]
    kinds += [
        1 + 0.03 * T,
        2 * np.exp(-T / 40) + 0.5 + 0.2 * np.sin(T / 2),
        np.full(300, 2.0),
        np.round(2 * np.exp(-T / 50), 1),
        np.maximum(2 - T / 20, 0.5),
    ]
    kinds += [np.where(n > T, 2 * np.exp(-T / 40) + rng.normal(0, 0.05, 300), np.nan) for n in (9, 40, 131)]
    found = lane_findings(result(kinds, [lane(k) for k in range(len(kinds))]))
    labels = set()
    for k, curve in enumerate(np.float32(kinds).astype(float)):
        finite = curve[np.isfinite(curve)]
        alone = read_curve(finite) if len(finite) >= 10 else None
        said = found.get(k, [])
        assert len(said) == (alone is not None and alone.cause in LABELS)
        for one in said:
            labels.add(one.label)
            assert (one.label, one.symptom, one.step) == (alone.cause, alone.shape, len(finite) - 1)
            assert [f.name for f in one.evidence] == [f.name for f in alone.evidence]
            assert np.allclose([f.value for f in one.evidence], [f.value for f in alone.evidence], rtol=1e-9)
    assert {"lr_too_low", "lr_too_high", "oscillation"} <= labels


def test_a_real_race_tells_its_leaderboard(capsys):
    from slalom.terminal.output import console
    from slalom.terminal.race import session

    race = slalom.race("mlp:8:relu", "iris", rules=["sgd"], lrs=[1e-7], seeds=2, epochs=8)
    assert [f.label for f in race.findings[0]] == ["lr_too_low"]
    session.show(race, console())
    assert "sgd at 1e-7: lr too low in 2 of 2 seeds" in " ".join(capsys.readouterr().out.split())
