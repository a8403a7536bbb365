"""`slalom.tune`, reading a search back, and going on with one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import nn

    from slalom.tune.events import Event
    from slalom.tune.executors import Executor
    from slalom.tune.loggers.choose import Log
    from slalom.tune.result import TuneResult
    from slalom.tune.space import Space


def tune(
    model: str | nn.Module | Callable[..., nn.Module] | None = None,
    data: Any = "digits",
    *,
    space: Space | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    budget: int | str = "1m",
    method: str = "auto",
    epochs: int = 27,
    halving: float | None = 3,
    lanes: int | None = None,
    batch_size: int | str = 64,
    seed: int = 0,
    seeds: int = 5,
    finalists: int = 3,
    objective: Literal["loss", "metric"] = "loss",
    loss: str | Callable[..., Any] | None = None,
    metric: str | Callable[..., Any] | None = None,
    enqueue: Sequence[Mapping[str, Any]] = (),
    points: int | None = None,
    target: str | None = None,
    task: str | None = None,
    split: tuple[float, float, float] = (0.6, 0.2, 0.2),
    split_seed: int = 0,
    folds: int | None = None,
    scale: bool = True,
    dtype: str = "float32",
    executor: str | Executor = "local",
    workers: int | None = None,
    storage: str | None = None,
    directory: str | os.PathLike[str] | None = None,
    log: Log = None,
    on_event: Callable[[Event], None] | None = None,
) -> TuneResult:
    """Search for the best configuration of a model and its training: many side by side, the poor ones stopped early.

    - `model`: None or `"mlp..."` for MLPs, whose shape may vary; a factory, whose arguments may vary (annotate them with
      `slalom.tune.Float`, `Int`, `Categorical`, or name them in the space); a module, which is copied. `data`: as `slalom.race`.
    - `space`: a `Space`, a dict, or a TOML file: of `optimizer`, `lr`, `schedule`, `warmup` (epochs), `epochs`, `batch_size`,
      `weight_decay` and other hypers (`adam.b1`), `clip`, `l1`, `initialisation`, `augment` (specs such as `noise=.1`, or
      `none`); of an MLP `layers`, `units` (or `units1`, `units2`, ...), `activation`, `dropout`; of a factory its arguments.
      None: a sensible one for the data.
    - `budget`: trials (200), time (`"5m"`), or `"1e6 lane_steps"`. `method`: auto, random, grid, bayesian, gp, evolution, cma,
      annealing, or manual (what you `enqueue` alone). `points`: values of each number in a grid.
    - `epochs`: the most that a trial is trained for; at epochs 1, 3, 9 (by `halving`) the best third of a batch of `lanes`
      goes on; the next batches have fewer trials and are compared at 3 and 9, and at 9 alone, and so on by turns.
    - `objective`: validation `"loss"` or `"metric"` is what is searched by. `enqueue`: configurations of your own to try first.
    - `seeds`: fresh ones over which the winner and its near-equals (`finalists`) are trained anew; the test part is opened once.
    - `folds`: k-fold validation in place of the validation part: a configuration is k lanes, measured by their mean; at last the
      winner is trained on all rows but the test part's. `split`, `split_seed`: shares of the parts, and which rows they get.
    - `executor`: `"local"`, `"processes"`, `"ray"`, with so many `workers`. `storage`: a database's URL, where several
      drivers share one Optuna study. `directory`: a new run directory, resumable; None: kept in memory. `log`:
      `"tensorboard"`, `"mlflow"`, `"wandb"` (offline), where they are installed; several in a list.

    Ctrl-C returns the best so far. Raises `SlalomError` kinds that name what is wrong.

    >>> import slalom
    >>> found = slalom.tune(data="iris", budget=8, epochs=3, seeds=2, method="random")
    >>> len(found.trials), found.best.state
    (8, 'finished')
    """
    from slalom.tune.prepare import prepare
    from slalom.tune.start import start

    parts = prepare(
        model, data, space=space, budget=budget, method=method, lanes=lanes, epochs=epochs, halving=halving,
        batch_size=batch_size, loss=loss, metric=metric, points=points,
        data_options={"target": target, "task": task, "split": split, "seed": split_seed, "scale": scale},
        seed=seed, seeds=seeds, finalists=finalists, objective=objective, dtype=dtype, storage=storage, folds=folds,
    )  # fmt: skip
    return start(parts, directory, executor, workers, enqueue, on_event, log)


def resume(
    directory: str | os.PathLike[str],
    *,
    model: Any = None,
    data: Any = None,
    loss: Any = None,
    metric: Any = None,
    executor: str | Executor = "local",
    workers: int | None = None,
    log: Log = None,
    on_event: Callable[[Event], None] | None = None,
) -> TuneResult:
    """Go on with a search that was stopped, each batch from its last rung. One that has ended is loaded.

    What was given as a Python object (a module, arrays, a callable) must be given again; the data's fingerprint is checked.
    """
    from slalom.tune.start import go_on

    return go_on(directory, {"model": model, "data": data, "loss": loss, "metric": metric}, executor, workers, on_event, log)


def load(directory: str | os.PathLike[str], *, model: Any = None, data: Any = None) -> TuneResult:
    """Read a search's run directory; `model` and `data` are needed only for `.model`, where they were given as Python objects."""
    from slalom.tune.start import read

    return read(directory, {"model": model, "data": data})
