"""Lanes by `torch.func.vmap` over `functional_call`: any module that functorch can batch."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from slalom.engines.lanes.counter import CounterDropout
from slalom.engines.lanes.layout import Layout
from slalom.engines.lanes.losses import Loss, one_loss
from slalom.engines.lanes.mechanism import Buffers, Gradients, narrowest, spare_lanes


class Batched:
    """See the module; `template` is copied, since functional_call swaps tensors on the object while it runs."""

    name = "vmap"
    compacts = 0.25  # below that, the copy of the other rows costs what it saves

    def __init__(self, template: nn.Module, layout: Layout, loss: str | Loss) -> None:
        self.module = copy.deepcopy(template)
        self.layout = layout
        self.loss = one_loss(loss)
        self.spare = spare_lanes(narrowest(template))

    def _one(self, params: dict[str, Tensor], buffers: Buffers, x: Tensor, y: Tensor, key: Tensor) -> tuple[Tensor, Buffers]:
        state = {**params, **{k: v.clone() for k, v in buffers.items()}}
        with CounterDropout(key):
            outputs = functional_call(self.module, state, (x.clone(),))  # a model may change its input in place
        return self.loss(outputs, y), {k: state[k].detach() for k in buffers}  # in state: also buffers that were reassigned

    def gradients(self, params: Tensor, buffers: Buffers, x: Tensor, y: Tensor, keys: Tensor, per_lane: bool) -> Gradients:
        self.module.train()
        data = 0 if per_lane else None
        run = vmap(grad_and_value(self._one, has_aux=True), in_dims=(0, 0, data, data, 0))
        grads, (loss, new) = run(self.layout.split(params), buffers, x, y, keys)
        flat = torch.cat([grads[k].reshape(len(params), -1) for k in self.layout.names], dim=1)
        return Gradients(loss, flat, new)

    def predict(self, params: Tensor, buffers: Buffers, x: Tensor) -> Tensor:
        self.module.eval()

        def one(params: dict[str, Tensor], buffers: Buffers) -> Tensor:
            outputs: Tensor = functional_call(self.module, {**params, **buffers}, (x.clone(),))
            return outputs

        with torch.no_grad():
            outputs: Tensor = vmap(one)(self.layout.split(params), buffers)
        return outputs
