"""O26, O28, O32: Adam's moments - their start at zero, other norms than the second, and where Adam ends wrong."""

from __future__ import annotations

import torch
from torch import Tensor

from slalom import optim
from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below, control
from slalom.claims.lab.sequences import follow
from slalom.claims.lab.tasks import digits
from slalom.claims.lab.training import decades, sweep, told
from slalom.claims.outcome import Lines, Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T


@experiment(
    Claim(
        "O26",
        T("Adam's moments start at 0 and are biased towards it; they must be corrected.", "Adam 的矩从 0 起步、偏向 0，因此必"
        "须校正。"),
        T("Exact: the bias is the factor 1 - beta^t (Kingma & Ba 2015, section 3).", "精确结果：偏差因子为 1 - beta^t（"
        "Kingma 与 Ba 2015 第 3 节）。"),
        T("A constant gradient: the corrected m must equal it at every step. Then digits: final training loss of Adam with "
        "and without "
          "correction, each at its own tuned rate, and at lr .003.",
          "恒定梯度下，校正后的 m 在每一步都应等于它。再看手写数字：Adam 有、无校正时的最终训练损失，分别在各自调好的学习率和"
          " lr = 0.003 处比较。"),
        (below("bias", T("corrected first moment against the gradient: largest relative difference",
            "校正后的一阶矩与梯度的最大相对差"), 1e-12),
         above("harm, tuned", T("log10 loss ratio, without / with correction, tuned", "最终损失之比的常用对数，无校正 / 有校"
             "正，已调参")),
         above("harm, lr .003", T("log10 loss ratio, without / with correction, lr .003", "最终损失之比的常用对数，无校正 / "
             "有校正，lr = 0.003"))),
        switch=T("whether the bias or its harm is meant, and the length of the run: without correction the first steps are "
            "larger, which "
                 "helps a short run at a small rate",
                 "说的是偏差本身还是它的危害，以及训练长短：不校正时最初的步子更大，这对小学习率的短训练反而有利"),
        prototype="depends",
    )
)  # fmt: skip
def o26(plan: Plan) -> Outcome:
    ones = 3.0 * torch.ones(100, 1, dtype=torch.float64)
    _, adam = follow(lambda p: optim.Adam(p, lr=0.1), ones)
    (state,) = adam.state.values()
    bias = abs(float(state["exp_avg"]) / (1 - 0.9**100) / 3.0 - 1)
    task, lrs = digits(), decades(1e-3, 1e-1, 4)
    on, off = (sweep(task, "adam", lrs, plan, bias_correction=b) for b in (True, False))
    at = min(range(len(lrs)), key=lambda k: abs(lrs[k] - 0.003))
    ratio = [_log(off.at_best(off.loss)) - _log(on.at_best(on.loss)), _log(off.loss[at]) - _log(on.loss[at])]
    lines = Lines(
        tuple(lrs), {"corrected": told(on.loss.mean(1)), "not corrected": told(off.loss.mean(1))}, ("learning rate",
            "学习率"),
        ("final training loss", "最终训练损失"), True, True,
    )  # fmt: skip
    effects = {"bias": (bias,), "harm, tuned": told(ratio[0].numpy()), "harm, lr .003": told(ratio[1].numpy())}
    return Outcome(effects, (*on.edge("corrected"), *off.edge("not corrected")), {"lr": [on.best_lrs(), off.best_lrs()]}, lines)


def _log(values: object) -> Tensor:
    return torch.log10(torch.as_tensor(values))


