"""A rule's tree as formulas: LaTeX for pages, Unicode text for terminals; one line an assignment."""

from __future__ import annotations

from collections.abc import Mapping

from slalom.core.rule import Settings
from slalom.engines.printers.nodes import Call, Compare, Expr, HyperValue, Neg, Num, Op, Prev, Step, Var, walk
from slalom.engines.printers.symbols import Names, plain, superscript
from slalom.engines.printers.tree import Assign, Program, program

_SUM, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 4


def latex(settings: Settings) -> list[str]:
    r"""The update as LaTeX, one line an assignment, in the rule's declared symbols.

    >>> from slalom.rules import sgd
    >>> latex(sgd())
    ['\\theta_t = \\theta_{t-1} - \\eta g_t']
    """
    return _Latex(program(settings)).lines()


def text(settings: Settings) -> list[str]:
    """The update as readable text, one line an assignment.

    >>> from slalom.rules import sgd
    >>> text(sgd(momentum=0.9))[-1]
    'θ_t = θ_{t−1} − η·v_t'
    """
    return _Text(program(settings)).lines()


class _Latex:
    """Each method returns the text of a node and how tightly it binds."""

    gets, is_equal = r"\leftarrow", "="
    comparisons: Mapping[str, str] = {"==": "=", "!=": r"\ne", "<": "<", "<=": r"\le", ">": ">", ">=": r"\ge"}
    minus = "-"

    def __init__(self, made: Program) -> None:
        self.made = made
        self.names = Names(made)

    def lines(self) -> list[str]:
        return [self.line(a) for a in self.made.assigns]

    def line(self, assign: Assign) -> str:
        target, value = self.symbol(assign.target), self.top(assign.value)
        again = target in (self.symbol(n) for n in _names(assign.value))
        return f"{target} {self.gets if again else self.is_equal} {value}"

    def top(self, node: Expr) -> str:
        return self.show(node)[0]

    def symbol(self, node: Expr) -> str:
        return self.names.latex(node)

    def at_least(self, node: Expr, level: int) -> str:
        shown, tightness = self.show(node)
        return shown if tightness >= level else self.parenthesised(shown)

    def parenthesised(self, shown: str) -> str:
        tall = any(command in shown for command in (r"\frac", r"\sqrt", r"\begin"))
        return rf"\left({shown}\right)" if tall else f"({shown})"

    def show(self, node: Expr) -> tuple[str, int]:
        if isinstance(node, Num):
            return f"{node.value:g}", _ATOM
        if isinstance(node, Neg):
            return f"{self.minus}{self.at_least(node.a, _PRODUCT)}", _SUM
        if isinstance(node, Op):
            return self.operation(node)
        if isinstance(node, Call):
            return self.call(node)
        assert not isinstance(node, Compare), node
        return self.symbol(node), _ATOM

    def operation(self, node: Op) -> tuple[str, int]:
        if node.op in "+-":
            sign = self.minus if node.op == "-" else "+"
            right = self.at_least(node.b, _SUM if node.op == "+" else _PRODUCT)
            return f"{self.at_least(node.a, _SUM)} {sign} {right}", _SUM
        if node.op == "*":
            left, right = self.at_least(node.a, _PRODUCT), self.at_least(node.b, _PRODUCT)
            return self.product(left, right), _PRODUCT
        if node.op == "/":
            return self.quotient(node)
        return self.power(node)

    def product(self, left: str, right: str) -> str:
        if right[0].isdigit():
            return rf"{left} \cdot {right}"
        return rf"{left} \, {right}" if right.startswith(r"\mathrm") else f"{left} {right}"

    def quotient(self, node: Op) -> tuple[str, int]:
        above = node.a
        if isinstance(above, Op) and above.op == "*" and isinstance(above.a, Op) and above.a.op == "/":
            return self.operation(Op("*", above.a, Op("/", above.b, node.b)))  # two fractions side by side, not stacked
        return rf"\frac{{{self.top(node.a)}}}{{{self.top(node.b)}}}", _PRODUCT

    def power(self, node: Op) -> tuple[str, int]:
        if node.b == Num(0.5):
            return self.call(Call("sqrt", (node.a,)))
        base = self.at_least(node.a, _ATOM)
        if "^" in base and not base.endswith((")", "|")):
            base = self.parenthesised(base)
        exponent = node.b
        if isinstance(exponent, Op) and exponent.op == "/":
            shown = f"{self.at_least(exponent.a, _PRODUCT)}/{self.at_least(exponent.b, _POWER)}"
        else:
            shown = self.top(exponent)
        return f"{base}^{{{shown}}}", _POWER

    def call(self, node: Call) -> tuple[str, int]:
        if node.fn == "where":
            return self.cases(node)
        inside = [self.top(a) for a in node.args]
        if node.fn == "sqrt":
            return rf"\sqrt{{{inside[0]}}}", _ATOM
        if node.fn == "absolute":
            return rf"\left|{inside[0]}\right|", _ATOM
        if node.fn == "exp":
            return f"e^{{{inside[0]}}}", _POWER
        if node.fn == "total":
            return rf"\textstyle\sum {inside[0]}", _PRODUCT
        word = {"maximum": r"\max", "minimum": r"\min"}.get(node.fn, rf"\operatorname{{{node.fn}}}")
        return rf"{word}\left({', '.join(inside)}\right)", _ATOM

    def condition(self, node: Expr) -> str:
        assert isinstance(node, Compare), node
        return f"{self.top(node.a)} {self.comparisons[node.op]} {self.top(node.b)}"

    def cases(self, node: Call) -> tuple[str, int]:
        yes, no = self.top(node.args[1]), self.top(node.args[2])
        rows = rf"{yes} & {self.condition(node.args[0])} \\ {no} & \text{{otherwise}}"
        return rf"\begin{{cases}} {rows} \end{{cases}}", _ATOM


class _Text(_Latex):
    gets, minus = "←", "−"
    comparisons: Mapping[str, str] = {"==": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}

    def symbol(self, node: Expr) -> str:
        return plain(self.names.latex(node))

    def parenthesised(self, shown: str) -> str:
        return f"({shown})"

    def product(self, left: str, right: str) -> str:
        return f"{left}·{right}"

    def quotient(self, node: Op) -> tuple[str, int]:
        return f"{self.at_least(node.a, _PRODUCT)} / {self.at_least(node.b, _POWER)}", _PRODUCT

    def power(self, node: Op) -> tuple[str, int]:
        if node.b == Num(0.5):
            return self.call(Call("sqrt", (node.a,)))
        base = self.at_least(node.a, _ATOM)
        if isinstance(node.b, Num) and isinstance(node.b.value, int):
            return base + superscript(node.b.value), _POWER
        return f"{base}^{self.at_least(node.b, _ATOM)}", _POWER

    def call(self, node: Call) -> tuple[str, int]:
        if node.fn == "where":
            return self.cases(node)
        if node.fn == "sqrt":
            return f"√{self.at_least(node.args[0], _ATOM)}", _ATOM
        inside = [self.top(a) for a in node.args]
        if node.fn == "absolute":
            return f"|{inside[0]}|", _ATOM
        word = {"maximum": "max", "minimum": "min", "total": "sum"}.get(node.fn, node.fn)
        return f"{word}({', '.join(inside)})", _ATOM

    def cases(self, node: Call) -> tuple[str, int]:
        yes, no = self.top(node.args[1]), self.top(node.args[2])
        return f"{yes} if {self.condition(node.args[0])} else {no}", 0


def _names(node: Expr) -> list[Expr]:
    return [n for n in walk(node) if isinstance(n, Var | Prev | HyperValue | Step)]
