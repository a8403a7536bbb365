"""What was read: plain records that print well."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

HEALTHY, RISES, FLAT, SLOW = "healthy", "rises at the start", "falls fast, then flat", "slow throughout"
OSCILLATES, DIVERGES = "oscillation", "divergence"
SHAPES = (HEALTHY, RISES, FLAT, SLOW, OSCILLATES, DIVERGES)


@dataclass(frozen=True)
class Figure:
    """One piece of evidence: a value, the threshold it was held against, and what it says, in words."""

    name: str
    value: float
    threshold: float
    words: str

    @property
    def crossed(self) -> bool:
        return not self.value < self.threshold  # NaN has crossed

    def __str__(self) -> str:
        return f"{self.words}: {self.value:.3g} (threshold {self.threshold:.3g})"


@dataclass(frozen=True)
class Verdict:
    """What a detector saw: `kind`, the step (counted from 0) at which it could tell, and the evidence."""

    kind: str
    step: int
    evidence: tuple[Figure, ...]

    def __str__(self) -> str:
        return f"{self.kind} at step {self.step}: " + "; ".join(map(str, self.evidence))

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON holds: what is not finite is None."""
        return dict(plain(asdict(self)))


@dataclass(frozen=True)
class Reading:
    """A curve, read.

    `shape`: one of `slalom.doctor.SHAPES`. `cause`: what the learning rate is, as the doctor's labels have it: "healthy",
    "lr_too_high", "lr_too_high_late", "lr_too_low", "oscillation", "divergence"; None while it is open, and then `candidates` are
    what it may be. `evidence`: figures, each with its threshold. `remedy`: what to do, in words. `probed`: whether a probe was
    asked. `values`: how many were read. `notes`: what else the person should know.
    """

    shape: str
    cause: str | None
    evidence: tuple[Figure, ...]
    remedy: str
    values: int
    candidates: tuple[str, ...] = ()
    probed: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong as far as can be seen; False also while it is open."""
        return self.cause == HEALTHY

    @property
    def open(self) -> bool:
        """Whether the losses alone do not decide; hand in `probe=` to have it decided."""
        return self.cause is None

    def __str__(self) -> str:
        said = self.cause if self.cause is not None else "open: " + " or ".join(self.candidates)
        lines = [f"{self.shape} ({said}), from {self.values} losses" + (" and a probe" if self.probed else "")]
        lines += [f"  {figure}" for figure in self.evidence]
        lines += [f"  remedy: {self.remedy}", *(f"  note: {note}" for note in self.notes)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON holds: what is not finite is None."""
        return dict(plain(asdict(self)))


def plain(value: Any) -> Any:
    """Records as dicts and lists, with None for what JSON cannot hold."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
