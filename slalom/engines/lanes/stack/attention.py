"""Attention over lanes: the heads of all lanes in one call of torch's own."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from slalom.engines.lanes.cuda.place import on_device
from slalom.engines.lanes.layered import attention
from slalom.engines.lanes.stack.forms import LaneForms, lane_form


@lane_form(F.scaled_dot_product_attention, how="heads of all lanes in one call")
def scaled_dot_product_attention(
    lanes: LaneForms, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """`torch.nn.functional.scaled_dot_product_attention`."""
    if dropout_p:
        return attention(lanes.drop_all, query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)
    if query.dim() < 3:
        raise NotImplementedError("attention without a batch or head axis has no form for lanes")

    def run(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        if on_device(q.device) and not enable_gqa:
            # Which fused kernel torch takes there, and what that keeps for its gradient, is settled before a graph of it is made.
            return attention(_none, q, k, v, mask if mask is None else _beside(mask, q), 0.0, is_causal, scale)
        if mask is not None:
            mask = mask.reshape(len(q), *[1] * (q.dim() - mask.dim()), *mask.shape[1:]).expand(*q.shape[:-1], k.shape[-2])
            mask = mask.flatten(0, 1)
        made = F.scaled_dot_product_attention(
            q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), mask, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa
        )
        return made.reshape(*q.shape[:-1], v.shape[-1])

    out: Tensor = lanes.together(run, query, key, value, attn_mask)
    return out


def _none(x: Tensor, _share: float) -> Tensor:
    return x


def _beside(mask: Tensor, q: Tensor) -> Tensor:
    """The mask `[lanes, ...]` with as many axes as the scores have."""
    return mask.reshape(len(q), *[1] * (q.dim() - mask.dim()), *mask.shape[1:])
