"""O14, O15: rare features, one pass over the data, excess loss over the best possible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above
from slalom.claims.lab.tasks import bernoulli, entropy, logistic
from slalom.claims.lab.training import decades, told
from slalom.claims.outcome import Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T
from slalom.engines.lanes import Lanes, lanes_of
from slalom.schedules import PolynomialDecay

FEATURES, STEPS, BATCH = 200, 400, 32
Method = tuple[str, list[float], dict[str, Any]]


def excess(
    density: float | None, methods: Mapping[str, Method], plan: Plan, decay: bool
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Excess test loss `[seeds]` of every method at its tuned rate, every seed a problem of its own; and flags for edges."""
    problems = [bernoulli(FEATURES, density, STEPS * BATCH, s, BATCH) for s in plan.seeds]
    x, y = torch.cat([p.x for p in problems]), torch.cat([p.y for p in problems])
    n, half = len(plan.seeds), plan.n
    schedule = PolynomialDecay(total=STEPS, power=1.0, final=0.0) if decay else None
    many = [
        lane for rule, lrs, given in methods.values() for lr in lrs
        for lane in lanes_of(rule, lr=lr, seed=list(plan.seeds), schedule=schedule, **given)
    ]  # fmt: skip
    made = Lanes(problems[0].make, many, loss=logistic, example=(x[:BATCH], y[:BATCH]))
    own = (torch.arange(len(many)) % n)[:, None] * STEPS * BATCH
    made.epoch(x, y, [own + torch.arange(BATCH) + BATCH * t for t in range(STEPS)])
    losses = np.full(len(many), np.inf)
    for k, p in enumerate(problems):
        losses[k::n] = made.evaluate(p.test_x, p.test_y, [logistic])[0][k::n] - entropy(p.test_y)
    losses = np.where(np.isfinite(losses), np.clip(losses, 1e-4, 1e3), 1e3)
    told_, flags, at = {}, [], 0
    for name, (_, lrs, _) in methods.items():
        table = losses[at : at + len(lrs) * n].reshape(len(lrs), n)
        at += len(lrs) * n
        best = [int(np.argmin(table[:, half:].mean(1)))] * half + [int(np.argmin(table[:, :half].mean(1)))] * half
        told_[name] = np.array([table[k, s] for s, k in enumerate(best)])
        flags += [f"{name}: lr {lrs[k]:.3g} is the edge of its grid" for k in sorted(set(best)) if k in (0, len(lrs) - 1)]
    return told_, flags


SGD: Method = ("sgd", decades(0.03, 30), {})
MOMENTUM: Method = ("momentum", decades(3e-3, 3), {})
ADAM: Method = ("adam", decades(1e-3, 0.3), {})
ADAGRAD: Method = ("adagrad", decades(0.01, 3), {})


@experiment(
    Claim(
        "O14",
        T("For sparse data use an adaptive method.", "数据稀疏时应使用自适应方法。"),
        T("Duchi, Hazan & Singer 2011.", "Duchi、Hazan 与 Singer 2011。"),
        T("Logistic regression on 200 features that are 0 or 1, one pass of 400 batches of 32, tuned constant rates: excess "
        "test loss over the true "
          "probabilities, SGD and momentum over the better of Adam and Adagrad. Dense features are for contrast.",
          "200 个 0/1 特征的逻辑回归，只过一遍 400 个大小为 32 的批量，恒定学习率已调：相对真实概率的超额测试损失，SGD、动量"
          "与 Adam、Adagrad 中较好者之比。密集特征作对照。"),
        (above("sgd", T("log2 of SGD's excess loss over the adaptive one's, Zipf frequencies", "SGD 与自适应方法超额损失之比"
            "的 log2，Zipf 频率")),
         above("momentum", T("log2 of momentum's excess loss over the adaptive one's, Zipf frequencies",
             "动量与自适应方法超额损失之比的 log2，Zipf 频率"))),
        erratum=T("torch refuses sparse gradients for Adam, AdamW, Adamax, RMSprop and Adadelta; SGD, Adagrad and SparseAdam "
            "take them. Slalom's take them all.",
                  "torch 的 Adam、AdamW、Adamax、RMSprop、Adadelta 拒绝稀疏梯度，只有 SGD、Adagrad、SparseAdam 接受；Slalom "
                  "的优化器全都接受。"),
        prototype="holds",
    )
)  # fmt: skip
def o14(plan: Plan) -> Outcome:
    found, flags = excess(None, {"sgd": SGD, "momentum": MOMENTUM, "adam": ADAM, "adagrad": ADAGRAD}, plan, False)
    best = np.minimum(found["adam"], found["adagrad"])
    effects = {k: told(np.log2(found[k] / best)) for k in ("sgd", "momentum")}
    return Outcome(effects, tuple(flags), {k: round(float(v.mean()), 4) for k, v in found.items()})


@experiment(
    Claim(
        "O15",
        T("The sparser the gradients, the more Adam beats RMSprop.", "梯度越稀疏，Adam 相对 RMSprop 的优势越大。"),
        T("Ruder 2016, after Kingma & Ba 2015, credits the bias correction.", "Ruder 2016（据 Kingma 与 Ba 2015）归因于偏差校"
        "正。"),
        T("As O14 with rates that fall to 0 linearly: log2 of RMSprop's excess loss (gamma .9) over Adam's, Zipf "
          "frequencies minus density .3; for Adam as it is (b2 = .999), and for Adam with RMSprop's memory (b2 = .9, "
          "corrected).",
          "同 O14，学习率线性降到 0：RMSprop（gamma 0.9）与 Adam 超额损失之比的 log2，Zipf 频率减密度 0.3；Adam 取原样"
          "（b2 = 0.999）与 RMSprop 的记忆长度（b2 = 0.9，有校正）。"),
        (above("b2 .999", T("RMSprop .9 over Adam .999, Zipf minus dense, log2",
                             "RMSprop 0.9 / Adam 0.999，Zipf 减密集，log2")),
         above("b2 .9", T("RMSprop .9 over Adam .9, Zipf minus dense, log2",
                           "RMSprop 0.9 / Adam 0.9，Zipf 减密集，log2"), 0.3)),
        erratum=T("It is not the bias correction: given RMSprop's short memory, Adam loses the lead, correction and all.",
                  "原因不是偏差校正：把 Adam 的记忆缩短到与 RMSprop 相同，即使有校正也失去优势。"),
        switch=T("the memory of the second moment (b2)", "二阶矩的记忆长度（b2）"),
        prototype="depends",
    )
)  # fmt: skip
def o15(plan: Plan) -> Outcome:
    methods: dict[str, Method] = {
        "rmsprop": ("rmsprop", decades(3e-3, 0.3), {"alpha": 0.9}), "b2 .999": ("adam", decades(3e-3, 0.3), {}),
        "b2 .9": ("adam", decades(3e-3, 0.3), {"b2": 0.9}),
    }  # fmt: skip
    ratio: dict[str, dict[str, np.ndarray]] = {}
    flags: list[str] = []
    for key, density in (("dense", 0.3), ("zipf", None)):
        found, edges = excess(density, methods, plan, True)
        ratio[key] = {k: np.log2(found["rmsprop"] / found[k]) for k in ("b2 .999", "b2 .9")}
        flags += [f"{key}, {e}" for e in edges]
    return Outcome({k: told(ratio["zipf"][k] - ratio["dense"][k]) for k in ("b2 .999", "b2 .9")}, tuple(flags))
