"""Dense layers and look-ups over lanes: one batched matrix product, one gather."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from slalom.engines.lanes.stack.forms import LaneForms, lane_form


def project(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`[lanes, ..., in]` by `weight [lanes, out, in]` and `bias [lanes, out]`: `[lanes, ..., out]`, one batched product."""
    rows = x.reshape(len(x), -1, x.shape[-1])
    across = weight.transpose(1, 2)
    out = torch.bmm(rows, across) if bias is None else torch.baddbmm(bias.unsqueeze(1), rows, across)
    return out.reshape(*x.shape[:-1], weight.shape[1])


@lane_form(F.linear, how="one batched matrix product")
def linear(lanes: LaneForms, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`torch.nn.functional.linear`."""
    out: Tensor = lanes.together(project, input, weight, bias)
    return out


@lane_form(F.embedding, how="one look-up in the tables of all lanes")
def embedding(
    lanes: LaneForms, input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:  # fmt: skip
    """`torch.nn.functional.embedding`; `max_norm`, which writes into the table, and frequencies of one lane are refused."""
    if max_norm is not None or scale_grad_by_freq:
        raise NotImplementedError("an embedding with max_norm or scale_grad_by_freq has no form for lanes")

    def look_up(index: Tensor, table: Tensor) -> Tensor:
        rows = table.shape[1]
        start = (torch.arange(len(table), device=table.device) * rows).view(-1, *[1] * (index.dim() - 1))
        found = F.embedding(index + start, table.flatten(0, 1))
        if padding_idx is None:
            return found
        return torch.where((index == padding_idx % rows).unsqueeze(-1), found.detach(), found)

    out: Tensor = lanes.together(look_up, input, weight)
    return out
