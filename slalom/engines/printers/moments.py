"""Every optimizer is a first and a second moment: the table of them, found from each rule's tree.

What a state is follows from how it answers when every gradient is multiplied by k, or changes its sign. Multiplied:
a state of degree d is multiplied by k^d. Sign: an odd state changes it, an even one does not. Odd and of positive
degree is a first moment (an average of gradients), even and of positive degree a second moment (of their size: squares,
absolute values, p-th powers); degree 0 is neither: it counts steps, in the parameter's own units. Small numbers that
are added to keep a denominator from 0 are taken as 0 in this, initial values as forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slalom.core.rule import Rule, Settings
from slalom.engines.printers.latex import text
from slalom.engines.printers.nodes import G0, P0, Call, Compare, Expr, HyperValue, Neg, Num, Op, Prev, Var
from slalom.engines.printers.symbols import Names, plain
from slalom.engines.printers.tree import Program, inlined, program


@dataclass(frozen=True)
class Answer:
    """How a value answers to the gradients: degree (None: no single one) and parity (1 even, -1 odd, 0 neither)."""

    degree: float | None
    parity: int
    kind: str = "value"  # "constant", "parameter", "unknown" (a state not yet known)


_CONSTANT = Answer(0.0, 1, "constant")
_PARAMETER = Answer(0.0, 0, "parameter")
_UNKNOWN = Answer(0.0, 1, "unknown")


@dataclass(frozen=True)
class Moments:
    """One row of the table: lines of text for the first and second moments, other memory, and the step's degree."""

    rule: str
    variant: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    other: tuple[str, ...]
    step_degree: float | None

    @property
    def step(self) -> str:
        """What a gradient ten times as large does to the steps, in words."""
        if self.step_degree is None:
            return "no single power of the gradient's scale"
        if self.step_degree == 0:
            return "does not depend on the gradient's scale (eps aside)"
        if self.step_degree == 1:
            return "grows in proportion to the gradient"
        return f"grows as the gradient's scale to the power {self.step_degree:g}"


def answers(settings: Settings) -> tuple[dict[str, Answer], Answer]:
    """How each state and the step answer to the gradients' scale and sign."""
    made = program(settings)
    known: dict[str, Answer] = dict.fromkeys(made.element_states, _UNKNOWN)
    for last_resort in (False, True):
        for _ in range(2 * len(known) + 2):
            known = {k: _answer(made, inlined(made, made.states[k]), known) for k in known}
        if not last_resort:  # a state fed by nothing but itself and steps (Adadelta's): in units of the parameter
            known = {k: Answer(0.0, 1) if a.kind == "unknown" else a for k, a in known.items()}
    return known, _answer(made, inlined(made, made.p), known)


def moments(settings: Settings, variant: str = "") -> Moments:
    """The row of one rule under these settings."""
    made = program(settings)
    known, step = answers(settings)
    names, lines = Names(made), text(settings)
    first: list[str] = []
    second: list[str] = []
    other: list[str] = []
    for state, answer in known.items():
        target = plain(names.latex(made.states[state]))
        line = next((x for x in lines if x.startswith((f"{target} = ", f"{target} ← "))), target)
        if answer.degree is not None and answer.degree > 0 and answer.parity:
            (first if answer.parity < 0 else second).append(line)
        else:
            other.append(line)
    return Moments(settings.rule.name, variant, tuple(first) or ("g_t",), tuple(second), tuple(other), step.degree)


def moments_table(rules: Iterable[Rule]) -> list[Moments]:
    """A row for each rule as it comes, and one for each switch or gate that adds a state."""
    rows = []
    for rule in rules:
        rows.append(moments(rule()))
        seen = set(rule().states)
        for flag in dict.fromkeys(s.when for s in rule.states.values() if s.when is not None):
            value: Any = 0.9 if flag in rule.hypers else not rule.options[flag].default
            given = rule(**{flag: value})
            if not set(given.states) <= seen:
                rows.append(moments(given, flag if flag in rule.options else f"{flag} > 0"))
    return rows


def _answer(made: Program, node: Expr, known: Mapping[str, Answer]) -> Answer:
    if node == G0:
        return Answer(1.0, -1)
    if node == P0:
        return _PARAMETER
    if made.host(node):
        return _CONSTANT
    if isinstance(node, Prev):
        return known[node.name]
    if isinstance(node, Neg):
        return _answer(made, node.a, known)
    if isinstance(node, Call):
        args = [_answer(made, a, known) for a in node.args if not isinstance(a, Compare)]
        if node.fn == "where" and made.host(node.args[0]):
            # A choice by the step, as RAdam's: a number on one side is a step of its own, not a guard against 0 / 0.
            args = [Answer(0.0, 1) if a.kind == "constant" else a for a in args]
        return _call(node.fn, args)
    assert isinstance(node, Op), node
    a = _answer(made, node.a, known)
    if node.op == "**":
        return _power(a, _exponent(made, node.b))
    b = _answer(made, node.b, known)
    if node.op in "+-":
        return _together(a, b)
    for x, y in ((a, b), (b, a)):
        if x.kind == "unknown" or (x.kind == "parameter" and y.kind == "constant"):
            return x
    if a.kind == b.kind == "constant":
        return _CONSTANT
    if a.degree is None or b.degree is None:
        return Answer(None, a.parity * b.parity)
    return Answer(a.degree + b.degree if node.op == "*" else a.degree - b.degree, a.parity * b.parity)


def _call(fn: str, args: list[Answer]) -> Answer:
    if fn in ("maximum", "minimum", "where", "push"):
        return _together(*args)
    (a,) = args
    if a.kind != "value":
        return a
    if fn == "sqrt":
        return _power(a, 0.5)
    if fn == "absolute":
        return Answer(a.degree, 1)
    if fn == "sign":
        return Answer(0.0, a.parity)
    if fn == "total":
        return a
    return Answer(None, 1 if a.parity == 1 else 0)  # exp


def _together(a: Answer, b: Answer) -> Answer:
    """A sum, a maximum or a choice: numbers and the parameter itself leave the rest as it is."""
    rank = {"constant": 0, "parameter": 1, "unknown": 2, "value": 3}
    if a.kind != "value" or b.kind != "value":
        return a if rank[a.kind] >= rank[b.kind] else b
    return Answer(a.degree if a.degree == b.degree else None, a.parity if a.parity == b.parity else 0)


def _power(a: Answer, exponent: float | None) -> Answer:
    if a.kind != "value":
        return a
    degree = None if a.degree is None or exponent is None else a.degree * exponent
    if a.parity == 1 or (exponent is not None and exponent % 2 == 0):
        return Answer(degree, 1)
    return Answer(degree, a.parity if exponent is not None and exponent % 2 == 1 else 0)


def _exponent(made: Program, node: Expr) -> float | None:
    """An exponent's value at the settings' own hypers; None where it is not a number that stays."""
    if isinstance(node, Num):
        return float(node.value)
    if isinstance(node, HyperValue):
        return made.settings.values[node.name]
    if isinstance(node, Neg):
        inner = _exponent(made, node.a)
        return None if inner is None else -inner
    if isinstance(node, Op) and node.op in "*/":
        a, b = _exponent(made, node.a), _exponent(made, node.b)
        if a is None or b is None or (node.op == "/" and b == 0):
            return None
        return a * b if node.op == "*" else a / b
    assert not isinstance(node, Var), node  # the tree is inlined
    return None
