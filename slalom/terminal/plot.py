"""Curves in characters: eight braille dots a cell where the terminal can show them, a star a cell where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence

# Bits of a braille cell's dots: [column][row from the top].
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


def columns(width: int, *, braille: bool) -> int:
    """How many values a curve of `width` characters takes: one a column of dots."""
    return 2 * width if braille else width


def curve(values: Sequence[float], top: float, height: int, *, braille: bool = True) -> list[str]:
    """`height` lines of the curve through `values` between 0 (the bottom) and `top`, one value a column of dots, no gaps.

    >>> for line in curve([0, 1, 2, 3, 4, 5, 6, 7], 7, 2):
    ...     print(line)
    ⠀⠀⡠⠊
    ⡠⠊⠀⠀
    >>> curve([1.0, 1.0, 0.0], 1.0, 2, braille=False)
    ['** ', '  *']
    """
    across, down = (2, 4) if braille else (1, 1)
    dots = down * height
    at = [round((1 - min(max(v / top, 0.0), 1.0)) * (dots - 1)) for v in values]
    cells = [[0] * (-(-len(at) // across)) for _ in range(height)]
    for x, y in enumerate(at):
        previous = at[x - 1] if x else y
        # A jump is drawn as a line that starts beside the dot before it.
        begin, end = (previous + 1, y) if previous < y else (y, previous - 1) if previous > y else (y, y)
        for row in range(min(begin, end), max(begin, end) + 1):
            cells[row // down][x // across] |= DOTS[x % across][row % down] if braille else 1
    return ["".join(chr(0x2800 + c) if braille else " *"[c] for c in line) for line in cells]


def framed(lines: Sequence[str], top: str, bottom: str, ends: tuple[str, str], *, braille: bool = True) -> list[str]:
    """The curve with an axis at its left and one below, labelled at their ends.

    >>> print(*framed(["***", "  *"], "1", "0", ("0", "9"), braille=False), sep="\\n")
    1 |***
    0 |  *
      +---
       0 9
    """
    vertical, corner, horizontal = ("│", "└", "─") if braille else ("|", "+", "-")
    wide, width = max(len(top), len(bottom)), len(lines[0])
    marks = [top, *[""] * (len(lines) - 2), bottom] if len(lines) > 1 else [top]
    made = [f"{mark:>{wide}} {vertical}{line}" for mark, line in zip(marks, lines, strict=True)]
    room = max(width - len(ends[0]), len(ends[1]) + 1)
    return [*made, f"{'':{wide}} {corner}{horizontal * width}", f"{'':{wide}}  {ends[0]}{ends[1]:>{room}}"]


def sampled(function: Callable[[float], float], end: float, n: int) -> list[float]:
    """`n` values of a function from 0 to `end`.

    >>> sampled(lambda x: 2 * x, 3, 4)
    [0.0, 2.0, 4.0, 6.0]
    """
    return [function(end * i / max(n - 1, 1)) for i in range(n)]
