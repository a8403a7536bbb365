"""O2, O5, O6: stochastic against batch gradient descent on one convex problem, and what the schedule makes of it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below, control
from slalom.claims.lab.training import batches, told
from slalom.claims.outcome import Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T
from slalom.data import load
from slalom.engines.lanes import Lanes, lanes_of
from slalom.engines.lanes.lane import Schedule
from slalom.schedules import InverseTimeDecay, StepDecay

DECAY, PASSES, ROWS = 0.1, 20, 150


@lru_cache(maxsize=1)
def problem() -> tuple[Tensor, Tensor, float]:
    """3 against 8 among the digits: inputs, targets 0/1, and the least value of the regularised loss."""
    data = load("digits", scale=False)
    x = torch.cat([p.x for p in (data.train, data.val, data.test)]).reshape(-1, 64) / 16
    y = torch.cat([p.y for p in (data.train, data.val, data.test)])
    rows = torch.nonzero((y == 3) | (y == 8))[:ROWS, 0]
    x, y = x[rows].double(), (y[rows] == 8).double()[:, None]
    net = nn.Linear(64, 1).double()
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=500, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = objective(net, x, y)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return x, y, float(objective(net, x, y).detach())


def objective(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy with the L2 term that `weight_decay` is."""
    l2 = sum((p * p).sum() for p in net.parameters())
    return nn.functional.binary_cross_entropy_with_logits(net(x), y) + DECAY / 2 * l2


Setting = tuple[float, Schedule | None]


@lru_cache(maxsize=8)
def gaps(settings: tuple[Setting, ...], passes: int, plan: Plan, full: bool = False) -> np.ndarray:
    """Height above the least value after `passes` over the data, `[settings, seeds]`; batches of one, or of all."""
    x, y, least = problem()
    seeds = list(plan.seeds)
    many = [lane for lr, s in settings for lane in lanes_of("sgd", lr=lr, seed=seeds, weight_decay=DECAY, schedule=s)]
    n = len(x)
    made = Lanes(
        lambda: nn.Linear(64, 1), many, loss=lambda o, t: nn.functional.binary_cross_entropy_with_logits(o, t),
        example=(x[:1], y[:1]), dtype=torch.float64, chunk=len(many),
    )  # fmt: skip
    steps = [torch.arange(n)] * passes if full else batches(n, 1, passes * n, seeds * len(settings))
    made.epoch(x, y, steps)
    found = [float(objective(made.module(i), x, y).detach()) - least for i in range(len(many))]
    return np.where(np.isfinite(found), np.maximum(found, 1e-12), 1e3).reshape(len(settings), len(seeds))


@lru_cache(maxsize=2)
def ends(plan: Plan) -> dict[str, np.ndarray]:
    """Heights `[seeds]` after 20 passes under each schedule, and of batch descent after 2000 steps."""
    schedules: dict[str, Setting] = {
        "constant": (0.05, None), "slightly": (0.05, StepDecay(0.5, every=PASSES * ROWS / 2)),
        "slowly": (0.2, InverseTimeDecay(4 / ROWS)),
    }  # fmt: skip
    table = gaps(tuple(schedules.values()), PASSES, plan)
    batch = gaps(((0.3, None),), 2000, Plan(1), True)
    return {**dict(zip(schedules, np.log10(table), strict=True)), "batch": np.log10(batch[0])}


def tuned(table: np.ndarray) -> np.ndarray:
    """Each seed at the rate that the other set of seeds finds best."""
    half = table.shape[1] // 2
    best = [int(np.argmin(table[:, half:].mean(1)))] * half + [int(np.argmin(table[:, :half].mean(1)))] * half
    return np.array([table[k, s] for s, k in enumerate(best)])


