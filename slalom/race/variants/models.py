"""The model of a variant: the race's own, with another activation, batch normalisation or dropout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from slalom.core.errors import BadValueError
from slalom.data.record import Data
from slalom.engines.lanes.dropout import sites
from slalom.engines.lanes.layout import initialise
from slalom.nets import build
from slalom.nets.factory import Factory
from slalom.nets.named import looks_like_place
from slalom.nets.spec import Spec, parse

# Activation, factor on the widths, batch normalisation, dropout; None: the model's own.
Architecture = tuple[str | None, float | None, bool | None, bool | None]
NAMES = ("activation", "width", "batch_norm", "dropout")
OWN: Architecture = (None, None, None, None)
PLACE = 0.5  # the share in a model whose lanes bring their own


def architecture(settings: Mapping[str, Any]) -> Architecture:
    """What of a variant makes it another program."""
    dropout = settings.get("dropout")
    own = settings.get("activation"), settings.get("width"), settings.get("batch_norm")
    return (*own, None if dropout is None else dropout > 0)


def spec_of(factory: Factory) -> Spec | None:
    """The model's spec where it is one of ours; None for a model of one's own."""
    return None if factory.spec is None or looks_like_place(factory.spec) else parse(factory.spec)


def model_for(factory: Factory, wanted: Architecture, data: Data) -> Factory:
    """The factory of that architecture; an error where the model has no place for it."""
    activation, width, batch_norm, dropout = wanted
    asked = [k for k, v in zip(NAMES, wanted, strict=True) if v]
    spec = spec_of(factory)
    if wanted == OWN:
        return factory
    if spec is not None and spec.kind == "linear":
        if asked:
            raise BadValueError(f"{asked[0]}: the model linear has no hidden layer; race a model such as mlp:64,64")
        return factory
    if spec is not None:
        spec = replace(
            spec,
            activation=activation or spec.activation,
            batchnorm=spec.batchnorm if batch_norm is None else batch_norm,
            dropout=spec.dropout if dropout is None else PLACE * dropout,
            widths=spec.widths and tuple(max(1, round(n * (width or 1))) for n in spec.widths),
        )
        return build(str(spec), data)
    if activation is not None or batch_norm or width:
        raise BadValueError(
            f"{asked[0]}: it can be set in specs such as mlp:64,64 and cnn:8,16 alone, and {factory.name} is your own model; "
            "race one function for each"
        )
    if dropout and not sites(initialise(factory, 0)):
        raise BadValueError(f"dropout: the model {factory.name} has no nn.Dropout whose share a race could set; put some in")
    return replace(factory, make=lambda: _undropped(factory())) if dropout is False else factory


def _undropped(module: nn.Module) -> nn.Module:
    for name in sites(module):
        module.get_submodule(name).p = 0.0  # type: ignore[assignment]
    return module
