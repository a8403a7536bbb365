"""L1, L2, L6, L15: how large a learning rate should be."""

from __future__ import annotations

import numpy as np

from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below
from slalom.claims.lab.noisy import train_noisy
from slalom.claims.lab.rivals import rivals
from slalom.claims.lab.tasks import digits, spirals
from slalom.claims.lab.training import WORST, decades, sweep, told
from slalom.claims.outcome import Lines, Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T
from slalom.engines.lanes import lanes_of


@experiment(
    Claim(
        "L1", T("Too large a learning rate diverges, too small a one crawls.", "学习率太大会发散，太小则进展缓慢。"),
        T("Exact on quadratics: divergence above 2/L.", "在二次函数上是精确结果：超过 2/L 即发散。"),
        T("Digits with SGD, 300 steps: final training loss at lr .01 and at lr 100 over the tuned one's. Diverged counts as "
        "1000.",
          "手写数字，SGD，300 步：lr = 0.01 和 lr = 100 的最终训练损失与调好的之比。发散记为 1000。"),
        (above("small", T("log10 of the loss at lr .01 over the tuned one", "lr = 0.01 与调参后损失之比的常用对数"), 0.5),
         above("large", T("log10 of the loss at lr 100 over the tuned one", "lr = 100 与调参后损失之比的常用对数"), 0.5)),
        prototype="holds",
    )
)  # fmt: skip
def l1(plan: Plan) -> Outcome:
    found = rivals(plan)["sgd"]
    best = np.log10(found.at_best(found.loss))
    lines = Lines(
        found.lrs,
        {"SGD": told(np.minimum(found.loss, WORST).mean(1))},
        ("lr", "学习率"),
        ("training loss", "训练损失"),
        True,
        True,
    )
    return Outcome({"small": told(np.log10(found.loss[0]) - best), "large": told(np.log10(found.loss[-1]) - best)}, lines=lines)


@experiment(
    Claim(
        "L2", T("A small learning rate overfits.", "学习率太小会导致过拟合。"),
        T("For it, eventually: Li, Wei & Ma 2019. The plain reading has no support.", "支持（长远看）：Li、Wei 与 Ma 2019。字"
        "面意义上没有依据。"),
        T("Noisy digits with SGD: test accuracy at lr .5 minus that at lr .05, after equally many steps (1000), and after "
        "steps in "
          "inverse proportion (100 at .5, 1000 at .05). Overfits: lower.",
          "带噪手写数字，SGD：lr = 0.5 与 lr = 0.05 的测试准确率之差，分别在相同步数（1000）和步数成反比（0.5 走 100 步，"
          "0.05 走 "
          "1000 步）时比较。“过拟合”指更低。"),
        (above("equal steps", T("accuracy at .5 minus that at .05, equal steps, percentage points", "0.5 与 0.05 的准确率之"
            "差，步数相同，百分点")),
         above("equal lr x steps", T("accuracy at .5 minus that at .05, equal lr x steps, percentage points",
             "0.5 与 0.05 的准确率之差，学习率×步数相同，百分点"))),
        erratum=T("At equal steps the small rate fits the noise less, not more; nor is it worse at equal rate times steps.",
                  "步数相同时，小学习率对噪声拟合得更少而不是更多；学习率乘步数相同时它也不更差。"),
        prototype="fails",
    )
)  # fmt: skip
def l2(plan: Plan) -> Outcome:
    def at(lr: float, steps: int) -> np.ndarray:
        found = train_noisy(plan, [lambda s: lanes_of("sgd", lr=lr, seed=s)[0]], steps)
        return np.asarray(100 * found.test[0])

    small, large, short = at(0.05, 1000), at(0.5, 1000), at(0.5, 100)
    return Outcome({"equal steps": told(large - small), "equal lr x steps": told(short - small)})


@experiment(
    Claim(
        "L6", T("Start from a learning rate of .01 to .001.", "初始学习率取 0.01–0.001。"),
        T("The best rates of SGD and Adam differ a hundredfold.", "SGD 与 Adam 的最佳学习率相差上百倍。"),
        T("Digits, MLP 64-32-10, 300 steps: accuracy lost by the best of .001, .003 and .01 against the tuned rate, in "
        "percentage points.",
          "手写数字，MLP 64-32-10，300 步：0.001、0.003、0.01 中最好的与调好的学习率相比损失的准确率，百分点。"),
        tuple(below(n, T(f"accuracy lost, {n}, percentage points", f"准确率损失，{n}，百分点"), 1.0) for n in ("sgd",
            "momentum", "rmsprop", "adadelta", "adam")),
        erratum=T("A range without the method's name is no advice: it suits Adam and RMSprop, and is a hundred times too low "
            "for plain SGD here.",
                  "不说方法只给范围等于没给建议：它适合 Adam 和 RMSprop，对这里的普通 SGD 则低了约一百倍。"),
        switch=T("the optimizer", "优化器"),
        prototype="fails",
        note=T("The prototype called it failed as a universal rule; the rule here counts methods, and for some it does hold.",
               "原型称其作为通用规则不成立；这里按方法逐一判断，对其中一些确实成立。"),
    )
)  # fmt: skip
def l6(plan: Plan) -> Outcome:
    effects, chosen = {}, {}
    for name, found in rivals(plan).items():
        if name == "adagrad":
            continue
        inside = [k for k, lr in enumerate(found.lrs) if 0.9e-3 < lr < 1.1e-2]
        best = found.at_best(found.accuracy, -found.accuracy)
        limited = found.accuracy[inside]
        half = plan.n
        pick = [int(np.argmax(limited[:, half:].mean(1)))] * half + [int(np.argmax(limited[:, :half].mean(1)))] * half
        effects[name] = told(100 * (best - np.array([limited[k, s] for s, k in enumerate(pick)])))
        chosen[name] = found.best_lrs(-found.accuracy)
    return Outcome(effects, settings=chosen)


@experiment(
    Claim(
        "L15", T("The best learning rate depends on model and data.", "最佳学习率取决于模型和数据。"), T("Common ground.",
        "公认。"),
        T("SGD with momentum, rates a quarter decade apart, three widths on digits and spirals, 200 steps: log2 of the "
        "largest best rate over the least.",
          "带动量的 SGD，学习率相隔四分之一数量级，手写数字与双螺旋各三种宽度，200 步：最大与最小最佳学习率之比的 log2。"),
        (above("spread", T("log2 of the largest best rate over the smallest", "最大与最小最佳学习率之比的 log2"), 1.0),),
    )
)  # fmt: skip
def l15(plan: Plan) -> Outcome:
    lrs, best = decades(0.01, 3, 4), []
    for task_of in (digits, spirals):
        for width in (8, 32, 128):
            found = sweep(task_of((width,), steps=200), "momentum", lrs, plan)
            best.append(np.log2(np.array(lrs)[np.argmin(found.loss, 0)]))
    table = np.array(best)
    names = ("digits 8", "digits 32", "digits 128", "spirals 8", "spirals 32", "spirals 128")
    return Outcome(
        {"spread": told(table.max(0) - table.min(0))},
        settings={n: round(float(2 ** r.mean()), 4) for n, r in zip(names, table, strict=True)},
    )
