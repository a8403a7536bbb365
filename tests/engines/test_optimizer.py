"""What an optimizer built from a rule does beside its numbers: steps, groups, errors, scaler, closure, autograd."""

from copy import deepcopy

import pytest
import torch
from torch import nn

import slalom.optim
from slalom.core.errors import BadValueError
from slalom.core.rule import REGISTRY, Choice, Hyper, State, rule
from slalom.engines.optimizer import RuleOptimizer, optimizer_class

EVERY = [getattr(slalom.optim, n) for n in slalom.optim.__all__ if hasattr(getattr(slalom.optim, n), "rule")]


def weights(*values, dtype=torch.float64):
    return nn.Parameter(torch.tensor(values, dtype=dtype))


@rule(
    source="this test",
    lr=Hyper(0.5, "a", ge=0, by_convention={"tf": 0.25}),
    keep=Hyper(0.0, "k", ge=0, le=1, gate=True),
    lost=Hyper(7.0, "l", torch="pair[1]"),
    kept=Hyper(3.0, "m", torch="pair[0]"),
    convention=Choice(("torch", "tf")),
    sum=State("total", fill="kept", when="keep"),
)
def made_up(p, g, s, h, t):
    total = s.sum
    if h.on.keep:
        total = h.keep * s.sum + g
        g = total
    return p - h.lr * g * t, s._replace(sum=total)


REGISTRY.pop("made_up")  # other tests go through every registered rule
MadeUp = optimizer_class(made_up)


def test_a_rule_declared_anywhere_becomes_an_optimizer():
    p = weights(1.0, 2.0)
    optimizer = MadeUp([p])
    assert MadeUp.__name__ == "MadeUp"
    assert optimizer.defaults["pair"] == (3.0, 7.0)
    p.grad = torch.ones_like(p)
    optimizer.step()
    optimizer.step()  # p - .5 * 1 - .5 * 2
    assert p.tolist() == [-0.5, 0.5]
    assert set(optimizer.state[p]) == {"step"}
    assert optimizer.state[p]["step"] == 2


def test_a_state_appears_when_its_gate_opens_and_survives_its_closing():
    p = weights(0.0)
    optimizer = MadeUp([p])
    p.grad = torch.ones_like(p)
    optimizer.step()
    optimizer.param_groups[0]["keep"] = 0.5
    optimizer.step()
    assert optimizer.state[p]["total"].item() == 0.5 * 3.0 + 1.0
    optimizer.param_groups[0]["keep"] = 0.0
    optimizer.step()
    assert optimizer.state[p]["total"].item() == 2.5
    again = MadeUp([p])
    again.load_state_dict(optimizer.state_dict())
    assert again.state[p]["total"].item() == 2.5


def test_a_convention_moves_the_defaults_that_were_not_given():
    p = weights(0.0)
    assert MadeUp([p]).param_groups[0]["lr"] == 0.5
    assert MadeUp([p], convention="tf").param_groups[0]["lr"] == 0.25
    assert MadeUp([p], lr=0.5, convention="tf").param_groups[0]["lr"] == 0.5
    assert MadeUp([{"params": [p], "convention": "tf"}]).param_groups[0]["lr"] == 0.25
    assert MadeUp([{"params": [p], "convention": "tf"}], lr=0.5).param_groups[0]["lr"] == 0.5
    assert MadeUp([{"params": [p], "convention": "tf", "lr": 1}]).param_groups[0]["lr"] == 1
    copied = deepcopy(slalom.optim.Adam([p], lr=0.1, convention="tf"))
    copied.add_param_group({"params": [weights(1.0)], "convention": "torch"})
    assert [(g["lr"], g["eps"]) for g in copied.param_groups] == [(0.1, 1e-7), (0.1, 1e-8)]


def test_a_subclass_needs_a_rule_or_a_parent_that_has_one():
    with pytest.raises(TypeError, match="name its rule"):
        type("Nameless", (RuleOptimizer,), {})

    class Louder(slalom.optim.SGD):
        def __init__(self, params, times=2, **kwargs):
            super().__init__(params, lr=0.1 * times, **kwargs)

    assert Louder([weights(1.0)], times=3).param_groups[0]["lr"] == pytest.approx(0.3)


@pytest.mark.parametrize("cls", EVERY, ids=lambda c: c.__name__)
def test_the_gradient_is_only_read_and_maximize_climbs(cls):
    down, up = weights(1.0, -2.0, 0.5), weights(1.0, -2.0, 0.5)
    for p, maximize in ((down, False), (up, True)):
        extra = {"momentum": 0.9, "nesterov": True} if cls is slalom.optim.SGD else {}
        optimizer = cls([p], weight_decay=0.0, maximize=maximize, **extra)
        for i in range(5):
            p.grad = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64) * (-1 if maximize else 1) * (i + 1)
            before = p.grad.clone()
            optimizer.step()
            assert torch.equal(p.grad, before)
    assert torch.equal(down, up)
    assert down.tolist() != [1.0, -2.0, 0.5]


