"""Early stopping: training ends once validation has not improved for a while, and the best weights come back."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from slalom.core.checks import number, whole
from slalom.core.errors import BadValueError


class Stoppable(Protocol):
    """What `EarlyStopping.step_lanes` needs of `slalom.Lanes`."""

    def __len__(self) -> int: ...

    def stop(self, lanes: Sequence[int]) -> None: ...

    def weights(self, lane: int) -> dict[str, Tensor]: ...


class EarlyStopping:
    """Stops when a validation value has not improved by more than `min_delta` for `patience` checks in a row.

    `patience`: a whole number >= 1. `min_delta` >= 0: smaller improvements count as none. `higher_is_better`: for accuracies.
    `restore`: put the best weights back at the stop (kept as a copy of the state dict, buffers included). A NaN is no
    improvement. `best`, `best_check` (from 1) and `checks` tell what was seen.

    In lanes each lane stops alone: `step_lanes(values, lanes)` stops those that are due; `lane_weights(i)` has their best.
    Keras' EarlyStopping restores only if told; Prechelt 1998, "Early stopping - but when?", criterion UP.

    >>> net = nn.Linear(1, 1)
    >>> stopping = EarlyStopping(patience=2)
    >>> [stopping.step(loss, net) for loss in (3.0, 2.0, 2.5, 2.1)]
    [False, False, False, True]
    >>> stopping.best, stopping.best_check
    (2.0, 2)
    """

    def __init__(
        self, patience: int = 10, *, min_delta: float = 0.0, higher_is_better: bool = False, restore: bool = True
    ) -> None:
        whole(patience, "EarlyStopping: patience", 1)
        number(min_delta, "EarlyStopping: min_delta", "[0, inf)")
        self.patience, self.min_delta, self.restore = patience, min_delta, restore
        self.higher_is_better = higher_is_better
        self.best = -math.inf if higher_is_better else math.inf
        self.best_check = self.checks = 0
        self.stopped = False
        self._weights: dict[str, Any] | None = None
        self._lanes: list[EarlyStopping] = []

    def saw(self, value: float) -> bool:
        """Takes a value in; whether it is the best so far."""
        self.checks += 1
        gain = value - self.best if self.higher_is_better else self.best - value
        better = gain > self.min_delta
        if better:
            self.best, self.best_check = value, self.checks
        self.stopped = self.stopped or self.checks - self.best_check >= self.patience
        return better

    def step(self, value: float, model: nn.Module) -> bool:
        """Takes in the value after an epoch: True when training should end; the best weights are then back in the model."""
        if self.saw(float(value)) and self.restore:
            self._weights = copy.deepcopy(model.state_dict())
        if self.stopped:
            self.restore_best(model)
        return self.stopped

    def restore_best(self, model: nn.Module) -> None:
        """Puts the best weights back, also where training has ended for another reason; nothing with `restore=False`."""
        if self._weights is not None:
            model.load_state_dict(self._weights)

    def step_lanes(self, values: Sequence[float], lanes: Stoppable) -> list[int]:
        """Takes in a value for each lane and stops those whose time is up; the lanes that it has stopped now."""
        if len(values) != len(lanes):
            raise BadValueError(f"EarlyStopping: there must be a value for each of {len(lanes)} lanes, got {len(values)}")
        if not self._lanes:
            self._lanes = [self.fresh() for _ in values]
        due: list[int] = []
        for i, (own, value) in enumerate(zip(self._lanes, values, strict=True)):
            if own.stopped:
                continue
            if own.saw(float(value)) and self.restore:
                own._weights = lanes.weights(i)
            if own.stopped:
                due.append(i)
        if due:
            lanes.stop(due)
        self.stopped = all(own.stopped for own in self._lanes)
        return due

    @property
    def kept(self) -> dict[str, Any] | None:
        """The best weights, as a state dict; None before there are any."""
        return self._weights

    def keep(self, weights: dict[str, Any]) -> None:
        """Takes up the best weights."""
        self._weights = weights

    def state_dict(self) -> dict[str, Any]:
        """What was seen, with the weights that are kept: numbers and tensors."""
        seen = {k: getattr(self, k) for k in ("best", "best_check", "checks", "stopped", "restore")}
        return {**seen, "weights": self._weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a `state_dict()` of one with the same settings."""
        self.best, self.best_check, self.checks = state["best"], state["best_check"], state["checks"]
        self.stopped, self._weights = state["stopped"], state["weights"]

    def fresh(self) -> EarlyStopping:
        """Another with the same settings that has seen nothing yet."""
        return EarlyStopping(
            self.patience, min_delta=self.min_delta, higher_is_better=self.higher_is_better, restore=self.restore
        )

    def lane(self, lane: int) -> EarlyStopping:
        """What was seen of a lane: `best`, `best_check`, `checks`, `stopped`."""
        if not 0 <= lane < len(self._lanes):
            raise BadValueError(f"EarlyStopping: it has seen {len(self._lanes)} lanes, got {lane!r}")
        return self._lanes[lane]

    def lane_weights(self, lane: int) -> dict[str, Tensor]:
        """A lane's best weights, as a state dict."""
        found = self.lane(lane)._weights
        if found is None:
            raise BadValueError(f"EarlyStopping: no weights are kept of lane {lane}; restore={self.restore}, no value was finite")
        return {k: torch.clone(v) for k, v in found.items()}
