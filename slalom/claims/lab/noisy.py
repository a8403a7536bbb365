"""DN: 200 digits a seed, a fifth of whose labels are random, and 20 of them a batch; every seed draws its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slalom.claims.claim import Plan
from slalom.claims.lab.tasks import all_digits
from slalom.claims.lab.training import Floats, right
from slalom.engines.lanes import Lane, Lanes
from slalom.nets import Augment, EarlyStopping, mlp

POOL, VAL, TRAIN, BATCH = 600, 300, 200, 20


def noisy(y: Tensor, generator: torch.Generator, share: float = 0.2) -> Tensor:
    """This share of the labels drawn anew."""
    wrong = torch.rand(len(y), generator=generator) < share
    return torch.where(wrong, torch.randint(0, 10, (len(y),), generator=generator), y)


@lru_cache(maxsize=1)
def parts() -> tuple[tuple[Tensor, Tensor], ...]:
    """Pool, noisy validation part, clean test part."""
    x, y = all_digits()
    pool, val, test = ((x[a:b], y[a:b]) for a, b in ((0, POOL), (POOL, POOL + VAL), (POOL + VAL, len(x))))
    return pool, (val[0], noisy(val[1], torch.Generator().manual_seed(99))), test


def block(seed: int, samples: int) -> tuple[Tensor, Tensor]:
    """A seed's own training samples with their noisy labels."""
    (x, y), _, _ = parts()
    g = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(POOL, generator=g)[:samples]
    return x[chosen], noisy(y[chosen], g)


@dataclass(frozen=True)
class NoisyRun:
    """Arrays `[settings, seeds]`: clean test accuracy, accuracy on noisy validation labels, on the own noisy training labels."""

    test: Floats
    val: Floats
    train: Floats
    lanes: Lanes | None = None

    def at_best(self) -> Floats:
        """Test accuracy of each seed at the setting that its validation part likes best on the other set of seeds."""
        half = self.val.shape[1] // 2
        best = [int(np.argmax(self.val[:, half:].mean(1)))] * half + [int(np.argmax(self.val[:, :half].mean(1)))] * half
        return np.array([self.test[k, s] for s, k in enumerate(best)])


def train_noisy(
    plan: Plan, settings: Sequence[Callable[[int], Lane]], steps: int = 400, make: Callable[[], nn.Module] | None = None,
    samples: int = TRAIN, augment: Augment | None = None, stopping: int = 0, batch: int = BATCH,
) -> NoisyRun:  # fmt: skip
    """Every setting (a function from seed to lane) on each seed's own data. `stopping`: patience in checks, a fifth held out."""
    seeds = list(plan.seeds)
    n = len(seeds)
    many = [lane_of(s) for lane_of in settings for s in seeds]
    blocks = [block(s, samples) for s in seeds]
    x, y = torch.stack([b[0] for b in blocks]), torch.stack([b[1] for b in blocks])
    held = samples // 5 if stopping else 0
    kept = samples - held
    lanes = Lanes(make or (lambda: mlp((64,), (64,), 10)), many, loss="cross_entropy", example=(x[0, :batch], y[0, :batch]))
    watch = EarlyStopping(stopping) if stopping else None
    at = torch.arange(len(many)) % n
    each, step = kept // batch, 0
    for epoch in range(max(1, steps // each)):
        orders = torch.stack([torch.randperm(kept, generator=torch.Generator().manual_seed(1000 * s + epoch)) for s in seeds])
        rows = list(torch.split(orders, batch, dim=1))[:each]
        if augment is None:
            flat_x, flat_y = x.flatten(0, 1), y.flatten()
            lanes.epoch(flat_x, flat_y, [at[:, None] * samples + part[at] for part in rows])
        else:
            for part in rows:
                made = [augment(x[k, part[k]], y[k, part[k]], seed=s, step=step) for k, s in enumerate(seeds)]
                bx, by = torch.cat([m[0] for m in made]), torch.cat([m[1] for m in made])
                lanes.epoch(bx, by, [at[:, None] * part.shape[1] + torch.arange(part.shape[1])])
                step += 1
        if watch is not None and not watch.stopped:
            out = lanes.predict(x[:, kept:].flatten(0, 1)).reshape(len(many), n, held, -1)[torch.arange(len(many)), at]
            losses = nn.functional.cross_entropy(out.flatten(0, 1), y[at, kept:].flatten(), reduction="none")
            watch.step_lanes(losses.view(-1, held).mean(1).tolist(), lanes)
    return _measured(lanes, watch, x, y, at, (len(settings), n))


def _measured(lanes: Lanes, watch: EarlyStopping | None, x: Tensor, y: Tensor, at: Tensor, shape: tuple[int, int]) -> NoisyRun:
    _, val, test = parts()
    found: dict[str, Any] = {"test": lanes.evaluate(*test, [right])[0], "val": lanes.evaluate(*val, [right])[0]}
    out = lanes.predict(x.flatten(0, 1)).reshape(len(lanes), *x.shape[:2], -1)[torch.arange(len(lanes)), at]
    found["train"] = (out.argmax(-1) == y[at]).double().mean(1).numpy()
    if watch is not None:  # a stopped lane is judged with its best weights
        for i in range(len(lanes)):
            net = lanes.module(i)
            weights = watch.lane_weights(i)
            net.load_state_dict(weights)
            net.eval()
            with torch.no_grad():
                found["test"][i], found["val"][i] = float(right(net(test[0]), test[1])), float(right(net(val[0]), val[1]))
    made = {k: np.nan_to_num(np.asarray(found[k])).reshape(shape) for k in ("test", "val", "train")}
    return NoisyRun(**made, lanes=lanes)