@experiment(
    Claim(
        "O28",
        T("Adam divides by an L2 history; large-p norms are unstable, the limit L-infinity (AdaMax) is stable and needs no "
        "correction.",
          "Adam 除以 L2 历史；p 很大的范数不稳定，而极限 L∞（AdaMax）稳定，且无需校正。"),
        T("Kingma & Ba 2015, section 7.", "Kingma 与 Ba 2015 第 7 节。"),
        T("float32 gradients of 1e-6 to 1e3: v = b v + (1 - b) |g|^p and its p-th root as written, for p = 2 to 32, and the "
        "running "
          "maximum. Share of coordinates whose root is 0 or infinite. Then u of AdaMax on a constant gradient against that "
          "gradient.",
          "float32 梯度从 1e-6 到 1e3：按原式计算 v = b v + (1 - b)|g|^p 及其 p 次根（p = 2 到 32），并与滑动最大值比较；统计"
          "根为 0 或无穷的坐标比例。再在恒定梯度上检查 AdaMax 的 u。"),
        (above("p = 32", T("share of coordinates lost at p = 32", "p = 32 时失效坐标的比例"), 0.2),
         above("p = 16", T("share of coordinates lost at p = 16", "p = 16 时失效坐标的比例"), 0.1),
         below("max", T("share of coordinates lost by the running maximum", "滑动最大值失效坐标的比例"), 1e-9),
         below("u", T("AdaMax's u against a constant gradient: relative difference", "AdaMax 的 u 与恒定梯度的相对差"),
             1e-12),
         control(below("p = 2", T("share of coordinates lost at p = 2", "p = 2 时失效坐标的比例"), 1e-9))),
        erratum=T("What needs no correction is the norm u. The first moment m of AdaMax still does, and is corrected in the "
            "paper.",
                  "无需校正的是范数 u；AdaMax 的一阶矩 m 仍然需要校正，论文里也做了校正。"),
        note=T("Slalom's lp_adam rescales before the power, which is the same number without the overflow.",
               "Slalom 的 lp_adam 在乘方之前先缩放，数值相同而不会溢出。"),
        seeds=1, kind="exact",
    )
)  # fmt: skip
def o28(plan: Plan) -> Outcome:
    g = torch.logspace(-6, 3, 91, dtype=torch.float32)
    lost = {p: _lost(g, p) for p in (2, 4, 8, 16, 32)}
    top = torch.zeros_like(g)
    for _ in range(100):
        top = torch.maximum(0.999 * top, g)
    ones = 3.0 * torch.ones(100, 1, dtype=torch.float64)
    _, adamax = follow(lambda p: optim.Adamax(p, lr=0.1, eps=0.0), ones)
    (state,) = adamax.state.values()
    effects = {
        "p = 2": (lost[2],), "p = 16": (lost[16],), "p = 32": (lost[32],), "max": (float((top == 0).float().mean()),),
        "u": (abs(float(state["exp_inf"]) / 3.0 - 1),),
    }  # fmt: skip
    lines = Lines(tuple(map(float, lost)), {"lost": tuple(lost.values())}, ("order p", "阶 p"), ("share lost", "失效比例"), True)
    return Outcome(effects, lines=lines)


def _lost(g: Tensor, p: int) -> float:
    keep = 0.999**p
    v = torch.zeros_like(g)
    for _ in range(100):
        v = keep * v + (1 - keep) * g**p
    root = v ** (1 / p)
    return float((~torch.isfinite(root) | (root == 0)).float().mean())


@experiment(
    Claim(
        "O32",
        T("Adam may not converge.", "Adam 可能不收敛。"),
        T("Reddi, Kale & Kumar 2018, section 3: a one-dimensional convex problem on which Adam ends at the worst point.",
          "Reddi、Kale 与 Kumar 2018 第 3 节：一个一维凸问题，Adam 停在最差点。"),
        T("Their problem: every third gradient is C = 3, the others -1, on [-1, 1], so that -1 is best. b1 = 0, b2 = 1 / (1 "
        "+ C^2), "
          "lr .1 / sqrt(t), 6000 steps; AMSGrad, and b2 = .999, for contrast.",
          "原文的问题：每三个梯度中一个是 C = 3，其余是 -1，区间 [-1, 1]，最优点为 -1。b1 = 0，b2 = 1/(1 + C²)，lr = "
          "0.1/sqrt(t)，6000 步；并用 AMSGrad 和 b2 = 0.999 作对照。"),
        (above("adam", T("where Adam ends (1 is worst)", "Adam 的终点（1 为最差）"), 0.9),
         control(below("amsgrad", T("where AMSGrad ends", "AMSGrad 的终点"), -0.9)),
         control(below("long memory", T("where Adam with b2 = .999 ends", "b2 = 0.999 的 Adam 的终点"), -0.9))),
        note=T("A short memory is what does it: with b2 = .999 the same problem is solved. It says that Adam can fail, not "
            "that it does.",
               "根源在记忆太短：取 b2 = 0.999，同一问题便能解出。它说明 Adam 可能失败，而不是经常失败。"),
        seeds=1, kind="exact",
    )
)  # fmt: skip
def o32(plan: Plan) -> Outcome:
    ends = {}
    for name, b2, amsgrad in (("adam", 0.1, False), ("amsgrad", 0.1, True), ("long memory", 0.999, False)):
        p = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
        optimizer = optim.Adam([p], lr=0.1, betas=(0.0, b2), amsgrad=amsgrad, bias_correction=False)
        for t in range(1, 6001):
            optimizer.param_groups[0]["lr"] = 0.1 / t**0.5
            p.grad = torch.full_like(p, 3.0 if t % 3 == 1 else -1.0)
            optimizer.step()
            with torch.no_grad():
                p.clamp_(-1, 1)
        ends[name] = (float(p.detach()),)
    return Outcome(ends)


