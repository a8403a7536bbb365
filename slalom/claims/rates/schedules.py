"""L5, L7, L9, L10: what a schedule is worth."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below, control, within
from slalom.claims.lab.tasks import digits
from slalom.claims.lab.training import Sweep, decades, sweep, told
from slalom.claims.optimizers.sparse import excess
from slalom.claims.outcome import Lines, Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T
from slalom.schedules import (
    Annealing,
    Cosine,
    CosineRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PolynomialDecay,
    StepDecay,
    Triangular,
)

STEPS = 300


@lru_cache(maxsize=16)
def scheduled(plan: Plan, name: str) -> Sweep:
    """SGD on digits, batch 16, under a schedule, at five rates."""
    made: dict[str, Any] = {
        "constant": None, "cosine": Cosine(STEPS), "step": StepDecay(0.5, every=STEPS / 5), "exponential": Annealing(STEPS,
        final=0.01),
        "inverse": InverseTimeDecay(10 / STEPS), "restarts": CosineRestarts(STEPS / 3), "triangular": Triangular(up=STEPS / 6),
        "too fast": ExponentialDecay(0.9), **{f"cosine to {f:g}": Cosine(STEPS, final=f) for f in (0.1, 0.01, 0.001)},
    }  # fmt: skip
    return sweep(digits(steps=STEPS, batch=16), "sgd", [0.1, 0.2, 0.4, 0.8, 1.6], plan, schedule=made[name])


def best(plan: Plan, name: str) -> np.ndarray:
    """Log10 of the final training loss at the tuned rate, `[seeds]`."""
    found = scheduled(plan, name)
    return np.log10(found.at_best(found.loss))


def score(plan: Plan, name: str) -> np.ndarray:
    """Test accuracy at the rate tuned on training loss, percentage points."""
    found = scheduled(plan, name)
    return 100 * found.at_best(found.accuracy)


@experiment(
    Claim(
        "L5", T("A learning rate that decays beats a constant one.", "衰减的学习率优于恒定的学习率。"), T(
        "Robbins & Monro 1951.", "Robbins 与 Monro 1951。"),
        T("Tuned rates, constant against falling to 0: excess test loss of Adam and SGD on sparse words after one pass; "
        "final training loss of SGD on digits, batch 16.",
          "学习率各自调好，恒定与降到 0 相比：稀疏词上只过一遍数据后 Adam 与 SGD 的超额测试损失；手写数字上 SGD（批量 16）的"
          "最终训练损失。"),
        (above("adam", T("log2 of the excess loss, constant over decayed, Adam, sparse", "超额损失之比的 log2，恒定 / 衰减，"
            "Adam，稀疏")),
         above("sgd", T("log2 of the excess loss, constant over decayed, SGD, sparse", "超额损失之比的 log2，恒定 / 衰减，"
             "SGD，稀疏")),
         above("digits", T("log10 of the training loss, constant over decayed, SGD, digits", "训练损失之比的常用对数，恒定 / "
             "衰减，SGD，手写数字"))),
        prototype="holds", switch=T("the task", "任务"),
        note=T("Both sets of seeds find the prototype's gain on all three, as do all seeds together; one set alone is too few to "
               "tell that on digits from nothing.",
               "两组种子在三项上都得到与原型相同的提升，合在一起也成立；只是其中一组单独来看，手写数字上的提升还不能与零区分。"),
    )
)  # fmt: skip
def l5(plan: Plan) -> Outcome:
    methods: dict[str, Any] = {"adam": ("adam", decades(3e-3, 0.3), {}), "sgd": ("sgd", decades(0.1, 30), {})}
    (constant, f1), (falling, f2) = (excess(None, methods, plan, decay) for decay in (False, True))
    effects = {k: told(np.log2(constant[k] / falling[k])) for k in methods}
    effects["digits"] = told(best(plan, "constant") - best(plan, "cosine"))
    return Outcome(effects, (*(f"constant, {f}" for f in f1), *(f"decayed, {f}" for f in f2)))


@experiment(
    Claim(
        "L7", T("The final learning rate should be at least a hundred times lower than the first.",
        "最终学习率应比初始低一百倍以上。"),
        T("Cosine schedules go to 0 or near it.", "余弦计划通常降到 0 或接近 0。"),
        T("SGD on digits, batch 16, cosine from a tuned rate to a share of it: log10 of final training losses' ratio, and "
        "test accuracy.",
          "手写数字，SGD，批量 16，余弦计划从调好的学习率降到某一比例：最终训练损失之比的常用对数，以及测试准确率。"),
        (above("1 to .1", T("log10 of the loss, constant over a final .1", "损失之比的常用对数，恒定 / 末值 0.1")),
         above(".1 to .01", T("log10 of the loss, a final .1 over a final .01", "损失之比的常用对数，末值 0.1 / 末值 0.01")),
         above("accuracy", T("test accuracy, a final .01 minus a final .1, percentage points", "测试准确率，末值 0.01 减末值 "
             "0.1，百分点"))),
        switch=T("what is measured: ten times lower gets most of it", "看什么指标：降低十倍已获得大部分好处"),
    )
)  # fmt: skip
def l7(plan: Plan) -> Outcome:
    loss = {n: best(plan, n) for n in ("constant", "cosine to 0.1", "cosine to 0.01", "cosine to 0.001")}
    effects = {
        "1 to .1": told(loss["constant"] - loss["cosine to 0.1"]), ".1 to .01": told(loss["cosine to 0.1"] - loss[
        "cosine to 0.01"]),
        "accuracy": told(score(plan, "cosine to 0.01") - score(plan, "cosine to 0.1")),
    }  # fmt: skip
    lines = Lines((1.0, 0.1, 0.01, 0.001), {"SGD": told([10 ** v.mean() for v in loss.values()])}, ("final / first rate",
        "末值 / 初值"),
                  ("training loss", "训练损失"), True, True)  # fmt: skip
    return Outcome(effects, lines=lines)


def closed_forms() -> float:
    """The largest difference of four schedules from the formulas as the texts write them, over 300 steps."""
    t = np.arange(300.0)
    pairs = (
        (StepDecay(0.5, every=5), 0.5 ** (t // 5)), (ExponentialDecay(0.99), 0.99**t), (InverseTimeDecay(0.1), 1 / (1 + 0.1 * t)),
        (PolynomialDecay(total=300, power=2.0), (1 - t / 300) ** 2),
    )  # fmt: skip
    return max(float(np.abs(made(t) - wanted).max()) for made, wanted in pairs)


KINDS = ("exponential", "inverse", "cosine")


@experiment(
    Claim(
        "L9", T("Halve every 5 epochs, decay exponentially, or as a fraction of time: step decay is the most popular.",
                "每 5 轮减半、指数衰减或按时间分式衰减：最常用的是阶梯衰减。"),
        T("Popularity cannot be tested; whether the choice matters can.", "流行程度无法检验；选哪种是否要紧则可以。"),
        T("The schedules against their closed forms, 300 steps. SGD on digits, batch 16, each at its tuned rate: test "
        "accuracy against step decay's within one "
          "percentage point. Control: a decay that is over after 50 steps.",
          "300 步内各计划与其闭式公式比较；手写数字，SGD，批量 16，各自调好：测试准确率与阶梯衰减相差不超过一个百分点。对照："
          "50 步内就衰减完的计划。"),
        (below("formula", T("largest difference from the closed forms", "与闭式公式的最大差"), 1e-12),
         *(within(k, T(f"accuracy, {k} - step, percentage points", f"准确率，{k} - 阶梯，百分点"), 1.0) for k in KINDS),
         control(below("too fast", T("accuracy, a decay that is too fast - step, percentage points",
             "准确率，过快的衰减 - 阶梯，百分点"), -1.0))),
        switch=T("the formulas hold; whether the choice matters is the rest", "公式成立；选择是否要紧看其余各行"),
    )
)  # fmt: skip
def l9(plan: Plan) -> Outcome:
    step = score(plan, "step")
    effects = {k: told(score(plan, k) - step) for k in (*KINDS, "too fast")}
    x = tuple(float(v) for v in range(0, STEPS, 10))
    shapes = {
        "step": StepDecay(0.5, every=60),
        "exponential": Annealing(STEPS, final=0.01),
        "inverse": InverseTimeDecay(10 / STEPS),
        "cosine": Cosine(STEPS),
    }
    lines = Lines(x, {n: told(s(np.array(x))) for n, s in shapes.items()}, ("step", "步数"), ("factor on the rate", "学习率系数"))
    return Outcome({"formula": (closed_forms(),), **effects}, lines=lines)


@experiment(
    Claim(
        "L10", T("Cyclic rates and warm restarts (SGDR) train better.", "循环学习率与热重启（SGDR）训练效果更好。"),
        T("Loshchilov & Hutter 2017: 3.14 % / 16.21 % on CIFAR, chiefly at any time on the way.", "Loshchilov 与 Hutter "
        "2017：CIFAR 上 3.14% / 16.21%，主要好处在于途中任何时刻可用。"),
        T("SGD on digits, batch 16, 300 steps, tuned: final training loss of cosine over that of restarts (three cycles) and "
        "triangular; and test accuracy.",
          "手写数字，SGD，批量 16，300 步，已调参：余弦与热重启（三个周期）、三角循环的最终训练损失之比，以及测试准确率。"),
        (above("restarts", T("log10 of the loss, cosine over restarts", "损失之比的常用对数，余弦 / 热重启")),
         above("triangular", T("log10 of the loss, cosine over triangular", "损失之比的常用对数，余弦 / 三角循环")),
         above("constant", T("log10 of the loss, constant over restarts", "损失之比的常用对数，恒定 / 热重启"))),
        switch=T("what it is compared with: better than a constant rate, not than one decay over the whole run",
            "与谁比较：优于恒定学习率，不优于贯穿全程的一次衰减"),
    )
)  # fmt: skip
def l10(plan: Plan) -> Outcome:
    cosine, restarts = best(plan, "cosine"), best(plan, "restarts")
    effects = {
        "restarts": told(cosine - restarts), "triangular": told(cosine - best(plan, "triangular")),
        "constant": told(best(plan, "constant") - restarts),
    }  # fmt: skip
    return Outcome(effects)
