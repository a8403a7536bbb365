"""Optuna as its documentation has it: TPE with its defaults, torch's modules and fused optimizers, one trial after another.

Also with each of its pruners, and with one process a core that share a study (its journal file, the fastest storage that
several processes can share).
"""

from __future__ import annotations

import itertools
import math
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.tune.tasks import EPOCHS, SPACE, data_of
from slalom.data.record import Data
from slalom.nets import activation
from slalom.tune.samplers.study import distribution, inward

PRUNERS = ("none", "median", "percentile", "asha", "hyperband")


@dataclass(frozen=True)
class Reached:
    """CPU and wall seconds until the target, or until it was given up (`hit` False); trials begun; the best value."""

    hit: bool
    cpu: float
    wall: float
    trials: int
    best: float

    def row(self) -> dict[str, Any]:
        return asdict(self)


def train(data: Data, config: dict[str, Any], seed: int, after: Callable[[int, float], None] | None = None) -> float:
    """Validation loss after all epochs; infinite where it is no number. `after(epoch, loss)` may end it by raising."""
    torch.manual_seed(seed)
    inputs, outputs = math.prod(data.input_shape), data.output_size
    sizes = [inputs, *[config["units"]] * config["layers"]]
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), activation(config["activation"]), nn.Dropout(config["dropout"])]
    net = nn.Sequential(*layers, nn.Linear(sizes[-1], outputs))
    own = {"lr": config["lr"], "weight_decay": config["weight_decay"], "fused": True}
    adam = config["optimizer"] == "adam"
    made = torch.optim.Adam(net.parameters(), **own) if adam else torch.optim.SGD(net.parameters(), momentum=0.9, **own)
    n, size = len(data.train), config["batch_size"]
    total, t = EPOCHS * math.ceil(n / size), 0
    x, y = data.train.x, data.train.y

    def validation() -> float:
        net.eval()
        with torch.no_grad():
            loss = float(nn.functional.cross_entropy(net(data.val.x), data.val.y))
        net.train()
        return loss if math.isfinite(loss) else math.inf

    for epoch in range(1, EPOCHS + 1):
        order = torch.randperm(n)
        for start in range(0, n, size):
            index = order[start : start + size]
            if config["schedule"] == "cosine":
                made.param_groups[0]["lr"] = config["lr"] * 0.5 * (1 + math.cos(math.pi * t / total))
            made.zero_grad()
            nn.functional.cross_entropy(net(x[index]), y[index]).backward()
            made.step()
            t += 1
        if after is not None and epoch < EPOCHS:
            after(epoch, validation())
    return validation()


def pruner(name: str) -> Any:
    """One of Optuna's, with its defaults; epochs are its steps."""
    from optuna import pruners

    made = {
        "none": pruners.NopPruner,
        "median": pruners.MedianPruner,
        "percentile": lambda: pruners.PercentilePruner(75.0),
        "asha": pruners.SuccessiveHalvingPruner,
        "hyperband": lambda: pruners.HyperbandPruner(max_resource=EPOCHS),
    }
    return made[name]()


def _one(study: Any, data: Data, seed: int, kind: str) -> float:
    """A trial: asked, trained, told; its value, infinite where it was pruned."""
    import optuna

    trial = study.ask({name: distribution(p) for name, p in SPACE.params.items()})
    config = {name: inward(p, trial.params[name]) for name, p in SPACE.params.items()}
    ceiling = 2 * math.log(data.output_size)

    def after(epoch: int, loss: float) -> None:
        trial.report(min(loss, ceiling), epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        value = train(data, config, seed * 1000 + trial.number, None if kind == "none" else after)
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        return math.inf
    study.tell(trial, min(value, ceiling))
    return value


def search(task: str, seed: int, target: float, trials: int, cpu: float = math.inf, kind: str = "none") -> Reached:
    """One process until the target, or so many trials or CPU seconds."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    data = data_of(task)
    begin, wall, best, k = time.process_time(), time.perf_counter(), math.inf, 0
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), pruner=pruner(kind))
    while best > target and k < trials and time.process_time() - begin < cpu:
        best = min(best, _one(study, data, seed, kind))
        k += 1
    return Reached(best <= target, time.process_time() - begin, time.perf_counter() - wall, k, best)


def _share(path: str, task: str, seed: int, worker: int, target: float, trials: int, cpu: float, kind: str, ends: Any) -> None:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    data, best = data_of(task), math.inf
    sampler = optuna.samplers.TPESampler(seed=seed * 100 + worker)
    study = optuna.load_study(
        study_name="one", storage=JournalStorage(JournalFileBackend(path)), sampler=sampler, pruner=pruner(kind)
    )
    begin = time.process_time()
    while not ends.is_set() and len(study.get_trials(deepcopy=False)) < trials and time.process_time() - begin < cpu:
        best = min(best, _one(study, data, seed, kind))
        if best <= target:
            ends.set()
    ends.set()


def search_in_processes(task: str, seed: int, target: float, trials: int, cpu: float, kind: str, workers: int) -> Reached:
    """The same with `workers` processes on one study; CPU seconds are those of all of them, `cpu` is each one's most."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    context = multiprocessing.get_context("spawn")
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "journal.log")
        storage = JournalStorage(JournalFileBackend(path))
        study = optuna.create_study(study_name="one", storage=storage)
        ends = context.Event()
        given = [(path, task, seed, k, target, trials, cpu, kind, ends) for k in range(workers)]
        hands = [context.Process(target=_share, args=g) for g in given]
        for hand in hands:
            hand.start()
        for hand in hands:
            hand.join()
        values = [t.value for t in study.get_trials(deepcopy=False) if t.value is not None]
        count = len(study.get_trials(deepcopy=False))
    after, best = resource.getrusage(resource.RUSAGE_CHILDREN), min(values, default=math.inf)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Reached(best <= target, used, time.perf_counter() - wall, count, best)
