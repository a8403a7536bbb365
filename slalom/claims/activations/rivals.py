"""A4, A6, A8 to A10, A12: one activation against another."""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from slalom import nets
from slalom.claims.activations.dead import dead
from slalom.claims.activations.vanishing import first_to_last
from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below, control, within
from slalom.claims.lab.tasks import digits, spirals
from slalom.claims.lab.training import Sweep, percent, sweep, told, train
from slalom.claims.outcome import Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T
from slalom.engines.lanes import lanes_of


@lru_cache(maxsize=16)
def deep(plan: Plan, act: str, default: bool = False) -> Sweep:
    """Standardised digits, five hidden layers of 32, momentum, 300 steps; initialised for the activation, or as torch does."""
    task = digits((32,) * 5, act, standardised=True)

    def make() -> nn.Module:
        made = task.make()
        if not default:
            nets.initialise(made)
        return made

    return sweep(task, "momentum", [0.03, 0.1] if default else [0.003, 0.01, 0.03], plan, make)


@lru_cache(maxsize=16)
def wound(plan: Plan, act: str) -> Sweep:
    """Spirals, eight hidden layers of 24, Adam, 500 steps."""
    return sweep(spirals((24,) * 6, act, steps=400), "adam", [0.003, 0.01], plan)


COSTLY = ("sigmoid", "tanh", "gelu", "elu")


@experiment(
    Claim(
        "A4", T("exp is costly, so that sigmoid and tanh are slower than ReLU.", "指数运算昂贵，所以 sigmoid 和 tanh 比 ReLU "
        "慢。"), T("Prototype: 2 to 14 times for the operation alone.", "原型：仅算子本身慢 2–14 倍。"),
        T("Time of the operation over ReLU's, interleaved, least of repeats, measured anew for each seed: forward alone, and "
        "forward with "
          "backward.",
          "单个算子的时间与 ReLU 之比，交错重复取最小，每个种子重新测量：仅前向，以及前向加反向。"),
        (*(above(f"{a}, forward", T(f"time over ReLU's, {a}, forward", f"耗时与 ReLU 之比，{a}，前向"), 1.2) for a in COSTLY),
         *(above(a, T(f"time over ReLU's, {a}, forward and backward", f"耗时与 ReLU 之比，{a}，前向加反向"), 1.2)
           for a in COSTLY)),
        switch=T("the activation, and whether the backward pass is counted, which needs no exp again",
                 "激活函数，以及是否计入反向传播（反向无需重算指数）"),
        prototype="holds",
        note=T("The prototype timed the forward pass alone, and its tanh was many times slower; torch's is vectorised on "
            "this "
               "processor.", "原型只测了前向，且当时的 tanh 慢许多倍；在这台处理器上 torch 的 tanh 已向量化。"),
    )
)  # fmt: skip
def a4(plan: Plan) -> Outcome:
    return Outcome({**{f"{a}, forward": forward(a, plan) for a in COSTLY}, **{a: cost(a, plan) for a in COSTLY}})


def forward(act: str, plan: Plan) -> tuple[float, ...]:
    """Forward of the operation over ReLU's on a quarter of a million numbers."""
    x, made = torch.randn(262_144), []
    every = (nets.activation("relu"), nets.activation(act))
    with torch.no_grad():
        for _ in plan.seeds:
            least = [float("inf")] * 2
            for _ in range(15):
                for k, module in enumerate(every):
                    started = time.perf_counter()
                    module(x)
                    least[k] = min(least[k], time.perf_counter() - started)
            made.append(least[1] / least[0])
    return tuple(made)


@experiment(
    Claim(
        "A6", T("ReLU's slope of 1 eases vanishing gradients, so that networks train faster.",
                "ReLU 的斜率为 1，缓解梯度消失，训练更快。"),
        T("Glorot, Bordes & Bengio 2011.", "Glorot、Bordes 与 Bengio 2011。"),
        T("Standardised digits, five hidden layers of 32, momentum, tuned, 300 steps: test accuracy of ReLU minus the "
        "sigmoid's, from "
          "torch's initialisation and from one with each activation's own gain; gradient of the first over the last layer.",
          "标准化的手写数字，五个 32 宽隐层，动量，已调参，300 步：ReLU 减 sigmoid 的测试准确率，分别从 torch 的初始化与按各"
          "激活自身增益的"
          "初始化出发；以及首末层梯度之比。"),
        (above("accuracy", T("test accuracy, torch's initialisation, percentage points",
            "测试准确率，torch 的初始化，百分点")),
         above("gradient", T("log10 of first over last gradient, ReLU minus sigmoid", "首末层梯度之比的常用对数，ReLU 减 "
             "sigmoid")),
         above("gain", T("test accuracy, each with its own gain, percentage points", "测试准确率，各用自身增益，百分点"))),
        switch=T("the initialisation: with its own gain the sigmoid trains as well at this depth",
                 "初始化：用上自身的增益后，sigmoid 在这一深度训练得一样好"),
        note=T("The prototype used one initialisation for both, which suits ReLU; there the claim holds here too.",
               "原型对两者使用同一种适合 ReLU 的初始化；在那种情形下命题在这里也成立。"), prototype="holds",
    )
)  # fmt: skip
def a6(plan: Plan) -> Outcome:
    made = {}
    for act in ("relu", "sigmoid"):
        task = digits((32,) * 5, act, standardised=True)
        made[act] = np.array([first_to_last(task.make, task, s) for s in plan.seeds])
    effects = {
        "accuracy": told(percent(deep(plan, "relu", True)) - percent(deep(plan, "sigmoid", True))),
        "gradient": told(made["relu"] - made["sigmoid"]),
        "gain": told(percent(deep(plan, "relu")) - percent(deep(plan, "sigmoid"))),
    }  # fmt: skip
    return Outcome(effects)


