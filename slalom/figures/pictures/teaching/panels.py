"""Landscapes beside each other: the same valley under three settings; it moves."""

from __future__ import annotations

from typing import Any

from slalom.figures.pictures.heights import draw_heights, mark_points
from slalom.figures.pictures.style import MARKERS, dress, new_figure, outlined, theme_of
from slalom.figures.pictures.teaching.head import EDGE, headed
from slalom.figures.words import format_lr
from slalom.landscape.paths.record import Landscape, Path
from slalom.landscape.teaching.record import Panels

COLOURS = (5, 3, 0)  # of the theme's rules: blue, green, red


class PanelsScene:
    """The picture of `Panels`."""

    moves = True

    def __init__(self, record: Panels, *, theme: str = "dark", size: tuple[float, float] | None = None) -> None:
        self.record = record
        self.theme = theme_of(theme)
        rows = len(record.panels[0][1].paths)
        self.rows = rows if rows > 1 else 0  # of the table below
        self.size = size or (
            (3.15 if not self.rows else 3.9) * len(record.panels) + 0.5,
            (4.05 if not self.rows else 5.55 + 0.22 * rows),
        )
        self.length = max(made.steps for _, made in record.panels)

    def still(self) -> Any:
        """The figure at the last step."""
        self.build(moving=False)
        self.show(self.length)
        return self.figure

    def build(self, *, moving: bool) -> None:
        """The grounds, and the paths' artists."""
        theme = self.theme
        self.figure = new_figure(theme, self.size)
        width, height = self.size
        top = headed(self.figure, theme, self.record.title, self.record.words) - 0.3 / height
        self.clock = self.figure.text(
            1 - 0.2 / width, 1 - 0.26 / height, "", color=theme.ink, fontsize=11, ha="right", va="center"
        )
        below = (0.62 + 0.22 * self.rows if self.rows else 0.3) / height
        grid = self.figure.add_gridspec(
            1, len(self.record.panels), left=EDGE / width, right=1 - 0.2 / width, top=top, bottom=below, wspace=0.13
        )
        self.lines: list[Any] = []
        self.heads: list[Any] = []
        self.drawn: list[Path] = []
        for k, (caption, made) in enumerate(self.record.panels):
            axes = self.figure.add_subplot(grid[0, k])
            s = made.surface
            draw_heights(axes, *s.grid(161), theme, log=s.log)
            dress(axes, theme, frame=True)
            axes.set_aspect("equal", adjustable="box", anchor="N")
            mark_points(axes, s.minima, theme)
            axes.scatter(*[[v] for v in s.start], s=40, facecolors="none", edgecolors=theme.ink, linewidths=1.3, zorder=5.5)
            axes.set_title(caption, color=theme.ink, loc="left", fontsize=9, pad=6)
            if not self.rows:
                axes.text(
                    0.03, 0.035, f"lr {made.paths[0].lr:g}", transform=axes.transAxes, color=theme.ink, fontsize=8.5, zorder=8,
                    path_effects=outlined(theme, 2.5),
                )  # fmt: skip
            for number, path in enumerate(made.paths):
                self._path(axes, path, number if self.rows else COLOURS[k % len(COLOURS)])
            if self.rows:
                self._table(axes, made)
        self.artists = [*self.lines, *self.heads, self.clock]
        for artist in self.artists:
            artist.set_animated(moving)

    def show(self, step: int) -> None:
        """The paths up to this step; of several in a panel, each until it arrives."""
        for path, line, head in zip(self.drawn, self.lines, self.heads, strict=True):
            last = step if path.arrived is None or not self.rows else min(step, path.arrived)
            line.set_data(path.points[: last + 1].T)
            head.set_data(path.points[last : last + 1].T)
        self.clock.set_text(f"step {step}")

    def _path(self, axes: Any, path: Path, number: int) -> None:
        theme = self.theme
        colour, lifted = theme.rules[number % len(theme.rules)], outlined(theme, 2.6)
        marker = MARKERS[number % len(MARKERS)] if self.rows else "o"
        dots = {} if self.rows else {"marker": "o", "markersize": 2.6}
        (line,) = axes.plot([], [], color=colour, linewidth=1.3, path_effects=lifted, zorder=4, **dots)
        (head,) = axes.plot([], [], marker, color=colour, markersize=7.5, markeredgecolor=theme.halo, zorder=6)
        self.lines.append(line)
        self.heads.append(head)
        self.drawn.append(path)

    def _table(self, axes: Any, made: Landscape) -> None:
        """Below a panel: each rule with its rate and the step of its arrival, in inches from the picture's lower edge."""
        theme, (width, height) = self.theme, self.size
        box = axes.get_position()
        right = box.x1
        for name, x in (("lr", right - 0.95 / width), ("arrived", right)):
            self.figure.text(x, (0.2 + 0.22 * self.rows) / height, name, color=theme.soft, fontsize=8, ha="right", va="center")
        for k, path in enumerate(made.paths):
            y = (0.2 + 0.22 * (self.rows - 1 - k)) / height
            said = f"step {path.arrived}" if path.arrived is not None else f"not in {made.steps}"
            key = self.figure.text(box.x0, y, path.rule, color=theme.rules[k % len(theme.rules)], fontsize=9, va="center")
            key.set_fontweight("bold")
            self.figure.text(right - 0.95 / width, y, format_lr(path.lr), color=theme.ink, fontsize=9, ha="right", va="center")
            self.figure.text(right, y, said, color=theme.ink, fontsize=9, ha="right", va="center")
