"""R5 to R9, R11, R4: what keeps a network from learning wrong labels by heart."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, within
from slalom.claims.lab.noisy import TRAIN, NoisyRun, train_noisy
from slalom.claims.lab.training import told
from slalom.claims.outcome import Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T
from slalom.engines.lanes import Lane, lanes_of
from slalom.nets import Augment, Noise, Shift, mlp
from slalom.optim import L1, L2

SETUP = T("200 digits, a fifth of the labels random, MLP 64-64-10, Adam lr .003, batch 20, 600 steps; strength chosen on "
    "noisy validation labels by "
          "the other set of seeds; clean test accuracy, paired with no regularisation.",
          "200 个手写数字，五分之一标签随机，MLP 64-64-10，Adam lr = 0.003，批量 20，600 步；强度由另一组种子按带噪验证标签选"
          "出；干净测试准确率与不加正则时配对比较。")  # fmt: skip
LR, STEPS = 3e-3, 600


def lane(rule: str = "adam", **given: Any) -> Callable[[int], Lane]:
    """A function from seed to lane."""
    return lambda seed: lanes_of(rule, lr=LR, seed=seed, **given)[0]


@lru_cache(maxsize=4)
def plain(plan: Plan) -> NoisyRun:
    """No regularisation."""
    return train_noisy(plan, [lane()], STEPS)


def gain(plan: Plan, found: NoisyRun) -> tuple[float, ...]:
    """Percentage points over no regularisation, seed by seed."""
    return told(100 * (found.at_best() - plain(plan).at_best()))


def network(width: int = 64, dropout: float = 0.0, norm: bool = False) -> Callable[[], nn.Module]:
    """An MLP 64-width-10."""
    return lambda: mlp((64,), (width,), 10, dropout=dropout, batchnorm=norm)


def best_of(runs: list[NoisyRun]) -> NoisyRun:
    """Runs of different networks as settings of one."""
    test, val, train = (np.concatenate([getattr(r, k) for r in runs]) for k in ("test", "val", "train"))
    return NoisyRun(test, val, train)


def points(key: str, en: str, zh: str) -> Any:
    return above(key, T(f"accuracy gained, {en}, percentage points", f"准确率提高，{zh}，百分点"))


@experiment(
    Claim(
        "R5", T("Dropout reduces overfitting.", "Dropout 能减轻过拟合。"), T("Srivastava et al. 2014.",
        "Srivastava 等 2014。"), SETUP,
        (points("dropout", "dropout .2 or .5", "dropout 0.2 或 0.5"),), prototype="holds",
    )
)  # fmt: skip
def r5(plan: Plan) -> Outcome:
    runs = [train_noisy(plan, [lane()], STEPS, network(dropout=p)) for p in (0.2, 0.5)]
    return Outcome({"dropout": gain(plan, best_of(runs))})


@experiment(
    Claim(
        "R6", T("L2 and L1 penalties reduce overfitting.", "L2 和 L1 惩罚能减轻过拟合。"),
        T("Hoerl & Kennard 1970; Tibshirani 1996.", "Hoerl 与 Kennard 1970；Tibshirani 1996。"), SETUP,
        (points("L2", "L2", "L2"), points("L1", "L1, proximal", "L1（近端）")), prototype="holds",
        erratum=T("Weight decay equals L2 in the loss for plain SGD only, and never L1.", "权重衰减只对普通 SGD 等价于损失中"
            "的 L2，与 L1 从不等价。"),
    )
)  # fmt: skip
def r6(plan: Plan) -> Outcome:
    l2 = train_noisy(plan, [lane(penalty=L2(s)) for s in (0.01, 0.03, 0.1)], STEPS)
    l1 = train_noisy(plan, [lane(penalty=L1(s)) for s in (0.001, 0.003, 0.01)], STEPS)
    return Outcome({"L2": gain(plan, l2), "L1": gain(plan, l1)})


@experiment(
    Claim(
        "R7", T("Early stopping reduces overfitting.", "早停能减轻过拟合。"), T("Prechelt 1998.", "Prechelt 1998。"),
        T(SETUP.en + " 40 of the 200 samples are held out to stop by, patience 5 epochs.", SETUP.zh + "从 200 个样本中留出 "
        "40 个用于早停，耐心为 5 轮。"),
        (points("stopping", "early stopping", "早停"),), prototype="holds",
    )
)  # fmt: skip
def r7(plan: Plan) -> Outcome:
    return Outcome({"stopping": gain(plan, train_noisy(plan, [lane()], STEPS, stopping=5))})


def images(transform: Any) -> Augment:
    """A transform of images for rows of 64 pixels."""

    def as_images(x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, y = transform(x.reshape(-1, 1, 8, 8), y, generator)
        return x.flatten(1), y

    return Augment(as_images)


def wrapped(x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Shifts by up to two pixels that come in again on the other side."""
    down, along = (int(v) for v in torch.randint(-2, 3, (2,), generator=generator))
    return x.roll((down, along), (-2, -1)), y


