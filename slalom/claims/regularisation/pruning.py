"""R10: how much of a trained network can go."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from slalom import nets, optim
from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below, control
from slalom.claims.lab.tasks import digits
from slalom.claims.outcome import Lines, Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T

SHARES = (0.5, 0.8, 0.9, 0.95)


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
        switch=T("the share that is pruned", "剪枝比例"),
    )
)  # fmt: skip
def r10(plan: Plan) -> Outcome:
    lost: dict[float, list[float]] = {s: [] for s in SHARES}
    raw = []
    for seed in plan.seeds:
        whole, _ = _trained(seed, 0.0)
        for share in SHARES:
            after, before = _trained(seed, share)
            lost[share].append(100 * (whole - after))
            if share == 0.95:
                raw.append(100 * (whole - before))
    lines = Lines(
        SHARES,
        {"accuracy lost": tuple(float(np.mean(v)) for v in lost.values())},
        ("share pruned", "剪枝比例"),
        ("percentage points", "百分点"),
    )
    effects = {f"{100 * s:.0f}": tuple(lost[s]) for s in (0.5, 0.8, 0.95)}
    return Outcome({**effects, "95 raw": tuple(raw)}, lines=lines)


def _trained(seed: int, share: float) -> tuple[float, float]:
    """Test accuracy after pruning and training on, and right after pruning."""
    task = digits((64,))
    torch.manual_seed(seed)
    net = task.make()
    g = torch.Generator().manual_seed(seed)

    def steps(n: int) -> float:
        optimizer = optim.Adam(net.parameters(), lr=3e-3)
        for _ in range(n):
            rows = torch.randperm(len(task.x), generator=g)[:64]
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(task.x[rows]), task.y[rows]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return accuracy()

    def accuracy() -> float:
        with torch.no_grad():
            return float((net(task.test_x).argmax(1) == task.test_y).double().mean())

    steps(300)
    if share:
        nets.prune(net, share)
    before = accuracy()
    return steps(150), before
