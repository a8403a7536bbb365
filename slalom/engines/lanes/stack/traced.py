"""Lanes of any module whose forward can be traced: the mechanism `traced`."""

from __future__ import annotations

import threading

import torch
from torch import Tensor, nn

from slalom.engines.lanes.layout import Layout
from slalom.engines.lanes.losses import Loss, lane_loss
from slalom.engines.lanes.mechanism import Buffers, Gradients, narrowest, spare_lanes
from slalom.engines.lanes.stack.tracing import Program, trace

_tracing = threading.Lock()  # tracing swaps tensors on the module and puts modes in place

Signature = tuple[tuple[int, ...], tuple[int, ...], torch.dtype, bool]


class Graphs:
    """A module's graphs by shape of the inputs (lanes first) and mode, shared by the chunks of a heat."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.made: dict[Signature, Program] = {}
        self.lines: list[str] = []  # how each layer runs

    def get(self, params: Buffers, buffers: Buffers, x: Tensor, keys: Tensor, training: bool) -> Program:
        """The graph for tensors like these, traced at the first call."""
        signature = (tuple(x.shape), x.stride(), x.dtype, training)  # strides: whether a reshape copies is seen in them
        if signature not in self.made:
            with _tracing:
                if signature not in self.made:
                    self.module.train(training)
                    self.made[signature], lines = trace(self.module, params, buffers, x, keys)
                    self.lines = self.lines or lines
        return self.made[signature]


class Traced:
    """See the module."""

    name = "traced"
    compacts = 0.5  # the others are another size, and traced anew

    def __init__(self, graphs: Graphs, layout: Layout, loss: str | Loss) -> None:
        self.graphs = graphs
        self.layout = layout
        self.loss = lane_loss(loss)
        self.spare = spare_lanes(narrowest(graphs.module))

    def _forward(self, params: Buffers, buffers: Buffers, x: Tensor, keys: Tensor, training: bool) -> tuple[Tensor, Buffers]:
        return self.graphs.get(params, buffers, x, keys, training)(params, buffers, x, keys)

    def gradients(self, params: Tensor, buffers: Buffers, x: Tensor, y: Tensor, keys: Tensor, per_lane: bool) -> Gradients:
        leaves = {k: v.detach().requires_grad_() for k, v in self.layout.split(params).items()}
        rows = x if per_lane else x.expand(len(params), *x.shape)
        outputs, new = self._forward(leaves, buffers, rows, keys, True)
        loss = self.loss(outputs, y, per_lane)
        grads = torch.autograd.grad(loss.sum(), list(leaves.values()), materialize_grads=True)
        return Gradients(loss.detach(), self.layout.join(grads), {k: v.detach() for k, v in new.items()})

    def predict(self, params: Tensor, buffers: Buffers, x: Tensor) -> Tensor:
        keys = torch.zeros(len(params), dtype=torch.int64, device=params.device)
        with torch.no_grad():
            return self._forward(self.layout.split(params), buffers, x.expand(len(params), *x.shape), keys, False)[0]
