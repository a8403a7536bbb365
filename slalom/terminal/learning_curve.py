"""A learning curve in the amount of data at the terminal: run, show."""

from __future__ import annotations

import json as json_format
from typing import Any

from slalom.race.events import plain
from slalom.terminal.output import say


def show(given: dict[str, Any], *, json: bool) -> None:
    """Measure the curve that the options describe and print it with its advice."""
    from slalom.data import load
    from slalom.race.learning_curve import learning_curve

    options = {name: given.pop(name) for name in ("target", "task") if name in given}
    if options:
        given = {**given, "data": load(given.get("data", "digits"), **options)}
    curve = learning_curve(**given)
    if json:
        made = {
            "sizes": curve.sizes,
            "what": curve.what,
            "validation": curve.val,
            "training": curve.train,
            "advice": curve.advice,
        }
        say(json_format.dumps(plain(made), allow_nan=False))
    else:
        say(str(curve))
