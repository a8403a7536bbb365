"""What a landscape shows, as data: the surface, every path with its learning rate, when each arrived."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from slalom.landscape.paths.learning_rates import Fairness
from slalom.landscape.pictures import Drawable
from slalom.landscape.surfaces import Surface
from slalom.landscape.surfaces.record import Floats


@dataclass(frozen=True)
class Trial:
    """One learning rate of a search: the step of arrival (None: never), and the loss at the end (NaN: let go before)."""

    lr: float
    arrived: int | None
    loss: float


@dataclass(frozen=True)
class Path:
    """One rule's way at one learning rate.

    `points [steps + 1, 2]`, `losses [steps + 1]`: from the start on, NaN once it was let go at step `stopped` (not finite, or
    far outside). `arrived`: the first step that met the goal, or None. `trials`: the search that `lr` is the best of, empty
    where there was none; `at_edge`: it is the first or the last of them, so a better one may lie outside.
    """

    rule: str
    lr: float
    points: Floats
    losses: Floats
    arrived: int | None
    stopped: int | None
    trials: tuple[Trial, ...] = ()
    at_edge: bool = False

    @property
    def label(self) -> str:
        """The rule with its learning rate, as every picture prints it."""
        return f"{self.rule} {self.lr:.3g}"

    @property
    def end(self) -> float:
        """The last finite loss."""
        return float(self.losses[np.isfinite(self.losses)][-1])


@dataclass(frozen=True)
class Landscape(Drawable):
    """Paths on a surface; frozen. `fairness` says how the learning rates were come by, `seed` drew the batches of a noisy one.

    `.plot()` draws it (matplotlib), `.save("x.webp")` writes it (png still; webp, gif, mp4 moving), `.to_dict()` is for JSON.
    """

    surface: Surface
    paths: tuple[Path, ...]
    steps: int
    seed: int
    fairness: Fairness
    notes: tuple[str, ...] = ()

    def __getitem__(self, rule: str) -> Path:
        """The first path of a rule."""
        for path in self.paths:
            if path.rule == rule:
                return path
        raise KeyError(f"no path of {rule!r}; there are {', '.join(dict.fromkeys(p.rule for p in self.paths))}")

    @property
    def title(self) -> str:
        """The surface, and how it is turned."""
        turned = f", turned {self.surface.angle:g}°" if self.surface.angle else ""
        return f"{self.surface.title}{turned}"

    @property
    def goal(self) -> str:
        """What counts as arrived; in the coordinates of the formula, where the picture is turned."""
        words = self.surface.goal.words
        return f"{words}, unturned" if self.surface.angle and words.startswith("|") else words

    @property
    def ranking(self) -> list[Path]:
        """Those that arrived first come first; then by loss at the end, and those that were let go."""
        return sorted(
            self.paths,
            key=lambda p: (p.arrived is None, p.arrived or 0, p.stopped is not None, p.losses[-1] if p.stopped is None else 0),
        )

    def __str__(self) -> str:
        wide = max(len(p.rule) for p in self.paths)
        s = self.surface
        lines = [
            f"{self.title}: {s.text}",
            f"start ({s.start[0]:.4g}, {s.start[1]:.4g}), {self.steps} steps, goal {self.goal}",
        ]
        lines += [f"lr: {self.fairness.words}", ""]
        lines += [f"{p.rule:{wide}}  lr {p.lr:<9.3g} {outcome(p)}" for p in self.ranking]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def to_dict(self, grid: int = 0) -> dict[str, Any]:
        """Plain data that JSON holds; what is not finite is None. `grid=n` adds the heights of the box, `n` by `n`."""
        s = self.surface
        made: dict[str, Any] = {
            "surface": s.name, "title": self.title, "formula": s.text, "angle": s.angle, "box": list(s.box),
            "start": list(s.start), "minima": [list(m) for m in s.minima], "saddles": [list(m) for m in s.saddles],
            "goal": self.goal, "log": s.log, "steps": self.steps, "seed": self.seed, "fairness": self.fairness.kind,
            "fairness_words": self.fairness.words, "notes": list(self.notes), "paths": [_path(p) for p in self.paths],
        }  # fmt: skip
        if grid:
            x, y, z = s.grid(grid)
            made["grid"] = {"x": x.tolist(), "y": y.tolist(), "z": [[finite(v) for v in row] for row in z.tolist()]}
        return made


def outcome(path: Path) -> str:
    """What became of a path, in words."""
    edge = ", lr at the search's edge" if path.at_edge else ""
    if path.arrived is not None:
        after = f", let go at step {path.stopped}" if path.stopped is not None else ""
        return f"arrived at step {path.arrived}{after}{edge}"
    if path.stopped is not None:
        return f"diverged at step {path.stopped}{edge}"
    return f"not arrived, f = {path.end:.4g}{edge}"


def finite(value: float) -> float | None:
    """The number, or None where it is none."""
    return value if math.isfinite(value) else None


def _path(path: Path) -> dict[str, Any]:
    return {
        "rule": path.rule, "lr": path.lr, "arrived": path.arrived, "stopped": path.stopped, "at_edge": path.at_edge,
        "points": [[finite(v) for v in p] for p in path.points.tolist()], "losses": [finite(v) for v in path.losses.tolist()],
        "trials": [{"lr": t.lr, "arrived": t.arrived, "loss": finite(t.loss)} for t in path.trials],
    }  # fmt: skip
