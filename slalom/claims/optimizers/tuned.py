"""O16, O20, O22, O23, O30, O31: the methods on digits, tuned and not."""

from __future__ import annotations

import numpy as np

from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below, control, within
from slalom.claims.lab.rivals import decades_within, rivals
from slalom.claims.lab.tasks import digits
from slalom.claims.lab.training import Sweep, decades, sweep, told
from slalom.claims.outcome import Lines, Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T

SETUP = T("Digits, MLP 64-32-10, batch 64, 300 steps, nine rates half a decade apart for each method.",
          "手写数字，MLP 64-32-10，批量 64，300 步，每种方法九个学习率，相隔半个数量级。")  # fmt: skip
PAIRS = (("rmsprop", "adadelta"), ("rmsprop", "adam"), ("adadelta", "adam"))


def _accuracy(found: Sweep) -> np.ndarray:
    return 100 * found.at_best(found.accuracy, -found.accuracy)


def _response(found: dict[str, Sweep]) -> Lines:
    """Accuracy along the rates, counted in decades from each grid's first."""
    x = tuple(0.5 * k for k in range(9))
    series = {name: told(100 * s.accuracy.mean(1)) for name, s in found.items()}
    return Lines(
        x, series, ("decades above the grid's first rate", "比网格首个学习率高出的数量级"), ("test accuracy, %", "测试准确率，%")
    )


@experiment(
    Claim(
        "O16",
        T("RMSprop, Adadelta and Adam are alike.", "RMSprop、Adadelta 和 Adam 效果相近。"),
        T("Ruder 2016; Schmidt et al. 2021, 35 000 runs: no clear winner.", "Ruder 2016；Schmidt 等 2021，三万五千次训练：没"
        "有明显的赢家。"),
        T(SETUP.en + " Test accuracy of the pairs, tuned; then final training losses at torch's defaults. Control: SGD, "
        "outside the group.",
          SETUP.zh + "先比较调参后两两之间的测试准确率，再比较 torch 默认设置下的最终训练损失。对照：组外的 SGD。"),
        (*(within(f"{a}-{b}", T(f"accuracy {a} - {b}, tuned, percentage points", f"准确率 {a} - {b}，已调参，百分点"), 1.0)
           for a, b in PAIRS),
         within("defaults", T("log10 of Adam's loss over RMSprop's, torch's defaults",
                              "Adam 与 RMSprop 损失之比的常用对数，torch 默认设置"), 0.3),
         control(above("sgd", T("|accuracy SGD - Adam|, tuned, percentage points", "|准确率 SGD - Adam|，已调参，百分点"),
             1.0))),
        erratum=T("Tuned, they are alike here - but so is plain SGD, so that the likeness says nothing about this group.",
                  "调好参数后它们在这里确实相近，但普通 SGD 也一样，所以这种相近并不能说明这一组有何特别。"),
        switch=T("tuning: alike when each has its own rate, far apart at the defaults", "调参：各用自己的学习率时相近，用默认"
            "值时相差很大"),
        prototype="depends",
    )
)  # fmt: skip
def o16(plan: Plan) -> Outcome:
    found = rivals(plan)
    at = {name: _accuracy(s) for name, s in found.items()}
    effects = {f"{a}-{b}": told(at[a] - at[b]) for a, b in PAIRS}
    task = digits()
    adam, rms = sweep(task, "adam", [1e-3], plan), sweep(task, "rmsprop", [1e-2], plan)
    effects["defaults"] = told(np.log10(adam.loss[0] / rms.loss[0]))
    effects["sgd"] = told(np.abs(at["sgd"] - at["adam"]))
    flags = [f for name, s in found.items() for f in s.edge(name, -s.accuracy)]
    return Outcome(effects, tuple(flags), {n: s.best_lrs(-s.accuracy) for n, s in found.items()}, _response(found))


@experiment(
    Claim(
        "O20",
        T("Adagrad cuts the tuning of the learning rate; it is robust.", "Adagrad 减少了学习率的调参，很稳健。"),
        T("Duchi, Hazan & Singer 2011: adapts to the geometry; no claim on tuning.", "Duchi、Hazan 与 Singer 2011：适应几何结"
        "构；没有关于调参的结论。"),
        T(SETUP.en + " Decades of rates within one percentage point of the seed's best accuracy.", SETUP.zh +
        "统计与该种子最佳准确率相差一个百分点以内的学习率跨多少个数量级。"),
        tuple(above(n, T(f"decades that work: Adagrad - {n}", f"可用学习率的数量级：Adagrad - {n}")) for n in ("sgd",
            "momentum", "adam")),
        switch=T("what it is compared with", "与谁比较"),
        prototype="fails",
        note=T("The prototype called the advantage weak: half a decade over SGD, none over the others.",
            "原型称这一优势很弱：比 SGD 多半个数量级，对其他方法没有优势。"),
    )
)  # fmt: skip
def o20(plan: Plan) -> Outcome:
    width = {name: decades_within(s) for name, s in rivals(plan).items()}
    effects = {n: told(width["adagrad"] - width[n]) for n in ("sgd", "momentum", "adam")}
    return Outcome(effects, settings={n: float(w.mean()) for n, w in width.items()}, lines=_response(rivals(plan)))


