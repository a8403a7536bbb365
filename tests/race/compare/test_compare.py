"""Comparisons: who is picked, held against whom, and what is called a tie."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest
from scipy import stats

import slalom
from slalom.core.errors import BadValueError
from slalom.data import load
from slalom.race.compare.kits import KITS
from slalom.race.compare.reading import Comparison, method_of
from slalom.race.results import LaneResult
from slalom.terminal.race import compared

SEEDS = 6


def lanes(rule, variant, lr, val, test):
    noise = np.random.default_rng(zlib.crc32(f"{rule} {lr}".encode())).normal(0, 0.01, SEEDS)
    return [
        LaneResult(0, rule, lr, s, "finished", 0.0, 1.0, val, 1.0, test + noise[s], 10, variant=variant) for s in range(SEEDS)
    ]


MADE = [
    *lanes("adam", {}, 0.1, 0.7, 0.70), *lanes("adam", {}, 0.2, 0.8, 0.75),
    *lanes("adam l2=0.1", {"l2": 0.1}, 0.1, 0.9, 0.90), *lanes("adam l2=1", {"l2": 1.0}, 0.1, 0.8, 0.99),
    *lanes("adam dropout=0.5", {"dropout": 0.5}, 0.1, 0.8, 0.751), *lanes("adam batch_norm", {"batch_norm": True}, 0.1, 0.8, 0.6),
]  # fmt: skip


def test_strength_and_rate_are_picked_on_validation_and_gains_are_paired() -> None:
    rows = {r.method: r for r in Comparison(MADE, "accuracy", True)}
    assert {m: (r.rule, r.lr, r.tried, r.verdict) for m, r in rows.items()} == {
        "none": ("adam", 0.2, 1, "baseline"),
        "l2": ("adam l2=0.1", 0.1, 2, "helps"),  # the other strength is better on test, which nobody looked at
        "dropout": ("adam dropout=0.5", 0.1, 1, "tie"),
        "batch_norm": ("adam batch_norm", 0.1, 1, "hurts"),
    }
    own = {(k.rule, k.lr, k.seed): k.test_metric for k in MADE}
    for r in rows.values():
        d = np.array([own[r.rule, r.lr, s] - own["adam", 0.2, s] for s in range(SEEDS)])
        assert r.gain == pytest.approx(d.mean())
        if r.method != "none":
            low, high = stats.t.interval(1 - 0.05 / 3, SEEDS - 1, d.mean(), stats.sem(d))
            assert (r.verdict == "tie") == (low <= 0 <= high)


def test_lower_is_better_turns_gains_over() -> None:
    rows = {r.method: r for r in Comparison(MADE, "rmse", False)}
    assert rows["l2"].rule == "adam l2=1"
    assert rows["l2"].verdict == "hurts"
    assert rows["batch_norm"].verdict == "helps"


def test_the_sentence_names_ties() -> None:
    said = Comparison(MADE, "accuracy", True).sentence
    assert said.startswith("Against none (test accuracy 0.7")
    assert "over 6 seeds" in said
    assert "better l2 +0.1" in said
    assert "worse batch_norm -0.1" in said
    assert "all others are ties (dropout)" in said
    one = Comparison([k for k in MADE if k.seed == 0], "accuracy", True).sentence
    assert "with one seed a gain cannot be told from luck" in one


def test_a_linear_network_that_does_as_well_is_said() -> None:
    made = [*lanes("relu", {"activation": "relu"}, 0.1, 0.9, 0.9), *lanes("lin", {"activation": "identity"}, 0.1, 0.9, 0.901)]
    assert "cannot rank activations" in Comparison(made, "accuracy", True, "relu").sentence
    made = [*made[:SEEDS], *lanes("lin", {"activation": "identity"}, 0.1, 0.9, 0.5)]
    assert "cannot rank" not in Comparison(made, "accuracy", True, "relu").sentence
    with pytest.raises(BadValueError, match="baseline must be one of relu, identity"):
        Comparison(made, "accuracy", True, "tanh")


def test_methods_go_by_what_they_are() -> None:
    names = {method_of(v) for v in KITS["regularisation"].settings(load("noisy_digits"))}
    assert names == {
        "none", "width",
        "l1", "l2", "elastic_net", "weight_decay", "dropout", "batch_norm", "early_stopping", "noise", "shift", "mixup",
        "label_smoothing",
    }  # fmt: skip
    assert method_of({"l1": 0.1, "l1_method": "subgradient"}) == "l1 (subgradient)"


def test_which_regularisation_helps_is_one_race(tmp_path) -> None:
    few = {"seeds": 2, "epochs": 2, "lrs": 0.01, "directory": tmp_path / "run"}
    result = slalom.race(compare="regularisation", **few)
    assert result.data["name"] == "noisy_digits"
    assert result.plan["compare"] == "regularisation"
    comparison = result.comparison()
    assert comparison.baseline == "none"
    assert len(comparison) == 13
    assert slalom.load(tmp_path / "run").comparison().to_frame().equals(comparison.to_frame())
    widths = [compared.table(comparison, width) for width in (40, 200)]
    assert [len(t.columns) for t in widths] == [3, 6]
    assert "Against none" in result.report(tmp_path / "page.html").read_text()


def test_activations_on_a_task_that_can_rank_them_and_on_digits() -> None:
    result = slalom.race(compare="activations", data="spirals:n=200", seeds=2, epochs=1, lrs=0.01)
    assert len(result.comparison()) == 15
    assert result.comparison().baseline == "relu"
    assert not any("cannot rank" in note for note in result.notes)
    assert all(math.isfinite(r.test_metric) for r in result.comparison())
    (note,) = KITS["activations"].notes(load("digits"))
    assert "digits cannot rank activations" in note
    assert ".964" in note


def test_an_axis_of_ones_own_compares_too() -> None:
    result = slalom.race("mlp:4", "iris", rules="sgd", lrs=0.1, seeds=2, epochs=1, l2=[0, 0.1, 0.2])
    assert [r.method for r in result.comparison()] in (["none", "l2"], ["l2", "none"])
