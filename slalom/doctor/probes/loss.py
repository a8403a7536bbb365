"""What a loss function does with outputs, told by trying it: nothing is read off its name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from slalom.doctor.setup import LossFn

TOLERANCE = 1e-4
FAR = 30.0


@dataclass(frozen=True)
class LossFacts:
    """`softmax`: it applies softmax itself (axis `axis`); `linear`: it is linear in the outputs, as negative log-likelihood is;
    `sigmoid`: it applies a sigmoid itself; `distance`: it is least where outputs equal targets; `paired`: it matters which
    target belongs to which row; `value`: at the outputs that were given.
    """

    softmax: bool
    linear: bool
    sigmoid: bool
    distance: bool
    paired: bool
    value: float
    axis: int = 1


def loss_facts(loss_fn: LossFn, outputs: Tensor, y: Tensor) -> LossFacts:
    """Tries a loss on outputs `[rows, ...]` moved about; raises what the loss itself raises on the outputs as they are.

    >>> facts = loss_facts(torch.nn.functional.cross_entropy, torch.randn(8, 3), torch.arange(8) % 3)
    >>> facts.softmax, facts.linear, facts.paired
    (True, False, True)
    """
    with torch.no_grad():
        outputs = outputs.detach()
        value = float(loss_fn(outputs, y))
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(outputs.shape, generator=generator).to(outputs.device, outputs.dtype)
        moved = 0.5 * noise + torch.nan_to_num(outputs).clamp(-3, 3)

        def at(z: Tensor, targets: Tensor = y) -> float:
            try:
                return float(loss_fn(z, targets))
            except (RuntimeError, ValueError, IndexError):
                return math.nan

        base = at(moved)
        softmax, axis = False, 1
        for place in {1, outputs.dim() - 1} if outputs.dim() > 1 else ():
            if outputs.shape[place] > 1:
                rows = moved + noise.narrow(place, 0, 1) + 2.0
                if _near(at(rows), base) and not _near(at(moved + noise), base):
                    softmax, axis = True, place
        doubled = at(2 * moved)
        linear = not y.is_floating_point() and _near(doubled, 2 * base) and not _near(base, 0.0) and _near(at(-moved), -base)
        return LossFacts(
            softmax, linear, not softmax and _sigmoid(at, moved, y), _distance(at, moved, y), _paired(at, moved, y), value, axis
        )  # fmt: skip


def _near(a: float, b: float) -> bool:
    return math.isfinite(a) and math.isfinite(b) and abs(a - b) <= TOLERANCE * max(abs(a), abs(b), 1e-3)


def _sigmoid(at: Any, moved: Tensor, y: Tensor) -> bool:
    """Far outputs on the right side cost nothing, on the wrong side in proportion: a sigmoid is applied inside."""
    if moved.numel() != y.numel() or not bool(((y == 0) | (y == 1)).all()):
        return False
    signs = (2 * y.to(moved.dtype) - 1).reshape(moved.shape)
    good, bad, worse = at(FAR * signs), at(-FAR * signs), at(-2 * FAR * signs)
    return good < 1e-3 * bad and _near(worse, 2 * bad)


def _distance(at: Any, moved: Tensor, y: Tensor) -> bool:
    if moved.numel() != y.numel():
        return False
    exact = y.to(moved.dtype).reshape(moved.shape)
    here, far = at(exact), at(exact + FAR)
    return math.isfinite(here) and abs(here) <= 1e-6 * abs(far)


def _paired(at: Any, moved: Tensor, y: Tensor) -> bool:
    """False where the loss is the same for other targets: shapes broadcast against each other, or outputs count for nothing."""
    generator = torch.Generator().manual_seed(1)
    if y.is_floating_point() and len(y) > 2 and float(y.std()) > 0:  # beside large targets all small outputs are alike
        noise = torch.randn(moved.shape, generator=generator).to(moved.device, moved.dtype)
        moved = y.double().mean().to(moved.dtype) + y.double().std().to(moved.dtype) * noise
    base = at(moved)
    if not math.isfinite(base) or len(y) < 3:
        return True
    told = False
    for _ in range(4):
        other = y[torch.randperm(len(y), generator=generator).to(y.device)]
        if torch.equal(other, y):
            continue
        told = True
        if not _near(at(moved, other), base):
            return True
    values = 2 * y + 1 if y.is_floating_point() else (y + 1) % (y.max() + 1)
    return not told or _near(at(moved, values), base)  # a loss that looks at no target at all pairs nothing on purpose
