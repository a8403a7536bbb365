"""O1, O9, O11, O13, O18: points on surfaces, in their own axes and turned by 45 degrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below
from slalom.claims.lab.points import Surface, first_below, heights, turned
from slalom.claims.lab.training import decades
from slalom.claims.outcome import Lines, Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T
from slalom.engines.lanes import Lane, lanes_of

METHODS: dict[str, tuple[str, dict[str, Any], float]] = {  # name -> rule, settings, rate on the saddle
    "sgd": ("sgd", {}, 0.1), "momentum": ("momentum", {}, 0.1), "nag": ("nag", {}, 0.1), "adagrad": ("adagrad", {}, 0.1),
    "rmsprop": ("rmsprop", {}, 0.1), "adadelta": ("adadelta", {}, 1.0), "adam": ("adam", {}, 0.1),
}  # fmt: skip
STEPS = 600
Grids = Mapping[str, tuple[str, Sequence[float], dict[str, Any]]]


def saddle(p: Tensor) -> Tensor:
    """x^2 - y^2."""
    return p[0] ** 2 - p[1] ** 2


def valley(condition: float) -> Surface:
    """A quadratic whose curvatures are 1 and `condition`."""
    return lambda p: 0.5 * (p[0] ** 2 + condition * p[1] ** 2) / condition


def beale(p: Tensor) -> Tensor:
    """Beale's function; its minimum is 0 at (3, .5)."""
    x, y = p[0], p[1]
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def tuned_steps(
    surface: Surface,
    start: Sequence[float],
    level: float,
    methods: Grids,
    steps: int = STEPS,
) -> tuple[dict[str, float], list[str]]:
    """Fewest steps to `level` over each method's rates, and flags for edges; never: `steps + 1`."""
    made: list[Lane] = []
    owner: list[tuple[str, int]] = []
    for name, (rule, lrs, settings) in methods.items():
        made += lanes_of(rule, lr=list(lrs), **settings)
        owner += [(name, k) for k in range(len(lrs))]
    needed = first_below(heights(surface, start, made, steps), level)
    best, flags = {}, []
    for name, (_, lrs, _) in methods.items():
        own = [needed[i] for i, (n, _) in enumerate(owner) if n == name]
        k = int(np.argmin(own))
        best[name] = float(own[k])
        if own[k] <= steps and k in (0, len(lrs) - 1):
            flags.append(f"{name}: lr {lrs[k]:.3g} is the edge of its grid")
    return best, flags


@lru_cache(maxsize=4)
def saddle_steps(degrees: float) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
    """Steps until a point 1e-6 beside the ridge of the saddle is 1 below it, and the heights on the way."""
    surface, start = turned(saddle, [1.0, 1e-6], degrees)
    many = [lane for rule, settings, lr in METHODS.values() for lane in lanes_of(rule, lr=lr, **settings)]
    curve = heights(surface, start, many, STEPS)
    needed = first_below(curve, -1.0)
    return dict(zip(METHODS, map(float, needed), strict=True)), {n: tuple(curve[:, i]) for i, n in enumerate(METHODS)}


def _log2(a: float, b: float) -> float:
    return float(np.log2(a / b))


def _off(name: str, where: str, zh: str) -> Any:
    label = T(
        f"{name}, {where}: log2 of SGD's steps over its own, off a saddle",
        f"{name}，{zh}：离开鞍点时 SGD 步数与其步数之比的 log2",
    )
    return above(f"{name} {where}", label, 0.5)


