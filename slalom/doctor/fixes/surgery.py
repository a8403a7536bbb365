"""Putting other modules in a copy of a model, in the place of those that it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from slalom.core.errors import BadValueError
from slalom.doctor.fixes.trace import DENSE, RECURRENT
from slalom.doctor.setup import Setup
from slalom.nets import initialise


def replaced(model: nn.Module, modules: Mapping[str, nn.Module]) -> nn.Module:
    """`model` with the modules of these names exchanged, in place; the model itself where the name is empty."""
    for name, module in modules.items():
        if not name:
            return module
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, module)
    return model


def like(module: nn.Module, model: nn.Module) -> nn.Module:
    """A new module on the device and in the precision of a model."""
    weight = next((p for p in model.parameters() if p.is_floating_point()), None)
    return module if weight is None else module.to(weight.device, weight.dtype)


def started_anew(setup: Setup, model: nn.Module, method: Any = "fan_in") -> nn.Module:
    """`model` with new weights, in place, repeatable by the set-up's seed: every layer as torch starts it, then dense layers by
    `slalom.nets.initialise`, recurrent ones orthogonal."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(setup.seed)
        as_torch(model)
        recurrent(model)
        try:
            initialise(model, method, calibrated=False, seed=setup.seed)
        except BadValueError:  # no dense layer, or a forward that cannot be traced: He's gain for ReLU serves most
            for module in model.modules():
                if isinstance(module, DENSE):
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)
    return model


def as_torch(model: nn.Module) -> bool:
    """Every layer's weights as torch draws them for a new one, in place; whether there was any such layer."""
    found = False
    for module in model.modules():
        reset = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
        if callable(reset):
            reset()
            found = True
    return found


def recurrent(model: nn.Module) -> bool:
    """Orthogonal recurrent weights and zero biases (forget gates at 1) for all recurrent layers, in place (Le et al. 2015)."""
    found = False
    with torch.no_grad():
        for module in model.modules():
            if not isinstance(module, (*RECURRENT, nn.RNNCell, nn.GRUCell, nn.LSTMCell)):
                continue
            found = True
            for name, p in module.named_parameters():
                size = int(module.hidden_size)
                if "weight_hh" in name:
                    for block in p.chunk(len(p) // size):
                        nn.init.orthogonal_(block)
                elif "weight_ih" in name:
                    nn.init.xavier_uniform_(p)
                elif "bias" in name:
                    p.zero_()
                    if isinstance(module, nn.LSTM | nn.LSTMCell) and "bias_ih" in name:
                        p[size : 2 * size] = 1.0
    return found
