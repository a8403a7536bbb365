"""Families of models: the MLPs that share one program whatever their shape, and what a person's own factory makes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import nn

from slalom.core.errors import BadValueError, StoreError
from slalom.data.record import Data
from slalom.engines.kernels import NoCompilerError
from slalom.engines.lanes import Lane, Lanes
from slalom.engines.lanes.choose import Choice
from slalom.engines.lanes.layout import Layout
from slalom.engines.lanes.layout import initialise as seeded_module
from slalom.engines.lanes.losses import Loss
from slalom.engines.lanes.native import Unfit
from slalom.engines.lanes.native.each import EachChoice, Row, own_row
from slalom.nets import build
from slalom.nets.factory import Factory
from slalom.nets.initialisation.initialise import METHODS, initialise
from slalom.nets.mlp import default_widths
from slalom.nets.named import find, looks_like_place
from slalom.nets.spec import parse
from slalom.tune.lanes.architecture import SHARED, Architecture, Frame
from slalom.tune.lanes.masked import embedded, mlp_of, taken_out
from slalom.tune.lanes.mechanism import MASKED
from slalom.tune.space.signature import accepted, from_factory, needed

Config = Mapping[str, Any]


class Family(Protocol):
    """`names`: parameters of a configuration that shape the model. `spec`: text that makes the family again, or None."""

    name: str
    spec: str | None
    names: set[str]
    note: str

    def structure(self, config: Config) -> Hashable:
        """What lanes of one program must share."""
        ...

    def cost(self, config: Config) -> int:
        """Weights, about: how long a lane's row is."""
        ...

    def lanes(
        self, configs: Sequence[Config], lanes: Sequence[Lane], loss: str | Loss, example: Any, dtype: torch.dtype
    ) -> Lanes:
        """The configurations side by side."""
        ...

    def module(self, config: Config, seed: int) -> nn.Module:
        """The model alone, freshly initialised, in float32."""
        ...

    def trained(self, lanes: Lanes, k: int, config: Config, seed: int) -> nn.Module:
        """Lane k's model alone, with its weights."""
        ...


def _drawn(module: nn.Module, config: Config, data: Data, seed: int) -> nn.Module:
    method: Any = config.get("initialisation") or "default"
    if method in METHODS:
        initialise(module, method, x=data.train.x[:256] if method == "lsuv" else None, seed=seed)
    return module


def rowed(
    shapes: Sequence[Architecture], smalls: Sequence[nn.Module], loss: str | Loss, x: torch.Tensor
) -> tuple[list[nn.Module], Choice] | None:
    """The models as rows that C runs each by its own chain; None where there is no compiler or no such form."""
    kinds = list(dict.fromkeys(shapes))
    try:
        choice = EachChoice.of([smalls[shapes.index(kind)] for kind in kinds], loss, x)
    except (Unfit, NoCompilerError, StoreError):
        return None
    layouts = {kind: Layout.of(smalls[shapes.index(kind)]) for kind in kinds}  # an architecture has one
    length = max(layout.length for layout in layouts.values())
    return [Row(layouts[s].row(m), length, kinds.index(s)) for m, s in zip(smalls, shapes, strict=True)], choice


