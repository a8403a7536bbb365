"""The ground that paths are drawn on: filled contours of a surface."""

from __future__ import annotations

from typing import Any

import numpy as np

from slalom.figures.pictures.style import Theme, colormap, outlined

LEVELS = 18


def draw_heights(axes: Any, x: Any, y: Any, z: Any, theme: Theme, *, log: bool = False, levels: Any = LEVELS) -> Any:
    """Filled contours with thin lines between; with `log`, of the logarithm of the height above the lowest point.

    `levels`: how many, or where.
    """
    z = np.where(np.isfinite(z), z, np.nan)
    shown = _logarithm(z) if log else z
    low, high = np.nanmin(shown), np.nanmax(shown)
    steps = np.linspace(low, high if high > low else low + 1, levels + 1) if isinstance(levels, int) else levels
    filled = axes.contourf(x, y, shown, levels=steps, cmap=colormap(theme), antialiased=True, zorder=0)
    axes.contour(x, y, shown, levels=steps[1:-1], colors=[theme.line], linewidths=0.5, linestyles="solid", alpha=0.16, zorder=0.5)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    return filled


def _logarithm(z: Any) -> Any:
    above = z - np.nanmin(z)
    typical = np.nanmedian(above)
    return np.log10(above + 1e-3 * (typical if typical > 0 else 1.0))


def mark_points(axes: Any, points: Any, theme: Theme, *, marker: str = "+", size: float = 90) -> None:
    """Known points: minima as crosses."""
    for px, py in points:
        axes.scatter([px], [py], marker=marker, s=size, color=theme.ink, linewidths=1.6, zorder=5.2,
                     path_effects=outlined(theme, 3))  # fmt: skip
