"""Outputs that are not what the loss expects: an activation too many or too few, or a shape that is broadcast."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from slalom.doctor.fixes import loss_kind as kinds
from slalom.doctor.fixes.fix import Change, Fix, register
from slalom.doctor.fixes.loss_kind import log_probabilities, looked_at, probabilities, shares
from slalom.doctor.fixes.surgery import replaced
from slalom.doctor.fixes.trace import DENSE, traced
from slalom.doctor.fixes.wrappers import LoggedOutputs, LogProbabilities, around
from slalom.doctor.setup import LossFn, Setup

LAST = (
    nn.Softmax, nn.Sigmoid, nn.LogSigmoid, nn.Hardsigmoid, nn.Tanh, nn.Hardtanh, nn.ReLU, nn.ReLU6, nn.Softplus, nn.ELU,
    nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Softmin, nn.LogSoftmax,
)  # fmt: skip


class Reshaped:
    """A loss whose outputs take the shape of the targets before: `[n, 1]` against `[n]` is not broadcast to `[n, n]`."""

    def __init__(self, loss_fn: LossFn) -> None:
        self.loss_fn = loss_fn

    def __call__(self, outputs: Any, targets: Tensor) -> Tensor:
        return self.loss_fn(outputs.reshape(targets.shape) if outputs.numel() == targets.numel() else outputs, targets)


class Converted:
    """A loss whose targets are brought to the kind of number and shape that it takes before."""

    def __init__(self, loss_fn: LossFn, like_outputs: bool) -> None:
        self.loss_fn, self.like_outputs = loss_fn, like_outputs

    def __call__(self, outputs: Any, targets: Tensor) -> Tensor:
        if self.like_outputs:
            return self.loss_fn(outputs, targets.to(outputs.dtype).reshape(outputs.shape))
        return self.loss_fn(outputs, targets.long().reshape(len(targets)))


def _last(setup: Setup) -> str | None:
    """The activation after the last dense layer whose output is the model's."""
    chain = traced(setup).chain()
    after: list[str] = []
    for call in reversed(chain):
        if isinstance(call.module, DENSE):
            break
        if isinstance(call.module, LAST):
            after.append(call.name)
    return after[0] if after else None


def _stripped(setup: Setup) -> Change | None:
    name = _last(setup)
    if name is None or not name:
        return None
    model = setup.fresh()
    old = type(model.get_submodule(name)).__name__
    model = replaced(model, {name: nn.Identity()})
    return Change(
        setup.changed(model=model), f"{old} at the output ({name}) taken out: the loss takes what comes before it",
        f"model without its last nn.{old}()",
    )  # fmt: skip


def _logged(setup: Setup) -> Change | None:
    outputs, _, kind = looked_at(setup)
    if outputs is None:
        return None
    if kind in (kinds.CROSS_ENTROPY, kinds.NLL) and probabilities(outputs):
        return Change(
            around(setup, lambda m: LoggedOutputs(m, odds=False)), "the model's probabilities turned into their logarithms",
            "loss = torch.nn.functional.nll_loss(model(X).log(), y)",
        )  # fmt: skip
    if kind == kinds.BINARY and shares(outputs):
        return Change(
            around(setup, lambda m: LoggedOutputs(m, odds=True)), "the model's probabilities turned into log-odds",
            "loss = torch.nn.functional.binary_cross_entropy(model(X), y)",
        )  # fmt: skip
    return None


def _log_softmax(setup: Setup) -> Change | None:
    outputs, _, kind = looked_at(setup)
    if outputs is None or kind != kinds.NLL or log_probabilities(outputs) or probabilities(outputs):
        return None
    return Change(
        around(setup, LogProbabilities), "log-softmax after the model: the loss takes log-probabilities",
        "nn.LogSoftmax(dim=1)  # last layer, or cross_entropy in place of nll_loss",
    )  # fmt: skip


def _reshaped(setup: Setup) -> Change | None:
    outputs, y, _ = looked_at(setup)
    if outputs is None or outputs.shape == y.shape or outputs.numel() != y.numel():
        return None
    return Change(
        setup.changed(loss_fn=Reshaped(setup.loss_fn)),
        f"outputs {list(outputs.shape)} brought to the shape of the targets {list(y.shape)} before the loss",
        "loss = loss_fn(model(X).reshape(y.shape), y)",
    )


def _converted(setup: Setup) -> Change | None:
    outputs, y, kind = looked_at(setup)
    if outputs is None or kind != kinds.OTHER:
        return None
    for like_outputs in (True, False):
        made = Converted(setup.loss_fn, like_outputs)
        try:
            with torch.no_grad():
                made(outputs, y)
                fits = True
        except (RuntimeError, ValueError, IndexError, TypeError):
            fits = False
        try:
            with torch.no_grad():
                setup.loss_fn(outputs, y)
            fits = False  # it takes them as they are
        except (RuntimeError, ValueError, IndexError, TypeError):
            pass
        if fits:
            words = "the outputs' kind of number and shape" if like_outputs else "whole numbers, one a row"
            code = "y = y.to(outputs.dtype).reshape(outputs.shape)" if like_outputs else "y = y.long().reshape(len(y))"
            return Change(setup.changed(loss_fn=made), f"targets brought to {words}", code)
    return None


register(
    "loss_output_mismatch",
    Fix("strip the last activation", "take out the activation that the loss applies itself", _stripped),
    Fix("logarithm of probabilities", "turn probabilities into what the loss expects", _logged),
    Fix("log-softmax", "put log-softmax after the model", _log_softmax),
    Fix("same shape", "bring outputs to the shape of the targets", _reshaped),
    Fix("fitting targets", "bring targets to the kind and shape that the loss takes", _converted),
)
