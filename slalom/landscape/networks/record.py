"""What was seen around a network, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slalom.landscape.paths.record import finite
from slalom.landscape.pictures import Drawable

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trace:
    """A run in a plane: `points [k, 2]`, after `steps [k]` steps; `losses [k]` where it truly was; `apart`: how far its end lies
    from the plane, as a share of its length from first to last point.
    """

    rule: str
    lr: float
    points: Floats
    steps: tuple[int, ...]
    losses: Floats
    apart: float

    @property
    def label(self) -> str:
        """The rule with its learning rate."""
        return f"{self.rule} {self.lr:.3g}"


@dataclass(frozen=True)
class Plane:
    """Losses `[len(y), len(x)]` over a plane of parameters; `words`: which plane; `kept`: each axis's share of the variance."""

    x: Floats
    y: Floats
    losses: Floats
    words: str
    kept: tuple[float, float] | None = None
    traces: tuple[Trace, ...] = ()


@dataclass(frozen=True)
class NetworkLandscape(Drawable):
    """Planes through a network's parameters, side by side; frozen. `about`: which model, on what; `parameters`: how many."""

    title: str
    about: str
    parameters: int
    centre: float | None  # the loss of the network itself, where the planes go through it
    planes: tuple[Plane, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.title}: {self.about}, {self.parameters} parameters"]
        for plane in self.planes:
            low, high = np.nanmin(plane.losses), np.nanmax(plane.losses)
            lines.append(f"{plane.words}: loss {low:.4g} to {high:.4g} at {plane.losses.size} points")
            lines += [
                f"  {t.label}: loss {t.losses[-1]:.4g} at its end, {t.apart:.0%} of its way off the plane" for t in plane.traces
            ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON holds; what is not finite is None."""
        return {
            "title": self.title, "about": self.about, "parameters": self.parameters, "centre": self.centre,
            "notes": list(self.notes),
            "planes": [
                {
                    "x": p.x.tolist(), "y": p.y.tolist(), "words": p.words, "kept": p.kept and list(p.kept),
                    "losses": [[finite(v) for v in row] for row in p.losses.tolist()],
                    "traces": [
                        {"rule": t.rule, "lr": t.lr, "points": t.points.tolist(), "steps": list(t.steps),
                         "losses": [finite(v) for v in t.losses.tolist()], "apart": t.apart} for t in p.traces
                    ],
                } for p in self.planes
            ],
        }  # fmt: skip


@dataclass(frozen=True)
class Interpolation(Drawable):
    """Losses on the straight line from one network (0) to another (1) and a little beyond; `val` where there are such data.

    `barrier`: how far the loss between them rises above the straight line between the ends' losses; 0 where it does not.
    """

    title: str
    about: str
    at: Floats
    train: Floats
    val: Floats | None
    barrier: float
    names: tuple[str, str]

    def __str__(self) -> str:
        return f"{self.title}: {self.about}; barrier {self.barrier:.4g} above the line between the ends"

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON holds."""
        return {
            "title": self.title, "about": self.about, "at": self.at.tolist(), "train": [finite(v) for v in self.train.tolist()],
            "val": None if self.val is None else [finite(v) for v in self.val.tolist()], "barrier": finite(self.barrier),
            "names": list(self.names),
        }  # fmt: skip
