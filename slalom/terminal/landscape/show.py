"""`slalom landscape`: the drawing, the table of arrivals with every learning rate, the list of surfaces."""

from __future__ import annotations

import contextlib
import json as json_format
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from slalom.landscape.paths import Landscape, landscape
from slalom.landscape.paths.record import Path as Way
from slalom.landscape.surfaces import surfaces
from slalom.landscape.teaching import lessons, teach
from slalom.terminal.landscape import saving
from slalom.terminal.landscape.drawing import cells, colour, drawn, letter, rules_of
from slalom.terminal.marks import number, rate
from slalom.terminal.output import console, say

BESIDE = 108  # columns from which the table stands beside the drawing
TALLEST = 26
SECONDS, RATE = 6.0, 15  # that a play takes; pictures a second


def show(given: dict[str, Any], save: Path | None, picture: dict[str, Any], *, json: bool, still: bool = False) -> None:
    """Run the landscape that the options describe; play it, list the arrivals, write the picture where one is asked for.

    It plays on a terminal with colours, and is drawn once anywhere else, or where it is to be `still`.
    """
    saving.ready(save, picture)
    record = landscape(**given)
    saving.write(record, save, picture)
    if json:
        say(json_format.dumps(record.to_dict()))
        return
    out = console()
    height = max(8, min(TALLEST, (out.height or 30) - 6, (out.width - 2) // 2))
    out.print(Text.assemble((record.title, "bold"), f"  {record.surface.text}"))
    out.print(Text(f"{record.surface.about}; {record.steps} steps from {_point(record.surface.start)}", "dim"))
    if still or not out.is_terminal or out.color_system is None:
        out.print(_frame(record, out, height, None))
    else:
        play(record, out, height)
    out.print(Text(f"arrived: the first step at which {record.goal}. Learning rates: {record.fairness.words}.", "dim"))
    for note in record.notes:
        out.print(Text(f"note: {note}", "dim"))
    if save is not None:
        out.print(f"wrote {save}")


def play(
    record: Landscape, out: Console, height: int, seconds: float = SECONDS, tick: Callable[[float], None] = time.sleep
) -> None:
    """The paths as they go, in place, in about so many seconds; Ctrl-C jumps to the end. `tick`: waits for so long."""
    from rich.live import Live

    frames = min(record.steps, round(seconds * RATE)) or 1
    level = cells(record, height).level
    with Live(console=out, auto_refresh=False, transient=False) as live:
        with contextlib.suppress(KeyboardInterrupt):
            for k in range(frames):
                live.update(_frame(record, out, height, round(k * record.steps / frames), level), refresh=True)
                tick(1 / RATE)
        live.update(_frame(record, out, height, None, level), refresh=True)


def _frame(record: Landscape, out: Console, height: int, step: int | None, level: Any = None) -> RenderableType:
    """The drawing with its table beside or below it, at a step, or at the end."""
    braille = (out.encoding or "").lower().startswith("utf")
    lines = drawn(record, height, coloured=out.color_system is not None, braille=braille, until=step, level=level)
    picture, table = Text("\n").join(lines), _table(record, step)
    if out.width >= BESIDE:
        both = Table.grid(padding=(0, 3, 0, 0))
        both.add_row(picture, table)
        return both
    return Group(picture, table)


def show_surfaces() -> None:
    """The list of surfaces."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("surface", "formula", "what it shows", "steps", "arrived"):
        table.add_column(title, no_wrap=title == "surface", style="bold" if title == "surface" else "")
    for s in surfaces():
        formula = s.text if s.data is None else "logistic loss, two weights"
        table.add_row(s.name, formula, Text(s.about, "dim"), str(s.steps), s.goal.words)
    out = console()
    out.print(table)
    lesson_table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    lesson_table.add_column("teaching picture", style="bold", no_wrap=True)
    lesson_table.add_column("what it shows")
    for name, said in lessons().items():
        lesson_table.add_row(name, Text(said, "dim"))
    out.print()
    out.print(lesson_table)
    out.print(Text("A teaching picture: slalom landscape --teach NAME --save x.png", "dim"))
    out.print(Text("Your own: slalom landscape package.module:f, a function f(x, y). Turned: --rotate 45.", "dim"))


def write_lesson(name: str, save: Path, picture: dict[str, Any]) -> None:
    """Write a teaching picture."""
    saving.ready(save, picture)
    saving.write(teach(name), save, picture)
    say(f"wrote {save}")


def _table(record: Landscape, step: int | None = None) -> Table:
    order = rules_of(record)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    table.add_column("rule", style="bold", no_wrap=True)
    table.add_column("lr", justify="right")
    table.add_column("arrived", justify="right", min_width=14)
    table.add_column("last f" if step is None else f"f at {step}", justify="right", min_width=9)
    for path in record.ranking:
        k = order.index(path.rule)
        edge = "*" if path.at_edge else ""
        value = path.end if step is None else path.losses[step]
        f = number(value) if math.isfinite(value) else "-"
        table.add_row(Text(letter(k), f"bold {colour(k)}"), path.rule, rate(path.lr) + edge, _arrived(path, step), f)
    if any(p.at_edge for p in record.paths):
        table.caption = "* at the edge of its search"
    return table


def _arrived(path: Way, step: int | None) -> Text:
    if path.arrived is not None and (step is None or path.arrived <= step):
        return Text(f"step {path.arrived}")
    if path.stopped is not None and (step is None or path.stopped <= step):
        return Text(f"diverged at {path.stopped}", "dim")
    return Text("never" if step is None else "", "dim")


def _point(point: tuple[float, float]) -> str:
    return f"({point[0]:.4g}, {point[1]:.4g})"
