"""What a step with a gradient of 0 does: a rule's program without what then vanishes, and whether anything moves at all."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from slalom.core.rule import Rule, Settings
from slalom.engines.printers.nodes import G0, Call, Compare, Expr, HyperValue, Neg, Num, Op, Prev, Step, Var
from slalom.engines.printers.tree import Assign, LanguageError, Program, program

ZERO = Num(0)
_KEEP_ZERO = ("sqrt", "absolute", "sign")
_TRIVIAL = Num | Var | Prev | HyperValue | Step


def without_gradient(made: Program) -> Program:
    """The program under `g = 0`: the same numbers (0/x is taken as 0), fewer operations.

    >>> from slalom.engines.printers.tree import program
    >>> from slalom.rules import adagrad
    >>> still = without_gradient(program(adagrad()))
    >>> still.p, still.states
    (Var(name='p', version=0), {'G': Prev(name='G')})
    """
    known: dict[Var, Expr] = {G0: ZERO}
    kept = []
    for a in made.assigns:
        value = _simpler(a.value, known, made.settings.rule)
        if isinstance(value, _TRIVIAL):
            known[a.target] = value
        else:
            kept.append(Assign(a.target, value, a.line))
    p = _simpler(made.p, known, made.settings.rule)
    states = {k: _simpler(v, known, made.settings.rule) for k, v in made.states.items()}
    return replace(made, assigns=tuple(kept), p=p, states=states)


def _simpler(node: Expr, known: dict[Var, Expr], rule: Rule) -> Expr:
    if isinstance(node, Var):
        return known.get(node, node)
    if isinstance(node, Neg):
        a = _simpler(node.a, known, rule)
        return ZERO if _zero(a) else Neg(a)
    if isinstance(node, Op):
        return _operation(node.op, _simpler(node.a, known, rule), _simpler(node.b, known, rule), rule)
    if isinstance(node, Compare):
        return Compare(node.op, _simpler(node.a, known, rule), _simpler(node.b, known, rule))
    if isinstance(node, Call):
        args = tuple(_simpler(a, known, rule) for a in node.args)
        if node.fn in _KEEP_ZERO and _zero(args[0]):
            return ZERO
        if node.fn == "where" and args[1] == args[2]:
            return args[1]
        return Call(node.fn, args)
    return node


def _operation(op: str, a: Expr, b: Expr, rule: Rule) -> Expr:
    if op == "*" and (_zero(a) or _zero(b)):
        return ZERO
    if op == "/" and _zero(a):
        return ZERO
    if op == "**" and _zero(a) and _positive(b, rule):
        return ZERO
    if op == "+" and _zero(a):
        return b
    if op in "+-" and _zero(b):
        return a
    if op == "-" and _zero(a):
        return Neg(b)
    return Op(op, a, b)


def _zero(node: Expr) -> bool:
    return isinstance(node, Num) and node.value == 0


def _positive(node: Expr, rule: Rule) -> bool:
    if isinstance(node, HyperValue):
        h = rule.hypers[node.name]
        return (h.gt is not None and h.gt >= 0) or (h.ge is not None and h.ge > 0)
    return isinstance(node, Num) and node.value > 0


_by_rows: dict[tuple[Rule, tuple[Any, ...]], bool] = {}


def by_rows(settings: Settings) -> bool:
    """Whether rows can be stepped apart: the rule is elementwise, or, where its body cannot be read, is so on some numbers."""
    key = (settings.rule, settings.program)
    if key not in _by_rows:
        try:
            program(settings)
            _by_rows[key] = True
        except LanguageError:
            p, g = (torch.tensor(x, dtype=torch.float64) for x in ([[1.0, 2.0], [-3.0, 0.5]], [[0.1, -2.0], [4.0, 1.0]]))
            together = settings.step(p, g, settings.init(p), 1)[0]
            alone = [settings.step(p[k : k + 1], g[k : k + 1], settings.init(p[k : k + 1]), 1)[0] for k in range(2)]
            _by_rows[key] = torch.allclose(together, torch.cat(alone), rtol=1e-12, atol=0)
    return _by_rows[key]


# Numbers on which steps are tried: any absolute or relative move of a parameter shows on one of these.
_P = np.array([0.0, 1e-30, -2.0, 3e5])
_G = np.array([1.0, -0.3, 2.0, 1e-3])


class Rest:
    """What a zero-gradient step under these settings leaves as it is, found by trying it on numbers.

    `always`: every row whatever its states. `untouched`: a row that has never had a gradient. `finite`: no such row turns into
    NaN (0/0 where a rule's eps is 0).
    """

    def __init__(self, settings: Settings) -> None:
        fresh = _fresh(settings)
        self.finite, self.untouched, self.always = True, False, False
        try:
            with np.errstate(all="ignore"):
                seen = {**fresh, **_step(settings, _P, _G, fresh, 1)[1]}
                first, later = (_step(settings, _P, np.zeros(4), fresh, t) for t in (1, 1000))
                after = [_step(settings, _P, np.zeros(4), seen, t) for t in (2, 1000)]
        except (TypeError, ValueError, AttributeError, RuntimeError):  # a rule of someone's own that takes tensors alone
            return
        self.finite = all(bool(np.isfinite(x).all()) for p, s in (first, later) for x in (p, *s.values()))
        self.untouched = self.finite and all(_same(p, s, fresh) for p, s in (first, later))
        self.always = self.untouched and all(_same(p, s, seen) for p, s in after)


@lru_cache(maxsize=64)
def _rest(rule: Rule, values: tuple[Any, ...], options: tuple[Any, ...], on: tuple[Any, ...]) -> Rest:
    return Rest(Settings(rule, dict(values), dict(options), dict(on)))


def rest(settings: Settings) -> Rest:
    """The `Rest` of these settings, kept for those seen last."""
    return _rest(settings.rule, *(tuple(x.items()) for x in (settings.values, settings.options, settings.on)))


def _fresh(settings: Settings) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, state in settings.states.items():
        fill = settings.values[state.fill] if isinstance(state.fill, str) else state.fill
        shape = () if state.scalar else (4,) if state.window is None else (settings.options[state.window], 4)
        made[name] = np.full(shape, float(fill))
    return made


def _step(settings: Settings, p: Any, g: Any, states: dict[str, Any], t: int) -> tuple[Any, dict[str, Any]]:
    rule = settings.rule
    s = rule.S(**{name: states.get(name) for name in rule.states})
    new_p, new_s = rule.update(p, g, s, settings.hypers(), t)
    return new_p, {name: np.asarray(getattr(new_s, name)) for name in states if not rule.states[name].scalar}


def _same(p: Any, states: dict[str, Any], before: dict[str, Any]) -> bool:
    return np.array_equal(p, _P) and all(np.array_equal(x, before[name]) for name, x in states.items())