@experiment(
    Claim(
        "O13",
        T("On a saddle and on contours Adagrad, Adadelta and RMSprop head the right way at once, while the others are slow "
        "or go roundabout.",
          "在鞍点和等高线图上，Adagrad、Adadelta、RMSprop 能立刻朝正确方向走，其他方法则慢或绕远路。"),
        T("The popular animations (Radford 2014) use surfaces aligned with the axes. SGD and momentum do not depend on "
        "rotation; methods "
          "that scale each coordinate by itself do.",
          "流行的动画（Radford 2014）用的曲面与坐标轴对齐。SGD 和动量与旋转无关，而逐坐标缩放的方法则相关。"),
        T("Steps until a point 1e-6 beside the ridge of x^2 - y^2 is 1 below it, at lr .1 (Adadelta 1), as drawn and turned "
        "by 45 degrees. "
          "Steps to 1e-4 of the start on a quadratic of condition 100, each method at its best rate, both ways.",
          "从 x² - y² 脊线旁 1e-6 处出发，走到低于它 1 所需的步数，lr = 0.1（Adadelta 为 1），分别在原图和旋转 45 度后测量；"
          "再在条件数为 100 的二次函数上、各自用最佳学习率，测降到初值 1e-4 的步数，同样两种朝向。"),
        tuple(_off(name, where, zh) for where, zh in (("axis", "对齐坐标轴"), ("rotated", "旋转 45 度"))
              for name in ("adagrad", "rmsprop", "adadelta"))
        + tuple(above(f"quadratic {name} {where}",
                      T(f"{name}, {where}: log2 of momentum's steps over its own, quadratic",
                        f"{name}，{zh}：二次函数上动量法步数与其步数之比的 log2"))
                for where, zh in (("axis", "对齐坐标轴"), ("rotated", "旋转 45 度")) for name in ("adagrad", "rmsprop")),
        erratum=T("The picture shows the alignment of the surface, not the merit of the method: turned by 45 degrees, "
                  "Adagrad and Adadelta are slower than SGD, and RMSprop loses most of its lead.",
                  "那张图展示的是曲面与坐标轴对齐，而不是方法的优劣：旋转 45 度后，Adagrad 和 "
                  "Adadelta 比 SGD 还慢，RMSprop 也失去大部分优势。"),
        switch=T("rotation of the axes", "坐标轴的旋转"),
        prototype="depends", seeds=1,
    )
)  # fmt: skip
def o13(plan: Plan) -> Outcome:
    effects, flags, series = {}, [], {}
    for where, degrees in (("axis", 0.0), ("rotated", 45.0)):
        needed, curves = saddle_steps(degrees)
        for name in ("adagrad", "rmsprop", "adadelta"):
            effects[f"{name} {where}"] = (_log2(needed["sgd"], needed[name]),)
        for name in ("sgd", "rmsprop"):
            series[f"{name}, {where}"] = tuple(max(float(v), -1.5) for v in curves[name][:160:2])
        surface, start = turned(valley(100.0), [1.0, 1.0], degrees)
        grids: Grids = {
            "momentum": ("momentum", decades(0.03, 3, 4), {}), "adagrad": ("adagrad", decades(0.03, 30, 4), {}),
            "rmsprop": ("rmsprop", decades(1e-3, 3.2, 4), {}),
        }  # fmt: skip
        best, edges = tuned_steps(surface, start, 1e-4 * float(surface(torch.tensor(start, dtype=torch.float64))), grids)
        flags += [f"{where}: {e}" for e in edges]
        for name in ("adagrad", "rmsprop"):
            effects[f"quadratic {name} {where}"] = (_log2(best["momentum"], best[name]),)
    lines = Lines(tuple(map(float, range(0, 160, 2))), series, ("step", "步数"), ("height on the saddle", "鞍面上的高度"))
    return Outcome(effects, tuple(flags), lines=lines)


@experiment(
    Claim(
        "O18",
        T("SGD is slower, and may get stuck at saddle points.", "SGD 更慢，而且可能卡在鞍点。"),
        T("Dauphin et al. 2014: saddles abound; Du et al. 2017: gradient descent can take exponential time; Lee et al. 2016: "
        "from almost "
          "every start it does not end there.",
          "Dauphin 等 2014：鞍点很多；Du 等 2017：梯度下降可能耗费指数时间；Lee 等 2016：从几乎所有起点出发都不会停在鞍点。"),
        T("x^2 - y^2: steps off it from 1e-6 beside the ridge, SGD over Adam, in its own axes and turned. From exactly on "
        "the ridge: how many "
          "of the six others leave within 600 steps.",
          "在 x² - y² 上，从脊线旁 1e-6 处离开所需的步数（SGD 比 Adam），原朝向与旋转后；以及从精确脊线出发，其余六种方法中有"
          "几种能在 600 步内离开。"),
        (above("slower axis", T("log2 of SGD's steps over Adam's, axis-aligned", "SGD 与 Adam 步数之比的 log2，对齐坐标轴"),
            0.5),
         above("slower rotated", T("log2 of SGD's steps over Adam's, rotated", "SGD 与 Adam 步数之比的 log2，旋转 45 度"),
             0.5),
         above("only sgd", T("of six other methods, how many leave the exact ridge", "其余六种方法中能离开精确脊线的个数"),
             0.5)),
        erratum=T("Sticking is not SGD's own: on the exact ridge all seven methods stop, and beside it SGD leaves too, only "
            "later.",
                  "“卡住”并非 SGD 独有：在精确的脊线上七种方法全都停住；在旁边 SGD 也会离开，只是更晚。"),
        switch=T("slower or stuck: slower is true of this surface, sticking is true of every method alike",
                 "“更慢”还是“卡住”：在这张曲面上更慢属实，而卡住对所有方法都一样"),
        prototype="depends", seeds=1,
    )
)  # fmt: skip
def o18(plan: Plan) -> Outcome:
    effects = {}
    for where, degrees in (("axis", 0.0), ("rotated", 45.0)):
        needed, _ = saddle_steps(degrees)
        effects[f"slower {where}"] = (_log2(needed["sgd"], needed["adam"]),)
    many = [lane for name, (rule, settings, lr) in METHODS.items() if name != "sgd" for lane in lanes_of(rule, lr=lr, **settings)]
    last = heights(saddle, [1.0, 0.0], many, STEPS)[-1]
    return Outcome({**effects, "only sgd": (float((last < -1e-6).sum()),)})


