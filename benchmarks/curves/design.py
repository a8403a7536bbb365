"""How `slalom.doctor.read_curve` does on the tasks that it was designed on: `python -m benchmarks.curves.design [TASK ...]`.

Twelve tasks, none of which judges it: curves as they come from other data than the study's three. With the probe on one order of
the batches and on all that a run has.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.curves.runs import Task, labelled_runs
from benchmarks.curves.study import Recorded, table
from slalom.data import load
from slalom.data.record import Data
from slalom.doctor import read_curve

SEEDS = (20, 21, 22)


class One(Recorded):
    """The first order alone."""

    orders = 1


def _drawn(seed: int, make: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]) -> Callable[[], Data]:
    return lambda: load(make(np.random.default_rng(seed)))


def _round(r: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.c_[r * np.cos(angle), r * np.sin(angle)]


def _pinwheel(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    y, r = rng.integers(0, 4, 800), 0.2 + np.abs(rng.normal(1, 0.4, 800))
    return _round(r, 2 * np.pi * y / 4 + 2.2 * r + 0.2 * rng.normal(0, 1, 800)), y


def _board(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.uniform(0, 4, (1000, 2))
    return x, np.floor(x).sum(1).astype(int) % 2


def _crescents(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    r, y = rng.uniform(0, 1, 900), rng.integers(0, 3, 900)
    return _round(r, 2 * np.pi * y / 3 + 4 * r) + 0.04 * rng.normal(0, 1, (900, 2)), y


def _rings(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    y = rng.integers(0, 2, 900)
    r = np.where(y, 1.0, 0.5) + 0.5 * rng.integers(0, 2, 900) + 0.08 * rng.normal(0, 1, 900)
    return _round(r, rng.uniform(0, 6.28, 900)), y


def _waves(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.uniform(-1, 1, (900, 2))
    return x, np.sin(5 * x[:, 0]) * np.cos(4 * x[:, 1]) + 0.1 * rng.normal(0, 1, 900)


def _parity(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.integers(0, 2, (1200, 6)) * 2.0 - 1
    return x + 0.2 * rng.normal(0, 1, x.shape), (x[:, :3].prod(1) > 0).astype(int)


def _sine(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.uniform(-3, 3, (800, 1))
    return x, np.sin(3 * x[:, 0]) + 0.2 * rng.normal(0, 1, 800)


def _labels(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(0, 1, (900, 10))
    y = (np.tanh(x @ rng.normal(0, 0.6, (10, 16))) @ rng.normal(0, 1, (16, 4))).argmax(1)
    return x, np.where(rng.random(900) < 0.15, rng.integers(0, 4, 900), y)


TASKS = (
    Task("pinwheel", _drawn(51, _pinwheel), "mlp:48:relu"),
    Task("board", _drawn(52, _board), "mlp:48,24:tanh"),
    Task("crescents", _drawn(58, _crescents), "mlp:48,32:tanh"),
    Task("rings", _drawn(53, _rings), "mlp:32,16:tanh"),
    Task("waves", _drawn(54, _waves), "mlp:32,32:tanh"),
    Task("parity", _drawn(55, _parity), "mlp:32:relu"),
    Task("sine", _drawn(56, _sine), "mlp:24,24:relu"),
    Task("labels", _drawn(57, _labels), "mlp:32:relu"),
    Task("wine", lambda: load("wine"), "mlp:16:relu"),
    Task("breast_cancer", lambda: load("breast_cancer"), "mlp:16:tanh"),
    Task("moons", lambda: load("moons"), "mlp:16:relu"),
    Task("teacher", lambda: load("teacher"), "mlp:24:tanh"),
)


def main(names: Sequence[str]) -> None:
    runs = [run for task in TASKS if not names or task.name in names for run in labelled_runs(task, SEEDS)]
    print(f"{len(runs)} runs, seeds {SEEDS}")
    for title, probe in (("with the probe on one order", One), ("with the probe on all orders", Recorded)):
        table(title, runs, [read_curve(run.loss, run.lr, probe=probe(run)) for run in runs])


if __name__ == "__main__":
    main(sys.argv[1:])
