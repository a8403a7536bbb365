"""L4, L8, L11, L12, L13: choosing a rate, reading a curve, finding what is wrong."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import nn

import slalom
from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below
from slalom.claims.lab.noisy import train_noisy
from slalom.claims.lab.tasks import digits
from slalom.claims.lab.training import WORST, Task, decades, sweep, told
from slalom.claims.outcome import Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T
from slalom.data import load
from slalom.doctor import read_curve
from slalom.engines.lanes import lanes_of
from slalom.nets import mlp


@experiment(
    Claim(
        "L4", T("The learning rate is the most important hyperparameter; capacity peaks at the best rate.",
        "学习率是最重要的超参数；有效容量在最佳学习率处最大。"), T("Goodfellow, Bengio & Courville 2016, section 11.4.",
        "Goodfellow、Bengio 与 Courville 2016 第 11.4 节。"),
        T("Noisy digits with AdamW, 200 steps: rates from .0003 to .03, decays from .001 to 1, widths 32 and 128 (usual), "
        "and with "
          "decay 10 and width 8 as well (wide): standard deviation of the mean accuracy along the rates minus that along the "
          "decays, "
          "and along the widths.",
          "带噪手写数字，AdamW，200 步：学习率 0.0003–0.03，衰减 0.001–1，宽度 32 与 128（常用范围），以及再加上衰减 10 与宽"
          "度 8"
          "（宽范围）：平均准确率沿学习率的标准差减去沿衰减、沿宽度的标准差。"),
        tuple(above(f"{r} {k}", T(f"spread along rates minus along {en}, {r} ranges, percentage points",
                                  f"沿学习率的离散减沿{zh}的离散，{z}范围，百分点"))
              for r, z in (("usual", "常用"), ("wide", "宽")) for k, en, zh in (("decay", "decays", "衰减"), ("width",
                  "widths", "宽度"))),
        switch=T("the ranges that are compared", "所比较的取值范围"), prototype="holds", seeds=3,
        note=T("The prototype compared usual ranges, where the claim holds here too.", "原型比较的是常用范围；在该范围内命题"
            "在这里也成立。"),
    )
)  # fmt: skip
def l4(plan: Plan) -> Outcome:
    lrs, decays, widths = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2), (0.001, 0.01, 0.1, 1.0, 10.0), (8, 32, 128)
    tables = []
    for width in widths:
        settings = [(lambda s, lr=lr, wd=wd: lanes_of("adamw", lr=lr, weight_decay=wd, seed=s)[0]) for lr in lrs for wd in decays]
        found = train_noisy(plan, settings, 200, lambda width=width: mlp((64,), (width,), 10))  # type: ignore[misc]
        tables.append(100 * found.test.reshape(len(lrs), len(decays), -1))
    wide = np.stack(tables)  # [widths, rates, decays, seeds]
    effects: dict[str, tuple[float, ...]] = {}
    for name, cube in (("usual", wide[1:, :, :-1]), ("wide", wide)):
        spread = {"width": cube.mean((1, 2)).std(0), "lr": cube.mean((0, 2)).std(0), "decay": cube.mean((0, 1)).std(0)}
        effects |= {f"{name} {k}": told(spread["lr"] - spread[k]) for k in ("decay", "width")}
    return Outcome(effects)


CASES = (("sgd 64", "sgd", 64, decades(0.03, 10, 4)), ("sgd 16", "sgd", 16, decades(0.01, 3, 4)),
         ("adam 64", "adam", 64, decades(1e-3, 0.3, 4)), ("adam 16", "adam", 16, decades(3e-4, 0.1, 4)))  # fmt: skip


@experiment(
    Claim(
        "L8", T("The best learning rate is where the loss falls most steeply in a range test.", "最佳学习率就是范围测试中损失"
        "下降最陡处。"), T("Smith 2017. fastai offers steepest, minimum / 10 and valley.", "Smith 2017。fastai 提供最陡、最小"
        "值/10 与 valley 三种。"),
        T("Digits, SGD and Adam at batch 64 and 16, one-pass test of 100 steps (median of two runs a seed): accuracy after "
        "300 steps at the suggested rate below the best of a grid, and |log10| of suggested over best.",
          "手写数字，SGD 与 Adam，批量 64 与 16，一次性范围测试 100 步（每个种子取两次的中位数）：按建议学习率训练 300 步的准"
          "确率低于网格最佳多少，以及建议与最佳之比的常用对数绝对值。"),
        (*(below(f"accuracy {n}", T(f"accuracy lost, {n}, percentage points", f"准确率损失，{n}，百分点"), 1.5)
           for n, *_ in CASES),
         *(below(f"ratio {n}", T(f"|log10| of suggested over best rate, {n}", f"建议与最佳学习率之比常用对数的绝对值，{n}"),
             0.15) for n, *_ in CASES[::2])),
        erratum=T("A fair heuristic for a rate that works, not the best rate. Slalom's own test trains at many rates side by "
            "side instead.", "它是找到可用学习率的不错的经验法则，而不是最佳学习率。Slalom 自己的测试改为并排训练多个学习率。"),
        switch=T("\"works\" or \"best\"", "“可用”还是“最佳”"), prototype="depends", seeds=3,
    )
)  # fmt: skip
def l8(plan: Plan) -> Outcome:
    effects: dict[str, tuple[float, ...]] = {}
    chosen: dict[str, Any] = {}
    for name, rule, batch, lrs in CASES:
        task = digits(batch=batch)
        grid = sweep(task, rule, lrs, plan)
        best = grid.chosen(-grid.accuracy)
        suggested = []
        for seed in plan.seeds:
            found = slalom.range_test(
                task.make,
                (task.x.numpy(), task.y.numpy()),
                optimizer=rule,
                method="sweep",
                seeds=[seed, seed + 100],
                batch_size=batch,
                scale=False,
            )
            suggested.append(found.suggestions.get("steepest") or found.suggestion or lrs[0])
        # what accuracy the suggested rate gets: read off the grid, between its rates on a log axis
        where = [float(np.interp(np.log10(s), np.log10(lrs), grid.accuracy[:, k])) for k, s in enumerate(suggested)]
        top = grid.at_best(grid.accuracy, -grid.accuracy)
        effects[f"accuracy {name}"] = told(100 * (top - np.array(where)))
        effects[f"ratio {name}"] = tuple(abs(float(np.log10(s / lrs[k]))) for s, k in zip(suggested, best, strict=True))
        chosen[name] = [round(float(np.median(suggested)), 5), grid.best_lrs(-grid.accuracy)]
    return Outcome(
        {k: v for k, v in effects.items() if k in {f"accuracy {n}" for n, *_ in CASES} | {f"ratio {n}" for n, *_ in CASES[::2]}},
        settings=chosen,
    )


@experiment(
    Claim(
        "L11", T("A curve tells the rate: a rise at the start - too large; fast, then flat - too large late; slow throughout "
        "- too small.", "曲线能说明学习率：开头上升表示太大；先快后平表示后期太大；一直缓慢表示太小。"), T(
        "Course notes (CS231n and its kin); no study.", "课程讲义（CS231n 等）；没有专门研究。"),
        T("Digits with SGD at .01, 1 and 100 times a good rate (1.0), 200 steps: share of runs whose curve "
        "`slalom.doctor.read_curve` reads as too small, neither, and too large.",
          "手写数字，SGD，学习率为良好值（1.0）的 0.01、1、100 倍，200 步：`slalom.doctor.read_curve` 读出“太小”“都不是”“太"
          "大”的比例。"),
        (above("small", T("share read right, rate too small", "判断正确的比例，学习率太小"), 0.9), above("good", T(
            "share read right, good rate", "判断正确的比例，学习率合适"), 0.9),
         above("large", T("share read right, rate too large", "判断正确的比例，学习率太大"), 0.9)),
        erratum=T("\"Flat\" also means converged: the curve alone cannot tell, a run at a lower rate can.",
            "“变平”也可能是已收敛：单看曲线无法区分，降低学习率试一下才能知道。"),
        switch=T("the rate: too small and far too large are read, flat ones stay open", "学习率：太小与过大可读出，变平的情形"
            "无法判定"),
    )
)  # fmt: skip
def l11(plan: Plan) -> Outcome:
    task = digits(steps=200)
    many = [0.007, 0.01, 0.014, 0.7, 1.0, 1.4, 70.0, 100.0, 140.0]
    found = sweep(task, "sgd", many, plan)
    share: dict[str, list[float]] = {"small": [], "good": [], "large": []}
    for s in range(len(plan.seeds)):
        read = [read_curve(found.curve[:, k, s], lr=many[k]) for k in range(len(many))]
        causes = [r.cause for r in read]
        share["small"].append(float(np.mean([c == "lr_too_low" for c in causes[:3]])))
        share["good"].append(
            float(np.mean([c not in ("lr_too_low", "lr_too_high", "lr_too_high_late", "divergence") for c in causes[3:6]]))
        )
        share["large"].append(float(np.mean([c in ("lr_too_high", "lr_too_high_late", "divergence") for c in causes[6:]])))
    return Outcome({k: tuple(v) for k, v in share.items()}, settings={"shapes": sorted({str(r.shape) for r in read})})


@lru_cache(maxsize=1)
def _raw() -> tuple[Task, Task]:
    made = []
    for scale in (True, False):
        data = load("breast_cancer", scale=scale)
        x, y = torch.cat([data.val.x, data.test.x]), torch.cat([data.val.y, data.test.y])
        made.append(Task(data.train.x, data.train.y, x, y, lambda: mlp((30,), (32, 32), 2), 32, 150))
    return made[0], made[1]


def _zeros() -> nn.Module:
    net = mlp((30,), (32, 32), 2)
    for p in net.parameters():
        nn.init.zeros_(p)
    return net


@experiment(
    Claim(
        "L12", T("If it does not converge, check batch size, normalisation, learning rate and initialisation.",
        "不收敛时，应检查批量大小、归一化、学习率和初始化。"), T("Common ground.", "公认。"),
        T("Breast cancer table, MLP 30-32-32-2, SGD lr .1, batch 32, 150 steps; one thing broken at a time - full batch, "
        "inputs not scaled, lr a thousandth, all weights 0 - with the rate tuned again, except where it is "
          "the rate: accuracy lost.",
          "乳腺癌表格，MLP 30-32-32-2，SGD lr = 0.1，批量 32，150 步；每次破坏一项（全批量、输入不缩放、学习率千分之一、权重"
          "全零），除学习率一项外都重新调学习率：准确率损失。"),
        tuple(above(k, T(f"accuracy lost, {en}, percentage points", f"准确率损失，{zh}，百分点"), 1.0)
              for k, en, zh in (("batch", "full batch", "全批量"), ("scale", "inputs not scaled", "输入不缩放"), ("lr",
                  "lr a thousandth", "学习率千分之一"), ("init", "weights all 0", "权重全零"))),
        switch=T("which of the four: a full batch does no harm on a small table", "四项中的哪一项：在小表格上全批量无害"),
    )
)  # fmt: skip
def l12(plan: Plan) -> Outcome:
    good, raw = _raw()
    lrs = decades(1e-4, 1, 1)
    base = _best(good, lrs, plan)
    full = Task(good.x, good.y, good.test_x, good.test_y, good.make, len(good.x), 150)
    broken = {
        "batch": _best(full, lrs, plan), "scale": _best(raw, decades(1e-7, 1, 1), plan),
        "lr": sweep(good, "sgd", [1e-4], plan).accuracy[0], "init": _best(good, lrs, plan, _zeros),
    }  # fmt: skip
    return Outcome({k: told(100 * (base - v)) for k, v in broken.items()})


def _best(task: Task, lrs: list[float], plan: Plan, make: Any = None) -> np.ndarray:
    found = sweep(task, "sgd", lrs, plan, make)
    merit = np.where(found.loss < WORST, -found.accuracy, 1.0)
    return found.at_best(found.accuracy, merit)


@experiment(
    Claim(
        "L13", T("A large learning rate is more sensitive to outliers.", "学习率越大，对离群点越敏感。"), T(
        "Plausible; no source given.", "可信；原文未给出处。"),
        T("Linear regression, 20 features, SGD batch 8, 300 steps, one sample in a hundred with a target twenty times as "
        "large: log10 of the test error with outliers over that without, lr .05 minus lr .005; the same with "
          "gradients clipped at 1.",
          "线性回归，20 个特征，SGD 批量 8，300 步，百分之一样本的目标放大二十倍：有无离群点时测试误差之比的常用对数，lr = "
          "0.05 减 lr = 0.005；以及梯度裁剪到 1 时的同一差值。"),
        (above("plain", T("harm at lr .05 minus harm at lr .005, log10", "lr 0.05 的损害减 lr 0.005 的损害，常用对数")),
         below("clipped", T("harm at lr .05 with clipping minus without, log10", "lr 0.05 裁剪与不裁剪的损害之差，常用对数"),
             0.0)),
        note=T("Clipping helps, as the second line says; the claim is the first.", "如第二行所示，裁剪有帮助；命题本身是第一"
            "行。"),
    )
)  # fmt: skip
def l13(plan: Plan) -> Outcome:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((800, 20)).astype(np.float32)
    y = (x @ rng.standard_normal((20, 1)) + 0.3 * rng.standard_normal((800, 1))).astype(np.float32)
    spoilt = y.copy()
    spoilt[:400:100] *= 20
    harm: dict[tuple[float, float | None], np.ndarray] = {}
    tx = torch.tensor(x)
    tasks = [
        Task(tx[:400], torch.tensor(v)[:400], tx[400:], torch.tensor(y)[400:], lambda: nn.Linear(20, 1), 8, 300, "mse")
        for v in (spoilt, y)
    ]
    for clip in (None, 1.0):
        bad, fine = (sweep(t, "sgd", [0.005, 0.05], plan, clip=clip).accuracy for t in tasks)
        for k, lr in enumerate((0.005, 0.05)):
            harm[lr, clip] = np.log10(np.maximum(bad[k], 1e-9) / np.maximum(fine[k], 1e-9))
    return Outcome({"plain": told(harm[0.05, None] - harm[0.005, None]), "clipped": told(harm[0.05, 1.0] - harm[0.05, None])})
