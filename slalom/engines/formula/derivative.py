"""The derivative of a tree, by the rules of calculus, without what is 0 or 1."""

from __future__ import annotations

from slalom.engines.printers.nodes import Call, Compare, Expr, Neg, Num, Op, Var, walk
from slalom.engines.printers.tree import LanguageError

ZERO, ONE = Num(0), Num(1)


def derivative(node: Expr, name: str) -> Expr:
    """d node / d name. Where `maximum`, `minimum` or `where` switch, the side that is taken; |x| has slope 0 at 0.

    >>> from slalom.engines.formula import text, traced
    >>> text(derivative(traced(lambda x, y: x**2 - y**2, "xy"), "y"))
    '-2 y'
    """
    if isinstance(node, Var):
        return ONE if node.name == name else ZERO
    if Var(name, 0) not in walk(node):
        return ZERO
    if isinstance(node, Neg):
        return minus(derivative(node.a, name))
    if isinstance(node, Op):
        return _operation(node, name)
    if isinstance(node, Call):
        return _call(node, name)
    raise LanguageError(f"a {type(node).__name__} has no derivative")


def _operation(node: Op, name: str) -> Expr:
    a, b = node.a, node.b
    da, db = derivative(a, name), derivative(b, name)
    if node.op == "+":
        return add(da, db)
    if node.op == "-":
        return add(da, minus(db))
    if node.op == "*":
        return add(times(da, b), times(a, db))
    if node.op == "/":
        return add(over(da, b), minus(over(times(a, db), power(b, 2))))
    if db != ZERO:
        raise LanguageError("a power whose exponent moves has no derivative here; write exp(b * log(a))")
    if isinstance(b, Num):
        return times(times(b, power(a, b.value - 1)), da)
    return times(times(b, Op("**", a, Op("-", b, ONE))), da)


def _call(node: Call, name: str) -> Expr:
    if node.fn == "where":
        condition, yes, no = node.args
        return Call("where", (condition, derivative(yes, name), derivative(no, name)))
    if node.fn in ("maximum", "minimum"):
        a, b = node.args
        first = Compare(">=" if node.fn == "maximum" else "<=", a, b)
        return Call("where", (first, derivative(a, name), derivative(b, name)))
    (a,) = node.args
    if node.fn in ("log", "sqrt"):
        return over(derivative(a, name), a if node.fn == "log" else times(Num(2), node))
    outer: Expr = {
        "exp": node,
        "cos": minus(Call("sin", (a,))),
        "sin": Call("cos", (a,)),
        "absolute": Call("sign", (a,)),
        "sign": ZERO,
    }[node.fn]
    return times(outer, derivative(a, name))


def add(a: Expr, b: Expr) -> Expr:
    """a + b, simplified."""
    if a == ZERO:
        return b
    if b == ZERO:
        return a
    return Op("-", a, b.a) if isinstance(b, Neg) else Op("+", a, b)


def minus(a: Expr) -> Expr:
    """-a, simplified."""
    if a == ZERO:
        return a
    return a.a if isinstance(a, Neg) else Neg(a)


def times(a: Expr, b: Expr) -> Expr:
    """a b, simplified; a number comes first."""
    if ZERO in (a, b):
        return ZERO
    if a == ONE:
        return b
    if b == ONE:
        return a
    if isinstance(a, Neg):
        return minus(times(a.a, b))
    if isinstance(b, Neg):
        return minus(times(a, b.a))
    if isinstance(a, Num) and isinstance(b, Num):
        return Num(a.value * b.value)
    if isinstance(b, Num):
        a, b = b, a
    if isinstance(a, Num) and isinstance(b, Op) and b.op == "*" and isinstance(b.a, Num):
        return times(Num(a.value * b.a.value), b.b)
    return Op("*", a, b)


def over(a: Expr, b: Expr) -> Expr:
    """a / b, simplified."""
    if a == ZERO:
        return ZERO
    return minus(over(a.a, b)) if isinstance(a, Neg) else Op("/", a, b)


def power(a: Expr, n: float) -> Expr:
    """a ** n, simplified."""
    if n == 0:
        return ONE
    return a if n == 1 else Op("**", a, Num(n))
