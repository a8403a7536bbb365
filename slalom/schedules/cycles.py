"""Cyclic learning rates: triangles, and one cycle over the whole run; both can swing the momentum the other way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from slalom.core.errors import BadValueError
from slalom.schedules.base import Schedule
from slalom.schedules.fields import ABOVE_0, AT_LEAST_0, INSIDE, MOMENTUM, POSITIVE_SHARE, SHARE, Floats, Value
from slalom.schedules.shapes import eased
from slalom.schedules.symbols import named

Momenta = tuple[float, float] | None


class CyclesMomentum(Schedule):
    """A schedule with a field `momenta`: the lowest and the highest momentum, or None to leave it alone."""

    momenta: Momenta

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.momenta is not None:
            own, pair = type(self).__name__, self.momenta
            if not (isinstance(pair, tuple | list) and len(pair) == 2 and all(map(MOMENTUM.admits, pair)) and pair[0] <= pair[1]):
                raise BadValueError(f"{own}: momenta must be None or two numbers {MOMENTUM.allowed}, lowest first, got {pair!r}")
            object.__setattr__(self, "momenta", (float(pair[0]), float(pair[1])))

    @property
    def cycles_momentum(self) -> bool:
        return self.momenta is not None

    def height(self, t: Floats) -> Floats:
        """How far momentum is on its way from highest (0) to lowest (1)."""
        raise NotImplementedError

    def momentum_at(self, t: Floats) -> Floats:
        assert self.momenta is not None
        low, high = self.momenta
        return high - (high - low) * self.height(t)


@dataclass(frozen=True, eq=False)
class Triangular(CyclesMomentum):
    """Up from `low` to 1 in a straight line over `up` steps, down again over `down` (default: as many), and so on.

    `mode`: `"triangular"` keeps the height of the triangles, `"triangular2"` halves it with each, `"exp_range"` multiplies it by
    `gamma` at every step. `momenta=(lowest, highest)` swings the momentum the other way. `low` is a factor on the base learning
    rate, which is the peak.

    Source: Smith 2017, arXiv:1506.01186. Twin: torch's `CyclicLR(base_lr=low * lr, max_lr=lr, step_size_up=up)`, whose gamma is
    1 unless told otherwise. Optax has none.

    >>> triangle = Triangular(low=0.5, up=4)
    >>> [triangle(t) for t in (0, 2, 4, 6, 8)]
    [0.5, 0.75, 1.0, 0.75, 0.5]
    """

    low: Value = 0.25
    up: Value = 4.0
    down: Value | None = None
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    gamma: Value = 0.9999
    momenta: Momenta = None

    bounds = {"low": SHARE, "up": ABOVE_0, "down": ABOVE_0, "gamma": POSITIVE_SHARE}  # noqa: RUF012
    durations = ("up", "down")
    optional = frozenset({"down"})
    words = {"mode": ("triangular", "triangular2", "exp_range")}  # noqa: RUF012

    def height(self, t: Floats) -> Floats:
        down = self.up if self.down is None else self.down
        n: Floats = named("n", np.floor(t / (self.up + down)))
        into = named("u", t - (self.up + down) * n)
        tent: Floats = np.minimum(into / self.up, (self.up + down - into) / down)
        if self.mode == "triangular":
            return tent
        return tent * 0.5**n if self.mode == "triangular2" else tent * self.gamma**t

    def at(self, t: Floats) -> Floats:
        return self.low + (1 - self.low) * self.height(t)


@dataclass(frozen=True, eq=False)
class OneCycle(CyclesMomentum):
    """Up from `start` to 1 over the first `rise` of `total` steps, then down to `final`; momentum swings the other way.

    `three_phase`: down to `start` as fast as it rose, then to `final` in what is left. `shape`: `"cosine"` or `"linear"`.
    `momenta`: lowest and highest momentum (Adam's first beta), None to leave it alone. After `total` it stays at `final`.
    All but momenta are factors on the base learning rate, which is the peak.

    Source: Smith & Topin 2018, arXiv:1708.07120. Twins: `optax.cosine_onecycle_schedule(total)`; torch's `OneCycleLR`, which
    ends in the last of its N steps, where this one ends after it: `OneCycle(N - 1, rise=(pct_start * N - 1) / (N - 1))`.

    >>> cycle = OneCycle(total=100, start=0.1, final=0.0)
    >>> round(cycle(0), 6), cycle(30), cycle(100)
    (0.1, 1.0, 0.0)
    >>> cycle.momentum(0), round(cycle.momentum(30), 6)
    (0.95, 0.85)
    """

    total: Value
    rise: Value = 0.3
    start: Value = 1 / 25
    final: Value = 1 / 25 / 1e4
    shape: Literal["cosine", "linear"] = "cosine"
    three_phase: bool = False
    momenta: Momenta = (0.85, 0.95)

    bounds = {"total": ABOVE_0, "rise": INSIDE, "start": AT_LEAST_0, "final": AT_LEAST_0}  # noqa: RUF012
    durations = ("total",)
    words = {"shape": ("cosine", "linear"), "three_phase": (False, True)}  # noqa: RUF012

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.three_phase and np.any(np.asarray(self.rise) >= 0.5):
            raise BadValueError(f"OneCycle: rise must be < 0.5 with three_phase, whose fall is as long, got {self.rise}")

    def _legs(self, t: Floats, levels: tuple[Any, ...]) -> Any:
        """Through the levels: at the start, the peak, the fall's end, the run's end."""
        peak = self.rise * self.total
        first, top, low, last = levels
        until = np.minimum(t, self.total)
        up = first + (top - first) * eased(t / peak, self.shape)
        if not self.three_phase:
            return np.where(t < peak, up, top - (top - last) * eased((until - peak) / (self.total - peak), self.shape))
        fall = top - (top - low) * eased((t - peak) / peak, self.shape)
        end = low - (low - last) * eased((until - 2 * peak) / (self.total - 2 * peak), self.shape)
        return np.where(t < peak, up, np.where(t < 2 * peak, fall, end))

    def height(self, t: Floats) -> Floats:
        swing: Floats = self._legs(t, (0.0, 1.0, 0.0, 0.0))
        return swing

    def at(self, t: Floats) -> Floats:
        cycle: Floats = self._legs(t, (self.start, 1.0, self.start, self.final))
        return cycle
