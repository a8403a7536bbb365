"""O17, O19, O25, O33: which method is best, at what depth, on what scales, after a change."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import above, below, control
from slalom.claims.lab.points import ALL, normals
from slalom.claims.lab.tasks import digits, spirals
from slalom.claims.lab.training import WORST, Task, decades, steps_to, sweep, told
from slalom.claims.outcome import Outcome
from slalom.claims.registry import experiment
from slalom.claims.words import T
from slalom.data import load
from slalom.engines.lanes import Lanes, lanes_of
from slalom.nets import mlp

GRIDS = {"adam": decades(1e-3, 0.1), "sgd": decades(0.03, 3), "momentum": decades(3e-3, 0.3), "rmsprop": decades(3e-4, 0.03)}


def table(name: str, steps: int = 300) -> Task:
    """A built-in table with an MLP of 32 units."""
    data = load(name, split=(0.6, 0.2, 0.2))
    x, y = torch.cat([data.val.x, data.test.x]), torch.cat([data.val.y, data.test.y])
    loss = "cross_entropy" if data.task == "classification" else "mse"
    inputs, outputs = data.input_shape, data.output_size
    return Task(data.train.x, data.train.y, x, y, lambda: mlp(inputs, (32,), outputs), 32, steps, loss)


def tasks() -> dict[str, Task]:
    """Six small tasks."""
    return {
        "digits": digits(steps=200), "deep digits": digits((32,) * 5, steps=200), "spirals": spirals((32,) * 3, steps=400),
        "zipf": table("zipf", 200), "wine": table("wine", 200), "diabetes": table("diabetes", 200),
    }  # fmt: skip


NAMES = {
    "digits": "手写数字",
    "deep digits": "手写数字（五隐层）",
    "spirals": "双螺旋",
    "zipf": "稀疏词",
    "wine": "葡萄酒",
    "diabetes": "糖尿病",
}


@experiment(
    Claim(
        "O17",
        T("Adam is the best choice overall.", "总体而言 Adam 是最佳选择。"),
        T("Against: Wilson et al. 2017. For: Choi et al. 2019 (tuned, never worse). Schmidt et al. 2021: it depends on the "
        "task.",
          "反对：Wilson 等 2017；支持：Choi 等 2019（调参后从不更差）；Schmidt 等 2021：取决于任务。"),
        T("Six tasks, five rates each for Adam, SGD, momentum and RMSprop. Test accuracy (diabetes: minus test error) of "
        "Adam minus the best of the "
          "three others, the best found on the other set of seeds.",
          "六个任务，Adam、SGD、动量、RMSprop 各五个学习率。Adam 的测试准确率（糖尿病为负的测试误差）减去其余三者中最好的，后"
          "者由另一组种子选出。"),
        tuple(above(k, T(f"Adam minus the best other, {k}, percentage points", f"Adam 减去其他最佳者，{z}，百分点"))
              for k, z in NAMES.items()),
        switch=T("the task", "任务"),
    )
)  # fmt: skip
def o17(plan: Plan) -> Outcome:
    effects, flags = {}, []
    half = plan.n
    for name, task in tasks().items():
        sign = 1 if task.y.is_floating_point() else -1
        judged = {}
        for rule, lrs in GRIDS.items():
            given: dict[str, Any] = {"alpha": 0.9} if rule == "rmsprop" else {}
            found = sweep(task, rule, lrs, plan, **given)
            merit = sign * np.where(found.loss < WORST, found.accuracy, WORST if sign == 1 else 0.0)
            judged[rule] = -100 * found.at_best(merit, merit)
            flags += [f"{name}, {f}" for f in found.edge(rule, merit)]
        others = [v for k, v in judged.items() if k != "adam"]
        first = int(np.argmax([o[:half].mean() for o in others]))
        second = int(np.argmax([o[half:].mean() for o in others]))
        best = np.concatenate([others[second][:half], others[first][half:]])
        effects[name] = told(judged["adam"] - best)
    return Outcome(effects, tuple(flags))


KINDS = (("shallow", "2 hidden layers", "2 个隐层", 2, False), ("deep", "6 hidden layers", "6 个隐层", 6, False),
         ("deep, BN", "6 hidden layers with BN", "6 个隐层加 BN", 6, True))  # fmt: skip


@experiment(
    Claim(
        "O19",
        T("For speed, or for deep networks, use an adaptive method.", "想要快、或网络很深时，应使用自适应方法。"),
        T("As O17; normalisation takes much of the difference away.", "同 O17；归一化会消除大部分差别。"),
        T("Digits, MLPs of width 32, five rates each: steps until the mean loss of ten batches is under .2, SGD over Adam.",
          "手写数字，宽度 32 的 MLP，各五个学习率：十个批量的平均损失降到 0.2 以下所需步数，SGD 与 Adam 之比。"),
        tuple(above(k, T(f"log2 of SGD's steps over Adam's, {en}", f"SGD 与 Adam 步数之比的 log2，{zh}"))
              for k, en, zh, _, _ in KINDS),
        switch=T("depth and normalisation", "深度与归一化"),
    )
)  # fmt: skip
def o19(plan: Plan) -> Outcome:
    effects, flags = {}, []
    for key, _, _, depth, norm in KINDS:
        task = digits((32,) * depth, steps=300, batchnorm=norm)
        needed = {}
        for rule in ("sgd", "adam"):
            found = sweep(task, rule, GRIDS[rule], plan)
            steps = steps_to(found.curve, 0.2)
            needed[rule] = found.at_best(steps, steps)
            flags += [f"{key}, {f}" for f in found.edge(rule, steps)]
        effects[key] = told(np.log2(needed["sgd"] / needed["adam"]))
    return Outcome(effects, tuple(flags))


SCALES = torch.tensor([1.0, 10.0, 100.0, 1000.0])


def scaled() -> Task:
    """Linear regression whose four features differ a thousandfold in scale."""
    g = torch.Generator().manual_seed(0)
    z = torch.randn(256, 4, generator=g)
    y = z @ torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    return Task(z * SCALES, y, z * SCALES, y, lambda: nn.Linear(4, 1), 256, 600, "mse")


@experiment(
    Claim(
        "O25",
        T("RMSprop evens out the coordinates and damps the swing, so that a larger learning rate can be used.",
          "RMSprop 使各坐标均衡、抑制摆动，因而可以用更大的学习率。"),
        T("Tieleman & Hinton 2012.", "Tieleman 与 Hinton 2012。"),
        T("Linear regression, four features of scales 1 to 1000, full batch, 600 steps, tuned: ratio of the largest to the "
        "smallest of the four "
          "mean step sizes over the first ten steps, and log10 of the final losses' ratio.",
          "线性回归，四个特征尺度从 1 到 1000，全批量 600 步，已调参：前十步中四个权重平均步长的最大与最小之比，以及最终损失"
          "之比的常用对数。"),
        (below("ratio", T("log10 of the largest over the smallest step, RMSprop", "最大与最小步长之比的常用对数，RMSprop"),
            0.5),
         control(above("sgd", T("log10 of the largest over the smallest step, SGD", "最大与最小步长之比的常用对数，SGD"),
             1.5)),
         above("gain", T("log10 of SGD's final loss over RMSprop's", "SGD 与 RMSprop 最终损失之比的常用对数"))),
        erratum=T("\"A larger learning rate\" compares numbers of different meaning: RMSprop's rate is a step, SGD's is a "
            "step per unit of gradient.",
                  "“更大的学习率”比较的是含义不同的数：RMSprop 的学习率是步长，SGD 的是单位梯度的步长。"),
    )
)  # fmt: skip
def o25(plan: Plan) -> Outcome:
    task, effects, last = scaled(), {}, {}
    seeds = list(plan.seeds)
    for key, rule, lrs in (("ratio", "rmsprop", decades(1e-4, 1)), ("sgd", "sgd", decades(1e-8, 1e-5, 4))):
        found = sweep(task, rule, lrs, plan)
        last[key] = found.at_best(found.loss)
        lr = found.best_lrs()[0]
        many = lanes_of(rule, lr=lr, seed=seeds)
        made = Lanes(task.make, many, loss="mse", example=(task.x, task.y))
        moved, before = [], _weights(made)
        for _ in range(10):
            made.step(task.x, task.y)
            now = _weights(made)
            moved.append((now - before).abs())
            before = now
        size = torch.stack(moved).mean(0)
        effects[key] = told((size.max(1).values / size.min(1).values).log10().numpy())
    return Outcome({**effects, "gain": told(np.log10(last["sgd"] / np.maximum(last["ratio"], 1e-12)))})


def _weights(lanes: Lanes) -> Tensor:
    return torch.stack([lanes.weights(i)["weight"][0] for i in range(len(lanes))])


class _Chaser(nn.Module):
    """A point; rows tell where the minimum is and the gradient's noise."""

    def __init__(self) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.at.expand(len(x), 1), x], 1)


