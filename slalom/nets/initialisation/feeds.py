"""What feeds each weight layer: the activation, if any, between it and the layer before.

Read off a symbolic trace of the model's forward (torch.fx), so modules and functions (`F.relu`, `x.tanh()`) count alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from slalom.core.errors import BadValueError
from slalom.nets.activations import ACTIVATIONS, Maxout, Moments, maxout_moments, moments
from slalom.nets.activations.layers import still
from slalom.nets.kinds import BATCH_NORMS, CONVOLUTIONS, DROPOUTS

WEIGHTED = (nn.Linear, *CONVOLUTIONS, Maxout)
NORMS = (
    *BATCH_NORMS, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d,
    nn.InstanceNorm3d,
)  # fmt: skip
PASSING = (
    *DROPOUTS, nn.Flatten, nn.Unflatten, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d,
    nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool1d,
    nn.AdaptiveMaxPool2d, nn.Identity,
)  # fmt: skip
PASSING_CALLS = {
    "flatten", "reshape", "view", "permute", "transpose", "squeeze", "unsqueeze", "contiguous", "dropout", "max_pool1d",
    "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "chunk", "getitem",
    "to",
}  # fmt: skip
FUNCTIONS = {
    "relu", "relu_", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "sigmoid", "tanh",
    "hardtanh",
    "hardswish", "hardsigmoid", "softsign", "logsigmoid", "tanhshrink", "sin", "erf",
}  # fmt: skip


@dataclass(frozen=True)
class Feed:
    """`name` of what feeds a layer (an activation's, "input", "normalised", or another operation's) and its moments."""

    name: str
    moments: Moments


PLAIN = moments(nn.Identity())


def layers(model: nn.Module) -> dict[str, nn.Module]:
    """The weight layers by name; a Maxout counts as one, its inner linear layer not again."""
    found = {name: m for name, m in model.named_modules() if isinstance(m, WEIGHTED)}
    return {name: m for name, m in found.items() if not isinstance(found.get(name.rpartition(".")[0]), Maxout)}


def feeds(model: nn.Module, activation: str | nn.Module | None) -> dict[str, Feed]:
    """What feeds each weight layer, in the order of the forward pass; `activation` given, all but the first have that one.

    Errors: `BadValueError` where the model cannot be traced and no activation is given.
    """
    if activation is not None:
        chosen = activation_feed(activation)
        return {name: chosen if k else Feed("input", PLAIN) for k, name in enumerate(layers(model))}
    try:
        graph = _Tracer().trace(model)
    except Exception as error:  # whatever a user's forward does with a tensor's values
        raise BadValueError(
            f"initialise: the forward of {type(model).__name__} cannot be traced ({str(error).splitlines()[0][:120]}), so what "
            "feeds each layer is unknown; say it: activation='relu'"
        ) from None
    named = dict(model.named_modules())
    found: dict[str, Feed] = {}
    for node in graph.nodes:
        if node.op == "call_module" and isinstance(named[str(node.target)], WEIGHTED):
            found.setdefault(str(node.target), _fed_by(node.all_input_nodes[0], named))
    return found


def activation_feed(activation: str | nn.Module) -> Feed:
    """The feed of a catalogue name (`maxout` with two pieces) or an elementwise module."""
    if isinstance(activation, nn.Module):
        return Feed(type(activation).__name__, module_moments(activation))
    from slalom.nets.activations import MAXOUT, entry

    entry(activation)  # an unknown name's error
    made = maxout_moments(2) if activation == MAXOUT else moments(ACTIVATIONS[activation].make().double())
    return Feed(activation, made)


def module_moments(module: nn.Module) -> Moments:
    """The moments of an activation module as it is now; slopes per channel (PReLU) are averaged."""
    if isinstance(module, Maxout):
        return maxout_moments(module.pieces)
    made = still(module)
    if isinstance(made, nn.PReLU) and made.weight.numel() > 1:
        with torch.no_grad():
            made.weight = nn.Parameter(made.weight.square().mean().sqrt().reshape(1))
    return moments(made)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, WEIGHTED) or not list(m.children()) or super().is_leaf_module(m, module_qualified_name)


def _fed_by(node: fx.Node, named: dict[str, nn.Module]) -> Feed:
    while True:
        if node.op == "placeholder":
            return Feed("input", PLAIN)
        if node.op == "call_module":
            module = named[str(node.target)]
            if isinstance(module, NORMS):
                return Feed("normalised", PLAIN)
            if isinstance(module, WEIGHTED) and not isinstance(module, Maxout):
                return Feed("identity", PLAIN)
            if not isinstance(module, PASSING):
                return _elementwise(type(module).__name__, lambda m=module: module_moments(m))  # type: ignore[misc]
        elif node.op in ("call_function", "call_method"):
            name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
            if name in FUNCTIONS:
                return _elementwise(name, lambda n=node: moments(_function(n)))  # type: ignore[misc]
            if name not in PASSING_CALLS:
                return Feed(name, PLAIN)
        else:
            return Feed(node.op, PLAIN)
        node = node.all_input_nodes[0]


def _elementwise(name: str, made: Callable[[], Moments]) -> Feed:
    try:
        return Feed(name, made())
    except Exception:  # not an activation: a user's layer, attention, an embedding
        return Feed(name, PLAIN)


def _function(node: fx.Node) -> Callable[[torch.Tensor], torch.Tensor]:
    rest: tuple[Any, ...] = tuple(node.args[1:])
    keywords = {k: v for k, v in node.kwargs.items() if k not in ("inplace", "input")}
    if isinstance(node.target, str):
        method = node.target.rstrip("_")
        return lambda x: getattr(x, method)(*rest, **keywords)
    target: Any = node.target
    return lambda x: target(x, *(() if target.__name__ in ("relu", "hardtanh") else rest), **keywords)


def weights_of(module: nn.Module) -> Iterator[tuple[nn.Parameter, nn.Parameter | None]]:
    """The weight `[out, in, ...]` of a layer and its bias."""
    inner: Any = module.linear if isinstance(module, Maxout) else module
    yield inner.weight, inner.bias
