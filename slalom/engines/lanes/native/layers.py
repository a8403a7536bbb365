"""The layers of a chain as the rows of numbers that layers.c reads."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from slalom.core.errors import BadValueError
from slalom.engines.lanes.dropout import OwnDropout
from slalom.engines.lanes.layout import Layout
from slalom.engines.lanes.native.parts import Unfit, parts

KINDS = ("linear", "conv", "elementwise", "prelu", "batch_norm", "layer_norm", "dropout", "max_pool", "mean_pool")
FUNCTIONS = (
    "relu", "leaky_relu", "clamp", "tanh", "sigmoid", "elu", "celu", "silu", "gelu", "gelu_tanh", "softplus", "softsign",
    "mish",
)  # fmt: skip
WHOLE = (
    "kind", "in", "out", "weight", "bias", "in_place", "function", "site", "channels", "height", "width", "out_height",
    "out_width", "kernel_height", "kernel_width", "stride_height", "stride_width", "pad_height", "pad_width", "buffer",
)  # fmt: skip
REAL = ("a", "b")
ROW = np.dtype([*((name, np.int64) for name in WHOLE), *((name, np.float64) for name in REAL)])
MOST = 256  # layers
LARGE = 2**18  # weights of a linear layer from which BLAS is as fast (measured at 512 x 512, 128 samples)
FROM_OUTPUT = ("relu", "leaky_relu", "clamp", "tanh", "sigmoid", "elu")  # their slope is known from what they give
OWNED = (
    "linear",
    "conv",
    "batch_norm",
    "layer_norm",
    "max_pool",
    "mean_pool",
    "prelu",
)  # nothing reads their output but the next

Elementwise = tuple[str, float, float]

# Layers without parameters that work on each number by itself: the function in functions.c, and its two settings.
ELEMENTWISE: dict[type[nn.Module], Callable[[Any], Elementwise]] = {
    nn.ReLU: lambda m: ("relu", 0, 0),
    nn.LeakyReLU: lambda m: ("leaky_relu", m.negative_slope, 0),
    nn.ReLU6: lambda m: ("clamp", 0, 6),
    nn.Hardtanh: lambda m: ("clamp", m.min_val, m.max_val),
    nn.Tanh: lambda m: ("tanh", 0, 0),
    nn.Sigmoid: lambda m: ("sigmoid", 0, 0),
    nn.ELU: lambda m: ("elu", 1, m.alpha),
    nn.SELU: lambda m: ("elu", 1.0507009873554804934193349852946, 1.6732632423543772848170429916717),
    nn.CELU: lambda m: ("celu", m.alpha, 0),
    nn.SiLU: lambda m: ("silu", 0, 0),
    nn.GELU: lambda m: ("gelu" if m.approximate == "none" else "gelu_tanh", 0, 0),
    nn.Softplus: lambda m: ("softplus", m.beta, m.threshold),
    nn.Softsign: lambda m: ("softsign", 0, 0),
    nn.Mish: lambda m: ("mish", 0, 0),
}


@dataclass(frozen=True)
class Chain:
    """`rows`: the layers; `norms`: names of running mean and variance of each BatchNorm; `out_shape`: of one sample's output.

    `length`: how many parameters it has.
    """

    rows: np.ndarray[Any, np.dtype[np.void]]
    norms: list[str]
    counters: list[str]
    shares: list[str]  # of each dropout that has one a lane
    out_shape: tuple[int, ...]
    length: int


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


class _Builder:
    def __init__(self, module: nn.Module, layout: Layout, shape: tuple[int, ...]) -> None:
        offsets = np.concatenate([[0], np.cumsum(layout.sizes)])
        self.offset = {name: int(at) for name, at in zip(layout.names, offsets, strict=False)}
        self.shape = shape
        self.rows: list[dict[str, Any]] = []
        self.norms: list[str] = []
        self.counters: list[str] = []
        self.shares: list[str] = []
        self.sites = 0
        for at, layer in parts(module):
            self.add(at, layer)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def parameter(self, name: str, value: Any) -> int:
        return -1 if value is None else self.offset[name]

    def put(self, kind: str, out: tuple[int, ...], **given: Any) -> None:
        row: dict[str, Any] = {"kind": KINDS.index(kind), "in": self.size, "out": math.prod(out), "weight": -1, "bias": -1}
        self.rows.append(row | given)
        self.shape = out

    def picture(self, layer: nn.Module) -> tuple[int, int, int]:
        if len(self.shape) != 3:
            raise Unfit(f"{type(layer).__name__} on inputs {list(self.shape)}")
        return self.shape

    def add(self, at: str, layer: Any) -> None:
        kind = type(layer)
        if kind in ELEMENTWISE:
            self.elementwise(*ELEMENTWISE[kind](layer))
        elif kind in _LAYERS:
            _LAYERS[kind](self, at, layer)
        elif (kind is nn.Dropout and layer.p == 0) or kind is nn.Identity:
            pass
        else:
            raise Unfit(f"{kind.__name__} has no form in C")

    def takes(self, layer: nn.Module, wanted: int, got: int, what: str) -> None:
        """What torch itself would refuse: C would read past the end."""
        if wanted != got:
            raise BadValueError(f"{type(layer).__name__} takes {wanted} {what}, got {got} (of samples {list(self.shape)})")

    def elementwise(self, function: str, a: float, b: float) -> None:
        before = KINDS[self.rows[-1]["kind"]] if self.rows else ""
        rising = {"leaky_relu": a > 0, "elu": a > 0 and b > 0}.get(function, True)
        place = function in FROM_OUTPUT and rising and before in OWNED
        self.put("elementwise", self.shape, function=FUNCTIONS.index(function), in_place=int(place), a=a, b=b)

    def linear(self, at: str, m: nn.Linear) -> None:
        if len(self.shape) != 1:
            raise Unfit("Linear before the input is flat")
        if m.weight.numel() >= LARGE:
            raise Unfit(f"a layer of {m.weight.numel()} weights is as fast through BLAS")
        self.takes(m, m.in_features, self.size, "inputs")
        weight, bias = self.parameter(f"{at}weight", m.weight), self.parameter(f"{at}bias", m.bias)
        self.put("linear", (m.out_features,), weight=weight, bias=bias, buffer=int(not self.rows))

    def flatten(self, at: str, m: nn.Flatten) -> None:
        if m.start_dim != 1 or m.end_dim not in (-1, len(self.shape)):
            raise Unfit("Flatten of some axes only")
        self.shape = (self.size,)

    def unflatten(self, at: str, m: nn.Unflatten) -> None:
        sizes = tuple(int(n) for n in m.unflattened_size)
        if m.dim != 1 or len(self.shape) != 1 or math.prod(sizes) != self.size:
            raise Unfit("Unflatten of some axes only")
        self.shape = sizes

    def conv(self, at: str, m: nn.Conv2d) -> None:
        channels, height, width = self.picture(m)
        if m.groups != 1 or _pair(m.dilation) != (1, 1) or m.padding_mode != "zeros" or isinstance(m.padding, str):
            raise Unfit("Conv2d with groups, dilation or a padding mode")
        self.takes(m, m.in_channels, channels, "channels")
        window = self.window(_pair(m.kernel_size), _pair(m.stride), _pair(m.padding), height, width)
        weight, bias = self.parameter(f"{at}weight", m.weight), self.parameter(f"{at}bias", m.bias)
        out = (m.out_channels, window["out_height"], window["out_width"])
        self.put("conv", out, weight=weight, bias=bias, channels=channels, **window)

    def window(
        self, kernel: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int], height: int, width: int
    ) -> dict[str, int]:
        out = [(size + 2 * p - k) // s + 1 for size, p, k, s in zip((height, width), pad, kernel, stride, strict=True)]
        if min(out) < 1:
            raise Unfit("a window larger than its input")
        return {
            "height": height, "width": width, "out_height": out[0], "out_width": out[1], "kernel_height": kernel[0],
            "kernel_width": kernel[1], "stride_height": stride[0], "stride_width": stride[1], "pad_height": pad[0],
            "pad_width": pad[1],
        }  # fmt: skip

    def max_pool(self, at: str, m: nn.MaxPool2d) -> None:
        channels, height, width = self.picture(m)
        if _pair(m.dilation) != (1, 1) or m.ceil_mode or m.return_indices:
            raise Unfit("MaxPool2d with dilation, ceil_mode or indices")
        window = self.window(_pair(m.kernel_size), _pair(m.stride), _pair(m.padding), height, width)
        self.put("max_pool", (channels, window["out_height"], window["out_width"]), channels=channels, **window)

    def mean_pool(self, at: str, m: nn.AvgPool2d) -> None:
        channels, height, width = self.picture(m)
        if m.ceil_mode or m.divisor_override is not None or _pair(m.padding) != (0, 0):
            raise Unfit("AvgPool2d with padding, ceil_mode or a divisor")
        window = self.window(_pair(m.kernel_size), _pair(m.stride), (0, 0), height, width)
        self.put("mean_pool", (channels, window["out_height"], window["out_width"]), channels=channels, **window)

    def adaptive(self, at: str, m: nn.AdaptiveAvgPool2d) -> None:
        channels, height, width = self.picture(m)
        size: Any = m.output_size
        if size not in (1, (1, 1), [1, 1]):
            raise Unfit("AdaptiveAvgPool2d to more than one place")
        window = self.window((height, width), (1, 1), (0, 0), height, width)
        self.put("mean_pool", (channels, 1, 1), channels=channels, **window)

    def batch_norm(self, at: str, m: Any) -> None:
        if len(self.shape) != (1 if isinstance(m, nn.BatchNorm1d) else 3):
            raise Unfit(f"{type(m).__name__} on inputs {list(self.shape)}")
        if m.momentum is None or not m.track_running_stats:
            raise Unfit(f"{type(m).__name__} with a cumulative average or without running statistics")
        self.takes(m, m.num_features, self.shape[0], "channels")
        weight, bias = self.parameter(f"{at}weight", m.weight), self.parameter(f"{at}bias", m.bias)
        place = {"buffer": len(self.norms) // 2, "channels": m.num_features, "a": m.eps, "b": m.momentum}
        self.norms += [f"{at}running_mean", f"{at}running_var"]
        self.counters.append(f"{at}num_batches_tracked")
        self.put("batch_norm", self.shape, weight=weight, bias=bias, **place)

    def layer_norm(self, at: str, m: nn.LayerNorm) -> None:
        if len(self.shape) != 1:
            raise Unfit(f"LayerNorm on inputs {list(self.shape)}")
        self.takes(m, math.prod(m.normalized_shape), self.size, "inputs")
        weight, bias = self.parameter(f"{at}weight", m.weight), self.parameter(f"{at}bias", m.bias)
        self.put("layer_norm", self.shape, weight=weight, bias=bias, a=m.eps)

    def prelu(self, at: str, m: nn.PReLU) -> None:
        if m.num_parameters not in (1, self.shape[0]):
            raise Unfit(f"PReLU of {m.num_parameters} slopes on inputs {list(self.shape)}")
        self.put("prelu", self.shape, weight=self.parameter(f"{at}weight", m.weight), channels=m.num_parameters)

    def dropout(self, at: str, m: Any) -> None:
        if m.p >= 1:
            raise Unfit("dropout of everything")
        if m.p > 0:
            self.sites += 1
            places = math.prod(self.shape[1:]) if isinstance(m, nn.Dropout2d) else 1
            self.put("dropout", self.shape, site=self.sites, function=places, a=m.p)

    def own_dropout(self, at: str, m: OwnDropout) -> None:
        self.sites += 1
        self.shares.append(f"{at}p")
        self.put("dropout", self.shape, site=self.sites, function=1, buffer=-len(self.shares))


_LAYERS: dict[type[nn.Module], Callable[[_Builder, str, Any], None]] = {
    nn.Linear: _Builder.linear, nn.Flatten: _Builder.flatten, nn.Unflatten: _Builder.unflatten, nn.Conv2d: _Builder.conv,
    nn.MaxPool2d: _Builder.max_pool, nn.AvgPool2d: _Builder.mean_pool, nn.AdaptiveAvgPool2d: _Builder.adaptive,
    nn.BatchNorm1d: _Builder.batch_norm, nn.BatchNorm2d: _Builder.batch_norm, nn.LayerNorm: _Builder.layer_norm,
    nn.PReLU: _Builder.prelu, nn.Dropout: _Builder.dropout, nn.Dropout2d: _Builder.dropout, OwnDropout: _Builder.own_dropout,
}  # fmt: skip


def chain(module: nn.Module, layout: Layout, shape: tuple[int, ...]) -> Chain:
    """The module as a chain for inputs of this shape (of one sample). Unfit where it is none."""
    frozen = [name for name, p in module.named_parameters() if name not in layout.names]
    if frozen:
        raise Unfit(f"{frozen[0]} is frozen")
    if len(list(module.named_parameters(remove_duplicate=False))) != len(layout.names):
        raise Unfit("parameters are shared between modules")
    made = _Builder(module, layout, shape)
    used = sum(1 for row in made.rows for key in ("weight", "bias") if row[key] >= 0)
    if used != len(layout.names):
        raise Unfit("it has parameters that its forward does not use")
    if not 1 <= len(made.rows) <= MOST:
        raise Unfit(f"it has {len(made.rows)} layers; 1 to {MOST} run in C")
    for given in made.rows:
        if given.get("buffer", 0) < 0:  # shares lie behind the norms' statistics, counted from 1
            given["buffer"] = len(made.norms) - given["buffer"]
    rows = np.zeros(len(made.rows), ROW)
    for at, given in enumerate(made.rows):
        for key, value in given.items():
            rows[key][at] = value
    return Chain(rows, made.norms, made.counters, made.shares, made.shape, layout.length)
