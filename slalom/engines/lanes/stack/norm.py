"""Normalisation over lanes: statistics of each lane's own batch, weights of each lane."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from slalom.engines.lanes.stack.forms import LaneForms, lane_form


def statistics(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor, int]:
    """Mean, variance (biased) over `axes`, and how many numbers each is of."""
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    if count < 2:
        raise ValueError(f"BatchNorm needs more than 1 value a channel when training, got {count}")
    variance, mean = torch.var_mean(x, dim=axes, correction=0)
    return mean, variance, count


def normalise(x: Tensor, mean: Tensor, variance: Tensor, eps: float, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """All broadcast against `x`. Root and quotient are exactly rounded; rsqrt depends on where an element stands."""
    h = (x - mean) / torch.sqrt(variance + eps)
    if weight is None:
        return h if bias is None else h + bias
    return h * weight if bias is None else torch.addcmul(bias, h, weight)


@lane_form(F.batch_norm, how="statistics of each lane in one pass")
def batch_norm(
    lanes: LaneForms, input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
    bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """`torch.nn.functional.batch_norm`; running averages are written into, as torch does."""

    def run(x: Tensor, mean: Tensor | None, variance: Tensor | None, w: Tensor | None, b: Tensor | None) -> tuple[Tensor, ...]:
        shape = (len(x), 1, -1, *[1] * (x.dim() - 3))

        def along(v: Tensor | None) -> Tensor | None:
            return None if v is None else v.reshape(shape)

        if not training:
            assert mean is not None
            assert variance is not None
            return (normalise(x, mean.reshape(shape), variance.reshape(shape), eps, along(w), along(b)),)
        own_mean, own_variance, count = statistics(x, (1, *range(3, x.dim())))
        out = normalise(x, own_mean.reshape(shape), own_variance.reshape(shape), eps, along(w), along(b))
        if mean is None or variance is None:
            return (out,)
        kept = torch.lerp(mean, own_mean.detach(), momentum)
        return out, kept, torch.lerp(variance, own_variance.detach() * (count / (count - 1)), momentum)

    out, *kept = lanes.together(run, input, running_mean, running_var, weight, bias)
    for average, new in zip((running_mean, running_var), kept, strict=False):
        assert average is not None
        average.copy_(new)
    result: Tensor = out
    return result


@lane_form(F.layer_norm, how="rows of all lanes in one call")
def layer_norm(
    lanes: LaneForms, input: Tensor, normalized_shape: list[int], weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """`torch.nn.functional.layer_norm`."""
    sizes = list(normalized_shape)

    def run(x: Tensor, w: Tensor | None, b: Tensor | None) -> Tensor:
        h = F.layer_norm(x, sizes, eps=eps)
        shape = (len(x), *[1] * (x.dim() - 1 - len(sizes)), *sizes)
        if w is None:
            return h
        return h * w.reshape(shape) if b is None else torch.addcmul(b.reshape(shape), h, w.reshape(shape))

    out: Tensor = lanes.together(run, input, weight, bias)
    return out


@lane_form(F.group_norm, how="samples of all lanes in one call")
def group_norm(
    lanes: LaneForms, input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """`torch.nn.functional.group_norm`."""

    def run(x: Tensor, w: Tensor | None, b: Tensor | None) -> Tensor:
        h = F.group_norm(x.flatten(0, 1), num_groups, eps=eps).reshape(x.shape)
        shape = (len(x), 1, -1, *[1] * (x.dim() - 3))
        if w is None:
            return h
        return h * w.reshape(shape) if b is None else torch.addcmul(b.reshape(shape), h, w.reshape(shape))

    out: Tensor = lanes.together(run, input, weight, bias)
    return out
