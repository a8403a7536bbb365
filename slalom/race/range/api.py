"""Which learning rate? `range_test`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from torch.utils.data import DataLoader

from slalom.core.errors import BadValueError, unknown_name
from slalom.race.prepare import seed_list
from slalom.race.range import allocation
from slalom.race.range.epochs import epochs
from slalom.race.range.heats import Subject
from slalom.race.range.make import from_search, from_sweep
from slalom.race.range.result import RangeResult
from slalom.race.range.subject import subject
from slalom.race.range.sweep import rates, sweep
from slalom.race.range.untouched import handed_in_kept, random_states_kept

Method = Literal["lanes", "sweep", "epochs"]
METHODS = ("lanes", "sweep", "epochs")
GROWTHS = ("exponential", "linear")
MEASURES = ("loss", "accuracy")
STEPS, EPOCHS = 100, 15  # rates of a sweep, one a step; of the per-epoch variant

# What only some methods read, with the methods; given to another it would do nothing, which is an error.
ONLY: dict[str, tuple[str, ...]] = {
    "lrs": ("lanes",), "budget": ("lanes",), "widen": ("lanes",), "growth": ("sweep", "epochs"), "by": ("epochs",),
}  # fmt: skip


def range_test(
    model: Any = None,
    data: Any = None,
    *,
    optimizer: Any = "adam",
    method: Method = "lanes",
    low: float = allocation.LOW,
    high: float = allocation.HIGH,
    lrs: Sequence[float] | None = None,
    steps: int | None = None,
    budget: int | None = None,
    seeds: int | Sequence[int] = 1,
    widen: bool | None = None,
    growth: str | None = None,
    by: str | None = None,
    step: Callable[..., Any] | None = None,
    loss: Any = None,
    batch_size: int | Literal["full"] | None = None,
    clip: float | None = None,
    target: str | Sequence[str] | None = None,
    split: Sequence[float] | None = None,
    split_seed: int | None = None,
    scale: bool | None = None,
    task: Any = None,
) -> RangeResult:
    """Find the learning rate for one optimizer on one model and data: by short runs at many rates, or by the one-pass test.

    `model`, `data`: as for `slalom.race`; an `nn.Module` keeps its weights, so that a trained one is tested from where it
    stands, and seeds then differ in the order of the data alone. `data` may be a `DataLoader` of (inputs, targets).
    `optimizer`: a rule ("adam", "sgd(momentum=0.9)", settings), a `torch.optim` class, or an optimizer object on the
    module's parameters: its groups keep their ratios and its state is where runs start. `step`: a training step of your own,
    `step(model, optimizer, batch) -> loss before the update`; it gets copies, and the batches as the loader gives them.

    - `method="lanes"` (default): rates side by side, from the same weights and on the same batches. A short look at rates half
      a decade apart from `low` (1e-5) to `high` (1e2), a longer one at those around the best, the rest of `budget` (800
      steps of each seed, over all rates) at three; a rate whose loss is not finite is infinitely bad. The pick is the least
      mean loss over the last fifth of the steps (median over `seeds`), averaged over .4 of a decade on both sides. A least
      loss at the grid's edge adds two decades there (`widen`). Where the first look hardly lowers the loss (a trained model, a
      plateau) the next goes to the rates around the highest that does no harm. With `lrs=` every rate given is trained for
      `steps`.
    - `method="sweep"`: one run a seed whose rate grows at each of `steps` (100) from `low` to `high`, `growth="exponential"`
      or `"linear"`; the curve (median over seeds) is smoothed without lag, a seed stops when it diverges. Suggestions:
      steepest (the default one), minimum/10, valley.
    - `method="epochs"`: an epoch at each of `steps` (15) rates; `by="loss"` (mean training loss of the epoch) or `"accuracy"`
      (on the validation part; of a DataLoader on its own batches).

    `loss`, `batch_size` (64), `clip`, `target`, `split`, `split_seed`, `scale`, `task`: as for a race. The module, its buffers,
    the optimizer, the random states of torch, NumPy and Python, and the loader's order are bit-identical afterwards.

    Returns a `RangeResult`: `.suggestion`, `.interval`, `.phases`, `.curve`, `.suggestions`, `.advice`, `.plot()`, `.to_dict()`.
    Raises `BadValueError`, `BadDataError` or `UnknownNameError` for what cannot be used.

    Source: Smith 2017, arXiv:1506.01186 (sweep, epochs); lanes are ours, measured in `benchmarks/range`. Libraries differ:
    fastai and Lightning smooth with a lag and return one rule's rate without an interval; torch-lr-finder takes the
    steepest fall per step.

    >>> import slalom
    >>> result = slalom.range_test("linear", "iris", optimizer="sgd")
    >>> 0.01 < result.suggestion < 100, result.interval[0] < result.suggestion < result.interval[1], result.cost <= 800
    (True, True, True)
    """
    if method not in METHODS:
        raise unknown_name("method of the range test", str(method), METHODS)
    given = {"lrs": lrs, "budget": budget, "widen": widen, "growth": growth, "by": by}
    for name, value in given.items():
        if value is not None and method not in ONLY[name]:
            raise BadValueError(f"{name}= does nothing with method={method!r}; it is for {', '.join(ONLY[name])}")
    numbers = seed_list(seeds)
    low, high = _rate("low", low), _rate("high", high)
    if low >= high:
        raise BadValueError(f"low must be below high, got low={low:g}, high={high:g}")
    loader = data if isinstance(data, DataLoader) else None
    with handed_in_kept(model, optimizer, step), random_states_kept(loader):
        options = {"target": target, "split": split, "split_seed": split_seed, "scale": scale, "task": task}
        options = {name: value for name, value in options.items() if value is not None}
        made, classes = subject(
            model,
            data,
            optimizer,
            step=step,
            loss=loss,
            batch_size=batch_size,
            clip=clip,
            data_options=options,
        )
        if method == "lanes":
            return _lanes(made, numbers, low, high, lrs, steps, budget, widen is None or widen)
        how = "exponential" if growth is None else growth
        if how not in GROWTHS:
            raise BadValueError(f"growth must be {' or '.join(GROWTHS)}, got {growth!r}")
        if method == "sweep":
            along = rates(low, high, _whole("steps", STEPS if steps is None else steps, 10), how)
            return from_sweep(made, sweep(made, along, numbers), "sweep", "loss")
        measure = "loss" if by is None else by
        if measure not in MEASURES:
            raise BadValueError(f"by must be {' or '.join(MEASURES)}, got {by!r}")
        if measure == "accuracy" and (not classes or step is not None):
            raise BadValueError("by='accuracy' needs classes to count and outputs to read; use by='loss' here")
        along = rates(low, high, _whole("steps", EPOCHS if steps is None else steps, 4), how)
        return from_sweep(made, epochs(made, along, numbers, measure), "epochs", "error" if measure == "accuracy" else "loss")


def _lanes(
    made: Subject, seeds: list[int], low: float, high: float, lrs: Any, steps: int | None, budget: int | None, widen: bool
) -> RangeResult:
    if lrs is None:
        if steps is not None:
            raise BadValueError("steps= is how long each of lrs= is trained; without lrs= give budget=, steps over all rates")
        total = _whole("budget", allocation.BUDGET if budget is None else budget, allocation.LEAST_BUDGET)
        return from_search(made, allocation.staged(made, seeds, low, high, total, widen), staged=True)
    if budget is not None:
        raise BadValueError("budget= is shared out among rates of the test's own; with lrs= give steps=, for each of them")
    if (low, high) != (allocation.LOW, allocation.HIGH):
        raise BadValueError("low= and high= bound a grid of the test's own; with lrs= leave them out")
    chosen = list(lrs) if isinstance(lrs, Sequence | np.ndarray) and not isinstance(lrs, str) else [lrs]
    grid = sorted({_rate("lrs", lr) for lr in chosen})
    if len(grid) < 3:
        raise BadValueError(f"lrs must name at least 3 rates, got {chosen}")
    return from_search(
        made, allocation.every(made, seeds, grid, _whole("steps", STEPS if steps is None else steps, 5), widen), staged=False
    )


def _rate(name: str, value: Any) -> float:
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number) or number <= 0:
        raise BadValueError(f"{name} must be learning rates in (0, inf), got {value!r}")
    return float(number)


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise BadValueError(f"{name} must be a whole number >= {least}, got {value!r}")
    return int(value)
