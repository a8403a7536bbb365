"""Trees as a list of calls, each distinct part once: evaluated with NumPy here, printed as other languages elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from slalom.engines.printers.host import BINARY, CALLS
from slalom.engines.printers.nodes import Call, Compare, Expr, Neg, Num, Op, Var

_CALLS: dict[str, Callable[..., Any]] = {**CALLS, "log": np.log, "cos": np.cos, "sin": np.sin}


class Tape:
    """Several trees as one list: `entries[k]` is what slot k holds, its parts' slots in `parts[k]`; `outputs` are the trees'.

    Entries come in an order in which they can be computed, so a printer makes one statement of each.

    >>> from slalom.engines.formula import traced
    >>> tape = Tape([traced(lambda x, y: (x - y) ** 2 + (x - y), "xy")])
    >>> len(tape.entries), tape({"x": 3.0, "y": 1.0})
    (6, [np.float64(6.0)])
    """

    def __init__(self, wanted: Sequence[Expr]) -> None:
        self.entries: list[Expr] = []
        self.parts: list[tuple[int, ...]] = []
        self._slots: dict[Expr, int] = {}
        self.outputs = [self._slot(node) for node in wanted]

    def __call__(self, values: Mapping[str, Any]) -> list[Any]:
        """One NumPy value a tree, for a number or an array a name."""
        memory: list[Any] = []
        with np.errstate(all="ignore"):
            for node, parts in zip(self.entries, self.parts, strict=True):
                got = [memory[k] for k in parts]
                if isinstance(node, Num):
                    memory.append(float(node.value))
                elif isinstance(node, Var):
                    memory.append(np.asarray(values[node.name], dtype=np.float64)[()])
                elif isinstance(node, Neg):
                    memory.append(np.negative(got[0]))
                elif isinstance(node, Op | Compare):
                    memory.append(BINARY[node.op](*got))
                else:
                    assert isinstance(node, Call), node
                    memory.append(_CALLS[node.fn](*got))
        return [memory[k] for k in self.outputs]

    def _slot(self, node: Expr) -> int:
        if node not in self._slots:
            parts: tuple[Expr, ...] = ()
            if isinstance(node, Neg):
                parts = (node.a,)
            elif isinstance(node, Op | Compare):
                parts = (node.a, node.b)
            elif isinstance(node, Call):
                parts = node.args
            slots = tuple(self._slot(p) for p in parts)
            self._slots[node] = len(self.entries)
            self.entries.append(node)
            self.parts.append(slots)
        return self._slots[node]