@experiment(
    Claim(
        "O9",
        T("Momentum speeds up steady directions and damps oscillation.", "动量在方向一致时加速，并抑制振荡。"),
        T("Polyak 1964: sqrt(condition) instead of condition; Sutskever et al. 2013.", "Polyak 1964：收敛由条件数改进为条件数"
        "的平方根；Sutskever 等 2013。"),
        T("A quadratic of condition 1000, in its own axes and turned: steps to 1e-5 of the start, SGD and momentum (mu .9 "
        "and .95), each at "
          "its best of 10 rates.",
          "条件数 1000 的二次函数，原朝向与旋转 45 度：降到初值 1e-5 的步数，SGD 与动量（mu 为 0.9 和 0.95），各自取 10 个学"
          "习率中最好的。"),
        tuple(above(w, T(f"log2 of SGD's steps over momentum's, {w}", f"SGD 与动量步数之比的 log2，{z}"), 1.0)
              for w, z in (("axis-aligned", "对齐坐标轴"), ("rotated", "旋转 45 度"))),
        prototype="holds", seeds=1,
    )
)  # fmt: skip
def o9(plan: Plan) -> Outcome:
    effects, flags = {}, []
    for where, degrees in (("axis-aligned", 0.0), ("rotated", 45.0)):
        surface, start = turned(valley(1000.0), [1.0, 1.0], degrees)
        level = 1e-5 * float(surface(torch.tensor(start, dtype=torch.float64)))
        lrs = [0.1, 0.3, 0.7, 1.2, 1.6, 1.9, 1.99, 3.0, 3.4, 3.7, 3.79]
        slow, fast = {"momentum": 0.9}, {"momentum": 0.95}
        grids: Grids = {"sgd": ("sgd", lrs, {}), "mu .9": ("momentum", lrs, slow), "mu .95": ("momentum", lrs, fast)}
        best, edges = tuned_steps(surface, start, level, grids, 1500)
        effects[where] = (_log2(best["sgd"], min(best["mu .9"], best["mu .95"])),)
        flags += [f"{where}: {e}" for e in edges]
    return Outcome(effects, tuple(flags))


@experiment(
    Claim(
        "O11",
        T("NAG corrects momentum and avoids overshoot, so it is better; yet it converges slowly.",
          "NAG 修正了动量、避免冲过头，因此更好；但收敛较慢。"),
        T("Nesterov 1983: the better rate on convex functions. Nothing supports the slowness.", "Nesterov 1983：在凸函数上收"
        "敛率更优；没有文献支持“收敛慢”。"),
        T("mu .9, each at its best rate: steps to 1e-6 on Beale's function from (1, 1.5) and to 1e-4 of the start on "
        "quadratics of condition "
          "20 and 100; overshoot past the minimum of x^2/2 at lr .1; steps of SGD over NAG.",
          "mu = 0.9，各取最佳学习率：Beale 函数从 (1, 1.5) 降到 1e-6 的步数，以及条件数 20 和 100 的二次函数降到初值 1e-4 的"
          "步数；lr = 0.1 时在 x²/2 上冲过最小点的距离；以及 SGD 与 NAG 的步数比。"),
        (above("beale", T("log2 of momentum's steps over NAG's, Beale", "动量与 NAG 步数之比的 log2，Beale 函数")),
         above("condition 20", T("log2 of momentum's steps over NAG's, condition 20",
             "动量与 NAG 步数之比的 log2，条件数 20")),
         above("condition 100", T("log2 of momentum's steps over NAG's, condition 100",
             "动量与 NAG 步数之比的 log2，条件数 100")),
         above("overshoot", T("how much further momentum overshoots, start at 1", "动量比 NAG 多冲过的距离，起点为 1")),
         below("slow", T("log2 of SGD's steps over NAG's, condition 100", "SGD 与 NAG 步数之比的 log2，条件数 100"), 0.0)),
        erratum=T("That NAG is slow has no source and is wrong here: it is several times as fast as plain descent.",
                  "“NAG 收敛慢”没有出处，在这里也不成立：它比普通梯度下降快数倍。"),
        switch=T("the surface: less overshoot everywhere, fewer steps on some surfaces only, slower than SGD on none",
                 "曲面：过冲处处更小，步数只在部分曲面上更少，而比 SGD 慢的情况没有出现"),
        prototype="depends", seeds=1,
    )
)  # fmt: skip
def o11(plan: Plan) -> Outcome:
    effects, flags = {}, []
    fine = decades(1e-3, 1e-1, 6)
    best, edges = tuned_steps(beale, [1.0, 1.5], 1e-6, {"momentum": ("momentum", fine, {}), "nag": ("nag", fine, {})}, 600)
    effects["beale"], flags = (_log2(best["momentum"], best["nag"]),), [f"Beale: {e}" for e in edges]
    for condition in (20.0, 100.0):
        lrs = decades(0.02, 3.6, 6)
        grids: Grids = {"momentum": ("momentum", lrs, {}), "nag": ("nag", lrs, {}), "sgd": ("sgd", lrs, {})}
        best, edges = tuned_steps(valley(condition), [1.0, 1.0], 1e-4 * 0.5 * (1 + 1 / condition), grids, 800)
        effects[f"condition {condition:g}"] = (_log2(best["momentum"], best["nag"]),)
        flags += [f"condition {condition:g}: {e}" for e in edges]
    effects["slow"] = (_log2(best["sgd"], best["nag"]),)
    past = [_overshoot(name) for name in ("momentum", "nag")]
    effects["overshoot"] = (past[0] - past[1],)
    return Outcome(effects, tuple(flags))


