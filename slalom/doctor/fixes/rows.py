"""Data that is not finite: rows dropped, or cells filled."""

from __future__ import annotations

import torch
from torch import Tensor

from slalom.doctor.fixes.fix import Change, Fix, register
from slalom.doctor.fixes.wrappers import FilledInputs, around
from slalom.doctor.setup import Pair, Setup

MOST_DROPPED = 0.2  # of the rows: beyond it, filling cells keeps more of what is known


def finite_rows(*parts: Tensor) -> Tensor:
    """Which rows hold finite numbers alone, in all parts: bool [rows]."""
    good = torch.ones(len(parts[0]), dtype=torch.bool, device=parts[0].device)
    for part in parts:
        if part.is_floating_point():
            good &= torch.isfinite(part).flatten(1).all(1) if part.dim() > 1 else torch.isfinite(part)
    return good


def _kept(pair: Pair | None) -> Pair | None:
    if pair is None:
        return None
    good = finite_rows(*pair)
    return (pair[0][good], pair[1][good]) if good.any() else None


def _dropped(setup: Setup) -> Change | None:
    kept = _kept(setup.train)
    lost = setup.rows - (0 if kept is None else len(kept[1]))
    if kept is None or not 0 < lost <= MOST_DROPPED * setup.rows:
        return None
    size = min(setup.batch_size, len(kept[1]))
    return Change(
        setup.changed(train=kept, val=_kept(setup.val), batch_size=size),
        f"{lost} training rows with numbers that are not finite left out",
        "good = X.isfinite().flatten(1).all(1) & y.isfinite()\nX, y = X[good], y[good]",
    )


def _filled(setup: Setup) -> Change | None:
    x, y = setup.train
    known = finite_rows(y)
    if not x.is_floating_point() or torch.isfinite(x).all() or not known.any():
        return None
    x, y = x[known], y[known]
    nan = torch.where(torch.isfinite(x), x, torch.full_like(x, torch.nan))
    median = nan.nanmedian(dim=0).values.nan_to_num(0.0)
    count = int((~torch.isfinite(x)).sum())
    filled = around(setup, lambda model: FilledInputs(model, median))
    return Change(
        filled.changed(train=(x, y), batch_size=min(setup.batch_size, len(y))),
        f"{count} cells that are not finite replaced by their feature's median, in the model: it takes such rows later too",
        "median = X.nanmedian(dim=0).values\nX = torch.where(X.isfinite(), X, median)",
    )


register("nonfinite_data", Fix("drop rows", "leave out the rows that are not finite", _dropped),
         Fix("fill cells", "replace cells that are not finite by their feature's median", _filled))  # fmt: skip
