"""O24, O27, O36, O38: what the adaptive methods are made of, to the last digit."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from slalom import optim
from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below, control
from slalom.claims.lab.sequences import apart, follow, random_gradients
from slalom.claims.outcome import Lines, Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T

ERROR = T("largest relative difference of the paths", "轨迹的最大相对差")


@experiment(
    Claim(
        "O24",
        T("Adadelta and RMSprop cure Adagrad's collapsing rate; RMSprop is Adadelta's first form.",
          "Adadelta 和 RMSprop 治好了 Adagrad 学习率衰竭的毛病；RMSprop 就是 Adadelta 的第一种形式。"),
        T("Zeiler 2012, section 3.1; Tieleman & Hinton 2012.", "Zeiler 2012 第 3.1 节；Tieleman 与 Hinton 2012。"),
        T("4000 gradients of 1: log-log slope of the step size over the second half. Then the same random gradients to "
        "RMSprop and "
          "to Adadelta without its second average (eps inside the root in both).",
          "连续 4000 个值为 1 的梯度，取后半段步长的双对数斜率；再把同一串随机梯度交给 RMSprop 和去掉第二个平均的 Adadelta（"
          "两者的 eps 都在根号内）。"),
        (below("same", ERROR, 1e-12),
         below("flat", T("|slope| of RMSprop's step size", "RMSprop 步长斜率的绝对值"), 1e-3),
         control(below("adagrad", T("slope of Adagrad's step size", "Adagrad 步长的斜率"), -0.4))),
        erratum=T("\"Identical\" is true of the first form only. The full Adadelta multiplies by the RMS of past steps. The "
            "average is "
                  "exponential, not a window of fixed length, although both are described.",
                  "“完全相同”只对第一种形式成立：完整的 Adadelta 还要乘以过去步长的均方根。而且它用的是指数滑动平均，不是固定"
                  "长度的窗口。"),
        seeds=1, kind="exact",
    )
)  # fmt: skip
def o24(plan: Plan) -> Outcome:
    ones = torch.ones(4000, 1, dtype=torch.float64)
    ada, _ = follow(lambda p: optim.Adagrad(p, lr=1.0), ones)
    rms, _ = follow(lambda p: optim.RMSprop(p, lr=1.0), ones)
    g = random_gradients()
    first, _ = follow(lambda p: optim.Adadelta(p, lr=0.01, rho=0.9, eps=1e-6, correct_units=False), g)
    second, _ = follow(lambda p: optim.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-6, momentum=0.0, convention="paper"), g)
    steps = {"Adagrad": (ada[:-1] - ada[1:])[:, 0], "RMSprop": (rms[:-1] - rms[1:])[:, 0]}
    at = [1, 3, 10, 30, 100, 300, 1000, 4000]
    effects = {"same": (apart(first, second),), "flat": (abs(slope(steps["RMSprop"])),), "adagrad": (slope(steps["Adagrad"]),)}
    return Outcome(effects, lines=_sizes(at, steps))


def slope(sizes: Tensor) -> float:
    """Slope of log size over log step in the second half of the run."""
    n = len(sizes)
    return float(torch.log(sizes[-1] / sizes[n // 2 - 1]) / torch.log(torch.tensor(n / (n // 2))))


def _sizes(at: list[int], steps: Mapping[str, Tensor]) -> Lines:
    series = {name: tuple(float(v[t - 1]) for t in at) for name, v in steps.items()}
    return Lines(tuple(map(float, at)), series, ("step", "步数"), ("step size / lr", "步长 / 学习率"), True, True)


@experiment(
    Claim(
        "O21",
        T("Adagrad's learning rate shrinks to nothing.", "Adagrad 的学习率会一直缩小到趋近于零。"),
        T("Exact: for a constant gradient the step is lr / sqrt(t).", "精确结果：梯度恒定时步长为 lr / sqrt(t)。"),
        T("4000 gradients of 1: log-log slope of the step size. The harm needs a task that changes: the minimum of a "
        "quadratic moves at "
          "step 2000, and Adagrad and RMSprop, at the same first step size, go after it.",
          "4000 个值为 1 的梯度：步长的双对数斜率。要看到危害，任务必须变化：二次函数的最小点在第 2000 步移动，让首步大小相同"
          "的 Adagrad 与 RMSprop 去追。"),
        (below("slope", T("slope of Adagrad's step size", "Adagrad 步长的斜率"), -0.48),
         above("slower", T("steps that Adagrad needs after the shift over RMSprop's", "移动之后 Adagrad 所需步数与 RMSprop 之"
             "比"), 1.0)),
        erratum=T("Some texts turn Adagrad round: a coordinate that is rarely updated keeps a large rate, and a frequent one "
            "loses its "
                  "rate quickly - not the other way.",
                  "有些文章把 Adagrad 说反了：很少更新的坐标保留较大的学习率，更新频繁的坐标学习率很快变小，而不是相反。"),
        seeds=1, kind="exact",
    )
)  # fmt: skip
def o21(plan: Plan) -> Outcome:
    ones = torch.ones(4000, 1, dtype=torch.float64)
    path, _ = follow(lambda p: optim.Adagrad(p, lr=1.0), ones)
    ada = _recover(lambda p: optim.Adagrad(p, lr=0.1))
    rms = _recover(lambda p: optim.RMSprop(p, lr=0.1 * 0.1, alpha=0.99))
    sizes = (path[:-1] - path[1:])[:, 0]
    at = [1, 3, 10, 30, 100, 300, 1000, 4000]
    return Outcome({"slope": (slope(sizes),), "slower": (ada / rms,)}, lines=_sizes(at, {"Adagrad": sizes}))


def _recover(make: object, shift: int = 2000, most: int = 20_000) -> float:
    p = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = make([p])  # type: ignore[operator]
    for t in range(shift + most):
        goal = 1.0 if t < shift else 3.0
        p.grad = (p - goal).detach()
        optimizer.step()
        if t >= shift and abs(float(p.detach()) - 3.0) < 0.1:
            return float(t - shift + 1)
    return float(most)


@experiment(
    Claim(
        "O27",
        T("Adam is RMSprop plus momentum plus bias correction.", "Adam 就是 RMSprop 加动量再加偏差校正。"),
        T("Kingma & Ba 2015, section 5.", "Kingma 与 Ba 2015 第 5 节。"),
        T("The same 200 random gradients, scales 1e-3 to 1e3, to Adam with b1 = 0 and to RMSprop whose step is corrected by "
        "hand; and to "
          "full Adam and the formula put together from the three parts in plain arithmetic.",
          "同样 200 个随机梯度（尺度 1e-3 到 1e3）交给 b1 = 0 的 Adam 和手工校正步长的 RMSprop；再交给完整的 Adam 和由三部分"
          "直接写出的公式。"),
        (below("b1=0", T("Adam with b1 = 0 against corrected RMSprop: largest relative difference",
                         "b1 = 0 的 Adam 与校正后的 RMSprop：最大相对差"), 1e-12),
         below("parts", T("Adam against its three parts: largest relative difference", "Adam 与三部分之和：最大相对差"),
             1e-12)),
        seeds=1, kind="exact",
    )
)  # fmt: skip
def o27(plan: Plan) -> Outcome:
    g, lr, b1, b2 = random_gradients(), 0.01, 0.9, 0.99
    no_momentum, _ = follow(lambda p: optim.Adam(p, lr=lr, betas=(0.0, b2), eps=0.0), g)
    rms, _ = follow(lambda p: optim.RMSprop(p, lr=lr, alpha=b2, eps=0.0), g)
    t = torch.arange(1, len(g) + 1, dtype=torch.float64)[:, None]
    corrected = torch.cumsum(torch.cat([rms[:1], torch.diff(rms, dim=0) * torch.sqrt(1 - b2**t)]), 0)
    whole, _ = follow(lambda p: optim.Adam(p, lr=lr, betas=(b1, b2), eps=1e-8), g)
    m, v = torch.zeros(g.shape[1], dtype=g.dtype), torch.zeros(g.shape[1], dtype=g.dtype)
    at, path = torch.zeros(g.shape[1], dtype=g.dtype), []
    for k, one in enumerate(g, 1):
        m, v = b1 * m + (1 - b1) * one, b2 * v + (1 - b2) * one * one
        at = at - lr * (m / (1 - b1**k)) / ((v / (1 - b2**k)).sqrt() + 1e-8)
        path.append(at)
    return Outcome({"b1=0": (apart(no_momentum, corrected),), "parts": (apart(whole[1:], torch.stack(path)),)})


@experiment(
    Claim(
        "O36",
        T("AdamW leaves gradient and moments alone and shrinks the weights; an L2 term does not.",
          "AdamW 不碰梯度和矩估计，只缩小权重；L2 项则不然。"),
        T("Loshchilov & Hutter 2019, Algorithm 2.", "Loshchilov 与 Hutter 2019，算法 2。"),
        T("100 zero gradients at lr .01, decay .1: the weight against p (1 - lr wd)^t, and the moments of AdamW and of Adam "
        "with L2.",
          "学习率 0.01、衰减 0.1，连续 100 个零梯度：权重与 p (1 - lr wd)^t 比较，并看 AdamW 和带 L2 的 Adam 的矩。"),
        (below("closed form", T("AdamW's weight against the closed form: largest relative difference",
            "AdamW 权重与闭式解的最大相对差"), 1e-12),
         below("moments", T("largest moment of AdamW", "AdamW 的最大矩"), 1e-300),
         control(above("l2", T("largest moment of Adam with L2", "带 L2 的 Adam 的最大矩"), 1e-3))),
        erratum=T("AdamW's decay is not \"an L2 term in the loss\": that is what it replaces. For plain SGD alone are the "
            "two the same, and "
                  "decay is never the same as L1.",
                  "AdamW 的权重衰减不是“在损失里加 L2 项”，它恰恰取代了后者。只有对普通 SGD 两者才等价，而衰减从来不等于 L1。"),
        seeds=1, kind="exact",
    )
)  # fmt: skip
def o36(plan: Plan) -> Outcome:
    zeros, start = torch.zeros(100, 2, dtype=torch.float64), [1.0, -2.0]
    path, adamw = follow(lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1), zeros, start)
    _, adam = follow(lambda p: optim.Adam(p, lr=0.01, weight_decay=0.1), zeros, start)
    t = torch.arange(101, dtype=torch.float64)[:, None]
    expected = torch.tensor(start, dtype=torch.float64) * (1 - 0.01 * 0.1) ** t
    return Outcome({"closed form": (apart(path, expected),), "moments": (_largest(adamw),), "l2": (_largest(adam),)})


def _largest(optimizer: torch.optim.Optimizer) -> float:
    (state,) = optimizer.state.values()
    return max(float(state[k].abs().max()) for k in ("exp_avg", "exp_avg_sq"))


@experiment(
    Claim(
        "O38",
        T("Optimizers are just choices of a first and a second moment.", "各种优化器不过是一阶矩与二阶矩的不同选择。"),
        T("A fair view; nothing to cite.", "这是一种合理的看法，没有专门的文献。"),
        T("One kernel in plain arithmetic - how m is kept, how v is kept, the exponent, the correction - against six of "
        "Slalom's "
          "optimizers on the same 200 random gradients.",
          "用一个朴素公式（m 如何保留、v 如何保留、指数、校正）对照 Slalom 的六个优化器，输入同样的 200 个随机梯度。"),
        tuple(below(name, T(f"{name}: largest relative difference", f"{name}：最大相对差"), 1e-10)
              for name in ("sgd", "momentum", "adagrad", "rmsprop", "adam", "lp-adam, p = 2")),
        note=T("NAG and Adadelta need a look-ahead and a third average: the view covers the family, not every member.",
               "NAG 还需要前瞻一步，Adadelta 还需要第三个平均：这一看法涵盖了家族，而非每个成员。"),
        seeds=1, kind="exact",
    )
)  # fmt: skip
def o38(plan: Plan) -> Outcome:
    g, lr, e = random_gradients(), 0.01, 1e-8
    made = {
        "sgd": (optim.SGD, {}, (0, 1, None, None, 0, False)),
        "momentum": (optim.Momentum, {}, (0.9, 1, None, None, 0, False)),
        "adagrad": (optim.Adagrad, {"eps": e}, (0, 1, 1, 1, 0.5, False)),
        "rmsprop": (optim.RMSprop, {"eps": e}, (0, 1, 0.99, 0.01, 0.5, False)),
        "adam": (optim.Adam, {"eps": e}, (0.9, 0.1, 0.999, 0.001, 0.5, True)),
        "lp-adam, p = 2": (
            optim.LpAdam,
            {"eps": e, "p": 2.0, "betas": (0.9, 0.999)},
            (0.9, 0.1, 0.999**2, 1 - 0.999**2, 0.5, True),
        ),
    }
    effects = {}
    for name, (cls, options, kept) in made.items():
        path, _ = follow(lambda p, cls=cls, options=options: cls(p, lr=lr, **options), g)  # type: ignore[misc]
        effects[name] = (apart(path, _kernel(g, lr, e, *kept)),)
    return Outcome(effects)


def _kernel(
    g: Tensor,
    lr: float,
    eps: float,
    keep: float,
    take: float,
    keep2: float | None,
    take2: float | None,
    power: float,
    correct: bool,
) -> Tensor:
    m = v = at = torch.zeros(g.shape[1], dtype=g.dtype)
    path = [at]
    for t, one in enumerate(g, 1):
        m = keep * m + take * one
        up, down = m, torch.ones_like(m)
        if keep2 is not None and take2 is not None:
            v = keep2 * v + take2 * one * one
            down = ((v / (1 - keep2**t)) if correct else v) ** power + eps
        if correct:
            up = m / (1 - keep**t)
        at = at - lr * up / down
        path.append(at)
    return torch.stack(path)
