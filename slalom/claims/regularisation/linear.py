"""R1, R2, R3: penalties on linear models, against scikit-learn and closed forms."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import nn

from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below
from slalom.claims.outcome import Lines, Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T
from slalom.engines.lanes import Lanes, lanes_of
from slalom.optim import L1, L2, ElasticNet

ALPHA, STEPS = 0.1, 500


@lru_cache(maxsize=16)
def regression(seed: int, n: int = 100, d: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    """Five of thirty features matter."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    w = np.zeros(d)
    w[:5] = (2, -2, 1, -1, 0.5)
    return torch.tensor(x), torch.tensor((x @ w + 0.5 * rng.standard_normal(n))[:, None])


def fitted(seed: int, lanes: list[Any], data: tuple[torch.Tensor, torch.Tensor] | None = None, steps: int = STEPS) -> np.ndarray:
    """Weights `[lanes, d]` of linear models without a bias, trained on full batches, float64."""
    x, y = regression(seed) if data is None else data
    made = Lanes(
        lambda: nn.Linear(x.shape[1], 1, bias=False), lanes, loss="mse", example=(x, y), dtype=torch.float64, chunk=len(lanes)
    )
    made.epoch(x, y, [torch.arange(len(x))] * steps)
    return np.stack([made.weights(i)["weight"][0].numpy() for i in range(len(lanes))])


@experiment(
    Claim(
        "R1", T("L1 drives weights to zero and so selects features.", "L1 使权重变为零，从而选择特征。"),
        T("Tibshirani 1996. Sub-gradient steps do not (tf-playground#55, tf-keras#16).", "Tibshirani 1996。次梯度步做不到（"
        "tf-playground#55、tf-keras#16）。"),
        T("Lasso, 100 samples, 30 features of which 5 matter, 500 full-batch steps: exact zeros among the weights under "
        "SGD, momentum and Adam with the sub-gradient, and with "
          "the proximal step; largest difference of the latter (SGD) from scikit-learn's Lasso.",
          "Lasso，100 个样本、30 个特征（5 个有用），全批量 500 步：SGD、动量、Adam 用次梯度与用近端步时恰为零的权重个数；后"
          "者（SGD）与 scikit-learn Lasso 的最大差。"),
        (*(above(f"{r}, proximal", T(f"exact zeros of 30, {r}, proximal", f"30 个权重中的精确零，{r}，近端"), 10)
           for r in ("sgd", "adam")),
         *(above(f"{r}, subgradient", T(f"exact zeros of 30, {r}, sub-gradient", f"30 个权重中的精确零，{r}，次梯度"), 10)
           for r in ("sgd", "momentum", "adam")),
         below("sklearn", T("largest difference from scikit-learn's Lasso, SGD, proximal", "与 scikit-learn Lasso 的最大差，"
             "SGD，近端"), 1e-4)),
        erratum=T("A penalty in the loss zeroes nothing: its sub-gradient makes weights flutter about 0. It takes a proximal "
            "step.",
                  "写进损失的惩罚不会产生零：次梯度只让权重在 0 附近抖动。需要近端步。"),
        switch=T("proximal or sub-gradient step", "近端步还是次梯度步"), prototype="depends", seeds=3,
    )
)  # fmt: skip
def r1(plan: Plan) -> Outcome:
    from sklearn.linear_model import Lasso

    rates = {"sgd": 0.1, "momentum": 0.02, "adam": 0.02}
    names = [("sgd", "proximal"), ("adam", "proximal"), *((r, "subgradient") for r in rates)]
    zeros: dict[str, list[float]] = {f"{r}, {m}": [] for r, m in names}
    apart = []
    for seed in plan.seeds:
        lanes = [
            lanes_of(r, lr=rates[r], penalty=L1(2 * ALPHA, "proximal" if m == "proximal" else "subgradient"))[0] for r, m in names
        ]
        weights = fitted(seed, lanes)
        for (r, m), w in zip(names, weights, strict=True):
            zeros[f"{r}, {m}"].append(float((w == 0).sum()))
        x, y = regression(seed)
        wanted = Lasso(alpha=ALPHA, fit_intercept=False, tol=1e-7, max_iter=100_000).fit(x.numpy(), y[:, 0].numpy()).coef_
        apart.append(float(np.abs(weights[0] - wanted).max()))
    return Outcome({**{k: tuple(v) for k, v in zeros.items()}, "sklearn": tuple(apart)})


