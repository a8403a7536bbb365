"""Which regularisation helps on noisy digits: 200 training samples, a fifth of whose labels are random (claims R5-R11).

A seed draws the training samples, their wrong labels, the initialisation and the order. Every method is given its own
strength by mean accuracy on 300 noisy validation samples; what is printed is clean accuracy on 897 others that chose nothing, as
the paired difference from no regularisation: mean, standard error over seeds, and how many seeds it won. The learning rate is
the same for all, and training is long enough to fit the wrong labels: a rate tuned for each method is itself a way of stopping
short, and hides the rest (`LRS` may hold several).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import slalom
from slalom.nets import Augment, Cutout, EarlyStopping, Mixup, Noise, Shift
from slalom.optim import L1, L2, ElasticNet

SEEDS, TRAIN, VAL, POOL, BATCH, EPOCHS = 10, 200, 300, 600, 20, 80
LRS = (3e-3,)
PATIENCE = 5


def network(width: int = 64, dropout: float = 0.0, norm: bool = False) -> Callable[[], nn.Module]:
    """An MLP 64-width-10 with ReLU."""

    def make() -> nn.Module:
        between = [nn.BatchNorm1d(width)] * norm + [nn.ReLU()] + [nn.Dropout(dropout)] * (dropout > 0)
        return nn.Sequential(nn.Linear(64, width), *between, nn.Linear(width, 10))

    return make


@dataclass(frozen=True)
class Method:
    """One row: `settings` are the alternatives that validation chooses among, keywords of a lane's rule and penalty."""

    name: str
    make: Callable[[], nn.Module] = field(default_factory=network)
    rule: str = "adam"
    settings: Sequence[dict[str, Any]] = ({},)
    augment: Augment | None = None
    stopping: bool = False
    samples: int = TRAIN


def images(*transforms: Any) -> Augment:
    """Transforms of images for rows of 64 pixels."""

    def as_images(x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x = x.reshape(-1, 1, 8, 8)
        for transform in transforms:
            x, y = transform(x, y, generator)
        return x.flatten(1), y

    return Augment(as_images)


METHODS = (
    Method("none"),
    Method("dropout .2", network(dropout=0.2)),
    Method("dropout .5", network(dropout=0.5)),
    Method("L2", settings=[{"penalty": L2(s)} for s in (0.01, 0.03, 0.1)]),
    Method("L1, proximal", settings=[{"penalty": L1(s)} for s in (0.001, 0.003, 0.01)]),
    Method("L1, subgradient", settings=[{"penalty": L1(s, "subgradient")} for s in (0.001, 0.003, 0.01)]),
    Method("elastic net", settings=[{"penalty": ElasticNet(s, 10 * s)} for s in (0.001, 0.003)]),
    Method("weight decay (AdamW)", rule="adamw", settings=[{"weight_decay": d} for d in (1.0, 3.0, 10.0)]),
    Method("early stopping (160 samples)", stopping=True),
    Method("noise .1", augment=Augment(Noise(0.1))),
    Method("noise .3", augment=Augment(Noise(0.3))),
    Method("shift by 1 pixel", augment=images(Shift(1))),
    Method("cutout 3", augment=images(Cutout(3))),
    Method("mixup 1", augment=Augment(Mixup(1.0, classes=10))),
    Method("three times the data", samples=POOL),
    Method("width 12", network(12)),
    Method("BatchNorm", network(norm=True)),
)  # fmt: skip


def noisy(y: Tensor, generator: torch.Generator) -> Tensor:
    """A fifth of the labels drawn anew."""
    wrong = torch.rand(len(y), generator=generator) < 0.2
    return torch.where(wrong, torch.randint(0, 10, (len(y),), generator=generator), y)


class Digits:
    """Pool, noisy validation and clean test part; each seed's own training set is a block of `x`, `y`."""

    def __init__(self) -> None:
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(x))
        x, y = torch.tensor(x[order] / 16, dtype=torch.float32), torch.tensor(y[order])
        self.pool, self.val, self.test = ((x[a:b], y[a:b]) for a, b in ((0, POOL), (POOL, POOL + VAL), (POOL + VAL, len(x))))
        self.val = (self.val[0], noisy(self.val[1], torch.Generator().manual_seed(99)))

    def block(self, seed: int, samples: int) -> tuple[Tensor, Tensor]:
        g = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(POOL, generator=g)[:samples]
        return self.pool[0][chosen], noisy(self.pool[1][chosen], g)


def accuracy(outputs: Tensor, y: Tensor) -> Tensor:
    """The share of right answers."""
    return (outputs.argmax(-1) == y).float().mean()


