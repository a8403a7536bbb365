"""Which of torch's losses a loss function is, told by what it answers: a lambda or a class of a person's own count alike."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from slalom.doctor.fixes.trace import first_tensor, rows_of
from slalom.doctor.setup import LossFn, Setup

CROSS_ENTROPY, NLL, BINARY, PROBABILITY, SQUARED, OTHER = "cross_entropy", "nll", "binary", "probability", "mse", "other"
KNOWN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    CROSS_ENTROPY: lambda o, t: F.cross_entropy(o, t),
    NLL: lambda o, t: F.nll_loss(o, t),
    BINARY: lambda o, t: F.binary_cross_entropy_with_logits(o, t),
    PROBABILITY: lambda o, t: F.binary_cross_entropy(o, t),
    SQUARED: lambda o, t: F.mse_loss(o, t),
}


def loss_kind(loss_fn: LossFn, outputs: Tensor, targets: Tensor) -> str:
    """The name of the loss that gives the same values on these outputs, and on others like them; "other" for none.

    Class weights and label smoothing make a loss another one.

    >>> loss_kind(lambda o, t: torch.nn.CrossEntropyLoss()(o, t), torch.randn(8, 3), torch.arange(8) % 3)
    'cross_entropy'
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # outputs that are broadcast against targets are what is looked for
        for name, known in KNOWN.items():
            if _same(loss_fn, known, outputs, targets) and _same(loss_fn, known, outputs[: len(outputs) // 2 + 1] * 0.5,
                                                                  targets[: len(targets) // 2 + 1]):  # fmt: skip
                return name
    return OTHER


def _same(loss_fn: LossFn, known: Callable[[Tensor, Tensor], Tensor], outputs: Tensor, targets: Tensor) -> bool:
    try:
        one, other = loss_fn(outputs, targets), known(outputs, targets)
    except (RuntimeError, ValueError, IndexError, TypeError):  # it does not take such outputs or targets
        return False
    return one.dim() == 0 and bool(torch.allclose(one.double(), other.double(), rtol=1e-4, atol=1e-7))


def looked_at(setup: Setup) -> tuple[Tensor | None, Tensor, str]:
    """The model's outputs on a few rows before the first step, their targets, and the kind of the loss."""
    x, y = rows_of(setup)
    model = setup.fresh().eval()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        made: Any = model(x)
    outputs = made if isinstance(made, Tensor) else None
    kind = OTHER if outputs is None else loss_kind(setup.loss_fn, outputs, y)
    return (first_tensor(made) if outputs is None else outputs), y, kind


def probabilities(outputs: Tensor) -> bool:
    """Whether rows of outputs are what a softmax gives: in [0, 1], with sum 1 over the classes (axis 1)."""
    if outputs.dim() < 2 or outputs.shape[1] < 2 or not torch.isfinite(outputs).all():
        return False
    sums = outputs.double().sum(1)
    return bool((outputs >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-3))


def log_probabilities(outputs: Tensor) -> bool:
    """Whether rows of outputs are what a log-softmax gives."""
    return bool(outputs.dim() >= 2 and (outputs <= 1e-6).all() and probabilities(outputs.exp()))


def shares(outputs: Tensor) -> bool:
    """Whether all outputs are strictly between 0 and 1, as a sigmoid's are."""
    return bool(torch.isfinite(outputs).all() and (outputs >= 0).all() and (outputs <= 1).all())
