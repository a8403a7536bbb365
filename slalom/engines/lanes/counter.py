"""Dropout whose mask is a function of (lane's seed, step, place, element) and of nothing else.

A generator that lanes share would make a lane's masks depend on its neighbours; one generator a lane cannot be batched.
A counter-based hash has neither fault: any mechanism, any company of lanes and a resumed run draw the same masks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from slalom.engines.lanes import layered

_LOW = 0xFFFFFFFF


def _mix(x: Any) -> Any:
    # The finaliser of MurmurHash3 (32 bits, in int64 so that products do not wrap): every output bit depends on every input bit.
    x = x ^ (x >> 16)
    x = (x * 0x85EBCA6B) & _LOW
    x = x ^ (x >> 13)
    x = (x * 0xC2B2AE35) & _LOW
    return x ^ (x >> 16)


def lane_key(seed: int, step: int) -> int:
    """The 32-bit key of a lane at a step."""
    return int(_mix((_mix(seed & _LOW) + 0x9E3779B9 * step) & _LOW))


def lane_keys(seeds: Sequence[int], step: int | np.ndarray[Any, Any]) -> Tensor:
    """Keys `[lanes]` (int64); of steps `[steps, 1]`: `[steps, lanes]`."""
    mixed = _mix(np.array([seed & _LOW for seed in seeds], dtype=np.int64))
    return torch.from_numpy(_mix((mixed + 0x9E3779B9 * step) & _LOW))


def uniform(key: Tensor, site: int, shape: Sequence[int]) -> Tensor:
    """Numbers in [0, 1), float32: `[*shape]` for a key without axes, `[lanes, *shape]` for keys `[lanes]`."""
    count = 1
    for size in shape:
        count *= size
    drawn = uniform_at(key, site, torch.arange(count, dtype=torch.int64, device=key.device))
    return drawn.reshape(*drawn.shape[:-1], *shape)


def uniform_at(key: Tensor, site: int | Tensor, *index: Tensor) -> Tensor:
    """The numbers of `uniform` at these places: `index [count]`, or parts `[lanes, ...]` whose sum is each lane's own places.

    Keys and sites may have more axes, which those of the places begin with.
    """
    base = _mix((key + 0x632BE5AB * (site + 1)) & _LOW)
    axes = 1 if index[0].dim() < 2 else index[0].dim() - base.dim()
    # int32 wraps as the masks of `_mix` do, at half the memory; only its shifts to the right need a mask.
    x = base.to(torch.int32).view(*base.shape, *[1] * axes)
    for part in index:
        x = x + (0x9E3779B9 * part & _LOW).to(torch.int32)
    x = x ^ (x >> 16) & 0xFFFF
    x = x * (0x85EBCA6B - 2**32)
    x = x ^ (x >> 13) & 0x7FFFF
    x = x * (0xC2B2AE35 - 2**32)
    x = x ^ (x >> 16) & 0xFFFF
    drawn: Tensor = ((x >> 8) & 0xFFFFFF).to(torch.float32).mul(2.0**-24)
    return drawn


def drop(x: Tensor, key: Tensor, site: int, p: float | Tensor, mask_shape: Sequence[int]) -> Tensor:
    """Inverted dropout of `x`; the mask has `mask_shape` (after the lane axis of `key`, if it has one).

    `p`: a number below 1 as a tensor where it is a lane's own, shaped to stand beside `x`.
    """
    if isinstance(p, Tensor):
        keep = uniform(key, site, mask_shape) >= p.to(torch.float32)  # the numbers that are drawn are of that precision
    elif p >= 1:
        return x * 0
    else:
        keep = uniform(key, site, mask_shape) >= p
    return torch.where(keep, x / (1 - p), 0)


class CounterDropout(TorchFunctionMode):
    """While active, dropout draws from `key`; sites count up by call.

    That is `torch.nn.functional.dropout`, its channel-wise kin, and the dropout inside attention and recurrent layers.
    """

    _channels: dict[Callable[..., Any], int] = {F.dropout: 0, F.dropout1d: 1, F.dropout2d: 2, F.dropout3d: 3}  # noqa: RUF012

    def __init__(self, key: Tensor) -> None:
        super().__init__()
        self.key = key
        self.site = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in self._channels:
            return self._dropout(self._channels[func], *args, **kwargs)
        if func is F.multi_head_attention_forward:
            with self:
                return layered.attention_inside(*args, **kwargs)
        if func is F.scaled_dot_product_attention and (kwargs.get("dropout_p") or (len(args) > 4 and args[4])):
            return layered.attention(self.drop_all, *args, **kwargs)
        if func in layered.RECURRENT and not layered.is_packed(args) and args[4] > 1 and args[5] > 0 and args[6]:
            return layered.layered(func, args, layered.plain_layer, self.drop_all)
        return func(*args, **kwargs)

    def drop_all(self, x: Tensor, p: float) -> Tensor:
        """Dropout of every element of `x` by itself."""
        return self._dropout(0, x, p)

    def _dropout(self, dims: int, input: Tensor, p: float | Tensor = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        # Out of place also when inplace is asked for: the result is the same, and vmap cannot write into a shared input.
        if not training or (not isinstance(p, Tensor) and p == 0):
            return input
        self.site += 1
        shape = input.shape if dims == 0 else (*input.shape[: input.dim() - dims], *([1] * dims))
        return drop(input, self.key, self.site, p, shape)
