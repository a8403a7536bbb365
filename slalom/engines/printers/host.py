"""What depends on hypers, step and scalar states alone, computed once a step in double precision with NumPy."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from slalom.engines.printers.nodes import Call, Compare, Expr, HyperValue, Neg, Num, Op, Prev, Step, Var
from slalom.engines.printers.tree import Program

BINARY: dict[str, Callable[..., Any]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "**": np.power,
    "==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip
CALLS: dict[str, Callable[..., Any]] = {
    "sqrt": np.sqrt, "exp": np.exp, "absolute": np.abs, "sign": np.sign, "maximum": np.maximum,
    "minimum": np.minimum, "where": np.where,
}  # fmt: skip
# The same on Python's floats; what raises there is left to NumPy, which answers with infinity or NaN.
_PLAIN: dict[Callable[..., Any], Callable[..., Any]] = {
    np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul, np.divide: operator.truediv,
    np.power: math.pow, np.equal: operator.eq, np.not_equal: operator.ne, np.less: operator.lt, np.less_equal: operator.le,
    np.greater: operator.gt, np.greater_equal: operator.ge, np.negative: operator.neg, np.sqrt: math.sqrt, np.exp: math.exp,
    np.abs: abs, np.sign: lambda x: x if x != x else float((x > 0) - (x < 0)),
    np.maximum: lambda a, b: a if a > b or a != a else b, np.minimum: lambda a, b: a if a < b or a != a else b,
    np.where: lambda condition, yes, no: yes if condition else no,
}  # fmt: skip


class HostTape:
    """Several host expressions flattened to one list of NumPy calls, each distinct subexpression computed once.

    `where` selects, so a NaN or infinity in the branch not taken goes nowhere. Every value has a slot: `inputs` (slot, kind,
    name), `numbers` (slot, number) and then `calls` (slot, NumPy function, its arguments' slots), in order, fill them;
    `outputs` are the slots of what was wanted. `slalom.engines.printers.tape` prints the same list as C.
    """

    def __init__(self, made: Program, wanted: Sequence[Expr]) -> None:
        self._made = made
        self._slots: dict[Any, int] = {}
        self.inputs: list[tuple[int, str, str]] = []  # slot, kind ("hyper", "scalar", "step"), name
        self.numbers: list[tuple[int, float]] = []
        self.calls: list[tuple[int, Callable[..., Any], tuple[int, ...]]] = []
        self.outputs = [self._slot(node) for node in wanted]
        self._size = len(self._slots)

    def run(self, values: Mapping[str, Any], t: Any, scalars: Mapping[str, Any]) -> list[Any]:
        """One NumPy value for each wanted expression; `values`, `t` and `scalars` are numbers or one number a lane."""
        memory: list[Any] = [None] * self._size
        for slot, number in self.numbers:
            memory[slot] = number
        for slot, kind, name in self.inputs:
            source = values[name] if kind == "hyper" else scalars[name] if kind == "scalar" else t
            memory[slot] = np.asarray(source, dtype=np.float64)
        with np.errstate(all="ignore"):
            for slot, call, args in self.calls:
                memory[slot] = call(*(memory[a] for a in args))
        return [memory[k] for k in self.outputs]

    def one(self, values: Mapping[str, Any], t: float, scalars: Mapping[str, float]) -> list[float] | None:
        """As `run`, for one number each, in Python's floats, which is quicker; None where these know no answer (1 / 0)."""
        memory: list[Any] = [None] * self._size
        for slot, number in self.numbers:
            memory[slot] = number
        for slot, kind, name in self.inputs:
            memory[slot] = values[name] if kind == "hyper" else scalars[name] if kind == "scalar" else t
            if type(memory[slot]) is not float:
                return None
        try:
            for slot, call, args in self.calls:
                memory[slot] = _PLAIN[call](*(memory[a] for a in args))
        except (ArithmeticError, ValueError):
            return None
        return [memory[k] for k in self.outputs]

    def _new(self, key: Any) -> int:
        self._slots[key] = len(self._slots)
        return self._slots[key]

    def _slot(self, node: Expr) -> int:
        if isinstance(node, Var):
            value = self._made.definition(node)
            assert value is not None, node
            return self._slot(value)
        if node in self._slots:
            return self._slots[node]
        if isinstance(node, Num):
            slot = self._new(node)
            self.numbers.append((slot, float(node.value)))
        elif isinstance(node, HyperValue):
            slot = self._new(node)
            self.inputs.append((slot, "hyper", node.name))
        elif isinstance(node, Prev):
            slot = self._new(node)
            self.inputs.append((slot, "scalar", node.name))
        elif isinstance(node, Step):
            slot = self._new(node)
            self.inputs.append((slot, "step", "t"))
        elif isinstance(node, Neg):
            slot = self._call(node, np.negative, (self._slot(node.a),))
        elif isinstance(node, Op | Compare):
            slot = self._call(node, BINARY[node.op], (self._slot(node.a), self._slot(node.b)))
        elif isinstance(node, Call):
            slot = self._call(node, CALLS[node.fn], tuple(self._slot(a) for a in node.args))
        else:
            raise AssertionError(node)
        return slot

    def _call(self, node: Expr, call: Callable[..., Any], args: tuple[int, ...]) -> int:
        slot = self._new(node)
        self.calls.append((slot, call, args))
        return slot
