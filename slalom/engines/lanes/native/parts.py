"""A module as a chain of its parts: nested `nn.Sequential`, or a forward that passes one tensor from layer to layer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from slalom.engines.lanes.dropout import OwnDropout


class Unfit(Exception):
    """The module is no chain of layers that are written in C; the message says what stands in the way."""


def _flatten(args: tuple[Any, ...], kwargs: dict[str, Any]) -> nn.Module:
    return nn.Flatten(*args, **kwargs)


# What a forward may call beside its layers, as the layer that does the same.
_CALLS: dict[Any, Callable[[tuple[Any, ...], dict[str, Any]], nn.Module]] = {
    F.relu: lambda a, k: nn.ReLU(), torch.relu: lambda a, k: nn.ReLU(), "relu": lambda a, k: nn.ReLU(),
    F.tanh: lambda a, k: nn.Tanh(), torch.tanh: lambda a, k: nn.Tanh(), "tanh": lambda a, k: nn.Tanh(),
    F.sigmoid: lambda a, k: nn.Sigmoid(), torch.sigmoid: lambda a, k: nn.Sigmoid(), "sigmoid": lambda a, k: nn.Sigmoid(),
    F.gelu: lambda a, k: nn.GELU(*a, **k), F.silu: lambda a, k: nn.SiLU(), F.elu: lambda a, k: nn.ELU(*a[:1], **k),
    F.leaky_relu: lambda a, k: nn.LeakyReLU(*a[:1], **k), F.softplus: lambda a, k: nn.Softplus(*a, **k),
    F.mish: lambda a, k: nn.Mish(), F.selu: lambda a, k: nn.SELU(),
    torch.flatten: _flatten, "flatten": _flatten,
    F.max_pool2d: lambda a, k: nn.MaxPool2d(*a, **k), F.avg_pool2d: lambda a, k: nn.AvgPool2d(*a, **k),
}  # fmt: skip


def parts(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Names (ending in a dot) and layers in the order in which they run. Unfit where that is no chain."""
    for part in module.modules():
        if part._forward_hooks or part._forward_pre_hooks or part._backward_hooks or part._backward_pre_hooks:
            raise Unfit(f"{type(part).__name__} has hooks")
        if hasattr(part, "parametrizations"):
            raise Unfit(f"{type(part).__name__} has parametrisations")
        if "forward" in vars(part):
            raise Unfit(f"{type(part).__name__} has a forward of its own")
    found = list(_sequence(module)) if _sequential(module) else list(_traced(module))
    held = [name for name, part in found if part.state_dict()]
    if len(set(held)) != len(held):
        raise Unfit("a layer with parameters or buffers runs twice")
    return found


def _sequential(module: nn.Module) -> bool:
    return type(module) is nn.Sequential or module.__class__.__module__.startswith("torch.nn.")


def _sequence(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    if type(module) is nn.Sequential:
        for name, child in module._modules.items():  # named_children passes over a child that stands there twice
            assert child is not None
            yield from _sequence(child, f"{prefix}{name}.")
    else:
        yield prefix, module


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, OwnDropout) or super().is_leaf_module(m, module_qualified_name)


def _traced(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The layers that a forward of its own calls, one after the other."""
    copied = copy.deepcopy(module)  # a forward under trace may leave proxies on the module
    before = {name: dict(vars(part)) for name, part in copied.named_modules()}
    graphs = []
    for training in (True, False):
        try:
            graphs.append(_Tracer().trace(copied.train(training)))
        except Exception as error:  # whatever a forward does with a proxy
            raise Unfit(
                f"its forward cannot be traced ({str(error).splitlines()[0][:80] if str(error) else type(error).__name__})"
            ) from None
    for name, part in copied.named_modules():
        changed = [k for k, v in vars(part).items() if k != "training" and not _same(before[name].get(k), v)]
        if changed:
            raise Unfit(f"its forward changes {changed[0]}")
    if str(graphs[0]) != str(graphs[1]):
        raise Unfit("its forward differs between training and evaluation")
    before_node: fx.Node | None = None
    for node in graphs[0].nodes:
        if node.op == "placeholder":
            if before_node is not None:
                raise Unfit("its forward takes more than one input")
        elif node.args[:1] != (before_node,) or node.all_input_nodes != [before_node]:
            raise Unfit("its forward is no chain")
        elif node.op == "call_module":
            yield from _sequence(module.get_submodule(str(node.target)), f"{node.target}.")
        elif node.op in ("call_function", "call_method"):
            if node.target not in _CALLS or node.kwargs.get("inplace"):
                raise Unfit(f"{getattr(node.target, '__name__', node.target)} has no form in C")
            yield "", _CALLS[node.target](tuple(node.args[1:]), {k: v for k, v in node.kwargs.items() if k != "inplace"})
        elif node.op != "output":
            raise Unfit("its forward is no chain")
        before_node = node


def _same(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return False
    try:
        return bool(a == b)
    except Exception:
        return False