@experiment(
    Claim(
        "O30",
        T("Adam needs little tuning.", "Adam 几乎不用调参。"),
        T("Wilson et al. 2017: tuning helps in all cases; Choi et al. 2019: it matters for every optimizer.",
        "Wilson 等 2017：调参在所有情形下都有帮助；Choi 等 2019：对每种优化器都重要。"),
        T(SETUP.en + " Decades of rates within one percentage point of the seed's best accuracy; and accuracy lost at the "
        "default .001.",
          SETUP.zh + "统计与该种子最佳准确率相差一个百分点以内的学习率跨多少个数量级；以及默认值 0.001 损失的准确率。"),
        (*(above(n, T(f"decades that work: Adam - {n}", f"可用学习率的数量级：Adam - {n}")) for n in ("sgd", "momentum",
            "adagrad", "rmsprop")),
         below("default", T("accuracy lost at lr .001, percentage points", "lr = 0.001 损失的准确率，百分点"), 1.0)),
        switch=T("what it is compared with", "与谁比较"),
        prototype="fails",
        note=T("The prototype found no evidence: more rates than SGD, as many as the others, which is what this run shows "
            "too.",
               "原型认为没有证据：可用的学习率比 SGD 多，与其他方法相当；这次运行也是如此。"),
    )
)  # fmt: skip
def o30(plan: Plan) -> Outcome:
    found = rivals(plan)
    width = {name: decades_within(s) for name, s in found.items()}
    effects = {n: told(width["adam"] - width[n]) for n in ("sgd", "momentum", "adagrad", "rmsprop")}
    at = int(np.argmin(np.abs(np.log(found["adam"].lrs) - np.log(1e-3))))
    effects["default"] = told(_accuracy(found["adam"]) - 100 * found["adam"].accuracy[at])
    return Outcome(effects, settings={n: float(w.mean()) for n, w in width.items()}, lines=_response(found))


@experiment(
    Claim(
        "O23",
        T("Adadelta needs no learning rate.", "Adadelta 不需要学习率。"),
        T("Zeiler 2012; libraries multiply the finished step by lr = 1.", "Zeiler 2012；各库都给算好的步长再乘上 lr = 1。"),
        T(SETUP.en + " lr 1 against the tuned one.", SETUP.zh + "lr = 1 与调好的学习率比较。"),
        (below("accuracy", T("accuracy lost at lr 1, percentage points", "lr = 1 损失的准确率，百分点"), 1.5),
         below("loss", T("log10 of the training loss at lr 1 over the tuned one", "lr = 1 与调参后训练损失之比的常用对数"),
             0.3)),
        erratum=T("It works without one, but its start is set by eps: the first steps are sqrt(eps) in size whatever the "
            "gradient.",
                  "没有学习率也能用，但起步由 eps 决定：无论梯度多大，最初的步长都是 sqrt(eps) 量级。"),
        switch=T("accuracy or training loss", "看准确率还是训练损失"),
        prototype="depends",
    )
)  # fmt: skip
def o23(plan: Plan) -> Outcome:
    found = rivals(plan)["adadelta"]
    at = int(np.argmin(np.abs(np.log(found.lrs))))
    effects = {
        "accuracy": told(_accuracy(found) - 100 * found.accuracy[at]),
        "loss": told(np.log10(found.loss[at] / found.at_best(found.loss))),
    }  # fmt: skip
    lines = Lines(found.lrs, {"adadelta": told(found.loss.mean(1))}, ("lr", "学习率"), ("training loss", "训练损失"), True, True)
    return Outcome(effects, found.edge("adadelta"), {"lr": found.best_lrs()}, lines)


STARTS = (0.0, 0.001, 0.1)


