"""The batch: larger, smaller, and what normalises over it."""

from __future__ import annotations

import math

from torch import nn

from slalom.doctor.fixes.fix import Change, Fix, register
from slalom.doctor.fixes.steering import rate, scaled_rate, steered
from slalom.doctor.fixes.surgery import like, replaced
from slalom.doctor.setup import Setup

GROUPS = 8


def batch(size: int, scaling: str = "none") -> Fix:
    """A batch of `size` rows; the rate kept, or scaled with the batch ("linear") or its root ("root")."""

    def make(setup: Setup) -> Change | None:
        new = min(size, setup.rows)
        if new == setup.batch_size:
            return None
        ratio = new / setup.batch_size
        factor = {"none": 1.0, "root": math.sqrt(ratio), "linear": ratio}[scaling]
        words, code = f"batch of {new} rows, was {setup.batch_size}", f"batch_size={new}  # was {setup.batch_size}"
        made = setup.changed(batch_size=new)
        if factor != 1:
            words += f"; learning rate times {factor:.3g}"
            code += f"\nlr={rate(setup) * factor:.3g}"
            made = steered(made, scaled_rate(factor))
        return Change(made, words, code)

    name = f"batch {size}" + ("" if scaling == "none" else f", {scaling} lr")
    return Fix(name, f"batches of {size} rows", make, late=True)


def larger(size: int, scaling: str = "none") -> Fix:
    made = batch(size, scaling)
    return Fix(made.name, made.words, lambda s: made.apply(s) if size > s.batch_size else None, late=True)


def smaller(size: int, scaling: str = "none") -> Fix:
    made = batch(size, scaling)
    return Fix(made.name, made.words, lambda s: made.apply(s) if size < s.batch_size else None, late=True)


def _group_norm(setup: Setup) -> Change | None:
    model = setup.fresh()
    found = {n: m for n, m in model.named_modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d)}
    if not found:
        return None
    groups = {n: math.gcd(GROUPS, m.num_features) for n, m in found.items()}
    model = replaced(model, {n: like(nn.GroupNorm(groups[n], m.num_features), model) for n, m in found.items()})
    return Change(
        setup.changed(model=model), f"GroupNorm in place of BatchNorm at {', '.join(found)}: it does not depend on the batch",
        f"nn.GroupNorm({max(groups.values())}, channels)  # in place of nn.BatchNorm",
    )  # fmt: skip


GROUP_NORM = Fix("GroupNorm", "GroupNorm in place of BatchNorm", _group_norm)
register("batch_too_small", larger(32), larger(32, "root"), larger(64, "root"), GROUP_NORM)
register("batch_too_large", smaller(32), smaller(16), smaller(8))
