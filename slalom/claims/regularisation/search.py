"""H1, H2, H3: how to search for hyperparameters, and how far to believe what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below
from slalom.claims.lab.noisy import parts, train_noisy
from slalom.claims.outcome import Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T
from slalom.engines.lanes import lanes_of

SIDE, TRIALS, REPEATS, CONFIGURATIONS = 16, 16, 8, 60


@lru_cache(maxsize=1)
def table() -> np.ndarray:
    """Mean clean accuracy `[lr, weight decay]` on noisy digits: sixteen of each, two seeds, 150 steps of AdamW."""
    lrs, decays = np.geomspace(1e-4, 1, SIDE), np.geomspace(1e-3, 30, SIDE)
    settings = [
        (lambda s, lr=float(lr), wd=float(wd): lanes_of("adamw", lr=lr, weight_decay=wd, seed=s)[0]) for lr in lrs for wd in
            decays
    ]  # fmt: skip
    found = train_noisy(Plan(1), settings, 150)
    return np.asarray(found.test.mean(1).reshape(SIDE, SIDE))


def value(u: np.ndarray) -> float:
    """The table at a point of the unit square; further dimensions do nothing."""
    i, k = np.minimum((u[:2] * SIDE).astype(int), SIDE - 1)
    return float(table()[i, k])


def random(rng: np.random.Generator, d: int) -> Iterator[np.ndarray]:
    """Uniform points."""
    for _ in range(TRIALS):
        yield rng.random(d)


def grid(rng: np.random.Generator, d: int) -> Iterator[np.ndarray]:
    """Every point of a grid, moved by a common random offset; in four dimensions two values each."""
    side = round(TRIALS ** (1 / d))
    offset = rng.random(d)
    for i in range(side**d):
        yield (np.array([i // side**k % side for k in range(d)]) + offset) / side


def bayesian(kernel: Any = None, explore: float = 0.01, start: int = 4, acquisition: str = "ei") -> Callable[..., Any]:
    """A Gaussian process with expected improvement or an upper bound, over random candidates."""

    def search(rng: np.random.Generator, d: int) -> float:
        from scipy.stats import norm
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import Matern, WhiteKernel

        x = [rng.random(d) for _ in range(start)]
        y = [value(u) for u in x]
        while len(x) < TRIALS:
            noisy = (kernel or Matern(0.3, nu=2.5)) + WhiteKernel(1e-3)  # lengths as given: sixteen trials cannot teach them
            made = GaussianProcessRegressor(noisy, normalize_y=True, optimizer=None).fit(np.array(x), np.array(y))
            many = rng.random((300, d))
            mean, sd = made.predict(many, return_std=True)
            z = (mean - max(y) - explore) / np.maximum(sd, 1e-9)
            score = (mean - max(y) - explore) * norm.cdf(z) + sd * norm.pdf(z) if acquisition == "ei" else mean + 2 * sd
            x.append(many[int(np.argmax(score))])
            y.append(value(x[-1]))
        return max(y)

    return search


def regret(search: Callable[..., Any], d: int, seed: int) -> float:
    """How far the best of 16 trials stays below the table's best, in percentage points, mean of repeats."""
    found = []
    for k in range(REPEATS):
        made = search(np.random.default_rng(1000 * seed + k), d)
        found.append(made if isinstance(made, float) else max(value(u) for u in made))
    return 100 * (float(table().max()) - float(np.mean(found)))


def evolution(rng: np.random.Generator, d: int) -> float:
    """(1 + 1) evolution with a fifth's rule."""
    x = rng.random(d)
    best, width = value(x), 0.3
    for _ in range(TRIALS - 1):
        made = np.clip(x + width * rng.standard_normal(d), 0, 0.999)
        better = (found := value(made)) >= best
        x, best, width = (made, found, width * 1.5) if better else (x, best, width * 0.9)
    return best


