"""Unscaling and clipping inside the step: against torch's own, which scale and clip the gradients before it."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

import slalom.optim
from slalom.core.errors import BadValueError
from slalom.engines import fused
from slalom.engines.optimizer import RuleOptimizer
from tests.engines.test_fused import CLASSES, eager  # noqa: F401 (a fixture)

Switch = Callable[[bool], None]
INF = float("inf")
every = pytest.mark.parametrize("name", CLASSES)
paths = pytest.mark.parametrize("off", [False, True], ids=["fused", "eager"])


def twin(name: str) -> Callable[..., torch.optim.Optimizer] | None:
    if name in ("momentum", "nag"):
        return lambda params, **k: torch.optim.SGD(params, momentum=0.9, nesterov=name == "nag", **k)
    return getattr(torch.optim, CLASSES[name].__name__, None)


def net(dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)).to(dtype)


def scaled_run(model: nn.Module, optimizer: torch.optim.Optimizer, factors: list[float], unscale: bool = False) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12, growth_interval=2)
    for i, factor in enumerate(factors):
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(i))
        optimizer.zero_grad()
        scaler.scale(model(x).square().mean() * factor).backward()
        if unscale:
            scaler.unscale_(optimizer)
        kept = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        scaler.step(optimizer)
        if isinstance(optimizer, RuleOptimizer):
            grads = [p.grad for p in model.parameters() if p.grad is not None]
            assert all(torch.equal(a, b) or not a.isfinite().all() for a, b in zip(kept, grads, strict=True))
        scaler.update()


@every
@paths
@pytest.mark.parametrize("unscale", [False, True], ids=["in step", "unscale_"])
def test_scaled_steps_are_those_of_torchs_plain_path(name: str, off: bool, unscale: bool, eager: Switch) -> None:  # noqa: F811
    # The first step overflows and a later one too: nothing may remain of either (optimizers.md, 1c.1).
    made = twin(name)
    model, other = net(), net()
    optimizer = CLASSES[name](model.parameters())
    assert optimizer._step_supports_amp_scaling
    eager(off)
    factors = [INF, 1.0, 2.0, INF, 1.0]
    scaled_run(model, optimizer, factors, unscale)
    assert {float(s["step"]) for s in optimizer.state.values()} == {3.0}
    assert not hasattr(optimizer, "found_inf")
    if made is None:  # no twin: our own rule, stepped without a scaler
        reference = CLASSES[name](other.parameters())
        for i in (1, 2, 4):
            x = torch.randn(8, 4, generator=torch.Generator().manual_seed(i))
            reference.zero_grad()
            (other(x).square().mean() * factors[i]).backward()
            reference.step()
    else:
        plain = {"foreach": False, "fused": False} if name in FUSED else {}
        scaled_run(other, made(other.parameters(), **plain), factors)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=2e-6, atol=2e-6)


FUSED = ("sgd", "momentum", "nag", "adam", "adamw", "adagrad")


def test_a_skipped_first_step_makes_no_state_and_changes_nothing() -> None:
    p = nn.Parameter(torch.ones(3))
    optimizer = slalom.optim.SGD([p], momentum=0.9, clip_grad_norm=1.0)
    p.grad = torch.full((3,), INF)
    optimizer.found_inf, optimizer.grad_scale = torch.ones(()), torch.tensor(8.0)
    optimizer.step()
    assert not optimizer.state
    assert optimizer.grad_norm is None
    assert torch.equal(p, torch.ones(3))
    optimizer.found_inf = torch.zeros(())
    p.grad = torch.full((3,), 0.5)
    optimizer.step()
    assert torch.equal(p, torch.full((3,), 1 - 0.5 / 8 * 1e-3))


@every
@paths
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_clipping_is_clip_grad_norm_before_the_step(name: str, off: bool, dtype: torch.dtype, eager: Switch) -> None:  # noqa: F811
    eager(off)
    model, other = net(dtype), net(dtype)
    groups = [{"params": list(m.parameters())[:2]} for m in (model, other)], [list(m.parameters())[2:] for m in (model, other)]
    mine = CLASSES[name]([groups[0][0], {"params": groups[1][0]}], clip_grad_norm=0.3)
    plain = CLASSES[name]([groups[0][1], {"params": groups[1][1]}])
    tight = 1e-12 if dtype == torch.float64 else 1e-6
    for i in range(6):
        x = torch.randn(8, 4, dtype=dtype, generator=torch.Generator().manual_seed(i))
        for m, o in ((model, mine), (other, plain)):
            o.zero_grad()
            (m(x).square().mean() * (3.0 if i % 2 else 0.1)).backward()
        before = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        norm = torch.nn.utils.clip_grad_norm_(other.parameters(), 0.3)
        mine.step()
        plain.step()
        assert mine.grad_norm is not None
        torch.testing.assert_close(mine.grad_norm.to(dtype), norm, rtol=tight, atol=0)
        assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), before, strict=True) if p.grad is not None)
    assert plain.grad_norm is None
    if name != "lion":  # whose sign turns a rounding into a step of lr
        for p, q in zip(model.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=10 * tight, atol=10 * tight)


@paths
def test_float16_gradients_are_unscaled_in_float32(off: bool, eager: Switch) -> None:  # noqa: F811
    # 2**-20 is lost in float16 (its smallest number is 2**-24, with one bit); torch refuses to unscale such gradients.
    eager(off)
    p = nn.Parameter(torch.zeros(2, dtype=torch.float16))
    optimizer, scaler = slalom.optim.SGD([p], lr=2.0**16, momentum=0.5), torch.amp.GradScaler("cpu", init_scale=2.0**20)
    p.grad = torch.tensor([1.5, 1.0 + 2**-10], dtype=torch.float16)
    scaler.scale(torch.zeros(()))
    scaler.step(optimizer)
    assert optimizer.state[p]["momentum_buffer"].tolist() == [1.5 * 2**-20, (1 + 2**-10) * 2**-20]
    assert p.tolist() == [-1.5 / 16, -(1 + 2**-10) / 16]


def test_scaling_and_clipping_together() -> None:
    p, q = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
    mine, other = slalom.optim.SGD([p], lr=1.0, clip_grad_norm=1.0), torch.optim.SGD([q], lr=1.0)
    p.grad, q.grad = torch.tensor([3.0, 4.0]) * 16, torch.tensor([3.0, 4.0])
    mine.grad_scale, mine.found_inf = torch.tensor(16.0), torch.tensor(0.0)
    mine.step()
    torch.nn.utils.clip_grad_norm_([q], 1.0)
    other.step()
    assert mine.grad_norm == 5.0
    torch.testing.assert_close(p, q)


@paths
@pytest.mark.parametrize("bad", [INF, float("nan")])
def test_a_norm_that_is_not_finite_does_what_torch_does(bad: float, off: bool, eager: Switch) -> None:  # noqa: F811
    eager(off)
    p, q = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    mine, other = slalom.optim.SGD([p], lr=1.0, clip_grad_norm=1.0), torch.optim.SGD([q], lr=1.0)
    p.grad, q.grad = torch.tensor([bad, 1.0, 2.0]), torch.tensor([bad, 1.0, 2.0])
    norm = torch.nn.utils.clip_grad_norm_([q], 1.0)
    mine.step()
    other.step()
    torch.testing.assert_close(p, q, equal_nan=True)
    torch.testing.assert_close(mine.grad_norm, norm, equal_nan=True, check_dtype=False)


def test_an_infinite_bound_measures_only() -> None:
    p = nn.Parameter(torch.zeros(2))
    optimizer = slalom.optim.SGD([p], lr=1.0, clip_grad_norm=math.inf)
    p.grad = torch.tensor([3.0, 4.0])
    optimizer.step()
    assert optimizer.grad_norm == 5.0
    assert p.tolist() == [-3.0, -4.0]


def test_the_norm_does_not_depend_on_threads_or_tables() -> None:
    generator = torch.Generator().manual_seed(3)
    params = [nn.Parameter(torch.zeros(n)) for n in (5, 3 * 16384 + 7, 0, 16384, 40001)]
    params += [nn.Parameter(torch.zeros(9, dtype=torch.bfloat16)), nn.Parameter(torch.zeros(7, dtype=torch.complex64))]
    params += [nn.Parameter(torch.zeros(8, dtype=torch.float16)), nn.Parameter(torch.zeros(6, dtype=torch.float64))]
    for p in params:
        p.grad = torch.randn(p.shape, generator=generator, dtype=torch.complex64 if p.is_complex() else torch.float32).to(p.dtype)
    exact = math.sqrt(sum(float((p.grad.abs().double() ** 2).sum()) for p in params if p.grad is not None))
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            optimizer = slalom.optim.SGD(params, lr=0.0, clip_grad_norm=1.0)
            optimizer.step()
            assert optimizer.__dict__["_plans"]
            found.append(float(optimizer.grad_norm))
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1] == found[2]
    assert abs(found[0] / exact - 1) < 1e-12


def test_sparse_and_subclassed_gradients_count() -> None:
    from slalom.engines.clipping import norm_of

    g = torch.sparse_coo_tensor(torch.tensor([[0, 2, 2]]), torch.tensor([3.0, 1.0, 3.0]), (4,), check_invariants=True)
    assert norm_of([g, torch.zeros(2)], 0.0) == 5.0
    assert norm_of([g], 144.0) == 13.0
    assert norm_of([], 0.0) == 0.0


def test_clipping_has_a_derivative() -> None:
    lr = torch.tensor(1.0, requires_grad=True)
    p = torch.zeros(2, requires_grad=True)
    g = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)

    def stepped(g: torch.Tensor) -> torch.Tensor:
        q = torch.zeros(2, dtype=torch.float64, requires_grad=True).clone()
        q.retain_grad()
        optimizer = slalom.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr, differentiable=True, clip_grad_norm=1.0)
        optimizer.param_groups[0]["params"] = [q]
        q.grad = g
        optimizer.step()
        return q

    assert torch.autograd.gradcheck(stepped, (g,))
    assert p.grad is None


def test_bad_bounds_are_refused() -> None:
    p, q = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
    for bad in (0, -1.0, float("nan"), True, "1", torch.ones(2)):
        with pytest.raises(BadValueError, match=r"Adam: clip_grad_norm must be a number in \(0, inf\] or None, got"):
            slalom.optim.Adam([p], clip_grad_norm=bad)
    optimizer = slalom.optim.Adam([p], clip_grad_norm=1.0)
    with pytest.raises(BadValueError, match=r"must be the same in every parameter group, got \[1.0, 2.0\]"):
        optimizer.add_param_group({"params": [q], "clip_grad_norm": 2.0})
    assert len(optimizer.param_groups) == 1
    optimizer.add_param_group({"params": [q]})
    optimizer.param_groups[1]["clip_grad_norm"] = None
    p.grad = torch.ones(2)
    with pytest.raises(BadValueError, match="must be the same"):
        optimizer.step()
    assert not p.any()


def test_the_bound_is_saved_loaded_and_copied() -> None:
    p = nn.Parameter(torch.zeros(2))
    optimizer = slalom.optim.Adam([p], clip_grad_norm=2.0)
    p.grad = torch.ones(2)
    optimizer.step()
    other = slalom.optim.Adam([nn.Parameter(torch.zeros(2))])
    other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["clip_grad_norm"] == 2.0
    copied = deepcopy(optimizer)
    (q,) = copied.param_groups[0]["params"]
    q.grad = torch.full((2,), 8.0)
    copied.step()
    assert copied.grad_norm == pytest.approx(math.sqrt(128))
    torch.optim.Adam([nn.Parameter(torch.zeros(2))]).load_state_dict(optimizer.state_dict())


def test_a_planted_fault_is_seen(monkeypatch: pytest.MonkeyPatch, eager: Switch) -> None:  # noqa: F811
    real: Any = fused.Table.step
    monkeypatch.setattr(fused.Table, "step", lambda self, values, factor: real(self, values, 1.0))
    with pytest.raises(AssertionError):
        test_scaling_and_clipping_together()
    with pytest.raises(AssertionError):
        test_scaled_steps_are_those_of_torchs_plain_path("sgd", False, False, eager)
