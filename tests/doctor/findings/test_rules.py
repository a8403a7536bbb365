"""Rules on made-up records: what must raise them, what must not, and what is not finite."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from slalom.doctor.case import Case, Trial
from slalom.doctor.experiments.gain import Gain
from slalom.doctor.findings import capacity, generalisation, imbalance, late, mismatch, rate, regularised, scale, start
from slalom.doctor.fixes.fix import Change
from slalom.doctor.probes.columns import Columns
from slalom.doctor.probes.loss import LossFacts
from slalom.doctor.probes.signals import Layer, Op, Signals
from slalom.doctor.run import ForwardError, Look, Run, Skill
from slalom.doctor.setup import setup_of

NAN, INF = math.nan, math.inf
G = torch.Generator().manual_seed(0)
X, Y = torch.randn(64, 4, generator=G), torch.arange(64) % 2


def made(optimizer=None, model=None, train=(X, Y), **more):
    """A case of a small set-up whose experiments cost nothing because there are none."""
    given = {"batch_size": 16, "epochs": 10, "val": (X[:20], Y[:20])} | more
    model = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 2)) if model is None else model
    sgd = optimizer or (lambda m: torch.optim.SGD(m.parameters(), lr=0.1))
    return Case(setup_of(model, F.cross_entropy, sgd, train=train, **given), 0.0)


def with_facts(case, **facts):
    for name, fact in facts.items():
        case.__dict__[name] = fact
    return case


def run_of(losses=(1.0,), train=(), val=(), right=(NAN, NAN), broke=None, rates=()):
    val = val if len(val) else [NAN] * len(train)
    looks = [Look(10 * k, float(a), float(b), *right) for k, (a, b) in enumerate(zip(train, val, strict=True))]
    return Run(nn.Linear(1, 1), losses=list(losses), looks=looks or [Look(0, 1.0, NAN)], broke=broke, rates=list(rates))


def columns(mean, sd):
    return Columns(np.array(mean, float), np.array(sd, float), 64)


@pytest.mark.parametrize(
    ("mean", "sd", "raised"),
    [
        ([0, 0], [1, 1], set()),
        ([0, 0], [1, 0], set()),
        ([0, 0], [1, 100], {"spread", "largest"}),
        ([0, 50], [1, 1], {"largest", "offset"}),
        ([0, 0], [1e-3, 2e-3], {"smallest"}),
        ([NAN, 0], [NAN, 1], set()),
    ],
)
def test_scale_of_inputs(mean, sd, raised):
    found = scale.inputs(with_facts(made(), columns=columns(mean, sd)))
    assert {f.name for s in found for f in s.evidence} == raised
    assert scale.inputs(with_facts(made(), columns=None)) == []


def test_scale_of_targets():
    facts = LossFacts(False, False, False, True, True, 1.0)
    y = torch.randn(64, 1, generator=G)
    for target, count in ((y, 0), (y * 1000, 1), (y * 0.01, 1), (y + 100, 1), (y * NAN, 0)):
        case = with_facts(made(train=(X, target), val=None), loss=facts)
        assert len(scale.targets(case)) == count
    assert scale.targets(made()) == []


@pytest.mark.parametrize(
    ("losses", "broke", "gone"),
    [
        ([1.0] * 40, None, False),
        (list(1.5 ** np.arange(40)), None, True),
        ([1.0] + [500.0] * 39, None, False),
        ([1.0, 2.0, NAN], 2, True),
        ([1.0, INF], 1, True),
    ],
)
def test_a_loss_that_left(losses, broke, gone):
    case = with_facts(made(), run=run_of(losses, broke=broke), skills=(Skill(1.0), None))
    assert rate.away(case) is gone


def test_rough_runs():
    assert rate.rough(with_facts(made(), run=run_of(train=np.linspace(1, 0, 20)))) == 0
    assert rate.rough(with_facts(made(), run=run_of(train=[1, 2] * 10))) >= 0.5
    assert rate.rough(with_facts(made(), run=run_of(train=[NAN] * 20))) == 0


def test_decay_momentum_and_batches():
    def step(optimizer):
        return torch.optim.lr_scheduler.StepLR(optimizer, 1)

    early, whole = 0.1 ** np.arange(10.0), np.linspace(1, 0, 10)
    assert len(rate.decayed(with_facts(made(schedule=step), run=run_of(rates=early)))) == 1
    assert rate.decayed(with_facts(made(schedule=step), run=run_of(rates=whole))) == []
    assert rate.decayed(with_facts(made(), run=run_of(rates=early))) == []
    heavy = made(lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.99))
    assert [s.label for s in rate.momentum(heavy)] == ["oscillation"]
    assert rate.momentum(made(lambda m: torch.optim.Adam(m.parameters()))) == []
    assert [s.label for s in rate.small_batch(made(batch_size=2))] == ["batch_too_small"]
    assert rate.small_batch(made(batch_size=16)) == []
    assert [s.label for s in rate.large_batch(made(batch_size=64))] == ["batch_too_large"]
    assert rate.large_batch(made(batch_size=16)) == []


def test_decay_and_dropout():
    assert regularised.look(made()) == []
    heavy = made(lambda m: torch.optim.Adam(m.parameters(), weight_decay=1.0))
    assert [s.label for s in regularised.look(heavy)] == ["over_regularised"]
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.9), nn.Linear(8, 2))
    assert [f.name for s in regularised.look(made(model=model)) for f in s.evidence] == ["dropout"]


def signals(deltas, dead=0.0, time=(), spread=1.0, rms=1.0):
    layers = tuple(Layer(f"l{k}", 32, rms, spread, d, 1) for k, d in enumerate(deltas))
    return Signals(layers, (Op("relu", 32, dead, 0.0, "l0"),), "", tuple(time), (), 1.0)


@pytest.mark.parametrize(
    ("seen", "labels"),
    [
        (signals([1, 1, 1, 1]), []),
        (signals([1e-6, 1e-4, 1e-2, 1]), ["vanishing_gradient"]),
        (signals([1e4, 1e2, 10, 1]), ["exploding_gradient"]),
        (signals([1e-6, 1]), []),
        (signals([1, 1, 1], dead=0.9), ["dead_relu"]),
        (signals([1, 1], time=[1e-6, 1e-4, 1e-2, 1]), ["vanishing_gradient"]),
        (signals([1, 1], time=[1e3, 1e2, 10, 1]), ["exploding_gradient"]),
        (signals([NAN] * 4), []),
        (signals([INF, 1, 1, 1]), []),
    ],
)
def test_signals_at_the_start(seen, labels):
    case = with_facts(made(), start=seen, weights=())
    assert [s.label for s in start.suspects(case)] == labels


def test_narrow_layers():
    assert [s.label for s in capacity.small(with_facts(made(), start=signals([1, 1])))] == ["model_too_small"]
    assert capacity.tiny(with_facts(made(), start=signals([1, 1]))) == []


T = np.linspace(0, 1, 40)


@pytest.mark.parametrize(
    ("train", "val", "right", "found"),
    [
        (np.exp(-5 * T), 0.4 + (T - 0.3) ** 2, (1.0, 0.8), True),
        (np.exp(-5 * T), 0.4 + (T - 0.3) ** 2, (1.0, 0.99), False),  # overconfident, but right
        (np.exp(-5 * T), 0.3 + np.exp(-5 * T), (1.0, 0.8), False),
        (0.5 + 0 * T, 0.4 + (T - 0.3) ** 2, (0.6, 0.5), False),
        (np.exp(-5 * T), 0.4 + 0.2 * np.sin(40 * T), (1.0, 0.95), False),
        (np.exp(-9 * T), 0.4 + 0.3 * np.exp(-5 * T), (1.0, 0.8), True),  # by heart: the gap is a chasm
        (np.exp(-9 * T), 0.15 + 0.3 * np.exp(-5 * T), (1.0, 0.9), False),
        (np.exp(-5 * T), NAN * T, (1.0, NAN), False),
        (np.exp(-5 * T), np.where(T > 0.5, INF, 1.0), (1.0, 0.8), False),
    ],
)
def test_overfitting(train, val, right, found):
    case = with_facts(made(), run=run_of([1.0], train, val, right), skills=(Skill(1.0), Skill(1.0)))
    assert [f.label for f in generalisation.overfitted(case)] == ["overfitting"] * found


def test_the_level_late_in_a_run():
    assert late.flat(np.full(20, 2.0)) == 1
    assert late.flat(np.geomspace(1, 1e-6, 20)) < 0.01
    assert late.flat(np.zeros(20)) == 1


def gain(train, val=NAN, left=0.1, right=NAN):
    change = Change(made().setup, "nothing", "")
    return Gain(Trial("t", change, run_of(), 1.0, 1.0), train, val, left, right, 0)


def test_what_counts_as_won():
    assert gain(0.5, 0.5).helps()
    assert gain(0.5).helps()
    assert not gain(0.05, 0.05).helps()
    assert not gain(0.5, 0.0).helps()  # validation does not confirm it
    assert not gain(0.15, 0.15, left=0.9).helps()
    assert not gain(0.15, 0.15, right=0.0).helps()  # no row more is right
    assert not gain(NAN, NAN).helps()
    assert not gain(0.15, 0.15).helps(0.2)


@pytest.mark.parametrize(
    ("given", "enough"),
    [
        ({"train": 0.05, "val": 0.05, "left": 0.7}, True),
        ({"train": 0.05, "val": 0.05, "left": 0.9}, False),
        ({"train": 0.02, "val": 0.02, "left": 0.5}, True),
        ({"train": 0.02, "val": 0.02, "left": 0.7}, False),
        ({"train": 0.05, "val": 0.0, "left": 0.7}, False),
        ({"train": 0.05, "val": 0.05, "left": 0.7, "right": 0.0}, False),
        ({"train": 0.05, "val": 0.05, "left": 0.7, "right": 0.02}, True),
        ({"train": NAN, "val": NAN, "left": NAN}, False),
        ({"train": 0.05, "val": -INF, "left": 0.5}, False),
    ],
)
def test_what_counts_as_won_beside_strong_evidence(given, enough):
    assert gain(**given).helps(strong=True) is enough
    assert not gain(**given).helps()


def test_weights_that_have_not_moved():
    still = made(lambda m: torch.optim.SGD(m.parameters(), lr=1e-5))
    assert [f.label for f in rate.idle(still)] == ["lr_too_low"]
    moved = with_facts(made(lambda m: torch.optim.SGD(m.parameters(), lr=1e-5)), reached=(0.5, 0.5))
    assert rate.idle(moved) == []  # it has learnt all the same
    assert rate.idle(made(lambda m: torch.optim.Adam(m.parameters(), lr=1e-3))) == []  # a usual rate
    with torch.no_grad():
        next(iter(still.run.model.parameters())).fill_(NAN)
    assert math.isfinite(rate.moved(still))  # of the matrices that are finite
    broken = with_facts(still, run=run_of([1.0, NAN], broke=1))
    assert rate.idle(broken) == []


@pytest.mark.parametrize(
    ("levels", "raised"),
    [
        (((0.20, 0.22), (0.14, 0.16)), True),
        (((0.20, 0.22), (0.16, 0.18)), False),  # not enough of the loss goes
        (((0.20, 0.22), (0.14, 0.22)), False),  # validation rows do not confirm it
        (((0.05, 0.06), (0.033, 0.042)), True),  # little is lacking, and a third of that goes
        (((0.005, 0.006), (0.003, 0.004)), False),  # nothing is lacking
        (((0.20, 0.22), (NAN, NAN)), False),
        (((0.20, 0.22), (INF, INF)), False),
    ],
)
def test_a_rate_that_is_too_high_late(levels, raised):
    mine, other = levels
    case = made()
    runs = [run_of(train=[a] * 20, val=[b] * 20) for a, b in levels]
    with_facts(case, run=runs[0], skills=(Skill(1.0), Skill(1.0)), reached=(1 - mine[0], 1 - mine[1]))
    trial = Trial("rate dropped late", Change(case.setup, "a lower rate", ""), runs[1], 1 - other[0], 1 - other[1])
    assert [f.label for f in late._judged(case, trial)] == ["lr_too_high_late"] * raised


def test_full_batches_of_a_short_run_are_strong_evidence():
    assert [s.strong for s in rate.large_batch(made(batch_size=64, epochs=20))] == [True]
    assert [s.strong for s in rate.large_batch(made(batch_size=64, epochs=200))] == [False]
    assert [s.strong for s in rate.large_batch(made(batch_size=32, epochs=20))] == [False]


@pytest.mark.parametrize(("sd", "strong"), [(1000.0, True), (12.0, False), (0.01, True), (0.05, False)])
def test_inputs_far_off_scale_are_strong_evidence(sd, strong):
    assert [s.strong for s in scale.inputs(with_facts(made(), columns=columns([0, 0], [1.0 if sd > 1 else sd, sd])))] == [strong]


def test_recall_of_rare_classes():
    y = torch.tensor([0] * 40 + [1] * 4)
    x = torch.randn(44, 4, generator=G)
    case = made(train=(x, y), val=None)
    model = nn.Linear(4, 2)
    with torch.no_grad():
        model.weight.zero_()
        model.bias.copy_(torch.tensor([1.0, 0.0]))
    assert imbalance.rare_classes(y) == [1]
    assert imbalance.recall(case, model) == 0
    with torch.no_grad():
        model.bias.copy_(torch.tensor([0.0, 1.0]))
    assert imbalance.recall(case, model) == 1


@pytest.mark.parametrize(
    ("stage", "error", "label"),
    [
        ("loss_fn", IndexError("Target 3 is out of bounds."), "loss_output_mismatch"),
        ("loss_fn", RuntimeError("all elements of input should be between 0 and 1"), "loss_output_mismatch"),
        ("model", ValueError("Expected more than 1 value per channel when training, got [1, 8]"), "batch_too_small"),
        ("model", RuntimeError("mat1 and mat2 shapes cannot be multiplied"), None),
        ("optimizer", KeyError("lr"), None),
    ],
)
def test_exceptions(stage, error, label):
    found = mismatch.raised(ForwardError(stage, 0, error))
    assert (None if found is None else found.label) == label
