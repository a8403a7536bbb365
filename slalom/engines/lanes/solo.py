"""Lanes one at a time, by plain autograd: what every module can do."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call

from slalom.engines.lanes.counter import CounterDropout
from slalom.engines.lanes.cuda.place import on_device
from slalom.engines.lanes.generator import seeded
from slalom.engines.lanes.layout import Layout
from slalom.engines.lanes.losses import Loss, one_loss
from slalom.engines.lanes.mechanism import Buffers, Gradients

NOISE = 0x5DEECE66  # keeps what a model draws apart from other uses of a lane's key


@contextlib.contextmanager
def quiet(x: Tensor) -> Iterator[None]:
    """On a GPU cuDNN's recurrent layers warn that weights, here parts of a lane's row, are copied together at every call."""
    if not on_device(x.device):
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")
        yield


class Solo:
    """See the module. A model that draws from torch's global generator gets it seeded by the lane's key, under a lock."""

    name = "solo"
    compacts = 0.0  # a lane left out is a lane saved
    spare = 0

    def __init__(self, template: nn.Module, layout: Layout, loss: str | Loss) -> None:
        self.module = copy.deepcopy(template)
        self.layout = layout
        self.loss = one_loss(loss)

    def lane(self, params: Tensor, buffers: Buffers, x: Tensor, y: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and gradient `[D]` of one lane, parameters `[D]`; `buffers` are taken over."""
        self.module.train()
        leaf = params.detach().requires_grad_()
        named = {k: v[0] for k, v in self.layout.split(leaf.unsqueeze(0)).items()}
        state = {**named, **{k: v.clone() for k, v in buffers.items()}}
        with quiet(x), seeded(int(key) ^ NOISE), CounterDropout(key):
            outputs = functional_call(self.module, state, (x.clone(),))  # a model may change its input in place
        for k in buffers:
            buffers[k] = state[k].detach()  # also one that was reassigned
        loss = self.loss(outputs, y)
        (grad,) = torch.autograd.grad(loss, leaf)
        return loss.detach(), grad

    def gradients(self, params: Tensor, buffers: Buffers, x: Tensor, y: Tensor, keys: Tensor, per_lane: bool) -> Gradients:
        losses, grads, kept = [], [], []
        for i in range(len(params)):
            lane_x, lane_y = (x[i], y[i]) if per_lane else (x, y)
            own = {k: v[i] for k, v in buffers.items()}
            loss, grad = self.lane(params[i], own, lane_x, lane_y, keys[i])
            kept.append(own)
            losses.append(loss)
            grads.append(grad)
        return Gradients(torch.stack(losses), torch.stack(grads), {k: torch.stack([b[k] for b in kept]) for k in buffers})

    def predict(self, params: Tensor, buffers: Buffers, x: Tensor) -> Tensor:
        self.module.eval()
        outputs = []
        with torch.no_grad():
            for i in range(len(params)):
                named = {k: v[0] for k, v in self.layout.split(params[i : i + 1]).items()}
                state = {**named, **{k: v[i] for k, v in buffers.items()}}
                with quiet(x), seeded(NOISE):  # for a model that draws also when it is evaluated
                    outputs.append(functional_call(self.module, state, (x.clone(),)))
        return torch.stack(outputs)
