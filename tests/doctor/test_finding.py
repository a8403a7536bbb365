"""Labels and findings: words written once, neighbours that exist, plain data."""

import json
import math

import pytest

from slalom.core.errors import BadValueError, UnknownNameError
from slalom.doctor import LABELS, Figure
from slalom.doctor.examination import Curves, Examination
from slalom.doctor.finding import finding
from slalom.doctor.labels import label

NAMES = [
    "lr_too_high",
    "divergence",
    "lr_too_high_late",
    "lr_too_low",
    "oscillation",
    "lr_decays_too_early",
    "vanishing_gradient",
    "dead_relu",
    "exploding_gradient",
    "unnormalised_inputs",
    "unscaled_targets",
    "bad_init",
    "batch_too_small",
    "batch_too_large",
    "overfitting",
    "model_too_small",
    "missing_nonlinearity",
    "over_regularised",
    "loss_output_mismatch",
    "corrupted_labels",
    "class_imbalance",
    "params_not_training",
    "train_val_mismatch",
    "nonfinite_data",
]


def test_the_labels_are_the_issue_s():
    assert sorted(LABELS) == sorted(NAMES)
    for entry in LABELS.values():
        assert entry.symptom
        assert entry.cause
        assert entry.remedy
        assert set(entry.near) <= set(LABELS) - {entry.name}
    with pytest.raises(UnknownNameError, match="did you mean 'dead_relu'"):
        label("dead_relus")


def test_findings_are_plain_data():
    found = finding("overfitting", [Figure("rise", math.nan, 0.1, "rise")], 0.8, 40, best=30, worst=math.inf)
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["evidence"][0]["value"] is None
    assert told["about"] == {"best": 30, "worst": None}
    assert "overfitting" in str(found)
    assert "step 40" in str(found)
    with pytest.raises(BadValueError, match=r"confidence must be in \[0, 1\], got 1\.5"):
        finding("overfitting", [], 1.5)
    with pytest.raises(UnknownNameError):
        finding("bad luck", [], 0.5)


def test_an_examination_sums_its_findings_up():
    curves = Curves((1.0,), (0,), (1.0,), (math.nan,))
    first, second = finding("lr_too_low", [], 0.9, 12), finding("bad_init", [], 0.4, 0)
    e = Examination((first, second), 100, 2.0, (0.1, math.nan), curves, notes=("kept",))
    assert (e.healthy, e.labels, e.first_step) == (False, ["lr_too_low", "bad_init"], 0)
    assert json.dumps(e.to_dict(), allow_nan=False)
    for part in ("1. lr_too_low", "2. bad_init", "100 steps", "note: kept"):
        assert part in str(e)