@experiment(
    Claim(
        "R8", T("More data and augmentation reduce overfitting.", "更多数据和数据增强能减轻过拟合。"),
        T("Common ground; an augmentation helps where the label does not change under it.", "公认；只有当变换不改变标签时，增"
        "强才有用。"), SETUP,
        (points("data", "three times the data", "三倍数据"), points("noise", "Gaussian noise .3", "高斯噪声 0.3"),
         points("shift", "shifts by 1 pixel, padded", "平移 1 像素，补零"), points("wrapped", "shifts by up to 2 pixels, "
             "wrapped round", "平移至多 2 像素，首尾相接")),
        switch=T("whether the task is invariant to the transformation", "任务对该变换是否不变"), prototype="depends",
    )
)  # fmt: skip
def r8(plan: Plan) -> Outcome:
    effects = {"data": gain(plan, train_noisy(plan, [lane()], STEPS, samples=3 * TRAIN))}
    for key, augment in (("noise", Augment(Noise(0.3))), ("shift", images(Shift(1))), ("wrapped", images(wrapped))):
        effects[key] = gain(plan, train_noisy(plan, [lane()], STEPS, augment=augment))
    return Outcome(effects)


@experiment(
    Claim(
        "R9", T("A smaller network reduces overfitting.", "更小的网络能减轻过拟合。"),
        T("Classical; against it: double descent (Belkin et al. 2019).", "传统观点；反例：双下降（Belkin 等 2019）。"),
        T(SETUP.en + " And after 250 steps, which is stopping short.", SETUP.zh + "以及只训练 250 步（即提前停止）的情形。"),
        (points("width 12", "width 12 for 64, 600 steps", "宽度 12 代替 64，600 步"),
         points("short", "width 12 for 64, 250 steps", "宽度 12 代替 64，250 步")),
        switch=T("whether training runs to overfitting", "训练是否长到过拟合"), prototype="fails",
        note=T("The prototype's runs ended before they overfitted, as the short ones here; `python -m benchmarks "
            "regularisation` "
               "runs to overfitting and agrees with the long ones.",
               "原型的训练在过拟合之前就结束了，与这里的短训练一致；`python -m benchmarks regularisation` "
               "训练到过拟合，与长训练一致。"),
    )
)  # fmt: skip
def r9(plan: Plan) -> Outcome:
    long = gain(plan, train_noisy(plan, [lane()], STEPS, network(12)))
    small, whole = (train_noisy(plan, [lane()], 250, network(w)).test[0] for w in (12, 64))
    return Outcome({"width 12": long, "short": told(100 * (small - whole))})