@experiment(
    Claim(
        "A8", T("Leaky ReLU cures dying units, is slower, and is better - though not always.",
                "Leaky ReLU 能治死亡单元，更慢，效果更好（但不总是）。"),
        T("Maas et al. 2013; Xu et al. 2015.", "Maas 等 2013；Xu 等 2015。"),
        T("Standardised digits, five hidden layers of 32, momentum .9: share of ReLU units off for every digit after 300 "
        "steps at lr .18 "
          "(a leaky unit always has a slope); time of the operation; test accuracy of leaky (.01) minus ReLU at lr .18, and "
          "tuned on "
          "digits and spirals.",
          "标准化的手写数字，五个 32 宽隐层，动量 0.9：lr = 0.18 训练 300 步后对所有样本都关闭的 ReLU 单元比例（leaky 单元总"
          "有斜率）；"
          "算子耗时；lr = 0.18 时 leaky（0.01）减 ReLU 的测试准确率，以及手写数字与双螺旋上调参后的差值。"),
        (above("dead", T("share of units that leaky cures at lr .18", "lr = 0.18 时 leaky 治好的单元比例"), 0.05),
         above("cost", T("time over ReLU's, forward and backward", "耗时与 ReLU 之比，前向加反向"), 1.0),
         above("high rate", T("test accuracy at lr .18, leaky minus ReLU, percentage points", "lr = 0.18 的测试准确率，leaky "
             "减 ReLU，百分点")),
         above("digits", T("test accuracy, tuned, digits, percentage points", "测试准确率，已调参，手写数字，百分点")),
         above("spirals", T("test accuracy, tuned, spirals, percentage points", "测试准确率，已调参，双螺旋，百分点"))),
        erratum=T("One text gives the slope as .01 and as .1 in the same sentence; .01 is meant.",
                  "某文在同一句中把斜率写成 0.01 又写成 0.1；应为 0.01。"),
        switch=T("cured and slower, yes; better, not here", "“治好”和“更慢”成立；“更好”在这里不成立"), prototype="depends",
    )
)  # fmt: skip
def a8(plan: Plan) -> Outcome:
    high = {}
    for act in ("relu", "leaky_relu"):
        task = digits((32,) * 5, act, standardised=True)
        high[act] = 100 * train(task, lanes_of("momentum", lr=0.18, seed=list(plan.seeds))).accuracy
    effects = {"dead": dead(plan, 0.18, 300, True), "cost": cost("leaky_relu", plan)}
    effects["high rate"] = told(high["leaky_relu"] - high["relu"])
    effects["digits"] = told(percent(deep(plan, "leaky_relu")) - percent(deep(plan, "relu")))
    effects["spirals"] = told(percent(wound(plan, "leaky_relu")) - percent(wound(plan, "relu")))
    return Outcome(effects)


@experiment(
    Claim(
        "A9", T("ELU's mean is near 0, it learns faster, does not die, saturates on the left, and costs more.",
        "ELU 的均值接近 0，学习更快，不会死亡，左侧饱和，计算更贵。"), T("Clevert, Unterthiner & Hochreiter 2016.",
        "Clevert、Unterthiner 与 Hochreiter 2016。"),
        T("Mean for standard normal inputs by quadrature; tuned accuracy minus ReLU's on digits and spirals; time of the "
        "operation forward and backward over ReLU's.",
          "标准正态输入下的均值（数值积分）；手写数字与双螺旋上调参后的准确率减 ReLU；单个算子前向加反向的时间与 ReLU 之比。"),
        (below("mean", T("mean of ELU over mean of ReLU", "ELU 均值 / ReLU 均值"), 0.5), above("cost", T("time over ReLU's",
            "耗时与 ReLU 之比"), 1.1),
         above("digits", T("test accuracy minus ReLU's, digits, percentage points", "测试准确率减 ReLU，手写数字，百分点")),
         above("spirals", T("test accuracy minus ReLU's, spirals, percentage points", "测试准确率减 ReLU，双螺旋，百分点"))),
        erratum=T("Nearer 0, not 0: the mean is .161 for standard normal inputs.", "更接近 0 而非等于 0：标准正态输入下均值为"
            " 0.161。"),
        switch=T("which of the properties: mean and cost hold, better accuracy does not everywhere", "看哪条性质：均值与代价"
            "成立，准确率更高并非处处成立"), prototype="depends",
    )
)  # fmt: skip
def a9(plan: Plan) -> Outcome:
    mean = nets.moments(nn.functional.elu).mean / nets.moments(torch.relu).mean
    effects = {"mean": (mean,), "cost": cost("elu", plan)}
    effects["digits"] = told(percent(deep(plan, "elu")) - percent(deep(plan, "relu")))
    effects["spirals"] = told(percent(wound(plan, "elu")) - percent(wound(plan, "relu")))
    return Outcome(effects)