@experiment(
    Claim(
        "O2",
        T("Batch gradient descent is slow and redundant; SGD is quicker and can learn on-line.",
          "批量梯度下降缓慢且有冗余计算；SGD 更快，并能在线学习。"),
        T("Bottou & Bousquet 2008.", "Bottou 与 Bousquet 2008。"),
        T("Logistic regression, 150 digits, 3 against 8, L2 .1, tuned rates: height above the minimum after 5 passes of SGD "
          "(batch 1) and after 5 of batch descent.",
          "逻辑回归区分 150 个手写数字 3 与 8，L2 为 0.1，学习率各自调好：SGD（批量 1）与批量梯度下降各走 5 遍数据后高于最小"
          "值的量。"),
        (above("gain", T("log10 of batch descent's height over SGD's, 5 passes each", "各走 5 遍后批量下降与 SGD 高度之比的常"
            "用对数")),),
        prototype="holds",
    )
)  # fmt: skip
def o2(plan: Plan) -> Outcome:
    sgd = gaps(tuple((lr, None) for lr in (0.01, 0.03, 0.1, 0.3)), 5, plan)
    batch = gaps(tuple((lr, None) for lr in (0.1, 0.2, 0.3, 0.5, 0.7)), 5, plan, True)
    return Outcome({"gain": told(np.log10(tuned(batch) / tuned(sgd)))})


@experiment(
    Claim(
        "O5",
        T("SGD ends less accurate than batch gradient descent.", "SGD 最终不如批量梯度下降精确。"),
        T("At a constant rate SGD ends on a floor proportional to the rate; with a rate that falls as 1/t it does not "
        "(Robbins & Monro 1951).",
          "学习率恒定时，SGD 停在与学习率成正比的噪声底上；按 1/t 下降时则不会（Robbins 与 Monro 1951）。"),
        T("As O2, 20 passes at lr .05, and at lr .2 falling as 1/t; batch descent 2000 steps. Less accurate: ends more than "
        "3e-4 "
          "above the minimum.",
          "同 O2，走 20 遍数据，学习率恒为 0.05，或从 0.2 起按 1/t 下降；批量下降 2000 步。“不够精确”指最终高于最小值 3e-4 以"
          "上。"),
        (above("constant .05", T("log10 height, constant lr .05", "高度的常用对数，恒定学习率 0.05"), -3.5),
         above("inverse", T("log10 height, lr .2 falling as 1/t", "高度的常用对数，学习率 0.2 按 1/t 下降"), -3.5),
         control(below("batch", T("log10 height, batch descent", "高度的常用对数，批量下降"), -3.5))),
        switch=T("the schedule: at a constant rate it does, with a rate that falls it does not",
            "学习率计划：恒定时成立，下降时不成立"),
        prototype="depends",
    )
)  # fmt: skip
def o5(plan: Plan) -> Outcome:
    table = ends(plan)
    effects = {"constant .05": told(table["constant"]), "inverse": told(table["slowly"]), "batch": (float(table["batch"].max()),)}
    return Outcome(effects)


@experiment(
    Claim(
        "O6",
        T("When the learning rate is slightly reduced, SGD converges like batch gradient descent.", "只要把学习率稍稍降低，"
        "SGD 就能像批量梯度下降那样收敛。"),
        T("Ruder 2016 says \"slowly decreased\", not \"slightly\"; Robbins & Monro 1951: the rates must sum to infinity, "
        "their squares not.",
          "Ruder 2016 的原话是“缓慢降低”，而非“稍稍降低”；Robbins 与 Monro 1951：学习率之和发散，平方和收敛。"),
        T("As O5, lr .05: halved once half-way (slightly); lr .2 falling as 1/t (slowly). Like batch "
          "descent: ends less than 3e-4 above the minimum.",
          "同 O5，lr = 0.05 中途减半一次（稍稍）；lr = 0.2 按 1/t 下降（缓慢）。“像批量下降”指最终高于最小值不足 3e-4。"),
        (below("slightly", T("log10 height, halved once", "高度的常用对数，减半一次"), -3.5),
         below("slowly", T("log10 height, falling as 1/t", "高度的常用对数，按 1/t 下降"), -3.5)),
        erratum=T("\"Slightly\" is a slip for \"slowly\". Halved once, the floor remains.",
                  "“稍稍”是“缓慢”的笔误。只减半一次，噪声底仍在。"),
        switch=T("slightly or slowly", "“稍稍”还是“缓慢”"),
        prototype="depends",
    )
)  # fmt: skip
def o6(plan: Plan) -> Outcome:
    table = ends(plan)
    return Outcome({"slightly": told(table["slightly"]), "slowly": told(table["slowly"])})