@experiment(
    Claim(
        "H1", T("Hyperparameters are searched by grid, at random, by Bayesian optimisation or by heuristics, each better "
        "than the one before.", "超参数可用网格、随机、贝叶斯、启发式方法搜索，后者依次优于前者。"),
        T("Bergstra & Bengio 2012: random over grid where few dimensions matter. Turner et al. 2021: Bayesian over random.",
        "Bergstra 与 Bengio 2012：仅少数维度重要时随机优于网格。Turner 等 2021：贝叶斯优于随机。"),
        T("A table of 16 rates by 16 decays measured once on noisy digits, 16 trials, in 2 dimensions and with 2 more that "
        "do nothing: regret in percentage points.",
          "在带噪手写数字上测好一张 16 个学习率 × 16 个衰减的表，试 16 次，二维以及另加两个无关维度：遗憾值，百分点。"),
        (above("random, 2", T("grid minus random, 2 dimensions", "网格减随机，2 维")), above("random, 4", T(
            "grid minus random, 4 dimensions", "网格减随机，4 维")),
         above("bayes, 2", T("random minus Bayesian, 2 dimensions", "随机减贝叶斯，2 维")), above("bayes, 4", T(
             "random minus Bayesian, 4 dimensions", "随机减贝叶斯，4 维")),
         above("heuristic, 2", T("random minus evolution, 2 dimensions", "随机减进化，2 维"))),
        switch=T("how many of the dimensions matter", "有多少维度真正重要"), prototype="depends",
    )
)  # fmt: skip
def h1(plan: Plan) -> Outcome:
    made: dict[str, list[float]] = {k: [] for k in ("random, 2", "random, 4", "bayes, 2", "bayes, 4", "heuristic, 2")}
    for seed in plan.seeds:
        for d in (2, 4):
            by = {n: regret(s, d, seed) for n, s in (("grid", grid), ("random", random), ("bayes", bayesian()))}
            made[f"random, {d}"].append(by["grid"] - by["random"])
            made[f"bayes, {d}"].append(by["random"] - by["bayes"])
            if d == 2:
                made["heuristic, 2"].append(by["random"] - regret(evolution, d, seed))
    return Outcome({k: tuple(v) for k, v in made.items()})


@experiment(
    Claim(
        "H2", T("Bayesian search has many settings of its own, so that it only moves the problem.", "贝叶斯搜索自身也有许多设"
        "置，只是把问题转移了。"), T("Turner et al. 2021: defaults do well.", "Turner 等 2021：默认设置已经很好。"),
        T("As H1, 2 dimensions: the worst of five settings (kernel, exploration, start, acquisition), chosen on the other "
        "set of seeds, against random search. Moves the problem: no better than random.",
          "同 H1，二维：五种设置（核、探索、起点数、采集函数）中最差的一种（由另一组种子选出）与随机搜索比较。“转移问题”指不"
          "优于随机。"),
        (below("worst", T("random minus the worst Bayesian setting, regret, percentage points",
            "随机减最差的贝叶斯设置，遗憾值，百分点"), 0.0),),
        erratum=T("It has settings, but even poor ones did not fall behind random search by much here; the defaults are "
            "enough.", "它确有设置，但在这里即使较差的设置也没有明显落后于随机搜索；用默认值就够了。"),
    )
)  # fmt: skip
def h2(plan: Plan) -> Outcome:
    from sklearn.gaussian_process.kernels import RBF, Matern

    kinds = (
        bayesian(),
        bayesian(RBF(0.3)),
        bayesian(Matern(0.3, nu=0.5)),
        bayesian(explore=0.1, start=8),
        bayesian(acquisition="bound"),
    )
    regrets = np.array([[regret(k, 2, seed) for seed in plan.seeds] for k in kinds])
    half = plan.n
    worst = [int(np.argmax(regrets[:, half:].mean(1)))] * half + [int(np.argmax(regrets[:, :half].mean(1)))] * half
    base = np.array([regret(random, 2, seed) for seed in plan.seeds])
    return Outcome({"worst": tuple(float(b - regrets[k, i]) for i, (b, k) in enumerate(zip(base, worst, strict=True)))})


@experiment(
    Claim(
        "H3", T("Tune on validation, report on test.", "在验证集上调参，在测试集上报告。"), T("Common ground: the best of "
        "many is best partly by luck.", "公认：众多尝试中的最佳部分来自运气。"),
        T("Noisy digits: 60 configurations of AdamW, 100 steps, chosen by 50 validation samples with noisy labels: accuracy "
        "of the chosen one on these minus that on 250 others of the same noise.", "带噪手写数字：AdamW 的 60 种配置，100 步，"
        "用 50 个带噪验证样本选择：所选配置在这 50 个上的准确率减去在另外 250 个同噪声样本上的准确率。"),
        (above("optimism", T("validation minus fresh accuracy of the chosen one, percentage points", "所选配置的验证准确率减"
            "新样本准确率，百分点")),),
    )
)  # fmt: skip
def h3(plan: Plan) -> Outcome:
    draw = np.random.default_rng(0)
    pairs = [(float(10 ** draw.uniform(-3.5, -1)), float(10 ** draw.uniform(-2, 1))) for _ in range(CONFIGURATIONS)]
    settings = [(lambda s, lr=lr, wd=wd: lanes_of("adamw", lr=lr, weight_decay=wd, seed=s)[0]) for lr, wd in pairs]
    lanes = train_noisy(plan, settings, 100).lanes
    assert lanes is not None
    _, (x, y), _ = parts()
    correct = (lanes.predict(x).argmax(-1) == y).double().reshape(CONFIGURATIONS, len(plan.seeds), -1)
    small, fresh = correct[..., :50].mean(-1), correct[..., 50:].mean(-1)
    best = small.argmax(0)
    gap = [100 * float(small[k, s] - fresh[k, s]) for s, k in enumerate(best.tolist())]
    return Outcome({"optimism": tuple(gap)})
