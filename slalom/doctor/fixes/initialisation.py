"""Weights started anew: all of them, or the rows of dead units."""

from __future__ import annotations

import torch
from torch import nn

from slalom.core.errors import SlalomError
from slalom.doctor.fixes.activations import GATED, LEAKY, NORMALISED, RECTIFIED, RELU
from slalom.doctor.fixes.fix import Change, Fix, register
from slalom.doctor.fixes.surgery import as_torch, recurrent, started_anew
from slalom.doctor.fixes.trace import DENSE, rows_of, traced
from slalom.doctor.setup import Setup
from slalom.nets import initialise


def _torch(setup: Setup) -> Change | None:
    model = setup.fresh()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(setup.seed)
        if not as_torch(model):
            return None
    return Change(
        setup.changed(model=model), "all layers started anew, as torch starts new ones",
        "for m in model.modules():\n    if hasattr(m, 'reset_parameters'):\n        m.reset_parameters()",
    )  # fmt: skip


def _anew(method: str) -> Fix:
    def make(setup: Setup) -> Change | None:
        model = setup.fresh()
        if not any(isinstance(m, DENSE) for m in model.modules()) and not recurrent(model):
            return None
        return Change(
            setup.changed(model=started_anew(setup, model, method)), f"weights started anew ({method})",
            f"slalom.nets.initialise(model, {method!r})",
        )  # fmt: skip

    return Fix(f"initialise by {method}", f"weights drawn anew by {method}", make)


def _calibrated(setup: Setup) -> Change | None:
    model = setup.fresh()
    try:
        initialise(model, "lsuv", x=rows_of(setup)[0], seed=setup.seed)
    except SlalomError:  # no dense layer, or a forward that cannot be traced
        return None
    return Change(
        setup.changed(model=model), "weights drawn orthogonal and scaled layer by layer to variance 1 on training rows",
        "slalom.nets.initialise(model, 'lsuv', x=X[:64])",
    )  # fmt: skip


def _orthogonal_rnn(setup: Setup) -> Change | None:
    model = setup.fresh()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(setup.seed)
        if not recurrent(model):
            return None
    return Change(
        setup.changed(model=model), "recurrent weights orthogonal, biases 0 (forget gates 1)",
        "nn.init.orthogonal_(rnn.weight_hh_l0)",
    )  # fmt: skip


def dead_units(setup: Setup) -> dict[str, torch.Tensor]:
    """By dense layer: which of its units feed a ReLU that is 0 for every one of a few rows, before the first step."""
    found: dict[str, torch.Tensor] = {}
    trace = traced(setup)
    for call in trace.calls:
        if not isinstance(call.module, RECTIFIED) or call.made is None:
            continue
        k = call.reads
        while k is not None and not isinstance(trace.calls[k].module, DENSE):
            k = trace.calls[k].reads
        if k is None:
            continue
        axis = 1 if call.made.dim() == 4 else call.made.dim() - 1
        dead = (call.made == 0).all(dim=[a for a in range(call.made.dim()) if a != axis])
        layer = trace.calls[k].module
        assert isinstance(layer.weight, torch.Tensor)
        if dead.any() and len(dead) == len(layer.weight):
            found[trace.calls[k].name] = dead
    return found


def _revived(setup: Setup) -> Change | None:
    dead = dead_units(setup)
    if not dead:
        return None
    model = setup.fresh()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(setup.seed)
        for name, rows in dead.items():
            layer = model.get_submodule(name)
            assert isinstance(layer, DENSE)
            drawn = torch.empty_like(layer.weight)
            nn.init.kaiming_normal_(drawn, nonlinearity="relu")
            layer.weight[rows] = drawn[rows]
            if layer.bias is not None:
                layer.bias[rows] = 0.0
    count = sum(int(rows.sum()) for rows in dead.values())
    return Change(
        setup.changed(model=model), f"the weights of {count} dead units drawn anew by He, their biases 0 ({', '.join(dead)})",
        "nn.init.kaiming_normal_(layer.weight[dead]); layer.bias[dead] = 0",
    )  # fmt: skip


TORCH = Fix("torch's initialisation", "every layer as torch starts it", _torch)
FAN_IN, ORTHOGONAL = _anew("fan_in"), _anew("orthogonal")
LSUV = Fix("calibrated initialisation", "each layer scaled to variance 1 on data", _calibrated)
RNN = Fix("orthogonal recurrent weights", "orthogonal recurrent weights", _orthogonal_rnn)
REVIVED = Fix("revive dead units", "draw the weights of dead units anew", _revived)

register("bad_init", TORCH, FAN_IN, LSUV, RNN)
register("dead_relu", REVIVED, LEAKY, FAN_IN, TORCH)
register("vanishing_gradient", RELU, GATED, FAN_IN, LSUV, NORMALISED, RNN)
register("exploding_gradient", RNN, TORCH, FAN_IN)
