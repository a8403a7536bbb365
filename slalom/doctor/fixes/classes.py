"""Classes of very different size: a weighted loss, or rows drawn so that all classes count alike."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from slalom.doctor.fixes import loss_kind as kinds
from slalom.doctor.fixes.fix import Change, Fix, register
from slalom.doctor.fixes.loss_kind import looked_at
from slalom.doctor.setup import Setup


class Weighted:
    """Cross-entropy with a weight for each class (scores), or for the positive class (log-odds)."""

    def __init__(self, weight: Tensor, binary: bool) -> None:
        self.weight, self.binary = weight, binary

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        weight = self.weight.to(outputs.device, outputs.dtype)
        if self.binary:
            return F.binary_cross_entropy_with_logits(outputs, targets, pos_weight=weight)
        return F.cross_entropy(outputs, targets, weight=weight)


def class_numbers(y: Tensor) -> Tensor | None:
    """Targets as class numbers `[n]`, where they are classes: whole numbers, or 0 and 1 of any kind."""
    flat = y.reshape(len(y), -1)
    if flat.shape[1] != 1:
        return None
    flat = flat[:, 0]
    if flat.is_floating_point() and not ((flat == 0) | (flat == 1)).all():
        return None
    return flat.long()


def _weighted(power: float) -> Fix:
    def make(setup: Setup) -> Change | None:
        numbers = class_numbers(setup.train[1])
        outputs, _, kind = looked_at(setup)
        if numbers is None or outputs is None or kind not in (kinds.CROSS_ENTROPY, kinds.BINARY):
            return None
        if kind == kinds.BINARY:
            counts = torch.bincount(numbers, minlength=2).double()
            if outputs.numel() != len(outputs) or not counts.min() > 0:
                return None
            weight = (counts[:1] / counts[1:2]) ** power
        else:
            counts = torch.bincount(numbers, minlength=outputs.shape[1]).double()
            weight = (counts.sum() / (len(counts) * counts.clamp_min(1.0))) ** power
        told = ", ".join(f"{w:.3g}" for w in weight[:8].tolist()) + (", ..." if len(weight) > 8 else "")
        name = "pos_weight" if kind == kinds.BINARY else "weight"
        return Change(
            setup.changed(loss_fn=Weighted(weight, kind == kinds.BINARY)), f"loss weighted by class: {told}",
            f"loss_fn = with {name}=torch.tensor([{told}])",
        )  # fmt: skip

    said = "inverse counts" if power == 1 else "the root of inverse counts"
    return Fix(f"class weights by {said}", f"weight the loss by {said}", make, late=True)


def _resampled(setup: Setup) -> Change | None:
    numbers = class_numbers(setup.train[1])
    if numbers is None:
        return None
    present = torch.bincount(numbers).nonzero().flatten()
    if len(present) < 2:
        return None
    generator = torch.Generator().manual_seed(setup.seed)
    each = -(-setup.rows // len(present))
    rows = []
    for c in present:
        own = (numbers == c).nonzero().flatten()
        repeats = own.repeat(each // len(own)) if each >= len(own) else own[:0]
        extra = own[torch.randperm(len(own), generator=generator)[: each - len(repeats)]]
        rows.append(torch.cat([repeats, extra]))
    chosen = torch.cat(rows)[: max(setup.rows, len(present))]
    x, y = setup.train
    return Change(
        setup.changed(train=(x[chosen], y[chosen])), "training rows drawn so that every class has as many (rare ones repeated)",
        "sampler = torch.utils.data.WeightedRandomSampler(1 / counts[y], len(y))",
    )  # fmt: skip


register("class_imbalance", _weighted(1.0), _weighted(0.5),
         Fix("balanced rows", "draw rows so that classes count alike", _resampled, late=True))  # fmt: skip
