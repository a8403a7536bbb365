"""O3, O4, O7, O8, O10: what a batch's gradient is worth, and what its noise does."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor, nn

from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below, control, within
from slalom.claims.lab.points import noisy_heights, normals
from slalom.claims.lab.tasks import digits
from slalom.claims.lab.training import batches, told
from slalom.claims.outcome import Lines, Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T
from slalom.engines.lanes import Lanes, lanes_of

SIZES = (1, 4, 16, 64)


def per_sample(seed: int) -> Tensor:
    """Gradients of every training digit at an initialisation, `[samples, parameters]`, float64."""
    task = digits()
    torch.manual_seed(seed)
    net = task.make().double()
    held = {k: v.detach() for k, v in net.named_parameters()}

    def loss(p: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return nn.functional.cross_entropy(torch.func.functional_call(net, p, (x[None],)), y[None])

    made = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(held, task.x.double(), task.y)
    return torch.cat([made[k].flatten(1) for k in held], 1)


def full_gradient(seed: int) -> Tensor:
    """The gradient of the mean loss by one backward pass."""
    task = digits()
    torch.manual_seed(seed)
    net = task.make().double()
    nn.functional.cross_entropy(net(task.x.double()), task.y).backward()  # type: ignore[no-untyped-call]
    return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])


def variance_slope(each: Tensor, seed: int, draws: int = 200) -> float:
    """Slope of log variance of a batch's gradient over log batch size."""
    rng = np.random.default_rng(seed)
    mean, logs = each.mean(0), []
    for size in SIZES:
        pick = torch.tensor(rng.integers(0, len(each), (draws, size)))
        off = torch.stack([each[p].mean(0) for p in pick]) - mean
        logs.append(float((off**2).sum(1).mean().log()))
    return float(np.polyfit(np.log(SIZES), logs, 1)[0])


@experiment(
    Claim(
        "O3",
        T("The gradient of one random sample is right in expectation.", "单个随机样本的梯度在期望意义上是正确的。"),
        T("Exact: the mean of per-sample gradients is the gradient of the mean loss.", "精确结果：逐样本梯度的均值就是平均损"
        "失的梯度。"),
        T("An MLP on 1200 digits, float64: the mean of 1200 gradients taken one by one against one backward pass.",
          "1200 个手写数字上的 MLP，float64：1200 个逐样本梯度的均值与一次反向传播的结果比较。"),
        (below("difference", T("largest relative difference", "最大相对差"), 1e-12),),
        seeds=1, kind="exact",
    )
)  # fmt: skip
def o3(plan: Plan) -> Outcome:
    full = full_gradient(0)
    return Outcome({"difference": (float((per_sample(0).mean(0) - full).abs().max() / full.abs().max()),)})


def wells(p: Tensor) -> Tensor:
    """Two wells; the one on the left is deeper."""
    return (p[0] ** 2 - 1) ** 2 + 0.3 * p[0]


def share_deep(
    plan: Plan, noise: float, lr: float, steps: int = 300, runs: int = 10, schedule: object = None
) -> tuple[float, ...]:
    """Of `runs` points a seed that start in the shallow well, the share that end in the deep one."""
    many = len(plan.seeds) * runs
    bumps = noise * normals(plan, (runs, steps, 1)).flatten(0, 1)
    lanes = lanes_of("sgd", lr=[lr] * many, schedule=schedule)  # type: ignore[arg-type]
    _, ends = noisy_heights(wells, [1.0], lanes, bumps, range(many))
    return told((ends[:, 0].reshape(-1, runs) < 0).double().mean(1).numpy())


@experiment(
    Claim(
        "O4",
        T("SGD's loss oscillates, and the noise may lead it to better minima.", "SGD 的损失会振荡，而噪声可能让它找到更好的极"
        "小点。"),
        T("Ge et al. 2015; Keskar et al. 2017 (small batches and flat minima).", "Ge 等 2015；Keskar 等 2017（小批量与平坦极"
        "小）。"),
        T("Variance of a batch's gradient on digits against batch size. Then two wells, started in the shallow one, lr .05, "
        "normal noise on the "
          "gradient: share of runs that end in the deep one.",
          "手写数字上批量梯度的方差随批量大小的变化；再从双井势的浅井出发，lr = 0.05，梯度加正态噪声，看落入深井的比例。"),
        (within("slope", T("log-log slope of the variance over batch size", "方差对批量大小的双对数斜率"), 0.1, -1.0),
         above("noise 1", T("share in the deep well, noise 1", "落入深井的比例，噪声 1"), 0.5),
         above("noise 5", T("share in the deep well, noise 5", "落入深井的比例，噪声 5"), 0.5),
         control(below("none", T("share in the deep well, no noise", "落入深井的比例，无噪声"), 0.01))),
        switch=T("the size of the noise: too little never crosses, enough does", "噪声大小：太小从不越过，足够大才行"),
    )
)  # fmt: skip
def o4(plan: Plan) -> Outcome:
    each = per_sample(0)
    levels = (0.0, 1.0, 3.0, 5.0)
    shares = {s: share_deep(plan, s, 0.05) for s in levels}
    effects = {
        "slope": tuple(variance_slope(each, s) for s in plan.seeds), "none": shares[0.0], "noise 1": shares[1.0],
        "noise 5": shares[5.0],
    }  # fmt: skip
    curve = {"share in the deep well": tuple(float(np.mean(v)) for v in shares.values())}
    return Outcome(effects, lines=Lines(levels, curve, ("noise on the gradient", "梯度噪声"), ("share", "比例")))


