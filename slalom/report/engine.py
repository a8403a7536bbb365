"""The rules and surfaces as the JavaScript that the playground computes with: printed from their definitions, never written."""

from __future__ import annotations

import base64
import functools
import json
from dataclasses import asdict
from typing import Any

import numpy as np

from slalom.engines.formula import Tape, traced
from slalom.engines.printers.js import RUNTIME, js_formula, js_rule
from slalom.figures.playground import PlayFigure, played_rules
from slalom.landscape.surfaces import Surface, surfaces


@functools.cache
def engine_script() -> str:
    """A script that sets `slalom.engine`: `begin`, `advance`, `rules` by name, `surfaces` by name (`slopes`, `goal`)."""
    rules = ",\n".join(f"{json.dumps(s.rule.name)}: {js_rule(s)}" for s in played_rules())
    heights = ",\n".join(f"{json.dumps(s.name)}: {js_surface(s)}" for s in surfaces())
    runtime = "\n".join(line for line in RUNTIME.strip().split("\n") if not line.startswith("//"))
    engine = f"slalom.engine = {{ begin, advance,\nrules: {{\n{rules}\n}},\nsurfaces: {{\n{heights}\n}} }};"
    return f'"use strict";\n{{\n{runtime}\n{engine}\n}}'


def js_surface(surface: Surface) -> str:
    """An unturned surface: `slopes(x, y, ...row)`, its height and both derivatives, and `goal(x, y)`, > 0 once there."""
    test = js_formula(Tape([traced(surface.goal.test, ["x", "y"])]), ["x", "y"])
    return f"{{ slopes: {js_formula(surface.tape, ['x', 'y', *surface.columns])},\ngoal: (x, y) => ({test})(x, y)[0] }}"


def play_payload(figure: PlayFigure) -> dict[str, Any]:
    """What the playground's controls are made of; rows of data as base64 of float64, exact."""
    made = asdict(figure)
    for plain, surface in zip(made["surfaces"], figure.surfaces, strict=True):
        rows = surface.rows
        plain["rows"] = None if rows is None else base64.b64encode(np.asarray(rows, dtype="<f8").tobytes()).decode("ascii")
        plain["columns"] = 0 if rows is None else len(rows[0])
    return made
