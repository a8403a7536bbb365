"""A7: units that are off for good."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above
from slalom.claims.lab.tasks import digits
from slalom.claims.lab.training import told, train
from slalom.claims.outcome import Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T
from slalom.engines.lanes import lanes_of


@experiment(
    Claim(
        "A7", T("ReLU units die, mainly through initialisation.", "ReLU 单元会死亡，主要由初始化造成。"),
        T("Lu et al. 2019: deep networks are born dead with a chance that grows with depth.", "Lu 等 2019：网络越深，一出生就"
        "死亡的概率越大。"),
        T("Digits, five hidden layers of 32, momentum .9, pixels from 0 to 1 and standardised: share of units that are off "
        "for every "
          "training digit, at initialisation, and after 300 steps at lr .18. Mainly by initialisation: more than half of "
          "these.",
          "手写数字，五个 32 宽隐层，动量 0.9，像素取 0 到 1 或标准化：对所有训练样本都关闭的单元比例，分别在初始化时与 lr = "
          "0.18 "
          "训练 300 步后。“主要由初始化造成”指前者超过后者的一半。"),
        (above("high", T("share off after lr .18, pixels 0 to 1", "lr = 0.18 训练后关闭的比例，像素 0 到 1"), 0.1),
         above("birth", T("share off at birth minus half that after lr .18, pixels 0 to 1",
                          "初始化时关闭的比例减去训练后的一半，像素 0 到 1")),
         above("centred", T("share off at birth minus half that after lr .18, standardised",
                            "初始化时关闭的比例减去训练后的一半，标准化"))),
        erratum=T("With pixels from 0 to 1 some units are born dead and as many die in training; with standardised inputs "
            "training at a "
                  "large rate kills most. Initialisation takes over in very deep, narrow networks.",
                  "像素取 0 到 1 时，一部分单元生来就死，另有同样多的在训练中死去；输入标准化后，多数死于大学习率的训练。在很"
                  "深很窄的"
                  "网络中，初始化才成为主因。"),
        switch=T("the half of the sentence: units do die; that initialisation is the main cause is not seen at this depth",
                 "看句子的哪一半：单元确实会死；“主要由初始化造成”在这一深度上没有见到"), prototype="fails",
        note=T("The prototype judged the second half alone, which fails here as well.",
               "原型只判断了后半句，它在这里同样不成立。"),
    )
)  # fmt: skip
def a7(plan: Plan) -> Outcome:
    off = {(c, s): np.array(dead(plan, 0.18, steps=s, centred=c)) for c in (False, True) for s in (0, 300)}
    effects = {
        "high": told(off[False, 300]), "birth": told(off[False, 0] - off[False, 300] / 2),
        "centred": told(off[True, 0] - off[True, 300] / 2),
    }  # fmt: skip
    names = {
        (False, 0): "at birth",
        (False, 300): "trained",
        (True, 0): "at birth, standardised",
        (True, 300): "trained, standardised",
    }
    return Outcome(effects, settings={name: round(float(off[key].mean()), 3) for key, name in names.items()})


def dead(plan: Plan, lr: float, steps: int, centred: bool) -> tuple[float, ...]:
    """Share of ReLU units that are 0 on every training digit, by seed, after so many steps."""
    task = digits((32,) * 5, steps=max(steps, 1), standardised=centred)
    if steps:
        lanes = train(task, lanes_of("momentum", lr=lr, seed=list(plan.seeds))).lanes
        nets_ = [lanes.module(i) for i in range(len(lanes))]
    else:
        nets_ = []
        for seed in plan.seeds:
            torch.manual_seed(seed)
            nets_.append(task.make())
    return tuple(float(torch.cat(off(net, task.x)).double().mean()) for net in nets_)


def off(net: nn.Module, x: Tensor) -> list[Tensor]:
    """For each hidden unit whether it is below zero for every input."""
    made = []
    with torch.no_grad():
        for layer in net.children():
            if not isinstance(layer, nn.Linear):
                made.append((x <= 0).all(0))
            x = layer(x)
    return made
