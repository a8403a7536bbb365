"""A landscape in characters: heights as shades, paths as braille dots in the rules' colours, a letter where each is now."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.text import Text

from slalom.landscape.paths.record import Landscape
from slalom.terminal.plot import DOTS

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
COLOURS = ("#ff6b5e", "#ffb454", "#fff07a", "#7ee081", "#3fd0c0", "#6fb1ff", "#d49bff", "#ff8fc8", "#ffffff", "#b9c4d0")
GROUND = ((9, 13, 24), (16, 28, 51), (23, 48, 77), (31, 71, 99), (43, 96, 118), (63, 123, 134))
SHADES = " .:-=+*#%@"
LEVELS = 12


@dataclass(frozen=True)
class Cells:
    """`bits`: braille dots of paths; `owner`: the rule drawn last, -1 none; `level`: 0 the lowest; `letters`: a cell's letter."""

    bits: Any
    owner: Any
    level: Any
    letters: dict[tuple[int, int], tuple[str, int]]


def rules_of(record: Landscape) -> list[str]:
    """The rules in order; letters and colours follow it."""
    return list(dict.fromkeys(p.rule for p in record.paths))


def letter(number: int) -> str:
    """The letter of a rule."""
    return LETTERS[number % len(LETTERS)]


def colour(number: int) -> str:
    """The colour of a rule."""
    return COLOURS[number % len(COLOURS)]


def cells(record: Landscape, height: int, until: int | None = None, level: Any = None) -> Cells:
    """The drawing's content, `height` rows of twice as many columns; the paths up to step `until` (None: whole).

    `level`: that of another drawing of the same surface and height, which saves working it out again.
    """
    width, s = 2 * height, record.surface
    x0, x1, y0, y1 = s.box
    bits, owner = np.zeros((height, width), dtype=int), np.full((height, width), -1)
    ids = {rule: k for k, rule in enumerate(rules_of(record))}
    letters: dict[tuple[int, int], tuple[str, int]] = {}
    for path in record.paths:
        points = path.points if until is None else path.points[: until + 1]
        points = points[np.isfinite(points).all(1)]
        at = np.stack([(points[:, 0] - x0) / (x1 - x0) * 2 * width, (y1 - points[:, 1]) / (y1 - y0) * 4 * height], axis=1)
        for column, row in _line(at, 2 * width, 4 * height):
            bits[row // 4, column // 2] |= DOTS[column % 2][row % 4]
            owner[row // 4, column // 2] = ids[path.rule]
        place = at[-1] // (2, 4)
        if (place >= 0).all() and place[0] < width and place[1] < height:
            letters[int(place[1]), int(place[0])] = (letter(ids[path.rule]), ids[path.rule])
    return Cells(bits, owner, _levels(record, width, height) if level is None else level, letters)


def drawn(
    record: Landscape, height: int, *, coloured: bool, braille: bool = True, until: int | None = None, level: Any = None
) -> list[Text]:  # fmt: skip
    """The drawing, a line a row. Without colours, letters stand for paths and signs for heights (`braille` is not used)."""
    made = cells(record, height, until, level)
    return [_coloured(made, row) if coloured and braille else _plain(made, row) for row in range(height)]


def _coloured(made: Cells, row: int) -> Text:
    line = Text()
    for column in range(made.bits.shape[1]):
        ground = _ground(made.level[row, column])
        if (row, column) in made.letters:
            sign, who = made.letters[row, column]
            line.append(sign, f"bold #000000 on {colour(who)}")
        elif made.bits[row, column]:
            line.append(chr(0x2800 + made.bits[row, column]), f"{colour(made.owner[row, column])} on {ground}")
        else:
            line.append(" ", f"on {ground}")
    return line


def _plain(made: Cells, row: int) -> Text:
    signs = []
    for column in range(made.bits.shape[1]):
        if (row, column) in made.letters:
            signs.append(made.letters[row, column][0])
        elif made.bits[row, column]:
            signs.append(letter(made.owner[row, column]).lower())
        else:
            signs.append(SHADES[made.level[row, column] * len(SHADES) // LEVELS])
    return Text("".join(signs))


def _ground(level: int) -> str:
    place = level / (LEVELS - 1) * (len(GROUND) - 1)
    k = min(int(place), len(GROUND) - 2)
    mixed = [round(a + (b - a) * (place - k)) for a, b in zip(GROUND[k], GROUND[k + 1], strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def _levels(record: Landscape, width: int, height: int) -> Any:
    s = record.surface
    x0, x1, y0, y1 = s.box
    half = (x1 - x0) / width / 2, (y1 - y0) / height / 2
    across, down = np.linspace(x0 + half[0], x1 - half[0], width), np.linspace(y1 - half[1], y0 + half[1], height)
    with np.errstate(all="ignore"):
        z = np.stack([np.broadcast_to(np.asarray(s(across, np.full(width, y)), dtype=float), width) for y in down])
    z = np.where(np.isfinite(z), z, np.nanmax(z[np.isfinite(z)]))
    above = z - z.min()
    if s.log:
        above = np.log10(above + 1e-3 * (np.median(above) or 1.0))
        above -= above.min()
    return np.minimum((above / (above.max() or 1.0) * LEVELS).astype(int), LEVELS - 1)


def _line(at: Any, across: int, down: int) -> Any:
    """The dots on the way from point to point, those inside alone."""
    for a, b in itertools.pairwise(at):
        ends = np.clip(np.stack([a, b]), -4 * max(across, down), 5 * max(across, down))  # a leap far outside is a short line yet
        n = int(np.abs(ends[1] - ends[0]).max()) + 1
        for column, row in np.floor(ends[0] + (ends[1] - ends[0]) * np.linspace(0, 1, n + 1)[:, None]).astype(int):
            if 0 <= column < across and 0 <= row < down:
                yield int(column), int(row)
