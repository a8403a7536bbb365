"""Activations: function, slope, and the histogram of a signal layer by layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from slalom.figures.pictures.style import dress, new_figure, theme_of
from slalom.figures.pictures.teaching.head import EDGE, headed
from slalom.landscape.teaching.record import Activations, Layers

SCALE = 0.92  # of a layer's room that the tallest shape takes
CLIP = 0.16  # the share of one bin beyond which shapes are cut


class ActivationsScene:
    """The picture of `Activations`: a column each."""

    moves = False

    def __init__(self, record: Activations, *, theme: str = "dark", size: tuple[float, float] | None = None) -> None:
        self.record = record
        self.theme = theme_of(theme)
        self.size = size or (2.3 * len(record.rows) + 0.7, 6.0)

    def still(self) -> Any:
        """The figure."""
        figure = new_figure(self.theme, self.size)
        width, height = self.size
        top = headed(figure, self.theme, self.record.title, self.record.words) - 0.3 / height
        grid = figure.add_gridspec(
            2, len(self.record.rows), left=(EDGE + 0.15) / width, right=1 - 0.2 / width, top=top, bottom=0.5 / height,
            wspace=0.14, hspace=0.24, height_ratios=[1, 1.75],
        )  # fmt: skip
        for k, row in enumerate(self.record.rows):
            self._function(figure.add_subplot(grid[0, k]), row, first=k == 0)
            self._layers(figure.add_subplot(grid[1, k]), row, first=k == 0)
        return figure

    def _function(self, axes: Any, row: Layers, *, first: bool) -> None:
        theme = self.theme
        dress(axes, theme, grid=True)
        axes.plot(row.x, row.f, color=theme.rules[5], linewidth=2, label="f")
        axes.plot(row.x, row.slope, color=theme.rules[1], linewidth=2, linestyle=(0, (4, 1.5)), label="slope f'")
        axes.set_xlim(-4, 4)
        axes.set_ylim(-1.25, 2.25)
        axes.set_title(row.name, color=theme.ink, loc="left", fontsize=10, fontweight="bold", pad=6)
        if first:
            axes.legend(fontsize=8, loc="upper left", frameon=False, labelcolor=theme.ink, borderpad=0.1, handlelength=1.7)
        else:
            axes.set_yticklabels([])

    def _layers(self, axes: Any, row: Layers, *, first: bool) -> None:
        """The first layer on top; each shape stands on its own line."""
        theme, depth = self.theme, len(row.shares)
        dress(axes, theme)
        middles = (row.edges[1:] + row.edges[:-1]) / 2
        for k, share in enumerate(row.shares):
            foot = depth - k
            heights = foot + SCALE * np.minimum(share, CLIP) / CLIP
            axes.fill_between(middles, foot, heights, step="mid", color=theme.rules[5], zorder=k + 2, linewidth=0)
            axes.text(row.edges[-1], foot + 0.16, f"{row.spread[k]:.2g}", color=theme.ink, fontsize=7.5, ha="right", zorder=20)
        axes.set_xlim(row.edges[0], row.edges[-1])
        axes.set_ylim(0.85, depth + 1.75)
        axes.set_yticks(range(1, depth + 1), labels=[str(k) for k in range(depth, 0, -1)] if first else [])
        axes.tick_params(axis="y", length=0)
        axes.text(row.edges[-1], depth + 1.2, "std", color=theme.soft, fontsize=7.5, ha="right", zorder=20)
        axes.set_xlabel("activation", color=theme.soft, fontsize=8.5)
        if first:
            axes.set_ylabel("layer", color=theme.soft, fontsize=8.5)
