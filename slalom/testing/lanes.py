"""Checks of a rule under `torch.vmap`, one value of each hyper a lane, and of the dtypes it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from slalom.core.rule import Rule, Settings
from slalom.testing.cases import Case, all_changed
from slalom.testing.problems import forced
from slalom.testing.trajectory import agree, run

DTYPES = (torch.float32, torch.float64, torch.bfloat16)


def check_lanes(rule: Rule, options: Mapping[str, Any], steps: int = 60, tolerance: float = 1e-12) -> None:
    """Lanes with their own hypers, stepped as one program, follow the runs that each makes alone.

    The first lane has every default, so gates that it would leave shut are open for it.
    """
    problem = forced()
    changed = all_changed(rule, options)
    lanes = [_closest(rule, options), changed, {k: v for i, (k, v) in enumerate(changed.items()) if i % 2}]
    alone = [rule(**{**options, **lane}) for lane in lanes if _possible(rule, {**options, **lane})]
    gates = {k: any(s.on[k] for s in alone) for k in rule.gates}
    together = [_opened(s, gates) for s in alone]
    assert len({s.program for s in together}) == 1, f"{rule.name}: lanes of the same options are different programs"
    paths = np.stack(_vmapped(together, problem, steps))
    for k, settings in enumerate(alone):
        solo, _ = run(settings, problem, steps, [settings.values["lr"]] * steps)
        agree(paths[:, k], solo, tolerance, f"{rule.name}, lane {k} of {len(alone)} against its run alone")


def _vmapped(together: list[Settings], problem: Any, steps: int) -> list[Any]:
    first = together[0]
    p = torch.tensor(np.array([problem.start] * len(together)))
    s, values = _stack(together, p)
    path = [p.numpy()]
    for t in range(1, steps + 1):
        g = torch.from_numpy(np.array([problem.gradient(x, t) for x in p.numpy()]))
        p, s = _step(first, p, g, s, values, t)
        path.append(p.numpy())
    return path


def _stack(together: list[Settings], p: torch.Tensor) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    made = [settings.init(row) for settings, row in zip(together, p, strict=True)]
    states = {k: torch.stack([getattr(s, k) for s in made]) for k in together[0].states}
    values = {k: torch.tensor([s.values[k] for s in together], dtype=torch.float64) for k in together[0].rule.hypers}
    return states, values


def _step(first: Settings, p: Any, g: Any, s: Any, values: Any, t: int) -> Any:
    def one(p: Any, g: Any, states: Any, h: Any) -> Any:
        whole = first.rule.S(**{**dict.fromkeys(first.rule.states), **states})
        new_p, new_s = first.step(p, g, whole, t, h)
        return new_p, {k: getattr(new_s, k) for k in first.states}

    return torch.vmap(one)(p, g, s, values)


def check_dtype(case: Case, steps: int = 3) -> None:
    """Parameter and states keep shape and dtype, alone and in lanes whose hypers are float64, and stay finite."""
    settings = case.settings
    generator = torch.Generator().manual_seed(0)
    for dtype in DTYPES:
        for shape in ((), (5,), (2, 3)):
            p = torch.randn(shape, generator=generator).to(dtype)
            g = torch.randn(shape, generator=generator).to(dtype)
            s = settings.init(p)
            before = {k: getattr(s, k) for k in settings.states}
            new = p
            for t in range(1, steps + 1):
                new, s = settings.step(new, g, s, t)
            _kept(case, f"{dtype}, shape {tuple(shape)}", {"p": p, **before}, {"p": new, **_states(settings, s)})
            rows, grads = torch.stack([p] * 3), torch.stack([g] * 3)
            states, values = _stack([settings] * 3, rows)
            old = {"p": rows, **states}
            for t in range(1, steps + 1):
                rows, states = _step(settings, rows, grads, states, values, t)
            _kept(case, f"{dtype}, lanes of shape {tuple(shape)}", old, {"p": rows, **states})


def _opened(settings: Settings, gates: dict[str, bool]) -> Settings:
    given: dict[str, Any] = {**settings.values, **settings.options}
    return settings.rule(gates=gates, **given)


def _states(settings: Settings, s: Any) -> dict[str, torch.Tensor]:
    return {k: getattr(s, k) for k in settings.states}


def _kept(case: Case, what: str, old: Mapping[str, torch.Tensor], new: Mapping[str, torch.Tensor]) -> None:
    for k, a in old.items():
        b = new[k]
        assert (a.dtype, a.shape) == (b.dtype, b.shape), (
            f"{case.rule.name}({case}), {what}: {k} was {a.dtype} {tuple(a.shape)} and became {b.dtype} {tuple(b.shape)}"
        )
        assert bool(torch.isfinite(b).all()), f"{case.rule.name}({case}), {what}: {k} is not finite: {b}"


def _possible(rule: Rule, given: Mapping[str, Any]) -> bool:
    from slalom.core.errors import BadValueError

    try:
        rule(**given)
    except BadValueError:
        return False
    return True


def _closest(rule: Rule, options: Mapping[str, Any]) -> dict[str, float]:
    # Defaults, plus what an option needs to mean anything.
    if _possible(rule, options):
        return {}
    changed = all_changed(rule, options)
    return {k: changed[k] for k in rule.gates}
