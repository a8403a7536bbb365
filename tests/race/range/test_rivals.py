"""The rivals of the study, as re-implemented, against the packages' own rules; those not installed are skipped."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.range import packages, rivals


def curves(count: int) -> list[np.ndarray]:
    """Smoothed curves that fall in their own time, jitter, and rise at the end."""
    rng, made = np.random.default_rng(0), []
    for _ in range(count):
        steps = int(rng.integers(20, 90))
        fall = np.cumsum(np.abs(rng.normal(0, 0.03, steps))) * rng.random()
        rise = np.clip(np.arange(steps) - 0.8 * steps, 0, None) * rng.random() * 0.1
        made.append(rivals.ema(2.3 - fall + rise + rng.normal(0, 0.02, steps), 0.9, True))
    return made


@pytest.mark.parametrize("name", rivals.OWN)
def test_a_rule_is_its_packages(name: str) -> None:
    theirs = packages.rules().get(name)
    if theirs is None:
        pytest.skip(f"the package of {name} is not installed")
    found = []
    for losses in curves(60):
        lrs = np.geomspace(1e-7, 10, 100)[: len(losses)]
        assert theirs(lrs, losses) == pytest.approx(rivals.OWN[name](lrs, losses), rel=1e-6)
        found.append(theirs(lrs, losses))
    assert len(set(found)) > 5


def test_the_installed_packages_are_told() -> None:
    assert packages.told(["Lightning 2.6.6", "ours"]).startswith("lightning 2.")
    assert packages.told([]) == "none"
