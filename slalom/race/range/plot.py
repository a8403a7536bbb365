"""The curve as a picture, by matplotlib where it is installed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from slalom.core.errors import MissingExtraError
from slalom.race.range.chart import rate

if TYPE_CHECKING:
    from slalom.race.range.result import RangeResult


def figure_class() -> Any:
    """matplotlib's Figure; MissingExtraError where it is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("plot needs matplotlib; install it with: pip install 'slalom[plot]'") from error
    return Figure


def plot(result: RangeResult, path: Any = None) -> Any:
    """See `RangeResult.plot`."""
    figure = figure_class()(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    seen = [p for p in result.curve if math.isfinite(p.loss)]
    axes.plot([p.lr for p in seen], [p.loss for p in seen], marker="o" if len(seen) < 60 else "", color="C0")
    if any(p.seeds > 1 for p in seen):
        both = [p for p in seen if math.isfinite(p.high)]
        axes.fill_between([p.lr for p in both], [p.low for p in both], [p.high for p in both], color="C0", alpha=0.2, lw=0)
    if result.interval is not None:
        axes.axvspan(*result.interval, color="C2", alpha=0.15, label="90 % interval")
    if result.suggestion is not None:
        axes.axvline(result.suggestion, color="C2", label=f"suggestion {rate(result.suggestion)}")
    for edge, name, side in (
        (result.phases.slow_below, "too slow", "right"),
        (result.phases.diverging_from, "diverging", "left"),
    ):
        if edge is not None:
            axes.axvline(edge, color="0.6", ls=":")
            axes.text(edge, 0.98, f" {name} ", transform=axes.get_xaxis_transform(), ha=side, va="top", color="0.4")
    losses = [p.loss for p in seen]
    if losses and math.isfinite(result.initial_loss):
        low = min(losses)
        span = max(result.initial_loss - low, 1e-12)
        axes.set_ylim(low - 0.05 * span, result.initial_loss + 0.5 * span)
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel(result.by)
    axes.set_title(f"range test of {result.optimizer} ({result.method})")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left")
    if path is not None:
        figure.savefig(path)
    return figure
