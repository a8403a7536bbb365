"""Layer-sequential unit-variance: each layer rescaled until its outputs have variance 1 on a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from slalom.core.errors import BadValueError
from slalom.nets.initialisation.feeds import weights_of

CLOSE, ROUNDS = 1e-3, 10


def calibrate(model: nn.Module, chosen: Mapping[str, nn.Module], x: torch.Tensor) -> dict[str, float]:
    """Rescales the chosen layers in the order in which they run, until each one's outputs have variance 1 on `x`.

    Mishkin & Matas 2016, arXiv:1511.06422, algorithm 1. Returns the factor of each layer. The model runs in evaluation mode but
    with batch statistics, its buffers and modes restored. Errors: `BadValueError` where a layer's outputs are all the same.
    """
    factors: dict[str, float] = {}
    modes = {m: m.training for m in model.modules()}
    buffers = {k: b.clone() for k, b in model.named_buffers()}
    try:
        model.eval()
        for m in model.modules():
            if isinstance(m, nn.modules.batchnorm._BatchNorm):
                m.train()
        for name in _order(model, chosen, x):
            factors[name] = _rescale(model, name, chosen[name], x)
    finally:
        for m, training in modes.items():
            m.training = training
        with torch.no_grad():
            for k, b in model.named_buffers():
                b.copy_(buffers[k])
    return factors


class _Reached(Exception):
    """The layer that was asked for has run."""

    def __init__(self, outputs: torch.Tensor) -> None:
        super().__init__()
        self.outputs = outputs


def over_inputs(outputs: torch.Tensor) -> float:
    """The variance over the batch `[batch, ...]`, averaged over units: what a unit's mean adds says nothing about the inputs."""
    return float(outputs.double().flatten(1).var(0).mean())


def _order(model: nn.Module, chosen: Mapping[str, nn.Module], x: torch.Tensor) -> list[str]:
    seen: list[str] = []
    handles = [
        m.register_forward_hook(lambda _m, _i, _o, name=name: None if name in seen else seen.append(name))
        for name, m in chosen.items()
    ]
    _run(model, x, handles)
    return seen


def _run(model: nn.Module, x: torch.Tensor, handles: Iterable[Any]) -> None:
    try:
        with torch.no_grad():
            model(x)
    except _Reached:
        raise
    except Exception as error:
        raise BadValueError(
            f"initialise: the model cannot take inputs {list(x.shape)}: {error}; give x, a batch of yours"
        ) from error
    finally:
        for h in handles:
            h.remove()


def _rescale(model: nn.Module, name: str, layer: nn.Module, x: torch.Tensor) -> float:
    total = 1.0

    def stop(_m: nn.Module, _i: object, out: torch.Tensor) -> None:
        raise _Reached(out.detach())  # what follows is not needed

    for _ in range(ROUNDS):  # more than one only where a layer's output runs back into it
        handle = getattr(layer, "linear", layer).register_forward_hook(stop)
        try:
            _run(model, x, [handle])
            raise AssertionError(name)
        except _Reached as reached:
            variance = over_inputs(reached.outputs)
        if not 0 < variance < float("inf"):
            raise BadValueError(
                f"initialise: the outputs of {name} have variance {variance:g} on this batch; give x with more variety"
            )
        if abs(variance - 1) < CLOSE:
            break
        total *= variance**-0.5
        with torch.no_grad():
            for weight, _ in weights_of(layer):
                weight.mul_(variance**-0.5)
    return total