def cost(act: str, plan: Plan) -> tuple[float, ...]:
    """Forward and backward of the operation over ReLU's, least of interleaved repeats, measured anew for each seed."""
    from slalom.nets.activations import ACTIVATIONS, relative_cost

    made = []
    for _ in plan.seeds:
        found = relative_cost({act: ACTIVATIONS[act].make()})
        made.append(float(found[act]))
    return tuple(made)


@experiment(
    Claim(
        "A10", T("GELU is smooth, stable, and beats ReLU.", "GELU 平滑、稳定，优于 ReLU。"), T("Hendrycks & Gimpel 2016: on "
        "all their tasks.", "Hendrycks 与 Gimpel 2016：在其全部任务上。"),
        T("Tuned test accuracy of GELU minus ReLU: digits with five hidden layers, two spirals with six.",
        "调参后 GELU 减 ReLU 的测试准确率：五隐层的手写数字，六隐层的双螺旋。"),
        (above("digits", T("test accuracy minus ReLU's, digits, percentage points", "测试准确率减 ReLU，手写数字，百分点")),
         above("spirals", T("test accuracy minus ReLU's, spirals, percentage points", "测试准确率减 ReLU，双螺旋，百分点"))),
        switch=T("the task", "任务"), prototype="fails",
        note=T("Not on spirals, as in the prototype; on digits one of two sets of seeds sees half a point for GELU, the other "
               "nothing.", "在双螺旋上与原型一致，不成立；在手写数字上，一组种子看到 GELU 高半个百分点，另一组看不到。"),
    )
)  # fmt: skip
def a10(plan: Plan) -> Outcome:
    effects = {}
    for key, runs in (("digits", deep), ("spirals", wound)):
        effects[key] = told(percent(runs(plan, "gelu")) - percent(runs(plan, "relu")))
    return Outcome(effects)


@experiment(
    Claim(
        "A12", T("GELU does as well as Swish, and better in places.", "GELU 不逊于 Swish，有时更好。"), T(
        "Ramachandran, Zoph & Le 2017: Swish gains .9 and .6 percentage points over ReLU.", "Ramachandran、Zoph 与 Le 2017："
        "Swish 比 ReLU 高 0.9 与 0.6 个百分点。"),
        T("As A10: GELU minus Swish within one percentage point. Control: the sigmoid at torch's initialisation, on digits.",
        "同 A10：GELU 减 Swish 在"
        "一个百分点以内。对照：手写数字上用 torch 初始化的 sigmoid。"),
        (within("digits", T("test accuracy, GELU - Swish, digits, percentage points", "测试准确率，GELU - Swish，手写数字，百"
            "分点"), 1.0),
         within("spirals", T("test accuracy, GELU - Swish, spirals, percentage points", "测试准确率，GELU - Swish，双螺旋，百"
             "分点"), 1.0),
         control(above("sigmoid", T("test accuracy, GELU - sigmoid, digits, percentage points", "测试准确率，GELU - sigmoid，"
             "手写数字，百分点"), 1.0))),
        prototype="holds", switch=T("the task: on spirals one set of seeds is too few to tell", "任务：双螺旋上单独一组种子太少"),
        note=T("All seeds together agree with the prototype; on spirals the interval of one set of them is wider than a point.",
               "所有种子合在一起与原型一致；只是双螺旋上其中一组的区间宽于一个百分点。"),
    )
)  # fmt: skip
def a12(plan: Plan) -> Outcome:
    effects = {"digits": told(percent(deep(plan, "gelu")) - percent(deep(plan, "silu")))}
    effects["spirals"] = told(percent(wound(plan, "gelu")) - percent(wound(plan, "silu")))
    effects["sigmoid"] = told(percent(deep(plan, "gelu")) - percent(deep(plan, "sigmoid", True)))
    return Outcome(effects)