def soft_cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy with shares of classes."""
    return -(targets * outputs.log_softmax(-1)).sum(-1).mean()


def run(method: Method, data: Digits) -> tuple[Tensor, str]:
    """Clean test accuracy `[seeds]` at the setting that validation chose, and what that was."""
    choices = [(lr, s) for lr in LRS for s in method.settings]
    many, blocks = [], [data.block(seed, method.samples) for seed in range(SEEDS)]
    for lr, setting in choices:
        many += slalom.lanes_of(method.rule, lr=lr, seed=list(range(SEEDS)), **setting)
    lane_seeds = list(range(SEEDS)) * len(choices)
    x, y = (torch.stack([b[k] for b in blocks]) for k in (0, 1))
    held = method.samples // 5 if method.stopping else 0  # of each seed's own samples, to stop by
    kept = method.samples - held
    soft = method.augment is not None and "Mixup" in repr(method.augment)
    wanted = nn.functional.one_hot(y, 10).float() if soft else y
    loss = soft_cross_entropy if soft else "cross_entropy"
    lanes = slalom.Lanes(method.make, many, loss=loss, example=(x[0, :BATCH], wanted[0, :BATCH]))
    stopping, step = EarlyStopping(PATIENCE), 0
    own, at = torch.arange(len(many)), torch.tensor(lane_seeds)
    for epoch in range(EPOCHS * TRAIN // method.samples):  # the same number of steps for all
        orders = [torch.randperm(kept, generator=torch.Generator().manual_seed(1000 * s + epoch)) for s in range(SEEDS)]
        for part in torch.split(torch.stack(orders), BATCH, dim=1):
            batches = [(x[s, part[s]], y[s, part[s]]) for s in range(SEEDS)]
            if method.augment is not None:
                batches = [method.augment(bx, by, seed=s, step=step) for s, (bx, by) in enumerate(batches)]
            bx, by = torch.cat([b[0] for b in batches]), torch.cat([b[1] for b in batches])
            lanes.epoch(bx, by, [at[:, None] * part.shape[1] + torch.arange(part.shape[1])])
            step += 1
        if method.stopping and not stopping.stopped:
            outputs = lanes.predict(x[:, kept:].flatten(0, 1)).unflatten(1, (SEEDS, held))[own, at]
            losses = nn.functional.cross_entropy(outputs.flatten(0, 1), y[at, kept:].flatten(), reduction="none")
            stopping.step_lanes(losses.view(-1, held).mean(1).tolist(), lanes)
        if method.stopping and stopping.stopped:
            break
    modules = [lanes.module(i) for i in range(len(many))]
    for i, module in enumerate(modules):
        if method.stopping:
            module.load_state_dict(stopping.lane_weights(i))
        module.eval()
    with torch.no_grad():
        val, test = (torch.tensor([accuracy(m(p[0]), p[1]) for m in modules]).view(-1, SEEDS) for p in (data.val, data.test))
    best = int(val.mean(1).argmax())
    lr, setting = choices[best]
    said = ", ".join([f"lr {lr:g}", *(f"{k} {v.l1 or v.l2:g}" if k == "penalty" else f"{k} {v:g}" for k, v in setting.items())])
    return test[best], said


def main() -> None:
    """Prints the table."""
    torch.set_num_threads(1)
    data = Digits()
    load = os.getloadavg()[0]
    print(f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, torch {torch.__version__}, one thread, load {load:.1f}")
    print(
        f"noisy digits: {TRAIN} samples, 20 % random labels, {SEEDS} seeds, {EPOCHS * TRAIN // BATCH} steps, batch {BATCH}, Adam"
    )
    print(f"{'method':<30}{'test accuracy':>14}{'against none':>20}{'wins':>7}  chosen on validation")
    base = None
    for method in METHODS:
        begin = time.perf_counter()
        test, said = run(method, data)
        base = test if base is None else base
        diff = 100 * (test - base)
        se = float(diff.std()) / math.sqrt(SEEDS)
        mean = float(diff.mean())
        word = "" if method.name == "none" else "tie" if abs(mean) <= 2 * se else "better" if mean > 0 else "worse"
        shown = f"{mean:+.1f} +- {se:.1f} {word}" if word else ""
        seconds = time.perf_counter() - begin
        print(
            f"{method.name:<30}{100 * float(test.mean()):>8.1f} +- {100 * float(test.std()) / math.sqrt(SEEDS):<3.1f}{shown:>20}"
            f"{int((diff > 0).sum()) if word else '':>7}  {said} ({seconds:.0f} s)",
            flush=True,
        )
    print("+-: standard error over seeds; tie: the paired difference is within two of them")
