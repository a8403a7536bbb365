"""Penalties and dropout that keep a model from fitting."""

from __future__ import annotations

from torch import nn

from slalom.doctor.case import Case
from slalom.doctor.curve import Figure
from slalom.doctor.experiments.suspects import Suspect
from slalom.doctor.fixes.regularisation import ANY_DROPOUT

DECAY, DROPOUT = 1e-3, 0.3
HEAVY, HEAVY_DECOUPLED, MOSTLY = 0.05, 1.0, 0.7  # weight decay, and dropout, that healthy runs do not have
DECOUPLED = ("AdamW", "Lion", "NAdamW", "Lamb")


def look(case: Case) -> list[Suspect]:
    """Weight decay or dropout of any size to speak of."""
    decay = case.hyper("weight_decay")
    drops = [m.p for m in case.setup.model.modules() if isinstance(m, ANY_DROPOUT)]
    drops += [float(m.dropout) for m in case.setup.model.modules() if isinstance(m, nn.RNNBase | nn.MultiheadAttention)]
    figures = [Figure("decay", decay, DECAY, "weight decay"), Figure("dropout", max(drops, default=0.0), DROPOUT, "dropout")]
    raised = tuple(f for f in figures if f.value >= f.threshold)
    heavy = HEAVY_DECOUPLED if type(case.optimizer).__name__ in DECOUPLED else HEAVY
    strong = decay >= heavy or max(drops, default=0.0) >= MOSTLY
    return [Suspect("over_regularised", raised, lambda k: k.fixed("over_regularised"), 1.1, 0, strong=strong)] if raised else []
