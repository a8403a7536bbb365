"""A2, A3, A6 to A10, A12, B1: activations in networks that train."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from slalom import nets
from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below, control, within
from slalom.claims.lab.tasks import digits, spirals
from slalom.claims.lab.training import Sweep, Task, decades, steps_to, sweep, told, train
from slalom.claims.outcome import Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T
from slalom.engines.lanes import lanes_of
from slalom.nets import mlp


def first_to_last(make: Callable[[], nn.Module], task: Task, seed: int) -> float:
    """Log10 of the first weight matrix's gradient norm over the last one's, at initialisation."""
    torch.manual_seed(seed)
    net = make()
    nn.functional.cross_entropy(net(task.x[:256]), task.y[:256]).backward()  # type: ignore[no-untyped-call]
    norms = [float(m.weight.grad.norm()) for m in net.modules() if isinstance(m, nn.Linear) and m.weight.grad is not None]
    return float(np.log10(norms[0] / norms[-1]))


@experiment(
    Claim(
        "A2", T("With sigmoids the gradient vanishes towards the input.", "用 sigmoid 时，梯度向输入方向逐层消失。"), T(
        "Glorot & Bengio 2010.", "Glorot 与 Bengio 2010。"),
        T("Digits, MLP of 10 hidden layers of 32: log10 of the first over the last layer's gradient at initialisation; test "
        "accuracy after 300 steps of Adam at the better of .003 and .01.",
          "手写数字，10 个 32 宽隐层的 MLP：初始化时首层与末层梯度之比的常用对数；Adam 在 0.003 与 0.01 中较好的学习率下 300 "
          "步后的测试准确率。"),
        (below("gradient", T("log10 of first over last layer's gradient, sigmoid", "首末层梯度之比的常用对数，sigmoid"), -4.0),
         below("accuracy", T("test accuracy, sigmoid, %", "测试准确率，sigmoid，%"), 30.0),
         control(above("relu", T("test accuracy, ReLU, %", "测试准确率，ReLU，%"), 70.0))),
        erratum=T("The derivative lies in (0, .25] everywhere; [.197, .25] holds for inputs in [0, 1] alone, to which they "
            "are not confined.",
                  "导数处处在 (0, 0.25] 内；[0.197, 0.25] 只对 [0, 1] 内的输入成立，而输入并不限于此。"),
        prototype="holds",
    )
)  # fmt: skip
def a2(plan: Plan) -> Outcome:
    task = digits((32,) * 10, "sigmoid")
    effects = {"gradient": tuple(first_to_last(task.make, task, s) for s in plan.seeds)}
    for key, act in (("accuracy", "sigmoid"), ("relu", "relu")):
        found = sweep(digits((32,) * 10, act), "adam", [0.003, 0.01], plan)
        effects[key] = told(100 * found.at_best(found.accuracy, -found.accuracy))
    return Outcome(effects)


class _Shifted(nn.Module):
    def __init__(self, act: str, by: float) -> None:
        super().__init__()
        self.act, self.by = nets.activation(act), by

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(x) + self.by
        return out


def shifted(act: str, by: float) -> Callable[[], nn.Module]:
    """An MLP 64-32-32-32-10 whose activations are moved up or down."""

    def make() -> nn.Module:
        layers: list[nn.Module] = []
        for a, b in ((64, 32), (32, 32), (32, 32)):
            layers += [nn.Linear(a, b), _Shifted(act, by)]
        return nn.Sequential(*layers, nn.Linear(32, 10))

    return make


@experiment(
    Claim(
        "A3", T("An activation whose mean is not zero slows training (gradients of one sign); batches soften it.",
        "均值不为零的激活会拖慢训练（梯度同号）；批量训练可缓解。"),
        T("LeCun et al. 1998.", "LeCun 等 1998。"),
        T("Digits, three hidden layers, SGD, tuned: log2 of the steps to a loss of .3, sigmoid over sigmoid - .5, tanh + 1 "
        "over tanh, ReLU over ReLU - .4, from the same weights, batch 64; "
          "and for the sigmoid at batch 8 minus batch 64.",
          "手写数字，三个隐层，SGD，已调参：降到损失 0.3 的步数之比的 log2：sigmoid 比 sigmoid - 0.5，tanh + 1 比 tanh，ReLU "
          "比 ReLU - 0.4，权重相同，批量 64；以及 sigmoid 在批量 8 与 64 之差。"),
        (above("sigmoid", T("log2 of the steps, sigmoid over sigmoid - .5", "步数之比的 log2，sigmoid / (sigmoid - 0.5)")),
         above("tanh", T("log2 of the steps, tanh + 1 over tanh", "步数之比的 log2，(tanh + 1) / tanh")),
         above("relu", T("log2 of the steps, ReLU over ReLU - .4", "步数之比的 log2，ReLU / (ReLU - 0.4)"), 0.3),
         above("softening", T("batch 8 minus batch 64, sigmoid, log2", "批量 8 减批量 64，sigmoid，log2"))),
        switch=T("the activation: sigmoid and tanh yes, ReLU little; batches do not soften it here", "激活函数：sigmoid 和 "
            "tanh 成立，ReLU 影响很小；在这里批量并未缓解"),
        prototype="depends",
    )
)  # fmt: skip
def a3(plan: Plan) -> Outcome:
    def ratio(a: tuple[str, float], b: tuple[str, float], batch: int) -> np.ndarray:
        steps = []
        for act, by in (a, b):
            task = digits(batch=batch, steps=400)
            found = sweep(task, "sgd", [*decades(0.1, 3, 2), 10.0], plan, shifted(act, by))
            needed = steps_to(found.curve, 0.3)
            steps.append(found.at_best(needed, needed))
        return np.asarray(np.log2(steps[0] / steps[1]))

    sigmoid = ratio(("sigmoid", 0.0), ("sigmoid", -0.5), 64)
    small = ratio(("sigmoid", 0.0), ("sigmoid", -0.5), 8)
    effects = {
        "sigmoid": told(sigmoid), "tanh": told(ratio(("tanh", 1.0), ("tanh", 0.0), 64)),
        "relu": told(ratio(("relu", 0.0), ("relu", -0.4), 64)), "softening": told(small - sigmoid),
    }  # fmt: skip
    return Outcome(effects)


LRS = [0.03, 0.1, 0.2]


@lru_cache(maxsize=16)
def deep(plan: Plan, act: str) -> Sweep:
    """Digits, five hidden layers of 32, SGD with momentum, 300 steps."""
    return sweep(digits((32,) * 5, act), "momentum", LRS, plan)


@lru_cache(maxsize=16)
def wound(plan: Plan, act: str) -> Sweep:
    """Spirals, eight hidden layers of 24, Adam, 500 steps."""
    return sweep(spirals((24,) * 6, act, steps=400), "adam", [0.003, 0.01], plan)


def percent(found: Sweep) -> np.ndarray:
    """Test accuracy at the tuned rate."""
    return 100 * found.at_best(found.accuracy, -found.accuracy)


@experiment(
    Claim(
        "A6", T("ReLU's slope of 1 eases vanishing gradients, so that networks train faster.", "ReLU 的斜率为 1，缓解梯度消"
        "失，训练更快。"), T("Glorot, Bordes & Bengio 2011.", "Glorot、Bordes 与 Bengio 2011。"),
        T("Digits, five hidden layers of 32, momentum, tuned, 300 steps: test accuracy of ReLU minus the sigmoid's; gradient "
        "of the first over the last layer, ReLU minus sigmoid, log10.",
          "手写数字，五个 32 宽隐层，动量，已调参，300 步：ReLU 减 sigmoid 的测试准确率；首末层梯度之比的常用对数，ReLU 减 "
          "sigmoid。"),
        (above("accuracy", T("test accuracy, ReLU minus sigmoid, percentage points", "测试准确率，ReLU 减 sigmoid，百分点")),
         above("gradient", T("log10 of first over last gradient, ReLU minus sigmoid", "首末层梯度之比的常用对数，ReLU 减 "
             "sigmoid"))),
        note=T("Against tanh there is no such gain: see A5, A10 and the prototype.", "相对 tanh 没有这样的提高：见 A5、A10 与"
            "原型。"), prototype="holds",
    )
)  # fmt: skip
def a6(plan: Plan) -> Outcome:
    gain = percent(deep(plan, "relu")) - percent(deep(plan, "sigmoid"))
    made = {}
    for act in ("relu", "sigmoid"):
        task = digits((32,) * 5, act)
        made[act] = np.array([first_to_last(task.make, task, s) for s in plan.seeds])
    return Outcome({"accuracy": told(gain), "gradient": told(made["relu"] - made["sigmoid"])})


def dead(plan: Plan, act: str, lr: float, depth: int = 5, steps: int = 300) -> tuple[float, ...]:
    """Share of units that are off - no slope to speak of - on every training digit after training."""
    task = digits((32,) * depth, act, steps=max(steps, 1))
    if steps:
        lanes = train(task, lanes_of("momentum", lr=lr, seed=list(plan.seeds))).lanes
        made = [lanes.module(i) for i in range(len(lanes))]
    else:
        made = []
        for seed in plan.seeds:
            torch.manual_seed(seed)
            made.append(task.make())
    return tuple(float(torch.cat(_before(net, task.x)).double().mean()) for net in made)


def _before(net: nn.Module, x: Tensor) -> list[Tensor]:
    """For each hidden unit whether it is below zero for every input."""
    made = []
    with torch.no_grad():
        for layer in net.children():
            if not isinstance(layer, nn.Linear):
                made.append((x <= 0).all(0))
            x = layer(x)
    return made


@experiment(
    Claim(
        "A7", T("ReLU units die, mainly through initialisation.", "ReLU 单元会死亡，主要由初始化造成。"), T(
        "Lu et al. 2019: deep networks are born dead with a chance that grows with depth.", "Lu 等 2019：网络越深，一出生就死"
        "亡的概率越大。"),
        T("Digits, five hidden layers of 32, momentum .9: share of units off for every training digit, at initialisation, "
        "and after 300 steps at lr .01 and .18.",
          "手写数字，五个 32 宽隐层，动量 0.9：对所有训练样本都关闭的单元比例，分别在初始化时、lr = 0.01 与 0.18 训练 300 步"
          "后。"),
        (above("high", T("share off after lr .18", "lr = 0.18 训练后关闭的比例"), 0.1),
         above("birth", T("share off at initialisation minus share after lr .18", "初始化时关闭的比例减去 lr = 0.18 训练后的"
             "比例"))),
        erratum=T("Here it is the learning rate that kills: hardly a unit is dead at the start. Initialisation takes over in "
            "very deep, narrow networks.",
                  "在这里致死的是学习率：初始时几乎没有死单元。只有在很深很窄的网络中，初始化才成为主因。"),
        switch=T("units do die (first half); what kills them (second half) is the rate at this depth",
            "单元确实会死（前半句）；在这一深度上致死的是学习率（后半句）"),
        prototype="fails",
        note=T("The prototype judged the second half alone (mainly by initialisation): failed here as well.",
            "原型只判断了后半句（主要由初始化造成）：这里同样不成立。"),
    )
)  # fmt: skip
def a7(plan: Plan) -> Outcome:
    high, birth = dead(plan, "relu", 0.18), dead(plan, "relu", 0.0, steps=0)
    low = dead(plan, "relu", 0.01)
    effects = {"high": high, "birth": tuple(b - h for b, h in zip(birth, high, strict=True))}
    return Outcome(
        effects, settings={"off at lr .01": round(float(np.mean(low)), 4), "off at the start": round(float(np.mean(birth)), 4)}
    )


@experiment(
    Claim(
        "A8", T("Leaky ReLU cures dying units, and is better - though not always - and slower.", "Leaky ReLU 能治死亡单元，效"
        "果更好（但不总是），且更慢。"), T("Maas et al. 2013; Xu et al. 2015.", "Maas 等 2013；Xu 等 2015。"),
        T("As A7 at lr .18: test accuracy after training; tuned accuracy of leaky (.01) minus ReLU on digits and spirals.",
        "同 A7，lr = 0.18 训练后的测试准确率；再看手写数字与双螺旋上调参后 leaky（0.01）减 ReLU 的准确率。"),
        (above("high rate", T("test accuracy at lr .18, leaky minus ReLU, percentage points", "lr = 0.18 的测试准确率，leaky "
            "减 ReLU，百分点")),
         above("digits", T("test accuracy, tuned, digits, percentage points", "测试准确率，已调参，手写数字，百分点")),
         above("spirals", T("test accuracy, tuned, spirals, percentage points", "测试准确率，已调参，双螺旋，百分点"))),
        erratum=T("One text gives the slope as .01 and as .1 in the same sentence; .01 is meant.", "某文在同一句中把斜率写成 "
            "0.01 又写成 0.1；应为 0.01。"),
        switch=T("the learning rate: it helps where units would die, not at a tuned rate", "学习率：在单元会死亡处有帮助，调"
            "好的学习率下没有"), prototype="depends",
    )
)  # fmt: skip
def a8(plan: Plan) -> Outcome:
    high = {}
    for act in ("relu", "leaky_relu"):
        task = digits((32,) * 5, act)
        high[act] = 100 * train(task, lanes_of("momentum", lr=0.18, seed=list(plan.seeds))).accuracy
    effects = {"high rate": told(high["leaky_relu"] - high["relu"])}
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
        "A4", T("exp is costly, so that sigmoid and tanh are slower than ReLU.", "指数运算昂贵，所以 sigmoid 和 tanh 比 ReLU "
        "慢。"), T("Prototype: 2 to 14 times for the operation alone.", "原型：仅算子本身慢 2–14 倍。"),
        T("Time of the operation forward and backward over ReLU's, interleaved, least of repeats.",
          "单个算子前向加反向的时间与 ReLU 之比，交错重复取最小。"),
        tuple(above(a, T(f"time over ReLU's, {a}", f"耗时与 ReLU 之比，{a}"), 1.1) for a in ("sigmoid", "tanh", "gelu")),
            prototype="holds",
    )
)  # fmt: skip
def a4(plan: Plan) -> Outcome:
    return Outcome({a: cost(a, plan) for a in ("sigmoid", "tanh", "gelu")})


@experiment(
    Claim(
        "A10", T("GELU is smooth, stable, and beats ReLU.", "GELU 平滑、稳定，优于 ReLU。"), T("Hendrycks & Gimpel 2016: on "
        "all their tasks.", "Hendrycks 与 Gimpel 2016：在其全部任务上。"),
        T("Tuned test accuracy of GELU minus ReLU: digits with five hidden layers, two spirals with six.",
        "调参后 GELU 减 ReLU 的测试准确率：五隐层的手写数字，六隐层的双螺旋。"),
        (above("digits", T("test accuracy minus ReLU's, digits, percentage points", "测试准确率减 ReLU，手写数字，百分点")),
         above("spirals", T("test accuracy minus ReLU's, spirals, percentage points", "测试准确率减 ReLU，双螺旋，百分点"))),
        switch=T("the task", "任务"), prototype="fails",
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
        T("As A10: GELU minus Swish within one percentage point. Control: the sigmoid, on digits.", "同 A10：GELU 减 Swish 在"
        "一个百分点以内。对照：手写数字上的 sigmoid。"),
        (within("digits", T("test accuracy, GELU - Swish, digits, percentage points", "测试准确率，GELU - Swish，手写数字，百"
            "分点"), 1.0),
         within("spirals", T("test accuracy, GELU - Swish, spirals, percentage points", "测试准确率，GELU - Swish，双螺旋，百"
             "分点"), 1.0),
         control(above("sigmoid", T("test accuracy, GELU - sigmoid, digits, percentage points", "测试准确率，GELU - sigmoid，"
             "手写数字，百分点"), 1.0))),
        prototype="holds",
    )
)  # fmt: skip
def a12(plan: Plan) -> Outcome:
    effects = {"digits": told(percent(deep(plan, "gelu")) - percent(deep(plan, "silu")))}
    effects["spirals"] = told(percent(wound(plan, "gelu")) - percent(wound(plan, "silu")))
    effects["sigmoid"] = told(percent(deep(plan, "gelu")) - percent(deep(plan, "sigmoid")))
    return Outcome(effects)


@experiment(
    Claim(
        "B1", T("With depth, inputs drift into saturation; batch normalisation brings them back, raises gradients and speeds "
        "up training.", "随着深度增加，输入会漂移到饱和区；批归一化把它们拉回敏感区、增大梯度、加快训练。"),
        T("Ioffe & Szegedy 2015; Santurkar et al. 2018 dispute the reason.", "Ioffe 与 Szegedy 2015；Santurkar 等 2018 对其原"
        "因提出异议。"),
        T("Digits, sigmoid MLP of 10 hidden layers of 32, with and without BN: first layer's gradient at initialisation, "
        "accuracy after 300 steps of Adam, and share of saturated units "
          "without BN at default initialisation.",
          "手写数字，10 个 32 宽隐层的 sigmoid MLP，有无 BN：初始化时首层梯度、Adam 300 步后的准确率，以及默认初始化下无 BN "
          "的饱和单元比例。"),
        (above("gradient", T("log10 of the first layer's gradient over the last, BN minus plain",
            "首末层梯度之比的常用对数，BN 减无 BN"), 1.0),
         above("accuracy", T("test accuracy, BN minus plain, percentage points", "测试准确率，BN 减无 BN，百分点")),
         above("drift", T("share of saturated units without BN", "无 BN 时饱和单元的比例"), 0.1)),
        erratum=T("The effect holds; the reason does not: at the default initialisation nothing is saturated, the gradient "
            "vanishes because the slope is .25 at most.",
                  "效果成立，理由不成立：默认初始化下没有单元饱和；梯度消失是因为斜率至多 0.25。"),
        switch=T("effect or reason", "效果还是理由"), prototype="depends",
    )
)  # fmt: skip
def b1(plan: Plan) -> Outcome:
    made, accuracy = {}, {}
    for norm in (True, False):
        task = digits((32,) * 10, "sigmoid", steps=200, batchnorm=norm)
        made[norm] = np.array([first_to_last(task.make, task, s) for s in plan.seeds])
        found = sweep(task, "adam", [0.003, 0.01], plan)
        accuracy[norm] = percent(found)
    drift = []
    for seed in plan.seeds:
        torch.manual_seed(seed)
        net = mlp((64,), (32,) * 10, 10, "sigmoid")
        with nets.Monitor(net) as monitor, torch.no_grad():
            net(digits().x)
        drift.append(float(np.mean([u.saturated for u in monitor.units().values()])))
    return Outcome(
        {"gradient": told(made[True] - made[False]), "accuracy": told(accuracy[True] - accuracy[False]), "drift": tuple(drift)}
    )