@experiment(
    Claim(
        "O7",
        T("Mini-batches reduce the variance, are steadier, and use matrix kernels; 50 to 256 samples, or 16 to 256.",
          "小批量降低方差、更稳定，并能利用矩阵运算；取 50–256（或 16–256）个样本。"),
        T("Masters & Luschi 2018: often 32 and fewer do best.", "Masters 与 Luschi 2018：往往 32 及以下更好。"),
        T("Variance slope on digits as in O4. Time a sample of forward and backward, batch 1 over batch 64, least of "
        "interleaved repeats.",
          "方差斜率同 O4；单样本前向加反向的时间，批量 1 与批量 64 之比，交错重复取最小。"),
        (within("slope", T("log-log slope of the variance over batch size", "方差对批量大小的双对数斜率"), 0.1, -1.0),
         above("time", T("time a sample, batch 1 over batch 64", "单样本耗时，批量 1 / 批量 64"), 10.0)),
    )
)  # fmt: skip
def o7(plan: Plan) -> Outcome:
    each = per_sample(1)
    task = digits()
    net = task.make()
    times: dict[int, list[list[float]]] = {b: [[] for _ in plan.seeds] for b in (1, 64)}
    for k in range(len(plan.seeds)):
        for _ in range(5):
            for b, took in times.items():
                started = time.perf_counter()
                for _ in range(20):
                    net.zero_grad()
                    nn.functional.cross_entropy(net(task.x[:b]), task.y[:b]).backward()  # type: ignore[no-untyped-call]
                took[k].append((time.perf_counter() - started) / b)
    ratio = tuple(min(one) / min(many) for one, many in zip(times[1], times[64], strict=True))
    return Outcome({"slope": tuple(variance_slope(each, s) for s in plan.seeds), "time": ratio})


@experiment(
    Claim(
        "O8",
        T("On redundant data a part of an epoch may suffice.", "数据有冗余时，不到一轮训练就可能足够。"),
        T("Bottou & Bousquet 2008.", "Bottou 与 Bousquet 2008。"),
        T("The 1200 digits ten times over: share of the 12 000-sample epoch that SGD (lr .5, batch 64) needs to bring the "
        "training loss under .3.",
          "把 1200 个手写数字重复十遍：SGD（lr = 0.5，批量 64）把训练损失降到 0.3 以下所需的样本占 12 000 个样本一轮的比例。"),
        (below("share", T("share of an epoch", "所占一轮的比例"), 1.0),),
    )
)  # fmt: skip
def o8(plan: Plan) -> Outcome:
    task = digits()
    seeds = list(plan.seeds)
    made = Lanes(task.make, lanes_of("sgd", lr=0.5, seed=seeds), loss="cross_entropy", example=(task.x[:64], task.y[:64]))
    order = batches(10 * len(task.x), 64, 200, seeds)
    needed = np.full(len(seeds), 200 * 64.0)
    for k in range(20):
        made.epoch(task.x, task.y, [b % len(task.x) for b in order[10 * k : 10 * k + 10]])
        loss = made.evaluate(task.x, task.y, [nn.functional.cross_entropy])[0]
        needed = np.where((loss < 0.3) & (needed == 200 * 64), 640 * (k + 1), needed)
    return Outcome({"share": told(needed / (10 * len(task.x)))})


@experiment(
    Claim(
        "O10",
        T("Momentum may crawl or fail when gradients conflict.", "当梯度方向相互冲突时，动量可能变慢甚至失效。"),
        T("Kidambi et al. 2018: little gain where noise dominates.", "Kidambi 等 2018：噪声占主导时收益甚微。"),
        T("A quadratic of condition 100, normal noise of scale 0 and 10 times the gradient's on every gradient, 300 steps: "
        "mean height over the "
          "last 30, SGD over the better of mu .9 and .99, each at its tuned rate.",
          "条件数 100 的二次函数，每步梯度加噪声（尺度为 0 或梯度的 10 倍），300 步：最后 30 步的平均高度，SGD 与 mu = 0.9、"
          "0.99 中较好者之比，各自调好学习率。"),
        (below("noisy", T("log10 gain of momentum, noise 10", "动量的增益（常用对数），噪声 10"), 0.3),
         control(above("clean", T("log10 gain of momentum, no noise", "动量的增益（常用对数），无噪声"), 0.5))),
    )
)  # fmt: skip
def o10(plan: Plan) -> Outcome:
    effects = {}
    lrs = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 1.9)
    for name, noise in (("clean", 0.0), ("noisy", 10.0)):
        tables = {mu: _heights(plan, noise, lrs, mu) for mu in (0.0, 0.9, 0.99)}
        sgd, *others = (_tuned(t) for t in tables.values())
        effects[name] = told(np.log10(sgd / np.minimum(*others)))
    return Outcome(effects)


def _heights(plan: Plan, noise: float, lrs: tuple[float, ...], mu: float, steps: int = 300) -> np.ndarray:
    n = len(plan.seeds)
    bumps = noise * normals(plan, (steps, 2))
    many = lanes_of("momentum", lr=[lr for lr in lrs for _ in range(n)], momentum=mu)
    # the height itself, without the linear term that makes the noise
    rows = list(range(n)) * len(lrs)
    curve, _ = noisy_heights(_valley, [1.0, 1.0], many, bumps, rows)
    curve = np.where(np.isfinite(curve), np.abs(curve), 1e6)
    return np.asarray(curve[-30:].mean(0).reshape(len(lrs), n))


def _valley(p: Tensor) -> Tensor:
    return 0.5 * (p[0] ** 2 / 100 + p[1] ** 2)


def _tuned(table: np.ndarray) -> np.ndarray:
    half = table.shape[1] // 2
    best = [int(np.argmin(table[:, half:].mean(1)))] * half + [int(np.argmin(table[:, :half].mean(1)))] * half
    return np.array([table[k, s] for s, k in enumerate(best)])
