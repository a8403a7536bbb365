"""Warm-up: the learning rate climbs in a straight line, then another schedule begins; or it holds, and falls at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from slalom.core.errors import BadValueError
from slalom.schedules.base import Schedule
from slalom.schedules.compose import since
from slalom.schedules.constant import Constant
from slalom.schedules.fields import ABOVE_0, AT_LEAST_0, SHARE, Floats, Value
from slalom.schedules.shapes import SHAPES, eased


def climb(t: Floats, steps: Value, start: Value | None) -> Any:
    """From `start`, 1 / (steps + 1) by default, to 1 in a straight line over `steps` steps (1 where there are none)."""
    first: Any = 1 / (steps + 1) if start is None else start
    return first + (1 - first) * t / (steps if np.ndim(steps) == 0 else np.where(np.asarray(steps) > 0, steps, 1.0))


@dataclass(frozen=True, eq=False, init=False)
class Warmup(Schedule):
    """From `start` to 1 in a straight line over `steps` steps, then `then`, whose own step 0 is that step.

    `start`: 1 / (steps + 1) by default, so that no step is wasted at a rate of 0. Twins: `optax.linear_schedule` joined
    to the next; `torch.optim.lr_scheduler.LinearLR(start_factor=start, total_iters=steps)`.

    >>> warm = Warmup(steps=3)
    >>> warm(0), warm(1), warm(3), warm(9)
    (0.25, 0.5, 1.0, 1.0)
    """

    steps: Value
    after: Schedule  # what the argument `then` gave: the method of that name is every schedule's
    start: Value | None

    bounds = {"steps": AT_LEAST_0, "start": SHARE}  # noqa: RUF012
    durations = ("steps",)
    optional = frozenset({"start"})

    def __init__(self, steps: Value, then: Schedule | None = None, start: Value | None = None) -> None:
        for name, value in (("steps", steps), ("after", Constant() if then is None else then), ("start", start)):
            object.__setattr__(self, name, value)
        if not isinstance(self.after, Schedule):
            raise BadValueError(f"Warmup: then must be a schedule, got {then!r}")
        self.__post_init__()

    def _remade(self, fields: dict[str, Any]) -> Self:
        return type(self)(fields["steps"], fields["after"], fields["start"])

    def __repr__(self) -> str:
        return f"Warmup(steps={self.steps!r}, then={self.after!r}, start={self.start!r})"

    def at(self, t: Floats) -> Floats:
        if np.ndim(self.steps) == 0 and self.steps == 0:
            return self.after.at(t)
        return np.where(t < self.steps, climb(t, self.steps, self.start), self.after.at(since(t, self.steps)))

    def momentum_at(self, t: Floats) -> Floats:
        return self.after.momentum_at(since(t, self.steps))


@dataclass(frozen=True, eq=False)
class WarmupStableDecay(Schedule):
    """Up from `start` to 1 over `warmup` steps, level, and over the last `decay` of `total` steps down to `final`; then `final`.

    `warmup`: 0 by default; `start`: 1 / (warmup + 1). `decay`: a fifth of `total` by default. `shape` of the fall: `"linear"`,
    `"cosine"`, or `"sqrt"` (1 minus the root of the share done).

    Source: Hu et al. 2024 (MiniCPM), arXiv:2404.06395, section 4; shape and length of the fall: Hagele et al. 2024,
    arXiv:2405.18392. Twins: `optax.join_schedules` of three; `get_wsd_schedule` of transformers, which starts from 0.

    >>> wsd = WarmupStableDecay(total=100, warmup=10, start=0.0)
    >>> wsd(5), wsd(10), wsd(80), wsd(90), wsd(100)
    (0.5, 1.0, 1.0, 0.5, 0.0)
    """

    total: Value
    warmup: Value = 0.0
    decay: Value | None = None
    final: Value = 0.0
    start: Value | None = None
    shape: Literal["cosine", "linear", "sqrt"] = "linear"

    bounds = {"total": ABOVE_0, "warmup": AT_LEAST_0, "decay": ABOVE_0, "final": AT_LEAST_0, "start": SHARE}  # noqa: RUF012
    durations = ("total", "warmup", "decay")
    optional = frozenset({"decay", "start"})
    words = {"shape": SHAPES}  # noqa: RUF012

    def __post_init__(self) -> None:
        super().__post_init__()
        if np.any(np.asarray(self.warmup) + np.asarray(self._fall) > np.asarray(self.total) * (1 + 1e-12)):
            raise BadValueError(
                f"WarmupStableDecay: warmup and decay must fit into total, got {self.warmup} + {self._fall} > {self.total}; "
                "shorten one of them or train longer"
            )

    @property
    def _fall(self) -> Value:
        return 0.2 * self.total if self.decay is None else self.decay

    def at(self, t: Floats) -> Floats:
        begin: Any = self.total - self._fall
        until = np.minimum(t, self.total)
        fall = 1 - (1 - self.final) * eased(since(until, begin) / self._fall, self.shape)
        level = np.where(t < begin, 1.0, fall)
        if np.ndim(self.warmup) == 0 and self.warmup == 0:
            return level
        return np.where(t < self.warmup, climb(t, self.warmup, self.start), level)
