"""Lanes to step in tests: every printable rule under every option, hypers drawn one a lane."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch

import slalom.rules  # noqa: F401  (fills the registry)
from slalom.core.errors import BadValueError
from slalom.core.rule import REGISTRY, Choice, Settings


def variants(printable: bool = True, product: bool = True) -> list[Settings]:
    """Each rule under its options x gated hypers all off, all on; each program once.

    `product`: every combination of options, else one option changed at a time. `printable`: without windowed states.
    """
    found: dict[Any, Settings] = {}
    for rule in REGISTRY.values():
        if printable and any(s.window is not None for s in rule.states.values()):
            continue
        choices = {k: o.values if isinstance(o, Choice) else (3,) for k, o in rule.options.items()}
        for values in itertools.product(*choices.values()):
            given = dict(zip(choices, values, strict=True))
            if not product and sum(v != choices[k][0] for k, v in given.items()) > 1:
                continue
            for on in (0.0, 0.1):
                try:
                    made = rule(**given, **dict.fromkeys(rule.gates, on))
                except BadValueError:  # a switch that needs a gate, which is off
                    continue
                found.setdefault(made.program, made)
    return list(found.values())


def name(settings: Settings) -> str:
    return "-".join([settings.rule.name, *(f"{k}={v}" for k, v in sorted({**settings.options, **settings.on}.items()))])


def hypers(settings: Settings, n: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Each hyper as one value a lane, near its default and inside its bounds; lane 0 has the default."""
    drawn = np.random.default_rng(seed).uniform(0.5, 1.0, (len(settings.values), n))
    made = {}
    for row, (key, value) in zip(drawn, settings.values.items(), strict=True):
        share = 1 - (1 - value) / row if key in ("b1", "b2", "rho", "alpha") and value > 0.5 else value * row
        made[key] = np.where(settings.rule.hypers[key].admits(1.0) | (share < 1), share, value)
        made[key][0] = value
        for k in range(n):
            assert settings.rule.hypers[key].admits(float(made[key][k])), (key, made[key][k])
    return made


class Stacked:
    """n lanes of one program as matrices, with the same lanes as separate reference states."""

    def __init__(self, settings: Settings, n: int, width: int, dtype: torch.dtype, seed: int = 0) -> None:
        self.settings, self.n, self.width, self.dtype = settings, n, width, dtype
        self.values = hypers(settings, n, seed)
        self.random = torch.Generator().manual_seed(seed)
        self.P = torch.randn(n, width, generator=self.random, dtype=dtype)
        self.solo = [(self.P[k].clone(), settings.init(self.P[k], self.lane(k))) for k in range(n)]
        element = [k for k, s in settings.states.items() if not s.scalar]
        self.states = {k: torch.stack([getattr(s, k) for _, s in self.solo]) for k in element}
        self.scalars = {k: np.array([float(getattr(s, k)) for _, s in self.solo]) for k in settings.states if k not in element}

    def lane(self, k: int) -> dict[str, float]:
        return {key: float(v[k]) for key, v in self.values.items()}

    def gradient(self) -> torch.Tensor:
        return torch.randn(self.n, self.width, generator=self.random, dtype=self.dtype)

    def step(self, kernel: Any, G: torch.Tensor, t: int, **given: Any) -> Any:
        coefficients, self.scalars = kernel.coefficients(self.values, t, self.scalars)
        return kernel.step(self.P, G, self.states, np.arange(self.n), coefficients, **given)

    def step_solo(self, G: torch.Tensor, t: int) -> None:
        for k, (p, s) in enumerate(self.solo):
            self.solo[k] = self.settings.step(p, G[k], s, t, self.lane(k))

    def error(self) -> float:
        """The largest difference from the separate lanes, relative to the largest value of each tensor."""
        worst = 0.0
        for k, (p, s) in enumerate(self.solo):
            pairs = [(self.P[k], p), *((self.states[key][k], getattr(s, key)) for key in self.states)]
            for got, want in pairs:
                worst = max(worst, float((got - want).abs().max() / want.abs().max().clamp_min(1e-30)))
            for key, got_scalar in self.scalars.items():
                want_scalar = float(getattr(s, key))
                worst = max(worst, abs(float(got_scalar[k]) - want_scalar) / max(abs(want_scalar), 1e-30))
        return worst
