"""Complex parameters in the compiled step: pairs of real numbers, equal to the eager path and to torch's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

import slalom.optim
from slalom.engines import fused
from slalom.engines.optimizer import RuleOptimizer
from tests.engines.test_fused import CLASSES, eager  # noqa: F401 (a fixture)

Switch = Callable[[bool], None]
SHAPES: list[tuple[int, ...]] = [(), (0,), (17,), (3, 5), (2, 3, 4, 4)]


def train(make: Callable[[list[nn.Parameter]], torch.optim.Optimizer], dtype: torch.dtype, steps: int = 6) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    params = [nn.Parameter(torch.randn(s, dtype=torch.complex128, generator=generator).to(dtype)) for s in SHAPES]
    params[-1].data = params[-1].data.contiguous(memory_format=torch.channels_last)
    params.append(nn.Parameter(torch.randn(7, dtype=torch.float64, generator=generator)))
    optimizer = make(params)
    for _ in range(steps):
        for p in params:
            g = torch.randn(p.shape, dtype=torch.complex128, generator=generator)
            p.grad = torch.empty_like(p).copy_(g if p.is_complex() else g.real)
        optimizer.step()
    if (
        isinstance(optimizer, RuleOptimizer)
        and fused.kernel_of.__name__ == "kernel_of"
        and optimizer.rule.name != "windowed_adadelta"  # a window of channels_last is left to the rule itself
    ):
        (plan,) = optimizer.__dict__["_plans"].values()
        assert [len(t.params) for t in plan.tables] == [len(SHAPES), 1]
    return [x.detach() for p in params for x in (p, *optimizer.state[p].values()) if isinstance(x, torch.Tensor)]


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_fused_is_eager(name: str, dtype: torch.dtype, eager: Switch) -> None:  # noqa: F811
    found = []
    for off in (False, True):
        eager(off)
        found.append(train(lambda params: CLASSES[name](params, lr=0.01, clip_grad_norm=20.0), dtype))
    for a, b in zip(*found, strict=True):
        assert a.dtype == b.dtype
        if a.dtype in (torch.complex128, torch.float64):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
        elif name != "lion":
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam", "RAdam"])
def test_fused_is_torch(name: str) -> None:
    made = [train(lambda params, o=o: getattr(o, name)(params, lr=0.01), torch.complex128) for o in (slalom.optim, torch.optim)]
    params = [[x for x in found if x.dim() or x.is_complex()] for found in made]
    for a, b in zip(*params, strict=True):
        tight = 1e-9 if name == "NAdam" else 1e-12  # torch keeps NAdam's product of momenta in float32
        torch.testing.assert_close(a, b, rtol=tight, atol=tight)


@pytest.mark.parametrize("off", [False, True])
def test_gradients_and_parameters_that_are_lazily_conjugate(off: bool, eager: Switch) -> None:  # noqa: F811
    eager(off)
    p = nn.Parameter(torch.zeros(3, dtype=torch.complex64))
    optimizer = slalom.optim.SGD([p], lr=1.0)
    g = torch.tensor([1 + 2j, 3 - 4j, 5j], dtype=torch.complex64)
    for given in (g, g.conj(), g):
        before = p.detach().clone()
        p.grad = given
        optimizer.step()
        assert torch.equal(p.detach(), before - given)


def test_a_wider_state_is_kept() -> None:
    p = nn.Parameter(torch.ones(3, dtype=torch.complex64))
    optimizer = slalom.optim.Adam([p], state_dtype=torch.float64)
    p.grad = torch.full_like(p, 1 + 1j)
    optimizer.step()
    assert optimizer.state[p]["exp_avg"].dtype == torch.complex128
    assert optimizer.__dict__["_plans"]
    other = slalom.optim.Adam([p])
    other.load_state_dict(optimizer.state_dict())
    assert other.state[p]["exp_avg"].dtype == torch.complex128
    other.step()


def test_a_planted_fault_is_seen(monkeypatch: pytest.MonkeyPatch, eager: Switch) -> None:  # noqa: F811
    real = torch.Tensor.is_complex
    monkeypatch.setattr(fused, "alike", lambda p, x: True)
    monkeypatch.setattr(nn.Parameter, "is_complex", lambda self: False, raising=False)  # half of each is left out
    with pytest.raises((AssertionError, RuntimeError)):
        test_fused_is_torch("Adam")
    assert torch.Tensor.is_complex is real


def test_a_window_of_complex_numbers_is_fused() -> None:
    p = nn.Parameter(torch.randn(3, 5, dtype=torch.complex128, generator=torch.Generator().manual_seed(0)))
    q = nn.Parameter(torch.view_as_real(p.detach()).clone())
    mine, parts = (CLASSES["windowed_adadelta"]([x], lr=0.1, w=3) for x in (p, q))
    for t in range(5):
        p.grad = torch.randn(3, 5, dtype=torch.complex128, generator=torch.Generator().manual_seed(t + 1))
        q.grad = torch.view_as_real(p.grad)
        mine.step()
        parts.step()
    assert len(mine.__dict__["_plans"][0].tables) == 1
    assert torch.equal(torch.view_as_real(p.detach()), q.detach())
    assert torch.equal(torch.view_as_real(mine.state[p]["G"]), parts.state[q]["G"])
