"""A race in a notebook: what its page says first, as a piece of HTML without any script."""

from __future__ import annotations

import base64
import math
from typing import Any

from slalom.core.errors import MissingExtraError
from slalom.figures import build_race, format_lr
from slalom.race import hooks
from slalom.race.results import LeaderRow

TEMPLATE = "inline.html"


def inline(result: Any) -> str:
    """The verdict, the leaderboard and, where matplotlib is installed, the picture; every name is escaped.

    >>> import slalom
    >>> made = slalom.race("mlp:4:relu", "iris", rules=["sgd"], lrs=[0.1], seeds=1, epochs=1)
    >>> made._repr_html_().startswith("<div")
    True
    """
    import jinja2

    from slalom.report.shell import source

    figure = build_race(result)
    try:
        picture = "" if hooks.png is None else base64.b64encode(hooks.png(result)).decode("ascii")
    except MissingExtraError:
        picture = ""
    rows = [
        {
            "rank": row.rank,
            "rule": row.rule,
            "lr": format_lr(row.lr),
            "span": f"{format_lr(row.lr_low)} to {format_lr(row.lr_high)}",
            "val": _spread(row.val_metric, row.val_metric_sd),
            "test": _spread(row.test_metric, row.test_metric_sd),
            "standing": _standing(row),
        }
        for row in figure.leaderboard
    ]
    made = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(source(TEMPLATE))
    where = "" if result.directory is None else str(result.directory)
    return made.render(figure=figure, rows=rows, picture=picture, directory=where)


def _standing(row: LeaderRow) -> str:
    if not math.isfinite(row.test_metric):
        return "-"
    if row.rank == 1:
        return "leads"
    return "tied" if row.tied else f"behind by {_spread(row.difference, row.standard_error)}"


def _spread(value: float, sd: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.4f} ± {sd:.4f}" if math.isfinite(sd) else f"{value:.4f}"
