"""Each schedule against torch's and optax's own, in float64 over whole runs, both ends and, where they agree, beyond."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as lr

from slalom.schedules import (
    Annealing,
    Constant,
    Cosine,
    CosineRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    OneCycle,
    PolynomialDecay,
    StepDecay,
    Triangular,
    Warmup,
    WarmupStableDecay,
)  # fmt: skip

BOUND = 1e-12


def close(ours, theirs):
    """Relative to the largest rate of the run: torch's chain of products carries its rounding along."""
    assert np.abs(np.asarray(ours) - np.asarray(theirs)).max() <= BOUND * np.abs(theirs).max()


def torch_run(make, steps, base=1.0, key="lr", **kwargs):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base, momentum=0.9, **kwargs)
    scheduler = make(optimizer)
    run = []
    for _ in range(steps):
        run.append(optimizer.param_groups[0][key])
        optimizer.step()
        scheduler.step()
    return run


TORCH = {
    "constant": (Constant(0.5), lambda o: lr.ConstantLR(o, 0.5, total_iters=1000), 200),
    "step": (StepDecay(0.5, 5), lambda o: lr.StepLR(o, step_size=5, gamma=0.5), 200),
    "exponential": (ExponentialDecay(0.9), lambda o: lr.ExponentialLR(o, gamma=0.9), 200),
    "annealing": (Annealing(200), lambda o: lr.ExponentialLR(o, gamma=0.01 ** (1 / 200)), 201),
    "inverse": (InverseTimeDecay(0.7), lambda o: lr.LambdaLR(o, lambda t: 1 / (1 + 0.7 * t)), 200),
    "inverse root": (InverseTimeDecay(2, power=0.5), lambda o: lr.LambdaLR(o, lambda t: 1 / math.sqrt(1 + 2 * t)), 200),
    "polynomial": (PolynomialDecay(150, power=3), lambda o: lr.PolynomialLR(o, total_iters=150, power=3), 200),
    "linear": (PolynomialDecay(150, final=0.1), lambda o: lr.LinearLR(o, 1.0, 0.1, total_iters=150), 200),
    "cosine": (Cosine(200, 0.1), lambda o: lr.CosineAnnealingLR(o, T_max=200, eta_min=0.1), 201),
    "restarts": (CosineRestarts(10, 2, 0.05), lambda o: lr.CosineAnnealingWarmRestarts(o, 10, 2, 0.05), 400),
    "restarts 3": (CosineRestarts(5, 3), lambda o: lr.CosineAnnealingWarmRestarts(o, 5, 3), 400),
    "restarts, equal": (CosineRestarts(15, 1, 0.05), lambda o: lr.CosineAnnealingWarmRestarts(o, 15, 1, 0.05), 200),
    "warmup": (Warmup(9), lambda o: lr.LinearLR(o, start_factor=0.1, total_iters=9), 200),
    "warmup, cosine": (
        Warmup(20, Cosine(180), start=0.1),
        lambda o: lr.SequentialLR(o, [lr.LinearLR(o, 0.1, total_iters=20), lr.CosineAnnealingLR(o, 180)], [20]),
        200,
    ),
    "wsd": (
        WarmupStableDecay(200, 20, 50, 0.1, start=0.1),
        lambda o: lr.SequentialLR(
            o, [lr.LinearLR(o, 0.1, total_iters=20), lr.ConstantLR(o, 1.0), lr.LinearLR(o, 1.0, 0.1, total_iters=50)], [20, 150]
        ),
        200,
    ),
    "product": (StepDecay(0.5, 7) * ExponentialDecay(0.97), lambda o: lr.ChainedScheduler(
        [lr.StepLR(o, 7, 0.5), lr.ExponentialLR(o, 0.97)]
    ), 200),
    "then": (
        Constant(0.5).then(StepDecay(0.1, 5), at=30),
        lambda o: lr.LambdaLR(o, lambda t: 0.5 if t < 30 else 0.1 ** ((t - 30) // 5)),
        60,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TORCH)
def test_torch_twin(name):
    schedule, make, steps = TORCH[name]
    close(schedule(np.arange(steps)), torch_run(make, steps))


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
@pytest.mark.parametrize("down", [None, 9, 30])
def test_torch_twin_of_triangles(mode, down):
    schedule = Triangular(0.2, 14, down, mode, 0.99, momenta=(0.8, 0.9))

    def make(optimizer):
        return lr.CyclicLR(optimizer, 0.2, 1.0, 14, down, mode, gamma=0.99, base_momentum=0.8, max_momentum=0.9)

    close(schedule(np.arange(200)), torch_run(make, 200))
    close(schedule.momentum(np.arange(200)), torch_run(make, 200, key="momentum"))


@pytest.mark.parametrize("three", [False, True])
@pytest.mark.parametrize("shape", ["cosine", "linear"])
@pytest.mark.parametrize(("n", "share"), [(200, 0.3), (101, 0.25), (37, 0.1)])
def test_torch_twin_of_one_cycle(three, shape, n, share):
    schedule = OneCycle(n - 1, (share * n - 1) / (n - 1), 1 / 10, 1e-3, shape, three, (0.85, 0.95))

    def make(optimizer):
        return lr.OneCycleLR(
            optimizer, 1.0, n, pct_start=share, anneal_strategy=shape[:3] if shape == "cosine" else shape, div_factor=10,
            final_div_factor=100, three_phase=three,
        )  # fmt: skip

    close(schedule(np.arange(n)), torch_run(make, n))
    close(schedule.momentum(np.arange(n)), torch_run(make, n, key="momentum"))


def optax_twins():
    optax = pytest.importorskip("optax")
    cosine, linear, join = optax.cosine_decay_schedule, optax.linear_schedule, optax.join_schedules
    cycles = [
        {"init_value": p, "peak_value": p, "warmup_steps": 0, "decay_steps": n, "end_value": 0.01}
        for p, n in ((1.0, 10), (0.8, 20), (0.64, 40), (0.512, 80), (0.4096, 160))
    ]
    wsd = join([linear(0.2, 1.0, 20), optax.constant_schedule(1.0), linear(1.0, 0.1, 50)], [20, 150])
    return {
        "constant": (Constant(0.5), optax.constant_schedule(0.5), 100),
        "step": (StepDecay(0.5, 5), optax.exponential_decay(1.0, 5, 0.5, staircase=True), 200),
        "exponential": (ExponentialDecay(0.9, 5), optax.exponential_decay(1.0, 5, 0.9), 200),
        "annealing": (Annealing(150), optax.exponential_decay(1.0, 150, 0.01, end_value=0.01), 200),
        "polynomial": (PolynomialDecay(150, power=2, final=0.1), optax.polynomial_schedule(1.0, 0.1, 2, 150), 200),
        "cosine": (Cosine(150, final=0.1), cosine(1.0, 150, alpha=0.1), 200),
        "restarts": (CosineRestarts(10, 2, 0.01, 0.8), optax.sgdr_schedule(cycles), 310),
        "onecycle": (OneCycle(200, 0.3, 1 / 25, 1 / 25e4), optax.cosine_onecycle_schedule(200, 1.0, 0.3, 25.0, 1e4), 260),
        # optax's linear one ends in a third leg, from 85 % of the run, whose end is peak / final_div_factor.
        "onecycle, linear": (
            OneCycle(200, 0.425, 1 / 25, 1e-4 / 25, "linear", three_phase=True),
            optax.linear_onecycle_schedule(200, 1.0, 0.425, 0.85, 25.0, 1e4),
            260,
        ),
        "warmup, cosine": (
            Warmup(20, Cosine(180), start=0.2),
            optax.warmup_cosine_decay_schedule(0.2, 1.0, 20, 200),
            260,
        ),
        "wsd": (WarmupStableDecay(200, 20, 50, 0.1, 0.2), wsd, 260),
        "then": (Cosine(20).then(Constant(0.3), at=30), join([cosine(1.0, 20), optax.constant_schedule(0.3)], [30]), 60),
    }  # fmt: skip


def test_optax_twins():
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        for name, (schedule, twin, steps) in optax_twins().items():
            theirs = np.asarray(jax.jit(jax.vmap(twin))(jax.numpy.arange(steps)))
            assert np.abs(schedule(np.arange(steps)) - theirs).max() <= BOUND * theirs.max(), name
