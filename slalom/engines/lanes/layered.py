"""Functions of torch that hide dropout, taken apart so that their masks are a lane's own: attention and recurrent stacks."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

RECURRENT = (torch.gru, torch.lstm, torch.rnn_tanh, torch.rnn_relu)

# torch's own code of multi-head attention, with its look for overrides off: else it hands itself over in one piece, and the
# linear maps and the dropout inside are never seen.
_globals = {**vars(F), "has_torch_function": lambda _: False}
attention_inside = types.FunctionType(
    F.multi_head_attention_forward.__code__, _globals, "multi_head_attention_forward", F.multi_head_attention_forward.__defaults__
)


def attention(
    drop: Callable[[Tensor, float], Tensor], query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
    dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """`torch.nn.functional.scaled_dot_product_attention` step by step, for the sake of its dropout."""
    if enable_gqa:
        raise NotImplementedError("attention dropout with enable_gqa has no form for lanes")
    scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    return drop(torch.softmax(scores, -1), dropout_p) @ value


Layer = Callable[[Any, Tensor, Any, list[Tensor], bool, bool, bool], tuple[Tensor, ...]]


def is_packed(args: tuple[Any, ...]) -> bool:
    """Whether a call of a recurrent function is for a packed sequence."""
    return isinstance(args[3], list | tuple)


def plain_layer(
    func: Any, x: Tensor, hx: Any, weights: list[Tensor], has_biases: bool, both: bool, batch_first: bool
) -> tuple[Tensor, ...]:
    """One layer by torch's own function."""
    made: tuple[Tensor, ...] = func(x, hx, weights, has_biases, 1, 0.0, False, both, batch_first)
    return made


def layered(func: Any, args: tuple[Any, ...], layer: Layer, drop: Callable[[Tensor, float], Tensor]) -> tuple[Tensor, ...]:
    """A call of a recurrent function, one `layer` after another; dropout on the outputs of all but the last."""
    x, hx, weights, has_biases, count, dropout, train, both, batch_first = args
    states = hx if isinstance(hx, tuple) else (hx,)
    per, directions = len(weights) // count, 2 if both else 1
    last: list[tuple[Tensor, ...]] = []
    for k in range(count):
        own = tuple(s[k * directions : (k + 1) * directions] for s in states)
        given = own if func is torch.lstm else own[0]
        x, *ends = layer(func, x, given, weights[k * per : (k + 1) * per], has_biases, both, batch_first)
        last.append(tuple(ends))
        if train and dropout > 0 and k < count - 1:
            x = drop(x, dropout)
    return (x, *(torch.cat(parts) for parts in zip(*last, strict=True)))
