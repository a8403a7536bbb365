"""The learning curve in the amount of data: error against training samples, seeds as lanes, and what follows from it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slalom.core.checks import whole
from slalom.core.errors import BadDataError, BadValueError

if TYPE_CHECKING:
    from slalom.core.penalty import Penalty

Errors = np.ndarray[Any, np.dtype[np.float64]]
SIZES = 5


@dataclass(frozen=True)
class LearningCurve:
    """`val`, `train` `[sizes, seeds]`: errors, lower is better: 1 - accuracy, or the root mean squared error for regression.

    NaN where a lane turned non-finite. `print` it for the table and the advice.
    """

    sizes: tuple[int, ...]
    val: Errors
    train: Errors
    what: str

    @property
    def gain(self) -> tuple[float, float]:
        """How much the last step in size has lowered the validation error: mean and standard error, paired by seed."""
        diff = self.val[-2] - self.val[-1]
        diff = diff[np.isfinite(diff)]
        if len(diff) < 2:
            return math.nan, math.nan
        return float(diff.mean()), float(diff.std(ddof=1) / math.sqrt(len(diff)))

    @property
    def advice(self) -> str:
        """One sentence: whether more data would help, from the last two sizes and the gap to the training error."""
        gain, se = self.gain
        a, b = self.sizes[-2:]
        if not math.isfinite(gain):
            return "too few seeds have finished to say; lower the learning rate, or give more seeds"
        said = f"from {a} to {b} samples the validation error fell by {gain:.4f} +- {se:.4f}"
        gap = float(np.nanmean(self.val[-1]) - np.nanmean(self.train[-1]))
        left = float(np.nanmean(self.val[-1]))
        if gain > 2 * se and gain > 0:
            return f"more data helps: {said}"
        if gap > left / 2:
            return f"not shown that more data helps: {said}, yet the gap to the training error is {gap:.4f}; try regularisation"
        return f"more data does not show to help: {said}, and training fits little better; try a larger model or longer training"

    def __str__(self) -> str:
        rows = [f"{'samples':>8}  {'validation':>18}  {'training':>18}   ({self.what}, mean +- standard error)"]
        for n, val, train in zip(self.sizes, self.val, self.train, strict=True):
            rows.append(f"{n:>8}  {_mean(val):>18}  {_mean(train):>18}")
        return "\n".join([*rows, self.advice])


def learning_curve(
    model: Any = None, data: Any = "digits", *, rule: str = "adam", lr: float | None = None, sizes: Sequence[int] | None = None,
    seeds: int = 5, steps: int = 500, batch_size: int = 64, penalty: Penalty | None = None,
) -> LearningCurve:  # fmt: skip
    """Trains on growing parts of the training data and measures the error on validation; the test part stays unopened.

    - `model`, `data`: as for `slalom.race`; `rule`, `lr`: the update rule and its learning rate (None: its default).
    - `sizes`: increasing numbers of training samples, two at least; None: five, each twice the one before, up to all.
    - `seeds`: a number >= 2; a seed draws initialisation, which samples (smaller sets lie within larger ones) and their order.
    - `steps`: of every run, whatever its size, so that less data is not also less training. `penalty`: of `slalom.optim`.

    Raises BadValueError for sizes that do not fit the data. As scikit-learn's `learning_curve`, with one split for validation.

    >>> curve = learning_curve("mlp:16:relu", "iris", sizes=[10, 80], seeds=2, steps=20, lr=0.01)
    >>> curve.val.shape
    (2, 2)
    """
    import torch

    from slalom.data import Data, load
    from slalom.engines.lanes import Lanes, lanes_of
    from slalom.nets import build
    from slalom.race.metrics import METRICS, in_units
    from slalom.race.order import permutation
    from slalom.race.prepare import loss_for

    for name, value, least in (("seeds", seeds, 2), ("steps", steps, 1), ("batch_size", batch_size, 1)):
        whole(value, f"learning_curve: {name}", least)
    found = data if isinstance(data, Data) else load(data)
    n = len(found.train)
    chosen = _sizes(sizes, n)
    factory, loss = build(model, found), loss_for(None, found)
    classes = found.task == "classification"
    measure = in_units(METRICS["accuracy" if classes else "rmse"].measure, found)
    told: dict[str, Any] = {} if lr is None else {"lr": lr}
    many = lanes_of(rule, seed=list(range(seeds)), penalty=penalty, **told)
    subset = [permutation(s, 0, n) for s in range(seeds)]
    val, train = [], []
    for size in chosen:
        x, y = found.train.x, found.train.y
        lanes = Lanes(factory, many, loss=loss, example=(x[:batch_size], y[:batch_size]))
        done, epoch = 0, 0
        while done < steps:
            epoch += 1
            order = torch.stack([subset[s][:size][permutation(s, epoch, size)] for s in range(seeds)])
            batches = [part.contiguous() for part in torch.split(order, batch_size, dim=1)][: steps - done]
            lanes.epoch(x, y, batches)
            done += len(batches)
        val.append(lanes.evaluate(found.val.x, found.val.y, [measure])[0])
        own = [lanes.predict(x[subset[s][:size]])[s] for s in range(seeds)]
        train.append([float(measure(o, y[subset[s][:size]])) if s not in lanes.retired else math.nan for s, o in enumerate(own)])
    if not np.isfinite(np.array(val)).any():
        raise BadDataError(f"learning_curve: every run of {rule} turned non-finite; lower lr")
    sign, offset = (-1, 1) if classes else (1, 0)
    what = "share of wrong answers" if classes else "root mean squared error"
    return LearningCurve(tuple(chosen), offset + sign * np.array(val), offset + sign * np.array(train), what)


def _sizes(sizes: Sequence[int] | None, n: int) -> list[int]:
    if sizes is None:
        made = sorted({n // 2**k for k in range(SIZES)} - {0})
        if len(made) < 2:
            raise BadDataError(f"learning_curve: {n} training samples are too few for a curve")
        return made
    given = list(sizes)
    whole = all(isinstance(s, int) and not isinstance(s, bool) and 1 <= s <= n for s in given)
    if len(given) < 2 or not whole or any(a >= b for a, b in itertools.pairwise(given)):
        raise BadValueError(f"learning_curve: sizes must be two or more increasing whole numbers in 1..{n}, got {given!r}")
    return given


def _mean(values: Errors) -> str:
    ok = values[np.isfinite(values)]
    if len(ok) < 2:
        return "non-finite"
    return f"{ok.mean():.4f} +- {ok.std(ddof=1) / math.sqrt(len(ok)):.4f}"
