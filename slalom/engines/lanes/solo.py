"""Lanes one at a time, by plain autograd: what every module can do."""

from __future__ import annotations

import copy
import threading

import torch
from torch import Tensor, nn
from torch.func import functional_call

from slalom.engines.lanes.counter import CounterDropout
from slalom.engines.lanes.layout import Layout
from slalom.engines.lanes.losses import Loss, one_loss
from slalom.engines.lanes.mechanism import Buffers, Gradients

_global_generator = threading.Lock()


class Solo:
    """See the module. A model that draws from torch's global generator gets it seeded by the lane's key, under a lock."""

    name = "solo"
    spare = 0

    def __init__(self, template: nn.Module, layout: Layout, loss: str | Loss) -> None:
        self.module = copy.deepcopy(template)
        self.layout = layout
        self.loss = one_loss(loss)

    def lane(self, params: Tensor, buffers: Buffers, x: Tensor, y: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and gradient `[D]` of one lane, parameters `[D]`; `buffers` are changed in place."""
        self.module.train()
        leaf = params.detach().requires_grad_()
        named = {k: v[0] for k, v in self.layout.split(leaf.unsqueeze(0)).items()}
        with _global_generator, torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(key))
            with CounterDropout(key):
                outputs = functional_call(self.module, (named, buffers), (x,))
        loss = self.loss(outputs, y)
        (grad,) = torch.autograd.grad(loss, leaf)
        return loss.detach(), grad

    def gradients(self, params: Tensor, buffers: Buffers, x: Tensor, y: Tensor, keys: Tensor, per_lane: bool) -> Gradients:
        new = {k: v.clone() for k, v in buffers.items()}
        losses, grads = [], []
        for i in range(len(params)):
            lane_x, lane_y = (x[i], y[i]) if per_lane else (x, y)
            loss, grad = self.lane(params[i], {k: v[i] for k, v in new.items()}, lane_x, lane_y, keys[i])
            losses.append(loss)
            grads.append(grad)
        return Gradients(torch.stack(losses), torch.stack(grads), new)

    def predict(self, params: Tensor, buffers: Buffers, x: Tensor) -> Tensor:
        self.module.eval()
        outputs = []
        with torch.no_grad():
            for i in range(len(params)):
                named = {k: v[0] for k, v in self.layout.split(params[i : i + 1]).items()}
                outputs.append(functional_call(self.module, (named, {k: v[i] for k, v in buffers.items()}), (x,)))
        return torch.stack(outputs)
