"""Reduce on plateau: the learning rate falls when the metric has stopped improving."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from slalom.core.errors import BadValueError
from slalom.schedules.base import Schedule
from slalom.schedules.constant import Constant
from slalom.schedules.fields import AT_LEAST_0, INSIDE, SHARE, Floats, Value

if TYPE_CHECKING:
    import torch

    from slalom.schedules.attach import AttachedPlateau


@dataclass(frozen=True, eq=False)
class Plateau(Schedule):
    """Multiplied by `factor` each time that more than `patience` metrics in a row are no better than the best one.

    It depends on what it is told, so it is no function of the step: `start()` gives the one thing here that has a state, which
    lanes and `attach` hold for you. Better means below (`mode="min"`) the best by `threshold`: a share of it
    (`threshold_mode="rel"`) or an amount (`"abs"`). After a cut, `cooldown` metrics pass uncounted. `floor`: the least that the
    cuts leave, as a factor. `base`: the schedule that is multiplied, such as a warm-up.

    Twin: torch's `ReduceLROnPlateau(factor, patience, ..., min_lr=floor * lr, eps=0)`; its `eps` skips cuts below 1e-8. optax's
    `reduce_on_plateau` counts to `patience`, not beyond it.

    >>> state = Plateau(factor=0.5, patience=1).start()
    >>> for loss in (1.0, 0.9, 0.9, 0.9):
    ...     state.step(loss)
    >>> state(4), state.state_dict()["best"]
    (0.5, 0.9)
    """

    factor: Value = 0.1
    patience: Value = 10.0
    mode: Literal["min", "max"] = "min"
    threshold: Value = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: Value = 0.0
    floor: Value = 0.0
    base: Schedule = field(default_factory=Constant)

    bounds = {"factor": INSIDE, "patience": AT_LEAST_0, "threshold": AT_LEAST_0, "cooldown": AT_LEAST_0, "floor": SHARE}  # noqa: RUF012
    words = {"mode": ("min", "max"), "threshold_mode": ("rel", "abs")}  # noqa: RUF012
    pure = False

    def __post_init__(self) -> None:
        if not isinstance(self.base, Schedule):
            raise BadValueError(f"Plateau: base must be a schedule, got {self.base!r}")
        super().__post_init__()
        if self.threshold_mode == "rel" and np.any(np.asarray(self.threshold) >= 1):
            raise BadValueError(f"Plateau: threshold must be < 1 as a share of the best metric, got {self.threshold}")

    def start(self) -> PlateauState:
        """A fresh state: the factor before any metric is known."""
        if self.lanes is not None:
            raise BadValueError(f"Plateau: its fields speak of {self.lanes} lanes, each with a state: plateau.lane(i).start()")
        return PlateauState(self)

    def at(self, t: Floats) -> Floats:
        raise BadValueError("Plateau depends on the metrics it is told, not on the step alone; start() it, and step(metric) that")

    def base_at(self, step: float) -> float:
        """The base schedule's factor, remembered: many lanes ask for the same step."""
        known: tuple[float, float] | None = self.__dict__.get("_known")
        if known is None or known[0] != step:
            known = self.__dict__["_known"] = (step, float(self.base(step)))
        return known[1]

    def momentum_at(self, t: Floats) -> Floats:
        return self.base.momentum_at(t)

    def attach(self, optimizer: torch.optim.Optimizer, *, step: int = 0, base_lr: Any = None) -> AttachedPlateau:
        """A scheduler that is also torch's `ReduceLROnPlateau`: `step(metric)`. It goes on from its state dict alone."""
        from slalom.schedules.attach import AttachedPlateau

        if step:
            raise BadValueError(f"Plateau: step {step} says nothing of the metrics before it; attach it, then load_state_dict")
        return AttachedPlateau(self, optimizer, base_lr)

    @property
    def formula(self) -> str:
        before = "" if self.base == Constant() else f"({self.base.formula}) * "
        return f"{before}{self._level('{}^k')}, where k counts the times that {self._condition}"

    @property
    def latex(self) -> str:
        before = "" if self.base == Constant() else rf"\left({self.base.latex}\right) "
        return before + self._level("{}^{{k}}").replace("max(", r"\max(") + rf", \quad k = \#\{{\text{{{self._condition}}}\}}"

    def _level(self, form: str) -> str:
        power = form.format(f"{self.factor:g}" if isinstance(self.factor, int | float) else "factor")
        return power if isinstance(self.floor, int | float) and self.floor == 0 else f"max({power}, {self.floor})"

    @property
    def _condition(self) -> str:
        return f"more than {self.patience if self.lanes else f'{self.patience:g}'} metrics in a row were no better than the best"


class PlateauState:
    """Where a plateau stands: `state(step)` is the factor now, `step(metric)` tells it the next metric."""

    def __init__(self, plateau: Plateau) -> None:
        self.plateau = plateau
        self.best = math.inf if plateau.mode == "min" else -math.inf
        self.level = 1.0
        self.bad = 0
        self.cooling = 0.0

    def __call__(self, step: float) -> float:
        return self.level * self.plateau.base_at(step)

    def momentum(self, step: float) -> float | None:
        """The momentum at `step`, where the base schedule sets it."""
        found: float | None = self.plateau.base.momentum(step)
        return found

    @property
    def cycles_momentum(self) -> bool:
        """Whether the base schedule sets the momentum."""
        return self.plateau.cycles_momentum

    def step(self, metric: Any) -> None:
        """Take note of the next metric, a number; NaN is no improvement."""
        try:
            value = float(metric)
        except (TypeError, ValueError, RuntimeError):
            raise BadValueError(f"Plateau: the metric must be one number, got {metric!r}") from None
        p = self.plateau
        if self._better(value):
            self.best, self.bad = value, 0
        else:
            self.bad += 1
        if self.cooling > 0:
            self.cooling, self.bad = self.cooling - 1, 0
        if self.bad > p.patience:
            # Never up: a base learning rate that is below the floor already stays where it is.
            self.level = min(self.level, max(self.level * float(p.factor), float(p.floor)))
            self.cooling, self.bad = float(p.cooldown), 0

    def _better(self, value: float) -> bool:
        p, sign = self.plateau, -1.0 if self.plateau.mode == "min" else 1.0
        if p.threshold_mode == "rel":
            return bool(sign * value > sign * self.best * (1 + sign * p.threshold))
        return bool(sign * value > sign * (self.best + sign * p.threshold))

    def state_dict(self) -> dict[str, float]:
        """Numbers alone: best metric, factor, metrics without improvement, cooldown left."""
        return {"best": self.best, "level": self.level, "bad": self.bad, "cooling": self.cooling}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Go on where `state_dict` was taken."""
        if set(state) != set(self.state_dict()):
            raise BadValueError(f"Plateau: a state has {', '.join(self.state_dict())}; this one has {', '.join(map(str, state))}")
        for name, value in state.items():
            setattr(self, name, value)
