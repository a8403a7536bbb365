"""torch's schedulers, every kind, on our optimizers: the same rates, momenta and weights as on torch's; weight averages."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as lrs
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn, update_bn

import slalom.optim
from tests.optim.exam.infos import TWINS, class_of
from tests.optim.exam.tools import parameters, set_gradients

STEPS = 9
KINDS: dict[str, Callable[[Any], Any]] = {
    "LambdaLR": lambda o: lrs.LambdaLR(o, lambda e: 0.9**e),
    "MultiplicativeLR": lambda o: lrs.MultiplicativeLR(o, lambda e: 0.9),
    "StepLR": lambda o: lrs.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda o: lrs.MultiStepLR(o, [2, 5], 0.5),
    "ConstantLR": lambda o: lrs.ConstantLR(o, 0.5, 4),
    "LinearLR": lambda o: lrs.LinearLR(o, 0.25, 1.0, 5),
    "ExponentialLR": lambda o: lrs.ExponentialLR(o, 0.8),
    "PolynomialLR": lambda o: lrs.PolynomialLR(o, 8, 2.0),
    "CosineAnnealingLR": lambda o: lrs.CosineAnnealingLR(o, 8),
    "CosineAnnealingWarmRestarts": lambda o: lrs.CosineAnnealingWarmRestarts(o, 3, 2),
    "SequentialLR": lambda o: lrs.SequentialLR(o, [lrs.LinearLR(o, 0.1, 1.0, 3), lrs.ExponentialLR(o, 0.9)], [3]),
    "ChainedScheduler": lambda o: lrs.ChainedScheduler([lrs.ConstantLR(o, 0.5, 3), lrs.ExponentialLR(o, 0.9)]),
    "ReduceLROnPlateau": lambda o: lrs.ReduceLROnPlateau(o, factor=0.5, patience=1),
    "CyclicLR": lambda o: lrs.CyclicLR(o, 0.001, 0.02, 3, cycle_momentum=bool({"momentum", "betas"} & set(o.defaults))),
    "OneCycleLR": lambda o: lrs.OneCycleLR(
        o, 0.02, total_steps=STEPS + 1, cycle_momentum=bool({"momentum", "betas"} & set(o.defaults))
    ),
    "SWALR": lambda o: SWALR(o, 0.001, 4),
}
WITH_MOMENTUM = {"SGD": {"momentum": 0.9}, "RMSprop": {"momentum": 0.9}}


def trail(optimizer: Any, params: list[nn.Parameter], scheduler: Any, start: int = 0, steps: int = STEPS) -> list[Any]:
    """Each step's rate, momentum and first betas, and the weights at the end."""
    seen: list[Any] = []
    for i in range(start, start + steps):
        set_gradients(params, i)
        optimizer.step()
        told = (7.0,) if isinstance(scheduler, lrs.ReduceLROnPlateau) else ()
        scheduler.step(*told)
        seen += [(float(g["lr"]), g.get("momentum"), g.get("betas")) for g in optimizer.param_groups]
    return [seen, [p.detach().clone() for p in params]]


def built(cls: Any, name: str, kind: str, **kwargs: Any) -> tuple[Any, list[nn.Parameter], Any]:
    params = parameters((3,), (2, 2))
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": 0.03}]
    optimizer = cls(groups, **{"lr": 0.01, **WITH_MOMENTUM.get(name, {}), **kwargs})
    return optimizer, params, KINDS[kind](optimizer)


def test_every_kind_that_torch_has_is_here() -> None:
    classes = {n: c for n, c in vars(lrs).items() if inspect.isclass(c) and c.__module__ == lrs.__name__}
    has = {n for n, c in classes.items() if issubclass(c, lrs.LRScheduler)}
    unknown = has - set(KINDS) - {"LRScheduler", "_LRScheduler"}
    if unknown:
        pytest.skip(f"this torch has schedulers that the exam does not know: {sorted(unknown)}")


