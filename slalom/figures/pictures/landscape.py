"""Rules on a surface: contours with every path, what each learning rate is, when each arrives, the losses; still or moving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from slalom.figures.pictures.heights import draw_heights, mark_points
from slalom.figures.pictures.style import MARKERS, dress, new_figure, outlined, theme_of
from slalom.figures.words import format_lr
from slalom.landscape.paths.record import Landscape, Path

GRID = 241
MOST_ROWS = 14  # of the table of rules


class LandscapeScene:
    """The picture of a `Landscape`, at any step."""

    def __init__(self, record: Landscape, *, theme: str = "dark", size: tuple[float, float] = (8.6, 5.2)) -> None:
        self.record = record
        self.theme = theme_of(theme)
        self.size = size
        self.moves = True
        self.length = record.steps
        self.rules = list(dict.fromkeys(p.rule for p in record.paths))

    def still(self) -> Any:
        """The figure at the last step."""
        self.build(moving=False)
        self.show(self.record.steps)
        return self.figure

    def colour(self, path: Path) -> str:
        """One colour a rule."""
        return self.theme.rules[self.rules.index(path.rule) % len(self.theme.rules)]

    def marker(self, path: Path) -> str:
        """One marker a rule, so that colour is not needed to tell them apart."""
        return MARKERS[self.rules.index(path.rule) % len(MARKERS)]

    def build(self, *, moving: bool) -> None:
        """Everything that does not move, and the artists that do (`self.artists`)."""
        theme = self.theme
        self.figure = new_figure(theme, self.size)
        rows = len(table_rows(self.record))
        grid = self.figure.add_gridspec(
            2, 2, width_ratios=[1.13, 1], height_ratios=[max(rows, 3) + 2.2, 9], left=0.05, right=0.98, top=0.855, bottom=0.085,
            wspace=0.1, hspace=0.24,
        )  # fmt: skip
        ground = self.figure.add_subplot(grid[:, 0])
        table = self.figure.add_subplot(grid[0, 1])
        losses = self.figure.add_subplot(grid[1, 1])
        self._head()
        self._ground(ground)
        self._table(table)
        self._losses(losses)
        self.artists = [*self.lines, *self.heads, *self.curves, self.clock]
        for artist in self.artists:
            artist.set_animated(moving)

    def show(self, step: int) -> None:
        """Move the artists to this step."""
        for path, line, head, curve in zip(self.record.paths, self.lines, self.heads, self.curves, strict=True):
            last = step if path.stopped is None else min(step, path.stopped - 1)
            line.set_data(path.points[: last + 1, 0], path.points[: last + 1, 1])
            head.set_data(path.points[last : last + 1, 0], path.points[last : last + 1, 1])
            curve.set_data(np.arange(last + 1), self.drawn(path)[: last + 1])
        self.clock.set_text(f"step {step}")

    def _head(self) -> None:
        record, theme, s = self.record, self.theme, self.record.surface
        self.figure.text(0.05, 0.955, record.title, color=theme.ink, fontsize=13, fontweight="bold", va="center")
        formula = s.text if s.data is None else f"logistic loss of {len(s.data)} points, {s.batch} a step"
        self.figure.text(0.05, 0.903, shortened(f"f = {formula}" if s.data is None else formula, 74), color=theme.soft,
                         fontsize=8.5, va="center")  # fmt: skip
        self.clock = self.figure.text(0.985, 0.955, "", color=theme.ink, fontsize=11, ha="right", va="center")
        self.figure.text(
            0.985, 0.903, shortened(f"learning rates: {short_fairness(record)}", 62), color=theme.soft, fontsize=8.5, ha="right",
            va="center",
        )  # fmt: skip

    def _ground(self, axes: Any) -> None:
        s, theme = self.record.surface, self.theme
        draw_heights(axes, *s.grid(GRID), theme, log=s.log)
        dress(axes, theme, frame=True)
        axes.set_aspect("equal", adjustable="box")
        mark_points(axes, s.minima, theme)
        mark_points(axes, s.saddles, theme, marker="x", size=50)
        axes.scatter(*[[v] for v in s.start], s=46, facecolors="none", edgecolors=theme.ink, linewidths=1.3, zorder=5.5)
        many = len(self.record.paths) > MOST_ROWS
        self.lines, self.heads = [], []
        for k, path in enumerate(self.record.paths):
            colour, order = self.colour(path), 4 + k / len(self.record.paths)
            (line,) = axes.plot([], [], color=colour, linewidth=1.1 if many else 1.7, alpha=0.7 if many else 0.95, zorder=order,
                                solid_joinstyle="round", path_effects=outlined(theme, 2.6 if many else 3.2))  # fmt: skip
            (head,) = axes.plot([], [], self.marker(path), color=colour, markersize=5 if many else 7.5, zorder=order + 2,
                                markeredgecolor=theme.halo, markeredgewidth=1.0)  # fmt: skip
            self.lines.append(line)
            self.heads.append(head)

    def _table(self, axes: Any) -> None:
        theme = self.theme
        axes.set_axis_off()
        axes.set_xlim(0, 1)
        rows = table_rows(self.record)
        axes.set_ylim(max(len(rows), 3) + 2.2, 0)
        for x, name, side in ((0.0, "rule", "left"), (0.72, "lr", "right"), (1.0, "arrived", "right")):
            axes.text(x, 0.35, name, color=theme.soft, fontsize=8, ha=side, va="center")
        small = 8.6 if len(rows) <= 10 else 7.4
        for k, (path, name, lr, said, good) in enumerate(rows):
            y = k + 1.35
            axes.plot([0.0, 0.055], [y, y], color=self.colour(path), linewidth=2.2, clip_on=False)
            axes.plot([0.0275], [y], self.marker(path), color=self.colour(path), markersize=5.5, markeredgecolor=theme.paper,
                      markeredgewidth=0.8, clip_on=False, zorder=3)  # fmt: skip
            axes.text(0.085, y, shortened(name, 24), color=theme.ink, fontsize=small, va="center")
            axes.text(0.72, y, lr, color=theme.ink, fontsize=small, ha="right", va="center")
            axes.text(1.0, y, said, color=theme.ink if good else theme.soft, fontsize=small, ha="right", va="center")
        goal = f"arrived: the first step at which {self.record.goal}"
        axes.text(0.0, len(rows) + 1.6, goal, color=theme.soft, fontsize=8, va="center")

    def drawn(self, path: Path) -> Any:
        """The losses as they are drawn: above the lowest known where the axis is logarithmic."""
        return np.maximum(path.losses - self.lowest, self.floor) if self.logarithmic else path.losses

    def _losses(self, axes: Any) -> None:
        theme, s, paths = self.theme, self.record.surface, self.record.paths
        dress(axes, theme, grid=True)
        every = np.concatenate([p.losses for p in paths])
        every = every[np.isfinite(every)]
        self.logarithmic = bool(s.minima)
        self.lowest = min(float(s(np.float64(x), np.float64(y))) for x, y in s.minima) if s.minima else 0.0
        start = float(paths[0].losses[0])
        self.floor = max(1e-8 * abs(start - self.lowest), 1e-12)
        self.curves = []
        for path in paths:
            (curve,) = axes.plot([], [], color=self.colour(path), linewidth=1.3, alpha=0.9)
            self.curves.append(curve)
        axes.set_xlim(0, self.record.steps)
        if self.logarithmic:
            axes.set_yscale("log")
            above = np.maximum(every - self.lowest, self.floor)
            axes.set_ylim(above.min() / 1.6, 6 * max(start - self.lowest, self.floor))
            from matplotlib.ticker import LogLocator, NullFormatter

            axes.yaxis.set_major_locator(LogLocator(numticks=6))
            axes.yaxis.set_minor_formatter(NullFormatter())
        else:
            grid = s.grid(31)[2]
            axes.set_ylim(float(np.nanmin(grid)), max(start, float(np.nanmedian(grid))) * 1.25 + 0.1)
        axes.set_title("f - least f, by step" if self.lowest else "f, by step", color=theme.soft, loc="left", fontsize=8, pad=5)


def table_rows(record: Landscape) -> list[tuple[Path, str, str, str, bool]]:
    """The rows of the table: a path each, or, for a band, a rule each with its rates' range and its first arrival."""
    if len(record.paths) <= MOST_ROWS:
        return [(p, p.rule, format_lr(p.lr), _said(p), p.arrived is not None) for p in record.paths]
    rows = []
    for rule in dict.fromkeys(p.rule for p in record.paths):
        mine = [p for p in record.paths if p.rule == rule]
        rates = f"{format_lr(min(p.lr for p in mine))} … {format_lr(max(p.lr for p in mine))}"
        came = [p for p in mine if p.arrived is not None]
        first = min(came, key=lambda p: p.arrived or 0) if came else None
        said = "none" if first is None else f"{len(came)}/{len(mine)}, first {first.arrived}"
        rows.append((mine[0], rule, rates, said, first is not None))
    return rows[:MOST_ROWS]


