"""An examination at the terminal: a set-up by its place, what is found in it, and its repair."""

from __future__ import annotations

import json as json_format
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slalom.core.errors import BadValueError, SlalomError
from slalom.doctor.curve.record import plain
from slalom.doctor.examine import examine
from slalom.doctor.finding import Finding
from slalom.doctor.repairing import Repair, repair
from slalom.nets.named import find, looks_like_place
from slalom.report.shell import check_place
from slalom.terminal.output import console, say

ARGUMENTS = ("model", "loss_fn", "optimizer", "train", "val", "batch_size", "epochs", "schedule", "seed")
NEEDED = ARGUMENTS[:4]
WIDEST = 110


def show(place: str, *, repair: bool, budget: float | None, page: Path | None, json: bool) -> None:
    """Examine (and mend) what the function at `place` returns, and print what was found."""
    if page is not None:
        check_place(page)
    arguments = collected(place)
    if not json:
        print(f"training {place} as it stands ...", file=sys.stderr, flush=True)
    result: Any = mend(arguments, budget) if repair else examine(**arguments, budget=budget)
    if page is not None:
        from slalom.report.doctor import write_doctor

        write_doctor(result, page)
    if json:
        say(json_format.dumps(told(result), allow_nan=False))
        return
    width = min(console().width, WIDEST)
    found = result.found if isinstance(result, Repair) else result
    for line in lines(found, width):
        say(line)
    if isinstance(result, Repair):
        say("")
        for line in mended_lines(result, width):
            say(line)
    if page is not None:
        say(f"page: {page}")


def mend(arguments: Mapping[str, Any], budget: float | None) -> Repair:
    """The repair; `budget` is the examination's here."""
    if budget is None:
        return repair(**arguments)
    return repair(**arguments, examination=examine(**arguments, budget=budget))


def collected(place: str) -> dict[str, Any]:
    """What the function returns, checked: a dict with the arguments of `slalom.examine`."""
    if not looks_like_place(place):
        raise BadValueError(f"set-up {place!r} must be package.module:function, such as my.training:setup")
    returns = "a dict with the arguments of slalom.examine"
    function = find(place, "set-up", returns)
    try:
        made = function()
    except SlalomError:
        raise
    except Exception as error:
        raise BadValueError(f"set-up {place}: calling it raised {type(error).__name__}: {error}") from error
    if not isinstance(made, Mapping):
        raise BadValueError(f"set-up {place} must return {returns}, got {type(made).__name__}")
    unknown = [str(k) for k in made if k not in ARGUMENTS]
    missing = [k for k in NEEDED if k not in made]
    if unknown or missing:
        said = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(unknown)}, which examine does not take"
        raise BadValueError(
            f"what {place} returns {said}; the arguments are {', '.join(ARGUMENTS)}, the first four of them needed"
        )
    return dict(made)


def told(result: Any) -> dict[str, Any]:
    """The result as plain data; of a repair, the original's examination beside it."""
    if isinstance(result, Repair):
        return {"examination": plain(result.found.to_dict()), "repair": result.to_dict()}
    return dict(plain(result.to_dict()))


def lines(examination: Any, width: int) -> list[str]:
    """An examination as lines of text."""
    done = f"{examination.steps} steps watched, {len(examination.branches)} experiments"
    train, val = examination.skill
    reached = f"skill {train:.2f}" + (f" (validation {val:.2f})" if val == val else "") if train == train else ""
    head = "healthy: nothing is wrong that the doctor can see" if examination.healthy else ", ".join(examination.labels)
    made = [head, f"  {done}" + (f"; {reached}: 1 is no loss, 0 a constant prediction" if reached else "")]
    for k, found in enumerate(examination.findings, 1):
        made += ["", *_finding(k, found, width)]
    for note in examination.notes:
        made += _wrapped("note", note, width)
    return made


def _finding(k: int, found: Finding, width: int) -> list[str]:
    made = [f"{k}. {found.label} (confidence {found.confidence:.0%}, seen at step {found.step})"]
    made += _wrapped("symptom", found.symptom, width)
    made += _wrapped("cause", found.cause, width)
    for figure in found.evidence:
        made += _wrapped("evidence", str(figure), width)
    return made + _wrapped("remedy", found.remedy, width)


def mended_lines(result: Repair, width: int) -> list[str]:
    """A repair as lines of text."""
    first, *rest = str(result).split("\n")
    made = [first]
    for line in rest:
        made += textwrap.wrap(line, width, initial_indent="", subsequent_indent="      ", drop_whitespace=False) or [line]
    for trial in result.tried:
        loss = "failed" if trial["failed"] else f"loss {trial['loss']:.4g}" if trial["loss"] < float("inf") else "dropped early"
        made.append(f"    tried {trial['fix']}: {loss} after {trial['step']} steps")
    return made


def _wrapped(name: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=f"   {name + ':':10}", subsequent_indent=" " * 13)
