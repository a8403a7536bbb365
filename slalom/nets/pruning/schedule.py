"""How much is pruned when: the cubic schedule."""

from __future__ import annotations

from dataclasses import dataclass

from slalom.core.errors import BadValueError


@dataclass(frozen=True)
class CubicSparsity:
    """`schedule(step)` is the share to have pruned: 0 before `start`, `final` from `end` on, between them along a cubic curve.

    Much goes early, while many weights are superfluous, little late. Source: Zhu & Gupta 2017, arXiv:1710.01878, equation 1.

    >>> schedule = CubicSparsity(0.8, start=0, end=100)
    >>> schedule(0), round(schedule(50), 3), schedule(100)
    (0.0, 0.7, 0.8)
    """

    final: float
    start: int = 0
    end: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.final < 1:
            raise BadValueError(f"CubicSparsity: final must be a share in [0, 1), got {self.final!r}")
        if not 0 <= self.start < self.end:
            raise BadValueError(f"CubicSparsity: 0 <= start < end must hold, got start={self.start!r}, end={self.end!r}")

    def __call__(self, step: int) -> float:
        if step < 0:
            raise BadValueError(f"CubicSparsity: steps are counted from 0, got {step}")
        done = min(max((step - self.start) / (self.end - self.start), 0.0), 1.0)
        return self.final * (1 - (1 - done) ** 3)
