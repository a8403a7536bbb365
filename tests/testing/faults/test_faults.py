"""The bench's cases: every label and twelve kinds of health, halves without a common task, faults that are what they say."""

import pytest
import torch

from slalom.doctor import LABELS
from slalom.testing.faults import BASES, HEALTHY, MUTATIONS, REPORTED, TUNED, base, faulty_cases, healthy_cases
from slalom.testing.faults.bench import outcome, shows

CASES = {c.kind: c for c in faulty_cases(["digits mlp", "sine mlp", "blobs deep", "adding gru", "glyphs cnn"], [0])}


def test_every_label_and_enough_kinds_of_health():
    assert {m.label for m in MUTATIONS} == set(LABELS)
    assert len(HEALTHY) >= 12
    assert {c.label for c in CASES.values()} == set(LABELS)
    assert len(list(healthy_cases(["moons mlp"], [0]))) >= 8


def test_the_halves_have_no_task_in_common():
    tasks = [{base(name).task for name in half} for half in (TUNED, REPORTED)]
    assert not tasks[0] & tasks[1]
    assert min(map(len, tasks)) >= 6


@pytest.mark.parametrize("name", BASES)
def test_a_base_makes_the_same_step_twice(name):
    losses = []
    for _ in range(2):
        spec = base(name, 1)
        model = spec.model()
        losses.append(float(spec.loss(model(spec.x[:8]), spec.y[:8]).detach()))
        assert spec.optimizer(model).param_groups
    assert losses[0] == losses[1]
    assert torch.isfinite(spec.x).all()
    assert len(spec.yv) >= 40


def test_faults_are_what_they_say():
    assert torch.isnan(CASES["NaN in a cell"].spec.x).sum() == 1
    assert CASES["rate / 1000"].spec.lr == pytest.approx(CASES["rate / 1000"].base.lr / 1000)
    noisy = CASES["60 % random"]
    assert 0.3 < float((noisy.spec.y != noisy.base.y).double().mean()) < 0.65
    rare = torch.bincount(CASES["50 to 1"].spec.y)
    assert rare.max() / rare.min() >= 20
    half = CASES["half left out"].spec
    model = half.model()
    assert 0 < len(half.which(model)) < len(list(model.parameters()))
    wild = CASES["deep, weights x 4"]
    ratio = wild.spec.model()[0].weight / wild.base.model()[0].weight
    assert torch.allclose(ratio, torch.full_like(ratio, 4.0))


def test_a_fault_shows_in_a_plain_training():
    case = next(c for c in faulty_cases(["iris mlp"], [0]) if c.kind == "rate / 1000")
    good, bad = outcome(case.base.but(epochs=15)), outcome(case.spec.but(epochs=15))
    assert good[0] > 0.9
    assert shows(good, bad)
    assert not shows(good, good)
    assert not shows((0.9, 0.9), (0.89, 0.89))
    assert shows((0.98, 0.98), (0.96, 0.96))
