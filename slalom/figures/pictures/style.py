"""Colours and letters of every picture, dark and light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slalom.core.errors import BadValueError, MissingExtraError

MARKERS = ("o", "s", "^", "D", "v", "X", "P")


@dataclass(frozen=True)
class Theme:
    """`heights`: of a surface, from the lowest; `rules`: one colour a rule, told apart by markers too."""

    paper: str
    card: str
    ink: str
    soft: str
    faint: str
    halo: str
    line: str
    heights: tuple[str, ...]
    rules: tuple[str, ...]
    good: str
    bad: str


# The rules' colours stand apart under normal, protan and deutan sight, brighter than any height on the dark ground.
DARK = Theme(
    paper="#0f141c", card="#161d28", ink="#e8edf4", soft="#9aa7b8", faint="#2b3544", halo="#05080d", line="#ffffff",
    heights=("#090d18", "#101c33", "#17304d", "#1f4763", "#2b6076", "#3f7b86"),
    rules=("#ff6b5e", "#ffb454", "#fff07a", "#7ee081", "#3fd0c0", "#6fb1ff", "#d49bff", "#ff8fc8", "#ffffff", "#b9c4d0",
           "#c8e06a", "#f7c9a8", "#8f9bff", "#a8f0ff"),
    good="#7ee081", bad="#ff6b5e",
)  # fmt: skip
LIGHT = Theme(
    paper="#ffffff", card="#ffffff", ink="#18212e", soft="#5c6a7c", faint="#dfe5ec", halo="#ffffff", line="#31506b",
    heights=("#ffffff", "#eef4f8", "#dae7f0", "#c3d8e5", "#aac6d8", "#90b3c9"),
    rules=("#c62f2b", "#c56a00", "#8a7400", "#2f8a2f", "#00807a", "#1f5fd0", "#7d34c4", "#c02a80", "#1d1d1d", "#5f6b78",
           "#5d7a00", "#8a4b1f", "#3a3fae", "#00708f"),
    good="#2f8a2f", bad="#c62f2b",
)  # fmt: skip
THEMES = {"dark": DARK, "light": LIGHT}
FONT = {"font.family": "DejaVu Sans", "font.size": 9.0, "axes.titlesize": 10.0}


def theme_of(name: str) -> Theme:
    """Errors: BadValueError for another name than "dark" and "light"."""
    if name not in THEMES:
        raise BadValueError(f"theme must be 'dark' or 'light', got {name!r}")
    return THEMES[name]


def matplotlib_for(what: str) -> Any:
    """matplotlib; MissingExtraError where it is not installed."""
    try:
        import matplotlib.figure
    except ImportError as error:
        raise MissingExtraError(f"{what} needs matplotlib; install it with: pip install 'slalom[plot]'") from error
    return matplotlib


def new_figure(theme: Theme, size: tuple[float, float]) -> Any:
    """An empty figure of so many inches, 100 dots each."""
    matplotlib = matplotlib_for("a picture")
    if len(size) != 2 or not all(1 <= v <= 40 for v in size):
        raise BadValueError(f"size must be (width, height) in inches, 1 to 40 each, got {size!r}")
    with matplotlib.rc_context(FONT):
        return matplotlib.figure.Figure(figsize=size, dpi=100, facecolor=theme.paper)


def dress(axes: Any, theme: Theme, *, frame: bool = False, grid: bool = False) -> None:
    """Quiet axes: soft ticks, no box unless asked for."""
    axes.set_facecolor(theme.card)
    for side, spine in axes.spines.items():
        spine.set_color(theme.faint)
        spine.set_linewidth(0.8)
        spine.set_visible(frame or side in ("left", "bottom"))
    axes.tick_params(colors=theme.soft, labelsize=8, length=3, width=0.8)
    axes.tick_params(which="minor", length=0)
    if grid:
        axes.grid(color=theme.faint, linewidth=0.7, alpha=0.8)
        axes.set_axisbelow(True)


def words(axes: Any, theme: Theme, title: str = "", x: str = "", y: str = "") -> None:
    """Title at the left, axis names in a soft colour."""
    if title:
        axes.set_title(title, color=theme.ink, loc="left", fontsize=10, fontweight="bold", pad=7)
    if x:
        axes.set_xlabel(x, color=theme.soft, fontsize=8.5)
    if y:
        axes.set_ylabel(y, color=theme.soft, fontsize=8.5)


def outlined(theme: Theme, width: float = 1.0, colour: str | None = None) -> list[Any]:
    """Path effects that lift a line or letters off what lies behind."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground=colour or theme.halo)]


def colormap(theme: Theme) -> Any:
    """The heights' colours as a matplotlib colormap."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("heights", list(theme.heights))
