"""`slalom landscape`: the drawing, the table of arrivals with every learning rate, the list of surfaces."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from slalom.landscape.paths import Landscape, landscape
from slalom.landscape.paths.record import Path as Way
from slalom.landscape.surfaces import surfaces
from slalom.landscape.teaching import lessons, teach
from slalom.terminal.landscape.drawing import colour, drawn, letter, rules_of
from slalom.terminal.marks import number, rate
from slalom.terminal.output import console, say

BESIDE = 108  # columns from which the table stands beside the drawing
TALLEST = 26


def show(given: dict[str, Any], save: Path | None, picture: dict[str, Any], *, json: bool) -> None:
    """Run the landscape that the options describe; draw it, list the arrivals, write the picture where one is asked for."""
    if save is not None:
        from slalom.figures.pictures import ready

        ready(save, **picture)  # whatever cannot be written is said before the work
    record = landscape(**given)
    if save is not None:
        record.save(save, **picture)
    if json:
        say(json_format.dumps(record.to_dict()))
        return
    out = console()
    braille = (out.encoding or "").lower().startswith("utf")
    height = max(8, min(TALLEST, (out.height or 30) - 6, (out.width - 2) // 2))
    out.print(Text.assemble((record.title, "bold"), f"  {record.surface.text}"))
    out.print(Text(f"{record.surface.about}; {record.steps} steps from {_point(record.surface.start)}", "dim"))
    picture_lines = Text("\n").join(drawn(record, height, coloured=out.color_system is not None, braille=braille))
    table = _table(record)
    if out.width >= BESIDE:
        both = Table.grid(padding=(0, 3, 0, 0))
        both.add_row(picture_lines, table)
        out.print(both)
    else:
        out.print(picture_lines)
        out.print(table)
    out.print(Text(f"arrived: the first step at which {record.goal}. Learning rates: {record.fairness.words}.", "dim"))
    for note in record.notes:
        out.print(Text(f"note: {note}", "dim"))
    if save is not None:
        out.print(f"wrote {save}")


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
    from slalom.figures.pictures import ready

    ready(save, **picture)
    teach(name).save(save, **picture)
    say(f"wrote {save}")


def _table(record: Landscape) -> Table:
    order = rules_of(record)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    table.add_column("rule", style="bold", no_wrap=True)
    table.add_column("lr", justify="right")
    table.add_column("arrived", justify="right")
    table.add_column("last f", justify="right")
    for path in record.ranking:
        k = order.index(path.rule)
        edge = "*" if path.at_edge else ""
        table.add_row(Text(letter(k), f"bold {colour(k)}"), path.rule, rate(path.lr) + edge, _arrived(path), number(path.end))
    if any(p.at_edge for p in record.paths):
        table.caption = "* at the edge of its search"
    return table


def _arrived(path: Way) -> Text:
    if path.arrived is not None:
        return Text(f"step {path.arrived}")
    return Text("never" if path.stopped is None else f"diverged at {path.stopped}", "dim")


def _point(point: tuple[float, float]) -> str:
    return f"({point[0]:.4g}, {point[1]:.4g})"
