"""Networks at the terminal: the loss around a race's network, the line between two of them, runs in their plane."""

from __future__ import annotations

import json as json_format
from dataclasses import replace
from pathlib import Path
from typing import Any

from slalom.core.errors import BadValueError
from slalom.landscape.networks import interpolation, loss_slice, network_of, sharpness, trajectory_plane
from slalom.race.api import load
from slalom.terminal.landscape import saving
from slalom.terminal.output import say


def show_run(
    directory: Path, save: Path | None, picture: dict[str, Any], *, json: bool, lane: int | None = None, to: int | None = None,
    points: int | None = None,
) -> None:  # fmt: skip
    """The loss around a lane's network with its sharpness, or on the line to another lane's."""
    saving.ready(save, picture)
    result = load(directory)
    own = network_of(result, lane)
    more: dict[str, Any] = {} if points is None else {"points": points}
    if to is not None:
        names = (own.label, network_of(result, to).label)
        line = interpolation(own.model, own.model, result.weights(to), own.data, names=names, loss=own.loss, **more)
        _out(line, str(line), save, picture, json=json)
        return
    made = loss_slice(own.model, own.data, loss=own.loss, **more)
    made = replace(made, title=f"Loss around lane {own.lane}: {own.label}")
    sharp = sharpness(own.model, own.data, loss=own.loss)
    _out(made, f"{made}\n{sharp}", save, picture, json=json)


def show_training(data: str, given: dict[str, Any], save: Path | None, picture: dict[str, Any], *, json: bool) -> None:
    """Train by several rules from one start and say where they went."""
    saving.ready(save, picture)
    if given.get("lr") == "tuned" or isinstance(given.get("lr"), list):
        raise BadValueError("--train takes one learning rate for all, or RULE=LR for each; find good ones with slalom race")
    lr = given.pop("lr", None)
    if isinstance(lr, dict):
        many = [rule for rule, rates in lr.items() if len(rates) != 1]
        if many:
            raise BadValueError(f"--train takes one learning rate for each rule, {many[0]} has several")
        lr = {rule: rates[0] for rule, rates in lr.items()}
    made = trajectory_plane(given.pop("model", None), data, lr=lr, **given)
    _out(made, str(made), save, picture, json=json)


def _out(made: Any, words: str, save: Path | None, picture: dict[str, Any], *, json: bool) -> None:
    saving.write(made, save, picture)
    if json:
        say(json_format.dumps(made.to_dict()))
        return
    say(words)
    if save is not None:
        say(f"wrote {save}")
