"""What repaired runs are compared by: one measure of a model's answers for all of them, whatever loss a fix trains on."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from slalom.doctor.fixes import loss_kind as kinds
from slalom.doctor.fixes.classes import class_numbers
from slalom.doctor.fixes.rows import finite_rows
from slalom.doctor.run.skill import outputs_of, right, sample
from slalom.doctor.setup import Pair, Setup


class Yardstick:
    """`of(model, pair)`: a loss on rows whose numbers are finite, lower is better, infinite where there is no number.

    It is the set-up's own loss in the units of its targets, with two differences. Answers that are as many as the targets
    take their shape first, so that nothing is broadcast. `by_class`: the mean over the classes of each class's mean loss, for
    classes of very different size.
    """

    def __init__(self, setup: Setup, by_class: bool = False) -> None:
        self.loss_fn = setup.loss_fn
        self.by_class = by_class and class_numbers(setup.train[1]) is not None
        self.kind, reshaped = kinds.OTHER, False
        try:
            outputs, y, self.kind = kinds.looked_at(setup)
            reshaped = outputs is not None and _as_many(outputs, y)
        except (RuntimeError, ValueError, IndexError, TypeError):  # the model does not take its rows as it stands
            pass
        self.special = self.by_class or reshaped or self.kind == kinds.NLL  # it may differ from the set-up's own loss

    def of(self, model: nn.Module, pair: Pair) -> float:
        good = finite_rows(*pair)
        x, y = sample((pair[0][good], pair[1][good]))
        if not len(y):
            return math.inf
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            try:
                value = self._loss(outputs_of(model, x), y)
            except (RuntimeError, ValueError, IndexError, TypeError):
                return math.inf
        return value if math.isfinite(value) else math.inf

    def right(self, model: nn.Module, pair: Pair) -> float:
        """The share of right classes, over the classes alike where they are so measured; NaN where targets are no classes."""
        good = finite_rows(*pair)
        x, y = sample((pair[0][good], pair[1][good]))
        if y.is_floating_point() or not len(y):
            return math.nan
        with torch.no_grad():
            outputs = outputs_of(model, x)
        if not self.by_class or not isinstance(outputs, Tensor):
            return right(outputs, y)
        shares = [right(outputs[y == c], y[y == c]) for c in torch.bincount(y).nonzero().flatten()]
        return sum(shares) / len(shares)

    def _loss(self, outputs: Any, y: Tensor) -> float:
        if not self.by_class:
            return self._one(outputs, y)
        numbers = class_numbers(y)
        assert numbers is not None
        present = torch.bincount(numbers).nonzero().flatten()
        return sum(self._one(outputs[numbers == c], y[numbers == c]) for c in present) / len(present)

    def _one(self, outputs: Any, y: Tensor) -> float:
        if isinstance(outputs, Tensor):
            if _as_many(outputs, y):
                outputs = outputs.reshape(y.shape)
            if self.kind in (kinds.CROSS_ENTROPY, kinds.NLL):  # scores and log-probabilities alike
                return float(F.cross_entropy(outputs, y))
        return float(self.loss_fn(outputs, y))


def _as_many(outputs: Tensor, y: Tensor) -> bool:
    """Whether outputs have another shape than the targets, and are as many."""
    return outputs.shape != y.shape and outputs.numel() == y.numel() and y.is_floating_point()