@pytest.mark.parametrize("cls", EVERY, ids=lambda c: c.__name__)
def test_a_late_first_gradient_is_a_first_step(cls):
    early, late = weights(1.0, 2.0), weights(1.0, 2.0)
    first, both = cls([early]), cls([weights(0.0), late])
    other = both.param_groups[0]["params"][0]
    other.grad = torch.ones_like(other)
    both.step()
    assert late not in both.state
    for i in range(3):
        early.grad = late.grad = torch.tensor([0.3, -1.0], dtype=torch.float64) * (i + 1)
        first.step()
        both.step()
    assert torch.equal(early, late)
    assert (both.state[late]["step"], both.state[other]["step"]) == (3, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("cls", EVERY, ids=lambda c: c.__name__)
def test_dtypes_and_memory_formats_are_kept(cls, dtype):
    p = nn.Parameter(torch.randn(2, 3, 4, 4, dtype=dtype).to(memory_format=torch.channels_last))
    optimizer = cls([p])
    for _ in range(2):
        p.grad = torch.ones_like(p)
        optimizer.step()
    assert p.dtype == dtype
    assert p.is_contiguous(memory_format=torch.channels_last)
    declared = {s.torch or n: s for n, s in cls.rule.states.items()}
    for key, value in optimizer.state[p].items():
        scalar = key == "step" or declared[key].scalar
        assert scalar or value.dtype == (torch.float32 if dtype == torch.bfloat16 else dtype)
        assert not value.requires_grad


def test_a_changed_rate_counts_from_the_next_step():
    p = weights(1.0)
    optimizer = slalom.optim.SGD([p], lr=0.5)
    p.grad = torch.ones_like(p)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.25
    optimizer.step()
    assert p.item() == 0.25


def test_tensor_hypers_work_and_schedulers_fill_them():
    p, q = weights(1.0, 2.0), weights(1.0, 2.0)
    lr = torch.tensor(0.1, dtype=torch.float64)
    mine, torchs = slalom.optim.Adam([p], lr=lr), torch.optim.Adam([q], lr=0.1)
    schedules = [torch.optim.lr_scheduler.ExponentialLR(o, 0.5) for o in (mine, torchs)]
    for _ in range(5):
        p.grad = q.grad = torch.tensor([1.0, -3.0], dtype=torch.float64)
        for o, s in zip((mine, torchs), schedules, strict=True):
            o.step()
            s.step()
    assert (p - q).abs().max() <= 1e-15
    assert lr.item() == pytest.approx(0.1 / 32)
    slalom.optim.SGD([p], lr=torch.tensor([0.1])).step()
    with pytest.raises(BadValueError, match=r"SGD: lr must be a number or a tensor of one, got torch.float32 of shape"):
        slalom.optim.SGD([p], lr=torch.tensor([0.1, 0.2]))


@pytest.mark.parametrize("cls", EVERY, ids=lambda c: c.__name__)
def test_autograd_reaches_the_hypers_through_differentiable_steps(cls):
    # Against central differences of the same run.
    def run(lr, decay):
        p = torch.tensor([0.7, -1.3], dtype=torch.float64, requires_grad=True).clone()
        optimizer = cls([p], lr=lr, weight_decay=decay, differentiable=True)
        for _ in range(3):
            (p.grad,) = torch.autograd.grad((p.clone() ** 4).sum(), p, create_graph=True)
            optimizer.step()
        return (p**2).sum()

    values = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.1, 0.05)]
    assert torch.autograd.gradcheck(run, values)
    # A decay of exactly 0 still has a gradient when somebody asks for one.
    zero = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    run(0.1, zero).backward()
    assert zero.grad is not None
    assert zero.grad != 0


def test_autograd_reaches_a_state_s_first_value():
    def run(start):
        p = torch.tensor([0.7, -1.3], dtype=torch.float64, requires_grad=True).clone()
        optimizer = slalom.optim.Adagrad([p], lr=0.1, initial_accumulator_value=start, differentiable=True)
        p.grad = torch.tensor([1.0, 2.0], dtype=torch.float64)
        optimizer.step()
        return p.sum()

    assert torch.autograd.gradcheck(run, torch.tensor(0.3, dtype=torch.float64, requires_grad=True))


@pytest.mark.parametrize("cycle", [False, True])
def test_the_papers_decay_follows_the_schedulers_factor_and_not_the_rate(cycle):
    p = weights(1.0)
    optimizer = slalom.optim.AdamW([p], lr=0.5, weight_decay=0.1, convention="paper")
    if cycle:
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=12, cycle_momentum=False)
    else:
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.1)
    expected = 1.0
    for _ in range(10):
        expected *= 1 - 0.1 * optimizer.param_groups[0]["lr"] / 0.5
        p.grad = torch.zeros_like(p)
        optimizer.step()
        scheduler.step()
    assert p.item() == pytest.approx(expected, rel=1e-12)


