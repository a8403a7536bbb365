"""The step on rows, played by the processor, against the rules as torch runs them; rows as transactions; blocks of steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from slalom.core.errors import BadValueError
from slalom.core.rule import Settings
from slalom.engines.kernels import BAD_GRADIENT, BAD_PARAMETER, SKIPPED, UPDATED, reference_program
from slalom.engines.kernels.cuda.lane_kernel import LaneKernel, lane_kernels
from slalom.rules import adam, lp_adam, nadam, sgd
from tests.engines.kernels.cuda.emulation import Emulated
from tests.engines.kernels.lanes import Stacked, name, variants

PROGRAMS = list({s.rule: s for s in reversed(variants(product=False))}.values())  # of each rule the one with most options


def on(device: Emulated, settings: Settings, dtype: torch.dtype = torch.float64) -> LaneKernel:
    return lane_kernels([settings], dtype, device)[0]


def everything(lanes: Stacked) -> list[torch.Tensor]:
    return [lanes.P, *lanes.states.values()]


def assert_close(a: Stacked, b: Stacked, tolerance: float) -> None:
    for x, y in zip(everything(a), everything(b), strict=True):
        assert float((x - y).abs().max() / y.abs().max().clamp(min=1)) <= tolerance


@pytest.mark.parametrize("settings", PROGRAMS, ids=name)
def test_every_rule_is_the_one_that_torch_runs(settings: Settings, emulated: Emulated) -> None:
    ours, theirs = (Stacked(settings, 3, 301, torch.float64) for _ in range(2))
    reference = reference_program(settings, torch.float64)
    for t in range(1, 6):
        G = ours.gradient()
        theirs.gradient()
        assert ours.step(on(emulated, settings), G, t).updated.all()
        theirs.step(reference, G, t)
    assert_close(ours, theirs, 1e-12)


@pytest.mark.parametrize("settings", [adam(), lp_adam(), sgd(momentum=0.9)], ids=name)
@pytest.mark.parametrize("width", [1, 4096, 9001])
def test_rows_are_transactions_with_clips_of_their_own(settings: Settings, width: int, emulated: Emulated) -> None:
    ours, theirs = (Stacked(settings, 5, width, torch.float64) for _ in range(2))
    reference = reference_program(settings, torch.float64)
    G = ours.gradient()
    theirs.gradient()
    G[1, -1], G[3, 0] = float("nan"), float("inf")
    clip, skip = np.array([0.5, 1.0, np.inf, 1.0, 0.01]), np.array([0, 0, 1, 0, 0], np.uint8)
    before = [x.clone() for x in everything(ours)]
    report = ours.step(on(emulated, settings), G, 1, clip=clip, skip=skip)
    expected = theirs.step(reference, G, 1, clip=clip, skip=skip)
    assert report.status.tolist() == [UPDATED, BAD_GRADIENT, SKIPPED, BAD_GRADIENT, UPDATED] == expected.status.tolist()
    np.testing.assert_allclose(report.grad_sq, expected.grad_sq, rtol=1e-12)
    assert_close(ours, theirs, 1e-12)
    assert all(torch.equal(x[[1, 2, 3]], y[[1, 2, 3]]) for x, y in zip(everything(ours), before, strict=True))


def test_a_row_whose_new_parameters_are_not_finite_keeps_all_it_had(emulated: Emulated) -> None:
    settings = sgd(momentum=0.9)
    lanes = Stacked(settings, 3, 5000, torch.float32)
    before = [x.clone() for x in everything(lanes)]
    G = lanes.gradient()
    G[1, 4500] = 3e38
    lanes.values["lr"][1] = 1e3
    report = lanes.step(on(emulated, settings, torch.float32), G, 1)
    assert report.status.tolist() == [UPDATED, BAD_PARAMETER, UPDATED]
    for x, y in zip(everything(lanes), before, strict=True):
        assert torch.equal(x[1], y[1])
        assert not torch.equal(x[0], y[0])


def test_some_lanes_of_a_rule_step_by_the_coefficients_of_their_place(emulated: Emulated) -> None:
    # Lanes 2..5 of eight are this rule's; rows 1 and 2 of the gradients are lanes 3 and 5; third step.
    settings, width, steps = nadam(lr=0.1), 70, 3
    kernel = on(emulated, settings)
    p, grads = torch.randn(8, width, dtype=torch.float64), torch.randn(4, width, dtype=torch.float64)
    init = [settings.init(row) for row in p[2:6]]
    states = {k: torch.stack([getattr(s, k) for s in init]) for k in kernel.element_states}
    scalars = {k: np.array([float(getattr(s, k)) for s in init]) for k in kernel.scalar_states}
    values = {k: np.full(4, v) * (np.array([1, 2, 3, 4]) if k == "lr" else 1) for k, v in settings.values.items()}
    table = torch.stack([torch.from_numpy(kernel.coefficients(values, t, scalars)[0]) for t in range(1, steps + 1)])
    which, place = torch.tensor([0, 3, 5, 7]), torch.tensor([2])
    loss = torch.zeros(4, dtype=torch.float64)
    before = p.clone()
    made = kernel.rows(
        p, states, which, torch.ones(8, dtype=torch.bool), None, coefficients=table, place=place, first=1, start=2, count=2
    )
    expected = reference_program(settings, torch.float64)
    rows, _ = expected.coefficients(values, 3, scalars)
    theirs, held = p.clone(), {k: v.clone() for k, v in states.items()}
    every = torch.zeros_like(p)
    every[3], every[5] = grads[1], grads[2]
    expected.step(theirs, every, held, [3, 5], rows[[1, 3]], state_rows=[1, 3])
    made.launch(grads, loss)
    torch.testing.assert_close(p, theirs, rtol=1e-12, atol=1e-14)
    assert all(torch.allclose(states[k], held[k], rtol=1e-12, atol=0) for k in states)
    assert torch.equal(p[[0, 1, 2, 4, 6, 7]], before[[0, 1, 2, 4, 6, 7]])
    assert made.status[1:3].tolist() == [UPDATED, UPDATED]
    now = p.clone()
    loss[2] = float("nan")
    place.fill_(0)
    made.launch(grads, loss)
    assert made.status[1:3].tolist() == [UPDATED, SKIPPED]
    assert torch.equal(p[5], now[5])
    assert not torch.equal(p[3], now[3])


def test_matrices_that_are_not_the_kernels_are_refused(emulated: Emulated) -> None:
    kernel = on(emulated, sgd())
    lanes = Stacked(sgd(), 2, 6, torch.float32)
    with pytest.raises(BadValueError, match=r"sgd: a step needs matrices of torch.float64 on cpu .* torch.float32"):
        lanes.step(kernel, lanes.gradient(), 1)
