"""Which parameters weight decay should shrink, and which it should spare."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from slalom.core.checks import nn_module, number
from slalom.core.errors import BadValueError
from slalom.core.spared import why_spared


class ParamGroups(list[dict[str, Any]]):
    """Parameter groups for any torch optimizer; `print` them to see what was chosen, and why."""

    def __str__(self) -> str:
        lines = []
        for group in self:
            tensors = group["params"]
            count = sum(p.numel() for p in tensors)
            lines.append(f"{group['name']} (weight_decay={group['weight_decay']:g}): {len(tensors)} tensors, {count:,} numbers")
            reasons = group.get("reasons", [""] * len(tensors))
            for name, p, why in zip(group["param_names"], tensors, reasons, strict=True):
                lines.append(f"  {name} {tuple(p.shape)}" + (f", {why}" if why else ""))
        return "\n".join(lines)


def decay_groups(model: nn.Module, weight_decay: float, *, spare_embeddings: bool = False) -> ParamGroups:
    """The model's parameters in two groups, one that decays and one that does not: biases, norms, PReLU slopes.

    `spare_embeddings` puts the weights of `nn.Embedding` and `nn.EmbeddingBag` into the second. A group that would be
    empty is left out. The groups carry torch's `param_names`, so that states load by name, and `name` and `reasons` for
    the reader. Norms are torch's and any module whose class name contains "Norm". A tensor used twice is taken once, and
    spared if one of its uses is. A parametrized parameter (torch.nn.utils.parametrize) counts as what it stands for.
    Raises BadValueError for a model without parameters or a decay below 0.

    >>> net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.PReLU(), nn.Linear(8, 2))
    >>> groups = decay_groups(net, 0.01)
    >>> print(groups)
    decayed (weight_decay=0.01): 2 tensors, 48 numbers
      0.weight (8, 4)
      3.weight (2, 8)
    spared (weight_decay=0): 5 tensors, 27 numbers
      0.bias (8,), bias
      1.weight (8,), BatchNorm1d
      1.bias (8,), bias
      2.weight (1,), PReLU
      3.bias (2,), bias
    >>> optimizer = torch.optim.AdamW(groups, lr=1e-3)
    """
    nn_module(model, "decay_groups: model")
    number(weight_decay, "decay_groups: weight_decay", "[0, inf)")
    found: dict[torch.Tensor, tuple[str, str]] = {}
    for full, p in model.named_parameters(remove_duplicate=False):
        name, why = found.get(p, (full, ""))
        found[p] = (name, why or why_spared(model, full, embeddings=spare_embeddings))
    if not found:
        raise BadValueError(f"decay_groups: the model ({type(model).__name__}) has no parameters")
    chosen: dict[bool, list[tuple[str, torch.Tensor, str]]] = {True: [], False: []}
    for tensor, (name, why) in found.items():
        chosen[not why].append((name, tensor, why))
    groups = ParamGroups()
    for decays, title in ((True, "decayed"), (False, "spared")):
        if chosen[decays]:
            names, params, reasons = map(list, zip(*chosen[decays], strict=True))
            group = {
                "params": params,
                "param_names": names,
                "weight_decay": weight_decay if decays else 0.0,
                "name": title,
            }
            groups.append(group if decays else {**group, "reasons": reasons})
    return groups