@experiment(
    Claim(
        "R2", T("L2 shrinks the weights; the larger the strength, the nearer to 0.", "L2 使权重收缩；强度越大越接近 0。"), T(
        "Exact: Hoerl & Kennard 1970.", "精确结果：Hoerl 与 Kennard 1970。"),
        T("Ridge at five strengths by SGD, 500 full-batch steps: largest difference from the closed form; largest rise of "
        "the norm from one strength to the next.",
          "五种强度的岭回归，SGD 全批量 500 步：与闭式解的最大差；强度每增大一级时范数的最大增量。"),
        (below("closed form", T("largest difference from the closed form", "与闭式解的最大差"), 1e-5),
         below("monotone", T("largest change of the norm to the next strength", "强度增大一级时范数的最大变化"), 0.0)),
        seeds=1, kind="exact",
    )
)  # fmt: skip
def r2(plan: Plan) -> Outcome:
    strengths = [0.01, 0.1, 1.0, 3.0, 10.0]
    x, y = regression(0)
    weights = fitted(0, [lanes_of("sgd", lr=0.08, penalty=L2(s))[0] for s in strengths])
    n, d = x.shape
    wanted = [torch.linalg.solve(2 / n * x.T @ x + s * torch.eye(d), 2 / n * x.T @ y)[:, 0].numpy() for s in strengths]
    norms = np.linalg.norm(weights, axis=1)
    lines = Lines(
        tuple(strengths), {"|w|": tuple(map(float, norms))}, ("strength", "强度"), ("norm of the weights", "权重范数"), True
    )
    return Outcome(
        {"closed form": (float(np.abs(weights - np.stack(wanted)).max()),), "monotone": (float(np.diff(norms).max()),)},
        lines=lines,
    )


@experiment(
    Claim(
        "R3", T("The elastic net does both: it selects, and keeps correlated features together.", "弹性网络兼具两者：既选择特"
        "征，又把相关特征保留在一起。"), T("Zou & Hastie 2005.", "Zou 与 Hastie 2005。"),
        T("Two features that are equal up to noise of .01 carry the signal, eight carry none. Proximal SGD, 400 steps: "
        "smaller over larger weight of the twins, elastic net; the same for the "
          "lasso; largest difference from scikit-learn's ElasticNet.",
          "两个仅差 0.01 噪声的孪生特征携带信号，另外八个没有。近端 SGD 400 步：孪生特征较小与较大权重之比（弹性网络），"
          "Lasso 的同一比值，以及与 scikit-learn ElasticNet 的最大差。"),
        (above("together", T("smaller over larger twin's weight, elastic net", "孪生权重小比大，弹性网络"), 0.8),
         above("zeros", T("exact zeros of 8, elastic net", "8 个无用权重中的精确零，弹性网络"), 4),
         below("sklearn", T("largest difference from scikit-learn", "与 scikit-learn 的最大差"), 1e-4),
         below("lasso", T("smaller over larger twin's weight, lasso", "孪生权重小比大，Lasso"), 0.8)),
        seeds=3,
    )
)  # fmt: skip
def r3(plan: Plan) -> Outcome:
    from sklearn.linear_model import ElasticNet as Net
    from sklearn.linear_model import Lasso

    found: dict[str, list[float]] = {k: [] for k in ("together", "zeros", "sklearn", "lasso")}
    for seed in plan.seeds:
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((100, 10))
        x[:, 1] = x[:, 0] + 0.01 * rng.standard_normal(100)
        y = (x[:, 0] + x[:, 1] + 0.5 * rng.standard_normal(100))[:, None]
        alpha, share = 0.2, 0.5
        lanes = lanes_of("sgd", lr=0.1, penalty=ElasticNet(2 * alpha * share, 2 * alpha * (1 - share)))
        w = fitted(seed, lanes, (torch.tensor(x), torch.tensor(y)), 400)[0]
        wanted = Net(alpha=alpha, l1_ratio=share, fit_intercept=False, tol=1e-7, max_iter=100_000).fit(x, y[:, 0]).coef_
        lasso = Lasso(alpha=0.1, fit_intercept=False, tol=1e-7, max_iter=100_000).fit(x, y[:, 0]).coef_
        found["together"].append(float(np.abs(w[:2]).min() / np.abs(w[:2]).max()))
        found["zeros"].append(float((w[2:] == 0).sum()))
        found["sklearn"].append(float(np.abs(w - wanted).max()))
        found["lasso"].append(float(np.abs(lasso[:2]).min() / np.abs(lasso[:2]).max()))
    return Outcome({k: tuple(v) for k, v in found.items()})
