"""Landscapes beside each other: the same valley under three settings; it moves."""

from __future__ import annotations

from typing import Any

from slalom.figures.pictures.heights import draw_heights, mark_points
from slalom.figures.pictures.style import dress, new_figure, outlined, theme_of
from slalom.figures.pictures.teaching.head import EDGE, headed
from slalom.landscape.teaching.record import Panels

COLOURS = (5, 3, 0)  # of the theme's rules: blue, green, red


class PanelsScene:
    """The picture of `Panels`."""

    moves = True

    def __init__(self, record: Panels, *, theme: str = "dark", size: tuple[float, float] | None = None) -> None:
        self.record = record
        self.theme = theme_of(theme)
        self.size = size or (3.15 * len(record.panels) + 0.5, 4.05)
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
        grid = self.figure.add_gridspec(
            1, len(self.record.panels), left=EDGE / width, right=1 - 0.2 / width, top=top, bottom=0.3 / height, wspace=0.13
        )
        self.lines, self.heads = [], []
        for k, (caption, made) in enumerate(self.record.panels):
            axes = self.figure.add_subplot(grid[0, k])
            s, (path,) = made.surface, made.paths
            draw_heights(axes, *s.grid(161), theme, log=s.log)
            dress(axes, theme, frame=True)
            axes.set_aspect("equal", adjustable="box", anchor="N")
            mark_points(axes, s.minima, theme)
            axes.scatter(*[[v] for v in s.start], s=40, facecolors="none", edgecolors=theme.ink, linewidths=1.3, zorder=5.5)
            axes.set_title(caption, color=theme.ink, loc="left", fontsize=9, pad=6)
            axes.text(0.03, 0.035, f"lr {path.lr:g}", transform=axes.transAxes, color=theme.ink, fontsize=8.5, zorder=8,
                      path_effects=outlined(theme, 2.5))  # fmt: skip
            colour = theme.rules[COLOURS[k % len(COLOURS)]]
            (line,) = axes.plot(
                [], [], "-o", color=colour, linewidth=1.3, markersize=2.6, path_effects=outlined(theme, 2.6), zorder=4
            )
            (head,) = axes.plot([], [], "o", color=colour, markersize=7.5, markeredgecolor=theme.halo, zorder=6)
            self.lines.append(line)
            self.heads.append(head)
        self.artists = [*self.lines, *self.heads, self.clock]
        for artist in self.artists:
            artist.set_animated(moving)

    def show(self, step: int) -> None:
        """The paths up to this step."""
        for (_, made), line, head in zip(self.record.panels, self.lines, self.heads, strict=True):
            points = made.paths[0].points
            line.set_data(points[: step + 1].T)
            head.set_data(points[step : step + 1].T)
        self.clock.set_text(f"step {step}")
