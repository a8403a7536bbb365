"""A race's result without a race: seeded curves of 11 rules x 9 learning rates x 3 seeds, the shape of the real thing."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from slalom.race.results import LaneResult, LeaderRow

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "line\u2028separator & \u2029 <b>bold</b>",
)
CENTRES = {
    "sgd": 0.3, "momentum": 0.03, "nag": 0.03, "adagrad": 0.03, "adadelta": 3.0, "rmsprop": 1e-3, "adam": 3e-3,
    "adamax": 6e-3, "nadam": 3e-3, "radam": 5.6e-3, "lion": 3e-4,
}  # fmt: skip


@dataclass
class FakeRace:
    plan: dict[str, Any]
    environment: dict[str, Any]
    data: dict[str, Any]
    lanes: list[LaneResult]
    arrays: SimpleNamespace
    rows: list[LeaderRow]
    metric: str = "accuracy"
    higher_is_better: bool = True
    notes: list[str] = field(default_factory=list)
    directory: str | None = None

    def curves(self) -> SimpleNamespace:
        return self.arrays

    def leaderboard(self) -> list[LeaderRow]:
        return self.rows


def fake_race(
    names: tuple[str, ...] = tuple(CENTRES),
    *,
    lrs: int = 9,
    seeds: int = 3,
    epochs: int = 20,
    per_epoch: int = 17,
    hostile: bool = False,
) -> FakeRace:
    """`hostile`: the last rules, the data, the model and a note get names that attack a page."""
    rng = np.random.default_rng(0)
    centres = [CENTRES.get(name, 0.01) for name in names]
    steps, k = epochs * per_epoch, 0
    if hostile:
        names = (*names[: -len(HOSTILE)], *HOSTILE)
    train, val_loss, val_metric, lanes = [], [], [], []
    for r, (rule, centre) in enumerate(zip(names, centres, strict=True)):
        grid = [centre * 10 ** (0.25 * (i - lrs // 2 + r % 3 - 1)) for i in range(lrs)]
        for lr in grid:
            for seed in range(seeds):
                off = math.log10(lr / centre)
                rate = 0.03 * math.exp(-1.6 * off * off) * (1 + 0.05 * (r % 4))
                t = np.arange(1, steps + 1)
                loss = 2.3 * np.exp(-rate * t) + 0.02 * (1 + abs(off)) + 0.3 * np.exp(-t / 80)
                loss *= np.exp(0.25 * rng.standard_normal(steps) * (1 - np.exp(-t / 30)))
                died = steps
                if off > 0.7 and r in (0, 1, 2, 4) and (seed + r) % 3:
                    died = 20 + 3 * k % 60
                    loss[:died] = 2.3 * np.exp(0.4 * np.arange(died))
                    loss[died:] = np.nan
                at = t[per_epoch - 1 :: per_epoch]
                smooth = 2.3 * np.exp(-rate * at) + 0.06 + 0.03 * abs(off) + 0.01 * rng.standard_normal(epochs)
                metric = np.clip(
                    0.978 - 0.004 * (r % 5) - 0.012 * off * off - 0.85 * np.exp(-rate * at) + 0.003 * rng.standard_normal(epochs),
                    0.08,
                    1,
                )
                metric[at > died], smooth[at > died] = np.nan, np.nan
                alive, nan = died == steps, math.nan
                lanes.append(LaneResult(
                    lane=k, rule=rule, lr=lr, seed=seed, status="finished" if alive else "retired",
                    train_loss=float(loss[-per_epoch:].mean()) if alive else nan, val_loss=float(smooth[-1]) if alive else nan,
                    val_metric=float(metric[-1]) if alive else nan, test_loss=float(smooth[-1]) + 0.01 if alive else nan,
                    test_metric=float(metric[-1] - 0.004 + 0.002 * rng.standard_normal()) if alive else nan, steps=died,
                    retired_step=None if alive else died + 1, last_finite_step=None if alive else died,
                    reason="" if alive else "the training loss became inf", mechanism="stacked",
                ))  # fmt: skip
                train.append(loss), val_loss.append(smooth), val_metric.append(metric)
                k += 1
    data = {
        "name": HOSTILE[0] if hostile else "digits", "task": "classification", "train": 1078, "val": 359, "test": 360,
        "input_shape": [64], "output_size": 10, "classes": [str(i) for i in range(10)],
        "notes": ["64 columns scaled to mean 0 and standard deviation 1 on the training part"], "fingerprint": "9f2c41aa",
    }  # fmt: skip
    model = HOSTILE[1] if hostile else "mlp:64,64:relu"
    return FakeRace(
        plan={"model": model, "rules": list(names), "lrs": None, "seeds": list(range(seeds)), "epochs": epochs, "batch_size": 64,
              "schedule": None, "order": "seed", "clip": None, "split": (0.6, 0.2, 0.2), "widen": True, "dtype": "float32"},
        environment={"date": "2026-11-21T13:00:07+01:00", "python": "3.11.9", "torch": "2.13.0+cpu", "platform": "Linux x86_64",
                     "threads": 2, "seconds": 41.3},
        data=data, lanes=lanes, rows=_rows(lanes),
        arrays=SimpleNamespace(
            train_loss=np.array(train, dtype=np.float32), grad_norm=np.array(train, dtype=np.float32),
            val_loss=np.array(val_loss, dtype=np.float32), val_metric=np.array(val_metric, dtype=np.float32),
            steps_per_epoch=per_epoch,
        ),
        notes=[HOSTILE[2] if hostile else "adadelta: the grid was widened by 3 learning rates, since the best sat at its edge"],
    )  # fmt: skip


def all_retired() -> FakeRace:
    """One rule, every lane of which stopped after three steps."""
    race, nan = fake_race(("sgd",), lrs=2), math.nan
    gone = {
        "status": "retired",
        "val_metric": nan,
        "val_loss": nan,
        "test_metric": nan,
        "test_loss": nan,
        "train_loss": nan,
    }
    race.lanes = [
        replace(lane, steps=3, retired_step=4, last_finite_step=3, reason="loss became inf", **gone) for lane in race.lanes
    ]
    race.arrays.train_loss[:, 3:] = nan
    race.arrays.val_loss[:], race.arrays.val_metric[:] = nan, nan
    lost = [f"{part}_{kind}{sd}" for part in ("val", "test") for kind in ("metric", "loss") for sd in ("", "_sd")]
    none = dict.fromkeys([*lost, "difference", "standard_error"], nan)
    race.rows = [replace(row, seeds=0, retired=6, **none) for row in race.rows]
    return race


def _rows(lanes: list[LaneResult]) -> list[LeaderRow]:
    groups: dict[str, dict[float, list[LaneResult]]] = {}
    for lane in lanes:
        groups.setdefault(lane.rule, {}).setdefault(lane.lr, []).append(lane)
    best = {
        rule: max(by, key=lambda lr: np.nan_to_num(np.mean([x.val_metric for x in by[lr]]), nan=-1))
        for rule, by in groups.items()
    }
    order = sorted(best, key=lambda rule: -np.nan_to_num(np.mean([x.test_metric for x in groups[rule][best[rule]]]), nan=-1))
    lead = np.array([x.test_metric for x in groups[order[0]][best[order[0]]]])
    rows = []
    for rank, rule in enumerate(order, 1):
        by, lr = groups[rule], best[rule]
        grid = sorted(by)
        i = grid.index(lr)

        def stats(name: str, lanes: list[LaneResult] = by[lr]) -> tuple[float, float]:
            values = np.array([getattr(lane, name) for lane in lanes])
            return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else math.nan

        gap = lead - np.array([x.test_metric for x in by[lr]])
        error = float(gap.std(ddof=1) / math.sqrt(len(gap))) if len(gap) > 1 else math.nan
        (vm, vs), (vl, vls), (tm, ts), (tl, tls) = map(stats, ("val_metric", "val_loss", "test_metric", "test_loss"))
        every = [lane for lanes in by.values() for lane in lanes]
        rows.append(LeaderRow(
            rank=rank, rule=rule, lr=lr, lr_low=grid[max(0, i - 1)], lr_high=grid[min(len(grid) - 1, i + (rank % 2))],
            seeds=len(gap), val_metric=vm, val_metric_sd=vs, val_loss=vl, val_loss_sd=vls, test_metric=tm, test_metric_sd=ts,
            test_loss=tl, test_loss_sd=tls, difference=float(gap.mean()), standard_error=error,
            tied=rank == 1 or bool(abs(gap.mean()) <= 2 * error), at_edge=i in (0, len(grid) - 1), lanes=len(every),
            retired=sum(lane.status == "retired" for lane in every),
        ))  # fmt: skip
    return rows
