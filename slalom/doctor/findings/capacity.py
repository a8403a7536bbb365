"""Models that cannot bend, or not enough."""

from __future__ import annotations

from slalom.doctor.case import Case
from slalom.doctor.curve import Figure
from slalom.doctor.experiments.suspects import Suspect

AFFINE = 1e-3


def bent(case: Case) -> list[Suspect]:
    """Stacked layers with no activation between them."""
    s = case.start
    bare = s.bare
    dense = [layer for layer in s.layers if layer.calls]
    if len(dense) < 2 or (not bare and not case.bend < AFFINE):
        return []
    figures: tuple[Figure, ...] = (
        Figure("bare", float(max(len(bare), 1)), 1.0, "layers whose outputs reach the next layer through no activation"),
    )
    if case.bend < AFFINE:
        figures = (
            *figures,
            Figure("affine", -case.bend, -AFFINE, "(minus the) share of the outputs that is no affine map of the inputs"),
        )
    return [Suspect("missing_nonlinearity", figures, lambda k: k.fixed("missing_nonlinearity"), 1.15, 0)]


def small(case: Case) -> list[Suspect]:
    """Narrow layers."""
    narrow = [layer for layer in case.start.layers[:-1] if layer.units]
    if not narrow:
        return []
    least = min(layer.units for layer in narrow)
    figure = Figure("units", -float(least), -64.0, "(minus the) units of the narrowest hidden layer")
    return [Suspect("model_too_small", (figure,), lambda k: k.fixed("model_too_small"), 0.7)]
