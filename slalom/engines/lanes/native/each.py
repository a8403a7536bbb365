"""The mechanism `native`, for lanes whose chains differ: a lane's parameters stand at the start of its row, zeros after them.

One call of the same C for all lanes of a chunk; nothing is padded but the rows. A lane's numbers are those of `Native` for its
chain alone, to the bit.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slalom.engines.lanes.choose import Choice
from slalom.engines.lanes.layout import Layout
from slalom.engines.lanes.losses import Loss
from slalom.engines.lanes.mechanism import Buffers, Gradients
from slalom.engines.lanes.native.chain import Native, _Call
from slalom.engines.lanes.native.layers import Chain
from slalom.engines.lanes.native.parts import Unfit

CALL = np.dtype([(field[0], np.int64 if field[1] is ctypes.c_int64 else np.uint64) for field in _Call._fields_])


class Row(nn.Module):
    """A module's parameters `own` at the start of a row of `length` numbers; `chain`: which of a company's it is."""

    chain: Tensor

    def __init__(self, own: Tensor, length: int, chain: int) -> None:
        super().__init__()
        self.row = nn.Parameter(torch.cat([own, own.new_zeros(length - len(own))]))
        self.register_buffer("chain", torch.tensor(chain))


def own_row(module: nn.Module, row: Tensor) -> nn.Module:
    """The module with the parameters that stand at the start of a row."""
    layout = Layout.of(module)
    parts = layout.split(row[: layout.length].unsqueeze(0))
    with torch.no_grad():
        for name, p in module.named_parameters():
            p.copy_(parts[name][0])
    return module


class Each:
    """Runs lanes of these chains, told apart by the buffer `chain`; `first`: of the first chain, with what all share."""

    name = "native"
    compacts = 0.0
    spare = 0

    def __init__(self, first: Native, chains: Sequence[Chain]) -> None:
        self.first, self.chains = first, chains
        self.loss, self.dtype, self.library = first.loss, first.dtype, first.library
        self.memory: dict[int, Tensor] = {}
        self.calls: dict[Any, np.ndarray[Any, Any]] = {}

    def chains_of(self, lanes: int, buffers: Buffers, shape: tuple[int, ...]) -> list[Chain]:
        """Each lane's chain."""
        return [self.chains[k] for k in buffers["chain"].tolist()]

    def _memory(self, batch: int) -> Tensor:
        """Scratch that is large enough for any of the chains."""
        if batch not in self.memory:
            if len(self.memory) >= 4:
                self.memory.clear()
                self.calls.clear()
            library = self.first.library
            most = max(
                library.slalom_memory(ctypes.c_int64(len(c.rows)), ctypes.c_void_p(c.rows.ctypes.data), ctypes.c_int64(batch))
                for c in self.chains
            )
            self.memory[batch] = torch.empty(most, dtype=self.first.dtype)
        return self.memory[batch]

    def _made(self, buffers: Buffers, batch: int) -> np.ndarray[Any, Any]:
        """The calls of a company of lanes for batches of this size; pointers that change are filled in later."""
        memory = self._memory(batch)
        kinds = buffers["chain"].tolist()
        key = (batch, tuple(kinds))
        if key not in self.calls:
            calls = np.zeros(len(kinds), CALL)
            calls["lanes"], calls["batch"], calls["shared"], calls["loss"] = 1, batch, 1, self.first.loss
            calls["layers"] = [len(self.chains[k].rows) for k in kinds]
            calls["layer"] = [self.chains[k].rows.ctypes.data for k in kinds]
            calls["memory"] = memory.data_ptr()
            if len(self.calls) > 64:
                self.calls.clear()
            self.calls[key] = calls
        return self.calls[key]

    def _at(self, tensor: Tensor, step: int, count: int) -> np.ndarray[Any, Any]:
        """Addresses of `count` pieces of a tensor, `step` numbers apart."""
        return np.uint64(tensor.data_ptr()) + np.arange(count, dtype=np.uint64) * np.uint64(step * tensor.element_size())

    def _run(self, calls: np.ndarray[Any, Any]) -> None:
        self.first.library.slalom_run_each(ctypes.c_int64(len(calls)), ctypes.c_void_p(calls.ctypes.data))

    def gradients(self, params: Tensor, buffers: Buffers, x: Tensor, y: Tensor, keys: Tensor, per_lane: bool) -> Gradients:
        """Training mode."""
        x, y, params, keys = self.first._inputs(x), y.contiguous(), params.contiguous(), keys.contiguous()
        n, batch = len(params), x.shape[int(per_lane)]
        y = self.first._targets(self.chains[0], y, batch, per_lane)
        calls = self._made(buffers, batch)
        losses, grads = params.new_empty(n), torch.zeros_like(params)
        calls["params"], calls["grads"] = self._at(params, params.shape[1], n), self._at(grads, params.shape[1], n)
        calls["x"] = self._at(x, x[0].numel() if per_lane else 0, n)
        calls["y"] = self._at(y, y[0].numel() if per_lane else 0, n)
        calls["losses"], calls["keys"], calls["outputs"] = self._at(losses, 1, n), self._at(keys, 1, n), 0
        self._run(calls)
        return Gradients(losses, grads, dict(buffers))

    def predict(self, params: Tensor, buffers: Buffers, x: Tensor) -> Tensor:
        """Evaluation mode."""
        x, params = self.first._inputs(x), params.contiguous()
        n, out = len(params), self.chains[0].out_shape
        calls = self._made(buffers, len(x))
        outputs = params.new_empty(n, len(x), *out)
        calls["params"], calls["x"] = self._at(params, params.shape[1], n), x.data_ptr()
        calls["outputs"] = self._at(outputs, outputs[0].numel(), n)
        for name in ("grads", "losses", "keys", "y"):
            calls[name] = 0
        self._run(calls)
        return outputs


class EachChoice(Choice):
    """The choice of `Each` for a company of modules; Unfit, as one of them may be, is raised when it is made."""

    @classmethod
    def of(cls, modules: Sequence[nn.Module], loss: str | Loss, x: Tensor) -> EachChoice:
        """For the kinds of lanes that these modules stand for, and batches like x."""
        natives = [Native(m, Layout.of(m), loss) for m in modules]
        chains = [n.chain(tuple(x.shape[1:])) for n in natives]
        if any(c.norms for c in chains):
            raise Unfit("running statistics of different layers have no place in common")
        made = cls("native", "chains of layers, each lane its own")
        object.__setattr__(made, "given", (natives[0], chains))
        return made

    def make(self, template: nn.Module, layout: Layout, loss: str | Loss) -> Each:
        """A mechanism of its own for one chunk; the chains are shared."""
        return Each(*self.given)  # type: ignore[attr-defined]
