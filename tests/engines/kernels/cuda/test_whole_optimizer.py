"""Whole optimizers on the played device: groups, GradScaler, clipping, state dicts, complex and 16-bit parameters, fallbacks."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch

import slalom.optim
from slalom.engines import device, fused_cuda
from slalom.engines.fused_cuda import CudaTable
from slalom.engines.kernels.compiler import NoCompilerError
from slalom.engines.optimizer import RuleOptimizer
from tests.engines.kernels.cuda.emulation import Emulated
from tests.engines.test_fused import plans

SHAPES = [(5,), (3, 4), (), (17, 300)]


def drawn(seed: int, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(s, generator=generator, dtype=dtype) for s in SHAPES]


def trained(
    cls: Any, steps: int = 6, dtype: torch.dtype = torch.float64, **options: Any
) -> tuple[RuleOptimizer, list[torch.Tensor]]:
    params = [torch.nn.Parameter(p.clone()) for p in drawn(0, dtype)]
    groups = [{"params": params[:2], "lr": 0.03}, {"params": params[2:], "maximize": True}]
    torch.manual_seed(3)
    optimizer = cls(groups, lr=0.1, **options)
    for i in range(6):
        for p, g in zip(params, drawn(i + 1, dtype), strict=True):
            p.grad = g
        optimizer.step()
    states = [x for s in optimizer.state.values() for x in s.values() if isinstance(x, torch.Tensor)]
    return optimizer, [*(p.detach() for p in params), *states]


def eagerly(monkeypatch: pytest.MonkeyPatch, cls: Any, **given: Any) -> list[torch.Tensor]:
    with monkeypatch.context() as patch:
        patch.setattr(fused_cuda, "cuda_table", lambda *a: None)
        return trained(cls, **given)[1]


def on_device(optimizer: RuleOptimizer) -> bool:
    return all(isinstance(t, CudaTable) for plan in plans(optimizer) for t in plan.tables)


@pytest.mark.parametrize("given", [{}, {"clip_grad_norm": 0.5}, {"dtype": torch.complex128, "clip_grad_norm": 0.5}], ids=str)
@pytest.mark.parametrize("name", ["Adam", "NAdam", "SGD"])
def test_groups_signs_clipping_and_complex_numbers(
    name: str, given: dict[str, Any], played: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    cls = getattr(slalom.optim, name)
    optimizer, found = trained(cls, **given)
    assert len(plans(optimizer)) == 2
    assert on_device(optimizer)
    for a, b in zip(found, eagerly(monkeypatch, cls, **given), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)
    if "clip_grad_norm" in given:
        last = drawn(6, given.get("dtype", torch.float64))
        assert float(optimizer.grad_norm) == pytest.approx(float(torch.nn.utils.get_total_norm(last)), rel=1e-12)  # type: ignore[arg-type]


@pytest.mark.parametrize("chosen", [None, torch.bfloat16], ids=str)
def test_rounding_by_chance_draws_the_processors_bits(
    chosen: torch.dtype | None, played: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"dtype": torch.bfloat16, "stochastic_rounding": True, "state_dtype": chosen}
    found, expected = trained(slalom.optim.Adam, **given)[1], eagerly(monkeypatch, slalom.optim.Adam, **given)
    pairs = [(a, b) for a, b in zip(found, expected, strict=True) if a.dtype == torch.bfloat16]
    same = sum(int((a == b).sum()) for a, b in pairs)
    assert len(pairs) == (4 if chosen is None else 12)
    assert same >= 0.999 * sum(a.numel() for a, _ in pairs)  # an ulp of float32 may tip one in thousands
    nearest, _ = trained(slalom.optim.Adam, **(given | {"stochastic_rounding": False}))
    assert any((p.detach() != b).any() for p, b in zip(nearest.param_groups[1]["params"], expected[2:4], strict=True))


@pytest.mark.parametrize("name", ["Adam", "SGD", "NAdam"])
def test_gradscaler_skips_and_unscales_as_on_the_processor(name: str, played: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for on in (True, False):
        monkeypatch.setattr(device, "on_cuda", lambda x, on=on: on)
        params = [torch.nn.Parameter(p.float()) for p in drawn(0)]
        optimizer = getattr(slalom.optim, name)(params, lr=0.1, clip_grad_norm=2.0)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)
        for i in range(7):
            optimizer.zero_grad()
            loss = sum((p * g.float()).sum() for p, g in zip(params, drawn(i + 1), strict=True))
            scaler.scale(loss * (float("inf") if i in (0, 4) else 1.0)).backward()  # type: ignore[operator]
            scaler.step(optimizer)
            scaler.update()
        found.append([*(p.detach() for p in params), *(x for s in optimizer.state.values() for x in s.values())])
        assert all(float(s["step"]) == 5 for s in optimizer.state.values())
        assert on_device(optimizer) == on
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-6, atol=2e-6)


def test_a_state_dict_goes_from_device_to_processor_and_back(played: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    params = [torch.nn.Parameter(p.clone()) for p in drawn(0)]
    twins = [torch.nn.Parameter(p.clone()) for p in drawn(0)]
    first, plain = slalom.optim.NAdam(params, lr=0.1), slalom.optim.NAdam(twins, lr=0.1)
    for i in range(6):
        monkeypatch.setattr(device, "on_cuda", lambda x, i=i: i % 2 == 0)
        if i:
            told = first.state_dict()
            first = slalom.optim.NAdam(params, lr=1.0)
            first.load_state_dict(told)
        for p, q, g in zip(params, twins, drawn(i + 1), strict=True):
            p.grad, q.grad = g, g.clone()
        first.step()
        monkeypatch.setattr(device, "on_cuda", lambda x: False)
        plain.step()
    for p, q in zip(params, twins, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-13)


def test_without_a_compiler_it_is_said_once_and_steps_are_right(played: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*a: Any) -> Any:
        raise NoCompilerError("NVRTC is not found")

    monkeypatch.setattr(fused_cuda, "cuda_kernel", none)
    monkeypatch.setattr(fused_cuda, "_warned", set())
    with pytest.warns(RuntimeWarning, match="several times slower: NVRTC is not found"):
        optimizer, found = trained(slalom.optim.Adam, clip_grad_norm=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained(slalom.optim.Adam)
    assert not plans(optimizer)
    for a, b in zip(found, eagerly(monkeypatch, slalom.optim.Adam, clip_grad_norm=0.5), strict=True):
        assert torch.equal(a, b)


def test_a_hyper_on_the_device_is_read_there(played: Emulated) -> None:
    params, twins = ([torch.nn.Parameter(p.clone()) for p in drawn(0)] for _ in range(2))
    lr = torch.tensor(0.1, dtype=torch.float64)
    mine, plain = slalom.optim.Adam(params, lr=lr), slalom.optim.Adam(twins, lr=0.1)
    for i in range(4):
        lr.fill_(0.1 / (i + 1))
        plain.param_groups[0]["lr"] = 0.1 / (i + 1)
        for p, q, g in zip(params, twins, drawn(i + 1), strict=True):
            p.grad, q.grad = g, g.clone()
        mine.step()
        plain.step()
    for p, q in zip(params, twins, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-14)


def test_on_the_processor_a_hyper_on_a_device_is_read_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    lr = torch.tensor(0.1)
    monkeypatch.setattr(device, "on_cuda", lambda x: x is lr)
    p = torch.nn.Parameter(torch.zeros(()))
    optimizer = slalom.optim.SGD([p], lr=lr)
    for rate in (0.1, 0.4):
        lr.fill_(rate)
        p.grad = torch.ones(())
        optimizer.step()
    assert float(p.detach()) == pytest.approx(-0.5)
