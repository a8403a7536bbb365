"""The linear collapse, shown: layers without an activation between them are one linear layer."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import nn

from slalom.core.checks import nn_module
from slalom.core.errors import BadValueError

SAMPLES = 64


@dataclass(frozen=True)
class Folded:
    """`model`: the folded copy. `groups`: the names of the linear layers that became one, group by group.

    `largest_difference`: between the outputs of the two on the inputs tried, relative to the largest output; `parameters`: their
    numbers before and after.
    """

    model: nn.Module
    groups: tuple[tuple[str, ...], ...]
    largest_difference: float
    parameters: tuple[int, int]

    def __str__(self) -> str:
        if not self.groups:
            return "nothing to fold: every two linear layers have an activation between them"
        said = "; ".join(" + ".join(g) for g in self.groups)
        before, after = self.parameters
        return f"folded {said}: {before} parameters became {after}, outputs differ by {self.largest_difference:.1e} at most"


def fold_linear(model: nn.Module, x: torch.Tensor | None = None) -> Folded:
    """Folds neighbouring linear layers of every `nn.Sequential` in a copy of the model into one, and proves it on inputs.

    Between them only identities, and dropout of share 0, may stand: W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2), multiplied
    out in float64. Around a narrow layer between wide ones the folded layer has more parameters, and the same rank.
    `x`: inputs to compare on, by default standard normal ones where the first layer is linear.
    Errors: `BadValueError` where the outputs differ by more than rounding, or no inputs are known.

    >>> net = nn.Sequential(nn.Linear(3, 8), nn.Linear(8, 2), nn.ReLU(), nn.Linear(2, 2))
    >>> folded = fold_linear(net)
    >>> folded.groups, len(folded.model), folded.parameters
    ((('0', '1'),), 3, (56, 14))
    """
    made = copy.deepcopy(nn_module(model, "fold_linear: model"))
    groups: list[tuple[str, ...]] = []
    made = _folded(made, "", groups)
    if not groups:
        return Folded(made, (), 0.0, (_count(model), _count(made)))
    tried = _inputs(model) if x is None else x
    training = model.training
    with torch.no_grad():
        before, after = model.eval()(tried), made.eval()(tried)
    model.train(training)
    made.train(training)
    scale = max(float(before.abs().max()), torch.finfo(before.dtype).tiny)
    difference = float((before - after).abs().max()) / scale
    if not difference <= 1e3 * torch.finfo(before.dtype).eps:
        raise BadValueError(
            f"fold_linear: outputs differ by {difference:.2e} after folding {groups}; a hook or parametrisation is in it"
        )
    return Folded(made, tuple(groups), difference, (_count(model), _count(made)))


def _count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def _inputs(model: nn.Module) -> torch.Tensor:
    first = next((m for m in model.modules() if next(m.parameters(recurse=False), None) is not None), None)
    if not isinstance(first, nn.Linear):
        raise BadValueError("fold_linear: give x, inputs to compare on; the model's first layer is no linear one")
    generator = torch.Generator().manual_seed(0)
    return torch.randn(SAMPLES, first.in_features, generator=generator, dtype=torch.float64).to(first.weight)


def _passes(module: nn.Module) -> bool:
    return type(module) is nn.Identity or (isinstance(module, nn.Dropout) and module.p == 0)


def _folded(module: nn.Module, prefix: str, groups: list[tuple[str, ...]]) -> nn.Module:
    if type(module) is not nn.Sequential:
        for name, child in list(module.named_children()):
            setattr(module, name, _folded(child, f"{prefix}{name}.", groups))
        return module
    kept: list[nn.Module] = []
    run: list[str] = []
    for name, child in list(module.named_children()):
        child = _folded(child, f"{prefix}{name}.", groups)
        if run and _passes(child):
            continue
        if type(child) is nn.Linear and run:
            kept[-1] = _product(kept[-1], child)
            run.append(prefix + name)
            continue
        groups += [tuple(run)] * (len(run) > 1)
        run = [prefix + name] if type(child) is nn.Linear else []
        kept.append(child)
    groups += [tuple(run)] * (len(run) > 1)
    return nn.Sequential(*kept)


def _product(first: nn.Module, second: nn.Linear) -> nn.Linear:
    assert isinstance(first, nn.Linear)
    bias = first.bias is not None or second.bias is not None
    made = nn.Linear(first.in_features, second.out_features, bias, device=second.weight.device, dtype=second.weight.dtype)
    with torch.no_grad():
        outer = second.weight.double()
        made.weight.copy_(outer @ first.weight.double())
        if bias:
            total = torch.zeros(second.out_features, dtype=torch.float64, device=outer.device)
            total += outer @ first.bias.double() if first.bias is not None else 0
            total += second.bias.double() if second.bias is not None else 0
            made.bias.copy_(total)
    return made