class MLPs:
    """Fully connected networks: `layers`, `units` (or `units1`, `units2`, ... one by one), `activation`, `dropout`."""

    name = "MLP"
    note = ""

    def __init__(self, data: Data, spec: str | None = None) -> None:
        self.data = data
        given = parse(spec or "mlp")
        if given.batchnorm:
            raise BadValueError("an MLP of a search has no batchnorm in common with its neighbours; give a factory of your own")
        inputs = int(torch.Size(data.input_shape).numel())
        self.widths = given.widths or default_widths(inputs, len(data.train))
        self.given, self.inputs = given, inputs
        self.spec: str | None = spec or "mlp"
        self.names = {"layers", "units", "activation", "dropout", *(f"units{i}" for i in range(1, 9))}

    def shape(self, config: Config) -> Architecture:
        """The architecture that a configuration names; what it leaves out is the spec's."""
        layers = config.get("layers", len(self.widths))
        units = config.get("units")
        widths = []
        for i in range(layers):
            default = self.widths[min(i, len(self.widths) - 1)] if units is None else units
            widths.append(config.get(f"units{i + 1}") or default)
        activation = config.get("activation") or self.given.activation
        dropout = config.get("dropout")
        return Architecture(tuple(widths), activation, float(self.given.dropout if dropout is None else dropout))

    def structure(self, config: Config) -> Hashable:
        return ()

    def cost(self, config: Config) -> int:
        return self.shape(config).cost(self.inputs, self.data.output_size)

    def module(self, config: Config, seed: int) -> nn.Sequential:
        shape = self.shape(config)
        made = seeded_module(lambda: mlp_of(shape, self.data.input_shape, self.data.output_size), seed)
        _drawn(made, config, self.data, seed)
        assert isinstance(made, nn.Sequential)
        return made

    def lanes(
        self, configs: Sequence[Config], lanes: Sequence[Lane], loss: str | Loss, example: Any, dtype: torch.dtype
    ) -> Lanes:
        shapes = [self.shape(c) for c in configs]
        smalls = [self.module(c, lane.seed).to(dtype) for c, lane in zip(configs, lanes, strict=True)]
        rows = None if any(lane.penalty for lane in lanes) else rowed(shapes, smalls, loss, example[0].to(dtype))
        if rows is not None:
            modules, choice = rows
            return Lanes(modules, lanes, loss=loss, example=example, mechanism=choice, dtype=dtype)
        frame = Frame.of(shapes, self.inputs, self.data.output_size)
        modules = [embedded(m, s, frame).to(dtype) for m, s in zip(smalls, shapes, strict=True)]
        return Lanes(modules, lanes, loss=loss, example=example, mechanism=MASKED, dtype=dtype)

    def trained(self, lanes: Lanes, k: int, config: Config, seed: int) -> nn.Module:
        weights, small = lanes.weights(k), self.module(config, seed).to(lanes.dtype)
        return own_row(small, weights["row"]) if "row" in weights else taken_out(weights, self.shape(config), small)


class Factories:
    """Models of a person's own: lanes share a program where all the arguments of their factory are the same."""

    def __init__(self, model: Any, data: Data) -> None:
        self.data = data
        self.model = model
        own = callable(model) and not isinstance(model, nn.Module | Factory)
        self.declared = from_factory(model) if own else {}
        self.arguments = accepted(model) if own else set()
        self.names = {k for k in self.arguments if k not in ("input_shape", "output_size")}
        self.spec = model if isinstance(model, str) else None
        lacking = set(needed(model)) - {"input_shape", "output_size"} - set(self.declared) if own else set()
        self.lacking = sorted(lacking)
        self.made: dict[Hashable, Factory] = {}
        self.name = getattr(model, "__name__", type(model).__name__) if not isinstance(model, str) else model
        self.note = ""

    def _own(self, config: Config) -> dict[str, Any]:
        return {k: config[k] for k in sorted(self.names) if k in config}

    def factory(self, config: Config) -> Factory:
        """The checked factory of a configuration's models."""
        own = self._own(config)
        key = tuple(own.items())
        if key not in self.made:
            if not own:
                self.made[key] = build(self.model, self.data)
            else:
                offered = {"input_shape": self.data.input_shape, "output_size": self.data.output_size}
                fixed = {k: v for k, v in offered.items() if k in self.arguments}
                self.made[key] = build(lambda: self.model(**own, **fixed), self.data)
            self.note = self.made[key].note
        return self.made[key]

    def structure(self, config: Config) -> Hashable:
        return tuple(self._own(config).items())

    def cost(self, config: Config) -> int:
        return 0  # lanes of one program have one architecture

    def module(self, config: Config, seed: int) -> nn.Module:
        return _drawn(seeded_module(self.factory(config), seed), config, self.data, seed)

    def lanes(
        self, configs: Sequence[Config], lanes: Sequence[Lane], loss: str | Loss, example: Any, dtype: torch.dtype
    ) -> Lanes:
        modules = [self.module(c, lane.seed).to(dtype) for c, lane in zip(configs, lanes, strict=True)]
        return Lanes(modules, lanes, loss=loss, example=example, dtype=dtype)

    def trained(self, lanes: Lanes, k: int, config: Config, seed: int) -> nn.Module:
        return lanes.module(k)


def family_of(model: Any, data: Data) -> Family:
    """MLPs for None and `mlp...` specs without batchnorm; anything else as the factory that `slalom.nets.build` makes of it."""
    text = model.strip() if isinstance(model, str) else None
    if model is None or (text is not None and text.partition(":")[0] == "mlp"):
        spec = parse(text or "mlp")
        if not spec.batchnorm and spec.activation in SHARED:
            return MLPs(data, text)
    if text is not None and looks_like_place(text):
        made = Factories(find(text), data)
        made.spec = text
    else:
        made = Factories(model, data)
    if not made.lacking and not made.declared:
        made.factory({})  # what cannot be built is said at once
    return made
