"""The learning-rate schedules on a terminal: all that there are, each drawn, or those that one asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rich.console import Console
from rich.text import Text

from slalom.core.checks import number, whole
from slalom.schedules import Plateau, Schedule, resolve
from slalom.schedules.spec import SCHEDULES, described
from slalom.terminal import plot
from slalom.terminal.marks import rate
from slalom.terminal.output import console

NAME, SMALL, HEIGHT, WIDEST = 12, (22, 3), 10, 96  # columns of a name; a small drawing; rows and columns of a large one
# Drawn in the list where the defaults would not show what it is; {} is a share of the run, in epochs.
EXAMPLES = {
    "warmup": (0.25, "warmup:{},cosine"),
    "restarts": (0.25, "restarts:{},decay=.8"),
    "triangular": (0.15, "triangular:{},mode=triangular2"),
}
STALLED = "drawn as if no metric were ever better than the first"


@dataclass(frozen=True)
class Drawn:
    """A schedule over a run: `factor` and `momentum` at any step."""

    spec: str
    epochs: int
    steps_per_epoch: int

    @cached_property
    def schedule(self) -> Schedule:
        """The schedule that the text describes."""
        return resolve(self.spec, self.epochs * self.steps_per_epoch, self.steps_per_epoch)

    @property
    def steps(self) -> int:
        """Steps of the run."""
        return self.epochs * self.steps_per_epoch

    @cached_property
    def factor(self) -> Callable[[float], float]:
        """The factor at a step; of a plateau, when nothing gets better."""
        if not isinstance(self.schedule, Plateau):
            return self.schedule
        plateau, state = self.schedule, self.schedule.start()
        levels = [state.level]
        for _ in range(self.epochs):
            state.step(1.0)
            levels.append(state.level)
        return lambda step: levels[int(step // self.steps_per_epoch)] * plateau.base_at(step)

    @property
    def momentum(self) -> Callable[[float], float] | None:
        """The momentum at a step, where the schedule sets it."""
        schedule = self.schedule.base if isinstance(self.schedule, Plateau) else self.schedule
        return (lambda step: float(schedule.momentum(step))) if schedule.cycles_momentum else None

    @property
    def note(self) -> str:
        """What the drawing assumes."""
        return STALLED if isinstance(self.schedule, Plateau) else ""

    def record(self, lr: float) -> dict[str, Any]:
        """All as plain data: learning rate and momentum at every step of the run and at its end."""
        every = range(self.steps + 1)
        return {
            "schedule": self.spec, "formula": self.schedule.formula, "latex": self.schedule.latex, "epochs": self.epochs,
            "steps_per_epoch": self.steps_per_epoch, "lr": [lr * float(self.factor(step)) for step in every],
            "momentum": [self.momentum(step) for step in every] if self.momentum else None, "note": self.note,
        }  # fmt: skip


def show(specs: Sequence[str], epochs: int, steps_per_epoch: int, lr: float, *, as_json: bool) -> None:
    """Draw the schedules asked for; all, small, where none is."""
    for name, value in (("epochs", epochs), ("steps-per-epoch", steps_per_epoch)):
        whole(value, f"--{name}", 1)
    number(lr, "--lr", "(0, inf)")
    drawn = [Drawn(spec, epochs, steps_per_epoch) for spec in specs or [_example(name, epochs) for name in SCHEDULES]]
    if as_json:
        for each in drawn:
            print(json.dumps(each.record(lr)))
        return
    out = console()
    if specs:
        for each in drawn:
            out.print(*large(each, lr, out), sep="\n")
        return
    for name, each in zip(SCHEDULES, drawn, strict=True):
        out.print(*small(name, each, out), sep="\n")
    hint = f"Drawn over {epochs} epochs. One large: slalom schedules cosine:final=.01 --epochs {epochs}; in a race: --schedule"
    out.print(Text(hint, "dim"))


def _example(name: str, epochs: int) -> str:
    share, spec = EXAMPLES.get(name, (0.0, name))
    return spec.format(f"{share * epochs:g}")


def small(name: str, drawn: Drawn, out: Console) -> list[Text]:
    """Name, drawing and sentence side by side; below one another where the terminal is narrow."""
    (width, height), braille = SMALL, _braille(out)
    values = plot.sampled(drawn.factor, drawn.steps, plot.columns(width, braille=braille))
    lines = plot.curve(values, max(1.0, *values), height, braille=braille)
    sentence, usage = described(name)
    usage = f"{usage}; drawn: {drawn.spec}" if drawn.spec != name else usage
    beside = out.width - NAME - width - 2
    across = beside >= 28
    words = _texts([(sentence, ""), (usage, "dim")], beside if across else out.width)
    made = []
    for i in range(max(height, len(words)) if across else height):
        row = Text(f"{name if i == 0 else '':{NAME}}", "bold")
        row.append(lines[i] if i < height else " " * width, "cyan not bold")
        made.append(row.append("  ").append_text(words[i]) if across and i < len(words) else row)
    return [*made, *([] if across else words), Text()]


def large(drawn: Drawn, lr: float, out: Console) -> list[Text]:
    """The drawing across the terminal, with axes, momentum where it moves, and the formula."""
    end = f"{drawn.epochs} epochs" if drawn.epochs > 1 else "1 epoch"
    made = [Text(drawn.spec, "bold")]
    panels = [("learning rate" if lr != 1 else "factor", lambda step: lr * drawn.factor(step), lr)]
    if (momentum := drawn.momentum) is not None:
        panels.append(("momentum", momentum, 0.0))
    braille = _braille(out)
    for title, function, least in panels:
        room = max(min(out.width, WIDEST) - 9, 8)
        values = plot.sampled(function, drawn.steps, plot.columns(room, braille=braille))
        # From 0 for a rate, so that heights compare; momentum moves in a band, whose ends are marked.
        low, high = (0.0, max(least, *values)) if least else (min(values), max(values))
        span = high - low or 1.0
        lines = plot.curve([v - low for v in values], span, HEIGHT if least else 4, braille=braille)
        made.append(Text(title, "dim"))
        made += [Text(line) for line in plot.framed(lines, rate(high), rate(low), ("0", end), braille=braille)]
    formula = f"{drawn.schedule.formula}; t in steps, {drawn.steps_per_epoch} an epoch"
    return [*made, *_texts([(formula, ""), (drawn.note, "dim")], out.width), Text()]


def _braille(out: Console) -> bool:
    return out.encoding.startswith("utf")


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width`, broken at spaces and after commas, so that a spec's arguments stay whole.

    >>> wrapped("step:every=5,factor=0.5 (every in epochs)", 20)
    ['step:every=5,', 'factor=0.5 (every in', 'epochs)']
    """
    lines = [""]
    for word in re.findall(r"[^ ,]*(?:, ?| |$)", text):
        if lines[-1] and len(lines[-1]) + len(word.rstrip()) > width:
            lines.append("")
        lines[-1] += word
    return [line.rstrip() for line in lines]


def _texts(parts: Sequence[tuple[str, str]], width: int) -> list[Text]:
    return [Text(line, style) for said, style in parts if said for line in wrapped(said, width)]
