"""Steps taken apart into arrows."""

from __future__ import annotations

import math
from typing import Any

from slalom.figures.pictures.heights import draw_heights, mark_points
from slalom.figures.pictures.style import Theme, dress, new_figure, outlined, theme_of
from slalom.figures.pictures.teaching.head import EDGE, headed
from slalom.landscape.teaching.record import Arrow, Vectors

WORDS = {"carried": "carried on: μ v", "slope": "slope: -lr × gradient", "step": "the step taken"}


def colour(part: str, theme: Theme) -> str:
    """Of a kind of arrow."""
    return {"carried": theme.rules[1], "slope": theme.rules[5], "step": theme.ink}[part]


class VectorsScene:
    """The picture of `Vectors`."""

    moves = False

    def __init__(self, record: Vectors, *, theme: str = "dark", size: tuple[float, float] = (9.0, 5.3)) -> None:
        self.record = record
        self.theme = theme_of(theme)
        self.size = size

    def still(self) -> Any:
        """The figure."""
        from matplotlib.lines import Line2D

        theme, record = self.theme, self.record
        figure = new_figure(theme, self.size)
        width, height = self.size
        top = headed(figure, theme, record.title, record.words) - 0.28 / height
        grid = figure.add_gridspec(
            1, len(record.methods), left=EDGE / width, right=1 - 0.2 / width, top=top, bottom=0.55 / height, wspace=0.12
        )
        for k, (name, arrows) in enumerate(record.methods):
            axes = figure.add_subplot(grid[0, k])
            draw_heights(axes, *record.surface.grid(161), theme)
            dress(axes, theme, frame=True)
            axes.set_title(name, color=theme.ink, loc="left", fontsize=10, fontweight="bold", pad=6)
            mark_points(axes, record.surface.minima, theme)
            for arrow in arrows:
                self._arrow(axes, arrow)
            for place, label in self._places(arrows):
                axes.plot(*[[v] for v in place], "o", color=theme.ink, markersize=5.5, zorder=7, markeredgecolor=theme.halo)
                offset = (-9, 8 if label == "start" else -15)
                axes.annotate(
                    label, place, textcoords="offset points", xytext=offset, ha="right", color=theme.ink, fontsize=8.5, zorder=8,
                    path_effects=outlined(theme, 2.5),
                )  # fmt: skip
            self._gradients(axes, name, arrows)
        keys = [Line2D([], [], color=colour(part, theme), linewidth=2.4, label=said) for part, said in WORDS.items()]
        ring = Line2D(
            [], [], linestyle="", marker="o", markersize=8, markerfacecolor="none", markeredgecolor=colour("slope", theme),
            label="where the gradient is taken",
        )  # fmt: skip
        figure.legend(
            handles=[*keys, ring], loc="lower left", bbox_to_anchor=(EDGE / width, 0.0), ncols=4, fontsize=8.5, frameon=False,
            labelcolor=theme.ink, handlelength=1.6, columnspacing=1.8, borderaxespad=0.25,
        )  # fmt: skip
        return figure

    def _arrow(self, axes: Any, arrow: Arrow) -> None:
        size = min(13.0, 5.0 + 60 * math.dist(arrow.begin, arrow.end))  # a short arrow has a small head
        style = {"arrowstyle": "-|>", "mutation_scale": size, "shrinkA": 0, "shrinkB": 0, "color": colour(arrow.part, self.theme)}
        style |= {"linewidth": 2.4 if arrow.part == "step" else 1.9, "path_effects": outlined(self.theme, 4)}
        axes.annotate("", arrow.end, arrow.begin, arrowprops=style, zorder=4 if arrow.part == "step" else 5)

    def _gradients(self, axes: Any, name: str, arrows: tuple[Arrow, ...]) -> None:
        """A ring where each step takes its gradient: where it stands, or where the velocity leads."""
        part = "step" if name == "momentum" else "slope"
        for arrow in arrows:
            if arrow.part == part:
                axes.plot(*[[v] for v in arrow.begin], "o", markersize=12, markerfacecolor="none", markeredgewidth=1.6,
                          markeredgecolor=colour("slope", self.theme), zorder=6)  # fmt: skip

    def _places(self, arrows: tuple[Arrow, ...]) -> list[tuple[tuple[float, float], str]]:
        steps = [a for a in arrows if a.part == "step"]
        return [(steps[0].begin, "start"), *((a.end, f"after {a.number}") for a in steps)]
