"""The title and the sentence at the top of a teaching picture."""

from __future__ import annotations

import textwrap
from typing import Any

from slalom.figures.pictures.style import Theme

EDGE = 0.45  # inches at the left
LETTER = 0.0725  # inches that a letter of the sentence takes, at most


def headed(figure: Any, theme: Theme, title: str, words: str) -> float:
    """Writes them; returns the share of the height that is left below."""
    width, height = figure.get_size_inches()
    left = EDGE / width
    lines = textwrap.wrap(words, int((width - 2 * EDGE) / LETTER))
    figure.text(left, 1 - 0.26 / height, title, color=theme.ink, fontsize=13, fontweight="bold", va="center")
    figure.text(left, 1 - 0.46 / height, "\n".join(lines), color=theme.soft, fontsize=8.5, va="top", linespacing=1.35)
    return float(1 - (0.55 + 0.17 * len(lines)) / height)