def _overshoot(rule: str) -> float:
    from slalom import optim

    p = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = {"momentum": optim.Momentum, "nag": optim.NAG}[rule]([p], lr=0.1)
    lowest = 1.0
    for _ in range(100):
        p.grad = p.detach().clone()
        optimizer.step()
        lowest = min(lowest, float(p.detach()))
    return -lowest


@experiment(
    Claim(
        "O1",
        T("Batch gradient descent reaches the global minimum of a convex function, and a local one otherwise.",
          "批量梯度下降在凸函数上到达全局最小，否则到达局部最小。"),
        T("Needs lr < 2/L; Lee et al. 2016: strict saddles are avoided from almost every start.", "前提是 lr < 2/L；Lee 等 "
        "2016：从几乎所有起点都能避开严格鞍点。"),
        T("Logistic regression with a small L2 term, lr 1/L, 2000 steps: height above the minimum that SciPy finds. (x^2 - "
        "1)^2 + .3 x from "
          "1.5: distance to the minimum of its own basin. x^2/2 at lr 2.1/L: growth in 100 steps.",
          "带少量 L2 的逻辑回归，lr = 1/L，2000 步：与 SciPy 求得的最小值之差；(x² - 1)² + 0.3x 从 1.5 出发：到所在盆地最小点"
          "的距离；x²/2 在 lr = 2.1/L：100 步内的增长。"),
        (below("convex", T("height above the global minimum, convex", "凸函数：高于全局最小的量"), 1e-8),
         below("basin", T("distance to the minimum of the start's basin", "到起点所在盆地最小点的距离"), 1e-6),
         above("too large", T("log10 growth of the height at lr 2.1/L", "lr = 2.1/L 时高度增长的常用对数"), 1.0)),
        erratum=T("Not without a condition: above 2/L it diverges on any quadratic, convex or not.", "不能省去条件：学习率超"
            "过 2/L 时，在任何二次函数上都会发散。"),
        seeds=1, kind="exact",
    )
)  # fmt: skip
def o1(plan: Plan) -> Outcome:
    from scipy.optimize import minimize

    rng = np.random.default_rng(0)
    x = torch.tensor(rng.standard_normal((50, 5)))
    y = torch.tensor(np.sign(rng.standard_normal(50)))

    def logistic(p: Tensor) -> Tensor:
        return torch.nn.functional.softplus(-y * (x @ p)).mean() + 0.005 * (p * p).sum()

    largest = float(torch.linalg.eigvalsh(x.T @ x / 50)[-1]) / 4 + 0.01
    found = minimize(lambda p: float(logistic(torch.tensor(p))), np.zeros(5), method="BFGS", options={"gtol": 1e-9})
    gap = heights(logistic, [0.0] * 5, lanes_of("sgd", lr=1 / largest), 2000)[-1, 0] - found.fun
    basin = minimize(lambda p: (p[0] ** 2 - 1) ** 2 + 0.3 * p[0], [0.96], method="Nelder-Mead", options={"xatol": 1e-10})
    from slalom import optim

    p = torch.nn.Parameter(torch.tensor([1.5], dtype=torch.float64))
    optimizer = optim.SGD([p], lr=0.05)
    for _ in range(500):
        p.grad = (4 * p * (p * p - 1) + 0.3).detach()
        optimizer.step()
    grown = heights(lambda q: 0.5 * (q * q).sum(), [1.0], lanes_of("sgd", lr=2.1), 101)
    effects = {
        "convex": (max(float(gap), 0.0),), "basin": (abs(float(p.detach()) - float(basin.x[0])),),
        "too large": (float(np.log10(grown[-1, 0] / grown[0, 0])),),
    }  # fmt: skip
    return Outcome(effects)
