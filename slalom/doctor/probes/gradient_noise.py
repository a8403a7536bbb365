"""The noise of the gradient, from the gradients of single rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from slalom.doctor.setup import LossFn


@dataclass(frozen=True)
class GradientNoise:
    """`signal`: squared norm of the mean gradient, without bias; `variance`: trace of the covariance of one row's gradient."""

    signal: float
    variance: float
    rows: int

    @property
    def scale(self) -> float:
        """The batch size at which noise and signal are equal, tr(Sigma) / |G|^2; infinite where no signal is left, NaN where a
        gradient is not finite. Source: McCandlish et al. 2018, arXiv:1812.06162, equation 2.9.
        """
        if not math.isfinite(self.signal) or not math.isfinite(self.variance):
            return math.nan
        return self.variance / self.signal if self.signal > 0 else math.inf


def row_gradients(model: nn.Module, loss_fn: LossFn, x: Tensor, y: Tensor) -> Tensor:
    """The gradient of each row's own loss, `[rows, parameters]`, in evaluation mode; the model's gradients and modes are kept.

    Side by side by `torch.vmap` where the model can be batched so, else row by row.
    """
    modes = [(m, m.training) for m in model.modules()]
    model.eval()
    params = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
    rest = {n: p.detach() for n, p in model.named_parameters() if not p.requires_grad} | dict(model.named_buffers())

    def loss(values: dict[str, Tensor], row: Tensor, target: Tensor) -> Tensor:
        return loss_fn(functional_call(model, {**values, **rest}, (row[None],)), target[None])

    try:
        try:
            made = vmap(grad(loss), in_dims=(None, 0, 0), randomness="different")(params, x, y)
        except (RuntimeError, ValueError, NotImplementedError):  # control flow on values, or an operation without a batching rule
            rows = [grad(loss)(params, row, target) for row, target in zip(x, y, strict=True)]
            made = {n: torch.stack([r[n] for r in rows]) for n in params}
    finally:
        for module, mode in modes:
            module.training = mode
    return torch.cat([g.detach().reshape(len(x), -1) for g in made.values()], 1)


def gradient_noise(model: nn.Module, loss_fn: LossFn, x: Tensor, y: Tensor) -> GradientNoise:
    """Signal and variance of the gradient over these rows (two at least); |mean|^2 holds variance / rows too much, which is taken
    off.
    """
    g = row_gradients(model, loss_fn, x, y).double()
    mean = g.mean(0)
    variance = float((g - mean).square().sum() / (len(g) - 1))
    return GradientNoise(float(mean.square().sum()) - variance / len(g), variance, len(g))