def test_closure_runs_with_gradients_and_its_loss_comes_back():
    p = weights(2.0)
    optimizer = slalom.optim.SGD([p], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (p**2).sum()
        loss.backward()
        return loss

    with torch.no_grad():
        assert optimizer.step(closure).item() == 4.0
    assert p.item() == 1.0
    assert optimizer.step() is None


def test_hooks_run_around_a_step():
    p = weights(1.0)
    p.grad = torch.ones_like(p)
    optimizer, seen = slalom.optim.SGD([p], lr=1.0), []
    optimizer.register_step_pre_hook(lambda *_: seen.append(p.item()))
    optimizer.register_step_post_hook(lambda *_: seen.append(p.item()))
    optimizer.step()
    assert seen == [1.0, 0.0]


def test_a_first_step_skipped_by_the_scaler_leaves_no_trace():
    # torch's fused SGD makes its buffer from memory as it was found (optimizers.md, 1c.1).
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    p, q = weights(1.0, dtype=torch.float32), weights(1.0, dtype=torch.float32)
    mine, torchs = slalom.optim.SGD([p], lr=0.1, momentum=0.9), torch.optim.SGD([q], lr=0.1, momentum=0.9)
    for factor in (float("inf"), 1.0, 2.0):
        mine.zero_grad()
        scaler.scale((p * factor).sum()).backward()
        scaler.step(mine)
        scaler.update()
        if factor < float("inf"):
            q.grad = torch.full_like(q, factor)
            torchs.step()
    assert torch.equal(p, q)
    assert mine.state[p]["step"] == 2


def test_sparse_gradients_are_refused_before_anything_moves():
    p, table = weights(1.0), nn.Embedding(5, 2, sparse=True)
    optimizer = slalom.optim.Adam([p, table.weight])
    (table(torch.tensor([1])).sum() + p.sum()).backward()
    with pytest.raises(BadValueError, match=r"Adam: the gradient of a parameter of shape \(5, 2\) must be dense"):
        optimizer.step()
    assert p.item() == 1.0


def test_errors_name_the_argument_its_range_and_the_group():
    p, q = weights(1.0), weights(2.0)
    adam = slalom.optim.Adam
    for kwargs, said in [
        ({"lr": -1}, r"Adam: lr must be in \[0, inf\), got -1.0$"),
        ({"lr": float("nan")}, r"lr must be in \[0, inf\), got nan"),
        ({"lr": "fast"}, r"lr must be a number in \[0, inf\), got 'fast'"),
        ({"betas": (0.9, 1.0)}, r"Adam: betas\[1\] must be in \[0, 1\), got 1.0$"),
        ({"betas": 0.9}, r"betas must be 2 numbers, got 0.9"),
        ({"amsgrad": 1}, r"amsgrad must be one of False, True, got 1"),
        ({"maximize": "yes"}, r"maximize must be True or False, got 'yes'"),
        ({"fused": True}, r"fused must be None, got True; .* leave it out"),
        ({"foreach": True}, r"foreach must be None, got True"),
        ({"capturable": True}, r"capturable must be False, got True"),
        ({"convention": "keras"}, r"Adam: convention must be one of 'torch', 'paper', 'tf', got 'keras'"),
    ]:
        with pytest.raises(BadValueError, match=said):
            adam([p], **kwargs)
    for group, said in [
        ({"lr": -1}, r"Adam: lr must be in \[0, inf\), got -1.0 \(parameter group 1\)"),
        ({"b1": 0.5}, r"key 'b1', which nothing reads; did you mean 'betas\[0\]'"),
        ({"convention": "keras"}, r"'torch', 'paper', 'tf', got 'keras' \(parameter group 1\)"),
        ({"weight_decy": 0}, r"key 'weight_decy', which nothing reads; did you mean 'weight_decay'"),
    ]:
        with pytest.raises(BadValueError, match=said):
            adam([{"params": [p]}, {"params": [q], **group}])
    assert adam([{"params": [p], "name": "head", "initial_lr": 1, "max_lr": 2}]).param_groups[0]["name"] == "head"
    optimizer = adam([{"params": [p]}, {"params": [q]}], fused=False, foreach=False)
    optimizer.param_groups[1]["eps"] = -1.0
    with pytest.raises(BadValueError, match=r"eps must be in \[0, inf\), got -1.0 \(parameter group 1\)"):
        optimizer.step()
    with pytest.raises(TypeError, match=r"Adam: .*'beta1'; it takes params, lr, betas"):
        adam([p], beta1=0.5)
