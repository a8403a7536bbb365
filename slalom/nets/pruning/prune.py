"""Magnitude pruning on `torch.nn.utils.prune`: weights or whole units, layer by layer or over the whole model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.utils import prune as _prune

from slalom.core.checks import nn_module, number, whole
from slalom.core.errors import BadValueError
from slalom.nets.kinds import CONVOLUTIONS
from slalom.nets.pruning.schedule import CubicSparsity

torch_prune: Any = _prune  # it has no types
PRUNABLE = (nn.Linear, *CONVOLUTIONS)
Layer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
Kind = Literal["weights", "units"]
Scope = Literal["global", "layer"]


@dataclass(frozen=True)
class Sparsity:
    """The share of weights that are 0: over all prunable layers, and by layer."""

    share: float
    layers: dict[str, float]

    def __str__(self) -> str:
        return f"{self.share:.1%} of weights are 0 ({', '.join(f'{n}: {s:.1%}' for n, s in self.layers.items())})"


def prunable(model: nn.Module, *, spare_last: bool = False) -> dict[str, Layer]:
    """Linear and convolution layers by name; `spare_last` leaves the last one out, whose units are the outputs."""
    found: dict[str, Layer] = {name: m for name, m in model.named_modules() if isinstance(m, PRUNABLE)}
    if spare_last and found:
        found.pop(next(reversed(found)))
    if not found:
        raise BadValueError(f"prune: {type(model).__name__} has no {'hidden ' * spare_last}linear or convolution layer")
    return found


def sparsity(model: nn.Module) -> Sparsity:
    """How sparse the model's linear and convolution layers are.

    >>> print(sparsity(nn.Sequential(nn.Linear(2, 2))))
    0.0% of weights are 0 (0: 0.0%)
    """
    counts = {n: (int((m.weight == 0).sum()), m.weight.numel()) for n, m in prunable(model).items()}
    zeros, total = (sum(column) for column in zip(*counts.values(), strict=True))
    return Sparsity(zeros / total, {n: z / k for n, (z, k) in counts.items()})


def prune(model: nn.Module, share: float, what: Kind = "weights", scope: Scope = "global") -> Sparsity:
    """Prunes the model in place to a share of its weights or units by magnitude; what was pruned stays pruned in training.

    - `share` in [0, 1): of all weights, or of all hidden units, that are to be 0 afterwards, those pruned before included.
    - `what`: `weights`, the smallest first (Han et al. 2015, arXiv:1506.02626); `units`, those whose incoming weights have the
      smallest root mean square, with their biases; the last layer's units are the outputs and stay.
    - `scope`: `global` compares over all layers, `layer` prunes the same share of each.

    Masks are `torch.nn.utils.prune`'s (`weight_orig`, `weight_mask`): optimizers, state dicts and torch's own pruning know them;
    `finish` makes them permanent, `shrink` makes the layers smaller. At least one unit of a layer is kept.
    Errors: `BadValueError` for a share outside [0, 1), or below what is pruned already.

    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> round(prune(net, 0.5).share, 2)
    0.5
    """
    nn_module(model, "prune: model")
    number(share, "prune: share", "[0, 1)")
    for name, value, allowed in (("what", what, ("weights", "units")), ("scope", scope, ("global", "layer"))):
        if value not in allowed:
            raise BadValueError(f"prune: {name} must be {' or '.join(allowed)}, got {value!r}")
    layers = prunable(model, spare_last=what == "units")
    with torch.no_grad():
        scores = {n: _scores(m, what) for n, m in layers.items()}
        kept = {n: _kept_before(m, what) for n, m in layers.items()}
        groups = [list(layers)] if scope == "global" else [[n] for n in layers]
        masks: dict[str, torch.Tensor] = {}
        for group in groups:
            masks |= _smallest_off({n: scores[n] for n in group}, {n: kept[n] for n in group}, share, what)
    for n, m in layers.items():
        _apply(m, masks[n], what)
    return sparsity(model)


def finish(model: nn.Module) -> nn.Module:
    """Makes masks permanent, in place: parameters are plain again, with zeros where they were pruned. Returns the model."""
    for m in prunable(model).values():
        for name in ("weight", "bias"):
            if hasattr(m, f"{name}_mask"):
                torch_prune.remove(m, name)
    return model


class Pruner:
    """Prunes on a schedule while a model trains: call `step()` once after every optimizer step.

    `schedule`: share by step, such as `CubicSparsity(0.9, start=100, end=1000)`; `every`: steps between prunings.

    >>> net = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2))
    >>> pruner = Pruner(net, CubicSparsity(0.75, end=10))
    >>> for _ in range(11):
    ...     pruner.step()
    >>> round(sparsity(net).share, 2)
    0.75
    """

    def __init__(
        self, model: nn.Module, schedule: CubicSparsity, *, every: int = 1, what: Kind = "weights", scope: Scope = "global"
    ) -> None:
        nn_module(model, "Pruner: model")
        if not callable(schedule) or not hasattr(schedule, "end"):
            raise BadValueError(f"Pruner: schedule must be one such as CubicSparsity(0.9, end=1000), got {schedule!r}")
        whole(every, "Pruner: every", 1)
        self.model, self.schedule, self.every, self.what, self.scope = model, schedule, every, what, scope
        self.steps = 0

    def step(self) -> None:
        """Counts a step and prunes where it is due."""
        due = self.steps % self.every == 0 or self.steps == self.schedule.end
        if due and self.schedule.start < self.steps <= self.schedule.end + self.every:
            prune(self.model, self.schedule(self.steps), self.what, self.scope)
        self.steps += 1


def _scores(module: Layer, what: str) -> torch.Tensor:
    weight: torch.Tensor = module.weight.detach()
    if what == "weights":
        return weight.abs()
    return weight.flatten(1).double().square().mean(1).sqrt()


def _kept_before(module: Layer, what: str) -> torch.Tensor:
    mask = getattr(module, "weight_mask", None)
    if mask is None:
        mask = torch.ones_like(module.weight)
    return mask.bool() if what == "weights" else mask.flatten(1).bool().any(1)


def _smallest_off(
    scores: dict[str, torch.Tensor], kept: dict[str, torch.Tensor], share: float, what: str
) -> dict[str, torch.Tensor]:
    flat = torch.cat([s.flatten() for s in scores.values()])
    on = torch.cat([k.flatten() for k in kept.values()])
    wanted, off = round(share * flat.numel()), int((~on).sum())
    if wanted < off:
        raise BadValueError(f"prune: {off / flat.numel():.1%} are pruned already, got share={share!r}; pruning goes one way")
    order = torch.where(on, flat, torch.full_like(flat, -1.0)).argsort(stable=True)  # what is off stays off
    mask = torch.ones_like(flat, dtype=torch.bool)
    mask[order[:wanted]] = False
    made = {
        n: part.reshape(s.shape)
        for (n, s), part in zip(scores.items(), torch.split(mask, [s.numel() for s in scores.values()]), strict=True)
    }
    if what == "units":
        for n, m in made.items():
            if not bool(m.any()):
                m[int(scores[n].argmax())] = True
    return made


def _apply(module: Layer, mask: torch.Tensor, what: str) -> None:
    if what == "weights":
        torch_prune.custom_from_mask(module, "weight", mask)
    else:
        whole = mask.view(-1, *[1] * (module.weight.dim() - 1)).expand_as(module.weight)
        torch_prune.custom_from_mask(module, "weight", whole)
        if module.bias is not None:
            torch_prune.custom_from_mask(module, "bias", mask)
    copyable(module)


def copyable(module: Layer) -> None:
    """Cuts the masked weight off its graph, which `copy.deepcopy` cannot copy; every forward pass makes it anew."""
    held: Any = module
    for name in ("weight", "bias"):
        if hasattr(held, f"{name}_mask"):
            setattr(held, name, getattr(held, name).detach())
