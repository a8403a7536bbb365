"""A figure as the JSON that the page's script reads."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from slalom.figures.activations import as_dict, build_activations, grid
from slalom.figures.playground import build_playground
from slalom.figures.records import CurveSet, LaneTable, RaceFigure
from slalom.report.engine import play_payload
from slalom.report.pack import pack, worst_error

DIGITS = 6  # of every number in the tables; learning rates are matched by value, so all round alike


def race_payload(figure: RaceFigure) -> dict[str, Any]:
    """The race: names, tables, and the curves packed in 12 bits a point; NaN and infinity as None."""
    tables = {
        "title": figure.title, "verdict": figure.verdict, "when": figure.when, "model": figure.model,
        "metric": figure.metric, "higher": figure.higher_is_better, "epochs": figure.epochs, "seeds": figure.seeds,
        "rules": figure.rules, "rows": [asdict(row) for row in figure.leaderboard], "lanes": _lanes(figure.lanes),
        "responses": [asdict(response) for response in figure.responses],
        "retired": [asdict(lane) for lane in figure.retired],
        "heat_maps": [asdict(heat_map) for heat_map in figure.heat_maps],
        "findings": [asdict(finding) for finding in figure.findings],
        "clock": figure.clock and asdict(figure.clock), "schedule": figure.schedule and asdict(figure.schedule),
        "comparison": figure.comparison and {"rows": [asdict(row) for row in figure.comparison]},
        "range_test": figure.range_test and asdict(figure.range_test),
        "plan": figure.plan, "data": figure.data, "environment": figure.environment, "notes": figure.notes,
    }  # fmt: skip
    return {**rounded(tables), "curves": _curves(figure.curves)}


def common(rules: Sequence[str] = ()) -> dict[str, Any]:
    """What every page holds: the playground, where `rules` keep their colours, and the activations."""
    return {"playground": play_payload(build_playground(rules)), "activations": _activations()}


def to_json(value: Any) -> str:
    """`value` as JSON that no HTML parser and no script engine can misread: every `<`, `>`, `&` and non-ASCII escaped.

    >>> print(to_json({"name": "</script>&"}))
    {"name":"\\u003c/script\\u003e\\u0026"}
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _curves(curves: CurveSet) -> dict[str, Any]:
    arrays = {"train_loss": curves.train_loss, "val_loss": curves.val_loss, "val_metric": curves.val_metric}
    packed = {name: pack(array) for name, array in arrays.items()}
    error = max(worst_error(array, packed[name]) for name, array in arrays.items())
    return {
        **packed, "error": float(f"{error:.2g}"), "train_steps": curves.train_steps, "val_epochs": curves.val_epochs,
        "steps_per_epoch": curves.steps_per_epoch, "train_stride": curves.train_stride, "val_stride": curves.val_stride,
    }  # fmt: skip


def _activations() -> dict[str, Any]:
    figures = build_activations()
    curves = {name: pack([getattr(f, name) for f in figures]) for name in ("value", "slope", "signal", "gradient")}
    return {"x": [float(x) for x in grid()], "all": rounded([as_dict(f) for f in figures]), **curves}


def _lanes(lanes: LaneTable) -> dict[str, Any]:
    table = {field.name: getattr(lanes, field.name) for field in fields(lanes)}
    return {**table, "best": [int(best) for best in lanes.best], "lr": _coded(lanes.lr), "status": _coded(lanes.status)}


def _coded(column: Sequence[Any]) -> dict[str, Any]:
    """A column of few different values: each of them once, and which it is in every row."""
    values = {value: k for k, value in enumerate(dict.fromkeys(column))}
    return {"values": list(values), "rows": [values[value] for value in column]}


def rounded(value: Any) -> Any:
    """Every number to six digits; NaN and infinities as None."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        short = float(f"{value:.{DIGITS}g}")
        return int(short) if short.is_integer() and abs(short) < 1e15 else short
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value
