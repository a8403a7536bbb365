"""Reading the parameters' gradients and changes without keeping a copy of the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from slalom.doctor.online.record import Flags, Floats, Watched
from slalom.engines.inside import differences, norms
from slalom.nets.kinds import BATCH_NORMS, CONVOLUTIONS

SAMPLE = 64  # entries of a parameter whose change is followed
SMALL = 0.005  # of the parameters' numbers: what all samples together may come to
RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU)
NORMS = (*BATCH_NORMS, nn.LayerNorm, nn.GroupNorm)
ACTIVATIONS = (nn.Sigmoid, nn.Tanh, nn.GELU, nn.SiLU, nn.ELU, nn.SELU, nn.Mish, nn.Softplus, nn.Hardtanh, nn.Softsign)


class Layers:
    """The parameters of a model that are trained: which they are, and how to look at them."""

    def __init__(self, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        held = {id(p) for o in optimizers for g in o.param_groups for p in g["params"]}
        self.parameters = [p for _, p in named if id(p) in held]
        self.names = tuple(n for n, p in named if id(p) in held)
        missed = tuple(n for n, p in named if id(p) not in held)
        place = {id(p): k for k, p in enumerate(self.parameters)}
        dense = [(n, m) for n, m in model.named_modules() if isinstance(m, (nn.Linear, *CONVOLUTIONS))]
        self._dense = [(n, m) for n, m in dense if id(m.weight) in place]
        weights = tuple(place[id(m.weight)] for _, m in self._dense)
        modules = list(model.modules())
        rectified = any(isinstance(m, nn.ReLU | nn.ReLU6) for m in modules)
        unknown = not any(isinstance(m, (*RECTIFIERS, *ACTIVATIONS)) for m in modules)  # functions such as F.relu, perhaps
        sizes = tuple(p.numel() for p in self.parameters)
        first = next((m for m in modules if next(m.parameters(recurse=False), None) is not None), None)
        self.record = Watched(self.names, sizes, weights, missed, rectified or unknown, isinstance(first, NORMS))
        total = sum(sizes)
        each = int(max(1, min(SAMPLE, SMALL * total // max(1, len(sizes)))))
        self._strides = [max(1, size // each) for size in sizes]
        self._before: list[Tensor] = []

    def sample(self) -> list[Tensor]:
        """A few entries of each parameter, as views."""
        return [p.detach().reshape(-1)[::s][:SAMPLE] for p, s in zip(self.parameters, self._strides, strict=True)]

    def remember(self) -> None:
        """Notes the entries as they are before a step."""
        self._before = [t.clone() for t in self.sample()]

    def ratios(self) -> Floats:
        """The relative change of each parameter since `remember`, by its sampled entries."""
        if not self._before:
            return np.full(len(self.parameters), np.nan)
        old, self._before = self._before, []
        with torch.no_grad():
            new = norms(differences(self.sample(), old))
            change, weight = _numbers(new), _numbers(norms(old))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(weight > 0, change / weight, np.where(change > 0, np.inf, 0.0))

    def gradients(self) -> Floats:
        """The root mean square of each parameter's gradient as it stands; NaN where it has none."""
        found = np.full(len(self.parameters), np.nan)
        grads = {k: p.grad for k, p in enumerate(self.parameters) if p.grad is not None and not p.grad.is_sparse}
        if grads:
            given = list(grads)
            sizes = _numbers(norms(list(grads.values())))
            found[given] = sizes / np.sqrt([self.record.sizes[k] for k in given])
        return found

    def silent(self) -> dict[str, Flags]:
        """By layer: which of its units got a gradient of exactly 0, as units that are off for the whole batch do.

        Read off the bias's gradient; without a bias, off a few columns of the weight's.
        """
        found: dict[str, Flags] = {}
        for name, layer in self._dense[:-1]:  # the last one is the output
            assert isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)
            if layer.bias is not None and layer.bias.grad is not None:
                found[name] = (layer.bias.grad == 0).cpu().numpy()
            elif layer.weight.grad is not None:
                flat = layer.weight.grad.flatten(1)
                found[name] = (flat[:, :: max(1, flat.shape[1] // SAMPLE)] == 0).all(1).cpu().numpy()
        return found


def _numbers(tensors: Sequence[Tensor]) -> Floats:
    """Many numbers on a device, brought over at once."""
    return np.asarray(torch.stack([t.double() for t in tensors]).tolist()) if tensors else np.empty(0)
