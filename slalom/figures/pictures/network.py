"""A network's loss: planes beside each other, with the runs that were made; and the line between two networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from slalom.figures.pictures.heights import draw_heights
from slalom.figures.pictures.style import MARKERS, dress, new_figure, outlined, theme_of
from slalom.figures.words import format_lr
from slalom.landscape.networks.record import Interpolation, NetworkLandscape, Plane


class NetworkScene:
    """The picture of a `NetworkLandscape`; it moves where runs are drawn on it."""

    def __init__(self, record: NetworkLandscape, *, theme: str = "dark", size: tuple[float, float] | None = None) -> None:
        self.record = record
        self.theme = theme_of(theme)
        across = len(record.planes)
        self.size = size or ((8.6, 5.2) if across == 1 else (4.9 * min(across, 3) + 0.5, 5.0 * -(-across // 3)))
        traces = [t for p in record.planes for t in p.traces]
        self.moves = bool(traces)
        self.length = max((len(t.points) for t in traces), default=1) - 1

    def still(self) -> Any:
        """The figure with the runs as they ended."""
        self.build(moving=False)
        self.show(self.length)
        return self.figure

    def build(self, *, moving: bool) -> None:
        """Everything but the runs, and their artists."""
        theme, record, planes = self.theme, self.record, self.record.planes
        self.figure = new_figure(theme, self.size)
        height = self.size[1]
        left = (0.72 if self.moves else 0.48) / self.size[0]
        far = 1 - 0.2 / self.size[0]
        self.figure.text(left, 1 - 0.24 / height, record.title, color=theme.ink, fontsize=13, fontweight="bold", va="center")
        about = f"{record.about}, {record.parameters} parameters"
        about += "" if record.centre is None else f", loss {record.centre:.3g} in the middle"
        self.figure.text(left, 1 - 0.51 / height, about, color=theme.soft, fontsize=8.5, va="center")
        self.clock = self.figure.text(far, 1 - 0.24 / height, "", color=theme.ink, fontsize=11, ha="right", va="center")
        columns = min(len(planes), 3)
        rows = -(-len(planes) // columns)
        grid = self.figure.add_gridspec(
            rows,
            columns,
            left=left,
            right=1 - 0.55 / self.size[0],
            top=1 - 1.0 / height,
            bottom=0.42 / height,
            wspace=0.3,
            hspace=0.35,
        )
        self.lines: list[Any] = []
        self.heads: list[Any] = []
        self.drawn: list[Any] = []
        scale = _levels(planes)
        for k, plane in enumerate(planes):
            self._plane(self.figure.add_subplot(grid[k // columns, k % columns]), plane, scale)
        self.artists = [*self.lines, *self.heads, self.clock]
        for artist in self.artists:
            artist.set_animated(moving)

    def show(self, moment: int) -> None:
        """The runs up to their `moment`-th kept point."""
        for trace, line, head in zip(self.drawn, self.lines, self.heads, strict=True):
            line.set_data(trace.points[: moment + 1].T)
            head.set_data(trace.points[moment : moment + 1].T)
        if self.drawn:
            self.clock.set_text(f"step {self.drawn[0].steps[moment]}")

    def _plane(self, axes: Any, plane: Plane, levels: Any) -> None:
        theme = self.theme
        shown = np.log10(np.maximum(np.where(np.isfinite(plane.losses), plane.losses, np.nan), 1e-30))
        filled = draw_heights(axes, plane.x, plane.y, shown, theme, levels=levels)
        dress(axes, theme, frame=True)
        axes.set_title(plane.words, color=theme.ink, loc="left", fontsize=9, pad=6)
        self._bar(axes, filled)
        if plane.kept is None:
            axes.set_aspect("equal", adjustable="box")
            axes.plot([0], [0], "+", color=theme.ink, markersize=10, markeredgewidth=1.6, path_effects=outlined(theme, 3))
        else:
            for axis, share in ((axes.xaxis, plane.kept[0]), (axes.yaxis, plane.kept[1])):
                axis.set_label_text(f"{share:.0%} of the variance", color=theme.soft, fontsize=8.5)
        for k, trace in enumerate(plane.traces):
            colour, marker = theme.rules[k % len(theme.rules)], MARKERS[k % len(MARKERS)]
            label = f"{trace.rule}, lr {format_lr(trace.lr)}"
            (line,) = axes.plot([], [], color=colour, linewidth=1.8, label=label, path_effects=outlined(theme, 3.2), zorder=4)
            (head,) = axes.plot([], [], marker, color=colour, markersize=8, markeredgecolor=theme.halo, zorder=6)
            self.lines.append(line)
            self.heads.append(head)
            self.drawn.append(trace)
        if plane.traces:
            start = plane.traces[0].points[0]
            axes.scatter([start[0]], [start[1]], s=46, facecolors="none", edgecolors=theme.ink, linewidths=1.3, zorder=5)
            legend = axes.legend(
                loc="upper left", bbox_to_anchor=(1.19, 1.0), fontsize=8.5, facecolor=theme.paper, edgecolor="none",
                labelcolor=theme.ink, handlelength=1.4, borderpad=0.0, labelspacing=0.6,
            )  # fmt: skip
            for text, trace in zip(legend.get_texts(), plane.traces, strict=True):
                text.set_text(
                    f"{text.get_text()}\nends at loss {trace.losses[-1]:.2g},\n{trace.apart:.0%} of its way off this plane"
                )
            box = axes.get_position()
            axes.set_position([box.x0, box.y0, box.width * 0.62, box.height])

    def _bar(self, axes: Any, filled: Any) -> None:
        theme = self.theme
        inset = axes.inset_axes([1.025, 0.0, 0.03, 1.0])
        bar = self.figure.colorbar(filled, cax=inset)
        low, high = filled.levels[0], filled.levels[-1]
        wanted = np.array([m * 10.0**e for e in range(-12, 13) for m in ((1,) if high - low > 2 else (1, 2, 5))])
        ticks = [t for t in np.log10(wanted) if low <= t <= high] or [low, high]
        bar.set_ticks(ticks, labels=[f"{10**t:.2g}" for t in ticks])
        bar.outline.set_edgecolor(theme.faint)
        bar.ax.tick_params(colors=theme.soft, labelsize=8, length=3, width=0.8)
        bar.ax.set_title("loss", color=theme.soft, fontsize=8, pad=6)


def _levels(planes: Any) -> Any:
    """The same heights on every plane, so that they can be compared; logarithmic."""
    every = np.concatenate([p.losses[np.isfinite(p.losses)] for p in planes])
    low, high = np.log10(max(every.min(), 1e-12)), np.log10(max(every.max(), 1e-12))
    return np.linspace(low, max(high, low + 0.02), 19)


class InterpolationScene:
    """The picture of an `Interpolation`."""

    moves = False

    def __init__(self, record: Interpolation, *, theme: str = "dark", size: tuple[float, float] = (7.2, 4.2)) -> None:
        self.record = record
        self.theme = theme_of(theme)
        self.size = size

    def still(self) -> Any:
        """The figure."""
        record, theme = self.record, self.theme
        figure = new_figure(theme, self.size)
        axes = figure.add_axes((0.09, 0.12, 0.88, 0.68))
        dress(axes, theme, grid=True)
        figure.text(0.09, 0.93, record.title, color=theme.ink, fontsize=13, fontweight="bold", va="center")
        barrier = f"barrier {record.barrier:.3g}" if record.barrier else "no barrier"
        figure.text(
            0.09, 0.865, f"{record.about}; {barrier} above the line between the ends", color=theme.soft, fontsize=8.5, va="center"
        )
        axes.plot(record.at, record.train, color=theme.rules[5], linewidth=2, label="training loss")
        if record.val is not None:
            axes.plot(record.at, record.val, color=theme.rules[1], linewidth=2, linestyle=(0, (5, 2)), label="validation loss")
        ends = [record.train[record.at == v][0] for v in (0, 1)]
        between = np.linspace(0, 1, 65)
        line = ends[0] + between * (ends[1] - ends[0])
        axes.plot(between, line, color=theme.soft, linewidth=1, linestyle=":", zorder=1.5)
        axes.plot([0, 1], ends, "o", color=theme.rules[5], markersize=7, markeredgecolor=theme.paper)
        if min(ends) > 0 and np.nanmax(record.train) > 50 * min(ends):
            axes.set_yscale("log")
        axes.set_xlim(record.at[0], record.at[-1])
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], labels=[record.names[0], "¼", "½", "¾", record.names[1]])
        axes.legend(fontsize=8.5, facecolor=theme.card, edgecolor=theme.faint, labelcolor=theme.ink)
        return figure