@experiment(
    Claim(
        "O29",
        T("Adam bounds its steps, so it does not come to rest at saddle points.", "Adam 的步长有界，因此不会停在鞍点。"),
        T("Kingma & Ba 2015, section 2.1, bound the step by about lr; nothing there concerns saddles.",
          "Kingma 与 Ba 2015 第 2.1 节给出步长约以 lr 为界；其中没有关于鞍点的结论。"),
        T("Largest step over lr while training on digits at lr .01. Then x^2 - y^2 from a point exactly on the ridge, y = 0, "
        "2000 steps.",
          "以 lr = 0.01 训练手写数字时最大步长与 lr 之比；再从 x² - y² 的脊线上（y = 0）出发走 2000 步。"),
        (below("step", T("largest step of a weight / lr", "单个权重的最大步长 / lr"), 3.2),
         above("leaves", T("|y| after 2000 steps from the exact ridge", "从精确脊线出发 2000 步后的 |y|"), 1e-3),
         control(above("beside", T("|y| after 2000 steps from 1e-6 beside it", "从旁边 1e-6 处出发 2000 步后的 |y|"), 1.0))),
        erratum=T("Where the gradient's component is 0, so is Adam's step along it: 0 / (0 + eps). Every first-order method "
            "stops on the exact "
                  "ridge, and every one leaves from beside it.",
                  "梯度某一分量为 0 时，Adam 在该方向上的步长也是 0（0/(0 + eps)）。任何一阶方法都会停在精确的脊线上，也都会"
                  "从旁边离开。"),
        switch=T("the two halves of the sentence: the bound is true, the saddle is not", "句子的两半：步长有界为真，鞍点之说"
            "不成立"),
        prototype="depends",
    )
)  # fmt: skip
def o29(plan: Plan) -> Outcome:
    return Outcome({"step": _largest_steps(plan), "leaves": (_ridge(0.0),), "beside": (_ridge(1e-6),)})


def _ridge(y: float) -> float:
    p = torch.nn.Parameter(torch.tensor([1.0, y], dtype=torch.float64))
    optimizer = optim.Adam([p], lr=0.01)
    for _ in range(2000):
        p.grad = torch.stack([2 * p[0], -2 * p[1]]).detach()
        optimizer.step()
    return abs(float(p.detach()[1]))


def _largest_steps(plan: Plan) -> tuple[float, ...]:
    task, largest = digits(), []
    for seed in plan.seeds:
        torch.manual_seed(seed)
        net = task.make()
        optimizer = optim.Adam(net.parameters(), lr=0.01)
        g, most = torch.Generator().manual_seed(seed), 0.0
        for _ in range(100):
            rows = torch.randperm(len(task.x), generator=g)[: task.batch]
            before = torch.nn.utils.parameters_to_vector(net.parameters()).detach().clone()
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(task.x[rows]), task.y[rows]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            after = torch.nn.utils.parameters_to_vector(net.parameters()).detach()
            most = max(most, float((after - before).abs().max()) / 0.01)
        largest.append(most)
    return tuple(largest)
