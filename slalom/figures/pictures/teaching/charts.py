"""Curves on axes beside each other."""

from __future__ import annotations

from typing import Any

from slalom.figures.pictures.style import dress, new_figure, theme_of, words
from slalom.figures.pictures.teaching.head import EDGE, headed
from slalom.landscape.teaching.record import Chart, Charts

COLOURS = (0, 5, 3, 1)  # of the theme's rules


class ChartsScene:
    """The picture of `Charts`."""

    moves = False

    def __init__(self, record: Charts, *, theme: str = "dark", size: tuple[float, float] | None = None) -> None:
        self.record = record
        self.theme = theme_of(theme)
        self.size = size or (4.5 * len(record.charts) + 0.2, 4.2)

    def still(self) -> Any:
        """The figure."""
        figure = new_figure(self.theme, self.size)
        width, height = self.size
        top = headed(figure, self.theme, self.record.title, self.record.words) - 0.34 / height
        grid = figure.add_gridspec(
            1,
            len(self.record.charts),
            left=(EDGE + 0.15) / width,
            right=1 - 0.2 / width,
            top=top,
            bottom=0.52 / height,
            wspace=0.2,
        )
        for k, chart in enumerate(self.record.charts):
            self._chart(figure.add_subplot(grid[0, k]), chart)
        return figure

    def _chart(self, axes: Any, chart: Chart) -> None:
        theme = self.theme
        dress(axes, theme, grid=True)
        words(axes, theme, chart.title, chart.x, chart.y)
        for k, curve in enumerate(chart.curves):
            if curve.thin:
                axes.plot(curve.x, curve.y, color=theme.ink, linewidth=1.1, linestyle=(0, (4, 3)), label=curve.label, zorder=4)
            else:
                axes.plot(
                    curve.x, curve.y, color=theme.rules[COLOURS[k % len(COLOURS)]], linewidth=1.9, label=curve.label, zorder=3
                )
        if "x" in chart.log:
            axes.set_xscale("log")
        if "y" in chart.log:
            axes.set_yscale("log")
        axes.margins(x=0.01)
        axes.legend(fontsize=8.5, facecolor=theme.card, edgecolor=theme.faint, labelcolor=theme.ink, framealpha=0.9)
