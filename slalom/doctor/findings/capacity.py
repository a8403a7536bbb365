"""Models that cannot bend, or not enough."""

from __future__ import annotations

from slalom.doctor.case import Case
from slalom.doctor.curve import Figure
from slalom.doctor.experiments.gain import MUCH
from slalom.doctor.experiments.suspects import Suspect

AFFINE = 1e-3
GAINED = 0.7  # of a wider model's skill: a model that has come so far is not at fault; nearly all gain a little by more units
CODED = 3  # numbers of an output
NARROWEST, NARROW = 2, 1.2  # units through which all must pass: then the model is suspected first, by this weight


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
    return [Suspect("missing_nonlinearity", figures, lambda k: k.fixed("missing_nonlinearity"), 1.15, 0, strong=True)]


def narrowest(case: Case) -> int:
    """Units of the narrowest hidden layer; 0 where there is none."""
    return min((layer.units for layer in case.start.layers[:-1] if layer.units), default=0)


def tiny(case: Case) -> list[Suspect]:
    """A layer so narrow that hardly anything passes."""
    return small(case) if 0 < narrowest(case) <= NARROWEST else []


def small(case: Case) -> list[Suspect]:
    """Narrow layers."""
    least = narrowest(case)
    if not least:
        return []
    figure = Figure("units", -float(least), -64.0, "(minus the) units of the narrowest hidden layer")
    narrow = least <= NARROWEST
    weight, most = (NARROW, 1.0) if narrow else (0.7, GAINED)
    return [
        Suspect("model_too_small", (figure,), lambda k: k.fixed("model_too_small"), weight, need=MUCH, most=most,
                strong=narrow and not _codes(case))
    ]  # fmt: skip


def _codes(case: Case) -> bool:
    """Whether the outputs are many numbers: a narrow layer may be a code, narrow on purpose."""
    y = case.setup.train[1]
    return y.is_floating_point() and y.dim() > 1 and y[0].numel() > CODED