@pytest.mark.parametrize("kind", KINDS)
def test_rates_momenta_and_weights_are_those_of_torch(kind: str) -> None:
    for name in TWINS:
        mine, theirs = (trail(*built(c, name, kind)) for c in (class_of(name), getattr(torch.optim, name)))
        assert mine[0] == theirs[0], name
        for p, q in zip(mine[1], theirs[1], strict=True):
            torch.testing.assert_close(p, q, rtol=1e-6 if name == "NAdam" else 1e-11, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_that_torch_lacks_gets_the_rates_of_torch_sgd(kind: str) -> None:
    theirs = [r for r, *_ in trail(*built(torch.optim.SGD, "SGD", kind))[0]]
    for name in ("Lion", "NAG"):
        assert [r for r, *_ in trail(*built(class_of(name), name, kind))[0]] == theirs


@pytest.mark.parametrize("kind", ["OneCycleLR", "ReduceLROnPlateau", "SequentialLR", "CyclicLR", "CosineAnnealingWarmRestarts"])
def test_a_saved_schedule_goes_on_where_it_was(kind: str) -> None:
    whole = trail(*built(slalom.optim.AdamW, "AdamW", kind))
    optimizer, params, scheduler = built(slalom.optim.AdamW, "AdamW", kind)
    first = trail(optimizer, params, scheduler, 0, 4)
    saved = deepcopy((optimizer.state_dict(), scheduler.state_dict(), [p.detach().clone() for p in params]))
    optimizer, params, scheduler = built(slalom.optim.AdamW, "AdamW", kind)
    with torch.no_grad():
        for p, q in zip(params, saved[2], strict=True):
            p.copy_(q)
    optimizer.load_state_dict(saved[0])
    scheduler.load_state_dict(saved[1])
    rest = trail(optimizer, params, scheduler, 4, STEPS - 4)
    assert first[0] + rest[0] == whole[0]
    assert all(map(torch.equal, rest[1], whole[1]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_tensor_rate_is_filled_in_place_and_counts(kind: str) -> None:
    if kind == "ReduceLROnPlateau":
        # torch puts a float in the tensor's place; either is read
        optimizer, params, scheduler = built(slalom.optim.SGD, "Lion", kind, lr=torch.tensor(0.01, dtype=torch.float64))
        trail(optimizer, params, scheduler)
        assert float(optimizer.param_groups[0]["lr"]) < 0.01
        return
    results = []
    for lr in (0.01, torch.tensor(0.01, dtype=torch.float64)):
        (p,) = parameters((3,))
        optimizer = slalom.optim.Adam([p], lr=lr)
        results.append(trail(optimizer, [p], KINDS[kind](optimizer)))
        assert optimizer.param_groups[0]["lr"] is lr or isinstance(lr, float)
    assert [r for r, *_ in results[0][0]] == pytest.approx([r for r, *_ in results[1][0]], rel=1e-12)
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("average", [None, get_ema_multi_avg_fn(0.9)], ids=["swa", "ema"])
def test_averaged_models_follow_and_batch_norm_is_refreshed(average: Any) -> None:
    ends = []
    for cls in (slalom.optim.SGD, torch.optim.SGD):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).double()
        data = [torch.randn(6, 3, dtype=torch.float64) for _ in range(6)]
        optimizer = cls(net.parameters(), lr=0.1, momentum=0.9)
        averaged, scheduler = AveragedModel(net, multi_avg_fn=average), SWALR(optimizer, 0.05, 3)
        for x in data:
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()
            averaged.update_parameters(net)
            scheduler.step()
        update_bn(data, averaged)
        ends.append(averaged(data[0]).detach())
        assert not torch.equal(next(averaged.parameters()), next(net.parameters()))
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-11, atol=1e-12)


def test_stepping_the_schedule_first_is_warned_of_as_in_torch() -> None:
    (p,) = parameters((2,))
    optimizer = slalom.optim.Adam([p])
    scheduler = lrs.StepLR(optimizer, 1)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()
