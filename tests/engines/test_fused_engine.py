"""The fused step as a part of torch: what falls back, what is noticed, versions, compilers, schedulers, state dicts."""

from __future__ import annotations

import gc
import warnings
import weakref
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

import slalom.optim
from slalom.core.errors import BadValueError
from slalom.engines import fused
from slalom.engines.kernels import cache, compiler, tensors
from slalom.engines.optimizer import RuleOptimizer


def tables(optimizer: RuleOptimizer) -> list[fused.Table]:
    return [t for plan in optimizer.__dict__.get("_plans", {}).values() for t in plan.tables]


def weights(*shape: int, dtype: torch.dtype = torch.float64) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(0)))


def step(optimizer: RuleOptimizer, *params: nn.Parameter, fill: float = 1.0) -> None:
    for p in params:
        p.grad = torch.full_like(p, fill)
    optimizer.step()


@pytest.fixture
def fresh_store(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing compiled yet, in memory or in the store."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for module, name in ((cache, "_loaded"), (cache, "_working"), (tensors, "_made")):
        monkeypatch.setattr(module, name, {})


def test_new_values_compile_nothing_anew(fresh_store: None, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []
    real = compiler.build
    monkeypatch.setattr(compiler, "build", lambda *a: (built.append(1), real(*a))[1])
    p = weights(5)
    optimizer = slalom.optim.Adam([p])
    for i in range(5):
        optimizer.param_groups[0].update(lr=0.1 / (i + 1), betas=(0.9 - i / 10, 0.99))
        step(optimizer, p)
    assert built == [1]
    optimizer.param_groups[0]["weight_decay"] = 0.1  # another program: the gate opens
    step(optimizer, p)
    assert built == [1, 1]
    step(slalom.optim.Adam([weights(7)]), weights(7))
    assert built == [1, 1]


def test_without_a_compiler_it_is_said_once_and_the_step_is_right(fresh_store: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "/nowhere/cc")
    monkeypatch.setattr(fused, "_warned", False)
    p, q = weights(4), weights(4)
    mine, torchs = slalom.optim.Adam([p]), torch.optim.Adam([q])
    with pytest.warns(RuntimeWarning, match="without compiled code.*'/nowhere/cc' cannot be run") as seen:
        step(mine, p)
    assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step(mine, p)
        step(slalom.optim.SGD([p]), p)
    for _ in range(2):
        q.grad = torch.ones_like(q)
        torchs.step()
    assert not tables(mine)
    r = weights(4)
    again = slalom.optim.Adam([r])
    step(again, r)
    step(again, r)
    assert (r - q).abs().max() <= 1e-15


def test_autograd_notices_the_step() -> None:
    p = weights(3)
    optimizer = slalom.optim.SGD([p], lr=0.1)
    before = p._version
    loss = (p * p).sum()
    step(optimizer, p)
    assert tables(optimizer)
    assert p._version > before
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_what_compiled_code_cannot_step_is_stepped_by_torch() -> None:
    shared = torch.zeros(6, dtype=torch.float64)
    odd: dict[str, torch.Tensor] = {
        "half": weights(4, dtype=torch.bfloat16),
        "complex": nn.Parameter(torch.ones(3, dtype=torch.complex128)),
        "overlap a": nn.Parameter(shared[:4]),
        "overlap b": nn.Parameter(shared[2:]),
        "strided": nn.Parameter(torch.zeros(4, 6, dtype=torch.float64)[:, ::2]),
        "float32": weights(4, dtype=torch.float32),
    }
    optimizer = slalom.optim.SGD(list(odd.values()), lr=1.0)
    before = {k: p.detach().clone() for k, p in odd.items()}
    for p in odd.values():
        p.grad = torch.ones_like(p)
    optimizer.step()
    for k, p in odd.items():
        if k.startswith("overlap"):
            continue
        assert torch.equal(p.detach(), before[k] - 1), k
    assert shared.tolist() == [-1, -1, -2, -2, -1, -1]
    assert not tables(optimizer)  # something is left to the eager path, so the plan is made anew each step


def test_dense_layouts_shared_by_all_are_fused_and_others_are_not() -> None:
    p = nn.Parameter(torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last))
    q = nn.Parameter(p.detach().clone(memory_format=torch.contiguous_format))
    mine, other = slalom.optim.Adam([p]), slalom.optim.Adam([q])
    for _ in range(3):
        g = torch.randn(2, 3, 4, 4)
        p.grad, q.grad = g.to(memory_format=torch.channels_last), g.clone()
        mine.step()
        other.step()
    assert tables(mine)
    assert torch.equal(p, q)
    p.grad = torch.randn(2, 3, 4, 4)  # contiguous: not the parameter's layout
    q.grad = p.grad.clone()
    mine.step()
    other.step()
    torch.testing.assert_close(p.detach(), q.detach())
    q.grad = torch.randn(4, 4, 3, 2).permute(3, 2, 1, 0)
    p.grad = q.grad.clone()
    other.step()
    mine.step()
    torch.testing.assert_close(p.detach(), q.detach())


def test_the_gradient_may_be_the_parameter_or_shared_or_negated() -> None:
    p, q = weights(4), weights(4)
    start = p.detach().clone()
    optimizer = slalom.optim.SGD([p, q], lr=0.5)
    step(optimizer, p, q)
    p.data, q.data = start.clone(), start.clone()
    p.grad = p.detach()
    q.grad = torch.ones(4, dtype=torch.float64)
    optimizer.step()
    assert torch.equal(p, start * 0.5)
    q.grad = p.grad = torch.ones(4, dtype=torch.float64)
    optimizer.step()
    assert torch.equal(p.detach(), start * 0.5 - 0.5)
    negative = torch.complex(torch.zeros(4), torch.ones(4)).to(torch.complex128).conj().imag
    assert negative.is_neg()
    before = p.detach().clone()
    p.grad, q.grad = negative, None
    optimizer.step()
    assert torch.equal(p.detach(), before + 0.5)


def test_memory_that_moves_is_noticed() -> None:
    p = weights(4)
    q = nn.Parameter(p.detach().clone())
    mine, other = slalom.optim.Adam([p]), torch.optim.Adam([q])

    def both() -> None:
        step(mine, p)
        q.grad = torch.ones_like(q)
        other.step()
        assert (p - q).abs().max() <= 1e-15

    both()
    both()
    for o, x in ((mine, p), (other, q)):  # a state replaced, a parameter's data replaced, a count set by hand
        o.state[x]["exp_avg"] = o.state[x]["exp_avg"] * 2
    both()
    p.data, q.data = p.data.clone() + 1, q.data.clone() + 1
    both()
    for o, x in ((mine, p), (other, q)):
        o.state[x]["step"].fill_(100.0)
        o.state[x]["exp_avg"].data = torch.ones(4, dtype=torch.float64)
    both()
    for o in (mine, other):
        o.state.clear()
    both()
    p.data, q.data = torch.ones(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    mine.state.clear()
    other.state.clear()
    both()
    p.data, q.data = torch.ones(2), torch.ones(2)
    mine.state.clear()
    step(mine, p)
    assert p.dtype == torch.float32


def test_what_the_user_keeps_in_a_state_does_no_harm() -> None:
    p = weights(2)
    optimizer = slalom.optim.SGD([p], lr=1.0)
    start = p.detach().clone()
    for mine in (1.5, torch.ones(3), "text"):
        step(optimizer, p)
        optimizer.state[p]["mine"] = mine
    step(optimizer, p)
    torch.testing.assert_close(p.detach(), start - 4)
    del optimizer.state[p]["mine"]
    step(optimizer, p)
    assert tables(optimizer)
    optimizer.state[p]["mine"] = 1.5
    step(optimizer, p)
    torch.testing.assert_close(p.detach(), start - 6)


def test_a_sparse_gradient_is_refused_before_anything_changes() -> None:
    p, q = weights(2), weights(3, 2)
    optimizer = slalom.optim.Adam([{"params": [p]}, {"params": [q]}])
    step(optimizer, p, q)
    before = p.detach().clone()
    p.grad, q.grad = torch.ones_like(p), torch.ones_like(q).to_sparse()
    with pytest.raises(BadValueError, match="must be dense"):
        optimizer.step()
    assert torch.equal(p, before)


def test_a_hyper_that_becomes_true_is_still_an_error() -> None:
    p = weights(2)
    optimizer = slalom.optim.SGD([p], lr=1.0)
    step(optimizer, p)
    optimizer.param_groups[0]["lr"] = True
    with pytest.raises(BadValueError, match="lr must be a number"):
        step(optimizer, p)


def test_gradients_are_not_kept_alive() -> None:
    p = weights(4)
    optimizer = slalom.optim.Adam([p])
    step(optimizer, p)
    step(optimizer, p)
    assert p.grad is not None
    gone = weakref.ref(p.grad)
    optimizer.zero_grad()
    gc.collect()
    assert gone() is None


def test_state_dicts_and_copies_go_on_where_they_were() -> None:
    p = weights(40)
    mine = slalom.optim.NAdam([p])
    for i in range(3):
        step(mine, p, fill=i + 1.0)
    q = nn.Parameter(p.detach().clone())
    loaded = slalom.optim.NAdam([q])
    loaded.load_state_dict(mine.state_dict())
    copied = deepcopy(mine)
    (r,) = copied.param_groups[0]["params"]
    step(mine, p)
    step(loaded, q)
    step(copied, r)
    assert tables(mine)
    assert tables(loaded)
    assert torch.equal(p, q)
    assert torch.equal(p, r)
    step(copied, r)
    assert torch.equal(p, q)  # the copy's states are its own
    mine.load_state_dict(loaded.state_dict())
    step(mine, p)
    step(loaded, q)
    assert torch.equal(p, q)


def test_the_gradient_scaler_skips_and_steps() -> None:
    p = weights(3, dtype=torch.float32)
    optimizer, scaler = slalom.optim.SGD([p], lr=0.1, momentum=0.9), torch.amp.GradScaler("cpu", init_scale=8.0)
    start = p.detach().clone()
    for g in (float("inf"), 1.0, 1.0):
        optimizer.zero_grad()
        scaler.scale((p * g).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
    torch.testing.assert_close(p.detach(), start - 0.1 * (1 + 1.9))


def test_a_compiled_training_step_is_not_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    p, q = weights(3), weights(3)
    mine, other = slalom.optim.Adam([p]), slalom.optim.Adam([q])

    def train(weight: nn.Parameter, optimizer: RuleOptimizer) -> None:
        optimizer.zero_grad()
        (weight**2).sum().backward()
        optimizer.step()

    compiled = torch.compile(train, backend="eager")
    for _ in range(3):
        compiled(p, mine)
        train(q, other)
    assert torch.equal(p, q)
    assert tables(mine)


def test_under_a_transform_the_eager_path_steps() -> None:
    def run(g: torch.Tensor) -> torch.Tensor:
        p = torch.zeros(3, dtype=torch.float64)
        optimizer = slalom.optim.Adam([p], lr=0.1)
        p.grad = torch.ones(3, dtype=torch.float64)
        optimizer.step()
        assert not tables(optimizer)
        return p + g

    assert torch.vmap(run)(torch.zeros(2, 3, dtype=torch.float64)).shape == (2, 3)
