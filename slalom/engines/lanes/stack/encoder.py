"""Layers of a transformer encoder over lanes, the whole of each in C."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slalom.engines.inside import wrapped
from slalom.engines.lanes.native import encoder as native
from slalom.engines.lanes.native.layers import ELEMENTWISE, FROM_OUTPUT, FUNCTIONS
from slalom.engines.lanes.native.sequences import runs_in_c
from slalom.engines.lanes.stack.forms import LaneForms, module_form

_CALLED: dict[object, str] = {F.relu: "relu", torch.relu: "relu", F.gelu: "gelu", F.silu: "silu", F.mish: "mish"}


def _activation(layer: nn.TransformerEncoderLayer) -> str | None:
    """Its name in functions.c; None for one that has settings, or whose slope is not known from its input."""
    given = layer.activation
    if not isinstance(given, nn.Module):
        return _CALLED.get(given)
    if type(given) not in ELEMENTWISE:
        return None
    name, a, b = ELEMENTWISE[type(given)](given)
    return name if not a and not b and (name == "relu" or name not in FROM_OUTPUT) else None


def _parameters(layer: nn.TransformerEncoderLayer) -> list[Tensor | None] | None:
    """In the order of encoder.c; None where a part of the layer was exchanged for something else."""
    own, norms, dense = layer.self_attn, (layer.norm1, layer.norm2), (layer.linear1, layer.linear2)
    as_made = type(own) is nn.MultiheadAttention and all(type(m) is nn.LayerNorm for m in norms)
    as_made &= all(type(m) is nn.Linear for m in dense) and isinstance(own.out_proj, nn.Linear)
    as_made &= all(type(m) is nn.Dropout for m in (layer.dropout, layer.dropout1, layer.dropout2))
    if not as_made or not own._qkv_same_embed_dim or own.bias_k is not None or own.add_zero_attn:
        return None
    parts = (own.out_proj, *dense, *norms)
    found: list[Tensor | None] = [own.in_proj_weight, own.in_proj_bias, *(p for m in parts for p in (m.weight, m.bias))]
    assert len(found) == native.PARAMETERS
    return found


def _share(p: float, training: bool) -> float:
    return p if training else 0.0


@module_form(nn.TransformerEncoderLayer, how="the whole layer in C, a lane at a time")
def encoder_layer(
    lanes: LaneForms, layer: nn.TransformerEncoderLayer, src: Tensor, src_mask: Tensor | None = None,
    src_key_padding_mask: Tensor | None = None, is_causal: bool = False,
) -> Tensor | None:  # fmt: skip
    """`torch.nn.TransformerEncoderLayer`, without a mask or with one that all lanes and samples share."""
    found, function = _parameters(layer), _activation(layer)
    if found is None or function is None or src.dim() != 3 or src_key_padding_mask is not None or not runs_in_c(src, *found):
        return None
    if is_causal and src_mask is None:
        return None  # torch refuses it
    if src_mask is not None and (src_mask.dim() != 2 or src_mask.requires_grad or wrapped(src_mask)):
        return None
    mask = F._canonical_mask(src_mask, "src_mask", None, "", src.dtype, False)
    own = layer.self_attn
    shares = [_share(own.dropout, own.training)]
    shares += [_share(m.p, m.training) for m in (layer.dropout1, layer.dropout, layer.dropout2)]
    whole = [own.num_heads, FUNCTIONS.index(function), int(layer.norm_first), int(own.batch_first), lanes.site + 1]
    real = [layer.norm1.eps, layer.norm2.eps, *shares]

    def run(x: Tensor, keys: Tensor, *params: Tensor | None) -> Tensor:
        given = [x.new_empty(0) if p is None else p for p in params]
        out: Tensor = native.encoder_layer(x, given, mask, keys, whole, real)[0]
        return out

    lanes.site += sum(share > 0 for share in shares)
    made: Tensor = lanes.together(run, src, lanes.key, *found)
    return made
