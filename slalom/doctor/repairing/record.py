"""What a repair hands back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from torch import nn

from slalom.core.errors import SlalomError
from slalom.doctor import hooks
from slalom.doctor.curve.record import plain


@dataclass(frozen=True)
class Applied:
    """A fix that was made: the label that it answers ("" for none), what was done in words, and as code."""

    label: str
    words: str
    code: str

    def __str__(self) -> str:
        return f"{self.label}: {self.words}" if self.label else self.words


@dataclass
class Repair:
    """A repaired run beside the one that it came from.

    `model`: trained, in evaluation mode; takes the original's inputs and answers in its units. `before`, `after`: the loss of
    the two on validation rows (training rows without them), measured alike; infinite where there is no number. `applied`:
    what was done; empty where the original is handed back, since nothing was wrong or nothing helped. `curves`: `{"before":
    ..., "after": ...}`, each `{"step", "train", "val"}`. `tried`: every fix that ran, with the loss that it had reached and
    the step. `cost`: training steps of the repair, trials among them, as a share of one run. `notes`: what else there is to
    know. `found`: the original's examination; `examination`: the repaired set-up's, made when first asked for (it trains it
    once more).
    """

    model: nn.Module
    before: float
    after: float
    applied: list[Applied]
    curves: dict[str, dict[str, list[Any]]]
    tried: list[dict[str, Any]] = field(default_factory=list)
    cost: float = 0.0
    notes: tuple[str, ...] = ()
    found: Any = field(default=None, repr=False)
    examine: Callable[[], Any] | None = field(default=None, repr=False)

    @property
    def repaired(self) -> bool:
        """Whether a fix was made."""
        return bool(self.applied)

    @cached_property
    def examination(self) -> Any:
        """The repaired run, examined; the original's examination where nothing was changed."""
        return None if self.examine is None else self.examine()

    def report(self, path: Any) -> None:
        """Writes the page: one self-contained HTML file."""
        if hooks.report is None:
            raise SlalomError("the page is written by slalom.report; import slalom first")
        hooks.report(self, path)

    def __str__(self) -> str:
        if not self.applied:
            return "\n".join(["nothing changed: " + (self.notes[0] if self.notes else "nothing was wrong"), *self.notes[1:]])
        lines = [f"repaired: loss {_told(self.before)} to {_told(self.after)}, at {self.cost:.2g} of a run's steps"]
        for fix in self.applied:
            lines += [f"  {fix}", *(f"    {line}" for line in fix.code.splitlines())]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON holds, the model left out; what is not finite is None."""
        made = {
            "repaired": self.repaired, "before": self.before, "after": self.after, "cost": self.cost,
            "applied": [vars(fix) for fix in self.applied], "curves": self.curves, "tried": self.tried, "notes": self.notes,
        }  # fmt: skip
        return dict(plain(made))


def _told(loss: float) -> str:
    return f"{loss:.4g}" if math.isfinite(loss) else "that is not finite"
