"""A tree as text, as one would write it by hand: `(1 - x)² + 100 (y - x²)²`."""

from __future__ import annotations

from slalom.engines.printers.nodes import Call, Compare, Expr, Neg, Num, Op, Var
from slalom.engines.printers.symbols import superscript

_RANK = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 4}
_LEAF = 5
_NAMES = {"absolute": "abs", "maximum": "max", "minimum": "min"}


def text(node: Expr, exact: bool = False) -> str:
    """The formula in Unicode; numbers in six digits, or all of them where `exact`.

    >>> from slalom.engines.formula import traced
    >>> text(traced(lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2, "xy"))
    '(1 - x)² + 100 (y - x²)²'
    """
    return _Writer(exact).write(node)[0]


class _Writer:
    def __init__(self, exact: bool) -> None:
        self.exact = exact

    def write(self, node: Expr) -> tuple[str, int]:
        """The text, and how tightly its last operation binds."""
        if isinstance(node, Num):
            return (repr(node.value) if self.exact else f"{node.value:.6g}"), _LEAF
        if isinstance(node, Var):
            return node.name, _LEAF
        if isinstance(node, Neg):
            return f"-{self.inside(node.a, 2)}", 2
        if isinstance(node, Compare):
            return f"{self.inside(node.a, 1)} {node.op} {self.inside(node.b, 1)}", 0
        if isinstance(node, Call):
            return f"{_NAMES.get(node.fn, node.fn)}({', '.join(self.write(a)[0] for a in node.args)})", _LEAF
        assert isinstance(node, Op), node
        rank = _RANK[node.op]
        if node.op == "**":
            base = self.inside(node.a, _LEAF)
            if isinstance(node.b, Num) and float(node.b.value).is_integer():
                return base + superscript(int(node.b.value)), rank
            return f"{base}^{self.inside(node.b, _LEAF)}", rank
        left, right = self.inside(node.a, rank), self.inside(node.b, rank + (node.op in "-/"))
        right = f"({right})" if right.startswith("-") else right
        if node.op == "*":
            return f"{left} · {right}" if right[0].isdigit() else f"{left} {right}", rank
        return f"{left} {node.op} {right}", rank

    def inside(self, node: Expr, above: int) -> str:
        made, rank = self.write(node)
        return f"({made})" if rank < above else made
