"""A rule's tree as C: one statement an assignment, everything that is the same for a whole lane hoisted out.

The largest subexpressions that depend on hypers, step and scalar states alone become coefficients `c[k]`, one row of
them a lane, computed on the host in double (`slalom.engines.printers.host`). Host factors of a product are gathered
into one coefficient, and a division by one becomes a product with its reciprocal, taken in double: results differ
from the torch path by rounding alone. `where` evaluates both sides and selects, so nothing leaks from the other side.
"""

from __future__ import annotations

from dataclasses import dataclass

from slalom.engines.printers.host import HostTape
from slalom.engines.printers.nodes import Call, Compare, Expr, HyperValue, Neg, Num, Op, Prev, Var
from slalom.engines.printers.tree import LanguageError, Program, reads

CALLS = {"sqrt": "SQRT", "exp": "EXP", "absolute": "FABS", "sign": "SIGN", "maximum": "MAXIMUM", "minimum": "MINIMUM"}
_POWERS = {1: "({0})", 2: "SQUARE({0})", 3: "CUBE({0})", 4: "SQUARE(SQUARE({0}))", 0.5: "SQRT({0})",
           0.25: "SQRT(SQRT({0}))", -1: "(ONE / ({0}))", -2: "(ONE / SQUARE({0}))", -0.5: "(ONE / SQRT({0}))"}  # fmt: skip


@dataclass(frozen=True)
class CBody:
    """The inside of the loop over elements: statements that read `p_0`, `g_0`, `NAME__prev`, `c0`, `c1`, ...

    `outputs` maps "p" and each state that changes to the C name of its new value; `coefficients` are the host
    expressions behind `c0`, `c1`, ...; `powers` the coefficients k that serve as an exponent, printed `POWER_k(x, ck)`;
    `easy` sets of exponents without a call of pow, each worth a loop of its own; `reads` the states read.
    """

    statements: list[str]
    outputs: dict[str, str]
    coefficients: list[Expr]
    powers: list[int]
    easy: list[tuple[float, ...]]
    reads: list[str]


def power_text(base: str, exponent: float) -> str | None:
    """C for a power without a call of pow, which would keep the loop from being a vector loop; None for others."""
    return _POWERS[exponent].format(base) if exponent in _POWERS else None


def c_body(made: Program) -> CBody:
    """The loop body of a program; LanguageError for a rule with a windowed state."""
    if made.windowed:
        raise LanguageError(f"rule {made.name}: a windowed state is not in the language that prints as C")
    return BodyPrinter(made).body()


