"""The operations of torch that a function comes down to, recorded as a graph while it runs once.

What `torch.fx.experimental.proxy_tensor.make_fx` does, without the shapes and stack traces that a compiler would want: a
tenth of its time.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils._python_dispatch import TorchDispatchMode

SELECT = torch.ops.aten.select.int


class WritesError(Exception):
    """An operation would have written into a tensor that is to be left alone."""


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active, every operation is a node of `graph`. A tensor that no node made is a constant, held as it is.

    `kept`: a tensor that nothing may write into, WritesError where something would.
    """

    def __init__(self, inputs: Sequence[Tensor], kept: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.writes = False
        self.parts: dict[tuple[Any, int, int], list[fx.Node]] = {}  # (node, axis, its length) -> places taken out of it
        self.kept = kept.untyped_storage()._cdata
        self.graph = fx.Graph()
        self.constants: dict[str, Tensor] = {}
        self.alive: list[Any] = list(inputs)  # nothing may die meanwhile: tensors are told apart by id
        self.nodes = {id(t): self.graph.placeholder(f"given_{k}") for k, t in enumerate(inputs)}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing here is compiled, and merely to ask the compiler costs seconds of imports

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func._schema.is_mutable:
            self._look(func, args, kwargs)
        node = self.graph.call_function(func, self._known(args), self._known(kwargs))
        out = func(*args, **kwargs)
        self._name(out, node)
        self.writes |= func._schema.is_mutable
        if func is SELECT:
            self.parts.setdefault((node.args[0], args[1], args[0].size(args[1])), []).append(node)
        return out

    def _look(self, func: Any, args: Any, kwargs: Any) -> None:
        given = [*zip(func._schema.arguments, args, strict=False), *((a, kwargs.get(a.name)) for a in func._schema.arguments)]
        for argument, value in given:
            if argument.alias_info is not None and argument.alias_info.is_write:
                parts = value if isinstance(value, tuple | list) else [value]
                if any(isinstance(t, Tensor) and t.untyped_storage()._cdata == self.kept for t in parts):
                    raise WritesError(f"{func} writes into the inputs")

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
        if not self.writes:
            self._take_apart_at_once()
        return fx.GraphModule(dict(self.constants), self.graph)

    def _take_apart_at_once(self) -> None:
        """All places along an axis, each selected by itself, become one unbind: its gradient is one stack.

        The gradient of a select is a tensor of zeros as large as the whole, for every place.
        """
        for (whole, axis, length), selects in self.parts.items():
            if {n.args[2] for n in selects} != set(range(length)):
                continue
            with self.graph.inserting_before(selects[0]):
                parts = self.graph.call_function(torch.ops.aten.unbind.int, (whole, axis))
                places = [self.graph.call_function(operator.getitem, (parts, k)) for k in range(length)]
            for node in selects:
                place = node.args[2]
                assert isinstance(place, int)
                node.replace_all_uses_with(places[place])
                self.graph.erase_node(node)
