"""L3, L14: two wells of different depth, and what rates and schedules can do about the wrong one."""

from __future__ import annotations

from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above
from slalom.claims.optimizers.batches import share_deep
from slalom.claims.outcome import Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T
from slalom.schedules import Cosine, OneCycle, StepDecay


@experiment(
    Claim(
        "L3", T("A small learning rate is trapped in local minima; a large one jumps out.", "学习率小会困在局部极小，学习率大"
        "则能跳出。"),
        T("Plausible in one dimension; no general result.", "一维情形可信；没有一般性结论。"),
        T("Two wells, started in the shallow one, 300 steps, normal noise of 3 on the gradient or none: share that ends in "
        "the deep well at lr .15 minus that at "
          "lr .01.",
          "双井势从浅井出发，300 步，梯度带标准差 3 的噪声或无噪声：lr = 0.15 与 lr = 0.01 落入深井的比例之差。"),
        (above("noise", T("share in the deep well, lr .15 minus lr .01, noise 3", "落入深井的比例，lr 0.15 减 0.01，噪声 3"),
            0.2),
         above("no noise", T("share in the deep well, lr .15 minus lr .01, no noise", "落入深井的比例，lr 0.15 减 0.01，无噪"
             "声"), 0.2)),
        erratum=T("The same text says that a low rate helps to reach the global minimum. It is noise times rate that jumps; "
            "without noise a rate this size stays.",
                  "同一篇文章又说低学习率有助于到达全局最小。真正让它跳出的是噪声乘学习率；没有噪声，这样大小的学习率也会留在"
                  "原处。"),
        switch=T("noise on the gradient", "梯度噪声"),
    )
)  # fmt: skip
def l3(plan: Plan) -> Outcome:
    effects = {}
    for key, noise in (("noise", 3.0), ("no noise", 0.0)):
        small, large = share_deep(plan, noise, 0.01), share_deep(plan, noise, 0.15)
        effects[key] = tuple(b - a for a, b in zip(small, large, strict=True))
    return Outcome(effects)


SCHEDULES = {
    "cosine": ("cosine", "余弦", Cosine(300)), "step": ("step decay", "阶梯衰减", StepDecay(0.5, every=60)),
    "one-cycle": ("one-cycle", "单周期", OneCycle(300, momenta=None)),
}  # fmt: skip


@experiment(
    Claim(
        "L14", T("A good learning-rate schedule secures the global optimum.", "好的学习率计划能保证找到全局最优。"),
        T("False for functions that are not convex.", "对非凸函数不成立。"),
        T("Two wells from the shallow one, lr .15, noise 1, three schedules, 300 steps: share that ends in the deep well. "
        "Secured: 99 % and more.",
          "双井势从浅井出发，lr = 0.15，噪声 1，三种计划，300 步：落入深井的比例。“保证”指不少于 99%。"),
        tuple(above(k, T(f"share in the deep well, {en}", f"落入深井的比例，{zh}"), 0.99) for k, (en, zh, _) in SCHEDULES.items(
            )),
        erratum=T("No schedule can: a counter-example is enough.", "没有哪种计划能做到：一个反例足矣。"),
        prototype=None,
    )
)  # fmt: skip
def l14(plan: Plan) -> Outcome:
    return Outcome({k: share_deep(plan, 1.0, 0.15, schedule=s) for k, (_, _, s) in SCHEDULES.items()})
