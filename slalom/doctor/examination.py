"""What an examination found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from slalom.core.errors import BadValueError
from slalom.doctor import hooks
from slalom.doctor.curve.record import plain
from slalom.doctor.finding import Finding


@dataclass(frozen=True)
class Curves:
    """The run that was watched: the loss before each step, and at some steps the loss on training and validation rows."""

    loss: tuple[float, ...]
    steps: tuple[int, ...]
    train: tuple[float, ...]
    val: tuple[float, ...]


@dataclass(frozen=True)
class Branch:
    """One experiment: what was changed, and the skill (1: no loss, 0: a constant prediction) won by it."""

    words: str
    code: str
    train: float
    val: float
    steps: tuple[int, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True)
class Examination:
    """`findings`: most likely first; `healthy`: there are none. `overhead`: the doctor's own time (probes and experiments)
    over that
    of the plain training. `skill`: that the run reached on training and validation rows, 1 for no loss, 0 for a constant
    prediction. `branches`: the experiments that were made. `notes`: what else the person should know.
    """

    findings: tuple[Finding, ...]
    steps: int
    overhead: float
    skill: tuple[float, float]
    curves: Curves
    branches: tuple[Branch, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def healthy(self) -> bool:
        return not self.findings

    @property
    def labels(self) -> list[str]:
        """Labels of the findings, most likely first."""
        return [f.label for f in self.findings]

    @property
    def first_step(self) -> int | None:
        """The step of the first alarm, counted from 0; None where there is none."""
        return min((f.step for f in self.findings), default=None)

    def report(self, path: Any) -> None:
        """Writes one self-contained HTML file."""
        if hooks.report is None:
            raise BadValueError("no report writer is loaded; import slalom first")
        hooks.report(self, path)

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON holds: what is not finite is None."""
        return dict(
            plain(
                {
                    "healthy": self.healthy, "labels": self.labels, "first_step": self.first_step, "overhead": self.overhead,
                    "steps": self.steps, "skill": {"train": self.skill[0], "val": self.skill[1]},
                    "findings": [f.to_dict() for f in self.findings], "curves": vars(self.curves),
                    "branches": [vars(b) for b in self.branches], "notes": list(self.notes),
                }
            )
        )  # fmt: skip

    def __str__(self) -> str:
        done = f"{self.steps} steps, {len(self.branches)} experiments, {self.overhead:.1f} times the plain training's time"
        lines = [f"healthy ({done})" if self.healthy else f"{', '.join(self.labels)} ({done})"]
        train, val = self.skill
        said = f"  skill on training rows {train:.2f}" + (f", on validation rows {val:.2f}" if val == val else "")
        lines.append(said + " (1: no loss, 0: a constant prediction)")
        for k, found in enumerate(self.findings, 1):
            lines += ["", f"{k}. {found}"]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)