def _chase(out: Tensor, y: Tensor) -> Tensor:
    p, goal, noise = out[0, 0], out[0, 1], out[0, 2]
    return 0.5 * (p - goal) ** 2 + noise * p + 0 * y.sum()


@experiment(
    Claim(
        "O33",
        T("Adam overfits early features; its learning rate late in training is too low for new ones.",
          "Adam 会过拟合早期特征；训练后期学习率太低，学不动新特征。"),
        T("Partly Wilson et al. 2017. Adam itself has no decay; Adagrad has.", "部分见于 Wilson 等 2017。Adam 本身没有衰减，"
        "Adagrad 才有。"),
        T("A quadratic with noisy gradients whose minimum moves by as much as at the start after 1000 steps: steps to come "
        "within a tenth of the way, after "
          "the move over at the start; lr .1 for Adagrad, .02 for Adam. Control: Adagrad.",
          "带梯度噪声的二次函数，最小点在 1000 步后再移动与最初同样的距离：移动后与最初走到十分之一以内所需步数之比；Adagrad "
          "lr = 0.1，Adam lr = 0.02。对照：Adagrad。"),
        (above("adam", T("log2 of Adam's steps after the move over those at the start", "Adam 移动后与最初步数之比的 log2"),
            1.0),
         control(above("adagrad", T("log2 of Adagrad's steps after the move over those at the start",
             "Adagrad 移动后与最初步数之比的 log2"), 1.0))),
        erratum=T("The late rate that is too low is Adagrad's. Adam forgets old gradients within 1/(1 - b2) steps.",
                  "后期学习率过低的是 Adagrad；Adam 在约 1/(1 - b2) 步内就会忘掉旧梯度。"),
    )
)  # fmt: skip
def o33(plan: Plan) -> Outcome:
    shift, steps, effects = 1000, 2500, {}
    n = len(plan.seeds)
    noise = 0.3 * normals(plan, (steps, 1))
    goal = torch.where(torch.arange(steps) < shift, 1.0, 2.0).double().expand(n, steps)[..., None]
    x = torch.cat([goal, noise], 2).reshape(-1, 2)
    y = torch.zeros(len(x), 1)
    rows = torch.arange(n)[:, None] * steps
    settings: tuple[tuple[str, dict[str, Any]], ...] = (("adam", {"lr": 0.02}), ("adagrad", {"lr": 0.1}))
    for rule, given in settings:
        made = Lanes(
            _Chaser,
            lanes_of(rule, seed=list(plan.seeds), **given),
            loss=_chase,
            example=(x[:1], y[:1]),
            dtype=torch.float64,
            chunk=ALL,
        )
        path = []
        for t in range(0, steps, 10):
            made.epoch(x, y, [rows + u for u in range(t, t + 10)])
            path.append(made.predict(x[:1])[:, 0, 0].clone())
        where = torch.stack(path).numpy()
        cut = shift // 10
        first = 10 * (1 + np.argmax(where > 0.9, 0))
        late = where[cut:] > 1.9
        second = np.where(late.any(0), 10 * (1 + np.argmax(late, 0)), steps - shift)
        effects[rule] = told(np.log2(second / first))
    return Outcome(effects)