def _said(path: Path) -> str:
    edge = "*" if path.at_edge else ""
    if path.arrived is not None:
        return f"step {path.arrived}{edge}"
    return f"diverged{edge}" if path.stopped is not None else f"not in {len(path.losses) - 1}{edge}"


def short_fairness(record: Landscape) -> str:
    """How the rates were come by, in a few words."""
    kind = record.fairness.kind
    trials = next((p.trials for p in record.paths if p.trials), ())
    if kind == "tuned" or (trials and kind != "hand-picked"):
        edge = ", * at its edge" if any(p.at_edge for p in record.paths) else ""
        return f"each the best of {len(trials)}, {record.steps} steps each{edge}"
    shared = f"{format_lr(record.paths[0].lr)} for all"
    count = len([p for p in record.paths if p.rule == record.paths[0].rule])
    return {"hand-picked": "picked by hand, not tuned", "shared": shared, "band": f"a band of {count}", "given": "as given"}[kind]


def shortened(text: str, most: int) -> str:
    """The text, cut with a dot dot dot where it is longer."""
    return text if len(text) <= most else text[: most - 1] + "…"


def frames_of(length: int, frames: int) -> Sequence[int]:
    """Which steps a moving picture shows: evenly spread, the first and the last among them, none twice."""
    return [int(v) for v in np.unique(np.round(np.linspace(0, length, min(frames, length + 1))))]
