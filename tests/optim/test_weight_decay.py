"""Weight decay, coupled and decoupled, of every optimizer: against the same optimizer without it, and torch's twins."""

import pytest
import torch

import slalom.optim
from slalom.core.rule import REGISTRY
from slalom.engines.printers.latex import latex
from slalom.engines.printers.tree import program

EVERY = [getattr(slalom.optim, n) for n in slalom.optim.__all__ if hasattr(getattr(slalom.optim, n), "rule")]
START = (1.0, -2.0, 0.5, 3.0)


def gradients(steps):
    return torch.randn(steps, len(START), generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def start():
    return torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))


@pytest.mark.parametrize("decoupled", [False, True], ids=["coupled", "decoupled"])
@pytest.mark.parametrize("cls", EVERY, ids=lambda c: c.__name__)
def test_decay_is_done_before_the_step_once_and_nothing_else_changes(cls, decoupled):
    p, q = start(), start()
    decays = cls([p], lr=0.1, weight_decay=0.2, decoupled_weight_decay=decoupled)
    plain = cls([q], lr=0.1, weight_decay=0.0)
    for t, g in enumerate(gradients(8)):
        if t == 5:  # lr scales the decoupled decay
            decays.param_groups[0]["lr"] = plain.param_groups[0]["lr"] = 0.01
        lr = 0.1 if t < 5 else 0.01
        p.grad = g.clone()
        q.grad = g.clone() if decoupled else g + 0.2 * q.detach()
        if decoupled:
            with torch.no_grad():
                q.mul_(1 - lr * 0.2)
        decays.step()
        plain.step()
    assert (p - q).abs().max() <= 1e-14
    assert (p - torch.tensor(START)).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("mine", "torchs"),
    [
        (lambda p: slalom.optim.AdamW(p, 0.1, weight_decay=0.2, decoupled_weight_decay=False), torch.optim.Adam),
        (lambda p: slalom.optim.Adam(p, 0.1, weight_decay=0.2, decoupled_weight_decay=True), torch.optim.AdamW),
    ],
    ids=["AdamW coupled", "Adam decoupled"],
)
def test_adam_and_adamw_are_each_other(mine, torchs):
    p, q = start(), start()
    pair = mine([p]), torchs([q], 0.1, weight_decay=0.2)
    for g in gradients(20):
        p.grad, q.grad = g.clone(), g.clone()
        for optimizer in pair:
            optimizer.step()
    assert (p - q).abs().max() <= 1e-14


@pytest.mark.parametrize("name", sorted({c.rule.name for c in EVERY}))
def test_both_forms_print_and_a_switch_without_decay_is_no_program_of_its_own(name):
    rule = REGISTRY[name]
    off, on = (rule(weight_decay=0.1, decoupled_weight_decay=d) for d in (False, True))
    assert latex(off)[0].startswith("g_t")
    assert r"1 - " in latex(on)[0]
    assert latex(on)[0].startswith(r"\theta")
    assert off.program != on.program
    assert (
        rule(weight_decay=0.0, decoupled_weight_decay=True).program
        == rule(weight_decay=0.0, decoupled_weight_decay=False).program
    )
    first = program(on).assigns[0].value
    assert program(on).host(first.b), "1 - lr wd is computed once a step, not once an element"


def test_a_coupled_lion_moves_where_only_the_penalty_speaks():
    p = start()
    p.grad = torch.zeros_like(p)
    slalom.optim.Lion([p], lr=0.1, weight_decay=0.01, decoupled_weight_decay=False).step()
    assert torch.allclose(p, torch.tensor([0.9, -1.9, 0.4, 2.9], dtype=torch.float64))
