"""A rule's update as a list of assignments, its option branches folded for one Settings.

The body is read from the rule's source: assignments to single names, `if` on options alone, and one
`return p, s._replace(...)`; `p, g = helper(p, g, h, ...)` is read as if the helper's body stood there. Everything outside
that language is an error that names the rule and the line.
"""

from __future__ import annotations

import ast
import inspect
import operator
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from slalom.core.errors import BadValueError
from slalom.core.rule import Settings
from slalom.engines.printers.nodes import (
    G0,
    P0,
    Absent,
    Call,
    Compare,
    Expr,
    HyperValue,
    Neg,
    Num,
    Op,
    Prev,
    Step,
    Var,
    children,
    walk,
)  # fmt: skip

WORDS = {"sqrt": 1, "exp": 1, "absolute": 1, "sign": 1, "maximum": 2, "minimum": 2, "where": 3}
WINDOW_WORDS = {"push": 2, "total": 1}
_ARITHMETIC: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_ORDER: dict[type, str] = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_FOLD: dict[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip


class LanguageError(BadValueError):
    """A rule whose body is outside the elementwise language."""


@dataclass(frozen=True)
class Assign:
    """`target = value`, from that line of the rule's file."""

    target: Var
    value: Expr
    line: int


@dataclass(frozen=True)
class Program:
    """A rule under fixed options: assignments in order, then the new parameter and the new states.

    `states` maps each existing state to its new value (a Var, or `Prev(name)` where it stays as it is).
    """

    settings: Settings
    assigns: tuple[Assign, ...]
    p: Expr
    states: dict[str, Expr]

    @property
    def name(self) -> str:
        return self.settings.rule.name

    def definition(self, var: Var) -> Expr | None:
        """What a Var was assigned; None for the incoming `p` and `g`."""
        return next((a.value for a in self.assigns if a.target == var), None)

    def host(self, node: Expr) -> bool:
        """Whether it depends on hypers, the step and scalar states alone: one number a lane, computed on the host."""
        if isinstance(node, Prev):
            return self.settings.states[node.name].scalar
        if isinstance(node, Var):
            value = self.definition(node)
            return value is not None and self.host(value)
        if isinstance(node, Call) and node.fn in WINDOW_WORDS:
            return False
        return all(self.host(c) for c in children(node))

    @property
    def element_states(self) -> list[str]:
        """The states that are shaped like the parameter (or a window of it)."""
        return [k for k, s in self.settings.states.items() if not s.scalar]

    @property
    def scalar_states(self) -> list[str]:
        """The states that are one number a parameter."""
        return [k for k, s in self.settings.states.items() if s.scalar]

    @property
    def windowed(self) -> bool:
        """Whether a state keeps a window of past values, which the C printer does not speak."""
        return any(s.window is not None for s in self.settings.states.values())


def program(settings: Settings) -> Program:
    """Read the rule's update for these settings.

    Raises LanguageError, naming the rule and the line, for anything outside the language.

    >>> from slalom.rules import sgd
    >>> [a.target.name for a in program(sgd(momentum=0.9)).assigns]
    ['v', 'p']
    """
    read = getattr(settings.rule, "read", None)  # a rule that is made of another's tree
    made: Program = _Reader(settings).read() if read is None else read(settings)
    return made


class _Reader:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rule = settings.rule
        self.versions = {"p": 0, "g": 0}
        self.env: dict[str, Expr] = {"p": P0, "g": G0, "t": Step()}
        self.assigns: list[Assign] = []
        self.within: tuple[ast.Assign, str] | None = None  # the helper being read, and the line that calls it
        try:
            function, self.first_line = _source(self.rule.update)
        except (OSError, TypeError) as error:
            message = f"{self.rule.name}: its source cannot be read ({error}); define the rule in a file"
            raise LanguageError(message) from None
        if function is None:
            raise LanguageError(f"{self.rule.name}: a rule is a plain function `def name(p, g, s, h, t)`")
        self.function = function
        if [a.arg for a in function.args.args] != ["p", "g", "s", "h", "t"]:
            raise self.error(function, "a rule's arguments are (p, g, s, h, t), in this order")

    def read(self) -> Program:
        returned = self.block(self.function.body)
        if returned is None:
            raise self.error(self.function, "the last line must be `return p, s._replace(...)`")
        return self.finish(returned)

    def block(self, body: list[ast.stmt]) -> ast.Return | None:
        for k, statement in enumerate(body):
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and k == 0:
                continue  # a docstring
            if isinstance(statement, ast.Pass):
                continue
            if isinstance(statement, ast.Return):
                return statement
            if isinstance(statement, ast.If):
                returned = self.block(statement.body if self.option(statement.test) else statement.orelse)
                if returned is not None:
                    return returned
            elif isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
                self.assign(statement.targets[0].id, self.expr(statement.value), statement)
            elif isinstance(statement, ast.Assign) and (helper := self.helper(statement)) is not None:
                self.inline(statement, *helper)
            else:
                raise self.error(statement, "a line must be `name = expression`, `if` on options, or the final return")
        return None

    def helper(self, node: ast.Assign) -> tuple[list[str], ast.Call, Callable[..., Any]] | None:
        """For `a, b = f(...)`, f a function that the rule's file knows: the names, the call, the function."""
        target, call = node.targets[0], node.value
        if len(node.targets) != 1 or not isinstance(target, ast.Tuple) or not isinstance(call, ast.Call):
            return None
        names = [e.id for e in target.elts if isinstance(e, ast.Name)]
        known = getattr(self.rule.update, "__globals__", {})
        function = known.get(call.func.id) if isinstance(call.func, ast.Name) else None
        if not inspect.isfunction(function) or call.keywords or len(names) != len(target.elts):
            return None
        return names, call, function

    def inline(self, at: ast.Assign, names: list[str], call: ast.Call, function: Callable[..., Any]) -> None:
        read, _ = _source(function)
        wanted = [a.arg for a in read.args.args] if read is not None else []
        if read is None or len(wanted) != len(call.args):
            raise self.error(at, f"{function.__name__} takes {len(wanted)} arguments, got {len(call.args)}")
        inner: dict[str, Expr] = {}
        for name, given in zip(wanted, call.args, strict=True):
            if name in ("s", "h"):
                if not _is_name(given, name):
                    raise self.error(at, f"{function.__name__} takes the rule's own {name!r}, got `{ast.unparse(given)}`")
            else:
                inner[name] = self.operand(given)
        outer, self.env, self.within = self.env, inner, (at, function.__name__)
        returned = self.block(read.body)
        value = None if returned is None else returned.value
        if not isinstance(value, ast.Tuple) or len(value.elts) != len(names):
            raise self.error(read, f"{function.__name__} must end in a `return` of {len(names)} values")
        values = [self.expr(e) for e in value.elts]
        self.env, self.within = outer, None
        for name, made in zip(names, values, strict=True):
            self.assign(name, made, at)

    def assign(self, name: str, value: Expr, at: ast.AST) -> Expr:
        if name in ("s", "h", "t"):
            raise self.error(at, f"{name!r} may not be assigned to")
        if isinstance(value, Compare):
            raise self.error(at, "a comparison may only be the condition of `where`")
        if not isinstance(value, Var | Prev | HyperValue | Num | Step | Absent):
            self.versions[name] = self.versions.get(name, 0) + 1
            var = Var(name, self.versions[name])
            self.assigns.append(Assign(var, value, self.line(at)))
            value = var
        self.env[name] = value  # a bare name on the right is only another name for the same value
        return value

    def finish(self, node: ast.Return) -> Program:
        value = node.value
        wrong = "the return must be `return p, s._replace(...)` or `return p, s`"
        if not isinstance(value, ast.Tuple) or len(value.elts) != 2:
            raise self.error(node, wrong)
        p = self.assign("p", self.expr(value.elts[0]), node)
        states: dict[str, Expr] = {k: Prev(k) for k in self.settings.states}
        after = value.elts[1]
        if isinstance(after, ast.Call):
            called = after.func
            replaces = isinstance(called, ast.Attribute) and called.attr == "_replace" and _is_name(called.value, "s")
            if not replaces or after.args:
                raise self.error(node, wrong)
            for keyword in after.keywords:
                name = keyword.arg
                if name is None or name not in self.rule.states:
                    raise self.error(node, f"{name!r} is not a declared state")
                new = self.expr(keyword.value)
                if name not in states:
                    continue  # it does not exist under these options
                if isinstance(new, Absent):
                    raise self.error(node, f"state {name!r} exists, its new value {new.name!r} does not")
                if not isinstance(new, Var | Prev):
                    new = self.assign(name, new, node)
                states[name] = new
        elif not _is_name(after, "s"):
            raise self.error(node, wrong)
        made = Program(self.settings, tuple(self.assigns), p, states)
        for name in made.scalar_states:
            if not made.host(states[name]):
                raise self.error(node, f"scalar state {name!r} must depend on hypers, the step and scalar states alone")
        return made

    def expr(self, node: ast.expr) -> Expr:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return Num(node.value)
        if isinstance(node, ast.Name):
            if node.id not in self.env:
                raise self.error(node, f"{node.id!r} has no value here")
            return self.env[node.id]
        if isinstance(node, ast.Attribute):
            return self.attribute(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return Neg(self.operand(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            return Op(_ARITHMETIC[type(node.op)], self.operand(node.left), self.operand(node.right))
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _ORDER:
            return Compare(_ORDER[type(node.ops[0])], self.operand(node.left), self.operand(node.comparators[0]))
        if isinstance(node, ast.IfExp):
            return self.expr(node.body if self.option(node.test) else node.orelse)
        if isinstance(node, ast.Call):
            return self.call(node)
        raise self.error(node, f"`{ast.unparse(node)}` is outside the elementwise language")

    def operand(self, node: ast.expr) -> Expr:
        value = self.expr(node)
        if isinstance(value, Absent):
            raise self.error(node, f"state {value.name!r} does not exist under these options")
        if isinstance(value, Compare):
            raise self.error(node, "a comparison may only be the condition of `where`")
        return value

    def attribute(self, node: ast.Attribute) -> Expr:
        name = node.attr
        if _is_name(node.value, "h"):
            if name in self.rule.hypers:
                return HyperValue(name)
            value = self.settings.options.get(name)
            if isinstance(value, int | float):  # an option that is a number may stand in a formula
                return Num(int(value) if isinstance(value, bool) else value)
            raise self.error(node, f"h.{name} is not a declared hyper")
        if _is_name(node.value, "s"):
            if name not in self.rule.states:
                raise self.error(node, f"s.{name} is not a declared state")
            return Prev(name) if name in self.settings.states else Absent(name)
        raise self.error(node, f"`{ast.unparse(node)}` is outside the elementwise language")

    def call(self, node: ast.Call) -> Expr:
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        wanted = {**WORDS, **WINDOW_WORDS}.get(name)
        if wanted is None or node.keywords:
            raise self.error(node, f"`{name}(...)` is not a word of the language: {', '.join(WORDS)}")
        if len(node.args) != wanted:
            raise self.error(node, f"{name} takes {wanted} arguments, got {len(node.args)}")
        if name != "where":
            return Call(name, tuple(self.operand(a) for a in node.args))
        condition = self.expr(node.args[0])
        if not isinstance(condition, Compare):
            raise self.error(node, "the condition of `where` must be a comparison")
        return Call(name, (condition, self.operand(node.args[1]), self.operand(node.args[2])))

    def option(self, node: ast.expr) -> Any:
        """The value of a test on options: h.switch, h.on.gate, comparisons with constants, and/or/not."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            return [self.option(e) for e in node.elts]
        if isinstance(node, ast.BoolOp):
            parts = [bool(self.option(v)) for v in node.values]
            return all(parts) if isinstance(node.op, ast.And) else any(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return not self.option(node.operand)
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _FOLD:
            return _FOLD[type(node.ops[0])](self.option(node.left), self.option(node.comparators[0]))
        if isinstance(node, ast.Attribute):
            if _is_name(node.value, "h") and node.attr in self.settings.options:
                return self.settings.options[node.attr]
            inner = node.value
            if isinstance(inner, ast.Attribute) and inner.attr == "on" and _is_name(inner.value, "h"):
                if node.attr in self.settings.on:
                    return self.settings.on[node.attr]
                raise self.error(node, f"h.on.{node.attr}: {node.attr!r} is not a hyper declared with gate=True")
        raise self.error(node, f"`if {ast.unparse(node)}` must test options (h.switch, h.on.gate) alone")

    def line(self, node: ast.AST) -> int:
        return self.first_line + int(getattr(self.within[0] if self.within else node, "lineno", 1)) - 1

    def error(self, node: ast.AST, message: str) -> LanguageError:
        inside = f"in {self.within[1]}: " if self.within else ""
        return LanguageError(f"rule {self.rule.name}, line {self.line(node)}: {inside}{message}")


@lru_cache(maxsize=256)
def _source(function: Callable[..., Any]) -> tuple[ast.FunctionDef | None, int]:
    """A function's tree and first line; None for what is no plain function."""
    lines, first_line = inspect.getsourcelines(function)
    read = ast.parse(textwrap.dedent("".join(lines))).body[0]
    return (read if isinstance(read, ast.FunctionDef) else None), first_line


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def inlined(made: Program, node: Expr) -> Expr:
    """The expression with every assigned name replaced by its definition: hypers, `p`, `g` and old states remain."""
    if isinstance(node, Var):
        value = made.definition(node)
        return node if value is None else inlined(made, value)
    if isinstance(node, Neg):
        return Neg(inlined(made, node.a))
    if isinstance(node, Op):
        return Op(node.op, inlined(made, node.a), inlined(made, node.b))
    if isinstance(node, Compare):
        return Compare(node.op, inlined(made, node.a), inlined(made, node.b))
    if isinstance(node, Call):
        return Call(node.fn, tuple(inlined(made, a) for a in node.args))
    return node


def reads(made: Program, node: Expr) -> set[Expr]:
    """The leaves it depends on, through every assignment: hypers, step, `p`, `g`, old states."""
    return {n for n in walk(inlined(made, node)) if isinstance(n, Var | HyperValue | Prev | Step)}