class BodyPrinter:
    """Prints a program's loop body; a language with C's expressions differs in how it declares and writes a number."""

    declare = "const T"
    number = "((T){0!r})"

    def __init__(self, made: Program) -> None:
        self.made = made
        self.coefficients: list[Expr] = []
        self.powers: list[int] = []
        self.reads: list[str] = []

    def body(self) -> CBody:
        elementwise = [a for a in self.made.assigns if not self.made.host(a.target)]
        statements = [f"{self.declare} {self.expr(a.target)} = {self.expr(a.value)};" for a in elementwise]
        outputs = {"p": self.expr(self.made.p)}
        for name in self.made.element_states:
            if self.made.states[name] != Prev(name):
                outputs[name] = self.expr(self.made.states[name])
        return CBody(statements, outputs, self.coefficients, self.powers, self.easy(), self.reads)

    def easy(self) -> list[tuple[float, ...]]:
        """The exponents at the default of the hyper they depend on, and at 1 or 2, where all of them are easy."""
        exponents = [self.coefficients[k] for k in self.powers]
        leaves = {leaf for node in exponents for leaf in reads(self.made, node)}
        names = {leaf.name for leaf in leaves if isinstance(leaf, HyperValue)}
        if len(names) != 1 or len(leaves) != 1:
            return []
        (name,) = names
        tape, found = HostTape(self.made, exponents), []
        default = self.made.settings.rule.hypers[name].default
        for value in (default, 1.0 if default < 1 else 2.0):  # each is one loop more to compile
            if self.made.settings.rule.hypers[name].admits(value):
                case = tuple(map(float, tape.run({**self.made.settings.values, name: value}, 1, {})))
                if all(e in _POWERS for e in case):
                    found.append(case)
        return found

    def coefficient(self, node: Expr) -> str:
        if isinstance(node, Num):
            return self.number.format(float(node.value))
        if isinstance(node, Neg) and isinstance(node.a, Num):
            return self.number.format(-float(node.a.value))
        if node not in self.coefficients:
            self.coefficients.append(node)
        return f"c{self.coefficients.index(node)}"

    def expr(self, node: Expr) -> str:
        if self.made.host(node):
            return self.coefficient(node)
        if isinstance(node, Var):
            return f"{ascii_name(node.name)}_{node.version}"
        if isinstance(node, Prev):
            if node.name not in self.reads:
                self.reads.append(node.name)
            return state_name(node.name)
        if isinstance(node, Neg):
            return f"(-{self.expr(node.a)})"
        if isinstance(node, Op):
            if node.op in "*/":
                return self.product(node)
            if node.op == "**":
                return self.power(node)
            return f"({self.expr(node.a)} {node.op} {self.expr(node.b)})"
        if isinstance(node, Call) and node.fn == "where":
            return f"SELECT({self.condition(node.args[0])}, {self.expr(node.args[1])}, {self.expr(node.args[2])})"
        if isinstance(node, Call):
            return f"{CALLS[node.fn]}({', '.join(map(self.expr, node.args))})"
        raise AssertionError(node)

    def condition(self, node: Expr) -> str:
        if self.made.host(node):
            return f"({self.coefficient(node)} != 0)"
        assert isinstance(node, Compare), node
        return f"({self.expr(node.a)} {node.op} {self.expr(node.b)})"

    def product(self, node: Expr) -> str:
        above: list[Expr] = []
        below: list[Expr] = []
        _factors(node, above, below)
        factor: Expr | None = None
        for f in filter(self.made.host, above):
            factor = f if factor is None else Op("*", factor, f)
        for f in filter(self.made.host, below):
            factor = Op("/", Num(1) if factor is None else factor, f)
        parts = [] if factor is None else [self.coefficient(factor)]
        parts += [self.expr(f) for f in above if not self.made.host(f)]
        text = " * ".join(parts) or "ONE"
        for f in below:
            if not self.made.host(f):
                text = f"{text} / {self.expr(f)}"
        return f"({text})"

    def power(self, node: Op) -> str:
        base, exponent = self.expr(node.a), node.b
        value = exponent.value if isinstance(exponent, Num) else None
        if isinstance(exponent, Neg) and isinstance(exponent.a, Num):
            value = -exponent.a.value
        easy = None if value is None else power_text(base, value)
        if easy is not None:
            return easy
        text = self.expr(exponent)
        if self.made.host(exponent) and value is None:
            k = int(text[1:])
            if k not in self.powers:
                self.powers.append(k)
            return self.power_call(k, base, text)
        return f"POW({base}, {text})"

    def power_call(self, k: int, base: str, exponent: str) -> str:
        """A power whose exponent is coefficient `k`: one that a whole loop may know in advance."""
        return f"POWER_{k}({base}, {exponent})"


def _factors(node: Expr, above: list[Expr], below: list[Expr]) -> None:
    if isinstance(node, Op) and node.op == "*":
        _factors(node.a, above, below)
        _factors(node.b, above, below)
    elif isinstance(node, Op) and node.op == "/":
        _factors(node.a, above, below)
        _factors(node.b, below, above)
    else:
        above.append(node)


def state_name(name: str) -> str:
    """The C name of a state's old value."""
    return f"{ascii_name(name)}__prev"


def ascii_name(name: str) -> str:
    """A Python name as an identifier of C."""
    return name if name.isascii() else "u" + name.encode("utf-8").hex()