@experiment(
    Claim(
        "R11", T("Batch normalisation regularises.", "批归一化有正则化作用。"), T("Luo et al. 2019: mildly.",
        "Luo 等 2019：作用轻微。"), SETUP,
        (points("bn", "BN, batch 20", "BN，批量 20"), points("bn 50", "BN, batch 50", "BN，批量 50")), prototype="fails",
    )
)  # fmt: skip
def r11(plan: Plan) -> Outcome:
    effects = {"bn": gain(plan, train_noisy(plan, [lane()], STEPS, network(norm=True)))}
    base = train_noisy(plan, [lane()], STEPS, batch=50)
    norm = train_noisy(plan, [lane()], STEPS, network(norm=True), batch=50)
    return Outcome({**effects, "bn 50": told(100 * (norm.at_best() - base.at_best()))})


@experiment(
    Claim(
        "R4", T("Weight decay spares biases, since they do not overfit.", "权重衰减不作用于偏置，因为偏置不会过拟合。"),
        T("He et al. 2019 (tricks). torch decays them unless told otherwise (pytorch#2639, #1402).", "He 等 2019（技巧）。"
        "torch 默认会衰减偏置（pytorch#2639、#1402）。"),
        T("Noisy digits with AdamW, decay 3, on everything and on weights alone: test accuracy. Then ridge on targets lifted "
        "by 5: test error of the "
          "decayed bias over the spared one.",
          "带噪手写数字，AdamW 衰减 3，作用于全部参数或仅作用于权重：测试准确率；再在整体抬高 5 的目标上做岭回归：偏置被衰减"
          "与不被衰减的测试误差之比。"),
        (within("digits", T("accuracy gained by sparing biases, noisy digits, percentage points", "带噪手写数字上不衰减偏置的"
            "准确率提高，百分点"), 1.0),
         above("offset", T("log10 of the test error with a decayed bias over a spared one, lifted targets",
             "抬高目标上偏置被衰减与不被衰减的测试误差之比的常用对数"), 0.3)),
        switch=T("where the targets lie: centred or not", "目标是否居中"),
        erratum=T("Biases can be harmed by decay where targets are far from 0; on centred tasks it makes no difference to "
            "speak of.",
                  "当目标远离 0 时衰减偏置会带来损害；在居中的任务上几乎没有差别。"),
    )
)  # fmt: skip
def r4(plan: Plan) -> Outcome:
    every = train_noisy(plan, [lane("adamw", weight_decay=3.0)], STEPS)
    spared = _spared(plan)
    errors = []
    for seed in plan.seeds:
        rng = np.random.default_rng(seed)
        x, w = rng.standard_normal((60, 5)), rng.standard_normal(5)
        y = x @ w + 5 + 0.3 * rng.standard_normal(60)
        tx, ty = x[30:], y[30:]
        one = np.c_[x[:30], np.ones(30)]
        found = []
        for penalty in (np.eye(6), np.diag([1.0] * 5 + [0.0])):
            beta = np.linalg.solve(one.T @ one + 3 * penalty, one.T @ y[:30])
            found.append(float(np.mean((np.c_[tx, np.ones(30)] @ beta - ty) ** 2)))
        errors.append(float(np.log10(found[0] / found[1])))
    return Outcome({"digits": told(100 * (spared - every.test[0])), "offset": tuple(errors)})


def _spared(plan: Plan) -> np.ndarray:
    """AdamW with decay groups, seed by seed: the biases keep theirs."""
    from slalom import optim
    from slalom.claims.lab.noisy import BATCH, block, parts

    _, _, (tx, ty) = parts()
    made = []
    for seed in plan.seeds:
        torch.manual_seed(seed)
        net = network()()
        x, y = block(seed, TRAIN)
        optimizer = optim.AdamW(optim.decay_groups(net, 3.0), lr=LR)
        each = TRAIN // BATCH
        for epoch in range(STEPS // each):
            order = torch.randperm(TRAIN, generator=torch.Generator().manual_seed(1000 * seed + epoch))
            for rows in torch.split(order, BATCH):
                optimizer.zero_grad()
                nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        with torch.no_grad():
            made.append(float((net(tx).argmax(1) == ty).double().mean()))
    return np.array(made)