@experiment(
    Claim(
        "O22",
        T("Without the square root Adagrad performs terribly.", "去掉平方根，Adagrad 的表现会非常糟糕。"),
        T("Ruder 2016 repeats it. Against: AdaSqrt (Hu et al. 2019) beats Adam on CIFAR-10; Lin et al. 2024: without the "
        "root the gap to SGD closes.",
          "Ruder 2016 转述此说。反例：AdaSqrt（Hu 等 2019）在 CIFAR-10 上胜过 Adam；Lin 等 2024：去掉根号后与 SGD 的差距消"
          "失。"),
        T("Digits as O16: exponent 1, rates 1e-6 to 10 a decade apart, accumulator from 0, .001 and .1, against the root at "
        "its best rate. Terrible: "
          "more than 5 percentage points of accuracy lost.",
          "同 O16 的手写数字：指数取 1，学习率 1e-6 到 10 每隔一个数量级，累加器初值 0、0.001、0.1，与带根号的最佳学习率比"
          "较。“糟糕”指准确率损失超过 5 个百分点。"),
        tuple(above(f"start {s:g}", T(f"accuracy lost, accumulator from {s:g}, percentage points",
            f"准确率损失，累加器初值 {s:g}，百分点"), 5.0)
              for s in STARTS),
        erratum=T("The root is not what saves it: from an accumulator of 0 the first step is lr / g and explodes; from .1, a "
            "common default, nothing is lost.",
                  "起作用的并不是根号：累加器从 0 开始时首步为 lr / g，会爆炸；从常见默认值 0.1 开始则毫无损失。"),
        switch=T("where the accumulator starts", "累加器的初值"),
        prototype="depends",
    )
)  # fmt: skip
def o22(plan: Plan) -> Outcome:
    task, lrs = digits(), decades(1e-6, 10, 1)
    root = sweep(task, "adagrad", decades(0.01, 0.3), plan)
    best = _accuracy(root)
    effects, series, flags = {}, {}, list(root.edge("root", -root.accuracy))
    for start in STARTS:
        found = sweep(task, "adagrad", lrs, plan, exponent=1.0, initial_accumulator_value=start)
        effects[f"start {start:g}"] = told(best - _accuracy(found))
        series[f"from {start:g}"] = told(100 * found.accuracy.mean(1))
        flags += found.edge(f"from {start:g}", -found.accuracy)
    return Outcome(
        effects, tuple(flags), lines=Lines(tuple(lrs), series, ("lr", "学习率"), ("test accuracy, %", "测试准确率，%"), True)
    )


@experiment(
    Claim(
        "O31",
        T("Adam's ideal learning rate is .01.", "Adam 的理想学习率是 0.01。"),
        T("Kingma & Ba 2015: .001; large models use less still.", "Kingma 与 Ba 2015：0.001；大模型用得更小。"),
        T("Digits: test accuracy at .01 minus that at .001, after 100 steps (MLP 64-32-10), 1000 steps, and 600 steps of an "
        "MLP with five hidden "
          "layers; and minus that at .1.",
          "手写数字：0.01 与 0.001 的测试准确率之差，分别在 100 步（MLP 64-32-10）、1000 步和五隐层 MLP 的 600 步之后；以及与"
          " 0.1 之差。"),
        (above("100", T("accuracy .01 - .001 after 100 steps, percentage points", "100 步后准确率 0.01 - 0.001，百分点")),
         above("1000", T("accuracy .01 - .001 after 1000 steps, percentage points", "1000 步后准确率 0.01 - 0.001，百分点")),
         above("deep", T("accuracy .01 - .001, five hidden layers, percentage points", "五隐层准确率 0.01 - 0.001，百分点")),
         above("large", T("accuracy .01 - .1 after 100 steps, percentage points", "100 步后准确率 0.01 - 0.1，百分点"))),
        erratum=T("The texts contradict each other (.01 here, .001 there). The paper and the libraries say .001.",
                  "各文互相矛盾（一处 0.01，一处 0.001）；论文与各库给的是 0.001。"),
        switch=T("the length of training and the model: a short run of a small model favours .01",
            "训练长短与模型：小模型短训练偏向 0.01"),
        prototype="holds",
        note=T("The prototype compared .01 with .001, where both sets of seeds agree with it; that .1 is worse is seen by one "
               "set alone.", "原型比较的是 0.01 与 0.001，两组种子都与之一致；0.1 更差则只有一组种子看到。"),
    )
)  # fmt: skip
def o31(plan: Plan) -> Outcome:
    effects = {}
    for key, task in (("100", digits(steps=100)), ("1000", digits(steps=1000)), ("deep", digits((32,) * 5, steps=600))):
        lrs = [1e-3, 1e-2, 1e-1] if key == "100" else [1e-3, 1e-2]
        found = sweep(task, "adam", lrs, plan)
        effects[key] = told(100 * (found.accuracy[1] - found.accuracy[0]))
        if key == "100":
            effects["large"] = told(100 * (found.accuracy[1] - found.accuracy[2]))
    return Outcome(effects)
