"""What the doctor says: a symptom, its cause, the evidence, and the remedy, in words and as code."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slalom.core.errors import BadValueError
from slalom.doctor.curve.record import Figure, plain
from slalom.doctor.labels import LABELS, label
from slalom.doctor.setup import Setup

Fix = Callable[[Setup], Setup]


@dataclass(frozen=True)
class Finding:
    """One fault that was found.

    `label`: one of `slalom.doctor.LABELS`. `symptom`, `cause`, `remedy`: in words. `evidence`: figures, each with the threshold
    that it crossed. `confidence`: from 0 to 1, by which findings are ranked. `step`: the step (from 0; 0 also for what was seen
    before the first one) at which it could be told. `about`: what was seen of it (which parameters, columns, factors).
    """

    label: str
    symptom: str
    cause: str
    evidence: tuple[Figure, ...]
    confidence: float
    step: int
    remedy: str
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fix(self) -> Fix | None:
        """A function from the set-up to a repaired one, or None where only a person can repair it."""
        try:
            registry = importlib.import_module("slalom.doctor.fixes")  # it imports this file in its turn
        except ModuleNotFoundError:
            return None
        found: Fix | None = registry.of(self.label)
        return found

    def __str__(self) -> str:
        lines = [f"{self.label}: {self.cause} (step {self.step}, confidence {self.confidence:.0%})", f"  symptom: {self.symptom}"]
        lines += [f"  {figure}" for figure in self.evidence]
        return "\n".join([*lines, f"  remedy: {self.remedy}"])

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON holds: what is not finite is None."""
        return dict(
            plain(
                {
                    "label": self.label, "symptom": self.symptom, "cause": self.cause,
                    "evidence": [vars(figure) for figure in self.evidence], "confidence": self.confidence, "step": self.step,
                    "remedy": self.remedy, "about": {k: _told(v) for k, v in self.about.items()}, "fix": self.fix is not None,
                }
            )
        )  # fmt: skip


def finding(
    name: str, evidence: Sequence[Figure], confidence: float, step: int = 0, *, symptom: str = "", cause: str = "",
    remedy: str = "", **about: Any,
) -> Finding:  # fmt: skip
    """A finding with the label's own words where no others are given.

    >>> finding("dead_relu", [], 0.9, 12).label
    'dead_relu'
    """
    if not 0 <= confidence <= 1:
        raise BadValueError(f"confidence must be in [0, 1], got {confidence!r}")
    known = label(name)
    return Finding(
        name, symptom or known.symptom, cause or known.cause, tuple(evidence), confidence, step, remedy or known.remedy, about
    )  # fmt: skip


def _told(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | tuple | dict | type(None)) else str(value)


__all__ = ["LABELS", "Figure", "Finding", "Fix", "finding"]
