"""Nothing moved: the quick look and the slow one see the same, whatever is changed behind the optimizer's back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import slalom.optim
from slalom.core.rule import REGISTRY
from slalom.engines import fused, layout
from slalom.engines.optimizer import RuleOptimizer
from slalom.engines.printers.c import c_body
from slalom.engines.printers.host import HostTape
from slalom.engines.printers.tree import program
from tests.engines import test_fused_engine
from tests.engines.kernels.lanes import variants

quick = pytest.mark.parametrize("quick", [True, False], ids=["quick", "slow"])


@pytest.fixture(autouse=True)
def choose(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "quick" in request.fixturenames and not request.getfixturevalue("quick"):
        monkeypatch.setattr(fused, "hooks", lambda: None)


def made(count: int = 3) -> tuple[list[nn.Parameter], RuleOptimizer]:
    params = [nn.Parameter(torch.full((2, 3), float(k))) for k in range(count)]
    optimizer = slalom.optim.Adam(params)
    for _ in range(3):
        for p in params:
            p.grad = torch.ones_like(p)
        optimizer.step()
    return params, optimizer


def plan_of(optimizer: RuleOptimizer) -> fused.Plan:
    (plan,) = optimizer.__dict__["_plans"].values()
    return plan


def look(table: fused.Table, grads: list[torch.Tensor]) -> bool | None:
    assert table._watch is not None
    return table._watch.take(grads, table._gradients, table._read_at, table._begin, table._end)


def test_this_torch_has_the_hooks() -> None:
    assert layout.hooks() is not None


@quick
def test_a_plan_serves_while_nothing_moves(quick: bool) -> None:
    params, optimizer = made()
    plan = plan_of(optimizer)
    (table,) = plan.tables
    assert (table._watch is not None) == quick
    for k in range(4):
        for p in params:
            p.grad = torch.randn(2, 3)
        if k == 2:
            params[0].grad = params[1].grad  # shared
        if k == 3:
            params[0].requires_grad_(False)
        optimizer.step()
        assert plan_of(optimizer) is plan
    if quick:
        assert table._watch is not None
        assert look(table, [torch.randn(2, 3) for _ in params]) is True
        assert look(table, [torch.randn(2, 3), torch.randn(2, 3).to_sparse(), torch.randn(2, 3)]) is None


CHANGES: dict[str, Callable[[list[nn.Parameter], RuleOptimizer], object]] = {
    "a state replaced": lambda ps, o: o.state[ps[1]].update(exp_avg=torch.ones(2, 3)),
    "a state's data replaced": lambda ps, o: setattr(o.state[ps[1]]["exp_avg_sq"], "data", torch.ones(2, 3)),
    "a state added": lambda ps, o: o.state[ps[2]].update(mine=torch.ones(1)),
    "a state's order": lambda ps, o: o.state[ps[2]].update(exp_avg=o.state[ps[2]].pop("exp_avg")),
    "states swapped": lambda ps, o: [
        o.state[ps[0]].update(exp_avg=o.state[ps[1]]["exp_avg"]), o.state[ps[1]].update(exp_avg=torch.zeros(2, 3)),
    ],
    "a count replaced": lambda ps, o: o.state[ps[0]].update(step=torch.tensor(9.0)),
    "a parameter's data replaced": lambda ps, o: setattr(ps[0], "data", torch.ones(2, 3)),
    "a parameter turned": lambda ps, o: [
        setattr(ps[0], "data", ps[0].data.view(3, 2).t()), setattr(ps[0], "grad", torch.ones(2, 3)),
    ],
    "a parameter shortened": lambda ps, o: o.state.pop(ps[0]) and [
        setattr(ps[0], "data", ps[0].data[:1]), setattr(ps[0], "grad", torch.ones(1, 3)),
    ],
    "a gradient that is the state": lambda ps, o: setattr(ps[0], "grad", o.state[ps[0]]["exp_avg"]),
    "a gradient with gaps": lambda ps, o: setattr(ps[0], "grad", torch.ones(2, 6)[:, ::2]),
    "a gradient that is turned": lambda ps, o: setattr(ps[0], "grad", torch.ones(3, 2).t()),
    "a gradient negated where it lies": lambda ps, o: setattr(ps[0], "grad", torch._neg_view(ps[0].grad)),
}  # fmt: skip


@quick
@pytest.mark.parametrize("change", CHANGES)
def test_what_moves_is_noticed(change: str, quick: bool) -> None:
    params, optimizer = made()
    others, plain = made()
    before = plan_of(optimizer)
    for ps, o in ((params, optimizer), (others, plain)):
        for p in ps:
            p.grad = torch.full_like(p, 0.5)
        CHANGES[change](ps, o)
    grads = [p.grad for p in params]
    assert not before.fits(before.settings, params, grads, optimizer.state), change
    optimizer.step()
    plain.__dict__["_plans"].clear()  # made anew, nothing is known from before
    plain.step()
    for p, q in zip(params, others, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-7)


@quick
def test_a_sparse_gradient_in_a_dense_ones_place_is_noticed(quick: bool) -> None:
    params, optimizer = made()
    plan = plan_of(optimizer)
    grads = [torch.ones(2, 3), torch.ones(2, 3).to_sparse(), torch.ones(2, 3)]
    assert not plan.fits(plan.settings, params, grads, optimizer.state)


def test_without_the_hooks_the_engine_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "hooks", lambda: None)
    test_fused_engine.test_memory_that_moves_is_noticed()
    test_fused_engine.test_the_gradient_may_be_the_parameter_or_shared_or_negated()
    test_fused_engine.test_what_the_user_keeps_in_a_state_does_no_harm()
    test_fused_engine.test_dense_layouts_shared_by_all_are_fused_and_others_are_not()


def test_coefficients_in_python_are_numpys() -> None:
    for settings in variants(product=False):
        read = program(settings)
        if read.windowed:
            continue
        tape = HostTape(read, c_body(read).coefficients)
        scalars = dict.fromkeys(read.scalar_states, 0.7)
        for t in (1.0, 7.0, 1000.0):
            one, run = tape.one(settings.values, t, scalars), tape.run(settings.values, t, scalars)
            assert one is not None
            # 1 - b2**t, and more so RAdam, subtract nearly equal numbers, in which a last place of the power shows.
            np.testing.assert_allclose(one, [float(x) for x in run], rtol=1e-10 if settings.rule.name == "radam" else 1e-12)


def test_what_python_cannot_divide_is_left_to_numpy() -> None:
    read = program(REGISTRY["adam"](b1=0.5))
    tape = HostTape(read, c_body(read).coefficients)
    assert tape.one(read.settings.values, 1.0, {}) is not None
    assert tape.one({**read.settings.values, "b1": 1.0}, 1.0, {}) is None  # 1 / (1 - b1**t)
    assert tape.one({**read.settings.values, "lr": np.float64(0.1)}, 1.0, {}) is None  # not a plain float


LISTS: dict[str, Callable[[list[nn.Parameter], RuleOptimizer], object]] = {
    "a parameter in another's place": lambda ps, o: o.param_groups[0]["params"].__setitem__(1, spare(0.0)),
    "a state's dict replaced": lambda ps, o: o.state.update(
        {ps[1]: {k: x.clone() + (k == "exp_avg") for k, x in o.state[ps[1]].items()}}
    ),
    "parameters in another order": lambda ps, o: o.param_groups[0]["params"].reverse(),
    "one more parameter": lambda ps, o: o.param_groups[0]["params"].append(spare(1.0)),
    "a gradient gone": lambda ps, o: setattr(ps[1], "grad", None),
    "a state gone": lambda ps, o: o.state.pop(ps[2]),
}


def spare(value: float) -> nn.Parameter:
    p = nn.Parameter(torch.full((2, 3), value))
    p.grad = torch.full((2, 3), 0.5)
    return p


@quick
@pytest.mark.parametrize("change", LISTS)
def test_what_is_listed_otherwise_is_noticed(change: str, quick: bool) -> None:
    found = []
    for afresh in (False, True):
        params, optimizer = made()
        for p in params:
            p.grad = torch.full_like(p, 0.5)
        LISTS[change](params, optimizer)
        if afresh:
            optimizer.__dict__["_plans"].clear()
        optimizer.step()
        now = optimizer.param_groups[0]["params"]
        found.append([x.detach().clone() for p in (*params, *now) for x in (p, *optimizer.state.get(p, {}).values())])
    assert len(found[0]) == len(found[1])
    assert all(map(torch.equal, *found))
