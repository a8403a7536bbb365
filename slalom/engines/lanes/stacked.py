"""Lanes by surgery: a chain of known modules becomes a chain of functions of stacked activations.

From the first Linear on they are `[lanes, features, batch]`: weights need no transposing, gradients come out in the layout of
the weights, and sums over the batch, and softmax over the classes, run along vectors.

Only where it is certain to be the same: `nn.Sequential` (nested) of the exact classes below, without hooks,
parametrisations or shared parameters. `why_not` says what stands in the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slalom.engines.lanes.counter import drop
from slalom.engines.lanes.dropout import OwnDropout
from slalom.engines.lanes.layout import Layout
from slalom.engines.lanes.losses import Loss, lane_loss
from slalom.engines.lanes.mechanism import Buffers, Gradients, spare_lanes

# One step of the chain: (activations, parameters, buffers in and out, keys or None in evaluation) -> activations.
Link = Callable[[Tensor, dict[str, Tensor], Buffers, Tensor | None], Tensor]

# Elementwise modules without parameters; those whose vectorised loop and scalar tail agree to the bit need no spare lane.
TAIL_SAFE = (nn.ReLU, nn.LeakyReLU, nn.Identity, nn.Hardtanh, nn.ReLU6)
ELEMENTWISE = (
    *TAIL_SAFE, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softsign,
    nn.LogSigmoid, nn.Hardsigmoid, nn.Hardswish, nn.Tanhshrink, nn.Softshrink, nn.Hardshrink,
)  # fmt: skip


def _leaves(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    if type(module) is nn.Sequential:
        for name, child in module._modules.items():  # named_children passes over a child that stands there twice
            assert child is not None
            yield from _leaves(child, f"{prefix}{name}.")
    else:
        yield prefix, module


def why_not(module: nn.Module, x: Tensor) -> str | None:
    """Why this module cannot be stacked for inputs like `x [batch, ...]`, or None if it can."""
    for part in module.modules():
        if part._forward_hooks or part._forward_pre_hooks or part._backward_hooks or hasattr(part, "parametrizations"):
            return f"{type(part).__name__} has hooks or parametrisations"
        if "forward" in vars(part):
            return f"{type(part).__name__} has a forward of its own"
    if len(list(module.parameters())) != len(list(module.named_parameters(remove_duplicate=False))):
        return "parameters are shared between modules"
    if len(list(module.buffers())) != len(list(module.named_buffers(remove_duplicate=False))):
        return "buffers are shared between modules"
    flat = x.dim() == 2
    for _, leaf in _leaves(module):
        if type(leaf) is nn.Flatten and leaf.start_dim == 1 and leaf.end_dim == -1:
            flat = True
        elif type(leaf) not in (nn.Linear, nn.Dropout, OwnDropout, nn.BatchNorm1d, nn.PReLU, *ELEMENTWISE):
            return f"{type(leaf).__name__} has no stacked form"
        elif not flat and type(leaf) not in ELEMENTWISE:
            return f"{type(leaf).__name__} before the input is flat"
        elif type(leaf) is nn.BatchNorm1d and leaf.momentum is None:
            return "BatchNorm1d with a cumulative average"
    return None


def _linear(at: str, module: nn.Linear) -> Link:
    bias = f"{at}bias" if module.bias is not None else None

    def run(h: Tensor, params: dict[str, Tensor], _buffers: Buffers, _keys: Tensor | None) -> Tensor:
        weight = params[f"{at}weight"]
        return torch.bmm(weight, h) if bias is None else torch.baddbmm(params[bias].unsqueeze(2), weight, h)

    return run


def _batch_norm(at: str, module: nn.BatchNorm1d) -> Link:
    momentum, eps, tracks = module.momentum or 0.0, module.eps, module.track_running_stats

    def run(h: Tensor, params: dict[str, Tensor], buffers: Buffers, keys: Tensor | None) -> Tensor:
        if keys is not None or not tracks:
            n = h.shape[2]
            if n < 2:
                raise ValueError(f"BatchNorm needs more than 1 sample a batch when training, got {n}")
            variance, mean = torch.var_mean(h, dim=2, correction=0)
            if keys is not None and tracks:
                running_mean, running_var = buffers[f"{at}running_mean"], buffers[f"{at}running_var"]
                buffers[f"{at}running_mean"] = torch.lerp(running_mean, mean.detach(), momentum)
                buffers[f"{at}running_var"] = torch.lerp(running_var, variance.detach() * (n / (n - 1)), momentum)
                buffers[f"{at}num_batches_tracked"] = buffers[f"{at}num_batches_tracked"] + 1
        else:
            mean, variance = buffers[f"{at}running_mean"], buffers[f"{at}running_var"]
        deviation = torch.sqrt(variance + eps)  # root and quotient are exact; rsqrt depends on where an element stands
        h = (h - mean.unsqueeze(2)) / deviation.unsqueeze(2)
        if module.affine:
            h = torch.addcmul(params[f"{at}bias"].unsqueeze(2), h, params[f"{at}weight"].unsqueeze(2))
        return h

    return run


def _prelu(at: str) -> Link:
    return lambda h, params, _buffers, _keys: torch.where(h > 0, h, params[f"{at}weight"].unsqueeze(2) * h)


def _dropout(site: int, p: float) -> Link:
    def run(h: Tensor, _params: dict[str, Tensor], _buffers: Buffers, keys: Tensor | None) -> Tensor:
        if keys is None or p == 0:
            return h
        rows = h.transpose(1, 2)  # the mask is drawn for [batch, features], as for the module alone
        return drop(rows, keys, site, p, rows.shape[1:]).transpose(1, 2)

    return run


def _own_dropout(at: str, site: int) -> Link:
    def run(h: Tensor, _params: dict[str, Tensor], buffers: Buffers, keys: Tensor | None) -> Tensor:
        if keys is None:
            return h
        rows = h.transpose(1, 2)
        return drop(rows, keys, site, buffers[f"{at}p"].view(-1, 1, 1), rows.shape[1:]).transpose(1, 2)

    return run


def _features_first(h: Tensor, _params: dict[str, Tensor], _buffers: Buffers, _keys: Tensor | None) -> Tensor:
    return h.flatten(2).transpose(1, 2)


def _chain(module: nn.Module, flat: bool) -> list[Link]:
    """`flat`: inputs are `[batch, features]`, else there is a Flatten."""
    links: list[Link] = [_features_first] if flat else []
    sites = 0
    for at, leaf in _leaves(module):
        if isinstance(leaf, nn.Linear):
            links.append(_linear(at, leaf))
        elif isinstance(leaf, nn.BatchNorm1d):
            links.append(_batch_norm(at, leaf))
        elif isinstance(leaf, nn.PReLU):
            links.append(_prelu(at))
        elif isinstance(leaf, nn.Dropout):
            sites += leaf.p > 0
            links.append(_dropout(sites, leaf.p))
        elif isinstance(leaf, OwnDropout):
            sites += 1
            links.append(_own_dropout(at, sites))
        elif isinstance(leaf, nn.Flatten):
            links += [] if flat else [_features_first]
            flat = True
        elif isinstance(leaf, nn.ReLU):
            links.append(lambda h, _params, _buffers, _keys: F.relu(h))  # never in place: h may be the shared input
        else:
            if getattr(leaf, "inplace", False):
                leaf.inplace = False  # type: ignore[assignment]  # the template is this chunk's own copy
            links.append(lambda h, _params, _buffers, _keys, leaf=leaf: leaf(h))  # type: ignore[misc]
    return links


def _spare(module: nn.Module, own_loss: bool) -> int:
    """Spare lanes for the narrowest call of a function that is not exactly rounded."""
    spare, features = 0, 1  # 1: the input's width is not known before the first Linear
    for _, leaf in _leaves(module):
        if isinstance(leaf, nn.Linear):
            features = leaf.out_features
        elif type(leaf) in ELEMENTWISE and type(leaf) not in TAIL_SAFE:
            spare = max(spare, spare_lanes(features))
    return max(spare, spare_lanes(features)) if own_loss else spare


class Stacked:
    """See the module."""

    name = "stacked"
    compacts = 0.25  # below that, the copy of the other rows costs what it saves

    def __init__(self, template: nn.Module, layout: Layout, loss: str | Loss) -> None:
        self.template = template
        self.links: dict[bool, list[Link]] = {}
        self.layout = layout
        self.loss = lane_loss(loss)
        self.spare = _spare(template, own_loss=not isinstance(loss, str))

    def _forward(self, params: dict[str, Tensor], buffers: Buffers, h: Tensor, keys: Tensor | None) -> Tensor:
        held = {**buffers, **params}  # frozen parameters are among the buffers
        flat = h.dim() == 3
        if flat not in self.links:
            self.links[flat] = _chain(self.template, flat)
        for link in self.links[flat]:
            h = link(h, held, buffers, keys)
        return h.transpose(1, 2) if h.dim() == 3 else h

    def gradients(self, params: Tensor, buffers: Buffers, x: Tensor, y: Tensor, keys: Tensor, per_lane: bool) -> Gradients:
        leaves = {k: v.detach().requires_grad_() for k, v in self.layout.split(params).items()}
        new = dict(buffers)
        outputs = self._forward(leaves, new, x if per_lane else x.expand(len(params), *x.shape), keys)
        loss = self.loss(outputs, y, per_lane)
        grads = torch.autograd.grad(loss.sum(), list(leaves.values()))
        return Gradients(loss.detach(), self.layout.join(grads), new)

    def predict(self, params: Tensor, buffers: Buffers, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self._forward(self.layout.split(params), dict(buffers), x.expand(len(params), *x.shape), None)
