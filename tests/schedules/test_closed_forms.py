"""Each schedule against its closed form in plain Python and against torch's and optax's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from slalom.schedules import Constant, Cosine, ExponentialDecay, InverseTimeDecay, PolynomialDecay, Schedule, StepDecay, Warmup

CLOSED = [
    (Constant(0.5), lambda t: 0.5),
    (StepDecay(factor=0.3, every=7), lambda t: 0.3 ** (t // 7)),
    (ExponentialDecay(gamma=0.9, every=4), lambda t: math.exp(math.log(0.9) * t / 4)),
    (InverseTimeDecay(k=0.5, every=3), lambda t: 3 / (3 + 0.5 * t)),
    (PolynomialDecay(total=30, power=2, final=0.1), lambda t: 0.1 + 0.9 * max(0, (30 - t) / 30) ** 2),
    (Cosine(total=30, final=0.2), lambda t: 0.2 + 0.8 * math.cos(math.pi * min(t, 30) / 60) ** 2),
    (Warmup(steps=4), lambda t: min(1.0, (t + 1) / 5)),
    (
        Warmup(steps=4, then=Cosine(total=20), start=0.0),
        lambda t: t / 4 if t < 4 else math.cos(math.pi * min(t - 4, 20) / 40) ** 2,
    ),
    (Warmup(steps=0, then=StepDecay(every=5)), lambda t: 0.5 ** (t // 5)),
]


@pytest.mark.parametrize(("schedule", "closed"), CLOSED, ids=lambda v: str(v) if isinstance(v, Schedule) else "")
def test_closed_form(schedule, closed):
    expected = np.array([closed(t) for t in range(50)])
    np.testing.assert_allclose([schedule(t) for t in range(50)], expected, rtol=1e-13, atol=1e-15)
    every = schedule(np.arange(50).reshape(5, 10))
    assert every.dtype == np.float64
    np.testing.assert_allclose(every, expected.reshape(5, 10), rtol=1e-13, atol=1e-15)
    assert type(schedule(3)) is float
    assert schedule.formula == str(schedule) != ""


def torch_factors(make, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    factors = []
    for _ in range(steps):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return factors


@pytest.mark.parametrize(
    ("schedule", "make", "steps"),
    [
        (StepDecay(0.5, 5), lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=5, gamma=0.5), 40),
        (ExponentialDecay(0.9), lambda o: torch.optim.lr_scheduler.ExponentialLR(o, gamma=0.9), 40),
        (InverseTimeDecay(0.7), lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + 0.7 * t)), 40),
        (PolynomialDecay(20, power=3), lambda o: torch.optim.lr_scheduler.PolynomialLR(o, total_iters=20, power=3), 40),
        (Cosine(20, final=0.1), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=20, eta_min=0.1), 21),
        (Warmup(9), lambda o: torch.optim.lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=9), 40),
    ],
    ids=["step", "exponential", "inverse", "polynomial", "cosine", "warmup"],
)
def test_torch_twin(schedule, make, steps):
    np.testing.assert_allclose(schedule(np.arange(steps)), torch_factors(make, steps), rtol=1e-10, atol=1e-12)


def test_optax_twins():
    optax = pytest.importorskip("optax")
    linear = optax.linear_schedule(0.2, 1.0, 4)
    twins = [
        (StepDecay(0.5, 5), optax.exponential_decay(1.0, 5, 0.5, staircase=True)),
        (ExponentialDecay(0.9, 5), optax.exponential_decay(1.0, 5, 0.9)),
        (PolynomialDecay(20, power=2, final=0.1), optax.polynomial_schedule(1.0, 0.1, 2, 20)),
        (Cosine(20, final=0.1), optax.cosine_decay_schedule(1.0, 20, alpha=0.1)),
        (Warmup(4, Cosine(20)), optax.join_schedules([linear, optax.cosine_decay_schedule(1.0, 20)], [4])),
    ]
    for schedule, twin in twins:  # optax computes in float32
        np.testing.assert_allclose(
            schedule(np.arange(40)), [float(twin(t)) for t in range(40)], rtol=1e-5, atol=1e-6, err_msg=str(schedule)
        )


def test_nothing_rises_again_after_the_end():
    for schedule in (Cosine(100), PolynomialDecay(100)):
        assert schedule(np.arange(100, 400)).max() == 0.0


def test_formulas_print():
    assert str(StepDecay(0.5, 5)) == "0.5^floor(t / 5)"
    assert str(Cosine(20, final=0.1)) == "0.1 + 0.9 (1 + cos(pi min(t, 20) / 20)) / 2"
    assert "then with t counted from there: (1 - min(t, 8) / 8)^1" in str(Warmup(4, PolynomialDecay(8)))
