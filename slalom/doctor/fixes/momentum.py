"""Momentum that swings: 0.9 at most."""

from __future__ import annotations

from slalom.doctor.fixes.fix import Change, Fix, register
from slalom.doctor.fixes.steering import Group, groups, scaled_rate, steered
from slalom.doctor.setup import Setup

USUAL = 0.9


def _momentum(group: Group) -> float:
    betas = group.get("betas")
    return float(betas[0]) if betas else float(group.get("momentum") or 0.0)


def _to_usual(factor: float) -> Fix:
    def make(setup: Setup) -> Change | None:
        highest = max(map(_momentum, groups(setup)), default=0.0)
        if not highest > USUAL:
            return None

        def change(group: Group) -> None:
            if group.get("betas"):
                group["betas"] = (min(USUAL, group["betas"][0]), *group["betas"][1:])
            elif "momentum" in group:
                group["momentum"] = min(USUAL, group["momentum"])
            scaled_rate(factor)(group)

        rate = "" if factor == 1 else f", learning rate times {factor:g}"
        return Change(
            steered(setup, change), f"momentum {highest:g} to {USUAL:g}{rate}", f"momentum={USUAL:g}  # was {highest:g}{rate}"
        )

    said = "" if factor == 1 else f", lr times {factor:g}"
    return Fix(f"momentum {USUAL:g}{said}", f"momentum {USUAL:g}{said}", make)


register("oscillation", *(_to_usual(f) for f in (1.0, 0.1, 10.0)))
