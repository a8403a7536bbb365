"""A rule's step with the proximal step of an L1 penalty after it, as one program for the C printer.

What `slalom.engines.response` does by running a rule on tensors that carry a tangent is done here to its tree, once: how far
the step moves a coordinate for a constant extra gradient of 1, with what is even in the gradient (scales) held. The states
get companions, the part of each that such a gradient has made: one number a lane where all coordinates share it, as a
momentum's, and shaped like the parameter where they do not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from slalom.core.rule import Rule, Settings, State
from slalom.engines.printers.nodes import G0, Call, Compare, Expr, Neg, Num, Op, Prev, Var
from slalom.engines.printers.tree import Assign, LanguageError, Program, program

STRENGTH = "l1_strength"  # the state that holds the penalty's strength at each coordinate, 0 where it is spared
MOVED = "{}_moved"


class _NoStep(Exception):
    """The rule makes something of its gradient that is neither proportional to it nor even in it."""


class _Tangents:
    """The tangents of a program's assignments, given which states have companions."""

    def __init__(self, made: Program, companions: set[str]) -> None:
        self.companions = companions
        self.known: dict[Var, Expr | None] = {}
        self.assigns: list[Assign] = []
        for a in made.assigns:
            self.assigns.append(a)
            found = self.of(a.value)
            if found is not None and not isinstance(found, Num | Prev | Var):
                var = Var(MOVED.format(a.target.name), a.target.version)
                self.assigns.append(Assign(var, found, a.line))
                found = var
            self.known[a.target] = found
        self.p = self.of(made.p)
        self.states = {k: self.of(v) for k, v in made.states.items()}

    def of(self, node: Expr) -> Expr | None:
        if node == G0:
            return Num(1)
        if isinstance(node, Var):
            return self.known.get(node)
        if isinstance(node, Prev):
            return Prev(MOVED.format(node.name)) if node.name in self.companions else None
        if isinstance(node, Neg):
            a = self.of(node.a)
            return None if a is None else Neg(a)
        if isinstance(node, Op):
            return self.op(node)
        if isinstance(node, Call):
            return self.call(node)
        return None

    def op(self, node: Op) -> Expr | None:
        a, b = self.of(node.a), self.of(node.b)
        if a is None and b is None:
            return None
        if node.op in "+-":
            if a is None or b is None:
                return a if b is None else b if node.op == "+" else Neg(b)
            return Op(node.op, a, b)
        if node.op == "*":
            if a is not None and b is not None:
                return None  # even
            return _times(a, node.b) if a is not None else _times(b, node.a)
        if node.op == "/" and a is not None and b is None:
            return Op("/", a, node.b)
        exponent = node.b.value if isinstance(node.b, Num) else None
        if node.op == "**" and b is None and exponent is not None and exponent % 2 == 0:
            return None
        raise _NoStep

    def call(self, node: Call) -> Expr | None:
        if node.fn == "where":
            yes, no = (self.of(a) for a in node.args[1:])
            condition = node.args[0]
            assert isinstance(condition, Compare)
            return None if yes is None and no is None else Call("where", (condition, yes or Num(0), no or Num(0)))
        if node.fn == "absolute" or all(self.of(a) is None for a in node.args):
            return None
        raise _NoStep


def _times(tangent: Expr | None, other: Expr) -> Expr:
    assert tangent is not None
    return other if tangent == Num(1) else Op("*", tangent, other)


def with_threshold(made: Program) -> Program | None:
    """The program with the proximal step at its end; None where the rule has no step in proportion to its gradient."""
    if made.windowed:
        return None
    try:
        companions: set[str] = set()
        while True:
            tangents = _Tangents(made, companions)
            found = {k for k, v in tangents.states.items() if v is not None}
            if found == companions:
                break
            companions = found
    except _NoStep:
        return None
    if tangents.p is None:
        return None
    shared = set(companions)  # those that are one number a lane, until one is found that is not
    while True:
        derived = _finished(made, tangents, shared)
        own = {k for k in shared if not derived.host(derived.states[MOVED.format(k)])}
        if not own:
            return derived
        shared -= own


def _finished(made: Program, tangents: _Tangents, shared: set[str]) -> Program:
    settings = made.settings
    extra = {MOVED.format(k): State(scalar=k in shared) for k in sorted(tangents.companions)} | {STRENGTH: State()}
    rule = _Derived(settings.rule, extra)
    assert tangents.p is not None
    threshold, p = (
        Var("threshold", 1),
        Var("p", 1 + max((a.target.version for a in made.assigns if a.target.name == "p"), default=0)),
    )
    line = made.assigns[-1].line if made.assigns else 1
    moves = Op("*", Neg(tangents.p), Prev(STRENGTH))
    assigns = [*tangents.assigns, Assign(threshold, Call("maximum", (moves, Num(0))), line)]
    states: dict[str, Expr] = {**made.states, STRENGTH: Prev(STRENGTH)}
    for k in sorted(tangents.companions):
        value = tangents.states[k]
        assert value is not None
        if not isinstance(value, Var | Prev):  # a bare number
            var = Var(f"{MOVED.format(k)}_after", 1)
            assigns.append(Assign(var, value, line))
            value = var
        states[MOVED.format(k)] = value
    # Soft-thresholded: what lies within becomes exactly 0. One selection a line: compilers make vector loops of that alone.
    size, side = Call("absolute", (made.p,)), Var("side", 1)
    assigns.append(Assign(side, Op("/", made.p, size), line))  # 1 or -1, exactly
    beyond = Op("-", made.p, Op("*", threshold, side))
    assigns.append(Assign(p, Call("where", (Compare("<=", size, threshold), Num(0), beyond)), line))
    return Program(replace(settings, rule=rule), tuple(assigns), p, states)


class _Derived(Rule):
    """A rule with a proximal step: its declaration, so that kernels and states are made of it as of any other."""

    def __init__(self, rule: Rule, extra: dict[str, State]) -> None:
        declared: dict[str, Any] = {**rule.hypers, **rule.options, **rule.states, **extra}

        def update(*_: Any) -> Any:
            raise LanguageError(f"{rule.name} with a proximal step runs compiled alone")

        update.__name__ = f"{rule.name} with a proximal step"
        super().__init__(update, rule.doc, rule.source, rule.differs, rule.torch_name, declared)
        self.rule = rule

    def read(self, settings: Settings) -> Program:
        """The program of these settings."""
        made = with_threshold(program(replace(settings, rule=self.rule)))
        assert made is not None
        return made


def proximal(settings: Settings) -> Settings | None:
    """The settings of the rule with a proximal step; None for a rule that has none.

    >>> from slalom.rules import adam, lion
    >>> sorted(proximal(adam()).states), proximal(lion())
    (['l1_strength', 'm', 'm_moved', 'v'], None)
    """
    try:
        made = with_threshold(program(settings))
    except LanguageError:
        return None
    return None if made is None else made.settings
