"""The operations of torch that a function comes down to, recorded as a graph while it runs once.

What `torch.fx.experimental.proxy_tensor.make_fx` does, without the shapes and stack traces that a compiler would want: a
tenth of its time.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from torch import Tensor, fx
from torch.utils._python_dispatch import TorchDispatchMode


class Recorder(TorchDispatchMode):
    """While active, every operation is a node of `graph`. A tensor that no node made is a constant, held as it is."""

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        super().__init__()
        self.graph = fx.Graph()
        self.constants: dict[str, Tensor] = {}
        self.alive: list[Any] = list(inputs)  # nothing may die meanwhile: tensors are told apart by id
        self.nodes = {id(t): self.graph.placeholder(f"given_{k}") for k, t in enumerate(inputs)}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        node = self.graph.call_function(func, self._known(args), self._known(kwargs))
        out = func(*args, **kwargs)
        self._name(out, node)
        return out

    def _name(self, made: Any, node: fx.Node) -> None:
        if isinstance(made, Tensor):
            self.alive.append(made)
            self.nodes[id(made)] = node  # what is written in place is from now on what the write returned
        elif isinstance(made, tuple | list):
            for k, part in enumerate(made):
                if isinstance(part, Tensor):
                    self._name(part, self.graph.call_function(operator.getitem, (node, k)))

    def _known(self, given: Any) -> Any:
        """The arguments of a call, tensors as nodes."""
        if isinstance(given, Tensor):
            return self.node(given)
        if isinstance(given, tuple | list):
            return type(given)(self._known(v) for v in given)
        return {k: self._known(v) for k, v in given.items()} if isinstance(given, dict) else given

    def node(self, tensor: Tensor) -> fx.Node:
        """The node that made the tensor."""
        if id(tensor) not in self.nodes:
            name = f"constant_{len(self.constants)}"
            self.alive.append(tensor)
            self.constants[name] = tensor
            self.nodes[id(tensor)] = self.graph.get_attr(name)
        return self.nodes[id(tensor)]

    def program(self, outputs: Sequence[Tensor]) -> fx.GraphModule:
        """A module of the inputs that gives the outputs."""
        self.graph.output(tuple(self.node(t) for t in outputs))
        return fx.GraphModule(dict(self.constants), self.graph)
