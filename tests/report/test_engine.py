"""The playground's script: surfaces and whole walks as Python has them, to 1e-10 over 200 steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from slalom.core.rule import REGISTRY
from slalom.figures.playground import build_playground, played_rules
from slalom.landscape.surfaces import Surface, names, surface, surfaces
from slalom.report.engine import play_payload
from slalom.report.shell import ENGINE, asset

STEPS = 200
CLASSIC = {"adadelta": {"rho": 0.95}, "rmsprop": {"alpha": 0.9}}
EVERY = (("saddle", 0), ("beale", 0), ("rosenbrock", 0), ("noisy_moons", 0), ("quadratic", 45))  # walked by every rule
RUN = """
const slalom = {};
ENGINE_SCRIPT
WALK_SCRIPT
const {infos, hypers, cases} = INPUT;
RESULT(cases.map(({name, angle, rule, lr, batches, points}) => {
  const info = infos.find((s) => s.name === name), made = slalom.surface(info, angle);
  const {start, minima} = made, each = (f) => points.map(([x, y]) => f(x, y));
  if (points) return {slopes: each(made.slopes), there: each(made.arrived), start, minima};
  return slalom.walk(made, rule, {...hypers[rule], lr}, made.start, STEPS, batches);
}))
"""


@pytest.fixture(scope="module")
def in_js(run_js: Callable[[str], Any]) -> Callable[[list[dict[str, Any]]], Any]:
    figure = build_playground()
    given = {"infos": play_payload(figure)["surfaces"], "hypers": {r.name: dict(r.hypers) for r in figure.rules}}

    def run(cases: list[dict[str, Any]]) -> Any:
        scripts = RUN.replace("ENGINE_SCRIPT", asset(ENGINE)).replace(
            "WALK_SCRIPT", asset("js/basis/bytes.js") + asset("js/landscape/walk.js")
        )
        return run_js(f"const STEPS = {STEPS}, INPUT = {json.dumps({**given, 'cases': cases})};\n{scripts}")

    return run


def walk(on: Surface, rule: str, lr: float, batches: np.ndarray[Any, Any] | None) -> np.ndarray[Any, Any]:
    """The rule's own function on NumPy points: `[steps + 1, 3, 2]`, cut where one leaves 1e12.

    Three walkers: one from the start, two from a few last digits beside it, which tell how long the path is determined at all
    (where a slope is nought but for rounding, a rule that divides by its size follows the rounding).
    """
    settings = REGISTRY[rule](lr=lr, **CLASSIC.get(rule, {}))
    first: dict[str, Any] = dict.fromkeys(settings.rule.states)
    for name, state in settings.states.items():
        fill = settings.values[state.fill] if isinstance(state.fill, str) else state.fill
        shape = () if state.scalar else (3, 2) if state.window is None else (settings.options[state.window], 3, 2)
        first[name] = np.full(shape, float(fill))
    start = np.array(on.start)
    p, s, h = (
        np.stack([start, start * (1 + 1e-15) + 1e-16, start * (1 - 1e-15) - 1e-16]),
        settings.rule.S(**first),
        settings.hypers(),
    )
    path = [p]
    with np.errstate(all="ignore"):
        for t in range(STEPS):
            g = on.slopes(p, None if batches is None else batches[t])[1]
            p, s = settings.rule.update(p, g, s, h, t + 1)
            if not (np.abs(p) < 1e12).all():
                break
            path.append(p)
    return np.array(path)


def test_heights_slopes_starts_and_goals_are_pythons(in_js: Callable[[list[dict[str, Any]]], Any]) -> None:
    rng = np.random.default_rng(0)
    cases = []
    for on in surfaces():
        x0, x1, y0, y1 = on.box
        points = np.stack([rng.uniform(x0, x1, 12), rng.uniform(y0, y1, 12)], axis=1)
        points[0] = on.minima[0] if on.minima else on.start  # the goals say yes somewhere
        cases += [{"name": on.name, "angle": angle, "points": points.tolist()} for angle in (0, 45, 90)]
    for case, made in zip(cases, in_js(cases), strict=True):
        on = surface(case["name"], case["angle"])
        height, slope = on.slopes(np.array(case["points"]))
        got = np.array(made["slopes"])
        assert got[:, 0] == pytest.approx(height, rel=1e-12, abs=1e-12), case
        assert got[:, 1:] == pytest.approx(slope, rel=1e-10, abs=1e-10), case
        assert made["there"] == [bool(v) for v in on.arrived(*np.array(case["points"]).T)]
        assert made["start"] == pytest.approx(on.start, rel=1e-14)
        assert np.array(made["minima"]).reshape(-1, 2) == pytest.approx(np.array(on.minima).reshape(-1, 2), rel=1e-14)


def test_every_rule_walks_every_surface_as_in_python(in_js: Callable[[list[dict[str, Any]]], Any]) -> None:
    cases, batches = [], surface("noisy_moons").batches(STEPS)
    assert batches is not None
    for on in surfaces():
        for settings in played_rules():
            name = settings.rule.name
            lr = on.lrs.get(name, settings.values["lr"])
            rows = batches.tolist() if on.noisy else None
            angles = [angle for angle in (0, 45) if (on.name, angle) in EVERY or name in ("momentum", "adam")]
            cases += [{"name": on.name, "angle": angle, "rule": name, "lr": lr, "batches": rows} for angle in angles]
    whole: dict[str, int] = {}
    for case, made in zip(cases, in_js(cases), strict=True):
        on = surface(case["name"], case["angle"])
        three = walk(on, case["rule"], case["lr"], batches if on.noisy else None)
        spread = np.abs(three[:, 1:] - three[:, :1]).max((1, 2)) / np.maximum(1, np.abs(three).max((1, 2)))
        here, there = three[:, 0], np.stack([made["x"], made["y"]], axis=1)
        determined = int(np.argmax(spread > 1e-12)) if (spread > 1e-12).any() else len(here)
        n = min(determined, len(there))
        assert n > 1 or spread[1] > 1e-12, case
        error = np.abs(here[:n] - there[:n]).max(1) / np.maximum(1, np.abs(here[:n]).max(1))
        assert error.max() <= 1e-10, (case, int(error.argmax()), error.max())
        if determined == STEPS + 1:
            assert (len(there), made["lost"]) == (STEPS + 1, None), case
            assert made["arrived"] == next((k for k in range(1, STEPS + 1) if on.arrived(*here[k])), None), case
            whole[case["rule"]] = whole.get(case["rule"], 0) + 1
    assert len(cases) == 12 * 5 + 2 * 2 * len(names())
    assert set(whole) == {s.rule.name for s in played_rules()}
    assert min(whole.values()) >= 2, whole  # every rule was followed for all 200 steps, on more than one surface
