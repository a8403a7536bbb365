"""A race: how its best lanes learnt, and how each rule answers to its learning rate."""

from __future__ import annotations

from typing import Any

import numpy as np

from slalom.figures.pictures.style import MARKERS, dress, new_figure, theme_of, words
from slalom.figures.race import build_race
from slalom.figures.records import LrResponse, RaceFigure
from slalom.figures.words import format_lr

LEVELS = 1e8  # decades of loss that are drawn, as a ratio
ACROSS = 7  # names in a line of the legend
ABOVE = 3.0  # times where training began: what explodes leaves the picture there


class RaceScene:
    """The picture of a `RaceResult`; it does not move.

    `theme`: "dark" or "light". `size`: (width, height) in inches. Left: training losses, those at a rule's best learning rate
    strong. Right: the validation metric over the learning rate, mean and standard deviation, the best with its interval.
    """

    moves = False

    def __init__(self, record: Any, *, theme: str = "light", size: tuple[float, float] = (11.0, 4.8)) -> None:
        self.figure_data = build_race(record)
        self.theme, self.size = theme_of(theme), size

    def still(self) -> Any:
        """The figure."""
        figure, data, theme = new_figure(self.theme, self.size), self.figure_data, self.theme
        lines = -(-len(data.rules) // ACROSS)
        left, right = figure.subplots(1, 2, gridspec_kw={
            "left": 0.07, "right": 0.985, "top": 0.8, "bottom": 0.17 + 0.045 * lines, "wspace": 0.2, "width_ratios": (1.25, 1),
        })  # fmt: skip
        figure.text(0.02, 0.945, data.title, color=theme.ink, fontsize=12, fontweight="bold", va="center")
        figure.text(0.02, 0.885, _short(data.verdict), color=theme.soft, fontsize=8.5, va="center")
        self._curves(left, data)
        self._responses(right, data)
        names = [row.rule for row in data.leaderboard] or list(data.rules)
        rates = {row.rule: row.lr for row in data.leaderboard}
        handles = [
            left.plot([], [], color=self._colour(data, name), marker=self._marker(data, name), ms=5, lw=1.6,
                      label=f"{name} {format_lr(rates[name])}" if name in rates else name)[0]
            for name in names
        ]  # fmt: skip
        across = min(ACROSS, max(1, len(names)))
        figure.legend(handles=handles, loc="lower center", ncols=across, frameon=False, fontsize=8, labelcolor=theme.ink)
        return figure

    def _colour(self, data: RaceFigure, name: str) -> str:
        return self.theme.rules[data.rules.index(name) % len(self.theme.rules)]

    def _marker(self, data: RaceFigure, name: str) -> str:
        return MARKERS[data.rules.index(name) % len(MARKERS)]

    def _curves(self, axes: Any, data: RaceFigure) -> None:
        dress(axes, self.theme, grid=True)
        words(axes, self.theme, "Training loss", "step", "loss")
        losses = data.curves.train_loss
        for k in sorted(range(len(data.lanes)), key=lambda k: data.lanes.best[k]):
            best, colour = data.lanes.best[k], self._colour(data, data.rules[data.lanes.rule[k]])
            axes.plot(data.curves.train_steps, losses[k], color=colour, lw=1.1 if best else 0.5, alpha=0.95 if best else 0.18)
        good = losses[np.isfinite(losses)]
        if good.size and (good > 0).all():
            first = losses[:, 0][np.isfinite(losses[:, 0])]
            top = min(float(good.max()), ABOVE * float(np.median(first)) if first.size else float(good.max()))
            axes.set_yscale("log")
            axes.set_ylim(max(float(good.min()), top / LEVELS) * 0.8, top * 1.2)

    def _responses(self, axes: Any, data: RaceFigure) -> None:
        dress(axes, self.theme, grid=True)
        words(axes, self.theme, f"Validation {data.metric}", "learning rate")
        best: list[float] = []
        for response in data.responses:
            self._response(axes, data, response, best)
        if all(lr > 0 for lr in data.lanes.lr):
            axes.set_xscale("log")
        every = [m for r in data.responses for m in r.mean if np.isfinite(m)]
        if best and every:  # where the contest is decided, not where all is lost
            lead, far = (max, min) if data.higher_is_better else (min, max)
            reach = max(4 * abs(lead(best) - far(best)), 0.15 * abs(max(every) - min(every)), 1e-12)
            ends = sorted((lead(every), lead(every) - reach if data.higher_is_better else lead(every) + reach))
            axes.set_ylim(ends[0] - 0.05 * reach, ends[1] + 0.05 * reach)

    def _response(self, axes: Any, data: RaceFigure, response: LrResponse, best: list[float]) -> None:
        colour, marker = self._colour(data, response.rule), self._marker(data, response.rule)
        spread = np.nan_to_num(response.sd)
        axes.errorbar(response.lrs, response.mean, yerr=spread, color=colour, lw=1.1, elinewidth=0.7, marker=marker, ms=2.5)
        if response.lr is not None and response.lr_low is not None and response.lr_high is not None:
            at = response.mean[response.lrs.index(response.lr)]
            best.append(at)
            axes.plot([response.lr_low, response.lr_high], [at, at], color=colour, lw=2.4, alpha=0.45, solid_capstyle="butt")
            axes.plot([response.lr], [at], color=colour, marker=marker, ms=8, mec=self.theme.card)


def _short(text: str, most: int = 150) -> str:
    return text if len(text) <= most else text[: most - 1].rsplit(" ", 1)[0] + " …"
