"""Lanes under `slalom.schedules`: against torch's own schedulers, each lane its own, states kept."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as lr

from slalom.core.errors import BadValueError
from slalom.engines.lanes import Lane, Lanes, lanes_of
from slalom.engines.lanes.factors import Factors, Swing
from slalom.engines.lanes.layout import initialise
from slalom.rules import adam, sgd
from slalom.schedules import (
    Constant,
    Cosine,
    ExponentialDecay,
    OneCycle,
    Plateau,
    PolynomialDecay,
    StepDecay,
    Triangular,
    Warmup,
)  # fmt: skip

STEPS = 24
G = torch.Generator().manual_seed(0)
X, Y = torch.randn(STEPS * 8, 5, generator=G, dtype=torch.float64), torch.randint(0, 3, (STEPS * 8,), generator=G)
BATCHES = list(torch.arange(len(X)).split(8))


def net():
    return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))


def make(lanes):
    return Lanes(net, lanes, loss="cross_entropy", example=(X[:8], Y[:8]), dtype=torch.float64)


def alone(optimizer, scheduler):
    """What torch does with its own scheduler."""
    torch.manual_seed(0)
    module = net().double()
    stepper = optimizer(module.parameters())
    scheduled = scheduler(stepper)
    losses = []
    for index in BATCHES:
        loss = nn.functional.cross_entropy(module(X[index]), Y[index])
        stepper.zero_grad()
        loss.backward()
        stepper.step()
        scheduled.step()
        losses.append(loss.item())
    return np.array(losses)


CYCLE = OneCycle(STEPS - 1, (0.3 * STEPS - 1) / (STEPS - 1))


@pytest.mark.parametrize(
    ("rule", "twin", "given"),
    [
        ("adam", torch.optim.Adam, {}),
        ("adamax", torch.optim.Adamax, {}),
        ("sgd", torch.optim.SGD, {"momentum": 0.9}),
        (torch.optim.NAdam, torch.optim.NAdam, {}),
        (torch.optim.RMSprop, torch.optim.RMSprop, {"momentum": 0.5}),
    ],
    ids=str,
)
def test_one_cycle_swings_rate_and_momentum_as_torchs(rule, twin, given):
    lanes = make([*lanes_of(rule, lr=[0.02, 0.05], schedule=CYCLE, **given), *lanes_of(rule, lr=0.05, **given)])
    losses, _ = lanes.epoch(X, Y, BATCHES)
    for i, rate in enumerate((0.02, 0.05)):
        expected = alone(lambda p, rate=rate: twin(p, lr=rate, **given), lambda o, rate=rate: lr.OneCycleLR(o, rate, STEPS))
        np.testing.assert_allclose(losses[:, i], expected, rtol=1e-10)
    constant = alone(lambda p: twin(p, lr=0.05, **given), lambda o: lr.ConstantLR(o, 1.0))
    np.testing.assert_allclose(losses[:, 2], constant, rtol=1e-10)


def test_each_lane_takes_its_own_numbers():
    ends = [0.0, 0.1, 0.5]
    many = lanes_of("adam", lr=0.02, schedule=Cosine(STEPS, final=ends))
    assert [lane.schedule for lane in many] == [Cosine(STEPS, final=e) for e in ends]
    losses, _ = make(many).epoch(X, Y, BATCHES)
    for i, end in enumerate(ends):
        expected = alone(
            lambda p: torch.optim.Adam(p, lr=0.02), lambda o, e=end: lr.CosineAnnealingLR(o, STEPS, eta_min=0.02 * e)
        )
        np.testing.assert_allclose(losses[:, i], expected, rtol=1e-10)
    several = lanes_of("adam", lr=[0.01, 0.02], schedule=[StepDecay(), None])
    assert [lane.schedule for lane in several] == [StepDecay(), None]
    with pytest.raises(BadValueError, match="lr has 2 values for 3 lanes"):
        lanes_of("adam", lr=[0.01, 0.02], schedule=Cosine(5, final=ends))


@pytest.mark.usefixtures("one_thread")
def test_a_schedule_that_lanes_share_is_asked_once_a_step():
    asked = []

    def schedule(step):
        asked.append(step)
        return 1.0

    make(lanes_of("adam", lr=[0.01] * 5, schedule=schedule)).epoch(X, Y, BATCHES)
    assert asked == list(range(STEPS))


def test_every_lane_has_a_plateau_of_its_own_and_goes_on_from_its_state():
    def three():
        return make(lanes_of("sgd", lr=[0.01, 0.1, 1.0], schedule=Plateau(0.5, patience=0, base=Warmup(3))))

    def train(lanes, batches):
        out = []
        for index in batches:
            loss, _ = lanes.step(X[index], Y[index])
            for lane, value in zip(lanes.lanes, loss, strict=True):
                lane.schedule.step(value)
            out.append([*loss, *(lane.schedule.level for lane in lanes.lanes)])
        return np.array(out)

    whole = train(three(), BATCHES)
    assert len(set(whole[-1, 3:])) > 1
    first = three()
    train(first, BATCHES[:10])
    state = copy.deepcopy(first.state_dict())
    again = three()
    again.load_state_dict(state)
    np.testing.assert_array_equal(train(again, BATCHES[10:]), whole[10:])

    def torch_alone():
        torch.manual_seed(0)
        module = net().double()
        stepper = torch.optim.SGD(module.parameters(), lr=0.1)
        plateau = lr.ReduceLROnPlateau(stepper, factor=0.5, patience=0, eps=0)
        for index in BATCHES:
            loss = nn.functional.cross_entropy(module(X[index]), Y[index])
            stepper.zero_grad()
            loss.backward()
            stepper.step()
            plateau.step(loss.item())
            yield loss.item()

    plain = make(lanes_of("sgd", lr=0.1, schedule=Plateau(0.5, patience=0)))
    np.testing.assert_allclose(train(plain, BATCHES)[:, 0], list(torch_alone()), rtol=1e-10)


def test_what_a_lane_cannot_take():
    with pytest.raises(BadValueError, match=r"has values for 2: give its lane\(i\), or use lanes_of"):
        Lane(adam(), schedule=Cosine([5, 6]))
    with pytest.raises(BadValueError, match=r"its own state of such a schedule: give its start\(\)"):
        Lane(adam(), schedule=Plateau())
    for optimizer in ("sgd", "adagrad", torch.optim.SGD, torch.optim.Adagrad):
        with pytest.raises(BadValueError, match=r"sets the momentum, and .* as given has none to set"):
            lanes_of(optimizer, lr=0.1, schedule=Triangular(momenta=(0.8, 0.9)))
        lanes_of(optimizer, lr=0.1, schedule=Triangular(momenta=(0.8, 0.9)).without_momentum())
    assert Lane(sgd(momentum=0.5)).momentum_hyper == "momentum"
    assert Lane(adam()).momentum_hyper == "b1"
    assert lanes_of(torch.optim.Adam, lr=0.1, betas=(0.0, 0.9))[0].momentum_hyper is None
    assert lanes_of("sgd", schedule=Constant(0.5))[0].schedule(3) == 0.5


KINDS = [
    Cosine(STEPS, final=0.1), CYCLE, StepDecay(every=7), ExponentialDecay(0.97), PolynomialDecay(STEPS, power=1.7),
    Warmup(steps=5, then=Cosine(STEPS)),
]  # fmt: skip


def test_what_schedules_say_of_a_step_does_not_depend_on_the_steps_asked_with_it():
    """To the bit, so that a block of steps may be cut anywhere; and a schedule's own word for single steps, to rounding."""
    many = lanes_of("adam", lr=[0.01] * (len(KINDS) + 1), schedule=[*KINDS, lambda step: 1 / (step + 1)])
    factors, every = Factors(many), range(1, STEPS + 1)
    whole = factors.at(every)
    pieces = [factors.at(every[a:b]) for a, b in ((0, 1), (1, 4), (4, 20), (20, STEPS))]
    assert np.array_equal(np.concatenate(pieces), whole)
    assert np.array_equal(np.concatenate([factors.at([t]) for t in every]), whole)
    assert np.allclose(whole, [[lane.schedule(t - 1) for lane in many] for t in every], rtol=1e-14, atol=0)
    swing = Swing(many)
    assert set(swing.at(every)) == {1}
    assert np.allclose(swing.at(every)[1], [CYCLE.momentum(t - 1) for t in every], rtol=1e-14, atol=0)
    assert np.array_equal(np.concatenate([swing.at([t])[1] for t in every]), swing.at(every)[1])


def test_a_factory_draws_as_after_torchs_own_seed():
    before = torch.get_rng_state()
    made = initialise(lambda: nn.Linear(4, 3), 123)
    assert torch.equal(torch.get_rng_state(), before)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(123)
        assert all(torch.equal(a, b) for a, b in zip(made.parameters(), nn.Linear(4, 3).parameters(), strict=True))
