"""R10: how much of a trained network can go."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn

from slalom import nets, optim
from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below, control
from slalom.claims.lab.tasks import digits
from slalom.claims.lab.training import batches, right
from slalom.claims.outcome import Lines, Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T

SHARES = (0.5, 0.8, 0.95)


@experiment(
    Claim(
        "R10", T("Pruning makes the network smaller at no loss.", "剪枝能在不损失精度的情况下缩小网络。"), T(
        "Han et al. 2015: nine times smaller AlexNet.", "Han 等 2015：AlexNet 缩小 9 倍。"),
        T("Digits, MLP 64-64-10 trained for 300 steps of Adam, then magnitude pruning of a share of the weights and 150 "
        "steps more: accuracy lost against as long a training without. No loss: less than one "
          "percentage point.",
          "手写数字，MLP 64-64-10，Adam 训练 300 步，按幅值剪去一定比例的权重再训练 150 步：与同样长但不剪枝的训练相比损失的"
          "准确率。“不损失”指少于一个百分点。"),
        (below("50", T("accuracy lost, half pruned, percentage points", "准确率损失，剪去一半，百分点"), 1.0),
         below("80", T("accuracy lost, 80 % pruned, percentage points", "准确率损失，剪去 80%，百分点"), 1.0),
         below("95", T("accuracy lost, 95 % pruned, percentage points", "准确率损失，剪去 95%，百分点"), 1.0),
         control(above("95 raw", T("accuracy lost, 95 % pruned, before training on, percentage points",
             "准确率损失，剪去 95% 且未再训练，百分点"), 5.0))),
        switch=T("the share that is pruned", "剪枝比例"), seeds=4,
    )
)  # fmt: skip
def r10(plan: Plan) -> Outcome:
    lost: dict[float, list[float]] = {s: [] for s in SHARES}
    raw = []
    for seed in plan.seeds:
        torch.manual_seed(seed)
        net = digits((64,)).make()
        steps(net, 300, seed)
        whole = copy.deepcopy(net)
        steps(whole, 150, seed + 1000)
        for share in SHARES:
            pruned = copy.deepcopy(net)
            nets.prune(pruned, share)
            if share == SHARES[-1]:
                raw.append(100 * (accuracy(whole) - accuracy(pruned)))
            steps(pruned, 150, seed + 1000)
            lost[share].append(100 * (accuracy(whole) - accuracy(pruned)))
    means = tuple(float(np.mean(v)) for v in lost.values())
    lines = Lines(SHARES, {"accuracy lost": means}, ("share pruned", "剪枝比例"), ("percentage points", "百分点"))
    return Outcome({**{f"{100 * s:.0f}": tuple(v) for s, v in lost.items()}, "95 raw": tuple(raw)}, lines=lines)


def steps(net: nn.Module, n: int, seed: int) -> None:
    """Trains on with Adam; what is pruned stays so."""
    task = digits((64,))
    optimizer = optim.Adam(net.parameters(), lr=3e-3)
    for rows in batches(len(task.x), 64, n, [seed]):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(task.x[rows[0]]), task.y[rows[0]]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def accuracy(net: nn.Module) -> float:
    """On the test part."""
    task = digits((64,))
    with torch.no_grad():
        return float(right(net(task.test_x), task.test_y))
