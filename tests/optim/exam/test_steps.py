"""Stepping, in the manner of torch's own exam: every class, every input of its record, every path, odd tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.optim.exam.infos import TWINS, class_of, infos
from tests.optim.exam.tools import bowl, eager_path, has_tables, maker, makers, parameters, set_gradients, stepped

SHAPES = [(3, 4), (5,), (), (0, 2), (17,)]
OURS_ALONE = {"convention", "exponent", "w", "p"}


def distance(a: Any, b: Any) -> float:
    """The largest difference of two lists of tensors, relative to the largest number of the second."""
    pairs = [(x.detach(), y.detach()) for x, y in zip(a, b, strict=True) if x.numel()]
    return max(float((x - y).abs().max() / y.abs().max().clamp_min(1e-3)) for x, y in pairs)


def test_compiled_eager_and_torchs_steps_agree_on_every_input(name: str) -> None:
    for desc, kwargs in makers(name):
        make = maker(name, **kwargs)
        mine, plain = parameters(*SHAPES), parameters(*SHAPES)
        compiled = stepped(make, mine)
        assert has_tables(compiled)
        with eager_path():
            eager = stepped(make, plain)
        assert not has_tables(eager)
        assert distance(mine, plain) <= 1e-12, desc
        for p, q in zip(mine, plain, strict=True):
            assert list(compiled.state[p]) == list(eager.state[q])
            assert distance(compiled.state[p].values(), eager.state[q].values()) <= 1e-12, desc
        if name in TWINS and not OURS_ALONE & set(kwargs):
            theirs = parameters(*SHAPES)
            kwargs = {k: float(v) if torch.is_tensor(v) else v for k, v in kwargs.items()}
            if "betas" in kwargs:
                kwargs["betas"] = tuple(map(float, kwargs["betas"]))
            stepped(lambda params, kw=kwargs: getattr(torch.optim, name)(params, **kw), theirs)
            # torch keeps NAdam's product of momenta in float32
            assert distance(mine, theirs) <= (1e-6 if name == "NAdam" else 1e-12), desc


def test_it_goes_the_right_way_with_schedulers_and_odd_memory(name: str) -> None:
    info = infos()[name]
    for k, schedulers in enumerate([(), *info.scheduler_inputs]):
        kwargs = {"maximize": True} if k == 1 else {}
        weight, bias = (nn.Parameter(torch.randn(s, generator=torch.Generator().manual_seed(k))) for s in ((10, 5), (10,)))
        if k % 2:  # every second element of a larger block, so nothing is contiguous
            weight, bias = (nn.Parameter(torch.stack([x.detach(), x.detach()], -1)[..., 0]) for x in (weight, bias))
            assert not weight.is_contiguous()
        optimizer = class_of(name)([{"params": weight}, {"params": bias, "lr": 0.01}], lr=1e-3, **kwargs)
        made = [make(optimizer) for make in schedulers]

        def closure(optimizer: Any = optimizer, weight: Any = weight, bias: Any = bias) -> torch.Tensor:
            optimizer.zero_grad()
            loss = bowl(weight, bias)
            loss.backward()
            return loss.detach()

        first = closure().item()
        for _ in range(8):
            loss = optimizer.step(closure)
            for scheduler in made:
                plateau = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
                scheduler.step(loss) if plateau else scheduler.step()
        assert (closure().item() > first) is bool(kwargs), (k, schedulers)


def test_a_rate_may_be_a_tensor_of_any_form(name: str) -> None:
    results = []
    for lr in (0.01, torch.tensor(0.01, dtype=torch.float64), torch.tensor([[0.01]], dtype=torch.float64), torch.tensor(0.01)):
        params = parameters((3,), (2, 2))
        optimizer = stepped(lambda params, lr=lr: class_of(name)(params, lr=lr), params)
        assert optimizer.param_groups[0]["lr"] is lr
        if isinstance(lr, torch.Tensor):  # changed in place, as schedulers do
            lr.mul_(0.5)
        else:
            optimizer.param_groups[0]["lr"] *= 0.5
        set_gradients(params, 7)
        optimizer.step()
        results.append([p.detach().clone() for p in params])
    assert distance(results[1], results[0]) == 0
    assert distance(results[2], results[0]) == 0
    assert distance(results[3], results[0]) <= 1e-6


def test_without_gradients_or_with_zeros_nothing_moves(name: str) -> None:
    for desc, kwargs in makers(name, decay=False):
        p, q = parameters((3,), (2, 2))
        before = [x.detach().clone() for x in (p, q)]
        optimizer = class_of(name)([p, q], **{"weight_decay": 0.0, **kwargs})
        optimizer.step()
        assert not optimizer.state
        p.grad = torch.zeros_like(p)
        optimizer.step()
        assert torch.equal(p, before[0]), desc
        assert torch.equal(q, before[1]), desc
        assert set(optimizer.state) == {p}


def test_complex_numbers_are_pairs_of_real_ones(name: str) -> None:
    for _, kwargs in makers(name):
        (real,) = parameters((3, 4, 2))
        p = nn.Parameter(torch.view_as_complex(real.detach().clone()))
        mine, pairs = class_of(name)([p], **kwargs), class_of(name)([real], **kwargs)
        for i in range(3):
            set_gradients([real], 2 * i)
            assert real.grad is not None
            p.grad = torch.view_as_complex(real.grad.clone())
            mine.step()
            pairs.step()
        assert distance([torch.view_as_real(p)], [real]) <= 1e-13


def test_one_group_may_mix_dtypes_sizes_and_layouts(name: str) -> None:
    make = maker(name, lr=0.01)

    def some() -> list[nn.Parameter]:
        made = [p for d in (torch.float32, torch.float64, torch.bfloat16) for p in parameters((4,), (2, 3), dtype=d)]
        made += [nn.Parameter(torch.ones(3, dtype=torch.complex64)), nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(0))]
        made += [nn.Parameter(torch.arange(12.0).reshape(3, 4).t()), nn.Parameter(torch.arange(12.0)[::3])]
        return made

    together, alone = some(), some()
    optimizers = [make([p]) for p in alone]
    one = make(together)
    for i in (0, 2, 3):
        for params in (together, alone):
            generator = torch.Generator().manual_seed(i)
            for p in params:
                p.grad = torch.randn(p.shape, generator=generator).to(p.dtype)
        one.step()
        for optimizer in optimizers:
            optimizer.step()
    for p, q in zip(together, alone, strict=True):
        assert torch.equal(p, q), (p.dtype, p.shape)
        assert p.dtype == q.dtype
        assert torch.isfinite(torch.view_as_real(p) if p.is_complex() else p).all()


def test_gradients_come_and_go_as_in_runs_of_their_own(name: str) -> None:
    # A parameter counts its own steps: with none of its neighbours' gaps it ends at the same bits.
    present = [[0, 1, 2, 3, 4], [2, 3], [1, 4], []]
    params, alone = parameters(*[(3,)] * 4), parameters(*[(3,)] * 4)
    optimizer = class_of(name)(params, lr=0.05)
    for i in range(5):
        set_gradients(params, i + 10)
        for p, steps in zip(params, present, strict=True):
            if i not in steps:
                p.grad = None
        optimizer.step()
    for k, (q, steps) in enumerate(zip(alone, present, strict=True)):
        single = class_of(name)([q], lr=0.05)
        for i in steps:
            others = parameters(*[(3,)] * 4)
            with torch.no_grad():
                others[k].copy_(q)
            set_gradients(others, i + 10)
            q.grad = others[k].grad
            single.step()
        assert torch.equal(params[k], q)
        assert bool(optimizer.state.get(params[k])) is bool(steps)


def test_a_closure_may_be_called_under_no_grad(name: str) -> None:
    (p,) = parameters((3,))
    optimizer = class_of(name)([p], lr=0.01)

    def closure() -> torch.Tensor:
        assert torch.is_grad_enabled()
        optimizer.zero_grad()
        loss = (p**2).sum()
        loss.backward()
        return loss

    with torch.no_grad():
        first = optimizer.step(closure)
        assert not torch.is_grad_enabled()
    assert optimizer.step(closure).item() < first.item()


def test_zero_grad_drops_gradients_or_empties_them(name: str) -> None:
    (p,) = parameters((3,))
    optimizer = class_of(name)([p])
    p.grad = torch.ones_like(p)
    held = p.grad
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is held
    assert not held.any()
    optimizer.zero_grad()
    assert p.grad is None


@pytest.mark.parametrize("first", [True, False], ids=["first step", "later step"])
def test_autograd_through_a_step_to_parameter_gradient_and_states(name: str, first: bool) -> None:
    cls = class_of(name)
    (start,) = parameters((4,))
    model = stepped(maker(name), [start], 0 if first else 3)
    state = {k: v.clone() for k, v in model.state[start].items()} if not first else {}
    keys = [k for k, v in state.items() if v.dtype == torch.float64 and v.dim()]

    def run(p: torch.Tensor, g: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        p = p.clone()
        optimizer = cls([p], lr=0.1, weight_decay=0.01, differentiable=True)
        if state:
            kept = {k: v.clone() for k, v in state.items()}
            optimizer.state[p] = kept | {k: x.clone() for k, x in zip(keys, states, strict=True)}
        p.grad = g
        optimizer.step()
        return p, *(optimizer.state[p][k] for k in keys)

    given = [start.detach().clone(), torch.tensor([0.3, -0.2, 1.0, -2.0], dtype=torch.float64)]
    given += [state[k].abs() + 0.1 for k in keys]  # away from 0, where a root is steep
    assert torch.autograd.gradcheck(run, [x.requires_grad_() for x in given])
