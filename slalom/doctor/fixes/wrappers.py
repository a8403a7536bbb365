"""What a fix puts around a model so that its inputs and outputs stay in the caller's units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from slalom.doctor.setup import LossFn, Setup


class Around(nn.Module):
    """A model with something before or after it; `inner` is the model."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def before(self, x: Any) -> Any:
        return x

    def after(self, y: Any) -> Any:
        return y

    def forward(self, x: Any) -> Any:
        return self.after(self.inner(self.before(x)))


class ScaledInputs(Around):
    """(x - mean) / sd, feature by feature, before the model; not trained."""

    mean: Tensor
    sd: Tensor

    def __init__(self, inner: nn.Module, mean: Tensor, sd: Tensor) -> None:
        super().__init__(inner)
        self.register_buffer("mean", mean)
        self.register_buffer("sd", sd)

    def before(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.sd


class FilledInputs(Around):
    """Numbers that are not finite replaced by their feature's median before the model."""

    median: Tensor

    def __init__(self, inner: nn.Module, median: Tensor) -> None:
        super().__init__(inner)
        self.register_buffer("median", median)

    def before(self, x: Tensor) -> Tensor:
        return torch.where(torch.isfinite(x), x, self.median.expand_as(x))


class UnscaledOutputs(Around):
    """y * sd + mean after the model, back to the units of the targets; not trained."""

    mean: Tensor
    sd: Tensor

    def __init__(self, inner: nn.Module, mean: Tensor, sd: Tensor) -> None:
        super().__init__(inner)
        self.register_buffer("mean", mean)
        self.register_buffer("sd", sd)

    def after(self, y: Tensor) -> Tensor:
        return y * self.sd + self.mean


class LoggedOutputs(Around):
    """log(p) after a model that ends in a softmax, log(p / (1 - p)) after one that ends in a sigmoid: what the loss expects."""

    def __init__(self, inner: nn.Module, odds: bool) -> None:
        super().__init__(inner)
        self.odds = odds

    def after(self, y: Tensor) -> Tensor:
        tiny = torch.finfo(y.dtype).eps
        if self.odds:
            return torch.logit(y, eps=tiny)
        return y.clamp_min(tiny).log()


class LogProbabilities(Around):
    """log softmax after a model of scores, for a loss that takes log-probabilities."""

    def after(self, y: Tensor) -> Tensor:
        return torch.log_softmax(y, dim=1)


def around(setup: Setup, wrap: Callable[[nn.Module], Around], loss_fn: LossFn | None = None) -> Setup:
    """The set-up with its model inside `wrap`; its optimizer is still made from the model itself."""
    old = setup.optimizer

    def make(model: nn.Module) -> torch.optim.Optimizer:
        assert isinstance(model, Around)
        return old(model.inner)

    return setup.changed(model=wrap(setup.fresh()), optimizer=make, loss_fn=loss_fn or setup.loss_fn)
